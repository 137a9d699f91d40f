/* SPDX-License-Identifier: MIT */
/* anomaly_fashion.c: anomalies of Fashion-MNIST found by a VAE that has not seen them, and a threshold that keeps its promise.
 *
 * For each class in turn, a VAE 784-400-20-400-784 learns the other nine (54,000 images, 5 epochs), and its score orders the 10,000 test images:
 *   auc      [10] area under the ROC curve: the probability that an image of the class left out scores above one of another class
 *   auc_pca  [10] the same with the squared error of reconstruction by the 20 principal components of the same training images
 *   auc_mean, auc_pca_mean
 * Of the last of these models:
 *   fpr      [5]  share of unseen images of the nine classes above the threshold of gm_model_calibrate: the 9,000 test images are cut into 4,500 to
 *                 calibrate with and 4,500 to count on, five times
 *   alpha         what the threshold was calibrated for
 *   fpr_interval  [2] the central 99% of the law of that share: at most 0.5% lie below it and at most 0.5% above. Of n calibration scores the threshold
 *                 is the k-th smallest, k = ceil((n + 1)(1 - alpha)); a new score exceeds it with a probability U ~ Beta(n + 1 - k, k), and of m new
 *                 ones a beta-binomial number does, whatever the scores are (Vovk 2012; Angelopoulos and Bates 2023, section 3.2) */
#include "classifier.h"
#include <math.h>
#define PIXELS CLASSIFIER_PIXELS
#define CLASSES CLASSIFIER_CLASSES
#define LATENT 20
#define SPLITS 5
#define ALPHA 0.05
#define SCORE GM_SCORE_RECONSTRUCTION
#define ROUNDS 60 /* of subspace iteration */

/* ---- figures ---- */

typedef struct scored {
    double score;
    int anomaly;
} scored;

static int by_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return x < y ? -1 : x > y;
}

/* Area under the ROC curve by ranks (Mann and Whitney); equal scores share their ranks. */
static double auc(int64_t n, scored *v)
{
    double ranks = 0, a = 0, b;
    int64_t i, j;
    qsort(v, (size_t)n, sizeof *v, by_score);
    for (i = 0; i < n; i = j) {
        for (j = i; j < n && v[j].score == v[i].score; j++)
            if (v[j].anomaly) a++;
        for (b = 0.5 * (double)(i + j + 1); i < j; i++)
            if (v[i].anomaly) ranks += b;
    }
    return (ranks - a * (a + 1) / 2) / (a * ((double)n - a));
}

/* log of the beta-binomial probability of x of m, with a and b. */
static double beta_binomial(double x, double m, double a, double b)
{
    return lgamma(m + 1) - lgamma(x + 1) - lgamma(m - x + 1) + lgamma(x + a) + lgamma(m - x + b) - lgamma(m + a + b) + lgamma(a + b) - lgamma(a) - lgamma(b);
}

static void fpr_interval(int64_t n, int64_t m, double alpha, double to[2])
{
    const double k = ceil((double)(n + 1) * (1 - alpha) - 1e-9), a = (double)(n + 1) - k;
    double sum = 0;
    int64_t x;
    to[0] = to[1] = -1;
    for (x = 0; x <= m; x++) {
        sum += exp(beta_binomial((double)x, (double)m, a, k));
        if (to[0] < 0 && sum > 0.005) to[0] = (double)x / (double)m;
        if (to[1] < 0 && sum >= 0.995) to[1] = (double)x / (double)m;
    }
}

/* ---- principal components ---- */

/* Sums of x x^T [785, 785] over the images of a class; x has 784 pixels in [0, 1] and a 1. */
#define ROWS 785
typedef double gram[ROWS * ROWS];

static void grams(experiment *e, const image_set *train, gram *g)
{
    static const int64_t xd[2] = {500, ROWS}, gd[2] = {ROWS, ROWS};
    static float x[500 * ROWS], out[ROWS * ROWS];
    const uint8_t *image = gm_tensor_data_const(train->images);
    const int32_t *label = gm_tensor_data_const(train->labels);
    gm_graph *graph = NULL;
    const gm_program *p = NULL;
    gm_run *run = NULL;
    gm_tensor *in = NULL, *y = NULL;
    gm_node a;
    int64_t i, j;
    int k, n;
    experiment_need(e, gm_graph_create(e->ctx, &graph));
    a = gm_graph_input(graph, "x", GM_F32, 2, xd);
    a = gm_op_matmul(graph, a, a, 1, 0);
    experiment_need(e, gm_program_compile(graph, 1, &a, &p));
    experiment_need(e, gm_run_create(e->ctx, p, NULL, &run));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 2, xd, NULL, x, &in));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 2, gd, NULL, out, &y));
    for (k = 0; k < CLASSES; k++)
        for (i = 0; i < train->count;) {
            memset(x, 0, sizeof x);
            for (n = 0; n < 500 && i < train->count; i++) {
                if (label[i] != k) continue;
                for (j = 0; j < PIXELS; j++) x[n * ROWS + j] = (float)image[i * PIXELS + j] / 255.0f;
                x[n++ * ROWS + PIXELS] = 1;
            }
            experiment_need(e, gm_run_exec(run, 0, 1, &in, 1, &y));
            for (j = 0; j < ROWS * ROWS; j++) g[k][j] += (double)out[j];
        }
    gm_tensor_destroy(in);
    gm_tensor_destroy(y);
    gm_run_destroy(run);
    gm_program_destroy(p);
    gm_graph_destroy(graph);
}

typedef struct pca {
    double mean[PIXELS], axis[LATENT][PIXELS];
} pca;

/* Makes the rows orthonormal, one after the other (modified Gram-Schmidt). */
static void orthonormal(double v[LATENT][PIXELS])
{
    int a, b, j;
    for (a = 0; a < LATENT; a++) {
        double s;
        for (b = 0; b <= a; b++) {
            for (s = 0, j = 0; j < PIXELS; j++) s += v[a][j] * v[b][j];
            if (b < a)
                for (j = 0; j < PIXELS; j++) v[a][j] -= s * v[b][j];
        }
        for (j = 0; j < PIXELS; j++) v[a][j] /= sqrt(s);
    }
}

/* The LATENT leading axes of the covariance of all classes but one, by subspace iteration (Golub and Van Loan, 8.2.4). */
static void components(gram *g, int without, pca *p)
{
    static double cov[PIXELS][PIXELS], next[LATENT][PIXELS];
    double n = 0;
    uint32_t state = 1;
    int i, j, k, a;
    memset(cov, 0, sizeof cov);
    memset(p, 0, sizeof *p);
    for (k = 0; k < CLASSES; k++) {
        if (k == without) continue;
        n += g[k][PIXELS * ROWS + PIXELS];
        for (i = 0; i < PIXELS; i++) p->mean[i] += g[k][PIXELS * ROWS + i];
        for (i = 0; i < PIXELS; i++)
            for (j = 0; j < PIXELS; j++) cov[i][j] += g[k][i * ROWS + j];
    }
    for (i = 0; i < PIXELS; i++) p->mean[i] /= n;
    for (i = 0; i < PIXELS; i++)
        for (j = 0; j < PIXELS; j++) cov[i][j] = cov[i][j] / n - p->mean[i] * p->mean[j];
    for (a = 0; a < LATENT; a++)
        for (j = 0; j < PIXELS; j++) {
            state = state * 1664525u + 1013904223u;
            p->axis[a][j] = (double)(state >> 8) / 8388608.0 - 1;
        }
    for (k = 0; k < ROUNDS; k++) {
        orthonormal(p->axis);
        memset(next, 0, sizeof next);
        for (a = 0; a < LATENT; a++)
            for (i = 0; i < PIXELS; i++)
                for (j = 0; j < PIXELS; j++) next[a][j] += p->axis[a][i] * cov[i][j];
        memcpy(p->axis, next, sizeof next);
    }
    orthonormal(p->axis);
}

/* |x - mean|^2 minus the squares of its coordinates. */
static double pca_error(const pca *p, const uint8_t *image)
{
    double x[PIXELS], all = 0, s;
    int a, j;
    for (j = 0; j < PIXELS; j++) {
        x[j] = image[j] / 255.0 - p->mean[j];
        all += x[j] * x[j];
    }
    for (a = 0; a < LATENT; a++) {
        for (s = 0, j = 0; j < PIXELS; j++) s += p->axis[a][j] * x[j];
        all -= s * s;
    }
    return all;
}

/* ---- the VAE ---- */

/* The images without a class, as a tensor of their own. */
static gm_tensor *others(experiment *e, const image_set *s, int without)
{
    const int32_t *label = gm_tensor_data_const(s->labels);
    const uint8_t *from = gm_tensor_data_const(s->images);
    int64_t dims[4] = {0, 1, 28, 28}, i;
    gm_tensor *x = NULL;
    uint8_t *to;
    for (i = 0; i < s->count; i++) dims[0] += label[i] != without;
    experiment_need(e, gm_tensor_create(e->ctx, GM_U8, 4, dims, &x));
    to = gm_tensor_data(x);
    for (i = 0; i < s->count; i++) {
        if (label[i] == without) continue;
        memcpy(to, from + i * PIXELS, PIXELS);
        to += PIXELS;
    }
    return x;
}

static const gm_model *train(experiment *e, const image_set *set, int without, char hex[65])
{
    gm_tensor *x = others(e, set, without);
    gm_dataset *d = NULL;
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL;
    const gm_model *m = NULL;
    experiment_need(e, gm_dataset_from_tensor(x, NULL, NULL, &d));
    gm_vae_options_init(&o, sizeof o);
    o.latent_dim = LATENT;
    o.seed = e->seed;
    gm_fit_options_init(&f, sizeof f);
    f.epochs = e->epochs >= 0 ? e->epochs : 5;
    f.validation_fraction = 0;
    f.patience = 0;
    f.seed = e->seed;
    f.max_steps = e->steps;
    f.progress = experiment_progress;
    experiment_need(e, gm_vae_create(e->ctx, gm_dataset_spec(d), &o, &v));
    experiment_train_begin(e);
    experiment_need(e, gm_vae_fit(v, d, &f));
    experiment_train_end(e, f.epochs * gm_dataset_count(d));
    experiment_need(e, gm_vae_snapshot(v, &m));
    experiment_digest(e, experiment_write_vae, v, hex);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_tensor_destroy(x);
    return m;
}

/* Scores of u8 images [n, 1, 28, 28], f32 [n]; flags, u8 [n], when asked for. */
static void scores(experiment *e, const gm_model *m, const gm_tensor *x, float *score, uint8_t *flag)
{
    const int64_t n = gm_tensor_dim(x, 0);
    gm_latent *l = NULL;
    gm_latent_options o;
    gm_tensor *ts = NULL, *tf = NULL;
    gm_latent_options_init(&o, sizeof o);
    o.seed = e->seed;
    experiment_need(e, gm_latent_create(e->ctx, m, &o, &l));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 1, &n, NULL, score, &ts));
    if (flag) experiment_need(e, gm_tensor_wrap(e->ctx, GM_U8, 1, &n, NULL, flag, &tf));
    experiment_need(e, gm_latent_score(l, SCORE, x, NULL, ts, tf));
    gm_tensor_destroy(ts);
    gm_tensor_destroy(tf);
    gm_latent_destroy(l);
}

static void compare(experiment *e, const gm_model *m, const pca *p, const image_set *test, int without, double *a, double *a_pca)
{
    const int32_t *label = gm_tensor_data_const(test->labels);
    const uint8_t *image = gm_tensor_data_const(test->images);
    float *score = malloc((size_t)test->count * sizeof *score);
    scored *v = malloc((size_t)test->count * sizeof *v);
    int64_t i;
    if (!score || !v) experiment_need(e, GM_E_NOMEM);
    scores(e, m, test->images, score, NULL);
    for (i = 0; i < test->count; i++) {
        v[i].score = (double)score[i];
        v[i].anomaly = label[i] == without;
    }
    *a = auc(test->count, v);
    for (i = 0; i < test->count; i++) {
        v[i].score = pca_error(p, image + i * PIXELS);
        v[i].anomaly = label[i] == without;
    }
    *a_pca = auc(test->count, v);
    fprintf(stderr, "without class %d: auc %.4f, of PCA %.4f\n", without, *a, *a_pca);
    free(score);
    free(v);
}

/* Calibrates on half of the normal test images, counts on the other half. */
static double false_positives(experiment *e, const gm_model *m, gm_dataset *normal, uint64_t seed, int64_t *n_calibrate, int64_t *n_count)
{
    gm_dataset *calibrate = NULL, *rest = NULL;
    gm_calibrate_options o;
    const gm_model *with = NULL;
    gm_tensor *x = NULL;
    int64_t dims[4] = {0, 1, 28, 28}, i, above = 0;
    float *score;
    uint8_t *flag;
    experiment_need(e, gm_dataset_split(normal, 0.5, seed, &calibrate, &rest));
    gm_calibrate_options_init(&o, sizeof o);
    o.score = SCORE;
    o.false_positive_rate = ALPHA;
    o.seed = e->seed;
    experiment_need(e, gm_model_calibrate(e->ctx, m, calibrate, &o, &with));
    dims[0] = gm_dataset_count(rest);
    experiment_need(e, gm_tensor_create(e->ctx, GM_U8, 4, dims, &x));
    experiment_need(e, gm_dataset_read(rest, 0, x, NULL));
    score = malloc((size_t)dims[0] * sizeof *score);
    flag = malloc((size_t)dims[0]);
    if (!score || !flag) experiment_need(e, GM_E_NOMEM);
    scores(e, with, x, score, flag);
    for (i = 0; i < dims[0]; i++) above += flag[i];
    *n_calibrate = gm_dataset_count(calibrate);
    *n_count = dims[0];
    free(score);
    free(flag);
    gm_tensor_destroy(x);
    gm_model_destroy(with);
    gm_dataset_destroy(calibrate);
    gm_dataset_destroy(rest);
    return (double)above / (double)dims[0];
}

static void thresholds(experiment *e, const gm_model *m, const image_set *test, int without)
{
    gm_tensor *x = others(e, test, without);
    gm_dataset *normal = NULL;
    double fpr[SPLITS], interval[2];
    int64_t n = 0, count = 0;
    int i;
    experiment_need(e, gm_dataset_from_tensor(x, NULL, NULL, &normal));
    for (i = 0; i < SPLITS; i++) fpr[i] = false_positives(e, m, normal, (uint64_t)i + 1, &n, &count);
    fpr_interval(n, count, ALPHA, interval);
    experiment_json_numbers(e, "fpr", SPLITS, fpr);
    experiment_json_numbers(e, "fpr_interval", 2, interval);
    experiment_json_number(e, "alpha", ALPHA);
    gm_dataset_destroy(normal);
    gm_tensor_destroy(x);
}

static double mean(const double *v)
{
    double s = 0;
    int k;
    for (k = 0; k < CLASSES; k++) s += v[k] / CLASSES;
    return s;
}

int main(int argc, char **argv)
{
    static pca p;
    experiment e;
    image_set set, test;
    gram *g = calloc(CLASSES, sizeof *g);
    const gm_model *m = NULL;
    double a[CLASSES], a_pca[CLASSES];
    char hex[65];
    int k;
    experiment_begin(&e, "anomaly_fashion", argc, argv);
    if (!g) experiment_need(&e, GM_E_NOMEM);
    image_set_open(&e, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", &set);
    image_set_open(&e, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", &test);
    grams(&e, &set, g);
    for (k = 0; k < CLASSES; k++) {
        gm_model_destroy(m);
        m = train(&e, &set, k, hex);
        components(g, k, &p);
        compare(&e, m, &p, &test, k, &a[k], &a_pca[k]);
    }
    experiment_json_begin(&e, hex);
    experiment_json_numbers(&e, "auc", CLASSES, a);
    experiment_json_numbers(&e, "auc_pca", CLASSES, a_pca);
    experiment_json_number(&e, "auc_mean", mean(a));
    experiment_json_number(&e, "auc_pca_mean", mean(a_pca));
    thresholds(&e, m, &test, CLASSES - 1);
    experiment_json_end(&e);
    gm_model_destroy(m);
    free(g);
    image_set_close(&set);
    image_set_close(&test);
    gm_context_destroy(e.ctx);
    return 0;
}
