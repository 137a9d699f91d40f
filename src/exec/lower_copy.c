/* SPDX-License-Identifier: MIT */
/* lower_copy.c: instructions that move or index values: strided copies, pad, concat, slice, permute, gathers, one-hot, argmax, random draws. */
#include "exec/elem_plan.h"

/* ---- strided copies, for any element of 4 or 8 bytes ---- */
typedef struct copy_plan {
    int32_t rank;
    size_t size;
    int32_t transposed; /* the last two axes of numbers change places: the kernel's work */
    int64_t dims[GMI_MAX_RANK], from[GMI_MAX_RANK], to[GMI_MAX_RANK];
    int64_t from_offset, to_offset;
    int64_t zero_count; /* pad: the destination is cleared first (phase 0) */
} copy_plan;

#define BLOCK 16
/* A transpose of the last two axes in blocks that fit L1, else the inner loop runs along the last axis. */
static void copy_inner(const copy_plan *q, const gmi_kernels *k, int64_t i0, int64_t i1, const uint8_t *x, uint8_t *y)
{
    int32_t a = q->rank - 2, b = q->rank - 1;
    if (GM_TRAINING && q->transposed) {
        k->transpose(q->dims[b], i1 - i0, (const gmi_real *)(const void *)x + i0, q->from[b], (gmi_real *)(void *)y + i0 * q->to[a], q->to[a]);
        return;
    }
    size_t s = q->size;
    int64_t fa = q->from[a], fb = q->from[b], ta = q->to[a], tb = q->to[b], n = q->dims[b];
    if (fb == 1 && tb == 1) {
        for (int64_t i = i0; i < i1; i++) memcpy(y + (size_t)(i * ta) * s, x + (size_t)(i * fa) * s, (size_t)n * s);
        return;
    }
    for (int64_t ib = i0; ib < i1; ib += BLOCK)
        for (int64_t jb = 0; jb < n; jb += BLOCK)
            for (int64_t i = ib; i < GMI_MIN(ib + BLOCK, i1); i++) {
                int64_t je = GMI_MIN(jb + BLOCK, n);
                const uint8_t *p = x + (size_t)(i * fa) * s;
                uint8_t *o = y + (size_t)(i * ta) * s;
                if (s == 4) /* a load and a store each; through integers it would be another type than was stored */
                    for (int64_t j = jb; j < je; j++) memcpy(o + (size_t)(j * tb) * 4, p + (size_t)(j * fb) * 4, 4);
                else
                    for (int64_t j = jb; j < je; j++) memcpy(o + (size_t)(j * tb) * 8, p + (size_t)(j * fb) * 8, 8);
            }
}

static void copy_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const copy_plan *q = it->plan;
    const uint8_t *x = (const uint8_t *)r->ptr[it->in[0]] + (size_t)q->from_offset * q->size;
    uint8_t *y = (uint8_t *)r->ptr[it->out[0]] + (size_t)q->to_offset * q->size;
    int64_t units = 1, u0, u1, rows = q->dims[q->rank - 2];
    (void)scratch;
    if (phase + 1 < it->phases) {
        gmi_split(q->zero_count, task, it->tasks, 1024, &u0, &u1);
        memset((uint8_t *)r->ptr[it->out[0]] + (size_t)u0 * q->size, 0, (size_t)(u1 - u0) * q->size);
        return;
    }
    for (int32_t a = 0; a + 1 < q->rank; a++) units *= q->dims[a];
    gmi_split(units, task, it->tasks, 1, &u0, &u1);
    while (u0 < u1) { /* whole or part of one run of the last but one axis */
        int64_t o = u0 / rows, i0 = u0 % rows, i1 = GMI_MIN(rows, i0 + (u1 - u0)), f = 0, t = 0;
        for (int32_t a = q->rank - 2; a-- > 0;) {
            f += o % q->dims[a] * q->from[a];
            t += o % q->dims[a] * q->to[a];
            o /= q->dims[a];
        }
        copy_inner(q, &r->program->kernels, i0, i1, x + (size_t)f * q->size, y + (size_t)t * q->size);
        u0 += i1 - i0;
    }
}

/* Drops axes of 1, merges neighbours, and leaves at least two. */
static void simplify(copy_plan *q)
{
    int32_t n = 0;
    for (int32_t a = 0; a < q->rank; a++) {
        if (q->dims[a] == 1) continue;
        if (n && q->from[n - 1] == q->from[a] * q->dims[a] && q->to[n - 1] == q->to[a] * q->dims[a]) {
            q->dims[n - 1] *= q->dims[a];
            q->from[n - 1] = q->from[a];
            q->to[n - 1] = q->to[a];
            continue;
        }
        q->dims[n] = q->dims[a], q->from[n] = q->from[a], q->to[n] = q->to[a];
        n++;
    }
    while (n < 2) {
        for (int32_t a = n; a > 0; a--) q->dims[a] = q->dims[a - 1], q->from[a] = q->from[a - 1], q->to[a] = q->to[a - 1];
        q->dims[0] = 1, q->from[0] = q->to[0] = 0;
        if (n == 0) q->from[0] = q->to[0] = 1;
        n++;
    }
    q->rank = n;
}

static gmi_instr *copy_instr(gmi_lower *l, const char *what, int32_t src, int32_t dst, const copy_plan *proto)
{
    gmi_instr *it = gmi_instr_new(l, what, copy_run, 1, 1, sizeof(copy_plan));
    if (!it) return NULL;
    copy_plan *q = (copy_plan *)(uintptr_t)it->plan;
    int64_t work = 1;
    *q = *proto;
    q->size = l->p->values[dst].count ? (size_t)(l->p->values[dst].bytes / (uint64_t)l->p->values[dst].count) : 4;
    simplify(q);
    q->transposed = GM_TRAINING && !l->p->values[src].integers && !l->p->values[dst].integers && q->from[q->rank - 2] == 1 && q->to[q->rank - 1] == 1;
    for (int32_t a = 0; a < q->rank; a++) work *= q->dims[a];
    it->in[0] = src;
    it->out[0] = dst;
    it->phases = q->zero_count ? 2 : 1;
    it->tasks = gmi_tasks_for(l, work);
    return it;
}

static void dense_strides(int32_t rank, const int64_t *dims, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t a = rank; a-- > 0;) {
        strides[a] = step;
        step *= dims[a];
    }
}

int32_t gmi_copy_strided(gmi_lower *l, int32_t src, int64_t src_offset, int32_t rank, const int64_t *dims, const int64_t *strides, int32_t dst)
{
    copy_plan q;
    memset(&q, 0, sizeof q);
    q.rank = rank;
    memcpy(q.dims, dims, (size_t)rank * sizeof dims[0]);
    memcpy(q.from, strides, (size_t)rank * sizeof dims[0]);
    dense_strides(rank, dims, q.to);
    q.from_offset = src_offset;
    copy_instr(l, "copy", src, dst, &q);
    return dst;
}

/* ---- permute, slice, pad, concat: row-major in, row-major out ---- */
void gmi_lower_permute(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node], *x = &l->ir.nodes[p->in[0]];
    int64_t from[GMI_MAX_RANK], strides[GMI_MAX_RANK];
    int32_t src = gmi_value_canonical(l, (int32_t)p->in[0]);
    dense_strides(x->rank, x->dims, from);
    for (int32_t i = 0; i < p->rank; i++) strides[i] = from[p->attr[i]];
    gmi_copy_strided(l, src, 0, p->rank, p->dims, strides, gmi_value_of_result(l, node, 0));
}

void gmi_lower_slice(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node], *x = &l->ir.nodes[p->in[0]];
    int64_t from[GMI_MAX_RANK];
    int32_t src = gmi_value_canonical(l, (int32_t)p->in[0]);
    dense_strides(x->rank, x->dims, from);
    gmi_copy_strided(l, src, p->attr[1] * from[p->attr[0]], p->rank, p->dims, from, gmi_value_of_result(l, node, 0));
}

static void place(gmi_lower *l, const char *what, int32_t node, int32_t part, int64_t at, int64_t axis, int zero)
{
    const gmi_gnode *p = &l->ir.nodes[node], *x = &l->ir.nodes[part];
    copy_plan q;
    memset(&q, 0, sizeof q);
    int32_t src = gmi_value_canonical(l, part);
    q.rank = x->rank;
    memcpy(q.dims, x->dims, sizeof q.dims);
    dense_strides(x->rank, x->dims, q.from);
    dense_strides(p->rank, p->dims, q.to);
    q.to_offset = at * q.to[axis];
    q.zero_count = zero ? l->p->values[l->value[node]].count : 0;
    copy_instr(l, what, src, l->value[node], &q);
}

void gmi_lower_pad(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    gmi_value_canonical(l, (int32_t)p->in[0]);
    gmi_value_of_result(l, node, 0);
    place(l, "pad", node, (int32_t)p->in[0], p->attr[1], p->attr[0], 1);
}

void gmi_lower_concat(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    int64_t at = 0;
    gmi_value_of_result(l, node, 0);
    for (int32_t i = 0; i < p->n_in; i++) {
        place(l, "concat", node, (int32_t)p->in[i], at, p->attr[0], 0);
        at += l->ir.nodes[p->in[i]].dims[p->attr[0]];
    }
}

/* ---- rows of tables, one-hot, argmax ---- */
typedef struct rows_plan {
    int32_t op;
    int64_t rows, width, table; /* index count, elements of a row, rows of the table */
    size_t row_bytes;           /* gather: tables may hold indices too, which are not as wide as reals everywhere */
} rows_plan;

/* The first instruction is the cause: what it puts in place of the row may be a bad index to others. */
static void bad_index(gm_run *r, const gmi_instr *it) { gmi_atomic_cas(&r->failed, 0, 1 + (int32_t)(it - r->program->instrs)); }

static void gather_rows(const gmi_instr *it, gm_run *r)
{
    const rows_plan *q = it->plan;
    const uint8_t *table = r->ptr[it->in[0]];
    const int32_t *index = r->ptr[it->in[1]];
    uint8_t *y = r->ptr[it->out[0]];
    for (int64_t i = 0; i < q->rows; i++, y += q->row_bytes) {
        if (index[i] >= 0 && index[i] < q->table) {
            memcpy(y, table + (size_t)index[i] * q->row_bytes, q->row_bytes);
            continue;
        }
        bad_index(r, it);
        memset(y, 0, q->row_bytes);
    }
}

static void rows_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const rows_plan *q = it->plan;
    const int32_t *index = r->ptr[it->in[it->n_in - 1]];
    gmi_real *y = r->ptr[it->out[0]];
    (void)phase, (void)task;
    (void)scratch;
    if (q->op == GMI_OP_gather) {
        gather_rows(it, r);
        return;
    }
    if (q->op == GMI_OP_scatter_add) memset(y, 0, (size_t)(q->table * q->width) * sizeof *y);
    if (q->op == GMI_OP_one_hot) memset(y, 0, (size_t)(q->rows * q->table) * sizeof *y);
    for (int64_t i = 0; i < q->rows; i++) {
        if (index[i] < 0 || index[i] >= q->table) {
            bad_index(r, it);
            continue;
        }
        if (q->op == GMI_OP_one_hot) {
            y[i * q->table + index[i]] = 1;
        } else { /* rows are added in order of i */
            const gmi_real *v = (const gmi_real *)r->ptr[it->in[0]] + i * q->width;
            gmi_real *to = y + index[i] * q->width;
            r->program->kernels.binary[GMI_B_add](q->width, to, to, v);
        }
    }
}

static int64_t tail(const gmi_gnode *p, int32_t from)
{
    int64_t n = 1;
    for (int32_t i = from; i < p->rank; i++) n *= p->dims[i];
    return n;
}

static void rows_instr(gmi_lower *l, int32_t node, int32_t n_in, int64_t rows, int64_t width, int64_t table)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    int32_t in[2] = {-1, -1};
    for (int32_t i = 0; i < n_in; i++) in[i] = gmi_value_canonical(l, (int32_t)p->in[i]);
    gmi_instr *it = gmi_instr_new(l, gmi_op_table(p->op)->name, rows_run, n_in, 1, sizeof(rows_plan));
    if (!it) return;
    rows_plan *q = (rows_plan *)(uintptr_t)it->plan;
    q->op = p->op, q->rows = rows, q->width = width, q->table = table;
    q->row_bytes = (size_t)width * (p->dtype == GM_I32 ? sizeof(int32_t) : sizeof(gmi_real));
    memcpy(it->in, in, (size_t)n_in * sizeof in[0]);
    it->out[0] = gmi_value_of_result(l, node, 0);
}

void gmi_lower_rows(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node], *t = &l->ir.nodes[p->in[0]], *i = &l->ir.nodes[p->in[1]];
    rows_instr(l, node, 2, i->dims[0], tail(t, 1), p->op == GMI_OP_gather ? t->dims[0] : p->attr[0]);
}

void gmi_lower_one_hot(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    rows_instr(l, node, 1, tail(&l->ir.nodes[p->in[0]], 0), 1, p->attr[0]);
}

typedef struct argmax_plan {
    int64_t outer, n, inner;
} argmax_plan;

/* The first of equals; the first NaN wins. */
static void argmax_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const argmax_plan *q = it->plan;
    const gmi_real *x = r->ptr[it->in[0]];
    int32_t *y = r->ptr[it->out[0]];
    (void)phase, (void)task;
    (void)scratch;
    for (int64_t o = 0; o < q->outer; o++)
        for (int64_t j = 0; j < q->inner; j++) {
            const gmi_real *v = x + o * q->n * q->inner + j;
            int64_t best = 0;
            for (int64_t i = 1; i < q->n && v[best * q->inner] == v[best * q->inner]; i++)
                if (!(v[i * q->inner] <= v[best * q->inner])) best = i;
            y[o * q->inner + j] = (int32_t)best;
        }
}

void gmi_lower_argmax(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node], *x = &l->ir.nodes[p->in[0]];
    int32_t in = gmi_value_canonical(l, (int32_t)p->in[0]), axis = (int32_t)p->attr[0];
    gmi_instr *it = gmi_instr_new(l, "argmax", argmax_run, 1, 1, sizeof(argmax_plan));
    if (!it) return;
    argmax_plan *q = (argmax_plan *)(uintptr_t)it->plan;
    q->outer = tail(x, 0) / GMI_MAX(1, tail(x, axis));
    q->n = x->dims[axis];
    q->inner = tail(x, axis + 1);
    it->in[0] = in;
    it->out[0] = gmi_value_of_result(l, node, 0);
}

static void to_real_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const int64_t n = r->program->values[it->out[0]].count;
    const int32_t *x = r->ptr[it->in[0]];
    gmi_real *y = r->ptr[it->out[0]];
    (void)phase, (void)task;
    (void)scratch;
    for (int64_t i = 0; i < n; i++) y[i] = (gmi_real)x[i];
}

void gmi_lower_to_real(gmi_lower *l, int32_t node)
{
    int32_t in = gmi_value_canonical(l, (int32_t)l->ir.nodes[node].in[0]);
    gmi_instr *it = gmi_instr_new(l, "to_real", to_real_run, 1, 1, 0);
    if (!it) return;
    it->in[0] = in;
    it->out[0] = gmi_value_of_result(l, node, 0);
}

/* ---- random draws: stream key = hash of (seed, graph key), counter words = example and step (docs/kernels.md) ---- */
typedef struct random_plan {
    int32_t op;
    int64_t key, rows, width, per; /* per: rows of an example */
} random_plan;

static void random_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const random_plan *q = it->plan;
    gmi_random_fn *fill = q->op == GMI_OP_random_normal ? r->program->kernels.normal : r->program->kernels.uniform;
    uint64_t k = gmi_mix64(gmi_mix64(r->seed) ^ (uint64_t)q->key);
    uint32_t key[2] = {(uint32_t)k, (uint32_t)(k >> 32)}, ctr[3];
    int64_t i0, i1, n = q->per * q->width;
    gmi_real *y = r->ptr[it->out[0]];
    (void)phase;
    (void)scratch;
    gmi_split(q->rows / q->per, task, it->tasks, 1, &i0, &i1);
    for (int64_t i = i0; i < i1; i++) {
        uint64_t example = (uint64_t)(r->first + i), step = (uint64_t)r->step;
        ctr[0] = (uint32_t)example;
        ctr[1] = (uint32_t)step;
        ctr[2] = (uint32_t)(example >> 32) ^ (uint32_t)(step >> 32) << 16;
        fill(n, y + i * n, key, ctr);
    }
}

void gmi_lower_random(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    gmi_instr *it = gmi_instr_new(l, gmi_op_table(p->op)->name, random_run, 0, 1, sizeof(random_plan));
    if (!it) return;
    random_plan *q = (random_plan *)(uintptr_t)it->plan;
    q->op = p->op, q->key = p->attr[0], q->per = p->attr[1];
    q->rows = p->dims[0];
    q->width = tail(p, 1);
    it->tasks = (int32_t)GMI_MAX(1, GMI_MIN((int64_t)gmi_tasks_for(l, q->rows * (q->width + 64) * 4), q->rows / q->per));
    it->out[0] = gmi_value_of_result(l, node, 0);
}
