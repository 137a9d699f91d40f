/* SPDX-License-Identifier: MIT */
/* module.c: gm_layer: made from text or from other layers, built into graphs, shared and destroyed.
 *
 * Everything of a layer lies in one arena; it is immutable and counted, so any thread may read it. Building is a loop over items: each opens the scope of its
 * index and emits the nodes of its word. The graph remembers which layer made a parameter, so that the same layer built twice shares its weights. */
#include "nn/layers.h"

/* ---- life ---- */

static void layer_free(gm_layer *l)
{
    gm_context *c = l->ctx;
    gmi_arena_free(&l->arena);
    gmi_free(c, l);
    gmi_context_release(c);
}

static gm_layer *layer_new(gm_context *c)
{
    gm_layer *l = gmi_alloc(c, sizeof *l);
    if (!l) return NULL;
    l->ctx = c;
    gmi_context_retain(c);
    l->refs = 1;
    gmi_arena_init(&l->arena, c);
    return l;
}

static gm_status set_text(gm_layer *l)
{
    gmi_buf b;
    gm_status s = GM_OK;
    gmi_buf_init(&b, l->ctx);
    gmi_seq_print(&l->seq, &b);
    if (b.failed) s = gmi_nomem(l->ctx);
    if (!s) l->text = gmi_arena_strdup(&l->arena, gmi_buf_cstr(&b), b.n);
    if (!s && !l->text) s = gmi_nomem(l->ctx);
    if (!s && b.n > GMI_TEXT_MAX - 1) s = gmi_fail(l->ctx, GM_E_LIMIT, "the layers' text has %i bytes; the limit is %d", (int64_t)b.n, (int32_t)GMI_TEXT_MAX - 1);
    gmi_buf_free(&b);
    return s;
}

static gm_status parse_as(gm_context *c, const char *text, gm_status unknown, const gm_layer **out)
{
    gm_layer *l = layer_new(c);
    gm_status s;
    if (!l) return gmi_nomem(c);
    s = gmi_seq_parse(c, &l->arena, text, unknown, &l->seq);
    if (!s) s = set_text(l);
    if (s) {
        layer_free(l);
        return s;
    }
    *out = l;
    return GM_OK;
}

gm_status gm_layer_parse(gm_context *c, const char *text, const gm_layer **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "layer_parse");
    if (!text) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "text is NULL; \"\" is the identity"));
    return gmi_leave(c, parse_as(c, text, GM_E_INVALID, out));
}

gm_status gmi_layer_parse_file(gm_context *c, const char *text, const gm_layer **out)
{
    *out = NULL;
    return parse_as(c, text, GM_E_UNKNOWN, out);
}

/* Deep copy into another layer's arena; own words keep their class. */
static int copy_seq(gmi_arena *a, const gmi_seq *from, gmi_seq *to)
{
    int32_t i, j;
    to->n = from->n;
    to->item = gmi_arena_alloc(a, (uint64_t)from->n * sizeof *to->item);
    if (!to->item) return -1;
    for (i = 0; i < from->n; i++) {
        const gmi_item *f = &from->item[i];
        gmi_item *t = &to->item[i];
        *t = *f;
        if (f->own.word && !(t->own.word = gmi_arena_strdup(a, f->own.word, strlen(f->own.word)))) return -1;
        if (!f->branch) continue;
        t->branch = gmi_arena_alloc(a, GMI_LAYER_BRANCHES * sizeof *t->branch);
        for (j = 0; j < f->n_branch; j++)
            if (!t->branch || copy_seq(a, &f->branch[j], &t->branch[j])) return -1;
    }
    return 0;
}

static gm_status join(gm_layer *l, int32_t n, const gm_layer *const *parts)
{
    int32_t i, total = 0, at = 0;
    for (i = 0; i < n; i++) {
        if (!parts || !parts[i]) return gmi_fail(l->ctx, GM_E_INVALID, "part %d is NULL", i);
        total += parts[i]->seq.n;
        if (total > GMI_LAYER_ITEMS) return gmi_fail(l->ctx, GM_E_LIMIT, "the parts have more than %d layers", GMI_LAYER_ITEMS);
    }
    l->seq.item = gmi_arena_alloc(&l->arena, (uint64_t)total * sizeof *l->seq.item);
    if (!l->seq.item) return gmi_nomem(l->ctx);
    l->seq.n = total;
    for (i = 0; i < n; i++) {
        gmi_seq copy;
        memset(&copy, 0, sizeof copy);
        if (copy_seq(&l->arena, &parts[i]->seq, &copy)) return gmi_nomem(l->ctx);
        if (copy.n) memcpy(l->seq.item + at, copy.item, (size_t)copy.n * sizeof *copy.item);
        at += copy.n;
    }
    return set_text(l);
}

gm_status gm_layer_sequential(gm_context *c, int32_t n, const gm_layer *const *parts, const gm_layer **out)
{
    gm_layer *l;
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "layer_sequential");
    if (n < 0) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "n is %d", n));
    l = layer_new(c);
    if (!l) return gmi_leave(c, gmi_nomem(c));
    s = join(l, n, parts);
    if (s)
        layer_free(l);
    else
        *out = l;
    return gmi_leave(c, s);
}

const char *gm_layer_text(const gm_layer *l) { return l ? l->text : ""; }

const gm_layer *gmi_layer_retain(const gm_layer *l)
{
    gmi_atomic_add(&((gm_layer *)l)->refs, 1);
    return l;
}

void gm_layer_destroy(const gm_layer *l)
{
    if (l && gmi_atomic_add(&((gm_layer *)l)->refs, -1) == 0) layer_free((gm_layer *)l);
}

/* ---- building and questions ---- */

gm_node gmi_seq_build(const gmi_seq *s, gm_graph *g, gm_node x, gm_node cond)
{
    int32_t i;
    for (i = 0; i < s->n && x.id; i++) {
        const gmi_item *it = &s->item[i];
        size_t old = 0;
        gmi_graph_scope_index(g, i, &old);
        x = it->def->build(g, it, x, cond);
        gmi_graph_leave_scope(g, old);
    }
    return x;
}

gm_node gm_layer_build(const gm_layer *l, gm_graph *g, gm_node x, gm_node cond)
{
    static const gm_node none = {0};
    const void *owner;
    gmi_fp fp;
    if (!l || !g || g->failed) return none;
    if (gm_graph_rank(g, x) < 1) return gmi_graph_fail(g, GM_E_INVALID, "layer_build: x is not a node of this graph with examples along axis 0");
    owner = g->owner;
    fp = gmi_fp_enter();
    if (!owner) g->owner = l;
    x = gmi_seq_build(&l->seq, g, x, cond);
    g->owner = owner;
    gmi_fp_restore(fp);
    return g->failed ? none : x;
}

void gm_graph_set_training(gm_graph *g, int32_t on)
{
    if (g) g->training = on != 0;
}

gm_node gm_layer_build_as(const gm_layer *l, gm_graph *g, const char *name, gm_node x, gm_node cond)
{
    static const gm_node none = {0};
    size_t old;
    if (!l || !g || g->failed) return none;
    if (!name || !name[0]) return gmi_graph_fail(g, GM_E_INVALID, "layer_build_as: the name is empty");
    old = gmi_graph_scope(g, name);
    x = gm_layer_build(l, g, x, cond);
    gmi_graph_leave_scope(g, old);
    return x;
}

int gmi_layer_ends_linear(const gm_layer *l) { return l->seq.n > 0 && l->seq.item[l->seq.n - 1].def->flags & GMI_L_LINEAR; }

static int couples(const gmi_seq *s)
{
    int32_t i, j;
    for (i = 0; i < s->n; i++) {
        if (s->item[i].def->flags & GMI_L_BATCH) return 1;
        for (j = 0; j < s->item[i].n_branch; j++)
            if (couples(&s->item[i].branch[j])) return 1;
    }
    return 0;
}

int gmi_layer_couples_batch(const gm_layer *l) { return couples(&l->seq); }
