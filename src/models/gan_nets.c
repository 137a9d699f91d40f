/* SPDX-License-Identifier: MIT */
/* gan_nets.c: the two networks as graphs, and networks for data of a shape where the host gives none.
 *
 *   z, cond -> generator -> dense "generator.output", unless it ends with the size of a sample -> [n, dims]
 *   x, cond -> discriminator -> dense "discriminator.score", unless it ends with one number -> [n]
 *   projection (Miyato and Koyama 2018, eq. 5): score + <h, embedding of the label>, h the discriminator's last features, [n, F], F > 1
 *
 * Chosen networks, for images: halving resolutions down to an odd side or to 4, channels doubling from 64, one kind of layer, no normalisation in D or G (Huang et
 * al. 2024 do without), He's normal initial weights, which keep signals at their size without normalisation. For anything else four layers of 256 with relu: on
 * points between modes a leaky relu leaves bridges that take several times as long to thin out, and weights that begin smaller settle better. */
#include "models/gan.h"

/* ---- choice ---- */

#define LEAKY "; leaky_relu 0.2"
#define HE " init=he_normal"
#define STAGES 4

/* How often both sides can be halved to whole numbers of 4 at least. */
static int32_t stages_of(const gm_spec *x)
{
    int32_t n = 0;
    if (x->rank != 3) return 0;
    for (int64_t h = x->dims[1], w = x->dims[2]; n < STAGES && h % 2 == 0 && w % 2 == 0 && h >= 8 && w >= 8; h /= 2, w /= 2) n++;
    return n;
}

static int64_t channels(int32_t stage) { return (int64_t)64 << stage; } /* of a feature map halved stage + 1 times */

static void choose_images(const gm_spec *x, int32_t n, gmi_buf *gen, gmi_buf *dis)
{
    const int64_t h = x->dims[1] >> n, w = x->dims[2] >> n, c = GMI_MAX(channels(n - 1), 128);
    gmi_buf_format(gen, "dense %i" HE LEAKY "; reshape %ix%ix%i", c * h * w, c, h, w);
    for (int32_t i = n - 2; i >= 0; i--) gmi_buf_format(gen, "; conv_transpose %i k4 s2 p1" HE LEAKY, channels(i));
    gmi_buf_format(gen, "; conv_transpose %i k4 s2 p1", x->dims[0]);
    for (int32_t i = 0; i < n; i++) gmi_buf_format(dis, "%sconv %i k4 s2 p1" HE LEAKY, i ? "; " : "", channels(i));
}

void gmi_gan_choose(const gm_spec *x, int tanh_end, int features, gmi_buf *gen, gmi_buf *dis)
{
    const int32_t n = stages_of(x);
    int64_t elems = 1;
    for (int32_t i = 0; i < x->rank; i++) elems *= x->dims[i];
    if (n) {
        choose_images(x, n, gen, dis);
    } else {
        for (int32_t i = 0; i < 4; i++) {
            gmi_buf_text(gen, "dense 256; relu; ");
            gmi_buf_format(dis, "%sdense 256; relu", i ? "; " : "");
        }
        gmi_buf_format(gen, "dense %i", elems);
    }
    if (!features) gmi_buf_text(dis, "; dense 1");
    if (tanh_end) gmi_buf_text(gen, "; tanh");
}

/* ---- graphs ---- */

int32_t gmi_gan_sample_dims(const gm_gan *a, int64_t n, int64_t *dims)
{
    dims[0] = n;
    for (int32_t i = 0; i < a->m.spec.rank; i++) dims[i + 1] = a->m.spec.dims[i];
    return a->m.spec.rank + 1;
}

gmi_gan_given gmi_gan_input_cond(const gm_gan *a, gm_graph *g, int64_t n)
{
    gmi_gan_given y;
    int64_t dims[2];
    memset(&y, 0, sizeof y);
    if (a->plan.cond == GMI_COND_NONE) return y;
    dims[0] = n;
    dims[1] = a->m.spec.cond_dim;
    if (a->m.spec.classes) {
        y.label = gm_graph_input(g, "cond", GM_I32, 1, dims);
        y.features = gm_op_one_hot(g, y.label, a->m.spec.classes);
    } else {
        y.features = gm_graph_input(g, "cond", GM_F32, 2, dims);
    }
    return y;
}

static int64_t row_elems(const gm_graph *g, gm_node a)
{
    int64_t n = 1;
    for (int32_t i = 1; i < gm_graph_rank(g, a); i++) n *= gm_graph_dim(g, a, i);
    return n;
}

/* A dense layer below a name of the scope. */
static gm_node head(gm_graph *g, const char *name, gm_node h, int64_t units)
{
    const size_t old = gmi_graph_scope(g, name);
    h = gmi_nn_dense(g, h, units, 1, NULL);
    gmi_graph_leave_scope(g, old);
    return h;
}

/* D is built more than once in a graph (real, generated): the network owns its leaves, so that they are shared. */
static const void *enter_net(gm_graph *g, const gm_gan *a, const char *name, size_t *scope)
{
    const void *owner = g->owner;
    g->owner = a;
    *scope = gmi_graph_scope(g, name);
    return owner;
}

static void leave_net(gm_graph *g, const void *owner, size_t scope)
{
    gmi_graph_leave_scope(g, scope);
    g->owner = owner;
}

gm_node gmi_gan_generator(const gm_gan *a, gm_graph *g, gm_node z, gmi_gan_given y)
{
    int64_t dims[GMI_MAX_RANK];
    size_t scope;
    const void *owner = enter_net(g, a, "generator", &scope);
    gm_node h = y.features.id ? gmi_nn_concat_cond(g, z, y.features) : z;
    h = gm_layer_build(a->generator, g, h, y.features);
    if (h.id && row_elems(g, h) != a->m.elems) h = head(g, "output", h, a->m.elems);
    leave_net(g, owner, scope);
    const int32_t rank = gmi_gan_sample_dims(a, gm_graph_dim(g, z, 0), dims);
    return h.id ? gm_op_reshape(g, h, rank, dims) : h;
}

/* <h, row of the label> [n] */
static gm_node projection(const gm_gan *a, gm_graph *g, gm_node h, gm_node label)
{
    int64_t dims[2];
    h = gm_op_flatten(g, h);
    dims[0] = a->m.spec.classes;
    dims[1] = gm_graph_dim(g, h, 1);
    const size_t old = gmi_graph_scope(g, "projection");
    gm_node table = gmi_nn_param(g, "weight", "normal 0.02", 2, dims);
    gmi_graph_leave_scope(g, old);
    return gm_op_sum(g, gm_op_mul(g, h, gm_op_gather(g, table, label)), 2, 0);
}

gm_node gmi_gan_discriminator(const gm_gan *a, gm_graph *g, gm_node x, gmi_gan_given y)
{
    const int64_t n = gm_graph_dim(g, x, 0);
    const int project = a->plan.cond == GMI_COND_PROJECTION;
    size_t scope;
    const void *owner = enter_net(g, a, "discriminator", &scope);
    gm_node h = a->plan.cond == GMI_COND_CONCAT ? gmi_nn_concat_cond(g, x, y.features) : x;
    h = gm_layer_build(a->discriminator, g, h, y.features);
    gm_node score = h;
    if (h.id && project && row_elems(g, h) == 1)
        h = score = gmi_graph_fail(g, GM_E_SHAPE, "condition projection: the discriminator ends with one number; leave its last linear layer out");
    if (h.id && (project || row_elems(g, h) != 1)) score = head(g, "score", h, 1);
    if (score.id) score = gm_op_reshape(g, score, 1, &n);
    if (score.id && project) score = gm_op_add(g, score, projection(a, g, h, y.label));
    leave_net(g, owner, scope);
    return score;
}
