/* SPDX-License-Identifier: MIT */
/* test_fuzzgraph.c: random graphs (graph_recipe.h) against a naive interpreter in doubles.
 *
 * Each is compiled for several thread counts and SIMD levels, with every value as an output and with a few, with and without gradients, its nodes made in
 * two orders, always over memory full of NaN: values must agree with the interpreter, gradients with its central differences along a random direction, and all bits with each other.
 * Seeds are fixed; arguments (first seed, end) run others. */
#include "exec/program.h"
#include "graph_recipe.h"
#include "tap.h"
#include <genrep.h>

/* ---- the same recipe as a graph ---- */
static gm_node replay_image(gm_graph *g, const item *y, const gm_node *in)
{
    gm_conv o;
    int64_t k[2] = {y->at[0], y->at[0]};
    if (y->kind == MAXPOOL) return gm_op_max_pool2d(g, in[0], k, NULL);
    if (y->kind == AVGPOOL) return gm_op_avg_pool2d(g, in[0], k, NULL);
    gm_conv_init(&o, sizeof o);
    for (int i = 0; i < 2; i++) {
        o.stride[i] = y->at[0], o.pad_begin[i] = o.pad_end[i] = y->at[1];
        /* the output padding of a transposed convolution stays 0: the size is the smallest that fits */
    }
    o.groups = y->at[3];
    return y->kind == CONV ? gm_op_conv2d(g, in[0], in[1], &o) : gm_op_conv_transpose2d(g, in[0], in[1], &o);
}

static gm_node replay(gm_graph *g, const item *y, int index, const gm_node *in)
{
    char name[16];
    int32_t order[8];
    snprintf(name, sizeof name, "v%02d", index);
    for (int i = 0; i < 8; i++) order[i] = (int32_t)y->at[i];
    switch (y->kind) {
    case INPUT: return gm_graph_input(g, name, GM_F32, y->rank, y->dims);
    case PARAM: return gm_graph_param(g, name, "", y->rank, y->dims);
    case STATE: return gm_graph_state(g, name, "", y->rank, y->dims);
    case SCALAR: return gm_op_scalar(g, y->f);
    case UNARY: return gm_op_scale(g, gm_op(g, unary_name[y->fn], 1, in, NULL), y->fn == STOPS ? 0.75 : 1);
    case SCALE: return gm_op_scale(g, in[0], y->f);
    case BINARY: return gm_op(g, binary_name[y->fn], 2, in, NULL);
    case SELECT: return gm_op_select(g, gm_op_lt(g, gm_op_scalar(g, 0), in[0]), in[1], in[2]);
    case RESHAPE: return gm_op_reshape(g, in[0], y->rank, y->dims);
    case PERMUTE: return gm_op_permute(g, in[0], order);
    case BROADCAST: return gm_op_broadcast(g, in[0], y->rank, y->dims);
    case SLICE: return gm_op_slice(g, in[0], order[0], y->at[1], y->at[1] + y->dims[y->at[0]]);
    case PAD: return gm_op_pad(g, in[0], order[0], y->at[1], y->at[2]);
    case CONCAT: return gm_op_concat(g, y->n_in, in, order[0]);
    case SUM: return gm_op_sum(g, in[0], (uint32_t)y->at[0], order[1]);
    case MAX: return gm_op_reduce_max(g, in[0], (uint32_t)y->at[0], order[1]);
    case MATMUL: return gm_op_matmul(g, in[0], in[1], order[0], order[1]);
    case ARGMAX: return gm_op_argmax(g, in[0], order[0]);
    case GATHER: return gm_op_gather(g, in[0], in[1]);
    case ONEHOT: return gm_op_one_hot(g, in[0], y->at[0]);
    case TOREAL: return gm_op_to_real(g, in[0]);
    default: return replay_image(g, y, in);
    }
}

/* ---- one execution ---- */
typedef struct outcome {
    uint64_t bits[MAX_ITEMS], grads, next; /* hash of each output (0: not fetched), of gradients and next states */
    int wrong;                             /* item that the interpreter has otherwise, 0 = none; -1: a call failed, -2 gradient, -3 state */
} outcome;
enum { BACKWARD = 1, CHECK = 2, BACKWARDS = 4 /* nodes are made in another order */ };

static uint64_t hash_of(const void *p, size_t n) { return gmi_hash_bytes(GMI_HASH_START, p, n) | 1; }
static size_t size_of(const item *y) { return y->i32 ? sizeof(int32_t) : sizeof(gmi_real); }

static int updated_with(const recipe *r, int state) /* what a state becomes: the last item of its shape */
{
    const item *s = &r->it[state];
    for (int i = r->n; i-- > 0;)
        if (!r->it[i].i32 && r->it[i].rank == s->rank && !memcmp(r->it[i].dims, s->dims, (size_t)s->rank * sizeof s->dims[0])) return i;
    return state;
}

static void make_node(gm_graph *g, const recipe *r, gm_node *node, int i)
{
    gm_node in[3];
    const item *y = &r->it[i];
    if (node[i].id) return;
    memset(in, 0, sizeof in);
    for (int k = y->n_in; k-- > 0;) make_node(g, r, node, y->in[k]);
    for (int k = 0; k < y->n_in; k++) in[k] = node[y->in[k]];
    node[i] = replay(g, y, i, in);
}

static void build(gm_graph *g, const recipe *r, gm_node *node, int flags)
{
    memset(node, 0, MAX_ITEMS * sizeof *node);
    for (int i = 0; i < r->n; i++) /* a program's inputs stand in the order of their making */
        if (r->it[i].kind == INPUT) make_node(g, r, node, i);
    for (int i = 0; i < r->n; i++) make_node(g, r, node, flags & BACKWARDS ? r->n - 1 - i : i);
    if (!(flags & BACKWARD)) return;
    gm_graph_backward(g, gm_op_sum(g, gm_op_square(g, node[r->loss]), (1u << r->it[r->loss].rank) - 1, 0));
    for (int i = 0; i < r->n; i++)
        if (r->it[i].kind == STATE) {
            gm_graph_update(g, node[i], node[i]); /* of two the last counts */
            gm_graph_update(g, node[i], node[updated_with(r, i)]);
        }
}

static const gmi_slot *slot_of(const gm_params *w, int i)
{
    char name[16];
    snprintf(name, sizeof name, "v%02d", i);
    return gmi_params_find(w, name, NULL);
}

/* Leaves from the recipe. Memory that must not be read before it is written is NaN. Returns the inputs, one behind the other. */
static gmi_real *load(const recipe *r, gm_run *run, gm_params *w, const void **input)
{
    int64_t total = 1, at = 0, n_in = 0;
    for (int i = 0; i < r->n; i++)
        if (r->it[i].kind == INPUT) total += count(&r->it[i]);
    gmi_real *all = calloc((size_t)total, sizeof *all), *to;
    for (int i = 0; i < r->n && all; i++) {
        const item *y = &r->it[i];
        if (y->kind > STATE) continue;
        if (y->kind == INPUT) {
            input[n_in++] = to = all + at;
            at += count(y);
        } else
            to = (y->kind == STATE ? w->state : w->value) + slot_of(w, i)->offset;
        for (int64_t k = 0; k < count(y); k++) to[k] = (gmi_real)y->v[k];
    }
    memset(run->arena, 0xff, (size_t)run->program->arena_bytes);
    memset(run->scratch, 0xff, (size_t)(run->program->scratch_bytes * (uint64_t)run->program->max_tasks));
    return all;
}

static int differs(const item *y, const void *got)
{
    double most = 0, off = 0;
    for (int64_t i = 0; i < count(y); i++) {
        double v = y->i32 ? (double)((const int32_t *)got)[i] : (double)((const gmi_real *)got)[i], d = fabs(v - y->v[i]);
        most = fabs(y->v[i]) > most ? fabs(y->v[i]) : most;
        off = d <= off ? off : v != v ? 1e30 : d;
    }
    return off > 1e-4 * most + 1e-6;
}

/* Gradients times a direction against (L(p + e d) - L(p - e d)) / 2e of the interpreter. */
static int gradient_differs(recipe *r, const gm_params *w)
{
    const double e = 1e-6;
    double side[2], got = 0, size = 0;
    for (int k = 0; k < 2; k++) {
        recipe draws = *r;
        for (int i = 0; i < r->n; i++) {
            const item *y = &r->it[i];
            for (int64_t j = 0; j < count(y) && y->kind == PARAM; j++) {
                double d = real(&draws), g = (double)w->grad[slot_of(w, i)->offset + j];
                y->v[j] += (k ? -2 : 1) * e * d;
                if (k == 0) got += g * d, size += fabs(g * d);
            }
            if (!(y->kind == UNARY && y->fn == STOPS)) eval(r, y); /* behind it the value stays as it was */
        }
        side[k] = loss_of(r);
    }
    recipe draws = *r; /* the values as they were */
    for (int i = 0; i < r->n; i++) {
        for (int64_t j = 0; j < count(&r->it[i]) && r->it[i].kind == PARAM; j++) r->it[i].v[j] = (double)(float)(r->it[i].v[j] + e * real(&draws));
        eval(r, &r->it[i]);
    }
    double want = (side[0] - side[1]) / (2 * e);
    return !(fabs(want - got) <= 1e-3 * size + 1e-4 * (1 + loss_of(r)));
}

static int verify(recipe *r, const gm_params *w, const int *fetch, int n, void *const *out)
{
    for (int k = 0; k < n; k++)
        if (differs(&r->it[fetch[k]], out[k])) return fetch[k] ? fetch[k] : -4;
    for (int i = 0; i < r->n; i++)
        if (r->it[i].kind == STATE && differs(&r->it[updated_with(r, i)], w->state_next + slot_of(w, i)->offset)) return -3;
    return gradient_differs(r, w) ? -2 : 0;
}

static void *fresh(size_t n) /* uninitialised for the program: NaN */
{
    void *p = malloc(n + 1);
    if (!p) exit(1);
    return memset(p, 0xff, n);
}

static outcome execute(gm_context *c, recipe *r, const int *fetch, int n, int flags)
{
    outcome o;
    gm_graph *g = NULL;
    gm_node node[MAX_ITEMS], want[MAX_ITEMS];
    const gm_program *p = NULL;
    gm_params *w = NULL;
    gm_run *run = NULL;
    const void *in[MAX_ITEMS] = {NULL};
    void *out[MAX_ITEMS];
    memset(&o, 0, sizeof o);
    o.wrong = -1;
    for (int k = 0; k < n; k++) out[k] = fresh((size_t)count(&r->it[fetch[k]]) * size_of(&r->it[fetch[k]]));
    must(gm_graph_create(c, &g));
    build(g, r, node, flags);
    for (int k = 0; k < n; k++) want[k] = node[fetch[k]];
    if (!gm_program_compile(g, n, want, &p) && !gmi_params_layout(c, g, (flags & BACKWARD) != 0, &w) && !gm_run_create(c, p, w, &run)) {
        gmi_real *inputs = load(r, run, w, in);
        gmi_exec e = {1, 2, 3, in, out, 0};
        o.wrong = gmi_run_exec(run, &e) || gmi_run_exec(run, &e) ? -1 : flags & CHECK ? verify(r, w, fetch, n, out) : 0;
        for (int k = 0; k < n; k++) o.bits[fetch[k]] = hash_of(out[k], (size_t)count(&r->it[fetch[k]]) * size_of(&r->it[fetch[k]]));
        o.grads = flags & BACKWARD ? hash_of(w->grad, (size_t)w->param_elems * sizeof(gmi_real)) : 0;
        o.next = flags & BACKWARD ? hash_of(w->state_next, (size_t)w->state_elems * sizeof(gmi_real)) : 0;
        free(inputs);
    } else
        printf("# %s\n", gm_context_error(c));
    gm_run_destroy(run);
    if (w) gmi_params_release(w);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    for (int k = 0; k < n; k++) free(out[k]);
    return o;
}

/* ---- comparisons ---- */
static int same(const recipe *r, const outcome *a, const outcome *b, int grads)
{
    for (int i = 0; i < r->n; i++)
        if (a->bits[i] && b->bits[i] && a->bits[i] != b->bits[i]) return 0;
    return b->wrong == 0 && (!grads || (a->grads == b->grads && a->next == b->next));
}

static void show(const recipe *r)
{
    static const char *const kind[] = {"input", "param", "state", "scalar", "unary", "scale", "binary", "select", "reshape", "permute", "broadcast", "slice", "pad",
                                       "concat", "sum", "max", "matmul", "conv", "convt", "maxpool", "avgpool", "argmax", "gather", "onehot", "toreal"};
    for (int i = 0; i < r->n; i++) {
        const item *y = &r->it[i];
        printf("#   %d %s(%d)", i, kind[y->kind], y->fn);
        for (int k = 0; k < y->n_in; k++) printf(" %%%d", y->in[k]);
        printf(" [");
        for (int32_t k = 0; k < y->rank; k++) printf("%d,", (int)y->dims[k]);
        printf("] %d %d %d %d\n", (int)y->at[0], (int)y->at[1], (int)y->at[2], (int)y->at[3]);
    }
}

static int one_recipe(uint64_t seed, int n_contexts, gm_context *const *c)
{
    static recipe r;
    int all[MAX_ITEMS], some[4], good = 1;
    make_recipe(&r, seed);
    for (int i = 0; i < r.n; i++) all[i] = i;
    some[0] = some[1] = r.loss, some[2] = (int)below(&r, r.n), some[3] = (int)below(&r, r.n);
    outcome first = execute(c[0], &r, all, r.n, BACKWARD | CHECK);
    if (first.wrong) printf("# seed %d: item %d is not what the interpreter has\n", (int)seed, first.wrong), good = 0;
    for (int k = 0; k < n_contexts && good; k++) {
        outcome o = k ? execute(c[k], &r, all, r.n, BACKWARD) : first, few = execute(c[k], &r, some, 4, BACKWARD);
        outcome last = execute(c[k], &r, some, 1, 0), many = execute(c[k], &r, all, r.n, 0);
        outcome other = execute(c[k], &r, all, r.n, BACKWARD | BACKWARDS);
        if (!same(&r, &first, &other, 1)) printf("# seed %d, context %d: other bits when nodes are made in another order\n", (int)seed, k), good = 0;
        if (!same(&r, &first, &o, 1)) printf("# seed %d, context %d: other bits\n", (int)seed, k), good = 0;
        if (!same(&r, &first, &few, 1)) printf("# seed %d, context %d: other bits when few values are fetched\n", (int)seed, k), good = 0;
        if (!same(&r, &first, &last, 0) || !same(&r, &first, &many, 0)) printf("# seed %d, context %d: other bits without gradients\n", (int)seed, k), good = 0;
    }
    if (!good) show(&r);
    for (int i = 0; i < r.n; i++) free(r.it[i].v);
    return good;
}

/* ---- every allocation fails once ---- */
typedef struct counting {
    size_t live, calls, fail_at;
} counting;

static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    counting *k = user;
    void *q;
    (void)align;
    if (!new_size) {
        k->live -= old_size;
        free(p);
        return NULL;
    }
    if (++k->calls == k->fail_at || posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    k->live += new_size - old_size;
    return q;
}

/* A graph of a recipe, or of one scalar, to a run. */
static gm_status make_run(gm_context *c, const recipe *r)
{
    gm_graph *g = NULL;
    gm_node node[MAX_ITEMS];
    const gm_program *p = NULL;
    gm_params *w = NULL;
    gm_run *run = NULL;
    gm_status s = gm_graph_create(c, &g);
    if (!s && r) build(g, r, node, BACKWARD);
    if (!s && !r) node[0] = gm_op_scalar(g, 3);
    if (!s) s = gm_program_compile(g, r ? r->n : 1, node, &p);
    if (!s) s = gmi_params_layout(c, g, 1, &w);
    if (!s) s = gm_run_create(c, p, w, &run);
    gm_run_destroy(run);
    if (w) gmi_params_release(w);
    gm_program_destroy(p);
    gm_graph_destroy(g);
    return s;
}

static int memory_fails(uint64_t seed)
{
    static recipe r;
    counting k = {0, 0, 0};
    gm_context_options o;
    gm_context *c = NULL;
    int good = 1;
    gm_context_options_init(&o, sizeof o);
    o.alloc = counted, o.alloc_user = &k, o.threads = 2;
    must(gm_context_create(&o, &c));
    make_recipe(&r, seed);
    size_t live = k.live, calls = k.calls;
    must(make_run(c, seed ? &r : NULL));
    size_t n = k.calls - calls;
    for (size_t i = 1; i <= n; i++) {
        k.fail_at = k.calls + i;
        good &= make_run(c, seed ? &r : NULL) == GM_E_NOMEM && k.live == live;
    }
    k.fail_at = 0;
    good &= make_run(c, seed ? &r : NULL) == GM_OK && k.live == live;
    gm_context_destroy(c);
    for (int i = 0; i < r.n; i++) free(r.it[i].v);
    return good && k.live == 0 && n > 5;
}

/* ---- cases found once ---- */
static float *floats(gm_tensor *t) { return gm_tensor_data(t); }

/* x and y = x + x x share memory: y must not be written before x is read. */
static void output_over_input(gm_context *c)
{
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gm_run *run = NULL;
    gm_tensor *t = NULL;
    int64_t d[2] = {2, 2};
    must(gm_graph_create(c, &g));
    gm_node x = gm_graph_input(g, "x", GM_F32, 2, d), e = gm_op_relu(g, x), y[2];
    y[0] = gm_op_square(g, e), y[1] = gm_op_add(g, gm_op_matmul(g, y[0], y[0], 0, 0), x);
    must(gm_program_compile(g, 2, y, &p));
    must(gm_run_create(c, p, NULL, &run));
    must(gm_tensor_create(c, GM_F32, 2, d, &t));
    for (int i = 0; i < 4; i++) floats(t)[i] = (float)(i + 1);
    gm_tensor *out[2];
    out[0] = out[1] = t;
    ok(gm_run_exec(run, 0, 1, &t, 2, out) == GM_OK && floats(t)[0] == 38 && floats(t)[1] == 70 && floats(t)[2] == 156 && floats(t)[3] == 296,
       "an input's memory may take the output, the last one given stays");
    gm_tensor_destroy(t);
    gm_run_destroy(run);
    gm_program_destroy(p);
    gm_graph_destroy(g);
}

/* A table of indices; a bad index leaves the statistics as they are. */
static void indices(gm_context *c)
{
    gm_graph *g = NULL;
    const gm_program *p = NULL;
    gm_run *run = NULL;
    gm_params *w = NULL;
    int64_t d[1] = {3};
    int32_t table[3] = {7, 8, 9}, row[3] = {2, 0, 1}, got[3] = {0};
    must(gm_graph_create(c, &g));
    gm_node t = gm_graph_input(g, "t", GM_I32, 1, d), i = gm_graph_input(g, "i", GM_I32, 1, d), y = gm_op_gather(g, t, i);
    gm_node s = gm_graph_state(g, "s", "", 1, d);
    gm_graph_update(g, s, gm_op_to_real(g, y));
    must(gm_program_compile(g, 1, &y, &p));
    must(gmi_params_layout(c, g, 1, &w));
    must(gm_run_create(c, p, w, &run));
    const void *in[2] = {table, row};
    void *out[1] = {got};
    gmi_exec e = {0, 0, 0, in, out, 0};
    ok(gmi_run_exec(run, &e) == GM_OK && got[0] == 9 && got[1] == 7 && got[2] == 8 && w->state_pending[0], "rows of a table of i32");
    gmi_params_discard(w);
    row[1] = 3;
    ok(gmi_run_exec(run, &e) == GM_E_RANGE && !w->state_pending[0], "a bad index: no new state waits");
    gm_run_destroy(run);
    gmi_params_release(w);
    gm_program_destroy(p);
    gm_graph_destroy(g);
}

/* Sums over every set of axes: of an image behind a convolution, stored channels-last, and of the same values as an input. */
static void orders(gm_context *c)
{
    enum { SIZE = 2 * 5 * 9 * 7 };
    static gmi_real x[SIZE], h[SIZE], sum[2][15][SIZE];
    gmi_real w[25];
    int64_t d[4] = {2, 5, 9, 7}, wd[4] = {5, 5, 1, 1};
    uint64_t hash[2];
    const void *in[2][2] = {{x, w}, {h, NULL}};
    for (int i = 0; i < SIZE; i++) x[i] = (gmi_real)sin(i * 1.7);
    for (int i = 0; i < 25; i++) w[i] = (gmi_real)cos(i * 0.9);
    for (int k = 0; k < 2; k++) {
        gm_graph *g = NULL;
        const gm_program *p = NULL;
        gm_run *run = NULL;
        gm_node y[16];
        void *out[16] = {h};
        must(gm_graph_create(c, &g));
        y[0] = gm_graph_input(g, "x", GM_F32, 4, d);
        if (k == 0) y[0] = gm_op_conv2d(g, y[0], gm_graph_input(g, "w", GM_F32, 4, wd), NULL);
        for (int i = 1; i < 16; i++) y[i] = gm_op_sum(g, y[0], (uint32_t)i, 1), out[i] = sum[k][i - 1];
        must(gm_program_compile(g, k ? 15 : 16, y + k, &p));
        must(gm_run_create(c, p, NULL, &run));
        gmi_exec e = {0, 0, 0, in[k], out + k, 0};
        must(gmi_run_exec(run, &e));
        hash[k] = hash_of(sum[k], sizeof sum[k]);
        gm_run_destroy(run);
        gm_program_destroy(p);
        gm_graph_destroy(g);
    }
    ok(hash[0] == hash[1], "the stored layout does not decide the order of a sum");
}

/* Status of a graph of one op on an image [2,4,6,6] and weights [4,4,3,3]. */
static gm_status one_op(gm_context *c, const char *op, int32_t n, const char *attributes, int64_t *width)
{
    gm_graph *g = NULL;
    int64_t d[4] = {2, 4, 6, 6}, k[4] = {4, 4, 3, 3};
    must(gm_graph_create(c, &g));
    gm_node in[2], y;
    in[0] = gm_graph_input(g, "x", GM_F32, 4, d), in[1] = gm_graph_input(g, "w", GM_F32, 4, k);
    y = gm_op(g, op, n, in, attributes);
    *width = gm_graph_dim(g, y, -1);
    gm_status s = gm_graph_status(g);
    gm_graph_destroy(g);
    return s;
}

static void builders(gm_context *c)
{
    int64_t n, d[2] = {2, 3};
    gm_graph *g[2];
    ok(one_op(c, "to_real", 1, NULL, &n) == GM_OK && n == 6, "to_real of a real value is that value");
    ok(one_op(c, "avg_pool2d", 1, "kernel=2 stride=2,1", &n) == GM_OK && n == 5, "a pool with two strides");
    ok(one_op(c, "conv2d", 2, "groups=9e15", &n) == GM_E_RANGE, "groups beyond bounds");
    ok(one_op(c, "conv2d", 2, "dilation=16777215", &n) == GM_E_SHAPE, "a kernel that is spread too far");
    ok(one_op(c, "reshape", 1, "dims=1e300,2", &n) == GM_E_RANGE, "1e300 is no size");
    ok(one_op(c, "permute", 1, "order=0,1,2,4294967299", &n) == GM_E_INVALID, "2^32 + 3 is no axis");
    ok(one_op(c, "slice", 1, "axis=1.5 end=1", &n) == GM_E_RANGE, "1.5 is no axis");
    ok(one_op(c, "broadcast", 1, "dims=9e15,2,4,6,6", &n) == GM_E_SHAPE, "too many elements");
    for (int i = 0; i < 2; i++) must(gm_graph_create(c, &g[i]));
    gm_node x = gm_graph_input(g[0], "x", GM_F32, 2, d), s = gm_graph_state(g[0], "s", "", 1, d), dx, far = {1000};
    gm_graph_update(g[0], s, gm_op_argmax(g[0], x, 1));
    ok(gm_graph_status(g[0]) == GM_E_DTYPE, "a state does not become indices");
    x = gm_graph_input(g[1], "x", GM_F32, 2, d);
    gm_graph_grad(g[1], gm_op_square(g[1], x), 1, &far, &dx);
    ok(gm_graph_status(g[1]) == GM_E_INVALID && !dx.id, "the gradient for a node of another graph");
    for (int i = 0; i < 2; i++) gm_graph_destroy(g[i]);
}

int main(int argc, char **argv)
{
    static const struct {
        gm_simd simd;
        int32_t threads;
    } setting[] = {{GM_SIMD_SCALAR, 1}, {GM_SIMD_BEST, 2}, {GM_SIMD_AVX2, 3}};
    gm_context *c[3];
    int n = 0, bad = 0, from = argc > 1 ? atoi(argv[1]) : 0, to = argc > 2 ? atoi(argv[2]) : from + (argc > 1 ? 1 : 400);
    for (int i = 0; i < 3; i++) {
        gm_context_options o;
        gm_context_options_init(&o, sizeof o);
        o.simd = setting[i].simd, o.threads = setting[i].threads;
        if (gm_context_create(&o, &c[n]) == GM_OK) n++;
    }
    ok(n >= 2, "%d contexts", n);
    for (int s = from; s < to && n >= 2; s += 50) {
        bad = 0;
        for (int k = s; k < s + 50 && k < to; k++) bad += !one_recipe((uint64_t)k, n, c);
        ok(bad == 0, "random graphs %d to %d", s, GMI_MIN(s + 49, to - 1));
    }
    if (argc == 1 && n) {
        for (int s = 0; s < 4; s++) ok(memory_fails((uint64_t)s), "graph %d: every allocation fails once", s);
        for (int i = 0; i < n; i++) orders(c[i]);
        output_over_input(c[0]);
        indices(c[0]);
        builders(c[0]);
    }
    for (int i = 0; i < n; i++) gm_context_destroy(c[i]);
    return done();
}
