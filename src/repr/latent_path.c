/* SPDX-License-Identifier: MIT */
/* latent_path.c: arithmetic on z: paths between points, traversals, directions of attributes. No network is asked.
 *
 * Sums and products run in double and are rounded once. The spherical path is that of Shoemake (Animating rotation with quaternion curves, 1985) on
 * directions, with the length going linearly (White 2016): c(t) = (sin((1-t) w) u + sin(t w) v) / sin w, w the angle between u = a/|a| and v = b/|b|. The angle
 * is 2 atan(|u - v| / |u + v|) (Kahan), which is exact where the arc cosine loses its digits. */
#include "repr/latent.h"
#include "nn/nn.h"

const char *gm_path_name(gm_path p)
{
    static const char names[][10] = {"linear", "spherical"};
    return p >= 0 && p < (gm_path)GMI_COUNT(names) ? names[p] : "unknown";
}

/* One point: f32 [dim] or [1, dim]. */
static gm_status check_point(gm_latent *l, const gm_tensor *t, const char *name)
{
    char have[96];
    if (!t) return gmi_fail(l->ctx, GM_E_INVALID, "%s is NULL", name);
    gmi_tensor_describe(t, have, sizeof have);
    if (t->dtype != GM_F32) return gmi_fail(l->ctx, GM_E_DTYPE, "%s is %s; it must be f32", name, have);
    if ((t->rank == 1 && t->dims[0] == l->dim) || (t->rank == 2 && t->dims[0] == 1 && t->dims[1] == l->dim)) return GM_OK;
    return gmi_fail(l->ctx, GM_E_SHAPE, "%s is %s; it must be [%i] or [1,%i]", name, have, l->dim, l->dim);
}

/* Its numbers, finite, into to [dim]. */
static gm_status take_point(gm_latent *l, const gm_tensor *t, const char *name, gmi_real *to)
{
    gm_status s = check_point(l, t, name);
    if (s) return s;
    if (gmi_tensor_nonfinite_row(t, 0, t->dims[0]) >= 0) return gmi_fail(l->ctx, GM_E_NONFINITE, "%s is not finite", name);
    gmi_tensor_to_real(t, 0, t->dims[0], 1, 0, to);
    return GM_OK;
}

/* Rows of a path as an output: at least 2. */
static gm_status check_path(gm_latent *l, gm_tensor *z, const char *name, int64_t *n)
{
    *n = z && z->rank == 2 ? z->dims[0] : 0;
    gm_status s = gmi_core_check_rows(l->core, z, name, *n, l->dim, 1);
    if (!s && *n < 2) s = gmi_fail(l->ctx, GM_E_SHAPE, "%s has %i rows; a path has at least 2", name, *n);
    return s;
}

static void store_row(gm_tensor *z, int64_t i, const gmi_real *row) { gmi_tensor_from_real(z, i, i + 1, 1, 0, row); }

/* ---- interpolate ---- */

typedef struct sphere {
    double a, b;    /* lengths */
    double w, sine; /* angle in turns, and its sine; sine 0: the path is a straight line */
} sphere;

/* Where a length is 0 or the points are opposite there is no one great circle; where they are parallel it is the straight line. */
static sphere sphere_of(const gmi_real *a, const gmi_real *b, int64_t d)
{
    sphere s;
    double aa = 0, bb = 0, minus = 0, plus = 0;
    memset(&s, 0, sizeof s);
    for (int64_t i = 0; i < d; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    s.a = gmi_num_sqrt(aa);
    s.b = gmi_num_sqrt(bb);
    if (!(s.a > 0) || !(s.b > 0)) return s;
    for (int64_t i = 0; i < d; i++) {
        double u = (double)a[i] / s.a, v = (double)b[i] / s.b;
        minus += (u - v) * (u - v);
        plus += (u + v) * (u + v);
    }
    if (minus < 1e-18 || plus < 1e-12) return s;
    s.w = gmi_num_atan(gmi_num_sqrt(minus) / gmi_num_sqrt(plus)) / 3.141592653589793;
    double cosine;
    gmi_num_turn(s.w, &s.sine, &cosine);
    return s;
}

static void point(const sphere *s, const gmi_real *a, const gmi_real *b, int64_t d, double t, gmi_real *to)
{
    double p = 1 - t, q = t, unused, length;
    if (s->sine > 0) {
        length = s->a + t * (s->b - s->a);
        gmi_num_turn((1 - t) * s->w, &p, &unused);
        gmi_num_turn(t * s->w, &q, &unused);
        p *= length / (s->sine * s->a);
        q *= length / (s->sine * s->b);
    }
    for (int64_t i = 0; i < d; i++) to[i] = (gmi_real)(p * (double)a[i] + q * (double)b[i]);
}

static gm_status interpolate(gm_latent *l, const gm_tensor *ta, const gm_tensor *tb, gm_path path, gm_tensor *z)
{
    const int64_t d = l->dim;
    int64_t n = 0;
    sphere s;
    gm_status st = GM_OK;
    if (path != GM_PATH_LINEAR && path != GM_PATH_SPHERICAL)
        return gmi_fail(l->ctx, GM_E_INVALID, "path is %d; give GM_PATH_LINEAR or GM_PATH_SPHERICAL", path);
    gmi_real *a = gmi_latent_work(l, GMI_LATENT_CODE, 3 * d, sizeof *a);
    if (!a) return GM_E_NOMEM;
    gmi_real *b = a + d, *row = a + 2 * d;
    st = take_point(l, ta, "a", a);
    if (!st) st = take_point(l, tb, "b", b);
    if (!st) st = check_path(l, z, "z", &n);
    if (st) return st;
    memset(&s, 0, sizeof s);
    if (path == GM_PATH_SPHERICAL) s = sphere_of(a, b, d);
    store_row(z, 0, a);
    for (int64_t i = 1; i + 1 < n; i++) {
        point(&s, a, b, d, (double)i / (double)(n - 1), row);
        store_row(z, i, row);
    }
    store_row(z, n - 1, b);
    return GM_OK;
}

gm_status gm_latent_interpolate(gm_latent *l, const gm_tensor *a, const gm_tensor *b, gm_path p, gm_tensor *z)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_interpolate")) return GM_E_BUSY;
    return gmi_latent_end(l, interpolate(l, a, b, p, z));
}

/* ---- traverse ---- */

static gm_status traverse(gm_latent *l, const gm_tensor *tz, const gm_tensor *direction, double from, double to, gm_tensor *out)
{
    const int64_t d = l->dim;
    int64_t n = 0;
    gmi_real *z = gmi_latent_work(l, GMI_LATENT_CODE, 3 * d, sizeof *z);
    if (!z) return GM_E_NOMEM;
    gmi_real *u = z + d, *row = z + 2 * d;
    gm_status s = take_point(l, tz, "z", z);
    if (!s) s = take_point(l, direction, "direction", u);
    if (!s && (!gmi_f64_finite(from) || !gmi_f64_finite(to) || !gmi_f64_finite(to - from)))
        s = gmi_fail(l->ctx, GM_E_RANGE, "from is %g and to is %g; both must be finite", from, to);
    if (!s) s = check_path(l, out, "out", &n);
    for (int64_t i = 0; !s && i < n; i++) {
        double t = i == n - 1 ? to : from + (double)i / (double)(n - 1) * (to - from);
        for (int64_t j = 0; j < d; j++) row[j] = (gmi_real)((double)z[j] + t * (double)u[j]);
        store_row(out, i, row);
    }
    return s;
}

gm_status gm_latent_traverse(gm_latent *l, const gm_tensor *z, const gm_tensor *direction, double from, double to, gm_tensor *out)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_traverse")) return GM_E_BUSY;
    return gmi_latent_end(l, traverse(l, z, direction, from, to, out));
}

/* ---- direction ---- */

/* Sums of the two sides [2, d] and their rows. */
static void add_sides(const gm_latent *l, const gm_tensor *z, const gm_tensor *labels, gmi_real *row, double *sum, int64_t rows[2])
{
    const int64_t d = l->dim;
    memset(sum, 0, (size_t)(2 * d) * sizeof *sum);
    rows[0] = rows[1] = 0;
    for (int64_t i = 0; i < z->dims[0]; i++) {
        int32_t label;
        memcpy(&label, (const char *)labels->data + i * labels->strides[0], sizeof label);
        double *to = sum + (label != 0) * d;
        rows[label != 0]++;
        gmi_tensor_to_real(z, i, i + 1, 1, 0, row);
        for (int64_t j = 0; j < d; j++) to[j] += (double)row[j];
    }
}

static gm_status find_direction(gm_latent *l, const gm_tensor *z, const gm_tensor *labels, gm_tensor *direction)
{
    const int64_t d = l->dim;
    int64_t n = 0, rows[2];
    gm_status s = gmi_core_check_z(l->core, z, "z", l->dim, &n);
    if (!s) s = gmi_latent_check_vector(l, labels, "labels", GM_I32, n, 0);
    if (!s) s = check_point(l, direction, "direction");
    if (!s && direction->readonly) s = gmi_fail(l->ctx, GM_E_READONLY, "direction is read-only memory: give a tensor that may be written");
    if (s) return s;
    gmi_real *row = gmi_latent_work(l, GMI_LATENT_CODE, d, sizeof *row);
    double *sum = gmi_latent_work(l, GMI_LATENT_SUMS, 2 * d, sizeof *sum);
    if (!row || !sum) return GM_E_NOMEM;
    add_sides(l, z, labels, row, sum, rows);
    if (!rows[0] || !rows[1])
        return gmi_fail(l->ctx, GM_E_RANGE, "%i rows have label 0 and %i another one; a direction needs both", rows[0], rows[1]);
    for (int64_t j = 0; j < d; j++) row[j] = (gmi_real)(sum[d + j] / (double)rows[1] - sum[j] / (double)rows[0]);
    gmi_tensor_from_real(direction, 0, direction->dims[0], 1, 0, row);
    return GM_OK;
}

gm_status gm_latent_direction(gm_latent *l, const gm_tensor *z, const gm_tensor *labels, gm_tensor *direction)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_direction")) return GM_E_BUSY;
    return gmi_latent_end(l, find_direction(l, z, labels, direction));
}
