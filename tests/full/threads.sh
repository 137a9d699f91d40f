#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs that use threads under ThreadSanitizer.
. tests/full/full.inc
echo 'int main(void) { return 0; }' >"$tmp/t.c"
names=$(ls tests/*.c 2>/dev/null | xargs grep -l 'pthread\|threads = ' | sed 's|.*/||; s|\.c$||' | grep -v 'opcheck\|oracle' | tr '\n' ' ')
if [ -z "$names" ]; then skip "no program of this tree uses threads"
elif cc -fsanitize=thread -o "$tmp/t" "$tmp/t.c" 2>/dev/null && "$tmp/t" 2>/dev/null; then
    suite "$names under TSan" CC=cc CFLAGS="-O1 -g -fsanitize=thread" TESTS="$names"
else skip "this compiler has no working thread sanitizer"; fi
finish
