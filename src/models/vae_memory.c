/* SPDX-License-Identifier: MIT */
/* vae_memory.c: what a VAE needs for a batch, asked before it exists; and reserving it (core_memory.c). */
#include "models/vae.h"
#include "train/optim.h"

static gm_status reserve(gm_vae *v, int64_t batch)
{
    gm_status s = gmi_core_enter(&v->m, 0);
    if (s) return s;
    if (batch < 1) return gmi_fail(v->m.ctx, GM_E_RANGE, "batch is %i; give at least 1", batch);
    if (GM_TRAINING) s = gmi_vae_optimizer_ready(v);
    return s ? s : gmi_core_reserve(&v->m, batch);
}

gm_status gm_vae_reserve(gm_vae *v, int64_t batch)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_reserve");
    return gmi_leave(v->m.ctx, reserve(v, batch));
}

static gm_status memory(gm_context *c, const gm_spec *x, const gm_vae_options *o, int64_t batch, uint64_t *train, uint64_t *infer)
{
    gm_vae *v = NULL;
    gm_graph *g = NULL;
    uint64_t moments = 0;
    gmi_need work, run;
    memset(&work, 0, sizeof work);
    memset(&run, 0, sizeof run);
    if (!GM_TRAINING) return gmi_no_training(c);
    if (!x) return gmi_fail(c, GM_E_INVALID, "the spec is NULL: gm_dataset_spec gives one");
    if (batch < 1) return gmi_fail(c, GM_E_RANGE, "batch is %i; give at least 1", batch);
    gm_status s = gmi_vae_make(c, x, o, 0, &v);
    if (!s) s = gmi_vae_training_graph(v, &g);
    if (!s) s = gmi_optimizer_bytes(c, v->o.optimizer, (int64_t)(gmi_params_bytes(g, 0) / sizeof(gmi_real)), &moments);
    if (!s) s = gmi_core_need(&v->m, batch, 1, &work);
    if (!s) s = gmi_core_need(&v->m, batch, 0, &run);
    if (!s) {
        const uint64_t weights = gmi_params_bytes(g, 0);
        *train = gmi_params_bytes(g, 1) + (v->m.ema_half_life > 0 ? weights : 0) + moments + work.keep;
        *infer = weights + run.keep;
    }
    gm_graph_destroy(g);
    gmi_vae_release(v);
    return s;
}

gm_status gm_vae_memory(gm_context *c, const gm_spec *x, const gm_vae_options *o, int64_t batch, uint64_t *train_bytes, uint64_t *infer_bytes)
{
    uint64_t train = 0, infer = 0;
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "vae_memory");
    gm_status s = memory(c, x, o, batch, &train, &infer);
    if (!s && train_bytes) *train_bytes = train;
    if (!s && infer_bytes) *infer_bytes = infer;
    return gmi_leave(c, s);
}
