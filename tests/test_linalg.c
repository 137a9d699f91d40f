/* SPDX-License-Identifier: MIT */
/* test_linalg.c: square roots; eigenvalues of matrices that are known, of random ones by their residuals; covariance; refusals. */
#include "format_util.h"
#include "tensor/linalg.h"

static uint64_t state = 1;
static double uniform(void)
{
    state = gmi_mix64(state + 1);
    return (double)(state >> 11) / 4503599627370496.0 - 1;
}

static void test_sqrt(void)
{
    double worst = 0;
    for (int i = 0; i < 20000; i++) {
        double x = ldexp(1 + (uniform() + 1) / 2, (int)(uniform() * 1000)), y = gmi_linalg_sqrt(x), e = fabs(y - sqrt(x)) / sqrt(x);
        if (e > worst) worst = e;
    }
    ok(worst <= 2.3e-16, "sqrt within an ulp: %g", worst);
    ok(gmi_linalg_sqrt(4) == 2 && gmi_linalg_sqrt(0) == 0 && gmi_linalg_sqrt(-1) == 0 && gmi_linalg_sqrt(INFINITY) == INFINITY, "special values");
    near(gmi_linalg_sqrt(1e-320) / 1e-160, 1, 1e-4, "a subnormal");
}

/* |A v - lambda v|, |V V' - I| and order, relative to the largest eigenvalue. */
static double residual(int64_t n, const double *a, const double *d, const double *v)
{
    double worst = 0, most = 1e-300;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(d[i]));
    for (int64_t k = 0; k < n; k++) {
        if (k && d[k] > d[k - 1]) return 1e9;
        for (int64_t i = 0; i < n; i++) {
            double s = 0, t = 0;
            for (int64_t j = 0; j < n; j++) s += a[i * n + j] * v[k * n + j], t += v[k * n + j] * v[i * n + j];
            worst = fmax(worst, fabs(s - d[k] * v[k * n + i]) / most);
            worst = fmax(worst, fabs(t - (i == k)));
        }
    }
    return worst;
}

static void test_eigen(gm_context *c)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 7, 20, 61, 120};
    double a3[9] = {2, -1, 0, -1, 2, -1, 0, -1, 2}, d[120], *a = malloc(120 * 120 * sizeof *a), *v = malloc(120 * 120 * sizeof *v);
    ok(!gmi_linalg_eigen(c, 3, a3, d, v), "a known matrix");
    near(d[0], 2 + sqrt(2.0), 1e-14, "2 + sqrt 2");
    near(d[1], 2, 1e-14, "2");
    near(d[2], 2 - sqrt(2.0), 1e-14, "2 - sqrt 2");
    near(v[1], -v[0] * sqrt(2.0), 1e-14, "its first vector");
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int kind = 0; kind < 4; kind++) {
            int64_t n = sizes[k];
            double scale = kind == 3 ? 1e-200 : kind == 2 ? 1e200 : 1;
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = scale * (kind == 1 ? (i == j) * (double)(i / 3) : uniform());
            double r = gmi_linalg_eigen(c, n, a, d, v) ? 1e9 : residual(n, a, d, v);
            ok(r < 1e-13, "%d rows, kind %d: %g", (int)n, kind, r);
        }
    for (int64_t i = 0; i < 20 * 20; i++) a[i] = 0;
    for (int64_t i = 0; i < 20; i++) a[i * 20 + (19 - i)] = 1; /* an exchange: eigenvalues 1 and -1, ten each */
    ok(!gmi_linalg_eigen(c, 20, a, d, v) && residual(20, a, d, v) < 1e-13 && fabs(d[9] - 1) < 1e-14 && fabs(d[10] + 1) < 1e-14, "eigenvalues of multiplicity ten");
    for (int64_t i = 0; i < 9; i++) a[i] = 0;
    ok(!gmi_linalg_eigen(c, 3, a, d, a) && d[0] == 0 && a[0] == 1 && a[4] == 1, "zeros, in place");
    a[3] = NAN;
    ok(gmi_linalg_eigen(c, 3, a, d, v) == GM_E_NONFINITE, "NaN");
    free(a), free(v);
}

static void test_covariance(void)
{
    double x[8] = {1e9 + 1, 0, 1e9 + 2, 1, 1e9 + 3, 4, 1e9 + 4, 3}, mean[2], cov[4];
    gmi_linalg_covariance(4, 2, x, mean, cov);
    near(mean[0], 1e9 + 2.5, 1e-6, "mean");
    near(cov[0], 1.25, 1e-6, "variance around a large mean");
    near(cov[1], 1.5, 1e-6, "covariance");
    ok(cov[1] == cov[2] && fabs(cov[3] - 2.5) < 1e-12, "symmetric");
}

int main(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    test_sqrt();
    test_eigen(c);
    test_covariance();
    gm_context_destroy(c);
    ok(h.now == 0, "nothing leaked");
    return done();
}
