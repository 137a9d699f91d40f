/* SPDX-License-Identifier: MIT */
/* oom.c: the Nth allocation fails, for every N, over create, two steps, save, load, sample, encode, destroy (SQLite's method); and over a
 * mixed table from csv to samples. Always GM_E_NOMEM, nothing leaks, and the objects go on working: the same object, asked again with memory, gives the same bits as one that never failed.
 *
 * Two modes: one request fails, or that one and all after it. The allocator checks the sizes it is told and hands out odd addresses. */
#include "oom_util.h"

enum { N = 12, H = 6, L = 2 };
static uint8_t pixels[N][1][H][H];

typedef struct results {
    float z[N][L];
    uint8_t x[N][1][H][H];
    float table[4][4];
    double objective;
} results;

static run story(int again, void *to)
{
    results *out = to;
    static const int64_t xd[4] = {N, 1, H, H}, zd[2] = {N, L};
    run r;
    gm_context_options co;
    gm_vae_options o;
    gm_spec spec;
    gm_vae *v = NULL, *w = NULL;
    gm_tensor *x = NULL, *z = NULL, *y = NULL;
    gm_record rec;
    gm_writer wr;
    gm_reader rd;
    static char file[1 << 18];
    begin_run(&r, again, &co);
    gm_record_init(&rec, sizeof rec);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, H, H);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "conv 4 k4 s2 p1; batch_norm; relu; dense 8; relu";
    o.decoder = "dense 36; relu; reshape 4x3x3; conv_transpose 1 k4 s2 p1";
    o.latent_dim = L;
    o.ema_half_life = 100;
    o.beta = "linear 0.1 1 steps=10";
    DO(gm_context_create(&co, &r.c));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, pixels, &x));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, out->x, &y));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, zd, NULL, out->z, &z));
    DO(gm_vae_create(r.c, &spec, &o, &v));
    DO(gm_vae_step(v, x, NULL, &rec));
    DO(gm_vae_step(v, x, NULL, &rec));
    out->objective = rec.objective;
    gm_writer_init(&wr, sizeof wr);
    wr.memory = file;
    wr.capacity = sizeof file;
    DO((wr.used = 0, gm_vae_write_checkpoint(v, &wr)));
    gm_reader_init(&rd, sizeof rd);
    rd.memory = file;
    rd.bytes = wr.used;
    DO(gm_vae_read(r.c, &rd, &w));
    DO(gm_vae_sample(w, NULL, NULL, y));
    DO(gm_vae_encode(w, x, NULL, z, NULL));
    DO(gm_vae_step(w, x, NULL, &rec));
    out->objective += rec.objective;
end:
    gm_vae_destroy(v);
    gm_vae_destroy(w);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_context_destroy(r.c);
    return r;
}

/* A table of columns of several kinds: opened, trained, saved, loaded, sampled. */
static run table_story(int again, void *to)
{
    results *out = to;
    static const char csv[] = "pay,sex,kids,town\n1.5,m,2,a\n,f,0,b\n3,m,7,c\n2.5,?,1,a\n", kinds[] =
        "csv columns='sex m|f missing; pay real missing; kids integer 0 7; town a|b|c'";
    static const int64_t dims[2] = {4, 4};
    static char file[1 << 16];
    run r;
    gm_context_options co;
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL, *w = NULL;
    gm_dataset *d = NULL;
    gm_tensor *x = NULL;
    gm_record rec;
    gm_reader rd;
    gm_writer wr;
    begin_run(&r, again, &co);
    gm_record_init(&rec, sizeof rec);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 5; tanh";
    o.latent_dim = 2;
    o.bias_init = 1;
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = 2;
    gm_reader_init(&rd, sizeof rd);
    rd.memory = csv;
    rd.bytes = sizeof csv - 1;
    DO(gm_context_create(&co, &r.c));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, dims, NULL, out->table, &x));
    DO(gm_dataset_open_reader(r.c, &rd, kinds, &d));
    DO(gm_vae_create(r.c, gm_dataset_spec(d), &o, &v));
    DO(gm_vae_fit(v, d, &f));
    DO(gm_vae_evaluate(v, d, 1, &rec));
    out->objective = rec.objective;
    gm_writer_init(&wr, sizeof wr);
    wr.memory = file;
    wr.capacity = sizeof file;
    DO((wr.used = 0, gm_vae_write(v, &wr)));
    gm_reader_init(&rd, sizeof rd);
    rd.memory = file;
    rd.bytes = wr.used;
    DO(gm_vae_read(r.c, &rd, &w));
    DO(gm_vae_sample(w, NULL, NULL, x));
end:
    gm_vae_destroy(v);
    gm_vae_destroy(w);
    gm_dataset_destroy(d);
    gm_tensor_destroy(x);
    gm_context_destroy(r.c);
    return r;
}

int main(void)
{
    static results good, got;
    uint32_t seed = 2;
    size_t i;
    for (i = 0; i < sizeof pixels; i++) ((uint8_t *)pixels)[i] = (uint8_t)(256 * vae_random(&seed));
    walk_all(story, &good, &got, sizeof good, 1);
    walk_all(table_story, &good, &got, sizeof good, 1);
    return done();
}
