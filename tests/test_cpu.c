/* SPDX-License-Identifier: MIT */
/* test_cpu.c: detected levels against the compiler's and the system's opinion; saving and restoring the floating point state. */
#include "base/base.h"
#include "tap.h"
#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#define HAVE_CSR 1
#endif

static void test_levels(void)
{
    uint32_t have = gmi_cpu_simd();
    ok(have & 1u << GM_SIMD_SCALAR, "scalar is always there");
    ok(have == gmi_cpu_simd(), "the answer is always the same: %x", have);
#if defined(__x86_64__) || defined(__i386__)
    ok(!(have & 1u << GM_SIMD_NEON), "no NEON on x86");
    is_int((have >> GM_SIMD_SSE2) & 1, __builtin_cpu_supports("sse2") != 0, "sse2 as the compiler's runtime sees it");
    is_int((have >> GM_SIMD_AVX2) & 1, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), "avx2 with fma");
    is_int((have >> GM_SIMD_AVX512) & 1,
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw"),
           "avx512 with f, vl, dq, bw");
    ok(!(have & 1u << GM_SIMD_AVX512) || have & 1u << GM_SIMD_AVX2, "avx512 comes with avx2");
#elif defined(__aarch64__)
    ok(have & 1u << GM_SIMD_NEON, "NEON on aarch64");
#else
    is_int(have, 1 << GM_SIMD_SCALAR, "scalar only");
#endif
}

#ifdef HAVE_CSR
/* 0 under an emulator, such as valgrind, that has no flush to zero. */
static int modes_stick(void)
{
    unsigned host = _mm_getcsr(), got;
    _mm_setcsr(0x1f80 | 0x8040 | 0x4000 | 0x3f);
    got = _mm_getcsr();
    _mm_setcsr(host);
    return got == (0x1f80 | 0x8040 | 0x4000 | 0x3f);
}
#endif

static void test_state(void)
{
    volatile double tiny = 2.2250738585072014e-308, one = 1, three = 3;
    gmi_fp s;
#ifdef HAVE_CSR
    unsigned before = _mm_getcsr();
    if (!modes_stick()) {
        skip("an emulator without these modes");
        return;
    }
    _mm_setcsr(0x1f80 | 0x8040 | 0x4000 | 0x3f); /* flush, upward, all flags raised */
    s = gmi_fp_enter();
    ok((_mm_getcsr() & 0xffc0) == 0x1f80, "entered: nearest, gradual underflow, all masked");
    ok(tiny / 4 > 0, "subnormals are there");
    gmi_fp_restore(s);
    is_int(_mm_getcsr(), 0x1f80 | 0x8040 | 0x4000 | 0x3f, "restored: mode and flags");
    ok(tiny / 4 == 0, "the host's flush to zero is back");
    _mm_setcsr(0x1f80 & ~0x200u); /* division by zero traps: must not while inside */
    s = gmi_fp_enter();
    ok(one / (tiny - tiny) > 1e308, "masked exceptions do not trap");
    gmi_fp_restore(s);
    _mm_setcsr(before);
    s = gmi_fp_enter();
    gmi_fp_restore(s);
    is_int(_mm_getcsr(), before, "the usual state stays");
#endif
    s = gmi_fp_enter();
    ok(one / three == 0x1.5555555555555p-2 && tiny / 2 > 0, "round to nearest");
    gmi_fp_restore(s);
#if defined(__aarch64__)
    {
        uint64_t host, w, odd = (uint64_t)3 << 22 | (uint64_t)1 << 24;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(host));
        __asm__ __volatile__("msr fpcr, %0" : : "r"(odd));
        s = gmi_fp_enter();
        ok(tiny / 2 > 0 && one / three == 0x1.5555555555555p-2, "fpcr: nearest, gradual underflow");
        gmi_fp_restore(s);
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(w));
        __asm__ __volatile__("msr fpcr, %0" : : "r"(host));
        ok(w == odd, "fpcr restored");
    }
#endif
}

int main(void)
{
    test_levels();
    test_state();
    return done();
}
