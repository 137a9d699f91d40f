/* SPDX-License-Identifier: MIT */
/* gan_fashion.c: a GAN on Fashion-MNIST with preset "unattended" and nothing set but the length, half of the default's 10,000 steps (gans.h says what is
 * measured). */
#include "gans.h"

int main(int argc, char **argv)
{
    experiment e;
    gm_gan_options o;
    gm_fit_options f;
    experiment_begin(&e, "gan_fashion", argc, argv);
    gm_gan_options_init(&o, sizeof o);
    experiment_need(&e, gm_gan_options_preset(&o, "unattended"));
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = 5000;
    return experiment_gan_images(&e, &o, &f);
}
