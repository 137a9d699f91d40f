/* SPDX-License-Identifier: MIT */
/* math.h: exp, log and their family, over the vector layer, with the same bits at every level (docs/kernels.md, "Math functions").
 *
 * A vector of floats is computed in double lanes with plain products, sums and quotients in one written order and rounded to float once at the end.
 * That buys three things: the error is that last rounding plus about 0.005 ulp; cancellation, hi/lo splits and over- or underflow inside a function
 * never arise, since double holds every float, its square and exp of any argument that matters; and no fma is needed, so that levels without the instruction
 * are not slow. Polynomials are minimax fits by the Remez exchange, relative error below 5e-10 (exp) or 1e-11 (log).
 * The oracle build has the same reductions with Taylor series to double precision.
 * Not here: arguments of lgamma and polygamma below zero (NaN), directed rounding, errno, exception flags. */
#ifndef GMI_KERNELS_MATH_H
#define GMI_KERNELS_MATH_H
#include "kernels/simd.h"

/* Horner: a + x*(b + x*(c + ...)) */
#define GMI_H1(x, a) vd_set1(a)
#define GMI_H2(x, a, ...) vd_add(vd_mul(GMI_H1(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H3(x, a, ...) vd_add(vd_mul(GMI_H2(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H4(x, a, ...) vd_add(vd_mul(GMI_H3(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H5(x, a, ...) vd_add(vd_mul(GMI_H4(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H6(x, a, ...) vd_add(vd_mul(GMI_H5(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H7(x, a, ...) vd_add(vd_mul(GMI_H6(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H8(x, a, ...) vd_add(vd_mul(GMI_H7(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H9(x, a, ...) vd_add(vd_mul(GMI_H8(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H10(x, a, ...) vd_add(vd_mul(GMI_H9(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H11(x, a, ...) vd_add(vd_mul(GMI_H10(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H12(x, a, ...) vd_add(vd_mul(GMI_H11(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H13(x, a, ...) vd_add(vd_mul(GMI_H12(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H14(x, a, ...) vd_add(vd_mul(GMI_H13(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H15(x, a, ...) vd_add(vd_mul(GMI_H14(x, __VA_ARGS__), x), vd_set1(a))
#define GMI_H16(x, a, ...) vd_add(vd_mul(GMI_H15(x, __VA_ARGS__), x), vd_set1(a))

/* Estrin: pairs side by side, joined through x2 = x^2 and x4 = x^4; half of Horner's latency */
#define GMI_E2(x, a, b) vd_add(vd_mul(x, vd_set1(b)), vd_set1(a))
#define GMI_E4(x, x2, a, b, c, d) vd_add(vd_mul(x2, GMI_E2(x, c, d)), GMI_E2(x, a, b))
#define GMI_E6(x, x2, a, b, c, d, e, f) vd_add(vd_mul(x2, GMI_E4(x, x2, c, d, e, f)), GMI_E2(x, a, b))
#define GMI_E10(x, x2, x4, a, b, c, d, e, f, g, h, i, j)                                                                                             \
    vd_add(vd_mul(x4, vd_add(vd_mul(x4, GMI_E2(x, i, j)), GMI_E4(x, x2, e, f, g, h))), GMI_E4(x, x2, a, b, c, d))

#define GMI_INF (1.0 / 0.0)
#define GMI_ROUNDER 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to a whole number, whose two's complement is then in the low bits */
#define GMI_LN2_HI 0.6931471803691238  /* 32 bits, so that small multiples are exact */
#define GMI_LN2_LO 1.9082149292705877e-10

#ifdef GMI_ORACLE
/* Taylor coefficients. exp: (e^r - 1 - r)/r^2; atanh: (2 atanh s - 2 s)/(s z), z = s^2; sin: (sin r/r - 1)/z, cos: (cos r - 1 + z/2)/z^2, z = r^2. */
#define GMI_EXP_POLY(r, r2)                                                                                                                          \
    GMI_H13(r, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800,               \
            1.0 / 479001600, 1.0 / 6227020800.0, 1.0 / 87178291200.0)
#define GMI_ATANH_POLY(z, z2)                                                                                                                        \
    GMI_H16(z, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23, 2.0 / 25, 2.0 / 27, 2.0 / 29, \
            2.0 / 31, 2.0 / 33)
#define GMI_LOG_POLY(z, z2) GMI_ATANH_POLY(z, z2)
#define GMI_SIN_POLY(z, z2)                                                                                                                          \
    GMI_H8(z, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0, 1.0 / 355687428096000.0)
#define GMI_COS_POLY(z, z2)                                                                                                                          \
    GMI_H8(z, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200.0, 1.0 / 20922789888000.0,                      \
           -1.0 / 6402373705728000.0)
#else
#define GMI_EXP_POLY(r, r2)                                                                                                                          \
    GMI_E6(r, r2, 0.5000000053057434, 0.16666666902498264, 0.04166632698387859, 0.008333219997075873, 0.0013943209304290427, 0.00019962174302130557)
#define GMI_ATANH_POLY(z, z2)                                                                                                                        \
    GMI_E6(z, z2, 0.6666666635895936, 0.40000053026883475, 0.2856839482588266, 0.22301525789615984, 0.17147618769440312, 0.21793167972829178)
#define GMI_LOG_POLY(z, z2) GMI_E4(z, z2, 0.6666666564501978, 0.4000033529888434, 0.28537301204662247, 0.23582298724330444)
#define GMI_SIN_POLY(z, z2) GMI_E4(z, z2, -0.1666666664161731, 0.008333329384777446, -0.00019839334470728525, 2.718307959072598e-06)
#define GMI_COS_POLY(z, z2) vd_add(vd_mul(z2, vd_set1(2.4433120683321438e-05)), GMI_E2(z, 0.0416666456767762, -0.0013887315943796003))
#endif

/* ---- the exponential family ----
 * Arguments must be clamped (vf_clamp): |x| <= GMI_BIG, where e^x is past every float but not near the end of double. NaN gives NaN. */
#ifdef GMI_ORACLE
#define GMI_BIG 760
#else
#define GMI_BIG 120
#endif
static inline vf vf_clamp(vf x, gmi_real big) { return vf_atleast(vf_atmost(x, vf_set1(big)), vf_set1(-big)); }

/* x = n ln 2 + r; gives r, and t with n in its low bits */
static inline vd vd_exp_reduce(vd x, vd *t)
{
    vd n;
    *t = vd_add(vd_mul(x, vd_set1(1.4426950408889634)), vd_set1(GMI_ROUNDER));
    n = vd_sub(*t, vd_set1(GMI_ROUNDER));
#ifdef GMI_ORACLE
    return vd_sub(vd_sub(x, vd_mul(n, vd_set1(GMI_LN2_HI))), vd_mul(n, vd_set1(GMI_LN2_LO)));
#else
    return vd_sub(x, vd_mul(n, vd_set1(0.6931471805599453))); /* |n| < 176: off by 1e-14 at most */
#endif
}

/* e^x = 2^n e^r */
static inline vd vd_exp(vd x)
{
#ifdef GMI_ORACLE
    vd t, r = vd_exp_reduce(x * 0.5, &t), e; /* (e^(x/2))^2 keeps 2^n in range */
    e = gmi_f64_of(gmi_u64_of(1 + (r + r * r * GMI_EXP_POLY(r, 0))) + (gmi_u64_of(t) << 52));
    return e * e;
#else
    vd t, r = vd_exp_reduce(x, &t), r2 = vd_mul(r, r);
    return vd_iadd(vd_add(vd_add(r, vd_set1(1)), vd_mul(r2, GMI_EXP_POLY(r, r2))), vd_ishl(t, 52));
#endif
}

/* e^x - 1 = s q + (s - 1), s = 2^n, q = e^r - 1: s = 1 where x is small, so nothing cancels. */
static inline vd vd_expm1(vd x)
{
    vd t, r = vd_exp_reduce(x, &t), r2 = vd_mul(r, r), q = vd_add(r, vd_mul(r2, GMI_EXP_POLY(r, r2))), s = vd_iadd(vd_ishl(t, 52), vd_set1(1));
    r = vd_add(vd_mul(s, q), vd_sub(s, vd_set1(1)));
#ifdef GMI_ORACLE
    r = x > 100 || x < -100 ? vd_exp(x) - 1 : r;
#endif
    return r;
}

/* tanh x = t/(t + 2), t = e^2x - 1 */
static inline vd vd_tanh(vd x)
{
    vd t = vd_expm1(vd_add(x, x));
    return vd_div(t, vd_add(t, vd_set1(2)));
}

/* Both take n = -x, clamped: a likelihood wants the one and its gradient the other, and who asks for both pays for one e^-x. */

/* 1/(1 + e^-x) */
static inline vd vd_sigmoid(vd n) { return vd_div(vd_set1(1), vd_add(vd_set1(1), vd_exp(n))); }

/* log(1 + e^x) = max(x, 0) + 2 atanh(s), s = e/(2 + e) with e = e^-|x| <= 1: that is e^-x/(2 + e^-x), or 1/(1 + 2 e^-x) for x < 0 */
static inline vd vd_softplus(vd x, vd n)
{
    vdm below = vd_lt(x, vd_set1(0));
    vd e = vd_exp(n), top = vd_sel(below, vd_set1(1), e), other = vd_sel(below, e, vd_set1(1)), s = vd_div(top, vd_add(top, vd_add(other, other))), z = vd_mul(s, s);
    return vd_add(vd_add(vd_atleast(x, vd_set1(0)), vd_add(s, s)), vd_mul(vd_mul(s, z), GMI_ATANH_POLY(z, vd_mul(z, z))));
}

/* ---- the logarithm family ---- */

/* log x for 0 < x < inf (floats are normal in double): x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), log(1 + f) = 2 atanh(s), s = f/(2 + f) */
static inline vd vd_log(vd x)
{
    const uint64_t root = UINT64_C(0x3fe6a09e667f3bcd); /* sqrt 1/2 */
    vd t = vd_iadd(x, vd_bits((UINT64_C(1023) << 52) - root));
    vd k = vd_sub(vd_or(vd_ishr(t, 52), vd_set1(4503599627370496.0)), vd_set1(4503599627370496.0 + 1023));
    vd f = vd_sub(vd_iadd(vd_and(t, vd_bits(UINT64_C(0xfffffffffffff))), vd_bits(root)), vd_set1(1));
    vd s = vd_div(f, vd_add(f, vd_set1(2))), z = vd_mul(s, s);
    vd p = vd_add(vd_add(s, s), vd_mul(vd_mul(s, z), GMI_LOG_POLY(z, vd_mul(z, z))));
#ifdef GMI_ORACLE
    if (x > 0 && x < 2.2250738585072014e-308) /* subnormal: scaled by 2^54 */
        return vd_log(x * 18014398509481984.0) - 37.429947750237048;
    return vd_add(vd_mul(k, vd_set1(GMI_LN2_HI)), vd_add(p, vd_mul(k, vd_set1(GMI_LN2_LO))));
#else
    return vd_add(vd_mul(k, vd_set1(0.6931471805599453)), p);
#endif
}

/* log(1 + x) = log u + (x - (u - 1))/u, u = 1 + x rounded: the second term is what the rounding lost, and all there is for tiny x. */
static inline vd vd_log1p(vd x)
{
    vd u = vd_add(vd_set1(1), x), c = vd_sub(x, vd_sub(u, vd_set1(1)));
#ifdef GMI_ORACLE
    c = vd_div(c, u);
#endif
    return vd_add(vd_log(u), c);
}

/* Where x is not in (0, inf): log 0 = -inf, log inf = inf, else NaN. */
static inline vf vf_log_edges(vf x, vf r)
{
    vm good = vm_and(vf_lt(vf_zero(), x), vf_lt(x, vf_set1((gmi_real)GMI_INF)));
    if (GMI_RARE(vm_any(vm_not(good)))) {
        vf edge = vf_sel(vf_lt(vf_zero(), x), x, vf_set1((gmi_real)(GMI_INF - GMI_INF)));
        r = vf_sel(good, r, vf_sel(vf_eq(x, vf_zero()), vf_set1((gmi_real)-GMI_INF), edge));
    }
    return r;
}

/* a^b = exp(b log a), a >= 0 */
static inline vd vd_pow(vd a, vd b) { return vd_exp(vd_atleast(vd_atmost(vd_mul(b, vd_log(a)), vd_set1(GMI_BIG)), vd_set1(-GMI_BIG))); }

/* ---- erf ---- */
#ifdef GMI_ORACLE
/* 2/sqrt(pi) e^-x^2 sum of x (2 x^2)^n/(1 3 5 ... (2n + 1)): all terms have one sign */
static inline vd vd_erf(vd x)
{
    double term = x, sum = x, z = 2 * x * x;
    int n;
    if (x != x)
        return x;
    if (vd_abs(x) > 6)
        return x > 0 ? 1 : -1;
    for (n = 1; vd_abs(term) > vd_abs(sum) * 1e-18; n++) {
        term *= z / (2 * n + 1);
        sum += term;
    }
    return 1.1283791670955126 * sum * vd_exp(-x * x);
}
#else
/* erf |x| = |e^-xG(x) - 1|, where xG = -log erfc is smooth; fitted on [0, 4] with the weight that erf's relative error asks for */
static inline vd vd_erf(vd x)
{
    vd a = vd_atmost(vd_abs(x), vd_set1(4));
    vd a2 = vd_mul(a, a), a4 = vd_mul(a2, a2);
    vd g = GMI_E10(a, a2, a4, 1.1283791666278977, 0.6366198345755405, 0.10277127716385255, -0.019117694907816608, -0.0002530609348641445, 0.0017993536270248893,
                   -0.0007406856652422976, 0.0001674808225679917, -2.13545559147891e-05, 1.1932944879855845e-06);
    return vd_or(vd_abs(vd_expm1(vd_xor(vd_mul(a, g), vd_set1(-0.0)))), vd_and(x, vd_set1(-0.0)));
}
#endif

/* ---- sine and cosine ---- */

/* sine and cosine of the angle that is r past q quarter turns, q in the low bits of t */
static inline vd vd_quarter_sin(vd r, vd t)
{
    vd z = vd_mul(r, r), z2 = vd_mul(z, z), s = vd_mul(r, vd_add(vd_set1(1), vd_mul(z, GMI_SIN_POLY(z, z2))));
    vd c = vd_add(vd_sub(vd_set1(1), vd_mul(z, vd_set1(0.5))), vd_mul(z2, GMI_COS_POLY(z, z2)));
    vdm even = vd_eq(vd_or(vd_and(t, vd_bits(1)), vd_set1(1)), vd_set1(1));
    return vd_xor(vd_sel(even, s, c), vd_ishl(vd_and(t, vd_bits(2)), 62));
}

/* High 64 bits of a product of 64-bit numbers. */
static inline uint64_t gmi_mulhi64(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32, mid = ah * bl + (al * bl >> 32);
    return ah * bh + (mid >> 32) + ((al * bh + (uint32_t)mid) >> 32);
}

/* Payne and Hanek: |x| = m 2^e times the 128 bits of 2/pi that matter modulo 4. 2^20 <= |x| < 2^180 (every float), or the result is NaN. */
static inline void gmi_trig_far(double x, double *t, double *r)
{
    static const uint32_t two_over_pi[11] = {0,          0,          0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                             0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561, 0xb7246e3a};
    uint64_t u, m, hi, lo, p, q;
    int32_t skip, i, b;
    memcpy(&u, &x, sizeof u);
    skip = (int32_t)((u >> 52) & 0x7ff) - 1075 - 2 + 64; /* two zero words stand before the first bit; weight 2 comes first */
    m = (u & UINT64_C(0xfffffffffffff)) | UINT64_C(1) << 52;
    if (skip < 0 || skip >= 192) {
        *r = *t = x - x + (x - x) / (x - x);
        return;
    }
    i = skip / 32, b = skip % 32;
    hi = (uint64_t)two_over_pi[i] << 32 | two_over_pi[i + 1];
    lo = (uint64_t)two_over_pi[i + 2] << 32 | two_over_pi[i + 3];
    if (b) {
        hi = hi << b | lo >> (64 - b);
        lo = lo << b | two_over_pi[i + 4] >> (32 - b);
    }
    p = m * hi + gmi_mulhi64(m, lo); /* quarter turns, modulo 4, with 62 bits of fraction */
    q = (p + (UINT64_C(1) << 61)) >> 62;
    p -= q << 62;
    *r = (p >> 63 ? -(double)(~p + 1) : (double)p) * (1.5707963267948966 / 4611686018427387904.0);
    if (u >> 63) {
        *r = -*r;
        q = 4 - q;
    }
    *t = GMI_ROUNDER + (double)q;
}

/* x = q pi/2 + r, |r| <= pi/4 (Cody and Waite, exact products up to |x| = 2^20) */
static inline vd vd_trig_reduce(vd x, vd *t)
{
    vd k, r;
    *t = vd_add(vd_mul(x, vd_set1(0.6366197723675814)), vd_set1(GMI_ROUNDER));
    k = vd_sub(*t, vd_set1(GMI_ROUNDER));
    r = vd_sub(vd_sub(x, vd_mul(k, vd_set1(1.5707963267341256))), vd_mul(k, vd_set1(6.077100506506192e-11)));
    if (GMI_RARE(vdm_any(vd_le(vd_set1(1048576), vd_abs(x))))) {
        double xs[GMI_WD], ts[GMI_WD], rs[GMI_WD];
        int i;
        vd_store(xs, x), vd_store(ts, *t), vd_store(rs, r);
        for (i = 0; i < GMI_WD; i++)
            if (xs[i] >= 1048576 || xs[i] <= -1048576)
                gmi_trig_far(xs[i], ts + i, rs + i);
        *t = vd_load(ts);
        r = vd_load(rs);
    }
    return r;
}

static inline vd vd_sin(vd x)
{
    vd t, r = vd_trig_reduce(x, &t);
    return vd_quarter_sin(r, t);
}

static inline vd vd_cos(vd x)
{
    vd t, r = vd_trig_reduce(x, &t);
    return vd_quarter_sin(r, vd_iadd(t, vd_bits(1)));
}

/* sine and cosine of 2 pi u, 0 <= u <= 1: the reduction is exact */
static inline void vd_sincos_turns(vd u, vd *s, vd *c)
{
    vd x = vd_mul(u, vd_set1(4)), t = vd_add(x, vd_set1(GMI_ROUNDER));
    vd r = vd_mul(vd_sub(x, vd_sub(t, vd_set1(GMI_ROUNDER))), vd_set1(1.5707963267948966));
    *s = vd_quarter_sin(r, t);
    *c = vd_quarter_sin(r, vd_iadd(t, vd_bits(1)));
}

/* ---- gamma functions, x > 0 (Abramowitz and Stegun 6.1.41, 6.3.18, 6.4.11; B_2k are Bernoulli numbers) ----
 * The asymptotic series is used from GMI_FROM on, where its first dropped term is below 1e-11 (1e-16 in the oracle); below, x moves up by the recurrence. */
#ifdef GMI_ORACLE
#define GMI_FROM 10
#else
#define GMI_FROM 5
#endif

/* lgamma x = (x - 1/2) log x - x + log(2 pi)/2 + sum of B_2k/(2k (2k - 1) x^(2k - 1)); moved: lgamma(x + N) - log(x (x + 1) ... (x + N - 1)) */
static inline vd vd_lgamma(vd x)
{
    vdm small = vd_lt(x, vd_set1(GMI_FROM));
    vd y = vd_sel(small, vd_add(x, vd_set1(GMI_FROM)), x), p = x, w, z, series;
    int i;
    for (i = 1; i < GMI_FROM; i++)
        p = vd_mul(p, vd_add(x, vd_set1(i)));
    p = vd_sel(small, p, vd_set1(1));
    w = vd_div(vd_set1(1), y), z = vd_mul(w, w);
    series = vd_mul(z, GMI_H6(z, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156));
    series = vd_mul(w, vd_add(vd_set1(1.0 / 12), series));
    w = vd_sub(vd_mul(vd_sub(y, vd_set1(0.5)), vd_log(y)), y);
    return vd_sub(vd_add(w, vd_add(series, vd_set1(0.9189385332046728))), vd_log(p));
}

/* digamma x = log x - 1/(2x) - sum of B_2k/(2k x^2k); moved: digamma(x + N) - P'(x)/P(x), P = x (x + 1) ... (x + N - 1) */
static inline vd vd_digamma(vd x)
{
    vdm small = vd_lt(x, vd_set1(GMI_FROM));
    vd y = vd_sel(small, vd_add(x, vd_set1(GMI_FROM)), x), p = x, dp = vd_set1(1), w, z;
    int i;
    for (i = 1; i < GMI_FROM; i++) {
        vd f = vd_add(x, vd_set1(i));
        dp = vd_add(vd_mul(dp, f), p);
        p = vd_mul(p, f);
    }
    dp = vd_sel(small, vd_div(dp, p), vd_set1(0));
    w = vd_div(vd_set1(1), y), z = vd_mul(w, w);
    z = vd_mul(z, GMI_H7(z, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12));
    return vd_sub(vd_sub(vd_sub(vd_log(y), vd_mul(w, vd_set1(0.5))), z), dp);
}

/* Order m >= 1: (-1)^(m+1) m! (sum of (x + i)^-(m+1), i < N, + 1/(m y^m) + 1/(2 y^(m+1)) + sum of B_2k C_k/y^(2k + m)), y = x + N,
 * C_k = (2k + m - 1)!/((2k)! m!); N = m - 1 + GMI_FROM (+ 3 in the oracle) makes the eight terms enough. */
static inline vd vd_polygamma(int32_t m, vd x)
{
    static const double bernoulli[8] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510};
    const int32_t n = GMI_FROM == 10 ? m + 12 : m - 1 + GMI_FROM;
    vd sum = vd_set1(0), y = vd_add(x, vd_set1(n)), w = vd_div(vd_set1(1), y), z = vd_mul(w, w), wm = w, tail;
    double c = (m + 1) / 2.0, factorial = m % 2 ? 1 : -1;
    int32_t i, j;
    for (i = 0; i < n; i++) {
        vd f = vd_div(vd_set1(1), vd_add(x, vd_set1(i))), p = f;
        for (j = 0; j < m; j++)
            p = vd_mul(p, f);
        sum = vd_add(sum, p);
    }
    for (j = 1; j < m; j++)
        wm = vd_mul(wm, w);
    tail = vd_add(vd_set1(1.0 / m), vd_mul(w, vd_set1(0.5)));
    for (i = 0, y = z; i < 8; i++, y = vd_mul(y, z)) {
        tail = vd_add(tail, vd_mul(y, vd_set1(bernoulli[i] * c)));
        c *= (2.0 * i + 2 + m) * (2.0 * i + 3 + m) / ((2.0 * i + 3) * (2.0 * i + 4));
    }
    for (i = 2; i <= m; i++)
        factorial *= i;
    return vd_mul(vd_set1(factorial), vd_add(sum, vd_mul(wm, tail)));
}

/* ---- the same on vectors of gmi_real, with edges ---- */
static inline vf vf_exp(vf x)
{
    x = vf_clamp(x, GMI_BIG);
    return GMI_MAP(vd_exp, x);
}
static inline vf vf_expm1(vf x)
{
    vf y = vf_clamp(x, GMI_BIG);
    return vf_orsign(GMI_MAP(vd_expm1, y), x);
}
static inline vf vf_tanh(vf x)
{
    vf y = vf_clamp(x, 22);
    return vf_orsign(GMI_MAP(vd_tanh, y), x);
}
static inline vf vf_sigmoid(vf x)
{
    x = vf_clamp(vf_neg(x), GMI_BIG);
    return GMI_MAP(vd_sigmoid, x);
}
static inline vf vf_softplus(vf x)
{
    vf n = vf_clamp(vf_neg(x), GMI_BIG);
    return GMI_MAP2(vd_softplus, x, n);
}
static inline vf vf_erf(vf x) { return GMI_MAP(vd_erf, x); }
static inline vf vf_sin(vf x) { return GMI_MAP(vd_sin, x); }
static inline vf vf_cos(vf x) { return GMI_MAP(vd_cos, x); }
static inline vf vf_log(vf x) { return vf_log_edges(x, GMI_MAP(vd_log, x)); }
static inline vf vf_log1p(vf x)
{
    vf r = GMI_MAP(vd_log1p, x);
    vm good = vm_and(vf_lt(vf_set1(-1), x), vf_lt(x, vf_set1((gmi_real)GMI_INF)));
    if (GMI_RARE(vm_any(vm_not(good))))
        r = vf_sel(good, r, vf_log_edges(vf_add(x, vf_set1(1)), r));
    return vf_orsign(r, x);
}

/* pow as C has it for a >= 0 (a < 0 is NaN unless b = 0) */
static inline vf vf_pow(vf a, vf b)
{
    const vf zero = vf_zero(), one = vf_set1(1), inf = vf_set1((gmi_real)GMI_INF);
    vf r = GMI_MAP2(vd_pow, a, b);
    vm good = vm_and(vm_and(vf_lt(zero, a), vf_lt(a, inf)), vm_not(vf_eq(b, zero)));
    if (GMI_RARE(vm_any(vm_not(good)))) {
        /* a = 0: 0 or inf, a = inf: inf or 0, by the sign of b */
        vf up = vf_sel(vf_lt(zero, b), inf, zero), down = vf_sel(vf_lt(zero, b), zero, inf);
        vf edge = vf_sel(vf_eq(a, zero), down, vf_sel(vf_eq(a, inf), up, vf_sub(inf, inf)));
        edge = vf_sel(vf_isnan(b), b, edge);
        r = vf_sel(vf_eq(b, zero), one, vf_sel(good, r, edge));
    }
    return vf_sel(vf_eq(a, one), one, r);
}

/* Where x is not in (0, inf): at0 at +-0, atinf at inf, else NaN. */
static inline vf vf_gamma_edges(vf x, vf r, gmi_real at0, gmi_real atinf)
{
    const vf inf = vf_set1((gmi_real)GMI_INF);
    vm good = vm_and(vf_lt(vf_zero(), x), vf_lt(x, inf));
    if (GMI_RARE(vm_any(vm_not(good)))) {
        vf edge = vf_sel(vf_eq(x, vf_zero()), vf_set1(at0), vf_sel(vf_eq(x, inf), vf_set1(atinf), vf_sub(inf, inf)));
        r = vf_sel(good, r, edge);
    }
    return r;
}
static inline vf vf_lgamma(vf x) { return vf_gamma_edges(x, GMI_MAP(vd_lgamma, x), (gmi_real)GMI_INF, (gmi_real)GMI_INF); }
static inline vf vf_digamma(vf x) { return vf_gamma_edges(x, GMI_MAP(vd_digamma, x), (gmi_real)-GMI_INF, (gmi_real)GMI_INF); }
static inline vf vf_polygamma(int32_t m, vf x)
{
#if GMI_ND == 1
    vf r = vf_pack(vd_polygamma(m, vd_lo(x)));
#else
    vf r = vf_pack(vd_polygamma(m, vd_lo(x)), vd_polygamma(m, vd_hi(x)));
#endif
    return vf_gamma_edges(x, r, (gmi_real)(m % 2 ? GMI_INF : -GMI_INF), 0);
}
#endif
