/* SPDX-License-Identifier: MIT */
/* vae_mnist.c: the VAE of the literature on MNIST: 784-400-20-400-784, ReLU, Bernoulli on grey levels, Adam 1e-3, batch 128, 10 epochs.
 *
 * test_loss is the cross-entropy bound (bce_bound) in nats an image: one z an image, analytic KL, mean over the 10,000 test images. PyTorch's example of this
 * setting reaches about 105.6. */
#include "common.h"

int main(int argc, char **argv)
{
    experiment e;
    gm_vae_options o;
    experiment_begin(&e, "vae_mnist", argc, argv);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 400; relu";
    o.decoder = "dense 400; relu";
    o.latent_dim = 20;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    o.optimizer = "adam lr=0.001";
    return experiment_vae_idx(&e, &o, "train-images-idx3-ubyte", "t10k-images-idx3-ubyte", 10);
}
