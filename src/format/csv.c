/* SPDX-License-Identifier: MIT */
/* csv.c: rows of a table of text. A window on the source holds the row under way; it grows only when one row needs it.
 *
 * Finding the end of a row needs only to know whether the place is inside quotes, which every quote character flips (a doubled one twice); splitting
 * it then looks closer and refuses quotes in the middle of a cell. Numeric tables are csv_table.c. */
#include "format/csv.h"
#include "format/bytes.h"
#include "format/json.h"

#define COLUMNS_MAX 65536
#define WINDOW 16384

void gmi_csv_options_init(gmi_csv_options *o)
{
    memset(o, 0, sizeof *o);
    o->header = -1;
}

/* ---- the window ---- */

/* More bytes behind those that are there; the row under way moves to the front first. */
static gm_status refill(gmi_csv *t)
{
    size_t got;
    gm_status s;
    if (t->at) {
        memmove(t->bytes, t->bytes + t->at, t->n - t->at);
        t->n -= t->at;
        t->at = 0;
    }
    if (t->cap - t->n < 2) {
        uint64_t limit = t->ctx->limits.header_bytes, wider = t->cap ? 2 * (uint64_t)t->cap : WINDOW;
        char *p;
        if (t->n >= limit)
            return gmi_fail_at(t->ctx, GM_E_LIMIT, t->next_line,
                               "csv: line %i: a row of more than %u bytes, the limit header_bytes: is a quote not closed?",
                               t->next_line, limit);
        p = gmi_realloc(t->ctx, t->bytes, wider);
        if (!p) return gmi_alloc_status(t->ctx);
        t->bytes = p;
        t->cap = (size_t)wider;
    }
    s = gmi_in_read(t->in, t->bytes + t->n, t->cap - t->n - 1, &got); /* one byte stays for a terminator */
    t->n += got;
    t->end = got == 0;
    return s;
}

/* The length of the row at t->at without its line end, and with it; the source may end instead of a line end. */
static gm_status row_length(gmi_csv *t, size_t *n, size_t *whole, int64_t *lines)
{
    size_t i = 0;
    int quoted = 0;
    *lines = 1;
    for (;; i++) {
        char c;
        while (t->n - t->at < i + 2 && !t->end) { /* one more than the place, for CR LF */
            gm_status s = refill(t);
            if (s) return s;
        }
        *n = *whole = i;
        if (t->at + i >= t->n) break;
        c = t->bytes[t->at + i];
        if (c == '"') quoted = !quoted;
        *lines += quoted && c == '\n';
        if (quoted || (c != '\n' && c != '\r')) continue;
        *whole = i + 1;
        if (c == '\r' && t->at + i + 1 < t->n && t->bytes[t->at + i + 1] == '\n') *whole = i + 2;
        return GM_OK;
    }
    if (!quoted) return GM_OK;
    return gmi_fail_at(t->ctx, GM_E_FORMAT, t->next_line, "csv: line %i: a quote is not closed before the end of the file", t->next_line);
}

/* ---- splitting ---- */

static gm_status add_cell(gmi_csv *t, int64_t i, char *text, size_t n, int32_t quoted)
{
    if (i == t->cells_cap) {
        int64_t wider = i ? 2 * i : 16;
        gmi_csv_cell *p;
        if (wider > COLUMNS_MAX) return gmi_fail_at(t->ctx, GM_E_LIMIT, t->line, "csv: line %i: more than %d columns", t->line, COLUMNS_MAX);
        p = gmi_realloc(t->ctx, t->cells, (uint64_t)wider * sizeof *p);
        if (!p) return gmi_alloc_status(t->ctx);
        t->cells = p;
        t->cells_cap = wider;
    }
    t->cells[i].text = text;
    t->cells[i].n = n;
    t->cells[i].quoted = quoted;
    return GM_OK;
}

static gm_status bad_cell(gmi_csv *t, int64_t i, const char *what)
{
    return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i, column %i: %s", t->line, i + 1, what);
}

/* Unquotes the cell at p in place: its text is p[1..]; *used is with both quotes. A row has an even number of quotes, and so had the cells before
 * this one: a quote that closes it exists. */
static size_t unquote(char *p, size_t n, size_t *used)
{
    size_t i = 1, k = 1;
    while (p[i] != '"' || (i + 1 < n && p[i + 1] == '"')) {
        i += p[i] == '"';
        p[k++] = p[i++];
    }
    *used = i + 1;
    return k - 1;
}

/* n bytes at t->at, with room for a 0 behind them, to cells. */
static gm_status split(gmi_csv *t, size_t n, int64_t *count)
{
    char *p = t->bytes + t->at, *end = p + n, d = t->o.delimiter;
    int64_t i = 0;
    if (memchr(p, 0, n)) return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i holds a 0 byte: no text in UTF-8", t->line);
    for (;; i++) {
        char *begin = p;
        size_t used, len;
        int32_t quoted = p < end && *p == '"';
        gm_status s;
        if (quoted) {
            len = unquote(p, (size_t)(end - p), &used);
            begin = p + 1;
            p += used;
            if (p < end && *p != d) return bad_cell(t, i, "text follows a closing quote");
        } else {
            while (p < end && *p != d) {
                if (*p == '"') return bad_cell(t, i, "a quote in the middle of a cell: quote the cell, and double the quotes in it");
                p++;
            }
            len = (size_t)(p - begin);
        }
        s = add_cell(t, i, begin, len, quoted);
        if (s) return s;
        if (p >= end) break;
        p++;
    }
    for (int64_t k = 0; k <= i; k++) t->bytes[t->cells[k].text - t->bytes + (int64_t)t->cells[k].n] = 0;
    *count = i + 1;
    return GM_OK;
}

static char find_delimiter(const char *p, size_t n)
{
    static const char candidates[] = ",;\t|";
    char best = ',';
    size_t most = 0;
    for (const char *c = candidates; *c; c++) {
        size_t k = 0;
        int quoted = 0;
        for (size_t i = 0; i < n; i++) {
            if (p[i] == '"') quoted = !quoted;
            k += !quoted && p[i] == *c;
        }
        if (k > most) {
            most = k;
            best = *c;
        }
    }
    return best;
}

/* The next row that is not empty, as cells. */
static gm_status read_row(gmi_csv *t, int *got)
{
    size_t n, whole;
    int64_t lines, count = 0;
    gm_status s;
    *got = 0;
    do {
        s = row_length(t, &n, &whole, &lines);
        if (s) return s;
        if (whole == 0) return GM_OK;
        t->line = t->next_line;
        t->next_line += lines;
        if (n == 0) t->at += whole;
    } while (n == 0);
    if (!t->o.delimiter) t->o.delimiter = find_delimiter(t->bytes + t->at, n);
    s = split(t, n, &count);
    if (s) return s;
    t->at += whole;
    if (t->columns < 0) t->columns = count;
    if (count != t->columns)
        return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i has %i columns, the first row has %i (delimiter '%c')", t->line, count,
                           t->columns, (int)t->o.delimiter);
    *got = 1;
    return GM_OK;
}

/* ---- opening ---- */

/* 1 when the cell is a number with at most spaces around it. */
int gmi_csv_cell_number(const gmi_csv_cell *c, double *v)
{
    const char *p = c->text;
    size_t n = c->n, used;
    while (n && (*p == ' ' || *p == '\t')) p++, n--;
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) n--;
    return n && !gmi_parse_double(p, n, v, &used) && used == n;
}

int gmi_csv_cell_empty(const gmi_csv_cell *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->text[i] != ' ' && c->text[i] != '\t') return 0;
    return 1;
}

static int looks_like_header(const gmi_csv *t)
{
    double v;
    for (int64_t i = 0; i < t->columns; i++)
        if (!gmi_csv_cell_empty(&t->cells[i]) && !gmi_csv_cell_number(&t->cells[i], &v)) return 1;
    return 0;
}

static gm_status keep_names(gmi_csv *t)
{
    uint64_t bytes = 0;
    char *p;
    for (int64_t i = 0; i < t->columns; i++) {
        if (!gmi_utf8_valid(t->cells[i].text, t->cells[i].n)) return bad_cell(t, i, "the name is not UTF-8");
        bytes += t->cells[i].n + 1;
    }
    t->names_text = p = gmi_alloc(t->ctx, bytes);
    t->names = gmi_alloc_n(t->ctx, t->columns, sizeof *t->names);
    if (!p || !t->names) return gmi_alloc_status(t->ctx);
    for (int64_t i = 0; i < t->columns; i++) {
        t->names[i] = p;
        memcpy(p, t->cells[i].text, t->cells[i].n);
        p += t->cells[i].n + 1;
    }
    return GM_OK;
}

static gm_status open_table(gmi_csv *t)
{
    int got;
    gm_status s = refill(t);
    while (!s && t->n < 3 && !t->end) s = refill(t);
    if (s) return s;
    if (t->n >= 3 && !memcmp(t->bytes, "\xef\xbb\xbf", 3)) t->at = 3;
    s = read_row(t, &got);
    if (s) return s;
    if (!got) return gmi_fail_at(t->ctx, GM_E_FORMAT, 1, "csv: the file has no rows");
    if (t->o.header > 0 || (t->o.header < 0 && looks_like_header(t))) return keep_names(t);
    t->pending = 1;
    return GM_OK;
}

gm_status gmi_csv_open(gm_context *c, gmi_in *in, const gmi_csv_options *o, gmi_csv *t)
{
    gm_status s;
    memset(t, 0, sizeof *t);
    t->ctx = c;
    t->in = in;
    gmi_csv_options_init(&t->o);
    if (o) t->o = *o;
    t->next_line = 1;
    t->columns = -1;
    s = open_table(t);
    if (s) gmi_csv_close(t);
    return s;
}

gm_status gmi_csv_take_header(gmi_csv *t)
{
    t->pending = 0;
    return keep_names(t);
}

gm_status gmi_csv_next(gmi_csv *t, int *got)
{
    gm_status s = GM_OK;
    *got = t->pending;
    if (!t->pending) s = read_row(t, got);
    t->pending = 0;
    t->rows += *got;
    return s;
}

void gmi_csv_close(gmi_csv *t)
{
    gm_context *c = t->ctx;
    gmi_free(c, t->bytes);
    gmi_free(c, t->cells);
    gmi_free(c, t->names_text);
    gmi_free(c, t->names);
    memset(t, 0, sizeof *t);
    t->ctx = c;
}

int64_t gmi_csv_column(const gmi_csv *t, const char *name)
{
    size_t used;
    int64_t v;
    for (int64_t i = 0; t->names && i < t->columns; i++)
        if (!strcmp(t->names[i], name)) return i;
    if (!t->names && !gmi_parse_i64(name, strlen(name), &v, &used) && !name[used] && v >= 1 && v <= t->columns) return v - 1;
    return -1;
}

gm_status gmi_csv_number(gmi_csv *t, int64_t i, double *v)
{
    const gmi_csv_cell *c = &t->cells[i];
    int empty = gmi_csv_cell_empty(c), number = gmi_csv_cell_number(c, v);
    const char *name = t->names ? t->names[i] : "";
    if (number && *v - *v == 0) return GM_OK;
    if (empty || (number && *v != *v)) {
        *v = gmi_bits_double(0x7ff8000000000000ull);
        if (t->o.missing) return GM_OK;
        return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i, column %i %S: the value is missing: fill it, or allow missing values",
                           t->line, i + 1, name);
    }
    return gmi_fail_at(t->ctx, GM_E_FORMAT, t->line, "csv: line %i, column %i %S: %S is no finite number", t->line, i + 1, name, c->text);
}
