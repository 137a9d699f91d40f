/* SPDX-License-Identifier: MIT */
/* gan_penalty.c: penalties on the gradient of D in its input, exact through the second derivative.
 *
 *   R1  r1/2 E_x |grad_x D(x)|^2, R2 the same at generated samples       Mescheder et al. 2018, eq. 9 and 10
 *   GP  gp E (|grad D(e x + (1 - e) G(z))| - 1)^2, e ~ U(0, 1) a row     Gulrajani et al. 2017, eq. 3
 * The gradient of the sum of all scores has in row i the gradient of score i, as long as rows do not see each other in D: hence the refusal of batch norm
 * (gan.c). The norm in GP is sqrt(s + 1e-12): the derivative of the square root is infinite at 0. */
#include "models/gan.h"

gm_node gmi_gan_grad_square(gm_graph *g, gm_node score, gm_node x)
{
    gm_node d;
    const int32_t rank = gm_graph_rank(g, x);
    gm_graph_grad(g, score, 1, &x, &d);
    return rank < 1 ? d : gm_op_sum(g, gm_op_square(g, d), ((1u << rank) - 1u) & ~1u, 0);
}

gm_node gmi_gan_gp(const gm_gan *a, gm_graph *g, gm_node x, gm_node fake, gmi_gan_given y)
{
    int64_t dims[GMI_MAX_RANK];
    const int32_t rank = gm_graph_rank(g, x);
    for (int32_t i = 0; i < rank; i++) dims[i] = i ? 1 : gm_graph_dim(g, x, 0);
    gm_node e = gm_op_random_uniform(g, "penalty.e", rank, dims, 1);
    x = gm_op_add(g, fake, gm_op_mul(g, e, gm_op_sub(g, x, fake)));
    gm_node norm = gm_op_sqrt(g, gm_op_shift(g, gmi_gan_grad_square(g, gmi_gan_discriminator(a, g, x, y), x), 1e-12));
    return gm_op_square(g, gm_op_shift(g, norm, -1));
}
