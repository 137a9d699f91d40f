/* SPDX-License-Identifier: MIT */
/* num.c: a few elementary functions of double for host-side numbers: initial weights, schedules, bias corrections.
 *
 * Only + - * / on doubles and integer arithmetic, no contraction, no library: the bits are the same on every platform that has IEEE 754 doubles.
 * sqrt is correctly rounded (an integer remainder); log, exp, sine and cosine are within 2 ulp (series after an exact reduction), the arc tangent within 4. The vector
 * kernels of float are elsewhere (kernels/math.h); nothing here is fast and nothing here runs per element of a step. */
#include "nn/nn.h"

static uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* 2^k for normal results. */
static double pow2(int32_t k) { return from_bits((uint64_t)(k + 1023) << 52); }

/* x = m * 2^e, m in [1, 2); x > 0 and finite, subnormals included. */
static double split(double x, int32_t *e)
{
    uint64_t u;
    int32_t extra = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        extra = 54;
    }
    u = bits_of(x);
    *e = (int32_t)(u >> 52) - 1023 - extra;
    return from_bits((u & 0xfffffffffffffull) | 0x3ff0000000000000ull);
}

/* x = m 2^e with an integer m of 53 or 54 bits and even e; root = floor(sqrt(m 2^54)) has 54 digits, and the remainder decides the rounding of the last one.
 * Heron's iteration gives root but for a few units; the remainder, below 2^63 then, is exact modulo 2^64 and corrects it. A tie cannot occur: the
 * square of an odd 54-digit number is no multiple of 2^54. */
double gmi_num_sqrt(double x)
{
    uint64_t m, root;
    int64_t rest;
    int32_t e, i;
    double f, y;
    if (!(x > 0.0)) return x == 0.0 ? x : x - x + (0.0 / (x - x));
    if (x > 1.7976931348623157e308) return x;
    f = split(x, &e);
    if (e & 1) {
        f *= 2.0;
        e--;
    }
    m = (uint64_t)(f * 4503599627370496.0); /* 2^52 */
    y = 0.65 + 0.35 * f;
    for (i = 0; i < 5; i++) y = 0.5 * (y + f / y);
    root = (uint64_t)(y * 9007199254740992.0); /* 2^53 */
    rest = (int64_t)((m << 54) - root * root);
    for (; rest < 0; rest += (int64_t)(2 * root + 1)) root--;
    for (; rest > (int64_t)(2 * root); root++) rest -= (int64_t)(2 * root + 1);
    return (double)((root + 1) >> 1) * pow2(e / 2 - 52);
}

/* 1 / (2 i + 3) */
static const double odd[11] = {1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};

/* x = f 2^k with f in [sqrt(1/2), sqrt(2)): log x = k log 2 + 2 atanh(s), s = (f - 1) / (f + 1). */
double gmi_num_log(double x)
{
    int32_t k, i;
    double f, s, s2, sum = 0.0;
    if (!(x > 0.0)) return x == 0.0 ? -1.0 / 0.0 : x - x + (0.0 / (x - x));
    if (x > 1.7976931348623157e308) return x;
    f = split(x, &k);
    if (f > 1.4142135623730951) {
        f *= 0.5;
        k++;
    }
    s = (f - 1.0) / (f + 1.0);
    s2 = s * s;
    for (i = 10; i >= 0; i--) sum = (sum + odd[i]) * s2;
    return (double)k * 6.93147180369123816490e-01 + (2.0 * s + (2.0 * s * sum + (double)k * 1.90821492927058770002e-10));
}

/* exp(x) = 2^k exp(r), |r| <= log(2) / 2; overflow gives infinity, below 2^-1022 gives 0. */
double gmi_num_exp(double x)
{
    int32_t k, i;
    double r, sum = 1.0;
    if (x != x) return x;
    if (x > 709.78) return 1.0 / 0.0;
    if (x < -708.39) return 0.0;
    k = (int32_t)(x * 1.4426950408889634 + (x < 0.0 ? -0.5 : 0.5));
    r = (x - (double)k * 6.93147180369123816490e-01) - (double)k * 1.90821492927058770002e-10;
    for (i = 15; i >= 1; i--) sum = 1.0 + sum * r / (double)i;
    return k > 1023 ? sum * pow2(1023) * pow2(k - 1023) : sum * pow2(k);
}

/* 1 / ((i + 1) (i + 2)) */
static const double ratio[16] = {1.0 / 2,  1.0 / 6,   1.0 / 12,  1.0 / 20,  1.0 / 30,  1.0 / 42,  1.0 / 56,  1.0 / 72,
                                 1.0 / 90, 1.0 / 110, 1.0 / 132, 1.0 / 156, 1.0 / 182, 1.0 / 210, 1.0 / 240, 1.0 / 272};

/* sin and cos of a whole turn times u; any finite u: the turn is reduced exactly before pi enters. */
void gmi_num_turn(double u, double *sine, double *cosine)
{
    int32_t q, i;
    double t, r, r2, s = 0.0, c = 0.0, quarter;
    t = u - gmi_num_floor(u);
    q = (int32_t)(4.0 * t + 0.5);
    quarter = (double)q * 0.25;
    r = (t - quarter) * 6.283185307179586;
    r2 = r * r;
    for (i = 7; i >= 0; i--) {
        s = (1.0 + s) * (-r2 * ratio[2 * i + 1]);
        c = (1.0 + c) * (-r2 * ratio[2 * i]);
    }
    s = r + r * s;
    c = 1.0 + c;
    switch (q & 3) {
    case 0: *sine = s, *cosine = c; break;
    case 1: *sine = c, *cosine = -s; break;
    case 2: *sine = -s, *cosine = -c; break;
    default: *sine = -c, *cosine = s; break;
    }
}

/* atan x = pi/2 - atan(1/x) brings x to [0, 1], two halvings atan x = 2 atan(x / (1 + sqrt(1 + x^2))) to 0.199; there sum (-1)^i x^(2i+1) / (2i+1). */
double gmi_num_atan(double x)
{
    double y = x < 0.0 ? -x : x, y2, sum = 0.0;
    int32_t i, inverse = y > 1.0;
    if (x != x) return x;
    if (inverse) y = 1.0 / y;
    for (i = 0; i < 2; i++) y = y / (1.0 + gmi_num_sqrt(1.0 + y * y));
    y2 = y * y;
    for (i = 10; i >= 0; i--) sum = (odd[i] - sum) * y2;
    y = 4.0 * (y - y * sum);
    if (inverse) y = (1.5707963267948966 - y) + 6.123233995736766e-17;
    return x < 0.0 ? -y : y;
}

double gmi_num_floor(double x)
{
    double i;
    if (!(x > -9007199254740992.0 && x < 9007199254740992.0)) return x;
    i = (double)(int64_t)x;
    return i > x ? i - 1.0 : i;
}

/* x^n by squaring: exact powers where they exist, n >= 0. */
double gmi_num_powi(double x, int64_t n)
{
    double y = 1.0;
    for (; n > 0; n >>= 1) {
        if (n & 1) y *= x;
        if (n > 1) x *= x;
    }
    return y;
}
