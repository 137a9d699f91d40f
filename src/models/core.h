/* SPDX-License-Identifier: MIT */
/* core.h: what every model family is made of: data spec and scaling, weights and their moving average, compiled programs, the state of training.
 *
 * A family (vae, later gan) holds one gmi_core and adds its networks and objective. Three sets of weights may exist: `weights` (trained), `average` (their
 * moving average, seen by inference when on), and `shadow` (best so far, or the last ones while the best are shown). */
#ifndef GMI_MODELS_CORE_H
#define GMI_MODELS_CORE_H
#include "base/base.h"
#include "exec/exec.h"
#include "tensor/tensor.h"
#include "train/data.h"
#include "train/fit.h"
#include "train/step.h"

#define GMI_INFER_ROWS 256 /* the most rows of one inference program */
#define GMI_CORE_OPTIMIZERS 2

typedef enum { GMI_SHADOW_NONE, GMI_SHADOW_BEST, GMI_SHADOW_CURRENT } gmi_shadow;

typedef struct gmi_core gmi_core;

/* A kind of programs, and the rows they have; 0 rows = those of the batch. */
typedef struct gmi_kind {
    int32_t kind;
    int64_t rows;
} gmi_kind;
#define GMI_CORE_KINDS 8

struct gmi_core {
    gm_context *ctx;      /* retained */
    const char *family;   /* "vae" */
    int32_t refs, busy;
    gm_spec spec;         /* own copy */
    gmi_scaler scaler;
    int32_t scaler_fitted; /* on data */
    int64_t elems;        /* of one sample */
    gmi_within_fn *within; /* the check of values at the context's level, NULL in builds for devices */
    uint64_t seed;
    gm_params *weights, *average;
    int64_t average_at, average_state_at; /* where the average's first parameter and state stand in weights: it may cover a part of them */
    double ema_half_life; /* examples, 0 = no average */
    gmi_real *shadow;     /* values, states, and the average's of both; shadow_elems of them */
    int64_t shadow_elems;
    gmi_shadow shadow_is;
    gmi_real *sum_grad;   /* of micro-batches */
    gm_optimizer *optimizer[GMI_CORE_OPTIMIZERS];
    gmi_progs progs;
    /* The family's: which weights programs of a kind are bound to (NULL: none), and which kinds training and inference need. */
    gm_params *(*bound)(const gmi_core *m, int32_t kind);
    int32_t (*kinds)(const gmi_core *m, int training, gmi_kind *to);
    int64_t reserved;     /* rows of gm_*_reserve, 0 = none */
    int64_t most;         /* rows of an inference program: a power of 4, GMI_INFER_ROWS at most */
    gmi_fit_state fit;
};

gm_status gmi_core_init(gmi_core *m, gm_context *c, const char *family, const gm_spec *x, uint64_t seed, gmi_prog_build_fn build, void *self);
void gmi_core_free(gmi_core *m);

/* ---- scaling known without data (core_scale.c) ---- */
/* Resolves AUTO and sets the scaler where data need not be seen; else it is the identity until it is fitted. */
gm_status gmi_core_scaling(gmi_core *m);
/* Model value = data - lo: class indices. */
gm_status gmi_core_offset(gmi_core *m, double lo);
/* Fits what needs data on the training part, once. */
gm_status gmi_core_fit_scaling(gmi_core *m, gm_dataset *d);

/* ---- arguments at the boundary ---- */
/* x is [n, dims...] in the spec's dtype or f32; name is the argument's in messages. */
gm_status gmi_core_check_x(const gmi_core *m, const gm_tensor *x, const char *name, int64_t *n);
gm_status gmi_core_check_out(const gmi_core *m, const gm_tensor *x, const char *name, int64_t n);
/* t is f32 [n, d]. writable: it is an output. */
gm_status gmi_core_check_rows(const gmi_core *m, const gm_tensor *t, const char *name, int64_t n, int64_t d, int writable);
/* Labels i32 [n] in range, or f32 [n, cond_dim]; NULL is an error where the model needs one. */
gm_status gmi_core_check_cond(const gmi_core *m, const gm_tensor *cond, int64_t n);
int64_t gmi_core_cond_elems(const gmi_core *m); /* of one example */
/* Rows [r0, r0 + n) scaled into `to`; refuses NaN, infinities and values outside [lo, hi] (of the model's units; lo > hi: no bounds) with the row's number. */
gm_status gmi_core_load_x(const gmi_core *m, const gm_tensor *x, int64_t r0, int64_t n, double lo, double hi, gmi_real *to);
void gmi_core_load_cond(const gmi_core *m, const gm_tensor *cond, int64_t r0, int64_t n, void *to);
gm_status gmi_core_check_values(const gmi_core *m, const gmi_real *x, int64_t n, int64_t first, double lo, double hi);

/* ---- inference in chunks ---- */
/* Rows of the program that takes the next `left` rows: a reserved size, or the next of 1, 4, 16, 64, 256. What a program has beyond the rows left is zeros:
 * rows do not see each other at inference, so results do not depend on the split. */
int64_t gmi_core_chunk(const gmi_core *m, int32_t kind, int32_t draws, int64_t left);
gm_params *gmi_core_shown(const gmi_core *m); /* what inference uses */
/* Samples to be read by their numbers: rows of tensors, or of a dataset (d not NULL). */
typedef struct gmi_core_rows {
    const gm_tensor *x, *cond;
    gm_dataset *d;
} gmi_core_rows;

/* The program of a kind with the weights that it uses. */
gm_status gmi_core_prog(gmi_core *m, int32_t kind, int32_t draws, int64_t rows, gmi_prog **p);
/* Rows [r0, r0 + n) of a host's tensor into the program's x, checked (lo, hi as in gmi_core_load_x); what is left of its rows is zeros. A dense block of the compute
 * type that needs no scaling is read where it is. */
gm_status gmi_core_feed_x(gmi_core *m, gmi_prog *p, const gm_tensor *x, int64_t r0, int64_t n, double lo, double hi);
void gmi_core_feed_cond(gmi_core *m, gmi_prog *p, const gm_tensor *cond, int64_t r0, int64_t n);
/* The dataset's samples (and conditions, where they matter) are the model's. */
gm_status gmi_core_fits(const gmi_core *m, int conditional, gm_dataset *d);
/* z as an argument of that name: f32 [n, d] with finite values. */
gm_status gmi_core_check_z(const gmi_core *m, const gm_tensor *z, const char *name, int64_t d, int64_t *n);
/* Options of sample, merged and checked. */
gm_status gmi_core_sample_options(const gmi_core *m, const gm_sample_options *given, gm_sample_options *o);
/* Puts the option's name into a message that only knows a column of its text; s back. */
gm_status gmi_core_of_option(gm_context *c, gm_status s, const char *name);
/* Memory of rows [r0, r0 + n) when a program of `rows` rows may use it directly, else NULL. */
gmi_real *gmi_core_direct(const gm_tensor *t, int64_t r0, int64_t rows, int64_t elems, int64_t n);

/* ---- memory (core_memory.c) ---- */
typedef struct gmi_need {
    uint64_t keep, most; /* bytes in the end, and at the worst moment on the way there */
} gmi_need;
/* Adds the programs for a batch that are not there yet: those of training, or of inference. */
gm_status gmi_core_need(gmi_core *m, int64_t batch, int training, gmi_need *n);
/* GM_E_BUDGET with need, limit and the largest batch that fits, when the programs of a batch would exceed the context's limit. */
gm_status gmi_core_budget(gmi_core *m, int64_t batch, int inference);
/* Compiles them. */
gm_status gmi_core_compile(gmi_core *m, int64_t batch, int training);
/* All of gm_*_reserve but what the family makes ready before. */
gm_status gmi_core_reserve(gmi_core *m, int64_t batch);

/* ---- training ---- */
/* Finds where the average's leaves stand in the weights. */
void gmi_core_average_place(gmi_core *m);
/* The average begins as the weights. */
void gmi_core_average_reset(gmi_core *m);
/* After an accepted step of n examples. */
void gmi_core_average_update(gmi_core *m, int64_t n);
/* Gradients, next states and the average exist (a model loaded for inference has none until it trains). g: the training graph, for their shapes. */
gm_status gmi_core_train_ready(gmi_core *m, int accumulate);
gm_status gmi_core_keep_best(gmi_core *m);
void gmi_core_show_best(gmi_core *m, int final);
void gmi_core_show_current(gmi_core *m);
/* Gradient accumulation: sum += weight * gradient (first: =); then back into the gradient, times scale. */
void gmi_core_grad_add(gmi_core *m, gmi_real weight, int first);
void gmi_core_grad_take(gmi_core *m, gmi_real scale);
/* Call boundary: GM_E_BUSY when fit is running and the call may not run inside it. */
gm_status gmi_core_enter(gmi_core *m, int allowed_inside);
#endif
