/* SPDX-License-Identifier: MIT */
/* idx.h: the array file of the MNIST family: 0 0 type rank | u32 dims | elements, all big-endian (http://yann.lecun.com/exdb/mnist/). */
#ifndef GMI_FORMAT_IDX_H
#define GMI_FORMAT_IDX_H
#include "format/array.h"
gm_status gmi_idx_header(gm_context *c, gmi_in *in, gmi_array *a); /* leaves `in` at the first element */
gm_status gmi_idx_read(gm_context *c, gmi_in *in, gm_tensor **out);
gm_status gmi_idx_write(const gm_tensor *t, gmi_out *o); /* GM_E_DTYPE for I64, GM_E_SHAPE for rank 0 or a dimension of 2^32 or more */
#endif
