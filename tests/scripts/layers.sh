#!/bin/sh
# SPDX-License-Identifier: MIT
# A folder of src/ is a layer: it includes itself and what the table below allows, nothing else (docs/design.md, "Layers").
# An entry is a folder, or one header of a folder. Public headers and the system's are free; platform #if has its own rule.
. tests/scripts/tap.inc
allowed() {
    case $1 in
    base)    echo "" ;;
    kernels) echo "base" ;;
    tensor)  echo "base kernels" ;;
    format)  echo "base tensor" ;;
    graph)   echo "base tensor/shape.h" ;;
    exec)    echo "base kernels tensor graph" ;;
    nn)      echo "base tensor graph" ;;
    train)   echo "base kernels/kernels.h tensor format graph exec nn" ;;
    models)  echo "base tensor format graph exec nn train" ;;
    repr)    echo "base tensor format graph exec nn train models" ;;
    *)       echo "none: $1 is not a layer" ;;
    esac
}
for f in $(find src -name '*.[ch]' -o -name '*.def' | sort); do
    own=${f#src/}; own=${own%%/*}
    list=" $own $(allowed "$own") "
    for h in $(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f"); do
        case $h in
        genrep/*|genrep.h) continue ;;
        */*) case $list in *" ${h%%/*} "*|*" $h "*) ;; *) echo "$f includes $h" ;; esac ;;
        *)   [ -e "src/$own/$h" ] || echo "$f includes $h, which is not in src/$own" ;;
        esac
    done
done >"$tmp/bad"
ok_empty "$tmp/bad" "includes follow the arrows between the layers"

# tensor/tensor.h shows kernels.h to those above it, but only the folders of the table may name its tables.
for d in format graph nn models repr; do
    [ -d src/$d ] && grep -n 'gmi_kernels\|gmi_gemm_\|gmi_conv_plan' src/$d/*.[ch] 2>/dev/null
done >"$tmp/bad"
ok_empty "$tmp/bad" "no kernel tables in format, graph, nn, models, repr"

grep -nE '^[ \t]*#[ \t]*(if|ifdef|ifndef|elif).*(__linux__|__APPLE__|__x86_64__|__i386__|__aarch64__|__arm|__s390|__GLIBC__|_WIN32|__AVX|__SSE)' \
    $(find src -name '*.[ch]' | grep -v '^src/base/\|^src/kernels/') /dev/null >"$tmp/bad"
ok_empty "$tmp/bad" "platform conditions stand in base/ and kernels/ alone"

find src -mindepth 2 -type d | sed 's/$/ is a folder inside a layer/' >"$tmp/bad"
ok_empty "$tmp/bad" "layers have no folders inside"

for f in $(ls src/*/*.h include/genrep/*.h | grep -v /simd_); do # simd_<level>.h are parts of simd.h
    case $f in src/*) want="GMI_$(echo "${f#src/}" | tr 'a-z/.' 'A-Z__')" ;; *) want="GENREP_$(basename "$f" | tr 'a-z.' 'A-Z_')" ;; esac
    grep -q "^#ifndef $want\$" "$f" || echo "$f: guard $want"
done >"$tmp/bad"
ok_empty "$tmp/bad" "header guards are named after their path"
finish
