/* SPDX-License-Identifier: MIT */
/* test_recompute.c: which elementwise results get a second node for their late readers (exec/recompute.c), and that the list stays in order with every
 * reader behind what it reads. That bits stay is what the digests of test_vae_bits and test_gan_bits say. */
#include "exec/program.h"
#include "tap.h"
#include <genrep.h>

static gm_context *c;

/* More nodes after the pass; -1 when the list is not in order or a node lost its operation. */
static int32_t more(gm_graph *g, int32_t n, const gm_node *roots)
{
    uint32_t ids[4];
    gmi_ir ir;
    int32_t before, good = 1, ops[2][GMI_OP_COUNT];
    memset(ops, 0, sizeof ops);
    for (int32_t i = 0; i < n; i++) ids[i] = roots[i].id;
    must(gm_graph_status(g));
    must(gmi_rewrite(g, n, ids, &ir));
    before = ir.n;
    for (int32_t i = 0; i < ir.n; i++) ops[0][ir.nodes[i].op]++;
    must(gmi_recompute(&ir, g->n));
    for (int32_t i = 0; i < ir.n; i++) {
        ops[1][ir.nodes[i].op]++;
        for (int32_t k = 0; k < ir.nodes[i].n_in; k++) good &= (int32_t)ir.nodes[i].in[k] < i;
    }
    for (int32_t k = 0; k < GMI_OP_COUNT; k++) good &= ops[1][k] >= ops[0][k];
    for (int32_t i = 0; i < n; i++) good &= ir.nodes[ir.map[ids[i] - 1]].op == g->nodes[ids[i] - 1].op;
    const int32_t after = ir.n;
    gmi_ir_free(&ir);
    return good ? after - before : -1;
}

enum { SHOW_CENTRED = 1, LATE_PRODUCT = 2, COSTLY = 4 };

/* A normalised layer of [rows, 128] between products, and what a backward pass would read of it behind the next product. */
static int32_t layer(int64_t rows, int what)
{
    const int64_t xd[2] = {rows, 64}, wd[2] = {64, 128}, rd[2] = {1, 128}, vd[2] = {128, 128};
    gm_graph *g = NULL;
    gm_node root[4];
    int32_t n = 0;
    must(gm_graph_create(c, &g));
    gm_node x = gm_op_matmul(g, gm_graph_input(g, "x", GM_F32, 2, xd), gm_graph_param(g, "w", "", 2, wd), 0, 0);
    gm_node centred = gm_op_sub(g, x, gm_op_mean(g, x, 1, 1));
    gm_node y = what & COSTLY ? gm_op_exp(g, centred) : gm_op_mul(g, centred, gm_graph_param(g, "r", "", 2, rd));
    gm_node late = gm_op_matmul(g, y, gm_graph_param(g, "v", "", 2, vd), 0, 0);
    root[n++] = gm_op_sum(g, gm_op_mul(g, late, y), 3, 0);
    if (what & SHOW_CENTRED) root[n++] = gm_op_sum(g, gm_op_mul(g, late, centred), 3, 0);
    if (what & LATE_PRODUCT) root[n++] = gm_op_matmul(g, gm_op_matmul(g, late, gm_graph_param(g, "u", "", 2, vd), 0, 0), y, 1, 0);
    const int32_t m = more(g, n, root);
    gm_graph_destroy(g);
    return m;
}

/* A whole activation that only a product `far` products later wants again, and further products later an elementwise reader, if `last`. */
static int32_t chain(int far, int centred_too, int last)
{
    const int64_t xd[2] = {256, 64}, wd[2] = {64, 128}, rd[2] = {1, 128}, vd[2] = {128, 128};
    gm_graph *g = NULL;
    gm_node root[2];
    must(gm_graph_create(c, &g));
    gm_node x = gm_op_matmul(g, gm_graph_input(g, "x", GM_F32, 2, xd), gm_graph_param(g, "w", "", 2, wd), 0, 0);
    gm_node centred = gm_op_sub(g, x, gm_op_mean(g, x, 1, 1));
    gm_node y = gm_op_relu(g, gm_op_add(g, gm_op_mul(g, centred, gm_graph_param(g, "r", "", 2, rd)), gm_graph_param(g, "b", "", 2, rd)));
    gm_node late = y, v = gm_graph_param(g, "v", "", 2, vd);
    for (int i = 0; i < far; i++) late = gm_op_matmul(g, late, v, 0, 0);
    root[0] = gm_op_matmul(g, late, y, 1, 0);
    for (int i = 0; i < last; i++) late = gm_op_matmul(g, late, v, 0, 0);
    root[1] = gm_op_sum(g, gm_op_mul(g, late, last ? gm_op_mul(g, centred, y) : centred), 3, 0);
    const int32_t m = more(g, 1 + centred_too, root);
    gm_graph_destroy(g);
    return m;
}

/* An elementwise result of leaves alone: they are always there. */
static int32_t of_leaves(void)
{
    const int64_t d[2] = {256, 128}, vd[2] = {128, 128};
    gm_graph *g = NULL;
    must(gm_graph_create(c, &g));
    gm_node y = gm_op_mul(g, gm_graph_input(g, "x", GM_F32, 2, d), gm_graph_param(g, "w", "", 2, d));
    gm_node root = gm_op_sum(g, gm_op_mul(g, gm_op_matmul(g, y, gm_graph_param(g, "v", "", 2, vd), 0, 0), y), 3, 0);
    const int32_t m = more(g, 1, &root);
    gm_graph_destroy(g);
    return m;
}

int main(void)
{
    must(gm_context_create(NULL, &c));
    is_int(layer(256, SHOW_CENTRED), 1, "what is normalised is computed again where what is centred is read too");
    is_int(layer(256, 0), 0, "not where that would keep what is centred");
    is_int(layer(256, SHOW_CENTRED | LATE_PRODUCT), 0, "not where a later product reads it");
    is_int(layer(256, SHOW_CENTRED | COSTLY), 0, "not when it costs more than a few instructions");
    is_int(layer(32, SHOW_CENTRED), 0, "not when it is small");
    is_int(chain(12, 1, 0), 3, "a chain of product, sum and relu is made again for a product far away");
    is_int(chain(12, 0, 0), 0, "not where that would keep what it is made from");
    is_int(chain(2, 1, 0), 0, "not for one that is near");
    is_int(chain(12, 1, 12), 6, "and once more for readers that are later still");
    is_int(of_leaves(), 1, "leaves are there at any time");
    gm_context_destroy(c);
    return done();
}
