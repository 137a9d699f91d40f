/* SPDX-License-Identifier: MIT */
/* test_latent_near.c: nearest neighbours against the definition: all distances, sorted. */
#include "latent_util.h"

enum { M = 700, N = 290 };
static float BANK[M][LD], Z[N][LD];

static double far(const float *a, const float *b)
{
    double s = 0;
    int j;
    for (j = 0; j < LD; j++) s += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return s;
}

/* Row i's k nearest are the k first in the order of (distance, number). */
static int wrong_row(int i, int m, int k, const int32_t *index, const float *distance)
{
    static char taken[M];
    int j, r, bad = 0;
    memset(taken, 0, sizeof taken);
    for (j = 0; j < k; j++) {
        int best = -1;
        for (r = 0; r < m; r++)
            if (!taken[r] && (best < 0 || far(Z[i], BANK[r]) < far(Z[i], BANK[best]))) best = r;
        taken[best] = 1;
        bad += index[j] != best || distance[j] != (float)sqrt(far(Z[i], BANK[best]));
    }
    return bad;
}

static void against_all(gm_context *c, gm_latent *l, int m, int n, int k)
{
    int32_t *index = malloc(sizeof *index * (size_t)(n * k));
    float *distance = malloc(sizeof *distance * (size_t)(n * k));
    gm_tensor *tb = vae_rows(c, BANK, m, LD), *tz = vae_rows(c, Z, n, LD), *ti = vae_wrap(c, GM_I32, index, 2, n, k, 0, 0),
        *td = vae_wrap(c, GM_F32, distance, 2, n, k, 0, 0);
    int i, wrong = 0;
    must(gm_latent_nearest(l, tb, tz, ti, td));
    for (i = 0; i < n; i++) wrong += wrong_row(i, m, k, index + i * k, distance + i * k);
    is_int(wrong, 0, "%d rows, bank of %d, %d nearest", n, m, k);
    gm_tensor_destroy(tb);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ti);
    gm_tensor_destroy(td);
    free(index);
    free(distance);
}

/* The same for threads and levels, for rows alone, and with strides. */
static void same(gm_context *c, gm_vae *v)
{
    enum { K = 6 };
    static int32_t first[N][K], index[N][K], flipped[K][N];
    static float d1[N][K], d2[N][K], column[LD][M];
    static const int64_t dims[2] = {M, LD}, strides[2] = {sizeof(float), M * sizeof(float)}, idims[2] = {N, K},
        istrides[2] = {sizeof(int32_t), N * sizeof(int32_t)};
    const gm_model *m = NULL;
    gm_latent *l = NULL;
    int32_t threads;
    int i, j, wrong = 0;
    must(gm_vae_snapshot(v, &m));
    for (threads = 1; threads <= 3; threads++) {
        gm_context *d = vae_context(threads, threads == 2 ? GM_SIMD_SCALAR : GM_SIMD_BEST);
        gm_tensor *tb = vae_rows(d, BANK, M, LD), *tz = vae_rows(d, Z, N, LD), *ti = vae_wrap(d, GM_I32, threads == 1 ? first : index, 2, N, K, 0, 0);
        gm_tensor *td = vae_wrap(d, GM_F32, threads == 1 ? d1 : d2, 2, N, K, 0, 0);
        must(gm_latent_create(d, m, NULL, &l));
        must(gm_latent_nearest(l, tb, tz, ti, td));
        if (threads > 1) ok(!memcmp(first, index, sizeof first) && !memcmp(d1, d2, sizeof d1), "%d threads", (int)threads);
        gm_latent_destroy(l);
        gm_tensor_destroy(tb);
        gm_tensor_destroy(tz);
        gm_tensor_destroy(ti);
        gm_tensor_destroy(td);
        gm_context_destroy(d);
    }
    must(gm_latent_create(c, m, NULL, &l));
    gm_tensor *tb = vae_rows(c, BANK, M, LD), *across = NULL, *tz = vae_rows(c, Z, N, LD), *ti = NULL;
    for (i = 0; i < 40; i++) {
        gm_tensor *one = vae_rows(c, Z[i], 1, LD), *to = vae_wrap(c, GM_I32, index[0], 2, 1, K, 0, 0);
        must(gm_latent_nearest(l, tb, one, to, NULL));
        wrong += memcmp(index[0], first[i], sizeof first[i]) != 0;
        gm_tensor_destroy(one);
        gm_tensor_destroy(to);
    }
    is_int(wrong, 0, "one row at a time, without distances");
    for (i = 0; i < M; i++)
        for (j = 0; j < LD; j++) column[j][i] = BANK[i][j];
    must(gm_tensor_wrap(c, GM_F32, 2, dims, strides, column, &across));
    must(gm_tensor_wrap(c, GM_I32, 2, idims, istrides, flipped, &ti));
    must(gm_latent_nearest(l, across, tz, ti, NULL));
    for (i = 0, wrong = 0; i < N; i++)
        for (j = 0; j < K; j++) wrong += flipped[j][i] != first[i][j];
    is_int(wrong, 0, "strides of bank and index");
    size_t before = c->alloc_count;
    must(gm_latent_nearest(l, tb, tz, ti, NULL));
    is_int(c->alloc_count, before, "the second call allocates nothing");
    gm_tensor_destroy(tb);
    gm_tensor_destroy(across);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ti);
    gm_latent_destroy(l);
    gm_model_destroy(m);
}

static void refusals(gm_context *c, gm_latent *l)
{
    static int32_t index[4][3];
    static float distance[4][3];
    gm_tensor *tb = vae_rows(c, BANK, 2, LD), *tz = vae_rows(c, Z, 4, LD), *ti = vae_wrap(c, GM_I32, index, 2, 4, 3, 0, 0),
        *two = vae_wrap(c, GM_I32, index, 2, 4, 2, 0, 0);
    gm_tensor *rows = vae_wrap(c, GM_I32, index, 2, 3, 2, 0, 0), *none = vae_wrap(c, GM_I32, index, 2, 4, 0, 0, 0), *td = vae_rows(c, distance, 4, 3),
        *thin = vae_rows(c, Z, 4, 2);
    refused(c, gm_latent_nearest(l, tb, tz, ti, NULL), GM_E_RANGE, "latent_nearest: index asks for 3 neighbours; the bank has 2 rows");
    refused(c, gm_latent_nearest(l, tb, tz, none, NULL), GM_E_RANGE, "index asks for 0");
    refused(c, gm_latent_nearest(l, tb, tz, rows, NULL), GM_E_SHAPE, "it must be [4,k]");
    refused(c, gm_latent_nearest(l, tb, tz, td, NULL), GM_E_DTYPE, "it must be i32");
    refused(c, gm_latent_nearest(l, tb, tz, two, td), GM_E_SHAPE, "distance is");
    refused(c, gm_latent_nearest(l, NULL, tz, two, NULL), GM_E_INVALID, "bank is NULL");
    refused(c, gm_latent_nearest(l, tb, thin, two, NULL), GM_E_SHAPE, "z is");
    refused(c, gm_latent_nearest(l, tb, tz, NULL, NULL), GM_E_INVALID, "index is NULL");
    float keep = BANK[1][2];
    BANK[1][2] = (float)NAN;
    refused(c, gm_latent_nearest(l, tb, tz, two, NULL), GM_E_NONFINITE, "bank row 1");
    BANK[1][2] = keep;
    gm_context_cancel(c);
    is_int(gm_latent_nearest(l, tb, tz, two, NULL), GM_E_CANCELLED, "cancelled");
    is_int(gm_latent_nearest(l, tb, tz, two, NULL), GM_OK, "and then not");
    is_int(gm_latent_nearest(NULL, tb, tz, two, NULL), GM_E_INVALID, "NULL for a latent");
    gm_tensor_destroy(tb);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ti);
    gm_tensor_destroy(two);
    gm_tensor_destroy(rows);
    gm_tensor_destroy(none);
    gm_tensor_destroy(td);
    gm_tensor_destroy(thin);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    gm_vae *v = latent_vae(c, "elbo", 0);
    gm_latent *l = latent_of(c, v, NULL);
    uint32_t seed = 15;
    int i, j;
    for (i = 0; i < M; i++) /* few values: many ties, and rows that are equal */
        for (j = 0; j < LD; j++) BANK[i][j] = i % 2 ? (float)(int)(6 * vae_random(&seed)) : (float)(6 * vae_random(&seed));
    for (i = 0; i < N; i++)
        for (j = 0; j < LD; j++) Z[i][j] = i % 3 ? (float)(int)(6 * vae_random(&seed)) : (float)(6 * vae_random(&seed));
    against_all(c, l, 1, 3, 1);
    against_all(c, l, 9, 7, 9);
    against_all(c, l, 256, 8, 3);
    against_all(c, l, 257, 9, 1);
    against_all(c, l, M, N, 5);
    against_all(c, l, M, 20, 300);
    against_all(c, l, M, 2, M);
    same(c, v);
    refusals(c, l);
    gm_latent_destroy(l);
    gm_vae_destroy(v);
    gm_context_destroy(c);
    return done();
}
