/* SPDX-License-Identifier: MIT */
/* latent_calibrate.c: a threshold on scores with a stated rate of false alarms, from data that the model was not trained on.
 *
 * Split conformal prediction (Vovk et al. 2005; Lei et al. 2018): of n held-out scores and the score of one more row of the same source every order is
 * equally likely, so the new one lies above the k-th smallest, k = ceil((n + 1)(1 - alpha)), with a probability of (n + 1 - k)/(n + 1) <= alpha. For
 * that the noise of the held-out scores must not be that of later ones, which is keyed by rows from 0 on too: calibration's seed is mixed with a word of
 * its own. The density of encodings is a normal one with their mean and covariance S; its inverse is V (L + r)^-1 V' with S = V L V' and the ridge r =
 * 1e-6 times the mean variance, which keeps dimensions that the encoder does not use from dividing by zero. */
#include "repr/latent.h"
#include "tensor/linalg.h"

#define RIDGE 1e-6

typedef struct calibration {
    gm_latent *l;
    gm_calibrate_options o;
    gmi_calibration k;
} calibration;

/* ---- rank ---- */

/* floor(v), where v comes from a decimal that was rounded to a double: what is within 4 ulp below an integer is that integer (0.29 * 100 is
 * 28.999999999999996). */
static int64_t whole(double v) { return v < 9e18 ? (int64_t)(v * (1 + 8.9e-16)) : INT64_MAX; }

/* ceil((n + 1)(1 - alpha)) = n + 1 - floor((n + 1) alpha) */
static int64_t rank_of(int64_t n, double alpha) { return GMI_MAX(n + 1 - whole((double)(n + 1) * alpha), 1); }

static gm_status check_rows(gm_context *c, int64_t n, double alpha)
{
    if (n < 0) return gmi_fail(c, GM_E_UNSUPPORTED, "the held-out dataset is endless; calibration needs a known number of rows");
    if (n > 0 && rank_of(n, alpha) <= n) return GM_OK;
    return gmi_fail(c, GM_E_RANGE, "%i held-out rows are too few for a false_positive_rate of %g: the threshold would be score %i of %i; give at least %i rows",
                    n, alpha, rank_of(n, alpha), n, whole((1 / alpha) * (1 - 1.8e-15)));
}

static void sink(double *h, int64_t n, int64_t i)
{
    const double v = h[i];
    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && h[child + 1] > h[child]) child++;
        if (!(h[child] > v)) break;
        h[i] = h[child];
        i = child;
    }
    h[i] = v;
}

static void sort(double *h, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--) sink(h, n, i);
    while (n > 1) {
        double most = h[0];
        h[0] = h[--n];
        h[n] = most;
        sink(h, n, 0);
    }
}

/* ---- density ---- */

static gm_status encode_all(gm_latent *l, gm_dataset *d, int64_t count, double *z)
{
    gmi_core_rows from;
    gmi_latent_code k;
    memset(&from, 0, sizeof from);
    from.d = d;
    memset(&k, 0, sizeof k);
    k.z = gmi_latent_work(l, GMI_LATENT_CODE, l->rows * l->dim, sizeof *k.z);
    gm_status s = k.z ? gmi_dataset_reserve(d, l->rows) : GM_E_NOMEM;
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        n = GMI_MIN(l->rows, count - r0);
        s = l->family->encode(l, &from, r0, n, &k);
        for (int64_t i = 0; !s && i < n * l->dim; i++) z[r0 * l->dim + i] = (double)k.z[i];
        if (!s) s = gmi_latent_tick(l, "density: %i of %i rows", r0 + n, count);
    }
    return s;
}

/* cov [d, d] becomes its inverse with the ridge; work [d (d + 1)]. */
static gm_status invert(gm_context *c, int64_t d, double *cov, double *work)
{
    double *value = work + d * d, ridge = 0;
    for (int64_t i = 0; i < d; i++) ridge += cov[i * d + i];
    ridge *= RIDGE / (double)d;
    if (!(ridge > 0)) return gmi_fail(c, GM_E_RANGE, "the density's encodings do not vary: they have no covariance to measure by");
    gm_status s = gmi_linalg_eigen(c, d, cov, value, work);
    if (s) return s;
    memset(cov, 0, (size_t)(d * d) * sizeof *cov);
    for (int64_t k = 0; k < d; k++) {
        const double *v = work + k * d, inverse = 1 / (GMI_MAX(value[k], 0) + ridge);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) cov[i * d + j] += inverse * v[i] * v[j];
    }
    return GM_OK;
}

/* Mean and inverse covariance of the encodings into k, whose arrays are made here. */
static gm_status fit_density(calibration *a)
{
    gm_latent *l = a->l;
    gm_context *c = l->ctx;
    gm_dataset *data = a->o.density;
    const int64_t d = l->dim, n = gmi_dataset_count(data);
    if (n < 2) return gmi_fail(c, GM_E_RANGE, "density has %i rows; a covariance needs a known number, at least 2", n);
    gm_status s = l->family->fits(l, data);
    if (s) return s;
    double *z = gmi_alloc_n(c, n, (uint64_t)d * sizeof *z), *work = gmi_alloc_n(c, d + 1, (uint64_t)d * sizeof *work);
    a->k.mean = gmi_alloc_n(c, d, sizeof *a->k.mean);
    a->k.precision = gmi_alloc_n(c, d, (uint64_t)d * sizeof *a->k.precision);
    a->k.dim = d;
    if (!z || !work || !a->k.mean || !a->k.precision) s = GM_E_NOMEM;
    if (!s) s = encode_all(l, data, n, z);
    if (!s) gmi_linalg_covariance(n, d, z, a->k.mean, a->k.precision);
    if (!s) s = invert(c, d, a->k.precision, work);
    gmi_free(c, z);
    gmi_free(c, work);
    return s;
}

/* ---- calibration ---- */

static gm_status held_out_scores(calibration *a, gm_dataset *held_out, int64_t count, double *value)
{
    gm_latent *l = a->l;
    gmi_core_rows from;
    memset(&from, 0, sizeof from);
    from.d = held_out;
    gm_status s = gmi_dataset_reserve(held_out, l->rows);
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        n = GMI_MIN(l->rows, count - r0);
        s = gmi_latent_scores(l, a->k.score, &from, r0, n, value + r0);
        for (int64_t i = r0; !s && i < r0 + n; i++) {
            value[i] = (double)(float)value[i]; /* as gm_latent_score gives them */
            if (!gmi_f64_finite(value[i])) s = gmi_fail_at(l->ctx, GM_E_NONFINITE, i, "the score of held-out row %i is %g", i, value[i]);
        }
        if (!s) s = gmi_latent_tick(l, "%s: %i of %i held-out rows", gm_score_name(a->k.score), r0 + n, count);
    }
    return s;
}

static gm_status find_threshold(calibration *a, gm_dataset *held_out)
{
    gm_context *c = a->l->ctx;
    const int64_t n = gmi_dataset_count(held_out);
    double *value = gmi_alloc_n(c, n, sizeof *value);
    if (!value) return GM_E_NOMEM;
    gm_status s = held_out_scores(a, held_out, n, value);
    if (!s) sort(value, n);
    if (!s) a->k.threshold = value[rank_of(n, a->k.alpha) - 1];
    a->k.rows = n;
    gmi_free(c, value);
    return s;
}

static gm_status check_options(gm_context *c, const gm_calibrate_options *given, gm_calibrate_options *o)
{
    gm_calibrate_options_init(o, sizeof *o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(c, GM_E_INVALID, "gm_calibrate_options.size is wrong, or a field beyond this version is set: call gm_calibrate_options_init");
    if (!(o->false_positive_rate > 0 && o->false_positive_rate < 1))
        return gmi_fail(c, GM_E_RANGE, "false_positive_rate is %g; it lies between 0 and 1", o->false_positive_rate);
    return GM_OK;
}

/* The latent that scores, with noise of its own. */
static gm_status open_latent(gm_context *c, const gm_model *m, calibration *a)
{
    gm_latent_options o;
    gm_latent_options_init(&o, sizeof o);
    o.score_samples = a->o.score_samples;
    o.seed = gmi_mix64(gmi_hash_text(a->o.seed ^ GMI_HASH_START, "calibrate"));
    o.progress = a->o.progress;
    o.user = a->o.user;
    gm_status s = gm_latent_create(c, m, &o, &a->l);
    if (s) return s;
    a->l->call = "model_calibrate";
    a->l->mean = a->l->precision = NULL; /* not those of an earlier calibration */
    a->k.score = a->o.score == -1 ? a->l->family->usual : a->o.score;
    a->k.samples = a->o.score_samples;
    a->k.seed = a->o.seed;
    a->k.alpha = a->o.false_positive_rate;
    s = gmi_latent_check_score(a->l, a->k.score);
    if (!s && a->o.density && a->k.score != GM_SCORE_MAHALANOBIS)
        s = gmi_fail(c, GM_E_INVALID, "density is for the score mahalanobis, not for %s: leave it NULL", gm_score_name(a->k.score));
    return s;
}

static gm_status calibrate(gm_context *c, const gm_model *m, gm_dataset *held_out, const gm_calibrate_options *given, const gm_model **out)
{
    calibration a;
    memset(&a, 0, sizeof a);
    if (!m || !held_out) return gmi_fail(c, GM_E_INVALID, "%s is NULL", m ? "the held-out dataset" : "the model");
    gm_status s = check_options(c, given, &a.o);
    if (!s) s = check_rows(c, gmi_dataset_count(held_out), a.o.false_positive_rate);
    if (!s) s = open_latent(c, m, &a);
    if (!s) s = a.l->family->fits(a.l, held_out);
    if (!s && a.o.density) s = fit_density(&a);
    if (!s && a.k.dim) {
        a.l->mean = a.k.mean;
        a.l->precision = a.k.precision;
    }
    if (!s) s = find_threshold(&a, held_out);
    a.k.set = 1;
    if (!s) s = gmi_model_with_calibration(c, m, &a.k, out);
    if (s) {
        gmi_free(c, a.k.mean);
        gmi_free(c, a.k.precision);
    }
    gm_latent_destroy(a.l);
    return s;
}

gm_status gm_model_calibrate(gm_context *c, const gm_model *m, gm_dataset *held_out, const gm_calibrate_options *o, const gm_model **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "model_calibrate");
    return gmi_leave(c, calibrate(c, m, held_out, o, out));
}
