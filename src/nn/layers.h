/* SPDX-License-Identifier: MIT */
/* layers.h: the inside of gm_layer: a sequence of items, each a row of a table of words with its arguments. For nn/ only. */
#ifndef GMI_NN_LAYERS_H
#define GMI_NN_LAYERS_H
#include "nn/nn.h"

#define GMI_LAYER_DEPTH 16     /* nested parentheses */
#define GMI_LAYER_ITEMS 4096   /* layers of one text */
#define GMI_LAYER_BRANCHES 8
#define GMI_LAYER_ARGS 10      /* of a built-in word; own words take as many numbers */
#define GMI_INIT_TEXT 56

typedef enum gmi_arg_kind {
    GMI_ARG_COUNT = 1, /* an integer in [lo, hi] */
    GMI_ARG_REAL,      /* a finite number in [lo, hi] */
    GMI_ARG_FLAG,      /* 0 or 1 */
    GMI_ARG_SIZES,     /* integers joined by x, each in [lo, hi]: 3, 3x5, 64x1x1 */
    GMI_ARG_CHOICE,    /* one of the words in choices; its value is the index */
    GMI_ARG_INIT       /* an initialisation (init.c) */
} gmi_arg_kind;
typedef enum gmi_arg_form { GMI_BY_NAME, GMI_BY_PLACE /* or by name */, GMI_BY_LETTER /* k4, or by name */ } gmi_arg_form;

/* Texts of tables are arrays: a pointer would cost a relocation, which is larger than most of them. */
typedef struct gmi_arg_spec {
    char name[16], alias[19]; /* the canonical name and PyTorch's ("" when equal) */
    int8_t kind;              /* gmi_arg_kind */
    int8_t form;              /* gmi_arg_form */
    int8_t required;
    int8_t most;              /* sizes: how many at most */
    double dflt, lo, hi;
    char choices[17];         /* separated by blanks */
} gmi_arg_spec;

typedef struct gmi_arg {
    int32_t n; /* values; 0 = absent, and then v[0] is the default */
    double v[GMI_MAX_RANK];
} gmi_arg;

typedef struct gmi_item gmi_item;
typedef struct gmi_seq {
    int32_t n;
    gmi_item *item;
} gmi_seq;

enum {
    GMI_L_ACTIVATION = 1, /* may trail another layer on input */
    GMI_L_LINEAR = 2,     /* may serve as a head */
    GMI_L_BATCH = 4,      /* couples the examples of a batch in training */
    GMI_L_OWN = 8         /* a registered word */
};
typedef struct gmi_layer_def {
    char word[20], alias[20];
    uint32_t flags;
    int32_t n_spec;
    const gmi_arg_spec *spec;
    int32_t branches_least, branches_most;
    gm_node (*build)(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond);
    int32_t variant; /* tells rows with one build function apart */
} gmi_layer_def;

struct gmi_item {
    const gmi_layer_def *def;
    gmi_arg arg[GMI_LAYER_ARGS];
    char init[GMI_INIT_TEXT]; /* "" = the layer's default */
    int32_t n_branch;
    gmi_seq *branch;
    gm_layer_class own;       /* GMI_L_OWN: copy of the class; its numbers are arg[i].v[0], i < n_own */
    int32_t n_own;
};

struct gm_layer {
    gm_context *ctx; /* retained */
    int32_t refs;    /* atomic */
    gmi_arena arena; /* items and text */
    gmi_seq seq;
    const char *text;
};

/* One table a family. */
typedef struct gmi_layer_family {
    const gmi_layer_def *def;
    int32_t n;
} gmi_layer_family;
extern const gmi_layer_family gmi_layers_linear, gmi_layers_activation, gmi_layers_norm, gmi_layers_shape, gmi_layers_block;
const gmi_layer_def *gmi_layer_find(const gmi_word *w);
/* register.c: the class of an own word, NULL when there is none; names appends ", word" for each. */
const gm_layer_class *gmi_words_find(const gm_context *c, const gmi_word *w);
void gmi_words_list(const gm_context *c, gmi_buf *b);
extern const gmi_layer_def gmi_layer_own;

/* layer_text.c: text to items in an arena, items to canonical text. An unknown word is the status `unknown`. */
gm_status gmi_seq_parse(gm_context *c, gmi_arena *arena, const char *text, gm_status unknown, gmi_seq *out);
void gmi_seq_print(const gmi_seq *s, gmi_buf *b);
/* module.c */
gm_node gmi_seq_build(const gmi_seq *s, gm_graph *g, gm_node x, gm_node cond);

/* ---- for builders ---- */
static inline int64_t gmi_arg_int(const gmi_item *it, int32_t i) { return (int64_t)it->arg[i].v[0]; }
/* A pair [h, w] from 3 or 3x5. */
static inline int64_t gmi_arg_axis(const gmi_item *it, int32_t i, int32_t axis)
{
    const gmi_arg *a = &it->arg[i];
    return (int64_t)(a->n > 1 ? a->v[axis] : a->v[0]);
}
/* Refuses x with "conv: x is [4,3]; wants [n,c,h,w]". */
gm_node gmi_layer_refuse(gm_graph *g, const gmi_item *it, gm_node x, const char *wants);
/* Copies x's shape; 0 for an invalid node, so that builders can stop early. */
int32_t gmi_layer_shape(const gm_graph *g, gm_node x, int64_t dims[GMI_MAX_RANK]);
/* [c] as [1,c,1,..] beside x of that rank. */
gm_node gmi_layer_per_channel(gm_graph *g, gm_node v, int32_t rank);
#endif
