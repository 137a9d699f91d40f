/* SPDX-License-Identifier: MIT */
/* op_elem.c: elementwise operations: builders with NumPy broadcasting, and their derivatives.
 *
 * Rules give dx from y where they can (tanh' = 1 - y^2), so that a backward pass keeps only outputs alive. At kinks: relu' (0) = 0,
 * abs'(0) = 0, max and min give a tie wholly to the first argument. Comparisons, floor, sign and step have derivative zero. */
#include "graph/ops.h"

int gmi_shape_same(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    const gmi_op_info *info = gmi_op_table(y->op);
    for (int32_t i = 0; i < y->n_in; i++) {
        const gmi_gnode *b = &g->nodes[y->in[i] - 1];
        if (b->dtype != GM_F32) {
            gmi_graph_fail(g, GM_E_DTYPE, "%s: input %d is i32; use to_real", info->name, i);
            return -1;
        }
        if (!gmi_same_dims(a, b)) {
            gmi_graph_fail(g, GM_E_SHAPE, "%s: %v and %v differ", info->name, a->rank, a->dims, b->rank, b->dims);
            return -1;
        }
    }
    y->dtype = GM_F32;
    y->rank = a->rank;
    memcpy(y->dims, a->dims, sizeof y->dims);
    return 0;
}

int gmi_const_value(const gm_graph *g, gm_node a, double *v)
{
    while (a.id) {
        const gmi_gnode *p = gmi_node(g, a);
        if (p->op == GMI_OP_scalar) {
            *v = p->f;
            return 1;
        }
        if (p->op != GMI_OP_broadcast && p->op != GMI_OP_reshape) return 0;
        a.id = p->in[0];
    }
    return 0;
}

static gm_node like(gm_graph *g, double v, gm_node a)
{
    gm_node none = {0};
    if (!a.id) return none;
    gmi_gnode p = *gmi_node(g, a);
    return gm_op_broadcast(g, gm_op_scalar(g, v), p.rank, p.dims);
}

gm_node gmi_zeros_like(gm_graph *g, gm_node a) { return like(g, 0.0, a); }

/* Common shape of a and b (axes aligned at the end), both broadcast to it. */
static int broadcast_pair(gm_graph *g, const char *op, gm_node *a, gm_node *b)
{
    if (!g || g->failed || !a->id || !b->id || a->id > (uint32_t)g->n || b->id > (uint32_t)g->n) {
        if (g) gmi_graph_fail(g, GM_E_INVALID, "%s: an input is not a node of this graph", op);
        return -1;
    }
    gmi_gnode x = *gmi_node(g, *a), y = *gmi_node(g, *b);
    if (gmi_same_dims(&x, &y)) return 0;
    int32_t rank = GMI_MAX(x.rank, y.rank);
    int64_t dims[GMI_MAX_RANK];
    for (int32_t i = 0; i < rank; i++) {
        int32_t xi = i - (rank - x.rank), yi = i - (rank - y.rank);
        int64_t dx = xi < 0 ? 1 : x.dims[xi], dy = yi < 0 ? 1 : y.dims[yi];
        if (dx != dy && dx != 1 && dy != 1) {
            gmi_graph_fail(g, GM_E_SHAPE, "%s: %v and %v do not broadcast", op, x.rank, x.dims, y.rank, y.dims);
            return -1;
        }
        dims[i] = dx == 1 ? dy : dx;
    }
    *a = gm_op_broadcast(g, *a, rank, dims);
    *b = gm_op_broadcast(g, *b, rank, dims);
    return a->id && b->id ? 0 : -1;
}

static gm_node binary(gm_graph *g, int32_t op, gm_node a, gm_node b)
{
    gm_node none = {0};
    if (broadcast_pair(g, gmi_op_table(op)->name, &a, &b)) return none;
    return gmi_emit2(g, op, a, b);
}

#define UNARY(name)                                                                                                                                  \
    gm_node gm_op_##name(gm_graph *g, gm_node a) { return gmi_emit1(g, GMI_OP_##name, a); }
UNARY(neg)
UNARY(abs)
UNARY(sign)
UNARY(floor)
UNARY(square)
UNARY(recip)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(exp)
UNARY(expm1)
UNARY(log)
UNARY(log1p)
UNARY(tanh)
UNARY(sigmoid)
UNARY(softplus)
UNARY(erf)
UNARY(sin)
UNARY(cos)
UNARY(lgamma)
UNARY(relu)
UNARY(step)
#define BINARY(name)                                                                                                                                 \
    gm_node gm_op_##name(gm_graph *g, gm_node a, gm_node b) { return binary(g, GMI_OP_##name, a, b); }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(max)
BINARY(min)
BINARY(lt)
BINARY(le)
BINARY(eq)

gm_node gm_op_polygamma(gm_graph *g, gm_node a, int32_t order)
{
    gm_node none = {0};
    if (!GM_TRAINING && g)
        return gmi_graph_fail(g, GM_E_UNSUPPORTED, "polygamma: this build of the library does not have it: use one made without INFER_ONLY=1");
    if (g && (order < 0 || order > 8)) return gmi_graph_fail(g, GM_E_RANGE, "polygamma: order %d, allowed 0 to 8", order), none;
    gmi_gnode p = gmi_proto(GMI_OP_polygamma, 1, &a);
    p.f = order;
    return gmi_emit(g, &p);
}

gm_node gm_op_digamma(gm_graph *g, gm_node a) { return gm_op_polygamma(g, a, 0); }

gm_node gm_op_leaky_relu(gm_graph *g, gm_node a, double slope)
{
    gmi_gnode p = gmi_proto(GMI_OP_leaky_relu, 1, &a);
    p.f = slope;
    return gmi_emit(g, &p);
}

gm_node gm_op_select(gm_graph *g, gm_node c, gm_node a, gm_node b)
{
    gm_node none = {0};
    if (broadcast_pair(g, "select", &a, &b) || broadcast_pair(g, "select", &c, &a) || broadcast_pair(g, "select", &c, &b)) return none;
    gm_node in[3];
    in[0] = c;
    in[1] = a;
    in[2] = b;
    gmi_gnode p = gmi_proto(GMI_OP_select, 3, in);
    return gmi_emit(g, &p);
}

gm_node gm_op_scale(gm_graph *g, gm_node a, double factor) { return factor == 1.0 ? a : gm_op_mul(g, a, gm_op_scalar(g, factor)); }
gm_node gm_op_shift(gm_graph *g, gm_node a, double term) { return gm_op_add(g, a, gm_op_scalar(g, term)); }
gm_node gm_op_stop_gradient(gm_graph *g, gm_node a) { return gmi_emit1(g, GMI_OP_stop_gradient, a); }

int gmi_shape_to_real(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = &g->nodes[y->in[0] - 1];
    if (a->dtype != GM_I32) {
        gmi_graph_fail(g, GM_E_DTYPE, "to_real: the input is f32 already");
        return -1;
    }
    y->dtype = GM_F32;
    y->rank = a->rank;
    memcpy(y->dims, a->dims, sizeof y->dims);
    return 0;
}
gm_node gm_op_to_real(gm_graph *g, gm_node a)
{
    if (g && a.id && a.id <= (uint32_t)g->n && gmi_node(g, a)->dtype == GM_F32) return a;
    return gmi_emit1(g, GMI_OP_to_real, a);
}

/* ---- derivatives ---- */
#define IN(i) arg(g, y, i)
static gm_node arg(const gm_graph *g, gm_node y, int32_t i)
{
    gm_node r;
    r.id = gmi_node(g, y)->in[i];
    return r;
}
#define RULE(name) void gmi_grad_##name(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)

RULE(none)
{
    (void)g, (void)dy;
    (void)y, (void)dx;
}
RULE(neg) { (void)y, dx[0] = gm_op_neg(g, dy); }
RULE(abs) { dx[0] = gm_op_mul(g, dy, gm_op_sign(g, IN(0))); }
RULE(square) { dx[0] = gm_op_mul(g, dy, gm_op_scale(g, IN(0), 2.0)); }
RULE(recip) { dx[0] = gm_op_neg(g, gm_op_mul(g, dy, gm_op_square(g, y))); }
RULE(sqrt) { dx[0] = gm_op_div(g, gm_op_scale(g, dy, 0.5), y); }
RULE(rsqrt) { dx[0] = gm_op_mul(g, gm_op_scale(g, dy, -0.5), gm_op_mul(g, y, gm_op_square(g, y))); }
RULE(exp) { dx[0] = gm_op_mul(g, dy, y); }
RULE(expm1) { dx[0] = gm_op_mul(g, dy, gm_op_exp(g, IN(0))); }
RULE(log) { dx[0] = gm_op_div(g, dy, IN(0)); }
RULE(log1p) { dx[0] = gm_op_div(g, dy, gm_op_shift(g, IN(0), 1.0)); }
RULE(tanh) { dx[0] = gm_op_mul(g, dy, gm_op_sub(g, gm_op_scalar(g, 1.0), gm_op_square(g, y))); }
RULE(sigmoid) { dx[0] = gm_op_mul(g, dy, gm_op_mul(g, y, gm_op_sub(g, gm_op_scalar(g, 1.0), y))); }
RULE(softplus) { dx[0] = gm_op_mul(g, dy, gm_op_sigmoid(g, IN(0))); }
RULE(erf) /* 2/sqrt(pi) exp(-x^2) */
{
    dx[0] = gm_op_mul(g, dy, gm_op_scale(g, gm_op_exp(g, gm_op_neg(g, gm_op_square(g, IN(0)))), 1.1283791670955126));
}
RULE(sin) { dx[0] = gm_op_mul(g, dy, gm_op_cos(g, IN(0))); }
RULE(cos) { dx[0] = gm_op_neg(g, gm_op_mul(g, dy, gm_op_sin(g, IN(0)))); }
RULE(lgamma) { dx[0] = gm_op_mul(g, dy, gm_op_digamma(g, IN(0))); }
RULE(polygamma) { dx[0] = gm_op_mul(g, dy, gm_op_polygamma(g, IN(0), (int32_t)gmi_node(g, y)->f + 1)); }
RULE(relu) { dx[0] = gm_op_mul(g, dy, gm_op_step(g, y)); }
RULE(leaky_relu) /* y > 0 exactly where x > 0 when the slope is not negative */
{
    double slope = gmi_node(g, y)->f;
    gm_node side = gm_op_step(g, slope >= 0 ? y : IN(0));
    dx[0] = gm_op_mul(g, dy, gm_op_select(g, side, gm_op_scalar(g, 1.0), gm_op_scalar(g, slope)));
}
RULE(add)
{
    (void)g, (void)y;
    dx[0] = dx[1] = dy;
}
RULE(sub)
{
    (void)y;
    dx[0] = dy;
    dx[1] = gm_op_neg(g, dy);
}
RULE(mul)
{
    dx[0] = gm_op_mul(g, dy, IN(1));
    dx[1] = gm_op_mul(g, dy, IN(0));
}
RULE(div) /* d(a/b) = da/b - y db/b */
{
    dx[0] = gm_op_div(g, dy, IN(1));
    dx[1] = gm_op_neg(g, gm_op_mul(g, dx[0], y));
}
static void extremum(gm_graph *g, gm_node dy, gm_node first, gm_node *dx)
{
    dx[0] = gm_op_mul(g, dy, first);
    dx[1] = gm_op_sub(g, dy, dx[0]);
}
RULE(max) { extremum(g, dy, gm_op_le(g, IN(1), IN(0)), dx); }
RULE(min) { extremum(g, dy, gm_op_le(g, IN(0), IN(1)), dx); }
RULE(select)
{
    dx[1] = gm_op_select(g, IN(0), dy, gmi_zeros_like(g, dy));
    dx[2] = gm_op_select(g, IN(0), gmi_zeros_like(g, dy), dy);
}
