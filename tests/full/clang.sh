#!/bin/sh
# SPDX-License-Identifier: MIT
# No compiler warns: gcc at -O2 and -O3, clang at -O2; and the suite passes in a clang build.
. tests/full/full.inc
for v in 'gcc -O2' 'gcc -O3' 'clang -O2'; do
    cc=${v% *}; o=${v#* }
    if ! have "$cc"; then skip "$cc not installed"; continue; fi
    # A variable of its own in the key, so that every file is compiled here.
    variant programs CC="$cc" CFLAGS="$o" CPPFLAGS=-DGM_CHECK_WARNINGS WERROR=1 >"$tmp/log" 2>&1
    rc=$?; ok $rc "$v builds library and programs without a warning"; [ $rc = 0 ] || tail -n 40 "$tmp/log" | note
done
if have clang; then suite "suite built by clang" CC=clang CFLAGS=-O2; else skip "clang not installed"; fi
finish
