/* SPDX-License-Identifier: MIT */
/* genrep/layer.h: the architecture as text, and as immutable objects made from it.
 *
 *     const gm_layer *net = NULL;
 *     s = gm_layer_parse(ctx, "conv 64 k4 s2 p1; leaky_relu 0.2; flatten; dense 1", &net);
 *     y = gm_layer_build(net, g, x, none);                          (gm_node none = {0}: no condition)
 *
 * One layer per ";", a word and its numbers; an activation may follow its layer without ";" ("dense 400 relu"). Groups in parentheses nest: "residual ( conv 64 k3 p1
 * relu; conv 64 k3 p1 )", "concat ( ) ( conv 32 k1 )". Words, option names and defaults are PyTorch's; docs/layers.md lists them with formulas. A file stores the
 * canonical text, which gm_layer_text gives. Limits: 64 KiB of text, 4096 layers, 16 levels of groups.
 *
 * Parameters get PyTorch's names and layouts: the layer's index in the canonical text, activations counted, as in torch.nn.Sequential: "0.weight", "0.bias",
 * "1.running_mean". Dense [out,in], conv [out,in/groups,kh,kw], conv_transpose [in,out/groups,kh,kw], without kh for signals. In a group the index of the block, the
 * group and the layer: "3.0.2.weight". */
#ifndef GENREP_LAYER_H
#define GENREP_LAYER_H
#include "graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* An own layer: a word of the text form, registered in a context. It needs no backward, because gradients are graphs.
 * word    1 to 31 characters of a-z, 0-9 and _, no digit first, none of the library's words.
 * user    handed to build; kept until every layer made with the word is gone.
 * build   emits nodes and returns the output. x is [n, ...], cond the condition (id 0 = none), args the n numbers after the word, at most 10. gm_graph_param and
 *         gm_graph_state called in it make parameters under the layer's name. It may be called again for every batch size, on any thread that builds, and must
 *         emit the same nodes for the same arguments. An id of 0 is GM_E_CALLBACK, unless a builder has failed before. */
typedef struct gm_layer_class {
    size_t size; /* sizeof(gm_layer_class) */
    const char *word;
    void *user;
    gm_node (*build)(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args);
} gm_layer_class;

/* Registers an own layer in a context, so that texts and model files with its word can be read there. The class is copied. The word may not exist yet; at
 * most 256. GM_E_INVALID, GM_E_LIMIT, GM_E_NOMEM. */
GM_CALL gm_layer_register(gm_context *c, const gm_layer_class *k);

/* Reads a text. "" is the identity. A word, number or parenthesis that does not fit is GM_E_INVALID: the message names it and what may stand there,
 * gm_error.where is its column (1-based byte). *out is NULL on failure. Layers keep the context alive. */
GM_CALL gm_layer_parse(gm_context *c, const char *text, const gm_layer **out);

/* Joins n layers into one, in order; they may be destroyed afterwards. n = 0 gives the identity. GM_E_INVALID for a NULL part, GM_E_LIMIT. */
GM_CALL gm_layer_sequential(gm_context *c, int32_t n, const gm_layer *const *parts, const gm_layer **out);

/* Gives the canonical text: it reads back to the same layer, and it lives as long as the layer. Any thread. NULL gives "". */
GM_API const char *gm_layer_text(const gm_layer *l);

/* Builds the layer over x [n, ...], f32 (i32 rows before an embedding), and returns its output. cond is for own layers; id 0 = none. Building the
 * same layer a second time into the same graph shares its parameters; a different layer whose names are taken fails: use gm_layer_build_as. A failure
 * is the graph's (gm_graph_status) and gives id 0; shapes that do not fit are GM_E_SHAPE with the layer's index. */
GM_API gm_node gm_layer_build(const gm_layer *l, gm_graph *g, gm_node x, gm_node cond);

/* Builds the layer as gm_layer_build does, with "name." before the names of its parameters: "encoder.0.weight". */
GM_API gm_node gm_layer_build_as(const gm_layer *l, gm_graph *g, const char *name, gm_node x, gm_node cond);

/* Sets whether layers built from now on are those of training: dropout drops, batch_norm uses the statistics of the batch and updates its running ones. A new
 * graph is for inference (0). Models set it in their own programs. */
GM_API void gm_graph_set_training(gm_graph *g, int32_t on);

/* Destroys the layer; graphs that it built stay valid. NULL is fine. */
GM_API void gm_layer_destroy(GM_OPT const gm_layer *l);
#ifdef __cplusplus
}
#endif
#endif
