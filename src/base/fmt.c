/* SPDX-License-Identifier: MIT */
/* fmt.c: text of messages, JSON and CSV without the printf family: no locale, no allocation, never past the end.
 *
 * The directives are listed in base.h. Output goes through a sink that counts what would have been written, so that one pass with n = 0 measures.
 * Numbers as decimals are fmt_double.c. Quoted text (%S) escapes what a terminal or a log could misread, and is cut after 64 bytes. */
#include "base/base.h"

#define QUOTED_MAX 64

typedef struct sink {
    char *to;
    size_t n, used;
} sink;

static void put(sink *k, const char *s, size_t n)
{
    if (k->used < k->n) memcpy(k->to + k->used, s, GMI_MIN(n, k->n - k->used));
    k->used += n;
}

static void put_char(sink *k, char c)
{
    put(k, &c, 1);
}

static void put_u64(sink *k, uint64_t v, unsigned base)
{
    char d[20];
    size_t i = sizeof d;
    do d[--i] = "0123456789abcdef"[v % base];
    while (v /= base);
    put(k, d + i, sizeof d - i);
}

static void put_i64(sink *k, int64_t v)
{
    if (v < 0) put_char(k, '-');
    put_u64(k, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

static void put_list(sink *k, int32_t n, const int64_t *v)
{
    put_char(k, '[');
    for (int32_t i = 0; i < n; i++) {
        if (i) put_char(k, ',');
        put_i64(k, v[i]);
    }
    put_char(k, ']');
}

int gmi_utf8_len(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    uint32_t v;
    int len;
    if (!n) return 0;
    if (u[0] < 0x80) return 1;
    if (u[0] >= 0xc2 && u[0] < 0xe0) len = 2;
    else if ((u[0] & 0xf0) == 0xe0) len = 3;
    else if (u[0] >= 0xf0 && u[0] < 0xf5) len = 4;
    else return 0;
    if ((size_t)len > n) return 0;
    v = u[0] & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80) return 0;
        v = v << 6 | (u[i] & 0x3fu);
    }
    if (len == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) return 0;
    if (len == 4 && (v < 0x10000 || v > 0x10ffff)) return 0;
    return len;
}

static void put_quoted(sink *k, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = s ? strlen(s) : 0, i = 0;
    if (!s) {
        put(k, "(null)", 6);
        return;
    }
    put_char(k, '"');
    while (i < n && i < QUOTED_MAX) {
        unsigned char c = (unsigned char)s[i];
        int len = gmi_utf8_len(s + i, n - i);
        if (c == '"' || c == '\\') {
            put_char(k, '\\');
            put_char(k, (char)c);
        } else if (c == '\n')
            put(k, "\\n", 2);
        else if (c == '\t')
            put(k, "\\t", 2);
        else if (len == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)) { /* controls, C1 too */
            put(k, "\\x", 2);
            put_char(k, hex[c >> 4]);
            put_char(k, hex[c & 15]);
            len = 1;
        } else
            put(k, s + i, (size_t)len);
        i += (size_t)len;
    }
    put(k, "\"...", i < n ? 4 : 1);
}

static void put_double(sink *k, double v)
{
    char t[40];
    put(k, t, gmi_format_double(t, sizeof t, v));
}

/* Returns how many va_list users a directive has handled: the caller passes a pointer, so that the list moves on. */
static void put_directive(sink *k, char d, va_list *a)
{
    const char *s;
    int32_t n;
    switch (d) {
    case 's':
        s = va_arg(*a, const char *);
        if (!s) s = "(null)";
        put(k, s, strlen(s));
        break;
    case 'S': put_quoted(k, va_arg(*a, const char *)); break;
    case 'd': put_i64(k, va_arg(*a, int)); break;
    case 'c': put_char(k, (char)va_arg(*a, int)); break;
    case 'i': put_i64(k, va_arg(*a, int64_t)); break;
    case 'u': put_u64(k, va_arg(*a, uint64_t), 10); break;
    case 'x': put_u64(k, va_arg(*a, uint64_t), 16); break;
    case 'g': put_double(k, va_arg(*a, double)); break;
    case 'v':
        n = va_arg(*a, int);
        put_list(k, n, va_arg(*a, const int64_t *));
        break;
    default: put_char(k, d); /* %% and mistakes */
    }
}

typedef struct arguments {
    va_list a; /* in a struct: a va_list parameter may be an array, whose address has another type */
} arguments;

size_t gmi_vformat(char *to, size_t n, const char *f, va_list a)
{
    sink k;
    arguments args;
    k.to = to;
    k.n = n ? n - 1 : 0;
    k.used = 0;
    va_copy(args.a, a);
    while (*f) {
        size_t plain = 0;
        while (f[plain] && f[plain] != '%') plain++;
        put(&k, f, plain);
        f += plain;
        if (!*f) break;
        if (f[1]) {
            put_directive(&k, f[1], &args.a);
            f += 2;
        } else
            f++;
    }
    va_end(args.a);
    if (n) to[GMI_MIN(k.used, k.n)] = 0;
    return k.used;
}

size_t gmi_format(char *to, size_t n, const char *f, ...)
{
    va_list a;
    size_t used;
    va_start(a, f);
    used = gmi_vformat(to, n, f, a);
    va_end(a);
    return used;
}

int gmi_parse_i64(const char *s, size_t n, int64_t *v, size_t *used)
{
    size_t i = 0, first;
    int negative = 0;
    uint64_t x = 0, limit;
    if (n && (s[0] == '-' || s[0] == '+')) negative = s[i++] == '-';
    limit = (uint64_t)INT64_MAX + (uint64_t)negative;
    first = i;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
        uint64_t d = (uint64_t)(s[i] - '0');
        if (x > (limit - d) / 10) return -1;
        x = x * 10 + d;
    }
    if (i == first) return -1;
    *v = negative ? (x ? -(int64_t)(x - 1) - 1 : 0) : (int64_t)x;
    if (used) *used = i;
    return 0;
}
