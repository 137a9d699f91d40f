/* SPDX-License-Identifier: MIT */
/* test_wav.c: every sample format, plain and extensible, chunks in between; refused files and their messages; writing and its rounding; prefixes,
 * changes, failures. */
#include "format/wav.h"
#include "format_util.h"

static gm_context *ctx;

static uint8_t *put(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

/* A file: fmt of the given size (16, 18, 40), an odd chunk before the data when junk. */
static size_t make(int tag, int channels, int bits, uint32_t fmt, int junk, const void *data, uint32_t n, uint8_t *to)
{
    uint8_t *p = to + 12, *f;
    memcpy(to, "RIFF", 4);
    memcpy(to + 8, "WAVE", 4);
    if (junk) {
        memcpy(p, "LIST\3\0\0\0abc", 12);
        p += 12;
    }
    memcpy(p, "fmt ", 4);
    f = put(p + 4, fmt, 4);
    memset(f, 0, fmt);
    put(f, fmt >= 40 ? 0xfffe : (uint32_t)tag, 2);
    put(f + 2, (uint32_t)channels, 2);
    put(f + 4, 8000, 4);
    put(f + 8, (uint32_t)(8000 * channels * bits / 8), 4);
    put(f + 12, (uint32_t)(channels * bits / 8), 2);
    put(f + 14, (uint32_t)bits, 2);
    if (fmt >= 40) {
        put(f + 24, (uint32_t)tag, 2);
        memcpy(f + 26, "\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);
    }
    p = f + fmt;
    memcpy(p, "data", 4);
    p = put(p + 4, n, 4);
    memcpy(p, data, n);
    p += n;
    put(to + 4, (uint32_t)(p - to - 8), 4);
    return (size_t)(p - to);
}

static gm_tensor *load(gm_context *c, fu_source s, gmi_wav_info *f, gm_status *r)
{
    gm_tensor *t = NULL;
    gmi_in in;
    gmi_enter(c, "open_wav");
    *r = fu_open(c, &s, &in);
    if (!*r) *r = gmi_wav_read(c, &in, f, &t);
    gmi_in_close(&in);
    *r = gmi_leave(c, *r);
    return t;
}

static void test_read(void)
{
    static const struct {
        int tag, bits;
        const char *data;
        gm_dtype dtype;
        double want[4];
    } all[] = {{1, 8, "\x00\x80\xff\x01", GM_U8, {0, 128, 255, 1}},
               {1, 16, "\x01\x00\xff\xff\x00\x80\xff\x7f", GM_I16, {1, -1, -32768, 32767}},
               {1, 24, "\x01\x00\x00\xff\xff\xff\x00\x00\x80\xff\xff\x7f", GM_I32, {1, -1, -8388608, 8388607}},
               {1, 32, "\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x80\xff\xff\xff\x7f", GM_I32, {1, -1, -2147483648.0, 2147483647}},
               {3, 32, "\x00\x00\x80\x3f\x00\x00\x80\xbf\x00\x00\x00\x00\x00\x00\x00\x3f", GM_F32, {1, -1, 0, 0.5}}};
    static const uint32_t sizes[] = {16, 18, 40, 41, 64};
    uint8_t p[256];
    for (size_t k = 0; k < 5; k++)
        for (int mode = 0; mode < 20; mode++) {
            uint32_t fmt = sizes[mode % 5];
            int junk = mode / 5 % 2, wrong = 0;
            size_t n = make(all[k].tag, 2, all[k].bits, fmt == 41 ? 42 : fmt, junk, all[k].data, (uint32_t)(all[k].bits / 2), p);
            gmi_wav_info f;
            gm_status r;
            gm_tensor *t = load(ctx, fu_bytes(p, n, mode < 10 ? 0 : 5), &f, &r);
            wrong = !t || t->dtype != all[k].dtype || t->rank != 2 || t->dims[0] != 2 || t->dims[1] != 2 || f.rate != 8000 || f.channels != 2 ||
                f.bits != all[k].bits ||
                    f.is_float != (all[k].tag == 3) || f.frames != 2;
            for (int i = 0; !wrong && i < 4; i++) {
                double v = 0;
                if (t->dtype == GM_U8) v = ((uint8_t *)t->data)[i];
                if (t->dtype == GM_I16) v = ((int16_t *)t->data)[i];
                if (t->dtype == GM_I32) v = ((int32_t *)t->data)[i];
                if (t->dtype == GM_F32) v = (double)((float *)t->data)[i];
                wrong = v != all[k].want[i];
            }
            ok(!wrong, "format %d with %d bits, fmt of %d bytes, junk %d: %s", all[k].tag, all[k].bits, (int)fmt, junk, r ? gm_context_error(ctx)
               : "read");
            gm_tensor_destroy(t);
        }
    {   /* chunks behind the data, an odd fmt chunk, no frames, no info wanted */
        size_t n = make(1, 1, 16, 17, 0, "ab", 2, p);
        gm_status r;
        gm_tensor *t;
        memmove(p + 38, p + 37, n - 37);
        p[37] = 0;
        memcpy(p + n + 1, "LIST\0\0\0\0", 8);
        put(p + 4, (uint32_t)n + 1, 4);
        t = load(ctx, fu_bytes(p, n + 9, 0), NULL, &r);
        ok(t && t->dims[0] == 1 && ((int16_t *)t->data)[0] == 0x6261, "an odd fmt chunk, a chunk behind the data");
        gm_tensor_destroy(t);
        t = load(ctx, fu_bytes(p, make(1, 3, 24, 16, 0, "", 0, p), 0), NULL, &r);
        ok(t && t->dims[0] == 0 && t->dims[1] == 3, "no frames");
        gm_tensor_destroy(t);
    }
}

static void bad(const char *what, const uint8_t *p, size_t n, gm_status want, const char *says)
{
    uint64_t before = fu_now(ctx);
    gm_status r;
    for (size_t step = 0; step < 3; step += 2)
        ok(!load(ctx, fu_bytes(p, n, step), NULL, &r) && r == want && fu_says(ctx, "open_wav: wav: ") && (step || fu_says(ctx, says)) &&
           fu_now(ctx) == before, "%s: %s", what,
           gm_context_error(ctx));
}

static void test_refused(void)
{
    uint8_t p[256] = {0};
    size_t n;
#define MAKE(tag, ch, bits, fmt) n = make(tag, ch, bits, fmt, 0, "abcdefgh", 8, p)
    bad("empty", p, 0, GM_E_FORMAT, "cut short");
    MAKE(1, 1, 16, 16);
    p[3] = 'X';
    bad("RIFX", p, n, GM_E_FORMAT, "does not begin with RIFF");
    p[3] = 'F';
    p[8] = 'w';
    bad("no WAVE", p, n, GM_E_FORMAT, "does not begin with RIFF");
    MAKE(1, 1, 16, 16);
    p[4]++;
    {
        gm_status r;
        ok(!load(ctx, fu_bytes(p, n, 0), NULL, &r) && r == GM_E_FORMAT && fu_says(ctx, "passes the end"), "RIFF longer than the file");
    }
    put(p + 4, 3, 4);
    bad("RIFF of 3 bytes", p, n, GM_E_FORMAT, "passes the end");
    bad("RIFF alone", p, 12, GM_E_FORMAT, "passes the end");
    put(p + 4, 4, 4);
    bad("no chunk", p, 12, GM_E_FORMAT, "cut short");
    MAKE(2, 1, 16, 16);
    bad("ADPCM", p, n, GM_E_UNSUPPORTED, "format 2 with 16 bits");
    MAKE(1, 1, 12, 16);
    bad("12 bits", p, n, GM_E_UNSUPPORTED, "format 1 with 12 bits");
    MAKE(3, 1, 64, 16);
    bad("double", p, n, GM_E_UNSUPPORTED, "format 3 with 64 bits");
    MAKE(1, 0, 16, 16);
    bad("no channels", p, n, GM_E_FORMAT, "no channels");
    MAKE(1, 1, 16, 16);
    put(p + 24, 0, 4);
    bad("rate 0", p, n, GM_E_FORMAT, "rate");
    put(p + 24, 0x80000000u, 4);
    bad("rate 2^31", p, n, GM_E_FORMAT, "rate");
    MAKE(1, 2, 16, 16);
    p[32] = 2;
    bad("frame size", p, n, GM_E_FORMAT, "frame size");
    MAKE(1, 1, 16, 40);
    p[46] = 9;
    bad("another GUID", p, n, GM_E_FORMAT, "neither PCM nor float");
    MAKE(1, 1, 16, 18);
    put(p + 20, 0xfffe, 2);
    bad("extensible of 18 bytes", p, n, GM_E_FORMAT, "neither PCM nor float");
    MAKE(1, 1, 16, 16);
    p[16] = 14;
    bad("fmt of 14 bytes", p, n, GM_E_FORMAT, "at least 16");
    MAKE(1, 1, 16, 16);
    memcpy(p + 12, "fmx ", 4);
    bad("data before fmt", p, n, GM_E_FORMAT, "comes before");
    MAKE(1, 1, 16, 16);
    memmove(p + 36, p + 12, 24);
    put(p + 4, 52, 4);
    bad("fmt twice", p, 60, GM_E_FORMAT, "second \"fmt \"");
    MAKE(1, 3, 16, 16);
    bad("half a frame", p, n, GM_E_FORMAT, "not whole frames");
    MAKE(1, 1, 16, 16);
    p[40] = 200;
    bad("data past the end", p, n, GM_E_FORMAT, "passes the end");
    MAKE(1, 1, 16, 16);
    memcpy(p + 36, "junk\xff\xff\xff\xff", 8);
    bad("a chunk past the end", p, n, GM_E_FORMAT, "passes the end");
    MAKE(1, 1, 16, 16);
    memcpy(p + 36, "junk\7\0\0\0", 8);
    put(p + 4, 43, 4);
    bad("a chunk of odd size without its pad", p, 51, GM_E_FORMAT, "cut short");
    MAKE(1, 1, 16, 16);
    ctx->limits.tensor_bytes = 7;
    bad("limit", p, n, GM_E_LIMIT, "tensor_bytes");
    ctx->limits.tensor_bytes = 1 << 20;
}

static gm_status save(const gm_tensor *t, int32_t rate, fu_sink *k, size_t fail_at)
{
    gm_writer w = fu_writer(k);
    gmi_out o;
    gm_status s;
    k->fail_at = fail_at;
    gmi_enter(ctx, "save");
    s = gmi_out_open(ctx, &w, &o);
    return gmi_leave(ctx, gmi_out_close(&o, s ? s : gmi_wav_write(t, rate, &o)));
}

static void test_write(void)
{
    static const int64_t d5[1] = {8}, d22[2] = {2, 2}, d3[3] = {1, 1, 1}, none[2] = {4, 0}, wide[2] = {0, 40000}, many[2] = {0, 3},
        long1[1] = {50000};
    static const float f[8] = {0, 1, -1, 2, -INFINITY, 0.4f / 32767, 0.6f / 32767, -0.25f};
    static const double d[4] = {0.5, -0.5, 1e300, 1.0 / 32767};
    static const int16_t want[8] = {0, 32767, -32767, 32767, -32767, 0, 1, -8192}, want_d[4] = {16384, -16384, 32767, 1};
    gm_tensor *t, *u;
    gm_status r;
    fu_sink k;
    uint8_t p[64];
    ok(!gm_tensor_wrap_const(ctx, GM_F32, 1, d5, NULL, f, &t) && !save(t, 8000, &k, SIZE_MAX), "f32");
    u = load(ctx, fu_bytes(k.p, k.n, 0), NULL, &r);
    ok(u && u->dims[0] == 8 && u->dims[1] == 1 && !memcmp(u->data, want, sizeof want), "rounded to nearest even, clipped");
    gm_tensor_destroy(u);
    gm_tensor_destroy(t);
    free(k.p);
    ok(!gm_tensor_wrap_const(ctx, GM_F64, 2, d22, NULL, d, &t) && !save(t, 8000, &k, SIZE_MAX), "f64, two channels");
    u = load(ctx, fu_bytes(k.p, k.n, 3), NULL, &r);
    ok(u && u->dims[0] == 2 && u->dims[1] == 2 && !memcmp(u->data, want_d, sizeof want_d), "values");
    gm_tensor_destroy(u);
    gm_tensor_destroy(t);
    free(k.p);
    ok(!gm_tensor_wrap_const(ctx, GM_I16, 2, d22, NULL, want, &t) && !save(t, 8000, &k, SIZE_MAX), "i16");
    {
        uint8_t data[8];
        for (int i = 0; i < 4; i++) put(data + 2 * i, (uint16_t)want[i], 2);
        ok(k.n == make(1, 2, 16, 16, 0, data, 8, p) && !memcmp(k.p, p, k.n), "the bytes of the file");
    }
    free(k.p);
    ok(save(t, 0, &k, SIZE_MAX) == GM_E_SHAPE && save(t, INT32_MAX, &k, SIZE_MAX) == GM_E_SHAPE, "rates: %s", gm_context_error(ctx));
    ok(save(t, 8000, &k, 0) == GM_E_IO, "a write that fails");
    gm_tensor_destroy(t);
    {
        float bad_value[4] = {0, 0, NAN, 0};
        ok(!gm_tensor_wrap_const(ctx, GM_F32, 2, d22, NULL, bad_value, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_NONFINITE && ctx->where == 1,
           "NaN: %s", gm_context_error(ctx));
        gm_tensor_destroy(t);
        bad_value[0] = NAN;
        ok(!gm_tensor_wrap_const(ctx, GM_F32, 1, d3, NULL, bad_value, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_NONFINITE, "NaN: %s",
           gm_context_error(ctx));
        gm_tensor_destroy(t);
    }
    ok(!gm_tensor_create(ctx, GM_F32, 3, d3, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_SHAPE, "rank 3");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_U8, 1, d3, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_DTYPE, "u8");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_F32, 2, none, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_SHAPE, "no channels");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_F32, 2, wide, &t) && save(t, 8000, &k, SIZE_MAX) == GM_E_SHAPE, "40,000 channels");
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_F32, 2, many, &t) && save(t, 8000, &k, SIZE_MAX) == GM_OK && k.n == 44, "no frames");
    free(k.p);
    t->dims[0] = (int64_t)1 << 31; /* not that many elements: refused before any is read */
    ok(save(t, 8000, &k, SIZE_MAX) == GM_E_SHAPE, "more than 4 GiB");
    t->dims[0] = (int64_t)1 << 62;
    ok(save(t, 8000, &k, SIZE_MAX) == GM_E_SHAPE, "more than can be counted");
    t->dims[0] = 0;
    gm_tensor_destroy(t);
    ok(!gm_tensor_create(ctx, GM_I16, 1, long1, &t) && save(t, 8000, &k, 1000) == GM_E_IO, "a write that fails on the way");
    gm_tensor_destroy(t);
    free(k.p);
}

static void test_damage(void)
{
    uint8_t p[128], q[128];
    size_t n = make(1, 1, 16, 18, 1, "abcdefgh", 8, p);
    uint64_t before = fu_now(ctx);
    int wrong = 0;
    gm_status r;
    for (size_t k = 0; k < n; k++) wrong += load(ctx, fu_bytes(p, k, 0), NULL, &r) != NULL || load(ctx, fu_bytes(p, k, 3), NULL, &r) != NULL;
    is_int(wrong, 0, "every prefix is rejected");
    for (size_t i = 0; i < n; i++)
        for (int v = 0; v < 256; v++) {
            gm_tensor *t;
            memcpy(q, p, n);
            q[i] = (uint8_t)v;
            t = load(ctx, fu_bytes(q, n, (size_t)(v & 7)), NULL, &r);
            wrong += !t && r != GM_E_FORMAT && r != GM_E_UNSUPPORTED && r != GM_E_LIMIT;
            gm_tensor_destroy(t);
        }
    is_int(wrong, 0, "every change is read or rejected");
    for (size_t k = 0; k < n; k++) {
        fu_source s = fu_bytes(p, n, 4);
        s.fail_at = k;
        wrong += load(ctx, s, NULL, &r) != NULL || r != GM_E_IO;
    }
    is_int(wrong, 0, "a read that fails after any byte is GM_E_IO");
    ok(fu_now(ctx) == before, "nothing leaks");
    {
        fu_heap heap;
        gm_context *c = fu_context(&heap);
        for (long k = 1;; k++) {
            size_t now = heap.now;
            gm_tensor *t;
            heap.fail_at = heap.count + k;
            t = load(c, fu_bytes(p, n, 9), NULL, &r);
            heap.fail_at = 0;
            gm_tensor_destroy(t);
            if (t || r != GM_E_NOMEM || heap.now != now) {
                ok(t && heap.now == now && k > 2, "allocation failures 1 to %d", (int)k - 1);
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
