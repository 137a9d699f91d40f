/* SPDX-License-Identifier: MIT */
/* test_tensor.c: making, wrapping, views, lifetimes, copies between all types and strides against a slow reference, rows to and from the compute type. */
#include "tensor/convert.h"
#include "tensor/tensor.h"
#include "tap.h"

static size_t fail_at, calls;
static void *failing(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    (void)user;
    if (new_size && fail_at && ++calls >= fail_at) return NULL;
    if (new_size > (size_t)1 << 31) return NULL;
    return gmi_os_alloc(NULL, p, old_size, new_size, align);
}

static gm_context *context(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = failing;
    return gm_context_create(&o, &c) ? NULL : c;
}

static uint64_t in_use(gm_context *c)
{
    uint64_t now;
    gm_context_memory(c, &now, NULL);
    return now;
}

static void test_create(gm_context *c)
{
    int64_t dims[9] = {2, 3, 4, 1, 1, 1, 1, 1, 1}, huge[2] = {(int64_t)1 << 40, (int64_t)1 << 40}, hidden[3] = {0, (int64_t)1 << 40, (int64_t)1 << 40},
            negative[2] = {2, -1}, zero[2] = {0, 5};
    gm_tensor *t = (gm_tensor *)(void *)c;
    int sum = 0;
    ok(gm_tensor_create(c, GM_F32, 3, dims, &t) == GM_OK && t, "create");
    ok(gm_tensor_rank(t) == 3 && gm_tensor_dim(t, 1) == 3 && gm_tensor_dtype(t) == GM_F32 && gm_tensor_byte_stride(t, 0) == 48 &&
           gm_tensor_byte_stride(t, 2) == 4,
       "its shape");
    ok(gm_tensor_dim(t, 3) == -1 && gm_tensor_dim(t, -1) == -1 && gm_tensor_byte_stride(t, 9) == 0, "outside its rank");
    for (int i = 0; i < 24; i++) sum += ((float *)gm_tensor_data(t))[i] != 0;
    ok(!sum && (uintptr_t)gm_tensor_data(t) % 64 == 0 && gm_tensor_data(t) == gm_tensor_data_const(t), "zeros, aligned");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(c, GM_F64, 0, NULL, &t) == GM_OK && gmi_tensor_count(t) == 1, "rank 0 has one element");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(c, GM_U8, 2, zero, &t) == GM_OK && gmi_tensor_count(t) == 0 && gm_tensor_data(t), "no elements");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(c, GM_I64, 8, dims, &t) == GM_OK, "rank 8");
    gm_tensor_destroy(t);
    ok(gm_tensor_create(c, GM_I64, 9, dims, &t) == GM_E_SHAPE && !t && strstr(gm_context_error(c), "tensor_create: rank is 9"), "rank 9: %s",
       gm_context_error(c));
    ok(gm_tensor_create(c, GM_I64, -1, dims, &t) == GM_E_SHAPE, "rank -1");
    ok(gm_tensor_create(c, GM_U8, 2, huge, &t) == GM_E_SHAPE && gm_tensor_create(c, GM_U8, 3, hidden, &t) == GM_E_SHAPE, "too large: %s",
       gm_context_error(c));
    ok(gm_tensor_create(c, GM_U8, 2, negative, &t) == GM_E_SHAPE && strstr(gm_context_error(c), "[2,-1]"), "negative: %s", gm_context_error(c));
    ok(gm_tensor_create(c, 0, 1, dims, &t) == GM_E_DTYPE && gm_tensor_create(c, 7, 1, dims, &t) == GM_E_DTYPE, "unknown type");
    ok(gm_tensor_create(c, GM_F32, 2, NULL, &t) == GM_E_INVALID, "no dims");
    huge[0] = (int64_t)1 << 50; /* beyond any address space: no system promises it */
    huge[1] = 1;
    ok(gm_tensor_create(c, GM_F64, 2, huge, &t) == GM_E_NOMEM && !t, "8 PiB");
    gm_tensor_destroy(t);
}

static void test_nulls(gm_context *c)
{
    int64_t dims[1] = {1};
    float x;
    gm_tensor *t = NULL;
    ok(gm_tensor_create(NULL, GM_F32, 1, dims, &t) == GM_E_INVALID && gm_tensor_create(c, GM_F32, 1, dims, NULL) == GM_E_INVALID, "create");
    ok(gm_tensor_wrap(NULL, GM_F32, 1, dims, NULL, &x, &t) == GM_E_INVALID && gm_tensor_wrap(c, GM_F32, 1, dims, NULL, &x, NULL) == GM_E_INVALID, "wrap");
    ok(gm_tensor_wrap_const(NULL, GM_F32, 1, dims, NULL, &x, &t) == GM_E_INVALID, "wrap_const");
    ok(gm_tensor_rebind(NULL, &x) == GM_E_INVALID && gm_tensor_rebind_const(NULL, &x) == GM_E_INVALID, "rebind");
    ok(gm_tensor_slice(NULL, 0, 0, 1, &t) == GM_E_INVALID && gm_tensor_reshape(NULL, 1, dims, &t) == GM_E_INVALID, "views");
    ok(gm_tensor_copy(NULL, NULL) == GM_E_INVALID, "copy");
    gm_tensor_destroy(NULL);
    ok(!gm_tensor_data(NULL) && !gm_tensor_data_const(NULL) && gm_tensor_dim(NULL, 0) == -1 && gm_tensor_rank(NULL) == -1 && !gm_tensor_dtype(NULL) &&
           !gm_tensor_byte_stride(NULL, 0),
       "questions");
    is_text(gm_dtype_name(GM_I16), "i16", "names of types");
    is_text(gm_dtype_name(99), "unknown", "and of none");
}

static void test_wrap(gm_context *c)
{
    float x[64], y[64];
    int64_t dims[2] = {3, 4}, strides[2] = {-32, 8}, odd[2] = {16, 3}, zero[2] = {0, 4}, wild[2] = {INT64_MAX / 4 * 4, 4}, low[2] = {INT64_MIN, 4};
    gm_tensor *t = NULL, *v = NULL;
    for (int i = 0; i < 64; i++) x[i] = y[i] = (float)i;
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, NULL, x, &t) == GM_OK && gm_tensor_data(t) == x && gmi_tensor_dense(t), "dense");
    ok(gm_tensor_rebind(t, y) == GM_OK && gm_tensor_data(t) == y, "rebind");
    ok(gm_tensor_rebind_const(t, x) == GM_OK && !gm_tensor_data(t) && gm_tensor_data_const(t) == x, "rebind_const makes it read-only");
    ok(gm_tensor_rebind(t, y) == GM_OK && gm_tensor_data(t) == y, "and rebind writable");
    ok(gm_tensor_rebind(t, NULL) == GM_E_INVALID && gm_tensor_data(t) == y, "to NULL: refused, as before");
    ok(gm_tensor_rebind(t, (char *)y + 1) == GM_E_INVALID, "unaligned: %s", gm_context_error(c));
    ok(gm_tensor_slice(t, 0, 0, 1, &v) == GM_OK && gm_tensor_rebind(t, x) == GM_E_BUSY, "with a view: %s", gm_context_error(c));
    ok(gm_tensor_rebind(v, x) == GM_E_INVALID, "a view: %s", gm_context_error(c));
    gm_tensor_destroy(v);
    ok(gm_tensor_rebind(t, x) == GM_OK, "after the view went");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, strides, x + 40, &t) == GM_OK && !gmi_tensor_dense(t) && gm_tensor_byte_stride(t, 0) == -32, "negative strides");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, odd, x, &t) == GM_E_INVALID && !t, "strides that miss the elements: %s", gm_context_error(c));
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, zero, x, &t) == GM_E_INVALID, "an output that overlaps itself: %s", gm_context_error(c));
    ok(gm_tensor_wrap_const(c, GM_F32, 2, dims, zero, x, &t) == GM_OK && !gm_tensor_data(t), "an input may repeat");
    ok(gm_tensor_rebind(t, x) == GM_E_INVALID, "but not become an output");
    gm_tensor_destroy(t);
    ok(gm_tensor_wrap_const(c, GM_F32, 2, dims, wild, x, &t) == GM_E_SHAPE && gm_tensor_wrap_const(c, GM_F32, 2, dims, low, x, &t) == GM_E_SHAPE,
       "strides without end: %s", gm_context_error(c));
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, NULL, NULL, &t) == GM_E_INVALID, "NULL memory");
    dims[0] = 0;
    ok(gm_tensor_wrap(c, GM_F32, 2, dims, NULL, NULL, &t) == GM_OK, "NULL memory of no elements");
    gm_tensor_destroy(t);
}

static void test_views(gm_context *c)
{
    int64_t dims[3] = {4, 6, 5}, flat[1] = {120}, wrong[2] = {7, 17}, two[2] = {24, 5};
    gm_tensor *t = NULL, *s = NULL, *v = NULL, *w = NULL;
    int32_t *x;
    char text[64];
    must(gm_tensor_create(c, GM_I32, 3, dims, &t));
    x = gm_tensor_data(t);
    for (int32_t i = 0; i < 120; i++) x[i] = i;
    ok(gm_tensor_slice(t, 1, 2, 4, &s) == GM_OK && gm_tensor_dim(s, 1) == 2 && *(int32_t *)gm_tensor_data(s) == 10, "a slice in the middle");
    ok(!gmi_tensor_dense(s) && gm_tensor_reshape(s, 1, flat, &v) == GM_E_SHAPE, "is not dense: %s", gm_context_error(c));
    flat[0] = 40;
    ok(gm_tensor_reshape(s, 1, flat, &v) == GM_E_SHAPE && strstr(gm_context_error(c), "not dense"), "and cannot be reshaped: %s", gm_context_error(c));
    ok(gm_tensor_slice(s, 0, 1, 3, &v) == GM_OK && *(int32_t *)gm_tensor_data(v) == 40, "a slice of a slice");
    flat[0] = 120;
    ok(gm_tensor_reshape(t, 1, flat, &w) == GM_OK && gm_tensor_rank(w) == 1 && gm_tensor_data(w) == x, "reshape");
    gm_tensor_destroy(w);
    ok(gm_tensor_reshape(t, 2, wrong, &w) == GM_E_SHAPE && !w, "to another count: %s", gm_context_error(c));
    must(gm_tensor_slice(t, 0, 1, 3, &w));
    ok(gmi_tensor_dense(w), "a slice of rows is dense");
    gm_tensor_destroy(s);
    s = NULL;
    two[0] = 12;
    ok(gm_tensor_reshape(w, 2, two, &s) == GM_OK && *(int32_t *)gm_tensor_data(s) == 30, "and can be reshaped");
    gm_tensor_destroy(w);
    ok(gm_tensor_slice(t, 3, 0, 1, &w) == GM_E_RANGE && gm_tensor_slice(t, -1, 0, 1, &w) == GM_E_RANGE, "no such axis");
    ok(gm_tensor_slice(t, 0, 3, 5, &w) == GM_E_RANGE && gm_tensor_slice(t, 0, 2, 1, &w) == GM_E_RANGE && gm_tensor_slice(t, 0, -1, 1, &w) == GM_E_RANGE,
       "out of range: %s", gm_context_error(c));
    ok(gm_tensor_slice(t, 0, 4, 4, &w) == GM_OK && gmi_tensor_count(w) == 0 && gmi_tensor_dense(w), "an empty slice at the end");
    gm_tensor_destroy(w);
    gmi_tensor_describe(t, text, sizeof text);
    is_text(text, "[4,6,5] i32", "described");
    gm_tensor_destroy(t); /* the views keep it */
    ok(*(int32_t *)gm_tensor_data(v) == 40 && *(int32_t *)gm_tensor_data(s) == 30, "views outlive the handle");
    gm_tensor_destroy(v);
    gm_tensor_destroy(s);
}

static void test_lifetime(void)
{
    gm_context *c = context();
    int64_t dims[2] = {3, 3};
    gm_tensor *t = NULL, *v = NULL, *w = NULL;
    must(gm_tensor_create(c, GM_F32, 2, dims, &t));
    must(gm_tensor_slice(t, 0, 1, 2, &v));
    must(gm_tensor_slice(v, 1, 1, 2, &w));
    gm_context_destroy(c);
    gm_tensor_destroy(t);
    gm_tensor_destroy(v);
    *(float *)gm_tensor_data(w) = 5;
    ok(*(const float *)gm_tensor_data_const(w) == 5, "a view of a view, alone in the world");
    gm_tensor_destroy(w); /* frees all: checked by the sanitizer and valgrind builds */
}

static const gm_dtype types[6] = {GM_F32, GM_F64, GM_U8, GM_I16, GM_I32, GM_I64};

static double rounded(double v)
{
    double f = floor(v), d = v - f;
    return d > 0.5 || (d == 0.5 && fmod(f, 2) != 0) ? f + 1 : f;
}

static double limited(double v, double lo, double hi)
{
    if (v != v) return 0;
    v = rounded(v);
    return v < lo ? lo : v > hi ? hi : v;
}

/* What one element becomes, by the rules of the manual. Both as long double, which holds every int64_t (on x86). */
static long double convert(gm_dtype to, gm_dtype from, long double v)
{
    switch (to) {
    case GM_F32: return (float)v;
    case GM_F64: return (double)v;
    case GM_U8: return limited((double)v, 0, 255);
    case GM_I16: return limited((double)v, -32768, 32767);
    case GM_I32: return limited((double)v, -2147483648.0, 2147483647.0);
    default: return from == GM_F32 || from == GM_F64 ? limited((double)v, -9223372036854775808.0, 9223372036854775808.0) : v;
    }
}

/* Equal as the reference has it; 2^63 stands for INT64_MAX, which a double does not hold. */
static int agrees(gm_dtype to, long double got, long double want)
{
    if (to == GM_I64 && want >= 9223372036854775807.0L) return got >= 9223372036854775807.0L;
    return got == want || (got != got && want != want);
}

static void store(gm_dtype t, void *p, long double v)
{
    switch (t) {
    case GM_F32: *(float *)p = (float)v; break;
    case GM_F64: *(double *)p = (double)v; break;
    case GM_U8: *(uint8_t *)p = (uint8_t)v; break;
    case GM_I16: *(int16_t *)p = (int16_t)v; break;
    case GM_I32: *(int32_t *)p = (int32_t)v; break;
    default: *(int64_t *)p = (int64_t)v;
    }
}

static long double load(gm_dtype t, const void *p)
{
    switch (t) {
    case GM_F32: return *(const float *)p;
    case GM_F64: return *(const double *)p;
    case GM_U8: return *(const uint8_t *)p;
    case GM_I16: return *(const int16_t *)p;
    case GM_I32: return *(const int32_t *)p;
    default: return *(const int64_t *)p;
    }
}

static long double value_of(gm_dtype t, int i)
{
    static const double reals[] = {0,    -0.0, 0.5,   1.5,    2.5,     -0.5,    -1.5,   -2.5,      254.5,       255.5, 256,  -1,
                                   1e10, -1e10, 1e19, -1e19,  3e38,    INFINITY, -INFINITY, NAN,   0.49999997,  3.25,  -7.75, 32767.5,
                                   -32768.5, 2147483647.0, -2147483648.0, 9007199254740993.0, 4503599627370497.5, 16777217.0};
    static const int64_t whole[] = {0, 1, -1, 127, 255, 256, -32768, 32767, 40000, 2147483647, INT64_C(-2147483648), INT64_C(1) << 40, INT64_MAX, INT64_MIN,
                                    9007199254740993, 16777217, INT64_C(9007199791611905)};
    if (t == GM_F64) return reals[i % 30];
    if (t == GM_F32) return (float)reals[i % 30];
    if (t == GM_U8) return (uint8_t)(i * 37);
    if (t == GM_I16) return (int16_t)(i * 3001);
    if (t == GM_I32) return (int32_t)((uint32_t)i * 1234567891u);
    return (long double)whole[i % 17];
}

static void test_conversions(gm_context *c)
{
    int64_t n = 300;
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++) {
            gm_tensor *from = NULL, *to = NULL;
            int bad = 0;
            must(gm_tensor_create(c, types[a], 1, &n, &from));
            must(gm_tensor_create(c, types[b], 1, &n, &to));
            for (int i = 0; i < n; i++) store(types[a], (char *)gm_tensor_data(from) + (size_t)i * gmi_dtype_size(types[a]), value_of(types[a], i));
            if (gm_tensor_copy(to, from)) bad++;
            for (int i = 0; i < n; i++) {
                long double x = load(types[a], (const char *)gm_tensor_data_const(from) + (size_t)i * gmi_dtype_size(types[a]));
                long double want = convert(types[b], types[a], x), got = load(types[b], (const char *)gm_tensor_data_const(to) + (size_t)i * gmi_dtype_size(types[b]));
                if (!agrees(types[b], got, want)) {
                    if (!bad++) printf("# %Lg gave %Lg, wanted %Lg\n", x, got, want);
                }
            }
            if (sizeof(long double) > 8 || types[a] != GM_I64)
                is_int(bad, 0, "%s to %s", gm_dtype_name(types[a]), gm_dtype_name(types[b]));
            gm_tensor_destroy(from);
            gm_tensor_destroy(to);
        }
}

/* A wrapped tensor of given element strides in a block of memory: element (i, j, k) at base + ... */
static gm_tensor *strided(gm_context *c, gm_dtype t, const int64_t *dims, const int64_t *steps, void *base)
{
    int64_t strides[3];
    gm_tensor *out = NULL;
    for (int i = 0; i < 3; i++) strides[i] = steps[i] * (int64_t)gmi_dtype_size(t);
    return gm_tensor_wrap_const(c, t, 3, dims, strides, base, &out) ? NULL : out;
}

static void test_strides(gm_context *c)
{
    static const int64_t steps[][3] = {{20, 5, 1}, {1, 3, 12}, {-20, 5, 1}, {20, -5, 1}, {20, 5, -1}, {40, 10, 2}, {0, 5, 1}, {0, 0, 0}, {25, 5, 1}, {20, 1, 4}, {-1, -3, -12}};
    static int64_t memory[400];
    int64_t dims[3] = {3, 4, 5};
    for (size_t i = 0; i < 400; i++) memory[i] = (int64_t)i * 7;
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        gm_tensor *from = strided(c, GM_I64, dims, steps[s], memory + 150), *to = NULL;
        gmi_real real[60], scale = 0.5f, shift = -3;
        int bad = 0, at = 0;
        must(gm_tensor_create(c, GM_F32, 3, dims, &to));
        bad += gm_tensor_copy(to, from) != GM_OK;
        gmi_tensor_to_real(from, 0, 3, scale, shift, real);
        for (int64_t i = 0; i < 3; i++)
            for (int64_t j = 0; j < 4; j++)
                for (int64_t k = 0; k < 5; k++, at++) {
                    int64_t want = (150 + i * steps[s][0] + j * steps[s][1] + k * steps[s][2]) * 7;
                    bad += ((const float *)gm_tensor_data_const(to))[at] != (float)want;
                    bad += real[at] != (gmi_real)want * scale + shift;
                }
        gmi_tensor_to_real(from, 1, 2, 1, 0, real);
        bad += real[0] != (gmi_real)((150 + steps[s][0]) * 7) || real[19] != (gmi_real)((150 + steps[s][0] + 3 * steps[s][1] + 4 * steps[s][2]) * 7);
        is_int(bad, 0, "strides [%d,%d,%d]", (int)steps[s][0], (int)steps[s][1], (int)steps[s][2]);
        gm_tensor_destroy(from);
        gm_tensor_destroy(to);
    }
}

static void test_copy_rules(gm_context *c)
{
    int64_t dims[2] = {3, 4}, other[2] = {4, 3}, twelve[1] = {12}, reversed[1] = {-4}, overlapping[2] = {3, 3}, steps[2] = {4, 8};
    float x[16], y[12];
    gm_tensor *a = NULL, *b = NULL, *r = NULL;
    int bad = 0;
    for (int i = 0; i < 16; i++) x[i] = (float)i;
    must(gm_tensor_wrap(c, GM_F32, 2, dims, NULL, x, &a));
    must(gm_tensor_wrap_const(c, GM_F32, 2, dims, NULL, y, &b));
    ok(gm_tensor_copy(b, a) == GM_E_READONLY, "into read-only: %s", gm_context_error(c));
    gm_tensor_destroy(b);
    must(gm_tensor_wrap(c, GM_F32, 2, other, NULL, y, &b));
    ok(gm_tensor_copy(b, a) == GM_E_SHAPE, "other dims: %s", gm_context_error(c));
    gm_tensor_destroy(b);
    ok(gm_tensor_copy(a, NULL) == GM_E_INVALID && strstr(gm_context_error(c), "tensor_copy"), "NULL source: %s", gm_context_error(c));
    ok(gm_tensor_copy(a, a) == GM_OK && x[11] == 11, "onto itself");
    must(gm_tensor_reshape(a, 1, twelve, &b));
    must(gm_tensor_wrap_const(c, GM_F32, 1, twelve, reversed, x + 11, &r));
    ok(gm_tensor_copy(b, r) == GM_OK, "reversed onto itself");
    for (int i = 0; i < 12; i++) bad += x[i] != (float)(11 - i);
    is_int(bad, 0, "turns the elements round");
    gm_tensor_destroy(r);
    gm_tensor_destroy(b);
    gm_tensor_destroy(a);
    for (int i = 0; i < 16; i++) x[i] = (float)i;
    must(gm_tensor_wrap_const(c, GM_F32, 2, overlapping, steps, x, &a)); /* transposed view, over the destination */
    must(gm_tensor_wrap(c, GM_F32, 2, overlapping, NULL, x + 1, &b));
    ok(gm_tensor_copy(b, a) == GM_OK && x[1] == 0 && x[2] == 2 && x[3] == 4 && x[4] == 1 && x[9] == 6, "overlapping memory: as if by way of a third");
    gm_tensor_destroy(a);
    gm_tensor_destroy(b);
}

static void test_reals(gm_context *c)
{
    int64_t dims[3] = {37, 13, 11}, n = 37 * 13 * 11;
    for (int a = 0; a < 6; a++) {
        gm_tensor *t = NULL, *back = NULL, *column = NULL;
        gmi_real *real = gmi_alloc_n(c, n, sizeof *real), scale = 1.0f / 255, shift = 0.125f;
        int bad = 0;
        must(gm_tensor_create(c, types[a], 3, dims, &t));
        must(gm_tensor_create(c, types[a], 3, dims, &back));
        for (int i = 0; i < n; i++) store(types[a], (char *)gm_tensor_data(t) + (size_t)i * gmi_dtype_size(types[a]), i % 251);
        gmi_tensor_to_real(t, 0, 37, scale, shift, real);
        for (int i = 0; i < n; i++) {
            volatile gmi_real product = (gmi_real)(i % 251) * scale;
            bad += real[i] != product + shift;
        }
        is_int(bad, 0, "%s to real: product and sum rounded apart", gm_dtype_name(types[a]));
        gmi_tensor_from_real(back, 0, 37, scale, shift, real);
        for (int i = 0; i < n; i++) {
            long double v = load(types[a], (const char *)gm_tensor_data_const(back) + (size_t)i * gmi_dtype_size(types[a]));
            bad += types[a] <= GM_F64 ? fabsl(v - i % 251) > 1e-4 : v != i % 251;
        }
        is_int(bad, 0, "%s from real gives them back", gm_dtype_name(types[a]));
        must(gm_tensor_slice(t, 2, 4, 5, &column));
        gmi_tensor_to_real(column, 5, 9, 1, 0, real);
        for (int i = 0; i < 4 * 13; i++) bad += real[i] != (gmi_real)(((5 * 13 + i) * 11 + 4) % 251);
        is_int(bad, 0, "%s: rows 5 to 8 of a column", gm_dtype_name(types[a]));
        gmi_tensor_from_real(column, 5, 9, 1, 1, real);
        for (int i = 0; i < 4 * 13; i++) {
            long double v = load(types[a], (const char *)gm_tensor_data_const(t) + (size_t)((5 * 13 + i) * 11 + 4) * gmi_dtype_size(types[a]));
            long double want = real[i] - 1;
            if (types[a] == GM_U8 && want < 0) want = 0;
            bad += v != want;
        }
        is_int(bad, 0, "%s: and back into it", gm_dtype_name(types[a]));
        gm_tensor_destroy(column);
        gm_tensor_destroy(t);
        gm_tensor_destroy(back);
        gmi_free(c, real);
    }
}

static void test_rounding(void)
{
    gmi_real in[8] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 300, NAN, -7};
    uint8_t u[8];
    int16_t h[8];
    int64_t dims[1] = {8};
    gm_tensor t;
    gmi_tensor_view(&t, NULL, GM_U8, 1, dims, u);
    gmi_tensor_from_real(&t, 0, 8, 1, 0, in);
    ok(u[0] == 0 && u[1] == 2 && u[2] == 2 && u[3] == 0 && u[4] == 0 && u[5] == 255 && u[6] == 0 && u[7] == 0, "u8: nearest even, clamped, NaN is 0");
    {
        uint8_t apart[24]; /* the path for strided bytes, against the one for dense bytes */
        int64_t steps[1] = {3}, n = 1000;
        gm_tensor s;
        int bad = 0;
        for (int64_t i = 0; i < n; i += 8) {
            gmi_real many[8];
            for (int64_t j = 0; j < 8; j++) many[j] = (gmi_real)(i + j) * 0.25f - 3;
            gmi_tensor_view(&s, NULL, GM_U8, 1, dims, apart);
            s.strides[0] = steps[0];
            gmi_tensor_from_real(&s, 0, 8, 0.75f, 0.5f, many);
            gmi_tensor_from_real(&t, 0, 8, 0.75f, 0.5f, many);
            for (int j = 0; j < 8; j++) bad += apart[3 * j] != u[j];
        }
        is_int(bad, 0, "u8: dense and strided rows agree");
    }
    gmi_tensor_view(&t, NULL, GM_I16, 1, dims, h);
    gmi_tensor_from_real(&t, 0, 8, 1, 0, in);
    ok(h[3] == 0 && h[4] == -2 && h[5] == 300 && h[6] == 0 && h[7] == -7, "i16");
    {
        double reals[3] = {1e19, -1e19, 9223372036854774784.0};
        int64_t whole[3], three[1] = {3};
        gm_tensor from, to;
        gmi_tensor_view(&from, NULL, GM_F64, 1, three, reals);
        gmi_tensor_view(&to, NULL, GM_I64, 1, three, whole);
        gmi_convert_row(3, GM_I64, to.data, 8, GM_F64, from.data, 8);
        ok(whole[0] == INT64_MAX && whole[1] == INT64_MIN && whole[2] == INT64_MAX - 1023, "i64 at its ends");
    }
    ok(gmi_round_even(4503599627370495.5) == 4503599627370496.0 && gmi_round_even(-4503599627370495.5) == -4503599627370496.0 &&
           gmi_round_even(9007199254740993.0) == 9007199254740992.0 && gmi_round_even(1e300) == 1e300 && gmi_round_even(-INFINITY) == -INFINITY &&
           gmi_round_even(NAN) != gmi_round_even(NAN) && gmi_round_even(0.49999999999999994) == 0,
       "round_even at its edges");
}

static void test_nonfinite(gm_context *c)
{
    int64_t dims[2] = {50, 7}, scalar = 0;
    gm_tensor *t = NULL, *s = NULL;
    float *x, one = INFINITY;
    must(gm_tensor_create(c, GM_F32, 2, dims, &t));
    x = gm_tensor_data(t);
    for (int i = 0; i < 350; i++) x[i] = i % 3 ? 3.4028235e38f : 1e-45f;
    is_int(gmi_tensor_nonfinite_row(t, 0, 50), -1, "all finite");
    x[23 * 7 + 6] = NAN;
    x[31 * 7] = -INFINITY;
    is_int(gmi_tensor_nonfinite_row(t, 0, 50), 23, "the first bad row");
    is_int(gmi_tensor_nonfinite_row(t, 24, 50), 31, "in a part");
    is_int(gmi_tensor_nonfinite_row(t, 0, 23), -1, "before it");
    must(gm_tensor_slice(t, 1, 0, 6, &s));
    is_int(gmi_tensor_nonfinite_row(s, 0, 50), 31, "in a view without the column");
    gm_tensor_destroy(s);
    gm_tensor_destroy(t);
    (void)scalar;
    must(gm_tensor_wrap(c, GM_F32, 0, NULL, NULL, &one, &t));
    is_int(gmi_tensor_nonfinite_row(t, 0, 1), 0, "a scalar");
    gm_tensor_destroy(t);
    must(gm_tensor_create(c, GM_F64, 2, dims, &t));
    ((double *)gm_tensor_data(t))[349] = INFINITY;
    is_int(gmi_tensor_nonfinite_row(t, 0, 50), 49, "f64");
    gm_tensor_destroy(t);
}

static void test_no_memory(gm_context *c)
{
    int64_t dims[2] = {30, 40};
    uint64_t before = in_use(c);
    int good = 1, through = 0;
    for (size_t n = 1; n < 20 && !through; n++) {
        gm_tensor *t = NULL, *v = NULL, *w = NULL;
        gm_status s;
        calls = 0;
        fail_at = n;
        s = gm_tensor_create(c, GM_F32, 2, dims, &t);
        if (!s) s = gm_tensor_slice(t, 0, 1, 20, &v);
        if (!s) s = gm_tensor_slice(t, 0, 2, 21, &w);
        if (!s) s = gm_tensor_copy(v, w);
        fail_at = 0;
        through = s == GM_OK;
        if (s != GM_OK && (s != GM_E_NOMEM || !gm_context_error(c)[0])) good = 0;
        gm_tensor_destroy(t);
        gm_tensor_destroy(v);
        gm_tensor_destroy(w);
        if (in_use(c) != before) good = 0;
    }
    ok(good && through, "each allocation failing in turn");
    {
        gm_tensor *t = NULL;
        float x[2] = {1, 2};
        size_t count;
        int64_t two = 2;
        must(gm_tensor_wrap(c, GM_F32, 1, &two, NULL, x, &t));
        count = c->alloc_count;
        for (int i = 0; i < 10; i++) good = good && gm_tensor_rebind(t, x) == GM_OK;
        ok(good && c->alloc_count == count, "rebind allocates nothing");
        gm_tensor_destroy(t);
    }
}

int main(void)
{
    gm_context *c = context();
    if (!ok(c != NULL, "context")) return done();
    test_create(c);
    test_nulls(c);
    test_wrap(c);
    test_views(c);
    test_lifetime();
    test_conversions(c);
    test_strides(c);
    test_copy_rules(c);
    test_reals(c);
    test_rounding();
    test_nonfinite(c);
    test_no_memory(c);
    is_int(in_use(c), sizeof(gm_context), "nothing left");
    gm_context_destroy(c);
    return done();
}
