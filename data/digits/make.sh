#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh CSV.GZ: writes the two IDX files of this folder from the rows "64 pixels,label" (README.md says where they come from).
# IDX: two zero bytes, type 8 (unsigned byte), rank, the sizes as big-endian 32-bit words, then the bytes in row-major order.
set -e
here=$(cd "$(dirname "$0")" && pwd)
csv=${1:?usage: make.sh digits.csv.gz}
rows=$(gzip -dc "$csv" | wc -l)
LC_ALL=C
export LC_ALL
word() { awk -v v="$1" 'BEGIN { printf "%c%c%c%c", int(v / 16777216) % 256, int(v / 65536) % 256, int(v / 256) % 256, v % 256 }'; }
{
    printf '\000\000\010\003'; word "$rows"; word 8; word 8
    gzip -dc "$csv" | awk -F, '{ for (i = 1; i <= 64; i++) printf "%c", $i + 0 }'
} >"$here/images-idx3-ubyte"
{
    printf '\000\000\010\001'; word "$rows"
    gzip -dc "$csv" | awk -F, '{ printf "%c", $65 + 0 }'
} >"$here/labels-idx1-ubyte"
