/* SPDX-License-Identifier: MIT */
/* model_io.c: model files and checkpoints of any family. See model_io.h for what is in them.
 *
 * A file is read in an order that takes no memory on the word of a number: header, metadata, the graph that the options describe (symbolic), the comparison of
 * its parameters with the tensors that are there (whose sizes the format has checked against the file's), and only then arenas and data. */
#include "models/model_io.h"
#include "nn/nn.h"
#include "base/build_info.h"
#include "format/bytes.h"
#include "train/optim.h"

/* ---- metadata ---- */

#define SPEC_FIELDS 10

static void spec_fields(gm_spec *x, int64_t *rank, double *scale, double *shift, gmi_field f[SPEC_FIELDS])
{
    const gmi_field table[SPEC_FIELDS] = {{"dtype", GMI_FIELD_NAME, &x->dtype, 0, NULL, gm_dtype_name},
                                          {"scaling", GMI_FIELD_NAME, &x->scaling, 0, NULL, gm_scaling_name},
                                          {"lo", GMI_FIELD_REAL, &x->lo, 0, NULL, NULL},
                                          {"hi", GMI_FIELD_REAL, &x->hi, 0, NULL, NULL},
                                          {"dims", GMI_FIELD_INTS, x->dims, 6, rank, NULL},
                                          {"classes", GMI_FIELD_INT, &x->classes, 0, NULL, NULL},
                                          {"cond_dim", GMI_FIELD_INT, &x->cond_dim, 0, NULL, NULL},
                                          {"columns", GMI_FIELD_TEXT, &x->columns, 0, NULL, NULL},
                                          {"scale", GMI_FIELD_REAL, scale, 0, NULL, NULL},
                                          {"shift", GMI_FIELD_REAL, shift, 0, NULL, NULL}};
    memcpy(f, table, sizeof table);
}

#define TRAIN_FIELDS 15

static void train_fields(gmi_core *m, int64_t *n_kl, int64_t *shadow, gmi_field f[TRAIN_FIELDS])
{
    gmi_fit_state *s = &m->fit;
    const gmi_field table[TRAIN_FIELDS] = {{"step", GMI_FIELD_INT, &s->step, 0, NULL, NULL},
                                           {"examples", GMI_FIELD_INT, &s->examples, 0, NULL, NULL},
                                           {"rejected", GMI_FIELD_INT, &s->rejected, 0, NULL, NULL},
                                           {"rows", GMI_FIELD_INT, &s->rows, 0, NULL, NULL},
                                           {"sums", GMI_FIELD_REALS, s->sums, GMI_FIT_COUNT, NULL, NULL},
                                           {"weights", GMI_FIELD_REALS, s->weights, GMI_FIT_COUNT, NULL, NULL},
                                           {"kl", GMI_FIELD_REALS, s->kl, s->n_kl, n_kl, NULL},
                                           {"bad", GMI_FIELD_INT, &s->bad, 0, NULL, NULL},
                                           {"best_epoch", GMI_FIELD_INT, &s->best_epoch, 0, NULL, NULL},
                                           {"best", GMI_FIELD_REAL, &s->best, 0, NULL, NULL},
                                           {"lowest", GMI_FIELD_REAL, &s->lowest, 0, NULL, NULL},
                                           {"collapse_told", GMI_FIELD_I32, &s->collapse_told, 0, NULL, NULL},
                                           {"diverged_told", GMI_FIELD_I32, &s->diverged_told, 0, NULL, NULL},
                                           {"scaler_fitted", GMI_FIELD_I32, &m->scaler_fitted, 0, NULL, NULL},
                                           {"shadow", GMI_FIELD_INT, shadow, 0, NULL, NULL}};
    memcpy(f, table, sizeof table);
}

#define CALIBRATION_FIELDS 7

static void calibration_fields(gmi_calibration *k, gmi_field f[CALIBRATION_FIELDS])
{
    const gmi_field table[CALIBRATION_FIELDS] = {{"score", GMI_FIELD_NAME, &k->score, 0, NULL, gm_score_name},
                                                 {"samples", GMI_FIELD_I32, &k->samples, 0, NULL, NULL},
                                                 {"seed", GMI_FIELD_SEED, &k->seed, 0, NULL, NULL},
                                                 {"alpha", GMI_FIELD_REAL, &k->alpha, 0, NULL, NULL},
                                                 {"threshold", GMI_FIELD_REAL, &k->threshold, 0, NULL, NULL},
                                                 {"rows", GMI_FIELD_INT, &k->rows, 0, NULL, NULL},
                                                 {"dim", GMI_FIELD_INT, &k->dim, 0, NULL, NULL}};
    memcpy(f, table, sizeof table);
}

/* ---- the tensors of a file ---- */

/* A second copy of all of w's arrays, at base: values, then states. */
static gm_status add_copy(gmi_named_set *s, const char *prefix, const gm_params *w, gmi_real *value, gmi_real *state)
{
    gm_status st = GM_OK;
    for (int32_t i = 0; !st && i < w->n_params; i++) st = gmi_named_add(s, prefix, &w->params[i], value + w->params[i].offset);
    for (int32_t i = 0; !st && i < w->n_states; i++) st = gmi_named_add(s, prefix, &w->states[i], state + w->states[i].offset);
    return st;
}

static gm_status add_training(gmi_core *m, gmi_named_set *s)
{
    const gm_params *w = m->weights;
    gm_status st = GM_OK;
    gmi_real *at = m->shadow;
    char prefix[32];
    if (m->average) st = add_copy(s, "train.weights.", m->average, w->value + m->average_at, w->state + m->average_state_at);
    if (!st && m->shadow_is != GMI_SHADOW_NONE) st = add_copy(s, "train.shadow.", w, at, at + w->param_elems);
    if (!st && m->shadow_is != GMI_SHADOW_NONE && m->average) {
        at += w->param_elems + w->state_elems;
        st = add_copy(s, "train.shadow_average.", w, at, at + w->param_elems);
    }
    for (int32_t i = 0; !st && i < GMI_CORE_OPTIMIZERS; i++) {
        gmi_format(prefix, sizeof prefix, "train.optimizer%d.", i);
        if (m->optimizer[i]) st = gmi_optimizer_named(m->optimizer[i], prefix, s);
    }
    return st;
}

/* What inference sees: the average's arrays, and the trained ones of what it does not cover. */
static gm_status add_shown(gmi_core *m, gmi_named_set *s)
{
    const gm_params *w = m->weights, *a = m->average;
    gm_status st = gmi_named_add_params(s, gmi_core_shown(m));
    for (int32_t i = 0; !st && a && i < w->n_params; i++)
        if (!gmi_params_find(a, w->params[i].name, NULL)) st = gmi_named_add(s, "", &w->params[i], w->value + w->params[i].offset);
    for (int32_t i = 0; !st && a && i < w->n_states; i++)
        if (!gmi_params_find(a, w->states[i].name, NULL)) st = gmi_named_add(s, "", &w->states[i], w->state + w->states[i].offset);
    return st;
}

static gm_status collect(gmi_core *m, int checkpoint, gmi_named_set *s)
{
    gm_status st;
    gmi_named_init(s, m->ctx);
    st = add_shown(m, s);
    return !st && GM_TRAINING && checkpoint ? add_training(m, s) : st;
}

/* ---- writing ---- */

#define TEXTS 12

typedef struct text_set { /* metadata with its own memory */
    gmi_st_text t[TEXTS];
    gmi_buf b[TEXTS];
    char key[TEXTS][32];
    int32_t n;
} text_set;

static gmi_buf *add_text(text_set *s, gm_context *c, const char *key)
{
    gmi_buf *b = &s->b[s->n];
    gmi_buf_init(b, c);
    gmi_format(s->key[s->n++], sizeof s->key[0], "%s", key);
    return b;
}

static gm_status training_metadata(gmi_core *m, text_set *s)
{
    gmi_field g[TRAIN_FIELDS];
    int64_t shadow = m->shadow_is, n_kl = m->fit.n_kl;
    char key[32];
    gm_status st = GM_OK;
    train_fields(m, &n_kl, &shadow, g);
    gmi_fields_write(add_text(s, m->ctx, "genrep.train"), g, TRAIN_FIELDS);
    for (int32_t i = 0; !st && i < GMI_CORE_OPTIMIZERS; i++) {
        gmi_format(key, sizeof key, "genrep.optimizer%d", i);
        if (m->optimizer[i]) st = gmi_optimizer_state_text(m->optimizer[i], add_text(s, m->ctx, key));
    }
    return st;
}

static void metadata(gm_context *c, const gmi_model_head *h, text_set *s)
{
    gmi_field f[SPEC_FIELDS], k[CALIBRATION_FIELDS];
    gm_spec x = *h->x;
    int64_t rank = x.rank;
    double one = h->scaler->n == 1 ? h->scaler->scale[0] : 1, shift = h->scaler->n == 1 ? h->scaler->shift[0] : 0;
    if (!x.columns) x.columns = "";
    spec_fields(&x, &rank, &one, &shift, f);
    gmi_buf_format(add_text(s, c, "genrep.format"), "%d", (int32_t)GMI_FILE_FORMAT);
    gmi_buf_text(add_text(s, c, "genrep.family"), h->family);
    gmi_buf_format(add_text(s, c, "genrep.profile"), "%d", (int32_t)GMI_NUMERIC_PROFILE);
    gmi_buf_text(add_text(s, c, "genrep.options"), h->options);
    gmi_fields_write(add_text(s, c, "genrep.spec"), f, SPEC_FIELDS);
    if (h->producer[0]) gmi_buf_text(add_text(s, c, "genrep.producer"), h->producer);
    if (!h->calibration || !h->calibration->set) return;
    gmi_calibration copy = *h->calibration;
    calibration_fields(&copy, k);
    gmi_fields_write(add_text(s, c, "genrep.calibration"), k, CALIBRATION_FIELDS);
}

static gmi_st_tensor tensor_of(const char *name, int32_t dtype, int32_t rank, const int64_t *dims, const void *data)
{
    gmi_st_tensor t;
    t.name = name;
    t.dtype = dtype;
    t.rank = rank;
    t.dims = dims;
    t.data = data;
    return t;
}

/* The arrays in double that stand beside the weights. */
static int64_t add_doubles(const gmi_model_head *h, const int64_t square[2], gmi_st_tensor *t)
{
    const gmi_scaler *s = h->scaler;
    const gmi_calibration *k = h->calibration;
    int64_t n = 0;
    if (s->n > 1) {
        t[n++] = tensor_of("scaling.scale", GMI_ST_F64, 1, &s->n, s->scale);
        t[n++] = tensor_of("scaling.shift", GMI_ST_F64, 1, &s->n, s->shift);
    }
    if (k && k->set && k->dim) {
        t[n++] = tensor_of("calibration.mean", GMI_ST_F64, 1, square, k->mean);
        t[n++] = tensor_of("calibration.precision", GMI_ST_F64, 2, square, k->precision);
    }
    return n;
}

static gm_status write_file(gm_context *c, const gmi_model_head *h, const gmi_named_set *s, text_set *meta, gm_writer *w)
{
    gmi_st_tensor *t = gmi_alloc_n(c, (int64_t)s->n + 4, sizeof *t);
    int64_t n = 0, square[2];
    gmi_out o;
    if (!t) return gmi_nomem(c);
    for (; n < s->n; n++)
        t[n] = tensor_of(s->p[n].name, gmi_st_dtype_of(GMI_DTYPE_REAL), s->p[n].slot->rank, s->p[n].slot->dims, s->p[n].p);
    square[0] = square[1] = h->calibration ? h->calibration->dim : 0;
    n += add_doubles(h, square, t + n);
    for (int32_t i = 0; i < meta->n; i++) {
        meta->t[i].key = meta->key[i];
        meta->t[i].value = gmi_buf_cstr(&meta->b[i]);
    }
    gm_status st = gmi_out_open(c, w, &o);
    if (!st) st = gmi_out_close(&o, gmi_safetensors_write(c, &o, n, t, meta->n, meta->t));
    gmi_free(c, t);
    return st;
}

gm_status gmi_model_write_parts(gm_context *c, const gmi_model_head *h, gmi_core *training, const gmi_named_set *s, gm_writer *w)
{
    text_set meta;
    if (!GM_TRAINING) return gmi_no_training(c);
    memset(&meta, 0, sizeof meta);
    metadata(c, h, &meta);
    gm_status st = training ? training_metadata(training, &meta) : GM_OK;
    for (int32_t i = 0; i < meta.n; i++)
        if (meta.b[i].failed) st = gmi_nomem(c);
    if (!st) st = write_file(c, h, s, &meta, w);
    for (int32_t i = 0; i < meta.n; i++) gmi_buf_free(&meta.b[i]);
    return st;
}

gm_status gmi_model_write(gmi_core *m, gm_writer *w, const char *options, int checkpoint)
{
    gmi_model_head h;
    gmi_named_set s;
    if (!GM_TRAINING) return gmi_no_training(m->ctx);
    memset(&h, 0, sizeof h);
    h.family = m->family;
    h.options = options;
    h.producer = gmi_library_name();
    h.x = &m->spec;
    h.scaler = &m->scaler;
    gm_status st = collect(m, checkpoint, &s);
    if (!st) st = gmi_model_write_parts(m->ctx, &h, checkpoint ? m : NULL, &s, w);
    gmi_named_free(&s);
    return st;
}

/* ---- reading ---- */

static gm_status want_text(gmi_model_file *file, const char *key, const char **out)
{
    *out = gmi_safetensors_text(&file->f, key, NULL);
    return *out ? GM_OK : gmi_fail(file->ctx, GM_E_MODEL, "the file has no metadata %s: it is not a model of this library", key);
}

static gm_status want_number(gmi_model_file *file, const char *key, int32_t mine)
{
    const char *text;
    gm_status s = want_text(file, key, &text);
    int64_t v = 0;
    size_t used = 0;
    if (s) return s;
    if (gmi_parse_i64(text, strlen(text), &v, &used) || text[used]) return gmi_fail(file->ctx, GM_E_MODEL, "metadata %s is %S, no number", key, text);
    return v == mine ? GM_OK : gmi_fail(file->ctx, GM_E_VERSION, "metadata %s is %i; this build reads %d", key, v, mine);
}

static gm_status read_spec(gmi_model_file *file)
{
    gmi_field f[SPEC_FIELDS];
    const char *text;
    int64_t rank = 0, n;
    gm_status s = want_text(file, "genrep.spec", &text);
    if (s) return s;
    gm_spec_init(&file->x, sizeof file->x);
    spec_fields(&file->x, &rank, &file->scale, &file->shift, f);
    s = gmi_fields_read(file->ctx, "genrep.spec", text, &file->texts, f, SPEC_FIELDS);
    if (s) return s;
    file->x.rank = (int32_t)rank;
    if (file->x.columns && !file->x.columns[0]) file->x.columns = NULL;
    if (gmi_count_i64(file->x.rank, file->x.dims, &n))
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.spec in the file: dims are %v", file->x.rank, file->x.dims);
    const gmi_st_entry *e = gmi_safetensors_find(&file->f, "scaling.scale");
    file->constants = e ? gmi_st_elements(e) : file->scale == 1 && file->shift == 0 ? 0 : 1;
    if (e && (file->constants != n || e->rank != 1))
        return gmi_fail(file->ctx, GM_E_MODEL, "the file's tensor scaling.scale is %v; a sample has %i elements", (int32_t)e->rank, e->dims, n);
    if (!e != !gmi_safetensors_find(&file->f, "scaling.shift"))
        return gmi_fail(file->ctx, GM_E_MODEL, "the file has no tensor %s", e ? "scaling.shift" : "scaling.scale");
    if (!gmi_f64_finite(file->scale) || !gmi_f64_finite(file->shift) || file->scale == 0)
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.spec in the file: scale %g, shift %g", file->scale, file->shift);
    return GM_OK;
}

static int score_fits(const char *family, gm_score s)
{
    if (!strcmp(family, "vae")) return s >= GM_SCORE_ELBO && s <= GM_SCORE_MAHALANOBIS;
    return s == GM_SCORE_RECONSTRUCTION || s == GM_SCORE_MAHALANOBIS || s == GM_SCORE_RESIDUAL;
}

/* The file has a tensor of [d], or [d, d], doubles. */
static gm_status want_doubles(const gmi_model_file *file, const char *name, int32_t rank, int64_t d)
{
    const gmi_st_entry *e = gmi_safetensors_find(&file->f, name);
    if (!e) return gmi_fail(file->ctx, GM_E_MODEL, "the file has no tensor %S", name);
    if (e->dtype != GMI_ST_F64 || e->rank != rank || e->dims[0] != d || e->dims[rank - 1] != d)
        return gmi_fail(file->ctx, GM_E_MODEL, "tensor %S is %v %s in the file, its calibration wants F64 of %i dimensions, %i in each", name,
                        (int32_t)e->rank, e->dims, gmi_st_dtype_name(e->dtype), (int64_t)rank, d);
    return GM_OK;
}

static gm_status read_calibration(gmi_model_file *file)
{
    gmi_calibration *k = &file->calibration;
    gmi_field f[CALIBRATION_FIELDS];
    const char *text = gmi_safetensors_text(&file->f, "genrep.calibration", NULL);
    if (!text) return GM_OK;
    calibration_fields(k, f);
    gm_status s = gmi_fields_read(file->ctx, "genrep.calibration", text, &file->texts, f, CALIBRATION_FIELDS);
    if (s) return s;
    if (!score_fits(file->family, k->score) || k->samples < 1 || !(k->alpha > 0 && k->alpha < 1) || !gmi_f64_finite(k->threshold) || k->rows < 1 || k->dim < 0)
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.calibration in the file: score %s, samples %d, alpha %g, threshold %g, rows %i, dim %i do not make one",
                        gm_score_name(k->score), k->samples, k->alpha, k->threshold, k->rows, k->dim);
    k->set = 1;
    if (k->dim) s = want_doubles(file, "calibration.mean", 1, k->dim);
    if (!s && k->dim) s = want_doubles(file, "calibration.precision", 2, k->dim);
    return s;
}

gm_status gmi_model_open(gm_context *c, const gm_reader *r, const char *family, gmi_model_file *file)
{
    memset(file, 0, sizeof *file);
    file->ctx = c;
    gmi_arena_init(&file->texts, c);
    gm_status s = gmi_in_open(c, r, &file->in);
    if (s) {
        file->ctx = NULL;
        return s;
    }
    s = gmi_safetensors_open(c, &file->in, &file->f);
    if (!s) s = want_number(file, "genrep.format", GMI_FILE_FORMAT);
    if (!s) s = want_text(file, "genrep.family", &file->family);
    if (!s && family && strcmp(file->family, family)) s = gmi_fail(c, GM_E_MODEL, "the file holds a model of the family %S, not %S", file->family, family);
    if (!s) s = want_number(file, "genrep.profile", GMI_NUMERIC_PROFILE);
    if (!s) s = want_text(file, "genrep.options", &file->options);
    if (!s) s = read_spec(file);
    if (!s) s = read_calibration(file);
    if (!s) file->producer = gmi_safetensors_text(&file->f, "genrep.producer", NULL);
    file->checkpoint = !s && gmi_safetensors_text(&file->f, "genrep.train", NULL) != NULL;
    return s;
}

gm_status gmi_model_blame(gm_context *c, gm_status s)
{
    if (s != GM_E_INVALID && s != GM_E_RANGE && s != GM_E_SHAPE && s != GM_E_DTYPE) return s;
    if (c->status == s) c->status = GM_E_MODEL;
    return GM_E_MODEL;
}

void gmi_model_close(gmi_model_file *file)
{
    if (!file->ctx) return;
    gmi_safetensors_close(&file->f);
    gmi_in_close(&file->in);
    gmi_arena_free(&file->texts);
    file->ctx = NULL;
}

static gm_status check_leaves(const gmi_model_file *file, const gm_graph *g, const gmi_leaves *l)
{
    for (int32_t i = 0; i < l->n; i++) {
        const gmi_st_entry *e = gmi_safetensors_find(&file->f, l->p[i].name);
        const gmi_gnode *n = &g->nodes[l->p[i].node - 1];
        if (!e) return gmi_fail(file->ctx, GM_E_MODEL, "the file has no tensor %S", l->p[i].name);
        if (e->rank != n->rank || (n->rank && memcmp(e->dims, n->dims, (size_t)n->rank * sizeof n->dims[0])))
            return gmi_fail(file->ctx, GM_E_MODEL, "tensor %S is %v in the file, its options want %v",
                            l->p[i].name, (int32_t)e->rank, e->dims, n->rank, n->dims);
    }
    return GM_OK;
}

gm_status gmi_model_check(const gmi_model_file *file, const gm_graph *g)
{
    gm_status s = check_leaves(file, g, &g->params);
    return s ? s : check_leaves(file, g, &g->states);
}

typedef struct filling {
    gmi_model_file *file;
    gmi_core *m;
    const gmi_named_set *set;
    int32_t *target; /* by entry: index in the set, or GMI_PART_x */
} filling;

static gm_status destination(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    const filling *f = user;
    int32_t t = f->target[e - f->file->f.entries];
    d->as = t >= 0 ? GMI_DTYPE_REAL : GM_F64;
    d->data = t >= 0 ? (void *)f->set->p[t].p : t == GMI_PART_SCALE ? (void *)f->m->scaler.scale : t == GMI_PART_SHIFT ? (void *)f->m->scaler.shift : NULL;
    return GM_OK;
}

gm_status gmi_model_part(const gmi_model_file *file, const gmi_st_entry *e, int32_t *part)
{
    static const char names[][22] = {"scaling.scale", "scaling.shift", "calibration.mean", "calibration.precision"};
    int32_t i = 0;
    *part = GMI_PART_WEIGHT;
    while (i < (int32_t)GMI_COUNT(names) && strcmp(e->name, names[i])) i++;
    if (i == (int32_t)GMI_COUNT(names)) return GM_OK;
    *part = GMI_PART_SCALE - i;
    if (*part <= GMI_PART_MEAN) /* its shape was compared when the file was opened */
        return file->calibration.dim ? GM_OK : gmi_fail(file->ctx, GM_E_MODEL, "the file's tensor %S has no place in the model", e->name);
    if (e->dtype != GMI_ST_F64 || e->rank != 1 || e->dims[0] != file->constants || file->constants < 2)
        return gmi_fail(file->ctx, GM_E_MODEL, "the file's tensor %S has the wrong shape or type", e->name);
    return GM_OK;
}

/* Every array of the set is in the file in its shape, and the file has nothing else. */
static gm_status match(filling *f)
{
    const gmi_safetensors *st = &f->file->f;
    gm_context *c = f->file->ctx;
    gm_status status = GM_OK;
    for (int32_t i = 0; !status && i < st->n; i++) status = gmi_model_part(f->file, &st->entries[i], &f->target[i]);
    if (status) return status;
    for (int32_t i = 0; i < f->set->n; i++) {
        const gmi_slot *s = f->set->p[i].slot;
        const gmi_st_entry *e = gmi_safetensors_find(st, f->set->p[i].name);
        if (!e) return gmi_fail(c, GM_E_MODEL, "the file has no tensor %S", f->set->p[i].name);
        if (e->rank != s->rank || (s->rank && memcmp(e->dims, s->dims, (size_t)s->rank * sizeof s->dims[0])))
            return gmi_fail(c, GM_E_MODEL, "tensor %S is %v in the file, its options want %v", e->name, (int32_t)e->rank, e->dims, s->rank, s->dims);
        f->target[e - st->entries] = i;
    }
    for (int32_t i = 0; i < st->n; i++) {
        if (!GM_TRAINING && !strncmp(st->entries[i].name, "train.", 6)) continue; /* a checkpoint: what inference sees is beside it */
        if (f->target[i] == GMI_PART_WEIGHT) return gmi_fail(c, GM_E_MODEL, "the file's tensor %S has no place in the model", st->entries[i].name);
    }
    return GM_OK;
}

gm_status gmi_model_take_scaling(const gmi_model_file *file, gm_context *c, gm_scaling kind, gmi_scaler *s)
{
    gmi_scaler_free(c, s);
    s->kind = kind;
    if (!file->constants) return GM_OK;
    s->scale = gmi_alloc_n(c, file->constants, sizeof(double));
    s->shift = gmi_alloc_n(c, file->constants, sizeof(double));
    if (!s->scale || !s->shift) return gmi_nomem(c);
    s->n = file->constants;
    s->scale[0] = file->scale;
    s->shift[0] = file->shift;
    return GM_OK;
}

gm_status gmi_model_check_scaling(gm_context *c, const gmi_scaler *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!gmi_f64_finite(s->scale[i]) || !gmi_f64_finite(s->shift[i]) || s->scale[i] == 0)
            return gmi_fail(c, GM_E_MODEL, "the file's scaling of element %i is %g and %g", i, s->scale[i], s->shift[i]);
    return GM_OK;
}

/* Counters, and memory for what else a checkpoint holds. */
static gm_status take_training(gmi_model_file *file, gmi_core *m)
{
    gmi_field g[TRAIN_FIELDS];
    const char *text;
    char key[32];
    int64_t n_kl = 0, shadow = 0;
    gm_status s = want_text(file, "genrep.train", &text);
    train_fields(m, &n_kl, &shadow, g);
    if (!s) s = gmi_fields_read(file->ctx, "genrep.train", text, &file->texts, g, TRAIN_FIELDS);
    if (s) return s;
    if (n_kl != m->fit.n_kl || m->fit.step < 0 || m->fit.rows < 0 || m->fit.examples < 0 || shadow < GMI_SHADOW_NONE || shadow > GMI_SHADOW_CURRENT)
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.train in the file is inconsistent");
    if (shadow != GMI_SHADOW_NONE) s = gmi_core_keep_best(m);
    m->shadow_is = (gmi_shadow)shadow;
    for (int32_t i = 0; !s && i < GMI_CORE_OPTIMIZERS; i++) {
        gmi_format(key, sizeof key, "genrep.optimizer%d", i);
        if (!m->optimizer[i]) continue;
        s = want_text(file, key, &text);
        if (!s) s = gmi_optimizer_state_check(m->optimizer[i], text);
    }
    return s;
}

gm_status gmi_model_load(gmi_model_file *file, gmi_core *m)
{
    filling f;
    gmi_named_set set;
    gm_status s = gmi_model_take_scaling(file, m->ctx, m->spec.scaling, &m->scaler);
    if (!s && GM_TRAINING && file->checkpoint) s = take_training(file, m);
    if (s) return s;
    s = collect(m, file->checkpoint, &set);
    f.file = file;
    f.m = m;
    f.set = &set;
    f.target = gmi_alloc_n(m->ctx, (int64_t)file->f.n + 1, sizeof *f.target);
    if (!s && !f.target) s = gmi_nomem(m->ctx);
    if (!s) s = match(&f);
    if (!s) s = gmi_safetensors_read(&file->f, &file->in, destination, &f);
    gmi_free(m->ctx, f.target);
    gmi_named_free(&set);
    if (!s) s = gmi_model_check_scaling(m->ctx, &m->scaler);
    if (s) return s;
    for (int32_t i = 0; GM_TRAINING && file->checkpoint && i < GMI_CORE_OPTIMIZERS; i++)
        if (m->optimizer[i]) gmi_optimizer_state_adopt(m->optimizer[i]);
    gmi_params_changed(m->weights);
    if (m->average) gmi_params_changed(m->average);
    return GM_OK;
}
