/* SPDX-License-Identifier: MIT */
/* 05_custom_layer.c: a layer of your own, as a word of the architecture text.
 *
 * A layer is a function that builds graph nodes; its gradient comes from the graph, to any order. Here: "snake a", x + sin(a x)^2 / a (Ziyin et al. 2020), and
 * "shift", which learns one number a feature. Model files store the text: a program that has not registered the words cannot read them and says which.
 * Next: 06, a loop of your own over any graph. */
#include <genrep.h>
#include <stdio.h>
#include <string.h>

static gm_node snake(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    double a = n > 0 ? args[0] : 1;
    gm_node wave = gm_op_square(g, gm_op_sin(g, gm_op_scale(g, x, a)));
    (void)user, (void)cond;
    return gm_op_add(g, x, gm_op_scale(g, wave, 1 / a)); /* builders nest; a failure inside gives id 0 here */
}

static gm_node shift(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    int64_t features = gm_graph_dim(g, x, -1);
    (void)user, (void)cond, (void)n, (void)args;
    return gm_op_add(g, x, gm_graph_param(g, "shift", "zeros", 1, &features)); /* trained and saved with the rest */
}

static gm_status register_words(gm_context *ctx)
{
    gm_layer_class k;
    gm_status s;
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "snake";
    k.build = snake;
    s = gm_layer_register(ctx, &k);
    k.word = "shift";
    k.build = shift;
    return s ? s : gm_layer_register(ctx, &k);
}

static gm_status train(gm_context *ctx, gm_dataset *data, gm_vae **vae)
{
    gm_vae_options o;
    gm_fit_options fit;
    gm_status s;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 64; snake 0.5; dense 64; snake 0.5";
    o.decoder = "shift; dense 64; snake 0.5";
    o.latent_dim = 8;
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 20;
    s = gm_vae_create(ctx, gm_dataset_spec(data), &o, vae);
    return s ? s : gm_vae_fit(*vae, data, &fit);
}

/* Encodes the first ten images. */
static gm_status encode(gm_context *ctx, gm_vae *vae, gm_dataset *data, float *means)
{
    const int64_t images[4] = {10, 1, 8, 8}, codes[2] = {10, 8};
    gm_tensor *x = NULL, *z = NULL;
    gm_status s = gm_tensor_create(ctx, GM_U8, 4, images, &x);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 2, codes, NULL, means, &z); /* written in place */
    if (!s) s = gm_dataset_read(data, 0, x, NULL);
    if (!s) s = gm_vae_encode(vae, x, NULL, z, NULL);
    gm_tensor_destroy(x);
    gm_tensor_destroy(z);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL, *other = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL, *loaded = NULL;
    gm_tensor *learned = NULL;
    float before[80], after[80];
    int moved = 0;
    gm_status s = gm_context_create(NULL, &ctx);

    if (!s) s = register_words(ctx);
    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", "lo=0 hi=16", &data);
    if (!s) s = train(ctx, data, &vae);
    if (!s) s = gm_params_view(gm_vae_params(vae), "decoder.0.shift", &learned);
    for (int i = 0; !s && i < 8; i++) moved += ((const float *)gm_tensor_data_const(learned))[i] != 0;
    gm_tensor_destroy(learned);
    if (!s) printf("shift has learned %d numbers\n", moved);
    if (!s) s = gm_vae_save(vae, "snake.safetensors");
    if (!s) s = encode(ctx, vae, data, before);
    if (s) printf("%s\n", gm_context_error(ctx));

    /* Another program: first it does not know the words, then it does. */
    if (!s) s = gm_context_create(NULL, &other);
    if (!s && gm_vae_load(other, "snake.safetensors", &loaded) == GM_E_UNKNOWN)
        printf("%.*s\n", (int)strcspn(gm_context_error(other), ";"), gm_context_error(other)); /* behind the ";": the words it knows */
    if (!s) s = register_words(other);
    if (!s) s = gm_vae_load(other, "snake.safetensors", &loaded);
    if (!s) s = encode(other, loaded, data, after);
    if (s && other) printf("%s\n", gm_context_error(other));
    if (!s) printf("loaded: the same codes: %s\n", memcmp(before, after, sizeof before) ? "no" : "yes");

    gm_vae_destroy(vae);
    gm_vae_destroy(loaded);
    gm_dataset_destroy(data);
    gm_context_destroy(other);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
