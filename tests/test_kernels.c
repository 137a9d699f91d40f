/* SPDX-License-Identifier: MIT */
/* test_kernels.c: the kernels against their written contract (docs/kernels.md), each formula a second time in the plainest C: the reduction tree by recursion,
 * Philox with its published vectors, the map from words to uniforms and normals, the optimizers in double, the software fma against fma(), the dispatch
 * ladder. Runs on the scalar table and on the best one; checkkern covers the levels between. */
#include "tap.h"
#include "base/base.h"
#define GMI_SQRT_BY_HAND 1
#include "kernels/fma_soft.h"
#include "kernels/simd.h"
#include <float.h>

static gmi_kernels t;
static const char *level;

static uint64_t state = 7;
static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}
static gmi_real centred(void) { return (gmi_real)((float)(int32_t)draw() * (1.0f / 2147483648.0f)); }
static int same(gmi_real a, gmi_real b) { return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b); }

/* ---- reductions, from the definition ---- */
static gmi_real block_sum(int64_t n, const gmi_real *x, int64_t step, int squares)
{
    gmi_real lane[16] = {0};
    for (int64_t i = 0; i < n; i++) {
        gmi_real v = x[i * step];
        v = squares ? v * v : v;
        lane[i % 16] = lane[i % 16] + v;
    }
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = lane[l] + lane[l + half];
    return lane[0];
}
/* ((0,1),(2,3)), ..., an odd one passes up */
static gmi_real fold(int64_t n, gmi_real *s)
{
    if (n == 0) return 0;
    for (; n > 1; n = (n + 1) / 2)
        for (int64_t i = 0; i < (n + 1) / 2; i++) s[i] = 2 * i + 1 < n ? s[2 * i] + s[2 * i + 1] : s[2 * i];
    return s[0];
}
static gmi_real tree_sum(int64_t n, const gmi_real *x, int64_t step)
{
    static gmi_real sums[64];
    int64_t nb = (n + 511) / 512;
    for (int64_t b = 0; b < nb; b++) sums[b] = block_sum(b + 1 < nb ? 512 : n - 512 * b, x + 512 * b * step, step, 0);
    return fold(nb, sums);
}

static void test_reductions(void)
{
    static const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 100, 511, 512, 513, 1024, 1025, 2047, 2560, 3000, 3584, 5000, 8191};
    enum { COLS = 5, MAX = 8191 * COLS };
    static gmi_real x[MAX], sums[MAX];
    gmi_real out[COLS], part[17 * COLS], folded[COLS];
    for (int i = 0; i < MAX; i++) x[i] = centred() * (gmi_real)(draw() % 5 ? 1 : 1000);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int64_t n = sizes[s], nb = (n + 511) / 512;
        int rows = 1, cols = 1, blocks = 1, squares = 1, maxima = 1;
        t.sum_rows(COLS, n, x, n, out);
        for (int r = 0; r < COLS; r++) rows &= same(out[r], tree_sum(n, x + r * n, 1));
        t.sum_cols(n, COLS, x, COLS, out);
        for (int j = 0; j < COLS; j++) cols &= same(out[j], tree_sum(n, x + j, COLS));
        for (int64_t b = 0; b < nb; b++) t.sum_block_cols(n - 512 * b < 512 ? n - 512 * b : 512, COLS, x + 512 * b * COLS, COLS, part + b * COLS);
        t.sum_fold_cols(nb, COLS, part, COLS, folded);
        for (int j = 0; j < COLS; j++) blocks &= same(out[j], folded[j]);
        for (int64_t b = 0; b < nb; b++) { /* the same blocks, 1, 2, 3... rows at a time */
            const int64_t rows_here = n - 512 * b < 512 ? n - 512 * b : 512;
            gmi_real lanes[16 * GMI_LANE_LD(COLS)] = {0};
            for (int64_t at = 0, few = 1; at < rows_here; at += few++)
                t.sum_lanes(at, rows_here - at < few ? rows_here - at : few, COLS, x + (512 * b + at) * COLS, lanes);
            t.sum_lane_fold(COLS, lanes, sums);
            for (int j = 0; j < COLS; j++) blocks &= same(sums[j], part[b * COLS + j]);
        }
        t.sumsq_blocks(n, x, sums);
        for (int64_t b = 0; b < nb; b++) squares &= same(sums[b], block_sum(n - 512 * b < 512 ? n - 512 * b : 512, x + 512 * b, 1, 1));
        t.max_rows(COLS, n, x, n, out);
        t.max_cols(n, COLS, x, COLS, folded);
        for (int j = 0; j < COLS; j++) {
            gmi_real a = (gmi_real)-INFINITY, b = a;
            for (int64_t i = 0; i < n; i++) a = x[j * n + i] > a ? x[j * n + i] : a, b = x[i * COLS + j] > b ? x[i * COLS + j] : b;
            maxima &= same(out[j], a) && same(folded[j], b);
        }
        ok(rows && cols && blocks && squares && maxima, "%s reductions of %" PRId64 ": rows %d columns %d blocks %d squares %d maxima %d", level, n, rows, cols,
           blocks, squares, maxima);
    }
    t.sum_cols(1000, 1, x, 1, out);
    t.sum_cols(1000, 1, x, 5, folded);
    ok(same(out[0], tree_sum(1000, x, 1)) && same(folded[0], tree_sum(1000, x, 5)), "%s one column, dense and strided", level);
    x[700] = (gmi_real)NAN;
    t.max_rows(1, 1000, x, 1000, out);
    ok(out[0] != out[0], "%s NaN in a maximum stays", level);
    x[700] = 0;
    for (int i = 0; i < 40; i++) x[i] = (gmi_real)-0.0;
    t.sum_rows(1, 40, x, 40, out);
    t.max_rows(1, 40, x, 40, folded);
    ok(!signbit(out[0]) && signbit(folded[0]), "%s a sum of -0 is +0, their maximum -0", level);
    x[33] = 0;
    t.max_rows(1, 40, x, 40, folded);
    ok(!signbit(folded[0]), "%s one +0 among them is the maximum", level);
}

/* ---- random numbers ---- */
static void philox(const uint32_t c[4], const uint32_t k[2], uint32_t w[4])
{
    uint32_t x[4] = {c[0], c[1], c[2], c[3]}, k0 = k[0], k1 = k[1];
    for (int r = 0; r < 10; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t a = (uint64_t)x[0] * 0xD2511F53u, b = (uint64_t)x[2] * 0xCD9E8D57u;
        uint32_t y[4] = {(uint32_t)(b >> 32) ^ x[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ x[3] ^ k1, (uint32_t)a};
        memcpy(x, y, sizeof x);
    }
    memcpy(w, x, sizeof x);
}
static uint32_t word_of(int64_t e, const uint32_t key[2], const uint32_t ctr[3])
{
    uint32_t c[4] = {(uint32_t)(16 * (e / 64) + e % 16), ctr[0], ctr[1], ctr[2]}, w[4];
    philox(c, key, w);
    return w[e % 64 / 16];
}
/* In units in the last place of float; in the oracle of 1e-13, relative but for values near 0, where the angle given to libm is rounded. */
static double error_of(gmi_real got, double want)
{
    int e;
    if (sizeof(gmi_real) == 8) return fabs(got - want) / fmax(fabs(want), 0.1) / 1e-13;
    frexp(want, &e);
    return fabs(got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}
static void test_random(void)
{
    /* Random123's known answers for philox4x32, 10 rounds: counter, key, words */
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    enum { N = 64 * 300 + 29 };
    static gmi_real u[N], z[N];
    const uint32_t key[2] = {draw(), draw()}, ctr[3] = {draw(), draw(), draw()};
    uint32_t w[4];
    double worst = 0, mean = 0, var = 0, four = 0, lo = 1, hi = 0, ubar = 0;
    int good = 1;
    for (int i = 0; i < 3; i++) {
        philox(known[i], known[i] + 4, w);
        ok(memcmp(w, known[i] + 6, sizeof w) == 0, "Philox known answer %d", i);
    }
    t.uniform(N, u, key, ctr);
    t.normal(N, z, key, ctr);
    for (int64_t i = 0; i < N; i++) {
        double want = ((word_of(i, key, ctr) >> 8) + 0.5) / 16777216.0;
        gmi_real r = (gmi_real)want;
        good &= u[i] == (r < 1 ? r : (gmi_real)0.99999994f);
        lo = u[i] < lo ? u[i] : lo, hi = u[i] > hi ? u[i] : hi, ubar += u[i] / N;
    }
    ok(good && lo > 0 && hi < 1, "%s uniforms are the words as mapped, %g to %g", level, lo, hi);
    ok(fabs(ubar - 0.5) < 5 / sqrt(12.0 * N), "%s mean of uniforms %g", level, ubar);
    for (int64_t i = 0; i < N; i++) {
        int64_t e = i % 64 % 32 < 16 ? i : i - 16; /* the cosine's place */
        double u1 = ((word_of(e, key, ctr) >> 8) + 0.5) / 16777216.0, u2 = ((word_of(e + 16, key, ctr) >> 8) + 0.5) / 16777216.0;
        double r = sqrt(-2 * log(u1)), a = 6.283185307179586477 * u2, want = e == i ? r * cos(a) : r * sin(a), err = error_of(z[i], want);
        if (fabs(want) > 1e-5 && err > worst) worst = err; /* libm's angle is rounded: no digits near a root */
        mean += z[i] / N, var += z[i] * z[i] / N, four += z[i] * z[i] * z[i] * z[i] / N;
    }
    ok(worst <= 1, "%s normals are Box and Muller's: error %.4f", level, worst);
    ok(fabs(mean) < 5 / sqrt(N) && fabs(var - 1) < 5 * sqrt(2.0 / N) && fabs(four - 3) < 5 * sqrt(96.0 / N), "%s moments of normals: %.4f %.4f %.4f", level, mean,
       var, four);
    for (int64_t n = 0; n < 200; n += 13) {
        gmi_real v[200];
        t.normal(n, v, key, ctr);
        good &= memcmp(v, z, (size_t)n * sizeof *v) == 0;
        t.uniform(n, v, key, ctr);
        good &= memcmp(v, u, (size_t)n * sizeof *v) == 0;
    }
    ok(good, "%s a shorter draw is the beginning of a longer one", level);
}

/* ---- optimizers, in double ---- */
static void adam_ref(double *p, double g, double *m, double *v, const gmi_optim_args *a)
{
    if (a->decoupled) *p *= 1 - (double)a->lr * a->weight_decay;
    else g += a->weight_decay * *p;
    *m = a->beta1 * *m + (1 - (double)a->beta1) * g;
    *v = a->beta2 * *v + (1 - (double)a->beta2) * g * g;
    *p -= a->lr / (double)a->bias1 * *m / (sqrt(*v) / a->bias2 + a->eps);
}
static void momentum_ref(double *p, double g, double *m, double *v, const gmi_optim_args *a)
{
    (void)v;
    g += a->weight_decay * *p;
    *m = a->first ? g : a->momentum * *m + (1 - (double)a->dampening) * g;
    *p -= a->lr * (a->nesterov ? g + a->momentum * *m : *m);
}
static void sgd_ref(double *p, double g, double *m, double *v, const gmi_optim_args *a)
{
    (void)m, (void)v;
    g += a->weight_decay * *p;
    *p -= a->lr * g;
}
static void rmsprop_ref(double *p, double g, double *m, double *v, const gmi_optim_args *a)
{
    g += a->weight_decay * *p;
    *m = a->alpha * *m + (1 - (double)a->alpha) * g * g;
    if (a->centered) {
        *v = a->alpha * *v + (1 - (double)a->alpha) * g;
        *p -= a->lr * g / (sqrt(*m - *v * *v) + a->eps);
        return;
    }
    *v = a->momentum * *v + g / (sqrt(*m) + a->eps);
    *p -= a->lr * *v;
}
static void adagrad_ref(double *p, double g, double *m, double *v, const gmi_optim_args *a)
{
    (void)v;
    g += a->weight_decay * *p;
    *m += g * g;
    *p -= a->lr * g / (sqrt(*m) + a->eps);
}

/* Ten steps of n weights; gradients come scaled by 1/grad_scale, turned for ascent. */
static void test_rule(const char *name, int rule, void (*ref)(double *, double, double *, double *, const gmi_optim_args *), gmi_optim_args a, int states)
{
    enum { N = 37 };
    gmi_real p[N], g[N], s1[N] = {0}, s2[N] = {0};
    double rp[N], r1[N] = {0}, r2[N] = {0}, worst = 0;
    gmi_optim_args ra = a;
    double beta1 = (double)a.beta1, beta2 = (double)a.beta2, b1 = 1, b2 = 1;
    for (int i = 0; i < N; i++) rp[i] = p[i] = centred();
    for (int step = 0; step < 10; step++) {
        b1 *= beta1, b2 *= beta2;
        a.bias1 = (gmi_real)(1 - b1), a.bias2 = (gmi_real)sqrt(1 - b2), a.first = step == 0;
        ra = a;
        for (int i = 0; i < N; i++) g[i] = centred() * 3;
        t.optim[rule](N, p, g, states > 0 ? s1 : NULL, states > 1 ? s2 : NULL, &a);
        for (int i = 0; i < N; i++) {
            double d = (double)g[i] * a.grad_scale;
            if (a.clip_value > 0) d = d > a.clip_value ? a.clip_value : d < -a.clip_value ? -a.clip_value : d;
            if (a.maximize) d = -d;
            ref(&rp[i], d, &r1[i], &r2[i], &ra);
        }
    }
    for (int i = 0; i < N; i++) {
        worst = fmax(worst, fabs(rp[i] - p[i]));
        if (states > 0) worst = fmax(worst, fabs(r1[i] - s1[i]) / (1 + fabs(r1[i])));
        if (states > 1) worst = fmax(worst, fabs(r2[i] - s2[i]) / (1 + fabs(r2[i])));
    }
    ok(worst < (sizeof(gmi_real) == 4 ? 3e-6 : 1e-13), "%s %s: off by %.2g after 10 steps", level, name, worst);
}

static void test_optim(void)
{
    gmi_optim_args a, b;
    gmi_real p = 1, g = 0, m = (gmi_real)1e-30f, v = (gmi_real)9e-31f, y = (gmi_real)1e-30f, x = 0;
    memset(&a, 0, sizeof a);
    a.lr = (gmi_real)0.01, a.beta1 = (gmi_real)0.9, a.beta2 = (gmi_real)0.999, a.eps = (gmi_real)1e-8, a.grad_scale = 1, a.alpha = (gmi_real)0.99;
    test_rule("adam", GMI_O_adam, adam_ref, a, 2);
    test_rule("sgd", GMI_O_sgd, sgd_ref, a, 0);
    test_rule("rmsprop", GMI_O_rmsprop, rmsprop_ref, a, 1);
    test_rule("adagrad", GMI_O_adagrad, adagrad_ref, a, 1);
    a.weight_decay = (gmi_real)0.1, a.grad_scale = (gmi_real)0.25, a.momentum = (gmi_real)0.9, a.dampening = (gmi_real)0.1;
    test_rule("adam with L2 decay", GMI_O_adam, adam_ref, a, 2);
    test_rule("sgd with decay", GMI_O_sgd, sgd_ref, a, 0);
    test_rule("momentum", GMI_O_momentum, momentum_ref, a, 1);
    test_rule("rmsprop with momentum", GMI_O_rmsprop, rmsprop_ref, a, 2);
    test_rule("adagrad with decay", GMI_O_adagrad, adagrad_ref, a, 1);
    b = a, b.decoupled = 1, b.maximize = 1;
    test_rule("adamw, ascending", GMI_O_adam, adam_ref, b, 2);
    b = a, b.nesterov = 1, b.dampening = 0, b.clip_value = (gmi_real)0.2;
    test_rule("nesterov, clipped", GMI_O_momentum, momentum_ref, b, 1);
    b = a, b.centered = 1, b.weight_decay = 0;
    test_rule("rmsprop centered", GMI_O_rmsprop, rmsprop_ref, b, 2);
    a.weight_decay = 0, a.bias1 = a.bias2 = 1;
    t.optim[GMI_O_adam](1, &p, &g, &m, &v, &a);
    ok(m > 0 && v > 0 && p < 1 + 1e-6, "%s a moment of 9e-31 is kept", level);
    m = v = (gmi_real)8e-31f;
    t.optim[GMI_O_adam](1, &p, &g, &m, &v, &a);
    ok(m == 0 && v > 0 && !signbit(m), "%s a moment below 2^-100 is stored as +0", level);
    m = (gmi_real)-8e-31f;
    t.optim[GMI_O_momentum](1, &p, &g, &m, NULL, &a);
    ok(m == 0 && !signbit(m), "%s likewise momentum, and a negative one", level);
    t.axpby(1, &y, 1, &x, (gmi_real)0.5);
    ok(y == 0, "%s likewise a moving average", level);
}

/* ---- the rest ---- */
static void test_small(void)
{
    const uint8_t bytes[5] = {0, 1, 127, 254, 255};
    gmi_real out[5], c[4] = {0, 1, (gmi_real)-0.0, (gmi_real)NAN}, a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8}, x[1100], y[3] = {1, 2, 3}, z[3] = {4, 5, 6};
    int good = 1;
    t.from_u8(5, out, bytes, (gmi_real)(2.0 / 255), -1);
    for (int i = 0; i < 5; i++) {
        volatile gmi_real scaled = (gmi_real)bytes[i] * (gmi_real)(2.0 / 255);
        good &= same(out[i], scaled + -1);
    }
    ok(good && out[0] == -1 && fabs(out[4] - 1) < 1e-6, "%s bytes to reals", level);
    t.select(4, out, c, a, b);
    ok(out[0] == 5 && out[1] == 2 && out[2] == 7 && out[3] != out[3], "%s select", level);
    for (int i = 0; i < 1100; i++) x[i] = (gmi_real)FLT_MAX;
    ok(t.all_within(1100, x, -GMI_REAL_MAX, GMI_REAL_MAX) == 1 && t.all_within(0, x, -GMI_REAL_MAX, GMI_REAL_MAX) == 1, "%s finite, however large", level);
    x[1099] = (gmi_real)-INFINITY;
    ok(t.all_within(1100, x, -GMI_REAL_MAX, GMI_REAL_MAX) == 0 && t.all_within(1099, x, -GMI_REAL_MAX, GMI_REAL_MAX) == 1, "%s one infinity at the end", level);
    x[1099] = 0, x[3] = (gmi_real)NAN;
    ok(t.all_within(1100, x, -GMI_REAL_MAX, GMI_REAL_MAX) == 0, "%s one NaN", level);
    for (int i = 0; i < 1100; i++) x[i] = (gmi_real)(i % 3) - 1;
    ok(t.all_within(1100, x, -1, 1) == 1 && t.all_within(1100, x, -1, (gmi_real)0.5) == 0 && t.all_within(2, x, -1, 0) == 1, "%s within limits", level);
    for (int i = 0, wrong = 0; i <= 80; i++) { /* one element out of range, at every place of every length */
        for (int j = 0; j < i; j++) {
            x[j] = 2, wrong += t.all_within(i, x, -1, 1), x[j] = (gmi_real)-1.001, wrong += t.all_within(i, x, -1, 1), x[j] = 0;
            wrong += !t.all_within(i, x, -1, 1);
        }
        if (i == 80) is_int(wrong, 0, "%s each element is looked at", level);
    }
    t.axpby(3, y, 2, z, (gmi_real)0.5);
    ok(y[0] == 8.5 && y[1] == 11 && y[2] == 13.5, "%s a x + b y", level);
}

#ifndef GMI_ORACLE
static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
/* Random bits, cancelling sums, and sums that land on or beside a midpoint of two floats, normal and subnormal. */
static void test_fma(void)
{
    int64_t wrong = 0, ties = 0;
    for (int i = 0; i < 400000; i++) {
        float a = float_of(draw()), b = float_of(draw()), c = float_of(draw()), want, got;
        if (i % 4 == 1) { /* product and addend of like size */
            a = (float)(int32_t)draw(), b = (float)(int32_t)draw();
            c = ldexpf((float)(int32_t)draw(), (int)(draw() % 64));
        } else if (i % 4 == 2) { /* few bits each: ties are common */
            a = ldexpf(1.0f + (float)(draw() % 4096) / 4096, (int)(draw() % 40) - 20), b = 1.0f + (float)(draw() % 8192) / 8192;
            c = ldexpf(1.0f + (float)(draw() & 0x7fffff) / 8388608, (int)(draw() % 80) - 40) * (draw() % 2 ? 1.0f : -1.0f);
        } else if (i % 4 == 3) { /* results around the subnormals */
            a = ldexpf((float)(int32_t)draw(), -100), b = ldexpf((float)(int32_t)draw(), -108 + (int)(draw() % 24));
            c = draw() % 2 ? float_of(draw() & 0x80ffffff) : 0.0f;
        }
        want = fmaf(a, b, c), got = gmi_fma_soft(a, b, c);
        ties += gmi_fma_rare((double)a * b + c);
        wrong += !same(want, got);
        if (!same(want, got) && wrong < 4) printf("# fma(%a, %a, %a) = %a, not %a\n", (double)a, (double)b, (double)c, (double)got, (double)want);
    }
    ok(wrong == 0 && ties > 20000, "software fma: %d wrong of 400000, the rare path taken %d times", (int)wrong, (int)ties);
}
#endif

/* The long-hand square root of machines whose instruction we do not name. */
static void test_sqrt(void)
{
    int64_t wrong = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t u = (uint64_t)draw() << 32 | draw();
        uint32_t v = draw();
        double x, a, b;
        float f, g, h;
        u = i % 8 == 1 ? u >> 12 : i % 8 == 2 ? u & ~UINT64_C(0xffffffffffff) : u; /* subnormals, few bits */
        memcpy(&x, &u, sizeof x);
        memcpy(&f, &v, sizeof f);
        if (i % 8 == 3) x = (double)(draw() >> 6) * (draw() >> 6), x = x * x; /* exact roots */
        if (i < 5) x = f = i == 0 ? 0.0f : i == 1 ? -0.0f : i == 2 ? INFINITY : i == 3 ? -1.0f : NAN;
        a = vd_sqrt(x), b = sqrt(x);
        g = gmi_sqrt32(f), h = sqrtf(f);
        wrong += (memcmp(&a, &b, sizeof a) && !(a != a && b != b)) + (memcmp(&g, &h, sizeof g) && !(g != g && h != h));
        if (wrong == 1) printf("# sqrt(%a) = %a, not %a; sqrt(%a) = %a, not %a\n", x, a, b, (double)f, (double)g, (double)h), wrong++;
    }
    ok(wrong == 0, "square root by hand: %d wrong", (int)wrong);
}

static void test_dispatch(void)
{
    gmi_kernels k;
    uint32_t have = gmi_cpu_simd();
    ok(gmi_kernels_fill(&k, GM_SIMD_SCALAR, 0) == 0 && k.level == GM_SIMD_SCALAR && k.width == 1, "scalar needs nothing of the machine");
    ok(gmi_kernels_best(0) == GM_SIMD_SCALAR && gmi_kernels_fill(&k, GM_SIMD_BEST, 0) == 0 && k.level == GM_SIMD_SCALAR, "the best of nothing is scalar");
    ok(gmi_kernels_fill(&k, GM_SIMD_AVX2, 0) == -1 && !k.select && gmi_kernels_fill(&k, 99, have) == -1, "a missing level is an error");
    ok(gmi_kernels_fill(&k, GM_SIMD_BEST, have) == 0 && k.level == gmi_kernels_best(have), "the best of this machine is %s", gm_simd_name(k.level));
    if (gmi_kernels_fill(&k, GM_SIMD_SSE2, have) == 0)
        ok(gmi_kernels_best(1u << GM_SIMD_AVX2) == GM_SIMD_SCALAR, "the ladder stops at the first missing rung");
    else
        skip("no SSE2 here");
    for (gm_simd s = GM_SIMD_SCALAR; s <= GM_SIMD_NEON; s++) {
        int full = 1;
        if (gmi_kernels_fill(&k, s, have)) continue;
        for (int i = 0; i < GMI_U_COUNT; i++) full &= k.unary[i] != NULL;
        for (int i = 0; i < GMI_B_COUNT; i++) full &= k.binary[i] && k.binary_scalar[i];
        for (int i = 0; i < GMI_O_COUNT; i++) full &= k.optim[i] != NULL;
        full &= k.select && k.sum_rows && k.max_rows && k.sum_cols && k.max_cols && k.sum_block_cols && k.sum_fold_cols && k.uniform && k.normal;
        full &= k.from_u8 && k.axpby && k.all_within && k.sumsq_blocks && k.tile && k.mr > 0 && k.nr > 0 && k.width > 0;
        ok(full && k.level == s, "%s: every slot is filled", gm_simd_name(s));
    }
}

int main(void)
{
    uint32_t have = gmi_cpu_simd();
    gm_simd levels[2] = {GM_SIMD_SCALAR, gmi_kernels_best(have)};
    test_dispatch();
    test_sqrt();
#ifndef GMI_ORACLE
    test_fma();
#endif
    for (int i = 0; i < 2; i++) {
        if (gmi_kernels_fill(&t, levels[i], have) || (i && levels[1] == levels[0])) continue;
        level = gm_simd_name(levels[i]);
        test_reductions();
        test_random();
        test_optim();
        test_small();
    }
    return done();
}
