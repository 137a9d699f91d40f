/* SPDX-License-Identifier: MIT */
/* gan_util.h: small makers that the GAN tests share, beside those of vae_util.h. */
#ifndef GM_TESTS_GAN_UTIL_H
#define GM_TESTS_GAN_UTIL_H
#include "vae_util.h"

/* The process ends where the tests cannot go on. */
#define gan_must(c, call)                                                                       \
    do {                                                                                        \
        gm_status must_ = (call);                                                               \
        if (must_) {                                                                            \
            printf("Bail out! %s: %s (%s)\n", #call, gm_context_error(c), gm_status_name(must_)); \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

TAP_UNUSED static gm_gan *gan_make(gm_context *c, const gm_spec *x, const gm_gan_options *o)
{
    gm_gan *g = NULL;
    gan_must(c, gm_gan_create(c, x, o, &g));
    return g;
}

/* Small networks over rows of numbers, no average. */
TAP_UNUSED static void gan_options(gm_gan_options *o, const char *loss)
{
    gm_gan_options_init(o, sizeof *o);
    o->generator = "dense 8; tanh";
    o->discriminator = "dense 8; leaky_relu 0.2";
    o->loss = loss;
    o->latent_dim = 3;
    o->ema_half_life = 0;
    o->seed = 5;
}

TAP_UNUSED static void gan_normal_rows(float *to, int n, uint32_t seed)
{
    int i;
    for (i = 0; i < n; i++) to[i] = (float)(vae_random(&seed) + vae_random(&seed) + vae_random(&seed) - 1.5);
}

/* The bytes that a write call gives. */
TAP_UNUSED static size_t gan_bytes(gm_gan *g, int checkpoint, char **bytes)
{
    gm_writer w;
    char none;
    gm_writer_init(&w, sizeof w);
    w.memory = &none;
    (void)!(checkpoint ? gm_gan_write_checkpoint(g, &w) : gm_gan_write(g, &w));
    *bytes = malloc((size_t)w.used + 1);
    w.memory = *bytes;
    w.capacity = w.used;
    return (checkpoint ? gm_gan_write_checkpoint(g, &w) : gm_gan_write(g, &w)) ? 0 : (size_t)w.used;
}

TAP_UNUSED static gm_status gan_read(gm_context *c, const char *p, size_t n, gm_gan **g)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    return gm_gan_read(c, &r, g);
}

/* Whether two models train on as one: the same checkpoint bytes. */
TAP_UNUSED static int gan_same(gm_gan *a, gm_gan *b)
{
    char *p = NULL, *q = NULL;
    const size_t n = gan_bytes(a, 1, &p), m = gan_bytes(b, 1, &q);
    const int same = n > 0 && n == m && !memcmp(p, q, n);
    free(p);
    free(q);
    return same;
}

/* Sets a parameter or state. */
TAP_UNUSED static void gan_set(gm_gan *g, const char *name, const float *from)
{
    gm_tensor *t = NULL;
    int64_t n = 1;
    int32_t i;
    if (gm_params_view(gm_gan_params(g), name, &t)) {
        printf("Bail out! no parameter %s\n", name);
        exit(1);
    }
    for (i = 0; i < gm_tensor_rank(t); i++) n *= gm_tensor_dim(t, i);
    memcpy(gm_tensor_data(t), from, (size_t)n * sizeof *from);
    gm_tensor_destroy(t);
}

/* Memory of a parameter or state, to be read; NULL where there is none. */
TAP_UNUSED static float *gan_view(gm_params *w, const char *name, int64_t *count)
{
    gm_tensor *t = NULL;
    int64_t n = 1;
    int32_t i;
    if (gm_params_view(w, name, &t)) return NULL;
    for (i = 0; i < gm_tensor_rank(t); i++) n *= gm_tensor_dim(t, i);
    if (count) *count = n;
    float *p = gm_tensor_data(t);
    gm_tensor_destroy(t);
    return p;
}
#endif
