#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/symbols.txt, the dynamic symbols of the shared library and the prototypes of the public headers are one list.
. tests/scripts/tap.inc
sh mk/prototypes.sh >"$tmp/headers"
[ -s "$tmp/headers" ]; ok $? "headers declare functions"
sed -n 's/^\(gm_[a-z0-9_]*\) .*/\1/p' docs/symbols.txt | sort -u >"$tmp/listed"
differ() { comm -3 "$1" "$2" | sed "s|^\t\(.*\)|\1: only in $4|; t; s|\$|: only in $3|" >"$tmp/bad"; }
differ "$tmp/listed" "$tmp/headers" docs/symbols.txt "the headers"
ok_empty "$tmp/bad" "docs/symbols.txt lists what the headers declare (make docs writes it)"
sed '/^#/d; /^$/d' docs/symbols.txt | grep -vE '^gm_[a-z0-9_]+ [0-9]+\.[0-9]+\.[0-9]+$' >"$tmp/bad"
ok_empty "$tmp/bad" "each line is a symbol and the version that added it"
sed '/^#/d; /^$/d' docs/symbols.txt | sort -c 2>"$tmp/bad"
ok_empty "$tmp/bad" "in order"
case "$CFLAGS" in *-fsanitize*|*-flto*) skip "an instrumented build has symbols of its own"; finish ;; esac
if have nm; then
    nm -D --defined-only lib/libgenrep.so | awk 'NF == 3 { print $3 }' | sed 's/@.*//' | sort -u >"$tmp/exported"
    differ "$tmp/exported" "$tmp/headers" lib/libgenrep.so "the headers"
    ok_empty "$tmp/bad" "the shared library exports what the headers declare"
    nm -g --defined-only lib/libgenrep.a 2>/dev/null | awk 'NF == 3 && $3 !~ /^gmi?_/ { print $3 }' >"$tmp/bad"
    ok_empty "$tmp/bad" "every global of the archive is named gm_ or gmi_"
    if have objdump; then objdump -p lib/libgenrep.so | grep -q 'SONAME *libgenrep\.so\.0$'; ok $? "soname libgenrep.so.0"; else skip "objdump not installed"; fi
else skip "nm not installed"; fi
finish
