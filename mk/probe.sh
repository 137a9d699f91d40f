#!/bin/sh
# SPDX-License-Identifier: MIT
# probe.sh DIR: writes DIR/probe.mk, what the compiler of the environment (CC, AR, CFLAGS, STRICT, ISAS) can do for its target.
# Compiles only; nothing is run. PROBE_FLAGS: flags taken; PROBE_ISAS: levels; PROBE_AR: archive flags; PROBE_SO: shared link flags; PROBE_SMALL,
# PROBE_LOOPS: of the smallest code, everywhere and where no time is spent.
dir=$1
[ -s "$dir/probe.mk" ] && exit 0
mkdir -p "$dir" || exit 1
t=$dir/probe.$$
trap 'rm -rf "$t"' EXIT
mkdir -p "$t" || exit 1
# compiles TEXT [FLAGS]: can it be compiled without a warning?
compiles() {
    text=$1; shift
    printf '%s\n' "$text" >"$t/p.c"
    # eval: flags may hold quotes, as in a recipe.
    eval "$CC $CFLAGS $STRICT $* -Werror -c -o $t/p.o $t/p.c" >"$t/log" 2>&1
}
need() { printf '#if !(%s)\n#error no\n#endif\n' "$1"; }
main='int gmi_probe(int x); int gmi_probe(int x) { return x; }'

if ! compiles "$main" -Wno-error; then cat "$t/log" >&2; exit 1; fi

flags=
i386=$(need 'defined(__i386__) || defined(_M_IX86)')
if compiles "$i386
$main"; then compiles "$main" -msse2 -mfpmath=sse && flags="-msse2 -mfpmath=sse"; fi
compiles "$main" -fexcess-precision=fast && flags="$flags -fexcess-precision=fast"

# The smallest code, for a library without training.
small=-Os
compiles "$main" -Oz && small=-Oz
compiles "$main" -fno-caller-saves && small="$small -fno-caller-saves"
loops=
compiles "$main" -fno-ivopts -fno-tree-loop-im -fno-move-loop-invariants && loops="-fno-ivopts -fno-tree-loop-im -fno-move-loop-invariants"

isas=scalar
x86='#include <immintrin.h>'
for isa in $ISAS; do
    case $isa in
    sse2)   text="$(need 'defined(__SSE2__)')
#include <emmintrin.h>
__m128d gmi_probe(__m128d a); __m128d gmi_probe(__m128d a) { return _mm_add_pd(a, a); }"; f=$SSE2 ;;
    avx2)   text="$(need 'defined(__AVX2__) && defined(__FMA__)')
$x86
__m256 gmi_probe(__m256 a); __m256 gmi_probe(__m256 a) { return _mm256_fmadd_ps(a, a, a); }"; f=$AVX2 ;;
    avx512) text="$(need 'defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)')
$x86
__m512 gmi_probe(__m512 a); __m512 gmi_probe(__m512 a) { return _mm512_fmadd_ps(a, a, a); }"; f=$AVX512 ;;
    neon)   text="$(need 'defined(__aarch64__) && defined(__ARM_NEON)')
#include <arm_neon.h>
float32x4_t gmi_probe(float32x4_t a); float32x4_t gmi_probe(float32x4_t a) { return vfmaq_f32(a, a, a); }"; f= ;;
    *) continue ;;
    esac
    # shellcheck disable=SC2086
    compiles "$text" $f && isas="$isas $isa"
done

arflags=rcs
compiles "$main" -fPIC && $AR rcsD "$t/p.a" "$t/p.o" >/dev/null 2>&1 && arflags=rcsD
so="-shared"
compiles "$main" -fPIC
printf '{ global: gm_*; local: *; };\n' >"$t/p.map"
if eval "$CC $CFLAGS -shared -Wl,-soname,p.so.0 -Wl,--version-script=$t/p.map -o $t/p.so $t/p.o" >/dev/null 2>&1; then
    so="-shared -Wl,-soname,libgenrep.so.$SOMAJOR -Wl,--version-script=src/libgenrep.map"
    eval "$CC $CFLAGS -shared -Wl,-Bsymbolic-functions -o $t/p.so $t/p.o" >/dev/null 2>&1 && so="$so -Wl,-Bsymbolic-functions"
fi
# A library without training drops what nothing reaches any more, and has no symbol that is missing.
gc=
eval "$CC $CFLAGS $so -Wl,--gc-sections -Wl,-z,defs -o $t/p.so $t/p.o" >/dev/null 2>&1 && gc="-Wl,--gc-sections -Wl,-z,defs"
eval "$CC $CFLAGS $so $gc -Wl,-z,noseparate-code -o $t/p.so $t/p.o" >/dev/null 2>&1 && gc="$gc -Wl,-z,noseparate-code"
{
    echo "PROBE_FLAGS = $flags"
    echo "PROBE_ISAS = $isas"
    echo "PROBE_AR = $arflags"
    echo "PROBE_SO = $so"
    echo "PROBE_SMALL = $small"
    echo "PROBE_LOOPS = $loops"
    echo "PROBE_GC = $gc"
} >"$t/out" && mv "$t/out" "$dir/probe.mk"
