/* SPDX-License-Identifier: MIT */
/* test_exec.c: a net with every kind of instruction gives the same bits for any number of threads, SIMD level and (row by row) batch; runs allocate
 * nothing; programs outlive graphs and serve several contexts; what a run is given is checked. */
#include "exec/program.h"
#include "kernels/blas.h"
#include "tap.h"
#include <genrep.h>

static gm_node net(gm_graph *g, int64_t n, gm_node *loss)
{
    int64_t xd[4] = {n, 3, 12, 12}, w1[4] = {16, 3, 4, 4}, b1[3] = {16, 1, 1}, w2[4] = {16, 8, 4, 4}, w3[2] = {33, 8 * 144}, zd[2] = {n, 33};
    gm_conv o;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    gm_node x = gm_graph_input(g, "x", GM_F32, 4, xd);
    gm_node h = gm_op_conv2d(g, x, gm_graph_param(g, "w1", "", 4, w1), &o);
    h = gm_op_leaky_relu(g, gm_op_add(g, h, gm_graph_param(g, "b1", "", 3, b1)), 0.2);
    h = gm_op_tanh(g, gm_op_conv_transpose2d(g, h, gm_graph_param(g, "w2", "", 4, w2), &o));
    h = gm_op_matmul(g, gm_op_flatten(g, h), gm_graph_param(g, "w3", "", 2, w3), 0, 1);
    h = gm_op_add(g, h, gm_op_mul(g, gm_op_random_normal(g, "eps", 2, zd, 1), gm_op_sigmoid(g, h)));
    gm_node y = gm_op_sub(g, h, gm_op_logsumexp(g, h, 2, 1));
    *loss = gm_op_mean(g, gm_op_square(g, y), 3, 0);
    return y;
}

static void fill(gmi_real *p, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = ((gmi_real)(seed >> 8) / 16777216 - (gmi_real)0.5) / 4;
    }
}

/* Hash of outputs and gradients for batch n; per_row gets a hash of each row of y. */
static uint64_t once(int32_t threads, gm_simd simd, int64_t n, uint64_t *per_row)
{
    gm_context *c = NULL;
    gm_context_options o;
    gm_graph *g = NULL;
    gm_node out[2];
    const gm_program *p = NULL;
    gm_params *w = NULL;
    gm_run *r = NULL;
    uint64_t hash = 0;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.simd = simd;
    if (gm_context_create(&o, &c)) return 0;
    if (gm_graph_create(c, &g)) return 0;
    out[0] = net(g, n, &out[1]);
    gm_graph_backward(g, out[1]);
    if (!gm_program_compile(g, 2, out, &p) && !gmi_params_layout(c, g, 1, &w) && !gm_run_create(c, p, w, &r)) {
        static gmi_real x[64 * 3 * 144], y[64 * 33], loss;
        const void *in[1] = {x};
        void *to[2] = {y, &loss};
        gmi_exec e = {9, 4, 0, in, to, 0};
        gm_graph_destroy(g);
        g = NULL;
        fill(x, n * 3 * 144, 5);
        for (int32_t i = 0; i < w->n_params; i++) fill(w->value + w->params[i].offset, w->params[i].count, 77 + (uint32_t)i);
        for (int k = 0; k < 2; k++) /* the second execution must not see the first */
            if (gmi_run_exec(r, &e)) return 0;
        size_t allocs = c->alloc_count;
        if (gmi_run_exec(r, &e) || c->alloc_count != allocs) return 0;
        hash = gmi_hash_bytes(GMI_HASH_START, y, (size_t)(n * 33) * sizeof y[0]);
        hash = gmi_hash_bytes(hash, &loss, sizeof loss);
        hash = gmi_hash_bytes(hash, w->grad, (size_t)w->param_elems * sizeof w->grad[0]);
        for (int64_t i = 0; i < n && per_row; i++) per_row[i] = gmi_hash_bytes(GMI_HASH_START, y + i * 33, 33 * sizeof y[0]);
    } else
        printf("# %s\n", gm_context_error(c));
    gm_graph_destroy(g);
    gm_run_destroy(r);
    gmi_params_release(w);
    gm_program_destroy(p);
    gm_context_destroy(c);
    return hash;
}

static void same_bits(void)
{
    static const gm_simd levels[] = {GM_SIMD_SCALAR, GM_SIMD_SSE2, GM_SIMD_AVX2, GM_SIMD_AVX512, GM_SIMD_NEON};
    uint64_t rows[64], first[64], want = once(1, GM_SIMD_SCALAR, 33, first);
    ok(want != 0, "the net runs, and its third execution allocates nothing");
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        for (int32_t t = 1; t <= 3; t++) {
            gm_context *c = NULL;
            gm_context_options o;
            gm_context_options_init(&o, sizeof o);
            o.simd = levels[i];
            if (gm_context_create(&o, &c)) {
                skip(levels[i] == GM_SIMD_NEON ? "NEON is not available here" : "an x86 level is not available here");
                continue;
            }
            gm_context_destroy(c);
            if (TAP_BLAS && levels[i] != GM_SIMD_SCALAR) {
                skip(TAP_BLAS_SKIP);
                continue;
            }
            ok(once(t, levels[i], 33, NULL) == want, "%s, %d threads: the same bits", gm_simd_name(levels[i]), (int)t);
        }
    for (int64_t n = 1; n <= 33; n += 4) {
        int same = once(2, TAP_BLAS ? GM_SIMD_SCALAR : GM_SIMD_BEST, n, rows) != 0;
        for (int64_t i = 0; i < n; i++) same &= rows[i] == first[i];
        ok(same, "batch %d: each row as in the batch of 33", (int)n);
    }
}

static void refusals(void)
{
    gm_context *c = NULL;
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gm_run *r = NULL;
    int64_t d[2] = {2, 3}, e[2] = {3, 2}, idx[1] = {2}, zero[2] = {0, 3};
    gm_tensor *t[3] = {NULL, NULL, NULL}, *bad = NULL;
    if (gm_context_create(NULL, &c) || gm_graph_create(c, &g)) return;
    gm_node x = gm_graph_input(g, "x", GM_F32, 2, d), i = gm_graph_input(g, "i", GM_I32, 1, idx);
    gm_node y = gm_op_gather(g, x, i);
    ok(gm_program_compile(g, 1, &y, &p) == GM_OK && gm_run_create(c, p, NULL, &r) == GM_OK, "compile");
    if (gm_tensor_create(c, GM_U8, 2, d, &t[0]) || gm_tensor_create(c, GM_I32, 1, idx, &t[1]) || gm_tensor_create(c, GM_F64, 2, d, &t[2]) ||
        gm_tensor_create(c, GM_F32, 2, e, &bad))
        return;
    for (int k = 0; k < 6; k++) ((uint8_t *)gm_tensor_data(t[0]))[k] = (uint8_t)(10 + k);
    ((int32_t *)gm_tensor_data(t[1]))[0] = 1;
    ok(gm_run_exec(r, 0, 2, t, 1, &t[2]) == GM_OK && ((double *)gm_tensor_data(t[2]))[0] == 13.0, "u8 in, f64 out");
    ok(gm_run_exec(r, 0, 1, t, 1, &t[2]) == GM_E_INVALID, "too few inputs: %s", gm_context_error(c));
    gm_tensor *wrong[2] = {bad, t[1]};
    ok(gm_run_exec(r, 0, 2, wrong, 1, &t[2]) == GM_E_SHAPE && strstr(gm_context_error(c), "[3,2]"), "wrong shape: %s", gm_context_error(c));
    ((int32_t *)gm_tensor_data(t[1]))[1] = 2;
    ok(gm_run_exec(r, 0, 2, t, 1, &t[2]) == GM_E_RANGE, "an index out of range: %s", gm_context_error(c));
    ((int32_t *)gm_tensor_data(t[1]))[1] = -1;
    ok(gm_run_exec(r, 0, 2, t, 1, &t[2]) == GM_E_RANGE, "a negative index");
    gm_node z = gm_op_exp(g, gm_graph_input(g, "empty", GM_F32, 2, zero));
    const gm_program *q = NULL;
    ok(gm_program_compile(g, 1, &z, &q) == GM_E_SHAPE && !q, "no elements: %s", gm_context_error(c));
    gm_node w = gm_graph_param(g, "w", "", 2, d);
    ok(gm_program_compile(g, 1, &w, &q) == GM_OK, "a parameter as an output");
    gm_run *none = NULL;
    ok(gm_run_create(c, q, NULL, &none) == GM_E_INVALID && !none, "parameters are missing: %s", gm_context_error(c));
    gm_program_destroy(q);
    gm_context_destroy(c); /* before its children: they keep it alive */
    gm_graph_destroy(g);
    gm_program_destroy(p);
    gm_run_destroy(r);
    for (int k = 0; k < 3; k++) gm_tensor_destroy(t[k]);
    gm_tensor_destroy(bad);
    ok(1, "destroyed in any order");
}

/* A program cut behind an output: that output is there after part 1, part 2 sees parameters as they are by then, and both make the bits of the whole. */
static void parts(void)
{
    enum { N = 5 };
    static gmi_real x[N * 3 * 144], y[N * 33];
    gm_context *c = NULL;
    gm_graph *g = NULL;
    gm_node out[2], late;
    const gm_program *p = NULL;
    gm_params *w = NULL;
    gm_run *r = NULL;
    gmi_real loss = 7;
    int64_t kd[1] = {33};
    const void *in[1] = {x};
    void *to[2] = {y, &loss};
    gmi_exec e = {9, 4, 0, in, to, 0};
    if (gm_context_create(NULL, &c) || gm_graph_create(c, &g)) exit(1);
    out[0] = net(g, N, &late);
    out[1] = gm_op_mul(g, late, gm_op_mean(g, gm_op_square(g, gm_op_mul(g, gm_op_tanh(g, out[0]), gm_graph_param(g, "late", "", 1, kd))), 3, 0));
    gm_graph_backward(g, out[1]);
    g->early = 1;
    if (gm_program_compile(g, 2, out, &p) || gmi_params_layout(c, g, 1, &w) || gm_run_create(c, p, w, &r)) exit(1);
    fill(x, N * 3 * 144, 5);
    for (int32_t i = 0; i < w->n_params; i++) fill(w->value + w->params[i].offset, w->params[i].count, 77 + (uint32_t)i);
    ok(p->cut > 0 && p->cut < p->n_instrs, "%d of %d instructions are the first part", (int)p->cut, (int)p->n_instrs);
    e.part = 1;
    ok(!gmi_run_exec(r, &e) && y[0] != 0 && loss == 7, "part 1 makes the early output alone");
    const uint64_t first = gmi_hash_bytes(GMI_HASH_START, y, sizeof y);
    int is_state;
    const gmi_slot *k = gmi_params_find(w, "late", &is_state);
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) { /* the second part after a change, the whole, the second part with another parameter */
        if (i != 1) fill(w->value + k->offset, k->count, 5 + (uint32_t)i);
        gmi_params_changed(w);
        e.part = i == 1 ? 0 : 2;
        if (i == 2) e.part = 1, (void)!gmi_run_exec(r, &e), e.part = 2;
        memset(w->grad, 0, (size_t)w->param_elems * sizeof w->grad[0]);
        if (gmi_run_exec(r, &e)) exit(1);
        hash[i] = gmi_hash_bytes(gmi_hash_bytes(GMI_HASH_START, &loss, sizeof loss), w->grad, (size_t)w->param_elems * sizeof w->grad[0]);
    }
    ok(hash[0] == hash[1] && gmi_hash_bytes(GMI_HASH_START, y, sizeof y) == first, "part 2 makes the rest of the whole, with the parameters of its time");
    ok(hash[2] != hash[1], "another parameter between the parts: another loss");
    gm_graph_destroy(g);
    gm_run_destroy(r);
    gmi_params_release(w);
    gm_program_destroy(p);
    gm_context_destroy(c);
}

/* One or two convolutions (each of a batch of its own) with the same weights, in one program; returns how many found their weights packed before. */
static int convolutions(gm_context *c, const int64_t *sizes, int first, int count, gmi_real *const *x, const gmi_real *w, gmi_real *const *y)
{
    static const char *const names[] = {"x", "v"};
    const int64_t wd[4] = {sizes[1], sizes[0], 4, 4};
    gm_graph *g = NULL;
    gm_node root[2], weights;
    const gm_program *p = NULL;
    gm_run *r = NULL;
    gm_conv o;
    const void *in[3];
    void *out[2];
    int shared = 0;
    must(gm_graph_create(c, &g));
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    weights = gm_graph_input(g, "w", GM_F32, 4, wd);
    for (int i = 0; i < count; i++) {
        const int64_t d[4] = {3 + first + i, sizes[0], sizes[2], sizes[2]};
        root[i] = gm_op_conv2d(g, gm_graph_input(g, names[i], GM_F32, 4, d), weights, &o);
        out[i] = y[first + i];
    }
    must(gm_program_compile(g, count, root, &p));
    must(gm_run_create(c, p, NULL, &r));
    in[gmi_program_input_index(p, "w")] = w;
    for (int i = 0; i < count; i++) in[gmi_program_input_index(p, names[i])] = x[first + i];
    gmi_exec e = {0, 0, 0, in, out, 0};
    must(gmi_run_exec(r, &e));
    must(gmi_run_exec(r, &e));
    for (int32_t i = 0; i < p->n_instrs; i++) shared += p->instrs[i].packed_before;
    gm_run_destroy(r);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    return shared;
}

/* Real and made images go through the same convolutions: weights are packed once. Rows cut (two phases) and columns cut (one). */
static void packed_once(void)
{
    static const int64_t sizes[][3] = {{16, 24, 28}, {32, 600, 4}};
    for (int i = 0; i < 4; i++) {
        const int64_t *s = sizes[i / 2], in = s[0] * s[2] * s[2], out = s[1] * s[2] * s[2] / 4, nw = s[0] * s[1] * 16;
        gmi_real *x[2], *y[2], *z[2], *w = malloc((size_t)nw * sizeof *w);
        gm_context_options o;
        gm_context *c = NULL;
        gm_context_options_init(&o, sizeof o);
        o.threads = 1 + i % 2;
        must(gm_context_create(&o, &c));
        fill(w, nw, 3);
        for (int k = 0; k < 2; k++) {
            x[k] = malloc((size_t)((3 + k) * in) * sizeof *x[k]), y[k] = malloc((size_t)((3 + k) * out) * sizeof *y[k]), z[k] = malloc((size_t)((3 + k) * out) * sizeof *z[k]);
            fill(x[k], (3 + k) * in, 5 + (uint32_t)k);
            convolutions(c, s, k, 1, x, w, z);
        }
        is_int(convolutions(c, s, 0, 2, x, w, y), GM_TRAINING, "%d threads: weights of the second convolution are packed already", (int)o.threads);
        ok(!memcmp(y[0], z[0], (size_t)(3 * out) * sizeof *y[0]) && !memcmp(y[1], z[1], (size_t)(4 * out) * sizeof *y[1]), "the bits of two programs");
        for (int k = 0; k < 2; k++) free(x[k]), free(y[k]), free(z[k]);
        free(w);
        gm_context_destroy(c);
    }
}

/* Products that make gradients leave the sums of squares of whole blocks; what another program makes, or anybody changes, forgets them. */
static int sums_left(const gm_params *w, const gmi_kernels *k, int *right)
{
    gmi_real square;
    int n = 0;
    for (int64_t b = 0; b < w->param_elems / GMI_RB; b++) {
        if (w->squares[b] == GMI_NOT_SUMMED) continue;
        k->sumsq_blocks(GMI_RB, w->grad + b * GMI_RB, &square);
        *right &= w->squares[b] == square;
        n++;
    }
    return n;
}

static const gm_program *gradient_of(gm_context *c, int64_t n, int product)
{
    const int64_t xd[2] = {n, 300}, ud[2] = {300, 70}, vd[2] = {70, 200}, none[2] = {1, 1};
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    must(gm_graph_create(c, &g));
    gm_node u = gm_graph_param(g, "u", "", 2, ud), v = gm_graph_param(g, "v", "", 2, vd), y;
    y = product ? gm_op_matmul(g, gm_op_tanh(g, gm_op_matmul(g, gm_graph_input(g, "x", GM_F32, 2, xd), u, 0, 0)), v, 0, 0) : gm_op_mul(g, u, gm_graph_input(g, "x", GM_F32, 2, none));
    gm_node loss = gm_op_mean(g, gm_op_square(g, y), 3, 0);
    gm_graph_backward(g, loss);
    must(gm_program_compile(g, 1, &loss, &p));
    gm_graph_destroy(g);
    return p;
}

static void run_gradient(gm_context *c, const gm_program *p, gm_params *w)
{
    static gmi_real x[128 * 300];
    gmi_real loss;
    const void *in[1] = {x};
    void *to[1] = {&loss};
    gmi_exec e = {0, 0, 0, in, to, 0};
    gm_run *r = NULL;
    fill(x, 128 * 300, 5);
    must(gm_run_create(c, p, w, &r));
    must(gmi_run_exec(r, &e));
    gm_run_destroy(r);
}

static void squares(int32_t threads)
{
    const int64_t ud[2] = {300, 70}, vd[2] = {70, 200};
    gm_context *c = NULL;
    gm_context_options o;
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gmi_kernels k;
    int right = 1;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    must(gm_context_create(&o, &c));
    must(gm_graph_create(c, &g));
    gm_graph_param(g, "u", "", 2, ud), gm_graph_param(g, "v", "", 2, vd);
    must(gmi_params_layout(c, g, 1, &w));
    gm_graph_destroy(g);
    gmi_exec_kernels(c, &k);
    for (int32_t i = 0; i < w->n_params; i++) fill(w->value + w->params[i].offset, w->params[i].count, 7 + (uint32_t)i);
    is_int(sums_left(w, &k, &right), 0, "no gradient yet, no sums");
    const gm_program *p = gradient_of(c, 128, 1), *q = gradient_of(c, 128, 0);
    run_gradient(c, p, w);
    const int made = sums_left(w, &k, &right), blocks = (int)(w->param_elems / GMI_RB);
    /* products of narrow groups of columns may be cut by columns, and then leave none */
    ok(right && (!GM_TRAINING || GMI_BLAS || (k.nr < 16 && threads > 1) || (made >= blocks / 4 && made < blocks)), "%d tasks: %d of %d sums of squares, those of the gradient", (int)c->threads, made, blocks);
    run_gradient(c, q, w);
    const gmi_slot *u = gmi_params_find(w, "u", NULL);
    int left = 0;
    for (int64_t b = u->offset / GMI_RB; b <= (u->offset + u->count - 1) / GMI_RB; b++) left += w->squares[b] != GMI_NOT_SUMMED;
    ok(!left && sums_left(w, &k, &right) <= made && right, "a gradient that no product made: its sums are forgotten, the others stay");
    gm_program_destroy(p), gm_program_destroy(q);
    gmi_params_release(w);
    gm_context_destroy(c);
}

int main(void)
{
    for (int32_t threads = 1; threads <= 3; threads++) squares(threads);
    same_bits();
    packed_once();
    parts();
    refusals();
    return done();
}
