/* SPDX-License-Identifier: MIT */
/* test_gan_fit.c: training on datasets: what a callback sees and may do, cancelling anywhere, epoch means, validation, micro-batches, bad data, and memory:
 * nothing allocated from step to step, need told beforehand, limits. */
#include "gan_util.h"
#include "models/gan.h"
#include "train/optim.h"

enum { N = 70, K = 4, L = 3 };
static float rows[N][K];
static int32_t labels[N];

static struct { size_t calls; } mem;
static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    void *q;
    (void)user, (void)align;
    if (!new_size) return free(p), NULL;
    mem.calls++;
    if (posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    return q;
}

static gm_context *context(int32_t threads, uint64_t limit)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.alloc = counted;
    o.memory_limit = limit;
    return gm_context_create(&o, &c) ? NULL : c;
}

static gm_dataset *dataset(gm_context *c, int n)
{
    gm_tensor *t = vae_rows(c, rows, n, K), *l = vae_labels(c, labels, n);
    gm_dataset *d = NULL;
    gan_must(c, gm_dataset_from_tensor(t, l, NULL, &d));
    gm_tensor_destroy(t);
    gm_tensor_destroy(l);
    return d;
}

static gm_gan *small(gm_context *c, gm_dataset *d, const char *loss, const char *generator, double ema, int d_steps, const char *condition)
{
    gm_gan_options o;
    gan_options(&o, loss);
    o.generator = generator;
    o.ema_half_life = ema;
    o.d_steps = d_steps;
    o.condition = condition;
    return gan_make(c, gm_dataset_spec(d), &o);
}
#define PLAIN "dense 8; tanh"
#define NORM "dense 8; batch_norm; relu"

/* ---- what the callback sees ---- */

typedef struct witness {
    gm_gan *g;
    gm_context *c;
    gm_dataset *d;
    int kinds[6], wrong, at, calls;
    gm_action action;
    gm_record last[6];
    double sum[5], weight[5]; /* d_loss, g_loss, d_real, d_fake, penalty, times examples, over an epoch */
    gm_status allowed, refused;
    size_t last_calls, in_steps;
    int steps;
} witness;

static gm_action watch(void *user, const gm_record *r)
{
    witness *w = user;
    w->kinds[r->kind]++;
    if (strcmp(r->call, "gan_fit")) w->wrong++;
    w->last[r->kind] = *r;
    if (r->kind == GM_RECORD_STEP) {
        const double v[5] = {r->d_loss, r->g_loss, r->d_real, r->d_fake, r->penalty}, n = r->step % 3 ? 32 : N - 64;
        for (int i = 0; i < 5; i++)
            if (!isnan(v[i])) w->sum[i] += n * v[i], w->weight[i] += n;
        if (!isnan(r->elbo) || !isnan(r->objective) || !isnan(r->kl) || r->n_kl || isnan(r->lr)) w->wrong++;
    }
    if (r->kind == GM_RECORD_EPOCH) {
        const double v[5] = {r->d_loss, r->g_loss, r->d_real, r->d_fake, r->penalty};
        for (int i = 0; i < 5; i++)
            if (!(fabs(v[i] - w->sum[i] / w->weight[i]) < 1e-12 || (isnan(v[i]) && w->weight[i] == 0))) w->wrong++, printf("# epoch mean %d: %g, %g\n", i,
                v[i], w->sum[i] / w->weight[i]);
        memset(w->sum, 0, sizeof w->sum);
        memset(w->weight, 0, sizeof w->weight);
    }
    return ++w->calls == w->at ? w->action : GM_CONTINUE;
}

static void init_fit(gm_fit_options *f, witness *w)
{
    memset(w, 0, sizeof *w);
    gm_fit_options_init(f, sizeof *f);
    f->batch = 32;
    f->progress = watch;
    f->user = w;
}

static void records(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_dataset *v = dataset(c, 40);
    gm_record r;
    gm_gan *g = small(c, d, "relativistic r1=1 r2=1 every=4", NORM, 100, 2, "");
    init_fit(&f, &w);
    f.epochs = 6; /* 3 steps each, 32 + 32 + 6 rows; step 3 has no penalty and no G, some epochs see neither */
    f.patience = 1;
    ok(gm_gan_fit(g, d, &f) == GM_OK, "fit (%s)", gm_context_error(c));
    ok(w.kinds[GM_RECORD_STEP] == 18 && w.kinds[GM_RECORD_EPOCH] == 6 && w.kinds[GM_RECORD_VALIDATION] == 0 && w.kinds[GM_RECORD_EVENT] == 0,
        "18 steps, 6 epochs, all rows train, no events");
    is_int(w.wrong, 0, "epoch means are those of the steps that had the value; what does not apply is NaN");
    ok(w.last[GM_RECORD_STEP].step == 18 && w.last[GM_RECORD_STEP].examples == 6 * N, "counters");
    init_fit(&f, &w);
    f.max_steps = 306; /* epoch 102: 102 steps lie between validations */
    f.validation = v;
    f.patience = 1;
    ok(gm_gan_fit(g, d, &f) == GM_OK && w.kinds[GM_RECORD_STEP] == 288, "patience 1 with validation data: all steps (%s)", gm_context_error(c));
    ok(w.kinds[GM_RECORD_VALIDATION] == 3 && w.kinds[GM_RECORD_WORK] > 0 && w.kinds[GM_RECORD_EVENT] == 0, "validation is reported: %d times",
        w.kinds[GM_RECORD_VALIDATION]);
    ok(w.last[GM_RECORD_VALIDATION].step == w.last[GM_RECORD_STEP].step, "at the last step");
    gm_record_init(&r, sizeof r);
    ok(gm_gan_evaluate(g, v, 1, &r) == GM_OK && r.d_loss == w.last[GM_RECORD_VALIDATION].d_loss && r.g_loss == w.last[GM_RECORD_VALIDATION].g_loss &&
           r.d_real == w.last[GM_RECORD_VALIDATION].d_real && r.d_fake == w.last[GM_RECORD_VALIDATION].d_fake && isnan(r.penalty) && isnan(r.grad_norm),
       "with the figures of gm_gan_evaluate");
    ok(gm_gan_evaluate(g, d, 0, &r) == GM_E_RANGE && gm_gan_evaluate(g, d, 65537, &r) == GM_E_RANGE && gm_gan_evaluate(g, d, 1, NULL) == GM_E_INVALID,
        "evaluate refuses 0 samples");
    gm_gan_destroy(g);
    gm_dataset_destroy(v);
}

/* Cancelled or stopped at the nth callback: the model is that of the last whole step, and goes on as if nothing had been. */
static void cancel(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_dataset *v = dataset(c, 33);
    int total, bad = 0, other = 0, i;
    gm_gan *whole = small(c, d, "hinge r1=1 every=2", NORM, 50, 2, "");
    init_fit(&f, &w);
    f.max_steps = 102;
    f.validation = v;
    gan_must(c, gm_gan_fit(whole, d, &f));
    total = w.calls;
    for (i = 1; i <= total; i += i < 8 || i > total - 8 ? 1 : 9) {
        gm_gan *g = small(c, d, "hinge r1=1 every=2", NORM, 50, 2, "");
        init_fit(&f, &w);
        f.max_steps = 102;
        f.validation = v;
        w.at = i;
        w.action = i % 2 ? GM_CANCEL : GM_STOP;
        if (gm_gan_fit(g, d, &f) != (i % 2 ? GM_E_CANCELLED : GM_OK)) bad++;
        w.at = 0;
        if (gm_gan_fit(g, d, &f)) bad++;
        if (!gan_same(g, whole)) other++;
        gm_gan_destroy(g);
    }
    is_int(bad, 0, "cancelled or stopped at %d callbacks", total);
    is_int(other, 0, "and taken up again: the bytes of a run that never stopped");
    gm_gan_destroy(whole);
    gm_dataset_destroy(v);
}

static gm_action meddle(void *user, const gm_record *r)
{
    static float z[5][L], x[5][K], s[5];
    witness *w = user;
    gm_gan *g = w->g;
    gm_record rec;
    char *p = NULL;
    if (r->kind != GM_RECORD_STEP) return GM_CONTINUE;
    gm_tensor *tz = vae_rows(w->c, z, 5, L), *tx = vae_rows(w->c, x, 5, K), *ts = vae_vector(w->c, s, 5);
    gm_record_init(&rec, sizeof rec);
    if (!w->allowed) w->allowed = gm_gan_generate(g, tz, NULL, tx);
    if (!w->allowed) w->allowed = gm_gan_sample(g, NULL, NULL, tx);
    if (!w->allowed) w->allowed = gm_gan_discriminate(g, tx, NULL, ts);
    if (!w->allowed) w->allowed = gm_gan_evaluate(g, w->d, 1, &rec);
    if (!gan_bytes(g, 0, &p)) w->allowed = GM_E_IO;
    free(p);
    if (!gan_bytes(g, 1, &p)) w->allowed = GM_E_IO;
    free(p);
    if (!w->allowed) w->allowed = gm_optimizer_set(gm_gan_g_optimizer(g), "lr", 0.0002);
    if (gm_gan_step(g, tx, NULL, &rec) != GM_E_BUSY || gm_gan_fit(g, w->d, NULL) != GM_E_BUSY || gm_gan_reserve(g, 4) != GM_E_BUSY) w->refused = GM_E_INTERNAL;
    if (!strstr(gm_context_error(w->c), "generate, discriminate")) w->refused = GM_E_INVALID;
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
    return GM_CONTINUE;
}

static gm_action destroy_it(void *user, const gm_record *r)
{
    witness *w = user;
    if (r->kind == GM_RECORD_STEP && w->g) gm_gan_destroy(w->g), w->g = NULL;
    return GM_CONTINUE;
}

static void busy(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_gan *g = small(c, d, "relativistic r1=1 r2=1 every=2", NORM, 60, 1, ""), *u = small(c, d, "relativistic r1=1 r2=1 every=2", NORM, 60, 1, "");
    init_fit(&f, &w);
    f.max_steps = 7;
    f.progress = meddle;
    w.g = g;
    w.c = c;
    w.d = d;
    ok(gm_gan_fit(g, d, &f) == GM_OK, "a callback that uses the model (%s)", gm_context_error(c));
    is_int(w.allowed, GM_OK, "may generate, sample, discriminate, evaluate, write, set the optimizer");
    is_int(w.refused, GM_OK, "may not step, fit, reserve: GM_E_BUSY");
    f.progress = NULL;
    ok(gm_gan_fit(u, d, &f) == GM_OK && gan_same(g, u), "which leaves no trace in the training");
    f.progress = destroy_it;
    f.max_steps = 10;
    w.g = u;
    ok(gm_gan_fit(u, d, &f) == GM_OK, "a callback may destroy the handle");
    gm_gan_destroy(g);
}

/* ---- data ---- */

static void other_data(gm_context *c, gm_dataset *d)
{
    static float wide[3][K + 1], nan_rows[3][K];
    static uint8_t bytes[3][K];
    static int32_t many[3] = {0, 9, 1};
    gm_fit_options f;
    witness w;
    gm_dataset *e = NULL;
    gm_spec x;
    gm_record r;
    gm_gan *g = small(c, d, "hinge", PLAIN, 0, 1, "concat");
    gm_tensor *t = vae_rows(c, wide, 3, K + 1), *u = vae_wrap(c, GM_U8, bytes, 2, 3, K, 0, 0), *l = vae_labels(c, many, 3), *n = vae_rows(c, nan_rows, 3, K),
        *good = vae_labels(c, labels, 3);
    init_fit(&f, &w);
    gm_record_init(&r, sizeof r);
    gan_must(c, gm_dataset_from_tensor(t, l, NULL, &e));
    ok(gm_gan_fit(g, e, &f) == GM_E_SHAPE && gm_gan_evaluate(g, e, 1, &r) == GM_E_SHAPE, "another shape: %s", gm_context_error(c));
    gm_dataset_destroy(e);
    gan_must(c, gm_dataset_from_tensor(u, l, NULL, &e));
    is_int(gm_gan_fit(g, e, &f), GM_E_DTYPE, "another type: %s", gm_context_error(c));
    gm_dataset_destroy(e);
    gm_tensor *y = vae_rows(c, rows, 3, K);
    gan_must(c, gm_dataset_from_tensor(y, l, NULL, &e));
    is_int(gm_gan_fit(g, e, &f), GM_E_SHAPE, "more classes: %s", gm_context_error(c));
    gm_dataset_destroy(e);
    gm_tensor_destroy(y);
    nan_rows[1][2] = NAN;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    x.classes = 3;
    gan_must(c, gm_dataset_from_tensor(n, good, &x, &e));
    gm_gan *plain = gan_make(c, &x, NULL);
    is_int(gm_gan_fit(plain, e, &f), GM_E_NONFINITE, "NaN in the data ends the call: %s", gm_context_error(c));
    ok(strstr(gm_context_error(c), "row 1") && w.kinds[GM_RECORD_EVENT] == 0 && plain->m.fit.step == 0, "it names the row, no step was counted, no event told");
    gm_dataset_destroy(e);
    gm_gan_destroy(plain);
    gm_gan_destroy(g);
    gm_tensor_destroy(t);
    gm_tensor_destroy(u);
    gm_tensor_destroy(l);
    gm_tensor_destroy(n);
    gm_tensor_destroy(good);
}

/* Steps that are not finite are told; 20 in a row end the call. */
static void diverged(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_gan_options o;
    gan_options(&o, "least_squares");
    o.d_optimizer = "sgd lr=1e6";
    gm_gan *g = gan_make(c, gm_dataset_spec(d), &o);
    init_fit(&f, &w);
    f.max_steps = 200;
    is_int(gm_gan_fit(g, d, &f), GM_E_NONFINITE, "it ends: %s", gm_context_error(c));
    is_int(w.kinds[GM_RECORD_EVENT], 19, "after 20 in a row, each of them told");
    ok(w.last[GM_RECORD_EVENT].event == GM_EVENT_NONFINITE, "as nonfinite");
    gm_gan_destroy(g);
}

/* Micro-batches of 30, 30, 10 are a batch of 70: z belongs to the row's number, and gradients add up, to rounding. */
static void accumulate(gm_context *c, gm_dataset *d, const char *loss, const char *condition)
{
    gm_fit_options f;
    witness a, b;
    gm_gan_options o;
    gan_options(&o, loss);
    o.condition = condition;
    o.g_optimizer = o.d_optimizer = "sgd lr=0.02"; /* Adam would blow up the rounding of gradients that are 0 */
    gm_gan *g = gan_make(c, gm_dataset_spec(d), &o), *u = gan_make(c, gm_dataset_spec(d), &o);
    init_fit(&f, &a);
    f.batch = N;
    f.max_steps = 4;
    gan_must(c, gm_gan_fit(g, d, &f));
    init_fit(&f, &b);
    f.batch = 30;
    f.accumulate = 3;
    f.max_steps = 4;
    gan_must(c, gm_gan_fit(u, d, &f));
    const gm_record *p = &a.last[GM_RECORD_STEP], *q = &b.last[GM_RECORD_STEP];
    ok(fabs(p->d_loss - q->d_loss) < 1e-5 && fabs(p->g_loss - q->g_loss) < 1e-5 && fabs(p->d_real - q->d_real) < 1e-5 && fabs(p->d_fake - q->d_fake) < 1e-5 &&
           (isnan(p->penalty) ? isnan(q->penalty) : fabs(p->penalty - q->penalty) < 1e-5 * (1 + p->penalty)) &&
               fabs(p->grad_norm - q->grad_norm) < 1e-4 * (1 + p->grad_norm) &&
           fabs(p->d_grad_norm - q->d_grad_norm) < 1e-4 * (1 + p->d_grad_norm) && p->examples == q->examples,
       "%s %s: micro-batches give what a batch gives: %g %g, %g %g", loss, condition, p->d_loss, q->d_loss, p->d_grad_norm, q->d_grad_norm);
    gm_gan_destroy(g);
    gm_gan_destroy(u);
}

static void schedules(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_gan_options o;
    gan_options(&o, "hinge");
    o.g_schedule = "linear 0.1 0 steps=10";
    o.d_schedule = "constant 0.5";
    gm_gan *g = gan_make(c, gm_dataset_spec(d), &o);
    init_fit(&f, &w);
    f.max_steps = 6;
    gan_must(c, gm_gan_fit(g, d, &f));
    near(w.last[GM_RECORD_STEP].lr, 0.05, 1e-9, "the rate of G at step 5 of 10");
    near(gmi_optimizer_get(g->m.optimizer[1], "lr"), 0.5, 0, "the rate of D");
    gm_gan_destroy(g);
}

/* ---- memory ---- */

static gm_action count_steps(void *user, const gm_record *r)
{
    witness *w = user;
    if (r->kind != GM_RECORD_STEP) return GM_CONTINUE;
    if (w->steps++) w->in_steps += mem.calls - w->last_calls; /* before the first step everything is there */
    w->last_calls = mem.calls;
    return GM_CONTINUE;
}

static void steady(gm_context *c, gm_dataset *d, const char *loss, const char *generator, double ema, const char *condition)
{
    static float z[40][L], x[40][K], score[40];
    gm_gan *g = small(c, d, loss, generator, ema, 1, condition);
    gm_fit_options f;
    witness w;
    gm_tensor *tx = vae_rows(c, rows, 40, K), *tz = vae_rows(c, z, 40, L), *ty = vae_rows(c, x, 40, K), *ts = vae_vector(c, score, 40), *few = vae_rows(c, z,
        7, L), *out = vae_rows(c, x, 7, K),
              *one = vae_rows(c, z, 1, L), *single = vae_rows(c, x, 1, K), *tl = vae_labels(c, labels, 40), *l7 = vae_labels(c, labels, 7), *l1 = vae_labels(c,
                  labels, 1);
    gan_must(c, gm_gan_reserve(g, 40));
    size_t before = mem.calls;
    gm_status s = GM_OK;
    for (int i = 0; !s && i < 9; i++) {
        s = gm_gan_step(g, tx, tl, NULL);
        if (!s) s = gm_gan_generate(g, tz, tl, ty);
        if (!s) s = gm_gan_generate(g, few, l7, out);
        if (!s) s = gm_gan_generate(g, one, l1, single);
        if (!s) s = gm_gan_sample(g, NULL, tl, ty);
        if (!s) s = gm_gan_discriminate(g, ty, tl, ts);
    }
    ok(!s, "%s, %s, ema %g %s (%s)", loss, generator, ema, condition, gm_context_error(c));
    is_int(mem.calls - before, 0, "9 steps and inference allocate nothing after reserve");
    gm_gan_destroy(g);
    g = small(c, d, loss, generator, ema, 1, condition);
    init_fit(&f, &w);
    f.progress = count_steps;
    f.max_steps = 9;
    gan_must(c, gm_gan_fit(g, d, &f));
    is_int(w.in_steps, 0, "nor does fit after its first step");
    gm_gan_destroy(g);
    g = small(c, d, loss, generator, ema, 1, condition);
    for (int i = 0; i < 5; i++) gan_must(c, gm_gan_step(g, tx, tl, NULL)); /* no reserve: all kinds of programs are there now */
    gan_must(c, gm_gan_sample(g, NULL, tl, ty));
    before = mem.calls;
    for (int i = 0; i < 5; i++) gan_must(c, gm_gan_step(g, tx, tl, NULL));
    gan_must(c, gm_gan_sample(g, NULL, tl, ty));
    is_int(mem.calls - before, 0, "nor steps without reserve");
    gm_gan_destroy(g);
    gm_tensor *all[11];
    all[0] = tx, all[1] = tz, all[2] = ty, all[3] = ts, all[4] = few, all[5] = out, all[6] = one, all[7] = single, all[8] = tl, all[9] = l7, all[10] = l1;
    for (int i = 0; i < 11; i++) gm_tensor_destroy(all[i]);
}

/* What gm_gan_memory says against what is then in use. */
static void need(const char *loss, const char *generator, const char *discriminator, double ema)
{
    static float pictures[64][1][16][16];
    gm_context *c = context(1, 0);
    gm_gan_options o;
    gm_spec x;
    gm_gan *g = NULL, *u = NULL;
    uint64_t train = 0, infer = 0, before, now, none;
    char *p = NULL;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 3, 1, 16, 16);
    gm_gan_options_init(&o, sizeof o);
    o.loss = loss;
    o.generator = generator;
    o.discriminator = discriminator;
    o.ema_half_life = ema;
    gm_tensor *t = vae_wrap(c, GM_F32, pictures, 4, 64, 1, 16, 16), *s = NULL, *t1 = vae_wrap(c, GM_F32, pictures, 4, 1, 1, 16, 16), *s1 = NULL;
    static const int64_t n64 = 64, n1 = 1;
    gan_must(c, gm_tensor_create(c, GM_F32, 1, &n64, &s));
    gan_must(c, gm_tensor_create(c, GM_F32, 1, &n1, &s1));
    gm_context_memory(c, &before, NULL);
    gan_must(c, gm_gan_memory(c, &x, &o, 64, &train, &infer));
    gm_context_memory(c, &now, NULL);
    is_int(now, before, "asking keeps nothing");
    gan_must(c, gm_gan_create(c, &x, &o, &g));
    for (int i = 0; i < 2; i++) gan_must(c, gm_gan_step(g, t, NULL, NULL));
    gm_context_memory(c, &now, NULL);
    now -= before;
    printf("# to train: told %llu, used %llu\n", (unsigned long long)train, (unsigned long long)now);
    ok(now <= train && (double)train <= 1.02 * (double)now, "%s: training takes %.1f%% of what was told", loss, 100 * (double)now / (double)train);
    const size_t n = gan_bytes(g, 0, &p);
    gm_gan_destroy(g);
    gm_context_memory(c, &none, NULL);
    is_int(none, before, "all is given back");
    gan_must(c, gan_read(c, p, n, &u));
    gan_must(c, gm_gan_sample(u, NULL, NULL, t));
    gan_must(c, gm_gan_discriminate(u, t, NULL, s));
    gan_must(c, gm_gan_sample(u, NULL, NULL, t1));
    gan_must(c, gm_gan_discriminate(u, t1, NULL, s1));
    gm_context_memory(c, &now, NULL);
    now -= before;
    printf("# to infer: told %llu, used %llu\n", (unsigned long long)infer, (unsigned long long)now);
    ok(now <= infer && (double)infer <= 1.02 * (double)now, "inference takes %.1f%%", 100 * (double)now / (double)infer);
    free(p);
    gm_gan_destroy(u);
    gm_tensor_destroy(t);
    gm_tensor_destroy(t1);
    gm_tensor_destroy(s);
    gm_tensor_destroy(s1);
    gm_context_destroy(c);
}

static void limits(const char *generator, double ema)
{
    gm_context *c = context(1, 6000000);
    gm_dataset *d = dataset(c, N);
    gm_fit_options f;
    witness w;
    gm_gan *g = small(c, d, "relativistic r1=1 r2=1 every=2", generator, ema, 1, "");
    const char *at;
    init_fit(&f, &w);
    is_int(gm_gan_reserve(g, 1000000), GM_E_BUDGET, "a limit of 6 MB: %s", gm_context_error(c));
    at = strstr(gm_context_error(c), "largest batch that fits is ");
    if (ok(at != NULL, "names a batch")) {
        long fits = strtol(at + 27, NULL, 10);
        const int one_more = gm_gan_reserve(g, fits + fits / 20 + 2) == GM_E_BUDGET;
        ok(fits > 0 && one_more, "%ld rows and 5%% more do not fit", fits);
        ok(gm_gan_reserve(g, fits) == GM_OK, "%ld rows do (%s)", fits, gm_context_error(c));
        float *x = calloc((size_t)fits * K, 4);
        gm_tensor *t = vae_rows(c, x, fits, K);
        for (int i = 0; i < 2; i++) gan_must(c, gm_gan_step(g, t, NULL, NULL));
        gan_must(c, gm_gan_sample(g, NULL, NULL, t));
        ok(1, "and train and sample");
        gm_tensor_destroy(t);
        free(x);
    }
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
    gm_context_destroy(c);
}

int main(void)
{
    static const char *const kinds[] = {"non_saturating", "saturating", "least_squares gp=1", "hinge r1=1", "hinge r2=1 every=2", "wasserstein gp=10 every=3",
        "relativistic r1=1 r2=1 every=4",
                                        "relativistic fresh=1"};
    gm_context *c = context(2, 0);
    gm_dataset *d;
    size_t i;
    gan_normal_rows(rows[0], N * K, 6);
    for (i = 0; i < N; i++) labels[i] = (int32_t)(i * 5 % 3);
    d = dataset(c, N);
    records(c, d);
    cancel(c, d);
    busy(c, d);
    other_data(c, d);
    diverged(c, d);
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) accumulate(c, d, kinds[i], i % 3 ? "concat" : "projection");
    schedules(c, d);
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) steady(c, d, kinds[i], i % 2 ? NORM : PLAIN, i % 3 ? 50 : 0,
        i % 4 == 3 ? "concat" : i % 4 == 2 ? "projection" : "");
    need("relativistic r1=1 r2=1 every=2", NULL, NULL, 1000);
    need("non_saturating", "dense 64; batch_norm; relu; dense 256", "dense 64; batch_norm; relu", 0);
    need("wasserstein gp=10", "dense 64; batch_norm; relu; dense 256", "dense 64; relu", 100);
    limits(PLAIN, 0);
    limits(NORM, 100);
    gm_dataset_destroy(d);
    gm_context_destroy(c);
    return done();
}
