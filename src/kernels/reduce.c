/* SPDX-License-Identifier: MIT */
/* reduce.c: sums, maxima and sums of squares along rows or columns. Built once per instruction set.
 *
 * The order of additions is part of the contract (docs/kernels.md, "Reductions") and a function of n alone: a row is cut into blocks of GMI_RB; in a
 * block lane l of 16 adds elements l, l + 16, l + 32, ... to +0; lanes are folded 16 -> 8 -> 4 -> 2 -> 1 (lane l with lane l + half); block sums are
 * folded pairwise from the left, an odd one passing up. Lanes beyond a short row add +0, which changes nothing: a sum that starts at +0 is never -0.
 * The fold over blocks is a binary counter: block b is merged with its left neighbour once for each trailing 1 of b, and what is left is merged from the
 * right, so it needs a stack of log2 of the number of blocks and no memory.
 * Not here: means, variances and norms, which are graphs of these. */
#include "base/build_info.h"
#include "kernels/simd.h"

gmi_kernels_fill_fn GMI_FILL(reduce);

#define ACCS (GMI_RLANES / GMI_W) /* vectors that hold the 16 lanes */
#define DEPTH 56                  /* blocks of an int64_t length: below 2^55 */
#define TILE 32                   /* columns handled together: a stack of DEPTH rows of them, 7 kB */

GMI_INLINE vf id(vf x) { return x; }
GMI_INLINE vf square(vf x) { return vf_mul(x, x); }

/* One block, 0 <= n <= GMI_RB: lanes, then their fold. `map` is applied to elements, `op` combines, `tail` loads the last, partial vector,
 * `fill` is the start and the value of missing lanes. */
#define BLOCK(name, map, op, tail, hop, fill)                                                                                                        \
    static gmi_real name(int64_t n, const gmi_real *x)                                                                                               \
    {                                                                                                                                                \
        vf acc[ACCS];                                                                                                                                \
        int64_t i = 0;                                                                                                                               \
        int k, half;                                                                                                                                 \
        for (k = 0; k < ACCS; k++)                                                                                                                   \
            acc[k] = fill;                                                                                                                           \
        for (; i + GMI_RLANES <= n; i += GMI_RLANES)                                                                                                 \
            for (k = 0; k < ACCS; k++)                                                                                                               \
                acc[k] = op(acc[k], map(vf_load(x + i + k * GMI_W)));                                                                                \
        for (k = 0; k < ACCS && i < n; k++, i += GMI_W)                                                                                              \
            acc[k] = op(acc[k], tail(x + i, n - i, map));                                                                                            \
        for (half = ACCS / 2; half > 0; half /= 2)                                                                                                   \
            for (k = 0; k < half; k++)                                                                                                               \
                acc[k] = op(acc[k], acc[k + half]);                                                                                                  \
        return hop(acc[0]);                                                                                                                          \
    }
#define TAIL_SUM(p, n, map) map(vf_load_n(p, n))
#define TAIL_MAX(p, n, map) tail_max(p, n)

/* The missing lanes of a maximum are -inf. */
static vf tail_max(const gmi_real *p, int64_t n)
{
    gmi_real lanes[GMI_W];
    int64_t k;
    vf_store(lanes, vf_set1((gmi_real)(-1.0 / 0.0)));
    for (k = 0; k < n && k < GMI_W; k++)
        lanes[k] = p[k];
    return vf_load(lanes);
}

BLOCK(block_sum, id, vf_add, TAIL_SUM, vf_hsum, vf_zero())
BLOCK(block_sumsq, square, vf_add, TAIL_SUM, vf_hsum, vf_zero())
BLOCK(block_max, id, vf_max, TAIL_MAX, vf_hmax, vf_set1((gmi_real)(-1.0 / 0.0)))

static gmi_real row_sum(int64_t n, const gmi_real *x)
{
    gmi_real stack[DEPTH], s;
    int64_t b, i;
    int top = 0;
    if (n <= GMI_RB)
        return block_sum(n, x);
    for (b = 0, i = 0; i < n; b++, i += GMI_RB) {
        int64_t bits;
        s = block_sum(n - i < GMI_RB ? n - i : GMI_RB, x + i);
        for (bits = b; bits & 1; bits >>= 1)
            s = stack[--top] + s;
        stack[top++] = s;
    }
    for (s = stack[--top]; top > 0;)
        s = stack[--top] + s;
    return s;
}

static void sum_rows(int64_t rows, int64_t n, const gmi_real *x, int64_t stride, gmi_real *out)
{
    int64_t r;
    for (r = 0; r < rows; r++)
        out[r] = row_sum(n, x + r * stride);
}

/* A maximum has no order to keep: blocks are only a bound on the length. */
static void max_rows(int64_t rows, int64_t n, const gmi_real *x, int64_t stride, gmi_real *out)
{
    int64_t r;
    for (r = 0; r < rows; r++)
        out[r] = block_max(n, x + r * stride);
}

static void sumsq_blocks(int64_t n, const gmi_real *x, gmi_real *out)
{
    int64_t i;
    for (i = 0; i < n; i += GMI_RB)
        *out++ = block_sumsq(n - i < GMI_RB ? n - i : GMI_RB, x + i);
}

/* ---- columns: lanes are rows here, vectors run over columns ---- */

/* One block of n <= GMI_RB rows of w <= TILE columns. Lane l is row l of acc; whole rows are visited in order, so that memory is read once and forwards. */
static void block_cols(int64_t n, int64_t w, const gmi_real *x, int64_t stride, gmi_real *out)
{
    gmi_real acc[GMI_RLANES][TILE];
    int64_t i, j;
    int l, half;
    memset(acc, 0, sizeof acc);
    for (i = 0; i < n; i++) {
        gmi_real *a = acc[i % GMI_RLANES];
        const gmi_real *row = x + i * stride;
        for (j = 0; j + GMI_W <= w; j += GMI_W)
            vf_store(a + j, vf_add(vf_load(a + j), vf_load(row + j)));
        if (j < w)
            vf_store(a + j, vf_add(vf_load(a + j), vf_load_n(row + j, w - j)));
    }
    for (half = GMI_RLANES / 2; half > 0; half /= 2)
        for (l = 0; l < half; l++)
            for (j = 0; j < w; j += GMI_W)
                vf_store(acc[l] + j, vf_add(vf_load(acc[l] + j), vf_load(acc[l + half] + j)));
    memcpy(out, acc[0], (size_t)w * sizeof *out);
}

#if GM_TRAINING
/* ---- the same, a few rows at a time ---- */

static void sum_lanes(int64_t row, int64_t n, int64_t cols, const gmi_real *x, gmi_real *lanes)
{
    const int64_t ld = GMI_LANE_LD(cols);
    for (int64_t i = 0; i < n; i++, x += cols) {
        gmi_real *a = lanes + (row + i) % GMI_RLANES * ld;
        int64_t j = 0;
        for (; j + GMI_W <= cols; j += GMI_W)
            vf_store(a + j, vf_add(vf_load(a + j), vf_load(x + j)));
        if (j < cols)
            vf_store(a + j, vf_add(vf_load(a + j), vf_load_n(x + j, cols - j)));
    }
}

static void sum_lane_fold(int64_t cols, gmi_real *lanes, gmi_real *out)
{
    const int64_t ld = GMI_LANE_LD(cols);
    for (int64_t half = GMI_RLANES / 2; half > 0; half /= 2)
        for (int64_t i = 0; i < half * ld; i += GMI_W)
            vf_store(lanes + i, vf_add(vf_load(lanes + i), vf_load(lanes + half * ld + i)));
    memcpy(out, lanes, (size_t)cols * sizeof *out);
}
#endif

/* a[j] = a[j] + b[j], j < w <= TILE; both have TILE elements. */
GMI_INLINE void add_tile(gmi_real *a, const gmi_real *b)
{
    int j;
    for (j = 0; j < TILE; j += GMI_W)
        vf_store(a + j, vf_add(vf_load(a + j), vf_load(b + j)));
}

/* Pushes block b's sums, which stand in stack[*top], and merges. */
static void push(gmi_real (*stack)[TILE], int *top, int64_t b)
{
    for (++*top; b & 1; b >>= 1, --*top)
        add_tile(stack[*top - 2], stack[*top - 1]);
}

static void finish(gmi_real (*stack)[TILE], int top, int64_t w, gmi_real *out)
{
    for (; top > 1; top--)
        add_tile(stack[top - 2], stack[top - 1]);
    memcpy(out, stack[0], (size_t)w * sizeof *out);
}

static void sum_block_cols(int64_t n, int64_t cols, const gmi_real *x, int64_t stride, gmi_real *out)
{
    int64_t j;
    for (j = 0; j < cols; j += TILE)
        block_cols(n, cols - j < TILE ? cols - j : TILE, x + j, stride, out + j);
}

static void sum_fold_cols(int64_t nb, int64_t cols, const gmi_real *x, int64_t stride, gmi_real *out)
{
    gmi_real stack[DEPTH][TILE];
    int64_t b, j;
    memset(stack, 0, sizeof stack);
    for (j = 0; j < cols; j += TILE) {
        int64_t w = cols - j < TILE ? cols - j : TILE;
        int top = 0;
        for (b = 0; b < nb; b++) {
            memcpy(stack[top], x + b * stride + j, (size_t)w * sizeof *x);
            push(stack, &top, b);
        }
        if (nb <= 0)
            memset(out + j, 0, (size_t)w * sizeof *out);
        else
            finish(stack, top, w, out + j);
    }
}

static void sum_cols(int64_t n, int64_t cols, const gmi_real *x, int64_t stride, gmi_real *out)
{
    gmi_real stack[DEPTH][TILE];
    int64_t i, j;
    if (cols == 1 && stride == 1) { /* a contiguous column is a row */
        out[0] = row_sum(n, x);
        return;
    }
    if (n <= GMI_RB) {
        sum_block_cols(n, cols, x, stride, out);
        return;
    }
    memset(stack, 0, sizeof stack);
    for (j = 0; j < cols; j += TILE) {
        int64_t w = cols - j < TILE ? cols - j : TILE;
        int top = 0;
        for (i = 0; i < n; i += GMI_RB) {
            block_cols(n - i < GMI_RB ? n - i : GMI_RB, w, x + i * stride + j, stride, stack[top]);
            push(stack, &top, i / GMI_RB);
        }
        finish(stack, top, w, out + j);
    }
}

static void max_cols(int64_t n, int64_t cols, const gmi_real *x, int64_t stride, gmi_real *out)
{
    gmi_real acc[TILE];
    int64_t i, j, k;
    for (j = 0; j < cols; j += TILE) {
        int64_t w = cols - j < TILE ? cols - j : TILE;
        for (k = 0; k < TILE; k += GMI_W)
            vf_store(acc + k, vf_set1((gmi_real)(-1.0 / 0.0)));
        for (i = 0; i < n; i++) {
            const gmi_real *row = x + i * stride + j;
            for (k = 0; k + GMI_W <= w; k += GMI_W)
                vf_store(acc + k, vf_max(vf_load(acc + k), vf_load(row + k)));
            if (k < w)
                vf_store(acc + k, vf_max(vf_load(acc + k), vf_load_n(row + k, w - k)));
        }
        memcpy(out + j, acc, (size_t)w * sizeof *out);
    }
}

void GMI_FILL(reduce)(gmi_kernels *t)
{
    t->sum_rows = sum_rows;
    t->max_rows = max_rows;
    t->sum_cols = sum_cols;
    t->max_cols = max_cols;
    t->sum_block_cols = sum_block_cols;
    t->sum_fold_cols = sum_fold_cols;
#if GM_TRAINING
    t->sum_lanes = sum_lanes;
    t->sum_lane_fold = sum_lane_fold;
#endif
    t->sumsq_blocks = sumsq_blocks;
}
