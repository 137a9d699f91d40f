/* SPDX-License-Identifier: MIT */
/* genrep/tensor.h: arrays at the boundary between host and library; row-major unless wrapped with strides. */
#ifndef GENREP_TENSOR_H
#define GENREP_TENSOR_H
#include "base.h"
#include "io.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef int32_t gm_dtype;
enum { GM_F32 = 1, GM_F64, GM_U8, GM_I16, GM_I32, GM_I64 };
GM_API const char *gm_dtype_name(gm_dtype t);
GM_CALL gm_tensor_create(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, gm_tensor **out);
GM_CALL gm_tensor_wrap(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, GM_OPT const int64_t *byte_strides, void *host, gm_tensor **out);
GM_CALL gm_tensor_wrap_const(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, GM_OPT const int64_t *byte_strides, const void *host,
                             gm_tensor **out);
GM_CALL gm_tensor_rebind(gm_tensor *t, void *host);
GM_CALL gm_tensor_rebind_const(gm_tensor *t, const void *host);
GM_CALL gm_tensor_slice(gm_tensor *t, int32_t axis, int64_t begin, int64_t end, gm_tensor **view);
GM_CALL gm_tensor_reshape(gm_tensor *t, int32_t rank, const int64_t *dims, gm_tensor **view);
GM_CALL gm_tensor_copy(gm_tensor *to, const gm_tensor *from);
GM_CALL gm_tensor_read_npy(gm_context *c, const gm_reader *r, gm_tensor **out);
GM_CALL gm_tensor_write_npy(const gm_tensor *t, gm_writer *w);
GM_API void gm_tensor_destroy(GM_OPT gm_tensor *t);
GM_API void *gm_tensor_data(gm_tensor *t);
GM_API const void *gm_tensor_data_const(const gm_tensor *t);
GM_API int64_t gm_tensor_dim(const gm_tensor *t, int32_t i);
GM_API int64_t gm_tensor_byte_stride(const gm_tensor *t, int32_t i);
GM_API int32_t gm_tensor_rank(const gm_tensor *t);
GM_API gm_dtype gm_tensor_dtype(const gm_tensor *t);
#ifdef __cplusplus
}
#endif
#endif
