#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each example in a folder of its own, next to the digits under the names of MNIST's files, and compares what it prints with
# examples/expected/<name>.txt where that exists. Examples have a number in their name and run without arguments; the other programs of the folder, the demo
# (make demo) and tools, only have to be built here.
. tests/scripts/tap.inc
top=$(pwd)
for e in $GM_EXAMPLES; do
    name=$(basename "$e")
    case $name in [0-9]*) ;; *) continue ;; esac
    lines=$(wc -l <"examples/$name.c")
    [ "$lines" -lt 150 ]; ok $? "$name: $lines lines, under 150"
    dir=$tmp/$name; mkdir -p "$dir"
    ln -s "$top/data" "$dir/data"
    for s in train t10k; do for k in images-idx3 labels-idx1; do ln -s "$top/data/digits/$k-ubyte" "$dir/$s-$k-ubyte"; done; done
    (cd "$dir" && $GM_RUN "$top/$e" >"$tmp/out" 2>"$tmp/err" </dev/null)
    rc=$?
    ok $rc "$name: ends with status 0"
    [ $rc = 0 ] || { tail -n 5 "$tmp/out"; tail -n 20 "$tmp/err"; } | note
    if [ "$CBLAS" ]; then skip "the products of this build are a BLAS's: what examples print may differ"
    elif [ -e "examples/expected/$name.txt" ]; then
        diff "examples/expected/$name.txt" "$tmp/out" >"$tmp/diff"
        ok_empty "$tmp/diff" "$name: prints examples/expected/$name.txt"
    fi
done
for f in examples/[0-9]*.c; do [ -e "examples/expected/$(basename "$f" .c).txt" ] || echo "$f"; done >"$tmp/bad"
ok_empty "$tmp/bad" "each example has its expected output"
[ "$count" = 1 ] && skip "no examples in this tree"
finish
