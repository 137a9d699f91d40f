#!/bin/sh
# SPDX-License-Identifier: MIT
# No compiler warns, at the level of optimisation where it sees most; and the suite passes in a clang build.
. tests/full/full.inc
# quiet TARGET CC CFLAGS: everything is compiled here, so a variant that is there already goes first.
quiet() {
    if ! have "$2"; then skip "$2 not installed"; return; fi
    b=$(variant print-build CC="$2" CFLAGS="$3"); case $b in build/?*) rm -rf "$b" ;; esac
    variant "$1" CC="$2" CFLAGS="$3" WERROR=1 >"$tmp/log" 2>&1
    rc=$?; ok $rc "$2 $3 builds '$1' without a warning"; [ $rc = 0 ] || grep 'warning\|error\|note' "$tmp/log" | head -n 20 | note
}
quiet all gcc -O3
quiet programs gcc -O2
quiet programs clang -O2
if have clang; then suite "suite built by clang" CC=clang CFLAGS=-O2; else skip "clang not installed"; fi
finish
