/* SPDX-License-Identifier: MIT */
/* oracle_logistic.c: the discretised logistic against its definition: probabilities sum to 1, differences of sigmoids in long double where those have digits, the
 * gradient against central differences, finite values and gradients however far the mean is and however wide or narrow the scale, mean and draws. */
#include "nn/nn.h"
#include "tensor/tensor.h"
#include "vae_util.h"

#ifdef GMI_ORACLE
#define EPS 1e-12
#else
#define EPS 2e-5
#endif
enum { MOST = 65536 };

typedef struct machine { /* log p, its gradients, mean and a draw of rows of bins */
    gm_context *c;
    gm_run *run;
    gm_tensor *in[4], *out[5];
    int64_t n;
} machine;

static gmi_real mean[MOST], raw[MOST], x[MOST], u[MOST], log_p[MOST], d_mean[MOST], d_raw[MOST], expected[MOST], draw[MOST];

static void build(machine *m, gm_context *c, int64_t levels, int64_t n)
{
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gmi_real *from[4], *to[5];
    gm_node in[4], out[5];
    static const char *const names[] = {"mean", "raw", "x", "u"};
    from[0] = mean, from[1] = raw, from[2] = x, from[3] = u;
    to[0] = log_p, to[1] = d_mean, to[2] = d_raw, to[3] = expected, to[4] = draw;
    m->c = c;
    m->n = n;
    if (gm_graph_create(c, &g)) exit(1);
    for (int i = 0; i < 4; i++) in[i] = gm_graph_input(g, names[i], GM_F32, 1, &n);
    gm_node s = gmi_logistic_log_scale(g, in[1], levels);
    out[0] = gmi_logistic_log(g, in[0], s, in[2], levels);
    gm_graph_grad(g, out[0], 2, in, out + 1);
    out[3] = gmi_logistic_mean(g, in[0], s);
    out[4] = gmi_logistic_draw(g, in[0], s, in[3]);
    if (gm_program_compile(g, 5, out, &p) || gm_run_create(c, p, NULL, &m->run)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    for (int i = 0; i < 4; i++) m->in[i] = vae_wrap(c, GMI_DTYPE_REAL, from[i], 1, n, 0, 0, 0);
    for (int i = 0; i < 5; i++) m->out[i] = vae_wrap(c, GMI_DTYPE_REAL, to[i], 1, n, 0, 0, 0);
    gm_program_destroy(p);
    gm_graph_destroy(g);
}

static void run(machine *m)
{
    if (gm_run_exec(m->run, 1, 4, m->in, 5, m->out)) printf("Bail out! %s\n", gm_context_error(m->c)), exit(1);
}

static void leave(machine *m)
{
    gm_run_destroy(m->run);
    for (int i = 0; i < 4; i++) gm_tensor_destroy(m->in[i]);
    for (int i = 0; i < 5; i++) gm_tensor_destroy(m->out[i]);
}

static long double sigmoid(long double y) { return 1 / (1 + expl(-y)); }
static double softplus(double y) { return y > 0 ? y + log1p(exp(-y)) : log1p(exp(y)); }

/* The log scale that raw means. */
static double scale_of(double r, int64_t levels)
{
    double floor = -log((double)(levels - 1)) - 3, s = floor + softplus(r - floor);
    return 5 - softplus(5 - s);
}

static void bins(gm_context *c, int64_t levels, double m0, double r0)
{
    machine m;
    const double h = 1.0 / (double)(levels - 1), s = exp(scale_of(r0, levels));
    double sum = 0, off = 0, want = 0;
    int finite = 1;
    build(&m, c, levels, levels);
    for (int64_t i = 0; i < levels; i++) {
        mean[i] = (gmi_real)m0;
        raw[i] = (gmi_real)r0;
        x[i] = (gmi_real)(-1 + 2 * h * (double)i);
        u[i] = (gmi_real)0.25;
    }
    run(&m);
    for (int64_t i = 0; i < levels; i++) {
        double centre = -1 + 2 * h * (double)i;
        long double a = i ? sigmoid((centre - h - m0) / s) : 0, b = i + 1 < levels ? sigmoid((centre + h - m0) / s) : 1;
        sum += exp((double)log_p[i]);
        want += (double)(b - a) * centre;
        finite &= isfinite((double)log_p[i]) && isfinite((double)d_mean[i]) && isfinite((double)d_raw[i]) && log_p[i] <= 0;
        if (b - a > 1e-6L) off = fmax(off, fabs((double)log_p[i] - (double)logl(b - a)) / (1 + fabs((double)log_p[i])));
    }
    ok(fabs(sum - 1) < EPS * sqrt((double)levels), "%d bins, mean %g, raw %g: probabilities sum to 1 (%g)", (int)levels, m0, r0, sum - 1);
    ok(finite, "every value at most 0, values and gradients finite");
    ok(off < 100 * EPS, "as differences of sigmoids (%g)", off);
    ok(fabs((double)expected[0] - want) < h + 100 * EPS, "the expected value within half a bin (%g, %g)", (double)expected[0], want);
    ok(fabs((double)draw[0] - (m0 - s * log(3.0))) < 10 * EPS * (1 + s), "a draw at u = 1/4");
    leave(&m);
}

#ifdef GMI_ORACLE
static void slopes(gm_context *c, int64_t levels)
{
    enum { N = 240 };
    static double g[2][N], up[2][N];
    static const double step = 1e-6;
    const double h = 1.0 / (double)(levels - 1);
    uint32_t seed = 3;
    double off = 0;
    machine m;
    build(&m, c, levels, N);
    for (int i = 0; i < N; i++) {
        mean[i] = 3 * vae_random(&seed) - 1.5;
        raw[i] = 12 * vae_random(&seed) - 8;
        x[i] = -1 + 2 * h * floor(vae_random(&seed) * (double)levels);
        u[i] = 0.5;
    }
    run(&m);
    for (int i = 0; i < N; i++) g[0][i] = d_mean[i], g[1][i] = d_raw[i];
    for (int k = 0; k < 2; k++) {
        gmi_real *p = k ? raw : mean;
        for (int i = 0; i < N; i++) p[i] += step;
        run(&m);
        for (int i = 0; i < N; i++) up[k][i] = log_p[i], p[i] -= 2 * step;
        run(&m);
        for (int i = 0; i < N; i++) {
            double slope = (up[k][i] - log_p[i]) / (2 * step);
            off = fmax(off, fabs(slope - g[k][i]) / (1 + fabs(slope) + fabs(log_p[i])));
            p[i] += step;
        }
    }
    ok(off < 1e-6, "%d bins: gradient as differences, off by %g", (int)levels, off);
    leave(&m);
}
#endif

/* Far means, and networks' outputs far beyond any sensible scale. */
static void extremes(gm_context *c)
{
    static const double means[] = {-1e6, -1000, -1, 0, 1, 30, 1e6}, raws[] = {-1e6, -100, -15, 0, 15, 100, 1e6};
    static const int64_t levels[] = {2, 13, 256, 65536};
    for (int l = 0; l < 4; l++) {
        machine m;
        int finite = 1, inside = 1;
        int64_t n = 0;
        build(&m, c, levels[l], 7 * 7 * 3);
        for (int i = 0; i < 7; i++)
            for (int j = 0; j < 7; j++)
                for (int k = 0; k < 3; k++, n++) {
                    mean[n] = (gmi_real)means[i];
                    raw[n] = (gmi_real)raws[j];
                    x[n] = (gmi_real)(k == 0 ? -1 : k == 1 ? 1 : -1 + 2.0 / (double)(levels[l] - 1) * (double)(levels[l] / 2));
                    u[n] = (gmi_real)(k == 0 ? 3e-8 : k == 1 ? 0.9999999 : 0.5);
                }
        run(&m);
        for (int64_t i = 0; i < n; i++) {
            finite &= isfinite((double)log_p[i]) && isfinite((double)d_mean[i]) && isfinite((double)d_raw[i]) && isfinite((double)draw[i]);
            inside &= expected[i] >= -1.1 && expected[i] <= 1.1;
        }
        ok(finite, "%d bins: far means and scales give finite values, gradients and draws", (int)levels[l]);
        ok(inside, "and an expected value inside");
        leave(&m);
    }
}

int main(void)
{
    static const int64_t levels[] = {2, 3, 13, 256, 4096};
    static const double means[] = {0, -0.37, 0.98, 1.7}, raws[] = {0, -3, -7, 3};
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    for (int l = 0; l < 5; l++)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) bins(c, levels[l], means[i], raws[j]);
    bins(c, MOST, 0.1, 0);
    bins(c, MOST, 0.1, -9);
    extremes(c);
#ifdef GMI_ORACLE
    for (int l = 0; l < 5; l++) slopes(c, levels[l]);
#endif
    gm_context_destroy(c);
    return done();
}
