/* SPDX-License-Identifier: MIT */
/* data.c: datasets over tensors and callbacks, and their parts.
 *
 * A row is named by its number. Nothing is shuffled in memory: shuffled order and the parts of a split are keyed permutations (base/rng.c), functions
 * from number to number, so that a position in the data is two integers. A wrapped tensor is read where it is; labels and conditions are small, and are
 * copied and checked once. Rows are fetched in data_rows.c; the kinds of a mixed table's columns are columns.c. */
#include "train/dataset.h"
#include "format/bytes.h"
#include "tensor/convert.h"

const char *gm_scaling_name(gm_scaling s)
{
    static const char names[][9] = {"auto", "none", "unit", "signed", "standard"};
    return s >= 0 && s < (gm_scaling)GMI_COUNT(names) ? names[s] : "unknown";
}

/* ---- spec and source ---- */

void gm_spec_init(gm_spec *s, size_t size)
{
    gm_spec d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    if (s) gmi_options_init(s, size, &d, sizeof d);
}

void gm_source_init(gm_source *s, size_t size)
{
    gm_source d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.count = -1;
    if (s) gmi_options_init(s, size, &d, sizeof d);
}

static gm_status check_dims(gm_context *c, const gm_spec *s)
{
    int64_t n;
    if (s->rank < 0 || s->rank > 6) return gmi_fail(c, GM_E_SHAPE, "gm_spec.rank is %d: a sample has 1 to 6 axes", s->rank);
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dims[i] < 1) return gmi_fail(c, GM_E_SHAPE, "gm_spec.dims are %v: each must be at least 1", s->rank, s->dims);
    if (gmi_count_i64(s->rank, s->dims, &n) || n > INT64_MAX / 16) return gmi_fail(c, GM_E_SHAPE, "gm_spec.dims are %v: too many elements", s->rank, s->dims);
    return GM_OK;
}

gm_status gmi_spec_check(gm_context *c, gm_spec *s, int data)
{
    gm_status status = check_dims(c, s);
    if (status) return status;
    if (!s->rank && !data) return gmi_fail(c, GM_E_SHAPE, "gm_spec.rank is 0: set rank and dims of one sample");
    if (!s->dtype && !data) s->dtype = GM_F32;
    if (s->dtype && !gmi_dtype_size(s->dtype)) return gmi_fail(c, GM_E_DTYPE, "gm_spec.dtype is %d, which is no gm_dtype", s->dtype);
    if (s->scaling < GM_SCALE_AUTO || s->scaling > GM_SCALE_STANDARD)
        return gmi_fail(c, GM_E_INVALID, "gm_spec.scaling is %d, which is no gm_scaling", s->scaling);
    if (!gmi_f64_finite(s->lo) || !gmi_f64_finite(s->hi) || s->lo > s->hi || (s->lo == s->hi && s->lo != 0))
        return gmi_fail(c, GM_E_INVALID, "gm_spec.lo and hi are %g and %g: set finite lo < hi, or leave both 0", s->lo, s->hi);
    if (s->classes < 0 || s->classes > INT32_MAX) return gmi_fail(c, GM_E_INVALID, "gm_spec.classes is %i: 0 to 2147483647", s->classes);
    if (s->cond_dim < 0 || s->cond_dim > INT32_MAX) return gmi_fail(c, GM_E_INVALID, "gm_spec.cond_dim is %i: 0 to 2147483647", s->cond_dim);
    if (s->classes && s->cond_dim)
        return gmi_fail(c, GM_E_INVALID, "gm_spec has %i classes and %i conditions: only one kind of condition", s->classes, s->cond_dim);
    if (s->columns && !s->columns[0]) s->columns = NULL;
    return s->columns ? gmi_columns_check_spec(c, s, data) : GM_OK;
}

/* The caller's spec, of any size, over the defaults. */
static gm_status merge_spec(gm_context *c, const gm_spec *from, gm_spec *to)
{
    gm_spec_init(to, sizeof *to);
    if (from && gmi_options_merge(to, sizeof *to, from)) return gmi_fail(c, GM_E_INVALID, "gm_spec.size is %u: call gm_spec_init first", (uint64_t)from->size);
    to->size = sizeof *to;
    return GM_OK;
}

gm_status gmi_spec_copy(gm_context *c, const gm_spec *from, gm_spec *to)
{
    gm_status s = merge_spec(c, from, to);
    if (!s) s = gmi_spec_check(c, to, 0);
    if (!s && to->columns) {
        to->columns = gmi_strdup(c, to->columns);
        if (!to->columns) s = gmi_alloc_status(c);
    }
    if (s) gm_spec_init(to, sizeof *to);
    return s;
}

void gmi_spec_free(gm_context *c, gm_spec *s)
{
    union {
        const char *c;
        void *v;
    } text;
    text.c = s->columns;
    if (text.c) gmi_free(c, text.v);
    s->columns = NULL;
}

/* ---- making roots ---- */

static gm_dataset *new_dataset(gm_context *c)
{
    gm_dataset *d = gmi_alloc(c, sizeof *d);
    if (!d) return NULL;
    d->ctx = c;
    d->refs = 1;
    gm_spec_init(&d->spec, sizeof d->spec);
    gmi_context_retain(c);
    return d;
}

/* The spec's text, of which the dataset needs its own copy. */
static gm_status own_columns(gm_dataset *d)
{
    const char *text = d->spec.columns;
    d->spec.columns = NULL;
    if (text && text[0]) {
        d->spec.columns = gmi_strdup(d->ctx, text);
        if (!d->spec.columns) return gmi_alloc_status(d->ctx);
    }
    return GM_OK;
}

/* The largest value of u8 data, or 255 as soon as one is above 127. */
static int largest_u8(const gmi_rows *r, int64_t n)
{
    int most = 0;
    for (int64_t row = 0; row < n && most < 128; row++)
        for (int64_t k = 0, done = 0; done < r->elems; k++, done += r->run) {
            const uint8_t *p = (const uint8_t *)gmi_rows_run(r, row, k);
            for (int64_t i = 0; i < r->run; i++) most = GMI_MAX(most, p[i * r->step]);
        }
    return most > 127 ? 255 : most;
}

/* Masks of 0 and 1 and digits of 0..16 would be nearly black as parts of 255. */
static void state_range(gm_dataset *d)
{
    int hi;
    if (d->spec.columns || d->spec.dtype != GM_U8 || d->spec.scaling != GM_SCALE_AUTO || d->spec.lo < d->spec.hi) return;
    hi = largest_u8(&d->rows, d->count);
    d->spec.lo = 0;
    d->spec.hi = hi ? hi : 255;
}

static gm_status check_x(gm_context *c, const gm_tensor *x, gm_spec *spec)
{
    int64_t elems = 1, want = 0;
    if (x->rank < 1 || x->dims[0] < 1) return gmi_fail(c, GM_E_SHAPE, "x is %v: it needs at least one row", x->rank, x->dims);
    if (x->rank > 7) return gmi_fail(c, GM_E_SHAPE, "x is %v: a sample has at most 6 axes", x->rank, x->dims);
    for (int32_t i = 1; i < x->rank; i++) elems *= x->dims[i];
    if (!elems) return gmi_fail(c, GM_E_SHAPE, "x is %v: a sample has no elements", x->rank, x->dims);
    if (spec->dtype && spec->dtype != x->dtype)
        return gmi_fail(c, GM_E_DTYPE, "x is %s, gm_spec.dtype is %s: they must agree, or leave dtype 0", gm_dtype_name(x->dtype), gm_dtype_name(spec->dtype));
    spec->dtype = x->dtype;
    if (!spec->rank) {
        spec->rank = x->rank > 1 ? x->rank - 1 : 1;
        spec->dims[0] = 1;
        for (int32_t i = 1; i < x->rank; i++) spec->dims[i - 1] = x->dims[i];
    }
    if (gmi_count_i64(spec->rank, spec->dims, &want) || want != elems)
        return gmi_fail(c, GM_E_SHAPE, "x is %v, %i elements a row; gm_spec.dims are %v, %i elements", x->rank, x->dims, elems, spec->rank, spec->dims, want);
    return GM_OK;
}

static gm_status check_cond(gm_dataset *d)
{
    int64_t most = 0;
    if (d->labels) {
        gm_status s = gmi_labels_check(d->ctx, d->labels, d->count, &d->spec, NULL);
        for (int64_t i = 0; i < d->count; i++) most = GMI_MAX(most, d->labels[i]);
        if (!d->spec.classes) d->spec.classes = most + 1;
        return s;
    }
    if (d->conds) return gmi_conds_check(d->ctx, d->conds, d->count, d->spec.cond_dim, NULL);
    if (d->spec.classes) return gmi_fail(d->ctx, GM_E_INVALID, "gm_spec.classes is %i, but there are no labels", d->spec.classes);
    if (d->spec.cond_dim) return gmi_fail(d->ctx, GM_E_INVALID, "gm_spec.cond_dim is %i, but there are no conditions", d->spec.cond_dim);
    return GM_OK;
}

gm_status gmi_dataset_make(gm_context *c, gm_tensor *x, const gm_spec *spec, int32_t *labels, gmi_real *conds, gm_dataset **out)
{
    gmi_kernels k;
    gm_dataset *d = new_dataset(c);
    gm_status s = GM_OK;
    if (!d) {
        gm_tensor_destroy(x);
        gmi_free(c, labels);
        gmi_free(c, conds);
        return gmi_alloc_status(c);
    }
    d->keep = x;
    d->labels = labels;
    d->conds = conds;
    d->spec = *spec;
    s = own_columns(d);
    if (!s) s = gmi_spec_check(c, &d->spec, 1);
    if (!s) s = check_x(c, x, &d->spec);
    if (!s && d->spec.columns) s = gmi_columns_check_spec(c, &d->spec, 0); /* now that its shape is known */
    if (!s) {
        d->count = x->dims[0];
        d->rows.t = *x; /* a view struct: `keep` owns the memory */
        gmi_rows_init(&d->rows);
        d->elems = d->rows.elems;
        if (!gmi_kernels_fill(&k, c->simd, c->simd_have)) d->from_u8 = k.from_u8;
        s = check_cond(d);
    }
    if (s) {
        gm_dataset_destroy(d);
        return s;
    }
    state_range(d);
    *out = d;
    return GM_OK;
}

/* cond [n] of an integer type: labels; else [n, c] or [n] of any type: conditions. */
static gm_status take_cond(gm_context *c, const gm_tensor *cond, int64_t n, gm_spec *spec, int32_t **labels, gmi_real **conds)
{
    gmi_rows r;
    int64_t dim;
    if (cond->rank < 1 || cond->rank > 2 || cond->dims[0] != n)
        return gmi_fail(c, GM_E_SHAPE, "cond is %v: labels [%i] or conditions [%i, c] are needed", cond->rank, cond->dims, n, n);
    memset(&r, 0, sizeof r);
    r.t = *cond;
    gmi_rows_init(&r);
    if (cond->rank == 1 && cond->dtype != GM_F32 && cond->dtype != GM_F64) {
        if (spec->cond_dim) return gmi_fail(c, GM_E_SHAPE, "cond is labels [%i], gm_spec.cond_dim is %i: conditions are [%i, c] or real", n, spec->cond_dim, n);
        *labels = gmi_alloc_n(c, n, sizeof **labels);
        if (!*labels) return gmi_alloc_status(c);
        gmi_convert_row(n, GM_I32, (char *)*labels, sizeof **labels, cond->dtype, cond->data, cond->strides[0]);
        return GM_OK;
    }
    dim = cond->rank == 2 ? cond->dims[1] : 1;
    if (dim < 1 || spec->classes || (spec->cond_dim && spec->cond_dim != dim))
        return gmi_fail(c, GM_E_SHAPE, "cond is %v %s; gm_spec has classes %i and cond_dim %i", cond->rank, cond->dims, gm_dtype_name(cond->dtype), spec->classes,
                        spec->cond_dim);
    spec->cond_dim = dim;
    *conds = gmi_alloc_n(c, n, (uint64_t)dim * sizeof **conds);
    if (!*conds) return gmi_alloc_status(c);
    for (int64_t i = 0; i < n; i++) gmi_rows_real(&r, i, NULL, NULL, *conds + i * dim);
    return GM_OK;
}

static gm_status from_tensor(gm_tensor *x, const gm_tensor *cond, const gm_spec *given, gm_dataset **out)
{
    gm_context *c = x->ctx;
    gm_tensor *view = NULL;
    int32_t *labels = NULL;
    gmi_real *conds = NULL;
    gm_spec spec;
    gm_status s = merge_spec(c, given, &spec);
    if (!s) s = gmi_spec_check(c, &spec, 1);
    if (!s && (x->rank < 1 || x->dims[0] < 1)) s = gmi_fail(c, GM_E_SHAPE, "x is %v: it needs at least one row", x->rank, x->dims);
    if (!s && cond) s = take_cond(c, cond, x->dims[0], &spec, &labels, &conds);
    if (!s) s = gm_tensor_slice(x, 0, 0, x->dims[0], &view); /* a reference of our own */
    if (!s) return gmi_dataset_make(c, view, &spec, labels, conds, out);
    gmi_free(c, labels);
    gmi_free(c, conds);
    return s;
}

gm_status gm_dataset_from_tensor(gm_tensor *x, const gm_tensor *cond, const gm_spec *s, gm_dataset **out)
{
    if (out) *out = NULL;
    if (!x || !out) return GM_E_INVALID;
    gmi_enter(x->ctx, "dataset_from_tensor");
    if (!GM_TRAINING) return gmi_leave(x->ctx, gmi_no_training(x->ctx));
    return gmi_leave(x->ctx, from_tensor(x, cond, s, out));
}

static gm_status from_source(gm_context *c, const gm_spec *spec, const gm_source *src, gm_dataset **out)
{
    gm_dataset *d = new_dataset(c);
    gmi_kernels k;
    gm_spec full;
    gm_status s;
    if (!d) return gmi_alloc_status(c);
    gm_source_init(&d->source, sizeof d->source);
    s = merge_spec(c, spec, &full);
    if (!s) {
        d->spec = full;
        s = own_columns(d);
    }
    if (!s) s = gmi_spec_check(c, &d->spec, 0);
    if (!s && gmi_options_merge(&d->source, sizeof d->source, src))
        s = gmi_fail(c, GM_E_INVALID, "gm_source.size is %u: call gm_source_init first", (uint64_t)src->size);
    if (!s && !d->source.fetch) s = gmi_fail(c, GM_E_INVALID, "gm_source.fetch is NULL");
    if (!s && d->source.count < 1 && d->source.count != -1)
        s = gmi_fail(c, GM_E_RANGE, "gm_source.count is %i: at least 1 row, or -1 for an endless source", d->source.count);
    if (!s && gmi_count_i64(d->spec.rank, d->spec.dims, &d->elems)) s = GM_E_INTERNAL;
    if (s) {
        gm_dataset_destroy(d);
        return s;
    }
    d->count = d->source.count;
    if (!gmi_kernels_fill(&k, c->simd, c->simd_have)) d->from_u8 = k.from_u8;
    *out = d;
    return GM_OK;
}

gm_status gm_dataset_from_source(gm_context *c, const gm_spec *s, const gm_source *src, gm_dataset **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "dataset_from_source");
    if (!GM_TRAINING) return gmi_leave(c, gmi_no_training(c));
    if (!s || !src) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%s is NULL", s ? "the source" : "the spec"));
    return gmi_leave(c, from_source(c, s, src, out));
}

/* ---- split ---- */

static gm_status view_of(gm_dataset *d, uint64_t key, int64_t offset, int64_t count, gm_dataset **out)
{
    gm_dataset *v = new_dataset(d->ctx);
    if (!v) return gmi_alloc_status(d->ctx);
    v->spec = d->spec;
    v->elems = d->elems;
    v->parent = d;
    d->refs++;
    v->key = key;
    v->offset = offset;
    v->count = count;
    *out = v;
    return GM_OK;
}

static gm_status split(gm_dataset *d, double fraction, uint64_t seed, gm_dataset **a, gm_dataset **b)
{
    uint64_t key = gmi_mix64(gmi_hash_text(seed ^ GMI_HASH_START, "split"));
    int64_t n;
    gm_status s;
    if (d->count < 0) return gmi_fail(d->ctx, GM_E_UNSUPPORTED, "the dataset is endless: give the two parts as two datasets");
    if (d->count < 2) return gmi_fail(d->ctx, GM_E_RANGE, "the dataset has %i row, a split needs two", d->count);
    if (!(fraction > 0 && fraction < 1)) return gmi_fail(d->ctx, GM_E_RANGE, "fraction is %g: it lies between 0 and 1", fraction);
    n = (int64_t)(fraction * (double)d->count + 0.5);
    n = GMI_MIN(GMI_MAX(n, 1), d->count - 1);
    s = view_of(d, key, 0, n, a);
    if (!s) s = view_of(d, key, n, d->count - n, b);
    if (s) {
        gm_dataset_destroy(*a);
        *a = NULL;
    }
    return s;
}

gm_status gm_dataset_split(gm_dataset *d, double fraction, uint64_t seed, gm_dataset **a, gm_dataset **b)
{
    if (a) *a = NULL;
    if (b) *b = NULL;
    if (!d || !a || !b) return GM_E_INVALID;
    gmi_enter(d->ctx, "dataset_split");
    if (!GM_TRAINING) return gmi_leave(d->ctx, gmi_no_training(d->ctx));
    return gmi_leave(d->ctx, split(d, fraction, seed, a, b));
}

/* ---- questions and the end ---- */

const gm_spec *gm_dataset_spec(const gm_dataset *d) { return d ? &d->spec : NULL; }
int64_t gm_dataset_count(const gm_dataset *d) { return d ? d->count : 0; }
int64_t gmi_dataset_count(const gm_dataset *d) { return d->count; }
int64_t gmi_dataset_sample_elems(const gm_dataset *d) { return d->elems; }
void gmi_dataset_retain(gm_dataset *d) { d->refs++; }

void gm_dataset_destroy(gm_dataset *d)
{
    while (d && --d->refs == 0) { /* a view's end may be its parent's */
        gm_dataset *parent = d->parent;
        gm_context *c = d->ctx;
        if (!parent) gmi_spec_free(c, &d->spec); /* a view has its parent's text */
        gm_tensor_destroy(d->keep);
        gmi_free(c, d->labels);
        gmi_free(c, d->conds);
        gmi_free(c, d->index);
        gmi_free(c, d->raw);
        gmi_free(c, d->raw_cond);
        gmi_free(c, d);
        gmi_context_release(c);
        d = parent;
    }
}
