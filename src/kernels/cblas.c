/* SPDX-License-Identifier: MIT */
/* cblas.c: matrix products by cblas_sgemm, in a build that was given a CBLAS (make CBLAS=-lopenblas; docs/building.md).
 *
 * Taken are products of float that repay the call, at any level but scalar, whose A and B are row-major or transposed with a leading dimension
 * that a BLAS allows. beta is 0, so C is not read. The order of additions is the BLAS's own: such a build has a numeric profile of its own.
 * Threads: a BLAS with threads of its own gets the whole product from one task. One without (OPENBLAS_NUM_THREADS=1, or no way to tell) gets a part
 * of the rows or columns from each task.
 * Not here: convolutions (conv.c), the oracle in double, small products and single rows, which gemm.c does with less to do around them. */
#include "kernels/blas.h"

#if GMI_BLAS && !defined(GMI_ORACLE)
#include "base/base.h"
#include "kernels/block.h"
#include <cblas.h>
#include <limits.h>

/* plan->priv */
enum { CUT_BATCH, CUT_ROWS, CUT_COLS };

#define LEAST_SIDE 8            /* of m, n and k */
#define LEAST_TERMS (1 << 16)   /* multiply-adds */
#define TASK_TERMS (1 << 18)    /* of a task */
#define ROWS_LEFT 64            /* rows of a task from which cutting rows is better than cutting columns, which each task would pack A for */

/* OpenBLAS tells how many threads it uses; other libraries are taken to have one. */
#if defined(__GNUC__) && defined(__ELF__)
extern int openblas_get_num_threads(void) __attribute__((weak));
static int own_threads(void) { return openblas_get_num_threads ? openblas_get_num_threads() : 1; }
#else
static int own_threads(void) { return 1; }
#endif

/* Whether rows x cols with these strides is a matrix for a BLAS: row-major, or column-major (*trans). *ld is its leading dimension. */
static int layout(int64_t rows, int64_t cols, int64_t rs, int64_t cs, int32_t *trans, int64_t *ld)
{
    *trans = cs != 1 && rs == 1;
    *ld = *trans ? cs : rs;
    return (*trans || cs == 1) && *ld >= (*trans ? rows : cols) && *ld <= INT_MAX;
}

int gmi_blas_plan(gmi_gemm_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    int64_t ld, least = GMI_MIN(p->m, GMI_MIN(p->n, p->k)), tasks;
    double terms = (double)p->m * (double)p->n * (double)p->k;
    int32_t trans, rows;
    if (t->level == GM_SIMD_SCALAR || least < LEAST_SIDE || terms < LEAST_TERMS) return 0;
    if (p->m > INT_MAX || p->n > INT_MAX || p->k > INT_MAX || p->c_rs < p->n || p->c_rs > INT_MAX) return 0;
    if (!layout(p->m, p->k, p->a_rs, p->a_cs, &trans, &ld) || !layout(p->k, p->n, p->b_rs, p->b_cs, &trans, &ld)) return 0;
    tasks = own_threads() > 1 ? 1 : GMI_MAX(1, GMI_MIN(max_tasks, (int64_t)(terms * (double)p->batch / TASK_TERMS)));
    p->priv[CUT_BATCH] = GMI_MAX(1, GMI_MIN(tasks, p->batch));
    tasks /= p->priv[CUT_BATCH];
    rows = p->m >= p->n || p->m >= tasks * ROWS_LEFT;
    p->priv[CUT_ROWS] = rows ? GMI_MIN(tasks, p->m) : 1;
    p->priv[CUT_COLS] = rows ? 1 : GMI_MIN(tasks, p->n);
    p->blas = 1, p->phases = 1;
    p->tasks = (int32_t)(p->priv[CUT_BATCH] * p->priv[CUT_ROWS] * p->priv[CUT_COLS]);
    p->shared_bytes = p->thread_bytes = 0;
    return 1;
}

void gmi_blas_run(const gmi_gemm_plan *p, const gmi_gemm_io *io, int32_t task)
{
    const int64_t *cut = p->priv;
    int64_t part = task % (cut[CUT_ROWS] * cut[CUT_COLS]), ib = task / (cut[CUT_ROWS] * cut[CUT_COLS]), lda, ldb;
    int64_t ir = cut[CUT_ROWS] > 1 ? part : 0, ic = cut[CUT_COLS] > 1 ? part : 0;
    int64_t i0 = gmi_part(p->m, cut[CUT_ROWS], ir), i1 = gmi_part(p->m, cut[CUT_ROWS], ir + 1);
    int64_t j0 = gmi_part(p->n, cut[CUT_COLS], ic), j1 = gmi_part(p->n, cut[CUT_COLS], ic + 1);
    int32_t ta, tb;
    layout(p->m, p->k, p->a_rs, p->a_cs, &ta, &lda);
    layout(p->k, p->n, p->b_rs, p->b_cs, &tb, &ldb);
    for (int64_t b = gmi_part(p->batch, cut[CUT_BATCH], ib); b < gmi_part(p->batch, cut[CUT_BATCH], ib + 1); b++) {
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)(i1 - i0), (int)(j1 - j0), (int)p->k, 1,
                    io->a + b * p->a_bs + i0 * p->a_rs, (int)lda, io->b + b * p->b_bs + j0 * p->b_cs, (int)ldb, 0,
                    io->c + b * p->c_bs + i0 * p->c_rs + j0, (int)p->c_rs);
        if (io->epilogue) io->epilogue(io->epilogue_user, b * p->m + i0, b * p->m + i1, j0, j1, task);
    }
}
#endif
