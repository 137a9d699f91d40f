/* SPDX-License-Identifier: MIT */
/* test_math.c: the functions of kernels/math.h against libm in higher precision: worst error in units in the last place over samples of every exponent,
 * the neighbourhoods of edges, monotony on neighbours, and the values that C gives at zeros, infinities and NaN. Runs on the scalar table; checkkern shows
 * that the other levels have the same bits. In the oracle build the bound is a relative error of 1e-13. */
#include "tap.h"
#include "base/base.h"
#include "kernels/kernels.h"

#ifdef GMI_ORACLE
typedef long double wide;
typedef uint64_t bits;
#define LIBM(f) f##l
#define STEP_COUNT 20000
#else
typedef double wide;
typedef uint32_t bits;
#define LIBM(f) f
#define STEP_COUNT 100000
#endif
#define SIGN ((bits)1 << (8 * sizeof(bits) - 1))
#define INF ((gmi_real)INFINITY)
enum { CHUNK = 1024 };

static gmi_kernels table;

static bits bits_of(gmi_real x)
{
    bits u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static gmi_real real_of(bits u)
{
    gmi_real x;
    memcpy(&x, &u, sizeof x);
    return x;
}
/* The reals in order, as integers in order. */
static bits rank_of(gmi_real x)
{
    bits u = bits_of(x);
    return u & SIGN ? ~u : u | SIGN;
}
static gmi_real at_rank(bits r) { return real_of(r & SIGN ? r ^ SIGN : ~r); }

/* Error of got in units in the last place of the compute type at the exact value; in the oracle in units of 1e-13 of it. */
static double ulps(gmi_real got, wide exact, double absolute)
{
    if (exact != exact || got != got) return exact != exact && got != got ? 0 : 1e30;
#ifdef GMI_ORACLE
    if (isinf(exact) || fabsl(exact) > 1.79769313486231570e308L) return got == (gmi_real)exact || isinf(got) ? 0 : 1e30;
    if (fabsl(got - exact) <= (wide)absolute) return 0;
    if (fabsl(exact) < 1e-300L) return fabs(got - (double)exact) < 1e-310 ? 0 : 1e30;
    return (double)(fabsl(got - exact) / fabsl(exact) / 1e-13L);
#else
    int e;
    if (fabs(exact) >= 3.4028235677973366e38) return got == (exact > 0 ? INF : -INF) ? 0 : 1e30; /* half a unit above FLT_MAX rounds to inf */
    if (isinf(got)) return 1e30;
    if (fabs(got - exact) <= absolute) return 0;
    frexp(exact, &e);
    return fabs(got - exact) / ldexp(1, (e < -125 ? -125 : e) - 24);
#endif
}

static wide ref_sigmoid(wide x) { return x < 0 ? LIBM(exp)(x) / (1 + LIBM(exp)(x)) : 1 / (1 + LIBM(exp)(-x)); }
static wide ref_softplus(wide x) { return (x > 0 ? x : 0) + LIBM(log1p)(LIBM(exp)(-LIBM(fabs)(x))); }
/* sum of 1/(x + i)^(m + 1), the rest by Euler and Maclaurin's formula, in the wide type */
static wide ref_polygamma(int m, wide wx)
{
    static const wide b[8] = {(wide)1 / 6, -(wide)1 / 30, (wide)1 / 42, -(wide)1 / 30, (wide)5 / 66, -(wide)691 / 2730, (wide)7 / 6, -(wide)3617 / 510};
    wide x = wx, s = 0, y = x + 40, f = 1, r;
    int i, j;
    if (!(wx > 0)) return wx == 0 ? (m % 2 ? (wide)INFINITY : -(wide)INFINITY) : (wide)NAN;
    if (isinf(wx)) return m ? 0 : wx;
    for (i = 0; i < 40; i++) s += LIBM(pow)(x + i, -(m + 1));
    for (i = 2; i <= m; i++) f *= i;
    r = m ? 1 / (m * LIBM(pow)(y, m)) : -LIBM(log)(y);
    r += LIBM(pow)(y, -(m + 1)) / 2;
    for (i = 1; i <= 8; i++) {
        wide c = 1; /* (2i + m - 1)!/((2i)! m!) */
        if (m == 0) c = (wide)1 / (2 * i);
        else {
            for (j = 2 * i + 1; j <= 2 * i + m - 1; j++) c *= j;
            c /= f;
        }
        r += b[i - 1] * c * LIBM(pow)(y, -(2 * i + m));
    }
    return (wide)((m % 2 ? f : -f) * (s + r));
}
static wide ref_digamma(wide x) { return ref_polygamma(0, x); }
static wide ref_trigamma(wide x) { return ref_polygamma(1, x); }
static wide ref_tetragamma(wide x) { return ref_polygamma(2, x); }
static wide ref_gamma5(wide x) { return ref_polygamma(5, x); }
static wide ref_lgamma(wide x) { return x < 0 ? (wide)NAN : LIBM(lgamma)(x); }
static wide ref_recip(wide x) { return 1 / x; }
static wide ref_exp(wide x) { return LIBM(exp)(x); }
static wide ref_expm1(wide x) { return LIBM(expm1)(x); }
static wide ref_log(wide x) { return LIBM(log)(x); }
static wide ref_log1p(wide x) { return LIBM(log1p)(x); }
static wide ref_tanh(wide x) { return LIBM(tanh)(x); }
static wide ref_erf(wide x) { return LIBM(erf)(x); }
static wide ref_sin(wide x) { return LIBM(sin)(x); }
static wide ref_cos(wide x) { return LIBM(cos)(x); }
static wide ref_sqrt(wide x) { return LIBM(sqrt)(x); }
static wide ref_floor(wide x) { return LIBM(floor)(x); }

typedef struct row {
    const char *name;
    int32_t op;
    gmi_real p, lo, hi;
    double bound, absolute; /* ulp, or an error that is always good enough */
    int monotone;           /* 1 rising, -1 falling, 0 neither */
    wide (*ref)(wide);
} row;

#ifdef GMI_ORACLE
#define FAR 1e6
#define ROOT 1e-13
#define OVER 800
#else
#define FAR 3.4e38f
#define ROOT 1e-6
#define OVER 150
#endif
static const row rows[] = {
    {"exp", GMI_U_exp, 0, -OVER, OVER, 1, 0, 1, ref_exp},
    {"expm1", GMI_U_expm1, 0, -OVER, OVER, 1, 0, 1, ref_expm1},
    {"log", GMI_U_log, 0, 0, FAR, 1, 0, 1, ref_log},
    {"log1p", GMI_U_log1p, 0, -1, FAR, 1, 0, 1, ref_log1p},
    {"tanh", GMI_U_tanh, 0, -FAR, FAR, 1, 0, 1, ref_tanh},
    {"sigmoid", GMI_U_sigmoid, 0, -OVER, FAR, 1, 0, 1, ref_sigmoid},
    {"softplus", GMI_U_softplus, 0, -OVER, FAR, 1, 0, 1, ref_softplus},
    {"erf", GMI_U_erf, 0, -FAR, FAR, 1, 0, 1, ref_erf},
    {"sin", GMI_U_sin, 0, (gmi_real)-6.2831855, (gmi_real)6.2831855, 1, 0, 0, ref_sin},
    {"cos", GMI_U_cos, 0, (gmi_real)-6.2831855, (gmi_real)6.2831855, 1, 0, 0, ref_cos},
    {"sin far", GMI_U_sin, 0, -FAR, FAR, 1, 0, 0, ref_sin},
    {"cos far", GMI_U_cos, 0, -FAR, FAR, 1, 0, 0, ref_cos},
    {"lgamma", GMI_U_lgamma, 0, 0, FAR, 4, ROOT, 0, ref_lgamma},
    {"digamma", GMI_U_polygamma, 0, 0, FAR, 4, ROOT, 1, ref_digamma},
    {"polygamma 1", GMI_U_polygamma, 1, 0, FAR, 4, 0, -1, ref_trigamma},
    {"polygamma 2", GMI_U_polygamma, 2, 0, FAR, 4, 0, 1, ref_tetragamma},
    {"polygamma 5", GMI_U_polygamma, 5, 0, (gmi_real)1e6, 4, 0, -1, ref_gamma5},
    {"sqrt", GMI_U_sqrt, 0, 0, FAR, 0.5, 0, 1, ref_sqrt},
    {"recip", GMI_U_recip, 0, -FAR, FAR, 0.5, 0, 0, ref_recip},
    {"floor", GMI_U_floor, 0, -FAR, FAR, 0, 0, 1, ref_floor},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

typedef struct worst {
    double error;
    gmi_real x, got;
    wide want;
    int64_t falls;
    gmi_real fall;
} worst;

static void check_chunk(const row *r, int n, const gmi_real *x, worst *w)
{
    gmi_real y[2 * CHUNK];
    table.unary[r->op](n, y, x, r->p);
    for (int i = 0; i < n; i++) {
        wide want = r->ref((wide)x[i]);
        double e = ulps(y[i], want, r->absolute);
        if (e > w->error) w->error = e, w->x = x[i], w->got = y[i], w->want = want;
        if (i % 2 && r->monotone && !(r->monotone > 0 ? y[i - 1] <= y[i] : y[i - 1] >= y[i]) && x[i - 1] >= r->lo && x[i] <= r->hi)
            w->falls++, w->fall = x[i];
    }
}

static int count_of(const row *r) { return r->op == GMI_U_polygamma ? STEP_COUNT / 20 : STEP_COUNT; } /* its reference is slow */

/* Samples evenly spaced among representable numbers: subnormals and every exponent get their share; each with its upper neighbour. */
static void sweep(const row *r, worst *w)
{
    bits lo = rank_of(r->lo), hi = rank_of(r->hi), step = (hi - lo) / (bits)count_of(r) | 1, u = lo;
    gmi_real x[2 * CHUNK];
    int n = 0, last = 0;
    while (!last) {
        last = hi - u <= step;
        x[n++] = at_rank(u);
        x[n++] = at_rank(u + 1);
        u += step;
        if (n == 2 * CHUNK || last) {
            check_chunk(r, n, x, w);
            n = 0;
        }
    }
}

/* Evenly spaced numbers where the function moves. */
static void sweep_even(const row *r, worst *w)
{
    gmi_real x[2 * CHUNK], lo = r->lo < -20 ? -20 : r->lo, hi = r->hi > 20 ? 20 : r->hi;
    for (int i = 0, n = 0, count = count_of(r); i <= count; i++) {
        x[n] = lo + (hi - lo) * ((gmi_real)i / (gmi_real)count);
        x[n + 1] = at_rank(rank_of(x[n]) + 1);
        n += 2;
        if (n == 2 * CHUNK || i == count) {
            check_chunk(r, n, x, w);
            n = 0;
        }
    }
}

static void test_accuracy(void)
{
    for (int i = 0; i < ROWS; i++) {
        worst w = {0, 0, 0, 0, 0, 0};
        sweep(&rows[i], &w);
        sweep_even(&rows[i], &w);
        ok(w.error <= rows[i].bound, "%s: error %.4f %s, bound %g", rows[i].name, w.error, sizeof(gmi_real) == 4 ? "ulp" : "of 1e-13", rows[i].bound);
        if (w.error > rows[i].bound) printf("# x %.9g (%a) got %.9g want %.17g\n", (double)w.x, (double)w.x, (double)w.got, (double)w.want);
#ifndef GMI_ORACLE
        if (rows[i].monotone) ok(w.falls == 0, "%s: monotone on neighbours", rows[i].name);
        if (w.falls) printf("# %" PRId64 " times, last at %a\n", w.falls, (double)w.fall);
#endif
    }
}

static void test_pow(void)
{
    gmi_real a[CHUNK], b[CHUNK], y[CHUNK];
    uint64_t s = 1;
    double error = 0;
    gmi_real wa = 0, wb = 0;
    for (int k = 0; k < STEP_COUNT / CHUNK; k++) {
        for (int i = 0; i < CHUNK; i++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            b[i] = (gmi_real)((double)(int32_t)(s >> 32) / 2147483648.0 * (i % 3 ? 4 : 30));
            s = s * 6364136223846793005u + 1442695040888963407u;
            a[i] = (gmi_real)((double)(uint32_t)(s >> 32) / 2147483648.0 * (i % 2 ? 2 : 100));
        }
        table.binary[GMI_B_pow](CHUNK, y, a, b);
        for (int i = 0; i < CHUNK; i++) {
            double e = ulps(y[i], LIBM(pow)(a[i], b[i]), 0);
            if (e > error) error = e, wa = a[i], wb = b[i];
        }
    }
    ok(error <= 1, "pow: error %.4f", error);
    if (error > 1) printf("# at %a, %a\n", (double)wa, (double)wb);
}

static int same(gmi_real a, gmi_real b) { return (a != a && b != b) || (a == b && !signbit(a) == !signbit(b)); }

static void test_edges(void)
{
    static const struct {
        const char *name;
        int32_t op;
        gmi_real p, x, y;
    } e[] = {
#define E(f, x, y) {#f, GMI_U_##f, 0, (gmi_real)(x), (gmi_real)(y)}
        E(exp, INFINITY, INFINITY), E(exp, -INFINITY, 0), E(exp, NAN, NAN), E(exp, 0.0, 1), E(exp, -0.0, 1), E(exp, -2000, 0), E(exp, 2000, INFINITY),
        E(expm1, INFINITY, INFINITY), E(expm1, -INFINITY, -1), E(expm1, NAN, NAN), E(expm1, 0.0, 0.0), E(expm1, -0.0, -0.0), E(expm1, 2000, INFINITY),
        E(log, 0.0, -INFINITY), E(log, -0.0, -INFINITY), E(log, -1, NAN), E(log, -INFINITY, NAN), E(log, INFINITY, INFINITY), E(log, NAN, NAN), E(log, 1, 0.0),
        E(log1p, -1, -INFINITY), E(log1p, -2, NAN), E(log1p, INFINITY, INFINITY), E(log1p, -INFINITY, NAN), E(log1p, NAN, NAN), E(log1p, 0.0, 0.0),
        E(log1p, -0.0, -0.0), E(tanh, INFINITY, 1), E(tanh, -INFINITY, -1), E(tanh, NAN, NAN), E(tanh, 0.0, 0.0), E(tanh, -0.0, -0.0),
        E(sigmoid, INFINITY, 1), E(sigmoid, -INFINITY, 0), E(sigmoid, NAN, NAN), E(sigmoid, 0.0, 0.5), E(sigmoid, -0.0, 0.5),
        E(softplus, INFINITY, INFINITY), E(softplus, -INFINITY, 0.0), E(softplus, NAN, NAN),
        E(erf, INFINITY, 1), E(erf, -INFINITY, -1), E(erf, NAN, NAN), E(erf, 0.0, 0.0), E(erf, -0.0, -0.0),
        E(sin, 0.0, 0.0), E(sin, -0.0, -0.0), E(sin, INFINITY, NAN), E(sin, NAN, NAN), E(cos, 0.0, 1), E(cos, -0.0, 1), E(cos, -INFINITY, NAN), E(cos, NAN, NAN),
        E(lgamma, 0.0, INFINITY), E(lgamma, -0.0, INFINITY), E(lgamma, INFINITY, INFINITY), E(lgamma, NAN, NAN), E(lgamma, -1.5, NAN),
        E(polygamma, 0.0, -INFINITY), E(polygamma, INFINITY, INFINITY), E(polygamma, -1, NAN), E(polygamma, NAN, NAN),
        {"trigamma", GMI_U_polygamma, 1, 0, INF}, {"trigamma", GMI_U_polygamma, 1, INF, 0}, {"order -1", GMI_U_polygamma, -1, 1, (gmi_real)NAN},
        E(sqrt, -0.0, -0.0), E(sqrt, -1, NAN), E(sqrt, INFINITY, INFINITY), E(sqrt, NAN, NAN), E(rsqrt, 0.0, INFINITY), E(rsqrt, -0.0, -INFINITY),
        E(rsqrt, INFINITY, 0.0), E(rsqrt, 4, 0.5), E(recip, -0.0, -INFINITY), E(recip, INFINITY, 0.0),
        E(floor, -0.0, -0.0), E(floor, 0.7, 0.0), E(floor, -0.7, -1), E(floor, NAN, NAN), E(floor, -INFINITY, -INFINITY), E(floor, 8388609, 8388609),
        E(floor, 1e30f, 1e30f), E(sign, -0.0, -0.0), E(sign, NAN, NAN), E(sign, -3, -1), E(sign, INFINITY, 1), E(relu, NAN, NAN), E(relu, -0.0, 0.0),
        E(relu, -1, 0.0), E(relu, 2, 2), E(step, NAN, NAN), E(step, 0.0, 0.0), E(step, -0.0, 0.0), E(step, 1e-40f, 1), E(step, -1, 0.0),
        E(isfinite, NAN, 0.0), E(isfinite, INFINITY, 0.0), E(isfinite, -INFINITY, 0.0), E(isfinite, -1, 1), E(abs, -0.0, 0.0), E(neg, 0.0, -0.0),
        {"leaky_relu", GMI_U_leaky_relu, (gmi_real)0.25, -4, -1}, {"leaky_relu", GMI_U_leaky_relu, (gmi_real)0.25, (gmi_real)NAN, (gmi_real)NAN},
    };
    static const struct {
        const char *name;
        int32_t op;
        gmi_real a, b, y;
    } d[] = {
#define D(f, a, b, y) {#f, GMI_B_##f, (gmi_real)(a), (gmi_real)(b), (gmi_real)(y)}
        D(max, -0.0, 0.0, 0.0), D(max, 0.0, -0.0, 0.0), D(max, -0.0, -0.0, -0.0), D(max, NAN, 1, NAN), D(max, 1, NAN, NAN), D(max, -INFINITY, NAN, NAN),
        D(max, 3, 2, 3), D(min, -0.0, 0.0, -0.0), D(min, 0.0, -0.0, -0.0), D(min, 0.0, 0.0, 0.0), D(min, NAN, 1, NAN), D(min, 1, NAN, NAN), D(min, 3, 2, 2),
        D(lt, NAN, 1, 0.0), D(lt, 1, 2, 1), D(lt, 2, 2, 0.0), D(le, 2, 2, 1), D(le, 1, NAN, 0.0), D(eq, -0.0, 0.0, 1), D(eq, NAN, NAN, 0.0),
        D(pow, 0.0, 0.0, 1), D(pow, NAN, 0.0, 1), D(pow, INFINITY, 0.0, 1), D(pow, -2, 0.0, 1), D(pow, 0.0, 2, 0.0), D(pow, 0.0, -2, INFINITY),
        D(pow, INFINITY, 2, INFINITY), D(pow, INFINITY, -2, 0.0), D(pow, 1, INFINITY, 1), D(pow, 1, NAN, 1), D(pow, -2, 3, NAN), D(pow, 2, NAN, NAN),
        D(pow, 0.0, NAN, NAN), D(pow, 2, INFINITY, INFINITY), D(pow, 2, -INFINITY, 0.0), D(pow, 0.5, INFINITY, 0.0), D(pow, 2, 10, 1024),
    };
    for (size_t i = 0; i < sizeof e / sizeof e[0]; i++) {
        gmi_real y = 7;
        table.unary[e[i].op](1, &y, &e[i].x, e[i].p);
        ok(same(y, e[i].y), "%s(%g) = %g, is %g", e[i].name, (double)e[i].x, (double)e[i].y, (double)y);
    }
    for (size_t i = 0; i < sizeof d / sizeof d[0]; i++) {
        gmi_real y = 7, z = 7;
        table.binary[d[i].op](1, &y, &d[i].a, &d[i].b);
        table.binary_scalar[d[i].op](1, &z, &d[i].a, d[i].b);
        ok(same(y, d[i].y) && same(z, d[i].y), "%s(%g, %g) = %g, is %g", d[i].name, (double)d[i].a, (double)d[i].b, (double)d[i].y, (double)y);
    }
}

int main(void)
{
    if (!ok(gmi_kernels_fill(&table, GM_SIMD_SCALAR, gmi_cpu_simd()) == 0, "scalar table")) return done();
    test_accuracy();
    test_pow();
    test_edges();
    return done();
}
