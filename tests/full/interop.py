# SPDX-License-Identifier: MIT
"""interop.py FROM TO: reads a model with Python's safetensors, checks its digest, and writes the same tensors and metadata to TO.

The digest is the SHA-256 of the whole file with its own 64 hex digits read as zeros; Python's order of keys is another than ours, so it is made anew.
"""
import hashlib
import sys

from safetensors import safe_open
from safetensors.numpy import save_file


def digest(raw: bytes, hexdigits: str) -> str:
    at = raw.index(hexdigits.encode())
    return hashlib.sha256(raw[:at] + b"0" * 64 + raw[at + 64:]).hexdigest()


source, target = sys.argv[1:]
raw = open(source, "rb").read()
with safe_open(source, framework="numpy") as f:
    meta = f.metadata()
    tensors = {k: f.get_tensor(k) for k in f.keys()}
assert tensors and all(t.size for t in tensors.values()), "no tensors"
assert digest(raw, meta["genrep.sha256"]) == meta["genrep.sha256"], "the digest of the file is wrong"
meta["genrep.sha256"] = "0" * 64
save_file(tensors, target, metadata=meta)
raw = open(target, "rb").read()
assert raw.count(b"0" * 64) == 1
open(target, "wb").write(raw.replace(b"0" * 64, digest(raw, "0" * 64).encode()))
