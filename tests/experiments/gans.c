/* SPDX-License-Identifier: MIT */
/* gans.c: see gans.h. */
#include "gans.h"
#define SAMPLES 10000
#define GRID 100

gm_status gans_write(void *gan, gm_writer *w) { return gm_gan_write(gan, w); }

/* ---- figures ---- */

/* Shares of the classes, and the mean of the largest probability, which is returned. */
static double judge(experiment *e, classifier *k, int64_t n, const uint8_t *images, double share[CLASSIFIER_CLASSES])
{
    float *p = malloc((size_t)n * CLASSIFIER_CLASSES * sizeof *p);
    double sum = 0;
    int64_t i;
    int j;
    if (!p) experiment_need(e, GM_E_NOMEM);
    classifier_probabilities(e, k, n, images, p);
    for (j = 0; j < CLASSIFIER_CLASSES; j++) share[j] = 0;
    for (i = 0; i < n; i++) {
        const float *q = p + i * CLASSIFIER_CLASSES;
        int best = 0;
        for (j = 1; j < CLASSIFIER_CLASSES; j++) best = q[j] > q[best] ? j : best;
        share[best] += 1.0 / (double)n;
        sum += (double)q[best];
    }
    free(p);
    return sum / (double)n;
}

static void save(experiment *e, gm_gan *gan, gm_tensor *samples)
{
    gm_tensor *some = NULL;
    gm_writer w;
    char path[4096];
    if (!experiment_save_path(e, "model.safetensors", path, sizeof path)) return;
    experiment_need(e, gm_gan_save(gan, path));
    experiment_save_path(e, "samples.png", path, sizeof path);
    gm_writer_init(&w, sizeof w);
    w.path = path;
    experiment_need(e, gm_tensor_slice(samples, 0, 0, GRID, &some));
    experiment_need(e, gm_viz_grid(e->ctx, some, 10, &w));
    gm_tensor_destroy(some);
}

static void print(experiment *e, gm_gan *gan, const image_set *train, const image_set *test)
{
    static const int64_t dims[4] = {SAMPLES, 1, 28, 28};
    double share[CLASSIFIER_CLASSES], real[CLASSIFIER_CLASSES], confidence, real_confidence, low = 1, high = 0;
    classifier *k = classifier_train(e, train);
    gm_tensor *x = NULL;
    int j;
    experiment_need(e, gm_tensor_create(e->ctx, GM_U8, 4, dims, &x));
    experiment_need(e, gm_gan_sample(gan, NULL, NULL, x));
    save(e, gan, x);
    confidence = judge(e, k, SAMPLES, gm_tensor_data_const(x), share);
    real_confidence = judge(e, k, test->count, gm_tensor_data_const(test->images), real);
    for (j = 0; j < CLASSIFIER_CLASSES; j++) {
        low = share[j] < low ? share[j] : low;
        high = share[j] > high ? share[j] : high;
    }
    experiment_json_number(e, "class_min", low);
    experiment_json_number(e, "class_max", high);
    experiment_json_number(e, "confidence", confidence);
    experiment_json_number(e, "real_confidence", real_confidence);
    experiment_json_numbers(e, "class_shares", CLASSIFIER_CLASSES, share);
    experiment_json_number(e, "classifier_accuracy", classifier_accuracy(e, k, test));
    gm_tensor_destroy(x);
    classifier_destroy(k);
}

/* ---- training ---- */

static int64_t steps_done;

static gm_action progress(void *user, const gm_record *r)
{
    if (r->kind == GM_RECORD_STEP) steps_done = r->step;
    return experiment_progress(user, r);
}

int experiment_gan_images(experiment *e, const gm_gan_options *given, const gm_fit_options *fit)
{
    gm_gan_options o = *given;
    gm_fit_options f = *fit;
    image_set train, test;
    gm_dataset *d = NULL;
    gm_gan *gan = NULL;
    char hex[65];
    image_set_open(e, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", &train);
    image_set_open(e, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", &test);
    experiment_need(e, gm_dataset_from_tensor(train.images, NULL, NULL, &d));
    o.seed = f.seed = e->seed;
    f.progress = progress;
    if (e->epochs >= 0) f.epochs = e->epochs;
    if (e->steps >= 0) f.max_steps = e->steps;
    experiment_need(e, gm_gan_create(e->ctx, gm_dataset_spec(d), &o, &gan));
    experiment_train_begin(e);
    experiment_need(e, gm_gan_fit(gan, d, &f));
    experiment_train_end(e, steps_done * f.batch);
    experiment_digest(e, gans_write, gan, hex);
    experiment_json_begin(e, hex);
    experiment_json_number(e, "steps", (double)steps_done);
    print(e, gan, &train, &test);
    experiment_json_end(e);
    gm_gan_destroy(gan);
    gm_dataset_destroy(d);
    image_set_close(&train);
    image_set_close(&test);
    gm_context_destroy(e->ctx);
    return 0;
}
