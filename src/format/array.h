/* SPDX-License-Identifier: MIT */
/* array.h: what npy, idx and wav share: elements of a file's type and byte order become a gm_tensor.
 *
 * Types that gm_dtype lacks are widened without loss: i8 -> I16, u16 -> I32, u32 -> I64, f16 -> F32, bool -> U8. A source of known length is compared
 * with the need before anything is allocated; of a source of unknown length (a pipe) the bytes are collected first, in blocks that double. */
#ifndef GMI_FORMAT_ARRAY_H
#define GMI_FORMAT_ARRAY_H
#include "base/base.h"
#include "tensor/tensor.h"

typedef struct gmi_array {
    char kind;         /* 'b' bool, 'u' unsigned, 'i' signed, 'f' float */
    int32_t width;     /* bytes per element in the file: 1, 2, 3 ('i', little-endian only), 4, 8 */
    int32_t big;       /* big-endian */
    int32_t fortran;   /* the first index runs fastest */
    gm_dtype dtype;    /* of the tensor; set by gmi_array_dtype */
    int32_t rank;
    int64_t dims[GMI_MAX_RANK];
    uint64_t bytes;    /* of the elements in the file; set by gmi_array_size */
} gmi_array;

gm_dtype gmi_array_dtype(char kind, int32_t width); /* 0 when there is none */
/* Sets dtype and bytes from the rest; format names the format in messages. Checks rank, overflow and the limits of the context. */
gm_status gmi_array_size(gm_context *c, const char *format, gmi_array *a);
/* Reads a->bytes bytes at the present position into a new tensor. trailing: 0 = anything after them is GM_E_FORMAT. */
gm_status gmi_array_read(gm_context *c, const char *format, gmi_in *in, const gmi_array *a, int trailing, gm_tensor **out);
/* n elements at from into dense host elements of a->dtype at `to`. */
void gmi_array_decode(const gmi_array *a, const uint8_t *from, int64_t n, void *to);
/* Writes the elements of t in row-major order, little- or big-endian; floats that are NaN in canonical form. */
gm_status gmi_array_write(const gm_tensor *t, int big, gmi_out *o);
#endif
