#!/bin/sh
# SPDX-License-Identifier: MIT
# Replays the corpus of each fuzz target (tests/fuzz/corpus/<target>/) and a few hundred deterministic mutations of it.
. tests/scripts/tap.inc
for f in $GM_FUZZ; do
    name=$(basename "$f"); corpus=tests/fuzz/corpus/${name#fuzz_}
    $GM_RUN "$f" $(find "$corpus" -type f 2>/dev/null | sort) >"$tmp/out" 2>&1 </dev/null
    rc=$?; ok $rc "$name: $(find "$corpus" -type f 2>/dev/null | wc -l | tr -d ' ') inputs"
    [ $rc = 0 ] || tail -n 20 "$tmp/out" | note
done
[ "$count" = 0 ] && skip "no fuzz targets in this tree"
finish
