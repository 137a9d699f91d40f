/* SPDX-License-Identifier: MIT */
/* elem_run.c: runs a fused elementwise instruction (elem_plan.h). Each element is a function of its own inputs, so tiles, tasks and vector width
 * cannot change a bit. */
#include "exec/elem_plan.h"

/* Twice as many with each copy: the loop of an optimiser for size stores one at a time. */
static void fill_row(int64_t n, gmi_real v, gmi_real *out)
{
    int64_t done = GM_TRAINING ? GMI_MIN(n, 16) : n; /* builds for devices are small */
    for (int64_t i = 0; i < done; i++) out[i] = v;
    while (done < n) {
        const int64_t more = GMI_MIN(done, n - done);
        memcpy(out + done, out, (size_t)more * sizeof *out);
        done += more;
    }
}

static void gather_row(int64_t n, int64_t stride, const gmi_real *x, gmi_real *out)
{
    if (stride == 1) {
        memcpy(out, x, (size_t)n * sizeof *out);
    } else if (stride == 0) {
        fill_row(n, n ? x[0] : 0, out);
    } else
        for (int64_t i = 0; i < n; i++) out[i] = x[i * stride];
}

void gmi_gather_strided(int32_t rank, const int64_t *dims, const int64_t *strides, const gmi_real *x, gmi_real *out)
{
    int64_t at[GMI_MAX_RANK] = {0}, outer = 1;
    for (int32_t a = 0; a + 1 < rank; a++) outer *= dims[a];
    int64_t n = rank ? dims[rank - 1] : 1, step = rank ? strides[rank - 1] : 1;
    for (int64_t o = 0; o < outer; o++) {
        gather_row(n, step, x, out);
        out += n;
        for (int32_t a = rank - 2; a >= 0; a--) {
            x += strides[a];
            if (++at[a] < dims[a]) break;
            x -= strides[a] * dims[a];
            at[a] = 0;
        }
    }
}

static void gather_tile(const gmi_elem_plan *q, const gmi_elem_input *in, int64_t rows, const gmi_real *x, gmi_real *out)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = q->rank - q->axis;
    memcpy(dims, q->dims + q->axis, (size_t)rank * sizeof dims[0]);
    dims[0] = rows;
    gmi_gather_strided(rank, dims, in->strides + q->axis, x, out);
}

static void run_fused(const gmi_kernels *k, const gmi_micro *m, gmi_real *const *place, int64_t n)
{
    const gmi_real *in[GMI_FUSED_IN];
    if (m->kind == GMI_MICRO_PAIR) {
        k->softplus_sigmoid(n, place[m->out], place[m->also], place[m->in[0]]);
        return;
    }
    for (int32_t e = 0; e < GMI_FUSED_IN; e++) in[e] = place[m->in[e]];
    k->fused[m->op](n, place[m->out], in, m->p, m->hi < 0 ? 1 : *place[m->hi], m->lo < 0 ? 0 : *place[m->lo]);
}

static void run_micros(const gmi_elem_plan *q, const gmi_kernels *k, gmi_real **place, int64_t n)
{
    for (int32_t i = 0; i < q->n_micro; i++) {
        const gmi_micro *m = &q->micro[i];
        gmi_real *out = place[m->out];
        const gmi_real *a = place[m->in[0]];
        switch (m->kind) {
        case GMI_MICRO_UNARY: k->unary[m->op](n, out, a, m->p); break;
        case GMI_MICRO_BINARY: k->binary[m->op](n, out, a, place[m->in[1]]); break;
        case GMI_MICRO_SCALAR: k->binary_scalar[m->op](n, out, a, *place[m->in[1]]); break;
        case GMI_MICRO_SELECT: k->select(n, out, a, place[m->in[1]], place[m->in[2]]); break;
        case GMI_MICRO_PAIR:
        case GMI_MICRO_FUSED:
            if (GM_TRAINING) run_fused(k, m, place, n);
            break;
        }
    }
}

uint64_t gmi_elem_lanes_at(const gmi_elem_plan *q)
{
    const uint64_t buffer = ((uint64_t)q->tile_elems * sizeof(gmi_real) + 63) / 64 * 64;
    return (uint64_t)(q->n_regs + q->n_buffers) * buffer + ((uint64_t)q->n_places * sizeof(gmi_real *) + 63) / 64 * 64;
}

/* Offset of an input at step `first` of the tiles' axis. */
static int64_t tile_offset(const gmi_elem_plan *q, const gmi_elem_input *in, int64_t outer, int64_t first)
{
    int64_t off = first * in->strides[q->axis];
    for (int32_t a = q->axis; a-- > 0;) {
        off += outer % q->dims[a] * in->strides[a];
        outer /= q->dims[a];
    }
    return off;
}

/* Rows [row, row + rows) of all pixels into the sums of their block. */
static void add_sums(const gmi_elem_plan *q, const gmi_kernels *k, gmi_real *const *place, int64_t row, int64_t rows, gmi_real *lanes, gmi_real *const *to)
{
    const int64_t size = GMI_RLANES * GMI_LANE_LD(q->inner), at = row % GMI_RB;
    for (int32_t s = 0; s < q->n_sums; s++, lanes += size) {
        if (at == 0) memset(lanes, 0, (size_t)size * sizeof *lanes);
        k->sum_lanes(at, rows, q->inner, place[q->sum[s]], lanes);
        if (at + rows == GMI_RB || row + rows == q->dims[0]) k->sum_lane_fold(q->inner, lanes, to[s] + row / GMI_RB * q->inner);
    }
}

static int64_t buffer_bytes(const gmi_elem_plan *q) { return (q->tile_elems * (int64_t)sizeof(gmi_real) + 63) / 64 * 64; }

void gmi_elem_open(gmi_elem_state *s, const gmi_instr *it, gm_run *r, void *scratch)
{
    const gmi_elem_plan *q = it->plan;
    const int64_t buffer = buffer_bytes(q);
    s->it = it, s->r = r, s->mem = scratch;
    s->place = (gmi_real **)(void *)(s->mem + (q->n_regs + q->n_buffers) * buffer);
    s->lanes = (gmi_real *)(void *)(s->mem + gmi_elem_lanes_at(q));
    for (int32_t i = 0; GM_TRAINING && i < q->n_sums + q->n_rows; i++) s->sums[i] = r->ptr[it->out[q->n_out + i]];
    for (int32_t i = 0; i < q->n_regs; i++) s->place[q->n_in + q->n_out + i] = (gmi_real *)(void *)(s->mem + (q->n_buffers + i) * buffer);
    for (int32_t e = 0; e < q->n_in; e++) {
        const gmi_elem_input *in = &q->input[e];
        s->place[e] = r->ptr[it->in[e]];
        if (in->mode != GMI_IN_HOIST) continue;
        gmi_real *to = (gmi_real *)(void *)(s->mem + in->buffer * buffer);
        gather_tile(q, in, q->rows, s->place[e], to);
        s->place[e] = to;
    }
}

/* Steps [first, first + rows) of the tiles' axis, at place `outer` of the axes before it. */
static void run_tile(gmi_elem_state *s, int64_t outer, int64_t first, int64_t rows)
{
    const gmi_elem_plan *q = s->it->plan;
    const gmi_kernels *k = &s->r->program->kernels;
    gmi_real **place = s->place;
    for (int32_t e = 0; e < q->n_in; e++) {
        const gmi_elem_input *in = &q->input[e];
        if (in->mode != GMI_IN_CONTIG && in->mode != GMI_IN_GATHER) continue;
        gmi_real *x = (gmi_real *)s->r->ptr[s->it->in[e]] + tile_offset(q, in, outer, first);
        place[e] = x;
        if (in->mode == GMI_IN_CONTIG) continue;
        place[e] = (gmi_real *)(void *)(s->mem + in->buffer * buffer_bytes(q));
        gather_tile(q, in, rows, x, place[e]);
    }
    for (int32_t o = 0; o < q->n_out; o++) place[q->n_in + o] = (gmi_real *)s->r->ptr[s->it->out[o]] + (outer * q->dims[q->axis] + first) * q->inner;
    run_micros(q, k, place, rows * q->inner);
    if (GM_TRAINING && q->n_sums) add_sums(q, k, place, first, rows, s->lanes, s->sums);
    for (int32_t i = 0; GM_TRAINING && i < q->n_rows; i++) k->sum_rows(rows, q->inner, place[q->sum[i]], q->inner, s->sums[i] + first);
}

int64_t gmi_elem_steps(const gmi_elem_plan *q, int64_t columns)
{
    if (q->axis == 0) return columns % q->inner ? 0 : columns / q->inner;
    return q->axis == 1 && !q->n_sums && q->dims[1] * q->inner == columns;
}

void gmi_elem_rows(gmi_elem_state *s, int64_t from, int64_t to)
{
    const gmi_elem_plan *q = s->it->plan;
    for (; q->axis && from < to; from++)
        for (int64_t at = 0; at < q->dims[1]; at += q->rows) run_tile(s, from, at, GMI_MIN(q->rows, q->dims[1] - at));
    while (from < to) {
        int64_t rows = GMI_MIN(q->rows, to - from);
        if (q->n_sums) rows = GMI_MIN(rows, GMI_RB - from % GMI_RB);
        run_tile(s, 0, from, rows);
        from += rows;
    }
}

void gmi_elem_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const gmi_elem_plan *q = it->plan;
    gmi_elem_state s;
    int64_t t0, t1;
    (void)phase;
    gmi_elem_open(&s, it, r, scratch);
    gmi_split(q->tiles, task, it->tasks, GM_TRAINING && q->n_sums ? GMI_RB / q->rows : 1, &t0, &t1);
    for (int64_t t = t0; t < t1; t++) {
        int64_t first = t % q->chunks * q->rows;
        run_tile(&s, t / q->chunks, first, GMI_MIN(q->rows, q->dims[q->axis] - first));
    }
}
