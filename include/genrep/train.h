/* SPDX-License-Identifier: MIT */
/* genrep/train.h: what training tells, and what it can be told: one typed record for callback, step result, JSONL and CSV; options of fit and sample.
 *
 * In a record NaN means "does not apply", for example rates without a clock (gm_context_options.clock) or the numbers of a GAN in a VAE's record. Objectives and
 * their parts are in nats per example, summed over dimensions, means over the batch, epoch or data set that the record is about. */
#ifndef GENREP_TRAIN_H
#define GENREP_TRAIN_H
#include "data.h"
#include "optim.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What a record is about: one step; a whole epoch; a validation; something the host should know (see event); a checkpoint written (message is its path);
 * progress of other long work. */
typedef int32_t gm_record_kind;
enum { GM_RECORD_STEP, GM_RECORD_EPOCH, GM_RECORD_VALIDATION, GM_RECORD_EVENT, GM_RECORD_SAVED, GM_RECORD_WORK };

/* What a progress callback answers: go on; end well, with the best weights so far; or give up: the call returns GM_E_CANCELLED and the model is as after
 * the last whole step. */
typedef int32_t gm_action;
enum { GM_CONTINUE, GM_STOP, GM_CANCEL };

/* What an event says; message has the numbers and what to do.
 * NONFINITE            a step gave NaN or infinity and was rejected: weights are as before it, 20 in a row end the call with GM_E_NONFINITE
 * DIVERGENCE           the objective of an epoch is half again above the best
 * OVERFIT              no gain on the validation data for `patience` validations: training ends
 * POSTERIOR_COLLAPSE   every latent dimension carries less than 0.01 nats
 * MODE_COLLAPSE, D_OVERFIT, G_VANISHING, SUPERVISOR   of GANs, in a later version */
typedef int32_t gm_event;
enum {
    GM_EVENT_NONE,
    GM_EVENT_NONFINITE,
    GM_EVENT_DIVERGENCE,
    GM_EVENT_OVERFIT,
    GM_EVENT_POSTERIOR_COLLAPSE,
    GM_EVENT_MODE_COLLAPSE,
    GM_EVENT_D_OVERFIT,
    GM_EVENT_G_VANISHING,
    GM_EVENT_SUPERVISOR
};

/* One record. Where a function fills it, the caller sets size first (gm_record_init). Pointers live until the next call on the object. */
typedef struct gm_record {
    size_t size;
    gm_record_kind kind;
    gm_event event;
    const char *call, *message; /* "vae_fit"; text of an event, else "" */
    int64_t epoch, epochs;      /* under way, from 1 (0: none); planned, -1 not known */
    int64_t step, steps;        /* done since the model began; planned, -1 not known */
    int64_t examples;           /* trained on since the model began */
    double seconds;             /* since this call began */
    double eta_s;               /* seconds left, when the end is known */
    double examples_per_s;      /* of training alone, in this call */
    double lr;                  /* learning rate of this step */
    double objective;           /* what is minimised: with beta, free bits, penalties */
    double elbo;                /* evidence lower bound: beta 1, nothing clipped; higher is better */
    double recon;               /* E_q log p(x|z) */
    double kl;                  /* KL(q(z|x) || p(z)), summed over dimensions */
    double beta;                /* weight of the KL in this step's objective */
    double active_units;        /* latent dimensions whose mean varies over the data (Burda et al. 2016: variance above 0.01) */
    double d_loss, g_loss, d_real, d_fake, penalty; /* of GANs */
    double grad_norm, d_grad_norm;                  /* Euclidean norm of the gradient before clipping */
    int64_t n_kl;               /* length of kl_per_dim */
    const float *kl_per_dim;    /* nats of each latent dimension, or NULL */
} gm_record;

/* Called at least once a mini-batch, on the thread that called; it may evaluate, encode, decode, sample, reconstruct and save the model under way, and set
 * numbers of its optimizer; anything else that changes it is GM_E_BUSY. The record lives until it returns. */
typedef gm_action (*gm_progress_fn)(void *user, const gm_record *r);

/* Options of fit; the defaults, written by gm_fit_options_init, stand behind each. Epochs and steps count from the model's first step, so that a model that
 * is loaded from a checkpoint goes on where it was and ends where it would have ended. */
typedef struct gm_fit_options {
    size_t size;
    int64_t epochs;             /* passes over the training part; -1 = no limit. When max_steps is -1 too: as many as make 10,000 steps. Default -1 */
    int64_t batch;              /* examples of a mini-batch; the last of an epoch may be smaller. Default 128 */
    int64_t max_steps;          /* -1 = no limit. Default -1 */
    int64_t accumulate;         /* mini-batches whose gradients make one step. Default 1 */
    int64_t patience;           /* validations without gain before training ends; the best weights are kept. Validation comes after each epoch, but at least
                                   100 steps apart. 0 = to the end, the last weights. Default 10 */
    gm_dataset *validation;     /* NULL = a part of the data. Default NULL */
    double validation_fraction; /* of the data, when validation is NULL; 0 = none; fewer than 20 rows are never cut. Default 0.1 */
    double time_limit_s;        /* needs a clock; 0 = none. Default 0 */
    uint64_t seed;              /* of the order of examples and of the cut. Default 0 */
    gm_progress_fn progress;    /* Default NULL */
    void *user;
    gm_writer *jsonl, *csv;     /* every record as a line, written at once; NULL = none. A path starts empty, or goes on when the model has steps already */
    const char *checkpoint_path; /* written every checkpoint_steps steps, atomically. Default NULL */
    int64_t checkpoint_steps;   /* 0 = never. Default 0 */
} gm_fit_options;

/* Gives the word for a kind, "step" to "work"; "unknown" for other numbers. */
GM_API const char *gm_record_kind_name(gm_record_kind k);
/* Gives the word for an action: "continue", "stop", "cancel"; "unknown" for other numbers. */
GM_API const char *gm_action_name(gm_action a);
/* Gives the word for an event: "none", "nonfinite", "posterior_collapse" ...; "unknown" for other numbers. */
GM_API const char *gm_event_name(gm_event e);
/* Makes *r empty: every double NaN, texts "", epochs and steps -1, all else 0. At most size bytes are written; NULL is fine. */
GM_API void gm_record_init(gm_record *r, size_t size);
/* Writes the defaults named above into *o, at most size bytes of it. NULL is fine. */
GM_API void gm_fit_options_init(gm_fit_options *o, size_t size);
/* Writes a record as one line for a terminal or a log, without a line end; what does not apply is left out:
 *     epoch 3/10  step 1407/4690  objective 112.35  elbo -112.35  kl 24.10  51200 ex/s  ETA 0:07
 * 200 bytes hold any line but that of a long message. GM_E_LIMIT: it did not fit, and is cut; GM_E_INVALID: NULL, or n is 0. */
GM_CALL gm_record_text(const gm_record *r, char *to, size_t n);

/* What of p(x|z) an output is: its mean, or one draw. */
typedef int32_t gm_draw;
enum { GM_DRAW_MEAN, GM_DRAW_SAMPLE };
/* Gives "mean" or "sample", "unknown" for other numbers. */
GM_API const char *gm_draw_name(gm_draw d);

/* Options of sample. Row i of the output depends on (seed, first + i) alone: a second call with first = n goes on where one of n rows ended. */
typedef struct gm_sample_options {
    size_t size;
    uint64_t seed;     /* Default 0 */
    int64_t first;     /* Default 0 */
    double truncation; /* factor on z drawn from the prior, 0 to 1: below 1 samples are more typical and less varied. Default 1 */
    gm_draw draw;      /* Default GM_DRAW_MEAN */
} gm_sample_options;
/* Writes the defaults named above into *o, at most size bytes of it. NULL is fine. */
GM_API void gm_sample_options_init(gm_sample_options *o, size_t size);
#ifdef __cplusplus
}
#endif
#endif
