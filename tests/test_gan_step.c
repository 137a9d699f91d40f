/* SPDX-License-Identifier: MIT */
/* test_gan_step.c: what one training step does: losses against their formulas in double, whose turn it is, halves that are dropped, the average and its
 * population statistics computed a second time, conditions. */
#include "exec/exec.h"
#include "gan_util.h"
#include "models/gan.h"
#include "train/optim.h"

enum { N = 12, K = 4, L = 3 };
static float rows[N][K];
static int32_t labels[N];

/* What training draws for rows of a step. */
static void noise(gm_context *c, const char *key, uint64_t seed, int64_t step, int64_t n, int64_t d, float *to)
{
    int64_t dims[2];
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gm_run *r = NULL;
    gmi_exec e;
    void *out = to;
    dims[0] = n;
    dims[1] = d;
    gan_must(c, gm_graph_create(c, &g));
    gm_node z = gm_op_random_normal(g, key, 2, dims, 1);
    gan_must(c, gm_program_compile(g, 1, &z, &p));
    gan_must(c, gm_run_create(c, p, NULL, &r));
    memset(&e, 0, sizeof e);
    e.seed = seed;
    e.step = step;
    e.out = &out;
    gan_must(c, gmi_run_exec(r, &e));
    gm_run_destroy(r);
    gm_program_destroy(p);
    gm_graph_destroy(g);
}

static void spec_of(gm_spec *x)
{
    vae_spec(x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    x->classes = 3;
}

/* ---- losses ---- */

static double softplus(double s) { return s > 0 ? s + log1p(exp(-s)) : log1p(exp(s)); }

static double d_formula(int32_t loss, double r, double f)
{
    switch (loss) {
    case 0:
    case 1: return softplus(-r) + softplus(f);
    case 2: return ((r - 1) * (r - 1) + f * f) / 2;
    case 3: return fmax(0, 1 - r) + fmax(0, 1 + f);
    case 4: return f - r;
    default: return softplus(f - r);
    }
}

static double g_formula(int32_t loss, double r, double f)
{
    switch (loss) {
    case 0: return softplus(-f);
    case 1: return -softplus(f);
    case 2: return (f - 1) * (f - 1) / 2;
    case 3:
    case 4: return -f;
    default: return softplus(r - f);
    }
}

static const char *const losses[] = {"non_saturating", "saturating", "least_squares", "hinge", "wasserstein", "relativistic"};

static void formulas(gm_context *c, int32_t k, int fresh)
{
    static float z[N][L], fake[N][K], r[N], f[N];
    char text[64];
    gm_spec x;
    gm_gan_options o;
    gm_record rec;
    gm_tensor *tx = vae_rows(c, rows, N, K), *tz = vae_rows(c, z, N, L), *tf = vae_rows(c, fake, N, K), *tr = vae_vector(c, r, N), *ts = vae_vector(c, f, N);
    gm_dataset *d = NULL;
    double want_d = 0, want_g = 0, real = 0, fakes = 0;
    spec_of(&x);
    sprintf(text, "%s%s", losses[k], fresh ? " fresh=1" : "");
    gan_options(&o, text);
    o.g_optimizer = o.d_optimizer = "adam lr=0.05";
    gm_gan *g = gan_make(c, &x, &o);
    gm_record_init(&rec, sizeof rec);
    gan_must(c, gm_gan_step(g, tx, NULL, NULL)); /* away from the start */
    gan_must(c, gm_gan_step(g, tx, NULL, NULL));
    noise(c, "latent.z", o.seed, 2, N, L, z[0]);
    gan_must(c, gm_gan_generate(g, tz, NULL, tf));
    gan_must(c, gm_gan_discriminate(g, tx, NULL, tr));
    gan_must(c, gm_gan_discriminate(g, tf, NULL, ts));
    for (int i = 0; i < N; i++) {
        want_d += d_formula(k, (double)r[i], (double)f[i]) / N;
        real += (double)r[i] / N;
        fakes += (double)f[i] / N;
    }
    if (fresh) noise(c, "latent.fresh", o.seed, 2, N, L, z[0]);
    gan_must(c, gm_gan_generate(g, tz, NULL, tf));
    gan_must(c, gm_gan_step(g, tx, NULL, &rec));
    gan_must(c, gm_gan_discriminate(g, tx, NULL, tr)); /* the new D */
    gan_must(c, gm_gan_discriminate(g, tf, NULL, ts)); /* on samples of the old G */
    for (int i = 0; i < N; i++) want_g += g_formula(k, (double)r[i], (double)f[i]) / N;
    near(rec.d_loss, want_d, 2e-6, "%s: D's loss", text);
    near(rec.g_loss, want_g, 2e-6, "%s: G's loss, through the new D", text);
    near(rec.d_real, real, 2e-6, "%s: mean score of real samples", text);
    near(rec.d_fake, fakes, 2e-6, "%s: and of generated ones", text);
    ok(rec.grad_norm > 0 && rec.d_grad_norm > 0 && isnan(rec.penalty) && isnan(rec.elbo) && isnan(rec.objective) && isnan(rec.kl) && rec.n_kl == 0 &&
        rec.kind == GM_RECORD_STEP &&
           rec.step == 3 && rec.examples == 3 * N && rec.lr == 0.05,
       "%s: the rest of the record", text);
    /* evaluate: the prior's z of stream 1 + sample, inference's weights */
    x.classes = 0;
    gan_must(c, gm_dataset_from_tensor(tx, NULL, &x, &d));
    want_d = want_g = 0;
    for (int s = 0; s < 2; s++) {
        gan_must(c, gmi_gan_prior(g, o.seed, s + 1, 0, N, 1, (gmi_real *)z));
        gan_must(c, gm_gan_generate(g, tz, NULL, tf));
        gan_must(c, gm_gan_discriminate(g, tf, NULL, ts));
        for (int i = 0; i < N; i++) want_d += d_formula(k, (double)r[i], (double)f[i]) / (2 * N), want_g += g_formula(k, (double)r[i], (double)f[i]) / (2 * N);
    }
    gan_must(c, gm_gan_discriminate(g, tx, NULL, tr));
    gm_record_init(&rec, sizeof rec);
    gan_must(c, gm_gan_evaluate(g, d, 2, &rec));
    near(rec.d_loss, want_d, 2e-6, "%s: evaluate, D's loss", text);
    near(rec.g_loss, want_g, 2e-6, "%s: evaluate, G's loss", text);
    gm_dataset_destroy(d);
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tf);
    gm_tensor_destroy(tr);
    gm_tensor_destroy(ts);
}

/* Linear D(x) = u.x + v: the gradient is u everywhere. R1 = r1/2 |u|^2, R2 the same, GP = gp (|u| - 1)^2; gamma is a factor. */
static void penalties(gm_context *c)
{
    static const float u[K] = {0.5f, -1, 2, 0.25f}, v = 0.1f;
    static const char *const text[] = {"hinge r1=3", "hinge r2=5", "hinge r1=3 r2=5", "wasserstein gp=10", "wasserstein gp=10 r1=1 every=2"};
    double square = 0;
    int i;
    for (i = 0; i < K; i++) square += (double)u[i] * (double)u[i];
    const double norm = sqrt(square), want[] = {1.5 * square, 2.5 * square, 4 * square, 10 * (norm - 1) * (norm - 1),
        10 * (norm - 1) * (norm - 1) + 0.5 * square};
    gm_tensor *tx = vae_rows(c, rows, N, K);
    for (i = 0; i < 5; i++) {
        gm_spec x;
        gm_gan_options o;
        gm_record r;
        spec_of(&x);
        gan_options(&o, text[i]);
        o.discriminator = "dense 1";
        o.gamma = "constant 0.25";
        o.d_optimizer = "sgd lr=0.001";
        gm_gan *g = gan_make(c, &x, &o);
        gan_set(g, "discriminator.0.weight", u);
        gan_set(g, "discriminator.0.bias", &v);
        gm_record_init(&r, sizeof r);
        gan_must(c, gm_gan_step(g, tx, NULL, &r));
        near(r.penalty, 0.25 * want[i], 1e-5, "%s: penalty times gamma, not times every", text[i]);
        gm_record_init(&r, sizeof r);
        gan_must(c, gm_gan_step(g, tx, NULL, &r));
        ok(isnan(r.penalty) == (i == 4), "%s: in the next step %g", text[i], r.penalty);
        gm_gan_destroy(g);
    }
    gm_tensor_destroy(tx);
}

/* ---- whose turn ---- */

static void turns(gm_context *c)
{
    gm_spec x;
    gm_gan_options o;
    gm_record r;
    gm_tensor *tx = vae_rows(c, rows, N, K);
    int64_t gn, dn, i;
    spec_of(&x);
    gan_options(&o, "non_saturating");
    o.d_steps = 3;
    o.ema_half_life = 100;
    gm_gan *g = gan_make(c, &x, &o);
    const float *gw = gan_view(gm_gan_params(g), "generator.0.weight", &gn), *dw = gan_view(gm_gan_params(g), "discriminator.0.weight", &dn);
    float *old_g = malloc((size_t)gn * 4), *old_d = malloc((size_t)dn * 4);
    for (i = 0; i < 7; i++) {
        const int turn = i % 3 == 2;
        memcpy(old_g, gw, (size_t)gn * 4);
        memcpy(old_d, dw, (size_t)dn * 4);
        gm_record_init(&r, sizeof r);
        gan_must(c, gm_gan_step(g, tx, NULL, &r));
        ok(memcmp(old_d, dw, (size_t)dn * 4) && (memcmp(old_g, gw, (size_t)gn * 4) != 0) == turn && isnan(r.g_loss) == !turn && isnan(r.grad_norm) == !turn &&
            !isnan(r.d_loss),
           "d_steps 3, step %d: D%s", (int)i, turn ? " and G" : "");
    }
    free(old_g);
    free(old_d);
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
}

/* ---- halves that are dropped ---- */

typedef struct kept { /* what must not change */
    float *value, *state;
} kept;

static kept keep(const gm_gan *g)
{
    const gm_params *w = g->m.weights;
    kept k;
    k.value = malloc((size_t)w->param_elems * 4);
    k.state = malloc((size_t)w->state_elems * 4 + 1);
    memcpy(k.value, w->value, (size_t)w->param_elems * 4);
    memcpy(k.state, w->state, (size_t)w->state_elems * 4);
    return k;
}

/* Bits: 1 D's weights changed, 2 states of D, 4 G's weights, 8 states of G. */
static int changed(const gm_gan *g, kept *k)
{
    const gm_params *w = g->m.weights;
    int bits = 0;
    for (int32_t i = 0; i < w->n_params; i++)
        if (memcmp(k->value + w->params[i].offset, w->value + w->params[i].offset, (size_t)w->params[i].count * 4)) bits |= w->params[i].name[0] == 'd' ? 1 : 4;
    for (int32_t i = 0; i < w->n_states; i++)
        if (memcmp(k->state + w->states[i].offset, w->state + w->states[i].offset, (size_t)w->states[i].count * 4)) bits |= w->states[i].name[0] == 'd' ? 2 : 8;
    free(k->value);
    free(k->state);
    return bits;
}

static void dropped(gm_context *c)
{
    static float huge[N][K];
    gm_spec x;
    gm_gan_options o;
    gm_record r;
    gm_tensor *tx = vae_rows(c, rows, N, K), *th = vae_rows(c, huge, N, K);
    kept k;
    spec_of(&x);
    gan_options(&o, "wasserstein");
    o.generator = "dense 8; batch_norm; relu";
    o.discriminator = "dense 8; batch_norm; relu";
    o.ema_half_life = 30;
    gm_gan *g = gan_make(c, &x, &o);
    gm_record_init(&r, sizeof r);
    k = keep(g);
    gan_must(c, gm_gan_step(g, tx, NULL, &r));
    is_int(changed(g, &k), 15, "a whole step changes weights and statistics of both");
    for (int i = 0; i < N * K; i++) ((float *)huge)[i] = 3e38f;
    k = keep(g);
    gm_status s = gm_gan_step(g, th, NULL, &r);
    is_int(s, GM_E_NONFINITE, "D's half overflows: %s", gm_context_error(c));
    is_int(changed(g, &k), 0, "nothing changed");
    ok(g->m.fit.step == 2 && g->m.fit.examples == N && r.step == 1, "but the step is counted, its examples are not, the record stays");
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(th);
}

/* The same with a gradient that is not finite by force: what G's optimizer refuses. */
static gm_node poison(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    (void)user, (void)cond, (void)n, (void)args; /* sqrt(0) has an infinite derivative; its value is 0 */
    return gm_op_add(g, x, gm_op_sqrt(g, gm_op_scale(g, gm_op_square(g, x), 0.0)));
}

static void dropped_g(gm_context *c)
{
    gm_layer_class k;
    gm_spec x;
    gm_gan_options o;
    gm_record r;
    kept w;
    gm_tensor *tx = vae_rows(c, rows, N, K);
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "poison";
    k.build = poison;
    gan_must(c, gm_layer_register(c, &k));
    spec_of(&x);
    gan_options(&o, "relativistic r1=1");
    o.generator = "dense 8; batch_norm; relu; dense 4; poison";
    o.discriminator = "dense 8; relu";
    o.ema_half_life = 30;
    gm_gan *g = gan_make(c, &x, &o);
    gm_record_init(&r, sizeof r);
    for (int i = 0; i < 3; i++) {
        float *average = malloc((size_t)g->m.average->param_elems * 4);
        const int64_t updates = gmi_optimizer_updates(g->m.optimizer[0]);
        memcpy(average, g->m.average->value, (size_t)g->m.average->param_elems * 4);
        w = keep(g);
        gm_status s = gm_gan_step(g, tx, NULL, &r);
        ok(s == GM_E_NONFINITE && strstr(gm_context_error(c), "generator."), "G's gradient is not finite: %s", gm_context_error(c));
        is_int(changed(g, &w), 1, "the new D stays, nothing of G has changed, its statistics neither");
        ok(!memcmp(average, g->m.average->value, (size_t)g->m.average->param_elems * 4) && gmi_optimizer_updates(g->m.optimizer[0]) == updates &&
            updates == 0 &&
               gmi_optimizer_updates(g->m.optimizer[1]) == i + 1 && g->m.fit.step == i + 1,
           "nor its average and moments; the step is counted once");
        free(average);
    }
    gm_gan_destroy(g);
    gan_options(&o, "hinge r2=1");
    o.discriminator = "dense 8; relu; poison";
    g = gan_make(c, &x, &o);
    w = keep(g);
    ok(gm_gan_step(g, tx, NULL, &r) == GM_E_NONFINITE && strstr(gm_context_error(c), "gan_step: "), "D's gradient: %s", gm_context_error(c));
    is_int(changed(g, &w), 0, "nothing changed");
    ok(gmi_optimizer_steps(g->m.optimizer[0]) == 0 && g->m.fit.step == 1, "G's half was left out");
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
}

/* ---- the average ---- */

/* Largest |a - (d b + (1 - d) w)|. (By compare: gcc 12 for aarch64 fails to compile this maximum with fmax.) */
static double mixed_gap(int n, const float *a, double d, const float *b, const float *w)
{
    double gap = 0;
    for (int i = 0; i < n; i++) {
        const double v = fabs((double)a[i] - (d * (double)b[i] + (1 - d) * (double)w[i]));
        if (!(v <= gap)) gap = v;
    }
    return gap;
}

static void average(gm_context *c)
{
    float old[8 * L];
    gm_spec x;
    gm_gan_options o;
    gm_tensor *tx = vae_rows(c, rows, N, K);
    gm_gan *u = NULL;
    char *p = NULL;
    spec_of(&x);
    for (int d_steps = 1; d_steps <= 2; d_steps++) {
        gan_options(&o, "non_saturating");
        o.ema_half_life = 40;
        o.d_steps = d_steps;
        o.g_optimizer = "adam lr=0.1";
        gm_gan *g = gan_make(c, &x, &o);
        const float *w = gan_view(gm_gan_params(g), "generator.0.weight", NULL);
        memcpy(old, w, sizeof old);
        for (int i = 0; i < d_steps; i++) gan_must(c, gm_gan_step(g, tx, NULL, NULL));
        const size_t n = gan_bytes(g, 0, &p);
        gan_must(c, gan_read(c, p, n, &u));
        const float *a = gan_view(gm_gan_params(u), "generator.0.weight", NULL);
        const double d = exp2(-(double)N * d_steps / 40);
        const double off = mixed_gap(8 * L, a, d, old, w), moved = mixed_gap(8 * L, a, 0, old, w);
        ok(off < 1e-6 && moved > 1e-3, "d_steps %d: the average is d w0 + (1 - d) w1, d = 2^(-examples/40): off by %g, %g from the weights", d_steps, off,
            moved);
        ok(!memcmp(gan_view(gm_gan_params(u), "discriminator.0.weight", NULL), gan_view(gm_gan_params(g), "discriminator.0.weight", NULL), 8 * K * 4),
            "D has none");
        gm_gan_destroy(u);
        gm_gan_destroy(g);
        free(p);
        p = NULL;
    }
    gm_tensor_destroy(tx);
}

/* Population statistics: mean over 16 batches of 256 of each batch's mean and unbiased variance, of z drawn under "population.z", steps 0 to 15, with the
 * averaged weights; computed here in double through the first layer, which is dense. */
static void population(gm_context *c, int conditional)
{
    enum { B = 256, H = 6 };
    static float z[B][L], zs[N][L], a[N][K], b[N][K];
    gm_spec x;
    gm_gan_options o;
    gm_gan *u = NULL;
    gm_tensor *tx = vae_rows(c, rows, N, K), *tl = vae_labels(c, labels, N), *tz = vae_rows(c, zs, N, L), *ta = vae_rows(c, a, N, K), *tb = vae_rows(c, b, N,
        K);
    gm_tensor *cond = conditional ? tl : NULL;
    double mean[H] = {0}, var[H] = {0}, off = 0, off_var = 0, moved = 0;
    char *p = NULL;
    spec_of(&x);
    gan_options(&o, "non_saturating");
    o.generator = "dense 6; batch_norm; tanh";
    o.condition = conditional ? "concat" : "";
    o.ema_half_life = 20;
    o.g_optimizer = o.d_optimizer = "adam lr=0.05";
    gm_gan *g = gan_make(c, &x, &o);
    for (int i = 0; i < 5; i++) gan_must(c, gm_gan_step(g, tx, cond, NULL));
    gan_normal_rows(zs[0], N * L, 77);
    gan_must(c, gm_gan_generate(g, tz, cond, ta));
    const size_t n = gan_bytes(g, 0, &p);
    gan_must(c, gan_read(c, p, n, &u));
    const float *w = gan_view(gm_gan_params(u), "generator.0.weight", NULL), *bias = gan_view(gm_gan_params(u), "generator.0.bias", NULL);
    const int in = conditional ? L + 3 : L;
    for (int t = 0; t < 16; t++) {
        noise(c, "population.z", o.seed, t, B, L, z[0]);
        for (int j = 0; j < H; j++) {
            double m = 0, q = 0;
            static double h[B];
            for (int i = 0; i < B; i++) {
                h[i] = (double)bias[j];
                for (int k = 0; k < L; k++) h[i] += (double)w[j * in + k] * (double)z[i][k];
                if (conditional) h[i] += (double)w[j * in + L + (t * B + i) % 3];
                m += h[i] / B;
            }
            for (int i = 0; i < B; i++) q += (h[i] - m) * (h[i] - m) / (B - 1);
            mean[j] += m / 16;
            var[j] += q / 16;
        }
    }
    const float *rm = gan_view(gm_gan_params(u), "generator.1.running_mean", NULL), *rv = gan_view(gm_gan_params(u), "generator.1.running_var", NULL),
                *trained = gan_view(gm_gan_params(g), "generator.1.running_var", NULL);
    for (int j = 0; j < H; j++) {
        off = fmax(off, fabs((double)rm[j] - mean[j]));
        off_var = fmax(off_var, fabs((double)rv[j] - var[j]));
        moved = fmax(moved, fabs((double)rv[j] - (double)trained[j]));
    }
    ok(off < 2e-6 && off_var < 1e-5 && moved > 1e-3, "%s: running_mean and running_var are the population's: off by %g and %g (training's differ by %g)",
        conditional ? "concat" : "plain",
       off, off_var, moved);
    gan_must(c, gm_gan_generate(u, tz, cond, tb));
    ok(!memcmp(a, b, sizeof a), "the saved model generates what the one in training does");
    gm_tensor *one = vae_rows(c, zs[5], 1, L), *out = vae_rows(c, b, 1, K), *l = vae_labels(c, labels + 5, 1);
    gan_must(c, gm_gan_generate(g, one, conditional ? l : NULL, out));
    ok(!memcmp(a[5], b[0], sizeof a[5]), "and does not look at the batch");
    /* closed form of the whole G for one row */
    {
        const float *gamma = gan_view(gm_gan_params(u), "generator.1.weight", NULL), *beta = gan_view(gm_gan_params(u), "generator.1.bias", NULL),
                    *ow = gan_view(gm_gan_params(u), "generator.output.weight", NULL), *ob = gan_view(gm_gan_params(u), "generator.output.bias", NULL);
        off = 0;
        for (int k = 0; k < K; k++) {
            double y = (double)ob[k];
            for (int j = 0; j < H; j++) {
                double h = (double)bias[j];
                for (int q = 0; q < L; q++) h += (double)w[j * in + q] * (double)zs[5][q];
                if (conditional) h += (double)w[j * in + L + labels[5]];
                y += (double)ow[k * H + j] * tanh((double)gamma[j] * (h - mean[j]) / sqrt(var[j] + 1e-5) + (double)beta[j]);
            }
            off = fmax(off, fabs(y - (double)a[5][k]));
        }
        ok(off < 1e-5, "G in closed form with them: off by %g", off);
    }
    gm_tensor_destroy(one);
    gm_tensor_destroy(out);
    gm_tensor_destroy(l);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
    gm_gan_destroy(g);
    gm_gan_destroy(u);
    free(p);
}

/* ---- conditions ---- */

static void conditions(gm_context *c, const char *condition, int real)
{
    static float z[N][L], a[N][K], b[N][K], sa[N], sb[N], given[N][2];
    int32_t other[N];
    gm_spec x;
    gm_gan_options o;
    gm_tensor *tx = vae_rows(c, rows, N, K), *tz = vae_rows(c, z, N, L), *ta = vae_rows(c, a, N, K), *tb = vae_rows(c, b, N, K), *ts = vae_vector(c, sa, N),
        *tt = vae_vector(c, sb, N),
              *tl = real ? vae_rows(c, given, N, 2) : vae_labels(c, labels, N), *to = real ? vae_rows(c, given, N, 2) : vae_labels(c, other, N);
    size_t same = 0, same_score = 0;
    spec_of(&x);
    if (real) x.classes = 0, x.cond_dim = 2;
    gan_options(&o, "relativistic r1=1 r2=1 every=2");
    o.condition = condition;
    o.d_optimizer = "sgd lr=0.1";
    gm_gan *g = gan_make(c, &x, &o);
    gan_normal_rows(z[0], N * L, 5);
    gan_normal_rows(given[0], N * 2, 15);
    for (int i = 0; i < N; i++) other[i] = (labels[i] + 1) % 3;
    gan_must(c, gm_gan_generate(g, tz, tl, ta));
    gan_must(c, gm_gan_discriminate(g, tx, tl, ts));
    if (real) gan_normal_rows(given[0], N * 2, 16);
    gan_must(c, gm_gan_generate(g, tz, to, tb));
    gan_must(c, gm_gan_discriminate(g, tx, to, tt));
    for (int i = 0; i < N; i++) {
        same += !memcmp(a[i], b[i], sizeof a[i]);
        same_score += sa[i] == sb[i];
    }
    ok(same == 0 && same_score == 0, "%s%s: conditions change G's and D's output", condition, real ? ", real" : "");
    if (!strcmp(condition, "projection")) {
        int64_t n;
        const float *e = gan_view(gm_gan_params(g), "discriminator.projection.weight", &n);
        float old[3 * 8];
        is_int(n, 3 * 8, "a row of 8 features for each class");
        memcpy(old, e, sizeof old);
        for (int i = 0; i < N; i++) other[i] = i % 2; /* class 2 is not in the batch */
        gan_must(c, gm_gan_step(g, tx, to, NULL));
        ok(memcmp(old, e, 8 * 4) && memcmp(old + 8, e + 8, 8 * 4) && !memcmp(old + 16, e + 16, 8 * 4),
            "the gradient reaches the rows of the labels that were there, and no other");
    }
    gan_must(c, gm_gan_step(g, tx, tl, NULL));
    gan_must(c, gm_gan_step(g, tx, tl, NULL));
    ok(1, "%s: penalised and plain steps", condition);
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(tt);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(to);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    gan_normal_rows(rows[0], N * K, 2);
    for (int i = 0; i < N; i++) labels[i] = i * 5 % 3;
    for (int32_t k = 0; k < 6; k++) {
        formulas(c, k, 0);
        formulas(c, k, 1);
    }
    penalties(c);
    turns(c);
    dropped(c);
    dropped_g(c);
    average(c);
    population(c, 0);
    population(c, 1);
    conditions(c, "concat", 0);
    conditions(c, "concat", 1);
    conditions(c, "projection", 0);
    gm_context_destroy(c);
    return done();
}
