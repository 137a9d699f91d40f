/* SPDX-License-Identifier: MIT */
/* program.h: the inside of gm_program and gm_run, and what lowering builds them from.
 *
 * A program is a list of instructions over values. A value is a range of one memory: the run's arena, a parameter, state or gradient arena, the caller's
 * input or output, or the program's constants. An instruction runs in phases of tasks with a barrier between phases. Plans, values and instructions
 * live in the program's own arena and never change after compile. */
#ifndef GMI_EXEC_PROGRAM_H
#define GMI_EXEC_PROGRAM_H
#include "exec/exec.h"
#include "graph/rewrite.h"

typedef enum { GMI_HOME_ARENA, GMI_HOME_INPUT, GMI_HOME_PARAM, GMI_HOME_STATE, GMI_HOME_GRAD, GMI_HOME_NEXT, GMI_HOME_OUTPUT, GMI_HOME_CONST } gmi_home;

typedef struct gmi_value {
    int64_t count; /* elements */
    uint64_t bytes;
    gmi_home home;
    int32_t slot;        /* input, output: its number; param, state, grad, next: index of the leaf */
    uint64_t offset;     /* arena and const: bytes */
    int32_t first, last; /* instructions that define and last use it (arena) */
    int32_t keep;        /* stays from execution to execution: packed weights */
    int32_t integers;    /* i32, not numbers */
} gmi_value;

typedef struct gmi_instr gmi_instr;
typedef void gmi_instr_fn(const gmi_instr *it, gm_run *r, int32_t phase, int32_t task, void *scratch);
struct gmi_instr {
    gmi_instr_fn *run;
    const char *what;          /* for print and profile */
    int32_t phases, tasks;     /* tasks of each phase; more than the program's threads: pieces, handed out as threads become free */
    int32_t n_in, n_out;
    int32_t *in, *out;         /* values */
    int32_t temp;              /* value for shared workspace, or -1 */
    int32_t packed_in;         /* input whose packed form `temp` keeps (a parameter, no backward), or -1 */
    int32_t pack_phases;       /* 1: the first phase only packs it */
    int32_t packed_before;     /* 1: an instruction before has packed it into the same `temp` */
    int32_t alias_in, alias_out; /* this output may take this input's place, or -1 */
    uint64_t scratch;          /* bytes a thread */
    const gmi_instr *after;    /* an elementwise instruction run on each finished piece of a convolution or product (epilogue.c), or NULL */
    uint64_t after_at;         /* where its scratch begins */
    const void *plan;          /* the kind's own */
};

typedef struct gmi_port { /* an input or output of the program */
    const char *name;
    gm_dtype dtype;
    int32_t rank;
    int64_t dims[GMI_MAX_RANK];
    int64_t count;
    int32_t value;
} gmi_port;

typedef struct gmi_leaf_use { /* a parameter or state by name */
    const char *name;
    int32_t rank;
    int64_t dims[GMI_MAX_RANK];
    int32_t is_state, writes; /* writes: gradient or next value is produced */
} gmi_leaf_use;

struct gm_program {
    gm_context *ctx;
    int32_t refs;
    gmi_arena arena;
    gmi_kernels kernels;
    gmi_value *values;
    int32_t n_values, cap_values;
    gmi_instr *instrs;
    int32_t n_instrs, cap_instrs;
    gmi_port *inputs, *outputs;
    int32_t n_inputs, n_outputs;
    gmi_leaf_use *leaves;
    int32_t n_leaves;
    int32_t cut;      /* instructions of the first part, 0 = there is one part */
    int32_t backward; /* writes gradients: parameters change between executions */
    uint64_t arena_bytes, scratch_bytes; /* scratch: a thread */
    int32_t threads, max_tasks;          /* the most threads at work; the most that an instruction uses */
    gmi_real *constants;
    int64_t n_constants, cap_constants;
};

struct gm_run {
    gm_context *ctx;
    const gm_program *program;
    gm_params *params;
    void **ptr;            /* of each value */
    const gmi_slot **slots; /* of each leaf use */
    uint8_t *arena, *scratch;
    uint64_t *packed;      /* per instruction: parameter version its packed weights came from, 0 = none */
    void **staging_in, **staging_out; /* converted host tensors, made when first needed */
    uint64_t seed;
    int64_t step, first;
    int32_t failed;        /* atomic: 1 + instruction that found a bad index */
    int32_t taken, high;   /* atomic: pieces handed out, those of them from the high end */
    const gmi_instr *current;
    int32_t phase;
    double *seconds;       /* profile: of each instruction, NULL when off */
    int64_t executions;
};
double gmi_profile_now(const gm_run *r);

/* ---- lowering state (lower.c) ---- */
typedef struct gmi_lower {
    gm_context *ctx;
    gm_program *p;
    gmi_ir ir;
    gmi_arena tmp;
    int32_t *value;   /* node -> value, -1 not yet */
    uint8_t *nhwc;    /* node's value is stored channels-last */
    uint8_t *wanted;  /* it is read channels-last by a convolution, at once or behind elementwise nodes */
    int32_t *depth;   /* schedule level */
    int32_t *group;   /* elementwise: union-find parent */
    int32_t *converted[2]; /* node -> value of its dense copy, row-major and channels-last, or -1: a broadcast may need both */
    int32_t *uses;    /* consumers */
    uint8_t *summed;  /* a consumer of an elementwise node is a sum over all pixels */
    int32_t *partial; /* node -> value of its block sums over pixels, -1 */
    int32_t *row_sum; /* elementwise node -> the node of its sums over all axes but the first, -1 */
    int32_t *out_slot; /* node -> preset value (output, gradient, next), -1 */
    uint8_t *early;   /* node belongs to the first part; NULL: one part */
    int32_t early_level; /* the last level of the first part */
    int32_t tasks;    /* the most tasks of a phase */
    gm_status status;
} gmi_lower;

typedef void gmi_lower_rule(gmi_lower *l, int32_t node);
gmi_lower_rule gmi_lower_leaf, gmi_lower_random, gmi_lower_elem, gmi_lower_alias, gmi_lower_permute, gmi_lower_broadcast, gmi_lower_slice, gmi_lower_pad,
    gmi_lower_concat, gmi_lower_reduce, gmi_lower_argmax, gmi_lower_matmul, gmi_lower_conv, gmi_lower_pool, gmi_lower_rows, gmi_lower_one_hot,
    gmi_lower_to_real;

int32_t gmi_value_new(gmi_lower *l, int64_t count, size_t size); /* an arena value */
/* The value that node's result goes to (its preset home or a new arena value), stored as nhwc says. */
int32_t gmi_value_of_result(gmi_lower *l, int32_t node, int nhwc);
/* node's value row-major in logical order; copies when it is channels-last or a broadcast. */
int32_t gmi_value_canonical(gmi_lower *l, int32_t node);
/* node's value channels-last (rank 4). */
int32_t gmi_value_nhwc(gmi_lower *l, int32_t node);
int gmi_sum_of_pixels(const gmi_gnode *p, const gmi_gnode *x); /* p sums x over all axes but the channels */
int gmi_layout_trivial(const gmi_gnode *p); /* NCHW and NHWC are the same bytes */
/* A new instruction with room for n_in and n_out values; NULL after a failure (status set). */
gmi_instr *gmi_instr_new(gmi_lower *l, const char *what, gmi_instr_fn *run, int32_t n_in, int32_t n_out, uint64_t plan_bytes);
void gmi_lower_fail(gmi_lower *l, gm_status s);
/* Strides in elements, logical axis order, of a dense value of these dims in a layout; 0 for axes of 1. */
void gmi_layout_strides(const gmi_gnode *p, int nhwc, int64_t *strides);
/* Emits dst[dense] = src[strided] over dims. */
int32_t gmi_copy_strided(gmi_lower *l, int32_t src, int64_t src_offset, int32_t rank, const int64_t *dims, const int64_t *strides, int32_t dst);
int32_t gmi_tasks_for(const gmi_lower *l, int64_t work); /* tasks worth starting for this many cheap element operations */
void gmi_split(int64_t n, int32_t task, int32_t tasks, int64_t grain, int64_t *i0, int64_t *i1); /* task's part of [0,n), cut at multiples of grain */

gm_status gmi_lower_graph(gmi_lower *l, const gm_graph *g, int32_t n_out, const gm_node *outputs);

/* ---- recompute.c: second nodes for late readers of cheap elementwise results; ir->map is of graph_nodes ---- */
gm_status gmi_recompute(gmi_ir *ir, int32_t graph_nodes);

/* ---- fuse.c: schedule levels and elementwise groups ---- */
gm_status gmi_schedule(gmi_lower *l);
void gmi_lower_group(gmi_lower *l, int32_t n, const int32_t *members); /* members ascending */

/* ---- what epilogue.c asks of lower_reduce.c and lower_linear.c ---- */
/* Turns the instruction, a sum over all pixels, into the second half of one: partial[blocks][inner] is there. */
void gmi_sum_from_blocks(gmi_instr *it, int32_t partial);
/* Whether it sums the rows of a dense [n, inner], and how many these are. */
int gmi_sum_of_rows(const gmi_instr *it, int64_t *n, int64_t *inner);
gmi_instr_fn gmi_conv_instr; /* of conv, conv_dx and conv_dw */
gmi_instr_fn gmi_gemm_instr;
void gmi_share_packed(gm_program *p);                 /* convolutions with the same weights pack them once */
int gmi_is_packed(const gmi_instr *it, const gm_run *r); /* `temp` holds the packed weights already */

/* ---- epilogue.c: elementwise instructions that follow a convolution or a product become part of it ---- */
gm_status gmi_attach(gmi_lower *l);

/* ---- memplan.c: offsets for intervals ---- */
typedef struct gmi_interval {
    uint64_t bytes;
    int32_t first, last; /* inclusive */
    int32_t same;        /* shares the offset of this interval (in place), or -1 */
    uint64_t offset;     /* result */
} gmi_interval;
/* Non-overlapping offsets, multiples of 64, greedy by size; returns the total. order is scratch for n int32_t. A pure function. */
uint64_t gmi_memplan(int32_t n, gmi_interval *iv, int32_t *order);
#endif
