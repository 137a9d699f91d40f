/* SPDX-License-Identifier: MIT */
/* test_messages.c: every status that a host can meet, provoked through the public functions, with its message: the call, the values, the limit, what to do.
 * GM_E_INTERNAL cannot be provoked. */
#include "base/base.h"
#include "gan_util.h"

enum { N = 8, K = 2 };
static float rows[N][K];
static int seen[GM_STATUS_END];

/* Whether text is the pattern; * stands for any run of characters: numbers that change with the library's memory, digests. */
static int fits(const char *text, const char *pattern)
{
    for (; *pattern && *pattern != '*'; pattern++, text++)
        if (*pattern != *text) return 0;
    if (!*pattern) return !*text;
    for (;; text++) {
        if (fits(text, pattern + 1)) return 1;
        if (!*text) return 0;
    }
}

static void says(gm_context *c, gm_status s, gm_status want, const char *message)
{
    gm_error e;
    memset(&e, 0, sizeof e);
    e.size = sizeof e;
    seen[want]++;
    is_text(gm_status_name(s), gm_status_name(want), "%s", gm_status_text(want));
    if (!ok(fits(gm_context_error(c), message), "%s", gm_context_error(c))) printf("# expected %s\n", message);
    ok(gm_context_error_info(c, &e) == GM_OK && e.status == want && !strcmp(e.message, gm_context_error(c)) && !strncmp(message, e.call, strlen(e.call)),
        "and as fields");
}

static gm_gan *model(gm_context *c, const char *loss)
{
    gm_spec x;
    gm_gan_options o;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_options(&o, loss);
    return gan_make(c, &x, &o);
}

/* ---- memory ---- */

static int refuse;
static void *limited(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    void *q = NULL;
    (void)user, (void)align;
    if (!new_size) return free(p), NULL;
    if (refuse || posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    return q;
}

static void memory(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_tensor *t = NULL;
    static const int64_t dims[2] = {1000, 1000};
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = limited;
    o.memory_limit = 1000000;
    if (gm_context_create(&o, &c)) printf("Bail out!\n"), exit(1);
    refuse = 1;
    says(c, gm_tensor_create(c, GM_F32, 1, dims, &t), GM_E_NOMEM, "tensor_create: out of memory: 4000 bytes were refused");
    refuse = 0;
    says(c, gm_tensor_create(c, GM_F32, 2, dims, &t), GM_E_BUDGET,
        "tensor_create: 4000000 bytes more than the * in use would pass memory_limit = 1000000: raise it, or use a smaller batch or model");
    gm_gan *g = model(c, "hinge");
    says(c, gm_gan_reserve(g, 100000), GM_E_BUDGET, "gan_reserve: a batch of 100000 needs * bytes, the limit is 1000000; the largest batch that fits is *");
    gm_gan_destroy(g);
    gm_context_destroy(c);
}

/* ---- arguments ---- */

static void arguments(gm_context *c)
{
    static uint8_t bytes[N][K];
    static int32_t labels[N] = {0, 1, 0, 1, 0, 3, 0, 1};
    static const int64_t dims[2] = {N, K};
    gm_spec x;
    gm_gan_options o;
    gm_tensor *t = vae_rows(c, rows, N, K), *b = vae_wrap(c, GM_I32, bytes, 2, N, 1, 0, 0), *ro = NULL, *l = vae_labels(c, labels, N), *v = NULL;
    gm_gan *g = model(c, "hinge"), *u = NULL;
    gan_must(c, gm_tensor_wrap_const(c, GM_F32, 2, dims, NULL, rows, &ro));
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_options(&o, "hinge");
    o.discriminator = "dense 8; lerky_relu 0.2";
    says(c, gm_gan_create(c, &x, &o, &u), GM_E_INVALID,
        "gan_create: discriminator, column 10: \"lerky_relu\" is no layer; layers: dense, conv, *, leaky_relu, *");
    says(c, gm_gan_step(g, b, NULL, NULL), GM_E_SHAPE, "gan_step: x is [8,1] i32, model wants [n,2] f32: reshape, or set gm_spec.dims");
    says(c, gm_gan_sample(g, NULL, NULL, ro), GM_E_READONLY, "gan_sample: x is read-only memory: give a tensor that may be written");
    says(c, gm_params_view(gm_gan_params(g), "generator.9.weight", &v), GM_E_UNKNOWN,
        "params_view: \"generator.9.weight\" is no parameter or state; there are 8, the first is \"discriminator.0.bias\"");
    gm_tensor_destroy(b);
    b = vae_wrap(c, GM_I32, rows, 2, N, K, 0, 0);
    says(c, gm_gan_step(g, b, NULL, NULL), GM_E_DTYPE, "gan_step: x is [8,2] i32, model wants [n,2] f32: convert, or set gm_spec.dtype");
    rows[3][1] = NAN;
    says(c, gm_gan_step(g, t, NULL, NULL), GM_E_NONFINITE, "gan_step: x row 3, element 1 is not a finite number: remove or fill it");
    rows[3][1] = 0;
    gm_gan_destroy(g);
    gan_options(&o, "hinge r1=1");
    o.condition = "concat";
    x.classes = 3;
    g = gan_make(c, &x, &o);
    says(c, gm_gan_step(g, t, l, NULL), GM_E_RANGE, "gan_step: cond row 5 is 3; the model has classes 0 to 2");
    o.discriminator = "dense 8; batch_norm; relu";
    says(c, gm_gan_create(c, &x, &o, &u), GM_E_UNSUPPORTED,
        "gan_create: loss \"hinge r1=1\": the discriminator couples its batch (batch_norm or minibatch_stddev), so that the gradient of a sample is not one "
        "sample's: use another "
         "normalisation, or write coupled=1");
    gm_gan_destroy(g);
    gm_tensor_destroy(t);
    gm_tensor_destroy(b);
    gm_tensor_destroy(ro);
    gm_tensor_destroy(l);
}

/* ---- files ---- */

static void files(gm_context *c)
{
    static const char key[] = "\"genrep.sha256\":\"", profile[] = "\"genrep.profile\":\"" PROFILE "\"";
    gm_gan *g = model(c, "hinge"), *u = NULL;
    gm_vae *v = NULL;
    gm_reader r;
    gm_writer w;
    gmi_sha256 h;
    uint8_t d[32];
    char *p = NULL, hex[65];
    const size_t n = gan_bytes(g, 0, &p);
    size_t i, at = 8;
    says(c, gm_gan_load(c, "/nonexistent/model", &u), GM_E_IO, "gan_load: cannot open \"/nonexistent/model\": no such file or directory (*)");
    says(c, gan_read(c, "not a model at all, but long enough", 35, &u), GM_E_FORMAT,
        "gan_read: safetensors: the header's length is 8029109312199880558, the format's limit is 100000000");
    p[n - 1] ^= 1;
    says(c, gan_read(c, p, n, &u), GM_E_CHECKSUM, "gan_read: safetensors: the file was changed or damaged: its SHA-256 is *, \"genrep.sha256\" says *");
    p[n - 1] ^= 1;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    says(c, gm_vae_read(c, &r, &v), GM_E_MODEL, "vae_read: the file holds a model of the family \"gan\", not \"vae\"");
    gm_writer_init(&w, sizeof w);
    w.memory = hex;
    w.capacity = 10;
    says(c, gm_gan_write(g, &w), GM_E_LIMIT, "gan_write: the memory holds 10 bytes, * are needed (writer.used)");
    for (i = 8; memcmp(p + i, profile, sizeof profile - 1); i++) {}
    p[i + sizeof profile - 3] = '7';
    while (memcmp(p + at, key, sizeof key - 1)) at++;
    memset(p + at + sizeof key - 1, '0', 64);
    gmi_sha256_init(&h);
    gmi_sha256_add(&h, p, n);
    gmi_sha256_end(&h, d);
    gmi_sha256_hex(d, hex);
    memcpy(p + at + sizeof key - 1, hex, 64);
    says(c, gan_read(c, p, n, &u), GM_E_VERSION, "gan_read: metadata genrep.profile is " OTHER_PROFILE "; this build reads " PROFILE);
    free(p);
    gm_gan_destroy(g);
}

/* ---- callbacks ---- */

typedef struct host {
    gm_context *c;
    gm_gan *g;
    gm_action answer;
} host;

static gm_action progress(void *user, const gm_record *r)
{
    host *h = user;
    (void)r;
    if (h->g) says(h->c, gm_gan_reserve(h->g, 4), GM_E_BUSY,
        "gan_reserve: the model is being trained by an outer call; inside a progress callback it can be used (encode, decode, generate, discriminate, sample, "
        "evaluate) and be written");
    h->g = NULL;
    return h->answer;
}

static gm_status fetch(void *user, int64_t n, const int64_t *index, void *x, void *cond)
{
    (void)user, (void)n, (void)index, (void)x, (void)cond;
    return 77;
}

static void callbacks(gm_context *c)
{
    gm_fit_options f;
    gm_source src;
    gm_spec x;
    host h;
    gm_dataset *d = NULL, *e = NULL;
    gm_tensor *t = vae_rows(c, rows, N, K);
    gm_gan *g = model(c, "hinge");
    gan_must(c, gm_dataset_from_tensor(t, NULL, NULL, &d));
    gm_fit_options_init(&f, sizeof f);
    f.batch = 4;
    f.max_steps = 3;
    f.progress = progress;
    f.user = &h;
    h.c = c;
    h.g = g;
    h.answer = GM_CONTINUE;
    gm_status s = gm_gan_fit(g, d, &f);
    seen[GM_OK]++;
    ok(s == GM_OK && !gm_context_error(c)[0], "success has no message");
    h.answer = GM_CANCEL;
    f.max_steps = 6;
    says(c, gm_gan_fit(g, d, &f), GM_E_CANCELLED, "gan_fit: cancelled by the progress callback at step 4");
    h.answer = 9;
    says(c, gm_gan_fit(g, d, &f), GM_E_CALLBACK, "gan_fit: the progress callback returned 9, which is no gm_action");
    gm_source_init(&src, sizeof src);
    src.count = 10;
    src.fetch = fetch;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_must(c, gm_dataset_from_source(c, &x, &src, &e));
    f.max_steps = 9;
    says(c, gm_gan_fit(g, e, &f), GM_E_CALLBACK, "gan_fit: the host's gm_source.fetch callback returned 77, which is no status");
    gm_dataset_destroy(d);
    gm_dataset_destroy(e);
    gm_tensor_destroy(t);
    gm_gan_destroy(g);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    gan_normal_rows(rows[0], N * K, 2);
    memory();
    arguments(c);
    files(c);
    callbacks(c);
#define ROW(name, value, text)                          \
    if (value != 90) ok(seen[value] > 0, #name " was met");
    GM_STATUS_LIST(ROW)
#undef ROW
    gm_context_destroy(c);
    return done();
}
