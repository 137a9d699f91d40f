/* SPDX-License-Identifier: MIT */
/* linalg.h: small dense linear algebra in double, for figures and pictures: not for training. Row-major, the same bits everywhere. */
#ifndef GMI_TENSOR_LINALG_H
#define GMI_TENSOR_LINALG_H
#include "base/base.h"

double gmi_linalg_sqrt(double x); /* within an ulp; 0 for what is not positive */
/* Eigenvalues, largest first, and orthonormal eigenvectors of a symmetric a [n, n], of which the lower triangle is read. vectors [n, n] has eigenvector i as row
 * i, its entry of largest size (the first of equals) positive; it may be a itself. GM_E_NONFINITE when a has a NaN or an infinity. */
gm_status gmi_linalg_eigen(gm_context *c, int64_t n, const double *a, double *values, double *vectors);
/* Means [d] and the covariance [d, d] (divided by n) of rows x [n, d]. */
void gmi_linalg_covariance(int64_t n, int64_t d, const double *x, double *mean, double *cov);
#endif
