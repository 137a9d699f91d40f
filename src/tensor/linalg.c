/* SPDX-License-Identifier: MIT */
/* linalg.c: the symmetric eigenvalue problem, in double.
 *
 * Householder reflections make the matrix tridiagonal, implicit QR steps with Wilkinson's shift make that diagonal (Golub and Van Loan, Matrix Computations, 4th
 * ed., algorithms 8.3.1 to 8.3.3). About 4 n^3 operations; errors are of the order of the unit roundoff times the largest eigenvalue. Eigenvectors are kept as rows, so
 * that a rotation runs over contiguous memory. Not here: general matrices, blocked algorithms. */
#include "tensor/linalg.h"

#define ROUNDOFF 2.220446049250313e-16

static double size_of(double x) { return x < 0 ? -x : x; }

/* x = m 4^k with m in [1, 4): Newton's steps on m from a line that is within 0.1. */
double gmi_linalg_sqrt(double x)
{
    uint64_t u;
    double m, y, back = 1;
    int32_t e;
    if (!(x > 0)) return 0;
    if (x > 1.7976931348623157e308) return x;
    if (x < 2.2250738585072014e-308) {
        x *= 324518553658426726783156020576256.0; /* 2^108 */
        back = 5.551115123125783e-17;             /* 2^-54 */
    }
    memcpy(&u, &x, sizeof u);
    e = (int32_t)(u >> 52) - 1023;
    u = (u & 0xfffffffffffffull) | (uint64_t)(1023 + (e & 1)) << 52;
    memcpy(&m, &u, sizeof m);
    e = (e - (e & 1)) / 2;
    y = 0.7 + m * 0.34;
    for (int i = 0; i < 5; i++) y = 0.5 * (y + m / y);
    u = (uint64_t)(1023 + e) << 52;
    memcpy(&m, &u, sizeof m);
    return y * m * back;
}

static double dot(int64_t n, const double *x, const double *y)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += x[i] * y[i];
    return s;
}

/* The reflection I - beta v v' that maps x [n] to a multiple of the first axis: v over x, the multiple returned. */
static double reflection(int64_t n, double *x, double *beta)
{
    double most = 0, norm, alpha;
    for (int64_t i = 0; i < n; i++) most = GMI_MAX(most, size_of(x[i]));
    *beta = 0;
    if (most == 0) return 0;
    for (int64_t i = 0; i < n; i++) x[i] /= most; /* no overflow in the squares */
    norm = gmi_linalg_sqrt(dot(n, x, x));
    alpha = x[0] > 0 ? -norm : norm;
    x[0] -= alpha;
    *beta = 2 / dot(n, x, x);
    return alpha * most;
}

/* a := a - v w' - w v' for the lower triangle of the last m rows and columns; p and then w in `work`. */
static void two_sided(int64_t n, int64_t m, double *a, const double *v, double beta, double *work)
{
    double *b = a + (n - m) * n + (n - m), k;
    for (int64_t i = 0; i < m; i++) { /* p = beta A v, from the lower triangle */
        double s = dot(i + 1, b + i * n, v);
        for (int64_t j = i + 1; j < m; j++) s += b[j * n + i] * v[j];
        work[i] = beta * s;
    }
    k = 0.5 * beta * dot(m, work, v);
    for (int64_t i = 0; i < m; i++) work[i] -= k * v[i];
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j <= i; j++) b[i * n + j] -= v[i] * work[j] + work[i] * v[j];
}

/* a becomes the orthogonal matrix whose rows make it tridiagonal: d its diagonal, e what is beside it. v [n], work [n]. */
static void tridiagonal(int64_t n, double *a, double *d, double *e, double *beta, double *v, double *work)
{
    for (int64_t k = 0; k + 2 < n; k++) {
        int64_t m = n - k - 1;
        for (int64_t i = 0; i < m; i++) v[i] = a[(k + 1 + i) * n + k];
        e[k] = reflection(m, v, &beta[k]);
        two_sided(n, m, a, v, beta[k], work);
        for (int64_t i = 0; i < m; i++) a[(k + 1 + i) * n + k] = v[i];
    }
    if (n > 1) e[n - 2] = a[(n - 1) * n + n - 2];
    for (int64_t i = 0; i < n; i++) d[i] = a[i * n + i];
    /* Rows of the product of the reflections: Q' = H_last ... H_0; built from the last one, which touches the fewest rows. Column k of a holds v_k below the
     * diagonal until it is used. */
    for (int64_t k = n - 1; k >= 0; k--) {
        int64_t m = n - k - 1;
        for (int64_t i = 0; i < m; i++) v[i] = k + 2 < n ? a[(k + 1 + i) * n + k] : 0;
        for (int64_t i = k; i < n; i++) a[i * n + k] = a[k * n + i] = i == k;
        for (int64_t i = k + 1; m > 1 && i < n; i++) {
            double s = beta[k] * dot(m, a + i * n + k + 1, v);
            for (int64_t j = 0; j < m; j++) a[i * n + k + 1 + j] -= s * v[j];
        }
    }
}

/* One implicit QR step on d[lo..hi], with the eigenvalue of the last 2 x 2 block that is nearer to d[hi] as shift. */
static void qr_step(int64_t n, int64_t lo, int64_t hi, double *d, double *e, double *rows)
{
    double half = (d[hi - 1] - d[hi]) / 2, last = e[hi - 1], root = gmi_linalg_sqrt(half * half + last * last);
    double shift = d[hi] - last * last / (half + (half < 0 ? -root : root)), x = d[lo] - shift, z = e[lo];
    for (int64_t k = lo; k < hi; k++) {
        double r = gmi_linalg_sqrt(x * x + z * z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0, a = d[k], b = d[k + 1], f = e[k];
        double *p = rows + k * n, *q = p + n;
        if (k > lo) e[k - 1] = r;
        d[k] = c * c * a + 2 * c * s * f + s * s * b;
        d[k + 1] = s * s * a - 2 * c * s * f + c * c * b;
        e[k] = c * s * (b - a) + (c * c - s * s) * f;
        if (k + 1 < hi) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        for (int64_t i = 0; i < n; i++) {
            double t = c * p[i] + s * q[i];
            q[i] = c * q[i] - s * p[i];
            p[i] = t;
        }
    }
}

static int diagonal(int64_t n, double *d, double *e, double *rows)
{
    int64_t hi = n - 1, steps = 0;
    while (hi > 0) {
        int64_t lo = hi;
        for (int64_t k = 0; k < hi; k++)
            if (size_of(e[k]) <= ROUNDOFF * (size_of(d[k]) + size_of(d[k + 1]))) e[k] = 0;
        while (lo > 0 && e[lo - 1] != 0) lo--;
        if (lo == hi) {
            hi--;
            continue;
        }
        if (++steps > 60 * n) return -1;
        qr_step(n, lo, hi, d, e, rows);
    }
    return 0;
}

static void swap_rows(int64_t n, double *p, double *q)
{
    for (int64_t i = 0; i < n; i++) {
        double t = p[i];
        p[i] = q[i];
        q[i] = t;
    }
}

static void sort_and_sign(int64_t n, double *d, double *rows)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t most = i, at = 0;
        for (int64_t j = i + 1; j < n; j++)
            if (d[j] > d[most]) most = j;
        if (most != i) {
            double t = d[i];
            d[i] = d[most];
            d[most] = t;
            swap_rows(n, rows + i * n, rows + most * n);
        }
        for (int64_t j = 1; j < n; j++)
            if (size_of(rows[i * n + j]) > size_of(rows[i * n + at])) at = j;
        for (int64_t j = 0; rows[i * n + at] < 0 && j < n; j++)
            if (j != at) rows[i * n + j] = -rows[i * n + j];
        rows[i * n + at] = size_of(rows[i * n + at]);
    }
}

/* Scaled so that the largest entry is 1: squares neither overflow nor vanish. */
static gm_status scaled_copy(gm_context *c, int64_t n, const double *a, double *to, double *scale)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            if (!gmi_f64_finite(a[i * n + j])) return gmi_fail(c, GM_E_NONFINITE, "entry [%i,%i] of the matrix is %g", i, j, a[i * n + j]);
            most = GMI_MAX(most, size_of(a[i * n + j]));
        }
    *scale = most > 0 ? most : 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) to[i * n + j] = a[i * n + j] / *scale;
    return GM_OK;
}

gm_status gmi_linalg_eigen(gm_context *c, int64_t n, const double *a, double *values, double *vectors)
{
    double *work = gmi_alloc_n(c, GMI_MAX(n, 1), 4 * sizeof *work), scale = 1;
    gm_status s;
    if (!work) return c->status;
    s = scaled_copy(c, n, a, vectors, &scale);
    if (!s) {
        tridiagonal(n, vectors, values, work, work + n, work + 2 * n, work + 3 * n);
        if (diagonal(n, values, work, vectors)) s = gmi_fail(c, GM_E_INTERNAL, "the eigenvalues of a matrix of %i rows did not converge", n);
    }
    if (!s) {
        sort_and_sign(n, values, vectors);
        for (int64_t i = 0; i < n; i++) values[i] *= scale;
    }
    gmi_free(c, work);
    return s;
}

void gmi_linalg_covariance(int64_t n, int64_t d, const double *x, double *mean, double *cov)
{
    for (int64_t j = 0; j < d; j++) mean[j] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) mean[j] += (x[i * d + j] - mean[j]) / (double)(i + 1);
    for (int64_t j = 0; j < d * d; j++) cov[j] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double a = x[i * d + j] - mean[j];
            for (int64_t k = 0; k <= j; k++) cov[j * d + k] += a * (x[i * d + k] - mean[k]);
        }
    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k <= j; k++) cov[k * d + j] = cov[j * d + k] = cov[j * d + k] / (double)n;
}
