#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each example in a folder of its own, next to the digits under the names of MNIST's files, and compares what it prints with
# examples/expected/<name>.txt where that exists. The demo runs through `make demo`, so it only has to be built here.
. tests/scripts/tap.inc
top=$(pwd)
for e in $GM_EXAMPLES; do
    name=$(basename "$e")
    [ "$name" = demo ] && continue
    lines=$(wc -l <"examples/$name.c")
    [ "$lines" -lt 150 ]; ok $? "$name: $lines lines, under 150"
    dir=$tmp/$name; mkdir -p "$dir"
    ln -s "$top/data" "$dir/data"
    for s in train t10k; do for k in images-idx3 labels-idx1; do ln -s "$top/data/digits/$k-ubyte" "$dir/$s-$k-ubyte"; done; done
    (cd "$dir" && $GM_RUN "$top/$e" >"$tmp/out" 2>"$tmp/err" </dev/null)
    rc=$?
    ok $rc "$name: ends with status 0"
    [ $rc = 0 ] || { tail -n 5 "$tmp/out"; tail -n 20 "$tmp/err"; } | note
    if [ -e "examples/expected/$name.txt" ]; then
        diff "examples/expected/$name.txt" "$tmp/out" >"$tmp/diff"
        ok_empty "$tmp/diff" "$name: prints examples/expected/$name.txt"
    fi
done
[ "$count" = 0 ] && skip "no examples in this tree"
finish
