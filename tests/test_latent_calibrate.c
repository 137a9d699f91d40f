/* SPDX-License-Identifier: MIT */
/* test_latent_calibrate.c: thresholds: the rank among held-out scores, the rate of false alarms, the Mahalanobis distance by hand, what the model keeps.
 *
 * Most models here encode a row as itself (mean = x), so that scores are known: MAHALANOBIS is |x|^2, or (x - m)' S^-1 (x - m). */
#include "latent_util.h"

static gm_dataset *dataset(gm_context *c, float *x, int64_t n, int64_t d)
{
    gm_tensor *t = vae_rows(c, x, n, d);
    gm_dataset *data = NULL;
    must(gm_dataset_from_tensor(t, NULL, NULL, &data));
    gm_tensor_destroy(t);
    return data;
}

static double normal(uint32_t *seed)
{
    double a = vae_random(seed), b = vae_random(seed);
    return sqrt(-2 * log(1 - a)) * cos(2 * 3.14159265358979323846 * b);
}

static gm_status threshold(gm_context *c, const gm_model *m, float *x, int64_t n, double alpha, double *out)
{
    gm_calibrate_options o;
    const gm_model *k = NULL;
    gm_info info;
    gm_dataset *d = dataset(c, x, n, 1);
    gm_calibrate_options_init(&o, sizeof o);
    o.score = GM_SCORE_MAHALANOBIS;
    o.false_positive_rate = alpha;
    gm_status s = gm_model_calibrate(c, m, d, &o, &k);
    info.size = sizeof info;
    if (!s) must(gm_model_info(k, &info));
    *out = s ? NAN : info.threshold;
    gm_dataset_destroy(d);
    gm_model_destroy(k);
    return s;
}

/* Scores are 1, 4, 9, ... (x is 1, 2, 3, ..., in some order): the threshold is k^2. */
static void ranks(gm_context *c)
{
    static const struct {
        int64_t n;
        double alpha;
        int64_t k; /* ceil((n + 1)(1 - alpha)) of the decimal alpha; 0: too few rows */
    } want[] = {{19, 0.05, 19}, {18, 0.05, 0}, {20, 0.05, 20}, {39, 0.05, 38},  {99, 0.05, 95}, {9, 0.1, 9},    {8, 0.1, 0},    {9, 0.3, 7},
        {99, 0.29, 71}, {99, 0.01, 99},
                {98, 0.01, 0},  {1, 0.5, 1},   {2, 0.5, 2},   {3, 0.5, 2},     {10, 0.9, 2},   {10, 0.999, 1}, {99, 0.07, 93}, {99, 0.57, 43},
                    {999, 0.001, 999}};
    static float x[1000];
    gm_vae *v = latent_identity(c, 1, 1);
    const gm_model *m = NULL;
    size_t k;
    int64_t i;
    must(gm_vae_snapshot(v, &m));
    for (k = 0; k < sizeof want / sizeof want[0]; k++) {
        double t;
        for (i = 0; i < want[k].n; i++) x[i] = (float)(1 + (i * 7919) % want[k].n); /* 7919 is prime: every number once */
        gm_status s = threshold(c, m, x, want[k].n, want[k].alpha, &t);
        if (want[k].k) near(t, (double)(want[k].k * want[k].k), 0, "n %d, alpha %g: score %d", (int)want[k].n, want[k].alpha, (int)want[k].k);
        else is_int(s, GM_E_RANGE, "n %d, alpha %g: %s", (int)want[k].n, want[k].alpha, gm_context_error(c));
    }
    double t;
    refused(c, threshold(c, m, x, 18, 0.05, &t), GM_E_RANGE, "give at least 19 rows");
    gm_model_destroy(m);
    gm_vae_destroy(v);
}

static double share(gm_context *c, gm_latent *l, gm_score s, uint32_t seed, double spread)
{
    enum { N = 2000 };
    static float x[N][2], score[N];
    static uint8_t anomaly[N];
    gm_tensor *tx = vae_rows(c, x, N, 2), *ts = vae_vector(c, score, N), *ta = vae_wrap(c, GM_U8, anomaly, 1, N, 0, 0, 0);
    gm_info info;
    int i, count = 0, wrong = 0;
    info.size = sizeof info;
    must(gm_model_info(gm_latent_model(l), &info));
    for (i = 0; i < N; i++) {
        x[i][0] = (float)(spread * normal(&seed));
        x[i][1] = (float)(spread * normal(&seed));
    }
    must(gm_latent_score(l, s, tx, NULL, ts, ta));
    for (i = 0; i < N; i++) {
        count += anomaly[i];
        wrong += anomaly[i] != ((double)score[i] > info.threshold);
    }
    is_int(wrong, 0, "is_anomaly is score > threshold");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(ta);
    return count / (double)N;
}

/* Normal data: alpha of it is called an anomaly, for every score; what is spread wider is found more often. */
static void rates(gm_context *c)
{
    enum { N = 999 };
    static float x[N][2];
    static const gm_score score[] = {GM_SCORE_ELBO, GM_SCORE_IWAE, GM_SCORE_MAHALANOBIS};
    gm_vae *v = latent_identity(c, 2, 0.25);
    const gm_model *m = NULL, *k = NULL;
    gm_dataset *d = dataset(c, x[0], N, 2);
    uint32_t seed = 12;
    size_t i;
    for (i = 0; i < N; i++) {
        x[i][0] = (float)normal(&seed);
        x[i][1] = (float)normal(&seed);
    }
    must(gm_vae_snapshot(v, &m));
    for (i = 0; i < sizeof score / sizeof score[0]; i++) {
        gm_calibrate_options o;
        gm_latent *l = NULL;
        gm_calibrate_options_init(&o, sizeof o);
        o.score = score[i];
        o.false_positive_rate = 0.1;
        must(gm_model_calibrate(c, m, d, &o, &k));
        must(gm_latent_create(c, k, NULL, &l));
        double usual = share(c, l, score[i], 99, 1), odd = share(c, l, score[i], 98, 2);
        near(usual, 0.1, 0.035, "%s: one in ten of new rows is above the threshold", gm_score_name(score[i])); /* deviation of both samples: 0.0116 */
        ok(odd > 0.3, "%s: %.2f of rows with twice the spread", gm_score_name(score[i]), odd);
        gm_latent_destroy(l);
        gm_model_destroy(k);
    }
    gm_dataset_destroy(d);
    gm_model_destroy(m);
    gm_vae_destroy(v);
}

/* Two dimensions by hand: four points with mean (1, -1) and covariance [[2, 1], [1, 2]]. */
static void density(gm_context *c)
{
    static const double a = 1.7320508075688772; /* the axes (1, 1) and (1, -1) have variances 3 and 1 */
    static float x[4][2], q[3][2] = {{1, -1}, {2, 0}, {4, -2}}, score[3], held[20][2];
    gm_vae *v = latent_identity(c, 2, 1);
    const gm_model *m = NULL, *k = NULL, *again = NULL;
    gm_latent *l = NULL;
    gm_calibrate_options o;
    gm_info info;
    gm_dataset *d, *h;
    int i, r;
    double want[3];
    for (i = 0; i < 4; i++) {
        double along = i < 2 ? (i ? a : -a) : 0, across = i < 2 ? 0 : i == 2 ? 1 : -1;
        x[i][0] = (float)(1 + along + across);
        x[i][1] = (float)(-1 + along - across);
    }
    for (i = 0; i < 20; i++) held[i][0] = (float)(1 + i), held[i][1] = -1;
    d = dataset(c, x[0], 4, 2);
    h = dataset(c, held[0], 20, 2);
    must(gm_vae_snapshot(v, &m));
    gm_calibrate_options_init(&o, sizeof o);
    o.score = GM_SCORE_MAHALANOBIS;
    o.density = d;
    must(gm_model_calibrate(c, m, h, &o, &k));
    must(gm_latent_create(c, k, NULL, &l));
    gm_tensor *tq = vae_rows(c, q, 3, 2), *ts = vae_vector(c, score, 3);
    must(gm_latent_score(l, GM_SCORE_MAHALANOBIS, tq, NULL, ts, NULL));
    for (i = 0; i < 3; i++) { /* S^-1 = [[2, -1], [-1, 2]] / 3 */
        double p = (double)q[i][0] - 1, s = (double)q[i][1] + 1;
        want[i] = (2 * p * p - 2 * p * s + 2 * s * s) / 3;
        near((double)score[i], want[i], 1e-5 * (1 + want[i]), "Mahalanobis distance of point %d by hand", i);
    }
    info.size = sizeof info;
    must(gm_model_info(k, &info));
    near(info.threshold, 2.0 * 19 * 19 / 3, 1e-3, "and the threshold: that of the 20th of 20 points");
    ok(info.calibrated == 1 && info.score == GM_SCORE_MAHALANOBIS && info.false_positive_rate == 0.05, "facts of the calibrated model");
    must(gm_model_info(m, &info));
    ok(!info.calibrated && info.threshold != info.threshold, "the model it was made from is as it was");
    /* through a file */
    for (r = 0; r < 2; r++) {
        static char file[1 << 16];
        gm_writer w;
        gm_reader rd;
        gm_latent *l2 = NULL;
        gm_writer_init(&w, sizeof w);
        w.memory = file;
        w.capacity = sizeof file;
        must(gm_model_write(c, k, &w));
        gm_reader_init(&rd, sizeof rd);
        rd.memory = file;
        rd.bytes = w.used;
        must(gm_model_read(c, &rd, GM_USE_ALL, &again));
        must(gm_latent_create(c, again, NULL, &l2));
        float other[3];
        memcpy(other, score, sizeof score);
        must(gm_latent_score(l2, GM_SCORE_MAHALANOBIS, tq, NULL, ts, NULL));
        ok(!memcmp(other, score, sizeof other), "a file keeps the density");
        gm_latent_destroy(l2);
        gm_model_destroy(again);
    }
    /* without density again: the prior */
    o.density = NULL;
    must(gm_model_calibrate(c, k, h, &o, &again));
    gm_latent_destroy(l);
    must(gm_latent_create(c, again, NULL, &l));
    must(gm_latent_score(l, GM_SCORE_MAHALANOBIS, tq, NULL, ts, NULL));
    near((double)score[2], 20, 1e-6, "calibrated anew without density: by the prior");
    gm_latent_destroy(l);
    gm_model_destroy(again);
    gm_model_destroy(k);
    gm_model_destroy(m);
    gm_tensor_destroy(tq);
    gm_tensor_destroy(ts);
    gm_dataset_destroy(d);
    gm_dataset_destroy(h);
    gm_vae_destroy(v);
}

static gm_action cancel(void *user, const gm_record *r)
{
    snprintf(user, 160, "%s: %s", r->call, r->message);
    return GM_CANCEL;
}

static void refusals(gm_context *c)
{
    static float x[30][LX], y[30][2], flat[30][LX], score[30];
    static uint8_t anomaly[30];
    char message[160] = "";
    gm_calibrate_options o, p;
    gm_vae *v = latent_vae(c, "elbo", 0);
    const gm_model *m = NULL, *k = NULL;
    gm_latent_options lo;
    gm_latent *l = NULL;
    gm_dataset *d = dataset(c, x[0], 30, LX), *other = dataset(c, y[0], 30, 2), *same = dataset(c, flat[0], 30, LX);
    uint32_t seed = 8;
    int i;
    for (i = 0; i < 30 * LX; i++) x[i / LX][i % LX] = (float)vae_random(&seed);
    must(gm_vae_snapshot(v, &m));
    gm_calibrate_options_init(&o, sizeof o);
    ok(o.score == -1 && o.false_positive_rate == 0.05 && !o.density && o.score_samples == 8 && o.seed == 0 && !o.progress,
           "the defaults are those of the header");
    refused(c, gm_model_calibrate(c, NULL, d, NULL, &k), GM_E_INVALID, "model_calibrate: the model is NULL");
    refused(c, gm_model_calibrate(c, m, NULL, NULL, &k), GM_E_INVALID, "the held-out dataset is NULL");
    refused(c, gm_model_calibrate(c, m, other, NULL, &k), GM_E_SHAPE, "the dataset's samples are [2]");
    p = o;
    p.false_positive_rate = 1;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_RANGE, "false_positive_rate is 1");
    p.false_positive_rate = 0;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_RANGE, "false_positive_rate is 0");
    p = o;
    p.score = GM_SCORE_RESIDUAL;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_UNSUPPORTED, "has no score residual");
    p.score = GM_SCORE_ELBO;
    p.density = d;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_INVALID, "density is for the score mahalanobis");
    p.score = GM_SCORE_MAHALANOBIS;
    p.density = same;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_RANGE, "do not vary");
    p.density = other;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_SHAPE, "samples are");
    p = o;
    p.score_samples = 0;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_RANGE, "score_samples is 0");
    p.size = 2;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_INVALID, "gm_calibrate_options_init");
    p = o;
    p.progress = cancel;
    p.user = message;
    refused(c, gm_model_calibrate(c, m, d, &p, &k), GM_E_CANCELLED, "cancelled by the progress callback");
    is_text(message, "model_calibrate: elbo: 30 of 30 held-out rows", "what progress says");
    x[20][1] = (float)NAN;
    refused(c, gm_model_calibrate(c, m, d, NULL, &k), GM_E_NONFINITE, "row 20");
    x[20][1] = 0;
    is_int(gm_model_calibrate(NULL, m, d, NULL, &k), GM_E_INVALID, "no context");
    ok(!k, "the result is NULL");
    /* a threshold is of one score, made in one way */
    must(gm_model_calibrate(c, m, d, NULL, &k));
    gm_tensor *tx = vae_rows(c, x, 30, LX), *ts = vae_vector(c, score, 30), *ta = vae_wrap(c, GM_U8, anomaly, 1, 30, 0, 0, 0);
    must(gm_latent_create(c, k, NULL, &l));
    must(gm_latent_score(l, GM_SCORE_ELBO, tx, NULL, ts, ta));
    refused(c, gm_latent_score(l, GM_SCORE_IWAE, tx, NULL, ts, ta), GM_E_UNSUPPORTED, "the model's threshold is of elbo, not of iwae");
    gm_latent_destroy(l);
    gm_latent_options_init(&lo, sizeof lo);
    lo.score_samples = 3;
    must(gm_latent_create(c, k, &lo, &l));
    refused(c, gm_latent_score(l, GM_SCORE_ELBO, tx, NULL, ts, ta), GM_E_UNSUPPORTED, "8 draws, score_samples is 3");
    gm_latent_destroy(l);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(ta);
    gm_dataset_destroy(d);
    gm_dataset_destroy(other);
    gm_dataset_destroy(same);
    gm_model_destroy(m);
    gm_model_destroy(k);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    ranks(c);
    rates(c);
    density(c);
    refusals(c);
    gm_context_destroy(c);
    return done();
}
