#!/bin/sh
# SPDX-License-Identifier: MIT
# The stripped shared library of a default build for x86-64 with its four levels stays below 800 KiB.
. tests/scripts/tap.inc
if [ "$GM_ISAS" != "scalar sse2 avx2 avx512" ] || [ "$CFLAGS" != -O2 ]; then skip "the bar is for a default build with four levels"; finish; fi
if ! have strip; then skip "strip not installed"; finish; fi
strip --strip-unneeded -o "$tmp/so" lib/libgenrep.so
size=$(wc -c <"$tmp/so" | tr -d ' ')
[ "$size" -lt $((800 * 1024)) ]; ok $? "libgenrep.so is $((size / 1024)) KiB stripped, below 800"
finish
