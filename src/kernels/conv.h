/* SPDX-License-Identifier: MIT */
/* conv.h: what the files of the convolution triad share (internal to kernels/conv*.c). */
#ifndef GMI_KERNELS_CONV_H
#define GMI_KERNELS_CONV_H
#include "kernels/block.h"

/* Taps of one axis that one phase of output positions uses, i = 0..count-1: kernel position k0 + i * kstep reads the source at
 * origin + d0 + i * dstep. Output o of the axis belongs to phase (o * out_step + shift) mod phases; its origin is
 * (o * out_step + shift - phase) / phases - pad. conv: one phase, origin o * stride - pad; conv_dx: `stride` phases. */
typedef struct gmi_axis {
    int64_t count, k0, kstep, d0, dstep;
} gmi_axis;

/* conv and conv_dx as one problem: an output image [n][oh][ow][oc] gathers from a source image [n][sh][sw][sc], both NHWC. */
typedef struct gmi_gather {
    int64_t n, sh, sw, sc, oh, ow, oc; /* sizes */
    int64_t scg, ocg, groups;          /* channels of one group */
    int64_t kh, kw, dil_h, dil_w;
    int64_t step_h, step_w, shift_h, shift_w; /* conv: stride, -pad; conv_dx: 1, +pad */
    int64_t ph, pw;                           /* phases: conv 1, conv_dx stride */
    int64_t w_s, w_o, w_g;                    /* steps in the weights of source channel, output channel, group */
} gmi_gather;
gmi_gather gmi_gather_of(const gmi_conv_plan *p);
gmi_axis gmi_gather_axis(int64_t taps, int64_t dilation, int64_t phases, int64_t phase);

/* conv_planar.c. 1: the plan is filled and planar (priv[0] = 1); 0: not this way (priv[0] = 0); -1: overflow. */
int gmi_planar_plan(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks);
void gmi_planar_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t task, void *scratch);
void gmi_planar_task_rows(const gmi_conv_plan *p, int32_t task, int64_t *m0, int64_t *m1);

int gmi_conv_dw_plan(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks);
/* conv_dw_few.c, for few input channels. 1: the plan is filled and priv[0] is GMI_DW_FEW; 0: not this way; -1: overflow. */
#define GMI_DW_FEW 2
int gmi_few_plan(gmi_conv_plan *p, const gmi_kernels *t, int64_t tasks);
void gmi_few_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch);
void gmi_conv_dw_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch);
#endif
