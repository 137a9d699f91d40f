/* SPDX-License-Identifier: MIT */
/* data_open.c: datasets from files: IDX, npy, csv, PNM pictures, WAV sound.
 *
 * The format is told by the first bytes, unless the options say it. Everything is read into memory, in the type of the file; formats check sizes against the
 * file and the limits of the context before they allocate. Options are words name=value, a value with blanks in quotes. Not here: compressed files. */
#include "train/data_open.h"
#include "format/bytes.h"
#include "format/idx.h"
#include "format/npy.h"
#include "format/wav.h"
#include "tensor/convert.h"

/* ---- options ---- */

static gm_status bad_option(gm_context *c, const char *text, const char *at, const char *why)
{
    return gmi_fail_at(c, GM_E_INVALID, at - text + 1, "option %S, column %i: %s", at, (int64_t)(at - text) + 1, why);
}

static int whole_number(const char *s, double *v)
{
    size_t used;
    return !gmi_parse_double(s, strlen(s), v, &used) && !s[used] && gmi_f64_finite(*v);
}

static int whole_i64(const char *s, int64_t *v)
{
    size_t used;
    return !gmi_parse_i64(s, strlen(s), v, &used) && !s[used];
}

/* "1x28x28" or "1,28,28". */
static int parse_dims(const char *s, gm_spec *spec)
{
    for (spec->rank = 0; spec->rank < 6; s++) {
        size_t used;
        if (gmi_parse_i64(s, strlen(s), &spec->dims[spec->rank], &used) || spec->dims[spec->rank] < 1) return 0;
        spec->rank++;
        s += used;
        if (!*s) return 1;
        if (*s != 'x' && *s != ',') return 0;
    }
    return 0;
}

static int parse_delimiter(const char *s, char *to)
{
    if (!strcmp(s, "tab")) *to = '\t';
    else if (!strcmp(s, "space")) *to = ' ';
    else if (s[0] && !s[1] && s[0] != '"' && (unsigned char)s[0] < 0x80) *to = s[0];
    else return 0;
    return 1;
}

static int parse_scaling(const char *s, gm_scaling *to)
{
    for (*to = GM_SCALE_AUTO; *to <= GM_SCALE_STANDARD; ++*to)
        if (!strcmp(s, gm_scaling_name(*to))) return 1;
    return 0;
}

static int known_format(const char *s)
{
    static const char *const names[] = {"idx", "npy", "csv", "pnm", "wav"};
    for (int64_t i = 0; i < GMI_COUNT(names); i++)
        if (!strcmp(s, names[i])) return 1;
    return 0;
}

/* One name=value; NULL, or why it is wrong. */
static const char *take_option(gmi_open_options *o, const char *name, const char *value)
{
    if (!strcmp(name, "format")) {
        o->format = value;
        return known_format(value) ? NULL : "format is idx, npy, csv, pnm or wav";
    }
    if (!strcmp(name, "dims")) return parse_dims(value, &o->spec) ? NULL : "dims are 1 to 6 numbers, as 1x28x28";
    if (!strcmp(name, "lo")) return whole_number(value, &o->spec.lo) ? NULL : "lo is a finite number";
    if (!strcmp(name, "hi")) return whole_number(value, &o->spec.hi) ? NULL : "hi is a finite number";
    if (!strcmp(name, "scaling")) return parse_scaling(value, &o->spec.scaling) ? NULL : "scaling is auto, none, unit, signed or standard";
    if (!strcmp(name, "classes")) return whole_i64(value, &o->spec.classes) ? NULL : "classes is a number";
    if (!strcmp(name, "columns")) return o->spec.columns = value, NULL;
    if (!strcmp(name, "labels")) return o->labels = value, NULL;
    if (!strcmp(name, "label")) return o->label = value, NULL;
    if (!strcmp(name, "select")) return o->select = value, NULL;
    if (!strcmp(name, "header")) {
        o->header = value[0] == '1';
        return (value[0] == '0' || value[0] == '1') && !value[1] ? NULL : "header is 1 or 0";
    }
    if (!strcmp(name, "delimiter")) return parse_delimiter(value, &o->delimiter) ? NULL : "delimiter is one character, tab or space";
    if (!strcmp(name, "window")) return whole_i64(value, &o->window) && o->window > 0 ? NULL : "window is a number of times, at least 1";
    if (!strcmp(name, "hop")) return whole_i64(value, &o->hop) && o->hop > 0 ? NULL : "hop is a number of times, at least 1";
    return "known are format, dims, lo, hi, scaling, classes, columns, labels; of csv header, label, select, delimiter; of wav window, hop";
}

/* The end of the word at p; quotes, when it has them, are cut off. */
static char *cut_value(char *p, char **value)
{
    char quote = *p == '"' || *p == '\'' ? *p++ : 0;
    *value = p;
    while (*p && (quote ? *p != quote : *p != ' ' && *p != '\t' && *p != '\n')) p++;
    if (quote && !*p) return NULL;
    if (*p) *p++ = 0;
    return p;
}

static gm_status parse_options(gm_context *c, const char *text, gmi_open_options *o)
{
    char *p, *name, *value;
    const char *why;
    memset(o, 0, sizeof *o);
    gm_spec_init(&o->spec, sizeof o->spec);
    o->header = -1;
    if (!text) return GM_OK;
    p = o->text = gmi_strdup(c, text);
    if (!p) return gmi_alloc_status(c);
    for (;;) {
        while (*p == ' ' || *p == '\t' || *p == '\n') p++;
        if (!*p) return GM_OK;
        name = p;
        while (*p && *p != '=' && *p != ' ') p++;
        if (*p != '=') { /* a word alone is the format */
            if (*p) *p++ = 0;
            o->format = name;
            if (!known_format(name)) return bad_option(c, text, text + (name - o->text), "name=value, or one of idx, npy, csv, pnm, wav");
            continue;
        }
        *p++ = 0;
        p = cut_value(p, &value);
        if (!p) return bad_option(c, text, text + (name - o->text), "the quote is not closed");
        why = take_option(o, name, value);
        if (why) return bad_option(c, text, text + (name - o->text), why);
    }
}

/* Options that another format has are a mistake worth a word. */
static gm_status check_options(gm_context *c, const gmi_open_options *o, const char *format)
{
    int csv = !strcmp(format, "csv"), wav = !strcmp(format, "wav");
    if (!csv && (o->label || o->select || o->delimiter || o->header >= 0))
        return gmi_fail(c, GM_E_INVALID, "options header, label, select and delimiter belong to csv, the data is %s", format);
    if (!wav && (o->window || o->hop)) return gmi_fail(c, GM_E_INVALID, "options window and hop belong to wav, the data is %s", format);
    if (wav && o->labels) return gmi_fail(c, GM_E_INVALID, "windows of a sound have no labels");
    return GM_OK;
}

/* ---- formats ---- */

static const char *sniff(const uint8_t *p, size_t n)
{
    if (n >= 6 && !memcmp(p, "\x93NUMPY", 6)) return "npy";
    if (n >= 4 && (!memcmp(p, "RIFF", 4) || !memcmp(p, "RIFX", 4))) return "wav";
    if (n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '7' && (p[2] <= ' ' || p[2] == '#')) return "pnm";
    if (n >= 4 && !p[0] && !p[1] && p[3] >= 1 && p[3] <= GMI_MAX_RANK) return "idx";
    if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) return "gzip";
    if (n >= 4 && !memcmp(p, "PK\3\4", 4)) return "zip";
    return "csv";
}

/* [n, h, w] of an IDX file is pictures of one channel: [n, 1, h, w]. */
static void picture_dims(const gm_tensor *t, gm_spec *spec)
{
    if (spec->rank || t->rank != 3) return;
    spec->rank = 3;
    spec->dims[0] = 1;
    spec->dims[1] = t->dims[1];
    spec->dims[2] = t->dims[2];
}

static gm_status open_array(gm_context *c, gmi_in *in, const gmi_open_options *o, int idx, gm_dataset **out)
{
    gm_tensor *t = NULL;
    int32_t *labels = NULL;
    gm_spec spec = o->spec;
    gm_status s = idx ? gmi_idx_read(c, in, &t) : gmi_npy_read(c, in, &t);
    if (!s && o->labels && t->rank > 0) s = gmi_open_labels(c, o->labels, t->dims[0], &labels);
    if (s) {
        gm_tensor_destroy(t);
        return s;
    }
    if (idx) picture_dims(t, &spec);
    return gmi_dataset_make(c, t, &spec, labels, NULL, out);
}

static gm_status open_wav(gm_context *c, gmi_in *in, const gmi_open_options *o, gm_dataset **out)
{
    gm_tensor *t = NULL;
    gm_status s;
    if (!o->window) return gmi_fail(c, GM_E_INVALID, "a sound needs the option window (and hop): window=1024 hop=512 makes samples [channels,1024]");
    s = gmi_wav_read(c, in, NULL, &t);
    if (s) return s;
    return gmi_dataset_windows(c, t, o->window, o->hop ? o->hop : o->window, &o->spec, out);
}

static gm_status open_stream(gm_context *c, gmi_in *in, const gmi_open_options *o, const char *format, gm_dataset **out)
{
    gm_status s = check_options(c, o, format);
    if (s) return s;
    if (!strcmp(format, "idx")) return open_array(c, in, o, 1, out);
    if (!strcmp(format, "npy")) return open_array(c, in, o, 0, out);
    if (!strcmp(format, "wav")) return open_wav(c, in, o, out);
    if (!strcmp(format, "pnm")) return gmi_open_picture(c, in, o, out);
    if (!strcmp(format, "csv")) return gmi_open_csv(c, in, o, out);
    return gmi_fail(c, GM_E_UNSUPPORTED, "%S is compressed (%s): unpack it first", in->name, format);
}

/* The format of a path by its first bytes. */
static gm_status sniff_path(gm_context *c, const char *path, const char **format)
{
    gmi_in in;
    uint8_t head[16];
    size_t got = 0;
    gm_status s = gmi_in_open_path(c, path, &in);
    if (!s && !in.seekable) s = gmi_fail(c, GM_E_INVALID, "%S can be read only once: say its format, as in format=csv", path);
    if (!s) s = gmi_in_read(&in, head, sizeof head, &got);
    gmi_in_close(&in);
    if (!s) *format = sniff(head, got);
    return s;
}

static int is_folder(const char *path)
{
    uint64_t size;
    int dir = 0, fd = path ? gmi_os_open_read(path, &size, &dir) : -1;
    if (fd >= 0) gmi_os_close(fd);
    return dir;
}

static gm_status open_path(gm_context *c, const char *path, const gmi_open_options *o, gm_dataset **out)
{
    gmi_in in;
    const char *format = o->format;
    gm_status s;
    if (is_folder(path)) {
        s = check_options(c, o, "pnm");
        return s ? s : gmi_open_pictures(c, path, o, out);
    }
    s = format ? GM_OK : sniff_path(c, path, &format);
    if (s) return s;
    s = gmi_in_open_path(c, path, &in);
    if (!s) s = open_stream(c, &in, o, format, out);
    gmi_in_close(&in);
    return s;
}

gm_status gm_dataset_open(gm_context *c, const char *path, const char *o, gm_dataset **out)
{
    gmi_open_options options;
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "dataset_open");
    s = parse_options(c, o, &options);
    if (!s) s = open_path(c, path, &options, out);
    gmi_free(c, options.text);
    return gmi_leave(c, s);
}

gm_status gm_dataset_open_idx(gm_context *c, const char *path, const char *labels_path, gm_dataset **out)
{
    gmi_open_options options;
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "dataset_open_idx");
    s = parse_options(c, NULL, &options);
    options.format = "idx";
    options.labels = labels_path;
    if (!s && is_folder(path)) s = gmi_fail(c, GM_E_IO, "%S is a folder: an IDX file is needed", path);
    if (!s) s = open_path(c, path, &options, out);
    return gmi_leave(c, s);
}

static gm_status open_reader(gm_context *c, const gm_reader *r, gmi_open_options *o, gm_dataset **out)
{
    gmi_in in;
    const char *format = o->format;
    gm_status s;
    if (r->path) return open_path(c, r->path, o, out);
    s = gmi_in_open(c, r, &in);
    if (!s && !format && !in.r.memory) s = gmi_fail(c, GM_E_INVALID, "a reader with callbacks needs a format: idx, npy, csv, pnm or wav");
    if (!s && !format) format = sniff(in.r.memory, (size_t)GMI_MIN(in.total, (uint64_t)16));
    if (!s) s = open_stream(c, &in, o, format, out);
    gmi_in_close(&in);
    return s;
}

gm_status gm_dataset_open_reader(gm_context *c, const gm_reader *r, const char *format, gm_dataset **out)
{
    gmi_open_options options;
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "dataset_open_reader");
    if (!r) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "the reader is NULL"));
    s = parse_options(c, format, &options);
    if (!s) s = open_reader(c, r, &options, out);
    gmi_free(c, options.text);
    return gmi_leave(c, s);
}

/* ---- labels ---- */

static gm_status read_labels(gm_context *c, gmi_in *in, const char *format, gm_tensor **t)
{
    if (!strcmp(format, "idx")) return gmi_idx_read(c, in, t);
    if (!strcmp(format, "npy")) return gmi_npy_read(c, in, t);
    return gmi_fail(c, GM_E_FORMAT, "labels %S: an IDX or npy file is needed", in->name);
}

gm_status gmi_open_labels(gm_context *c, const char *path, int64_t n, int32_t **labels)
{
    gm_tensor *t = NULL;
    const char *format = "";
    gmi_in in;
    gm_status s = sniff_path(c, path, &format);
    if (s) return s;
    s = gmi_in_open_path(c, path, &in);
    if (!s) s = read_labels(c, &in, format, &t);
    gmi_in_close(&in);
    if (!s && (t->rank != 1 || t->dtype == GM_F32 || t->dtype == GM_F64))
        s = gmi_fail(c, GM_E_SHAPE, "labels %S are %v %s: one integer a row is needed", path, t->rank, t->dims, gm_dtype_name(t->dtype));
    if (!s && t->dims[0] != n) s = gmi_fail(c, GM_E_SHAPE, "labels %S are %i, the data has %i rows", path, t->dims[0], n);
    if (!s) {
        *labels = gmi_alloc_n(c, n, sizeof **labels);
        if (*labels) gmi_convert_row(n, GM_I32, (char *)*labels, sizeof **labels, t->dtype, t->data, t->strides[0]);
        else s = gmi_alloc_status(c);
    }
    gm_tensor_destroy(t);
    return s;
}
