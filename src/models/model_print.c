/* SPDX-License-Identifier: MIT */
/* model_print.c: a model as a table for people: where it comes from, its tensors, its options.
 *
 * A file's texts may hold anything; what would steer a terminal is shown as a question mark. */
#include "format/json.h"
#include "models/model.h"
#include "nn/nn.h"

/* Text without control characters (also those of two bytes, c2 80 to c2 9f). */
static void add_safe(gmi_buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char k = (unsigned char)s[i];
        const int two = k == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] >= 0x80 && (unsigned char)s[i + 1] < 0xa0;
        gmi_buf_add(b, k < 32 || k == 127 || two ? "?" : s + i, 1);
        i += (size_t)two;
    }
}

static void add_spaces(gmi_buf *b, size_t n)
{
    while (n--) gmi_buf_add(b, " ", 1);
}

static void add_number(gmi_buf *b, uint64_t v, size_t width)
{
    char text[24];
    size_t n = gmi_format(text, sizeof text, "%u", v);
    add_spaces(b, width > n ? width - n : 0);
    gmi_buf_add(b, text, n);
}

/* One line, the first two columns to the left, the next two to the right. */
static void row(gmi_buf *b, const size_t width[2], const char *name, const char *shape, int counted, uint64_t parameters, uint64_t bytes, const char *remark)
{
    add_safe(b, name, strlen(name));
    add_spaces(b, width[0] > strlen(name) ? width[0] - strlen(name) : 0);
    gmi_buf_format(b, "  %s", shape);
    add_spaces(b, width[1] > strlen(shape) ? width[1] - strlen(shape) : 0);
    if (counted)
        add_number(b, parameters, 14);
    else
        add_spaces(b, 14);
    add_number(b, bytes, 14);
    gmi_buf_format(b, "%s%s\n", remark[0] ? "  " : "", remark);
}

static const char *remark_of(const gm_model *m, const gmi_model_tensor *t)
{
    const int there = !m->weights || gmi_params_find(m->weights, t->name, NULL); /* of a header alone it goes without saying */
    if (t->kind == GMI_TENSOR_STATE) return there ? "statistics" : "statistics, not loaded";
    return there ? "" : "not loaded";
}

static void table(gmi_buf *b, const gm_model *m)
{
    char shape[160];
    size_t width[2] = {6, 5};
    uint64_t bytes = 0, count = 0;
    for (int32_t i = 0; i < m->n_tensors; i++) {
        const gmi_model_tensor *t = &m->tensors[i];
        width[0] = GMI_MAX(width[0], strlen(t->name));
        width[1] = GMI_MAX(width[1], gmi_format(shape, sizeof shape, "%v", t->rank, t->dims));
    }
    gmi_buf_text(b, "\n");
    gmi_buf_text(b, "tensor");
    add_spaces(b, width[0] - 6);
    gmi_buf_text(b, "  shape");
    add_spaces(b, width[1] - 5);
    gmi_buf_text(b, "    parameters         bytes\n");
    for (int32_t i = 0; i < m->n_tensors; i++) {
        const gmi_model_tensor *t = &m->tensors[i];
        gmi_format(shape, sizeof shape, "%v", t->rank, t->dims);
        row(b, width, t->name, shape, t->kind == GMI_TENSOR_PARAM, (uint64_t)t->count, (uint64_t)t->count * sizeof(gmi_real), remark_of(m, t));
        count += t->kind == GMI_TENSOR_PARAM ? (uint64_t)t->count : 0;
        bytes += (uint64_t)t->count * sizeof(gmi_real);
    }
    gmi_format(shape, sizeof shape, "%d", m->n_tensors);
    row(b, width, "total", shape, m->parameters >= 0, count, bytes, m->parameters >= 0 ? "" : "layers not known here: what training changed is not told apart");
}

/* A flat JSON object, a line for each member: its value as it stands. */
static void members(gmi_buf *b, const char *title, const char *json)
{
    gmi_json j;
    int32_t e;
    gmi_json_init(&j, json, strlen(json), 8);
    gmi_buf_format(b, "\n%s\n", title);
    for (e = gmi_json_next(&j); e == GMI_JSON_OBJECT || e == GMI_JSON_KEY; e = gmi_json_next(&j)) {
        if (e == GMI_JSON_OBJECT) continue;
        gmi_buf_text(b, "  ");
        add_safe(b, j.p + j.token.begin, j.token.n);
        add_spaces(b, j.token.n < 14 ? 14 - j.token.n : 0);
        size_t from = j.at;
        if (gmi_json_skip(&j, e) == GMI_JSON_ERROR) break;
        while (from < j.at && (j.p[from] == ':' || j.p[from] == ' ')) from++;
        gmi_buf_text(b, "  ");
        add_safe(b, j.p + from, j.at - from);
        gmi_buf_text(b, "\n");
    }
}

static void head(gmi_buf *b, const gm_model *m)
{
    static const char *const uses[] = {" encode", " decode", " score"};
    gmi_buf_format(b, "%s, latent_dim %i", m->kind->name, m->latent_dim);
    if (m->parameters >= 0) gmi_buf_format(b, ", %i parameters", m->parameters);
    if (m->steps >= 0) gmi_buf_format(b, ", %i steps", m->steps);
    gmi_buf_text(b, "\nmade by ");
    if (m->made_by[0])
        add_safe(b, m->made_by, strlen(m->made_by));
    else
        gmi_buf_text(b, "(the file does not say)");
    gmi_buf_format(b, ", file format %d, numeric profile %d\n", m->format, m->profile);
    if (m->sha256[0]) gmi_buf_format(b, "sha256 %s\n", m->sha256);
    gmi_buf_text(b, "loaded for");
    for (int32_t i = 0; i < 3; i++)
        if (m->uses >> i & 1) gmi_buf_text(b, uses[i]);
    gmi_buf_text(b, m->uses ? "\n" : " nothing: the header alone\n");
}

static void tail(gmi_buf *b, const gm_model *m)
{
    const gm_spec *x = &m->x;
    const gmi_calibration *k = &m->calibration;
    members(b, "options", m->options);
    gmi_buf_format(b, "\nsample\n  %s %v, scaling %s", gm_dtype_name(x->dtype), x->rank, x->dims, gm_scaling_name(x->scaling));
    if (x->lo < x->hi) gmi_buf_format(b, ", values %g to %g", x->lo, x->hi);
    if (x->classes) gmi_buf_format(b, ", %i classes", x->classes);
    if (x->cond_dim) gmi_buf_format(b, ", conditions of %i numbers", x->cond_dim);
    gmi_buf_text(b, "\n\nthreshold\n");
    if (!k->set) {
        gmi_buf_text(b, "  not calibrated\n");
        return;
    }
    gmi_buf_format(b, "  %s above %g is an anomaly; %g of normal data at most, from %i held-out rows, %d draws, seed %u\n", gm_score_name(k->score), k->threshold,
                   k->alpha, k->rows, k->samples, k->seed);
    if (k->dim) gmi_buf_format(b, "  with a latent density of %i dimensions\n", k->dim);
}

static gm_status print_model(gm_context *c, const gm_model *m, gm_writer *w)
{
    gmi_buf b;
    gmi_out o;
    gmi_buf_init(&b, c);
    head(&b, m);
    table(&b, m);
    tail(&b, m);
    gm_status s = b.failed ? gmi_nomem(c) : gmi_out_open(c, w, &o);
    if (!s) s = gmi_out_close(&o, gmi_out_write(&o, gmi_buf_cstr(&b), b.n));
    gmi_buf_free(&b);
    return s;
}

gm_status gm_model_print(gm_context *c, const gm_model *m, gm_writer *w)
{
    if (!c || !m) return GM_E_INVALID;
    gmi_enter(c, "model_print");
    return gmi_leave(c, w ? print_model(c, m, w) : gmi_fail(c, GM_E_INVALID, "the writer is NULL"));
}
