/* SPDX-License-Identifier: MIT */
/* genrep/vae.h: the variational autoencoder (Kingma and Welling 2014): q(z|x), p(x|z), and everything done with them.
 *
 *     x -> encoder -> mean, logvar: q(z|x) = N(mean, exp(logvar))          z -> decoder -> p(x|z)
 *
 * A model is made for data of one shape (gm_spec), trained by gm_vae_fit or gm_vae_step, and then encodes, decodes, samples and scores. Everything is in
 * nats per example, summed over dimensions. Two numbers stand side by side everywhere: `elbo`, the bound with beta = 1 and nothing clipped, and
 * `objective`, what training minimises:
 *
 *     elbo      = E log p(x|z) - sum_j KL_j                        KL analytic, the expectation over sampled z
 *     objective = -E log p(x|z) + beta sum_j max(free_bits, KL_j)  KL_j the mean over the batch
 *     objective = -(logsumexp_k log w_k - log k)                   with "iwae k"; log w = log p(x|z) + beta (log p(z) - log q(z|x)), sampled;
 *                                                                  w below e^-32 of an example's largest gets no gradient
 *
 * Bernoulli on grey levels gives the cross-entropy bound (bce_bound): fine to train with and to compare with others' figures of that kind, but no density.
 *
 * Tensors: x is [n, dims...] in the spec's element type and units, or f32 in those units; z, mean, logvar are f32 [n, latent_dim]; cond is i32 [n] labels, or f32
 * [n, cond_dim]. Outputs are given by the caller and say how many rows are wanted. Row i of anything random depends on (seed, first + i) alone, and no result
 * depends on how many rows are asked for at once.
 *
 * Inside a progress callback of gm_vae_fit the model may be asked to encode, decode, reconstruct, sample, evaluate, estimate log-likelihoods, save and write
 * (checkpoints too); gm_vae_step, _fit and _reserve are GM_E_BUSY there. */
#ifndef GENREP_VAE_H
#define GENREP_VAE_H
#include "train.h"
#ifdef __cplusplus
extern "C" {
#endif
/* p(x|z). AUTO is columns where gm_spec.columns is set, Bernoulli for data scaled to 0..1 (u8, or bounds stated in the spec), else Gaussian. BETA_BINOMIAL is
 * GM_E_UNSUPPORTED in this version.
 * CATEGORICAL takes integers from gm_spec.lo to hi as classes.
 * LOGISTIC takes them as values: bins of a logistic variable (Salimans et al. 2017, PixelCNN++, eq. 2, one component) with open ends at lo and hi. Both want
 * integers lo < hi, 65536 values at most; u8 without bounds has 0 and 255; gm_spec.scaling does not matter.
 * COLUMNS is for mixed tables (gm_spec.columns): a Gaussian for a real column, a discretised logistic with a mean and a scale of the decoder's for an integer one,
 * a softmax for a category. Cells that are missing enter neither log p nor the encoder; those that are decoded are always there. */
typedef int32_t gm_likelihood;
enum {
    GM_LIKELIHOOD_AUTO,
    GM_LIKELIHOOD_BERNOULLI,
    GM_LIKELIHOOD_GAUSSIAN,
    GM_LIKELIHOOD_LOGISTIC,
    GM_LIKELIHOOD_BETA_BINOMIAL,
    GM_LIKELIHOOD_CATEGORICAL,
    GM_LIKELIHOOD_COLUMNS
};
/* An own term of the objective: returns a node [] or [rows] in nats, built from x [rows, dims...], z [rows, latent_dim] and x_mean, the mean of p(x|z), all
 * in the model's units; needs no backward. It runs at compile time, once for each batch size. With "iwae k", rows is k times the batch. */
typedef gm_node (*gm_loss_fn)(void *user, gm_graph *g, gm_node x, gm_node z, gm_node x_mean);

/* Options; every text may be NULL, which is the default named here.
 * encoder, decoder   layers as text (genrep/layer.h), "dense 400; relu" each. Heads are added: dense "mean" and "logvar" behind the encoder; behind the decoder a
 *                    dense "output", unless its last layer is linear (dense, conv, conv_transpose) and already gives what p(x|z) needs
 * latent_dim         -1: as many as a sample has elements, 20 at most
 * likelihood         GM_LIKELIHOOD_AUTO
 * variance           of the Gaussian: "fixed 1" (a variance, in model units), "scalar" (one learned number; the default), "dimension" (one for each element
 *                    of x), "output" (of the decoder: means, then log variances, along the first dimension of a sample). Learned variances stay above
 *                    e^-12; "scalar" and "dimension" learn at ten times the optimizer's rate. Of the logistic it is the scale instead, with lo to hi as -1 to 1,
 *                    and learned ones stay between e^-3 half bins and e^5. Of columns it is that of the real ones; "scalar" and "dimension" are both one for each
 * objective          "elbo", or "iwae 5" (importance-weighted, Burda et al. 2016)
 * beta               a schedule, "constant 1"; warm-up is "linear 0 1 steps=1000"
 * free_bits          0; nats a dimension that cost nothing (Kingma et al. 2016)
 * optimizer          "adam lr=0.001" (PyTorch's formula and defaults);   schedule  of the learning rate, "" = as in optimizer
 * condition          "", or "concat": labels (one-hot) or conditions join the input of encoder and decoder
 * prior              "normal"
 * bias_init          0; 1 = fit begins with p(x|z)'s mean at the data's
 * ema_half_life      0 = none; else inference uses an exponential moving average of the weights with this half-life in examples
 * seed               0; of initial weights and all training noise
 * extra_loss         NULL; with columns, its x and x_mean are [rows, features] in the order of the columns: a real or an integer (on [-1, 1]) is one number,
 *                    a category one for each word (x: one-hot, x_mean: probabilities); behind them, in x, 1 or 0 for each column that may be missing */
typedef struct gm_vae_options {
    size_t size;
    const char *encoder, *decoder, *optimizer, *beta, *prior, *objective;
    int64_t latent_dim;
    gm_likelihood likelihood;
    const char *condition, *variance, *schedule;
    int32_t bias_init;
    double ema_half_life, free_bits;
    uint64_t seed;
    gm_loss_fn extra_loss;
    void *extra_user;
} gm_vae_options;

/* The name of a likelihood in lower case, "bernoulli". */
GM_API const char *gm_likelihood_name(gm_likelihood l);
/* Writes the defaults above, never past size bytes. */
GM_API void gm_vae_options_init(gm_vae_options *o, size_t size);
/* Sets encoder, decoder and latent_dim of initialised options to a named architecture: "mlp" (the default), "points" (2-D points: two layers of 128, z 2),
 * "conv28" (28x28x1 images), "conv64" (64x64x1). GM_E_UNKNOWN for another name; the options are then unchanged. */
GM_CALL gm_vae_options_preset(gm_vae_options *o, const char *name);
/* Says what a model of these options needs, without creating it: train_bytes for weights, gradients, moments, averages and steps of `batch` examples,
 * infer_bytes for weights and inference of `batch` rows at once. GM_E_INVALID, GM_E_SHAPE and so on as gm_vae_create. */
GM_CALL gm_vae_memory(gm_context *c, const gm_spec *x, GM_OPT const gm_vae_options *o, int64_t batch, uint64_t *train_bytes, uint64_t *infer_bytes);
/* Makes a model with initial weights for data of this spec (gm_dataset_spec gives it). GM_E_INVALID: an option or text, with the column; GM_E_SHAPE: layers
 * that do not fit the data; GM_E_UNSUPPORTED: see gm_likelihood. */
GM_CALL gm_vae_create(gm_context *c, const gm_spec *x, GM_OPT const gm_vae_options *o, gm_vae **out);
/* Gives the model up; NULL is fine. Inside a progress callback it lives on until gm_vae_fit returns. */
GM_API void gm_vae_destroy(GM_OPT gm_vae *v);
/* Compiles and allocates what steps of `batch` examples and inference of any number of rows need, so that neither allocates later. GM_E_BUDGET names need,
 * limit and the largest batch that fits. */
GM_CALL gm_vae_reserve(gm_vae *v, int64_t batch);
/* One training step on x (and cond, where the model is conditional); r, when given, has its size set and receives the step's record. A gradient or
 * objective that is not finite gives GM_E_NONFINITE and changes nothing but the step counter. Scaling "standard" is fitted by gm_vae_fit; until then
 * gm_vae_step takes x as it is. Schedules that count epochs need gm_vae_fit. */
GM_CALL gm_vae_step(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT gm_record *r);
/* Trains on a dataset until the epochs, steps or time of the options are used up, early stopping triggers or the callback stops it (genrep/train.h). Epochs and
 * max_steps count from the model's first step, so that a loaded checkpoint goes on where it was. GM_E_CANCELLED: the model is that of the last whole step. */
GM_CALL gm_vae_fit(gm_vae *v, gm_dataset *d, GM_OPT const gm_fit_options *o);
/* Figures on a whole dataset, z sampled `samples` times for each row with noise keyed by the row: objective, elbo, recon, kl, kl_per_dim (analytic), and
 * active_units: dimensions whose posterior mean has a variance above 0.01 over the data (Burda et al. 2016). extra_loss is not part of it. r->size is set
 * by the caller; kl_per_dim is valid until the model's next call. */
GM_CALL gm_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gm_record *r);
/* q(z|x): mean and log variance, f32 [n, latent_dim]; mean may be NULL when logvar is given. */
GM_CALL gm_vae_encode(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT gm_tensor *mean, GM_OPT gm_tensor *logvar);
/* p(x|z) for z f32 [n, latent_dim] as x [n, dims...] in units of the data: its mean (categories: the most probable; integers: the expected value, rounded), or
 * a draw that depends on seed. */
GM_CALL gm_vae_decode(gm_vae *v, const gm_tensor *z, GM_OPT const gm_tensor *cond, gm_draw d, uint64_t seed, gm_tensor *x);
/* The mean of p(x|z) at the mean of q(z|x). */
GM_CALL gm_vae_reconstruct(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *out);
/* Samples: z from the prior, times truncation, then the mean or a draw of p(x|z). x's rows say how many. */
GM_CALL gm_vae_sample(gm_vae *v, GM_OPT const gm_sample_options *o, GM_OPT const gm_tensor *cond, gm_tensor *x);
/* log p(x) by importance sampling with k draws from q(z|x): f32 [n] in nats, and the standard error of each (delta method) in se. A lower bound in
 * expectation; it rises with k. */
GM_CALL gm_vae_log_likelihood(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, int32_t k, uint64_t seed, gm_tensor *nats, GM_OPT gm_tensor *se);
/* Gives the extra loss again to a model that was loaded from a file, or changes it; NULL = none. Not inside a progress callback. */
GM_API void gm_vae_set_extra_loss(gm_vae *v, GM_OPT gm_loss_fn fn, GM_OPT void *user);
/* The model's optimizer, borrowed; NULL when memory for its moments is short. */
GM_API gm_optimizer *gm_vae_optimizer(gm_vae *v);
/* The model's trained parameters (not their average), borrowed. */
GM_API gm_params *gm_vae_params(gm_vae *v);
/* Writes what inference needs: weights (their average where there is one, the best where early stopping showed them), options, spec and scaling, one
 * safetensors file, atomically. */
GM_CALL gm_vae_save(gm_vae *v, const char *path);
/* The same to a writer: memory or a callback. */
GM_CALL gm_vae_write(gm_vae *v, gm_writer *w);
/* The same and all that training needs to go on as if it had not stopped: moments, averages, counters, the epoch's sums, the best weights. */
GM_CALL gm_vae_save_checkpoint(gm_vae *v, const char *path);
/* The same to a writer. */
GM_CALL gm_vae_write_checkpoint(gm_vae *v, gm_writer *w);
/* A model from a file of either kind. GM_E_IO, GM_E_FORMAT, GM_E_CHECKSUM, GM_E_MODEL (not a VAE, tensors that do not fit), GM_E_VERSION, GM_E_UNKNOWN (a
 * layer word that is not registered in this context). */
GM_CALL gm_vae_load(gm_context *c, const char *path, gm_vae **out);
/* The same from memory or a callback, in one pass. */
GM_CALL gm_vae_read(gm_context *c, const gm_reader *r, gm_vae **out);
#ifdef __cplusplus
}
#endif
#endif
