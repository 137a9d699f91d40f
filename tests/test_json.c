/* SPDX-License-Identifier: MIT */
/* test_json.c: the grammar of RFC 8259 as a table of texts that are JSON or not, with the place of the error; strings, integers, doubles; skipping;
 * UTF-8; the writer, whose output is read back. */
#include "format/json.h"
#include "format_util.h"

static gm_context *ctx;

/* One letter an event: {}[] k s n t f 0; ends with . or !. */
static void events(const char *p, size_t n, int32_t limit, char *to, gmi_json *j)
{
    static const char letters[] = "!.{}[]ksntf0";
    int32_t e;
    gmi_json_init(j, p, n, limit);
    do {
        e = gmi_json_next(j);
        *to++ = letters[e];
    } while (e != GMI_JSON_ERROR && e != GMI_JSON_END);
    *to = 0;
}

static void good(const char *text, const char *want)
{
    char got[256];
    gmi_json j;
    events(text, strlen(text), 8, got, &j);
    is_text(got, want, "events of %s", text);
    for (size_t n = 0; n < strlen(text); n++) { /* a prefix may be JSON too, but is never read past its end */
        char *cut = malloc(n ? n : 1);
        memcpy(cut, text, n);
        events(cut, n, 8, got, &j);
        if (j.at > n) ok(0, "prefix %d of %s was left", (int)n, text);
        free(cut);
    }
    ok(gmi_json_next(&j) == GMI_JSON_ERROR || strlen(text) < 2 || j.error[0] == 0, "the end stays the end");
}

static void bad_n(const char *text, size_t n, size_t at, int32_t kind)
{
    char got[256];
    gmi_json j;
    events(text, n, 8, got, &j);
    ok(got[strlen(got) - 1] == '!' && j.at == at && j.kind == kind && j.error[0] && gmi_json_next(&j) == GMI_JSON_ERROR,
       "no JSON, byte %d: %s (%s at %d)",
       (int)at, text, j.error, (int)j.at);
}

static void bad(const char *text, size_t at)
{
    bad_n(text, strlen(text), at, GMI_JSON_E_GRAMMAR);
}

static void test_grammar(void)
{
    good("{}", "{}.");
    good(" [ ] ", "[].");
    good("null", "0.");
    good("true", "t.");
    good("false", "f.");
    good("\"a\"", "s.");
    good("-0.5e+10", "n.");
    good("0", "n.");
    good("-1E-2", "n.");
    good("10.25", "n.");
    good("1e5", "n.");
    good("{\"a\":[1,{\"b\":null,\"c\":[[],{}]},\"x\"] , \"d\" : true}", "{k[n{k0k[[]{}]}s]kt}.");
    good("[[[[[[[[]]]]]]]]", "[[[[[[[[]]]]]]]].");
    good("\t\r\n [1 , 2 ]\n", "[nn].");
    bad("", 0);
    bad("  ", 2);
    bad("{", 1);
    bad("[", 1);
    bad("[1", 2);
    bad("[1,", 3);
    bad("[1,]", 3);
    bad("[,1]", 1);
    bad("[1 2]", 3);
    bad("[1}", 2);
    bad("{]", 1);
    bad("{\"a\"", 4);
    bad("{\"a\":", 5);
    bad("{\"a\":}", 5);
    bad("{\"a\":1", 6);
    bad("{\"a\":1,", 7);
    bad("{\"a\":1,}", 7);
    bad("{\"a\":1]", 6);
    bad("{\"a\" 1}", 5);
    bad("{1:2}", 1);
    bad("{a:1}", 1);
    bad("{\"a\":1 \"b\":2}", 7);
    bad("[\"a", 3);
    bad("{\"a", 3);
    bad("1 2", 2);
    bad("{}}", 2);
    bad("]", 0);
    bad("}", 0);
    bad(":", 0);
    bad("tru", 0);
    bad("trux", 0);
    bad("nul", 0);
    bad("fals ", 0);
    bad("True", 0);
    bad("NaN", 0);
    bad("-", 1);
    bad("-a", 1);
    bad("01", 0);
    bad("-01", 1);
    bad("00", 0);
    bad("1.", 2);
    bad("1.e5", 2);
    bad("1e", 2);
    bad("1e+", 3);
    bad("1e-x", 3);
    bad("1E", 2);
    bad("+1", 0);
    bad(".5", 0);
    bad("1.5.5", 3);
    bad("0x10", 1);
    bad("'a'", 0);
    bad("//", 0);
    bad_n("[[[[[[[[[]]]]]]]]]", 18, 8, GMI_JSON_E_DEPTH);
    bad_n("{}\0", 3, 2, GMI_JSON_E_GRAMMAR);
}

static void string(const char *text, const char *want, size_t n)
{
    char to[64];
    gmi_json j;
    gmi_json_init(&j, text, strlen(text), 1);
    ok(gmi_json_next(&j) == GMI_JSON_STRING && j.token.length == n, "the string %s has %d bytes", text, (int)n);
    memset(to, 'x', sizeof to);
    gmi_json_unescape(j.p, j.token, to);
    ok(!memcmp(to, want, n + 1) && to[n + 1] == 'x', "and they are right");
    ok(gmi_json_has_zero(j.p, j.token) == (strlen(want) != n), "zero or not");
    if (strlen(want) == n) ok(gmi_json_equal(j.p, j.token, want) && !gmi_json_equal(j.p, j.token, "other"), "equal");
}

static void test_strings(void)
{
    string("\"\"", "", 0);
    string("\"abc\"", "abc", 3);
    string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    string("\"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10);
    string("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f", 10);
    string("\"a\\u0000b\"", "a\0b", 3);
    string("\"\\uabCD\\uEF01\"", "\xea\xaf\x8d\xee\xbc\x81", 6);
    string("\"\\uffff\\u07ff\\u0800\"", "\xef\xbf\xbf\xdf\xbf\xe0\xa0\x80", 8);
    bad("\"\\x\"", 1);
    bad("\"\\", 1);
    bad("\"\\u12\"", 1);
    bad("\"\\u12g4\"", 1);
    bad("\"\\u", 1);
    bad("\"\\u00/0\"", 1);
    bad("\"\\u00:0\"", 1);
    bad("\"\\u00G0\"", 1);
    bad("\"\\u00`0\"", 1);
    bad("\"\\u00g0\"", 1);
    bad("\"\\ud800\"", 1);
    bad("\"\\ud800x\"", 1);
    bad("\"\\ud800abcdef\"", 1);
    bad("\"\\ud800\\nabcdef\"", 1);
    bad("\"\\ud800\\u0041\"", 1);
    bad("\"\\ud800\\ue000\"", 1);
    bad("\"\\ud800\\uxxxx\"", 1);
    bad("\"\\udfff\"", 1);
    bad("\"a\nb\"", 2);
    bad_n("\"a\0b\"", 5, 2, GMI_JSON_E_GRAMMAR);
    bad_n("\"\x80\"", 3, 1, GMI_JSON_E_UTF8);
    bad_n("\"\xc0\x80\"", 4, 1, GMI_JSON_E_UTF8);
    bad_n("\"\xe0\x80\x80\"", 5, 1, GMI_JSON_E_UTF8);
    bad_n("\"\xed\xa0\x80\"", 5, 1, GMI_JSON_E_UTF8);
    bad_n("\"\xf0\x80\x80\x80\"", 6, 1, GMI_JSON_E_UTF8);
    bad_n("\"\xf4\x90\x80\x80\"", 6, 1, GMI_JSON_E_UTF8);
    bad_n("\"ab\xe2\x82", 5, 3, GMI_JSON_E_UTF8);
    ok(gmi_utf8_valid("", 0) && gmi_utf8_valid("a\xc3\xa9\0", 4), "valid UTF-8");
    ok(!gmi_utf8_valid("a\xc3", 2) && !gmi_utf8_valid("\xff", 1) && !gmi_utf8_valid("a\xf5\x80\x80\x80", 5), "invalid UTF-8");
    {   /* equal after unescaping, at every place of two tokens */
        static const char t[] = "[\"a\\u0062c\",\"abc\",\"abd\",\"ab\",\"\\u00e9\",\"\xc3\xa9\",\"\\u0800\"]";
        static const int same[7] = {0, 0, 2, 3, 4, 4, 6};
        gmi_json_token k[7];
        gmi_json j;
        int wrong = 0;
        gmi_json_init(&j, t, strlen(t), 1);
        gmi_json_next(&j);
        for (int i = 0; i < 7; i++) {
            gmi_json_next(&j);
            k[i] = j.token;
        }
        for (int a = 0; a < 7; a++)
            for (int b = 0; b < 7; b++) wrong += gmi_json_same(t, k[a], k[b]) != (same[a] == same[b]);
        is_int(wrong, 0, "same");
    }
    {   /* the same number of bytes, characters of other lengths */
        static const char t[] = "[\"a\xc3\xa9\",\"\xc3\xa9\x61\"]";
        gmi_json_token a;
        gmi_json j;
        gmi_json_init(&j, t, strlen(t), 1);
        gmi_json_next(&j);
        gmi_json_next(&j);
        a = j.token;
        gmi_json_next(&j);
        ok(!gmi_json_same(t, a, j.token) && !gmi_json_equal(t, a, "\xc3\xa9\x61"), "not the same");
    }
}

static void integer(const char *text, int result, int64_t want)
{
    gmi_json j;
    int64_t v = 77;
    gmi_json_init(&j, text, strlen(text), 1);
    gmi_json_next(&j);
    ok(gmi_json_int(text, j.token, &v) == result && v == (result ? 77 : want), "%s as an integer: %d", text, result);
}

static void real(const char *text, int result, double want)
{
    gmi_json j;
    double v = 77;
    gmi_json_init(&j, text, strlen(text), 1);
    gmi_json_next(&j);
    ok(gmi_json_double(text, j.token, &v) == result && (result || v == want), "%s as a double: %d", text, result);
}

static void test_numbers(void)
{
    integer("0", 0, 0);
    integer("7", 0, 7);
    integer("9223372036854775807", 0, INT64_MAX);
    integer("9223372036854775808", -1, 0);
    integer("92233720368547758070", -1, 0);
    integer("-1", -1, 0);
    integer("-0", -1, 0);
    integer("1.0", -1, 0);
    integer("1e0", -1, 0);
    integer("0.0", -1, 0);
    integer("0e0", -1, 0);
    real("0", 0, 0);
    real("-1.5e3", 0, -1500);
    real("1e400", -1, 0);
    real("-1e400", -1, 0);
    real("1e-400", 0, 0);
    real("0.1", 0, 0.1);
}

static void test_skip(void)
{
    static const char t[] = "{\"a\":{\"b\":[1,2,{}]},\"c\":[[3]],\"d\":4}";
    gmi_json j;
    gmi_json_init(&j, t, strlen(t), 8);
    gmi_json_next(&j);
    is_int(gmi_json_next(&j), GMI_JSON_KEY, "a");
    is_int(gmi_json_skip(&j, GMI_JSON_KEY), GMI_JSON_OBJECT_END, "past the value of a");
    is_int(gmi_json_next(&j), GMI_JSON_KEY, "c");
    is_int(gmi_json_skip(&j, gmi_json_next(&j)), GMI_JSON_ARRAY_END, "past the list of c");
    is_int(gmi_json_next(&j), GMI_JSON_KEY, "d");
    is_int(gmi_json_skip(&j, GMI_JSON_KEY), GMI_JSON_NUMBER, "past the number of d");
    is_int(gmi_json_skip(&j, GMI_JSON_NUMBER), GMI_JSON_NUMBER, "nothing to skip");
    is_int(gmi_json_next(&j), GMI_JSON_OBJECT_END, "end of the object");
    is_int(gmi_json_next(&j), GMI_JSON_END, "end");
    gmi_json_init(&j, "[1,[2,}]", 8, 8);
    is_int(gmi_json_skip(&j, gmi_json_next(&j)), GMI_JSON_ERROR, "an error inside what is skipped");
}

static void test_writer(void)
{
    gmi_buf b;
    gmi_json_out o;
    gmi_json j;
    char got[64];
    gmi_buf_init(&b, ctx);
    gmi_json_out_init(&o, &b);
    gmi_json_out_object(&o);
    gmi_json_out_key(&o, "a\"\n");
    gmi_json_out_array(&o);
    gmi_json_out_int(&o, INT64_MIN);
    gmi_json_out_double(&o, 0.1);
    gmi_json_out_double(&o, NAN);
    gmi_json_out_double(&o, -INFINITY);
    gmi_json_out_object(&o);
    gmi_json_out_end(&o);
    gmi_json_out_array(&o);
    gmi_json_out_end(&o);
    gmi_json_out_end(&o);
    gmi_json_out_key(&o, "b");
    gmi_json_out_bool(&o, 1);
    gmi_json_out_key(&o, "c");
    gmi_json_out_bool(&o, 0);
    gmi_json_out_key(&o, "d");
    gmi_json_out_null(&o);
    gmi_json_out_key(&o, "e");
    gmi_json_out_text(&o, "x\xc3\xa9");
    gmi_json_out_key(&o, "f");
    gmi_json_out_text_n(&o, "y\0z", 3);
    gmi_json_out_end(&o);
    is_text(gmi_buf_cstr(&b),
            "{\"a\\\"\\n\":[-9223372036854775808,0.1,null,null,{},[]],\"b\":true,\"c\":false,\"d\":null,\"e\":\"x\xc3\xa9\",\"f\":\"y\\u0000z\"}",
                "writer");
    events(b.p, b.n, 4, got, &j);
    is_text(got, "{k[nn00{}[]]ktkfk0ksks}.", "what it wrote is JSON");
    gmi_buf_free(&b);
}

int main(void)
{
    ctx = fu_context(NULL);
    test_grammar();
    test_strings();
    test_numbers();
    test_skip();
    test_writer();
    gm_context_destroy(ctx);
    return done();
}
