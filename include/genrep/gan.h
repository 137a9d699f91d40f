/* SPDX-License-Identifier: MIT */
/* genrep/gan.h: generative adversarial networks (Goodfellow et al. 2014): create, train, generate, discriminate, save.
 *
 * A generator G maps z, [n, latent_dim] drawn from N(0, 1), to samples in the data's shape; a discriminator D maps samples to one score each, high for real data. A
 * training step updates D on a batch of real and generated samples, then G through the new D; the two halves are two transactions: a G half that is not finite
 * is dropped and leaves the new D. Inference uses a moving average of G's weights where there is one, with batch norm on population statistics recomputed for
 * them, so that G(z) never depends on its batch; rows do not see each other, and results do not depend on batch size or threads.
 *
 *     gm_gan_create(ctx, gm_dataset_spec(data), NULL, &gan);     options NULL: "unattended", for images and for rows of numbers
 *     gm_gan_fit(gan, data, NULL);
 *     gm_gan_sample(gan, NULL, NULL, x);                          x: a tensor [n, c, h, w] to be filled
 *
 * x is [n, dims...] in the spec's dtype and units, or f32 in them. cond, for conditional models: i32 [n] labels, or f32 [n, cond_dim]. Inside a progress
 * callback the model may generate, sample, discriminate, evaluate, be written and snapshot; anything else is GM_E_BUSY. */
#ifndef GENREP_GAN_H
#define GENREP_GAN_H
#include "data.h"
#include "layer.h"
#include "optim.h"
#include "train.h"
#ifdef __cplusplus
extern "C" {
#endif
/* Options; NULL for a function means the defaults behind each, which are the preset "unattended". Texts are copied.
 * generator      ""; layers from z to a sample. A linear layer of the sample's size is added where they end with another size. "" = by the shape of the data:
 *                images whose sides divide by 4 get transposed convolutions from a fourth of their size, anything else four layers of 256 units
 * discriminator  ""; layers from a sample to one score. A linear layer to one unit is added where they end with another size. "" = by the shape of the data,
 *                without any normalisation. With condition projection it must end with several features, not with one number
 * loss           "relativistic r1=1 r2=1 every=4": one of
 *                  non_saturating   D: softplus(-D(x)) + softplus(D(G(z)))          G: softplus(-D(G(z)))           (Goodfellow et al. 2014, section 3)
 *                  saturating       D: the same                                     G: -softplus(D(G(z)))           (the minimax game, eq. 1)
 *                  least_squares    D: ((D(x) - 1)^2 + D(G(z))^2)/2                 G: (D(G(z)) - 1)^2/2            (Mao et al. 2017, a = 0, b = c = 1)
 *                  hinge            D: max(0, 1 - D(x)) + max(0, 1 + D(G(z)))       G: -D(G(z))                     (Lim and Ye 2017)
 *                  wasserstein      D: D(G(z)) - D(x)                               G: -D(G(z))                     (Arjovsky et al. 2017)
 *                  relativistic     D: softplus(D(G(z)) - D(x)), pairs of a batch   G: softplus(D(x) - D(G(z)))     (Jolicoeur-Martineau 2019; Huang et al. 2024)
 *                with options by name, all 0 where absent:
 *                  r1=g  g/2 E |grad_x D(x)|^2 on real samples (Mescheder et al. 2018);   r2=g  the same on generated ones
 *                  gp=l  l E (|grad D(e x + (1 - e) G(z))| - 1)^2, e uniform (Gulrajani et al. 2017)
 *                  every=n  the penalties, times n, every n-th step alone (lazy regularisation, Karras et al. 2020); default 1
 *                  fresh=1  G's half draws new z; default 0: the z of D's half
 *                  coupled=1  allows penalties although D has batch norm or minibatch_stddev, where "the gradient of a sample" is not one sample's; default 0
 * gamma          "constant 1": a schedule, the factor on r1, r2 and gp
 * g_optimizer    "adam lr=0.0002 beta1=0 beta2=0.99";   d_optimizer  the same
 * g_schedule     ""; a schedule of G's learning rate, "" = as in g_optimizer;   d_schedule  the same of D's (TTUR: Heusel et al. 2017)
 * condition      "", or "concat": labels (one-hot) or conditions join z and D's input; or "projection": they join z, and D adds the inner product of its last
 *                features with an embedding of the label, labels alone (Miyato and Koyama 2018)
 * latent_dim     -1 = 64 for images; the elements of a sample for the rest, 2 at least, 16 at most
 * d_steps        1; steps of D for each one of G: G's half comes with every d_steps-th step
 * ema_half_life  10000 examples; of the average of G's weights that inference uses; 0 = none, the trained weights
 * seed           0; of initial weights and all training noise
 * Data of known bounds (u8, or gm_spec.lo < hi) and scaling "auto" are scaled to [-1, 1] and the chosen generator ends with tanh; anything else to mean 0 and
 * deviation 1, and it ends linear. */
typedef struct gm_gan_options {
    size_t size;
    const char *generator, *discriminator, *loss, *gamma, *g_optimizer, *d_optimizer, *g_schedule, *d_schedule, *condition;
    int64_t latent_dim;
    int32_t d_steps;
    double ema_half_life;
    uint64_t seed;
} gm_gan_options;

/* Writes the defaults above, never past size bytes. */
GM_API void gm_gan_options_init(gm_gan_options *o, size_t size);
/* Sets networks, loss, gamma, optimizers, latent_dim and ema_half_life of initialised options by name: "unattended" (the defaults); "mlp" (rows or small images: 256-512-1024
 * with batch norm against 512-256); "dcgan28", "dcgan32", "dcgan64" (Radford et al. 2016: images of that size, 1 channel for 28, 3 for the others; batch norm in both,
 * non-saturating, Adam 2e-4 with beta1 0.5, no average). GM_E_UNKNOWN for another name; the options are then unchanged. */
GM_CALL gm_gan_options_preset(gm_gan_options *o, const char *name);
/* Says what a model of these options needs, without creating it: train_bytes for weights, gradients, moments, average and steps of `batch` examples, infer_bytes
 * for weights and inference of `batch` rows at once. GM_E_INVALID, GM_E_SHAPE and so on as gm_gan_create. */
GM_CALL gm_gan_memory(gm_context *c, const gm_spec *x, GM_OPT const gm_gan_options *o, int64_t batch, uint64_t *train_bytes, uint64_t *infer_bytes);
/* Makes a model with initial weights for data of this spec (gm_dataset_spec gives it). GM_E_INVALID: an option or text, with the column; GM_E_SHAPE: layers that
 * do not fit the data; GM_E_UNSUPPORTED: a penalty on a D that couples its batch. */
GM_CALL gm_gan_create(gm_context *c, const gm_spec *x, GM_OPT const gm_gan_options *o, gm_gan **out);
/* Gives the model up; NULL is fine. Inside a progress callback it lives on until gm_gan_fit returns. */
GM_API void gm_gan_destroy(GM_OPT gm_gan *g);
/* Compiles and allocates what steps of `batch` examples and inference of any number of rows need, so that neither allocates later. GM_E_BUDGET names need, limit
 * and the largest batch that fits. */
GM_CALL gm_gan_reserve(gm_gan *g, int64_t batch);
/* One training step on real samples x (and cond, where the model is conditional): D's half and, every d_steps-th time, G's. r, when given, has its size set and
 * receives the step's record: d_loss, g_loss (NaN without a G half), d_real and d_fake (mean scores), penalty (unscaled by `every`; NaN in steps without), grad_norm of
 * G and d_grad_norm. A half that is not finite gives GM_E_NONFINITE and changes nothing of its network; the step is counted. Scaling "standard" is fitted by
 * gm_gan_fit; until then gm_gan_step takes x as it is. */
GM_CALL gm_gan_step(gm_gan *g, const gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT gm_record *r);
/* Trains on a dataset until the epochs, steps or time of the options are used up or the callback stops it (genrep/train.h). A GAN has no objective that falls, so
 * `patience` and validation_fraction are not used: all rows train, and the last weights stay; with options.validation the figures of gm_gan_evaluate are reported.
 * GM_E_CANCELLED: the model is that of the last whole step. */
GM_CALL gm_gan_fit(gm_gan *g, gm_dataset *d, GM_OPT const gm_fit_options *o);
/* Figures on a whole dataset against generated samples of the same number, `samples` times with new z: d_loss, g_loss, d_real, d_fake, with inference's G (average,
 * population statistics) and D's weights; penalties are not part of it. Sums run in the order of rows. */
GM_CALL gm_gan_evaluate(gm_gan *g, gm_dataset *d, int32_t samples, gm_record *r);
/* G(z) for z f32 [n, latent_dim], as x [n, dims...] in units of the data. */
GM_CALL gm_gan_generate(gm_gan *g, const gm_tensor *z, GM_OPT const gm_tensor *cond, gm_tensor *x);
/* Samples: z ~ N(0, 1) times truncation, then G(z). x's rows say how many. options.draw is of no effect. */
GM_CALL gm_gan_sample(gm_gan *g, GM_OPT const gm_sample_options *o, GM_OPT const gm_tensor *cond, gm_tensor *x);
/* D's score of each row, before any sigmoid, with its trained weights and inference's statistics: f32 [n]. */
GM_CALL gm_gan_discriminate(gm_gan *g, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *score);
/* The optimizer of G, borrowed; NULL when memory for its moments is short. */
GM_API gm_optimizer *gm_gan_g_optimizer(gm_gan *g);
/* The optimizer of D, borrowed; NULL when memory for its moments is short. */
GM_API gm_optimizer *gm_gan_d_optimizer(gm_gan *g);
/* The trained parameters of both networks (not the average), "generator.*" and "discriminator.*", borrowed. */
GM_API gm_params *gm_gan_params(gm_gan *g);
/* Writes what inference needs: G (its average where there is one), D, options, spec and scaling, one safetensors file, atomically. */
GM_CALL gm_gan_save(gm_gan *g, const char *path);
/* The same to a writer: memory or a callback. */
GM_CALL gm_gan_write(gm_gan *g, gm_writer *w);
/* The same and all that training needs to go on as if it had not stopped: trained weights, moments, counters, the epoch's sums. */
GM_CALL gm_gan_save_checkpoint(gm_gan *g, const char *path);
/* The same to a writer. */
GM_CALL gm_gan_write_checkpoint(gm_gan *g, gm_writer *w);
/* A model from a file of either kind. GM_E_IO, GM_E_FORMAT, GM_E_CHECKSUM, GM_E_MODEL (not a GAN, tensors that do not fit), GM_E_VERSION, GM_E_UNKNOWN (a layer
 * word that is not registered in this context). */
GM_CALL gm_gan_load(gm_context *c, const char *path, gm_gan **out);
/* The same from memory or a callback, in one pass. */
GM_CALL gm_gan_read(gm_context *c, const gm_reader *r, gm_gan **out);
#ifdef __cplusplus
}
#endif
#endif
