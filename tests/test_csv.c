/* SPDX-License-Identifier: MIT */
/* test_csv.c: texts and the cells they must give, at every size of the source's pieces; numeric tables; messages with line and column; limits; the
 * writer, read back. */
#include "format/csv.h"
#include "format_util.h"

static gm_context *ctx;

/* Rows as a|b|c/d|e|f; names first with a colon behind them; a quoted cell in < >. */
static gm_status cells(gm_context *c, const char *text, size_t n, size_t step, const gmi_csv_options *o, char *to)
{
    fu_source src = fu_bytes(text, n, step);
    gmi_csv t;
    gmi_in in;
    int got = 1;
    gm_status s;
    *to = 0;
    gmi_enter(c, "cells");
    s = fu_open(c, &src, &in);
    if (!s) s = gmi_csv_open(c, &in, o, &t);
    if (!s && t.names) {
        for (int64_t i = 0; i < t.columns; i++) to += sprintf(to, "%s%s", i ? "|" : "", t.names[i]);
        to += sprintf(to, ":");
    }
    while (!s && got) {
        s = gmi_csv_next(&t, &got);
        for (int64_t i = 0; !s && got && i < t.columns; i++) {
            to += sprintf(to, t.cells[i].quoted ? "%s<%s>" : "%s%s", i ? "|" : "", t.cells[i].text);
            if (strlen(t.cells[i].text) != t.cells[i].n) ok(0, "length of a cell");
        }
        if (!s && got) to += sprintf(to, "/");
    }
    if (!s && gmi_csv_next(&t, &got) == GM_OK && got) ok(0, "the end stays the end");
    gmi_csv_close(&t);
    gmi_in_close(&in);
    return gmi_leave(c, s);
}

static void good_n(const char *text, size_t n, const gmi_csv_options *o, const char *want)
{
    char got[512];
    for (size_t step = 0; step < 5; step++) {
        uint64_t before = fu_now(ctx);
        gm_status s = cells(ctx, text, n, step, o, got);
        ok(s == GM_OK && !strcmp(got, want) && fu_now(ctx) == before, "%s (step %d)", text, (int)step);
        if (s || strcmp(got, want)) printf("# got %s, not %s; %s\n", got, want, s ? gm_context_error(ctx) : "");
    }
}

static void good(const char *text, const gmi_csv_options *o, const char *want)
{
    good_n(text, strlen(text), o, want);
}

static void bad_n(const char *text, size_t n, const gmi_csv_options *o, gm_status want, const char *says, int64_t line)
{
    char got[4096];
    for (size_t step = 0; step < 3; step++) {
        uint64_t before = fu_now(ctx);
        gm_status s = cells(ctx, text, n, step, o, got);
        ok(s == want && fu_says(ctx, "cells: csv: ") && fu_says(ctx, says) && ctx->where == line && fu_now(ctx) == before, "refused: %s",
           gm_context_error(ctx));
    }
}

static void bad(const char *text, gm_status want, const char *says, int64_t line)
{
    bad_n(text, strlen(text), NULL, want, says, line);
}

static void test_rows(void)
{
    gmi_csv_options o;
    gmi_csv_options_init(&o);
    good("a,b\n1,2\n3,4\n", NULL, "a|b:1|2/3|4/");
    good("a,b\r\n1,2\r\n3,4", NULL, "a|b:1|2/3|4/");
    good("a,b\r1,2\r3,4\r", NULL, "a|b:1|2/3|4/");
    good("\xef\xbb\xbf" "a,b\n1,2\n", NULL, "a|b:1|2/");
    good("1,2\n3,4\n", NULL, "1|2/3|4/");
    good("\n\n1,2\n\n\r\n3,4\n\n", NULL, "1|2/3|4/");
    good("a;b;c\n1,5;2;3\n", NULL, "a|b|c:1,5|2|3/");
    good("a\tb\n1\t2\n", NULL, "a|b:1|2/");
    good("x|y\n", NULL, "x|y:");
    good("x\n1\n2\n", NULL, "x:1/2/");
    good("5\n", NULL, "5/");
    good("1,\n,2\n", NULL, "1|/|2/");
    good(",\n1,2\n", NULL, "|/1|2/");
    good("\"a,b\",\"c\"\"d\"\n\"1\n2\",\"\"\n", NULL, "a,b|c\"d:<1\n2>|<>/");
    good("\"a\";\"b,,,,\"\n1;2", NULL, "a|b,,,,:1|2/");
    good("1,\"2\"", NULL, "1|<2>/");
    good("\"1\"\r\n\"\r\n\"\r\n", NULL, "<1>/<\r\n>/");
    good(" a , b \n 1 , 2 \n", NULL, " a | b : 1 | 2 /");
    good("nan,inf\n1,2\n", NULL, "nan|inf/1|2/");
    o.header = 1;
    good("1,2\n3,4\n", &o, "1|2:3|4/");
    o.header = 0;
    good("a,b\n3,4\n", &o, "a|b/3|4/");
    o.header = -1;
    o.delimiter = ';';
    good("a,b\nc,d\n", &o, "a,b:c,d/");
    o.delimiter = ' ';
    good("1 2\n3 4\n", &o, "1|2/3|4/");
}

static void test_refused(void)
{
    bad("", GM_E_FORMAT, "no rows", 1);
    bad("\xef\xbb\xbf", GM_E_FORMAT, "no rows", 1);
    bad("\n\r\n\n", GM_E_FORMAT, "no rows", 1);
    bad("1,2\n3\n", GM_E_FORMAT, "line 2 has 1 columns, the first row has 2", 2);
    bad("1,2\n\n\"3\n\",4\n3,4,5\n", GM_E_FORMAT, "line 5 has 3 columns", 5);
    bad("1,2\n\"3,4\n5,6\n", GM_E_FORMAT, "line 2: a quote is not closed", 2);
    bad("1,2\n3\"\",4\n", GM_E_FORMAT, "line 2, column 1: a quote in the middle", 2);
    bad("1,2\n3,\"4\"x\n", GM_E_FORMAT, "line 2, column 2: text follows", 2);
    bad_n("1,2\n3,\0\n", 8, NULL, GM_E_FORMAT, "line 2 holds a 0 byte", 2);
    bad("a,b\xff\n1,2\n", GM_E_FORMAT, "line 1, column 2: the name is not UTF-8", 1);
    {
        size_t n = 70000;
        char *p = malloc(n);
        gm_limits old = ctx->limits;
        memset(p, ',', n);
        bad_n(p, n, NULL, GM_E_LIMIT, "more than 65536 columns", 1);
        for (size_t k = 65535; k < 65537; k++) {
            fu_source s = fu_bytes(p, k, 0);
            gmi_csv t;
            gmi_in in;
            ok(!fu_open(ctx, &s, &in) && gmi_csv_open(ctx, &in, NULL, &t) == (k == 65535 ? GM_OK : GM_E_LIMIT), "%d columns", (int)k + 1);
            gmi_csv_close(&t);
        }
        memset(p, 'x', n);
        memcpy(p, "1\n\"", 3);
        ctx->limits.header_bytes = 50000;
        bad_n(p, n, NULL, GM_E_LIMIT, "line 2: a row of more than 50000 bytes", 2);
        ctx->limits = old;
        free(p);
    }
}

/* A table with rows of all lengths around the window. */
static void test_window(void)
{
    size_t n = 0, cap = 2 << 20;
    char *p = malloc(cap);
    int64_t rows = 0, wrong = 0;
    for (size_t step = 0; step < 40001; step += 10000) {
        fu_source src;
        gmi_csv_options o;
        gmi_csv t;
        gmi_in in;
        int got;
        gmi_csv_options_init(&o);
        o.header = 0;
        if (!n)
            for (int i = 0; i < 300; i++) n += (size_t)sprintf(p + n, "%0*d,\"%d\"\"\n\"%s", 1 + i * 37 % 5000, i, i, i % 3 ? "\r\n" : "\n");
        src = fu_bytes(p, n, step);
        rows = 0;
        if (fu_open(ctx, &src, &in) || gmi_csv_open(ctx, &in, &o, &t)) break;
        while (!gmi_csv_next(&t, &got) && got) {
            char want[32];
            snprintf(want, sizeof want, "%d\"\n", (int)rows);
            wrong += (int)t.cells[0].n != 1 + rows * 37 % 5000 || atoi(t.cells[0].text) != rows || strcmp(t.cells[1].text, want) ||
                t.line != 2 * rows + 1;
            rows++;
        }
        gmi_csv_close(&t);
        gmi_in_close(&in);
        ok(rows == 300 && !wrong, "300 rows of up to 5,000 bytes, step %d", (int)step);
    }
    free(p);
}

/* ---- numeric tables ---- */

static gm_status table(gm_context *c, const char *text, size_t step, const gmi_csv_options *o, gm_dtype d, gm_tensor **t, gmi_buf *names)
{
    fu_source src = fu_bytes(text, strlen(text), step);
    gmi_in in;
    gm_status s;
    gmi_enter(c, "table");
    s = fu_open(c, &src, &in);
    if (!s) s = gmi_csv_read(c, &in, o, d, t, names);
    gmi_in_close(&in);
    return gmi_leave(c, s);
}

static void test_numbers(void)
{
    static const char *const pick[] = {"c", "a"}, *const places[] = {"3", "1"}, *const none[] = {"zz"}, *const wrong_place[] = {"4"},
        *const half[] = {"1x"}, *const nought[] = {"0"},
                      *const words[] = {"b"};
    gmi_csv_options o;
    gm_tensor *t;
    gmi_buf names;
    gmi_csv_options_init(&o);
    gmi_buf_init(&names, ctx);
    ok(!table(ctx, "a,b,c\n1,2,3\n-4.5, 5e1 ,\"6\"\n", 2, NULL, GM_F32, &t, &names), "a table");
    ok(t->rank == 2 && t->dims[0] == 2 && t->dims[1] == 3 && ((float *)t->data)[3] == -4.5f && ((float *)t->data)[4] == 50 &&
       ((float *)t->data)[5] == 6, "f32 values");
    ok(names.n == 6 && !memcmp(names.p, "a\0b\0c", 6), "names");
    gm_tensor_destroy(t);
    gmi_buf_free(&names);
    o.select = pick;
    o.select_n = 2;
    ok(!table(ctx, "a,b,c\n1,x,3\n4,5,6\n", 0, &o, GM_F64, &t, &names), "two columns, the text column left out");
    ok(t->dims[1] == 2 && ((double *)t->data)[0] == 3 && ((double *)t->data)[1] == 1 && ((double *)t->data)[2] == 6, "in the order asked for");
    ok(names.n == 4 && !memcmp(names.p, "c\0a", 4), "names");
    gm_tensor_destroy(t);
    gmi_buf_free(&names);
    o.select = places;
    ok(!table(ctx, "1,2,3\n", 0, &o, GM_F64, &t, &names) && ((double *)t->data)[0] == 3 && ((double *)t->data)[1] == 1 && !names.n,
       "columns by number");
    gm_tensor_destroy(t);
    ok(table(ctx, "a,b,c\n1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN && !t, "numbers are no names where there are names");
    o.select_n = 1;
    o.select = none;
    ok(table(ctx, "a,b,c\n1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN && fu_says(ctx, "no column is named \"zz\""), "an unknown column: %s",
       gm_context_error(ctx));
    o.select = wrong_place;
    ok(table(ctx, "1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN, "column 4 of 3");
    o.select = half;
    ok(table(ctx, "1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN, "column 1x");
    o.select = nought;
    ok(table(ctx, "1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN, "column 0");
    o.select = words;
    ok(table(ctx, "1,2,3\n", 0, &o, GM_F64, &t, NULL) == GM_E_UNKNOWN, "a name where there are none");
    o.select_n = 0;
    ok(!table(ctx, "a;b\n\t1 ; 2\t\n\t \t3;4 \n", 0, &o, GM_F64, &t, NULL) && ((double *)t->data)[0] == 1 && ((double *)t->data)[1] == 2 &&
       ((double *)t->data)[3] == 4, "spaces and tabs around");
    gm_tensor_destroy(t);
    ok(table(ctx, "a,b\n1,2x\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT, "a number and more");
    ok(table(ctx, "a,b\n1,2\n3\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT && ctx->where == 3, "a short row");
    {
        char wide[4096];
        size_t n = 0;
        for (int i = 0; i < 1000; i++) n += (size_t)sprintf(wide + n, i ? ",%d" : "%d", i % 10);
        ok(!table(ctx, wide, 0, &o, GM_F32, &t, NULL) && t->dims[1] == 1000 && ((float *)t->data)[999] == 9, "1,000 columns");
        gm_tensor_destroy(t);
    }
    ok(table(ctx, "a,b\n1,2\n3,x y\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT &&
       fu_says(ctx, "line 3, column 2 \"b\": \"x y\" is no finite number") && ctx->where == 3,
       "a word: %s", gm_context_error(ctx));
    ok(table(ctx, "a,b\n1,2\n3,inf\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "no finite"), "an infinity");
    ok(table(ctx, "a,b\n1,2\n3, \n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "the value is missing"), "a missing one: %s",
       gm_context_error(ctx));
    ok(table(ctx, "a,b\n1,2\n3,nan\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "the value is missing"), "nan");
    ok(table(ctx, "1,2\n3,1e39\n", 0, &o, GM_F32, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "line 2, column 2: 1e39 does not fit f32"),
       "1e39 as f32: %s", gm_context_error(ctx));
    o.select_n = 1;
    o.select = places + 1;
    ok(table(ctx, "1e39,2\n", 0, &o, GM_F32, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "column 1: "), "with a choice");
    o.select_n = 0;
    o.missing = 1;
    ok(!table(ctx, "a,b\n1,2\n,nan\n", 0, &o, GM_F32, &t, NULL) && ((float *)t->data)[2] != ((float *)t->data)[2] &&
       ((float *)t->data)[3] != ((float *)t->data)[3], "missing values are NaN");
    gm_tensor_destroy(t);
    ok(table(ctx, "a,b\n1,2\n3,inf\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT, "an infinity is not missing");
    ok(table(ctx, "a,b\n", 0, &o, GM_F64, &t, NULL) == GM_E_FORMAT && fu_says(ctx, "none of values"), "names alone");
    ok(table(ctx, "a,b\n", 0, &o, GM_I32, &t, NULL) == GM_E_DTYPE, "i32");
    ctx->limits.tensor_bytes = 20;
    ok(table(ctx, "1\n2\n3\n4\n5\n", 0, &o, GM_F32, &t, NULL) == GM_OK && t->dims[0] == 5, "at the limit");
    gm_tensor_destroy(t);
    ok(table(ctx, "1\n2\n3\n4\n5\n6\n", 0, &o, GM_F32, &t, NULL) == GM_E_LIMIT && fu_says(ctx, "row 6"), "one past the limit: %s",
       gm_context_error(ctx));
    ctx->limits.tensor_bytes = 1 << 30;
}

/* ---- writing ---- */

static gm_status save(gm_context *c, const gm_tensor *t, const char *const *names, fu_sink *k, size_t fail_at)
{
    gm_writer w = fu_writer(k);
    gmi_out o;
    gm_status s;
    k->fail_at = fail_at;
    gmi_enter(c, "save");
    s = gmi_out_open(c, &w, &o);
    if (!s) s = gmi_out_close(&o, gmi_csv_write(t, names, &o));
    s = gmi_leave(c, s);
    if (!s) fu_write(k, "", 1);
    return s;
}

static void test_write(void)
{
    static const char *const names[] = {"a", "b,c", ""};
    static const char *const want[] = {"", "a,\"b,c\",\"\"\n1,-2,3\n4,,0.1\n", "a,\"b,c\",\"\"\n1,-2,3\n4,,0.1\n", "a,\"b,c\",\"\"\n1,254,3\n4,5,6\n",
                                       "a,\"b,c\",\"\"\n1,-2,3\n4,5,6\n", "a,\"b,c\",\"\"\n1,-2,3\n4,5,6\n", "a,\"b,c\",\"\"\n1,-2,3\n4,5,6\n"};
    static const int64_t dims[3] = {2, 3, 1};
    gm_tensor *t, *u;
    fu_sink k;
    for (gm_dtype d = GM_F32; d <= GM_I64; d++) {
        static const int v[6] = {1, -2, 3, 4, 5, 6};
        ok(!gm_tensor_create(ctx, d, 2, dims, &t), "a tensor");
        for (int i = 0; i < 6; i++) {
            if (d == GM_F32) ((float *)t->data)[i] = i == 4 ? NAN : i == 5 ? 0.1f : (float)v[i];
            if (d == GM_F64) ((double *)t->data)[i] = i == 4 ? (double)NAN : i == 5 ? 0.1 : v[i];
            if (d == GM_U8) ((uint8_t *)t->data)[i] = (uint8_t)v[i];
            if (d == GM_I16) ((int16_t *)t->data)[i] = (int16_t)v[i];
            if (d == GM_I32) ((int32_t *)t->data)[i] = v[i];
            if (d == GM_I64) ((int64_t *)t->data)[i] = v[i];
        }
        ok(!save(ctx, t, names, &k, SIZE_MAX), "written");
        is_text((char *)k.p, want[d], "%s", gm_dtype_name(d));
        free(k.p);
        if (d == GM_F64) {
            gmi_csv_options o;
            gmi_csv_options_init(&o);
            o.missing = 1;
            ok(!save(ctx, t, NULL, &k, SIZE_MAX), "without names");
            is_text((char *)k.p, "1,-2,3\n4,,0.1\n", "no first row");
            ok(!table(ctx, (char *)k.p, 3, &o, GM_F64, &u, NULL) && u->dims[0] == 2 && ((double *)u->data)[5] == 0.1 &&
               ((double *)u->data)[4] != ((double *)u->data)[4], "read back");
            gm_tensor_destroy(u);
            free(k.p);
            ok(save(ctx, t, names, &k, 0) == GM_E_IO, "a write that fails");
            free(k.p);
        }
        gm_tensor_destroy(t);
    }
    ok(!gm_tensor_create(ctx, GM_U8, 1, dims, &t) && !save(ctx, t, NULL, &k, SIZE_MAX), "a vector");
    is_text((char *)k.p, "0\n0\n", "is a column");
    free(k.p);
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_U8, 3, dims, &t) && save(ctx, t, NULL, &k, SIZE_MAX) == GM_E_SHAPE, "rank 3");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_U8, 0, NULL, &t) && save(ctx, t, NULL, &k, SIZE_MAX) == GM_E_SHAPE, "rank 0");
    gm_tensor_destroy(t);
}

/* Any text that is written as a cell is read as that text. */
static void test_quoting(void)
{
    static const char letters[] = "a,\"\n\r;\t| ";
    gmi_buf b;
    uint32_t x = 1;
    int wrong = 0;
    for (int round = 0; round < 3000; round++) {
        char cell[2][8], got[64], expected[64];
        size_t n[2];
        fu_source src;
        gmi_csv_options o;
        gmi_csv t;
        gmi_in in;
        int there = 0;
        gmi_csv_options_init(&o);
        o.delimiter = ',';
        o.header = 0;
        gmi_buf_init(&b, ctx);
        for (int i = 0; i < 2; i++) {
            n[i] = (x = x * 1664525u + 1013904223u) >> 29;
            for (size_t k = 0; k < n[i]; k++) cell[i][k] = letters[((x = x * 1664525u + 1013904223u) >> 24) % 9];
            cell[i][n[i]] = 0;
            if (i) gmi_buf_text(&b, ",");
            gmi_csv_add_text(&b, cell[i], n[i]);
        }
        gmi_buf_text(&b, "\n");
        src = fu_bytes(b.p, b.n, (size_t)(round % 4));
        snprintf(expected, sizeof expected, "%s/%s", cell[0], cell[1]);
        got[0] = 0;
        if (!fu_open(ctx, &src, &in) && !gmi_csv_open(ctx, &in, &o, &t) && !gmi_csv_next(&t, &there) && there && t.columns == 2)
            snprintf(got, sizeof got, "%s/%s", t.cells[0].text, t.cells[1].text);
        wrong += strcmp(got, expected) != 0;
        gmi_csv_close(&t);
        gmi_buf_free(&b);
    }
    is_int(wrong, 0, "3,000 pairs of texts come back as they were");
}

/* ---- failures ---- */

static gm_status everything(gm_context *c, size_t step, size_t fail_at)
{
    static const char text[] = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r\n1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8\n";
    static const char *const pick[] = {"r", "a"};
    fu_source src = fu_bytes(text, sizeof text - 1, step);
    gmi_csv_options o;
    gmi_buf names;
    gm_tensor *t = NULL;
    gmi_in in;
    fu_sink k;
    gm_status s;
    memset(&k, 0, sizeof k);
    gmi_csv_options_init(&o);
    o.select = pick;
    o.select_n = 2;
    src.fail_at = fail_at;
    gmi_enter(c, "everything");
    gmi_buf_init(&names, c);
    s = fu_open(c, &src, &in);
    if (!s) s = gmi_csv_read(c, &in, &o, GM_F64, &t, &names);
    if (!s) s = save(c, t, pick, &k, SIZE_MAX);
    gm_tensor_destroy(t);
    gmi_buf_free(&names);
    free(k.p);
    return gmi_leave(c, s);
}

static void test_failures(void)
{
    fu_heap heap;
    gm_context *c = fu_context(&heap);
    int wrong = 0;
    for (int on = 0; on < 2; on++)
        for (long n = 1;; n++) {
            size_t before = heap.now;
            gm_status s;
            heap.on = on;
            heap.fail_at = heap.count + n;
            s = everything(c, 8, SIZE_MAX);
            heap.fail_at = 0;
            if (s != GM_E_NOMEM || heap.now != before) {
                ok(s == GM_OK && heap.now == before && n > 8, "allocation failures 1 to %d", (int)n - 1);
                break;
            }
        }
    for (size_t n = 0; n <= 72; n++) wrong += everything(c, 4, n) != GM_E_IO;
    is_int(wrong, 0, "a read that fails after any byte is GM_E_IO");
    gm_context_destroy(c);
}

/* Every prefix and change of a small table is read or refused, without leaks. */
static void test_damage(void)
{
    static const char text[] = "a,\"b\"\r\n1,\"2\"\"\"\n\n3,\"x\ny\"\n";
    char p[64], got[1024];
    size_t n = sizeof text - 1;
    uint64_t before = fu_now(ctx);
    for (size_t k = 0; k < n; k++) (void)cells(ctx, text, k, k % 3, NULL, got);
    for (size_t i = 0; i < n; i++)
        for (int v = 0; v < 256; v++) {
            gm_status s;
            memcpy(p, text, n);
            p[i] = (char)v;
            s = cells(ctx, p, n, (size_t)(v % 3), NULL, got);
            if (s != GM_OK && s != GM_E_FORMAT) ok(0, "byte %d as %d: %s", (int)i, v, gm_status_name(s));
        }
    ok(fu_now(ctx) == before, "damaged tables");
}

int main(void)
{
    ctx = fu_context(NULL);
    ctx->limits.tensor_bytes = 1 << 30;
    test_rows();
    test_refused();
    test_window();
    test_numbers();
    test_write();
    test_quoting();
    test_failures();
    test_damage();
    gm_context_destroy(ctx);
    return done();
}
