/* SPDX-License-Identifier: MIT */
/* params.c: gm_params for hosts: created from a graph, initialised by (seed, name), viewed as tensors, read and written as safetensors.
 *
 * Initial values come from nn/init.c as floats, also in the double build, so both start from the same point. Files use the parameters' own names, which are
 * PyTorch's for the layers of nn/. Reading is all or nothing: data goes to a second set of arrays that is copied after the digest has been checked. */
#include "train/params.h"
#include "nn/nn.h"

/* ---- initial values ---- */

static gm_status init_slots(gm_params *w, const gmi_slot *slots, int32_t n, gmi_real *base, uint64_t seed, float *room)
{
    int32_t i;
    int64_t e;
    for (i = 0; i < n; i++) {
        const gmi_slot *s = &slots[i];
        gm_status st = gmi_init_fill(w->ctx, s->init, seed, s->name, s->rank, s->dims, room);
        if (st) return st;
        for (e = 0; e < s->count; e++) base[s->offset + e] = (gmi_real)room[e];
    }
    return GM_OK;
}

gm_status gmi_params_init(gm_params *w, uint64_t seed)
{
    int64_t most = 1;
    int32_t i;
    float *room;
    gm_status s;
    if (!GM_TRAINING) return GM_OK; /* zeros, until a file is read */
    for (i = 0; i < w->n_params; i++) most = GMI_MAX(most, w->params[i].count);
    for (i = 0; i < w->n_states; i++) most = GMI_MAX(most, w->states[i].count);
    room = gmi_alloc_n(w->ctx, most, sizeof *room);
    if (!room) return gmi_nomem(w->ctx);
    s = init_slots(w, w->params, w->n_params, w->value, seed, room);
    if (!s) s = init_slots(w, w->states, w->n_states, w->state, seed, room);
    gmi_free(w->ctx, room);
    if (w->state_next) gmi_params_discard(w);
    gmi_params_changed(w);
    return s;
}

gm_status gm_params_create(gm_context *c, const gm_graph *g, uint64_t seed, gm_params **out)
{
    gm_params *w = NULL;
    gm_status s;
    if (out) *out = NULL;
    if (!c || !g || !out) return GM_E_INVALID;
    gmi_enter(c, "params_create");
    s = g->failed ? gmi_fail(c, g->failed, "the graph failed: %s", g->message) : GM_OK;
    if (!s) s = gmi_params_layout(c, g, 1, &w);
    if (!s) s = gmi_params_init(w, seed);
    if (s && w) gmi_params_release(w);
    if (!s) *out = w;
    return gmi_leave(c, s);
}

void gm_params_destroy(gm_params *w)
{
    if (w) gmi_params_release(w);
}

/* ---- views ---- */

static void view_gone(void *keep)
{
    gm_params *w = keep;
    w->views--;
    gmi_params_changed(w);
    gmi_params_release(w);
}

static gm_status view(gm_params *w, const char *name, gm_tensor **out)
{
    int is_state = 0;
    const gmi_slot *s = name ? gmi_params_find(w, name, &is_state) : NULL;
    gm_status st;
    if (!s) return gmi_fail(w->ctx, GM_E_UNKNOWN, "%S is no parameter or state; there are %d, the first is %S", name ? name : "", w->n_params + w->n_states,
                            w->n_params ? w->params[0].name : "");
    st = gm_tensor_wrap(w->ctx, GMI_DTYPE_REAL, s->rank, s->dims, NULL, (is_state ? w->state : w->value) + s->offset, out);
    if (st) return st;
    gmi_params_retain(w);
    w->views++;
    (*out)->keep = w;
    (*out)->keep_free = view_gone;
    gmi_params_changed(w);
    return GM_OK;
}

gm_status gm_params_view(gm_params *w, const char *name, gm_tensor **out)
{
    if (out) *out = NULL;
    if (!w || !out) return GM_E_INVALID;
    gmi_enter(w->ctx, "params_view");
    return gmi_leave(w->ctx, view(w, name, out));
}

/* ---- named arrays ---- */

void gmi_named_init(gmi_named_set *s, gm_context *c)
{
    memset(s, 0, sizeof *s);
    s->ctx = c;
    gmi_arena_init(&s->names, c);
}

void gmi_named_free(gmi_named_set *s)
{
    gmi_free(s->ctx, s->p);
    gmi_arena_free(&s->names);
    s->p = NULL;
    s->n = s->cap = 0;
}

gm_status gmi_named_add(gmi_named_set *s, const char *prefix, const gmi_slot *slot, gmi_real *p)
{
    size_t n = strlen(prefix), m = strlen(slot->name);
    char *name;
    if (s->n == s->cap) {
        int32_t cap = s->cap ? s->cap * 2 : 32;
        gmi_named *grown = gmi_realloc(s->ctx, s->p, (uint64_t)cap * sizeof *grown);
        if (!grown) return gmi_nomem(s->ctx);
        s->p = grown;
        s->cap = cap;
    }
    name = gmi_arena_alloc(&s->names, (uint64_t)n + m + 1);
    if (!name) return gmi_nomem(s->ctx);
    memcpy(name, prefix, n);
    memcpy(name + n, slot->name, m + 1);
    s->p[s->n].name = name;
    s->p[s->n].slot = slot;
    s->p[s->n++].p = p;
    return GM_OK;
}

gm_status gmi_named_add_params(gmi_named_set *s, const gm_params *w)
{
    gm_status st = GM_OK;
    int32_t i;
    for (i = 0; !st && i < w->n_params; i++) st = gmi_named_add(s, "", &w->params[i], w->value + w->params[i].offset);
    for (i = 0; !st && i < w->n_states; i++) st = gmi_named_add(s, "", &w->states[i], w->state + w->states[i].offset);
    return st;
}

static gmi_st_tensor *entries(const gmi_named_set *s)
{
    gmi_st_tensor *t = gmi_alloc_n(s->ctx, (int64_t)s->n + 1, sizeof *t);
    int32_t i;
    for (i = 0; t && i < s->n; i++) {
        t[i].name = s->p[i].name;
        t[i].dtype = gmi_st_dtype_of(GMI_DTYPE_REAL);
        t[i].rank = s->p[i].slot->rank;
        t[i].dims = s->p[i].slot->dims;
        t[i].data = s->p[i].p;
    }
    return t;
}

gm_status gmi_named_write(const gmi_named_set *s, gmi_out *o, int64_t meta_n, const gmi_st_text *meta)
{
    if (!GM_TRAINING) return gmi_no_training(s->ctx);
    gmi_st_tensor *t = entries(s);
    gm_status st;
    if (!t) return gmi_nomem(s->ctx);
    st = gmi_safetensors_write(s->ctx, o, s->n, t, meta_n, meta);
    gmi_free(s->ctx, t);
    return st;
}

gm_status gmi_named_sha256(const gmi_named_set *s, char hex[65])
{
    if (!GM_TRAINING) return gmi_no_training(s->ctx);
    gmi_st_tensor *t = entries(s);
    gm_status st;
    if (!t) return gmi_nomem(s->ctx);
    st = gmi_safetensors_data_sha256(s->ctx, s->n, t, hex);
    gmi_free(s->ctx, t);
    return st;
}

/* ---- reading ---- */

typedef struct loading {
    const gmi_named_set *set;
    gmi_real *room;   /* all arrays, one behind the other */
    int64_t *offset;  /* set->n of them, in room */
    int32_t *target;  /* by entry of the file: index in the set, -1 = skipped */
    const gmi_st_entry *entries;
} loading;

static gm_status refuse_shape(gm_context *c, const gmi_st_entry *e, const gmi_slot *s)
{
    return gmi_fail(c, GM_E_MODEL, "%S is %v in the file, %v here", e->name, (int32_t)e->rank, e->dims, s->rank, s->dims);
}

static int tracked(const char *name)
{
    static const char tail[] = "num_batches_tracked";
    size_t n = strlen(name);
    return n >= sizeof tail - 1 && strcmp(name + n - (sizeof tail - 1), tail) == 0;
}

/* Which array of the set each entry of the file is; all of them must be there. */
static gm_status match(loading *l, const gmi_safetensors *f)
{
    const gmi_named_set *set = l->set;
    int32_t i;
    for (i = 0; i < f->n; i++) l->target[i] = -1;
    for (i = 0; i < set->n; i++) {
        const gmi_st_entry *e = gmi_safetensors_find(f, set->p[i].name);
        const gmi_slot *s = set->p[i].slot;
        if (!e) return gmi_fail(f->ctx, GM_E_MODEL, "the file has no tensor %S", set->p[i].name);
        if (e->rank != s->rank || (s->rank && memcmp(e->dims, s->dims, (size_t)s->rank * sizeof *s->dims) != 0)) return refuse_shape(f->ctx, e, s);
        l->target[e - f->entries] = i;
    }
    for (i = 0; i < f->n; i++)
        if (l->target[i] < 0 && !tracked(f->entries[i].name)) return gmi_fail(f->ctx, GM_E_MODEL, "the file's tensor %S has no place here", f->entries[i].name);
    return GM_OK;
}

static gm_status destination(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    const loading *l = user;
    int32_t i = l->target[e - l->entries];
    d->data = i < 0 ? NULL : l->room + l->offset[i];
    d->as = GMI_DTYPE_REAL;
    return GM_OK;
}

static gm_status load(loading *l, gmi_safetensors *f, gmi_in *in)
{
    const gmi_named_set *set = l->set;
    int64_t total = 0;
    int32_t i;
    gm_status s = match(l, f);
    if (s) return s;
    for (i = 0; i < set->n; i++) {
        l->offset[i] = total;
        total += set->p[i].slot->count;
    }
    l->room = gmi_alloc_n(f->ctx, total, sizeof *l->room);
    if (!l->room) return gmi_nomem(f->ctx);
    s = gmi_safetensors_read(f, in, destination, l);
    for (i = 0; !s && i < set->n; i++) memcpy(set->p[i].p, l->room + l->offset[i], (size_t)set->p[i].slot->count * sizeof *l->room);
    return s;
}

gm_status gmi_named_read(const gmi_named_set *set, gmi_safetensors *f, gmi_in *in)
{
    loading l;
    gm_status s = GM_E_NOMEM;
    memset(&l, 0, sizeof l);
    l.set = set;
    l.entries = f->entries;
    l.offset = gmi_alloc_n(f->ctx, (int64_t)set->n + 1, sizeof *l.offset);
    l.target = gmi_alloc_n(f->ctx, (int64_t)f->n + 1, sizeof *l.target);
    s = l.offset && l.target ? load(&l, f, in) : gmi_nomem(f->ctx);
    gmi_free(f->ctx, l.offset);
    gmi_free(f->ctx, l.target);
    gmi_free(f->ctx, l.room);
    return s;
}

static gm_status read_params(gm_params *w, const gm_reader *r)
{
    gmi_safetensors f;
    gmi_named_set set;
    gmi_in in;
    gm_status s = gmi_in_open(w->ctx, r, &in);
    if (s) return s;
    gmi_named_init(&set, w->ctx);
    s = gmi_named_add_params(&set, w);
    if (!s) {
        s = gmi_safetensors_open(w->ctx, &in, &f);
        if (!s) s = gmi_named_read(&set, &f, &in);
        gmi_safetensors_close(&f);
    }
    if (!s && w->state_next) gmi_params_discard(w);
    if (!s) gmi_params_changed(w);
    gmi_named_free(&set);
    gmi_in_close(&in);
    return s;
}

gm_status gm_params_read(gm_params *w, const gm_reader *r)
{
    if (!w || !r) return GM_E_INVALID;
    gmi_enter(w->ctx, "params_read");
    return gmi_leave(w->ctx, read_params(w, r));
}

static gm_status write_params(const gm_params *w, gm_writer *to)
{
    gmi_named_set set;
    gmi_out o;
    gm_status s;
    gmi_named_init(&set, w->ctx);
    s = gmi_named_add_params(&set, w);
    if (!s) s = gmi_out_open(w->ctx, to, &o);
    if (!s) s = gmi_out_close(&o, gmi_named_write(&set, &o, 0, NULL));
    gmi_named_free(&set);
    return s;
}

gm_status gm_params_write(const gm_params *w, gm_writer *to)
{
    if (!w || !to) return GM_E_INVALID;
    gmi_enter(w->ctx, "params_write");
    if (!GM_TRAINING) return gmi_leave(w->ctx, gmi_no_training(w->ctx));
    return gmi_leave(w->ctx, write_params(w, to));
}

/* ---- ranges ---- */

int gmi_params_has_prefix(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (strncmp(name, prefix, n) == 0 && (name[n] == 0 || name[n] == '.'));
}

gm_status gmi_params_span(const gm_params *w, const char *prefix, int64_t *lo, int64_t *hi)
{
    int32_t i, found = 0;
    *lo = *hi = 0;
    for (i = 0; i < w->n_params; i++) {
        if (!gmi_params_has_prefix(w->params[i].name, prefix)) continue;
        if (!found++) *lo = w->params[i].offset;
        *hi = i + 1 < w->n_params ? w->params[i + 1].offset : w->param_elems;
    }
    return found ? GM_OK : gmi_fail(w->ctx, GM_E_UNKNOWN, "no parameter begins with %S", prefix);
}
