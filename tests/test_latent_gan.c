/* SPDX-License-Identifier: MIT */
/* test_latent_gan.c: inversion. With a linear generator, G(z) = W z + b, the best z is the least squares solution, which Gauss's elimination gives here. */
#include "latent_util.h"

enum { N = 37, GX = 6, GD = 2 };
static float X[N][GX];
static int32_t LABEL[N];

static void set(gm_gan *g, const char *name, const float *from, size_t n)
{
    gm_tensor *t = NULL;
    must(gm_params_view(gm_gan_params(g), name, &t));
    memcpy(gm_tensor_data(t), from, n * sizeof *from);
    gm_tensor_destroy(t);
}

static gm_gan *gan(gm_context *c, const char *generator, int classes)
{
    gm_spec spec;
    gm_gan_options o;
    gm_gan *g = NULL;
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, GX, 0, 0);
    spec.classes = classes;
    gm_gan_options_init(&o, sizeof o);
    o.generator = generator;
    o.discriminator = "dense 8; leaky_relu 0.2";
    o.latent_dim = GD;
    o.ema_half_life = 0;
    o.seed = 3;
    if (classes) o.condition = "concat";
    if (gm_gan_create(c, &spec, &o, &g)) printf("# %s\n", gm_context_error(c));
    must(g ? GM_OK : 1);
    return g;
}

static const gm_model *snapshot(gm_gan *g)
{
    const gm_model *m = NULL;
    must(gm_gan_snapshot(g, &m));
    return m;
}

typedef struct found {
    float z[N][GD], residual[N], x[N][GX];
    int32_t steps[N];
} found;

static void invert(gm_context *c, gm_latent *l, int n, int conditional, found *f)
{
    gm_tensor *x = vae_rows(c, X, n, GX), *y = vae_labels(c, LABEL, n), *z = vae_rows(c, f->z, n, GD), *r = vae_vector(c, f->residual, n),
        *s = vae_labels(c, f->steps, n);
    gm_tensor *to = vae_rows(c, f->x, n, GX), *cond = conditional ? y : NULL;
    must(gm_latent_encode(l, x, cond, z, NULL, r, s));
    must(gm_latent_reconstruct(l, x, cond, to));
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_tensor_destroy(r);
    gm_tensor_destroy(s);
    gm_tensor_destroy(to);
}

static int same_rows(const found *a, const found *b, int n)
{
    return !memcmp(a->z, b->z, sizeof a->z[0] * (size_t)n) && !memcmp(a->residual, b->residual, sizeof(float) * (size_t)n) &&
           !memcmp(a->x, b->x, sizeof a->x[0] * (size_t)n) && !memcmp(a->steps, b->steps, sizeof(int32_t) * (size_t)n);
}

/* ---- the linear generator ---- */

static void linear(gm_context *c)
{
    static const float w[GX][GD] = {{1, 0.5f}, {-0.5f, 1}, {0.25f, -1}, {2, 0}, {0, 1.5f}, {-1, 1}}, b[GX] = {0.1f, -0.2f, 0, 0.3f, 1, -1};
    static found f;
    gm_gan *g = gan(c, "dense 6", 0);
    gm_latent_options o;
    gm_latent *l = NULL;
    int i, j, k, off = 0, residuals = 0, steps = 0;
    set(g, "generator.0.weight", w[0], GX * GD);
    set(g, "generator.0.bias", b, GX);
    const gm_model *m = snapshot(g);
    gm_latent_options_init(&o, sizeof o);
    o.invert_steps = 400;
    must(gm_latent_create(c, m, &o, &l));
    invert(c, l, N, 0, &f);
    for (i = 0; i < N; i++) {
        double a[GD][GD] = {{0}}, y[GD] = {0}, z[GD], det, error = 0, given = 0;
        for (j = 0; j < GX; j++)
            for (k = 0; k < GD; k++) {
                a[k][0] += (double)w[j][k] * (double)w[j][0];
                a[k][1] += (double)w[j][k] * (double)w[j][1];
                y[k] += (double)w[j][k] * ((double)X[i][j] - (double)b[j]);
            }
        det = a[0][0] * a[1][1] - a[0][1] * a[1][0];
        z[0] = (y[0] * a[1][1] - a[0][1] * y[1]) / det;
        z[1] = (a[0][0] * y[1] - a[1][0] * y[0]) / det;
        for (j = 0; j < GX; j++) {
            double t = (double)w[j][0] * z[0] + (double)w[j][1] * z[1] + (double)b[j] - (double)X[i][j], u = (double)f.x[i][j] - (double)X[i][j];
            error += t * t / GX;
            given += u * u / GX;
        }
        off += fabs(z[0] - (double)f.z[i][0]) > 2e-3 || fabs(z[1] - (double)f.z[i][1]) > 2e-3;
        residuals += fabs(error - (double)f.residual[i]) > 1e-5 || fabs(given - (double)f.residual[i]) > 1e-5;
        steps += f.steps[i] < 1 || f.steps[i] > 400;
    }
    is_int(off, 0, "z is the least squares solution");
    is_int(residuals, 0, "residual is its error, and that of reconstruct");
    is_int(steps, 0, "steps lie between 1 and those of the options");
    gm_latent_destroy(l);
    gm_model_destroy(m);
    gm_gan_destroy(g);
}

/* ---- bits ---- */

static void any_batch(gm_context *c, const gm_model *m, int conditional)
{
    static found whole, part;
    static const int64_t batch[] = {1, 7, 16};
    gm_latent_options o;
    gm_latent *l = NULL;
    gm_simd level;
    size_t k;
    int n, wrong = 0;
    gm_latent_options_init(&o, sizeof o);
    o.invert_steps = 12;
    o.invert_starts = 2;
    must(gm_latent_create(c, m, &o, &l));
    invert(c, l, N, conditional, &whole);
    for (n = 1; n <= 33; n++) {
        invert(c, l, n, conditional, &part);
        wrong += !same_rows(&whole, &part, n);
    }
    is_int(wrong, 0, "calls of 1 to 33 rows");
    gm_latent_destroy(l);
    for (k = 0; k < sizeof batch / sizeof batch[0]; k++) {
        o.batch = batch[k];
        must(gm_latent_create(c, m, &o, &l));
        invert(c, l, N, conditional, &part);
        ok(same_rows(&whole, &part, N), "batch %d", (int)batch[k]);
        gm_latent_destroy(l);
    }
    o.batch = 256;
    for (level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++) {
        int32_t threads;
        for (threads = 1; threads <= 3; threads += 2) {
            gm_context *d = vae_context(threads, level);
            if (!d) break;
            must(gm_latent_create(d, m, &o, &l));
            invert(d, l, N, conditional, &part);
            ok(same_rows(&whole, &part, N), "%s, %d threads", gm_simd_name(level), (int)threads);
            gm_latent_destroy(l);
            gm_context_destroy(d);
        }
    }
}

/* More starts, more steps at hand: the best is not worse; another seed starts elsewhere. */
static void starts(gm_context *c, const gm_model *m)
{
    static found one, four, other;
    gm_latent_options o;
    gm_latent *l = NULL;
    int i, worse = 0, better = 0;
    gm_latent_options_init(&o, sizeof o);
    o.invert_steps = 20;
    o.invert_starts = 1;
    must(gm_latent_create(c, m, &o, &l));
    invert(c, l, N, 0, &one);
    gm_latent_destroy(l);
    o.invert_starts = 4;
    must(gm_latent_create(c, m, &o, &l));
    invert(c, l, N, 0, &four);
    gm_latent_destroy(l);
    for (i = 0; i < N; i++) {
        worse += four.residual[i] > one.residual[i];
        better += four.residual[i] < one.residual[i];
    }
    is_int(worse, 0, "four starts are never worse than the first alone");
    ok(better > 0, "and better for %d of %d rows", better, N);
    o.seed = 1;
    must(gm_latent_create(c, m, &o, &l));
    invert(c, l, N, 0, &other);
    ok(memcmp(four.z, other.z, sizeof four.z) != 0, "another seed");
    gm_latent_destroy(l);
}

/* ---- the other calls ---- */

static void as_the_gan(gm_context *c, gm_gan *g, const gm_model *m)
{
    static float z[N][GD], a[N][GX], b[N][GX], score[N], again[N];
    static found f;
    gm_sample_options so;
    gm_latent *l = NULL;
    gm_tensor *tz = vae_rows(c, z, N, GD), *ta = vae_rows(c, a, N, GX), *tb = vae_rows(c, b, N, GX), *ts = vae_vector(c, score, N),
        *t2 = vae_vector(c, again, N), *tx = vae_rows(c, X, N, GX);
    int i, wrong = 0;
    must(gm_latent_create(c, m, NULL, &l));
    gm_sample_options_init(&so, sizeof so);
    so.seed = 4;
    so.first = 9;
    so.truncation = 0.5;
    must(gm_gan_sample(g, &so, NULL, ta));
    must(gm_latent_sample(l, &so, NULL, tz, tb));
    ok(!memcmp(a, b, sizeof a), "sample is gm_gan_sample");
    must(gm_gan_generate(g, tz, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "its z generates it");
    must(gm_latent_decode(l, tz, NULL, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "decode is gm_gan_generate");
    invert(c, l, N, 0, &f);
    must(gm_latent_score(l, GM_SCORE_RESIDUAL, tx, NULL, ts, NULL));
    must(gm_latent_score(l, GM_SCORE_RECONSTRUCTION, tx, NULL, t2, NULL));
    for (i = 0; i < N; i++) wrong += score[i] != (float)((double)f.residual[i] * GX) &&
        fabs((double)score[i] - (double)f.residual[i] * GX) > 1e-6 * (double)score[i];
    is_int(wrong, 0, "RESIDUAL is the residual summed over elements");
    ok(!memcmp(score, again, sizeof score), "RECONSTRUCTION is RESIDUAL");
    must(gm_latent_score(l, GM_SCORE_MAHALANOBIS, tx, NULL, ts, NULL));
    for (i = 0, wrong = 0; i < N; i++) wrong += score[i] != (float)((double)f.z[i][0] * (double)f.z[i][0] + (double)f.z[i][1] * (double)f.z[i][1]);
    is_int(wrong, 0, "MAHALANOBIS is |z|^2");
    must(gm_latent_augment(l, tx, NULL, 0, NULL, ta));
    ok(!memcmp(a, f.x, sizeof a), "augment of radius 0 is reconstruct");
    must(gm_latent_augment(l, tx, NULL, 0.3, NULL, ta));
    ok(memcmp(a, f.x, sizeof a) != 0, "of another it is not");
    size_t before = c->alloc_count;
    gm_tensor *few = vae_rows(c, X, 5, GX), *zf = vae_rows(c, z, 5, GD), *to = vae_rows(c, a, 5, GX), *rf = vae_vector(c, score, 5);
    before = c->alloc_count;
    must(gm_latent_encode(l, few, NULL, zf, NULL, rf, NULL));
    must(gm_latent_decode(l, zf, NULL, NULL, to));
    must(gm_latent_sample(l, NULL, NULL, zf, to));
    must(gm_latent_augment(l, few, NULL, 1, NULL, to));
    must(gm_latent_score(l, GM_SCORE_RESIDUAL, few, NULL, rf, NULL));
    is_int(c->alloc_count, before, "calls of fewer rows allocate nothing");
    refused(c, gm_latent_encode(l, few, NULL, zf, zf, NULL, NULL), GM_E_UNSUPPORTED, "logvar must be NULL");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, few, NULL, rf, NULL), GM_E_UNSUPPORTED, "a model of family \"gan\" has no score elbo");
    X[3][1] = (float)NAN;
    refused(c, gm_latent_encode(l, few, NULL, zf, NULL, rf, NULL), GM_E_NONFINITE, "row 3");
    X[3][1] = 0;
    gm_tensor_destroy(few);
    gm_tensor_destroy(zf);
    gm_tensor_destroy(to);
    gm_tensor_destroy(rf);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(t2);
    gm_tensor_destroy(tx);
    gm_latent_destroy(l);
}

/* ---- progress and calibration ---- */

typedef struct watch {
    int calls, cancel_at;
    char last[160];
} watch;

static gm_action watching(void *user, const gm_record *r)
{
    watch *w = user;
    snprintf(w->last, sizeof w->last, "%s: %s", r->call, r->message);
    return ++w->calls == w->cancel_at ? GM_CANCEL : GM_CONTINUE;
}

static void progress(gm_context *c, const gm_model *m)
{
    static float z[N][GD];
    gm_latent_options o;
    gm_latent *l = NULL;
    watch w;
    gm_tensor *tx = vae_rows(c, X, N, GX), *tz = vae_rows(c, z, N, GD);
    memset(&w, 0, sizeof w);
    gm_latent_options_init(&o, sizeof o);
    o.batch = 16;
    o.invert_steps = 50;
    o.invert_starts = 2;
    o.progress = watching;
    o.user = &w;
    must(gm_latent_create(c, m, &o, &l));
    must(gm_latent_encode(l, tx, NULL, tz, NULL, NULL, NULL));
    is_int(w.calls, 3 * 2 * 2, "a record for 25 steps of 16 rows");
    is_text(w.last, "latent_encode: inversion: rows 32 to 36, start 2 of 2, step 50 of 50", "its text");
    w.calls = 0;
    w.cancel_at = 3;
    refused(c, gm_latent_encode(l, tx, NULL, tz, NULL, NULL, NULL), GM_E_CANCELLED, "rows 0 to 15, start 2 of 2, step 25 of 50");
    w.cancel_at = 0;
    must(gm_latent_encode(l, tx, NULL, tz, NULL, NULL, NULL));
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_latent_destroy(l);
}

static void calibrated(gm_context *c, const gm_model *m)
{
    static float score[N];
    static uint8_t anomaly[N];
    const gm_model *k = NULL;
    gm_latent *l = NULL;
    gm_latent_options o;
    gm_info info;
    gm_dataset *d = NULL;
    gm_tensor *tx = vae_rows(c, X, N, GX), *ts = vae_vector(c, score, N), *ta = vae_wrap(c, GM_U8, anomaly, 1, N, 0, 0, 0);
    int i, wrong = 0, above = 0;
    must(gm_dataset_from_tensor(tx, NULL, NULL, &d));
    must(gm_model_calibrate(c, m, d, NULL, &k));
    info.size = sizeof info;
    must(gm_model_info(k, &info));
    is_int(info.score, GM_SCORE_RESIDUAL, "a GAN's score is RESIDUAL where none is named");
    must(gm_latent_create(c, k, NULL, &l));
    must(gm_latent_score(l, GM_SCORE_RESIDUAL, tx, NULL, ts, ta));
    for (i = 0; i < N; i++) {
        wrong += anomaly[i] != ((double)score[i] > info.threshold);
        above += anomaly[i];
    }
    is_int(wrong, 0, "is_anomaly is score > threshold");
    ok(above <= 4, "%d of the %d rows that gave the threshold are above it", above, N); /* other starts: not the same scores */
    gm_latent_destroy(l);
    gm_latent_options_init(&o, sizeof o);
    o.invert_steps = 10;
    must(gm_latent_create(c, k, &o, &l));
    refused(c, gm_latent_score(l, GM_SCORE_RESIDUAL, tx, NULL, ts, ta), GM_E_UNSUPPORTED, "inversions of 400 steps, 2 starts and rate 0.1");
    gm_latent_destroy(l);
    gm_model_destroy(k);
    gm_dataset_destroy(d);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(ta);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    gm_gan *g, *h;
    const gm_model *m;
    uint32_t seed = 41;
    int i, j;
    for (i = 0; i < N; i++) {
        LABEL[i] = i % 3;
        for (j = 0; j < GX; j++) X[i][j] = (float)(2 * vae_random(&seed) - 1);
    }
    linear(c);
    g = gan(c, "dense 9; tanh; dense 6", 0);
    m = snapshot(g);
    any_batch(c, m, 0);
    starts(c, m);
    as_the_gan(c, g, m);
    progress(c, m);
    calibrated(c, m);
    gm_model_destroy(m);
    h = gan(c, "dense 12; batch_norm; silu; reshape 4x3x1; conv_transpose 2 k3 s1 p1; flatten", 3);
    m = snapshot(h);
    any_batch(c, m, 1);
    gm_model_destroy(m);
    gm_gan_destroy(g);
    gm_gan_destroy(h);
    gm_context_destroy(c);
    return done();
}
