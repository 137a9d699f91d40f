/* SPDX-License-Identifier: MIT */
/* recompute.c: cheap elementwise results that only the backward pass still wants are computed again there instead of being kept.
 *
 * A normalised activation is (x - mean) * r. The backward pass reads it late, and reads x - mean as well, so that keeping both costs memory and the forward
 * pass a write: a second node with the same operation takes the place of the first for its late readers, and fuses with them. The same operation on the same
 * numbers gives the same bits. This is the cheapest case of Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016: nothing is kept longer for it, because
 * whole inputs must have another reader that is as late, or be made again themselves; the rest are numbers per channel and leaves. So relu((x - mean) * r * gamma
 * + beta) is made again from x - mean for the weight gradient of the next layer, too, if that is far away: elementwise readers cost nothing, a product has it written.
 * Not here: what costs more than a few instructions an element. */
#include "exec/program.h"

#define LEAST 16384 /* elements: below that the memory is not worth an operation */
#define SMALL 16    /* a broadcast is no load if its source is so many times smaller */
#define FAR 16      /* time from a node to a product, convolution or reduction that is worth making it again for */
#define LONGEST 6   /* operations of a chain */
#define PASSES 3

typedef struct pass {
    gmi_ir *ir;
    int32_t *time;            /* 2 level, and 1 more for elementwise nodes, which run behind the others of their level */
    int32_t *first, *reader;  /* readers of node i: reader[first[i] .. first[i + 1]) */
    int32_t *limit;           /* readers later than this get the second node; INT32_MAX: there is none */
    int32_t *late;            /* when the second node runs */
} pass;

static int is_elem(const gmi_gnode *p) { return (gmi_op_table(p->op)->flags & GMI_F_ELEM) != 0; }

static int is_cheap(int32_t op)
{
    switch (op) {
    case GMI_OP_add: case GMI_OP_sub: case GMI_OP_mul: case GMI_OP_neg: case GMI_OP_square: case GMI_OP_abs: case GMI_OP_relu: case GMI_OP_leaky_relu:
    case GMI_OP_step: case GMI_OP_max: case GMI_OP_min: return 1;
    default: return 0;
    }
}

static int64_t count_of(const gmi_gnode *p)
{
    int64_t n = 1;
    for (int32_t i = 0; i < p->rank; i++) n *= p->dims[i];
    return n;
}

/* Levels as in fuse.c. */
static void set_times(pass *s, int32_t *late)
{
    const gmi_ir *ir = s->ir;
    for (int32_t i = 0; i < ir->n; i++) {
        const gmi_gnode *p = &ir->nodes[i];
        int32_t d = 0;
        for (int32_t k = 0; k < p->n_in; k++) d = GMI_MAX(d, s->time[p->in[k]]);
        s->time[i] = p->n_in && !is_elem(p) ? d + 1 : d;
        late[i] = INT32_MAX;
    }
    for (int32_t i = ir->n; i-- > 0;) {
        const gmi_gnode *p = &ir->nodes[i];
        if (is_elem(p) && late[i] != INT32_MAX) s->time[i] = late[i];
        const int32_t d = is_elem(p) ? s->time[i] : s->time[i] - 1;
        for (int32_t k = 0; k < p->n_in; k++) late[p->in[k]] = GMI_MIN(late[p->in[k]], d);
        s->time[i] = 2 * s->time[i] + is_elem(p);
    }
}

static void set_readers(pass *s)
{
    const gmi_ir *ir = s->ir;
    for (int32_t i = 0; i < ir->n; i++)
        for (int32_t k = 0; k < ir->nodes[i].n_in; k++) s->first[ir->nodes[i].in[k] + 1]++;
    for (int32_t i = 0; i < ir->n; i++) s->first[i + 1] += s->first[i];
    for (int32_t i = ir->n; i-- > 0;)
        for (int32_t k = 0; k < ir->nodes[i].n_in; k++) s->reader[--s->first[ir->nodes[i].in[k] + 1]] = i;
    /* each first[j + 1] went down to where the readers of j begin */
    for (int32_t i = 0; i < ir->n; i++) s->first[i] = s->first[i + 1];
    s->first[ir->n] = 0;
    for (int32_t i = 0; i < ir->n; i++) s->first[ir->n] += ir->nodes[i].n_in;
}

static int is_candidate(const gmi_gnode *p) { return is_elem(p) && is_cheap(p->op) && count_of(p) >= LEAST; }

/* Whether a second x can read its input `in` at this time without keeping it longer; chain: operations that may be made again on the way. */
static int is_there(const pass *s, int32_t x, int32_t in, int32_t time, int32_t chain)
{
    const gmi_gnode *p = &s->ir->nodes[in];
    if (gmi_op_table(p->op)->flags & GMI_F_LEAF) return 1;
    if (p->op == GMI_OP_broadcast) return count_of(&s->ir->nodes[p->in[0]]) <= count_of(p) / SMALL;
    for (int32_t r = s->first[in]; r < s->first[in + 1]; r++)
        if (s->reader[r] != x && s->time[s->reader[r]] >= time) return 1;
    if (chain == 0 || !is_candidate(p)) return 0;
    for (int32_t k = 0; k < p->n_in; k++)
        if (!is_there(s, in, (int32_t)p->in[k], time, chain - 1)) return 0;
    return 1;
}

/* The time after which readers of x get a second one, INT32_MAX when all read the first. */
static int32_t limit_of(const pass *s, int32_t x, int32_t *late)
{
    const gmi_gnode *p = &s->ir->nodes[x];
    int32_t limit = s->time[x];
    *late = INT32_MAX;
    if (!is_candidate(p)) return INT32_MAX;
    for (int32_t r = s->first[x]; r < s->first[x + 1]; r++) {
        const int32_t reader = s->reader[r], near = is_elem(&s->ir->nodes[reader]) ? s->time[x] : s->time[x] + FAR;
        if (s->time[reader] <= near) limit = GMI_MAX(limit, s->time[reader]);
    }
    for (int32_t r = s->first[x]; r < s->first[x + 1]; r++) { /* before a product the second node runs at the end of the level before it */
        const int32_t reader = s->reader[r];
        if (s->time[reader] > limit) *late = GMI_MIN(*late, s->time[reader] - !is_elem(&s->ir->nodes[reader]));
    }
    if (*late == INT32_MAX) return INT32_MAX;
    for (int32_t k = 0; k < p->n_in; k++)
        if (!is_there(s, x, (int32_t)p->in[k], *late, LONGEST)) return INT32_MAX;
    return limit;
}

/* x gets a second node for its late readers, and so do inputs that nobody else reads as late. */
static void make_again(pass *s, int32_t x, int32_t limit, int32_t late)
{
    const gmi_gnode *p = &s->ir->nodes[x];
    s->limit[x] = GMI_MIN(s->limit[x], limit), s->late[x] = GMI_MIN(s->late[x], late);
    for (int32_t k = 0; k < p->n_in; k++) {
        const int32_t in = (int32_t)p->in[k];
        int32_t last = s->time[in];
        if (is_there(s, x, in, late, 0)) continue;
        for (int32_t r = s->first[in]; r < s->first[in + 1]; r++)
            if (s->time[s->reader[r]] < late) last = GMI_MAX(last, s->time[s->reader[r]]);
        make_again(s, in, last, late);
    }
}

/* The list with second nodes behind the first ones. */
static void rebuild(const pass *s, gmi_gnode *to, int32_t *place)
{
    gmi_ir *ir = s->ir;
    int32_t n = 0;
    for (int32_t i = 0; i < ir->n; i++) {
        place[i] = n;
        for (int32_t copy = 0; copy <= (s->limit[i] != INT32_MAX); copy++) {
            gmi_gnode *p = &to[n++];
            *p = ir->nodes[i];
            for (int32_t k = 0; k < p->n_in; k++) {
                const int32_t in = (int32_t)p->in[k];
                p->in[k] = (uint32_t)(place[in] + ((copy ? s->late[i] : s->time[i]) > s->limit[in]));
            }
        }
    }
    ir->n = n;
}

/* One pass over all nodes; *again: some got a second node. */
static gm_status second_nodes(gmi_ir *ir, int32_t graph_nodes, int32_t *again)
{
    gm_context *c = ir->ctx;
    gmi_arena tmp;
    int32_t edges = 0, more = 0, n = ir->n;
    pass s;
    gmi_arena_init(&tmp, c);
    for (int32_t i = 0; i < n; i++) edges += ir->nodes[i].n_in;
    const uint64_t bytes = ((uint64_t)n + 2) * sizeof(int32_t);
    s.ir = ir;
    s.time = gmi_arena_alloc(&tmp, bytes), s.first = gmi_arena_alloc(&tmp, bytes), s.limit = gmi_arena_alloc(&tmp, bytes);
    s.reader = gmi_arena_alloc(&tmp, ((uint64_t)edges + 1) * sizeof(int32_t));
    s.late = gmi_arena_alloc(&tmp, bytes);
    int32_t *place = gmi_arena_alloc(&tmp, bytes);
    gm_status st = s.time && s.first && s.limit && s.reader && s.late && place ? GM_OK : GM_E_NOMEM;
    if (!st) {
        set_times(&s, place);
        set_readers(&s);
        for (int32_t i = 0; i < n; i++) s.limit[i] = s.late[i] = INT32_MAX;
        for (int32_t i = 0; i < n; i++) {
            int32_t late, limit = limit_of(&s, i, &late);
            if (limit != INT32_MAX) make_again(&s, i, limit, late);
        }
        for (int32_t i = 0; i < n; i++) more += s.limit[i] != INT32_MAX;
    }
    if (!st && more) {
        gmi_gnode *to = gmi_alloc_n(c, (int64_t)n + more, sizeof *to);
        if (to) {
            rebuild(&s, to, place);
            gmi_free(c, ir->nodes);
            ir->nodes = to;
            for (int32_t i = 0; i < graph_nodes; i++)
                if (ir->map[i] >= 0) ir->map[i] = place[ir->map[i]];
        } else st = GM_E_NOMEM;
    }
    gmi_arena_free(&tmp);
    *again = more;
    return st;
}

/* A second node may have readers of different times as well, such as a weight gradient and then batch norm's: each gets its own in the next pass. */
gm_status gmi_recompute(gmi_ir *ir, int32_t graph_nodes)
{
    int32_t again = 1;
    gm_status st = GM_OK;
    for (int32_t i = 0; !st && again && i < PASSES; i++) st = second_nodes(ir, graph_nodes, &again);
    return st;
}
