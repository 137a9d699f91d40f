/* SPDX-License-Identifier: MIT */
/* block.h: the loop nest that matrix products and convolutions share (internal to kernels/gemm.c and kernels/conv*.c).
 *
 * A block is a rectangle of C over the whole length of k. Around the register tile there are three loops: slabs, panels of GMI_KC terms,
 * groups of mr rows. Where rows of A come from and how columns of B are packed are two callbacks; everything that decides the bits
 * (panels and slabs) is here and in the tile. B is packed as panels of GMI_KC terms, in each the groups of nr columns one after another,
 * in each group one row of nr elements a term, zero-padded. Sizes follow Goto & van de Geijn, "Anatomy of high-performance matrix
 * multiplication", 2008: a packed piece of B stays in the second-level cache, mr rows of A in the first. */
#ifndef GMI_KERNELS_BLOCK_H
#define GMI_KERNELS_BLOCK_H
#include "kernels/gemm.h"

#define GMI_SLAB_TERMS ((int64_t)GMI_SLAB * GMI_KC)
#define GMI_SEGMENTS_MAX 72 /* segments of one panel: GMI_KC / 8 and two cut ones, with room */

typedef struct gmi_block gmi_block;
/* Copies terms [k0, k0 + klen) of the rows from first[0] on into blk->a_pack: group g < count has the rows [first[g], first[g + 1]) and its place is
 * gmi_block_slot(blk, g). Several groups at once, because a source line of rows that lie side by side serves more than one. */
typedef void gmi_block_prepare_fn(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count);
/* Points ta's segments, a, len, a_cs at rows [i, i + m) and terms [k0, k0 + klen) of A: in place, or in the slot. */
typedef void gmi_block_rows_fn(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta);
/* Packs terms [k0, k0 + klen) and columns [j0, j1) of B, j0 a multiple of nr, into out. */
typedef void gmi_block_pack_fn(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out);

/* Rows [i0, i1) of the block are finished. */
typedef void gmi_block_done_fn(const gmi_block *blk, int64_t i0, int64_t i1);

typedef enum {
    GMI_B_READY,  /* blk->packed holds all of B */
    GMI_B_FILL,   /* blk->packed is filled piece by piece, just before its first use */
    GMI_B_LOCAL,  /* each piece is packed into blk->b_pack for this block only */
    GMI_B_DIRECT  /* b is read where it is, rows b_rs apart; only a last narrow group is packed */
} gmi_block_mode;

struct gmi_block {
    const gmi_kernels *t;
    int64_t k, n; /* terms, columns of all of B */
    gmi_block_prepare_fn *prepare; /* NULL: rows of A are in place, or all prepared before */
    int32_t side;                  /* rows lie side by side: prepared now or before */
    gmi_block_rows_fn *rows;
    gmi_block_pack_fn *pack;
    gmi_block_done_fn *done; /* may be NULL; only where k is one slab */
    const void *user;
    int64_t row_unit; /* > 0: no group of rows crosses a multiple of this */
    gmi_block_mode mode;
    gmi_real *packed;
    const gmi_real *b;
    int64_t b_rs;
    /* a_pack: gmi_block_a_size. b_pack: GMI_KC * columns of a block; only of a chunk if all rows of a block have slots. slab: rows * columns of a
     * block if there are slabs. */
    gmi_real *a_pack, *b_pack, *slab;
    int32_t slots;
    const gmi_real **ptr;             /* GMI_SEGMENTS_MAX * GMI_MR_MAX */
    int64_t *len;                     /* GMI_SEGMENTS_MAX */
};

/* Where a block of C goes: row i at rows[i], or at c + i * ld. */
typedef struct gmi_block_out {
    gmi_real *c;
    int64_t ld;
    gmi_real *const *rows;
} gmi_block_out;

#define GMI_SLOT_ROWS 48   /* rows prepared together at least: three cache lines of floats */
#define GMI_SLOT_ROWS_TALL 112 /* the same in tiles of 14: seven */
#define GMI_WHOLE_ROWS 256 /* so many rows can all stay prepared while B passes by in chunks, each packed just before its use */
#define GMI_SLOTS_MAX 128
int32_t gmi_block_slots(const gmi_kernels *t, int64_t rows);
int64_t gmi_block_a_size(const gmi_kernels *t, int32_t slots); /* elements of a_pack */
int64_t gmi_block_chunk_size(const gmi_kernels *t);            /* most elements of a chunk of B */
gmi_real *gmi_block_slot(const gmi_block *blk, int32_t slot);  /* GMI_KC rows of mr elements, and room to write 16 more */
/* First row of group g of `rows` rows. */
int64_t gmi_block_group(const gmi_block *blk, int64_t rows, int64_t g);
/* A gmi_block_rows_fn for prepared rows: one row of m elements a term. */
void gmi_block_prepared(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta);
/* Number of slabs of a sum of k terms (1 when k <= GMI_SLAB_TERMS). */
int64_t gmi_block_slabs(int64_t k);
/* C[i0..i1)[j0..j1) = the sum of slab s alone. fill: pieces of B not packed yet (mode GMI_B_FILL). */
void gmi_block_slab(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t s, int32_t fill, const gmi_block_out *out);
/* The same over all slabs, added in order. */
void gmi_block_full(const gmi_block *blk, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int32_t fill, const gmi_block_out *out);
/* c[i][j] += x[i][j] over m rows and n columns. */
void gmi_block_add(int64_t m, int64_t n, const gmi_block_out *out, const gmi_real *x, int64_t ldx);
/* Offset in the packed matrix of panel k0 (a multiple of GMI_KC) and column j0 (a multiple of nr). */
int64_t gmi_block_offset(const gmi_kernels *t, int64_t k, int64_t n, int64_t k0, int64_t j0);

/* to[i * to_step + x] = from[i * from_step + x] for i < rows, x < len. */
void gmi_copy_rows(int64_t rows, int64_t len, const gmi_real *from, int64_t from_step, gmi_real *to, int64_t to_step);
/* Packs B[k][j] = b[k * b_rs + j * b_cs] as gmi_block_pack_fn does. */
void gmi_pack_b(const gmi_kernels *t, const gmi_real *b, int64_t b_rs, int64_t b_cs, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out);

#define GMI_KEPT 0.01 /* the cost of packing a B that is kept: once for many executions, as is the phase for it */
/* How a product of m rows, n columns and k terms is cut: parts of rows, of columns, of slabs. */
typedef struct gmi_grid {
    int64_t rows, cols, slabs;
    int32_t share; /* parts of rows pack B together, in a phase before; else each packs what it needs */
} gmi_grid;
/* Pieces to cut work of `units` parts and so many multiply-adds into, so that `tasks` threads of unequal speed end together; `tasks` if that is not worth it. */
int64_t gmi_pieces(int64_t tasks, int64_t units, double terms);
/* The grid of at most `tasks` parts whose busiest task is done first, in a model of the machine; *cost is that time in units of one row, one
 * group of nr columns, one term (about one cycle). pack_cost: units to pack one group for one term, 0 = B is not packed. must_share: a B packed
 * twice is no choice. */
gmi_grid gmi_choose_grid(const gmi_kernels *t, int64_t m, int64_t n, int64_t k, int64_t tasks, int64_t max_slabs, double pack_cost, int32_t must_share,
                         double *cost);
/* Tasks worth having for this many multiply-adds. */
int64_t gmi_worth_tasks(double terms, int64_t max_tasks);
int64_t gmi_ceil_div(int64_t a, int64_t b);
/* First of part i when n things are cut into `parts` nearly equal parts. */
int64_t gmi_part(int64_t n, int64_t parts, int64_t i);
/* p rounded up to a multiple of 64 bytes; gmi_add_bytes leaves room for that. */
void *gmi_align64(void *p);
/* *bytes += n * size, rounded up to 64, plus 64; -1 on overflow, also of this host's size_t. */
int gmi_add_bytes(uint64_t *bytes, int64_t n, uint64_t size);
#endif
