/* SPDX-License-Identifier: MIT */
/* test_buf.c: growing, formatting, JSON strings, sticky failure. */
#include "base/base.h"
#include "tap.h"

static int fail;
static void *failing(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    (void)user;
    if (fail && new_size) return NULL;
    return gmi_os_alloc(NULL, p, old_size, new_size, align);
}

static const char *json(gmi_buf *b, const char *s, size_t n)
{
    gmi_buf_free(b);
    gmi_buf_json(b, s, n);
    return gmi_buf_cstr(b);
}

static void test_growth(gm_context *c)
{
    gmi_buf b;
    int bad = 0;
    gmi_buf_init(&b, c);
    is_text(gmi_buf_cstr(&b), "", "empty");
    for (int i = 0; i < 5000; i++) {
        char t = (char)('a' + i % 26);
        gmi_buf_add(&b, &t, 1);
        bad += b.n != (size_t)i + 1 || b.p[b.n] != 0;
    }
    for (int i = 0; i < 5000; i++) bad += b.p[i] != (char)('a' + i % 26);
    is_int(bad, 0, "5000 bytes one by one, terminated after each");
    gmi_buf_add(&b, "x", 0);
    gmi_buf_text(&b, "");
    is_int(b.n, 5000, "nothing adds nothing");
    gmi_buf_free(&b);
    ok(b.n == 0 && b.p == NULL && b.ctx == c, "free leaves an empty buffer that can be used again");
    for (int i = 0; i < 300; i++) gmi_buf_format(&b, "%d:%s,", i, i % 3 ? "a" : "bcdef");
    ok(!b.failed && strncmp(b.p, "0:bcdef,1:a,2:a,3:bcdef,", 24) == 0 && strcmp(b.p + b.n - 6, "299:a,") == 0, "formatted pieces");
    gmi_buf_free(&b);
    for (size_t n = 0; n < 200; n++) { /* every size at the edge of the capacity */
        char text[201];
        memset(text, 'q', n);
        text[n] = 0;
        gmi_buf_format(&b, "%s", text);
        bad += b.n != n || strcmp(gmi_buf_cstr(&b), text) != 0;
        gmi_buf_free(&b);
    }
    is_int(bad, 0, "first pieces of 0 to 199 bytes");
}

static void test_json(gm_context *c)
{
    gmi_buf b;
    gmi_buf_init(&b, c);
    is_text(json(&b, "plain", 5), "\"plain\"", "plain");
    is_text(json(&b, "", 0), "\"\"", "empty");
    is_text(json(&b, "a\"b\\c/\n\r\t\b\f\x01\x1f", 13), "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\"", "escapes");
    is_text(json(&b, "nul\0x", 5), "\"nul\\u0000x\"", "a zero byte inside");
    is_text(json(&b, "\xc3\xbc\xf0\x9f\x98\x80\x7f", 7), "\"\xc3\xbc\xf0\x9f\x98\x80\x7f\"", "UTF-8 as it is");
    is_text(json(&b, "a\xff\xc3(\xed\xa0\x80", 7), "\"a\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\"", "invalid bytes become U+FFFD");
    is_text(json(&b, "\xc3", 1), "\"\\ufffd\"", "cut off");
    gmi_buf_free(&b);
}

static void test_failure(gm_context *c)
{
    gmi_buf b;
    gmi_buf_init(&b, c);
    gmi_buf_text(&b, "kept");
    fail = 1;
    for (int i = 0; i < 100; i++) gmi_buf_text(&b, "more than the first block can take");
    fail = 0;
    ok(b.failed, "a failed append is remembered");
    gmi_buf_text(&b, "x");
    ok(b.failed && strncmp(gmi_buf_cstr(&b), "kept", 4) == 0, "and stays, with what was there before");
    gmi_buf_free(&b);
    ok(!b.failed, "free ends it");
}

int main(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    uint64_t now;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = failing;
    if (!ok(gm_context_create(&o, &c) == GM_OK, "context")) return done();
    test_growth(c);
    test_json(c);
    test_failure(c);
    gm_context_memory(c, &now, NULL);
    is_int(now, sizeof(gm_context), "nothing left");
    gm_context_destroy(c);
    return done();
}
