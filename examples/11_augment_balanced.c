/* SPDX-License-Identifier: MIT */
/* 11_augment_balanced.c: more samples of rare classes.
 *
 * Two kinds of digits are rare: 6 examples each instead of about 140. gm_latent_balance fills every class up with samples near those that are there: decode(encode(x)
 * + radius e), e as wide as the posterior. The VAE is conditional, so that such a sample stays of its class and takes from the common classes how digits vary.
 * What that is worth is told by the nearest neighbour of held-out digits, to which repeating the rare examples would be worth nothing. (A linear classifier gains at least as
 * much from mere repetition: try it before trusting invented data.) Next: 12, anomalies in a running service. */
#include <genrep.h>
#include <stdio.h>
#include <string.h>

#define CLASSES 10
#define RARE 6          /* examples of each rare class */
#define PER_CLASS 100   /* after balancing */
#define MAX_ROWS 1438
#define PIXELS 64

static const int rare[CLASSES] = {0, 0, 0, 1, 0, 0, 0, 0, 1, 0}; /* 3 and 8, which are easily confused */

typedef struct rows {
    unsigned char x[MAX_ROWS * PIXELS];
    int32_t label[MAX_ROWS];
    int64_t n;
} rows;

static gm_status wrap(gm_context *ctx, rows *r, gm_tensor **x, gm_tensor **label)
{
    int64_t dims[4] = {0, 1, 8, 8};
    gm_status s;
    dims[0] = r->n;
    s = gm_tensor_wrap(ctx, GM_U8, 4, dims, NULL, r->x, x);
    return s ? s : gm_tensor_wrap(ctx, GM_I32, 1, dims, NULL, r->label, label);
}

static gm_status read(gm_context *ctx, gm_dataset *d, rows *r)
{
    gm_tensor *x = NULL, *label = NULL;
    gm_status s;
    r->n = gm_dataset_count(d);
    s = r->n > MAX_ROWS ? GM_E_LIMIT : wrap(ctx, r, &x, &label);
    if (!s) s = gm_dataset_read(d, 0, x, label);
    gm_tensor_destroy(x);
    gm_tensor_destroy(label);
    return s;
}

/* Keeps PER_CLASS rows of each class, RARE of the rare ones, and makes a dataset of them. */
static gm_status thin_out(gm_context *ctx, rows *r, gm_dataset **out)
{
    int64_t kept = 0;
    int have[CLASSES] = {0};
    gm_tensor *x = NULL, *label = NULL;
    gm_status s;
    for (int64_t i = 0; i < r->n; i++) {
        const int k = r->label[i];
        if (have[k]++ >= (rare[k] ? RARE : PER_CLASS)) continue;
        memmove(r->x + kept * PIXELS, r->x + i * PIXELS, PIXELS);
        r->label[kept++] = k;
    }
    r->n = kept;
    s = wrap(ctx, r, &x, &label);
    if (!s) s = gm_dataset_from_tensor(x, label, NULL, out); /* r lives as long as the dataset */
    gm_tensor_destroy(x);
    gm_tensor_destroy(label);
    return s;
}

/* Gives each test digit the label of the nearest training digit, pixel by pixel, and prints how many are right. */
static void classify(const char *what, const rows *train, const rows *test)
{
    int right[2] = {0, 0}, all[2] = {0, 0}; /* common, rare */
    for (int64_t i = 0; i < test->n; i++) {
        const int is_rare = rare[test->label[i]];
        int least = 1 << 30, best = 0;
        for (int64_t j = 0; j < train->n; j++) {
            int d = 0;
            for (int k = 0; k < PIXELS; k++) {
                const int e = test->x[i * PIXELS + k] - train->x[j * PIXELS + k];
                d += e * e;
            }
            if (d < least) least = d, best = train->label[j];
        }
        all[is_rare]++;
        right[is_rare] += best == test->label[i];
    }
    printf("%s: %ld rows, right: %d of %d common digits, %d of %d rare ones\n", what, (long)train->n, right[0], all[0], right[1], all[1]);
}

int main(void)
{
    static rows train, test, filled;
    gm_context *ctx = NULL;
    gm_dataset *all = NULL, *a = NULL, *b = NULL, *few = NULL, *even = NULL;
    gm_vae *vae = NULL;
    const gm_model *model = NULL;
    gm_latent *latent = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_status s = gm_context_create(NULL, &ctx);
    if (!s) s = gm_dataset_open_idx(ctx, "data/digits/images-idx3-ubyte", "data/digits/labels-idx1-ubyte", &all);
    if (!s) s = gm_dataset_split(all, 0.8, 1, &a, &b);
    if (!s) s = read(ctx, a, &train);
    if (!s) s = read(ctx, b, &test);
    if (!s) s = thin_out(ctx, &train, &few);

    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 128; relu";
    o.latent_dim = 8;
    o.condition = "concat";
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    o.variance = "fixed 0.05";
    gm_fit_options_init(&fit, sizeof fit);
    fit.epochs = 300;
    fit.patience = 0;
    fit.validation_fraction = 0; /* of so few, none is set aside */
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(few), &o, &vae);
    if (!s) s = gm_vae_fit(vae, few, &fit);
    if (!s) s = gm_vae_snapshot(vae, &model);
    if (!s) s = gm_latent_create(ctx, model, NULL, &latent);
    if (!s) s = gm_latent_balance(latent, few, PER_CLASS, 2, 5, &even); /* those there are, then samples near them */
    if (!s) s = read(ctx, even, &filled);
    if (!s) classify("as it is", &train, &test);
    if (!s) classify("balanced", &filled, &test);
    if (s) printf("%s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));

    gm_latent_destroy(latent), gm_model_destroy(model), gm_vae_destroy(vae);
    gm_dataset_destroy(even), gm_dataset_destroy(few), gm_dataset_destroy(b), gm_dataset_destroy(a), gm_dataset_destroy(all);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
