/* SPDX-License-Identifier: MIT */
/* params.h: initial values of parameters, and reading and writing named arrays of the compute type, for train/, models/ and repr/. */
#ifndef GMI_TRAIN_PARAMS_H
#define GMI_TRAIN_PARAMS_H
#include "exec/exec.h"
#include "format/safetensors.h"
#include "genrep/optim.h"

/* Every parameter and state by its init, keyed by (seed, name). Uncommitted states are dropped. */
gm_status gmi_params_init(gm_params *w, uint64_t seed);

/* ---- a set of named arrays: what a file holds ---- */
typedef struct gmi_named {
    const char *name; /* in the file */
    const gmi_slot *slot;
    gmi_real *p;      /* slot->count elements */
} gmi_named;
typedef struct gmi_named_set {
    gm_context *ctx;
    int32_t n, cap;
    gmi_named *p;
    gmi_arena names;
} gmi_named_set;
void gmi_named_init(gmi_named_set *s, gm_context *c);
void gmi_named_free(gmi_named_set *s);
/* prefix + slot's name; slots and memory must outlive the set. */
gm_status gmi_named_add(gmi_named_set *s, const char *prefix, const gmi_slot *slot, gmi_real *p);
/* Parameters and states under their own names. */
gm_status gmi_named_add_params(gmi_named_set *s, const gm_params *w);
gm_status gmi_named_write(const gmi_named_set *s, gmi_out *o, int64_t meta_n, const gmi_st_text *meta);
gm_status gmi_named_sha256(const gmi_named_set *s, char hex[65]); /* of the data buffer that gmi_named_write writes */
/* Right after gmi_safetensors_open: the file must have every array of the set in its shape (F16, BF16, F32 or F64), and no others but those whose
 * name ends in "num_batches_tracked" (PyTorch's) : else GM_E_MODEL naming it. All or nothing: on failure no array has changed. */
gm_status gmi_named_read(const gmi_named_set *s, gmi_safetensors *f, gmi_in *in);

/* ---- which part of the flat arenas an optimizer or an average covers ---- */
/* Whether a parameter is "prefix" or begins with "prefix."; "" fits all. */
int gmi_params_has_prefix(const char *name, const char *prefix);
/* The first element and one past the last of the parameters with that prefix; GM_E_UNKNOWN when there is none. */
gm_status gmi_params_span(const gm_params *w, const char *prefix, int64_t *lo, int64_t *hi);
#endif
