#!/bin/sh
# SPDX-License-Identifier: MIT
# make amalgamation writes two files that a compiler takes without a warning; tests/full/builds.sh runs what comes out.
. tests/scripts/tap.inc
$GM_MAKE -s amalgamation AMALGAMATION="$tmp/a" >"$tmp/log" 2>&1; rc=$?; ok $rc "make amalgamation"; [ $rc = 0 ] || { note <"$tmp/log"; finish; }
warn="-Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Werror"
# shellcheck disable=SC2086
$CC -std=c99 $warn -fsyntax-only "$tmp/a/genrep.c" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "genrep.c for the scalar level and that of the flags"
echo '#include "genrep.h"' >"$tmp/a/only.c"
# shellcheck disable=SC2086
$CC -std=c99 $warn -fsyntax-only "$tmp/a/only.c" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "genrep.h alone"
grep -n '#[ \t]*include[ \t]*"' "$tmp/a/genrep.c" "$tmp/a/genrep.h" | grep -v '"genrep\.h"' >"$tmp/bad"; ok_empty "$tmp/bad" "they ask for no other file"
finish
