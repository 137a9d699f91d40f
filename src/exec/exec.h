/* SPDX-License-Identifier: MIT */
/* exec.h: stores (parameter and state arenas), programs and runs, for exec/, train/, models/ and repr/. */
#ifndef GMI_EXEC_EXEC_H
#define GMI_EXEC_EXEC_H
#include "base/base.h"
#include "graph/graph.h"
#include "kernels/kernels.h"
#include "tensor/tensor.h"

/* One parameter or state in its arena. Offsets are in elements, multiples of 16; padding is zero. */
typedef struct gmi_slot {
    const char *name, *init;
    int32_t rank;
    int64_t dims[GMI_MAX_RANK];
    int64_t count, offset;
} gmi_slot;

/* gm_params: flat arenas. value, grad: one array each over all parameters (param_elems with padding); state, state_next over all states.
 * version counts changes of value (packed weights compare it). refs: handle, runs, optimizers, views. */
struct gm_params {
    gm_context *ctx;
    int32_t refs;
    int32_t n_params, n_states;
    gmi_slot *params, *states;
    gmi_map param_map, state_map;
    gmi_arena names;
    int64_t param_elems, state_elems;
    gmi_real *value, *grad, *state, *state_next;
    gmi_real *squares; /* beside grad: the sum of squares of each whole block of GMI_RB elements of it, GMI_NOT_SUMMED where nobody made it on the way */
    uint8_t *state_pending; /* per state: state_next holds an uncommitted value */
    uint64_t version;
    int32_t views; /* live writable views (train/params.c): while there are any, values may change without a new version */
    gm_params *owner; /* retained: of a borrowed set, whose slots, names, value and state are the owner's; else NULL */
};
#define GMI_NOT_SUMMED ((gmi_real)-1)
/* grad, zero-filled, and squares. */
gm_status gmi_params_make_grad(gm_params *w);
/* Elements [begin, begin + n) of grad are about to change: their sums of squares are forgotten. */
void gmi_params_forget_squares(gm_params *w, int64_t begin, int64_t n);
/* Arenas for every parameter and state of g, zero-filled: train/params.c initialises them. grads != 0 allocates grad and state_next. */
gm_status gmi_params_layout(gm_context *c, const gm_graph *g, int grads, gm_params **out);
/* A set of its own with of's slots and, copied, its values and states: no gradients. In of's context. */
gm_status gmi_params_copy(const gm_params *of, gm_params **out);
/* A set in context c over of's own memory, for inference alone: `of` is retained and must not change while it is borrowed. Any number of threads may borrow from
 * one set at once, each into its own context. */
gm_status gmi_params_borrow(gm_context *c, gm_params *of, gm_params **out);
/* What gmi_params_layout would take, in bytes of arenas. */
uint64_t gmi_params_bytes(const gm_graph *g, int grads);
void gmi_params_retain(gm_params *w);
void gmi_params_release(gm_params *w);
const gmi_slot *gmi_params_find(const gm_params *w, const char *name, int *is_state); /* NULL when unknown */
void gmi_params_commit(gm_params *w);  /* pending states become current */
void gmi_params_discard(gm_params *w); /* pending states are dropped */
void gmi_params_changed(gm_params *w); /* value was written: new version */

/* What one execution gets. in[i] is dense row-major in the compute type (GM_F32 inputs) or int32_t (GM_I32 inputs), in order of gm_graph_input; out[i]
 * likewise. Pointers must stay valid for the call; nothing is allocated. */
typedef struct gmi_exec {
    uint64_t seed;
    int64_t step;  /* counter of random streams */
    int64_t first; /* example index of row 0 */
    const void *const *in;
    void *const *out;
    int32_t part; /* 0 = the whole program; of a graph with early outputs: 1 = those, 2 = what 1 left, reading inputs and parameters as they are then */
} gmi_exec;
gm_status gmi_run_exec(gm_run *r, const gmi_exec *e);
int32_t gmi_program_input_index(const gm_program *p, const char *name); /* -1 when the program does not use it */
int32_t gmi_program_inputs(const gm_program *p);
/* Starts (again) to time each instruction by the context's clock; print writes a table. */
gm_status gmi_run_profile(gm_run *r);
gm_status gmi_run_profile_print(const gm_run *r, gm_writer *w);
gm_context *gmi_run_context(const gm_run *r);
/* The kernel table of a context's level. */
void gmi_exec_kernels(const gm_context *c, gmi_kernels *t);
/* Its check of values, for those who may not know the table; NULL in builds for devices. */
gmi_within_fn *gmi_exec_within(const gm_context *c);
#endif
