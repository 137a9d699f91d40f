/* SPDX-License-Identifier: MIT */
/* opcheck.c: every op of ops.def: forward, gradient, gradient of the squared gradient norm, and a third order, as compiled programs.
 *
 * Built twice. In the double build L = <w, f(x)>, dL/dx and d||dL/dx||^2/dx are compared with central differences, norm-wise to 1e-4; in the
 * float build all of them with the double build's numbers (opcheck_f64 --dump), norm-wise to 1e-3. A case that is missing for an op is a failure. */
#include "exec/exec.h"
#include "graph/graph.h"
#include "tap.h"
#include <genrep.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_X 4
typedef struct spec { /* one differentiable input */
    int32_t rank;
    int64_t dims[5];
    double lo, hi;
} spec;
typedef gm_node build_fn(gm_graph *g, const gm_node *x);
typedef struct kase {
    const char *name, *ops; /* ops this case covers, blanks between */
    int32_t n;
    spec x[MAX_X];
    build_fn *f;
} kase;

static double uniform(uint64_t *s)
{
    *s = *s * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*s >> 11) / 9007199254740992.0;
}

#define F(name) static gm_node f_##name(gm_graph *g, const gm_node *x)
#define UN(name)                                                                                                                                     \
    F(name) { return gm_op_##name(g, x[0]); }
UN(neg) UN(abs) UN(sign) UN(floor) UN(square) UN(recip) UN(sqrt) UN(rsqrt) UN(exp) UN(expm1) UN(log) UN(log1p) UN(tanh) UN(sigmoid) UN(softplus) UN(erf)
UN(sin) UN(cos) UN(lgamma) UN(digamma) UN(relu) UN(step)
F(polygamma2) { return gm_op_polygamma(g, x[0], 2); }
F(leaky) { return gm_op_leaky_relu(g, x[0], 0.2); }
#define BIN(name)                                                                                                                                    \
    F(name) { return gm_op_##name(g, x[0], x[1]); }
BIN(add) BIN(sub) BIN(mul) BIN(div) BIN(max) BIN(min) BIN(lt) BIN(le) BIN(eq)
F(select) { return gm_op_select(g, gm_op_step(g, x[2]), gm_op_square(g, x[0]), gm_op_exp(g, x[1])); }
F(scalar) { return gm_op_shift(g, gm_op_scale(g, gm_op_square(g, x[0]), 3.0), -1.0); }
F(stop) { return gm_op_mul(g, gm_op_square(g, x[0]), gm_op_stop_gradient(g, gm_op_shift(g, gm_op_scale(g, x[1], 0.0), 2.0))); }
F(reshape) { int64_t d[2] = {3, -1}; return gm_op_square(g, gm_op_reshape(g, x[0], 2, d)); }
F(permute) { int32_t o[4] = {2, 0, 3, 1}; return gm_op_square(g, gm_op_permute(g, x[0], o)); }
F(broadcast) { int64_t d[3] = {4, 3, 5}; return gm_op_mul(g, gm_op_broadcast(g, gm_op_square(g, x[0]), 3, d), x[1]); }
F(slice) { return gm_op_square(g, gm_op_slice(g, x[0], 1, 1, 4)); }
F(pad) { return gm_op_square(g, gm_op_pad(g, gm_op_square(g, x[0]), 1, 2, 1)); }
F(concat)
{
    gm_node p[3];
    p[0] = x[0], p[1] = gm_op_square(g, x[1]), p[2] = x[0];
    return gm_op_square(g, gm_op_concat(g, 3, p, 1));
}
F(sum) { return gm_op_square(g, gm_op_sum(g, gm_op_square(g, x[0]), 5, 0)); }
F(sum_mid) { return gm_op_square(g, gm_op_sum(g, gm_op_square(g, x[0]), 2, 1)); }
F(mean) { return gm_op_square(g, gm_op_mean(g, gm_op_exp(g, x[0]), 6, 1)); }
F(reduce_max) { return gm_op_square(g, gm_op_reduce_max(g, x[0], 2, 0)); }
F(logsumexp) { return gm_op_logsumexp(g, x[0], 2, 0); }
F(softmax) { return gm_op_softmax(g, x[0], 1); }
F(argmax) { return gm_op_mul(g, gm_op_to_real(g, gm_op_argmax(g, x[0], 1)), gm_op_sum(g, gm_op_square(g, x[0]), 2, 0)); }
F(matmul) { return gm_op_matmul(g, x[0], x[1], 0, 0); }
F(matmul_t) { return gm_op_square(g, gm_op_matmul(g, x[0], x[1], 1, 1)); }
F(matmul_batch) { return gm_op_square(g, gm_op_matmul(g, x[0], x[1], 0, 1)); }
F(conv)
{
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = 2, o.stride[1] = 1, o.pad_begin[0] = 1, o.pad_begin[1] = 2, o.pad_end[0] = 1, o.pad_end[1] = 0, o.dilation[1] = 2;
    return gm_op_square(g, gm_op_conv2d(g, x[0], x[1], &o));
}
F(conv_groups)
{
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.groups = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    return gm_op_square(g, gm_op_conv2d(g, x[0], x[1], &o));
}
F(conv_transpose)
{
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1, o.output_padding[0] = 1;
    return gm_op_square(g, gm_op_conv_transpose2d(g, x[0], x[1], &o));
}
F(conv_net) /* layouts meet: conv, batch statistics, shift, activation, flatten, dense */
{
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    gm_node h = gm_op_conv2d(g, x[0], x[1], &o);
    gm_node m = gm_op_mean(g, h, 13, 1), c = gm_op_sub(g, h, m);
    gm_node v = gm_op_mean(g, gm_op_square(g, c), 13, 1);
    h = gm_op_tanh(g, gm_op_add(g, gm_op_mul(g, c, gm_op_rsqrt(g, gm_op_shift(g, v, 0.1))), x[2]));
    return gm_op_matmul(g, gm_op_flatten(g, h), x[3], 0, 1);
}
static gm_conv pool_conv(void)
{
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    return o;
}
static const int64_t k3[2] = {3, 3};
F(max_pool) { gm_conv o = pool_conv(); return gm_op_square(g, gm_op_max_pool2d(g, x[0], k3, &o)); }
F(avg_pool) { gm_conv o = pool_conv(); return gm_op_square(g, gm_op_avg_pool2d(g, x[0], k3, &o)); }
F(nearest) { return gm_op_square(g, gm_op_resize2d(g, x[0], 7, 3, GM_RESIZE_NEAREST)); }
F(bilinear) { return gm_op_square(g, gm_op_resize2d(g, x[0], 7, 3, GM_RESIZE_BILINEAR)); }
static gm_node indices(gm_graph *g, const gm_node *x) /* i32 [4] made from data: argmax over 3 */ { return gm_op_argmax(g, x[1], 1); }
F(gather) { return gm_op_square(g, gm_op_gather(g, x[0], indices(g, x))); }
F(scatter) { return gm_op_square(g, gm_op_scatter_add(g, x[0], indices(g, x), 5)); }
F(one_hot) { return gm_op_mul(g, gm_op_one_hot(g, indices(g, x), 3), gm_op_square(g, x[0])); }
F(normal)
{
    int64_t d[2] = {4, 7};
    return gm_op_mul(g, gm_op_random_normal(g, "a", 2, d, 2), gm_op_square(g, x[0]));
}
F(uniform)
{
    int64_t d[2] = {4, 7};
    return gm_op_mul(g, gm_op_random_uniform(g, "a", 2, d, 1), gm_op_square(g, x[0]));
}
F(state)
{
    int64_t d[1] = {7};
    gm_node s = gm_graph_state(g, "s", "zeros", 1, d);
    gm_graph_update(g, s, gm_op_mean(g, x[0], 1, 0));
    return gm_op_mul(g, gm_op_exp(g, x[0]), gm_op_shift(g, s, 1.0));
}
F(param)
{
    int64_t d[1] = {7};
    return gm_op_mul(g, gm_op_exp(g, x[0]), gm_op_shift(g, gm_graph_param(g, "p", "zeros", 1, d), 1.0));
}

#define V {2, {3, 7}, -2, 2}
#define P {2, {3, 7}, 0.3, 3}
static const kase cases[] = {
    {"neg", "input neg", 1, {V}, f_neg}, {"abs", "abs", 1, {V}, f_abs}, {"sign", "sign", 1, {V}, f_sign}, {"floor", "floor", 1, {V}, f_floor},
    {"square", "square", 1, {V}, f_square}, {"recip", "recip", 1, {P}, f_recip}, {"sqrt", "sqrt", 1, {P}, f_sqrt}, {"rsqrt", "rsqrt", 1, {P}, f_rsqrt},
    {"exp", "exp", 1, {V}, f_exp}, {"expm1", "expm1", 1, {V}, f_expm1}, {"log", "log", 1, {P}, f_log}, {"log1p", "log1p", 1, {P}, f_log1p},
    {"tanh", "tanh", 1, {V}, f_tanh}, {"sigmoid", "sigmoid", 1, {V}, f_sigmoid}, {"softplus", "softplus", 1, {V}, f_softplus}, {"erf", "erf", 1, {V}, f_erf},
    {"sin", "sin", 1, {V}, f_sin}, {"cos", "cos", 1, {V}, f_cos}, {"lgamma", "lgamma", 1, {P}, f_lgamma}, {"digamma", "polygamma", 1, {P}, f_digamma},
    {"polygamma2", "polygamma", 1, {P}, f_polygamma2}, {"relu", "relu", 1, {V}, f_relu}, {"leaky_relu", "leaky_relu", 1, {V}, f_leaky},
    {"step", "step", 1, {V}, f_step}, {"add", "add", 2, {V, {1, {7}, -2, 2}}, f_add}, {"sub", "sub", 2, {{2, {3, 1}, -2, 2}, V}, f_sub},
    {"mul", "mul", 2, {V, {1, {7}, -2, 2}}, f_mul}, {"div", "div", 2, {V, {2, {3, 1}, 0.5, 2}}, f_div}, {"max", "max", 2, {V, V}, f_max},
    {"min", "min", 2, {V, V}, f_min}, {"lt", "lt", 2, {V, V}, f_lt}, {"le", "le", 2, {V, V}, f_le}, {"eq", "eq", 2, {V, V}, f_eq},
    {"select", "select", 3, {V, V, V}, f_select}, {"scalar", "scalar", 1, {V}, f_scalar}, {"stop_gradient", "stop_gradient", 2, {V, V}, f_stop},
    {"reshape", "reshape", 1, {{2, {2, 6}, -1, 1}}, f_reshape}, {"permute", "permute", 1, {{4, {2, 3, 2, 2}, -1, 1}}, f_permute},
    {"broadcast", "broadcast", 2, {{2, {3, 1}, -1, 1}, {3, {4, 3, 5}, -1, 1}}, f_broadcast}, {"slice", "slice", 1, {{3, {2, 5, 3}, -1, 1}}, f_slice},
    {"pad", "pad", 1, {{3, {2, 3, 2}, -1, 1}}, f_pad}, {"concat", "concat", 2, {{2, {3, 2}, -1, 1}, {2, {3, 4}, -1, 1}}, f_concat},
    {"sum", "sum", 1, {{3, {3, 4, 2}, -1, 1}}, f_sum}, {"sum_mid", "sum", 1, {{3, {3, 4, 2}, -1, 1}}, f_sum_mid}, {"mean", "sum", 1, {{3, {3, 4, 2}, -1, 1}}, f_mean},
    {"reduce_max", "reduce_max", 1, {{2, {4, 5}, -2, 2}}, f_reduce_max}, {"logsumexp", "reduce_max", 1, {{2, {4, 5}, -2, 2}}, f_logsumexp},
    {"softmax", "exp", 1, {{2, {4, 5}, -2, 2}}, f_softmax}, {"argmax", "argmax to_real", 1, {{2, {4, 5}, -2, 2}}, f_argmax},
    {"matmul", "matmul", 2, {{2, {3, 4}, -1, 1}, {2, {4, 5}, -1, 1}}, f_matmul}, {"matmul_t", "matmul", 2, {{2, {4, 3}, -1, 1}, {2, {5, 4}, -1, 1}}, f_matmul_t},
    {"matmul_batch", "matmul", 2, {{3, {2, 3, 4}, -1, 1}, {3, {2, 5, 4}, -1, 1}}, f_matmul_batch},
    {"conv", "conv conv_dx conv_dw", 2, {{4, {2, 3, 5, 6}, -1, 1}, {4, {4, 3, 3, 2}, -1, 1}}, f_conv},
    {"conv_groups", "conv", 2, {{4, {2, 4, 4, 3}, -1, 1}, {4, {6, 2, 3, 3}, -1, 1}}, f_conv_groups},
    {"conv_transpose", "conv_dx", 2, {{4, {2, 3, 3, 3}, -1, 1}, {4, {3, 2, 4, 3}, -1, 1}}, f_conv_transpose},
    {"conv_net", "conv", 4, {{4, {3, 2, 5, 5}, -1, 1}, {4, {4, 2, 4, 4}, -1, 1}, {3, {4, 1, 1}, -1, 1}, {2, {3, 16}, -1, 1}}, f_conv_net},
    {"max_pool", "max_pool_index pool_gather pool_scatter", 1, {{4, {2, 2, 5, 6}, -2, 2}}, f_max_pool},
    {"avg_pool", "avg_pool avg_pool_dx", 1, {{4, {2, 2, 5, 6}, -1, 1}}, f_avg_pool},
    {"resize_nearest", "resize resize_dx", 1, {{4, {2, 2, 4, 5}, -1, 1}}, f_nearest}, {"resize_bilinear", "resize resize_dx", 1, {{4, {2, 2, 4, 5}, -1, 1}}, f_bilinear},
    {"gather", "gather", 2, {{2, {5, 3}, -1, 1}, {2, {4, 3}, -1, 1}}, f_gather}, {"scatter_add", "scatter_add", 2, {{2, {4, 3}, -1, 1}, {2, {4, 3}, -1, 1}}, f_scatter},
    {"one_hot", "one_hot", 2, {{2, {4, 3}, -1, 1}, {2, {4, 3}, -1, 1}}, f_one_hot}, {"normal", "random_normal", 1, {{2, {4, 7}, -1, 1}}, f_normal},
    {"uniform", "random_uniform", 1, {{2, {4, 7}, -1, 1}}, f_uniform}, {"state", "state", 1, {{2, {4, 7}, -1, 1}}, f_state},
    {"param", "param", 1, {{2, {4, 7}, -1, 1}}, f_param},
};
#define N_CASES ((int)(sizeof cases / sizeof cases[0]))

/* outputs: L, dL/dx_i, N = sum |dL/dx|^2, dN/dx_i, T = sum |dN/dx|^2, dT/dx_i */
typedef struct built {
    gm_context *ctx;
    const gm_program *p;
    gm_params *w;
    gm_run *r;
    int32_t n_in, n_out;
    gm_tensor *in[MAX_X + 1], *out[3 + 3 * MAX_X];
} built;

static gm_node norm2(gm_graph *g, int32_t n, const gm_node *d)
{
    gm_node s = gm_op_scalar(g, 0.0);
    for (int32_t i = 0; i < n; i++) {
        uint32_t all = (1u << gm_graph_rank(g, d[i])) - 1;
        s = gm_op_add(g, s, gm_op_sum(g, gm_op_square(g, d[i]), all, 0));
    }
    return s;
}

static int64_t count(const spec *s)
{
    int64_t n = 1;
    for (int32_t i = 0; i < s->rank; i++) n *= s->dims[i];
    return n;
}

static gm_status build(gm_context *c, const kase *k, built *b)
{
    gm_graph *g = NULL;
    gm_node x[MAX_X], d[MAX_X], dd[MAX_X], ddd[MAX_X], out[3 + 3 * MAX_X];
    uint64_t seed = 7;
    memset(b, 0, sizeof *b);
    b->ctx = c;
    gm_status s = gm_graph_create(c, &g);
    if (s) return s;
    for (int32_t i = 0; i < k->n; i++) {
        char name[8] = {'x', (char)('0' + i), 0};
        x[i] = gm_graph_input(g, name, GM_F32, k->x[i].rank, k->x[i].dims);
    }
    gm_node y = k->f(g, x), w;
    int64_t yd[8], yn = 1;
    for (int32_t i = 0; i < gm_graph_rank(g, y); i++) yn *= yd[i] = gm_graph_dim(g, y, i);
    w = gm_graph_input(g, "w", GM_F32, gm_graph_rank(g, y) < 0 ? 0 : gm_graph_rank(g, y), yd);
    gm_node L = gm_op_sum(g, gm_op_mul(g, y, w), (1u << (gm_graph_rank(g, y) < 0 ? 0 : gm_graph_rank(g, y))) - 1, 0);
    gm_graph_grad(g, L, k->n, x, d);
    gm_node N = norm2(g, k->n, d);
    gm_graph_grad(g, N, k->n, x, dd);
    gm_node T = norm2(g, k->n, dd);
    gm_graph_grad(g, T, k->n, x, ddd);
    int32_t n = 0;
    out[n++] = L;
    for (int32_t i = 0; i < k->n; i++) out[n++] = d[i];
    out[n++] = N;
    for (int32_t i = 0; i < k->n; i++) out[n++] = dd[i];
    out[n++] = T;
    for (int32_t i = 0; i < k->n; i++) out[n++] = ddd[i];
    b->n_out = n;
    b->n_in = k->n + 1;
    s = gm_program_compile(g, n, out, &b->p);
    if (!s) s = gmi_params_layout(c, g, 1, &b->w);
    if (!s) s = gm_run_create(c, b->p, b->w, &b->r);
    for (int32_t i = 0; !s && i < k->n; i++) {
        s = gm_tensor_create(c, GM_F64, k->x[i].rank, k->x[i].dims, &b->in[i]);
        double *v = s ? NULL : gm_tensor_data(b->in[i]);
        for (int64_t j = 0; !s && j < count(&k->x[i]); j++) v[j] = k->x[i].lo + (k->x[i].hi - k->x[i].lo) * uniform(&seed);
        for (int64_t j = 0; !s && j < count(&k->x[i]); j++) v[j] = (double)(float)v[j]; /* the same numbers in both builds */
    }
    if (!s) s = gm_tensor_create(c, GM_F64, gm_graph_rank(g, y), yd, &b->in[k->n]);
    for (int64_t j = 0; !s && j < yn; j++) ((double *)gm_tensor_data(b->in[k->n]))[j] = (double)(float)(0.5 + uniform(&seed));
    for (int32_t i = 0; !s && i < n; i++) {
        int64_t od[8];
        int32_t rank = gm_graph_rank(g, out[i]);
        for (int32_t a = 0; a < rank; a++) od[a] = gm_graph_dim(g, out[i], a);
        s = gm_tensor_create(c, GM_F64, rank, od, &b->out[i]);
    }
    gm_graph_destroy(g);
    return s;
}

static gm_status run(built *b) { return gm_run_exec(b->r, 5, b->n_in, b->in, b->n_out, b->out); }
static void destroy(built *b)
{
    for (int32_t i = 0; i < b->n_in; i++) gm_tensor_destroy(b->in[i]);
    for (int32_t i = 0; i < b->n_out; i++) gm_tensor_destroy(b->out[i]);
    gm_run_destroy(b->r);
    gmi_params_release(b->w);
    gm_program_destroy(b->p);
}

static int64_t tensor_count(const gm_tensor *t)
{
    int64_t n = 1;
    for (int32_t i = 0; i < gm_tensor_rank(t); i++) n *= gm_tensor_dim(t, i);
    return n;
}

#ifdef GMI_ORACLE
static double scalar_of(const built *b, int32_t i) { return *(const double *)gm_tensor_data_const(b->out[i]); }

/* |analytic - numeric| / max(|numeric|, 1e-6 scale), for every x_i: of output `value` against the gradient outputs from `first`. */
static double difference(built *b, const kase *k, int32_t value, int32_t first)
{
    double worst = 0;
    for (int32_t i = 0; i < k->n; i++) {
        int64_t n = count(&k->x[i]);
        double *x = gm_tensor_data(b->in[i]), *want = malloc((size_t)n * sizeof *want), num = 0, den = 0;
        const double *got = gm_tensor_data_const(b->out[first + i]);
        if (run(b)) return INFINITY;
        double scale = fabs(scalar_of(b, value));
        for (int64_t j = 0; j < n; j++) {
            double x0 = x[j], h = 1e-5 * fmax(1, fabs(x0)), up, dn;
            x[j] = x0 + h;
            if (run(b)) return INFINITY;
            up = scalar_of(b, value);
            x[j] = x0 - h;
            if (run(b)) return INFINITY;
            dn = scalar_of(b, value);
            x[j] = x0;
            want[j] = (up - dn) / (2 * h);
        }
        if (run(b)) return INFINITY;
        for (int64_t j = 0; j < n; j++) num += (got[j] - want[j]) * (got[j] - want[j]), den += want[j] * want[j];
        free(want);
        double e = sqrt(num) / fmax(sqrt(den), 1e-6 * fmax(scale, 1));
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

static void check(gm_context *c, const kase *k)
{
    built b;
    gm_status s = build(c, k, &b);
    double e1 = 1, e2 = 1, e3 = 1;
    if (!s) {
        e1 = difference(&b, k, 0, 1);
        e2 = difference(&b, k, 1 + k->n, 2 + k->n);
        e3 = difference(&b, k, 2 + 2 * k->n, 3 + 2 * k->n);
    }
    ok(!s && e1 < 1e-4 && e2 < 1e-4 && e3 < 1e-3, "%s: orders 1, 2, 3 off by %.1e, %.1e, %.1e %s", k->name, e1, e2, e3, s ? gm_context_error(c) : "");
    destroy(&b);
}

static void dump(gm_context *c, const kase *k)
{
    built b;
    if (!build(c, k, &b) && !run(&b))
        for (int32_t i = 0; i < b.n_out; i++)
            for (int64_t j = 0; j < tensor_count(b.out[i]); j++) printf("%.17g\n", ((const double *)gm_tensor_data_const(b.out[i]))[j]);
    destroy(&b);
}
#else
static void check(gm_context *c, const kase *k, FILE *f)
{
    built b;
    double worst = 0;
    gm_status s = build(c, k, &b);
    if (!s) s = run(&b);
    for (int32_t i = 0; !s && i < b.n_out; i++) {
        double num = 0, den = 0, want;
        const double *got = gm_tensor_data_const(b.out[i]);
        for (int64_t j = 0; j < tensor_count(b.out[i]); j++) {
            if (fscanf(f, "%lf", &want) != 1) want = NAN;
            num += (got[j] - want) * (got[j] - want), den += want * want;
        }
        double e = sqrt(num) / fmax(sqrt(den), 1e-6);
        if (!(e <= worst)) worst = e;
    }
    ok(!s && worst < 1e-3, "%s: float against double off by %.1e %s", k->name, worst, s ? gm_context_error(c) : "");
    destroy(&b);
}
#endif

static int covered(const char *op)
{
    for (int i = 0; i < N_CASES; i++) {
        const char *p = strstr(cases[i].ops, op);
        size_t n = strlen(op);
        for (; p; p = strstr(p + 1, op))
            if ((p == cases[i].ops || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    gm_context *c = NULL;
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = 2;
    if (gm_context_create(&o, &c)) return 1;
#ifdef GMI_ORACLE
    if (argc > 1 && !strcmp(argv[1], "--dump")) {
        for (int i = 0; i < N_CASES; i++) dump(c, &cases[i]);
        gm_context_destroy(c);
        return 0;
    }
    for (int i = 0; i < N_CASES; i++) check(c, &cases[i]);
#else
    char command[4096];
    char *suffix;
    if (snprintf(command, sizeof command, "%s --dump", argv[0]) >= (int)sizeof command) return 1;
    (void)argc;
    suffix = strstr(command, "_f32");
    if (suffix) memcpy(suffix, "_f64", 4);
    FILE *f = suffix ? popen(command, "r") : NULL;
    for (int i = 0; f && i < N_CASES; i++) check(c, &cases[i], f);
    ok(f && pclose(f) == 0, "the double build ran: %s", command);
#endif
    for (int i = 0; i < GMI_OP_COUNT; i++) ok(covered(gmi_op_table(i)->name), "op %s has a case", gmi_op_table(i)->name);
    gm_context_destroy(c);
    return done();
}
