/* SPDX-License-Identifier: MIT */
/* vae_memory.c: what a VAE needs for a batch: asked before it exists, reserved, and refused with the largest batch that fits.
 *
 * Bytes come from compiled plans and layouts, which are pure functions of options and batch, so that the answer is known without taking the memory. */
#include "models/vae.h"
#include "train/optim.h"

static const int32_t infer_kinds[] = {GMI_VAE_ENCODE, GMI_VAE_DECODE, GMI_VAE_DRAW, GMI_VAE_PRIOR};

typedef struct need {
    uint64_t keep, most; /* bytes in the end, and at the worst moment on the way there */
} need;

/* Adds a program that is not there yet. */
static gm_status add_program(gm_vae *v, int32_t kind, int64_t rows, need *n)
{
    gmi_prog_key key;
    uint64_t bytes = 0, peak = 0;
    key.kind = kind;
    key.draws = 0;
    key.rows = rows;
    const gm_params *w = kind == GMI_VAE_PRIOR ? NULL : kind == GMI_VAE_TRAIN ? v->m.weights : gmi_core_shown(&v->m);
    if (gmi_progs_find(&v->m.progs, key, w)) return GM_OK;
    gm_status s = gmi_progs_bytes(&v->m.progs, key, &bytes, &peak);
    n->most = GMI_MAX(n->most, n->keep + peak);
    n->keep += bytes;
    return s;
}

static gm_status add_inference(gm_vae *v, int64_t batch, need *n)
{
    gm_status s = GM_OK;
    for (int32_t i = 0; !s && i < (int32_t)GMI_COUNT(infer_kinds); i++) {
        s = add_program(v, infer_kinds[i], GMI_MIN(batch, GMI_INFER_ROWS), n);
        if (!s && batch > 1) s = add_program(v, infer_kinds[i], 1, n);
    }
    return s;
}

static gm_status need_of(gm_vae *v, int64_t batch, int inference, need *n)
{
    memset(n, 0, sizeof *n);
    gm_status s = add_program(v, GMI_VAE_TRAIN, batch, n);
    return !s && inference ? add_inference(v, batch, n) : s;
}

/* The largest batch below one that does not fit; what cannot even be planned within the limit does not fit either. */
static int64_t largest(gm_vae *v, int64_t batch, int inference)
{
    gm_context *c = v->m.ctx;
    int64_t lo = 0, hi = batch;
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        need n;
        gm_status s = need_of(v, mid, inference, &n);
        if (s) gmi_forget(c);
        if (s || c->mem_now + n.most > c->mem_limit)
            hi = mid;
        else
            lo = mid;
    }
    return lo;
}

gm_status gmi_vae_budget(gm_vae *v, int64_t batch, int inference)
{
    gm_context *c = v->m.ctx;
    need n;
    if (!c->mem_limit) return GM_OK;
    gm_status s = need_of(v, batch, inference, &n);
    if (s && s != GM_E_BUDGET) return s;
    if (!s && c->mem_now + n.most <= c->mem_limit) return GM_OK;
    if (s) gmi_forget(c);
    int64_t fits = largest(v, batch, inference);
    if (s)
        return gmi_fail(c, GM_E_BUDGET, "a batch of %i does not fit into the limit of %u bytes; the largest batch that fits is %i",
                        batch, c->mem_limit, fits);
    return gmi_fail(c, GM_E_BUDGET, "a batch of %i needs %u bytes, the limit is %u; the largest batch that fits is %i",
                    batch, (uint64_t)c->mem_now + n.most, c->mem_limit, fits);
}

static gm_status reserve(gm_vae *v, int64_t batch)
{
    gm_status s = gmi_core_enter(&v->m, 0);
    gmi_prog *p;
    if (s) return s;
    if (batch < 1) return gmi_fail(v->m.ctx, GM_E_RANGE, "batch is %i; give at least 1", batch);
    s = gmi_vae_optimizer_ready(v);
    if (!s) s = gmi_vae_budget(v, batch, 1);
    if (!s) s = gmi_vae_prog(v, GMI_VAE_TRAIN, 0, batch, &p);
    for (int32_t i = 0; !s && i < (int32_t)GMI_COUNT(infer_kinds); i++) {
        s = gmi_vae_prog(v, infer_kinds[i], 0, GMI_MIN(batch, GMI_INFER_ROWS), &p);
        if (!s && batch > 1) s = gmi_vae_prog(v, infer_kinds[i], 0, 1, &p);
    }
    if (!s) v->m.reserved = batch;
    return s;
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
    need work, run;
    memset(&run, 0, sizeof run);
    if (!x) return gmi_fail(c, GM_E_INVALID, "the spec is NULL: gm_dataset_spec gives one");
    if (batch < 1) return gmi_fail(c, GM_E_RANGE, "batch is %i; give at least 1", batch);
    gm_status s = gmi_vae_make(c, x, o, 0, &v);
    if (!s) s = gmi_vae_training_graph(v, &g);
    if (!s) s = gmi_optimizer_bytes(c, v->o.optimizer, (int64_t)(gmi_params_bytes(g, 0) / sizeof(gmi_real)), &moments);
    if (!s) s = need_of(v, batch, 0, &work);
    if (!s) s = add_inference(v, batch, &run);
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
