/* SPDX-License-Identifier: MIT */
/* ema.h: an exponential moving average of parameters, for train/ and models/. */
#ifndef GMI_TRAIN_EMA_H
#define GMI_TRAIN_EMA_H
#include "train/params.h"

typedef struct gmi_ema {
    gm_params *w;      /* retained */
    int64_t lo, hi;    /* part of the parameter arena; average[e] belongs to parameter lo + e */
    gmi_real *average;
    double half_life;  /* examples */
    double seen;       /* examples averaged so far */
    int32_t swapped;
    gmi_kernels k;
} gmi_ema;
/* Starts at the present values of the parameters with that prefix ("" = all). half_life > 0, in examples. */
gm_status gmi_ema_create(gm_params *w, const char *prefix, double half_life, gmi_ema **out);
/* After an accepted step over `examples` examples: average = d * average + (1 - d) * value, d = 2^(-examples / half_life). */
void gmi_ema_update(gmi_ema *e, int64_t examples);
/* Exchanges average and values: once to use the averaged weights, once more to train on. */
void gmi_ema_swap(gmi_ema *e);
/* Starts anew at the present values. */
void gmi_ema_reset(gmi_ema *e);
gm_status gmi_ema_named(const gmi_ema *e, const char *prefix /* "ema." */, gmi_named_set *s);
uint64_t gmi_ema_bytes(int64_t elems);
void gmi_ema_destroy(gmi_ema *e);
#endif
