/* SPDX-License-Identifier: MIT */
/* op_shape.c: operations that move values without changing them. Adjoint pairs: slice/pad, broadcast/sum, concat/slices, permute and reshape
 * with their inverses. */
#include "graph/ops.h"

static gm_node arg(const gm_graph *g, gm_node y, int32_t i)
{
    gm_node r;
    r.id = gmi_node(g, y)->in[i];
    return r;
}

static int valid(gm_graph *g, gm_node a, const char *op)
{
    if (!g || g->failed) return 0;
    if (a.id && a.id <= (uint32_t)g->n) return 1;
    gmi_graph_fail(g, GM_E_INVALID, "%s: the input is not a node of this graph", op);
    return 0;
}

static int axis_of(gm_graph *g, gm_node a, int32_t axis, const char *op)
{
    int32_t rank = gmi_node(g, a)->rank, x = axis < 0 ? axis + rank : axis;
    if (x >= 0 && x < rank) return x;
    gmi_graph_fail(g, GM_E_RANGE, "%s: axis %d of a value of rank %d", op, axis, rank);
    return -1;
}

/* ---- reshape ---- */
int gmi_shape_reshape(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    int64_t na, nb;
    y->dtype = a->dtype;
    y->rank = (int32_t)y->attr[8];
    for (int32_t i = 0; i < y->rank; i++) y->dims[i] = y->attr[i];
    if (gmi_count_i64(a->rank, a->dims, &na) || gmi_count_i64(y->rank, y->dims, &nb) || na != nb) {
        gmi_graph_fail(g, GM_E_SHAPE, "reshape: %v to %v changes the number of elements", a->rank, a->dims, y->rank, y->dims);
        return -1;
    }
    return 0;
}

gm_node gm_op_reshape(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims)
{
    gm_node none = {0};
    if (!valid(g, a, "reshape")) return none;
    if (rank < 0 || rank > GMI_MAX_RANK || (rank && !dims)) return gmi_graph_fail(g, GM_E_SHAPE, "reshape: rank %d, allowed 0 to %d", rank, GMI_MAX_RANK);
    gmi_gnode p = gmi_proto(GMI_OP_reshape, 1, &a), x = *gmi_node(g, a);
    int64_t known = 1, total = 1;
    int32_t open = -1;
    for (int32_t i = 0; i < x.rank; i++) total *= x.dims[i];
    for (int32_t i = 0; i < rank; i++) {
        p.attr[i] = dims[i];
        if (dims[i] == -1 && open < 0)
            open = i;
        else if (gmi_mul_i64(known, dims[i] < 0 ? 0 : dims[i], &known))
            known = 0;
    }
    if (open >= 0) p.attr[open] = known > 0 && total % known == 0 ? total / known : -1;
    p.attr[8] = rank;
    if (x.rank == rank && !memcmp(x.dims, p.attr, (size_t)rank * sizeof(int64_t))) return a;
    if (x.op == GMI_OP_reshape) p.in[0] = x.in[0];
    return gmi_emit(g, &p);
}

gm_node gm_op_flatten(gm_graph *g, gm_node a)
{
    gm_node none = {0};
    if (!valid(g, a, "flatten")) return none;
    const gmi_gnode *x = gmi_node(g, a);
    int64_t dims[2] = {x->rank ? x->dims[0] : 1, 1};
    for (int32_t i = 1; i < x->rank; i++) dims[1] *= x->dims[i];
    return gm_op_reshape(g, a, 2, dims);
}

void gmi_grad_reshape(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode x = *gmi_node(g, arg(g, y, 0));
    dx[0] = gm_op_reshape(g, dy, x.rank, x.dims);
}

/* ---- permute: y.dims[i] = x.dims[order[i]] ---- */
int gmi_shape_permute(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    uint32_t seen = 0;
    y->dtype = a->dtype;
    y->rank = a->rank;
    for (int32_t i = 0; i < a->rank; i++) {
        int64_t o = y->attr[i];
        if (o < 0 || o >= a->rank || (seen >> o & 1)) {
            gmi_graph_fail(g, GM_E_INVALID, "permute: %v is not an order of the axes 0 to %d", a->rank, y->attr, a->rank - 1);
            return -1;
        }
        seen |= 1u << o;
        y->dims[i] = a->dims[o];
    }
    return 0;
}

gm_node gm_op_permute(gm_graph *g, gm_node a, const int32_t *order)
{
    gm_node none = {0};
    if (!valid(g, a, "permute")) return none;
    gmi_gnode p = gmi_proto(GMI_OP_permute, 1, &a), x = *gmi_node(g, a);
    int same = 1;
    for (int32_t i = 0; i < x.rank; i++) {
        p.attr[i] = order ? order[i] : x.rank - 1 - i; /* NULL: reversed */
        same &= p.attr[i] == i;
    }
    return same ? a : gmi_emit(g, &p);
}

void gmi_grad_permute(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode p = *gmi_node(g, y);
    int32_t inverse[GMI_MAX_RANK] = {0};
    for (int32_t i = 0; i < p.rank; i++) inverse[p.attr[i]] = i;
    dx[0] = gm_op_permute(g, dy, inverse);
}

/* ---- broadcast: axes of 1 repeat ---- */
int gmi_shape_broadcast(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    y->dtype = a->dtype;
    y->rank = a->rank;
    for (int32_t i = 0; i < a->rank; i++) {
        y->dims[i] = y->attr[i];
        if (a->dims[i] != y->dims[i] && (a->dims[i] != 1 || y->dims[i] < 0)) {
            gmi_graph_fail(g, GM_E_SHAPE, "broadcast: %v does not broadcast to %v", a->rank, a->dims, y->rank, y->attr);
            return -1;
        }
    }
    return 0;
}

gm_node gm_op_broadcast(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims)
{
    gm_node none = {0};
    if (!valid(g, a, "broadcast")) return none;
    gmi_gnode x = *gmi_node(g, a);
    if (rank < x.rank || rank > GMI_MAX_RANK || (rank && !dims))
        return gmi_graph_fail(g, GM_E_SHAPE, "broadcast: %v to rank %d", x.rank, x.dims, rank);
    if (!rank || (x.rank == rank && !memcmp(x.dims, dims, (size_t)rank * sizeof dims[0]))) return a;
    if (x.rank < rank) { /* ones in front */
        int64_t wide[GMI_MAX_RANK];
        for (int32_t i = 0; i < rank; i++) wide[i] = i < rank - x.rank ? 1 : x.dims[i - (rank - x.rank)];
        a = gm_op_reshape(g, a, rank, wide);
        if (!a.id) return none;
        if (!memcmp(wide, dims, (size_t)rank * sizeof dims[0])) return a;
    }
    gmi_gnode p = gmi_proto(GMI_OP_broadcast, 1, &a);
    for (int32_t i = 0; i < rank; i++) p.attr[i] = dims[i];
    return gmi_emit(g, &p);
}

void gmi_grad_broadcast(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode p = *gmi_node(g, y), x = *gmi_node(g, arg(g, y, 0));
    uint32_t axes = 0;
    for (int32_t i = 0; i < p.rank; i++)
        if (x.dims[i] != p.dims[i]) axes |= 1u << i;
    dx[0] = gm_op_sum(g, dy, axes, 1);
}

/* ---- slice and pad along one axis: attr = axis, begin/before, end/after ---- */
int gmi_shape_slice(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    y->dtype = a->dtype;
    y->rank = a->rank;
    memcpy(y->dims, a->dims, sizeof y->dims);
    int64_t n = a->dims[y->attr[0]], b = y->attr[1], e = y->attr[2];
    if (b < 0 || e < b || e > n) {
        gmi_graph_fail(g, GM_E_RANGE, "slice: [%i, %i) of an axis of %i", b, e, n);
        return -1;
    }
    y->dims[y->attr[0]] = e - b;
    return 0;
}

static gm_node along(gm_graph *g, int32_t op, gm_node a, int32_t axis, int64_t b, int64_t e)
{
    gm_node none = {0};
    const char *name = gmi_op_table(op)->name;
    if (!valid(g, a, name)) return none;
    int x = axis_of(g, a, axis, name);
    if (x < 0) return none;
    gmi_gnode p = gmi_proto(op, 1, &a);
    p.attr[0] = x;
    p.attr[1] = b;
    p.attr[2] = e;
    return gmi_emit(g, &p);
}

gm_node gm_op_slice(gm_graph *g, gm_node a, int32_t axis, int64_t begin, int64_t end)
{
    if (begin == 0 && a.id && gm_graph_dim(g, a, axis) == end) return a;
    return along(g, GMI_OP_slice, a, axis, begin, end);
}

void gmi_grad_slice(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode p = *gmi_node(g, y), x = *gmi_node(g, arg(g, y, 0));
    dx[0] = gm_op_pad(g, dy, (int32_t)p.attr[0], p.attr[1], x.dims[p.attr[0]] - p.attr[2]);
}

int gmi_shape_pad(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    y->dtype = a->dtype;
    y->rank = a->rank;
    memcpy(y->dims, a->dims, sizeof y->dims);
    if (y->attr[1] < 0 || y->attr[2] < 0 || y->attr[1] > GMI_MAX_ELEMENTS || y->attr[2] > GMI_MAX_ELEMENTS) {
        gmi_graph_fail(g, GM_E_RANGE, "pad: %i before and %i after", y->attr[1], y->attr[2]);
        return -1;
    }
    y->dims[y->attr[0]] += y->attr[1] + y->attr[2];
    return 0;
}

gm_node gm_op_pad(gm_graph *g, gm_node a, int32_t axis, int64_t before, int64_t after)
{
    return before == 0 && after == 0 ? a : along(g, GMI_OP_pad, a, axis, before, after);
}

void gmi_grad_pad(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode p = *gmi_node(g, y);
    dx[0] = gm_op_slice(g, dy, (int32_t)p.attr[0], p.attr[1], p.dims[p.attr[0]] - p.attr[2]);
}

/* ---- concat: attr[0] = axis ---- */
int gmi_shape_concat(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    int64_t axis = y->attr[0], sum = 0;
    y->dtype = a->dtype;
    y->rank = a->rank;
    memcpy(y->dims, a->dims, sizeof y->dims);
    for (int32_t i = 0; i < y->n_in; i++) {
        const gmi_gnode *b = &g->nodes[y->in[i] - 1];
        int fits = b->rank == a->rank && b->dtype == a->dtype;
        for (int32_t k = 0; fits && k < a->rank; k++) fits = k == axis || b->dims[k] == a->dims[k];
        if (!fits) {
            gmi_graph_fail(g, GM_E_SHAPE, "concat along axis %i: %v and %v", axis, a->rank, a->dims, b->rank, b->dims);
            return -1;
        }
        sum += b->dims[axis];
    }
    y->dims[axis] = sum;
    return 0;
}

gm_node gm_op_concat(gm_graph *g, int32_t n, const gm_node *parts, int32_t axis)
{
    gm_node none = {0};
    if (n < 1 || !parts) return g ? gmi_graph_fail(g, GM_E_INVALID, "concat: no parts") : none;
    if (!valid(g, parts[0], "concat")) return none;
    if (n == 1) return parts[0];
    int x = axis_of(g, parts[0], axis, "concat");
    if (x < 0) return none;
    gm_node first = parts[0];
    for (int32_t i = 1; i < n;) { /* at most GMI_MAX_IN at a time, from the left */
        gm_node in[GMI_MAX_IN];
        int32_t k = 0;
        in[k++] = first;
        while (k < GMI_MAX_IN && i < n) in[k++] = parts[i++];
        gmi_gnode p = gmi_proto(GMI_OP_concat, k, in);
        p.attr[0] = x;
        first = gmi_emit(g, &p);
        if (!first.id) return none;
    }
    return first;
}

void gmi_grad_concat(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gmi_gnode p = *gmi_node(g, y);
    int64_t at = 0;
    for (int32_t i = 0; i < p.n_in; i++) {
        int64_t w = g->nodes[p.in[i] - 1].dims[p.attr[0]];
        dx[i] = gm_op_slice(g, dy, (int32_t)p.attr[0], at, at + w);
        at += w;
    }
}
