/* SPDX-License-Identifier: MIT */
/* npy.c: \x93NUMPY major minor | u16 or u32 length | a Python dictionary of 'descr', 'fortran_order' and 'shape', ending in a newline | elements.
 *
 * The dictionary is read by a small parser of just these three keys, in any order: other keys make it another format. Headers of more than 64 KiB
 * belong to structured types, which are refused anyway. */
#include "format/npy.h"
#include "format/bytes.h"

#define HEADER_LIMIT 65536

typedef struct text {
    gm_context *ctx;
    const char *p;
    size_t n, at;
    uint64_t base; /* where the text begins in the file */
} text;

static gm_status bad(const text *t, const char *what)
{
    return gmi_fail_at(t->ctx, GM_E_FORMAT, (int64_t)(t->base + t->at), "npy: the header at byte %u: %s", t->base + t->at, what);
}

static void space(text *t)
{
    while (t->at < t->n && t->p[t->at] == ' ') t->at++;
}

/* Takes the character c, with spaces before it. */
static int take(text *t, char c)
{
    space(t);
    if (t->at >= t->n || t->p[t->at] != c) return 0;
    t->at++;
    return 1;
}

static int take_word(text *t, const char *w)
{
    size_t n = strlen(w);
    space(t);
    if (t->n - t->at < n || memcmp(t->p + t->at, w, n)) return 0;
    t->at += n;
    return 1;
}

/* A string without escapes in either quote: begin and length, or -1. */
static int string(text *t, size_t *begin, size_t *n)
{
    char q = take(t, '\'') ? '\'' : take(t, '"') ? '"' : 0;
    if (!q) return -1;
    *begin = t->at;
    while (t->at < t->n && t->p[t->at] != q && t->p[t->at] != '\\') t->at++;
    *n = t->at - *begin;
    return take(t, q) ? 0 : -1;
}

static gm_status unsupported(const text *t, size_t b, size_t n)
{
    char type[24];
    n = GMI_MIN(n, sizeof type - 1);
    memcpy(type, t->p + b, n);
    type[n] = 0;
    return gmi_fail_at(t->ctx, GM_E_UNSUPPORTED, (int64_t)(t->base + b),
                       "npy: the element type %S at byte %u is none of b1, i1 to i8, u1 to u4, f2 to f8: convert it with astype", type, t->base + b);
}

/* "<f4": byte order, kind, bytes. */
static gm_status descr(text *t, gmi_array *a)
{
    size_t b, n;
    char order, kind, width;
    if (string(t, &b, &n)) return bad(t, "'descr' is not a plain type such as '<f4': structured arrays are not supported");
    if (n != 3) return unsupported(t, b, n);
    order = t->p[b];
    kind = t->p[b + 1];
    width = t->p[b + 2];
    if (width == '3' || !gmi_array_dtype(kind, width - '0')) return unsupported(t, b, n);
    if (order != '<' && order != '>' && (order != '|' || width != '1')) return bad(t, "the byte order is neither '<' nor '>'");
    a->kind = kind;
    a->width = width - '0';
    a->big = order == '>';
    return GM_OK;
}

static gm_status shape(text *t, gmi_array *a)
{
    int comma = 1;
    if (!take(t, '(')) return bad(t, "'shape' is not a tuple");
    while (!take(t, ')')) {
        int64_t v = 0;
        size_t begin;
        if (!comma) return bad(t, "',' or ')' was expected in 'shape'");
        space(t);
        begin = t->at;
        while (t->at < t->n && t->p[t->at] >= '0' && t->p[t->at] <= '9') {
            int d = t->p[t->at++] - '0';
            if (v > (INT64_MAX - d) / 10) return bad(t, "a dimension does not fit 63 bits");
            v = v * 10 + d;
        }
        if (t->at == begin) return bad(t, "a dimension is not a number");
        if (a->rank == GMI_MAX_RANK)
            return gmi_fail_at(t->ctx, GM_E_LIMIT, (int64_t)(t->base + begin), "npy: more than %d dimensions", GMI_MAX_RANK);
        a->dims[a->rank++] = v;
        take_word(t, "L"); /* Python 2 wrote long integers so */
        comma = take(t, ',');
    }
    return a->rank == 1 && !comma ? bad(t, "'shape' is not a tuple: (n) should be (n,)") : GM_OK;
}

/* One `key: value`; seen collects the keys. */
static gm_status field(text *t, gmi_array *a, uint32_t *seen)
{
    static const char *const names[] = {"descr", "fortran_order", "shape"};
    size_t b, n;
    uint32_t k;
    if (string(t, &b, &n)) return bad(t, "a key in quotes was expected");
    for (k = 0; k < 3; k++)
        if (n == strlen(names[k]) && !memcmp(t->p + b, names[k], n)) break;
    if (k == 3) return bad(t, "a key is none of 'descr', 'fortran_order', 'shape'");
    if (*seen & 1u << k) return bad(t, "a key occurs twice");
    *seen |= 1u << k;
    if (!take(t, ':')) return bad(t, "':' was expected");
    if (k == 0) return descr(t, a);
    if (k == 2) return shape(t, a);
    if (take_word(t, "True")) a->fortran = 1;
    else if (!take_word(t, "False")) return bad(t, "'fortran_order' is neither True nor False");
    return GM_OK;
}

static gm_status dictionary(text *t, gmi_array *a)
{
    uint32_t seen = 0;
    int comma = 1;
    gm_status s;
    if (!take(t, '{')) return bad(t, "'{' was expected");
    while (!take(t, '}')) {
        if (!comma) return bad(t, "',' or '}' was expected");
        s = field(t, a, &seen);
        if (s) return s;
        comma = take(t, ',');
    }
    if (seen != 7) return bad(t, "one of 'descr', 'fortran_order', 'shape' is missing");
    take(t, '\n');
    space(t);
    return t->at == t->n ? GM_OK : bad(t, "something follows the dictionary");
}

gm_status gmi_npy_header(gm_context *c, gmi_in *in, gmi_array *a)
{
    uint8_t h[8], len[4] = {0};
    uint64_t n;
    text t;
    gm_status s = gmi_bytes_exact(in, "npy", h, 8);
    memset(a, 0, sizeof *a);
    if (s) return s;
    if (memcmp(h, "\x93NUMPY", 6)) return gmi_fail_at(c, GM_E_FORMAT, 0, "npy: the file does not begin with \\x93NUMPY");
    if (h[6] < 1 || h[6] > 3 || h[7])
        return gmi_fail_at(c, GM_E_VERSION, 6, "npy: version %d.%d is none of 1.0, 2.0, 3.0", (int32_t)h[6], (int32_t)h[7]);
    s = gmi_bytes_exact(in, "npy", len, h[6] == 1 ? 2 : 4);
    if (s) return s;
    n = gmi_get32(len, 0);
    if (n > HEADER_LIMIT) return gmi_fail_at(c, GM_E_LIMIT, 8, "npy: the header at byte 8 has %u bytes, the limit is %d", n, HEADER_LIMIT);
    if (n > in->total - in->pos) return gmi_fail_at(c, GM_E_FORMAT, 8, "npy: the header at byte 8 has %u bytes, past the end of the file", n);
    t.ctx = c;
    t.n = (size_t)n;
    t.at = 0;
    t.base = in->pos;
    t.p = gmi_alloc(c, n);
    if (!t.p) return gmi_alloc_status(c);
    s = gmi_bytes_exact(in, "npy", (char *)(uintptr_t)t.p, t.n);
    if (!s) s = dictionary(&t, a);
    gmi_free(c, (char *)(uintptr_t)t.p);
    return s ? s : gmi_array_size(c, "npy", a);
}

gm_status gmi_npy_read(gm_context *c, gmi_in *in, gm_tensor **out)
{
    gmi_array a;
    gm_status s = gmi_npy_header(c, in, &a);
    *out = NULL;
    return s ? s : gmi_array_read(c, "npy", in, &a, 0, out);
}

gm_status gmi_npy_write(const gm_tensor *t, gmi_out *o)
{
    static const char type[][4] = {"", "<f4", "<f8", "|u1", "<i2", "<i4", "<i8"}; /* by gm_dtype */
    char h[320];
    size_t n, whole;
    gm_status s;
    memcpy(h, "\x93NUMPY\x01\0", 8);
    n = 10 + gmi_format(h + 10, sizeof h - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (", type[t->dtype]);
    for (int32_t i = 0; i < t->rank; i++)
        n += gmi_format(h + n, sizeof h - n, i + 1 < t->rank ? "%i, " : t->rank == 1 ? "%i," : "%i", t->dims[i]);
    n += gmi_format(h + n, sizeof h - n, "), }");
    whole = (n + 64) / 64 * 64; /* with the newline */
    memset(h + n, ' ', whole - n);
    h[whole - 1] = '\n';
    gmi_put16((uint8_t *)h + 8, (uint32_t)(whole - 10), 0);
    s = gmi_out_write(o, h, whole);
    return s ? s : gmi_array_write(t, 0, o);
}

gm_status gm_tensor_read_npy(gm_context *c, const gm_reader *r, gm_tensor **out)
{
    gmi_in in;
    gm_status s;
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "tensor_read_npy");
    if (!r || !out) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%s is NULL", r ? "out" : "r"));
    *out = NULL;
    s = gmi_in_open(c, r, &in);
    if (!s) {
        s = gmi_npy_read(c, &in, out);
        gmi_in_close(&in);
    }
    return gmi_leave(c, s);
}

gm_status gm_tensor_write_npy(const gm_tensor *t, gm_writer *w)
{
    gmi_out o;
    gm_status s;
    if (!t) return GM_E_INVALID;
    gmi_enter(t->ctx, "tensor_write_npy");
    if (!w) return gmi_leave(t->ctx, gmi_fail(t->ctx, GM_E_INVALID, "w is NULL"));
    s = gmi_out_open(t->ctx, w, &o);
    if (!s) s = gmi_out_close(&o, gmi_npy_write(t, &o));
    return gmi_leave(t->ctx, s);
}
