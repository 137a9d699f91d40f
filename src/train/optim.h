/* SPDX-License-Identifier: MIT */
/* optim.h: the inside of gm_optimizer, for train/, models/ and repr/. */
#ifndef GMI_TRAIN_OPTIM_H
#define GMI_TRAIN_OPTIM_H
#include "nn/nn.h"
#include "train/params.h"

/* Options in the order of the canonical text. */
enum {
    GMI_H_LR, GMI_H_MOMENTUM, GMI_H_DAMPENING, GMI_H_NESTEROV, GMI_H_ALPHA, GMI_H_CENTERED, GMI_H_BETA1, GMI_H_BETA2, GMI_H_LR_DECAY, GMI_H_INITIAL, GMI_H_EPS,
    GMI_H_WEIGHT_DECAY, GMI_H_DECAY, GMI_H_MAXIMIZE, GMI_H_CLIP_NORM, GMI_H_CLIP_VALUE, GMI_H_ACCUMULATE, GMI_H_COUNT
};
/* A rule with the values of its options. */
typedef struct gmi_rule {
    int32_t row;           /* of the table of rules (optim_text.c) */
    double h[GMI_H_COUNT]; /* negative: the rule has no such option */
} gmi_rule;
typedef struct gmi_rule_info {
    const char *word;
    int32_t kernel, kernel_plain; /* GMI_O_x with its moments, and without momentum (sgd) */
    int32_t decoupled;
    const char *s1, *s2;          /* PyTorch's names of the moments */
    double dflt[GMI_H_COUNT];
} gmi_rule_info;
const gmi_rule_info *gmi_rule_table(const gmi_rule *r);
/* One phrase, "adam lr=2e-4 beta1=0", and nothing after it. */
gm_status gmi_rule_parse(gm_context *c, const char *text, gmi_rule *out);
gm_status gmi_rule_from_phrase(gm_context *c, const gmi_phrase *p, const char *also, gmi_rule *out);
void gmi_rule_text(const gmi_rule *r, gmi_buf *b);
const char *gmi_rule_option(int32_t i); /* "lr", ... */
gm_status gmi_rule_set(gm_context *c, gmi_rule *r, const char *name, double value);
int32_t gmi_rule_moments(const gmi_rule *r);           /* 0, 1 or 2 arenas */
int gmi_rule_same_memory(const gmi_rule *a, const gmi_rule *b);

/* What a step needs to go on: all of it is in a checkpoint. */
typedef struct gmi_optim_counters {
    int64_t steps, updates, micro;  /* calls; updates of the parameters; gradients accumulated so far */
    double beta1_t, beta2_t;        /* running products of beta, as the kernels see them */
} gmi_optim_counters;

typedef struct gmi_optim_task {
    int64_t begin, n, block; /* elements of the arena; first block of its sums of squares */
    gmi_real lr_factor;
    int32_t decay;
} gmi_optim_task;

struct gm_optimizer {
    gm_context *ctx;
    gm_params *w;            /* retained */
    gmi_rule rule, next_rule; /* next_*: read from a checkpoint, not adopted yet */
    gmi_optim_counters n, next_n;
    int64_t lo, hi;          /* part of the parameter arena that the moments cover: moment e belongs to parameter lo + e */
    gmi_real *s1, *s2, *sum; /* moments; accumulated gradients */
    gmi_real *squares;       /* sums of squares of blocks */
    int64_t blocks;
    float *slot_lr;          /* per parameter slot: learning-rate factor, negative = not covered or frozen */
    uint8_t *slot_decay;
    gmi_optim_task *task;
    int32_t n_task;
    gmi_kernels k;
};

/* Over the parameters "prefix" or "prefix.*" alone; "" = all. */
gm_status gmi_optimizer_create_prefix(gm_params *w, const char *prefix, const char *text, gm_optimizer **out);
/* Learning-rate factor, decay on or off, frozen (no update, no part of the norm) for the parameters with that prefix. */
gm_status gmi_optimizer_tune(gm_optimizer *p, const char *prefix, double lr_factor, int decay, int frozen);
/* gm_optimizer_step without entering: the call under way is the caller's. */
gm_status gmi_optimizer_step(gm_optimizer *p, GM_OPT double *grad_norm);
gm_status gmi_optimizer_set(gm_optimizer *p, const char *name, double value);
double gmi_optimizer_get(const gm_optimizer *p, const char *name); /* 0 when the rule has no such option */
int64_t gmi_optimizer_steps(const gm_optimizer *p);   /* calls of step, rejected ones too */
int64_t gmi_optimizer_updates(const gm_optimizer *p); /* updates of the parameters */
/* "adam lr=0.0002 beta1=0": the rule, its options as they are now where they differ from the defaults. */
gm_status gmi_optimizer_text(const gm_optimizer *p, gmi_buf *b);
/* The same for a text, without an optimizer; also the check of a text. */
gm_status gmi_optimizer_normalize(gm_context *c, const char *text, gmi_buf *b);
/* Bytes that an optimizer over `elems` elements of the arena takes. */
gm_status gmi_optimizer_bytes(gm_context *c, const char *text, int64_t elems, uint64_t *bytes);
/* Checkpoint: moments (and a started accumulation) as "<prefix>exp_avg.<parameter>", and one line of text with the rule, options and counters. */
gm_status gmi_optimizer_named(const gm_optimizer *p, const char *prefix, gmi_named_set *s);
gm_status gmi_optimizer_state_text(const gm_optimizer *p, gmi_buf *b);
/* In two halves, so that a checkpoint is read whole or not at all: check reads the line into *p's shadow, adopt makes it current. */
gm_status gmi_optimizer_state_check(gm_optimizer *p, const char *text);
void gmi_optimizer_state_adopt(gm_optimizer *p);
#endif
