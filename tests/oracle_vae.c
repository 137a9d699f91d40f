/* SPDX-License-Identifier: MIT */
/* oracle_vae.c: the gradient of whole VAE objectives against central differences along random directions, for every likelihood, variance and objective. In the
 * double build to 1e-7, in the float build to 5e-3 (differences of floats), both from the same noise: it is keyed, so a changed weight changes no draw. */
#include "models/vae.h"
#include "vae_util.h"

enum { N = 5, H = 4 };
#ifdef GMI_ORACLE
#define STEP 1e-5
#define TOLERANCE 1e-7
#else
#define STEP 3e-3
#define TOLERANCE 5e-3
#endif

typedef struct kind {
    const char *name, *encoder, *decoder, *variance, *objective, *beta;
    double free_bits;
    gm_likelihood likelihood;
    int32_t conditional;
    const char *columns;
} kind;

/* A table of every kind of column, with missing cells, in an order that is not that of the features. */
static const char TABLE[] = "sex m|f; pay real missing; age real; kids integer 0 12; town a|b|c missing; size integer -3 4 missing; height real; old no|yes; rank integer 0 1";
enum { D = 9 };
static double table[N][D] = {{0, 1.5, -0.3, 0, 2, 4, 0.7, 1, 1}, {1, NAN, 0.8, 12, NAN, -3, -1.2, 0, 0}, {1, -0.6, 0.1, 5, 0, NAN, 0.2, 0, 1},
                             {0, NAN, -1.7, 1, 1, 0, 1.1, 1, 1}, {0, 0.4, 2, 11, NAN, NAN, -0.5, 1, 0}};

static double objective(gm_vae *v, gmi_prog *p)
{
    gmi_prog_set(p, "beta", gm_schedule_value(v->beta, 0, 0));
    if (gmi_prog_run(p, 7, 3, 0)) printf("Bail out! %s\n", gm_context_error(v->m.ctx)), exit(1);
    return (double)p->out[0].p[0];
}

static void fill(gm_vae *v, gmi_prog *p)
{
    uint32_t s = 5;
    gm_tensor *t = vae_wrap(v->m.ctx, GM_F64, table, 2, N, D, 0, 0);
    gmi_real *x = gmi_prog_in(p, "x"), *c = gmi_prog_in(p, "cond");
    int64_t i, n = N * v->m.elems;
    if (v->columns) {
        if (gmi_vae_columns_tensor(v, t, 0, N, x)) printf("Bail out! %s\n", gm_context_error(v->m.ctx)), exit(1);
    } else if (v->plan.likelihood == GM_LIKELIHOOD_LOGISTIC)
        for (i = 0; i < n; i++) x[i] = (gmi_real)(int32_t)(vae_random(&s) * 7);
    else if (v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL)
        for (i = 0; i < n; i++) ((int32_t *)(void *)x)[i] = (int32_t)(vae_random(&s) * 3);
    else
        for (i = 0; i < n; i++) x[i] = (gmi_real)vae_random(&s);
    if (v->plan.conditional)
        for (i = 0; i < N; i++) ((int32_t *)(void *)c)[i] = (int32_t)i % 3;
    gm_tensor_destroy(t);
}

static void check(gm_context *c, const kind *k)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    gmi_prog *p = NULL;
    uint32_t seed = 11;
    int round;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 3, 1, H, H);
    if (k->likelihood == GM_LIKELIHOOD_CATEGORICAL) x.hi = 2;
    if (k->likelihood == GM_LIKELIHOOD_LOGISTIC) x.hi = 6;
    if (k->columns) vae_spec(&x, GM_F64, GM_SCALE_AUTO, 1, D, 0, 0);
    x.columns = k->columns;
    x.classes = 3;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = k->encoder;
    o.decoder = k->decoder;
    o.variance = k->variance;
    o.objective = k->objective;
    o.beta = k->beta;
    o.free_bits = k->free_bits;
    o.likelihood = k->likelihood;
    o.condition = k->conditional ? "concat" : "";
    o.latent_dim = 3;
    if (gm_vae_create(c, &x, &o, &v) || gmi_vae_prog(v, GMI_VAE_TRAIN, 0, N, &p)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    fill(v, p);
    gm_params *w = v->m.weights;
    gmi_real *keep = malloc((size_t)w->param_elems * sizeof *keep), *dir = malloc((size_t)w->param_elems * sizeof *dir);
    for (round = 0; round < 3; round++) {
        double slope = 0, up, down, off;
        int64_t i;
        (void)objective(v, p);
        for (i = 0; i < w->param_elems; i++) {
            keep[i] = w->value[i];
            dir[i] = (gmi_real)(vae_random(&seed) - 0.5);
            slope += (double)w->grad[i] * (double)dir[i]; /* padding has no gradient */
        }
        for (i = 0; i < w->param_elems; i++) w->value[i] = keep[i] + (gmi_real)STEP * dir[i];
        gmi_params_changed(w);
        up = objective(v, p);
        for (i = 0; i < w->param_elems; i++) w->value[i] = keep[i] - (gmi_real)STEP * dir[i];
        gmi_params_changed(w);
        down = objective(v, p);
        memcpy(w->value, keep, (size_t)w->param_elems * sizeof *keep);
        gmi_params_changed(w);
        off = fabs((up - down) / (2 * STEP) - slope) / (fabs(slope) > 1 ? fabs(slope) : 1);
        ok(off < TOLERANCE, "%s: slope %g, difference off by %g", k->name, slope, off);
    }
    free(keep);
    free(dir);
    gm_vae_destroy(v);
}

int main(void)
{
    static const char mlp[] = "dense 6; tanh", conv[] = "conv 3 k3 s1 p1; batch_norm; tanh",
       up[] = "dense 12; softplus; reshape 3x2x2; conv_transpose 1 k4 s2 p1",
                      up2[] = "dense 12; silu; reshape 3x2x2; conv_transpose 2 k4 s2 p1", up3[] = "dense 12; gelu; reshape 3x2x2; conv_transpose 3 k4 s2 p1";
    static const kind all[] = {
        {"bernoulli", mlp, mlp, NULL, "elbo", "constant 1", 0, GM_LIKELIHOOD_BERNOULLI, 0, NULL},
        {"bernoulli conv, beta 3", conv, up, NULL, "elbo", "constant 3", 0, GM_LIKELIHOOD_BERNOULLI, 0, NULL},
        {"bernoulli conditional, free bits", conv, up, NULL, "elbo", "constant 0.5", 0.02, GM_LIKELIHOOD_BERNOULLI, 1, NULL},
        {"bernoulli iwae", mlp, mlp, NULL, "iwae 4", "constant 1", 0, GM_LIKELIHOOD_BERNOULLI, 0, NULL},
        {"bernoulli iwae conditional, beta 2", conv, up, NULL, "iwae 3", "constant 2", 0, GM_LIKELIHOOD_BERNOULLI, 1, NULL},
        {"gaussian fixed", mlp, mlp, "fixed 0.3", "elbo", "constant 1", 0, GM_LIKELIHOOD_GAUSSIAN, 0, NULL},
        {"gaussian scalar", conv, up, "scalar", "elbo", "constant 1", 0, GM_LIKELIHOOD_GAUSSIAN, 0, NULL},
        {"gaussian dimension", mlp, mlp, "dimension", "elbo", "constant 1", 0, GM_LIKELIHOOD_GAUSSIAN, 1, NULL},
        {"gaussian output", conv, up2, "output", "elbo", "constant 1", 0, GM_LIKELIHOOD_GAUSSIAN, 0, NULL},
        {"gaussian output iwae", mlp, mlp, "output", "iwae 5", "constant 1", 0, GM_LIKELIHOOD_GAUSSIAN, 0, NULL},
        {"categorical", mlp, mlp, NULL, "elbo", "constant 1", 0, GM_LIKELIHOOD_CATEGORICAL, 0, NULL},
        {"categorical conv iwae", conv, up3, NULL, "iwae 2", "constant 1", 0, GM_LIKELIHOOD_CATEGORICAL, 1, NULL},
        {"logistic scalar", conv, up, "scalar", "elbo", "constant 1", 0, GM_LIKELIHOOD_LOGISTIC, 0, NULL},
        {"logistic dimension", mlp, mlp, "dimension", "elbo", "constant 1", 0, GM_LIKELIHOOD_LOGISTIC, 1, NULL},
        {"logistic output iwae", conv, up2, "output", "iwae 3", "constant 1", 0, GM_LIKELIHOOD_LOGISTIC, 0, NULL},
        {"logistic fixed", mlp, mlp, "fixed 0.2", "elbo", "constant 1", 0, GM_LIKELIHOOD_LOGISTIC, 0, NULL},
        {"columns", mlp, mlp, NULL, "elbo", "constant 1", 0, GM_LIKELIHOOD_AUTO, 0, TABLE},
        {"columns output conditional", mlp, mlp, "output", "elbo", "constant 1", 0.02, GM_LIKELIHOOD_COLUMNS, 1, TABLE},
        {"columns fixed iwae", mlp, mlp, "fixed 0.5", "iwae 3", "constant 1", 0, GM_LIKELIHOOD_COLUMNS, 0, TABLE},
    };
    gm_context *c = vae_context(1, GM_SIMD_SCALAR);
    size_t i;
    for (i = 0; i < sizeof all / sizeof all[0]; i++) check(c, &all[i]);
    gm_context_destroy(c);
    return done();
}
