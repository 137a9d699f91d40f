/* SPDX-License-Identifier: MIT */
/* gan.c: a GAN's options, presets, its creation from them.
 *
 * One set of weights holds both networks, "discriminator.*" before "generator.*"; two optimizers each own one of the two ranges. The average covers the generator alone.
 * As in vae.c creation runs in two parts, so that a file can come between. */
#include "models/gan.h"
#include "train/optim.h"
#include "train/schedule.h"

static const char NONE[] = "", LOSS[] = "relativistic r1=1 r2=1 every=4", GAMMA[] = "constant 1", OPTIMIZER[] = "adam lr=0.0002 beta1=0 beta2=0.99";

static void defaults(gm_gan_options *o)
{
    memset(o, 0, sizeof *o);
    o->size = sizeof *o;
    o->generator = NONE;
    o->discriminator = NONE;
    o->loss = LOSS;
    o->gamma = GAMMA;
    o->g_optimizer = OPTIMIZER;
    o->d_optimizer = OPTIMIZER;
    o->g_schedule = NONE;
    o->d_schedule = NONE;
    o->condition = NONE;
    o->latent_dim = -1;
    o->d_steps = 1;
    o->ema_half_life = 10000;
}

void gm_gan_options_init(gm_gan_options *o, size_t size)
{
    gm_gan_options full;
    defaults(&full);
    if (o) gmi_options_init(o, size, &full, sizeof full);
}

/* ---- presets ---- */

typedef struct preset {
    const char *name, *generator, *discriminator, *loss, *optimizer;
    int64_t latent_dim;
    double ema_half_life;
} preset;

#define UP(c) "conv_transpose " c " k4 s2 p1 bias=0 init=normal:0.02; batch_norm; relu; "
#define DOWN(c) "conv " c " k4 s2 p1 bias=0 init=normal:0.02; batch_norm; leaky_relu 0.2; "
#define ADAM "adam lr=0.0002 beta1=0.5"
static const preset presets[] = {
    {"unattended", NONE, NONE, LOSS, OPTIMIZER, -1, 10000},
    {"mlp", "dense 256; batch_norm; leaky_relu 0.2; dense 512; batch_norm; leaky_relu 0.2; dense 1024; batch_norm; leaky_relu 0.2",
     "dense 512; leaky_relu 0.2; dense 256; leaky_relu 0.2; dense 1", "non_saturating", ADAM, 100, 0},
    {"dcgan28",
     "dense 6272 bias=0 init=normal:0.02; reshape 128x7x7; batch_norm; relu; " UP("64") "conv_transpose 1 k4 s2 p1 init=normal:0.02; tanh",
     "conv 64 k4 s2 p1 init=normal:0.02; leaky_relu 0.2; " DOWN("128") "dense 1 init=normal:0.02", "non_saturating", ADAM, 100, 0},
    {"dcgan32",
     "dense 4096 bias=0 init=normal:0.02; reshape 256x4x4; batch_norm; relu; " UP("128") UP("64") "conv_transpose 3 k4 s2 p1 init=normal:0.02; tanh",
     "conv 64 k4 s2 p1 init=normal:0.02; leaky_relu 0.2; " DOWN("128") DOWN("256") "dense 1 init=normal:0.02", "non_saturating", ADAM, 100, 0},
    {"dcgan64",
     "reshape 100x1x1; conv_transpose 512 k4 bias=0 init=normal:0.02; batch_norm; relu; " UP("256") UP("128") UP("64")
     "conv_transpose 3 k4 s2 p1 bias=0 init=normal:0.02; tanh",
     "conv 64 k4 s2 p1 bias=0 init=normal:0.02; leaky_relu 0.2; " DOWN("128") DOWN("256") DOWN("512") "conv 1 k4 bias=0 init=normal:0.02",
     "non_saturating", ADAM, 100, 0},
};

gm_status gm_gan_options_preset(gm_gan_options *o, const char *name)
{
    if (!o || !name || o->size < sizeof(gm_gan_options)) return GM_E_INVALID;
    if (!GM_TRAINING) return GM_E_UNSUPPORTED;
    for (int32_t i = 0; i < (int32_t)GMI_COUNT(presets); i++) {
        const preset *p = &presets[i];
        if (strcmp(p->name, name)) continue;
        o->generator = p->generator;
        o->discriminator = p->discriminator;
        o->loss = p->loss;
        o->gamma = GAMMA;
        o->g_optimizer = o->d_optimizer = p->optimizer;
        o->latent_dim = p->latent_dim;
        o->ema_half_life = p->ema_half_life;
        return GM_OK;
    }
    return GM_E_UNKNOWN;
}

/* ---- options ---- */

static gm_status keep_text(gm_gan *a, const char **text, const char *dflt)
{
    const char *s = *text ? *text : dflt;
    *text = gmi_arena_strdup(&a->texts, s, strlen(s));
    return *text ? GM_OK : gmi_nomem(a->m.ctx);
}

static gm_status take_options(gm_gan *a, const gm_gan_options *given)
{
    gm_gan_options *o = &a->o;
    defaults(o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(a->m.ctx, GM_E_INVALID, "gm_gan_options.size is wrong, or a field beyond this version is set: call gm_gan_options_init");
    gm_status s = keep_text(a, &o->generator, NONE);
    if (!s) s = keep_text(a, &o->discriminator, NONE);
    if (!s) s = keep_text(a, &o->loss, LOSS);
    if (!s) s = keep_text(a, &o->gamma, GAMMA);
    if (!s) s = keep_text(a, &o->g_optimizer, OPTIMIZER);
    if (!s) s = keep_text(a, &o->d_optimizer, OPTIMIZER);
    if (!s) s = keep_text(a, &o->g_schedule, NONE);
    if (!s) s = keep_text(a, &o->d_schedule, NONE);
    if (!s) s = keep_text(a, &o->condition, NONE);
    return s;
}

static gm_status take_condition(gm_gan *a)
{
    gm_context *c = a->m.ctx;
    const char *t = a->o.condition;
    a->plan.cond = !strcmp(t, "concat") ? GMI_COND_CONCAT : !strcmp(t, "projection") ? GMI_COND_PROJECTION : GMI_COND_NONE;
    if (a->plan.cond == GMI_COND_NONE && t[0]) return gmi_fail(c, GM_E_INVALID, "condition %S: give \"\", \"concat\" or \"projection\"", t);
    if (a->plan.cond == GMI_COND_CONCAT && !gmi_core_cond_elems(&a->m))
        return gmi_fail(c, GM_E_INVALID, "condition concat: the data has no labels and no conditions (gm_spec.classes and cond_dim are 0)");
    if (a->plan.cond == GMI_COND_PROJECTION && !a->m.spec.classes)
        return gmi_fail(c, GM_E_INVALID, "condition projection: it embeds labels, and gm_spec.classes is 0");
    return GM_OK;
}

static gm_status check_options(gm_gan *a)
{
    gm_context *c = a->m.ctx;
    gm_gan_options *o = &a->o;
    if (o->latent_dim == -1) o->latent_dim = a->m.spec.rank == 3 ? 64 : GMI_MIN(GMI_MAX(a->m.elems, 2), 16);
    if (o->latent_dim < 1 || o->latent_dim > 65536)
        return gmi_fail(c, GM_E_RANGE, "latent_dim is %i; 1 to 65536, or -1: 64 for images, 2 to 16 for the rest", o->latent_dim);
    if (o->d_steps < 1 || o->d_steps > 1000) return gmi_fail(c, GM_E_RANGE, "d_steps is %d; 1 to 1000", o->d_steps);
    if (!(o->ema_half_life >= 0) || !gmi_f64_finite(o->ema_half_life))
        return gmi_fail(c, GM_E_RANGE, "ema_half_life is %g; it must be 0 (none) or a positive number of examples", o->ema_half_life);
    return take_condition(a);
}

/* ---- texts ---- */

static gm_status normalised(gm_gan *a, gm_status s, gmi_buf *b, const char **text)
{
    if (!s && b->failed) s = gmi_nomem(a->m.ctx);
    if (!s) *text = NULL;
    if (!s) s = keep_text(a, text, gmi_buf_cstr(b));
    gmi_buf_free(b);
    return s;
}

static gm_status parse_layers(gm_gan *a, const char *name, const char **text, int from_file, const gm_layer **out)
{
    gm_context *c = a->m.ctx;
    gm_status s = gmi_core_of_option(c, from_file ? gmi_layer_parse_file(c, *text, out) : gm_layer_parse(c, *text, out), name);
    if (!s) *text = gm_layer_text(*out);
    return s;
}

static gm_status parse_schedule(gm_gan *a, const char *name, const char **text, gm_schedule **out)
{
    gmi_buf b;
    if (!(*text)[0]) return GM_OK;
    gm_status s = gmi_core_of_option(a->m.ctx, gmi_schedule_parse(a->m.ctx, *text, out), name);
    gmi_buf_init(&b, a->m.ctx);
    if (!s) s = gmi_schedule_text(*out, &b);
    return normalised(a, s, &b, text);
}

static gm_status parse_optimizer(gm_gan *a, const char *name, const char **text)
{
    gmi_buf b;
    gmi_buf_init(&b, a->m.ctx);
    return normalised(a, gmi_core_of_option(a->m.ctx, gmi_optimizer_normalize(a->m.ctx, *text, &b), name), &b, text);
}

static gm_status parse_loss(gm_gan *a)
{
    gmi_buf b;
    gmi_buf_init(&b, a->m.ctx);
    gm_status s = gmi_core_of_option(a->m.ctx, gmi_gan_loss_parse(a->m.ctx, a->o.loss, &a->plan), "loss");
    if (!s) gmi_gan_loss_text(&a->plan, &b);
    return normalised(a, s, &b, &a->o.loss);
}

/* Networks that were left open, by the shape of the data. */
static gm_status choose_nets(gm_gan *a)
{
    gmi_buf gen, dis;
    if (!GM_TRAINING || (a->o.generator[0] && a->o.discriminator[0])) return GM_OK; /* a file has both */
    gmi_buf_init(&gen, a->m.ctx);
    gmi_buf_init(&dis, a->m.ctx);
    gmi_gan_choose(&a->m.spec, a->m.spec.scaling == GM_SCALE_SIGNED, a->plan.cond == GMI_COND_PROJECTION, &gen, &dis);
    gm_status s = gen.failed || dis.failed ? gmi_nomem(a->m.ctx) : GM_OK;
    const char *chosen[2];
    chosen[0] = a->o.generator[0] ? a->o.generator : gmi_buf_cstr(&gen);
    chosen[1] = a->o.discriminator[0] ? a->o.discriminator : gmi_buf_cstr(&dis);
    if (!s) s = keep_text(a, &chosen[0], NONE);
    if (!s) s = keep_text(a, &chosen[1], NONE);
    if (!s) {
        a->o.generator = chosen[0];
        a->o.discriminator = chosen[1];
    }
    gmi_buf_free(&gen);
    gmi_buf_free(&dis);
    return s;
}

static gm_status parse_texts(gm_gan *a, int from_file)
{
    gm_status s = choose_nets(a);
    if (!s) s = parse_layers(a, "generator", &a->o.generator, from_file, &a->generator);
    if (!s) s = parse_layers(a, "discriminator", &a->o.discriminator, from_file, &a->discriminator);
    if (s || !GM_TRAINING) return s; /* the rest says how to train */
    s = parse_loss(a);
    if (!s) s = parse_schedule(a, "gamma", &a->o.gamma, &a->gamma);
    if (!s) s = parse_schedule(a, "g_schedule", &a->o.g_schedule, &a->g_rate);
    if (!s) s = parse_schedule(a, "d_schedule", &a->o.d_schedule, &a->d_rate);
    if (!s) s = parse_optimizer(a, "g_optimizer", &a->o.g_optimizer);
    if (!s) s = parse_optimizer(a, "d_optimizer", &a->o.d_optimizer);
    return s;
}

/* What the networks decide. */
static gm_status finish_plan(gm_gan *a)
{
    gmi_gan_plan *p = &a->plan;
    p->d_coupled = gmi_layer_couples_batch(a->discriminator);
    p->population = a->o.ema_half_life > 0 && gmi_layer_couples_batch(a->generator) && !(p->cond != GMI_COND_NONE && a->m.spec.cond_dim);
    if (p->penalties && p->d_coupled && !p->coupled)
        return gmi_fail(a->m.ctx, GM_E_UNSUPPORTED, "loss %S: the discriminator couples its batch (batch_norm or minibatch_stddev), so that the gradient of a sample is "
                                                    "not one sample's: use another normalisation, or write coupled=1", a->o.loss);
    return GM_OK;
}

/* ---- life ---- */

void gmi_gan_retain(gm_gan *a) { a->m.refs++; }

void gmi_gan_release(gm_gan *a)
{
    if (!a || --a->m.refs > 0) return;
    gm_context *c = a->m.ctx;
    gmi_context_retain(c);
    if (GM_TRAINING) {
        gm_schedule_destroy(a->gamma);
        gm_schedule_destroy(a->g_rate);
        gm_schedule_destroy(a->d_rate);
    }
    gmi_core_free(&a->m);
    gm_layer_destroy(a->generator);
    gm_layer_destroy(a->discriminator);
    gmi_arena_free(&a->texts);
    gmi_free(c, a);
    gmi_context_release(c);
}

/* Programs of G at inference see the average, those of D and of training the trained weights; z of the prior needs none. */
static gm_params *bound(const gmi_core *m, int32_t kind)
{
    const int shown = kind == GMI_GAN_GENERATE || kind == GMI_GAN_INVERT || kind == GMI_GAN_POPULATION;
    return kind == GMI_GAN_PRIOR ? NULL : shown ? gmi_core_shown(m) : m->weights;
}

static int32_t kinds(const gmi_core *m, int training, gmi_kind *to)
{
    const gm_gan *a = (const gm_gan *)m;
    int32_t n = 0;
    memset(to, 0, GMI_CORE_KINDS * sizeof *to);
    if (GM_TRAINING && training) {
        if (!a->plan.penalties || a->plan.every > 1) to[n++].kind = GMI_GAN_D;
        if (a->plan.penalties) to[n++].kind = GMI_GAN_D_PENALTY;
        to[n++].kind = GMI_GAN_G;
        if (a->plan.fresh) to[n++].kind = GMI_GAN_FAKE;
        return n;
    }
    to[n++].kind = GMI_GAN_PRIOR;
    to[n++].kind = GMI_GAN_GENERATE;
    to[n++].kind = GMI_GAN_DISCRIMINATE;
    if (!GM_TRAINING || !a->plan.population || !m->average) return n;
    to[n].kind = GMI_GAN_POPULATION;
    to[n++].rows = GMI_INFER_ROWS;
    return n;
}

/* Data of known bounds is scaled to [-1, 1], which tanh reaches. */
static gm_status scaled_spec(gm_context *c, const gm_spec *x, gm_spec *to)
{
    gm_spec_init(to, sizeof *to);
    if (gmi_options_merge(to, sizeof *to, x))
        return gmi_fail(c, GM_E_INVALID, "gm_spec.size is wrong, or a field beyond this version is set: call gm_spec_init");
    if (to->columns) return gmi_fail(c, GM_E_UNSUPPORTED, "gm_spec.columns: a mixed table has a likelihood in a VAE alone; a GAN takes rows of numbers");
    if (to->scaling == GM_SCALE_AUTO) to->scaling = to->dtype == GM_U8 || to->lo < to->hi ? GM_SCALE_SIGNED : GM_SCALE_STANDARD;
    return GM_OK;
}

gm_status gmi_gan_make(gm_context *c, const gm_spec *x, const gm_gan_options *o, int from_file, gm_gan **out)
{
    gm_spec spec;
    *out = NULL;
    gm_status s = scaled_spec(c, x, &spec);
    if (s) return s;
    gm_gan *a = gmi_alloc(c, sizeof *a);
    if (!a) return gmi_nomem(c);
    gmi_arena_init(&a->texts, c);
    s = gmi_core_init(&a->m, c, "gan", &spec, 0, gmi_gan_build, a);
    a->m.bound = bound;
    a->m.kinds = kinds;
    a->population_step = -1;
    if (!s) s = take_options(a, o);
    a->m.seed = a->o.seed;
    a->m.ema_half_life = a->o.ema_half_life;
    if (!s) s = check_options(a);
    if (!s) s = parse_texts(a, from_file);
    if (!s) s = finish_plan(a);
    if (s)
        gmi_gan_release(a);
    else
        *out = a;
    return s;
}

gm_status gmi_gan_graph(const gm_gan *a, int discriminator, gm_graph **g)
{
    gm_status s = gm_graph_create(a->m.ctx, g);
    if (s) return s;
    gmi_gan_leaves(a, *g, 1, discriminator);
    return gm_graph_status(*g);
}

/* The average's arenas; its next states are for population statistics. */
static gm_status layout_average(gm_gan *a)
{
    gmi_core *m = &a->m;
    gm_graph *g = NULL;
    if (!(m->ema_half_life > 0) || m->average) return GM_OK;
    gm_status s = gmi_gan_graph(a, 0, &g);
    if (!s) s = gmi_params_layout(m->ctx, g, 0, &m->average);
    gm_graph_destroy(g);
    gm_params *w = m->average;
    if (!s && a->plan.population && !(w->state_next = gmi_alloc_n(m->ctx, w->state_elems, sizeof(gmi_real)))) s = gmi_nomem(m->ctx);
    if (s && w) {
        gmi_params_release(w);
        m->average = NULL;
    }
    if (!s) gmi_core_average_reset(m);
    return s;
}

gm_status gmi_gan_layout(gm_gan *a, int train)
{
    gm_graph *g = NULL;
    gm_status s = gmi_gan_graph(a, 1, &g);
    if (!s) s = gmi_params_layout(a->m.ctx, g, train, &a->m.weights);
    gm_graph_destroy(g);
    return !s && GM_TRAINING && train ? layout_average(a) : s;
}

gm_status gmi_gan_ready(gm_gan *a)
{
    gmi_core *m = &a->m;
    if (!GM_TRAINING) return gmi_no_training(m->ctx);
    gm_status s = gmi_core_train_ready(m, 0);
    if (!s && !m->optimizer[0]) s = gmi_optimizer_create_prefix(m->weights, "generator", a->o.g_optimizer, &m->optimizer[0]);
    if (!s && !m->optimizer[1]) s = gmi_optimizer_create_prefix(m->weights, "discriminator", a->o.d_optimizer, &m->optimizer[1]);
    return s ? s : layout_average(a); /* not there yet: loaded for inference, trained now */
}

gm_status gm_gan_create(gm_context *c, const gm_spec *x, const gm_gan_options *o, gm_gan **out)
{
    gm_gan *a = NULL;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "gan_create");
    if (!GM_TRAINING) return gmi_leave(c, gmi_no_training(c));
    gm_status s = x ? gmi_gan_make(c, x, o, 0, &a) : gmi_fail(c, GM_E_INVALID, "the spec is NULL: gm_dataset_spec gives one");
    if (!s) s = gmi_gan_layout(a, 1);
    if (!s) s = gmi_params_init(a->m.weights, a->m.seed);
    if (!s) gmi_core_average_reset(&a->m);
    if (!s) s = gmi_gan_ready(a);
    if (s)
        gmi_gan_release(a);
    else
        *out = a;
    return gmi_leave(c, s);
}

void gm_gan_destroy(gm_gan *g) { gmi_gan_release(g); }

gm_params *gm_gan_params(gm_gan *g) { return g ? g->m.weights : NULL; }

static gm_optimizer *optimizer(gm_gan *a, const char *call, int32_t i)
{
    if (!a) return NULL;
    gm_context *c = a->m.ctx;
    gmi_enter(c, call);
    return gmi_leave(c, gmi_gan_ready(a)) ? NULL : a->m.optimizer[i];
}

gm_optimizer *gm_gan_g_optimizer(gm_gan *g) { return optimizer(g, "gan_g_optimizer", 0); }
gm_optimizer *gm_gan_d_optimizer(gm_gan *g) { return optimizer(g, "gan_d_optimizer", 1); }

/* ---- memory ---- */

/* Of parameters: arenas, and what names and places of the leaves take beside them. */
static uint64_t params_bytes(const gm_graph *g, int grads)
{
    const uint64_t leaves = (uint64_t)g->params.n + (uint64_t)g->states.n;
    return gmi_params_bytes(g, grads) + leaves * (sizeof(gmi_slot) + 128) + sizeof(gm_params) + 2048;
}

/* Of the average: next states where it has a population. */
static uint64_t average_bytes(const gm_gan *a, const gm_graph *g)
{
    uint64_t bytes = params_bytes(g, 0);
    for (int32_t i = 0; a->plan.population && i < g->states.n; i++) /* one number a channel */
        bytes += ((uint64_t)g->nodes[g->states.p[i].node - 1].dims[0] + 16) * sizeof(gmi_real);
    return a->m.ema_half_life > 0 ? bytes : 0;
}

static gm_status memory(gm_context *c, const gm_spec *x, const gm_gan_options *o, int64_t batch, uint64_t *train, uint64_t *infer)
{
    gm_gan *a = NULL;
    gm_graph *both = NULL, *gen = NULL;
    uint64_t g_moments = 0, d_moments = 0;
    gmi_need work, run;
    memset(&work, 0, sizeof work);
    memset(&run, 0, sizeof run);
    if (!GM_TRAINING) return gmi_no_training(c);
    if (!x) return gmi_fail(c, GM_E_INVALID, "the spec is NULL: gm_dataset_spec gives one");
    if (batch < 1) return gmi_fail(c, GM_E_RANGE, "batch is %i; give at least 1", batch);
    const uint64_t before = c->mem_now;
    gm_status s = gmi_gan_make(c, x, o, 0, &a);
    const uint64_t object = c->mem_now - before;
    if (!s) s = gmi_gan_graph(a, 1, &both);
    if (!s) s = gmi_gan_graph(a, 0, &gen);
    const uint64_t weights = s ? 0 : gmi_params_bytes(both, 0), g_weights = s ? 0 : gmi_params_bytes(gen, 0);
    if (!s) s = gmi_optimizer_bytes(c, a->o.g_optimizer, (int64_t)(g_weights / sizeof(gmi_real)), &g_moments);
    if (!s) s = gmi_optimizer_bytes(c, a->o.d_optimizer, (int64_t)((weights - g_weights) / sizeof(gmi_real)), &d_moments);
    if (!s) s = gmi_core_need(&a->m, batch, 1, &work);
    if (!s) s = gmi_core_need(&a->m, batch, 0, &run);
    if (!s) {
        *train = object + params_bytes(both, 1) + average_bytes(a, gen) + g_moments + d_moments + work.keep;
        *infer = object + params_bytes(both, 0) + run.keep;
    }
    gm_graph_destroy(both);
    gm_graph_destroy(gen);
    gmi_gan_release(a);
    return s;
}

gm_status gm_gan_memory(gm_context *c, const gm_spec *x, const gm_gan_options *o, int64_t batch, uint64_t *train_bytes, uint64_t *infer_bytes)
{
    uint64_t train = 0, infer = 0;
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "gan_memory");
    gm_status s = memory(c, x, o, batch, &train, &infer);
    if (!s && train_bytes) *train_bytes = train;
    if (!s && infer_bytes) *infer_bytes = infer;
    return gmi_leave(c, s);
}

gm_status gm_gan_reserve(gm_gan *g, int64_t batch)
{
    if (!g) return GM_E_INVALID;
    gm_context *c = g->m.ctx;
    gmi_enter(c, "gan_reserve");
    gm_status s = gmi_core_enter(&g->m, 0);
    if (!s && batch < 1) s = gmi_fail(c, GM_E_RANGE, "batch is %i; give at least 1", batch);
    if (!s && GM_TRAINING) s = gmi_gan_ready(g);
    if (!s) s = gmi_core_reserve(&g->m, batch);
    return gmi_leave(c, s);
}
