/* SPDX-License-Identifier: MIT */
/* test_graph.c: sticky errors with their words, rewrites that keep bits, gm_op against the typed builders, printing. */
#include "graph/rewrite.h"
#include "tap.h"
#include <genrep.h>

static gm_context *ctx;

static const char *text(const gm_graph *g, const char *form)
{
    static char buf[20000];
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.memory = buf;
    w.capacity = sizeof buf - 1;
    memset(buf, 0, sizeof buf);
    return gm_graph_print(g, form, &w) ? "" : buf;
}

typedef void bad_fn(gm_graph *g, gm_node x);
static void bad_add(gm_graph *g, gm_node x) { int64_t d[2] = {3, 5}; gm_op_exp(g, gm_op_add(g, x, gm_graph_input(g, "y", GM_F32, 2, d))); }
static void bad_matmul(gm_graph *g, gm_node x) { gm_op_matmul(g, x, x, 0, 0); }
static void bad_reshape(gm_graph *g, gm_node x) { int64_t d[2] = {5, -1}; gm_op_reshape(g, x, 2, d); }
static void bad_slice(gm_graph *g, gm_node x) { gm_op_slice(g, x, 1, 2, 9); }
static void bad_conv(gm_graph *g, gm_node x) { gm_op_conv2d(g, x, x, NULL); }
static void bad_name(gm_graph *g, gm_node x) { int64_t d[1] = {3}; (void)x; gm_graph_param(g, "p", "zeros", 1, d); gm_graph_param(g, "p", "zeros", 1, d); }
static void bad_op(gm_graph *g, gm_node x) { gm_op(g, "fourier", 1, &x, NULL); }
static void bad_attr(gm_graph *g, gm_node x) { gm_op(g, "sum", 1, &x, "axes=0 kept=1"); }
static void bad_node(gm_graph *g, gm_node x) { x.id = 9999; gm_op_exp(g, x); }
static void bad_dims(gm_graph *g, gm_node x) { int64_t d[2] = {3, -4}; (void)x; gm_graph_input(g, "z", GM_F32, 2, d); }
static void bad_huge(gm_graph *g, gm_node x) { int64_t d[3] = {INT64_MAX / 2, 3, 7}; (void)x; gm_graph_input(g, "z", GM_F32, 3, d); }

static void errors(void)
{
    static const struct {
        bad_fn *f;
        gm_status status;
        const char *word;
    } t[] = {{bad_add, GM_E_SHAPE, "add: [3,4] and [3,5]"}, {bad_matmul, GM_E_SHAPE, "matmul: [3,4]"}, {bad_reshape, GM_E_SHAPE, "reshape: [3,4]"},
             {bad_slice, GM_E_RANGE, "slice: [2, 9) of an axis of 4"}, {bad_conv, GM_E_SHAPE, "conv2d"}, {bad_name, GM_E_INVALID, "\"p\""},
             {bad_op, GM_E_UNKNOWN, "fourier"}, {bad_attr, GM_E_INVALID, "kept"}, {bad_node, GM_E_INVALID, "exp"}, {bad_dims, GM_E_SHAPE, "negative"},
             {bad_huge, GM_E_SHAPE, "too many"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        gm_graph *g = NULL;
        int64_t d[2] = {3, 4};
        const gm_program *p = NULL;
        if (gm_graph_create(ctx, &g)) return;
        gm_node x = gm_graph_input(g, "x", GM_F32, 2, d);
        t[i].f(g, x);
        gm_node y = gm_op_exp(g, x);
        ok(y.id == 0, "after a failure builders return id 0");
        gm_status s = gm_program_compile(g, 1, &x, &p);
        ok(s == t[i].status && !p && strstr(gm_context_error(ctx), t[i].word), "%s (%d)", gm_context_error(ctx), (int)s);
        ok(gm_graph_status(g) == t[i].status, "gm_graph_status says the same");
        gm_graph_destroy(g);
    }
}

static void rewrites(void)
{
    gm_graph *g = NULL;
    int64_t d[3] = {2, 3, 4};
    int32_t o1[3] = {1, 2, 0};
    if (gm_graph_create(ctx, &g)) return;
    gm_node x = gm_graph_input(g, "x", GM_F32, 3, d);
    gm_node one = gm_op_scalar(g, 1.0), zero = gm_op_scalar(g, 0.0);
    gm_node a = gm_op_exp(g, gm_op_mul(g, x, one)), b = gm_op_exp(g, x), e = gm_op_exp(g, gm_op_add(g, x, zero));
    gm_node p = gm_op_permute(g, gm_op_permute(g, gm_op_permute(g, x, o1), o1), o1);
    int64_t rd[2] = {2, 12};
    gm_node r1 = gm_op_random_normal(g, "k", 2, rd, 1), r2 = gm_op_random_normal(g, "k", 2, rd, 1), r3 = gm_op_random_normal(g, "j", 2, rd, 1);
    gm_node n = gm_op_neg(g, gm_op_neg(g, x)), s = gm_op_stop_gradient(g, x);
    uint32_t roots[9] = {0};
    gmi_ir ir;
    roots[0] = a.id, roots[1] = b.id, roots[2] = e.id, roots[3] = p.id, roots[4] = r1.id, roots[5] = r2.id, roots[6] = r3.id, roots[7] = n.id, roots[8] = s.id;
    ok(gmi_rewrite(g, 9, roots, &ir) == GM_OK, "rewrite");
    ok(ir.map[a.id - 1] == ir.map[b.id - 1], "x * 1 is x, and equal expressions are one");
    ok(ir.map[e.id - 1] != ir.map[b.id - 1], "x + 0 is not x: -0 + 0 = +0");
    int32_t pi = ir.map[p.id - 1];
    ok(ir.nodes[pi].op == GMI_OP_permute && ir.nodes[ir.nodes[pi].in[0]].op == GMI_OP_input, "permutes compose");
    ok(ir.map[r1.id - 1] == ir.map[r2.id - 1] && ir.map[r1.id - 1] != ir.map[r3.id - 1], "draws merge only by key");
    ok(ir.map[n.id - 1] == ir.map[x.id - 1] && ir.map[s.id - 1] == ir.map[x.id - 1], "-(-x) and stop_gradient(x) are x");
    int live = 1;
    for (int32_t i = 0; i < ir.n; i++)
        for (int32_t k = 0; k < ir.nodes[i].n_in; k++) live &= ir.nodes[i].in[k] < (uint32_t)i;
    ok(live, "inputs stand before their consumers");
    gmi_ir_free(&ir);
    gm_graph_destroy(g);
}

static void by_name(void)
{
    gm_graph *g = NULL, *h = NULL;
    int64_t d[4] = {2, 3, 6, 6}, wd[4] = {4, 3, 3, 3}, rd[2] = {2, -1};
    gm_conv o;
    if (gm_graph_create(ctx, &g) || gm_graph_create(ctx, &h)) return;
    gm_conv_init(&o, sizeof o);
    o.stride[0] = o.stride[1] = 2, o.pad_begin[0] = o.pad_begin[1] = o.pad_end[0] = o.pad_end[1] = 1;
    gm_node x = gm_graph_input(g, "x", GM_F32, 4, d), w = gm_graph_param(g, "w", "zeros", 4, wd);
    gm_node y = gm_op_conv2d(g, x, w, &o);
    y = gm_op_leaky_relu(g, y, 0.2);
    y = gm_op_reshape(g, gm_op_max_pool2d(g, y, (const int64_t[]){2, 2}, NULL), 2, rd);
    gm_node lse = gm_op_logsumexp(g, y, 2, 1);
    y = gm_op_add(g, lse, gm_op_mean(g, y, 3, 0));
    y = gm_op_softmax(g, y, -1);
    gm_node xw[2], t[2];
    xw[0] = gm_graph_input(h, "x", GM_F32, 4, d), xw[1] = gm_graph_param(h, "w", "zeros", 4, wd);
    gm_node z = gm_op(h, "conv2d", 2, xw, "stride=2 pad=1");
    z = gm_op(h, "leaky_relu", 1, &z, "slope=0.2");
    z = gm_op(h, "max_pool2d", 1, &z, "kernel=2");
    z = gm_op(h, "reshape", 1, &z, "dims=2,-1");
    t[0] = gm_op(h, "logsumexp", 1, &z, "axes=1 keep=1");
    t[1] = gm_op(h, "mean", 1, &z, NULL);
    z = gm_op(h, "add", 2, t, NULL);
    z = gm_op(h, "softmax", 1, &z, "axis=-1");
    static char first[20000];
    strcpy(first, text(g, "text"));
    ok(z.id && gm_graph_status(h) == GM_OK, "gm_op builds: %s", gm_context_error(ctx));
    is_text(text(h, "text"), first, "gm_op and the typed builders give the same graph");
    ok(strstr(first, "%1 = input \"x\" : [2,3,6,6] f32") != NULL, "text names inputs and shapes");
    ok(strstr(text(g, "dot"), "digraph") && strstr(text(g, "dot"), "->"), "dot form");
    gm_writer wr;
    gm_writer_init(&wr, sizeof wr);
    ok(gm_graph_print(g, "xml", &wr) == GM_E_INVALID, "other forms are refused: %s", gm_context_error(ctx));
    gm_graph_destroy(g);
    gm_graph_destroy(h);
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    errors();
    rewrites();
    by_name();
    gm_context_destroy(ctx);
    return done();
}
