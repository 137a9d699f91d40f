#!/bin/sh
# SPDX-License-Identifier: MIT
# Each source file says its licence in its first line (a script in its second).
. tests/scripts/tap.inc
n=0
for f in $(find src include tests examples -name '*.[ch]' -o -name '*.def' -o -name '*.inc' -o -name '*.py' | sort) Makefile mk/*.mk; do
    n=$((n + 1))
    head -n 2 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
done >"$tmp/bad"
ok_empty "$tmp/bad" "C sources, headers and makefiles begin with the SPDX line"
for f in $(find mk tests examples data -name '*.sh' | sort) .ci/run; do
    sed -n 2p "$f" | grep -q '^# SPDX-License-Identifier: MIT$' || echo "$f"
done >"$tmp/bad"
ok_empty "$tmp/bad" "scripts have it in line 2"
finish
