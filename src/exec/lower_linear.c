/* SPDX-License-Identifier: MIT */
/* lower_linear.c: matrix products, convolutions, pooling and resizing: plans of kernels/gemm.h and pool2d.h as instructions.
 *
 * Weights that are parameters are packed once for each version of the parameters in programs without gradients; training packs in the step. */
#include "exec/elem_plan.h"
#include "kernels/gemm.h"
#include "kernels/pool2d.h"

/* What the follower of a product or convolution does with each piece of its result, rows or pixels [m0, m1) with all columns or channels. */
typedef struct finish {
    gmi_elem_state state;
    const gmi_instr *it;
    gm_run *r;
    uint8_t *scratch;
    int64_t steps; /* of the elementwise plan's axis, a row */
    int32_t open;
} finish;

static void finish_init(finish *f, const gmi_instr *it, gm_run *r, void *scratch, int64_t columns)
{
    f->it = it, f->r = r, f->scratch = scratch, f->open = 0;
    f->steps = gmi_elem_steps(it->after->plan, columns);
}

static void finish_rows(void *user, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int32_t task)
{
    finish *f = user;
    (void)n0, (void)n1, (void)task;
    if (!f->open) gmi_elem_open(&f->state, f->it->after, f->r, f->scratch + f->it->after_at);
    f->open = 1;
    gmi_elem_rows(&f->state, m0 * f->steps, m1 * f->steps);
}

#if GM_TRAINING
/* Rows [m0, m1) of a gradient are in the cache: the optimizer will want the sums of squares of its blocks, to know that it is finite, and its norm. */
static void square_rows(void *user, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int32_t task)
{
    const finish *f = user;
    gm_params *w = f->r->params;
    const gmi_real *grad = f->r->ptr[f->it->out[0]];
    const int64_t at = grad - w->grad, b0 = (at + m0 * n1 + GMI_RB - 1) / GMI_RB, b1 = (at + m1 * n1) / GMI_RB;
    (void)n0, (void)task;
    if (b0 < b1) f->r->program->kernels.sumsq_blocks((b1 - b0) * GMI_RB, w->grad + b0 * GMI_RB, w->squares + b0);
}
#endif

int gmi_is_packed(const gmi_instr *it, const gm_run *r)
{
    if (GM_TRAINING && it->packed_before) return 1;
    return it->packed_in >= 0 && r->packed[it - r->program->instrs] == r->params->version;
}

/* A product's follower begins when all columns of the task's rows are there. */
void gmi_gemm_instr(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const gmi_gemm_plan *q = it->plan;
    gmi_gemm_io io;
    memset(&io, 0, sizeof io);
    io.a = r->ptr[it->in[0]];
    io.b = r->ptr[it->in[1]];
    io.c = r->ptr[it->out[0]];
    io.shared = it->temp >= 0 ? r->ptr[it->temp] : NULL;
    io.packed = gmi_is_packed(it, r);
#if GM_TRAINING
    finish f;
    int64_t m0 = 0, m1 = 0;
    const int gradient = !it->after && r->program->values[it->out[0]].home == GMI_HOME_GRAD;
    const int whole = (it->after || gradient) && phase + 1 == it->phases ? gmi_gemm_task_rows(q, task, &m0, &m1) : 0;
    f.it = it, f.r = r;
    if (whole && it->after) finish_init(&f, it, r, scratch, q->n);
    if (whole == 2) io.epilogue = gradient ? square_rows : finish_rows, io.epilogue_user = &f;
    gmi_gemm_run(q, &r->program->kernels, &io, phase, task, scratch);
    if (whole == 1 && it->after) finish_rows(&f, m0, m1, 0, q->n, task);
#else
    gmi_gemm_run(q, &r->program->kernels, &io, phase, task, scratch);
#endif
}

static int from_params(const gmi_lower *l, int32_t value) { return l->p->values[value].home == GMI_HOME_PARAM && !l->p->backward; }

static void keep_packed(gmi_lower *l, gmi_instr *it, int32_t weights, uint64_t shared_bytes)
{
    if (!shared_bytes) return;
    int32_t temp = gmi_value_new(l, (int64_t)((shared_bytes + sizeof(gmi_real) - 1) / sizeof(gmi_real)), sizeof(gmi_real));
    it->temp = temp;
    if (!from_params(l, it->in[weights])) return;
    it->packed_in = weights;
    l->p->values[temp].keep = 1;
}

void gmi_lower_matmul(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node], *a = &l->ir.nodes[p->in[0]], *b = &l->ir.nodes[p->in[1]];
    int32_t va = gmi_value_canonical(l, (int32_t)p->in[0]), vb = gmi_value_canonical(l, (int32_t)p->in[1]), r = p->rank;
    gmi_instr *it = gmi_instr_new(l, "matmul", gmi_gemm_instr, 2, 1, sizeof(gmi_gemm_plan));
    if (!it) return;
    gmi_gemm_plan *q = (gmi_gemm_plan *)(uintptr_t)it->plan;
    int64_t lda = a->dims[r - 1], ldb = b->dims[r - 1];
    q->batch = 1;
    for (int32_t i = 0; i < r - 2; i++) q->batch *= p->dims[i];
    q->m = p->dims[r - 2], q->n = p->dims[r - 1];
    q->k = a->dims[p->attr[0] ? r - 2 : r - 1];
    q->a_rs = p->attr[0] ? 1 : lda, q->a_cs = p->attr[0] ? lda : 1, q->a_bs = a->dims[r - 2] * lda;
    q->b_rs = p->attr[1] ? 1 : ldb, q->b_cs = p->attr[1] ? ldb : 1, q->b_bs = b->dims[r - 2] * ldb;
    q->c_rs = q->n, q->c_bs = q->m * q->n;
    q->keep_b = from_params(l, vb);
    if (gmi_gemm_plan_init(q, &l->p->kernels, l->tasks)) {
        gmi_lower_fail(l, gmi_fail(l->ctx, GM_E_SHAPE, "matmul of %v and %v is too large", r, a->dims, r, b->dims));
        return;
    }
    it->phases = q->phases, it->tasks = q->tasks, it->scratch = q->thread_bytes, it->pack_phases = gmi_gemm_pack_phases(q);
    it->in[0] = va, it->in[1] = vb;
    it->out[0] = gmi_value_of_result(l, node, 0);
    keep_packed(l, it, 1, q->shared_bytes);
}

void gmi_conv_instr(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    gmi_conv_io io;
    finish f;
    memset(&io, 0, sizeof io);
    if (GM_TRAINING && it->after) {
        const gmi_conv_plan *p = it->plan;
        finish_init(&f, it, r, scratch, p->kind == GMI_CONV ? p->co : p->c);
        io.epilogue = finish_rows, io.epilogue_user = &f;
    }
    io.a = r->ptr[it->in[0]];
    io.b = r->ptr[it->in[1]];
    io.c = r->ptr[it->out[0]];
    io.shared = it->temp >= 0 ? r->ptr[it->temp] : NULL;
    io.packed = gmi_is_packed(it, r);
    gmi_conv_run(it->plan, &r->program->kernels, &io, phase, task, scratch);
}

void gmi_lower_conv(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    const int64_t *at = p->attr;
    int dw = p->op == GMI_OP_conv_dw;
    int32_t va = gmi_value_nhwc(l, (int32_t)p->in[0]);
    int32_t vb = dw ? gmi_value_nhwc(l, (int32_t)p->in[1]) : gmi_value_canonical(l, (int32_t)p->in[1]);
    gmi_instr *it = gmi_instr_new(l, gmi_op_table(p->op)->name, gmi_conv_instr, 2, 1, sizeof(gmi_conv_plan));
    if (!it) return;
    gmi_conv_plan *q = (gmi_conv_plan *)(uintptr_t)it->plan;
    q->kind = dw ? GMI_CONV_DW : p->op == GMI_OP_conv ? GMI_CONV : GMI_CONV_DX;
    q->n = l->ir.nodes[p->in[0]].dims[0];
    q->c = at[GMI_A_C], q->h = at[GMI_A_H], q->w = at[GMI_A_W];
    q->co = at[GMI_A_CO], q->oh = at[GMI_A_OH], q->ow = at[GMI_A_OW];
    q->kh = at[GMI_A_KH], q->kw = at[GMI_A_KW], q->sh = at[GMI_A_SH], q->sw = at[GMI_A_SW];
    q->pt = at[GMI_A_PT], q->pl = at[GMI_A_PL], q->dh = at[GMI_A_DH], q->dw = at[GMI_A_DW], q->groups = at[GMI_A_GROUPS];
    q->keep_b = !dw && from_params(l, vb);
    if (gmi_conv_plan_init(q, &l->p->kernels, l->tasks)) {
        gmi_lower_fail(l, gmi_fail(l->ctx, GM_E_SHAPE, "convolution to %v is too large", p->rank, p->dims));
        return;
    }
    it->phases = q->phases, it->tasks = q->tasks, it->scratch = q->thread_bytes;
    it->in[0] = va, it->in[1] = vb;
    it->out[0] = gmi_value_of_result(l, node, !dw);
    it->pack_phases = !dw && it->phases == 2;
    if (dw && q->shared_bytes)
        it->temp = gmi_value_new(l, (int64_t)((q->shared_bytes + sizeof(gmi_real) - 1) / sizeof(gmi_real)), sizeof(gmi_real));
    else if (!dw)
        keep_packed(l, it, 1, q->shared_bytes);
}

/* Convolutions of the same weights that differ in the number of images only, as those of real and made images: what one has packed serves the others. Not across
 * the parts of a program, between which weights may change. */
static int same_packing(const gmi_instr *a, const gmi_instr *b)
{
    gmi_conv_plan p, q;
    if (a->run != gmi_conv_instr || b->run != gmi_conv_instr || a->temp < 0 || b->temp < 0 || a->in[1] != b->in[1]) return 0;
    p = *(const gmi_conv_plan *)a->plan, q = *(const gmi_conv_plan *)b->plan;
    if (p.kind == GMI_CONV_DW || p.keep_b || q.keep_b) return 0;
    q.n = p.n, q.tasks = p.tasks, q.phases = p.phases, q.thread_bytes = p.thread_bytes;
    memcpy(q.priv, p.priv, sizeof q.priv);
    return !memcmp(&p, &q, sizeof p);
}

void gmi_share_packed(gm_program *p)
{
    for (int32_t j = 0; j < p->n_instrs; j++)
        for (int32_t i = j < p->cut ? 0 : p->cut; i < j; i++) {
            if (p->instrs[i].packed_before || !same_packing(&p->instrs[i], &p->instrs[j])) continue;
            p->instrs[j].temp = p->instrs[i].temp, p->instrs[j].packed_before = 1;
            break;
        }
}

/* ---- pooling and resizing: planes of row-major images ---- */
typedef struct pool_plan {
    int32_t op, mode;
    int64_t planes;
    gmi_pool2d g;
} pool_plan;

static void pool_run(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch)
{
    const pool_plan *q = it->plan;
    const gmi_pool2d *g = &q->g;
    const void *x = r->ptr[it->in[0]], *index = it->n_in > 1 ? r->ptr[it->in[1]] : NULL;
    void *y = r->ptr[it->out[0]];
    int64_t p0, p1;
    (void)phase;
    (void)scratch;
    gmi_split(q->planes, task, it->tasks, 1, &p0, &p1);
    switch (q->op) {
    case GMI_OP_max_pool_index: gmi_maxpool_argmax(g, p0, p1, x, y); break;
    case GMI_OP_pool_gather: gmi_pool_gather(g, p0, p1, x, index, y); break;
    case GMI_OP_pool_scatter:
        if (GM_TRAINING) gmi_pool_scatter(g, p0, p1, x, index, y);
        break;
    case GMI_OP_avg_pool: gmi_avgpool(g, p0, p1, x, y); break;
    case GMI_OP_avg_pool_dx:
        if (GM_TRAINING) gmi_avgpool_dx(g, p0, p1, x, y);
        break;
    case GMI_OP_resize: gmi_resize(g, (gmi_resize_mode)q->mode, p0, p1, x, y); break;
    case GMI_OP_resize_dx:
        if (GM_TRAINING) gmi_resize_dx(g, (gmi_resize_mode)q->mode, p0, p1, x, y);
        break;
    }
}

void gmi_lower_pool(gmi_lower *l, int32_t node)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    const int64_t *at = p->attr;
    int32_t in[2] = {-1, -1};
    for (int32_t i = 0; i < p->n_in; i++) in[i] = gmi_value_canonical(l, (int32_t)p->in[i]);
    gmi_instr *it = gmi_instr_new(l, gmi_op_table(p->op)->name, pool_run, p->n_in, 1, sizeof(pool_plan));
    if (!it) return;
    pool_plan *q = (pool_plan *)(uintptr_t)it->plan;
    q->op = p->op;
    q->mode = at[GMI_A_MODE] == GM_RESIZE_BILINEAR ? GMI_RESIZE_BILINEAR : GMI_RESIZE_NEAREST;
    q->planes = p->dims[0] * p->dims[1];
    q->g.h = at[GMI_A_H], q->g.w = at[GMI_A_W], q->g.oh = at[GMI_A_OH], q->g.ow = at[GMI_A_OW];
    q->g.kh = at[GMI_A_KH], q->g.kw = at[GMI_A_KW], q->g.sh = at[GMI_A_SH], q->g.sw = at[GMI_A_SW];
    q->g.pt = at[GMI_A_PT], q->g.pl = at[GMI_A_PL];
    q->g.count_include_pad = 1;
    memcpy(it->in, in, (size_t)p->n_in * sizeof in[0]);
    it->out[0] = gmi_value_of_result(l, node, 0);
    it->tasks = (int32_t)GMI_MAX(1, GMI_MIN((int64_t)gmi_tasks_for(l, q->planes * q->g.h * q->g.w * 4), q->planes));
}
