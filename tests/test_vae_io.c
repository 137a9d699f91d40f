/* SPDX-License-Identifier: MIT */
/* test_vae_io.c: model files and checkpoints: the same model after saving and loading, the same bytes, every damaged byte refused, other files refused with
 * words, own layer words, data in other units; and the messages of refused arguments. */
#include "model_util.h"
#include <unistd.h>

enum { N = 40, K = 5 };
static float rows[N][K];
static int32_t labels[N];

static gm_status read_bytes(gm_context *c, const char *p, size_t n, gm_vae **v)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    return gm_vae_read(c, &r, v);
}

static gm_dataset *dataset(gm_context *c, int conditional)
{
    gm_tensor *t = vae_rows(c, rows, N, K), *l = vae_labels(c, labels, N);
    gm_dataset *d = NULL;
    if (gm_dataset_from_tensor(t, conditional ? l : NULL, NULL, &d)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    gm_tensor_destroy(t);
    gm_tensor_destroy(l);
    return d;
}

static gm_vae *trained(gm_context *c, gm_dataset *d, int conditional)
{
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 6; batch_norm; tanh";
    o.decoder = "dense 6; tanh";
    o.latent_dim = 2;
    o.variance = "dimension";
    o.ema_half_life = 64;
    o.condition = conditional ? "concat" : "";
    o.seed = 0xfedcba9876543210u;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 16;
    f.max_steps = 8;
    f.validation_fraction = 0;
    if (gm_vae_create(c, gm_dataset_spec(d), &o, &v) || gm_vae_fit(v, d, &f)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    return v;
}

static void round_trip(gm_context *c, int conditional)
{
    static float z1[N][2], z2[N][2], l1[N][2], l2[N][2], x1[N][K], x2[N][K];
    gm_dataset *d = dataset(c, conditional);
    gm_vae *v = trained(c, d, conditional), *u = NULL;
    gm_tensor *tx = vae_rows(c, rows, N, K), *tl = vae_labels(c, labels, N), *a = vae_rows(c, z1, N, 2), *b = vae_rows(c, z2, N, 2), *e = vae_rows(c, l1, N, 2),
              *f = vae_rows(c, l2, N, 2), *g = vae_rows(c, x1, N, K), *h = vae_rows(c, x2, N, K), *cond = conditional ? tl : NULL;
    char *p = NULL, *q = NULL, path[64];
    size_t n, m;
    int checkpoint;
    gm_record r1, r2;
    gm_record_init(&r1, sizeof r1);
    gm_record_init(&r2, sizeof r2);
    sprintf(path, "/tmp/genrep-test-%ld.safetensors", (long)getpid());
    ok(gm_vae_encode(v, tx, cond, a, e) == GM_OK && gm_vae_decode(v, a, cond, GM_DRAW_SAMPLE, 3, g) == GM_OK, "encode, decode (%s)", gm_context_error(c));
    for (checkpoint = 0; checkpoint < 2; checkpoint++) {
        n = vae_bytes(v, checkpoint, &p);
        ok(n > 0, "written: %d bytes", (int)n);
        ok(read_bytes(c, p, n, &u) == GM_OK, "read (%s)", gm_context_error(c));
        m = vae_bytes(u, checkpoint, &q);
        ok(n == m && !memcmp(p, q, n), "written again: the same bytes");
        memset(z2, 0, sizeof z2);
        ok(gm_vae_encode(u, tx, cond, b, f) == GM_OK && gm_vae_decode(u, b, cond, GM_DRAW_SAMPLE, 3, h) == GM_OK, "the loaded one works (%s)", gm_context_error(c));
        ok(!memcmp(z1, z2, sizeof z1) && !memcmp(l1, l2, sizeof l1) && !memcmp(x1, x2, sizeof x1), "and gives the same bits");
        ok(gm_vae_evaluate(v, d, 2, &r1) == GM_OK && gm_vae_evaluate(u, d, 2, &r2) == GM_OK && r1.objective == r2.objective && r1.active_units == r2.active_units,
           "the same figures: %g", r1.objective);
        ok(gm_vae_step(u, tx, cond, &r2) == GM_OK, "and can train (%s)", gm_context_error(c));
        ok((checkpoint ? gm_vae_save_checkpoint(v, path) : gm_vae_save(v, path)) == GM_OK, "to a path (%s)", gm_context_error(c));
        gm_vae_destroy(u);
        ok(gm_vae_load(c, path, &u) == GM_OK, "and back (%s)", gm_context_error(c));
        gm_vae_destroy(u);
        u = NULL;
        free(p);
        free(q);
    }
    remove(path);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(a);
    gm_tensor_destroy(b);
    gm_tensor_destroy(e);
    gm_tensor_destroy(f);
    gm_tensor_destroy(g);
    gm_tensor_destroy(h);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

/* What inference and files see with an average on: d w0 + (1 - d) w1 after one step, d = 2^(-n / half life). */
static void average(gm_context *c)
{
    gm_dataset *d = dataset(c, 1);
    gm_vae_options o;
    gm_vae *v = NULL, *u = NULL;
    gm_record r;
    gm_tensor *x = vae_rows(c, rows, N, K), *l = vae_labels(c, labels, N), *t = NULL, *w = NULL;
    float w0[6 * (K + 3)], z[2][N][2];
    double off = 0, moved = 0, keep = exp2(-N / 64.0);
    char *p = NULL;
    size_t n;
    int i;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 6; relu";
    o.latent_dim = 2;
    o.ema_half_life = 64;
    o.condition = "concat";
    gm_record_init(&r, sizeof r);
    gm_status s = gm_vae_create(c, gm_dataset_spec(d), &o, &v);
    if (!s) s = gm_params_view(gm_vae_params(v), "encoder.0.weight", &t);
    if (!s) memcpy(w0, gm_tensor_data_const(t), sizeof w0);
    if (!s) s = gm_vae_step(v, x, l, &r);
    n = s ? 0 : vae_bytes(v, 0, &p);
    if (!s) s = read_bytes(c, p, n, &u);
    if (!s) s = gm_params_view(gm_vae_params(u), "encoder.0.weight", &w);
    for (i = 0; !s && i < (int)(sizeof w0 / sizeof w0[0]); i++) {
        double w1 = (double)((const float *)gm_tensor_data_const(t))[i], a = (double)((const float *)gm_tensor_data_const(w))[i];
        off = fmax(off, fabs(a - (keep * (double)w0[i] + (1 - keep) * w1)));
        moved = fmax(moved, fabs(a - w1));
    }
    ok(!s && off < 1e-6 && moved > 1e-5, "the average after a step: off by %g, %g from the weights (%s)", off, moved, gm_context_error(c));
    for (i = 0; !s && i < 2; i++) { /* labels matter */
        gm_tensor *e = vae_rows(c, z[i], N, 2);
        s = gm_vae_encode(v, x, l, e, NULL);
        gm_tensor_destroy(e);
        labels[7] = (labels[7] + 1) % 3;
    }
    labels[7] = 7 % 3;
    ok(!s && memcmp(z[0][7], z[1][7], sizeof z[0][7]) && !memcmp(z[0][8], z[1][8], sizeof z[0][8]), "the code depends on the row's label");
    free(p);
    gm_tensor_destroy(x);
    gm_tensor_destroy(l);
    gm_tensor_destroy(t);
    gm_tensor_destroy(w);
    gm_vae_destroy(v);
    gm_vae_destroy(u);
    gm_dataset_destroy(d);
}

/* Every prefix is refused; every single changed byte is refused (the digest), except what leaves a file of other rules valid: none. */
static void damage(gm_context *c)
{
    gm_dataset *d = dataset(c, 0);
    gm_vae *v = trained(c, d, 0), *u = NULL;
    char *p = NULL;
    size_t n = vae_bytes(v, 1, &p), i, accepted = 0, odd = 0;
    for (i = 0; i < n; i += i < 200 ? 1 : 7) {
        gm_status s = read_bytes(c, p, i, &u);
        accepted += s == GM_OK;
        odd += s != GM_E_FORMAT && s != GM_E_CHECKSUM && s != GM_E_MODEL;
        gm_vae_destroy(u);
    }
    is_int(accepted, 0, "every prefix is refused");
    is_int(odd, 0, "as malformed, damaged or no model");
    for (accepted = i = 0; i < n; i += i < 4000 ? 1 : 5) {
        p[i] ^= (char)(1 << (i % 8));
        accepted += read_bytes(c, p, n, &u) == GM_OK;
        gm_vae_destroy(u);
        p[i] ^= (char)(1 << (i % 8));
    }
    is_int(accepted, 0, "every changed byte is noticed");
    free(p);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

/* ---- a file whose words this context does not know ---- */

static gm_node twice(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    (void)user;
    (void)cond;
    return gm_op_scale(g, x, n ? args[0] : 2);
}

static void own_words(gm_context *c)
{
    gm_context *other = vae_context(1, GM_SIMD_BEST);
    gm_layer_class k;
    gm_vae_options o;
    gm_spec x;
    gm_vae *v = NULL, *u = NULL;
    char *p = NULL;
    size_t n;
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "twice";
    k.build = twice;
    ok(gm_layer_register(c, &k) == GM_OK, "an own layer (%s)", gm_context_error(c));
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 4; twice 3";
    o.decoder = "dense 4; relu";
    ok(gm_vae_create(c, &x, &o, &v) == GM_OK, "in a model (%s)", gm_context_error(c));
    n = vae_bytes(v, 0, &p);
    is_int(read_bytes(other, p, n, &u), GM_E_UNKNOWN, "a context that lacks it: %s", gm_context_error(other));
    ok(strstr(gm_context_error(other), "twice") != NULL, "is told the word");
    ok(gm_layer_register(other, &k) == GM_OK && read_bytes(other, p, n, &u) == GM_OK, "with it the file loads (%s)", gm_context_error(other));
    free(p);
    gm_vae_destroy(u);
    gm_vae_destroy(v);
    gm_context_destroy(other);
}

/* ---- a file that does not fit its options: one text in its header is changed to another of the same length, and the file signed anew ---- */

static void forged(gm_context *c, const char *file, size_t n, const char *from, const char *to, gm_status want, const char *part)
{
    char *p = forge(file, n, from, to);
    gm_vae *u = NULL;
    gm_status s;
    if (!ok(p != NULL, "the file has %s", from)) return;
    s = read_bytes(c, p, n, &u);
    ok(s == want && strstr(gm_context_error(c), part), "%s for %s: %s", from, to, gm_context_error(c));
    if (s != want) printf("# got %s\n", gm_status_name(s));
    gm_vae_destroy(u);
    free(p);
}

static void forgeries(gm_context *c)
{
    gm_dataset *d = dataset(c, 0);
    gm_vae *v = trained(c, d, 0);
    char *p = NULL;
    size_t n = vae_bytes(v, 1, &p);
    forged(c, p, n, "\"genrep.profile\":\"" PROFILE "\"", "\"genrep.profile\":\"" OTHER_PROFILE "\"", GM_E_VERSION,
        "profile is " OTHER_PROFILE "; this build reads " PROFILE);
    forged(c, p, n, "\"genrep.format\":\"1\"", "\"genrep.format\":\"2\"", GM_E_VERSION, "format is 2");
    forged(c, p, n, "\"genrep.family\":\"vae\"", "\"genrep.family\":\"gan\"", GM_E_MODEL, "family");
    forged(c, p, n, "\"encoder\\\":\\\"dense 6", "\"encoder\\\":\\\"dense 9", GM_E_MODEL, "is [6,5] in the file, its options want [9,5]");
    forged(c, p, n, "dense 6; batch_norm", "dens 66; batch_norm", GM_E_UNKNOWN, "encoder, column 1: \"dens\"");
    forged(c, p, n, "dense 6; batch_norm", "dense 6; batch_n0rm", GM_E_UNKNOWN, "batch_n0rm");
    forged(c, p, n, "latent_dim\\\":2", "latent_dim\\\":3", GM_E_MODEL, "in the file, its options want");
    forged(c, p, n, "free_bits", "fred_bits", GM_E_VERSION, "fred_bits");
    forged(c, p, n, "\\\"classes\\\":0", "\\\"classes\\\":x", GM_E_MODEL, "genrep.spec");
    forged(c, p, n, "dims\\\":[5]", "dims\\\":[6]", GM_E_MODEL, "scaling.scale is [5]; a sample has 6");
    forged(c, p, n, "dims\\\":[5]", "dims\\\":[0]", GM_E_MODEL, "scaling.scale is [5]; a sample has 0");
    forged(c, p, n, "gaussian", "gauss1an", GM_E_MODEL, "likelihood");
    forged(c, p, n, "optimizer\\\":\\\"adam", "optimizer\\\":\\\"adax", GM_E_MODEL, "optimizer, column 1");
    forged(c, p, n, "\"step\\\":8", "\"step\\\":-", GM_E_MODEL, "genrep.train");
    forged(c, p, n, "\"mean.weight\"", "\"mean.wEight\"", GM_E_MODEL, "mean.weight");
    forged(c, p, n, "train.optimizer0.exp_avg.mean.bias", "train.optimizer0.exp_avg.mean.bi4s", GM_E_MODEL, "mean.bias");
    forged(c, p, n, "scaling.scale", "scaling.scalf", GM_E_MODEL, "scaling.scal");
    free(p);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

static void other_files(gm_context *c)
{
    static const char plain[] = "\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}           \0\0\0\0";
    gm_vae *u = NULL;
    is_int(read_bytes(c, plain, 8 + 64 + 4, &u), GM_E_MODEL, "a file of another tool: %s", gm_context_error(c));
    is_int(gm_vae_load(c, "/nonexistent/model", &u), GM_E_IO, "no file: %s", gm_context_error(c));
    is_int(gm_vae_load(c, "/", &u), GM_E_IO, "a folder: %s", gm_context_error(c));
    is_int(gm_vae_load(c, NULL, &u), GM_E_INVALID, "no path: %s", gm_context_error(c));
    is_int(gm_vae_read(c, NULL, &u), GM_E_INVALID, "no reader: %s", gm_context_error(c));
    ok(u == NULL, "and no model");
}

/* ---- arguments ---- */

static void refused(gm_context *c, gm_status s, gm_status want, const char *message)
{
    is_int(s, want, "%s", gm_status_name(want));
    is_text(gm_context_error(c), message, "its message");
}

static void option(gm_context *c, const gm_vae_options *o, const gm_spec *x, gm_status want, const char *part)
{
    gm_vae *v = NULL;
    gm_status s = gm_vae_create(c, x, o, &v);
    ok(s == want && strstr(gm_context_error(c), part) != NULL, "%s: %s", gm_status_name(want), gm_context_error(c));
    if (s != want) printf("# got %s\n", gm_status_name(s));
    gm_vae_destroy(v);
}

static void options(gm_context *c)
{
    gm_vae_options base, o;
    gm_spec x;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gm_vae_options_init(&base, sizeof base);
    o = base, o.latent_dim = 0, option(c, &o, &x, GM_E_RANGE, "latent_dim is 0");
    o = base, o.free_bits = -1, option(c, &o, &x, GM_E_RANGE, "free_bits is -1");
    o = base, o.ema_half_life = NAN, option(c, &o, &x, GM_E_RANGE, "ema_half_life is nan");
    o = base, o.encoder = "dens 4", option(c, &o, &x, GM_E_INVALID, "vae_create: encoder, column 1: \"dens\"");
    o = base, o.decoder = "dense -4", option(c, &o, &x, GM_E_INVALID, "decoder, column 7: \"-4\"");
    o = base, o.encoder = "conv 8 k3", option(c, &o, &x, GM_E_SHAPE, "conv");
    o = base, o.optimizer = "adamm", option(c, &o, &x, GM_E_INVALID, "optimizer, column 1: \"adamm\"");
    o = base, o.beta = "linear", option(c, &o, &x, GM_E_INVALID, "beta, column 1: linear");
    o = base, o.schedule = "cosin 1 2", option(c, &o, &x, GM_E_INVALID, "schedule, column 1: \"cosin\"");
    o = base, o.objective = "elbow", option(c, &o, &x, GM_E_INVALID, "elbow");
    o = base, o.objective = "iwae 0", option(c, &o, &x, GM_E_RANGE, "iwae 0");
    o = base, o.objective = "iwae 3", o.free_bits = 1, option(c, &o, &x, GM_E_INVALID, "free_bits");
    o = base, o.variance = "fixed 0", option(c, &o, &x, GM_E_INVALID, "fixed 0");
    o = base, o.variance = "vector", option(c, &o, &x, GM_E_INVALID, "vector");
    o = base, o.prior = "vamp 500", option(c, &o, &x, GM_E_UNSUPPORTED, "vamp");
    o = base, o.condition = "add", option(c, &o, &x, GM_E_INVALID, "add");
    o = base, o.condition = "concat", option(c, &o, &x, GM_E_INVALID, "no labels");
    o = base, o.likelihood = 99, option(c, &o, &x, GM_E_INVALID, "99");
    o = base, o.likelihood = GM_LIKELIHOOD_COLUMNS, option(c, &o, &x, GM_E_INVALID, "gm_spec.columns is NULL");
    o = base, o.likelihood = GM_LIKELIHOOD_LOGISTIC, option(c, &o, &x, GM_E_INVALID, "the first and the last value");
    o = base, o.likelihood = GM_LIKELIHOOD_BETA_BINOMIAL, option(c, &o, &x, GM_E_UNSUPPORTED, "beta_binomial");
    o = base, o.likelihood = GM_LIKELIHOOD_CATEGORICAL, option(c, &o, &x, GM_E_INVALID, "gm_spec.lo");
    o = base, o.size = 3, option(c, &o, &x, GM_E_INVALID, "size");
    o = base, option(c, &o, NULL, GM_E_INVALID, "spec is NULL");
    x.dims[0] = -1, option(c, &o, &x, GM_E_SHAPE, "gm_spec.dims");
    x.dims[0] = K, x.rank = 9, option(c, &o, &x, GM_E_SHAPE, "rank");
    x.rank = 1, x.scaling = GM_SCALE_SIGNED, o.likelihood = GM_LIKELIHOOD_BERNOULLI, option(c, &o, &x, GM_E_INVALID, "signed");
}

static void arguments(gm_context *c)
{
    static float z[4][2], x[4][K], bad[4][K];
    static uint8_t u8[4][1][2][2];
    static int32_t wrong[4] = {0, 1, 7, 2};
    gm_spec spec;
    gm_vae_options o;
    gm_vae *v = NULL;
    gm_record r;
    gm_tensor *tx = vae_rows(c, x, 4, K), *tz = vae_rows(c, z, 4, 2), *tu = vae_wrap(c, GM_U8, u8, 4, 4, 1, 2, 2), *tb = vae_rows(c, bad, 4, K),
              *tl = vae_labels(c, wrong, 4), *three = vae_rows(c, z, 3, 2), *ro = NULL;
    static const int64_t zd[2] = {4, 2};
    if (gm_tensor_wrap_const(c, GM_F32, 2, zd, NULL, z, &ro)) printf("Bail out!\n"), exit(1);
    bad[2][3] = NAN;
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    spec.classes = 3;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 4";
    o.latent_dim = 2;
    gm_record_init(&r, sizeof r);
    if (gm_vae_create(c, &spec, &o, &v)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    refused(c, gm_vae_encode(v, tu, NULL, tz, NULL), GM_E_SHAPE, "vae_encode: x is [4,1,2,2] u8, model wants [n,5] f32: reshape, or set gm_spec.dims");
    refused(c, gm_vae_encode(v, NULL, NULL, tz, NULL), GM_E_INVALID, "vae_encode: x is NULL");
    refused(c, gm_vae_encode(v, tx, NULL, NULL, NULL), GM_E_INVALID, "vae_encode: mean is NULL");
    refused(c, gm_vae_encode(v, tx, NULL, three, NULL), GM_E_SHAPE, "vae_encode: mean is [3,2] f32; it must be [4,2]");
    refused(c, gm_vae_encode(v, tx, NULL, tx, NULL), GM_E_SHAPE, "vae_encode: mean is [4,5] f32; it must be [4,2]");
    refused(c, gm_vae_encode(v, tx, NULL, ro, NULL), GM_E_READONLY, "vae_encode: mean is read-only memory: give a tensor that may be written");
    refused(c, gm_vae_decode(v, tx, NULL, GM_DRAW_MEAN, 0, tx), GM_E_SHAPE, "vae_decode: z is [4,5] f32; it must be [4,2]");
    refused(c, gm_vae_decode(v, tz, NULL, 5, 0, tx), GM_E_INVALID, "vae_decode: draw is 5; give GM_DRAW_MEAN or GM_DRAW_SAMPLE");
    refused(c, gm_vae_decode(v, three, NULL, GM_DRAW_MEAN, 0, tx), GM_E_SHAPE, "vae_decode: x has 4 rows for an input of 3");
    ok(gm_vae_step(v, tb, NULL, &r) == GM_E_NONFINITE && strstr(gm_context_error(c), "row 2"), "NaN in the data: %s", gm_context_error(c));
    ok(gm_vae_log_likelihood(v, tx, NULL, 0, 0, tz, NULL) != GM_OK, "no samples: %s", gm_context_error(c));
    ok(gm_vae_evaluate(v, NULL, 1, &r) == GM_E_INVALID, "no data: %s", gm_context_error(c));
    ok(gm_vae_reserve(v, 0) == GM_E_RANGE, "no rows: %s", gm_context_error(c));
    gm_vae_destroy(v);
    o.condition = "concat";
    if (gm_vae_create(c, &spec, &o, &v)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    refused(c, gm_vae_step(v, tx, NULL, &r), GM_E_INVALID, "vae_step: cond is NULL; the model is conditional: give i32 [n] labels of 3 classes");
    refused(c, gm_vae_step(v, tx, tl, &r), GM_E_RANGE, "vae_step: cond row 2 is 7; the model has classes 0 to 2");
    refused(c, gm_vae_step(v, tx, tz, &r), GM_E_DTYPE, "vae_step: cond is [4,2] f32; labels are i32 [4]");
    ok(gm_vae_options_preset(&o, "nothing") == GM_E_UNKNOWN && gm_vae_options_preset(&o, "conv28") == GM_OK && o.latent_dim == 10, "presets by name");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tu);
    gm_tensor_destroy(tb);
    gm_tensor_destroy(tl);
    gm_tensor_destroy(three);
    gm_tensor_destroy(ro);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    uint32_t seed = 6;
    int i, j;
    for (i = 0; i < N; i++) {
        labels[i] = i % 3;
        for (j = 0; j < K; j++) rows[i][j] = (float)(vae_random(&seed) * (j + 1) * 100);
    }
    round_trip(c, 0);
    round_trip(c, 1);
    average(c);
    damage(c);
    forgeries(c);
    own_words(c);
    other_files(c);
    options(c);
    arguments(c);
    gm_context_destroy(c);
    return done();
}
