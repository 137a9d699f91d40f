/* SPDX-License-Identifier: MIT */
/* opcheck_layers.c: every layer word and loss: the gradient of L = <w, f(x)> and of ||dL/d.||^2 with respect to the input and every parameter.
 *
 * Built twice, as opcheck.c: in double against central differences (1e-4), in float against the double build's numbers (1e-3). */
#include "exec/exec.h"
#include "nn/layers.h"
#include "nn/nn.h"
#include "tap.h"
#include "train/params.h"
#include <genrep.h>

#define MAX_WRT 24
typedef gm_node loss_fn(gm_graph *g, gm_node x);
typedef struct kase {
    const char *text; /* layers, or the name of a loss */
    loss_fn *loss;    /* NULL: the layers */
    int32_t rank;
    int64_t dims[4];
    double lo, hi;
} kase;

static gm_node bernoulli(gm_graph *g, gm_node x)
{
    int64_t d[2] = {3, 5};
    return gmi_loss_bernoulli(g, x, gm_op_sigmoid(g, gm_graph_param(g, "target", "normal", 2, d)));
}
static gm_node gaussian(gm_graph *g, gm_node x)
{
    int64_t d[2] = {3, 5}, v[1] = {5};
    gm_node logvar = gm_graph_param(g, "logvar", "normal", 1, v);
    return gmi_loss_gaussian(g, x, logvar, gm_graph_param(g, "target", "normal", 2, d));
}
static gm_node categorical(gm_graph *g, gm_node x)
{
    gm_node index = gm_op_argmax(g, gm_op_stop_gradient(g, x), 2);
    return gmi_loss_categorical(g, x, index);
}
static gm_node kl(gm_graph *g, gm_node x)
{
    int64_t d[2] = {3, 5};
    return gmi_loss_kl_normal(g, x, gm_graph_param(g, "logvar", "normal", 2, d));
}

#define ROWS NULL, 2, {4, 6, 0, 0}, -1.5, 1.5
#define IMAGE NULL, 4, {2, 4, 6, 5}, -1.5, 1.5
#define SIGNAL NULL, 3, {2, 4, 7, 0}, -1.5, 1.5
static const kase cases[] = {
    {"dense 3", ROWS}, {"dense 3 bias=0; tanh; dense 2", ROWS}, {"flatten; dense 2", IMAGE}, {"conv 3 k3 s2 p1", IMAGE}, {"conv 6 k3x2 s1 p1 g2 d2", IMAGE},
    {"conv 3 k3 s2 p1", SIGNAL}, {"conv1d 3 k3", SIGNAL}, {"conv2d 3 k3", IMAGE}, {"conv_transpose 3 k4 s2 p1 op1", IMAGE}, {"conv_transpose1d 3 k4 s2 p1", SIGNAL},
    {"conv_transpose2d 2 k3 g2", IMAGE}, {"batch_norm", ROWS}, {"conv 3 k3 bias=0; batch_norm; tanh", IMAGE}, {"batch_norm", SIGNAL}, {"layer_norm", ROWS},
    {"layer_norm", IMAGE}, {"group_norm 2", IMAGE}, {"instance_norm", IMAGE}, {"dropout 0.3", ROWS}, {"reshape 2x3x1; conv 2 k1", ROWS}, {"upsample 2", IMAGE},
    {"pixel_shuffle 2", IMAGE}, {"max_pool k2", IMAGE}, {"avg_pool k3 s2 p1", IMAGE}, {"global_avg_pool", IMAGE}, {"global_max_pool", IMAGE},
    {"residual (dense 6; tanh)", ROWS}, {"concat (dense 2; tanh) (dense 3)", ROWS}, {"maxout 3 2", ROWS}, {"minibatch_stddev", NULL, 4, {4, 2, 3, 2}, -1.5, 1.5}, {"relu", ROWS},
    {"leaky_relu 0.2", ROWS}, {"elu", ROWS}, {"selu", ROWS}, {"gelu", ROWS}, {"silu", ROWS}, {"mish", ROWS}, {"softplus", ROWS}, {"sigmoid", ROWS}, {"tanh", ROWS},
    {"softmax", ROWS}, {"log_softmax", ROWS}, {"hard_tanh", ROWS}, {"softsign", ROWS}, {"prelu", IMAGE}, {"relu6", ROWS}, {"celu", ROWS}, {"hard_sigmoid", ROWS},
    {"hard_silu", ROWS}, {"log_sigmoid", ROWS}, {"gelu tanh", ROWS},
    {"loss bernoulli", bernoulli, 2, {3, 5, 0, 0}, -3, 3}, {"loss gaussian", gaussian, 2, {3, 5, 0, 0}, -1, 1},
    {"loss categorical", categorical, 3, {3, 2, 4, 0}, -2, 2}, {"loss kl", kl, 2, {3, 5, 0, 0}, -1, 1},
};
#define N_CASES ((int)(sizeof cases / sizeof cases[0]))

typedef struct built {
    gm_params *w;
    const gm_program *p;
    gm_run *r;
    int32_t n;              /* wrt: x, then parameters */
    gmi_real *value[MAX_WRT];
    int64_t count[MAX_WRT];
    gmi_real x[1000], weight[1000];
    gmi_real *out[2 + 2 * MAX_WRT]; /* L, N, dL/d., dN/d. */
    int64_t out_count[2 + 2 * MAX_WRT];
} built;

static int64_t count_of(const gm_graph *g, gm_node a)
{
    int64_t n = 1;
    for (int32_t i = 0; i < gm_graph_rank(g, a); i++) n *= gm_graph_dim(g, a, i);
    return n;
}

static gm_node norm2(gm_graph *g, int32_t n, const gm_node *d)
{
    gm_node s = gm_op_scalar(g, 0.0);
    for (int32_t i = 0; i < n; i++) s = gm_op_add(g, s, gm_op_sum(g, gm_op_square(g, d[i]), (1u << gm_graph_rank(g, d[i])) - 1, 0));
    return s;
}

/* 1: built; 0: this build does not know the word; -1: failed. */
static int build(gm_context *c, const kase *k, built *b)
{
    const gm_layer *l = NULL;
    gm_graph *g = NULL;
    gm_node none = {0}, y, wrt[MAX_WRT], out[2 + 2 * MAX_WRT];
    uint32_t seed = 12345;
    memset(b, 0, sizeof *b);
    if (!k->loss && gm_layer_parse(c, k->text, &l)) return 0;
    if (gm_graph_create(c, &g)) return -1;
    g->training = 1;
    wrt[0] = gm_graph_input(g, "x", GM_F32, k->rank, k->dims);
    y = k->loss ? k->loss(g, wrt[0]) : gm_layer_build(l, g, wrt[0], none);
    int64_t yd[8];
    for (int32_t i = 0; i < gm_graph_rank(g, y); i++) yd[i] = gm_graph_dim(g, y, i);
    gm_node w = gm_graph_input(g, "w", GM_F32, gm_graph_rank(g, y) < 0 ? 0 : gm_graph_rank(g, y), yd);
    out[0] = gm_op_sum(g, gm_op_mul(g, y, w), (1u << (gm_graph_rank(g, y) < 0 ? 0 : gm_graph_rank(g, y))) - 1, 0);
    b->n = 1;
    for (int32_t i = 0; i < g->params.n && b->n < MAX_WRT; i++) wrt[b->n++].id = g->params.p[i].node;
    gm_graph_grad(g, out[0], b->n, wrt, out + 2);
    out[1] = norm2(g, b->n, out + 2);
    gm_graph_grad(g, out[1], b->n, wrt, out + 2 + b->n);
    int32_t n_out = 2 + 2 * b->n;
    int fine = !gm_program_compile(g, n_out, out, &b->p) && !gm_params_create(c, g, 3, &b->w) && !gm_run_create(c, b->p, b->w, &b->r);
    for (int32_t i = 0; fine && i < b->n; i++) {
        b->count[i] = count_of(g, wrt[i]);
        b->value[i] = i ? b->w->value + gmi_params_find(b->w, g->params.p[i - 1].name, NULL)->offset : b->x;
    }
    for (int64_t j = 0; fine && j < b->count[0]; j++) {
        seed = seed * 1664525u + 1013904223u;
        b->x[j] = (gmi_real)(float)(k->lo + (k->hi - k->lo) * (seed >> 8) / 16777216.0);
    }
    for (int64_t j = 0; fine && j < count_of(g, w); j++) {
        seed = seed * 1664525u + 1013904223u;
        b->weight[j] = (gmi_real)(float)((seed >> 8) / 16777216.0 - 0.3);
    }
    for (int32_t i = 0; fine && i < n_out; i++) {
        b->out_count[i] = count_of(g, out[i]);
        b->out[i] = calloc((size_t)b->out_count[i], sizeof(gmi_real));
    }
    if (!fine) printf("# %s: %s\n", k->text, gm_context_error(c));
    gm_graph_destroy(g);
    gm_layer_destroy(l);
    return fine ? 1 : -1;
}

static int run(built *b)
{
    const void *in[2] = {b->x, b->weight};
    gmi_exec e = {3, 1, 0, in, (void *const *)b->out, 0};
    gm_status s = gmi_run_exec(b->r, &e);
    gmi_params_discard(b->w); /* statistics stay as they were */
    return s;
}

static void destroy(built *b)
{
    for (int32_t i = 0; i < 2 + 2 * b->n; i++) free(b->out[i]);
    gm_run_destroy(b->r);
    gm_params_destroy(b->w);
    gm_program_destroy(b->p);
}

#ifdef GMI_ORACLE
/* Worst over tensors of |analytic - numeric| / max(|numeric|, 1e-6 of the scale). */
static double difference(built *b, int32_t value, int32_t first)
{
    double worst = 0;
    for (int32_t i = 0; i < b->n; i++) {
        double num = 0, den = 0, scale, *want = malloc((size_t)b->count[i] * sizeof *want);
        run(b);
        scale = fabs(*b->out[value]);
        for (int64_t j = 0; j < b->count[i]; j++) {
            double x0 = b->value[i][j], h = 1e-5 * fmax(1, fabs(x0)), up;
            b->value[i][j] = x0 + h;
            gmi_params_changed(b->w);
            run(b);
            up = *b->out[value];
            b->value[i][j] = x0 - h;
            gmi_params_changed(b->w);
            run(b);
            want[j] = (up - *b->out[value]) / (2 * h);
            b->value[i][j] = x0;
            gmi_params_changed(b->w);
        }
        run(b);
        for (int64_t j = 0; j < b->count[i]; j++) {
            double e = b->out[first + i][j] - want[j];
            num += e * e, den += want[j] * want[j];
        }
        free(want);
        double e = sqrt(num) / fmax(sqrt(den), 1e-6 * fmax(1, scale));
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

static void check(gm_context *c, const kase *k)
{
    static built b;
    int s = build(c, k, &b);
    if (s == 0) {
        ok(0, "%s: %s", k->text, gm_context_error(c));
        return;
    }
    double e1 = s > 0 ? difference(&b, 0, 2) : 1, e2 = s > 0 ? difference(&b, 1, 2 + b.n) : 1;
    ok(s > 0 && e1 < 1e-4 && e2 < 1e-4, "%s on rank %d: orders 1, 2 off by %.1e, %.1e", k->text, (int)k->rank, e1, e2);
    destroy(&b);
}

static void dump(gm_context *c, const kase *k)
{
    static built b;
    if (build(c, k, &b) > 0 && !run(&b))
        for (int32_t i = 0; i < 2 + 2 * b.n; i++)
            for (int64_t j = 0; j < b.out_count[i]; j++) printf("%.17g\n", (double)b.out[i][j]);
    destroy(&b);
}
#else
static void check(gm_context *c, const kase *k, FILE *f)
{
    static built b;
    double worst = 0, scale = 1e-6;
    int s = build(c, k, &b) > 0 ? run(&b) : 1;
    for (int32_t i = 0; !s && i < 2 + 2 * b.n; i++) {
        double num = 0, den = 0, want;
        for (int64_t j = 0; j < b.out_count[i]; j++) {
            if (fscanf(f, "%lf", &want) != 1) want = NAN;
            num += ((double)b.out[i][j] - want) * ((double)b.out[i][j] - want), den += want * want;
        }
        if (i < 2) scale = fmax(scale, 1e-3 * sqrt(den)); /* tensors that are zero but for rounding are judged by the loss */
        double e = sqrt(num) / fmax(sqrt(den), scale);
        if (!(e <= worst)) worst = e;
    }
    ok(!s && worst < 1e-3, "%s on rank %d: float against double off by %.1e", k->text, (int)k->rank, worst);
    destroy(&b);
}
#endif

static int word_in(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
        int before = p == text || strchr(" ;(", p[-1]) != NULL, after = !p[n] || strchr(" ;()", p[n]) != NULL;
        if (before && after) return 1;
    }
    return 0;
}

static void coverage(const gmi_layer_family *f)
{
    for (int32_t i = 0; i < f->n; i++) {
        int found = !strcmp(f->def[i].word, "embedding"); /* integer input: tests/test_layers.c */
        for (int k = 0; k < N_CASES; k++) found |= word_in(cases[k].text, f->def[i].word);
        ok(found, "layer %s has a case", f->def[i].word);
    }
}

int main(int argc, char **argv)
{
    gm_context *c = NULL;
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    if (gm_context_create(&o, &c)) return 1;
#ifdef GMI_ORACLE
    if (argc > 1 && !strcmp(argv[1], "--dump")) {
        for (int i = 0; i < N_CASES; i++) dump(c, &cases[i]);
        gm_context_destroy(c);
        return 0;
    }
    for (int i = 0; i < N_CASES; i++) check(c, &cases[i]);
#else
    char command[4096], *suffix;
    (void)argc;
    snprintf(command, sizeof command, "%s --dump", argv[0]);
    suffix = strstr(command, "_f32");
    if (suffix) memcpy(suffix, "_f64", 4);
    FILE *f = suffix ? popen(command, "r") : NULL;
    for (int i = 0; f && i < N_CASES; i++) check(c, &cases[i], f);
    ok(f && pclose(f) == 0, "the double build ran: %s", command);
#endif
    coverage(&gmi_layers_linear);
    coverage(&gmi_layers_norm);
    coverage(&gmi_layers_shape);
    coverage(&gmi_layers_activation);
    coverage(&gmi_layers_block);
    gm_context_destroy(c);
    return done();
}
