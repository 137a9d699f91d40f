/* SPDX-License-Identifier: MIT */
/* simd_scalar.h: the reference level of simd.h, one lane of gmi_real. Include simd.h, not this file.
 *
 * In the oracle build gmi_real is double: sqrt stays exact where the machine has it, and vf_fma is a*b + c with two roundings (1e-16 is far below what the
 * oracle is asked for). */
#define GMI_W 1
#define GMI_WD 1
#define GMI_ND 1

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#include "kernels/fma_soft.h"

typedef gmi_real vf;
typedef double vd;
typedef int32_t vm;
typedef int32_t vdm;
typedef uint32_t vi;
#ifdef GMI_ORACLE
typedef uint64_t gmi_real_bits;
#else
typedef uint32_t gmi_real_bits;
#endif

GMI_INLINE uint64_t gmi_u64_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
GMI_INLINE double gmi_f64_of(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
GMI_INLINE gmi_real_bits gmi_bits_of(gmi_real x)
{
    gmi_real_bits u;
    memcpy(&u, &x, sizeof u);
    return u;
}
GMI_INLINE gmi_real gmi_real_of(gmi_real_bits u)
{
    gmi_real x;
    memcpy(&x, &u, sizeof x);
    return x;
}
#define GMI_SIGN ((gmi_real_bits)1 << (8 * sizeof(gmi_real) - 1))

GMI_INLINE vf vf_load(const gmi_real *p) { return *p; }
GMI_INLINE void vf_store(gmi_real *p, vf v) { *p = v; }
GMI_INLINE vf vf_load_n(const gmi_real *p, int64_t n) { return n > 0 ? *p : 0; }
GMI_INLINE void vf_store_n(gmi_real *p, vf v, int64_t n)
{
    if (n > 0)
        *p = v;
}
GMI_INLINE vf vf_set1(gmi_real x) { return x; }
GMI_INLINE vf vf_zero(void) { return 0; }
GMI_INLINE vf vf_from_u8(const uint8_t *p) { return (gmi_real)*p; }

GMI_INLINE vf vf_add(vf a, vf b) { return a + b; }
GMI_INLINE vf vf_sub(vf a, vf b) { return a - b; }
GMI_INLINE vf vf_mul(vf a, vf b) { return a * b; }
GMI_INLINE vf vf_div(vf a, vf b) { return a / b; }
GMI_INLINE vf vf_neg(vf a) { return gmi_real_of(gmi_bits_of(a) ^ GMI_SIGN); }
GMI_INLINE vf vf_abs(vf a) { return gmi_real_of(gmi_bits_of(a) & ~GMI_SIGN); }
GMI_INLINE vf vf_orsign(vf x, vf s) { return gmi_real_of(gmi_bits_of(x) | (gmi_bits_of(s) & GMI_SIGN)); }

/* sqrt, correctly rounded: the instruction where we know it, else long hand (which a test asks for by GMI_SQRT_BY_HAND). */
#if defined(__SSE2__) && !defined(GMI_SQRT_BY_HAND)
GMI_INLINE double vd_sqrt(double x) { return _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set1_pd(x))); }
GMI_INLINE float gmi_sqrt32(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
#elif defined(__aarch64__) && !defined(GMI_SQRT_BY_HAND)
GMI_INLINE double vd_sqrt(double x)
{
    double r;
    __asm__("fsqrt %d0, %d1" : "=w"(r) : "w"(x));
    return r;
}
GMI_INLINE float gmi_sqrt32(float x)
{
    float r;
    __asm__("fsqrt %s0, %s1" : "=w"(r) : "w"(x));
    return r;
}
#else
/* Bit by bit: x = m 2^(e - 1075), e odd, 2^52 <= m < 2^54; sqrt(m 2^54) has 54 bits, the last of which rounds (a root is never a midpoint). */
GMI_INLINE double vd_sqrt(double x)
{
    uint64_t u = gmi_u64_of(x), m, root = 0, rem = 0;
    int32_t e, i;
    if (!(x > 0) || u >= UINT64_C(0x7ff0000000000000))
        return x == 0 || x > 0 ? x : (x - x) / (x - x); /* +-0, inf; negative or NaN: NaN */
    e = (int32_t)(u >> 52);
    m = u & UINT64_C(0xfffffffffffff);
    if (e)
        m |= UINT64_C(1) << 52;
    else
        for (e = 1; !(m >> 52); e--)
            m <<= 1;
    if (!(e & 1))
        m <<= 1, e--;
    for (i = 0; i < 54; i++) { /* two bits of m, from bit 53 down, then zeros */
        uint64_t two = i < 27 ? (m >> (52 - 2 * i)) & 3 : 0, trial = root << 2 | 1;
        rem = rem << 2 | two;
        root <<= 1;
        if (rem >= trial)
            rem -= trial, root |= 1;
    }
    /* root has 54 bits: 53 and the rounding bit */
    root = (root >> 1) + (root & 1);
    return gmi_f64_of(((uint64_t)((e + 1023) / 2) << 52) + (root - (UINT64_C(1) << 52)));
}
/* A float's root is no closer than 2^-50 to a midpoint of floats, so rounding the double's rounded root is exact. */
GMI_INLINE float gmi_sqrt32(float x) { return (float)vd_sqrt((double)x); }
#endif

#ifdef GMI_ORACLE
GMI_INLINE vf vf_sqrt(vf x) { return vd_sqrt(x); }
GMI_INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
GMI_INLINE vf vf_floor(vf x)
{
    double t;
    if (!(vf_abs(x) < 4503599627370496.0))
        return x;
    t = (double)(int64_t)x;
    return vf_orsign(t > x ? t - 1 : t, x);
}
#else
GMI_INLINE vf vf_sqrt(vf x) { return gmi_sqrt32(x); }
#if defined(__FMA__)
GMI_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c))); }
#elif defined(__aarch64__)
GMI_INLINE vf vf_fma(vf a, vf b, vf c)
{
    float r;
    __asm__("fmadd %s0, %s1, %s2, %s3" : "=w"(r) : "w"(a), "w"(b), "w"(c));
    return r;
}
#else
GMI_INLINE vf vf_fma(vf a, vf b, vf c) { return gmi_fma_soft(a, b, c); }
#endif
GMI_INLINE vf vf_floor(vf x)
{
    float t;
    if (!(vf_abs(x) < 8388608.0f))
        return x;
    t = (float)(int32_t)x;
    return vf_orsign(t > x ? t - 1 : t, x);
}
#endif

GMI_INLINE vm vf_lt(vf a, vf b) { return a < b; }
GMI_INLINE vm vf_le(vf a, vf b) { return a <= b; }
GMI_INLINE vm vf_eq(vf a, vf b) { return a == b; }
GMI_INLINE vm vf_isnan(vf a) { return a != a; }
GMI_INLINE vm vm_or(vm a, vm b) { return a | b; }
GMI_INLINE vm vm_and(vm a, vm b) { return a & b; }
GMI_INLINE vm vm_not(vm a) { return !a; }
GMI_INLINE int vm_any(vm a) { return a; }
GMI_INLINE vf vf_sel(vm m, vf a, vf b) { return m ? a : b; }
GMI_INLINE vf vf_keep(vm m, vf a) { return m ? a : 0; }
GMI_INLINE vf vf_max(vf a, vf b)
{
    if (a == b) /* equal values differ at most in the sign of zero */
        return gmi_real_of(gmi_bits_of(a) & gmi_bits_of(b));
    return a != a || a > b ? a : b;
}
GMI_INLINE vf vf_min(vf a, vf b)
{
    if (a == b)
        return gmi_real_of(gmi_bits_of(a) | gmi_bits_of(b));
    return a != a || a < b ? a : b;
}
GMI_INLINE vf vf_atmost(vf x, vf h) { return h < x ? h : x; }
GMI_INLINE vf vf_atleast(vf x, vf l) { return l > x ? l : x; }
GMI_INLINE gmi_real vf_hsum(vf a) { return a; }
GMI_INLINE gmi_real vf_hmax(vf a) { return a; }

GMI_INLINE vi vi_set1(uint32_t x) { return x; }
GMI_INLINE vi vi_iota(void) { return 0; }
GMI_INLINE vi vi_add(vi a, vi b) { return a + b; }
GMI_INLINE vi vi_xor(vi a, vi b) { return a ^ b; }
#define vi_shr(v, k) ((vi)(v) >> (k))
GMI_INLINE void vi_mulhilo(vi a, uint32_t m, vi *hi, vi *lo)
{
    uint64_t p = (uint64_t)a * m;
    *hi = (uint32_t)(p >> 32);
    *lo = (uint32_t)p;
}
GMI_INLINE vf vf_from_vi(vi a) { return (gmi_real)(int32_t)a; }

GMI_INLINE vd vd_load(const double *p) { return *p; }
GMI_INLINE void vd_store(double *p, vd v) { *p = v; }
GMI_INLINE vd vd_lo(vf x) { return (double)x; }
GMI_INLINE vf vf_pack(vd x) { return (gmi_real)x; }
GMI_INLINE vd vd_ilo(vi a) { return (double)(int32_t)a; }
GMI_INLINE vd vd_set1(double x) { return x; }
GMI_INLINE vd vd_add(vd a, vd b) { return a + b; }
GMI_INLINE vd vd_sub(vd a, vd b) { return a - b; }
GMI_INLINE vd vd_mul(vd a, vd b) { return a * b; }
GMI_INLINE vd vd_div(vd a, vd b) { return a / b; }
GMI_INLINE vd vd_abs(vd a) { return gmi_f64_of(gmi_u64_of(a) & (UINT64_MAX >> 1)); }
GMI_INLINE vd vd_atmost(vd x, vd h) { return h < x ? h : x; }
GMI_INLINE vd vd_atleast(vd x, vd l) { return l > x ? l : x; }
GMI_INLINE vdm vd_lt(vd a, vd b) { return a < b; }
GMI_INLINE vdm vd_le(vd a, vd b) { return a <= b; }
GMI_INLINE vdm vd_eq(vd a, vd b) { return a == b; }
GMI_INLINE vdm vd_isnan(vd a) { return a != a; }
GMI_INLINE vdm vdm_or(vdm a, vdm b) { return a | b; }
GMI_INLINE int vdm_any(vdm a) { return a; }
GMI_INLINE vd vd_sel(vdm m, vd a, vd b) { return m ? a : b; }
GMI_INLINE vd vd_bits(uint64_t u) { return gmi_f64_of(u); }
GMI_INLINE vd vd_and(vd a, vd b) { return gmi_f64_of(gmi_u64_of(a) & gmi_u64_of(b)); }
GMI_INLINE vd vd_or(vd a, vd b) { return gmi_f64_of(gmi_u64_of(a) | gmi_u64_of(b)); }
GMI_INLINE vd vd_xor(vd a, vd b) { return gmi_f64_of(gmi_u64_of(a) ^ gmi_u64_of(b)); }
GMI_INLINE vd vd_iadd(vd a, vd b) { return gmi_f64_of(gmi_u64_of(a) + gmi_u64_of(b)); }
GMI_INLINE vd vd_isub(vd a, vd b) { return gmi_f64_of(gmi_u64_of(a) - gmi_u64_of(b)); }
#define vd_ishl(v, k) gmi_f64_of(gmi_u64_of(v) << (k))
#define vd_ishr(v, k) gmi_f64_of(gmi_u64_of(v) >> (k))

/* ---- for gemm_tile.c: out[j * ldo + i] = x[i * ldx + j] for i, j < GMI_T ---- */
#define GMI_T 1
GMI_INLINE void gmi_transpose_block(const gmi_real *x, int64_t ldx, gmi_real *out, int64_t ldo)
{
    (void)ldx, (void)ldo;
    *out = *x;
}
