/* SPDX-License-Identifier: MIT */
/* block.c: see block.h. The order of loops, outermost first: slabs, panels of GMI_KC terms, groups of mr rows, then (in the tile) groups of nr
 * columns, segments, terms. A sum of a slab starts with its first panel; later slabs are summed beside C and added, one addition an element. */
#include "kernels/block.h"
#include "base/base.h"

int64_t gmi_block_slabs(int64_t k)
{
    return k <= GMI_SLAB_TERMS ? 1 : (k + GMI_SLAB_TERMS - 1) / GMI_SLAB_TERMS;
}

int64_t gmi_part(int64_t n, int64_t parts, int64_t i)
{
    return n / parts * i + n % parts * i / parts;
}

int64_t gmi_ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

#define TASK_TERMS 65536.0 /* multiply-adds that are worth a task of their own */
#define BARRIER 16384.0    /* cost of one more phase */

int64_t gmi_worth_tasks(double terms, int64_t max_tasks)
{
    double worth = terms / TASK_TERMS;
    return worth < 1 ? 1 : worth < (double)max_tasks ? (int64_t)worth : GMI_MAX(1, max_tasks);
}

gmi_grid gmi_choose_grid(const gmi_kernels *t, int64_t m, int64_t n, int64_t k, int64_t tasks, int64_t max_slabs, double pack_cost, double *cost)
{
    gmi_grid best = {1, 1, 1}, g;
    int64_t groups = gmi_ceil_div(n, t->nr), slabs = gmi_block_slabs(k);
    *cost = -1;
    for (g.rows = 1; g.rows <= GMI_MIN(tasks, GMI_MAX(m, 1)); g.rows++)
        for (g.slabs = 1; g.slabs <= GMI_MIN(tasks / g.rows, GMI_MIN(slabs, max_slabs)); g.slabs++) {
            double terms = (double)gmi_ceil_div(slabs, g.slabs) * (double)(slabs == 1 ? k : GMI_SLAB_TERMS), mine, v;
            g.cols = GMI_MAX(1, GMI_MIN(tasks / (g.rows * g.slabs), groups));
            mine = (double)gmi_ceil_div(groups, g.cols);
            v = (double)gmi_ceil_div(m, g.rows) * mine * terms + (g.slabs > 1 ? BARRIER : 0);
            if (g.rows == 1)
                v += pack_cost * mine * terms;
            else if (pack_cost > 0)
                v += pack_cost * (double)groups * (double)k / (double)(g.rows * g.cols * g.slabs) + BARRIER;
            if (*cost < 0 || v < *cost) best = g, *cost = v;
        }
    return best;
}

void *gmi_align64(void *p)
{
    return (char *)p + (64 - (uintptr_t)p % 64) % 64;
}

int gmi_add_bytes(uint64_t *bytes, int64_t n, uint64_t size)
{
    uint64_t b, sum;
    if (n < 0 || gmi_mul_u64((uint64_t)n, size, &b) || gmi_add_u64(b, 128, &b) || gmi_add_u64(b - b % 64, *bytes, &sum) || sum > SIZE_MAX / 2)
        return -1;
    *bytes = sum;
    return 0;
}

int64_t gmi_block_offset(const gmi_kernels *t, int64_t k, int64_t n, int64_t k0, int64_t j0)
{
    int64_t width = (n + t->nr - 1) / t->nr * t->nr, klen = GMI_MIN(k - k0, GMI_KC);
    return k0 * width + j0 * klen;
}

/* Rows of B contiguous: whole rows are read, so that the source is seen in its own order. */
static void pack_rows(int64_t nr, const gmi_real *b, int64_t b_rs, int64_t klen, int64_t n, gmi_real *out)
{
    int64_t full = n / nr, rest = n % nr;
    for (int64_t t = 0; t < klen; t++, b += b_rs) {
        for (int64_t p = 0; p < full; p++) memcpy(out + (p * klen + t) * nr, b + p * nr, (size_t)nr * sizeof *b);
        if (!rest) continue;
        memcpy(out + (full * klen + t) * nr, b + full * nr, (size_t)rest * sizeof *b);
        memset(out + (full * klen + t) * nr + rest, 0, (size_t)(nr - rest) * sizeof *b);
    }
}

static void pack_any(int64_t nr, const gmi_real *b, int64_t b_rs, int64_t b_cs, int64_t klen, int64_t n, gmi_real *out)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t t = 0; t < klen; t++) out[(j / nr * klen + t) * nr + j % nr] = b[t * b_rs + j * b_cs];
}

void gmi_pack_b(const gmi_kernels *t, const gmi_real *b, int64_t b_rs, int64_t b_cs, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    int64_t nr = t->nr, n = j1 - j0, rest = n % nr;
    b += k0 * b_rs + j0 * b_cs;
    if (b_cs == 1) {
        pack_rows(nr, b, b_rs, klen, n, out);
        return;
    }
    if (rest)
        for (int64_t i = 0; i < klen; i++) memset(out + (n / nr * klen + i) * nr + rest, 0, (size_t)(nr - rest) * sizeof *b);
    if (b_rs != 1) {
        pack_any(nr, b, b_rs, b_cs, klen, n, out);
        return;
    }
    for (int64_t j = 0; j < n; j += nr) t->transpose(GMI_MIN(nr, n - j), klen, b + j * b_cs, b_cs, out + j * klen, nr);
}

void gmi_block_add(int64_t m, int64_t n, const gmi_block_out *out, const gmi_real *x, int64_t ldx)
{
    for (int64_t i = 0; i < m; i++) {
        gmi_real *c = out->rows ? out->rows[i] : out->c + i * out->ld;
        const gmi_real *from = x + i * ldx;
        for (int64_t j = 0; j < n; j++) c[j] = c[j] + from[j];
    }
}

/* Where the piece [k0, k0 + klen) x [j0, j1) of B is, packed now if it has to be. Direct: only the columns up to *direct are readable in place. */
static const gmi_real *piece(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, int32_t fill, int64_t *direct)
{
    int64_t nr = blk->t->nr;
    *direct = j0;
    if (blk->mode == GMI_B_READY || blk->mode == GMI_B_FILL) {
        gmi_real *at = blk->packed + gmi_block_offset(blk->t, blk->k, blk->n, k0, j0);
        if (fill && blk->mode == GMI_B_FILL) blk->pack(blk, k0, klen, j0, j1, at);
        return at;
    }
    if (blk->mode == GMI_B_DIRECT) *direct = j0 + (j1 - j0) / nr * nr;
    if (*direct < j1) blk->pack(blk, k0, klen, *direct, j1, blk->b_pack);
    return blk->b_pack;
}

static void panel(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0, int64_t klen, int32_t accumulate, int32_t fill,
                  const gmi_block_out *out)
{
    int64_t nr = blk->t->nr, rows = i1 - i0, groups = (rows + blk->t->mr - 1) / blk->t->mr, direct;
    const gmi_real *b = piece(blk, k0, klen, j0, j1, fill, &direct);
    gmi_tile_args ta;
    memset(&ta, 0, sizeof ta);
    ta.accumulate = accumulate;
    ta.ldc = out->ld;
    for (int64_t g = 0; g < groups; g++) {
        int64_t i = gmi_part(rows, groups, g), m = gmi_part(rows, groups, g + 1) - i;
        gmi_real *moved[GMI_MR_MAX];
        blk->rows(blk, k0, klen, i0 + i, (int32_t)m, &ta);
        ta.m = (int32_t)m;
        ta.c = out->rows ? NULL : out->c + i * out->ld;
        ta.c_rows = out->rows ? out->rows + i : NULL;
        if (direct > j0) {
            ta.n = (int32_t)(direct - j0), ta.b = blk->b + k0 * blk->b_rs + j0, ta.b_rs = blk->b_rs, ta.b_ps = nr;
            blk->t->tile(&ta);
            if (direct == j1) continue;
            if (ta.c) ta.c += direct - j0;
            for (int64_t r = 0; ta.c_rows && r < m; r++) moved[r] = ta.c_rows[r] + (direct - j0);
            if (ta.c_rows) ta.c_rows = moved;
        }
        ta.n = (int32_t)(j1 - direct), ta.b = b, ta.b_rs = nr, ta.b_ps = nr * klen;
        blk->t->tile(&ta);
    }
}

void gmi_block_slab(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t s, int32_t fill, const gmi_block_out *out)
{
    int64_t k0 = s * GMI_SLAB_TERMS, k1 = gmi_block_slabs(blk->k) == 1 ? blk->k : GMI_MIN(blk->k, k0 + GMI_SLAB_TERMS), k = k0;
    do {
        panel(blk, i0, i1, j0, j1, k, GMI_MIN(k1 - k, GMI_KC), k > k0, fill, out);
        k += GMI_KC;
    } while (k < k1);
}

void gmi_block_full(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int32_t fill, const gmi_block_out *out)
{
    int64_t slabs = gmi_block_slabs(blk->k);
    gmi_block_out beside;
    beside.c = blk->slab, beside.ld = j1 - j0, beside.rows = NULL;
    gmi_block_slab(blk, i0, i1, j0, j1, 0, fill, out);
    for (int64_t s = 1; s < slabs; s++) {
        gmi_block_slab(blk, i0, i1, j0, j1, s, fill, &beside);
        gmi_block_add(i1 - i0, j1 - j0, out, beside.c, beside.ld);
    }
}
