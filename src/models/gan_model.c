/* SPDX-License-Identifier: MIT */
/* gan_model.c: what gm_model needs of a GAN (model.h). Both uses of a representation need G: decode is G, encode its inversion; D goes into whole models alone. */
#include "models/gan.h"
#include "models/model.h"

static gm_status make(gm_context *c, const gm_spec *x, const char *options, gmi_arena *texts, gmi_core **out)
{
    gm_gan *a = NULL;
    gm_status s = gmi_gan_options_read(c, x, options, texts, &a);
    *out = a ? &a->m : NULL;
    return s;
}

static void release(gmi_core *m) { gmi_gan_release((gm_gan *)m); }

static gm_status leaves(gmi_core *m, int32_t uses, gm_graph *g)
{
    gmi_gan_leaves((const gm_gan *)m, g, 1, uses == GM_USE_ALL);
    return gm_graph_status(g);
}

static gm_status options(gmi_core *m, gmi_buf *json)
{
    if (!GM_TRAINING) return gmi_no_training(m->ctx);
    gmi_gan_options_write((const gm_gan *)m, json);
    return json->failed ? gmi_nomem(m->ctx) : GM_OK;
}

static gm_status settle(gmi_core *m) { return GM_TRAINING ? gmi_gan_settle((gm_gan *)m) : GM_OK; }

static int64_t latent_dim(const gmi_core *m) { return ((const gm_gan *)m)->o.latent_dim; }

const gmi_model_class gmi_gan_class = {"gan", make, release, leaves, options, settle, latent_dim};

gm_status gm_gan_snapshot(gm_gan *g, const gm_model **out)
{
    if (out) *out = NULL;
    if (!g || !out) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_snapshot");
    return gmi_leave(g->m.ctx, gmi_model_snapshot(&g->m, out));
}
