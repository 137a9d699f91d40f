/* SPDX-License-Identifier: MIT */
/* test_model.c: gm_model as an object: its facts, what its uses load and cost, snapshots inside and outside of training, and that it outlives what it came
 * from. Instances stand in for what repr/ makes of a model. */
#include "model_util.h"

enum { N = 40, K = 5, L = 2 };
static float rows[N][K];

static gm_vae *make(gm_context *c, const char *encoder, const char *decoder, double half_life)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    vae_spec(&x, GM_F32, GM_SCALE_STANDARD, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = encoder;
    o.decoder = decoder;
    o.latent_dim = L;
    o.ema_half_life = half_life;
    must(gm_vae_create(c, &x, &o, &v));
    return v;
}

static gm_vae *trained(gm_context *c, double half_life)
{
    gm_vae *v = make(c, "dense 6; batch_norm; tanh", "dense 6; tanh", half_life);
    gm_tensor *t = vae_rows(c, rows, N, K);
    gm_dataset *d = NULL;
    gm_fit_options f;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 10;
    f.max_steps = 8;
    f.validation_fraction = 0;
    must(gm_dataset_from_tensor(t, NULL, NULL, &d));
    must(gm_vae_fit(v, d, &f));
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return v;
}

/* Codes and means of p(x|z) of all rows. */
typedef struct results {
    float z[N][L], x[N][K];
} results;

static gm_status run(gm_vae *v, gm_context *c, results *r)
{
    gm_tensor *x = vae_rows(c, rows, N, K), *z = vae_rows(c, r->z, N, L), *y = vae_rows(c, r->x, N, K);
    gm_status s = gm_vae_encode(v, x, NULL, z, NULL);
    if (!s) s = gm_vae_decode(v, z, NULL, GM_DRAW_MEAN, 0, y);
    gm_tensor_destroy(x);
    gm_tensor_destroy(z);
    gm_tensor_destroy(y);
    return s;
}

static gm_status run_model(gm_context *c, const gm_model *m, results *r)
{
    gmi_core *core = NULL;
    gm_status s = gmi_model_instance(c, m, &core);
    memset(r, 0, sizeof *r);
    if (!s) s = run((gm_vae *)core, c, r);
    gm_vae_destroy((gm_vae *)core);
    return s;
}

/* ---- facts ---- */

static void facts(gm_context *c)
{
    gm_vae *v = trained(c, 50);
    const gm_model *m = NULL, *f = NULL, *k = NULL, *h = NULL;
    gm_info i, j;
    char *p = NULL, *q = NULL;
    i.size = j.size = sizeof i;
    must(gm_vae_snapshot(v, &m));
    size_t n = vae_bytes(v, 0, &p), nq = vae_bytes(v, 1, &q);
    must(model_from(c, p, n, GM_USE_ALL, &f));
    must(model_from(c, q, nq, GM_USE_ALL, &k));
    must(model_from(c, q, nq, 0, &h));
    must(gm_model_info(m, &i));
    is_text(i.family, "vae", "family");
    is_text(i.made_by, "libgenrep 0.1.0", "made by this library");
    is_text(i.sha256, "", "a snapshot is no file");
    ok(strstr(i.options, "\"encoder\":\"dense 6; batch_norm; tanh\"") && strstr(i.options, "\"ema_half_life\":50"), "options: %s", i.options);
    /* encoder 5x6 + 6, batch norm 6 + 6, heads 2 (6x2 + 2), decoder 2x6 + 6, output 6x5 + 5, one log variance */
    is_int(i.parameters, 36 + 12 + 28 + 18 + 35 + 1, "parameters, statistics not among them");
    ok(i.latent_dim == L && i.steps == 8 && i.format_version == 1 && i.uses == GM_USE_ALL, "latent_dim, steps, format, uses");
    ok(i.x->rank == 1 && i.x->dims[0] == K && i.x->scaling == GM_SCALE_STANDARD && i.x->dtype == GM_F32, "what a sample is");
    ok(!i.calibrated && isnan(i.threshold) && isnan(i.false_positive_rate), "not calibrated");
    must(gm_model_info(f, &j));
    ok(strlen(j.sha256) == 64 && strstr(p + 8, j.sha256), "of a file: its digest %s", j.sha256);
    ok(!strcmp(i.options, j.options) && i.parameters == j.parameters && j.steps == -1 && j.latent_dim == L, "and the same facts, without steps");
    must(gm_model_info(k, &j));
    ok(j.steps == 8 && j.parameters == i.parameters && j.uses == GM_USE_ALL, "a checkpoint knows its steps");
    must(gm_model_info(h, &j));
    ok(j.steps == 8 && j.parameters == i.parameters && j.uses == 0 && !strcmp(j.options, i.options) && j.x->dims[0] == K, "a header knows all of it");
    memset(&j, 0x55, sizeof j);
    j.size = offsetof(gm_info, latent_dim);
    ok(!gm_model_info(m, &j) && j.latent_dim == 0x5555555555555555 && !strcmp(j.family, "vae"), "no more than the caller's struct has");
    ok(gm_model_info(NULL, &j) == GM_E_INVALID && gm_model_info(m, NULL) == GM_E_INVALID, "NULL");
    j.size = 3;
    ok(gm_model_info(m, &j) == GM_E_INVALID, "a struct that was not initialised");
    ok(!strcmp(gm_support_name(GM_NO), "no") && !strcmp(gm_support_name(GM_EXACT), "exact") && !strcmp(gm_support_name(9), "unknown") &&
           !strcmp(gm_score_name(GM_SCORE_ELBO), "elbo") && !strcmp(gm_score_name(GM_SCORE_RESIDUAL), "residual") && !strcmp(gm_score_name(-1), "unknown"),
       "names");
    free(p);
    free(q);
    gm_model_destroy(m);
    gm_model_destroy(f);
    gm_model_destroy(k);
    gm_model_destroy(h);
    gm_model_destroy(NULL);
    ok(gm_model_retain(NULL) == NULL && gm_model_support(NULL, GM_USE_ENCODE) == GM_NO, "NULL");
    gm_vae_destroy(v);
}

static void printed(gm_context *c)
{
    gm_vae *v = trained(c, 0);
    const gm_model *m = NULL, *h = NULL;
    gm_writer w;
    char *p = NULL, *text = NULL;
    size_t n = vae_bytes(v, 0, &p);
    must(gm_vae_snapshot(v, &m));
    must(model_from(c, p, n, GM_USE_DECODE, &h));
    ok(model_bytes(c, m, 1, &text) > 0, "printed (%s)", gm_context_error(c));
    ok(!strncmp(text, "vae, latent_dim 2, 130 parameters, 8 steps\nmade by libgenrep 0.1.0, file format 1, numeric profile ", 96), "its first lines");
    ok(strstr(text, "\ntensor                  shape    parameters         bytes\n") != NULL, "a head");
    ok(strstr(text, "\nencoder.0.weight        [6,5]            30           120\n") != NULL, "a tensor");
    ok(strstr(text, "\nencoder.1.running_mean  [6]                            24  statistics\n") != NULL, "a statistic is no parameter");
    ok(strstr(text, "\ntotal                   15              130           568\n") != NULL, "the sum");
    ok(strstr(text, "\noptions\n  encoder         \"dense 6; batch_norm; tanh\"\n") != NULL, "options");
    ok(strstr(text, "\nsample\n  f32 [5], scaling standard\n\nthreshold\n  not calibrated\n") != NULL, "sample and threshold");
    if (tap_failed) puts(text);
    free(text);
    ok(model_bytes(c, h, 1, &text) > 0 && strstr(text, "loaded for decode\n") && strstr(text, "           120  not loaded\n"), "what is not loaded says so");
    ok(strstr(text, "            24  statistics, not loaded\n") != NULL, "statistics too");
    free(text);
    gm_writer_init(&w, sizeof w);
    ok(gm_model_print(c, m, NULL) == GM_E_INVALID && gm_model_print(NULL, m, &w) == GM_E_INVALID && gm_model_print(c, NULL, &w) == GM_E_INVALID, "NULL");
    is_int(gm_model_print(c, m, &w), GM_E_LIMIT, "no room");
    free(p);
    gm_model_destroy(m);
    gm_model_destroy(h);
    gm_vae_destroy(v);
}

/* ---- uses ---- */

static void masks(gm_context *c)
{
    gm_vae *v = trained(c, 50);
    results good, got;
    char *p[2] = {NULL, NULL}, *again = NULL;
    size_t n[2];
    int checkpoint, bad = 0;
    int32_t uses;
    n[0] = vae_bytes(v, 0, &p[0]);
    n[1] = vae_bytes(v, 1, &p[1]);
    must(run(v, c, &good));
    for (checkpoint = 0; checkpoint < 2; checkpoint++)
        for (uses = 0; uses <= GM_USE_ALL; uses++) {
            const gm_model *m = NULL;
            const int both = (uses & GM_USE_SCORE) || (uses & 3) == 3;
            gm_status s = model_from(c, p[checkpoint], n[checkpoint], uses, &m), r = s ? s : run_model(c, m, &got);
            size_t k;
            ok(!s && r == (both ? GM_OK : uses ? GM_E_UNKNOWN : GM_E_UNSUPPORTED), "uses %d of a %s: %s", uses, checkpoint ? "checkpoint" : "model file",
               gm_context_error(c));
            if (uses & (GM_USE_ENCODE | GM_USE_SCORE)) bad += memcmp(good.z, got.z, sizeof got.z) != 0;
            if (both) bad += memcmp(&good, &got, sizeof got) != 0;
            bad += gm_model_support(m, GM_USE_ENCODE) != (uses & GM_USE_ENCODE ? GM_EXACT : GM_NO);
            bad += gm_model_support(m, GM_USE_DECODE) != (uses & GM_USE_DECODE ? GM_EXACT : GM_NO);
            bad += gm_model_support(m, GM_USE_SCORE) != (uses & GM_USE_SCORE ? GM_APPROXIMATE : GM_NO);
            bad += gm_model_support(m, 3) != GM_NO || gm_model_support(m, 8) != GM_NO;
            k = model_bytes(c, m, 0, &again);
            bad += both ? k != n[0] || memcmp(again, p[0], k) : k != 0;
            if (!both) bad += gm_model_write(c, m, NULL) != GM_E_INVALID;
            free(again);
            gm_model_destroy(m);
        }
    is_int(bad, 0, "what is loaded gives the same bits, says so, and is written when it is whole: as the model file, from a checkpoint too");
    for (uses = -1; uses < 9; uses += 9) {
        const gm_model *m = NULL;
        is_int(model_from(c, p[0], n[0], uses, &m), GM_E_RANGE, "uses %d: %s", uses, gm_context_error(c));
    }
    free(p[0]);
    free(p[1]);
    gm_vae_destroy(v);
}

/* The encoder has 5 x 4000 + 4000 + 2 (4000 x 2 + 2) numbers, the decoder 2 x 9000 + 9000 + 9000 x 5 + 5 + 1: 160 and 288 KB. */
static void memory(void)
{
    enum { ENCODER = 4 * 40004, DECODER = 4 * 72006 };
    counting k;
    gm_context *c = counted_context(&k);
    gm_vae *v = make(c, "dense 4000; relu", "dense 9000; relu", 0);
    static const int32_t uses[] = {0, GM_USE_ENCODE, GM_USE_DECODE, GM_USE_SCORE, GM_USE_ALL};
    static const size_t want[] = {0, ENCODER, DECODER, ENCODER + DECODER, ENCODER + DECODER};
    char *p = NULL;
    size_t n = vae_bytes(v, 0, &p);
    int i;
    gm_vae_destroy(v);
    gm_context_destroy(c);
    for (i = 0; i < 5; i++) {
        const gm_model *m = NULL;
        gmi_core *core = NULL;
        uint64_t peak;
        c = counted_context(&k);
        size_t before = k.live, loaded;
        must(model_from(c, p, n, uses[i], &m));
        loaded = k.live - before;
        ok(loaded >= want[i] && loaded < want[i] + 16384, "uses %d keep %d bytes for %d of weights", uses[i], (int)loaded, (int)want[i]);
        gm_context_memory(c, NULL, &peak);
        ok(peak < before + want[i] + 150000, "and took %d at most", (int)(peak - before));
        if (uses[i]) {
            must(gmi_model_instance(c, m, &core));
            ok(k.live - before - loaded < 40000, "an instance takes %d bytes: it has no weights of its own", (int)(k.live - before - loaded));
            gm_vae_destroy((gm_vae *)core);
        }
        gm_model_destroy(m);
        gm_context_destroy(c);
        is_int(k.live, 0, "nothing is left");
    }
    free(p);
}

/* ---- snapshots ---- */

typedef struct watching {
    gm_vae *v;
    gm_context *c;
    int told, same, busy, shadows; /* shadows: best weights were kept aside */
    const gm_model *kept; /* of step 40 */
} watching;

/* The snapshot is what a file would be, and can be used at once. */
static int as_file(gm_context *c, gm_vae *v)
{
    const gm_model *m = NULL;
    results a, b;
    char *p = NULL, *q = NULL;
    size_t n = vae_bytes(v, 0, &p), k;
    int good = gm_vae_snapshot(v, &m) == GM_OK;
    k = model_bytes(c, m, 0, &q);
    good = good && n && n == k && !memcmp(p, q, n);
    good = good && run(v, c, &a) == GM_OK && run_model(c, m, &b) == GM_OK && !memcmp(&a, &b, sizeof a);
    free(p);
    free(q);
    gm_model_destroy(m);
    return good;
}

static gm_action watch(void *user, const gm_record *r)
{
    watching *w = user;
    if ((r->kind != GM_RECORD_STEP || r->step % 40) && r->kind != GM_RECORD_VALIDATION) return GM_CONTINUE;
    w->told++;
    w->shadows += ((gmi_core *)w->v)->shadow_is != GMI_SHADOW_NONE;
    w->same += as_file(w->c, w->v);
    if (w->told == 1) (void)!gm_vae_snapshot(w->v, &w->kept);
    w->busy += gm_vae_reserve(w->v, 4) == GM_E_BUSY;
    return GM_CONTINUE;
}

/* Early stopping keeps the best weights aside and shows them at the end; going on brings the last ones back. */
static void snapshots(gm_context *c, double half_life)
{
    static results before, after;
    gm_vae *v = make(c, "dense 8; batch_norm; relu", "dense 8; relu", half_life);
    gm_tensor *t = vae_rows(c, rows, N, K), *h = vae_rows(c, rows, 20, K);
    gm_dataset *d = NULL, *held = NULL;
    gm_fit_options f;
    gm_info i;
    watching w = {v, c, 0, 0, 0, 0, NULL};
    gm_fit_options_init(&f, sizeof f);
    f.batch = 10;
    f.max_steps = 250;
    f.patience = 100;
    f.progress = watch;
    f.user = &w;
    i.size = sizeof i;
    must(gm_dataset_from_tensor(t, NULL, NULL, &d));
    must(gm_dataset_from_tensor(h, NULL, NULL, &held));
    f.validation = held;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "fit (%s)", gm_context_error(c));
    ok(w.told > 7 && w.shadows > 3 && w.same == w.told && w.busy == w.told, "%d snapshots inside of training, each as the file of that moment", w.told);
    ok(((gmi_core *)v)->shadow_is == GMI_SHADOW_CURRENT && as_file(c, v), "of the best weights, when training is over");
    must(run_model(c, w.kept, &before));
    f.max_steps = 410;
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.same == w.told, "and again when training goes on");
    must(run_model(c, w.kept, &after));
    ok(!memcmp(&before, &after, sizeof before) && !gm_model_info(w.kept, &i) && i.steps == 40, "an old snapshot is as it was, of step 40");
    must(run(v, c, &after));
    ok(memcmp(&before, &after, sizeof before) != 0, "while the model has moved on");
    gm_model_destroy(w.kept);
    gm_dataset_destroy(d);
    gm_dataset_destroy(held);
    gm_tensor_destroy(t);
    gm_tensor_destroy(h);
    gm_vae_destroy(v);
}

/* ---- a GAN: its average is of G alone, with statistics of its own ---- */

static size_t gan_bytes(gm_gan *g, int checkpoint, char **bytes)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.capacity = 1 << 20;
    w.memory = *bytes = calloc(1, 1 << 20);
    return (checkpoint ? gm_gan_write_checkpoint(g, &w) : gm_gan_write(g, &w)) ? 0 : (size_t)w.used;
}

typedef struct gan_results {
    float x[N][K], score[N];
} gan_results;

static gm_status run_gan(gm_gan *g, gm_context *c, int both, gan_results *r)
{
    gm_tensor *t = vae_rows(c, r->x, N, K), *real = vae_rows(c, rows, N, K), *score = vae_vector(c, r->score, N);
    gm_status s = gm_gan_sample(g, NULL, NULL, t);
    if (!s && both) s = gm_gan_discriminate(g, real, NULL, score);
    gm_tensor_destroy(t);
    gm_tensor_destroy(real);
    gm_tensor_destroy(score);
    return s;
}

static void gans(gm_context *c)
{
    static gan_results good, got;
    gm_context *other = vae_context(1, GM_SIMD_BEST);
    gm_spec x;
    gm_gan_options o;
    gm_gan *g = NULL;
    gm_tensor *t = vae_rows(c, rows, N, K);
    const gm_model *m = NULL;
    gm_info f;
    char *p[3] = {NULL, NULL, NULL}, *q = NULL;
    size_t n[3], k;
    int i, bad = 0;
    int32_t uses;
    f.size = sizeof f;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gm_gan_options_init(&o, sizeof o);
    o.generator = "dense 8; batch_norm; relu";
    o.discriminator = "dense 8; leaky_relu 0.2";
    o.latent_dim = 3;
    o.ema_half_life = 60;
    must(gm_gan_create(c, &x, &o, &g));
    for (i = 0; i < 5; i++) must(gm_gan_step(g, t, NULL, NULL));
    must(run_gan(g, c, 1, &good));
    must(gm_gan_snapshot(g, &m));
    n[0] = gan_bytes(g, 0, &p[0]);
    n[1] = gan_bytes(g, 1, &p[1]);
    n[2] = model_bytes(c, m, 0, &p[2]);
    ok(n[0] > 0 && n[0] == n[2] && !memcmp(p[0], p[2], n[0]), "GAN: a snapshot is written as gm_gan_write does");
    /* G 3x8 + 8, batch norm 16, 8x5 + 5; D 5x8 + 8, 8 + 1 */
    ok(!gm_model_info(m, &f) && !strcmp(f.family, "gan") && f.parameters == 32 + 16 + 45 + 48 + 9 && f.steps == 5 && f.latent_dim == 3, "its facts");
    for (i = 0; i < 3; i++)
        for (uses = i ? 0 : GM_USE_ALL; uses <= GM_USE_ALL; uses++) {
            gmi_core *core = NULL;
            gm_status s;
            if (i) must(model_from(c, p[i - 1], n[i - 1], uses, &m));
            bad += gm_model_support(m, GM_USE_ENCODE) != (uses & GM_USE_ENCODE ? GM_APPROXIMATE : GM_NO);
            bad += gm_model_support(m, GM_USE_DECODE) != (uses & GM_USE_DECODE ? GM_EXACT : GM_NO);
            bad += gm_model_support(m, GM_USE_SCORE) != (uses & GM_USE_SCORE ? GM_APPROXIMATE : GM_NO);
            memset(&got, 0, sizeof got);
            s = gmi_model_instance(other, m, &core);
            if (!s) s = run_gan((gm_gan *)core, other, uses == GM_USE_ALL, &got);
            bad += s != (uses ? GM_OK : GM_E_UNSUPPORTED);
            bad += uses && memcmp(good.x, got.x, sizeof got.x);
            bad += uses == GM_USE_ALL && memcmp(good.score, got.score, sizeof got.score);
            if (core) bad += (uses == GM_USE_ALL) != (gmi_params_find(core->weights, "discriminator.0.weight", NULL) != NULL);
            gm_gan_destroy((gm_gan *)core);
            k = model_bytes(c, m, 0, &q);
            bad += uses == GM_USE_ALL ? k != n[0] || memcmp(p[0], q, k) : k != 0;
            free(q);
            gm_model_destroy(m);
        }
    is_int(bad, 0, "uses of a snapshot, a file and a checkpoint: G alone, or both; the same bits, the same bytes");
    for (i = 0; i < 3; i++) free(p[i]);
    gm_tensor_destroy(t);
    gm_gan_destroy(g);
    gm_context_destroy(other);
}

/* ---- who outlives whom ---- */

static void lives(void)
{
    static results good, got;
    counting k;
    int order;
    for (order = 0; order < 6; order++) {
        gm_context *a = counted_context(&k), *b = vae_context(2, GM_SIMD_SCALAR);
        gm_vae *v = trained(a, 0);
        const gm_model *m = NULL, *twin;
        gmi_core *core = NULL;
        int bad = 0;
        must(run(v, a, &good));
        must(gm_vae_snapshot(v, &m));
        must(gmi_model_instance(b, m, &core));
        twin = gm_model_retain(m);
        bad += twin != m;
        gm_model_destroy(twin);
        gm_vae_destroy(v);
        if (order & 1) gm_context_destroy(a);
        if (order / 2 == 0) gm_model_destroy(m); /* the instance keeps the weights */
        memset(&got, 0, sizeof got);
        bad += run((gm_vae *)core, b, &got) != GM_OK || memcmp(&got, &good, sizeof got) != 0;
        if (order / 2 == 1) gm_model_destroy(m);
        gm_vae_destroy((gm_vae *)core);
        if (order / 2 == 2) bad += run_model(b, m, &got) != GM_OK || memcmp(&got, &good, sizeof got) != 0;
        if (order / 2 == 2) gm_model_destroy(m);
        if (!(order & 1)) gm_context_destroy(a);
        gm_context_destroy(b);
        ok(!bad && k.live == 0, "order %d: the same bits in another context, nothing left", order);
    }
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    uint32_t seed = 11;
    int i;
    for (i = 0; i < N * K; i++) ((float *)rows)[i] = (float)(vae_random(&seed) * (i % K + 1));
    facts(c);
    printed(c);
    masks(c);
    memory();
    snapshots(c, 0);
    snapshots(c, 60);
    gans(c);
    lives();
    gm_context_destroy(c);
    return done();
}
