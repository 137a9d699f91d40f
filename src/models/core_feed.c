/* SPDX-License-Identifier: MIT */
/* core_feed.c: a host's rows into a program, and arguments that all families check alike. */
#include "models/core.h"

gmi_real *gmi_core_direct(const gm_tensor *t, int64_t r0, int64_t rows, int64_t elems, int64_t n)
{
    if (t->dtype != GMI_DTYPE_REAL || rows != n || !gmi_tensor_dense(t)) return NULL;
    return (gmi_real *)t->data + r0 * elems;
}

gm_status gmi_core_feed_x(gmi_core *m, gmi_prog *p, const gm_tensor *x, int64_t r0, int64_t n, double lo, double hi)
{
    const int64_t e = m->elems, rows = p->key.rows;
    const int32_t at = gmi_prog_input(p, "x");
    if (at < 0) return GM_OK;
    const gmi_real *own = m->scaler.n ? NULL : gmi_core_direct(x, r0, rows, e, n);
    if (own) {
        gm_status bad = gmi_core_check_values(m, own, n, r0, lo, hi);
        p->in[at] = bad ? p->in_own[at] : own;
        return bad;
    }
    gmi_real *to = p->in_own[at];
    gm_status s = gmi_core_load_x(m, x, r0, n, lo, hi, to);
    if (rows > n) memset(to + n * e, 0, (size_t)((rows - n) * e) * sizeof *to);
    return s;
}

void gmi_core_feed_cond(gmi_core *m, gmi_prog *p, const gm_tensor *cond, int64_t r0, int64_t n)
{
    gmi_real *to = cond ? gmi_prog_in(p, "cond") : NULL;
    if (!to) return;
    memset(to, 0, (size_t)(p->key.rows * gmi_core_cond_elems(m)) * sizeof *to);
    gmi_core_load_cond(m, cond, r0, n, to);
}

gm_status gmi_core_fits(const gmi_core *m, int conditional, gm_dataset *d)
{
    const gm_spec *a = &m->spec, *b = gm_dataset_spec(d);
    gm_context *c = m->ctx;
    int same = a->rank == b->rank && !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]);
    if (!same) return gmi_fail(c, GM_E_SHAPE, "the dataset's samples are %v, the model's %v", b->rank, b->dims, a->rank, a->dims);
    if (a->dtype != b->dtype)
        return gmi_fail(c, GM_E_DTYPE, "the dataset holds %s, the model was made for %s", gm_dtype_name(b->dtype), gm_dtype_name(a->dtype));
    if (conditional && (b->classes > a->classes || b->cond_dim != a->cond_dim || !b->classes != !a->classes))
        return gmi_fail(c, GM_E_SHAPE, "the dataset has %i classes and cond_dim %i, the model %i and %i",
                        b->classes, b->cond_dim, a->classes, a->cond_dim);
    return GM_OK;
}

gm_status gmi_core_check_z(const gmi_core *m, const gm_tensor *z, const char *name, int64_t d, int64_t *n)
{
    if (!z) return gmi_fail(m->ctx, GM_E_INVALID, "%s is NULL", name);
    if (z->rank != 2) {
        char have[96];
        gmi_tensor_describe(z, have, sizeof have);
        return gmi_fail(m->ctx, GM_E_SHAPE, "%s is %s; it must be [n,%i]", name, have, d);
    }
    *n = z->dims[0];
    gm_status s = gmi_core_check_rows(m, z, name, *n, d, 0);
    if (s) return s;
    if (*n < 1) return gmi_fail(m->ctx, GM_E_SHAPE, "%s has no rows; give at least 1", name);
    int64_t bad = gmi_tensor_nonfinite_row(z, 0, *n);
    return bad < 0 ? GM_OK : gmi_fail_at(m->ctx, GM_E_NONFINITE, bad, "%s row %i is not finite", name, bad);
}

gm_status gmi_core_sample_options(const gmi_core *m, const gm_sample_options *given, gm_sample_options *o)
{
    gm_context *c = m->ctx;
    gm_sample_options_init(o, sizeof *o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(c, GM_E_INVALID, "gm_sample_options.size is wrong, or a field beyond this version is set: call gm_sample_options_init");
    if (!(o->truncation >= 0) || !gmi_f64_finite(o->truncation))
        return gmi_fail(c, GM_E_RANGE, "truncation is %g; it scales z and must be 0 or positive", o->truncation);
    if (o->first < 0) return gmi_fail(c, GM_E_RANGE, "first is %i; it is the number of the first sample, 0 or positive", o->first);
    if (o->draw == GM_DRAW_MEAN || o->draw == GM_DRAW_SAMPLE) return GM_OK;
    return gmi_fail(c, GM_E_INVALID, "draw is %d; give GM_DRAW_MEAN or GM_DRAW_SAMPLE", o->draw);
}

gm_status gmi_core_of_option(gm_context *c, gm_status s, const char *name)
{
    const size_t call = strlen(c->fail_call ? c->fail_call : ""), n = strlen(name), at = call ? call + 2 : 0, len = strlen(c->message);
    if (s != GM_E_INVALID && s != GM_E_UNKNOWN) return s;
    if (c->held || strncmp(c->message + GMI_MIN(at, len), "column ", 7) || len + n + 3 > sizeof c->message) return s;
    memmove(c->message + at + n + 2, c->message + at, len - at + 1);
    memcpy(c->message + at, name, n);
    memcpy(c->message + at + n, ", ", 2);
    return s;
}
