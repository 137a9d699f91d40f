/* SPDX-License-Identifier: MIT */
/* model_io.h: model files and checkpoints of any family.
 *
 *   tensors     the weights that inference sees, under their own names
 *               scaling.scale, scaling.shift (F64) where there is one constant an element
 *   checkpoint  train.weights.*           the trained weights, where inference sees their average
 *               train.shadow.*, train.shadow_average.*     the best weights, or the last ones while the best are shown
 *               train.optimizer<i>.*      moments
 *   metadata    genrep.format, genrep.family, genrep.profile, genrep.options and genrep.spec (JSON); genrep.train (JSON: counters, sums of the epoch),
 *               genrep.optimizer<i>
 * Doubles in JSON are shortest forms that read back to the same bits. */
#ifndef GMI_MODELS_MODEL_IO_H
#define GMI_MODELS_MODEL_IO_H
#include "format/json.h"
#include "format/safetensors.h"
#include "models/core.h"

/* ---- flat JSON objects: {"name": value, ...}, values numbers, texts, booleans, null or arrays of numbers ---- */
typedef enum {
    GMI_FIELD_TEXT,
    GMI_FIELD_NAME, /* an enum by its name */
    GMI_FIELD_INT,
    GMI_FIELD_I32,
    GMI_FIELD_REAL,
    GMI_FIELD_SEED, /* uint64_t as decimal text */
    GMI_FIELD_INTS,
    GMI_FIELD_REALS
} gmi_field_kind;
typedef struct gmi_field {
    const char *name;
    gmi_field_kind kind;
    void *p;       /* const char * (from the arena), int64_t, int32_t, double, uint64_t, or an array */
    int64_t n;     /* arrays: room */
    int64_t *got;  /* arrays: how many; may be NULL, then exactly n */
    const char *(*name_of)(int32_t value); /* enums: gm_x_name */
} gmi_field;
void gmi_fields_write(gmi_buf *b, const gmi_field *f, int32_t n);
/* Every field must be there once, and no other: else GM_E_MODEL, or GM_E_VERSION for a name that this version does not know. what names the object. */
gm_status gmi_fields_read(gm_context *c, const char *what, const char *json, gmi_arena *texts, const gmi_field *f, int32_t n);

/* ---- writing ---- */
/* options: the family's JSON. */
gm_status gmi_model_write(gmi_core *m, gm_writer *w, const char *options, int checkpoint);

/* ---- reading ---- */
typedef struct gmi_model_file {
    gm_context *ctx;
    gmi_in in;
    gmi_safetensors f;
    gmi_arena texts;
    const char *options; /* JSON */
    gm_spec x;           /* texts in the arena */
    double scale, shift; /* one constant for all elements */
    int64_t constants;   /* of the scaling: 0, 1 or elements */
    int32_t checkpoint;
} gmi_model_file;
/* Header and metadata; a file that is not of this family, format or numeric profile is refused. */
gm_status gmi_model_open(gm_context *c, const gm_reader *r, const char *family, gmi_model_file *file);
/* What would be the caller's mistake in options is the file's: GM_E_MODEL for it. */
gm_status gmi_model_blame(gm_context *c, gm_status s);
/* The file has every parameter and state of g in its shape: to be asked before memory is taken for them. */
gm_status gmi_model_check(const gmi_model_file *file, const gm_graph *g);
/* Tensors and training state into a core whose weights (and, of a checkpoint, average and optimizers) are laid out. */
gm_status gmi_model_load(gmi_model_file *file, gmi_core *m);
void gmi_model_close(gmi_model_file *file);
#endif
