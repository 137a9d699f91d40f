/* SPDX-License-Identifier: MIT */
/* step.c: the cache of compiled programs of a model.
 *
 * The cache is a list, because a model has about ten programs: train at two batch sizes, encode and decode at a few. A graph lives only while its
 * program is made. When the host's memory limit refuses a new program, the ones not used longest are given up first: they can be made again. */
#include "train/step.h"
#include "nn/nn.h"
#include "train/fit.h"
#include "tensor/tensor.h"

void gmi_progs_init(gmi_progs *s, gm_context *c, gmi_prog_build_fn build, void *self)
{
    memset(s, 0, sizeof *s);
    s->ctx = c;
    s->build = build;
    s->self = self;
}

/* A block takes its bytes and a header of 64 (base/alloc.c). */
static uint64_t block(uint64_t bytes) { return bytes + 64; }

static uint64_t buffer_bytes(const gmi_prog *p)
{
    uint64_t n = block(sizeof *p);
    for (int32_t i = 0; i < p->n_in; i++) n += p->in_name[i][0] ? block((uint64_t)p->in_count[i] * sizeof(gmi_real)) : 0;
    for (int32_t i = 0; i < p->n_out; i++) n += block((uint64_t)p->out[i].count * sizeof(gmi_real));
    return n;
}

static void prog_free(gm_context *c, gmi_prog *p)
{
    if (!p) return;
    gm_run_destroy(p->run);
    gm_program_destroy(p->program);
    for (int32_t i = 0; i < p->n_in; i++) gmi_free(c, p->in_own[i]);
    for (int32_t i = 0; i < p->n_out; i++) gmi_free(c, p->out[i].p);
    if (p->weights) gmi_params_release(p->weights);
    gmi_free(c, p);
}

void gmi_progs_drop(gmi_progs *s, int32_t kind)
{
    gmi_prog **at = &s->first;
    while (*at) {
        gmi_prog *p = *at;
        if (kind >= 0 && p->key.kind != kind) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        prog_free(s->ctx, p);
    }
}

void gmi_progs_free(gmi_progs *s) { gmi_progs_drop(s, -1); }

static int same_key(const gmi_prog_key *a, const gmi_prog_key *b) { return a->kind == b->kind && a->draws == b->draws && a->rows == b->rows; }

gmi_prog *gmi_progs_find(const gmi_progs *s, gmi_prog_key key, const gm_params *w)
{
    for (gmi_prog *p = s->first; p; p = p->next)
        if (same_key(&p->key, &key) && p->weights == w) return p;
    return NULL;
}

/* Gives up the program not used longest; 0 when there is none left. */
static int evict(gmi_progs *s)
{
    gmi_prog **oldest = NULL;
    for (gmi_prog **at = &s->first; *at; at = &(*at)->next)
        if (!(*at)->pinned && (!oldest || (*at)->used < (*oldest)->used)) oldest = at;
    if (!oldest) return 0;
    gmi_prog *p = *oldest;
    *oldest = p->next;
    prog_free(s->ctx, p);
    return 1;
}

static gm_status describe_input(gm_context *c, gmi_prog *p, const gm_graph *g, const gmi_leaf *l)
{
    int32_t i = gmi_program_input_index(p->program, l->name);
    const gmi_gnode *node = &g->nodes[l->node - 1];
    if (i < 0) return GM_OK;
    if (i >= p->n_in || strlen(l->name) >= GMI_PROG_NAME)
        return gmi_fail(c, GM_E_LIMIT, "input %S: its name may have at most %d bytes", l->name, (int32_t)GMI_PROG_NAME - 1);
    if (gmi_count_i64(node->rank, node->dims, &p->in_count[i])) return gmi_fail(c, GM_E_SHAPE, "input %S is too large", l->name);
    memcpy(p->in_name[i], l->name, strlen(l->name) + 1);
    return GM_OK;
}

/* Names and sizes of inputs and outputs. */
static gm_status describe(gm_context *c, gmi_prog *p, const gm_graph *g, const gm_node *out)
{
    gm_status st = GM_OK;
    int32_t n = gmi_program_inputs(p->program);
    if (n > GMI_PROG_IN) return gmi_fail(c, GM_E_LIMIT, "the graph has %d inputs; a model may have %d", n, (int32_t)GMI_PROG_IN);
    p->n_in = n;
    for (int32_t i = 0; !st && i < g->inputs.n; i++) st = describe_input(c, p, g, &g->inputs.p[i]);
    for (int32_t i = 0; !st && i < p->n_out; i++)
        if (gmi_count_i64(gmi_node(g, out[i])->rank, gmi_node(g, out[i])->dims, &p->out[i].count))
            st = gmi_fail(c, GM_E_SHAPE, "output %d is too large", i);
    return st;
}

static gm_status buffers(gm_context *c, gmi_prog *p)
{
    for (int32_t i = 0; i < p->n_in; i++) {
        if (!p->in_name[i][0]) continue;
        p->in[i] = p->in_own[i] = gmi_alloc_n(c, p->in_count[i], sizeof(gmi_real));
        if (!p->in_own[i]) return gmi_nomem(c);
    }
    for (int32_t i = 0; i < p->n_out; i++) {
        p->out_now[i] = p->out[i].p = gmi_alloc_n(c, p->out[i].count, sizeof(gmi_real));
        if (!p->out[i].p) return gmi_nomem(c);
    }
    return GM_OK;
}

/* The graph of key and its program; the caller destroys both. */
static gm_status compile(gmi_progs *s, const gmi_prog_key *key, gm_graph **g, gm_node *out, int32_t *n_out, const gm_program **program)
{
    gm_status st = gm_graph_create(s->ctx, g);
    *program = NULL;
    *n_out = 0;
    if (!st) st = s->build(s->self, *g, key, out, n_out);
    if (!st) st = gm_graph_status(*g);
    if (!st) st = gm_program_compile(*g, *n_out, out, program);
    return st;
}

static gm_status make(gmi_progs *s, const gmi_prog_key *key, gm_params *w, gmi_prog **out)
{
    gm_context *c = s->ctx;
    gm_node node[GMI_PROG_OUT];
    gm_graph *g = NULL;
    gmi_prog *p = gmi_alloc(c, sizeof *p);
    if (!p) return gmi_nomem(c);
    p->key = *key;
    p->weights = w;
    if (w) gmi_params_retain(w);
    gm_status st = compile(s, key, &g, node, &p->n_out, &p->program);
    if (!st) st = describe(c, p, g, node);
    gm_graph_destroy(g);
    if (!st) st = buffers(c, p);
    if (!st) st = gm_run_create(c, p->program, w, &p->run);
    if (st == GM_E_NOMEM && c->status == GM_E_BUDGET) st = GM_E_BUDGET; /* a NULL from gmi_alloc is one of the two */
    if (st)
        prog_free(c, p);
    else
        *out = p;
    return st;
}

gm_status gmi_progs_get(gmi_progs *s, gmi_prog_key key, gm_params *w, gmi_prog **out)
{
    gmi_prog *p = gmi_progs_find(s, key, w);
    if (!p && s->ladder && key.rows >= 4) {
        gmi_prog_key fewer = key;
        fewer.rows /= 4;
        gm_status st = gmi_progs_get(s, fewer, w, &p);
        if (st) return st;
        p = NULL;
    }
    if (!p) {
        gm_status st = make(s, &key, w, &p);
        while (st == GM_E_BUDGET && evict(s)) {
            gmi_forget(s->ctx);
            st = make(s, &key, w, &p);
        }
        if (st) return st;
        p->next = s->first;
        s->first = p;
    }
    p->used = ++s->clock;
    *out = p;
    return GM_OK;
}

gm_status gmi_progs_bytes(gmi_progs *s, gmi_prog_key key, uint64_t *bytes, uint64_t *peak)
{
    gm_context *c = s->ctx;
    gm_node node[GMI_PROG_OUT];
    gm_graph *g = NULL;
    gmi_prog p;
    const uint64_t before = gmi_memory_now(c), high = c->mem_peak;
    uint64_t compiling, leaves = 0, now;
    memset(&p, 0, sizeof p);
    c->mem_peak = (size_t)before; /* to see how much compiling takes for a while */
    gm_status st = compile(s, &key, &g, node, &p.n_out, &p.program);
    compiling = c->mem_peak - before;
    c->mem_peak = GMI_MAX(c->mem_peak, high);
    if (!st) st = describe(c, &p, g, node);
    if (!st) leaves = (uint64_t)g->params.n + (uint64_t)g->states.n;
    gm_graph_destroy(g);
    /* the program itself; buffers; the run's arena and its nine small blocks */
    now = GMI_MAX(gmi_memory_now(c), before); /* not less: a model given up by another thread meanwhile */
    if (!st) *bytes = (now - before) + buffer_bytes(&p) + gm_program_run_bytes(p.program) + 1280 + 8 * (leaves + GMI_PROG_IN + GMI_PROG_OUT);
    if (!st && peak) *peak = GMI_MAX(*bytes, compiling + block(sizeof p));
    gm_program_destroy(p.program);
    return st;
}

int32_t gmi_prog_input(const gmi_prog *p, const char *name)
{
    for (int32_t i = 0; i < p->n_in; i++)
        if (!strcmp(p->in_name[i], name)) return i;
    return -1;
}

gmi_real *gmi_prog_in(gmi_prog *p, const char *name)
{
    int32_t i = gmi_prog_input(p, name);
    return i < 0 ? NULL : p->in_own[i];
}

void gmi_prog_set(gmi_prog *p, const char *name, double v)
{
    gmi_real *to = gmi_prog_in(p, name);
    if (to) *to = (gmi_real)v;
}

gm_status gmi_prog_run(gmi_prog *p, uint64_t seed, int64_t step, int64_t first) { return gmi_prog_run_part(p, 0, seed, step, first); }

gm_status gmi_prog_run_part(gmi_prog *p, int32_t part, uint64_t seed, int64_t step, int64_t first)
{
    gmi_exec e;
    e.part = part;
    e.seed = seed;
    e.step = step;
    e.first = first;
    e.in = p->in;
    e.out = p->out_now;
    gm_status st = gmi_run_exec(p->run, &e);
    for (int32_t i = 0; i < p->n_in; i++) p->in[i] = p->in_own[i];
    for (int32_t i = 0; i < p->n_out; i++) p->out_now[i] = p->out[i].p;
    return st;
}

/* ---- moving average into a second set of weights ---- */

#define CHUNK 32768

typedef struct averaging {
    gmi_kernels k;
    gm_params *to;
    const gmi_real *from;
    gmi_real keep, rest;
} averaging;

static void average_task(void *arg, int32_t i)
{
    const averaging *a = arg;
    int64_t at = (int64_t)i * CHUNK, n = GMI_MIN(CHUNK, a->to->param_elems - at);
    a->k.axpby(n, a->to->value + at, a->rest, a->from + at, a->keep);
}

void gmi_average_update(gm_params *to, const gm_params *from, int64_t value_at, int64_t state_at, double half_life, int64_t examples)
{
    averaging a;
    const double d = gmi_num_exp(-0.6931471805599453 * (double)examples / half_life);
    gmi_exec_kernels(from->ctx, &a.k);
    a.to = to;
    a.from = from->value + value_at;
    a.keep = (gmi_real)d;
    a.rest = (gmi_real)(1.0 - d);
    gmi_parallel(from->ctx, (int32_t)((to->param_elems + CHUNK - 1) / CHUNK), average_task, &a);
    memcpy(to->state, from->state + state_at, (size_t)to->state_elems * sizeof(gmi_real));
    gmi_params_changed(to);
}
