#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone and without a warning, as C99 and as C++98, and can be read by a binding generator.
. tests/scripts/tap.inc
warn="-Wall -Wextra -Wpedantic -Wshadow -Werror"
headers=$(cd include && ls genrep.h genrep/*.h 2>/dev/null)
for h in $headers; do
    echo "#include <$h>" >"$tmp/h.c"
    $CC -std=c99 $warn -Wstrict-prototypes -Wmissing-prototypes -Iinclude -fsyntax-only "$tmp/h.c" >>"$tmp/c" 2>&1
done
ok_empty "$tmp/c" "$(echo "$headers" | wc -w | tr -d ' ') headers alone as C99"
cxx=
for c in $CXX c++ g++ clang++; do
    echo 'int main() { return 0; }' >"$tmp/t.cc"
    have "$c" && "$c" -std=c++98 -fsyntax-only "$tmp/t.cc" >/dev/null 2>&1 && { cxx=$c; break; }
done
if [ -n "$cxx" ]; then
    for h in $headers; do
        echo "#include <$h>" >"$tmp/h.cc"
        "$cxx" -std=c++98 $warn -Iinclude -fsyntax-only "$tmp/h.cc" >>"$tmp/cc" 2>&1
    done
    ok_empty "$tmp/cc" "as C++98 with $cxx"
else skip "no C++ compiler"; fi

# Nothing that a binding generator cannot read: unions, bit-fields, varargs, function-like macros that stand for a call.
for h in $headers; do
    sed 's|/\*.*\*/||' "include/$h" | grep -nE '\bunion\b|\.\.\.|[a-z_]+[ \t]+[a-z_]+[ \t]*:[ \t]*[0-9]+[ \t]*;|#[ \t]*define[ \t]+gm_[a-z_]*\(' |
        grep -vE '^[0-9]+:[ \t]*(\*|/\*)| \* ' | sed "s|^|$h:|"
done >"$tmp/bad"
ok_empty "$tmp/bad" "no union, bit-field, varargs or macro in the place of a function"
finish
