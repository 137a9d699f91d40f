/* SPDX-License-Identifier: MIT */
/* gan_fashion.c: a GAN on Fashion-MNIST with nothing set: preset "unattended", default fit options (gans.h says what is measured). */
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
    return experiment_gan_images(&e, &o, &f);
}
