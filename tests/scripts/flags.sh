#!/bin/sh
# SPDX-License-Identifier: MIT
# The project's flags win over the user's: -Ofast and -ffast-math neither reach the arithmetic nor the link, and the variant is another one.
. tests/scripts/tap.inc
dry() { $GM_MAKE -n V=1 "$@" CC="$CC" AR="$AR" WERROR=0 2>/dev/null; }
dry all CFLAGS='-Ofast -ffast-math' >"$tmp/fast"
grep -e ' -c ' "$tmp/fast" | grep -v -- "-ffast-math.*-ffp-contract=off.*-fno-fast-math.*-fno-tree-slp-vectorize" >"$tmp/bad"
ok_empty "$tmp/bad" "every compile ends with -ffp-contract=off -fno-fast-math"
grep -e ' -c ' -q "$tmp/fast"; ok $? "there are compiles"
grep -e '-shared' "$tmp/fast" | grep -e '-ffast-math\|-Ofast' >"$tmp/bad"
ok_empty "$tmp/bad" "no link sees -Ofast or -ffast-math"
grep -q "$(basename "$GM_BUILD")/" "$tmp/fast"; [ $? = 1 ]; ok $? "another set of flags is another build folder"
echo '#ifdef __FAST_MATH__
#error fast
#endif
int gmi_x(void); int gmi_x(void) { return 0; }' >"$tmp/f.c"
$CC -Ofast -ffast-math -fno-fast-math -c -o "$tmp/f.o" "$tmp/f.c" 2>"$tmp/bad"; ok $? "the compiler lets -fno-fast-math undo them"

# A level that was not asked for is left out of everything.
dry all ISAS=scalar | grep -e '-mavx\|-msse2\|GM_HAVE_AVX\|GM_HAVE_SSE2' >"$tmp/bad"
ok_empty "$tmp/bad" "ISAS=scalar builds no other level"
finish
