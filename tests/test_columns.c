/* SPDX-License-Identifier: MIT */
/* test_columns.c: the text of mixed tables, its complaints, datasets and CSV files with columns of several kinds, scaling over the cells that are there. */
#include "train/columns.h"
#include "format_util.h"
#include "train/dataset.h"
#include "train/fit.h"
#include "vae_util.h"

/* ---- the text ---- */

static void parsed(gm_context *c)
{
    gmi_arena a;
    gmi_columns k;
    int same = 0;
    gmi_arena_init(&a, c);
    gmi_enter(c, "test");
    ok(!gmi_columns_parse(&a, " age real; kids integer -2 12 ;sex m|f; pay real missing;'a ; b' \"no, never\" | 'it|is'|\xc3\xa9t\xc3\xa9 missing;", &k),
       "a text of five columns");
    is_int(k.n, 5, "columns");
    ok(k.p[0].kind == GMI_COLUMN_REAL && !k.p[0].missing && !strcmp(k.p[0].name, "age"), "real");
    ok(k.p[1].kind == GMI_COLUMN_INTEGER && k.p[1].lo == -2 && k.p[1].hi == 12, "integer");
    ok(k.p[2].kind == GMI_COLUMN_CATEGORY && k.p[2].hi == 1 && !strcmp(k.p[2].words[1], "f") && !k.p[2].missing, "category");
    ok(k.p[3].kind == GMI_COLUMN_REAL && k.p[3].missing, "missing");
    ok(k.p[4].kind == GMI_COLUMN_CATEGORY && k.p[4].hi == 2 && k.p[4].missing && !strcmp(k.p[4].name, "a ; b") && !strcmp(k.p[4].words[0], "no, never") &&
           !strcmp(k.p[4].words[1], "it|is"), "quotes");
    is_int(gmi_column_word(&k.p[2], "f", 1), 1, "a word's index");
    is_int(gmi_column_word(&k.p[2], "ff", 2), -1, "a longer word is another");
    is_int(gmi_column_word(&k.p[4], "no", 2), -1, "so is a shorter one");
    ok(!gmi_columns_parse(&a, "real real; integer integer|real; missing missing|real missing", &k) && k.n == 3 && k.p[1].kind == GMI_COLUMN_CATEGORY &&
       k.p[2].missing,
       "words of the grammar as names and categories");
    ok(!gmi_columns_same(c, "a real;b x|y", " a  real missing ; b 'x' | y", &same) && same, "the same columns");
    ok(!gmi_columns_same(c, "a real;b x|y", "a real;b y|x", &same) && !same, "other words");
    ok(!gmi_columns_same(c, "a integer 0 3", "a integer 0 4", &same) && !same, "other bounds");
    ok(!gmi_columns_same(c, "a real", "a real; b real", &same) && !same, "more columns");
    (void)gmi_leave(c, GM_OK);
    gmi_arena_free(&a);
}

static void complaints(gm_context *c)
{
    static const struct {
        const char *text, *message;
        int64_t where;
    } bad[] = {
        {"age", "gm_spec.columns, column 4: the text ends: behind the name stands real, integer lo hi, or words a|b|c", 4},
        {"age reel", "gm_spec.columns, column 5: \"reel\": a kind is real, integer lo hi, or words a|b|c", 5},
        {"a real; b 'real'", "gm_spec.columns, column 11: \"real\": a kind is real, integer lo hi, or words a|b|c", 11},
        {"a real b", "gm_spec.columns, column 8: \"b\": \"missing\", \";\" or the end must stand here", 8},
        {"a real missing missing", "gm_spec.columns, column 16: \"missing\": \"missing\", \";\" or the end must stand here", 16},
        {"a m|", "gm_spec.columns, column 5: the text ends: a word must stand behind \"|\"", 5},
        {"a m||f", "gm_spec.columns, column 5: \"|\": a word must stand behind \"|\"", 5},
        {"a m|f|m", "gm_spec.columns, column 7: the word \"m\" twice", 7},
        {"a real; a m|f", "gm_spec.columns, column 9: the name \"a\" twice", 9},
        {"|a", "gm_spec.columns, column 1: \"|\": a column's name must stand here", 1},
        {"a ;", "gm_spec.columns, column 3: \";\": behind the name stands real, integer lo hi, or words a|b|c", 3},
        {"a integer 0", "gm_spec.columns, column 12: the text ends: integer wants two whole numbers lo hi, within 16777216 of 0", 12},
        {"a integer 0 1.5", "gm_spec.columns, column 13: \"1.5\": integer wants two whole numbers lo hi, within 16777216 of 0", 13},
        {"a integer 0 20000000", "gm_spec.columns, column 13: \"20000000\": integer wants two whole numbers lo hi, within 16777216 of 0", 13},
        {"a integer 4 4", "gm_spec.columns, column 3: integer 4 4: lo must be below hi", 3},
        {"a integer 0 65536", "gm_spec.columns, column 3: integer 0 65536 has more than 65536 values: make it real", 3},
        {"'a real", "gm_spec.columns, column 1: the quote is not closed", 1},
        {"'' real", "gm_spec.columns, column 1: an empty name", 1},
        {"a\x01 real", "gm_spec.columns, column 2: a byte that is no printable character of UTF-8", 2},
        {"a\xff real", "gm_spec.columns, column 2: a byte that is no printable character of UTF-8", 2},
        {" ; ;", "gm_spec.columns, column 1: no column; write as in \"age real; kids integer 0 12; sex m|f missing\"", 1},
    };
    gmi_arena a;
    gmi_columns k;
    gmi_arena_init(&a, c);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gmi_enter(c, "x");
        gm_status s = gmi_leave(c, gmi_columns_parse(&a, bad[i].text, &k));
        is_text(gm_context_error(c) + 3, bad[i].message, "%s", bad[i].text);
        ok(s == GM_E_INVALID && c->where == bad[i].where, "its status and column");
    }
    gmi_arena_free(&a);
}

/* ---- tensors ---- */

static gm_dataset *over(gm_context *c, gm_dtype t, int64_t n, int64_t d, void *p, const gm_spec *s)
{
    gm_tensor *x = vae_wrap(c, t, p, 2, n, d, 0, 0);
    gm_dataset *out = NULL;
    (void)!gm_dataset_from_tensor(x, NULL, s, &out);
    gm_tensor_destroy(x);
    return out;
}

static gm_status take(void *user, int64_t i, const double *cell)
{
    double *to = user;
    to[i] = cell[0];
    return GM_OK;
}

static void tensors(gm_context *c)
{
    static double x[6][3] = {{1, 0, 0}, {2, 1, 3}, {NAN, 1, 12}, {6, NAN, 1}, {NAN, 0, 1}, {7, 0, 0}};
    static char text[] = "pay real missing; sex m|f missing; kids integer 0 12";
    gmi_arena a;
    gmi_columns k;
    gmi_scaler sc;
    gm_spec s;
    gm_dataset *d, *part = NULL, *rest = NULL;
    int64_t index[6] = {0, 1, 2, 3, 4, 5};
    double cell[3], got[6], keep;
    gm_spec_init(&s, sizeof s);
    s.columns = text;
    d = over(c, GM_F64, 6, 3, x, &s);
    ok(d != NULL, "a table of f64: %s", gm_context_error(c));
    memset(text, 'x', sizeof text - 1); /* the text was copied */
    ok(d && !strcmp(gm_dataset_spec(d)->columns, "pay real missing; sex m|f missing; kids integer 0 12"), "the dataset's spec has its own text");
    gmi_arena_init(&a, c);
    gmi_enter(c, "x");
    ok(!gmi_columns_parse(&a, gm_dataset_spec(d)->columns, &k), "its text");
    memset(&sc, 0, sizeof sc);
    ok(!gmi_scaler_fit_columns(c, d, &k, 6, &sc), "scaling");
    /* 1, 2, 6, 7: mean 4, squares 9 + 4 + 4 + 9 = 26 */
    ok(sc.n == 3 && fabs(sc.scale[0] - 1 / sqrt(26.0 / 4)) < 1e-15 && fabs(sc.shift[0] + 4 / sqrt(26.0 / 4)) < 1e-14, "over the cells that are there: %g %g",
       sc.scale[0],
       sc.shift[0]);
    ok(sc.scale[1] == 1 && sc.shift[1] == 0 && sc.scale[2] == 1 && sc.shift[2] == 0, "categories and integers as they are");
    gmi_scaler_free(c, &sc);
    ok(!gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) && got[1] == 2 && got[2] != got[2] && got[5] == 7, "cells");
    keep = x[3][2];
    x[3][2] = 13;
    ok(gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) == GM_E_RANGE && c->where == 3 && fu_says(c,
       "row 3, column \"kids\" is 13; it is an integer from 0 to 12"), "%s",
       c->message);
    gmi_forget(c);
    x[3][2] = 1.5;
    ok(gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) == GM_E_RANGE, "1.5 is no integer: %s", c->message);
    gmi_forget(c);
    x[3][2] = NAN;
    ok(gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) == GM_E_NONFINITE && fu_says(c,
       "row 3, column \"kids\" is nan: fill it, or say missing in gm_spec.columns"), "%s",
       c->message);
    gmi_forget(c);
    x[3][2] = keep;
    x[2][0] = INFINITY;
    ok(gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) == GM_E_NONFINITE && c->where == 2, "infinity is never missing: %s", c->message);
    gmi_forget(c);
    x[2][0] = NAN;
    x[1][1] = 2;
    ok(gmi_dataset_cells(d, 6, index, &k, cell, take, got, NULL) == GM_E_RANGE && fu_says(c,
       "row 1, column \"sex\" is 2; it is the index of a word from 0 to 1"), "%s", c->message);
    gmi_forget(c);
    x[1][1] = 1;
    (void)gmi_leave(c, GM_OK);
    ok(!gm_dataset_split(d, 0.5, 1, &part, &rest), "split");
    gm_dataset_destroy(d);
    ok(gm_dataset_spec(part)->columns && !strcmp(gm_dataset_spec(part)->columns, gm_dataset_spec(rest)->columns), "parts have the text");
    gm_dataset_destroy(part);
    gm_dataset_destroy(rest);
    gmi_arena_free(&a);
}

static void specs(gm_context *c)
{
    static float x[4][2];
    static uint8_t u[4][2];
    gm_spec s;
    gm_dataset *d;
    gm_spec_init(&s, sizeof s);
    s.columns = "a real";
    ok(!over(c, GM_F32, 4, 2, x, &s) && c->status == GM_E_SHAPE && fu_says(c, "gm_spec.columns has 1 columns, gm_spec.dims is [2]"), "%s", gm_context_error(c));
    s.columns = "a real; b 1";
    ok(!over(c, GM_F32, 4, 2, x, &s) && c->status == GM_E_INVALID && fu_says(c, "column 11"), "%s", gm_context_error(c));
    s.columns = "a real; b x|y";
    s.lo = 0, s.hi = 1;
    ok(!over(c, GM_F32, 4, 2, x, &s) && c->status == GM_E_INVALID && fu_says(c, "bounds stand behind integer"), "%s", gm_context_error(c));
    s.hi = 0, s.scaling = GM_SCALE_UNIT;
    ok(!over(c, GM_F32, 4, 2, x, &s) && c->status == GM_E_INVALID && fu_says(c, "gm_spec.scaling is unit with columns"), "%s", gm_context_error(c));
    s.scaling = GM_SCALE_AUTO;
    s.rank = 2, s.dims[0] = 2, s.dims[1] = 1;
    ok(!over(c, GM_F32, 4, 2, x, &s) && c->status == GM_E_SHAPE, "samples are rows: %s", gm_context_error(c));
    s.rank = 0;
    d = over(c, GM_U8, 4, 2, u, &s);
    ok(d && gm_dataset_spec(d)->hi == 0, "bytes get no bounds: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    s.columns = "";
    d = over(c, GM_F32, 4, 2, x, &s);
    ok(d && !gm_dataset_spec(d)->columns, "an empty text is none");
    gm_dataset_destroy(d);
}

/* ---- CSV ---- */

static gm_dataset *csv(gm_context *c, const char *bytes, const char *options)
{
    gm_reader r;
    gm_dataset *d = NULL;
    gm_reader_init(&r, sizeof r);
    r.memory = bytes;
    r.bytes = strlen(bytes);
    (void)!gm_dataset_open_reader(c, &r, options, &d);
    return d;
}

static int rows_are(gm_context *c, gm_dataset *d, int64_t n, int64_t k, const double *want)
{
    float x[64];
    gm_tensor *t = vae_rows(c, x, n, k);
    int same = d && gm_dataset_count(d) == n && !gm_dataset_read(d, 0, t, NULL);
    for (int64_t i = 0; same && i < n * k; i++) same = want[i] != want[i] ? x[i] != x[i] : x[i] == (float)want[i];
    gm_tensor_destroy(t);
    return same;
}

static const char TABLE[] = "sex,age,note,pay,kids\nm,31.5,x,NA,0\n f ,44,y,,12\n\"m\",?,z,1e3,3\n,7,w,nan,1\n";
#define KINDS "csv columns=\"age real missing; kids integer 0 12; sex m|f missing; pay real missing\""

static void tables(gm_context *c)
{
    static const double want[] = {31.5, 0, 0, NAN, 44, 12, 1, NAN, NAN, 3, 0, 1000, 7, 1, NAN, NAN}, two[] = {1, 0, 2, 1}, na[] = {0, NAN, 1, 2, 2, NAN};
    gm_dataset *d = csv(c, TABLE, KINDS);
    ok(rows_are(c, d, 4, 4, want), "a table by names, with missing cells: %s", gm_context_error(c));
    ok(d && strstr(gm_dataset_spec(d)->columns, "sex m|f missing") != NULL, "the spec has the words");
    gm_dataset_destroy(d);
    d = csv(c, TABLE, KINDS " label=note");
    ok(d && gm_dataset_spec(d)->classes == 4, "with a label: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    d = csv(c, "m,yes\nf,no\n", "csv columns='a x|m|f; b yes|no'");
    ok(rows_are(c, d, 2, 2, two), "a table without names, by place, though its first row is text: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    d = csv(c, "m,yes\nm,yes\nf,no\n", "csv header=1 columns='m x|m|f; yes yes|no'");
    ok(rows_are(c, d, 2, 2, two), "a header where it is said: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    d = csv(c, "a,b\nNA,?\nEU,2\n?,\n", "csv columns='a NA|EU|?; b real missing'");
    ok(rows_are(c, d, 3, 2, na), "a word goes before what means missing: %s", gm_context_error(c));
    gm_dataset_destroy(d);
}

static void refused(gm_context *c, const char *bytes, const char *options, gm_status want, int64_t line, const char *message)
{
    gm_dataset *d = csv(c, bytes, options);
    ok(!d && c->status == want && c->where == line, "%s: line %d", gm_status_name(want), (int)line);
    is_text(gm_context_error(c), message, "its message");
    gm_dataset_destroy(d);
}

static void bad_tables(gm_context *c)
{
#define CALL "dataset_open_reader: "
    refused(c, "sex,age\nm,1\nx,2\n", "csv columns='age real; sex m|f'", GM_E_RANGE, 3, CALL "csv: line 3, column \"sex\": \"x\" is none of its 2 words");
    refused(c, "sex,age\nm,1\n,2\n", "csv columns='age real; sex m|f'", GM_E_FORMAT, 3,
       CALL "csv: line 3, column \"sex\": the value is missing: fill it, or say missing in columns");
    refused(c, "sex,age\nm,NA\n", "csv columns='age real; sex m|f'", GM_E_FORMAT, 2,
       CALL "csv: line 2, column \"age\": the value is missing: fill it, or say missing in columns");
    refused(c, "sex,age\nm,old\n", "csv columns='age real missing; sex m|f'", GM_E_FORMAT, 2, CALL "csv: line 2, column \"age\": \"old\" is no finite number");
    refused(c, "kids\n13\n", "csv columns='kids integer 0 12'", GM_E_RANGE, 2, CALL "csv: line 2, column \"kids\": \"13\" is no integer from 0 to 12");
    refused(c, "kids\n1.5\n", "csv columns='kids integer 0 12'", GM_E_RANGE, 2, CALL "csv: line 2, column \"kids\": \"1.5\" is no integer from 0 to 12");
    refused(c, "pay\n1e300\n", "csv columns='pay real'", GM_E_FORMAT, 2, CALL "csv: line 2, column 1: 1e300 does not fit f32: rescale the column");
    refused(c, "sex,age\nm,1\n", "csv columns='agee real; sex m|f'", GM_E_UNKNOWN, -1, CALL "columns: the table has no column \"agee\"");
    refused(c, "m,1\n", "csv columns='sex m|f'", GM_E_SHAPE, -1, CALL "columns: 1 columns are named, the table has 2");
    refused(c, "m\n", "csv columns='sex m|f' select=1", GM_E_INVALID, -1, CALL "options columns and select: one of them; columns names what it takes");
    refused(c, "m\n", "csv columns='sex m'", GM_E_INVALID, 5, CALL "gm_spec.columns, column 5: \"m\": a kind is real, integer lo hi, or words a|b|c");
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    parsed(c);
    complaints(c);
    tensors(c);
    specs(c);
    tables(c);
    bad_tables(c);
    gm_context_destroy(c);
    return done();
}
