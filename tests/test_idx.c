/* SPDX-License-Identifier: MIT */
/* test_idx.c: headers and their messages, every type, prefixes and changes, writing, memory, failures. */
#include "format/idx.h"
#include "format_util.h"

static gm_context *ctx;

static gm_tensor *load(gm_context *c, fu_source s, gm_status *r)
{
    gm_reader reader = fu_reader(&s);
    gm_tensor *t = NULL;
    gmi_in in;
    gmi_enter(c, "open_idx");
    *r = gmi_in_open(c, &reader, &in);
    if (!*r) *r = gmi_idx_read(c, &in, &t);
    gmi_in_close(&in);
    *r = gmi_leave(c, *r);
    return t;
}

static void bad(const char *what, const char *p, size_t n, gm_status want, const char *says)
{
    for (size_t step = 0; step < 3; step += 2) {
        gm_status r;
        uint64_t before = fu_now(ctx);
        ok(!load(ctx, fu_bytes(p, n, step), &r) && r == want && fu_says(ctx, "open_idx: idx: ") && fu_says(ctx, says) && fu_now(ctx) == before,
           "%s: %s", what,
           gm_context_error(ctx));
    }
}

static void test_headers(void)
{
    bad("empty", "", 0, GM_E_FORMAT, "cut short");
    bad("3 bytes", "\0\0\10", 3, GM_E_FORMAT, "ends at byte 3");
    bad("gzip", "\x1f\x8b\x08\0\0", 5, GM_E_FORMAT, "gunzip");
    bad("another file", "\x1f\x01\x08\0\0", 5, GM_E_FORMAT, "begins 1f 1 8 0");
    bad("another file", "\0\1\10\1\0\0\0\0", 8, GM_E_FORMAT, "begins 0 1 8 1");
    bad("type 10", "\0\0\12\1\0\0\0\0", 8, GM_E_FORMAT, "type a at byte 2");
    bad("rank 0", "\0\0\10\0", 4, GM_E_FORMAT, "rank at byte 3 is 0");
    bad("rank 9", "\0\0\10\11", 4, GM_E_LIMIT, "the limit is 8");
    bad("half a dimension", "\0\0\10\1\0\0", 6, GM_E_FORMAT, "2 more bytes");
    bad("no elements", "\0\0\10\1\0\0\0\2", 8, GM_E_FORMAT, "cut short");
    bad("one of two elements", "\0\0\10\1\0\0\0\2x", 9, GM_E_FORMAT, "cut short");
    bad("one too many", "\0\0\10\1\0\0\0\2xxx", 11, GM_E_FORMAT, "after the last element, at byte 10");
    bad("overflow", "\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, GM_E_FORMAT, "more elements than can be counted");
    ctx->limits.tensor_bytes = 1;
    bad("limit", "\0\0\10\1\0\0\0\2xx", 10, GM_E_LIMIT, "tensor_bytes");
    ctx->limits.tensor_bytes = 1 << 20;
}

static void test_types(void)
{
    static const struct {
        uint8_t code;
        gm_dtype dtype;
        int width;
        const char *bytes;
        double a, b;
    } all[] = {{8, GM_U8, 1, "\x01\xff", 1, 255},
               {9, GM_I16, 1, "\x7f\x80", 127, -128},
               {11, GM_I16, 2, "\x01\x02\xff\xfe", 258, -2},
               {12, GM_I32, 4, "\x00\x01\x00\x00\xff\xff\xff\xff", 65536, -1},
               {13, GM_F32, 4, "\x3f\x80\x00\x00\xc0\x00\x00\x00", 1, -2},
               {14, GM_F64, 8, "\x3f\xf8\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00", 1.5, -2}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t step = 0; step < 4; step += 3) {
            uint8_t p[32] = {0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
            gm_status r;
            gm_tensor *t;
            double a = 0, b = 0;
            fu_sink k;
            gm_writer w = fu_writer(&k);
            gmi_out o;
            p[2] = all[i].code;
            memcpy(p + 12, all[i].bytes, (size_t)(2 * all[i].width));
            t = load(ctx, fu_bytes(p, (size_t)(12 + 2 * all[i].width), step), &r);
            if (t && t->dtype == GM_U8) a = ((uint8_t *)t->data)[0], b = ((uint8_t *)t->data)[1];
            if (t && t->dtype == GM_I16) a = ((int16_t *)t->data)[0], b = ((int16_t *)t->data)[1];
            if (t && t->dtype == GM_I32) a = ((int32_t *)t->data)[0], b = ((int32_t *)t->data)[1];
            if (t && t->dtype == GM_F32) a = (double)((float *)t->data)[0], b = (double)((float *)t->data)[1];
            if (t && t->dtype == GM_F64) a = ((double *)t->data)[0], b = ((double *)t->data)[1];
            ok(t && t->dtype == all[i].dtype && t->rank == 2 && t->dims[0] == 1 && t->dims[1] == 2 && a == all[i].a && b == all[i].b, "type %d",
               all[i].code);
            ok(!gmi_out_open(ctx, &w, &o) && !gmi_out_close(&o, gmi_idx_write(t, &o)), "written");
            ok(all[i].code == 9 || (k.n == (size_t)(12 + 2 * all[i].width) && !memcmp(k.p, p, k.n)), "the same bytes");
            free(k.p);
            gm_tensor_destroy(t);
        }
}

static gm_status save(gm_tensor *t, size_t fail_at)
{
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gmi_out o;
    gm_status s;
    k.fail_at = fail_at;
    gmi_enter(ctx, "save");
    s = gmi_out_open(ctx, &w, &o);
    s = gmi_leave(ctx, gmi_out_close(&o, s ? s : gmi_idx_write(t, &o)));
    free(k.p);
    return s;
}

static void test_write_refuses(void)
{
    static const int64_t one[1] = {1}, wide[2] = {0, (int64_t)1 << 32};
    gm_tensor *t;
    ok(!gm_tensor_create(ctx, GM_I64, 1, one, &t) && save(t, SIZE_MAX) == GM_E_DTYPE && fu_says(ctx, "i64"), "i64");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_F32, 0, NULL, &t) && save(t, SIZE_MAX) == GM_E_SHAPE, "rank 0");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_F32, 2, wide, &t) && save(t, SIZE_MAX) == GM_E_SHAPE, "a dimension of 2^32");
    gm_tensor_destroy(t);
    {
        int64_t many[1] = {100000};
        gmi_out o = fu_failed(ctx);
        ok(!gm_tensor_create(ctx, GM_U8, 1, many, &t) && save(t, SIZE_MAX) == GM_OK && save(t, 0) == GM_E_IO, "a write that fails");
        ok(gmi_idx_write(t, &o) == GM_E_IO, "an output that has failed");
        gm_tensor_destroy(t);
    }
}

static void test_damage(void)
{
    uint8_t p[] = {0, 0, 11, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint64_t before = fu_now(ctx);
    int wrong = 0;
    gm_status r;
    for (size_t n = 0; n < sizeof p; n++) wrong += load(ctx, fu_bytes(p, n, 0), &r) != NULL || load(ctx, fu_bytes(p, n, 1), &r) != NULL;
    is_int(wrong, 0, "every prefix is rejected");
    for (size_t i = 0; i < 12; i++) {
        uint8_t old = p[i];
        for (int v = 0; v < 256; v++) {
            p[i] = (uint8_t)v;
            if (v != old) {
                gm_tensor *t = load(ctx, fu_bytes(p, sizeof p, 0), &r);
                wrong += t != NULL;
                gm_tensor_destroy(t);
            }
        }
        p[i] = old;
    }
    is_int(wrong, 0, "every single-byte change of the header is rejected");
    for (size_t n = 0; n <= sizeof p; n++) {
        fu_source s = fu_bytes(p, sizeof p, 4);
        s.fail_at = n;
        wrong += load(ctx, s, &r) != NULL || r != GM_E_IO;
    }
    is_int(wrong, 0, "a read that fails after any byte is GM_E_IO");
    ok(fu_now(ctx) == before, "nothing leaks");
    {
        fu_heap heap;
        gm_context *c = fu_context(&heap);
        for (size_t step = 0; step < 2; step++)
            for (long n = 1;; n++) {
                size_t now = heap.now;
                gm_tensor *t;
                heap.fail_at = heap.count + n;
                t = load(c, fu_bytes(p, sizeof p, step), &r);
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
    test_headers();
    test_types();
    test_write_refuses();
    test_damage();
    gm_context_destroy(ctx);
    return done();
}
