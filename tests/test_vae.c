/* SPDX-License-Identifier: MIT */
/* test_vae.c: what a VAE computes: closed forms, identities between its numbers, independence of batch and order, and what it refuses.
 *
 * The linear-Gaussian model with one latent dimension has everything in closed form: p(x) = N(b, w w^T + s I), and the exact posterior is N(m(x), v) with
 * v = 1/(1 + w.w/s), m = v w.(x - b)/s. With that posterior as q, log w = log p(x) for every z: any IWAE bound and any importance estimate is exact. */
#include "vae_util.h"

#define D 3

static const float W[D] = {1.0f, -0.5f, 2.0f}, B[D] = {0.2f, 0.0f, -1.0f};
static const double S = 0.5;

static double log_px(const float *x)
{
    double ww = 0, wr = 0, rr = 0, log_det, quad;
    int i;
    for (i = 0; i < D; i++) {
        double r = (double)x[i] - (double)B[i];
        ww += (double)W[i] * (double)W[i];
        wr += (double)W[i] * r;
        rr += r * r;
    }
    log_det = (D - 1) * log(S) + log(S + ww);
    quad = (rr - wr * wr / (S + ww)) / S;
    return -0.5 * (D * log(2 * 3.14159265358979323846) + log_det + quad);
}

/* The model above with the exact posterior. */
static gm_vae *linear_gaussian(gm_context *c, const char *objective)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    float mw[D], mb = 0, lw[D] = {0, 0, 0}, lb;
    double ww = 0, var;
    int i;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, D, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "flatten";
    o.decoder = "dense 3";
    o.latent_dim = 1;
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    o.variance = "fixed 0.5";
    o.objective = objective;
    if (gm_vae_create(c, &x, &o, &v)) {
        printf("Bail out! %s\n", gm_context_error(c));
        exit(1);
    }
    for (i = 0; i < D; i++) ww += (double)W[i] * (double)W[i];
    var = 1 / (1 + ww / S);
    for (i = 0; i < D; i++) {
        mw[i] = (float)(var * (double)W[i] / S);
        mb -= (float)(var * (double)W[i] * (double)B[i] / S);
    }
    lb = (float)log(var);
    vae_set(v, "decoder.0.weight", W);
    vae_set(v, "decoder.0.bias", B);
    vae_set(v, "mean.weight", mw);
    vae_set(v, "mean.bias", &mb);
    vae_set(v, "logvar.weight", lw);
    vae_set(v, "logvar.bias", &lb);
    return v;
}

static void closed_form(gm_context *c)
{
    enum { N = 37 };
    static float x[N][D];
    float nats[N], se[N];
    uint32_t seed = 3;
    double mean = 0, worst = 0, worst_se = 0;
    gm_vae *v = linear_gaussian(c, "elbo"), *w = linear_gaussian(c, "iwae 3");
    gm_tensor *t = vae_rows(c, x, N, D), *tn = vae_vector(c, nats, N), *ts = vae_vector(c, se, N);
    gm_dataset *d = NULL;
    gm_record r;
    int i, j;
    int32_t k;
    for (i = 0; i < N; i++)
        for (j = 0; j < D; j++) x[i][j] = (float)(4 * vae_random(&seed) - 2);
    for (i = 0; i < N; i++) mean += log_px(x[i]) / N;
    for (k = 1; k <= 300; k += k < 5 ? 1 : 59) {
        worst = worst_se = 0;
        ok(gm_vae_log_likelihood(v, t, NULL, k, 11, tn, ts) == GM_OK, "log-likelihood with %d samples (%s)", (int)k, gm_context_error(c));
        for (i = 0; i < N; i++) {
            double e = fabs((double)nats[i] - log_px(x[i]));
            worst = e > worst ? e : worst;
            worst_se = se[i] > worst_se ? (double)se[i] : worst_se;
        }
        ok(worst < 2e-5, "under the exact posterior it is log p(x): off by %g", worst);
        ok(worst_se < 3e-4, "with a standard error of nothing: %g", worst_se);
    }
    ok(gm_dataset_from_tensor(t, NULL, NULL, &d) == GM_OK, "dataset");
    gm_record_init(&r, sizeof r);
    ok(gm_vae_evaluate(w, d, 1, &r) == GM_OK, "evaluate iwae (%s)", gm_context_error(c));
    near(-r.objective, mean, 1e-5, "the IWAE bound is log p(x) on one draw");
    gm_record_init(&r, sizeof r);
    ok(gm_vae_evaluate(v, d, 400, &r) == GM_OK, "evaluate elbo (%s)", gm_context_error(c));
    near(r.elbo, mean, 0.03, "the ELBO over 400 draws is log p(x)");
    near(r.elbo, r.recon - r.kl, 1e-9, "elbo = recon - kl");
    near(-r.objective, r.elbo, 1e-9, "objective = -elbo at beta 1");
    gm_tensor_destroy(t);
    gm_tensor_destroy(tn);
    gm_tensor_destroy(ts);
    gm_dataset_destroy(d);
    gm_vae_destroy(v);
    gm_vae_destroy(w);
}

/* ---- records of a step ---- */

static gm_node constant_loss(void *user, gm_graph *g, gm_node x, gm_node z, gm_node x_mean)
{
    (void)x;
    (void)z;
    (void)x_mean;
    return gm_op_scalar(g, *(const double *)user);
}

static gm_node row_loss(void *user, gm_graph *g, gm_node x, gm_node z, gm_node x_mean)
{
    (void)user;
    (void)x;
    (void)x_mean;
    return gm_op_scale(g, gm_op_mean(g, gm_op_square(g, z), 2, 0), 0.0);
}

static void records(gm_context *c)
{
    enum { N = 24, K = 6 };
    static float x[N][K];
    uint32_t seed = 8;
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_record r;
    gm_tensor *t = vae_rows(c, x, N, K);
    double sum = 0, clipped = 0, extra = 3.25, first;
    int i, j;
    for (i = 0; i < N; i++)
        for (j = 0; j < K; j++) x[i][j] = (float)vae_random(&seed);
    vae_spec(&spec, GM_F32, GM_SCALE_UNIT, 1, K, 0, 0);
    spec.lo = 0;
    spec.hi = 1;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 16; tanh";
    o.latent_dim = 4;
    o.beta = "constant 0.7";
    o.free_bits = 0.01;
    gm_record_init(&r, sizeof r);
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK, "create (%s)", gm_context_error(c));
    ok(gm_vae_step(v, t, NULL, &r) == GM_OK, "step (%s)", gm_context_error(c));
    first = r.objective;
    is_int(r.n_kl, 4, "n_kl");
    for (j = 0; j < r.n_kl; j++) {
        sum += (double)r.kl_per_dim[j];
        clipped += (double)r.kl_per_dim[j] > 0.01 ? (double)r.kl_per_dim[j] : 0.01;
    }
    near(r.kl, sum, 1e-6, "kl is the sum over dimensions");
    near(r.elbo, r.recon - r.kl, 1e-5, "elbo = recon - kl, nothing clipped");
    near(r.objective, 0.7 * clipped - r.recon, 1e-5, "objective = -recon + beta sum max(lambda, KL_j)");
    near(r.beta, 0.7, 1e-12, "beta");
    near(r.lr, 0.001, 1e-12, "lr");
    is_int(r.step, 1, "step");
    is_int(r.examples, N, "examples");
    ok(r.grad_norm > 0, "grad_norm %g", r.grad_norm);
    ok(isnan(r.d_loss) && isnan(r.active_units), "what does not apply is NaN");
    gm_vae_destroy(v);
    o.extra_loss = constant_loss;
    o.extra_user = &extra;
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK && gm_vae_step(v, t, NULL, &r) == GM_OK, "extra_loss (%s)", gm_context_error(c));
    near(r.objective, first + extra, 1e-5, "is added to the objective");
    gm_vae_set_extra_loss(v, row_loss, NULL);
    ok(gm_vae_step(v, t, NULL, &r) == GM_OK, "an extra_loss with one number a row (%s)", gm_context_error(c));
    gm_vae_destroy(v);
    o.extra_loss = NULL;
    o.free_bits = 0;
    o.beta = NULL;
    o.objective = "iwae 8";
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK && gm_vae_step(v, t, NULL, &r) == GM_OK, "iwae (%s)", gm_context_error(c));
    ok(-r.objective > r.elbo - 0.05, "the IWAE bound %g is not below the ELBO %g", -r.objective, r.elbo);
    gm_vae_destroy(v);
    gm_tensor_destroy(t);
}

/* ---- independence of batch and order ---- */

static void independence(gm_context *c)
{
    enum { N = 300, K = 5, L = 3 };
    static uint8_t x[N][K], y[N][K], y1[N][K];
    static float m[N][L], lv[N][L], m1[N][L], lv1[N][L];
    uint32_t seed = 4;
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_sample_options so;
    gm_tensor *tx = vae_wrap(c, GM_U8, x, 2, N, K, 0, 0), *ty = vae_wrap(c, GM_U8, y, 2, N, K, 0, 0), *tm = vae_rows(c, m, N, L), *tl = vae_rows(c, lv, N, L);
    gm_status s;
    int i, j, step;
    for (i = 0; i < N; i++)
        for (j = 0; j < K; j++) x[i][j] = (uint8_t)(256 * vae_random(&seed));
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 16; relu";
    o.latent_dim = L;
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK, "create on u8 (%s)", gm_context_error(c));
    ok(gm_vae_encode(v, tx, NULL, tm, tl) == GM_OK, "encode %d rows (%s)", N, gm_context_error(c));
    for (step = 1; step <= 100; step += 33) { /* in pieces of 1, 34, 67, 100 */
        s = GM_OK;
        for (i = 0; !s && i < N; i += step) {
            int n = i + step < N ? step : N - i;
            gm_tensor *a = vae_wrap(c, GM_U8, x[i], 2, n, K, 0, 0), *b = vae_rows(c, m1[i], n, L), *d = vae_rows(c, lv1[i], n, L);
            s = gm_vae_encode(v, a, NULL, b, d);
            gm_tensor_destroy(a);
            gm_tensor_destroy(b);
            gm_tensor_destroy(d);
        }
        ok(!s && !memcmp(m, m1, sizeof m) && !memcmp(lv, lv1, sizeof lv), "encode gives the same bits in pieces of %d", step);
    }
    for (j = 0; j < 2; j++) {
        gm_draw draw = j ? GM_DRAW_SAMPLE : GM_DRAW_MEAN;
        ok(gm_vae_decode(v, tm, NULL, draw, 7, ty) == GM_OK, "decode (%s)", gm_context_error(c));
        gm_sample_options_init(&so, sizeof so);
        so.draw = draw;
        so.seed = 21;
        ok(gm_vae_sample(v, &so, NULL, ty) == GM_OK, "sample %d (%s)", N, gm_context_error(c));
        s = GM_OK;
        for (i = 0; !s && i < N; i += 41) {
            int n = i + 41 < N ? 41 : N - i;
            gm_tensor *a = vae_wrap(c, GM_U8, y1[i], 2, n, K, 0, 0);
            so.first = i;
            s = gm_vae_sample(v, &so, NULL, a);
            gm_tensor_destroy(a);
        }
        ok(!s && !memcmp(y, y1, sizeof y), "sample i depends on seed and first + i alone (%s)", gm_draw_name(draw));
    }
    ok(gm_vae_reserve(v, 32) == GM_OK, "reserve (%s)", gm_context_error(c));
    memset(m1, 0, sizeof m1);
    gm_tensor_destroy(tm);
    tm = vae_rows(c, m1, N, L);
    ok(gm_vae_encode(v, tx, NULL, tm, NULL) == GM_OK && !memcmp(m, m1, sizeof m), "the same bits in reserved batches");
    ok(gm_vae_encode(v, tx, NULL, NULL, tl) == GM_OK, "logvar alone");
    ok(gm_vae_reconstruct(v, tx, NULL, ty) == GM_OK && gm_vae_decode(v, tm, NULL, GM_DRAW_MEAN, 0, ty) == GM_OK, "reconstruct (%s)", gm_context_error(c));
    memcpy(y1, y, sizeof y);
    ok(gm_vae_reconstruct(v, tx, NULL, ty) == GM_OK && !memcmp(y, y1, sizeof y), "reconstruct is decode of the mean of encode");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(tm);
    gm_tensor_destroy(tl);
    gm_vae_destroy(v);
}

/* ---- draws of p(x|z) have its mean ---- */

static void draws(gm_context *c)
{
    enum { N = 4000 };
    static float z[N][1], x[N][2], p[N][2];
    static int32_t k[N][2];
    static const float zero[8] = {0}, bias[2] = {0.3f, -1.2f}, logits[6] = {0, 1, -1, 2, 0, 0}, mw[1] = {0.6931472f};
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_tensor *tz = vae_rows(c, z, N, 1), *tx = vae_rows(c, x, N, 2), *tp = vae_rows(c, p, N, 2), *tk = vae_wrap(c, GM_I32, k, 2, N, 2, 0, 0);
    double mean[2] = {0, 0}, square = 0, count[6] = {0};
    int i, j;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "flatten";
    o.decoder = "dense 2";
    o.latent_dim = 1;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    vae_spec(&spec, GM_F32, GM_SCALE_UNIT, 1, 2, 0, 0);
    spec.lo = 10;
    spec.hi = 20;
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK, "bernoulli (%s)", gm_context_error(c));
    vae_set(v, "decoder.0.weight", zero);
    vae_set(v, "decoder.0.bias", bias);
    ok(gm_vae_decode(v, tz, NULL, GM_DRAW_MEAN, 1, tp) == GM_OK && gm_vae_decode(v, tz, NULL, GM_DRAW_SAMPLE, 1, tx) == GM_OK, "decode (%s)", gm_context_error(c));
    for (i = 0; i < N; i++)
        for (j = 0; j < 2; j++) {
            mean[j] += (double)x[i][j] / N;
            square += x[i][j] != 10 && x[i][j] != 20;
        }
    near((double)p[0][0], 10 + 10 / (1 + exp(-0.3)), 1e-5, "the mean, in units of the data");
    ok(square == 0, "draws are lo or hi");
    near(mean[0], (double)p[0][0], 0.3, "frequency of ones");
    near(mean[1], (double)p[0][1], 0.3, "frequency of ones");
    gm_vae_destroy(v);
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    o.variance = "scalar";
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, 2, 0, 0);
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK, "gaussian (%s)", gm_context_error(c));
    vae_set(v, "decoder.0.weight", zero);
    vae_set(v, "decoder.0.bias", bias);
    vae_set(v, "output.logvar", mw);
    ok(gm_vae_decode(v, tz, NULL, GM_DRAW_SAMPLE, 1, tx) == GM_OK, "decode (%s)", gm_context_error(c));
    mean[0] = mean[1] = square = 0;
    for (i = 0; i < N; i++) mean[0] += (double)x[i][0] / N;
    for (i = 0; i < N; i++) square += ((double)x[i][0] - mean[0]) * ((double)x[i][0] - mean[0]) / N;
    near(mean[0], 0.3, 0.09, "mean of draws");
    near(square, 2, 0.2, "variance of draws");
    gm_vae_destroy(v);
    o.likelihood = GM_LIKELIHOOD_CATEGORICAL;
    o.decoder = "dense 6";
    vae_spec(&spec, GM_I32, GM_SCALE_AUTO, 1, 2, 0, 0);
    spec.lo = 5;
    spec.hi = 7;
    ok(gm_vae_create(c, &spec, &o, &v) == GM_OK, "categorical (%s)", gm_context_error(c));
    vae_set(v, "decoder.0.weight", zero);
    vae_set(v, "decoder.0.bias", logits);
    ok(gm_vae_decode(v, tz, NULL, GM_DRAW_MEAN, 1, tk) == GM_OK && k[0][0] == 6 && k[0][1] == 5, "the most probable classes are %d and %d", k[0][0], k[0][1]);
    ok(gm_vae_decode(v, tz, NULL, GM_DRAW_SAMPLE, 1, tk) == GM_OK, "draws (%s)", gm_context_error(c));
    for (i = 0; i < N; i++)
        for (j = 0; j < 2; j++)
            if (k[i][j] >= 5 && k[i][j] <= 7) count[3 * j + k[i][j] - 5] += 1.0 / N;
    for (j = 0; j < 6; j++) {
        const float *l = logits + j / 3 * 3;
        near(count[j], exp((double)logits[j]) / (exp((double)l[0]) + exp((double)l[1]) + exp((double)l[2])), 0.03, "frequency of class %d", j);
    }
    gm_vae_destroy(v);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tp);
    gm_tensor_destroy(tk);
}

/* ---- likelihoods, variances and networks build and learn ---- */

typedef struct kind {
    const char *name, *encoder, *decoder, *variance, *objective, *condition;
    gm_likelihood likelihood;
    gm_dtype dtype;
    gm_scaling scaling;
} kind;

static void learn(gm_context *c, const kind *k)
{
    enum { N = 64, H = 6 };
    static float xf[N][1][H][H];
    static uint8_t xb[N][1][H][H];
    static int32_t label[N];
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_record r;
    double first = 0, last = 0;
    gm_status s;
    int i, a, b;
    for (i = 0; i < N; i++) {
        label[i] = i % 3;
        for (a = 0; a < H; a++)
            for (b = 0; b < H; b++) {
                int on = (a + label[i]) % 3 == 0;
                xb[i][0][a][b] = k->likelihood == GM_LIKELIHOOD_CATEGORICAL ? (uint8_t)(on + (b == 0)) : (uint8_t)(on ? 255 : 0);
                xf[i][0][a][b] = (float)on + 0.1f * (float)b;
            }
    }
    gm_tensor *x = k->dtype == GM_U8 ? vae_wrap(c, GM_U8, xb, 4, N, 1, H, H) : vae_wrap(c, GM_F32, xf, 4, N, 1, H, H), *l = vae_labels(c, label, N);
    vae_spec(&spec, k->dtype, k->scaling, 3, 1, H, H);
    if (k->likelihood == GM_LIKELIHOOD_CATEGORICAL) spec.hi = 2;
    spec.classes = k->condition ? 3 : 0;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = k->encoder;
    o.decoder = k->decoder;
    o.variance = k->variance;
    o.objective = k->objective;
    o.condition = k->condition;
    o.likelihood = k->likelihood;
    o.latent_dim = 2;
    o.optimizer = "adam lr=0.01";
    s = gm_vae_create(c, &spec, &o, &v);
    gm_record_init(&r, sizeof r);
    for (i = 0; !s && i < 60; i++) {
        s = gm_vae_step(v, x, k->condition ? l : NULL, &r);
        if (i == 0) first = r.objective;
        last = r.objective;
    }
    ok(!s, "%s: 60 steps (%s)", k->name, gm_context_error(c));
    ok(last < first - 1, "%s: the objective falls from %g to %g", k->name, first, last);
    gm_tensor_destroy(x);
    gm_tensor_destroy(l);
    gm_vae_destroy(v);
}

static void kinds(gm_context *c)
{
    static const char mlp[] = "dense 32; relu", conv[] = "conv 8 k4 s2 p1; batch_norm; relu",
                      up[] = "dense 72; relu; reshape 8x3x3; conv_transpose 1 k4 s2 p1", up2[] = "dense 72; relu; reshape 8x3x3; conv_transpose 2 k4 s2 p1",
                      up3[] = "dense 72; relu; reshape 8x3x3; conv_transpose 3 k4 s2 p1";
    static const kind all[] = {
        {"bernoulli mlp", mlp, mlp, NULL, NULL, NULL, GM_LIKELIHOOD_AUTO, GM_U8, GM_SCALE_AUTO},
        {"bernoulli conv", conv, up, NULL, NULL, NULL, GM_LIKELIHOOD_BERNOULLI, GM_U8, GM_SCALE_AUTO},
        {"bernoulli conditional conv", conv, up, NULL, NULL, "concat", GM_LIKELIHOOD_BERNOULLI, GM_U8, GM_SCALE_AUTO},
        {"bernoulli iwae", mlp, mlp, NULL, "iwae 5", NULL, GM_LIKELIHOOD_BERNOULLI, GM_U8, GM_SCALE_AUTO},
        {"bernoulli iwae conditional conv", conv, up, NULL, "iwae 3", "concat", GM_LIKELIHOOD_BERNOULLI, GM_U8, GM_SCALE_AUTO},
        {"gaussian fixed", mlp, mlp, "fixed 0.1", NULL, NULL, GM_LIKELIHOOD_GAUSSIAN, GM_F32, GM_SCALE_NONE},
        {"gaussian scalar", mlp, mlp, "scalar", NULL, NULL, GM_LIKELIHOOD_AUTO, GM_F32, GM_SCALE_NONE},
        {"gaussian dimension", mlp, mlp, "dimension", NULL, "concat", GM_LIKELIHOOD_GAUSSIAN, GM_F32, GM_SCALE_NONE},
        {"gaussian output mlp", mlp, mlp, "output", NULL, NULL, GM_LIKELIHOOD_GAUSSIAN, GM_F32, GM_SCALE_NONE},
        {"gaussian output conv", conv, up2, "output", NULL, NULL, GM_LIKELIHOOD_GAUSSIAN, GM_U8, GM_SCALE_SIGNED},
        {"gaussian output iwae", conv, up2, "output", "iwae 2", NULL, GM_LIKELIHOOD_GAUSSIAN, GM_U8, GM_SCALE_SIGNED},
        {"categorical mlp", mlp, mlp, NULL, NULL, NULL, GM_LIKELIHOOD_CATEGORICAL, GM_U8, GM_SCALE_AUTO},
        {"categorical conv", conv, up3, NULL, NULL, NULL, GM_LIKELIHOOD_CATEGORICAL, GM_U8, GM_SCALE_AUTO},
        {"categorical iwae", conv, up3, NULL, "iwae 3", "concat", GM_LIKELIHOOD_CATEGORICAL, GM_U8, GM_SCALE_AUTO},
    };
    size_t i;
    for (i = 0; i < sizeof all / sizeof all[0]; i++) learn(c, &all[i]);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    closed_form(c);
    records(c);
    independence(c);
    draws(c);
    kinds(c);
    gm_context_destroy(c);
    return done();
}
