/* SPDX-License-Identifier: MIT */
/* 01_hello_vae.c: train a variational autoencoder on images and save it: the program of the README.
 *
 *     cc 01_hello_vae.c $(pkg-config --cflags --libs libgenrep) && ./a.out
 *
 * Every call that can fail returns a gm_status; GM_OK is 0, and `if (!s) s = ...` runs until the first failure, whose message the context keeps. Training
 * takes 10,000 steps, or fewer when held-back images show no more gain. Next: 02, data in a format of your own. */
#include <genrep.h>
#include <stdio.h>

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    gm_status s = gm_context_create(NULL, &ctx); /* threads, seed, allocator, log: all default */
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 400; relu"; /* heads are added by the library */
    o.decoder = "dense 400; relu";
    o.latent_dim = 20;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    if (!s) s = gm_dataset_open_idx(ctx, "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae); /* shape known: memory, save, decode work before fit */
    if (!s) s = gm_vae_fit(vae, data, NULL);                         /* or gm_vae_step() in your own loop */
    if (!s) s = gm_vae_save(vae, "digits.safetensors");
    printf("%s\n", s ? gm_context_error(ctx) : "saved digits.safetensors");
    gm_vae_destroy(vae);
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    return s != GM_OK;
}
