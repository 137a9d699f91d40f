/* SPDX-License-Identifier: MIT */
/* genrep/viz.h: pictures of data, samples and latent spaces: PNG for images, SVG for plots. */
#ifndef GENREP_VIZ_H
#define GENREP_VIZ_H
#include "base.h"
#include "io.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif
GM_CALL gm_viz_grid(gm_context *c, const gm_tensor *images, int32_t columns, gm_writer *png);
GM_CALL gm_viz_scatter(gm_context *c, const gm_tensor *z, GM_OPT const gm_tensor *labels, gm_writer *svg);
GM_CALL gm_viz_pca(gm_context *c, const gm_tensor *z, gm_tensor *map);
GM_CALL gm_viz_curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y, gm_writer *svg);
#ifdef __cplusplus
}
#endif
#endif
