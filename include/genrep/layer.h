/* SPDX-License-Identifier: MIT */
/* genrep/layer.h: the architecture as text, and as immutable objects made from it. */
#ifndef GENREP_LAYER_H
#define GENREP_LAYER_H
#include "graph.h"
#ifdef __cplusplus
extern "C" {
#endif
/* An own layer: a word of the text form, registered in a context. build gets x [n, ...], cond (id 0 = none) and the numbers after the word; it returns the
 * output node and needs no backward. */
typedef struct gm_layer_class {
    size_t size;
    const char *word;
    void *user;
    gm_node (*build)(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args);
} gm_layer_class;
GM_CALL gm_layer_register(gm_context *c, const gm_layer_class *k);
GM_CALL gm_layer_parse(gm_context *c, const char *text, const gm_layer **out);
GM_CALL gm_layer_sequential(gm_context *c, int32_t n, const gm_layer *const *parts, const gm_layer **out);
GM_API const char *gm_layer_text(const gm_layer *l);
GM_API gm_node gm_layer_build(const gm_layer *l, gm_graph *g, gm_node x, gm_node cond);
GM_API void gm_layer_destroy(GM_OPT const gm_layer *l);
#ifdef __cplusplus
}
#endif
#endif
