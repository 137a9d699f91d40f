# SPDX-License-Identifier: MIT
"""formats.py DIR: reads the files that formats.c wrote with Python's own readers, and writes files for it to read.

Element i of everything is 37 i mod 101, minus 50 where the type is signed; LIST names what was written: format, file, elements, scale, shift.
"""
import csv
import hashlib
import struct
import sys
import wave
import xml.etree.ElementTree
import zlib

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

d = sys.argv[1] + "/"


def values(n, signed):
    return np.arange(n) * 37 % 101 - (50 if signed else 0)


# ---- what formats.c wrote ----
raw = open(d + "c.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
assert n % 8 == 0 and raw[8:].startswith(b'{"__metadata__":{"format":"pt","genrep.sha256":"')
with safe_open(d + "c.safetensors", framework="numpy") as f:
    meta = f.metadata()
    names = {"f32": "float32", "f64": "float64", "u8": "uint8", "i16": "int16", "i32": "int32", 'é "i64"': "int64"}
    for i, (name, dtype) in enumerate(names.items()):
        t = f.get_tensor(name)
        want = values(3 * (i + 1), name != "u8") * (0.5 if name[0] == "f" else 1)
        assert t.dtype == dtype and t.shape == (3, i + 1) and (t.ravel() == want).all(), name
    assert f.get_tensor("scalar").shape == () and f.get_tensor("empty").shape == (0, 3)
assert meta["who"] == "formats.c" and meta["format"] == "pt"
digest = meta["genrep.sha256"]
assert raw.count(digest.encode()) == 1
assert hashlib.sha256(raw.replace(digest.encode(), b"0" * 64)).hexdigest() == digest, "digest"

for name, dtype in {"f32": "float32", "f64": "float64", "u8": "uint8", "i16": "int16", "i32": "int32", "i64": "int64"}.items():
    t = np.load(d + f"c_{name}.npy")
    assert t.dtype == dtype and t.shape == (2, 3, 4) and (t.ravel() == values(24, name != "u8") * (0.5 if name[0] == "f" else 1)).all(), name

rows = list(csv.reader(open(d + "c.csv", newline="")))
assert rows[0] == ["a", 'b, "c"'] and [float(v) for r in rows[1:] for v in r] == list(values(40, True) * 0.5)

w = wave.open(d + "c.wav")
assert w.getparams()[:4] == (2, 2, 8000, 20)
assert (np.frombuffer(w.readframes(20), "<i2") == values(40, True)).all()

image = values(1800, False).astype(np.uint8)
assert open(d + "c.ppm", "rb").read() == b"P6\n30 20\n255\n" + image.tobytes()

png = open(d + "c.png", "rb").read()
assert png[:8] == b"\x89PNG\r\n\x1a\n"
at, chunks = 8, []
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at:at + 8])
    body = png[at + 8:at + 8 + size]
    assert struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
    chunks.append((kind, body))
    at += 12 + size
assert [k for k, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"] and chunks[0][1] == struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0)
data = zlib.decompress(chunks[1][1])
above, pixels = [0] * 90, []
for y in range(20):
    f, row = data[91 * y], list(data[91 * y + 1:91 * y + 91])
    for i in range(90):
        a, b, c = row[i - 3] if i >= 3 else 0, above[i], above[i - 3] if i >= 3 else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        row[i] = (row[i] + [0, a, b, (a + b) // 2, paeth][f]) & 255
    above = row
    pixels += row
assert pixels == list(image)

svg = xml.etree.ElementTree.parse(d + "c.svg").getroot()
assert [e.tag.split("}")[1] for e in svg] == ["rect", "polyline", "text"] and svg[2].text == "a < b & é"
assert svg[1].get("points") == "1,9 50,5.5 99,1"

# ---- what formats.c is to read ----
listed = open(d + "LIST", "w")


def put(kind, name, n, scale, shift):
    print(kind, name, n, scale, shift, file=listed)


tensors = {}
for dtype in ["bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]:
    tensors[dtype] = values(24, False).reshape(4, 6).astype(dtype)
save_file(tensors, d + "py.safetensors", metadata={"who": "formats.py é"})

for dtype in ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f2", "f4", "f8"]:
    signed = dtype[0] != "u"
    for order in "<>":
        for fortran in (False, True):
            a = values(60, signed).reshape(3, 4, 5).astype(order + dtype)
            name = f"py_{dtype}_{'l' if order == '<' else 'b'}_{'f' if fortran else 'c'}.npy"
            np.save(d + name, np.asfortranarray(a) if fortran else a)
            put("npy", name, 60, 1, -50 if signed else 0)

for delimiter, quoting, end in ((",", csv.QUOTE_MINIMAL, "\r\n"), (";", csv.QUOTE_ALL, "\n"), ("\t", csv.QUOTE_NONNUMERIC, "\r\n")):
    name = f"py_{ord(delimiter)}.csv"
    with open(d + name, "w", newline="") as f:
        w = csv.writer(f, delimiter=delimiter, quoting=quoting, lineterminator=end)
        w.writerow(["a", 'b, "c"', "d\ne"])
        w.writerows((values(60, True) * 0.1).reshape(20, 3).tolist())
    # 0.1 times an integer is not 0.1 in decimal, but both sides compute the same double
    put("csv", name, 60, 0.1, -50)

for width in (1, 2, 3, 4):
    name = f"py_{width}.wav"
    with wave.open(d + name, "wb") as w:
        w.setparams((2, width, 44100, 0, "NONE", ""))
        w.writeframes(b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in values(40, width > 1)))
    put("wav", name, 40, 1, -50 if width > 1 else 0)

open(d + "py.pgm", "w").write("P2\n# a comment\n10 6\n100\n" + "\n".join(str(v) for v in values(60, False)) + "\n")
put("pnm", "py.pgm", 60, 1, 0)
open(d + "py16.ppm", "wb").write(b"P6\n5 4\n1000\n" + values(60, False).astype(">u2").tobytes())
put("pnm", "py16.ppm", 60, 1, 0)
listed.close()
