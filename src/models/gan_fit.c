/* SPDX-License-Identifier: MIT */
/* gan_fit.c: what the shared training loop (train/fit.c) asks of a GAN. No weights are kept as best: a GAN's losses do not fall as it gets better. */
#include "models/gan.h"

static gm_status fit_begin(void *self, gm_dataset *d, const gm_fit_options *o)
{
    gm_gan *a = self;
    const int conditional = a->plan.cond != GMI_COND_NONE;
    gm_status s = gmi_core_fits(&a->m, conditional, d);
    if (!s && o->validation) s = gmi_core_fits(&a->m, conditional, o->validation);
    if (!s) s = gmi_gan_ready(a);
    if (!s && o->accumulate > 1) s = gmi_core_train_ready(&a->m, 1);
    return s ? s : gmi_core_fit_scaling(&a->m, d);
}

static gm_status fit_reserve(void *self, gm_dataset *d, int64_t n)
{
    gm_gan *a = self;
    gm_status s = gmi_core_budget(&a->m, n, 0);
    if (!s) s = gmi_core_compile(&a->m, n, 1);
    return s ? s : gmi_dataset_reserve(d, n);
}

static gm_status fit_evaluate(void *self, gm_dataset *d, gmi_tick_fn tick, void *user, gm_record *r, double *criterion)
{
    *criterion = 0;
    return gmi_gan_evaluate(self, d, 1, tick, user, r);
}

static gm_status fit_checkpoint(void *self, const char *path)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.path = path;
    return gmi_gan_write(self, &w, 1);
}

gm_status gm_gan_fit(gm_gan *g, gm_dataset *d, const gm_fit_options *o)
{
    gmi_family f;
    if (!g) return GM_E_INVALID;
    gm_context *c = g->m.ctx;
    gmi_enter(c, "gan_fit");
    gm_status s = gmi_core_enter(&g->m, 0);
    if (!s && !d) s = gmi_fail(c, GM_E_INVALID, "the dataset is NULL");
    if (s) return gmi_leave(c, s);
    memset(&f, 0, sizeof f);
    f.call = "gan_fit";
    f.self = g;
    f.state = &g->m.fit;
    f.busy = &g->m.busy;
    f.begin = fit_begin;
    f.reserve = fit_reserve;
    f.step = gmi_gan_fit_step;
    f.evaluate = fit_evaluate;
    f.checkpoint = fit_checkpoint;
    gmi_context_retain(c);
    gmi_gan_retain(g); /* a callback may destroy the handle */
    s = gmi_fit(c, &f, d, o);
    gmi_gan_release(g);
    s = gmi_leave(c, s);
    gmi_context_release(c);
    return s;
}
