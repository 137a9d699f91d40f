/* SPDX-License-Identifier: MIT */
/* vae_objective.c: the likelihoods p(x|z): their parameters from the decoder's output, log density, mean and draws.
 *
 *   bernoulli    logits l;  log p = x l - softplus(l)                                 mean sigmoid(l)
 *   gaussian     mean m, log variance s;  log p = -((x - m)^2 exp(-s) + s + log 2 pi)/2   mean m
 *   categorical  logits of K classes an element;  log p = l_x - logsumexp(l)           "mean": the most probable class
 *   logistic     mean m on [-1, 1], log scale s: bins of a logistic variable (nn/logistic.c)   mean the expected value, rounded to an integer when shown
 *   columns      one of these for each column of a table (vae_columns.c)
 *
 * The variance of a Gaussian is fixed, one learned number, one for each element of x, or an output of the decoder. Learned log variances have a soft
 * floor of -12 (s = floor + softplus(raw - floor)), because a column that the decoder reproduces exactly would drive the density to infinity.
 * Those of a logistic scale are kept within bounds that follow from the number of bins.
 * Draws: u < p; m + exp(s/2) e; argmax of logits + Gumbel noise (Maddison et al. 2014); m + s logit(u), rounded to a bin. Not here: beta-binomial. */
#include "models/vae.h"

#define LOGVAR_FLOOR (-12.0)

static gm_status variance_option(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    gmi_vae_plan *p = &v->plan;
    gmi_phrase ph;
    size_t at = 0;
    int got = gmi_text_next(c, v->o.variance, &at, &ph);
    if (got < 0) return GM_E_INVALID;
    if (!got) return gmi_fail(c, GM_E_INVALID, "gm_vae_options.variance is empty; give fixed, scalar, dimension or output");
    double value = gmi_phrase_number(&ph, NULL, 0, 1.0);
    if (gmi_word_is(&ph.word, "fixed")) {
        if (!(value > 0) || !gmi_f64_finite(value)) return gmi_fail(c, GM_E_INVALID, "variance \"fixed %g\": it must be positive", value);
        p->variance = GMI_VAR_FIXED;
        p->fixed_logvar = gmi_num_log(value);
        return GM_OK;
    }
    p->variance = gmi_word_is(&ph.word, "scalar") ? GMI_VAR_SCALAR : gmi_word_is(&ph.word, "dimension") ? GMI_VAR_DIMENSION : GMI_VAR_OUTPUT;
    if (p->variance == GMI_VAR_OUTPUT && !gmi_word_is(&ph.word, "output"))
        return gmi_fail_at(c, GM_E_INVALID, ph.word.column, "variance %S: give \"fixed 1\", scalar, dimension or output", v->o.variance);
    return ph.n ? gmi_fail_at(c, GM_E_INVALID, ph.word.column, "variance %S: only fixed takes a number", v->o.variance) : GM_OK;
}

static gm_status objective_option(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    gmi_phrase ph;
    size_t at = 0;
    int got = gmi_text_next(c, v->o.objective, &at, &ph);
    if (got < 0) return GM_E_INVALID;
    v->plan.iwae = 0;
    if (got && gmi_word_is(&ph.word, "elbo") && !ph.n) return GM_OK;
    if (!got || !gmi_word_is(&ph.word, "iwae"))
        return gmi_fail(c, GM_E_INVALID, "objective %S: give elbo, or iwae with its number of samples (\"iwae 5\")", v->o.objective);
    double k = gmi_phrase_number(&ph, "samples", 0, 5.0);
    if (!(k >= 1 && k <= 4096) || k != gmi_num_floor(k)) return gmi_fail(c, GM_E_RANGE, "objective \"iwae %g\": 1 to 4096 samples", k);
    if (v->o.free_bits > 0) return gmi_fail(c, GM_E_INVALID, "free_bits %g: iwae has no analytic KL to keep free; set it to 0", v->o.free_bits);
    v->plan.iwae = (int32_t)k;
    return GM_OK;
}

/* Integers from lo to hi become 0, 1, ...; `what` they are in messages. */
static gm_status integer_plan(gm_vae *v, const char *what, int64_t *count)
{
    gm_spec *x = &v->m.spec;
    if (x->dtype == GM_U8 && !(x->lo < x->hi)) {
        x->lo = 0;
        x->hi = 255;
    }
    double k = x->hi - x->lo + 1;
    if (!(k >= 2 && k <= 65536) || k != gmi_num_floor(k) || x->lo != gmi_num_floor(x->lo))
        return gmi_fail(v->m.ctx, GM_E_INVALID, "likelihood %s: gm_spec.lo %g and hi %g must be the first and the last %s, 2 to 65536 of them",
                        gm_likelihood_name(v->plan.likelihood), x->lo, x->hi, what);
    *count = (int64_t)k;
    v->plan.lo = 0;
    v->plan.hi = k - 1;
    x->scaling = GM_SCALE_NONE;
    return gmi_core_offset(&v->m, x->lo);
}

static gm_status categorical_plan(gm_vae *v)
{
    gm_status s = integer_plan(v, "class", &v->plan.categories);
    v->plan.per_element = v->plan.categories;
    return s;
}

static gm_status likelihood_plan(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    gmi_vae_plan *p = &v->plan;
    p->likelihood = v->o.likelihood;
    p->per_element = 1;
    p->lo = 1;
    p->hi = 0;
    if (p->likelihood == GM_LIKELIHOOD_AUTO && v->m.spec.columns) p->likelihood = GM_LIKELIHOOD_COLUMNS;
    if (p->likelihood == GM_LIKELIHOOD_AUTO)
        p->likelihood = v->m.spec.scaling == GM_SCALE_UNIT ? GM_LIKELIHOOD_BERNOULLI : GM_LIKELIHOOD_GAUSSIAN;
    gm_status s = objective_option(v);
    if (s) return s;
    if (v->m.spec.columns && p->likelihood != GM_LIKELIHOOD_COLUMNS)
        return gmi_fail(c, GM_E_INVALID, "likelihood %s with gm_spec.columns: take auto or columns, or leave gm_spec.columns NULL",
                        gm_likelihood_name(p->likelihood));
    switch (p->likelihood) {
    case GM_LIKELIHOOD_BERNOULLI:
        if (v->m.spec.scaling != GM_SCALE_UNIT && v->m.spec.scaling != GM_SCALE_NONE)
            return gmi_fail(c, GM_E_INVALID, "likelihood bernoulli wants data in 0..1, gm_spec.scaling is %s: set it to unit",
                            gm_scaling_name(v->m.spec.scaling));
        p->lo = -1e-5; /* the last bits of scaling */
        p->hi = 1 + 1e-5;
        return GM_OK;
    case GM_LIKELIHOOD_GAUSSIAN:
        s = variance_option(v);
        if (p->variance == GMI_VAR_OUTPUT) p->per_element = 2;
        return s;
    case GM_LIKELIHOOD_LOGISTIC:
        s = variance_option(v);
        if (p->variance == GMI_VAR_OUTPUT) p->per_element = 2;
        return s ? s : integer_plan(v, "value", &p->levels);
    case GM_LIKELIHOOD_CATEGORICAL: return categorical_plan(v);
    case GM_LIKELIHOOD_COLUMNS: return variance_option(v);
    default:
        return gmi_fail(c, GM_E_UNSUPPORTED, "likelihood %s: this version has bernoulli, gaussian, logistic, categorical and columns",
                        gm_likelihood_name(p->likelihood));
    }
}

gm_status gmi_vae_plan_make(gm_vae *v)
{
    gm_status s = likelihood_plan(v);
    v->plan.outputs = v->m.elems * v->plan.per_element;
    v->plan.x_elems = v->m.elems;
    return s || v->plan.likelihood != GM_LIKELIHOOD_COLUMNS ? s : gmi_vae_columns_plan(v);
}

/* [n, dims...] */
static int32_t sample_dims(const gm_vae *v, int64_t n, int64_t *dims)
{
    dims[0] = n;
    for (int32_t i = 0; i < v->m.spec.rank; i++) dims[i + 1] = v->m.spec.dims[i];
    return v->m.spec.rank + 1;
}

/* Classes stand beside the first dimension in the decoder's output ([n, c * K, h, w]) and last in the logits ([n, c, h, w, K]). */
static gm_node class_logits(const gm_vae *v, gm_graph *g, gm_node h, int64_t n)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t order[GMI_MAX_RANK], rank = v->m.spec.rank;
    dims[0] = n;
    dims[1] = v->m.spec.dims[0];
    dims[2] = v->plan.categories;
    for (int32_t i = 1; i < rank; i++) dims[i + 2] = v->m.spec.dims[i];
    h = gm_op_reshape(g, h, rank + 2, dims);
    if (rank == 1) return h;
    order[0] = 0;
    order[1] = 1;
    for (int32_t i = 1; i < rank; i++) order[i + 1] = i + 2;
    order[rank + 1] = 2;
    return gm_op_permute(g, h, order);
}

gm_node gmi_vae_soft_floor(gm_graph *g, gm_node raw) { return gm_op_shift(g, gm_op_softplus(g, gm_op_shift(g, raw, -LOGVAR_FLOOR)), LOGVAR_FLOOR); }

/* A log variance, or a logistic's log scale, from what is learned. */
static gm_node bounded(const gm_vae *v, gm_graph *g, gm_node raw)
{
    return v->plan.levels ? gmi_logistic_log_scale(g, raw, v->plan.levels) : gmi_vae_soft_floor(g, raw);
}

/* The learned or fixed log variance or log scale, broadcastable to x. */
static gm_node log_variance(const gm_vae *v, gm_graph *g)
{
    const char *name = v->plan.levels ? "logscale" : "logvar";
    if (v->plan.variance == GMI_VAR_FIXED) return gm_op_scalar(g, v->plan.fixed_logvar);
    size_t old = gmi_graph_scope(g, "output");
    gm_node raw = v->plan.variance == GMI_VAR_SCALAR ? gm_graph_param(g, name, "zeros", 0, NULL)
                                                     : gm_graph_param(g, name, "zeros", v->m.spec.rank, v->m.spec.dims);
    gmi_graph_leave_scope(g, old);
    return bounded(v, g, raw);
}

gmi_px gmi_vae_px(const gm_vae *v, gm_graph *g, gm_node h, int64_t n)
{
    gmi_px p = {{0}, {0}};
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = sample_dims(v, n, dims);
    if (v->columns) return gmi_vae_columns_px(v, g, h, n);
    if (v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL) {
        p.a = class_logits(v, g, h, n);
    } else if (v->plan.likelihood == GM_LIKELIHOOD_BERNOULLI) {
        p.a = gm_op_reshape(g, h, rank, dims);
    } else if (v->plan.variance != GMI_VAR_OUTPUT) {
        p.a = gm_op_reshape(g, h, rank, dims);
        p.b = log_variance(v, g);
    } else {
        dims[1] *= 2; /* means, then log variances, along the first dimension of a sample */
        h = gm_op_reshape(g, h, rank, dims);
        p.a = gm_op_slice(g, h, 1, 0, dims[1] / 2);
        p.b = bounded(v, g, gm_op_slice(g, h, 1, dims[1] / 2, dims[1]));
    }
    return p;
}

/* Integers 0 to levels - 1 as bins on [-1, 1], and back. */
gm_node gmi_vae_to_bins(const gm_vae *v, gm_graph *g, gm_node x) { return gm_op_shift(g, gm_op_scale(g, x, 2.0 / (double)(v->plan.levels - 1)), -1); }
static gm_node from_bins(const gm_vae *v, gm_graph *g, gm_node x) { return gm_op_scale(g, gm_op_shift(g, x, 1), 0.5 * (double)(v->plan.levels - 1)); }

/* The nearest integer from 0 to levels - 1. */
static gm_node to_level(const gm_vae *v, gm_graph *g, gm_node x)
{
    gm_node most = gm_op_scalar(g, (double)(v->plan.levels - 1));
    return gm_op_min(g, gm_op_max(g, gm_op_floor(g, gm_op_shift(g, x, 0.5)), gm_op_scalar(g, 0)), most);
}

static gm_node logistic_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x)
{
    gm_node a = gmi_logistic_log(g, p.a, p.b, gmi_vae_to_bins(v, g, x), v->plan.levels);
    return gm_op_sum(g, a, ((1u << gm_graph_rank(g, x)) - 1u) & ~1u, 0);
}

gm_node gmi_vae_px_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x)
{
    if (v->columns) return gmi_vae_columns_log(v, g, p, x);
    if (v->plan.levels) return logistic_log(v, g, p, x);
    if (v->plan.likelihood == GM_LIKELIHOOD_BERNOULLI) return gmi_loss_bernoulli(g, p.a, x);
    if (v->plan.likelihood == GM_LIKELIHOOD_GAUSSIAN) return gmi_loss_gaussian(g, p.a, p.b, x);
    int64_t n = gm_graph_dim(g, x, 0), wide[3];
    wide[0] = n;
    wide[1] = v->m.elems;
    wide[2] = v->plan.categories;
    return gmi_loss_categorical(g, gm_op_reshape(g, p.a, 3, wide), gm_op_reshape(g, x, 2, wide));
}

gm_node gmi_vae_px_shown(const gm_vae *v, gm_graph *g, gm_node mean) { return v->plan.levels ? to_level(v, g, mean) : mean; }

gm_node gmi_vae_px_mean(const gm_vae *v, gm_graph *g, gmi_px p)
{
    if (v->columns) return gmi_vae_columns_value(v, g, p, NULL);
    if (v->plan.levels) return from_bins(v, g, gmi_logistic_mean(g, p.a, p.b));
    if (v->plan.likelihood == GM_LIKELIHOOD_BERNOULLI) return gm_op_sigmoid(g, p.a);
    if (v->plan.likelihood == GM_LIKELIHOOD_GAUSSIAN) return p.a;
    return gm_op_to_real(g, gm_op_argmax(g, p.a, -1));
}

static gm_node noise(gm_graph *g, gm_node like, const char *key, int normal)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gm_graph_rank(g, like);
    for (int32_t i = 0; i < rank; i++) dims[i] = gm_graph_dim(g, like, i);
    return normal ? gm_op_random_normal(g, key, rank, dims, 1) : gm_op_random_uniform(g, key, rank, dims, 1);
}

gm_node gmi_vae_px_draw(const gm_vae *v, gm_graph *g, gmi_px p, const char *key)
{
    if (v->columns) return gmi_vae_columns_value(v, g, p, key);
    if (v->plan.levels) return to_level(v, g, from_bins(v, g, gmi_logistic_draw(g, p.a, p.b, noise(g, p.a, key, 0))));
    if (v->plan.likelihood == GM_LIKELIHOOD_BERNOULLI) return gm_op_lt(g, noise(g, p.a, key, 0), gm_op_sigmoid(g, p.a));
    if (v->plan.likelihood == GM_LIKELIHOOD_GAUSSIAN)
        return gm_op_add(g, p.a, gm_op_mul(g, noise(g, p.a, key, 1), gm_op_exp(g, gm_op_scale(g, p.b, 0.5))));
    /* uniforms are inside (0, 1), so both logarithms are finite */
    gm_node gumbel = gm_op_neg(g, gm_op_log(g, gm_op_neg(g, gm_op_log(g, noise(g, p.a, key, 0)))));
    return gm_op_to_real(g, gm_op_argmax(g, gm_op_add(g, p.a, gumbel), -1));
}
