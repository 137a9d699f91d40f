/* SPDX-License-Identifier: MIT */
/* npy.h: NumPy's array file, versions 1.0, 2.0 and 3.0 (numpy/lib/_format_impl.py), read in either byte order and either memory order, written as 1.0
 * little-endian C order. Public: gm_tensor_read_npy, gm_tensor_write_npy (genrep/tensor.h). Not here: structured, object, string, complex and date
 * types, which are GM_E_UNSUPPORTED; .npz. */
#ifndef GMI_FORMAT_NPY_H
#define GMI_FORMAT_NPY_H
#include "format/array.h"
gm_status gmi_npy_header(gm_context *c, gmi_in *in, gmi_array *a); /* leaves `in` at the first element */
gm_status gmi_npy_read(gm_context *c, gmi_in *in, gm_tensor **out);
gm_status gmi_npy_write(const gm_tensor *t, gmi_out *o);
#endif
