/* SPDX-License-Identifier: MIT */
/* test_torch.c: ten steps of an MLP VAE and of a convolutional net with batch norm, from PyTorch's weights, batches and noise, against PyTorch's losses (1e-4)
 * and final tensors (1e-3 relative in norm). tests/fixtures/make_torch.py made the numbers. */
#include "nn/nn.h"
#include "tap.h"
#include <genrep.h>

typedef struct entry {
    char name[64];
    int32_t rank;
    int64_t dims[4], count;
    float *v;
} entry;
static entry entries[400];
static int n_entries;
static gm_context *ctx;

static int load(const char *path)
{
    FILE *f = fopen(path, "r");
    n_entries = 0;
    if (!f) return 0;
    while (n_entries < 400) {
        entry *e = &entries[n_entries];
        if (fscanf(f, "%63s %d", e->name, (int *)&e->rank) != 2) break;
        e->count = 1;
        for (int i = 0; i < e->rank; i++) {
            long d;
            if (fscanf(f, "%ld", &d) != 1) return 0;
            e->count *= e->dims[i] = d;
        }
        e->v = malloc((size_t)e->count * sizeof *e->v);
        for (int64_t i = 0; i < e->count; i++)
            if (fscanf(f, "%f", &e->v[i]) != 1) return 0;
        n_entries++;
    }
    fclose(f);
    return n_entries;
}

static const entry *find(const char *prefix, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    for (int i = 0; i < n_entries; i++)
        if (!strcmp(entries[i].name, full)) return &entries[i];
    return NULL;
}

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

static void compare(gm_params *w, const char *prefix, int store)
{
    for (int i = 0; i < n_entries; i++) {
        const entry *e = &entries[i];
        gm_tensor *v = NULL;
        double num = 0, den = 0;
        if (strncmp(e->name, prefix, strlen(prefix))) continue;
        const char *name = e->name + strlen(prefix);
        gm_status s = gm_params_view(w, name, &v);
        if (s || gm_tensor_rank(v) != e->rank) {
            ok(0, "%s is a parameter of the same rank: %s", name, gm_context_error(ctx));
            continue;
        }
        float *p = gm_tensor_data(v);
        for (int64_t k = 0; k < e->count; k++) {
            if (store)
                p[k] = e->v[k];
            else
                num += ((double)p[k] - e->v[k]) * ((double)p[k] - e->v[k]), den += (double)e->v[k] * e->v[k];
        }
        if (!store) ok(sqrt(num / den) <= 1e-3, "%s: %.1e", name, sqrt(num / den));
        gm_tensor_destroy(v);
    }
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
    if (!ok(load(path) > 30, "%s is there", path) || gm_graph_create(ctx, &g)) return;
    g->training = 1;
    gm_node loss = f(g, &second);
    gm_graph_backward(g, loss);
    int fine = !gm_program_compile(g, 1, &loss, &p) && !gm_params_create(ctx, g, 1, &w) && !gm_run_create(ctx, p, w, &r) && !gm_optimizer_create(w, optimizer, &o);
    if (!ok(fine, "%s: built %s", what, gm_context_error(ctx))) return;
    compare(w, "start.", 1);
    for (int i = 0; i < 10; i++) {
        char name[32];
        gm_tensor *in[2] = {NULL, NULL}, *out = NULL;
        snprintf(name, sizeof name, ".%d", i);
        const entry *x = find("x", name), *y = find(second, name), *want = find("loss", name);
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
    compare(w, "end.", 0);
    gm_optimizer_destroy(o);
    gm_run_destroy(r);
    gm_params_destroy(w);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    for (int i = 0; i < n_entries; i++) free(entries[i].v);
}

int main(void)
{
    if (gm_context_create(NULL, &ctx)) return 1;
    train("MLP VAE", "tests/fixtures/torch_mlp.txt", mlp_loss, "adam lr=1e-2");
    train("conv net", "tests/fixtures/torch_conv.txt", conv_loss, "adamw lr=1e-2 weight_decay=0.01");
    gm_context_destroy(ctx);
    return done();
}
