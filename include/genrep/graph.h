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
/* Writes the defaults: stride, dilation and groups 1, no padding; never past size bytes. */
GM_API void gm_conv_init(gm_conv *o, size_t size);

/* Makes an empty graph in *out (NULL on failure): one reference, dropped by gm_graph_destroy; it keeps the context alive. GM_E_NOMEM. */
GM_CALL gm_graph_create(gm_context *c, gm_graph **out);
/* Drops the graph; programs compiled from it live on. NULL is fine. */
GM_API void gm_graph_destroy(GM_OPT gm_graph *g);
/* Gives the first failure of any builder on this graph, GM_OK when there was none; the message is then in gm_context_error. */
GM_CALL gm_graph_status(const gm_graph *g);
/* Writes the graph for people: "text" (NULL too) is one line a node, "dot" is Graphviz. Other forms are GM_E_INVALID. */
GM_CALL gm_graph_print(const gm_graph *g, const char *form /* "text", "dot" */, gm_writer *w);
/* Gives the rank of a node, -1 for id 0. */
GM_API int32_t gm_graph_rank(const gm_graph *g, gm_node a);
/* Gives one dimension of a node, -1 when there is none; axis may be negative (from the end). */
GM_API int64_t gm_graph_dim(const gm_graph *g, gm_node a, int32_t axis);

/* ---- leaves ---- */
/* Adds an input: what gm_run_exec gets, in the order of these calls. GM_F32 or GM_I32; rank 0 to 8; names are unique; dims are copied. */
GM_API gm_node gm_graph_input(gm_graph *g, const char *name, gm_dtype t, int32_t rank, const int64_t *dims);
/* Adds a parameter that training changes, [dims]; init as in docs/layers.md ("he_normal", "zeros"; NULL or "" is zeros). Its name gets the scope
 * of the layer being built before it. */
GM_API gm_node gm_graph_param(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
/* A value kept from step to step (statistics): read as it was before the step; gm_graph_update names what it becomes when the step is accepted. */
GM_API gm_node gm_graph_state(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
/* Names what a state becomes when the step is accepted; the shapes are equal. A later call for the same state replaces the earlier one. */
GM_API void gm_graph_update(gm_graph *g, gm_node state, gm_node value);
/* Adds a constant of rank 0, rounded to f32. */
GM_API gm_node gm_op_scalar(gm_graph *g, double value);
/* Draws: row r of axis 0 and its element e depend on (seed, key, step, first + r) alone. rows_per_example k > 1: rows k*i .. k*i+k-1 belong to
 * example i. */
GM_API gm_node gm_op_random_normal(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows_per_example);
/* Draws from the open interval (0, 1), [dims], 24 bits each; keys as for the normal. */
GM_API gm_node gm_op_random_uniform(gm_graph *g, const char *key, int32_t rank, const int64_t *dims, int64_t rows_per_example);

/* ---- any op by its name in docs/ops.md; o is its attributes as text ("axis=1 keep=1"), may be NULL ---- */
/* Builds an op by name from n inputs; an unknown name is GM_E_UNKNOWN, an unknown attribute GM_E_INVALID. */
GM_API gm_node gm_op(gm_graph *g, const char *op, int32_t n, const gm_node *in, GM_OPT const char *o);

/* ---- elementwise ---- */
/* -a. */
GM_API gm_node gm_op_neg(gm_graph *g, gm_node a);
/* |a|; the derivative at 0 is 0. */
GM_API gm_node gm_op_abs(gm_graph *g, gm_node a);
/* -1, 0 or 1; derivative 0. */
GM_API gm_node gm_op_sign(gm_graph *g, gm_node a);
/* The largest integer not above a; derivative 0. */
GM_API gm_node gm_op_floor(gm_graph *g, gm_node a);
/* a * a. */
GM_API gm_node gm_op_square(gm_graph *g, gm_node a);
/* 1 / a. */
GM_API gm_node gm_op_recip(gm_graph *g, gm_node a);
/* The square root, correctly rounded; NaN below 0. */
GM_API gm_node gm_op_sqrt(gm_graph *g, gm_node a);
/* 1 / sqrt(a), two roundings. */
GM_API gm_node gm_op_rsqrt(gm_graph *g, gm_node a);
/* e^a, at most 1 ulp. */
GM_API gm_node gm_op_exp(gm_graph *g, gm_node a);
/* e^a - 1, exact near 0. */
GM_API gm_node gm_op_expm1(gm_graph *g, gm_node a);
/* The natural logarithm; -inf at 0, NaN below. */
GM_API gm_node gm_op_log(gm_graph *g, gm_node a);
/* log(1 + a), exact near 0. */
GM_API gm_node gm_op_log1p(gm_graph *g, gm_node a);
/* The hyperbolic tangent. */
GM_API gm_node gm_op_tanh(gm_graph *g, gm_node a);
/* 1 / (1 + e^-a). */
GM_API gm_node gm_op_sigmoid(gm_graph *g, gm_node a);
/* log(1 + e^a), without overflow. */
GM_API gm_node gm_op_softplus(gm_graph *g, gm_node a);
/* The error function. */
GM_API gm_node gm_op_erf(gm_graph *g, gm_node a);
/* The sine of a in radians. */
GM_API gm_node gm_op_sin(gm_graph *g, gm_node a);
/* The cosine of a in radians. */
GM_API gm_node gm_op_cos(gm_graph *g, gm_node a);
/* log Gamma(a) for a > 0. */
GM_API gm_node gm_op_lgamma(gm_graph *g, gm_node a);
/* The derivative of order + 1 of log Gamma, a > 0; order 0 to 8. */
GM_API gm_node gm_op_polygamma(gm_graph *g, gm_node a, int32_t order);
/* polygamma of order 0. */
GM_API gm_node gm_op_digamma(gm_graph *g, gm_node a);
/* max(a, 0); the derivative at 0 is 0; NaN stays. */
GM_API gm_node gm_op_relu(gm_graph *g, gm_node a);
/* a > 0 ? a : slope * a (Maas et al. 2013). */
GM_API gm_node gm_op_leaky_relu(gm_graph *g, gm_node a, double slope);
/* 1 where a > 0, else 0; derivative 0. */
GM_API gm_node gm_op_step(gm_graph *g, gm_node a);
/* a + b. */
GM_API gm_node gm_op_add(gm_graph *g, gm_node a, gm_node b);
/* a - b. */
GM_API gm_node gm_op_sub(gm_graph *g, gm_node a, gm_node b);
/* a * b. */
GM_API gm_node gm_op_mul(gm_graph *g, gm_node a, gm_node b);
/* a / b. */
GM_API gm_node gm_op_div(gm_graph *g, gm_node a, gm_node b);
/* The larger; NaN propagates, max(-0, +0) = +0; at a tie the derivative goes to a. */
GM_API gm_node gm_op_max(gm_graph *g, gm_node a, gm_node b);
/* The smaller; as gm_op_max. */
GM_API gm_node gm_op_min(gm_graph *g, gm_node a, gm_node b);
/* 1 where a < b, else 0 (0 with NaN); derivative 0. */
GM_API gm_node gm_op_lt(gm_graph *g, gm_node a, gm_node b);
/* 1 where a <= b, else 0; derivative 0. */
GM_API gm_node gm_op_le(gm_graph *g, gm_node a, gm_node b);
/* 1 where a == b, else 0; derivative 0. */
GM_API gm_node gm_op_eq(gm_graph *g, gm_node a, gm_node b);
/* c != 0 ? a : b, all three broadcast; no gradient to c. */
GM_API gm_node gm_op_select(gm_graph *g, gm_node c, gm_node a, gm_node b);
/* a * factor. */
GM_API gm_node gm_op_scale(gm_graph *g, gm_node a, double factor);
/* a + term. */
GM_API gm_node gm_op_shift(gm_graph *g, gm_node a, double term);
/* a, through which no gradient flows. */
GM_API gm_node gm_op_stop_gradient(gm_graph *g, gm_node a);
/* The numbers of an i32 value as f32 (exact up to 2^24). */
GM_API gm_node gm_op_to_real(gm_graph *g, gm_node i32);

/* ---- shape; axis counts from 0, negative from the end; in reshape one dim may be -1 ---- */
/* The same elements in row-major order under other dims; their number stays. */
GM_API gm_node gm_op_reshape(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims);
/* [n, ...] to [n, rest]. */
GM_API gm_node gm_op_flatten(gm_graph *g, gm_node a);
/* Axis i of the result is axis order[i] of a, as in NumPy's transpose; as many entries as a has axes, each axis once. */
GM_API gm_node gm_op_permute(gm_graph *g, gm_node a, const int32_t *order);
/* Repeats axes of 1, and adds axes in front, up to dims. */
GM_API gm_node gm_op_broadcast(gm_graph *g, gm_node a, int32_t rank, const int64_t *dims);
/* Elements begin to end - 1 along one axis; outside is GM_E_RANGE. */
GM_API gm_node gm_op_slice(gm_graph *g, gm_node a, int32_t axis, int64_t begin, int64_t end);
/* Zeros before and after along one axis. */
GM_API gm_node gm_op_pad(gm_graph *g, gm_node a, int32_t axis, int64_t before, int64_t after);
/* Joins n parts along one axis; the other dims agree. */
GM_API gm_node gm_op_concat(gm_graph *g, int32_t n, const gm_node *parts, int32_t axis);

/* ---- reductions over axes (a bit mask: 1 << axis); keep != 0 leaves them as 1 ---- */
/* The sum, in a fixed tree (docs/kernels.md). */
GM_API gm_node gm_op_sum(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
/* The sum times 1/count. */
GM_API gm_node gm_op_mean(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
/* The maximum; equals share the gradient evenly. */
GM_API gm_node gm_op_reduce_max(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
/* log sum e^a without overflow. */
GM_API gm_node gm_op_logsumexp(gm_graph *g, gm_node a, uint32_t axes, int32_t keep);
/* e^(a - logsumexp a) along one axis. */
GM_API gm_node gm_op_softmax(gm_graph *g, gm_node a, int32_t axis);
/* The index of the first maximum along one axis, which goes away; GM_I32; the first NaN wins. */
GM_API gm_node gm_op_argmax(gm_graph *g, gm_node a, int32_t axis);

/* ---- linear maps ---- */
/* Products [.., m, k] by [.., k, n] after transposing the last two axes where asked; leading axes are equal batches. */
GM_API gm_node gm_op_matmul(gm_graph *g, gm_node a, gm_node b, int32_t transpose_a, int32_t transpose_b);
GM_API gm_node gm_op_conv2d(gm_graph *g, gm_node x, gm_node w, GM_OPT const gm_conv *o);           /* w [co, c/groups, kh, kw] */
GM_API gm_node gm_op_conv_transpose2d(gm_graph *g, gm_node x, gm_node w, GM_OPT const gm_conv *o); /* w [c, co/groups, kh, kw] */
GM_API gm_node gm_op_max_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], GM_OPT const gm_conv *o);
/* The mean of each window, padding counted as zeros; o as for the maximum. */
GM_API gm_node gm_op_avg_pool2d(gm_graph *g, gm_node x, const int64_t kernel[2], GM_OPT const gm_conv *o);
/* Resizes [n, c, h, w] to h x w: nearest floor(i in / out), bilinear with half-pixel centres (align_corners = false in PyTorch). */
GM_API gm_node gm_op_resize2d(gm_graph *g, gm_node x, int64_t h, int64_t w, gm_resize mode);
/* Rows of a table [v, ...] by i32 [n], giving [n, ...]; a row outside is GM_E_RANGE when it runs. */
GM_API gm_node gm_op_gather(gm_graph *g, gm_node table, gm_node rows_i32);
GM_API gm_node gm_op_scatter_add(gm_graph *g, gm_node values, gm_node rows_i32, int64_t rows); /* its adjoint */
GM_API gm_node gm_op_one_hot(gm_graph *g, gm_node i32, int64_t depth);                /* [..] to [.., depth] */

/* ---- gradients ---- */
/* Gives dy/dwrt[i] (y summed when it has several elements) as nodes of the same shapes as wrt; zeros where y does not depend on it. Exact, and
 * itself differentiable. */
GM_API void gm_graph_grad(gm_graph *g, gm_node y, int32_t n, const gm_node *wrt, gm_node *grads);
/* Adds the gradient of loss for every parameter; programs compiled from the graph then write them to gm_params, where gm_optimizer_step finds
 * them. */
GM_API void gm_graph_backward(gm_graph *g, gm_node loss);

/* ---- programs and runs ---- */
/* Compiles n outputs (and gradients and updates, where there are any) to an immutable program in *out, one reference. The first failure of the
 * graph is reported here. GM_E_SHAPE when a value has no elements, GM_E_NOMEM. */
GM_CALL gm_program_compile(gm_graph *g, int32_t n, const gm_node *outputs, const gm_program **out);
/* Drops a reference; runs keep theirs. Any thread. NULL is fine. */
GM_API void gm_program_destroy(GM_OPT const gm_program *p);
/* Gives the bytes that a run takes besides parameters and staging copies. */
GM_API uint64_t gm_program_run_bytes(const gm_program *p);
/* Writes the instructions with their values, tasks and arena offsets, for people. */
GM_CALL gm_program_print(gm_context *c, const gm_program *p, gm_writer *w);
/* Makes one thread's run of a program in *out; w may be NULL when the program has no parameters. Parameters are found by name: GM_E_UNKNOWN, or
 * GM_E_SHAPE, when they do not fit. */
GM_CALL gm_run_create(gm_context *c, const gm_program *p, GM_OPT gm_params *w, gm_run **out);
/* Drops the run and its arena. NULL is fine. */
GM_API void gm_run_destroy(GM_OPT gm_run *r);
/* Executes: in and out are the tensors of inputs and outputs in order, of the program's shapes; any dtype and strides are converted (f32 dense is
 * used in place). seed names the random draws. Allocates nothing from the second call with such tensors on. GM_E_SHAPE, GM_E_DTYPE, GM_E_READONLY,
 * GM_E_RANGE (an index), GM_E_INVALID (counts; at most 64 each). */
GM_CALL gm_run_exec(gm_run *r, uint64_t seed, int32_t n_in, gm_tensor *const *in, int32_t n_out, gm_tensor *const *out);
#ifdef __cplusplus
}
#endif
#endif
