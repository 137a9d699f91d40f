/* SPDX-License-Identifier: MIT */
/* 14_table.c: a table with columns of different kinds and missing cells; what is missing is filled in.
 *
 * gm_spec.columns says what each column is, and the likelihood follows: a Gaussian for a real number, a discretised logistic for an integer, probabilities for a category.
 * A cell that is NaN enters neither the encoder nor the loss; decoding gives every cell. Files say the same in an option: gm_dataset_open(ctx, "staff.csv",
 * "columns=\"age real; sex m|f; pay real missing\"", &data). Here the table is made up, so that the truth is known. Next: 15, a device without files and heap. */
#include <genrep.h>
#include <math.h>
#include <stdio.h>

#define ROWS 2000
#define COLUMNS 4

static float table[ROWS * COLUMNS], truth[ROWS]; /* with holes; pay of all */

static float uniform(unsigned *state) { return (float)((*state = *state * 1664525u + 1013904223u) >> 8) / 16777216.0f; }

/* Pay rises with age and with the number of courses taken, and differs between the two sites; a third of it is unknown. */
static void make_table(void)
{
    unsigned state = 7;
    for (int i = 0; i < ROWS; i++) {
        float *row = table + i * COLUMNS, noise = -2;
        for (int j = 0; j < 4; j++) noise += uniform(&state);
        row[0] = 20 + 40 * uniform(&state);                      /* age */
        row[1] = (float)(int)(6 * uniform(&state));              /* courses, 0 to 5 */
        row[2] = uniform(&state) < 0.4f;                         /* site: the index of its word */
        truth[i] = 1000 + 40 * row[0] + 200 * row[1] + 900 * row[2] + 150 * noise;
        row[3] = uniform(&state) < 0.33f ? NAN : truth[i];
    }
}

/* Mean absolute errors of the pay that was missing: of the model's values, and of the mean of what is known. */
static void compare(const float *filled)
{
    double mean = 0, error[2] = {0, 0};
    int known = 0, missing = 0;
    for (int i = 0; i < ROWS; i++)
        if (!isnan(table[i * COLUMNS + 3])) mean += table[i * COLUMNS + 3], known++;
    mean /= known;
    for (int i = 0; i < ROWS; i++) {
        if (!isnan(table[i * COLUMNS + 3])) continue;
        missing++;
        error[0] += fabs(filled[i * COLUMNS + 3] - truth[i]);
        error[1] += fabs(mean - truth[i]);
    }
    printf("pay is missing in %d of %d rows; off by %.0f when filled in by the model, by %.0f with the mean\n", missing, ROWS, error[0] / missing, error[1] / missing);
}

int main(void)
{
    const int64_t dims[2] = {ROWS, COLUMNS}, few[2] = {3, COLUMNS};
    gm_context *ctx = NULL;
    gm_tensor *x = NULL, *filled = NULL, *new_rows = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL;
    gm_spec spec;
    gm_vae_options o;
    gm_fit_options fit;
    gm_sample_options so;
    gm_status s = gm_context_create(NULL, &ctx);

    make_table();
    gm_spec_init(&spec, sizeof spec);
    spec.columns = "age real; courses integer 0 5; site north|south; pay real missing";
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, table, &x);
    if (!s) s = gm_dataset_from_tensor(x, NULL, &spec, &data);

    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 64; relu; dense 64; relu";
    o.latent_dim = 4;
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 150;
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae);
    if (!s) s = gm_vae_fit(vae, data, &fit);

    if (!s) s = gm_tensor_create(ctx, GM_F32, 2, dims, &filled);
    if (!s) s = gm_vae_reconstruct(vae, x, NULL, filled); /* the mean of p(x|z) at the code of what is known */
    if (!s) compare(gm_tensor_data_const(filled));

    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    if (!s) s = gm_tensor_create(ctx, GM_F32, 2, few, &new_rows);
    if (!s) s = gm_vae_sample(vae, &so, NULL, new_rows);
    for (int i = 0; !s && i < few[0]; i++) {
        const float *row = (const float *)gm_tensor_data_const(new_rows) + i * COLUMNS;
        printf("made up: age %.0f, %.0f courses, %s, pay %.0f\n", row[0], row[1], row[2] > 0.5f ? "south" : "north", row[3]);
    }
    if (s) printf("%s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));

    gm_vae_destroy(vae);
    gm_dataset_destroy(data);
    gm_tensor_destroy(x), gm_tensor_destroy(filled), gm_tensor_destroy(new_rows);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
