/* SPDX-License-Identifier: MIT */
/* nn.h: the inside of gm_layer and the pieces façades compose, for nn/, train/ and models/. */
#ifndef GMI_NN_NN_H
#define GMI_NN_NN_H
#include "base/base.h"
#include "genrep/layer.h"
#include "graph/graph.h"

/* What a NULL of gmi_alloc means: its message is already set. */
static inline gm_status gmi_nomem(const gm_context *c) { return c->status == GM_E_BUDGET ? GM_E_BUDGET : GM_E_NOMEM; }

/* ---- num.c: elementary functions of double for host-side numbers; the same bits everywhere ---- */
double gmi_num_sqrt(double x); /* correctly rounded */
double gmi_num_log(double x);
double gmi_num_exp(double x);
double gmi_num_floor(double x);
double gmi_num_powi(double x, int64_t n);                      /* n >= 0 */
double gmi_num_atan(double x);
void gmi_num_turn(double u, double *sine, double *cosine);    /* sin and cos of 2 pi u */

/* ---- init.c: fills out (dense row-major over dims) for "glorot_uniform", "he_normal", "normal 0.02", "orthogonal 1", "zeros", "ones", "constant 0.1",
 * "uniform -a a", "torch" (PyTorch's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in))); "normal:0.02" is the same as "normal 0.02". Keyed by (seed, name):
 * independent of other parameters. */
gm_status gmi_init_check(gm_context *c, const char *init);
gm_status gmi_init_fill(gm_context *c, const char *init, uint64_t seed, const char *name, int32_t rank, const int64_t *dims, float *out);
/* Canonical form of an init, ':' between its parts ("normal:0.02"); the length, or 0 when it is none. to may be NULL. */
size_t gmi_init_text(const char *init, size_t n, char *to, size_t cap);

/* ---- text.c: one grammar for layers, optimizers, schedules, objectives ("adam lr=2e-4 beta1=0; ...") ---- */
#define GMI_TEXT_MAX 65536 /* bytes of a text */
#define GMI_WORD_MAX 96    /* bytes of a word, with the terminating 0 of a copy */
typedef struct gmi_word {
    const char *p;   /* first byte in the text */
    int32_t n;       /* bytes */
    int32_t column;  /* 1-based */
} gmi_word;
typedef struct gmi_token {
    int32_t kind;    /* 'w' a word, ';', '(', ')', 0 the end */
    gmi_word word;
} gmi_token;
/* The next token at *at (advances); its kind, or -1 with the message set. */
int gmi_token_next(gm_context *c, const char *text, size_t *at, gmi_token *out);
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
/* Reads the next phrase at *at (advances); 1 = got one, 0 = end, -1 = error with the message set (GM_E_INVALID, where = column). An option given twice is
 * such an error. */
int gmi_text_next(gm_context *c, const char *text, size_t *at, gmi_phrase *out);
int gmi_word_is(const gmi_word *w, const char *s);
int gmi_word_in(const gmi_word *w, const char *names /* separated by blanks */);
int gmi_word_number(const gmi_word *w, double *v); /* 1 when the whole word is a number */
size_t gmi_word_copy(const gmi_word *w, char *to, size_t n);
int gmi_option_split(gm_context *c, const gmi_word *w, gmi_option *out);
/* The option by name (NULL: none), or the i-th positional (-1: none); NULL when absent. */
const gmi_option *gmi_phrase_option(const gmi_phrase *p, const char *name, int32_t position);
/* Its number, or dflt. */
double gmi_phrase_number(const gmi_phrase *p, const char *name, int32_t position, double dflt);
/* Every option is one of the names in `numbers` (and then a number) or in `words`, or a number by position, `positions` of them at most: else GM_E_INVALID
 * with the column and the names. */
gm_status gmi_phrase_check(gm_context *c, const gmi_phrase *p, const char *numbers, const char *words, int32_t positions);

/* ---- layers ---- */
/* As gm_layer_parse, for text that comes from a file: a word that is neither built in nor registered is GM_E_UNKNOWN. */
gm_status gmi_layer_parse_file(gm_context *c, const char *text, const gm_layer **out);
/* A parameter or state under g->scope. Inside a layer that is built a second time into the same graph (the same gm_layer, the same scope) it is the
 * node of the first time: shared weights. Everything else that takes a taken name fails. */
gm_node gmi_nn_param(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
gm_node gmi_nn_state(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims);
/* state becomes keep * state + (1 - keep) * value when the step is accepted; several updates in one graph follow one another. */
void gmi_nn_average(gm_graph *g, gm_node state, gm_node value, double keep);
/* The last layer is linear (dense, conv, conv_transpose) and so may serve as a head itself. */
int gmi_layer_ends_linear(const gm_layer *l);
int gmi_layer_couples_batch(const gm_layer *l); /* batch norm in training mode, minibatch stddev */
const gm_layer *gmi_layer_retain(const gm_layer *l);
/* Builders with explicit names under g->scope: parameters "<scope>.weight", "<scope>.bias". x of rank > 2 is flattened first. */
gm_node gmi_nn_dense(gm_graph *g, gm_node x, int64_t units, int bias, GM_OPT const char *init /* NULL: "torch" */);
gm_node gmi_nn_concat_cond(gm_graph *g, gm_node x, gm_node cond); /* cond [n,c] one-hot or real joined to x: features, or as constant channels of images */
/* ---- loss.c: per-example sums in nats, [n, d...] to [n] (d summed), from logits/means; formulas in the file ---- */
gm_node gmi_loss_bernoulli(gm_graph *g, gm_node logits, gm_node x);                          /* log p(x) */
gm_node gmi_loss_gaussian(gm_graph *g, gm_node mean, gm_node logvar, gm_node x);             /* log N(x; mean, exp logvar), logvar broadcastable */
gm_node gmi_loss_categorical(gm_graph *g, gm_node logits /* [n,d,k] */, gm_node index_i32 /* [n,d] */); /* log p */
gm_node gmi_loss_kl_normal(gm_graph *g, gm_node mean, gm_node logvar);                       /* KL(N(mean, exp logvar) || N(0,1)) per dimension [n,d] */
gm_node gmi_gaussian_log(gm_graph *g, gm_node mean, gm_node logvar, gm_node x);              /* log N by element, nothing summed */
/* ---- logistic.c: the discretised logistic over `levels` bins whose centres x are evenly spaced from -1 to 1; all by element, broadcast ---- */
gm_node gmi_logistic_log_scale(gm_graph *g, gm_node raw, int64_t levels);                        /* a network's output as a log scale within sensible bounds */
gm_node gmi_logistic_log(gm_graph *g, gm_node mean, gm_node log_scale, gm_node x, int64_t levels); /* log p of bin x */
gm_node gmi_logistic_mean(gm_graph *g, gm_node mean, gm_node log_scale);                         /* the expected value, in [-1, 1] */
gm_node gmi_logistic_draw(gm_graph *g, gm_node mean, gm_node log_scale, gm_node uniform); /* before it is rounded to a bin; beyond [-1, 1]: an end bin */
#endif
