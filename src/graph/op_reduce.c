/* SPDX-License-Identifier: MIT */
/* op_reduce.c: sums, means, maxima, log-sum-exp, softmax, argmax over axes, and random draws.
 *
 * The ops keep reduced axes as 1; builders reshape them away. mean, logsumexp and softmax are compositions: logsumexp(x) = m + log sum exp(x - m)
 * with m = max x held constant, which is exact in value and in every derivative because m cancels. */
#include "graph/ops.h"

static gm_node arg(const gm_graph *g, gm_node y, int32_t i)
{
    gm_node r;
    r.id = gmi_node(g, y)->in[i];
    return r;
}

/* attr[0] = mask of axes */
int gmi_shape_reduce(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    if (a->dtype != GM_F32 || (uint64_t)y->attr[0] >> a->rank) {
        gmi_graph_fail(g, GM_E_RANGE, "%s: axes %x of %v", gmi_op_table(y->op)->name, (uint64_t)y->attr[0], a->rank, a->dims);
        return -1;
    }
    y->dtype = GM_F32;
    y->rank = a->rank;
    for (int32_t i = 0; i < a->rank; i++) y->dims[i] = y->attr[0] >> i & 1 ? 1 : a->dims[i];
    return 0;
}

static gm_node drop_axes(gm_graph *g, gm_node a, uint32_t axes)
{
    if (!a.id) return a;
    gmi_gnode x = *gmi_node(g, a);
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = 0;
    for (int32_t i = 0; i < x.rank; i++)
        if (!(axes >> i & 1)) dims[rank++] = x.dims[i];
    return gm_op_reshape(g, a, rank, dims);
}

static gm_node reduce(gm_graph *g, int32_t op, gm_node a, uint32_t axes, int32_t keep)
{
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (!a.id || a.id > (uint32_t)g->n) return gmi_graph_fail(g, GM_E_INVALID, "%s: the input is not a node of this graph", gmi_op_table(op)->name);
    gm_node r = a;
    if (axes) {
        gmi_gnode p = gmi_proto(op, 1, &a);
        p.attr[0] = axes;
        r = gmi_emit(g, &p);
    }
    return keep ? r : drop_axes(g, r, axes);
}

gm_node gm_op_sum(gm_graph *g, gm_node a, uint32_t axes, int32_t keep) { return reduce(g, GMI_OP_sum, a, axes, keep); }
gm_node gm_op_reduce_max(gm_graph *g, gm_node a, uint32_t axes, int32_t keep) { return reduce(g, GMI_OP_reduce_max, a, axes, keep); }

gm_node gm_op_mean(gm_graph *g, gm_node a, uint32_t axes, int32_t keep)
{
    gm_node s = gm_op_sum(g, a, axes, keep);
    if (!s.id) return s;
    gmi_gnode x = *gmi_node(g, a);
    double n = 1;
    for (int32_t i = 0; i < x.rank; i++)
        if (axes >> i & 1) n *= (double)x.dims[i];
    return gm_op_scale(g, s, 1.0 / n);
}

gm_node gm_op_logsumexp(gm_graph *g, gm_node a, uint32_t axes, int32_t keep)
{
    gm_node m = gm_op_stop_gradient(g, gm_op_reduce_max(g, a, axes, 1));
    gm_node r = gm_op_add(g, gm_op_log(g, gm_op_sum(g, gm_op_exp(g, gm_op_sub(g, a, m)), axes, 1)), m);
    return keep ? r : drop_axes(g, r, axes);
}

gm_node gm_op_softmax(gm_graph *g, gm_node a, int32_t axis)
{
    int32_t rank = gm_graph_rank(g, a), x = axis < 0 ? axis + rank : axis;
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (x < 0 || x >= rank) return gmi_graph_fail(g, GM_E_RANGE, "softmax: axis %d of rank %d", axis, rank);
    return gm_op_exp(g, gm_op_sub(g, a, gm_op_logsumexp(g, a, 1u << x, 1)));
}

void gmi_grad_sum(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode x = *gmi_node(g, arg(g, y, 0));
    dx[0] = gm_op_broadcast(g, dy, x.rank, x.dims);
}

void gmi_grad_reduce_max(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) /* equals share evenly, as in PyTorch's amax */
{
    gm_node x = arg(g, y, 0);
    uint32_t axes = (uint32_t)gmi_node(g, y)->attr[0];
    gm_node mask = gm_op_eq(g, x, y);
    dx[0] = gm_op_mul(g, mask, gm_op_div(g, dy, gm_op_sum(g, mask, axes, 1)));
}

/* attr[0] = axis; the axis goes away */
int gmi_shape_argmax(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    int64_t axis = y->attr[0];
    if (a->dtype != GM_F32 || axis < 0 || axis >= a->rank || a->dims[axis] < 1 || a->dims[axis] > INT32_MAX) {
        gmi_graph_fail(g, GM_E_SHAPE, "argmax: axis %i of %v", axis, a->rank, a->dims);
        return -1;
    }
    y->dtype = GM_I32;
    y->rank = a->rank - 1;
    for (int32_t i = 0, k = 0; i < a->rank; i++)
        if (i != axis) y->dims[k++] = a->dims[i];
    return 0;
}

gm_node gm_op_argmax(gm_graph *g, gm_node a, int32_t axis)
{
    gmi_gnode p = gmi_proto(GMI_OP_argmax, 1, &a);
    p.attr[0] = axis < 0 ? axis + gm_graph_rank(g, a) : axis;
    return gmi_emit(g, &p);
}

/* attr[0] = stream key: hash of scope and key text, attr[1] = rows of an example; draws with equal keys and shapes are one value */
static gm_node draw(gm_graph *g, int32_t op, const char *key, int32_t rank, const int64_t *dims, int64_t rows)
{
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (rank < 1 || rank > GMI_MAX_RANK || !dims || !key || rows < 1 || dims[0] % rows)
        return gmi_graph_fail(g, GM_E_INVALID, "%s %S: needs a key, rank 1 to %d, and rows that divide axis 0", gmi_op_table(op)->name, key ? key : "",
                              GMI_MAX_RANK);
    gmi_gnode p = gmi_proto(op, 0, NULL);
    p.dtype = GM_F32;
    p.rank = rank;
    memcpy(p.dims, dims, (size_t)rank * sizeof dims[0]);
    uint64_t h = gmi_hash_text(gmi_hash_text(gmi_hash_text(GMI_HASH_START, g->scope), "/"), key);
    p.attr[0] = (int64_t)(h & INT64_MAX);
    p.attr[1] = rows;
    return gmi_emit(g, &p);
}

gm_node gm_op_random_normal(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows)
{
    return draw(g, GMI_OP_random_normal, key, rank, dims, rows);
}
gm_node gm_op_random_uniform(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows)
{
    return draw(g, GMI_OP_random_uniform, key, rank, dims, rows);
}
