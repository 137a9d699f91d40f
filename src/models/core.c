/* SPDX-License-Identifier: MIT */
/* core.c: what every model family is made of. See core.h.
 *
 * The shadow is one block: [values | states | average's values | average's states]. Keeping the best copies into it, showing the best exchanges it with the
 * live arrays, so that training can go on from the last step as if nothing had been shown. Pointers never move: programs are bound to them. */
#include "models/core.h"
#include "nn/nn.h"

gm_status gmi_core_init(gmi_core *m, gm_context *c, const char *family, const gm_spec *x, uint64_t seed, gmi_prog_build_fn build, void *self)
{
    memset(m, 0, sizeof *m);
    m->ctx = c;
    gmi_context_retain(c);
    m->family = family;
    m->refs = 1;
    m->seed = seed;
    m->most = GMI_INFER_ROWS;
    m->within = gmi_exec_within(c);
    gmi_progs_init(&m->progs, c, build, self);
    gmi_fit_state_init(&m->fit);
    gm_status s = gmi_spec_copy(c, x, &m->spec);
    if (s) return s;
    if (m->spec.rank < 1 || m->spec.rank > 6) return gmi_fail(c, GM_E_SHAPE, "gm_spec.rank is %d; the rank of one sample is 1 to 6", m->spec.rank);
    if (gmi_count_i64(m->spec.rank, m->spec.dims, &m->elems) || m->elems < 1)
        return gmi_fail(c, GM_E_SHAPE, "gm_spec.dims is %v; every dimension of a sample is at least 1", m->spec.rank, m->spec.dims);
    if (!gmi_dtype_size(m->spec.dtype)) return gmi_fail(c, GM_E_DTYPE, "gm_spec.dtype is %d, which is no element type", m->spec.dtype);
    if (m->spec.classes < 0 || m->spec.cond_dim < 0 || (m->spec.classes && m->spec.cond_dim))
        return gmi_fail(c, GM_E_INVALID, "gm_spec has classes %i and cond_dim %i; one of them may be positive", m->spec.classes, m->spec.cond_dim);
    return gmi_core_scaling(m);
}

void gmi_core_free(gmi_core *m)
{
    gm_context *c = m->ctx;
    if (!c) return;
    gmi_progs_free(&m->progs);
    for (int32_t i = 0; GM_TRAINING && i < GMI_CORE_OPTIMIZERS; i++) gm_optimizer_destroy(m->optimizer[i]);
    gmi_params_release(m->average);
    gmi_params_release(m->weights);
    gmi_free(c, m->shadow);
    gmi_free(c, m->sum_grad);
    gmi_scaler_free(c, &m->scaler);
    gmi_spec_free(c, &m->spec);
    m->ctx = NULL;
    gmi_context_release(c);
}

gm_status gmi_core_enter(gmi_core *m, int allowed_inside)
{
    if (m->busy && !allowed_inside)
        return gmi_fail(m->ctx, GM_E_BUSY, "the model is being trained by an outer call; inside a progress callback it can be used (encode, decode, "
                                           "generate, discriminate, sample, evaluate) and be written");
    return GM_OK;
}

gm_params *gmi_core_shown(const gmi_core *m) { return m->average ? m->average : m->weights; }

/* ---- arguments ---- */

static gm_status refuse_shape(const gmi_core *m, const gm_tensor *x, const char *name, gm_status s)
{
    char have[96], want[96];
    size_t at = 0;
    gmi_tensor_describe(x, have, sizeof have);
    for (int32_t i = 0; i < m->spec.rank && at < sizeof want; i++)
        at += gmi_format(want + at, sizeof want - at, ",%i", m->spec.dims[i]);
    return gmi_fail(m->ctx, s, "%s is %s, model wants [n%s] %s%s: %s", name, have, want, gm_dtype_name(m->spec.dtype),
                    m->spec.dtype == GM_F32 ? "" : " or f32", s == GM_E_DTYPE ? "convert, or set gm_spec.dtype" : "reshape, or set gm_spec.dims");
}

gm_status gmi_core_check_x(const gmi_core *m, const gm_tensor *x, const char *name, int64_t *n)
{
    if (!x) return gmi_fail(m->ctx, GM_E_INVALID, "%s is NULL", name);
    if (x->rank != m->spec.rank + 1) return refuse_shape(m, x, name, GM_E_SHAPE);
    for (int32_t i = 0; i < m->spec.rank; i++)
        if (x->dims[i + 1] != m->spec.dims[i]) return refuse_shape(m, x, name, GM_E_SHAPE);
    if (x->dtype != m->spec.dtype && x->dtype != GM_F32) return refuse_shape(m, x, name, GM_E_DTYPE);
    if (x->dims[0] < 1) return gmi_fail(m->ctx, GM_E_SHAPE, "%s has %i rows; give at least 1", name, x->dims[0]);
    *n = x->dims[0];
    return GM_OK;
}

gm_status gmi_core_check_out(const gmi_core *m, const gm_tensor *x, const char *name, int64_t n)
{
    int64_t rows = 0;
    gm_status s = gmi_core_check_x(m, x, name, &rows);
    if (s) return s;
    if (x->readonly) return gmi_fail(m->ctx, GM_E_READONLY, "%s is read-only memory: give a tensor that may be written", name);
    if (rows != n) return gmi_fail(m->ctx, GM_E_SHAPE, "%s has %i rows for an input of %i", name, rows, n);
    return GM_OK;
}

gm_status gmi_core_check_rows(const gmi_core *m, const gm_tensor *t, const char *name, int64_t n, int64_t d, int writable)
{
    char have[96];
    int32_t rank = d ? 2 : 1;
    if (!t) return gmi_fail(m->ctx, GM_E_INVALID, "%s is NULL", name);
    gmi_tensor_describe(t, have, sizeof have);
    if (t->dtype != GM_F32) return gmi_fail(m->ctx, GM_E_DTYPE, "%s is %s; it must be f32", name, have);
    if (t->rank != rank || t->dims[0] != n || (d && t->dims[1] != d))
        return d ? gmi_fail(m->ctx, GM_E_SHAPE, "%s is %s; it must be [%i,%i]", name, have, n, d)
                 : gmi_fail(m->ctx, GM_E_SHAPE, "%s is %s; it must be [%i]", name, have, n);
    if (writable && t->readonly) return gmi_fail(m->ctx, GM_E_READONLY, "%s is read-only memory: give a tensor that may be written", name);
    return GM_OK;
}

int64_t gmi_core_cond_elems(const gmi_core *m) { return m->spec.classes ? 1 : m->spec.cond_dim; }

static gm_status check_labels(const gmi_core *m, const gm_tensor *cond)
{
    const uint8_t *p = cond->data;
    for (int64_t i = 0; i < cond->dims[0]; i++) {
        int32_t v;
        memcpy(&v, p + i * cond->strides[0], sizeof v);
        if (v < 0 || v >= m->spec.classes)
            return gmi_fail_at(m->ctx, GM_E_RANGE, i, "cond row %i is %d; the model has classes 0 to %i", i, v, m->spec.classes - 1);
    }
    return GM_OK;
}

gm_status gmi_core_check_cond(const gmi_core *m, const gm_tensor *cond, int64_t n)
{
    char have[96];
    if (!cond)
        return m->spec.classes ? gmi_fail(m->ctx, GM_E_INVALID, "cond is NULL; the model is conditional: give i32 [n] labels of %i classes",
                                          m->spec.classes)
                               : gmi_fail(m->ctx, GM_E_INVALID, "cond is NULL; the model is conditional: give f32 [n,%i]", m->spec.cond_dim);
    gmi_tensor_describe(cond, have, sizeof have);
    if (!m->spec.classes) return gmi_core_check_rows(m, cond, "cond", n, m->spec.cond_dim, 0);
    if (cond->dtype != GM_I32) return gmi_fail(m->ctx, GM_E_DTYPE, "cond is %s; labels are i32 [%i]", have, n);
    if (cond->rank != 1 || cond->dims[0] != n) return gmi_fail(m->ctx, GM_E_SHAPE, "cond is %s; it must be [%i] for x of %i rows", have, n, n);
    return check_labels(m, cond);
}

gm_status gmi_core_check_values(const gmi_core *m, const gmi_real *x, int64_t n, int64_t first, double lo, double hi)
{
    const gmi_real a = (gmi_real)lo, b = (gmi_real)hi;
    const int bounded = lo <= hi;
    const gmi_real least = bounded ? GMI_MAX(a, -GMI_REAL_MAX) : -GMI_REAL_MAX, most = bounded ? GMI_MIN(b, GMI_REAL_MAX) : GMI_REAL_MAX;
    if (m->within && m->within(n * m->elems, x, least, most)) return GM_OK;
    for (int64_t r = 0; r < n; r++) {
        const gmi_real *row = x + r * m->elems;
        for (int64_t i = 0; i < m->elems; i++) {
            if (!(row[i] - row[i] == 0))
                return gmi_fail_at(m->ctx, GM_E_NONFINITE, first + r, "x row %i, element %i is not a finite number: remove or fill it", first + r, i);
            if (bounded && !(row[i] >= a && row[i] <= b))
                return gmi_fail_at(m->ctx, GM_E_RANGE, first + r, "x row %i, element %i is %g after scaling; the likelihood wants %g to %g: set gm_spec.lo and hi",
                                   first + r, i, (double)row[i], lo, hi);
        }
    }
    return GM_OK;
}

gm_status gmi_core_load_x(const gmi_core *m, const gm_tensor *x, int64_t r0, int64_t n, double lo, double hi, gmi_real *to)
{
    gm_status s = gmi_scaler_apply(&m->scaler, x, r0, r0 + n, to); /* refuses what is not finite */
    return s || lo > hi ? s : gmi_core_check_values(m, to, n, r0, lo, hi);
}

void gmi_core_load_cond(const gmi_core *m, const gm_tensor *cond, int64_t r0, int64_t n, void *to)
{
    const uint8_t *p = cond->data;
    if (!m->spec.classes) {
        gmi_tensor_to_real(cond, r0, r0 + n, 1, 0, to);
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy((int32_t *)to + i, p + (r0 + i) * cond->strides[0], sizeof(int32_t));
}

/* ---- inference in chunks ---- */

int64_t gmi_core_chunk(const gmi_core *m, int32_t kind, int32_t draws, int64_t left)
{
    gmi_prog_key key = {0, 0, 0};
    int64_t n = GMI_MIN(left, m->most), size = 1;
    if (m->reserved) {
        n = GMI_MIN(m->reserved, m->most);
        return left == 1 ? 1 : n;
    }
    key.kind = kind;
    key.draws = draws;
    key.rows = n;
    if (gmi_progs_find(&m->progs, key, gmi_core_shown(m))) return n;
    while (size < n) size *= 4;
    return size;
}

gm_status gmi_core_prog(gmi_core *m, int32_t kind, int32_t draws, int64_t rows, gmi_prog **p)
{
    gmi_prog_key key;
    key.kind = kind;
    key.draws = draws;
    key.rows = rows;
    return gmi_progs_get(&m->progs, key, m->bound(m, kind), p);
}

/* ---- training ---- */

gm_status gmi_core_train_ready(gmi_core *m, int accumulate)
{
    gm_params *w = m->weights;
    if (!w->grad && gmi_params_make_grad(w)) return gmi_nomem(m->ctx);
    if (!w->state_next && !(w->state_next = gmi_alloc_n(m->ctx, w->state_elems, sizeof(gmi_real)))) return gmi_nomem(m->ctx);
    if (accumulate && !m->sum_grad && !(m->sum_grad = gmi_alloc_n(m->ctx, w->param_elems, sizeof(gmi_real)))) return gmi_nomem(m->ctx);
    return GM_OK;
}

void gmi_core_grad_add(gmi_core *m, gmi_real weight, int first)
{
    gmi_real *to = m->sum_grad;
    const gmi_real *g = m->weights->grad;
    const int64_t n = m->weights->param_elems;
    if (first)
        for (int64_t i = 0; i < n; i++) to[i] = weight * g[i];
    else
        for (int64_t i = 0; i < n; i++) to[i] += weight * g[i];
}

void gmi_core_grad_take(gmi_core *m, gmi_real scale)
{
    gmi_real *g = m->weights->grad;
    gmi_params_forget_squares(m->weights, 0, m->weights->param_elems);
    for (int64_t i = 0; i < m->weights->param_elems; i++) g[i] = scale * m->sum_grad[i];
}

/* The live arrays that the shadow mirrors, in its order. */
static int32_t live_arrays(const gmi_core *m, gmi_real *p[4], int64_t n[4])
{
    int32_t k = 0;
    const gm_params *w[2];
    w[0] = m->weights;
    w[1] = m->average;
    for (int32_t i = 0; i < 2 && w[i]; i++) {
        p[k] = w[i]->value, n[k++] = w[i]->param_elems;
        p[k] = w[i]->state, n[k++] = w[i]->state_elems;
    }
    return k;
}

gm_status gmi_core_keep_best(gmi_core *m)
{
    gmi_real *p[4], *to;
    int64_t n[4], total = 0;
    int32_t k = live_arrays(m, p, n);
    for (int32_t i = 0; i < k; i++) total += n[i];
    if (m->shadow_elems < total) {
        to = gmi_realloc(m->ctx, m->shadow, (uint64_t)total * sizeof(gmi_real));
        if (!to) return gmi_nomem(m->ctx);
        m->shadow = to;
        m->shadow_elems = total;
    }
    to = m->shadow;
    for (int32_t i = 0; i < k; to += n[i++]) memcpy(to, p[i], (size_t)n[i] * sizeof(gmi_real));
    m->shadow_is = GMI_SHADOW_BEST;
    return GM_OK;
}

static void exchange(gmi_core *m)
{
    gmi_real *p[4], *s = m->shadow;
    int64_t n[4];
    int32_t k = live_arrays(m, p, n);
    for (int32_t i = 0; i < k; s += n[i++])
        for (int64_t j = 0; j < n[i]; j++) {
            gmi_real t = s[j];
            s[j] = p[i][j];
            p[i][j] = t;
        }
    gmi_params_changed(m->weights);
    if (m->average) gmi_params_changed(m->average);
}

void gmi_core_show_best(gmi_core *m, int final)
{
    if (m->shadow_is == GMI_SHADOW_BEST) {
        exchange(m);
        m->shadow_is = GMI_SHADOW_CURRENT;
    }
    if (final) m->shadow_is = GMI_SHADOW_NONE;
}

void gmi_core_show_current(gmi_core *m)
{
    if (m->shadow_is == GMI_SHADOW_CURRENT) {
        exchange(m);
        m->shadow_is = GMI_SHADOW_BEST;
    }
    if (m->shadow_is == GMI_SHADOW_NONE) { /* the best are gone: comparing starts anew */
        m->fit.best_epoch = -1;
        m->fit.bad = 0;
    }
}

void gmi_core_average_place(gmi_core *m)
{
    const gm_params *a = m->average;
    m->average_at = a && a->n_params ? gmi_params_find(m->weights, a->params[0].name, NULL)->offset : 0;
    m->average_state_at = a && a->n_states ? gmi_params_find(m->weights, a->states[0].name, NULL)->offset : 0;
}

void gmi_core_average_reset(gmi_core *m)
{
    gm_params *a = m->average;
    if (!a) return;
    gmi_core_average_place(m);
    memcpy(a->value, m->weights->value + m->average_at, (size_t)a->param_elems * sizeof(gmi_real));
    memcpy(a->state, m->weights->state + m->average_state_at, (size_t)a->state_elems * sizeof(gmi_real));
    gmi_params_changed(a);
}

void gmi_core_average_update(gmi_core *m, int64_t n)
{
    if (m->average) gmi_average_update(m->average, m->weights, m->average_at, m->average_state_at, m->ema_half_life, n);
}
