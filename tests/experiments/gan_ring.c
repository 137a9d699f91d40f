/* SPDX-License-Identifier: MIT */
/* gan_ring.c: a GAN on 8 Gaussians of deviation 0.01 on the unit circle (mixture.h says what is measured).
 *
 * Preset "unattended" (relativistic, R1 and R2) with nets, gamma, learning rate and steps on top, the same for all seeds: G and D have 4 hidden layers
 * of 256 units, ReLU; gamma falls from 0.2 to 0.02 over the first 30% of the steps, the learning rates from 0.001 along a line to 0 in the second half.
 * With leaky_relu 0.2 the bridges between modes take four times as long to thin out. */
#include "mixture.h"
#include <math.h>

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
    experiment_begin(&e, "gan_ring", argc, argv);
    memset(&m, 0, sizeof m);
    m.modes = 8;
    m.sigma = 0.01;
    m.steps = 12000;
    m.batch = 256;
    for (k = 0; k < m.modes; k++) {
        m.centre[k][0] = cos(0.78539816339744831 * k);
        m.centre[k][1] = sin(0.78539816339744831 * k);
    }
    return experiment_mixture(&e, &m, options);
}
