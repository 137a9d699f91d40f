/* SPDX-License-Identifier: MIT */
/* json.c: the pull parser (a state and one bit per open container), strings, integers; the writer.
 *
 * After an event the state says what may come next, so that the whole grammar of RFC 8259, section 2, is the table in gmi_json_next.
 * Characters are decoded by one function for scanning, comparing and unescaping; only scanning can meet an error. */
#include "format/json.h"

enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COMMA_OR_END, DONE, FAILED };

void gmi_json_init(gmi_json *j, const char *p, size_t n, int32_t depth_limit)
{
    memset(j, 0, sizeof *j);
    j->p = p;
    j->n = n;
    j->limit = depth_limit;
    j->state = WANT_VALUE;
    j->error = "";
}

static int32_t fail(gmi_json *j, size_t at, int32_t kind, const char *why)
{
    j->at = at;
    j->state = FAILED;
    j->kind = kind;
    j->error = why;
    return GMI_JSON_ERROR;
}

int gmi_utf8_valid(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        int k = gmi_utf8_len(s + i, n - i);
        if (!k) return 0;
        i += (size_t)k;
    }
    return 1;
}

static size_t utf8_encode(uint32_t u, char *to)
{
    if (u < 0x80) {
        to[0] = (char)u;
        return 1;
    }
    if (u < 0x800) {
        to[0] = (char)(0xc0 | u >> 6);
        to[1] = (char)(0x80 | (u & 63));
        return 2;
    }
    if (u < 0x10000) {
        to[0] = (char)(0xe0 | u >> 12);
        to[1] = (char)(0x80 | (u >> 6 & 63));
        to[2] = (char)(0x80 | (u & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | u >> 18);
    to[1] = (char)(0x80 | (u >> 12 & 63));
    to[2] = (char)(0x80 | (u >> 6 & 63));
    to[3] = (char)(0x80 | (u & 63));
    return 4;
}

/* Four hex digits, or -1. */
static int32_t hex4(const char *p, size_t n)
{
    int32_t v = 0;
    size_t i;
    if (n < 4) return -1;
    for (i = 0; i < 4; i++) {
        char c = p[i];
        int32_t d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

/* \uXXXX or a pair of them at p (which points behind the backslash); bytes used, or 0. */
static size_t unicode_escape(const char *p, size_t n, uint32_t *u)
{
    int32_t a = hex4(p + 1, n - 1), b;
    if (a < 0 || (a >= 0xdc00 && a <= 0xdfff)) return 0;
    *u = (uint32_t)a;
    if (a < 0xd800 || a > 0xdfff) return 5;
    if (n < 11 || p[5] != '\\' || p[6] != 'u') return 0;
    b = hex4(p + 7, 4);
    if (b < 0xdc00 || b > 0xdfff) return 0;
    *u = 0x10000 + ((uint32_t)(a - 0xd800) << 10) + (uint32_t)(b - 0xdc00);
    return 11;
}

/* One character of a string at p, n > 0 bytes before the end of the source: writes its UTF-8 form (1 to 4 bytes) to `to` and *length, returns the
 * bytes used, or 0 with *why. */
static size_t character(const char *p, size_t n, char *to, size_t *length, const char **why)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    uint32_t u;
    size_t k;
    if ((uint8_t)p[0] < 32) {
        *why = "a raw control character in a string: write it as \\u00xx";
        return 0;
    }
    if (p[0] != '\\') {
        k = (size_t)gmi_utf8_len(p, n);
        memcpy(to, p, k);
        *length = k;
        if (!k) *why = "invalid UTF-8";
        return k;
    }
    *length = 1;
    for (k = 0; n > 1 && k < sizeof from - 1; k++)
        if (p[1] == from[k]) {
            to[0] = into[k];
            return 2;
        }
    if (n > 1 && p[1] == 'u') {
        k = unicode_escape(p + 1, n - 1, &u);
        *why = "\\u needs four hex digits, and a high surrogate a low one after it";
        if (!k) return 0;
        *length = utf8_encode(u, to);
        return k + 1;
    }
    *why = "an unknown escape in a string";
    return 0;
}

/* Scans the string whose opening quote is at j->at; leaves j->at behind the closing one. */
static int scan_string(gmi_json *j)
{
    char c[4];
    size_t i = j->at + 1, k, len = 0;
    const char *why = "";
    j->token.begin = i;
    j->token.length = 0;
    while (i < j->n && j->p[i] != '"') {
        k = character(j->p + i, j->n - i, c, &len, &why);
        if (!k) return fail(j, i, (uint8_t)j->p[i] >= 0x80 ? GMI_JSON_E_UTF8 : GMI_JSON_E_GRAMMAR, why), -1;
        i += k;
        j->token.length += len;
    }
    if (i >= j->n) return fail(j, i, GMI_JSON_E_GRAMMAR, "ends inside a string"), -1;
    j->token.n = i - j->token.begin;
    j->at = i + 1;
    return 0;
}

static size_t digits(const gmi_json *j, size_t i)
{
    while (i < j->n && j->p[i] >= '0' && j->p[i] <= '9') i++;
    return i;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static int32_t scan_number(gmi_json *j)
{
    size_t i = j->at, d;
    if (j->p[i] == '-') i++;
    d = digits(j, i);
    if (d == i || (j->p[i] == '0' && d > i + 1)) return fail(j, i, GMI_JSON_E_GRAMMAR, "a number needs digits and no leading zero");
    i = d;
    if (i < j->n && j->p[i] == '.') {
        d = digits(j, i + 1);
        if (d == i + 1) return fail(j, d, GMI_JSON_E_GRAMMAR, "a number needs digits after the point");
        i = d;
    }
    if (i < j->n && (j->p[i] == 'e' || j->p[i] == 'E')) {
        i++;
        if (i < j->n && (j->p[i] == '+' || j->p[i] == '-')) i++;
        d = digits(j, i);
        if (d == i) return fail(j, d, GMI_JSON_E_GRAMMAR, "a number needs digits in its exponent");
        i = d;
    }
    j->token.begin = j->at;
    j->token.n = j->token.length = i - j->at;
    j->at = i;
    return GMI_JSON_NUMBER;
}

/* What stands after a complete value: the container's next member, or the end of the text. */
static int32_t after_value(gmi_json *j, int32_t event)
{
    j->state = j->depth ? WANT_COMMA_OR_END : DONE;
    return event;
}

static int32_t open_container(gmi_json *j, int object)
{
    uint64_t bit;
    if (j->depth >= j->limit) return fail(j, j->at, GMI_JSON_E_DEPTH, "nested too deep");
    bit = (uint64_t)1 << j->depth++;
    j->objects = object ? j->objects | bit : j->objects & ~bit;
    j->at++;
    j->state = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    return object ? GMI_JSON_OBJECT : GMI_JSON_ARRAY;
}

static int in_object(const gmi_json *j)
{
    return j->objects >> (j->depth - 1) & 1;
}

static int32_t close_container(gmi_json *j)
{
    int object = in_object(j);
    j->at++;
    j->depth--;
    return after_value(j, object ? GMI_JSON_OBJECT_END : GMI_JSON_ARRAY_END);
}

static int32_t word(gmi_json *j, const char *text, int32_t event)
{
    size_t n = strlen(text);
    if (j->n - j->at < n || memcmp(j->p + j->at, text, n)) return fail(j, j->at, GMI_JSON_E_GRAMMAR, "a value was expected");
    j->at += n;
    return after_value(j, event);
}

static int32_t value(gmi_json *j)
{
    int32_t e;
    switch (j->p[j->at]) {
    case '{': return open_container(j, 1);
    case '[': return open_container(j, 0);
    case 't': return word(j, "true", GMI_JSON_TRUE);
    case 'f': return word(j, "false", GMI_JSON_FALSE);
    case 'n': return word(j, "null", GMI_JSON_NULL);
    case '"': return scan_string(j) ? GMI_JSON_ERROR : after_value(j, GMI_JSON_STRING);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        e = scan_number(j);
        return e == GMI_JSON_ERROR ? e : after_value(j, e);
    default: return fail(j, j->at, GMI_JSON_E_GRAMMAR, "a value was expected");
    }
}

static void space(gmi_json *j)
{
    while (j->at < j->n && (j->p[j->at] == ' ' || j->p[j->at] == '\t' || j->p[j->at] == '\n' || j->p[j->at] == '\r')) j->at++;
}

static int32_t key(gmi_json *j)
{
    if (j->p[j->at] != '"') return fail(j, j->at, GMI_JSON_E_GRAMMAR, "a name in double quotes was expected");
    if (scan_string(j)) return GMI_JSON_ERROR;
    space(j);
    if (j->at >= j->n || j->p[j->at] != ':') return fail(j, j->at, GMI_JSON_E_GRAMMAR, "':' was expected");
    j->at++;
    j->state = WANT_VALUE;
    return GMI_JSON_KEY;
}

int32_t gmi_json_next(gmi_json *j)
{
    char c;
    if (j->state == FAILED) return GMI_JSON_ERROR;
    space(j);
    if (j->state == DONE) return j->at == j->n ? GMI_JSON_END : fail(j, j->at, GMI_JSON_E_GRAMMAR, "something follows the value");
    if (j->state == WANT_COMMA_OR_END && j->at < j->n && j->p[j->at] == ',') {
        j->state = in_object(j) ? WANT_KEY : WANT_VALUE;
        j->at++;
        space(j);
    }
    if (j->at == j->n) return fail(j, j->at, GMI_JSON_E_GRAMMAR, "ends too early");
    c = j->p[j->at];
    switch (j->state) {
    case WANT_COMMA_OR_END:
        if (c == (in_object(j) ? '}' : ']')) return close_container(j);
        return fail(j, j->at, GMI_JSON_E_GRAMMAR, in_object(j) ? "',' or '}' was expected" : "',' or ']' was expected");
    case WANT_KEY_OR_END: return c == '}' ? close_container(j) : key(j);
    case WANT_KEY: return key(j);
    case WANT_VALUE_OR_END: return c == ']' ? close_container(j) : value(j);
    default: return value(j);
    }
}

int32_t gmi_json_skip(gmi_json *j, int32_t event)
{
    int32_t depth = j->depth;
    if (event == GMI_JSON_KEY) event = gmi_json_next(j), depth = j->depth;
    if (event != GMI_JSON_OBJECT && event != GMI_JSON_ARRAY) return event;
    while (event != GMI_JSON_ERROR && j->depth >= depth) event = gmi_json_next(j);
    return event;
}

/* ---- tokens, of strings that have been scanned ---- */

/* The character at *i of the string, which is moved on; its UTF-8 bytes to c, their number back. */
static size_t decoded(const char *p, gmi_json_token t, size_t *i, char c[4])
{
    size_t len = 0;
    const char *why;
    *i += character(p + t.begin + *i, t.n - *i, c, &len, &why);
    return len;
}

void gmi_json_unescape(const char *p, gmi_json_token t, char *to)
{
    char c[4];
    size_t i = 0, n;
    while (i < t.n) {
        n = decoded(p, t, &i, c);
        memcpy(to, c, n);
        to += n;
    }
    *to = 0;
}

int gmi_json_equal(const char *p, gmi_json_token t, const char *text)
{
    char c[4];
    size_t i = 0, n;
    if (t.length != strlen(text)) return 0;
    while (i < t.n) {
        n = decoded(p, t, &i, c);
        if (memcmp(c, text, n)) return 0;
        text += n;
    }
    return 1;
}

int gmi_json_same(const char *p, gmi_json_token a, gmi_json_token b)
{
    char c[4], d[4];
    size_t i = 0, k = 0, n, m;
    if (a.length != b.length) return 0;
    while (i < a.n) {
        n = decoded(p, a, &i, c);
        m = decoded(p, b, &k, d);
        if (n != m || memcmp(c, d, n)) return 0;
    }
    return 1;
}

int gmi_json_has_zero(const char *p, gmi_json_token t)
{
    char c[4];
    size_t i = 0;
    while (i < t.n) {
        decoded(p, t, &i, c);
        if (!c[0]) return 1;
    }
    return 0;
}

int gmi_json_int(const char *p, gmi_json_token t, int64_t *v)
{
    size_t i;
    int64_t r = 0;
    if (t.n > 1 && p[t.begin] == '0') return -1;
    for (i = 0; i < t.n; i++) {
        int d = p[t.begin + i] - '0';
        if (d < 0 || d > 9 || r > (INT64_MAX - d) / 10) return -1;
        r = r * 10 + d;
    }
    *v = r;
    return 0;
}

int gmi_json_double(const char *p, gmi_json_token t, double *v)
{
    size_t used;
    *v = 0;
    gmi_parse_double(p + t.begin, t.n, v, &used); /* takes all that the grammar of a number lets through */
    return *v - *v == 0 ? 0 : -1;
}

/* ---- writer ---- */

void gmi_json_out_init(gmi_json_out *o, gmi_buf *b)
{
    memset(o, 0, sizeof *o);
    o->b = b;
}

/* What has to stand before the next key or value. */
static void comma(gmi_json_out *o)
{
    uint64_t bit = (uint64_t)1 << o->depth;
    if (o->after_key) o->after_key = 0;
    else if (o->filled & bit) gmi_buf_text(o->b, ",");
    o->filled |= bit;
}

static void open_out(gmi_json_out *o, int object)
{
    uint64_t bit;
    comma(o);
    gmi_buf_text(o->b, object ? "{" : "[");
    bit = (uint64_t)1 << ++o->depth;
    o->filled &= ~bit;
    o->objects = object ? o->objects | bit : o->objects & ~bit;
}

void gmi_json_out_object(gmi_json_out *o)
{
    open_out(o, 1);
}

void gmi_json_out_array(gmi_json_out *o)
{
    open_out(o, 0);
}

void gmi_json_out_end(gmi_json_out *o)
{
    gmi_buf_text(o->b, o->objects >> o->depth-- & 1 ? "}" : "]");
}

void gmi_json_out_key(gmi_json_out *o, const char *name)
{
    comma(o);
    gmi_buf_json(o->b, name, strlen(name));
    gmi_buf_text(o->b, ":");
    o->after_key = 1;
}

void gmi_json_out_text_n(gmi_json_out *o, const char *s, size_t n)
{
    comma(o);
    gmi_buf_json(o->b, s, n);
}

void gmi_json_out_text(gmi_json_out *o, const char *s)
{
    gmi_json_out_text_n(o, s, strlen(s));
}

void gmi_json_out_int(gmi_json_out *o, int64_t v)
{
    comma(o);
    gmi_buf_format(o->b, "%i", v);
}

void gmi_json_out_double(gmi_json_out *o, double v)
{
    char t[32];
    comma(o);
    if (v - v != 0) {
        gmi_buf_text(o->b, "null");
    } else {
        gmi_format_double(t, sizeof t, v);
        gmi_buf_text(o->b, t);
    }
}

void gmi_json_out_bool(gmi_json_out *o, int v)
{
    comma(o);
    gmi_buf_text(o->b, v ? "true" : "false");
}

void gmi_json_out_null(gmi_json_out *o)
{
    comma(o);
    gmi_buf_text(o->b, "null");
}
