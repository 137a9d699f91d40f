/* SPDX-License-Identifier: MIT */
/* buf.c: bytes that grow. A failed append is remembered (`failed`, and the context's message), so that a writer of many pieces asks once, at the end.
 * JSON strings follow RFC 8259: quotes, backslash and control characters are escaped, invalid UTF-8 becomes U+FFFD, all else is copied. */
#include "base/base.h"

void gmi_buf_init(gmi_buf *b, gm_context *c)
{
    memset(b, 0, sizeof *b);
    b->ctx = c;
}

/* Makes room for n more bytes and the terminator. */
static int reserve(gmi_buf *b, size_t n)
{
    size_t want;
    char *p;
    if (b->failed) return -1;
    if (n < b->cap - b->n) return 0; /* cap is 0 or more than n */
    if (n > SIZE_MAX / 4 - b->n) want = SIZE_MAX / 2;
    else want = GMI_MAX(b->n + n + 1, b->cap + b->cap / 2 + 64);
    p = gmi_realloc(b->ctx, b->p, want);
    if (!p) {
        b->failed = 1;
        return -1;
    }
    b->p = p;
    b->cap = want;
    return 0;
}

void gmi_buf_add(gmi_buf *b, const void *p, size_t n)
{
    if (!n || reserve(b, n)) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void gmi_buf_text(gmi_buf *b, const char *s)
{
    gmi_buf_add(b, s, strlen(s));
}

void gmi_buf_format(gmi_buf *b, const char *f, ...)
{
    size_t n;
    va_list a;
    va_start(a, f);
    n = gmi_vformat(NULL, 0, f, a);
    va_end(a);
    if (!n || reserve(b, n)) return;
    va_start(a, f);
    gmi_vformat(b->p + b->n, n + 1, f, a);
    va_end(a);
    b->n += n;
}

static void json_escape(gmi_buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char e[6] = {'\\', 'u', '0', '0', 0, 0};
    size_t n = 2;
    switch (c) {
    case '"':
    case '\\': e[1] = (char)c; break;
    case '\n': e[1] = 'n'; break;
    case '\r': e[1] = 'r'; break;
    case '\t': e[1] = 't'; break;
    case '\b': e[1] = 'b'; break;
    case '\f': e[1] = 'f'; break;
    default:
        e[4] = hex[c >> 4];
        e[5] = hex[c & 15];
        n = 6;
    }
    gmi_buf_add(b, e, n);
}

void gmi_buf_json(gmi_buf *b, const char *s, size_t n)
{
    size_t i = 0, start = 0; /* [start, i) is copied as it is */
    gmi_buf_add(b, "\"", 1);
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        int len = gmi_utf8_len(s + i, n - i);
        if (len && c >= 0x20 && c != '"' && c != '\\') {
            i += (size_t)len;
            continue;
        }
        gmi_buf_add(b, s + start, i - start);
        if (len) json_escape(b, c);
        else gmi_buf_add(b, "\\ufffd", 6);
        start = ++i;
    }
    gmi_buf_add(b, s + start, i - start);
    gmi_buf_add(b, "\"", 1);
}

void gmi_buf_free(gmi_buf *b)
{
    gmi_free(b->ctx, b->p);
    gmi_buf_init(b, b->ctx);
}

const char *gmi_buf_cstr(const gmi_buf *b)
{
    return b->n ? b->p : "";
}
