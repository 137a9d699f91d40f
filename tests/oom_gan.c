/* SPDX-License-Identifier: MIT */
/* oom_gan.c: the Nth allocation fails, for every N, over a GAN's life: create, two steps, fit, checkpoint, load, generate, sample, discriminate, evaluate.
 * Always GM_E_NOMEM, nothing leaks, and the objects go on working: the same object, asked again with memory, gives the same bits as one that never failed. */
#include "gan_util.h"
#include "oom_util.h"

enum { N = 12, H = 6, L = 3 };
static uint8_t pixels[N][1][H][H];
static int32_t labels[N] = {0, 1, 2, 0, 1, 2, 2, 1, 0, 1, 1, 2};
static float latent[N][L];

typedef struct results {
    uint8_t x[N][1][H][H], y[N][1][H][H];
    float score[N * L];
    double losses[6];
    char file[40000];
} results;

static run story(int again, void *to)
{
    static const int64_t xd[4] = {N, 1, H, H}, zd[2] = {N, L}, sd[1] = {N};
    results *out = to;
    run r;
    gm_context_options co;
    gm_gan_options o;
    gm_fit_options f;
    gm_spec spec;
    gm_gan *g = NULL, *u = NULL;
    gm_dataset *d = NULL;
    gm_tensor *x = NULL, *y = NULL, *y2 = NULL, *z = NULL, *s = NULL, *l = NULL;
    gm_record rec;
    gm_writer w;
    gm_reader rd;
    begin_run(&r, again, &co);
    gm_record_init(&rec, sizeof rec);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, H, H);
    spec.classes = 3;
    gan_options(&o, "relativistic r1=1 r2=1 every=2");
    o.generator = "dense 36; reshape 4x3x3; relu; conv_transpose 1 k4 s2 p1; tanh";
    o.discriminator = "conv 4 k4 s2 p1; leaky_relu 0.2; dense 6; silu";
    o.condition = "projection";
    o.ema_half_life = 100;
    o.g_schedule = "linear 0.01 0 steps=20";
    gm_fit_options_init(&f, sizeof f);
    f.batch = 4;
    f.accumulate = 2;
    f.max_steps = 5;
    DO(gm_context_create(&co, &r.c));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, pixels, &x));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, out->x, &y));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, out->y, &y2));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, zd, NULL, latent, &z));
    DO(gm_tensor_wrap(r.c, GM_F32, 1, sd, NULL, out->score, &s));
    DO(gm_tensor_wrap(r.c, GM_I32, 1, sd, NULL, labels, &l));
    DO(gm_dataset_from_tensor(x, l, &spec, &d));
    DO(gm_gan_create(r.c, &spec, &o, &g));
    for (int i = 0; i < 2; i++) {
        DO(gm_gan_step(g, x, l, &rec));
        out->losses[i] = rec.d_loss;
    }
    DO(gm_gan_sample(g, NULL, l, y));
    DO(gm_gan_fit(g, d, &f));
    DO(gm_gan_evaluate(g, d, 2, &rec));
    out->losses[2] = rec.d_loss;
    out->losses[3] = rec.g_loss;
    gm_writer_init(&w, sizeof w);
    w.memory = out->file;
    w.capacity = sizeof out->file;
    DO((w.used = 0, gm_gan_write_checkpoint(g, &w)));
    gm_reader_init(&rd, sizeof rd);
    rd.memory = out->file;
    rd.bytes = w.used;
    DO(gm_gan_read(r.c, &rd, &u));
    DO(gm_gan_generate(u, z, l, y2));
    DO(gm_gan_discriminate(u, x, l, s));
    DO(gm_gan_step(u, x, l, &rec));
    out->losses[4] = rec.d_loss;
    DO((w.used = 0, gm_gan_write(u, &w)));
    gm_gan_destroy(u);
    u = NULL;
    rd.bytes = w.used;
    DO(gm_gan_read(r.c, &rd, &u));
    DO(gm_gan_step(u, x, l, &rec)); /* from a model file: moments and the average come now */
    out->losses[5] = rec.d_loss;
    DO(gm_gan_sample(u, NULL, l, y2));
end:
    gm_gan_destroy(g);
    gm_gan_destroy(u);
    gm_dataset_destroy(d);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(y2);
    gm_tensor_destroy(z);
    gm_tensor_destroy(s);
    gm_tensor_destroy(l);
    gm_context_destroy(r.c);
    return r;
}

/* Population statistics on the way, which take 4,096 samples each time: the short story. */
static run population(int again, void *to)
{
    static const int64_t xd[2] = {N, L};
    results *out = to;
    run r;
    gm_context_options co;
    gm_gan_options o;
    gm_spec spec;
    gm_gan *g = NULL;
    gm_tensor *x = NULL, *y = NULL;
    gm_writer w;
    begin_run(&r, again, &co);
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, L, 0, 0);
    gan_options(&o, "hinge");
    o.generator = "dense 2; batch_norm";
    o.discriminator = "dense 1";
    o.ema_half_life = 10;
    gm_writer_init(&w, sizeof w);
    w.memory = out->file;
    w.capacity = sizeof out->file;
    DO(gm_context_create(&co, &r.c));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, xd, NULL, latent, &x));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, xd, NULL, out->score, &y));
    DO(gm_gan_create(r.c, &spec, &o, &g));
    DO(gm_gan_step(g, x, NULL, NULL));
    DO(gm_gan_sample(g, NULL, NULL, y));
    DO((w.used = 0, gm_gan_write(g, &w)));
end:
    gm_gan_destroy(g);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_context_destroy(r.c);
    return r;
}

int main(void)
{
    static results good, got;
    uint32_t seed = 2;
    for (size_t i = 0; i < sizeof pixels; i++) ((uint8_t *)pixels)[i] = (uint8_t)(256 * vae_random(&seed));
    gan_normal_rows(latent[0], N * L, 3);
    walk_all(story, &good, &got, sizeof good, 4);
    walk_all(population, &good, &got, sizeof good, 4);
    return done();
}
