/* SPDX-License-Identifier: MIT */
/* model.c: the life of a gm_model, its facts, and what is made from it and of it.
 *
 * A model is data: options as text, spec, scaling, weights. Nothing in it changes after it was made, except its count of references, so that threads need no
 * lock to use one. Whoever uses it makes a family's object in a context of its own (gmi_model_instance), which reads the weights where they are. Memory comes
 * from the context in which the model was made and is given back by whichever thread drops the last reference, which allocation permits. */
#include "models/model.h"
#include "base/build_info.h"
#include "format/bytes.h"
#include "nn/nn.h"

const gmi_model_class *gmi_model_class_find(const char *family)
{
    static const gmi_model_class *const known[] = {
        &gmi_vae_class,
        &gmi_gan_class,
    };
    for (int64_t i = 0; i < GMI_COUNT(known); i++)
        if (!strcmp(known[i]->name, family)) return known[i];
    return NULL;
}

const char *gm_support_name(gm_support s)
{
    static const char names[][12] = {"no", "approximate", "exact"};
    return s >= 0 && s < (gm_support)GMI_COUNT(names) ? names[s] : "unknown";
}

const char *gm_score_name(gm_score s)
{
    static const char names[][15] = {"elbo", "iwae", "reconstruction", "mahalanobis", "residual"};
    return s >= 0 && s < (gm_score)GMI_COUNT(names) ? names[s] : "unknown";
}

/* ---- making and giving up ---- */

static const char *keep_text(gm_model *m, const char *s) { return gmi_arena_strdup(&m->texts, s, strlen(s)); }

gm_status gmi_model_new(gm_context *c, const gmi_model_class *kind, const gm_spec *x, const char *options, const char *made_by, gm_model **out)
{
    gm_model *m = gmi_alloc(c, sizeof *m);
    *out = NULL;
    if (!m) return gmi_nomem(c);
    m->ctx = c;
    gmi_context_retain(c);
    gmi_arena_init(&m->texts, c);
    m->refs = 1;
    m->kind = kind;
    m->x = *x;
    m->options = keep_text(m, options);
    m->made_by = keep_text(m, made_by);
    if (x->columns) m->x.columns = keep_text(m, x->columns);
    m->format = GMI_FILE_FORMAT;
    m->profile = GMI_NUMERIC_PROFILE;
    m->steps = -1;
    if (!m->options || !m->made_by || (x->columns && !m->x.columns)) {
        gmi_model_release(m);
        return gmi_nomem(c);
    }
    *out = m;
    return GM_OK;
}

void gmi_model_release(gm_model *m)
{
    if (!m || gmi_atomic_add(&m->refs, -1) > 0) return;
    gm_context *c = m->ctx;
    gmi_params_release(m->weights);
    gmi_scaler_free(c, &m->scaler);
    gmi_free(c, m->calibration.mean);
    gmi_free(c, m->calibration.precision);
    gmi_arena_free(&m->texts);
    gmi_free(c, m);
    gmi_context_release(c);
}

/* The count of references is what of a model may be written. */
static gm_model *counted(const gm_model *m)
{
    union {
        const gm_model *c;
        gm_model *v;
    } p;
    p.c = m;
    return p.v;
}

const gm_model *gm_model_retain(const gm_model *m)
{
    if (m) gmi_atomic_add(&counted(m)->refs, 1);
    return m;
}

void gm_model_destroy(const gm_model *m) { gmi_model_release(counted(m)); }

gm_status gmi_model_tensors_room(gm_model *m, int32_t n)
{
    uint64_t bytes = 0;
    m->tensors = gmi_mul_u64((uint64_t)n, sizeof *m->tensors, &bytes) ? NULL : gmi_arena_alloc(&m->texts, bytes);
    return m->tensors ? GM_OK : gmi_nomem(m->ctx);
}

gm_status gmi_model_add_tensor(gm_model *m, const char *name, int32_t rank, const int64_t *dims, int32_t kind)
{
    gmi_model_tensor *t = &m->tensors[m->n_tensors];
    int64_t *d = gmi_arena_alloc(&m->texts, (uint64_t)rank * sizeof *d);
    t->name = keep_text(m, name);
    t->dims = d;
    t->rank = rank;
    t->kind = kind;
    if (!d || !t->name) return gmi_nomem(m->ctx);
    if (rank) memcpy(d, dims, (size_t)rank * sizeof *d);
    if (gmi_count_i64(rank, dims, &t->count)) return gmi_fail(m->ctx, GM_E_SHAPE, "%S is too large", name);
    if (kind == GMI_TENSOR_PARAM) m->parameters += t->count;
    m->n_tensors++;
    return GM_OK;
}

int gmi_model_whole(const gm_model *m) { return m->weights && m->weights->n_params + m->weights->n_states == m->n_tensors; }

/* ---- from a model in training ---- */

static gm_status tensors_of(gm_model *m, const gm_params *w)
{
    gm_status s = gmi_model_tensors_room(m, w->n_params + w->n_states);
    for (int32_t i = 0; !s && i < w->n_params; i++) s = gmi_model_add_tensor(m, w->params[i].name, w->params[i].rank, w->params[i].dims, GMI_TENSOR_PARAM);
    for (int32_t i = 0; !s && i < w->n_states; i++) s = gmi_model_add_tensor(m, w->states[i].name, w->states[i].rank, w->states[i].dims, GMI_TENSOR_STATE);
    return s;
}

/* The weights, in them the average of what has one. */
static gm_status shown_weights(const gmi_core *core, gm_params **out)
{
    const gm_params *a = core->average;
    gm_status s = gmi_params_copy(core->weights, out);
    if (s || !a) return s;
    memcpy((*out)->value + core->average_at, a->value, (size_t)a->param_elems * sizeof(gmi_real));
    memcpy((*out)->state + core->average_state_at, a->state, (size_t)a->state_elems * sizeof(gmi_real));
    return GM_OK;
}

static gm_status copy_of(gmi_core *core, gm_model *m)
{
    gm_status s = gmi_scaler_copy(m->ctx, &core->scaler, &m->scaler);
    if (!s) s = shown_weights(core, &m->weights);
    if (!s) s = tensors_of(m, m->weights);
    m->uses = GM_USE_ALL;
    m->latent_dim = m->kind->latent_dim(core);
    m->steps = core->fit.step;
    return s == GM_E_NOMEM ? gmi_nomem(m->ctx) : s;
}

gm_status gmi_model_snapshot(gmi_core *core, const gm_model **out)
{
    gm_context *c = core->ctx;
    const gmi_model_class *kind = gmi_model_class_find(core->family);
    gm_model *m = NULL;
    gmi_buf b;
    if (!GM_TRAINING) return gmi_no_training(c);
    if (!kind) return gmi_fail(c, GM_E_UNSUPPORTED, "models of the family %S have no snapshots", core->family);
    gmi_buf_init(&b, c);
    gm_status s = kind->settle(core);
    if (!s) s = kind->options(core, &b);
    if (!s) s = gmi_model_new(c, kind, &core->spec, gmi_buf_cstr(&b), gmi_library_name(), &m);
    if (!s) s = copy_of(core, m);
    gmi_buf_free(&b);
    if (s)
        gmi_model_release(m);
    else
        *out = m;
    return s;
}

/* ---- to use it, to calibrate it ---- */

gm_status gmi_model_instance(gm_context *c, const gm_model *m, gmi_core **out)
{
    gmi_core *core = NULL;
    gmi_arena texts;
    *out = NULL;
    if (!m->weights) return gmi_fail(c, GM_E_UNSUPPORTED, "the model was loaded as a header alone: load it with the uses that are wanted");
    gmi_arena_init(&texts, c);
    gm_status s = m->kind->make(c, &m->x, m->options, &texts, &core);
    gmi_arena_free(&texts);
    if (!s) s = gmi_scaler_copy(c, &m->scaler, &core->scaler);
    if (!s) s = gmi_params_borrow(c, m->weights, &core->weights);
    if (s) {
        if (core) m->kind->release(core);
        return s == GM_E_NOMEM ? gmi_nomem(c) : s;
    }
    core->scaler_fitted = 1;
    *out = core;
    return GM_OK;
}

gm_status gmi_model_with_calibration(gm_context *c, const gm_model *m, const gmi_calibration *k, const gm_model **out)
{
    gm_model *n = NULL;
    *out = NULL;
    gm_status s = gmi_model_new(c, m->kind, &m->x, m->options, m->made_by, &n);
    if (!s) s = gmi_scaler_copy(c, &m->scaler, &n->scaler);
    if (!s) s = gmi_model_tensors_room(n, m->n_tensors);
    for (int32_t i = 0; !s && i < m->n_tensors; i++)
        s = gmi_model_add_tensor(n, m->tensors[i].name, m->tensors[i].rank, m->tensors[i].dims, m->tensors[i].kind);
    if (s) {
        gmi_model_release(n);
        return s;
    }
    n->weights = m->weights;
    if (n->weights) gmi_params_retain(n->weights);
    n->uses = m->uses;
    n->latent_dim = m->latent_dim;
    n->parameters = m->parameters;
    n->steps = m->steps;
    n->calibration = *k;
    n->calibration.set = 1;
    *out = n;
    return GM_OK;
}

/* ---- facts ---- */

gm_status gm_model_info(const gm_model *m, gm_info *out)
{
    const double none = gmi_bits_double(0x7ff8000000000000ull);
    gm_info f;
    if (!m || !out || out->size < sizeof out->size) return GM_E_INVALID;
    memset(&f, 0, sizeof f);
    f.size = sizeof f;
    f.family = m->kind->name;
    f.options = m->options;
    f.made_by = m->made_by;
    f.sha256 = m->sha256;
    f.latent_dim = m->latent_dim;
    f.parameters = m->parameters;
    f.steps = m->steps;
    f.x = &m->x;
    f.format_version = m->format;
    f.numeric_profile = m->profile;
    f.uses = m->uses;
    f.calibrated = m->calibration.set;
    f.score = m->calibration.score;
    f.threshold = m->calibration.set ? m->calibration.threshold : none;
    f.false_positive_rate = m->calibration.set ? m->calibration.alpha : none;
    gmi_options_init(out, out->size, &f, sizeof f);
    return GM_OK;
}

gm_support gm_model_support(const gm_model *m, gm_use u)
{
    if (!m || (u != GM_USE_ENCODE && u != GM_USE_DECODE && u != GM_USE_SCORE) || !(m->uses & u)) return GM_NO;
    if (u == GM_USE_ENCODE) return m->kind == &gmi_vae_class ? GM_EXACT : GM_APPROXIMATE; /* q(z|x), or inversion of G */
    return u == GM_USE_DECODE ? GM_EXACT : GM_APPROXIMATE;
}
