/* SPDX-License-Identifier: MIT */
/* 06_own_loop.c: a training loop of your own over any graph.
 *
 * Models are built from the same parts: a symbolic graph, gradients that are graph nodes too, a compiled program, parameters, an optimizer. Here they
 * fit y = x1 * x2 with a small network, and then the derivative dy/dx of the network, also a graph, is compared with the true one.
 * A graph has the batch size in its shapes; programs for other batch sizes share the parameters by name. Next: 07, stopping and going on. */
#include <genrep.h>
#include <stdio.h>

#define BATCH 64

/* y [n] of x [n, 2]; the same layers, hence the same parameters, in every graph. */
static gm_node network(const gm_layer *net, gm_graph *g, gm_node x)
{
    const int64_t n = gm_graph_dim(g, x, 0);
    const gm_node none = {0};
    return gm_op_reshape(g, gm_layer_build(net, g, x, none), 1, &n);
}

/* Inputs x [BATCH, 2] and y [BATCH]; output the mean squared error, and a gradient for every parameter. */
static gm_status loss_program(gm_context *ctx, const gm_layer *net, gm_graph **g, const gm_program **p)
{
    const int64_t dims[2] = {BATCH, 2};
    gm_status s = gm_graph_create(ctx, g);
    gm_node x, y, loss;
    if (s) return s;
    x = gm_graph_input(*g, "x", GM_F32, 2, dims);
    y = gm_graph_input(*g, "y", GM_F32, 1, dims);
    loss = gm_op_mean(*g, gm_op_square(*g, gm_op_sub(*g, network(net, *g, x), y)), 1u << 0, 0);
    gm_graph_backward(*g, loss);
    return gm_program_compile(*g, 1, &loss, p); /* the first failure of any builder comes out here */
}

/* Input x [1, 2]; outputs y and dy/dx [1, 2]. */
static gm_status slope_program(gm_context *ctx, const gm_layer *net, const gm_program **p)
{
    const int64_t dims[2] = {1, 2};
    gm_graph *g = NULL;
    gm_node x, out[2];
    gm_status s = gm_graph_create(ctx, &g);
    if (s) return s;
    x = gm_graph_input(g, "x", GM_F32, 2, dims);
    out[0] = gm_op_sum(g, network(net, g, x), 1u << 0, 0);
    gm_graph_grad(g, out[0], 1, &x, &out[1]);
    s = gm_program_compile(g, 2, out, p);
    gm_graph_destroy(g); /* programs do not need it */
    return s;
}

static float uniform(unsigned *state) /* -1 .. 1 */
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static gm_status train(gm_context *ctx, const gm_program *p, gm_params *w, gm_optimizer *opt)
{
    static float x[2 * BATCH], y[BATCH], loss;
    const int64_t dims[2] = {BATCH, 2};
    gm_tensor *in[2] = {NULL, NULL}, *out = NULL;
    gm_run *run = NULL;
    unsigned state = 1;
    double norm = 0;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, x, &in[0]);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 1, dims, NULL, y, &in[1]);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 0, NULL, NULL, &loss, &out);
    if (!s) s = gm_run_create(ctx, p, w, &run); /* a run is one thread's; programs may be shared */
    for (int step = 0; !s && step <= 2000; step++) {
        for (int i = 0; i < BATCH; i++) {
            x[2 * i] = uniform(&state);
            x[2 * i + 1] = uniform(&state);
            y[i] = x[2 * i] * x[2 * i + 1];
        }
        if (step == 1500) s = gm_optimizer_set(opt, "lr", 1e-3);
        if (!s) s = gm_run_exec(run, 0, 2, in, 1, &out);
        if (!s) s = gm_optimizer_step(opt, &norm); /* allocates nothing */
        if (!s && step % 500 == 0) printf("step %4d  loss %.5f\n", step, (double)loss);
    }
    gm_run_destroy(run);
    gm_tensor_destroy(in[0]);
    gm_tensor_destroy(in[1]);
    gm_tensor_destroy(out);
    return s;
}

static gm_status look(gm_context *ctx, const gm_program *p, gm_params *w)
{
    float x[2] = {0.5f, -0.25f}, y = 0, slope[2] = {0, 0};
    const int64_t dims[2] = {1, 2};
    gm_tensor *in = NULL, *out[2] = {NULL, NULL};
    gm_run *run = NULL;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, x, &in);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 0, NULL, NULL, &y, &out[0]);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, slope, &out[1]);
    if (!s) s = gm_run_create(ctx, p, w, &run);
    if (!s) s = gm_run_exec(run, 0, 1, &in, 2, out);
    if (!s) printf("at (0.5, -0.25): y %.2f, dy/dx (%.2f, %.2f); true are -0.125 and (-0.25, 0.5)\n", (double)y, (double)slope[0], (double)slope[1]);
    gm_run_destroy(run);
    gm_tensor_destroy(in);
    gm_tensor_destroy(out[0]);
    gm_tensor_destroy(out[1]);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_graph *g = NULL;
    const gm_layer *net = NULL;
    const gm_program *loss = NULL, *slope = NULL;
    gm_params *w = NULL;
    gm_optimizer *opt = NULL;
    gm_status s = gm_context_create(NULL, &ctx);
    if (!s) s = gm_layer_parse(ctx, "dense 32; tanh; dense 32; tanh; dense 1", &net);
    if (!s) s = loss_program(ctx, net, &g, &loss);
    if (!s) s = slope_program(ctx, net, &slope);
    if (!s) s = gm_params_create(ctx, g, 1, &w); /* initial values from the seed and the names */
    if (!s) s = gm_optimizer_create(w, "adam lr=1e-2", &opt);
    if (!s) s = train(ctx, loss, w, opt);
    if (!s) s = look(ctx, slope, w);
    if (s) printf("%s\n", gm_context_error(ctx));
    gm_optimizer_destroy(opt);
    gm_params_destroy(w);
    gm_program_destroy(loss);
    gm_program_destroy(slope);
    gm_layer_destroy(net);
    gm_graph_destroy(g);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
