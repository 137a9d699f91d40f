/* SPDX-License-Identifier: MIT */
/* host.c: a host program for builds.sh, over the public headers alone, so that it links with any build and with the amalgamation.
 *
 *   host train DIR   trains four small models, two of each family, and writes each to DIR as a model and as a checkpoint; one is calibrated
 *   host use DIR     loads them and prints one digest for each inference call: equal lines are equal bits
 *   host refuse DIR  calls what a build without training leaves out, and prints what it answers */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 70, ELEMS = 64, LATENT = 3, COLUMNS = 4 };

typedef struct recipe {
    const char *name, *encoder, *decoder, *variance;
    gm_likelihood likelihood;
    double half_life;
} recipe;

/* Between them: most words of the layer text, all convolution paths, three likelihoods, averages, running statistics. */
static const recipe recipes[] = {
    {"conv", "conv 6 k3 s2 p1; batch_norm; gelu; residual ( conv 6 k3 p1; tanh ); max_pool k2; flatten; dense 12; layer_norm; elu",
     "dense 24; softplus; reshape 6x2x2; conv_transpose 4 k4 s2 p1; leaky_relu 0.2; upsample 2; conv 1 k3 p1", NULL, GM_LIKELIHOOD_BERNOULLI, 0},
    {"dense", "dense 16; sigmoid; dense 12; silu", "dense 16; relu; dense 64", "dimension", GM_LIKELIHOOD_GAUSSIAN, 300},
};

static double number(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (double)(*s >> 8) / 16777216.0;
}

static void data(float *x)
{
    uint32_t s = 7;
    for (int i = 0; i < ROWS * ELEMS; i++) x[i] = (float)(0.5 * number(&s) + ((i / ELEMS + i) % 7 < 3 ? 0.4 : 0.0));
}

/* A mixed table: a real column with holes, an integer, a category, another real one. */
static const char columns[] = "age real missing; kids integer 0 5; sex m|f; pay real";

static void table(float *x)
{
    uint32_t s = 11;
    for (int i = 0; i < ROWS; i++) {
        volatile float zero = 0;
        const double u = number(&s);
        x[4 * i] = i % 9 ? (float)(20 + 50 * u) : zero / zero;
        x[4 * i + 1] = (float)(int)(6 * number(&s));
        x[4 * i + 2] = (float)(i % 2);
        x[4 * i + 3] = (float)(100 * u + 10 * number(&s));
    }
}

static const char *path_of(char *to, const char *dir, const char *name, const char *kind)
{
    strcpy(to, dir);
    return strcat(strcat(strcat(strcat(strcat(to, "/"), name), "."), kind), ".safetensors");
}

static gm_status tensor(gm_context *c, int32_t rank, int64_t a, int64_t b, float *p, gm_tensor **out)
{
    int64_t dims[4];
    dims[0] = a;
    dims[1] = rank == 4 ? 1 : b;
    dims[2] = dims[3] = 8;
    return gm_tensor_wrap(c, GM_F32, rank, dims, NULL, p, out);
}

static gm_status train(gm_context *c, const char *dir, const recipe *r)
{
    static float x[ROWS * ELEMS];
    char path[4096];
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    gm_vae *v = NULL;
    gm_spec spec;
    gm_vae_options o;
    gm_fit_options fit;
    gm_status s;
    data(x);
    gm_spec_init(&spec, sizeof spec);
    spec.hi = 1;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = r->encoder;
    o.decoder = r->decoder;
    o.variance = r->variance;
    o.likelihood = r->likelihood;
    o.latent_dim = LATENT;
    o.ema_half_life = r->half_life;
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 12;
    fit.batch = 16;
    s = tensor(c, strcmp(r->name, "conv") ? 2 : 4, ROWS, ELEMS, x, &t);
    if (!s) s = gm_dataset_from_tensor(t, NULL, &spec, &d);
    if (!s) s = gm_vae_create(c, gm_dataset_spec(d), &o, &v);
    if (!s) s = gm_vae_fit(v, d, &fit);
    if (!s) s = gm_vae_save(v, path_of(path, dir, r->name, "model"));
    if (!s) s = gm_vae_save_checkpoint(v, path_of(path, dir, r->name, "checkpoint"));
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return s;
}

static gm_status train_table(gm_context *c, const char *dir)
{
    static float x[ROWS * COLUMNS];
    char path[4096];
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    gm_vae *v = NULL;
    gm_spec spec;
    gm_vae_options o;
    gm_fit_options fit;
    gm_status s;
    table(x);
    gm_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 16; relu";
    o.latent_dim = LATENT;
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 12;
    fit.batch = 16;
    s = tensor(c, 2, ROWS, COLUMNS, x, &t);
    if (!s) s = gm_dataset_from_tensor(t, NULL, &spec, &d);
    if (!s) s = gm_vae_create(c, gm_dataset_spec(d), &o, &v);
    if (!s) s = gm_vae_fit(v, d, &fit);
    if (!s) s = gm_vae_save(v, path_of(path, dir, "table", "model"));
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return s;
}

/* A GAN of images with batch norm, whose average gets population statistics; one of rows with the options that nothing was said of. */
static gm_status train_gan(gm_context *c, const char *dir, int images)
{
    static float x[ROWS * ELEMS];
    char path[4096];
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    gm_gan *g = NULL;
    gm_spec spec;
    gm_gan_options o;
    gm_fit_options fit;
    gm_status s;
    data(x);
    gm_spec_init(&spec, sizeof spec);
    spec.hi = 1;
    gm_gan_options_init(&o, sizeof o);
    o.latent_dim = LATENT;
    if (images) {
        o.generator = "dense 32 bias=0 init=normal:0.02; reshape 8x2x2; batch_norm; relu; conv_transpose 4 k4 s2 p1; batch_norm; relu; "
                      "conv_transpose 1 k4 s2 p1; tanh";
        o.discriminator = "conv 4 k4 s2 p1; leaky_relu 0.2; minibatch_stddev; flatten; dense 8; leaky_relu 0.2";
        o.loss = "non_saturating";
    }
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 6;
    fit.batch = 16;
    s = tensor(c, images ? 4 : 2, ROWS, ELEMS, x, &t);
    if (!s) s = gm_dataset_from_tensor(t, NULL, &spec, &d);
    if (!s) s = gm_gan_create(c, gm_dataset_spec(d), &o, &g);
    if (!s) s = gm_gan_fit(g, d, &fit);
    if (!s) s = gm_gan_save(g, path_of(path, dir, images ? "images" : "rows", "model"));
    if (!s) s = gm_gan_save_checkpoint(g, path_of(path, dir, images ? "images" : "rows", "checkpoint"));
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return s;
}

/* dense.model with a threshold on distances of encodings. */
static gm_status calibrate(gm_context *c, const char *dir)
{
    static float x[ROWS * ELEMS];
    char path[4096];
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    const gm_model *m = NULL, *n = NULL;
    gm_calibrate_options o;
    gm_spec spec;
    gm_writer w;
    gm_status s = gm_model_load(c, path_of(path, dir, "dense", "model"), GM_USE_ALL, &m);
    data(x);
    gm_spec_init(&spec, sizeof spec);
    spec.hi = 1;
    gm_calibrate_options_init(&o, sizeof o);
    o.score = GM_SCORE_MAHALANOBIS;
    o.false_positive_rate = 0.2;
    if (!s) s = tensor(c, 2, ROWS, ELEMS, x, &t);
    if (!s) s = gm_dataset_from_tensor(t, NULL, &spec, &d);
    o.density = d;
    if (!s) s = gm_model_calibrate(c, m, d, &o, &n);
    gm_writer_init(&w, sizeof w);
    w.path = path_of(path, dir, "dense", "calibrated");
    if (!s) s = gm_model_write(c, n, &w);
    gm_model_destroy(m);
    gm_model_destroy(n);
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return s;
}

static void print(const char *what, const void *p, size_t n)
{
    unsigned long long h = 0xcbf29ce484222325ull; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 0x100000001b3ull;
    printf("%s %016llx\n", what, h);
}

static gm_status use(gm_context *c, const char *path, int conv)
{
    static float x[ROWS * ELEMS], y[ROWS * ELEMS], m[ROWS * LATENT], l[ROWS * LATENT], nats[ROWS], se[ROWS];
    gm_tensor *tx = NULL, *ty = NULL, *tm = NULL, *tl = NULL, *tn = NULL, *ts = NULL;
    gm_vae *v = NULL;
    gm_sample_options o;
    const int32_t rank = conv ? 4 : 2;
    gm_status s = gm_vae_load(c, path, &v);
    data(x);
    gm_sample_options_init(&o, sizeof o);
    o.seed = 5;
    o.draw = GM_DRAW_SAMPLE;
    if (!s) s = tensor(c, rank, ROWS, ELEMS, x, &tx);
    if (!s) s = tensor(c, rank, ROWS, ELEMS, y, &ty);
    if (!s) s = tensor(c, 2, ROWS, LATENT, m, &tm);
    if (!s) s = tensor(c, 2, ROWS, LATENT, l, &tl);
    if (!s) s = tensor(c, 1, ROWS, 0, nats, &tn);
    if (!s) s = tensor(c, 1, ROWS, 0, se, &ts);
    if (!s) s = gm_vae_encode(v, tx, NULL, tm, tl);
    if (!s) print("mean", m, sizeof m);
    if (!s) print("logvar", l, sizeof l);
    if (!s) s = gm_vae_decode(v, tm, NULL, GM_DRAW_MEAN, 0, ty);
    if (!s) print("decode", y, sizeof y);
    if (!s) s = gm_vae_decode(v, tm, NULL, GM_DRAW_SAMPLE, 3, ty);
    if (!s) print("draw", y, sizeof y);
    if (!s) s = gm_vae_reconstruct(v, tx, NULL, ty);
    if (!s) print("reconstruct", y, sizeof y);
    if (!s) s = gm_vae_sample(v, &o, NULL, ty);
    if (!s) print("sample", y, sizeof y);
    if (!s) s = gm_vae_log_likelihood(v, tx, NULL, 20, 9, tn, ts);
    if (!s) print("log_likelihood", nats, sizeof nats);
    if (!s) print("standard_error", se, sizeof se);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(tm);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(tn);
    gm_tensor_destroy(ts);
    gm_vae_destroy(v);
    return s;
}

static gm_status use_gan(gm_context *c, const char *path, int images)
{
    static float x[ROWS * ELEMS], y[ROWS * ELEMS], z[ROWS * LATENT], score[ROWS];
    gm_tensor *tx = NULL, *ty = NULL, *tz = NULL, *ts = NULL;
    gm_gan *g = NULL;
    gm_sample_options o;
    const int32_t rank = images ? 4 : 2;
    gm_status s = gm_gan_load(c, path, &g);
    data(x);
    for (int i = 0; i < ROWS * LATENT; i++) z[i] = x[i] - 0.5f;
    gm_sample_options_init(&o, sizeof o);
    o.seed = 5;
    if (!s) s = tensor(c, rank, ROWS, ELEMS, x, &tx);
    if (!s) s = tensor(c, rank, ROWS, ELEMS, y, &ty);
    if (!s) s = tensor(c, 2, ROWS, LATENT, z, &tz);
    if (!s) s = tensor(c, 1, ROWS, 0, score, &ts);
    if (!s) s = gm_gan_sample(g, &o, NULL, ty);
    if (!s) print("gan sample", y, sizeof y);
    if (!s) s = gm_gan_generate(g, tz, NULL, ty);
    if (!s) print("gan generate", y, sizeof y);
    if (!s) s = gm_gan_discriminate(g, tx, NULL, ts);
    if (!s) print("gan discriminate", score, sizeof score);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ts);
    gm_gan_destroy(g);
    return s;
}

static gm_status score(gm_context *c, gm_latent *l, gm_score kind, gm_tensor *tx, float *p, uint8_t *flag)
{
    gm_tensor *t = NULL, *f = NULL;
    int64_t n = ROWS;
    gm_status s = tensor(c, 1, ROWS, 0, p, &t);
    if (!s && flag) s = gm_tensor_wrap(c, GM_U8, 1, &n, NULL, flag, &f);
    if (!s) s = gm_latent_score(l, kind, tx, NULL, t, f);
    if (!s) print(gm_score_name(kind), p, ROWS * sizeof *p);
    if (!s && flag) print("is_anomaly", flag, ROWS);
    gm_tensor_destroy(t);
    gm_tensor_destroy(f);
    return s;
}

/* A model as a representation; elems of a sample, 4 axes or 2. */
static gm_status use_latent(gm_context *c, const char *path, int32_t rank, int64_t elems)
{
    static float x[ROWS * ELEMS], y[ROWS * ELEMS], z[ROWS * LATENT], w[ROWS * LATENT], value[ROWS], distance[ROWS];
    static int32_t index[ROWS];
    static uint8_t flag[ROWS];
    const size_t bytes = (size_t)(ROWS * elems) * sizeof *x;
    int64_t dims[2] = {ROWS, 1};
    gm_tensor *tx = NULL, *ty = NULL, *tz = NULL, *tw = NULL, *ti = NULL, *td = NULL, *a = NULL, *b = NULL;
    const gm_model *m = NULL;
    gm_latent *l = NULL;
    gm_info info;
    gm_sample_options o;
    gm_status s = gm_model_load(c, path, GM_USE_ALL, &m);
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    gm_sample_options_init(&o, sizeof o);
    o.seed = 8;
    o.draw = GM_DRAW_SAMPLE;
    if (elems == COLUMNS)
        table(x);
    else
        data(x);
    if (!s) s = gm_model_info(m, &info);
    if (!s) printf("%s %s %d %ld\n", info.family, info.sha256, (int)info.calibrated, (long)info.parameters);
    if (!s) s = gm_latent_create(c, m, NULL, &l);
    if (!s) s = tensor(c, rank, ROWS, elems, x, &tx);
    if (!s) s = tensor(c, rank, ROWS, elems, y, &ty);
    if (!s) s = tensor(c, 2, ROWS, LATENT, z, &tz);
    if (!s) s = tensor(c, 2, ROWS, LATENT, w, &tw);
    if (!s) s = tensor(c, 2, ROWS, 1, distance, &td);
    if (!s) s = gm_tensor_wrap(c, GM_I32, 2, dims, NULL, index, &ti);
    if (!s) s = gm_latent_sample(l, &o, NULL, tz, ty);
    if (!s) print("latent sample", y, bytes);
    if (!s) print("latent z", z, sizeof z);
    if (!s && !strcmp(info.family, "vae")) {
        s = gm_latent_encode(l, tx, NULL, tz, tw, NULL, NULL);
        if (!s) print("latent encode", z, sizeof z);
        if (!s) s = gm_latent_reconstruct(l, tx, NULL, ty);
        if (!s) print("latent reconstruct", y, bytes);
        if (!s) s = score(c, l, GM_SCORE_ELBO, tx, value, NULL);
        if (!s) s = score(c, l, GM_SCORE_IWAE, tx, value, NULL);
        if (!s) s = score(c, l, GM_SCORE_RECONSTRUCTION, tx, value, NULL);
        if (!s) s = score(c, l, GM_SCORE_MAHALANOBIS, tx, value, info.calibrated ? flag : NULL);
    }
    if (!s) s = gm_tensor_slice(tz, 0, 0, 1, &a);
    if (!s) s = gm_tensor_slice(tz, 0, 1, 2, &b);
    if (!s) s = gm_latent_nearest(l, tz, tz, ti, td);
    if (!s) print("latent nearest", distance, sizeof distance);
    if (!s) s = gm_latent_interpolate(l, a, b, GM_PATH_SPHERICAL, tw);
    if (!s) print("latent interpolate", w, sizeof w);
    if (!s) s = gm_latent_traverse(l, a, b, -1, 2, tw);
    if (!s) print("latent traverse", w, sizeof w);
    if (!s) s = gm_latent_decode(l, tw, NULL, NULL, ty);
    if (!s) print("latent decode", y, bytes);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tw);
    gm_tensor_destroy(ti);
    gm_tensor_destroy(td);
    gm_tensor_destroy(a);
    gm_tensor_destroy(b);
    gm_latent_destroy(l);
    gm_model_destroy(m);
    return s;
}

static void answer(gm_context *c, const char *what, gm_status s) { printf("%s: %s: %s\n", what, gm_status_name(s), gm_context_error(c)); }

/* The same of a GAN and of its model; its own path is that of the file. */
static gm_status refuse_gan(gm_context *c, const char *path)
{
    static float x[ROWS * ELEMS], z[ROWS * LATENT], score[ROWS];
    gm_gan *g = NULL, *other = NULL;
    gm_tensor *t = NULL, *tz = NULL, *ts = NULL;
    const gm_model *m = NULL, *n = NULL;
    gm_latent *l = NULL;
    gm_writer w;
    gm_spec spec;
    uint64_t bytes;
    gm_status s = gm_gan_load(c, path, &g);
    gm_writer_init(&w, sizeof w);
    w.path = path;
    gm_spec_init(&spec, sizeof spec);
    spec.rank = 1;
    spec.dims[0] = ELEMS;
    if (!s) s = gm_model_load(c, path, GM_USE_ALL, &m);
    if (!s) s = gm_latent_create(c, m, NULL, &l);
    if (!s) s = tensor(c, 2, ROWS, ELEMS, x, &t);
    if (!s) s = tensor(c, 2, ROWS, LATENT, z, &tz);
    if (!s) s = tensor(c, 1, ROWS, 0, score, &ts);
    if (s) return s;
    answer(c, "gan_create", gm_gan_create(c, &spec, NULL, &other));
    answer(c, "gan_memory", gm_gan_memory(c, &spec, NULL, 8, &bytes, &bytes));
    answer(c, "gan_step", gm_gan_step(g, t, NULL, NULL));
    answer(c, "gan_fit", gm_gan_fit(g, NULL, NULL));
    answer(c, "gan_evaluate", gm_gan_evaluate(g, NULL, 1, NULL));
    answer(c, "gan_save", gm_gan_save(g, path));
    answer(c, "gan_snapshot", gm_gan_snapshot(g, &n));
    answer(c, "model_write", gm_model_write(c, m, &w));
    answer(c, "model_print", gm_model_print(c, m, &w));
    answer(c, "model_calibrate", gm_model_calibrate(c, m, NULL, NULL, &n));
    answer(c, "latent_encode", gm_latent_encode(l, t, NULL, tz, NULL, NULL, NULL));
    answer(c, "latent_score", gm_latent_score(l, GM_SCORE_RESIDUAL, t, NULL, ts, NULL));
    answer(c, "latent_augment", gm_latent_augment(l, t, NULL, 1, NULL, t));
    answer(c, "latent_balance", gm_latent_balance(l, NULL, 1, 1, 0, NULL));
    printf("gan_g_optimizer: %s\n", gm_gan_g_optimizer(g) ? "there" : "NULL");
    gm_tensor_destroy(t);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ts);
    gm_latent_destroy(l);
    gm_model_destroy(m);
    gm_gan_destroy(g);
    return GM_OK;
}

static gm_status refuse(gm_context *c, const char *path)
{
    static float x[ROWS * ELEMS];
    gm_spec spec;
    gm_vae *other = NULL;
    gm_vae *v = NULL;
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gm_optimizer *p = NULL;
    gm_status s = gm_vae_load(c, path, &v);
    if (!s) s = tensor(c, 2, ROWS, ELEMS, x, &t);
    if (!s) s = gm_graph_create(c, &g);
    if (!s) s = gm_params_create(c, g, 0, &w);
    if (s) return s;
    gm_spec_init(&spec, sizeof spec);
    spec.rank = 1;
    spec.dims[0] = ELEMS;
    answer(c, "vae_create", gm_vae_create(c, &spec, NULL, &other));
    answer(c, "vae_step", gm_vae_step(v, t, NULL, NULL));
    answer(c, "vae_fit", gm_vae_fit(v, NULL, NULL));
    answer(c, "vae_save", gm_vae_save(v, path));
    answer(c, "vae_save_checkpoint", gm_vae_save_checkpoint(v, path));
    answer(c, "dataset_from_tensor", gm_dataset_from_tensor(t, NULL, NULL, &d));
    answer(c, "dataset_open", gm_dataset_open(c, path, NULL, &d));
    answer(c, "optimizer_create", gm_optimizer_create(w, "adam", &p));
    gm_graph_backward(g, gm_op_scalar(g, 1));
    answer(c, "graph_backward", gm_graph_status(g));
    printf("vae_optimizer: %s\n", gm_vae_optimizer(v) ? "there" : "NULL");
    gm_params_destroy(w);
    gm_graph_destroy(g);
    gm_tensor_destroy(t);
    gm_vae_destroy(v);
    return GM_OK;
}

static gm_status train_all(gm_context *c, const char *dir)
{
    gm_status s = GM_OK;
    for (size_t i = 0; !s && i < sizeof recipes / sizeof recipes[0]; i++) s = train(c, dir, &recipes[i]);
    if (!s) s = train_table(c, dir);
    for (int images = 0; !s && images < 2; images++) s = train_gan(c, dir, images);
    return s ? s : calibrate(c, dir);
}

static gm_status use_all(gm_context *c, const char *dir)
{
    char path[4096];
    gm_status s = GM_OK;
    for (size_t i = 0; !s && i < sizeof recipes / sizeof recipes[0]; i++) {
        const int conv = !strcmp(recipes[i].name, "conv");
        s = use(c, path_of(path, dir, recipes[i].name, "model"), conv);
        if (!s) s = use(c, path_of(path, dir, recipes[i].name, "checkpoint"), conv);
        if (!s) s = use_latent(c, path, conv ? 4 : 2, ELEMS);
    }
    if (!s) s = use_latent(c, path_of(path, dir, "dense", "calibrated"), 2, ELEMS);
    if (!s) s = use_latent(c, path_of(path, dir, "table", "model"), 2, COLUMNS);
    for (int images = 0; !s && images < 2; images++) {
        s = use_gan(c, path_of(path, dir, images ? "images" : "rows", "checkpoint"), images);
        if (!s) s = use_gan(c, path_of(path, dir, images ? "images" : "rows", "model"), images);
        if (!s) s = use_latent(c, path, images ? 4 : 2, ELEMS);
    }
    return s;
}

int main(int argc, char **argv)
{
    char path[4096];
    gm_context *c = NULL;
    gm_context_options o;
    gm_status s;
    if (argc != 3 || strlen(argv[2]) > 4000) return 2;
    gm_context_options_init(&o, sizeof o);
    o.threads = 2; /* fewer where there are no threads: no failure */
    s = gm_context_create(&o, &c);
    if (!s && !strcmp(argv[1], "train")) s = train_all(c, argv[2]);
    if (!s && !strcmp(argv[1], "use")) s = use_all(c, argv[2]);
    if (!s && !strcmp(argv[1], "refuse")) s = refuse(c, path_of(path, argv[2], "dense", "model"));
    if (!s && !strcmp(argv[1], "refuse")) s = refuse_gan(c, path_of(path, argv[2], "rows", "model"));
    fprintf(stderr, "threads %d\n", (int)gm_context_threads(c));
    if (s) fprintf(stderr, "host %s: %s: %s\n", argv[1], gm_status_name(s), c ? gm_context_error(c) : "");
    gm_context_destroy(c);
    return s != GM_OK;
}
