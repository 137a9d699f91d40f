/* SPDX-License-Identifier: MIT */
/* norm.c: normalisation layers and dropout.
 *
 *   y = weight * (x - mean) / sqrt(var + eps) + bias, var divided by the count (biased), in two passes: mean, then centred squares
 *
 * batch_norm (Ioffe & Szegedy 2015) takes mean and var per channel over the batch (and h, w); layer_norm (Ba 2016) per example over all axes but the
 * first, with weights of that shape; group_norm (Wu & He 2018) per example and group of channels; instance_norm (Ulyanov 2016) per example and channel. Names,
 * shapes, eps and momentum are torch.nn's. batch_norm keeps running_mean and running_var (unbiased, n/(n-1)) as states that are committed with an accepted step;
 * at inference it uses them alone, so an output never depends on its batch. num_batches_tracked of PyTorch is not kept.
 * dropout (Srivastava 2014, inverted) multiplies by mask / (1 - rate) in training; its rate is part of the architecture and so a constant. */
#include "nn/layers.h"

/* [first axes..., rest] statistics: (x - mean) * 1/sqrt(var + eps) over `axes`, kept as 1. */
static gm_node normalize(gm_graph *g, gm_node x, uint32_t axes, double eps)
{
    gm_node centred = gm_op_sub(g, x, gm_op_mean(g, x, axes, 1));
    gm_node var = gm_op_mean(g, gm_op_square(g, centred), axes, 1);
    return gm_op_mul(g, centred, gm_op_rsqrt(g, gm_op_shift(g, var, eps)));
}

static const char *weight_init(const gmi_item *it) { return it->init[0] ? it->init : "ones"; }

/* Scale and shift per channel (axis 1). */
static gm_node affine(gm_graph *g, const gmi_item *it, gm_node x, int64_t channels)
{
    int32_t rank = gm_graph_rank(g, x);
    x = gm_op_mul(g, x, gmi_layer_per_channel(g, gmi_nn_param(g, "weight", weight_init(it), 1, &channels), rank));
    return gm_op_add(g, x, gmi_layer_per_channel(g, gmi_nn_param(g, "bias", "zeros", 1, &channels), rank));
}

/* ---- batch_norm: eps, momentum, affine, init ---- */

static uint32_t all_but_channel(int32_t rank) { return ((1u << rank) - 1u) & ~2u; }

/* Population statistics: the same map for every example. */
static gm_node batch_norm_fixed(gm_graph *g, gm_node x, gm_node mean, gm_node var, double eps)
{
    int32_t rank = gm_graph_rank(g, x);
    x = gm_op_sub(g, x, gmi_layer_per_channel(g, mean, rank));
    return gm_op_mul(g, x, gmi_layer_per_channel(g, gm_op_rsqrt(g, gm_op_shift(g, var, eps)), rank));
}

static gm_node build_batch_norm(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], channels, count = 1;
    int32_t rank = gmi_layer_shape(g, x, dims), i;
    double eps = it->arg[0].v[0], keep = 1.0 - it->arg[1].v[0];
    gm_node mean, var, centred, batch;
    (void)cond;
    if (rank < 2 || dims[1] < 1) return gmi_layer_refuse(g, it, x, "[n,c], [n,c,t] or [n,c,h,w]");
    channels = dims[1];
    for (i = 0; i < rank; i++) count *= i == 1 ? 1 : dims[i];
    mean = gmi_nn_state(g, "running_mean", "zeros", 1, &channels);
    var = gmi_nn_state(g, "running_var", "ones", 1, &channels);
    if (!g->training) {
        x = batch_norm_fixed(g, x, mean, var, eps);
    } else {
        if (count < 2) return gmi_layer_refuse(g, it, x, "more than one value per channel when training");
        batch = gm_op_mean(g, x, all_but_channel(rank), 1);
        gmi_nn_average(g, mean, gm_op_reshape(g, batch, 1, &channels), keep);
        centred = gm_op_sub(g, x, batch);
        batch = gm_op_mean(g, gm_op_square(g, centred), all_but_channel(rank), 1);
        gmi_nn_average(g, var, gm_op_scale(g, gm_op_reshape(g, batch, 1, &channels), (double)count / (double)(count - 1)), keep);
        x = gm_op_mul(g, centred, gm_op_rsqrt(g, gm_op_shift(g, batch, eps)));
    }
    return it->arg[2].v[0] != 0.0 ? affine(g, it, x, channels) : x;
}

/* ---- layer_norm: eps, affine, init ---- */

static gm_node build_layer_norm(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gmi_layer_shape(g, x, dims);
    (void)cond;
    if (rank < 2) return gmi_layer_refuse(g, it, x, "[n,c] or more axes");
    x = normalize(g, x, ((1u << rank) - 1u) & ~1u, it->arg[0].v[0]);
    if (it->arg[1].v[0] == 0.0) return x;
    x = gm_op_mul(g, x, gmi_nn_param(g, "weight", weight_init(it), rank - 1, dims + 1));
    return gm_op_add(g, x, gmi_nn_param(g, "bias", "zeros", rank - 1, dims + 1));
}

/* ---- group_norm groups, instance_norm ---- */

/* [n, groups, the rest of the group] */
static gm_node by_groups(gm_graph *g, gm_node x, int32_t rank, const int64_t *dims, int64_t groups, double eps)
{
    int64_t split[3];
    split[0] = dims[0];
    split[1] = groups;
    split[2] = -1;
    x = normalize(g, gm_op_reshape(g, x, 3, split), 4u, eps);
    return gm_op_reshape(g, x, rank, dims);
}

static gm_node build_group_norm(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], groups = gmi_arg_int(it, 0);
    int32_t rank = gmi_layer_shape(g, x, dims);
    (void)cond;
    if (rank < 2 || dims[1] < 1 || dims[1] % groups) return gmi_layer_refuse(g, it, x, "[n,c,...] with channels that the groups divide evenly");
    x = by_groups(g, x, rank, dims, groups, it->arg[1].v[0]);
    return it->arg[2].v[0] != 0.0 ? affine(g, it, x, dims[1]) : x;
}

static gm_node build_instance_norm(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gmi_layer_shape(g, x, dims);
    (void)cond;
    if (rank < 3 || dims[1] < 1) return gmi_layer_refuse(g, it, x, "[n,c,t] or [n,c,h,w]");
    x = by_groups(g, x, rank, dims, dims[1], it->arg[0].v[0]);
    return it->arg[1].v[0] != 0.0 ? affine(g, it, x, dims[1]) : x;
}

/* ---- dropout rate ---- */

static gm_node build_dropout(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gmi_layer_shape(g, x, dims);
    double rate = it->arg[0].v[0];
    gm_node u, keep;
    (void)cond;
    if (!g->training || rate == 0.0) return x;
    u = gm_op_random_uniform(g, "dropout", rank, dims, 1);
    keep = gm_op_le(g, gm_op_scalar(g, rate), u); /* u in [0, 1): kept with probability 1 - rate */
    return gm_op_mul(g, x, gm_op_scale(g, keep, 1.0 / (1.0 - rate)));
}

/* ---- the table ---- */

#define EPS_ARG {"eps", "", GMI_ARG_REAL, GMI_BY_NAME, 0, 1, 1e-5, 0, 1, ""}
#define AFFINE_ARG(dflt) {"affine", "", GMI_ARG_FLAG, GMI_BY_NAME, 0, 1, dflt, 0, 1, ""}
#define INIT_ARG {"init", "", GMI_ARG_INIT, GMI_BY_NAME, 0, 1, 0, 0, 0, ""}
static const gmi_arg_spec batch_args[] = {EPS_ARG, {"momentum", "", GMI_ARG_REAL, GMI_BY_NAME, 0, 1, 0.1, 0, 1, ""}, AFFINE_ARG(1), INIT_ARG};
static const gmi_arg_spec layer_args[] = {EPS_ARG, {"affine", "elementwise_affine", GMI_ARG_FLAG, GMI_BY_NAME, 0, 1, 1, 0, 1, ""}, INIT_ARG};
static const gmi_arg_spec group_args[] = {
    {"groups", "num_groups", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, 2147483647.0, ""}, EPS_ARG, AFFINE_ARG(1), INIT_ARG};
static const gmi_arg_spec instance_args[] = {EPS_ARG, AFFINE_ARG(0), INIT_ARG};
static const gmi_arg_spec dropout_args[] = {{"rate", "p", GMI_ARG_REAL, GMI_BY_PLACE, 0, 1, 0.5, 0, 0.999, ""}};
static const gmi_layer_def defs[] = {
    {"batch_norm", "", GMI_L_BATCH, 4, batch_args, 0, 0, build_batch_norm, 0},
    {"layer_norm", "", 0, 3, layer_args, 0, 0, build_layer_norm, 0},
    {"group_norm", "", 0, 4, group_args, 0, 0, build_group_norm, 0},
    {"instance_norm", "", 0, 3, instance_args, 0, 0, build_instance_norm, 0},
    {"dropout", "", 0, 1, dropout_args, 0, 0, build_dropout, 0},
};
const gmi_layer_family gmi_layers_norm = {defs, (int32_t)GMI_COUNT(defs)};
