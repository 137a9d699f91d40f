/* SPDX-License-Identifier: MIT */
/* simd.h: the vector layer. One C source of kernels is compiled once per instruction set with -DGM_ISA=scalar|sse2|avx2|avx512|neon and sees these types:
 *
 *   vf   GMI_W lanes of gmi_real          vm   a mask of such lanes            vi   GMI_W lanes of uint32_t
 *   vd   GMI_WD lanes of double           vdm  a mask of such lanes            GMI_ND = GMI_W / GMI_WD doubles vectors hold one vf
 *
 * Every primitive is exactly rounded (or exact), so a kernel that uses them in one order has the same bits at every level. In the scalar level vf is gmi_real
 * itself, which is how the oracle (-DGMI_ORACLE) becomes double. No primitive compiles into a library call, at any -O.
 *
 * load, store     vf_load vf_store (unaligned), vf_load_n vf_store_n (the first n lanes, 0 <= n; n >= GMI_W means all; missing lanes load as +0 and
 *                 no byte outside is touched), vf_set1 vf_zero, vf_from_u8 (GMI_W bytes)
 * arithmetic      vf_add sub mul div sqrt, vf_fma(a, b, c) = a*b + c in one rounding, vf_neg abs floor
 * choice          vf_lt le eq isnan -> vm; vm_or vm_and vm_not vm_any; vf_sel(m, a, b) = m ? a : b; vf_keep(m, a) = m ? a : +0; vf_max vf_min with the
 *                 rules of kernels.h (NaN stays, +0 > -0); vf_atmost(x, h) vf_atleast(x, l): cheap clamps, a NaN x stays; vf_orsign(x, s) = x with its sign bit or-ed with that of s
 * folds           vf_hsum vf_hmax: lane l with lane l + half, half = GMI_W/2, ..., 1
 * integers        vi_set1 vi_iota vi_add vi_xor vi_shr(v, constant), vi_mulhilo(a, m, &hi, &lo); vf_from_vi (lanes below 2^24)
 * double lanes    vd_lo vd_hi: lanes [0, GMI_WD) and [GMI_WD, GMI_W) of a vf, vf_pack(lo, hi) rounds back; vd_ilo vd_ihi of a vi (lanes below 2^31);
 *                 vd_load vd_store vd_set1 add sub mul div sqrt abs, vd_atmost(x, h) vd_atleast(x, l) (a NaN x stays), vd_lt le eq isnan vdm_or vdm_any vd_sel;
 *                 on the 64 bits: vd_bits(constant) vd_and or xor, vd_iadd isub (integers), vd_ishl vd_ishr(v, constant)
 * With GMI_ND == 1 (scalar) vd_hi, vd_ihi do not exist and vf_pack takes one argument: use GMI_MAP. */
#ifndef GMI_KERNELS_SIMD_H
#define GMI_KERNELS_SIMD_H
#include "kernels/kernels.h"
#include <float.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "-ffast-math breaks the exact-bits contract"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "FLT_EVAL_METHOD must be 0: i386 needs -msse2 -mfpmath=sse, gcc on s390x -fexcess-precision=fast"
#endif

#ifndef GM_ISA
#define GM_ISA scalar
#endif
#define GMI_CAT2(a, b) a##b
#define GMI_CAT(a, b) GMI_CAT2(a, b)
#define GMI_ISA_IS_scalar 1
#define GMI_ISA_IS_sse2 2
#define GMI_ISA_IS_avx2 3
#define GMI_ISA_IS_avx512 4
#define GMI_ISA_IS_neon 5
#define GMI_ISA_ID GMI_CAT(GMI_ISA_IS_, GM_ISA)

/* The one exported symbol of an ISA file: GMI_FILL(elem) is gmi_fill_elem_avx2. Declare it as gmi_kernels_fill_fn first. */
#define GMI_FILL(file) GMI_CAT(gmi_fill_##file##_, GM_ISA)

#if defined(__GNUC__)
#define GMI_INLINE static inline __attribute__((always_inline))
#define GMI_RARE(x) __builtin_expect(!!(x), 0)
#else
#define GMI_INLINE static inline
#define GMI_RARE(x) (x)
#endif

/* Holds a loaded vector in its register: compilers would rather load it again with each use, and a load that crosses cache lines costs two. */
#if defined(__GNUC__) && (GMI_ISA_ID == 3 || GMI_ISA_ID == 4)
#define VF_HOLD(x) __asm__("" : "+v"(x))
#else
#define VF_HOLD(x) ((void)0)
#endif

#if defined(GMI_ORACLE) && GMI_ISA_ID != 1
#error "the oracle is built at the scalar level only"
#endif

#if GMI_ISA_ID == 1
#include "kernels/simd_scalar.h"
#elif GMI_ISA_ID == 2
#include "kernels/simd_sse2.h"
#elif GMI_ISA_ID == 3
#include "kernels/simd_avx2.h"
#elif GMI_ISA_ID == 4
#include "kernels/simd_avx512.h"
#elif GMI_ISA_ID == 5
#include "kernels/simd_neon.h"
#else
#error "GM_ISA must be scalar, sse2, avx2, avx512 or neon"
#endif

/* Keeps a pointer or an index as it is: compilers would rather make one more for each use, and run out of registers. */
#if defined(__GNUC__)
#define GMI_HOLD_INDEX(i) __asm__("" : "+r"(i))
#else
#define GMI_HOLD_INDEX(i) ((void)0)
#endif

/* s = fma(a, b, s), the sum staying in its register: compilers put it into that of a or b when this is their last use, and then move it back. */
#if defined(__GNUC__) && GMI_ISA_ID == 4
#define VF_ADD_PRODUCT(s, a, b) __asm__("vfmadd231ps {%2, %1, %0|%0, %1, %2}" : "+v"(s) : "v"(a), "v"(b))
/* the same with the number at p for all lanes, not loaded by an instruction of its own */
#define VF_ADD_PRODUCT_AT(s, p, b) __asm__("vfmadd231ps {%2%{1to16%}, %1, %0|%0, %1, %2%{1to16%}}" : "+v"(s) : "v"(b), "m"(*(p)))
#else
#define VF_ADD_PRODUCT(s, a, b) ((s) = vf_fma((a), (b), (s)))
#define VF_ADD_PRODUCT_AT(s, p, b) ((s) = vf_fma(vf_set1(*(p)), (b), (s)))
#endif

/* Runs `statement` for every vector of n elements: i is its first element, k its lanes, GMI_W or, in the last one, fewer. vf_load_n and vf_store_n are plain
 * moves for the constant GMI_W. */
#define GMI_EACH(n, statement)                                                                                                                       \
    do {                                                                                                                                             \
        int64_t i = 0, k = GMI_W;                                                                                                                    \
        for (; i + GMI_W <= (n); i += GMI_W) {                                                                                                       \
            statement;                                                                                                                               \
        }                                                                                                                                            \
        k = (n) - i;                                                                                                                                 \
        if (GMI_W > 1 && k > 0) {                                                                                                                    \
            statement;                                                                                                                               \
        }                                                                                                                                            \
    } while (0)

/* f over the double lanes of x, rounded back once. */
#if GMI_ND == 1
#define GMI_MAP(f, x) vf_pack(f(vd_lo(x)))
#define GMI_MAP2(f, x, y) vf_pack(f(vd_lo(x), vd_lo(y)))
#else
#define GMI_MAP(f, x) vf_pack(f(vd_lo(x)), f(vd_hi(x)))
#define GMI_MAP2(f, x, y) vf_pack(f(vd_lo(x), vd_lo(y)), f(vd_hi(x), vd_hi(y)))
#endif
#endif
