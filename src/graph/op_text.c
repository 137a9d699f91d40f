/* SPDX-License-Identifier: MIT */
/* op_text.c: gm_op: any builder by name, with attributes as text: "axes=0,2 keep=1". What bindings and tests call; the typed twins are the same
 * builders. docs/ops.md lists names and attributes. */
#include "graph/ops.h"

typedef struct attrs { /* parsed "name=a,b,c" pairs */
    gm_graph *g;
    const char *op, *text;
    int32_t pairs, taken;
} attrs;

static int is_blank(char c) { return c == ' ' || c == '\t' || c == ','; }

/* Values of `name`, at most `max`; returns how many, 0 when absent. */
static int32_t get(attrs *a, const char *name, int32_t max, double *v)
{
    size_t len = strlen(name);
    const char *p = a->text;
    while (p && *p) {
        while (*p && is_blank(*p)) p++;
        const char *end = p;
        while (*end && *end != ' ' && *end != '\t') end++;
        if ((size_t)(end - p) > len && !strncmp(p, name, len) && p[len] == '=') {
            int32_t n = 0;
            const char *q = p + len + 1;
            size_t used;
            while (q < end && n < max && !gmi_parse_double(q, (size_t)(end - q), &v[n], &used)) {
                n++;
                q += used;
                if (q < end && *q == ',') q++;
            }
            if (q < end || n == 0) gmi_graph_fail(a->g, GM_E_INVALID, "%s: attribute %S wants at most %d numbers", a->op, name, max);
            a->taken++;
            return n;
        }
        p = end;
    }
    return 0;
}

static int32_t count_pairs(const char *p)
{
    int32_t n = 0;
    while (p && *p) {
        while (*p && is_blank(*p)) p++;
        if (*p) n++;
        while (*p && *p != ' ' && *p != '\t') p++;
    }
    return n;
}

static double number(attrs *a, const char *name, double dflt)
{
    double v = dflt;
    get(a, name, 1, &v);
    return v;
}

/* 1 and *to when v is a whole number that a double holds exactly: other conversions are undefined in C. */
static int whole(attrs *a, const char *name, double v, double limit, int64_t *to)
{
    int ok = v >= -limit && v <= limit && (double)(int64_t)v == v;
    if (ok) *to = (int64_t)v;
    else gmi_graph_fail(a->g, GM_E_RANGE, "%s: %S is %g: a whole number between -%g and %g is wanted", a->op, name, v, limit, limit);
    return ok;
}

static int64_t integer64(attrs *a, const char *name, int64_t dflt)
{
    int64_t v = dflt;
    whole(a, name, number(a, name, (double)dflt), 9007199254740992.0, &v);
    return v;
}

static int32_t integer(attrs *a, const char *name, int32_t dflt)
{
    int64_t v = dflt;
    whole(a, name, number(a, name, dflt), INT32_MAX, &v);
    return (int32_t)v;
}

static int32_t list(attrs *a, const char *name, int32_t max, int64_t *to)
{
    double v[GMI_MAX_RANK] = {0};
    int32_t n = get(a, name, GMI_MIN(max, GMI_MAX_RANK), v);
    for (int32_t i = 0; i < n; i++)
        if (!whole(a, name, v[i], 9007199254740992.0, &to[i])) to[i] = 0;
    return n;
}

static uint32_t axes_mask(attrs *a, gm_node x)
{
    int64_t axis[GMI_MAX_RANK];
    int32_t n = list(a, "axes", GMI_MAX_RANK, axis), rank = gm_graph_rank(a->g, x);
    uint32_t mask = 0;
    for (int32_t i = 0; i < n; i++) {
        int64_t k = axis[i] < 0 ? axis[i] + rank : axis[i];
        if (k < 0 || k >= rank)
            gmi_graph_fail(a->g, GM_E_RANGE, "%s: axis %i of a value of rank %d", a->op, axis[i], rank);
        else
            mask |= 1u << k;
    }
    return n ? mask : rank > 0 ? (1u << rank) - 1 : 0;
}

static void pair(attrs *a, const char *name, int64_t *to)
{
    int32_t n = list(a, name, 2, to);
    if (n == 1) to[1] = to[0];
}

static void conv_attrs(attrs *a, gm_conv *o)
{
    gm_conv_init(o, sizeof *o);
    pair(a, "stride", o->stride);
    pair(a, "pad", o->pad_begin);
    o->pad_end[0] = o->pad_begin[0], o->pad_end[1] = o->pad_begin[1];
    pair(a, "pad_end", o->pad_end);
    pair(a, "dilation", o->dilation);
    pair(a, "output_padding", o->output_padding);
    o->groups = integer64(a, "groups", 1);
}

static gm_node pooled(attrs *a, gm_node x, int max)
{
    int64_t k[2] = {2, 2};
    gm_conv o;
    pair(a, "kernel", k);
    conv_attrs(a, &o);
    double s[2];
    if (!get(a, "stride", 2, s))
        o.stride[0] = k[0], o.stride[1] = k[1];
    else
        a->taken--;
    return max ? gm_op_max_pool2d(a->g, x, k, &o) : gm_op_avg_pool2d(a->g, x, k, &o);
}

static gm_node shaped(attrs *a, gm_node x, int broadcast)
{
    int64_t dims[GMI_MAX_RANK] = {0};
    int32_t n = list(a, "dims", GMI_MAX_RANK, dims);
    return broadcast ? gm_op_broadcast(a->g, x, n, dims) : gm_op_reshape(a->g, x, n, dims);
}

static gm_node permuted(attrs *a, gm_node x)
{
    int64_t order[GMI_MAX_RANK] = {0};
    int32_t o[GMI_MAX_RANK] = {0}, n = list(a, "order", GMI_MAX_RANK, order);
    if (n != gm_graph_rank(a->g, x)) return gmi_graph_fail(a->g, GM_E_INVALID, "permute: order has %d axes, the value %d", n, gm_graph_rank(a->g, x));
    for (int32_t i = 0; i < n; i++) o[i] = order[i] < 0 || order[i] >= n ? -1 : (int32_t)order[i]; /* -1 is refused with the others */
    return gm_op_permute(a->g, x, o);
}

/* Builders that need attributes; 1 when op is one of them. */
static int with_attributes(attrs *a, const char *op, int32_t n, const gm_node *x, gm_node *out)
{
    gm_graph *g = a->g;
    gm_conv o;
#define IS(s, inputs) (!strcmp(op, s) && (n == (inputs) || (gmi_graph_fail(g, GM_E_INVALID, "%s takes %d inputs, got %d", op, inputs, n), 0)))
    if (IS("polygamma", 1)) *out = gm_op_polygamma(g, x[0], integer(a, "order", 0));
    else if (IS("leaky_relu", 1)) *out = gm_op_leaky_relu(g, x[0], number(a, "slope", 0.01));
    else if (IS("scalar", 0)) *out = gm_op_scalar(g, number(a, "value", 0));
    else if (IS("reshape", 1)) *out = shaped(a, x[0], 0);
    else if (IS("broadcast", 1)) *out = shaped(a, x[0], 1);
    else if (IS("permute", 1)) *out = permuted(a, x[0]);
    else if (IS("slice", 1)) *out = gm_op_slice(g, x[0], integer(a, "axis", 0), integer64(a, "begin", 0), integer64(a, "end", 0));
    else if (IS("pad", 1)) *out = gm_op_pad(g, x[0], integer(a, "axis", 0), integer64(a, "before", 0), integer64(a, "after", 0));
    else if (!strcmp(op, "concat")) *out = gm_op_concat(g, n, x, integer(a, "axis", 0));
    else if (IS("sum", 1)) *out = gm_op_sum(g, x[0], axes_mask(a, x[0]), number(a, "keep", 0) != 0);
    else if (IS("mean", 1)) *out = gm_op_mean(g, x[0], axes_mask(a, x[0]), number(a, "keep", 0) != 0);
    else if (IS("reduce_max", 1)) *out = gm_op_reduce_max(g, x[0], axes_mask(a, x[0]), number(a, "keep", 0) != 0);
    else if (IS("logsumexp", 1)) *out = gm_op_logsumexp(g, x[0], axes_mask(a, x[0]), number(a, "keep", 0) != 0);
    else if (IS("softmax", 1)) *out = gm_op_softmax(g, x[0], integer(a, "axis", -1));
    else if (IS("argmax", 1)) *out = gm_op_argmax(g, x[0], integer(a, "axis", -1));
    else if (IS("matmul", 2)) *out = gm_op_matmul(g, x[0], x[1], number(a, "transpose_a", 0) != 0, number(a, "transpose_b", 0) != 0);
    else if (IS("conv2d", 2)) conv_attrs(a, &o), *out = gm_op_conv2d(g, x[0], x[1], &o);
    else if (IS("conv_transpose2d", 2)) conv_attrs(a, &o), *out = gm_op_conv_transpose2d(g, x[0], x[1], &o);
    else if (IS("max_pool2d", 1)) *out = pooled(a, x[0], 1);
    else if (IS("avg_pool2d", 1)) *out = pooled(a, x[0], 0);
    else if (IS("resize2d", 1)) *out = gm_op_resize2d(g, x[0], integer64(a, "h", 0), integer64(a, "w", 0), integer(a, "mode", 0));
    else if (IS("scatter_add", 2)) *out = gm_op_scatter_add(g, x[0], x[1], integer64(a, "rows", 0));
    else if (IS("one_hot", 1)) *out = gm_op_one_hot(g, x[0], integer64(a, "depth", 0));
    else return 0;
#undef IS
    return 1;
}

/* Rows of ops.def whose builder takes inputs alone; binary ones broadcast. */
static gm_node plain(gm_graph *g, const char *name, int32_t op, int32_t n, const gm_node *x)
{
    typedef gm_node binary_fn(gm_graph *, gm_node, gm_node);
    static const struct {
        int32_t op;
        binary_fn *f;
    } pairs[] = {{GMI_OP_add, gm_op_add}, {GMI_OP_sub, gm_op_sub}, {GMI_OP_mul, gm_op_mul}, {GMI_OP_div, gm_op_div}, {GMI_OP_max, gm_op_max},
                 {GMI_OP_min, gm_op_min}, {GMI_OP_lt, gm_op_lt},   {GMI_OP_le, gm_op_le},   {GMI_OP_eq, gm_op_eq},   {GMI_OP_gather, gm_op_gather}};
    const gmi_op_info *info = gmi_op_table(op);
    if (op == GMI_OP_to_real && n == 1) return gm_op_to_real(g, x[0]);
    if (n != info->n_in) return gmi_graph_fail(g, GM_E_INVALID, "%s takes %d inputs, got %d", name, info->n_in, n);
    for (int64_t i = 0; i < GMI_COUNT(pairs); i++)
        if (pairs[i].op == op) return pairs[i].f(g, x[0], x[1]);
    if (op == GMI_OP_select) return gm_op_select(g, x[0], x[1], x[2]);
    if (n != 1 || !((info->flags & GMI_F_ELEM) || op == GMI_OP_stop_gradient))
        return gmi_graph_fail(g, GM_E_INVALID, "%S is not built by gm_op: use its typed builder", name);
    return gmi_emit1(g, op, x[0]);
}

gm_node gm_op(gm_graph *g, const char *op, int32_t n, const gm_node *in, const char *o)
{
    gm_node r = {0};
    if (!g || g->failed) return r;
    if (!op || n < 0 || n > 4096 || (n && !in)) return gmi_graph_fail(g, GM_E_INVALID, "gm_op: op is NULL, or %d inputs", n);
    attrs a;
    memset(&a, 0, sizeof a);
    a.g = g, a.op = op, a.text = o;
    a.pairs = count_pairs(o);
    if (!with_attributes(&a, op, n, in, &r) && !g->failed) {
        int32_t row = gmi_op_find(op);
        r = row < 0 ? gmi_graph_fail(g, GM_E_UNKNOWN, "no op is named %S; docs/ops.md lists them", op) : plain(g, op, row, n, in);
    }
    if (!g->failed && a.taken != a.pairs) return gmi_graph_fail(g, GM_E_INVALID, "%s: an attribute of %S is unknown or given twice", op, o);
    return r;
}
