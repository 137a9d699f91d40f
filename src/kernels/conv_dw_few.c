/* SPDX-License-Identifier: MIT */
/* conv_dw_few.c: the weight gradient of a convolution from few input channels, where copying x costs as much as the products.
 *
 * Rows are (tap, channel), columns output channels, terms the pixels of y. Each line of x that a panel needs is copied once, with the zeros at its
 * sides; then all taps are inside, and a row of the product is read in place, one segment a line of y. y is read where it is. The sums are
 * few, so any panel may be another task's: sums of cells (a slab, or a panel) go to `shared`, and a second phase adds them in order and writes w.
 * Not here: the other ways (conv_dw.c), the loop nest (block.c). */
#include "base/base.h"
#include "kernels/conv.h"

enum { WAY, CELL_TERMS, ROWS, CELLS, WIDTH, REACH }; /* plan->priv; WIDTH: elements of a copied line of x; REACH: lines that a line of y sees */

#define CHANNELS 4 /* so many are few */
#define AREA 256   /* channels times output channels: beyond, the tiles of copied rows win back what copying costs */
#define LARGEST 16 /* kernel, so that the lines of a panel stay near */

typedef struct run {
    const gmi_conv_plan *p;
    const gmi_real *x;
    int64_t first;                          /* pixel of the cell */
    gmi_real *copied;                       /* lines of x */
    const gmi_real *line[GMI_SEGMENTS_MAX]; /* what line of y number i of the panel reads, from its first column on */
    gmi_block blk;
    const gmi_real *ptr[GMI_SEGMENTS_MAX * GMI_MR_MAX];
    int64_t len[GMI_SEGMENTS_MAX];
} run;

int gmi_few_plan(gmi_conv_plan *p, const gmi_kernels *t, int64_t tasks)
{
    const int64_t k = p->n * p->oh * p->ow, rows = p->kh * p->kw * p->c, panels = gmi_ceil_div(k, GMI_KC);
    uint64_t shared = 64;
    if (p->groups != 1 || !p->c || p->c > CHANNELS || !p->co || p->c * p->co > AREA || p->ow < 8 || p->ow > GMI_KC || panels < tasks) return 0;
    if (p->kh * p->dh > LARGEST || p->kw * p->dw > LARGEST || p->sh > p->kh || p->sw > p->kw) return 0;
    p->priv[WAY] = GMI_DW_FEW, p->priv[ROWS] = rows;
    /* slabs where they are many: sums of panels take up to a tenth of the time to write and to read again */
    p->priv[CELL_TERMS] = tasks == 1 || panels >= 4 * GMI_SLAB * tasks ? GMI_SLAB_TERMS : GMI_KC;
    p->priv[CELLS] = gmi_ceil_div(k, p->priv[CELL_TERMS]);
    p->tasks = (int32_t)gmi_pieces(tasks, p->priv[CELLS], (double)k * (double)rows * (double)p->co), p->phases = 2;
    p->priv[WIDTH] = ((p->ow - 1) * p->sw + (p->kw - 1) * p->dw + 1) * p->c, p->priv[REACH] = (p->kh - 1) * p->dh + 1;
    if (gmi_add_bytes(&shared, p->priv[CELLS], (uint64_t)(rows * p->co) * sizeof(gmi_real))) return -1;
    /* a line of y needs REACH more lines at most */
    p->thread_bytes = 128 + sizeof(gmi_real) * (uint64_t)(GMI_KC * t->nr + p->priv[WIDTH] * (GMI_KC / p->ow + 2) * p->priv[REACH]);
    p->shared_bytes = shared;
    return 1;
}

static void prepare(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count)
{
    run *r = (run *)(uintptr_t)blk->user;
    const gmi_conv_plan *p = r->p;
    const int64_t width = p->priv[WIDTH], size = p->w * p->c, left = GMI_MIN(p->pl * p->c, width), inside = GMI_MIN(size, width - left);
    int64_t y = 0, begin = 0;
    gmi_real *to = r->copied, *image = to;
    (void)count;
    k0 += r->first;
    for (int64_t line = k0 / p->ow, i = 0; !first[0] && line * p->ow < k0 + klen; line++) { /* once, for all rows */
        const int64_t top = line % p->oh * p->sh - p->pt;
        if (!i || top == -p->pt) image = to, y = begin = top;
        r->line[i++] = image + (top - begin) * width;
        for (; y < top + p->priv[REACH]; y++, to += width) {
            memset(to, 0, (size_t)width * sizeof *to);
            if (y >= 0 && y < p->h) memcpy(to + left, r->x + (line / p->oh * p->h + y) * size, (size_t)inside * sizeof *to);
        }
    }
}

static void rows_in_place(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    const run *r = blk->user;
    const gmi_conv_plan *p = r->p;
    int64_t column = (r->first + k0) % p->ow, at[GMI_MR_MAX];
    (void)slot;
    for (int32_t x = 0; x < m; x++) {
        const int64_t tap = (i + x) / p->c;
        at[x] = tap / p->kw * p->dh * p->priv[WIDTH] + tap % p->kw * p->dw * p->c + (i + x) % p->c;
    }
    ta->a = blk->ptr, ta->len = blk->len, ta->a_cs = p->sw * p->c;
    for (ta->segments = 0; klen > 0; klen -= blk->len[ta->segments++], column = 0) {
        blk->len[ta->segments] = GMI_MIN(klen, p->ow - column);
        for (int32_t x = 0; x < m; x++) blk->ptr[ta->segments * GMI_MR_MAX + x] = r->line[ta->segments] + column * ta->a_cs + at[x];
    }
}

/* The last columns of y, which are no whole vectors. */
static void pack(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    gmi_pack_b(blk->t, blk->b, blk->b_rs, 1, k0, klen, j0, j1, out);
}

static void compute(run *r, const gmi_kernels *t, const gmi_real *y, gmi_real *sums, int32_t task)
{
    const gmi_conv_plan *p = r->p;
    gmi_block *blk = &r->blk;
    gmi_block_out out;
    memset(blk, 0, sizeof *blk);
    blk->t = t, blk->user = r, blk->mode = GMI_B_DIRECT, blk->b_rs = out.ld = p->co, blk->ptr = r->ptr, blk->len = r->len;
    blk->prepare = prepare, blk->rows = rows_in_place, blk->pack = pack;
    blk->b_pack = r->copied, r->copied += GMI_KC * t->nr;
    blk->row_unit = t->mr_apart; /* the fewest groups of rows: for each, y comes from the second-level cache */
    out.rows = NULL;
    for (int64_t i = gmi_part(p->priv[CELLS], p->tasks, task); i < gmi_part(p->priv[CELLS], p->tasks, task + 1); i++) {
        r->first = i * p->priv[CELL_TERMS], blk->k = GMI_MIN(p->priv[CELL_TERMS], p->n * p->oh * p->ow - r->first), blk->b = y + r->first * p->co;
        out.c = sums + i * p->priv[ROWS] * p->co;
        gmi_block_slab(blk, 0, p->priv[ROWS], 0, p->co, 0, 0, &out);
    }
}

/* Some output channels: panels are added to slabs, slabs to the whole, and w[co][c][tap] is written. */
static void add_cells(const gmi_conv_plan *p, gmi_real *sums, gmi_real *w, int32_t task)
{
    const int64_t rows = p->priv[ROWS], taps = p->kh * p->kw, a = gmi_part(p->co, p->tasks, task), b = gmi_part(p->co, p->tasks, task + 1);
    gmi_real *slab = sums;
    gmi_block_out out;
    out.rows = NULL, out.ld = p->co;
    for (int64_t i = 1; i <= p->priv[CELLS]; i++) {
        gmi_real *cell = sums + i * rows * p->co;
        const int32_t begins = i == p->priv[CELLS] || i * p->priv[CELL_TERMS] % GMI_SLAB_TERMS == 0; /* a slab: the one before is complete */
        out.c = (begins ? sums : slab) + a;
        if (!begins || slab > sums) gmi_block_add(rows, b - a, &out, (begins ? slab : cell) + a, p->co);
        if (begins) slab = cell;
    }
    for (int64_t j = a; j < b; j++)
        for (int64_t i = 0; i < rows; i++) w[(j * p->c + i % p->c) * taps + i / p->c] = sums[i * p->co + j];
}

void gmi_few_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch)
{
    gmi_real *sums = gmi_align64(io->shared);
    run r;
    if (phase == 1) {
        add_cells(p, sums, io->c, task);
        return;
    }
    r.p = p, r.x = io->a, r.copied = gmi_align64(scratch);
    compute(&r, t, io->b, sums, task);
}
