/* SPDX-License-Identifier: MIT */
/* rewrite.h: from a graph and the nodes that are wanted to the compact list that exec/ lowers. */
#ifndef GMI_GRAPH_REWRITE_H
#define GMI_GRAPH_REWRITE_H
#include "graph/ops.h"

typedef struct gmi_ir {
    gm_context *ctx;
    gmi_gnode *nodes; /* topological; in[] are indices here, from 0; mark is 0 */
    int32_t n;
    int32_t *map;     /* graph id - 1 -> index, or -1 when dead */
} gmi_ir;
/* roots are graph ids. */
gm_status gmi_rewrite(const gm_graph *g, int32_t n_roots, const uint32_t *roots, gmi_ir *out);
void gmi_ir_free(gmi_ir *ir);
#endif
