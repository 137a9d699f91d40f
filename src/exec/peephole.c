/* SPDX-License-Identifier: MIT */
/* peephole.c: operations of a fused elementwise instruction that one kernel does in one pass.
 *
 * Between two operations of a plan the intermediate goes through the first-level cache: for additions and products that is most of the work. Three chains are nearly all
 * of what networks do element by element: scale and shift (batch norm, bias), the same and an activation, and the gradient of an activation, g * (step(y) ? 1 : slope),
 * perhaps of a y that is made again on the way. Each becomes one operation (GMI_FUSED_LIST); every step is rounded as before, so the bits stay.
 * An operation is taken into its only reader when nothing between the two writes what it reads: registers are used again, and a result may lie where an
 * input was. */
#include "exec/elem_plan.h"

typedef struct chain { /* places of the value's operands, as the kernels list them */
    int32_t n, in[GMI_FUSED_IN];
    int32_t taken[6], n_taken;
    uint8_t *gone; /* operations of finished chains */
} chain;

static int32_t operands(const gmi_micro *m)
{
    static const int32_t n[] = {1, 2, 2, 3, GMI_FUSED_IN, 1};
    return n[m->kind];
}

static int reads(const gmi_micro *m, int32_t place)
{
    int n = 0;
    for (int32_t e = 0; e < operands(m); e++) n += m->in[e] == place;
    return n;
}

static int writes(const gmi_micro *m, int32_t place) { return m->out == place || (m->kind == GMI_MICRO_PAIR && m->also == place); }

/* Operations that became part of another, in the plan, and in the chain that is being built: what they write is gone with them. */
static int absorbed(const chain *c, int32_t i)
{
    for (int32_t t = 0; t < c->n_taken; t++)
        if (c->taken[t] == i) return 1;
    return c->gone[i];
}

static int is(const gmi_micro *m, gmi_micro_kind kind, int32_t op) { return m->kind == kind && m->op == op; }

/* The operation that makes what operation j finds at `place`, if it is a register's, j reads it once and nobody else does; -1. */
static int32_t maker(const gmi_elem_plan *q, const chain *c, int32_t j, int32_t place)
{
    int32_t i = j - 1, r;
    if (place < q->n_in + q->n_out || reads(&q->micro[j], place) != 1) return -1;
    for (int32_t s = 0; s < q->n_sums + q->n_rows; s++)
        if (q->sum[s] == place) return -1;
    while (i >= 0 && (c->gone[i] || !writes(&q->micro[i], place))) i--;
    if (i < 0 || q->micro[i].kind >= GMI_MICRO_FUSED) return -1;
    for (r = i + 1; r < q->n_micro; r++) {
        if (c->gone[r]) continue;
        if (r != j && reads(&q->micro[r], place)) return -1;
        if (writes(&q->micro[r], place)) break;
    }
    return i;
}

static int is_result(const gmi_elem_plan *q, int32_t place) { return place >= q->n_in && place < q->n_in + q->n_out; }
static int writes_result(const gmi_elem_plan *q, const gmi_micro *m) { return is_result(q, m->out) || (m->kind == GMI_MICRO_PAIR && is_result(q, m->also)); }

/* Whether operation i may run at the time of operation `at`. */
static int can_wait(const gmi_elem_plan *q, const chain *c, int32_t i, int32_t at)
{
    const gmi_micro *m = &q->micro[i];
    for (int32_t x = i + 1; x < at; x++) {
        if (absorbed(c, x)) continue;
        for (int32_t e = 0; e < operands(m); e++)
            if (writes(&q->micro[x], m->in[e]) || (m->in[e] < q->n_in && writes_result(q, &q->micro[x]))) return 0;
    }
    return 1;
}

/* The maker of `place` for reader j, if it can be done at `at` and is of this kind and operation; noted as taken. */
static int32_t take(const gmi_elem_plan *q, chain *c, int32_t at, int32_t j, int32_t place, gmi_micro_kind kind, int32_t op)
{
    const int32_t i = maker(q, c, j, place);
    if (i < 0 || !is(&q->micro[i], kind, op) || !can_wait(q, c, i, at)) return -1;
    c->taken[c->n_taken++] = i;
    return i;
}

/* Operation a, an addition done at `at`: its operands and those of products before it. Forms: 0 add, 1 mul_add, 2 mul_mul_add. */
static int32_t sum_chain(const gmi_elem_plan *q, chain *c, int32_t at, int32_t a)
{
    const gmi_micro *m = &q->micro[a];
    for (int32_t side = 0; side < 2; side++) {
        const int32_t i = take(q, c, at, a, m->in[side], GMI_MICRO_BINARY, GMI_B_mul);
        if (i < 0) continue;
        for (int32_t other = 0; other < 2; other++) {
            const int32_t h = take(q, c, at, i, q->micro[i].in[other], GMI_MICRO_BINARY, GMI_B_mul);
            if (h < 0) continue;
            c->in[c->n++] = q->micro[h].in[0], c->in[c->n++] = q->micro[h].in[1];
            c->in[c->n++] = q->micro[i].in[1 - other], c->in[c->n++] = m->in[1 - side];
            return 2;
        }
        c->in[c->n++] = q->micro[i].in[0], c->in[c->n++] = q->micro[i].in[1], c->in[c->n++] = m->in[1 - side];
        return 1;
    }
    c->in[c->n++] = m->in[0], c->in[c->n++] = m->in[1];
    return 0;
}

/* Activation `m`, read as relu or leaky_relu, of a sum: 1 and the form when its operands could be taken. */
static int act_chain(const gmi_elem_plan *q, chain *c, int32_t at, int32_t act, int32_t *form)
{
    const gmi_micro *m = &q->micro[act];
    if (!is(m, GMI_MICRO_UNARY, GMI_U_relu) && !is(m, GMI_MICRO_UNARY, GMI_U_leaky_relu)) return 0;
    const int32_t a = take(q, c, at, act, m->in[0], GMI_MICRO_BINARY, GMI_B_add);
    if (a < 0) return 0;
    *form = sum_chain(q, c, at, a);
    return 1;
}

static int same_for_all(const gmi_elem_plan *q, int32_t place)
{
    if (place >= q->n_in || q->input[place].mode == GMI_IN_CONTIG || q->input[place].mode == GMI_IN_GATHER) return 0;
    for (int32_t a = 0; a < q->rank; a++)
        if (q->input[place].strides[a] && q->dims[a] > 1) return 0;
    return 1;
}

static void become(gmi_elem_plan *q, int32_t at, const chain *c, int32_t op, gmi_real p, int32_t hi, int32_t lo)
{
    gmi_micro *m = &q->micro[at];
    m->kind = GMI_MICRO_FUSED, m->op = op, m->p = p, m->hi = hi, m->lo = lo;
    for (int32_t e = 0; e < GMI_FUSED_IN; e++) m->in[e] = c->in[e < c->n ? e : 0];
    for (int32_t i = 0; i < c->n_taken; i++) c->gone[c->taken[i]] = 1;
}

/* v = act(sum), or sum of a product, at operation j. */
static void try_value(gmi_elem_plan *q, int32_t j, uint8_t *gone)
{
    static const int32_t acts[3][2] = {{GMI_F_add_relu, GMI_F_add_leaky}, {GMI_F_mul_add_relu, GMI_F_mul_add_leaky}, {GMI_F_mul_mul_add_relu, GMI_F_mul_mul_add_leaky}};
    static const int32_t sums[3] = {0, GMI_F_mul_add, GMI_F_mul_mul_add};
    const gmi_micro *m = &q->micro[j];
    chain c = {0, {0}, {0}, 0, NULL};
    int32_t form;
    c.gone = gone;
    if (act_chain(q, &c, j, j, &form)) {
        become(q, j, &c, acts[form][m->op == GMI_U_leaky_relu], m->p, -1, -1);
    } else if (is(m, GMI_MICRO_BINARY, GMI_B_add) && (form = sum_chain(q, &c, j, j)) > 0)
        become(q, j, &c, sums[form], 0, -1, -1);
}

/* g * (step(v) ? hi : lo), or g * step(v), at product j whose operand `side` is the choice. */
static int try_gate(gmi_elem_plan *q, int32_t j, int32_t side, uint8_t *gone)
{
    static const int32_t acts[3][2] = {{GMI_F_gate_add_relu, GMI_F_gate_add_leaky}, {GMI_F_gate_mul_add_relu, GMI_F_gate_mul_add_leaky},
                                       {GMI_F_gate_mul_mul_add_relu, GMI_F_gate_mul_mul_add_leaky}};
    const gmi_micro *m = &q->micro[j];
    chain c = {1, {0}, {0}, 0, NULL}, longer;
    int32_t reader = j, place = m->in[side], hi = -1, lo = -1, form, act;
    c.gone = gone, c.in[0] = m->in[1 - side];
    const int32_t s = take(q, &c, j, j, place, GMI_MICRO_SELECT, 0);
    if (s >= 0) {
        hi = q->micro[s].in[1], lo = q->micro[s].in[2];
        if (!same_for_all(q, hi) || !same_for_all(q, lo)) return 0;
        reader = s, place = q->micro[s].in[0];
    }
    const int32_t step = take(q, &c, j, reader, place, GMI_MICRO_UNARY, GMI_U_step);
    if (step < 0) return 0;
    longer = c;
    act = maker(q, &c, step, q->micro[step].in[0]);
    if (act >= 0 && can_wait(q, &c, act, j)) {
        longer.taken[longer.n_taken++] = act;
        if (act_chain(q, &longer, j, act, &form)) {
            become(q, j, &longer, acts[form][q->micro[act].op == GMI_U_leaky_relu], q->micro[act].p, hi, lo);
            return 1;
        }
    }
    c.in[c.n++] = q->micro[step].in[0];
    become(q, j, &c, GMI_F_gate, 0, hi, lo);
    return 1;
}

/* From the last operation to the first, so that the longest chain is found before its parts. */
void gmi_elem_fuse(gmi_elem_plan *q)
{
    uint8_t gone[64] = {0};
    int32_t n = 0;
    if (q->n_micro > (int32_t)sizeof gone) return; /* rare, and correct as it is */
    for (int32_t j = q->n_micro; j-- > 0;) {
        const gmi_micro *m = &q->micro[j];
        if (gone[j]) continue;
        if (is(m, GMI_MICRO_BINARY, GMI_B_mul) && (try_gate(q, j, 1, gone) || try_gate(q, j, 0, gone))) continue;
        try_value(q, j, gone);
    }
    for (int32_t j = 0; j < q->n_micro; j++)
        if (!gone[j]) q->micro[n++] = q->micro[j];
    q->n_micro = n;
}
