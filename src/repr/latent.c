/* SPDX-License-Identifier: MIT */
/* latent.c: life of a gm_latent, and the calls that go through the networks: encode, decode, sample, reconstruct.
 *
 * A latent is an instance of the model's family in its own context (models/model.h) with memory that it keeps. Rows go through in chunks of a power of 4, the
 * batch of the options at most, and the first program of a size brings the smaller ones with it (train/step.h, "ladder"): a later call of fewer rows compiles
 * and allocates nothing. What differs between families is a table of functions: latent_vae.c, invert.c. */
#include "repr/latent.h"

static gm_status check_options(gm_context *c, const gm_latent_options *given, gm_latent_options *o)
{
    gm_latent_options_init(o, sizeof *o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(c, GM_E_INVALID, "gm_latent_options.size is wrong, or a field beyond this version is set: call gm_latent_options_init");
    if (o->batch < 1) return gmi_fail(c, GM_E_RANGE, "batch is %i; at least 1", o->batch);
    if (o->invert_steps < 1 || o->invert_steps > 1000000) return gmi_fail(c, GM_E_RANGE, "invert_steps is %d; 1 to 1000000", o->invert_steps);
    if (o->invert_starts < 1 || o->invert_starts > 65536) return gmi_fail(c, GM_E_RANGE, "invert_starts is %d; 1 to 65536", o->invert_starts);
    if (!(o->invert_rate > 0) || !gmi_f64_finite(o->invert_rate)) return gmi_fail(c, GM_E_RANGE, "invert_rate is %g; it must be positive", o->invert_rate);
    if (o->score_samples < 1 || o->score_samples > 65536) return gmi_fail(c, GM_E_RANGE, "score_samples is %d; 1 to 65536", o->score_samples);
    return GM_OK;
}

void gm_latent_options_init(gm_latent_options *o, size_t size)
{
    gm_latent_options d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.batch = 256;
    d.invert_steps = 400;
    d.invert_starts = 2;
    d.invert_rate = 0.1;
    d.score_samples = 8;
    gmi_options_init(o, size, &d, sizeof d);
}

void gm_calibrate_options_init(gm_calibrate_options *o, size_t size)
{
    gm_calibrate_options d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.score = -1;
    d.false_positive_rate = 0.05;
    d.score_samples = 8;
    gmi_options_init(o, size, &d, sizeof d);
}

static void release(gm_latent *l)
{
    gm_context *c = l->ctx;
    if (--l->refs) return;
    gmi_progs_free(&l->progs);
    if (l->core) l->model->kind->release(l->core);
    for (int32_t i = 0; i < GMI_LATENT_BLOCKS; i++) gmi_free(c, l->block[i]);
    gm_model_destroy(l->model);
    gmi_free(c, l);
    gmi_context_release(c);
}

/* The latent's own programs are noise and how it joins a code. */
static gm_status build(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out)
{
    const gm_latent *l = self;
    int64_t dims[2];
    dims[0] = key->rows;
    dims[1] = l->dim;
    *n_out = 1;
    gm_node z = gm_graph_input(g, "z", GM_F32, 2, dims);
    gm_node e = gm_op_mul(g, gm_op_random_normal(g, "augment.z", 2, dims, 1), gmi_graph_scalar_input(g, "radius"));
    if (key->kind == GMI_LATENT_NEAR) e = gm_op_mul(g, e, gm_op_exp(g, gm_op_scale(g, gm_graph_input(g, "logvar", GM_F32, 2, dims), 0.5)));
    out[0] = gm_op_add(g, z, e);
    return GM_OK;
}

static const gmi_latent_family *family_of(const gm_model *m)
{
    static const gmi_latent_family *const all[] = {&gmi_latent_vae, &gmi_latent_gan};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(all[i]->name, m->kind->name)) return all[i];
    return NULL;
}

static gm_status create(gm_context *c, const gm_model *m, const gm_latent_options *given, gm_latent **out)
{
    gm_latent_options o;
    const gmi_latent_family *family;
    gm_status s = check_options(c, given, &o);
    if (s) return s;
    if (!m) return gmi_fail(c, GM_E_INVALID, "the model is NULL");
    family = family_of(m);
    if (!family) return gmi_fail(c, GM_E_UNSUPPORTED, "a model of family %S cannot be used as a representation", m->kind->name);
    if (!m->weights) return gmi_fail(c, GM_E_UNSUPPORTED, "the model was loaded as a header alone: load it with GM_USE_ALL");
    if (m->calibration.set && m->calibration.dim && m->calibration.dim != m->latent_dim)
        return gmi_fail(c, GM_E_MODEL, "the model's calibration has a density of %i dimensions, z has %i", m->calibration.dim, m->latent_dim);
    gm_latent *l = gmi_alloc(c, sizeof *l);
    if (!l) return GM_E_NOMEM;
    l->ctx = c;
    gmi_context_retain(c);
    l->refs = 1;
    l->model = gm_model_retain(m);
    l->family = family;
    l->o = o;
    l->dim = m->latent_dim;
    l->rows = 1;
    while (l->rows * 4 <= GMI_MIN(o.batch, GMI_INFER_ROWS)) l->rows *= 4;
    gmi_progs_init(&l->progs, c, build, l);
    l->progs.ladder = 1;
    if (m->calibration.set && m->calibration.dim) {
        l->mean = m->calibration.mean;
        l->precision = m->calibration.precision;
    }
    s = gmi_model_instance(c, m, &l->core);
    if (s) {
        l->core = NULL;
        release(l);
        return s;
    }
    l->core->most = l->rows;
    l->core->progs.ladder = 1;
    *out = l;
    return GM_OK;
}

gm_status gm_latent_create(gm_context *c, const gm_model *m, const gm_latent_options *o, gm_latent **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "latent_create");
    return gmi_leave(c, create(c, m, o, out));
}

void gm_latent_destroy(gm_latent *l)
{
    if (l) release(l);
}

const gm_model *gm_latent_model(const gm_latent *l) { return l ? l->model : NULL; }

/* ---- calls ---- */

gm_status gmi_latent_begin(gm_latent *l, const char *call)
{
    gmi_enter(l->ctx, call);
    if (l->busy)
        return gmi_leave(l->ctx, gmi_fail(l->ctx, GM_E_BUSY, "this gm_latent is in the middle of %s: use another one inside a progress callback", l->call));
    l->busy = 1;
    l->refs++;
    l->call = call;
    return GM_OK;
}

gm_status gmi_latent_end(gm_latent *l, gm_status s)
{
    l->busy = 0;
    s = gmi_leave(l->ctx, s);
    release(l);
    return s;
}

gm_status gmi_latent_tick(gm_latent *l, const char *f, ...)
{
    gm_context *c = l->ctx;
    gm_record r;
    va_list a;
    if (l->o.progress) {
        va_start(a, f);
        gmi_vformat(l->message, sizeof l->message, f, a);
        va_end(a);
        gm_record_init(&r, sizeof r);
        r.kind = GM_RECORD_WORK;
        r.call = l->call;
        r.message = l->message;
        gmi_callback_state st = gmi_callback_begin(c);
        gm_action action = l->o.progress(l->o.user, &r);
        gmi_callback_end(c, st);
        if (action == GM_STOP || action == GM_CANCEL) return gmi_fail(c, GM_E_CANCELLED, "cancelled by the progress callback; %s", l->message);
        if (action != GM_CONTINUE) return gmi_fail(c, GM_E_CALLBACK, "the progress callback returned %d, which is no gm_action", action);
    }
    return gmi_cancelled(c) ? gmi_fail(c, GM_E_CANCELLED, "cancelled") : GM_OK;
}

void *gmi_latent_work(gm_latent *l, int32_t block, int64_t count, uint64_t size)
{
    uint64_t bytes;
    if (!l->block[block] || gmi_mul_u64((uint64_t)count, size, &bytes) || bytes > l->block_bytes[block]) {
        gmi_free(l->ctx, l->block[block]);
        l->block[block] = gmi_alloc_n(l->ctx, count, size);
        l->block_bytes[block] = l->block[block] ? (uint64_t)count * size : 0;
    }
    return l->block[block];
}

int64_t gmi_latent_chunk(const gm_latent *l, int64_t left)
{
    int64_t size = 1;
    while (size < left && size < l->rows) size *= 4;
    return size;
}

gm_status gmi_latent_prog(gm_latent *l, int32_t kind, int64_t rows, gmi_prog **p)
{
    gmi_prog_key key;
    key.kind = kind;
    key.draws = 0;
    key.rows = rows;
    return gmi_progs_get(&l->progs, key, NULL, p);
}

/* ---- arguments ---- */

gm_status gmi_latent_loaded(gm_latent *l, int32_t uses, const char *what)
{
    if (l->model->uses & uses) return GM_OK;
    return gmi_fail(l->ctx, GM_E_UNSUPPORTED, "the model was loaded without what %s needs: load it with GM_USE_ALL", what);
}

gm_status gmi_latent_check_vector(gm_latent *l, const gm_tensor *t, const char *name, gm_dtype type, int64_t n, int writable)
{
    char have[96];
    if (!t) return gmi_fail(l->ctx, GM_E_INVALID, "%s is NULL", name);
    gmi_tensor_describe(t, have, sizeof have);
    if (t->dtype != type) return gmi_fail(l->ctx, GM_E_DTYPE, "%s is %s; it must be %s", name, have, gm_dtype_name(type));
    if (t->rank != 1 || t->dims[0] != n) return gmi_fail(l->ctx, GM_E_SHAPE, "%s is %s; it must be [%i]", name, have, n);
    if (writable && t->readonly) return gmi_fail(l->ctx, GM_E_READONLY, "%s is read-only memory: give a tensor that may be written", name);
    return GM_OK;
}

gm_status gmi_latent_check_x(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, int64_t *n)
{
    gm_status s = gmi_core_check_x(l->core, x, "x", n);
    return s ? s : l->family->check_cond(l, cond, *n);
}

/* ---- encode ---- */

static void store_code(const gm_latent *l, int64_t r0, int64_t n, const gmi_latent_code *k, gm_tensor *z, gm_tensor *logvar, gm_tensor *residual,
                       gm_tensor *steps)
{
    gmi_tensor_from_real(z, r0, r0 + n, 1, 0, k->z);
    if (logvar) gmi_tensor_from_real(logvar, r0, r0 + n, 1, 0, k->logvar);
    for (int64_t i = 0; residual && i < n; i++) {
        gmi_real mean = (gmi_real)(k->residual[i] / (double)l->core->elems);
        gmi_tensor_from_real(residual, r0 + i, r0 + i + 1, 1, 0, &mean);
    }
    for (int64_t i = 0; steps && i < n; i++) memcpy((char *)steps->data + (r0 + i) * steps->strides[0], k->steps + i, sizeof *k->steps);
}

static gm_status check_encode(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, gm_tensor *z, gm_tensor *logvar, gm_tensor *residual, gm_tensor *steps,
                              int64_t *n)
{
    gm_status s = gmi_latent_loaded(l, GM_USE_ENCODE, "encoding");
    if (!s && residual) s = gmi_latent_loaded(l, GM_USE_DECODE | GM_USE_SCORE, "the residual");
    if (!s) s = gmi_latent_check_x(l, x, cond, n);
    if (!s) s = gmi_core_check_rows(l->core, z, "z", *n, l->dim, 1);
    if (!s && logvar && !l->family->has_logvar) s = gmi_fail(l->ctx, GM_E_UNSUPPORTED, "logvar must be NULL: inversion finds one z, not a distribution");
    if (!s && logvar) s = gmi_core_check_rows(l->core, logvar, "logvar", *n, l->dim, 1);
    if (!s && residual) s = gmi_core_check_rows(l->core, residual, "residual", *n, 0, 1);
    if (!s && steps) s = gmi_latent_check_vector(l, steps, "steps", GM_I32, *n, 1);
    return s;
}

static gm_status encode(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, gm_tensor *z, gm_tensor *logvar, gm_tensor *residual, gm_tensor *steps)
{
    gmi_core_rows from;
    gmi_latent_code k;
    int64_t count = 0, most;
    gm_status s = check_encode(l, x, cond, z, logvar, residual, steps, &count);
    if (s) return s;
    most = GMI_MIN(count, l->rows);
    memset(&from, 0, sizeof from);
    from.x = x;
    from.cond = cond;
    memset(&k, 0, sizeof k);
    k.z = gmi_latent_work(l, GMI_LATENT_CODE, most * l->dim, sizeof *k.z);
    if (!k.z) return GM_E_NOMEM;
    if (logvar && !(k.logvar = gmi_latent_work(l, GMI_LATENT_LOGVAR, most * l->dim, sizeof *k.logvar))) return GM_E_NOMEM;
    if (residual && !(k.residual = gmi_latent_work(l, GMI_LATENT_SUMS, most, sizeof *k.residual))) return GM_E_NOMEM;
    if (steps && !(k.steps = gmi_latent_work(l, GMI_LATENT_ROWS, most, sizeof *k.steps))) return GM_E_NOMEM;
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        n = GMI_MIN(l->rows, count - r0);
        s = l->family->encode(l, &from, r0, n, &k);
        if (!s) store_code(l, r0, n, &k, z, logvar, residual, steps);
        if (!s && gmi_cancelled(l->ctx)) s = gmi_fail(l->ctx, GM_E_CANCELLED, "cancelled after %i of %i rows", r0 + n, count);
    }
    return s;
}

gm_status gm_latent_encode(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, gm_tensor *z, gm_tensor *logvar, gm_tensor *residual, gm_tensor *steps)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_encode")) return GM_E_BUSY;
    return gmi_latent_end(l, encode(l, x, cond, z, logvar, residual, steps));
}

gm_status gmi_latent_codes(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, int64_t n, gmi_real *z, gmi_real *logvar)
{
    gmi_core_rows from;
    gmi_latent_code k;
    gm_status s = GM_OK;
    memset(&from, 0, sizeof from);
    from.x = x;
    from.cond = cond;
    memset(&k, 0, sizeof k);
    for (int64_t r0 = 0, rows = 0; !s && r0 < n; r0 += rows) {
        rows = GMI_MIN(l->rows, n - r0);
        k.z = z + r0 * l->dim;
        k.logvar = logvar ? logvar + r0 * l->dim : NULL;
        s = l->family->encode(l, &from, r0, rows, &k);
    }
    return s;
}

/* ---- decode, sample, reconstruct ---- */

static gm_status decode(gm_latent *l, const gm_tensor *z, const gm_tensor *cond, const gm_sample_options *given, gm_tensor *x)
{
    gm_sample_options o;
    gm_tensor scaled;
    int64_t n = 0;
    gm_status s = gmi_latent_loaded(l, GM_USE_DECODE, "decoding");
    if (!s) s = gmi_core_sample_options(l->core, given, &o);
    if (!s) s = gmi_core_check_z(l->core, z, "z", l->dim, &n);
    if (!s) s = l->family->check_cond(l, cond, n);
    if (!s) s = gmi_core_check_out(l->core, x, "x", n);
    if (s || o.truncation == 1.0) return s ? s : l->family->decode(l, z, cond, &o, x);
    gmi_real *to = gmi_latent_work(l, GMI_LATENT_CODE, n * l->dim, sizeof *to);
    if (!to) return GM_E_NOMEM;
    gmi_tensor_to_real(z, 0, n, (gmi_real)o.truncation, 0, to);
    gmi_tensor_view(&scaled, l->ctx, GMI_DTYPE_REAL, 2, z->dims, to);
    return l->family->decode(l, &scaled, cond, &o, x);
}

gm_status gm_latent_decode(gm_latent *l, const gm_tensor *z, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *x)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_decode")) return GM_E_BUSY;
    return gmi_latent_end(l, decode(l, z, cond, o, x));
}

static gm_status sample(gm_latent *l, const gm_sample_options *given, const gm_tensor *cond, gm_tensor *z, gm_tensor *x)
{
    gm_sample_options o;
    int64_t n = 0;
    gm_status s = gmi_latent_loaded(l, GM_USE_DECODE, "sampling");
    if (!s) s = gmi_core_sample_options(l->core, given, &o);
    if (!s) s = gmi_latent_check_x(l, x, cond, &n);
    if (!s) s = gmi_core_check_out(l->core, x, "x", n);
    if (!s && z) s = gmi_core_check_rows(l->core, z, "z", n, l->dim, 1);
    return s ? s : l->family->sample(l, cond, &o, z, x);
}

gm_status gm_latent_sample(gm_latent *l, const gm_sample_options *o, const gm_tensor *cond, gm_tensor *z, gm_tensor *x)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_sample")) return GM_E_BUSY;
    return gmi_latent_end(l, sample(l, o, cond, z, x));
}

static gm_status reconstruct(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, gm_tensor *out)
{
    gm_sample_options o;
    gm_tensor z;
    int64_t dims[2];
    gm_status s = gmi_latent_loaded(l, GM_USE_ENCODE, "encoding");
    if (!s) s = gmi_latent_loaded(l, GM_USE_DECODE, "decoding");
    if (!s) s = gmi_latent_check_x(l, x, cond, &dims[0]);
    if (!s) s = gmi_core_check_out(l->core, out, "out", dims[0]);
    if (s) return s;
    dims[1] = l->dim;
    gmi_real *code = gmi_latent_work(l, GMI_LATENT_CODE, dims[0] * dims[1], sizeof *code);
    if (!code) return GM_E_NOMEM;
    s = gmi_latent_codes(l, x, cond, dims[0], code, NULL);
    gmi_tensor_view(&z, l->ctx, GMI_DTYPE_REAL, 2, dims, code);
    gm_sample_options_init(&o, sizeof o);
    return s ? s : l->family->decode(l, &z, cond, &o, out);
}

gm_status gm_latent_reconstruct(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, gm_tensor *out)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_reconstruct")) return GM_E_BUSY;
    return gmi_latent_end(l, reconstruct(l, x, cond, out));
}
