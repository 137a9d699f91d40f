/* SPDX-License-Identifier: MIT */
/* genrep.c: the library as a command: train, sample, encode, decode, reconstruct, score, draw, from files and pipes. genrep(1) is its manual.
 *
 *     genrep train vae digits-idx3-ubyte -o digits.safetensors --set latent_dim=8
 *     genrep encode digits.safetensors new.npy | python3 analyse.py
 *
 * Options are tables: a row names an option, its kind, and the field of the library's own option struct that it sets, so that the library's defaults hold and
 * help is printed from what is parsed. A command returns a gm_status; main turns it into a message and an exit status. Only public headers are used. Csv goes
 * through stdio, since the library reads it but does not write it. */
#include <genrep.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 }; /* plus the signal's number */
enum { BAD_USAGE = 2000 };                                   /* a status of our own */
enum { MOST_SETS = 64, MOST_ARGUMENTS = 3 };

enum {
    INFO = 1, VERIFY = 2, TRAIN = 4, SAMPLE = 8, ENCODE = 16, DECODE = 32, RECONSTRUCT = 64, SCORE = 128, GRID = 256,
    ALL = 511, READS = TRAIN | ENCODE | DECODE | RECONSTRUCT | SCORE | GRID, WRITES = READS | SAMPLE, DRAWS = SAMPLE | DECODE | GRID,
    STREAMS = ENCODE | RECONSTRUCT | SCORE, INVERTS = ENCODE | RECONSTRUCT | SCORE, WORKS = TRAIN | ENCODE | RECONSTRUCT | SCORE
};

typedef struct settings {
    gm_context_options context;
    gm_fit_options fit;
    gm_sample_options sample;
    gm_latent_options latent;
    gm_calibrate_options calibrate;
    const char *output, *format, *preset, *resume, *log, *validation, *held_out, *density, *data_options, *other_options, *cond;
    const char *set[MOST_SETS];
    int32_t sets, score, columns, json, progress, help;
    int64_t count, stream;
} settings;

/* Standard input with its first bytes seen beforehand. */
typedef struct input {
    unsigned char head[16];
    size_t n, at;
    int seen;
} input;

typedef struct tool {
    gm_context *ctx;
    settings o;
    const char *command;
    const char *argument[MOST_ARGUMENTS];
    int arguments;
    /* what a command has open; main gives it up */
    const gm_model *model;
    gm_info facts; /* of the model */
    gm_latent *latent;
    gm_vae *vae; /* of the two, the one in training */
    gm_gan *gan;
    gm_dataset *data, *other, *density;  /* DATA; for validation or calibration */
    gm_tensor *x, *cond, *out, *anomaly; /* rows in and out */
    input in;
    char message[512];  /* of a failure of our own, else "" */
    int terminal, show; /* progress: rewrites its line; is wanted at all */
    double printed;     /* seconds of the last line */
    int64_t steps;      /* done by the training */
    gm_record last[2];  /* of the training: its last epoch, its last validation */
} tool;

static gm_context *volatile watched; /* for the handler */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
    gm_context_cancel(watched);
}

static double seconds(void *user)
{
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static gm_status fail(tool *t, gm_status s, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    vsnprintf(t->message, sizeof t->message, format, a);
    va_end(a);
    return s;
}

/* A failure of the library that is about a file. */
static gm_status name_file(tool *t, const char *path, gm_status s)
{
    char text[sizeof t->message];
    if (!s || t->message[0]) return s;
    snprintf(text, sizeof text, "%s", gm_context_error(t->ctx)[0] ? gm_context_error(t->ctx) : gm_status_text(s));
    return fail(t, s, "%.160s: %.340s", path, text);
}

/* ---- options ---- */

typedef const char *(*name_fn)(int32_t);
typedef enum { FLAG, TEXT, I32, I64, U64, BYTES, REAL, NAME, LIST } kind;

/* A field of a struct that a text sets. */
typedef struct field {
    const char *name;
    kind kind;
    size_t at;
    name_fn names; /* of NAME: what its numbers are called */
} field;

typedef struct option {
    field f;
    char letter;
    int commands;
    const char *value, *help;
} option;

#define AT(f) offsetof(settings, f)
static const option options[] = {
    {{"output", TEXT, AT(output), NULL}, 'o', WRITES, "FILE", "where the result goes; - is standard output"},
    {{"format", TEXT, AT(format), NULL}, 0, WRITES & ~TRAIN, "npy|csv|png", "of the result, when the name of the file does not say it"},
    {{"count", I64, AT(count), NULL}, 'n', SAMPLE | GRID, "N", "samples, or pictures of a grid; 16, 64"},
    {{"columns", I32, AT(columns), NULL}, 0, DRAWS | RECONSTRUCT, "N", "pictures side by side in a png; about as many as rows"},
    {{"preset", TEXT, AT(preset), NULL}, 0, TRAIN, "NAME", "a named architecture, to which --set adds"},
    {{"set", LIST, 0, NULL}, 0, TRAIN, "NAME=VALUE", "an option of the model; may be given again"},
    {{"epochs", I64, AT(fit.epochs), NULL}, 0, TRAIN, "N", "passes over the data; as many as make 10,000 steps"},
    {{"steps", I64, AT(fit.max_steps), NULL}, 0, TRAIN, "N", "steps, those of a checkpoint included; no limit"},
    {{"batch", I64, AT(fit.batch), NULL}, 0, TRAIN, "N", "examples of a step; 128"},
    {{"accumulate", I64, AT(fit.accumulate), NULL}, 0, TRAIN, "N", "batches whose gradients make one step; 1"},
    {{"patience", I64, AT(fit.patience), NULL}, 0, TRAIN, "N", "validations without gain that end the training of a VAE; 10, 0 = never"},
    {{"time-limit", REAL, AT(fit.time_limit_s), NULL}, 0, TRAIN, "SECONDS", "ends well after so many; none"},
    {{"validation", TEXT, AT(validation), NULL}, 0, TRAIN, "DATA", "data to validate with; a part of the data, for a VAE"},
    {{"validation-fraction", REAL, AT(fit.validation_fraction), NULL}, 0, TRAIN, "F", "of the data, without --validation; 0.1"},
    {{"validation-options", TEXT, AT(other_options), NULL}, 0, TRAIN, "TEXT", "how to read it; as --data-options"},
    {{"resume", TEXT, AT(resume), NULL}, 0, TRAIN, "CHECKPOINT", "goes on where it was written"},
    {{"checkpoint", TEXT, AT(fit.checkpoint_path), NULL}, 0, TRAIN, "FILE", "what --resume needs; written every so many steps, and at the end"},
    {{"checkpoint-steps", I64, AT(fit.checkpoint_steps), NULL}, 0, TRAIN, "N", "1000"},
    {{"log", TEXT, AT(log), NULL}, 0, TRAIN, "FILE", "every record of the training as a line of JSON; of csv when it ends in .csv"},
    {{"first", I64, AT(sample.first), NULL}, 0, DRAWS, "N", "number of the first sample; a second call goes on where one ended"},
    {{"truncation", REAL, AT(sample.truncation), NULL}, 0, DRAWS, "F", "factor on z; below 1 less varied, more typical"},
    {{"draw", NAME, AT(sample.draw), gm_draw_name}, 0, DRAWS, "mean|sample", "of p(x|z); mean"},
    {{"cond", TEXT, AT(cond), NULL}, 0, WRITES & ~TRAIN, "LABEL", "label of all rows, or numbers a,b,c; those of the data, or each label in turn"},
    {{"score", NAME, AT(score), gm_score_name}, 0, SCORE, "NAME", "elbo (default of a VAE), iwae, reconstruction, mahalanobis, residual (of a GAN)"},
    {{"score-samples", I32, AT(latent.score_samples), NULL}, 0, SCORE, "N", "draws of z for elbo and iwae; 8"},
    {{"calibrate", TEXT, AT(held_out), NULL}, 0, SCORE, "DATA", "finds the threshold with data that the model was not trained on; -o is then the new model"},
    {{"calibrate-options", TEXT, AT(other_options), NULL}, 0, SCORE, "TEXT", "how to read it; as --data-options"},
    {{"alpha", REAL, AT(calibrate.false_positive_rate), NULL}, 0, SCORE, "F", "share of normal data above the threshold; 0.05"},
    {{"density", TEXT, AT(density), NULL}, 0, SCORE, "DATA", "whose codes give mean and covariance for mahalanobis; N(0, 1)"},
    {{"invert-steps", I32, AT(latent.invert_steps), NULL}, 0, INVERTS, "N", "of Adam, to find the z of a GAN; 400"},
    {{"invert-starts", I32, AT(latent.invert_starts), NULL}, 0, INVERTS, "N", "z tried for each row; 2"},
    {{"stream", I64, AT(stream), NULL}, 0, STREAMS, "N", "reads csv in blocks of N rows and answers each at once, as csv"},
    {{"seed", U64, AT(fit.seed), NULL}, 0, WRITES, "N", "of all that is random; 0"},
    {{"data-options", TEXT, AT(data_options), NULL}, 0, READS, "TEXT", "how to read DATA, as \"label=last header=1\""},
    {{"threads", I32, AT(context.threads), NULL}, 0, ALL, "N", "as many as processors; results have the same bits with any number"},
    {{"simd", NAME, AT(context.simd), gm_simd_name}, 0, ALL, "LEVEL", "best, scalar, sse2, avx2, avx512, neon"},
    {{"memory-limit", BYTES, AT(context.memory_limit), NULL}, 0, ALL, "BYTES", "K, M, G may follow; none"},
    {{"json", FLAG, AT(json), NULL}, 0, ALL, NULL, "prints JSON"},
    {{"progress", FLAG, AT(progress), NULL}, 0, WORKS, NULL, "on standard error, although that is no terminal"},
    {{"help", FLAG, AT(help), NULL}, 'h', ALL, NULL, "prints this"},
};
#undef AT

#define AT(f) offsetof(gm_vae_options, f)
static const field vae_fields[] = {
    {"encoder", TEXT, AT(encoder), NULL},         {"decoder", TEXT, AT(decoder), NULL},     {"latent_dim", I64, AT(latent_dim), NULL},
    {"likelihood", NAME, AT(likelihood), gm_likelihood_name},                               {"variance", TEXT, AT(variance), NULL},
    {"objective", TEXT, AT(objective), NULL},     {"beta", TEXT, AT(beta), NULL},           {"free_bits", REAL, AT(free_bits), NULL},
    {"optimizer", TEXT, AT(optimizer), NULL},     {"schedule", TEXT, AT(schedule), NULL},   {"condition", TEXT, AT(condition), NULL},
    {"prior", TEXT, AT(prior), NULL},             {"bias_init", I32, AT(bias_init), NULL},  {"ema_half_life", REAL, AT(ema_half_life), NULL},
    {"seed", U64, AT(seed), NULL},                {NULL, FLAG, 0, NULL}};
#undef AT

#define AT(f) offsetof(gm_gan_options, f)
static const field gan_fields[] = {
    {"generator", TEXT, AT(generator), NULL},     {"discriminator", TEXT, AT(discriminator), NULL}, {"latent_dim", I64, AT(latent_dim), NULL},
    {"loss", TEXT, AT(loss), NULL},               {"gamma", TEXT, AT(gamma), NULL},                 {"g_optimizer", TEXT, AT(g_optimizer), NULL},
    {"d_optimizer", TEXT, AT(d_optimizer), NULL}, {"g_schedule", TEXT, AT(g_schedule), NULL},       {"d_schedule", TEXT, AT(d_schedule), NULL},
    {"condition", TEXT, AT(condition), NULL},     {"d_steps", I32, AT(d_steps), NULL},              {"ema_half_life", REAL, AT(ema_half_life), NULL},
    {"seed", U64, AT(seed), NULL},                {NULL, FLAG, 0, NULL}};
#undef AT

static int whole(const char *text, int64_t lo, int64_t hi, int64_t *v)
{
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    *v = x;
    return end != text && !*end && !errno && x >= lo && x <= hi;
}

/* Numbers without a sign; bytes may end in K, M, G or T. */
static int unsigned_whole(const char *text, int bytes, uint64_t *v)
{
    static const char units[] = "KMGT";
    char *end;
    const char *unit;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    if (end == text || errno || *text < '0' || *text > '9') return 0;
    for (unit = units; bytes && *end && *unit; unit++) {
        if (x > UINT64_MAX / 1024) return 0;
        x *= 1024;
        if (*end == *unit) {
            end++;
            break;
        }
    }
    *v = x;
    return !*end;
}

static int real(const char *text, double *v)
{
    char *end;
    *v = strtod(text, &end);
    return end != text && !*end;
}

static int named(const char *text, name_fn names, int32_t *v)
{
    for (*v = 0; strcmp(names(*v), "unknown"); ++*v)
        if (!strcmp(names(*v), text)) return 1;
    return 0;
}

/* Sets the field of *base; 0 when the text is no value of its kind. */
static int store(const field *f, void *base, const char *text)
{
    void *to = (char *)base + f->at;
    int64_t v;
    switch (f->kind) {
    case FLAG: *(int32_t *)to = 1; return 1;
    case TEXT: *(const char **)to = text; return 1;
    case I32:
        if (!whole(text, INT32_MIN, INT32_MAX, &v)) return 0;
        *(int32_t *)to = (int32_t)v;
        return 1;
    case I64: return whole(text, INT64_MIN, INT64_MAX, to);
    case U64: return unsigned_whole(text, 0, to);
    case BYTES: return unsigned_whole(text, 1, to);
    case REAL: return real(text, to);
    case NAME: return named(text, f->names, to);
    default: return 0;
    }
}

/* The --set options of a training, into the options of its family. */
static gm_status set_fields(tool *t, const field *fields, void *base)
{
    for (int i = 0; i < t->o.sets; i++) {
        const char *text = t->o.set[i], *value = strchr(text, '=');
        const field *f = fields;
        if (!value) return fail(t, BAD_USAGE, "--set %s: give NAME=VALUE", text);
        while (f->name && (strlen(f->name) != (size_t)(value - text) || strncmp(f->name, text, (size_t)(value - text)))) f++;
        if (!f->name) return fail(t, BAD_USAGE, "--set %s: no such option; 'genrep help train' names them", text);
        if (!store(f, base, value + 1)) return fail(t, BAD_USAGE, "--set %s: not a value of this option", text);
    }
    return GM_OK;
}

/* ---- reading ---- */

/* read(2) on standard input. A signal ends it. */
static gm_status read_some(void *to, size_t n, size_t *got)
{
    ssize_t r;
    do r = read(STDIN_FILENO, to, n);
    while (r < 0 && errno == EINTR && !caught);
    if (r < 0) return caught ? GM_E_CANCELLED : GM_E_IO;
    *got = (size_t)r;
    return GM_OK;
}

static gm_status read_input(void *user, void *to, size_t n, size_t *got)
{
    input *in = user;
    if (in->at >= in->n) return read_some(to, n, got);
    *got = n < in->n - in->at ? n : in->n - in->at;
    memcpy(to, in->head + in->at, *got);
    in->at += *got;
    return GM_OK;
}

static gm_status see_input(input *in)
{
    size_t got = 1;
    gm_status s = GM_OK;
    if (in->seen) return GM_OK;
    in->seen = 1;
    while (!s && got && in->n < sizeof in->head) {
        s = read_some(in->head + in->n, sizeof in->head - in->n, &got);
        if (!s) in->n += got;
    }
    return s;
}

static int standard(const char *path) { return !strcmp(path, "-"); }

/* A reader for a path or, for -, standard input. */
static gm_status reader(tool *t, const char *path, gm_reader *r)
{
    gm_reader_init(r, sizeof *r);
    r->path = standard(path) ? NULL : path;
    if (r->path) return GM_OK;
    r->read = read_input;
    r->user = &t->in;
    gm_status s = see_input(&t->in);
    return s == GM_E_IO ? fail(t, s, "standard input cannot be read: %s", strerror(errno)) : s;
}

/* The library wants to be told the format of a reader with callbacks. */
static const char *format_of(const input *in)
{
    const unsigned char *p = in->head;
    if (in->n >= 6 && !memcmp(p, "\x93NUMPY", 6)) return "npy";
    if (in->n >= 4 && (!memcmp(p, "RIFF", 4) || !memcmp(p, "RIFX", 4))) return "wav";
    if (in->n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '7' && (p[2] <= ' ' || p[2] == '#')) return "pnm";
    if (in->n >= 4 && !p[0] && !p[1] && p[3] >= 1 && p[3] <= 8) return "idx";
    return "csv";
}

static gm_status open_data(tool *t, const char *path, const char *words, gm_dataset **d)
{
    gm_reader r;
    char text[2048];
    gm_status s;
    if (!standard(path)) return name_file(t, path, gm_dataset_open(t->ctx, path, words, d));
    s = reader(t, path, &r);
    if (s) return s;
    if ((size_t)snprintf(text, sizeof text, "%s %s", format_of(&t->in), words ? words : "") >= sizeof text)
        return fail(t, BAD_USAGE, "--data-options: at most %zu bytes", sizeof text - 5);
    return name_file(t, "standard input", gm_dataset_open_reader(t->ctx, &r, text, d));
}

/* The model of the first argument, and its facts. */
static gm_status open_model(tool *t, int32_t uses)
{
    gm_reader r;
    gm_status s = reader(t, t->argument[0], &r);
    if (!s) s = gm_model_read(t->ctx, &r, uses, &t->model);
    t->facts.size = sizeof t->facts;
    return s ? name_file(t, t->argument[0], s) : gm_model_info(t->model, &t->facts);
}

/* Whether a file is a model: safetensors, whose header of JSON begins at byte 8. */
static gm_status is_model(tool *t, const char *path, int *yes)
{
    unsigned char head[9];
    gm_status s = GM_OK;
    if (standard(path)) {
        s = see_input(&t->in);
        *yes = t->in.n > 8 && t->in.head[8] == '{';
        return s;
    }
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head); /* a folder cannot be read, and is data */
    if (fd >= 0) close(fd);
    *yes = n == 9 && head[8] == '{';
    return s;
}

/* ---- rows ---- */

/* [n, dims of the sample] */
static gm_status new_rows(tool *t, gm_dtype type, int64_t n, int32_t rank, const int64_t *dims, gm_tensor **x)
{
    int64_t all[8];
    all[0] = n;
    for (int32_t i = 0; i < rank; i++) all[i + 1] = dims[i];
    return gm_tensor_create(t->ctx, type, rank + 1, all, x);
}

static int64_t elements(int32_t rank, const int64_t *dims)
{
    int64_t n = 1;
    for (int32_t i = 0; i < rank; i++) n *= dims[i];
    return n;
}

/* Rows with a sample's dimensions, when they have as many elements: a view takes the tensor's place. */
static gm_status shape_as(gm_tensor **x, const gm_spec *have, const gm_spec *want)
{
    int64_t all[8];
    gm_tensor *view = NULL;
    if (elements(have->rank, have->dims) != elements(want->rank, want->dims)) return GM_OK; /* the model says what is wrong */
    all[0] = gm_tensor_dim(*x, 0);
    for (int32_t i = 0; i < want->rank; i++) all[i + 1] = want->dims[i];
    gm_status s = gm_tensor_reshape(*x, want->rank + 1, all, &view);
    gm_tensor_destroy(*x);
    *x = view;
    return s;
}

/* The same label, or the same numbers, for n rows. */
static gm_status cond_of_text(tool *t, const gm_spec *x, int64_t n, gm_tensor **cond)
{
    int64_t label, width = x->cond_dim;
    const char *p = t->o.cond;
    gm_status s = GM_OK;
    if (x->classes) {
        if (!whole(p, 0, x->classes - 1, &label)) return fail(t, BAD_USAGE, "--cond %s: a label from 0 to %" PRId64, p, x->classes - 1);
        s = gm_tensor_create(t->ctx, GM_I32, 1, &n, cond);
        for (int64_t i = 0; !s && i < n; i++) ((int32_t *)gm_tensor_data(*cond))[i] = (int32_t)label;
        return s;
    }
    if (!width) return fail(t, BAD_USAGE, "--cond %s: the model was trained without labels", p);
    s = new_rows(t, GM_F32, n, 1, &width, cond);
    for (int64_t j = 0; !s && j < width; j++) {
        char *end;
        const float v = strtof(p, &end);
        if (end == p || *end != (j + 1 < width ? ',' : 0)) return fail(t, BAD_USAGE, "--cond %s: %" PRId64 " numbers with commas between", t->o.cond, width);
        p = end + 1;
        for (int64_t i = 0; i < n; i++) ((float *)gm_tensor_data(*cond))[i * width + j] = v;
    }
    return s;
}

/* Conditions for n samples: by --cond, else one label after the other. NULL when the model's data had none; a model that is not conditional does not look. */
static gm_status cond_of_samples(tool *t, const gm_spec *x, int64_t n, gm_tensor **cond)
{
    if (t->o.cond) return cond_of_text(t, x, n, cond);
    if (!x->classes) return GM_OK;
    gm_status s = gm_tensor_create(t->ctx, GM_I32, 1, &n, cond);
    for (int64_t i = 0; !s && i < n; i++) ((int32_t *)gm_tensor_data(*cond))[i] = (int32_t)((t->o.sample.first + i) % x->classes);
    return s;
}

static void drop_rows(tool *t)
{
    gm_tensor **const all[] = {&t->x, &t->cond, &t->out, &t->anomaly};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        gm_tensor_destroy(*all[i]);
        *all[i] = NULL;
    }
}

/* The first n rows of a dataset to t->x in the sample's shape, in its type where they have it, else f32; what the data says as conditions to t->cond. */
static gm_status read_rows(tool *t, gm_dataset *d, int64_t n, const gm_spec *want)
{
    const gm_spec *have = gm_dataset_spec(d);
    const int labels = !t->o.cond && !t->o.stream; /* labels of a block may be numbered in another way than those of the model */
    if (n < 1) return fail(t, BAD_USAGE, "-n %" PRId64 ": at least 1", n);
    gm_status s = new_rows(t, have->dtype == want->dtype ? have->dtype : GM_F32, n, have->rank, have->dims, &t->x);
    if (!s && labels && have->classes) s = gm_tensor_create(t->ctx, GM_I32, 1, &n, &t->cond);
    if (!s && labels && have->cond_dim) s = new_rows(t, GM_F32, n, 1, &have->cond_dim, &t->cond);
    if (!s) s = gm_dataset_read(d, 0, t->x, t->cond);
    return s ? s : shape_as(&t->x, have, want);
}

/* ---- writing ---- */

static gm_status write_output(void *user, const void *from, size_t n)
{
    (void)user;
    return fwrite(from, 1, n, stdout) == n ? GM_OK : GM_E_IO;
}

static void writer(const char *path, gm_writer *w)
{
    gm_writer_init(w, sizeof *w);
    w->path = path && !standard(path) ? path : NULL;
    if (!w->path) w->write = write_output;
}

static int to_stdout(const tool *t) { return !t->o.output || standard(t->o.output); }

/* "npy", "csv", "png", by --format or the end of the name; NULL when neither says it. */
static const char *output_format(const tool *t)
{
    static const char *const known[] = {"json", "npy", "csv", "png"};
    const char *end = t->o.format;
    if (!end && t->o.output) end = strrchr(t->o.output, '.') ? strrchr(t->o.output, '.') + 1 : NULL;
    for (size_t i = strcmp(t->command, "score") ? 1 : 0; end && i < sizeof known / sizeof *known; i++)
        if (!strcmp(end, known[i])) return known[i];
    return NULL;
}

static gm_status check_output(tool *t, const char *format)
{
    if (to_stdout(t) && isatty(STDOUT_FILENO) && (!strcmp(format, "npy") || !strcmp(format, "png")))
        return fail(t, BAD_USAGE, "%s is not for terminals: name a file with -o, or give --format csv", format);
    return GM_OK;
}

static gm_status open_text(tool *t, FILE **f)
{
    *f = to_stdout(t) ? stdout : fopen(t->o.output, "w");
    return *f ? GM_OK : fail(t, GM_E_IO, "%s cannot be written: %s", t->o.output, strerror(errno));
}

static gm_status close_text(tool *t, FILE *f, gm_status s)
{
    int bad = !f || ferror(f);
    if (f == stdout) bad |= fflush(f) != 0;
    else if (f) bad |= fclose(f) != 0;
    return s || !bad ? s : fail(t, GM_E_IO, "%s cannot be written: %s", to_stdout(t) ? "standard output" : t->o.output, strerror(errno));
}

static void print_element(FILE *f, const gm_tensor *x, int64_t i)
{
    const void *p = gm_tensor_data_const(x);
    switch (gm_tensor_dtype(x)) {
    case GM_F32: fprintf(f, "%.9g", (double)((const float *)p)[i]); break;
    case GM_F64: fprintf(f, "%.17g", ((const double *)p)[i]); break;
    case GM_U8: fprintf(f, "%d", ((const uint8_t *)p)[i]); break;
    case GM_I16: fprintf(f, "%d", ((const int16_t *)p)[i]); break;
    case GM_I32: fprintf(f, "%" PRId32, ((const int32_t *)p)[i]); break;
    default: fprintf(f, "%" PRId64, ((const int64_t *)p)[i]); break;
    }
}

static int64_t row_size(const gm_tensor *x)
{
    int64_t n = 1;
    for (int32_t i = 1; i < gm_tensor_rank(x); i++) n *= gm_tensor_dim(x, i);
    return n;
}

static void print_json_double(FILE *f, double v)
{
    if (v - v == 0) fprintf(f, "%.17g", v);
    else fprintf(f, "null"); /* JSON has neither NaN nor infinity */
}

/* Rows as csv, with one more column from `extra` when it is there. */
static void print_csv(FILE *f, const gm_tensor *x, const gm_tensor *extra)
{
    const int64_t size = row_size(x);
    for (int64_t i = 0; i < gm_tensor_dim(x, 0); i++) {
        for (int64_t j = 0; j < size; j++) {
            if (j) putc(',', f);
            print_element(f, x, i * size + j);
        }
        if (extra) {
            putc(',', f);
            print_element(f, extra, i);
        }
        putc('\n', f);
    }
}

/* Scores as an object a line. */
static void print_scores(FILE *f, const gm_tensor *score, const gm_tensor *anomaly)
{
    const float *p = gm_tensor_data_const(score);
    const uint8_t *yes = gm_tensor_data_const(anomaly);
    for (int64_t i = 0; i < gm_tensor_dim(score, 0); i++) {
        fprintf(f, "{\"score\":");
        print_json_double(f, (double)p[i]);
        if (yes) fprintf(f, ",\"is_anomaly\":%s", yes[i] ? "true" : "false");
        fputs("}\n", f);
    }
}

static void print_text(const tool *t, FILE *f, const char *format)
{
    if (!strcmp(format, "json")) print_scores(f, t->out, t->anomaly);
    else print_csv(f, t->out, t->anomaly);
}

/* Values to 0..1: by the bounds that are known, else those of the pictures themselves. */
static void to_unit(float *p, int64_t n, const gm_spec *x)
{
    double lo = x->lo, hi = x->hi;
    for (int64_t i = 0; !(x->lo < x->hi) && i < n; i++) {
        if (i == 0 || p[i] < lo) lo = p[i];
        if (i == 0 || p[i] > hi) hi = p[i];
    }
    for (int64_t i = 0; i < n; i++) p[i] = hi > lo ? (float)((p[i] - lo) / (hi - lo)) : 0.5f;
}

static gm_status write_png(tool *t, const gm_tensor *x, const gm_spec *spec, gm_writer *w)
{
    gm_tensor *y = NULL;
    gm_status s = new_rows(t, GM_F32, gm_tensor_dim(x, 0), spec->rank, spec->dims, &y);
    if (!s) s = gm_tensor_copy(y, x);
    if (!s) to_unit(gm_tensor_data(y), gm_tensor_dim(y, 0) * row_size(y), spec);
    if (!s) s = gm_viz_grid(t->ctx, y, t->o.columns, w);
    gm_tensor_destroy(y);
    return s;
}

static void print_json_text(FILE *f, const char *p)
{
    putc('"', f);
    for (; *p; p++) {
        if (*p == '"' || *p == '\\') fprintf(f, "\\%c", *p);
        else if ((unsigned char)*p < 32) fprintf(f, "\\u%04x", (unsigned)*p);
        else putc(*p, f);
    }
    putc('"', f);
}

static void print_dims(int32_t rank, const int64_t *dims)
{
    for (int32_t i = 0; i < rank; i++) printf("%s%" PRId64, i ? "," : "[", dims[i]);
    printf("%s]", rank ? "" : "[");
}

/* With --json, what was written, unless it is on standard output itself. */
static void report_output(const tool *t, const char *format)
{
    const gm_tensor *x = t->out;
    int64_t dims[8];
    if (!t->o.json || to_stdout(t)) return;
    for (int32_t i = 0; i < gm_tensor_rank(x); i++) dims[i] = gm_tensor_dim(x, i);
    printf("{\"output\":");
    print_json_text(stdout, t->o.output);
    printf(",\"format\":\"%s\",\"dtype\":\"%s\",\"shape\":", format, gm_dtype_name(gm_tensor_dtype(x)));
    print_dims(gm_tensor_rank(x), dims);
    printf("}\n");
}

/* t->out to where the options say; spec is what its rows are samples of, NULL when they are no pictures. */
static gm_status write_rows(tool *t, const gm_spec *spec, const char *usual)
{
    const char *format = output_format(t) ? output_format(t) : usual;
    gm_writer w;
    FILE *f = NULL;
    gm_status s = check_output(t, format);
    if (s) return s;
    writer(t->o.output, &w);
    if (!strcmp(format, "npy")) s = gm_tensor_write_npy(t->out, &w);
    else if (!strcmp(format, "png")) s = spec ? write_png(t, t->out, spec, &w) : fail(t, BAD_USAGE, "png is for pictures: npy or csv");
    else {
        s = open_text(t, &f);
        if (!s) print_text(t, f, format);
        if (!s) s = close_text(t, f, s);
    }
    if (!s) report_output(t, format);
    return s;
}

/* ---- progress ---- */

static void print_progress(tool *t, const gm_record *r)
{
    char line[256];
    if (gm_record_text(r, line, sizeof line) != GM_OK && r->kind != GM_RECORD_EVENT) return;
    if (r->kind == GM_RECORD_EVENT) fprintf(stderr, "%sgenrep: %s: %s\n", t->terminal ? "\r\033[K" : "", gm_event_name(r->event), r->message);
    else fprintf(stderr, t->terminal ? "\r\033[K%.100s" : "%s\n", line);
    fflush(stderr);
}

/* A record that outlives the call: without what it points to, and without times and plans, so that a summary is the same in each run. */
static void keep(gm_record *to, const gm_record *r)
{
    const double none = to->eta_s; /* NaN, as gm_record_init set it */
    memcpy(to, r, r->size < sizeof *r ? r->size : sizeof *r);
    to->call = to->message = "";
    to->kl_per_dim = NULL;
    to->n_kl = 0;
    to->eta_s = to->examples_per_s = none;
    to->steps = to->epochs = -1;
}

static gm_action progress(void *user, const gm_record *r)
{
    tool *t = user;
    if (r->step > 0) t->steps = r->step;
    if (r->kind == GM_RECORD_EPOCH) keep(&t->last[0], r);
    if (r->kind == GM_RECORD_VALIDATION) keep(&t->last[1], r);
    if (r->kind == GM_RECORD_EVENT && (t->show || r->event != GM_EVENT_OVERFIT)) print_progress(t, r);
    if (!t->show || r->kind == GM_RECORD_EVENT || r->kind == GM_RECORD_VALIDATION) return GM_CONTINUE;
    const double now = seconds(NULL);
    if (r->step < r->steps && now - t->printed < (t->terminal ? 0.1 : 2)) return GM_CONTINUE;
    t->printed = now;
    print_progress(t, r);
    return GM_CONTINUE;
}

static void end_progress(tool *t)
{
    if (t->show && t->terminal && t->printed > 0) fprintf(stderr, "\n");
    t->printed = 0;
}

/* ---- train ---- */

static gm_status create_vae(tool *t)
{
    gm_vae_options o;
    gm_status s = GM_OK;
    gm_vae_options_init(&o, sizeof o);
    if (t->o.preset && gm_vae_options_preset(&o, t->o.preset)) return fail(t, BAD_USAGE, "--preset %s: mlp, points, conv28 or conv64", t->o.preset);
    o.seed = t->o.fit.seed;
    s = set_fields(t, vae_fields, &o);
    return s ? s : gm_vae_create(t->ctx, gm_dataset_spec(t->data), &o, &t->vae);
}

static gm_status create_gan(tool *t)
{
    gm_gan_options o;
    gm_status s = GM_OK;
    gm_gan_options_init(&o, sizeof o);
    if (t->o.preset && gm_gan_options_preset(&o, t->o.preset))
        return fail(t, BAD_USAGE, "--preset %s: unattended, mlp, dcgan28, dcgan32 or dcgan64", t->o.preset);
    o.seed = t->o.fit.seed;
    s = set_fields(t, gan_fields, &o);
    return s ? s : gm_gan_create(t->ctx, gm_dataset_spec(t->data), &o, &t->gan);
}

static gm_status make_trainee(tool *t, int gan)
{
    gm_reader r;
    if (!t->o.resume) return gan ? create_gan(t) : create_vae(t);
    if (t->o.preset || t->o.sets) return fail(t, BAD_USAGE, "--resume: the checkpoint has the model's options; leave out --preset and --set");
    gm_status s = reader(t, t->o.resume, &r);
    if (s) return s;
    return name_file(t, t->o.resume, gan ? gm_gan_read(t->ctx, &r, &t->gan) : gm_vae_read(t->ctx, &r, &t->vae));
}

static gm_status save(tool *t, const char *path, int checkpoint)
{
    gm_writer w;
    writer(path, &w);
    if (checkpoint) return t->gan ? gm_gan_write_checkpoint(t->gan, &w) : gm_vae_write_checkpoint(t->vae, &w);
    return t->gan ? gm_gan_write(t->gan, &w) : gm_vae_write(t->vae, &w);
}

/* That a path can be written, for what is better known before a training than after it. Files are made beside it and renamed. */
static gm_status check_target(tool *t, const char *path)
{
    char folder[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (path && standard(path) && isatty(STDOUT_FILENO)) return fail(t, BAD_USAGE, "a model is not for terminals: name a file with -o");
    if (!path || standard(path) || access(path, W_OK) == 0) return GM_OK;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return access(folder, W_OK) ? fail(t, GM_E_IO, "%s cannot be written: %s", path, strerror(errno)) : GM_OK;
}

static void print_figures(const char *name, const gm_record *r)
{
    const struct {
        const char *name;
        double value;
    } all[] = {{"objective", r->objective}, {"elbo", r->elbo},     {"recon", r->recon},   {"kl", r->kl},         {"active_units", r->active_units},
               {"d_loss", r->d_loss},       {"g_loss", r->g_loss}, {"d_real", r->d_real}, {"d_fake", r->d_fake}, {"penalty", r->penalty}};
    int n = 0;
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value != all[i].value) continue;
        printf("%s\"%s\":", n++ ? "," : "", all[i].name);
        print_json_double(stdout, all[i].value);
    }
    putchar('}');
}

static void print_record(const gm_record *r)
{
    char line[256];
    if (r->step > 0 && gm_record_text(r, line, sizeof line) == GM_OK) puts(line);
}

static void report_training(tool *t, gm_status s)
{
    if ((t->o.output && standard(t->o.output)) || (t->o.log && standard(t->o.log))) return;
    if (!t->o.json) {
        print_record(&t->last[0]);
        print_record(&t->last[1]);
        printf("%" PRId64 " steps%s%s\n", t->steps, t->o.output ? ", saved in " : "", t->o.output ? t->o.output : "");
        return;
    }
    printf("{\"family\":\"%s\",\"steps\":%" PRId64 ",\"cancelled\":%s", t->gan ? "gan" : "vae", t->steps, s ? "true" : "false");
    if (t->last[0].step > 0) print_figures("training", &t->last[0]);
    if (t->last[1].step > 0) print_figures("validation", &t->last[1]);
    if (t->o.output) {
        printf(",\"output\":");
        print_json_text(stdout, t->o.output);
    }
    puts("}");
}

/* Steps that the model has done in its life; a training that had nothing left to do told of none. */
static int64_t steps_done(tool *t)
{
    gm_info f;
    f.size = sizeof f;
    f.steps = t->steps;
    if (!t->steps && !(t->gan ? gm_gan_snapshot(t->gan, &t->model) : gm_vae_snapshot(t->vae, &t->model)) && gm_model_info(t->model, &f)) return 0;
    return f.steps;
}

/* A cancelled training leaves its model, and its checkpoint, as those of its last whole step. */
static gm_status finish_training(tool *t, gm_status s)
{
    const int cancelled = s == GM_E_CANCELLED;
    end_progress(t);
    if ((s && !cancelled) || (cancelled && !t->steps)) return s;
    if (!cancelled) t->steps = steps_done(t);
    gm_status saved = t->o.output ? save(t, t->o.output, 0) : GM_OK;
    if (!saved && t->o.fit.checkpoint_path) saved = save(t, t->o.fit.checkpoint_path, 1);
    if (saved) return saved;
    report_training(t, s);
    return cancelled ? fail(t, s, "cancelled after step %" PRId64, t->steps) : GM_OK;
}

static gm_status fit(tool *t)
{
    gm_fit_options *o = &t->o.fit;
    gm_writer log;
    writer(t->o.log, &log);
    if (t->o.log && strlen(t->o.log) > 4 && !strcmp(t->o.log + strlen(t->o.log) - 4, ".csv")) o->csv = &log;
    else if (t->o.log) o->jsonl = &log;
    if (!o->checkpoint_path) o->checkpoint_steps = 0;
    o->progress = progress;
    o->user = t;
    o->validation = t->other;
    return t->gan ? gm_gan_fit(t->gan, t->data, o) : gm_vae_fit(t->vae, t->data, o);
}

static gm_status train(tool *t)
{
    const int gan = !strcmp(t->argument[0], "gan");
    if (!gan && strcmp(t->argument[0], "vae")) return fail(t, BAD_USAGE, "train %s: vae or gan", t->argument[0]);
    gm_status s = check_target(t, t->o.output);
    if (!s) s = check_target(t, t->o.fit.checkpoint_path);
    if (!s) s = open_data(t, t->argument[1], t->o.data_options, &t->data);
    if (!s && t->o.validation) s = open_data(t, t->o.validation, t->o.other_options ? t->o.other_options : t->o.data_options, &t->other);
    if (!s) s = make_trainee(t, gan);
    return s ? s : finish_training(t, fit(t));
}

/* ---- info, verify ---- */

static void print_info(const gm_info *f)
{
    printf("{\"family\":\"%s\",\"latent_dim\":%" PRId64 ",\"parameters\":%" PRId64 ",\"steps\":%" PRId64, f->family, f->latent_dim, f->parameters, f->steps);
    printf(",\"sample\":{\"dtype\":\"%s\",\"shape\":", gm_dtype_name(f->x->dtype));
    print_dims(f->x->rank, f->x->dims);
    printf(",\"scaling\":\"%s\"", gm_scaling_name(f->x->scaling));
    if (f->x->lo < f->x->hi) printf(",\"lo\":%.17g,\"hi\":%.17g", f->x->lo, f->x->hi);
    printf(",\"classes\":%" PRId64 ",\"cond_dim\":%" PRId64 "},\"options\":%s", f->x->classes, f->x->cond_dim, f->options);
    printf(",\"calibration\":");
    if (f->calibrated) {
        printf("{\"score\":\"%s\",\"threshold\":", gm_score_name(f->score));
        print_json_double(stdout, f->threshold);
        printf(",\"false_positive_rate\":");
        print_json_double(stdout, f->false_positive_rate);
        printf("}");
    } else printf("null");
    printf(",\"format_version\":%" PRId32 ",\"numeric_profile\":%" PRId32 ",\"made_by\":", f->format_version, f->numeric_profile);
    print_json_text(stdout, f->made_by);
    printf(",\"sha256\":\"%s\"}\n", f->sha256);
}

static gm_status info(tool *t)
{
    gm_writer w;
    gm_status s = open_model(t, 0);
    writer(NULL, &w);
    if (s || !t->o.json) return s ? s : gm_model_print(t->ctx, t->model, &w);
    print_info(&t->facts);
    return GM_OK;
}

static gm_status verify(tool *t)
{
    gm_status s = open_model(t, GM_USE_ALL);
    if (s) return s;
    if (t->o.json) printf("{\"family\":\"%s\",\"sha256\":\"%s\",\"valid\":true}\n", t->facts.family, t->facts.sha256);
    else printf("%s: %s, sha256 %s: ok\n", t->argument[0], t->facts.family, t->facts.sha256);
    return GM_OK;
}

/* ---- sample, decode, grid ---- */

/* A use of the model, which is opened when that was not done. */
static gm_status open_latent(tool *t, int32_t uses)
{
    gm_status s = t->model ? GM_OK : open_model(t, uses);
    t->o.sample.seed = t->o.latent.seed = t->o.fit.seed;
    t->o.latent.progress = progress;
    t->o.latent.user = t;
    return s ? s : gm_latent_create(t->ctx, t->model, &t->o.latent, &t->latent);
}

/* n rows for what the model gives. */
static gm_status new_samples(tool *t, int64_t n, gm_tensor **x) { return new_rows(t, t->facts.x->dtype, n, t->facts.x->rank, t->facts.x->dims, x); }

static gm_status draw_samples(tool *t, int64_t n)
{
    if (n < 1) return fail(t, BAD_USAGE, "-n %" PRId64 ": at least 1", n);
    gm_status s = new_samples(t, n, &t->out);
    if (!s) s = cond_of_samples(t, t->facts.x, n, &t->cond);
    return s ? s : gm_latent_sample(t->latent, &t->o.sample, t->cond, NULL, t->out);
}

static gm_status sample(tool *t)
{
    gm_status s = open_latent(t, GM_USE_DECODE);
    if (!s) s = draw_samples(t, t->o.count < 0 ? 16 : t->o.count);
    return s ? s : write_rows(t, t->facts.x, "npy");
}

static gm_status decode(tool *t)
{
    gm_spec z;
    gm_status s = open_latent(t, GM_USE_DECODE);
    if (!s) s = open_data(t, t->argument[1], t->o.data_options, &t->data);
    if (s) return s;
    const int64_t n = gm_dataset_count(t->data);
    gm_spec_init(&z, sizeof z);
    z.dtype = GM_F32;
    z.rank = 1;
    z.dims[0] = t->facts.latent_dim;
    s = read_rows(t, t->data, n, &z);
    if (!s && t->o.cond) s = cond_of_text(t, t->facts.x, n, &t->cond);
    if (!s) s = new_samples(t, n, &t->out);
    if (!s) s = gm_latent_decode(t->latent, t->x, t->cond, &t->o.sample, t->out);
    return s ? s : write_rows(t, t->facts.x, "npy");
}

static gm_status grid(tool *t)
{
    int model = 0;
    int64_t n = t->o.count < 0 ? 64 : t->o.count;
    gm_status s = is_model(t, t->argument[0], &model);
    if (!t->o.format) t->o.format = "png";
    if (!s && model) {
        s = open_latent(t, GM_USE_DECODE);
        if (!s) s = draw_samples(t, n);
        return s ? s : write_rows(t, t->facts.x, "png");
    }
    if (!s) s = open_data(t, t->argument[0], t->o.data_options, &t->data);
    if (!s) s = read_rows(t, t->data, n < gm_dataset_count(t->data) ? n : gm_dataset_count(t->data), gm_dataset_spec(t->data));
    t->out = t->x;
    t->x = NULL;
    return s ? s : write_rows(t, gm_dataset_spec(t->data), "png");
}

/* ---- encode, reconstruct, score: rows in, rows out ---- */

typedef gm_status (*row_fn)(tool *t, int64_t n);

static gm_status encode_rows(tool *t, int64_t n)
{
    gm_status s = new_rows(t, GM_F32, n, 1, &t->facts.latent_dim, &t->out);
    return s ? s : gm_latent_encode(t->latent, t->x, t->cond, t->out, NULL, NULL, NULL);
}

static gm_status reconstruct_rows(tool *t, int64_t n)
{
    gm_status s = new_samples(t, n, &t->out);
    return s ? s : gm_latent_reconstruct(t->latent, t->x, t->cond, t->out);
}

static gm_status score_rows(tool *t, int64_t n)
{
    gm_status s = gm_tensor_create(t->ctx, GM_F32, 1, &n, &t->out);
    if (!s && t->facts.calibrated && t->facts.score == t->o.score) s = gm_tensor_create(t->ctx, GM_U8, 1, &n, &t->anomaly);
    return s ? s : gm_latent_score(t->latent, t->o.score, t->x, t->cond, t->out, t->anomaly);
}

/* From rows of a dataset to t->out. */
static gm_status apply(tool *t, gm_dataset *d, row_fn f)
{
    const int64_t n = gm_dataset_count(d);
    gm_status s = read_rows(t, d, n, t->facts.x);
    if (!s && t->o.cond) s = cond_of_text(t, t->facts.x, n, &t->cond);
    return s ? s : f(t, n);
}

/* Lines of csv, some at a time. Each block is a table of its own to the library, so that it is told what the first one showed: whether names stand on top. */
typedef struct lines {
    FILE *f;
    char *text, *line, *header;
    size_t n, room; /* of text, of line */
    int64_t count;  /* of this block, without the header */
    int first;
} lines;

/* The next block: at most n lines, blank ones aside; two at least at the beginning, where the first may be names. */
static gm_status next_block(tool *t, lines *l, int64_t n)
{
    ssize_t got = 0;
    free(l->text);
    FILE *to = open_memstream(&l->text, &l->n);
    if (!to) return fail(t, GM_E_NOMEM, "out of memory for a block of lines");
    l->count = 0;
    if (l->first && n < 2) n = 2;
    if (l->header) fputs(l->header, to);
    while (l->count < n && (got = getline(&l->line, &l->room, l->f)) > 0) {
        if (l->line[strspn(l->line, " \t\r\n")] == 0) continue;
        fwrite(l->line, 1, (size_t)got, to);
        l->count++;
    }
    if (fclose(to)) return fail(t, GM_E_NOMEM, "out of memory for a block of lines");
    if (caught) return fail(t, GM_E_CANCELLED, "cancelled");
    return got < 0 && ferror(l->f) ? fail(t, GM_E_IO, "%s cannot be read: %s", t->argument[1], strerror(errno)) : GM_OK;
}

static gm_status open_block(tool *t, lines *l, gm_dataset **d)
{
    gm_reader r;
    char words[2048];
    gm_reader_init(&r, sizeof r);
    r.memory = l->text;
    r.bytes = l->n;
    if ((size_t)snprintf(words, sizeof words, "csv %s %s", l->first ? "" : l->header ? "header=1" : "header=0",
                         t->o.data_options ? t->o.data_options : "") >= sizeof words)
        return fail(t, BAD_USAGE, "--data-options: at most %zu bytes", sizeof words - 16);
    gm_status s = name_file(t, t->argument[1], gm_dataset_open_reader(t->ctx, &r, words, d));
    if (s || !l->first) return s;
    l->first = 0;
    if (gm_dataset_count(*d) == l->count) return GM_OK;
    l->header = strndup(l->text, strcspn(l->text, "\n") + 1);
    return l->header ? GM_OK : fail(t, GM_E_NOMEM, "out of memory for the header");
}

static gm_status stream_blocks(tool *t, row_fn f, lines *l, const char *format, FILE *to)
{
    gm_status s = GM_OK;
    while (!s) {
        gm_dataset *d = NULL;
        s = next_block(t, l, t->o.stream);
        if (s || (!l->count && !l->first)) return s;
        s = open_block(t, l, &d);
        if (!s) s = apply(t, d, f);
        if (!s) print_text(t, to, format);
        if (!s && fflush(to)) s = fail(t, GM_E_IO, "the result cannot be written: %s", strerror(errno));
        gm_dataset_destroy(d);
        drop_rows(t);
    }
    return s;
}

static gm_status stream(tool *t, row_fn f, const char *usual)
{
    const char *path = t->argument[1], *format = output_format(t) ? output_format(t) : strcmp(usual, "json") ? "csv" : usual;
    lines l;
    FILE *to = NULL;
    memset(&l, 0, sizeof l);
    l.first = 1;
    if (!strcmp(format, "npy") || !strcmp(format, "png")) return fail(t, BAD_USAGE, "--stream writes csv");
    l.f = standard(path) ? stdin : fopen(path, "r");
    if (!l.f) return fail(t, GM_E_IO, "%s cannot be read: %s", path, strerror(errno));
    gm_status s = open_text(t, &to);
    if (!s) s = close_text(t, to, stream_blocks(t, f, &l, format, to));
    if (l.f != stdin) fclose(l.f);
    free(l.text);
    free(l.line);
    free(l.header);
    return s;
}

static gm_status run_rows(tool *t, row_fn f, const gm_spec *pictures, const char *usual)
{
    if (t->o.stream < 0) return fail(t, BAD_USAGE, "--stream %" PRId64 ": at least 1", t->o.stream);
    if (t->o.stream) return stream(t, f, usual);
    gm_status s = open_data(t, t->argument[1], t->o.data_options, &t->data);
    if (!s) s = apply(t, t->data, f);
    end_progress(t);
    return s ? s : write_rows(t, pictures, usual);
}

static gm_status encode(tool *t)
{
    gm_status s = open_latent(t, GM_USE_ENCODE);
    return s ? s : run_rows(t, encode_rows, NULL, "npy");
}

static gm_status reconstruct(tool *t)
{
    gm_status s = open_latent(t, GM_USE_ENCODE | GM_USE_DECODE);
    return s ? s : run_rows(t, reconstruct_rows, t->facts.x, "npy");
}

/* Data for calibration; a copy in the model's type and shape where it has others, as a csv for a model of pictures. */
static gm_status open_like_model(tool *t, const char *path, gm_dataset **d)
{
    const gm_spec *want = t->facts.x;
    gm_tensor *x = NULL;
    gm_status s = open_data(t, path, t->o.other_options ? t->o.other_options : t->o.data_options, d);
    if (s || (gm_dataset_spec(*d)->dtype == want->dtype && gm_dataset_spec(*d)->rank == want->rank)) return s;
    s = read_rows(t, *d, gm_dataset_count(*d), want);
    if (!s) s = new_samples(t, gm_dataset_count(*d), &x);
    if (!s) s = gm_tensor_copy(x, t->x);
    gm_dataset_destroy(*d);
    *d = NULL;
    if (!s) s = gm_dataset_from_tensor(x, t->cond, want, d);
    gm_tensor_destroy(x);
    drop_rows(t);
    return s;
}

/* Tells the threshold, when standard output is not for something else. */
static void report_threshold(const tool *t)
{
    const gm_info *f = &t->facts;
    if (t->arguments > 1 || (t->o.output && standard(t->o.output))) return;
    if (!t->o.json) {
        printf("%s above %.9g is an anomaly; at most %g of normal data\n", gm_score_name(f->score), f->threshold, f->false_positive_rate);
        return;
    }
    printf("{\"score\":\"%s\",\"threshold\":", gm_score_name(f->score));
    print_json_double(stdout, f->threshold);
    printf(",\"false_positive_rate\":%.17g}\n", f->false_positive_rate);
}

/* Puts a model with a threshold in the place of the model, and writes it to -o. */
static gm_status calibrate(tool *t)
{
    gm_calibrate_options *o = &t->o.calibrate;
    const gm_model *with = NULL;
    gm_writer w;
    gm_status s = open_like_model(t, t->o.held_out, &t->other);
    if (!s && t->o.density) s = open_like_model(t, t->o.density, &t->density);
    o->density = t->density;
    o->score = t->o.score;
    o->score_samples = t->o.latent.score_samples;
    o->seed = t->o.fit.seed;
    o->progress = progress;
    o->user = t;
    if (!s) s = gm_model_calibrate(t->ctx, t->model, t->other, o, &with);
    end_progress(t);
    if (s) return s;
    gm_model_destroy(t->model);
    t->model = with;
    s = gm_model_info(with, &t->facts);
    writer(t->o.output, &w);
    if (!s && t->o.output) s = gm_model_write(t->ctx, with, &w);
    if (!s) report_threshold(t);
    return s;
}

static gm_status score(tool *t)
{
    if (t->arguments < 2 && !t->o.held_out) return fail(t, BAD_USAGE, "score needs DATA, or --calibrate DATA");
    gm_status s = open_model(t, GM_USE_ALL);
    if (!s && t->o.held_out) {
        s = calibrate(t);
        t->o.output = NULL; /* was the model's */
    }
    if (s || t->arguments < 2) return s;
    if (t->o.score < 0) t->o.score = t->facts.calibrated ? t->facts.score : strcmp(t->facts.family, "gan") ? GM_SCORE_ELBO : GM_SCORE_RESIDUAL;
    s = open_latent(t, GM_USE_ALL);
    return s ? s : run_rows(t, score_rows, NULL, t->o.json ? "json" : "csv");
}

/* ---- the command line ---- */

typedef struct command {
    const char *name;
    int bit, least, most; /* arguments */
    gm_status (*run)(tool *t);
    const char *usage, *help;
} command;

static const command commands[] = {
    {"train", TRAIN, 2, 2, train, "vae|gan DATA [-o MODEL] [OPTIONS]", "trains a model on data"},
    {"info", INFO, 1, 1, info, "MODEL [--json]", "shows what a model is; reads the header alone"},
    {"verify", VERIFY, 1, 1, verify, "MODEL", "reads a whole model and checks its digest"},
    {"sample", SAMPLE, 1, 1, sample, "MODEL [-n N] [-o OUT]", "generates samples"},
    {"encode", ENCODE, 2, 2, encode, "MODEL DATA [-o Z]", "x to z: mean of q(z|x), or inversion of G"},
    {"decode", DECODE, 2, 2, decode, "MODEL Z [-o OUT]", "z to x"},
    {"reconstruct", RECONSTRUCT, 2, 2, reconstruct, "MODEL DATA [-o OUT]", "x to z to x"},
    {"score", SCORE, 1, 2, score, "MODEL [DATA] [-o OUT] [--calibrate DATA [-o MODEL]]", "how unlike the training data each row is"},
    {"grid", GRID, 1, 1, grid, "MODEL|DATA [-o PNG]", "a picture of samples, or of the first rows of data"},
};
enum { COMMANDS = sizeof commands / sizeof *commands, OPTIONS = sizeof options / sizeof *options };

static const command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}

static int help(void)
{
    printf("usage: genrep COMMAND ARGUMENTS [OPTIONS]\n\n");
    for (int i = 0; i < COMMANDS; i++) printf("  %-12s %s\n", commands[i].name, commands[i].help);
    printf("  %-12s %s\n", "help COMMAND", "its arguments and options");
    printf("\nDATA is an IDX, npy, csv, PNM or WAV file, or a folder of PNM pictures. - is standard input or output.\n");
    return 0;
}

static void help_fields(const char *title, const field *f)
{
    int column = printf("\n--set %s:", title);
    for (; f->name; f++) {
        if (column + strlen(f->name) > 96) column = printf("\n   ") - 1;
        column += printf(" %s", f->name);
    }
}

static int help_command(const command *c)
{
    char left[64];
    printf("usage: genrep %s %s\n%s\n\n", c->name, c->usage, c->help);
    for (int i = 0; i < OPTIONS; i++) {
        const option *o = &options[i];
        if (!(o->commands & c->bit)) continue;
        snprintf(left, sizeof left, "--%s %s", o->f.name, o->value ? o->value : "");
        printf("  %c%c%c %-28s %s\n", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', left, o->help);
    }
    if (c->bit != TRAIN) return 0;
    help_fields("of a vae", vae_fields);
    help_fields("of a gan", gan_fields);
    printf("\n");
    return 0;
}

static const option *find_option(const char *name, size_t n, char letter, int bit)
{
    for (int i = 0; i < OPTIONS; i++) {
        const option *o = &options[i];
        if ((o->commands & bit) && (letter ? o->letter == letter : strlen(o->f.name) == n && !strncmp(o->f.name, name, n))) return o;
    }
    return NULL;
}

/* One option at argv[*i], its value behind a "=" or in the next word. */
static gm_status take_option(tool *t, const command *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *value = NULL, *name = word + 2;
    const int is_long = word[1] == '-';
    const size_t n = strcspn(name, "=");
    const option *o = is_long ? find_option(name, n, 0, c->bit) : find_option(NULL, 0, word[1], c->bit);
    if (!o) return fail(t, BAD_USAGE, "%s has no option %.60s", c->name, word);
    if (is_long && name[n]) value = name + n + 1;
    if (!is_long && word[2]) value = word + 2;
    if (o->f.kind == FLAG && value) return fail(t, BAD_USAGE, "--%s takes no value", o->f.name);
    if (o->f.kind != FLAG && !value) {
        if (*i + 1 >= argc) return fail(t, BAD_USAGE, "%s: %s is missing", word, o->value);
        value = argv[++*i];
    }
    if (o->f.kind == LIST) {
        if (t->o.sets == MOST_SETS) return fail(t, BAD_USAGE, "--set: at most %d times", MOST_SETS);
        t->o.set[t->o.sets++] = value;
        return GM_OK;
    }
    return store(&o->f, &t->o, value) ? GM_OK : fail(t, BAD_USAGE, "--%s %.60s: %s is wanted: %s", o->f.name, value, o->value, o->help);
}

/* Standard input can be read once. */
static gm_status check_inputs(tool *t, const command *c)
{
    const char *const extra[] = {t->o.validation, t->o.resume, t->o.held_out, t->o.density};
    int n = 0;
    for (int i = 0; i < t->arguments; i++) n += standard(t->argument[i]);
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) n += extra[i] && standard(extra[i]);
    if (n > 1) return fail(t, BAD_USAGE, "- is standard input and can be read only once");
    if (t->o.format && !output_format(t)) return fail(t, BAD_USAGE, "--format %s: npy, csv or png", t->o.format);
    if (t->arguments < c->least) return fail(t, BAD_USAGE, "%s needs %s", c->name, c->usage);
    if (t->o.json && c->bit & (SAMPLE | ENCODE | DECODE | RECONSTRUCT | GRID) && to_stdout(t))
        return fail(t, BAD_USAGE, "--json is about the file that -o names; the result itself goes to standard output here");
    return GM_OK;
}

static gm_status take_words(tool *t, const command *c, int argc, char **argv)
{
    gm_status s = GM_OK;
    int words = 0;
    for (int i = 2; !s && i < argc; i++) {
        if (!words && argv[i][0] == '-' && argv[i][1]) {
            if (!strcmp(argv[i], "--")) words = 1;
            else s = take_option(t, c, argc, argv, &i);
        } else if (t->arguments == c->most) s = fail(t, BAD_USAGE, "%s: one argument too many: %s", c->name, argv[i]);
        else t->argument[t->arguments++] = argv[i];
    }
    return s || t->o.help ? s : check_inputs(t, c);
}

static void init(tool *t)
{
    memset(t, 0, sizeof *t);
    gm_context_options_init(&t->o.context, sizeof t->o.context);
    gm_fit_options_init(&t->o.fit, sizeof t->o.fit);
    gm_sample_options_init(&t->o.sample, sizeof t->o.sample);
    gm_latent_options_init(&t->o.latent, sizeof t->o.latent);
    gm_calibrate_options_init(&t->o.calibrate, sizeof t->o.calibrate);
    gm_record_init(&t->last[0], sizeof t->last[0]);
    gm_record_init(&t->last[1], sizeof t->last[1]);
    t->o.context.clock = seconds;
    t->o.fit.checkpoint_steps = 1000;
    t->o.score = t->o.count = -1;
}

/* Ctrl-C cancels once; a second one ends the program at once. A signal that the caller ignores stays ignored. */
static void watch(gm_context *c)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction a, old;
    watched = c;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    a.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) sigaction(numbers[i], &a, NULL);
}

static int exit_status(tool *t, gm_status s)
{
    const char *text = t->message[0] ? t->message : t->ctx ? gm_context_error(t->ctx) : "";
    if (!s && !fflush(stdout) && !ferror(stdout)) return 0;
    if (!s) text = "standard output cannot be written";
    end_progress(t);
    fprintf(stderr, "genrep: %s\n", text[0] ? text : gm_status_text(s));
    if (s == BAD_USAGE) {
        fprintf(stderr, "'genrep help%s%s' says how\n", t->command ? " " : "", t->command ? t->command : "");
        return EXIT_USAGE;
    }
    return s == GM_E_CANCELLED && caught ? EXIT_SIGNAL + caught : EXIT_FAILED;
}

static void close_all(tool *t)
{
    drop_rows(t);
    gm_dataset_destroy(t->data);
    gm_dataset_destroy(t->other);
    gm_dataset_destroy(t->density);
    gm_vae_destroy(t->vae);
    gm_gan_destroy(t->gan);
    gm_latent_destroy(t->latent);
    gm_model_destroy(t->model);
    gm_context_destroy(t->ctx);
}

static int run(tool *t, const command *c)
{
    t->terminal = isatty(STDERR_FILENO);
    t->show = t->terminal || t->o.progress;
    gm_status s = gm_context_create(&t->o.context, &t->ctx);
    if (s) fail(t, s, "a context with these --threads, --simd and --memory-limit: %s", gm_status_text(s));
    watch(t->ctx);
    if (!s) s = c->run(t);
    int status = exit_status(t, s);
    watched = NULL;
    close_all(t);
    return status;
}

int main(int argc, char **argv)
{
    static tool t;
    const char *name = argc > 1 ? argv[1] : "";
    const command *c = find_command(name);
    init(&t);
    if (!strcmp(name, "--version")) return puts(gm_build_info()) < 0;
    if (!strcmp(name, "help") && argc == 3 && find_command(argv[2])) return help_command(find_command(argv[2]));
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || (!strcmp(name, "help") && argc == 2)) return help();
    if (!c && !strcmp(name, "help")) return exit_status(&t, fail(&t, BAD_USAGE, "no command %.60s", argv[2]));
    if (!c) return exit_status(&t, argc > 1 ? fail(&t, BAD_USAGE, "no command %.60s", name) : fail(&t, BAD_USAGE, "which command?"));
    t.command = c->name;
    gm_status s = take_words(&t, c, argc, argv);
    if (s) return exit_status(&t, s);
    return t.o.help ? help_command(c) : run(&t, c);
}
