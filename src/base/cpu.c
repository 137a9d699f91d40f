/* SPDX-License-Identifier: MIT */
/* cpu.c: what the processor can do, and the floating point state.
 *
 * x86: CPUID leaves 1 and 7 say what the processor has, XGETBV what the operating system saves on a task switch (Intel SDM vol. 1, 13.3, 14.3); both
 * are needed. aarch64 always has NEON. Never a model number. The state words hold rounding, flush-to-zero and exception masks: the library computes
 * with round to nearest, gradual underflow and no traps, whatever the host has set, and puts the host's word back. Machines without a case here keep
 * the state their host has. */
#include "base/base.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define X86 1
#endif

void gmi_cpu_pause(void)
{
#ifdef X86
    __asm__ __volatile__("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory"); /* `yield` does nothing on most cores; isb takes some ten nanoseconds */
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#ifdef X86
static void cpuid(uint32_t leaf, uint32_t r[4])
{
    __asm__ __volatile__("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static uint32_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ __volatile__(".byte 0x0f, 0x01, 0xd0" : "=a"(lo), "=d"(hi) : "c"(0)); /* xgetbv */
    return lo;
}

uint32_t gmi_cpu_simd(void)
{
    const uint32_t f_bw_dq_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    uint32_t r[4], have = 1u << GM_SIMD_SCALAR, leaves, c1, saved;
    cpuid(0, r);
    leaves = r[0];
    if (leaves < 1) return have;
    cpuid(1, r);
    c1 = r[2];
    if (!(r[3] & 1u << 26)) return have;
    have |= 1u << GM_SIMD_SSE2;
    if (!(c1 & 1u << 27) || leaves < 7) return have; /* OSXSAVE: xgetbv may be used */
    saved = xcr0();
    cpuid(7, r);
    if ((saved & 6) != 6 || !(c1 & 1u << 28) || !(c1 & 1u << 12) || !(r[1] & 1u << 5)) return have; /* ymm saved; AVX, FMA, AVX2 */
    have |= 1u << GM_SIMD_AVX2;
    if ((saved & 0xe6) == 0xe6 && (r[1] & f_bw_dq_vl) == f_bw_dq_vl) have |= 1u << GM_SIMD_AVX512; /* opmask, zmm saved */
    return have;
}
#else
uint32_t gmi_cpu_simd(void)
{
    uint32_t have = 1u << GM_SIMD_SCALAR;
#ifdef __aarch64__
    have |= 1u << GM_SIMD_NEON;
#endif
    return have;
}
#endif

#if defined(__x86_64__) || (defined(X86) && defined(__SSE__))
/* MXCSR in the low half; on i386, where doubles return in x87 registers, its control word in the high half. */
static uint64_t fp_read(void)
{
    uint32_t mxcsr;
    uint64_t w;
    __asm__ __volatile__("stmxcsr %0" : "=m"(mxcsr));
    w = mxcsr;
#ifdef __i386__
    {
        uint16_t cw;
        __asm__ __volatile__("fnstcw %0" : "=m"(cw));
        w |= (uint64_t)cw << 32;
    }
#endif
    return w;
}

static void fp_write(uint64_t w)
{
    uint32_t mxcsr = (uint32_t)w;
    __asm__ __volatile__("ldmxcsr %0" : : "m"(mxcsr));
#ifdef __i386__
    {
        uint16_t cw = (uint16_t)(w >> 32);
        __asm__ __volatile__("fldcw %0" : : "m"(cw));
    }
#endif
}

static uint64_t fp_wanted(uint64_t w)
{
    (void)w;
#ifdef __i386__
    return UINT64_C(0x37f) << 32 | 0x1f80;
#else
    return 0x1f80; /* all masked, nearest, no FTZ, no DAZ */
#endif
}
#elif defined(__aarch64__) && defined(__GNUC__)
static uint64_t fp_read(void)
{
    uint64_t w;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(w));
    return w;
}

static void fp_write(uint64_t w)
{
    __asm__ __volatile__("msr fpcr, %0" : : "r"(w));
}

static uint64_t fp_wanted(uint64_t w)
{
    /* AH, FIZ, NEP (0-2), trap enables (8-12, 15), FZ16 (19), rounding (22-23), FZ (24), DN (25) */
    return w & ~(UINT64_C(7) | UINT64_C(0x9f00) | UINT64_C(1) << 19 | UINT64_C(15) << 22);
}
#elif defined(__s390x__) && defined(__GNUC__)
static uint64_t fp_read(void)
{
    uint32_t w;
    __asm__ __volatile__("efpc %0" : "=d"(w));
    return w;
}

static void fp_write(uint64_t w)
{
    uint32_t v = (uint32_t)w;
    __asm__ __volatile__("sfpc %0" : : "d"(v));
}

static uint64_t fp_wanted(uint64_t w)
{
    return w & ~UINT64_C(0xf8000007); /* exception masks, rounding */
}
#else
static uint64_t fp_read(void)
{
    return 0;
}

static void fp_write(uint64_t w)
{
    (void)w;
}

static uint64_t fp_wanted(uint64_t w)
{
    return w;
}
#endif

gmi_fp gmi_fp_enter(void)
{
    gmi_fp s;
    uint64_t wanted;
    s.word = fp_read();
    wanted = fp_wanted(s.word);
    if (wanted != s.word) fp_write(wanted);
    return s;
}

void gmi_fp_restore(gmi_fp s)
{
    if (fp_read() != s.word) fp_write(s.word);
}
