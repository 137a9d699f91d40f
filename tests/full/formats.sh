#!/bin/sh
# SPDX-License-Identifier: MIT
# Files of each format go from the library to Python's own readers, and from Python's writers to the library.
. tests/full/full.inc
if ! have python3 || ! python3 -c 'import numpy, safetensors' 2>/dev/null; then skip "python3 with numpy and safetensors not installed"; finish; fi
$CC -std=c99 -D_POSIX_C_SOURCE=200809L $CFLAGS -Iinclude -Isrc -o "$tmp/formats" tests/full/formats.c "$GM_BUILD/libgenrep.a" -pthread $CBLAS >"$tmp/bad" 2>&1
ok_empty "$tmp/bad" "formats.c builds"
mkdir "$tmp/files"
$GM_RUN "$tmp/formats" write "$tmp/files" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "the library writes a file of each format"
python3 tests/full/formats.py "$tmp/files" >"$tmp/log" 2>&1; rc=$?
ok $rc "Python reads them, and writes its own"; [ $rc = 0 ] || note <"$tmp/log"
$GM_RUN "$tmp/formats" read "$tmp/files" >"$tmp/bad" 2>&1; rc=$?
ok_empty "$tmp/bad" "the library reads $(wc -l <"$tmp/files/LIST" | tr -d ' ') files of Python's"; ok $rc "and says so"
finish
