#!/bin/sh
# SPDX-License-Identifier: MIT
# What the documents say is what the tree holds: the program of the README, the table of errors, links, and a comment for each public function.
. tests/scripts/tap.inc
# The README's program is examples/01_hello_vae.c from its first #include on.
sed -n '/^```c$/,/^```$/p' README.md | sed '1d; /^```$/,$d' >"$tmp/readme.c"
if [ -e examples/01_hello_vae.c ]; then
    sed -n '/^#include/,$p' examples/01_hello_vae.c | diff "$tmp/readme.c" - >"$tmp/bad"
    ok_empty "$tmp/bad" "the README's program is examples/01_hello_vae.c"
else skip "examples/01_hello_vae.c is not in this tree"; fi
[ -s "$tmp/readme.c" ] && $CC -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$tmp/readme.c" 2>"$tmp/bad"; rc=$?
ok $rc "and compiles"; note <"$tmp/bad"

sed -n 's/^[ \t]*X(\(GM_[A-Z_]*\), *\([0-9]*\), *"\(.*\)").*/\1 \2 \3/p' include/genrep/base.h >"$tmp/list"
sed -n 's/^| `\(GM_[A-Z_]*\)` | \([0-9]*\) | \([^|]*\) |.*/\1 \2 \3/p' docs/errors.md 2>/dev/null >"$tmp/table"
diff "$tmp/list" "$tmp/table" >"$tmp/bad"; ok_empty "$tmp/bad" "docs/errors.md has the statuses of base.h, in their order"

# Options of structs: each number or text is in docs/defaults.md (test_defaults.c compares the values).
for k in fit sample vae gan latent calibrate; do
    sed -n "/^typedef struct gm_${k}_options {/,/^}/p" include/genrep/*.h | sed '1d; /^    [a-z]/!d; s|/\*.*||' | tr ',;' '\n\n' | sed 's/[ \t]*$//; s/.*[ *]//' |
        grep '^[a-z][a-z_0-9]*$' | grep -vx 'size\|progress\|user\|validation\|jsonl\|csv\|checkpoint_path\|extra_loss\|extra_user\|density' | while read -r m; do
            grep -q "^|[^|]*\`$m\`" docs/defaults.md || echo "gm_${k}_options.$m"
        done
done >"$tmp/bad"
ok_empty "$tmp/bad" "every option has a row in docs/defaults.md"

# Relative links of the documents, and the targets of make and files that the README names in backticks.
for f in README.md CHANGELOG.md docs/*.md data/digits/README.md; do
    [ -e "$f" ] || { echo "$f is missing"; continue; }
    d=$(dirname "$f")
    sed 's/](/\n](/g' "$f" | sed -n 's/^](\([^)#]*\)[^)]*).*/\1/p' | grep -v '^[a-z]*:' | while read -r l; do [ -z "$l" ] || [ -e "$d/$l" ] || echo "$f: $l"; done
done >"$tmp/bad"
ok_empty "$tmp/bad" "links lead somewhere"
for t in $(grep -o '`make [a-z-]*' README.md docs/*.md | sed 's/.*make //' | sort -u); do
    grep -q "^\($t\|[a-z ]* $t\|$t [a-z ]*\):" Makefile mk/*.mk || echo "make $t"
done >"$tmp/bad"
ok_empty "$tmp/bad" "targets named in the documents exist"
for f in $(grep -o '`gm_[a-z0-9_]*`' README.md docs/*.md | sed 's/.*`\(gm_[a-z0-9_]*\)`/\1/' | sort -u); do
    case $f in *_) continue ;; esac
    grep -qw "$f" include/genrep/*.h || echo "$f"
done >"$tmp/bad"
ok_empty "$tmp/bad" "public names used in the documents are in the headers"

# A function is documented when a comment stands before it or behind it, or names it.
for h in include/genrep/*.h; do
    awk -v h="${h#include/}" '
        { line[NR] = $0 }
        /\/\*/ { inside = 1 }
        inside { text = text " " $0 }
        /\*\// { inside = 0 }
        END { for (i = 1; i <= NR; i++) if (line[i] ~ /^GM_(API|CALL) /) {
            n = line[i]; sub(/\(.*/, "", n); sub(/.*[ *]/, "", n)
            for (e = i; e < NR && line[e] !~ /;/; e++) ;
            if (line[i - 1] ~ /\*\/[ \t]*$/ || line[e] ~ /\/\*/ || text ~ ("(^|[^a-z0-9_])" n "([^a-z0-9_]|$)")) continue
            if (n ~ /_name$/ && line[i - 1] ~ /_name\(/) continue # a run of names has one comment
            print h ": " n } }' "$h"
done >"$tmp/bad"
ok_empty "$tmp/bad" "every public function has a comment ($(wc -l <"$tmp/bad" | tr -d ' ') have none)"
grep -rniE '\b(TODO|FIXME|XXX|HACK|not implemented|placeholder)\b' src include examples tests mk Makefile docs README.md --include='*' 2>/dev/null | grep -v '^tests/scripts/docs.sh:\|^tests/run.sh:' >"$tmp/bad"
ok_empty "$tmp/bad" "no unfinished marks"
finish
