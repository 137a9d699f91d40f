/* SPDX-License-Identifier: MIT */
/* latent.h: the inside of gm_latent, for latent*.c and invert.c.
 *
 *   latent.c        life, options, encode, decode, sample, reconstruct        latent_score.c      scores
 *   latent_vae.c    what a VAE does of it                                     latent_calibrate.c  density and threshold
 *   invert.c        what a GAN does of it: inversion                          latent_augment.c    augment, balance
 *   latent_path.c   interpolate, traverse, direction                          latent_near.c       nearest neighbours */
#ifndef GMI_REPR_LATENT_H
#define GMI_REPR_LATENT_H
#include "genrep/latent.h"
#include "models/model.h"

/* What encoding gives of a chunk of rows; any of them may be NULL. */
typedef struct gmi_latent_code {
    gmi_real *z, *logvar; /* [n, dim] */
    double *residual;     /* [n] squared error of the reconstruction, model units, summed over elements */
    int32_t *steps;       /* [n] after which z was found */
} gmi_latent_code;

/* What a family does. Arguments are checked before; n is at most l->rows; row i is number r0 + i for noise and messages. */
typedef struct gmi_latent_family {
    const char *name;
    int32_t scores;     /* mask 1 << GM_SCORE_x */
    gm_score usual;     /* of calibration */
    int32_t has_logvar; /* encoding is a distribution */
    gm_status (*fits)(gm_latent *l, gm_dataset *d); /* the dataset's samples are the model's */
    gm_status (*check_cond)(gm_latent *l, const gm_tensor *cond, int64_t n);
    gm_status (*encode)(gm_latent *l, const gmi_core_rows *from, int64_t r0, int64_t n, const gmi_latent_code *out);
    gm_status (*decode)(gm_latent *l, const gm_tensor *z, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *x); /* any n; z as it is */
    gm_status (*sample)(gm_latent *l, const gm_tensor *cond, const gm_sample_options *o, GM_OPT gm_tensor *z, gm_tensor *x); /* any n */
    gm_status (*score)(gm_latent *l, gm_score s, const gmi_core_rows *from, int64_t r0, int64_t n, double *out); /* all but MAHALANOBIS */
} gmi_latent_family;
extern const gmi_latent_family gmi_latent_vae, gmi_latent_gan;

/* Memory that a latent keeps between calls, by purpose. */
enum { GMI_LATENT_CODE, GMI_LATENT_LOGVAR, GMI_LATENT_SUMS, GMI_LATENT_ROWS, GMI_LATENT_BANK, GMI_LATENT_HEAP, GMI_LATENT_INVERT, GMI_LATENT_BLOCKS };

/* Kinds of a latent's own programs. Inputs: z, logvar [n, dim], radius. */
enum {
    GMI_LATENT_NEAR,     /* z + radius exp(logvar / 2) e */
    GMI_LATENT_NEAR_CODE /* z + radius e */
};

struct gm_latent {
    gm_context *ctx; /* retained */
    int32_t refs, busy;
    const gm_model *model; /* retained */
    const gmi_latent_family *family;
    gmi_core *core;  /* the family's object, of this context */
    gm_latent_options o;
    int64_t dim;
    int64_t rows;    /* of one chunk: a power of 4, o.batch at most */
    gmi_progs progs;
    void *block[GMI_LATENT_BLOCKS];
    uint64_t block_bytes[GMI_LATENT_BLOCKS];
    const double *mean, *precision; /* of the density that MAHALANOBIS measures by; NULL: N(0, 1) */
    const char *call; /* for records */
    char message[160];
};

/* A public call begins, in which l is busy; GM_E_BUSY has been left already. end gives up what a callback's destroy left to it. */
gm_status gmi_latent_begin(gm_latent *l, const char *call);
gm_status gmi_latent_end(gm_latent *l, gm_status s);
/* Once a mini-batch: the progress callback with a GM_RECORD_WORK record of this message, and the cancel flag. */
gm_status gmi_latent_tick(gm_latent *l, const char *f, ...);
/* count elements of a block that only grows; what it held may be gone. NULL: the message is set. */
void *gmi_latent_work(gm_latent *l, int32_t block, int64_t count, uint64_t size);
/* Rows of the program that takes the next `left` rows. */
int64_t gmi_latent_chunk(const gm_latent *l, int64_t left);
/* One of the latent's own programs. */
gm_status gmi_latent_prog(gm_latent *l, int32_t kind, int64_t rows, gmi_prog **p);

/* ---- arguments ---- */
/* The weights that a use needs were loaded; uses: one of them is enough. */
gm_status gmi_latent_loaded(gm_latent *l, int32_t uses, const char *what);
/* t is of this type, [n]; writable: it is an output. */
gm_status gmi_latent_check_vector(gm_latent *l, const gm_tensor *t, const char *name, gm_dtype type, int64_t n, int writable);
/* x and cond; *n rows. */
gm_status gmi_latent_check_x(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, int64_t *n);

/* ---- shared steps ---- */
/* All n rows of x into z [n, dim] (and logvar, where not NULL). */
gm_status gmi_latent_codes(gm_latent *l, const gm_tensor *x, const gm_tensor *cond, int64_t n, gmi_real *z, GM_OPT gmi_real *logvar);
/* Scores of rows [r0, r0 + n), n at most l->rows. */
gm_status gmi_latent_scores(gm_latent *l, gm_score s, const gmi_core_rows *from, int64_t r0, int64_t n, double *out);
/* The family has the score, and what it needs is loaded. */
gm_status gmi_latent_check_score(gm_latent *l, gm_score s);
#endif
