/* SPDX-License-Identifier: MIT */
/* logistic.c: the discretised logistic distribution over N bins (Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++, eq. 2).
 *
 * A logistic variable Y with mean m and scale s = e^ls is rounded to the nearest of N centres x from -1 to 1, 2h apart, h = 1/(N - 1); what lies outside goes
 * to the end bins. With a = (x - h - m)/s, b = (x + h - m)/s and S the sigmoid:
 *
 *   p(x) = S(b) - S(a) = S(b) S(-a) (1 - e^(a - b)),     p(-1) = S(b),     p(1) = 1 - S(a) = S(-a)
 *
 * The product follows from S(b) - S(a) = (e^-a - e^-b)/((1 + e^-a)(1 + e^-b)), numerator and first factor times e^a. Its logarithm
 *
 *   log p = -softplus(-b) - softplus(a) + log(1 - e^(-2h/s))
 *
 * has three terms that are at most 0: nothing cancels, however far x is in a tail or however narrow s is, and the published code's case distinction is not
 * needed. The end bins leave one softplus and the third term out. Not here: mixtures of logistics. */
#include "nn/nn.h"

/* s from e^-3 half bins, where a bin around the mean has all of the probability but 4e-9, to e^5, where the inner bins have less than 1% of it; outside these
 * bounds nothing is left to learn, and exponents would run away. Two softplus make both bounds soft: the gradient does not vanish. */
gm_node gmi_logistic_log_scale(gm_graph *g, gm_node raw, int64_t levels)
{
    const double floor = -gmi_num_log((double)(levels - 1)) - 3, ceiling = 5;
    gm_node s = gm_op_shift(g, gm_op_softplus(g, gm_op_shift(g, raw, -floor)), floor);
    return gm_op_sub(g, gm_op_scalar(g, ceiling), gm_op_softplus(g, gm_op_sub(g, gm_op_scalar(g, ceiling), s)));
}

gm_node gmi_logistic_log(gm_graph *g, gm_node mean, gm_node log_scale, gm_node x, int64_t levels)
{
    const double h = 1.0 / (double)(levels - 1);
    gm_node inverse = gm_op_exp(g, gm_op_neg(g, log_scale)), d = gm_op_sub(g, x, mean);
    gm_node a = gm_op_mul(g, gm_op_shift(g, d, -h), inverse), b = gm_op_mul(g, gm_op_shift(g, d, h), inverse);
    gm_node width = gm_op_log(g, gm_op_neg(g, gm_op_expm1(g, gm_op_scale(g, inverse, -2 * h))));
    /* whether the bin has an edge above, and one below: centres are 2h apart, so that bounds halfway are exact for any rounding of x */
    gm_node above = gm_op_lt(g, x, gm_op_scalar(g, 1 - h)), below = gm_op_lt(g, gm_op_scalar(g, h - 1), x);
    gm_node ends = gm_op_add(g, gm_op_mul(g, above, gm_op_softplus(g, gm_op_neg(g, b))), gm_op_mul(g, below, gm_op_softplus(g, a)));
    return gm_op_sub(g, gm_op_mul(g, gm_op_mul(g, above, below), width), ends);
}

/* E clamp(Y, -1, 1) = -1 + integral of P(Y > t) from -1 to 1 = -1 + s (softplus((m + 1)/s) - softplus((m - 1)/s)). The expected bin is the same integral by
 * the midpoint rule: P is monotone, so they are half a bin apart at most, and far less where s is a bin or more. */
gm_node gmi_logistic_mean(gm_graph *g, gm_node mean, gm_node log_scale)
{
    gm_node s = gm_op_exp(g, log_scale), inverse = gm_op_exp(g, gm_op_neg(g, log_scale));
    gm_node up = gm_op_softplus(g, gm_op_mul(g, gm_op_shift(g, mean, 1), inverse)), down = gm_op_softplus(g, gm_op_mul(g, gm_op_shift(g, mean, -1), inverse));
    return gm_op_shift(g, gm_op_mul(g, s, gm_op_sub(g, up, down)), -1);
}

/* m + s log(u/(1 - u)); u is inside (0, 1) and so is 1 - u. */
gm_node gmi_logistic_draw(gm_graph *g, gm_node mean, gm_node log_scale, gm_node uniform)
{
    gm_node logit = gm_op_sub(g, gm_op_log(g, uniform), gm_op_log(g, gm_op_sub(g, gm_op_scalar(g, 1), uniform)));
    return gm_op_add(g, mean, gm_op_mul(g, gm_op_exp(g, log_scale), logit));
}
