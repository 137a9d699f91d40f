/* SPDX-License-Identifier: MIT */
/* record.c: the typed record of training: defaults, names, one line for people, lines for JSONL and CSV files; options that fit and sample share.
 *
 * One list of fields makes both file forms, so that they cannot differ. Numbers are written so that they read back to the same bits; what does not apply is NaN
 * in the record, null in JSON and empty in CSV. Every line has every field: a table reader needs no special case. */
#include "train/record.h"
#include "format/csv.h"
#include "format/bytes.h"
#include "format/json.h"

#define INTEGERS(X) X(epoch) X(epochs) X(step) X(steps) X(examples)
#define REALS(X)                                                                                                                                     \
    X(seconds) X(eta_s) X(examples_per_s) X(lr) X(objective) X(elbo) X(recon) X(kl) X(beta) X(active_units) X(d_loss) X(g_loss) X(d_real) X(d_fake)   \
    X(penalty) X(grad_norm) X(d_grad_norm)

/* ---- names ---- */

static const char *name_of(const char (*names)[20], int64_t n, int32_t i) { return i >= 0 && i < n ? names[i] : "unknown"; }

const char *gm_record_kind_name(gm_record_kind k)
{
    static const char names[][20] = {"step", "epoch", "validation", "event", "saved", "work"};
    return name_of(names, GMI_COUNT(names), k);
}

const char *gm_action_name(gm_action a)
{
    static const char names[][20] = {"continue", "stop", "cancel"};
    return name_of(names, GMI_COUNT(names), a);
}

const char *gm_event_name(gm_event e)
{
    static const char names[][20] = {"none",          "nonfinite", "divergence",  "overfit",   "posterior_collapse",
                                        "mode_collapse", "d_overfit", "g_vanishing", "supervisor"};
    return name_of(names, GMI_COUNT(names), e);
}

const char *gm_draw_name(gm_draw d)
{
    static const char names[][20] = {"mean", "sample"};
    return name_of(names, GMI_COUNT(names), d);
}

/* ---- defaults ---- */

static double no_number(void) { return gmi_bits_double(0x7ff8000000000000ull); }

void gm_record_init(gm_record *r, size_t size)
{
    gm_record d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.call = d.message = "";
    d.epochs = d.steps = -1;
#define ROW(x) d.x = no_number();
    REALS(ROW)
#undef ROW
    if (r) gmi_options_init(r, size, &d, sizeof d);
}

void gm_fit_options_init(gm_fit_options *o, size_t size)
{
    gm_fit_options d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.epochs = -1;
    d.max_steps = -1;
    d.batch = 128;
    d.accumulate = 1;
    d.patience = 10;
    d.validation_fraction = 0.1;
    if (o) gmi_options_init(o, size, &d, sizeof d);
}

void gm_sample_options_init(gm_sample_options *o, size_t size)
{
    gm_sample_options d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.truncation = 1;
    d.draw = GM_DRAW_MEAN;
    if (o) gmi_options_init(o, size, &d, sizeof d);
}

/* ---- a line for people ---- */

typedef struct line {
    char *to;
    size_t n, used; /* used counts on past n */
} line;

static void add(line *l, const char *s)
{
    size_t len = strlen(s);
    if (l->used < l->n) {
        size_t m = GMI_MIN(len, l->n - l->used - 1);
        memcpy(l->to + l->used, s, m);
        l->to[l->used + m] = 0;
    }
    l->used += len;
}

/* "  name value", about five digits; nothing for NaN. */
static void add_number(line *l, const char *name, double v)
{
    char text[64];
    double a = v < 0 ? -v : v;
    if (v != v) return;
    add(l, "  ");
    add(l, name);
    add(l, " ");
    gmi_format_fixed(text, sizeof text, v, a >= 10000 ? 0 : a >= 10 ? 2 : a >= 1 ? 3 : a >= 0.001 || a == 0 ? 4 : 6);
    add(l, text);
}

static void add_units(line *l, double n)
{
    char text[32];
    if (!(n >= 0)) return;
    gmi_format_fixed(text, sizeof text, n, 0);
    add(l, "  active ");
    add(l, text);
}

static void add_count(line *l, const char *name, int64_t i, int64_t of)
{
    char text[64];
    if (i <= 0 && of <= 0) return;
    if (l->used) add(l, "  ");
    if (of > 0) gmi_format(text, sizeof text, "%s %i/%i", name, i, of);
    else gmi_format(text, sizeof text, "%s %i", name, i);
    add(l, text);
}

/* "0:07", "1:02:03". */
static void add_time(line *l, const char *name, double seconds)
{
    char text[64];
    int64_t s;
    if (!(seconds >= 0) || seconds > 1e9) return;
    s = (int64_t)(seconds + 0.5);
    if (s >= 3600) gmi_format(text, sizeof text, "  %s %i:%i%i:%i%i", name, s / 3600, s / 600 % 6, s / 60 % 10, s / 10 % 6, s % 10);
    else gmi_format(text, sizeof text, "  %s %i:%i%i", name, s / 60, s / 10 % 6, s % 10);
    add(l, text);
}

static void add_rate(line *l, double v)
{
    char text[64];
    if (!(v >= 0) || v > 1e15) return;
    add(l, "  ");
    gmi_format_fixed(text, sizeof text, v, v < 10 ? 1 : 0);
    add(l, text);
    add(l, " ex/s");
}

gm_status gm_record_text(const gm_record *given, char *to, size_t n)
{
    gm_record r;
    line l;
    if (!given || !to || !n) return GM_E_INVALID;
    if (!GM_TRAINING) return GM_E_UNSUPPORTED;
    gm_record_init(&r, sizeof r);
    if (gmi_options_merge(&r, sizeof r, given)) return GM_E_INVALID;
    l.to = to;
    l.n = n;
    l.used = 0;
    to[0] = 0;
    if (r.kind != GM_RECORD_STEP && r.kind != GM_RECORD_EPOCH) add(&l, gm_record_kind_name(r.kind));
    if (r.event != GM_EVENT_NONE) {
        add(&l, " ");
        add(&l, gm_event_name(r.event));
    }
    add_count(&l, "epoch", r.epoch, r.epochs);
    add_count(&l, "step", r.step, r.steps);
    add_number(&l, "objective", r.objective);
    add_number(&l, "elbo", r.elbo);
    add_number(&l, "kl", r.kl);
    if (r.beta != 1) add_number(&l, "beta", r.beta);
    add_units(&l, r.active_units);
    add_number(&l, "d_loss", r.d_loss);
    add_number(&l, "g_loss", r.g_loss);
    add_number(&l, "d_real", r.d_real);
    add_number(&l, "d_fake", r.d_fake);
    add_number(&l, "penalty", r.penalty);
    add_rate(&l, r.examples_per_s);
    add_time(&l, "ETA", r.eta_s);
    if (r.message && r.message[0]) {
        add(&l, l.used ? "  " : "");
        add(&l, r.message);
    }
    return l.used < n ? GM_OK : GM_E_LIMIT;
}

/* ---- lines for files ---- */

/* A float by its own shortest form, not by that of the double it converts to. */
static double short_float(float v)
{
    char text[32];
    double d;
    size_t used, n = gmi_format_float(text, sizeof text, v);
    return gmi_parse_double(text, n, &d, &used) ? no_number() : d;
}

static void json_line(gmi_buf *b, const gm_record *r)
{
    gmi_json_out o;
    gmi_json_out_init(&o, b);
    gmi_json_out_object(&o);
    gmi_json_out_key(&o, "kind");
    gmi_json_out_text(&o, gm_record_kind_name(r->kind));
    gmi_json_out_key(&o, "event");
    gmi_json_out_text(&o, gm_event_name(r->event));
    gmi_json_out_key(&o, "call");
    gmi_json_out_text(&o, r->call ? r->call : "");
    gmi_json_out_key(&o, "message");
    gmi_json_out_text(&o, r->message ? r->message : "");
#define ROW(x) gmi_json_out_key(&o, #x), gmi_json_out_int(&o, r->x);
    INTEGERS(ROW)
#undef ROW
#define ROW(x) gmi_json_out_key(&o, #x), gmi_json_out_double(&o, r->x);
    REALS(ROW)
#undef ROW
    gmi_json_out_key(&o, "kl_per_dim");
    gmi_json_out_array(&o);
    for (int64_t i = 0; r->kl_per_dim && i < r->n_kl; i++) gmi_json_out_double(&o, short_float(r->kl_per_dim[i]));
    gmi_json_out_end(&o);
    gmi_json_out_end(&o);
    gmi_buf_text(b, "\n");
}

static void csv_titles(gmi_buf *b)
{
    gmi_buf_text(b, "kind,event,call,message");
#define ROW(x) gmi_buf_text(b, "," #x);
    INTEGERS(ROW) REALS(ROW)
#undef ROW
    gmi_buf_text(b, "\n");
}

static void csv_text(gmi_buf *b, const char *s)
{
    if (s && *s) gmi_csv_add_text(b, s, strlen(s));
    gmi_buf_text(b, ",");
}

static void csv_line(gmi_buf *b, const gm_record *r)
{
    csv_text(b, gm_record_kind_name(r->kind));
    csv_text(b, gm_event_name(r->event));
    csv_text(b, r->call);
    csv_text(b, r->message);
#define ROW(x) gmi_buf_format(b, "%i,", r->x);
    INTEGERS(ROW)
#undef ROW
#define ROW(x) gmi_csv_add_number(b, r->x), gmi_buf_text(b, ",");
    REALS(ROW)
#undef ROW
    if (!b->failed) b->p[b->n - 1] = '\n'; /* in place of the last comma */
}

static gm_status deliver_path(gmi_record_log *l, const char *p, size_t n)
{
    while (n) {
        int64_t r = gmi_os_write(l->fd, p, n);
        if (r <= 0) return gmi_fail_os(l->ctx, GM_E_IO, (int)-r, "cannot write the log %S: %s", l->w->path, r ? gmi_os_error_text((int)-r) : "no room");
        p += r;
        n -= (size_t)r;
        l->w->used += (uint64_t)r;
    }
    return GM_OK;
}

static gm_status deliver(gmi_record_log *l)
{
    gm_writer *w = l->w;
    size_t n = l->line.n;
    gmi_callback_state state;
    gm_status s;
    if (l->line.failed) return gmi_alloc_status(l->ctx);
    if (l->fd >= 0) return deliver_path(l, l->line.p, n);
    if (w->write) {
        state = gmi_callback_begin(l->ctx);
        s = w->write(w->user, l->line.p, n);
        gmi_callback_end(l->ctx, state);
        if (!s) w->used += n;
        return gmi_callback_status(l->ctx, s, "write");
    }
    if (w->used < w->capacity) memcpy((char *)w->memory + w->used, l->line.p, (size_t)GMI_MIN((uint64_t)n, w->capacity - w->used));
    w->used += n;
    return GM_OK;
}

gm_status gmi_record_log_open(gm_context *c, gm_writer *w, int csv, int append, gmi_record_log *l)
{
    memset(l, 0, sizeof *l);
    l->ctx = c;
    l->fd = -1;
    gmi_buf_init(&l->line, c);
    if (!w) return GM_OK;
    if (w->size < sizeof *w) return gmi_fail(c, GM_E_INVALID, "gm_writer.size is %u: call gm_writer_init first", (uint64_t)w->size);
    if ((w->write != NULL) + (w->path != NULL) + (w->memory != NULL) != 1)
        return gmi_fail(c, GM_E_INVALID, "the writer of the %s log: set one of write, path and memory", csv ? "csv" : "jsonl");
    l->csv = csv;
    l->titles = csv;
    if (!append) w->used = 0;
    else if (w->used) l->titles = 0;
    if (w->path) {
        uint64_t size = 0;
        int dir = 0, fd = append ? gmi_os_open_read(w->path, &size, &dir) : -1;
        if (fd >= 0) gmi_os_close(fd);
        if (fd >= 0 && size > 0 && size != UINT64_MAX) l->titles = 0;
        l->fd = gmi_os_create(w->path, append);
        if (l->fd < 0) return gmi_fail_os(c, GM_E_IO, -l->fd, "cannot write the log %S: %s", w->path, gmi_os_error_text(-l->fd));
    }
    l->w = w;
    return GM_OK;
}

gm_status gmi_record_log_add(gmi_record_log *l, const gm_record *r)
{
    if (!GM_TRAINING || !l->w || l->failed) return l->failed;
    l->line.n = 0;
    if (l->titles) csv_titles(&l->line);
    if (l->csv) csv_line(&l->line, r);
    else json_line(&l->line, r);
    l->failed = deliver(l);
    l->titles = 0;
    return l->failed;
}

gm_status gmi_record_log_close(gmi_record_log *l, gm_status s)
{
    if (!s) s = l->failed;
    if (l->fd >= 0) {
        int r = gmi_os_close(l->fd);
        if (!s && r < 0) s = gmi_fail_os(l->ctx, GM_E_IO, -r, "cannot close the log: %s", gmi_os_error_text(-r));
    }
    if (!s && l->w && l->w->memory && l->w->used > l->w->capacity)
        s = gmi_fail(l->ctx, GM_E_LIMIT, "the log needs %u bytes, its memory has %u", l->w->used, l->w->capacity);
    gmi_buf_free(&l->line);
    l->w = NULL;
    l->fd = -1;
    return s;
}
