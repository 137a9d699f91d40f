/* SPDX-License-Identifier: MIT */
/* data_scale.c: scaling: model value = data * scale + shift.
 *
 *   unit      [lo, hi] to [0, 1]        signed    [lo, hi] to [-1, 1]
 *   standard  mean 0, deviation 1 (of the population)      none      as it is
 *
 * Bounds that the spec does not state, means and deviations are fitted, in double, on the rows given, which are those of the training part. Samples of
 * one axis are table rows and have one scale a column; images and signals have one for all elements. A constant column is only shifted.
 * Mean and squares are updated row by row (B. P. Welford, Technometrics 1962; T. Chan et al. 1983 for whole rows): one pass, no cancellation, and an order
 * that depends on nothing but the order of rows. */
#include "train/dataset.h"
#include "format/bytes.h"
#include "nn/nn.h"
#include "tensor/convert.h"

#define BLOCK 64
#define LANES 16

void gmi_scaler_free(gm_context *c, gmi_scaler *s)
{
    gmi_free(c, s->scale);
    gmi_free(c, s->shift);
    memset(s, 0, sizeof *s);
}

static gm_status make(gm_context *c, gmi_scaler *s, int64_t n, gm_scaling kind)
{
    memset(s, 0, sizeof *s);
    s->kind = kind;
    if (!n) return GM_OK;
    s->scale = gmi_alloc_n(c, n, sizeof(double));
    s->shift = gmi_alloc_n(c, n, sizeof(double));
    if (!s->scale || !s->shift) {
        gmi_scaler_free(c, s);
        return gmi_alloc_status(c);
    }
    s->n = n;
    return GM_OK;
}

gm_status gmi_scaler_copy(gm_context *c, const gmi_scaler *from, gmi_scaler *to)
{
    gmi_scaler_free(c, to);
    gm_status s = make(c, to, from->n, from->kind);
    if (s || !from->n) return s;
    memcpy(to->scale, from->scale, (size_t)from->n * sizeof(double));
    memcpy(to->shift, from->shift, (size_t)from->n * sizeof(double));
    return GM_OK;
}

/* ---- statistics ---- */

typedef struct moments {
    int64_t n;      /* columns, or 1 for all elements together */
    double count;   /* rows, or elements */
    double *mean, *squares, *lo, *hi; /* [n] each, in one block */
} moments;

static gm_status moments_init(gm_context *c, moments *m, int64_t n)
{
    memset(m, 0, sizeof *m);
    m->n = n;
    m->mean = gmi_alloc_n(c, n, 4 * sizeof(double));
    if (!m->mean) return gmi_alloc_status(c);
    m->squares = m->mean + n;
    m->lo = m->mean + 2 * n;
    m->hi = m->mean + 3 * n;
    return GM_OK;
}

static void add_columns(moments *m, const double *x)
{
    double inverse = 1 / ++m->count;
    for (int64_t j = 0; j < m->n; j++) {
        double delta = x[j] - m->mean[j];
        m->mean[j] += delta * inverse;
        m->squares[j] += delta * (x[j] - m->mean[j]);
        m->lo[j] = m->count == 1 || x[j] < m->lo[j] ? x[j] : m->lo[j];
        m->hi[j] = m->count == 1 || x[j] > m->hi[j] ? x[j] : m->hi[j];
    }
}

/* A whole row joins: two passes over it, then the two groups are merged. */
static void add_row(moments *m, const double *x, int64_t n)
{
    double mean = 0, squares = 0, delta, total = m->count + (double)n;
    for (int64_t j = 0; j < n; j++) {
        mean += x[j];
        m->lo[0] = (m->count == 0 && j == 0) || x[j] < m->lo[0] ? x[j] : m->lo[0];
        m->hi[0] = (m->count == 0 && j == 0) || x[j] > m->hi[0] ? x[j] : m->hi[0];
    }
    mean /= (double)n;
    for (int64_t j = 0; j < n; j++) squares += (x[j] - mean) * (x[j] - mean);
    delta = mean - m->mean[0];
    m->mean[0] += delta * ((double)n / total);
    m->squares[0] += squares + delta * delta * (m->count * ((double)n / total));
    m->count = total;
}

static int finite_row(const double *x, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        if (!gmi_f64_finite(x[j])) return 0;
    return 1;
}

static gm_status scan(gm_dataset *d, const int64_t *index, int64_t rows, moments *m, double *row)
{
    int64_t own[BLOCK];
    for (int64_t r = 0; r < rows; r += BLOCK) {
        int64_t n = GMI_MIN(rows - r, BLOCK);
        const int64_t *at = index ? index + r : own;
        gmi_batch b;
        gm_status s;
        for (int64_t i = 0; i < n; i++) own[i] = r + i;
        if (gmi_cancelled(d->ctx)) return gmi_fail(d->ctx, GM_E_CANCELLED, "cancelled while the scaling was fitted");
        s = gmi_batch_open(d, n, at, 0, &b);
        if (s) return s;
        for (int64_t i = 0; i < n; i++) {
            int64_t k = gmi_batch_at(&b, i);
            gmi_rows_double(&b.rows, k, row);
            if (!finite_row(row, d->elems)) return gmi_rows_refuse(d->ctx, &b.rows, k, gmi_batch_row(&b, i));
            if (m->n == 1 && d->elems > 1) add_row(m, row, d->elems);
            else add_columns(m, row);
        }
    }
    return GM_OK;
}

/* Constants of one column from its bounds or moments. */
static void constants(gm_scaling kind, double lo, double hi, double mean, double deviation, double *scale, double *shift)
{
    double span = kind == GM_SCALE_STANDARD ? deviation : kind == GM_SCALE_SIGNED ? (hi - lo) / 2 : hi - lo;
    double zero = kind == GM_SCALE_STANDARD ? mean : kind == GM_SCALE_SIGNED ? lo + (hi - lo) / 2 : lo;
    *scale = span > 0 && gmi_f64_finite(1 / span) && gmi_f64_finite(span) ? 1 / span : 1;
    *shift = -(zero * *scale);
}

static gm_status fit_moments(gm_context *c, gm_dataset *d, const int64_t *index, int64_t rows, gmi_scaler *out)
{
    moments m;
    double *row = gmi_alloc_n(c, d->elems, sizeof *row);
    gm_status s = row ? moments_init(c, &m, d->spec.rank == 1 ? d->elems : 1) : gmi_alloc_status(c);
    if (s) {
        gmi_free(c, row);
        return s;
    }
    s = scan(d, index, rows, &m, row);
    if (!s) s = make(c, out, m.n, out->kind);
    for (int64_t j = 0; !s && j < m.n; j++) {
        double deviation = gmi_num_sqrt(m.squares[j] / m.count);
        /* What rounding leaves of a constant is no deviation. */
        if (deviation <= 1e-13 * (m.mean[j] < 0 ? -m.mean[j] : m.mean[j])) deviation = 0;
        constants(out->kind, m.lo[j], m.hi[j], m.mean[j], deviation, out->scale + j, out->shift + j);
    }
    gmi_free(c, m.mean);
    gmi_free(c, row);
    return s;
}

gm_status gmi_scaler_fit(gm_context *c, gm_dataset *d, const int64_t *index, int64_t rows, gm_scaling want, gmi_scaler *out)
{
    const gm_spec *x = &d->spec;
    int bounded = x->lo < x->hi;
    double lo = bounded ? x->lo : 0, hi = bounded ? x->hi : 255;
    gm_status s;
    memset(out, 0, sizeof *out);
    out->kind = want;
    if (want == GM_SCALE_AUTO) out->kind = x->dtype == GM_U8 || bounded ? GM_SCALE_UNIT : GM_SCALE_STANDARD;
    if (out->kind == GM_SCALE_NONE) return GM_OK;
    if (rows < 0 || (!index && d->count >= 0 && rows > d->count)) rows = d->count;
    if (rows < 1) return gmi_fail(c, GM_E_RANGE, "%i rows to fit the scaling on: at least 1 is needed", rows);
    if (out->kind == GM_SCALE_STANDARD || !(bounded || x->dtype == GM_U8)) return fit_moments(c, d, index, rows, out);
    s = make(c, out, 1, out->kind);
    if (!s) constants(out->kind, lo, hi, 0, 0, out->scale, out->shift);
    return s;
}

/* ---- mixed tables ---- */

typedef struct present { /* moments of the cells that are there */
    const gmi_columns *k;
    double *count, *mean, *squares;
} present;

static gm_status add_cells(void *user, int64_t i, const double *cell)
{
    present *m = user;
    (void)i;
    for (int64_t j = 0; j < m->k->n; j++) {
        if (m->k->p[j].kind != GMI_COLUMN_REAL || cell[j] != cell[j]) continue;
        double delta = cell[j] - m->mean[j];
        m->mean[j] += delta * (1 / ++m->count[j]);
        m->squares[j] += delta * (cell[j] - m->mean[j]);
    }
    return GM_OK;
}

static gm_status scan_cells(gm_dataset *d, int64_t rows, present *m, double *cell)
{
    int64_t at[BLOCK];
    gm_status s = GM_OK;
    for (int64_t r = 0; !s && r < rows; r += BLOCK) {
        int64_t n = GMI_MIN(rows - r, BLOCK);
        for (int64_t i = 0; i < n; i++) at[i] = r + i;
        if (gmi_cancelled(d->ctx)) return gmi_fail(d->ctx, GM_E_CANCELLED, "cancelled while the scaling was fitted");
        s = gmi_dataset_cells(d, n, at, m->k, cell, add_cells, m, NULL);
    }
    return s;
}

gm_status gmi_scaler_fit_columns(gm_context *c, gm_dataset *d, const gmi_columns *k, int64_t rows, gmi_scaler *out)
{
    present m;
    double *room = gmi_alloc_n(c, k->n, 4 * sizeof *room);
    gm_status s = room ? make(c, out, k->n, GM_SCALE_STANDARD) : gmi_alloc_status(c);
    m.k = k;
    m.count = room;
    m.mean = room + k->n;
    m.squares = room + 2 * k->n;
    if (!s) s = scan_cells(d, rows, &m, room + 3 * k->n);
    for (int64_t j = 0; !s && j < k->n; j++) {
        double deviation = m.count[j] > 0 ? gmi_num_sqrt(m.squares[j] / m.count[j]) : 0;
        if (deviation <= 1e-13 * (m.mean[j] < 0 ? -m.mean[j] : m.mean[j])) deviation = 0;
        constants(GM_SCALE_STANDARD, 0, 0, m.mean[j], deviation, out->scale + j, out->shift + j);
    }
    if (s) gmi_scaler_free(c, out);
    gmi_free(c, room);
    return s;
}

/* ---- to the model and back ---- */

gm_status gmi_scaler_apply(const gmi_scaler *s, const gm_tensor *t, int64_t r0, int64_t r1, gmi_real *out)
{
    gmi_kernels k;
    gmi_rows r;
    gmi_from_u8_fn *from_u8 = NULL;
    r.t = *t;
    gmi_rows_init(&r);
    if (s && s->n > 1 && s->n != r.elems)
        return gmi_fail(t->ctx, GM_E_SHAPE, "rows have %i elements, the scaling has %i columns", r.elems, s->n);
    if (t->dtype == GM_U8 && r1 - r0 > 4096 / GMI_MAX(r.elems, 1) && !gmi_kernels_fill(&k, t->ctx->simd, t->ctx->simd_have))
        from_u8 = k.from_u8; /* same bits; a few rows are not worth a table */
    for (int64_t i = r0; i < r1; i++, out += r.elems)
        if (!gmi_rows_real(&r, i, s, from_u8, out)) return gmi_rows_refuse(t->ctx, &r, i, i);
    return GM_OK;
}

/* Elements [0, n) of a row in units of the data: (in - shift) / scale, into [lo, hi] where the spec states them. */
static void undo_run(const gmi_scaler *s, const gm_spec *spec, const gmi_real *in, int64_t first, int64_t n, double *out)
{
    int bounded = spec && spec->lo < spec->hi;
    if (!s || s->n <= 1) {
        double scale = s && s->n ? s->scale[0] : 1, shift = s && s->n ? s->shift[0] : 0, inverse = 1 / scale;
        for (int64_t i = 0; i < n; i++) out[i] = ((double)in[i] - shift) * inverse;
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = ((double)in[i] - s->shift[first + i]) / s->scale[first + i];
    }
    if (!bounded) return;
    for (int64_t i = 0; i < n; i++) out[i] = out[i] < spec->lo ? spec->lo : out[i] > spec->hi ? spec->hi : out[i];
}

/* The two common cases, a dense row of f32 or u8 and one scale, in the compute type; blocks of a fixed length let compilers use vectors at -O2. */
static void undo_f32(gmi_real shift, gmi_real inverse, gmi_real lo, gmi_real hi, int64_t n, const gmi_real *in, char *to)
{
    float f[LANES];
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t m = GMI_MIN(n - i, LANES);
        gmi_real v[LANES] = {0};
        if (m == LANES) memcpy(v, in + i, sizeof v);
        else memcpy(v, in + i, (size_t)m * sizeof *v);
        for (int j = 0; j < LANES; j++) {
            gmi_real x = (v[j] - shift) * inverse;
            x = x < lo ? lo : x;
            f[j] = (float)(x > hi ? hi : x);
        }
        memcpy(to + i * (int64_t)sizeof *f, f, (size_t)m * sizeof *f);
    }
}

static void undo_u8(gmi_real shift, gmi_real inverse, gmi_real lo, gmi_real hi, int64_t n, const gmi_real *in, char *to)
{
    /* 2^23 or 2^52: the sum has no room for a fraction, and is rounded half to even. */
    const gmi_real big = sizeof(gmi_real) == 4 ? (gmi_real)8388608.0 : (gmi_real)4503599627370496.0;
    uint8_t b[LANES];
    lo = lo > 0 ? lo : 0;
    hi = hi < 255 ? hi : 255;
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t m = GMI_MIN(n - i, LANES);
        gmi_real v[LANES] = {0};
        if (m == LANES) memcpy(v, in + i, sizeof v);
        else memcpy(v, in + i, (size_t)m * sizeof *v);
        for (int j = 0; j < LANES; j++) {
            gmi_real x = (v[j] - shift) * inverse;
            x = x > lo ? x : lo; /* NaN becomes the lowest value */
            x = (x < hi ? x : hi) + big;
            b[j] = (uint8_t)(int32_t)(x - big);
        }
        memcpy(to + i, b, (size_t)m);
    }
}

/* 1 when row i was written. */
static int undo_fast(const gmi_scaler *s, const gm_spec *spec, const gmi_real *in, const gmi_rows *r, char *to)
{
    const gmi_real far = (gmi_real)gmi_bits_double(0x7ff0000000000000ull); /* infinity: no bound */
    int bounded = spec && spec->lo < spec->hi;
    double scale = s && s->n ? s->scale[0] : 1, shift = s && s->n ? s->shift[0] : 0;
    gmi_real lo = bounded ? (gmi_real)spec->lo : -far, hi = bounded ? (gmi_real)spec->hi : far;
    if ((s && s->n > 1) || r->run != r->elems || r->step != (int64_t)gmi_dtype_size(r->t.dtype)) return 0;
    if (r->t.dtype == GM_F32) undo_f32((gmi_real)shift, (gmi_real)(1 / scale), lo, hi, r->elems, in, to);
    else if (r->t.dtype == GM_U8 && lo <= 255 && hi >= 0) undo_u8((gmi_real)shift, (gmi_real)(1 / scale), lo, hi, r->elems, in, to);
    else return 0;
    return 1;
}

gm_status gmi_scaler_undo(const gmi_scaler *s, const gm_spec *spec, const gmi_real *in, gm_tensor *t, int64_t r0, int64_t r1)
{
    union {
        const char *c;
        char *v;
    } p;
    double v[256];
    gmi_rows r;
    r.t = *t;
    gmi_rows_init(&r);
    if (t->readonly) return gmi_fail(t->ctx, GM_E_READONLY, "the output is read-only memory");
    if (s && s->n > 1 && s->n != r.elems)
        return gmi_fail(t->ctx, GM_E_SHAPE, "rows have %i elements, the scaling has %i columns", r.elems, s->n);
    for (int64_t i = r0; i < r1; i++, in += r.elems) {
        p.c = gmi_rows_run(&r, i, 0);
        if (undo_fast(s, spec, in, &r, p.v)) continue;
        for (int64_t k = 0, done = 0; done < r.elems; k++, done += r.run) {
            p.c = gmi_rows_run(&r, i, k);
            for (int64_t j = 0; j < r.run; j += GMI_COUNT(v)) {
                int64_t n = GMI_MIN(r.run - j, GMI_COUNT(v));
                undo_run(s, spec, in + done + j, done + j, n, v);
                gmi_convert_row(n, t->dtype, p.v + j * r.step, r.step, GM_F64, (const char *)v, sizeof *v);
            }
        }
    }
    return GM_OK;
}
