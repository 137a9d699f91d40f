/* SPDX-License-Identifier: MIT */
/* latent_score.c: how unlike the training data a row is, and whether it is an anomaly by the model's threshold.
 *
 * Elbo, IWAE and errors are the family's; the Mahalanobis distance is here: (z - m)' P (z - m) with mean and inverse covariance of the density that calibration
 * fitted, or |z|^2 for the prior N(0, 1). Sums run in double, in order. */
#include "repr/latent.h"

gm_status gmi_latent_check_score(gm_latent *l, gm_score s)
{
    if (s < GM_SCORE_ELBO || s > GM_SCORE_RESIDUAL) return gmi_fail(l->ctx, GM_E_INVALID, "score is %d, which is no gm_score", s);
    if (!(l->family->scores >> s & 1)) return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "a model of family %S has no score %s", l->family->name, gm_score_name(s));
    return gmi_latent_loaded(l, GM_USE_SCORE, "scores");
}

static double mahalanobis(const gm_latent *l, const gmi_real *z)
{
    const int64_t d = l->dim;
    double sum = 0;
    if (!l->precision) {
        for (int64_t i = 0; i < d; i++) sum += (double)z[i] * (double)z[i];
        return sum;
    }
    for (int64_t i = 0; i < d; i++) {
        double row = 0;
        for (int64_t j = 0; j < d; j++) row += l->precision[i * d + j] * ((double)z[j] - l->mean[j]);
        sum += row * ((double)z[i] - l->mean[i]);
    }
    return sum;
}

gm_status gmi_latent_scores(gm_latent *l, gm_score s, const gmi_core_rows *from, int64_t r0, int64_t n, double *out)
{
    gmi_latent_code k;
    if (s != GM_SCORE_MAHALANOBIS) return l->family->score(l, s, from, r0, n, out);
    memset(&k, 0, sizeof k);
    k.z = gmi_latent_work(l, GMI_LATENT_CODE, n * l->dim, sizeof *k.z);
    if (!k.z) return GM_E_NOMEM;
    gm_status st = l->family->encode(l, from, r0, n, &k);
    for (int64_t i = 0; !st && i < n; i++) out[i] = mahalanobis(l, k.z + i * l->dim);
    return st;
}

/* A threshold says something about scores that were made as those it comes from. */
static gm_status check_threshold(gm_latent *l, gm_score s)
{
    const gmi_calibration *k = &l->model->calibration;
    const int draws = s == GM_SCORE_ELBO || s == GM_SCORE_IWAE, searched = !l->family->has_logvar;
    gm_latent_options usual;
    gm_latent_options_init(&usual, sizeof usual);
    if (!k->set) return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "is_anomaly needs a threshold: calibrate the model (gm_model_calibrate)");
    if (k->score != s)
        return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "the model's threshold is of %s, not of %s: calibrate it for this score", gm_score_name(k->score),
                        gm_score_name(s));
    if (draws && k->samples != l->o.score_samples)
        return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "the model's threshold is of scores of %d draws, score_samples is %d: use the same number", k->samples,
                        l->o.score_samples);
    if (searched && (l->o.invert_steps != usual.invert_steps || l->o.invert_starts != usual.invert_starts || l->o.invert_rate != usual.invert_rate))
        return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "the model's threshold is of inversions of %d steps, %d starts and rate %g: leave these options as they are",
                        usual.invert_steps, usual.invert_starts, usual.invert_rate);
    return GM_OK;
}

static void store(const gm_latent *l, int64_t r0, int64_t n, const double *value, gm_tensor *score, gm_tensor *is_anomaly)
{
    for (int64_t i = 0; i < n; i++) {
        gmi_real v = (gmi_real)(float)value[i];
        gmi_tensor_from_real(score, r0 + i, r0 + i + 1, 1, 0, &v);
        if (is_anomaly) ((uint8_t *)is_anomaly->data)[(r0 + i) * is_anomaly->strides[0]] = !((double)v <= l->model->calibration.threshold); /* NaN is one */
    }
}

static gm_status score(gm_latent *l, gm_score kind, const gm_tensor *x, const gm_tensor *cond, gm_tensor *to, gm_tensor *is_anomaly)
{
    gmi_core_rows from;
    int64_t count = 0;
    gm_status s = gmi_latent_check_score(l, kind);
    if (!s) s = gmi_latent_check_x(l, x, cond, &count);
    if (!s) s = gmi_core_check_rows(l->core, to, "score", count, 0, 1);
    if (!s && is_anomaly) s = gmi_latent_check_vector(l, is_anomaly, "is_anomaly", GM_U8, count, 1);
    if (!s && is_anomaly) s = check_threshold(l, kind);
    if (s) return s;
    double *value = gmi_latent_work(l, GMI_LATENT_SUMS, GMI_MIN(count, l->rows), sizeof *value);
    if (!value) return GM_E_NOMEM;
    memset(&from, 0, sizeof from);
    from.x = x;
    from.cond = cond;
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        n = GMI_MIN(l->rows, count - r0);
        s = gmi_latent_scores(l, kind, &from, r0, n, value);
        if (!s) store(l, r0, n, value, to, is_anomaly);
        if (!s) s = gmi_latent_tick(l, "%s: %i of %i rows", gm_score_name(kind), r0 + n, count);
    }
    return s;
}

gm_status gm_latent_score(gm_latent *l, gm_score s, const gm_tensor *x, const gm_tensor *cond, gm_tensor *to, gm_tensor *is_anomaly)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_score")) return GM_E_BUSY;
    return gmi_latent_end(l, score(l, s, x, cond, to, is_anomaly));
}
