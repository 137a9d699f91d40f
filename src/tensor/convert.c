/* SPDX-License-Identifier: MIT */
/* convert.c: element types, row by row.
 *
 * Rounding to an integer adds and subtracts 2^52: the sum has no room for a fraction, so that the addition rounds it, half to even (D. Knuth, TAOCP
 * vol. 2, 4.2.2, and any round-to-nearest machine). Dense rows of the common types have plain loops that a compiler turns into vectors; all others
 * go through a small buffer. */
#include "tensor/convert.h"

#define CHUNK 128

double gmi_round_even(double v)
{
    const double big = 4503599627370496.0; /* 2^52 */
    double r;
    if (!(v < big && v > -big)) return v;
    if (v >= 0) {
        r = v + big;
        return r - big;
    }
    r = v - big;
    return r + big;
}

static double clamp(double v, double lo, double hi)
{
    if (v != v) return 0;
    v = gmi_round_even(v);
    return v < lo ? lo : v > hi ? hi : v;
}

static int64_t real_to_i64(double v)
{
    if (v != v) return 0;
    if (v >= 9223372036854775808.0) return INT64_MAX;
    if (v <= -9223372036854775808.0) return INT64_MIN;
    return (int64_t)gmi_round_even(v);
}

/* The loops of one type: loads and stores by value, strides in bytes. memcpy keeps the compiler from assuming anything about aliasing. */
#define LOAD_LOOP(T, CARRIER)                                                                                                                        \
    for (int64_t i = 0; i < n; i++, from += stride) {                                                                                                \
        T x;                                                                                                                                         \
        memcpy(&x, from, sizeof x);                                                                                                                  \
        out[i] = (CARRIER)x;                                                                                                                         \
    }                                                                                                                                                \
    break
#define STORE_LOOP(T, EXPRESSION)                                                                                                                    \
    for (int64_t i = 0; i < n; i++, to += stride) {                                                                                                  \
        T x = (T)(EXPRESSION);                                                                                                                       \
        memcpy(to, &x, sizeof x);                                                                                                                    \
    }                                                                                                                                                \
    break

static void load_real(int64_t n, gm_dtype f, const char *from, int64_t stride, double *out)
{
    switch (f) {
    case GM_F32: LOAD_LOOP(float, double);
    case GM_F64: LOAD_LOOP(double, double);
    case GM_U8: LOAD_LOOP(uint8_t, double);
    case GM_I16: LOAD_LOOP(int16_t, double);
    case GM_I32: LOAD_LOOP(int32_t, double);
    default: LOAD_LOOP(int64_t, double);
    }
}

static void load_integer(int64_t n, gm_dtype f, const char *from, int64_t stride, int64_t *out)
{
    switch (f) {
    case GM_U8: LOAD_LOOP(uint8_t, int64_t);
    case GM_I16: LOAD_LOOP(int16_t, int64_t);
    case GM_I32: LOAD_LOOP(int32_t, int64_t);
    default: LOAD_LOOP(int64_t, int64_t);
    }
}

static void store_real(int64_t n, gm_dtype t, char *to, int64_t stride, const double *in)
{
    switch (t) {
    case GM_F32: STORE_LOOP(float, in[i]);
    case GM_F64: STORE_LOOP(double, in[i]);
    case GM_U8: STORE_LOOP(uint8_t, clamp(in[i], 0, 255));
    case GM_I16: STORE_LOOP(int16_t, clamp(in[i], -32768, 32767));
    case GM_I32: STORE_LOOP(int32_t, clamp(in[i], -2147483648.0, 2147483647.0));
    default: STORE_LOOP(int64_t, real_to_i64(in[i]));
    }
}

#define WITHIN(lo, hi) (in[i] < (lo) ? (lo) : in[i] > (hi) ? (hi) : in[i])
static void store_integer(int64_t n, gm_dtype t, char *to, int64_t stride, const int64_t *in)
{
    switch (t) {
    case GM_F32: STORE_LOOP(float, in[i]);
    case GM_F64: STORE_LOOP(double, in[i]);
    case GM_U8: STORE_LOOP(uint8_t, WITHIN(0, 255));
    case GM_I16: STORE_LOOP(int16_t, WITHIN(INT16_MIN, INT16_MAX));
    case GM_I32: STORE_LOOP(int32_t, WITHIN(INT32_MIN, INT32_MAX));
    default: STORE_LOOP(int64_t, in[i]);
    }
}

static void same_type(int64_t n, size_t size, char *to, int64_t to_stride, const char *from, int64_t from_stride)
{
    if (to_stride == (int64_t)size && from_stride == (int64_t)size) {
        memmove(to, from, (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy(to + i * to_stride, from + i * from_stride, size);
}

static int is_real(gm_dtype t)
{
    return t == GM_F32 || t == GM_F64;
}

void gmi_convert_row(int64_t n, gm_dtype t, char *to, int64_t to_stride, gm_dtype f, const char *from, int64_t from_stride)
{
    int64_t integers[CHUNK];
    double reals[CHUNK];
    if (n <= 0) return;
    if (t == f) {
        same_type(n, gmi_dtype_size(t), to, to_stride, from, from_stride);
        return;
    }
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = GMI_MIN(n - i, (int64_t)CHUNK);
        if (is_real(f)) {
            load_real(m, f, from + i * from_stride, from_stride, reals);
            store_real(m, t, to + i * to_stride, to_stride, reals);
        } else {
            load_integer(m, f, from + i * from_stride, from_stride, integers);
            store_integer(m, t, to + i * to_stride, to_stride, integers);
        }
    }
}

/* Blocks of a constant length on restricted pointers: compilers turn those into vectors already at -O2. from and out never overlap: out is the
 * compute buffer of a run. */
#define BLOCK 16
#define TO_REAL(NAME, T)                                                                                                                             \
    static void NAME(int64_t n, const T *restrict from, gmi_real scale, gmi_real shift, gmi_real *restrict out)                                      \
    {                                                                                                                                                \
        int64_t i = 0;                                                                                                                               \
        for (; i + BLOCK <= n; i += BLOCK)                                                                                                           \
            for (int j = 0; j < BLOCK; j++) {                                                                                                        \
                gmi_real product = (gmi_real)from[i + j] * scale;                                                                                    \
                out[i + j] = product + shift;                                                                                                        \
            }                                                                                                                                        \
        for (; i < n; i++) {                                                                                                                         \
            gmi_real product = (gmi_real)from[i] * scale;                                                                                            \
            out[i] = product + shift;                                                                                                                \
        }                                                                                                                                            \
    }
TO_REAL(u8_to_real, uint8_t)
TO_REAL(i16_to_real, int16_t)
TO_REAL(i32_to_real, int32_t)
TO_REAL(i64_to_real, int64_t)
TO_REAL(f32_to_real, float)
TO_REAL(f64_to_real, double)

static void dense_to_real(int64_t n, gm_dtype f, const void *from, gmi_real scale, gmi_real shift, gmi_real *out)
{
    switch (f) {
    case GM_U8: u8_to_real(n, from, scale, shift, out); break;
    case GM_I16: i16_to_real(n, from, scale, shift, out); break;
    case GM_I32: i32_to_real(n, from, scale, shift, out); break;
    case GM_F32: f32_to_real(n, from, scale, shift, out); break;
    case GM_F64: f64_to_real(n, from, scale, shift, out); break;
    default: i64_to_real(n, from, scale, shift, out);
    }
}

void gmi_row_to_real(int64_t n, gm_dtype f, const char *from, int64_t stride, gmi_real scale, gmi_real shift, gmi_real *out)
{
    int64_t packed[CHUNK], size = (int64_t)gmi_dtype_size(f);
    if (stride == size) {
        dense_to_real(n, f, from, scale, shift, out);
        return;
    }
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = GMI_MIN(n - i, (int64_t)CHUNK);
        same_type(m, (size_t)size, (char *)packed, size, from + i * stride, stride);
        dense_to_real(m, f, packed, scale, shift, out + i);
    }
}

/* What leaves the library most: real numbers as they are, and bytes. The byte is clamped first (NaN becomes 0), then rounded by adding 2^23 (2^52 for
 * doubles), as gmi_round_even does. */
static uint8_t to_byte(gmi_real v)
{
    const gmi_real big = sizeof(gmi_real) == 4 ? (gmi_real)8388608.0 : (gmi_real)4503599627370496.0;
    gmi_real r;
    v = v >= 0 ? v : 0;
    v = v < 255 ? v : 255;
    r = v + big;
    return (uint8_t)(int32_t)(r - big);
}

#define FROM_REAL(NAME, T, CONVERT)                                                                                                                  \
    static void NAME(int64_t n, T *restrict to, gmi_real scale, gmi_real shift, const gmi_real *restrict in)                                         \
    {                                                                                                                                                \
        int64_t i = 0;                                                                                                                               \
        for (; i + BLOCK <= n; i += BLOCK)                                                                                                           \
            for (int j = 0; j < BLOCK; j++) {                                                                                                        \
                gmi_real centred = in[i + j] - shift;                                                                                                \
                to[i + j] = CONVERT(centred / scale);                                                                                                \
            }                                                                                                                                        \
        for (; i < n; i++) {                                                                                                                         \
            gmi_real centred = in[i] - shift;                                                                                                        \
            to[i] = CONVERT(centred / scale);                                                                                                        \
        }                                                                                                                                            \
    }
FROM_REAL(real_to_f32, float, (float))
FROM_REAL(real_to_u8, uint8_t, to_byte)

void gmi_row_from_real(int64_t n, gm_dtype t, char *to, int64_t stride, gmi_real scale, gmi_real shift, const gmi_real *in)
{
    double reals[CHUNK];
    if (t == GM_F32 && stride == 4) {
        real_to_f32(n, (float *)(void *)to, scale, shift, in);
        return;
    }
    if (t == GM_U8 && stride == 1) {
        real_to_u8(n, (uint8_t *)to, scale, shift, in);
        return;
    }
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = GMI_MIN(n - i, (int64_t)CHUNK);
        for (int64_t j = 0; j < m; j++) {
            gmi_real centred = in[i + j] - shift;
            reals[j] = (double)(gmi_real)(centred / scale);
        }
        store_real(m, t, to + i * stride, stride, reals);
    }
}

/* The exponent bits are all ones: found by integers, so that no setting of the machine matters. */
static int finite_f32(int64_t n, const char *from, int64_t stride)
{
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t b;
        memcpy(&b, from + i * stride, sizeof b);
        bad |= (b & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

int gmi_row_finite(int64_t n, gm_dtype f, const char *from, int64_t stride)
{
    if (f == GM_F32) return finite_f32(n, from, stride);
    if (f != GM_F64) return 1;
    for (int64_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, from + i * stride, sizeof v);
        if (!gmi_f64_finite(v)) return 0;
    }
    return 1;
}
