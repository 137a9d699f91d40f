/* SPDX-License-Identifier: MIT */
/* epilogue.c: elementwise instructions that follow a convolution or a matrix product become part of it.
 *
 * A convolution writes its result block by block, a task of a product some whole rows. An elementwise instruction that reads it in step (bias and activation, the
 * gradient of an activation, with the sums batch norm wants), or a sum over all pixels, runs on each piece while that is in the caches, instead of reading
 * everything again from memory after one more barrier. What else it reads must be there before the host begins. The same operations on the same numbers, sums in
 * the same blocks: not a bit changes.
 * Sums need tasks that end where blocks of GMI_RB pixels do; a host cut by channels or columns keeps its followers apart.
 * Not here: the pieces themselves (kernels/conv*.c), running them (elem_run.c, lower_linear.c). */
#include "exec/elem_plan.h"
#include "kernels/gemm.h"

typedef struct attach {
    gmi_lower *l;
    int32_t *writer; /* the last instruction that writes a value, -1 */
    uint8_t *gone;   /* instructions that became part of another */
} attach;

/* Channels or columns of a result that can have a follower, 0 of others. */
static int64_t channels(const gmi_instr *host)
{
    const gmi_conv_plan *p = host->plan;
    if (host->run == gmi_gemm_instr) return ((const gmi_gemm_plan *)host->plan)->n;
    return host->run != gmi_conv_instr || p->kind == GMI_CONV_DW ? 0 : p->kind == GMI_CONV ? p->co : p->c;
}

static int task_rows(const gmi_instr *host, int32_t task, int64_t *m0, int64_t *m1)
{
    return host->run == gmi_gemm_instr ? gmi_gemm_task_rows(host->plan, task, m0, m1) : gmi_conv_task_rows(host->plan, task, m0, m1);
}

/* Whether tasks finish whole pixels, and with sums whole blocks of them. */
static int pieces_fit(const gmi_instr *host, int sums)
{
    for (int32_t task = 0; task < host->tasks; task++) {
        int64_t m0, m1;
        if (!task_rows(host, task, &m0, &m1) || (sums && m0 % GMI_RB)) return 0;
    }
    return 1;
}

/* Place of value v among the instruction's inputs if it is read there and nowhere else, else -1. */
static int32_t only_input(const gmi_instr *it, int32_t v)
{
    int32_t found = -1;
    for (int32_t e = 0; e < it->n_in; e++) {
        if (it->in[e] != v) continue;
        if (found >= 0) return -1;
        found = e;
    }
    return found;
}

static int elem_fits(const attach *a, const gmi_instr *host, int32_t at, const gmi_instr *it)
{
    const gmi_elem_plan *q = it->plan;
    const int64_t c = channels(host), count = a->l->p->values[host->out[0]].count;
    const int64_t steps = gmi_elem_steps(q, c);
    const int32_t e = only_input(it, host->out[0]);
    if (e < 0 || q->input[e].mode != GMI_IN_CONTIG || !steps || q->dims[0] * c != count * steps) return 0;
    if (q->n_sums && q->inner != c) return 0;
    for (int32_t k = 0; k < it->n_in; k++) {
        if (k != e && a->writer[it->in[k]] >= at) return 0;
        if (q->input[k].mode == GMI_IN_HOIST && q->input[k].strides[0] != 0) return 0; /* it holds the only tile, not the same for all */
    }
    return pieces_fit(host, q->n_sums > 0);
}

/* A plan that only sums the pixels of its input. */
static gmi_elem_plan *sum_plan(gmi_lower *l, int64_t n, int64_t inner)
{
    gmi_elem_plan *q = gmi_arena_alloc(&l->p->arena, sizeof *q);
    if (!q) return NULL;
    q->input = gmi_arena_alloc(&l->p->arena, sizeof *q->input);
    q->sum = gmi_arena_alloc(&l->p->arena, sizeof *q->sum);
    if (!q->input || !q->sum) return NULL;
    q->rank = 2, q->n_in = q->n_places = q->n_sums = 1;
    q->dims[0] = n, q->dims[1] = q->inner = inner;
    q->rows = GMI_RB; /* nothing is kept between operations: the block is one tile */
    q->chunks = q->tiles = (n + GMI_RB - 1) / GMI_RB;
    q->input[0].mode = GMI_IN_CONTIG;
    q->input[0].strides[0] = inner, q->input[0].strides[1] = 1;
    return q;
}

static const char *name_of(const gmi_instr *host, const gmi_elem_plan *q)
{
    static const char *const names[3][2] = {
        {"conv + sum", "conv + elementwise"}, {"conv_dx + sum", "conv_dx + elementwise"}, {"matmul + sum", "matmul + elementwise"}};
    return names[host->run == gmi_gemm_instr ? 2 : ((const gmi_conv_plan *)host->plan)->kind == GMI_CONV_DX][q->n_micro > 0];
}

/* The host takes over what `it` reads and writes. Values written in place of others keep that only where the other is the host's own result. */
static int take(attach *a, int32_t at, const gmi_instr *it)
{
    gm_program *p = a->l->p;
    gmi_instr *host = &p->instrs[at], *after = gmi_arena_alloc(&p->arena, sizeof *after);
    const int32_t n_in = host->n_in + it->n_in, n_out = host->n_out + it->n_out, in_place = it->alias_in >= 0 && it->in[it->alias_in] == host->out[0];
    int32_t *list = gmi_arena_alloc(&p->arena, (uint64_t)(n_in + n_out) * sizeof *list);
    if (!after || !list) return -1;
    *after = *it;
    after->in = list + host->n_in, after->out = list + n_in + host->n_out;
    memcpy(list, host->in, (size_t)host->n_in * sizeof *list);
    memcpy(list + host->n_in, it->in, (size_t)it->n_in * sizeof *list);
    memcpy(list + n_in, host->out, (size_t)host->n_out * sizeof *list);
    memcpy(list + n_in + host->n_out, it->out, (size_t)it->n_out * sizeof *list);
    host->alias_in = in_place ? host->n_in + it->alias_in : -1;
    host->alias_out = in_place ? host->n_out + it->alias_out : -1;
    host->n_in = n_in, host->n_out = n_out, host->in = list, host->out = list + n_in;
    host->after = after;
    host->after_at = (host->scratch + 63) / 64 * 64;
    host->scratch = host->after_at + it->scratch;
    host->what = name_of(host, it->plan);
    for (int32_t k = 0; k < it->n_out; k++) a->writer[it->out[k]] = at;
    return 0;
}

/* The sum's instruction stays, to add the sums of blocks. */
static int take_sum(attach *a, int32_t at, int32_t j, int64_t n, int64_t inner)
{
    gmi_lower *l = a->l;
    gmi_elem_plan *q = sum_plan(l, n, inner);
    int32_t lists[2];
    gmi_instr it;
    if (!q) return -1;
    memset(&it, 0, sizeof it);
    lists[0] = l->p->instrs[at].out[0];
    lists[1] = gmi_value_new(l, q->chunks * inner, sizeof(gmi_real));
    if (l->status) return -1;
    it.run = gmi_elem_run, it.plan = q, it.phases = it.tasks = 1;
    it.n_in = it.n_out = 1, it.in = lists, it.out = lists + 1;
    it.temp = it.packed_in = it.alias_in = it.alias_out = -1;
    it.scratch = gmi_elem_lanes_at(q) + GMI_RLANES * (uint64_t)GMI_LANE_LD(inner) * sizeof(gmi_real) + 64;
    gmi_sum_from_blocks(&l->p->instrs[j], lists[1]);
    return take(a, at, &it);
}

/* The first reader of the host's result, in the host's part of the program; -1. */
static int32_t first_reader(const gm_program *p, int32_t at)
{
    const int32_t end = p->cut > at ? p->cut : p->n_instrs, v = p->instrs[at].out[0];
    for (int32_t j = at + 1; j < end; j++)
        for (int32_t e = 0; e < p->instrs[j].n_in; e++)
            if (p->instrs[j].in[e] == v) return j;
    return -1;
}

static int attach_to(attach *a, int32_t at)
{
    gm_program *p = a->l->p;
    const gmi_instr *host = &p->instrs[at];
    if (!channels(host)) return 0;
    const int32_t j = first_reader(p, at);
    int64_t n, inner;
    if (j < 0) return 0;
    const gmi_instr *it = &p->instrs[j];
    if (it->run == gmi_elem_run && elem_fits(a, host, at, it)) {
        a->gone[j] = 1;
        return take(a, at, it);
    }
    if (!gmi_sum_of_rows(it, &n, &inner) || n * inner != p->values[host->out[0]].count || inner != channels(host)) return 0;
    return inner >= GMI_SUM_CHANNELS && n > 2 * GMI_RB && pieces_fit(host, 1) ? take_sum(a, at, j, n, inner) : 0;
}

static void close_gaps(gm_program *p, const uint8_t *gone)
{
    int32_t n = 0, before = 0;
    for (int32_t i = 0; i < p->n_instrs; i++) {
        before += gone[i] && i < p->cut;
        if (!gone[i]) p->instrs[n++] = p->instrs[i];
    }
    p->n_instrs = n, p->cut -= before;
}

gm_status gmi_attach(gmi_lower *l)
{
    gm_program *p = l->p;
    const uint64_t values = (uint64_t)p->n_values + (uint64_t)p->n_instrs + 1; /* sums of blocks are new values */
    attach a;
    a.l = l;
    a.writer = gmi_arena_alloc(&l->tmp, values * sizeof *a.writer);
    a.gone = gmi_arena_alloc(&l->tmp, (uint64_t)p->n_instrs + 1);
    if (!a.writer || !a.gone) return GM_E_NOMEM;
    for (uint64_t v = 0; v < values; v++) a.writer[v] = -1;
    for (int32_t i = 0; i < p->n_instrs; i++)
        for (int32_t k = 0; k < p->instrs[i].n_out; k++) a.writer[p->instrs[i].out[k]] = i;
    for (int32_t i = 0; i < p->n_instrs; i++)
        if (attach_to(&a, i)) return l->status ? l->status : GM_E_NOMEM;
    close_gaps(p, a.gone);
    return GM_OK;
}
