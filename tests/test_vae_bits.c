/* SPDX-License-Identifier: MIT */
/* test_vae_bits.c: the same bits for 1, 2 and 3 threads, at every SIMD level of this machine, in whatever variant this was built: weights after a few steps
 * and samples, as digests that stand here. Small nets that still reach the paths that threads and levels share: edge tiles, long sums, convolutions of every
 * direction, batch statistics, draws. A digest may change only with the numeric profile (or, before 1.0, with an entry in CHANGELOG under "bits"). */
#include "base/base.h"
#include "vae_util.h"

enum { N = 70, K = 6 };
static uint8_t pixels[N][1][14][14];
static float table[N][K];
static const char COLUMNS[] = "a real; b integer -4 20 missing; c u|v|w; d real missing; e yes|no missing; f integer 0 1";

typedef struct net {
    const char *name, *encoder, *decoder, *objective, *optimizer;
    int64_t z;
    int steps;
    const char *digest;
    gm_likelihood likelihood;
} net;

static const net nets[] = {
    {"mlp", "dense 150; relu", "dense 150; relu", "elbo", "adam lr=0.001", 7, 3, "3430e6795d08fc582d2a691e7611a53230efee7c992937cf129071ea71347604",
     GM_LIKELIHOOD_BERNOULLI},
    {"conv", "conv 9 k4 s2 p1; batch_norm; relu; conv 17 k3 s2 p1 bias=0; group_norm 1; silu; dense 33; gelu",
     "dense 68; tanh; reshape 17x2x2; conv_transpose 9 k4 s2 p1 output_padding=1; batch_norm; leaky_relu 0.2; upsample 3; conv 1 k2", "elbo", "adamw lr=0.002 clip_norm=1", 5, 2,
     "614f3e804959b0d22d3e9aa75566be2103b6ffe573b8f88a1f7eaa006addc81b", GM_LIKELIHOOD_BERNOULLI},
    {"iwae", "dense 40; tanh; dropout 0.2", "dense 40; softplus", "iwae 9", "rmsprop lr=0.001 momentum=0.5", 3, 2, "12156131ed96c596957a2b92c12cb73f96d84f6b0daf14df140d855fc486ea7e",
     GM_LIKELIHOOD_BERNOULLI},
    {"logistic", "conv 5 k4 s2 p1; silu", "dense 60; softplus", "elbo", "adam lr=0.001", 4, 3,
     "394ad0b8d1c6b3e2fc91dfc1f82dfadbe4f7d86e31228f8e47f4749d1c3cc452", GM_LIKELIHOOD_LOGISTIC},
    {"columns", "dense 50; relu", "dense 50; relu", "iwae 3", "adam lr=0.001", 3, 3, "1b8fcdb0e45c9f0fdcd1ed96813d1d2378330f970466d6fb291c547ccfb80495",
     GM_LIKELIHOOD_COLUMNS},
};

/* Digest of the model file's data and of samples, draws of p(x|z). */
static void digest(gm_context *c, const net *k, char hex[65])
{
    static union {
        uint8_t pixels[33][1][14][14];
        float table[33][K];
    } out;
    const int mixed = k->likelihood == GM_LIKELIHOOD_COLUMNS;
    gm_spec spec;
    gm_vae_options o;
    gm_sample_options so;
    gm_vae *v = NULL;
    gm_record r;
    gmi_sha256 s;
    uint8_t d[32];
    char *p = NULL;
    size_t n;
    uint64_t header = 0;
    int i;
    gm_tensor *x = mixed ? vae_rows(c, table, N, K) : vae_wrap(c, GM_U8, pixels, 4, N, 1, 14, 14);
    gm_tensor *y = mixed ? vae_rows(c, out.table, 33, K) : vae_wrap(c, GM_U8, out.pixels, 4, 33, 1, 14, 14);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, 14, 14);
    if (mixed) vae_spec(&spec, GM_F32, GM_SCALE_AUTO, 1, K, 0, 0), spec.columns = COLUMNS;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = k->encoder;
    o.decoder = k->decoder;
    o.objective = k->objective;
    o.optimizer = k->optimizer;
    o.latent_dim = k->z;
    o.likelihood = k->likelihood;
    o.seed = 12345;
    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    gm_record_init(&r, sizeof r);
    gm_status st = gm_vae_create(c, &spec, &o, &v);
    for (i = 0; !st && i < k->steps; i++) st = gm_vae_step(v, x, NULL, &r);
    if (!st) st = gm_vae_sample(v, &so, NULL, y);
    n = st ? 0 : vae_bytes(v, 0, &p);
    if (!n) printf("# %s\n", gm_context_error(c));
    for (i = 7; i >= 0 && n; i--) header = header << 8 | (uint8_t)p[i];
    gmi_sha256_init(&s);
    if (n) gmi_sha256_add(&s, p + 8 + header, n - 8 - (size_t)header);
    gmi_sha256_add(&s, &out, mixed ? sizeof out.table : sizeof out.pixels);
    gmi_sha256_end(&s, d);
    gmi_sha256_hex(d, hex);
    free(p);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_vae_destroy(v);
}

int main(void)
{
    uint32_t seed = 99;
    size_t i, k;
    gm_simd level;
    char hex[65];
    for (i = 0; i < sizeof pixels; i++) ((uint8_t *)pixels)[i] = (uint8_t)(vae_random(&seed) * vae_random(&seed) * 256);
    for (i = 0; i < N; i++) {
        double u = vae_random(&seed);
        table[i][0] = (float)(3 * u - 1);
        table[i][1] = u < 0.2 ? NAN : (float)floor(24 * vae_random(&seed)) - 4;
        table[i][2] = (float)floor(3 * u);
        table[i][3] = u > 0.7 ? NAN : (float)vae_random(&seed);
        table[i][4] = u > 0.5 && u < 0.6 ? NAN : (float)(u > 0.4);
        table[i][5] = (float)(vae_random(&seed) > u);
    }
    for (k = 0; k < sizeof nets / sizeof nets[0]; k++)
        for (level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++) {
            int32_t threads;
            for (threads = 1; threads <= 3; threads++) {
                gm_context *c = vae_context(threads, level);
                if (!c) break; /* this machine or build lacks the level */
                digest(c, &nets[k], hex);
                if (TAP_BLAS && level != GM_SIMD_SCALAR) skip(TAP_BLAS_SKIP);
                else is_text(hex, nets[k].digest, "%s: %s, %d threads", nets[k].name, gm_simd_name(level), (int)threads);
                gm_context_destroy(c);
            }
        }
    return done();
}
