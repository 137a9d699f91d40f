/* SPDX-License-Identifier: MIT */
/* grad.c: reverse-mode differentiation that emits nodes, so that gradients are graphs and can be differentiated again.
 *
 * Nodes stand after their inputs, so one loop from y down visits each node after all its consumers. Contributions to a node are added in the order
 * in which consumers are visited (latest first), which fixes the bits. Only nodes on a path from wrt to y are visited (Griewank and Walther 2008). */
#include "graph/ops.h"

enum { DEPENDS = 1, REACHES = 2 };

static void mark_paths(const gm_graph *g, uint32_t y, int32_t n, const gm_node *wrt, uint8_t *mark)
{
    for (int32_t i = 0; i < n; i++)
        if (wrt[i].id && wrt[i].id <= y) mark[wrt[i].id - 1] |= DEPENDS;
    for (uint32_t i = 0; i < y; i++) {
        const gmi_gnode *p = &g->nodes[i];
        if (p->op == GMI_OP_stop_gradient || gmi_op_grads[p->op] == gmi_grad_none) continue;
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

static void propagate(gm_graph *g, uint32_t y, const uint8_t *mark, gm_node *d)
{
    for (uint32_t i = y; i-- > 0 && !g->failed;) {
        if (!d[i].id || mark[i] != (DEPENDS | REACHES)) continue;
        gmi_gnode p = g->nodes[i];
        gm_node self, dx[GMI_MAX_IN];
        self.id = i + 1;
        memset(dx, 0, sizeof dx);
        gmi_op_grads[p.op](g, self, d[i], dx);
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
    if (!y.id || y.id > (uint32_t)g->n || !dy.id || !gmi_same_dims(gmi_node(g, y), gmi_node(g, dy))) {
        gmi_graph_fail(g, GM_E_INVALID, "grad: y is not a node of this graph, or dy has another shape");
        return;
    }
    uint8_t *mark = gmi_alloc(g->ctx, y.id);
    gm_node *d = gmi_alloc_n(g->ctx, y.id, sizeof *d);
    if (mark && d) {
        mark_paths(g, y.id, n, wrt, mark);
        d[y.id - 1] = dy;
        propagate(g, y.id, mark, d);
        for (int32_t i = 0; i < n; i++) {
            int inside = wrt[i].id && wrt[i].id <= y.id && d[wrt[i].id - 1].id && mark[wrt[i].id - 1] == (DEPENDS | REACHES);
            grads[i] = inside ? d[wrt[i].id - 1] : gmi_zeros_like(g, wrt[i]);
        }
    } else
        gmi_graph_fail(g, GM_E_NOMEM, "grad: no memory");
    gmi_free(g->ctx, mark);
    gmi_free(g->ctx, d);
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
