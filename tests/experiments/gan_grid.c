/* SPDX-License-Identifier: MIT */
/* gan_grid.c: a GAN on 25 Gaussians of deviation 0.05 at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4} (mixture.h says what is measured).
 *
 * As gan_ring.c, with more steps. */
#include "mixture.h"

static void options(const mixture *m, gm_gan_options *o)
{
    static const char net[] = "dense 256; relu; dense 256; relu; dense 256; relu; dense 256; relu";
    static char gamma[64], rate[64];
    snprintf(gamma, sizeof gamma, "linear 0.2 0.02 steps=%d", (int)(m->steps * 3 / 10));
    snprintf(rate, sizeof rate, "linear 0.001 0 start=%d steps=%d", (int)(m->steps / 2), (int)(m->steps - m->steps / 2));
    o->generator = o->discriminator = net;
    o->gamma = gamma;
    o->g_schedule = o->d_schedule = rate;
}

int main(int argc, char **argv)
{
    experiment e;
    mixture m;
    int32_t k;
    experiment_begin(&e, "gan_grid", argc, argv);
    memset(&m, 0, sizeof m);
    m.modes = 25;
    m.sigma = 0.05;
    m.steps = 16000;
    m.batch = 256;
    for (k = 0; k < m.modes; k++) {
        m.centre[k][0] = 2 * (k % 5) - 4;
        m.centre[k][1] = 2 * (k / 5) - 4;
    }
    return experiment_mixture(&e, &m, options);
}
