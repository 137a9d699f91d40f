/* SPDX-License-Identifier: MIT */
/* 08_conv_vae.c: a convolutional, conditional VAE: one digit of each kind on request.
 *
 * Encoder and decoder are texts: "conv 16 k4 s2 p1" has 16 channels, a kernel of 4, stride 2, padding 1. With condition "concat" both also see the label, so
 * that z is left with what the label does not say: slant, width, style. A row of the picture is one z drawn with all ten labels. */
#include <genrep.h>
#include <stdio.h>

#define STYLES 6

static gm_action progress(void *user, const gm_record *r)
{
    char line[256];
    (void)user;
    if (r->kind == GM_RECORD_EPOCH && gm_record_text(r, line, sizeof line) == GM_OK) fprintf(stderr, "%s\n", line);
    return GM_CONTINUE;
}

/* [STYLES * 10, 1, 8, 8]: style i / 10 with label i % 10, in 0..1. */
static gm_status draw(gm_context *ctx, gm_vae *vae, const char *path)
{
    const int64_t n = STYLES * 10, codes[2] = {STYLES * 10, 6}, images[4] = {STYLES * 10, 1, 8, 8};
    static float z[STYLES * 10 * 6];
    static int32_t label[STYLES * 10];
    unsigned state = 3;
    gm_tensor *zt = NULL, *lt = NULL, *x = NULL;
    gm_writer png;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, codes, NULL, z, &zt);
    if (!s) s = gm_tensor_wrap(ctx, GM_I32, 1, &n, NULL, label, &lt);
    if (!s) s = gm_tensor_create(ctx, GM_F32, 4, images, &x); /* f32 in the data's units, 0..16 */
    for (int i = 0; i < STYLES * 10; i++) {
        label[i] = i % 10;
        for (int j = 0; j < 6; j++) {
            if (i % 10) z[i * 6 + j] = z[(i - 1) * 6 + j];
            else { /* four uniform numbers: nearly normal */
                z[i * 6 + j] = -2;
                for (int k = 0; k < 4; k++) z[i * 6 + j] += (float)((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
                z[i * 6 + j] *= 1.7f;
            }
        }
    }
    if (!s) s = gm_vae_decode(vae, zt, lt, GM_DRAW_MEAN, 0, x);
    for (int i = 0; !s && i < STYLES * 10 * 64; i++) ((float *)gm_tensor_data(x))[i] /= 16;
    gm_writer_init(&png, sizeof png);
    png.path = path;
    if (!s) s = gm_viz_grid(ctx, x, 10, &png);
    gm_tensor_destroy(zt);
    gm_tensor_destroy(lt);
    gm_tensor_destroy(x);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *all = NULL, *train = NULL, *test = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_record r;
    gm_status s = gm_context_create(NULL, &ctx);

    gm_vae_options_init(&o, sizeof o);
    o.encoder = "conv 16 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; flatten; dense 64; relu";            /* 8 to 4 to 2 */
    o.decoder = "dense 128; relu; reshape 32x2x2; conv_transpose 16 k4 s2 p1; relu; conv_transpose 1 k4 s2 p1"; /* and back */
    o.latent_dim = 6;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI;
    o.condition = "concat";
    o.bias_init = 1; /* begin at the mean of the data */
    o.optimizer = "adam lr=2e-3";
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 30;
    fit.batch = 64;
    fit.validation_fraction = 0;
    fit.progress = progress;

    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", "labels=data/digits/labels-idx1-ubyte lo=0 hi=16", &all);
    if (!s) s = gm_dataset_split(all, 0.8, 1, &train, &test);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(all), &o, &vae);
    if (!s) s = gm_vae_fit(vae, train, &fit);
    gm_record_init(&r, sizeof r);
    if (!s) s = gm_vae_evaluate(vae, test, 4, &r);
    if (!s) printf("%ld test images: elbo %.1f, kl %.1f, %.0f of 6 units active\n", (long)gm_dataset_count(test), r.elbo, r.kl, r.active_units);
    if (!s) s = draw(ctx, vae, "digits_by_label.png");
    if (!s) printf("digits_by_label.png: %d styles of every digit\n", STYLES);
    if (s && ctx) printf("%s\n", gm_context_error(ctx));

    gm_vae_destroy(vae);
    gm_dataset_destroy(train);
    gm_dataset_destroy(test);
    gm_dataset_destroy(all);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
