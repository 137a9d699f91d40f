#!/bin/sh
# SPDX-License-Identifier: MIT
# Two builds in two folders, from the tarball that make dist writes, are equal byte for byte; two tarballs are too.
. tests/full/full.inc
if ! have git || ! git rev-parse --git-dir >/dev/null 2>&1; then skip "not a git checkout"; finish; fi
variant dist >"$tmp/log" 2>&1; rc=$?; ok $rc "make dist"; [ $rc = 0 ] || { note <"$tmp/log"; finish; }
tarball=$(ls build/dist/*.tar.gz | tail -n 1)
cp "$tarball" "$tmp/first.tar.gz"; sleep 1; variant dist >/dev/null 2>&1
cmp "$tmp/first.tar.gz" "$tarball" >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "the tarball is the same the second time"
for d in one another/longer/path; do
    mkdir -p "$tmp/$d"; gzip -dc "$tarball" | tar -xf - -C "$tmp/$d"
    (cd "$tmp/$d"/* && variant all CC="$CC" AR="$AR" CFLAGS="$CFLAGS") >"$tmp/log" 2>&1; rc=$?
    ok $rc "the tarball builds in $d"; [ $rc = 0 ] || tail -n 20 "$tmp/log" | note
done
for f in libgenrep.a libgenrep.so; do
    cmp "$tmp"/one/*/lib/$f "$tmp"/another/longer/path/*/lib/$f >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "$f is the same"
done
finish
