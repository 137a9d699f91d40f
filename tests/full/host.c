/* SPDX-License-Identifier: MIT */
/* host.c: a host program for builds.sh, over the public headers alone, so that it links with any build and with the amalgamation.
 *
 *   host train DIR   trains two small models and writes each to DIR as a model and as a checkpoint
 *   host use DIR     loads them and prints one digest for each inference call: equal lines are equal bits
 *   host refuse DIR  calls what a build without training leaves out, and prints what it answers */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 70, ELEMS = 64, LATENT = 3 };

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

static void answer(gm_context *c, const char *what, gm_status s) { printf("%s: %s: %s\n", what, gm_status_name(s), gm_context_error(c)); }

static gm_status refuse(gm_context *c, const char *path)
{
    static float x[ROWS * ELEMS];
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
    if (!s && !strcmp(argv[1], "refuse")) s = refuse(c, path_of(path, argv[2], "dense", "model"));
    for (size_t i = 0; !s && i < sizeof recipes / sizeof recipes[0] && strcmp(argv[1], "refuse"); i++) {
        const recipe *r = &recipes[i];
        if (!strcmp(argv[1], "train")) {
            s = train(c, argv[2], r);
            continue;
        }
        s = use(c, path_of(path, argv[2], r->name, "model"), !strcmp(r->name, "conv"));
        if (!s) s = use(c, path_of(path, argv[2], r->name, "checkpoint"), !strcmp(r->name, "conv"));
    }
    fprintf(stderr, "threads %d\n", (int)gm_context_threads(c));
    if (s) fprintf(stderr, "host %s: %s: %s\n", argv[1], gm_status_name(s), c ? gm_context_error(c) : "");
    gm_context_destroy(c);
    return s != GM_OK;
}
