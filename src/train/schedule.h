/* SPDX-License-Identifier: MIT */
/* schedule.h: the inside of gm_schedule, for train/ and models/. */
#ifndef GMI_TRAIN_SCHEDULE_H
#define GMI_TRAIN_SCHEDULE_H
#include "base/base.h"
#include "genrep/optim.h"

struct gm_schedule {
    gm_context *ctx;  /* retained */
    int32_t kind;
    int32_t by_steps; /* lengths count steps, not epochs */
    double from, to;  /* value before and after */
    double gamma, every;
    double length, start;
    double warmup;    /* steps */
};
/* Without entering; the text's first column is 1. */
gm_status gmi_schedule_parse(gm_context *c, const char *text, gm_schedule **out);
double gmi_schedule_value(const gm_schedule *s, int64_t step, double epoch);
/* The canonical text. */
gm_status gmi_schedule_text(const gm_schedule *s, gmi_buf *b);
/* The same value at every step and epoch. */
int gmi_schedule_is_constant(const gm_schedule *s);
#endif
