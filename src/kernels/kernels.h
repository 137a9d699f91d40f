/* SPDX-License-Identifier: MIT */
/* kernels.h: what a compute kernel is. Tables of pure functions on pointers, sizes and strides, one table a SIMD level, all with the same
 * bits (docs/kernels.md). A kernel knows no context, thread, shape object or graph.
 *
 * Contract unless a line says otherwise: n >= 0; no alignment is needed; no byte outside the described ranges is read or written; `out`
 * may equal an input exactly but not overlap it otherwise; inputs may be equal. NaN in gives NaN out (payload unspecified). */
#ifndef GMI_KERNELS_KERNELS_H
#define GMI_KERNELS_KERNELS_H
#include "genrep/base.h"
#include <float.h>
#include <stddef.h>
#include <stdint.h>

/* The compute type: float, or double in the oracle build (-DGMI_ORACLE, scalar level only, tests only). */
#ifdef GMI_ORACLE
typedef double gmi_real;
#define GMI_REAL_MAX DBL_MAX
#else
typedef float gmi_real;
#define GMI_REAL_MAX FLT_MAX
#endif

#define GMI_KC 512   /* terms of one panel sum of a matrix product: part of the numeric profile */
#define GMI_SLAB 16  /* panels of one slab, when k > GMI_SLAB * GMI_KC */
#define GMI_RB 512   /* elements of one block of a reduction */
#define GMI_RLANES 16 /* lanes inside a block */

/* ---- elementwise: one row, one kernel; p is the op's parameter (polygamma's order, leaky slope), else unused ---- */
#define GMI_UNARY_LIST(X)                                                                                                                            \
    X(copy) X(neg) X(abs) X(sign) X(floor) X(square) X(recip) X(sqrt) X(rsqrt) X(exp) X(expm1) X(log) X(log1p) X(tanh) X(sigmoid) X(softplus)        \
    X(erf) X(sin) X(cos) X(lgamma) X(polygamma) X(relu) X(leaky_relu) X(step) X(isfinite)
/* sign(0) = 0, sign(NaN) = NaN; step(x) = 1 if x > 0, else 0 (NaN: NaN); recip = 1/x; rsqrt = 1/sqrt(x), two rounded operations; relu(x) = x > 0 ? x : 0 with NaN kept;
 * leaky_relu(x, p) = x > 0 ? x : p*x; isfinite gives 1 or 0. polygamma(p, x): p = 0 is digamma, orders to 100.
 * lgamma and polygamma are for x > 0: NaN below, the pole's infinity at 0. */
#define GMI_BINARY_LIST(X) X(add) X(sub) X(mul) X(div) X(max) X(min) X(lt) X(le) X(eq) X(pow)
/* lt, le, eq give 1 or 0 (0 with NaN); max, min propagate NaN, max(-0,+0) = +0, min(+0,-0) = -0. pow(a, b) for a >= 0 as exp(b log a) with pow(x,0) = pow(1,x) = 1. */

typedef void gmi_unary_fn(int64_t n, gmi_real *out, const gmi_real *a, gmi_real p);
typedef void gmi_binary_fn(int64_t n, gmi_real *out, const gmi_real *a, const gmi_real *b);
typedef void gmi_select_fn(int64_t n, gmi_real *out, const gmi_real *c, const gmi_real *a, const gmi_real *b); /* c != 0 ? a : b; NaN in c gives NaN */
typedef void gmi_binary_scalar_fn(int64_t n, gmi_real *out, const gmi_real *a, gmi_real b); /* b is the right operand of every element */

enum {
#define GMI_ROW(x) GMI_U_##x,
    GMI_UNARY_LIST(GMI_ROW) GMI_U_COUNT
#undef GMI_ROW
};
enum {
#define GMI_ROW(x) GMI_B_##x,
    GMI_BINARY_LIST(GMI_ROW) GMI_B_COUNT
#undef GMI_ROW
};

/* Chains of the kernels above in one pass, with the same bits (exec/peephole.c): v = a + b, a * b + c or (a * b) * c + d, every operation rounded, then relu or
 * leaky_relu with slope p where the name says so; gate: g * (step(v) ? hi : lo) as select does it. in: [g] a b [c] [d]; gate alone: g v. */
#define GMI_FUSED_LIST(X)                                                                                                                            \
    X(add_relu) X(add_leaky) X(mul_add) X(mul_add_relu) X(mul_add_leaky) X(mul_mul_add) X(mul_mul_add_relu) X(mul_mul_add_leaky)                     \
    X(gate) X(gate_add_relu) X(gate_add_leaky) X(gate_mul_add_relu) X(gate_mul_add_leaky) X(gate_mul_mul_add_relu) X(gate_mul_mul_add_leaky)
typedef void gmi_fused_fn(int64_t n, gmi_real *out, const gmi_real *const *in, gmi_real p, gmi_real hi, gmi_real lo);
enum {
#define GMI_ROW(x) GMI_F_##x,
    GMI_FUSED_LIST(GMI_ROW) GMI_F_COUNT
#undef GMI_ROW
};
#define GMI_FUSED_IN 5

/* ---- strided copies: dims[0..rank) outermost first, strides in elements (0 = broadcast); rank <= 8. out is dense row-major over dims. ---- */
typedef void gmi_gather_strided_fn(int32_t rank, const int64_t *dims, const int64_t *strides, const gmi_real *x, gmi_real *out);

/* ---- reductions (docs/kernels.md "Reductions"): the tree is a function of n alone ----
 * rows: out[r] = sum over n contiguous elements of x + r * stride.      cols: out[j] = sum over i < n of x[i * stride + j], j < cols.
 * lanes: rows [row, row + n) of a block into its 16 lanes of cols columns, GMI_LANE_LD(cols) elements apart; lane_fold: the block's sums from them, which it uses up.
 * block_cols: one block of n <= GMI_RB rows. fold_cols: the pairwise fold of nb block sums x[b * cols + j]; cols(n) == fold(block_cols...). */
typedef void gmi_reduce_rows_fn(int64_t rows, int64_t n, const gmi_real *x, int64_t stride, gmi_real *out);
#define GMI_LANE_LD(cols) (((cols) + 15) / 16 * 16)
typedef void gmi_lanes_fn(int64_t row, int64_t n, int64_t cols, const gmi_real *x, gmi_real *lanes);
typedef void gmi_lane_fold_fn(int64_t cols, gmi_real *lanes, gmi_real *out);
typedef void gmi_reduce_cols_fn(int64_t n, int64_t cols, const gmi_real *x, int64_t stride, gmi_real *out);

/* ---- random (docs/kernels.md "Random numbers"): elements [0, n), n <= 2^34, of the stream named by key and counter words 1..3.
 * uniform is in (0, 1), both ends excluded. ---- */
typedef void gmi_random_fn(int64_t n, gmi_real *out, const uint32_t key[2], const uint32_t ctr[3]);

/* ---- conversions at the boundary: out = (real)in * scale + shift (mul then add, both rounded in gmi_real), n contiguous elements ---- */
typedef void gmi_from_u8_fn(int64_t n, gmi_real *out, const uint8_t *in, gmi_real scale, gmi_real shift);

/* ---- optimizers: one pass over n contiguous elements; formulas are PyTorch's; |m|,|v|, momentum, EMA below 2^-100 are stored as +0 ---- */
typedef struct gmi_optim_args {
    gmi_real lr, beta1, beta2, eps, weight_decay, momentum, dampening, alpha; /* alpha: RMSprop's smoothing */
    gmi_real bias1, bias2; /* Adam: 1 - beta1^t and sqrt(1 - beta2^t), computed in double by the caller, from the betas as they stand here */
    gmi_real grad_scale;   /* multiplies every gradient first (clip by norm, accumulation); 1 = exact no-op */
    gmi_real clip_value;   /* > 0: gradient clamped to [-c, c] after scaling */
    int32_t nesterov, decoupled /* AdamW */, first /* first step: momentum buffer = gradient */, centered;
    int32_t maximize;
} gmi_optim_args;
/* p parameters, g gradients, s1, s2 moments (may be NULL where the rule has none: sgd 0, momentum/adagrad/rmsprop 1, rmsprop+momentum 2, adam 2;
 * centered rmsprop 2, the mean gradient second, and no momentum). */
typedef void gmi_optim_fn(int64_t n, gmi_real *p, const gmi_real *g, gmi_real *s1, gmi_real *s2, const gmi_optim_args *a);
#define GMI_OPTIM_LIST(X) X(sgd) X(momentum) X(rmsprop) X(adam) X(adagrad)
enum {
#define GMI_ROW(x) GMI_O_##x,
    GMI_OPTIM_LIST(GMI_ROW) GMI_O_COUNT
#undef GMI_ROW
};

/* ---- matrix products: tiles; the drivers in gemm.h and conv.h use them ---- */
typedef struct gmi_tile_args gmi_tile_args; /* gemm.h */
typedef void gmi_tile_fn(const gmi_tile_args *a);
/* Chains that go on: c_r[j] = fma(a_r[t], b[t * b_rs + j], c_r[j]) for t < terms in order, r = 0 and 1, j < GMI_LANES_VECTORS vectors; c0 may be c1 with a0 = a1. */
#define GMI_LANES_VECTORS 5
typedef void gmi_lanes_sum_fn(int64_t terms, const gmi_real *a0, const gmi_real *a1, const gmi_real *b, int64_t b_rs, gmi_real *c0, gmi_real *c1);

/* Whether lo <= x[i] <= hi for all i < n, which a NaN is not. -GMI_REAL_MAX to GMI_REAL_MAX: whether all are finite. */
typedef int32_t gmi_within_fn(int64_t n, const gmi_real *x, gmi_real lo, gmi_real hi);

typedef struct gmi_kernels {
    gm_simd level;
    int32_t width; /* lanes of gmi_real in a vector */
    gmi_unary_fn *unary[GMI_U_COUNT];
    gmi_binary_fn *binary[GMI_B_COUNT];
    gmi_binary_scalar_fn *binary_scalar[GMI_B_COUNT];
    gmi_select_fn *select;
    gmi_fused_fn *fused[GMI_F_COUNT]; /* NULL in builds for devices */
    void (*softplus_sigmoid)(int64_t n, gmi_real *softplus, gmi_real *sigmoid, const gmi_real *a); /* the two kernels in one pass; NULL there too */
    gmi_reduce_rows_fn *sum_rows, *max_rows;
    gmi_reduce_cols_fn *sum_cols, *max_cols, *sum_block_cols, *sum_fold_cols;
    gmi_lanes_fn *sum_lanes;
    gmi_lane_fold_fn *sum_lane_fold;
    gmi_random_fn *uniform, *normal;
    gmi_from_u8_fn *from_u8;
    gmi_optim_fn *optim[GMI_O_COUNT];
    void (*axpby)(int64_t n, gmi_real *y, gmi_real a, const gmi_real *x, gmi_real b); /* y = a*x + b*y (two muls, one add), tiny to +0: EMA */
    gmi_within_fn *all_within;
    void (*sumsq_blocks)(int64_t n, const gmi_real *x, gmi_real *out); /* out[b] = block b's sum of squares, ceil(n / GMI_RB) blocks */
    int32_t mr, nr;    /* register tile of gemm: rows, columns */
    int32_t mr_apart;  /* rows of a tile whose rows do not lie side by side (0 in builds for devices: mr) */
    gmi_tile_fn *tile; /* see gemm.h */
    gmi_lanes_sum_fn *lanes; /* NULL in builds for devices, and where fma is software */
    /* out[j * ldo + i] = x[i * ldx + j] for i < rows, j < cols; x and out do not overlap */
    void (*transpose)(int64_t rows, int64_t cols, const gmi_real *x, int64_t ldx, gmi_real *out, int64_t ldo);
    /* to[i * to_step + x] = from[i * from_step + x] for i < rows, x < len: copies of whole vectors where len is one */
    void (*copy_rows)(int64_t rows, int64_t len, const gmi_real *from, int64_t from_step, gmi_real *to, int64_t to_step);
} gmi_kernels;

/* Fills the table for `level` (GM_SIMD_BEST = the best this CPU and build have): scalar first, then up the ladder. 0, or -1 when the CPU or the
 * build lacks the level. `have` is the bit mask of levels that base/cpu found (1 << GM_SIMD_x). */
int gmi_kernels_fill(gmi_kernels *t, gm_simd level, uint32_t have);
/* The level GM_SIMD_BEST means under `have`. */
gm_simd gmi_kernels_best(uint32_t have);

/* Each file of kernels that is built once per ISA exports one function of this type, named gmi_fill_<file>_<isa>. */
typedef void gmi_kernels_fill_fn(gmi_kernels *t);
#endif
