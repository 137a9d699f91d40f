/* SPDX-License-Identifier: MIT */
/* pool2d.h: pooling and resizing of planes, with their adjoints (plain C, built once, the same for every SIMD level).
 *
 * Images are dense NCHW, seen as nc = n * channels planes of h * w elements; every function works on the planes [p0, p1) and a task of the
 * executor is such a range. x is always the [h][w] side, y the [oh][ow] side; both pointers are those of plane 0. The adjoints overwrite x
 * (they do not accumulate into what was there); each element of x sums its terms from +0 in the order of the output index (oh, ow), within
 * one output in the order of the taps. 1-D signals have h = oh = kh = sh = 1, pt = 0. Sizes are >= 1; h * w and oh * ow are below 2^31. */
#ifndef GMI_KERNELS_POOL2D_H
#define GMI_KERNELS_POOL2D_H
#include "kernels/kernels.h"

typedef struct gmi_pool2d {
    int64_t h, w, oh, ow;
    int64_t kh, kw, sh, sw, pt, pl; /* window, stride, padding before; the padding behind is what oh and ow imply */
    int32_t count_include_pad;      /* average: divide by kh * kw always, else by the window's positions inside x */
} gmi_pool2d;

/* index[plane][oh][ow] = h * w position of the window's maximum: the first one in the order (kh, kw); the first NaN wins over everything.
 * Padding is never chosen; a window wholly in the padding gives -1. */
void gmi_maxpool_argmax(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, int32_t *index);
/* y[i] = x[index[i]] within each plane (+0 where index is -1), and its adjoint x[index[i]] += y[i]. Only g's h, w, oh, ow are used. */
void gmi_pool_gather(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, const int32_t *index, gmi_real *y);
void gmi_pool_scatter(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *y, const int32_t *index, gmi_real *x);

/* y = (sum of the window's positions inside x, in order (kh, kw)) / count; a window wholly in the padding gives +0. */
void gmi_avgpool(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, gmi_real *y);
/* The adjoint: x = 0, then every window adds y / count to its positions. */
void gmi_avgpool_dx(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *y, gmi_real *x);

/* Resampling with PyTorch's interpolate conventions, for any in and out sizes: nearest takes position floor(i * in / out); bilinear takes
 * half-pixel centres (align_corners = false), clamped at the border: y = wy0 * (wx0 * x00 + wx1 * x01) + wy1 * (wx0 * x10 + wx1 * x11).
 * Positions and weights come from exact integer ratios. Only g's h, w, oh, ow are used. */
typedef enum { GMI_RESIZE_NEAREST, GMI_RESIZE_BILINEAR } gmi_resize_mode;
void gmi_resize(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *x, gmi_real *y);
void gmi_resize_dx(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *y, gmi_real *x);
#endif
