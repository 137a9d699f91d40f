/* SPDX-License-Identifier: MIT */
/* lower.c: from the rewritten graph to instructions: values, layouts, the walk over the schedule.
 *
 * The graph is logical NCHW. Convolutions compute channels-last, so a rank-4 value is stored as [n,h,w,c] from the first convolution on until an op that
 * wants row-major order asks for a copy. Elementwise groups and channel statistics take either layout. Broadcasts are never stored unless a
 * product or a copy needs them. */
#include "exec/program.h"

void gmi_lower_fail(gmi_lower *l, gm_status s)
{
    if (!l->status) l->status = s;
}

int gmi_layout_trivial(const gmi_gnode *p) { return p->rank != 4 || p->dims[1] == 1 || (p->dims[2] == 1 && p->dims[3] == 1); }

void gmi_layout_strides(const gmi_gnode *p, int nhwc, int64_t *strides)
{
    static const int32_t channels_last[4] = {1, 3, 2, 0};
    int64_t step = 1;
    for (int32_t i = 0; i < p->rank; i++) {
        int32_t a = nhwc ? channels_last[i] : p->rank - 1 - i;
        strides[a] = p->dims[a] == 1 ? 0 : step;
        step *= p->dims[a];
    }
}

int32_t gmi_tasks_for(const gmi_lower *l, int64_t work)
{
    int64_t t = work / 16384;
    return (int32_t)GMI_MAX(1, GMI_MIN(t, (int64_t)l->tasks));
}

void gmi_split(int64_t n, int32_t task, int32_t tasks, int64_t grain, int64_t *i0, int64_t *i1)
{
    int64_t units = (n + grain - 1) / grain, q = units / tasks, r = units % tasks;
    int64_t u0 = q * task + GMI_MIN((int64_t)task, r), u1 = u0 + q + (task < r);
    *i0 = GMI_MIN(n, u0 * grain);
    *i1 = GMI_MIN(n, u1 * grain);
}

/* ---- values and instructions ---- */
static int32_t value_add(gmi_lower *l, int64_t count, size_t size, gmi_home home, int32_t slot)
{
    gm_program *p = l->p;
    if (p->n_values == p->cap_values) {
        int32_t cap = p->cap_values ? p->cap_values * 2 : 128;
        gmi_value *v = gmi_realloc(l->ctx, p->values, (uint64_t)cap * sizeof *v);
        if (!v) {
            gmi_lower_fail(l, GM_E_NOMEM);
            return 0;
        }
        p->values = v;
        p->cap_values = cap;
    }
    gmi_value *v = &p->values[p->n_values];
    memset(v, 0, sizeof *v);
    v->count = count;
    v->bytes = (uint64_t)count * size;
    v->home = home;
    v->slot = slot;
    v->first = INT32_MAX;
    v->last = -1;
    return p->n_values++;
}

int32_t gmi_value_new(gmi_lower *l, int64_t count, size_t size) { return value_add(l, count, size, GMI_HOME_ARENA, -1); }

static int64_t count_of(const gmi_gnode *p)
{
    int64_t n = 1;
    for (int32_t i = 0; i < p->rank; i++) n *= p->dims[i];
    return n;
}
/* Of node p. */
static int32_t typed(gmi_lower *l, int32_t value, const gmi_gnode *p)
{
    if (!l->status) l->p->values[value].integers = p->dtype == GM_I32;
    return value;
}

static size_t size_of(const gmi_gnode *p) { return p->dtype == GM_I32 ? sizeof(int32_t) : sizeof(gmi_real); }

int32_t gmi_value_of_result(gmi_lower *l, int32_t node, int nhwc)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    if (gmi_layout_trivial(p)) nhwc = 0;
    int32_t v = l->out_slot[node] >= 0 && !nhwc ? l->out_slot[node] : typed(l, gmi_value_new(l, count_of(p), size_of(p)), p);
    l->value[node] = v;
    l->nhwc[node] = (uint8_t)nhwc;
    return v;
}

gmi_instr *gmi_instr_new(gmi_lower *l, const char *what, gmi_instr_fn *run, int32_t n_in, int32_t n_out, uint64_t plan_bytes)
{
    gm_program *p = l->p;
    if (l->status) return NULL;
    if (p->n_instrs == p->cap_instrs) {
        int32_t cap = p->cap_instrs ? p->cap_instrs * 2 : 64;
        gmi_instr *q = gmi_realloc(l->ctx, p->instrs, (uint64_t)cap * sizeof *q);
        if (!q) {
            gmi_lower_fail(l, GM_E_NOMEM);
            return NULL;
        }
        p->instrs = q;
        p->cap_instrs = cap;
    }
    gmi_instr *it = &p->instrs[p->n_instrs];
    memset(it, 0, sizeof *it);
    it->what = what;
    it->run = run;
    it->phases = it->tasks = 1;
    it->n_in = n_in;
    it->n_out = n_out;
    it->temp = it->packed_in = it->alias_in = it->alias_out = -1;
    it->in = gmi_arena_alloc(&p->arena, (uint64_t)(n_in + n_out + 1) * sizeof *it->in);
    it->out = it->in ? it->in + n_in : NULL;
    it->plan = plan_bytes ? gmi_arena_alloc(&p->arena, plan_bytes) : NULL;
    if (!it->in || (plan_bytes && !it->plan)) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return NULL;
    }
    p->n_instrs++;
    return it;
}

/* ---- layouts ---- */
static int32_t base_of(const gmi_lower *l, int32_t node)
{
    while (l->ir.nodes[node].op == GMI_OP_broadcast) node = (int32_t)l->ir.nodes[node].in[0];
    return node;
}

/* A dense copy of node in a layout, made once. */
static int32_t converted(gmi_lower *l, int32_t node, int nhwc)
{
    static const int32_t channels_last[4] = {0, 2, 3, 1};
    const gmi_gnode *p = &l->ir.nodes[node];
    int32_t *made = &l->converted[nhwc && !gmi_layout_trivial(p)][node];
    if (*made >= 0) return *made;
    int32_t base = base_of(l, node);
    int64_t from[GMI_MAX_RANK], dims[GMI_MAX_RANK], strides[GMI_MAX_RANK];
    gmi_layout_strides(&l->ir.nodes[base], l->nhwc[base], from);
    for (int32_t i = 0; i < p->rank; i++) {
        int32_t a = nhwc ? channels_last[i] : i;
        dims[i] = p->dims[a];
        strides[i] = from[a];
    }
    int32_t v = typed(l, gmi_value_new(l, count_of(p), size_of(p)), p);
    *made = gmi_copy_strided(l, l->value[base], 0, p->rank, dims, strides, v);
    return *made;
}

static int stored(const gmi_lower *l, int32_t node) { return l->ir.nodes[node].op != GMI_OP_broadcast; }

int32_t gmi_value_canonical(gmi_lower *l, int32_t node)
{
    if (stored(l, node) && !l->nhwc[node]) return l->value[node];
    return converted(l, node, 0);
}

int32_t gmi_value_nhwc(gmi_lower *l, int32_t node)
{
    if (stored(l, node) && (l->nhwc[node] || gmi_layout_trivial(&l->ir.nodes[node]))) return l->value[node];
    return converted(l, node, 1);
}

/* ---- leaves and aliases ---- */
static int32_t leaf_use(gmi_lower *l, const gm_graph *g, const gmi_gnode *p)
{
    const gmi_leaf *f = p->op == GMI_OP_param ? &g->params.p[p->name] : &g->states.p[p->name];
    gm_program *q = l->p;
    for (int32_t i = 0; i < q->n_leaves; i++)
        if (!strcmp(q->leaves[i].name, f->name) && q->leaves[i].is_state == (p->op == GMI_OP_state)) return i;
    gmi_leaf_use *u = &q->leaves[q->n_leaves];
    u->name = gmi_arena_strdup(&q->arena, f->name, strlen(f->name));
    if (!u->name) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return 0;
    }
    const gmi_gnode *d = &g->nodes[f->node - 1];
    u->rank = d->rank;
    memcpy(u->dims, d->dims, sizeof u->dims);
    u->is_state = p->op == GMI_OP_state;
    return q->n_leaves++;
}

static int32_t constant(gmi_lower *l, double v)
{
    gm_program *p = l->p;
    if (p->n_constants == p->cap_constants) {
        int64_t cap = p->cap_constants ? p->cap_constants * 2 : 64;
        gmi_real *q = gmi_realloc(l->ctx, p->constants, (uint64_t)cap * sizeof *q);
        if (!q) {
            gmi_lower_fail(l, GM_E_NOMEM);
            return 0;
        }
        p->constants = q;
        p->cap_constants = cap;
    }
    int32_t i = value_add(l, 1, sizeof(gmi_real), GMI_HOME_CONST, -1);
    if (l->status) return 0; /* without the first value there is no list either */
    p->values[i].offset = (uint64_t)p->n_constants * sizeof(gmi_real);
    p->constants[p->n_constants++] = (gmi_real)v;
    return i;
}

static void lower_leaves(gmi_lower *l, const gm_graph *g)
{
    for (int32_t i = 0; i < l->ir.n && !l->status; i++) {
        const gmi_gnode *p = &l->ir.nodes[i];
        if (p->op == GMI_OP_input) {
            l->value[i] = typed(l, value_add(l, count_of(p), size_of(p), GMI_HOME_INPUT, p->name), p);
            l->p->inputs[p->name].value = l->value[i];
        } else if (p->op == GMI_OP_param || p->op == GMI_OP_state)
            l->value[i] = value_add(l, count_of(p), size_of(p), p->op == GMI_OP_param ? GMI_HOME_PARAM : GMI_HOME_STATE, leaf_use(l, g, p));
        else if (p->op == GMI_OP_scalar)
            l->value[i] = constant(l, p->f);
    }
}

void gmi_lower_leaf(gmi_lower *l, int32_t node) { (void)l, (void)node; /* before the walk, by lower_leaves */ }
void gmi_lower_elem(gmi_lower *l, int32_t node) { (void)l, (void)node; /* with its group */ }
void gmi_lower_broadcast(gmi_lower *l, int32_t node) { (void)l, (void)node; /* read with stride 0 by its consumers */ }

void gmi_lower_alias(gmi_lower *l, int32_t node)
{
    l->value[node] = gmi_value_canonical(l, (int32_t)l->ir.nodes[node].in[0]);
}

/* ---- the walk ---- */
static void lower_node(gmi_lower *l, int32_t node)
{
    switch (l->ir.nodes[node].op) {
#define OP(name, n_in, shape, grad, lower, flags) \
    case GMI_OP_##name: gmi_lower_##lower(l, node); break;
#include "graph/ops.def"
#undef OP
    }
}

/* Level, then non-elementwise first, then by group, then by id. */
static int before(const gmi_lower *l, int32_t a, int32_t b)
{
    int ea = (gmi_op_table(l->ir.nodes[a].op)->flags & GMI_F_ELEM) != 0, eb = (gmi_op_table(l->ir.nodes[b].op)->flags & GMI_F_ELEM) != 0;
    if (l->depth[a] != l->depth[b]) return l->depth[a] < l->depth[b];
    if (ea != eb) return ea < eb;
    if (ea && l->group[a] != l->group[b]) return l->group[a] < l->group[b];
    return a < b;
}

static void sort_nodes(const gmi_lower *l, int32_t n, int32_t *node)
{
    for (int32_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int32_t i = gap; i < n; i++) {
            int32_t x = node[i], k = i;
            for (; k >= gap && before(l, x, node[k - gap]); k -= gap) node[k] = node[k - gap];
            node[k] = x;
        }
}

typedef struct root {
    int32_t node, value;
} root;

static void finish_roots(gmi_lower *l, const root *roots, int32_t n);

/* Emits everything, and where the first part ends what its outputs still need. */
static void walk(gmi_lower *l, const root *roots, int32_t n_early)
{
    int32_t n = l->ir.n, *node = gmi_arena_alloc(&l->tmp, (uint64_t)n * sizeof *node + 1);
    if (!node) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return;
    }
    for (int32_t i = 0; i < n; i++) node[i] = i;
    sort_nodes(l, n, node);
    for (int32_t i = 0; i < n && !l->status;) {
        int32_t x = node[i], j = i + 1;
        if (GM_TRAINING && l->early && !l->p->cut && l->depth[x] > l->early_level) {
            finish_roots(l, roots, n_early);
            l->p->cut = l->p->n_instrs;
        }
        if (!(gmi_op_table(l->ir.nodes[x].op)->flags & GMI_F_ELEM)) {
            lower_node(l, x);
            i++;
            continue;
        }
        while (j < n && l->group[node[j]] == l->group[x] && l->depth[node[j]] == l->depth[x] &&
               (gmi_op_table(l->ir.nodes[node[j]].op)->flags & GMI_F_ELEM))
            j++;
        gmi_lower_group(l, j - i, node + i);
        i = j;
    }
}

/* ---- roots: outputs, gradients, next states ---- */
static void copy_whole(gmi_lower *l, int32_t node, int32_t to)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    int32_t base = base_of(l, node);
    int64_t strides[GMI_MAX_RANK];
    gmi_layout_strides(&l->ir.nodes[base], l->nhwc[base], strides);
    gmi_copy_strided(l, l->value[base], 0, p->rank, p->dims, strides, to);
}

static int may_write_directly(const gmi_lower *l, int32_t node)
{
    const gmi_op_info *info = gmi_op_table(l->ir.nodes[node].op);
    return !(info->flags & GMI_F_LEAF) && l->ir.nodes[node].op != GMI_OP_broadcast && l->out_slot[node] < 0;
}

/* The node that really computes a value: behind reshapes. */
static int32_t behind_aliases(const gmi_lower *l, int32_t node)
{
    while (gmi_op_table(l->ir.nodes[node].op)->flags & GMI_F_ALIAS) node = (int32_t)l->ir.nodes[node].in[0];
    return node;
}

static int32_t add_root(gmi_lower *l, root *roots, int32_t n, int32_t node, gmi_home home, int32_t slot)
{
    const gmi_gnode *p = &l->ir.nodes[node];
    int32_t source = behind_aliases(l, node);
    roots[n].node = node;
    roots[n].value = typed(l, value_add(l, count_of(p), size_of(p), home, slot), p);
    l->uses[node]++;
    if (may_write_directly(l, source)) l->out_slot[source] = roots[n].value;
    return n + 1;
}

static void finish_roots(gmi_lower *l, const root *roots, int32_t n)
{
    for (int32_t i = 0; i < n && !l->status; i++)
        if (l->value[roots[i].node] != roots[i].value) copy_whole(l, roots[i].node, roots[i].value);
}

static int32_t collect_roots(gmi_lower *l, const gm_graph *g, int32_t n_out, const gm_node *outputs, root *roots)
{
    int32_t n = 0;
    for (int32_t i = 0; i < n_out; i++) {
        n = add_root(l, roots, n, l->ir.map[outputs[i].id - 1], GMI_HOME_OUTPUT, i);
        l->p->outputs[i].value = roots[n - 1].value;
    }
    for (int32_t i = 0; i < g->params.n; i++)
        if (g->params.p[i].grad) {
            gmi_gnode key = g->nodes[g->params.p[i].node - 1];
            int32_t use = leaf_use(l, g, &key);
            l->p->leaves[use].writes = l->p->backward = 1;
            n = add_root(l, roots, n, l->ir.map[g->params.p[i].grad - 1], GMI_HOME_GRAD, use);
        }
    for (int32_t i = 0; i < g->states.n; i++)
        if (g->states.p[i].update) {
            gmi_gnode key = g->nodes[g->states.p[i].node - 1];
            int32_t use = leaf_use(l, g, &key);
            l->p->leaves[use].writes = 1;
            n = add_root(l, roots, n, l->ir.map[g->states.p[i].update - 1], GMI_HOME_NEXT, use);
        }
    return n;
}

/* p sums x over all axes but the first. */
static int sums_examples(const gmi_gnode *p, const gmi_gnode *x)
{
    return p->op == GMI_OP_sum && x->rank > 1 && (uint64_t)p->attr[0] == ((uint64_t)1 << x->rank) - 2;
}

static int tables(gmi_lower *l, int32_t early)
{
    uint64_t n = (uint64_t)l->ir.n + 1;
    l->value = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    l->nhwc = gmi_arena_alloc(&l->tmp, n);
    l->wanted = gmi_arena_alloc(&l->tmp, n);
    l->depth = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    l->group = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    for (int k = 0; k < 2; k++) l->converted[k] = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    l->uses = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    l->summed = gmi_arena_alloc(&l->tmp, n);
    l->partial = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    l->out_slot = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t));
    if (GM_TRAINING && early && !(l->early = gmi_arena_alloc(&l->tmp, n))) return -1;
    if (GM_TRAINING && !(l->row_sum = gmi_arena_alloc(&l->tmp, n * sizeof(int32_t)))) return -1;
    if (!l->value || !l->nhwc || !l->wanted || !l->depth || !l->group || !l->converted[0] || !l->converted[1] || !l->uses || !l->out_slot || !l->summed || !l->partial)
        return -1;
    for (int32_t i = 0; i < l->ir.n; i++) {
        l->value[i] = l->converted[0][i] = l->converted[1][i] = l->out_slot[i] = l->partial[i] = -1;
        if (GM_TRAINING) l->row_sum[i] = -1;
        for (int32_t k = 0; k < l->ir.nodes[i].n_in; k++) l->uses[l->ir.nodes[i].in[k]]++;
        if (!GM_TRAINING || l->ir.nodes[i].n_in != 1) continue;
        const uint32_t x = l->ir.nodes[i].in[0];
        if (gmi_sum_of_pixels(&l->ir.nodes[i], &l->ir.nodes[x])) l->summed[x] = 1;
        if (sums_examples(&l->ir.nodes[i], &l->ir.nodes[x])) l->row_sum[x] = i;
    }
    return 0;
}

/* Marks nodes that a convolution reads channels-last, at once or through elementwise nodes of the same shape: made so, or brought into that order once where they
 * come from elsewhere, they are not gathered again and again. */
static void mark_wanted(gmi_lower *l)
{
    for (int32_t i = l->ir.n; i-- > 0;) {
        const gmi_gnode *p = &l->ir.nodes[i];
        const int conv = p->op == GMI_OP_conv || p->op == GMI_OP_conv_dx || p->op == GMI_OP_conv_dw;
        const int elem = (gmi_op_table(p->op)->flags & GMI_F_ELEM) != 0 && l->wanted[i];
        for (int32_t k = 0; k < p->n_in && (conv || elem); k++) {
            const gmi_gnode *x = &l->ir.nodes[p->in[k]];
            if (x->op == GMI_OP_broadcast || gmi_layout_trivial(x) || (conv && k == 1 && p->op != GMI_OP_conv_dw)) continue;
            l->wanted[p->in[k]] = 1;
        }
    }
}

/* Marks what the first n roots need. */
static void mark_early(gmi_lower *l, const root *roots, int32_t n)
{
    for (int32_t i = 0; i < n; i++) l->early[roots[i].node] = 1;
    for (int32_t i = l->ir.n; i-- > 0;)
        for (int32_t k = 0; l->early[i] && k < l->ir.nodes[i].n_in; k++) l->early[l->ir.nodes[i].in[k]] = 1;
}

/* Lowers the rewritten graph in l->ir into l->p. */
gm_status gmi_lower_graph(gmi_lower *l, const gm_graph *g, int32_t n_out, const gm_node *outputs)
{
    root *roots = gmi_arena_alloc(&l->tmp, (uint64_t)(n_out + g->params.n + g->states.n + 1) * sizeof *roots);
    l->p->leaves = gmi_arena_alloc(&l->p->arena, (uint64_t)(g->params.n + g->states.n + 1) * sizeof *l->p->leaves);
    if (!roots || !l->p->leaves || tables(l, g->early)) return GM_E_NOMEM;
    lower_leaves(l, g);
    int32_t n = l->status ? 0 : collect_roots(l, g, n_out, outputs, roots);
    if (GM_TRAINING && l->early && !l->status) mark_early(l, roots, g->early);
    if (GM_TRAINING && !l->status) mark_wanted(l); /* the same bits without it, and less code */
    if (!l->status) l->status = gmi_schedule(l);
    if (!l->status) walk(l, roots, g->early);
    const int32_t made = GM_TRAINING && l->p->cut ? g->early : 0;
    finish_roots(l, roots + made, n - made);
    return l->status;
}
