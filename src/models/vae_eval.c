/* SPDX-License-Identifier: MIT */
/* vae_eval.c: figures of a model on data: ELBO, active units, importance-sampled log-likelihood; and the output bias from the data.
 *
 * Sums over rows run in double and in the order of the rows, so that they depend on neither batch size nor threads. Units are active where the variance of
 * the posterior mean over the data exceeds 0.01 (Burda et al. 2016, section 5.1); it is a running centred sum (Welford 1962). The log-likelihood is
 * log 1/k sum_i w_i, w = p(x, z)/q(z|x) with z from q, by a running maximum; its standard error is the delta method's sd(w)/(sqrt(k) mean(w)). */
#include "models/vae.h"

#define DRAWS 128 /* importance samples of one program */
#define ACTIVE 0.01

typedef struct figures {
    double recon, bound; /* sums over rows and samples */
    int64_t rows;        /* of the first sample */
    double *kl, *mean, *square; /* [d] */
} figures;

static void add_rows(gm_vae *v, const gmi_prog *p, int64_t n, int first_sample, figures *f)
{
    const int64_t d = v->o.latent_dim;
    for (int64_t i = 0; i < n; i++) {
        f->recon += (double)p->out[0].p[i];
        if (v->plan.iwae) f->bound += (double)p->out[3].p[i];
        if (!first_sample) continue; /* the analytic KL is the same for every sample */
        double inverse = 1.0 / (double)++f->rows;
        for (int64_t j = 0; j < d; j++) {
            double x = (double)p->out[2].p[i * d + j], delta = x - f->mean[j];
            f->kl[j] += (double)p->out[1].p[i * d + j];
            f->mean[j] += delta * inverse;
            f->square[j] += delta * (x - f->mean[j]);
        }
    }
}

/* An IWAE bound decodes k rows an example: fewer examples at once. */
int64_t gmi_vae_evaluate_chunk(const gm_vae *v, int64_t left)
{
    const int64_t step = v->m.progs.ladder ? 4 : 2;
    int64_t size = 1;
    if (!v->plan.iwae) return gmi_core_chunk(&v->m, GMI_VAE_EVALUATE, 0, left);
    while (size * step * v->plan.iwae <= v->m.most && size * step <= left) size *= step;
    return size;
}

static gm_status one_chunk(gm_vae *v, gm_dataset *d, int64_t r0, int64_t left, int32_t sample, double beta, int64_t *rows, figures *f)
{
    gmi_prog *p = NULL;
    int64_t size = gmi_vae_evaluate_chunk(v, left), n = GMI_MIN(size, left), at[GMI_INFER_ROWS];
    gm_status s = gmi_vae_prog(v, GMI_VAE_EVALUATE, 0, size, &p);
    if (s) return s;
    gmi_real *x = gmi_prog_in(p, "x"), *cond = gmi_prog_in(p, "cond");
    memset(x, 0, (size_t)(size * v->plan.x_elems) * sizeof *x);
    if (cond) memset(cond, 0, (size_t)(size * gmi_core_cond_elems(&v->m)) * sizeof *cond);
    for (int64_t i = 0; i < n; i++) at[i] = r0 + i;
    s = gmi_vae_feed_rows(v, p, d, at, n, r0);
    gmi_prog_set(p, "beta", beta);
    if (!s) s = gmi_prog_run(p, v->m.seed, sample, r0);
    if (!s) add_rows(v, p, n, sample == 0, f);
    *rows = n;
    return s;
}

/* Where the schedule of beta ends: an early epoch must not look best because its KL was cheap. */
static double final_beta(const gm_vae *v) { return gm_schedule_value(v->beta, INT64_MAX / 4, 1e15); }

static void finish(gm_vae *v, const figures *f, int32_t samples, double beta, gm_record *r, double *criterion)
{
    const int64_t d = v->o.latent_dim;
    const double n = (double)f->rows;
    double kl = 0, clipped = 0, active = 0;
    for (int64_t j = 0; j < d; j++) {
        double k = f->kl[j] / n;
        kl += k;
        clipped += k > v->o.free_bits ? k : v->o.free_bits;
        active += f->square[j] / n > ACTIVE;
        v->kl_dim[j] = (float)k;
    }
    r->kind = GM_RECORD_VALIDATION;
    r->step = v->m.fit.step;
    r->examples = v->m.fit.examples;
    r->recon = f->recon / (n * samples);
    r->kl = kl;
    r->elbo = r->recon - kl;
    r->beta = beta;
    r->objective = v->plan.iwae ? -f->bound / (n * samples) : beta * clipped - r->recon;
    if (criterion) *criterion = v->plan.iwae ? r->objective : final_beta(v) * clipped - r->recon;
    r->active_units = active;
    r->n_kl = d;
    r->kl_per_dim = v->kl_dim;
}

gm_status gmi_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gmi_tick_fn tick, void *user, gm_record *r, double *criterion)
{
    gm_context *c = v->m.ctx;
    if (!GM_TRAINING) return gmi_no_training(c);
    const int64_t count = gmi_dataset_count(d), dim = v->o.latent_dim;
    const int nested = v->sums_taken;
    const double beta = gm_schedule_value(v->beta, v->m.fit.step, 0);
    figures f;
    memset(&f, 0, sizeof f);
    if (count < 1) return gmi_fail(c, GM_E_RANGE, "the dataset is %s; evaluation needs a known number of rows", count < 0 ? "endless" : "empty");
    f.kl = nested ? gmi_alloc_n(c, 3 * dim, sizeof(double)) : v->sums;
    if (!f.kl) return gmi_nomem(c);
    f.mean = f.kl + dim;
    f.square = f.kl + 2 * dim;
    memset(f.kl, 0, (size_t)(3 * dim) * sizeof(double));
    v->sums_taken = 1;
    gm_status s = gmi_dataset_reserve(d, GMI_MIN(count, GMI_INFER_ROWS));
    for (int32_t k = 0; !s && k < samples; k++)
        for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
            s = one_chunk(v, d, r0, count - r0, k, beta, &n, &f);
            if (!s && tick) s = tick(user, k * count + r0 + n, samples * count);
            if (!s && gmi_cancelled(c)) s = gmi_fail(c, GM_E_CANCELLED, "cancelled after %i of %i rows", r0 + n, count);
        }
    if (!s) finish(v, &f, samples, beta, r, criterion);
    v->sums_taken = nested;
    if (nested) gmi_free(c, f.kl);
    return s;
}

gm_status gm_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gm_record *r)
{
    gm_record full;
    if (!v) return GM_E_INVALID;
    gm_context *c = v->m.ctx;
    gm_status s = GM_OK;
    gmi_enter(c, "vae_evaluate");
    if (!GM_TRAINING) return gmi_leave(c, gmi_no_training(c));
    gm_record_init(&full, sizeof full);
    full.call = "vae_evaluate";
    if (!d || !r) s = gmi_fail(c, GM_E_INVALID, "%s is NULL", d ? "the record" : "the dataset");
    if (!s && (samples < 1 || samples > 65536)) s = gmi_fail(c, GM_E_RANGE, "samples is %d; 1 to 65536", samples);
    if (!s) s = gmi_vae_fits(v, d);
    if (!s) s = gmi_vae_evaluate(v, d, samples, NULL, NULL, &full, NULL);
    if (s == GM_E_CANCELLED && !v->m.busy) gmi_cancel_clear(c);
    if (!s) gmi_options_init(r, r->size, &full, sizeof full);
    return gmi_leave(c, s);
}

/* ---- importance-sampled log-likelihood ---- */

typedef struct weighing {
    gm_vae *v;
    const gmi_core_rows *from;
    uint64_t seed;
    int32_t k;
    gmi_real m[GMI_INFER_ROWS], s[GMI_INFER_ROWS], q[GMI_INFER_ROWS]; /* of the rows of a chunk */
} weighing;

/* One program of `draws` samples into the running sums. */
static gm_status weigh_draws(weighing *w, const gmi_prog *e, int32_t done, int32_t draws, int64_t r0, int64_t size, int64_t n)
{
    gm_vae *v = w->v;
    gmi_prog *p = NULL;
    gm_status s = gmi_vae_prog(v, GMI_VAE_WEIGHTS, draws, size, &p);
    if (!s) s = gmi_vae_feed(v, p, w->from, r0, n);
    if (s) return s;
    p->in[gmi_prog_input(p, "mean")] = e->out[0].p;
    p->in[gmi_prog_input(p, "logvar")] = e->out[1].p;
    memcpy(gmi_prog_in(p, "max"), w->m, (size_t)size * sizeof *w->m);
    memcpy(gmi_prog_in(p, "sum"), w->s, (size_t)size * sizeof *w->s);
    memcpy(gmi_prog_in(p, "squares"), w->q, (size_t)size * sizeof *w->q);
    s = gmi_prog_run(p, w->seed, done / DRAWS, r0);
    if (s) return s;
    memcpy(w->m, p->out[0].p, (size_t)size * sizeof *w->m);
    memcpy(w->s, p->out[1].p, (size_t)size * sizeof *w->s);
    memcpy(w->q, p->out[2].p, (size_t)size * sizeof *w->q);
    return gmi_cancelled(v->m.ctx) ? gmi_fail(v->m.ctx, GM_E_CANCELLED, "cancelled at row %i", r0) : GM_OK;
}

/* All samples of rows [r0, r0 + n); size rows a program. */
static gm_status weigh(weighing *w, int64_t r0, int64_t size, int64_t n)
{
    gm_vae *v = w->v;
    gmi_prog *e = NULL;
    gm_status s = gmi_vae_prog(v, GMI_VAE_ENCODE, 0, size, &e);
    if (!s) s = gmi_vae_feed(v, e, w->from, r0, n);
    if (s) return s;
    s = gmi_prog_run(e, v->m.seed, 0, 0);
    for (int64_t i = 0; i < size; i++) {
        w->m[i] = (gmi_real)-1e30; /* exp(it - anything) is 0 */
        w->s[i] = w->q[i] = 0;
    }
    e->pinned++;
    for (int32_t done = 0, draws; !s && done < w->k; done += draws) {
        draws = GMI_MIN(w->k - done, DRAWS);
        s = weigh_draws(w, e, done, draws, r0, size, n);
    }
    e->pinned--;
    return s;
}

static void store(const weighing *w, int64_t n, double *nats, double *se)
{
    const double k = w->k;
    for (int64_t i = 0; i < n; i++) {
        double s = (double)w->s[i], q = (double)w->q[i];
        double variance = k > 1 ? (q / k - s / k * (s / k)) * k / (k - 1) : 0;
        nats[i] = (double)w->m[i] + gmi_num_log(s / k);
        if (se) se[i] = variance > 0 ? gmi_num_sqrt(variance / k) / (s / k) : 0;
    }
}

gm_status gmi_vae_row_log(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, int32_t k, uint64_t seed, double *nats, double *se)
{
    weighing w;
    gm_status s = GM_OK;
    const int64_t most = GMI_MAX(v->m.most / GMI_MIN(k, DRAWS), 1), step = v->m.progs.ladder ? 4 : 2;
    w.v = v;
    w.from = from;
    w.k = k;
    w.seed = seed;
    for (int64_t at = 0, rows = 0; !s && at < n; at += rows) {
        int64_t size = 1;
        while (size < n - at && size * step < 2 * most) size *= step;
        rows = GMI_MIN(size, n - at);
        s = weigh(&w, r0 + at, size, rows);
        if (!s) store(&w, rows, nats + at, se ? se + at : NULL);
    }
    return s;
}

static gm_status log_likelihood(gm_vae *v, const gmi_core_rows *from, int32_t k, uint64_t seed, gm_tensor *nats, gm_tensor *se)
{
    gmi_core *m = &v->m;
    int64_t n = 0;
    double value[GMI_INFER_ROWS], error[GMI_INFER_ROWS];
    gm_status s = gmi_core_check_x(m, from->x, "x", &n);
    if (!s) s = gmi_vae_check_cond(v, from->cond, n);
    if (!s) s = gmi_core_check_rows(m, nats, "nats", n, 0, 1);
    if (!s && se) s = gmi_core_check_rows(m, se, "se", n, 0, 1);
    if (!s && (k < 1 || k > 1000000)) s = gmi_fail(m->ctx, GM_E_RANGE, "k is %d; 1 to 1000000 samples", k);
    for (int64_t r0 = 0, rows = 0; !s && r0 < n; r0 += rows) {
        rows = GMI_MIN(GMI_INFER_ROWS, n - r0);
        s = gmi_vae_row_log(v, from, r0, rows, k, seed, value, error);
        for (int64_t i = 0; !s && i < rows; i++) {
            gmi_real a = (gmi_real)value[i], b = (gmi_real)error[i];
            gmi_tensor_from_real(nats, r0 + i, r0 + i + 1, 1, 0, &a);
            if (se) gmi_tensor_from_real(se, r0 + i, r0 + i + 1, 1, 0, &b);
        }
    }
    return s;
}

gm_status gm_vae_log_likelihood(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, int32_t k, uint64_t seed, gm_tensor *nats, gm_tensor *se)
{
    gmi_core_rows from;
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_log_likelihood");
    memset(&from, 0, sizeof from);
    from.x = x;
    from.cond = cond;
    gm_status s = log_likelihood(v, &from, k, seed, nats, se);
    if (s == GM_E_CANCELLED && !v->m.busy) gmi_cancel_clear(v->m.ctx);
    return gmi_leave(v->m.ctx, s);
}
