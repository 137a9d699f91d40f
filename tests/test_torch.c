/* SPDX-License-Identifier: MIT */
/* test_torch.c: ten steps of an MLP VAE and of a convolutional net with batch norm, from PyTorch's weights, batches and noise, against PyTorch's losses (1e-4)
 * and final tensors (1e-3 relative in norm). tests/fixtures/make_torch.py made the numbers. */
#include "nn/nn.h"
#include "torch_fixture.h"

static gm_context *ctx;

static gm_node layer(gm_graph *g, const char *scope, const char *text, gm_node x)
{
    gm_node none = {0}, y;
    const gm_layer *l = NULL;
    if (gm_layer_parse(ctx, text, &l)) {
        printf("# %s\n", gm_context_error(ctx));
        return none;
    }
    size_t old = gmi_graph_scope(g, scope);
    y = gm_layer_build(l, g, x, none);
    gmi_graph_leave_scope(g, old);
    gm_layer_destroy(l);
    return y;
}

static gm_node dense(gm_graph *g, const char *scope, gm_node x, int64_t units)
{
    size_t old = gmi_graph_scope(g, scope);
    gm_node y = gmi_nn_dense(g, x, units, 1, "torch");
    gmi_graph_leave_scope(g, old);
    return y;
}

static gm_node mlp_loss(gm_graph *g, const char **second)
{
    int64_t xd[2] = {6, 12}, zd[2] = {6, 3};
    *second = "noise";
    gm_node x = gm_graph_input(g, "x", GM_F32, 2, xd), e = gm_graph_input(g, "noise", GM_F32, 2, zd);
    gm_node h = layer(g, "encoder", "dense 8; relu", x);
    gm_node mu = dense(g, "mean", h, 3), lv = dense(g, "logvar", h, 3);
    gm_node z = gm_op_add(g, mu, gm_op_mul(g, e, gm_op_exp(g, gm_op_scale(g, lv, 0.5))));
    gm_node y = dense(g, "output", layer(g, "decoder", "dense 8; tanh", z), 12);
    gm_node kl = gm_op_sum(g, gmi_loss_kl_normal(g, mu, lv), 2, 0);
    return gm_op_mean(g, gm_op_sub(g, kl, gmi_loss_bernoulli(g, y, x)), 1, 0);
}

static gm_node conv_loss(gm_graph *g, const char **second)
{
    int64_t xd[4] = {5, 1, 6, 6}, td[2] = {5, 2};
    gm_node none = {0};
    const gm_layer *l = NULL;
    *second = "target";
    gm_node x = gm_graph_input(g, "x", GM_F32, 4, xd), t = gm_graph_input(g, "target", GM_F32, 2, td);
    if (gm_layer_parse(ctx,
                       "conv 4 k4 s2 p1 bias=0; batch_norm; leaky_relu 0.2; conv_transpose 3 k4 s2 p1 bias=0; batch_norm; relu; max_pool k2; flatten; dense 2",
                       &l)) {
        printf("# %s\n", gm_context_error(ctx));
        return none;
    }
    gm_node y = gm_layer_build(l, g, x, none);
    gm_layer_destroy(l);
    return gm_op_mean(g, gm_op_square(g, gm_op_sub(g, y, t)), 3, 0);
}

typedef gm_node loss_fn(gm_graph *g, const char **second);
static void train(const char *what, const char *path, loss_fn *f, const char *optimizer)
{
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gm_run *r = NULL;
    gm_optimizer *o = NULL;
    const gm_program *p = NULL;
    const char *second = "";
    if (!ok(load_fixture(path) > 30, "%s is there", path) || gm_graph_create(ctx, &g)) return;
    g->training = 1;
    gm_node loss = f(g, &second);
    gm_graph_backward(g, loss);
    int fine = !gm_program_compile(g, 1, &loss, &p) && !gm_params_create(ctx, g, 1, &w) && !gm_run_create(ctx, p, w, &r) && !gm_optimizer_create(w, optimizer, &o);
    if (!ok(fine, "%s: built %s", what, gm_context_error(ctx))) return;
    compare_params(ctx, w, "start.", 1);
    for (int i = 0; i < 10; i++) {
        char name[32];
        gm_tensor *in[2] = {NULL, NULL}, *out = NULL;
        snprintf(name, sizeof name, ".%d", i);
        const entry *x = find_entry("x", name), *y = find_entry(second, name), *want = find_entry("loss", name);
        if (gm_tensor_wrap(ctx, GM_F32, x->rank, x->dims, NULL, x->v, &in[0]) || gm_tensor_wrap(ctx, GM_F32, y->rank, y->dims, NULL, y->v, &in[1]) ||
            gm_tensor_create(ctx, GM_F32, 0, NULL, &out))
            return;
        gm_status s = gm_run_exec(r, 0, 2, in, 1, &out);
        if (!s) s = gm_optimizer_step(o, NULL);
        double got = *(float *)gm_tensor_data(out);
        ok(!s && fabs(got - want->v[0]) <= 1e-4 * fabs(want->v[0]), "%s step %d: loss %.6f, PyTorch %.6f", what, i, got, (double)want->v[0]);
        gm_tensor_destroy(in[0]);
        gm_tensor_destroy(in[1]);
        gm_tensor_destroy(out);
    }
    compare_params(ctx, w, "end.", 0);
    gm_optimizer_destroy(o);
    gm_run_destroy(r);
    gm_params_destroy(w);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    forget_fixture();
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    train("MLP VAE", "tests/fixtures/torch_mlp.txt", mlp_loss, "adam lr=1e-2");
    train("conv net", "tests/fixtures/torch_conv.txt", conv_loss, "adamw lr=1e-2 weight_decay=0.01");
    gm_context_destroy(ctx);
    return done();
}
