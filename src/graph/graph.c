/* SPDX-License-Identifier: MIT */
/* graph.c: the graph object: nodes, leaves, scopes, the sticky error.
 *
 * Nodes are rows of one array and a node's inputs always stand before it, so the array is a topological order and every pass is a loop. A builder that
 * fails, or that is given id 0, returns id 0; the first failure is kept and reported by compile. */
#include "graph/ops.h"

#if GMI_OP_NAMES
#define OP_NAME(name) #name
#else
#define OP_NAME(name) ""
#endif
static const gmi_op_info op_infos[] = {
#define OP(name, n_in, shape, grad, lower, flags) {OP_NAME(name), n_in, flags},
#include "graph/ops.def"
#undef OP
};
static int shape_of(gm_graph *g, gmi_gnode *p)
{
    switch (p->op) {
#define OP(name, n_in, shape, grad, lower, flags) \
    case GMI_OP_##name: return gmi_shape_##shape(g, p);
#include "graph/ops.def"
#undef OP
    }
    return -1;
}

const gmi_op_info *gmi_op_table(int32_t op) { return op >= 0 && op < GMI_OP_COUNT ? &op_infos[op] : NULL; }

int32_t gmi_op_find(const char *name)
{
    for (int32_t i = 0; i < GMI_OP_COUNT; i++)
        if (!strcmp(op_infos[i].name, name)) return i;
    return -1;
}

gm_status gm_graph_create(gm_context *c, gm_graph **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "graph_create");
    gm_graph *g = gmi_alloc(c, sizeof *g);
    if (!g) return gmi_leave(c, GM_E_NOMEM);
    g->ctx = c;
    gmi_context_retain(c);
    gmi_arena_init(&g->arena, c);
    *out = g;
    return gmi_leave(c, GM_OK);
}

void gm_graph_destroy(gm_graph *g)
{
    if (!g) return;
    gm_context *c = g->ctx;
    gmi_free(c, g->nodes);
    gmi_free(c, g->inputs.p);
    gmi_free(c, g->params.p);
    gmi_free(c, g->states.p);
    gmi_arena_free(&g->arena);
    gmi_free(c, g);
    gmi_context_release(c);
}

gm_status gm_graph_status(const gm_graph *g)
{
    if (!g) return GM_E_INVALID;
    if (!g->failed) return GM_OK;
    gmi_enter(g->ctx, "graph");
    return gmi_leave(g->ctx, (gmi_fail)(g->ctx, g->failed, "%s", g->message));
}

gm_node (gmi_graph_fail)(gm_graph *g, gm_status s, const char *f, ...)
{
    static const gm_node none = {0};
    if (g->failed) return none;
    g->failed = s;
    va_list a;
    va_start(a, f);
    gmi_vformat(g->message, sizeof g->message, f, a);
    va_end(a);
    return none;
}

#if !GM_MESSAGES
gm_node gmi_graph_fail_plain(gm_graph *g, gm_status s) { return (gmi_graph_fail)(g, s, "%s", gm_status_text(s)); }
#endif

gmi_gnode *gmi_node(const gm_graph *g, gm_node a) { return &g->nodes[a.id - 1]; }

int32_t gm_graph_rank(const gm_graph *g, gm_node a) { return g && a.id && a.id <= (uint32_t)g->n ? gmi_node(g, a)->rank : -1; }

int64_t gm_graph_dim(const gm_graph *g, gm_node a, int32_t axis)
{
    int32_t r = gm_graph_rank(g, a);
    if (axis < 0) axis += r;
    return r >= 0 && axis >= 0 && axis < r ? gmi_node(g, a)->dims[axis] : -1;
}

const char *gmi_shape_text(const gm_graph *g, gm_node a, char *to, size_t n)
{
    const gmi_gnode *p = gmi_node(g, a);
    gmi_format(to, n, "%v", p->rank, p->dims);
    return to;
}

int gmi_same_dims(const gmi_gnode *a, const gmi_gnode *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]);
}

gmi_gnode gmi_proto(int32_t op, int32_t n, const gm_node *in)
{
    gmi_gnode p;
    memset(&p, 0, sizeof p);
    p.op = op;
    p.n_in = n;
    p.name = -1;
    for (int32_t i = 0; i < n && i < GMI_MAX_IN; i++) p.in[i] = in[i].id;
    return p;
}

static int grow(gm_graph *g)
{
    if (g->n < g->cap) return 0;
    int32_t cap = g->cap ? g->cap * 2 : 64;
    gmi_gnode *p = gmi_realloc(g->ctx, g->nodes, (uint64_t)cap * sizeof *p);
    if (!p) {
        gmi_graph_fail(g, GM_E_NOMEM, "no memory for %d graph nodes", cap);
        return -1;
    }
    g->nodes = p;
    g->cap = cap;
    return 0;
}

static int inputs_valid(gm_graph *g, const gmi_gnode *p)
{
    for (int32_t i = 0; i < p->n_in; i++) {
        if (!p->in[i]) return 0; /* an earlier failure; already recorded, or the caller's id 0 */
        if (p->in[i] > (uint32_t)g->n) return 0;
    }
    return 1;
}

static int too_large(const gmi_gnode *p)
{
    int64_t count;
    if (gmi_count_i64(p->rank, p->dims, &count) || count > GMI_MAX_ELEMENTS) return 1;
    for (int32_t i = 0; i < p->rank; i++) /* beside an axis of 0 too: builders add dims up */
        if (p->dims[i] > GMI_MAX_ELEMENTS) return 1;
    return 0;
}

gm_node gmi_emit(gm_graph *g, gmi_gnode *p)
{
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (p->n_in > GMI_MAX_IN || !inputs_valid(g, p))
        return gmi_graph_fail(g, GM_E_INVALID, "%s: an input is not a node of this graph", op_infos[p->op].name);
    if (shape_of(g, p)) {
        if (!g->failed) gmi_graph_fail(g, GM_E_SHAPE, "%s: shapes do not fit", op_infos[p->op].name);
        return none;
    }
    if (too_large(p))
        return gmi_graph_fail(g, GM_E_SHAPE, "%s: %v has too many elements", op_infos[p->op].name, p->rank, p->dims);
    if (grow(g)) return none;
    g->nodes[g->n] = *p;
    gm_node r = {(uint32_t)++g->n};
    return r;
}

gm_node gmi_emit1(gm_graph *g, int32_t op, gm_node a)
{
    gmi_gnode p = gmi_proto(op, 1, &a);
    return gmi_emit(g, &p);
}

gm_node gmi_emit2(gm_graph *g, int32_t op, gm_node a, gm_node b)
{
    gm_node in[2];
    in[0] = a;
    in[1] = b;
    gmi_gnode p = gmi_proto(op, 2, in);
    return gmi_emit(g, &p);
}

/* ---- leaves ---- */

static gmi_leaf *leaf_add(gm_graph *g, gmi_leaves *l)
{
    if (l->n == l->cap) {
        int32_t cap = l->cap ? l->cap * 2 : 16;
        gmi_leaf *p = gmi_realloc(g->ctx, l->p, (uint64_t)cap * sizeof *p);
        if (!p) {
            gmi_graph_fail(g, GM_E_NOMEM, "no memory for %d leaves", cap);
            return NULL;
        }
        l->p = p;
        l->cap = cap;
    }
    memset(&l->p[l->n], 0, sizeof l->p[0]);
    return &l->p[l->n];
}

static gmi_leaf *leaf_find(const gmi_leaves *l, const char *name)
{
    for (int32_t i = 0; i < l->n; i++)
        if (!strcmp(l->p[i].name, name)) return &l->p[i];
    return NULL;
}

int gmi_shape_given(gm_graph *g, gmi_gnode *y)
{
    for (int32_t i = 0; i < y->rank; i++)
        if (y->dims[i] < 0) {
            gmi_graph_fail(g, GM_E_SHAPE, "%s: dimension %d of %v is negative", op_infos[y->op].name, i, y->rank, y->dims);
            return -1;
        }
    return 0;
}

static gm_node leaf(gm_graph *g, int32_t op, gmi_leaves *list, const char *name, const char *init, gm_dtype t, int32_t rank, const int64_t *dims)
{
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (rank < 0 || rank > GMI_MAX_RANK || (rank && !dims))
        return gmi_graph_fail(g, GM_E_SHAPE, "%s %S: rank %d, allowed 0 to %d", op_infos[op].name, name, rank, GMI_MAX_RANK);
    if (!name || !name[0] || leaf_find(list, name))
        return gmi_graph_fail(g, GM_E_INVALID, "%s %S: the name is empty or taken", op_infos[op].name, name ? name : "");
    gmi_gnode p = gmi_proto(op, 0, NULL);
    p.dtype = t;
    p.rank = rank;
    p.name = list->n;
    for (int32_t i = 0; i < rank; i++) p.dims[i] = dims[i];
    gmi_leaf *l = leaf_add(g, list);
    if (!l) return none;
    l->name = gmi_arena_strdup(&g->arena, name, strlen(name));
    l->init = gmi_arena_strdup(&g->arena, init ? init : "", init ? strlen(init) : 0);
    if (!l->name || !l->init) return gmi_graph_fail(g, GM_E_NOMEM, "no memory for the name %S", name);
    gm_node r = gmi_emit(g, &p);
    if (!r.id) return r;
    l->node = r.id;
    list->n++;
    return r;
}

gm_node gm_graph_input(gm_graph *g, const char *name, gm_dtype t, int32_t rank, const int64_t *dims)
{
    gm_node none = {0};
    if (!g) return none;
    if (t != GM_F32 && t != GM_I32)
        return gmi_graph_fail(g, GM_E_DTYPE, "input %S: graphs compute in f32 and index in i32; wrap other types at run time", name ? name : "");
    return leaf(g, GMI_OP_input, &g->inputs, name, "", t, rank, dims);
}

static gm_node scoped(gm_graph *g, int32_t op, gmi_leaves *list, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    gm_node none = {0};
    if (!g || g->failed) return none;
    if (!name || !name[0]) return gmi_graph_fail(g, GM_E_INVALID, "%s: the name is empty", op_infos[op].name);
    char full[512];
    if (gmi_format(full, sizeof full, "%s%s%s", g->scope, g->scope[0] ? "." : "", name) >= sizeof full)
        return gmi_graph_fail(g, GM_E_LIMIT, "%s %S: the name is longer than %d bytes with its scope", op_infos[op].name, name, (int32_t)sizeof full - 1);
    return leaf(g, op, list, full, init, GM_F32, rank, dims);
}

gm_node gm_graph_param(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    return scoped(g, GMI_OP_param, g ? &g->params : NULL, name, init, rank, dims);
}

gm_node gm_graph_state(gm_graph *g, const char *name, const char *init, int32_t rank, const int64_t *dims)
{
    return scoped(g, GMI_OP_state, g ? &g->states : NULL, name, init, rank, dims);
}

void gm_graph_update(gm_graph *g, gm_node state, gm_node value)
{
    if (!g || g->failed) return;
    if (!state.id || state.id > (uint32_t)g->n || gmi_node(g, state)->op != GMI_OP_state || !value.id || value.id > (uint32_t)g->n) {
        gmi_graph_fail(g, GM_E_INVALID, "graph_update: needs a node of gm_graph_state and a value");
        return;
    }
    char a[96], b[96];
    if (gmi_node(g, value)->dtype != GM_F32) {
        gmi_graph_fail(g, GM_E_DTYPE, "graph_update: the value is i32; use to_real");
        return;
    }
    if (!gmi_same_dims(gmi_node(g, state), gmi_node(g, value))) {
        gmi_graph_fail(g, GM_E_SHAPE, "graph_update: the state is %s, the value %s", gmi_shape_text(g, state, a, sizeof a), gmi_shape_text(g, value, b, sizeof b));
        return;
    }
    g->states.p[gmi_node(g, state)->name].update = value.id;
}

gm_node gm_op_scalar(gm_graph *g, double value)
{
    gmi_gnode p = gmi_proto(GMI_OP_scalar, 0, NULL);
    p.dtype = GM_F32;
    p.f = value;
    return gmi_emit(g, &p);
}

gm_node gmi_graph_find_input(const gm_graph *g, const char *name)
{
    gm_node r = {0};
    const gmi_leaf *l = g ? leaf_find(&g->inputs, name) : NULL;
    if (l) r.id = l->node;
    return r;
}

gm_node gmi_graph_scalar_input(gm_graph *g, const char *name)
{
    gm_node r = gmi_graph_find_input(g, name);
    return r.id ? r : gm_graph_input(g, name, GM_F32, 0, NULL);
}

/* ---- scopes ---- */

size_t gmi_graph_scope(gm_graph *g, const char *name)
{
    size_t old = strlen(g->scope);
    size_t need = gmi_format(g->scope + old, sizeof g->scope - old, old ? ".%s" : "%s", name);
    if (old + need >= sizeof g->scope) gmi_graph_fail(g, GM_E_LIMIT, "scope %S: names are nested too deep", g->scope);
    return old;
}

void gmi_graph_scope_index(gm_graph *g, int32_t i, size_t *old)
{
    char text[16];
    gmi_format(text, sizeof text, "%d", i);
    *old = gmi_graph_scope(g, text);
}

void gmi_graph_leave_scope(gm_graph *g, size_t old) { g->scope[old] = 0; }
