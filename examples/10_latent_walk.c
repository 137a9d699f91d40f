/* SPDX-License-Identifier: MIT */
/* 10_latent_walk.c: a model as a representation: paths, directions and neighbours among codes.
 *
 * A snapshot of a trained model is a gm_model: it never changes, and any number of gm_latent use it, one for each thread. The same calls serve a VAE, whose encoder
 * gives the code, and a GAN, whose code is found by inversion. Pictures: walk.png has a row for each pair of digits, the way from one to the other; hole.png adds to
 * each digit of its first column the direction in which digits get a hole. Next: 11, more data of rare classes. */
#include <genrep.h>
#include <stdio.h>
#include <string.h>

#define TRAIN 1438 /* four fifths */
#define TEST 359
#define DIM 8
#define PAIRS 6
#define STEPS 11

typedef struct walk {
    gm_context *ctx;
    gm_latent *latent;
    gm_tensor *z, *z_test;           /* codes [TRAIN, DIM], [TEST, DIM] */
    int32_t label[TRAIN], label_test[TEST];
} walk;

static gm_status new_tensor(walk *w, gm_dtype type, int64_t n, int64_t columns, gm_tensor **t)
{
    int64_t dims[4] = {0, 0, 8, 8};
    dims[0] = n;
    dims[1] = columns;
    return gm_tensor_create(w->ctx, type, columns == 1 ? 4 : 2, dims, t); /* one channel: images */
}

static gm_status draw(walk *w, gm_tensor *z, const char *path)
{
    gm_tensor *x = NULL;
    gm_writer png;
    gm_status s = new_tensor(w, GM_F32, PAIRS * STEPS, 1, &x);
    if (!s) s = gm_latent_decode(w->latent, z, NULL, NULL, x);
    for (int i = 0; !s && i < PAIRS * STEPS * 64; i++) ((float *)gm_tensor_data(x))[i] /= 16; /* pixels are 0 to 16 */
    gm_writer_init(&png, sizeof png);
    png.path = path;
    if (!s) s = gm_viz_grid(w->ctx, x, STEPS, &png);
    gm_tensor_destroy(x);
    return s;
}

/* Codes and labels of a dataset's rows. */
static gm_status encode(walk *w, gm_dataset *d, int32_t *label, gm_tensor **z)
{
    const int64_t n = gm_dataset_count(d);
    gm_tensor *x = NULL, *l = NULL;
    gm_status s = new_tensor(w, GM_U8, n, 1, &x);
    if (!s) s = gm_tensor_wrap(w->ctx, GM_I32, 1, &n, NULL, label, &l);
    if (!s) s = new_tensor(w, GM_F32, n, DIM, z);
    if (!s) s = gm_dataset_read(d, 0, x, l);
    if (!s) s = gm_latent_encode(w->latent, x, NULL, *z, NULL, NULL, NULL);
    gm_tensor_destroy(x);
    gm_tensor_destroy(l);
    return s;
}

/* PAIRS ways: between test digits i and i + PAIRS along the great circle, or from digit i along a direction. */
static gm_status ways(walk *w, gm_tensor *direction, const char *path)
{
    gm_tensor *z = NULL;
    gm_status s = new_tensor(w, GM_F32, PAIRS * STEPS, DIM, &z);
    for (int i = 0; !s && i < PAIRS; i++) {
        gm_tensor *row = NULL, *a = NULL, *b = NULL;
        s = gm_tensor_slice(z, 0, i * STEPS, (i + 1) * STEPS, &row);
        if (!s) s = gm_tensor_slice(w->z_test, 0, i, i + 1, &a);
        if (!s) s = gm_tensor_slice(w->z_test, 0, i + PAIRS, i + PAIRS + 1, &b);
        if (!s && direction) s = gm_latent_traverse(w->latent, a, direction, 0, 1.5, row);
        if (!s && !direction) s = gm_latent_interpolate(w->latent, a, b, GM_PATH_SPHERICAL, row);
        gm_tensor_destroy(row);
        gm_tensor_destroy(a);
        gm_tensor_destroy(b);
    }
    if (!s) s = draw(w, z, path);
    gm_tensor_destroy(z);
    return s;
}

/* The mean code of digits with a hole minus that of the others. */
static gm_status holes(walk *w)
{
    const int64_t n = TRAIN, dim = DIM;
    static int32_t hole[TRAIN];
    gm_tensor *l = NULL, *direction = NULL;
    gm_status s = gm_tensor_wrap(w->ctx, GM_I32, 1, &n, NULL, hole, &l);
    for (int i = 0; i < TRAIN; i++) hole[i] = strchr("0689", '0' + w->label[i]) != NULL;
    if (!s) s = gm_tensor_create(w->ctx, GM_F32, 1, &dim, &direction);
    if (!s) s = gm_latent_direction(w->latent, w->z, l, direction);
    if (!s) s = ways(w, direction, "hole.png");
    gm_tensor_destroy(l);
    gm_tensor_destroy(direction);
    return s;
}

/* How often the nearest code of a test digit is one of the same digit: labels were not used in training. */
static gm_status neighbours(walk *w)
{
    gm_tensor *index = NULL;
    int same = 0;
    gm_status s = new_tensor(w, GM_I32, TEST, 2, &index); /* the two nearest of each */
    if (!s) s = gm_latent_nearest(w->latent, w->z, w->z_test, index, NULL);
    for (int i = 0; !s && i < TEST; i++) same += w->label[((const int32_t *)gm_tensor_data_const(index))[2 * i]] == w->label_test[i];
    if (!s) printf("of %d test digits %d have a neighbour of the same kind\n", TEST, same);
    gm_tensor_destroy(index);
    return s;
}

int main(void)
{
    static walk w;
    gm_dataset *all = NULL, *train = NULL, *test = NULL;
    gm_vae *vae = NULL;
    const gm_model *model = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_status s = gm_context_create(NULL, &w.ctx);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 128; relu";
    o.latent_dim = DIM;
    o.variance = "fixed 0.05"; /* grey levels matter: small deviations cost */
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 150;
    if (!s) s = gm_dataset_open_idx(w.ctx, "data/digits/images-idx3-ubyte", "data/digits/labels-idx1-ubyte", &all);
    if (!s) s = gm_dataset_split(all, 0.8, 1, &train, &test);
    if (!s) s = gm_vae_create(w.ctx, gm_dataset_spec(all), &o, &vae);
    if (!s) s = gm_vae_fit(vae, train, &fit);
    if (!s) s = gm_vae_snapshot(vae, &model); /* or gm_model_load */
    if (!s) s = gm_latent_create(w.ctx, model, NULL, &w.latent);
    if (!s) s = encode(&w, train, w.label, &w.z);
    if (!s) s = encode(&w, test, w.label_test, &w.z_test);
    if (!s) s = neighbours(&w);
    if (!s) s = ways(&w, NULL, "walk.png");
    if (!s) s = holes(&w);
    puts(s ? gm_context_error(w.ctx) : "walk.png: from digit to digit; hole.png: towards a hole");
    gm_tensor_destroy(w.z), gm_tensor_destroy(w.z_test);
    gm_latent_destroy(w.latent), gm_model_destroy(model), gm_vae_destroy(vae);
    gm_dataset_destroy(train), gm_dataset_destroy(test), gm_dataset_destroy(all);
    gm_context_destroy(w.ctx);
    return s ? 1 : 0;
}
