#!/bin/sh
# SPDX-License-Identifier: MIT
# The quick programs of the suite under valgrind: no invalid access, no use of what was never set, nothing lost. A program that takes longer
# than 2 s by itself is left to the sanitizers, and test_stack, which looks below the stack of its thread, to itself. (valgrind knows no AVX-512: the level below is what runs.)
. tests/full/full.inc
if ! have valgrind; then skip "valgrind not installed"; finish; fi
names=
for p in $(ls tests/*.c | sed 's|.*/||; s|\.c$||'); do
    for n in $p ${p}_f32 ${p}_f64; do
        [ -x "$GM_BUILD/tests/$n" ] || continue
        [ $n != test_stack ] || { skip "test_stack reads what valgrind takes for free stack"; continue; }
        s=$(cat "$GM_BUILD/tap/$n.seconds" 2>/dev/null || echo 0)
        if [ "$s" -gt 2 ]; then skip "$n takes $s s, too long for valgrind"; else names="$names $n"; fi
    done
done
[ -n "$names" ] && suite "suite under valgrind" TESTS="$names" CC="$CC" CFLAGS="$CFLAGS" \
    RUN="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible --num-callers=16"
finish
