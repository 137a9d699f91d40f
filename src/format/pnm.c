/* SPDX-License-Identifier: MIT */
/* pnm.c: P2 and P3 (decimal text), P5 and P6 (bytes, big-endian pairs above 255): "P5 width height maxval" with # comments, one white space,
 * samples. */
#include "format/pnm.h"
#include "format/bytes.h"

typedef struct scan {
    gm_context *ctx;
    const uint8_t *p;
    size_t n, at;
} scan;

static gm_status bad(const scan *t, const char *what)
{
    return gmi_fail_at(t->ctx, GM_E_FORMAT, (int64_t)t->at, "pnm: byte %u: %s", (uint64_t)t->at, what);
}

static int is_space(uint8_t c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static void skip_space(scan *t)
{
    for (; t->at < t->n; t->at++) {
        if (t->p[t->at] == '#')
            while (t->at + 1 < t->n && t->p[t->at] != '\n' && t->p[t->at] != '\r') t->at++;
        else if (!is_space(t->p[t->at])) break;
    }
}

/* A decimal number of at most `most`, which must be below 2^31. */
static gm_status number(scan *t, int64_t most, int64_t *v)
{
    size_t begin;
    skip_space(t);
    begin = t->at;
    *v = 0;
    while (t->at < t->n && t->p[t->at] >= '0' && t->p[t->at] <= '9' && *v <= most) *v = *v * 10 + t->p[t->at++] - '0';
    if (t->at == begin) return bad(t, t->at < t->n ? "a number was expected" : "the file is cut short: a number was expected");
    return *v > most ? bad(t, "the number is too large") : GM_OK;
}

static gm_status header(scan *t, gmi_pnm_info *f)
{
    int64_t v = 0;
    gm_status s;
    memset(f, 0, sizeof *f);
    if (t->n < 2 || t->p[0] != 'P' || !memchr("2356", t->p[1], 4)) return bad(t, "the file begins with none of P2, P3, P5, P6");
    f->kind = t->p[1] - '0';
    f->channels = f->kind == 3 || f->kind == 6 ? 3 : 1;
    t->at = 2;
    s = number(t, INT32_MAX, &f->width);
    if (!s) s = number(t, INT32_MAX, &f->height);
    if (!s) s = number(t, 65535, &v);
    if (s) return s;
    f->maxval = (int32_t)v;
    if (!f->width || !f->height || !v) return bad(t, "width, height or the largest value is 0");
    if (f->kind < 5) return GM_OK;
    if (t->at >= t->n || !is_space(t->p[t->at])) return bad(t, "one white space was expected between header and samples");
    t->at++;
    return GM_OK;
}

/* Samples that the rest of the file must hold, at 1 byte (or a digit and a space) each, before memory is asked for. */
static gm_status check_size(const scan *t, const gmi_pnm_info *f, int64_t *count)
{
    const gm_context *c = t->ctx;
    int64_t n;
    uint64_t bytes, rest = t->n - t->at, memory;
    if (gmi_mul_i64(f->width * f->height, f->channels, &n)) return bad(t, "more samples than can be counted");
    bytes = (uint64_t)n * (f->kind > 4 && f->maxval > 255 ? 2 : 1);
    *count = n;
    memory = (uint64_t)n * (f->maxval > 255 ? 4 : 1);
    if (rest < bytes)
        return gmi_fail_at(t->ctx, GM_E_FORMAT, (int64_t)t->n,
                           "pnm: the file is cut short: %ix%ix%i samples need at least %u bytes from byte %u on, %u are there",
                           f->width, f->height, f->channels, bytes, (uint64_t)t->at, rest);
    if (memory > c->limits.tensor_bytes)
        return gmi_fail(t->ctx, GM_E_LIMIT, "pnm: the picture needs %u bytes, the limit tensor_bytes is %u: raise gm_limits.tensor_bytes", memory,
                        c->limits.tensor_bytes);
    return GM_OK;
}

static gm_status sample(scan *t, const gmi_pnm_info *f, int64_t *v)
{
    if (f->kind < 5) return number(t, f->maxval, v);
    if (f->maxval > 255) {
        *v = gmi_get16(t->p + t->at, 1);
        t->at += 2;
    } else {
        *v = t->p[t->at++];
    }
    return *v > f->maxval ? bad(t, "the sample before it is larger than the largest value in the header") : GM_OK;
}

static gm_status samples(scan *t, const gmi_pnm_info *f, int64_t count, int planar, gm_tensor *x)
{
    int64_t c = f->channels, plane = f->width * f->height;
    for (int64_t i = 0; i < count; i++) {
        int64_t v, to = planar ? i % c * plane + i / c : i;
        gm_status s = sample(t, f, &v);
        if (s) return s;
        if (x->dtype == GM_U8) ((uint8_t *)x->data)[to] = (uint8_t)v;
        else ((int32_t *)x->data)[to] = (int32_t)v;
    }
    if (f->kind < 5) skip_space(t);
    return t->at == t->n ? GM_OK : bad(t, "something follows the last sample: one picture per file is read");
}

static gm_status decode(scan *t, int planar, gmi_pnm_info *f, gm_tensor **out)
{
    int64_t count = 0, dims[3];
    gm_tensor *x = NULL;
    gm_status s = header(t, f);
    if (!s) s = check_size(t, f, &count);
    if (s) return s;
    dims[0] = planar ? f->channels : f->height;
    dims[1] = planar ? f->height : f->width;
    dims[2] = planar ? f->width : f->channels;
    s = gm_tensor_create(t->ctx, f->maxval < 256 ? GM_U8 : GM_I32, 3, dims, &x);
    if (!s) s = samples(t, f, count, planar, x);
    if (s) gm_tensor_destroy(x);
    else *out = x;
    return s;
}

gm_status gmi_pnm_read(gm_context *c, gmi_in *in, int planar, gmi_pnm_info *info, gm_tensor **out)
{
    gmi_pnm_info f;
    scan t;
    char *bytes;
    uint64_t limit = c->limits.tensor_bytes > UINT64_MAX / 16 ? UINT64_MAX : c->limits.tensor_bytes * 8 + 4096; /* text is longer than what it says */
    gm_status s;
    *out = NULL;
    t.ctx = c;
    t.at = 0;
    s = gmi_in_all(in, limit, &bytes, &t.n);
    if (s) return s;
    t.p = (const uint8_t *)bytes;
    s = decode(&t, planar, &f, out);
    gmi_free(c, bytes);
    if (!s && info) *info = f;
    return s;
}

gm_status gmi_pnm_write(gm_context *c, gmi_out *o, int64_t width, int64_t height, int64_t channels, int planar, const uint8_t *pixels)
{
    char h[64];
    uint8_t block[4096];
    int64_t count, plane;
    size_t k = 0;
    gm_status s;
    if (width < 1 || height < 1 || (channels != 1 && channels != 3) || gmi_mul_i64(width, height, &plane) || gmi_mul_i64(plane, channels, &count))
        return gmi_fail(c, GM_E_SHAPE, "pnm: a picture of %i x %i with %i channels cannot be written: 1 or 3 channels, at least 1 x 1", width,
                        height, channels);
    s = gmi_out_write(o, h, gmi_format(h, sizeof h, "P%d\n%i %i\n255\n", channels == 3 ? 6 : 5, width, height));
    for (int64_t i = 0; i < count && !s; i++) {
        block[k++] = pixels[planar ? i % channels * plane + i / channels : i];
        if (k == sizeof block || i + 1 == count) {
            s = gmi_out_write(o, block, k);
            k = 0;
        }
    }
    return s;
}
