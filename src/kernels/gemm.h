/* SPDX-License-Identifier: MIT */
/* gemm.h: matrix products and the convolution triad in the canonical order (docs/kernels.md, DESIGN C2).
 *
 * c[i][j] = sum over k of a[i][k] * b[k][j]: panels of GMI_KC terms, each summed from +0 by acc = fma(a, b, acc) in order of k, panels added in
 * order (the first panel's sum is the start); for k > GMI_SLAB * GMI_KC slabs of GMI_SLAB panels, slab sums added in order. Nothing else
 * decides the order: not m, n, batch, threads, level. k = 0 gives +0.
 *
 * An operation is a plan (made once from sizes; immutable; plain data) and an execution in phases. The caller runs, for phase = 0..plan->phases-1,
 * tasks i = 0..tasks-1 of that phase in any order on any threads, with a barrier between phases. `shared` is one buffer of shared_bytes for
 * the operation, `scratch` one of thread_bytes for each thread at work: a task leaves nothing in it. */
#ifndef GMI_KERNELS_GEMM_H
#define GMI_KERNELS_GEMM_H
#include "kernels/kernels.h"

/* Asks for the cache line at p; p need not be readable. */
#if defined(__GNUC__)
#define GMI_PREFETCH(p) __builtin_prefetch(p)
#else
#define GMI_PREFETCH(p) ((void)(p))
#endif

#define GMI_MR_MAX 16
/* One register tile: C[0..mr)[0..nr) (+)= sum over segments s, t < len[s] of A_s[i][t] * B[t'][j], t' running on over the segments. b is packed:
 * k rows of `nr of the table` elements, zero-padded. Row i of segment s starts at a[s * GMI_MR_MAX + i], element t at + t * a_cs. */
struct gmi_tile_args {
    int64_t segments;
    const gmi_real *const *a;
    const int64_t *len;
    int64_t a_cs;
    const gmi_real *b;
    gmi_real *c;
    int64_t ldc;
    int32_t m, n;       /* rows and columns really stored, <= mr, nr (n > nr: see b_ps) */
    int32_t accumulate; /* 0: c = sum, 1: c = c + sum (sum from +0, one addition) */
    /* All zero or NULL in the plain case above: */
    int64_t b_rs;                 /* elements from one row of b to the next; 0 = nr of the table */
    int64_t b_ps;                 /* n > nr: elements from one group of nr columns of b to the next; the last group may be narrower in C only */
    const gmi_real *const *b_seg; /* b of each segment, each starting at its own row 0 (then t' starts again with every segment) */
    gmi_real *const *c_rows;      /* row i of C starts here instead of at c + i * ldc */
    int32_t a_side;               /* row i of a segment starts at its row 0 + i: rows lie side by side */
};

/* Finished block of the output, rows [m0,m1) and columns [n0,n1) of the output seen as a matrix with leading dimension ldc; may change it in place. */
typedef void gmi_epilogue_fn(void *user, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int32_t task);

typedef struct gmi_gemm_plan {
    int64_t batch, m, n, k;
    int64_t a_rs, a_cs, a_bs; /* element strides of A[i][k] and of a batch step (0 = shared) */
    int64_t b_rs, b_cs, b_bs; /* of B[k][j] */
    int64_t c_rs, c_bs;       /* of C[i][j]; columns are contiguous */
    int32_t phases, tasks;
    uint64_t shared_bytes, thread_bytes;
    int64_t priv[8]; /* the driver's own choices */
    int32_t keep_b; /* set by the caller, 0 or 1: 1 = B will be used again, `shared` lives on and io.packed will be set: B is packed however small m is.
                     * 0 = this B is used once: io.packed must be 0, and B may stay unpacked (shared_bytes may be 0). Same bits. */
    int32_t blas;   /* 1: the product goes to a CBLAS (blas.h), in no order that is known */
} gmi_gemm_plan;
typedef struct gmi_gemm_io {
    const gmi_real *a, *b;
    gmi_real *c;
    gmi_epilogue_fn *epilogue; /* may be NULL */
    void *epilogue_user;
    void *shared;
    int32_t packed; /* shared already holds B packed by an earlier execution of the same plan (with keep_b): packing is skipped */
} gmi_gemm_io;
/* Fills phases, tasks, bytes and priv from the sizes and strides already in p, for at most max_tasks parallel tasks. -1 on size overflow. tasks may be more
 * than max_tasks: pieces, for threads of unequal speed to take one after another. */
int gmi_gemm_plan_init(gmi_gemm_plan *p, const gmi_kernels *t, int32_t max_tasks);
/* 1: the first phase only packs B, and need not run when it is packed. */
int32_t gmi_gemm_pack_phases(const gmi_gemm_plan *p);
/* 1: after the last phase the task has finished the rows [*m0, *m1) with all columns, rows counted on over batch steps. 2: and its epilogue is only called for
 * blocks with all columns, each while it is in the cache. */
int gmi_gemm_task_rows(const gmi_gemm_plan *p, int32_t task, int64_t *m0, int64_t *m1);
void gmi_gemm_run(const gmi_gemm_plan *p, const gmi_kernels *t, const gmi_gemm_io *io, int32_t phase, int32_t task, void *scratch);

/* ---- convolution triad, physical layout NHWC for images (dense), logical layout [co][c/groups][kh][kw] for weights ----
 * y[n,oh,ow,co] = sum over k = (kh, kw, c) of x[n, oh*sh - pt + kh*dh, ow*sw - pl + kw*dw, c] * w[co,c,kh,kw]; outside x counts as +0 and is multiplied.
 * conv_dx: x from (y, w): k = (kh, kw, co), only the taps of that output's stride phase; positions outside y count as +0 and are multiplied.
 * conv_dw: w from (x, y): k = (n, oh, ow). x is always the [n,h,w,c] side, y the [n,oh,ow,co] side. 1-D convolution has h = oh = kh = 1. */
typedef enum { GMI_CONV, GMI_CONV_DX, GMI_CONV_DW } gmi_conv_kind;
typedef struct gmi_conv_plan {
    gmi_conv_kind kind;
    int64_t n, c, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups; /* oh, ow are given: trailing padding is what they imply */
    int32_t phases, tasks;
    uint64_t shared_bytes, thread_bytes;
    int64_t priv[16];
    int32_t keep_b; /* as in gmi_gemm_plan, for the weights of conv and conv_dx */
} gmi_conv_plan;
typedef struct gmi_conv_io {
    const gmi_real *a, *b; /* conv: x, w;  conv_dx: y, w;  conv_dw: x, y */
    gmi_real *c;           /* conv: y;     conv_dx: x;     conv_dw: w */
    gmi_epilogue_fn *epilogue; /* conv and conv_dx: rows are pixels, columns channels; may be NULL */
    void *epilogue_user;
    void *shared;
    int32_t packed; /* conv, conv_dx: shared holds the weights packed by an execution of this plan, or of one that differs in n only */
} gmi_conv_io;
int gmi_conv_plan_init(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks);
/* 1: conv or conv_dx whose task finishes the pixels [*m0, *m1), in ascending order and each with all channels, before its epilogue is called for them. */
int gmi_conv_task_rows(const gmi_conv_plan *p, int32_t task, int64_t *m0, int64_t *m1);
void gmi_conv_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch);
#endif
