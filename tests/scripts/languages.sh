#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples in other languages: examples/cplusplus.cpp as C++98 and C++17 without a warning, examples/ctypes_demo.py over the shared library.
. tests/scripts/tap.inc
san=; for f in $CFLAGS $LDFLAGS; do case $f in -fsanitize*|--coverage|-m32|-flto*) san="$san $f" ;; esac; done
lines=$(wc -l <examples/cplusplus.cpp); [ "$lines" -lt 150 ]; ok $? "cplusplus.cpp: $lines lines, under 150"
lines=$(wc -l <examples/ctypes_demo.py); [ "$lines" -le 60 ]; ok $? "ctypes_demo.py: $lines lines, at most 60"
if [ "$GM_INFER_ONLY" = 1 ]; then skip "both train, and this build does not"; finish; fi

echo 'int main() { return 0; }' >"$tmp/t.cpp"
# the C++ compiler beside a cross compiler, else CXX
cxx=$CXX; case $CC in *-gcc) have "${CC%gcc}g++" && cxx=${CC%gcc}g++ ;; esac
for std in c++98 c++17; do
    # shellcheck disable=SC2086
    if ! have "${cxx%% *}" || ! $cxx $san -std=$std -o "$tmp/t" "$tmp/t.cpp" 2>/dev/null || ! $GM_RUN "$tmp/t" 2>/dev/null; then
        skip "no C++ compiler for $std here that builds for the target"; continue
    fi
    # shellcheck disable=SC2086
    $cxx $san -std=$std -Wall -Wextra -Wpedantic -Wshadow -Werror -Iinclude examples/cplusplus.cpp "$GM_BUILD/libgenrep.a" -pthread $CBLAS $LDLIBS -o "$tmp/$std" \
        >"$tmp/log" 2>&1 && $GM_RUN "$tmp/$std" >"$tmp/$std.out" 2>>"$tmp/log"
    rc=$?; ok $rc "cplusplus.cpp as $std runs"; [ $rc = 0 ] || note <"$tmp/log"
    grep -q 'largest distance below 1' "$tmp/$std.out" && grep -q '^GM_E_SHAPE: vae_encode: x is \[2,4\] f32' "$tmp/$std.out"
    rc=$?; ok $rc "$std: points come back near, and a failure is an exception with the library's message"; [ $rc = 0 ] || note <"$tmp/$std.out"
done

case "$san$GM_RUN" in
?*) skip "Python cannot load an instrumented or foreign library" ;;
*)  if have python3 && python3 -c 'import ctypes' 2>/dev/null; then
        (cd "$tmp" && python3 "$OLDPWD/examples/ctypes_demo.py" "$OLDPWD/lib/libgenrep.so") >"$tmp/py" 2>"$tmp/log"
        rc=$?; ok $rc "ctypes_demo.py runs"; [ $rc = 0 ] || note <"$tmp/log"
        [ "$(grep -cE '^-?[0-9.]+ -?[0-9.]+ -?[0-9.]+ -?[0-9.]+$' "$tmp/py")" = 3 ]; rc=$?; ok $rc "it prints three rows of four numbers"; [ $rc = 0 ] || note <"$tmp/py"
    else skip "python3 not installed"; fi ;;
esac
finish
