/* SPDX-License-Identifier: MIT */
/* latent_util.h: models that the tests of gm_latent share. */
#ifndef GM_TESTS_LATENT_UTIL_H
#define GM_TESTS_LATENT_UTIL_H
#include "base/base.h"
#include "vae_util.h"

enum { LD = 3, LX = 5 }; /* dimensions of z and of a row */

/* A small VAE of rows [LX] after a few steps; label: conditional, 3 classes. */
TAP_UNUSED static gm_vae *latent_vae(gm_context *c, const char *objective, int classes)
{
    static float x[24][LX];
    static int32_t label[24];
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    uint32_t seed = 4;
    int i, j;
    for (i = 0; i < 24; i++) {
        label[i] = i % 3;
        for (j = 0; j < LX; j++) x[i][j] = (float)(2 * vae_random(&seed) - 1 + label[i]);
    }
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, LX, 0, 0);
    spec.classes = classes;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 11; tanh";
    o.decoder = "dense 9; relu";
    o.latent_dim = LD;
    o.objective = objective;
    o.seed = 6;
    if (classes) o.condition = "concat";
    must(gm_vae_create(c, &spec, &o, &v));
    gm_tensor *t = vae_rows(c, x, 24, LX), *y = vae_labels(c, label, 24);
    for (i = 0; i < 30; i++) must(gm_vae_step(v, t, classes ? y : NULL, NULL));
    gm_tensor_destroy(t);
    gm_tensor_destroy(y);
    return v;
}

/* A latent over v's snapshot, in a context of its own where `other` is one. */
TAP_UNUSED static gm_latent *latent_of(gm_context *c, gm_vae *v, const gm_latent_options *o)
{
    const gm_model *m = NULL;
    gm_latent *l = NULL;
    must(gm_vae_snapshot(v, &m));
    if (gm_latent_create(c, m, o, &l)) printf("Bail out! %s\n", gm_context_error(c));
    must(l ? GM_OK : 1);
    gm_model_destroy(m);
    return l;
}

/* The VAE whose code is its input: mean = x, logvar = log(spread), reconstruction = z, for rows of n numbers. */
TAP_UNUSED static gm_vae *latent_identity(gm_context *c, int n, double spread)
{
    float eye[64] = {0}, zero[64] = {0}, lb[8];
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    char decoder[32];
    int i;
    for (i = 0; i < n; i++) eye[i * n + i] = 1;
    for (i = 0; i < n; i++) lb[i] = (float)log(spread);
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, n, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "flatten";
    snprintf(decoder, sizeof decoder, "dense %d", n);
    o.decoder = decoder;
    o.latent_dim = n;
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    o.variance = "fixed 1";
    must(gm_vae_create(c, &spec, &o, &v));
    vae_set(v, "mean.weight", eye);
    vae_set(v, "mean.bias", zero);
    vae_set(v, "logvar.weight", zero);
    vae_set(v, "logvar.bias", lb);
    vae_set(v, "decoder.0.weight", eye);
    vae_set(v, "decoder.0.bias", zero);
    return v;
}

/* The last call failed so, and its message has these words. */
#define refused(c, call, status, words)                                                                                                              \
    do {                                                                                                                                             \
        gm_status s_ = (call);                                                                                                                       \
        is_int(s_, status, "%s: %s", gm_status_name(s_), gm_context_error(c));                                                                       \
        ok(strstr(gm_context_error(c), words) != NULL, "it says '%s'", words);                                                                       \
    } while (0)
#endif
