/* SPDX-License-Identifier: MIT */
/* data.h: the inside of gm_dataset for models/ and repr/. */
#ifndef GMI_TRAIN_DATA_H
#define GMI_TRAIN_DATA_H
#include "base/base.h"
#include "genrep/data.h"
#include "kernels/kernels.h"
#include "tensor/tensor.h"
#include "train/columns.h"

/* Scaling as a model stores it: model value = data * scale + shift per element of a sample (n = 1: one for all; else one an element or column). */
typedef struct gmi_scaler {
    int64_t n;
    double *scale, *shift; /* owned by the model; NULL when n == 0: identity */
    gm_scaling kind;       /* resolved, never AUTO */
} gmi_scaler;

/* The i-th example of epoch e in shuffled order is gmi_permute(i, count, key(seed, e)); a data position is (epoch, index): no other state. */
int64_t gmi_dataset_count(const gm_dataset *d); /* -1 endless */
int64_t gmi_dataset_sample_elems(const gm_dataset *d);
/* Rows index[0..n) as the compute type after scaling (s may be NULL: identity), dense [n, elems] into x; labels (i32 [n]) or real conditions ([n, cond_dim]) into cond, may be NULL.
 * A row with a NaN or infinity is GM_E_NONFINITE naming its number. No allocation after gmi_dataset_reserve(d, n). */
gm_status gmi_dataset_fetch(gm_dataset *d, int64_t n, const int64_t *index, const gmi_scaler *s, gmi_real *x, void *cond);
gm_status gmi_dataset_reserve(gm_dataset *d, int64_t n);
void gmi_dataset_retain(gm_dataset *d);
/* Fits spec's scaling on the first `rows` rows named by index (NULL = all): AUTO means u8 and bounded data UNIT, else STANDARD. Fills out with arrays from ctx. */
gm_status gmi_scaler_fit(gm_context *c, gm_dataset *d, const int64_t *index, int64_t rows, gm_scaling want, gmi_scaler *out);
gm_status gmi_scaler_copy(gm_context *c, const gmi_scaler *from, gmi_scaler *to); /* to's old arrays are freed */
/* One constant a column: real columns to mean 0 and deviation 1 over the cells that are there, the others as they are. kind is STANDARD. */
gm_status gmi_scaler_fit_columns(gm_context *c, gm_dataset *d, const gmi_columns *k, int64_t rows, gmi_scaler *out);
void gmi_scaler_free(gm_context *c, gmi_scaler *s);
/* Host tensor rows [r0, r1) to the compute type (scaled) and back (undone, rounded and clamped to an integer dtype's range or [lo,hi]). */
gm_status gmi_scaler_apply(const gmi_scaler *s, const gm_tensor *t, int64_t r0, int64_t r1, gmi_real *out);
gm_status gmi_scaler_undo(const gmi_scaler *s, const gm_spec *spec, const gmi_real *in, gm_tensor *t, int64_t r0, int64_t r1);
/* ---- rows of mixed tables, as the data has them: cells in double, NaN where one is missing, checked against their columns ---- */
/* Takes the cells of row i of those asked for. */
typedef gm_status (*gmi_cells_fn)(void *user, int64_t i, const double *cell);
/* Rows index[0..n) of a dataset; cell is room for a row; conditions as in gmi_dataset_fetch. */
gm_status gmi_dataset_cells(gm_dataset *d, int64_t n, const int64_t *index, const gmi_columns *k, double *cell, gmi_cells_fn fn, void *user, void *cond);
/* Rows [r0, r1) of a tensor [n, columns]. */
gm_status gmi_tensor_cells(const gm_tensor *t, int64_t r0, int64_t r1, const gmi_columns *k, double *cell, gmi_cells_fn fn, void *user);
void gmi_tensor_put_cells(gm_tensor *t, int64_t row, const double *cell); /* rounded and clamped to integer types */
/* Deep copy and release of a spec (columns text owned). */
gm_status gmi_spec_copy(gm_context *c, const gm_spec *from, gm_spec *to);
void gmi_spec_free(gm_context *c, gm_spec *s);
#endif
