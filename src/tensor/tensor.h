/* SPDX-License-Identifier: MIT */
/* tensor.h: the inside of gm_tensor, for the folders right of tensor/. */
#ifndef GMI_TENSOR_TENSOR_H
#define GMI_TENSOR_TENSOR_H
#include "base/base.h"
#include "genrep/tensor.h"
#include "kernels/kernels.h"

struct gm_tensor {
    gm_context *ctx;    /* retained */
    int32_t refs;       /* handle and views */
    gm_dtype dtype;
    int32_t rank;
    int32_t readonly;
    int64_t dims[GMI_MAX_RANK];
    int64_t strides[GMI_MAX_RANK]; /* bytes */
    void *data;
    gm_tensor *parent;  /* a view's owner, retained */
    void *owned;        /* memory of this tensor, freed with it */
    void (*keep_free)(void *keep); /* called with keep when the tensor dies: views of parameters keep their owner alive */
    void *keep;
};
#ifdef GMI_ORACLE
#define GMI_DTYPE_REAL GM_F64
#else
#define GMI_DTYPE_REAL GM_F32
#endif
size_t gmi_dtype_size(gm_dtype t);               /* 0 when unknown */
int64_t gmi_tensor_count(const gm_tensor *t);
int gmi_tensor_dense(const gm_tensor *t);        /* row-major without gaps */
/* Inits a view struct on the stack or inside another object: no allocation, no reference. data is dense row-major. */
void gmi_tensor_view(gm_tensor *t, gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, void *data);
/* out[i] = (gmi_real)t[row, i] * scale + shift for rows [r0, r1) of axis 0, dense row-major; any dtype and strides. */
void gmi_tensor_to_real(const gm_tensor *t, int64_t r0, int64_t r1, gmi_real scale, gmi_real shift, gmi_real *out);
/* The inverse: t[row, i] = (in - shift) / scale; integer types are rounded to nearest even and clamped to their range; NaN becomes 0 there. */
void gmi_tensor_from_real(gm_tensor *t, int64_t r0, int64_t r1, gmi_real scale, gmi_real shift, const gmi_real *in);
/* First row of [r0, r1) with a NaN or infinity, or -1 (integer types: -1). */
int64_t gmi_tensor_nonfinite_row(const gm_tensor *t, int64_t r0, int64_t r1);
/* "x is [64,1,28,28] u8" for messages: writes into to. */
size_t gmi_tensor_describe(const gm_tensor *t, char *to, size_t n);
#endif
