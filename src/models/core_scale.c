/* SPDX-License-Identifier: MIT */
/* core_scale.c: which scaling a model uses, and its constants: model value = data * scale + shift.
 *
 *   unit      [lo, hi] to [0, 1]          signed    [lo, hi] to [-1, 1]         none      as it is
 *   standard  mean 0, deviation 1
 *
 * AUTO is unit for u8 and for data with stated bounds, else standard. What needs data (standard; unit and signed without bounds) is fitted on the training
 * part when fit begins (train/data_scale.c), and is the identity until then. Constants are doubles, and part of the model's file. */
#include "models/core.h"
#include "nn/nn.h"

static gm_scaling resolve(const gm_spec *x)
{
    if (x->scaling != GM_SCALE_AUTO) return x->scaling;
    if (x->columns) return GM_SCALE_STANDARD; /* of its real columns */
    return x->dtype == GM_U8 || x->lo < x->hi ? GM_SCALE_UNIT : GM_SCALE_STANDARD;
}

/* One scale and shift for every element. */
static gm_status set_affine(gmi_core *m, double scale, double shift)
{
    gmi_scaler *s = &m->scaler;
    gmi_scaler_free(m->ctx, s);
    s->kind = m->spec.scaling;
    s->scale = gmi_alloc(m->ctx, sizeof(double));
    s->shift = gmi_alloc(m->ctx, sizeof(double));
    if (!s->scale || !s->shift) return gmi_nomem(m->ctx);
    s->n = 1;
    s->scale[0] = scale;
    s->shift[0] = shift;
    return GM_OK;
}

gm_status gmi_core_scaling(gmi_core *m)
{
    gm_spec *x = &m->spec;
    if (x->scaling < GM_SCALE_AUTO || x->scaling > GM_SCALE_STANDARD)
        return gmi_fail(m->ctx, GM_E_INVALID, "gm_spec.scaling is %d, which is no gm_scaling", x->scaling);
    x->scaling = resolve(x);
    m->scaler.kind = x->scaling;
    if (x->scaling == GM_SCALE_NONE || x->scaling == GM_SCALE_STANDARD) return GM_OK;
    if (!(x->lo < x->hi) && x->dtype == GM_U8) {
        x->lo = 0;
        x->hi = 255;
    }
    if (!gmi_f64_finite(x->lo) || !gmi_f64_finite(x->hi) || x->lo > x->hi)
        return gmi_fail(m->ctx, GM_E_INVALID, "gm_spec.lo and hi are %g and %g: give finite lo < hi, or leave both 0", x->lo, x->hi);
    if (!(x->lo < x->hi)) return GM_OK;
    double scale = (x->scaling == GM_SCALE_SIGNED ? 2.0 : 1.0) / (x->hi - x->lo);
    return set_affine(m, scale, x->scaling == GM_SCALE_SIGNED ? -1.0 - x->lo * scale : 0.0 - x->lo * scale);
}

gm_status gmi_core_offset(gmi_core *m, double lo) { return set_affine(m, 1.0, 0.0 - lo); }

/* Of the real columns of a mixed table. */
static gm_status fit_columns(gmi_core *m, gm_dataset *d, int64_t rows, gmi_scaler *fresh)
{
    gmi_arena a;
    gmi_columns k;
    gmi_arena_init(&a, m->ctx);
    gm_status s = gmi_columns_parse(&a, m->spec.columns, &k);
    if (!s) s = gmi_scaler_fit_columns(m->ctx, d, &k, rows, fresh);
    gmi_arena_free(&a);
    return s;
}

gm_status gmi_core_fit_scaling(gmi_core *m, gm_dataset *d)
{
    gmi_scaler fresh;
    const int64_t rows = gmi_dataset_count(d);
    const int fixed = m->spec.scaling == GM_SCALE_NONE || (m->spec.scaling != GM_SCALE_STANDARD && m->spec.lo < m->spec.hi);
    if (!GM_TRAINING || fixed || m->scaler_fitted || m->fit.step > 0) return GM_OK;
    memset(&fresh, 0, sizeof fresh);
    gm_status s = m->spec.columns ? fit_columns(m, d, rows < 0 ? 65536 : rows, &fresh)
                                  : gmi_scaler_fit(m->ctx, d, NULL, rows < 0 ? 65536 : rows, m->spec.scaling, &fresh);
    if (s) {
        gmi_scaler_free(m->ctx, &fresh);
        return s;
    }
    gmi_scaler_free(m->ctx, &m->scaler);
    m->scaler = fresh;
    m->scaler_fitted = 1;
    return GM_OK;
}
