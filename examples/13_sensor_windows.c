/* SPDX-License-Identifier: MIT */
/* 13_sensor_windows.c: a fault in a time series, found by a model of windows that has only seen a machine in order.
 *
 * Two sensors are recorded together. gm_dataset_from_series makes overlapping windows [2, 32] of a recording without copying it. A VAE learns them; a second recording
 * without a fault sets the threshold: at most 1% of good windows may lie above it. Windows of it do not overlap, since calibration counts on scores that are
 * independent. Then a third recording is watched, in which the sensors lose step for a while. Next: 14, tables. */
#include <genrep.h>
#include <stdio.h>

#define WINDOW 32
#define LENGTH 6400
#define FAULT 3200 /* from here on, */
#define FAULT_LENGTH 96
#define HOP 16

static float series[3][2 * LENGTH]; /* training, calibration, the one that is watched: [t, 2], row-major */

static float triangle(int t, int period) /* -1 to 1 */
{
    const int phase = t % period;
    return (float)(phase < period / 2 ? 4 * phase - period : 3 * period - 4 * phase) / (float)period;
}

static float noise(unsigned *state) /* deviation 0.06 */
{
    float sum = -2;
    for (int j = 0; j < 4; j++) sum += (float)((*state = *state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
    return 0.1f * sum;
}

/* The first sensor swings with period 25 and the second with it, 6 times behind; both wander a little. In a fault the second is 12 behind: each looks normal alone. */
static void record(float *to, unsigned seed, int fault)
{
    float wander = 0;
    for (int t = 0; t < LENGTH; t++) {
        const int late = fault && t >= FAULT && t < FAULT + FAULT_LENGTH ? 12 : 6;
        wander = 0.98f * wander + 0.1f * noise(&seed);
        to[2 * t] = 20 + 5 * (triangle(t, 25) + wander + noise(&seed));
        to[2 * t + 1] = 300 + 40 * (triangle(t + 25 - late, 25) + wander + noise(&seed));
    }
}

static gm_status windows(gm_context *ctx, float *values, int64_t hop, gm_dataset **out)
{
    const int64_t dims[2] = {LENGTH, 2};
    gm_tensor *t = NULL;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, values, &t);
    if (!s) s = gm_dataset_from_series(t, WINDOW, hop, out);
    gm_tensor_destroy(t);
    return s;
}

/* Scores all windows of the third recording and says which raise an alarm. */
static gm_status watch(gm_context *ctx, const gm_model *model, gm_dataset *d)
{
    const int64_t n = gm_dataset_count(d);
    int64_t dims[3] = {0, 2, WINDOW}, first = -1, last = -1;
    int inside = 0, found = 0, wrong = 0;
    gm_latent *latent = NULL;
    gm_tensor *x = NULL, *score = NULL, *alarm = NULL;
    gm_status s = gm_latent_create(ctx, model, NULL, &latent);
    dims[0] = n;
    if (!s) s = gm_tensor_create(ctx, GM_F32, 3, dims, &x);
    if (!s) s = gm_tensor_create(ctx, GM_F32, 1, dims, &score);
    if (!s) s = gm_tensor_create(ctx, GM_U8, 1, dims, &alarm);
    if (!s) s = gm_dataset_read(d, 0, x, NULL);
    if (!s) s = gm_latent_score(latent, GM_SCORE_ELBO, x, NULL, score, alarm);
    for (int64_t i = 0; !s && i < n; i++) {
        const int64_t from = i * HOP, to = from + WINDOW;
        const int touches = to > FAULT && from < FAULT + FAULT_LENGTH;
        const int whole = from >= FAULT && to <= FAULT + FAULT_LENGTH;
        const int rings = ((const unsigned char *)gm_tensor_data_const(alarm))[i];
        inside += whole;
        found += whole && rings;
        wrong += !touches && rings;
        if (rings && touches && first < 0) first = from;
        if (rings && touches) last = to;
    }
    if (!s) {
        printf("%ld windows; of %d that lie in the fault %d raise an alarm, of the good ones %d\n", (long)n, inside, found, wrong);
        printf("the fault lasts from %d to %d; alarms cover %ld to %ld\n", FAULT, FAULT + FAULT_LENGTH, (long)first, (long)last);
    }
    gm_tensor_destroy(x), gm_tensor_destroy(score), gm_tensor_destroy(alarm);
    gm_latent_destroy(latent);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *train = NULL, *good = NULL, *watched = NULL;
    gm_vae *vae = NULL;
    const gm_model *raw = NULL, *model = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_calibrate_options co;
    gm_status s = gm_context_create(NULL, &ctx);
    for (unsigned k = 0; k < 3; k++) record(series[k], k * 7919 + 11, k == 2);
    if (!s) s = windows(ctx, series[0], 4, &train);
    if (!s) s = windows(ctx, series[1], WINDOW, &good);
    if (!s) s = windows(ctx, series[2], HOP, &watched);

    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "flatten; dense 96; relu";
    o.latent_dim = 3;
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 100;
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(train), &o, &vae);
    if (!s) s = gm_vae_fit(vae, train, &fit);
    if (!s) s = gm_vae_snapshot(vae, &raw);
    gm_calibrate_options_init(&co, sizeof co);
    co.false_positive_rate = 0.01; /* 99 good windows are the least that can tell this */
    if (!s) s = gm_model_calibrate(ctx, raw, good, &co, &model);
    if (!s) s = watch(ctx, model, watched);
    if (s) printf("%s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));

    gm_model_destroy(model), gm_model_destroy(raw), gm_vae_destroy(vae);
    gm_dataset_destroy(train), gm_dataset_destroy(good), gm_dataset_destroy(watched);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
