/* SPDX-License-Identifier: MIT */
/* test_gan_io.c: model files and checkpoints of a GAN: the same model after saving and loading, training that goes on bit for bit in the middle of an epoch
 * and in another context, every damaged byte refused, other files refused with words, writers and readers that fail at each call. */
#include "base/base.h"
#include "gan_util.h"
#include <unistd.h>

enum { N = 70, K = 4, L = 3 };
static float rows[N][K];
static int32_t labels[N];

static gm_dataset *dataset(gm_context *c)
{
    gm_tensor *t = vae_rows(c, rows, N, K), *l = vae_labels(c, labels, N);
    gm_dataset *d = NULL;
    gan_must(c, gm_dataset_from_tensor(t, l, NULL, &d));
    gm_tensor_destroy(t);
    gm_tensor_destroy(l);
    return d;
}

typedef struct variant {
    const char *name, *generator, *discriminator, *loss, *optimizer, *schedule, *gamma, *condition;
    double ema;
    int32_t d_steps;
    int64_t accumulate;
} variant;

static const variant variants[] = {
    {"plain", "dense 8; tanh", "dense 8; leaky_relu 0.2", "non_saturating", "adam lr=0.003 beta1=0.5", "", "constant 1", "", 0, 1, 1},
    {"everything", "dense 8; batch_norm; relu", "dense 8; leaky_relu 0.2", "relativistic r1=1 r2=1 every=4", "adam lr=0.003 beta1=0 beta2=0.99 clip_norm=5",
        "cosine 0.003 0.0001 epochs=20 warmup=5",
     "linear 1 0.1 steps=30", "concat", 60, 2, 1},
    {"batch norm in both", "dense 8; batch_norm; relu", "dense 8; batch_norm; relu; dropout 0.2", "hinge r1=0.5 every=3 coupled=1 fresh=1", "rmsprop lr=0.001",
        "linear 0.01 0 epochs=20", "constant 2", "", 40, 3, 2},
    {"projection", "dense 8; tanh", "dense 8; leaky_relu 0.2; dense 6; tanh", "wasserstein gp=10", "sgd lr=0.01 momentum=0.9", "", "constant 1", "projection",
        0, 2, 2},
};

static gm_gan *made(gm_context *c, gm_dataset *d, const variant *k)
{
    gm_gan_options o;
    gan_options(&o, k->loss);
    o.generator = k->generator;
    o.discriminator = k->discriminator;
    o.g_optimizer = o.d_optimizer = k->optimizer;
    o.g_schedule = o.d_schedule = k->schedule;
    o.gamma = k->gamma;
    o.condition = k->condition;
    o.ema_half_life = k->ema;
    o.d_steps = k->d_steps;
    o.seed = 0xfedcba9876543210u;
    return gan_make(c, gm_dataset_spec(d), &o);
}

typedef struct journal {
    char text[1 << 18];
    size_t n;
    int64_t skip_until;
} journal;
static journal whole, parts;

/* Records as text, without what depends on time. */
static gm_action keep(void *user, const gm_record *r)
{
    journal *l = user;
    if (r->step <= l->skip_until || r->kind == GM_RECORD_WORK || l->n > sizeof l->text - 4096) return GM_CONTINUE;
    l->n += (size_t)sprintf(l->text + l->n, "%d %lld %lld %a %a %a %a %a %a %a %a\n", (int)r->kind, (long long)r->step, (long long)r->examples, r->d_loss,
        r->g_loss, r->d_real, r->d_fake,
                            r->penalty, r->lr, r->grad_norm, r->d_grad_norm);
    return GM_CONTINUE;
}

static gm_status fit(gm_gan *g, gm_dataset *d, const variant *k, int64_t steps, journal *l)
{
    gm_fit_options f;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 16;
    f.accumulate = k->accumulate;
    f.validation = d;
    f.max_steps = steps;
    f.seed = 9;
    f.progress = l ? keep : NULL;
    f.user = l;
    return gm_gan_fit(g, d, &f);
}

/* ---- round trip ---- */

/* A file of either kind is a gm_model. */
static void as_model(gm_context *c, const char *p, size_t n)
{
    const gm_model *m = NULL;
    gm_reader r;
    gm_info info;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    ok(gm_model_read(c, &r, GM_USE_ALL, &m) == GM_OK && gm_model_info(m, &info) == GM_OK && !strcmp(info.family, "gan") && info.latent_dim == L, "it is a gm_model (%s)",
       gm_context_error(c));
    gm_model_destroy(m);
}

static void round_trip(gm_context *c, const variant *k)
{
    static float z[N][L], x1[N][K], x2[N][K], s1[N], s2[N];
    gm_dataset *d = dataset(c);
    gm_gan *g = made(c, d, k), *u = NULL;
    gm_tensor *tx = vae_rows(c, rows, N, K), *tl = vae_labels(c, labels, N), *tz = vae_rows(c, z, N, L), *a = vae_rows(c, x1, N, K), *b = vae_rows(c, x2, N,
        K), *sa = vae_vector(c, s1, N),
              *sb = vae_vector(c, s2, N);
    char *p = NULL, *q = NULL, path[64];
    gm_record r1, r2;
    gm_record_init(&r1, sizeof r1);
    gm_record_init(&r2, sizeof r2);
    sprintf(path, "/tmp/genrep-gan-%ld.safetensors", (long)getpid());
    gan_normal_rows(z[0], N * L, 3);
    gan_must(c, fit(g, d, k, 8, NULL));
    gan_must(c, gm_gan_generate(g, tz, tl, a));
    gan_must(c, gm_gan_discriminate(g, tx, tl, sa));
    for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
        const size_t n = gan_bytes(g, checkpoint, &p);
        ok(n > 0 && gan_read(c, p, n, &u) == GM_OK, "%s: %d bytes read (%s)", k->name, (int)n, gm_context_error(c));
        const size_t m = gan_bytes(u, checkpoint, &q);
        ok(n == m && !memcmp(p, q, n), "written again: the same bytes");
        memset(x2, 0, sizeof x2);
        gan_must(c, gm_gan_generate(u, tz, tl, b));
        gan_must(c, gm_gan_discriminate(u, tx, tl, sb));
        ok(!memcmp(x1, x2, sizeof x1) && !memcmp(s1, s2, sizeof s1), "the loaded one gives the same bits");
        gan_must(c, gm_gan_evaluate(g, d, 2, &r1));
        gan_must(c, gm_gan_evaluate(u, d, 2, &r2));
        ok(r1.d_loss == r2.d_loss && r1.g_loss == r2.g_loss && r1.d_real == r2.d_real && r1.d_fake == r2.d_fake, "the same figures: %g", r1.d_loss);
        ok(gm_gan_step(u, tx, tl, &r2) == GM_OK && r2.step == (checkpoint ? 9 : 1), "and can train, from step %d on (%s)", checkpoint ? 8 : 0,
            gm_context_error(c));
        free(q);
        q = NULL;
        ok(gm_gan_sample(u, NULL, tl, b) == GM_OK && gan_bytes(u, 1, &q) > 0, "sample and be written then (%s)", gm_context_error(c));
        gm_gan_destroy(u);
        ok((checkpoint ? gm_gan_save_checkpoint(g, path) : gm_gan_save(g, path)) == GM_OK && gm_gan_load(c, path, &u) == GM_OK, "by path (%s)",
            gm_context_error(c));
        gm_gan_destroy(u);
        u = NULL;
        as_model(c, p, n);
        free(p);
        free(q);
    }
    remove(path);
    gm_tensor *all[7];
    all[0] = tx, all[1] = tl, all[2] = tz, all[3] = a, all[4] = b, all[5] = sa, all[6] = sb;
    for (int i = 0; i < 7; i++) gm_tensor_destroy(all[i]);
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
}

/* ---- train(2n) is train(n), checkpoint, load, train(n) ---- */

static void resume(const variant *k, int64_t n, gm_simd level)
{
    gm_context *a = vae_context(1, GM_SIMD_BEST), *b = vae_context(3, level);
    gm_dataset *da = dataset(a), *db = dataset(b);
    gm_gan *x = made(a, da, k), *y = made(b, db, k), *z = NULL;
    char *one = NULL, *half = NULL, *two = NULL, *again = NULL;
    whole.n = parts.n = 0;
    whole.skip_until = parts.skip_until = n;
    gan_must(a, fit(x, da, k, 2 * n, &whole));
    gan_must(b, fit(y, db, k, n, &parts));
    const size_t n1 = gan_bytes(x, 1, &one), nh = gan_bytes(y, 1, &half);
    gm_gan_destroy(y);
    if (ok(gan_read(b, half, nh, &z) == GM_OK, "%s, %d steps: the checkpoint loads (%s)", k->name, (int)n, gm_context_error(b))) {
        const size_t na = gan_bytes(z, 1, &again);
        ok(na == nh && !memcmp(again, half, nh), "written again it has the same bytes");
        gan_must(b, fit(z, db, k, 2 * n, &parts));
        const size_t n2 = gan_bytes(z, 1, &two);
        ok(n1 && n1 == n2 && !memcmp(one, two, n1), "checkpoint bytes equal those of the run that did not stop");
        whole.text[whole.n] = parts.text[parts.n] = 0;
        ok(whole.n > 0 && !strcmp(whole.text, parts.text), "the records equal");
        gm_gan_destroy(z);
    }
    free(one);
    free(half);
    free(two);
    free(again);
    gm_gan_destroy(x);
    gm_dataset_destroy(da);
    gm_dataset_destroy(db);
    gm_context_destroy(a);
    gm_context_destroy(b);
}

/* ---- damage ---- */

static void damage(gm_context *c)
{
    gm_dataset *d = dataset(c);
    gm_gan *g = made(c, d, &variants[1]), *u = NULL;
    gan_must(c, fit(g, d, &variants[1], 3, NULL));
    char *p = NULL;
    const size_t n = gan_bytes(g, 1, &p);
    size_t i, accepted = 0, odd = 0;
    for (i = 0; i < n; i += i < 200 ? 1 : 13) {
        gm_status s = gan_read(c, p, i, &u);
        accepted += s == GM_OK || u;
        odd += s != GM_E_FORMAT && s != GM_E_CHECKSUM && s != GM_E_MODEL;
        gm_gan_destroy(u);
    }
    is_int(accepted, 0, "every prefix is refused");
    is_int(odd, 0, "as malformed, damaged or no model");
    for (accepted = i = 0; i < n; i += i < 2000 ? 1 : 7) {
        p[i] ^= (char)(1 << (i % 8));
        accepted += gan_read(c, p, n, &u) == GM_OK;
        gm_gan_destroy(u);
        p[i] ^= (char)(1 << (i % 8));
    }
    is_int(accepted, 0, "every changed byte is noticed");
    free(p);
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
}

static void sign(char *p, size_t n)
{
    static const char key[] = "\"genrep.sha256\":\"";
    gmi_sha256 h;
    uint8_t d[32];
    char hex[65];
    size_t i = 8;
    while (i + sizeof key + 64 < n && memcmp(p + i, key, sizeof key - 1)) i++;
    i += sizeof key - 1;
    memset(p + i, '0', 64);
    gmi_sha256_init(&h);
    gmi_sha256_add(&h, p, n);
    gmi_sha256_end(&h, d);
    gmi_sha256_hex(d, hex);
    memcpy(p + i, hex, 64);
}

/* One text of the header is changed to another of the same length, and the file signed anew. */
static void forged(gm_context *c, const char *file, size_t n, const char *from, const char *to, gm_status want, const char *part)
{
    char *p = malloc(n);
    size_t i = 8, m = strlen(from);
    gm_gan *u = NULL;
    memcpy(p, file, n);
    while (i + m < n && memcmp(p + i, from, m)) i++;
    if (i + m >= n || strlen(to) != m) {
        ok(0, "the test's text %s", from);
        free(p);
        return;
    }
    memcpy(p + i, to, m);
    sign(p, n);
    const gm_status s = gan_read(c, p, n, &u);
    ok(s == want && strstr(gm_context_error(c), part) && !u, "%s for %s: %s", to, from, gm_context_error(c));
    if (s != want) printf("# got %s\n", gm_status_name(s));
    gm_gan_destroy(u);
    free(p);
}

static void forgeries(gm_context *c)
{
    gm_dataset *d = dataset(c);
    gm_gan *g = made(c, d, &variants[1]);
    char *p = NULL;
    gan_must(c, fit(g, d, &variants[1], 8, NULL));
    const size_t n = gan_bytes(g, 1, &p);
    forged(c, p, n, "\"genrep.profile\":\"" PROFILE "\"", "\"genrep.profile\":\"" OTHER_PROFILE "\"", GM_E_VERSION,
        "profile is " OTHER_PROFILE "; this build reads " PROFILE);
    forged(c, p, n, "\"genrep.format\":\"1\"", "\"genrep.format\":\"2\"", GM_E_VERSION, "format is 2");
    forged(c, p, n, "\"genrep.family\":\"gan\"", "\"genrep.family\":\"vae\"", GM_E_MODEL, "family");
    forged(c, p, n, "generator\\\":\\\"dense 8", "generator\\\":\\\"dense 9", GM_E_MODEL, "in the file, its options want");
    forged(c, p, n, "dense 8; batch_norm", "dens 88; batch_norm", GM_E_UNKNOWN, "generator, column 1: \"dens\"");
    forged(c, p, n, "discriminator\\\":\\\"dense 8", "discriminator\\\":\\\"dense 5", GM_E_MODEL, "in the file, its options want");
    forged(c, p, n, "latent_dim\\\":3", "latent_dim\\\":4", GM_E_MODEL, "in the file, its options want");
    forged(c, p, n, "latent_dim\\\":3", "latent_dim\\\":0", GM_E_MODEL, "latent_dim is 0");
    forged(c, p, n, "\\\"relativistic r1", "\\\"relativistik r1", GM_E_MODEL, "loss, column 1");
    forged(c, p, n, "every=4", "every=0", GM_E_MODEL, "every is 0");
    forged(c, p, n, "d_steps\\\":2", "d_steps\\\":0", GM_E_MODEL, "d_steps is 0");
    forged(c, p, n, "condition\\\":\\\"concat", "condition\\\":\\\"conkat", GM_E_MODEL, "condition \"conkat\"");
    forged(c, p, n, "ema_half_life", "ema_halb_life", GM_E_VERSION, "ema_halb_life");
    forged(c, p, n, "\\\"classes\\\":3", "\\\"classes\\\":x", GM_E_MODEL, "genrep.spec");
    forged(c, p, n, "\\\"classes\\\":3", "\\\"classes\\\":0", GM_E_MODEL, "condition concat");
    forged(c, p, n, "\"step\\\":8", "\"step\\\":-", GM_E_MODEL, "genrep.train");
    forged(c, p, n, "\"generator.0.weight\"", "\"generator.0.wEight\"", GM_E_MODEL, "generator.0.weight");
    forged(c, p, n, "\"generator.1.running_mean\"", "\"generator.1.running_m3an\"", GM_E_MODEL, "running_m");
    forged(c, p, n, "train.optimizer1.exp_avg_sq.discriminator.0.bias", "train.optimizer1.exp_avg_sq.discriminator.0.bi4s", GM_E_MODEL, "discriminator.0.bi");
    forged(c, p, n, "train.weights.generator.0.bias", "train.weights.generator.0.bi4s", GM_E_MODEL, "generator.0.bi");
    free(p);
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
}

/* ---- other files, failing reads and writes ---- */

static void other_files(gm_context *c)
{
    gm_gan *u = NULL;
    gm_vae *v = NULL, *w = NULL;
    gm_gan *g = NULL;
    gm_vae_options o;
    gm_spec x;
    char *p = NULL;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 4";
    gan_must(c, gm_vae_create(c, &x, &o, &v));
    size_t n = vae_bytes(v, 0, &p);
    is_int(gan_read(c, p, n, &u), GM_E_MODEL, "a VAE: %s", gm_context_error(c));
    ok(strstr(gm_context_error(c), "family \"vae\", not \"gan\"") && !u, "in words");
    free(p);
    gm_vae_destroy(v);
    gan_must(c, gm_gan_create(c, &x, NULL, &g));
    n = gan_bytes(g, 0, &p);
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    is_int(gm_vae_read(c, &r, &w), GM_E_MODEL, "a GAN as a VAE: %s", gm_context_error(c));
    free(p);
    gm_gan_destroy(g);
    is_int(gm_gan_load(c, "/nonexistent/model", &u), GM_E_IO, "no file: %s", gm_context_error(c));
    is_int(gm_gan_load(c, "/", &u), GM_E_IO, "a folder: %s", gm_context_error(c));
    is_int(gm_gan_load(c, NULL, &u), GM_E_INVALID, "no path: %s", gm_context_error(c));
    is_int(gm_gan_read(c, NULL, &u), GM_E_INVALID, "no reader: %s", gm_context_error(c));
    ok(!u && gm_gan_read(NULL, &r, &u) == GM_E_INVALID && gm_gan_load(c, "x", NULL) == GM_E_INVALID, "and no model");
}

typedef struct stream {
    char *p;
    size_t n, at;
    int calls, fail_at;
} stream;

static gm_status take(void *user, const void *p, size_t n)
{
    stream *s = user;
    if (++s->calls == s->fail_at) return GM_E_CALLBACK;
    if (s->at + n > s->n) return GM_E_LIMIT;
    memcpy(s->p + s->at, p, n);
    s->at += n;
    return GM_OK;
}

static gm_status give(void *user, void *p, size_t n, size_t *got)
{
    stream *s = user;
    if (++s->calls == s->fail_at) return GM_E_CALLBACK;
    *got = n < s->n - s->at ? n : s->n - s->at;
    if (*got > 777) *got = 777; /* short reads */
    memcpy(p, s->p + s->at, *got);
    s->at += *got;
    return GM_OK;
}

static void failing(gm_context *c)
{
    gm_dataset *d = dataset(c);
    gm_gan *g = made(c, d, &variants[1]), *u = NULL, *twin = made(c, d, &variants[1]);
    char *p = NULL;
    gan_must(c, fit(g, d, &variants[1], 5, NULL));
    gan_must(c, fit(twin, d, &variants[1], 5, NULL));
    const size_t n = gan_bytes(g, 1, &p);
    stream s;
    gm_writer w;
    gm_reader r;
    int writes = 0, reads = 0, bad = 0;
    memset(&s, 0, sizeof s);
    s.p = malloc(n);
    s.n = n;
    for (s.fail_at = 1;; s.fail_at++) {
        gm_writer_init(&w, sizeof w);
        w.write = take;
        w.user = &s;
        s.calls = 0;
        s.at = 0;
        const gm_status st = gm_gan_write_checkpoint(g, &w);
        if (!st) break;
        bad += st != GM_E_CALLBACK && st != GM_E_IO;
        writes++;
    }
    ok(writes > 0 && !bad && s.at == n && !memcmp(s.p, p, n), "each of %d writes failed in turn; then the same bytes", writes);
    for (s.fail_at = 1;; s.fail_at++) {
        gm_reader_init(&r, sizeof r);
        r.read = give;
        r.user = &s;
        s.calls = 0;
        s.at = 0;
        const gm_status st = gm_gan_read(c, &r, &u);
        if (!st) break;
        bad += (st != GM_E_CALLBACK && st != GM_E_IO) || u;
        reads++;
    }
    ok(reads > 3 && !bad, "each of %d reads failed in turn, and made no model", reads);
    ok(gan_same(g, u) && gan_same(g, twin), "what came of it is the model, and the model is as it was");
    gm_gan_destroy(u);
    gm_gan_destroy(twin);
    gm_gan_destroy(g);
    gm_dataset_destroy(d);
    free(p);
    free(s.p);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    gan_normal_rows(rows[0], N * K, 6);
    for (int i = 0; i < N; i++) labels[i] = i * 5 % 3;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        round_trip(c, &variants[i]);
        resume(&variants[i], 7, GM_SIMD_SCALAR);  /* in the middle of an epoch */
        resume(&variants[i], 103, GM_SIMD_BEST);  /* past validations */
    }
    damage(c);
    forgeries(c);
    other_files(c);
    failing(c);
    gm_context_destroy(c);
    return done();
}
