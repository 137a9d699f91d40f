/* SPDX-License-Identifier: MIT */
/* columns.c: the text of a mixed table's columns: parsed, compared, and cells checked against it. Grammar: columns.h.
 *
 * The words of layers and optimizers (nn/text.c) are at most 95 bytes of ASCII without blanks; names and categories of real tables are not, so this text has
 * tokens of its own, with quotes and UTF-8. Complaints name the column of the text as elsewhere. Cells of a category are the index of its word. */
#include "train/columns.h"
#include "nn/nn.h"

typedef struct token {
    char kind;        /* 'w', ';', '|', 0 the end */
    int32_t quoted;
    int64_t column;   /* 1-based byte of the text */
    const char *p;    /* 'w': its bytes, without quotes */
    size_t n;
} token;

typedef struct parser {
    gm_context *ctx;
    gmi_arena *arena;
    const char *text;
    size_t at;
    token t; /* the present one */
    const char **words; /* free places for words */
} parser;

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static gm_status refuse(parser *s, int64_t column, const char *why)
{
    return gmi_fail_at(s->ctx, GM_E_INVALID, column, "gm_spec.columns, column %i: %s", column, why);
}

/* The present token is not what must stand there. */
static gm_status unexpected(parser *s, const char *want)
{
    char shown[48];
    size_t n = GMI_MIN(s->t.n, sizeof shown - 1);
    if (s->t.kind == 'w') memcpy(shown, s->t.p, n);
    shown[s->t.kind == 'w' ? n : 0] = 0;
    if (s->t.kind == 'w') return gmi_fail_at(s->ctx, GM_E_INVALID, s->t.column, "gm_spec.columns, column %i: %S: %s", s->t.column, shown, want);
    return gmi_fail_at(s->ctx, GM_E_INVALID, s->t.column, "gm_spec.columns, column %i: %s: %s", s->t.column,
                       s->t.kind == ';' ? "\";\"" : s->t.kind == '|' ? "\"|\"" : "the text ends", want);
}

/* Bytes of the character at p, 0 when it may not stand in a text. */
static int character(const char *p)
{
    unsigned char b = (unsigned char)*p;
    if (b < 32 || b == 127) return 0;
    return b < 128 ? 1 : gmi_utf8_len(p, strlen(p) < 4 ? strlen(p) : 4);
}

static gm_status next(parser *s)
{
    const char *p = s->text;
    size_t i = s->at;
    char quote = 0;
    while (is_blank(p[i])) i++;
    s->t.column = (int64_t)i + 1;
    s->t.kind = p[i];
    s->t.quoted = 0;
    s->t.n = 0;
    if (!p[i] || p[i] == ';' || p[i] == '|') {
        s->at = i + (p[i] != 0);
        return GM_OK;
    }
    if (p[i] == '\'' || p[i] == '"') quote = p[i++];
    s->t.kind = 'w';
    s->t.quoted = quote != 0;
    s->t.p = p + i;
    while (p[i] && (quote ? p[i] != quote : !is_blank(p[i]) && p[i] != ';' && p[i] != '|')) {
        int n = character(p + i);
        if (!n) return refuse(s, (int64_t)i + 1, "a byte that is no printable character of UTF-8");
        i += (size_t)n;
    }
    s->t.n = (size_t)(p + i - s->t.p);
    if (quote && !p[i]) return refuse(s, s->t.column, "the quote is not closed");
    if (!s->t.n) return refuse(s, s->t.column, "an empty name");
    s->at = i + (quote != 0);
    return GM_OK;
}

static int word_is(const parser *s, const char *w) { return s->t.kind == 'w' && !s->t.quoted && s->t.n == strlen(w) && !memcmp(s->t.p, w, s->t.n); }

static gm_status copy(parser *s, const char *p, size_t n, const char **out)
{
    *out = gmi_arena_strdup(s->arena, p, n);
    return *out ? GM_OK : gmi_nomem(s->ctx);
}

/* Puts text into the map; one that is there already is a mistake. */
static gm_status unique(parser *s, gmi_map *m, const char *text, int64_t column, const char *what)
{
    int64_t v;
    if (gmi_map_get(m, text, strlen(text), &v))
        return gmi_fail_at(s->ctx, GM_E_INVALID, column, "gm_spec.columns, column %i: the %s %S twice", column, what, text);
    return gmi_map_put(m, text, strlen(text), column);
}

static gm_status parse_bound(parser *s, int64_t *v)
{
    size_t used = 0;
    gm_status st = next(s);
    if (st) return st;
    if (s->t.kind != 'w' || gmi_parse_i64(s->t.p, s->t.n, v, &used) || used != s->t.n || *v > GMI_COLUMN_LARGEST || *v < -GMI_COLUMN_LARGEST)
        return unexpected(s, "integer wants two whole numbers lo hi, within 16777216 of 0");
    return GM_OK;
}

static gm_status parse_integer(parser *s, gmi_column *k)
{
    const int64_t column = s->t.column;
    k->kind = GMI_COLUMN_INTEGER;
    gm_status st = parse_bound(s, &k->lo);
    if (!st) st = parse_bound(s, &k->hi);
    if (!st && k->lo >= k->hi)
        st = gmi_fail_at(s->ctx, GM_E_INVALID, column, "gm_spec.columns, column %i: integer %i %i: lo must be below hi", column, k->lo, k->hi);
    if (!st && k->hi - k->lo >= GMI_COLUMN_LEVELS)
        st = gmi_fail_at(s->ctx, GM_E_INVALID, column, "gm_spec.columns, column %i: integer %i %i has more than %d values: make it real", column, k->lo, k->hi,
                         (int32_t)GMI_COLUMN_LEVELS);
    return st ? st : next(s);
}

/* first "|" word ...; the present token is the first bar. */
static gm_status parse_category(parser *s, const token *first, gmi_column *k)
{
    gmi_map seen;
    gm_status st;
    k->kind = GMI_COLUMN_CATEGORY;
    k->words = s->words;
    k->lo = k->hi = 0;
    gmi_map_init(&seen, s->ctx);
    st = copy(s, first->p, first->n, s->words);
    if (!st) st = unique(s, &seen, *s->words, first->column, "word");
    while (!st && s->t.kind == '|') {
        st = next(s);
        if (!st && s->t.kind != 'w') st = unexpected(s, "a word must stand behind \"|\"");
        if (!st) st = copy(s, s->t.p, s->t.n, ++s->words);
        if (!st) st = unique(s, &seen, *s->words, s->t.column, "word");
        k->hi++;
        if (!st) st = next(s);
    }
    s->words++;
    gmi_map_free(&seen);
    return st;
}

static gm_status parse_column(parser *s, gmi_column *k)
{
    gm_status st = copy(s, s->t.p, s->t.n, &k->name);
    token kind;
    if (!st) st = next(s);
    if (st) return st;
    if (s->t.kind != 'w') return unexpected(s, "behind the name stands real, integer lo hi, or words a|b|c");
    kind = s->t;
    if (word_is(s, "integer") && s->text[s->at] != '|') {
        st = parse_integer(s, k);
    } else {
        st = next(s);
        if (!st && s->t.kind == '|') {
            st = parse_category(s, &kind, k);
        } else if (!st && (kind.quoted || kind.n != 4 || memcmp(kind.p, "real", 4))) {
            s->t = kind;
            return unexpected(s, "a kind is real, integer lo hi, or words a|b|c");
        }
    }
    if (!st && word_is(s, "missing")) {
        k->missing = 1;
        st = next(s);
    }
    if (!st && s->t.kind && s->t.kind != ';') return unexpected(s, "\"missing\", \";\" or the end must stand here");
    return st;
}

static gm_status parse_all(parser *s, gmi_columns *out)
{
    gmi_map names;
    gm_status st = next(s);
    gmi_map_init(&names, s->ctx);
    while (!st && s->t.kind) {
        int64_t column = s->t.column;
        if (s->t.kind == '|') st = unexpected(s, "a column's name must stand here");
        if (!st && s->t.kind == 'w') {
            st = parse_column(s, &out->p[out->n]);
            if (!st) st = unique(s, &names, out->p[out->n++].name, column, "name");
        }
        if (!st && s->t.kind == ';') st = next(s);
    }
    gmi_map_free(&names);
    if (!st && !out->n) st = refuse(s, 1, "no column; write as in \"age real; kids integer 0 12; sex m|f missing\"");
    return st;
}

gm_status gmi_columns_parse(gmi_arena *a, const char *text, gmi_columns *out)
{
    parser s;
    size_t len = strlen(text);
    int64_t columns = 1, bars = 0;
    memset(&s, 0, sizeof s);
    s.ctx = a->ctx;
    s.arena = a;
    s.text = text;
    out->n = 0;
    if (len >= GMI_TEXT_MAX) return gmi_fail_at(s.ctx, GM_E_INVALID, GMI_TEXT_MAX, "gm_spec.columns is longer than %d bytes", (int32_t)GMI_TEXT_MAX);
    for (size_t i = 0; i < len; i++) {
        columns += text[i] == ';';
        bars += text[i] == '|';
    }
    out->p = gmi_arena_alloc(a, (uint64_t)columns * sizeof *out->p);
    s.words = gmi_arena_alloc(a, (uint64_t)(columns + bars) * sizeof *s.words);
    return out->p && s.words ? parse_all(&s, out) : gmi_nomem(s.ctx);
}

gm_status gmi_columns_check_spec(gm_context *c, const gm_spec *s, int data)
{
    gmi_arena a;
    gmi_columns k;
    gm_status st;
    gmi_arena_init(&a, c);
    st = gmi_columns_parse(&a, s->columns, &k);
    gmi_arena_free(&a);
    if (st || (data && !s->rank)) return st;
    if (s->rank != 1 || s->dims[0] != k.n)
        return gmi_fail(c, GM_E_SHAPE, "gm_spec.columns has %i columns, gm_spec.dims is %v: samples are [%i]", k.n, s->rank, s->dims, k.n);
    if (s->scaling != GM_SCALE_AUTO && s->scaling != GM_SCALE_NONE && s->scaling != GM_SCALE_STANDARD)
        return gmi_fail(c, GM_E_INVALID, "gm_spec.scaling is %s with columns: give auto, standard (of the real columns) or none", gm_scaling_name(s->scaling));
    if (s->lo != 0 || s->hi != 0) return gmi_fail(c, GM_E_INVALID, "gm_spec.lo and hi are %g and %g with columns: bounds stand behind integer", s->lo, s->hi);
    return GM_OK;
}

static gm_status refuse_cell(gm_context *c, const gmi_column *k, double v, int64_t row)
{
    if (!gmi_f64_finite(v))
        return gmi_fail_at(c, GM_E_NONFINITE, row, "row %i, column %S is %g: %s", row, k->name, v,
                           v == v || k->missing ? "repair it" : "fill it, or say missing in gm_spec.columns");
    return gmi_fail_at(c, GM_E_RANGE, row, "row %i, column %S is %g; it is %s from %i to %i", row, k->name, v,
                       k->kind == GMI_COLUMN_INTEGER ? "an integer" : "the index of a word", k->lo, k->hi);
}

gm_status gmi_columns_check(gm_context *c, const gmi_columns *k, const double *cell, int64_t row)
{
    for (int64_t j = 0; j < k->n; j++) {
        const gmi_column *p = &k->p[j];
        double v = cell[j];
        if (v != v && p->missing) continue;
        if (!gmi_f64_finite(v)) return refuse_cell(c, p, v, row);
        if (p->kind != GMI_COLUMN_REAL && (v < (double)p->lo || v > (double)p->hi || v != (double)(int64_t)v)) return refuse_cell(c, p, v, row);
    }
    return GM_OK;
}

int64_t gmi_column_word(const gmi_column *k, const char *text, size_t n)
{
    for (int64_t i = 0; i <= k->hi; i++)
        if (!strncmp(k->words[i], text, n) && !k->words[i][n]) return i;
    return -1;
}

static int same_column(const gmi_column *a, const gmi_column *b)
{
    int same = a->kind == b->kind && a->lo == b->lo && a->hi == b->hi && !strcmp(a->name, b->name);
    for (int64_t i = 0; same && a->kind == GMI_COLUMN_CATEGORY && i <= a->hi; i++) same = !strcmp(a->words[i], b->words[i]);
    return same;
}

gm_status gmi_columns_same(gm_context *c, const char *a, const char *b, int *same)
{
    gmi_arena arena;
    gmi_columns x, y;
    gm_status s;
    *same = 1;
    if (!strcmp(a, b)) return GM_OK;
    gmi_arena_init(&arena, c);
    s = gmi_columns_parse(&arena, a, &x);
    if (!s) s = gmi_columns_parse(&arena, b, &y);
    if (!s) *same = x.n == y.n;
    for (int64_t i = 0; !s && *same && i < x.n; i++) *same = same_column(&x.p[i], &y.p[i]);
    gmi_arena_free(&arena);
    return s;
}
