/* SPDX-License-Identifier: MIT */
/* latent_augment.c: samples near given ones, and datasets filled up with them.
 *
 * A sample near x is decode(z + radius s e) with z its encoding, e ~ N(0, 1) keyed by (seed, number of the row), and s the posterior's deviation of a
 * VAE, else 1. balance keeps the rows of a class, and makes what is missing near them in turn: the j-th new one lies near row j mod (rows of the class).
 * Its noise is keyed by the number it has in the new dataset. Real and made rows have the data's own type and units. */
#include "repr/latent.h"

static gm_status check_radius(gm_latent *l, double radius)
{
    if (radius >= 0 && gmi_f64_finite(radius)) return GM_OK;
    return gmi_fail(l->ctx, GM_E_RANGE, "radius is %g; it must be 0 or positive", radius);
}

/* z [n, dim] becomes z + radius s e. */
static gm_status add_noise(gm_latent *l, gmi_real *z, const gmi_real *logvar, int64_t n, double radius, uint64_t seed, int64_t first)
{
    const int64_t d = l->dim;
    gm_status s = GM_OK;
    for (int64_t r0 = 0, rows = 0; !s && r0 < n; r0 += rows) {
        const int64_t size = gmi_latent_chunk(l, n - r0);
        gmi_prog *p;
        rows = GMI_MIN(size, n - r0);
        s = gmi_latent_prog(l, logvar ? GMI_LATENT_NEAR : GMI_LATENT_NEAR_CODE, size, &p);
        if (s) return s;
        gmi_real *in = gmi_prog_in(p, "z"), *spread = gmi_prog_in(p, "logvar");
        memset(in, 0, (size_t)(size * d) * sizeof *in);
        memcpy(in, z + r0 * d, (size_t)(rows * d) * sizeof *in);
        if (spread) memset(spread, 0, (size_t)(size * d) * sizeof *spread);
        if (spread) memcpy(spread, logvar + r0 * d, (size_t)(rows * d) * sizeof *spread);
        gmi_prog_set(p, "radius", radius);
        s = gmi_prog_run(p, seed, 0, first + r0);
        if (!s) memcpy(z + r0 * d, p->out[0].p, (size_t)(rows * d) * sizeof *z);
    }
    return s;
}

/* Samples near n rows of x; row i is number o->first + i. */
static gm_status near_rows(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, int64_t n, double radius, const gm_sample_options *o, gm_tensor *out)
{
    gm_tensor t;
    gmi_real *logvar = NULL;
    int64_t dims[2];
    gmi_real *z = gmi_latent_work(l, GMI_LATENT_CODE, n * l->dim, sizeof *z);
    if (!z) return GM_E_NOMEM;
    if (l->family->has_logvar && !(logvar = gmi_latent_work(l, GMI_LATENT_LOGVAR, n * l->dim, sizeof *logvar))) return GM_E_NOMEM;
    gm_status s = gmi_latent_codes(l, x, cond, n, z, logvar);
    if (!s) s = add_noise(l, z, logvar, n, radius, o->seed, o->first);
    dims[0] = n;
    dims[1] = l->dim;
    gmi_tensor_view(&t, l->ctx, GMI_DTYPE_REAL, 2, dims, z);
    return s ? s : l->family->decode(l, &t, cond, o, out);
}

static gm_status augment(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, double radius, const gm_sample_options *given, gm_tensor *out)
{
    gm_sample_options o;
    int64_t n = 0;
    gm_status s = gmi_latent_loaded(l, GM_USE_ENCODE, "encoding");
    if (!s) s = gmi_latent_loaded(l, GM_USE_DECODE, "decoding");
    if (!s) s = gmi_core_sample_options(l->core, given, &o);
    if (!s) s = check_radius(l, radius);
    if (!s) s = gmi_latent_check_x(l, x, cond, &n);
    if (!s) s = gmi_core_check_out(l->core, out, "out", n);
    return s ? s : near_rows(l, x, cond, n, radius, &o, out);
}

gm_status gm_latent_augment(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, double radius, const gm_sample_options *o, gm_tensor *out)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_augment")) return GM_E_BUSY;
    return gmi_latent_end(l, augment(l, x, cond, radius, o, out));
}

/* ---- balance ---- */

typedef struct balance {
    gm_latent *l;
    gm_dataset *data;
    int64_t count, classes, per_class;
    double radius;
    uint64_t seed;
    int32_t *label;        /* of each row of the data */
    int64_t bytes;         /* of a sample */
    gm_tensor *x, *labels; /* of the new dataset */
    void *near;            /* rows that a chunk lies near */
} balance;

/* Rows [first, first + n) of t, dense. */
static gm_tensor rows_of(const gm_tensor *t, int64_t first, int64_t n)
{
    gm_tensor v = *t;
    v.data = (char *)v.data + first * v.strides[0];
    v.dims[0] = n;
    return v;
}

/* The label of every row; the samples go to a place that is overwritten. */
static gm_status read_labels(balance *b)
{
    gm_tensor to;
    gm_status s = GM_OK;
    const int64_t step = GMI_MIN(b->x->dims[0], b->l->rows);
    for (int64_t r0 = 0, n = 0; !s && r0 < b->count; r0 += n) {
        gm_tensor x;
        int64_t dims[1];
        n = GMI_MIN(step, b->count - r0);
        dims[0] = n;
        x = rows_of(b->x, 0, n);
        gmi_tensor_view(&to, b->l->ctx, GM_I32, 1, dims, b->label + r0);
        s = gm_dataset_read(b->data, r0, &x, &to);
    }
    return s;
}

/* The rows that class k has, per_class at most, to their place; *have of them. */
static gm_status keep_rows(balance *b, int64_t k, int64_t *have)
{
    gm_status s = GM_OK;
    *have = 0;
    for (int64_t i = 0; !s && i < b->count && *have < b->per_class; i++) {
        if (b->label[i] != k) continue;
        gm_tensor to = rows_of(b->x, k * b->per_class + (*have)++, 1);
        s = gm_dataset_read(b->data, i, &to, NULL);
    }
    if (!s && !*have) s = gmi_fail_at(b->l->ctx, GM_E_RANGE, k, "class %i has no rows: there is nothing to be near to", k);
    return s;
}

/* New rows [at, at + n) of class k, of which the first `have` are real. */
static gm_status make_rows(balance *b, int64_t k, int64_t have, int64_t at, int64_t n)
{
    const int64_t base = k * b->per_class;
    const char *from = (const char *)b->x->data + base * b->bytes;
    gm_sample_options o;
    for (int64_t i = 0; i < n; i++) memcpy((char *)b->near + i * b->bytes, from + (at - have + i) % have * b->bytes, (size_t)b->bytes);
    gm_tensor x = rows_of(b->x, 0, n), out = rows_of(b->x, base + at, n), cond = rows_of(b->labels, base + at, n);
    x.data = b->near;
    gm_sample_options_init(&o, sizeof o);
    o.seed = b->seed;
    o.first = base + at;
    gm_status s = b->l->family->check_cond(b->l, &cond, n);
    return s ? s : near_rows(b->l, &x, &cond, n, b->radius, &o, &out);
}

static gm_status fill_class(balance *b, int64_t k)
{
    const int64_t total = b->classes * b->per_class;
    int64_t have = 0;
    gm_status s = keep_rows(b, k, &have);
    int32_t *label = (int32_t *)b->labels->data + k * b->per_class;
    for (int64_t i = 0; i < b->per_class; i++) label[i] = (int32_t)k;
    for (int64_t at = have, n = 0; !s && at < b->per_class; at += n) {
        n = GMI_MIN(b->l->rows, b->per_class - at);
        s = make_rows(b, k, have, at, n);
        if (!s) s = gmi_latent_tick(b->l, "balance: %i of %i rows", k * b->per_class + at + n, total);
    }
    return s;
}

static gm_status check_balance(balance *b)
{
    gm_latent *l = b->l;
    const gm_spec *spec = gm_dataset_spec(b->data);
    gm_status s = gmi_latent_loaded(l, GM_USE_ENCODE, "encoding");
    if (!s) s = gmi_latent_loaded(l, GM_USE_DECODE, "decoding");
    if (!s) s = check_radius(l, b->radius);
    if (!s && b->per_class < 1) s = gmi_fail(l->ctx, GM_E_RANGE, "per_class is %i; at least 1", b->per_class);
    if (!s && !spec->classes) s = gmi_fail(l->ctx, GM_E_INVALID, "the dataset has no labels: nothing says what its classes are");
    if (!s && b->count < 0) s = gmi_fail(l->ctx, GM_E_UNSUPPORTED, "the dataset is endless; balancing needs a known number of rows");
    if (!s) s = l->family->fits(l, b->data);
    return s;
}

/* Room for the new dataset and for the work. */
static gm_status make_room(balance *b)
{
    gm_context *c = b->l->ctx;
    const gm_spec *spec = gm_dataset_spec(b->data);
    int64_t dims[GMI_MAX_RANK];
    b->classes = spec->classes;
    b->bytes = gmi_dataset_sample_elems(b->data) * (int64_t)gmi_dtype_size(spec->dtype);
    if (gmi_mul_i64(b->classes, b->per_class, &dims[0])) return gmi_fail(c, GM_E_RANGE, "%i classes of %i rows are too many", b->classes, b->per_class);
    for (int32_t i = 0; i < spec->rank; i++) dims[i + 1] = spec->dims[i];
    gm_status s = gm_tensor_create(c, spec->dtype, spec->rank + 1, dims, &b->x);
    if (!s) s = gm_tensor_create(c, GM_I32, 1, dims, &b->labels);
    if (s) return s;
    b->label = gmi_alloc_n(c, b->count, sizeof *b->label);
    b->near = gmi_alloc_n(c, b->l->rows, (uint64_t)b->bytes);
    return b->label && b->near ? GM_OK : GM_E_NOMEM;
}

static gm_status balanced(gm_latent *l, gm_dataset *d, int64_t per_class, double radius, uint64_t seed, gm_dataset **out)
{
    balance b;
    if (!d || !out) return gmi_fail(l->ctx, GM_E_INVALID, "%s is NULL", d ? "out" : "the dataset");
    memset(&b, 0, sizeof b);
    b.l = l;
    b.data = d;
    b.count = gmi_dataset_count(d);
    b.per_class = per_class;
    b.radius = radius;
    b.seed = seed;
    gm_status s = check_balance(&b);
    if (!s) s = make_room(&b);
    if (!s) s = read_labels(&b);
    for (int64_t k = 0; !s && k < b.classes; k++) s = fill_class(&b, k);
    if (!s) s = gm_dataset_from_tensor(b.x, b.labels, gm_dataset_spec(d), out);
    gm_tensor_destroy(b.x); /* the dataset has a reference of its own */
    gm_tensor_destroy(b.labels);
    gmi_free(l->ctx, b.label);
    gmi_free(l->ctx, b.near);
    return s;
}

gm_status gm_latent_balance(gm_latent *l, gm_dataset *d, int64_t per_class, double radius, uint64_t seed, gm_dataset **out)
{
    if (out) *out = NULL;
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_balance")) return GM_E_BUSY;
    return gmi_latent_end(l, balanced(l, d, per_class, radius, seed, out));
}
