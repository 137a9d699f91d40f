#!/bin/sh
# SPDX-License-Identifier: MIT
# The same bits on other machines, emulated: an x86-64 without AVX, aarch64 with NEON, and the kernels of each against the reference.
. tests/full/full.inc
qemu() { for q in "qemu-$1" "qemu-$1-static"; do have "$q" && { echo "$q"; return; }; done; }
have_experiments=1
for n in vae_mnist conv_vae; do [ -e "tests/experiments/$n.c" ] || have_experiments=0; done
data=$(mnist)

# machine TEXT RUN MAKE-ARGUMENTS
machine() {
    text=$1; run=$2; shift 2
    if [ $have_experiments = 1 ]; then
        for name in vae_mnist conv_vae; do
            same "$name --steps 2 on $text" "$(sha $name "--seed 1 --threads 1 --steps 2" CC=cc)" "$(sha $name "--seed 1 --threads 1 --steps 2" RUN="$run" "$@")"
        done
    fi
    names=
    for n in checkkern test_exec test_rng test_tensor test_io test_sha256 test_json test_npy test_idx test_csv test_pnm test_wav test_png test_gan_bits; do
        [ -e tests/$n.c ] && names="$names $n"
    done
    [ -n "$names" ] && suite "kernels and formats on $text" TESTS="$names" RUN="$run" "$@"
}
q=$(qemu x86_64)
if [ "$(uname -m)" != x86_64 ]; then skip "not an x86-64 host"
elif [ -n "$q" ]; then machine "an x86-64 without AVX" "$q -cpu Nehalem" CC=cc
else skip "qemu-x86_64 not installed"; fi

# target NAME COMPILER: needs a cross compiler with its libc and qemu
target() {
    q=$(qemu "$1")
    if [ -z "$q" ]; then skip "qemu-$1 not installed"
    elif ! have "$2"; then skip "$2 not installed"
    else machine "$1" "$q -L /usr/${2%-gcc*}" CC="$2" CXX=none; fi
}
target aarch64 aarch64-linux-gnu-gcc
target s390x s390x-linux-gnu-gcc
target arm arm-linux-gnueabihf-gcc
target riscv64 riscv64-linux-gnu-gcc
target i386 i686-linux-gnu-gcc
finish
