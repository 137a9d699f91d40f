/* SPDX-License-Identifier: MIT */
/* test_layers.c: every layer word against its formula in plain double loops, parameter names and layouts, shapes that are refused, shared weights. */
#include "base/base.h"
#include "exec/exec.h"
#include "genrep/graph.h"
#include "genrep/layer.h"
#include "genrep/optim.h"
#include "nn/nn.h"
#include "tap.h"

static gm_context *ctx;
static double x[20000], y[20000], want[20000];
static int64_t ydims[8];
static int32_t yrank;
static gm_params *params; /* of the last run */
static char message[1200];

/* Any smooth bounded function of (name, index) serves as a weight. */
static double weight(const char *name, int64_t i)
{
    double h = (double)(gmi_hash_text(GMI_HASH_START, name) % 1000) * 0.01;
    return 0.7 * sin(h + 1.3 * (double)i) + 0.1;
}

static void fill_leaf(const char *name, gm_tensor *t)
{
    float *p = gm_tensor_data(t);
    int64_t n = 1, i;
    int32_t a;
    for (a = 0; a < gm_tensor_rank(t); a++) n *= gm_tensor_dim(t, a);
    for (i = 0; i < n; i++) p[i] = (float)(strstr(name, "running_var") ? 0.5 + fabs(weight(name, i)) : weight(name, i));
}

static gm_status fill_params(void)
{
    gm_status s = GM_OK;
    int32_t i;
    for (i = 0; !s && i < params->n_params + params->n_states; i++) {
        const char *name = i < params->n_params ? params->params[i].name : params->states[i - params->n_params].name;
        gm_tensor *t = NULL;
        s = gm_params_view(params, name, &t);
        if (!s) fill_leaf(name, t);
        gm_tensor_destroy(t);
    }
    return s;
}

static gm_status exec_once(gm_graph *g, gm_node out, gm_dtype type, int32_t rank, const int64_t *dims, void *in)
{
    const gm_program *p = NULL;
    gm_run *r = NULL;
    gm_tensor *tx = NULL, *ty = NULL;
    gm_status s = gm_program_compile(g, 1, &out, &p);
    if (!s) s = gm_run_create(ctx, p, params, &r);
    if (!s) s = gm_tensor_wrap(ctx, type, rank, dims, NULL, in, &tx);
    if (!s) s = gm_tensor_wrap(ctx, GM_F64, yrank, ydims, NULL, y, &ty);
    if (!s) s = gm_run_exec(r, 5, 1, &tx, 1, &ty);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_run_destroy(r);
    gm_program_destroy(p);
    return s;
}

/* Builds text over an input of that shape, with the weights above; y, yrank and ydims get the output. */
static gm_status run_typed(const char *text, int training, gm_dtype type, int32_t rank, const int64_t *dims, void *in)
{
    const gm_layer *l = NULL;
    gm_graph *g = NULL;
    gm_node n, none = {0};
    int32_t i;
    gm_status s = gm_layer_parse(ctx, text, &l);
    if (!s) s = gm_graph_create(ctx, &g);
    gm_params_destroy(params);
    params = NULL;
    if (!s) {
        gm_graph_set_training(g, training);
        n = gm_graph_input(g, "x", type == GM_I32 ? GM_I32 : GM_F32, rank, dims);
        n = gm_layer_build(l, g, n, none);
        s = gm_graph_status(g);
        yrank = gm_graph_rank(g, n);
        for (i = 0; i < yrank; i++) ydims[i] = gm_graph_dim(g, n, i);
    }
    if (!s) s = gm_params_create(ctx, g, 1, &params);
    if (!s) s = fill_params();
    if (!s) s = exec_once(g, n, type, rank, dims, in);
    snprintf(message, sizeof message, "%s", s ? gm_context_error(ctx) : "");
    gm_graph_destroy(g);
    gm_layer_destroy(l);
    return s;
}

static int64_t count(int32_t rank, const int64_t *dims)
{
    int64_t n = 1;
    int32_t i;
    for (i = 0; i < rank; i++) n *= dims[i];
    return n;
}

static int run(const char *text, int training, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t dims[4], i;
    dims[0] = a, dims[1] = b, dims[2] = c, dims[3] = d;
    for (i = 0; i < count(rank, dims); i++) x[i] = (double)(float)(1.7 * sin(0.37 * (double)i + 0.2) + 0.05 * (double)(i % 7));
    return run_typed(text, training, GM_F64, rank, dims, x);
}

/* y against want in the given shape. */
static void compare(const char *text, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t dims[4], i, n;
    double worst = 0, scale = 1;
    dims[0] = a, dims[1] = b, dims[2] = c, dims[3] = d;
    if (!ok(!message[0] && yrank == rank && memcmp(dims, ydims, (size_t)rank * sizeof *dims) == 0, "shape of %s", text)) {
        printf("# %s; rank %d: %d %d %d %d\n", message, (int)yrank, (int)ydims[0], (int)ydims[1], (int)ydims[2], (int)ydims[3]);
        return;
    }
    n = count(rank, dims);
    for (i = 0; i < n; i++) {
        scale = fmax(scale, fabs(want[i]));
        worst = fabs(y[i] - want[i]) <= worst ? worst : fabs(y[i] - want[i]); /* NaN stays */
    }
    ok(worst <= 3e-6 * scale, "values of %s (worst %.1e)", text, worst);
}

/* ---- linear layers ---- */

static void dense(void)
{
    int i, j, k;
    run("dense 5", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 3; i++)
        for (j = 0; j < 5; j++) {
            want[i * 5 + j] = weight("0.bias", j);
            for (k = 0; k < 4; k++) want[i * 5 + j] += x[i * 4 + k] * weight("0.weight", j * 4 + k);
        }
    compare("dense 5", 2, 3, 5, 0, 0);
    run("relu; dense 5 bias=0", 0, 4, 3, 2, 1, 2);
    for (i = 0; i < 3; i++)
        for (j = 0; j < 5; j++) {
            want[i * 5 + j] = 0;
            for (k = 0; k < 4; k++) want[i * 5 + j] += fmax(x[i * 4 + k], 0) * weight("1.weight", j * 4 + k);
        }
    compare("relu; dense 5 bias=0 (flattens)", 2, 3, 5, 0, 0);
    ok(params->n_params == 1, "bias=0 has no bias");
    run("maxout 3 2", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 3; i++)
        for (j = 0; j < 6; j++) {
            double v = weight("0.bias", j);
            for (k = 0; k < 4; k++) v += x[i * 4 + k] * weight("0.weight", j * 4 + k);
            want[i * 3 + j / 2] = j % 2 ? fmax(want[i * 3 + j / 2], v) : v;
        }
    compare("maxout 3 2", 2, 3, 3, 0, 0);
}

/* One shape of convolution; signals have h = kh = 1 and the parameters of the w axis. */
typedef struct shape {
    int n, c, h, w, co, kh, kw, sh, sw, ph, pw, dh, dw, groups, oph, opw;
} shape;

static void conv_reference(const shape *s, int oh, int ow)
{
    int n, o, i, j, c, a, b, cg = s->c / s->groups;
    for (n = 0; n < s->n; n++)
        for (o = 0; o < s->co; o++)
            for (i = 0; i < oh; i++)
                for (j = 0; j < ow; j++) {
                    double v = weight("0.bias", o);
                    for (c = 0; c < cg; c++)
                        for (a = 0; a < s->kh; a++)
                            for (b = 0; b < s->kw; b++) {
                                int h = i * s->sh - s->ph + a * s->dh, w = j * s->sw - s->pw + b * s->dw, ci = o / (s->co / s->groups) * cg + c;
                                if (h < 0 || w < 0 || h >= s->h || w >= s->w) continue;
                                v += x[((n * s->c + ci) * s->h + h) * s->w + w] * weight("0.weight", ((o * cg + c) * s->kh + a) * s->kw + b);
                            }
                    want[((n * s->co + o) * oh + i) * ow + j] = v;
                }
}

static void transpose_reference(const shape *s, int oh, int ow)
{
    int n, o, i, j, c, a, b, og = s->co / s->groups, cg = s->c / s->groups;
    for (i = 0; i < s->n * s->co * oh * ow; i++) want[i] = weight("0.bias", i / (oh * ow) % s->co);
    for (n = 0; n < s->n; n++)
        for (c = 0; c < s->c; c++)
            for (i = 0; i < s->h; i++)
                for (j = 0; j < s->w; j++)
                    for (o = 0; o < og; o++)
                        for (a = 0; a < s->kh; a++)
                            for (b = 0; b < s->kw; b++) {
                                int h = i * s->sh - s->ph + a * s->dh, w = j * s->sw - s->pw + b * s->dw, co = c / cg * og + o;
                                if (h < 0 || w < 0 || h >= oh || w >= ow) continue;
                                want[((n * s->co + co) * oh + h) * ow + w] +=
                                    x[((n * s->c + c) * s->h + i) * s->w + j] * weight("0.weight", ((c * og + o) * s->kh + a) * s->kw + b);
                            }
}

static void conv(const char *text, int signal, int transposed, const shape *s)
{
    int oh = (s->h + 2 * s->ph - s->dh * (s->kh - 1) - 1) / s->sh + 1, ow = (s->w + 2 * s->pw - s->dw * (s->kw - 1) - 1) / s->sw + 1;
    if (transposed) {
        oh = (s->h - 1) * s->sh - 2 * s->ph + s->dh * (s->kh - 1) + s->oph + 1;
        ow = (s->w - 1) * s->sw - 2 * s->pw + s->dw * (s->kw - 1) + s->opw + 1;
    }
    if (signal)
        run(text, 0, 3, s->n, s->c, s->w, 0);
    else
        run(text, 0, 4, s->n, s->c, s->h, s->w);
    (transposed ? transpose_reference : conv_reference)(s, oh, ow);
    if (signal)
        compare(text, 3, s->n, s->co, ow, 0);
    else
        compare(text, 4, s->n, s->co, oh, ow);
}

static void convolutions(void)
{
    static const shape a = {2, 3, 7, 8, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 0, 0}, b = {2, 4, 6, 9, 6, 2, 3, 1, 2, 0, 1, 2, 1, 2, 0, 0},
                       c = {2, 3, 1, 11, 4, 1, 3, 1, 2, 0, 1, 1, 2, 1, 0, 0}, d = {2, 3, 3, 4, 5, 4, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1},
                       e = {2, 4, 3, 4, 6, 3, 2, 2, 3, 1, 0, 1, 2, 2, 0, 1}, f = {2, 3, 1, 5, 4, 1, 4, 1, 2, 0, 1, 1, 1, 1, 0, 1};
    conv("conv 4 k3 s2 p1", 0, 0, &a);
    conv("conv2d 6 k2x3 s1x2 p0x1 d2x1 g2", 0, 0, &b);
    conv("conv 4 k3 s2 p1 d2", 1, 0, &c);
    conv("conv1d 4 k3 s2 p1 d2", 1, 0, &c);
    conv("conv_transpose 5 k4 s2 p1 op1", 0, 1, &d);
    conv("conv_transpose2d 6 k3x2 s2x3 p1x0 d1x2 g2 op0x1", 0, 1, &e);
    conv("conv_transpose 4 k4 s2 p1 op1", 1, 1, &f);
    conv("conv_transpose1d 4 k4 s2 p1 op1", 1, 1, &f);
}

static void embedding(void)
{
    int32_t rows[6] = {4, 0, 2, 2, 1, 3};
    int64_t dims[2] = {3, 2}, flat = 6;
    int i, j;
    run_typed("embedding 5 3", 0, GM_I32, 2, dims, rows);
    for (i = 0; i < 6; i++)
        for (j = 0; j < 3; j++) want[i * 3 + j] = weight("0.weight", rows[i] * 3 + j);
    compare("embedding 5 3 of [3,2]", 3, 3, 2, 3, 0);
    run_typed("embedding 5 3", 0, GM_I32, 1, &flat, rows);
    compare("embedding 5 3 of [6]", 2, 6, 3, 0, 0);
    rows[1] = 5;
    ok(run_typed("embedding 5 3", 0, GM_I32, 1, &flat, rows) == GM_E_RANGE, "a row past the table is refused");
}

/* ---- activations ---- */

typedef double unary(double);
static double f_relu(double v) { return fmax(v, 0); }
static double f_relu6(double v) { return fmin(fmax(v, 0), 6); }
static double f_leaky(double v) { return v > 0 ? v : 0.01 * v; }
static double f_leaky2(double v) { return v > 0 ? v : 0.2 * v; }
static double f_elu(double v) { return v > 0 ? v : expm1(v); }
static double f_elu2(double v) { return v > 0 ? v : 0.5 * expm1(v); }
static double f_celu2(double v) { return v > 0 ? v : 2 * expm1(v / 2); }
static double f_selu(double v) { return 1.0507009873554804934193349852946 * (v > 0 ? v : 1.6732632423543772848170429916717 * expm1(v)); }
static double f_gelu(double v) { return 0.5 * v * (1 + erf(v / sqrt(2))); }
static double f_gelu_tanh(double v) { return 0.5 * v * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v))); }
static double f_sigmoid(double v) { return 1 / (1 + exp(-v)); }
static double f_silu(double v) { return v * f_sigmoid(v); }
static double f_softplus(double v) { return log1p(exp(v)); }
static double f_softplus2(double v) { return log1p(exp(2 * v)) / 2; }
static double f_mish(double v) { return v * tanh(f_softplus(v)); }
static double f_softsign(double v) { return v / (1 + fabs(v)); }
static double f_log_sigmoid(double v) { return -log1p(exp(-v)); }
static double f_hard_sigmoid(double v) { return fmin(fmax(v / 6 + 0.5, 0), 1); }
static double f_hard_silu(double v) { return v * f_hard_sigmoid(v); }
static double f_hard_tanh(double v) { return fmin(fmax(v, -1), 1); }
static double f_prelu(double v) { return v > 0 ? v : weight("0.weight", 0) * v; }

static void activations(void)
{
    static const struct row {
        const char *text;
        unary *f;
    } rows[] = {{"relu", f_relu}, {"relu6", f_relu6}, {"leaky_relu", f_leaky}, {"leaky_relu 0.2", f_leaky2}, {"elu", f_elu}, {"elu 0.5", f_elu2}, {"celu 2", f_celu2},
                {"selu", f_selu}, {"gelu", f_gelu}, {"gelu tanh", f_gelu_tanh}, {"silu", f_silu}, {"mish", f_mish}, {"softplus", f_softplus}, {"softplus 2", f_softplus2},
                {"softsign", f_softsign}, {"sigmoid", f_sigmoid}, {"log_sigmoid", f_log_sigmoid}, {"hard_sigmoid", f_hard_sigmoid}, {"hard_silu", f_hard_silu},
                {"tanh", tanh}, {"hard_tanh", f_hard_tanh}, {"prelu", f_prelu}};
    int i, k, j;
    for (k = 0; k < (int)GMI_COUNT(rows); k++) {
        run(rows[k].text, 0, 2, 8, 9, 0, 0);
        for (i = 0; i < 72; i++) want[i] = rows[k].f(x[i]);
        compare(rows[k].text, 2, 8, 9, 0, 0);
    }
    run("prelu 3", 0, 3, 2, 3, 4, 0);
    for (i = 0; i < 24; i++) want[i] = x[i] > 0 ? x[i] : x[i] * weight("0.weight", i / 4 % 3);
    compare("prelu 3", 3, 2, 3, 4, 0);
    run("softmax", 0, 3, 2, 3, 4, 0);
    for (i = 0; i < 8; i++) {
        double sum = 0;
        for (j = 0; j < 3; j++) sum += exp(x[i / 4 * 12 + j * 4 + i % 4]);
        for (j = 0; j < 3; j++) want[i / 4 * 12 + j * 4 + i % 4] = exp(x[i / 4 * 12 + j * 4 + i % 4]) / sum;
    }
    compare("softmax", 3, 2, 3, 4, 0);
    run("log_softmax", 0, 3, 2, 3, 4, 0);
    for (i = 0; i < 24; i++) want[i] = log(want[i]);
    compare("log_softmax", 3, 2, 3, 4, 0);
}

/* Far from zero nothing overflows that should not. */
static void extremes(void)
{
    static const char *const texts[] = {"elu", "celu 0.5", "selu", "gelu", "gelu tanh", "silu", "mish", "softplus", "softsign", "sigmoid", "log_sigmoid", "softmax", "log_softmax"};
    double in[4] = {-200, 200, -1e4, 1e4};
    int64_t dims[2] = {2, 2};
    int k, i, bad;
    for (k = 0; k < (int)GMI_COUNT(texts); k++) {
        run_typed(texts[k], 0, GM_F64, 2, dims, in);
        for (i = bad = 0; i < 4; i++) bad += !isfinite(y[i]);
        ok(!bad && !message[0], "%s is finite at +-200 and +-10000", texts[k]);
    }
    in[0] = NAN;
    for (k = 0; k < 11; k++) {
        run_typed(texts[k], 0, GM_F64, 2, dims, in);
        ok(isnan(y[0]) && isfinite(y[1]), "%s of NaN is NaN", texts[k]);
    }
}

/* ---- norms and dropout ---- */

/* Statistics of the elements for which group(i) is g. */
typedef int64_t group_fn(int64_t i);
static void normalize_reference(int64_t n, int64_t groups, group_fn *of, double *mean, double *var)
{
    int64_t i, g;
    double *size = calloc((size_t)groups, sizeof *size);
    for (g = 0; g < groups; g++) mean[g] = var[g] = 0;
    for (i = 0; i < n; i++) mean[of(i)] += x[i], size[of(i)]++;
    for (g = 0; g < groups; g++) mean[g] /= size[g];
    for (i = 0; i < n; i++) var[of(i)] += (x[i] - mean[of(i)]) * (x[i] - mean[of(i)]);
    for (g = 0; g < groups; g++) var[g] /= size[g];
    free(size);
}
/* x is [5,6,2,3] in all of them. */
static int64_t by_channel(int64_t i) { return i / 6 % 6; }
static int64_t by_example(int64_t i) { return i / 36; }
static int64_t by_two(int64_t i) { return i / 12; }
static int64_t by_plane(int64_t i) { return i / 6; }

static float state_of(const char *name, int64_t i, int next)
{
    int is_state;
    const gmi_slot *s = gmi_params_find(params, name, &is_state);
    return s && is_state ? (float)(next ? params->state_next : params->state)[s->offset + i] : NAN;
}

static void norms(void)
{
    double mean[64], var[64], worst = 0;
    int64_t i;
    run("batch_norm", 1, 4, 5, 6, 2, 3);
    normalize_reference(180, 6, by_channel, mean, var);
    for (i = 0; i < 180; i++)
        want[i] = (x[i] - mean[i / 6 % 6]) / sqrt(var[i / 6 % 6] + 1e-5) * weight("0.weight", i / 6 % 6) + weight("0.bias", i / 6 % 6);
    compare("batch_norm in training", 4, 5, 6, 2, 3);
    for (i = 0; i < 6; i++) {
        worst = fmax(worst, fabs(state_of("0.running_mean", i, 1) - (0.9 * weight("0.running_mean", i) + 0.1 * mean[i])));
        worst = fmax(worst, fabs(state_of("0.running_var", i, 1) - (0.9 * (0.5 + fabs(weight("0.running_var", i))) + 0.1 * var[i] * 30 / 29)));
    }
    ok(worst < 1e-6, "running statistics move by momentum, the variance unbiased (%.1e)", worst);
    ok(fabs(state_of("0.running_mean", 2, 0) - weight("0.running_mean", 2)) < 1e-7, "and are not committed by the run itself");
    run("batch_norm momentum=0.5 affine=0 eps=0.1", 1, 2, 30, 6, 0, 0);
    ok(params->n_params == 0 && params->n_states == 2, "affine=0 has no parameters");
    run("batch_norm", 0, 4, 5, 6, 2, 3);
    for (i = 0; i < 180; i++) {
        int64_t c = i / 6 % 6;
        want[i] = (x[i] - weight("0.running_mean", c)) / sqrt(0.5 + fabs(weight("0.running_var", c)) + 1e-5) * weight("0.weight", c) + weight("0.bias", c);
    }
    compare("batch_norm at inference", 4, 5, 6, 2, 3);
    run("layer_norm", 0, 4, 5, 6, 2, 3);
    normalize_reference(180, 5, by_example, mean, var);
    for (i = 0; i < 180; i++) want[i] = (x[i] - mean[i / 36]) / sqrt(var[i / 36] + 1e-5) * weight("0.weight", i % 36) + weight("0.bias", i % 36);
    compare("layer_norm", 4, 5, 6, 2, 3);
    run("group_norm 3 eps=0.001", 0, 4, 5, 6, 2, 3);
    normalize_reference(180, 15, by_two, mean, var);
    for (i = 0; i < 180; i++) want[i] = (x[i] - mean[i / 12]) / sqrt(var[i / 12] + 1e-3) * weight("0.weight", i / 6 % 6) + weight("0.bias", i / 6 % 6);
    compare("group_norm 3 eps=0.001", 4, 5, 6, 2, 3);
    run("instance_norm", 1, 4, 5, 6, 2, 3);
    normalize_reference(180, 30, by_plane, mean, var);
    for (i = 0; i < 180; i++) want[i] = (x[i] - mean[i / 6]) / sqrt(var[i / 6] + 1e-5);
    compare("instance_norm", 4, 5, 6, 2, 3);
    run("instance_norm affine=1", 1, 4, 5, 6, 2, 3);
    for (i = 0; i < 180; i++) want[i] = want[i] * weight("0.weight", i / 6 % 6) + weight("0.bias", i / 6 % 6);
    compare("instance_norm affine=1", 4, 5, 6, 2, 3);
}

static void dropout(void)
{
    int i, kept = 0, wrong = 0;
    run("dropout 0.25", 0, 2, 100, 100, 0, 0);
    for (i = 0; i < 10000; i++) wrong += y[i] != x[i];
    ok(!wrong && !message[0], "dropout is the identity at inference");
    run("dropout 0.25", 1, 2, 100, 100, 0, 0);
    for (i = 0; i < 10000; i++) {
        kept += y[i] != 0;
        wrong += y[i] != 0 && fabs(y[i] - x[i] / 0.75) > 1e-6;
    }
    ok(!wrong, "kept values are x / (1 - rate)");
    ok(abs(kept - 7500) < 6 * 44, "a quarter is dropped (%d of 10000 kept)", kept);
}

/* ---- shapes ---- */

static void shapes(void)
{
    int n, c, i, j, a, b;
    run("flatten", 0, 4, 2, 3, 2, 2);
    for (i = 0; i < 24; i++) want[i] = x[i];
    compare("flatten", 2, 2, 12, 0, 0);
    run("reshape 4x3x1", 0, 2, 2, 12, 0, 0);
    compare("reshape 4x3x1", 4, 2, 4, 3, 1);
    run("upsample 2x3", 0, 4, 2, 2, 3, 2);
    for (i = 0; i < 4; i++)
        for (a = 0; a < 6; a++)
            for (b = 0; b < 6; b++) want[(i * 6 + a) * 6 + b] = x[(i * 3 + a / 2) * 2 + b / 3];
    compare("upsample 2x3", 4, 2, 2, 6, 6);
    run("upsample 3", 0, 3, 2, 2, 4, 0);
    for (i = 0; i < 48; i++) want[i] = x[i / 3];
    compare("upsample 3 of a signal", 3, 2, 2, 12, 0);
    run("upsample 2 bilinear", 0, 3, 2, 2, 4, 0);
    for (i = 0; i < 4; i++)
        for (j = 0; j < 8; j++) {
            double at = fmax((j + 0.5) / 2 - 0.5, 0), f = at - floor(at);
            int k = (int)floor(at), k1 = k < 3 ? k + 1 : 3;
            want[i * 8 + j] = (1 - f) * x[i * 4 + k] + f * x[i * 4 + k1];
        }
    compare("upsample 2 bilinear of a signal", 3, 2, 2, 8, 0);
    run("pixel_shuffle 2", 0, 4, 2, 8, 3, 2);
    for (n = 0; n < 2; n++)
        for (c = 0; c < 2; c++)
            for (a = 0; a < 6; a++)
                for (b = 0; b < 4; b++) want[((n * 2 + c) * 6 + a) * 4 + b] = x[((n * 8 + c * 4 + a % 2 * 2 + b % 2) * 3 + a / 2) * 2 + b / 2];
    compare("pixel_shuffle 2", 4, 2, 2, 6, 4);
}

static void pools(void)
{
    int p, i, j, a, b;
    run("max_pool k3 s2 p1", 0, 4, 2, 2, 5, 6);
    for (p = 0; p < 4; p++)
        for (i = 0; i < 3; i++)
            for (j = 0; j < 3; j++) {
                double v = -1e9;
                for (a = 2 * i - 1; a < 2 * i + 2; a++)
                    for (b = 2 * j - 1; b < 2 * j + 2; b++)
                        if (a >= 0 && b >= 0 && a < 5 && b < 6) v = fmax(v, x[(p * 5 + a) * 6 + b]);
                want[(p * 3 + i) * 3 + j] = v;
            }
    compare("max_pool k3 s2 p1", 4, 2, 2, 3, 3);
    run("avg_pool k3 s2 p1", 0, 4, 2, 2, 5, 6);
    for (p = 0; p < 4; p++)
        for (i = 0; i < 3; i++)
            for (j = 0; j < 3; j++) {
                double v = 0;
                for (a = 2 * i - 1; a < 2 * i + 2; a++)
                    for (b = 2 * j - 1; b < 2 * j + 2; b++)
                        if (a >= 0 && b >= 0 && a < 5 && b < 6) v += x[(p * 5 + a) * 6 + b];
                want[(p * 3 + i) * 3 + j] = v / 9;
            }
    compare("avg_pool k3 s2 p1 counts the padding", 4, 2, 2, 3, 3);
    run("max_pool k2", 0, 3, 2, 3, 7, 0);
    for (p = 0; p < 6; p++)
        for (i = 0; i < 3; i++) want[p * 3 + i] = fmax(x[p * 7 + 2 * i], x[p * 7 + 2 * i + 1]);
    compare("max_pool k2 of a signal: the stride is the kernel", 3, 2, 3, 3, 0);
    run("global_avg_pool", 0, 4, 2, 3, 2, 5);
    for (p = 0; p < 6; p++)
        for (i = 0, want[p] = 0; i < 10; i++) want[p] += x[p * 10 + i] / 10;
    compare("global_avg_pool", 2, 2, 3, 0, 0);
    run("global_max_pool", 0, 3, 2, 3, 10, 0);
    for (p = 0; p < 6; p++)
        for (i = 0, want[p] = -1e9; i < 10; i++) want[p] = fmax(want[p], x[p * 10 + i]);
    compare("global_max_pool of a signal", 2, 2, 3, 0, 0);
}

/* ---- blocks ---- */

static double dense_at(const char *w, const char *b, int units, int n, int i, int j)
{
    double v = weight(b, j);
    int k;
    (void)units;
    for (k = 0; k < n; k++) v += x[i * n + k] * weight(w, j * n + k);
    return v;
}

static void stddev_reference(int64_t n, int64_t rest, int64_t plane, int64_t group)
{
    int64_t groups = n / group, i, j, k, c = rest / plane;
    for (i = 0; i < n; i++) {
        double sum = 0;
        for (j = 0; j < rest; j++) {
            double m = 0, v = 0;
            for (k = i % groups; k < n; k += groups) m += x[k * rest + j] / (double)group;
            for (k = i % groups; k < n; k += groups) v += (x[k * rest + j] - m) * (x[k * rest + j] - m) / (double)group;
            sum += sqrt(v + 1e-8) / (double)rest;
            want[i * (c + 1) * plane + j] = x[i * rest + j];
        }
        for (j = 0; j < plane; j++) want[(i * (c + 1) + c) * plane + j] = sum;
    }
}

static void blocks(void)
{
    int i, j;
    run("residual ( dense 4; relu )", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 12; i++) want[i] = x[i] + fmax(dense_at("0.0.0.weight", "0.0.0.bias", 4, 4, i / 4, i % 4), 0);
    compare("residual", 2, 3, 4, 0, 0);
    run("residual ( dense 2 ) ( dense 2 )", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 6; i++) want[i] = dense_at("0.0.0.weight", "0.0.0.bias", 2, 4, i / 2, i % 2) + dense_at("0.1.0.weight", "0.1.0.bias", 2, 4, i / 2, i % 2);
    compare("residual with a shortcut", 2, 3, 2, 0, 0);
    run("concat ( ) ( dense 2 )", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 3; i++)
        for (j = 0; j < 6; j++) want[i * 6 + j] = j < 4 ? x[i * 4 + j] : dense_at("0.1.0.weight", "0.1.0.bias", 2, 4, i, j - 4);
    compare("concat", 2, 3, 6, 0, 0);
    run("minibatch_stddev", 1, 4, 8, 3, 2, 2);
    stddev_reference(8, 12, 4, 4);
    compare("minibatch_stddev", 4, 8, 4, 2, 2);
    run("minibatch_stddev", 1, 2, 6, 5, 0, 0);
    stddev_reference(6, 5, 1, 3);
    compare("minibatch_stddev of six rows: groups of three", 2, 6, 6, 0, 0);
}

/* ---- names, layouts, refusals ---- */

static void has(const char *name, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t dims[4];
    int is_state;
    const gmi_slot *s = params ? gmi_params_find(params, name, &is_state) : NULL;
    dims[0] = a, dims[1] = b, dims[2] = c, dims[3] = d;
    ok(s && s->rank == rank && memcmp(s->dims, dims, (size_t)rank * sizeof *dims) == 0, "%s has PyTorch's layout", name);
}

static void names(void)
{
    run("conv 8 k3x5 p1x2 g2; batch_norm; relu; conv_transpose 6 k4 s2 p1 g2; flatten; dense 3; layer_norm", 1, 4, 2, 4, 3, 3);
    ok(!message[0], "a stack of layers runs (%s)", message);
    has("0.weight", 4, 8, 2, 3, 5);
    has("0.bias", 1, 8, 0, 0, 0);
    has("1.running_var", 1, 8, 0, 0, 0);
    has("3.weight", 4, 8, 3, 4, 4);
    has("3.bias", 1, 6, 0, 0, 0);
    has("5.weight", 2, 3, 216, 0, 0);
    has("6.bias", 1, 3, 0, 0, 0);
    ok(params->n_params == 10 && params->n_states == 2, "and nothing else");
    run("conv 8 k3; conv_transpose 2 k5", 0, 3, 2, 4, 9, 0);
    has("0.weight", 3, 8, 4, 3, 0);
    has("1.weight", 3, 8, 2, 5, 0);
}

static void refused(const char *text, gm_status status, const char *mention, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    gm_status s = run(text, 1, rank, a, b, c, d);
    ok(s == status && strstr(message, mention), "refused: %s (%s)", text, message);
}

static void refusals(void)
{
    refused("conv 4 k3", GM_E_SHAPE, "conv", 2, 3, 4, 0, 0);
    refused("relu; conv1d 4 k3", GM_E_SHAPE, "1 conv1d", 4, 3, 4, 5, 5);
    refused("conv 4 k3x3", GM_E_SHAPE, "conv", 3, 3, 4, 1, 0); /* k3x3 reads as k3: the signal of length 1 is too short */
    refused("conv 4 k3x5", GM_E_SHAPE, "k3x5", 3, 3, 4, 9, 0);
    refused("conv 4 k3 g3", GM_E_SHAPE, "groups", 4, 3, 4, 5, 5);
    refused("conv 4 k7", GM_E_SHAPE, "conv", 4, 3, 4, 5, 5);
    refused("reshape 3x3", GM_E_SHAPE, "reshape", 2, 3, 8, 0, 0);
    refused("residual ( dense 5 )", GM_E_SHAPE, "residual", 2, 3, 8, 0, 0);
    refused("concat ( flatten ) ( )", GM_E_SHAPE, "concat", 4, 3, 8, 2, 2);
    refused("pixel_shuffle 2", GM_E_SHAPE, "pixel_shuffle", 4, 3, 6, 2, 2);
    refused("batch_norm", GM_E_SHAPE, "batch_norm", 2, 1, 6, 0, 0);
    refused("group_norm 4", GM_E_SHAPE, "group_norm", 2, 3, 6, 0, 0);
    refused("instance_norm", GM_E_SHAPE, "instance_norm", 2, 3, 6, 0, 0);
    refused("embedding 4 3", GM_E_SHAPE, "GM_I32", 2, 3, 6, 0, 0);
    refused("max_pool k2 p2", GM_E_RANGE, "max_pool", 4, 3, 6, 4, 4);
    refused("softmax", GM_E_SHAPE, "softmax", 1, 3, 0, 0, 0);
    refused("prelu 4", GM_E_SHAPE, "prelu", 2, 3, 6, 0, 0);
    refused("upsample 2", GM_E_SHAPE, "upsample", 2, 3, 6, 0, 0);
    refused("global_avg_pool", GM_E_SHAPE, "global_avg_pool", 2, 3, 6, 0, 0);
}

static gm_node own(void *user, gm_graph *g, gm_node in, gm_node cond, int32_t n, const double *args)
{
    int64_t one = 1;
    gm_node w, none = {0};
    (void)cond;
    if (user == NULL) return none;
    w = gm_graph_param(g, "gain", "ones", 1, &one);
    return gm_op_add(g, gm_op_mul(g, in, w), gm_op_scalar(g, n > 1 ? args[1] : 0.0));
}

static void own_layers(void)
{
    gm_layer_class k;
    int i;
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "gain";
    k.build = own;
    k.user = &k;
    ok(!gm_layer_register(ctx, &k), "an own layer");
    k.word = "broken";
    k.user = NULL;
    ok(!gm_layer_register(ctx, &k), "and one that returns no node");
    run("relu; gain 1 0.5", 0, 2, 3, 4, 0, 0);
    for (i = 0; i < 12; i++) want[i] = fmax(x[i], 0) * weight("1.gain", 0) + 0.5;
    compare("relu; gain 1 0.5", 2, 3, 4, 0, 0);
    ok(run("broken", 0, 2, 3, 4, 0, 0) == GM_E_CALLBACK && strstr(message, "broken"), "an own layer without a result is an error");
}

/* One layer twice in a graph shares its weights; two layers with the same names do not. */
static void sharing(void)
{
    const gm_layer *a = NULL, *b = NULL;
    gm_graph *g = NULL;
    gm_node in, other, none = {0};
    int64_t dims[2] = {3, 4};
    ok(!gm_layer_parse(ctx, "dense 5; batch_norm", &a) && !gm_layer_parse(ctx, "dense 5; batch_norm", &b) && !gm_graph_create(ctx, &g), "two layers");
    gm_graph_set_training(g, 1);
    in = gm_graph_input(g, "x", GM_F32, 2, dims);
    other = gm_graph_input(g, "y", GM_F32, 2, dims);
    gm_layer_build(a, g, in, none);
    ok(g->params.n == 4 && g->states.n == 2, "the first time makes its parameters");
    gm_layer_build(a, g, other, none);
    ok(!gm_graph_status(g) && g->params.n == 4 && g->states.n == 2, "the second time shares them");
    gm_layer_build(b, g, other, none);
    ok(gm_graph_status(g) == GM_E_INVALID && strstr(gm_context_error(ctx), "0.weight"), "another layer with the same names is refused");
    ok(gmi_layer_couples_batch(a) == 1 && gmi_layer_ends_linear(a) == 0, "batch norm couples the batch");
    gm_graph_destroy(g);
    ok(!gm_graph_create(ctx, &g), "a new graph");
    in = gm_graph_input(g, "x", GM_F32, 2, dims);
    gm_layer_build_as(a, g, "encoder", in, none);
    gm_layer_build_as(b, g, "decoder", in, none);
    ok(!gm_graph_status(g) && g->params.n == 8 && !strcmp(g->params.p[0].name, "encoder.0.weight") && !strcmp(g->params.p[7].name, "decoder.1.bias"),
       "under names of their own both fit");
    gm_layer_build_as(a, g, "", in, none);
    ok(gm_graph_status(g) == GM_E_INVALID, "an empty name is refused");
    gm_graph_destroy(g);
    gm_layer_destroy(a);
    gm_layer_destroy(b);
    ok(!gm_layer_parse(ctx, "residual ( minibatch_stddev ); dense 1", &a) && gmi_layer_couples_batch(a) && gmi_layer_ends_linear(a), "also inside a group");
    gm_layer_destroy(a);
    ok(!gm_layer_parse(ctx, "layer_norm; dense 1 relu", &a) && !gmi_layer_couples_batch(a) && !gmi_layer_ends_linear(a), "an activation ends the linear head");
    gm_layer_destroy(a);
    ok(gm_layer_build(NULL, NULL, none, none).id == 0, "NULL gives no node");
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    dense();
    convolutions();
    embedding();
    activations();
    extremes();
    norms();
    dropout();
    shapes();
    pools();
    blocks();
    names();
    refusals();
    own_layers();
    sharing();
    gm_params_destroy(params);
    gm_context_destroy(ctx);
    return done();
}
