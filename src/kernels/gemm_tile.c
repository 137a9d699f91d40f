/* SPDX-License-Identifier: MIT */
/* gemm_tile.c: the register tile of matrix products, and the transposing copy (built once per ISA).
 *
 * A tile keeps up to mr x nr sums in registers and walks the terms of one panel: load a row of B, broadcast one element of A for each row, one
 * fma a sum. SIMD runs across columns, so each sum is the canonical chain acc = fma(a, b, acc) in order of k, whatever the width. One function
 * per number of rows keeps all sums in registers at every optimisation level; the macros below only write out rows.
 * Not here: blocking for caches, packing, threads (block.c, gemm.c, conv.c). */
#include "base/build_info.h"
#include "kernels/block.h"
#include "kernels/simd.h"

/* mr x NV vectors must leave registers for a row of B and one of A: 16 registers (AVX2), 32 (AVX-512, NEON). Without an fma instruction the
 * software one needs its own. */
#if GMI_ISA_ID == 3
#define MR 6
#define NV 2
#elif GMI_ISA_ID == 4 && GM_TRAINING
#define MR 14
#define NV 2
#elif GMI_ISA_ID == 4
#define MR 12
#define NV 2
#elif GMI_ISA_ID == 5
#define MR 8
#define NV 2
#elif GMI_ISA_ID == 2
#define MR 4
#define NV 2
#elif GM_TRAINING
#define MR 4
#define NV 4
#else
#define MR 2
#define NV 4
#endif
#define NR (NV * GMI_W)
/* A build for devices takes the next even number of rows, in less room. */
#define ODD_ROWS GM_TRAINING
#define WIDE (MR > 12) /* rows in place: tiles of half the rows over two groups of columns; rows side by side: all rows, most as operands in memory */
#define MR_ROWS (MR < 12 ? MR : 12) /* of a tile whose rows do not lie side by side */
#define QUICK (GMI_ISA_ID == 4) /* loops for the common ways in which A and b lie */
#define SOME (GM_TRAINING && GMI_ISA_ID == 4) /* masked stores; others go by way of `spill` */

#if NV == 2
#define VECS(X, r) X(r, 0) X(r, 1)
#else
#define VECS(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#endif
#define VEC1(X, r) X(r, 0)
#define VEC4(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#define VEC5(X, r) VEC4(X, r) X(r, 4)
#define VEC8(X, r) VEC5(X, r) X(r, 5) X(r, 6) X(r, 7)
#define ROWS1(X, V) X(0, V)
#define ROWS2(X, V) ROWS1(X, V) X(1, V)
#define ROWS3(X, V) ROWS2(X, V) X(2, V)
#define ROWS4(X, V) ROWS3(X, V) X(3, V)
#define ROWS5(X, V) ROWS4(X, V) X(4, V)
#define ROWS6(X, V) ROWS5(X, V) X(5, V)
#define ROWS8(X, V) ROWS6(X, V) X(6, V) X(7, V)
#define ROWS10(X, V) ROWS8(X, V) X(8, V) X(9, V)
#define ROWS12(X, V) ROWS10(X, V) X(10, V) X(11, V)
#define ROWS14(X, V) ROWS12(X, V) X(12, V) X(13, V)

/* sums, rows of A, a row of B over one or more groups of nr columns, one term */
#define SUM(r, v) vf s##r##_##v = vf_zero();
#define ROW_SUMS(r, V) V(SUM, r)
#define ROW_POINTER(r, V) const gmi_real *a##r = a[(r) < m ? (r) : 0];
#define LOAD_B(r, v)                                                                                                                                 \
    vf b##v = vf_load(b + (v) / NV * b_ps + (v) % NV * GMI_W);                                                                                       \
    VF_HOLD(b##v);
#define FMA(r, v) VF_ADD_PRODUCT(s##r##_##v, x, b##v);
#define ROW_FMA(r, V)                                                                                                                                \
    {                                                                                                                                                \
        const vf x = vf_set1(a##r[at]);                                                                                                              \
        V(FMA, r)                                                                                                                                    \
    }
/* the same when A has one term after another (a term is `ahead` behind the pointers), and when its rows lie side by side behind one pointer; b is
 * packed. Then nearly all instructions are the fmas and their loads, which is what counts where two threads share a core. */
#define LOAD_PACKED(r, v)                                                                                                                            \
    vf b##v = vf_load(group[(v) / NV] + (v) % NV * GMI_W + ahead * NR);                                                                              \
    VF_HOLD(b##v);
#define ROW_AFTER(r, V)                                                                                                                              \
    {                                                                                                                                                \
        const vf x = vf_set1(a##r[at + ahead]);                                                                                                      \
        V(FMA, r)                                                                                                                                    \
    }
#define ROW_BESIDE(r, V)                                                                                                                             \
    {                                                                                                                                                \
        const vf x = vf_set1(side[r]);                                                                                                               \
        V(FMA, r)                                                                                                                                    \
    }
#define NEXT_TERMS(terms, COUNT)                                                                                                                     \
    for (int g = 0; g < ((COUNT) + NV - 1) / NV; g++) {                                                                                              \
        group[g] += (terms) * NR;                                                                                                                    \
        GMI_HOLD_INDEX(group[g]);                                                                                                                    \
    }
#define TERM(number, ROWS, ROW, V)                                                                                                                   \
    {                                                                                                                                                \
        enum { ahead = number };                                                                                                                     \
        V(LOAD_PACKED, 0)                                                                                                                            \
        ROWS(ROW, V)                                                                                                                                 \
    }
/* storing: whole rows go to C, others to `spill` */
#define C_POINTER(r, V) gmi_real *c##r = whole && (r) < m ? row_of_c(ta, r0 + (r)) + j : spill + (r) * width;
#define ADD(r, v) s##r##_##v = vf_add(vf_load(c##r + (v) * GMI_W), s##r##_##v);
#define ROW_ADD(r, V)                                                                                                                                \
    if ((r) < m) {                                                                                                                                   \
        V(ADD, r)                                                                                                                                    \
    }
#define STORE(r, v) vf_store(c##r + (v) * GMI_W, s##r##_##v);
#define ROW_STORE(r, V) V(STORE, r)
/* the same where vectors can be stored in part */
#define STORE_SOME(r, v)                                                                                                                             \
    if (n > (v) * GMI_W) {                                                                                                                           \
        const int64_t some = n - (v) * GMI_W;                                                                                                        \
        if (ta->accumulate) s##r##_##v = vf_add(vf_load_n(c + (v) * GMI_W, some), s##r##_##v);                                                       \
        vf_store_n(c + (v) * GMI_W, s##r##_##v, some);                                                                                               \
    }
#define ROW_STORE_SOME(r, V)                                                                                                                         \
    if ((r) < m) {                                                                                                                                   \
        gmi_real *c = row_of_c(ta, r0 + (r)) + j;                                                                                                    \
        V(STORE_SOME, r)                                                                                                                             \
    }

/* rows of C are asked for before the sums begin; the ends of a row of 32 floats are in two cache lines (a build for
 * devices asks for one) */
#define LINE_AHEAD(r, v)                                                                                                                             \
    if ((v) * GMI_W % 16 == 0) GMI_PREFETCH(ahead_of + (v) * GMI_W);
#define ROW_AHEAD(r, V)                                                                                                                              \
    if ((r) < m) {                                                                                                                                   \
        const gmi_real *ahead_of = row_of_c(ta, r0 + (r)) + j;                                                                                       \
        if (GM_TRAINING) {                                                                                                                           \
            V(LINE_AHEAD, 0)                                                                                                                         \
        }                                                                                                                                            \
        GMI_PREFETCH(ahead_of + width - 1);                                                                                                          \
    }

static gmi_real *row_of_c(const gmi_tile_args *ta, int32_t r)
{
    return ta->c_rows ? ta->c_rows[r] : ta->c + r * ta->ldc;
}

/* n columns from j on, out of sums that do not fill their vectors. */
static void store_part(const gmi_tile_args *ta, int32_t r0, int32_t m, const gmi_real *sums, int64_t width, int64_t j, int64_t n)
{
    for (int32_t r = 0; r < m; r++) {
        gmi_real *c = row_of_c(ta, r0 + r) + j;
        for (int64_t x = 0; x < n; x++) c[x] = ta->accumulate ? c[x] + sums[r * width + x] : sums[r * width + x];
    }
}

#define FINISH(ROWS, V)                                                                                                                              \
    if (SOME && !whole) {                                                                                                                            \
        ROWS(ROW_STORE_SOME, V)                                                                                                                      \
        return;                                                                                                                                      \
    }                                                                                                                                                \
    ROWS(C_POINTER, V)                                                                                                                               \
    if (whole && ta->accumulate) {                                                                                                                   \
        ROWS(ROW_ADD, V)                                                                                                                             \
    }                                                                                                                                                \
    ROWS(ROW_STORE, V)                                                                                                                               \
    if (!whole) store_part(ta, r0, m, spill, width, j, n);

/* One tile of the m <= ROWS rows of ta from r0 on (those that are missing repeat the first and are not stored) and columns [j, j + n), n <= the COUNT vectors
 * of V. */
#define DEFINE_TILE(name, ROWS, V, ROW_COUNT, COUNT)                                                                                                 \
    static void name(const gmi_tile_args *ta, int32_t r0, int32_t m, const gmi_real *b, int64_t j, int64_t n)                                        \
    {                                                                                                                                                \
        enum { width = (COUNT) * GMI_W };                                                                                                            \
        gmi_real spill[(ROW_COUNT) * width];                                                                                                         \
        const int64_t a_cs = ta->a_cs, b_ps = ta->b_ps, b_rs = ta->b_rs ? ta->b_rs : NR;                                                             \
        if (!WIDE) r0 = 0, m = ta->m;                                                                                                                \
        const int32_t whole = n >= width;                                                                                                            \
        ROWS(ROW_SUMS, V)                                                                                                                            \
        (void)b_ps;                                                                                                                                  \
        ROWS(ROW_AHEAD, V)                                                                                                                           \
        for (int64_t s = 0; s < ta->segments; s++) {                                                                                                 \
            const gmi_real *const *a = ta->a + s * GMI_MR_MAX + r0;                                                                                  \
            const int64_t end = ta->len[s] * a_cs;                                                                                                   \
            int64_t at = 0;                                                                                                                          \
            if (ta->b_seg) b = ta->b_seg[s] + j;                                                                                                     \
            const gmi_real *group[4];                                                                                                                \
            for (int g = 0; g < ((COUNT) + NV - 1) / NV; g++) group[g] = b + g * b_ps;                                                               \
            if (QUICK && ta->a_side && b_rs == NR) {                                                                                                 \
                const gmi_real *side = a[0];                                                                                                         \
                for (; at + 3 * a_cs < end; at += 4 * a_cs) {                                                                                        \
                    TERM(0, ROWS, ROW_BESIDE, V)                                                                                                     \
                    side += a_cs;                                                                                                                    \
                    TERM(1, ROWS, ROW_BESIDE, V)                                                                                                     \
                    side += a_cs;                                                                                                                    \
                    TERM(2, ROWS, ROW_BESIDE, V)                                                                                                     \
                    side += a_cs;                                                                                                                    \
                    TERM(3, ROWS, ROW_BESIDE, V)                                                                                                     \
                    side += a_cs;                                                                                                                    \
                    NEXT_TERMS(4, COUNT)                                                                                                             \
                }                                                                                                                                    \
                for (; at != end; at += a_cs, side += a_cs) {                                                                                        \
                    TERM(0, ROWS, ROW_BESIDE, V)                                                                                                     \
                    NEXT_TERMS(1, COUNT)                                                                                                             \
                }                                                                                                                                    \
                b = group[0];                                                                                                                        \
                continue;                                                                                                                            \
            }                                                                                                                                        \
            ROWS(ROW_POINTER, V)                                                                                                                     \
            if (QUICK && a_cs == 1 && b_rs == NR) {                                                                                                  \
                for (; at + 4 <= end; at += 4) {                                                                                                     \
                    GMI_HOLD_INDEX(at);                                                                                                              \
                    TERM(0, ROWS, ROW_AFTER, V)                                                                                                      \
                    TERM(1, ROWS, ROW_AFTER, V)                                                                                                      \
                    TERM(2, ROWS, ROW_AFTER, V)                                                                                                      \
                    TERM(3, ROWS, ROW_AFTER, V)                                                                                                      \
                    NEXT_TERMS(4, COUNT)                                                                                                             \
                }                                                                                                                                    \
                b = group[0];                                                                                                                        \
            }                                                                                                                                        \
            for (; at != end; at += a_cs, b += b_rs) {                                                                                               \
                V(LOAD_B, 0)                                                                                                                         \
                ROWS(ROW_FMA, V)                                                                                                                     \
            }                                                                                                                                        \
        }                                                                                                                                            \
        FINISH(ROWS, V)                                                                                                                              \
    }

#if WIDE
/* The same for rows that lie side by side. An operand in memory saves the instruction that loads it but is loaded again for each vector of b; five rows of seven
 * keep loads below two a cycle, and all where there is one vector. */
#define FMA_AT(r, v) VF_ADD_PRODUCT_AT(s##r##_##v, side + (r) + ahead * rows, b##v);
#define ROW_SIDE(r, V)                                                                                                                               \
    if ((r) * 5 % 7 < 5 || width == GMI_W) {                                                                                                         \
        V(FMA_AT, r)                                                                                                                                 \
    } else {                                                                                                                                         \
        const vf x = vf_set1(side[(r) + ahead * rows]);                                                                                              \
        V(FMA, r)                                                                                                                                    \
    }
#define DEFINE_SIDE(name, ROWS, V, ROW_COUNT, COUNT)                                                                                                 \
    static void name(const gmi_tile_args *ta, int32_t r0, int32_t m, const gmi_real *b, int64_t j, int64_t n)                                        \
    {                                                                                                                                                \
        enum { width = (COUNT) * GMI_W, rows = (ROW_COUNT) };                                                                                        \
        gmi_real spill[rows * width];                                                                                                                \
        const gmi_real *side = ta->a[0], *group[1];                                                                                                  \
        const int64_t end = ta->len[0], step = ta->a_cs;                                                                                             \
        const int32_t whole = n >= width;                                                                                                            \
        int64_t at = 0;                                                                                                                              \
        ROWS(ROW_SUMS, V)                                                                                                                            \
        ROWS(ROW_AHEAD, V)                                                                                                                           \
        group[0] = b;                                                                                                                                \
        for (; step == rows && at + 4 <= end; at += 4) {                                                                                             \
            TERM(0, ROWS, ROW_SIDE, V)                                                                                                               \
            TERM(1, ROWS, ROW_SIDE, V)                                                                                                               \
            TERM(2, ROWS, ROW_SIDE, V)                                                                                                               \
            TERM(3, ROWS, ROW_SIDE, V)                                                                                                               \
            NEXT_TERMS(4, COUNT)                                                                                                                     \
            side += 4 * rows;                                                                                                                        \
            GMI_HOLD_INDEX(side);                                                                                                                    \
        }                                                                                                                                            \
        for (; at < end; at++, side += step) {                                                                                                       \
            TERM(0, ROWS, ROW_SIDE, V)                                                                                                               \
            NEXT_TERMS(1, COUNT)                                                                                                                     \
        }                                                                                                                                            \
        FINISH(ROWS, V)                                                                                                                              \
    }
DEFINE_SIDE(side10, ROWS10, VECS, 10, NV)
DEFINE_SIDE(side12, ROWS12, VECS, 12, NV)
DEFINE_SIDE(side14, ROWS14, VECS, 14, NV)
DEFINE_SIDE(thin12, ROWS12, VEC1, 12, 1)
DEFINE_SIDE(thin14, ROWS14, VEC1, 14, 1)
#endif

typedef void tile_part(const gmi_tile_args *ta, int32_t r0, int32_t m, const gmi_real *b, int64_t j, int64_t n);
#define DEFINE_BOTH(m)                                                                                                                               \
    DEFINE_TILE(wide##m, ROWS##m, VECS, m, NV)                                                                                                       \
    DEFINE_TILE(narrow##m, ROWS##m, VEC1, m, 1)
#define PAIR(m)                                                                                                                                      \
    {                                                                                                                                                \
        narrow##m, wide##m                                                                                                                           \
    }
DEFINE_BOTH(1)
DEFINE_BOTH(2)
#if ODD_ROWS
DEFINE_BOTH(3)
#endif
#if MR > 2
DEFINE_BOTH(4)
#endif
#if ODD_ROWS && MR > 4
DEFINE_BOTH(5)
#endif
#if MR > 4
DEFINE_BOTH(6)
/* One to three rows leave the fma units waiting for their own results: several groups of columns at once keep them busy. */
DEFINE_TILE(groups1, ROWS1, VEC8, 1, 8)
DEFINE_TILE(groups2, ROWS2, VEC4, 2, 4)
#endif
#if ODD_ROWS && MR > 6
DEFINE_TILE(groups3, ROWS3, VEC4, 3, 4)
#endif
#if WIDE
/* 6 rows over two groups of columns load fewer numbers for their sums than 12 over one. */
DEFINE_TILE(groups4, ROWS4, VEC4, 4, 4)
DEFINE_TILE(groups5, ROWS5, VEC4, 5, 4)
DEFINE_TILE(groups6, ROWS6, VEC4, 6, 4)
#endif
#if MR > 6
DEFINE_BOTH(8)
#endif
#if MR > 8
DEFINE_BOTH(10)
DEFINE_BOTH(12)
#endif
static tile_part *const parts[MR_ROWS + 1][2] = {PAIR(1), PAIR(1), PAIR(2),
#if MR > 2
#if ODD_ROWS
                                            PAIR(3), PAIR(4),
#else
                                            PAIR(4), PAIR(4),
#endif
#endif
#if MR > 4
#if ODD_ROWS
                                            PAIR(5), PAIR(6),
#else
                                            PAIR(6), PAIR(6),
#endif
#endif
#if MR > 6
                                            PAIR(8), PAIR(8),
#endif
#if MR > 8
                                            PAIR(10), PAIR(10), PAIR(12), PAIR(12)
#endif
};

/* The tile of m rows over more than nr columns; m <= GROUPS_MAX. */
#if WIDE
#define GROUPS_MAX 6
static tile_part *const several[] = {groups1, groups1, groups2, groups3, groups4, groups5, groups6};
#define SEVERAL(m) several[m]
#elif MR > 6 && ODD_ROWS
#define GROUPS_MAX 3
#define SEVERAL(m) ((m) == 1 ? groups1 : (m) == 2 ? groups2 : groups3)
#elif MR > 4
#define GROUPS_MAX 2
#define SEVERAL(m) ((m) == 1 ? groups1 : groups2)
#else
#define GROUPS_MAX 0
#define SEVERAL(m) NULL
#endif

#if WIDE
#define SIDE_ROWS 10 /* from here on */
#define NARROW(m) narrow##m
static tile_part *const beside[][2] = {{NARROW(10), side10}, {thin12, side12}, {thin14, side14}};
#endif

static void tile(const gmi_tile_args *ta)
{
    for (int64_t j = 0; j < ta->n;) {
        int64_t n = ta->n - j, width = NR;
        const gmi_real *b = ta->b_seg ? NULL : ta->b + j / NR * ta->b_ps;
#if WIDE
        if (ta->m >= SIDE_ROWS - 1 && ta->a_side && (!ta->b_rs || ta->b_rs == NR)) {
            beside[(ta->m + 1 - SIDE_ROWS) / 2][n > GMI_W](ta, 0, ta->m, b, j, n < width ? n : width);
        } else if (ta->m > 6 && n > NR) {
            width = 2 * NR, n = n < width ? n : width;
            SEVERAL((ta->m + 1) / 2)(ta, 0, (ta->m + 1) / 2, b, j, n);
            SEVERAL(ta->m / 2)(ta, (ta->m + 1) / 2, ta->m / 2, b, j, n);
        } else
#endif
        {
            tile_part *f = parts[ta->m][n > GMI_W];
            if (ta->m <= GROUPS_MAX && n > (ta->m == 1 ? 3 * NR : NR)) f = SEVERAL(ta->m), width = ta->m == 1 ? 4 * NR : 2 * NR;
            f(ta, 0, ta->m, b, j, n < width ? n : width);
        }
        j += width;
    }
}

/* Without an fma instruction the sums take most of the time whatever is read. */
#define LANES (GM_TRAINING && MR > 4)
#if LANES
/* Two rows: as many loads of b, most of them over the end of a cache line and so at half speed, as the fma units can take. */
#define GO_SUMS(r, v) vf s##r##_##v = vf_load(c##r + (v) * GMI_W);
#define GO_FMA(r, v)                                                                                                                                 \
    {                                                                                                                                                \
        const vf b##v = vf_load(b + (v) * GMI_W);                                                                                                    \
        VF_ADD_PRODUCT(s0_##v, x0, b##v);                                                                                                            \
        VF_ADD_PRODUCT(s1_##v, x1, b##v);                                                                                                            \
    }
#define GO_POINTER(r, to) gmi_real *c##r = to;
static void lanes(int64_t terms, const gmi_real *a0, const gmi_real *a1, const gmi_real *b, int64_t b_rs, gmi_real *first, gmi_real *second)
{
    GO_POINTER(0, first)
    GO_POINTER(1, second)
    VEC5(GO_SUMS, 0)
    VEC5(GO_SUMS, 1)
    for (int64_t at = 0; at < terms; at++, b += b_rs) {
        const vf x0 = vf_set1(a0[at]), x1 = vf_set1(a1[at]);
        VEC5(GO_FMA, 0)
    }
    VEC5(STORE, 0)
    VEC5(STORE, 1)
}
#endif

/* Blocks of GMI_T x GMI_T; the last ones of a row or column lie over their neighbours rather than leave a rest. */
static void transpose(int64_t rows, int64_t cols, const gmi_real *x, int64_t ldx, gmi_real *out, int64_t ldo)
{
    if (rows < GMI_T || cols < GMI_T) {
        for (int64_t j = 0; j < cols; j++)
            for (int64_t i = 0; i < rows; i++) out[j * ldo + i] = x[i * ldx + j];
        return;
    }
    for (int64_t j = 0; j < cols; j += GMI_T) {
        int64_t c = j + GMI_T <= cols ? j : cols - GMI_T;
        for (int64_t i = 0; i < rows; i += GMI_T) {
            int64_t r = i + GMI_T <= rows ? i : rows - GMI_T;
            gmi_transpose_block(x + r * ldx + c, ldx, out + c * ldo + r, ldo);
        }
    }
}

#if GM_TRAINING
#define QUICK_COPY copy_rows
/* Rows of one group of columns or of half of one, vector by vector; other lengths are for memcpy. Builds for devices take memcpy for all. */
static void copy_rows(int64_t rows, int64_t len, const gmi_real *from, int64_t from_step, gmi_real *to, int64_t to_step)
{
    if (len % GMI_W) {
        gmi_copy_rows(rows, len, from, from_step, to, to_step);
        return;
    }
    if (len == 2 * GMI_W) {
        for (int64_t i = 0; i < rows; i++, from += from_step, to += to_step) {
            const vf a = vf_load(from), b = vf_load(from + GMI_W);
            vf_store(to, a);
            vf_store(to + GMI_W, b);
        }
        return;
    }
    for (int64_t i = 0; i < rows; i++, from += from_step, to += to_step)
        for (int64_t x = 0; x < len; x += GMI_W) vf_store(to + x, vf_load(from + x));
}
#else
#define QUICK_COPY gmi_copy_rows
#endif

gmi_kernels_fill_fn GMI_FILL(gemm_tile);
void GMI_FILL(gemm_tile)(gmi_kernels *t)
{
    t->mr = MR;
    if (GM_TRAINING) t->mr_apart = MR_ROWS;
    t->nr = NR;
    t->tile = tile;
#if LANES
    t->lanes = lanes;
#endif
    t->transpose = transpose;
    t->copy_rows = QUICK_COPY;
}
