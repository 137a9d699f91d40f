/* SPDX-License-Identifier: MIT */
/* step.h: the programs of a model, compiled on first use and kept: one for each (kind, rows, draws).
 *
 * A family says how a graph of some kind is built; this module compiles it, binds it to parameters and gives it buffers for inputs and outputs, so
 * that a later step or inference call allocates nothing. Kinds are the family's own numbers. */
#ifndef GMI_TRAIN_STEP_H
#define GMI_TRAIN_STEP_H
#include "base/base.h"
#include "exec/exec.h"
#include "graph/graph.h"

#define GMI_PROG_IN 24
#define GMI_PROG_OUT 12
#define GMI_PROG_NAME 32

typedef struct gmi_prog_key {
    int32_t kind;
    int32_t draws; /* samples per example, where the kind has them; else 0 */
    int64_t rows;  /* examples */
} gmi_prog_key;

typedef struct gmi_prog_out {
    gmi_real *p;   /* own buffer; i32 outputs are read through it as int32_t */
    int64_t count;
} gmi_prog_out;

typedef struct gmi_prog gmi_prog;
struct gmi_prog {
    gmi_prog_key key;
    gm_params *weights; /* retained; NULL when the graph has no parameters */
    const gm_program *program;
    gm_run *run;
    int32_t n_in, n_out;
    char in_name[GMI_PROG_IN][GMI_PROG_NAME]; /* "" where the program does not use an input */
    void *in_own[GMI_PROG_IN];
    const void *in[GMI_PROG_IN]; /* what the next run reads: in_own, or memory of the caller for one run */
    int64_t in_count[GMI_PROG_IN];
    gmi_prog_out out[GMI_PROG_OUT];
    void *out_now[GMI_PROG_OUT]; /* where the next run writes: out[i].p, or memory of the caller for one run */
    uint64_t used;
    int32_t pinned; /* in use by a caller that asks for another program meanwhile: stays */
    gmi_prog *next;
};

/* Builds the graph of key into g (g->training is the family's to set) and names its outputs, GMI_PROG_OUT at most. */
typedef gm_status (*gmi_prog_build_fn)(void *self, gm_graph *g, const gmi_prog_key *key, gm_node *out, int32_t *n_out);

typedef struct gmi_progs {
    gm_context *ctx;
    void *self;
    gmi_prog_build_fn build;
    gmi_prog *first;
    uint64_t clock;
    int32_t ladder; /* a new program of 256 rows brings those of 64, 16, 4 and 1 with it: a later, smaller call compiles nothing */
} gmi_progs;

void gmi_progs_init(gmi_progs *s, gm_context *c, gmi_prog_build_fn build, void *self);
void gmi_progs_free(gmi_progs *s); /* every program */
/* The program of key bound to w, compiled now when it is new. Over the memory limit the programs not used longest go first. */
gm_status gmi_progs_get(gmi_progs *s, gmi_prog_key key, gm_params *w, gmi_prog **out);
gmi_prog *gmi_progs_find(const gmi_progs *s, gmi_prog_key key, const gm_params *w); /* NULL when it is not compiled */
/* Bytes that gmi_progs_get(key) would keep, and (may be NULL) the most it takes while it compiles; never too few, above by 2 KiB at most. Binds no
 * parameters and keeps nothing. */
gm_status gmi_progs_bytes(gmi_progs *s, gmi_prog_key key, uint64_t *bytes, GM_OPT uint64_t *peak);
/* Drops the programs of a kind (all: -1). */
void gmi_progs_drop(gmi_progs *s, int32_t kind);

int32_t gmi_prog_input(const gmi_prog *p, const char *name); /* index, or -1 when the program does not read it */
gmi_real *gmi_prog_in(gmi_prog *p, const char *name);        /* own buffer of an input, or NULL */
void gmi_prog_set(gmi_prog *p, const char *name, double v);  /* a scalar input; nothing when the program does not read it */
/* Runs once; borrowed inputs and outputs are forgotten after it. */
gm_status gmi_prog_run(gmi_prog *p, uint64_t seed, int64_t step, int64_t first);
gm_status gmi_prog_run_part(gmi_prog *p, int32_t part, uint64_t seed, int64_t step, int64_t first); /* part as in gmi_exec */

/* to = d to + (1 - d) from, d = 2^(-examples / half_life); states are copied. `to` has the layout of from's arenas, or of a part of them that begins at `value_at`
 * and `state_at`. Inference programs are bound to `to`, so that a model can be used with its average while it trains (train/ema.h exchanges in place
 * instead). */
void gmi_average_update(gm_params *to, const gm_params *from, int64_t value_at, int64_t state_at, double half_life, int64_t examples);
#endif
