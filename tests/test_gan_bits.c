/* SPDX-License-Identifier: MIT */
/* test_gan_bits.c: the same bits for 1, 2 and 3 threads, at every SIMD level of this machine, in whatever variant this was built: the checkpoint after a few
 * steps, samples and scores, as digests that stand here. Small nets that still reach what threads and levels share: edge tiles, convolutions of every
 * direction and their second derivatives, batch statistics, population statistics, draws. A digest may change only with the numeric profile (or, before 1.0,
 * with an entry in CHANGELOG under "bits"). */
#include "base/base.h"
#include "gan_util.h"

enum { N = 23, M = 33 };
static uint8_t pixels[N][1][12][12];
static int32_t labels[M];

typedef struct net {
    const char *name, *generator, *discriminator, *loss, *optimizer, *condition;
    double ema;
    int steps;
    const char *digest;
} net;

static const net nets[] = {
    {"mlp, R1 and R2", "dense 70; leaky_relu 0.2; dense 150; tanh", "dense 150; leaky_relu 0.2; dense 33; silu", "relativistic r1=1 r2=1 every=2",
        "adam lr=0.002 beta1=0 beta2=0.99", "", 100, 3,
     "e2ee9a3fe835901c1aa5a281c20a3c19f5f3528fd6086db487ebbbdb6d0e941b"},
    {"conv, batch norm", "dense 153 bias=0; reshape 17x3x3; batch_norm; relu; conv_transpose 9 k4 s2 p1 bias=0; batch_norm; relu; conv_transpose 1 k4 s2 p1; "
        "tanh",
     "conv 9 k4 s2 p1; leaky_relu 0.2; conv 17 k3 s2 p1 bias=0; batch_norm; leaky_relu 0.2; dense 1", "non_saturating", "adam lr=0.002 beta1=0.5", "concat", 0,
         2, "f6866c761d65350c828b4f8e6716edfb5a074047776d2bf544606d3bb430a243"},
    {"conv, gradient penalty", "dense 68; silu; reshape 17x2x2; batch_norm; upsample 3; conv 9 k3 s1 p1; gelu; conv_transpose 1 k4 s2 p1; tanh",
        "conv 9 k4 s2 p1; silu; conv 17 k3 s2 p1; layer_norm; gelu",
     "wasserstein gp=10 r1=0.5", "rmsprop lr=0.001", "projection", 50, 2, "84539f798adb963758bdef1feb271b7b58f08bd722f90f657eb684c1dc0ffc30"},
};

/* Digest of the checkpoint's data, of samples and scores. */
static void digest(gm_context *c, const net *k, char hex[65])
{
    static uint8_t out[M][1][12][12];
    static float score[N];
    gm_spec spec;
    gm_gan_options o;
    gm_gan *g = NULL;
    gmi_sha256 s;
    uint8_t d[32];
    char *p = NULL;
    uint64_t header = 0;
    gm_tensor *x = vae_wrap(c, GM_U8, pixels, 4, N, 1, 12, 12), *y = vae_wrap(c, GM_U8, out, 4, M, 1, 12, 12), *l = vae_labels(c, labels, N),
        *lm = vae_labels(c, labels, M),
              *t = vae_vector(c, score, N);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, 12, 12);
    spec.classes = 3;
    gan_options(&o, k->loss);
    o.generator = k->generator;
    o.discriminator = k->discriminator;
    o.g_optimizer = o.d_optimizer = k->optimizer;
    o.condition = k->condition;
    o.ema_half_life = k->ema;
    o.latent_dim = 7;
    o.seed = 12345;
    gm_status st = gm_gan_create(c, &spec, &o, &g);
    for (int i = 0; !st && i < k->steps; i++) st = gm_gan_step(g, x, l, NULL);
    if (!st) st = gm_gan_sample(g, NULL, lm, y);
    if (!st) st = gm_gan_discriminate(g, x, l, t);
    const size_t n = st ? 0 : gan_bytes(g, 1, &p);
    if (!n) printf("# %s\n", gm_context_error(c));
    for (int i = 7; i >= 0 && n; i--) header = header << 8 | (uint8_t)p[i];
    gmi_sha256_init(&s);
    if (n) gmi_sha256_add(&s, p + 8 + header, n - 8 - (size_t)header);
    gmi_sha256_add(&s, out, sizeof out);
    for (int i = 0; i < N; i++) { /* bytes in one order on every machine */
        uint32_t bits;
        uint8_t b[4];
        memcpy(&bits, &score[i], sizeof bits);
        for (int j = 0; j < 4; j++) b[j] = (uint8_t)(bits >> 8 * j);
        gmi_sha256_add(&s, b, sizeof b);
    }
    gmi_sha256_end(&s, d);
    gmi_sha256_hex(d, hex);
    free(p);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(l);
    gm_tensor_destroy(lm);
    gm_tensor_destroy(t);
    gm_gan_destroy(g);
}

int main(void)
{
    uint32_t seed = 98;
    char hex[65];
    for (size_t i = 0; i < sizeof pixels; i++) ((uint8_t *)pixels)[i] = (uint8_t)(vae_random(&seed) * vae_random(&seed) * 256);
    for (int i = 0; i < M; i++) labels[i] = i * 5 % 3;
    for (size_t k = 0; k < sizeof nets / sizeof nets[0]; k++)
        for (gm_simd level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++)
            for (int32_t threads = 1; threads <= 3; threads++) {
                gm_context *c = vae_context(threads, level);
                if (!c) break; /* this machine or build lacks the level */
                digest(c, &nets[k], hex);
                if (TAP_BLAS && level != GM_SIMD_SCALAR) skip(TAP_BLAS_SKIP);
                else is_text(hex, nets[k].digest, "%s: %s, %d threads", nets[k].name, gm_simd_name(level), (int)threads);
                gm_context_destroy(c);
            }
    return done();
}
