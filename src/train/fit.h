/* SPDX-License-Identifier: MIT */
/* fit.h: the training loop that every model family shares.
 *
 * A family gives the loop a table of functions; the loop owns order, counting, records, validation, early stopping, checkpoints and stopping. Its state is a
 * few numbers that go into checkpoints: the position in the data follows from the step counter (epoch = step / steps per epoch, shuffled order is a keyed
 * permutation of the epoch), so that train(2N) equals train(N) + save + load + train(N), also in the middle of an epoch. */
#ifndef GMI_TRAIN_FIT_H
#define GMI_TRAIN_FIT_H
#include "base/base.h"
#include "genrep/train.h"
#include "train/data.h"

/* Record fields that are averaged over an epoch. */
#define GMI_FIT_FIELDS(X) X(objective) X(elbo) X(recon) X(kl) X(d_loss) X(g_loss) X(d_real) X(d_fake) X(penalty)
enum {
#define GMI_FIT_ENUM(name) GMI_FIT_##name,
    GMI_FIT_FIELDS(GMI_FIT_ENUM) GMI_FIT_COUNT
#undef GMI_FIT_ENUM
};

typedef struct gmi_fit_state {
    int64_t step;      /* whole steps since the model began; indexes noise, schedules and data */
    int64_t examples;  /* trained on so far */
    int64_t rejected;  /* non-finite steps in a row */
    int64_t rows;      /* examples in sums: of the epoch under way */
    double sums[GMI_FIT_COUNT];    /* value times examples */
    double weights[GMI_FIT_COUNT]; /* examples of the steps that had the value */
    double *kl;        /* the same for kl_per_dim, n_kl of them; the family's memory */
    int64_t n_kl;
    int64_t bad;       /* validations without gain */
    int64_t best_epoch; /* -1 = none yet */
    double best;       /* criterion there */
    int32_t collapse_told; /* the event was sent */
    int32_t diverged_told;
    double lowest;         /* mean objective of the best epoch, NaN before the first */
} gmi_fit_state;
void gmi_fit_state_init(gmi_fit_state *s);

/* Examples of one step: index[0..n) of data, in micro-batches of `micro` whose gradients add up; epoch (real-valued) is for schedules. */
typedef struct gmi_fit_batch {
    gm_dataset *data;
    const int64_t *index;
    int64_t n, micro;
    double epoch;
} gmi_fit_batch;

/* Called once a mini-batch of a long piece of work; anything but GM_OK ends it. */
typedef gm_status (*gmi_tick_fn)(void *user, int64_t done, int64_t total);

typedef struct gmi_family {
    const char *call; /* "vae_fit" */
    void *self;
    gmi_fit_state *state;
    int32_t *busy;    /* set while the loop runs */
    /* Once, before the first step of this call: scaling, initial biases. */
    gm_status (*begin)(void *self, gm_dataset *train, const gm_fit_options *o);
    /* Compiles and allocates what steps of n examples of this dataset need. */
    gm_status (*reserve)(void *self, gm_dataset *train, int64_t n);
    /* One step; counts it. GM_E_NONFINITE with r->event set to GM_EVENT_NONFINITE: nothing but the step counter changed, go on. */
    gm_status (*step)(void *self, const gmi_fit_batch *b, gm_record *r);
    /* Figures on a dataset; *criterion is what early stopping compares: the objective under the schedules' final values. */
    gm_status (*evaluate)(void *self, gm_dataset *d, gmi_tick_fn tick, void *tick_user, gm_record *r, double *criterion);
    gm_status (*keep_best)(void *self); /* NULL: no early stopping, nothing is cut off for validation, and the two below may be NULL */
    /* The best weights become what inference sees. final: training ended early, they are the weights from now on. */
    void (*show_best)(void *self, int final);
    void (*show_current)(void *self); /* back to the weights of the last step, to go on training */
    gm_status (*checkpoint)(void *self, const char *path);
} gmi_family;

/* The loop; o may be NULL. Options are merged and checked here. The caller has entered the call and holds the object. */
gm_status gmi_fit(gm_context *c, const gmi_family *f, gm_dataset *d, const gm_fit_options *o);
/* Monotonic seconds of the host's clock, NaN without one. */
double gmi_clock(gm_context *c);
/* Drops the message of a failure that has been dealt with, so that the next one is the first again. */
void gmi_forget(gm_context *c);
#endif
