/* SPDX-License-Identifier: MIT */
/* run.c: one thread's execution of a program: its arena, the addresses of its values, the loop over instructions.
 *
 * After the first execution with the same kinds of tensors nothing is allocated. State that a program updates goes to state_next and waits there for
 * gmi_params_commit: the optimizer's step commits it together with the parameters, or drops it. */
#include "exec/program.h"

static void *home_address(const gm_run *r, const gmi_value *v)
{
    const gm_params *w = r->params;
    switch (v->home) {
    case GMI_HOME_ARENA: return r->arena + v->offset;
    case GMI_HOME_CONST: return (uint8_t *)r->program->constants + v->offset;
    case GMI_HOME_PARAM: return w->value + r->slots[v->slot]->offset;
    case GMI_HOME_STATE: return w->state + r->slots[v->slot]->offset;
    case GMI_HOME_GRAD: return w->grad + r->slots[v->slot]->offset;
    case GMI_HOME_NEXT: return w->state_next + r->slots[v->slot]->offset;
    default: return NULL;
    }
}

static gm_status bind_leaves(gm_run *r)
{
    const gm_program *p = r->program;
    if (p->n_leaves && !r->params) return gmi_fail(r->ctx, GM_E_INVALID, "the program has parameters: pass a gm_params");
    for (int32_t i = 0; i < p->n_leaves; i++) {
        const gmi_leaf_use *u = &p->leaves[i];
        int is_state = 0;
        r->slots[i] = gmi_params_find(r->params, u->name, &is_state);
        if (!r->slots[i] || is_state != u->is_state) return gmi_fail(r->ctx, GM_E_UNKNOWN, "the parameters have no %S", u->name);
        if (r->slots[i]->rank != u->rank || memcmp(r->slots[i]->dims, u->dims, (size_t)u->rank * sizeof u->dims[0]))
            return gmi_fail(r->ctx, GM_E_SHAPE, "%S is %v in the parameters, the program wants %v", u->name, r->slots[i]->rank, r->slots[i]->dims, u->rank, u->dims);
        if (u->writes && !(u->is_state ? r->params->state_next : r->params->grad))
            return gmi_fail(r->ctx, GM_E_INVALID, "the program writes gradients or statistics, the parameters are for inference only");
    }
    return GM_OK;
}

static gm_status run_build(gm_run *r)
{
    const gm_program *p = r->program;
    r->ptr = gmi_alloc_n(r->ctx, p->n_values + 1, sizeof *r->ptr);
    r->slots = gmi_alloc_n(r->ctx, p->n_leaves + 1, sizeof *r->slots);
    r->packed = gmi_alloc_n(r->ctx, p->n_instrs + 1, sizeof *r->packed);
    r->staging_in = gmi_alloc_n(r->ctx, p->n_inputs + 1, sizeof *r->staging_in);
    r->staging_out = gmi_alloc_n(r->ctx, p->n_outputs + 1, sizeof *r->staging_out);
    r->arena = gmi_alloc(r->ctx, p->arena_bytes);
    r->scratch = gmi_alloc_n(r->ctx, p->max_tasks, p->scratch_bytes);
    if (!r->ptr || !r->slots || !r->packed || !r->staging_in || !r->staging_out || !r->arena || !r->scratch) return GM_E_NOMEM;
    gm_status s = bind_leaves(r);
    for (int32_t i = 0; !s && i < p->n_values; i++) r->ptr[i] = home_address(r, &p->values[i]);
    return s;
}

gm_status gm_run_create(gm_context *c, const gm_program *p, gm_params *w, gm_run **out)
{
    if (out) *out = NULL;
    if (!c || !p || !out) return GM_E_INVALID;
    gmi_enter(c, "run_create");
    gm_run *r = gmi_alloc(c, sizeof *r);
    if (!r) return gmi_leave(c, GM_E_NOMEM);
    r->ctx = c;
    r->program = p;
    r->params = w;
    gmi_context_retain(c);
    gmi_atomic_add(&((gm_program *)(uintptr_t)p)->refs, 1);
    if (w) gmi_params_retain(w);
    gm_status s = run_build(r);
    if (s) {
        gm_run_destroy(r);
        r = NULL;
    }
    *out = r;
    return gmi_leave(c, s);
}

void gm_run_destroy(gm_run *r)
{
    if (!r) return;
    gm_context *c = r->ctx;
    for (int32_t i = 0; r->staging_in && i < r->program->n_inputs; i++) gmi_free(c, r->staging_in[i]);
    for (int32_t i = 0; r->staging_out && i < r->program->n_outputs; i++) gmi_free(c, r->staging_out[i]);
    gmi_free(c, r->ptr);
    gmi_free(c, r->slots);
    gmi_free(c, r->packed);
    gmi_free(c, r->staging_in);
    gmi_free(c, r->staging_out);
    gmi_free(c, r->arena);
    gmi_free(c, r->scratch);
    gmi_free(c, r->seconds);
    gm_program_destroy(r->program);
    if (r->params) gmi_params_release(r->params);
    gmi_free(c, r);
    gmi_context_release(c);
}

gm_context *gmi_run_context(const gm_run *r) { return r->ctx; }

/* ---- execution ---- */
static void task_main(void *arg, int32_t i)
{
    gm_run *r = arg;
    r->current->run(r->current, r, r->phase, i, r->scratch + (uint64_t)i * r->program->scratch_bytes);
}

/* Thread i takes pieces until there are none: the first one from the low end, the others from the high end, so that from instruction to instruction most of
 * what a thread reads is what it wrote. Threads are not equally fast, and not for long. */
static void pieces_main(void *arg, int32_t i)
{
    gm_run *r = arg;
    const gmi_instr *it = r->current;
    void *scratch = r->scratch + (uint64_t)i * r->program->scratch_bytes;
    int32_t low = 0;
    while (gmi_atomic_add(&r->taken, 1) <= it->tasks) it->run(it, r, r->phase, i ? it->tasks - gmi_atomic_add(&r->high, 1) : low++, scratch);
}

static void exec_phase(gm_run *r, const gmi_instr *it)
{
    if (GM_TRAINING && it->tasks > r->program->threads) {
        r->taken = r->high = 0;
        gmi_parallel(r->ctx, r->program->threads, pieces_main, r);
    } else if (it->tasks == 1) {
        task_main(r, 0);
    } else {
        gmi_parallel(r->ctx, it->tasks, task_main, r);
    }
}

static void exec_part(gm_run *r, int32_t first, int32_t end)
{
    const gm_program *p = r->program;
    for (int32_t i = first; i < end; i++) {
        const gmi_instr *it = &p->instrs[i];
        double t0 = gmi_profile_now(r);
        r->current = it;
        r->phase = GM_TRAINING && gmi_is_packed(it, r) ? it->pack_phases : 0;
        for (; r->phase < it->phases; r->phase++) exec_phase(r, it);
        if (it->packed_in >= 0) r->packed[i] = r->params->version;
        if (r->seconds) r->seconds[i] += gmi_profile_now(r) - t0;
    }
}

gm_status gmi_run_exec(gm_run *r, const gmi_exec *e)
{
    const gm_program *p = r->program;
    r->seed = e->seed;
    r->step = e->step;
    r->first = e->first;
    r->failed = 0;
    if (r->params && r->params->views > 0) memset(r->packed, 0, (size_t)p->n_instrs * sizeof *r->packed); /* a host may have written through a view */
    for (int32_t i = 0; i < p->n_inputs; i++)
        if (p->inputs[i].value >= 0) r->ptr[p->inputs[i].value] = (void *)(uintptr_t)e->in[i];
    for (int32_t i = 0; i < p->n_outputs; i++) r->ptr[p->outputs[i].value] = e->out[i];
    const int32_t part = GM_TRAINING ? e->part : 0;
    for (int32_t i = 0; GM_TRAINING && i < p->n_leaves; i++)
        if (p->leaves[i].writes && !p->leaves[i].is_state) gmi_params_forget_squares(r->params, r->slots[i]->offset, r->slots[i]->count);
    exec_part(r, part == 2 ? p->cut : 0, part == 1 ? p->cut : p->n_instrs);
    if (part != 1) r->executions++;
    if (r->failed) return gmi_fail(r->ctx, GM_E_RANGE, "an index given to %s is out of range", p->instrs[r->failed - 1].what);
    for (int32_t i = 0; part != 1 && i < p->n_leaves; i++)
        if (p->leaves[i].writes && p->leaves[i].is_state) r->params->state_pending[r->slots[i] - r->params->states] = 1;
    return GM_OK;
}

/* ---- the public call: any dtype and strides in and out ---- */
static int direct(const gmi_port *port, const gm_tensor *t)
{
    gm_dtype want = port->dtype == GM_I32 ? GM_I32 : GMI_DTYPE_REAL;
    return t->dtype == want && gmi_tensor_dense(t);
}

static gm_status fit_port(gm_context *c, const gmi_port *port, const gm_tensor *t, const char *what, int32_t i)
{
    char text[160];
    if (!t) return gmi_fail(c, GM_E_INVALID, "%s %d is NULL", what, i);
    gmi_tensor_describe(t, text, sizeof text);
    if (t->rank != port->rank || memcmp(t->dims, port->dims, (size_t)port->rank * sizeof port->dims[0]))
        return gmi_fail(c, GM_E_SHAPE, "%s %d %s is %s, the program wants %v", what, i, port->name, text, port->rank, port->dims);
    if (port->dtype == GM_I32 && t->dtype != GM_I32) return gmi_fail(c, GM_E_DTYPE, "%s %d %s is %s, the program wants i32", what, i, port->name, text);
    return GM_OK;
}

static void *staging(gm_run *r, void **slot, const gmi_port *port)
{
    if (!*slot) *slot = gmi_alloc_n(r->ctx, port->count, port->dtype == GM_I32 ? sizeof(int32_t) : sizeof(gmi_real));
    return *slot;
}

static void i32_gather(const gm_tensor *t, int32_t *out)
{
    int64_t at[GMI_MAX_RANK] = {0}, n = gmi_tensor_count(t);
    const uint8_t *p = t->data;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&out[i], p, sizeof out[i]);
        for (int32_t a = t->rank - 1; a >= 0; a--) {
            p += t->strides[a];
            if (++at[a] < t->dims[a]) break;
            p -= t->strides[a] * t->dims[a];
            at[a] = 0;
        }
    }
}

static gm_status bind_input(gm_run *r, int32_t i, const gm_tensor *t, const void **to)
{
    const gmi_port *port = &r->program->inputs[i];
    gm_status s = fit_port(r->ctx, port, t, "input", i);
    if (s) return s;
    *to = t->data;
    if (direct(port, t)) return GM_OK;
    void *copy = staging(r, &r->staging_in[i], port);
    if (!copy) return GM_E_NOMEM;
    if (port->dtype == GM_I32)
        i32_gather(t, copy);
    else
        gmi_tensor_to_real(t, 0, t->rank ? t->dims[0] : 1, 1, 0, copy);
    *to = copy;
    return GM_OK;
}

static int overlap(const void *a, uint64_t na, const void *b, uint64_t nb)
{
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    return x < y ? na > y - x : nb > x - y;
}

static uint64_t dense_bytes(const gm_tensor *t) { return (uint64_t)gmi_tensor_count(t) * gmi_dtype_size(t->dtype); }

/* An output is written, and may be read back, before the program has read all of its inputs: one that shares memory with an input, a parameter or another
 * output is kept apart until the end. */
static int shares_memory(const gm_run *r, const gm_tensor *t, gm_tensor *const *in, const void *const *from, int32_t before, gm_tensor *const *out)
{
    const gm_params *w = r->params;
    uint64_t n = dense_bytes(t);
    for (int32_t k = 0; k < r->program->n_inputs; k++)
        if (from[k] == in[k]->data && overlap(t->data, n, in[k]->data, dense_bytes(in[k]))) return 1;
    for (int32_t k = 0; k < before; k++)
        if (gmi_tensor_dense(out[k]) && overlap(t->data, n, out[k]->data, dense_bytes(out[k]))) return 1;
    return w && (overlap(t->data, n, w->value, (uint64_t)w->param_elems * sizeof(gmi_real)) ||
                 overlap(t->data, n, w->state, (uint64_t)w->state_elems * sizeof(gmi_real)));
}

static gm_status bind_output(gm_run *r, int32_t i, gm_tensor *const *in, const void *const *from, gm_tensor *const *out, void **to)
{
    gm_tensor *t = out[i];
    const gmi_port *port = &r->program->outputs[i];
    gm_status s = fit_port(r->ctx, port, t, "output", i);
    if (s) return s;
    if (t->readonly) return gmi_fail(r->ctx, GM_E_READONLY, "output %d is read-only memory", i);
    if (port->dtype == GM_I32 && !gmi_tensor_dense(t)) return gmi_fail(r->ctx, GM_E_SHAPE, "output %d is i32 with gaps: give dense memory", i);
    *to = direct(port, t) && !shares_memory(r, t, in, from, i, out) ? t->data : staging(r, &r->staging_out[i], port);
    return *to ? GM_OK : GM_E_NOMEM;
}

static void deliver(const gmi_port *port, gm_tensor *t, const void *from)
{
    if (from == t->data) return;
    if (port->dtype == GM_I32)
        memcpy(t->data, from, (size_t)port->count * sizeof(int32_t));
    else
        gmi_tensor_from_real(t, 0, t->rank ? t->dims[0] : 1, 1, 0, from);
}

#define MAX_PORTS 64
gm_status gm_run_exec(gm_run *r, uint64_t seed, int32_t n_in, gm_tensor *const *in, int32_t n_out, gm_tensor *const *out)
{
    const void *from[MAX_PORTS];
    void *to[MAX_PORTS];
    gm_status s = GM_OK;
    gmi_exec e;
    if (!r) return GM_E_INVALID;
    gmi_enter(r->ctx, "run_exec");
    if (n_in != r->program->n_inputs || n_out != r->program->n_outputs || n_in > MAX_PORTS || n_out > MAX_PORTS || (n_in && !in) || (n_out && !out))
        return gmi_leave(r->ctx, gmi_fail(r->ctx, GM_E_INVALID, "got %d inputs and %d outputs, the program has %d and %d (at most %d)", n_in, n_out, r->program->n_inputs,
                                          r->program->n_outputs, MAX_PORTS));
    for (int32_t i = 0; i < n_in && !s; i++) s = bind_input(r, i, in[i], &from[i]);
    for (int32_t i = 0; i < n_out && !s; i++) s = bind_output(r, i, in, from, out, &to[i]);
    memset(&e, 0, sizeof e);
    e.seed = seed;
    e.in = from;
    e.out = to;
    if (!s) s = gmi_run_exec(r, &e);
    for (int32_t i = 0; i < n_out && !s; i++) deliver(&r->program->outputs[i], out[i], to[i]);
    return gmi_leave(r->ctx, s);
}
