/* SPDX-License-Identifier: MIT */
/* infer_only.c: what a build without training answers for the calls of repr/ that it leaves out: see models/infer_only.c. */
#include "genrep/viz.h"
#include "repr/latent.h"

static gm_status refuse(gm_context *c, const char *call)
{
    if (!c) return GM_E_INVALID;
    gmi_enter(c, call);
    return gmi_leave(c, gmi_no_training(c));
}

/* ---- representations ---- */

static gm_status refuse_latent(gm_latent *l, const char *call)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, call)) return GM_E_BUSY;
    return gmi_latent_end(l, gmi_no_training(l->ctx));
}

gm_status gm_latent_augment(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, double radius, const gm_sample_options *o, gm_tensor *out)
{
    (void)x;
    (void)cond;
    (void)radius;
    (void)o;
    (void)out;
    return refuse_latent(l, "latent_augment");
}

gm_status gm_latent_balance(gm_latent *l, gm_dataset *d, int64_t per_class, double radius, uint64_t seed, gm_dataset **out)
{
    (void)d;
    (void)per_class;
    (void)radius;
    (void)seed;
    if (out) *out = NULL;
    return refuse_latent(l, "latent_balance");
}

gm_status gm_model_calibrate(gm_context *c, const gm_model *m, gm_dataset *held_out, const gm_calibrate_options *o, const gm_model **out)
{
    (void)m;
    (void)held_out;
    (void)o;
    if (out) *out = NULL;
    return refuse(c, "model_calibrate");
}

/* ---- pictures ---- */

gm_status gm_viz_grid(gm_context *c, const gm_tensor *images, int32_t columns, gm_writer *png)
{
    (void)images;
    (void)columns;
    (void)png;
    return refuse(c, "viz_grid");
}

gm_status gm_viz_scatter(gm_context *c, const gm_tensor *z, const gm_tensor *labels, gm_writer *svg)
{
    (void)z;
    (void)labels;
    (void)svg;
    return refuse(c, "viz_scatter");
}

gm_status gm_viz_pca(gm_context *c, const gm_tensor *z, gm_tensor *map)
{
    (void)z;
    (void)map;
    return refuse(c, "viz_pca");
}

gm_status gm_viz_curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y, gm_writer *svg)
{
    (void)n;
    (void)names;
    (void)y;
    (void)svg;
    return refuse(c, "viz_curves");
}
