/* SPDX-License-Identifier: MIT */
/* gan_mnist.c: a GAN on MNIST (gans.h says what is measured): transposed convolutions 128-64-1 from 7x7 against convolutions 64-128, the shape of DCGAN
 * without any normalisation; relativistic with R1 and R2 every 4th step, an average of G's weights, 8,500 steps; the rates fall to 0 from the 3,000th on. */
#include "gans.h"

int main(int argc, char **argv)
{
    experiment e;
    gm_gan_options o;
    gm_fit_options f;
    experiment_begin(&e, "gan_mnist", argc, argv);
    gm_gan_options_init(&o, sizeof o);
    o.generator = "dense 6272; reshape 128x7x7; leaky_relu 0.2; conv_transpose 64 k4 s2 p1; leaky_relu 0.2; conv_transpose 1 k4 s2 p1; tanh";
    o.discriminator = "conv 64 k4 s2 p1; leaky_relu 0.2; conv 128 k4 s2 p1; leaky_relu 0.2; dense 1";
    o.g_schedule = o.d_schedule = "linear 0.0003 0 start=3000 steps=5500";
    o.gamma = "constant 0.2";
    gm_fit_options_init(&f, sizeof f);
    f.batch = 128;
    f.max_steps = 8500;
    return experiment_gan_images(&e, &o, &f);
}
