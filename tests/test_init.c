/* SPDX-License-Identifier: MIT */
/* test_init.c: initial weights: moments and ranges against the papers' formulas, orthogonality, independence of names and seeds; and the elementary functions
 * of nn/num.c against libm. */
#include "base/base.h"
#include "nn/nn.h"
#include "tap.h"

static gm_context *ctx;
static float *buffer;

static int fill(const char *init, uint64_t seed, const char *name, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t dims[4];
    gm_status s;
    dims[0] = a, dims[1] = b, dims[2] = c, dims[3] = d;
    gmi_enter(ctx, "test");
    s = gmi_init_fill(ctx, init, seed, name, rank, dims, buffer);
    return gmi_leave(ctx, s);
}

static void moments(int64_t n, double *mean, double *var, double *low, double *high)
{
    double s = 0, q = 0;
    int64_t i;
    *low = 1e300, *high = -1e300;
    for (i = 0; i < n; i++) {
        s += buffer[i];
        *low = fmin(*low, buffer[i]);
        *high = fmax(*high, buffer[i]);
    }
    *mean = s / (double)n;
    for (i = 0; i < n; i++) q += (buffer[i] - *mean) * (buffer[i] - *mean);
    *var = q / (double)n;
}

/* Six standard errors of mean and variance: about 1e-9 of false alarms, and seeds are fixed. */
static void check(const char *init, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d, double mean, double std, int uniform)
{
    int64_t n = a * (rank > 1 ? b : 1) * (rank > 2 ? c : 1) * (rank > 3 ? d : 1);
    double m, v, low, high, kurtosis = uniform ? 1.8 : 3.0, bound = std * sqrt(3.0);
    if (!ok(fill(init, 7, "layer.weight", rank, a, b, c, d) == 0, "%s fills rank %d", init, (int)rank)) return;
    moments(n, &m, &v, &low, &high);
    near(m, mean, 6 * std / sqrt((double)n), "mean of %s", init);
    near(v, std * std, 6 * std * std * sqrt((kurtosis - 1) / (double)n), "variance of %s", init);
    if (uniform)
        ok(low >= mean - bound * 1.0000001 && high <= mean + bound * 1.0000001 && high - mean > 0.99 * bound, "range of %s", init);
    else
        ok(high - mean > 3.5 * std && mean - low > 3.5 * std && high - mean < 6.5 * std, "tails of %s", init);
}

static void distributions(void)
{
    check("torch", 2, 300, 400, 0, 0, 0, sqrt(1.0 / (3 * 400)), 1);
    check("torch", 4, 64, 32, 4, 4, 0, sqrt(1.0 / (3 * 32 * 16)), 1);
    check("glorot_uniform", 2, 300, 400, 0, 0, 0, sqrt(2.0 / 700), 1);
    check("glorot_normal", 2, 300, 400, 0, 0, 0, sqrt(2.0 / 700), 0);
    check("xavier_normal 1.5", 4, 64, 32, 4, 4, 0, 1.5 * sqrt(2.0 / (96 * 16)), 0);
    check("he_normal", 2, 300, 400, 0, 0, 0, sqrt(2.0 / 400), 0);
    check("he_uniform", 3, 100, 30, 9, 0, 0, sqrt(2.0 / 270), 1);
    check("kaiming_normal:0.5", 2, 300, 400, 0, 0, 0, 0.5 * sqrt(2.0 / 400), 0);
    check("lecun_normal", 2, 300, 400, 0, 0, 0, sqrt(1.0 / 400), 0);
    check("lecun_uniform", 2, 300, 400, 0, 0, 0, sqrt(1.0 / 400), 1);
    check("normal", 2, 300, 400, 0, 0, 0, 1, 0);
    check("normal 0.02", 2, 300, 400, 0, 0, 0, 0.02, 0);
    check("normal:0.02:1", 1, 90000, 0, 0, 0, 1, 0.02, 0);
    check("uniform -1 3", 2, 300, 400, 0, 0, 1, 4 / sqrt(12.0), 1);
    check("uniform:0.25", 2, 300, 400, 0, 0, 0, 0.5 / sqrt(12.0), 1);
    ok(!fill("constant 0.1", 1, "a", 1, 5, 0, 0, 0) && buffer[0] == 0.1f && buffer[4] == 0.1f, "constant");
    ok(!fill("ones", 1, "a", 1, 5, 0, 0, 0) && buffer[4] == 1.0f, "ones");
    ok(!fill("zeros", 1, "a", 1, 5, 0, 0, 0) && buffer[4] == 0.0f, "zeros");
    ok(!fill("zeros", 1, "a", 2, 0, 5, 0, 0) && !fill("orthogonal", 1, "a", 2, 0, 5, 0, 0), "an empty parameter is fine");
}

/* Rows, or columns where there are more rows, are orthonormal times gain. */
static void orthogonal(int64_t rows, int64_t cols, double gain)
{
    int64_t k = rows < cols ? rows : cols, n = rows < cols ? cols : rows, i, j, e;
    double worst = 0;
    char init[32];
    snprintf(init, sizeof init, "orthogonal:%g", gain);
    ok(!fill(init, 3, "w", 2, rows, cols, 0, 0), "orthogonal fills %dx%d", (int)rows, (int)cols);
    for (i = 0; i < k; i++) {
        for (j = 0; j < k; j++) {
            double d = 0;
            for (e = 0; e < n; e++)
                d += rows <= cols ? (double)buffer[i * cols + e] * buffer[j * cols + e] : (double)buffer[e * cols + i] * buffer[e * cols + j];
            worst = fmax(worst, fabs(d - (i == j ? gain * gain : 0)));
        }
    }
    ok(worst < 1e-6 * gain * gain, "W W^T is gain^2 I to %.1e", worst);
}

static void keys(void)
{
    float first[8], moved[8];
    int i, same = 0;
    fill("normal", 1, "encoder.0.weight", 2, 10, 10, 0, 0);
    memcpy(first, buffer, sizeof first);
    fill("normal", 1, "encoder.0.weight", 2, 50, 10, 0, 0);
    ok(memcmp(first, buffer, sizeof first) == 0, "draw i does not depend on the size");
    fill("normal", 1, "encoder.2.weight", 2, 10, 10, 0, 0);
    for (i = 0; i < 8; i++) same += first[i] == buffer[i];
    ok(same == 0, "another name draws other values");
    fill("normal", 2, "encoder.0.weight", 2, 10, 10, 0, 0);
    for (i = 0; i < 8; i++) same += first[i] == buffer[i];
    ok(same == 0, "another seed too");
    memcpy(moved, buffer, sizeof moved);
    fill("normal 2 1", 2, "encoder.0.weight", 2, 10, 10, 0, 0);
    for (i = 0; i < 8; i++) same += fabs(buffer[i] - (1 + 2 * moved[i])) < 1e-6;
    ok(same == 8, "normal 2 1 is 1 + 2 z");
}

/* The first values as literals: a change of any bit here changes every model trained with a seed. */
static void literal(void)
{
    static const uint32_t normal[4] = {0xbe84e38e, 0xbfd7b4f3, 0xbff22df3, 0xbf78f439}, uniform[4] = {0xbec0cf6a, 0xbf0f5800, 0x3d83998f, 0xbe3db5bc};
    uint32_t got[4];
    int i;
    fill("normal", 1, "encoder.0.weight", 2, 2, 2, 0, 0);
    memcpy(got, buffer, sizeof got);
    ok(memcmp(got, normal, sizeof got) == 0, "bits of the first normals");
    for (i = 0; i < 4; i++) printf("# 0x%08x (%.9g)\n", (unsigned)got[i], (double)buffer[i]);
    fill("torch", 1, "encoder.0.weight", 2, 2, 2, 0, 0);
    memcpy(got, buffer, sizeof got);
    ok(memcmp(got, uniform, sizeof got) == 0, "bits of the first uniforms");
    for (i = 0; i < 4; i++) printf("# 0x%08x (%.9g)\n", (unsigned)got[i], (double)buffer[i]);
}

static void refusals(void)
{
    static const char *const bad[] = {"", "nice", "constant", "constant 1 2", "normal -1", "normal 1 2 3", "uniform", "uniform 2 1", "zeros 1", "he_normal x", "normal inf", "torch:1"};
    int i;
    for (i = 0; i < (int)GMI_COUNT(bad); i++) ok(fill(bad[i], 1, "a", 1, 4, 0, 0, 0) == GM_E_INVALID, "refused: \"%s\"", bad[i]);
}

static double ulps(double got, double want)
{
    int e;
    if (got == want) return 0;
    frexp(want, &e);
    return fabs(got - want) / ldexp(1.0, e - 53);
}

static void functions(void)
{
    double worst_log = 0, worst_exp = 0, worst_sqrt = 0, worst_sin = 0, worst_cos = 0, worst_atan = 0, x, s, c;
    int i;
    for (i = 1; i < 20000; i++) {
        x = exp((i - 10000) * 0.07);
        worst_sqrt = fmax(worst_sqrt, ulps(gmi_num_sqrt(x), sqrt(x)));
        worst_log = fmax(worst_log, ulps(gmi_num_log(x), log(x)));
        x = (i - 10000) * 0.07;
        worst_exp = fmax(worst_exp, ulps(gmi_num_exp(x), exp(x)));
        x = (i - 10000) * 0.00037;
        worst_atan = fmax(worst_atan, ulps(gmi_num_atan(x), atan(x)));
        worst_atan = fmax(worst_atan, ulps(gmi_num_atan(exp(10 * x)), atan(exp(10 * x))));
        gmi_num_turn(x, &s, &c);
        worst_sin = fmax(worst_sin, fabs(s - sin(2 * 3.14159265358979323846 * x)));
        worst_cos = fmax(worst_cos, fabs(c - cos(2 * 3.14159265358979323846 * x)));
    }
    ok(worst_sqrt == 0, "sqrt is correctly rounded");
    ok(worst_log <= 2, "log is within 2 ulp (%.2f)", worst_log);
    ok(worst_exp <= 2, "exp is within 2 ulp (%.2f)", worst_exp);
    ok(worst_sin < 1e-14 && worst_cos < 1e-14, "sin and cos of turns agree with libm (%.1e, %.1e)", worst_sin, worst_cos);
    ok(worst_atan <= 4, "atan is within 4 ulp (%.2f)", worst_atan);
    ok(gmi_num_atan(0) == 0 && gmi_num_atan(INFINITY) == atan(INFINITY) && gmi_num_atan(-INFINITY) == atan(-INFINITY) && isnan(gmi_num_atan(NAN)), "atan at the ends");
    gmi_num_turn(0.25, &s, &c);
    ok(s == 1 && c == 0, "a quarter turn is exact");
    ok(gmi_num_sqrt(0) == 0 && gmi_num_sqrt(5e-324) == sqrt(5e-324) && gmi_num_sqrt(1.7976931348623157e308) == sqrt(1.7976931348623157e308), "sqrt at the ends");
    ok(isinf(gmi_num_sqrt(INFINITY)) && isnan(gmi_num_sqrt(-1)) && isnan(gmi_num_sqrt(NAN)), "sqrt outside");
    ok(gmi_num_log(0) == -INFINITY && isnan(gmi_num_log(-1)) && gmi_num_log(INFINITY) == INFINITY && gmi_num_log(1) == 0, "log at the ends");
    ok(ulps(gmi_num_log(5e-324), log(5e-324)) <= 2, "log of a subnormal");
    ok(gmi_num_exp(-800) == 0 && isinf(gmi_num_exp(800)) && isnan(gmi_num_exp(NAN)) && gmi_num_exp(0) == 1, "exp at the ends");
    ok(gmi_num_powi(1.1, 13) > 3.452 && gmi_num_powi(2, 10) == 1024 && gmi_num_powi(3, 0) == 1, "powers");
    ok(gmi_num_floor(-1.5) == -2 && gmi_num_floor(1.5) == 1 && gmi_num_floor(-2) == -2 && gmi_num_floor(1e300) == 1e300, "floor");
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    buffer = malloc(300000 * sizeof *buffer);
    distributions();
    orthogonal(64, 64, 1);
    orthogonal(20, 150, 1.5);
    orthogonal(150, 20, 0.5);
    orthogonal(1, 9, 1);
    keys();
    literal();
    refusals();
    functions();
    free(buffer);
    gm_context_destroy(ctx);
    return done();
}
