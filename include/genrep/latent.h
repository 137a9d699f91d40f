/* SPDX-License-Identifier: MIT */
/* genrep/latent.h: a thread's use of a model as a representation: x to z, z to x, and what can be done in between.
 *
 * encode is q(z|x) of a VAE, or inversion of G: the z whose G(z) is nearest to x, found by optimization. decode is p(x|z), or G(z). A gm_latent belongs to the thread of
 * its context; the model is shared. After a call of one size, calls of that size or smaller allocate nothing. All rows are independent of each other: results do
 * not depend on how many rows a call has, and row i of anything random depends on (seed, first + i) alone.
 *
 * z is f32 [n, latent_dim]; x is [n, dims...] in the spec's dtype and units, or f32 in them; cond as for the model's family, NULL where it is not conditional. */
#ifndef GENREP_LATENT_H
#define GENREP_LATENT_H
#include "model.h"
#include "train.h"
#ifdef __cplusplus
extern "C" {
#endif
/* How a path runs between two points: LINEAR a + t (b - a); SPHERICAL along the great circle, the length going linearly from |a| to |b| (White 2016), which keeps
 * to lengths that N(0, 1) has in many dimensions. */
typedef int32_t gm_path;
enum { GM_PATH_LINEAR, GM_PATH_SPHERICAL };
/* Gives "linear", "spherical"; "unknown" for other numbers. */
GM_API const char *gm_path_name(gm_path p);

typedef struct gm_latent_options {
    size_t size;
    int64_t batch;           /* the most rows that go through the networks at once. Default 256 */
    int32_t invert_steps;    /* of a GAN's inversion: Adam steps. Default 400 */
    int32_t invert_starts;   /* z tried for each row, the best is kept. Default 2 */
    double invert_rate;      /* learning rate, falling to 0 along a cosine. Default 0.1 */
    int32_t score_samples;   /* draws of z for ELBO and IWAE scores. Default 8 */
    uint64_t seed;           /* of scores and inversion. Default 0 */
    gm_progress_fn progress; /* of encode by inversion, scores, balance: GM_RECORD_WORK records, once a mini-batch; inversion: every 25 steps of one. The latent
                                itself is GM_E_BUSY inside. GM_STOP is as GM_CANCEL: there is no half of a result. Default NULL */
    void *user;
} gm_latent_options;
/* Writes the defaults named above into *o, at most size bytes of it. NULL is fine. */
GM_API void gm_latent_options_init(gm_latent_options *o, size_t size);
/* Makes a use of m in context c, which need not be the model's; m is retained. GM_E_UNSUPPORTED: m was loaded as a header alone; GM_E_UNKNOWN: a layer word
 * that is not registered in c. */
GM_CALL gm_latent_create(gm_context *c, const gm_model *m, GM_OPT const gm_latent_options *o, gm_latent **out);
/* Gives it up. NULL is fine. */
GM_API void gm_latent_destroy(GM_OPT gm_latent *l);
/* The model it uses, borrowed. */
GM_API const gm_model *gm_latent_model(const gm_latent *l);

/* x to z. VAE: z the mean of q(z|x), logvar its log variance [n, latent_dim]; residual [n], when asked for, is the squared error of the reconstruction. GAN: z by
 * inversion (Creswell and Bharath 2018; starts from N(0, 1), Adam on |G(z) - x|^2), residual [n] its squared error; both in the model's scaled units, mean over
 * elements. steps [n] (i32) are those after which the best z was found, 0 of a VAE; logvar of a GAN must be NULL (GM_E_UNSUPPORTED). */
GM_CALL gm_latent_encode(gm_latent *l, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *z, GM_OPT gm_tensor *logvar, GM_OPT gm_tensor *residual,
                         GM_OPT gm_tensor *steps);
/* z to x; options: seed, first and draw, where p(x|z) is drawn from (VAE); truncation multiplies z. */
GM_CALL gm_latent_decode(gm_latent *l, const gm_tensor *z, GM_OPT const gm_tensor *cond, GM_OPT const gm_sample_options *o, gm_tensor *x);
/* Samples of the prior, times truncation, decoded; their z when asked for. x's rows say how many. */
GM_CALL gm_latent_sample(gm_latent *l, GM_OPT const gm_sample_options *o, GM_OPT const gm_tensor *cond, GM_OPT gm_tensor *z, gm_tensor *x);
/* decode(encode(x)). */
GM_CALL gm_latent_reconstruct(gm_latent *l, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *out);

/* A path from a to b, [latent_dim] or [1, latent_dim] each, at z's n rows: row 0 is a, row n-1 is b; n at least 2. */
GM_CALL gm_latent_interpolate(gm_latent *l, const gm_tensor *a, const gm_tensor *b, gm_path p, gm_tensor *z);
/* out row i = z + t_i direction, t going from `from` to `to` in out's n rows (n at least 2); z and direction are [latent_dim] or [1, latent_dim]. */
GM_CALL gm_latent_traverse(gm_latent *l, const gm_tensor *z, const gm_tensor *direction, double from, double to, gm_tensor *out);
/* The direction of an attribute: mean of z's rows with label not 0 minus the mean of those with label 0 (Larsen et al. 2016); labels i32 [n], direction
 * [latent_dim]. Sums run in double in the order of rows. GM_E_RANGE when one side is empty. */
GM_CALL gm_latent_direction(gm_latent *l, const gm_tensor *z, const gm_tensor *labels, gm_tensor *direction);
/* For each row of z the k nearest rows of bank [m, latent_dim] by Euclidean distance, exact, nearest first, ties to the lower number: index i32 [n, k], distance f32
 * [n, k] or NULL. k is index's second dimension, at most m. Blocked: memory does not grow with n m. */
GM_CALL gm_latent_nearest(gm_latent *l, const gm_tensor *bank, const gm_tensor *z, gm_tensor *index, GM_OPT gm_tensor *distance);

/* A score of each row, f32 [n]; is_anomaly u8 [n], when asked for: 1 where the score is above the model's calibrated threshold. GM_E_UNSUPPORTED: a score that the
 * family does not have, or is_anomaly on a model that is not calibrated for this score, with as many score_samples, or inversion options other than the defaults. */
GM_CALL gm_latent_score(gm_latent *l, gm_score s, const gm_tensor *x, GM_OPT const gm_tensor *cond, gm_tensor *score, GM_OPT gm_tensor *is_anomaly);

/* Samples near x: decode(encode(x) + radius e), e ~ N(0, 1); a VAE adds its posterior's deviation: mean + radius exp(logvar/2) e. out has x's rows; options as for
 * decode (seed, first, draw; truncation is of no effect). */
GM_CALL gm_latent_augment(gm_latent *l, const gm_tensor *x, GM_OPT const gm_tensor *cond, double radius, GM_OPT const gm_sample_options *o, gm_tensor *out);
/* A new dataset in which each class has `per_class` rows: those it has, in order, at most per_class of them, then samples near them (as augment) until they are
 * enough, class after class, in the data's type and units. d has labels and the model's samples. The data is held in memory. GM_E_INVALID without labels,
 * GM_E_RANGE for a class without rows. */
GM_CALL gm_latent_balance(gm_latent *l, gm_dataset *d, int64_t per_class, double radius, uint64_t seed, gm_dataset **out);
#ifdef __cplusplus
}
#endif
#endif
