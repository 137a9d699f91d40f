/* SPDX-License-Identifier: MIT */
/* 01_hello_vae.c: train a variational autoencoder on images, save it, draw new ones.
 *
 *     cc 01_hello_vae.c $(pkg-config --cflags --libs libgenrep) && ./a.out [IDX-FILE-OF-IMAGES]
 *
 * Every call that can fail returns a gm_status; GM_OK is 0, and `if (!s) s = ...` runs until the first failure, whose message the context keeps. With
 * NULL in place of &fit training takes 10,000 steps, or fewer when held-back images show no more gain. Next: 02, data in a format of your own. */
#include <genrep.h>
#include <stdio.h>

static gm_status draw(gm_context *ctx, gm_vae *vae)
{
    const int64_t dims[4] = {64, 1, 8, 8};
    gm_tensor *x = NULL;
    gm_writer png;
    gm_status s = gm_tensor_create(ctx, GM_U8, 4, dims, &x);
    if (!s) s = gm_vae_sample(vae, NULL, NULL, x); /* as many as x has rows, in the units of the data: 0..16 */
    for (int i = 0; !s && i < 64 * 64; i++) ((unsigned char *)gm_tensor_data(x))[i] *= 15;
    gm_writer_init(&png, sizeof png);
    png.path = "samples.png";
    if (!s) s = gm_viz_grid(ctx, x, 8, &png);
    gm_tensor_destroy(x);
    return s;
}

int main(int argc, char **argv)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_record r;
    gm_status s = gm_context_create(NULL, &ctx); /* threads, allocator, log: all default */

    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 400; relu"; /* the heads for q(z|x) and p(x|z) are added */
    o.decoder = "dense 400; relu";
    o.latent_dim = 20;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 20;

    if (!s) s = gm_dataset_open_idx(ctx, argc > 1 ? argv[1] : "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae);
    if (!s) s = gm_vae_fit(vae, data, &fit);
    gm_record_init(&r, sizeof r);
    if (!s) s = gm_vae_evaluate(vae, data, 1, &r);
    if (!s) printf("%ld images, %ld steps: elbo %.2f nats, of which kl %.2f\n", (long)gm_dataset_count(data), (long)r.step, r.elbo, r.kl);
    if (!s) s = gm_vae_save(vae, "digits.safetensors");
    if (!s && argc == 1) s = draw(ctx, vae);
    if (s) printf("%s\n", gm_context_error(ctx));

    gm_vae_destroy(vae); /* any order is safe; NULL is fine */
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
