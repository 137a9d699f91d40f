/* SPDX-License-Identifier: MIT */
/* elem.c: elementwise kernels, one row each (docs/kernels.md, "Elementwise"). Built once per instruction set.
 *
 * A kernel is a vector expression and the loop around it; the last, partial vector goes through the same expression with lanes filled by +0 that are
 * never stored, so an element's bits do not depend on its place in the row. The gamma functions exist at every level as well: they are vector code too.
 * Not here: broadcasting and strides (the caller's loop over rows), fused chains (exec/fuse). */
#include "base/build_info.h"
#include "kernels/math.h"
#include "kernels/simd.h"

gmi_kernels_fill_fn GMI_FILL(elem);

/* out[i] = f(a[i]): `expr` is its value for the vector x; p is the parameter, broadcast. */
#define UNARY(name, expr)                                                                                                                            \
    GMI_INLINE void u_##name##_at(int64_t k, gmi_real *out, const gmi_real *a, vf p)                                                                 \
    {                                                                                                                                                \
        const vf x = vf_load_n(a, k);                                                                                                                \
        (void)p;                                                                                                                                     \
        vf_store_n(out, expr, k);                                                                                                                    \
    }                                                                                                                                                \
    static void u_##name(int64_t n, gmi_real *out, const gmi_real *a, gmi_real param)                                                                \
    {                                                                                                                                                \
        const vf p = vf_set1(param);                                                                                                                 \
        GMI_EACH(n, u_##name##_at(k, out + i, a + i, p));                                                                                            \
    }

/* The same where the code of `expr` is long: the last vector goes round once more by itself, so that there is one copy. */
#define LONG_UNARY(name, expr)                                                                                                                       \
    static void u_##name(int64_t n, gmi_real *out, const gmi_real *a, gmi_real p)                                                                    \
    {                                                                                                                                                \
        gmi_real last[GMI_W];                                                                                                                        \
        int64_t i = 0;                                                                                                                               \
        for (; i + GMI_W <= n; i += GMI_W) {                                                                                                         \
            const vf x = vf_load(a + i);                                                                                                             \
            vf_store(out + i, expr);                                                                                                                 \
        }                                                                                                                                            \
        if (GMI_W > 1 && i < n) {                                                                                                                    \
            vf_store(last, vf_load_n(a + i, n - i));                                                                                                 \
            u_##name(GMI_W, last, last, p);                                                                                                          \
            vf_store_n(out + i, vf_load(last), n - i);                                                                                               \
        }                                                                                                                                            \
    }

/* out[i] = f(a[i], b[i]) and out[i] = f(a[i], b), x and y the operands. */
#define BINARY(name, expr)                                                                                                                           \
    GMI_INLINE void b_##name##_at(int64_t k, gmi_real *out, vf x, vf y) { vf_store_n(out, expr, k); }                                                \
    static void b_##name(int64_t n, gmi_real *out, const gmi_real *a, const gmi_real *b)                                                             \
    {                                                                                                                                                \
        GMI_EACH(n, b_##name##_at(k, out + i, vf_load_n(a + i, k), vf_load_n(b + i, k)));                                                            \
    }                                                                                                                                                \
    static void s_##name(int64_t n, gmi_real *out, const gmi_real *a, gmi_real b)                                                                    \
    {                                                                                                                                                \
        const vf y = vf_set1(b);                                                                                                                     \
        GMI_EACH(n, b_##name##_at(k, out + i, vf_load_n(a + i, k), y));                                                                              \
    }

/* A NaN passes through each of these: !(x <= 0) is x > 0 or NaN. */
GMI_INLINE vf relu_of(vf x) { return vf_keep(vm_not(vf_le(x, vf_zero())), x); }
GMI_INLINE vf leaky_relu_of(vf x, vf p) { return vf_sel(vf_lt(vf_zero(), x), x, vf_mul(p, x)); }
GMI_INLINE vf step_of(vf x) { return vf_sel(vf_isnan(x), x, vf_keep(vf_lt(vf_zero(), x), vf_set1(1))); }
GMI_INLINE vf sign_of(vf x) { return vf_sel(vf_lt(vf_zero(), x), vf_set1(1), vf_sel(vf_lt(x, vf_zero()), vf_set1(-1), x)); }
GMI_INLINE vf finite(vf x) { return vf_keep(vf_lt(vf_abs(x), vf_set1((gmi_real)GMI_INF)), vf_set1(1)); }

UNARY(neg, vf_neg(x))
UNARY(abs, vf_abs(x))
UNARY(sign, sign_of(x))
UNARY(floor, vf_floor(x))
UNARY(square, vf_mul(x, x))
UNARY(recip, vf_div(vf_set1(1), x))
UNARY(sqrt, vf_sqrt(x))
UNARY(rsqrt, vf_div(vf_set1(1), vf_sqrt(x)))
LONG_UNARY(exp, vf_exp(x))
LONG_UNARY(expm1, vf_expm1(x))
LONG_UNARY(log, vf_log(x))
LONG_UNARY(log1p, vf_log1p(x))
LONG_UNARY(tanh, vf_tanh(x))
LONG_UNARY(sigmoid, vf_sigmoid(x))
LONG_UNARY(softplus, vf_softplus(x))
LONG_UNARY(erf, vf_erf(x))
LONG_UNARY(sin, vf_sin(x))
LONG_UNARY(cos, vf_cos(x))
LONG_UNARY(lgamma, vf_lgamma(x))
LONG_UNARY(digamma, vf_digamma(x))
UNARY(relu, relu_of(x))
UNARY(leaky_relu, leaky_relu_of(x, p))
UNARY(step, step_of(x))
UNARY(isfinite, finite(x))

BINARY(add, vf_add(x, y))
BINARY(sub, vf_sub(x, y))
BINARY(mul, vf_mul(x, y))
BINARY(div, vf_div(x, y))
BINARY(max, vf_max(x, y))
BINARY(min, vf_min(x, y))
BINARY(lt, vf_keep(vf_lt(x, y), vf_set1(1)))
BINARY(le, vf_keep(vf_le(x, y), vf_set1(1)))
BINARY(eq, vf_keep(vf_eq(x, y), vf_set1(1)))

static void u_copy(int64_t n, gmi_real *out, const gmi_real *a, gmi_real param)
{
    (void)param;
    if (n > 0 && out != a)
        memcpy(out, a, (size_t)n * sizeof *out);
}

/* One copy of pow: a last vector of its own, and a row of b's for the scalar form. */
static void b_pow(int64_t n, gmi_real *out, const gmi_real *a, const gmi_real *b)
{
    gmi_real x[GMI_W], y[GMI_W];
    int64_t i = 0;
    for (; i + GMI_W <= n; i += GMI_W)
        vf_store(out + i, vf_pow(vf_load(a + i), vf_load(b + i)));
    if (GMI_W > 1 && i < n) {
        vf_store(x, vf_load_n(a + i, n - i));
        vf_store(y, vf_load_n(b + i, n - i));
        b_pow(GMI_W, x, x, y);
        vf_store_n(out + i, vf_load(x), n - i);
    }
}

static void s_pow(int64_t n, gmi_real *out, const gmi_real *a, gmi_real b)
{
    gmi_real y[64];
    int64_t i;
    for (i = 0; i < 64; i += GMI_W)
        vf_store(y + i, vf_set1(b));
    for (i = 0; i < n; i += 64)
        b_pow(n - i < 64 ? n - i : 64, out + i, a + i, y);
}

/* The order is p, 0 or 1 to 100 (the factorial leaves double at 171, a float's range long before); outside NaN. */
static void u_polygamma(int64_t n, gmi_real *out, const gmi_real *a, gmi_real p)
{
    const int32_t m = p >= 1 && p <= 100 ? (int32_t)p : -1;
    int64_t i;
    if (p == 0)
        u_digamma(n, out, a, p);
    else
        for (i = 0; i < n; i += GMI_W)
            vf_store_n(out + i, m > 0 ? vf_polygamma(m, vf_load_n(a + i, n - i)) : vf_set1((gmi_real)(GMI_INF - GMI_INF)), n - i);
}

GMI_INLINE vf select_of(vf c, vf a, vf b) { return vf_sel(vf_isnan(c), c, vf_sel(vf_eq(c, vf_zero()), b, a)); }

static void select3(int64_t n, gmi_real *out, const gmi_real *c, const gmi_real *a, const gmi_real *b)
{
    GMI_EACH(n, vf_store_n(out + i, select_of(vf_load_n(c + i, k), vf_load_n(a + i, k), vf_load_n(b + i, k)), k));
}

#if GM_TRAINING
/* One e^-x for both (a compiler that inlines the two finds it twice): a third less work than one after the other, which is what the narrow levels do. */
static void softplus_sigmoid2(int64_t n, gmi_real *softplus, gmi_real *sigmoid, const gmi_real *a)
{
    if (GMI_ISA_ID <= 2) {
        if (softplus == a) u_sigmoid(n, sigmoid, a, 0);
        u_softplus(n, softplus, a, 0);
        if (softplus != a) u_sigmoid(n, sigmoid, a, 0);
        return;
    }
    gmi_real last[GMI_W], other[GMI_W];
    int64_t i = 0;
    for (; i + GMI_W <= n; i += GMI_W) {
        const vf x = vf_load(a + i);
        vf_store(softplus + i, vf_softplus(x));
        vf_store(sigmoid + i, vf_sigmoid(x));
    }
    if (GMI_W > 1 && i < n) {
        vf_store(last, vf_load_n(a + i, n - i));
        softplus_sigmoid2(GMI_W, last, other, last);
        vf_store_n(softplus + i, vf_load(last), n - i);
        vf_store_n(sigmoid + i, vf_load(other), n - i);
    }
}

/* The same expressions, one after the other in registers. */
#define IN(j) vf_load_n(in[j] + i, k)
#define ADD(j) vf_add(IN(j), IN(j + 1))
#define MUL_ADD(j) vf_add(vf_mul(IN(j), IN(j + 1)), IN(j + 2))
#define MUL_MUL_ADD(j) vf_add(vf_mul(vf_mul(IN(j), IN(j + 1)), IN(j + 2)), IN(j + 3))
#define SAME(x) x
#define RELU(x) relu_of(x)
#define LEAKY(x) leaky_relu_of(x, slope)
#define FUSED(name, act, value)                                                                                                                      \
    static void f_##name(int64_t n, gmi_real *out, const gmi_real *const *in, gmi_real p, gmi_real hi, gmi_real lo)                                  \
    {                                                                                                                                                \
        const vf slope = vf_set1(p);                                                                                                                 \
        (void)slope, (void)hi, (void)lo;                                                                                                             \
        GMI_EACH(n, vf_store_n(out + i, act(value(0)), k));                                                                                          \
    }
#define GATE(name, act, value)                                                                                                                       \
    static void f_##name(int64_t n, gmi_real *out, const gmi_real *const *in, gmi_real p, gmi_real hi, gmi_real lo)                                  \
    {                                                                                                                                                \
        const vf slope = vf_set1(p), yes = vf_set1(hi), no = vf_set1(lo);                                                                            \
        (void)slope;                                                                                                                                 \
        GMI_EACH(n, vf_store_n(out + i, vf_mul(IN(0), select_of(step_of(act(value(1))), yes, no)), k));                                              \
    }
FUSED(add_relu, RELU, ADD)
FUSED(add_leaky, LEAKY, ADD)
FUSED(mul_add, SAME, MUL_ADD)
FUSED(mul_add_relu, RELU, MUL_ADD)
FUSED(mul_add_leaky, LEAKY, MUL_ADD)
FUSED(mul_mul_add, SAME, MUL_MUL_ADD)
FUSED(mul_mul_add_relu, RELU, MUL_MUL_ADD)
FUSED(mul_mul_add_leaky, LEAKY, MUL_MUL_ADD)
GATE(gate, SAME, IN)
GATE(gate_add_relu, RELU, ADD)
GATE(gate_add_leaky, LEAKY, ADD)
GATE(gate_mul_add_relu, RELU, MUL_ADD)
GATE(gate_mul_add_leaky, LEAKY, MUL_ADD)
GATE(gate_mul_mul_add_relu, RELU, MUL_MUL_ADD)
GATE(gate_mul_mul_add_leaky, LEAKY, MUL_MUL_ADD)
#endif

/* A build for devices leaves to the scalar level, which has the same bits, what few networks use, and has no polygamma: it is lgamma's derivative. */
#define HAVE(x) (GM_TRAINING || (GMI_ISA_ID == 1 ? GMI_U_##x != GMI_U_polygamma : !rare_##x))
enum {
#define GMI_ROW(x)                                                                                                         \
    rare_##x = GMI_U_##x == GMI_U_sin || GMI_U_##x == GMI_U_cos || GMI_U_##x == GMI_U_log1p || GMI_U_##x == GMI_U_lgamma || \
               GMI_U_##x == GMI_U_polygamma,
    GMI_UNARY_LIST(GMI_ROW)
#undef GMI_ROW
};

void GMI_FILL(elem)(gmi_kernels *t)
{
#define GMI_ROW(x) \
    if (HAVE(x)) t->unary[GMI_U_##x] = u_##x;
    GMI_UNARY_LIST(GMI_ROW)
#undef GMI_ROW
#define GMI_ROW(x) \
    if (GM_TRAINING || GMI_ISA_ID == 1 || GMI_B_##x != GMI_B_pow) t->binary[GMI_B_##x] = b_##x, t->binary_scalar[GMI_B_##x] = s_##x;
    GMI_BINARY_LIST(GMI_ROW)
#undef GMI_ROW
    t->select = select3;
#if GM_TRAINING
    t->softplus_sigmoid = softplus_sigmoid2;
#define GMI_ROW(x) t->fused[GMI_F_##x] = f_##x;
    GMI_FUSED_LIST(GMI_ROW)
#undef GMI_ROW
#endif
    t->width = GMI_W;
}
