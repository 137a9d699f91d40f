/* SPDX-License-Identifier: MIT */
/* fma_soft.h: exact single-precision fused multiply-add for machines without the instruction.
 *
 * The product of two floats is exact in double (24 + 24 bits <= 53, and no exponent of it leaves double's range). s = p + c is one rounding; a second one
 * goes to float. Rounding is monotonic, so the pair differs from one rounding only if s fell exactly on a midpoint of two floats without being exact. For
 * normal results a midpoint has the low 29 bits 1000...0; below 2^-126 it lies elsewhere. Only those rare cases call gmi_fma_fix, which rounds the sum to
 * odd (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008) before the rounding to float. */
#ifndef GMI_KERNELS_FMA_SOFT_H
#define GMI_KERNELS_FMA_SOFT_H
#include <stdint.h>
#include <string.h>

/* p + c rounded once to float; p is an exact product of two floats, c a float. */
float gmi_fma_fix(double p, double c);

/* 1 when rounding s = p + c to float might be a double rounding. */
static inline int gmi_fma_rare(double s)
{
    uint64_t u;
    memcpy(&u, &s, sizeof u);
    /* (u << 1) - 1 sends +-0 to the top, so one comparison finds 0 < |s| < 2^-126 */
    return ((uint32_t)u & 0x1fffffffu) == 0x10000000u || (u << 1) - 1 < (UINT64_C(897) << 53) - 1;
}

static inline float gmi_fma_soft(float a, float b, float c)
{
    double p = (double)a * (double)b, s = p + (double)c;
    return gmi_fma_rare(s) ? gmi_fma_fix(p, (double)c) : (float)s;
}
#endif
