/* SPDX-License-Identifier: MIT */
/* test_gan_torch.c: ten steps of a DCGAN with batch norm in both networks, and of a relativistic GAN with R1 and R2 (every step, every second step), from
 * PyTorch's weights and batches and the library's own z, against PyTorch's losses (1e-4) and final tensors, running statistics too (1e-3 relative in norm).
 * tests/fixtures/make_gan.py made the numbers; for it, test_gan_torch STEPS ROWS DIM prints the z of each step. */
#include "models/gan.h"
#include "torch_fixture.h"

enum { SEED = 42 };
static gm_context *ctx;

/* What a step draws for its z. */
static int draw(int64_t steps, int64_t n, int64_t d, float *to)
{
    int64_t dims[2];
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gm_run *r = NULL;
    dims[0] = n;
    dims[1] = d;
    gm_status s = gm_graph_create(ctx, &g);
    gm_node z = gm_op_random_normal(g, "latent.z", 2, dims, 1);
    if (!s) s = gm_program_compile(g, 1, &z, &p);
    if (!s) s = gm_run_create(ctx, p, NULL, &r);
    for (int64_t i = 0; !s && i < steps; i++) {
        void *out = to + i * n * d;
        gmi_exec e;
        memset(&e, 0, sizeof e);
        e.seed = SEED;
        e.step = i;
        e.out = &out;
        s = gmi_run_exec(r, &e);
    }
    gm_run_destroy(r);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    return !s;
}

static int print_z(char **arg)
{
    const int64_t steps = strtol(arg[1], NULL, 10), n = strtol(arg[2], NULL, 10), d = strtol(arg[3], NULL, 10);
    float *z = malloc((size_t)(steps * n * d) * sizeof *z);
    if (!draw(steps, n, d, z)) return 1;
    for (int64_t i = 0; i < steps * n * d; i++) printf("%.9g\n", (double)z[i]);
    free(z);
    return 0;
}

static void same(const char *run, const char *what, int step, double got)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%d", what, step);
    const entry *want = find_entry(run, name);
    if (!want)
        ok(isnan(got), "%s%s: none in this step", run, name);
    else
        ok(fabs(got - (double)want->v[0]) <= 1e-4 * fabs((double)want->v[0]), "%s%s: %.6f, PyTorch %.6f", run, name, got, (double)want->v[0]);
}

static void train(const char *run, const gm_gan_options *o)
{
    gm_spec x;
    gm_gan *g = NULL;
    char prefix[32];
    const entry *first = find_entry("x.", "0"), *z = find_entry("", "z");
    float mine[10 * 5 * 8];
    gm_spec_init(&x, sizeof x);
    x.dtype = GM_F32;
    x.scaling = GM_SCALE_NONE;
    x.rank = first->rank - 1;
    for (int i = 0; i < x.rank; i++) x.dims[i] = first->dims[i + 1];
    ok(draw(10, first->dims[0], o->latent_dim, mine) && z->count == 10 * first->dims[0] * o->latent_dim && !memcmp(mine, z->v, (size_t)z->count * sizeof *mine),
       "the fixture has the z of this library");
    if (!ok(gm_gan_create(ctx, &x, o, &g) == GM_OK, "create %s", gm_context_error(ctx))) return;
    compare_params(ctx, gm_gan_params(g), "start.", 1);
    for (int i = 0; i < 10; i++) {
        char name[16];
        gm_record r;
        gm_tensor *t = NULL;
        snprintf(name, sizeof name, "%d", i);
        const entry *e = find_entry("x.", name);
        gm_record_init(&r, sizeof r);
        gm_status s = gm_tensor_wrap(ctx, GM_F32, e->rank, e->dims, NULL, e->v, &t);
        if (!s) s = gm_gan_step(g, t, NULL, &r);
        if (s) ok(0, "step %d: %s", i, gm_context_error(ctx));
        same(run, "d_loss", i, r.d_loss);
        same(run, "g_loss", i, r.g_loss);
        same(run, "penalty", i, r.penalty);
        gm_tensor_destroy(t);
    }
    snprintf(prefix, sizeof prefix, "%send.", run);
    compare_params(ctx, gm_gan_params(g), prefix, 0);
    gm_gan_destroy(g);
}

int main(int n, char **arg)
{
    gm_gan_options o;
    if (gm_context_create(NULL, &ctx)) return 1;
    if (n == 4) {
        int status = print_z(arg);
        gm_context_destroy(ctx);
        return status;
    }
    gm_gan_options_init(&o, sizeof o);
    o.generator = "dense 64 bias=0; reshape 4x4x4; batch_norm; relu; conv_transpose 1 k4 s2 p1; tanh";
    o.discriminator = "conv 4 k4 s2 p1; leaky_relu 0.2; conv 5 k4 s2 p1 bias=0; batch_norm; leaky_relu 0.2; flatten; dense 1";
    o.loss = "non_saturating";
    o.g_optimizer = o.d_optimizer = "adam lr=0.002 beta1=0.5";
    o.latent_dim = 4;
    o.ema_half_life = 0;
    o.seed = SEED;
    if (ok(load_fixture("tests/fixtures/torch_dcgan.txt") > 40, "torch_dcgan.txt is there")) train("", &o);
    o.generator = "dense 8; leaky_relu 0.2; dense 36; reshape 1x6x6";
    o.discriminator = "conv 4 k4 s2 p1; leaky_relu 0.2; conv 6 k3; silu; flatten; dense 1 bias=0";
    o.g_optimizer = o.d_optimizer = "adam lr=0.002 beta1=0 beta2=0.99";
    o.latent_dim = 3;
    if (ok(load_fixture("tests/fixtures/torch_r3.txt") > 40, "torch_r3.txt is there")) {
        o.loss = "relativistic r1=3 r2=2";
        train("e1.", &o);
        o.loss = "relativistic r1=3 r2=2 every=2";
        train("e2.", &o);
    }
    forget_fixture();
    gm_context_destroy(ctx);
    return done();
}
