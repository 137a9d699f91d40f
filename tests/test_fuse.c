/* SPDX-License-Identifier: MIT */
/* test_fuse.c: what exec/fuse.c makes of elementwise nodes gives the bits of one node at a time: softplus and sigmoid of one value by one kernel, and sums over all
 * axes but the first made with what they sum, for one to three tasks. */
#include "exec/elem_plan.h"
#include "tap.h"
#include <genrep.h>
#include <stdlib.h>

enum { ROOTS = 4, MOST = 40000 };
typedef struct shape {
    int32_t rank;
    int64_t dims[4];
    int fits; /* rows that are summed on the way */
} shape;
/* Makes roots of x and u (as x), v (a number a row), b (a row); with `stage` 0 all, else only what stage 1 or 2 has, stage 2 of what stage 1 gave as x, u. */
typedef int32_t build_fn(gm_graph *g, const shape *s, int stage, gm_node *root);

static gm_context *c;
static gmi_real data[4][MOST];

static int64_t count_of(const shape *s, int32_t from)
{
    int64_t n = 1;
    for (int32_t a = from; a < s->rank; a++) n *= s->dims[a];
    return n;
}

static gm_node input(gm_graph *g, const shape *s, const char *name)
{
    int64_t d[4];
    for (int32_t a = 0; a < s->rank; a++) d[a] = (*name == 'v' && a) || (*name == 'b' && !a) ? 1 : s->dims[a];
    return gm_graph_input(g, name, GM_F32, s->rank, d);
}

static gm_node all_but_first(gm_graph *g, const shape *s, gm_node a) { return gm_op_sum(g, a, (1u << s->rank) - 2, 0); }

/* Bernoulli: x l - softplus(l) and its gradient (x - sigmoid(l)) v, l = u + b */
static int32_t likelihood(gm_graph *g, const shape *s, int stage, gm_node *root)
{
    gm_node x = input(g, s, "x"), l = stage == 2 ? input(g, s, "u") : gm_op_add(g, input(g, s, "u"), input(g, s, "b"));
    if (stage == 1) {
        root[0] = gm_op_softplus(g, l), root[1] = l;
        return 2;
    }
    root[0] = gm_op_sub(g, gm_op_mul(g, x, l), stage ? x : gm_op_softplus(g, l));
    root[1] = gm_op_mul(g, gm_op_sub(g, x, gm_op_sigmoid(g, l)), input(g, s, "v"));
    return 2;
}

/* The same, softplus and sigmoid in the other order, kept, and read between the two. */
static int32_t reversed(gm_graph *g, const shape *s, int stage, gm_node *root)
{
    gm_node x = input(g, s, "x");
    if (stage != 2) root[0] = gm_op_sigmoid(g, x);
    if (stage == 1) return 1;
    if (stage == 2) {
        root[0] = gm_op_softplus(g, x);
        return 1;
    }
    root[2] = gm_op_mul(g, root[0], input(g, s, "u"));
    root[1] = gm_op_softplus(g, x);
    root[3] = gm_op_add(g, gm_op_mul(g, root[2], input(g, s, "b")), root[1]);
    return 4;
}

/* Sums over rows of a product that nobody else wants, and of a square that is kept. */
static int32_t sums(gm_graph *g, const shape *s, int stage, gm_node *root)
{
    gm_node a, b;
    if (stage == 2) {
        root[0] = all_but_first(g, s, input(g, s, "x")), root[1] = all_but_first(g, s, input(g, s, "u"));
        return 2;
    }
    a = gm_op_mul(g, gm_op_add(g, input(g, s, "x"), input(g, s, "b")), input(g, s, "v"));
    b = gm_op_square(g, gm_op_sub(g, input(g, s, "u"), a));
    root[0] = stage ? a : all_but_first(g, s, a), root[1] = stage ? b : all_but_first(g, s, b);
    if (!stage) root[2] = b;
    return stage ? 2 : 3;
}

static int has_pair(const gm_program *p)
{
    for (int32_t i = 0; i < p->n_instrs; i++) {
        const gmi_elem_plan *q = p->instrs[i].plan;
        for (int32_t m = 0; p->instrs[i].run == gmi_elem_run && m < q->n_micro; m++)
            if (q->micro[m].kind == GMI_MICRO_PAIR) return 1;
    }
    return 0;
}

static int has(const gm_program *p, const char *what)
{
    int n = 0;
    for (int32_t i = 0; i < p->n_instrs; i++) n += strcmp(p->instrs[i].what, what) == 0;
    return n;
}

/* Runs a stage over x, u; pairs and separate sums of the program. */
static void run(build_fn *build, const shape *s, int stage, gmi_real *x, gmi_real *u, gmi_real *const *to, int *pair, int *n_sums)
{
    static const char *const names[] = {"x", "u", "v", "b"};
    gmi_real *const given[] = {x, u, data[2], data[3]};
    gm_graph *g = NULL;
    gm_node root[ROOTS];
    const gm_program *p = NULL;
    gm_run *r = NULL;
    const void *in[4];
    void *out[ROOTS];
    must(gm_graph_create(c, &g));
    const int32_t n = build(g, s, stage, root);
    must(gm_program_compile(g, n, root, &p));
    must(gm_run_create(c, p, NULL, &r));
    for (int i = 0; i < 4; i++) {
        const int32_t at = gmi_program_input_index(p, names[i]);
        if (at >= 0) in[at] = given[i];
    }
    for (int32_t i = 0; i < n; i++) out[i] = to[i];
    gmi_exec e = {0, 0, 0, in, out, 0};
    must(gmi_run_exec(r, &e));
    *pair = has_pair(p), *n_sums = has(p, "sum");
    gm_run_destroy(r);
    gm_program_destroy(p);
    gm_graph_destroy(g);
}

static int same(const gmi_real *a, const gmi_real *b, int64_t n) { return memcmp(a, b, (size_t)n * sizeof *a) == 0; }

static void check(const shape *s, int32_t threads)
{
    const int64_t n = count_of(s, 0), rows = s->dims[0];
    gmi_real *r[4 * ROOTS];
    int pair, alone, n_sums, ignored;
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    must(gm_context_create(&o, &c));
    for (int i = 0; i < 4 * ROOTS; i++) r[i] = calloc((size_t)n + 1, sizeof *r[i]);
    run(likelihood, s, 0, data[0], data[1], r, &pair, &n_sums);
    run(likelihood, s, 1, data[0], data[1], r + 4, &alone, &ignored); /* softplus(l), l */
    run(reversed, s, 1, r[5], data[1], r + 8, &ignored, &ignored);    /* sigmoid(l) */
    int good = 1;
    for (int64_t i = 0; good && i < n; i++) { /* the rest of the likelihood here, every operation rounded */
        const volatile gmi_real product = data[0][i] * r[5][i], d = data[0][i] - r[8][i];
        const volatile gmi_real density = product - r[4][i], gradient = d * data[2][i / (n / rows)];
        good = same(&r[0][i], (const gmi_real *)&density, 1) && same(&r[1][i], (const gmi_real *)&gradient, 1);
    }
    /* one row: b is no broadcast, which would have brought both to one level */
    ok(good && pair == (GM_TRAINING && rows > 1) && !alone, "[%d, %d], %d tasks: a likelihood and its gradient, softplus and sigmoid together", (int)rows, (int)(n / rows), (int)threads);
    run(reversed, s, 0, data[0], data[1], r, &pair, &n_sums);
    run(reversed, s, 1, data[0], data[1], r + 4, &alone, &ignored);
    run(reversed, s, 2, data[0], data[1], r + 5, &alone, &ignored);
    ok(same(r[0], r[4], n) && same(r[1], r[5], n) && pair == GM_TRAINING, "the other order, both kept");
    run(sums, s, 0, data[0], data[1], r, &pair, &n_sums);
    run(sums, s, 1, data[0], data[1], r + 4, &pair, &ignored);
    run(sums, s, 2, r[4], r[5], r + 8, &pair, &alone);
    ok(same(r[0], r[8], rows) && same(r[1], r[9], rows) && same(r[2], r[5], n), "sums of rows");
    is_int(n_sums, GM_TRAINING && s->fits ? 0 : alone, s->fits ? "made with what they sum" : "apart");
    for (int i = 0; i < 4 * ROOTS; i++) free(r[i]);
    gm_context_destroy(c);
}

int main(void)
{
    static const shape shapes[] = {{2, {33, 20}, 1},      {2, {9, 784}, 1},       {2, {2, 1024}, 1},     {2, {5, 1025}, 0}, {2, {40, 15}, 0},
                                   {2, {1, 300}, 0},      {4, {5, 3, 7, 11}, 1},  {4, {3, 1, 28, 28}, 1}, {3, {7, 40, 2}, 1}, {2, {300, 100}, 1}};
    uint32_t seed = 7;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < MOST; i++) {
            seed = seed * 1664525u + 1013904223u;
            data[k][i] = ((gmi_real)(seed >> 8) / 16777216 - (gmi_real)0.5) * (k == 1 ? 40 : 2);
        }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int32_t threads = 1; threads <= 3; threads++) check(&shapes[i], threads);
    return done();
}
