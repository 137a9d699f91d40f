#!/bin/sh
# SPDX-License-Identifier: MIT
# prototypes.sh: the functions that the public headers declare, one a line, sorted.
LC_ALL=C; export LC_ALL
for h in include/genrep/*.h; do echo "#include \"${h#include/}\""; done |
    ${CC:-cc} -Iinclude -DGM_API=GMI_EXPORTED -E -x c - | sed '/^#/d' | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n 's/.*GMI_EXPORTED//; t found
d
: found
s/__attribute__ *(([^)]*))//g; s/ *(.*//; s/.*[ *]//; p' | grep '^gm_' | sort -u
