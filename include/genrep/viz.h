/* SPDX-License-Identifier: MIT */
/* genrep/viz.h: pictures of data, samples and latent spaces: PNG for images, SVG for plots.
 *
 * The same numbers give the same bytes on every machine. A writer with a path is replaced as a whole or not at all. */
#ifndef GENREP_VIZ_H
#define GENREP_VIZ_H
#include "base.h"
#include "io.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif
/* Writes images as one PNG, side by side in rows of `columns` (0 or less: about as many as there are rows), with grey lines between.
 * images are [n,c,h,w] with c 1 (grey) or 3 (RGB), [n,h,w], or [n,d] with d a square; u8 of 0..255 or f32 of 0..1 (clamped, NaN is black), any strides. Images below 28
 * pixels are enlarged by a whole factor: 8x8 to 32x32, 28x28 to 56x56. What has other units (u8 of 0..16, f32 of -1..1) is to be scaled first.
 * Errors: GM_E_SHAPE (no image, two channels, more than 65535 pixels a side), GM_E_DTYPE, GM_E_IO. */
GM_CALL gm_viz_grid(gm_context *c, const gm_tensor *images, int32_t columns, gm_writer *png);
/* Writes points z [n,2] as an SVG plot with axes of equal units. labels, when not NULL, are integers [n] of any type: class k has colour k of ten, and a legend says
 * which. Points that are not finite are left out. Errors: GM_E_SHAPE, GM_E_DTYPE, GM_E_IO. */
GM_CALL gm_viz_scatter(gm_context *c, const gm_tensor *z, GM_OPT const gm_tensor *labels, gm_writer *svg);
/* Projects z [n,d] on its two principal components: map [n,2], f32 or f64, is centred, its first column has the largest variance a direction can have, and its second the
 * largest of those at a right angle to it (0 when d is 1). The sign is fixed by the largest entry of each direction, which is positive.
 * Errors: GM_E_SHAPE, GM_E_DTYPE, GM_E_NONFINITE (with the row). Time grows with n d^2 + d^3. */
GM_CALL gm_viz_pca(gm_context *c, const gm_tensor *z, gm_tensor *map);
/* Writes n curves as one SVG plot with axes and a legend of their names. y[k] is [m], the values at 0, 1, ... m-1, or [m,2], points (x, y) in the order they are joined; the
 * curves may differ in length. Any element type; a value that is not finite leaves a gap. Errors: GM_E_INVALID (none, a NULL), GM_E_SHAPE, GM_E_IO. */
GM_CALL gm_viz_curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y, gm_writer *svg);
#ifdef __cplusplus
}
#endif
#endif
