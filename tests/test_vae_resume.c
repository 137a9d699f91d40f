/* SPDX-License-Identifier: MIT */
/* test_vae_resume.c: train(2N) equals train(N) + checkpoint + load + train(N), bit for bit: weights, moments, records and checkpoint bytes, in another context
 * with another thread count and SIMD level, in the middle of an epoch, with everything on that has state. */
#include "genrep.h"
#include "tap.h"

#define ROWS 150
#define DIM 12

static float data[ROWS][DIM];

static void make_data(void)
{
    uint32_t s = 1;
    int i, j;
    for (i = 0; i < ROWS; i++)
        for (j = 0; j < DIM; j++) {
            s = s * 1664525u + 1013904223u;
            data[i][j] = (float)(s >> 8) / 16777216.0f + (float)((i * j) % 3);
        }
}

typedef struct journal {
    char text[1 << 20];
    size_t n;
    int64_t skip_until; /* records up to this step are not kept */
} journal;

/* Records as text, without what depends on time. */
static gm_action keep(void *user, const gm_record *r)
{
    journal *l = user;
    int64_t j;
    if (r->step <= l->skip_until || r->kind == GM_RECORD_SAVED || l->n > sizeof l->text - 4096) return GM_CONTINUE;
    l->n += (size_t)sprintf(l->text + l->n, "%d %d %lld %lld %lld %a %a %a %a %a %a %a %a", (int)r->kind, (int)r->event, (long long)r->step, (long long)r->epoch,
                            (long long)r->examples, r->objective, r->elbo, r->recon, r->kl, r->beta, r->lr, r->grad_norm, r->active_units);
    for (j = 0; j < r->n_kl; j++) l->n += (size_t)sprintf(l->text + l->n, " %a", (double)r->kl_per_dim[j]);
    l->n += (size_t)sprintf(l->text + l->n, "\n");
    return GM_CONTINUE;
}

typedef struct variant {
    const char *name;
    const char *encoder, *optimizer, *beta, *schedule, *objective;
    double ema, free_bits;
    int64_t accumulate, patience;
} variant;

static gm_context *context(int32_t threads, gm_simd simd)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.simd = simd;
    if (gm_context_create(&o, &c)) return NULL;
    return c;
}

static gm_dataset *dataset(gm_context *c)
{
    const int64_t dims[2] = {ROWS, DIM};
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    if (gm_tensor_wrap_const(c, GM_F32, 2, dims, NULL, data, &t)) return NULL;
    if (gm_dataset_from_tensor(t, NULL, NULL, &d)) printf("# %s\n", gm_context_error(c));
    gm_tensor_destroy(t);
    return d;
}

static void options(const variant *k, gm_vae_options *o)
{
    gm_vae_options_init(o, sizeof *o);
    o->encoder = k->encoder;
    o->decoder = "dense 16; tanh";
    o->latent_dim = 3;
    o->optimizer = k->optimizer;
    o->beta = k->beta;
    o->schedule = k->schedule;
    o->objective = k->objective;
    o->ema_half_life = k->ema;
    o->free_bits = k->free_bits;
    o->bias_init = 1;
    o->seed = 5;
}

static gm_status fit(gm_vae *v, gm_dataset *d, const variant *k, int64_t steps, journal *l)
{
    gm_fit_options f;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 32;
    f.accumulate = k->accumulate;
    f.patience = k->patience;
    f.validation_fraction = 0.2;
    f.max_steps = steps;
    f.seed = 9;
    f.progress = keep;
    f.user = l;
    return gm_vae_fit(v, d, &f);
}

static size_t checkpoint(gm_vae *v, char **bytes)
{
    gm_writer w;
    char none;
    gm_writer_init(&w, sizeof w);
    w.memory = &none;
    (void)!gm_vae_write_checkpoint(v, &w);
    *bytes = malloc((size_t)w.used);
    w.memory = *bytes;
    w.capacity = w.used;
    return gm_vae_write_checkpoint(v, &w) ? 0 : (size_t)w.used;
}

static journal whole, parts;

static void resume(const variant *k, int64_t n, gm_simd other)
{
    gm_context *a = context(1, GM_SIMD_BEST), *b = context(3, other);
    gm_dataset *da = dataset(a), *db = dataset(b);
    gm_vae_options o;
    gm_vae *x = NULL, *y = NULL, *z = NULL;
    gm_reader r;
    char *one = NULL, *half = NULL, *two = NULL;
    size_t n1, nh, n2;
    gm_status s;
    options(k, &o);
    whole.n = parts.n = 0;
    whole.skip_until = n;
    parts.skip_until = n;
    s = gm_vae_create(a, gm_dataset_spec(da), &o, &x);
    if (!s) s = fit(x, da, k, 2 * n, &whole);
    ok(s == GM_OK, "%s: %d steps (%s)", k->name, (int)(2 * n), gm_context_error(a));
    n1 = checkpoint(x, &one);
    s = gm_vae_create(b, gm_dataset_spec(db), &o, &y);
    if (!s) s = fit(y, db, k, n, &parts);
    ok(s == GM_OK, "%s: the first half (%s)", k->name, gm_context_error(b));
    nh = checkpoint(y, &half);
    gm_vae_destroy(y);
    gm_reader_init(&r, sizeof r);
    r.memory = half;
    r.bytes = nh;
    s = gm_vae_read(b, &r, &z);
    ok(s == GM_OK, "%s: the checkpoint loads (%s)", k->name, gm_context_error(b));
    if (!s) {
        char *again = NULL;
        size_t na = checkpoint(z, &again);
        ok(na == nh && !memcmp(again, half, nh), "%s: written again it has the same bytes", k->name);
        free(again);
        s = fit(z, db, k, 2 * n, &parts);
        ok(s == GM_OK, "%s: the second half (%s)", k->name, gm_context_error(b));
        n2 = checkpoint(z, &two);
        ok(n1 && n1 == n2 && !memcmp(one, two, n1), "%s: checkpoint bytes equal those of the uninterrupted run", k->name);
        whole.text[whole.n] = parts.text[parts.n] = 0;
        ok(whole.n > 0 && !strcmp(whole.text, parts.text), "%s: the records equal", k->name);
    }
    free(one);
    free(half);
    free(two);
    gm_vae_destroy(x);
    gm_vae_destroy(z);
    gm_dataset_destroy(da);
    gm_dataset_destroy(db);
    gm_context_destroy(a);
    gm_context_destroy(b);
}

int main(void)
{
    static const variant all[] = {
        {"plain", "dense 16; relu", "adam lr=0.003", "constant 1", "", "elbo", 0, 0, 1, 0},
        {"everything", "dense 16; batch_norm; relu; dropout 0.1", "adamw lr=0.003 clip_norm=5", "linear 0 1 steps=40", "cosine 0.003 0.0001 epochs=40 warmup=5", "elbo", 200, 0.05, 1, 3},
        {"best shown", "dense 16; relu", "adam lr=0.02", "constant 1", "", "elbo", 100, 0, 1, 30},
        {"accumulate", "dense 16; relu", "sgd lr=0.001 momentum=0.9", "constant 0.5", "", "elbo", 0, 0, 2, 0},
        {"iwae", "dense 16; relu", "rmsprop lr=0.001", "constant 1", "", "iwae 4", 50, 0, 1, 0},
    };
    size_t i;
    make_data();
    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        resume(&all[i], 7, GM_SIMD_SCALAR);   /* in the middle of an epoch */
        resume(&all[i], 112, GM_SIMD_BEST);   /* past validations */
    }
    return done();
}
