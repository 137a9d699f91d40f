/* SPDX-License-Identifier: MIT */
/* gan.h: the inside of gm_gan, for gan*.c and repr/: options resolved, networks, graphs, programs.
 *
 *   gan.c            options, presets, create, destroy                  gan_step.c   one step: D's half, G's half
 *   gan_nets.c       networks chosen by shape; G and D as graphs        gan_fit.c    what fit asks
 *   gan_objective.c  losses, the text of them                           gan_infer.c  generate, sample, discriminate, inversion's step
 *   gan_penalty.c    R1, R2, gradient penalty                           gan_eval.c   evaluate, population statistics
 *   gan_graph.c      programs as graphs                                 gan_io.c     model file and checkpoint */
#ifndef GMI_MODELS_GAN_H
#define GMI_MODELS_GAN_H
#include "genrep/gan.h"
#include "models/core.h"
#include "nn/nn.h"

/* Kinds of programs. Inputs by name: x [n, dims], cond, z [n, d], fake [n, dims], gamma []. G's draw z inside, keyed by the step and the row. */
enum {
    GMI_GAN_D,            /* of x against fake: d_loss, d_real, d_fake and D's gradients */
    GMI_GAN_D_PENALTY,    /* the same with the penalties; penalty */
    GMI_GAN_G,            /* in two parts, unless G's half draws z anew: G(z) as D's half gets it; g_loss, the last output, and G's gradients */
    GMI_GAN_FAKE,         /* G(z) for D's half where G's draws z anew */
    GMI_GAN_PRIOR,        /* z [n, d] times truncation */
    GMI_GAN_GENERATE,     /* G(z), in model units */
    GMI_GAN_DISCRIMINATE, /* D(x) [n] */
    GMI_GAN_EVALUATE,     /* of x against fake: d_loss, g_loss, D(x), D(fake), [n] each */
    GMI_GAN_POPULATION,   /* updates G's statistics from z drawn inside */
    GMI_GAN_INVERT        /* one Adam step of z towards x: loss [n] at z, then z, m, v */
};

typedef enum { GMI_LOSS_NON_SATURATING, GMI_LOSS_SATURATING, GMI_LOSS_LEAST_SQUARES, GMI_LOSS_HINGE, GMI_LOSS_WASSERSTEIN, GMI_LOSS_RELATIVISTIC } gmi_gan_loss;

typedef enum { GMI_COND_NONE, GMI_COND_CONCAT, GMI_COND_PROJECTION } gmi_gan_cond;

/* Everything that follows from the options and the spec. */
typedef struct gmi_gan_plan {
    gmi_gan_loss loss;
    double r1, r2, gp;
    int32_t every, fresh, coupled;
    int32_t penalties; /* there are any */
    int32_t d_coupled; /* D couples its batch: real and generated samples pass it one after the other */
    gmi_gan_cond cond;
    int32_t population; /* the average's batch norms need statistics of their own */
} gmi_gan_plan;

struct gm_gan {
    gmi_core m; /* average: of G alone */
    gmi_arena texts;
    gm_gan_options o; /* texts in the arena */
    gmi_gan_plan plan;
    const gm_layer *generator, *discriminator;
    gm_schedule *gamma, *g_rate, *d_rate; /* rates may be NULL */
    int64_t population_step; /* step of the average whose population statistics it has; -1 = none */
};

/* ---- gan_objective.c ---- */
gm_status gmi_gan_loss_parse(gm_context *c, const char *text, gmi_gan_plan *p);
void gmi_gan_loss_text(const gmi_gan_plan *p, gmi_buf *b);
/* Losses of each pair, [n], from scores [n] of real and generated samples. real has id 0 where the loss does not need it. */
gm_node gmi_gan_d_loss(const gmi_gan_plan *p, gm_graph *g, gm_node real, gm_node fake);
gm_node gmi_gan_g_loss(const gmi_gan_plan *p, gm_graph *g, gm_node real, gm_node fake);

/* ---- gan_nets.c ---- */
typedef struct gmi_gan_given { /* the condition, as G and D take it */
    gm_node label;    /* i32 [n], id 0 without labels */
    gm_node features; /* [n, c]: one-hot or real */
} gmi_gan_given;
/* Texts of the networks for data of a shape; images and the rest. features: the discriminator ends with them, not with its score. */
void gmi_gan_choose(const gm_spec *x, int tanh_end, int features, gmi_buf *generator, gmi_buf *discriminator);
gmi_gan_given gmi_gan_input_cond(const gm_gan *a, gm_graph *g, int64_t n);
gm_node gmi_gan_generator(const gm_gan *a, gm_graph *g, gm_node z, gmi_gan_given y);     /* [n, dims] */
gm_node gmi_gan_discriminator(const gm_gan *a, gm_graph *g, gm_node x, gmi_gan_given y); /* [n] */
int32_t gmi_gan_sample_dims(const gm_gan *a, int64_t n, int64_t *dims); /* [n, dims...]; the rank */

/* ---- gan_penalty.c ---- */
/* Mean of |d sum(score) / dx|^2 over rows, [n]. */
gm_node gmi_gan_grad_square(gm_graph *g, gm_node score, gm_node x);
/* gp's term of each row, at points between x and fake. */
gm_node gmi_gan_gp(const gm_gan *a, gm_graph *g, gm_node x, gm_node fake, gmi_gan_given y);

/* ---- gan_graph.c ---- */
gm_status gmi_gan_build(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out);
/* Adds the parameters and states of the networks. */
void gmi_gan_leaves(const gm_gan *a, gm_graph *g, int generator, int discriminator);

/* ---- gan.c ---- */
gm_status gmi_gan_make(gm_context *c, const gm_spec *x, const gm_gan_options *o, int from_file, gm_gan **out); /* without parameters */
gm_status gmi_gan_graph(const gm_gan *a, int discriminator, gm_graph **g); /* all leaves, or the generator's; the caller destroys *g, also after a failure */
gm_status gmi_gan_layout(gm_gan *a, int train);
void gmi_gan_retain(gm_gan *a);
void gmi_gan_release(gm_gan *a);
/* Gradients, moments, average: there from the first training on. */
gm_status gmi_gan_ready(gm_gan *a);

/* ---- gan_step.c ---- */
gm_status gmi_gan_fit_step(void *self, const gmi_fit_batch *b, gm_record *r);

/* ---- gan_eval.c ---- */
gm_status gmi_gan_evaluate(gm_gan *a, gm_dataset *d, int32_t samples, gmi_tick_fn tick, void *user, gm_record *r);
/* Before inference: the average's batch norms get the statistics of their population. */
gm_status gmi_gan_settle(gm_gan *a);

/* ---- gan_infer.c ---- */
/* Rows first + i of the prior into z [rows, d]: noise keyed by (seed, stream, row). */
gm_status gmi_gan_prior(gm_gan *a, uint64_t seed, int64_t stream, int64_t first, int64_t rows, double truncation, gmi_real *z);
/* One step of inversion for `rows` rows, all arrays dense: x in model units, cond as the program takes it or NULL; *z, *m, *v [rows, d] are replaced by those
 * after an Adam step (Kingma and Ba 2015; beta 0.9 and 0.9) of rate lr; c1 = c2 = 1/(1 - 0.9^t). loss [rows]: mean squared error at the z given.
 * lr 0 evaluates alone. */
gm_status gmi_gan_invert_step(gm_gan *a, int64_t rows, const gmi_real *x, const void *cond, gmi_real *z, gmi_real *m, gmi_real *v, double lr, double c1, double c2,
                              gmi_real *loss);

/* ---- gan_io.c ---- */
gm_status gmi_gan_write(gm_gan *a, gm_writer *w, int checkpoint);
void gmi_gan_options_write(const gm_gan *a, gmi_buf *json);
/* An object without weights from options as JSON; texts read go to the arena. */
gm_status gmi_gan_options_read(gm_context *c, const gm_spec *x, const char *json, gmi_arena *texts, gm_gan **out);
#endif
