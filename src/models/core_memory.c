/* SPDX-License-Identifier: MIT */
/* core_memory.c: what a model needs for a batch: asked before it exists, reserved, and refused with the largest batch that fits.
 *
 * Bytes come from compiled plans and layouts, which are pure functions of options and batch, so that the answer is known without taking the memory. */
#include "models/core.h"

/* Adds a program that is not there yet. */
static gm_status add_program(gmi_core *m, int32_t kind, int64_t rows, gmi_need *n)
{
    gmi_prog_key key;
    uint64_t bytes = 0, peak = 0;
    key.kind = kind;
    key.draws = 0;
    key.rows = rows;
    if (gmi_progs_find(&m->progs, key, m->bound(m, kind))) return GM_OK;
    gm_status s = gmi_progs_bytes(&m->progs, key, &bytes, &peak);
    n->most = GMI_MAX(n->most, n->keep + peak);
    n->keep += bytes;
    return s;
}

/* The rows of the programs of a kind: one size for training, two for inference. */
static int32_t sizes(const gmi_kind *k, int64_t batch, int training, int64_t rows[2])
{
    rows[0] = k->rows ? k->rows : training ? batch : GMI_MIN(batch, GMI_INFER_ROWS);
    rows[1] = 1;
    return training || k->rows || rows[0] == 1 ? 1 : 2;
}

/* The programs of a batch. A build without training makes none to train with. */
static int32_t kinds_of(gmi_core *m, int training, gmi_kind kinds[GMI_CORE_KINDS]) { return training && !GM_TRAINING ? 0 : m->kinds(m, training, kinds); }

gm_status gmi_core_need(gmi_core *m, int64_t batch, int training, gmi_need *n)
{
    gmi_kind kinds[GMI_CORE_KINDS];
    const int32_t count = kinds_of(m, training, kinds);
    gm_status s = GM_OK;
    for (int32_t i = 0; !s && i < count; i++) {
        int64_t rows[2];
        const int32_t k = sizes(&kinds[i], batch, training, rows);
        for (int32_t j = 0; !s && j < k; j++) s = add_program(m, kinds[i].kind, rows[j], n);
    }
    return s;
}

gm_status gmi_core_compile(gmi_core *m, int64_t batch, int training)
{
    gmi_kind kinds[GMI_CORE_KINDS];
    const int32_t count = kinds_of(m, training, kinds);
    gm_status s = GM_OK;
    for (int32_t i = 0; !s && i < count; i++) {
        int64_t rows[2];
        gmi_prog *p;
        const int32_t k = sizes(&kinds[i], batch, training, rows);
        for (int32_t j = 0; !s && j < k; j++) s = gmi_core_prog(m, kinds[i].kind, 0, rows[j], &p);
    }
    return s;
}

static gm_status need_of(gmi_core *m, int64_t batch, int inference, gmi_need *n)
{
    memset(n, 0, sizeof *n);
    gm_status s = gmi_core_need(m, batch, 1, n);
    return !s && inference ? gmi_core_need(m, batch, 0, n) : s;
}

/* The largest batch below one that does not fit; what cannot even be planned within the limit does not fit either. */
static int64_t largest(gmi_core *m, int64_t batch, int inference)
{
    gm_context *c = m->ctx;
    int64_t lo = 0, hi = batch;
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        gmi_need n;
        gm_status s = need_of(m, mid, inference, &n);
        if (s) gmi_forget(c);
        if (s || gmi_memory_now(c) + n.most > c->mem_limit)
            hi = mid;
        else
            lo = mid;
    }
    return lo;
}

gm_status gmi_core_budget(gmi_core *m, int64_t batch, int inference)
{
    gm_context *c = m->ctx;
    gmi_need n;
    if (!GM_TRAINING || !c->mem_limit) return GM_OK; /* the program that does not fit says so, without the batch that would */
    gm_status s = need_of(m, batch, inference, &n);
    if (s && s != GM_E_BUDGET) return s;
    if (!s && gmi_memory_now(c) + n.most <= c->mem_limit) return GM_OK;
    if (s) gmi_forget(c);
    int64_t fits = largest(m, batch, inference);
    if (s)
        return gmi_fail(c, GM_E_BUDGET, "a batch of %i does not fit into the limit of %u bytes; the largest batch that fits is %i",
                        batch, c->mem_limit, fits);
    return gmi_fail(c, GM_E_BUDGET, "a batch of %i needs %u bytes, the limit is %u; the largest batch that fits is %i",
                    batch, gmi_memory_now(c) + n.most, c->mem_limit, fits);
}

gm_status gmi_core_reserve(gmi_core *m, int64_t batch)
{
    gm_status s = gmi_core_budget(m, batch, 1);
    if (!s) s = gmi_core_compile(m, batch, 1);
    if (!s) s = gmi_core_compile(m, batch, 0);
    if (!s) m->reserved = batch;
    return s;
}
