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

#define PIECES 8             /* a thread, at most */
#define PIECE_TERMS 2097152.0 /* multiply-adds of a piece, at least: some 30 microseconds */

int64_t gmi_pieces(int64_t tasks, int64_t units, double terms)
{
    const int64_t most = GMI_MIN(units, tasks * PIECES), worth = terms < PIECE_TERMS * (double)most ? (int64_t)(terms / PIECE_TERMS) : most;
    return GM_TRAINING && tasks > 1 && worth >= 2 * tasks ? worth : tasks;
}

gmi_grid gmi_choose_grid(const gmi_kernels *t, int64_t m, int64_t n, int64_t k, int64_t tasks, int64_t max_slabs, double pack_cost, int32_t must_share,
                         double *cost)
{
    gmi_grid best = {1, 1, 1, 0}, g;
    int64_t groups = gmi_ceil_div(n, t->nr), slabs = gmi_block_slabs(k);
    const int32_t kept = GM_TRAINING && pack_cost > 0 && pack_cost <= GMI_KEPT;
    *cost = -1;
    for (g.rows = 1; g.rows <= GMI_MIN(tasks, GMI_MAX(m, 1)); g.rows++)
        for (g.slabs = 1; g.slabs <= GMI_MIN(tasks / g.rows, GMI_MIN(slabs, max_slabs)); g.slabs++) {
            double terms = (double)gmi_ceil_div(slabs, g.slabs) * (double)(slabs == 1 ? k : GMI_SLAB_TERMS), mine, alone, together, v;
            g.cols = GMI_MAX(1, GMI_MIN(tasks / (g.rows * g.slabs), groups));
            mine = (double)gmi_ceil_div(groups, g.cols);
            alone = pack_cost * mine * terms;
            together = pack_cost * (double)groups * (double)k / (double)(g.rows * g.cols * g.slabs) + (kept ? 0 : BARRIER);
            g.share = pack_cost > 0 && g.rows > 1 && (must_share || together < alone);
            v = (double)gmi_ceil_div(m, g.rows) * mine * terms + (g.slabs > 1 ? BARRIER : 0) + (g.share ? together : alone);
            if (*cost < 0 || v < *cost || (kept && v == *cost)) best = g, *cost = v; /* of equals, the one that cuts rows */
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

void gmi_copy_rows(int64_t rows, int64_t len, const gmi_real *from, int64_t from_step, gmi_real *to, int64_t to_step)
{
    /* a constant length is a few moves, a variable one a call */
#define COPY(n)                                                                                                                                      \
    case n:                                                                                                                                          \
        for (int64_t i = 0; i < rows; i++) memcpy(to + i * to_step, from + i * from_step, n * sizeof *to);                                           \
        return;
    switch (len) { COPY(1) COPY(2) COPY(3) COPY(4) COPY(5) COPY(6) COPY(7) COPY(8) COPY(12) COPY(14) COPY(16) COPY(32) COPY(64) }
#undef COPY
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * to_step, from + i * from_step, (size_t)len * sizeof *to);
}

#define AHEAD 12 /* rows: a line of each is asked for early, because the hardware does not foresee long steps */

/* Rows of B contiguous: a few groups at a time, so that few pages are written. */
static void pack_rows(const gmi_kernels *kernels, const gmi_real *b, int64_t b_rs, int64_t klen, int64_t n, gmi_real *out)
{
    int64_t nr = kernels->nr, full = n / nr * nr, rest = n % nr;
    for (int64_t t = 0; t < klen; t += 4)
        for (int64_t j = 0; j < full; j += nr) {
            for (int64_t i = t; i < t + 4 && i + AHEAD < klen; i++) GMI_PREFETCH(b + (i + AHEAD) * b_rs + j);
            kernels->copy_rows(GMI_MIN(4, klen - t), nr, b + t * b_rs + j, b_rs, out + j * klen + t * nr, nr);
        }
    if (!rest) return;
    gmi_copy_rows(klen, rest, b + full, b_rs, out + full * klen, nr);
    for (int64_t t = 0; t < klen; t++) memset(out + full * klen + t * nr + rest, 0, (size_t)(nr - rest) * sizeof *b);
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
        pack_rows(t, b, b_rs, klen, n, out);
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

#define CHUNK_BYTES (128 * 1024) /* of packed B, in the second-level cache beside prepared rows */

int32_t gmi_block_slots(const gmi_kernels *t, int64_t rows)
{
    return (int32_t)gmi_ceil_div(rows <= GMI_WHOLE_ROWS ? GMI_MAX(rows, 1) : GM_TRAINING && t->mr > t->mr_apart ? GMI_SLOT_ROWS_TALL : GMI_SLOT_ROWS, t->mr);
}

int64_t gmi_block_a_size(const gmi_kernels *t, int32_t slots)
{
    return (int64_t)slots * (t->mr * GMI_KC + 16);
}

int64_t gmi_block_chunk_size(const gmi_kernels *t)
{
    return GMI_MAX(CHUNK_BYTES / (int64_t)sizeof(gmi_real), (int64_t)t->nr * GMI_KC);
}

gmi_real *gmi_block_slot(const gmi_block *blk, int32_t slot)
{
    return blk->a_pack + (int64_t)slot * (blk->t->mr * GMI_KC + 16);
}

void gmi_block_prepared(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    (void)k0, (void)i;
    for (int32_t x = 0; x < m; x++) blk->ptr[x] = gmi_block_slot(blk, slot) + x;
    blk->len[0] = klen;
    ta->segments = 1, ta->a = blk->ptr, ta->len = blk->len, ta->a_cs = m, ta->a_side = 1;
}

/* One panel of a block: B's columns before `direct` are read in place, those from `from` on are at b. */
typedef struct strip {
    int64_t k0, klen, j0, j1, direct, from;
    const gmi_real *b;
    const gmi_block_out *out;
} strip;

/* The tiles of one group of rows over columns [ja, jb); row 0 is row i of the block's output. */
static void row_group(const gmi_block *blk, const strip *s, gmi_tile_args *ta, int64_t i, int64_t ja, int64_t jb)
{
    int64_t nr = blk->t->nr;
    gmi_real *moved[GMI_MR_MAX];
    while (ja < jb) {
        int32_t in_place = ja < s->direct;
        int64_t end = in_place ? GMI_MIN(jb, s->direct) : jb;
        ta->n = (int32_t)(end - ja);
        ta->b = in_place ? blk->b + s->k0 * blk->b_rs + ja : s->b + (ja - s->from) * s->klen;
        ta->b_rs = in_place ? blk->b_rs : nr;
        ta->b_ps = in_place ? nr : nr * s->klen;
        ta->c = s->out->rows ? NULL : s->out->c + i * s->out->ld + (ja - s->j0);
        ta->c_rows = s->out->rows ? s->out->rows + i : NULL;
        if (ta->c_rows && ja > s->j0) {
            for (int32_t r = 0; r < ta->m; r++) moved[r] = ta->c_rows[r] + (ja - s->j0);
            ta->c_rows = moved;
        }
        blk->t->tile(ta);
        ja = end;
    }
}

/* Groups of at most mr rows, nearly equal: a group of five costs five sixths of one of six, a group of one much more than a sixth. Above 6
 * rows, and in builds for devices, tiles exist for even numbers of rows only (gemm_tile.c): there all groups but the last are even, or each odd one would
 * compute a row for nothing. */
static int64_t group_max(const gmi_block *blk)
{
    return GM_TRAINING && !blk->side ? blk->t->mr_apart : blk->t->mr;
}

static int64_t count_groups(const gmi_block *blk, int64_t rows)
{
    int64_t mr = group_max(blk), unit = blk->row_unit;
    if (!unit) return gmi_ceil_div(rows, mr);
    return rows / unit * gmi_ceil_div(unit, mr) + gmi_ceil_div(rows % unit, mr);
}

static int64_t cut_rows(int64_t mr, int64_t rows, int64_t groups, int64_t g)
{
    int64_t step = GM_TRAINING && mr <= 6 ? 1 : 2;
    return GMI_MIN(rows, gmi_part(gmi_ceil_div(rows, step), groups, g) * step);
}

static int64_t group_start(const gmi_block *blk, int64_t rows, int64_t groups, int64_t g)
{
    int64_t unit = blk->row_unit, mr = group_max(blk), per, u, left;
    if (!unit) return cut_rows(mr, rows, groups, g);
    per = gmi_ceil_div(unit, mr), u = g / per, left = GMI_MIN(unit, rows - u * unit);
    return u * unit + cut_rows(mr, left, GMI_MAX(1, gmi_ceil_div(left, mr)), g % per);
}

int64_t gmi_block_group(const gmi_block *blk, int64_t rows, int64_t g)
{
    return group_start(blk, rows, count_groups(blk, rows), g);
}

/* Groups [g, g + count) of the rows over columns [ja, jb). */
static void row_groups(const gmi_block *blk, const strip *s, gmi_tile_args *ta, const int64_t *first, int32_t count, int64_t i0, int64_t ja, int64_t jb)
{
    for (int32_t x = 0; x < count; x++) {
        ta->m = (int32_t)(first[x + 1] - first[x]);
        blk->rows(blk, s->k0, s->klen, first[x], ta->m, x, ta);
        row_group(blk, s, ta, first[x] - i0, ja, jb);
    }
}

static void panel(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0, int64_t klen, int32_t accumulate, int32_t fill,
                  const gmi_block_out *out)
{
    int64_t rows = i1 - i0, groups = count_groups(blk, rows), first[GMI_SLOTS_MAX + 1];
    int64_t nr = blk->t->nr, step = blk->prepare ? gmi_block_chunk_size(blk->t) / (GMI_MAX(klen, 1) * nr) * nr : j1 - j0;
    int32_t slots = blk->side ? blk->slots : 1, whole = blk->prepare && blk->mode == GMI_B_LOCAL && groups <= slots;
    gmi_tile_args ta;
    strip s;
    s.k0 = k0, s.klen = klen, s.j0 = j0, s.j1 = j1, s.out = out;
    memset(&ta, 0, sizeof ta);
    ta.accumulate = accumulate;
    ta.ldc = out->ld;
    if (!whole) s.b = piece(blk, k0, klen, j0, j1, fill, &s.direct), s.from = s.direct;
    for (int64_t g = 0; g < groups; g += slots) {
        int32_t count = (int32_t)GMI_MIN(slots, groups - g);
        for (int32_t x = 0; x <= count; x++) first[x] = i0 + group_start(blk, rows, groups, g + x);
        if (blk->prepare) blk->prepare(blk, k0, klen, first, count);
        for (int64_t j = j0; j < j1; j += step) {
            int64_t end = GMI_MIN(j1, j + step);
            if (whole) s.b = piece(blk, k0, klen, j, end, fill, &s.direct), s.from = s.direct;
            row_groups(blk, &s, &ta, first, count, i0, j, end);
        }
        if (GM_TRAINING && blk->done && k0 + klen == blk->k) blk->done(blk, first[0], first[count]);
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
