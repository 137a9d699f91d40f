/* SPDX-License-Identifier: MIT */
/* test_npy.c: headers of all versions, wrong headers with their message, every element type in both byte orders and both memory orders, files of
 * NumPy itself, the bytes that are written, strided tensors, prefixes, pipes, memory, failures. */
#include "format/npy.h"
#include "format_util.h"

static gm_context *ctx;

static size_t make(int version, const char *dict, const void *data, size_t n, uint8_t *to)
{
    size_t d = strlen(dict), at = version == 1 ? 10 : 12;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (uint8_t)version;
    to[7] = 0;
    for (size_t i = 8; i < at; i++) to[i] = (uint8_t)(d >> (8 * (i - 8)));
    memcpy(to + at, dict, d);
    if (n) memcpy(to + at + d, data, n);
    return at + d + n;
}

static gm_tensor *load(gm_context *c, fu_source s, gm_status *r)
{
    gm_reader reader = fu_reader(&s);
    gm_tensor *t = NULL;
    *r = gm_tensor_read_npy(c, &reader, &t);
    return t;
}

static void bad_bytes(const char *what, const void *p, size_t n, gm_status want, const char *says)
{
    for (size_t step = 0; step < 6; step += 5) {
        uint64_t before = fu_now(ctx);
        gm_status r;
        gm_tensor *t = load(ctx, fu_bytes(p, n, step), &r);
        ok(r == want && !t && fu_says(ctx, "tensor_read_npy: npy: ") && fu_says(ctx, says) && fu_now(ctx) == before && ctx->where >= -1, "%s: %s",
           what,
           gm_context_error(ctx));
    }
}

static void bad(const char *dict, gm_status want, const char *says)
{
    uint8_t p[512];
    bad_bytes(dict, p, make(1, dict, "abcdefghijklmnop", 4, p), want, says);
}

static void test_headers(void)
{
    uint8_t p[512];
    bad_bytes("empty", "", 0, GM_E_FORMAT, "cut short");
    bad_bytes("another format", "PK\3\4abcdefgh", 12, GM_E_FORMAT, "does not begin");
    make(1, "", "", 0, p);
    p[6] = 4;
    bad_bytes("version 4", p, 16, GM_E_VERSION, "version 4.0");
    p[6] = 0;
    bad_bytes("version 0", p, 16, GM_E_VERSION, "version 0.0");
    p[6] = 1;
    p[7] = 1;
    bad_bytes("version 1.1", p, 16, GM_E_VERSION, "version 1.1");
    memcpy(p, "\x93NUMPY\2\0\1\0\1\0", 12);
    bad_bytes("header of 65,537 bytes", p, 12, GM_E_LIMIT, "the limit is 65536");
    memcpy(p, "\x93NUMPY\1\0\xff\xff{", 11);
    {
        gm_status r;
        ok(!load(ctx, fu_bytes(p, 11, 0), &r) && r == GM_E_FORMAT && fu_says(ctx, "past the end"), "header past the end, memory");
        ok(!load(ctx, fu_bytes(p, 11, 3), &r) && r == GM_E_FORMAT && fu_says(ctx, "cut short"), "header past the end, pipe");
    }
    bad("", GM_E_FORMAT, "'{' was expected");
    bad("{", GM_E_FORMAT, "a key in quotes");
    bad("{}", GM_E_FORMAT, "is missing");
    bad("{'descr': '<f4', 'shape': (1,)}", GM_E_FORMAT, "is missing");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", GM_E_FORMAT, "none of");
    bad("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", GM_E_FORMAT, "twice");
    bad("{'descr' '<f4'}", GM_E_FORMAT, "':' was expected");
    bad("{'descr': '<f4' 'fortran_order': False}", GM_E_FORMAT, "',' or '}'");
    bad("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", GM_E_FORMAT, "structured");
    bad("{'descr': '<f4", GM_E_FORMAT, "structured");
    bad("{'descr': '<f\\x34', 'fortran_order': False, 'shape': (1,)}", GM_E_FORMAT, "structured");
    bad("{'descr': '=f4', 'fortran_order': False, 'shape': (1,)}", GM_E_FORMAT, "byte order");
    bad("{'descr': '|f4', 'fortran_order': False, 'shape': (1,)}", GM_E_FORMAT, "byte order");
    bad("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "astype");
    bad("{'descr': '<U10', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "astype");
    bad("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "<c8");
    bad("{'descr': '<hA', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "<hA");
    bad("{'descr': '<i/', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "<i/");
    bad("{'descr': '<\xff" "1', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "none of b1");
    bad("{'descr': '<i3', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "<i3");
    bad("{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}", GM_E_UNSUPPORTED, "<u8");
    bad("{'descr': '<f4', 'fortran_order': false, 'shape': (1,)}", GM_E_FORMAT, "neither True nor False");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", GM_E_FORMAT, "not a tuple");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", GM_E_FORMAT, "(n,)");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", GM_E_FORMAT, "',' or ')'");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", GM_E_FORMAT, "not a number");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", GM_E_FORMAT, "not a number");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (:,)}", GM_E_FORMAT, "not a number");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (1", GM_E_FORMAT, "',' or ')'");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", GM_E_FORMAT, "63 bits");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", GM_E_LIMIT, "more than 8");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 2)}", GM_E_FORMAT, "more elements than can be counted");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", GM_E_FORMAT, "more bytes than can be counted");
    bad("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}", GM_E_FORMAT, "more bytes than can be counted");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", GM_E_FORMAT, "cut short");
    for (size_t claim = 0; claim < 2; claim++) { /* a source that gives less than it says */
        size_t n = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "abcdefgh", 8, p);
        fu_source s = fu_bytes(p, n - claim, 3);
        gm_status r;
        gm_tensor *t;
        s.claim = n;
        t = load(ctx, s, &r);
        ok(claim ? !t && r == GM_E_FORMAT && fu_says(ctx, "npy: the file is cut short: it ends at byte") : t != NULL, "a claim of %d bytes more",
           (int)claim);
        gm_tensor_destroy(t);
    }
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': ()}x", GM_E_FORMAT, "something follows");
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n\n", GM_E_FORMAT, "something follows");
    bad("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", GM_E_FORMAT, "after the last element");
    ctx->limits.tensor_bytes = 3;
    bad("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", GM_E_LIMIT, "tensor_bytes is 3");
    ctx->limits.tensor_bytes = 1 << 30;
    ctx->limits.rank = 1;
    bad("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)}", GM_E_LIMIT, "2 dimensions, the limit is 1");
    ctx->limits.rank = 8;
}

static void test_shapes(void)
{
    static const char *const dicts[] = {
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }    \n", "{\"shape\":(2L,2L),\"descr\":\"<u1\",\"fortran_order\":True}",
        "  { 'shape' : ( 2 , 2 ) , 'fortran_order' : False , 'descr' : '>u1' }\n   ", "{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 1, 1, 1, 1, 1, 1)}\n"};
    static const int32_t rank[] = {2, 2, 2, 1, 8};
    uint8_t p[512];
    gm_status r;
    gm_tensor *t;
    for (int i = 0; i < 15; i++) {
        size_t n = make(i / 5 + 1, dicts[i % 5], "\1\2\3\4", 4, p);
        for (size_t step = 0; step < 3; step += 2) {
            t = load(ctx, fu_bytes(p, n, step), &r);
            ok(t && gm_tensor_rank(t) == rank[i % 5] && gm_tensor_dtype(t) == GM_U8 && !memcmp(t->data, i % 5 == 1 ? "\1\3\2\4" : "\1\2\3\4", 4),
               "version %d, %s", i / 5 + 1, dicts[i % 5]);
            gm_tensor_destroy(t);
        }
    }
    t = load(ctx, fu_bytes(p, make(1, "{'descr': '>i2', 'fortran_order': True, 'shape': ()}", "\1\2", 2, p), 0), &r);
    ok(t && gm_tensor_rank(t) == 0 && *(int16_t *)t->data == 258, "a scalar");
    gm_tensor_destroy(t);
    t = load(ctx, fu_bytes(p, make(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 5)}", "", 0, p), 0), &r);
    ok(t && gm_tensor_dim(t, 0) == 0 && gm_tensor_dim(t, 1) == 5, "an empty array");
    gm_tensor_destroy(t);
}

/* Value k of the test, as its bytes in the file. */
static void element(const char *type, int big, int k, uint8_t *to)
{
    int width = type[1] - '0';
    uint64_t u = (uint64_t)(int64_t)(k * 37 - 60);
    if (type[0] == 'f') {
        static const uint16_t half[4] = {0x3c00, 0xc000, 0x8001, 0x7bff};
        float f = (float)k * 1.25f - 3;
        double d = (double)k * 1.25 - 3;
        uint32_t w;
        if (width == 2) u = half[k % 4];
        if (width == 4) memcpy(&w, &f, 4), u = w;
        if (width == 8) memcpy(&u, &d, 8);
    }
    if (type[0] == 'b') u = (uint64_t)(k % 3);
    for (int i = 0; i < width; i++) to[big ? width - 1 - i : i] = (uint8_t)(u >> (8 * i));
}

static double value(const char *type, int k)
{
    static const double half[4] = {1, -2, -5.9604644775390625e-8, 65504};
    int v = k * 37 - 60;
    if (type[0] == 'b') return k % 3 != 0;
    if (type[0] == 'f') return type[1] == '2' ? half[k % 4] : k * 1.25 - 3;
    if (type[1] == '1') return type[0] == 'u' ? (uint8_t)v : (int8_t)v;
    if (type[0] == 'u') return type[1] == '2' ? (double)(uint16_t)v : (double)(uint32_t)v;
    return type[1] == '2' ? (int16_t)v : v;
}

static double at(const gm_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case GM_F32: return (double)((float *)t->data)[i];
    case GM_F64: return ((double *)t->data)[i];
    case GM_U8: return ((uint8_t *)t->data)[i];
    case GM_I16: return ((int16_t *)t->data)[i];
    case GM_I32: return ((int32_t *)t->data)[i];
    default: return (double)((int64_t *)t->data)[i];
    }
}

static void test_types(void)
{
    static const char *const types[] = {"b1", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "f2", "f4", "f8"};
    static const gm_dtype want[] = {GM_U8, GM_U8, GM_I16, GM_I16, GM_I32, GM_I32, GM_I64, GM_I64, GM_F32, GM_F32, GM_F64};
    static uint8_t data[60 * 8], p[1024];
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        for (int mode = 0; mode < 8; mode++) {
            int big = mode & 1, fortran = mode >> 1 & 1, width = types[k][1] - '0', wrong = 0;
            char dict[128];
            gm_status r;
            gm_tensor *t;
            for (int i = 0; i < 60; i++) element(types[k], big, i, data + i * width);
            snprintf(dict, sizeof dict, "{'descr': '%c%s', 'fortran_order': %s, 'shape': (3, 4, 5)}\n", big ? '>' : '<', types[k], fortran ? "True"
                     : "False");
            t = load(ctx, fu_bytes(p, make(1, dict, data, (size_t)(60 * width), p), mode & 4 ? 17 : 0), &r);
            for (int a = 0; t && a < 3; a++)
                for (int b = 0; b < 4; b++)
                    for (int c = 0; c < 5; c++) wrong += at(t, (a * 4 + b) * 5 + c) != value(types[k], fortran ? a + 3 * b + 12 * c
                                                                                             : (a * 4 + b) * 5 + c);
            ok(t && t->dtype == want[k] && !wrong, "%s%s%s", dict, mode & 4 ? "pipe" : "memory", t ? "" : gm_context_error(ctx));
            gm_tensor_destroy(t);
        }
}

/* Larger than a block, so that blocks meet. */
static void test_large(void)
{
    static const int64_t dims[2] = {127, 301};
    size_t n = 127 * 301, head;
    uint8_t *p = malloc(128 + 8 * n);
    for (int fortran = 0; fortran < 2; fortran++)
        for (size_t step = 0; step < 5001; step += 5000) {
            char dict[128];
            gm_status r;
            gm_tensor *t;
            int wrong = 0;
            snprintf(dict, sizeof dict, "{'descr': '<i4', 'fortran_order': %s, 'shape': (127, 301)}\n", fortran ? "True" : "False");
            head = make(1, dict, "", 0, p);
            for (size_t i = 0; i < n; i++)
                for (int b = 0; b < 4; b++) p[head + 4 * i + (size_t)b] = (uint8_t)(i >> (8 * b));
            t = load(ctx, fu_bytes(p, head + 4 * n, step), &r);
            for (int64_t a = 0; t && a < dims[0]; a++)
                for (int64_t b = 0; b < dims[1]; b++) wrong += ((int32_t *)t->data)[a * 301 + b] != (fortran ? a + 127 * b : a * 301 + b);
            ok(t && !wrong, "38,227 elements, fortran %d, step %d", fortran, (int)step);
            gm_tensor_destroy(t);
        }
    free(p);
}

/* np.save(f, np.arange(6, dtype='<i2').reshape(2, 3)) and np.save(f, np.asfortranarray(np.arange(4, dtype='>f4').reshape(2, 2))), NumPy 2.4 */
static void test_numpy(void)
{
    static const char head[] = "\x93NUMPY\1\0v\0{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
    uint8_t p[256], out[256];
    gm_status r;
    gm_tensor *t;
    gm_writer w;
    memset(p, ' ', sizeof p);
    memcpy(p, head, sizeof head - 1);
    p[127] = '\n';
    memcpy(p + 128, "\0\0\1\0\2\0\3\0\4\0\5\0", 12);
    t = load(ctx, fu_bytes(p, 140, 0), &r);
    ok(t && t->rank == 2 && t->dims[1] == 3 && ((int16_t *)t->data)[5] == 5, "a file of NumPy");
    gm_writer_init(&w, sizeof w);
    w.memory = out;
    w.capacity = sizeof out;
    ok(t && gm_tensor_write_npy(t, &w) == GM_OK && w.used == 140 && !memcmp(out, p, 140), "and the same bytes written");
    w.capacity = 100;
    ok(t && gm_tensor_write_npy(t, &w) == GM_E_LIMIT && w.used == 140, "memory that is too small says how much is needed");
    gm_tensor_destroy(t);
}

static void same(gm_tensor *t, const char *header)
{
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_status r;
    gm_tensor *u;
    int64_t wrong = 0, n = gmi_tensor_count(t);
    char text[128];
    gmi_tensor_describe(t, text, sizeof text);
    ok(gm_tensor_write_npy(t, &w) == GM_OK && k.n % 64 == (size_t)n * gmi_dtype_size(t->dtype) % 64, "%s is written, the data aligned to 64", text);
    ok(strstr((char *)k.p + 10, header) == (char *)k.p + 10, "with the header %s", header);
    u = load(ctx, fu_bytes(k.p, k.n, 0), &r);
    ok(u && u->rank == t->rank && u->dtype == t->dtype && !memcmp(u->dims, t->dims, (size_t)t->rank * 8), "and read");
    if (u) {
        gm_tensor *d = NULL;
        ok(gm_tensor_create(ctx, t->dtype, t->rank, t->dims, &d) == GM_OK && gm_tensor_copy(d, t) == GM_OK, "dense copy");
        wrong = memcmp(d->data, u->data, (size_t)n * gmi_dtype_size(t->dtype));
        gm_tensor_destroy(d);
    }
    ok(u && !wrong, "with the same elements");
    gm_tensor_destroy(u);
    free(k.p);
}

static void test_write(void)
{
    static const int64_t dims[3] = {2, 3, 4}, strides[3] = {96, 8, 24}, huge[8] = {1, 1, 1, 1, 1, 1, 1, 1}, zero[2] = {0, 7};
    static const char *const type[] = {"", "<f4", "<f8", "|u1", "<i2", "<i4", "<i8"};
    double host[30];
    gm_tensor *t;
    char header[128];
    for (int i = 0; i < 30; i++) host[i] = i * 0.5;
    for (gm_dtype d = GM_F32; d <= GM_I64; d++) {
        ok(gm_tensor_create(ctx, d, 3, dims, &t) == GM_OK, "a tensor");
        for (size_t i = 0; i < 24 * gmi_dtype_size(d); i++) ((uint8_t *)t->data)[i] = (uint8_t)(i * 7 % 101);
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3, 4), }", type[d]);
        same(t, header);
        gm_tensor_destroy(t);
    }
    ok(gm_tensor_wrap(ctx, GM_F64, 3, dims, strides, host, &t) == GM_OK, "a strided tensor");
    same(t, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 4), }");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap(ctx, GM_F64, 0, NULL, NULL, host + 1, &t) == GM_OK, "a scalar");
    same(t, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap(ctx, GM_F64, 1, dims, NULL, host, &t) == GM_OK, "a vector");
    same(t, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap(ctx, GM_F64, 8, huge, NULL, host, &t) == GM_OK, "rank 8");
    same(t, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1), }");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(ctx, GM_F32, 2, zero, &t) == GM_OK, "an empty tensor");
    same(t, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }");
    gm_tensor_destroy(t);
}

static void test_nan(void)
{
    static const int64_t one[1] = {1};
    uint32_t a = 0xffc12345u;
    uint64_t b = 0xfff0000000000001ull;
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t;
    ok(gm_tensor_create(ctx, GM_F32, 1, one, &t) == GM_OK, "f32");
    memcpy(t->data, &a, 4);
    ok(gm_tensor_write_npy(t, &w) == GM_OK && !memcmp(k.p + k.n - 4, "\0\0\xc0\x7f", 4), "NaN is canonical");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(ctx, GM_F64, 1, one, &t) == GM_OK, "f64");
    memcpy(t->data, &b, 8);
    ok(gm_tensor_write_npy(t, &w) == GM_OK && !memcmp(k.p + k.n - 8, "\0\0\0\0\0\0\xf8\x7f", 8), "also in double");
    gm_tensor_destroy(t);
    free(k.p);
}

static void test_damage(void)
{
    static const int64_t dims[2] = {2, 3};
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t;
    gm_status r;
    int wrong = 0;
    uint64_t before;
    ok(gm_tensor_create(ctx, GM_I16, 2, dims, &t) == GM_OK && gm_tensor_write_npy(t, &w) == GM_OK, "a small file");
    gm_tensor_destroy(t);
    before = fu_now(ctx);
    for (size_t n = 0; n < k.n; n++) wrong += load(ctx, fu_bytes(k.p, n, 0), &r) != NULL || load(ctx, fu_bytes(k.p, n, 9), &r) != NULL;
    is_int(wrong, 0, "every prefix is rejected");
    for (size_t i = 0; i < k.n - 12; i++) { /* the header: rejected, or another valid array of 12 bytes */
        uint8_t old = k.p[i];
        for (int v = 0; v < 256; v++) {
            k.p[i] = (uint8_t)v;
            t = load(ctx, fu_bytes(k.p, k.n, 0), &r);
            if (t && gmi_tensor_count(t) != 6 && gmi_tensor_count(t) != 12) wrong++;
            gm_tensor_destroy(t);
        }
        k.p[i] = old;
    }
    is_int(wrong, 0, "every single-byte change of the header is rejected or a valid array");
    ok(fu_now(ctx) == before, "nothing leaks");
    for (size_t n = 0; n <= k.n; n++) {
        fu_source s = fu_bytes(k.p, k.n, 4);
        s.fail_at = n;
        wrong += load(ctx, s, &r) != NULL || r != GM_E_IO;
    }
    is_int(wrong, 0, "a read that fails after any byte is GM_E_IO");
    free(k.p);
}

static void test_failures(void)
{
    static const int64_t dims[2] = {2000, 3}, small[1] = {2};
    fu_heap heap;
    gm_context *c = fu_context(&heap);
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t = NULL;
    gm_status r;
    ok(gm_tensor_create(c, GM_F64, 2, dims, &t) == GM_OK && gm_tensor_write_npy(t, &w) == GM_OK, "48,000 bytes");
    heap.fail_at = heap.count + 1;
    ok(gm_tensor_write_npy(t, &w) == GM_E_NOMEM, "writing without memory");
    heap.fail_at = 0;
    k.fail_at = 0;
    ok(gm_tensor_write_npy(t, &w) == GM_E_IO, "a write that fails");
    gm_tensor_destroy(t);
    k.fail_at = SIZE_MAX;
    for (size_t step = 0; step < 3001; step += 3000)
        for (long n = 1;; n++) {
            size_t before = heap.now;
            heap.fail_at = heap.count + n;
            t = load(c, fu_bytes(k.p + k.n - 48128, 48128, step), &r);
            heap.fail_at = 0;
            if (t || r != GM_E_NOMEM || heap.now != before) {
                ok(t && n > 3, "allocation failures 1 to %d, step %d", (int)n - 1, (int)step);
                gm_tensor_destroy(t);
                ok(heap.now == before, "nothing leaks");
                break;
            }
        }
    {   /* a header that claims 1 TiB costs no memory, whatever the source */
        uint8_t p[256];
        size_t n = make(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (137438953472,)}", "12345678", 8, p), before = heap.now;
        c->limits.tensor_bytes = UINT64_MAX;
        heap.peak = heap.now;
        ok(!load(c, fu_bytes(p, n, 0), &r) && r == GM_E_FORMAT && heap.peak - before < 65536, "1 TiB claimed, memory");
        ok(!load(c, fu_bytes(p, n, 5), &r) && r == GM_E_FORMAT && heap.peak - before < 65536 + 33000, "1 TiB claimed, pipe");
    }
    ok(gm_tensor_read_npy(NULL, NULL, &t) == GM_E_INVALID && gm_tensor_write_npy(NULL, &w) == GM_E_INVALID, "no context, no tensor");
    {
        gm_reader none;
        gm_reader_init(&none, sizeof none);
        ok(gm_tensor_read_npy(c, NULL, &t) == GM_E_INVALID && fu_says(c, "r is NULL"), "no reader");
        ok(gm_tensor_read_npy(c, &none, NULL) == GM_E_INVALID && fu_says(c, "out is NULL"), "no out");
        ok(gm_tensor_read_npy(c, &none, &t) == GM_E_INVALID && !t, "an empty reader");
    }
    ok(gm_tensor_create(c, GM_F64, 1, small, &t) == GM_OK && gm_tensor_write_npy(t, NULL) == GM_E_INVALID, "no writer");
    {
        gmi_out o = fu_failed(c);
        ok(gmi_npy_write(t, &o) == GM_E_IO, "an output that has failed");
    }
    gm_tensor_destroy(t);
    free(k.p);
    gm_context_destroy(c);
}

int main(void)
{
    ctx = fu_context(NULL);
    ctx->limits.tensor_bytes = 1 << 30;
    test_headers();
    test_shapes();
    test_types();
    test_large();
    test_numpy();
    test_write();
    test_nan();
    test_damage();
    test_failures();
    gm_context_destroy(ctx);
    return done();
}
