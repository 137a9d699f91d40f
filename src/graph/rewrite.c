/* SPDX-License-Identifier: MIT */
/* rewrite.c: common subexpressions, bit-exact identities, dead nodes.
 *
 * Always done, and a function of the graph alone, so that bits never depend on which outputs are fetched. Only identities that hold for every
 * float, NaN and signed zero included: x * 1, x / 1, -(-x), permute of permute. x + 0 is not one (-0 + 0 = +0). Draws merge only when
 * key, shape and rows are equal. */
#include "graph/rewrite.h"

typedef struct table {
    int32_t *slot; /* index + 1 */
    int64_t cap;
} table;

static uint64_t hash_node(const gmi_gnode *p) { return gmi_mix64(gmi_hash_bytes(GMI_HASH_START, p, sizeof *p)); }

/* Every byte of a node that the op does not use is zero, so nodes compare as memory. */
static void normalise(gmi_gnode *p, const gmi_gnode *from)
{
    memset(p, 0, sizeof *p);
    p->op = from->op, p->n_in = from->n_in, p->dtype = from->dtype, p->rank = from->rank, p->name = from->name;
    p->f = from->f;
    memcpy(p->in, from->in, (size_t)from->n_in * sizeof p->in[0]);
    memcpy(p->dims, from->dims, (size_t)from->rank * sizeof p->dims[0]);
    memcpy(p->attr, from->attr, sizeof p->attr);
}

static int32_t intern(table *t, gmi_gnode *nodes, int32_t *n, const gmi_gnode *p)
{
    int64_t i = (int64_t)(hash_node(p) & (uint64_t)(t->cap - 1));
    for (; t->slot[i]; i = (i + 1) & (t->cap - 1))
        if (!memcmp(&nodes[t->slot[i] - 1], p, sizeof *p)) return t->slot[i] - 1;
    nodes[*n] = *p;
    t->slot[i] = *n + 1;
    return (*n)++;
}

static int is_const(const gmi_gnode *nodes, uint32_t i, double v)
{
    while (nodes[i].op == GMI_OP_broadcast || nodes[i].op == GMI_OP_reshape) i = nodes[i].in[0];
    return nodes[i].op == GMI_OP_scalar && nodes[i].f == v;
}

/* The index p may be replaced by, or -1. */
static int32_t identity(const gmi_gnode *nodes, const gmi_gnode *p)
{
    switch (p->op) {
    case GMI_OP_stop_gradient: return (int32_t)p->in[0];
    case GMI_OP_mul:
        if (is_const(nodes, p->in[1], 1.0)) return (int32_t)p->in[0];
        return is_const(nodes, p->in[0], 1.0) ? (int32_t)p->in[1] : -1;
    case GMI_OP_div: return is_const(nodes, p->in[1], 1.0) ? (int32_t)p->in[0] : -1;
    case GMI_OP_neg: return nodes[p->in[0]].op == GMI_OP_neg ? (int32_t)nodes[p->in[0]].in[0] : -1;
    default: return -1;
    }
}

/* permute(permute(x)) reads x directly. */
static void compose(const gmi_gnode *nodes, gmi_gnode *p)
{
    if (p->op != GMI_OP_permute || nodes[p->in[0]].op != GMI_OP_permute) return;
    const gmi_gnode *q = &nodes[p->in[0]];
    for (int32_t i = 0; i < p->rank; i++) p->attr[i] = q->attr[p->attr[i]];
    p->in[0] = q->in[0];
}

static int32_t compact(gmi_ir *ir, const uint8_t *live, int32_t *to)
{
    int32_t k = 0;
    for (int32_t i = 0; i < ir->n; i++) {
        to[i] = -1;
        if (!live[i]) continue;
        gmi_gnode p = ir->nodes[i];
        for (int32_t j = 0; j < p.n_in; j++) p.in[j] = (uint32_t)to[p.in[j]];
        to[i] = k;
        ir->nodes[k++] = p;
    }
    return k;
}

static gm_status rewrite(const gm_graph *g, int32_t n_roots, const uint32_t *roots, gmi_ir *ir, table *t, uint8_t *live, int32_t *to)
{
    for (int32_t i = 0; i < g->n; i++) {
        gmi_gnode p;
        normalise(&p, &g->nodes[i]);
        for (int32_t k = 0; k < p.n_in; k++) p.in[k] = (uint32_t)ir->map[p.in[k] - 1];
        compose(ir->nodes, &p);
        int32_t r = identity(ir->nodes, &p);
        ir->map[i] = r >= 0 ? r : intern(t, ir->nodes, &ir->n, &p);
    }
    for (int32_t i = 0; i < n_roots; i++) live[ir->map[roots[i] - 1]] = 1;
    for (int32_t i = ir->n; i-- > 0;)
        for (int32_t k = 0; live[i] && k < ir->nodes[i].n_in; k++) live[ir->nodes[i].in[k]] = 1;
    ir->n = compact(ir, live, to);
    for (int32_t i = 0; i < g->n; i++) ir->map[i] = to[ir->map[i]];
    return GM_OK;
}

gm_status gmi_rewrite(const gm_graph *g, int32_t n_roots, const uint32_t *roots, gmi_ir *ir)
{
    table t = {NULL, 64};
    gm_status s = GM_E_NOMEM;
    while (t.cap < 2 * (int64_t)g->n) t.cap *= 2;
    memset(ir, 0, sizeof *ir);
    ir->ctx = g->ctx;
    ir->nodes = gmi_alloc_n(g->ctx, g->n + 1, sizeof *ir->nodes);
    ir->map = gmi_alloc_n(g->ctx, g->n + 1, sizeof *ir->map);
    t.slot = gmi_alloc_n(g->ctx, t.cap, sizeof *t.slot);
    uint8_t *live = gmi_alloc_n(g->ctx, g->n + 1, 1);
    int32_t *to = gmi_alloc_n(g->ctx, g->n + 1, sizeof *to);
    if (ir->nodes && ir->map && t.slot && live && to) s = rewrite(g, n_roots, roots, ir, &t, live, to);
    gmi_free(g->ctx, t.slot);
    gmi_free(g->ctx, live);
    gmi_free(g->ctx, to);
    if (s) gmi_ir_free(ir);
    return s;
}

void gmi_ir_free(gmi_ir *ir)
{
    gmi_free(ir->ctx, ir->nodes);
    gmi_free(ir->ctx, ir->map);
    ir->nodes = NULL;
    ir->map = NULL;
}
