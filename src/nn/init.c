/* SPDX-License-Identifier: MIT */
/* init.c: initial values of parameters and states, as functions of (seed, name, shape) alone.
 *
 * Draw i of a parameter is block i/2 (normal) or i (uniform) of the Philox stream keyed by (seed, name): adding a layer never moves another one's
 * weights. Everything is computed in double by num.c and rounded once to float, so the bits are the same on every platform.
 * Fans as PyTorch counts them: [out, in, taps...] has fan_in = in * taps, fan_out = out * taps, also where a transposed convolution stores [in, out, ...].
 * Sources: Glorot & Bengio 2010 eq. 16; He et al. 2015 eq. 10; LeCun et al. 1998 (lecun); Saxe et al. 2014 (orthogonal); "torch" is
 * torch.nn.Linear/Conv.reset_parameters: kaiming_uniform with a = sqrt(5), which is U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
 * Left out: truncated normals, sparse and identity matrices. */
#include "nn/nn.h"

enum { ZEROS, ONES, CONSTANT, UNIFORM, NORMAL, TORCH, SCALED_UNIFORM, SCALED_NORMAL, ORTHOGONAL };
enum { FAN_IN, FAN_OUT, FAN_MEAN };

typedef struct rule {
    const char *word, *alias;
    int32_t kind, fan, least, most; /* numbers after the word */
    double square;                  /* variance * fan at gain 1 */
} rule;
static const rule rules[] = {
    {"torch", "default", TORCH, FAN_IN, 0, 0, 1.0 / 3.0},
    {"zeros", "", ZEROS, 0, 0, 0, 0.0},
    {"ones", "", ONES, 0, 0, 0, 0.0},
    {"constant", "", CONSTANT, 0, 1, 1, 0.0},
    {"uniform", "", UNIFORM, 0, 1, 2, 0.0},
    {"normal", "", NORMAL, 0, 0, 2, 0.0},
    {"glorot_uniform", "xavier_uniform", SCALED_UNIFORM, FAN_MEAN, 0, 1, 1.0},
    {"glorot_normal", "xavier_normal", SCALED_NORMAL, FAN_MEAN, 0, 1, 1.0},
    {"he_uniform", "kaiming_uniform", SCALED_UNIFORM, FAN_IN, 0, 1, 2.0},
    {"he_normal", "kaiming_normal", SCALED_NORMAL, FAN_IN, 0, 1, 2.0},
    {"lecun_uniform", "", SCALED_UNIFORM, FAN_IN, 0, 1, 1.0},
    {"lecun_normal", "", SCALED_NORMAL, FAN_IN, 0, 1, 1.0},
    {"orthogonal", "", ORTHOGONAL, 0, 0, 1, 0.0},
};
#define WORDS                                                                                                                                      \
    "torch, zeros, ones, constant V, uniform A or LOW HIGH, normal STD [MEAN], glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, " \
    "lecun_normal, orthogonal [GAIN]"

typedef struct parsed {
    const rule *r;
    int32_t n;
    double a[2];
} parsed;

static int finite(double x) { return x - x == 0.0; }

/* "word[:number[:number]]", blanks in place of ':' allowed. */
static int parse(const char *s, size_t n, parsed *out)
{
    size_t i, k = 0;
    while (k < n && s[k] != ':' && s[k] != ' ') k++;
    out->r = NULL;
    out->n = 0;
    out->a[0] = out->a[1] = 0.0;
    for (i = 0; i < (size_t)GMI_COUNT(rules); i++)
        if ((strlen(rules[i].word) == k && memcmp(rules[i].word, s, k) == 0) || (k && strlen(rules[i].alias) == k && memcmp(rules[i].alias, s, k) == 0))
            out->r = &rules[i];
    if (!out->r) return -1;
    while (k < n) {
        size_t used = 0;
        while (k < n && (s[k] == ':' || s[k] == ' ')) k++;
        if (k == n) break;
        if (out->n == out->r->most || gmi_parse_double(s + k, n - k, &out->a[out->n], &used) || !finite(out->a[out->n])) return -1;
        k += used;
        if (k < n && s[k] != ':' && s[k] != ' ') return -1;
        out->n++;
    }
    if (out->r->kind == UNIFORM && out->n == 2 && !(out->a[0] <= out->a[1])) return -1;
    if (out->r->kind == NORMAL && out->n && !(out->a[0] >= 0.0)) return -1;
    return out->n < out->r->least ? -1 : 0;
}

size_t gmi_init_text(const char *init, size_t n, char *to, size_t cap)
{
    parsed p;
    if (!GM_TRAINING) { /* kept, not understood: nothing begins here */
        if (n < cap) memcpy(to, init, n), to[n] = 0;
        return n;
    }
    if (parse(init, n, &p)) return 0;
    if (p.n == 0) return gmi_format(to, cap, "%s", p.r->word);
    if (p.n == 1) return gmi_format(to, cap, "%s:%g", p.r->word, p.a[0]);
    return gmi_format(to, cap, "%s:%g:%g", p.r->word, p.a[0], p.a[1]);
}

gm_status gmi_init_check(gm_context *c, const char *init)
{
    parsed p;
    if (parse(init, strlen(init), &p) == 0) return GM_OK;
    return gmi_fail(c, GM_E_INVALID, "%S is no initialisation; write %s", init, WORDS);
}

/* ---- draws ---- */

typedef struct stream {
    uint32_t key[2];
} stream;

static void block(const stream *s, int64_t i, uint64_t out[2])
{
    uint32_t ctr[4], w[4];
    ctr[0] = (uint32_t)((uint64_t)i & 0xffffffffu);
    ctr[1] = (uint32_t)((uint64_t)i >> 32);
    ctr[2] = 0x74696e69u; /* "init" */
    ctr[3] = 0;
    gmi_philox(ctr, s->key, w);
    out[0] = ((uint64_t)w[1] << 32) | w[0];
    out[1] = ((uint64_t)w[3] << 32) | w[2];
}

/* [0, 1) in steps of 2^-53 */
static double unit(uint64_t u) { return (double)(u >> 11) * 1.1102230246251565e-16; }

static double draw_uniform(const stream *s, int64_t i)
{
    uint64_t u[2];
    block(s, i, u);
    return unit(u[0]);
}

/* Box & Muller 1958: elements 2i and 2i + 1 are the two coordinates. u is taken from (0, 1], so the logarithm is finite. */
static void draw_normals(const stream *s, int64_t i, double out[2])
{
    uint64_t u[2];
    double r, sine, cosine;
    block(s, i, u);
    r = gmi_num_sqrt(-2.0 * gmi_num_log((double)((u[0] >> 11) + 1) * 1.1102230246251565e-16));
    gmi_num_turn(unit(u[1]), &sine, &cosine);
    out[0] = r * cosine;
    out[1] = r * sine;
}

static void fill_uniform(const stream *s, int64_t n, double low, double high, float *out)
{
    int64_t i;
    for (i = 0; i < n; i++) out[i] = (float)(low + (high - low) * draw_uniform(s, i));
}

static void fill_normal(const stream *s, int64_t n, double mean, double std, float *out)
{
    double z[2] = {0.0, 0.0};
    int64_t i;
    for (i = 0; i < n; i++) {
        if (!(i & 1)) draw_normals(s, i / 2, z);
        out[i] = (float)(mean + std * z[i & 1]);
    }
}

/* ---- orthogonal ---- */

/* Four interleaved sums: fixed order, and the compiler may keep them in registers. */
static double dot(int64_t n, const double *a, const double *b)
{
    double s[4] = {0.0, 0.0, 0.0, 0.0};
    int64_t i;
    for (i = 0; i + 4 <= n; i += 4) {
        s[0] += a[i] * b[i];
        s[1] += a[i + 1] * b[i + 1];
        s[2] += a[i + 2] * b[i + 2];
        s[3] += a[i + 3] * b[i + 3];
    }
    for (; i < n; i++) s[0] += a[i] * b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* a minus its components along the i rows of v before it. */
static void project_out(int64_t i, int64_t n, const double *v, double *a)
{
    int64_t j, e;
    for (j = 0; j < i; j++) {
        const double *b = v + j * n;
        double d = dot(n, a, b);
        for (e = 0; e < n; e++) a[e] -= d * b[e];
    }
}

/* Modified Gram & Schmidt on the k rows of v [k, n], k <= n; a row that lost more than half of its square is cleaned once more ("twice is enough", Parlett
 * 1998). A Gaussian matrix gives the Haar distribution: the diagonal of R is positive. */
static void orthonormal_rows(int64_t k, int64_t n, double *v)
{
    int64_t i, e;
    for (i = 0; i < k; i++) {
        double *a = v + i * n, before = dot(n, a, a), norm;
        project_out(i, n, v, a);
        if (dot(n, a, a) < 0.5 * before) project_out(i, n, v, a);
        norm = gmi_num_sqrt(dot(n, a, a));
        for (e = 0; e < n; e++) a[e] = norm > 0.0 ? a[e] / norm : 0.0;
    }
}

/* [dims0, rest] with orthonormal rows, or columns where there are more rows than columns, times gain. */
static gm_status fill_orthogonal(gm_context *c, const stream *s, int64_t rows, int64_t cols, double gain, float *out)
{
    int64_t k = GMI_MIN(rows, cols), n = GMI_MAX(rows, cols), count = k * n, i, j;
    double *v = gmi_alloc_n(c, count, sizeof *v), z[2] = {0.0, 0.0};
    if (!v) return gmi_nomem(c);
    for (i = 0; i < count; i++) {
        if (!(i & 1)) draw_normals(s, i / 2, z);
        v[i] = z[i & 1];
    }
    orthonormal_rows(k, n, v);
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) out[i * cols + j] = (float)(gain * (rows <= cols ? v[i * n + j] : v[j * n + i]));
    gmi_free(c, v);
    return GM_OK;
}

/* ---- the whole ---- */

static double fan(const rule *r, int32_t rank, const int64_t *dims)
{
    double taps = 1.0, in, out;
    int32_t i;
    if (rank < 2) return rank ? (double)dims[0] : 1.0;
    for (i = 2; i < rank; i++) taps *= (double)dims[i];
    in = (double)dims[1] * taps;
    out = (double)dims[0] * taps;
    return r->fan == FAN_IN ? in : r->fan == FAN_OUT ? out : (in + out) * 0.5;
}

gm_status gmi_init_fill(gm_context *c, const char *init, uint64_t seed, const char *name, int32_t rank, const int64_t *dims, float *out)
{
    parsed p;
    stream s;
    int64_t n, i;
    uint64_t key = gmi_mix64(gmi_hash_text(GMI_HASH_START, name) ^ gmi_mix64(seed));
    double gain, std;
    gm_status st = gmi_init_check(c, init);
    if (st) return st;
    if (gmi_count_i64(rank, dims, &n)) return gmi_fail(c, GM_E_SHAPE, "%s: shape %v has no size", name, rank, dims);
    if (n == 0) return GM_OK;
    (void)parse(init, strlen(init), &p);
    s.key[0] = (uint32_t)(key & 0xffffffffu);
    s.key[1] = (uint32_t)(key >> 32);
    gain = p.n && p.r->kind >= SCALED_UNIFORM ? p.a[0] : 1.0;
    std = p.r->square > 0.0 ? gain * gmi_num_sqrt(p.r->square / fan(p.r, rank, dims)) : 0.0;
    switch (p.r->kind) {
    case ZEROS:
    case ONES:
    case CONSTANT:
        for (i = 0; i < n; i++) out[i] = p.r->kind == CONSTANT ? (float)p.a[0] : p.r->kind == ONES ? 1.0f : 0.0f;
        return GM_OK;
    case UNIFORM: fill_uniform(&s, n, p.n == 2 ? p.a[0] : -p.a[0], p.n == 2 ? p.a[1] : p.a[0], out); return GM_OK;
    case NORMAL: fill_normal(&s, n, p.n == 2 ? p.a[1] : 0.0, p.n ? p.a[0] : 1.0, out); return GM_OK;
    case TORCH:
        std = 1.0 / gmi_num_sqrt(fan(p.r, rank, dims)); /* the bound itself */
        fill_uniform(&s, n, -std, std, out);
        return GM_OK;
    case SCALED_UNIFORM:
        std *= gmi_num_sqrt(3.0); /* a uniform on +-b has variance b^2 / 3 */
        fill_uniform(&s, n, -std, std, out);
        return GM_OK;
    case SCALED_NORMAL: fill_normal(&s, n, 0.0, std, out); return GM_OK;
    default: return fill_orthogonal(c, &s, rank ? dims[0] : 1, rank ? n / dims[0] : 1, gain, out);
    }
}
