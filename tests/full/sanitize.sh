#!/bin/sh
# SPDX-License-Identifier: MIT
# The suite under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
. tests/full/full.inc
echo 'int main(void) { return 0; }' >"$tmp/t.c"
if cc -fsanitize=address,undefined -o "$tmp/t" "$tmp/t.c" 2>/dev/null && "$tmp/t" 2>/dev/null; then
    suite "suite under ASan and UBSan" CC=cc CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
else skip "this compiler has no working address sanitizer"; fi
finish
