/* SPDX-License-Identifier: MIT */
/* gan_eval.c: figures of a model on data, and the population statistics of the average.
 *
 * Batch norm at inference uses statistics of the population of z. Those that training gathers belong to the weights that moved while they were gathered; for the
 * averaged weights they are computed anew (as Izmailov et al. 2018 do for averaged weights): G passes POPULATION batches of the prior in training mode, and the mean over
 * batches of means and (unbiased) variances is kept. Labels run through the classes. The z are the same every time, so that the same weights give the same file. */
#include "models/gan.h"

#define POPULATION 16 /* batches of GMI_INFER_ROWS: 4,096 samples */

static gm_status population_batch(gm_gan *a, gmi_prog *p, int64_t t)
{
    int32_t *label = (int32_t *)(void *)gmi_prog_in(p, "cond");
    for (int64_t i = 0; label && i < p->key.rows; i++) label[i] = (int32_t)((t * p->key.rows + i) % a->m.spec.classes);
    gmi_prog_set(p, "keep", (double)t / (double)(t + 1));
    gm_status s = gmi_prog_run(p, a->m.seed, t, 0);
    if (!s) gmi_params_commit(a->m.average);
    return s;
}

gm_status gmi_gan_settle(gm_gan *a)
{
    gmi_prog *p = NULL;
    if (!a->plan.population || !a->m.average || a->population_step == a->m.fit.step) return GM_OK;
    gm_status s = gmi_core_prog(&a->m, GMI_GAN_POPULATION, 0, GMI_INFER_ROWS, &p);
    for (int64_t t = 0; !s && t < POPULATION; t++) s = population_batch(a, p, t);
    gmi_params_changed(a->m.average); /* what packed or folded the old statistics is out of date */
    a->population_step = s ? -1 : a->m.fit.step;
    return s;
}

typedef struct figures {
    double d_loss, g_loss, real, fake;
} figures;

/* An input of the next run is memory of another program, where the program reads it at all. */
static void borrow(gmi_prog *p, const char *name, const gmi_real *from)
{
    const int32_t at = gmi_prog_input(p, name);
    if (at >= 0) p->in[at] = from;
}

/* Fakes of `rows` numbers from `first` on, in the memory of the generator's program. */
static gm_status fakes(gm_gan *a, int32_t sample, int64_t first, int64_t rows, const void *cond, gmi_prog **out)
{
    gmi_prog *z = NULL;
    gm_status s = gmi_core_prog(&a->m, GMI_GAN_PRIOR, 0, rows, &z);
    if (s) return s;
    gmi_prog_set(z, "truncation", 1);
    s = gmi_prog_run(z, a->m.seed, (int64_t)sample + 1, first);
    z->pinned++;
    if (!s) s = gmi_core_prog(&a->m, GMI_GAN_GENERATE, 0, rows, out);
    z->pinned--;
    if (s) return s;
    borrow(*out, "z", z->out[0].p);
    void *to = gmi_prog_in(*out, "cond");
    if (to && cond) memcpy(to, cond, (size_t)(rows * gmi_core_cond_elems(&a->m)) * (a->m.spec.classes ? sizeof(int32_t) : sizeof(gmi_real)));
    return gmi_prog_run(*out, a->m.seed, 0, 0);
}

static gm_status one_chunk(gm_gan *a, gm_dataset *d, int64_t r0, int64_t left, int32_t sample, int64_t *rows, figures *f)
{
    gmi_core *m = &a->m;
    gmi_prog *p = NULL, *fake = NULL;
    int64_t at[GMI_INFER_ROWS];
    const int64_t size = gmi_core_chunk(m, GMI_GAN_EVALUATE, 0, left), n = GMI_MIN(size, left);
    gm_status s = gmi_core_prog(m, GMI_GAN_EVALUATE, 0, size, &p);
    if (s) return s;
    gmi_real *x = gmi_prog_in(p, "x"), *cond = gmi_prog_in(p, "cond");
    if (x) memset(x, 0, (size_t)(size * m->elems) * sizeof *x);
    if (cond) memset(cond, 0, (size_t)(size * gmi_core_cond_elems(m)) * sizeof *cond);
    for (int64_t i = 0; i < n; i++) at[i] = r0 + i;
    p->pinned++;
    if (x || cond) s = gmi_dataset_fetch(d, n, at, &m->scaler, x, cond);
    if (!s) s = fakes(a, sample, r0, size, cond, &fake);
    p->pinned--;
    if (s) return s;
    borrow(p, "fake", fake->out[0].p);
    s = gmi_prog_run(p, m->seed, 0, 0);
    for (int64_t i = 0; !s && i < n; i++) {
        f->d_loss += (double)p->out[0].p[i];
        f->g_loss += (double)p->out[1].p[i];
        f->real += (double)p->out[2].p[i];
        f->fake += (double)p->out[3].p[i];
    }
    *rows = n;
    return s;
}

gm_status gmi_gan_evaluate(gm_gan *a, gm_dataset *d, int32_t samples, gmi_tick_fn tick, void *user, gm_record *r)
{
    gm_context *c = a->m.ctx;
    const int64_t count = gmi_dataset_count(d);
    figures f;
    memset(&f, 0, sizeof f);
    if (count < 1) return gmi_fail(c, GM_E_RANGE, "the dataset is %s; evaluation needs a known number of rows", count < 0 ? "endless" : "empty");
    gm_status s = gmi_dataset_reserve(d, GMI_MIN(count, GMI_INFER_ROWS));
    if (!s) s = gmi_gan_settle(a);
    for (int32_t k = 0; !s && k < samples; k++)
        for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
            s = one_chunk(a, d, r0, count - r0, k, &n, &f);
            if (!s && tick) s = tick(user, k * count + r0 + n, samples * count);
            if (!s && gmi_cancelled(c)) s = gmi_fail(c, GM_E_CANCELLED, "cancelled after %i of %i rows", r0 + n, count);
        }
    if (s) return s;
    const double n = (double)count * samples;
    r->kind = GM_RECORD_VALIDATION;
    r->step = a->m.fit.step;
    r->examples = a->m.fit.examples;
    r->d_loss = f.d_loss / n;
    r->g_loss = f.g_loss / n;
    r->d_real = f.real / n;
    r->d_fake = f.fake / n;
    return GM_OK;
}

gm_status gm_gan_evaluate(gm_gan *g, gm_dataset *d, int32_t samples, gm_record *r)
{
    gm_record full;
    if (!g) return GM_E_INVALID;
    gm_context *c = g->m.ctx;
    gm_status s = GM_OK;
    gmi_enter(c, "gan_evaluate");
    gm_record_init(&full, sizeof full);
    full.call = "gan_evaluate";
    if (!d || !r) s = gmi_fail(c, GM_E_INVALID, "%s is NULL", d ? "the record" : "the dataset");
    if (!s && (samples < 1 || samples > 65536)) s = gmi_fail(c, GM_E_RANGE, "samples is %d; 1 to 65536", samples);
    if (!s) s = gmi_core_fits(&g->m, g->plan.cond != GMI_COND_NONE, d);
    if (!s) s = gmi_gan_evaluate(g, d, samples, NULL, NULL, &full);
    if (s == GM_E_CANCELLED && !g->m.busy) gmi_cancel_clear(c);
    if (!s) gmi_options_init(r, r->size, &full, sizeof full);
    return gmi_leave(c, s);
}
