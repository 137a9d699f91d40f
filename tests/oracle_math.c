/* SPDX-License-Identifier: MIT */
/* oracle_math.c: test_math again on the double kernels of the oracle: what the float kernels are judged by must itself be right. The float build of
 * this file has nothing to add. */
#ifdef GMI_ORACLE
#include "test_math.c"
#else
#include "tap.h"
int main(void)
{
    skip("test_math runs the float kernels");
    return done();
}
#endif
