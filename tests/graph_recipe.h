/* SPDX-License-Identifier: MIT */
/* graph_recipe.h: random recipes of graphs, and a naive interpreter in doubles, for test_fuzzgraph.
 *
 * An item names its inputs by their place in the list and carries its own value. The generator works with the values: what grows large is scaled, and
 * selections that flip on rounding (argmax, one_hot, select) only get values that single precision holds exactly. */
#ifndef GM_TESTS_GRAPH_RECIPE_H
#define GM_TESTS_GRAPH_RECIPE_H
#include "base/base.h"
#include <math.h>
#include <stdlib.h>

enum { INPUT, PARAM, STATE, SCALAR, UNARY, SCALE, BINARY, SELECT, RESHAPE, PERMUTE, BROADCAST, SLICE, PAD, CONCAT, SUM, MAX, MATMUL, CONV, CONVT, MAXPOOL, AVGPOOL,
       ARGMAX, GATHER, ONEHOT, TOREAL, KINDS };
enum { MAX_ITEMS = 72 };

typedef struct item {
    int kind, fn, n_in, in[3], exact, i32;
    int32_t rank;
    int64_t dims[8], at[8]; /* at: the kind's attributes */
    double f, *v;
} item;

typedef struct recipe {
    item it[MAX_ITEMS];
    int n, loss;
    int64_t most;  /* elements of a value */
    uint64_t seed;
} recipe;

static uint64_t rnd(recipe *r)
{
    uint64_t z = r->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static int64_t below(recipe *r, int64_t n) { return (int64_t)(rnd(r) % (uint64_t)n); }
static double real(recipe *r) { return (double)(float)((double)(rnd(r) >> 40) / 8388608 - 1); }

static int64_t count(const item *a)
{
    int64_t n = 1;
    for (int32_t i = 0; i < a->rank; i++) n *= a->dims[i];
    return n;
}

static void coords(const item *a, int64_t i, int64_t *x)
{
    for (int32_t k = a->rank; k-- > 0;) x[k] = i % a->dims[k], i /= a->dims[k];
}

/* The element of a at x, an index of rank `rank`: axes aligned at the end, axes of 1 repeat. */
static int64_t where(const item *a, int32_t rank, const int64_t *x)
{
    int64_t o = 0;
    for (int32_t k = 0; k < a->rank; k++) o = o * a->dims[k] + (a->dims[k] == 1 ? 0 : x[rank - a->rank + k]);
    return o;
}

/* ---- the interpreter ---- */
static const char *const unary_name[] = {"neg", "abs", "tanh", "sigmoid", "relu", "square", "softplus", "sin", "leaky_relu", "stop_gradient"};
enum { STOPS = 9 }; /* times 3/4: a tie of a value with itself held constant has no derivative */
static const int unary_exact[] = {1, 1, 0, 0, 1, 0, 0, 0, 0, 0};
static double unary(int fn, double x)
{
    switch (fn) {
    case 0: return -x;
    case 1: return fabs(x);
    case 2: return tanh(x);
    case 3: return 1 / (1 + exp(-x));
    case 4: return x > 0 ? x : 0;
    case 5: return x * x;
    case 6: return log1p(exp(-fabs(x))) + (x > 0 ? x : 0);
    case 7: return sin(x);
    case 8: return x > 0 ? x : 0.01 * x;
    default: return 0.75 * x;
    }
}
static const char *const binary_name[] = {"add", "sub", "mul", "max", "min"};
static double binary(int fn, double a, double b)
{
    switch (fn) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

static void eval_pointwise(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]], *b = &r->it[y->in[1]], *c = &r->it[y->in[2]];
    int64_t x[8], n = count(y);
    for (int64_t i = 0; i < n; i++) {
        coords(y, i, x);
        double p = a->v[where(a, y->rank, x)], q = y->n_in > 1 ? b->v[where(b, y->rank, x)] : 0;
        if (y->kind == UNARY) y->v[i] = unary(y->fn, p);
        if (y->kind == SCALE) y->v[i] = p * y->f;
        if (y->kind == BINARY) y->v[i] = binary(y->fn, p, q);
        if (y->kind == SELECT) y->v[i] = p > 0 ? q : c->v[where(c, y->rank, x)];
        if (y->kind == BROADCAST || y->kind == TOREAL) y->v[i] = p;
    }
}

static void eval_move(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]];
    int64_t x[8], s[8] = {0}, n = count(y), begin = 0;
    for (int64_t i = 0; i < n && y->kind != CONCAT; i++) {
        coords(y, i, x);
        int inside = 1;
        memcpy(s, x, sizeof s);
        if (y->kind == PERMUTE)
            for (int32_t k = 0; k < y->rank; k++) s[y->at[k]] = x[k];
        if (y->kind == SLICE) s[y->at[0]] += y->at[1];
        if (y->kind == PAD) {
            s[y->at[0]] -= y->at[1];
            inside = s[y->at[0]] >= 0 && s[y->at[0]] < a->dims[y->at[0]];
        }
        y->v[i] = !inside ? 0 : y->kind == RESHAPE ? a->v[i] : a->v[where(a, a->rank, s)];
    }
    for (int p = 0; p < y->n_in && y->kind == CONCAT; p++) {
        const item *b = &r->it[y->in[p]];
        for (int64_t i = 0; i < count(b); i++) {
            coords(b, i, x);
            x[y->at[0]] += begin;
            y->v[where(y, y->rank, x)] = b->v[i];
        }
        begin += b->dims[y->at[0]];
    }
}

static void eval_reduce(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]];
    item kept = *a; /* y before its axes went away: the same elements */
    int64_t x[8];
    for (int32_t k = 0; k < a->rank; k++)
        if (y->at[0] >> k & 1) kept.dims[k] = 1;
    for (int64_t i = 0; i < count(y); i++) y->v[i] = y->kind == SUM ? 0 : -1e300;
    for (int64_t i = 0; i < count(a); i++) {
        coords(a, i, x);
        double *to = &y->v[where(&kept, a->rank, x)];
        *to = y->kind == SUM ? *to + a->v[i] : a->v[i] > *to ? a->v[i] : *to;
    }
}

static void eval_matmul(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]], *b = &r->it[y->in[1]];
    int32_t k = y->rank;
    int64_t m = y->dims[k - 2], n = y->dims[k - 1], d = a->dims[y->at[0] ? k - 2 : k - 1], batch = count(y) / (m * n);
    for (int64_t o = 0; o < count(y); o++) {
        int64_t j = o % n, i = o / n % m, q = o / n / m;
        double s = 0;
        for (int64_t p = 0; p < d && q < batch; p++)
            s += a->v[q * m * d + (y->at[0] ? p * m + i : i * d + p)] * b->v[q * d * n + (y->at[1] ? j * d + p : p * n + j)];
        y->v[o] = s;
    }
}

/* at: stride, pad, kernel, groups. Walks all pairs of a small and a large image element that a tap joins. */
static void eval_conv(const recipe *r, const item *y)
{
    const item *x = &r->it[y->in[0]], *w = &r->it[y->in[1]], *big = y->kind == CONV ? x : y, *small = y->kind == CONV ? y : x;
    int64_t g = y->at[3], ci = big->dims[1] / g, co = small->dims[1] / g, kk = y->at[2];
    for (int64_t i = 0; i < count(y); i++) y->v[i] = 0;
    for (int64_t i = 0; i < count(small); i++) {
        int64_t s[4];
        coords(small, i, s);
        for (int64_t t = 0; t < ci * kk * kk; t++) {
            int64_t c = t / (kk * kk), kh = t / kk % kk, kw = t % kk, h = s[2] * y->at[0] + kh - y->at[1], v = s[3] * y->at[0] + kw - y->at[1];
            if (h < 0 || v < 0 || h >= big->dims[2] || v >= big->dims[3]) continue;
            int64_t b = ((s[0] * big->dims[1] + s[1] / co * ci + c) * big->dims[2] + h) * big->dims[3] + v;
            double tap = w->v[((s[1] * ci + c) * kk + kh) * kk + kw];
            if (y->kind == CONV)
                y->v[i] += x->v[b] * tap;
            else
                y->v[b] += x->v[i] * tap;
        }
    }
}

static void eval_pool(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]];
    int64_t s[4], k = y->at[0];
    for (int64_t i = 0; i < count(y); i++) {
        double most = -1e300, sum = 0;
        coords(y, i, s);
        for (int64_t t = 0; t < k * k; t++) {
            double p = a->v[((s[0] * a->dims[1] + s[1]) * a->dims[2] + s[2] * k + t / k) * a->dims[3] + s[3] * k + t % k];
            most = p > most ? p : most;
            sum += p;
        }
        y->v[i] = y->kind == MAXPOOL ? most : sum / (double)(k * k);
    }
}

static void eval_index(const recipe *r, const item *y)
{
    const item *a = &r->it[y->in[0]], *ix = &r->it[y->in[1]];
    int64_t n = count(y), x[9];
    for (int64_t i = 0; i < n; i++) {
        coords(y, i, x);
        if (y->kind == GATHER) {
            int64_t width = n / y->dims[0];
            y->v[i] = a->v[(int64_t)ix->v[i / width] * width + i % width];
        } else if (y->kind == ONEHOT)
            y->v[i] = (double)x[y->rank - 1] == a->v[i / y->at[0]];
        else { /* argmax over the axis at[0] */
            int64_t inner = 1, best = 0, axis = y->at[0], d = a->dims[axis];
            for (int32_t k = (int32_t)axis + 1; k < a->rank; k++) inner *= a->dims[k];
            const double *v = a->v + i / inner * inner * d + i % inner;
            for (int64_t k = 1; k < d; k++)
                if (v[k * inner] > v[best * inner]) best = k;
            y->v[i] = (double)best;
        }
    }
}

static void eval(const recipe *r, const item *y)
{
    switch (y->kind) {
    case INPUT: case PARAM: case STATE: break;
    case SCALAR: y->v[0] = y->f; break;
    case RESHAPE: case PERMUTE: case SLICE: case PAD: case CONCAT: eval_move(r, y); break;
    case SUM: case MAX: eval_reduce(r, y); break;
    case MATMUL: eval_matmul(r, y); break;
    case CONV: case CONVT: eval_conv(r, y); break;
    case MAXPOOL: case AVGPOOL: eval_pool(r, y); break;
    case ARGMAX: case GATHER: case ONEHOT: eval_index(r, y); break;
    default: eval_pointwise(r, y);
    }
}

/* ---- random recipes ---- */
static int pick(recipe *r, int32_t rank_min) /* the latest are likelier, so that chains grow */
{
    for (int t = 0; t < 40; t++) {
        int back = (int)below(r, below(r, 2) ? GMI_MIN(r->n, 5) : r->n), i = r->n - 1 - back;
        if (!r->it[i].i32 && r->it[i].rank >= rank_min) return i;
    }
    return -1;
}

static item *start(recipe *r, int kind, int n_in, int a, int b)
{
    item *y = &r->it[r->n];
    memset(y, 0, sizeof *y);
    y->kind = kind, y->n_in = n_in, y->in[0] = a, y->in[1] = b;
    if (n_in > 0) {
        const item *x = &r->it[a];
        y->rank = x->rank, y->exact = x->exact, y->i32 = x->i32;
        memcpy(y->dims, x->dims, sizeof y->dims);
    }
    return y;
}

/* The item enters the list with its values, unless it is too large or wild; -1 then. */
static int finish(recipe *r, item *y)
{
    double most = 0;
    int64_t n = count(y);
    if (r->n >= MAX_ITEMS || n > r->most || n < 1) return -1;
    y->v = calloc((size_t)n, sizeof *y->v);
    if (!y->v) exit(1);
    if (y->kind <= STATE)
        for (int64_t i = 0; i < n; i++) y->v[i] = real(r);
    eval(r, y);
    for (int64_t i = 0; i < n; i++) most = fabs(y->v[i]) > most ? fabs(y->v[i]) : most;
    if (most > 60) {
        free(y->v);
        return -1;
    }
    int at = r->n++;
    if (most > 3 && !y->i32 && y->kind != SCALE) {
        item *s = start(r, SCALE, 1, at, 0);
        s->f = 1.0 / 16, s->exact = 0;
        return finish(r, s);
    }
    return at;
}

static int leaf(recipe *r, int kind, int32_t rank, const int64_t *dims)
{
    item *y = start(r, kind, 0, 0, 0);
    y->rank = rank, y->exact = 1;
    memcpy(y->dims, dims, (size_t)rank * sizeof *dims);
    return finish(r, y);
}

static int random_leaf(recipe *r)
{
    static const int64_t sizes[] = {1, 1, 2, 3, 4, 5, 7, 8, 16, 33};
    int64_t d[8];
    int32_t rank = (int32_t)below(r, 5);
    for (int32_t i = 0; i < rank; i++) d[i] = sizes[below(r, r->most > 1000 ? 10 : 6)];
    return leaf(r, (int)below(r, 3), rank, d);
}

/* Other dims with the same product; exactly `rank` of them when rank > 0. */
static int reshaped(recipe *r, int a, int32_t rank)
{
    item *y = start(r, RESHAPE, 1, a, 0);
    int64_t left = count(y);
    y->rank = rank ? rank : (int32_t)below(r, left == 1 ? 6 : 5) + (left > 1);
    for (int32_t k = 0; k < y->rank; k++) {
        int64_t d = k + 1 == y->rank ? left : 1 + below(r, GMI_MIN(left, 40));
        while (left % d) d--;
        y->dims[k] = d;
        left /= d;
    }
    return finish(r, y);
}

static int image(recipe *r)
{
    int a = pick(r, 4);
    if (a >= 0 && r->it[a].rank == 4) return a;
    a = pick(r, 0);
    return a < 0 ? -1 : reshaped(r, a, 4);
}

static int convolved(recipe *r, int kind)
{
    int a = image(r);
    if (a < 0) return -1;
    const int64_t *x = r->it[a].dims;
    int64_t k = 1 + below(r, 3), s = 1 + below(r, 2), pad = below(r, k), g = x[1] % 2 == 0 && below(r, 3) == 0 ? 2 : 1, o = g * (1 + below(r, 4));
    int64_t wd[4] = {kind == CONV ? o : x[1], (kind == CONV ? x[1] : o) / g, k, k}, size[2], work = wd[0] * wd[1] * k * k * x[0] * x[2] * x[3];
    for (int i = 0; i < 2; i++) size[i] = kind == CONV ? (x[2 + i] + 2 * pad < k ? 0 : (x[2 + i] + 2 * pad - k) / s + 1) : (x[2 + i] - 1) * s - 2 * pad + k;
    if (size[0] < 1 || size[1] < 1 || work > 100 * r->most) return -1;
    int w = leaf(r, PARAM, 4, wd);
    if (w < 0) return -1;
    item *y = start(r, kind, 2, a, w);
    y->dims[1] = o, y->dims[2] = size[0], y->dims[3] = size[1];
    y->at[0] = s, y->at[1] = pad, y->at[2] = k, y->at[3] = g;
    y->exact = 0;
    return finish(r, y);
}

static int pooled(recipe *r, int kind)
{
    int a = image(r);
    if (a < 0) return -1;
    item *y = start(r, kind, 1, a, 0);
    y->at[0] = 1 + below(r, 2);
    y->dims[2] /= y->at[0], y->dims[3] /= y->at[0];
    y->exact &= kind == MAXPOOL;
    return finish(r, y);
}

static int multiplied(recipe *r)
{
    int a = pick(r, 2);
    if (a < 0) return -1;
    int64_t d[8], ta = below(r, 2), tb = below(r, 2), n = 1 + below(r, 9);
    int32_t k = r->it[a].rank;
    memcpy(d, r->it[a].dims, sizeof d);
    int64_t m = d[ta ? k - 1 : k - 2], inner = d[ta ? k - 2 : k - 1];
    d[k - 2] = tb ? n : inner, d[k - 1] = tb ? inner : n;
    int b = leaf(r, below(r, 2) ? PARAM : INPUT, k, d);
    if (b < 0) return -1;
    item *y = start(r, MATMUL, 2, a, b);
    y->dims[k - 2] = m, y->dims[k - 1] = n;
    y->at[0] = ta, y->at[1] = tb;
    y->exact = 0;
    return finish(r, y);
}

/* An item of a's shape when a few tries find one. */
static int pick_like(recipe *r, int a)
{
    int b = -1;
    for (int t = 0; t < 12 && a >= 0; t++) {
        b = pick(r, 0);
        if (b >= 0 && b != a && r->it[b].rank == r->it[a].rank && !memcmp(r->it[b].dims, r->it[a].dims, sizeof r->it[a].dims)) break;
    }
    return b;
}

static int combined(recipe *r, int kind)
{
    int a = pick(r, 0), b = pick_like(r, a), c = a;
    if (kind == SELECT) {
        for (int t = 0; t < 40 && !(c >= 0 && r->it[c].exact); t++) c = pick(r, 0);
        if (c < 0 || !r->it[c].exact) return -1;
    }
    if (a < 0 || b < 0) return -1;
    int64_t dims[8] = {0};
    int in[3] = {a, b, c};
    int32_t rank = GMI_MAX(r->it[c].rank, GMI_MAX(r->it[a].rank, r->it[b].rank));
    for (int32_t k = 0; k < rank; k++) {
        dims[k] = 1;
        for (int i = 0; i < 3; i++) {
            const item *x = &r->it[in[i]];
            int64_t d = k < rank - x->rank ? 1 : x->dims[k - (rank - x->rank)];
            if (d != 1 && dims[k] != 1 && d != dims[k]) return -1;
            dims[k] = d == 1 ? dims[k] : d;
        }
    }
    item *y = start(r, kind, kind == SELECT ? 3 : 2, kind == SELECT ? c : a, kind == SELECT ? a : b);
    y->in[2] = b;
    y->fn = (int)below(r, 5);
    y->rank = rank;
    memcpy(y->dims, dims, sizeof dims);
    y->exact = r->it[a].exact && r->it[b].exact && (kind == SELECT || y->fn > 2);
    return finish(r, y);
}

static int moved(recipe *r, int kind)
{
    int a = pick(r, kind == BROADCAST ? 0 : 1);
    if (a < 0) return -1;
    item *y = start(r, kind, 1, a, 0);
    int32_t k = y->rank, x = (int32_t)below(r, GMI_MAX(1, k));
    if (kind == PERMUTE) {
        for (int32_t i = 0; i < k; i++) y->at[i] = i;
        for (int32_t i = k; i-- > 1;) {
            int32_t j = (int32_t)below(r, i + 1);
            int64_t t = y->at[i];
            y->at[i] = y->at[j], y->at[j] = t;
        }
        for (int32_t i = 0; i < k; i++) y->dims[i] = r->it[a].dims[y->at[i]];
    } else if (kind == SLICE) {
        y->at[0] = x;
        y->at[1] = below(r, y->dims[x]);
        y->dims[x] = 1 + below(r, y->dims[x] - y->at[1]);
    } else if (kind == PAD) {
        y->at[0] = x, y->at[1] = below(r, 3), y->at[2] = below(r, 3);
        y->dims[x] += y->at[1] + y->at[2];
    } else if (kind == CONCAT) {
        int second = below(r, 2) ? a : leaf(r, PARAM, k, r->it[a].dims); /* leaf begins another item in y's place */
        if (second < 0 || r->n >= MAX_ITEMS) return -1;
        y = start(r, CONCAT, 2 + (int)below(r, 2), a, second);
        y->in[2] = a, y->at[0] = x;
        y->dims[x] *= y->n_in;
        y->exact &= r->it[second].exact;
    } else { /* BROADCAST */
        int32_t more = k < 5 ? (int32_t)below(r, 2) : 0;
        y->rank = k + more;
        for (int32_t i = 0; i < y->rank; i++) {
            int64_t d = i < more ? 1 : r->it[a].dims[i - more];
            y->dims[i] = d == 1 ? 1 + below(r, 4) : d;
        }
    }
    return finish(r, y);
}

static int reduced(recipe *r, int kind)
{
    int a = pick(r, 1);
    if (a < 0) return -1;
    item *y = start(r, kind, 1, a, 0);
    int32_t k = 0;
    y->at[0] = below(r, (int64_t)1 << y->rank);
    y->at[1] = below(r, 2);
    for (int32_t i = 0; i < y->rank; i++) {
        int red = (int)(y->at[0] >> i & 1);
        if (!red || y->at[1]) y->dims[k++] = red ? 1 : r->it[a].dims[i];
    }
    y->rank = k;
    y->exact &= kind == MAX;
    return finish(r, y);
}

static int indexed(recipe *r)
{
    int a = -1;
    for (int t = 0; t < 20 && (a < 0 || !r->it[a].exact); t++) a = pick(r, 1);
    if (a < 0 || !r->it[a].exact) return -1;
    item *y = start(r, ARGMAX, 1, a, 0);
    int32_t axis = (int32_t)below(r, y->rank), k = 0;
    int64_t depth = y->dims[axis], d[2] = {depth, 1 + below(r, 5)};
    for (int32_t i = 0; i < y->rank; i++)
        if (i != axis) y->dims[k++] = r->it[a].dims[i];
    y->rank = k, y->i32 = 1, y->at[0] = axis;
    int ix = finish(r, y), how = (int)below(r, 3);
    if (ix < 0 || r->n >= MAX_ITEMS) return ix;
    if (how < 2) { /* to_real, one_hot */
        y = start(r, how ? ONEHOT : TOREAL, 1, ix, 0);
        y->i32 = 0, y->exact = 1;
        if (how) y->at[0] = depth, y->dims[y->rank++] = depth;
        return finish(r, y);
    }
    y = start(r, BROADCAST, 1, ix, 0); /* indices move as other values do */
    y->rank = 1 + r->it[ix].rank;
    y->dims[0] = 1 + below(r, 3);
    memcpy(y->dims + 1, r->it[ix].dims, (size_t)r->it[ix].rank * sizeof d[0]);
    if ((ix = finish(r, y)) < 0 || (ix = reshaped(r, ix, 1)) < 0) return -1;
    int table = leaf(r, PARAM, 2, d);
    if (table < 0) return -1;
    y = start(r, GATHER, 2, table, ix);
    y->dims[0] = r->it[ix].dims[0];
    return finish(r, y);
}

static int step(recipe *r)
{
    int kind = (int)below(r, KINDS + 14), a;
    if (kind >= KINDS) kind = kind % 3 ? BINARY : UNARY; /* groups of many */
    switch (kind) {
    case UNARY:
    case SCALE:
    case STATE: {
        if ((a = pick(r, 0)) < 0) return -1;
        item *y = start(r, UNARY, 1, a, 0);
        y->fn = (int)below(r, GMI_COUNT(unary_name));
        y->exact &= unary_exact[y->fn];
        return finish(r, y);
    }
    case SCALAR: {
        item *y = start(r, SCALAR, 0, 0, 0);
        y->f = below(r, 3) ? (double)(float)real(r) : 1, y->exact = 1;
        return finish(r, y);
    }
    case RESHAPE: return (a = pick(r, 0)) < 0 ? -1 : reshaped(r, a, 0);
    case TOREAL: case BINARY: return combined(r, BINARY);
    case SELECT: return combined(r, SELECT);
    case ONEHOT: case BROADCAST: return moved(r, BROADCAST);
    case PERMUTE: case SLICE: case PAD: case CONCAT: return moved(r, kind);
    case SUM: case MAX: return reduced(r, kind);
    case MATMUL: return multiplied(r);
    case GATHER: case CONV: return convolved(r, CONV);
    case CONVT: return convolved(r, CONVT);
    case MAXPOOL: case AVGPOOL: return pooled(r, kind);
    case ARGMAX: return indexed(r);
    default: return random_leaf(r);
    }
}

static void make_recipe(recipe *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->seed = seed;
    r->most = seed % 6 == 5 ? 9000 : 300;
    int64_t side = r->most > 1000 ? 16 : 5, d[4] = {1 + below(r, 2), 1 + below(r, 5), 1 + below(r, side), 1 + below(r, side)};
    int want = 12 + (int)below(r, 40);
    leaf(r, INPUT, 4, d);
    leaf(r, PARAM, 4, d);
    for (int t = 0; t < 400 && r->n < want; t++) step(r);
    for (r->loss = r->n - 1; r->it[r->loss].i32; r->loss--) {}
}

static double loss_of(const recipe *r)
{
    const item *y = &r->it[r->loss];
    double s = 0;
    for (int64_t i = 0; i < count(y); i++) s += y->v[i] * y->v[i];
    return s;
}
#endif
