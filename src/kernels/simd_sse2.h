/* SPDX-License-Identifier: MIT */
/* simd_sse2.h: four lanes, the baseline of x86-64. No fma, floor or blend instruction: fma is the software one of fma_soft.h on two double lanes at a time.
 * Include simd.h, not this file. */
#include "kernels/fma_soft.h"
#include <emmintrin.h>
#define GMI_W 4
#define GMI_WD 2
#define GMI_ND 2

typedef __m128 vf;
typedef __m128 vm;
typedef __m128i vi;
typedef __m128d vd;
typedef __m128d vdm;

GMI_INLINE vf vf_load(const float *p) { return _mm_loadu_ps(p); }
GMI_INLINE void vf_store(float *p, vf v) { _mm_storeu_ps(p, v); }
GMI_INLINE vf vf_set1(float x) { return _mm_set1_ps(x); }
GMI_INLINE vf vf_zero(void) { return _mm_setzero_ps(); }
/* two lanes by memcpy: _mm_load_sd would claim the alignment of a double */
GMI_INLINE vf gmi_load2(const float *p)
{
    double d;
    memcpy(&d, p, sizeof d);
    return _mm_castpd_ps(_mm_set_sd(d));
}
GMI_INLINE vf vf_load_n(const float *p, int64_t n)
{
    if (n >= 4)
        return vf_load(p);
    if (n == 3)
        return _mm_movelh_ps(gmi_load2(p), _mm_load_ss(p + 2));
    if (n == 2)
        return gmi_load2(p);
    return n == 1 ? _mm_load_ss(p) : _mm_setzero_ps();
}
GMI_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    if (n >= 4) {
        vf_store(p, v);
        return;
    }
    if (n >= 2) {
        double d = _mm_cvtsd_f64(_mm_castps_pd(v));
        memcpy(p, &d, sizeof d);
    }
    if (n == 3)
        _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
    if (n == 1)
        _mm_store_ss(p, v);
}
GMI_INLINE vf vf_from_u8(const uint8_t *p) { return _mm_cvtepi32_ps(_mm_setr_epi32(p[0], p[1], p[2], p[3])); }

GMI_INLINE vf vf_add(vf a, vf b) { return _mm_add_ps(a, b); }
GMI_INLINE vf vf_sub(vf a, vf b) { return _mm_sub_ps(a, b); }
GMI_INLINE vf vf_mul(vf a, vf b) { return _mm_mul_ps(a, b); }
GMI_INLINE vf vf_div(vf a, vf b) { return _mm_div_ps(a, b); }
GMI_INLINE vf vf_sqrt(vf a) { return _mm_sqrt_ps(a); }
GMI_INLINE vf vf_neg(vf a) { return _mm_xor_ps(a, _mm_set1_ps(-0.0f)); }
GMI_INLINE vf vf_abs(vf a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
GMI_INLINE vf vf_orsign(vf x, vf s) { return _mm_or_ps(x, _mm_and_ps(s, _mm_set1_ps(-0.0f))); }

GMI_INLINE vm vf_lt(vf a, vf b) { return _mm_cmplt_ps(a, b); }
GMI_INLINE vm vf_le(vf a, vf b) { return _mm_cmple_ps(a, b); }
GMI_INLINE vm vf_eq(vf a, vf b) { return _mm_cmpeq_ps(a, b); }
GMI_INLINE vm vf_isnan(vf a) { return _mm_cmpunord_ps(a, a); }
GMI_INLINE vm vm_or(vm a, vm b) { return _mm_or_ps(a, b); }
GMI_INLINE vm vm_and(vm a, vm b) { return _mm_and_ps(a, b); }
GMI_INLINE vm vm_not(vm a) { return _mm_xor_ps(a, _mm_castsi128_ps(_mm_set1_epi32(-1))); }
GMI_INLINE int vm_any(vm a) { return _mm_movemask_ps(a); }
GMI_INLINE vf vf_sel(vm m, vf a, vf b) { return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b)); }
GMI_INLINE vf vf_keep(vm m, vf a) { return _mm_and_ps(m, a); }
/* maxps gives its second operand when the two are equal or one is NaN: both orders differ only then. */
GMI_INLINE vf vf_max(vf a, vf b) { return _mm_or_ps(_mm_and_ps(_mm_max_ps(a, b), _mm_max_ps(b, a)), _mm_cmpunord_ps(a, b)); }
GMI_INLINE vf vf_min(vf a, vf b) { return _mm_or_ps(_mm_or_ps(_mm_min_ps(a, b), _mm_min_ps(b, a)), _mm_cmpunord_ps(a, b)); }
GMI_INLINE vf vf_atmost(vf x, vf h) { return _mm_min_ps(h, x); }
GMI_INLINE vf vf_atleast(vf x, vf l) { return _mm_max_ps(l, x); }
GMI_INLINE vf vf_floor(vf x)
{
    vf t = _mm_cvtepi32_ps(_mm_cvttps_epi32(x)); /* exact below 2^23; above, x is whole already */
    t = _mm_sub_ps(t, _mm_and_ps(_mm_cmpgt_ps(t, x), _mm_set1_ps(1)));
    return vf_sel(_mm_cmplt_ps(vf_abs(x), _mm_set1_ps(8388608.0f)), vf_orsign(t, x), x);
}
GMI_INLINE float vf_hsum(vf a)
{
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
GMI_INLINE float vf_hmax(vf a)
{
    a = vf_max(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(vf_max(a, _mm_shuffle_ps(a, a, 1)));
}

GMI_INLINE vi vi_set1(uint32_t x) { return _mm_set1_epi32((int32_t)x); }
GMI_INLINE vi vi_iota(void) { return _mm_setr_epi32(0, 1, 2, 3); }
GMI_INLINE vi vi_add(vi a, vi b) { return _mm_add_epi32(a, b); }
GMI_INLINE vi vi_xor(vi a, vi b) { return _mm_xor_si128(a, b); }
#define vi_shr(v, k) _mm_srli_epi32((v), (k))
GMI_INLINE void vi_mulhilo(vi a, uint32_t m, vi *hi, vi *lo)
{
    const __m128i k = _mm_set1_epi32((int32_t)m), low = _mm_set1_epi64x(0xffffffff);
    __m128i even = _mm_mul_epu32(a, k), odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), k);
    *hi = _mm_or_si128(_mm_srli_epi64(even, 32), _mm_andnot_si128(low, odd));
    *lo = _mm_or_si128(_mm_and_si128(low, even), _mm_slli_epi64(odd, 32));
}
GMI_INLINE vf vf_from_vi(vi a) { return _mm_cvtepi32_ps(a); }

GMI_INLINE vd vd_load(const double *p) { return _mm_loadu_pd(p); }
GMI_INLINE void vd_store(double *p, vd v) { _mm_storeu_pd(p, v); }
GMI_INLINE vd vd_lo(vf x) { return _mm_cvtps_pd(x); }
GMI_INLINE vd vd_hi(vf x) { return _mm_cvtps_pd(_mm_movehl_ps(x, x)); }
GMI_INLINE vf vf_pack(vd lo, vd hi) { return _mm_movelh_ps(_mm_cvtpd_ps(lo), _mm_cvtpd_ps(hi)); }
GMI_INLINE vd vd_ilo(vi a) { return _mm_cvtepi32_pd(a); }
GMI_INLINE vd vd_ihi(vi a) { return _mm_cvtepi32_pd(_mm_unpackhi_epi64(a, a)); }
GMI_INLINE vd vd_set1(double x) { return _mm_set1_pd(x); }
GMI_INLINE vd vd_add(vd a, vd b) { return _mm_add_pd(a, b); }
GMI_INLINE vd vd_sub(vd a, vd b) { return _mm_sub_pd(a, b); }
GMI_INLINE vd vd_mul(vd a, vd b) { return _mm_mul_pd(a, b); }
GMI_INLINE vd vd_div(vd a, vd b) { return _mm_div_pd(a, b); }
GMI_INLINE vd vd_sqrt(vd a) { return _mm_sqrt_pd(a); }
GMI_INLINE vd vd_abs(vd a) { return _mm_andnot_pd(_mm_set1_pd(-0.0), a); }
GMI_INLINE vd vd_atmost(vd x, vd h) { return _mm_min_pd(h, x); } /* minpd gives its second operand when one is NaN */
GMI_INLINE vd vd_atleast(vd x, vd l) { return _mm_max_pd(l, x); }
GMI_INLINE vdm vd_lt(vd a, vd b) { return _mm_cmplt_pd(a, b); }
GMI_INLINE vdm vd_le(vd a, vd b) { return _mm_cmple_pd(a, b); }
GMI_INLINE vdm vd_eq(vd a, vd b) { return _mm_cmpeq_pd(a, b); }
GMI_INLINE vdm vd_isnan(vd a) { return _mm_cmpunord_pd(a, a); }
GMI_INLINE vdm vdm_or(vdm a, vdm b) { return _mm_or_pd(a, b); }
GMI_INLINE int vdm_any(vdm a) { return _mm_movemask_pd(a); }
GMI_INLINE vd vd_sel(vdm m, vd a, vd b) { return _mm_or_pd(_mm_and_pd(m, a), _mm_andnot_pd(m, b)); }
GMI_INLINE vd vd_bits(uint64_t u) { return _mm_castsi128_pd(_mm_set1_epi64x((long long)u)); }
GMI_INLINE vd vd_and(vd a, vd b) { return _mm_and_pd(a, b); }
GMI_INLINE vd vd_or(vd a, vd b) { return _mm_or_pd(a, b); }
GMI_INLINE vd vd_xor(vd a, vd b) { return _mm_xor_pd(a, b); }
GMI_INLINE vd vd_iadd(vd a, vd b) { return _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(a), _mm_castpd_si128(b))); }
GMI_INLINE vd vd_isub(vd a, vd b) { return _mm_castsi128_pd(_mm_sub_epi64(_mm_castpd_si128(a), _mm_castpd_si128(b))); }
#define vd_ishl(v, k) _mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(v), (k)))
#define vd_ishr(v, k) _mm_castsi128_pd(_mm_srli_epi64(_mm_castpd_si128(v), (k)))

/* The lanes that gmi_fma_rare names, again one by one. */
GMI_INLINE vf gmi_fma_fix4(vd pl, vd ph, vd cl, vd ch, vd sl, vd sh, vf r)
{
    double p[4], c[4], s[4];
    float f[4];
    int i;
    _mm_storeu_pd(p, pl), _mm_storeu_pd(p + 2, ph);
    _mm_storeu_pd(c, cl), _mm_storeu_pd(c + 2, ch);
    _mm_storeu_pd(s, sl), _mm_storeu_pd(s + 2, sh);
    _mm_storeu_ps(f, r);
    for (i = 0; i < 4; i++)
        if (gmi_fma_rare(s[i]))
            f[i] = gmi_fma_fix(p[i], c[i]);
    return _mm_loadu_ps(f);
}
GMI_INLINE vf vf_fma(vf a, vf b, vf c)
{
    vd pl = vd_mul(vd_lo(a), vd_lo(b)), ph = vd_mul(vd_hi(a), vd_hi(b)), cl = vd_lo(c), ch = vd_hi(c);
    vd sl = vd_add(pl, cl), sh = vd_add(ph, ch);
    vf r = vf_pack(sl, sh);
    /* suspects: low 29 bits of the sum on a tie, or a result of at most 2^-126, zero included (gmi_fma_fix4 sorts exact zeros out) */
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(_mm_castpd_ps(sl), _mm_castpd_ps(sh), _MM_SHUFFLE(2, 0, 2, 0)));
    __m128i tie = _mm_cmpeq_epi32(_mm_slli_epi32(low, 3), _mm_set1_epi32(INT32_MIN));
    __m128i tiny = _mm_cmpgt_epi32(_mm_set1_epi32(0x00800001), _mm_castps_si128(vf_abs(r)));
    if (GMI_RARE(_mm_movemask_epi8(_mm_or_si128(tie, tiny))))
        r = gmi_fma_fix4(pl, ph, cl, ch, sl, sh, r);
    return r;
}

/* ---- for gemm_tile.c: out[j * ldo + i] = x[i * ldx + j] for i, j < GMI_T ---- */
#define GMI_T 4
GMI_INLINE void gmi_transpose_block(const float *x, int64_t ldx, float *out, int64_t ldo)
{
    __m128 a = _mm_loadu_ps(x), b = _mm_loadu_ps(x + ldx), c = _mm_loadu_ps(x + 2 * ldx), d = _mm_loadu_ps(x + 3 * ldx);
    __m128 ab = _mm_unpacklo_ps(a, b), cd = _mm_unpacklo_ps(c, d), ef = _mm_unpackhi_ps(a, b), gh = _mm_unpackhi_ps(c, d);
    _mm_storeu_ps(out, _mm_movelh_ps(ab, cd));
    _mm_storeu_ps(out + ldo, _mm_movehl_ps(cd, ab));
    _mm_storeu_ps(out + 2 * ldo, _mm_movelh_ps(ef, gh));
    _mm_storeu_ps(out + 3 * ldo, _mm_movehl_ps(gh, ef));
}
