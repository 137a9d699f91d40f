/* SPDX-License-Identifier: MIT */
/* gan_step.c: one training step: D's half, then G's half through the new D.
 *
 * The halves are two transactions. Each runs its program on one batch, or on micro-batches whose gradients add up with the weights of their sizes, and then lets its
 * optimizer check and apply. A half that is not finite changes nothing of its network; when it is D's, G's half is left out. The step counter, which indexes noise and
 * schedules, advances once in every case, so that the next step is not the same again. */
#include "models/gan.h"
#include "train/optim.h"

typedef struct totals { /* sums over micro-batches, value times share */
    double d_loss, g_loss, d_real, d_fake, penalty;
} totals;

/* One step under way: where its batches come from, and what it found. */
typedef struct half_step {
    gm_gan *a;
    const gmi_fit_batch *b;  /* of fit, or NULL: the host's tensors */
    const gm_tensor *x, *cond;
    int64_t n, micro;
    double gamma;
    const gmi_prog *fed; /* has the whole batch of a dataset in its inputs */
    gmi_prog *begun; /* G's program after its first part, pinned */
    totals t;
    double g_norm, d_norm;
    int32_t dropped; /* a half was not finite */
} half_step;

static gm_status set_schedules(gm_gan *a, double epoch, double *gamma)
{
    gmi_core *m = &a->m;
    gm_status s = GM_OK;
    *gamma = gm_schedule_value(a->gamma, m->fit.step, epoch);
    if (!gmi_f64_finite(*gamma)) return gmi_fail(m->ctx, GM_E_RANGE, "gamma %S is not finite at step %i", a->o.gamma, m->fit.step);
    if (a->g_rate) s = gmi_optimizer_set(m->optimizer[0], "lr", gm_schedule_value(a->g_rate, m->fit.step, epoch));
    if (!s && a->d_rate) s = gmi_optimizer_set(m->optimizer[1], "lr", gm_schedule_value(a->d_rate, m->fit.step, epoch));
    return s;
}

/* For one run p reads an input where another program has it. */
static void reuse(gmi_prog *p, const gmi_prog *from, const char *name)
{
    const int32_t to = gmi_prog_input(p, name), at = gmi_prog_input(from, name);
    if (to >= 0 && at >= 0) p->in[to] = from->in_own[at];
}

/* Rows [i, i + n) of the step's batch into a program. */
static gm_status feed(half_step *h, gmi_prog *p, int64_t i, int64_t n)
{
    gmi_core *m = &h->a->m;
    if (!h->b) {
        gmi_core_feed_cond(m, p, h->cond, i, n);
        return gmi_core_feed_x(m, p, h->x, i, n, 1, 0);
    }
    gmi_real *x = gmi_prog_in(p, "x"), *cond = gmi_prog_in(p, "cond");
    if (!x && !cond) return GM_OK;
    if (h->fed) { /* by D's half: a source is asked once, and a failure of it comes before anything has changed */
        reuse(p, h->fed, "x");
        reuse(p, h->fed, "cond");
        return GM_OK;
    }
    return gmi_dataset_fetch(h->b->data, n, h->b->index + i, &m->scaler, x, cond);
}

static void add(half_step *h, int32_t kind, const gmi_prog *p, double share)
{
    totals *t = &h->t;
    if (kind == GMI_GAN_G) {
        t->g_loss += share * (double)p->out[p->n_out - 1].p[0];
        return;
    }
    t->d_loss += share * (double)p->out[0].p[0];
    t->d_real += share * (double)p->out[1].p[0];
    t->d_fake += share * (double)p->out[2].p[0];
    if (kind == GMI_GAN_D_PENALTY) t->penalty += share * (double)p->out[3].p[0];
}

static int32_t kind_of_fakes(const gm_gan *a) { return a->plan.fresh ? GMI_GAN_FAKE : GMI_GAN_G; }

/* G(z) of rows [i, i + n) as an input of D's program d, which has their condition. With one batch for both halves G's program waits, half done, for its own. */
static gm_status fakes(half_step *h, int64_t i, int64_t n, gmi_prog *d)
{
    gmi_core *m = &h->a->m;
    gmi_prog *p;
    const int32_t to = gmi_prog_input(d, "fake"), kind = kind_of_fakes(h->a);
    d->pinned = 1;
    gm_status s = gmi_core_prog(m, kind, 0, n, &p);
    d->pinned = 0;
    if (s) return s;
    reuse(p, d, "cond");
    s = gmi_prog_run_part(p, kind == GMI_GAN_G, m->seed, m->fit.step, i);
    if (to >= 0) d->in[to] = p->out[0].p;
    if (s || kind != GMI_GAN_G || h->n > h->micro) return s;
    h->begun = p;
    p->pinned = 1;
    return GM_OK;
}

/* The gradients of one half over the whole batch. */
static gm_status gradients(half_step *h, int32_t kind)
{
    gmi_core *m = &h->a->m;
    const int split = h->n > h->micro;
    gm_status s = GM_OK;
    for (int64_t i = 0; !s && i < h->n; i += h->micro) {
        gmi_prog *p = NULL;
        const int64_t n = GMI_MIN(h->micro, h->n - i);
        const double share = (double)n / (double)h->n;
        s = gmi_core_prog(m, kind, 0, n, &p);
        if (!s) s = feed(h, p, i, n);
        if (s) return s;
        gmi_prog_set(p, "gamma", h->gamma);
        if (kind != GMI_GAN_G) s = fakes(h, i, n, p);
        if (!s) s = gmi_prog_run_part(p, kind == GMI_GAN_G && h->begun ? 2 : 0, m->seed, m->fit.step, i);
        if (!s) add(h, kind, p, share);
        if (!s && split) gmi_core_grad_add(m, (gmi_real)share, i == 0);
        if (!s && !split && h->b && kind != GMI_GAN_G) h->fed = p;
    }
    if (!s && split) gmi_core_grad_take(m, 1);
    return s;
}

static gm_status apply(half_step *h, int32_t which, double value, const char *name, double *norm)
{
    gmi_core *m = &h->a->m;
    gm_status s = GM_OK;
    if (gmi_f64_finite(value)) {
        s = gmi_optimizer_step(m->optimizer[which], norm);
    } else {
        gmi_params_discard(m->weights);
        s = gmi_fail(m->ctx, GM_E_NONFINITE, "step %i: %s is %g; this half of the step was dropped", m->fit.step, name, value);
    }
    h->dropped = s == GM_E_NONFINITE;
    return s;
}

/* The programs of one half. Both halves have theirs before D's changes anything: what fails for want of memory has done nothing and may be tried again. */
static gm_status programs(half_step *h, int32_t kind)
{
    gmi_prog *p;
    const int64_t rest = h->n % h->micro;
    gm_status s = h->n >= h->micro ? gmi_core_prog(&h->a->m, kind, 0, h->micro, &p) : GM_OK;
    return !s && rest ? gmi_core_prog(&h->a->m, kind, 0, rest, &p) : s;
}

static gm_status d_half(half_step *h, int penalised)
{
    gm_status s = gradients(h, penalised ? GMI_GAN_D_PENALTY : GMI_GAN_D);
    return s ? s : apply(h, 1, h->t.d_loss + h->t.penalty, "D's loss", &h->d_norm);
}

static gm_status g_half(half_step *h)
{
    gm_status s = gradients(h, GMI_GAN_G);
    if (!s) s = apply(h, 0, h->t.g_loss, "G's loss", &h->g_norm);
    if (!s) gmi_core_average_update(&h->a->m, h->n * h->a->o.d_steps);
    return s;
}

/* Both halves; the step is counted when it is whole, or a half was dropped: not when it could not be made at all (memory, a NaN in the data). */
static gm_status both_halves(half_step *h, gm_record *r)
{
    gm_gan *a = h->a;
    gmi_fit_state *f = &a->m.fit;
    const int penalised = a->plan.penalties && f->step % a->plan.every == 0, g_turn = (f->step + 1) % a->o.d_steps == 0;
    gm_status s = programs(h, penalised ? GMI_GAN_D_PENALTY : GMI_GAN_D);
    if (!s) s = programs(h, kind_of_fakes(a));
    if (!s && g_turn && a->plan.fresh) s = programs(h, GMI_GAN_G);
    if (!s) s = d_half(h, penalised);
    const int d_done = !s;
    if (!s && g_turn) s = g_half(h);
    if (h->begun) h->begun->pinned = 0;
    if (s && !h->dropped) return s;
    f->step++;
    if (!s) f->examples += h->n;
    r->kind = GM_RECORD_STEP;
    r->step = f->step;
    r->examples = f->examples;
    r->lr = gmi_optimizer_get(a->m.optimizer[0], "lr");
    r->d_loss = h->t.d_loss;
    r->d_real = h->t.d_real;
    r->d_fake = h->t.d_fake;
    r->d_grad_norm = h->d_norm;
    if (penalised) r->penalty = h->t.penalty;
    if (d_done && g_turn) {
        r->g_loss = h->t.g_loss;
        r->grad_norm = h->g_norm;
    }
    return s;
}

static gm_status host_step(gm_gan *a, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    half_step h;
    gmi_core *m = &a->m;
    memset(&h, 0, sizeof h);
    h.a = a;
    h.x = x;
    h.cond = cond;
    gm_status s = gmi_core_enter(m, 0);
    if (!s) s = gmi_core_check_x(m, x, "x", &h.n);
    if (!s && a->plan.cond != GMI_COND_NONE) s = gmi_core_check_cond(m, cond, h.n);
    if (!s) s = gmi_gan_ready(a);
    if (!s) s = set_schedules(a, 0, &h.gamma);
    h.micro = h.n;
    return s ? s : both_halves(&h, r);
}

gm_status gm_gan_step(gm_gan *g, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    gm_record full;
    if (!g) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_step");
    gm_record_init(&full, sizeof full);
    full.call = "gan_step";
    gm_status s = host_step(g, x, cond, &full);
    if (r && !s) gmi_options_init(r, r->size, &full, sizeof full);
    return gmi_leave(g->m.ctx, s);
}

gm_status gmi_gan_fit_step(void *self, const gmi_fit_batch *b, gm_record *r)
{
    half_step h;
    memset(&h, 0, sizeof h);
    h.a = self;
    h.b = b;
    h.n = b->n;
    h.micro = b->micro;
    gm_status s = gmi_gan_ready(self);
    if (!s) s = set_schedules(self, b->epoch, &h.gamma);
    if (!s) s = both_halves(&h, r);
    if (s == GM_E_NONFINITE && r->step > 0) r->event = GM_EVENT_NONFINITE;
    return s;
}
