/* SPDX-License-Identifier: MIT */
/* shape.c: layers without weights that rearrange, resample or pool.
 *
 * Conventions are torch.nn's: pooling's stride is its kernel where none is given, average pooling counts the padding, nearest takes floor(i * in / out),
 * bilinear has half-pixel centres (align_corners = False), pixel_shuffle is Shi et al. 2016. All take images [n,c,h,w] or signals [n,c,t] (an image of
 * height 1); flatten and reshape take anything. Axis 0, the examples, is never touched. */
#include "nn/layers.h"

/* A signal as an image of height 1; the inverse is back(). */
static gm_node as_image(gm_graph *g, gm_node x, int32_t rank, int64_t *dims)
{
    if (rank != 3) return x;
    dims[3] = dims[2];
    dims[2] = 1;
    return gm_op_reshape(g, x, 4, dims);
}

static gm_node back(gm_graph *g, gm_node y, int32_t rank)
{
    int64_t dims[3];
    if (rank != 3 || !y.id) return y;
    dims[0] = gm_graph_dim(g, y, 0);
    dims[1] = gm_graph_dim(g, y, 1);
    dims[2] = gm_graph_dim(g, y, 3);
    return gm_op_reshape(g, y, 3, dims);
}

static const char wants_image[] = "an image [n,c,h,w] or a signal [n,c,t]";

static gm_node build_flatten(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    (void)it, (void)cond;
    return gm_op_flatten(g, x);
}

/* [n, ...] to [n, sizes] */
static gm_node build_reshape(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], have = 1, want = 1;
    int32_t rank = gmi_layer_shape(g, x, dims), i;
    (void)cond;
    for (i = 1; i < rank; i++) have *= dims[i];
    for (i = 0; i < it->arg[0].n; i++) {
        dims[i + 1] = (int64_t)it->arg[0].v[i];
        if (gmi_mul_i64(want, dims[i + 1], &want)) want = -1;
    }
    if (have != want) return gmi_graph_fail(g, GM_E_SHAPE, "%s reshape: an example has %i values, %v has %i", g->scope, have, it->arg[0].n, dims + 1, want);
    return gm_op_reshape(g, x, it->arg[0].n + 1, dims);
}

static gm_node build_upsample(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], h, w;
    int32_t rank = gmi_layer_shape(g, x, dims);
    (void)cond;
    if (rank != 3 && rank != 4) return gmi_layer_refuse(g, it, x, wants_image);
    if (rank == 3 && it->arg[0].n > 1) return gmi_layer_refuse(g, it, x, "an image [n,c,h,w] for a factor per axis");
    x = as_image(g, x, rank, dims);
    if (gmi_mul_i64(dims[2], rank == 3 ? 1 : gmi_arg_axis(it, 0, 0), &h) || gmi_mul_i64(dims[3], gmi_arg_axis(it, 0, 1), &w))
        return gmi_layer_refuse(g, it, x, "a smaller image");
    x = gm_op_resize2d(g, x, h, w, it->arg[1].v[0] != 0.0 ? GM_RESIZE_BILINEAR : GM_RESIZE_NEAREST);
    return back(g, x, rank);
}

/* [n, c r r, h, w] to [n, c, h r, w r]: y[c, h r + i, w r + j] = x[c r r + i r + j, h, w] */
static gm_node build_pixel_shuffle(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    static const int32_t order[6] = {0, 1, 4, 2, 5, 3};
    int64_t dims[GMI_MAX_RANK], split[6], r = gmi_arg_int(it, 0);
    (void)cond;
    if (gmi_layer_shape(g, x, dims) != 4 || dims[1] % (r * r)) return gmi_layer_refuse(g, it, x, "an image [n,c,h,w] with c a multiple of the factor's square");
    split[0] = dims[0];
    split[1] = dims[1] / (r * r);
    split[2] = split[3] = r;
    split[4] = dims[2];
    split[5] = dims[3];
    x = gm_op_permute(g, gm_op_reshape(g, x, 6, split), order);
    dims[1] = split[1];
    dims[2] *= r;
    dims[3] *= r;
    return gm_op_reshape(g, x, 4, dims);
}

enum { POOL_MAX, POOL_AVERAGE };

static gm_node build_pool(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], kernel[2];
    int32_t rank = gmi_layer_shape(g, x, dims), i;
    gm_conv o;
    (void)cond;
    if (rank != 3 && rank != 4) return gmi_layer_refuse(g, it, x, wants_image);
    gm_conv_init(&o, sizeof o);
    kernel[0] = 1;
    for (i = rank == 3; i < 2; i++) {
        kernel[i] = gmi_arg_axis(it, 0, i);
        o.stride[i] = it->arg[1].n ? gmi_arg_axis(it, 1, i) : kernel[i];
        o.pad_begin[i] = o.pad_end[i] = gmi_arg_axis(it, 2, i);
        if (2 * o.pad_begin[i] > kernel[i]) return gmi_graph_fail(g, GM_E_RANGE, "%s %s: p is more than half of k", g->scope, it->def->word);
    }
    if (rank == 3 && (it->arg[0].n > 1 || it->arg[1].n > 1 || it->arg[2].n > 1)) return gmi_layer_refuse(g, it, x, "an image [n,c,h,w] for sizes per axis");
    x = as_image(g, x, rank, dims);
    x = it->def->variant == POOL_MAX ? gm_op_max_pool2d(g, x, kernel, &o) : gm_op_avg_pool2d(g, x, kernel, &o);
    return back(g, x, rank);
}

/* [n,c,...] to [n,c] */
static gm_node build_global_pool(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int32_t rank = gm_graph_rank(g, x);
    uint32_t axes = ((1u << rank) - 1u) & ~3u;
    (void)cond;
    if (rank < 3) return gmi_layer_refuse(g, it, x, wants_image);
    return it->def->variant == POOL_MAX ? gm_op_reduce_max(g, x, axes, 0) : gm_op_mean(g, x, axes, 0);
}

static const gmi_arg_spec reshape_args[] = {{"sizes", "unflattened_size", GMI_ARG_SIZES, GMI_BY_PLACE, 1, 7, 0, 1, 2147483647.0, ""}};
static const gmi_arg_spec upsample_args[] = {{"factor", "scale_factor", GMI_ARG_SIZES, GMI_BY_PLACE, 1, 2, 0, 1, 1024, ""},
                                             {"mode", "", GMI_ARG_CHOICE, GMI_BY_PLACE, 0, 1, 0, 0, 1, "nearest bilinear"}};
static const gmi_arg_spec shuffle_args[] = {{"factor", "upscale_factor", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, 1024, ""}};
static const gmi_arg_spec pool_args[] = {{"k", "kernel_size", GMI_ARG_SIZES, GMI_BY_LETTER, 1, 2, 0, 1, 65536, ""},
                                         {"s", "stride", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 0, 1, 65536, ""},
                                         {"p", "padding", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 0, 0, 65536, ""}};
static const gmi_layer_def defs[] = {
    {"flatten", "", 0, 0, NULL, 0, 0, build_flatten, 0},
    {"reshape", "unflatten", 0, 1, reshape_args, 0, 0, build_reshape, 0},
    {"upsample", "", 0, 2, upsample_args, 0, 0, build_upsample, 0},
    {"pixel_shuffle", "", 0, 1, shuffle_args, 0, 0, build_pixel_shuffle, 0},
    {"max_pool", "", 0, 3, pool_args, 0, 0, build_pool, POOL_MAX},
    {"avg_pool", "", 0, 3, pool_args, 0, 0, build_pool, POOL_AVERAGE},
    {"global_max_pool", "", 0, 0, NULL, 0, 0, build_global_pool, POOL_MAX},
    {"global_avg_pool", "", 0, 0, NULL, 0, 0, build_global_pool, POOL_AVERAGE},
};
const gmi_layer_family gmi_layers_shape = {defs, (int32_t)GMI_COUNT(defs)};
