/* SPDX-License-Identifier: MIT */
/* demo.c: trains two VAEs on a folder of IDX images and draws what they have learned.
 *
 *     demo [--data data/digits] [--out out] [--quick]
 *
 * The folder holds images-idx3-ubyte and labels-idx1-ubyte (labels may be missing), with or without MNIST's "train-" before the names. The first model has 10
 * latent dimensions and gives reconstructions, samples and a traversal; the second has two, so that its latent space can be drawn as it is. Progress goes to stderr, a
 * summary to stdout, pictures and the model into the output folder. */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LATENT 10       /* of the first model */
#define POINTS_MAX 6000 /* drawn in a plot of the latent space */
#define CURVE_MAX 4096

typedef struct curve {
    double xy[2 * CURVE_MAX]; /* step, objective */
    int64_t n;
} curve;

typedef struct demo {
    gm_context *ctx;
    const char *out;
    gm_dataset *all, *train, *test;
    int64_t count, h, w; /* images */
    double lo, hi;       /* of a pixel */
    int quick;
    /* the training under way */
    const char *title;
    curve *losses[2];    /* training, validation */
    double printed;
} demo;

static double seconds(void *user)
{
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static gm_writer writer(const demo *d, const char *name)
{
    static char path[1024];
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    snprintf(path, sizeof path, "%s/%s", d->out, name);
    w.path = path;
    return w;
}

/* ---- data ---- */

/* The path of a file of the folder under one of its usual names, "" when there is none. */
static const char *find(const char *folder, const char *kind, char *path, size_t n)
{
    static const char *const names[] = {"train-%s-ubyte", "train-%s", "%s-ubyte", "%s"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t used = (size_t)snprintf(path, n, "%s/", folder);
        if (used < n) snprintf(path + used, n - used, names[i], kind);
        if (access(path, R_OK) == 0) return path;
    }
    path[0] = 0;
    return path;
}

static gm_status open_data(demo *d, const char *folder)
{
    char images[1024], labels[1024];
    const gm_spec *spec;
    gm_status s;
    if (!*find(folder, "images-idx3", images, sizeof images)) {
        fprintf(stderr, "demo: %s has no images-idx3-ubyte and no train-images-idx3-ubyte\n", folder);
        return GM_E_IO;
    }
    find(folder, "labels-idx1", labels, sizeof labels);
    s = gm_dataset_open_idx(d->ctx, images, *labels ? labels : NULL, &d->all);
    if (!s) s = gm_dataset_split(d->all, 0.9, 1, &d->train, &d->test);
    if (s) return s;
    spec = gm_dataset_spec(d->all);
    d->count = gm_dataset_count(d->all);
    d->h = spec->dims[1];
    d->w = spec->dims[2];
    d->lo = spec->lo;
    d->hi = spec->hi;
    fprintf(stderr, "%s: %ld images of %ldx%ld, %ld classes, %ld held out\n", images, (long)d->count, (long)d->w, (long)d->h, (long)spec->classes,
            (long)gm_dataset_count(d->test));
    return GM_OK;
}

/* n images, f32, in the data's units. */
static gm_status new_images(demo *d, int64_t n, gm_tensor **x)
{
    int64_t dims[4] = {0, 1, 0, 0};
    dims[0] = n;
    dims[2] = d->h;
    dims[3] = d->w;
    return gm_tensor_create(d->ctx, GM_F32, 4, dims, x);
}

static gm_status new_codes(demo *d, int64_t n, int64_t dim, gm_tensor **z)
{
    int64_t dims[2];
    dims[0] = n;
    dims[1] = dim;
    return gm_tensor_create(d->ctx, GM_F32, 2, dims, z);
}

/* Draws images after bringing their units to 0..1, and drops them. s: how the call before went. */
static gm_status draw(demo *d, gm_status s, gm_tensor *x, int32_t columns, const char *name)
{
    gm_writer w = writer(d, name);
    int64_t n = s ? 0 : gm_tensor_dim(x, 0) * d->h * d->w;
    float *p = s ? NULL : gm_tensor_data(x);
    for (int64_t i = 0; i < n; i++) p[i] = (float)((p[i] - d->lo) / (d->hi - d->lo));
    if (!s) s = gm_viz_grid(d->ctx, x, columns, &w);
    gm_tensor_destroy(x);
    return s;
}

/* ---- training ---- */

static gm_action progress(void *user, const gm_record *r)
{
    demo *d = user;
    char line[256];
    int terminal = isatty(STDERR_FILENO), which = r->kind == GM_RECORD_VALIDATION;
    curve *c = d->losses[which];
    if ((r->kind == GM_RECORD_EPOCH || which) && c && c->n < CURVE_MAX) {
        c->xy[2 * c->n] = (double)r->step;
        c->xy[2 * c->n++ + 1] = r->objective;
    }
    if (r->kind != GM_RECORD_STEP && r->kind != GM_RECORD_EPOCH) return GM_CONTINUE;
    if (r->step < r->steps && r->seconds - d->printed < (terminal ? 0.1 : 2)) return GM_CONTINUE;
    d->printed = r->seconds;
    if (gm_record_text(r, line, sizeof line) == GM_OK) fprintf(stderr, terminal ? "\r%s: %-100s" : "%s: %s\n", d->title, line);
    return GM_CONTINUE;
}

static gm_status train(demo *d, const char *title, int64_t latent, curve *losses, gm_vae **vae)
{
    gm_vae_options o;
    gm_fit_options fit;
    int64_t batch = 128, per_epoch = (gm_dataset_count(d->train) + batch - 1) / batch, steps = d->quick ? 150 : 3000;
    gm_status s;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 256; relu; dense 128; relu";
    o.decoder = "dense 128; relu; dense 256; relu";
    o.latent_dim = latent;
    o.likelihood = GM_LIKELIHOOD_BERNOULLI; /* good for pixels that are nearly black or white, as MNIST's are */
    if (d->h * d->w <= 256) {               /* small scans have soft edges: grey levels are the message */
        o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
        o.variance = "fixed 0.05";
    }
    o.beta = "linear 0 1 steps=400"; /* warm-up: dimensions are taken up before they cost */
    gm_fit_options_init(&fit, sizeof fit);
    fit.batch = batch;
    fit.epochs = (steps + per_epoch - 1) / per_epoch;
    fit.patience = 0;
    fit.validation = d->test;
    fit.progress = progress;
    fit.user = d;
    d->title = title;
    d->losses[0] = losses;
    d->losses[1] = losses ? losses + 1 : NULL;
    d->printed = -10;
    s = gm_vae_create(d->ctx, gm_dataset_spec(d->all), &o, vae);
    if (!s) s = gm_vae_fit(*vae, d->train, &fit);
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\n");
    return s;
}

static gm_status draw_losses(demo *d, curve *c)
{
    static const char *const names[2] = {"training", "held out"};
    gm_writer w = writer(d, "loss.svg");
    gm_tensor *t[2] = {NULL, NULL};
    gm_status s = GM_OK;
    for (int i = 0; !s && i < 2; i++) {
        int64_t dims[2] = {0, 2};
        dims[0] = c[i].n;
        s = gm_tensor_wrap(d->ctx, GM_F64, 2, dims, NULL, c[i].xy, &t[i]);
    }
    if (!s) s = gm_viz_curves(d->ctx, 2, names, t, &w);
    gm_tensor_destroy(t[0]);
    gm_tensor_destroy(t[1]);
    return s;
}

/* ---- pictures ---- */

static gm_status draw_data(demo *d)
{
    gm_tensor *x = NULL;
    gm_status s = new_images(d, 100, &x);
    if (!s) s = gm_dataset_read(d->train, 0, x, NULL);
    return draw(d, s, x, 10, "data.png");
}

/* Held-out images, and below each what comes back. */
static gm_status draw_reconstructions(demo *d, gm_vae *vae)
{
    const int64_t columns = 12, rows = 4, size = d->h * d->w;
    gm_tensor *x = NULL, *y = NULL, *pairs = NULL;
    gm_status s = new_images(d, columns * rows, &x);
    if (!s) s = new_images(d, columns * rows, &y);
    if (!s) s = new_images(d, 2 * columns * rows, &pairs);
    if (!s) s = gm_dataset_read(d->test, 0, x, NULL);
    if (!s) s = gm_vae_reconstruct(vae, x, NULL, y);
    for (int64_t i = 0; !s && i < rows; i++) {
        float *to = (float *)gm_tensor_data(pairs) + 2 * i * columns * size;
        memcpy(to, (float *)gm_tensor_data(x) + i * columns * size, (size_t)(columns * size) * sizeof *to);
        memcpy(to + columns * size, (float *)gm_tensor_data(y) + i * columns * size, (size_t)(columns * size) * sizeof *to);
    }
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    return draw(d, s, pairs, (int32_t)columns, "reconstructions.png");
}

static gm_status draw_samples(demo *d, gm_vae *vae)
{
    gm_tensor *x = NULL;
    gm_status s = new_images(d, 100, &x);
    if (!s) s = gm_vae_sample(vae, NULL, NULL, x);
    return draw(d, s, x, 10, "samples.png");
}

/* The code of one image; then a row for each of the dimensions that carry most, which goes from -2.5 to 2.5 while the others stay. */
static gm_status draw_traversal(demo *d, gm_vae *vae, const gm_record *r)
{
    enum { ROWS = 8, COLUMNS = 11 };
    const int64_t dim = r->n_kl, rows = dim < ROWS ? dim : ROWS;
    gm_tensor *one = NULL, *code = NULL, *z = NULL, *x = NULL;
    float carried[64];
    gm_status s = dim > 64 ? GM_E_LIMIT : new_images(d, 1, &one);
    for (int64_t j = 0; !s && j < dim; j++) carried[j] = r->kl_per_dim[j]; /* the record's own array lives until the next call */
    if (!s) s = new_codes(d, 1, dim, &code);
    if (!s) s = new_codes(d, rows * COLUMNS, dim, &z);
    if (!s) s = new_images(d, rows * COLUMNS, &x);
    if (!s) s = gm_dataset_read(d->test, 3, one, NULL);
    if (!s) s = gm_vae_encode(vae, one, NULL, code, NULL);
    for (int64_t i = 0; !s && i < rows; i++) {
        int64_t most = 0;
        for (int64_t j = 1; j < dim; j++)
            if (carried[j] > carried[most]) most = j;
        carried[most] = -1;
        for (int64_t k = 0; k < COLUMNS; k++) {
            float *p = (float *)gm_tensor_data(z) + (i * COLUMNS + k) * dim;
            memcpy(p, gm_tensor_data_const(code), (size_t)dim * sizeof *p);
            p[most] = -2.5f + 0.5f * (float)k;
        }
    }
    if (!s) s = gm_vae_decode(vae, z, NULL, GM_DRAW_MEAN, 0, x);
    gm_tensor_destroy(one);
    gm_tensor_destroy(code);
    gm_tensor_destroy(z);
    return draw(d, s, x, COLUMNS, "traversal.png");
}

/* The codes of images as points coloured by class; codes of more than two dimensions are projected. */
static gm_status draw_codes(demo *d, gm_vae *vae, int64_t dim, const char *name)
{
    const int64_t n = gm_dataset_count(d->train) < POINTS_MAX ? gm_dataset_count(d->train) : POINTS_MAX;
    gm_writer w = writer(d, name);
    gm_tensor *x = NULL, *labels = NULL, *z = NULL, *map = NULL;
    gm_status s = new_images(d, n, &x);
    if (!s && gm_dataset_spec(d->all)->classes) s = gm_tensor_create(d->ctx, GM_I32, 1, &n, &labels);
    if (!s) s = gm_dataset_read(d->train, 0, x, labels);
    if (!s) s = new_codes(d, n, dim, &z);
    if (!s) s = gm_vae_encode(vae, x, NULL, z, NULL);
    if (!s && dim != 2) s = new_codes(d, n, 2, &map);
    if (!s && dim != 2) s = gm_viz_pca(d->ctx, z, map);
    if (!s) s = gm_viz_scatter(d->ctx, dim == 2 ? z : map, labels, &w);
    gm_tensor_destroy(x);
    gm_tensor_destroy(labels);
    gm_tensor_destroy(z);
    gm_tensor_destroy(map);
    return s;
}

/* What the decoder makes of the square [-2.5, 2.5] x [-2.5, 2.5] of a 2-D latent space, the second axis upwards as in the plot. */
static gm_status draw_square(demo *d, gm_vae *vae)
{
    enum { SIDE = 21 };
    gm_tensor *z = NULL, *x = NULL;
    gm_status s = new_codes(d, SIDE * SIDE, 2, &z);
    if (!s) s = new_images(d, SIDE * SIDE, &x);
    for (int i = 0; !s && i < SIDE * SIDE; i++) {
        float *p = (float *)gm_tensor_data(z) + 2 * i;
        p[0] = -2.5f + 0.25f * (float)(i % SIDE);
        p[1] = 2.5f - 0.25f * (float)(i / SIDE);
    }
    if (!s) s = gm_vae_decode(vae, z, NULL, GM_DRAW_MEAN, 0, x);
    gm_tensor_destroy(z);
    return draw(d, s, x, SIDE, "latent_2d.png");
}

static gm_status run(demo *d, const char *folder)
{
    gm_vae *vae = NULL, *flat = NULL;
    curve *losses = calloc(2, sizeof *losses);
    gm_record r;
    gm_status s = losses ? open_data(d, folder) : GM_E_NOMEM;
    if (!s) s = draw_data(d);
    if (!s) s = train(d, "10-d VAE", LATENT, losses, &vae);
    if (!s) s = draw_losses(d, losses);
    if (!s) s = draw_reconstructions(d, vae);
    if (!s) s = draw_samples(d, vae);
    if (!s) s = draw_codes(d, vae, LATENT, "latent_pca.svg");
    gm_record_init(&r, sizeof r);
    if (!s) s = gm_vae_evaluate(vae, d->test, 4, &r);
    if (!s) printf("held-out images: elbo %.2f nats, kl %.2f, %.0f of %d dimensions active\n", r.elbo, r.kl, r.active_units, LATENT);
    if (!s) s = draw_traversal(d, vae, &r);
    if (!s) s = gm_vae_save(vae, writer(d, "vae.safetensors").path);
    if (!s) s = train(d, " 2-d VAE", 2, NULL, &flat);
    if (!s) s = draw_codes(d, flat, 2, "latent_2d.svg");
    if (!s) s = draw_square(d, flat);
    free(losses);
    gm_vae_destroy(vae);
    gm_vae_destroy(flat);
    gm_dataset_destroy(d->train);
    gm_dataset_destroy(d->test);
    gm_dataset_destroy(d->all);
    return s;
}

int main(int argc, char **argv)
{
    const char *folder = "data/digits";
    gm_context_options o;
    demo d;
    gm_status s;
    memset(&d, 0, sizeof d);
    d.out = "out";
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) d.quick = 1;
        else if (!strcmp(argv[i], "--data") && i + 1 < argc) folder = argv[++i];
        else if (!strcmp(argv[i], "--out") && i + 1 < argc) d.out = argv[++i];
        else return fprintf(stderr, "usage: demo [--data DIR] [--out DIR] [--quick]\n"), 2;
    }
    mkdir(d.out, 0777); /* when it is there already that is fine; if it cannot be made, the first picture says so */
    gm_context_options_init(&o, sizeof o);
    o.clock = seconds;
    s = gm_context_create(&o, &d.ctx);
    if (!s) s = run(&d, folder);
    if (s && d.ctx && *gm_context_error(d.ctx)) fprintf(stderr, "demo: %s\n", gm_context_error(d.ctx));
    if (!s)
        printf("%s: data.png, reconstructions.png (below each image what comes back), samples.png, traversal.png (a row a dimension),\n"
               "latent_2d.svg and .png (two dimensions, by class), latent_pca.svg, loss.svg, vae.safetensors\n",
               d.out);
    gm_context_destroy(d.ctx);
    return s ? 1 : 0;
}
