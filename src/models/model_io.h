/* SPDX-License-Identifier: MIT */
/* model_io.h: model files and checkpoints of any family.
 *
 *   tensors     the weights that inference sees, under their own names
 *               scaling.scale, scaling.shift (F64) where there is one constant an element
 *   checkpoint  train.weights.*           the trained weights, where inference sees their average
 *               train.shadow.*, train.shadow_average.*     the best weights, or the last ones while the best are shown
 *               train.optimizer<i>.*      moments
 *   metadata    genrep.format, genrep.family, genrep.profile, genrep.options and genrep.spec (JSON); genrep.train (JSON: counters, sums of the epoch),
 *               genrep.optimizer<i>; genrep.producer: the library that wrote it
 *   calibrated  genrep.calibration (JSON), and where it has a density of its own calibration.mean [d], calibration.precision [d,d] (F64)
 * Doubles in JSON are shortest forms that read back to the same bits. */
#ifndef GMI_MODELS_MODEL_IO_H
#define GMI_MODELS_MODEL_IO_H
#include "format/json.h"
#include "format/safetensors.h"
#include "models/model.h"
#include "train/params.h"

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

/* The integer of a member of a JSON object; -1 when it has none of that name. */
int gmi_fields_int(const char *json, const char *name, int64_t *v);

/* ---- writing ---- */
/* What a model file says beside its tensors. */
typedef struct gmi_model_head {
    const char *family, *options /* JSON */, *producer /* "" = not named */;
    const gm_spec *x;
    const gmi_scaler *scaler;
    const gmi_calibration *calibration; /* NULL or not set: none */
} gmi_model_head;
/* The one place that lays out model files. training: NULL, or the core whose checkpoint it is. */
gm_status gmi_model_write_parts(gm_context *c, const gmi_model_head *h, gmi_core *training, const gmi_named_set *s, gm_writer *w);
/* options: the family's JSON. */
gm_status gmi_model_write(gmi_core *m, gm_writer *w, const char *options, int checkpoint);

/* ---- reading ---- */
typedef struct gmi_model_file {
    gm_context *ctx;
    gmi_in in;
    gmi_safetensors f;
    gmi_arena texts;
    const char *family, *producer, *options /* JSON */;
    gm_spec x;           /* texts in the arena */
    double scale, shift; /* one constant for all elements */
    int64_t constants;   /* of the scaling: 0, 1 or elements */
    int32_t checkpoint;
    gmi_calibration calibration; /* without its arrays; whose shapes in the file are right */
} gmi_model_file;
/* Header and metadata; a file that is not of this family (NULL: any), format or numeric profile is refused. Also after a failure it wants gmi_model_close. */
gm_status gmi_model_open(gm_context *c, const gm_reader *r, const char *family, gmi_model_file *file);
/* What would be the caller's mistake in options is the file's: GM_E_MODEL for it. */
gm_status gmi_model_blame(gm_context *c, gm_status s);
/* The file has every parameter and state of g in its shape: to be asked before memory is taken for them. */
gm_status gmi_model_check(const gmi_model_file *file, const gm_graph *g);
/* Tensors and training state into a core whose weights (and, of a checkpoint, average and optimizers) are laid out. */
gm_status gmi_model_load(gmi_model_file *file, gmi_core *m);
/* The scaling's constants, those of a whole sample still to be read, and whether what was read will do. */
gm_status gmi_model_take_scaling(const gmi_model_file *file, gm_context *c, gm_scaling kind, gmi_scaler *s);
gm_status gmi_model_check_scaling(gm_context *c, const gmi_scaler *s);
/* What a file's tensor is beside weights; refused when it has no business there or not the shape. */
enum { GMI_PART_WEIGHT = -1, GMI_PART_SCALE = -2, GMI_PART_SHIFT = -3, GMI_PART_MEAN = -4, GMI_PART_PRECISION = -5 };
gm_status gmi_model_part(const gmi_model_file *file, const gmi_st_entry *e, int32_t *part);
void gmi_model_close(gmi_model_file *file);
#endif
