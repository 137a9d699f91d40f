/* SPDX-License-Identifier: MIT */
/* common.c: what every experiment shares. See common.h. A host program: it may use printf, the clock and exit. */
#include "common.h"
#include "base/base.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

double experiment_clock(void *user)
{
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void usage(const experiment *e, const char *why, const char *what)
{
    fprintf(stderr, "%s: %s %s\nusage: %s --data DIR [--seed N] [--threads N] [--simd scalar|sse2|avx2|avx512|neon] [--epochs N] [--steps N] [--save DIR]\n"
                    "       [--trials N] [--model FILE]\n",
            e->name, why, what, e->name);
    exit(2);
}

static int64_t number(const experiment *e, const char *s)
{
    char *end;
    long long v = strtoll(s, &end, 10);
    if (!*s || *end || v < 0) usage(e, "not a number:", s);
    return v;
}

static gm_simd level(const experiment *e, const char *s)
{
    gm_simd l;
    for (l = GM_SIMD_SCALAR; l <= GM_SIMD_NEON; l++)
        if (!strcmp(gm_simd_name(l), s)) return l;
    if (strcmp(s, "best")) usage(e, "not a level:", s);
    return GM_SIMD_BEST;
}

static void arguments(experiment *e, int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i += 2) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (!v) usage(e, "no value after", a);
        if (!strcmp(a, "--data")) e->data = v;
        else if (!strcmp(a, "--save")) e->save = v;
        else if (!strcmp(a, "--model")) e->model = v;
        else if (!strcmp(a, "--trials")) e->trials = number(e, v);
        else if (!strcmp(a, "--seed")) e->seed = (uint64_t)number(e, v);
        else if (!strcmp(a, "--threads")) e->threads = (int32_t)number(e, v);
        else if (!strcmp(a, "--simd")) e->simd = level(e, v);
        else if (!strcmp(a, "--epochs")) e->epochs = number(e, v);
        else if (!strcmp(a, "--steps")) e->steps = number(e, v);
        else usage(e, "unknown argument", a);
    }
}

void experiment_begin(experiment *e, const char *name, int argc, char **argv)
{
    gm_context_options o;
    gm_status s;
    memset(e, 0, sizeof *e);
    e->name = name;
    e->epochs = e->steps = -1;
    e->trials = 1;
    arguments(e, argc, argv);
    if (e->trials < 1 || e->trials > EXPERIMENT_TRIALS) usage(e, "not a number of trials:", "--trials takes 1 to 64");
    gm_context_options_init(&o, sizeof o);
    o.threads = e->threads;
    o.simd = e->simd;
    o.clock = experiment_clock;
    s = gm_context_create(&o, &e->ctx);
    if (s) {
        fprintf(stderr, "%s: no context: %s (%s)\n", name, gm_status_name(s), gm_status_text(s));
        exit(1);
    }
}

void experiment_need(experiment *e, gm_status s)
{
    if (s == GM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", e->name, gm_status_name(s), gm_context_error(e->ctx));
    exit(1);
}

const char *experiment_path(const experiment *e, const char *name, char *to, size_t n)
{
    if (!e->data) usage(e, "needs", "--data DIR (make experiment: DATA=DIR)");
    snprintf(to, n, "%s/%s", e->data, name);
    return to;
}

gm_action experiment_progress(void *user, const gm_record *r)
{
    static double last;
    char line[512];
    double t = experiment_clock(NULL);
    (void)user;
    if (r->kind == GM_RECORD_WORK || (r->kind == GM_RECORD_STEP && t - last < 1)) return GM_CONTINUE;
    last = t;
    (void)!gm_record_text(r, line, sizeof line);
    fprintf(stderr, "%s\n", line);
    return GM_CONTINUE;
}

void experiment_train_begin(experiment *e) { e->begun = experiment_clock(NULL); }

void experiment_train_end(experiment *e, int64_t examples)
{
    e->seconds += experiment_clock(NULL) - e->begun;
    e->examples += examples;
}

/* ---- JSON ---- */

static void key_of(experiment *e, const char *key) { printf("%s\"%s\": ", e->columns++ ? ", " : "{", key); }

void experiment_json_number(experiment *e, const char *key, double v)
{
    key_of(e, key);
    if (v - v == 0) printf("%.9g", v);
    else printf("null");
}

void experiment_json_numbers(experiment *e, const char *key, int64_t n, const double *v)
{
    int64_t i;
    key_of(e, key);
    for (i = 0; i < n; i++) {
        printf("%s", i ? ", " : "[");
        if (v[i] - v[i] == 0) printf("%.9g", v[i]);
        else printf("null");
    }
    printf("]");
}

void experiment_json_text(experiment *e, const char *key, const char *v)
{
    key_of(e, key);
    printf("\"%s\"", v);
}

void experiment_json_begin(experiment *e, const char *weights_sha256)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    experiment_json_text(e, "experiment", e->name);
    key_of(e, "seed");
    printf("%" PRIu64, e->seed);
    experiment_json_number(e, "threads", gm_context_threads(e->ctx));
    experiment_json_text(e, "simd", gm_simd_name(gm_context_simd(e->ctx)));
    experiment_json_number(e, "seconds", e->seconds);
    experiment_json_number(e, "examples_per_s", (double)e->examples / e->seconds);
    experiment_json_number(e, "peak_rss_mib", (double)u.ru_maxrss / 1024);
    experiment_json_text(e, "weights_sha256", weights_sha256);
}

void experiment_json_end(experiment *e)
{
    (void)e;
    printf("}\n");
    fflush(stdout);
}

/* ---- digests ---- */

void experiment_weights_sha256(const uint8_t *file, size_t n, char hex[65])
{
    gmi_sha256 s;
    uint8_t d[32];
    uint64_t header = 0;
    int i;
    for (i = 7; i >= 0 && n >= 8; i--) header = header << 8 | file[i];
    gmi_sha256_init(&s);
    if (n >= 8 && header <= n - 8) gmi_sha256_add(&s, file + 8 + header, n - 8 - (size_t)header);
    gmi_sha256_end(&s, d);
    gmi_sha256_hex(d, hex);
}

void experiment_digest(experiment *e, experiment_write_fn write, void *model, char hex[65])
{
    gm_writer w;
    uint8_t *file;
    gm_writer_init(&w, sizeof w);
    w.memory = hex;
    w.capacity = 0;
    (void)!write(model, &w); /* says how many bytes */
    file = malloc((size_t)w.used);
    if (!file) experiment_need(e, GM_E_NOMEM);
    w.memory = file;
    w.capacity = w.used;
    experiment_need(e, write(model, &w));
    experiment_weights_sha256(file, (size_t)w.used, hex);
    free(file);
}

int experiment_save_path(experiment *e, const char *name, char *to, size_t n)
{
    if (!e->save) return 0;
    mkdir(e->save, 0777); /* where it is missing */
    snprintf(to, n, "%s/%s", e->save, name);
    return 1;
}

/* ---- a VAE on an IDX folder ---- */

gm_status experiment_write_vae(void *model, gm_writer *w) { return gm_vae_write(model, w); }

static void save_samples(experiment *e, gm_vae *v, const gm_spec *x)
{
    int64_t dims[7];
    gm_tensor *t = NULL;
    gm_writer w;
    char path[4096];
    int32_t i;
    if (!experiment_save_path(e, "samples.npy", path, sizeof path)) return;
    dims[0] = 100;
    for (i = 0; i < x->rank; i++) dims[i + 1] = x->dims[i];
    experiment_need(e, gm_tensor_create(e->ctx, x->dtype, x->rank + 1, dims, &t));
    experiment_need(e, gm_vae_sample(v, NULL, NULL, t));
    gm_writer_init(&w, sizeof w);
    w.path = path;
    experiment_need(e, gm_tensor_write_npy(t, &w));
    gm_tensor_destroy(t);
}

static void evaluate(experiment *e, gm_vae *v, const char *test)
{
    gm_dataset *d = NULL;
    gm_record r;
    char path[4096];
    gm_record_init(&r, sizeof r);
    experiment_need(e, gm_dataset_open_idx(e->ctx, experiment_path(e, test, path, sizeof path), NULL, &d));
    experiment_need(e, gm_vae_evaluate(v, d, 1, &r));
    experiment_json_number(e, "test_loss", -r.elbo);
    experiment_json_number(e, "test_recon", -r.recon);
    experiment_json_number(e, "test_kl", r.kl);
    experiment_json_number(e, "active_units", r.active_units);
    gm_dataset_destroy(d);
}

int experiment_vae_idx(experiment *e, const gm_vae_options *given, const char *train, const char *test, int64_t epochs)
{
    gm_vae_options o = *given;
    gm_fit_options f;
    gm_dataset *d = NULL;
    gm_vae *v = NULL;
    gm_record r;
    char path[4096], hex[65];
    o.seed = e->seed;
    gm_fit_options_init(&f, sizeof f);
    f.epochs = e->epochs >= 0 ? e->epochs : epochs;
    f.max_steps = e->steps;
    f.batch = 128;
    f.validation_fraction = 0;
    f.patience = 0;
    f.seed = e->seed;
    f.progress = experiment_progress;
    experiment_need(e, gm_dataset_open_idx(e->ctx, experiment_path(e, train, path, sizeof path), NULL, &d));
    experiment_need(e, gm_vae_create(e->ctx, gm_dataset_spec(d), &o, &v));
    gm_record_init(&r, sizeof r);
    experiment_train_begin(e);
    experiment_need(e, gm_vae_fit(v, d, &f));
    {
        int64_t n = gm_dataset_count(d), per_epoch = (n + 127) / 128, steps = f.epochs * per_epoch;
        if (e->steps >= 0 && e->steps < steps) steps = e->steps;
        experiment_train_end(e, steps / per_epoch * n + (steps % per_epoch) * 128);
    }
    experiment_digest(e, experiment_write_vae, v, hex);
    if (experiment_save_path(e, "model.safetensors", path, sizeof path)) experiment_need(e, gm_vae_save(v, path));
    save_samples(e, v, gm_dataset_spec(d));
    experiment_json_begin(e, hex);
    if (e->steps < 0) evaluate(e, v, test);
    experiment_json_end(e);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_context_destroy(e->ctx);
    return 0;
}
