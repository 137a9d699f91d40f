/* SPDX-License-Identifier: MIT */
/* ema.c: averaged weights, a = d a + (1 - d) w with d = 2^(-examples / half_life).
 *
 * The half-life is in examples, so it means the same at any batch size (Karras 2020, StyleGAN2-ADA). d is computed in double and rounded once; the pass is
 * the kernel axpby over chunks, elementwise, so threads do not show in the bits. States such as batch statistics are not averaged: models recompute
 * them for the averaged weights. The average starts at the initial weights and forgets them with the same half-life: no warm-up. */
#include "train/ema.h"
#include "nn/nn.h"

#define CHUNK 32768

typedef struct pass {
    gmi_ema *e;
    gmi_real keep, rest;
} pass;

static int32_t chunks(const gmi_ema *e) { return (int32_t)((e->hi - e->lo + CHUNK - 1) / CHUNK); }

static void update_task(void *arg, int32_t i)
{
    const pass *a = arg;
    gmi_ema *e = a->e;
    int64_t at = (int64_t)i * CHUNK, n = GMI_MIN(CHUNK, e->hi - e->lo - at);
    e->k.axpby(n, e->average + at, a->rest, e->w->value + e->lo + at, a->keep);
}

void gmi_ema_update(gmi_ema *e, int64_t examples)
{
    pass a;
    double d = gmi_num_exp(-0.6931471805599453 * (double)examples / e->half_life);
    a.e = e;
    a.keep = (gmi_real)d;
    a.rest = (gmi_real)(1.0 - d);
    e->seen += (double)examples;
    gmi_parallel(e->w->ctx, chunks(e), update_task, &a);
}

static void swap_task(void *arg, int32_t i)
{
    gmi_ema *e = arg;
    int64_t at = (int64_t)i * CHUNK, n = GMI_MIN(CHUNK, e->hi - e->lo - at), k;
    gmi_real *a = e->average + at, *b = e->w->value + e->lo + at;
    for (k = 0; k < n; k++) {
        gmi_real t = a[k];
        a[k] = b[k];
        b[k] = t;
    }
}

void gmi_ema_swap(gmi_ema *e)
{
    gmi_parallel(e->w->ctx, chunks(e), swap_task, e);
    e->swapped = !e->swapped;
    gmi_params_changed(e->w);
}

void gmi_ema_reset(gmi_ema *e)
{
    e->seen = 0.0;
    memcpy(e->average, e->w->value + e->lo, (size_t)(e->hi - e->lo) * sizeof *e->average);
}

gm_status gmi_ema_create(gm_params *w, const char *prefix, double half_life, gmi_ema **out)
{
    gmi_ema *e;
    gm_status s;
    *out = NULL;
    if (!(half_life > 0.0)) return gmi_fail(w->ctx, GM_E_INVALID, "the half-life of the average is %g examples; it must be above 0", half_life);
    e = gmi_alloc(w->ctx, sizeof *e);
    if (!e) return gmi_nomem(w->ctx);
    e->w = w;
    e->half_life = half_life;
    gmi_params_retain(w);
    gmi_exec_kernels(w->ctx, &e->k);
    s = gmi_params_span(w, prefix, &e->lo, &e->hi);
    if (!s && !(e->average = gmi_alloc_n(w->ctx, e->hi - e->lo, sizeof *e->average))) s = gmi_nomem(w->ctx);
    if (s) {
        gmi_ema_destroy(e);
        return s;
    }
    gmi_ema_reset(e);
    *out = e;
    return GM_OK;
}

gm_status gmi_ema_named(const gmi_ema *e, const char *prefix, gmi_named_set *s)
{
    int32_t i;
    for (i = 0; i < e->w->n_params; i++) {
        const gmi_slot *slot = &e->w->params[i];
        gm_status st;
        if (slot->offset < e->lo || slot->offset >= e->hi) continue;
        st = gmi_named_add(s, prefix, slot, e->average + (slot->offset - e->lo));
        if (st) return st;
    }
    return GM_OK;
}

uint64_t gmi_ema_bytes(int64_t elems) { return sizeof(gmi_ema) + (uint64_t)elems * sizeof(gmi_real); }

void gmi_ema_destroy(gmi_ema *e)
{
    gm_params *w;
    if (!e) return;
    w = e->w;
    gmi_free(w->ctx, e->average);
    gmi_free(w->ctx, e);
    gmi_params_release(w);
}
