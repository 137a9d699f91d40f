/* SPDX-License-Identifier: MIT */
/* data_rows.c: rows of a dataset by their numbers, as model values or as the data has them.
 *
 * u8, i16 and f32 become model values by one product and one sum of the compute type; wider types go through double, so that a time stamp of 1.7e9 keeps
 * its digits until its mean is gone. A row with a NaN or an infinity is refused with its number in the data that the host knows, whatever split or order
 * it came through. Fetching from a tensor allocates nothing; rows of a callback pass through a staging buffer that grows once. */
#include "train/dataset.h"
#include "format/bytes.h"
#include "tensor/convert.h"

#define BLOCK 64 /* rows handled at once where memory is on the stack */
#define LANES 16

/* ---- rows ---- */

void gmi_rows_init(gmi_rows *r)
{
    const gm_tensor *t = &r->t;
    r->elems = 1;
    r->run = 1;
    r->step = (int64_t)gmi_dtype_size(t->dtype);
    for (int32_t i = 1; i < t->rank; i++) r->elems *= t->dims[i];
    for (r->axis = t->rank; r->axis > 1; r->axis--) {
        int64_t n = t->dims[r->axis - 1], stride = t->strides[r->axis - 1];
        if (n == 1) continue;
        if (r->run == 1) r->step = stride;
        else if (stride != r->step * r->run) break;
        r->run *= n;
    }
}

/* Where run k of a row begins. */
const char *gmi_rows_run(const gmi_rows *r, int64_t row, int64_t k)
{
    const char *p = (const char *)r->t.data + row * r->t.strides[0];
    for (int32_t i = r->axis - 1; i >= 1; i--) {
        p += k % r->t.dims[i] * r->t.strides[i];
        k /= r->t.dims[i];
    }
    return p;
}

void gmi_rows_double(const gmi_rows *r, int64_t row, double *out)
{
    for (int64_t k = 0, done = 0; done < r->elems; k++, done += r->run)
        gmi_convert_row(r->run, GM_F64, (char *)(out + done), sizeof *out, r->t.dtype, gmi_rows_run(r, row, k), r->step);
}

static int wide(gm_dtype t) { return t == GM_F64 || t == GM_I32 || t == GM_I64; }

/* One run in double, 128 elements at a time; step 0 of the constants when one pair serves all. */
static void wide_run(const gmi_rows *r, const char *p, const double *scale, const double *shift, int64_t step, gmi_real *out)
{
    double v[128];
    for (int64_t i = 0; i < r->run; i += GMI_COUNT(v)) {
        int64_t m = GMI_MIN(r->run - i, GMI_COUNT(v));
        gmi_convert_row(m, GM_F64, (char *)v, sizeof *v, r->t.dtype, p + i * r->step, r->step);
        for (int64_t j = 0; j < m; j++) {
            double product = v[j] * scale[(i + j) * step];
            out[i + j] = (gmi_real)(product + shift[(i + j) * step]);
        }
    }
}

/* x - x is 0 for what is finite, else NaN. Blocks of a fixed length let compilers use vectors at -O2. */
static int all_finite(int64_t n, const gmi_real *x)
{
    gmi_real sum[LANES] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) sum[j] += x[i + j] - x[i + j];
    for (; i < n; i++) rest += x[i] - x[i];
    for (int j = 0; j < LANES; j++) rest += sum[j];
    return rest == 0;
}

/* A dense run of f32. */
static void real_run(int64_t n, const char *p, gmi_real scale, gmi_real shift, gmi_real *out)
{
    float v[LANES];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        memcpy(v, p + i * (int64_t)sizeof *v, sizeof v);
        for (int j = 0; j < LANES; j++) out[i + j] = (gmi_real)v[j] * scale + shift;
    }
    if (i < n) gmi_row_to_real(n - i, GM_F32, p + i * (int64_t)sizeof *v, sizeof *v, scale, shift, out + i);
}

int gmi_rows_real(const gmi_rows *r, int64_t row, const gmi_scaler *s, gmi_from_u8_fn *from_u8, gmi_real *out)
{
    static const double one = 1, zero = 0;
    int single = !s || s->n <= 1, given = s && s->n > 0;
    int64_t size = (int64_t)gmi_dtype_size(r->t.dtype);
    for (int64_t k = 0, done = 0; done < r->elems; k++, done += r->run) {
        const double *scale = !given ? &one : single ? s->scale : s->scale + done, *shift = !given ? &zero : single ? s->shift : s->shift + done;
        const char *p = gmi_rows_run(r, row, k);
        gmi_real *to = out + done;
        if (wide(r->t.dtype)) {
            wide_run(r, p, scale, shift, !single, to);
        } else if (single && from_u8 && r->t.dtype == GM_U8 && r->step == size) {
            from_u8(r->run, to, (const uint8_t *)p, (gmi_real)scale[0], (gmi_real)shift[0]);
        } else if (single && r->t.dtype == GM_F32 && r->step == size) {
            real_run(r->run, p, (gmi_real)scale[0], (gmi_real)shift[0], to);
        } else if (single) {
            gmi_row_to_real(r->run, r->t.dtype, p, r->step, (gmi_real)scale[0], (gmi_real)shift[0], to);
        } else {
            gmi_row_to_real(r->run, r->t.dtype, p, r->step, 1, 0, to);
            for (int64_t i = 0; i < r->run; i++) {
                gmi_real product = to[i] * (gmi_real)scale[i];
                to[i] = product + (gmi_real)shift[i];
            }
        }
    }
    return r->t.dtype == GM_U8 || r->t.dtype == GM_I16 || all_finite(r->elems, out);
}

gm_status gmi_rows_refuse(gm_context *c, const gmi_rows *r, int64_t at, int64_t row)
{
    for (int64_t k = 0, done = 0; done < r->elems; k++, done += r->run) {
        const char *p = gmi_rows_run(r, at, k);
        for (int64_t i = 0; i < r->run; i++) {
            double v;
            gmi_convert_row(1, GM_F64, (char *)&v, sizeof v, r->t.dtype, p + i * r->step, r->step);
            if (gmi_f64_finite(v)) continue;
            return gmi_fail_at(c, GM_E_NONFINITE, row, "row %i is %g at element %i: remove or repair it", row, v, done + i);
        }
    }
    return gmi_fail_at(c, GM_E_NONFINITE, row, "row %i has a value too large for the compute type: scale the data", row);
}

gm_status gmi_labels_check(gm_context *c, const int32_t *labels, int64_t n, const gm_spec *spec, const gmi_batch *b)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = b ? gmi_batch_row(b, i) : i;
        if (labels[i] < 0) return gmi_fail_at(c, GM_E_RANGE, row, "the label of row %i is %d: labels count from 0", row, labels[i]);
        if (spec->classes && labels[i] >= spec->classes)
            return gmi_fail_at(c, GM_E_RANGE, row, "the label of row %i is %d, classes are 0 to %i", row, labels[i], spec->classes - 1);
    }
    return GM_OK;
}

gm_status gmi_conds_check(gm_context *c, const gmi_real *x, int64_t n, int64_t dim, const gmi_batch *b)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = b ? gmi_batch_row(b, i) : i;
        if (!all_finite(dim, x + i * dim)) return gmi_fail_at(c, GM_E_NONFINITE, row, "a condition of row %i is NaN or infinite", row);
    }
    return GM_OK;
}

/* ---- fetching ---- */

static gm_dataset *root_of(gm_dataset *d)
{
    while (d->parent) d = d->parent;
    return d;
}

static size_t cond_bytes(const gm_spec *s) { return s->classes ? sizeof(int32_t) : (size_t)s->cond_dim * sizeof(float); }

static gm_status grow(gm_context *c, void **p, int64_t n, uint64_t size)
{
    void *fresh = gmi_alloc_n(c, n, size);
    if (!fresh) return gmi_alloc_status(c);
    gmi_free(c, *p);
    *p = fresh;
    return GM_OK;
}

gm_status gmi_dataset_reserve(gm_dataset *d, int64_t n)
{
    gm_dataset *r = root_of(d);
    void *index = r->index;
    gm_status s = GM_OK;
    if (r->keep || n <= r->staged) return GM_OK;
    s = grow(r->ctx, &r->raw, n, (uint64_t)r->elems * gmi_dtype_size(r->spec.dtype));
    if (!s && cond_bytes(&r->spec)) s = grow(r->ctx, &r->raw_cond, n, cond_bytes(&r->spec));
    if (!s) {
        s = grow(r->ctx, &index, n, sizeof *r->index);
        r->index = index;
    }
    r->staged = s ? 0 : n;
    return s;
}

int64_t gmi_batch_row(const gmi_batch *b, int64_t i)
{
    const gm_dataset *d = b->d;
    int64_t row = b->index[i];
    for (; d->parent; d = d->parent) row = gmi_permute(d->offset + row, d->parent->count, d->key);
    return row;
}

int64_t gmi_batch_at(const gmi_batch *b, int64_t i) { return b->root->keep ? gmi_batch_row(b, i) : i; }

static gm_status call_source(gmi_batch *b, int64_t n, int want_cond)
{
    gm_dataset *r = b->root;
    gmi_callback_state state;
    gm_status s = gmi_dataset_reserve(r, n);
    int64_t dims[2];
    if (s) return s;
    for (int64_t i = 0; i < n; i++) r->index[i] = gmi_batch_row(b, i);
    r->busy = 1;
    state = gmi_callback_begin(r->ctx);
    s = r->source.fetch(r->source.user, n, r->index, r->raw, want_cond ? r->raw_cond : NULL);
    gmi_callback_end(r->ctx, state);
    r->busy = 0;
    s = gmi_callback_status(r->ctx, s, "gm_source.fetch");
    if (s) return s;
    dims[0] = n;
    dims[1] = r->elems;
    gmi_tensor_view(&b->rows.t, r->ctx, r->spec.dtype, 2, dims, r->raw);
    gmi_rows_init(&b->rows);
    return GM_OK;
}

gm_status gmi_batch_open(gm_dataset *d, int64_t n, const int64_t *index, int want_cond, gmi_batch *b)
{
    memset(b, 0, sizeof *b);
    b->d = d;
    b->root = root_of(d);
    b->index = index;
    if (b->root->busy) return gmi_fail(d->ctx, GM_E_BUSY, "the dataset is fetching rows: its callback may not ask for them");
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || (d->count >= 0 && index[i] >= d->count))
            return gmi_fail_at(d->ctx, GM_E_RANGE, index[i], "row %i is asked for, the dataset has %i", index[i], d->count);
    if (want_cond && !cond_bytes(&d->spec)) return gmi_fail(d->ctx, GM_E_INVALID, "the data has no labels or conditions");
    if (!b->root->keep) return call_source(b, n, want_cond);
    b->rows = b->root->rows;
    return GM_OK;
}

/* Conditions of a batch; those of a callback are checked here, the others were when the dataset was made. */
static gm_status fetch_cond(const gmi_batch *b, int64_t n, void *cond)
{
    const gm_dataset *r = b->root;
    int64_t dim = r->spec.cond_dim;
    int32_t *labels = cond;
    gmi_real *conds = cond;
    if (r->keep) {
        for (int64_t i = 0; i < n; i++) {
            int64_t row = gmi_batch_row(b, i);
            if (r->labels) labels[i] = r->labels[row];
            else memcpy(conds + i * dim, r->conds + row * dim, (size_t)dim * sizeof *conds);
        }
        return GM_OK;
    }
    if (r->spec.classes) {
        memcpy(labels, r->raw_cond, (size_t)n * sizeof *labels);
        return gmi_labels_check(r->ctx, labels, n, &r->spec, b);
    }
    for (int64_t i = 0; i < n * dim; i++) conds[i] = ((const float *)r->raw_cond)[i];
    return gmi_conds_check(r->ctx, conds, n, dim, b);
}

gm_status gmi_dataset_fetch(gm_dataset *d, int64_t n, const int64_t *index, const gmi_scaler *s, gmi_real *x, void *cond)
{
    gmi_batch b;
    gm_status status = gmi_batch_open(d, n, index, cond != NULL, &b);
    for (int64_t i = 0; !status && x && i < n; i++) {
        int64_t at = gmi_batch_at(&b, i);
        if (!gmi_rows_real(&b.rows, at, s, b.root->from_u8, x + i * d->elems)) status = gmi_rows_refuse(d->ctx, &b.rows, at, gmi_batch_row(&b, i));
    }
    if (!status && cond) status = fetch_cond(&b, n, cond);
    return status;
}

/* ---- mixed tables ---- */

gm_status gmi_dataset_cells(gm_dataset *d, int64_t n, const int64_t *index, const gmi_columns *k, double *cell, gmi_cells_fn fn, void *user, void *cond)
{
    gmi_batch b;
    gm_status s = gmi_batch_open(d, n, index, cond != NULL, &b);
    for (int64_t i = 0; !s && i < n; i++) {
        gmi_rows_double(&b.rows, gmi_batch_at(&b, i), cell);
        s = gmi_columns_check(d->ctx, k, cell, gmi_batch_row(&b, i));
        if (!s) s = fn(user, i, cell);
    }
    if (!s && cond) s = fetch_cond(&b, n, cond);
    return s;
}

gm_status gmi_tensor_cells(const gm_tensor *t, int64_t r0, int64_t r1, const gmi_columns *k, double *cell, gmi_cells_fn fn, void *user)
{
    gmi_rows r;
    gm_status s = GM_OK;
    r.t = *t;
    gmi_rows_init(&r);
    for (int64_t i = r0; !s && i < r1; i++) {
        gmi_rows_double(&r, i, cell);
        s = gmi_columns_check(t->ctx, k, cell, i);
        if (!s) s = fn(user, i - r0, cell);
    }
    return s;
}

void gmi_tensor_put_cells(gm_tensor *t, int64_t row, const double *cell)
{
    char *p = (char *)t->data + row * t->strides[0];
    gmi_convert_row(t->dims[1], t->dtype, p, t->strides[1], GM_F64, (const char *)cell, sizeof *cell);
}

/* ---- rows for the host, as the data has them ---- */

static gm_status check_read(gm_dataset *d, int64_t first, const gm_tensor *x, const gm_tensor *cond)
{
    gm_context *c = d->ctx;
    int64_t n = x->rank ? x->dims[0] : 0, elems = 1;
    for (int32_t i = 1; i < x->rank; i++) elems *= x->dims[i];
    if (!x->rank || elems != d->elems)
        return gmi_fail(c, GM_E_SHAPE, "x is %v, a sample is %v: [n, sample] is needed", x->rank, x->dims, d->spec.rank, d->spec.dims);
    if (x->dtype != d->spec.dtype && x->dtype != GM_F32)
        return gmi_fail(c, GM_E_DTYPE, "x is %s: %s (the data's) or f32 is needed", gm_dtype_name(x->dtype), gm_dtype_name(d->spec.dtype));
    if (x->readonly || (cond && cond->readonly)) return gmi_fail(c, GM_E_READONLY, "%s is read-only memory", x->readonly ? "x" : "cond");
    if (first < 0 || (d->count >= 0 && (first > d->count || n > d->count - first)) || first > INT64_MAX - n)
        return gmi_fail_at(c, GM_E_RANGE, first, "%i rows from row %i on are asked for, the dataset has %i", n, first, d->count);
    if (!cond) return GM_OK;
    if (!cond_bytes(&d->spec)) return gmi_fail(c, GM_E_INVALID, "cond is given, the data has no labels or conditions");
    if (d->spec.classes && (cond->rank != 1 || cond->dims[0] != n || cond->dtype != GM_I32))
        return gmi_fail(c, GM_E_SHAPE, "cond is %v %s: labels are [%i] i32", cond->rank, cond->dims, gm_dtype_name(cond->dtype), n);
    if (d->spec.cond_dim && (cond->rank != 2 || cond->dims[0] != n || cond->dims[1] != d->spec.cond_dim || cond->dtype != GM_F32))
        return gmi_fail(c, GM_E_SHAPE, "cond is %v %s: conditions are [%i,%i] f32", cond->rank, cond->dims, gm_dtype_name(cond->dtype), n, d->spec.cond_dim);
    return GM_OK;
}

/* Row `at` of from to row `row` of to, in pieces that are a run of both. */
static void copy_row(const gmi_rows *to, int64_t row, const gmi_rows *from, int64_t at)
{
    union {
        const char *c;
        char *v;
    } p;
    int64_t done = 0;
    while (done < to->elems) {
        int64_t a = done % to->run, b = done % from->run, m = GMI_MIN(to->run - a, from->run - b);
        p.c = gmi_rows_run(to, row, done / to->run) + a * to->step;
        gmi_convert_row(m, to->t.dtype, p.v, to->step, from->t.dtype, gmi_rows_run(from, at, done / from->run) + b * from->step, from->step);
        done += m;
    }
}

static gm_status read_cond(const gmi_batch *b, int64_t n, int64_t row, gm_tensor *cond)
{
    union {
        int32_t labels[BLOCK];
        gmi_real conds[BLOCK];
    } own;
    gm_status s = GM_OK;
    int64_t dim = b->root->spec.cond_dim;
    gmi_real *wide_rows = own.conds;
    if (b->root->spec.classes) {
        s = fetch_cond(b, n, own.labels);
        if (!s) gmi_convert_row(n, GM_I32, (char *)cond->data + row * cond->strides[0], cond->strides[0], GM_I32, (const char *)own.labels, sizeof *own.labels);
        return s;
    }
    if (dim > 1) {
        wide_rows = gmi_alloc_n(b->root->ctx, n, (uint64_t)dim * sizeof *wide_rows);
        if (!wide_rows) return gmi_alloc_status(b->root->ctx);
    }
    s = fetch_cond(b, n, wide_rows);
    for (int64_t i = 0; !s && i < n; i++)
        gmi_convert_row(dim, GM_F32, (char *)cond->data + (row + i) * cond->strides[0], cond->strides[1], GMI_DTYPE_REAL,
                        (const char *)(wide_rows + i * dim), sizeof *wide_rows);
    if (wide_rows != own.conds) gmi_free(b->root->ctx, wide_rows);
    return s;
}

static gm_status read_rows(gm_dataset *d, int64_t first, gm_tensor *x, gm_tensor *cond)
{
    int64_t index[BLOCK], n = x->dims[0];
    gmi_rows to;
    gm_status s = GM_OK;
    to.t = *x;
    gmi_rows_init(&to);
    for (int64_t row = 0; !s && row < n; row += BLOCK) {
        int64_t m = GMI_MIN(n - row, BLOCK);
        gmi_batch b;
        for (int64_t i = 0; i < m; i++) index[i] = first + row + i;
        s = gmi_batch_open(d, m, index, cond != NULL, &b);
        for (int64_t i = 0; !s && i < m; i++) copy_row(&to, row + i, &b.rows, gmi_batch_at(&b, i));
        if (!s && cond) s = read_cond(&b, m, row, cond);
    }
    return s;
}

gm_status gm_dataset_read(gm_dataset *d, int64_t first, gm_tensor *x, gm_tensor *cond)
{
    gm_status s;
    if (!d || !x) return GM_E_INVALID;
    gmi_enter(d->ctx, "dataset_read");
    if (!GM_TRAINING) return gmi_leave(d->ctx, gmi_no_training(d->ctx));
    s = check_read(d, first, x, cond);
    if (!s) s = read_rows(d, first, x, cond);
    return gmi_leave(d->ctx, s);
}
