/* SPDX-License-Identifier: MIT */
/* test_vae_logistic.c: a VAE on integers with the discretised logistic: probabilities that sum to 1, frequencies of draws, means, every element type and variance,
 * files, refusals, and a training. The distribution itself: oracle_logistic.c. */
#include "models/vae.h"
#include "vae_util.h"

static gm_vae *create(gm_context *c, const gm_spec *x, const char *encoder, const char *decoder, const char *variance, int bias_init)
{
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_vae_options_init(&o, sizeof o);
    o.likelihood = GM_LIKELIHOOD_LOGISTIC;
    o.encoder = encoder;
    o.decoder = decoder;
    o.latent_dim = 1;
    o.variance = variance;
    o.bias_init = bias_init;
    if (gm_vae_create(c, x, &o, &v)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    return v;
}

/* q(z|x) is the prior and p(x|z) does not depend on z: every importance weight is p(x). */
static gm_vae *constant(gm_context *c, gm_dtype t, double lo, double hi, const char *variance, float mean, float log_scale)
{
    static const float none[8];
    float bias[2];
    gm_spec x;
    vae_spec(&x, t, GM_SCALE_AUTO, 1, 1, 0, 0);
    x.lo = lo;
    x.hi = hi;
    int output = variance && variance[0] == 'o';
    gm_vae *v = create(c, &x, "flatten", output ? "dense 2" : "dense 1", variance, 0);
    bias[0] = mean;
    bias[1] = log_scale;
    vae_set(v, "decoder.0.weight", none);
    vae_set(v, "decoder.0.bias", bias);
    vae_set(v, "mean.weight", none);
    vae_set(v, "mean.bias", none);
    vae_set(v, "logvar.weight", none);
    vae_set(v, "logvar.bias", none);
    if (!output && (!variance || variance[0] != 'f')) vae_set(v, "output.logscale", &log_scale);
    return v;
}

/* Values lo to hi: probabilities, and a sampler that has them as frequencies. */
static void frequencies(gm_context *c, const char *name, double lo, int n, const char *variance, float mean, float log_scale)
{
    enum { M = 4000, MOST = 64 };
    static float x[M][1], nats[MOST];
    static double p[MOST], f[MOST];
    gm_vae *v = constant(c, GM_F32, lo, lo + n - 1, variance, mean, log_scale);
    gm_tensor *t = vae_rows(c, x, n, 1), *out = vae_vector(c, nats, n), *many = vae_rows(c, x, M, 1);
    gm_sample_options so;
    double sum = 0, far = 0, expected = 0;
    int i, valid = 1;
    for (i = 0; i < n; i++) x[i][0] = (float)(lo + i), f[i] = 0;
    ok(!gm_vae_log_likelihood(v, t, NULL, 2, 0, out, NULL), "%s: %s", name, gm_context_error(c));
    for (i = 0; i < n; i++) sum += p[i] = exp((double)nats[i]), expected += p[i] * (lo + i);
    ok(fabs(sum - 1) < 1e-5, "probabilities sum to 1: off by %g", sum - 1);
    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    ok(!gm_vae_sample(v, &so, NULL, many), "draws");
    for (i = 0; i < M; i++) {
        int k = (int)((double)x[i][0] - lo);
        valid &= k >= 0 && k < n && (double)x[i][0] == lo + k;
        if (k >= 0 && k < n) f[k] += 1.0 / M;
    }
    for (i = 0; i < n; i++) far = fmax(far, fabs(f[i] - p[i]) / sqrt(p[i] * (1 - p[i]) / M + 1e-6));
    ok(valid && far < 4.5, "are integers in range, as often as their probabilities say: %g deviations", far);
    so.draw = GM_DRAW_MEAN;
    ok(!gm_vae_sample(v, &so, NULL, t) && x[0][0] == floorf(x[0][0]) && fabs((double)x[0][0] - expected) <= 1.01,
       "the mean is an integer beside the expected value: %g, %g",
       (double)x[0][0], expected);
    gm_tensor_destroy(t);
    gm_tensor_destroy(out);
    gm_tensor_destroy(many);
    gm_vae_destroy(v);
}

/* The same numbers in other types are the same model. */
static void types(gm_context *c)
{
    static uint8_t u[3] = {0, 7, 9}, du[3];
    static int16_t h[3] = {0, 7, 9}, dh[3];
    static int32_t w[3] = {0, 7, 9}, dw[3];
    static float f[3] = {0, 7, 9}, df[3], nats[2][3];
    const gm_dtype t[4] = {GM_F32, GM_U8, GM_I16, GM_I32};
    void *in[4], *back[4];
    in[0] = f, in[1] = u, in[2] = h, in[3] = w;
    back[0] = df, back[1] = du, back[2] = dh, back[3] = dw;
    for (int k = 0; k < 4; k++) {
        gm_vae *v = constant(c, t[k], 0, 9, "scalar", 0.2f, -1);
        gm_tensor *x = vae_wrap(c, t[k], in[k], 2, 3, 1, 0, 0), *y = vae_wrap(c, t[k], back[k], 2, 3, 1, 0, 0), *out = vae_vector(c, nats[k > 0], 3);
        ok(!gm_vae_log_likelihood(v, x, NULL, 1, 0, out, NULL) && !gm_vae_reconstruct(v, x, NULL, y), "%s: %s", gm_dtype_name(t[k]), gm_context_error(c));
        if (k) ok(!memcmp(nats[0], nats[1], sizeof nats[0]), "as f32");
        gm_tensor_destroy(x);
        gm_tensor_destroy(y);
        gm_tensor_destroy(out);
        gm_vae_destroy(v);
    }
    ok(df[0] == 5 && du[0] == 5 && dh[1] == 5 && dw[2] == 5, "the mean in units of the data: %g", (double)df[0]);
}

enum { N = 64, H = 6 };
static uint8_t pixels[N][1][H][H];

static void images(gm_context *c)
{
    static const char *const variance[] = {"scalar", "dimension", "output", "fixed 0.05"};
    static uint8_t out[2][N][1][H][H];
    gm_tensor *x = vae_wrap(c, GM_U8, pixels, 4, N, 1, H, H), *y = vae_wrap(c, GM_U8, out[0], 4, N, 1, H, H), *z = vae_wrap(c, GM_U8, out[1], 4, N, 1, H, H);
    gm_dataset *d = NULL;
    gm_spec s;
    gm_spec_init(&s, sizeof s);
    s.lo = 0, s.hi = 255;
    ok(!gm_dataset_from_tensor(x, NULL, &s, &d), "images");
    for (int k = 0; k < 4; k++) {
        gm_vae *v = create(c, gm_dataset_spec(d), "conv 4 k4 s2 p1; relu; dense 16; relu",
           k == 2 ? "dense 36; relu; reshape 4x3x3; conv_transpose 2 k4 s2 p1" : "dense 16; relu",
                           variance[k], 1), *w = NULL;
        gm_fit_options f;
        gm_record r[3];
        gm_reader rd;
        char *bytes = NULL;
        gm_fit_options_init(&f, sizeof f);
        f.max_steps = 60;
        f.batch = 16;
        f.validation_fraction = 0;
        for (int i = 0; i < 3; i++) gm_record_init(&r[i], sizeof r[i]);
        ok(!gm_vae_evaluate(v, d, 1, &r[0]) && !gm_vae_fit(v, d, &f) && !gm_vae_evaluate(v, d, 1, &r[1]), "%s: %s", variance[k], gm_context_error(c));
        ok(r[1].elbo > r[0].elbo + 1 && r[1].elbo < 0, "training raises the ELBO of a probability: %g to %g", r[0].elbo, r[1].elbo);
        gm_reader_init(&rd, sizeof rd);
        rd.bytes = vae_bytes(v, 0, &bytes);
        rd.memory = bytes;
        ok(!gm_vae_read(c, &rd, &w) && !gm_vae_evaluate(w, d, 1, &r[2]) && r[1].elbo == r[2].elbo, "saved and loaded: %s", gm_context_error(c));
        ok(!gm_vae_reconstruct(v, x, NULL, y) && w && !gm_vae_reconstruct(w, x, NULL, z) && !memcmp(out[0], out[1], sizeof out[0]), "the same reconstructions");
        free(bytes);
        gm_vae_destroy(v);
        gm_vae_destroy(w);
    }
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_dataset_destroy(d);
}

static void refusals(gm_context *c)
{
    static float x[3][1] = {{0}, {1}, {2}};
    gm_tensor *t = vae_rows(c, x, 3, 1);
    gm_vae *v = constant(c, GM_F32, -1, 2, "scalar", 0, 0);
    gm_dataset *d = NULL;
    gm_record r;
    gm_record_init(&r, sizeof r);
    x[1][0] = 1.5f;
    ok(gm_vae_step(v, t, NULL, &r) == GM_E_RANGE, "half a value");
    is_text(gm_context_error(c), "vae_step: x row 1, element 0 is 1.5: the logistic likelihood takes integers", "its message");
    ok(!gm_dataset_from_tensor(t, NULL, NULL, &d) && gm_vae_evaluate(v, d, 1, &r) == GM_E_RANGE, "in a dataset: %s", gm_context_error(c));
    x[1][0] = 3;
    ok(gm_vae_step(v, t, NULL, &r) == GM_E_RANGE, "above hi: %s", gm_context_error(c));
    x[1][0] = NAN;
    ok(gm_vae_step(v, t, NULL, &r) == GM_E_NONFINITE, "NaN: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    uint32_t seed = 8;
    for (int i = 0; i < N; i++) {
        double level = 200 * vae_random(&seed);
        for (int j = 0; j < H * H; j++) pixels[i][0][j / H][j % H] = (uint8_t)(level + 40 * vae_random(&seed));
    }
    frequencies(c, "two values", 0, 2, "scalar", 0.3f, 0);
    frequencies(c, "seven values, an end below the mean", -3, 7, "dimension", 0.9f, -2);
    frequencies(c, "narrow", 0, 33, "output", -0.31f, -4.5f);
    frequencies(c, "wide", 100, 33, "output", 0.1f, 0.5f);
    frequencies(c, "a fixed scale", 0, 50, "fixed 0.1", 1.2f, 0);
    types(c);
    images(c);
    refusals(c);
    gm_context_destroy(c);
    return done();
}
