/* SPDX-License-Identifier: MIT */
/* elem_plan.h: a fused elementwise instruction: a small register program run tile by tile, so that intermediates stay in L1.
 *
 * The iteration space is the outputs' dense memory order, with axes merged where every operand allows. A tile is `rows` steps of axis `axis` times all of
 * the axes behind it (`inner` elements each). Of channels-last images, results may be summed over all pixels on the way: the instruction then gives the
 * sums of blocks of GMI_RB pixels, each block within one task, and the sum's own instruction folds them; a result read by sums alone is never stored. Short rows (all
 * axes but the first: what an example has) are summed as well, in tiles of whole rows. An input is read in place where its tile is contiguous, else gathered into a buffer of its own, once
 * (hoisted) when it is the same for every tile. */
#ifndef GMI_EXEC_ELEM_PLAN_H
#define GMI_EXEC_ELEM_PLAN_H
#include "exec/program.h"

typedef enum { GMI_IN_CONTIG, GMI_IN_UNIFORM, GMI_IN_HOIST, GMI_IN_GATHER } gmi_in_mode;
typedef struct gmi_elem_input {
    gmi_in_mode mode;
    int32_t buffer; /* HOIST, GATHER: tile buffer */
    int64_t strides[GMI_MAX_RANK];
} gmi_elem_input;
typedef enum { GMI_MICRO_UNARY, GMI_MICRO_BINARY, GMI_MICRO_SCALAR, GMI_MICRO_SELECT, GMI_MICRO_FUSED, GMI_MICRO_PAIR } gmi_micro_kind;
typedef struct gmi_micro { /* places: inputs, then outputs, then registers */
    gmi_micro_kind kind;
    int32_t op, out, in[GMI_FUSED_IN];
    int32_t also; /* PAIR: place of the sigmoid beside the softplus at `out` */
    int32_t hi, lo; /* FUSED: places of the two values of a gate, the same for every element; -1: 1 and 0 */
    gmi_real p;
} gmi_micro;
#define GMI_ELEM_SUMS 8 /* of an instruction */
#define GMI_SUM_CHANNELS 16 /* images of fewer leave most of a vector empty: their pixels are summed apart */
typedef struct gmi_elem_plan {
    int32_t rank, axis, n_in, n_out, n_micro, n_regs, n_buffers, n_places;
    int64_t dims[GMI_MAX_RANK];
    int64_t rows, inner, chunks, tiles, tile_elems;
    gmi_elem_input *input;
    gmi_micro *micro;
    int32_t n_sums; /* results that are summed over pixels, their block sums the outputs behind n_out */
    int32_t n_rows; /* or, where n_sums is 0, row by row (dims[0] rows of `inner`), the sums themselves the outputs behind n_out */
    int32_t *sum;   /* their places */
} gmi_elem_plan;
gmi_instr_fn gmi_elem_run;
/* One task's execution, opened for it by its scratch; rows are steps of axis 0 (tiles of axis 0 or 1), in ascending order, from and to multiples of GMI_RB or
 * the ends where there are sums. */
typedef struct gmi_elem_state {
    const gmi_instr *it;
    gm_run *r;
    uint8_t *mem;
    gmi_real **place, *lanes;
    gmi_real *sums[GMI_ELEM_SUMS];
} gmi_elem_state;
void gmi_elem_open(gmi_elem_state *s, const gmi_instr *it, gm_run *r, void *scratch);
void gmi_elem_rows(gmi_elem_state *s, int64_t from, int64_t to);
/* Steps of axis 0 that are a row of so many columns; 0 if the plan is not made of such rows. */
int64_t gmi_elem_steps(const gmi_elem_plan *q, int64_t columns);
/* peephole.c: chains of operations that a kernel does in one pass become one operation. */
void gmi_elem_fuse(gmi_elem_plan *q);
/* Where the lanes of sums begin in the scratch of a task: behind registers, buffers and places. */
uint64_t gmi_elem_lanes_at(const gmi_elem_plan *q);
/* out[dense over dims] = x[strided]. */
void gmi_gather_strided(int32_t rank, const int64_t *dims, const int64_t *strides, const gmi_real *x, gmi_real *out);
#endif
