/* SPDX-License-Identifier: MIT */
/* test_latent.c: gm_latent's way through the networks: the same bits as the family's own calls, for any batch, threads and level; memory; what it refuses. */
#include "latent_util.h"

enum { N = 70 };
static float X[N][LX];
static int32_t LABEL[N];

static void make_data(void)
{
    uint32_t seed = 77;
    int i, j;
    for (i = 0; i < N; i++) {
        LABEL[i] = (i * 7) % 3;
        for (j = 0; j < LX; j++) X[i][j] = (float)(4 * vae_random(&seed) - 1);
    }
}

typedef struct outputs {
    float z[N][LD], logvar[N][LD], residual[N], x[N][LX], drawn[N][LX], sampled[N][LX], sampled_z[N][LD], again[N][LX];
    int32_t steps[N];
} outputs;

/* Everything that a latent gives for n rows. */
static void all(gm_context *c, gm_latent *l, int n, int conditional, outputs *o)
{
    gm_sample_options so;
    gm_tensor *x = vae_rows(c, X, n, LX), *y = vae_labels(c, LABEL, n), *z = vae_rows(c, o->z, n, LD), *lv = vae_rows(c, o->logvar, n, LD);
    gm_tensor *r = vae_vector(c, o->residual, n), *s = vae_labels(c, o->steps, n), *to = vae_rows(c, o->x, n, LX), *drawn = vae_rows(c, o->drawn, n, LX);
    gm_tensor *sx = vae_rows(c, o->sampled, n, LX), *sz = vae_rows(c, o->sampled_z, n, LD), *again = vae_rows(c, o->again, n, LX),
        *cond = conditional ? y : NULL;
    gm_sample_options_init(&so, sizeof so);
    so.seed = 5;
    so.first = 3;
    so.draw = GM_DRAW_SAMPLE;
    so.truncation = 0.7;
    memset(o, 77, sizeof *o);
    must(gm_latent_encode(l, x, cond, z, lv, r, s));
    must(gm_latent_decode(l, z, cond, NULL, to));
    must(gm_latent_decode(l, z, cond, &so, drawn));
    must(gm_latent_sample(l, &so, cond, sz, sx));
    must(gm_latent_reconstruct(l, x, cond, again));
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_tensor_destroy(lv);
    gm_tensor_destroy(r);
    gm_tensor_destroy(s);
    gm_tensor_destroy(to);
    gm_tensor_destroy(drawn);
    gm_tensor_destroy(sx);
    gm_tensor_destroy(sz);
    gm_tensor_destroy(again);
}

/* The first n rows of both agree, bit for bit. */
static int same_rows(const outputs *a, const outputs *b, int n)
{
    const size_t k = (size_t)n;
    return !memcmp(a->z, b->z, k * sizeof a->z[0]) && !memcmp(a->logvar, b->logvar, k * sizeof a->z[0]) &&
        !memcmp(a->residual, b->residual, k * sizeof(float)) &&
           !memcmp(a->x, b->x, k * sizeof a->x[0]) && !memcmp(a->drawn, b->drawn, k * sizeof a->x[0]) &&
               !memcmp(a->sampled, b->sampled, k * sizeof a->x[0]) &&
           !memcmp(a->sampled_z, b->sampled_z, k * sizeof a->z[0]) && !memcmp(a->again, b->again, k * sizeof a->x[0]) &&
               !memcmp(a->steps, b->steps, k * sizeof(int32_t));
}

/* ---- against the VAE's own calls ---- */

static void as_the_vae(gm_context *c, int classes)
{
    static outputs o;
    static float z[N][LD], lv[N][LD], x[N][LX], scaled[N][LD], two[N][LX];
    gm_vae *v = latent_vae(c, "elbo", classes);
    gm_latent *l = latent_of(c, v, NULL);
    gm_sample_options so;
    gm_tensor *tx = vae_rows(c, X, N, LX), *y = vae_labels(c, LABEL, N), *tz = vae_rows(c, z, N, LD), *tl = vae_rows(c, lv, N, LD),
        *to = vae_rows(c, x, N, LX);
    gm_tensor *ts = vae_rows(c, scaled, N, LD), *tt = vae_rows(c, two, N, LX), *cond = classes ? y : NULL, *part;
    int i, j, wrong = 0;
    all(c, l, N, classes, &o);
    must(gm_vae_encode(v, tx, cond, tz, tl));
    ok(!memcmp(z, o.z, sizeof z) && !memcmp(lv, o.logvar, sizeof lv), "encode is gm_vae_encode");
    must(gm_vae_decode(v, tz, cond, GM_DRAW_MEAN, 0, to));
    ok(!memcmp(x, o.x, sizeof x), "decode is gm_vae_decode");
    must(gm_vae_reconstruct(v, tx, cond, to));
    ok(!memcmp(x, o.again, sizeof x), "reconstruct is gm_vae_reconstruct");
    for (i = 0; i < N; i++) {
        double sum = 0;
        for (j = 0; j < LX; j++) sum += ((double)X[i][j] - (double)x[i][j]) * ((double)X[i][j] - (double)x[i][j]) / LX;
        wrong += fabs(sum - (double)o.residual[i]) > 1e-6 * (1 + sum) || o.steps[i] != 0;
    }
    is_int(wrong, 0, "residual is the mean squared error of the reconstruction, after 0 steps");
    gm_sample_options_init(&so, sizeof so);
    so.seed = 5;
    so.first = 3;
    so.draw = GM_DRAW_SAMPLE;
    so.truncation = 0.7;
    must(gm_vae_sample(v, &so, cond, to));
    ok(!memcmp(x, o.sampled, sizeof x), "sample is gm_vae_sample");
    /* z of the samples, truncated already, decoded with the same numbers */
    memcpy(z, o.sampled_z, sizeof z);
    so.truncation = 1;
    must(gm_latent_decode(l, tz, cond, &so, to));
    ok(!memcmp(x, o.sampled, sizeof x), "and its z decodes to it");
    /* truncation of decode multiplies z */
    for (i = 0; i < N; i++)
        for (j = 0; j < LD; j++) scaled[i][j] = 0.7f * o.z[i][j];
    must(gm_latent_decode(l, ts, cond, &so, to));
    ok(!memcmp(x, o.drawn, sizeof x), "truncation multiplies z");
    /* first goes on where a call ended */
    must(gm_tensor_slice(ts, 0, 10, N, &part));
    gm_tensor *tp = vae_rows(c, two, N - 10, LX), *yp = vae_labels(c, LABEL + 10, N - 10);
    so.first = 13;
    must(gm_latent_decode(l, part, classes ? yp : NULL, &so, tp));
    ok(!memcmp(two, x[10], sizeof(float) * LX * (N - 10)), "row i of a draw depends on first + i");
    gm_tensor_destroy(part);
    gm_tensor_destroy(tp);
    gm_tensor_destroy(yp);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(y);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(to);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(tt);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* ---- any batch, threads, level ---- */

static void any_batch(gm_context *c)
{
    static outputs whole, part;
    static const int64_t batches[] = {1, 3, 16, 1000};
    gm_vae *v = latent_vae(c, "elbo", 3);
    gm_latent *l = latent_of(c, v, NULL);
    size_t k;
    int n, wrong = 0;
    all(c, l, N, 1, &whole);
    for (n = 1; n <= 33; n++) {
        all(c, l, n, 1, &part);
        wrong += !same_rows(&whole, &part, n);
    }
    is_int(wrong, 0, "calls of 1 to 33 rows give the rows of one call");
    gm_latent_destroy(l);
    for (k = 0; k < sizeof batches / sizeof batches[0]; k++) {
        gm_latent_options o;
        gm_latent_options_init(&o, sizeof o);
        o.batch = batches[k];
        l = latent_of(c, v, &o);
        all(c, l, N, 1, &part);
        ok(same_rows(&whole, &part, N), "batch %d", (int)batches[k]);
        gm_latent_destroy(l);
    }
    gm_vae_destroy(v);
}

static void any_machine(void)
{
    static outputs first, other;
    gm_context *c = vae_context(1, GM_SIMD_SCALAR), *d;
    gm_vae *v = latent_vae(c, "elbo", 0);
    const gm_model *m = NULL;
    gm_latent *l = NULL;
    gm_simd level;
    must(gm_vae_snapshot(v, &m));
    gm_vae_destroy(v);
    must(gm_latent_create(c, m, NULL, &l));
    all(c, l, N, 0, &first);
    gm_latent_destroy(l);
    gm_context_destroy(c);
    for (level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++) {
        int32_t threads;
        for (threads = 1; threads <= 3; threads++) {
            d = vae_context(threads, level);
            if (!d) break;
            must(gm_latent_create(d, m, NULL, &l));
            all(d, l, N, 0, &other);
            ok(same_rows(&first, &other, N), "%s, %d threads: the model's context is gone, the bits are there", gm_simd_name(level), (int)threads);
            gm_latent_destroy(l);
            gm_context_destroy(d);
        }
    }
    gm_model_destroy(m);
}

static void memory(gm_context *c)
{
    static outputs o;
    static uint8_t anomaly[N];
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l = latent_of(c, v, NULL);
    size_t before;
    int n, s, allocated = 0;
    (void)anomaly;
    all(c, l, N, 0, &o);
    for (n = 1; n <= N; n += 3) {
        gm_tensor *x = vae_rows(c, X, n, LX), *z = vae_rows(c, o.z, n, LD), *r = vae_vector(c, o.residual, n), *to = vae_rows(c, o.x, n, LX);
        before = c->alloc_count;
        must(gm_latent_encode(l, x, NULL, z, NULL, r, NULL));
        must(gm_latent_decode(l, z, NULL, NULL, to));
        must(gm_latent_sample(l, NULL, NULL, z, to));
        must(gm_latent_reconstruct(l, x, NULL, to));
        allocated += c->alloc_count != before;
        gm_tensor_destroy(x);
        gm_tensor_destroy(z);
        gm_tensor_destroy(r);
        gm_tensor_destroy(to);
    }
    is_int(allocated, 0, "after a call of %d rows, calls of fewer allocate nothing", N);
    for (s = 0; s < 2; s++) {
        gm_tensor *x = vae_rows(c, X, N, LX), *r = vae_vector(c, o.residual, N), *to = vae_rows(c, o.x, N, LX), *small = vae_rows(c, X, 5, LX),
            *r5 = vae_vector(c, o.residual, 5);
        gm_tensor *to5 = vae_rows(c, o.x, 5, LX);
        before = c->alloc_count;
        must(gm_latent_score(l, GM_SCORE_ELBO, s ? small : x, NULL, s ? r5 : r, NULL));
        must(gm_latent_score(l, GM_SCORE_IWAE, s ? small : x, NULL, s ? r5 : r, NULL));
        must(gm_latent_score(l, GM_SCORE_RECONSTRUCTION, s ? small : x, NULL, s ? r5 : r, NULL));
        must(gm_latent_score(l, GM_SCORE_MAHALANOBIS, s ? small : x, NULL, s ? r5 : r, NULL));
        must(gm_latent_augment(l, s ? small : x, NULL, 0.5, NULL, s ? to5 : to));
        if (s) is_int(c->alloc_count, before, "scores and augment: neither");
        gm_tensor_destroy(x);
        gm_tensor_destroy(r);
        gm_tensor_destroy(to);
        gm_tensor_destroy(small);
        gm_tensor_destroy(r5);
        gm_tensor_destroy(to5);
    }
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* ---- what it refuses ---- */

static void options(gm_context *c)
{
    gm_latent_options o, p;
    gm_vae *v = latent_vae(c, "elbo", 0);
    const gm_model *m = NULL;
    gm_latent *l = (gm_latent *)(void *)c;
    must(gm_vae_snapshot(v, &m));
    memset(&o, 1, sizeof o);
    gm_latent_options_init(&o, sizeof o);
    ok(o.batch == 256 && o.invert_steps == 400 && o.invert_starts == 2 && o.invert_rate == 0.1 && o.score_samples == 8 && o.seed == 0 && !o.progress &&
           !o.user,
       "the defaults are those of the header");
    p = o;
    p.batch = 0;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_RANGE, "latent_create: batch is 0");
    ok(!l, "the result is NULL");
    p = o;
    p.invert_steps = 0;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_RANGE, "invert_steps is 0");
    p = o;
    p.invert_starts = -1;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_RANGE, "invert_starts is -1");
    p = o;
    p.invert_rate = 0;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_RANGE, "invert_rate is 0");
    p = o;
    p.score_samples = 0;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_RANGE, "score_samples is 0");
    p = o;
    p.size = 3;
    refused(c, gm_latent_create(c, m, &p, &l), GM_E_INVALID, "gm_latent_options_init");
    refused(c, gm_latent_create(c, NULL, NULL, &l), GM_E_INVALID, "the model is NULL");
    is_int(gm_latent_create(NULL, m, NULL, &l), GM_E_INVALID, "no context");
    is_int(gm_latent_create(c, m, NULL, NULL), GM_E_INVALID, "no result");
    must(gm_latent_create(c, m, NULL, &l));
    ok(gm_latent_model(l) == m && !gm_latent_model(NULL), "the model of a latent");
    gm_latent_destroy(l);
    gm_latent_destroy(NULL);
    gm_model_destroy(m);
    gm_vae_destroy(v);
}

/* Models of which a part was loaded. */
static void parts(gm_context *c)
{
    static float z[4][LD], x[4][LX], r[4];
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_tensor *tx = vae_rows(c, x, 4, LX), *tz = vae_rows(c, z, 4, LD), *tr = vae_vector(c, r, 4);
    gm_reader rd;
    char *bytes = NULL;
    int32_t uses;
    gm_reader_init(&rd, sizeof rd);
    rd.bytes = vae_bytes(v, 0, &bytes);
    rd.memory = bytes;
    for (uses = 0; uses < 8; uses++) {
        const gm_model *m = NULL;
        gm_latent *l = NULL;
        must(gm_model_read(c, &rd, uses, &m));
        if (!uses) {
            refused(c, gm_latent_create(c, m, NULL, &l), GM_E_UNSUPPORTED, "GM_USE_ALL");
        } else {
            must(gm_latent_create(c, m, NULL, &l));
            is_int(gm_latent_encode(l, tx, NULL, tz, NULL, NULL, NULL), uses & GM_USE_ENCODE ? GM_OK : GM_E_UNSUPPORTED, "uses %d: encode", (int)uses);
            is_int(gm_latent_encode(l, tx, NULL, tz, NULL, tr, NULL), uses & GM_USE_ENCODE && uses != 1 ? GM_OK : GM_E_UNSUPPORTED, "with residual");
            is_int(gm_latent_decode(l, tz, NULL, NULL, tx), uses & GM_USE_DECODE ? GM_OK : GM_E_UNSUPPORTED, "decode");
            is_int(gm_latent_sample(l, NULL, NULL, tz, tx), uses & GM_USE_DECODE ? GM_OK : GM_E_UNSUPPORTED, "sample");
            is_int(gm_latent_score(l, GM_SCORE_ELBO, tx, NULL, tr, NULL), uses & GM_USE_SCORE ? GM_OK : GM_E_UNSUPPORTED, "score");
            is_int(gm_latent_augment(l, tx, NULL, 1, NULL, tx), (uses & 3) == 3 ? GM_OK : GM_E_UNSUPPORTED, "augment");
            gm_latent_destroy(l);
        }
        gm_model_destroy(m);
    }
    free(bytes);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tr);
    gm_vae_destroy(v);
}

static void arguments(gm_context *c)
{
    static float z[4][LD], x[4][LX], r[4];
    static int32_t steps[4], label[4] = {0, 1, 2, 3};
    gm_vae *v = latent_vae(c, "elbo", 3);
    gm_latent *l = latent_of(c, v, NULL);
    gm_sample_options so;
    gm_tensor *tx = vae_rows(c, x, 4, LX), *tz = vae_rows(c, z, 4, LD), *tr = vae_vector(c, r, 4), *ts = vae_labels(c, steps, 4),
        *y = vae_labels(c, steps, 4);
    gm_tensor *bad = vae_labels(c, label, 4), *wide = vae_rows(c, x, 4, 4), *few = vae_rows(c, z, 3, LD), *r3 = vae_vector(c, r, 3), *fixed = NULL;
    const int64_t dims[2] = {4, LD};
    must(gm_tensor_wrap_const(c, GM_F32, 2, dims, NULL, z, &fixed));
    refused(c, gm_latent_encode(l, NULL, y, tz, NULL, NULL, NULL), GM_E_INVALID, "latent_encode: x is NULL");
    refused(c, gm_latent_encode(l, tx, NULL, tz, NULL, NULL, NULL), GM_E_INVALID, "cond is NULL");
    refused(c, gm_latent_encode(l, tx, bad, tz, NULL, NULL, NULL), GM_E_RANGE, "cond row 3 is 3");
    refused(c, gm_latent_encode(l, wide, y, tz, NULL, NULL, NULL), GM_E_SHAPE, "x is");
    refused(c, gm_latent_encode(l, tx, y, NULL, NULL, NULL, NULL), GM_E_INVALID, "z is NULL");
    refused(c, gm_latent_encode(l, tx, y, few, NULL, NULL, NULL), GM_E_SHAPE, "z is");
    refused(c, gm_latent_encode(l, tx, y, fixed, NULL, NULL, NULL), GM_E_READONLY, "z is read-only");
    refused(c, gm_latent_encode(l, tx, y, tz, few, NULL, NULL), GM_E_SHAPE, "logvar is");
    refused(c, gm_latent_encode(l, tx, y, tz, NULL, r3, NULL), GM_E_SHAPE, "residual is");
    refused(c, gm_latent_encode(l, tx, y, tz, NULL, NULL, tr), GM_E_DTYPE, "steps is");
    x[2][1] = (float)NAN;
    refused(c, gm_latent_encode(l, tx, y, tz, NULL, tr, ts), GM_E_NONFINITE, "x row 2");
    x[2][1] = 0;
    refused(c, gm_latent_decode(l, NULL, y, NULL, tx), GM_E_INVALID, "latent_decode: z is NULL");
    z[1][2] = (float)INFINITY;
    refused(c, gm_latent_decode(l, tz, y, NULL, tx), GM_E_NONFINITE, "z row 1 is not finite");
    z[1][2] = 0;
    refused(c, gm_latent_decode(l, few, y, NULL, tx), GM_E_SHAPE, "cond is");
    refused(c, gm_latent_decode(l, tz, y, NULL, wide), GM_E_SHAPE, "x is");
    gm_sample_options_init(&so, sizeof so);
    so.truncation = -1;
    refused(c, gm_latent_decode(l, tz, y, &so, tx), GM_E_RANGE, "truncation is -1");
    so.truncation = 1;
    so.first = -2;
    refused(c, gm_latent_sample(l, &so, y, NULL, tx), GM_E_RANGE, "latent_sample: first is -2");
    so.first = 0;
    so.draw = 9;
    refused(c, gm_latent_decode(l, tz, y, &so, tx), GM_E_INVALID, "draw is 9");
    refused(c, gm_latent_sample(l, NULL, y, few, tx), GM_E_SHAPE, "z is");
    refused(c, gm_latent_reconstruct(l, tx, y, wide), GM_E_SHAPE, "latent_reconstruct: out is");
    is_int(gm_latent_encode(NULL, tx, y, tz, NULL, NULL, NULL), GM_E_INVALID, "NULL for a latent");
    must(gm_latent_encode(l, tx, y, tz, NULL, tr, ts));
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tr);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(y);
    gm_tensor_destroy(bad);
    gm_tensor_destroy(wide);
    gm_tensor_destroy(few);
    gm_tensor_destroy(r3);
    gm_tensor_destroy(fixed);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
}

/* ---- progress ---- */

typedef struct watch {
    gm_latent *l;
    gm_tensor *z, *x;
    gm_status inside;
    int calls, work, destroy;
    gm_action answer;
    char last[160];
} watch;

static gm_action watching(void *user, const gm_record *r)
{
    watch *w = user;
    w->calls++;
    w->work += r->kind == GM_RECORD_WORK && !strcmp(r->call, "latent_score");
    snprintf(w->last, sizeof w->last, "%s", r->message);
    w->inside = gm_latent_decode(w->l, w->z, NULL, NULL, w->x);
    if (w->destroy) gm_latent_destroy(w->l);
    w->destroy = 0;
    return w->answer;
}

static void progress(gm_context *c)
{
    static float z[1][LD], x[1][LX], score[N];
    gm_latent_options o;
    watch w;
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_tensor *tx = vae_rows(c, X, N, LX), *ts = vae_vector(c, score, N);
    memset(&w, 0, sizeof w);
    w.z = vae_rows(c, z, 1, LD);
    w.x = vae_rows(c, x, 1, LX);
    gm_latent_options_init(&o, sizeof o);
    o.batch = 16;
    o.progress = watching;
    o.user = &w;
    w.l = latent_of(c, v, &o);
    must(gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL));
    is_int(w.calls, 5, "a record for each batch of 16 of %d rows", N);
    is_int(w.work, 5, "of the right kind and call");
    is_text(w.last, "elbo: 70 of 70 rows", "and text");
    is_int(w.inside, GM_E_BUSY, "the latent itself is busy meanwhile");
    w.answer = GM_CANCEL;
    refused(c, gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL), GM_E_CANCELLED, "elbo: 16 of 70 rows");
    w.answer = GM_STOP;
    is_int(gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL), GM_E_CANCELLED, "there is no half of a result to stop with");
    w.answer = 17;
    is_int(gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL), GM_E_CALLBACK, "17 is no action");
    gm_context_cancel(c);
    w.answer = GM_CONTINUE;
    is_int(gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL), GM_E_CANCELLED, "gm_context_cancel");
    w.destroy = 1;
    is_int(gm_latent_score(w.l, GM_SCORE_ELBO, tx, NULL, ts, NULL), GM_OK, "destroyed inside the callback it lives to the end of the call");
    gm_tensor_destroy(w.z);
    gm_tensor_destroy(w.x);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    make_data();
    as_the_vae(c, 0);
    as_the_vae(c, 3);
    any_batch(c);
    any_machine();
    memory(c);
    options(c);
    parts(c);
    arguments(c);
    progress(c);
    gm_context_destroy(c);
    return done();
}
