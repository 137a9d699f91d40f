/* SPDX-License-Identifier: MIT */
/* ops.h: the rules behind ops.def. A shape rule checks y's inputs and attributes and writes dtype, rank and dims; a gradient rule emits the
 * contributions dx[i] (id 0 = none) of dy to each input. */
#ifndef GMI_GRAPH_OPS_H
#define GMI_GRAPH_OPS_H
#include "graph/graph.h"

typedef int gmi_shape_rule(gm_graph *g, gmi_gnode *y); /* 0, or -1 after gmi_graph_fail */
typedef void gmi_grad_rule(gm_graph *g, gm_node y, gm_node dy, gm_node *dx);

gmi_shape_rule gmi_shape_given, gmi_shape_same, gmi_shape_reshape, gmi_shape_permute, gmi_shape_broadcast, gmi_shape_slice, gmi_shape_pad, gmi_shape_concat,
    gmi_shape_reduce, gmi_shape_argmax, gmi_shape_matmul, gmi_shape_conv, gmi_shape_conv_dx, gmi_shape_conv_dw, gmi_shape_max_pool_index,
    gmi_shape_pool_gather, gmi_shape_pool_scatter, gmi_shape_avg_pool, gmi_shape_avg_pool_dx, gmi_shape_resize, gmi_shape_resize_dx, gmi_shape_gather,
    gmi_shape_scatter_add, gmi_shape_one_hot, gmi_shape_to_real;
gmi_grad_rule gmi_grad_none, gmi_grad_neg, gmi_grad_abs, gmi_grad_square, gmi_grad_recip, gmi_grad_sqrt, gmi_grad_rsqrt, gmi_grad_exp, gmi_grad_expm1,
    gmi_grad_log, gmi_grad_log1p, gmi_grad_tanh, gmi_grad_sigmoid, gmi_grad_softplus, gmi_grad_erf, gmi_grad_sin, gmi_grad_cos, gmi_grad_lgamma,
    gmi_grad_polygamma, gmi_grad_relu, gmi_grad_leaky_relu, gmi_grad_add, gmi_grad_sub, gmi_grad_mul, gmi_grad_div, gmi_grad_max, gmi_grad_min,
    gmi_grad_select, gmi_grad_reshape, gmi_grad_permute, gmi_grad_broadcast, gmi_grad_slice, gmi_grad_pad, gmi_grad_concat, gmi_grad_sum,
    gmi_grad_reduce_max, gmi_grad_matmul, gmi_grad_conv, gmi_grad_conv_dx, gmi_grad_conv_dw, gmi_grad_pool_gather, gmi_grad_pool_scatter,
    gmi_grad_avg_pool, gmi_grad_avg_pool_dx, gmi_grad_resize, gmi_grad_resize_dx, gmi_grad_gather, gmi_grad_scatter_add;

/* Appends a node: op, inputs and attributes are in *proto; the shape rule fills the rest. */
gm_node gmi_emit(gm_graph *g, gmi_gnode *proto);
/* A prototype with op, n inputs and zeroed attributes; id 0 inputs give a prototype that emits id 0. */
gmi_gnode gmi_proto(int32_t op, int32_t n, const gm_node *in);
gm_node gmi_emit1(gm_graph *g, int32_t op, gm_node a);
gm_node gmi_emit2(gm_graph *g, int32_t op, gm_node a, gm_node b);
/* "[64,1,28,28]" of a node for messages. */
const char *gmi_shape_text(const gm_graph *g, gm_node a, char *to, size_t n);
int gmi_same_dims(const gmi_gnode *a, const gmi_gnode *b);
/* Value of a scalar constant, seen through broadcast: 1 and *v, or 0. */
int gmi_const_value(const gm_graph *g, gm_node a, double *v);
gm_node gmi_zeros_like(gm_graph *g, gm_node a);
#endif
