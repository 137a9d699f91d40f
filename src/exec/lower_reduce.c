/* SPDX-License-Identifier: MIT */
/* lower_reduce.c: sums and maxima as [outer, reduced, inner].
 *
 * The tree of a sum is a function of its length alone (docs/kernels.md, "Reductions"), over the logical order of the reduced axes; when the stored order
 * of those axes is another, or they are not neighbours, the input is copied first. A long sum with few results is cut into the tree's own blocks, which tasks
 * share, and folded in a second phase. */
#include "exec/program.h"

typedef struct reduce_plan {
    int32_t op, blocks; /* blocks: two phases over GMI_RB rows each */
    int64_t outer, n, inner, n_blocks;
} reduce_plan;

static void reduce_cols(const gmi_kernels *k, const reduce_plan *q, int64_t cols, const gmi_real *x, gmi_real *y)
{
    (q->op == GMI_OP_sum ? k->sum_cols : k->max_cols)(q->n, cols, x, q->inner, y);
}

static void whole(const gmi_instr *it, gm_run *r, int32_t task)
{
    const reduce_plan *q = it->plan;
    const gmi_kernels *k = &r->program->kernels;
    const gmi_real *x = r->ptr[it->in[0]];
    gmi_real *y = r->ptr[it->out[0]];
    int64_t i0, i1;
    if (q->inner == 1) {
        gmi_split(q->outer, task, it->tasks, 1, &i0, &i1);
        (q->op == GMI_OP_sum ? k->sum_rows : k->max_rows)(i1 - i0, q->n, x + i0 * q->n, q->n, y + i0);
    } else if (q->outer == 1) {
        gmi_split(q->inner, task, it->tasks, 16, &i0, &i1);
        if (i1 > i0) reduce_cols(k, q, i1 - i0, x + i0, y + i0);
    } else {
        gmi_split(q->outer, task, it->tasks, 1, &i0, &i1);
        for (int64_t o = i0; o < i1; o++) reduce_cols(k, q, q->inner, x + o * q->n * q->inner, y + o * q->inner);
    }
}

static void reduce_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const reduce_plan *q = it->plan;
    const gmi_kernels *k = &r->program->kernels;
    int64_t b0, b1;
    (void)scratch;
    if (!q->blocks) {
        whole(it, r, task);
        return;
    }
    gmi_real *sums = r->ptr[it->temp];
    if (phase == 1) {
        if (task == 0) k->sum_fold_cols(q->n_blocks, q->inner, sums, q->inner, r->ptr[it->out[0]]);
        return;
    }
    gmi_split(q->n_blocks, task, it->tasks, 1, &b0, &b1);
    for (int64_t b = b0; b < b1; b++) {
        const gmi_real *x = (const gmi_real *)r->ptr[it->in[0]] + b * GMI_RB * q->inner;
        int64_t n = GMI_MIN((int64_t)GMI_RB, q->n - b * GMI_RB);
        if (q->inner == 1)
            k->sum_rows(1, n, x, n, sums + b);
        else
            k->sum_block_cols(n, q->inner, x, q->inner, sums + b * q->inner);
    }
}

static void fold_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const reduce_plan *q = it->plan;
    (void)phase;
    (void)task;
    (void)scratch;
    r->program->kernels.sum_fold_cols(q->n_blocks, q->inner, r->ptr[it->in[0]], q->inner, r->ptr[it->out[0]]);
}

static void emit(gmi_lower *l, int32_t node, int32_t in, int64_t outer, int64_t n, int64_t inner, int nhwc)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    gmi_instr *it = gmi_instr_new(l, gmi_op_table(p->op)->name, reduce_run, 1, 1, sizeof(reduce_plan));
    if (!it) return;
    reduce_plan *q = (reduce_plan *)(uintptr_t)it->plan;
    q->op = p->op, q->outer = outer, q->n = n, q->inner = inner;
    q->n_blocks = (n + GMI_RB - 1) / GMI_RB;
    it->tasks = gmi_tasks_for(l, outer * n * inner);
    q->blocks = p->op == GMI_OP_sum && outer == 1 && it->tasks > 1 && q->n_blocks > 1 && inner < 64 * (int64_t)it->tasks;
    it->phases = q->blocks ? 2 : 1;
    it->in[0] = in;
    int32_t out = gmi_value_of_result(l, node, nhwc), temp = q->blocks ? gmi_value_new(l, q->n_blocks * inner, sizeof(gmi_real)) : -1;
    it->out[0] = out;
    it->temp = temp;
}

/* The block sums are there already. */
static void emit_fold(gmi_lower *l, int32_t node, int32_t partial, int64_t n, int64_t inner)
{
    gmi_instr *it = gmi_instr_new(l, "sum of blocks", fold_run, 1, 1, sizeof(reduce_plan));
    if (!it) return;
    reduce_plan *q = (reduce_plan *)(uintptr_t)it->plan;
    q->inner = inner;
    q->n_blocks = (n + GMI_RB - 1) / GMI_RB;
    it->in[0] = partial;
    it->out[0] = gmi_value_of_result(l, node, 0);
}

int gmi_sum_of_rows(const gmi_instr *it, int64_t *n, int64_t *inner)
{
    const reduce_plan *q = it->plan;
    if (it->run != reduce_run || q->op != GMI_OP_sum || q->outer != 1) return 0;
    *n = q->n, *inner = q->inner;
    return 1;
}

void gmi_sum_from_blocks(gmi_instr *it, int32_t partial)
{
    it->what = "sum of blocks", it->run = fold_run;
    it->in[0] = partial;
    it->phases = it->tasks = 1;
    it->temp = -1;
}

int gmi_sum_of_pixels(const gmi_gnode *p, const gmi_gnode *x)
{
    return p->op == GMI_OP_sum && p->attr[0] == 13 && x->rank == 4 && !gmi_layout_trivial(x); /* axes 0, 2 and 3 */
}

/* Axes in stored order; 1: the reduced ones are neighbours and in logical order, giving outer, n, inner. */
static int as_three(const gmi_gnode *x, uint32_t axes, const int32_t *order, int64_t *three)
{
    int32_t state = 0, last = -1;
    three[0] = three[1] = three[2] = 1;
    for (int32_t i = 0; i < x->rank; i++) {
        int32_t a = order[i], red = axes >> a & 1;
        if (x->dims[a] == 1) continue;
        if (red && (state == 2 || a < last)) return 0;
        if (red) last = a;
        if (red && state == 0) state = 1;
        if (!red && state == 1) state = 2;
        three[state] *= x->dims[a];
    }
    return 1;
}

void gmi_lower_reduce(gmi_lower *l, int32_t node)
{
    static const int32_t channels_last[4] = {0, 2, 3, 1};
    const gmi_gnode *p = &l->ir.nodes[node], *x = &l->ir.nodes[p->in[0]];
    int32_t order[GMI_MAX_RANK], nhwc = x->op != GMI_OP_broadcast && l->nhwc[p->in[0]];
    uint32_t axes = (uint32_t)p->attr[0];
    int64_t three[3];
    if (GM_TRAINING && l->value[node] >= 0) return; /* made with what it sums */
    if (GM_TRAINING && l->partial[p->in[0]] >= 0 && gmi_sum_of_pixels(p, x)) {
        emit_fold(l, node, l->partial[p->in[0]], x->dims[0] * x->dims[2] * x->dims[3], x->dims[1]);
        return;
    }
    for (int32_t i = 0; i < x->rank; i++) order[i] = nhwc ? channels_last[i] : i;
    if (GM_TRAINING && !nhwc && x->rank == 4 && x->op != GMI_OP_broadcast && !as_three(x, axes, order, three) && as_three(x, axes, channels_last, three)) {
        nhwc = 1; /* brought into that order, which others may want as well, it need not be copied into a third */
        memcpy(order, channels_last, sizeof channels_last);
    }
    if (as_three(x, axes, order, three)) {
        int32_t in = nhwc ? gmi_value_nhwc(l, (int32_t)p->in[0]) : gmi_value_canonical(l, (int32_t)p->in[0]);
        emit(l, node, in, three[0], three[1], three[2], nhwc);
        return;
    }
    /* kept axes first, reduced ones behind, both in logical order: the result is row-major */
    int64_t from[GMI_MAX_RANK], dims[GMI_MAX_RANK], strides[GMI_MAX_RANK], kept = 1, n = 1;
    int32_t k = 0, in = (int32_t)p->in[0];
    while (l->ir.nodes[in].op == GMI_OP_broadcast) in = (int32_t)l->ir.nodes[in].in[0];
    gmi_layout_strides(&l->ir.nodes[in], l->nhwc[in], from);
    for (int32_t red = 0; red < 2; red++)
        for (int32_t a = 0; a < x->rank; a++) {
            if ((int32_t)(axes >> a & 1) != red) continue;
            dims[k] = x->dims[a], strides[k++] = from[a];
            *(red ? &n : &kept) *= x->dims[a];
        }
    int32_t copy = gmi_value_new(l, kept * n, sizeof(gmi_real));
    gmi_copy_strided(l, l->value[in], 0, x->rank, dims, strides, copy);
    emit(l, node, copy, kept, n, 1, 0);
}
