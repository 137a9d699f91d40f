/* SPDX-License-Identifier: MIT */
/* test_epilogue.c: an elementwise instruction or a sum that follows a convolution or a matrix product becomes part of it (exec/epilogue.c), with the bits of two programs that each do one
 * half, for one to three tasks, few and many channels and pixels; and when it must not. */
#include "exec/program.h"
#include "kernels/blas.h"
#include "tap.h"
#include <genrep.h>
#include <stdlib.h>

typedef struct sizes {
    int64_t n, in, out, side; /* side 0: a matrix product [n, in] [in, out] */
    int dx;                   /* a transposed convolution: twice the side, else half */
} sizes;
enum { GATED, GATED_SUM, SUM, WEIGHTED };
typedef enum { CONV, FOLLOW, BOTH } half;

static gm_context *c;

/* Instructions of a program whose name has a plus. */
static int joined(const gm_program *p)
{
    int n = 0;
    for (int32_t i = 0; i < p->n_instrs; i++) n += strchr(p->instrs[i].what, '+') != NULL;
    return n;
}

static void result_dims(const sizes *s, int64_t *d)
{
    d[0] = s->n, d[1] = s->out, d[2] = d[3] = !s->side ? 1 : s->dx ? 2 * s->side : s->side / 2;
}

static int32_t rank_of(const sizes *s) { return s->side ? 4 : 2; }

static gm_node convolve(gm_graph *g, const sizes *s)
{
    const int64_t x[4] = {s->n, s->in, s->side, s->side}, w[4] = {s->dx ? s->in : s->out, s->dx ? s->out : s->in, 4, 4};
    gm_conv o;
    if (!s->side) {
        const int64_t v[2] = {s->in, s->out};
        return gm_op_matmul(g, gm_graph_input(g, "x", GM_F32, 2, x), gm_graph_input(g, "w", GM_F32, 2, v), 0, 0);
    }
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    gm_node a = gm_graph_input(g, "x", GM_F32, 4, x), b = gm_graph_input(g, "w", GM_F32, 4, w);
    return s->dx ? gm_op_conv_transpose2d(g, a, b, &o) : gm_op_conv2d(g, a, b, &o);
}

/* leaky_relu(y + b) where m is above zero, or its sums over all pixels beside it, or the sums of y, or sigmoid(y + b) * u with a number u for each image or row. */
static int32_t follow(gm_graph *g, const sizes *s, gm_node y, gm_node *root, int what)
{
    const int64_t d[4] = {1, s->out, 1, 1};
    const uint32_t axes = s->side ? 13 : 1;
    if (what == SUM) {
        root[0] = gm_op_sum(g, y, axes, 0);
        return 1;
    }
    if (what == WEIGHTED) {
        const int64_t u[4] = {s->n, 1, 1, 1};
        root[0] = gm_op_mul(g, gm_op_sigmoid(g, gm_op_add(g, y, gm_graph_input(g, "b", GM_F32, rank_of(s), d))), gm_graph_input(g, "u", GM_F32, rank_of(s), u));
        return 1;
    }
    gm_node v = gm_op_leaky_relu(g, gm_op_add(g, y, gm_graph_input(g, "b", GM_F32, rank_of(s), d)), 0.2);
    root[0] = gm_op_mul(g, v, gm_op_step(g, gm_graph_input(g, "m", GM_F32, rank_of(s), d)));
    if (what == GATED_SUM) root[1] = gm_op_sum(g, root[0], axes, 0);
    return 1 + (what == GATED_SUM);
}

/* The program's inputs by name from those given, in the order it wants. */
static int run(const sizes *s, half h, int what, gmi_real *const *given, gmi_real *const *to)
{
    static const char *const names[] = {"x", "w", "y", "b", "m", "u"};
    int64_t d[4];
    gm_graph *g = NULL;
    gm_node root[2];
    const gm_program *p = NULL;
    gm_run *r = NULL;
    const void *in[6];
    void *out[2] = {to[0], to[1]};
    int32_t n = 1;
    must(gm_graph_create(c, &g));
    result_dims(s, d);
    gm_node y = h == FOLLOW ? gm_graph_input(g, "y", GM_F32, rank_of(s), d) : convolve(g, s);
    if (h == CONV)
        root[0] = y;
    else
        n = follow(g, s, y, root, what);
    must(gm_program_compile(g, n, root, &p));
    must(gm_run_create(c, p, NULL, &r));
    for (int i = 0; i < 6; i++) {
        const int32_t at = gmi_program_input_index(p, names[i]);
        if (at >= 0) in[at] = given[i];
    }
    gmi_exec e = {0, 0, 0, in, out, 0};
    must(gmi_run_exec(r, &e));
    const int plus = joined(p);
    gm_run_destroy(r);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    return plus;
}

static gmi_real *numbers(int64_t n, uint32_t seed)
{
    gmi_real *p = malloc((size_t)(n + 1) * sizeof *p);
    for (int64_t i = 0; p && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = ((gmi_real)(seed >> 8) / 16777216 - (gmi_real)0.5);
    }
    return p;
}

/* Products are cut by columns rather than rows or terms where groups of columns are narrow, and a BLAS does them whole. */
static int same_grid(const sizes *s)
{
    gmi_kernels k;
    gmi_exec_kernels(c, &k);
    return s->side || (k.nr >= 16 && !GMI_BLAS);
}

static void check(const sizes *s, int what, int32_t threads, int want)
{
    static const char *const text[] = {"bias, activation, gate", "and their sums", "sums", "a weight a row"};
    int64_t d[4];
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    must(gm_context_create(&o, &c));
    result_dims(s, d);
    const int64_t count = d[0] * d[1] * d[2] * d[3], big = what == SUM ? s->out : count;
    gmi_real *given[6] = {numbers(s->n * s->in * (s->side ? s->side * s->side : 1), 1), numbers(s->in * s->out * 16, 2), numbers(count, 3), numbers(s->out, 4), numbers(s->out, 5), numbers(s->n, 10)};
    gmi_real *apart[2] = {numbers(big, 6), numbers(s->out, 7)}, *both[2] = {numbers(big, 8), numbers(s->out, 9)}, *y[2] = {given[2], NULL};
    run(s, CONV, what, given, y);
    run(s, FOLLOW, what, given, apart);
    const int plus = run(s, BOTH, what, given, both);
    ok(memcmp(apart[0], both[0], (size_t)big * sizeof(gmi_real)) == 0 && (what != GATED_SUM || memcmp(apart[1], both[1], (size_t)s->out * sizeof(gmi_real)) == 0),
       "%s behind %s, %d to %d channels of %d x %d, %d tasks: the bits of two programs", text[what], !s->side ? "matmul" : s->dx ? "conv_transpose" : "conv", (int)s->in, (int)s->out,
       (int)s->side, (int)s->side, (int)threads);
    if (GM_TRAINING && want >= 0 && c->threads == threads && same_grid(s)) is_int(plus, want, "%s", want ? "one instruction" : "two instructions");
    for (int i = 0; i < 6; i++) free(given[i]);
    for (int i = 0; i < 2; i++) free(apart[i]), free(both[i]);
    gm_context_destroy(c);
}

int main(void)
{
    static const sizes wide = {64, 8, 32, 16, 0}, image = {16, 1, 24, 28, 0}, odd = {3, 24, 19, 14, 1}, pieces = {7, 24, 19, 14, 1}, broad = {300, 20, 3000, 0, 0}, up = {64, 16, 32, 4, 1}, few = {24, 32, 3, 8, 1}, many = {2, 8, 600, 8, 0},
                       rows = {192, 70, 200, 0, 0}, tall = {2100, 30, 40, 0, 0}, flat = {3, 300, 2000, 0, 0}, long_sums = {20, 17000, 24, 0, 0};
    const sizes *all[] = {&wide, &image, &odd, &up, &few, &many, &rows, &tall, &flat, &long_sums, &pieces, &broad};
    for (int what = 0; what < 4; what++) {
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            for (int32_t threads = 1; threads <= 3; threads++) check(all[i], what, threads, -1);
    }
    check(&wide, GATED, 2, 1);
    check(&wide, GATED_SUM, 2, 1);
    check(&wide, SUM, 2, 1);
    check(&few, GATED, 2, 1);     /* the planar way */
    check(&odd, GATED, 1, 1);
    check(&odd, GATED_SUM, 2, 0); /* tasks end inside blocks */
    check(&pieces, GATED_SUM, 2, 1); /* more pieces than threads, of whole blocks */
    check(&many, GATED, 1, 0);    /* columns of a block do not reach over all channels */
    check(&rows, GATED, 2, 1);
    check(&long_sums, GATED, 3, 1); /* cut along the terms: rows are finished by the last phase */
    check(&tall, SUM, 1, 1);
    check(&rows, WEIGHTED, 2, 1);
    check(&broad, WEIGHTED, 1, 1); /* a tile is part of a row */
    check(&tall, WEIGHTED, 1, 1);
    check(&flat, GATED, 2, 0); /* cut by columns */
    return done();
}
