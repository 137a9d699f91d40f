/* SPDX-License-Identifier: MIT */
/* pnm.h: portable grey and pixel maps (netpbm's P2, P3, P5, P6), 8 and 16 bits. Not here: bitmaps P1 and P4, PAM, several pictures in one file. */
#ifndef GMI_FORMAT_PNM_H
#define GMI_FORMAT_PNM_H
#include "base/base.h"
#include "tensor/tensor.h"
typedef struct gmi_pnm_info {
    int32_t kind;           /* 2, 3, 5, 6 */
    int32_t maxval;         /* 1..65535: samples are 0..maxval as in the file */
    int64_t width, height, channels;
} gmi_pnm_info;
/* A tensor of U8 (maxval < 256) or I32: [h,w,c], or [c,h,w] when planar. info may be NULL. */
gm_status gmi_pnm_read(gm_context *c, gmi_in *in, int planar, gmi_pnm_info *info, gm_tensor **out);
/* P5 (channels 1) or P6 (3), 8 bits; pixels [h,w,c] or [c,h,w]. */
gm_status gmi_pnm_write(gm_context *c, gmi_out *o, int64_t width, int64_t height, int64_t channels, int planar, const uint8_t *pixels);
#endif
