/* SPDX-License-Identifier: MIT */
/* activation.c: the usual activations as words, built from elementwise ops, so that gradients of any order come for free.
 *
 * Formulas and defaults are torch.nn's. Where a branch would overflow on the side that is not taken (expm1 of a large x in elu), its argument is cut first by
 * a select, so that its gradient stays finite too. At a kink the derivative is PyTorch's.
 * Nodes are emitted one per statement: C leaves the order of arguments open, and the order of nodes is the order in which gradients are added.
 * Sources: elu Clevert 2016; selu Klambauer 2017; gelu Hendrycks & Gimpel 2016; silu Elfwing 2017; mish Misra 2019; prelu He 2015; celu Barron 2017.
 * softplus and log_sigmoid are exact for every x: no linear threshold. */
#include "nn/layers.h"

enum { RELU, RELU6, LEAKY_RELU, PRELU, ELU, CELU, SELU, GELU, SILU, MISH, SOFTPLUS, SOFTSIGN, SIGMOID, LOG_SIGMOID, HARD_SIGMOID, HARD_SILU, TANH, HARD_TANH,
       SOFTMAX, LOG_SOFTMAX };

/* x > 0 ? x : scale * expm1(x / width); derivative at 0 is scale / width. */
static gm_node exponential_unit(gm_graph *g, gm_node x, double scale, double width)
{
    gm_node zero = gm_op_scalar(g, 0.0);
    gm_node positive = gm_op_lt(g, zero, x);
    gm_node low = gm_op_select(g, positive, zero, x);
    if (width != 1.0) low = gm_op_scale(g, low, 1.0 / width);
    low = gm_op_expm1(g, low);
    return gm_op_select(g, positive, x, scale == 1.0 ? low : gm_op_scale(g, low, scale));
}

/* 1/2 x (1 + erf(x / sqrt 2)), or its tanh approximation. */
static gm_node gelu(gm_graph *g, gm_node x, int by_tanh)
{
    gm_node u, half = gm_op_scale(g, x, 0.5);
    if (by_tanh) {
        u = gm_op_mul(g, x, gm_op_shift(g, gm_op_scale(g, gm_op_square(g, x), 0.044715), 1.0));
        u = gm_op_tanh(g, gm_op_scale(g, u, 0.7978845608028654)); /* sqrt(2 / pi) */
    } else {
        u = gm_op_erf(g, gm_op_scale(g, x, 0.7071067811865476));
    }
    return gm_op_mul(g, half, gm_op_shift(g, u, 1.0));
}

static gm_node clip(gm_graph *g, gm_node x, double low, double high)
{
    x = gm_op_max(g, gm_op_scalar(g, low), x); /* ties go to the constant: derivative 0 at the kinks, as in PyTorch */
    return gm_op_min(g, gm_op_scalar(g, high), x);
}

/* clip(x / 6 + 1/2, 0, 1) */
static gm_node hard_sigmoid(gm_graph *g, gm_node x) { return clip(g, gm_op_shift(g, gm_op_scale(g, x, 1.0 / 6.0), 0.5), 0.0, 1.0); }

/* One learned slope, or one per channel. */
static gm_node prelu(gm_graph *g, const gmi_item *it, gm_node x)
{
    int64_t n = gmi_arg_int(it, 0);
    int32_t rank = gm_graph_rank(g, x);
    char init[40];
    gm_node w, positive;
    if (n > 1 && (rank < 2 || gm_graph_dim(g, x, 1) != n)) return gmi_layer_refuse(g, it, x, "as many channels as slopes, or one slope");
    (void)gmi_format(init, sizeof init, "constant:%g", it->arg[1].v[0]);
    w = gmi_nn_param(g, "weight", init, 1, &n);
    if (n > 1) w = gmi_layer_per_channel(g, w, rank);
    w = gm_op_mul(g, x, w);
    positive = gm_op_lt(g, gm_op_scalar(g, 0.0), x);
    return gm_op_select(g, positive, x, w);
}

/* Over the channels, axis 1; rows [n] have none. */
static gm_node softmax(gm_graph *g, const gmi_item *it, gm_node x, int logarithm)
{
    if (gm_graph_rank(g, x) < 2) return gmi_layer_refuse(g, it, x, "[n,c] or more axes");
    return logarithm ? gm_op_sub(g, x, gm_op_logsumexp(g, x, 2u, 1)) : gm_op_softmax(g, x, 1);
}

static gm_node build(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    double a = it->arg[0].v[0];
    (void)cond;
    switch (it->def->variant) {
    case RELU: return gm_op_relu(g, x);
    case RELU6: return clip(g, x, 0.0, 6.0);
    case LEAKY_RELU: return gm_op_leaky_relu(g, x, a);
    case PRELU: return prelu(g, it, x);
    case ELU: return exponential_unit(g, x, a, 1.0);
    case CELU: return exponential_unit(g, x, a, a);
    case SELU: return gm_op_scale(g, exponential_unit(g, x, 1.6732632423543772848, 1.0), 1.0507009873554804934);
    case GELU: return gelu(g, x, a != 0.0);
    case SILU: return gm_op_mul(g, x, gm_op_sigmoid(g, x));
    case MISH: return gm_op_mul(g, x, gm_op_tanh(g, gm_op_softplus(g, x)));
    case SOFTPLUS: return a == 1.0 ? gm_op_softplus(g, x) : gm_op_scale(g, gm_op_softplus(g, gm_op_scale(g, x, a)), 1.0 / a);
    case SOFTSIGN: return gm_op_div(g, x, gm_op_shift(g, gm_op_abs(g, x), 1.0));
    case SIGMOID: return gm_op_sigmoid(g, x);
    case LOG_SIGMOID: return gm_op_neg(g, gm_op_softplus(g, gm_op_neg(g, x)));
    case HARD_SIGMOID: return hard_sigmoid(g, x);
    case HARD_SILU: return gm_op_mul(g, x, hard_sigmoid(g, x));
    case TANH: return gm_op_tanh(g, x);
    case HARD_TANH: return clip(g, x, -1.0, 1.0);
    case SOFTMAX: return softmax(g, it, x, 0);
    default: return softmax(g, it, x, 1);
    }
}

#define SLOPE(name, alias, dflt) {name, alias, GMI_ARG_REAL, GMI_BY_PLACE, 0, 1, dflt, 0, 1e6, ""}
static const gmi_arg_spec leaky_args[] = {SLOPE("slope", "negative_slope", 0.01)};
static const gmi_arg_spec elu_args[] = {SLOPE("alpha", "", 1)};
static const gmi_arg_spec celu_args[] = {{"alpha", "", GMI_ARG_REAL, GMI_BY_PLACE, 0, 1, 1, 1e-6, 1e6, ""}};
static const gmi_arg_spec softplus_args[] = {{"beta", "", GMI_ARG_REAL, GMI_BY_PLACE, 0, 1, 1, 1e-6, 1e6, ""}};
static const gmi_arg_spec gelu_args[] = {{"approximate", "", GMI_ARG_CHOICE, GMI_BY_PLACE, 0, 1, 0, 0, 1, "none tanh"}};
static const gmi_arg_spec prelu_args[] = {{"channels", "num_parameters", GMI_ARG_COUNT, GMI_BY_PLACE, 0, 1, 1, 1, 2147483647.0, ""},
                                          {"slope", "init", GMI_ARG_REAL, GMI_BY_NAME, 0, 1, 0.25, -1e6, 1e6, ""}};

#define ROW(word, alias, n, args, variant) {word, alias, GMI_L_ACTIVATION, n, args, 0, 0, build, variant}
static const gmi_layer_def defs[] = {
    ROW("relu", "", 0, NULL, RELU),
    ROW("relu6", "", 0, NULL, RELU6),
    ROW("leaky_relu", "", 1, leaky_args, LEAKY_RELU),
    ROW("prelu", "", 2, prelu_args, PRELU),
    ROW("elu", "", 1, elu_args, ELU),
    ROW("celu", "", 1, celu_args, CELU),
    ROW("selu", "", 0, NULL, SELU),
    ROW("gelu", "", 1, gelu_args, GELU),
    ROW("silu", "swish", 0, NULL, SILU),
    ROW("mish", "", 0, NULL, MISH),
    ROW("softplus", "", 1, softplus_args, SOFTPLUS),
    ROW("softsign", "", 0, NULL, SOFTSIGN),
    ROW("sigmoid", "", 0, NULL, SIGMOID),
    ROW("log_sigmoid", "logsigmoid", 0, NULL, LOG_SIGMOID),
    ROW("hard_sigmoid", "hardsigmoid", 0, NULL, HARD_SIGMOID),
    ROW("hard_silu", "hardswish", 0, NULL, HARD_SILU),
    ROW("tanh", "", 0, NULL, TANH),
    ROW("hard_tanh", "hardtanh", 0, NULL, HARD_TANH),
    ROW("softmax", "", 0, NULL, SOFTMAX),
    ROW("log_softmax", "", 0, NULL, LOG_SOFTMAX),
};
const gmi_layer_family gmi_layers_activation = {defs, (int32_t)GMI_COUNT(defs)};
