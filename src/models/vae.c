/* SPDX-License-Identifier: MIT */
/* vae.c: a VAE's options, its creation from them, its programs by batch size.
 *
 * Creation runs in two parts, so that a file can come between: gmi_vae_make resolves options, spec and networks, gmi_vae_weights lays out what the training
 * graph names. Shapes that do not fit appear there, before anything large is allocated. */
#include "models/vae.h"
#include "train/optim.h"
#include "train/schedule.h"

static const char DEFAULT_NET[] = "dense 400; relu", DEFAULT_OPTIMIZER[] = "adam lr=0.001", DEFAULT_BETA[] = "constant 1", DEFAULT_PRIOR[] = "normal",
                  DEFAULT_OBJECTIVE[] = "elbo", DEFAULT_CONDITION[] = "", DEFAULT_VARIANCE[] = "scalar", DEFAULT_SCHEDULE[] = "";

static void defaults(gm_vae_options *o)
{
    memset(o, 0, sizeof *o);
    o->size = sizeof *o;
    o->encoder = DEFAULT_NET;
    o->decoder = DEFAULT_NET;
    o->optimizer = DEFAULT_OPTIMIZER;
    o->beta = DEFAULT_BETA;
    o->prior = DEFAULT_PRIOR;
    o->objective = DEFAULT_OBJECTIVE;
    o->latent_dim = -1;
    o->likelihood = GM_LIKELIHOOD_AUTO;
    o->condition = DEFAULT_CONDITION;
    o->variance = DEFAULT_VARIANCE;
    o->schedule = DEFAULT_SCHEDULE;
}

void gm_vae_options_init(gm_vae_options *o, size_t size)
{
    gm_vae_options full;
    defaults(&full);
    if (o) gmi_options_init(o, size, &full, sizeof full);
}

const char *gm_likelihood_name(gm_likelihood l)
{
    static const char names[][14] = {"auto", "bernoulli", "gaussian", "logistic", "beta_binomial", "categorical", "columns"};
    return l >= 0 && l < (int32_t)GMI_COUNT(names) ? names[l] : "unknown likelihood";
}

/* ---- presets ---- */

typedef struct preset {
    const char *name, *encoder, *decoder;
    int64_t latent_dim;
} preset;

static const preset presets[] = {
    {"mlp", DEFAULT_NET, DEFAULT_NET, 20},
    {"points", "dense 128; relu; dense 128; relu", "dense 128; relu; dense 128; relu", 2},
    {"conv28", "conv 32 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; flatten; dense 256; relu",
     "dense 256; relu; dense 64; relu; reshape 64x1x1; conv_transpose 64 k4 s2 p1 output_padding=1; relu; "
     "conv_transpose 32 k4 s2 p1 output_padding=1; relu; conv_transpose 32 k4 s2 p1; relu; conv_transpose 1 k4 s2 p1",
     10},
    {"conv64", "conv 32 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; flatten; dense 256; relu",
     "dense 256; relu; dense 1024; relu; reshape 64x4x4; conv_transpose 64 k4 s2 p1; relu; conv_transpose 32 k4 s2 p1; relu; "
     "conv_transpose 32 k4 s2 p1; relu; conv_transpose 1 k4 s2 p1",
     10},
};

gm_status gm_vae_options_preset(gm_vae_options *o, const char *name)
{
    if (!o || !name || o->size < offsetof(gm_vae_options, latent_dim) + sizeof o->latent_dim) return GM_E_INVALID;
    if (!GM_TRAINING) return GM_E_UNSUPPORTED;
    for (int32_t i = 0; i < (int32_t)GMI_COUNT(presets); i++) {
        if (strcmp(presets[i].name, name)) continue;
        o->encoder = presets[i].encoder;
        o->decoder = presets[i].decoder;
        o->latent_dim = presets[i].latent_dim;
        return GM_OK;
    }
    return GM_E_UNKNOWN;
}

/* ---- creation ---- */

static gm_status keep_text(gm_vae *v, const char **text, const char *dflt)
{
    const char *s = *text ? *text : dflt;
    *text = gmi_arena_strdup(&v->texts, s, strlen(s));
    return *text ? GM_OK : gmi_nomem(v->m.ctx);
}

static gm_status take_options(gm_vae *v, const gm_vae_options *given)
{
    gm_context *c = v->m.ctx;
    gm_vae_options *o = &v->o;
    defaults(o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(c, GM_E_INVALID, "gm_vae_options.size is wrong, or a field beyond this version is set: call gm_vae_options_init");
    gm_status s = keep_text(v, &o->encoder, DEFAULT_NET);
    if (!s) s = keep_text(v, &o->decoder, DEFAULT_NET);
    if (!s) s = keep_text(v, &o->optimizer, DEFAULT_OPTIMIZER);
    if (!s) s = keep_text(v, &o->beta, DEFAULT_BETA);
    if (!s) s = keep_text(v, &o->prior, DEFAULT_PRIOR);
    if (!s) s = keep_text(v, &o->objective, DEFAULT_OBJECTIVE);
    if (!s) s = keep_text(v, &o->condition, DEFAULT_CONDITION);
    if (!s) s = keep_text(v, &o->variance, DEFAULT_VARIANCE);
    if (!s) s = keep_text(v, &o->schedule, DEFAULT_SCHEDULE);
    return s;
}

static gm_status check_options(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    gm_vae_options *o = &v->o;
    if (o->latent_dim == -1) o->latent_dim = GMI_MIN(v->m.elems, 20);
    if (o->latent_dim < 1 || o->latent_dim > 65536)
        return gmi_fail(c, GM_E_RANGE, "latent_dim is %i; 1 to 65536, or -1: as many as a sample has elements, 20 at most", o->latent_dim);
    if (!(o->free_bits >= 0) || !gmi_f64_finite(o->free_bits))
        return gmi_fail(c, GM_E_RANGE, "free_bits is %g; it must be 0 or a positive number of nats", o->free_bits);
    if (!(o->ema_half_life >= 0) || !gmi_f64_finite(o->ema_half_life))
        return gmi_fail(c, GM_E_RANGE, "ema_half_life is %g; it must be 0 (none) or a positive number of examples", o->ema_half_life);
    if (strcmp(o->prior, DEFAULT_PRIOR)) return gmi_fail(c, GM_E_UNSUPPORTED, "prior %S: this version has \"normal\"", o->prior);
    if (o->likelihood < GM_LIKELIHOOD_AUTO || o->likelihood > GM_LIKELIHOOD_COLUMNS)
        return gmi_fail(c, GM_E_INVALID, "likelihood is %d, which is no gm_likelihood", o->likelihood);
    v->plan.conditional = strcmp(o->condition, "concat") == 0;
    if (!v->plan.conditional && o->condition[0]) return gmi_fail(c, GM_E_INVALID, "condition %S: give \"\" or \"concat\"", o->condition);
    if (v->plan.conditional && !gmi_core_cond_elems(&v->m))
        return gmi_fail(c, GM_E_INVALID, "condition concat: the data has no labels and no conditions (gm_spec.classes and cond_dim are 0)");
    return GM_OK;
}

static gm_status parse_layers(gm_context *c, const char *name, const char *text, int from_file, const gm_layer **out)
{
    return gmi_core_of_option(c, from_file ? gmi_layer_parse_file(c, text, out) : gm_layer_parse(c, text, out), name);
}

/* The text that files hold: b's, normalised. */
static gm_status normalised(gm_vae *v, gm_status s, gmi_buf *b, const char **text)
{
    if (!s && b->failed) s = gmi_nomem(v->m.ctx);
    if (!s) *text = NULL;
    if (!s) s = keep_text(v, text, gmi_buf_cstr(b));
    gmi_buf_free(b);
    return s;
}

static gm_status parse_schedule(gm_vae *v, const char *name, const char **text, gm_schedule **out)
{
    gmi_buf b;
    gm_status s = gmi_core_of_option(v->m.ctx, gmi_schedule_parse(v->m.ctx, *text, out), name);
    gmi_buf_init(&b, v->m.ctx);
    if (!s) s = gmi_schedule_text(*out, &b);
    return normalised(v, s, &b, text);
}

static gm_status parse_texts(gm_vae *v, int from_file)
{
    gm_context *c = v->m.ctx;
    gmi_buf b;
    gm_status s = parse_layers(c, "encoder", v->o.encoder, from_file, &v->encoder);
    if (!s) s = parse_layers(c, "decoder", v->o.decoder, from_file, &v->decoder);
    if (s) return s;
    v->o.encoder = gm_layer_text(v->encoder);
    v->o.decoder = gm_layer_text(v->decoder);
    if (!GM_TRAINING) return GM_OK;
    s = parse_schedule(v, "beta", &v->o.beta, &v->beta);
    if (!s && v->o.schedule[0]) s = parse_schedule(v, "schedule", &v->o.schedule, &v->rate);
    if (s) return s;
    gmi_buf_init(&b, c);
    return normalised(v, gmi_core_of_option(c, gmi_optimizer_normalize(c, v->o.optimizer, &b), "optimizer"), &b, &v->o.optimizer);
}

static gm_status scratch(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    v->kl_dim = gmi_alloc_n(c, v->o.latent_dim, sizeof(float));
    v->sums = gmi_alloc_n(c, 3 * v->o.latent_dim, sizeof(double));
    v->m.fit.kl = gmi_alloc_n(c, v->o.latent_dim, sizeof(double));
    v->m.fit.n_kl = v->o.latent_dim;
    return v->kl_dim && v->sums && v->m.fit.kl ? GM_OK : gmi_nomem(c);
}

void gmi_vae_retain(gm_vae *v) { v->m.refs++; }

void gmi_vae_release(gm_vae *v)
{
    if (!v || --v->m.refs > 0) return;
    gm_context *c = v->m.ctx;
    gmi_context_retain(c);
    gmi_free(c, v->kl_dim);
    gmi_free(c, v->sums);
    gmi_free(c, v->m.fit.kl);
    if (GM_TRAINING) {
        gm_schedule_destroy(v->beta);
        gm_schedule_destroy(v->rate);
    }
    gmi_core_free(&v->m);
    gm_layer_destroy(v->encoder);
    gm_layer_destroy(v->decoder);
    gmi_arena_free(&v->texts);
    gmi_free(c, v);
    gmi_context_release(c);
}

/* Which weights a program is bound to; z of the prior needs none. */
static gm_params *bound(const gmi_core *m, int32_t kind)
{
    return kind == GMI_VAE_PRIOR ? NULL : kind == GMI_VAE_TRAIN ? m->weights : gmi_core_shown(m);
}

static int32_t kinds(const gmi_core *m, int training, gmi_kind *to)
{
    static const gmi_kind train[] = {{GMI_VAE_TRAIN, 0}}, infer[] = {{GMI_VAE_ENCODE, 0}, {GMI_VAE_DECODE, 0}, {GMI_VAE_DRAW, 0}, {GMI_VAE_PRIOR, 0}};
    (void)m;
    memcpy(to, training ? train : infer, training ? sizeof train : sizeof infer);
    return training ? (int32_t)GMI_COUNT(train) : (int32_t)GMI_COUNT(infer);
}

gm_status gmi_vae_make(gm_context *c, const gm_spec *x, const gm_vae_options *o, int from_file, gm_vae **out)
{
    gm_vae *v = gmi_alloc(c, sizeof *v);
    *out = NULL;
    if (!v) return gmi_nomem(c);
    gmi_arena_init(&v->texts, c);
    gm_status s = gmi_core_init(&v->m, c, "vae", x, o && o->size >= sizeof *o ? o->seed : 0, gmi_vae_build, v);
    if (!s) s = take_options(v, o);
    v->m.bound = bound;
    v->m.kinds = kinds;
    v->m.seed = v->o.seed;
    v->m.ema_half_life = v->o.ema_half_life;
    if (!s) s = check_options(v);
    if (!s) s = gmi_vae_plan_make(v);
    if (!s) s = parse_texts(v, from_file);
    if (!s) s = scratch(v);
    if (s)
        gmi_vae_release(v);
    else
        *out = v;
    return s;
}

/* Batch statistics need two rows to exist at all. */
gm_status gmi_vae_training_graph(gm_vae *v, gm_graph **g)
{
    gmi_prog_key key = {GMI_VAE_TRAIN, 0, 2};
    gm_node out[GMI_PROG_OUT];
    int32_t n_out;
    gm_status s = gm_graph_create(v->m.ctx, g);
    if (!s) s = gmi_vae_build(v, *g, &key, out, &n_out);
    return s ? s : gm_graph_status(*g);
}

static gm_status layout_average(gm_vae *v, const gm_graph *g)
{
    gmi_core *m = &v->m;
    gm_status s = m->ema_half_life > 0 && !m->average ? gmi_params_layout(m->ctx, g, 0, &m->average) : GM_OK;
    if (!s) gmi_core_average_reset(m);
    return s;
}

gm_status gmi_vae_layout(gm_vae *v, const gm_graph *g, int train)
{
    gm_status s = gmi_params_layout(v->m.ctx, g, train, &v->m.weights);
    return !s && GM_TRAINING && train ? layout_average(v, g) : s;
}

static gm_status initial_weights(gm_vae *v)
{
    gm_graph *g = NULL;
    gm_status s = gmi_vae_training_graph(v, &g);
    if (!s) s = gmi_vae_layout(v, g, 1);
    if (!s) s = gmi_params_init(v->m.weights, v->m.seed);
    if (!s) gmi_core_average_reset(&v->m);
    gm_graph_destroy(g);
    return s;
}

/* A log variance begins at 0 and ends where the residuals are, often at -5 or below; at the networks' rate of 0.001 a step Adam would need thousands of
 * steps for that alone, while the KL prunes dimensions that the decoder cannot use yet. Hence ten times the rate. */
static gm_status make_optimizer(gm_vae *v)
{
    gm_optimizer *p = NULL;
    gm_status s = gm_optimizer_create(v->m.weights, v->o.optimizer, &p);
    if (!s && gmi_params_find(v->m.weights, "output.logvar", NULL)) s = gmi_optimizer_tune(p, "output.logvar", 10, 0, 0);
    if (!s && gmi_params_find(v->m.weights, "output.logscale", NULL)) s = gmi_optimizer_tune(p, "output.logscale", 10, 0, 0);
    if (s)
        gm_optimizer_destroy(p);
    else
        v->m.optimizer[0] = p;
    return s;
}

gm_status gmi_vae_optimizer_ready(gm_vae *v)
{
    gmi_core *m = &v->m;
    if (!GM_TRAINING) return gmi_no_training(m->ctx);
    gm_status s = gmi_core_train_ready(m, 0);
    if (!s && !m->optimizer[0]) s = make_optimizer(v);
    if (!s && m->ema_half_life > 0 && !m->average) { /* loaded for inference, trained now */
        gm_graph *g = NULL;
        s = gmi_vae_training_graph(v, &g);
        if (!s) s = layout_average(v, g);
        gm_graph_destroy(g);
    }
    return s;
}

gm_status gm_vae_create(gm_context *c, const gm_spec *x, const gm_vae_options *o, gm_vae **out)
{
    gm_vae *v = NULL;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "vae_create");
    if (!GM_TRAINING) return gmi_leave(c, gmi_no_training(c));
    gm_status s = x ? gmi_vae_make(c, x, o, 0, &v) : gmi_fail(c, GM_E_INVALID, "the spec is NULL: gm_dataset_spec gives one");
    if (!s) s = initial_weights(v);
    if (!s) s = gmi_vae_optimizer_ready(v);
    if (s)
        gmi_vae_release(v);
    else
        *out = v;
    return gmi_leave(c, s);
}

void gm_vae_destroy(gm_vae *v) { gmi_vae_release(v); }

gm_params *gm_vae_params(gm_vae *v) { return v ? v->m.weights : NULL; }

gm_optimizer *gm_vae_optimizer(gm_vae *v)
{
    if (!v) return NULL;
    gm_context *c = v->m.ctx;
    gmi_enter(c, "vae_optimizer");
    return gmi_leave(c, gmi_vae_optimizer_ready(v)) ? NULL : v->m.optimizer[0];
}

/* ---- programs ---- */

gm_status gmi_vae_prog(gm_vae *v, int32_t kind, int32_t draws, int64_t rows, gmi_prog **p) { return gmi_core_prog(&v->m, kind, draws, rows, p); }

gm_status gmi_vae_check_cond(const gm_vae *v, const gm_tensor *cond, int64_t n)
{
    return v->plan.conditional ? gmi_core_check_cond(&v->m, cond, n) : GM_OK;
}

/* Class indices to i32 in place: an i32 is not wider than a real, so reading runs ahead of writing. */
gm_status gmi_vae_indices(gm_vae *v, gmi_prog *p, const gmi_real *x, int64_t n, int64_t first)
{
    uint8_t *to = (uint8_t *)gmi_prog_in(p, "x");
    gm_status s = gmi_core_check_values(&v->m, x, n, first, v->plan.lo, v->plan.hi);
    for (int64_t i = 0; !s && i < n * v->m.elems; i++) {
        int32_t k = (int32_t)x[i];
        memcpy(to + i * (int64_t)sizeof k, &k, sizeof k);
    }
    return s;
}

/* A density of integers says nothing about what lies between them. x: model values of rows from number `first` on. */
gm_status gmi_vae_whole(const gm_vae *v, const gmi_real *x, int64_t n, int64_t first)
{
    const int64_t e = v->m.elems;
    for (int64_t i = 0; i < n * e; i++)
        if (x[i] != (gmi_real)(int32_t)x[i])
            return gmi_fail_at(v->m.ctx, GM_E_RANGE, first + i / e, "x row %i, element %i is %g: the logistic likelihood takes integers", first + i / e, i % e,
                               (double)x[i] + v->m.spec.lo);
    return GM_OK;
}

gm_status gmi_vae_feed_x(gm_vae *v, gmi_prog *p, const gm_tensor *x, int64_t r0, int64_t n)
{
    const int64_t e = v->plan.x_elems, rest = p->key.rows - n;
    const int classes = v->plan.likelihood == GM_LIKELIHOOD_CATEGORICAL, bounded = classes || p->key.kind != GMI_VAE_ENCODE;
    const int whole = v->plan.levels && bounded && (x->dtype == GM_F32 || x->dtype == GM_F64);
    const double lo = bounded ? v->plan.lo : 1, hi = bounded ? v->plan.hi : 0;
    gmi_real *to = gmi_prog_in(p, "x");
    if (!to) return GM_OK;
    if (!classes && !v->columns) {
        gm_status s = gmi_core_feed_x(&v->m, p, x, r0, n, lo, hi);
        return !s && whole ? gmi_vae_whole(v, p->in[gmi_prog_input(p, "x")], n, r0) : s;
    }
    gm_status s = v->columns ? gmi_vae_columns_tensor(v, x, r0, n, to) : gmi_core_load_x(&v->m, x, r0, n, lo, hi, to);
    if (!s && classes) s = gmi_vae_indices(v, p, to, n, r0);
    if (rest > 0) memset((char *)to + (size_t)(n * e) * (classes ? sizeof(int32_t) : sizeof *to), 0, (size_t)(rest * e) * (classes ? sizeof(int32_t) : sizeof *to));
    return s;
}

void gmi_vae_feed_cond(gm_vae *v, gmi_prog *p, const gm_tensor *cond, int64_t r0, int64_t n)
{
    gmi_core_feed_cond(&v->m, p, v->plan.conditional ? cond : NULL, r0, n);
}
