/* SPDX-License-Identifier: MIT */
/* fuse.c: the schedule, and elementwise groups.
 *
 * Level of a node = number of non-elementwise nodes on the longest path to it. An elementwise node runs at the latest level that all its consumers allow,
 * so that what only the backward pass needs is computed there, from inputs that live anyway. Elementwise nodes of one level and shape that are joined by
 * an edge form one fused instruction; because any path through another kind of node raises the level, a group can never wait for itself.
 * With early outputs, everything they do not need begins above their level, so that the program can be cut there. */
#include "exec/elem_plan.h"

#define TILE_ELEMS 1024
#define TILE_BYTES_MAX 24576

static int is_elem(const gmi_gnode *p) { return (gmi_op_table(p->op)->flags & GMI_F_ELEM) != 0; }

static int32_t find(int32_t *parent, int32_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void earliest_levels(gmi_lower *l)
{
    for (int32_t i = 0; i < l->ir.n; i++) {
        const gmi_gnode *p = &l->ir.nodes[i];
        int32_t d = 0;
        for (int32_t k = 0; k < p->n_in; k++) d = GMI_MAX(d, l->depth[p->in[k]]);
        l->depth[i] = p->n_in && !is_elem(p) ? d + 1 : d;
    }
}

/* The second part: what early outputs do not need. Leaves and random numbers stay: they read nothing that changes between the parts. */
static void later_levels(gmi_lower *l)
{
    for (int32_t i = 0; i < l->ir.n; i++)
        if (l->early[i]) l->early_level = GMI_MAX(l->early_level, l->depth[i]);
    for (int32_t i = 0; i < l->ir.n; i++) {
        const gmi_gnode *p = &l->ir.nodes[i];
        int32_t d = l->early_level + is_elem(p);
        if (l->early[i] || !p->n_in) continue;
        for (int32_t k = 0; k < p->n_in; k++) d = GMI_MAX(d, l->depth[p->in[k]]);
        l->depth[i] = is_elem(p) ? d : d + 1;
    }
}

static void latest_levels(gmi_lower *l, int32_t *late)
{
    for (int32_t i = 0; i < l->ir.n; i++) late[i] = GM_TRAINING && l->early && l->early[i] ? l->early_level : INT32_MAX;
    for (int32_t i = l->ir.n; i-- > 0;) {
        const gmi_gnode *p = &l->ir.nodes[i];
        if (is_elem(p) && late[i] != INT32_MAX) l->depth[i] = late[i];
        int32_t d = is_elem(p) ? l->depth[i] : l->depth[i] - 1;
        for (int32_t k = 0; k < p->n_in; k++) late[p->in[k]] = GMI_MIN(late[p->in[k]], d);
    }
}

gm_status gmi_schedule(gmi_lower *l)
{
    int32_t n = l->ir.n, *late = gmi_arena_alloc(&l->tmp, (uint64_t)n * sizeof *late + 1);
    if (!late) return GM_E_NOMEM;
    earliest_levels(l);
    if (GM_TRAINING && l->early) later_levels(l);
    latest_levels(l, late);
    for (int32_t i = 0; i < n; i++) l->group[i] = i;
    for (int32_t i = 0; i < n; i++) {
        const gmi_gnode *p = &l->ir.nodes[i];
        if (!is_elem(p)) continue;
        for (int32_t k = 0; k < p->n_in; k++) {
            int32_t j = (int32_t)p->in[k];
            if (is_elem(&l->ir.nodes[j]) && l->depth[j] == l->depth[i]) l->group[find(l->group, i)] = find(l->group, j);
        }
    }
    for (int32_t i = 0; i < n; i++) l->group[i] = find(l->group, i);
    return GM_OK;
}

/* ---- one group to one instruction ---- */
typedef struct builder {
    gmi_lower *l;
    int32_t n;              /* members */
    const int32_t *member;
    int32_t *ext, n_ext;    /* nodes read from outside */
    int32_t *outs, n_outs;  /* members whose value is kept */
    int32_t summed[GMI_ELEM_SUMS], n_sums, n_rows; /* members that are summed over pixels, or row by row */
    int32_t *pair;          /* member -> the one that is computed with it, by one kernel, -1 */
    int32_t *inside;        /* member -> its consumers in the group */
    int32_t *place;         /* member -> place */
    int32_t *last;          /* member -> last micro-op that reads it */
    int32_t *last_ext;      /* ext -> the same */
    int32_t nhwc;
    int32_t *value;         /* of each ext, and whether it is channels-last */
    uint8_t *ext_nhwc;
    gmi_elem_plan *plan;
} builder;

static int32_t index_of(const int32_t *list, int32_t n, int32_t x)
{
    for (int32_t i = 0; i < n; i++)
        if (list[i] == x) return i;
    return -1;
}

/* Members ascend, so a binary search finds one. */
static int32_t member_of(const builder *b, int32_t node)
{
    int32_t lo = 0, hi = b->n - 1;
    while (lo <= hi) {
        int32_t m = (lo + hi) / 2;
        if (b->member[m] == node) return m;
        if (b->member[m] < node)
            lo = m + 1;
        else
            hi = m - 1;
    }
    return -1;
}

static int32_t base_of(const gmi_lower *l, int32_t node)
{
    while (l->ir.nodes[node].op == GMI_OP_broadcast) node = (int32_t)l->ir.nodes[node].in[0];
    return node;
}

static int collect(builder *b)
{
    gmi_lower *l = b->l;
    int32_t edges = 0, *inside = b->inside = gmi_arena_alloc(&l->tmp, (uint64_t)b->n * sizeof *inside);
    for (int32_t i = 0; i < b->n; i++) edges += l->ir.nodes[b->member[i]].n_in;
    b->ext = gmi_arena_alloc(&l->tmp, (uint64_t)edges * sizeof(int32_t));
    b->last_ext = gmi_arena_alloc(&l->tmp, (uint64_t)edges * sizeof(int32_t));
    b->outs = gmi_arena_alloc(&l->tmp, (uint64_t)b->n * sizeof(int32_t));
    b->place = gmi_arena_alloc(&l->tmp, (uint64_t)b->n * sizeof(int32_t));
    b->last = gmi_arena_alloc(&l->tmp, (uint64_t)b->n * sizeof(int32_t));
    if (!inside || !b->ext || !b->last_ext || !b->outs || !b->place || !b->last) return -1;
    for (int32_t i = 0; i < b->n; i++) {
        const gmi_gnode *p = &l->ir.nodes[b->member[i]];
        b->last[i] = -1;
        for (int32_t k = 0; k < p->n_in; k++) {
            int32_t in = (int32_t)p->in[k], m = member_of(b, in);
            if (m >= 0) {
                inside[m]++;
                b->last[m] = i;
                continue;
            }
            int32_t e = index_of(b->ext, b->n_ext, in);
            if (e < 0) b->ext[e = b->n_ext++] = in;
            b->last_ext[e] = i;
        }
    }
    return 0;
}

/* softplus and sigmoid of one value: a likelihood and its gradient. */
static int find_pairs(builder *b)
{
    const gmi_gnode *nodes = b->l->ir.nodes;
    b->pair = gmi_arena_alloc(&b->l->tmp, (uint64_t)b->n * sizeof(int32_t));
    if (!b->pair) return -1;
    for (int32_t i = 0; i < b->n; i++) b->pair[i] = -1;
    for (int32_t i = 0; i < b->n; i++)
        for (int32_t j = 0; nodes[b->member[i]].op == GMI_OP_softplus && j < b->n; j++)
            if (nodes[b->member[j]].op == GMI_OP_sigmoid && nodes[b->member[j]].in[0] == nodes[b->member[i]].in[0]) b->pair[i] = j, b->pair[j] = i;
    return 0;
}

static int32_t partner(const builder *b, int32_t i) { return GM_TRAINING ? b->pair[i] : -1; } /* builds for devices have no such kernel */

/* When member i is computed. */
static int32_t time_of(const builder *b, int32_t i) { return partner(b, i) >= 0 ? GMI_MIN(i, partner(b, i)) : i; }

static void choose_layout(builder *b)
{
    const gmi_lower *l = b->l;
    const gmi_gnode *p = &l->ir.nodes[b->member[0]];
    b->nhwc = 0;
    if (p->rank != 4 || gmi_layout_trivial(p)) return;
    for (int32_t i = 0; i < b->n_ext; i++)
        if (l->nhwc[b->ext[i]]) b->nhwc = 1; /* broadcasts are never marked */
    for (int32_t i = 0; GM_TRAINING && i < b->n; i++)
        if (l->wanted[b->member[i]]) b->nhwc = 1;
}

/* Where each input is read: a whole one in the other order is brought into the group's once, because gathering it costs more. */
static int settle_inputs(builder *b)
{
    gmi_lower *l = b->l;
    b->value = gmi_arena_alloc(&l->tmp, (uint64_t)(b->n_ext + 1) * sizeof *b->value);
    b->ext_nhwc = gmi_arena_alloc(&l->tmp, (uint64_t)b->n_ext + 1);
    if (!b->value || !b->ext_nhwc) return -1;
    for (int32_t e = 0; e < b->n_ext; e++) {
        const int32_t node = b->ext[e], base = base_of(l, node);
        b->value[e] = l->value[base];
        b->ext_nhwc[e] = l->nhwc[base];
        if (!GM_TRAINING || !b->nhwc || node != base || l->nhwc[node] || gmi_layout_trivial(&l->ir.nodes[node])) continue;
        b->value[e] = gmi_value_nhwc(l, node);
        b->ext_nhwc[e] = 1;
    }
    return 0;
}

/* Whether the group runs over [pixels, channels]: whole channels-last images, and inputs that are the same for every pixel. */
static int over_pixels(const builder *b)
{
    const gmi_lower *l = b->l;
    const gmi_gnode *p = &l->ir.nodes[b->member[0]];
    int64_t s[GMI_MAX_RANK];
    if (!GM_TRAINING || !b->nhwc || p->dims[1] < GMI_SUM_CHANNELS || p->dims[0] * p->dims[2] * p->dims[3] <= 2 * GMI_RB) return 0;
    for (int32_t e = 0; e < b->n_ext; e++) {
        const int32_t base = base_of(l, b->ext[e]);
        if (base == b->ext[e]) continue;
        gmi_layout_strides(&l->ir.nodes[base], b->ext_nhwc[e], s);
        if (s[0] || s[2] || s[3]) return 0;
    }
    return 1;
}

/* Whether a tile can be some whole rows, all that belongs to one example. What reads a convolution's result may become part of that, image by image or in smaller
 * pieces, and gains more so. */
static int over_rows(const builder *b)
{
    const gmi_gnode *p = &b->l->ir.nodes[b->member[0]];
    int64_t inner = 1;
    for (int32_t e = 0; GM_TRAINING && e < b->n_ext; e++)
        if (b->l->ir.nodes[b->ext[e]].op == GMI_OP_conv || b->l->ir.nodes[b->ext[e]].op == GMI_OP_conv_dx) return 0;
    for (int32_t a = 1; a < p->rank; a++) inner *= p->dims[a];
    return GM_TRAINING && !b->nhwc && p->rank > 1 && p->dims[0] > 1 && inner >= GMI_RLANES && inner <= TILE_ELEMS;
}

/* The node that sums the rows of this one, in the same part of the program; -1. */
static int32_t row_sum_of(const gmi_lower *l, int32_t node)
{
    const int32_t sum = l->row_sum[node];
    return sum >= 0 && l->early && l->early[sum] != l->early[node] ? -1 : sum;
}

/* Members whose value is kept, and those whose sums over pixels or rows are made on the way. */
static void choose_results(builder *b)
{
    const gmi_lower *l = b->l;
    const int pixels = over_pixels(b), rows = over_rows(b);
    for (int32_t i = 0; i < b->n; i++) {
        const int32_t node = b->member[i], room = GM_TRAINING && b->n_sums + b->n_rows < GMI_ELEM_SUMS;
        const int32_t pixel = room && pixels && l->summed[node], row = room && rows && row_sum_of(l, node) >= 0, summed = pixel || row;
        if (summed) b->summed[b->n_sums + b->n_rows] = i;
        b->n_sums += pixel, b->n_rows += row;
        if (b->inside[i] + summed < l->uses[node]) b->outs[b->n_outs++] = i;
        else if (summed) b->last[i] = b->n; /* its register is read when all operations have run */
    }
}

static void physical_dims(const gmi_gnode *p, int nhwc, int32_t *order)
{
    static const int32_t last[4] = {0, 2, 3, 1};
    for (int32_t i = 0; i < p->rank; i++) order[i] = nhwc ? last[i] : i;
}

/* Strides of every input in the iteration order, axes of 1 dropped and neighbours merged. */
static void iteration_space(builder *b)
{
    gmi_lower *l = b->l;
    gmi_elem_plan *q = b->plan;
    const gmi_gnode *p = &l->ir.nodes[b->member[0]];
    int32_t order[GMI_MAX_RANK];
    physical_dims(p, b->nhwc, order);
    q->rank = 0;
    for (int32_t a = 0; a < p->rank; a++) {
        int64_t d = p->dims[order[a]];
        if (d == 1) continue;
        int merge = q->rank > 0 && !(b->n_sums && a == p->rank - 1) && !(GM_TRAINING && b->n_rows && q->rank == 1); /* channels and rows stay axes of their own where they are summed */
        int64_t st[1];
        for (int32_t e = 0; e < b->n_ext; e++) {
            const gmi_gnode *base = &l->ir.nodes[base_of(l, b->ext[e])];
            int64_t s[GMI_MAX_RANK];
            gmi_layout_strides(base, b->ext_nhwc[e], s);
            st[0] = s[order[a]];
            q->input[e].strides[q->rank] = st[0];
            if (merge && q->input[e].strides[q->rank - 1] != st[0] * d) merge = 0;
        }
        if (!merge) {
            q->dims[q->rank++] = d;
            continue;
        }
        for (int32_t e = 0; e < b->n_ext; e++) q->input[e].strides[q->rank - 1] = q->input[e].strides[q->rank];
        q->dims[q->rank - 1] *= d;
    }
    if (q->rank == 0) {
        q->dims[q->rank++] = 1;
        for (int32_t e = 0; e < b->n_ext; e++) q->input[e].strides[0] = 1;
    }
}

/* Tiles of [pixels, channels] that fill blocks. */
static void choose_pixels(gmi_elem_plan *q, int64_t t)
{
    q->axis = 0;
    q->inner = q->dims[1];
    for (q->rows = 1; q->rows < GMI_RB && 2 * q->rows * q->inner <= t;) q->rows *= 2;
}

/* Tiles of whole rows. */
static void choose_rows(gmi_elem_plan *q, int64_t t)
{
    q->axis = 0;
    q->inner = 1;
    for (int32_t a = 1; a < q->rank; a++) q->inner *= q->dims[a];
    q->rows = GMI_MAX(1, GMI_MIN(q->dims[0], t / q->inner));
}

static void choose_tile(gmi_elem_plan *q, int32_t buffers)
{
    int64_t t = TILE_ELEMS;
    while (t > 128 && t * (int64_t)sizeof(gmi_real) * buffers > TILE_BYTES_MAX) t /= 2;
    q->axis = q->rank - 1;
    q->inner = 1;
    while (q->axis > 0 && q->inner * q->dims[q->axis] <= t / 2) q->inner *= q->dims[q->axis--];
    q->rows = GMI_MAX(1, GMI_MIN(q->dims[q->axis], t / q->inner));
    if (GM_TRAINING && q->n_sums) choose_pixels(q, t);
    if (GM_TRAINING && q->n_rows) choose_rows(q, t);
    q->chunks = (q->dims[q->axis] + q->rows - 1) / q->rows;
    q->tile_elems = q->rows * q->inner;
    q->tiles = q->chunks;
    for (int32_t a = 0; a < q->axis; a++) q->tiles *= q->dims[a];
}

static gmi_in_mode input_mode(const gmi_elem_plan *q, const gmi_elem_input *in)
{
    int zero = 1, contiguous = 1, hoist = 1;
    int64_t want = 1;
    for (int32_t a = q->rank; a-- > 0;) {
        if (in->strides[a] && q->dims[a] > 1) zero = 0;
        if (a >= q->axis) {
            contiguous &= in->strides[a] == want;
            want *= q->dims[a];
        }
        if (a < q->axis ? in->strides[a] != 0 : a == q->axis && in->strides[a] && q->chunks > 1) hoist = 0;
    }
    if (zero) return GMI_IN_UNIFORM;
    if (contiguous) return GMI_IN_CONTIG;
    return hoist ? GMI_IN_HOIST : GMI_IN_GATHER;
}

static const int8_t unary_of[GMI_OP_COUNT + 1] = {
    [GMI_OP_neg] = GMI_U_neg + 1,         [GMI_OP_abs] = GMI_U_abs + 1,           [GMI_OP_sign] = GMI_U_sign + 1,
    [GMI_OP_floor] = GMI_U_floor + 1,     [GMI_OP_square] = GMI_U_square + 1,     [GMI_OP_recip] = GMI_U_recip + 1,
    [GMI_OP_sqrt] = GMI_U_sqrt + 1,       [GMI_OP_rsqrt] = GMI_U_rsqrt + 1,       [GMI_OP_exp] = GMI_U_exp + 1,
    [GMI_OP_expm1] = GMI_U_expm1 + 1,     [GMI_OP_log] = GMI_U_log + 1,           [GMI_OP_log1p] = GMI_U_log1p + 1,
    [GMI_OP_tanh] = GMI_U_tanh + 1,       [GMI_OP_sigmoid] = GMI_U_sigmoid + 1,   [GMI_OP_softplus] = GMI_U_softplus + 1,
    [GMI_OP_erf] = GMI_U_erf + 1,         [GMI_OP_sin] = GMI_U_sin + 1,           [GMI_OP_cos] = GMI_U_cos + 1,
    [GMI_OP_lgamma] = GMI_U_lgamma + 1,   [GMI_OP_polygamma] = GMI_U_polygamma + 1, [GMI_OP_relu] = GMI_U_relu + 1,
    [GMI_OP_leaky_relu] = GMI_U_leaky_relu + 1, [GMI_OP_step] = GMI_U_step + 1,
};
static const int8_t binary_of[GMI_OP_COUNT + 1] = {
    [GMI_OP_add] = GMI_B_add + 1, [GMI_OP_sub] = GMI_B_sub + 1, [GMI_OP_mul] = GMI_B_mul + 1, [GMI_OP_div] = GMI_B_div + 1, [GMI_OP_max] = GMI_B_max + 1,
    [GMI_OP_min] = GMI_B_min + 1, [GMI_OP_lt] = GMI_B_lt + 1,   [GMI_OP_le] = GMI_B_le + 1,   [GMI_OP_eq] = GMI_B_eq + 1,
};

static int32_t place_of(const builder *b, uint32_t node)
{
    int32_t m = member_of(b, (int32_t)node);
    return m >= 0 ? b->place[m] : index_of(b->ext, b->n_ext, (int32_t)node);
}

static int is_uniform(const builder *b, int32_t place) { return place < b->n_ext && b->plan->input[place].mode == GMI_IN_UNIFORM; }
static int commutes(int32_t op) { return op == GMI_B_add || op == GMI_B_mul || op == GMI_B_eq; }

static void emit_micro(builder *b, int32_t i, gmi_micro *m)
{
    const gmi_gnode *p = &b->l->ir.nodes[b->member[i]];
    memset(m, 0, sizeof *m);
    for (int32_t k = 0; k < p->n_in; k++) m->in[k] = place_of(b, p->in[k]);
    m->out = b->place[i];
    m->p = (gmi_real)p->f;
    if (unary_of[p->op]) {
        m->kind = GMI_MICRO_UNARY;
        m->op = unary_of[p->op] - 1;
    } else if (binary_of[p->op]) {
        m->kind = GMI_MICRO_BINARY;
        m->op = binary_of[p->op] - 1;
        if (is_uniform(b, m->in[0]) && !is_uniform(b, m->in[1]) && commutes(m->op)) {
            int32_t t = m->in[0];
            m->in[0] = m->in[1];
            m->in[1] = t;
        }
        if (is_uniform(b, m->in[1]) && !is_uniform(b, m->in[0])) m->kind = GMI_MICRO_SCALAR;
    } else
        m->kind = GMI_MICRO_SELECT;
}

/* The place of member i, computed at time `now`: an output that is kept, else the first free register. */
static void assign_place(builder *b, int32_t *owner, int32_t i, int32_t now)
{
    gmi_elem_plan *q = b->plan;
    int32_t o = index_of(b->outs, b->n_outs, i), r = 0;
    if (o >= 0) {
        b->place[i] = b->n_ext + o;
        return;
    }
    while (r < q->n_regs && b->last[owner[r]] > now) r++; /* a register read last by this very operation may take its result */
    if (r == q->n_regs) q->n_regs++;
    owner[r] = i;
    b->place[i] = b->n_ext + b->n_outs + r;
}

/* Registers by linear scan; results that are kept go straight to their output. */
static int assign_places(builder *b)
{
    int32_t *owner = gmi_arena_alloc(&b->l->tmp, (uint64_t)b->n * sizeof *owner);
    if (!owner) return -1;
    for (int32_t i = 0; i < b->n; i++) {
        if (time_of(b, i) < i) continue;
        assign_place(b, owner, i, i);
        if (partner(b, i) > i) assign_place(b, owner, partner(b, i), i);
    }
    return 0;
}

/* A uniform input read by an operation that has no scalar form needs a tile of its own: it is hoisted. */
static void settle_uniforms(builder *b)
{
    gmi_elem_plan *q = b->plan;
    for (int32_t i = 0; i < b->n; i++) {
        gmi_micro m;
        emit_micro(b, i, &m);
        for (int32_t k = 0; k < b->l->ir.nodes[b->member[i]].n_in; k++)
            if (is_uniform(b, m.in[k]) && !(m.kind == GMI_MICRO_SCALAR && k == 1)) q->input[m.in[k]].mode = GMI_IN_HOIST;
    }
}

/* The operations in order, pairs at the time of the earlier one. */
static void emit_all(builder *b)
{
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++) {
        if (time_of(b, i) < i) continue;
        gmi_micro *m = &b->plan->micro[n++];
        emit_micro(b, i, m);
        if (partner(b, i) < 0) continue;
        const int32_t sigmoid = b->l->ir.nodes[b->member[i]].op == GMI_OP_sigmoid;
        m->kind = GMI_MICRO_PAIR, m->op = GMI_U_softplus;
        m->out = b->place[sigmoid ? b->pair[i] : i], m->also = b->place[sigmoid ? i : b->pair[i]];
    }
    b->plan->n_micro = n;
}

static int plan_group(builder *b)
{
    gmi_elem_plan *q = b->plan;
    q->n_in = b->n_ext;
    q->n_out = b->n_outs;
    if (GM_TRAINING) q->n_sums = b->n_sums, q->n_rows = b->n_rows;
    if (assign_places(b)) return -1;
    iteration_space(b);
    choose_tile(q, q->n_regs + q->n_in + q->n_out);
    for (int32_t e = 0; e < q->n_in; e++) q->input[e].mode = input_mode(q, &q->input[e]);
    settle_uniforms(b);
    for (int32_t e = 0; e < q->n_in; e++)
        if (q->input[e].mode == GMI_IN_HOIST || q->input[e].mode == GMI_IN_GATHER) q->input[e].buffer = q->n_buffers++;
    emit_all(b);
    for (int32_t s = 0; GM_TRAINING && s < b->n_sums + b->n_rows; s++) q->sum[s] = b->place[b->summed[s]];
    q->n_places = q->n_in + q->n_out + q->n_regs;
    if (GM_TRAINING) gmi_elem_fuse(q);
    return 0;
}

static int read_twice(const gmi_instr *it, int32_t n, int32_t e)
{
    for (int32_t i = 0; i < n; i++)
        if (i != e && it->in[i] == it->in[e]) return 1;
    return 0;
}

/* An output may take the place of an input that is read in step with it and not after it was written. */
static void offer_in_place(const builder *b, gmi_instr *it)
{
    for (int32_t o = 0; o < b->n_outs; o++)
        for (int32_t e = 0; e < b->n_ext; e++) {
            const gmi_value *v = &b->l->p->values[it->in[e]];
            const gmi_value *w = &b->l->p->values[it->out[o]];
            if (b->plan->input[e].mode != GMI_IN_CONTIG || v->home != GMI_HOME_ARENA || w->home != GMI_HOME_ARENA || v->count != w->count) continue;
            if (b->last_ext[e] > time_of(b, b->outs[o]) || read_twice(it, b->n_ext, e)) continue;
            if (b->l->uses[b->ext[e]] > 1 && it->alias_in >= 0) continue;
            it->alias_in = e;
            it->alias_out = o;
            if (b->l->uses[b->ext[e]] == 1) return;
        }
}

void gmi_lower_group(gmi_lower *l, int32_t n, const int32_t *members)
{
    builder b;
    memset(&b, 0, sizeof b);
    b.l = l;
    b.n = n;
    b.member = members;
    if (collect(&b)) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return;
    }
    choose_layout(&b);
    if (settle_inputs(&b) || (GM_TRAINING && find_pairs(&b))) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return;
    }
    choose_results(&b);
    gmi_instr *it = gmi_instr_new(l, "elementwise", gmi_elem_run, b.n_ext, b.n_outs + (GM_TRAINING ? b.n_sums + b.n_rows : 0), sizeof(gmi_elem_plan));
    if (!it) return;
    gmi_elem_plan *q = (gmi_elem_plan *)(uintptr_t)it->plan;
    q->input = gmi_arena_alloc(&l->p->arena, (uint64_t)(b.n_ext + 1) * sizeof *q->input);
    q->micro = gmi_arena_alloc(&l->p->arena, (uint64_t)n * sizeof *q->micro);
    if (GM_TRAINING) q->sum = gmi_arena_alloc(&l->p->arena, GMI_ELEM_SUMS * sizeof *q->sum);
    b.plan = q;
    if (!q->input || !q->micro || (GM_TRAINING && !q->sum) || plan_group(&b)) {
        gmi_lower_fail(l, GM_E_NOMEM);
        return;
    }
    int32_t index = l->p->n_instrs - 1;
    for (int32_t e = 0; e < b.n_ext; e++) it->in[e] = b.value[e];
    for (int32_t o = 0; o < b.n_outs; o++) l->p->instrs[index].out[o] = gmi_value_of_result(l, members[b.outs[o]], b.nhwc);
    for (int32_t s = 0; GM_TRAINING && s < b.n_sums; s++) {
        const int32_t node = members[b.summed[s]];
        l->partial[node] = gmi_value_new(l, (q->dims[0] + GMI_RB - 1) / GMI_RB * q->inner, sizeof(gmi_real));
        l->p->instrs[index].out[b.n_outs + s] = l->partial[node];
    }
    for (int32_t s = 0; GM_TRAINING && s < b.n_rows; s++)
        l->p->instrs[index].out[b.n_outs + s] = l->value[l->row_sum[members[b.summed[s]]]] = gmi_value_of_result(l, l->row_sum[members[b.summed[s]]], 0);
    it = &l->p->instrs[index];
    if (l->status) return;
    it->tasks = (int32_t)GMI_MIN((int64_t)gmi_tasks_for(l, q->tiles * q->tile_elems * n), q->tiles);
    if (GM_TRAINING && q->n_sums) it->tasks = (int32_t)GMI_MIN((int64_t)it->tasks, (q->dims[0] + GMI_RB - 1) / GMI_RB);
    it->tasks = GMI_MAX(1, it->tasks);
    it->scratch = gmi_elem_lanes_at(q) + 64;
    if (GM_TRAINING) it->scratch += (uint64_t)q->n_sums * GMI_RLANES * (uint64_t)GMI_LANE_LD(q->inner) * sizeof(gmi_real);
    offer_in_place(&b, it);
}
