/* SPDX-License-Identifier: MIT */
/* test_optim.c: ten steps of every optimizer against PyTorch's numbers; clipping, accumulation, rejected steps, prefixes, files, averaged weights. */
#include "base/base.h"
#include "exec/exec.h"
#include "genrep/graph.h"
#include "genrep/optim.h"
#include "tap.h"
#include "train/ema.h"
#include "train/optim.h"

typedef struct run {
    const char *text;
    double p[10][6];
} run;
static const run runs[] = {
#include "fixtures/optim.inc"
};

static gm_context *ctx;

/* weight [2,2], bias [2] and a state, all zero. */
static gm_params *small(gm_context *c)
{
    static const int64_t four[2] = {2, 2}, two[1] = {2};
    gm_graph *g = NULL;
    gm_params *w = NULL;
    if (gm_graph_create(c, &g)) return NULL;
    gm_graph_param(g, "weight", "zeros", 2, four);
    gm_graph_param(g, "bias", "zeros", 1, two);
    gm_graph_state(g, "average", "zeros", 1, two);
    if (gm_params_create(c, g, 1, &w)) w = NULL;
    gm_graph_destroy(g);
    return w;
}

static int64_t place(const gm_params *w, const char *name) { return gmi_params_find(w, name, NULL)->offset; }
static gmi_real *at(gm_params *w, gmi_real *base, int i) { return base + (i < 4 ? place(w, "weight") + i : place(w, "bias") + i - 4); }

static void start(gm_params *w)
{
    int i;
    for (i = 0; i < 6; i++) *at(w, w->value, i) = (gmi_real)(float)(0.5 - 0.2 * i);
}

static void set_grad(gm_params *w, int t)
{
    int i;
    for (i = 0; i < 6; i++) *at(w, w->grad, i) = (gmi_real)(float)(2 * sin(0.7 * t + 1.3 * i)) + (gmi_real)0.3f * *at(w, w->value, i);
}

static void fixtures(void)
{
    size_t k;
    for (k = 0; k < sizeof runs / sizeof runs[0]; k++) {
        gm_params *w = small(ctx);
        gm_optimizer *o = NULL;
        double worst = 0;
        int t, i, good;
        start(w);
        good = ok(gm_optimizer_create(w, runs[k].text, &o) == GM_OK, "creates %s", runs[k].text);
        for (t = 1; good && t <= 10; t++) {
            set_grad(w, t);
            good = gm_optimizer_step(o, NULL) == GM_OK;
            for (i = 0; i < 6; i++) worst = fmax(worst, fabs((double)*at(w, w->value, i) - runs[k].p[t - 1][i]));
        }
        ok(good && worst < 2e-6, "ten steps as PyTorch (worst %.1e): %s", worst, runs[k].text);
        gm_optimizer_destroy(o);
        gm_params_destroy(w);
    }
}

/* Adam by its formula in double, with the betas as the kernels see them. */
static void adam_formula(void)
{
    gm_params *w = small(ctx);
    gm_optimizer *o = NULL;
    double m = 0, v = 0, p = 0, b1 = (double)(gmi_real)0.9, b2 = (double)(gmi_real)0.999, worst = 0;
    int t;
    ok(!gm_optimizer_create(w, "adam", &o), "adam");
    for (t = 1; t <= 200; t++) {
        double g = (double)(gmi_real)sin(0.1 * t);
        *at(w, w->grad, 3) = (gmi_real)g;
        ok(t > 1 || !gm_optimizer_step(o, NULL), "the first step is taken");
        if (t > 1 && gm_optimizer_step(o, NULL)) break;
        m = b1 * m + (1 - b1) * g;
        v = b2 * v + (1 - b2) * g * g;
        p -= 1e-3 * (m / (1 - pow(b1, t))) / (sqrt(v / (1 - pow(b2, t))) + 1e-8);
        worst = fmax(worst, fabs((double)*at(w, w->value, 3) - p));
    }
    ok(t == 201 && worst < 3e-6, "200 steps as the formula (worst %.1e)", worst);
    ok(*at(w, w->value, 0) == 0 && *at(w, w->value, 5) == 0, "a zero gradient moves nothing");
    gm_optimizer_destroy(o);
    gm_params_destroy(w);
}

static void norms(void)
{
    gm_params *w = small(ctx);
    gm_optimizer *o = NULL;
    double norm = -1;
    int i;
    ok(!gm_optimizer_create(w, "sgd lr=1 clip_norm=2", &o), "sgd with clip_norm");
    for (i = 0; i < 6; i++) *at(w, w->grad, i) = (gmi_real)(i + 1);
    ok(!gm_optimizer_step(o, &norm), "a step");
    near(norm, sqrt(91.0), 1e-6, "the norm is that of the unclipped gradient");
    near(*at(w, w->value, 5), -6 * 2 / (sqrt(91.0) + 1e-6), 1e-6, "the step is clipped to the norm");
    for (i = 0; i < 6; i++) *at(w, w->grad, i) = (gmi_real)1e30;
    ok(!gm_optimizer_step(o, &norm), "a finite gradient whose squares overflow is no NaN");
    ok(isfinite((double)*at(w, w->value, 0)), "and the parameters stay finite");
    gm_optimizer_destroy(o);
    gm_params_destroy(w);
}

static void accumulation(void)
{
    gm_params *w = small(ctx), *v = small(ctx);
    gm_optimizer *o = NULL, *one = NULL;
    double norm = 0;
    int t, i, k, same = 1;
    start(w), start(v);
    ok(!gm_optimizer_create(w, "adam lr=0.01 accumulate=4", &o) && !gm_optimizer_create(v, "adam lr=0.01", &one), "accumulate=4 and its equal");
    for (t = 0; t < 3; t++) {
        double sum[6] = {0};
        for (k = 0; k < 4; k++) {
            for (i = 0; i < 6; i++) {
                *at(w, w->grad, i) = (gmi_real)(0.25 * (k + 1) * (i - 2));
                sum[i] += 0.25 * (k + 1) * (i - 2);
            }
            same = same && !gm_optimizer_step(o, &norm);
        }
        for (i = 0; i < 6; i++) *at(v, v->grad, i) = (gmi_real)(sum[i] / 4);
        same = same && !gm_optimizer_step(one, NULL);
    }
    for (i = 0; i < 6; i++) same = same && *at(w, w->value, i) == *at(v, v->value, i);
    ok(same, "four exact micro-steps are one step of their mean, bit for bit");
    near(norm, sqrt(19.0) * 0.625, 1e-6, "and the norm is the mean's");
    ok(gmi_optimizer_steps(o) == 12 && gmi_optimizer_updates(o) == 3, "counters");
    gm_optimizer_destroy(o);
    gm_optimizer_destroy(one);
    gm_params_destroy(w);
    gm_params_destroy(v);
}

static void rejection(void)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    gm_params *w = small(ctx), *v = small(ctx);
    gm_optimizer *o = NULL, *other = NULL;
    gmi_real value[64], s1[64];
    int i, same = 1;
    start(w), start(v);
    ok(!gm_optimizer_create(w, "adam lr=0.01", &o) && !gm_optimizer_create(v, "adam lr=0.01", &other), "two alike");
    set_grad(w, 1), set_grad(v, 1);
    ok(!gm_optimizer_step(o, NULL) && !gm_optimizer_step(other, NULL), "a good step");
    for (i = 0; i < 3; i++) {
        memcpy(value, w->value, (size_t)w->param_elems * sizeof *value);
        memcpy(s1, o->s1, (size_t)w->param_elems * sizeof *s1);
        set_grad(w, 2);
        *at(w, w->grad, 5) = (gmi_real)bad[i];
        w->state_next[0] = 7;
        w->state_pending[0] = 1;
        ok(gm_optimizer_step(o, NULL) == GM_E_NONFINITE && strstr(gm_context_error(ctx), "bias"), "a gradient with %g is refused by name", bad[i]);
        ok(!memcmp(value, w->value, (size_t)w->param_elems * sizeof *value) && !memcmp(s1, o->s1, (size_t)w->param_elems * sizeof *s1) && w->state[0] == 0 &&
               !w->state_pending[0],
           "and parameters, moments and states are as before");
    }
    ok(gmi_optimizer_steps(o) == 4 && gmi_optimizer_updates(o) == 1, "only the step counter advanced");
    set_grad(w, 2), set_grad(v, 2);
    w->state_next[0] = 7;
    w->state_pending[0] = 1;
    ok(!gm_optimizer_step(o, NULL) && !gm_optimizer_step(other, NULL) && w->state[0] == 7, "the next good step commits");
    for (i = 0; i < 6; i++) same = same && *at(w, w->value, i) == *at(v, v->value, i);
    ok(same, "to what it would have been without the rejected ones");
    gm_optimizer_destroy(o);
    gm_optimizer_destroy(other);
    gm_params_destroy(w);
    gm_params_destroy(v);
}

static void options(void)
{
    gm_params *w = small(ctx);
    gm_optimizer *o = NULL;
    ok(gm_optimizer_create(w, "adma", &o) == GM_E_INVALID && !o, "an unknown optimizer");
    ok(gm_optimizer_create(w, NULL, &o) == GM_E_INVALID && gm_optimizer_create(NULL, "adam", &o) == GM_E_INVALID && gm_optimizer_step(NULL, NULL) == GM_E_INVALID,
       "NULL arguments");
    ok(!gm_optimizer_create(w, "sgd lr=0.5", &o), "sgd");
    ok(!gm_optimizer_set(o, "lr", 0.25) && gmi_optimizer_get(o, "lr") == 0.25, "lr can be set");
    ok(gm_optimizer_set(o, "lr", -1) == GM_E_INVALID && gm_optimizer_set(o, "lr", NAN) == GM_E_INVALID && gmi_optimizer_get(o, "lr") == 0.25, "within its range");
    ok(gm_optimizer_set(o, "momentum", 0.9) == GM_E_INVALID, "an option that needs memory cannot");
    ok(gm_optimizer_set(o, "accumulate", 2) == GM_E_INVALID, "nor accumulate");
    ok(gm_optimizer_set(o, "beta1", 0.9) == GM_E_UNKNOWN && strstr(gm_context_error(ctx), "dampening"), "an option of another rule is unknown");
    gm_optimizer_destroy(o);
    gm_optimizer_destroy(NULL);
    gm_params_destroy(w);
}

static void prefixes(void)
{
    static const int64_t dims[2] = {3, 3};
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gm_optimizer *o = NULL, *none = NULL;
    gmi_real before;
    int64_t i;
    ok(!gm_graph_create(ctx, &g), "a graph");
    gm_graph_param(g, "gen.0.weight", "ones", 2, dims);
    gm_graph_param(g, "gen.0.bias", "ones", 1, dims);
    gm_graph_param(g, "general", "ones", 1, dims);
    ok(!gm_params_create(ctx, g, 1, &w), "three parameters");
    gmi_enter(ctx, "test");
    ok(!gmi_optimizer_create_prefix(w, "gen", "adam lr=0.1", &o), "an optimizer of gen.*");
    ok(gmi_optimizer_create_prefix(w, "disc", "adam", &none) == GM_E_UNKNOWN && !none, "none of disc.*");
    (void)gmi_leave(ctx, GM_OK);
    for (i = 0; i < w->param_elems; i++) w->grad[i] = 0;
    for (i = 0; i < 3; i++) w->grad[place(w, "gen.0.weight") + i] = w->grad[place(w, "gen.0.bias") + i] = w->grad[place(w, "general") + i] = 1;
    ok(!gm_optimizer_step(o, NULL), "a step");
    ok(w->value[place(w, "gen.0.weight")] != 1 && w->value[place(w, "gen.0.bias")] != 1 && w->value[place(w, "general")] == 1, "moves gen.*, not general");
    gmi_enter(ctx, "test");
    ok(!gmi_optimizer_tune(o, "gen.0.bias", 1, 1, 1), "the bias is frozen");
    (void)gmi_leave(ctx, GM_OK);
    before = w->value[place(w, "gen.0.bias")];
    w->grad[place(w, "gen.0.bias")] = (gmi_real)NAN;
    ok(!gm_optimizer_step(o, NULL) && w->value[place(w, "gen.0.bias")] == before, "and its gradient no longer matters");
    gm_graph_destroy(g);
    gm_params_destroy(w);
    ok(!gm_optimizer_step(o, NULL), "the optimizer keeps the parameters alive");
    gm_optimizer_destroy(o);
}

/* train(4) = train(2) + write + read + train(2), in another context. */
static void files(const char *text)
{
    char memory[8192], params[8192];
    gm_writer to;
    gm_reader from;
    gm_context *c2 = NULL;
    gm_params *w = small(ctx), *v;
    gm_optimizer *o = NULL, *p = NULL;
    uint64_t n, m;
    int t, i, same = 1;
    start(w);
    ok(!gm_context_create(NULL, &c2) && (v = small(c2)) != NULL, "another context");
    ok(!gm_optimizer_create(w, text, &o) && !gm_optimizer_create(v, text, &p), "%s", text);
    for (t = 1; t <= 3; t++) set_grad(w, t), same = same && !gm_optimizer_step(o, NULL);
    ok(same && !gm_optimizer_set(o, "lr", 0.03), "three steps and another learning rate");
    gm_writer_init(&to, sizeof to);
    to.memory = memory;
    to.capacity = sizeof memory;
    ok(!gm_optimizer_write(o, &to), "the optimizer is written (%s)", gm_context_error(ctx));
    n = to.used;
    to.memory = params;
    to.used = 0;
    ok(!gm_params_write(w, &to), "the parameters are written");
    m = to.used;
    gm_reader_init(&from, sizeof from);
    from.memory = params;
    from.bytes = m;
    ok(!gm_params_read(v, &from), "and read (%s)", gm_context_error(c2));
    memory[n - 3] ^= 1;
    from.memory = memory;
    from.bytes = n;
    ok(gm_optimizer_read(p, &from) == GM_E_CHECKSUM && gmi_optimizer_updates(p) == 0, "a damaged file changes nothing");
    memory[n - 3] ^= 1;
    ok(!gm_optimizer_read(p, &from), "the whole one is read (%s)", gm_context_error(c2));
    for (t = 4; t <= 9; t++) {
        set_grad(w, t), set_grad(v, t);
        same = same && !gm_optimizer_step(o, NULL) && !gm_optimizer_step(p, NULL);
    }
    for (i = 0; i < 6; i++) same = same && *at(w, w->value, i) == *at(v, v->value, i);
    ok(same && gmi_optimizer_get(p, "lr") == 0.03, "both go on to the same bits");
    gm_optimizer_destroy(p);
    p = NULL;
    ok(!gm_optimizer_create(v, strstr(text, "adam") ? "sgd" : "adam", &p) && gm_optimizer_read(p, &from) == GM_E_MODEL, "another rule refuses the file");
    from.memory = params;
    from.bytes = m;
    ok(gm_optimizer_read(p, &from) == GM_E_MODEL, "which is no optimizer's without its line");
    gm_optimizer_destroy(o);
    gm_optimizer_destroy(p);
    gm_params_destroy(w);
    gm_params_destroy(v);
    gm_context_destroy(c2);
}

static gm_params *large(gm_context *c, int64_t n)
{
    gm_graph *g = NULL;
    gm_params *w = NULL;
    int64_t i;
    if (gm_graph_create(c, &g)) return NULL;
    gm_graph_param(g, "a", "normal", 1, &n);
    gm_graph_param(g, "b", "normal", 1, &n);
    if (gm_params_create(c, g, 3, &w)) w = NULL;
    gm_graph_destroy(g);
    for (i = 0; w && i < w->param_elems; i++) w->grad[i] = w->value[i] * (gmi_real)0.5;
    return w;
}

/* One thread at the scalar level against three at the best one; and no allocation. */
static void same_bits(void)
{
    static const char *const texts[] = {"adam lr=0.1 clip_norm=1", "sgd lr=0.1 momentum=0.9 nesterov=1", "rmsprop momentum=0.5", "adagrad clip_value=0.1", "adamw accumulate=2"};
    size_t k;
    for (k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        gm_context_options co;
        gm_context *a = NULL, *b = NULL;
        gm_params *wa, *wb;
        gm_optimizer *oa = NULL, *ob = NULL;
        gmi_ema *ea = NULL, *eb = NULL;
        double na = 0, nb = 1;
        int64_t allocations;
        int t, good = 1;
        gm_context_options_init(&co, sizeof co);
        co.threads = 1;
        co.simd = GM_SIMD_SCALAR;
        good = !gm_context_create(&co, &a);
        co.threads = 3;
        co.simd = GM_SIMD_BEST;
        good = good && !gm_context_create(&co, &b);
        wa = large(a, 70001), wb = large(b, 70001);
        good = good && !gm_optimizer_create(wa, texts[k], &oa) && !gm_optimizer_create(wb, texts[k], &ob);
        good = good && !gmi_ema_create(wa, "", 100, &ea) && !gmi_ema_create(wb, "", 100, &eb);
        allocations = b->alloc_count;
        for (t = 0; good && t < 4; t++) {
            good = !gm_optimizer_step(oa, &na) && !gm_optimizer_step(ob, &nb) && na == nb;
            gmi_ema_update(ea, 10);
            gmi_ema_update(eb, 10);
        }
        ok(good && !memcmp(wa->value, wb->value, (size_t)wa->param_elems * sizeof *wa->value) &&
               !memcmp(ea->average, eb->average, (size_t)wa->param_elems * sizeof *wa->value),
           "the same bits for 1 thread scalar and 3 threads %s: %s", gm_simd_name(gm_context_simd(b)), texts[k]);
        is_int(b->alloc_count, allocations, "steps and averages allocate nothing");
        gmi_ema_destroy(ea), gmi_ema_destroy(eb);
        gm_optimizer_destroy(oa), gm_optimizer_destroy(ob);
        gm_params_destroy(wa), gm_params_destroy(wb);
        gm_context_destroy(a), gm_context_destroy(b);
    }
}

static void averages(void)
{
    gm_params *w = small(ctx);
    gmi_ema *e = NULL;
    double want = 1;
    int t;
    *at(w, w->value, 2) = 1;
    gmi_enter(ctx, "test");
    ok(gmi_ema_create(w, "", 0, &e) == GM_E_INVALID && gmi_ema_create(w, "nobody", 1, &e) == GM_E_UNKNOWN, "no half-life, no parameters");
    (void)gmi_leave(ctx, GM_OK);
    ok(!gmi_ema_create(w, "", 32, &e), "a half-life of 32 examples");
    for (t = 0; t < 6; t++) {
        *at(w, w->value, 2) = (gmi_real)t;
        gmi_ema_update(e, 16);
        want = want * sqrt(0.5) + (1 - sqrt(0.5)) * t;
    }
    near(*at(w, e->average, 2), want, 1e-6, "the average is the recurrence's");
    gmi_ema_swap(e);
    near(*at(w, w->value, 2), want, 1e-6, "swap puts it into the parameters");
    gmi_ema_swap(e);
    ok(*at(w, w->value, 2) == 5 && e->seen == 96, "and takes it out again");
    gmi_ema_destroy(e);
    gmi_ema_destroy(NULL);
    gm_params_destroy(w);
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    fixtures();
    adam_formula();
    norms();
    accumulation();
    rejection();
    options();
    prefixes();
    files("adam lr=0.01");
    files("adamw lr=0.01 accumulate=2");
    files("sgd lr=0.01 momentum=0.9");
    files("rmsprop lr=0.01 centered=1");
    files("adagrad lr=0.01 lr_decay=0.1");
    same_bits();
    averages();
    gm_context_destroy(ctx);
    return done();
}
