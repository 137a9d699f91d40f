/* SPDX-License-Identifier: MIT */
/* test_latent_path.c: paths, traversals and directions: end points, lengths and angles, sums by hand. */
#include "latent_util.h"

static double length(const float *a)
{
    double s = 0;
    int j;
    for (j = 0; j < LD; j++) s += (double)a[j] * (double)a[j];
    return sqrt(s);
}

static double angle(const float *a, const float *b)
{
    double s = 0;
    int j;
    for (j = 0; j < LD; j++) s += (double)a[j] * (double)b[j];
    s /= length(a) * length(b);
    return acos(s > 1 ? 1 : s < -1 ? -1 : s);
}

/* A path of n points from a to b. */
static void path(gm_context *c, gm_latent *l, const float *a, const float *b, gm_path p, int n, float (*z)[LD])
{
    float end[2][LD];
    memcpy(end[0], a, sizeof end[0]);
    memcpy(end[1], b, sizeof end[1]);
    gm_tensor *ta = vae_vector(c, end[0], LD), *tb = vae_rows(c, end[1], 1, LD), *tz = vae_rows(c, z, n, LD);
    must(gm_latent_interpolate(l, ta, tb, p, tz));
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
    gm_tensor_destroy(tz);
}

static void interpolate(gm_context *c, gm_latent *l)
{
    enum { N = 11 };
    static float z[N][LD];
    uint32_t seed = 3;
    int k, i, j, ends = 0, lengths = 0, angles = 0, lines = 0;
    for (k = 0; k < 50; k++) {
        float a[LD], b[LD];
        for (j = 0; j < LD; j++) {
            a[j] = (float)(4 * vae_random(&seed) - 2);
            b[j] = (float)(4 * vae_random(&seed) - 2);
        }
        path(c, l, a, b, GM_PATH_SPHERICAL, N, z);
        ends += memcmp(z[0], a, sizeof a) || memcmp(z[N - 1], b, sizeof b);
        for (i = 0; i < N; i++) {
            double t = (double)i / (N - 1);
            lengths += fabs(length(z[i]) - ((1 - t) * length(a) + t * length(b))) > 1e-6;
            angles += fabs(angle(a, z[i]) - t * angle(a, b)) > 1e-5 || fabs(angle(z[i], b) - (1 - t) * angle(a, b)) > 1e-5;
        }
        path(c, l, a, b, GM_PATH_LINEAR, N, z);
        ends += memcmp(z[0], a, sizeof a) || memcmp(z[N - 1], b, sizeof b);
        for (i = 0; i < N; i++)
            for (j = 0; j < LD; j++) lines += fabs((double)z[i][j] - ((double)a[j] + i / (double)(N - 1) * ((double)b[j] - (double)a[j]))) > 1e-6;
    }
    is_int(ends, 0, "both paths begin at a and end at b exactly");
    is_int(lengths, 0, "spherical: the length goes linearly");
    is_int(angles, 0, "spherical: the angle goes linearly, within the plane of a and b");
    is_int(lines, 0, "linear: a + t (b - a)");
}

/* Where there is no one great circle, or it is a line. */
static void special(gm_context *c, gm_latent *l)
{
    static const float a[LD] = {1, 2, -2}, zero[LD] = {0, 0, 0}, twice[LD] = {2, 4, -4}, against[LD] = {-1, -2, 2}, near_a[LD] = {1.00001f, 2, -2},
        x[LD] = {1, 0, 0}, y[LD] = {0, 1, 0};
    static float z[3][LD];
    path(c, l, a, zero, GM_PATH_SPHERICAL, 3, z);
    near(length(z[1]), 1.5, 1e-7, "to 0: a straight line");
    path(c, l, zero, zero, GM_PATH_SPHERICAL, 3, z);
    near(length(z[1]), 0, 0, "from 0 to 0: 0");
    path(c, l, a, twice, GM_PATH_SPHERICAL, 3, z);
    near(length(z[1]), 4.5, 1e-6, "parallel: a straight line");
    path(c, l, a, against, GM_PATH_SPHERICAL, 3, z);
    near(length(z[1]), 0, 1e-7, "opposite: a straight line");
    path(c, l, a, near_a, GM_PATH_SPHERICAL, 3, z);
    near((double)z[1][0], 1.000005, 1e-7, "nearly parallel: no digits are lost");
    path(c, l, x, y, GM_PATH_SPHERICAL, 3, z);
    near((double)z[1][0], sqrt(0.5), 1e-7, "a quarter of a circle");
    near((double)z[1][1], sqrt(0.5), 1e-7, "has its middle at 45 degrees");
}

static void traverse(gm_context *c, gm_latent *l)
{
    static float z[LD] = {1, 2, 3}, u[1][LD] = {{1, 0, -2}}, out[5][LD];
    static const float want[5][LD] = {{-1, 2, 7}, {-0.5f, 2, 6}, {0, 2, 5}, {0.5f, 2, 4}, {1, 2, 3}};
    gm_tensor *tz = vae_vector(c, z, LD), *tu = vae_rows(c, u, 1, LD), *to = vae_rows(c, out, 5, LD);
    must(gm_latent_traverse(l, tz, tu, -2, 0, to));
    ok(!memcmp(out, want, sizeof out), "traverse: z + t u for t from -2 to 0");
    must(gm_latent_traverse(l, tz, tu, 0.1, 0.7, to));
    ok(out[4][0] == (float)(1 + 0.7) && out[0][0] == (float)(1 + 0.1), "the ends are those given");
    gm_tensor *one = vae_rows(c, out, 1, LD);
    refused(c, gm_latent_traverse(l, tz, tu, 0, 1, one), GM_E_SHAPE, "latent_traverse: out has 1 rows");
    refused(c, gm_latent_traverse(l, tz, tu, 0, INFINITY, to), GM_E_RANGE, "must be finite");
    refused(c, gm_latent_traverse(l, tz, NULL, 0, 1, to), GM_E_INVALID, "direction is NULL");
    refused(c, gm_latent_traverse(l, to, tu, 0, 1, to), GM_E_SHAPE, "it must be [3] or [1,3]");
    is_int(gm_latent_traverse(NULL, tz, tu, 0, 1, to), GM_E_INVALID, "NULL for a latent");
    gm_tensor_destroy(one);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tu);
    gm_tensor_destroy(to);
}

static void direction(gm_context *c, gm_latent *l)
{
    static float z[5][LD] = {{1, 2, 3}, {3, 0, 1}, {-1, 5, 0}, {2, 2, 2}, {4, 4, 9}}, out[LD], column[LD][5];
    static int32_t label[5] = {0, 1, 0, 7, 1}, none[5] = {0, 0, 0, 0, 0};
    static const int64_t dims[2] = {5, LD}, strides[2] = {sizeof(float), 5 * sizeof(float)};
    gm_tensor *tz = vae_rows(c, z, 5, LD), *ty = vae_labels(c, label, 5), *t0 = vae_labels(c, none, 5), *to = vae_vector(c, out, LD), *across = NULL;
    int i, j;
    must(gm_latent_direction(l, tz, ty, to));
    for (j = 0; j < LD; j++) {
        double one = ((double)z[1][j] + (double)z[3][j] + (double)z[4][j]) / 3, other = ((double)z[0][j] + (double)z[2][j]) / 2;
        near((double)out[j], one - other, 1e-6, "direction, dimension %d", j);
    }
    for (i = 0; i < 5; i++)
        for (j = 0; j < LD; j++) column[j][i] = z[i][j];
    must(gm_tensor_wrap(c, GM_F32, 2, dims, strides, column, &across));
    float before[LD];
    memcpy(before, out, sizeof out);
    must(gm_latent_direction(l, across, ty, to));
    ok(!memcmp(before, out, sizeof out), "strides");
    refused(c, gm_latent_direction(l, tz, t0, to), GM_E_RANGE, "latent_direction: 5 rows have label 0 and 0 another one");
    refused(c, gm_latent_direction(l, tz, tz, to), GM_E_DTYPE, "labels is");
    refused(c, gm_latent_direction(l, tz, ty, tz), GM_E_SHAPE, "direction is");
    z[3][1] = (float)NAN;
    refused(c, gm_latent_direction(l, tz, ty, to), GM_E_NONFINITE, "z row 3");
    z[3][1] = 2;
    gm_tensor_destroy(across);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(t0);
    gm_tensor_destroy(to);
}

static void refusals(gm_context *c, gm_latent *l)
{
    static float a[LD], z[4][LD];
    gm_tensor *ta = vae_vector(c, a, LD), *tz = vae_rows(c, z, 4, LD), *one = vae_rows(c, z, 1, LD), *short_a = vae_vector(c, a, LD - 1);
    size_t before;
    refused(c, gm_latent_interpolate(l, NULL, ta, GM_PATH_LINEAR, tz), GM_E_INVALID, "latent_interpolate: a is NULL");
    refused(c, gm_latent_interpolate(l, ta, short_a, GM_PATH_LINEAR, tz), GM_E_SHAPE, "b is");
    refused(c, gm_latent_interpolate(l, ta, ta, 7, tz), GM_E_INVALID, "path is 7");
    refused(c, gm_latent_interpolate(l, ta, ta, GM_PATH_LINEAR, one), GM_E_SHAPE, "z has 1 rows");
    refused(c, gm_latent_interpolate(l, ta, ta, GM_PATH_LINEAR, ta), GM_E_SHAPE, "z is");
    a[1] = (float)NAN;
    refused(c, gm_latent_interpolate(l, ta, ta, GM_PATH_LINEAR, tz), GM_E_NONFINITE, "a is not finite");
    a[1] = 0;
    must(gm_latent_interpolate(l, ta, ta, GM_PATH_SPHERICAL, tz));
    before = c->alloc_count;
    must(gm_latent_interpolate(l, ta, ta, GM_PATH_SPHERICAL, tz));
    must(gm_latent_traverse(l, ta, ta, 0, 1, tz));
    is_int(c->alloc_count, before, "neither allocates");
    is_text(gm_path_name(GM_PATH_LINEAR), "linear", "names");
    is_text(gm_path_name(GM_PATH_SPHERICAL), "spherical", "of paths");
    is_text(gm_path_name(2), "unknown", "and of none");
    is_text(gm_path_name(-1), "unknown", "at all");
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(one);
    gm_tensor_destroy(short_a);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l = latent_of(c, v, NULL);
    interpolate(c, l);
    special(c, l);
    traverse(c, l);
    direction(c, l);
    refusals(c, l);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
    gm_context_destroy(c);
    return done();
}
