/* SPDX-License-Identifier: MIT */
/* store.c: flat arenas of parameters and states: one array each for values, gradients, statistics and their next values.
 *
 *   value  [ encoder.0.weight | pad | encoder.0.bias | pad | ... ]     every slot begins at a multiple of 16 elements, padding stays zero,
 *   grad   [ the same offsets                                     ]     so that an optimizer step, clipping or EMA is one pass.
 *
 * A borrowed set has no arenas: it reads those of its owner, which never change, from another context and thread. Only reference counts are written to
 * there. */
#include "exec/exec.h"

#define SLOT_ALIGN 16

/* Slots stand in byte order of their names: nested builders may create leaves in an order that C leaves to the compiler. */
static void order_by_name(const gmi_leaves *l, int32_t *order)
{
    for (int32_t i = 0; i < l->n; i++) {
        int32_t k = i;
        for (; k > 0 && strcmp(l->p[i].name, l->p[order[k - 1]].name) < 0; k--) order[k] = order[k - 1];
        order[k] = i;
    }
}

static gm_status layout_leaves(gm_params *w, const gmi_leaves *l, const gm_graph *g, gmi_slot **slots, int32_t *n, gmi_map *map, int64_t *elems)
{
    *slots = gmi_alloc_n(w->ctx, l->n + 1, sizeof **slots);
    int32_t *order = gmi_arena_alloc(&w->names, (uint64_t)l->n * sizeof *order + 1);
    if (!*slots || !order) return GM_E_NOMEM;
    *n = l->n;
    order_by_name(l, order);
    int64_t at = 0;
    for (int32_t i = 0; i < l->n; i++) {
        gmi_slot *s = &(*slots)[i];
        const gmi_leaf *leaf = &l->p[order[i]];
        const gmi_gnode *p = &g->nodes[leaf->node - 1];
        s->name = gmi_arena_strdup(&w->names, leaf->name, strlen(leaf->name));
        s->init = gmi_arena_strdup(&w->names, leaf->init, strlen(leaf->init));
        if (!s->name || !s->init) return GM_E_NOMEM;
        s->rank = p->rank;
        memcpy(s->dims, p->dims, sizeof s->dims);
        if (gmi_count_i64(p->rank, p->dims, &s->count)) return GM_E_SHAPE;
        s->offset = at;
        at += (s->count + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
        gm_status st = gmi_map_put(map, s->name, strlen(s->name), i);
        if (st) return st;
    }
    *elems = at;
    return GM_OK;
}

/* Elements of grad, with the sums behind it. */
static int64_t grad_elems(int64_t elems) { return elems + elems / GMI_RB + 1; }

gm_status gmi_params_make_grad(gm_params *w)
{
    w->grad = gmi_alloc_n(w->ctx, grad_elems(w->param_elems), sizeof *w->grad);
    if (!w->grad) return GM_E_NOMEM;
    w->squares = w->grad + w->param_elems;
    gmi_params_forget_squares(w, 0, w->param_elems);
    return GM_OK;
}

void gmi_params_forget_squares(gm_params *w, int64_t begin, int64_t n)
{
    for (int64_t b = begin / GMI_RB; n > 0 && b <= (begin + n - 1) / GMI_RB; b++) w->squares[b] = GMI_NOT_SUMMED;
}

static gm_status allocate(gm_params *w, int grads)
{
    const uint64_t size = sizeof(gmi_real);
    w->value = gmi_alloc_n(w->ctx, w->param_elems, size);
    w->state = gmi_alloc_n(w->ctx, w->state_elems, size);
    w->state_pending = gmi_alloc_n(w->ctx, w->n_states + 1, 1);
    if (!w->value || !w->state || !w->state_pending) return GM_E_NOMEM;
    if (!grads) return GM_OK;
    w->state_next = gmi_alloc_n(w->ctx, w->state_elems, size);
    return w->state_next ? gmi_params_make_grad(w) : GM_E_NOMEM;
}

static gm_params *new_set(gm_context *c)
{
    gm_params *w = gmi_alloc(c, sizeof *w);
    if (!w) return NULL;
    w->ctx = c;
    w->refs = 1;
    w->version = 1;
    gmi_context_retain(c);
    gmi_arena_init(&w->names, c);
    gmi_map_init(&w->param_map, c);
    gmi_map_init(&w->state_map, c);
    return w;
}

gm_status gmi_params_layout(gm_context *c, const gm_graph *g, int grads, gm_params **out)
{
    *out = NULL;
    gm_params *w = new_set(c);
    if (!w) return GM_E_NOMEM;
    gm_status s = layout_leaves(w, &g->params, g, &w->params, &w->n_params, &w->param_map, &w->param_elems);
    if (!s) s = layout_leaves(w, &g->states, g, &w->states, &w->n_states, &w->state_map, &w->state_elems);
    if (!s) s = allocate(w, grads);
    if (s) {
        gmi_params_release(w);
        return s;
    }
    *out = w;
    return GM_OK;
}

static gm_status copy_slots(gm_params *w, const gmi_slot *from, int32_t n, gmi_slot **slots, int32_t *n_slots, gmi_map *map)
{
    gmi_slot *to = *slots = gmi_alloc_n(w->ctx, (int64_t)n + 1, sizeof *to);
    if (!to) return GM_E_NOMEM;
    *n_slots = n;
    for (int32_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].name = gmi_arena_strdup(&w->names, from[i].name, strlen(from[i].name));
        to[i].init = gmi_arena_strdup(&w->names, from[i].init, strlen(from[i].init));
        if (!to[i].name || !to[i].init) return GM_E_NOMEM;
        gm_status s = gmi_map_put(map, to[i].name, strlen(to[i].name), i);
        if (s) return s;
    }
    return GM_OK;
}

gm_status gmi_params_copy(const gm_params *of, gm_params **out)
{
    *out = NULL;
    gm_params *w = new_set(of->ctx);
    if (!w) return GM_E_NOMEM;
    gm_status s = copy_slots(w, of->params, of->n_params, &w->params, &w->n_params, &w->param_map);
    if (!s) s = copy_slots(w, of->states, of->n_states, &w->states, &w->n_states, &w->state_map);
    w->param_elems = of->param_elems;
    w->state_elems = of->state_elems;
    if (!s) s = allocate(w, 0);
    if (s) {
        gmi_params_release(w);
        return s;
    }
    memcpy(w->value, of->value, (size_t)of->param_elems * sizeof(gmi_real));
    memcpy(w->state, of->state, (size_t)of->state_elems * sizeof(gmi_real));
    *out = w;
    return GM_OK;
}

gm_status gmi_params_borrow(gm_context *c, gm_params *of, gm_params **out)
{
    *out = NULL;
    gm_params *w = new_set(c);
    if (!w) return GM_E_NOMEM;
    gmi_params_retain(of);
    w->owner = of;
    w->n_params = of->n_params;
    w->n_states = of->n_states;
    w->params = of->params;
    w->states = of->states;
    w->param_map = of->param_map;
    w->state_map = of->state_map;
    w->param_elems = of->param_elems;
    w->state_elems = of->state_elems;
    w->value = of->value;
    w->state = of->state;
    w->state_pending = gmi_alloc_n(c, (int64_t)of->n_states + 1, 1);
    if (!w->state_pending) {
        gmi_params_release(w);
        return GM_E_NOMEM;
    }
    *out = w;
    return GM_OK;
}

static uint64_t leaves_elems(const gm_graph *g, const gmi_leaves *l)
{
    uint64_t n = 0;
    for (int32_t i = 0; i < l->n; i++) {
        int64_t k = 0;
        const gmi_gnode *p = &g->nodes[l->p[i].node - 1];
        if (gmi_count_i64(p->rank, p->dims, &k)) return UINT64_MAX / 64;
        n += (uint64_t)(k + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    }
    return n;
}

uint64_t gmi_params_bytes(const gm_graph *g, int grads)
{
    const uint64_t params = leaves_elems(g, &g->params), elems = params + leaves_elems(g, &g->states);
    return (elems + (grads ? elems + params / GMI_RB + 1 : 0)) * sizeof(gmi_real);
}

void gmi_params_retain(gm_params *w) { gmi_atomic_add(&w->refs, 1); }

void gmi_params_release(gm_params *w)
{
    if (!w || gmi_atomic_add(&w->refs, -1) > 0) return;
    gm_context *c = w->ctx;
    gm_params *owner = w->owner;
    gmi_free(c, w->grad);
    gmi_free(c, w->state_next);
    gmi_free(c, w->state_pending);
    if (!owner) {
        gmi_free(c, w->value);
        gmi_free(c, w->state);
        gmi_free(c, w->params);
        gmi_free(c, w->states);
        gmi_map_free(&w->param_map);
        gmi_map_free(&w->state_map);
    }
    gmi_arena_free(&w->names);
    gmi_free(c, w);
    gmi_params_release(owner);
    gmi_context_release(c);
}

const gmi_slot *gmi_params_find(const gm_params *w, const char *name, int *is_state)
{
    int64_t i;
    if (gmi_map_get(&w->param_map, name, strlen(name), &i)) {
        if (is_state) *is_state = 0;
        return &w->params[i];
    }
    if (!gmi_map_get(&w->state_map, name, strlen(name), &i)) return NULL;
    if (is_state) *is_state = 1;
    return &w->states[i];
}

void gmi_params_commit(gm_params *w)
{
    for (int32_t i = 0; i < w->n_states; i++) {
        if (!w->state_pending[i]) continue;
        const gmi_slot *s = &w->states[i];
        memcpy(w->state + s->offset, w->state_next + s->offset, (size_t)s->count * sizeof(gmi_real));
        w->state_pending[i] = 0;
    }
}

void gmi_params_discard(gm_params *w) { memset(w->state_pending, 0, (size_t)w->n_states); }
void gmi_params_changed(gm_params *w) { w->version++; }
