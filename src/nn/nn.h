/* SPDX-License-Identifier: MIT */
/* nn.h: the inside of gm_layer and the pieces façades compose, for nn/, train/ and models/. */
#ifndef GMI_NN_NN_H
#define GMI_NN_NN_H
#include "base/base.h"
#include "genrep/layer.h"
#include "graph/graph.h"

/* ---- init.c: fills out (dense row-major over dims, double) for "glorot_uniform", "he_normal", "normal 0.02", "orthogonal 1", "zeros", "ones", "constant 0.1",
 * "uniform -a a", "torch" (PyTorch's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in))). Keyed by (seed, name): independent of other parameters. */
gm_status gmi_init_check(gm_context *c, const char *init);
gm_status gmi_init_fill(gm_context *c, const char *init, uint64_t seed, const char *name, int32_t rank, const int64_t *dims, float *out);

/* ---- text.c: one grammar for layers, optimizers, schedules, objectives ("adam lr=2e-4 beta1=0; ...") ---- */
typedef struct gmi_word {
    const char *p;   /* first byte in the text */
    int32_t n;       /* bytes */
    int32_t column;  /* 1-based */
} gmi_word;
typedef struct gmi_option { /* "name=value" or positional (name.n == 0) */
    gmi_word name, text;
    double value;
    int32_t is_number;
} gmi_option;
#define GMI_MAX_OPTIONS 24
typedef struct gmi_phrase { /* one word with its arguments: up to ';' or the end */
    gmi_word word;
    int32_t n;
    gmi_option option[GMI_MAX_OPTIONS];
} gmi_phrase;
/* Reads the next phrase at *at (advances); 1 = got one, 0 = end, -1 = error with the message set (GM_E_INVALID, where = column). */
int gmi_text_next(gm_context *c, const char *text, size_t *at, gmi_phrase *out);
int gmi_word_is(const gmi_word *w, const char *s);
/* The option's value by name, or the i-th positional, or dflt. */
double gmi_phrase_number(const gmi_phrase *p, const char *name, int32_t position, double dflt);

/* ---- layers ---- */
/* The last layer is linear (dense, conv, conv_transpose) and so may serve as a head itself. */
int gmi_layer_ends_linear(const gm_layer *l);
int gmi_layer_couples_batch(const gm_layer *l); /* batch norm in training mode, minibatch stddev */
const gm_layer *gmi_layer_retain(const gm_layer *l);
/* Builders with explicit names under g->scope: parameters "<scope>.weight", "<scope>.bias". x of rank > 2 is flattened first. */
gm_node gmi_nn_dense(gm_graph *g, gm_node x, int64_t units, int bias, const char *init);
gm_node gmi_nn_concat_cond(gm_graph *g, gm_node x, gm_node cond); /* cond [n,c] one-hot or real joined to x: features, or as constant channels of images */
/* ---- loss.c: per-example sums in nats, [n, d...] to [n] (d summed), from logits/means; formulas in the file ---- */
gm_node gmi_loss_bernoulli(gm_graph *g, gm_node logits, gm_node x);                          /* log p(x) */
gm_node gmi_loss_gaussian(gm_graph *g, gm_node mean, gm_node logvar, gm_node x);             /* log N(x; mean, exp logvar), logvar broadcastable */
gm_node gmi_loss_categorical(gm_graph *g, gm_node logits /* [n,d,k] */, gm_node index_i32 /* [n,d] */); /* log p */
gm_node gmi_loss_kl_normal(gm_graph *g, gm_node mean, gm_node logvar);                       /* KL(N(mean, exp logvar) || N(0,1)) per dimension [n,d] */
#endif
