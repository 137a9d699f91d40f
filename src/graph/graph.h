/* SPDX-License-Identifier: MIT */
/* graph.h: the inside of gm_graph for graph/, exec/ and nn/. Nodes are rows of an array, a gm_node is index + 1. */
#ifndef GMI_GRAPH_GRAPH_H
#define GMI_GRAPH_GRAPH_H
#include "base/base.h"
#include "genrep/graph.h"

#define GMI_MAX_IN 8
#define GMI_MAX_ATTR 16
#define GMI_MAX_ELEMENTS ((int64_t)1 << 44) /* of a value: a graph costs nothing, so sums of bytes and estimates of work must not overflow later */

/* OP(name, inputs (-1: any), shape rule, gradient rule, lowering rule, flags) */
enum {
#define OP(name, n_in, shape, grad, lower, flags) GMI_OP_##name,
#include "graph/ops.def"
#undef OP
    GMI_OP_COUNT
};
enum { GMI_F_ELEM = 1 /* elementwise: fuses */, GMI_F_LEAF = 2, GMI_F_RANDOM = 4, GMI_F_ALIAS = 8 /* same bytes, other shape */ };
/* Names are for texts, prints and messages. */
#define GMI_OP_NAMES (GM_TRAINING || GM_MESSAGES)
typedef struct gmi_op_info {
    char name[GMI_OP_NAMES ? 20 : 1]; /* an array: a pointer costs a relocation, which is larger */
    int8_t n_in;
    uint8_t flags;
} gmi_op_info;
const gmi_op_info *gmi_op_table(int32_t op);
int32_t gmi_op_find(const char *name); /* -1 when unknown */

typedef struct gmi_gnode {
    int32_t op;
    int32_t n_in;
    gm_dtype dtype; /* GM_F32 or GM_I32 */
    int32_t rank;
    uint32_t in[GMI_MAX_IN]; /* ids */
    int64_t dims[GMI_MAX_RANK];
    int64_t attr[GMI_MAX_ATTR]; /* meaning: the op's builder */
    double f;                   /* scalar's value, leaky slope */
    int32_t name;               /* index into names, -1 */
    int32_t mark;               /* scratch of passes */
} gmi_gnode;

/* attr of the convolution triad and of pooling: all three carry the same complete parameters */
enum { GMI_A_H, GMI_A_W, GMI_A_OH, GMI_A_OW, GMI_A_KH, GMI_A_KW, GMI_A_SH, GMI_A_SW, GMI_A_PT, GMI_A_PL, GMI_A_DH, GMI_A_DW, GMI_A_GROUPS, GMI_A_C, GMI_A_CO, GMI_A_MODE };

typedef struct gmi_leaf { /* inputs, parameters, states, in order of creation */
    uint32_t node;
    const char *name, *init; /* init "" for inputs */
    uint32_t grad;           /* parameters: node of the gradient after gm_graph_backward, or 0 */
    uint32_t update;         /* states: node of the new value, or 0 */
    const void *owner;       /* the layer that made it: building that layer again shares it (nn/) */
} gmi_leaf;
typedef struct gmi_leaves {
    gmi_leaf *p;
    int32_t n, cap;
} gmi_leaves;

struct gm_graph {
    gm_context *ctx;
    gmi_arena arena;
    gmi_gnode *nodes;
    int32_t n, cap;
    gmi_leaves inputs, params, states;
    char scope[256];   /* "encoder.0": prefix of parameter names and random keys */
    int32_t training;  /* layers ask: dropout on, batch statistics */
    int32_t early; /* the first so many outputs are a part of the program that can be run before the rest (exec/exec.h) */
    int32_t population; /* statistics become running means over the executions: the scalar input "keep" takes the place of their momentum */
    gm_status failed;  /* sticky; the message is `message` */
    char message[512];
    void *model_user;  /* the façade's, for custom objectives */
    const void *owner; /* layer under construction, NULL outside (nn/) */
};

gmi_gnode *gmi_node(const gm_graph *g, gm_node a); /* valid id only */
/* First failure of building: sets failed and message; returns id 0. */
gm_node gmi_graph_fail(gm_graph *g, gm_status s, const char *f, ...);
#if !GM_MESSAGES
gm_node gmi_graph_fail_plain(gm_graph *g, gm_status s);
#define gmi_graph_fail(g, s, ...) ((void)sizeof(gmi_no_text(__VA_ARGS__)), gmi_graph_fail_plain(g, s))
#endif
/* Appends "name" to the scope; returns the old length for gmi_graph_leave. Parameter names become "<scope>.<name>". */
size_t gmi_graph_scope(gm_graph *g, const char *name);
void gmi_graph_scope_index(gm_graph *g, int32_t i, size_t *old);
void gmi_graph_leave_scope(gm_graph *g, size_t old);
/* Rank-0 input that a façade sets each step (beta, dropout rate); the same node when it exists already. */
gm_node gmi_graph_scalar_input(gm_graph *g, const char *name);
gm_node gmi_graph_find_input(const gm_graph *g, const char *name); /* id 0 when absent */
/* Gradients for the parameters whose name begins with prefix ("" = all). */
void gmi_graph_backward(gm_graph *g, gm_node loss, const char *prefix);
/* Vector-Jacobian product: grads[i] = sum over y of dy * dy/dwrt[i]; dy has y's shape; zeros where y does not depend on wrt[i]. */
void gmi_graph_vjp(gm_graph *g, gm_node y, gm_node dy, int32_t n, const gm_node *wrt, gm_node *grads);
#endif
