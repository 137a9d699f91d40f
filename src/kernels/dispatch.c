/* SPDX-License-Identifier: MIT */
/* dispatch.c: fills a kernel table for a SIMD level: the scalar reference first, then each level up the ladder overwrites what it has.
 *
 * The Makefile says which levels are built (GM_HAVE_SCALAR, GM_HAVE_SSE2, ... = 1); `have` is what base/cpu found on this machine. The ladder of x86 is scalar,
 * SSE2, AVX2, AVX-512 and stops at the first missing rung; that of aarch64 is scalar, NEON. SSE2 has only elementwise kernels and matrix products of its own.
 * Not here: detection (base/cpu), the choice among algorithms (exec/lower). */
#include "base/build_info.h"
#include "kernels/kernels.h"

#ifndef GM_HAVE_SCALAR
#define GM_HAVE_SCALAR 1
#endif
#ifndef GM_HAVE_SSE2
#define GM_HAVE_SSE2 0
#endif
#ifndef GM_HAVE_AVX2
#define GM_HAVE_AVX2 0
#endif
#ifndef GM_HAVE_AVX512
#define GM_HAVE_AVX512 0
#endif
#ifndef GM_HAVE_NEON
#define GM_HAVE_NEON 0
#endif

/* A build for devices has no optimizers, and draws random numbers and reduces at the scalar level (Makefile, ISA_SRC_small). */
#if GM_TRAINING
#define ALL_FILES(isa) gmi_fill_elem_##isa, gmi_fill_reduce_##isa, gmi_fill_gemm_tile_##isa, gmi_fill_random_##isa, gmi_fill_optim_##isa
#define SCALAR_FILES ALL_FILES(scalar)
#else
#define ALL_FILES(isa) gmi_fill_elem_##isa, gmi_fill_gemm_tile_##isa
#define SCALAR_FILES ALL_FILES(scalar), gmi_fill_reduce_scalar, gmi_fill_random_scalar
#endif
gmi_kernels_fill_fn SCALAR_FILES;
#if GM_HAVE_SSE2
gmi_kernels_fill_fn gmi_fill_elem_sse2, gmi_fill_gemm_tile_sse2;
#endif
#if GM_HAVE_AVX2
gmi_kernels_fill_fn ALL_FILES(avx2);
#endif
#if GM_HAVE_AVX512
gmi_kernels_fill_fn ALL_FILES(avx512);
#endif
#if GM_HAVE_NEON
gmi_kernels_fill_fn ALL_FILES(neon);
#endif

/* A rung: its level and its files' fill functions, NULL where the rung has none. */
typedef struct rung {
    gm_simd level;
    gmi_kernels_fill_fn *files[5];
} rung;

static const rung ladder[] = {
    {GM_SIMD_SCALAR, {SCALAR_FILES}},
#if GM_HAVE_SSE2
    {GM_SIMD_SSE2, {gmi_fill_elem_sse2, gmi_fill_gemm_tile_sse2, NULL, NULL, NULL}},
#endif
#if GM_HAVE_AVX2
    {GM_SIMD_AVX2, {ALL_FILES(avx2)}},
#endif
#if GM_HAVE_AVX512
    {GM_SIMD_AVX512, {ALL_FILES(avx512)}},
#endif
#if GM_HAVE_NEON
    {GM_SIMD_NEON, {ALL_FILES(neon)}},
#endif
};
enum { RUNGS = sizeof ladder / sizeof ladder[0] };

/* Scalar needs nothing. */
static int usable(const rung *r, uint32_t have)
{
    return r->level == GM_SIMD_SCALAR || (have >> r->level & 1);
}

gm_simd gmi_kernels_best(uint32_t have)
{
    gm_simd best = GM_SIMD_SCALAR;
    int i;
    for (i = 0; i < RUNGS && usable(&ladder[i], have); i++)
        best = ladder[i].level;
    return best;
}

int gmi_kernels_fill(gmi_kernels *t, gm_simd level, uint32_t have)
{
    static const gmi_kernels empty;
    int i, f;
    if (level == GM_SIMD_BEST)
        level = gmi_kernels_best(have);
    *t = empty;
    for (i = 0; i < RUNGS && usable(&ladder[i], have); i++) {
        for (f = 0; f < 5; f++)
            if (ladder[i].files[f])
                ladder[i].files[f](t);
        t->level = ladder[i].level;
        if (t->level == level)
            return 0;
    }
    *t = empty;
    return -1;
}
