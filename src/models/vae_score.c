/* SPDX-License-Identifier: MIT */
/* vae_score.c: figures of single rows: the bound, the error of the reconstruction, the posterior.
 *
 * Rows come from tensors or from a dataset, by their numbers, and noise is keyed by these numbers, so that neither the split into programs nor the place a
 * row comes from leaves a trace. Sums over draws, dimensions and elements run in double, in order. */
#include "models/vae.h"

gm_status gmi_vae_feed(gm_vae *v, gmi_prog *p, const gmi_core_rows *from, int64_t r0, int64_t n)
{
    int64_t at[GMI_INFER_ROWS];
    if (!GM_TRAINING || !from->d) {
        gm_status s = gmi_vae_feed_x(v, p, from->x, r0, n);
        if (!s) gmi_vae_feed_cond(v, p, from->cond, r0, n);
        return s;
    }
    gmi_real *x = gmi_prog_in(p, "x"), *cond = gmi_prog_in(p, "cond");
    if (!x) return GM_OK;
    memset(x, 0, (size_t)(p->key.rows * v->plan.x_elems) * sizeof *x);
    if (cond) memset(cond, 0, (size_t)(p->key.rows * gmi_core_cond_elems(&v->m)) * sizeof *cond);
    for (int64_t i = 0; i < n; i++) at[i] = r0 + i;
    return gmi_vae_feed_rows(v, p, from->d, at, n, r0);
}

/* Rows [r0, r0 + n) through one program: the sum over draws into recon [n], then minus the analytic KL. */
static gm_status elbo_chunk(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t size, int64_t n, int32_t samples, uint64_t seed, double *out)
{
    const int64_t d = v->o.latent_dim;
    gmi_prog *p;
    gm_status s = gmi_vae_prog(v, GMI_VAE_EVALUATE, 0, size, &p);
    for (int32_t k = 0; !s && k < samples; k++) {
        s = gmi_vae_feed(v, p, from, r0, n);
        if (s) return s;
        gmi_prog_set(p, "beta", 1);
        s = gmi_prog_run(p, seed, k, r0);
        for (int64_t i = 0; i < n; i++) out[i] = (k ? out[i] : 0) + (double)p->out[0].p[i];
    }
    for (int64_t i = 0; !s && i < n; i++) {
        double kl = 0;
        for (int64_t j = 0; j < d; j++) kl += (double)p->out[1].p[i * d + j];
        out[i] = out[i] / samples - kl;
    }
    return s;
}

gm_status gmi_vae_row_elbo(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, int32_t samples, uint64_t seed, double *out)
{
    gm_status s = GM_OK;
    for (int64_t at = 0, rows = 0; !s && at < n; at += rows) {
        int64_t size = gmi_vae_evaluate_chunk(v, n - at);
        rows = GMI_MIN(size, n - at);
        s = elbo_chunk(v, from, r0 + at, size, rows, samples, seed, out + at);
    }
    return s;
}

/* |x - y|^2 of n rows; x is what the program reads: class indices where p(x|z) is categorical, features of a mixed table. */
static void squared_error(const gm_vae *v, const void *x, const gmi_real *y, int64_t n, double *out)
{
    const int classes = v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL;
    const int64_t e = v->m.elems;
    const gmi_real *real = x;
    const int32_t *index = x;
    if (v->columns) {
        gmi_vae_columns_error(v, real, y, n, out);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t j = i * e; j < (i + 1) * e; j++) {
            double t = (classes ? (double)index[j] : (double)real[j]) - (double)y[j];
            out[i] += t * t;
        }
    }
}

gm_status gmi_vae_row_error(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, double *out)
{
    gmi_prog *p;
    gm_status s = GM_OK;
    for (int64_t at = 0, rows = 0; !s && at < n; at += rows) {
        int64_t size = gmi_core_chunk(&v->m, GMI_VAE_RECONSTRUCT, 0, n - at);
        rows = GMI_MIN(size, n - at);
        s = gmi_vae_prog(v, GMI_VAE_RECONSTRUCT, 0, size, &p);
        if (!s) s = gmi_vae_feed(v, p, from, r0 + at, rows);
        if (s) return s;
        const int32_t in = gmi_prog_input(p, "x");
        if (in < 0) return gmi_fail(v->m.ctx, GM_E_INTERNAL, "the encoder does not read x");
        const void *x = p->in[in]; /* the caller's memory for this run, or the program's */
        s = gmi_prog_run(p, v->m.seed, 0, 0);
        if (!s) squared_error(v, x, p->out[0].p, rows, out + at);
    }
    return s;
}

gm_status gmi_vae_row_code(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, gmi_real *mean, gmi_real *logvar)
{
    const int64_t d = v->o.latent_dim;
    gmi_prog *p;
    gm_status s = GM_OK;
    for (int64_t at = 0, rows = 0; !s && at < n; at += rows) {
        int64_t size = gmi_core_chunk(&v->m, GMI_VAE_ENCODE, 0, n - at);
        rows = GMI_MIN(size, n - at);
        s = gmi_vae_prog(v, GMI_VAE_ENCODE, 0, size, &p);
        if (!s) s = gmi_vae_feed(v, p, from, r0 + at, rows);
        if (!s) s = gmi_prog_run(p, v->m.seed, 0, 0);
        if (!s && mean) memcpy(mean + at * d, p->out[0].p, (size_t)(rows * d) * sizeof *mean);
        if (!s && logvar) memcpy(logvar + at * d, p->out[1].p, (size_t)(rows * d) * sizeof *logvar);
    }
    return s;
}
