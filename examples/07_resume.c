/* SPDX-License-Identifier: MIT */
/* 07_resume.c: stop in the middle of an epoch, go on later, and end with the same bits.
 *
 * A checkpoint holds everything that training needs: weights, moments, their moving average, counters, the position in the data. A model loaded from it goes on
 * where it was; options say where training ends, counted from its first step. Here one model trains 60 steps at once; another trains 25, is written,
 * loaded into a new context with another number of threads and another SIMD level, and trains to 60. Their checkpoints are equal byte by byte. Next: 08. */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gm_status open_context(int threads, gm_simd simd, gm_context **ctx, gm_dataset **data)
{
    gm_context_options o;
    gm_status s;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.simd = simd;
    s = gm_context_create(&o, ctx);
    return s ? s : gm_dataset_open(*ctx, "data/digits/images-idx3-ubyte", "lo=0 hi=16", data);
}

static gm_status create(gm_context *ctx, gm_dataset *data, gm_vae **vae)
{
    gm_vae_options o;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 64; batch_norm; relu; dropout 0.1"; /* running statistics and noise are part of the state */
    o.decoder = "dense 64; relu";
    o.latent_dim = 8;
    o.beta = "linear 0 1 steps=40"; /* warm-up */
    o.schedule = "cosine 1e-3 1e-5 steps=60";
    o.ema_half_life = 2000; /* inference uses a moving average of the weights */
    return gm_vae_create(ctx, gm_dataset_spec(data), &o, vae);
}

/* Trains until the model has done `last` steps; an epoch is 13 of them here. */
static gm_status train(gm_vae *vae, gm_dataset *data, int64_t last, const char *checkpoint, int64_t every)
{
    gm_fit_options fit;
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = last;
    fit.seed = 7; /* of the order of examples: the same in both parts */
    fit.checkpoint_path = checkpoint;
    fit.checkpoint_steps = every;
    return gm_vae_fit(vae, data, &fit);
}

/* The checkpoint in memory: ask for the size, then write. */
static gm_status bytes_of(gm_vae *vae, char **bytes, size_t *n)
{
    gm_writer w;
    gm_status s;
    gm_writer_init(&w, sizeof w);
    s = gm_vae_write_checkpoint(vae, &w); /* no room: GM_E_LIMIT, and w.used says how much is needed */
    if (s != GM_E_LIMIT) return s ? s : GM_E_INTERNAL;
    *n = (size_t)w.used;
    *bytes = malloc(*n);
    if (!*bytes) return GM_E_NOMEM;
    w.memory = *bytes;
    w.capacity = *n;
    return gm_vae_write_checkpoint(vae, &w);
}

int main(void)
{
    gm_context *first = NULL, *second = NULL;
    gm_dataset *data = NULL, *again = NULL;
    gm_vae *whole = NULL, *part = NULL, *rest = NULL;
    char *a = NULL, *b = NULL;
    size_t na = 0, nb = 0;
    gm_status s = open_context(2, GM_SIMD_BEST, &first, &data);

    if (!s) s = create(first, data, &whole);
    if (!s) s = train(whole, data, 60, NULL, 0);
    if (!s) s = bytes_of(whole, &a, &na);

    if (!s) s = create(first, data, &part);
    if (!s) s = train(part, data, 25, "checkpoint.safetensors", 25); /* written after step 25, in the second epoch */
    if (s && first) printf("%s\n", gm_context_error(first));

    if (!s) s = open_context(1, GM_SIMD_SCALAR, &second, &again); /* a new process would do the same */
    if (!s) s = gm_vae_load(second, "checkpoint.safetensors", &rest);
    if (!s) s = train(rest, again, 60, NULL, 0);
    if (!s) s = bytes_of(rest, &b, &nb);
    if (s && second) printf("%s\n", gm_context_error(second));
    if (!s) printf("60 steps at once and 25 + 35: %s\n", na == nb && !memcmp(a, b, na) ? "the same bytes" : "they differ");

    free(a);
    free(b);
    gm_vae_destroy(whole);
    gm_vae_destroy(part);
    gm_vae_destroy(rest);
    gm_dataset_destroy(data);
    gm_dataset_destroy(again);
    gm_context_destroy(first);
    gm_context_destroy(second);
    return s ? 1 : 0;
}
