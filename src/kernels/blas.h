/* SPDX-License-Identifier: MIT */
/* blas.h: matrix products through the CBLAS that a build was given (make CBLAS=-lopenblas); internal to kernels/gemm.c.
 *
 * GMI_BLAS is 0 or 1, used as `if (GMI_BLAS && ...)`, so that both branches compile; without a CBLAS cblas.c is not part of the library. */
#ifndef GMI_KERNELS_BLAS_H
#define GMI_KERNELS_BLAS_H
#include "kernels/gemm.h"

#ifdef GM_HAVE_CBLAS
#define GMI_BLAS 1
#else
#define GMI_BLAS 0
#endif

/* 1: the plan is filled and the product goes to the BLAS (p->blas = 1); 0: it stays with gemm.c. Sizes and strides of p are checked already. */
int gmi_blas_plan(gmi_gemm_plan *p, const gmi_kernels *t, int32_t max_tasks);
void gmi_blas_run(const gmi_gemm_plan *p, const gmi_gemm_io *io, int32_t task);
#endif
