/* SPDX-License-Identifier: MIT */
/* genrep/model.h: a model as a thing to use: immutable weights of either family, shared by any number of threads.
 *
 * A gm_model comes from a file, from memory or as a snapshot of a model in training. It never changes; every thread uses it through a gm_latent of its own context
 * (genrep/latent.h). Calls that take only a const gm_model may run on any thread at once; it keeps the context it was made from alive.
 *
 *     trainer:  gm_gan_snapshot(gan, &fresh);                                         a new model, one reference
 *               for each worker: gm_model_destroy(exchange(&box[w], gm_model_retain(fresh)));   an atomic exchange; what nobody took goes
 *               gm_model_destroy(fresh);
 *     worker:   fresh = exchange(&box[w], NULL);  if (fresh) { drop the old latent and model; gm_latent_create(own_ctx, fresh, NULL, &latent); }
 *
 * That is a hot swap without locks. One pointer for all workers works as well, when reading and retaining it is one step to the trainer (a lock around the two). */
#ifndef GENREP_MODEL_H
#define GENREP_MODEL_H
#include "data.h"
#include "gan.h"
#include "vae.h"
#ifdef __cplusplus
extern "C" {
#endif
/* What of a file is loaded, a mask: ENCODE the encoder (GAN: the generator, which inversion needs), DECODE the decoder or generator, SCORE what gm_latent_score needs.
 * 0 = the header alone: no weights, for gm_model_info and gm_model_print. */
typedef int32_t gm_use;
enum { GM_USE_ENCODE = 1, GM_USE_DECODE = 2, GM_USE_SCORE = 4, GM_USE_ALL = 7 };
/* Whether a model can be used so: not at all (not loaded, or not of its kind), by iteration (inversion of G, a bound), or exactly. */
typedef int32_t gm_support;
enum { GM_NO, GM_APPROXIMATE, GM_EXACT };
/* Gives "no", "approximate", "exact"; "unknown" for other numbers. */
GM_API const char *gm_support_name(gm_support s);

/* What a score measures; always higher for what is less like the training data.
 * ELBO            minus the evidence lower bound, nats (VAE)
 * IWAE            minus the importance-weighted bound of log p(x), nats (VAE; Burda et al. 2016)
 * RECONSTRUCTION  squared error between x and its reconstruction, in the model's scaled units, summed over elements (VAE; GAN: as RESIDUAL)
 * MAHALANOBIS     squared Mahalanobis distance of the encoding from the latent density: that of calibration's `density` data, else the prior N(0, 1)
 * RESIDUAL        squared error between x and the best G(z) found by inversion, scaled units, summed over elements (GAN) */
typedef int32_t gm_score;
enum { GM_SCORE_ELBO, GM_SCORE_IWAE, GM_SCORE_RECONSTRUCTION, GM_SCORE_MAHALANOBIS, GM_SCORE_RESIDUAL };
/* Gives "elbo", "iwae", "reconstruction", "mahalanobis", "residual"; "unknown" for other numbers. */
GM_API const char *gm_score_name(gm_score s);

/* A model's facts. The caller sets size; texts and x live as long as the model. */
typedef struct gm_info {
    size_t size;
    const char *family;     /* "vae", "gan" */
    const char *options;    /* its options as JSON */
    const char *made_by;    /* "libgenrep 0.1.0" of the file, or of this library for a snapshot; "" = the file does not say */
    const char *sha256;     /* of the file, 64 hex digits; "" for a snapshot, and for a model that was calibrated since */
    int64_t latent_dim;
    int64_t parameters;     /* numbers that training changed, of the whole model, loaded or not; -1 = a header alone whose layer words this context lacks */
    int64_t steps;          /* it was trained for; -1 = not known (a model file, not a checkpoint or snapshot) */
    const gm_spec *x;       /* what one sample is */
    int32_t format_version, numeric_profile;
    int32_t uses;           /* mask of what is loaded */
    int32_t calibrated;     /* 1: threshold holds */
    gm_score score;         /* what the threshold is of */
    double threshold;       /* scores above it are anomalies; NaN when not calibrated */
    double false_positive_rate; /* it was calibrated for; NaN when not calibrated */
} gm_info;

/* Reads a model from a file (model or checkpoint); uses is a mask of GM_USE_ bits. Weights that the uses do not need are checked for their place but not kept.
 * With uses 0 no data is read, so that the digest is not compared, and unknown layer words do not matter. Errors as gm_vae_load, and GM_E_RANGE for a bad mask. */
GM_CALL gm_model_load(gm_context *c, const char *path, int32_t uses, const gm_model **out);
/* The same from memory or a callback. */
GM_CALL gm_model_read(gm_context *c, const gm_reader *r, int32_t uses, const gm_model **out);
/* Writes the model as a file, the same bytes as the family's _write gives, and its calibration where there is one. GM_E_UNSUPPORTED when it was not loaded whole. */
GM_CALL gm_model_write(gm_context *c, const gm_model *m, gm_writer *w);
/* Copies what inference sees of a model in training; allowed in a progress callback. */
GM_CALL gm_vae_snapshot(gm_vae *v, const gm_model **out);
GM_CALL gm_gan_snapshot(gm_gan *g, const gm_model **out);
/* Fills *out, whose size is set. GM_E_INVALID for NULL. */
GM_CALL gm_model_info(const gm_model *m, gm_info *out);
/* Writes a table of tensors with shapes and bytes, and the options, for people. */
GM_CALL gm_model_print(gm_context *c, const gm_model *m, gm_writer *w);
/* Says how a use (one bit) is supported. */
GM_API gm_support gm_model_support(const gm_model *m, gm_use u);

/* Options of calibration. */
typedef struct gm_calibrate_options {
    size_t size;
    gm_score score;             /* Default: GM_SCORE_ELBO for a VAE, GM_SCORE_RESIDUAL for a GAN (-1 = this default) */
    double false_positive_rate; /* alpha: share of normal data called an anomaly. Default 0.05 */
    gm_dataset *density;        /* data whose encodings give mean and covariance for MAHALANOBIS, not the held-out data; NULL = the prior. Default NULL */
    int32_t score_samples;      /* as in gm_latent_options. Default 8 */
    uint64_t seed;              /* Default 0 */
    gm_progress_fn progress;    /* Default NULL */
    void *user;
} gm_calibrate_options;
/* Writes the defaults named above into *o, at most size bytes of it. NULL is fine. */
GM_API void gm_calibrate_options_init(gm_calibrate_options *o, size_t size);
/* Makes a model with a threshold from data it was not trained on: of n held-out scores the ceil((n + 1)(1 - alpha))-th smallest, so that normal data lies above it with
 * a probability of at most alpha (split conformal: Vovk et al. 2005; Lei et al. 2018). The threshold goes into files. m itself stays as it was; weights are shared.
 * GM_E_RANGE: too few rows for alpha, that is ceil((n + 1)(1 - alpha)) > n; GM_E_UNSUPPORTED: a score that the family does not have. */
GM_CALL gm_model_calibrate(gm_context *c, const gm_model *m, gm_dataset *held_out, GM_OPT const gm_calibrate_options *o, const gm_model **out);

/* Takes one more reference; returns m. NULL gives NULL. Any thread. */
GM_API const gm_model *gm_model_retain(const gm_model *m);
/* Gives one reference up. NULL is fine. Any thread. */
GM_API void gm_model_destroy(GM_OPT const gm_model *m);
#ifdef __cplusplus
}
#endif
#endif
