#!/bin/sh
# SPDX-License-Identifier: MIT
# amalgamation.sh DIR VERSION: the library as two files, DIR/genrep.c and DIR/genrep.h, for hosts that have a build of their own.
#
# genrep.c holds the plain files in layer order, then the files of src/kernels that are compiled once per SIMD level, twice: for the scalar level and for a
# vector level. Names local to a file get its name as a prefix (amalgamation.awk). Environment, from the Makefile: GM_ISA_SRC, GM_ISA_SRC_SSE2,
# GM_ISA_SRC_SMALL (files per level: all, of SSE2, of an INFER_ONLY build), GM_INFER_OUT (files left out without training).
set -e
dir=$1; version=$2
LC_ALL=C; export LC_ALL
work=$dir/work
rm -rf "$work"; mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
join() { awk -f mk/amalgamation_join.awk "$@"; }
in_list() { case " $2 " in *" $1 "*) return 0 ;; esac; return 1; }

# ---- genrep.h ----
{
    echo "/* SPDX-License-Identifier: MIT */"
    echo "/* genrep.h: libgenrep $version in two files; written by make amalgamation. How to compile genrep.c is said at its top. */"
    join -v roots=include genrep.h
} >"$work/genrep.h"

# ---- plain files, each with a prefix; those of one kind of build alone inside a condition ----
plain=
for layer in base kernels tensor format graph exec nn train models repr; do
    for f in src/$layer/*.c; do
        name=${f#src/}; base=${name%.c}
        [ $layer = kernels ] && in_list "${base#kernels/}" "$GM_ISA_SRC" && continue
        prefix=$(echo "$base" | tr / _)__
        mkdir -p "$work/plain/$layer"
        {
            in_list "$base" "$GM_INFER_OUT" && echo "#if GM_TRAINING"
            [ "${base##*/}" = infer_only ] && echo "#if !GM_TRAINING"
            awk -v prefix="$prefix" -f mk/amalgamation.awk "$f"
            awk -v undef=1 -f mk/amalgamation.awk "$f" | grep -v '_GNU_SOURCE\|PATH_MAX' || :
            if in_list "$base" "$GM_INFER_OUT" || [ "${base##*/}" = infer_only ]; then echo "#endif"; fi
        } >"$work/plain/$name"
        plain="$plain $name"
    done
done
public=$(cd include && echo genrep.h genrep/*.h)
# Headers first: a file inside a condition must not be the one that brings a header.
headers=$(cd src && for layer in base kernels tensor format graph exec nn train models repr; do ls $layer/*.h 2>/dev/null; done |
    grep -v 'kernels/simd\|kernels/math\.h' || :)

# ---- files of a level: section NAME ----
level_headers="kernels/simd.h kernels/simd_scalar.h kernels/simd_sse2.h kernels/simd_avx2.h kernels/simd_avx512.h kernels/simd_neon.h kernels/math.h"
also=$(for h in $level_headers; do awk -v list=1 -v all=1 -f mk/amalgamation.awk "src/$h"; done | sort -u)
section() {
    s=$1; root=$work/$s; files=
    mkdir -p "$root/kernels"
    for h in $level_headers; do
        case "$s $h" in
        *simd.h|*math.h|"scalar kernels/simd_scalar.h") ;;
        scalar*|*simd_scalar.h) : >"$root/$h"; continue ;; # of the other section
        esac
        awk -v prefix="${s}__" -v also="$also" -v pasted=1 -f mk/amalgamation.awk "src/$h" >"$root/$h"
    done
    for k in $GM_ISA_SRC; do
        # the headers' names have the section's prefix, the file's own the file's
        awk -v prefix="${s}_${k}__" -v pasted=1 -f mk/amalgamation.awk "src/kernels/$k.c" >"$root/own"
        awk -v prefix="${s}__" -v also="$also" -v only=1 -f mk/amalgamation.awk "$root/own" >"$root/renamed"
        {
            cond="1"
            [ "$s" = scalar ] && { in_list "kernels/$k" "$GM_INFER_OUT" && cond="GM_TRAINING"; }
            [ "$s" = vector ] && { in_list "$k" "$GM_ISA_SRC_SMALL" || cond="GM_TRAINING"; }
            [ "$s" = vector ] && { in_list "$k" "$GM_ISA_SRC_SSE2" || cond="$cond && GMI_ISA_ID != 2"; }
            echo "#if $cond"
            cat "$root/renamed"
            awk -v undef=1 -f mk/amalgamation.awk "src/kernels/$k.c"
            echo "#endif"
        } >"$root/kernels/$k.c"
        files="$files kernels/$k.c"
    done
    join -v roots="$root src" -v skip="$public" -v once="$headers" kernels/simd.h kernels/math.h $files
    for h in $level_headers; do awk -v undef=1 -f mk/amalgamation.awk "src/$h"; done
}

{
    sed "s/@VERSION@/$version/" mk/amalgamation.c.in
    # shellcheck disable=SC2086
    join -v roots="src" -v skip="$public" $headers
    echo; echo "#if GMI_PLAIN"
    # shellcheck disable=SC2086
    join -v roots="$work/plain src" -v skip="$public" -v once="$headers" $plain
    echo; echo "#endif /* GMI_PLAIN */"
    echo; echo "#if GMI_SCALAR"; echo "#undef GM_ISA"; echo "#define GM_ISA scalar"
    section scalar
    echo "#endif /* GMI_SCALAR */"
    echo; echo "#if GMI_VECTOR"; echo "#undef GM_ISA"; echo "#define GM_ISA GMI_LEVEL"
    section vector
    echo "#endif /* GMI_VECTOR */"
} >"$work/genrep.c"
mv "$work/genrep.h" "$dir/genrep.h"
mv "$work/genrep.c" "$dir/genrep.c"
