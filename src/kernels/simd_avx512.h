/* SPDX-License-Identifier: MIT */
/* simd_avx512.h: sixteen lanes (AVX-512 F, VL, DQ, BW). Masks are mask registers. Include simd.h, not this file. */
#include <immintrin.h>
#define GMI_W 16
#define GMI_WD 8
#define GMI_ND 2

typedef __m512 vf;
typedef __mmask16 vm;
typedef __m512i vi;
typedef __m512d vd;
typedef __mmask8 vdm;

GMI_INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
GMI_INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
GMI_INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
GMI_INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
/* masked moves touch no byte of a lane that is off */
GMI_INLINE __mmask16 gmi_lanes16(int64_t n) /* n < 16 */
{ return n > 0 ? (__mmask16)((1u << n) - 1) : (__mmask16)0; }
GMI_INLINE vf vf_load_n(const float *p, int64_t n) { return n >= 16 ? vf_load(p) : _mm512_maskz_loadu_ps(gmi_lanes16(n), p); }
GMI_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    if (n >= 16)
        vf_store(p, v);
    else
        _mm512_mask_storeu_ps(p, gmi_lanes16(n), v);
}
GMI_INLINE vf vf_from_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

GMI_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
GMI_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
GMI_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
GMI_INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
GMI_INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
GMI_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
GMI_INLINE vf vf_neg(vf a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
GMI_INLINE vf vf_abs(vf a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
GMI_INLINE vf vf_orsign(vf x, vf s) { return _mm512_or_ps(x, _mm512_and_ps(s, _mm512_set1_ps(-0.0f))); }
GMI_INLINE vf vf_floor(vf x) { return _mm512_roundscale_ps(x, 0x09); } /* downwards, no fraction bits, no exceptions */

GMI_INLINE vm vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
GMI_INLINE vm vf_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
GMI_INLINE vm vf_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
GMI_INLINE vm vf_isnan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
GMI_INLINE vm vm_or(vm a, vm b) { return (vm)(a | b); }
GMI_INLINE vm vm_and(vm a, vm b) { return (vm)(a & b); }
GMI_INLINE vm vm_not(vm a) { return (vm)~a; }
GMI_INLINE int vm_any(vm a) { return a != 0; }
GMI_INLINE vf vf_sel(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
GMI_INLINE vf vf_keep(vm m, vf a) { return _mm512_maskz_mov_ps(m, a); }
/* vmaxps gives its second operand when the two are equal or one is NaN: both orders differ only then, and a + b is NaN if one is. */
GMI_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_mask_add_ps(_mm512_and_ps(_mm512_max_ps(a, b), _mm512_max_ps(b, a)), _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q), a, b);
}
GMI_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_mask_add_ps(_mm512_or_ps(_mm512_min_ps(a, b), _mm512_min_ps(b, a)), _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q), a, b);
}
GMI_INLINE vf vf_atmost(vf x, vf h) { return _mm512_min_ps(h, x); }
GMI_INLINE vf vf_atleast(vf x, vf l) { return _mm512_max_ps(l, x); }
GMI_INLINE float vf_hsum(vf v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
GMI_INLINE float vf_hmax(vf v)
{
    v = vf_max(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    v = vf_max(v, _mm512_shuffle_f32x4(v, v, 0xb1));
    v = vf_max(v, _mm512_permute_ps(v, 0x4e));
    v = vf_max(v, _mm512_permute_ps(v, 0xb1));
    return _mm512_cvtss_f32(v);
}

GMI_INLINE vi vi_set1(uint32_t x) { return _mm512_set1_epi32((int32_t)x); }
GMI_INLINE vi vi_iota(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
GMI_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
GMI_INLINE vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
#define vi_shr(v, k) _mm512_srli_epi32((v), (k))
GMI_INLINE void vi_mulhilo(vi a, uint32_t m, vi *hi, vi *lo)
{
    const __m512i k = _mm512_set1_epi32((int32_t)m);
    __m512i even = _mm512_mul_epu32(a, k), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), k);
    *hi = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    *lo = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}
GMI_INLINE vf vf_from_vi(vi a) { return _mm512_cvtepi32_ps(a); }

GMI_INLINE vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
GMI_INLINE void vd_store(double *p, vd v) { _mm512_storeu_pd(p, v); }
GMI_INLINE vd vd_lo(vf x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
GMI_INLINE vd vd_hi(vf x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
GMI_INLINE vf vf_pack(vd lo, vd hi) { return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)), _mm512_cvtpd_ps(hi), 1); }
GMI_INLINE vd vd_ilo(vi a) { return _mm512_cvtepi32_pd(_mm512_castsi512_si256(a)); }
GMI_INLINE vd vd_ihi(vi a) { return _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(a, 1)); }
GMI_INLINE vd vd_set1(double x) { return _mm512_set1_pd(x); }
GMI_INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
GMI_INLINE vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
GMI_INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
GMI_INLINE vd vd_div(vd a, vd b) { return _mm512_div_pd(a, b); }
GMI_INLINE vd vd_sqrt(vd a) { return _mm512_sqrt_pd(a); }
GMI_INLINE vd vd_abs(vd a) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a); }
GMI_INLINE vd vd_atmost(vd x, vd h) { return _mm512_min_pd(h, x); } /* vminpd gives its second operand when one is NaN */
GMI_INLINE vd vd_atleast(vd x, vd l) { return _mm512_max_pd(l, x); }
GMI_INLINE vdm vd_lt(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
GMI_INLINE vdm vd_le(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
GMI_INLINE vdm vd_eq(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
GMI_INLINE vdm vd_isnan(vd a) { return _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q); }
GMI_INLINE vdm vdm_or(vdm a, vdm b) { return (vdm)(a | b); }
GMI_INLINE int vdm_any(vdm a) { return a != 0; }
GMI_INLINE vd vd_sel(vdm m, vd a, vd b) { return _mm512_mask_blend_pd(m, b, a); }
GMI_INLINE vd vd_bits(uint64_t u) { return _mm512_castsi512_pd(_mm512_set1_epi64((long long)u)); }
GMI_INLINE vd vd_and(vd a, vd b) { return _mm512_and_pd(a, b); }
GMI_INLINE vd vd_or(vd a, vd b) { return _mm512_or_pd(a, b); }
GMI_INLINE vd vd_xor(vd a, vd b) { return _mm512_xor_pd(a, b); }
GMI_INLINE vd vd_iadd(vd a, vd b) { return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(b))); }
GMI_INLINE vd vd_isub(vd a, vd b) { return _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(b))); }
#define vd_ishl(v, k) _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(v), (k)))
#define vd_ishr(v, k) _mm512_castsi512_pd(_mm512_srli_epi64(_mm512_castpd_si512(v), (k)))

/* ---- for gemm_tile.c: out[j * ldo + i] = x[i * ldx + j] for i, j < GMI_T ---- */
#define GMI_T 8
GMI_INLINE __m256 gmi_two_rows(const float *lo, const float *hi)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(lo)), _mm_loadu_ps(hi), 1);
}
/* Four columns of eight rows: rows r and r + 4 share a register, so that no lane has to be crossed. */
GMI_INLINE void gmi_transpose_half(const float *x, int64_t ldx, float *out, int64_t ldo)
{
    __m256 a = gmi_two_rows(x, x + 4 * ldx), b = gmi_two_rows(x + ldx, x + 5 * ldx);
    __m256 c = gmi_two_rows(x + 2 * ldx, x + 6 * ldx), d = gmi_two_rows(x + 3 * ldx, x + 7 * ldx);
    __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d), ef = _mm256_unpackhi_ps(a, b), gh = _mm256_unpackhi_ps(c, d);
    _mm256_storeu_ps(out, _mm256_shuffle_ps(ab, cd, 0x44));
    _mm256_storeu_ps(out + ldo, _mm256_shuffle_ps(ab, cd, 0xee));
    _mm256_storeu_ps(out + 2 * ldo, _mm256_shuffle_ps(ef, gh, 0x44));
    _mm256_storeu_ps(out + 3 * ldo, _mm256_shuffle_ps(ef, gh, 0xee));
}
GMI_INLINE void gmi_transpose_block(const float *x, int64_t ldx, float *out, int64_t ldo)
{
    gmi_transpose_half(x, ldx, out, ldo);
    gmi_transpose_half(x + 4, ldx, out + 4 * ldo, ldo);
}
