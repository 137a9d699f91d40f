/* SPDX-License-Identifier: MIT */
/* build_info.c: what this build is: four version numbers and the switches that matter for results.
 *
 * The numbers move independently: ABI with the soname, the file format with what is written, the numeric profile with the bits of inference, the
 * codec with its container. A host that compares results between machines compares this line first. */
#include "base/build_info.h"
#include "base/base.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

#ifdef GM_HAVE_SSE2
#define HAS_SSE2 ",sse2"
#else
#define HAS_SSE2
#endif
#ifdef GM_HAVE_AVX2
#define HAS_AVX2 ",avx2"
#else
#define HAS_AVX2
#endif
#ifdef GM_HAVE_AVX512
#define HAS_AVX512 ",avx512"
#else
#define HAS_AVX512
#endif
#ifdef GM_HAVE_NEON
#define HAS_NEON ",neon"
#else
#define HAS_NEON
#endif
#ifdef GM_NO_THREADS
#define THREADS "no"
#else
#define THREADS "posix"
#endif
#ifdef GM_HAVE_CBLAS
#define BLAS "cblas"
#else
#define BLAS "own"
#endif
#ifdef GMI_ORACLE
#define REAL "f64 (oracle)"
#else
#define REAL "f32"
#endif

#define LIBRARY "libgenrep " TEXT(GM_VERSION_MAJOR) "." TEXT(GM_VERSION_MINOR) "." TEXT(GM_VERSION_PATCH)

const char *gmi_library_name(void)
{
    return LIBRARY;
}

const char *gm_build_info(void)
{
    return LIBRARY "; abi=" TEXT(GMI_ABI) " file=" TEXT(
        GMI_FILE_FORMAT) " numeric=" TEXT(GMI_NUMERIC_PROFILE) " codec=" TEXT(GMI_CODEC_VERSION) "; real=" REAL " simd=scalar" HAS_SSE2 HAS_AVX2 HAS_AVX512
            HAS_NEON " gemm=" BLAS " threads=" THREADS;
}

int32_t gm_version_number(void)
{
    return GM_VERSION_NUMBER;
}
