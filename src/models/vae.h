/* SPDX-License-Identifier: MIT */
/* vae.h: the inside of gm_vae, for vae*.c: options resolved, networks, graphs, programs.
 *
 *   vae.c            options, create, destroy                           vae_step.c   one step
 *   vae_memory.c     memory asked, reserved, refused                    vae_fit.c    what fit asks
 *   vae_graph.c      networks and programs as graphs                    vae_infer.c  encode, decode, reconstruct, sample
 *   vae_objective.c  likelihoods, ELBO, IWAE                            vae_eval.c   evaluate, importance-sampled log-likelihood
 *   vae_io.c         model file and checkpoint                          vae_model.c  as a gm_model
 *   vae_score.c      figures of single rows, for gm_latent              vae_columns.c  mixed tables */
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
    int64_t levels;           /* of one element, logistic */
    int64_t per_element;      /* parameters of p(x|z) for one element of x */
    int64_t outputs;          /* all parameters of p(x|z) */
    int64_t x_elems;          /* numbers of an example in a program's input x; columns: features, else the elements */
    int32_t iwae;             /* samples of the objective, 0 = elbo */
    int32_t conditional;
    double lo, hi;            /* what the likelihood takes, model units; lo > hi: anything finite */
} gmi_vae_plan;

struct gm_vae {
    gmi_core m;
    gmi_arena texts;
    gm_vae_options o; /* texts in the arena */
    gmi_vae_plan plan;
    struct gmi_vae_columns *columns; /* in the arena; NULL: no mixed table */
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
gm_node gmi_vae_px_shown(const gm_vae *v, gm_graph *g, gm_node mean);                /* the mean as the host sees it: integers where the data has them */
gm_node gmi_vae_to_bins(const gm_vae *v, gm_graph *g, gm_node x);                    /* logistic: 0 to levels - 1 to [-1, 1] */
gm_node gmi_vae_soft_floor(gm_graph *g, gm_node raw);                                /* of a learned log variance */

/* ---- vae_columns.c: x is features [n, x_elems] ---- */
gm_status gmi_vae_columns_plan(gm_vae *v);
gm_status gmi_vae_columns_fit(const gm_vae *v, const gm_spec *data); /* data of such columns is the model's */
gm_status gmi_vae_columns_tensor(const gm_vae *v, const gm_tensor *x, int64_t r0, int64_t n, gmi_real *to);
gm_status gmi_vae_columns_rows(const gm_vae *v, gm_dataset *d, const int64_t *index, int64_t n, int64_t first, gmi_real *to, void *cond);
/* |x - y|^2 over the features of cells that are there, [n]; x: features, y: of columns_value. */
void gmi_vae_columns_error(const gm_vae *v, const gmi_real *x, const gmi_real *y, int64_t n, double *out);
void gmi_vae_columns_store(const gm_vae *v, const gmi_real *in, gm_tensor *out, int64_t r0, int64_t r1); /* in: of columns_value */
gmi_px gmi_vae_columns_px(const gm_vae *v, gm_graph *g, gm_node h, int64_t n);
gm_node gmi_vae_columns_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x);
gm_node gmi_vae_columns_value(const gm_vae *v, gm_graph *g, gmi_px p, GM_OPT const char *key); /* mean, or with a key a draw, as features without indicators */
gm_node gmi_vae_columns_in_order(const gm_vae *v, gm_graph *g, gm_node a); /* features in the order of the columns, indicators behind them */
gm_status gmi_vae_columns_bias(gm_vae *v, gm_dataset *d, int64_t rows, gmi_real *bias);

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
gm_status gmi_vae_whole(const gm_vae *v, const gmi_real *x, int64_t n, int64_t first); /* logistic: the values are integers */
gm_status gmi_vae_check_cond(const gm_vae *v, const gm_tensor *cond, int64_t n);

/* ---- vae_infer.c ---- */
/* gm_vae_decode where row i is number first + i of what is drawn. */
gm_status gmi_vae_decode(gm_vae *v, const gm_tensor *z, const gm_tensor *cond, gm_draw d, uint64_t seed, int64_t first, gm_tensor *x);
/* The z that gm_vae_sample decodes: f32 [n, d], checked by the caller. */
gm_status gmi_vae_prior(gm_vae *v, uint64_t seed, int64_t first, double truncation, gm_tensor *z);

/* ---- vae_score.c: figures of rows [r0, r0 + n), out [n]; noise is keyed by the row's number ---- */
gm_status gmi_vae_feed(gm_vae *v, gmi_prog *p, const gmi_core_rows *from, int64_t r0, int64_t n); /* into the program's x and cond, zeros behind */
gm_status gmi_vae_row_elbo(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, int32_t samples, uint64_t seed, double *out);
gm_status gmi_vae_row_error(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, double *out); /* |x - reconstruction|^2, model units, summed */
/* q(z|x), [n, d] each; one of them may be NULL. */
gm_status gmi_vae_row_code(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, GM_OPT gmi_real *mean, GM_OPT gmi_real *logvar);

/* ---- vae_eval.c ---- */
/* Rows of the evaluation's program that takes the next `left` rows. */
int64_t gmi_vae_evaluate_chunk(const gm_vae *v, int64_t left);
/* log p(x) by k importance samples; se may be NULL. */
gm_status gmi_vae_row_log(gm_vae *v, const gmi_core_rows *from, int64_t r0, int64_t n, int32_t k, uint64_t seed, double *nats, GM_OPT double *se);
gm_status gmi_vae_evaluate(gm_vae *v, gm_dataset *d, int32_t samples, gmi_tick_fn tick, void *user, gm_record *r, GM_OPT double *criterion);

/* ---- vae_step.c ---- */
gm_status gmi_vae_fit_step(void *self, const gmi_fit_batch *b, gm_record *r);

/* ---- vae_fit.c ---- */
gm_status gmi_vae_fits(const gm_vae *v, gm_dataset *d); /* the dataset's samples are the model's */
/* Rows of a dataset, scaled and checked, into a program's x and cond; first: what messages call the first of them. */
gm_status gmi_vae_feed_rows(gm_vae *v, gmi_prog *p, gm_dataset *d, const int64_t *index, int64_t n, int64_t first);
/* The output's bias such that p(x|z) begins at the data's mean: logits, means, log frequencies. */
gm_status gmi_vae_bias_init(gm_vae *v, gm_dataset *d);

/* ---- vae_io.c ---- */
gm_status gmi_vae_write(gm_vae *v, gm_writer *w, int checkpoint);
gm_status gmi_vae_options_write(const gm_vae *v, gmi_buf *json);
/* Without weights. Options that do not hold are the file's mistake: GM_E_MODEL. Texts read go to the arena. */
gm_status gmi_vae_options_read(gm_context *c, const gm_spec *x, const char *json, gmi_arena *texts, gm_vae **out);
#endif
