/* SPDX-License-Identifier: MIT */
/* gan_graph.c: the programs of a GAN as graphs.
 *
 * D's half and G's half are two programs over one set of weights: D's optimizer steps between them, so that G is judged by the new D. G's program draws z, keyed by the
 * step and the row, and computes G(z) in a first part, whose output is an input of D's; its second part goes on from there. With fresh=1 each half has a batch of its own.
 * Where D does not couple its batch, real and generated samples pass it as one batch of 2n; else one after the other, each with its own statistics.
 * D's half leaves G's statistics as they are; G's half moves both networks', as each of PyTorch's forward passes would. */
#include "models/gan.h"

#define BETA1 0.9
#define BETA2 0.9
#define EPS 1e-8

static gm_node input_x(const gm_gan *a, gm_graph *g, const char *name, int64_t n)
{
    int64_t dims[GMI_MAX_RANK];
    const int32_t rank = gmi_gan_sample_dims(a, n, dims);
    return gm_graph_input(g, name, GM_F32, rank, dims);
}

static gm_node latent(const gm_gan *a, gm_graph *g, const char *key, int64_t n)
{
    int64_t dims[2];
    dims[0] = n;
    dims[1] = a->o.latent_dim;
    return gm_op_random_normal(g, key, 2, dims, 1);
}

static gm_node input_z(const gm_gan *a, gm_graph *g, const char *name, int64_t n)
{
    int64_t dims[2];
    dims[0] = n;
    dims[1] = a->o.latent_dim;
    return gm_graph_input(g, name, GM_F32, 2, dims);
}

/* The same condition for real samples and for generated ones behind them. */
static gmi_gan_given twice(gm_graph *g, gmi_gan_given y)
{
    gm_node part[2];
    if (y.features.id) {
        part[0] = part[1] = y.features;
        y.features = gm_op_concat(g, 2, part, 0);
    }
    if (y.label.id) {
        part[0] = part[1] = y.label;
        y.label = gm_op_concat(g, 2, part, 0);
    }
    return y;
}

typedef struct scores {
    gm_node x, fake;       /* where D was asked; both is [x; fake], id 0 when they passed one after the other */
    gm_node both;
    gm_node real, fakes;   /* D's scores [n] */
    gm_node all;           /* of both [2n] */
} scores;

static void judge(const gm_gan *a, gm_graph *g, int64_t n, int apart, gmi_gan_given y, scores *s)
{
    gm_node part[2];
    if (apart) {
        s->real = gmi_gan_discriminator(a, g, s->x, y);
        s->fakes = gmi_gan_discriminator(a, g, s->fake, y);
        return;
    }
    part[0] = s->x;
    part[1] = s->fake;
    s->both = gm_op_concat(g, 2, part, 0);
    s->all = gmi_gan_discriminator(a, g, s->both, twice(g, y));
    s->real = gm_op_slice(g, s->all, 0, 0, n);
    s->fakes = gm_op_slice(g, s->all, 0, n, 2 * n);
}

/* The sum of the penalties, without gamma. */
static gm_node penalty(const gm_gan *a, gm_graph *g, int64_t n, gmi_gan_given y, const scores *s)
{
    const gmi_gan_plan *p = &a->plan;
    gm_node sum = gm_op_scalar(g, 0), r1 = {0}, r2 = {0};
    if (s->both.id && p->r1 > 0 && p->r2 > 0) {
        gm_node all = gmi_gan_grad_square(g, s->all, s->both);
        r1 = gm_op_slice(g, all, 0, 0, n);
        r2 = gm_op_slice(g, all, 0, n, 2 * n);
    } else {
        if (p->r1 > 0) r1 = gmi_gan_grad_square(g, s->real, s->x);
        if (p->r2 > 0) r2 = gmi_gan_grad_square(g, s->fakes, s->fake);
    }
    if (p->r1 > 0) sum = gm_op_add(g, sum, gm_op_scale(g, gm_op_mean(g, r1, 1, 0), 0.5 * p->r1));
    if (p->r2 > 0) sum = gm_op_add(g, sum, gm_op_scale(g, gm_op_mean(g, r2, 1, 0), 0.5 * p->r2));
    if (p->gp > 0) sum = gm_op_add(g, sum, gm_op_scale(g, gm_op_mean(g, gmi_gan_gp(a, g, s->x, s->fake, y), 1, 0), p->gp));
    return sum;
}

/* Statistics of a network stay as they are. */
static void keep_states(gm_graph *g, const char *prefix)
{
    for (int32_t i = 0; i < g->states.n; i++)
        if (!strncmp(g->states.p[i].name, prefix, strlen(prefix))) g->states.p[i].update = 0;
}

static int32_t build_d(const gm_gan *a, gm_graph *g, int64_t n, int penalised, gm_node *out)
{
    const gmi_gan_plan *p = &a->plan;
    scores s;
    memset(&s, 0, sizeof s);
    s.x = input_x(a, g, "x", n);
    s.fake = input_x(a, g, "fake", n);
    gmi_gan_given y = gmi_gan_input_cond(a, g, n);
    judge(a, g, n, p->d_coupled || (penalised && !(p->r1 > 0 && p->r2 > 0)), y, &s);
    gm_node loss = gm_op_mean(g, gmi_gan_d_loss(p, g, s.real, s.fakes), 1, 0), objective = loss;
    out[0] = loss;
    out[1] = gm_op_mean(g, s.real, 1, 0);
    out[2] = gm_op_mean(g, s.fakes, 1, 0);
    if (penalised) {
        out[3] = gm_op_mul(g, gmi_graph_scalar_input(g, "gamma"), penalty(a, g, n, y, &s));
        objective = gm_op_add(g, loss, gm_op_scale(g, out[3], (double)p->every));
    }
    gmi_graph_backward(g, objective, "discriminator.");
    return penalised ? 4 : 3;
}

static int32_t build_g(const gm_gan *a, gm_graph *g, int64_t n, gm_node *out)
{
    const gmi_gan_plan *p = &a->plan;
    gm_node real = {0};
    gmi_gan_given y = gmi_gan_input_cond(a, g, n);
    if (p->loss == GMI_LOSS_RELATIVISTIC) real = gmi_gan_discriminator(a, g, input_x(a, g, "x", n), y);
    gm_node fake = gmi_gan_generator(a, g, latent(a, g, p->fresh ? "latent.fresh" : "latent.z", n), y);
    gm_node loss = gm_op_mean(g, gmi_gan_g_loss(p, g, real, gmi_gan_discriminator(a, g, fake, y)), 1, 0);
    gmi_graph_backward(g, loss, "generator.");
    g->early = !p->fresh;
    if (g->early) *out++ = fake;
    *out = loss;
    return 1 + g->early;
}

/* Statistics of G stay as they are: G's half moves them. */
static void build_fake(const gm_gan *a, gm_graph *g, int64_t n, gm_node *out)
{
    out[0] = gmi_gan_generator(a, g, latent(a, g, "latent.z", n), gmi_gan_input_cond(a, g, n));
    keep_states(g, "generator.");
}

static void build_evaluate(const gm_gan *a, gm_graph *g, int64_t n, gm_node *out)
{
    gm_node x = input_x(a, g, "x", n), fake = input_x(a, g, "fake", n);
    gmi_gan_given y = gmi_gan_input_cond(a, g, n);
    out[2] = gmi_gan_discriminator(a, g, x, y);
    out[3] = gmi_gan_discriminator(a, g, fake, y);
    out[0] = gmi_gan_d_loss(&a->plan, g, out[2], out[3]);
    out[1] = gmi_gan_g_loss(&a->plan, g, out[2], out[3]);
}

/* m = b1 m + (1 - b1) d, v = b2 v + (1 - b2) d^2, z -= lr c1 m / (sqrt(c2 v) + eps); d the gradient of each row's mean squared error. */
static void build_invert(const gm_gan *a, gm_graph *g, int64_t n, gm_node *out)
{
    gm_node x = input_x(a, g, "x", n), z = input_z(a, g, "z", n), m = input_z(a, g, "m", n), v = input_z(a, g, "v", n), d;
    gm_node lr = gmi_graph_scalar_input(g, "lr"), c1 = gmi_graph_scalar_input(g, "c1"), c2 = gmi_graph_scalar_input(g, "c2");
    gm_node error = gm_op_square(g, gm_op_sub(g, gmi_gan_generator(a, g, z, gmi_gan_input_cond(a, g, n)), x));
    const int32_t rank = gm_graph_rank(g, error);
    out[0] = rank < 2 ? error : gm_op_mean(g, error, ((1u << rank) - 1u) & ~1u, 0);
    gm_graph_grad(g, out[0], 1, &z, &d);
    out[2] = gm_op_add(g, gm_op_scale(g, m, BETA1), gm_op_scale(g, d, 1 - BETA1));
    out[3] = gm_op_add(g, gm_op_scale(g, v, BETA2), gm_op_scale(g, gm_op_square(g, d), 1 - BETA2));
    gm_node step = gm_op_div(g, gm_op_mul(g, c1, out[2]), gm_op_shift(g, gm_op_sqrt(g, gm_op_mul(g, c2, out[3])), EPS));
    out[1] = gm_op_sub(g, z, gm_op_mul(g, lr, step));
}

/* The output is there because a program has one; what matters are the statistics. */
static void build_population(const gm_gan *a, gm_graph *g, int64_t n, gm_node *out)
{
    gmi_gan_given y = gmi_gan_input_cond(a, g, n);
    g->population = 1;
    out[0] = gm_op_mean(g, gm_op_flatten(g, gmi_gan_generator(a, g, latent(a, g, "population.z", n), y)), 3, 0);
}

void gmi_gan_leaves(const gm_gan *a, gm_graph *g, int generator, int discriminator)
{
    const int64_t n = 2;
    gmi_gan_given y = gmi_gan_input_cond(a, g, n);
    if (generator) gmi_gan_generator(a, g, input_z(a, g, "z", n), y);
    if (discriminator) gmi_gan_discriminator(a, g, input_x(a, g, "x", n), y);
}

/* Programs that a build without training leaves out. */
static int32_t build_training(const gm_gan *a, gm_graph *g, int64_t n, int32_t kind, gm_node *out)
{
    switch (kind) {
    case GMI_GAN_D: return build_d(a, g, n, 0, out);
    case GMI_GAN_D_PENALTY: return build_d(a, g, n, 1, out);
    case GMI_GAN_G: return build_g(a, g, n, out);
    case GMI_GAN_FAKE: build_fake(a, g, n, out); return 1;
    case GMI_GAN_EVALUATE: build_evaluate(a, g, n, out); return 4;
    case GMI_GAN_POPULATION: build_population(a, g, n, out); return 1;
    default: build_invert(a, g, n, out); return 4;
    }
}

gm_status gmi_gan_build(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out)
{
    const gm_gan *a = self;
    const int64_t n = key->rows;
    const int32_t kind = key->kind;
    g->training = kind == GMI_GAN_D || kind == GMI_GAN_D_PENALTY || kind == GMI_GAN_G || kind == GMI_GAN_FAKE ||
                  kind == GMI_GAN_POPULATION;
    *n_out = 1;
    switch (kind) {
    case GMI_GAN_PRIOR: out[0] = gm_op_mul(g, latent(a, g, "prior.z", n), gmi_graph_scalar_input(g, "truncation")); break;
    case GMI_GAN_GENERATE: {
        gm_node z = input_z(a, g, "z", n);
        out[0] = gmi_gan_generator(a, g, z, gmi_gan_input_cond(a, g, n));
        break;
    }
    case GMI_GAN_DISCRIMINATE: {
        gm_node x = input_x(a, g, "x", n);
        out[0] = gmi_gan_discriminator(a, g, x, gmi_gan_input_cond(a, g, n));
        break;
    }
    default:
        if (!GM_TRAINING) return gmi_no_training(a->m.ctx);
        *n_out = build_training(a, g, n, kind, out);
        break;
    }
    return GM_OK;
}
