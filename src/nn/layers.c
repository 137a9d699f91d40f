/* SPDX-License-Identifier: MIT */
/* layers.c: the layers with weights: dense, convolutions, transposed convolutions, embedding; and the helpers all builders share.
 *
 * Names and layouts are PyTorch's: dense [out,in], conv [out,in/groups,kh,kw], conv_transpose [in,out/groups,kh,kw], 1-D kernels without the kh axis,
 * embedding [rows,columns]; "weight" and "bias" under the layer's index. A signal [n,c,t] is computed as an image of height 1.
 * y = x W^T + b;  conv: torch.nn.functional.conv2d (a correlation);  conv_transpose: its adjoint in x (Dumoulin & Visin 2016, section 4).
 * Default weights are "torch" (init.c) and biases U(-b, b) with b = 1/sqrt(fan_in of the weight); with another init= biases begin at 0.
 * Left out: circular and reflected padding, bilinear layers. */
#include "nn/layers.h"

/* ---- shared by all builders ---- */

static gmi_leaf *find_leaf(const gmi_leaves *l, const char *name)
{
    int32_t i;
    for (i = 0; i < l->n; i++)
        if (strcmp(l->p[i].name, name) == 0) return &l->p[i];
    return NULL;
}

typedef gm_node leaf_fn(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);

static gm_node shared_leaf(gm_graph *g, gmi_leaves *list, leaf_fn *create, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    char full[512];
    gmi_leaf *l;
    gm_node r = {0};
    if (g->failed) return r;
    (void)gmi_format(full, sizeof full, g->scope[0] ? "%s.%s" : "%s%s", g->scope, name);
    l = find_leaf(list, full);
    if (l && g->owner && l->owner == g->owner) {
        const gmi_gnode *n;
        r.id = l->node;
        n = gmi_node(g, r);
        if (n->rank == rank && memcmp(n->dims, dims, (size_t)rank * sizeof *dims) == 0) return r;
        return gmi_graph_fail(g, GM_E_SHAPE, "%s is %v here and %v where this layer was built before: shared weights need inputs of one shape", full, rank, dims,
                              n->rank, n->dims);
    }
    r = create(g, name, init, rank, dims);
    l = r.id ? find_leaf(list, full) : NULL;
    if (l) l->owner = g->owner;
    return r;
}

gm_node gmi_nn_param(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    return shared_leaf(g, &g->params, gm_graph_param, name, init, rank, dims);
}

gm_node gmi_nn_state(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    return shared_leaf(g, &g->states, gm_graph_state, name, init, rank, dims);
}

void gmi_nn_average(gm_graph *g, gm_node state, gm_node value, double keep)
{
    gm_node old = state;
    int32_t i;
    if (!state.id || !value.id || g->failed) return;
    for (i = 0; i < g->states.n; i++)
        if (g->states.p[i].node == state.id && g->states.p[i].update) old.id = g->states.p[i].update;
    value = gm_op_stop_gradient(g, value);
    if (g->population) {
        gm_node k = gmi_graph_scalar_input(g, "keep");
        old = gm_op_mul(g, old, k);
        value = gm_op_mul(g, value, gm_op_sub(g, gm_op_scalar(g, 1.0), k));
    } else {
        old = gm_op_scale(g, old, keep);
        value = gm_op_scale(g, value, 1.0 - keep);
    }
    gm_graph_update(g, state, gm_op_add(g, old, value));
}

gm_node gmi_layer_refuse(gm_graph *g, const gmi_item *it, gm_node x, const char *wants)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gmi_layer_shape(g, x, dims);
    return gmi_graph_fail(g, GM_E_SHAPE, "%s %s: x is %v; wants %s", g->scope, it->own.word ? it->own.word : it->def->word, rank, dims, wants);
}

int32_t gmi_layer_shape(const gm_graph *g, gm_node x, int64_t dims[GMI_MAX_RANK])
{
    int32_t rank = gm_graph_rank(g, x), i;
    for (i = 0; i < rank; i++) dims[i] = gm_graph_dim(g, x, i);
    return GMI_MAX(rank, 0);
}

gm_node gmi_layer_per_channel(gm_graph *g, gm_node v, int32_t rank)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t i;
    for (i = 0; i < rank; i++) dims[i] = i == 1 ? gm_graph_dim(g, v, 0) : 1;
    return gm_op_reshape(g, v, rank, dims);
}

/* Weight and, beside it, what a bias of this layer starts with. */
static gm_node weight(gm_graph *g, const char *init, int32_t rank, const int64_t *dims, char bias_init[GMI_INIT_TEXT])
{
    double fan = 1.0;
    int32_t i;
    for (i = 1; i < rank; i++) fan *= (double)dims[i];
    if (!init || !init[0] || strcmp(init, "torch") == 0) {
        init = "torch";
        (void)gmi_format(bias_init, GMI_INIT_TEXT, "uniform:%g", fan > 0.0 ? 1.0 / gmi_num_sqrt(fan) : 0.0);
    } else {
        (void)gmi_format(bias_init, GMI_INIT_TEXT, "zeros");
    }
    return gmi_nn_param(g, "weight", init, rank, dims);
}

/* ---- dense ---- */

gm_node gmi_nn_dense(gm_graph *g, gm_node x, int64_t units, int bias, const char *init)
{
    char bias_init[GMI_INIT_TEXT];
    int64_t dims[2];
    gm_node y;
    if (g->failed) return x;
    if (gm_graph_rank(g, x) != 2) x = gm_op_flatten(g, x);
    if (!x.id) return x;
    dims[0] = units;
    dims[1] = gm_graph_dim(g, x, 1);
    y = gm_op_matmul(g, x, weight(g, init, 2, dims, bias_init), 0, 1);
    return bias ? gm_op_add(g, y, gmi_nn_param(g, "bias", bias_init, 1, dims)) : y;
}

static gm_node build_dense(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    (void)cond;
    return gmi_nn_dense(g, x, gmi_arg_int(it, 0), it->arg[1].v[0] != 0.0, it->init);
}

/* ---- convolutions ---- */

enum { UNITS, KERNEL, STRIDE, PADDING, DILATION, GROUPS, BIAS, INIT, OUTPUT_PADDING };
enum { TRANSPOSED = 1, ONLY_1D = 2, ONLY_2D = 4 };

/* Our pair order is [h, w]; a signal has h = 1: kernel 1, stride 1, no padding. */
static int conv_sizes(const gmi_item *it, int signal, int64_t kernel[2], gm_conv *o)
{
    int32_t a, i;
    gm_conv_init(o, sizeof *o);
    for (a = KERNEL; a <= DILATION; a++)
        if (signal && it->arg[a].n > 1) return -1;
    if (signal && it->def->variant & TRANSPOSED && it->arg[OUTPUT_PADDING].n > 1) return -1;
    for (i = 0; i < 2; i++) {
        if (signal && i == 0) {
            kernel[0] = 1;
            continue;
        }
        kernel[i] = gmi_arg_axis(it, KERNEL, i);
        o->stride[i] = gmi_arg_axis(it, STRIDE, i);
        o->pad_begin[i] = o->pad_end[i] = gmi_arg_axis(it, PADDING, i);
        o->dilation[i] = gmi_arg_axis(it, DILATION, i);
        if (it->def->variant & TRANSPOSED) o->output_padding[i] = gmi_arg_axis(it, OUTPUT_PADDING, i);
    }
    o->groups = gmi_arg_int(it, GROUPS);
    return 0;
}

/* The weight as the graph's op wants it, rank 4. */
static gm_node conv_weight(gm_graph *g, const gmi_item *it, int signal, const int64_t kernel[2], int64_t c, char bias_init[GMI_INIT_TEXT])
{
    int64_t units = gmi_arg_int(it, UNITS), groups = gmi_arg_int(it, GROUPS), dims[4];
    gm_node w;
    dims[0] = it->def->variant & TRANSPOSED ? c : units;
    dims[1] = (it->def->variant & TRANSPOSED ? units : c) / groups;
    dims[2] = kernel[signal ? 1 : 0];
    dims[3] = kernel[1];
    w = weight(g, it->init, signal ? 3 : 4, dims, bias_init);
    if (!signal || !w.id) return w;
    dims[2] = 1;
    return gm_op_reshape(g, w, 4, dims);
}

static gm_node build_conv(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], kernel[2], units = gmi_arg_int(it, UNITS), groups = gmi_arg_int(it, GROUPS);
    int32_t rank = gmi_layer_shape(g, x, dims), v = it->def->variant;
    int signal = rank == 3;
    char bias_init[GMI_INIT_TEXT];
    gm_conv o;
    gm_node y;
    (void)cond;
    if ((rank != 3 && rank != 4) || (v & ONLY_1D && rank != 3) || (v & ONLY_2D && rank != 4))
        return gmi_layer_refuse(g, it, x, v & ONLY_1D ? "a signal [n,c,t]" : v & ONLY_2D ? "an image [n,c,h,w]" : "an image [n,c,h,w] or a signal [n,c,t]");
    if (conv_sizes(it, signal, kernel, &o)) return gmi_layer_refuse(g, it, x, "an image [n,c,h,w] for two-dimensional sizes such as k3x5");
    if (dims[1] % groups || units % groups)
        return gmi_graph_fail(g, GM_E_SHAPE, "%s %s: %i groups do not divide both %i input and %i output channels", g->scope, it->def->word, groups, dims[1], units);
    if (signal) {
        dims[3] = dims[2];
        dims[2] = 1;
        x = gm_op_reshape(g, x, 4, dims);
    }
    y = conv_weight(g, it, signal, kernel, dims[1], bias_init);
    y = v & TRANSPOSED ? gm_op_conv_transpose2d(g, x, y, &o) : gm_op_conv2d(g, x, y, &o);
    if (it->arg[BIAS].v[0] != 0.0 && y.id) y = gm_op_add(g, y, gmi_layer_per_channel(g, gmi_nn_param(g, "bias", bias_init, 1, &units), 4));
    if (!signal || !y.id) return y;
    dims[1] = units;
    dims[2] = gm_graph_dim(g, y, 3);
    return gm_op_reshape(g, y, 3, dims);
}

/* ---- embedding: rows of a table by i32 index, [n] to [n,columns], [n,k] to [n,k,columns] ---- */

static gm_node build_embedding(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK], table[2], count;
    int32_t rank = gmi_layer_shape(g, x, dims);
    gm_node y;
    (void)cond;
    if (rank < 1 || rank >= GMI_MAX_RANK || gmi_node(g, x)->dtype != GM_I32) return gmi_layer_refuse(g, it, x, "GM_I32 rows of a table, [n] or [n,k]");
    table[0] = gmi_arg_int(it, 0);
    table[1] = gmi_arg_int(it, 1);
    if (gmi_count_i64(rank, dims, &count)) return gmi_layer_refuse(g, it, x, "fewer rows");
    x = gm_op_reshape(g, x, 1, &count);
    y = gm_op_gather(g, gmi_nn_param(g, "weight", it->init[0] ? it->init : "normal", 2, table), x);
    dims[rank] = table[1];
    return gm_op_reshape(g, y, rank + 1, dims);
}

/* ---- the table ---- */

#define BIG 2147483647.0
#define BIAS_ARG {"bias", "", GMI_ARG_FLAG, GMI_BY_NAME, 0, 1, 1, 0, 1, ""}
#define INIT_ARG {"init", "", GMI_ARG_INIT, GMI_BY_NAME, 0, 1, 0, 0, 0, ""}
static const gmi_arg_spec dense_args[] = {{"units", "out_features", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, BIG, ""}, BIAS_ARG, INIT_ARG};
/* In the order of the enum above; conv has all but the last. */
static const gmi_arg_spec conv_args[] = {
    {"channels", "out_channels", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, BIG, ""},
    {"k", "kernel_size", GMI_ARG_SIZES, GMI_BY_LETTER, 1, 2, 0, 1, 65536, ""},
    {"s", "stride", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 1, 1, 65536, ""},
    {"p", "padding", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 0, 0, 65536, ""},
    {"d", "dilation", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 1, 1, 65536, ""},
    {"g", "groups", GMI_ARG_COUNT, GMI_BY_LETTER, 0, 1, 1, 1, BIG, ""},
    BIAS_ARG,
    INIT_ARG,
    {"op", "output_padding", GMI_ARG_SIZES, GMI_BY_LETTER, 0, 2, 0, 0, 65536, ""},
};
static const gmi_arg_spec embedding_args[] = {{"rows", "num_embeddings", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, BIG, ""},
                                              {"columns", "embedding_dim", GMI_ARG_COUNT, GMI_BY_PLACE, 1, 1, 0, 1, BIG, ""},
                                              INIT_ARG};
static const gmi_layer_def defs[] = {
    {"dense", "linear", GMI_L_LINEAR, 3, dense_args, 0, 0, build_dense, 0},
    {"conv", "", GMI_L_LINEAR, 8, conv_args, 0, 0, build_conv, 0},
    {"conv1d", "", GMI_L_LINEAR, 8, conv_args, 0, 0, build_conv, ONLY_1D},
    {"conv2d", "", GMI_L_LINEAR, 8, conv_args, 0, 0, build_conv, ONLY_2D},
    {"conv_transpose", "", GMI_L_LINEAR, 9, conv_args, 0, 0, build_conv, TRANSPOSED},
    {"conv_transpose1d", "", GMI_L_LINEAR, 9, conv_args, 0, 0, build_conv, TRANSPOSED | ONLY_1D},
    {"conv_transpose2d", "", GMI_L_LINEAR, 9, conv_args, 0, 0, build_conv, TRANSPOSED | ONLY_2D},
    {"embedding", "", 0, 3, embedding_args, 0, 0, build_embedding, 0},
};
const gmi_layer_family gmi_layers_linear = {defs, (int32_t)GMI_COUNT(defs)};
