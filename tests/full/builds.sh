#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds for hosts: without threads, without training, with some levels, with a BLAS, and the amalgamation. tests/full/host.c trains five models with the usual build; every
# other build writes the same files and answers inference with the same bits. Sizes are printed for docs/results.md.
. tests/full/full.inc
cc=$CC; mkdir "$tmp/want"
size() { strip --strip-unneeded -o "$tmp/stripped" "$1" 2>/dev/null && wc -c <"$tmp/stripped" | tr -d ' '; }
kib() { awk -v n="${1:-0}" 'BEGIN { printf "%.1f", n / 1024 }'; }
# built MAKE-ARGUMENTS: the folder of a variant, built; $b is it.
built() {
    variant all WERROR=1 CC="$cc" "$@" >"$tmp/log" 2>&1; rc=$?; ok $rc "make $*"; [ $rc = 0 ] || note <"$tmp/log"
    b=$(variant print-build WERROR=1 CC="$cc" "$@")
}
# host NAME LIBRARY FLAGS: links host.c.
host() {
    n=$1; shift
    $cc -std=c99 -O1 -Iinclude -o "$tmp/$n" tests/full/host.c "$@" >"$tmp/log" 2>&1; rc=$?; ok $rc "$n links"; [ $rc = 0 ] || note <"$tmp/log"
}
use() { "$tmp/$1" use "$tmp/want" 2>"$tmp/err"; }
# bits NAME: inference has the bits of the usual build.
bits() { use "$1" >"$tmp/got"; cmp "$tmp/got" "$tmp/bits" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "$1: inference has the same bits"; }
# trains NAME: it trains to the same files as well.
trains() {
    rm -rf "$tmp/own"; mkdir "$tmp/own"; "$tmp/$1" train "$tmp/own" 2>"$tmp/err"
    for f in "$tmp/want"/*; do cmp "$f" "$tmp/own/${f##*/}"; done >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "$1: training writes the same files"
}

built; host usual "$b/libgenrep.a" -pthread
"$tmp/usual" train "$tmp/want" 2>"$tmp/err"; rc=$?; ok $rc "usual: trains"; [ $rc = 0 ] || { note <"$tmp/err"; finish; }
if have nm; then nm "$b/libgenrep.a" 2>/dev/null | grep -i blas >"$tmp/bad"; ok_empty "$tmp/bad" "usual: no symbol speaks of a BLAS"; fi
use usual >"$tmp/bits"; [ "$(wc -l <"$tmp/bits")" = 111 ]; ok $? "usual: 111 answers"
echo "# size: usual $(kib "$(size "$b/libgenrep.so.0")") KiB"
variant profile WERROR=1 CC="$cc" BENCH_ARGS='--seconds 0.01 --only W2' >"$tmp/log" 2>&1 && grep -q '^| matmul |' "$tmp/log"; rc=$?
ok $rc "make profile prints its table"; [ $rc = 0 ] || note <"$tmp/log"

# ---- levels ----
for isas in scalar 'scalar sse2' 'scalar avx2' 'scalar avx512' 'avx2'; do
    name=$(echo "levels_$isas" | tr ' ' _); built ISAS="$isas"; host "$name" "$b/libgenrep.a" -pthread; bits "$name"; trains "$name"
    echo "# size: ISAS='$isas' $(kib "$(size "$b/libgenrep.so.0")") KiB"
done

# ---- no threads ----
built THREADS=0; host nothreads "$b/libgenrep.a"; bits nothreads; trains nothreads
"$tmp/nothreads" use "$tmp/want" 2>&1 >/dev/null | grep -q '^threads 1$'; ok $? "nothreads: two threads asked for are one, and no failure"
if have nm; then
    { nm -u "$b/libgenrep.a" 2>/dev/null; nm -D -u "$b/libgenrep.so.0"; } | grep -i pthread >"$tmp/bad"; ok_empty "$tmp/bad" "no symbol of pthreads"
else skip "nm not installed"; fi
echo "# size: THREADS=0 $(kib "$(size "$b/libgenrep.so.0")") KiB"
suite "THREADS=0" CC="$cc" THREADS=0

# ---- no training ----
for isas in scalar 'scalar avx2' 'scalar sse2 avx2 avx512'; do
    built INFER_ONLY=1 ISAS="$isas"; host infer "$b/libgenrep.a" -pthread; bits infer
    echo "# size: INFER_ONLY=1 ISAS='$isas' $(kib "$(size "$b/libgenrep.so.0")") KiB"
    [ "$isas" = 'scalar avx2' ] || continue
    n=$(size "$b/libgenrep.so.0"); [ "${n:-0}" -gt 0 ] && [ "$n" -lt $((250 * 1024)) ]; ok $? "stripped $(kib "$n") KiB, below 250"
done
"$tmp/infer" refuse "$tmp/want" >"$tmp/refused" 2>"$tmp/err"
[ "$(grep -c 'GM_E_UNSUPPORTED: .*INFER_ONLY' "$tmp/refused")" = 23 ] && [ "$(grep -c '_optimizer: NULL' "$tmp/refused")" = 2 ]; rc=$?
ok $rc "infer: 23 calls that are left out are GM_E_UNSUPPORTED, with a message"; [ $rc = 0 ] || note <"$tmp/refused"
if have nm; then
    nm -D --defined-only "$b/libgenrep.so.0" | awk 'NF == 3 { print $3 }' | sed 's/@.*//' | sort -u >"$tmp/exported"
    sed -n 's/^\(gm_[a-z0-9_]*\) .*/\1/p' docs/symbols.txt | sort -u | comm -3 - "$tmp/exported" >"$tmp/bad"
    ok_empty "$tmp/bad" "infer: exports the same symbols"
    nm -u "$b/libgenrep.a" 2>/dev/null | awk 'NF >= 2 && $1 == "U" && $2 ~ /^gmi?_/ { print $2 }' | sort -u >"$tmp/used"
    nm --defined-only "$b/libgenrep.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u | comm -23 "$tmp/used" - >"$tmp/bad"
    ok_empty "$tmp/bad" "infer: the archive needs nothing that was left out"
fi
"$tmp/infer" use /nowhere 2>&1 >/dev/null | grep -q 'GM_E_IO: vae_load: reading or writing failed: no such file'
ok $? "infer: a failure names the call, the status and the system's reason"
built INFER_ONLY=1 ISAS='scalar avx2' MESSAGES=1; host wordy "$b/libgenrep.a" -pthread; bits wordy
echo "# size: INFER_ONLY=1 ISAS='scalar avx2' MESSAGES=1 $(kib "$(size "$b/libgenrep.so.0")") KiB"
"$tmp/wordy" use /nowhere 2>&1 >/dev/null | grep -q 'GM_E_IO: vae_load: .*/nowhere/conv.model.safetensors'; ok $? "wordy: a failure names the file"
built INFER_ONLY=1 THREADS=0 ISAS=scalar; host least "$b/libgenrep.a"; bits least
echo "# size: INFER_ONLY=1 THREADS=0 ISAS=scalar $(kib "$(size "$b/libgenrep.so.0")") KiB"

# ---- the amalgamation ----
variant amalgamation AMALGAMATION="$tmp/a" >"$tmp/log" 2>&1; rc=$?; ok $rc "make amalgamation"; [ $rc = 0 ] || { note <"$tmp/log"; finish; }

# ---- a BLAS: a numeric profile of its own; files are not exchanged with other builds ----
printf '#include <cblas.h>\nint main(void) { return !cblas_sgemm; }\n' >"$tmp/blas.c"
where=$(pkg-config --cflags openblas 2>/dev/null)
# shellcheck disable=SC2086
if $cc -std=c99 $where -o "$tmp/blas" "$tmp/blas.c" -lopenblas 2>/dev/null; then
    built CBLAS=-lopenblas CBLAS_CFLAGS="$where"; host blas "$b/libgenrep.a" -pthread -lopenblas
    mkdir "$tmp/mine"; OPENBLAS_NUM_THREADS=1 "$tmp/blas" train "$tmp/mine" 2>"$tmp/err"; rc=$?; ok $rc "blas: trains"; [ $rc = 0 ] || note <"$tmp/err"
    [ "$("$tmp/blas" use "$tmp/mine" 2>"$tmp/err" | wc -l)" = 111 ]; ok $? "blas: 111 answers"
    use blas >/dev/null; grep -q 'GM_E_VERSION: .*genrep.profile is 1; this build reads 1001' "$tmp/err"; ok $? "blas: does not read files of the usual build"
    "$tmp/usual" use "$tmp/mine" 2>&1 >/dev/null | grep -q 'GM_E_VERSION: .*genrep.profile is 1001; this build reads 1'
    ok $? "usual: does not read files of the build with a BLAS"
    if have nm; then
        nm -D -u "$b/libgenrep.so.0" | awk '/blas/ { print $2 }' | grep -v '^cblas_sgemm$\|^openblas_get_num_threads$' >"$tmp/bad"
        ok_empty "$tmp/bad" "blas: wants cblas_sgemm, and the number of threads where it can be had"
    fi
    suite "CBLAS" CC="$cc" CBLAS=-lopenblas CBLAS_CFLAGS="$where"
    OPENBLAS_NUM_THREADS=1; export OPENBLAS_NUM_THREADS
    suite "CBLAS, one thread of its own" CC="$cc" CBLAS=-lopenblas CBLAS_CFLAGS="$where"
    unset OPENBLAS_NUM_THREADS
    built INFER_ONLY=1 THREADS=0 CBLAS=-lopenblas CBLAS_CFLAGS="$where"; host blas_infer "$b/libgenrep.a" -lopenblas
    [ "$("$tmp/blas_infer" use "$tmp/mine" 2>"$tmp/err" | wc -l)" = 111 ]; ok $? "blas, without training and threads: 111 answers"
    # shellcheck disable=SC2086
    $cc -std=c99 -O1 -ffp-contract=off -DGM_HAVE_CBLAS=1 $where -c -o "$tmp/blas_once.o" "$tmp/a/genrep.c" 2>"$tmp/bad"; ok_empty "$tmp/bad" "blas: the amalgamation"
else skip "OpenBLAS is not installed"; fi

# ---- what hosts make of the amalgamation ----
warn="-Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Werror"
# object COMPILER NAME FLAGS
object() { c=$1; n=$2; shift 2; $c $warn -c -ffp-contract=off -o "$tmp/$n.o" "$@" "$tmp/a/genrep.c" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "$c $*"; }
x86=; echo 'int x; ' >"$tmp/t.c"; $cc -mavx2 -mfma -c -o "$tmp/t.o" "$tmp/t.c" 2>/dev/null && grep -qw avx2 /proc/cpuinfo 2>/dev/null && x86=1
for c in gcc clang; do
    if ! have $c; then skip "$c not installed"; continue; fi
    object $c once -std=c99 -O2 ${x86:+-mavx2 -mfma}; host once -I"$tmp/a" "$tmp/once.o" -pthread; bits once; trains once
    object $c scalar -std=gnu99 -O1 -DGM_ISA=scalar ${x86:+-DGM_HAVE_SSE2=1 -DGM_HAVE_AVX2=1}
    others=
    if [ "$x86" ]; then
        object $c sse2 -std=gnu99 -O1 -DGM_ISA=sse2; object $c avx2 -std=gnu99 -O1 -mavx2 -mfma -DGM_ISA=avx2
        others="$tmp/sse2.o $tmp/avx2.o"
    fi
    # shellcheck disable=SC2086
    host levels "$tmp/scalar.o" $others -pthread; bits levels; trains levels
    object $c infer -std=c99 -Os -DGM_TRAINING=0 -DGM_NO_THREADS=1 -Wframe-larger-than=16384; host device "$tmp/infer.o"; bits device
done
if [ "$x86" ] && grep -qw avx512bw /proc/cpuinfo; then
    object "$cc" once512 -std=c99 -O1 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma; host once512 "$tmp/once512.o" -pthread; bits once512
fi
# Frames: a thread of 64 KiB calls the library (tests/test_stack.c).
object "$cc" frames -std=c99 -O2 -Wframe-larger-than=16384
finish
