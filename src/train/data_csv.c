/* SPDX-License-Identifier: MIT */
/* data_csv.c: tables of text as rows [columns] f32, one column of them as labels when asked.
 *
 * Labels that all are integers from 0 on are taken as they are; any others are names, and their classes are numbered in the order of the names' bytes, so that
 * the numbers do not depend on the order of rows. Not here: columns of text as features. */
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

static gm_status read_row(table *t)
{
    gm_status s = GM_OK;
    for (int64_t i = 0; !s && i < t->columns; i++) {
        double v;
        float f;
        s = gmi_csv_number(&t->csv, t->column[i], &v);
        if (s) return s;
        f = (float)v;
        if (!gmi_f32_finite(f)) return gmi_fail_at(t->ctx, GM_E_FORMAT, t->csv.line, "csv: line %i, column %i: %g does not fit f32: rescale the column", t->csv.line,
                                                   t->column[i] + 1, v);
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
    s = gmi_csv_open(c, in, &options, &t.csv);
    if (!s) s = find_label(&t, o->label);
    if (!s) s = find_columns(&t, o->select);
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
    return s;
}
