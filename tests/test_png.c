/* SPDX-License-Identifier: MIT */
/* test_png.c: what gmi_png_write and gmi_deflate write is taken apart by a small inflate and unfilter of this file's own (RFC 1951, ISO/IEC 15948):
 * chunks, checksums, pixels; sizes against stored data; failures. */
#include "format/deflate.h"
#include "format/png.h"
#include "format_util.h"

static gm_context *ctx;

/* ---- inflate: stored and fixed blocks ---- */

typedef struct inflater {
    const uint8_t *p;
    size_t n, bit;
    int bad;
} inflater;

static uint32_t take(inflater *z, int n)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++, z->bit++) {
        if (z->bit >= 8 * z->n) {
            z->bad = 1;
            return 0;
        }
        v |= (uint32_t)(z->p[z->bit / 8] >> (z->bit % 8) & 1) << i;
    }
    return v;
}

static uint32_t code(inflater *z, int n)
{
    uint32_t v = 0;
    while (n--) v = v << 1 | take(z, 1);
    return v;
}

static uint32_t symbol(inflater *z)
{
    uint32_t v = code(z, 7);
    if (v < 24) return 256 + v;
    v = v << 1 | take(z, 1);
    if (v < 192) return v - 48;
    if (v < 200) return v - 192 + 280;
    v = v << 1 | take(z, 1);
    return v - 400 + 144;
}

/* A zlib stream of one fixed block; the bytes out, or -1. */
static long inflate(const uint8_t *p, size_t n, uint8_t *to, size_t cap)
{
    inflater z = {p, n, 16, 0};
    size_t k = 0;
    if (n < 6 || (p[0] * 256 + p[1]) % 31 || (p[0] & 15) != 8 || p[1] & 32) return -1;
    if (take(&z, 1) != 1 || take(&z, 2) != 1) return -1;
    for (;;) {
        uint32_t s = symbol(&z), length, distance;
        if (z.bad || s > 285) return -1;
        if (s == 256) break;
        if (s < 256) {
            if (k == cap) return -1;
            to[k++] = (uint8_t)s;
            continue;
        }
        s -= 257;
        length = s < 8 ? s + 3 : s == 28 ? 258 : ((4 + s % 4) << (s / 4 - 1)) + 3;
        if (s >= 8 && s < 28) length += take(&z, (int)s / 4 - 1);
        s = code(&z, 5);
        if (s > 29) return -1;
        distance = s < 4 ? s + 1 : ((2 + s % 2) << (s / 2 - 1)) + 1;
        if (s >= 4) distance += take(&z, (int)s / 2 - 1);
        if (distance > k || length > cap - k) return -1;
        for (; length; length--, k++) to[k] = to[k - distance];
    }
    z.bit = (z.bit + 7) / 8;
    if (z.bit + 4 != n) return -1;
    p += z.bit;
    return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) == gmi_adler32(1, to, k) ? (long)k : -1;
}

static uint32_t state = 1;
static uint32_t next(void)
{
    state ^= state << 13; /* xorshift32 (Marsaglia 2003) */
    state ^= state >> 17;
    return state ^= state << 5;
}

static void squeeze(const char *what, const uint8_t *p, size_t n, double at_most)
{
    gmi_buf b;
    uint8_t *back = malloc(n + 1);
    gmi_buf_init(&b, ctx);
    ok(!gmi_deflate(ctx, p, n, &b) && inflate((const uint8_t *)b.p, b.n, back, n) == (long)n && !memcmp(back, p, n), "%s: %d bytes come back", what,
       (int)n);
    ok((double)b.n <= at_most * (double)n + 12, "as %d", (int)b.n);
    gmi_buf_free(&b);
    free(back);
}

static void test_deflate(void)
{
    size_t n = 300000, i;
    uint8_t *p = calloc(1, n);
    ok(gmi_crc32(0, "123456789", 9) == 0xcbf43926u && gmi_crc32(gmi_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926u, "CRC-32");
    ok(gmi_adler32(1, "Wikipedia", 9) == 0x11e60398u, "Adler-32");
    for (i = 0; i < 20; i++) squeeze("zeros", p, i, 1.2);
    squeeze("zeros", p, n, 0.008);
    for (i = 0; i < n; i++) p[i] = (uint8_t)next();
    squeeze("noise", p, n, 1.08);
    for (i = 0; i < n; i++) p[i] = (uint8_t)(i & 255);
    squeeze("a ramp", p, n, 0.012);
    for (i = 0; i < n; i++) p[i] = (uint8_t)"abcd"[next() & 3];
    squeeze("four letters", p, n, 0.55);
    for (i = 0; i < n; i++) p[i] = (uint8_t)(i < 32767 ? next() : p[i - 32767]);
    squeeze("repeats as far as the window", p, n, 0.15);
    for (i = 0; i < n; i++) p[i] = (uint8_t)(i < 32768 ? next() : p[i - 32768]);
    squeeze("repeats further than it", p, n, 1.1);
    for (size_t period = 1; period < 33000; period = period * 3 / 2 + 1) { /* every length and distance code */
        for (i = 0; i < n; i++) p[i] = (uint8_t)(i < period ? next() : p[i - period] + (uint32_t)(next() % 300 == 0));
        squeeze("a noisy period", p, n, 1.3);
    }
    {
        gmi_buf b;
        gmi_buf_init(&b, ctx);
        ok(gmi_deflate(ctx, p, ((size_t)1 << 30) + 1, &b) == GM_E_LIMIT && b.n == 0, "more than 2^30 bytes");
    }
    free(p);
}

/* ---- png ---- */

static gm_status save(gm_context *c, int64_t w, int64_t h, int64_t ch, const uint8_t *p, fu_sink *k, size_t fail_at)
{
    gm_writer writer = fu_writer(k);
    gmi_out o;
    gm_status s;
    k->fail_at = fail_at;
    gmi_enter(c, "save");
    s = gmi_out_open(c, &writer, &o);
    return gmi_leave(c, gmi_out_close(&o, s ? s : gmi_png_write(c, &o, w, h, ch, p)));
}

static uint32_t be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A chunk at p of the type: its length, or -1. */
static long chunk(const uint8_t *p, size_t n, const char *type)
{
    size_t len;
    if (n < 12) return -1;
    len = be(p);
    if (n < 12 + len || memcmp(p + 4, type, 4) || be(p + 8 + len) != gmi_crc32(0, p + 4, 4 + len)) return -1;
    return (long)len;
}

/* 1 when the file is the picture; counts the filters used. */
static int is_picture(const fu_sink *k, int w, int h, int ch, const uint8_t *want, int used[5])
{
    static const int color[] = {0, 0, 4, 2, 6};
    size_t row = (size_t)(w * ch), cap = (row + 1) * (size_t)h, n = k->n;
    uint8_t *raw = malloc(cap), *above = calloc(1, row), *now = malloc(row);
    const uint8_t *p = k->p;
    long len;
    int good = n > 8 + 25 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8) && chunk(p + 8, n - 8, "IHDR") == 13 && be(p + 16) == (uint32_t)w &&
        be(p + 20) == (uint32_t)h && p[24] == 8 &&
               p[25] == color[ch] && !p[26] && !p[27] && !p[28];
    len = good ? chunk(p + 33, n - 33, "IDAT") : -1;
    good = len >= 0 && inflate(p + 41, (size_t)len, raw, cap) == (long)cap && n == 33 + 12 + (size_t)len + 12 && chunk(p + 45 + len, 12, "IEND") == 0;
    for (int y = 0; good && y < h; y++) {
        const uint8_t *r = raw + (size_t)y * (row + 1);
        if (r[0] > 4) good = 0;
        else used[r[0]]++;
        for (size_t i = 0; good && i < row; i++) {
            int a = i < (size_t)ch ? 0 : now[i - (size_t)ch], b = above[i], c = i < (size_t)ch ? 0 : above[i - (size_t)ch], q = a + b - c, e = 0;
            if (r[0] == 1) e = a;
            if (r[0] == 2) e = b;
            if (r[0] == 3) e = (a + b) / 2;
            if (r[0] == 4) e = abs(q - a) <= abs(q - b) && abs(q - a) <= abs(q - c) ? a : abs(q - b) <= abs(q - c) ? b : c;
            now[i] = (uint8_t)(r[1 + i] + e);
        }
        if (good && memcmp(now, want + (size_t)y * row, row)) good = 0;
        memcpy(above, now, row);
    }
    free(raw);
    free(above);
    free(now);
    return good;
}

static void test_png(void)
{
    static uint8_t p[4 * 97 * 61];
    int used[5] = {0};
    fu_sink k;
    for (int kind = 0; kind < 6; kind++)
        for (int ch = 1; ch <= 4; ch++) {
            static const int sizes[3][2] = {{1, 1}, {97, 61}, {5, 1}};
            for (int s = 0; s < 3; s++) {
                int w = sizes[s][0], h = sizes[s][1];
                for (int i = 0; i < w * h * ch; i++) {
                    int x = i / ch % w, y = i / ch / w;
                    p[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? (int)(next() & 255) : kind == 2 ? x * 3 + i % ch : kind == 3 ? y * 5 : kind == 4
                                     ? x * x / 20 + y * y / 30 : ((x / 8 + y / 8) & 1) * 255);
                }
                ok(!save(ctx, w, h, ch, p, &k, SIZE_MAX) && is_picture(&k, w, h, ch, p, used), "picture %d, %d x %d, %d channels", kind, w, h, ch);
                free(k.p);
            }
        }
    ok(used[0] && used[1] && used[2] && used[3] && used[4], "all five filters occur: %d %d %d %d %d", used[0], used[1], used[2], used[3], used[4]);
    ok(save(ctx, 0, 1, 1, p, &k, 0) == GM_E_SHAPE && save(ctx, 1, 0, 1, p, &k, 0) == GM_E_SHAPE && save(ctx, 65536, 1, 1, p, &k, 0) == GM_E_SHAPE &&
           save(ctx, 1, 65536, 1, p, &k, 0) == GM_E_SHAPE && save(ctx, 1, 1, 0, p, &k, 0) == GM_E_SHAPE && save(ctx, 1, 1, 5, p, &k, 0) == GM_E_SHAPE,
       "pictures that cannot be: %s", gm_context_error(ctx));
    ok(save(ctx, 65535, 65535, 1, p, &k, 0) == GM_E_LIMIT, "one too large: %s", gm_context_error(ctx));
    for (int i = 0; i < 4 * 97 * 61; i++) p[i] = (uint8_t)next();
    ok(save(ctx, 97, 61, 4, p, &k, 0) == GM_E_IO, "a write that fails");
    {
        gmi_out o = fu_failed(ctx);
        ok(gmi_png_write(ctx, &o, 3, 3, 1, p) == GM_E_IO, "an output that has failed");
    }
    {
        uint8_t *big = malloc(700 * 400);
        for (int i = 0; i < 700 * 400; i++) big[i] = (uint8_t)next();
        for (size_t at = 0; at < 200000; at += 50000) {
            ok(save(ctx, 700, 400, 1, big, &k, at) == GM_E_IO, "a write that fails after %d", (int)at);
            free(k.p);
        }
        free(big);
    }
    {
        fu_heap heap;
        gm_context *c = fu_context(&heap);
        for (int on = 0; on < 2; on++)
            for (long n = 1;; n++) {
                size_t now = heap.now;
                gm_status s;
                heap.on = on;
                heap.fail_at = heap.count + n;
                s = save(c, 97, 61, 4, p, &k, SIZE_MAX);
                heap.fail_at = 0;
                free(k.p);
                if (s != GM_E_NOMEM || heap.now != now) {
                    ok(s == GM_OK && heap.now == now && n > 4, "allocation failures 1 to %d", (int)n - 1);
                    break;
                }
            }
        gm_context_destroy(c);
    }
}

int main(void)
{
    ctx = fu_context(NULL);
    test_deflate();
    test_png();
    gm_context_destroy(ctx);
    return done();
}
