/* SPDX-License-Identifier: MIT */
/* test_pnm.c: the four kinds, both layouts, 8 and 16 bits, comments; refused files and their messages; writing; prefixes, changes, failures. */
#include "format/pnm.h"
#include "format_util.h"

static gm_context *ctx;

static gm_tensor *load(gm_context *c, fu_source s, int planar, gmi_pnm_info *f, gm_status *r)
{
    gm_tensor *t = NULL;
    gmi_in in;
    gmi_enter(c, "open_pnm");
    *r = fu_open(c, &s, &in);
    if (!*r) *r = gmi_pnm_read(c, &in, planar, f, &t);
    gmi_in_close(&in);
    *r = gmi_leave(c, *r);
    return t;
}

static void good(const char *p, size_t n, int maxval, const int64_t dims[3], const int *want)
{
    for (int planar = 0; planar < 2; planar++)
        for (size_t step = 0; step < 3; step += 2) {
            gmi_pnm_info f;
            gm_status r;
            gm_tensor *t = load(ctx, fu_bytes(p, n, step), planar, &f, &r);
            int64_t h = dims[0], w = dims[1], c = dims[2];
            int wrong = !t || t->rank != 3 || t->dtype != (maxval < 256 ? GM_U8 : GM_I32) || f.maxval != maxval || f.width != w || f.height != h ||
                f.channels != c ||
                        t->dims[0] != (planar ? c : h) || t->dims[1] != (planar ? h : w) || t->dims[2] != (planar ? w : c);
            for (int64_t y = 0; !wrong && y < h; y++)
                for (int64_t x = 0; x < w; x++)
                    for (int64_t k = 0; k < c; k++) {
                        int64_t i = planar ? (k * h + y) * w + x : (y * w + x) * c + k;
                        int v = t->dtype == GM_U8 ? ((uint8_t *)t->data)[i] : ((int32_t *)t->data)[i];
                        if (v != want[(y * w + x) * c + k]) wrong = 1;
                    }
            ok(!wrong, "P%c, planar %d, step %d: %s", p[1], planar, (int)step, r ? gm_context_error(ctx) : "read");
            gm_tensor_destroy(t);
        }
}

static void bad_n(const char *p, size_t n, gm_status want, const char *says)
{
    uint64_t before = fu_now(ctx);
    gm_status r;
    for (size_t step = 0; step < 2; step++)
        ok(!load(ctx, fu_bytes(p, n, step), 1, NULL, &r) && r == want && fu_says(ctx, "open_pnm: pnm: ") && fu_says(ctx, says) &&
           fu_now(ctx) == before, "refused: %s",
           gm_context_error(ctx));
}

static void bad(const char *p, gm_status want, const char *says)
{
    bad_n(p, strlen(p), want, says);
}

static void test_read(void)
{
    static const int64_t d23[3] = {2, 3, 1}, d12[3] = {1, 2, 3};
    static const int grey[6] = {0, 10, 255, 1, 2, 3}, color[6] = {1, 2, 3, 250, 251, 252}, deep[6] = {0, 256, 65535, 1, 2, 258};
    good("P2\n3 2\n255\n0 10 255\n1 2 3\n", 26, 255, d23, grey);
    good("P2 3#w\n 2 #h\r\n#\n#\n255\t0 10 255 1 2 # c\n3 # end", 46, 255, d23, grey);
    good("P3\n2 1 255 1 2 3 250 251 252", 28, 255, d12, color);
    good("P5 3 2 255\n\x00\x0a\xff\x01\x02\x03", 17, 255, d23, grey);
    good("P6\n2\n1\n254\n\x01\x02\x03\xfa\xfb\xfc", 17, 254, d12, color);
    good("P5 3 2 65535 \x00\x00\x01\x00\xff\xff\x00\x01\x00\x02\x01\x02", 25, 65535, d23, deep);
    good("P2 3 2 65535 0 256 65535 1 2 258", 32, 65535, d23, deep);
}

static void test_refused(void)
{
    gm_limits old = ctx->limits;
    bad("", GM_E_FORMAT, "begins with none");
    bad("P", GM_E_FORMAT, "begins with none");
    bad("X5 1 1 255 a", GM_E_FORMAT, "begins with none");
    bad("P1 1 1 0", GM_E_FORMAT, "begins with none");
    bad("P7\nWIDTH 1", GM_E_FORMAT, "begins with none");
    bad("P5", GM_E_FORMAT, "cut short");
    bad("P5 x", GM_E_FORMAT, "byte 3: a number was expected");
    bad("P5 -1 1 255\na", GM_E_FORMAT, "a number was expected");
    bad("P5 2147483648 1 255\na", GM_E_FORMAT, "too large");
    bad("P5 99999999999999999999 1 255\na", GM_E_FORMAT, "too large");
    bad("P5 1 1 65536\na", GM_E_FORMAT, "too large");
    bad("P5 0 1 255\n", GM_E_FORMAT, "is 0");
    bad("P5 1 0 255\n", GM_E_FORMAT, "is 0");
    bad("P5 1 1 0\na", GM_E_FORMAT, "is 0");
    bad("P5 1 1 255", GM_E_FORMAT, "white space");
    bad("P5 1 1 255x", GM_E_FORMAT, "white space");
    bad("P5 2 1 255\na", GM_E_FORMAT, "cut short");
    bad("P5 1 1 256\na", GM_E_FORMAT, "cut short");
    bad("P5 1 1 255\nab", GM_E_FORMAT, "something follows");
    bad("P5 1 1 96\na", GM_E_FORMAT, "larger than the largest");
    bad("P5 1 1 24929\nab", GM_E_FORMAT, "larger than the largest");
    bad("P2 2 1 255 1 ", GM_E_FORMAT, "cut short");
    bad("P2 1 1 255 256", GM_E_FORMAT, "too large");
    bad("P2 1 1 255 1 2", GM_E_FORMAT, "something follows");
    bad("P2 1 1 255 1x", GM_E_FORMAT, "something follows");
    bad("P2 1 1 255 #1", GM_E_FORMAT, "cut short");
    bad("P5 2147483647 2147483647 65535\n", GM_E_FORMAT, "cut short");
    bad("P6 2147483647 2147483647 255\n", GM_E_FORMAT, "more samples than can be counted");
    ctx->limits.tensor_bytes = 3;
    bad("P5 2 2 255\nabcd", GM_E_LIMIT, "tensor_bytes is 3");
    {
        gm_status r;
        char p[5000] = "P5 1 1 255\n";
        ok(!load(ctx, fu_bytes(p, sizeof p, 0), 0, NULL, &r) && r == GM_E_LIMIT, "a file far longer than the limit");
        ctx->limits.tensor_bytes = UINT64_MAX;
        ok(!load(ctx, fu_bytes(p, sizeof p, 0), 0, NULL, &r) && r == GM_E_FORMAT, "no limit");
    }
    ctx->limits = old;
}

static gm_status save(int64_t w, int64_t h, int64_t c, int planar, const uint8_t *p, fu_sink *k, size_t fail_at)
{
    gm_writer writer = fu_writer(k);
    gmi_out o;
    gm_status s;
    k->fail_at = fail_at;
    gmi_enter(ctx, "save");
    s = gmi_out_open(ctx, &writer, &o);
    return gmi_leave(ctx, gmi_out_close(&o, s ? s : gmi_pnm_write(ctx, &o, w, h, c, planar, p)));
}

static void test_write(void)
{
    static uint8_t p[3 * 70 * 100];
    fu_sink k;
    for (size_t i = 0; i < sizeof p; i++) p[i] = (uint8_t)(i * 7);
    ok(!save(2, 1, 1, 0, p, &k, SIZE_MAX) && k.n == 13 && !memcmp(k.p, "P5\n2 1\n255\n\0\7", 13), "P5");
    free(k.p);
    ok(!save(2, 1, 3, 0, p, &k, SIZE_MAX) && k.n == 17 && !memcmp(k.p, "P6\n2 1\n255\n\0\7\16\25\34\43", 17), "P6");
    free(k.p);
    ok(!save(2, 1, 3, 1, p, &k, SIZE_MAX) && k.n == 17 && !memcmp(k.p, "P6\n2 1\n255\n\0\16\34\7\25\43", 17), "P6 from planes");
    free(k.p);
    for (int planar = 0; planar < 2; planar++) {
        gm_status r;
        gm_tensor *t;
        ok(!save(70, 100, 3, planar, p, &k, SIZE_MAX), "a larger one");
        t = load(ctx, fu_bytes(k.p, k.n, 999), planar, NULL, &r);
        ok(t && !memcmp(t->data, p, sizeof p), "and back, planar %d", planar);
        gm_tensor_destroy(t);
        free(k.p);
    }
    ok(save(0, 1, 1, 0, p, &k, SIZE_MAX) == GM_E_SHAPE && save(1, 0, 1, 0, p, &k, SIZE_MAX) == GM_E_SHAPE &&
       save(1, 1, 2, 0, p, &k, SIZE_MAX) == GM_E_SHAPE &&
           save((int64_t)1 << 40, (int64_t)1 << 40, 1, 0, p, &k, SIZE_MAX) == GM_E_SHAPE &&
               save((int64_t)1 << 31, (int64_t)1 << 31, 3, 0, p, &k, SIZE_MAX) == GM_E_SHAPE,
       "pictures that cannot be: %s", gm_context_error(ctx));
    ok(save(70, 100, 3, 0, p, &k, 0) == GM_E_IO, "a write that fails");
    {
        gmi_out o = fu_failed(ctx);
        ok(gmi_pnm_write(ctx, &o, 3, 3, 1, 0, p) == GM_E_IO, "an output that has failed");
    }
    free(k.p);
}

static void test_damage(void)
{
    static const char *const files[] = {"P2 3 1 300 1 22 299", "P6 1 1 255\nabc", "P5 2 1 700\n\1\2\2\1"};
    uint64_t before = fu_now(ctx);
    int wrong = 0;
    for (int f = 0; f < 3; f++) {
        size_t n = strlen(files[f]);
        char p[64];
        gm_status r;
        for (size_t k = 0; k < n - (f == 0 ? 2 : 0); k++) wrong += load(ctx, fu_bytes(files[f], k, k % 2), 0, NULL, &r) != NULL;
        for (size_t i = 0; i < n; i++)
            for (int v = 0; v < 256; v++) {
                gm_tensor *t;
                memcpy(p, files[f], n);
                p[i] = (char)v;
                t = load(ctx, fu_bytes(p, n, 0), v & 1, NULL, &r);
                wrong += !t && r != GM_E_FORMAT;
                gm_tensor_destroy(t);
            }
        for (size_t k = 0; k <= n; k++) {
            fu_source s = fu_bytes(files[f], n, 3);
            s.fail_at = k;
            wrong += load(ctx, s, 0, NULL, &r) != NULL || r != GM_E_IO;
        }
    }
    is_int(wrong, 0, "prefixes are refused, changes read or refused, failing reads GM_E_IO");
    ok(fu_now(ctx) == before, "nothing leaks");
    {
        fu_heap heap;
        gm_context *c = fu_context(&heap);
        for (long n = 1;; n++) {
            size_t now = heap.now;
            gm_status r;
            gm_tensor *t;
            heap.fail_at = heap.count + n;
            t = load(c, fu_bytes(files[1], strlen(files[1]), 5), 0, NULL, &r);
            heap.fail_at = 0;
            gm_tensor_destroy(t);
            if (t || r != GM_E_NOMEM || heap.now != now) {
                ok(t && heap.now == now && n > 2, "allocation failures 1 to %d", (int)n - 1);
                break;
            }
        }
        gm_context_destroy(c);
    }
}

int main(void)
{
    ctx = fu_context(NULL);
    test_read();
    test_refused();
    test_write();
    test_damage();
    gm_context_destroy(ctx);
    return done();
}
