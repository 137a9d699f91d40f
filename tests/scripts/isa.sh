#!/bin/sh
# SPDX-License-Identifier: MIT
# An object built for one SIMD level exports one symbol, its fill function: nothing else of it can be linked by accident into code that runs on
# every machine, and two levels can never collide.
. tests/scripts/tap.inc
if ! have nm; then skip "nm not installed"; finish; fi
case "$CFLAGS" in *-flto*|*-fsanitize*) skip "not for instrumented builds"; finish ;; esac
for o in $GM_ISA_OBJ; do
    base=$(basename "$o" .o); want="gmi_fill_${base%%.*}_${base##*.}"
    got=$(nm -g --defined-only "$o" 2>/dev/null | awk 'NF == 3 { printf "%s%s", s, $3; s = " " }')
    [ "$got" = "$want" ] || echo "$o exports: $got"
done >"$tmp/bad"
ok_empty "$tmp/bad" "each of $(echo $GM_ISA_OBJ | wc -w | tr -d ' ') objects exports gmi_fill_<file>_<level> alone"

# A scalar or plain object must run on the oldest machine: no wide registers unless the user's flags ask for them.
case "$CFLAGS $CPPFLAGS" in
*-march*|*-mavx*) skip "the user's flags choose the instruction set" ;;
*)  if have objdump && objdump -f "$GM_BUILD/libgenrep.a" 2>/dev/null | grep -q x86-64; then
        for o in $(find "$GM_BUILD/obj" -name '*.o' | grep -v '\.avx2\.o$\|\.avx512\.o$'); do
            objdump -d --no-show-raw-insn "$o" 2>/dev/null | grep -m1 '%[yz]mm\|[ \t]v[a-z0-9]*[sp][sd] ' | sed "s|^|$o: |"
        done | grep -v '/base/cpu' >"$tmp/bad"
        ok_empty "$tmp/bad" "no AVX instruction outside the avx2 and avx512 objects"
    else skip "x86-64 and objdump only"; fi ;;
esac
finish
