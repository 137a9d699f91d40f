/* SPDX-License-Identifier: MIT */
/* vae_model.c: a VAE as a gm_model: what model.c and model_file.c ask of the family. */
#include "models/model.h"
#include "models/vae.h"

static gm_status make(gm_context *c, const gm_spec *x, const char *options, gmi_arena *texts, gmi_core **out)
{
    gm_vae *v = NULL;
    gm_status s = gmi_vae_options_read(c, x, options, texts, &v);
    *out = s ? NULL : &v->m;
    return s;
}

static void release(gmi_core *m) { gmi_vae_release((gm_vae *)m); }

/* The encoder's program reads the encoder, a draw of p(x|z) all that decoding ever reads; the bounds need both, as training does, whose graph is also the
 * one that a file is compared with. */
static gm_status leaves(gmi_core *m, int32_t uses, gm_graph *g)
{
    gmi_prog_key key = {GMI_VAE_TRAIN, 0, 2};
    gm_node out[GMI_PROG_OUT];
    int32_t n_out;
    if (uses == GM_USE_ENCODE) key.kind = GMI_VAE_ENCODE;
    if (uses == GM_USE_DECODE) key.kind = GMI_VAE_DRAW;
    gm_status s = gmi_vae_build(m, g, &key, out, &n_out);
    return s ? s : gm_graph_status(g);
}

static gm_status options(gmi_core *m, gmi_buf *json) { return GM_TRAINING ? gmi_vae_options_write((const gm_vae *)m, json) : gmi_no_training(m->ctx); }

static gm_status settle(gmi_core *m)
{
    (void)m;
    return GM_OK;
}

static int64_t latent_dim(const gmi_core *m) { return ((const gm_vae *)m)->o.latent_dim; }

const gmi_model_class gmi_vae_class = {"vae", make, release, leaves, options, settle, latent_dim};

gm_status gm_vae_snapshot(gm_vae *v, const gm_model **out)
{
    if (out) *out = NULL;
    if (!v || !out) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_snapshot");
    return gmi_leave(v->m.ctx, gmi_model_snapshot(&v->m, out));
}
