/* SPDX-License-Identifier: MIT */
/* model.h: the inside of gm_model, for models/ and repr/: weights of a family, its options as JSON, spec, scaling and calibration, all immutable.
 *
 * A model keeps no networks and no programs. gmi_model_instance makes a family's object (gm_vae, gm_gan) in any context, whose weights are the model's own arrays,
 * borrowed; what is mutable (programs, buffers, packed weights) is the instance's, so that every thread has its own. A family takes part by a gmi_model_class. */
#ifndef GMI_MODELS_MODEL_H
#define GMI_MODELS_MODEL_H
#include "genrep/model.h"
#include "models/core.h"

/* What the generic code needs of a family. gmi_core is the first member of a family's object. */
typedef struct gmi_model_class {
    const char *name; /* "vae" */
    /* An object without weights from options as JSON; texts read go to the arena. */
    gm_status (*make)(gm_context *c, const gm_spec *x, const char *options, gmi_arena *texts, gmi_core **out);
    void (*release)(gmi_core *m);
    /* Adds to g every parameter and state that the uses need, under their names; GM_USE_ALL: all that a model file has. */
    gm_status (*leaves)(gmi_core *m, int32_t uses, gm_graph *g);
    gm_status (*options)(gmi_core *m, gmi_buf *json);
    /* Before what inference sees is written or copied: population statistics of a GAN. */
    gm_status (*settle)(gmi_core *m);
    int64_t (*latent_dim)(const gmi_core *m);
} gmi_model_class;
extern const gmi_model_class gmi_vae_class, gmi_gan_class;
const gmi_model_class *gmi_model_class_find(const char *family); /* NULL when unknown */

typedef struct gmi_calibration {
    int32_t set;
    gm_score score;
    int32_t samples;
    uint64_t seed;
    double alpha, threshold;
    int64_t rows;       /* held-out scores */
    int64_t dim;        /* of the density; 0 = the prior */
    double *mean, *precision; /* [dim], inverse covariance [dim, dim]; the model's memory */
} gmi_calibration;

/* A tensor of the whole model, loaded or not. */
enum { GMI_TENSOR_PARAM, GMI_TENSOR_STATE, GMI_TENSOR_UNKNOWN /* the header's layers are not known here */ };
typedef struct gmi_model_tensor {
    const char *name;
    const int64_t *dims;
    int64_t count;
    int32_t rank, kind;
} gmi_model_tensor;

struct gm_model {
    int32_t refs;    /* atomic */
    gm_context *ctx; /* retained: memory comes from it, any thread may give it back */
    const gmi_model_class *kind;
    gmi_arena texts;
    const char *options, *made_by; /* in the arena; made_by "": the file did not say */
    gmi_model_tensor *tensors;     /* parameters, then states, in byte order of their names; in the arena */
    int32_t n_tensors;
    char sha256[65];
    gm_spec x;
    gmi_scaler scaler;
    gm_params *weights; /* retained; NULL: header alone. Holds what uses need */
    int32_t uses;
    int64_t latent_dim, parameters, steps;
    int32_t format, profile;
    gmi_calibration calibration;
};

/* The family's object in context c over the model's weights: `weights` is a borrowed set of what was loaded, there is no average. For inference alone.
 * GM_E_UNSUPPORTED: header alone. */
gm_status gmi_model_instance(gm_context *c, const gm_model *m, gmi_core **out);
/* What inference sees of a core, copied. */
gm_status gmi_model_snapshot(gmi_core *m, const gm_model **out);
/* The same model with another calibration (its arrays are taken over on success): weights shared. */
gm_status gmi_model_with_calibration(gm_context *c, const gm_model *m, const gmi_calibration *k, const gm_model **out);

/* ---- between model.c and model_file.c ---- */
/* A model without weights; everything given is copied. */
gm_status gmi_model_new(gm_context *c, const gmi_model_class *kind, const gm_spec *x, const char *options, const char *made_by, gm_model **out);
/* Room for n tensors, of which the next is added; parameters are counted. */
gm_status gmi_model_tensors_room(gm_model *m, int32_t n);
gm_status gmi_model_add_tensor(gm_model *m, const char *name, int32_t rank, const int64_t *dims, int32_t kind);
void gmi_model_release(gm_model *m);
/* Every tensor of the model is there: it can be written. */
int gmi_model_whole(const gm_model *m);
#endif
