#!/bin/sh
# SPDX-License-Identifier: MIT
# data.sh DIR: prints a folder with the files of DIR, gzipped ones unpacked. DIR is never written: what is unpacked goes to
# build/data/<key of DIR's listing>, next to links to the files that were plain.
src=$1
[ -d "$src" ] || { echo "data.sh: $src is not a folder" >&2; exit 1; }
set -- "$src"/*.gz
[ -e "$1" ] || { echo "$src"; exit 0; }
abs=$(cd "$src" && pwd) || exit 1
key=$( { echo "$abs"; ls -lLn "$abs"; } | cksum)
dir=build/data/${key%% *}
if [ ! -e "$dir/.complete" ]; then
    command -v gzip >/dev/null 2>&1 || { echo "data.sh: gzip is needed to unpack $src" >&2; exit 1; }
    mkdir -p "$dir" || exit 1
    for f in "$abs"/*; do
        name=${f##*/}
        case $f in
        *.gz) [ -e "$dir/${name%.gz}" ] && continue
              gzip -dc <"$f" >"$dir/$name.$$" && mv -f "$dir/$name.$$" "$dir/${name%.gz}" || { rm -f "$dir/$name.$$"; exit 1; } ;;
        *)    [ -f "$f" ] && ln -sf "$f" "$dir/$name" ;;
        esac
    done
    : >"$dir/.complete"
fi
echo "$dir"
