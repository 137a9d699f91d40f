/* SPDX-License-Identifier: MIT */
/* 02_own_data.c: data in a format of your own, through a callback.
 *
 * A gm_source is asked for samples by their numbers, in any order, and fills plain arrays; the library never sees the file. Here the file has records of 6
 * bytes: x, y in hundredths (16 bits, little-endian), and a class. Scaling (mean 0, deviation 1) is fitted on the training part, kept in the model and
 * undone on output, so that everything outside stays in the file's units. Next: 03, watching and stopping a training. */
#include <genrep.h>
#include <stdio.h>

#define COUNT 3000

/* ---- the format ---- */

static unsigned random_bits(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 16; } /* 16 bits */

static void put(FILE *f, int v) { fputc(v & 255, f), fputc(v >> 8 & 255, f); }

/* Three clouds; the sum of four uniform numbers is nearly normal. */
static int write_points(const char *path)
{
    static const int centre[3][2] = {{-300, 100}, {300, 100}, {0, 600}};
    unsigned state = 1;
    FILE *f = fopen(path, "wb");
    for (int i = 0; f && i < COUNT; i++) {
        int k = i % 3, x = centre[k][0], y = centre[k][1];
        for (int j = 0; j < 4; j++) x += (int)(random_bits(&state) % 101) - 50, y += (int)(random_bits(&state) % 101) - 50;
        put(f, x), put(f, y), put(f, k);
    }
    return f && !fclose(f);
}

static int get(const unsigned char *p)
{
    int v = p[0] | p[1] << 8;
    return v < 32768 ? v : v - 65536;
}

/* ---- the callback: sample index[i] becomes row i of x and entry i of cond ---- */

static gm_status fetch(void *user, int64_t n, const int64_t *index, void *x, void *cond)
{
    FILE *f = user;
    for (int64_t i = 0; i < n; i++) {
        unsigned char record[6];
        if (fseek(f, (long)index[i] * 6, SEEK_SET) || fread(record, 1, 6, f) != 6) return GM_E_IO;
        ((float *)x)[2 * i] = (float)get(record) / 100;
        ((float *)x)[2 * i + 1] = (float)get(record + 2) / 100;
        if (cond) ((int32_t *)cond)[i] = get(record + 4);
    }
    return GM_OK;
}

static gm_status open_points(gm_context *ctx, FILE *f, gm_dataset **out)
{
    gm_spec spec;
    gm_source source;
    gm_spec_init(&spec, sizeof spec);
    spec.dtype = GM_F32;
    spec.rank = 1; /* one sample is [2] */
    spec.dims[0] = 2;
    spec.classes = 3;
    gm_source_init(&source, sizeof source);
    source.user = f;
    source.count = COUNT;
    source.fetch = fetch;
    return gm_dataset_from_source(ctx, &spec, &source, out);
}

/* Asks for 1000 points of each class and prints where they lie. */
static gm_status sample(gm_context *ctx, gm_vae *vae)
{
    const int64_t dims[2] = {3000, 2};
    gm_sample_options o;
    gm_tensor *x = NULL, *labels = NULL;
    gm_status s = gm_tensor_create(ctx, GM_F32, 2, dims, &x);
    if (!s) s = gm_tensor_create(ctx, GM_I32, 1, dims, &labels);
    for (int i = 0; !s && i < 3000; i++) ((int32_t *)gm_tensor_data(labels))[i] = i / 1000;
    gm_sample_options_init(&o, sizeof o);
    o.draw = GM_DRAW_SAMPLE; /* a draw of p(x|z), not its mean */
    if (!s) s = gm_vae_sample(vae, &o, labels, x);
    for (int k = 0; !s && k < 3; k++) {
        const float *p = (const float *)gm_tensor_data(x) + k * 2000;
        double sx = 0, sy = 0;
        for (int i = 0; i < 1000; i++) sx += p[2 * i], sy += p[2 * i + 1];
        printf("class %d: samples around (%.0f, %.0f)\n", k, sx / 1000, sy / 1000);
    }
    gm_tensor_destroy(x);
    gm_tensor_destroy(labels);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    FILE *f = write_points("points.own") ? fopen("points.own", "rb") : NULL;
    gm_status s = f ? gm_context_create(NULL, &ctx) : GM_E_IO;

    if (!s) s = open_points(ctx, f, &data);
    if (!s) printf("%ld points of %ld classes\n", (long)gm_dataset_count(data), (long)gm_dataset_spec(data)->classes);
    gm_vae_options_init(&o, sizeof o);
    if (!s) s = gm_vae_options_preset(&o, "points");
    o.condition = "concat"; /* encoder and decoder see the class */
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 20;
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae);
    if (!s) s = gm_vae_fit(vae, data, &fit);
    if (!s) s = sample(ctx, vae);
    if (s) printf("%s: %s\n", gm_status_name(s), gm_context_error(ctx));

    gm_vae_destroy(vae);
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    if (f) fclose(f);
    return s ? 1 : 0;
}
