/* SPDX-License-Identifier: MIT */
/* test_model_file.c: files of a gm_model: calibration in them, files of versions that did not name their producer, layer words that are not known, files that
 * are damaged or lie, and memory that runs out at any moment. */
#include "model_util.h"
#include <unistd.h>

enum { N = 12, K = 3, L = 2 };
static float rows[N][K];

static gm_vae *make(gm_context *c, const char *encoder)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_tensor *t = vae_rows(c, rows, N, K);
    gm_dataset *d = NULL;
    gm_fit_options f;
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = 2;
    f.validation_fraction = 0;
    vae_spec(&x, GM_F32, GM_SCALE_STANDARD, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = encoder;
    o.decoder = "dense 4; tanh";
    o.latent_dim = L;
    must(gm_vae_create(c, &x, &o, &v));
    must(gm_dataset_from_tensor(t, NULL, NULL, &d));
    must(gm_vae_fit(v, d, &f));
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    return v;
}

static gm_status encode(gm_context *c, const gm_model *m, float z[N][L])
{
    gmi_core *core = NULL;
    gm_tensor *x = vae_rows(c, rows, N, K), *t = vae_rows(c, z, N, L);
    gm_status s = x && t ? gmi_model_instance(c, m, &core) : GM_E_NOMEM;
    if (!s) s = gm_vae_encode((gm_vae *)core, x, NULL, t, NULL);
    gm_vae_destroy((gm_vae *)core);
    gm_tensor_destroy(x);
    gm_tensor_destroy(t);
    return s;
}

/* m with a density of its own: mean (1, -2), precision ((2, 0.5), (0.5, 4)). */
static const gm_model *calibrated(gm_context *c, const gm_model *m)
{
    static const double mean[L] = {1, -2}, precision[L * L] = {2, 0.5, 0.5, 4};
    const gm_model *out = NULL;
    gmi_calibration k;
    memset(&k, 0, sizeof k);
    k.score = GM_SCORE_MAHALANOBIS;
    k.samples = 8;
    k.seed = 0xfedcba9876543210u;
    k.alpha = 0.05;
    k.threshold = 1.0 / 3;
    k.rows = 99;
    k.dim = L;
    k.mean = gmi_alloc(c, sizeof mean);
    k.precision = gmi_alloc(c, sizeof precision);
    memcpy(k.mean, mean, sizeof mean);
    memcpy(k.precision, precision, sizeof precision);
    must(gmi_model_with_calibration(c, m, &k, &out));
    return out;
}

/* ---- calibration ---- */

static void calibration(gm_context *c)
{
    static float z1[N][L], z2[N][L];
    gm_context *other = vae_context(1, GM_SIMD_BEST);
    gm_vae *v = make(c, "dense 4; batch_norm; tanh"), *u = NULL;
    const gm_model *m = NULL, *k = NULL, *f = NULL, *h = NULL;
    gm_info i;
    char *p = NULL, *q = NULL, *plain = NULL, *text = NULL;
    i.size = sizeof i;
    must(gm_vae_snapshot(v, &m));
    k = calibrated(other, m); /* in a context of its own */
    ok(!gm_model_info(m, &i) && !i.calibrated, "the model itself stays as it was");
    gm_model_destroy(m);
    gm_context_destroy(c);
    ok(!gm_model_info(k, &i) && i.calibrated && i.score == GM_SCORE_MAHALANOBIS && i.threshold == 1.0 / 3 && i.false_positive_rate == 0.05, "the other has a threshold");
    size_t n = model_bytes(other, k, 0, &p), np = vae_bytes(v, 0, &plain);
    ok(n > np && strstr(p + 8, "\"genrep.calibration\":\"{\\\"score\\\":\\\"mahalanobis\\\",\\\"samples\\\":8,\\\"seed\\\":\\\"18364758544493064720\\\",\\\"alpha\\\":0.05,"
                               "\\\"threshold\\\":0.3333333333333333,\\\"rows\\\":99,\\\"dim\\\":2}\""),
       "and takes it into its file");
    ok(model_from(other, p, n, GM_USE_ALL, &f) == GM_OK, "which is read (%s)", gm_context_error(other));
    ok(!gm_model_info(f, &i) && i.calibrated && i.score == GM_SCORE_MAHALANOBIS && i.threshold == 1.0 / 3 && i.false_positive_rate == 0.05, "with the threshold");
    const gmi_calibration *g = &f->calibration;
    ok(g->samples == 8 && g->seed == 0xfedcba9876543210u && g->rows == 99 && g->dim == L && g->mean[0] == 1 && g->mean[1] == -2 && g->precision[0] == 2 &&
           g->precision[1] == 0.5 && g->precision[2] == 0.5 && g->precision[3] == 4,
       "and all of the density");
    size_t nq = model_bytes(other, f, 0, &q);
    ok(nq == n && !memcmp(p, q, n), "written again: the same bytes");
    ok(model_from(other, p, n, 0, &h) == GM_OK && !gm_model_info(h, &i) && i.calibrated && i.threshold == 1.0 / 3, "a header tells it");
    ok(model_bytes(other, h, 1, &text) &&
           strstr(text, "\nthreshold\n  mahalanobis above 0.3333333333333333 is an anomaly; 0.05 of normal data at most, from 99 held-out rows, 8 draws, seed "),
       "for people too");
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    ok(gm_vae_read(other, &r, &u) == GM_OK, "a VAE is read from it (%s)", gm_context_error(other));
    free(q);
    nq = vae_bytes(u, 0, &q);
    ok(nq == np && !memcmp(q, plain, np), "and knows nothing of it");
    ok(encode(other, k, z1) == GM_OK && encode(other, f, z2) == GM_OK && !memcmp(z1, z2, sizeof z1), "the weights are the same");
    free(p);
    free(q);
    free(plain);
    free(text);
    gm_model_destroy(f);
    gm_model_destroy(h);
    gm_model_destroy(k);
    gm_vae_destroy(u);
    gm_vae_destroy(v);
    gm_context_destroy(other);
}

/* ---- files that lie ---- */

static void lie(gm_context *c, const char *file, size_t n, const char *from, const char *to, gm_status want, gm_status header, const char *part)
{
    char *p = forge(file, n, from, to);
    const gm_model *m = NULL, *h = NULL;
    gm_vae *u = NULL;
    gm_reader r;
    if (!ok(p != NULL, "the file has %s", from)) return;
    gm_status s = model_from(c, p, n, GM_USE_ALL, &m);
    ok(s == want && !m && strstr(gm_context_error(c), part), "%s for %s: %s", from, to, gm_context_error(c));
    s = model_from(c, p, n, 0, &h);
    is_int(s, header, "its header alone: %s", gm_context_error(c));
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    s = gm_vae_read(c, &r, &u);
    ok(s == want || (s == GM_OK && strstr(part, "calibration")), "and as a VAE: %s", gm_context_error(c));
    gm_vae_destroy(u);
    gm_model_destroy(m);
    gm_model_destroy(h);
    free(p);
}

static void lies(gm_context *c)
{
    gm_vae *v = make(c, "dense 4; batch_norm; tanh");
    const gm_model *m = NULL, *k;
    char *p = NULL, *copy;
    must(gm_vae_snapshot(v, &m));
    k = calibrated(c, m);
    size_t n = model_bytes(c, k, 0, &p), i;
#define REFUSED(from, to, part) lie(c, p, n, from, to, GM_E_MODEL, GM_E_MODEL, part)
    REFUSED("mahalanobis", "nahalanobis", "the value of \"score\" is not valid");
    REFUSED("\\\"score\\\":\\\"mahalanobis\\\"", "\\\"score\\\":\\\"residual\\\"   ", "score residual");
    REFUSED("\\\"samples\\\":8", "\\\"samples\\\":0", "samples 0");
    REFUSED("\\\"alpha\\\":0.05", "\\\"alpha\\\":1.05", "alpha 1.05");
    REFUSED("\\\"alpha\\\":0.05", "\\\"alpha\\\":null", "alpha nan");
    REFUSED("\\\"threshold\\\":0.3333333333333333", "\\\"threshold\\\":null              ", "threshold nan");
    REFUSED("\\\"rows\\\":99", "\\\"rows\\\":-9", "rows -9");
    REFUSED("\\\"dim\\\":2", "\\\"dim\\\":3", "its calibration wants F64 of 1 dimensions, 3 in each");
    REFUSED("\\\"dim\\\":2", "\\\"dim\\\":0", "calibration.mean\" has no place");
    REFUSED("\"calibration.mean\"", "\"calibratiom.mean\"", "no tensor \"calibration.mean\"");
    REFUSED("\"calibration.precision\"", "\"calibration.precisiom\"", "no tensor \"calibration.precision\"");
    REFUSED("\"genrep.calibration\"", "\"genrep.calibratiom\"", "has no place in the model");
    lie(c, p, n, "\\\"rows\\\":99", "\\\"r0ws\\\":99", GM_E_VERSION, GM_E_VERSION, "\"r0ws\", which this version does not know");
    REFUSED("\"genrep.family\":\"vae\"", "\"genrep.family\":\"gym\"", "family");
    REFUSED("\"mean.weight\"", "\"mean.wEight\"", "mean.weight");
    REFUSED("\"output.bias\"", "\"train.bi.as\"", "output.bias");
    REFUSED("latent_dim\\\":2", "latent_dim\\\":3", "in the file, its options want");
    REFUSED("dense 4; batch_norm", "dense 5; batch_norm", "its options want");
    lie(c, p, n, "dense 4; batch_norm", "dense 4; batch_n0rm", GM_E_UNKNOWN, GM_OK, "batch_n0rm");
    lie(c, p, n, "\"genrep.format\":\"1\"", "\"genrep.format\":\"2\"", GM_E_VERSION, GM_E_VERSION, "format is 2");
    copy = malloc(n);
    memcpy(copy, p, n);
    for (i = 8; i + 16 < n && memcmp(copy + i, "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x00\xc0", 16);) i++; /* the mean, 1 and -2 */
    ok(i + 16 < n, "the mean is there");
    memcpy(copy + i + 6, "\xf0\x7f", 2);
    sign(copy, n);
    gm_model_destroy(m);
    m = NULL;
    is_int(model_from(c, copy, n, GM_USE_ALL, &m), GM_E_MODEL, "an infinite mean: %s", gm_context_error(c));
    memcpy(copy + i + 6, "\xf0\x3f", 2);
    for (i = 8; i + 16 < n && memcmp(copy + i, "\0\0\0\0\0\0\x00\x40\0\0\0\0\0\0\xe0\x3f", 16);) i++; /* 2, 0.5 */
    ok(i + 16 < n, "the precision is there");
    copy[i + 7] = (char)0xc0;
    sign(copy, n);
    is_int(model_from(c, copy, n, GM_USE_ALL, &m), GM_E_MODEL, "a negative precision: %s", gm_context_error(c));
    copy[i + 7] = 0x40;
    sign(copy, n);
    ok(!memcmp(copy, p, n) && model_from(c, copy, n, GM_USE_ALL, &m) == GM_OK, "undone: it is read");
    free(copy);
    free(p);
    gm_model_destroy(m);
    gm_model_destroy(k);
    gm_vae_destroy(v);
}

/* A checkpoint's own tensors are passed over, a model file may have none; its counters are looked at. */
static void checkpoints(gm_context *c)
{
    gm_vae *v = make(c, "dense 4; tanh");
    const gm_model *m = NULL;
    gm_info f;
    char *p = NULL, *q;
    size_t n = vae_bytes(v, 1, &p);
    f.size = sizeof f;
    ok((q = forge(p, n, "\"step\\\":2", "\"step\\\":7")) && model_from(c, q, n, 0, &m) == GM_OK && !gm_model_info(m, &f) && f.steps == 7, "the steps are the file's");
    free(q);
    gm_model_destroy(m);
    ok((q = forge(p, n, "\"step\\\":2", "\"stop\\\":2")) && model_from(c, q, n, 0, &m) == GM_E_MODEL, "none: %s", gm_context_error(c));
    free(q);
    ok((q = forge(p, n, "\"examples\\\":24,", "\"examples\\\":-9,")) && model_from(c, q, n, GM_USE_ALL, &m) == GM_OK, "what only training reads does not matter here (%s)",
       gm_context_error(c));
    free(q);
    gm_model_destroy(m);
    ok((q = forge(p, n, "\"genrep.train\"", "\"genrep.trajn\"")) && model_from(c, q, n, GM_USE_ALL, &m) == GM_E_MODEL && strstr(gm_context_error(c), "no place"),
       "without it train. tensors have no place: %s", gm_context_error(c));
    free(q);
    ok((q = forge(p, n, "\"genrep.producer\"", "\"genrep.Producer\"")) && model_from(c, q, n, 0, &m) == GM_OK && !gm_model_info(m, &f) && !strcmp(f.made_by, ""),
       "a file that does not name its producer");
    free(q);
    gm_model_destroy(m);
    free(p);
    gm_vae_destroy(v);
}

/* Files from before the producer was named are written again as they were. */
static void unnamed(gm_context *c)
{
    gm_vae *v = make(c, "dense 4; tanh"), *u = NULL;
    const gm_model *m = NULL, *k = NULL;
    gm_info f;
    gm_reader r;
    char *p = NULL, *q = NULL;
    f.size = sizeof f;
    must(gm_vae_snapshot(v, &m));
    gm_model *bare = NULL; /* the same without a producer, as such a file gives it */
    must(gmi_model_new(c, m->kind, &m->x, m->options, "", &bare));
    must(gmi_scaler_copy(c, &m->scaler, &bare->scaler));
    must(gmi_model_tensors_room(bare, m->n_tensors));
    int32_t t;
    for (t = 0; t < m->n_tensors; t++) must(gmi_model_add_tensor(bare, m->tensors[t].name, m->tensors[t].rank, m->tensors[t].dims, m->tensors[t].kind));
    bare->weights = m->weights;
    gmi_params_retain(m->weights);
    size_t n = model_bytes(c, bare, 0, &p), k2;
    ok(n > 0 && model_from(c, p, n, GM_USE_ALL, &k) == GM_OK && !gm_model_info(k, &f) && f.made_by[0] == 0, "read (%s)", gm_context_error(c));
    k2 = model_bytes(c, k, 0, &q);
    ok(k2 == n && !memcmp(p, q, n), "written again: the same bytes");
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    ok(gm_vae_read(c, &r, &u) == GM_OK, "a VAE is read from it (%s)", gm_context_error(c));
    free(p);
    free(q);
    gmi_model_release(bare);
    gm_model_destroy(m);
    gm_model_destroy(k);
    gm_vae_destroy(u);
    gm_vae_destroy(v);
}

/* ---- layers that are not known ---- */

static gm_node twice(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    (void)user;
    (void)cond;
    return gm_op_scale(g, x, n ? args[0] : 2);
}

static void words(gm_context *c)
{
    static float z1[N][L], z2[N][L];
    gm_context *other = vae_context(1, GM_SIMD_BEST);
    gm_layer_class k;
    const gm_model *m = NULL, *h = NULL;
    gm_info f;
    char *p = NULL, *text = NULL;
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "twice";
    k.build = twice;
    must(gm_layer_register(c, &k));
    f.size = sizeof f;
    gm_vae *v = make(c, "dense 4; twice 3");
    size_t n = vae_bytes(v, 0, &p);
    is_int(model_from(other, p, n, GM_USE_DECODE, &m), GM_E_UNKNOWN, "a context that lacks a word: %s", gm_context_error(other));
    ok(model_from(other, p, n, 0, &h) == GM_OK, "has the header (%s)", gm_context_error(other));
    ok(!gm_model_info(h, &f) && f.parameters == -1 && f.latent_dim == L && strstr(f.options, "twice 3"), "without a number of parameters");
    ok(model_bytes(other, h, 1, &text) && strstr(text, "\nencoder.0.weight  [4,3]                          48\n") && strstr(text, "layers not known here"),
       "and its tensors");
    must(model_from(c, p, n, GM_USE_ALL, &m));
    is_int(encode(other, m, z2), GM_E_UNKNOWN, "a model of a context that knows it has no instance there: %s", gm_context_error(other));
    ok(strstr(gm_context_error(other), "twice") != NULL, "the word is named");
    ok(gm_layer_register(other, &k) == GM_OK && encode(other, m, z2) == GM_OK && encode(c, m, z1) == GM_OK && !memcmp(z1, z2, sizeof z1), "with it, it has (%s)",
       gm_context_error(other));
    free(p);
    free(text);
    gm_model_destroy(m);
    gm_model_destroy(h);
    gm_vae_destroy(v);
    gm_context_destroy(other);
    gm_context_destroy(c);
}

/* ---- damage ---- */

/* What is accepted can be shown, and used or refused. */
static void try_all(gm_context *c, const gm_model *m)
{
    static float z[N][L];
    char *text = NULL;
    gm_info f;
    f.size = sizeof f;
    (void)!gm_model_info(m, &f);
    model_bytes(c, m, 1, &text);
    free(text);
    model_bytes(c, m, 0, &text);
    free(text);
    (void)!encode(c, m, z);
}

static int known_failure(gm_status s)
{
    return s == GM_E_FORMAT || s == GM_E_CHECKSUM || s == GM_E_MODEL || s == GM_E_VERSION || s == GM_E_UNKNOWN || s == GM_E_UNSUPPORTED || s == GM_E_LIMIT;
}

static void damage(gm_context *c, int checkpoint)
{
    gm_vae *v = make(c, "dense 4; batch_norm; tanh");
    const gm_model *m = NULL, *k = NULL;
    char *p = NULL, *q = NULL;
    size_t n, i, accepted = 0, odd = 0, header = 0, resigned = 0;
    static const int32_t uses[] = {0, GM_USE_DECODE, GM_USE_ALL};
    int u;
    must(gm_vae_snapshot(v, &m));
    k = calibrated(c, m);
    n = checkpoint ? vae_bytes(v, 1, &p) : model_bytes(c, k, 0, &p);
    q = malloc(n);
    gm_model_destroy(m);
    for (i = 0; i < n; i += i < 200 ? 1 : 7)
        for (u = 0; u < 3; u++) {
            gm_status s = model_from(c, p, i, uses[u], &m);
            accepted += s == GM_OK;
            odd += !known_failure(s);
            gm_model_destroy(m);
        }
    is_int(accepted + odd, 0, "every prefix of %d bytes is refused", (int)n);
    for (i = 0; i < n; i += i < 4500 ? 1 : 9) {
        u = (int)(i % 3);
        memcpy(q, p, n);
        q[i] ^= (char)(1 << (i / 3 % 8));
        gm_status s = model_from(c, q, n, uses[u], &m);
        accepted += s == GM_OK && uses[u];
        header += s == GM_OK && !uses[u];
        odd += s && !known_failure(s);
        if (!s) try_all(c, m);
        gm_model_destroy(m);
        sign(q, n); /* and with a digest that is right */
        s = model_from(c, q, n, GM_USE_ALL, &m);
        resigned += s == GM_OK;
        odd += s && !known_failure(s);
        if (!s) try_all(c, m);
        gm_model_destroy(m);
    }
    is_int(accepted, 0, "every changed byte is noticed when weights are read");
    ok(header > 0 && resigned > 0, "a header alone may lie (%d), and what is signed (%d): both can be used or refused", (int)header, (int)resigned);
    is_int(odd, 0, "no other failures");
    free(p);
    free(q);
    gm_model_destroy(k);
    gm_vae_destroy(v);
}

/* A header reads no data: a stream that ends behind it is enough. */
typedef struct stream {
    const char *p;
    size_t n, at;
} stream;

static gm_status give(void *user, void *to, size_t n, size_t *got)
{
    stream *s = user;
    *got = s->n - s->at < n ? s->n - s->at : n;
    memcpy(to, s->p + s->at, *got);
    s->at += *got;
    return GM_OK;
}

static void sources(gm_context *c)
{
    gm_vae *v = make(c, "dense 4; tanh");
    const gm_model *m = NULL, *k = NULL;
    gm_writer w;
    gm_reader r;
    stream s = {NULL, 0, 0};
    char *p = NULL, *q = NULL, path[64];
    size_t n = vae_bytes(v, 0, &p);
    sprintf(path, "/tmp/genrep-model-%ld.safetensors", (long)getpid());
    must(gm_vae_snapshot(v, &m));
    gm_writer_init(&w, sizeof w);
    w.path = path;
    ok(gm_model_write(c, m, &w) == GM_OK && gm_model_load(c, path, GM_USE_ALL, &k) == GM_OK, "to a path and back (%s)", gm_context_error(c));
    ok(model_bytes(c, k, 0, &q) == n && !memcmp(p, q, n), "the bytes of gm_vae_write");
    gm_model_destroy(k);
    remove(path);
    gm_reader_init(&r, sizeof r);
    r.read = give;
    r.user = &s;
    s.p = p;
    s.n = n;
    ok(gm_model_read(c, &r, GM_USE_SCORE, &k) == GM_OK && s.at == n, "from a stream, to its end (%s)", gm_context_error(c));
    gm_model_destroy(k);
    s.at = 0;
    s.n = 8 + (size_t)(unsigned char)p[8 - 8] + 256 * (size_t)(unsigned char)p[1] + 65536 * (size_t)(unsigned char)p[2];
    ok(gm_model_read(c, &r, 0, &k) == GM_OK && s.at == s.n, "its header from a stream that ends there (%s)", gm_context_error(c));
    gm_model_destroy(k);
    k = m;
    is_int(gm_model_load(c, "/nonexistent/model", GM_USE_ALL, &k), GM_E_IO, "no file: %s", gm_context_error(c));
    ok(k == NULL, "and no model");
    ok(gm_model_load(c, NULL, 7, &k) == GM_E_INVALID && gm_model_read(c, NULL, 7, &k) == GM_E_INVALID && gm_model_read(NULL, &r, 7, &k) == GM_E_INVALID &&
           gm_model_read(c, &r, 7, NULL) == GM_E_INVALID && gm_vae_snapshot(NULL, &k) == GM_E_INVALID && gm_vae_snapshot(v, NULL) == GM_E_INVALID,
       "NULL");
    free(p);
    free(q);
    gm_model_destroy(m);
    gm_vae_destroy(v);
}

/* ---- memory ---- */

enum { LOAD, LOAD_PART, HEADER, CHECKPOINT, SNAPSHOT, WRITE, PRINT, INSTANCE, CALIBRATED, KINDS };
static const char *const kind_names[] = {"load", "load of a part", "header", "checkpoint", "snapshot", "write", "print", "instance", "calibration"};

typedef struct story {
    gm_context *c;
    gm_vae *v;
    const gm_model *m;
    char *file[2], room[8192];
    size_t n[2];
    float z[N][L];
} story;

static gm_status act(story *s, int kind, const gm_model **out)
{
    gm_writer w;
    gmi_core *core = NULL;
    gmi_calibration k;
    gm_status st;
    gm_writer_init(&w, sizeof w);
    w.memory = s->room;
    w.capacity = sizeof s->room;
    memset(s->room, 0, sizeof s->room);
    switch (kind) {
    case LOAD: return model_from(s->c, s->file[0], s->n[0], GM_USE_ALL, out);
    case LOAD_PART: return model_from(s->c, s->file[0], s->n[0], GM_USE_ENCODE, out);
    case HEADER: return model_from(s->c, s->file[0], s->n[0], 0, out);
    case CHECKPOINT: return model_from(s->c, s->file[1], s->n[1], GM_USE_ALL, out);
    case SNAPSHOT: return gm_vae_snapshot(s->v, out);
    case WRITE: return gm_model_write(s->c, s->m, &w);
    case PRINT: return gm_model_print(s->c, s->m, &w);
    case INSTANCE:
        st = gmi_model_instance(s->c, s->m, &core);
        gm_vae_destroy((gm_vae *)core);
        return st;
    default:
        k = s->m->calibration;
        k.mean = k.precision = NULL;
        k.dim = 0;
        return gmi_model_with_calibration(s->c, s->m, &k, out);
    }
}

static void short_memory(void)
{
    counting mem;
    story s;
    int kind;
    memset(&s, 0, sizeof s);
    s.c = counted_context(&mem);
    s.v = make(s.c, "dense 4; batch_norm; tanh");
    const gm_model *m = NULL;
    must(gm_vae_snapshot(s.v, &m));
    s.m = calibrated(s.c, m);
    gm_model_destroy(m);
    s.n[0] = model_bytes(s.c, s.m, 0, &s.file[0]);
    s.n[1] = vae_bytes(s.v, 1, &s.file[1]);
    for (kind = 0; kind < KINDS; kind++) {
        char room[sizeof s.room];
        int failed = 0, bad = 0;
        size_t n;
        m = NULL;
        must(act(&s, kind, &m));
        gm_model_destroy(m);
        memcpy(room, s.room, sizeof room);
        for (n = 1;; n++) {
            const size_t live = mem.live;
            m = NULL;
            mem.fail_at = mem.calls + n;
            gm_status st = act(&s, kind, &m);
            mem.fail_at = 0;
            if (st) bad += m != NULL || st != GM_E_NOMEM || !gm_context_error(s.c)[0];
            gm_model_destroy(m);
            bad += mem.live != live;
            if (!st) break;
            failed++;
            m = NULL;
            bad += act(&s, kind, &m) != GM_OK || memcmp(room, s.room, sizeof room) != 0; /* at once again */
            gm_model_destroy(m);
        }
        ok(failed > 2 && !bad, "%s: %d allocations failed in turn, nothing leaks, the next call is as ever (%s)", kind_names[kind], failed, gm_context_error(s.c));
    }
    free(s.file[0]);
    free(s.file[1]);
    gm_model_destroy(s.m);
    gm_vae_destroy(s.v);
    gm_context_destroy(s.c);
    is_int(mem.live, 0, "all is given back");
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    uint32_t seed = 3;
    int i;
    for (i = 0; i < N * K; i++) ((float *)rows)[i] = (float)(vae_random(&seed) * (i % K + 1));
    calibration(vae_context(1, GM_SIMD_BEST));
    lies(c);
    checkpoints(c);
    unnamed(c);
    words(vae_context(1, GM_SIMD_BEST));
    damage(c, 0);
    damage(c, 1);
    sources(c);
    short_memory();
    gm_context_destroy(c);
    return done();
}
