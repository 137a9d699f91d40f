/* SPDX-License-Identifier: MIT */
/* record.h: records of training as lines of a file: JSON Lines or CSV, written through a gm_writer.
 *
 * Unlike a model file a log is not replaced at the end: a path is written in place, one whole line at a time, so that it can be followed while training runs
 * and survives a crash up to its last line. After the first lines no call allocates. */
#ifndef GMI_TRAIN_RECORD_H
#define GMI_TRAIN_RECORD_H
#include "base/base.h"
#include "genrep/train.h"

typedef struct gmi_record_log {
    gm_context *ctx;
    gm_writer *w;     /* NULL: closed, and every call does nothing */
    int32_t csv;      /* else JSON Lines */
    int32_t fd;       /* of a path, else -1 */
    int32_t titles;   /* csv: the first line is still to be written */
    gm_status failed; /* sticky */
    gmi_buf line;
} gmi_record_log;

/* w NULL gives a log that does nothing. append: lines follow those that a path already has (a run that is resumed); else it starts empty. */
gm_status gmi_record_log_open(gm_context *c, gm_writer *w, int csv, int append, gmi_record_log *l);
gm_status gmi_record_log_add(gmi_record_log *l, const gm_record *r);
gm_status gmi_record_log_close(gmi_record_log *l, gm_status s); /* s, or what closing found; also after a failed open, and twice */
#endif
