/* SPDX-License-Identifier: MIT */
/* vae_graph.c: the networks of a VAE and its programs as graphs.
 *
 *   x, cond -> encoder -> dense heads "mean" and "logvar" -> q(z|x) = N(mean, exp logvar)
 *   z, cond -> decoder -> dense head "output", unless the decoder's last layer is linear and has the size p(x|z) needs -> p(x|z)
 *
 * elbo (Kingma and Welling 2014, eq. 3 with analytic KL), per example, in nats summed over dimensions:
 *   elbo      = E log p(x|z) - sum_j KL_j
 *   objective = -E log p(x|z) + beta sum_j max(lambda, KL_j),  KL_j the mean over the batch (free bits: Kingma et al. 2016)
 * iwae (Burda et al. 2016, eq. 8): objective = -(logsumexp_k log w - log k), log w = log p(x|z) + beta (log p(z) - log q(z|x)), z sampled.
 * Noise is keyed by the step and the row of the example alone; k samples of an example are rows k i .. k i + k - 1. */
#include "models/vae.h"

typedef struct net {
    gm_node x;            /* [n, dims], as the likelihood takes it (categorical: i32) */
    gm_node features;     /* what the encoder reads */
    gm_node cond;         /* [n, c], id 0 when not conditional */
    gm_node mean, logvar; /* [n, d] */
} net;

static int32_t sample_dims(const gm_vae *v, int64_t n, int64_t *dims)
{
    dims[0] = n;
    for (int32_t i = 0; i < v->m.spec.rank; i++) dims[i + 1] = v->m.spec.dims[i];
    return v->m.spec.rank + 1;
}

static gm_node input_cond(const gm_vae *v, gm_graph *g, int64_t n)
{
    gm_node none = {0};
    int64_t dims[2];
    if (!v->plan.conditional) return none;
    dims[0] = n;
    dims[1] = v->m.spec.cond_dim;
    if (!v->m.spec.classes) return gm_graph_input(g, "cond", GM_F32, 2, dims);
    return gm_op_one_hot(g, gm_graph_input(g, "cond", GM_I32, 1, dims), v->m.spec.classes);
}

/* Class indices as features: one-hot, the classes beside the first dimension: [n, c, h, w] to [n, c K, h, w]. */
static gm_node class_features(const gm_vae *v, gm_graph *g, gm_node x)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t order[GMI_MAX_RANK], rank = v->m.spec.rank;
    x = gm_op_one_hot(g, x, v->plan.categories);
    order[0] = 0;
    order[1] = 1;
    order[2] = rank + 1;
    for (int32_t i = 1; i < rank; i++) order[i + 2] = i + 1;
    if (rank > 1) x = gm_op_permute(g, x, order);
    sample_dims(v, -1, dims);
    dims[1] *= v->plan.categories;
    return gm_op_reshape(g, x, rank + 1, dims);
}

static void input_x(const gm_vae *v, gm_graph *g, int64_t n, net *e)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = v->columns ? 1 : sample_dims(v, n, dims);
    int classes = v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL;
    if (v->columns) {
        dims[0] = n;
        dims[rank++] = v->plan.x_elems;
    }
    e->x = gm_graph_input(g, "x", classes ? GM_I32 : GM_F32, rank, dims);
    e->features = classes ? class_features(v, g, e->x) : v->plan.levels ? gmi_vae_to_bins(v, g, e->x) : e->x;
}

static gm_node head(gm_graph *g, const char *name, gm_node h, int64_t units)
{
    size_t old = gmi_graph_scope(g, name);
    h = gmi_nn_dense(g, h, units, 1, NULL);
    gmi_graph_leave_scope(g, old);
    return h;
}

static void encode(const gm_vae *v, gm_graph *g, net *e)
{
    gm_node h = v->plan.conditional ? gmi_nn_concat_cond(g, e->features, e->cond) : e->features;
    size_t old = gmi_graph_scope(g, "encoder");
    h = gm_layer_build(v->encoder, g, h, e->cond);
    gmi_graph_leave_scope(g, old);
    e->mean = head(g, "mean", h, v->o.latent_dim);
    e->logvar = head(g, "logvar", h, v->o.latent_dim);
}

static int64_t row_elems(const gm_graph *g, gm_node a)
{
    int64_t n = 1;
    for (int32_t i = 1; i < gm_graph_rank(g, a); i++) n *= gm_graph_dim(g, a, i);
    return n;
}

static gmi_px decode(const gm_vae *v, gm_graph *g, gm_node z, gm_node cond, int64_t rows)
{
    const int64_t need = v->plan.outputs;
    gm_node h = v->plan.conditional ? gmi_nn_concat_cond(g, z, cond) : z;
    size_t old = gmi_graph_scope(g, "decoder");
    h = gm_layer_build(v->decoder, g, h, cond);
    gmi_graph_leave_scope(g, old);
    if (!gmi_layer_ends_linear(v->decoder) || row_elems(g, h) != need) h = head(g, "output", h, need);
    return gmi_vae_px(v, g, h, rows);
}

/* z = mean + exp(logvar / 2) e for k samples of each example: [n k, d]; the noise in *e. */
static gm_node sample_z(gm_graph *g, const char *key, gm_node mean, gm_node logvar, int64_t n, int64_t d, int64_t k, gm_node *e)
{
    int64_t flat[2], wide[3];
    flat[0] = n * k;
    flat[1] = d;
    wide[0] = n;
    wide[1] = k;
    wide[2] = d;
    *e = gm_op_random_normal(g, key, 2, flat, k);
    gm_node sd = gm_op_exp(g, gm_op_scale(g, logvar, 0.5));
    if (k == 1) return gm_op_add(g, mean, gm_op_mul(g, *e, sd));
    int64_t one[3];
    one[0] = n;
    one[1] = 1;
    one[2] = d;
    gm_node ew = gm_op_reshape(g, *e, 3, wide);
    gm_node z = gm_op_add(g, gm_op_reshape(g, mean, 3, one), gm_op_mul(g, ew, gm_op_reshape(g, sd, 3, one)));
    return gm_op_reshape(g, z, 2, flat);
}

/* Each row k times in a row: [n, ...] to [n k, ...]. */
static gm_node repeat(gm_graph *g, gm_node a, int64_t k)
{
    int64_t dims[GMI_MAX_RANK + 1], flat[GMI_MAX_RANK];
    int32_t rank = gm_graph_rank(g, a);
    if (!a.id || k == 1) return a;
    dims[0] = gm_graph_dim(g, a, 0);
    dims[1] = 1;
    for (int32_t i = 1; i < rank; i++) dims[i + 1] = flat[i] = gm_graph_dim(g, a, i);
    flat[0] = dims[0] * k;
    a = gm_op_reshape(g, a, rank + 1, dims);
    dims[1] = k;
    return gm_op_reshape(g, gm_op_broadcast(g, a, rank + 1, dims), rank, flat);
}

/* log p(z) - log q(z|x) of samples, [n, k]: -z^2/2 + e^2/2 + logvar/2, the constants cancel. */
static gm_node prior_ratio(gm_graph *g, gm_node z, gm_node e, gm_node logvar, int64_t n, int64_t k)
{
    int64_t dims[2], d = gm_graph_dim(g, logvar, 1);
    dims[0] = n * k;
    dims[1] = d;
    gm_node t = gm_op_scale(g, gm_op_sub(g, gm_op_square(g, e), gm_op_square(g, z)), 0.5);
    t = gm_op_sum(g, gm_op_reshape(g, t, 2, dims), 2, 0);
    dims[0] = n;
    dims[1] = k;
    gm_node half = gm_op_scale(g, gm_op_sum(g, logvar, 2, 1), 0.5); /* [n, 1] */
    return gm_op_add(g, gm_op_reshape(g, t, 2, dims), half);
}

/* A host's own loss term: a node [] or [rows], in nats, added to the objective. */
static gm_node extra_loss(const gm_vae *v, gm_graph *g, gm_node objective, gm_node x, gm_node z, gmi_px p)
{
    gm_node mean = gmi_vae_px_mean(v, g, p);
    x = gm_op_to_real(g, x);
    if (v->columns) {
        x = gmi_vae_columns_in_order(v, g, x);
        mean = gmi_vae_columns_in_order(v, g, mean);
    }
    gmi_callback_state st = gmi_callback_begin(v->m.ctx);
    gm_node e = v->o.extra_loss(v->o.extra_user, g, x, z, mean);
    gmi_callback_end(v->m.ctx, st);
    if (!e.id && !g->failed) return gmi_graph_fail(g, GM_E_CALLBACK, "extra_loss returned no node");
    if (gm_graph_rank(g, e) == 1) e = gm_op_mean(g, e, 1, 0);
    if (gm_graph_rank(g, e) != 0 && !g->failed)
        return gmi_graph_fail(g, GM_E_SHAPE, "extra_loss returned a node of rank %d; give a number, or one a row", gm_graph_rank(g, e));
    return gm_op_add(g, objective, e);
}

/* sum_j max(lambda, KL_j) */
static gm_node clipped_kl(const gm_vae *v, gm_graph *g, gm_node kl_dim, gm_node kl)
{
    if (!(v->o.free_bits > 0)) return kl;
    return gm_op_sum(g, gm_op_max(g, gm_op_scalar(g, v->o.free_bits), kl_dim), 1, 0);
}

static gm_node iwae_bound(gm_graph *g, gm_node log_w, int64_t k) /* [n, k] to [n] */
{
    return gm_op_shift(g, gm_op_logsumexp(g, log_w, 2, 0), -gmi_num_log((double)k));
}

/* A sample whose weight is below e^-32 = 2^-46 of its example's largest moves neither the bound nor, beyond the last bit, its gradient: none is passed to it.
 * Gradients times such weights would be subnormal numbers, on which many CPUs are a hundred times slower; products with 0 are not. */
#define NO_WEIGHT -32.0
static gm_node with_weight(gm_graph *g, gm_node log_w)
{
    return gm_op_max(g, log_w, gm_op_shift(g, gm_op_stop_gradient(g, gm_op_reduce_max(g, log_w, 2, 1)), NO_WEIGHT));
}

/* A build without training makes this graph too, for the layout of the weights alone. */
static void build_train(const gm_vae *v, gm_graph *g, int64_t n, gm_node *out)
{
    const int64_t k = v->plan.iwae ? v->plan.iwae : 1, d = v->o.latent_dim;
    net e;
    gm_node noise, beta = gmi_graph_scalar_input(g, "beta");
    memset(&e, 0, sizeof e);
    input_x(v, g, n, &e);
    e.cond = input_cond(v, g, n);
    encode(v, g, &e);
    gm_node z = sample_z(g, "posterior.z", e.mean, e.logvar, n, d, k, &noise);
    gmi_px p = decode(v, g, z, repeat(g, e.cond, k), n * k);
    gm_node x = repeat(g, e.x, k);
    gm_node log_px = gmi_vae_px_log(v, g, p, x);
    gm_node kl_dim = gm_op_mean(g, gmi_loss_kl_normal(g, e.mean, e.logvar), 1, 0);
    gm_node kl = gm_op_sum(g, kl_dim, 1, 0), recon = gm_op_mean(g, log_px, 1, 0), objective;
    if (v->plan.iwae) {
        int64_t dims[2];
        dims[0] = n;
        dims[1] = k;
        gm_node log_w = gm_op_add(g, gm_op_reshape(g, log_px, 2, dims), gm_op_mul(g, beta, prior_ratio(g, z, noise, e.logvar, n, k)));
        objective = gm_op_neg(g, gm_op_mean(g, iwae_bound(g, GM_TRAINING ? with_weight(g, log_w) : log_w, k), 1, 0));
    } else {
        objective = gm_op_sub(g, gm_op_mul(g, beta, GM_TRAINING ? clipped_kl(v, g, kl_dim, kl) : kl), recon);
    }
    if (GM_TRAINING && v->o.extra_loss) objective = extra_loss(v, g, objective, x, z, p);
    out[0] = objective;
    out[1] = gm_op_sub(g, recon, kl);
    out[2] = recon;
    out[3] = kl;
    out[4] = kl_dim;
    if (GM_TRAINING) gmi_graph_backward(g, objective, "");
}

static void build_evaluate(const gm_vae *v, gm_graph *g, int64_t n, gm_node *out, int32_t *n_out)
{
    const int64_t k = v->plan.iwae ? v->plan.iwae : 1, d = v->o.latent_dim;
    int64_t dims[2];
    net e;
    gm_node noise;
    memset(&e, 0, sizeof e);
    dims[0] = n;
    dims[1] = k;
    input_x(v, g, n, &e);
    e.cond = input_cond(v, g, n);
    encode(v, g, &e);
    gm_node z = sample_z(g, "evaluate.z", e.mean, e.logvar, n, d, k, &noise);
    gmi_px p = decode(v, g, z, repeat(g, e.cond, k), n * k);
    gm_node log_px = gm_op_reshape(g, gmi_vae_px_log(v, g, p, repeat(g, e.x, k)), 2, dims);
    out[0] = gm_op_mean(g, log_px, 2, 0);
    out[1] = gmi_loss_kl_normal(g, e.mean, e.logvar);
    out[2] = e.mean;
    *n_out = 3;
    if (!v->plan.iwae) return;
    gm_node beta = gmi_graph_scalar_input(g, "beta");
    out[3] = iwae_bound(g, gm_op_add(g, log_px, gm_op_mul(g, beta, prior_ratio(g, z, noise, e.logvar, n, k))), k);
    *n_out = 4;
}

/* Importance weights of k samples, folded into running m = max log w, s = sum exp(log w - m), q = sum exp(2 (log w - m)). */
static void build_weights(const gm_vae *v, gm_graph *g, int64_t n, int64_t k, gm_node *out)
{
    const int64_t d = v->o.latent_dim;
    int64_t flat[2], dims[2], one[2];
    net e;
    gm_node noise;
    memset(&e, 0, sizeof e);
    flat[0] = dims[0] = one[0] = n;
    flat[1] = d;
    dims[1] = k;
    one[1] = 1;
    input_x(v, g, n, &e);
    e.cond = input_cond(v, g, n);
    gm_node mean = gm_graph_input(g, "mean", GM_F32, 2, flat), logvar = gm_graph_input(g, "logvar", GM_F32, 2, flat);
    gm_node m = gm_graph_input(g, "max", GM_F32, 1, dims), s = gm_graph_input(g, "sum", GM_F32, 1, dims), q = gm_graph_input(g, "squares", GM_F32, 1, dims);
    gm_node z = sample_z(g, "weights.z", mean, logvar, n, d, k, &noise);
    gmi_px p = decode(v, g, z, repeat(g, e.cond, k), n * k);
    gm_node log_px = gm_op_reshape(g, gmi_vae_px_log(v, g, p, repeat(g, e.x, k)), 2, dims);
    gm_node log_w = gm_op_add(g, log_px, prior_ratio(g, z, noise, logvar, n, k));
    out[0] = gm_op_max(g, m, gm_op_reduce_max(g, log_w, 2, 0));
    gm_node w = gm_op_exp(g, gm_op_sub(g, log_w, gm_op_reshape(g, out[0], 2, one)));
    gm_node old = gm_op_exp(g, gm_op_sub(g, m, out[0]));
    out[1] = gm_op_add(g, gm_op_mul(g, s, old), gm_op_sum(g, w, 2, 0));
    out[2] = gm_op_add(g, gm_op_mul(g, q, gm_op_square(g, old)), gm_op_sum(g, gm_op_square(g, w), 2, 0));
}

static void build_decode(const gm_vae *v, gm_graph *g, int64_t n, int draw, gm_node *out)
{
    int64_t dims[2];
    dims[0] = n;
    dims[1] = v->o.latent_dim;
    gm_node z = gm_graph_input(g, "z", GM_F32, 2, dims);
    gmi_px p = decode(v, g, z, input_cond(v, g, n), n);
    out[0] = draw ? gmi_vae_px_draw(v, g, p, "draw.x") : gmi_vae_px_shown(v, g, gmi_vae_px_mean(v, g, p));
}

static void build_encode(const gm_vae *v, gm_graph *g, int64_t n, int reconstruct, gm_node *out)
{
    net e;
    memset(&e, 0, sizeof e);
    input_x(v, g, n, &e);
    e.cond = input_cond(v, g, n);
    encode(v, g, &e);
    out[0] = e.mean;
    out[1] = e.logvar;
    if (reconstruct) out[0] = gmi_vae_px_shown(v, g, gmi_vae_px_mean(v, g, decode(v, g, e.mean, e.cond, n)));
}

static void build_prior(const gm_vae *v, gm_graph *g, int64_t n, gm_node *out)
{
    int64_t dims[2];
    dims[0] = n;
    dims[1] = v->o.latent_dim;
    out[0] = gm_op_mul(g, gm_op_random_normal(g, "prior.z", 2, dims, 1), gmi_graph_scalar_input(g, "truncation"));
}

gm_status gmi_vae_build(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out)
{
    gm_vae *v = self;
    const int64_t n = key->rows;
    g->training = key->kind == GMI_VAE_TRAIN;
    g->model_user = v;
    *n_out = 1;
    switch (key->kind) {
    case GMI_VAE_TRAIN:
        build_train(v, g, n, out);
        *n_out = 5;
        break;
    case GMI_VAE_ENCODE:
        build_encode(v, g, n, 0, out);
        *n_out = 2;
        break;
    case GMI_VAE_RECONSTRUCT: build_encode(v, g, n, 1, out); break;
    case GMI_VAE_DECODE: build_decode(v, g, n, 0, out); break;
    case GMI_VAE_DRAW: build_decode(v, g, n, 1, out); break;
    case GMI_VAE_PRIOR: build_prior(v, g, n, out); break;
    case GMI_VAE_EVALUATE: build_evaluate(v, g, n, out, n_out); break;
    default:
        build_weights(v, g, n, key->draws, out);
        *n_out = 3;
        break;
    }
    return GM_OK;
}
