/* SPDX-License-Identifier: MIT */
/* op_linear.c: matrix products, the convolution triad, pooling, resizing, gathers: linear maps, each with its adjoint in the set.
 *
 * Convolution (Dumoulin and Visin 2016): y = conv(x, w), x' = conv_dx(y, w), w' = conv_dw(x, y) satisfy
 * <conv(x,w), y> = <x, conv_dx(y,w)> = <w, conv_dw(x,y)>; all three carry the same parameters, so the derivative of each in either argument is one of
 * the three, to any order. A transposed convolution is conv_dx. Max pooling is a gather by index; the index is piecewise constant. */
#include "graph/ops.h"

static gm_node arg(const gm_graph *g, gm_node y, int32_t i)
{
    gm_node r;
    r.id = gmi_node(g, y)->in[i];
    return r;
}
static const gmi_gnode *in(const gm_graph *g, const gmi_gnode *y, int32_t i) { return &g->nodes[y->in[i] - 1]; }
static int usable(gm_graph *g, const char *op, gm_node a, int32_t rank_min)
{
    if (!g || g->failed) return 0;
    if (!a.id || a.id > (uint32_t)g->n) return gmi_graph_fail(g, GM_E_INVALID, "%s: an input is not a node of this graph", op), 0;
    if (gmi_node(g, a)->rank < rank_min)
        return gmi_graph_fail(g, GM_E_SHAPE, "%s: input %v has rank below %d", op, gmi_node(g, a)->rank, gmi_node(g, a)->dims, rank_min), 0;
    return 1;
}

/* ---- matmul: attr = transpose a, transpose b; equal leading axes are batches ---- */
int gmi_shape_matmul(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = in(g, y, 0), *b = in(g, y, 1);
    int32_t r = a->rank;
    int fits = r >= 2 && b->rank == r && a->dtype == GM_F32 && b->dtype == GM_F32;
    for (int32_t i = 0; fits && i < r - 2; i++) fits = a->dims[i] == b->dims[i];
    int64_t ta = y->attr[0], tb = y->attr[1];
    if (!fits || a->dims[ta ? r - 2 : r - 1] != b->dims[tb ? r - 1 : r - 2]) {
        gmi_graph_fail(g, GM_E_SHAPE, "matmul: %v%s times %v%s", a->rank, a->dims, ta ? "^T" : "", b->rank, b->dims, tb ? "^T" : "");
        return -1;
    }
    y->dtype = GM_F32;
    y->rank = r;
    memcpy(y->dims, a->dims, sizeof y->dims);
    y->dims[r - 2] = a->dims[ta ? r - 1 : r - 2];
    y->dims[r - 1] = b->dims[tb ? r - 2 : r - 1];
    return 0;
}

gm_node gm_op_matmul(gm_graph *g, gm_node a, gm_node b, int32_t ta, int32_t tb)
{
    gm_node ab[2], none = {0};
    if (!usable(g, "matmul", a, 2) || !usable(g, "matmul", b, 2)) return none;
    ab[0] = a;
    ab[1] = b;
    gmi_gnode p = gmi_proto(GMI_OP_matmul, 2, ab);
    p.attr[0] = ta != 0;
    p.attr[1] = tb != 0;
    return gmi_emit(g, &p);
}

void gmi_grad_matmul(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    gm_node a = arg(g, y, 0), b = arg(g, y, 1);
    int32_t ta = (int32_t)gmi_node(g, y)->attr[0], tb = (int32_t)gmi_node(g, y)->attr[1];
    dx[0] = ta ? gm_op_matmul(g, b, dy, tb, 1) : gm_op_matmul(g, dy, b, 0, !tb);
    dx[1] = tb ? gm_op_matmul(g, dy, a, 1, ta) : gm_op_matmul(g, a, dy, !ta, 0);
}

/* ---- the convolution triad ---- */
static int images(gm_graph *g, const gmi_gnode *y, const gmi_gnode *a, const gmi_gnode *b)
{
    if (a->rank == 4 && (!b || b->rank == 4) && a->dtype == GM_F32 && (!b || b->dtype == GM_F32)) return 0;
    gmi_graph_fail(g, GM_E_SHAPE, "%s: needs [n,c,h,w], got %v and %v", gmi_op_table(y->op)->name, a->rank, a->dims, b ? b->rank : 0, b ? b->dims : a->dims);
    return -1;
}

static int conv_misfit(gm_graph *g, const gmi_gnode *y, const gmi_gnode *a, const gmi_gnode *b)
{
    gmi_graph_fail(g, GM_E_SHAPE, "%s: %v and %v do not fit kernel [%i,%i], input [%i,%i,%i], output [%i,%i,%i], groups %i", gmi_op_table(y->op)->name, a->rank,
                   a->dims, b->rank, b->dims, y->attr[GMI_A_KH], y->attr[GMI_A_KW], y->attr[GMI_A_C], y->attr[GMI_A_H], y->attr[GMI_A_W], y->attr[GMI_A_CO],
                   y->attr[GMI_A_OH], y->attr[GMI_A_OW], y->attr[GMI_A_GROUPS]);
    return -1;
}

static void dims4(gmi_gnode *y, int64_t a, int64_t b, int64_t c, int64_t d)
{
    y->dtype = GM_F32;
    y->rank = 4;
    y->dims[0] = a, y->dims[1] = b, y->dims[2] = c, y->dims[3] = d;
}
static int is_x(const gmi_gnode *y, const gmi_gnode *x)
{
    return x->dims[1] == y->attr[GMI_A_C] && x->dims[2] == y->attr[GMI_A_H] && x->dims[3] == y->attr[GMI_A_W];
}
static int is_y(const gmi_gnode *y, const gmi_gnode *o)
{
    return o->dims[1] == y->attr[GMI_A_CO] && o->dims[2] == y->attr[GMI_A_OH] && o->dims[3] == y->attr[GMI_A_OW];
}
static int is_w(const gmi_gnode *y, const gmi_gnode *w)
{
    return w->dims[0] == y->attr[GMI_A_CO] && w->dims[1] * y->attr[GMI_A_GROUPS] == y->attr[GMI_A_C] && w->dims[2] == y->attr[GMI_A_KH] &&
           w->dims[3] == y->attr[GMI_A_KW];
}

int gmi_shape_conv(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *x = in(g, y, 0), *w = in(g, y, 1);
    if (images(g, y, x, w)) return -1;
    if (!is_x(y, x) || !is_w(y, w)) return conv_misfit(g, y, x, w);
    dims4(y, x->dims[0], y->attr[GMI_A_CO], y->attr[GMI_A_OH], y->attr[GMI_A_OW]);
    return 0;
}
int gmi_shape_conv_dx(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *o = in(g, y, 0), *w = in(g, y, 1);
    if (images(g, y, o, w)) return -1;
    if (!is_y(y, o) || !is_w(y, w)) return conv_misfit(g, y, o, w);
    dims4(y, o->dims[0], y->attr[GMI_A_C], y->attr[GMI_A_H], y->attr[GMI_A_W]);
    return 0;
}
int gmi_shape_conv_dw(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *x = in(g, y, 0), *o = in(g, y, 1);
    if (!GM_TRAINING || images(g, y, x, o)) return -1;
    if (!is_x(y, x) || !is_y(y, o) || x->dims[0] != o->dims[0]) return conv_misfit(g, y, x, o);
    dims4(y, y->attr[GMI_A_CO], y->attr[GMI_A_C] / y->attr[GMI_A_GROUPS], y->attr[GMI_A_KH], y->attr[GMI_A_KW]);
    return 0;
}

void gm_conv_init(gm_conv *o, size_t size)
{
    gm_conv d;
    memset(&d, 0, sizeof d);
    d.size = size;
    d.stride[0] = d.stride[1] = d.dilation[0] = d.dilation[1] = d.groups = 1;
    if (o) memcpy(o, &d, GMI_MIN(size, sizeof d));
}

static void conv_defaults(gm_conv *to, const gm_conv *o)
{
    gm_conv_init(to, sizeof *to);
    if (o) memcpy(to, o, GMI_MIN(o->size, sizeof *to));
}

static int conv_values_valid(gm_graph *g, const char *op, const gm_conv *o)
{
    const int64_t big = 1 << 24;
    int ok = o->groups > 0 && o->groups < big;
    for (int i = 0; i < 2; i++)
        ok &= o->stride[i] > 0 && o->stride[i] < big && o->dilation[i] > 0 && o->dilation[i] < big && o->pad_begin[i] >= 0 && o->pad_begin[i] < big &&
              o->pad_end[i] >= 0 && o->pad_end[i] < big && o->output_padding[i] >= 0 && o->output_padding[i] < big;
    if (!ok) gmi_graph_fail(g, GM_E_RANGE, "%s: stride, dilation and groups are at least 1, padding at least 0, all below 2^24", op);
    return ok;
}

static void conv_attr(gmi_gnode *p, const gm_conv *o, const int64_t kernel[2])
{
    p->attr[GMI_A_KH] = kernel[0], p->attr[GMI_A_KW] = kernel[1];
    p->attr[GMI_A_SH] = o->stride[0], p->attr[GMI_A_SW] = o->stride[1];
    p->attr[GMI_A_PT] = o->pad_begin[0], p->attr[GMI_A_PL] = o->pad_begin[1];
    p->attr[GMI_A_DH] = o->dilation[0], p->attr[GMI_A_DW] = o->dilation[1];
    p->attr[GMI_A_GROUPS] = o->groups;
}

/* out = floor((in + pads - dilation (k - 1) - 1) / stride) + 1, below 1 when the kernel does not fit. n is at most GMI_MAX_ELEMENTS. */
static int64_t conv_out(int64_t n, int64_t k, const gm_conv *o, int i)
{
    int64_t room = n + o->pad_begin[i] + o->pad_end[i] - 1;
    if (room < 0 || k - 1 > room / o->dilation[i]) return 0;
    return (room - o->dilation[i] * (k - 1)) / o->stride[i] + 1;
}

/* (in - 1) stride - pads + dilation (k - 1) + output padding + 1, or 0 when that is more than can be counted */
static int64_t conv_transpose_out(int64_t n, int64_t k, const gm_conv *o, int i)
{
    int64_t a, b;
    if (n < 1 || k < 1 || gmi_mul_i64(n - 1, o->stride[i], &a) || gmi_mul_i64(k - 1, o->dilation[i], &b)) return 0;
    if (a > GMI_MAX_ELEMENTS || b > GMI_MAX_ELEMENTS) return 0;
    return a - o->pad_begin[i] - o->pad_end[i] + b + o->output_padding[i] + 1;
}

gm_node gm_op_conv2d(gm_graph *g, gm_node x, gm_node w, const gm_conv *opt)
{
    gm_node xw[2], none = {0};
    gm_conv o;
    conv_defaults(&o, opt);
    if (!usable(g, "conv2d", x, 4) || !usable(g, "conv2d", w, 4) || !conv_values_valid(g, "conv2d", &o)) return none;
    xw[0] = x, xw[1] = w;
    gmi_gnode p = gmi_proto(GMI_OP_conv, 2, xw), xn = *gmi_node(g, x), wn = *gmi_node(g, w);
    conv_attr(&p, &o, wn.dims + 2);
    p.attr[GMI_A_C] = xn.dims[1], p.attr[GMI_A_H] = xn.dims[2], p.attr[GMI_A_W] = xn.dims[3];
    p.attr[GMI_A_CO] = wn.dims[0];
    p.attr[GMI_A_OH] = conv_out(xn.dims[2], wn.dims[2], &o, 0);
    p.attr[GMI_A_OW] = conv_out(xn.dims[3], wn.dims[3], &o, 1);
    if (xn.dims[1] % o.groups || wn.dims[0] % o.groups || wn.dims[1] * o.groups != xn.dims[1] || wn.dims[2] < 1 || wn.dims[3] < 1)
        return gmi_graph_fail(g, GM_E_SHAPE, "conv2d: input %v, weight %v (want [out, in/groups, kh, kw]), groups %i", 4, xn.dims, 4, wn.dims, o.groups);
    if (p.attr[GMI_A_OH] < 1 || p.attr[GMI_A_OW] < 1)
        return gmi_graph_fail(g, GM_E_SHAPE, "conv2d: kernel %v does not fit into input %v with its padding", 4, wn.dims, 4, xn.dims);
    return gmi_emit(g, &p);
}

gm_node gm_op_conv_transpose2d(gm_graph *g, gm_node x, gm_node w, const gm_conv *opt)
{
    gm_node xw[2], none = {0};
    gm_conv o;
    conv_defaults(&o, opt);
    if (!usable(g, "conv_transpose2d", x, 4) || !usable(g, "conv_transpose2d", w, 4) || !conv_values_valid(g, "conv_transpose2d", &o)) return none;
    xw[0] = x, xw[1] = w;
    gmi_gnode p = gmi_proto(GMI_OP_conv_dx, 2, xw), xn = *gmi_node(g, x), wn = *gmi_node(g, w);
    conv_attr(&p, &o, wn.dims + 2);
    p.attr[GMI_A_CO] = xn.dims[1], p.attr[GMI_A_OH] = xn.dims[2], p.attr[GMI_A_OW] = xn.dims[3];
    p.attr[GMI_A_C] = wn.dims[1] * o.groups;
    for (int i = 0; i < 2; i++) {
        int64_t n = conv_transpose_out(xn.dims[2 + i], wn.dims[2 + i], &o, i);
        p.attr[i ? GMI_A_W : GMI_A_H] = n;
        if (n < 1 || (o.output_padding[i] >= o.stride[i] && o.output_padding[i] >= o.dilation[i]))
            return gmi_graph_fail(g, GM_E_SHAPE, "conv_transpose2d: input %v, weight %v give size %i; output padding %i must be below stride or dilation", 4,
                                  xn.dims, 4, wn.dims, n, o.output_padding[i]);
    }
    if (wn.dims[0] != xn.dims[1] || xn.dims[1] % o.groups || wn.dims[2] < 1 || wn.dims[3] < 1)
        return gmi_graph_fail(g, GM_E_SHAPE, "conv_transpose2d: input %v, weight %v (want [in, out/groups, kh, kw]), groups %i", 4, xn.dims, 4, wn.dims, o.groups);
    return gmi_emit(g, &p);
}

static gm_node triad(gm_graph *g, gm_node y, int32_t op, gm_node a, gm_node b)
{
    gm_node ab[2];
    ab[0] = a, ab[1] = b;
    gmi_gnode p = gmi_proto(op, 2, ab), q = *gmi_node(g, y);
    memcpy(p.attr, q.attr, sizeof p.attr);
    return gmi_emit(g, &p);
}
void gmi_grad_conv(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    dx[0] = triad(g, y, GMI_OP_conv_dx, dy, arg(g, y, 1));
    dx[1] = triad(g, y, GMI_OP_conv_dw, arg(g, y, 0), dy);
}
void gmi_grad_conv_dx(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    dx[0] = triad(g, y, GMI_OP_conv, dy, arg(g, y, 1));
    dx[1] = triad(g, y, GMI_OP_conv_dw, dy, arg(g, y, 0));
}
void gmi_grad_conv_dw(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    dx[0] = triad(g, y, GMI_OP_conv_dx, arg(g, y, 1), dy);
    dx[1] = triad(g, y, GMI_OP_conv, arg(g, y, 0), dy);
}

/* ---- pooling ---- */
static int pool_out(gm_graph *g, gmi_gnode *y, int64_t h, int64_t w)
{
    const gmi_gnode *x = in(g, y, 0);
    if (images(g, y, x, NULL)) return -1;
    dims4(y, x->dims[0], x->dims[1], h, w);
    return 0;
}
int gmi_shape_max_pool_index(gm_graph *g, gmi_gnode *y)
{
    int64_t plane;
    if (pool_out(g, y, y->attr[GMI_A_OH], y->attr[GMI_A_OW])) return -1;
    if (gmi_mul_i64(y->attr[GMI_A_H], y->attr[GMI_A_W], &plane) || plane > INT32_MAX) {
        gmi_graph_fail(g, GM_E_SHAPE, "max_pool2d: a plane of %i by %i has more elements than an i32 counts", y->attr[GMI_A_H], y->attr[GMI_A_W]);
        return -1;
    }
    y->dtype = GM_I32;
    return 0;
}
int gmi_shape_avg_pool(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_OH], y->attr[GMI_A_OW]); }
int gmi_shape_avg_pool_dx(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_H], y->attr[GMI_A_W]); }
int gmi_shape_resize(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_OH], y->attr[GMI_A_OW]); }
int gmi_shape_resize_dx(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_H], y->attr[GMI_A_W]); }
int gmi_shape_pool_gather(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_OH], y->attr[GMI_A_OW]); }
int gmi_shape_pool_scatter(gm_graph *g, gmi_gnode *y) { return pool_out(g, y, y->attr[GMI_A_H], y->attr[GMI_A_W]); }

static gm_node pool_proto(gm_graph *g, const char *name, int32_t op, gm_node x, const int64_t kernel[2], const gm_conv *opt, gmi_gnode *p)
{
    gm_node none = {0};
    gm_conv o;
    conv_defaults(&o, opt);
    if (!usable(g, name, x, 4)) return none;
    if (!kernel) return gmi_graph_fail(g, GM_E_INVALID, "%s: kernel is NULL", name);
    if (!opt) o.stride[0] = kernel[0], o.stride[1] = kernel[1];
    if (!conv_values_valid(g, name, &o)) return none;
    gmi_gnode xn = *gmi_node(g, x);
    *p = gmi_proto(op, 1, &x);
    conv_attr(p, &o, kernel);
    p->attr[GMI_A_C] = p->attr[GMI_A_CO] = xn.dims[1];
    p->attr[GMI_A_H] = xn.dims[2], p->attr[GMI_A_W] = xn.dims[3];
    for (int i = 0; i < 2; i++) {
        int64_t n = kernel[i] < 1 || o.dilation[i] != 1 || o.pad_begin[i] * 2 > kernel[i] ? 0 : conv_out(xn.dims[2 + i], kernel[i], &o, i);
        if (n < 1)
            return gmi_graph_fail(g, GM_E_SHAPE, "%s: window [%i,%i] does not fit %v; padding is at most half the window, dilation 1", name, kernel[0], kernel[1],
                                  4, xn.dims);
        /* the last window must begin inside the image or its leading padding */
        if ((n - 1) * o.stride[i] >= xn.dims[2 + i] + o.pad_begin[i]) n--;
        p->attr[i ? GMI_A_OW : GMI_A_OH] = n;
    }
    return x;
}

gm_node gm_op_max_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], const gm_conv *o)
{
    gm_node xi[2], none = {0};
    gmi_gnode p;
    if (!pool_proto(g, "max_pool2d", GMI_OP_max_pool_index, x, kernel, o, &p).id) return none;
    xi[0] = x, xi[1] = gmi_emit(g, &p);
    gmi_gnode q = gmi_proto(GMI_OP_pool_gather, 2, xi);
    memcpy(q.attr, p.attr, sizeof q.attr);
    return gmi_emit(g, &q);
}
gm_node gm_op_avg_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], const gm_conv *o)
{
    gm_node none = {0};
    gmi_gnode p;
    if (!pool_proto(g, "avg_pool2d", GMI_OP_avg_pool, x, kernel, o, &p).id) return none;
    return gmi_emit(g, &p);
}
gm_node gm_op_resize2d(gm_graph *g, gm_node x, int64_t h, int64_t w, gm_resize mode)
{
    gm_node none = {0};
    if (!usable(g, "resize2d", x, 4)) return none;
    if (h < 1 || w < 1 || mode < GM_RESIZE_NEAREST || mode > GM_RESIZE_BILINEAR) return gmi_graph_fail(g, GM_E_RANGE, "resize2d: size [%i,%i], mode %d", h, w, mode);
    gmi_gnode p = gmi_proto(GMI_OP_resize, 1, &x), xn = *gmi_node(g, x);
    p.attr[GMI_A_C] = p.attr[GMI_A_CO] = xn.dims[1];
    p.attr[GMI_A_H] = xn.dims[2], p.attr[GMI_A_W] = xn.dims[3];
    p.attr[GMI_A_OH] = h, p.attr[GMI_A_OW] = w, p.attr[GMI_A_MODE] = mode;
    return gmi_emit(g, &p);
}

static gm_node adjoint1(gm_graph *g, gm_node y, int32_t op, gm_node dy)
{
    gmi_gnode p = gmi_proto(op, 1, &dy), q = *gmi_node(g, y);
    memcpy(p.attr, q.attr, sizeof p.attr);
    return gmi_emit(g, &p);
}
void gmi_grad_avg_pool(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = adjoint1(g, y, GMI_OP_avg_pool_dx, dy); }
void gmi_grad_avg_pool_dx(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = adjoint1(g, y, GMI_OP_avg_pool, dy); }
void gmi_grad_resize(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = adjoint1(g, y, GMI_OP_resize_dx, dy); }
void gmi_grad_resize_dx(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = adjoint1(g, y, GMI_OP_resize, dy); }
void gmi_grad_pool_gather(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = triad(g, y, GMI_OP_pool_scatter, dy, arg(g, y, 1)); }
void gmi_grad_pool_scatter(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = triad(g, y, GMI_OP_pool_gather, dy, arg(g, y, 1)); }

/* ---- rows of a table ---- */
int gmi_shape_gather(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *t = in(g, y, 0), *i = in(g, y, 1);
    if (t->rank < 1 || i->rank != 1 || i->dtype != GM_I32) {
        gmi_graph_fail(g, GM_E_SHAPE, "gather: needs a table [v,...] and i32 rows [n], got %v and %v", t->rank, t->dims, i->rank, i->dims);
        return -1;
    }
    y->dtype = t->dtype;
    y->rank = t->rank;
    memcpy(y->dims, t->dims, sizeof y->dims);
    y->dims[0] = i->dims[0];
    return 0;
}
int gmi_shape_scatter_add(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *v = in(g, y, 0), *i = in(g, y, 1);
    if (v->rank < 1 || i->rank != 1 || i->dtype != GM_I32 || v->dtype != GM_F32 || v->dims[0] != i->dims[0] || y->attr[0] < 0) {
        gmi_graph_fail(g, GM_E_SHAPE, "scatter_add: needs values [n,...] and i32 rows [n], got %v and %v", v->rank, v->dims, i->rank, i->dims);
        return -1;
    }
    y->dtype = GM_F32;
    y->rank = v->rank;
    memcpy(y->dims, v->dims, sizeof y->dims);
    y->dims[0] = y->attr[0];
    return 0;
}
int gmi_shape_one_hot(gm_graph *g, gmi_gnode *y)
{
    const gmi_gnode *a = in(g, y, 0);
    if (a->dtype != GM_I32 || a->rank >= GMI_MAX_RANK || y->attr[0] < 1) {
        gmi_graph_fail(g, GM_E_SHAPE, "one_hot: needs i32 of rank below %d and a depth of at least 1, got %v, depth %i", GMI_MAX_RANK, a->rank, a->dims, y->attr[0]);
        return -1;
    }
    y->dtype = GM_F32;
    y->rank = a->rank + 1;
    memcpy(y->dims, a->dims, sizeof y->dims);
    y->dims[a->rank] = y->attr[0];
    return 0;
}
gm_node gm_op_gather(gm_graph *g, gm_node table, gm_node rows) { return gmi_emit2(g, GMI_OP_gather, table, rows); }
gm_node gm_op_scatter_add(gm_graph *g, gm_node values, gm_node rows, int64_t n)
{
    gm_node vi[2];
    vi[0] = values, vi[1] = rows;
    gmi_gnode p = gmi_proto(GMI_OP_scatter_add, 2, vi);
    p.attr[0] = n;
    return gmi_emit(g, &p);
}
gm_node gm_op_one_hot(gm_graph *g, gm_node i32, int64_t depth)
{
    gmi_gnode p = gmi_proto(GMI_OP_one_hot, 1, &i32);
    p.attr[0] = depth;
    return gmi_emit(g, &p);
}
void gmi_grad_gather(gm_graph *g, gm_node y, gm_node dy, gm_node *dx)
{
    dx[0] = gm_op_scatter_add(g, dy, arg(g, y, 1), gmi_node(g, arg(g, y, 0))->dims[0]);
}
void gmi_grad_scatter_add(gm_graph *g, gm_node y, gm_node dy, gm_node *dx) { dx[0] = gm_op_gather(g, dy, arg(g, y, 1)); }
