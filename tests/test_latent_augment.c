/* SPDX-License-Identifier: MIT */
/* test_latent_augment.c: samples near given ones, and balanced datasets. */
#include "latent_util.h"

enum { N = 40 };

static void augment(gm_context *c)
{
    static float x[N][LX], a[N][LX], b[N][LX];
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l = latent_of(c, v, NULL);
    gm_sample_options so;
    uint32_t seed = 3;
    int i, n, wrong = 0;
    gm_tensor *tx = vae_rows(c, x, N, LX), *ta = vae_rows(c, a, N, LX), *tb = vae_rows(c, b, N, LX);
    for (i = 0; i < N * LX; i++) x[i / LX][i % LX] = (float)(3 * vae_random(&seed) - 1);
    must(gm_latent_reconstruct(l, tx, NULL, ta));
    must(gm_latent_augment(l, tx, NULL, 0, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "radius 0 is reconstruct");
    gm_sample_options_init(&so, sizeof so);
    must(gm_latent_augment(l, tx, NULL, 0.5, &so, ta));
    ok(memcmp(a, b, sizeof a) != 0, "a radius is not");
    must(gm_latent_augment(l, tx, NULL, 0.5, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "the options' defaults are those of NULL");
    for (n = 1; n < N; n += 6) {
        gm_tensor *tn = vae_rows(c, x, n, LX), *to = vae_rows(c, b, n, LX);
        must(gm_latent_augment(l, tn, NULL, 0.5, NULL, to));
        wrong += memcmp(a, b, sizeof x[0] * (size_t)n) != 0;
        gm_tensor_destroy(tn);
        gm_tensor_destroy(to);
    }
    is_int(wrong, 0, "the first rows alone");
    for (n = 1; n < N; n += 6) {
        gm_tensor *tn = vae_rows(c, x[n], N - n, LX), *to = vae_rows(c, b, N - n, LX);
        so.first = n;
        must(gm_latent_augment(l, tn, NULL, 0.5, &so, to));
        wrong += memcmp(a[n], b, sizeof x[0] * (size_t)(N - n)) != 0;
        gm_tensor_destroy(tn);
        gm_tensor_destroy(to);
    }
    is_int(wrong, 0, "the last rows, from number n on");
    so.first = 0;
    so.seed = 1;
    must(gm_latent_augment(l, tx, NULL, 0.5, &so, tb));
    ok(memcmp(a, b, sizeof a) != 0, "another seed");
    refused(c, gm_latent_augment(l, tx, NULL, -1, NULL, tb), GM_E_RANGE, "latent_augment: radius is -1");
    refused(c, gm_latent_augment(l, tx, NULL, NAN, NULL, tb), GM_E_RANGE, "radius is nan");
    refused(c, gm_latent_augment(l, tx, NULL, 1, NULL, NULL), GM_E_INVALID, "out is NULL");
    is_int(gm_latent_augment(NULL, tx, NULL, 1, NULL, tb), GM_E_INVALID, "NULL for a latent");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* z = mean + radius sd e: the spread of what comes out of a model that decodes z to z. */
static void spread(gm_context *c)
{
    enum { K = 4000 };
    static float x[K][1], y[K][1];
    gm_vae *v = latent_identity(c, 1, 0.09);
    gm_latent *l = latent_of(c, v, NULL);
    gm_tensor *tx = vae_rows(c, x, K, 1), *ty = vae_rows(c, y, K, 1);
    double mean = 0, square = 0;
    int i;
    for (i = 0; i < K; i++) x[i][0] = 5;
    must(gm_latent_augment(l, tx, NULL, 2, NULL, ty));
    for (i = 0; i < K; i++) mean += ((double)y[i][0] - 5) / K;
    for (i = 0; i < K; i++) square += ((double)y[i][0] - 5 - mean) * ((double)y[i][0] - 5 - mean) / K;
    near(mean, 0, 0.04, "around x");
    near(sqrt(square), 0.6, 0.03, "with radius times the posterior's deviation");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ty);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* ---- balance ---- */

typedef struct bytes { /* 3 classes with 5, 2 and 11 rows of 3x3 pixels */
    uint8_t x[18][1][3][3];
    int32_t label[18];
} bytes;

static gm_vae *pictures(gm_context *c, const bytes *b, int conditional)
{
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    static uint8_t x[18][1][3][3];
    static int32_t label[18];
    int i;
    memcpy(x, b->x, sizeof x);
    memcpy(label, b->label, sizeof label);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, 3, 3);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 8; relu";
    o.latent_dim = 2;
    if (conditional) {
        spec.classes = 3;
        o.condition = "concat";
    }
    must(gm_vae_create(c, &spec, &o, &v));
    gm_tensor *t = vae_wrap(c, GM_U8, x, 4, 18, 1, 3, 3), *y = vae_labels(c, label, 18);
    for (i = 0; i < 20; i++) must(gm_vae_step(v, t, conditional ? y : NULL, NULL));
    gm_tensor_destroy(t);
    gm_tensor_destroy(y);
    return v;
}

static gm_action count_work(void *user, const gm_record *r)
{
    int *n = user;
    *n += r->kind == GM_RECORD_WORK;
    return GM_CONTINUE;
}

static void balance(gm_context *c, const bytes *given, int conditional, int64_t batch)
{
    enum { PER = 7 };
    static bytes b;
    static uint8_t out[3 * PER][1][3][3], near_one[PER][1][3][3], want[PER][1][3][3];
    static int32_t label[3 * PER], one[PER];
    static const int have[3] = {5, 2, 7};
    gm_vae *v = pictures(c, given, conditional);
    gm_latent_options lo;
    gm_dataset *d = NULL, *e = NULL;
    const gm_spec *spec;
    int i, j, k, calls = 0, kept = 0, made = 0;
    b = *given;
    gm_latent_options_init(&lo, sizeof lo);
    lo.batch = batch;
    lo.progress = count_work;
    lo.user = &calls;
    gm_latent *l = latent_of(c, v, &lo);
    gm_tensor *t = vae_wrap(c, GM_U8, b.x, 4, 18, 1, 3, 3), *y = vae_labels(c, b.label, 18), *to = vae_wrap(c, GM_U8, out, 4, 3 * PER, 1, 3, 3),
        *ty = vae_labels(c, label, 3 * PER);
    must(gm_dataset_from_tensor(t, y, NULL, &d));
    must(gm_latent_balance(l, d, PER, 0.5, 9, &e));
    is_int(gm_dataset_count(e), 3 * PER, "%d rows a class", PER);
    spec = gm_dataset_spec(e);
    ok(spec->dtype == GM_U8 && spec->classes == 3 && spec->rank == 3 && spec->dims[2] == 3 && spec->hi == gm_dataset_spec(d)->hi,
           "of the data's type, shape, bounds and classes");
    ok(calls > 0, "progress was told");
    must(gm_dataset_read(e, 0, to, ty));
    for (k = 0; k < 3; k++) {
        int row = 0;
        for (i = 0; i < 18 && row < PER; i++)
            if (b.label[i] == k) kept += memcmp(out[k * PER + row++], b.x[i], 9) != 0;
        is_int(row, have[k], "class %d", k);
        for (i = 0; i < PER; i++) kept += label[k * PER + i] != k;
        /* what was made is augment of the rows in turn */
        for (i = have[k]; i < PER; i++) {
            gm_sample_options so;
            gm_sample_options_init(&so, sizeof so);
            so.seed = 9;
            so.first = k * PER + i;
            memcpy(near_one[0], out[k * PER + (i - have[k]) % have[k]], 9);
            one[0] = k;
            gm_tensor *tn = vae_wrap(c, GM_U8, near_one, 4, 1, 1, 3, 3), *tw = vae_wrap(c, GM_U8, want, 4, 1, 1, 3, 3), *t1 = vae_labels(c, one, 1);
            must(gm_latent_augment(l, tn, conditional ? t1 : NULL, 0.5, &so, tw));
            for (j = 0; j < 9; j++) made += out[k * PER + i][0][j / 3][j % 3] != want[0][0][j / 3][j % 3];
            gm_tensor_destroy(tn);
            gm_tensor_destroy(tw);
            gm_tensor_destroy(t1);
        }
    }
    is_int(kept, 0, "the rows there are stay, in order, with their labels");
    is_int(made, 0, "the others are augment of these in turn, by their number");
    gm_dataset_destroy(e);
    gm_tensor_destroy(t);
    gm_tensor_destroy(y);
    gm_tensor_destroy(to);
    gm_tensor_destroy(ty);
    gm_dataset_destroy(d);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

static void refusals(gm_context *c, const bytes *given)
{
    static bytes b;
    gm_vae *v = pictures(c, given, 0);
    gm_latent *l = latent_of(c, v, NULL);
    gm_dataset *d = NULL, *plain = NULL, *e = NULL, *gap = NULL;
    gm_spec spec;
    b = *given;
    gm_tensor *t = vae_wrap(c, GM_U8, b.x, 4, 18, 1, 3, 3), *y = vae_labels(c, b.label, 18);
    must(gm_dataset_from_tensor(t, y, NULL, &d));
    must(gm_dataset_from_tensor(t, NULL, NULL, &plain));
    gm_spec_init(&spec, sizeof spec);
    spec.classes = 5;
    must(gm_dataset_from_tensor(t, y, &spec, &gap));
    refused(c, gm_latent_balance(l, plain, 3, 0.1, 0, &e), GM_E_INVALID, "latent_balance: the dataset has no labels");
    refused(c, gm_latent_balance(l, gap, 3, 0.1, 0, &e), GM_E_RANGE, "class 3 has no rows");
    refused(c, gm_latent_balance(l, d, 0, 0.1, 0, &e), GM_E_RANGE, "per_class is 0");
    refused(c, gm_latent_balance(l, d, 3, -2, 0, &e), GM_E_RANGE, "radius is -2");
    refused(c, gm_latent_balance(l, d, INT64_MAX, 0, 0, &e), GM_E_RANGE, "too many");
    refused(c, gm_latent_balance(l, NULL, 3, 0.1, 0, &e), GM_E_INVALID, "the dataset is NULL");
    refused(c, gm_latent_balance(l, d, 3, 0.1, 0, NULL), GM_E_INVALID, "out is NULL");
    ok(!e, "the result is NULL");
    gm_tensor_destroy(t);
    gm_tensor_destroy(y);
    gm_dataset_destroy(d);
    gm_dataset_destroy(plain);
    gm_dataset_destroy(gap);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

int main(void)
{
    static bytes b;
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    uint32_t seed = 31;
    size_t i;
    for (i = 0; i < sizeof b.x; i++) ((uint8_t *)b.x)[i] = (uint8_t)(256 * vae_random(&seed));
    for (i = 0; i < 18; i++) b.label[i] = i % 9 == 4 ? 1 : i % 3 == 0 && i < 15 ? 0 : 2;
    augment(c);
    spread(c);
    balance(c, &b, 0, 256);
    balance(c, &b, 1, 256);
    balance(c, &b, 1, 1);
    refusals(c, &b);
    gm_context_destroy(c);
    return done();
}
