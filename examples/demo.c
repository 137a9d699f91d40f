/* SPDX-License-Identifier: MIT */
/* demo.c: trains VAEs and a GAN on a folder of IDX images and draws what they have learned.
 *
 *     demo [--data data/digits] [--out out] [--quick]
 *
 * The folder holds images-idx3-ubyte and labels-idx1-ubyte (labels may be missing), with or without MNIST's "train-" before the names. The first VAE has 10
 * latent dimensions and gives reconstructions, samples, a traversal and scores of anomalies; the second has two, so that its latent space can be drawn as it is; the GAN
 * gives samples and is inverted. Both are walked through from digit to digit. Progress goes to stderr, a summary to stdout, pictures and models into the output folder. */
#include <genrep.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LATENT 10       /* of the first model */
#define POINTS_MAX 6000 /* drawn in a plot of the latent space */
#define CURVE_MAX 4096
#define PAIRS 6         /* ways from one image to another */
#define WAY 10          /* images of each */
#define SCORED_MAX 1000
#define HALF 10         /* columns of each half of the overview */
#define BOARD_ROWS 18
#define BOARD_COLUMNS (2 * HALF + 1)

typedef struct curve {
    double xy[2 * CURVE_MAX]; /* step, objective */
    int64_t n;
} curve;

typedef struct demo {
    gm_context *ctx;
    const char *out;
    gm_dataset *all, *train, *test, *calibration, *fresh; /* the last two are the halves of test */
    int64_t count, h, w; /* images */
    double lo, hi;       /* of a pixel */
    int quick;
    gm_tensor *board; /* the overview: BOARD_ROWS rows of BOARD_COLUMNS images, in 0..1 */
    /* the training under way */
    const char *title;
    curve *losses[2];    /* training, validation; of a GAN: D, G */
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
    if (!s) s = gm_dataset_split(d->test, 0.5, 1, &d->calibration, &d->fresh);
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

/* Where the first `rows` rows of a picture also go on the overview, ten images wide. rows 0: nowhere. */
typedef struct place {
    int rows, row, column;
} place;
static const place nowhere = {0, 0, 0};

static void pin(demo *d, const float *p, int64_t n, int32_t columns, place at)
{
    float *board = gm_tensor_data(d->board);
    const int64_t size = d->h * d->w;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < HALF && j < columns && i * columns + j < n; j++)
            memcpy(board + ((at.row + i) * BOARD_COLUMNS + at.column + j) * size, p + (i * columns + j) * size, (size_t)size * sizeof *p);
}

/* Draws images after bringing their units to 0..1, and drops them. s: how the call before went. */
static gm_status draw(demo *d, gm_status s, gm_tensor *x, int32_t columns, const char *name, place at)
{
    gm_writer w = writer(d, name);
    int64_t n = s ? 0 : gm_tensor_dim(x, 0);
    float *p = s ? NULL : gm_tensor_data(x);
    for (int64_t i = 0; i < n * d->h * d->w; i++) p[i] = (float)((p[i] - d->lo) / (d->hi - d->lo));
    if (!s) s = gm_viz_grid(d->ctx, x, columns, &w);
    if (!s) pin(d, p, n, columns, at);
    gm_tensor_destroy(x);
    return s;
}

/* Row i of x becomes row `to` of y. */
static void copy_image(demo *d, gm_tensor *y, int64_t to, gm_tensor *x, int64_t i)
{
    const int64_t size = d->h * d->w;
    memcpy((float *)gm_tensor_data(y) + to * size, (float *)gm_tensor_data(x) + i * size, (size_t)size * sizeof(float));
}

/* ---- training ---- */

static void add(curve *c, double x, double y)
{
    if (!c || c->n == CURVE_MAX) return;
    c->xy[2 * c->n] = x;
    c->xy[2 * c->n++ + 1] = y;
}

static gm_action progress(void *user, const gm_record *r)
{
    demo *d = user;
    char line[256];
    const int terminal = isatty(STDERR_FILENO), gan = r->objective != r->objective; /* NaN: it has none */
    if (r->kind == GM_RECORD_EPOCH) add(d->losses[0], (double)r->step, gan ? r->d_loss : r->objective);
    if (r->kind == GM_RECORD_EPOCH && gan) add(d->losses[1], (double)r->step, r->g_loss);
    if (r->kind == GM_RECORD_VALIDATION) add(d->losses[1], (double)r->step, r->objective);
    if (r->kind != GM_RECORD_STEP && r->kind != GM_RECORD_EPOCH) return GM_CONTINUE;
    if (r->step < r->steps && r->seconds - d->printed < (terminal ? 0.1 : 2)) return GM_CONTINUE;
    d->printed = r->seconds;
    if (gm_record_text(r, line, sizeof line) == GM_OK) fprintf(stderr, terminal ? "\r%s: %-100s" : "%s: %s\n", d->title, line);
    return GM_CONTINUE;
}

/* Options of fit for about so many steps. */
static gm_fit_options begin(demo *d, const char *title, int64_t batch, int64_t steps, curve *losses)
{
    gm_fit_options fit;
    const int64_t per_epoch = (gm_dataset_count(d->train) + batch - 1) / batch;
    gm_fit_options_init(&fit, sizeof fit);
    fit.batch = batch;
    fit.epochs = ((d->quick ? 150 : steps) + per_epoch - 1) / per_epoch;
    fit.patience = 0;
    fit.progress = progress;
    fit.user = d;
    d->title = title;
    d->losses[0] = losses;
    d->losses[1] = losses ? losses + 1 : NULL;
    d->printed = -10;
    return fit;
}

static gm_status train_vae(demo *d, const char *title, int64_t latent, curve *losses, gm_vae **vae)
{
    gm_vae_options o;
    gm_fit_options fit = begin(d, title, 128, 3000, losses);
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
    fit.validation = d->test; /* for the curve alone: with patience 0 nothing is chosen by it */
    s = gm_vae_create(d->ctx, gm_dataset_spec(d->all), &o, vae);
    if (!s) s = gm_vae_fit(*vae, d->train, &fit);
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\n");
    return s;
}

static gm_status train_gan(demo *d, curve *losses, gm_gan **gan)
{
    char generator[128];
    gm_gan_options o;
    const int small = d->h * d->w <= 256;
    gm_fit_options fit = begin(d, "     GAN", 64, small ? 6000 : 4000, losses);
    gm_status s;
    gm_gan_options_init(&o, sizeof o);
    if (small) { /* the defaults are for larger images: here networks are small, and small networks take larger steps */
        snprintf(generator, sizeof generator, "dense 256; leaky_relu 0.2; dense 256; leaky_relu 0.2; dense %ld; tanh", (long)(d->h * d->w));
        o.generator = generator;
        o.discriminator = "conv 32 k3 s1 p1; leaky_relu 0.2; conv 64 k4 s2 p1; leaky_relu 0.2; flatten; dense 128; leaky_relu 0.2";
        o.loss = "relativistic r1=0.4 r2=0.4 every=4";
        o.g_optimizer = o.d_optimizer = "adam lr=0.001 beta1=0 beta2=0.99";
        o.latent_dim = 16;
    }
    s = gm_gan_create(d->ctx, gm_dataset_spec(d->all), &o, gan);
    if (!s) s = gm_gan_fit(*gan, d->train, &fit);
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\n");
    return s;
}

static gm_status draw_losses(demo *d, curve *c, const char *first, const char *second, const char *name)
{
    const char *names[2];
    gm_writer w = writer(d, name);
    gm_tensor *t[2] = {NULL, NULL};
    gm_status s = GM_OK;
    names[0] = first;
    names[1] = second;
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
    return draw(d, s, x, 10, "data.png", nowhere);
}

/* Held-out images, and below each what comes back. */
static gm_status draw_reconstructions(demo *d, gm_vae *vae)
{
    const int64_t columns = 12, rows = 4;
    gm_tensor *x = NULL, *y = NULL, *pairs = NULL;
    gm_status s = new_images(d, columns * rows, &x);
    if (!s) s = new_images(d, columns * rows, &y);
    if (!s) s = new_images(d, 2 * columns * rows, &pairs);
    if (!s) s = gm_dataset_read(d->test, 0, x, NULL);
    if (!s) s = gm_vae_reconstruct(vae, x, NULL, y);
    for (int64_t i = 0; !s && i < columns * rows; i++) {
        const int64_t to = (i / columns * 2) * columns + i % columns;
        copy_image(d, pairs, to, x, i);
        copy_image(d, pairs, to + columns, y, i);
    }
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    return draw(d, s, pairs, (int32_t)columns, "reconstructions.png", nowhere);
}

static gm_status draw_samples(demo *d, gm_latent *l, const char *name, place at)
{
    gm_tensor *x = NULL;
    gm_status s = new_images(d, 100, &x);
    if (!s) s = gm_latent_sample(l, NULL, NULL, NULL, x);
    return draw(d, s, x, 10, name, at);
}

/* Ways along great circles between held-out images i and i + PAIRS: their codes are the encoder's, or found by inversion. */
static gm_status draw_ways(demo *d, gm_latent *l, int64_t dim, const char *name, place at)
{
    gm_tensor *x = NULL, *code = NULL, *z = NULL, *way = NULL;
    gm_status s = new_images(d, 2 * PAIRS, &x);
    if (!s) s = new_codes(d, 2 * PAIRS, dim, &code);
    if (!s) s = new_codes(d, PAIRS * WAY, dim, &z);
    if (!s) s = new_images(d, PAIRS * WAY, &way);
    if (!s) s = gm_dataset_read(d->test, 0, x, NULL);
    if (!s) s = gm_latent_encode(l, x, NULL, code, NULL, NULL, NULL);
    for (int64_t i = 0; !s && i < PAIRS; i++) {
        gm_tensor *a = NULL, *b = NULL, *rows = NULL;
        s = gm_tensor_slice(code, 0, i, i + 1, &a);
        if (!s) s = gm_tensor_slice(code, 0, i + PAIRS, i + PAIRS + 1, &b);
        if (!s) s = gm_tensor_slice(z, 0, i * WAY, (i + 1) * WAY, &rows);
        if (!s) s = gm_latent_interpolate(l, a, b, GM_PATH_SPHERICAL, rows);
        gm_tensor_destroy(a);
        gm_tensor_destroy(b);
        gm_tensor_destroy(rows);
    }
    if (!s) s = gm_latent_decode(l, z, NULL, NULL, way);
    gm_tensor_destroy(x);
    gm_tensor_destroy(code);
    gm_tensor_destroy(z);
    return draw(d, s, way, WAY, name, at);
}

/* Held-out images, below each the nearest that G can make of any z. */
static gm_status draw_inversion(demo *d, gm_latent *l, int64_t dim, place at)
{
    const int64_t n = 3 * HALF;
    gm_tensor *x = NULL, *y = NULL, *z = NULL, *error = NULL, *pairs = NULL;
    double mean = 0;
    gm_status s = new_images(d, n, &x);
    if (!s) s = new_images(d, n, &y);
    if (!s) s = new_images(d, 2 * n, &pairs);
    if (!s) s = new_codes(d, n, dim, &z);
    if (!s) s = gm_tensor_create(d->ctx, GM_F32, 1, &n, &error);
    if (!s) s = gm_dataset_read(d->test, 0, x, NULL);
    if (!s) s = gm_latent_encode(l, x, NULL, z, NULL, error, NULL);
    if (!s) s = gm_latent_decode(l, z, NULL, NULL, y);
    for (int64_t i = 0; !s && i < n; i++) {
        const int64_t to = i / HALF * 2 * HALF + i % HALF;
        copy_image(d, pairs, to, x, i);
        copy_image(d, pairs, to + HALF, y, i);
        mean += ((float *)gm_tensor_data(error))[i] / (double)n;
    }
    if (!s) printf("inversion of %ld held-out images: a pixel is off by %.0f%% of its range (root mean square)\n", (long)n, 100 * sqrt(mean) / 2);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_tensor_destroy(error);
    return draw(d, s, pairs, HALF, "inversion.png", at);
}

/* Damages image i in one of three ways: two stripes exchanged, the right half moved up, a quarter of its pixels drawn anew. */
static void damage(demo *d, float *p, int64_t i, unsigned *state)
{
    const int64_t size = d->h * d->w, part = d->h / 4 * d->w;
    for (int64_t k = 0; k < size; k++) {
        const unsigned r = (*state = *state * 1664525u + 1013904223u) >> 8;
        if (i % 3 == 0 && k >= part && k < 2 * part) {
            const float t = p[k];
            p[k] = p[k + part];
            p[k + part] = t;
        }
        if (i % 3 == 1 && k % d->w >= d->w / 2 && k + part < size) p[k] = p[k + part];
        if (i % 3 == 2 && r % 4 == 0) p[k] = (float)(d->lo + (d->hi - d->lo) * (double)(r >> 2 & 1023) / 1023);
    }
}

/* Scores good and damaged images that neither training nor calibration has seen. The picture: two rows of the lowest scores, two of the highest. */
static gm_status draw_anomalies(demo *d, gm_latent *l, place at)
{
    const int64_t fresh = gm_dataset_count(d->fresh), half = fresh < SCORED_MAX ? fresh / 2 : SCORED_MAX / 2, n = 2 * half, shown = half < 2 * HALF ? half : 2 * HALF;
    unsigned state = 1;
    long alarms[2] = {0, 0};
    gm_tensor *x = NULL, *score = NULL, *alarm = NULL, *picture = NULL;
    float *value;
    gm_status s = new_images(d, n, &x);
    if (!s) s = new_images(d, 2 * shown, &picture);
    if (!s) s = gm_tensor_create(d->ctx, GM_F32, 1, &n, &score);
    if (!s) s = gm_tensor_create(d->ctx, GM_U8, 1, &n, &alarm);
    if (!s) s = gm_dataset_read(d->fresh, 0, x, NULL);
    for (int64_t i = half; !s && i < n; i++) damage(d, (float *)gm_tensor_data(x) + i * d->h * d->w, i, &state);
    if (!s) s = gm_latent_score(l, GM_SCORE_ELBO, x, NULL, score, alarm);
    for (int64_t i = 0; !s && i < n; i++) alarms[i >= half] += ((unsigned char *)gm_tensor_data(alarm))[i];
    value = s ? NULL : gm_tensor_data(score);
    for (int64_t k = 0; !s && k < 2 * shown; k++) { /* the lowest of those left, then the highest */
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++)
            if (value[i] == value[i] && (best < 0 || (k < shown ? value[i] < value[best] : value[i] > value[best]))) best = i;
        if (best < 0) break;
        copy_image(d, picture, k, x, best);
        value[best] = NAN; /* taken */
    }
    if (!s) printf("anomalies: %ld of %ld damaged images raise an alarm, %ld of %ld good ones (at most 5%% are promised)\n", alarms[1], (long)half, alarms[0], (long)half);
    gm_tensor_destroy(x);
    gm_tensor_destroy(score);
    gm_tensor_destroy(alarm);
    return draw(d, s, picture, HALF, "anomaly.png", at);
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
    return draw(d, s, x, COLUMNS, "traversal.png", nowhere);
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
    return draw(d, s, x, SIDE, "latent_2d.png", nowhere);
}

/* The overview: samples of both models, ways of both, inversion and anomalies, VAE to the left and GAN to the right. */
static const place VAE_SAMPLES = {6, 0, 0}, GAN_SAMPLES_AT = {6, 0, HALF + 1}, VAE_WAYS = {PAIRS, 7, 0}, GAN_WAYS = {PAIRS, 7, HALF + 1}, ANOMALIES = {4, 14, 0},
                   INVERSION = {4, 14, HALF + 1};

static gm_status use_vae(demo *d, gm_vae *vae)
{
    const gm_model *snapshot = NULL, *model = NULL;
    gm_latent *latent = NULL;
    gm_status s = gm_vae_snapshot(vae, &snapshot);
    if (!s) s = gm_model_calibrate(d->ctx, snapshot, d->calibration, NULL, &model);
    if (!s) s = gm_latent_create(d->ctx, model, NULL, &latent);
    if (!s) s = draw_samples(d, latent, "samples.png", VAE_SAMPLES);
    if (!s) s = draw_ways(d, latent, LATENT, "ways.png", VAE_WAYS);
    if (!s) s = draw_anomalies(d, latent, ANOMALIES);
    gm_latent_destroy(latent);
    gm_model_destroy(model);
    gm_model_destroy(snapshot);
    return s;
}

static gm_status use_gan(demo *d, gm_gan *gan)
{
    const gm_model *model = NULL;
    gm_latent *latent = NULL;
    gm_info info;
    gm_status s = gm_gan_snapshot(gan, &model);
    info.size = sizeof info;
    if (!s) s = gm_model_info(model, &info);
    if (!s) s = gm_latent_create(d->ctx, model, NULL, &latent);
    if (!s) s = draw_samples(d, latent, "gan_samples.png", GAN_SAMPLES_AT);
    if (!s) s = draw_ways(d, latent, info.latent_dim, "gan_ways.png", GAN_WAYS);
    if (!s) s = draw_inversion(d, latent, info.latent_dim, INVERSION);
    gm_latent_destroy(latent);
    gm_model_destroy(model);
    return s;
}

static gm_status draw_board(demo *d)
{
    gm_writer w = writer(d, "overview.png");
    return gm_viz_grid(d->ctx, d->board, BOARD_COLUMNS, &w);
}

static gm_status run(demo *d, const char *folder)
{
    gm_vae *vae = NULL, *flat = NULL;
    gm_gan *gan = NULL;
    curve *losses = calloc(4, sizeof *losses);
    gm_record r;
    gm_status s = losses ? open_data(d, folder) : GM_E_NOMEM;
    if (!s) s = new_images(d, BOARD_ROWS * BOARD_COLUMNS, &d->board);
    for (int64_t i = 0; !s && i < BOARD_ROWS * BOARD_COLUMNS * d->h * d->w; i++) ((float *)gm_tensor_data(d->board))[i] = 0.5f;
    if (!s) s = draw_data(d);
    if (!s) s = train_vae(d, "10-d VAE", LATENT, losses, &vae);
    if (!s) s = draw_losses(d, losses, "training", "held out", "loss.svg");
    if (!s) s = draw_reconstructions(d, vae);
    if (!s) s = draw_codes(d, vae, LATENT, "latent_pca.svg");
    gm_record_init(&r, sizeof r);
    if (!s) s = gm_vae_evaluate(vae, d->test, 4, &r);
    if (!s) printf("VAE, held-out images: elbo %.2f nats, kl %.2f, %.0f of %d dimensions active\n", r.elbo, r.kl, r.active_units, LATENT);
    if (!s) s = draw_traversal(d, vae, &r);
    if (!s) s = use_vae(d, vae);
    if (!s) s = gm_vae_save(vae, writer(d, "vae.safetensors").path);
    if (!s) s = train_vae(d, " 2-d VAE", 2, NULL, &flat);
    if (!s) s = draw_codes(d, flat, 2, "latent_2d.svg");
    if (!s) s = draw_square(d, flat);
    if (!s) s = train_gan(d, losses + 2, &gan);
    if (!s) s = draw_losses(d, losses + 2, "D", "G", "gan_loss.svg");
    if (!s) s = use_gan(d, gan);
    if (!s) s = gm_gan_save(gan, writer(d, "gan.safetensors").path);
    if (!s) s = draw_board(d);
    free(losses);
    gm_vae_destroy(vae);
    gm_vae_destroy(flat);
    gm_gan_destroy(gan);
    gm_tensor_destroy(d->board);
    gm_dataset_destroy(d->fresh);
    gm_dataset_destroy(d->calibration);
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
        printf("%s: overview.png (left the VAE: samples, ways, the least and most anomalous images; right the GAN: samples, ways, images and what inversion finds);\n"
               "data.png, reconstructions.png (below each image what comes back), traversal.png (a row a dimension), latent_2d.svg and .png (two dimensions, by\n"
               "class), latent_pca.svg; of the VAE samples.png, ways.png, anomaly.png, loss.svg, vae.safetensors; of the GAN gan_samples.png, gan_ways.png,\n"
               "inversion.png, gan_loss.svg, gan.safetensors\n",
               d.out);
    gm_context_destroy(d.ctx);
    return s ? 1 : 0;
}
