/* SPDX-License-Identifier: MIT */
/* latent_near.c: exact nearest neighbours among rows, in blocks.
 *
 * PASS rows of z meet the bank BLOCK rows at a time; a block is transposed, so that its rows stand side by side in the inner loop. A distance is the sum
 * of squared differences in double, over dimensions in order, whatever the block and the thread: no |a|^2 - 2ab + |b|^2, which loses the digits of what
 * is near. Each row keeps its k nearest in a heap ordered by (distance, number), the farthest on top, and sorts it at the end. Threads share the rows of
 * a pass. */
#include "repr/latent.h"
#include "nn/nn.h"

#define PASS 256
#define BLOCK 256
#define TASK 8 /* rows of z in a task */

typedef struct neighbour {
    double far; /* squared distance */
    int64_t row;
} neighbour;

typedef struct search {
    const gmi_real *z;    /* [rows, d] */
    const gmi_real *bank; /* [d, BLOCK] */
    int64_t d, rows, k;
    int64_t first, count; /* of the block */
    neighbour *heap;      /* [PASS, k]; the first `filled` of each are in use */
    int64_t filled;
} search;

static int farther(const neighbour *a, const neighbour *b) { return a->far > b->far || (a->far == b->far && a->row > b->row); }

/* Puts v at the top of the heap h [n] and lets it sink. */
static void sink(neighbour *h, int64_t n, neighbour v)
{
    int64_t i = 0;
    for (int64_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && farther(&h[child + 1], &h[child])) child++;
        if (!farther(&h[child], &v)) break;
        h[i] = h[child];
        i = child;
    }
    h[i] = v;
}

static void rise(neighbour *h, int64_t i, neighbour v)
{
    for (; i > 0 && farther(&v, &h[(i - 1) / 2]); i = (i - 1) / 2) h[i] = h[(i - 1) / 2];
    h[i] = v;
}

/* Nearest first. */
static void sort(neighbour *h, int64_t n)
{
    while (n > 1) {
        neighbour last = h[--n];
        h[n] = h[0];
        sink(h, n, last);
    }
}

static void one_row(const search *s, int64_t i)
{
    double far[BLOCK];
    neighbour *h = s->heap + i * s->k, v;
    int64_t filled = s->filled;
    memset(far, 0, sizeof far);
    for (int64_t t = 0; t < s->d; t++) {
        const double z = (double)s->z[i * s->d + t];
        const gmi_real *b = s->bank + t * BLOCK;
        for (int64_t j = 0; j < BLOCK; j++) {
            double delta = z - (double)b[j];
            far[j] += delta * delta;
        }
    }
    for (int64_t j = 0; j < s->count; j++) {
        v.far = far[j];
        v.row = s->first + j;
        if (filled < s->k)
            rise(h, filled++, v);
        else if (farther(&h[0], &v))
            sink(h, s->k, v);
    }
}

static void task(void *arg, int32_t i)
{
    const search *s = arg;
    const int64_t end = GMI_MIN(s->rows, ((int64_t)i + 1) * TASK);
    for (int64_t r = (int64_t)i * TASK; r < end; r++) one_row(s, r);
}

/* Rows [first, first + count) of the bank, as columns; row [d] is scratch. */
static void load_block(const gm_tensor *bank, int64_t first, int64_t count, int64_t d, gmi_real *row, gmi_real *to)
{
    for (int64_t j = 0; j < count; j++) {
        gmi_tensor_to_real(bank, first + j, first + j + 1, 1, 0, row);
        for (int64_t t = 0; t < d; t++) to[t * BLOCK + j] = row[t];
    }
}

static void store(const search *s, int64_t r0, gm_tensor *index, gm_tensor *distance)
{
    for (int64_t i = 0; i < s->rows; i++) {
        neighbour *h = s->heap + i * s->k;
        sort(h, s->k);
        for (int64_t j = 0; j < s->k; j++) {
            int32_t row = (int32_t)h[j].row;
            float far = (float)gmi_num_sqrt(h[j].far);
            memcpy((char *)index->data + (r0 + i) * index->strides[0] + j * index->strides[1], &row, sizeof row);
            if (distance) memcpy((char *)distance->data + (r0 + i) * distance->strides[0] + j * distance->strides[1], &far, sizeof far);
        }
    }
}

static gm_status check(gm_latent *l, const gm_tensor *bank, const gm_tensor *z, gm_tensor *index, gm_tensor *distance, int64_t *m, int64_t *n)
{
    gm_context *c = l->ctx;
    char have[96];
    gm_status s = gmi_core_check_z(l->core, bank, "bank", l->dim, m);
    if (!s) s = gmi_core_check_z(l->core, z, "z", l->dim, n);
    if (s) return s;
    if (!index) return gmi_fail(c, GM_E_INVALID, "index is NULL");
    gmi_tensor_describe(index, have, sizeof have);
    if (index->dtype != GM_I32) return gmi_fail(c, GM_E_DTYPE, "index is %s; it must be i32", have);
    if (index->rank != 2 || index->dims[0] != *n) return gmi_fail(c, GM_E_SHAPE, "index is %s; it must be [%i,k]", have, *n);
    if (index->readonly) return gmi_fail(c, GM_E_READONLY, "index is read-only memory: give a tensor that may be written");
    if (index->dims[1] < 1 || index->dims[1] > *m)
        return gmi_fail(c, GM_E_RANGE, "index asks for %i neighbours; the bank has %i rows: 1 to %i", index->dims[1], *m, *m);
    if (*m > INT32_MAX) return gmi_fail(c, GM_E_RANGE, "bank has %i rows; numbers of rows are i32", *m);
    return distance ? gmi_core_check_rows(l->core, distance, "distance", *n, index->dims[1], 1) : GM_OK;
}

static gm_status one_pass(gm_latent *l, search *s, const gm_tensor *bank, gmi_real *block, gmi_real *row, int64_t m)
{
    s->filled = 0;
    for (s->first = 0; s->first < m; s->first += s->count) {
        s->count = GMI_MIN(BLOCK, m - s->first);
        load_block(bank, s->first, s->count, s->d, row, block);
        gmi_parallel(l->ctx, (int32_t)((s->rows + TASK - 1) / TASK), task, s);
        s->filled = GMI_MIN(s->k, s->filled + s->count);
        if (gmi_cancelled(l->ctx)) return gmi_fail(l->ctx, GM_E_CANCELLED, "cancelled");
    }
    return GM_OK;
}

static gm_status nearest(gm_latent *l, const gm_tensor *bank, const gm_tensor *z, gm_tensor *index, gm_tensor *distance)
{
    const int64_t d = l->dim;
    search s;
    int64_t m = 0, n = 0;
    gm_status st = check(l, bank, z, index, distance, &m, &n);
    if (st) return st;
    memset(&s, 0, sizeof s);
    s.d = d;
    s.k = index->dims[1];
    gmi_real *rows = gmi_latent_work(l, GMI_LATENT_CODE, GMI_MIN(n, PASS) * d, sizeof *rows);
    gmi_real *block = gmi_latent_work(l, GMI_LATENT_BANK, (BLOCK + 1) * d, sizeof *block); /* zeros behind the last row are finite and not looked at */
    s.heap = gmi_latent_work(l, GMI_LATENT_HEAP, GMI_MIN(n, PASS) * s.k, sizeof *s.heap);
    if (!rows || !block || !s.heap) return GM_E_NOMEM;
    s.z = rows;
    s.bank = block;
    for (int64_t r0 = 0; !st && r0 < n; r0 += s.rows) {
        s.rows = GMI_MIN(PASS, n - r0);
        gmi_tensor_to_real(z, r0, r0 + s.rows, 1, 0, rows);
        st = one_pass(l, &s, bank, block, block + BLOCK * d, m);
        if (!st) store(&s, r0, index, distance);
    }
    return st;
}

gm_status gm_latent_nearest(gm_latent *l, const gm_tensor *bank, const gm_tensor *z, gm_tensor *index, gm_tensor *distance)
{
    if (!l) return GM_E_INVALID;
    if (gmi_latent_begin(l, "latent_nearest")) return GM_E_BUSY;
    return gmi_latent_end(l, nearest(l, bank, z, index, distance));
}
