/* SPDX-License-Identifier: MIT */
/* vae_fit.c: what the shared training loop (train/fit.c) asks of a VAE: checking and feeding data, initial biases, the table of functions. */
#include "models/vae.h"

gm_status gmi_vae_fits(const gm_vae *v, gm_dataset *d)
{
    gm_status s = gmi_core_fits(&v->m, v->plan.conditional, d);
    return !s && v->columns ? gmi_vae_columns_fit(v, gm_dataset_spec(d)) : s;
}

gm_status gmi_vae_feed_rows(gm_vae *v, gmi_prog *p, gm_dataset *d, const int64_t *index, int64_t n, int64_t first)
{
    const int bytes_in_range = v->m.spec.dtype == GM_U8 && (v->m.spec.scaling == GM_SCALE_UNIT || v->plan.levels) && v->m.spec.hi - v->m.spec.lo >= 255;
    gmi_real *x = gmi_prog_in(p, "x"), *cond = v->plan.conditional ? gmi_prog_in(p, "cond") : NULL;
    if (v->columns) return gmi_vae_columns_rows(v, d, index, n, first, x, cond);
    gm_status s = gmi_dataset_fetch(d, n, index, &v->m.scaler, x, cond);
    if (s) return s;
    if (v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL) return gmi_vae_indices(v, p, x, n, first);
    if (v->plan.lo > v->plan.hi || bytes_in_range) return GM_OK;
    s = gmi_core_check_values(&v->m, x, n, first, v->plan.lo, v->plan.hi);
    return !s && v->plan.levels && (v->m.spec.dtype == GM_F32 || v->m.spec.dtype == GM_F64) ? gmi_vae_whole(v, x, n, first) : s;
}

/* ---- output bias ---- */

/* The parameter that is added last: the head's bias, or that of the decoder's last layer, which is the one with the highest number. NULL: it has none. */
static const gmi_slot *output_bias(const gm_vae *v)
{
    const gm_params *w = v->m.weights;
    const gmi_slot *head = gmi_params_find(w, "output.bias", NULL);
    char name[48];
    int64_t last = -1;
    for (int32_t i = 0; i < w->n_params; i++) {
        const char *s = w->params[i].name;
        int64_t layer;
        size_t used;
        if (!strncmp(s, "decoder.", 8) && !gmi_parse_i64(s + 8, strlen(s + 8), &layer, &used)) last = GMI_MAX(last, layer);
    }
    gmi_format(name, sizeof name, "decoder.%i.bias", last);
    return head ? head : gmi_params_find(w, name, NULL);
}

/* Sums of what one element contributes to the parameters of p(x|z): its value, or a count of its class. */
static gm_status data_means(gm_vae *v, gm_dataset *d, double *sum, int64_t rows)
{
    const int64_t e = v->m.elems, k = v->plan.categories;
    gmi_real *x = gmi_alloc_n(v->m.ctx, e * GMI_INFER_ROWS, sizeof *x);
    int64_t at[GMI_INFER_ROWS];
    gm_status s = x ? gmi_dataset_reserve(d, GMI_INFER_ROWS) : gmi_nomem(v->m.ctx);
    for (int64_t r = 0; !s && r < rows; r += GMI_INFER_ROWS) {
        int64_t n = GMI_MIN(rows - r, GMI_INFER_ROWS);
        for (int64_t i = 0; i < n; i++) at[i] = r + i;
        s = gmi_dataset_fetch(d, n, at, &v->m.scaler, x, NULL);
        if (!s) s = gmi_core_check_values(&v->m, x, n, r, v->plan.lo, v->plan.hi);
        for (int64_t i = 0; !s && i < n * e; i++)
            if (k)
                sum[(i % e) * k + (int64_t)x[i]] += 1;
            else
                sum[i % e] += (double)x[i];
    }
    gmi_free(v->m.ctx, x);
    return s;
}

/* Natural parameter of a mean: logits within +-7 (0.1% to 99.9%), log frequencies with half a count added, or the mean. */
static double natural(const gm_vae *v, double sum, double rows)
{
    double mean = sum / rows, p = mean < 0.001 ? 0.001 : mean > 0.999 ? 0.999 : mean;
    if (v->plan.likelihood == GM_LIKELIHOOD_BERNOULLI) return gmi_num_log(p / (1 - p));
    if (v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL) return gmi_num_log((sum + 0.5) / (rows + 0.5 * (double)v->plan.categories));
    return v->plan.levels ? 2 * mean / (double)(v->plan.levels - 1) - 1 : mean;
}

/* sum[e * K + c] by element and class is laid out as the output is: the class beside the first dimension. A convolution's bias is one for a channel: its mean. */
static void spread(const gm_vae *v, const gmi_slot *b, const double *sum, double rows)
{
    const int64_t k = v->plan.categories ? v->plan.categories : 1, channels = v->m.spec.dims[0], inner = v->m.elems / channels;
    gmi_real *to = v->m.weights->value + b->offset;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t q = 0; q < k; q++) {
            double total = 0;
            for (int64_t i = 0; i < inner; i++) {
                double one = sum[(c * inner + i) * k + q];
                total += one;
                if (b->count >= v->m.elems * k) to[(c * k + q) * inner + i] = (gmi_real)natural(v, one, rows);
            }
            if (b->count < v->m.elems * k) to[c * k + q] = (gmi_real)natural(v, total, rows * (double)inner);
        }
}

gm_status gmi_vae_bias_init(gm_vae *v, gm_dataset *d)
{
    const gmi_slot *b = output_bias(v);
    const int64_t k = v->plan.categories ? v->plan.categories : 1, count = gmi_dataset_count(d), rows = count < 0 ? 4096 : count;
    if (v->columns && b && b->count == v->plan.outputs) {
        gm_status done = gmi_vae_columns_bias(v, d, rows, v->m.weights->value + b->offset);
        if (!done) gmi_params_changed(v->m.weights);
        if (!done) gmi_core_average_reset(&v->m);
        return done;
    }
    if (!b || v->columns || (b->count != v->m.elems * v->plan.per_element && b->count != v->m.spec.dims[0] * v->plan.per_element)) return GM_OK;
    double *sum = gmi_alloc_n(v->m.ctx, v->m.elems * k, sizeof *sum);
    gm_status s = sum ? data_means(v, d, sum, rows) : gmi_nomem(v->m.ctx);
    if (!s) spread(v, b, sum, (double)rows);
    if (!s) gmi_params_changed(v->m.weights);
    if (!s) gmi_core_average_reset(&v->m);
    gmi_free(v->m.ctx, sum);
    return s;
}

/* ---- the loop's table ---- */

static gm_status fit_begin(void *self, gm_dataset *d, const gm_fit_options *o)
{
    gm_vae *v = self;
    gm_status s = gmi_vae_fits(v, d);
    if (!s && o->validation) s = gmi_vae_fits(v, o->validation);
    if (!s) s = gmi_vae_optimizer_ready(v);
    if (!s && o->accumulate > 1) s = gmi_core_train_ready(&v->m, 1);
    if (!s) s = gmi_core_fit_scaling(&v->m, d);
    if (!s && v->o.bias_init && v->m.fit.step == 0) s = gmi_vae_bias_init(v, d);
    return s;
}

static gm_status fit_reserve(void *self, gm_dataset *d, int64_t n)
{
    gmi_prog *p;
    gm_vae *v = self;
    gm_status s = gmi_core_budget(&v->m, n, 0);
    if (!s) s = gmi_vae_prog(self, GMI_VAE_TRAIN, 0, n, &p);
    return s ? s : gmi_dataset_reserve(d, n);
}

static gm_status fit_evaluate(void *self, gm_dataset *d, gmi_tick_fn tick, void *user, gm_record *r, double *criterion)
{
    return gmi_vae_evaluate(self, d, 1, tick, user, r, criterion);
}

static gm_status fit_keep(void *self)
{
    gm_vae *v = self;
    return gmi_core_keep_best(&v->m);
}

static void fit_show_best(void *self, int final)
{
    gm_vae *v = self;
    gmi_core_show_best(&v->m, final);
}

static void fit_show_current(void *self)
{
    gm_vae *v = self;
    gmi_core_show_current(&v->m);
}

static gm_status fit_checkpoint(void *self, const char *path)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.path = path;
    return gmi_vae_write(self, &w, 1);
}

gm_status gm_vae_fit(gm_vae *v, gm_dataset *d, const gm_fit_options *o)
{
    gmi_family f;
    if (!v) return GM_E_INVALID;
    gm_context *c = v->m.ctx;
    gmi_enter(c, "vae_fit");
    gm_status s = gmi_core_enter(&v->m, 0);
    if (!s && !d) s = gmi_fail(c, GM_E_INVALID, "the dataset is NULL");
    if (s) return gmi_leave(c, s);
    memset(&f, 0, sizeof f);
    f.call = "vae_fit";
    f.self = v;
    f.state = &v->m.fit;
    f.busy = &v->m.busy;
    f.begin = fit_begin;
    f.reserve = fit_reserve;
    f.step = gmi_vae_fit_step;
    f.evaluate = fit_evaluate;
    f.keep_best = fit_keep;
    f.show_best = fit_show_best;
    f.show_current = fit_show_current;
    f.checkpoint = fit_checkpoint;
    gmi_context_retain(c);
    gmi_vae_retain(v); /* a callback may destroy the handle */
    s = gmi_fit(c, &f, d, o);
    gmi_vae_release(v);
    s = gmi_leave(c, s);
    gmi_context_release(c);
    return s;
}
