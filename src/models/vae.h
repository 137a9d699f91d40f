/* SPDX-License-Identifier: MIT */
/* vae.h: the inside of gm_vae, for vae*.c: options resolved, networks, graphs, programs.
 *
 *   vae.c            options, create, destroy                           vae_step.c   one step
 *   vae_memory.c     memory asked, reserved, refused                    vae_fit.c    what fit asks
 *   vae_graph.c      networks and programs as graphs                    vae_infer.c  encode, decode, reconstruct, sample
 *   vae_objective.c  likelihoods, ELBO, IWAE                            vae_eval.c   evaluate, importance-sampled log-likelihood
 *   vae_io.c         model file and checkpoint */
#ifndef GMI_MODELS_VAE_H
#define GMI_MODELS_VAE_H
#include "genrep/vae.h"
#include "models/core.h"
#include "nn/nn.h"

enum { GMI_VAR_FIXED, GMI_VAR_SCALAR, GMI_VAR_DIMENSION, GMI_VAR_OUTPUT };

/* Kinds of programs. Inputs by name: x [n, dims], cond, z [n, d], beta []. */
enum {
    GMI_VAE_TRAIN,       /* objective, elbo, recon, kl, kl_dim [d] and the gradients */
    GMI_VAE_ENCODE,      /* mean, logvar [n, d] */
    GMI_VAE_DECODE,      /* mean of p(x|z), in model units */
    GMI_VAE_DRAW,        /* a draw of p(x|z) */
    GMI_VAE_RECONSTRUCT, /* mean of p(x | z = mean of q(z|x)) */
    GMI_VAE_PRIOR,       /* z of the prior [n, d] */
    GMI_VAE_EVALUATE,    /* recon [n], kl [n, d], mean [n, d], objective's bound [n] (iwae) */
    GMI_VAE_WEIGHTS      /* importance sampling: running maximum, sum, sum of squares [n] */
};

/* Everything that follows from the options and the spec. */
typedef struct gmi_vae_plan {
    gm_likelihood likelihood; /* never AUTO */
    int32_t variance;         /* GMI_VAR_x */
    double fixed_logvar;
    int64_t categories;       /* of one element, categorical */
    int64_t per_element;      /* parameters of p(x|z) for one element of x */
    int32_t iwae;             /* samples of the objective, 0 = elbo */
    int32_t conditional;
    double lo, hi;            /* what the likelihood takes, model units; lo > hi: anything finite */
} gmi_vae_plan;

struct gm_vae {
    gmi_core m;
    gmi_arena texts;
    gm_vae_options o; /* texts in the arena */
    gmi_vae_plan plan;
    const gm_layer *encoder, *decoder;
    gm_schedule *beta, *rate;
    int32_t extra_missing; /* the file's model had an extra loss, which no file can hold */
    float *kl_dim;         /* of the last record [d] */
    double *sums;          /* evaluation: sum of kl, mean of means, centred squares, [3 d] */
    int32_t sums_taken;
};

/* ---- vae_objective.c ---- */
typedef struct gmi_px { /* p(x|z): logits, or mean and log variance */
    gm_node a, b;
} gmi_px;
gm_status gmi_vae_plan_make(gm_vae *v);
gmi_px gmi_vae_px(const gm_vae *v, gm_graph *g, gm_node h, int64_t rows);           /* h: [rows, dims times parameters] */
gm_node gmi_vae_px_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x);           /* log p(x|z) [rows] */
gm_node gmi_vae_px_mean(const gm_vae *v, gm_graph *g, gmi_px p);                     /* [rows, dims] */
gm_node gmi_vae_px_draw(const gm_vae *v, gm_graph *g, gmi_px p, const char *key);

/* ---- vae_graph.c ---- */
gm_status gmi_vae_build(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out);

/* ---- vae.c ---- */
gm_status gmi_vae_make(gm_context *c, const gm_spec *x, const gm_vae_options *o, int from_file, gm_vae **out); /* without parameters */
gm_status gmi_vae_training_graph(gm_vae *v, gm_graph **g);               /* the caller destroys *g, also after a failure */
gm_status gmi_vae_layout(gm_vae *v, const gm_graph *g, int train);        /* arenas, zero; train: gradients and the average too */
void gmi_vae_retain(gm_vae *v);
void gmi_vae_release(gm_vae *v);
/* Gradients, moments, average: there from the first training on. */
gm_status gmi_vae_optimizer_ready(gm_vae *v);
/* The program of a kind for `rows` examples with the weights that this kind uses. */
gm_status gmi_vae_prog(gm_vae *v, int32_t kind, int32_t draws, int64_t rows, gmi_prog **p);
/* Rows [r0, r0 + n) of host tensors into the program's x and cond; what is left of the program's rows is zeros. */
gm_status gmi_vae_feed_x(gm_vae *v, gmi_prog *p, const gm_tensor *x, int64_t r0, int64_t n);
void gmi_vae_feed_cond(gm_vae *v, gmi_prog *p, const gm_tensor *cond, int64_t r0, int64_t n);
gm_status gmi_vae_indices(gm_vae *v, gmi_prog *p, const gmi_real *x, int64_t n, int64_t first); /* categorical: values to i32 */
gm_status gmi_vae_check_cond(const gm_vae *v, const gm_tensor *cond, int64_t n);

/* ---- vae_eval.c ---- */
gm_status gmi_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gmi_tick_fn tick, void *user, gm_record *r, GM_OPT double *criterion);

/* ---- vae_step.c ---- */
gm_status gmi_vae_fit_step(void *self, const gmi_fit_batch *b, gm_record *r);

/* ---- vae_fit.c ---- */
gm_status gmi_vae_fits(const gm_vae *v, gm_dataset *d); /* the dataset's samples are the model's */
/* Rows of a dataset, scaled and checked, into a program's x and cond. */
gm_status gmi_vae_feed_rows(gm_vae *v, gmi_prog *p, gm_dataset *d, const int64_t *index, int64_t n);
/* The output's bias such that p(x|z) begins at the data's mean: logits, means, log frequencies. */
gm_status gmi_vae_bias_init(gm_vae *v, gm_dataset *d);

/* ---- vae_io.c ---- */
gm_status gmi_vae_write(gm_vae *v, gm_writer *w, int checkpoint);
#endif
