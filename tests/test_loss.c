/* SPDX-License-Identifier: MIT */
/* test_loss.c: log densities and KL in nats against closed forms in double, also where logits are large; joining a condition. */
#include "base/base.h"
#include "genrep/graph.h"
#include "nn/nn.h"
#include "tap.h"

static gm_context *ctx;
static gm_graph *g;
static const double log2pi = 1.83787706640934533908;

/* The graph's inputs in order, f32 but the i32 ones; the output as doubles. */
static gm_status run(gm_node out, int32_t n, gm_tensor *const *in, double *y)
{
    const gm_program *p = NULL;
    gm_run *r = NULL;
    gm_tensor *ty = NULL;
    int64_t dims[8];
    int32_t i;
    gm_status s = gm_program_compile(g, 1, &out, &p);
    for (i = 0; i < gm_graph_rank(g, out); i++) dims[i] = gm_graph_dim(g, out, i);
    if (!s) s = gm_run_create(ctx, p, NULL, &r);
    if (!s) s = gm_tensor_wrap(ctx, GM_F64, gm_graph_rank(g, out), dims, NULL, y, &ty);
    if (!s) s = gm_run_exec(r, 1, n, in, 1, &ty);
    if (s) printf("# %s\n", gm_context_error(ctx));
    gm_tensor_destroy(ty);
    gm_run_destroy(r);
    gm_program_destroy(p);
    return s;
}

static gm_tensor *wrap(gm_dtype t, int32_t rank, int64_t a, int64_t b, int64_t c, void *p)
{
    int64_t dims[3];
    gm_tensor *out = NULL;
    dims[0] = a, dims[1] = b, dims[2] = c;
    return gm_tensor_wrap(ctx, t, rank, dims, NULL, p, &out) ? NULL : out;
}

static gm_node input(const char *name, gm_dtype t, int32_t rank, int64_t a, int64_t b, int64_t c)
{
    int64_t dims[3];
    dims[0] = a, dims[1] = b, dims[2] = c;
    return gm_graph_input(g, name, t, rank, dims);
}

static void begin(void)
{
    gm_graph_destroy(g);
    if (gm_graph_create(ctx, &g)) exit(1);
}

static void bernoulli(void)
{
    double l[8] = {0.5, -2, 30, -30, 100, -1e4, 3, 0}, x[8] = {1, 0, 1, 0, 0, 1, 0.25, 0.5}, y[2], want[2] = {0, 0};
    gm_tensor *in[2];
    gm_node nl, nx;
    int i;
    begin();
    nl = input("l", GM_F32, 2, 2, 4, 0);
    nx = input("x", GM_F32, 2, 2, 4, 0);
    in[0] = wrap(GM_F64, 2, 2, 4, 0, l), in[1] = wrap(GM_F64, 2, 2, 4, 0, x);
    for (i = 0; i < 8; i++) want[i / 4] += x[i] * l[i] - (l[i] > 0 ? l[i] + log1p(exp(-l[i])) : log1p(exp(l[i])));
    ok(!run(gmi_loss_bernoulli(g, nl, nx), 2, in, y), "bernoulli");
    near(y[0], want[0], 1e-6 * fabs(want[0]), "log p of a row");
    near(y[1], want[1], 1e-6 * fabs(want[1]), "log p with logits of 100 and -10000");
    gm_tensor_destroy(in[0]), gm_tensor_destroy(in[1]);
}

static void gaussian(void)
{
    double m[6] = {0, 1, -2, 0.5, 3, 0}, v[6] = {0, -3, 2, 1, -1, 0.5}, x[6] = {0.3, 1.2, 1, 0.5, 2, -1}, y[2], want[2] = {0, 0}, s[1] = {0.7};
    gm_tensor *in[3];
    gm_node nm, nv, nx;
    int i;
    begin();
    nm = input("m", GM_F32, 2, 2, 3, 0);
    nv = input("v", GM_F32, 2, 2, 3, 0);
    nx = input("x", GM_F32, 2, 2, 3, 0);
    in[0] = wrap(GM_F64, 2, 2, 3, 0, m), in[1] = wrap(GM_F64, 2, 2, 3, 0, v), in[2] = wrap(GM_F64, 2, 2, 3, 0, x);
    for (i = 0; i < 6; i++) want[i / 3] += -0.5 * (log2pi + v[i] + (x[i] - m[i]) * (x[i] - m[i]) / exp(v[i]));
    ok(!run(gmi_loss_gaussian(g, nm, nv, nx), 3, in, y), "gaussian");
    near(y[0], want[0], 1e-5, "log N of a row");
    near(y[1], want[1], 1e-5, "log N of another");
    gm_tensor_destroy(in[1]);
    begin();
    nm = input("m", GM_F32, 2, 2, 3, 0);
    nv = input("v", GM_F32, 0, 0, 0, 0);
    nx = input("x", GM_F32, 2, 2, 3, 0);
    in[1] = wrap(GM_F64, 0, 0, 0, 0, s);
    for (i = 0, want[0] = 0; i < 3; i++) want[0] += -0.5 * (log2pi + s[0] + (x[i] - m[i]) * (x[i] - m[i]) / exp(s[0]));
    ok(!run(gmi_loss_gaussian(g, nm, nv, nx), 3, in, y), "gaussian with one variance for all");
    near(y[0], want[0], 1e-5, "log N counts log 2 pi + logvar once a dimension");
    gm_tensor_destroy(in[0]), gm_tensor_destroy(in[1]), gm_tensor_destroy(in[2]);
}

static void kl(void)
{
    double m[4] = {0, 1e-3, -2, 3}, v[4] = {0, 1e-4, 2, -5}, y[4];
    gm_tensor *in[2];
    gm_node nm, nv;
    int i;
    begin();
    nm = input("m", GM_F32, 2, 2, 2, 0);
    nv = input("v", GM_F32, 2, 2, 2, 0);
    in[0] = wrap(GM_F64, 2, 2, 2, 0, m), in[1] = wrap(GM_F64, 2, 2, 2, 0, v);
    ok(!run(gmi_loss_kl_normal(g, nm, nv), 2, in, y), "kl");
    for (i = 0; i < 4; i++) {
        double want = 0.5 * (expm1(v[i]) - v[i] + m[i] * m[i]);
        near(y[i], want, 2e-6 * want + 1e-11, "KL(N(%g, exp %g) || N(0, 1))", m[i], v[i]);
    }
    ok(y[0] == 0, "and 0 where they are equal");
    gm_tensor_destroy(in[0]), gm_tensor_destroy(in[1]);
}

static void categorical(void)
{
    double l[12] = {1, 2, 3, 0, 0, 0, 100, -100, 0, -1, 5, 2}, y[2], want[2] = {0, 0};
    int32_t index[4] = {2, 0, 1, 1};
    gm_tensor *in[2];
    gm_node nl, ni;
    int i;
    begin();
    nl = input("l", GM_F32, 3, 2, 2, 3);
    ni = input("i", GM_I32, 2, 2, 2, 0);
    in[0] = wrap(GM_F64, 3, 2, 2, 3, l), in[1] = wrap(GM_I32, 2, 2, 2, 0, index);
    for (i = 0; i < 4; i++) {
        double top = fmax(l[i * 3], fmax(l[i * 3 + 1], l[i * 3 + 2]));
        want[i / 2] += l[i * 3 + index[i]] - top - log(exp(l[i * 3] - top) + exp(l[i * 3 + 1] - top) + exp(l[i * 3 + 2] - top));
    }
    ok(!run(gmi_loss_categorical(g, nl, ni), 2, in, y), "categorical");
    near(y[0], want[0], 1e-5, "log p of a row");
    near(y[1], want[1], 1e-4, "log p of an unlikely class");
    gm_tensor_destroy(in[0]), gm_tensor_destroy(in[1]);
}

static void condition(void)
{
    double x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, c[4] = {0, 1, 1, 0}, y[24];
    static const double rows[8] = {1, 2, 0, 1, 3, 4, 1, 0}, images[16] = {1, 2, 3, 4, 0, 0, 1, 1, 5, 6, 7, 8, 1, 1, 0, 0};
    gm_tensor *in[2];
    gm_node nx, nc, none = {0};
    int i, same = 1;
    begin();
    nx = input("x", GM_F32, 2, 2, 2, 0);
    nc = input("c", GM_F32, 2, 2, 2, 0);
    in[0] = wrap(GM_F64, 2, 2, 2, 0, x), in[1] = wrap(GM_F64, 2, 2, 2, 0, c);
    ok(gmi_nn_concat_cond(g, nx, none).id == nx.id, "no condition changes nothing");
    ok(!run(gmi_nn_concat_cond(g, nx, nc), 2, in, y), "a condition beside rows");
    for (i = 0; i < 8; i++) same = same && y[i] == rows[i];
    ok(same, "stands behind the features");
    gm_tensor_destroy(in[0]);
    begin();
    nx = input("x", GM_F32, 3, 2, 2, 2);
    nc = input("c", GM_F32, 2, 2, 2, 0);
    in[0] = wrap(GM_F64, 3, 2, 2, 2, x);
    ok(!run(gmi_nn_concat_cond(g, nx, nc), 2, in, y), "a condition beside signals");
    for (i = 0, same = 1; i < 16; i++) same = same && y[i] == images[i];
    ok(same, "is constant channels");
    gmi_nn_concat_cond(g, input("z", GM_F32, 1, 2, 0, 0), nc);
    ok(gm_graph_status(g) == GM_E_SHAPE, "beside [n] it is refused");
    gm_tensor_destroy(in[0]), gm_tensor_destroy(in[1]);
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    bernoulli();
    gaussian();
    kl();
    categorical();
    condition();
    gm_graph_destroy(g);
    gm_context_destroy(ctx);
    return done();
}
