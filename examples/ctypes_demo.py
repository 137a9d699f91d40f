# SPDX-License-Identifier: MIT
"""ctypes_demo.py LIBRARY [MODEL]: the library from Python, with nothing but ctypes.

Trains a small VAE, saves it, loads it again and prints what three codes decode to; where a MODEL is named (rows of four numbers, latent_dim 2), it is loaded
instead. Of an option struct only the head is declared: its size tells the library what there is."""
import ctypes as c
import os
import sys
import tempfile

lib = c.CDLL(sys.argv[1] if len(sys.argv) > 1 else "lib/libgenrep.so")
lib.gm_context_error.restype = lib.gm_dataset_spec.restype = c.c_void_p
I64, P, F32 = c.c_int64, c.c_void_p, 1  # GM_F32
ctx = P()


class FitOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("epochs", I64), ("batch", I64), ("max_steps", I64)]


class VaeOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("encoder", c.c_char_p), ("decoder", c.c_char_p), ("optimizer", c.c_char_p), ("beta", c.c_char_p),
                ("prior", c.c_char_p), ("objective", c.c_char_p), ("latent_dim", I64)]


def call(name, *args):
    """Calls gm_<name>; a status that is not 0 becomes an exception with the library's message."""
    status = getattr(lib, "gm_" + name)(*args)
    if status:
        raise RuntimeError(c.string_at(lib.gm_context_error(ctx)).decode() if ctx else f"{name}: status {status}")


def tensor(values, columns):
    """A tensor [rows, columns] over an array of floats, and the array, which must be kept."""
    array, handle = (c.c_float * len(values))(*values), P()
    call("tensor_wrap", ctx, F32, 2, (I64 * 2)(len(values) // columns, columns), None, array, c.byref(handle))
    return handle, array


call("context_create", None, c.byref(ctx))
vae, data = P(), P()
path = sys.argv[2] if len(sys.argv) > 2 else os.path.join(tempfile.mkdtemp(), "demo.safetensors")
if len(sys.argv) < 3:
    x, keep = tensor([(i * k % 17) / 17 + k for i in range(200) for k in (1, 2, 3, 5)], 4)
    options, fit = VaeOptions(), FitOptions()
    lib.gm_vae_options_init(c.byref(options), c.c_size_t(c.sizeof(options)))
    lib.gm_fit_options_init(c.byref(fit), c.c_size_t(c.sizeof(fit)))
    options.encoder = options.decoder = b"dense 16; tanh"
    options.latent_dim, fit.max_steps = 2, 200
    call("dataset_from_tensor", x, None, None, c.byref(data))
    call("vae_create", ctx, P(lib.gm_dataset_spec(data)), c.byref(options), c.byref(vae))
    call("vae_fit", vae, data, c.byref(fit))
    call("vae_save", vae, path.encode())
loaded = P()
call("vae_load", ctx, path.encode(), c.byref(loaded))
(z, _), (out, numbers) = tensor([0, 0, 1, 0, 0, 1], 2), tensor([0] * 12, 4)
call("vae_decode", loaded, z, None, 0, c.c_uint64(0), out)
for row in range(3):
    print(" ".join(f"{v:.4f}" for v in numbers[4 * row:4 * row + 4]))
