/* SPDX-License-Identifier: MIT */
/* simd_neon.h: four lanes, the baseline of little-endian aarch64, with hardware fma. Include simd.h, not this file. */
#include <arm_neon.h>
#define GMI_W 4
#define GMI_WD 2
#define GMI_ND 2

typedef float32x4_t vf;
typedef uint32x4_t vm;
typedef uint32x4_t vi;
typedef float64x2_t vd;
typedef uint64x2_t vdm;

GMI_INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
GMI_INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
GMI_INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
GMI_INLINE vf vf_zero(void) { return vdupq_n_f32(0); }
GMI_INLINE vf vf_load_n(const float *p, int64_t n)
{
    vf v = vdupq_n_f32(0);
    if (n >= 4)
        return vf_load(p);
    if (n >= 1)
        v = vld1q_lane_f32(p, v, 0);
    if (n >= 2)
        v = vld1q_lane_f32(p + 1, v, 1);
    return n >= 3 ? vld1q_lane_f32(p + 2, v, 2) : v;
}
GMI_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    if (n >= 4) {
        vf_store(p, v);
        return;
    }
    if (n >= 1)
        vst1q_lane_f32(p, v, 0);
    if (n >= 2)
        vst1q_lane_f32(p + 1, v, 1);
    if (n >= 3)
        vst1q_lane_f32(p + 2, v, 2);
}
GMI_INLINE vf vf_from_u8(const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(w)))));
}

GMI_INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
GMI_INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
GMI_INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
GMI_INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
GMI_INLINE vf vf_sqrt(vf a) { return vsqrtq_f32(a); }
GMI_INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
GMI_INLINE vf vf_neg(vf a) { return vnegq_f32(a); }
GMI_INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
GMI_INLINE vf vf_orsign(vf x, vf s)
{
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(x), vandq_u32(vreinterpretq_u32_f32(s), vdupq_n_u32(0x80000000u))));
}
GMI_INLINE vf vf_floor(vf x) { return vrndmq_f32(x); }

GMI_INLINE vm vf_lt(vf a, vf b) { return vcltq_f32(a, b); }
GMI_INLINE vm vf_le(vf a, vf b) { return vcleq_f32(a, b); }
GMI_INLINE vm vf_eq(vf a, vf b) { return vceqq_f32(a, b); }
GMI_INLINE vm vf_isnan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
GMI_INLINE vm vm_or(vm a, vm b) { return vorrq_u32(a, b); }
GMI_INLINE vm vm_and(vm a, vm b) { return vandq_u32(a, b); }
GMI_INLINE vm vm_not(vm a) { return vmvnq_u32(a); }
GMI_INLINE int vm_any(vm a) { return vmaxvq_u32(a) != 0; }
GMI_INLINE vf vf_sel(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
GMI_INLINE vf vf_keep(vm m, vf a) { return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(a))); }
/* FMAX and FMIN of A64 are the rule: NaN stays, +0 > -0. */
GMI_INLINE vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
GMI_INLINE vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
GMI_INLINE vf vf_atmost(vf x, vf h) { return vminq_f32(x, h); }
GMI_INLINE vf vf_atleast(vf x, vf l) { return vmaxq_f32(x, l); }
GMI_INLINE float vf_hsum(vf v)
{
    float32x2_t a = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(a, 0) + vget_lane_f32(a, 1);
}
GMI_INLINE float vf_hmax(vf v) { return vmaxvq_f32(v); }

GMI_INLINE vi vi_set1(uint32_t x) { return vdupq_n_u32(x); }
GMI_INLINE vi vi_iota(void)
{
    static const uint32_t k[4] = {0, 1, 2, 3};
    return vld1q_u32(k);
}
GMI_INLINE vi vi_add(vi a, vi b) { return vaddq_u32(a, b); }
GMI_INLINE vi vi_xor(vi a, vi b) { return veorq_u32(a, b); }
#define vi_shr(v, k) vshrq_n_u32((v), (k))
GMI_INLINE void vi_mulhilo(vi a, uint32_t m, vi *hi, vi *lo)
{
    uint32x4_t l = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(a), m)), h = vreinterpretq_u32_u64(vmull_n_u32(vget_high_u32(a), m));
    *lo = vuzp1q_u32(l, h);
    *hi = vuzp2q_u32(l, h);
}
GMI_INLINE vf vf_from_vi(vi a) { return vcvtq_f32_u32(a); }

GMI_INLINE vd vd_load(const double *p) { return vld1q_f64(p); }
GMI_INLINE void vd_store(double *p, vd v) { vst1q_f64(p, v); }
GMI_INLINE vd vd_lo(vf x) { return vcvt_f64_f32(vget_low_f32(x)); }
GMI_INLINE vd vd_hi(vf x) { return vcvt_high_f64_f32(x); }
GMI_INLINE vf vf_pack(vd lo, vd hi) { return vcvt_high_f32_f64(vcvt_f32_f64(lo), hi); }
GMI_INLINE vd vd_ilo(vi a) { return vcvtq_f64_u64(vmovl_u32(vget_low_u32(a))); }
GMI_INLINE vd vd_ihi(vi a) { return vcvtq_f64_u64(vmovl_high_u32(a)); }
GMI_INLINE vd vd_set1(double x) { return vdupq_n_f64(x); }
GMI_INLINE vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
GMI_INLINE vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
GMI_INLINE vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
GMI_INLINE vd vd_div(vd a, vd b) { return vdivq_f64(a, b); }
GMI_INLINE vd vd_sqrt(vd a) { return vsqrtq_f64(a); }
GMI_INLINE vd vd_abs(vd a) { return vabsq_f64(a); }
GMI_INLINE vd vd_atmost(vd x, vd h) { return vminq_f64(x, h); }
GMI_INLINE vd vd_atleast(vd x, vd l) { return vmaxq_f64(x, l); }
GMI_INLINE vdm vd_lt(vd a, vd b) { return vcltq_f64(a, b); }
GMI_INLINE vdm vd_le(vd a, vd b) { return vcleq_f64(a, b); }
GMI_INLINE vdm vd_eq(vd a, vd b) { return vceqq_f64(a, b); }
GMI_INLINE vdm vd_isnan(vd a) { return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(a, a)))); }
GMI_INLINE vdm vdm_or(vdm a, vdm b) { return vorrq_u64(a, b); }
GMI_INLINE int vdm_any(vdm a) { return vmaxvq_u32(vreinterpretq_u32_u64(a)) != 0; }
GMI_INLINE vd vd_sel(vdm m, vd a, vd b) { return vbslq_f64(m, a, b); }
GMI_INLINE vd vd_bits(uint64_t u) { return vreinterpretq_f64_u64(vdupq_n_u64(u)); }
#define GMI_U64(v) vreinterpretq_u64_f64(v)
GMI_INLINE vd vd_and(vd a, vd b) { return vreinterpretq_f64_u64(vandq_u64(GMI_U64(a), GMI_U64(b))); }
GMI_INLINE vd vd_or(vd a, vd b) { return vreinterpretq_f64_u64(vorrq_u64(GMI_U64(a), GMI_U64(b))); }
GMI_INLINE vd vd_xor(vd a, vd b) { return vreinterpretq_f64_u64(veorq_u64(GMI_U64(a), GMI_U64(b))); }
GMI_INLINE vd vd_iadd(vd a, vd b) { return vreinterpretq_f64_u64(vaddq_u64(GMI_U64(a), GMI_U64(b))); }
GMI_INLINE vd vd_isub(vd a, vd b) { return vreinterpretq_f64_u64(vsubq_u64(GMI_U64(a), GMI_U64(b))); }
#define vd_ishl(v, k) vreinterpretq_f64_u64(vshlq_n_u64(GMI_U64(v), (k)))
#define vd_ishr(v, k) vreinterpretq_f64_u64(vshrq_n_u64(GMI_U64(v), (k)))

/* ---- for gemm_tile.c: out[j * ldo + i] = x[i * ldx + j] for i, j < GMI_T ---- */
#define GMI_T 4
GMI_INLINE void gmi_transpose_block(const float *x, int64_t ldx, float *out, int64_t ldo)
{
    float32x4x2_t ab = vzipq_f32(vld1q_f32(x), vld1q_f32(x + 2 * ldx)), cd = vzipq_f32(vld1q_f32(x + ldx), vld1q_f32(x + 3 * ldx));
    float32x4x2_t lo = vzipq_f32(ab.val[0], cd.val[0]), hi = vzipq_f32(ab.val[1], cd.val[1]);
    vst1q_f32(out, lo.val[0]);
    vst1q_f32(out + ldo, lo.val[1]);
    vst1q_f32(out + 2 * ldo, hi.val[0]);
    vst1q_f32(out + 3 * ldo, hi.val[1]);
}
