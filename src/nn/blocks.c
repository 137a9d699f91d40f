/* SPDX-License-Identifier: MIT */
/* blocks.c: layers made of layers, and those that look beyond one example: residual, concat, maxout, minibatch_stddev.
 *
 * residual ( f ) is x + f(x) (He 2016), residual ( f ) ( s ) is s(x) + f(x) with a shortcut s, such as a 1x1 convolution. concat ( a ) ( b ) ... joins the
 * branches along axis 1; an empty group is x itself. Weights are named by index in the block, then index in the group: "3.0.2.weight". maxout is Goodfellow 2013:
 * the largest of `pieces` affine maps. minibatch_stddev is Karras 2018 (ProGAN, StyleGAN2's grouping). */
#include "nn/layers.h"

static gm_node build_branch(gm_graph *g, const gmi_item *it, int32_t i, gm_node x, gm_node cond)
{
    size_t old = 0;
    gmi_graph_scope_index(g, i, &old);
    x = gmi_seq_build(&it->branch[i], g, x, cond);
    gmi_graph_leave_scope(g, old);
    return x;
}

static gm_node build_residual(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t a[GMI_MAX_RANK], b[GMI_MAX_RANK];
    gm_node f = build_branch(g, it, 0, x, cond), s = it->n_branch > 1 ? build_branch(g, it, 1, x, cond) : x;
    int32_t ra = gmi_layer_shape(g, f, a), rb = gmi_layer_shape(g, s, b);
    if (f.id && s.id && (ra != rb || memcmp(a, b, (size_t)ra * sizeof *a) != 0))
        return gmi_graph_fail(g, GM_E_SHAPE, "%s residual: the group gives %v, the shortcut %v; give a second group that maps x to the first's shape", g->scope, ra,
                              a, rb, b);
    return gm_op_add(g, s, f);
}

static gm_node build_concat(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    gm_node part[GMI_LAYER_BRANCHES];
    int32_t i;
    if (gm_graph_rank(g, x) < 2) return gmi_layer_refuse(g, it, x, "[n,c,...]");
    for (i = 0; i < it->n_branch; i++) part[i] = build_branch(g, it, i, x, cond);
    return gm_op_concat(g, it->n_branch, part, 1);
}

/* weight [units * pieces, in]: piece j of unit u is row u * pieces + j. */
static gm_node build_maxout(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t units = gmi_arg_int(it, 0), pieces = gmi_arg_int(it, 1), dims[3], rows;
    (void)cond;
    if (gmi_mul_i64(units, pieces, &rows)) return gmi_layer_refuse(g, it, x, "fewer units");
    x = gmi_nn_dense(g, x, rows, it->arg[2].v[0] != 0.0, it->init);
    if (!x.id) return x;
    dims[0] = gm_graph_dim(g, x, 0);
    dims[1] = units;
    dims[2] = pieces;
    return gm_op_reduce_max(g, gm_op_reshape(g, x, 3, dims), 4u, 0);
}

/* Examples i, i + m, i + 2 m, ... form group i of the m = n / group groups. One new channel holds each group's mean standard deviation. The group is the
 * largest divisor of n that is not above the wish, so that every batch size has an answer. */
static gm_node build_minibatch_stddev(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], split[3], group = gmi_arg_int(it, 0);
    int32_t rank = gmi_layer_shape(g, x, dims), i;
    gm_node s, part[2];
    (void)cond;
    if (rank < 2 || dims[0] < 1 || dims[1] < 1) return gmi_layer_refuse(g, it, x, "[n,c,...] with at least one example");
    group = GMI_MIN(group, dims[0]);
    while (dims[0] % group) group--;
    split[0] = group;
    split[1] = dims[0] / group;
    split[2] = -1;
    s = gm_op_reshape(g, x, 3, split);
    s = gm_op_sub(g, s, gm_op_mean(g, s, 1u, 1));
    s = gm_op_sqrt(g, gm_op_shift(g, gm_op_mean(g, gm_op_square(g, s), 1u, 1), 1e-8));
    s = gm_op_mean(g, s, 4u, 1); /* [1, n / group, 1] */
    split[2] = 1;
    s = gm_op_broadcast(g, s, 3, split);
    split[0] = dims[0];
    for (i = 1; i < rank; i++) dims[i] = 1;
    s = gm_op_reshape(g, s, rank, dims);
    (void)gmi_layer_shape(g, x, dims);
    dims[1] = 1;
    part[0] = x;
    part[1] = gm_op_broadcast(g, s, rank, dims);
    return gm_op_concat(g, 2, part, 1);
}

static const gmi_arg_spec maxout_args[] = {{"units", "", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, 2147483647.0, ""},
                                           {"pieces", "", GMI_ARG_COUNT, GMI_BY_PLACE, 0, 1, 2, 1, 1024, ""},
                                           {"bias", "", GMI_ARG_FLAG, GMI_BY_NAME, 0, 1, 1, 0, 1, ""},
                                           {"init", "", GMI_ARG_INIT, GMI_BY_NAME, 0, 1, 0, 0, 0, ""}};
static const gmi_arg_spec stddev_args[] = {{"group", "", GMI_ARG_COUNT, GMI_BY_PLACE, 0, 1, 4, 1, 65536, ""}};
static const gmi_layer_def defs[] = {
    {"residual", "", 0, 0, NULL, 1, 2, build_residual, 0},
    {"concat", "", 0, 0, NULL, 2, GMI_LAYER_BRANCHES, build_concat, 0},
    {"maxout", "", 0, 4, maxout_args, 0, 0, build_maxout, 0},
    {"minibatch_stddev", "", GMI_L_BATCH, 1, stddev_args, 0, 0, build_minibatch_stddev, 0},
};
const gmi_layer_family gmi_layers_block = {defs, (int32_t)GMI_COUNT(defs)};
