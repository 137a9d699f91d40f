/* SPDX-License-Identifier: MIT */
/* csv_table.c: a numeric table as a tensor, and tables written. */
#include "format/bytes.h"
#include "format/csv.h"

/* Which columns, as indices: NULL with *n = all of them. */
static gm_status choose(gmi_csv *t, int64_t **index, int64_t *n)
{
    int64_t *p;
    *index = NULL;
    *n = t->columns;
    if (!t->o.select_n) return GM_OK;
    *n = t->o.select_n;
    p = gmi_alloc_n(t->ctx, *n, sizeof *p);
    if (!p) return gmi_alloc_status(t->ctx);
    *index = p;
    for (int64_t i = 0; i < *n; i++) {
        p[i] = gmi_csv_column(t, t->o.select[i]);
        if (p[i] < 0)
            return gmi_fail(t->ctx, GM_E_UNKNOWN, "csv: no column is named %S; there are %i, %s", t->o.select[i], t->columns,
                            t->names ? "see the first row" : "without names: use 1, 2, ...");
    }
    return GM_OK;
}

typedef struct table {
    char *values;
    size_t size;       /* of a value */
    int64_t n, cap, rows;
} table;

static gm_status grow(gm_context *c, table *v, int64_t more)
{
    uint64_t wider, limit = c->limits.tensor_bytes / v->size;
    char *p;
    if (v->cap - v->n >= more) return GM_OK;
    if ((uint64_t)(v->n + more) > limit)
        return gmi_fail(c, GM_E_LIMIT, "csv: row %i passes the limit tensor_bytes = %u: raise gm_limits.tensor_bytes", v->rows + 1,
                        c->limits.tensor_bytes);
    wider = GMI_MIN((uint64_t)GMI_MAX(v->n + v->n / 2 + 256, v->n + more), limit);
    p = gmi_realloc(c, v->values, wider * v->size);
    if (!p) return gmi_alloc_status(c);
    v->values = p;
    v->cap = (int64_t)wider;
    return GM_OK;
}

static gm_status read_values(gmi_csv *t, const int64_t *index, int64_t n, table *v)
{
    for (;;) {
        int got;
        gm_status s = gmi_csv_next(t, &got);
        if (s || !got) return s;
        s = grow(t->ctx, v, n);
        for (int64_t i = 0; i < n && !s; i++, v->n++) {
            double d = 0;
            float f;
            s = gmi_csv_number(t, index ? index[i] : i, &d);
            f = (float)d;
            if (v->size == 4 && d - d == 0 && f - f != 0)
                return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i, column %i: %g does not fit f32: rescale the column", t->line,
                                   (index ? index[i] : i) + 1, d);
            if (v->size == 4) memcpy(v->values + 4 * v->n, &f, 4);
            else memcpy(v->values + 8 * v->n, &d, 8);
        }
        if (s) return s;
        v->rows++;
    }
}

static gm_status give_names(const gmi_csv *t, const int64_t *index, int64_t n, gmi_buf *names)
{
    for (int64_t i = 0; t->names && i < n; i++) {
        const char *name = t->names[index ? index[i] : i];
        gmi_buf_add(names, name, strlen(name) + 1);
    }
    return names->failed ? gmi_alloc_status(t->ctx) : GM_OK;
}

static gm_status read_table(gmi_csv *t, gm_dtype dtype, gm_tensor **out, gmi_buf *names)
{
    int64_t *index, n, dims[2];
    table v = {NULL, dtype == GM_F64 ? 8 : 4, 0, 0, 0};
    gm_status s = choose(t, &index, &n);
    if (!s) s = read_values(t, index, n, &v);
    if (!s && !v.rows) s = gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: there is a row of names but none of values");
    if (!s && names) s = give_names(t, index, n, names);
    dims[0] = v.rows;
    dims[1] = n;
    if (!s) s = gm_tensor_create(t->ctx, dtype, 2, dims, out);
    if (!s) memcpy((*out)->data, v.values, (size_t)v.n * v.size);
    gmi_free(t->ctx, v.values);
    gmi_free(t->ctx, index);
    return s;
}

gm_status gmi_csv_read(gm_context *c, gmi_in *in, const gmi_csv_options *o, gm_dtype dtype, gm_tensor **out, gmi_buf *names)
{
    gmi_csv t;
    gm_status s;
    *out = NULL;
    if (dtype != GM_F32 && dtype != GM_F64) return gmi_fail(c, GM_E_DTYPE, "csv: a table of numbers is f32 or f64, not %s", gm_dtype_name(dtype));
    s = gmi_csv_open(c, in, o, &t);
    if (!s) s = read_table(&t, dtype, out, names);
    gmi_csv_close(&t);
    return s;
}

/* ---- writer ---- */

void gmi_csv_add_text(gmi_buf *b, const char *s, size_t n)
{
    size_t i, start = 0;
    int quote = n == 0; /* an empty text is "", an empty cell a missing number */
    for (i = 0; i < n; i++)
        if (s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r' || s[i] == ';' || s[i] == '\t' || s[i] == '|') quote = 1;
    if (!quote) {
        gmi_buf_add(b, s, n);
        return;
    }
    gmi_buf_text(b, "\"");
    for (i = 0; i < n; i++)
        if (s[i] == '"') {
            gmi_buf_add(b, s + start, i + 1 - start);
            start = i; /* once more */
        }
    gmi_buf_add(b, s + start, n - start);
    gmi_buf_text(b, "\"");
}

void gmi_csv_add_number(gmi_buf *b, double v)
{
    char t[32];
    if (v != v) return;
    gmi_buf_add(b, t, gmi_format_double(t, sizeof t, v));
}

static void add_element(gmi_buf *b, const gm_tensor *t, int64_t row, int64_t column)
{
    const char *p = (const char *)t->data + row * t->strides[0] + (t->rank == 2 ? column * t->strides[1] : 0);
    char text[32];
    float f;
    double d;
    int64_t l;
    int32_t w;
    int16_t h;
    switch (t->dtype) {
    case GM_F32:
        memcpy(&f, p, sizeof f);
        if (f == f) gmi_buf_add(b, text, gmi_format_float(text, sizeof text, f));
        break;
    case GM_F64:
        memcpy(&d, p, sizeof d);
        gmi_csv_add_number(b, d);
        break;
    case GM_U8: gmi_buf_format(b, "%d", (int32_t) * (const uint8_t *)p); break;
    case GM_I16:
        memcpy(&h, p, sizeof h);
        gmi_buf_format(b, "%d", (int32_t)h);
        break;
    case GM_I32:
        memcpy(&w, p, sizeof w);
        gmi_buf_format(b, "%d", w);
        break;
    default:
        memcpy(&l, p, sizeof l);
        gmi_buf_format(b, "%i", l);
    }
}

/* Ends the line and hands it over. */
static gm_status end_line(gmi_buf *b, gmi_out *o)
{
    gm_status s;
    gmi_buf_text(b, "\n");
    s = b->failed ? gmi_alloc_status(b->ctx) : gmi_out_write(o, b->p, b->n);
    b->n = 0;
    return s;
}

gm_status gmi_csv_write(const gm_tensor *t, const char *const *names, gmi_out *o)
{
    gmi_buf b;
    gm_status s = GM_OK;
    int64_t columns;
    if (t->rank != 1 && t->rank != 2) return gmi_fail(t->ctx, GM_E_SHAPE, "csv: a table has rank 1 or 2, not %d", t->rank);
    columns = t->rank == 2 ? t->dims[1] : 1;
    gmi_buf_init(&b, t->ctx);
    if (names) {
        for (int64_t i = 0; i < columns; i++) {
            if (i) gmi_buf_text(&b, ",");
            gmi_csv_add_text(&b, names[i], strlen(names[i]));
        }
        s = end_line(&b, o);
    }
    for (int64_t r = 0; r < t->dims[0] && !s; r++) {
        for (int64_t i = 0; i < columns; i++) {
            if (i) gmi_buf_text(&b, ",");
            add_element(&b, t, r, i);
        }
        s = end_line(&b, o);
    }
    gmi_buf_free(&b);
    return s;
}
