#!/bin/sh
# SPDX-License-Identifier: MIT
# A model of ours goes through Python's safetensors and back, and is the same file again.
. tests/full/full.inc
missing_experiment vae_mnist conv_vae
if ! have python3 || ! python3 -c 'import numpy, safetensors' 2>/dev/null; then skip "python3 with numpy and safetensors not installed"; finish; fi
data=$(mnist)
$CC $CFLAGS -Iinclude -o "$tmp/reload" tests/full/reload.c "$GM_BUILD/libgenrep.a" -pthread $CBLAS >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "reload.c builds"
for name in vae_mnist conv_vae; do
    mkdir "$tmp/$name"
    variant experiment NAME=$name DATA="$data" ARGS="--seed 1 --steps 2 --save $tmp/$name" CC="$CC" CFLAGS="$CFLAGS" >"$tmp/log" 2>&1
    m=$tmp/$name/model.safetensors
    [ -s "$m" ]; ok $? "$name --save writes model.safetensors"
    python3 tests/full/interop.py "$m" "$tmp/python.safetensors" >"$tmp/log" 2>&1; rc=$?
    ok $rc "$name: Python reads it, its digest is right"; [ $rc = 0 ] || note <"$tmp/log"
    $GM_RUN "$tmp/reload" "$tmp/python.safetensors" "$tmp/back.safetensors" >"$tmp/log" 2>&1; rc=$?
    ok $rc "$name: what Python wrote loads"; [ $rc = 0 ] || note <"$tmp/log"
    cmp "$m" "$tmp/back.safetensors" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "$name: saved again it is the first file"
done
finish
