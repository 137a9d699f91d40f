/* SPDX-License-Identifier: MIT */
/* convert.h: rows of elements between types, one row at a time; strides are in bytes and may be anything, also 0 or negative.
 *
 * Two carriers: int64_t between integer types (exact), double where a real type takes part (exact for all but int64_t, which has its own path to
 * float). Integers from reals are rounded to nearest even, clamped, and 0 for NaN. */
#ifndef GMI_TENSOR_CONVERT_H
#define GMI_TENSOR_CONVERT_H
#include "tensor/tensor.h"

/* n elements at `from` of type f to elements at `to` of type t. */
void gmi_convert_row(int64_t n, gm_dtype t, char *to, int64_t to_stride, gm_dtype f, const char *from, int64_t from_stride);
/* out[i] = (gmi_real)x * scale + shift: the product and the sum are rounded separately. */
void gmi_row_to_real(int64_t n, gm_dtype f, const char *from, int64_t stride, gmi_real scale, gmi_real shift, gmi_real *out);
/* x = (in[i] - shift) / scale. */
void gmi_row_from_real(int64_t n, gm_dtype t, char *to, int64_t stride, gmi_real scale, gmi_real shift, const gmi_real *in);
int gmi_row_finite(int64_t n, gm_dtype f, const char *from, int64_t stride);
double gmi_round_even(double v); /* to an integer, ties to even; NaN and infinities as they are */
#endif
