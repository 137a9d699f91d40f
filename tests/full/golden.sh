#!/bin/sh
# SPDX-License-Identifier: MIT
# The same bits: weights after training with 1, 2 and 3 threads, at every level of this machine, by gcc -O0, -O2, -O3 and clang -O2.
. tests/full/full.inc
missing_experiment vae_mnist conv_vae
data=$(mnist)
for e in 'vae_mnist 200' 'conv_vae 20'; do
    name=${e% *}; steps=${e#* }
    want=$(sha "$name" "--seed 1 --threads 2 --epochs 1000 --steps $steps" CC=cc)
    [ -n "$want" ]; rc=$?; ok $rc "$name --steps $steps: $want"; [ $rc = 0 ] || { note <"$tmp/err"; continue; }
    for t in 1 3; do same "$name: $t threads" "$want" "$(sha "$name" "--seed 1 --threads $t --epochs 1000 --steps $steps" CC=cc)"; done
    for l in $(levels); do same "$name: $l" "$want" "$(sha "$name" "--seed 1 --threads 2 --simd $l --epochs 1000 --steps $steps" CC=cc)"; done
    for v in 'gcc -O3' 'clang -O2' 'clang -O3'; do
        if have "${v% *}"; then same "$name: $v" "$want" "$(sha "$name" "--seed 1 --threads 2 --epochs 1000 --steps $steps" CC="${v% *}" CFLAGS="${v#* }")"
        else skip "${v% *} not installed"; fi
    done
    want=$(sha "$name" "--seed 1 --threads 2 --steps 10" CC=cc)
    if have gcc; then same "$name: gcc -O0, 10 steps" "$want" "$(sha "$name" "--seed 1 --threads 2 --steps 10" CC=gcc CFLAGS=-O0)"; else skip "gcc not installed"; fi
    same "$name: -Ofast -march=native, 10 steps" "$want" "$(sha "$name" "--seed 1 --threads 2 --steps 10" CC=cc CFLAGS='-Ofast -march=native')"
done
finish
