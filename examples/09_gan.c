/* SPDX-License-Identifier: MIT */
/* 09_gan.c: a generative adversarial network on points of the plane.
 *
 * The data are eight clouds on a ring: a generator that has learned only some of them is the usual failure, "mode collapse", and here it can be counted. The
 * default loss compares each real point with a generated one and keeps D's slope small at both (docs/gan.md); only networks and rates are chosen here. A GAN has
 * no objective that falls: look at samples, not at losses. Next: 10, moving through a latent space. */
#include <genrep.h>
#include <stdio.h>

#define COUNT 2048
#define SAMPLES 1000
#define CLOUDS 8

static const float centre[CLOUDS][2] = {{4, 0}, {2.828f, 2.828f}, {0, 4}, {-2.828f, 2.828f}, {-4, 0}, {-2.828f, -2.828f}, {0, -4}, {2.828f, -2.828f}};

static float noise(unsigned *state) /* four uniform numbers: nearly normal, deviation 0.2 */
{
    float sum = -2;
    for (int j = 0; j < 4; j++) sum += (float)((*state = *state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
    return 0.35f * sum;
}

static gm_status open_points(gm_context *ctx, gm_dataset **out)
{
    const int64_t dims[2] = {COUNT, 2};
    static float xy[2 * COUNT]; /* lives as long as the dataset */
    unsigned state = 1;
    gm_tensor *x = NULL;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, xy, &x);
    for (int i = 0; i < 2 * COUNT; i++) xy[i] = centre[i / 2 % CLOUDS][i % 2] + noise(&state);
    if (!s) s = gm_dataset_from_tensor(x, NULL, NULL, out);
    gm_tensor_destroy(x);
    return s;
}

/* The cloud a point is nearest to, and whether it lies within 0.8 of its middle, four deviations. */
static int cloud_of(const float *p, int *inside)
{
    int best = 0;
    float least = 1e9f;
    for (int k = 0; k < CLOUDS; k++) {
        float dx = p[0] - centre[k][0], dy = p[1] - centre[k][1], d = dx * dx + dy * dy;
        if (d < least) least = d, best = k;
    }
    *inside = least < 0.64f;
    return best;
}

static gm_action progress(void *user, const gm_record *r)
{
    char line[256];
    (void)user;
    if (r->kind == GM_RECORD_EPOCH && r->epoch % 50 == 0 && gm_record_text(r, line, sizeof line) == GM_OK) fprintf(stderr, "%s\n", line);
    return GM_CONTINUE;
}

/* Samples, how they spread over the clouds, what D thinks of them, and a plot. */
static gm_status look(gm_context *ctx, gm_gan *gan)
{
    const int64_t dims[2] = {SAMPLES, 2};
    int seen[CLOUDS] = {0}, in = 0, covered = 0;
    double mean = 0;
    gm_tensor *x = NULL, *score = NULL;
    gm_writer svg;
    gm_status s = gm_tensor_create(ctx, GM_F32, 2, dims, &x);
    if (!s) s = gm_tensor_create(ctx, GM_F32, 1, dims, &score);
    if (!s) s = gm_gan_sample(gan, NULL, NULL, x); /* z from N(0, 1), through the average of G's weights */
    if (!s) s = gm_gan_discriminate(gan, x, NULL, score);
    for (int i = 0; !s && i < SAMPLES; i++) {
        int inside, k = cloud_of((const float *)gm_tensor_data(x) + 2 * i, &inside);
        seen[k] += inside;
        in += inside;
        mean += ((const float *)gm_tensor_data(score))[i] / SAMPLES;
    }
    for (int k = 0; k < CLOUDS; k++) covered += seen[k] >= SAMPLES / CLOUDS / 4;
    if (!s) printf("%d of %d clouds have samples, %d%% of all lie inside one\n", covered, CLOUDS, (in * 100 + SAMPLES / 2) / SAMPLES);
    if (!s) fprintf(stderr, "mean score of samples %.3f\n", mean);
    gm_writer_init(&svg, sizeof svg);
    svg.path = "gan_points.svg";
    if (!s) s = gm_viz_scatter(ctx, x, NULL, &svg);
    gm_tensor_destroy(x);
    gm_tensor_destroy(score);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_gan *gan = NULL, *loaded = NULL;
    gm_gan_options o;
    gm_fit_options fit;
    gm_status s = gm_context_create(NULL, &ctx);

    gm_gan_options_init(&o, sizeof o);
    o.generator = "dense 64; relu; dense 64; relu"; /* the layers to 2 numbers and to one score are added */
    o.discriminator = "dense 64; leaky_relu 0.2; dense 64; leaky_relu 0.2";
    o.g_optimizer = o.d_optimizer = "adam lr=0.002 beta1=0 beta2=0.99"; /* small networks take larger steps than the default's 2e-4 */
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 3000;
    fit.progress = progress;
    if (!s) s = open_points(ctx, &data);
    if (!s) s = gm_gan_create(ctx, gm_dataset_spec(data), &o, &gan);
    if (!s) s = gm_gan_fit(gan, data, &fit);
    if (!s) s = look(ctx, gan);
    if (!s) s = gm_gan_save(gan, "gan.safetensors"); /* G's average, D, options, scaling */
    if (!s) s = gm_gan_load(ctx, "gan.safetensors", &loaded);
    if (!s) puts("loaded again:");
    if (!s) s = look(ctx, loaded);
    if (s) printf("%s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));

    gm_gan_destroy(gan);
    gm_gan_destroy(loaded);
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
