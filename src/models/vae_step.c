/* SPDX-License-Identifier: MIT */
/* vae_step.c: one training step, and what the shared loop of train/fit.c asks of a VAE.
 *
 * A step runs the training program on one batch, or on micro-batches whose gradients add up with the weights of their sizes, and then lets the optimizer
 * check and apply. A step that is not finite changes nothing but the step counter, which indexes the noise, so that the next one is not the same again. */
#include "models/vae.h"
#include "train/optim.h"

typedef struct totals { /* sums over micro-batches, value times examples */
    double objective, elbo, recon, kl;
} totals;

static gm_status set_schedules(gm_vae *v, double epoch, double *beta)
{
    *beta = gm_schedule_value(v->beta, v->m.fit.step, epoch);
    if (!gmi_f64_finite(*beta)) return gmi_fail(v->m.ctx, GM_E_RANGE, "beta %S is not finite at step %i", v->o.beta, v->m.fit.step);
    if (!v->rate) return GM_OK;
    return gmi_optimizer_set(v->m.optimizer[0], "lr", gm_schedule_value(v->rate, v->m.fit.step, epoch));
}

/* One pass of the training program; x and cond are in its inputs. */
static gm_status run_batch(gm_vae *v, gmi_prog *p, double beta, int64_t first, double share, totals *t)
{
    gmi_prog_set(p, "beta", beta);
    gm_status s = gmi_prog_run(p, v->m.seed, v->m.fit.step, first);
    if (s) return s;
    t->objective += share * (double)p->out[0].p[0];
    t->elbo += share * (double)p->out[1].p[0];
    t->recon += share * (double)p->out[2].p[0];
    t->kl += share * (double)p->out[3].p[0];
    for (int64_t j = 0; j < v->o.latent_dim; j++) v->kl_dim[j] += (float)(share * (double)p->out[4].p[j]);
    return GM_OK;
}

/* The optimizer's part of a step, the average, the counters. */
static gm_status apply(gm_vae *v, int64_t n, const totals *t, double *norm)
{
    gmi_core *m = &v->m;
    gm_status s;
    m->fit.step++;
    if (!gmi_f64_finite(t->objective)) {
        gmi_params_discard(m->weights);
        return gmi_fail(m->ctx, GM_E_NONFINITE, "step %i: the objective is %g; the step was dropped", m->fit.step - 1, t->objective);
    }
    s = gmi_optimizer_step(m->optimizer[0], norm);
    if (s) return s;
    m->fit.examples += n;
    gmi_core_average_update(m, n);
    return GM_OK;
}

static void fill_record(gm_vae *v, const totals *t, double beta, double norm, gm_record *r)
{
    r->kind = GM_RECORD_STEP;
    r->step = v->m.fit.step;
    r->examples = v->m.fit.examples;
    r->objective = t->objective;
    r->elbo = t->elbo;
    r->recon = t->recon;
    r->kl = t->kl;
    r->beta = beta;
    r->lr = gmi_optimizer_get(v->m.optimizer[0], "lr");
    r->grad_norm = norm;
    r->n_kl = v->o.latent_dim;
    r->kl_per_dim = v->kl_dim;
}

static gm_status begin_step(gm_vae *v, double epoch, double *beta, totals *t)
{
    gm_status s = gmi_vae_optimizer_ready(v);
    if (!s && v->extra_missing)
        s = gmi_fail(v->m.ctx, GM_E_CALLBACK, "the model was trained with an extra_loss, which no file can hold: give it again with gm_vae_set_extra_loss");
    if (!s) s = set_schedules(v, epoch, beta);
    memset(t, 0, sizeof *t);
    memset(v->kl_dim, 0, (size_t)v->o.latent_dim * sizeof(float));
    return s;
}

static gm_status host_step(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    gmi_prog *p = NULL;
    int64_t n = 0;
    double beta = 1, norm = 0;
    totals t;
    gm_status s = gmi_core_enter(&v->m, 0);
    if (!s) s = gmi_core_check_x(&v->m, x, "x", &n);
    if (!s) s = gmi_vae_check_cond(v, cond, n);
    if (!s) s = begin_step(v, 0, &beta, &t);
    if (!s) s = gmi_vae_prog(v, GMI_VAE_TRAIN, 0, n, &p);
    if (!s) s = gmi_vae_feed_x(v, p, x, 0, n);
    if (s) return s;
    v->m.shadow_is = GMI_SHADOW_NONE; /* the host goes on from what it sees */
    gmi_vae_feed_cond(v, p, cond, 0, n);
    s = run_batch(v, p, beta, 0, 1, &t);
    if (!s) s = apply(v, n, &t, &norm);
    fill_record(v, &t, beta, norm, r);
    return s;
}

gm_status gm_vae_step(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    gm_record full;
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_step");
    gm_record_init(&full, sizeof full);
    full.call = "vae_step";
    gm_status s = host_step(v, x, cond, &full);
    if (r && !s) gmi_options_init(r, r->size, &full, sizeof full);
    return gmi_leave(v->m.ctx, s);
}

void gm_vae_set_extra_loss(gm_vae *v, gm_loss_fn fn, void *user)
{
    if (!v || v->m.busy) return;
    v->o.extra_loss = fn;
    v->o.extra_user = user;
    v->extra_missing = 0;
    gmi_progs_drop(&v->m.progs, GMI_VAE_TRAIN);
}

gm_status gmi_vae_fit_step(void *self, const gmi_fit_batch *b, gm_record *r)
{
    gm_vae *v = self;
    const int split = b->n > b->micro;
    double beta = 1, norm = 0;
    totals t;
    gm_status s = begin_step(v, b->epoch, &beta, &t);
    for (int64_t i = 0; !s && i < b->n; i += b->micro) {
        gmi_prog *p = NULL;
        int64_t n = GMI_MIN(b->micro, b->n - i);
        double share = (double)n / (double)b->n;
        s = gmi_vae_prog(v, GMI_VAE_TRAIN, 0, n, &p);
        if (!s) s = gmi_vae_feed_rows(v, p, b->data, b->index + i, n, 0);
        if (!s) s = run_batch(v, p, beta, i, share, &t);
        if (!s && split) gmi_core_grad_add(&v->m, (gmi_real)share, i == 0);
    }
    if (!s && split) gmi_core_grad_take(&v->m, 1);
    if (s) return s;
    s = apply(v, b->n, &t, &norm);
    if (s == GM_E_NONFINITE) r->event = GM_EVENT_NONFINITE;
    fill_record(v, &t, beta, norm, r);
    return s;
}
