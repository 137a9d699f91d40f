/* SPDX-License-Identifier: MIT */
/* gan_invert.c: does inversion find what G can make? On the model that gan_mnist.c saved: --model FILE, or --save DIR for DIR/model.safetensors. Trains
 * nothing.
 *
 * 100 samples of G, and 100 test images, go through gm_latent_encode with its default options and back through gm_latent_decode. All errors are squared,
 * means over the pixels of an image, in the model's units (pixels scaled to [-1, 1]):
 *   recovered_median  of the samples, which G can make exactly
 *   data_variance     of a pixel over the test images, mean over the pixels: the error of the mean image
 *   recovered_ratio   recovered_median / data_variance
 *   real_residual     median of the test images
 *   residual_error    largest |residual that encode tells - error measured here| over all of them */
#include "classifier.h"
#include <math.h>
#define COUNT 100
#define PIXELS CLASSIFIER_PIXELS
#define UNIT (2.0 / 255.0)

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(int n, double *v)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static double data_variance(const image_set *s)
{
    const uint8_t *x = gm_tensor_data_const(s->images);
    double all = 0;
    int64_t i;
    int j;
    for (j = 0; j < PIXELS; j++) {
        double sum = 0, squares = 0;
        for (i = 0; i < s->count; i++) {
            const double v = x[i * PIXELS + j];
            sum += v;
            squares += v * v;
        }
        all += squares / (double)s->count - sum / (double)s->count * (sum / (double)s->count);
    }
    return all / PIXELS * UNIT * UNIT;
}

/* Median error of 100 images x, f32 in units of the data; *worst grows to what encode's residuals are off. */
static double recover(experiment *e, gm_latent *l, gm_tensor *x, int64_t latent_dim, double *worst)
{
    const int64_t zd[2] = {COUNT, latent_dim}, xd[4] = {COUNT, 1, 28, 28};
    gm_tensor *z = NULL, *y = NULL, *residual = NULL;
    double error[COUNT];
    int i, j;
    experiment_need(e, gm_tensor_create(e->ctx, GM_F32, 2, zd, &z));
    experiment_need(e, gm_tensor_create(e->ctx, GM_F32, 4, xd, &y));
    experiment_need(e, gm_tensor_create(e->ctx, GM_F32, 1, zd, &residual));
    experiment_need(e, gm_latent_encode(l, x, NULL, z, NULL, residual, NULL));
    experiment_need(e, gm_latent_decode(l, z, NULL, NULL, y));
    for (i = 0; i < COUNT; i++) {
        const float *a = (const float *)gm_tensor_data_const(x) + i * PIXELS, *b = (const float *)gm_tensor_data_const(y) + i * PIXELS;
        const double told = (double)((const float *)gm_tensor_data_const(residual))[i];
        error[i] = 0;
        for (j = 0; j < PIXELS; j++) error[i] += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]) * UNIT * UNIT / PIXELS;
        if (fabs(error[i] - told) > *worst) *worst = fabs(error[i] - told);
    }
    gm_tensor_destroy(z);
    gm_tensor_destroy(y);
    gm_tensor_destroy(residual);
    return median(COUNT, error);
}

static gm_action progress(void *user, const gm_record *r)
{
    char line[512];
    (void)user;
    (void)!gm_record_text(r, line, sizeof line);
    fprintf(stderr, "%s\n", line);
    return GM_CONTINUE;
}

static const gm_model *load(experiment *e)
{
    const gm_model *m = NULL;
    char path[4096];
    if (!e->model && !e->save) {
        fprintf(stderr, "%s: trains nothing: give --model FILE, or --save DIR of a gan_mnist run\n", e->name);
        exit(2);
    }
    if (e->model) snprintf(path, sizeof path, "%s", e->model);
    else snprintf(path, sizeof path, "%s/model.safetensors", e->save);
    experiment_need(e, gm_model_load(e->ctx, path, GM_USE_ALL, &m));
    return m;
}

int main(int argc, char **argv)
{
    static const int64_t xd[4] = {COUNT, 1, 28, 28};
    experiment e;
    image_set test;
    const gm_model *m;
    gm_latent *l = NULL;
    gm_latent_options o;
    gm_sample_options so;
    gm_tensor *x = NULL, *some = NULL;
    gm_info info;
    double worst = 0, recovered, real, variance;
    experiment_begin(&e, "gan_invert", argc, argv);
    m = load(&e);
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    experiment_need(&e, gm_model_info(m, &info));
    image_set_open(&e, "t10k-images-idx3-ubyte", NULL, &test);
    gm_latent_options_init(&o, sizeof o);
    o.seed = e.seed;
    o.progress = progress;
    experiment_need(&e, gm_latent_create(e.ctx, m, &o, &l));
    experiment_need(&e, gm_tensor_create(e.ctx, GM_F32, 4, xd, &x));
    gm_sample_options_init(&so, sizeof so);
    so.seed = e.seed + 1000; /* not the z that inversion starts from */
    experiment_need(&e, gm_latent_sample(l, &so, NULL, NULL, x));
    experiment_train_begin(&e);
    recovered = recover(&e, l, x, info.latent_dim, &worst);
    experiment_need(&e, gm_tensor_slice(test.images, 0, 0, COUNT, &some));
    experiment_need(&e, gm_tensor_copy(x, some));
    real = recover(&e, l, x, info.latent_dim, &worst);
    experiment_train_end(&e, 2 * COUNT);
    variance = data_variance(&test);
    experiment_json_begin(&e, info.sha256);
    experiment_json_number(&e, "recovered_median", recovered);
    experiment_json_number(&e, "data_variance", variance);
    experiment_json_number(&e, "recovered_ratio", recovered / variance);
    experiment_json_number(&e, "real_residual", real);
    experiment_json_number(&e, "residual_error", worst);
    experiment_json_end(&e);
    gm_tensor_destroy(x);
    gm_tensor_destroy(some);
    gm_latent_destroy(l);
    gm_model_destroy(m);
    image_set_close(&test);
    gm_context_destroy(e.ctx);
    return 0;
}
