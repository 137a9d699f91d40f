/* SPDX-License-Identifier: MIT */
/* vae_util.h: small makers that the VAE tests share. */
#ifndef GM_TESTS_VAE_UTIL_H
#define GM_TESTS_VAE_UTIL_H
#include "genrep.h"
#include "tap.h"

/* The numeric profile in files of this build, and another one of the same length. */
#if TAP_BLAS
#define PROFILE "1001"
#define OTHER_PROFILE "1007"
#else
#define PROFILE "1"
#define OTHER_PROFILE "7"
#endif

/* Numbers in [0, 1), the same on every machine. */
TAP_UNUSED static double vae_random(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (double)(*s >> 8) / 16777216.0;
}

TAP_UNUSED static gm_context *vae_context(int32_t threads, gm_simd simd)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.simd = simd;
    return gm_context_create(&o, &c) ? NULL : c;
}

/* A tensor over host memory; the process ends where that fails. */
TAP_UNUSED static gm_tensor *vae_wrap(gm_context *c, gm_dtype t, void *p, int32_t rank, int64_t a, int64_t b, int64_t d, int64_t e)
{
    int64_t dims[4];
    gm_tensor *x = NULL;
    dims[0] = a;
    dims[1] = b;
    dims[2] = d;
    dims[3] = e;
    if (gm_tensor_wrap(c, t, rank, dims, NULL, p, &x)) {
        printf("Bail out! %s\n", gm_context_error(c));
        exit(1);
    }
    return x;
}
#define vae_rows(c, p, n, d) vae_wrap(c, GM_F32, p, 2, n, d, 0, 0)
#define vae_vector(c, p, n) vae_wrap(c, GM_F32, p, 1, n, 0, 0, 0)
#define vae_labels(c, p, n) vae_wrap(c, GM_I32, p, 1, n, 0, 0, 0)

TAP_UNUSED static void vae_spec(gm_spec *x, gm_dtype t, gm_scaling scaling, int32_t rank, int64_t a, int64_t b, int64_t d)
{
    gm_spec_init(x, sizeof *x);
    x->dtype = t;
    x->scaling = scaling;
    x->rank = rank;
    x->dims[0] = a;
    x->dims[1] = b;
    x->dims[2] = d;
}

/* Sets a parameter. */
TAP_UNUSED static void vae_set(gm_vae *v, const char *name, const float *from)
{
    gm_tensor *t = NULL;
    int64_t n = 1;
    int32_t i;
    if (gm_params_view(gm_vae_params(v), name, &t)) {
        printf("Bail out! no parameter %s\n", name);
        exit(1);
    }
    for (i = 0; i < gm_tensor_rank(t); i++) n *= gm_tensor_dim(t, i);
    memcpy(gm_tensor_data(t), from, (size_t)n * sizeof *from);
    gm_tensor_destroy(t);
}

/* The bytes that a write call gives. */
TAP_UNUSED static size_t vae_bytes(gm_vae *v, int checkpoint, char **bytes)
{
    gm_writer w;
    char none;
    gm_writer_init(&w, sizeof w);
    w.memory = &none;
    (void)!(checkpoint ? gm_vae_write_checkpoint(v, &w) : gm_vae_write(v, &w));
    *bytes = malloc((size_t)w.used + 1);
    w.memory = *bytes;
    w.capacity = w.used;
    return (checkpoint ? gm_vae_write_checkpoint(v, &w) : gm_vae_write(v, &w)) ? 0 : (size_t)w.used;
}
#endif
