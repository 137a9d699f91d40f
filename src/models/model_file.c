/* SPDX-License-Identifier: MIT */
/* model_file.c: a gm_model from a file, and as one.
 *
 * Reading goes as for a model in training (model_io.c): header, options, the whole model's graph against every tensor of the file, then memory, then data; but
 * only what the graph of the wanted uses names gets memory, the rest is passed over (it still counts for the digest). A checkpoint's plain names are what
 * inference sees, its train.* tensors are passed over too. A header alone reads no data, so that its digest is not compared, and may have layer words that
 * this context lacks: its tensors are then those of the file, of which it is not known what training changed. */
#include "models/model_io.h"
#include "nn/nn.h"

typedef struct reading {
    gmi_model_file file;
    const gmi_model_class *kind;
    int32_t uses;
    gmi_core *core;  /* the family's object without weights; NULL: a header whose layers are not known here */
    gm_graph *whole; /* its leaves are all that a model file has */
    gm_model *m;
    int32_t *part;   /* by entry: GMI_PART_x, or what kind of tensor it is */
} reading;

/* ---- what the file has ---- */

static gm_status whole_graph(reading *r)
{
    gm_context *c = r->file.ctx;
    gm_status s = r->kind->make(c, &r->file.x, r->file.options, &r->file.texts, &r->core);
    if (!s) s = gm_graph_create(c, &r->whole);
    if (!s) s = gmi_model_blame(c, r->kind->leaves(r->core, GM_USE_ALL, r->whole));
    if (!s) s = gmi_model_check(&r->file, r->whole);
    if (s != GM_E_UNKNOWN || r->uses) return s;
    gmi_forget(c); /* dealt with: a header can be shown without its layers */
    if (r->core) r->kind->release(r->core);
    gm_graph_destroy(r->whole);
    r->core = NULL;
    r->whole = NULL;
    return GM_OK;
}

static gm_status mark_leaves(reading *r, const gmi_leaves *l, int32_t kind)
{
    for (int32_t i = 0; i < l->n; i++) r->part[gmi_safetensors_find(&r->file.f, l->p[i].name) - r->file.f.entries] = kind;
    return GM_OK;
}

/* Every tensor of the file has a place. */
static gm_status places(reading *r)
{
    gmi_model_file *file = &r->file;
    gm_status s = GM_OK;
    for (int32_t i = 0; !s && i < file->f.n; i++) s = gmi_model_part(file, &file->f.entries[i], &r->part[i]);
    if (!s && r->whole) s = mark_leaves(r, &r->whole->params, GMI_TENSOR_PARAM);
    if (!s && r->whole) s = mark_leaves(r, &r->whole->states, GMI_TENSOR_STATE);
    for (int32_t i = 0; !s && i < file->f.n; i++) {
        const char *name = file->f.entries[i].name;
        if (r->part[i] != GMI_PART_WEIGHT || (file->checkpoint && !strncmp(name, "train.", 6))) continue;
        if (r->core) return gmi_fail(file->ctx, GM_E_MODEL, "the file's tensor %S has no place in the model", name);
        r->part[i] = GMI_TENSOR_UNKNOWN;
    }
    return s;
}

static gm_status tensors(reading *r)
{
    const gmi_safetensors *f = &r->file.f;
    gm_status s = gmi_model_tensors_room(r->m, f->n);
    for (int32_t kind = GMI_TENSOR_PARAM; kind <= GMI_TENSOR_UNKNOWN; kind++)
        for (int32_t i = 0; !s && i < f->n; i++) {
            const gmi_st_entry *e = &f->entries[f->by_name[i]];
            if (r->part[f->by_name[i]] == kind) s = gmi_model_add_tensor(r->m, e->name, e->rank, e->dims, kind);
        }
    if (!r->core) r->m->parameters = -1;
    return s;
}

/* ---- the model's own copies ---- */

static gm_status counters(reading *r)
{
    const gmi_model_file *file = &r->file;
    gm_model *m = r->m;
    const char *train = gmi_safetensors_text(&file->f, "genrep.train", NULL);
    if (r->core)
        m->latent_dim = r->kind->latent_dim(r->core);
    else if (gmi_fields_int(file->options, "latent_dim", &m->latent_dim) || m->latent_dim < 1)
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.options in the file: latent_dim is no positive number");
    if (train && (gmi_fields_int(train, "step", &m->steps) || m->steps < 0))
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.train in the file is inconsistent");
    if (file->calibration.dim && file->calibration.dim != m->latent_dim)
        return gmi_fail(file->ctx, GM_E_MODEL, "genrep.calibration in the file is for %i dimensions, the model has %i", file->calibration.dim, m->latent_dim);
    m->uses = r->uses;
    memcpy(m->sha256, file->f.digest, sizeof m->sha256);
    return GM_OK;
}

static gm_status calibration_room(reading *r)
{
    gm_context *c = r->file.ctx;
    gmi_calibration *k = &r->m->calibration;
    const int64_t d = r->file.calibration.dim;
    *k = r->file.calibration;
    if (!d) return GM_OK;
    k->mean = gmi_alloc_n(c, d, sizeof(double));
    k->precision = gmi_alloc_n(c, d, (uint64_t)d * sizeof(double));
    return k->mean && k->precision ? GM_OK : gmi_nomem(c);
}

/* The leaves of the uses, with memory. */
static gm_status weights_room(reading *r)
{
    gm_graph *g = NULL;
    gm_context *c = r->file.ctx;
    gm_status s = GM_OK;
    if (r->uses != GM_USE_ALL) {
        gm_graph_destroy(r->whole);
        r->whole = NULL;
        s = gm_graph_create(c, &g);
        if (!s) s = gmi_model_blame(c, r->kind->leaves(r->core, r->uses, g));
        if (!s) s = gmi_model_check(&r->file, g);
    }
    if (!s) s = gmi_params_layout(c, g ? g : r->whole, 0, &r->m->weights);
    gm_graph_destroy(g);
    return s == GM_E_NOMEM ? gmi_nomem(c) : s;
}

/* ---- data ---- */

static gm_status destination(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    const reading *r = user;
    gm_model *m = r->m;
    const int32_t part = r->part[e - r->file.f.entries];
    int is_state = 0;
    const gmi_slot *slot = part >= 0 ? gmi_params_find(m->weights, e->name, &is_state) : NULL;
    d->as = part >= 0 ? GMI_DTYPE_REAL : GM_F64;
    d->data = NULL;
    if (slot) d->data = (is_state ? m->weights->state : m->weights->value) + slot->offset;
    if (part == GMI_PART_SCALE) d->data = m->scaler.scale;
    if (part == GMI_PART_SHIFT) d->data = m->scaler.shift;
    if (part == GMI_PART_MEAN) d->data = m->calibration.mean;
    if (part == GMI_PART_PRECISION) d->data = m->calibration.precision;
    return GM_OK;
}

/* Finite numbers, and variances above zero. */
static gm_status check_calibration(gm_context *c, const gmi_calibration *k)
{
    int good = 1;
    for (int64_t i = 0; i < k->dim; i++) {
        good = good && gmi_f64_finite(k->mean[i]) && k->precision[i * k->dim + i] > 0;
        for (int64_t j = 0; good && j < k->dim; j++) good = gmi_f64_finite(k->precision[i * k->dim + j]);
    }
    return good ? GM_OK : gmi_fail(c, GM_E_MODEL, "the file's calibration.mean or calibration.precision is no mean and inverse covariance");
}

static gm_status data(reading *r)
{
    gm_context *c = r->file.ctx;
    gm_status s = gmi_safetensors_read(&r->file.f, &r->file.in, destination, r);
    if (!s) s = gmi_model_check_scaling(c, &r->m->scaler);
    return s ? s : check_calibration(c, &r->m->calibration);
}

static gm_status read_parts(reading *r)
{
    gmi_model_file *file = &r->file;
    gm_context *c = file->ctx;
    gm_status s = whole_graph(r);
    r->part = s ? NULL : gmi_alloc_n(c, (int64_t)file->f.n + 1, sizeof *r->part);
    if (!s && !r->part) s = gmi_nomem(c);
    if (!s) s = places(r);
    if (!s) s = gmi_model_new(c, r->kind, r->core ? &r->core->spec : &file->x, file->options, file->producer ? file->producer : "", &r->m);
    if (!s) s = counters(r);
    if (!s) s = tensors(r);
    if (!s && !r->uses) { /* its scaling and density are not read: a header is for people */
        r->m->calibration = file->calibration;
        return GM_OK;
    }
    if (!s) s = gmi_model_take_scaling(file, c, r->m->x.scaling, &r->m->scaler);
    if (!s) s = calibration_room(r);
    if (!s) s = weights_room(r);
    return s ? s : data(r);
}

static gm_status read_model(gm_context *c, const gm_reader *from, int32_t uses, const gm_model **out)
{
    reading r;
    memset(&r, 0, sizeof r);
    r.uses = uses;
    if (uses & ~GM_USE_ALL) return gmi_fail(c, GM_E_RANGE, "uses is %d; it is a mask of GM_USE_ENCODE, _DECODE and _SCORE, 0 to %d", uses, (int32_t)GM_USE_ALL);
    gm_status s = gmi_model_open(c, from, NULL, &r.file);
    if (!s && !(r.kind = gmi_model_class_find(r.file.family)))
        s = gmi_fail(c, GM_E_MODEL, "the file holds a model of the family %S, which this version does not know", r.file.family);
    if (!s) s = read_parts(&r);
    gmi_free(c, r.part);
    gm_graph_destroy(r.whole);
    if (r.core) r.kind->release(r.core);
    gmi_model_close(&r.file);
    if (s)
        gmi_model_release(r.m);
    else
        *out = r.m;
    return s;
}

gm_status gm_model_read(gm_context *c, const gm_reader *r, int32_t uses, const gm_model **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "model_read");
    return gmi_leave(c, r ? read_model(c, r, uses, out) : gmi_fail(c, GM_E_INVALID, "the reader is NULL"));
}

gm_status gm_model_load(gm_context *c, const char *path, int32_t uses, const gm_model **out)
{
    gm_reader r;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "model_load");
    gm_reader_init(&r, sizeof r);
    r.path = path;
    return gmi_leave(c, path ? read_model(c, &r, uses, out) : gmi_fail(c, GM_E_INVALID, "the path is NULL"));
}

/* ---- writing ---- */

static gm_status write_model(gm_context *c, const gm_model *m, gm_writer *w)
{
    gmi_model_head h;
    gmi_named_set s;
    if (!GM_TRAINING) return gmi_no_training(c);
    if (!gmi_model_whole(m))
        return gmi_fail(c, GM_E_UNSUPPORTED, "the model was loaded with uses %d, without all of its weights: load it with GM_USE_ALL to write it", m->uses);
    h.family = m->kind->name;
    h.options = m->options;
    h.producer = m->made_by;
    h.x = &m->x;
    h.scaler = &m->scaler;
    h.calibration = &m->calibration;
    gmi_named_init(&s, c);
    gm_status st = gmi_named_add_params(&s, m->weights);
    if (!st) st = gmi_model_write_parts(c, &h, NULL, &s, w);
    gmi_named_free(&s);
    return st;
}

gm_status gm_model_write(gm_context *c, const gm_model *m, gm_writer *w)
{
    if (!c || !m) return GM_E_INVALID;
    gmi_enter(c, "model_write");
    return gmi_leave(c, w ? write_model(c, m, w) : gmi_fail(c, GM_E_INVALID, "the writer is NULL"));
}
