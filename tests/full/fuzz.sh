#!/bin/sh
# SPDX-License-Identifier: MIT
# Each fuzz target for GM_FUZZ_SECONDS (60) with libFuzzer under ASan and UBSan, from the corpus in the tree. A finding is kept in build/fuzz-findings.
. tests/full/full.inc
targets=$(cd tests/fuzz && ls fuzz_*.c 2>/dev/null | sed 's/\.c$//')
if [ -z "$targets" ]; then skip "no fuzz targets in this tree"; finish; fi
flags="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return p == 0 && n; }' >"$tmp/t.c"
if ! clang -fsanitize=fuzzer,address -o "$tmp/t" "$tmp/t.c" >/dev/null 2>&1; then skip "clang with libFuzzer not installed"; finish; fi
set -- CC=clang CFLAGS="$flags" CPPFLAGS=-fsanitize=fuzzer-no-link
variant fuzzers "$@" >"$tmp/log" 2>&1; rc=$?; ok $rc "targets build"; [ $rc = 0 ] || { tail -n 20 "$tmp/log" | note; finish; }
b=$(variant print-build "$@")
mkdir -p build/fuzz-findings
for t in $targets; do
    mkdir -p "$tmp/$t"; corpus=tests/fuzz/corpus/${t#fuzz_}; [ -d "$corpus" ] || corpus=
    "$b/fuzzers/$t" -max_total_time="${GM_FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build/fuzz-findings/$t-" "$tmp/$t" $corpus >"$tmp/log" 2>&1
    rc=$?; ok $rc "$t: $(sed -n 's/^stat::number_of_executed_units: *//p' "$tmp/log") inputs"
    [ $rc = 0 ] || grep -v '^#[0-9]' "$tmp/log" | tail -n 30 | note
done
finish
