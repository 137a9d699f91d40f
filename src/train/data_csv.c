/* SPDX-License-Identifier: MIT */
/* data_csv.c: tables of text as rows [columns] f32, one column of them as labels when asked.
 *
 * Labels that all are integers from 0 on are taken as they are; any others are names, and their classes are numbered in the order of the names' bytes, so that
 * the numbers do not depend on the order of rows. With gm_spec.columns, columns are found by name (by place where the table has no names), texts of a category
 * become the index of their word, and an empty cell, NA or ? is NaN where it may be missing. */
#include "train/data_open.h"
#include "format/bytes.h"
#include "format/csv.h"

#define CLASSES_MAX 65536

/* Heap sort: no worst case, no memory. */
void gmi_sort_texts(const char **p, int64_t n)
{
    for (int64_t end = n, top = n / 2; end > 1;) {
        const char *x;
        int64_t i, child;
        if (top > 0) {
            x = p[--top];
        } else {
            x = p[--end];
            p[end] = p[0];
        }
        for (i = top; (child = 2 * i + 1) < end; i = child) {
            if (child + 1 < end && strcmp(p[child + 1], p[child]) > 0) child++;
            if (strcmp(p[child], x) <= 0) break;
            p[i] = p[child];
        }
        p[i] = x;
    }
}

typedef struct table {
    gm_context *ctx;
    gmi_csv csv;
    int64_t *column; /* of the file, for each feature */
    int64_t columns, label; /* label -1: none */
    gmi_arena texts;
    gmi_columns kinds;      /* of the features, n 0: all are numbers */
    gmi_buf values;  /* f32, row by row */
    gmi_buf names;   /* the label cells, each with a 0 byte */
} table;

/* The column a label option names, -1 without one. */
static gm_status find_label(table *t, const char *label)
{
    t->label = -1;
    if (!label || !strcmp(label, "none")) return GM_OK;
    t->label = gmi_csv_column(&t->csv, label);
    if (t->label >= 0) return GM_OK;
    if (!strcmp(label, "last")) t->label = t->csv.columns - 1;
    else if (!strcmp(label, "first")) t->label = 0;
    else return gmi_fail(t->ctx, GM_E_UNKNOWN, "label=%s: no such column; first, last, none, a name of the first row, or 1 to %i without names", label, t->csv.columns);
    return GM_OK;
}

/* The columns "a,b,c" names, or all but the label. */
static gm_status find_columns(table *t, const char *select)
{
    char name[256];
    int64_t all = t->csv.columns;
    t->column = gmi_alloc_n(t->ctx, GMI_MAX(all, 1), sizeof *t->column);
    if (!t->column) return gmi_alloc_status(t->ctx);
    for (int64_t i = 0; !select && i < all; i++)
        if (i != t->label) t->column[t->columns++] = i;
    while (select && *select) {
        size_t n = 0;
        while (select[n] && select[n] != ',') n++;
        if (n >= sizeof name || t->columns == all) return gmi_fail(t->ctx, GM_E_INVALID, "select=: more than the %i columns, or a name too long", all);
        memcpy(name, select, n);
        name[n] = 0;
        t->column[t->columns] = gmi_csv_column(&t->csv, name);
        if (t->column[t->columns] < 0) return gmi_fail(t->ctx, GM_E_UNKNOWN, "select=: no column %S among the %i", name, all);
        t->columns++;
        select += n + (select[n] == ',');
    }
    return t->columns ? GM_OK : gmi_fail(t->ctx, GM_E_SHAPE, "the table has no column left beside the label");
}

/* ---- mixed tables ---- */

/* The first row is one of names when it has at least one of the columns': category words would make any first row look like names. */
static gm_status mixed_header(table *t)
{
    for (int64_t i = 0; i < t->kinds.n; i++)
        for (int64_t j = 0; j < t->csv.columns; j++)
            if (!strcmp(t->kinds.p[i].name, t->csv.cells[j].text)) return gmi_csv_take_header(&t->csv);
    return GM_OK;
}

static gm_status find_mixed(table *t)
{
    gm_status s = find_columns(t, NULL);
    if (s) return s;
    for (int64_t i = 0; t->csv.names && i < t->kinds.n; i++) {
        int64_t at = gmi_csv_column(&t->csv, t->kinds.p[i].name);
        if (at < 0)
            return gmi_fail(t->ctx, GM_E_UNKNOWN, "columns: the table has no column %S", t->kinds.p[i].name);
        if (i < t->csv.columns) t->column[i] = at;
    }
    if (t->csv.names ? t->kinds.n > t->csv.columns : t->kinds.n != t->columns)
        return gmi_fail(t->ctx, GM_E_SHAPE, "columns: %i columns are named, the table has %i", t->kinds.n, t->csv.names ? t->csv.columns : t->columns);
    t->columns = t->kinds.n;
    return GM_OK;
}

/* A cell without the blanks around it. */
static gmi_csv_cell trimmed(const gmi_csv_cell *c)
{
    gmi_csv_cell t = *c;
    while (t.n && (t.text[0] == ' ' || t.text[0] == '\t')) t.text++, t.n--;
    while (t.n && (t.text[t.n - 1] == ' ' || t.text[t.n - 1] == '\t')) t.n--;
    return t;
}

static int is_missing(const gmi_csv_cell *c, int number, double v)
{
    return !c->n || (c->n == 2 && !memcmp(c->text, "NA", 2)) || (c->n == 1 && c->text[0] == '?') || (number && v != v);
}

/* Feature i of the present row. */
static gm_status mixed_cell(const table *t, int64_t i, double *v)
{
    const gmi_column *k = &t->kinds.p[i];
    const gmi_csv_cell *raw = &t->csv.cells[t->column[i]], c = trimmed(raw);
    const int64_t line = t->csv.line, word = k->kind == GMI_COLUMN_CATEGORY && c.n ? gmi_column_word(k, c.text, c.n) : -1;
    const int number = gmi_csv_cell_number(&c, v);
    if (word >= 0) {
        *v = (double)word;
        return GM_OK;
    }
    if (is_missing(&c, number, *v)) {
        *v = gmi_bits_double(0x7ff8000000000000ull);
        if (k->missing) return GM_OK;
        return gmi_fail_at(t->ctx, GM_E_FORMAT, line, "csv: line %i, column %S: the value is missing: fill it, or say missing in columns", line, k->name);
    }
    if (k->kind == GMI_COLUMN_CATEGORY)
        return gmi_fail_at(t->ctx, GM_E_RANGE, line, "csv: line %i, column %S: %S is none of its %i words", line, k->name, raw->text, k->hi + 1);
    if (!number || !gmi_f64_finite(*v))
        return gmi_fail_at(t->ctx, GM_E_FORMAT, line, "csv: line %i, column %S: %S is no finite number", line, k->name, raw->text);
    if (k->kind == GMI_COLUMN_INTEGER && (*v < (double)k->lo || *v > (double)k->hi || *v != (double)(int64_t)*v))
        return gmi_fail_at(t->ctx, GM_E_RANGE, line, "csv: line %i, column %S: %S is no integer from %i to %i", line, k->name, raw->text, k->lo, k->hi);
    return GM_OK;
}

static gm_status read_row(table *t)
{
    gm_status s = GM_OK;
    for (int64_t i = 0; !s && i < t->columns; i++) {
        double v = 0;
        float f;
        s = t->kinds.n ? mixed_cell(t, i, &v) : gmi_csv_number(&t->csv, t->column[i], &v);
        if (s) return s;
        f = (float)v;
        if (v == v && !gmi_f32_finite(f))
            return gmi_fail_at(t->ctx, GM_E_FORMAT, t->csv.line, "csv: line %i, column %i: %g does not fit f32: rescale the column", t->csv.line, t->column[i] + 1, v);
        gmi_buf_add(&t->values, &f, sizeof f);
    }
    if (t->label >= 0) gmi_buf_add(&t->names, t->csv.cells[t->label].text, t->csv.cells[t->label].n + 1);
    if (t->values.failed || t->names.failed) return gmi_alloc_status(t->ctx);
    if (t->values.n > t->ctx->limits.tensor_bytes)
        return gmi_fail(t->ctx, GM_E_LIMIT, "csv: row %i passes the limit tensor_bytes = %u", t->csv.rows, t->ctx->limits.tensor_bytes);
    return GM_OK;
}

/* Labels that are numbers already: 1 when every one is. */
static int numbered(const table *t, int64_t n, int32_t *labels)
{
    const char *p = t->names.p;
    for (int64_t i = 0; i < n; i++) {
        size_t len = strlen(p), used;
        int64_t v;
        if (gmi_parse_i64(p, len, &v, &used) || used != len || v < 0 || v >= INT32_MAX) return 0;
        labels[i] = (int32_t)v;
        p += len + 1;
    }
    return 1;
}

static gm_status name_classes(const table *t, int64_t n, const char **names, gmi_map *map, int32_t *labels, gm_spec *spec)
{
    const char *p = t->names.p;
    int64_t classes = 0, id;
    gm_status s = GM_OK;
    for (int64_t i = 0; i < n; i++, p += strlen(p) + 1) {
        if (gmi_map_get(map, p, strlen(p), &id)) continue;
        if (classes == CLASSES_MAX)
            return gmi_fail(t->ctx, GM_E_LIMIT, "csv: the label column has more than %d different texts: is it a class?", CLASSES_MAX);
        s = gmi_map_put(map, p, strlen(p), 0);
        if (s) return s;
        names[classes++] = p;
    }
    gmi_sort_texts(names, classes);
    for (int64_t i = 0; !s && i < classes; i++) {
        s = gmi_map_put(map, names[i], strlen(names[i]), i);
        gmi_log(t->ctx, 3, "csv: class %i is %S", i, names[i]);
    }
    p = t->names.p;
    for (int64_t i = 0; !s && i < n; i++, p += strlen(p) + 1) {
        if (!gmi_map_get(map, p, strlen(p), &id)) return GM_E_INTERNAL;
        labels[i] = (int32_t)id;
    }
    if (!spec->classes) spec->classes = classes;
    return s;
}

static gm_status make_labels(const table *t, int64_t n, gm_spec *spec, int32_t **out)
{
    const char **names;
    gmi_map map;
    gm_status s;
    *out = gmi_alloc_n(t->ctx, n, sizeof **out);
    if (!*out) return gmi_alloc_status(t->ctx);
    if (numbered(t, n, *out)) return GM_OK;
    names = gmi_alloc_n(t->ctx, GMI_MIN(n, (int64_t)CLASSES_MAX), sizeof *names);
    if (!names) return gmi_alloc_status(t->ctx);
    gmi_map_init(&map, t->ctx);
    s = name_classes(t, n, names, &map, *out, spec);
    gmi_map_free(&map);
    gmi_free(t->ctx, (void *)names);
    return s;
}

static gm_status make_dataset(const table *t, const gmi_open_options *o, gm_dataset **out)
{
    gm_tensor *x = NULL;
    int32_t *labels = NULL;
    gm_spec spec = o->spec;
    int64_t dims[2];
    gm_status s;
    dims[0] = t->csv.rows;
    dims[1] = t->columns;
    if (!dims[0]) return gmi_fail(t->ctx, GM_E_FORMAT, "csv: the table has no rows");
    s = gm_tensor_create(t->ctx, GM_F32, 2, dims, &x);
    if (!s && t->label >= 0) s = make_labels(t, dims[0], &spec, &labels);
    if (!s && o->labels) s = gmi_open_labels(t->ctx, o->labels, dims[0], &labels);
    if (s) {
        gm_tensor_destroy(x);
        gmi_free(t->ctx, labels);
        return s;
    }
    memcpy(x->data, t->values.p, t->values.n);
    return gmi_dataset_make(t->ctx, x, &spec, labels, NULL, out);
}

static gm_status open_mixed(table *t, gmi_in *in, const gmi_open_options *o, gmi_csv_options *options)
{
    gm_status s = gmi_columns_parse(&t->texts, o->spec.columns, &t->kinds);
    if (!s && o->select) s = gmi_fail(t->ctx, GM_E_INVALID, "options columns and select: one of them; columns names what it takes");
    if (s) return s;
    options->header = o->header > 0;
    s = gmi_csv_open(t->ctx, in, options, &t->csv);
    if (!s && o->header < 0) s = mixed_header(t);
    if (!s) s = find_label(t, o->label);
    return s ? s : find_mixed(t);
}

static gm_status open_numbers(table *t, gmi_in *in, const gmi_open_options *o, const gmi_csv_options *options)
{
    gm_status s = gmi_csv_open(t->ctx, in, options, &t->csv);
    if (!s) s = find_label(t, o->label);
    return s ? s : find_columns(t, o->select);
}

gm_status gmi_open_csv(gm_context *c, gmi_in *in, const gmi_open_options *o, gm_dataset **out)
{
    table t;
    gmi_csv_options options;
    gm_status s;
    int got = 1;
    memset(&t, 0, sizeof t);
    t.ctx = c;
    gmi_buf_init(&t.values, c);
    gmi_buf_init(&t.names, c);
    gmi_csv_options_init(&options);
    options.delimiter = o->delimiter;
    options.header = o->header;
    if (o->label && o->labels) return gmi_fail(c, GM_E_INVALID, "options label and labels: one of them");
    t.csv.ctx = c;
    gmi_arena_init(&t.texts, c);
    s = o->spec.columns && o->spec.columns[0] ? open_mixed(&t, in, o, &options) : open_numbers(&t, in, o, &options);
    while (!s && got) {
        if (gmi_cancelled(c)) s = gmi_fail(c, GM_E_CANCELLED, "cancelled at line %i", t.csv.line);
        if (!s) s = gmi_csv_next(&t.csv, &got);
        if (!s && got) s = read_row(&t);
    }
    if (!s) s = make_dataset(&t, o, out);
    gmi_csv_close(&t.csv);
    gmi_buf_free(&t.values);
    gmi_buf_free(&t.names);
    gmi_free(c, t.column);
    gmi_arena_free(&t.texts);
    return s;
}
