/* SPDX-License-Identifier: MIT */
/* genrep/graph.h: symbolic expressions, their gradients (graphs again, to any order), compiled programs and runs.
 *
 * A graph knows shapes, not numbers. Builders return a node and nest freely: after a failure they return id 0, and gm_graph_status or
 * gm_program_compile gives the first failure. Values are GM_F32 (indices GM_I32), row-major: images [n,c,h,w], signals [n,c,t], rows [n,columns].
 * Binary builders broadcast as NumPy does. A program is immutable and may be shared by threads; a run is one thread's. */
#ifndef GENREP_GRAPH_H
#define GENREP_GRAPH_H
#include "base.h"
#include "io.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef struct gm_node {
    uint32_t id;
} gm_node;
/* A convolution over the last two axes [h, w]; zeros in stride, dilation and groups are invalid, gm_conv_init writes ones and no padding. */
typedef struct gm_conv {
    size_t size;
    int64_t stride[2], pad_begin[2], pad_end[2], dilation[2], output_padding[2] /* transposed only */, groups;
} gm_conv;
typedef int32_t gm_resize;
enum { GM_RESIZE_NEAREST, GM_RESIZE_BILINEAR };
GM_API void gm_conv_init(gm_conv *o, size_t size);

GM_CALL gm_graph_create(gm_context *c, gm_graph **out);
GM_API void gm_graph_destroy(GM_OPT gm_graph *g);
GM_CALL gm_graph_status(const gm_graph *g);
GM_CALL gm_graph_print(const gm_graph *g, const char *form /* "text", "dot" */, gm_writer *w);
GM_API int32_t gm_graph_rank(const gm_graph *g, gm_node a);
GM_API int64_t gm_graph_dim(const gm_graph *g, gm_node a, int32_t axis);

/* ---- leaves ---- */
GM_API gm_node gm_graph_input(gm_graph *g, const char *name, gm_dtype t, int32_t rank, const int64_t *dims);
GM_API gm_node gm_graph_param(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
/* A value kept from step to step (statistics): read as it was before the step; gm_graph_update names what it becomes when the step is accepted. */
GM_API gm_node gm_graph_state(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
GM_API void gm_graph_update(gm_graph *g, gm_node state, gm_node value);
GM_API gm_node gm_op_scalar(gm_graph *g, double value);
/* Draws: row r of axis 0 and its element e depend on (seed, key, step, first + r) alone. rows_per_example k > 1: rows k*i .. k*i+k-1 belong to example i. */
GM_API gm_node gm_op_random_normal(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows_per_example);
GM_API gm_node gm_op_random_uniform(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows_per_example);

/* ---- any op by its name in docs/ops.md; o is its attributes as text ("axis=1 keep=1"), may be NULL ---- */
GM_API gm_node gm_op(gm_graph *g, const char *op, int32_t n, const gm_node *in, GM_OPT const char *o);

/* ---- elementwise ---- */
GM_API gm_node gm_op_neg(gm_graph *g, gm_node a);
GM_API gm_node gm_op_abs(gm_graph *g, gm_node a);
GM_API gm_node gm_op_sign(gm_graph *g, gm_node a);
GM_API gm_node gm_op_floor(gm_graph *g, gm_node a);
GM_API gm_node gm_op_square(gm_graph *g, gm_node a);
GM_API gm_node gm_op_recip(gm_graph *g, gm_node a);
GM_API gm_node gm_op_sqrt(gm_graph *g, gm_node a);
GM_API gm_node gm_op_rsqrt(gm_graph *g, gm_node a);
GM_API gm_node gm_op_exp(gm_graph *g, gm_node a);
GM_API gm_node gm_op_expm1(gm_graph *g, gm_node a);
GM_API gm_node gm_op_log(gm_graph *g, gm_node a);
GM_API gm_node gm_op_log1p(gm_graph *g, gm_node a);
GM_API gm_node gm_op_tanh(gm_graph *g, gm_node a);
GM_API gm_node gm_op_sigmoid(gm_graph *g, gm_node a);
GM_API gm_node gm_op_softplus(gm_graph *g, gm_node a);
GM_API gm_node gm_op_erf(gm_graph *g, gm_node a);
GM_API gm_node gm_op_sin(gm_graph *g, gm_node a);
GM_API gm_node gm_op_cos(gm_graph *g, gm_node a);
GM_API gm_node gm_op_lgamma(gm_graph *g, gm_node a);
GM_API gm_node gm_op_polygamma(gm_graph *g, gm_node a, int32_t order);
GM_API gm_node gm_op_digamma(gm_graph *g, gm_node a);
GM_API gm_node gm_op_relu(gm_graph *g, gm_node a);
GM_API gm_node gm_op_leaky_relu(gm_graph *g, gm_node a, double slope);
GM_API gm_node gm_op_step(gm_graph *g, gm_node a);
GM_API gm_node gm_op_add(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_sub(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_mul(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_div(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_max(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_min(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_lt(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_le(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_eq(gm_graph *g, gm_node a, gm_node b);
GM_API gm_node gm_op_select(gm_graph *g, gm_node c, gm_node a, gm_node b);
GM_API gm_node gm_op_scale(gm_graph *g, gm_node a, double factor);
GM_API gm_node gm_op_shift(gm_graph *g, gm_node a, double term);
GM_API gm_node gm_op_stop_gradient(gm_graph *g, gm_node a);
GM_API gm_node gm_op_to_real(gm_graph *g, gm_node i32);

/* ---- shape; axis counts from 0, negative from the end; in reshape one dim may be -1 ---- */
GM_API gm_node gm_op_reshape(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims);
GM_API gm_node gm_op_flatten(gm_graph *g, gm_node a); /* [n, ...] to [n, rest] */
GM_API gm_node gm_op_permute(gm_graph *g, gm_node a, const int32_t *order);
GM_API gm_node gm_op_broadcast(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims);
GM_API gm_node gm_op_slice(gm_graph *g, gm_node a, int32_t axis, int64_t begin, int64_t end);
GM_API gm_node gm_op_pad(gm_graph *g, gm_node a, int32_t axis, int64_t before, int64_t after);
GM_API gm_node gm_op_concat(gm_graph *g, int32_t n, const gm_node *parts, int32_t axis);

/* ---- reductions over axes (a bit mask: 1 << axis); keep != 0 leaves them as 1 ---- */
GM_API gm_node gm_op_sum(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
GM_API gm_node gm_op_mean(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
GM_API gm_node gm_op_reduce_max(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
GM_API gm_node gm_op_logsumexp(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
GM_API gm_node gm_op_softmax(gm_graph *g, gm_node a, int32_t axis);
GM_API gm_node gm_op_argmax(gm_graph *g, gm_node a, int32_t axis); /* GM_I32, the first of equals */

/* ---- linear maps ---- */
GM_API gm_node gm_op_matmul(gm_graph *g, gm_node a, gm_node b, int32_t transpose_a, int32_t transpose_b); /* leading axes are batches */
GM_API gm_node gm_op_conv2d(gm_graph *g, gm_node x, gm_node w, GM_OPT const gm_conv *o);           /* w [co, c/groups, kh, kw] */
GM_API gm_node gm_op_conv_transpose2d(gm_graph *g, gm_node x, gm_node w, GM_OPT const gm_conv *o); /* w [c, co/groups, kh, kw] */
GM_API gm_node gm_op_max_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], GM_OPT const gm_conv *o);
GM_API gm_node gm_op_avg_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], GM_OPT const gm_conv *o);
GM_API gm_node gm_op_resize2d(gm_graph *g, gm_node x, int64_t h, int64_t w, gm_resize mode);
GM_API gm_node gm_op_gather(gm_graph *g, gm_node table, gm_node rows_i32);            /* [v, ...], [n] to [n, ...] */
GM_API gm_node gm_op_scatter_add(gm_graph *g, gm_node values, gm_node rows_i32, int64_t rows); /* its adjoint */
GM_API gm_node gm_op_one_hot(gm_graph *g, gm_node i32, int64_t depth);                /* [..] to [.., depth] */

/* ---- gradients ---- */
GM_API void gm_graph_grad(gm_graph *g, gm_node y, int32_t n, const gm_node *wrt, gm_node *grads);
GM_API void gm_graph_backward(gm_graph *g, gm_node loss);

/* ---- programs and runs ---- */
GM_CALL gm_program_compile(gm_graph *g, int32_t n, const gm_node *outputs, const gm_program **out);
GM_API void gm_program_destroy(GM_OPT const gm_program *p);
GM_API uint64_t gm_program_run_bytes(const gm_program *p);
GM_CALL gm_program_print(gm_context *c, const gm_program *p, gm_writer *w);
GM_CALL gm_run_create(gm_context *c, const gm_program *p, GM_OPT gm_params *w, gm_run **out);
GM_API void gm_run_destroy(GM_OPT gm_run *r);
GM_CALL gm_run_exec(gm_run *r, uint64_t seed, int32_t n_in, gm_tensor *const *in, int32_t n_out, gm_tensor *const *out);
#ifdef __cplusplus
}
#endif
#endif
