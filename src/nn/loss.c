/* SPDX-License-Identifier: MIT */
/* loss.c: log densities and divergences in nats, per example (all axes but the first summed), and joining a condition to x.
 *
 * Stable forms, so that logits of any size are fine and gradients are the short ones: Bernoulli x l - softplus(l), whose derivative is x - sigmoid(l); KL with
 * expm1, which keeps its digits near 0 (Kingma & Welling 2014, appendix B, eq. 10). x of the Bernoulli may be a grey level in [0, 1]: then it is the
 * cross-entropy bound, no log probability. */
#include "nn/nn.h"

/* [n, ...] to [n] */
static gm_node per_example(gm_graph *g, gm_node a)
{
    int32_t rank = gm_graph_rank(g, a);
    return rank > 1 ? gm_op_sum(g, a, ((1u << rank) - 1u) & ~1u, 0) : a;
}

gm_node gmi_loss_bernoulli(gm_graph *g, gm_node logits, gm_node x)
{
    gm_node a = gm_op_mul(g, x, logits);
    return per_example(g, gm_op_sub(g, a, gm_op_softplus(g, logits)));
}

/* -1/2 (log 2 pi + logvar + (x - mean)^2 exp(-logvar)) */
gm_node gmi_gaussian_log(gm_graph *g, gm_node mean, gm_node logvar, gm_node x)
{
    gm_node squares = gm_op_square(g, gm_op_sub(g, x, mean));
    gm_node precision = gm_op_exp(g, gm_op_neg(g, logvar));
    gm_node a = gm_op_mul(g, squares, precision);
    a = gm_op_add(g, a, gm_op_shift(g, logvar, 1.8378770664093453)); /* log 2 pi */
    return gm_op_scale(g, a, -0.5);
}

gm_node gmi_loss_gaussian(gm_graph *g, gm_node mean, gm_node logvar, gm_node x) { return per_example(g, gmi_gaussian_log(g, mean, logvar, x)); }

/* logits [n,d,k], index [n,d]: sum over d of logits[index] - logsumexp(logits) */
gm_node gmi_loss_categorical(gm_graph *g, gm_node logits, gm_node index_i32)
{
    int32_t last = gm_graph_rank(g, logits) - 1;
    gm_node chosen, total;
    if (last < 1) return gmi_graph_fail(g, GM_E_SHAPE, "categorical: logits need [n,...,k]");
    chosen = gm_op_one_hot(g, index_i32, gm_graph_dim(g, logits, last));
    chosen = gm_op_sum(g, gm_op_mul(g, logits, chosen), 1u << last, 0);
    total = gm_op_logsumexp(g, logits, 1u << last, 0);
    return per_example(g, gm_op_sub(g, chosen, total));
}

/* 1/2 (exp(lv) - 1 - lv + mean^2) per dimension */
gm_node gmi_loss_kl_normal(gm_graph *g, gm_node mean, gm_node logvar)
{
    gm_node a = gm_op_sub(g, gm_op_expm1(g, logvar), logvar);
    return gm_op_scale(g, gm_op_add(g, a, gm_op_square(g, mean)), 0.5);
}

gm_node gmi_nn_concat_cond(gm_graph *g, gm_node x, gm_node cond)
{
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gm_graph_rank(g, x), i;
    gm_node part[2];
    if (!cond.id || !x.id || g->failed) return x;
    if (rank < 2 || gm_graph_rank(g, cond) != 2)
        return gmi_graph_fail(g, GM_E_SHAPE, "condition: x has rank %d and the condition rank %d; wants [n,...] and [n,c]", rank, gm_graph_rank(g, cond));
    for (i = 0; i < rank; i++) dims[i] = i < 2 ? gm_graph_dim(g, cond, i) : 1;
    part[0] = x;
    part[1] = gm_op_reshape(g, cond, rank, dims);
    for (i = 2; i < rank; i++) dims[i] = gm_graph_dim(g, x, i);
    part[1] = gm_op_broadcast(g, part[1], rank, dims);
    return gm_op_concat(g, 2, part, 1);
}
