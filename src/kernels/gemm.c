/* SPDX-License-Identifier: MIT */
/* gemm.c: matrix products of any strides over the loop nest of block.c, cut into tasks and phases.
 *
 * Tasks form a grid over batch steps, rows, columns and slabs of k; the plan takes the grid with the least work for its busiest task. When no two
 * tasks share columns of B each packs its own just before use; otherwise one phase packs all of B first. Tasks over slabs leave partial
 * sums in `shared`, and a last phase adds them in order. Few rows do not repay packing: then B is read in place if its columns are contiguous, and
 * packed piece by piece into scratch if not.
 * Where rows are few, columns may be cut into more pieces than there are threads, and a first phase prepares all rows of A.
 * Not here: the order of additions (block.c), the inner loop (gemm_tile.c), convolutions (conv.c, conv_dw.c). */
#include "kernels/gemm.h"
#include "base/base.h"
#include "kernels/blas.h"
#include "kernels/block.h"

/* plan->priv */
enum { MODE, CUT_BATCH, CUT_ROWS, CUT_COLS, CUT_SLABS, BLOCK_ROWS, BLOCK_COLS, PREPARE };
/* PREPARE */
enum { IN_PLACE, PREPARED, PREPARED_BEFORE };

#define FEW_ROWS 8             /* up to here packing costs more than it brings */
#define PACK_COST 3.0          /* of one group of columns for one term, see gmi_choose_grid */
#define BLOCK_BYTES (256 * 1024) /* of packed B that stays in the second-level cache */
#define LONG_M 1024          /* rows that leave the cache before the next block of columns needs them again: then blocks are wider */
#define BLOCK_M 128          /* rows whose sums stay there too */
#define SMALL (640 * 1024)   /* bytes of A that every thread reads again for each piece */
#define AHEAD 12 /* terms of a transposed A that are asked for early: the hardware does not foresee long steps */
#define SIDE_COLS 192        /* columns that repay copying rows of A side by side for a better tile */

/* The problem with batch steps that are rows of one larger product folded into m. */
typedef struct problem {
    int64_t batch, m, n, k;
} problem;

static problem fold(const gmi_gemm_plan *p)
{
    problem q;
    q.batch = p->batch, q.m = p->m, q.n = p->n, q.k = p->k;
    if (p->b_bs == 0 && p->a_bs == p->m * p->a_rs && p->c_bs == p->m * p->c_rs) q.m *= q.batch, q.batch = 1;
    return q;
}

/* Returns whether tasks pack B together. lives: packed B serves more than one block, so it is packed once. */
static int32_t choose_grid(gmi_gemm_plan *p, const problem *q, const gmi_kernels *t, int64_t tasks, int32_t lives)
{
    double best = -1, v, pack_cost = p->priv[MODE] == GMI_B_DIRECT ? 0 : GM_TRAINING && lives && p->keep_b ? GMI_KEPT : PACK_COST;
    int32_t share = 0;
    for (int64_t b = 1; b <= GMI_MIN(tasks, GMI_MAX(q->batch, 1)); b++) {
        gmi_grid g = gmi_choose_grid(t, q->m, q->n, q->k, tasks / b, q->batch == 1 ? INT64_MAX : 1, pack_cost, lives, &v);
        v *= (double)gmi_ceil_div(q->batch, b);
        if (best >= 0 && v >= best) continue;
        best = v;
        p->priv[CUT_BATCH] = b, p->priv[CUT_ROWS] = g.rows, p->priv[CUT_COLS] = g.cols, p->priv[CUT_SLABS] = g.slabs;
        share = g.share || (lives && b > 1 && pack_cost > 0);
    }
    return share;
}

static int64_t slot_count(const problem *q, const gmi_kernels *t)
{
    return gmi_ceil_div(q->m, t->mr);
}

/* Few rows, many columns: pieces of columns, each of which packs its own part of B; rows of A are prepared before, for all. */
static void cut_pieces(gmi_gemm_plan *p, const problem *q, const gmi_kernels *t, int64_t tasks, int32_t *share)
{
    const double terms = (double)q->m * (double)q->n * (double)q->k;
    const int64_t groups = gmi_ceil_div(q->n, t->nr), small = SMALL / (int64_t)sizeof(gmi_real) / GMI_MAX(q->k, 1);
    int64_t pieces;
    if (t->mr_apart == t->mr || p->priv[MODE] != GMI_B_FILL || p->keep_b || q->batch != 1 || p->priv[CUT_SLABS] > 1 || tasks < 2) return;
    if (q->m <= small && q->m >= t->mr && q->m <= GMI_WHOLE_ROWS && (pieces = gmi_pieces(tasks, groups, terms)) > tasks) {
        p->priv[CUT_ROWS] = 1, p->priv[CUT_COLS] = pieces, p->priv[PREPARE] = PREPARED_BEFORE;
        *share = 0;
    }
}

/* Columns of a block: a packed piece fits the second-level cache, unless rows of A have to be copied: then they are copied for all columns.
 * Rows of a block: when B is packed for the block only, all of them; else few enough that the epilogue finds them in the cache. */
static void choose_blocks(gmi_gemm_plan *p, const problem *q, const gmi_kernels *t)
{
    int64_t groups = gmi_ceil_div(gmi_ceil_div(q->n, t->nr), p->priv[CUT_COLS]), rows = gmi_ceil_div(q->m, p->priv[CUT_ROWS]);
    int64_t bytes = p->priv[PREPARE] ? 8 * BLOCK_BYTES : rows > LONG_M ? 4 * BLOCK_BYTES : BLOCK_BYTES;
    int64_t per = GMI_MAX(1, bytes / (t->nr * (int64_t)sizeof(gmi_real) * GMI_MAX(1, GMI_MIN(q->k, GMI_KC))));
    if (p->priv[MODE] == GMI_B_LOCAL && q->m <= t->mr && (!GM_TRAINING || p->a_cs != 1 || !p->priv[PREPARE])) per = 1; /* a piece serves once: it need not leave the first cache */
    p->priv[BLOCK_COLS] = gmi_ceil_div(groups, GMI_MAX(1, gmi_ceil_div(groups, per))) * t->nr;
    if (p->priv[MODE] != GMI_B_LOCAL) {
        rows = gmi_ceil_div(rows, GMI_MAX(1, gmi_ceil_div(rows, BLOCK_M)));
        if (GM_TRAINING && rows > t->mr) rows = gmi_ceil_div(rows, t->mr) * t->mr;
    }
    p->priv[BLOCK_ROWS] = GMI_MAX(1, rows);
}

/* Elements of a task's own packed B: a group of columns, a block, or a chunk when the prepared rows of A stay. */
static int64_t b_pack_size(const gmi_gemm_plan *p, const problem *q, const gmi_kernels *t)
{
    int64_t klen = GMI_MIN(q->k, GMI_KC), width = p->priv[BLOCK_COLS];
    if (p->priv[MODE] == GMI_B_DIRECT) return t->nr * klen;
    if (p->priv[MODE] != GMI_B_LOCAL) return 0;
    if (p->priv[PREPARE] != PREPARED || p->priv[BLOCK_ROWS] > GMI_WHOLE_ROWS) return width * klen;
    return GMI_MIN(width * klen, gmi_block_chunk_size(t));
}

static int sizes(gmi_gemm_plan *p, const problem *q, const gmi_kernels *t)
{
    int64_t width = p->priv[BLOCK_COLS], rows = p->priv[BLOCK_ROWS], mode = p->priv[MODE], area;
    uint64_t thread = 64, shared = 0;
    if (p->priv[PREPARE] == PREPARED && gmi_add_bytes(&thread, gmi_block_a_size(t, gmi_block_slots(t, rows)), sizeof(gmi_real))) return -1;
    if (gmi_add_bytes(&thread, b_pack_size(p, q, t), sizeof(gmi_real))) return -1;
    if (q->k > GMI_SLAB_TERMS && gmi_add_bytes(&thread, rows * width, sizeof(gmi_real))) return -1;
    if (mode == GMI_B_READY || mode == GMI_B_FILL)
        if (gmi_mul_i64(gmi_ceil_div(q->n, t->nr) * t->nr, q->k, &area) || gmi_add_bytes(&shared, area, sizeof(gmi_real))) return -1;
    if (GM_TRAINING && p->priv[PREPARE] == PREPARED_BEFORE)
        if (gmi_mul_i64(gmi_block_a_size(t, (int32_t)slot_count(q, t)), gmi_ceil_div(q->k, GMI_KC), &area) || gmi_add_bytes(&shared, area, sizeof(gmi_real))) return -1;
    if (p->priv[CUT_SLABS] > 1)
        if (gmi_mul_i64(q->m, q->n, &area) || gmi_mul_i64(area, gmi_block_slabs(q->k) - 1, &area) || gmi_add_bytes(&shared, area, sizeof(gmi_real))) return -1;
    p->thread_bytes = thread;
    p->shared_bytes = shared ? shared + 64 : 0;
    return 0;
}

int gmi_gemm_plan_init(gmi_gemm_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    int64_t area, rows, tasks;
    int32_t private_b, lives, share;
    problem q;
    if (p->batch < 0 || p->m < 0 || p->n < 0 || p->k < 0 || p->n > INT64_MAX / 2 - t->nr || p->k > INT64_MAX / 2) return -1;
    if (gmi_mul_i64(p->batch, p->m, &rows) || gmi_mul_i64(rows, p->n, &area)) return -1;
    p->blas = 0;
    if (GMI_BLAS && gmi_blas_plan(p, t, max_tasks)) return 0;
    q = fold(p);
    if (q.n > INT32_MAX - t->nr) return -1;
    private_b = q.batch > 1 && p->b_bs != 0;
    lives = !private_b && (p->keep_b || q.batch > 1);
    p->priv[MODE] = p->b_cs == 1 && q.m <= FEW_ROWS && (private_b || !p->keep_b) ? GMI_B_DIRECT : GMI_B_FILL;
    tasks = gmi_worth_tasks((double)area * (double)q.k, max_tasks);
    share = choose_grid(p, &q, t, tasks, lives);
    p->priv[PREPARE] = p->a_cs != 1;
    if (GM_TRAINING) cut_pieces(p, &q, t, tasks, &share);
    if (p->priv[MODE] == GMI_B_FILL) p->priv[MODE] = share ? GMI_B_READY : lives ? GMI_B_FILL : GMI_B_LOCAL;
    if (GM_TRAINING && t->mr_apart < t->mr && p->priv[MODE] != GMI_B_DIRECT && q.m >= t->mr && q.n / p->priv[CUT_COLS] >= SIDE_COLS && !p->priv[PREPARE])
        p->priv[PREPARE] = PREPARED;
    choose_blocks(p, &q, t);
    p->tasks = (int32_t)(p->priv[CUT_BATCH] * p->priv[CUT_ROWS] * p->priv[CUT_COLS] * p->priv[CUT_SLABS]);
    p->phases = 1 + (p->priv[MODE] == GMI_B_READY || (GM_TRAINING && p->priv[PREPARE] == PREPARED_BEFORE)) + (p->priv[CUT_SLABS] > 1);
    return sizes(p, &q, t);
}

int32_t gmi_gemm_pack_phases(const gmi_gemm_plan *p)
{
    return !p->blas && p->priv[MODE] == GMI_B_READY;
}

/* Blocks have all columns, and k is one slab. */
static int whole_rows(const gmi_gemm_plan *p, const problem *q)
{
    return p->priv[CUT_COLS] == 1 && p->priv[BLOCK_COLS] >= q->n && gmi_block_slabs(q->k) == 1;
}

int gmi_gemm_task_rows(const gmi_gemm_plan *p, int32_t task, int64_t *m0, int64_t *m1)
{
    const problem q = fold(p);
    const int64_t *cut = p->priv, parts = cut[CUT_SLABS] > 1 ? p->tasks : cut[CUT_ROWS];
    if (p->blas || q.batch != 1 || (cut[CUT_SLABS] == 1 && cut[CUT_COLS] > 1)) return 0;
    *m0 = gmi_part(q.m, parts, task), *m1 = gmi_part(q.m, parts, task + 1);
    return GM_TRAINING && whole_rows(p, &q) ? 2 : 1;
}

/* ---- execution ---- */
typedef struct run {
    const gmi_gemm_plan *p;
    const gmi_gemm_io *io;
    problem q;
    const gmi_real *a, *b;
    gmi_real *c, *partial;
    int32_t task;
    int64_t batch_at;
    gmi_block blk;
    const gmi_real *ptr[GMI_MR_MAX];
    int64_t len[1];
} run;

/* Rows of A in place: the terms of a row are contiguous. */
static void rows_in_place(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    const run *r = blk->user;
    const gmi_real *a = r->a + i * r->p->a_rs + k0;
    (void)slot;
    for (int32_t x = 0; x < m; x++) blk->ptr[x] = a + x * r->p->a_rs;
    blk->len[0] = klen;
    ta->segments = 1, ta->a = blk->ptr, ta->len = blk->len, ta->a_cs = 1;
}

/* Rows of A with any strides. A few terms at a time over all groups: each line of a transposed A is then read once. */
static void prepare_rows(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count)
{
    const run *r = blk->user;
    int64_t rs = r->p->a_rs, cs = r->p->a_cs;
    if (GM_TRAINING && cs == 1) {
        for (int32_t g = 0; g < count; g++) {
            int64_t m = first[g + 1] - first[g];
            blk->t->transpose(m, klen, r->a + first[g] * rs + k0, rs, gmi_block_slot(blk, g), m);
        }
        return;
    }
    for (int64_t t = 0; t < klen; t += 4)
        for (int32_t g = 0; g < count; g++) {
            int64_t m = first[g + 1] - first[g], n = GMI_MIN(4, klen - t);
            const gmi_real *a = r->a + first[g] * rs + (k0 + t) * cs;
            gmi_real *to = gmi_block_slot(blk, g) + t * m;
            for (int64_t i = t + AHEAD; GM_TRAINING && i < GMI_MIN(t + n + AHEAD, klen); i++) GMI_PREFETCH(a + (i - t) * cs);
            if (rs == 1)
                gmi_copy_rows(n, m, a, cs, to, m);
            else
                for (int64_t i = 0; i < n * m; i++) to[i] = a[i / m * cs + i % m * rs];
        }
}

/* Rows of A that phase 0 prepared, panel after panel, in slots of mr rows. */
static gmi_real *slots_before(const gmi_block *blk, int64_t k0)
{
    return blk->a_pack + k0 / GMI_KC * gmi_block_a_size(blk->t, blk->slots);
}

static void rows_prepared_before(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    gmi_block panel = *blk;
    panel.a_pack = slots_before(blk, k0);
    gmi_block_prepared(&panel, k0, klen, i, m, slot, ta);
}

static void pack_of_b(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    const run *r = blk->user;
    gmi_pack_b(blk->t, r->b, r->p->b_rs, r->p->b_cs, k0, klen, j0, j1, out);
}

static void run_init(run *r, const gmi_gemm_plan *p, const gmi_kernels *t, const gmi_gemm_io *io, int32_t task, void *scratch)
{
    int64_t mode = p->priv[MODE];
    gmi_real *s = gmi_align64(scratch), *shared = p->shared_bytes ? gmi_align64(io->shared) : NULL;
    memset(&r->blk, 0, sizeof r->blk);
    r->partial = NULL;
    r->p = p, r->io = io, r->q = fold(p), r->a = io->a, r->b = io->b, r->c = io->c, r->task = task;
    r->blk.t = t, r->blk.k = r->q.k, r->blk.n = r->q.n, r->blk.pack = pack_of_b, r->blk.user = r;
    r->blk.mode = (gmi_block_mode)mode, r->blk.packed = shared, r->blk.b = io->b, r->blk.b_rs = p->b_rs, r->blk.ptr = r->ptr, r->blk.len = r->len;
    r->blk.side = p->priv[PREPARE] != IN_PLACE, r->blk.prepare = p->priv[PREPARE] == PREPARED ? prepare_rows : NULL;
    r->blk.rows = p->priv[PREPARE] == IN_PLACE ? rows_in_place : !GM_TRAINING || p->priv[PREPARE] == PREPARED ? gmi_block_prepared : rows_prepared_before;
    r->blk.slots = gmi_block_slots(t, p->priv[BLOCK_ROWS]);
    r->blk.a_pack = s;
    r->blk.b_pack = s + (p->priv[PREPARE] == PREPARED ? gmi_block_a_size(t, r->blk.slots) : 0);
    if (GM_TRAINING && p->priv[PREPARE] == PREPARED_BEFORE) r->blk.a_pack = shared, r->blk.slots = (int32_t)slot_count(&r->q, t);
    r->blk.slab = r->blk.b_pack + b_pack_size(p, &r->q, t);
    if (p->priv[CUT_SLABS] > 1)
        r->partial = shared + (mode == GMI_B_READY || mode == GMI_B_FILL ? gmi_ceil_div(r->q.n, t->nr) * t->nr * r->q.k : 0);
}

static void pack_all(const run *r)
{
    const gmi_kernels *t = r->blk.t;
    int64_t panels = gmi_ceil_div(r->q.k, GMI_KC), groups = gmi_ceil_div(r->q.n, t->nr), pieces = panels * groups;
    int64_t at = gmi_part(pieces, r->p->tasks, r->task), end = gmi_part(pieces, r->p->tasks, r->task + 1);
    while (at < end) {
        int64_t k0 = at / groups * GMI_KC, g0 = at % groups, g1 = GMI_MIN(groups, g0 + (end - at)), klen = GMI_MIN(r->q.k - k0, GMI_KC);
        pack_of_b(&r->blk, k0, klen, g0 * t->nr, GMI_MIN(g1 * t->nr, r->q.n), r->blk.packed + gmi_block_offset(t, r->q.k, r->q.n, k0, g0 * t->nr));
        at += g1 - g0;
    }
}

/* Part of the tiles of rows of all panels. */
static void prepare_all(const run *r)
{
    const int64_t slots = r->blk.slots, n = slots * gmi_ceil_div(r->q.k, GMI_KC);
    gmi_block one = r->blk;
    for (int64_t x = gmi_part(n, r->p->tasks, r->task); x < gmi_part(n, r->p->tasks, r->task + 1); x++) {
        const int64_t k0 = x / slots * GMI_KC, g = x % slots, first[2] = {gmi_block_group(&r->blk, r->q.m, g), gmi_block_group(&r->blk, r->q.m, g + 1)};
        one.a_pack = slots_before(&r->blk, k0) + (gmi_block_slot(&r->blk, (int32_t)g) - r->blk.a_pack);
        prepare_rows(&one, k0, GMI_MIN(r->q.k - k0, GMI_KC), first, 1);
    }
}

static void rows_done(const gmi_block *blk, int64_t i0, int64_t i1)
{
    const run *r = blk->user;
    r->io->epilogue(r->io->epilogue_user, r->batch_at * r->q.m + i0, r->batch_at * r->q.m + i1, 0, r->q.n, r->task);
}

/* One rectangle of C of one batch step: all of it, or the slabs [s0, s1) when slabs are cut. */
static void rectangle(const run *r, int64_t batch, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t s0, int64_t s1, int32_t fill)
{
    gmi_block_out out;
    out.rows = NULL, out.c = r->c + i0 * r->p->c_rs + j0, out.ld = r->p->c_rs;
    if (r->p->priv[CUT_SLABS] == 1) {
        gmi_block_full(&r->blk, i0, i1, j0, j1, fill, &out);
        if (r->io->epilogue && !r->blk.done) r->io->epilogue(r->io->epilogue_user, batch * r->q.m + i0, batch * r->q.m + i1, j0, j1, r->task);
        return;
    }
    for (int64_t s = s0; s < s1; s++) {
        if (s > 0) out.c = r->partial + ((s - 1) * r->q.m + i0) * r->q.n + j0, out.ld = r->q.n;
        gmi_block_slab(&r->blk, i0, i1, j0, j1, s, fill, &out);
    }
}

static void compute(run *r)
{
    const gmi_gemm_plan *p = r->p;
    const int64_t *cut = p->priv;
    int64_t groups = gmi_ceil_div(r->q.n, r->blk.t->nr), x = r->task, nr = r->blk.t->nr;
    int64_t ic = x % cut[CUT_COLS], is = x / cut[CUT_COLS] % cut[CUT_SLABS], ir = x / (cut[CUT_COLS] * cut[CUT_SLABS]) % cut[CUT_ROWS];
    int64_t ib = x / (cut[CUT_COLS] * cut[CUT_SLABS] * cut[CUT_ROWS]), slabs = gmi_block_slabs(r->q.k);
    int64_t c0 = gmi_part(groups, cut[CUT_COLS], ic) * nr, c1 = GMI_MIN(r->q.n, gmi_part(groups, cut[CUT_COLS], ic + 1) * nr);
    int64_t r0 = gmi_part(r->q.m, cut[CUT_ROWS], ir), r1 = gmi_part(r->q.m, cut[CUT_ROWS], ir + 1);
    int64_t s0 = gmi_part(slabs, cut[CUT_SLABS], is), s1 = gmi_part(slabs, cut[CUT_SLABS], is + 1);
    int32_t fill = !(p->keep_b && r->io->packed);
    if (GM_TRAINING && r->io->epilogue && whole_rows(p, &r->q)) r->blk.done = rows_done;
    for (int64_t b = gmi_part(r->q.batch, cut[CUT_BATCH], ib); b < gmi_part(r->q.batch, cut[CUT_BATCH], ib + 1); b++) {
        if (GM_TRAINING) r->batch_at = b;
        r->a = r->io->a + b * p->a_bs, r->b = r->blk.b = r->io->b + b * p->b_bs, r->c = r->io->c + b * p->c_bs;
        for (int64_t j = c0; j < c1; j += cut[BLOCK_COLS])
            for (int64_t i = r0; i < r1; i += cut[BLOCK_ROWS])
                rectangle(r, b, i, GMI_MIN(r1, i + cut[BLOCK_ROWS]), j, GMI_MIN(c1, j + cut[BLOCK_COLS]), s0, s1,
                          fill && i == r0 && (p->b_bs || b == 0));
    }
}

static void add_slabs(const run *r)
{
    int64_t r0 = gmi_part(r->q.m, r->p->tasks, r->task), r1 = gmi_part(r->q.m, r->p->tasks, r->task + 1), slabs = gmi_block_slabs(r->q.k);
    gmi_block_out out;
    if (r0 == r1) return;
    out.c = r->c + r0 * r->p->c_rs, out.ld = r->p->c_rs, out.rows = NULL;
    for (int64_t s = 1; s < slabs; s++) gmi_block_add(r1 - r0, r->q.n, &out, r->partial + ((s - 1) * r->q.m + r0) * r->q.n, r->q.n);
    if (r->io->epilogue) r->io->epilogue(r->io->epilogue_user, r0, r1, 0, r->q.n, r->task);
}

void gmi_gemm_run(const gmi_gemm_plan *p, const gmi_kernels *t, const gmi_gemm_io *io, int32_t phase, int32_t task, void *scratch)
{
    run r;
    if (GMI_BLAS && p->blas) {
        gmi_blas_run(p, io, task);
        return;
    }
    run_init(&r, p, t, io, task, scratch);
    if (GM_TRAINING && p->priv[PREPARE] == PREPARED_BEFORE && phase == 0) {
        prepare_all(&r);
    } else if (p->priv[MODE] == GMI_B_READY && phase == 0) {
        if (!(p->keep_b && io->packed)) pack_all(&r);
    } else if (p->priv[CUT_SLABS] > 1 && phase == p->phases - 1) {
        add_slabs(&r);
    } else {
        compute(&r);
    }
}
