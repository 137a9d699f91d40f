/* SPDX-License-Identifier: MIT */
/* conv_vae.c: a convolutional VAE on 28x28x1 images (MNIST), Bernoulli on grey levels, batch 128, Adam 1e-3, 10 epochs.
 *
 *   encoder  conv 32-32-64-64 k4 s2 p1 (to 14, 7, 3, 1), dense 256, z 10
 *   decoder  dense 256-64, reshape 64x1x1, transposed conv 64-32-32-1 k4 s2 p1, output padding 1, 1, 0, 0 (to 3, 7, 14, 28)
 * ReLU throughout. test_loss is the cross-entropy bound in nats an image, as in vae_mnist.c. */
#include "common.h"

int main(int argc, char **argv)
{
    experiment e;
    gm_vae_options o;
    experiment_begin(&e, "conv_vae", argc, argv);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "conv 32 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; dense 256; relu";
    o.decoder = "dense 256; relu; dense 64; relu; reshape 64x1x1; conv_transpose 64 k4 s2 p1 output_padding=1; relu; "
                "conv_transpose 32 k4 s2 p1 output_padding=1; relu; conv_transpose 32 k4 s2 p1; relu; conv_transpose 1 k4 s2 p1";
    o.latent_dim = 10;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    o.optimizer = "adam lr=0.001";
    return experiment_vae_idx(&e, &o, "train-images-idx3-ubyte", "t10k-images-idx3-ubyte", 10);
}
