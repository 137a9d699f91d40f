/* SPDX-License-Identifier: MIT */
/* genrep/tensor.h: arrays at the boundary between host and library.
 *
 * A tensor is an element type, 0 to 8 dimensions and memory: its own, or the host's (wrapped), or a part of another tensor (a view). Elements lie in
 * row-major order, the last dimension next to each other, unless the host wraps memory with strides of its own. Images are [n, c, h, w], signals
 * [n, c, t], rows [n, columns], labels [n]. Dimensions may be 0. Models convert between the types by themselves; gm_tensor_copy does it by hand.
 *
 * A tensor and its views count references: they may be destroyed in any order, also after the context's handle. A tensor as an argument is borrowed for
 * the call. Unless a function says otherwise, a NULL context, tensor or output is GM_E_INVALID. */
#ifndef GENREP_TENSOR_H
#define GENREP_TENSOR_H
#include "base.h"
#include "io.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Element types, in the byte order of the machine. */
typedef int32_t gm_dtype;
enum { GM_F32 = 1, GM_F64, GM_U8, GM_I16, GM_I32, GM_I64 };

/* Returns the name of a type, "f32"; "unknown" for any other value. Static text. */
GM_API const char *gm_dtype_name(gm_dtype t);

/* Creates a tensor of zeros with memory of its own, aligned to 64 bytes. dims has `rank` values and may be NULL when rank is 0 (one element). Errors:
 * GM_E_DTYPE, GM_E_SHAPE (rank, a negative dimension, a size beyond int64_t), GM_E_NOMEM, GM_E_BUDGET. */
GM_CALL gm_tensor_create(gm_context *c, gm_dtype t, int32_t rank, GM_OPT const int64_t *dims, gm_tensor **out);

/* Makes a tensor of the host's memory, without a copy. `host` points to element (0, 0, ...) and must live as long as the tensor, its views and what
 * borrows them; it may be NULL when there are no elements. byte_strides NULL means row-major without gaps; else it has `rank` values: the bytes
 * from one index to the next, negative ones too, each a multiple of the type's alignment. Errors: as gm_tensor_create, and GM_E_INVALID for memory that is
 * NULL or not aligned for the type, or a stride of 0 (elements would overlap). */
GM_CALL gm_tensor_wrap(gm_context *c, gm_dtype t, int32_t rank, GM_OPT const int64_t *dims, GM_OPT const int64_t *byte_strides, void *host,
                       gm_tensor **out);

/* Makes a read-only tensor of the host's memory, without a copy. As gm_tensor_wrap, but a stride may be 0 (one element for a whole dimension), and as an
 * output of any call it is GM_E_READONLY. */
GM_CALL gm_tensor_wrap_const(gm_context *c, gm_dtype t, int32_t rank, GM_OPT const int64_t *dims, GM_OPT const int64_t *byte_strides, const void *host,
                             gm_tensor **out);

/* Points a wrapped tensor to other memory of the same type, shape and strides, writable from now on. Allocates nothing: for hot loops. Errors: GM_E_INVALID for
 * a tensor that was not wrapped, and for memory that gm_tensor_wrap would refuse; GM_E_BUSY while views of it exist. */
GM_CALL gm_tensor_rebind(gm_tensor *t, void *host);

/* Points a wrapped tensor to other memory, read-only from now on. Otherwise as gm_tensor_rebind. */
GM_CALL gm_tensor_rebind_const(gm_tensor *t, const void *host);

/* Makes a view of the indices begin <= i < end of one axis; the rank stays. The view keeps the tensor's memory alive and is read-only when the tensor is.
 * GM_E_RANGE for an axis or a range outside the tensor; GM_E_NOMEM. */
GM_CALL gm_tensor_slice(gm_tensor *t, int32_t axis, int64_t begin, int64_t end, gm_tensor **view);

/* Makes a view with other dimensions over the same elements in row-major order. GM_E_SHAPE when the number of elements differs, or when they do not lie
 * without gaps (a slice of inner dimensions, strides of the host's): copy those first. GM_E_NOMEM. */
GM_CALL gm_tensor_reshape(gm_tensor *t, int32_t rank, GM_OPT const int64_t *dims, gm_tensor **view);

/* Copies all elements into a tensor of the same dimensions, converting the type. Real numbers become integers by rounding to nearest, ties to even, and
 * clamping to the type's range; NaN becomes 0. Integers are clamped. What a real type cannot hold is rounded to nearest, or infinite. Memory of the two may
 * overlap. Errors: GM_E_SHAPE, GM_E_READONLY; GM_E_NOMEM and GM_E_BUDGET only for overlapping memory, which needs a third. */
GM_CALL gm_tensor_copy(gm_tensor *to, const gm_tensor *from);

/* Reads a NumPy .npy file, versions 1.0 to 3.0, of a type that has its like here, in C or Fortran order and either byte order. The result is
 * row-major with memory of its own. Errors: GM_E_IO, GM_E_FORMAT with the byte, GM_E_UNSUPPORTED for other types, GM_E_LIMIT,
 * GM_E_NOMEM, GM_E_BUDGET. */
GM_CALL gm_tensor_read_npy(gm_context *c, const gm_reader *r, gm_tensor **out);

/* Writes a tensor as a NumPy .npy file, version 1.0, little-endian, in C order: the same tensor gives the same bytes on every machine. Errors: GM_E_IO,
 * GM_E_LIMIT for a memory target that is too small, GM_E_NOMEM. */
GM_CALL gm_tensor_write_npy(const gm_tensor *t, gm_writer *w);

/* Drops the handle; the memory goes with the last view. The host's memory is never freed. t NULL does nothing. */
GM_API void gm_tensor_destroy(GM_OPT gm_tensor *t);

/* Returns a pointer to element (0, 0, ...), for writing; NULL when the tensor is read-only, or NULL. It lives as long as the tensor, or until a rebind. */
GM_API void *gm_tensor_data(gm_tensor *t);

/* Returns a pointer to element (0, 0, ...), for reading; NULL for NULL. It lives as long as the tensor, or until a rebind. */
GM_API const void *gm_tensor_data_const(const gm_tensor *t);

/* Returns dimension i; -1 outside 0 <= i < rank, and for NULL. */
GM_API int64_t gm_tensor_dim(const gm_tensor *t, int32_t i);

/* Returns the bytes from one index of dimension i to the next; 0 outside 0 <= i < rank, and for NULL. */
GM_API int64_t gm_tensor_byte_stride(const gm_tensor *t, int32_t i);

/* Returns the number of dimensions, 0 to 8; -1 for NULL. */
GM_API int32_t gm_tensor_rank(const gm_tensor *t);

/* Returns the element type; 0 for NULL. */
GM_API gm_dtype gm_tensor_dtype(const gm_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
