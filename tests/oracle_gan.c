/* SPDX-License-Identifier: MIT */
/* oracle_gan.c: gradients of D's and G's half against central differences along random directions, for every loss with every penalty, and the second-order
 * term by itself: what a penalty adds to D's gradient is the derivative of the penalty. In the double build to 1e-7, in the float build to 5e-3 (differences
 * of floats). All noise is keyed, so that a changed weight changes no draw. */
#include "gan_util.h"
#include "models/gan.h"
#include "train/params.h"

enum { N = 5, H = 4 };
#ifdef GMI_ORACLE
#define STEP 1e-5
#define TOLERANCE 1e-7
#define KINK "leaky_relu 0.2"
#else
#define STEP 3e-3
#define TOLERANCE 5e-3
#define KINK "silu" /* a step that differences of floats need would cross kinks */
#endif

static double run(gm_gan *g, gmi_prog *p, int part)
{
    gmi_prog_set(p, "gamma", 0.7);
    if (gmi_prog_run(p, 7, 3, 0)) printf("Bail out! %s\n", gm_context_error(g->m.ctx)), exit(1);
    gmi_params_discard(g->m.weights); /* statistics */
    const double loss = (double)p->out[p->key.kind == GMI_GAN_G ? p->n_out - 1 : 0].p[0], penalty = p->key.kind == GMI_GAN_D_PENALTY ? (double)p->out[3].p[0] : 0;
    return part ? penalty : loss + (double)g->plan.every * penalty;
}

static gmi_prog *program(gm_gan *g, int32_t kind)
{
    gmi_prog *p = NULL;
    uint32_t s = 5;
    if (gmi_core_prog(&g->m, kind, 0, N, &p)) printf("Bail out! %s\n", gm_context_error(g->m.ctx)), exit(1);
    gmi_real *x = gmi_prog_in(p, "x"), *fake = gmi_prog_in(p, "fake"), *c = gmi_prog_in(p, "cond");
    for (int64_t i = 0; x && i < N * g->m.elems; i++) x[i] = (gmi_real)(2 * vae_random(&s) - 1);
    for (int64_t i = 0; fake && i < N * g->m.elems; i++) fake[i] = (gmi_real)(2 * vae_random(&s) - 1);
    for (int i = 0; c && i < N; i++) ((int32_t *)(void *)c)[i] = i % 3;
    return p;
}

/* The derivative of a program's objective, or of its penalty alone, along dir in the parameters [lo, hi). */
static double difference(gm_gan *g, gmi_prog *p, int part, const gmi_real *dir, int64_t lo, int64_t hi)
{
    gm_params *w = g->m.weights;
    gmi_real *keep = malloc((size_t)w->param_elems * sizeof *keep);
    double side[2];
    memcpy(keep, w->value, (size_t)w->param_elems * sizeof *keep);
    for (int k = 0; k < 2; k++) {
        for (int64_t i = lo; i < hi; i++) w->value[i] = keep[i] + (gmi_real)(k ? -STEP : STEP) * dir[i];
        gmi_params_changed(w);
        side[k] = run(g, p, part);
    }
    memcpy(w->value, keep, (size_t)w->param_elems * sizeof *keep);
    gmi_params_changed(w);
    free(keep);
    return (side[0] - side[1]) / (2 * STEP);
}

static double along(const gmi_real *grad, const gmi_real *dir, int64_t lo, int64_t hi)
{
    double s = 0;
    for (int64_t i = lo; i < hi; i++) s += (double)grad[i] * (double)dir[i]; /* padding has no gradient */
    return s;
}

static double apart(double a, double b) { return fabs(a - b) / (fabs(b) > 1 ? fabs(b) : 1); }

typedef struct nets {
    const char *name, *generator, *discriminator, *condition;
} nets;

static void check(gm_context *c, const char *loss, const nets *k)
{
    gm_spec x;
    gm_gan_options o;
    uint32_t seed = 11;
    double worst_d = 0, worst_g = 0, worst_p = 0, worst_r = 0;
    int64_t dl = 0, dh = 0, gl = 0, gh = 0;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 3, 1, H, H);
    x.classes = 3;
    gan_options(&o, loss);
    o.generator = k->generator;
    o.discriminator = k->discriminator;
    o.condition = k->condition;
    gm_gan *g = gan_make(c, &x, &o);
    gm_params *w = g->m.weights;
    const size_t bytes = (size_t)w->param_elems * sizeof(gmi_real);
    gmi_real *dir = malloc(bytes), *plain = malloc(bytes);
    if (gmi_params_span(w, "discriminator", &dl, &dh) || gmi_params_span(w, "generator", &gl, &gh)) printf("Bail out!\n"), exit(1);
    for (int64_t i = 0; i < w->param_elems; i++) w->value[i] *= (gmi_real)1.5; /* larger gradients than those of initial weights */
    gmi_params_changed(w);
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < w->param_elems; i++) dir[i] = (gmi_real)(vae_random(&seed) - 0.5);
        gmi_prog *p = program(g, GMI_GAN_D);
        (void)run(g, p, 0);
        memcpy(plain, w->grad, bytes);
        const double d_slope = along(w->grad, dir, dl, dh);
        worst_d = fmax(worst_d, apart(difference(g, p, 0, dir, dl, dh), d_slope));
        if (g->plan.penalties) {
            p = program(g, GMI_GAN_D_PENALTY);
            (void)run(g, p, 0);
            const double all = along(w->grad, dir, dl, dh), part = (all - along(plain, dir, dl, dh)) / g->plan.every;
            worst_p = fmax(worst_p, apart(difference(g, p, 0, dir, dl, dh), all));
            worst_r = fmax(worst_r, apart(difference(g, p, 1, dir, dl, dh), part));
        }
        p = program(g, GMI_GAN_G);
        (void)run(g, p, 0);
        const double g_slope = along(w->grad, dir, gl, gh);
        worst_g = fmax(worst_g, apart(difference(g, p, 0, dir, gl, gh), g_slope));
    }
    ok(worst_d < TOLERANCE && worst_g < TOLERANCE, "%s, %s: D's gradient off by %.1e, G's by %.1e", loss, k->name, worst_d, worst_g);
    if (g->plan.penalties) ok(worst_p < TOLERANCE && worst_r < TOLERANCE, "%s, %s: with penalty %.1e, its second-order term %.1e", loss, k->name, worst_p,
        worst_r);
    free(dir);
    free(plain);
    gm_gan_destroy(g);
}

int main(void)
{
    static const char *const losses[] = {"non_saturating", "saturating", "least_squares", "hinge", "wasserstein", "relativistic"};
    static const char *const penalties[] = {"", " r1=2", " r2=3", " r1=2 r2=3 every=3", " gp=4", " r1=1 gp=2 every=2 fresh=1"};
    static const nets k[] = {{"mlp", "dense 6; tanh", "dense 6; tanh; dense 5; softplus", ""},
                             {"conv", "dense 12; silu; reshape 3x2x2; conv_transpose 1 k4 s2 p1; tanh", "conv 3 k3 s1 p1; " KINK "; conv 2 k4 s2 p1; tanh",
                                 "projection"},
                             {"layer norm", "dense 6; batch_norm; tanh", "dense 6; layer_norm; gelu", "concat"}};
    static const nets coupled = {"batch norm in both", "dense 6; batch_norm; tanh", "conv 3 k3 s1 p1; batch_norm; tanh", "concat"};
    gm_context *c = vae_context(1, GM_SIMD_SCALAR);
    char text[96];
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 6; j++) {
            sprintf(text, "%s%s", losses[i], penalties[j]);
            check(c, text, &k[(i + j) % 3]);
            if (j == 3 || j == 4) check(c, text, &k[(i + j + 1) % 3]);
            if (j % 3) continue;
            sprintf(text, "%s%s%s", losses[i], penalties[j], j ? " coupled=1" : "");
            check(c, text, &coupled);
        }
    gm_context_destroy(c);
    return done();
}
