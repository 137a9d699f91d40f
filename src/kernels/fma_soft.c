/* SPDX-License-Identifier: MIT */
/* fma_soft.c: the rare path of the software fma (see fma_soft.h): round to odd in double, then to float.
 *
 * Knuth's two-sum gives the error e of s = p + c exactly: |p| and |c| lie in [2^-298, 2^256], far from double's limits. If e != 0 and the last
 * bit of s is even, s moves one unit towards the exact sum, so that its last bit is odd and "sticky"; 53 >= 24 + 2 bits make the second rounding right. */
#include "kernels/fma_soft.h"

float gmi_fma_fix(double p, double c)
{
    double s = p + c;
    double t = s - p;
    double e = (p - (s - t)) + (c - t);
    uint64_t u;
    if (e == e && e != 0) {
        memcpy(&u, &s, sizeof u);
        if (!(u & 1))
            u = ((e > 0) == (s > 0)) ? u + 1 : u - 1;
        memcpy(&s, &u, sizeof s);
    }
    return (float)s;
}
