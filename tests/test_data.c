/* SPDX-License-Identifier: MIT */
/* test_data.c: datasets over tensors, callbacks, parts; fetching against a slow reference; scaling there and back; labels, conditions; refusals with the row's
 * number; failing allocations. Files and series are test_data_open.c. */
#include "format_util.h"
#include "train/dataset.h"

static int has(gm_context *c, const char *part) { return strstr(gm_context_error(c), part) != NULL; }

static gm_tensor *wrapped(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *strides, void *p)
{
    gm_tensor *x = NULL;
    return gm_tensor_wrap(c, t, rank, dims, strides, p, &x) ? NULL : x;
}

static gm_tensor *constant(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *strides, const void *p)
{
    gm_tensor *x = NULL;
    return gm_tensor_wrap_const(c, t, rank, dims, strides, p, &x) ? NULL : x;
}

static gm_tensor *created(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims)
{
    gm_tensor *x = NULL;
    return gm_tensor_create(c, t, rank, dims, &x) ? NULL : x;
}

/* The inner calls as a public call would make them. */
static gm_status fetch(gm_dataset *d, int64_t n, const int64_t *index, const gmi_scaler *s, gmi_real *x, void *cond)
{
    gmi_enter(d->ctx, "fetch");
    return gmi_leave(d->ctx, gmi_dataset_fetch(d, n, index, s, x, cond));
}

static gm_status fit(gm_context *c, gm_dataset *d, const int64_t *index, int64_t rows, gm_scaling want, gmi_scaler *s)
{
    gmi_enter(c, "fit");
    return gmi_leave(c, gmi_scaler_fit(c, d, index, rows, want, s));
}

static gm_status apply(const gmi_scaler *s, const gm_tensor *t, int64_t r0, int64_t r1, gmi_real *x)
{
    gmi_enter(t->ctx, "apply");
    return gmi_leave(t->ctx, gmi_scaler_apply(s, t, r0, r1, x));
}

static gm_status undo(const gmi_scaler *s, const gm_spec *spec, const gmi_real *x, gm_tensor *t, int64_t r0, int64_t r1)
{
    gmi_enter(t->ctx, "undo");
    return gmi_leave(t->ctx, gmi_scaler_undo(s, spec, x, t, r0, r1));
}

static gm_dataset *over(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *strides, const void *p, const gm_tensor *cond,
                        const gm_spec *spec)
{
    gm_tensor *x = NULL;
    gm_dataset *d = NULL;
    gm_status s = gm_tensor_wrap_const(c, t, rank, dims, strides, p, &x);
    if (!s) s = gm_dataset_from_tensor(x, cond, spec, &d);
    gm_tensor_destroy(x); /* the dataset keeps what it needs */
    return s ? NULL : d;
}

/* ---- element types and strides ---- */

#define VALUES 24 /* 4 rows of [2, 3] */
static void one_type(gm_context *c, gm_dtype t, const void *dense, size_t size, const double *want)
{
    int64_t dims[3] = {4, 2, 3}, strides[3], index[5] = {3, 0, 2, 2, 1};
    unsigned char wide[VALUES * 8 * 2 + 64];
    gmi_scaler s;
    double scale[6] = {2, 2, 2, 2, 2, 2}, shift[6] = {1, 1, 1, 1, 1, 1};
    int good[2] = {1, 1}, columns = 1;
    s.n = 1, s.scale = scale, s.shift = shift, s.kind = GM_SCALE_NONE;
    /* rows 16 elements apart, channels interleaved: [row][3][2] */
    strides[0] = (int64_t)size * 8, strides[1] = (int64_t)size, strides[2] = (int64_t)size * 2;
    memset(wide, 0, sizeof wide);
    for (int64_t r = 0; r < 4; r++)
        for (int64_t a = 0; a < 2; a++)
            for (int64_t b = 0; b < 3; b++)
                memcpy(wide + r * strides[0] + a * strides[1] + b * strides[2], (const char *)dense + (size_t)((r * 2 + a) * 3 + b) * size, size);
    for (int k = 0; k < 2; k++) {
        gm_dataset *d = over(c, t, 3, dims, k ? strides : NULL, k ? (const void *)wide : dense, NULL, NULL);
        gmi_real x[30];
        if (!d || fetch(d, 5, index, &s, x, NULL)) good[k] = 0;
        for (int i = 0; good[k] && i < 5; i++)
            for (int j = 0; j < 6; j++) good[k] &= x[i * 6 + j] == (gmi_real)(want[index[i] * 6 + j] * 2 + 1);
        for (int j = 0; j < 6; j++) scale[j] = 1 + j, shift[j] = 10 * j;
        s.n = 6;
        if (!d || fetch(d, 5, index, &s, x, NULL)) columns = 0;
        for (int i = 0; columns && i < 5; i++)
            for (int j = 0; j < 6; j++) columns &= x[i * 6 + j] == (gmi_real)(want[index[i] * 6 + j] * (1 + j) + 10 * j);
        for (int j = 0; j < 6; j++) scale[j] = 2, shift[j] = 1;
        s.n = 1;
        gm_dataset_destroy(d);
    }
    ok(good[0], "%s: dense rows", gm_dtype_name(t));
    ok(good[1], "%s: strided rows", gm_dtype_name(t));
    ok(columns, "%s: one scale a column", gm_dtype_name(t));
}

static void test_types(gm_context *c)
{
    float f[VALUES];
    double d[VALUES], want[VALUES];
    uint8_t u[VALUES];
    int16_t h[VALUES];
    int32_t i[VALUES];
    int64_t l[VALUES];
    for (int k = 0; k < VALUES; k++) f[k] = (float)(k * 0.25 - 3), d[k] = want[k] = k * 0.25 - 3;
    one_type(c, GM_F32, f, sizeof *f, want);
    one_type(c, GM_F64, d, sizeof *d, want);
    for (int k = 0; k < VALUES; k++) u[k] = (uint8_t)(k * 11), want[k] = k * 11;
    one_type(c, GM_U8, u, sizeof *u, want);
    for (int k = 0; k < VALUES; k++) h[k] = (int16_t)(k * 1000 - 12000), i[k] = h[k], l[k] = h[k], want[k] = h[k];
    one_type(c, GM_I16, h, sizeof *h, want);
    one_type(c, GM_I32, i, sizeof *i, want);
    one_type(c, GM_I64, l, sizeof *l, want);
}

/* Long rows of u8 use the kernel; the bits are those of the plain formula. */
static void test_u8_rows(gm_context *c)
{
    int64_t dims[2] = {3, 2001}, index[3] = {2, 0, 1};
    uint8_t *u = malloc(3 * 2001);
    gmi_real *x = malloc(3 * 2001 * sizeof *x), *y = malloc(3 * 2001 * sizeof *x);
    gm_tensor *t = NULL;
    gmi_scaler s;
    double scale = 1 / 255.0, shift = -0.25;
    gm_dataset *d;
    int good = 1;
    for (int i = 0; i < 3 * 2001; i++) u[i] = (uint8_t)(i * 7 + i / 256);
    d = over(c, GM_U8, 2, dims, NULL, u, NULL, NULL);
    s.n = 1, s.scale = &scale, s.shift = &shift, s.kind = GM_SCALE_UNIT;
    ok(d && !fetch(d, 3, index, &s, x, NULL), "fetch u8");
    for (int r = 0; r < 3; r++)
        for (int j = 0; j < 2001; j++) {
            gmi_real product = (gmi_real)u[index[r] * 2001 + j] * (gmi_real)scale;
            gmi_real sum = product + (gmi_real)shift;
            good &= x[r * 2001 + j] == sum;
        }
    ok(good, "u8 rows: product and sum rounded one after the other");
    ok(!gm_tensor_wrap_const(c, GM_U8, 2, dims, NULL, u, &t) && !apply(&s, t, 0, 3, y), "apply");
    ok(!memcmp(y + index[0] * 2001, x, 2001 * sizeof *x), "apply gives what fetch gives");
    ok(!apply(&s, t, 1, 2, x) && !memcmp(x, y + 2001, 2001 * sizeof *x), "one row as in a batch");
    gm_tensor_destroy(t);
    gm_dataset_destroy(d);
    free(u), free(x), free(y);
}

/* Time stamps: the digits survive until the mean is gone. */
static void test_wide(gm_context *c)
{
    double t[5] = {1.7e9 + 0.5, 1.7e9 + 1.5, 1.7e9 + 2.5, 1.7e9 + 3.5, 1.7e9 + 4.5};
    int64_t dims[2] = {5, 1}, index[5] = {0, 1, 2, 3, 4};
    gm_dataset *d = over(c, GM_F64, 2, dims, NULL, t, NULL, NULL);
    gmi_scaler s;
    gmi_real x[5];
    gm_tensor *back = NULL;
    double sum = 0;
    ok(d && !fit(c, d, NULL, 5, GM_SCALE_AUTO, &s) && s.kind == GM_SCALE_STANDARD && s.n == 1, "fit time stamps");
    near(s.scale[0], 1 / sqrt(2.0), 1e-12, "deviation of the population");
    ok(!fetch(d, 5, index, &s, x, NULL), "fetch");
    for (int i = 0; i < 5; i++) sum += fabs(x[i] - (i - 2) / sqrt(2.0));
    near(sum, 0, 1e-6, "values around 0 keep their digits");
    memset(t, 0, sizeof t);
    ok(!gm_tensor_wrap(c, GM_F64, 2, dims, NULL, t, &back) && !undo(&s, gm_dataset_spec(d), x, back, 0, 5), "undo");
    near(t[4], 1.7e9 + 4.5, 1e-6, "and come back");
    gm_tensor_destroy(back);
    gmi_scaler_free(c, &s);
    gm_dataset_destroy(d);
}

/* ---- scaling ---- */

static void test_scaling(gm_context *c)
{
    float x[12] = {1, 10, 5, 2, 20, 5, 3, 30, 5, 1000, -7, 5}; /* 4 rows, the last is not for training */
    int64_t dims[4] = {4, 3, 1, 1}, index[3] = {2, 0, 1};
    gm_dataset *d = over(c, GM_F32, 2, dims, NULL, x, NULL, NULL), *image;
    gmi_scaler s;
    gmi_real y[12];
    gm_spec spec;
    uint8_t u[6] = {0, 255, 100, 3, 4, 5}, mask[6] = {0, 1, 1, 0, 1, 0};
    double mean = 0, squares = 0;
    ok(!fit(c, d, index, 3, GM_SCALE_AUTO, &s) && s.n == 3 && s.kind == GM_SCALE_STANDARD, "table: standard, a scale a column");
    ok(!fetch(d, 3, index, &s, y, NULL), "fetch");
    for (int i = 0; i < 3; i++) mean += y[i * 3 + 1], squares += y[i * 3 + 1] * y[i * 3 + 1];
    near(mean, 0, 1e-6, "mean 0 over the training rows");
    near(squares / 3, 1, 1e-6, "deviation 1");
    ok(s.scale[2] == 1 && s.shift[2] == -5 && y[2] == 0 && y[5] == 0, "a constant column is only shifted");
    gmi_scaler_free(c, &s);
    ok(!fit(c, d, NULL, 3, GM_SCALE_UNIT, &s) && s.n == 3 && s.scale[0] == 0.5 && s.shift[0] == -0.5 && s.scale[2] == 1, "unit: fitted bounds");
    gmi_scaler_free(c, &s);
    ok(!fit(c, d, NULL, 3, GM_SCALE_SIGNED, &s) && s.scale[1] == 0.1 && s.shift[1] == -2, "signed: 10..30 to -1..1");
    gmi_scaler_free(c, &s);
    ok(!fit(c, d, NULL, 3, GM_SCALE_NONE, &s) && s.n == 0, "none");
    gmi_scaler_free(c, &s);
    ok(fit(c, d, NULL, 0, GM_SCALE_STANDARD, &s) == GM_E_RANGE, "no rows");
    gm_dataset_destroy(d);
    dims[2] = 3, dims[1] = 1, dims[3] = 1;
    image = over(c, GM_F32, 4, dims, NULL, x, NULL, NULL);
    ok(image && !fit(c, image, NULL, 3, GM_SCALE_AUTO, &s) && s.n == 1, "images: one scale");
    mean = (1 + 10 + 5 + 2 + 20 + 5 + 3 + 30 + 5) / 9.0;
    squares = (1 + 100 + 25 + 4 + 400 + 25 + 9 + 900 + 25) / 9.0 - mean * mean;
    near(s.shift[0] / s.scale[0], -mean, 1e-12, "mean of all elements");
    near(s.scale[0], 1 / sqrt(squares), 1e-12, "deviation of all elements");
    gmi_scaler_free(c, &s);
    gm_dataset_destroy(image);
    gm_spec_init(&spec, sizeof spec);
    spec.lo = -10, spec.hi = 30;
    dims[1] = 3;
    d = over(c, GM_F32, 2, dims, NULL, x, NULL, &spec);
    ok(!fit(c, d, NULL, 4, GM_SCALE_AUTO, &s) && s.kind == GM_SCALE_UNIT && s.n == 1 && s.scale[0] == 1 / 40.0 && s.shift[0] == 0.25, "stated bounds: unit");
    gmi_scaler_free(c, &s);
    gm_dataset_destroy(d);
    dims[0] = 2;
    d = over(c, GM_U8, 2, dims, NULL, u, NULL, NULL);
    ok(!fit(c, d, NULL, 2, GM_SCALE_AUTO, &s) && s.n == 1 && s.scale[0] == 1 / 255.0 && s.shift[0] == 0, "u8: unit");
    gmi_scaler_free(c, &s);
    gm_dataset_destroy(d);
    d = over(c, GM_U8, 2, dims, NULL, mask, NULL, NULL);
    ok(gm_dataset_spec(d)->lo == 0 && gm_dataset_spec(d)->hi == 1, "a mask of 0 and 1 has the bounds 0 and 1");
    gm_dataset_destroy(d);
}

static void test_undo(gm_context *c)
{
    double scale = 1 / 255.0, shift = 0;
    gmi_scaler s;
    gm_spec spec;
    gmi_real in[8];
    uint8_t u[8];
    int16_t h[16] = {0};
    float f[8];
    int64_t dims[2] = {1, 8}, strides[2] = {32, 4};
    gm_tensor *t = NULL;
    int good = 1;
    s.n = 1, s.scale = &scale, s.shift = &shift, s.kind = GM_SCALE_UNIT;
    gm_spec_init(&spec, sizeof spec);
    spec.dtype = GM_U8, spec.hi = 255;
    for (int k = 0; k < 256; k++) { /* every level comes back */
        u[0] = (uint8_t)k;
        t = wrapped(c, GM_U8, 1, dims, NULL, u);
        good &= !apply(&s, t, 0, 1, in) && !undo(&s, &spec, in, t, 0, 1) && u[0] == k;
        gm_tensor_destroy(t);
    }
    ok(good, "every u8 comes back");
    for (int k = 0; k < 8; k++) in[k] = (gmi_real)((k - 2) / 4.0);
    in[7] = (gmi_real)NAN;
    t = wrapped(c, GM_U8, 2, dims, NULL, u);
    ok(!undo(&s, &spec, in, t, 0, 1) && u[0] == 0 && u[1] == 0 && u[3] == 64 && u[4] == 128 && u[6] == 255 && u[7] == 0,
       "rounded half to even, clamped, NaN is 0");
    gm_tensor_destroy(t);
    t = wrapped(c, GM_I16, 2, dims, strides, h);
    ok(!undo(&s, &spec, in, t, 0, 1) && h[0] == 0 && h[6] == 64 && h[12] == 255 && h[1] == 0, "strided i16, clamped to the stated bounds");
    gm_tensor_destroy(t);
    t = wrapped(c, GM_F32, 2, dims, NULL, f);
    in[7] = 0.5;
    ok(!undo(&s, &spec, in, t, 0, 1) && f[0] == 0 && f[3] == 63.75 && f[6] == 255, "f32 is not rounded, but clamped");
    spec.hi = 0;
    ok(!undo(&s, &spec, in, t, 0, 1) && f[0] == -127.5f && f[7] == 127.5, "without bounds not clamped");
    gm_tensor_destroy(t);
    t = constant(c, GM_F32, 2, dims, NULL, f);
    ok(undo(&s, &spec, in, t, 0, 1) == GM_E_READONLY, "read-only output");
    gm_tensor_destroy(t);
}

/* ---- labels and conditions ---- */

static void test_labels(gm_context *c)
{
    float x[6] = {0, 1, 2, 3, 4, 5}, conds[6] = {1, 2, 3, 4, 5, 6};
    int64_t dims[2] = {6, 1}, index[3] = {5, 1, 3}, two[2] = {6, 2}, wide[6] = {0, 1, 2, 2, 1, 0}, wrong[1] = {5};
    uint8_t u[6] = {0, 1, 2, 2, 1, 3};
    int32_t got[6], negative[6] = {0, 1, 2, -1, 0, 0};
    gmi_real y[6];
    gm_tensor *l = NULL, *out = NULL;
    gm_dataset *d;
    gm_spec spec;
    gm_spec_init(&spec, sizeof spec);
    l = constant(c, GM_U8, 1, dims, NULL, u);
    d = over(c, GM_F32, 2, dims, NULL, x, l, NULL);
    ok(d && gm_dataset_spec(d)->classes == 4 && gm_dataset_spec(d)->cond_dim == 0, "u8 labels: the largest + 1 classes");
    ok(!fetch(d, 3, index, NULL, y, got) && got[0] == 3 && got[1] == 1 && got[2] == 2 && y[0] == 5, "labels come with their rows");
    out = wrapped(c, GM_I32, 1, dims, NULL, got);
    gm_tensor_destroy(l);
    l = wrapped(c, GM_F32, 2, dims, NULL, conds);
    ok(!gm_dataset_read(d, 0, l, out) && got[5] == 3 && conds[5] == 5, "read rows and labels");
    gm_tensor_destroy(l);
    gm_tensor_destroy(out);
    gm_dataset_destroy(d);
    spec.classes = 3;
    l = constant(c, GM_U8, 1, dims, NULL, u);
    ok(!over(c, GM_F32, 2, dims, NULL, x, l, &spec) && c->status == GM_E_RANGE && has(c, "row 5 is 3, classes are 0 to 2") && c->where == 5, "label out of range: %s",
       gm_context_error(c));
    gm_tensor_destroy(l);
    l = constant(c, GM_I32, 1, dims, NULL, negative);
    ok(!over(c, GM_F32, 2, dims, NULL, x, l, NULL) && c->status == GM_E_RANGE && has(c, "row 3 is -1"), "negative label: %s", gm_context_error(c));
    gm_tensor_destroy(l);
    l = constant(c, GM_I64, 1, dims, NULL, wide);
    d = over(c, GM_F32, 2, dims, NULL, x, l, &spec);
    ok(d && gm_dataset_spec(d)->classes == 3, "i64 labels");
    gm_tensor_destroy(l);
    gm_dataset_destroy(d);
    l = constant(c, GM_I64, 1, wrong, NULL, wide);
    ok(!over(c, GM_F32, 2, dims, NULL, x, l, NULL) && c->status == GM_E_SHAPE, "wrong count: %s", gm_context_error(c));
    gm_tensor_destroy(l);
    {
        float z[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        gmi_real cond[6];
        float back[4];
        int64_t small[2] = {2, 2}, sx[2] = {2, 1};
        gm_tensor *xt = NULL;
        l = constant(c, GM_F32, 2, two, NULL, z);
        d = over(c, GM_F32, 2, dims, NULL, x, l, NULL);
        ok(d && gm_dataset_spec(d)->cond_dim == 2 && gm_dataset_spec(d)->classes == 0, "real conditions");
        ok(!fetch(d, 3, index, NULL, NULL, cond) && cond[0] == 10 && cond[1] == 11 && cond[3] == 3, "conditions come with their rows");
        out = created(c, GM_F32, 2, small);
        xt = created(c, GM_F32, 2, sx);
        ok(!gm_dataset_read(d, 4, xt, out), "read conditions");
        memcpy(back, gm_tensor_data(out), sizeof back);
        ok(back[0] == 8 && back[3] == 11, "their values");
        gm_tensor_destroy(out), gm_tensor_destroy(xt), gm_tensor_destroy(l);
        gm_dataset_destroy(d);
        z[7] = (float)INFINITY;
        l = constant(c, GM_F32, 2, two, NULL, z);
        ok(!over(c, GM_F32, 2, dims, NULL, x, l, NULL) && c->status == GM_E_NONFINITE && has(c, "condition of row 3"), "infinite condition: %s", gm_context_error(c));
        gm_tensor_destroy(l);
    }
    d = over(c, GM_F32, 2, dims, NULL, x, NULL, NULL);
    ok(fetch(d, 1, index, NULL, y, got) == GM_E_INVALID, "no labels there");
    gm_dataset_destroy(d);
}

/* ---- split ---- */

static void test_split(gm_context *c)
{
    float x[1000];
    int64_t dims[2] = {1000, 1}, index[1000];
    gmi_real y[1000], z[1000];
    char seen[1000] = {0};
    gm_dataset *d, *a = NULL, *b = NULL, *a1 = NULL, *a2 = NULL, *again = NULL, *other = NULL, *one;
    int64_t runs = 0, count = 0;
    for (int i = 0; i < 1000; i++) x[i] = (float)i, index[i] = i;
    d = over(c, GM_F32, 2, dims, NULL, x, NULL, NULL);
    ok(!gm_dataset_split(d, 0.8, 7, &a, &b) && gm_dataset_count(a) == 800 && gm_dataset_count(b) == 200, "split 800 and 200");
    ok(!gm_dataset_split(d, 0.8, 7, &again, &other), "again");
    gm_dataset_destroy(other);
    gm_dataset_destroy(d); /* the parts keep it */
    ok(!gm_dataset_split(a, 0.5, 1, &a1, &a2), "a part of a part");
    gm_dataset_destroy(a);
    ok(!fetch(a1, 400, index, NULL, y, NULL) && !fetch(a2, 400, index, NULL, y + 400, NULL) &&
           !fetch(b, 200, index, NULL, y + 800, NULL),
       "fetch all parts");
    for (int i = 0; i < 1000; i++) {
        int v = (int)y[i];
        count += !seen[v];
        seen[v] = 1;
        runs += i && y[i] > y[i - 1];
    }
    ok(count == 1000, "the parts are disjoint and complete");
    ok(runs > 400 && runs < 600, "and in no order: %d rises", (int)runs);
    ok(!fetch(again, 800, index, NULL, z, NULL), "fetch the same split");
    {
        gm_dataset *third = NULL, *fourth = NULL;
        gmi_real w[400];
        ok(!gm_dataset_split(again, 0.5, 1, &third, &fourth) && !fetch(third, 400, index, NULL, w, NULL) && !memcmp(w, y, sizeof w),
           "the same seeds give the same parts");
        gm_dataset_destroy(third), gm_dataset_destroy(fourth);
    }
    ok(fetch(a1, 1, index + 400, NULL, z, NULL) == GM_E_RANGE && has(c, "row 400 is asked for, the dataset has 400"), "past the end: %s",
       gm_context_error(c));
    ok(gm_dataset_split(b, 1.0, 0, &a, &other) == GM_E_RANGE && !a && !other && gm_dataset_split(b, NAN, 0, &a, &other) == GM_E_RANGE, "fraction 1, NaN");
    ok(!gm_dataset_split(b, 0.0001, 0, &a, &other) && gm_dataset_count(a) == 1 && gm_dataset_count(other) == 199, "at least one row each");
    gm_dataset_destroy(a), gm_dataset_destroy(other);
    dims[0] = 1;
    one = over(c, GM_F32, 2, dims, NULL, x, NULL, NULL);
    ok(gm_dataset_split(one, 0.5, 0, &a, &other) == GM_E_RANGE, "one row");
    gm_dataset_destroy(one);
    gm_dataset_destroy(a1), gm_dataset_destroy(a2), gm_dataset_destroy(b), gm_dataset_destroy(again);
}

/* ---- callbacks ---- */

typedef struct host {
    gm_dataset *d;
    int64_t calls, bad_row, bad_label;
    gm_status answer, inner;
    int classes, reenter;
} host;

static gm_status host_fetch(void *user, int64_t n, const int64_t *index, void *x, void *cond)
{
    host *h = user;
    float *f = x;
    h->calls++;
    if (h->reenter) {
        gmi_real y[2];
        int64_t zero = 0;
        h->inner = fetch(h->d, 1, &zero, NULL, y, NULL);
    }
    for (int64_t i = 0; i < n; i++) {
        f[2 * i] = (float)index[i];
        f[2 * i + 1] = index[i] == h->bad_row ? (float)NAN : -(float)index[i];
        if (cond && h->classes) ((int32_t *)cond)[i] = index[i] == h->bad_label ? 9 : (int32_t)(index[i] % 3);
        if (cond && !h->classes) ((float *)cond)[i] = (float)index[i] / 2;
    }
    return h->answer;
}

static void test_source(gm_context *c)
{
    host h = {0};
    gm_source src;
    gm_spec spec;
    gm_dataset *d = NULL, *a = NULL, *b = NULL;
    int64_t index[5] = {7, 3, 99, 0, 3}, far[1] = {1000000007}, dims[2] = {100, 2};
    gmi_real x[10];
    int32_t labels[5];
    gmi_scaler s;
    gm_tensor *t = NULL;
    size_t before;
    h.bad_row = h.bad_label = -1;
    gm_source_init(&src, sizeof src);
    gm_spec_init(&spec, sizeof spec);
    ok(src.count == -1, "endless by default");
    ok(gm_dataset_from_source(c, &spec, &src, &d) == GM_E_SHAPE && !d, "no shape: %s", gm_context_error(c));
    spec.rank = 1, spec.dims[0] = 2, spec.classes = 3;
    ok(gm_dataset_from_source(c, &spec, &src, &d) == GM_E_INVALID && has(c, "fetch is NULL"), "no callback: %s", gm_context_error(c));
    src.fetch = host_fetch, src.user = &h, src.count = 100, h.classes = 1;
    ok(!gm_dataset_from_source(c, &spec, &src, &d) && gm_dataset_count(d) == 100 && gm_dataset_spec(d)->dtype == GM_F32, "indexed source");
    h.d = d;
    ok(!fetch(d, 5, index, NULL, x, labels) && x[0] == 7 && x[1] == -7 && x[4] == 99 && labels[0] == 1 && labels[2] == 0, "rows by number, with labels");
    before = c->alloc_count;
    ok(!fetch(d, 5, index, NULL, x, labels) && !fetch(d, 3, index, NULL, x, NULL) && c->alloc_count == before, "no allocation after the first");
    ok(!fit(c, d, NULL, -1, GM_SCALE_AUTO, &s) && s.n == 2, "fit over all rows of a callback");
    near(s.shift[0] / s.scale[0], -49.5, 1e-12, "its mean");
    near(s.scale[1], 1 / sqrt(833.25), 1e-12, "its deviation");
    gmi_scaler_free(c, &s);
    ok(!gm_dataset_split(d, 0.5, 3, &a, &b), "split of a callback");
    index[0] = 49;
    ok(!fetch(a, 1, index, NULL, x, NULL) && !fetch(b, 1, index, NULL, x + 2, NULL) && x[0] != x[2] && x[1] == -x[0], "its parts");
    h.bad_row = 3;
    index[0] = 7;
    ok(fetch(d, 5, index, NULL, x, NULL) == GM_E_NONFINITE && c->where == 3, "NaN in row 3: %s", gm_context_error(c));
    ok(fit(c, d, NULL, -1, GM_SCALE_AUTO, &s) == GM_E_NONFINITE, "also when scaling is fitted");
    h.bad_row = -1, h.bad_label = 99;
    ok(fetch(d, 5, index, NULL, x, labels) == GM_E_RANGE && c->where == 99, "label 9 in row 99: %s", gm_context_error(c));
    h.bad_label = -1, h.answer = GM_E_IO;
    ok(fetch(d, 5, index, NULL, x, labels) == GM_E_IO, "the host's status is handed on: %s", gm_context_error(c));
    h.answer = 12345;
    ok(fetch(d, 5, index, NULL, x, labels) == GM_E_CALLBACK, "no status: GM_E_CALLBACK");
    h.answer = GM_OK, h.reenter = 1;
    ok(!fetch(d, 5, index, NULL, x, labels) && h.inner == GM_E_BUSY, "a callback that asks for rows: GM_E_BUSY");
    h.reenter = 0;
    t = created(c, GM_F32, 2, dims);
    ok(!gm_dataset_read(d, 0, t, NULL) && ((float *)gm_tensor_data(t))[199] == -99, "read all");
    gm_tensor_destroy(t);
    gm_dataset_destroy(a), gm_dataset_destroy(b), gm_dataset_destroy(d);
    src.count = -1, spec.classes = 0, spec.cond_dim = 1, h.classes = 0;
    ok(!gm_dataset_from_source(c, &spec, &src, &d) && gm_dataset_count(d) == -1, "endless source");
    ok(!fetch(d, 1, far, NULL, x, x + 5) && x[5] == (gmi_real)((float)far[0] / 2), "a far row, with a condition");
    ok(gm_dataset_split(d, 0.5, 0, &a, &b) == GM_E_UNSUPPORTED, "no split of an endless one");
    far[0] = -1;
    ok(fetch(d, 1, far, NULL, x, NULL) == GM_E_RANGE, "row -1");
    gm_dataset_destroy(d);
    src.count = 0;
    ok(gm_dataset_from_source(c, &spec, &src, &d) == GM_E_RANGE, "count 0");
}

/* ---- refusals ---- */

static void test_refusals(gm_context *c)
{
    float x[6] = {0, 1, 2, (float)NAN, 4, 5};
    double big[2] = {1, 1e300};
    int64_t dims[2] = {3, 2}, zero[2] = {0, 2}, hollow[2] = {2, 0}, index[3] = {0, 1, 2}, two[2] = {2, 1}, four[2] = {4, 2};
    gm_dataset *d = over(c, GM_F32, 2, dims, NULL, x, NULL, NULL);
    gmi_real y[6];
    gm_spec spec;
    gm_tensor *t = NULL;
    int32_t out[4];
    ok(fetch(d, 3, index, NULL, y, NULL) == GM_E_NONFINITE && c->where == 1 && has(c, "row 1 is nan at element 1"), "NaN: %s", gm_context_error(c));
    ok(!fetch(d, 1, index + 2, NULL, y, NULL), "the other rows are fine");
    t = constant(c, GM_F32, 2, dims, NULL, x);
    ok(apply(NULL, t, 0, 3, y) == GM_E_NONFINITE, "apply: %s", gm_context_error(c));
    ok(gm_dataset_read(d, 0, t, NULL) == GM_E_READONLY, "read into read-only memory: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = created(c, GM_F32, 2, four);
    ok(gm_dataset_read(d, 0, t, NULL) == GM_E_RANGE && has(c, "4 rows from row 0 on are asked for, the dataset has 3"), "read too many: %s", gm_context_error(c));
    ok(gm_dataset_read(d, -1, t, NULL) == GM_E_RANGE && gm_dataset_read(d, INT64_MAX, t, NULL) == GM_E_RANGE, "read from -1 and far");
    gm_tensor_destroy(t);
    t = wrapped(c, GM_I32, 2, two, NULL, out);
    ok(gm_dataset_read(d, 0, t, NULL) == GM_E_SHAPE, "read: wrong shape: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = created(c, GM_I32, 2, dims);
    ok(gm_dataset_read(d, 0, t, NULL) == GM_E_DTYPE, "read: wrong type: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    gm_dataset_destroy(d);
    two[0] = 2, two[1] = 1;
    d = over(c, GM_F64, 2, two, NULL, big, NULL, NULL);
#ifndef GMI_ORACLE
    ok(fetch(d, 2, index, NULL, y, NULL) == GM_E_NONFINITE && has(c, "row 1 has a value too large"), "1e300: %s", gm_context_error(c));
#endif
    gm_dataset_destroy(d);
    ok(!over(c, GM_F32, 2, zero, NULL, x, NULL, NULL) && c->status == GM_E_SHAPE, "no rows: %s", gm_context_error(c));
    ok(!over(c, GM_F32, 2, hollow, NULL, x, NULL, NULL) && c->status == GM_E_SHAPE, "no elements: %s", gm_context_error(c));
    gm_spec_init(&spec, sizeof spec);
    spec.columns = "age real";
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_SHAPE, "columns: %s", gm_context_error(c));
    gm_spec_init(&spec, sizeof spec);
    spec.rank = 2, spec.dims[0] = 1, spec.dims[1] = 2;
    d = over(c, GM_F32, 2, dims, NULL, x, NULL, &spec);
    ok(d && gm_dataset_spec(d)->rank == 2, "the spec may give rows another shape");
    gm_dataset_destroy(d);
    spec.dims[1] = 3;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_SHAPE, "but not another size: %s", gm_context_error(c));
    gm_spec_init(&spec, sizeof spec);
    spec.dtype = GM_U8;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_DTYPE, "dtype: %s", gm_context_error(c));
    spec.dtype = 0, spec.lo = 2, spec.hi = 1;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_INVALID, "lo > hi: %s", gm_context_error(c));
    spec.lo = spec.hi = 0, spec.classes = 2;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_INVALID, "classes without labels: %s", gm_context_error(c));
    spec.classes = 0, spec.scaling = 99;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_INVALID, "scaling 99: %s", gm_context_error(c));
    spec.scaling = 0, spec.size = 3;
    ok(!over(c, GM_F32, 2, dims, NULL, x, NULL, &spec) && c->status == GM_E_INVALID, "size 3: %s", gm_context_error(c));
    ok(gm_dataset_from_tensor(NULL, NULL, NULL, &d) == GM_E_INVALID && !gm_dataset_spec(NULL) && gm_dataset_count(NULL) == 0, "NULL");
    gm_dataset_destroy(NULL);
}

static void test_read(gm_context *c)
{
    uint8_t u[200 * 3], wide[200 * 3 * 2];
    int64_t dims[2] = {200, 3}, some[2] = {150, 3}, strides[2] = {6, 2}, flat[3] = {150, 3, 1};
    gm_dataset *d, *a = NULL, *b = NULL;
    gm_tensor *t = NULL;
    int good = 1;
    for (int i = 0; i < 600; i++) u[i] = (uint8_t)(i % 251);
    memset(wide, 7, sizeof wide);
    d = over(c, GM_U8, 2, dims, NULL, u, NULL, NULL);
    t = wrapped(c, GM_U8, 2, some, strides, wide);
    ok(!gm_dataset_read(d, 50, t, NULL), "read into strided memory");
    for (int i = 0; i < 450; i++) good &= wide[2 * i] == u[150 + i] && wide[2 * i + 1] == 7;
    ok(good, "its values, and nothing between");
    gm_tensor_destroy(t);
    t = created(c, GM_F32, 3, flat);
    good = !gm_dataset_read(d, 50, t, NULL);
    for (int i = 0; i < 450; i++) good &= ((float *)gm_tensor_data(t))[i] == u[150 + i];
    ok(good, "u8 into f32: units of the data; another shape of the same size");
    ok(!gm_dataset_split(d, 0.75, 0, &a, &b) && !gm_dataset_read(a, 0, t, NULL), "read a part");
    gm_tensor_destroy(t);
    gm_dataset_destroy(a), gm_dataset_destroy(b), gm_dataset_destroy(d);
}

/* ---- failing allocations, leaks ---- */

static gm_status life(gm_context *c)
{
    static float x[20];
    static uint8_t l[10] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    int64_t dims[2] = {10, 2}, index[4] = {3, 1, 4, 1};
    host h = {0};
    gm_source src;
    gm_spec spec;
    gm_tensor *t = NULL, *lt = NULL;
    gm_dataset *d = NULL, *a = NULL, *b = NULL, *e = NULL;
    gmi_scaler s;
    gmi_real y[8];
    int32_t labels[4];
    gm_status st;
    memset(&s, 0, sizeof s);
    for (int i = 0; i < 20; i++) x[i] = (float)i;
    gm_source_init(&src, sizeof src);
    gm_spec_init(&spec, sizeof spec);
    src.fetch = host_fetch, src.user = &h, spec.rank = 1, spec.dims[0] = 2, spec.classes = 3, h.classes = 1, h.bad_row = h.bad_label = -1;
    st = gm_tensor_wrap(c, GM_F32, 2, dims, NULL, x, &t);
    if (!st) st = gm_tensor_wrap(c, GM_U8, 1, dims, NULL, l, &lt);
    if (!st) st = gm_dataset_from_tensor(t, lt, NULL, &d);
    if (!st) st = gm_dataset_split(d, 0.5, 1, &a, &b);
    if (!st) st = fit(c, a, NULL, 5, GM_SCALE_AUTO, &s);
    if (!st) st = fetch(a, 4, index, &s, y, labels);
    if (!st) st = gm_dataset_from_source(c, &spec, &src, &e);
    if (!st) st = fetch(e, 4, index, &s, y, labels);
    gm_tensor_destroy(t), gm_tensor_destroy(lt);
    gmi_scaler_free(c, &s);
    gm_dataset_destroy(d), gm_dataset_destroy(a), gm_dataset_destroy(b), gm_dataset_destroy(e);
    return st;
}

static void test_failures(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    uint64_t start = fu_now(c);
    int good = 1;
    long n;
    for (n = 1; n < 1000; n++) {
        gm_status s;
        h.count = 0, h.fail_at = n;
        s = life(c);
        h.fail_at = 0;
        good &= fu_now(c) == start;
        if (!s) break;
        good &= s == GM_E_NOMEM;
    }
    ok(good && n > 8, "each of %ld allocations failing: GM_E_NOMEM, nothing leaks", n - 1);
    gm_context_destroy(c);
    ok(h.now == 0, "all memory is back");
}

int main(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    test_types(c);
    test_u8_rows(c);
    test_wide(c);
    test_scaling(c);
    test_undo(c);
    test_labels(c);
    test_split(c);
    test_source(c);
    test_refusals(c);
    test_read(c);
    gm_context_destroy(c);
    ok(h.now == 0, "nothing leaked");
    test_failures();
    return done();
}
