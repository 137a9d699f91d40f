/* SPDX-License-Identifier: MIT */
/* grad.c: reverse-mode differentiation that emits nodes, so that gradients are graphs and can be differentiated again.
 *
 * Consumers are visited before what they consume, in reverse depth-first postorder from y (inputs in order): a function of the expression alone. The
 * order of creation would not do: C leaves the order of argument evaluation open, so nested builders number their nodes differently from compiler to
 * compiler, and contributions to a node, added as they come, would differ in bits. Only nodes between wrt and y are visited (Griewank and Walther 2008). */
#include "graph/ops.h"

static gmi_grad_rule *const grads_of[GMI_OP_COUNT] = {
#define OP(name, n_in, shape, grad, lower, flags) gmi_grad_##grad,
#include "graph/ops.def"
#undef OP
};

enum { DEPENDS = 1, REACHES = 2, SEEN = 4 };

static void mark_paths(const gm_graph *g, uint32_t y, int32_t n, const gm_node *wrt, uint8_t *mark)
{
    for (int32_t i = 0; i < n; i++)
        if (wrt[i].id && wrt[i].id <= y) mark[wrt[i].id - 1] |= DEPENDS;
    for (uint32_t i = 0; i < y; i++) {
        const gmi_gnode *p = &g->nodes[i];
        if (p->op == GMI_OP_stop_gradient || grads_of[p->op] == gmi_grad_none) continue;
        for (int32_t k = 0; k < p->n_in; k++)
            if (mark[p->in[k] - 1] & DEPENDS) mark[i] |= DEPENDS;
    }
    mark[y - 1] |= REACHES;
    for (uint32_t i = y; i-- > 0;) {
        const gmi_gnode *p = &g->nodes[i];
        if (!(mark[i] & REACHES) || !(mark[i] & DEPENDS)) continue;
        for (int32_t k = 0; k < p->n_in; k++) mark[p->in[k] - 1] |= REACHES;
    }
}

/* Postorder of the nodes that reach y, into order (indices); stack holds (node, next input). Returns how many. */
static int32_t postorder(const gm_graph *g, uint32_t y, uint8_t *mark, int32_t *order, int32_t *stack, int32_t *at)
{
    int32_t n = 0, top = 0;
    stack[top++] = (int32_t)y - 1;
    mark[y - 1] |= SEEN;
    while (top > 0) {
        int32_t i = stack[top - 1];
        const gmi_gnode *p = &g->nodes[i];
        if (at[i] == p->n_in) {
            order[n++] = i;
            top--;
            continue;
        }
        int32_t in = (int32_t)p->in[at[i]++] - 1;
        if ((mark[in] & SEEN) || (mark[in] & (DEPENDS | REACHES)) != (DEPENDS | REACHES)) continue;
        mark[in] |= SEEN;
        stack[top++] = in;
    }
    return n;
}

static void propagate(gm_graph *g, int32_t n, const int32_t *order, const uint8_t *mark, gm_node *d)
{
    for (int32_t o = n; o-- > 0 && !g->failed;) {
        int32_t i = order[o];
        if (!d[i].id || !(mark[i] & DEPENDS)) continue;
        gmi_gnode p = g->nodes[i];
        gm_node self, dx[GMI_MAX_IN];
        self.id = (uint32_t)i + 1;
        memset(dx, 0, sizeof dx);
        grads_of[p.op](g, self, d[i], dx);
        for (int32_t k = 0; k < p.n_in; k++) {
            uint32_t in = p.in[k] - 1;
            if (!dx[k].id || !(mark[in] & DEPENDS)) continue;
            d[in] = d[in].id ? gm_op_add(g, d[in], dx[k]) : dx[k];
        }
    }
}

void gmi_graph_vjp(gm_graph *g, gm_node y, gm_node dy, int32_t n, const gm_node *wrt, gm_node *grads)
{
    for (int32_t i = 0; i < n; i++) grads[i].id = 0;
    if (!g || g->failed) return;
    if (!y.id || y.id > (uint32_t)g->n || !dy.id || dy.id > (uint32_t)g->n || !gmi_same_dims(gmi_node(g, y), gmi_node(g, dy))) {
        gmi_graph_fail(g, GM_E_INVALID, "grad: y is not a node of this graph, or dy has another shape");
        return;
    }
    for (int32_t i = 0; i < n; i++)
        if (!wrt[i].id || wrt[i].id > (uint32_t)g->n) {
            gmi_graph_fail(g, GM_E_INVALID, "grad: wrt[%d] is not a node of this graph", i);
            return;
        }
    uint8_t *mark = gmi_alloc(g->ctx, y.id);
    gm_node *d = gmi_alloc_n(g->ctx, y.id, sizeof *d);
    int32_t *work = gmi_alloc_n(g->ctx, (int64_t)y.id * 3, sizeof *work), *order = work;
    if (mark && d && work) {
        mark_paths(g, y.id, n, wrt, mark);
        d[y.id - 1] = dy;
        int32_t visited = postorder(g, y.id, mark, order, work + y.id, work + 2 * (size_t)y.id);
        propagate(g, visited, order, mark, d);
        for (int32_t i = 0; i < n; i++) {
            int inside = wrt[i].id && wrt[i].id <= y.id && d[wrt[i].id - 1].id && (mark[wrt[i].id - 1] & REACHES);
            grads[i] = inside ? d[wrt[i].id - 1] : gmi_zeros_like(g, wrt[i]);
        }
    } else
        gmi_graph_fail(g, GM_E_NOMEM, "grad: no memory");
    gmi_free(g->ctx, mark);
    gmi_free(g->ctx, d);
    gmi_free(g->ctx, work);
}

void gm_graph_grad(gm_graph *g, gm_node y, int32_t n, const gm_node *wrt, gm_node *grads)
{
    if (!g || n < 0 || (n && (!wrt || !grads))) {
        if (g) gmi_graph_fail(g, GM_E_INVALID, "graph_grad: wrt or grads is NULL");
        return;
    }
    for (int32_t i = 0; i < n; i++) grads[i].id = 0;
    if (g->failed) return;
    if (!y.id || y.id > (uint32_t)g->n) {
        gmi_graph_fail(g, GM_E_INVALID, "graph_grad: y is not a node of this graph");
        return;
    }
    gmi_gnode p = *gmi_node(g, y);
    gm_node one = gm_op_broadcast(g, gm_op_scalar(g, 1.0), p.rank, p.dims);
    if (!g->failed) gmi_graph_vjp(g, y, one, n, wrt, grads);
}

void gmi_graph_backward(gm_graph *g, gm_node loss, const char *prefix)
{
    if (!g || g->failed) return;
    size_t len = strlen(prefix);
    int32_t n = g->params.n, k = 0;
    gm_node *wrt = gmi_alloc_n(g->ctx, n + 1, sizeof *wrt), *grads = gmi_alloc_n(g->ctx, n + 1, sizeof *grads);
    if (wrt && grads) {
        for (int32_t i = 0; i < n; i++)
            if (!strncmp(g->params.p[i].name, prefix, len)) wrt[k++].id = g->params.p[i].node;
        gm_graph_grad(g, loss, k, wrt, grads);
        for (int32_t i = 0; i < k && !g->failed; i++) g->params.p[gmi_node(g, wrt[i])->name].grad = grads[i].id;
    } else
        gmi_graph_fail(g, GM_E_NOMEM, "backward: no memory");
    gmi_free(g->ctx, wrt);
    gmi_free(g->ctx, grads);
}

void gm_graph_backward(gm_graph *g, gm_node loss) { gmi_graph_backward(g, loss, ""); }
