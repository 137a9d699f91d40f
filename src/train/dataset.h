/* SPDX-License-Identifier: MIT */
/* dataset.h: the struct behind gm_dataset, shared by the files data*.c and series.c alone.
 *
 * There are three kinds. A root over a tensor keeps rows of any strides, so that windows of a series may overlap in memory. A root over a callback has a
 * staging buffer. A view (a part of a split) has neither: its i-th row is row permute(offset + i) of its parent, so that a split costs no memory. */
#ifndef GMI_TRAIN_DATASET_H
#define GMI_TRAIN_DATASET_H
#include "train/data.h"

/* Rows of a tensor, the sample's axes cut into runs of evenly spaced elements. */
typedef struct gmi_rows {
    gm_tensor t;     /* a view struct: axis 0 counts rows */
    int32_t axis;    /* first axis inside a run */
    int64_t elems;   /* of a row */
    int64_t run, step; /* elements of a run, bytes from one to the next */
} gmi_rows;

struct gm_dataset {
    gm_context *ctx; /* retained */
    int32_t refs, busy;
    gm_spec spec;
    int64_t count, elems; /* count -1: endless */
    /* view */
    gm_dataset *parent; /* retained */
    uint64_t key;
    int64_t offset;
    /* root over a tensor */
    gm_tensor *keep; /* owns the memory */
    gmi_rows rows;
    int32_t *labels; /* [count], or NULL */
    gmi_real *conds; /* [count, cond_dim], or NULL */
    gmi_from_u8_fn *from_u8;
    /* root over a callback */
    gm_source source;
    int64_t staged; /* rows the buffers below have room for */
    int64_t *index;
    void *raw, *raw_cond;
};

/* Rows ready to be converted: row i is row gmi_batch_at(b, i) of rows, and is number gmi_batch_row(b, i) of the root, for messages. */
typedef struct gmi_batch {
    gm_dataset *d, *root;
    const int64_t *index;
    gmi_rows rows;
} gmi_batch;

void gmi_rows_init(gmi_rows *r);            /* from r->t */
const char *gmi_rows_run(const gmi_rows *r, int64_t row, int64_t k); /* where run k of a row begins */
void gmi_rows_double(const gmi_rows *r, int64_t row, double *out);
gm_status gmi_batch_open(gm_dataset *d, int64_t n, const int64_t *index, int want_cond, gmi_batch *b);
int64_t gmi_batch_at(const gmi_batch *b, int64_t i);
int64_t gmi_batch_row(const gmi_batch *b, int64_t i);
/* Row `row` of r as model values; 0 when one is NaN or infinite. from_u8 may be NULL. */
int gmi_rows_real(const gmi_rows *r, int64_t row, const gmi_scaler *s, gmi_from_u8_fn *from_u8, gmi_real *out);
/* Says what is wrong with a row that gmi_rows_real refused. */
gm_status gmi_rows_refuse(gm_context *c, const gmi_rows *r, int64_t at, int64_t row);

/* Labels in range, conditions finite; b, when not NULL, knows the numbers of the rows. */
gm_status gmi_labels_check(gm_context *c, const int32_t *labels, int64_t n, const gm_spec *spec, const gmi_batch *b);
gm_status gmi_conds_check(gm_context *c, const gmi_real *x, int64_t n, int64_t dim, const gmi_batch *b);

/* Checks and completes a spec: sizes, enums, bounds. data: dims and dtype may be left to the data. */
gm_status gmi_spec_check(gm_context *c, gm_spec *s, int data);
/* A root over x [n, ...]; takes x, labels [n] and conds [n, cond_dim] (from gmi_alloc; one of them or none) in every case. spec: rank 0 = dims of x, dtype 0 = of x,
 * classes 0 with labels = the largest + 1. */
gm_status gmi_dataset_make(gm_context *c, gm_tensor *x, const gm_spec *spec, int32_t *labels, gmi_real *conds, gm_dataset **out);
/* Windows of t [time, channels] or [time] as rows [channels, window]; takes t. */
gm_status gmi_dataset_windows(gm_context *c, gm_tensor *t, int64_t window, int64_t hop, const gm_spec *spec, gm_dataset **out);
#endif
