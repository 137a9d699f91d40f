#!/bin/sh
# SPDX-License-Identifier: MIT
# docs.sh VERSION: rewrites what repeats the headers. docs/symbols.txt: a new symbol gets VERSION,
# an old one keeps its line, one that left the headers is dropped and named. build/docs/functions.md: an index by header.
set -e
version=$1
LC_ALL=C; export LC_ALL
mkdir -p build/docs

sh mk/prototypes.sh >build/docs/prototypes
touch docs/symbols.txt
{
    echo "# Exported symbols and the version that added each; make docs writes this file, tests/scripts/symbols.sh compares it."
    awk -v version="$version" 'FILENAME == ARGV[1] { if ($1 ~ /^gm_/) since[$1] = $2; next } { print $1, ($1 in since) ? since[$1] : version }' \
        docs/symbols.txt build/docs/prototypes
} >build/docs/symbols.txt
awk 'FILENAME == ARGV[1] { have[$1] = 1; next } $1 ~ /^gm_/ && !($1 in have) { print "gone from the headers: " $0 }' build/docs/symbols.txt docs/symbols.txt >&2
cmp -s build/docs/symbols.txt docs/symbols.txt || cp build/docs/symbols.txt docs/symbols.txt

{
    echo "# Functions by header"
    for h in include/genrep/*.h; do
        printf '\n## %s\n\n' "${h#include/}"
        sed -n 's/^\(GM_API\|GM_CALL\) .*\(gm_[a-z0-9_]*\)(.*/- `\2`/p; s/^\(GM_API\|GM_CALL\) \(gm_[a-z0-9_]*\)(.*/- `\2`/p' "$h" | sort -u
    done
} >build/docs/functions.md
