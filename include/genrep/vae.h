/* SPDX-License-Identifier: MIT */
/* genrep/vae.h: the variational autoencoder (Kingma and Welling 2014): q(z|x), p(x|z), and everything done with them. */
#ifndef GENREP_VAE_H
#define GENREP_VAE_H
#include "train.h"
#ifdef __cplusplus
extern "C" {
#endif
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
typedef gm_node (*gm_loss_fn)(void *user, gm_graph *g, gm_node x, gm_node z, gm_node x_mean);
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
GM_API const char *gm_likelihood_name(gm_likelihood l);
GM_API void gm_vae_options_init(gm_vae_options *o, size_t size);
GM_CALL gm_vae_options_preset(gm_vae_options *o, const char *name);
GM_CALL gm_vae_memory(gm_context *c, const gm_spec *x, GM_OPT const gm_vae_options *o, int64_t batch, uint64_t *train_bytes, uint64_t *infer_bytes);
GM_CALL gm_vae_create(gm_context *c, const gm_spec *x, GM_OPT const gm_vae_options *o, gm_vae **out);
GM_API void gm_vae_destroy(GM_OPT gm_vae *v);
GM_CALL gm_vae_reserve(gm_vae *v, int64_t batch);
GM_CALL gm_vae_step(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT gm_record *r);
GM_CALL gm_vae_fit(gm_vae *v, gm_dataset *d, GM_OPT const gm_fit_options *o);
GM_CALL gm_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gm_record *r);
GM_CALL gm_vae_encode(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *mean, GM_OPT gm_tensor *logvar);
GM_CALL gm_vae_decode(gm_vae *v, const gm_tensor *z, GM_OPT const gm_tensor *cond, gm_draw d, uint64_t seed, gm_tensor *x);
GM_CALL gm_vae_reconstruct(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *out);
GM_CALL gm_vae_sample(gm_vae *v, GM_OPT const gm_sample_options *o, GM_OPT const gm_tensor *cond, gm_tensor *x);
GM_CALL gm_vae_log_likelihood(gm_vae *v, const gm_tensor *x, GM_OPT const gm_tensor *cond, int32_t k, uint64_t seed, gm_tensor *nats, GM_OPT gm_tensor *se);
GM_API gm_optimizer *gm_vae_optimizer(gm_vae *v);
GM_API gm_params *gm_vae_params(gm_vae *v);
GM_CALL gm_vae_save(gm_vae *v, const char *path);
GM_CALL gm_vae_write(gm_vae *v, gm_writer *w);
GM_CALL gm_vae_save_checkpoint(gm_vae *v, const char *path);
GM_CALL gm_vae_write_checkpoint(gm_vae *v, gm_writer *w);
GM_CALL gm_vae_load(gm_context *c, const char *path, gm_vae **out);
GM_CALL gm_vae_read(gm_context *c, const gm_reader *r, gm_vae **out);
#ifdef __cplusplus
}
#endif
#endif
