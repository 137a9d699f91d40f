/* SPDX-License-Identifier: MIT */
/* latent_vae.c: what a VAE does for gm_latent: its own inference and its figures of single rows. */
#include "repr/latent.h"
#include "models/vae.h"

static gm_vae *vae(const gm_latent *l) { return (gm_vae *)(void *)l->core; } /* gmi_core is its first member */

static gm_status fits(gm_latent *l, gm_dataset *d) { return GM_TRAINING ? gmi_vae_fits(vae(l), d) : gmi_no_training(l->ctx); }

static gm_status check_cond(gm_latent *l, const gm_tensor *cond, int64_t n) { return gmi_vae_check_cond(vae(l), cond, n); }

static gm_status encode(gm_latent *l, const gmi_core_rows *from, int64_t r0, int64_t n, const gmi_latent_code *out)
{
    gm_status s = out->z || out->logvar ? gmi_vae_row_code(vae(l), from, r0, n, out->z, out->logvar) : GM_OK;
    if (!s && out->residual) s = gmi_vae_row_error(vae(l), from, r0, n, out->residual);
    if (out->steps) memset(out->steps, 0, (size_t)n * sizeof *out->steps); /* nothing is searched */
    return s;
}

static gm_status decode(gm_latent *l, const gm_tensor *z, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *x)
{
    return gmi_vae_decode(vae(l), z, cond, o->draw, o->seed, o->first, x);
}

static gm_status sample(gm_latent *l, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *z, gm_tensor *x)
{
    gm_status s = gm_vae_sample(vae(l), o, cond, x);
    return s || !z ? s : gmi_vae_prior(vae(l), o->seed, o->first, o->truncation, z);
}

static gm_status score(gm_latent *l, gm_score s, const gmi_core_rows *from, int64_t r0, int64_t n, double *out)
{
    gm_status st;
    if (s == GM_SCORE_RECONSTRUCTION) return gmi_vae_row_error(vae(l), from, r0, n, out);
    if (s == GM_SCORE_ELBO)
        st = gmi_vae_row_elbo(vae(l), from, r0, n, l->o.score_samples, l->o.seed, out);
    else
        st = gmi_vae_row_log(vae(l), from, r0, n, l->o.score_samples, l->o.seed, out, NULL);
    for (int64_t i = 0; !st && i < n; i++) out[i] = -out[i];
    return st;
}

const gmi_latent_family gmi_latent_vae = {
    "vae",
    1 << GM_SCORE_ELBO | 1 << GM_SCORE_IWAE | 1 << GM_SCORE_RECONSTRUCTION | 1 << GM_SCORE_MAHALANOBIS,
    GM_SCORE_ELBO,
    1,
    fits,
    check_cond,
    encode,
    decode,
    sample,
    score,
};
