/* SPDX-License-Identifier: MIT */
/* test_latent_score.c: scores of rows against the VAE's figures of data sets and against sums by hand. */
#include "latent_util.h"

enum { N = 41 };
static float X[N][LX];
static int32_t LABEL[N];

static void make_data(void)
{
    uint32_t seed = 21;
    int i, j;
    for (i = 0; i < N; i++) {
        LABEL[i] = i % 3;
        for (j = 0; j < LX; j++) X[i][j] = (float)(4 * vae_random(&seed) - 2);
    }
}

static void scores(gm_context *c, gm_latent *l, gm_score s, int from, int n, int conditional, float *out)
{
    gm_tensor *x = vae_rows(c, X[from], n, LX), *y = vae_labels(c, LABEL + from, n), *t = vae_vector(c, out, n);
    must(gm_latent_score(l, s, x, conditional ? y : NULL, t, NULL));
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(t);
}

static void against_the_vae(gm_context *c, const char *objective, int classes)
{
    static float score[N], z[N][LD], out[N][LX], nats[N];
    gm_latent_options o;
    gm_record r;
    gm_vae *v = latent_vae(c, objective, classes);
    gm_tensor *x = vae_rows(c, X, N, LX), *y = vae_labels(c, LABEL, N), *tz = vae_rows(c, z, N, LD), *to = vae_rows(c, out, N, LX),
        *tn = vae_vector(c, nats, N);
    gm_dataset *d = NULL;
    double sum = 0;
    int i, j, wrong = 0;
    gm_latent_options_init(&o, sizeof o);
    o.score_samples = 5;
    o.seed = 6; /* the model's own: gm_vae_evaluate's noise */
    gm_latent *l = latent_of(c, v, &o);
    must(gm_dataset_from_tensor(x, classes ? y : NULL, NULL, &d));
    gm_record_init(&r, sizeof r);
    must(gm_vae_evaluate(v, d, 5, &r));
    scores(c, l, GM_SCORE_ELBO, 0, N, classes, score);
    for (i = 0; i < N; i++) sum -= (double)score[i] / N;
    near(sum, r.elbo, 1e-5 * fabs(r.elbo), "%s, %d classes: the mean of ELBO scores is minus gm_vae_evaluate's elbo", objective, classes);
    must(gm_vae_log_likelihood(v, x, classes ? y : NULL, 5, 6, tn, NULL));
    scores(c, l, GM_SCORE_IWAE, 0, N, classes, score);
    for (i = 0; i < N; i++) wrong += score[i] != -nats[i];
    is_int(wrong, 0, "IWAE is minus gm_vae_log_likelihood");
    must(gm_vae_encode(v, x, classes ? y : NULL, tz, NULL));
    scores(c, l, GM_SCORE_MAHALANOBIS, 0, N, classes, score);
    for (i = 0, wrong = 0; i < N; i++) {
        for (sum = 0, j = 0; j < LD; j++) sum += (double)z[i][j] * (double)z[i][j];
        wrong += score[i] != (float)sum;
    }
    is_int(wrong, 0, "MAHALANOBIS is |mean|^2");
    must(gm_vae_reconstruct(v, x, classes ? y : NULL, to));
    scores(c, l, GM_SCORE_RECONSTRUCTION, 0, N, classes, score);
    for (i = 0, wrong = 0; i < N; i++) {
        for (sum = 0, j = 0; j < LX; j++) sum += ((double)X[i][j] - (double)out[i][j]) * ((double)X[i][j] - (double)out[i][j]);
        wrong += fabs((double)score[i] - sum) > 1e-6 * (1 + sum);
    }
    is_int(wrong, 0, "RECONSTRUCTION is the squared error of gm_vae_reconstruct");
    gm_dataset_destroy(d);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(to);
    gm_tensor_destroy(tn);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* Any batch; threads and levels; the first n rows alone. */
static void same_bits(gm_context *c, const char *objective)
{
    static float first[4][N], other[4][N];
    gm_vae *v = latent_vae(c, objective, 0);
    const gm_model *m = NULL;
    gm_simd level;
    int s, n, wrong = 0;
    gm_latent *l = latent_of(c, v, NULL);
    must(gm_vae_snapshot(v, &m));
    for (s = 0; s < 4; s++) scores(c, l, s, 0, N, 0, first[s]);
    for (n = 1; n <= 33; n++)
        for (s = 0; s < 4; s++) {
            scores(c, l, s, 0, n, 0, other[s]);
            wrong += memcmp(first[s], other[s], sizeof(float) * (size_t)n) != 0;
        }
    is_int(wrong, 0, "%s: calls of 1 to 33 rows", objective);
    gm_latent_destroy(l);
    for (level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++) {
        gm_latent_options o;
        gm_context *d = vae_context(level == GM_SIMD_SCALAR ? 3 : 2, level);
        if (!d) continue;
        gm_latent_options_init(&o, sizeof o);
        o.batch = level == GM_SIMD_SCALAR ? 5 : 256;
        must(gm_latent_create(d, m, &o, &l));
        for (s = 0, wrong = 0; s < 4; s++) {
            scores(d, l, s, 0, N, 0, other[s]);
            wrong += memcmp(first[s], other[s], sizeof first[s]) != 0;
        }
        is_int(wrong, 0, "%s", gm_simd_name(level));
        gm_latent_destroy(l);
        gm_context_destroy(d);
    }
    gm_model_destroy(m);
    gm_vae_destroy(v);
}

static void seeds(gm_context *c)
{
    static float a[N], b[N];
    gm_latent_options o;
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l;
    gm_latent_options_init(&o, sizeof o);
    l = latent_of(c, v, &o);
    scores(c, l, GM_SCORE_ELBO, 0, N, 0, a);
    gm_latent_destroy(l);
    o.seed = 1;
    l = latent_of(c, v, &o);
    scores(c, l, GM_SCORE_ELBO, 0, N, 0, b);
    ok(memcmp(a, b, sizeof a) != 0, "another seed, other noise");
    gm_latent_destroy(l);
    o.score_samples = 1000;
    l = latent_of(c, v, &o);
    scores(c, l, GM_SCORE_ELBO, 0, N, 0, a);
    scores(c, l, GM_SCORE_IWAE, 0, N, 0, b);
    double gap = 0;
    int i;
    for (i = 0; i < N; i++) gap += ((double)a[i] - (double)b[i]) / N;
    ok(gap > 0, "the importance-weighted bound is above the ELBO (by %.3f nats)", gap);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* u8 data: scaled units. */
static void bytes(gm_context *c)
{
    enum { K = 12 };
    static uint8_t pixels[K][1][4][4], out[K][1][4][4];
    static float score[K], residual[K], z[K][2];
    uint32_t seed = 5;
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    int i, wrong = 0;
    for (i = 0; i < K * 16; i++) ((uint8_t *)pixels)[i] = (uint8_t)(256 * vae_random(&seed));
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, 4, 4);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 8; relu";
    o.latent_dim = 2;
    must(gm_vae_create(c, &spec, &o, &v));
    gm_latent *l = latent_of(c, v, NULL);
    gm_tensor *x = vae_wrap(c, GM_U8, pixels, 4, K, 1, 4, 4), *to = vae_wrap(c, GM_U8, out, 4, K, 1, 4, 4), *ts = vae_vector(c, score, K),
        *tr = vae_vector(c, residual, K);
    gm_tensor *tz = vae_rows(c, z, K, 2);
    must(gm_latent_score(l, GM_SCORE_RECONSTRUCTION, x, NULL, ts, NULL));
    must(gm_latent_encode(l, x, NULL, tz, NULL, tr, NULL));
    must(gm_latent_reconstruct(l, x, NULL, to));
    for (i = 0; i < K; i++) {
        double sum = 0;
        int j;
        for (j = 0; j < 16; j++) {
            double t = (((uint8_t *)pixels)[16 * i + j] - ((uint8_t *)out)[16 * i + j]) / 255.0;
            sum += t * t;
        }
        wrong += fabs(sum - (double)score[i]) > 16 * 2 / 255.0 || fabs((double)score[i] / 16 - (double)residual[i]) > 1e-6;
    }
    is_int(wrong, 0, "u8: errors are in scaled units, residual is their mean");
    gm_tensor_destroy(x);
    gm_tensor_destroy(to);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(tr);
    gm_tensor_destroy(tz);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* Classes 2 to 5: the error is in class indices; from tensors and from a dataset alike. */
static void classes(gm_context *c)
{
    enum { K = 21 };
    static uint8_t x[K][4], out[K][4];
    static float score[K];
    uint32_t seed = 19;
    gm_spec spec;
    gm_vae_options o;
    gm_calibrate_options ko;
    gm_info info;
    gm_vae *v = NULL;
    gm_dataset *d = NULL;
    const gm_model *m = NULL, *k = NULL;
    int i, j, wrong = 0;
    float most = 0;
    for (i = 0; i < K * 4; i++) x[i / 4][i % 4] = (uint8_t)(2 + (int)(4 * vae_random(&seed)));
    vae_spec(&spec, GM_U8, GM_SCALE_NONE, 1, 4, 0, 0);
    spec.lo = 2;
    spec.hi = 5;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 8; relu";
    o.latent_dim = 2;
    o.likelihood = GM_LIKELIHOOD_CATEGORICAL;
    must(gm_vae_create(c, &spec, &o, &v));
    gm_latent *l = latent_of(c, v, NULL);
    gm_tensor *tx = vae_wrap(c, GM_U8, x, 2, K, 4, 0, 0), *to = vae_wrap(c, GM_U8, out, 2, K, 4, 0, 0), *ts = vae_vector(c, score, K);
    must(gm_latent_score(l, GM_SCORE_RECONSTRUCTION, tx, NULL, ts, NULL));
    must(gm_latent_reconstruct(l, tx, NULL, to));
    for (i = 0; i < K; i++) {
        int sum = 0;
        for (j = 0; j < 4; j++) sum += (x[i][j] - out[i][j]) * (x[i][j] - out[i][j]);
        wrong += score[i] != (float)sum;
        most = score[i] > most ? score[i] : most;
    }
    is_int(wrong, 0, "categorical: the squared error of class indices");
    must(gm_dataset_from_tensor(tx, NULL, &spec, &d));
    must(gm_vae_snapshot(v, &m));
    gm_calibrate_options_init(&ko, sizeof ko);
    ko.score = GM_SCORE_RECONSTRUCTION;
    must(gm_model_calibrate(c, m, d, &ko, &k)); /* 22 * 0.95 = 20.9: the 21st of 21 */
    info.size = sizeof info;
    must(gm_model_info(k, &info));
    near(info.threshold, (double)most, 0, "and of a dataset's rows");
    gm_model_destroy(k);
    gm_model_destroy(m);
    gm_dataset_destroy(d);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(to);
    gm_tensor_destroy(ts);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

static void refusals(gm_context *c)
{
    static float score[N];
    static uint8_t anomaly[N];
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l = latent_of(c, v, NULL);
    gm_tensor *x = vae_rows(c, X, N, LX), *t = vae_vector(c, score, N), *few = vae_vector(c, score, N - 1), *a = vae_wrap(c, GM_U8, anomaly, 1, N, 0, 0, 0);
    gm_score s;
    static const char *const names[] = {"elbo", "iwae", "reconstruction", "mahalanobis", "residual"};
    refused(c, gm_latent_score(l, GM_SCORE_RESIDUAL, x, NULL, t, NULL), GM_E_UNSUPPORTED, "latent_score: a model of family \"vae\" has no score residual");
    refused(c, gm_latent_score(l, 9, x, NULL, t, NULL), GM_E_INVALID, "score is 9");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, x, NULL, NULL, NULL), GM_E_INVALID, "score is NULL");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, x, NULL, few, NULL), GM_E_SHAPE, "score is");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, x, NULL, t, t), GM_E_DTYPE, "is_anomaly is");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, x, NULL, t, a), GM_E_UNSUPPORTED, "gm_model_calibrate");
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, NULL, NULL, t, NULL), GM_E_INVALID, "x is NULL");
    X[30][2] = (float)INFINITY;
    for (s = 0; s < 4; s++) {
        refused(c, gm_latent_score(l, s, x, NULL, t, NULL), GM_E_NONFINITE, "row 30");
    }
    X[30][2] = 0;
    is_int(gm_latent_score(NULL, GM_SCORE_ELBO, x, NULL, t, NULL), GM_E_INVALID, "NULL for a latent");
    for (s = 0; s < 5; s++) is_text(gm_score_name(s), names[s], "name of score %d", (int)s);
    is_text(gm_score_name(5), "unknown", "and of none");
    gm_tensor_destroy(x);
    gm_tensor_destroy(t);
    gm_tensor_destroy(few);
    gm_tensor_destroy(a);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    make_data();
    against_the_vae(c, "elbo", 0);
    against_the_vae(c, "elbo", 3);
    against_the_vae(c, "iwae 3", 0);
    same_bits(c, "elbo");
    same_bits(c, "iwae 3");
    seeds(c);
    bytes(c);
    classes(c);
    refusals(c);
    gm_context_destroy(c);
    return done();
}
