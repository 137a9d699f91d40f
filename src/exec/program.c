/* SPDX-License-Identifier: MIT */
/* program.c: compile: rewrite, lower, plan memory. The result is immutable and reference-counted. */
#include "exec/program.h"

void gmi_exec_kernels(const gm_context *c, gmi_kernels *t)
{
    if (gmi_kernels_fill(t, c->simd, c->simd_have)) gmi_kernels_fill(t, GM_SIMD_SCALAR, c->simd_have);
}

gmi_within_fn *gmi_exec_within(const gm_context *c)
{
    gmi_kernels t;
    gmi_exec_kernels(c, &t);
    return t.all_within;
}

/* ---- lifetimes and offsets ---- */
static void touch(gm_program *p, int32_t value, int32_t at)
{
    gmi_value *v = &p->values[value];
    v->first = GMI_MIN(v->first, at);
    v->last = GMI_MAX(v->last, at);
}

static void lifetimes(gm_program *p)
{
    for (int32_t i = 0; i < p->n_instrs; i++) {
        const gmi_instr *it = &p->instrs[i];
        for (int32_t k = 0; k < it->n_in; k++) touch(p, it->in[k], i);
        for (int32_t k = 0; k < it->n_out; k++) touch(p, it->out[k], i);
        if (it->temp >= 0) touch(p, it->temp, i);
        if (it->temp >= 0 && p->values[it->temp].keep) {
            p->values[it->temp].first = 0;
            p->values[it->temp].last = INT32_MAX;
        }
    }
}

static gm_status plan_memory(gmi_lower *l)
{
    gm_program *p = l->p;
    gmi_interval *iv = gmi_arena_alloc(&l->tmp, (uint64_t)(p->n_values + 1) * sizeof *iv);
    int32_t *order = gmi_arena_alloc(&l->tmp, (uint64_t)(p->n_values + 1) * sizeof *order);
    if (!iv || !order) return GM_E_NOMEM;
    lifetimes(p);
    uint64_t sum = 0; /* offsets are sums of sizes: they must not wrap around */
    for (int32_t i = 0; i < p->n_values; i++) {
        const gmi_value *v = &p->values[i];
        if (v->bytes > UINT64_MAX / 4 - sum) return gmi_fail(l->ctx, GM_E_NOMEM, "the values of the program are more bytes than can be addressed");
        sum += v->bytes;
        iv[i].bytes = v->home == GMI_HOME_ARENA && v->last >= 0 ? v->bytes : 0;
        iv[i].first = v->first;
        iv[i].last = v->last;
        iv[i].same = -1;
    }
    for (int32_t i = 0; i < p->n_instrs; i++) {
        gmi_instr *it = &p->instrs[i];
        if (it->alias_in < 0) continue;
        int32_t a = it->in[it->alias_in], b = it->out[it->alias_out];
        if (p->values[a].last == i && p->values[b].first == i && iv[a].bytes && iv[a].bytes == iv[b].bytes) iv[b].same = a;
    }
    p->arena_bytes = gmi_memplan(p->n_values, iv, order);
    for (int32_t i = 0; i < p->n_values; i++)
        if (p->values[i].home == GMI_HOME_ARENA) p->values[i].offset = iv[i].offset;
    for (int32_t i = 0; i < p->n_instrs; i++) {
        p->scratch_bytes = GMI_MAX(p->scratch_bytes, (p->instrs[i].scratch + 63) / 64 * 64);
        p->max_tasks = GMI_MAX(p->max_tasks, GMI_MIN(p->instrs[i].tasks, p->threads));
    }
    return GM_OK;
}

/* ---- ports ---- */
static int port_fill(gm_program *p, gmi_port *to, const char *name, const gmi_gnode *n)
{
    to->name = gmi_arena_strdup(&p->arena, name, strlen(name));
    to->dtype = n->dtype;
    to->rank = n->rank;
    memcpy(to->dims, n->dims, sizeof to->dims);
    to->value = -1;
    return to->name && !gmi_count_i64(n->rank, n->dims, &to->count) ? 0 : -1;
}

static int ports(gm_program *p, const gm_graph *g, int32_t n, const gm_node *outputs)
{
    p->n_inputs = g->inputs.n;
    p->n_outputs = n;
    p->inputs = gmi_arena_alloc(&p->arena, (uint64_t)(g->inputs.n + 1) * sizeof *p->inputs);
    p->outputs = gmi_arena_alloc(&p->arena, (uint64_t)(n + 1) * sizeof *p->outputs);
    if (!p->inputs || !p->outputs) return -1;
    for (int32_t i = 0; i < g->inputs.n; i++)
        if (port_fill(p, &p->inputs[i], g->inputs.p[i].name, &g->nodes[g->inputs.p[i].node - 1])) return -1;
    for (int32_t i = 0; i < n; i++)
        if (port_fill(p, &p->outputs[i], "", gmi_node(g, outputs[i]))) return -1;
    return 0;
}

static uint32_t *root_ids(gmi_lower *l, const gm_graph *g, int32_t n, const gm_node *outputs, int32_t *count)
{
    uint32_t *id = gmi_arena_alloc(&l->tmp, (uint64_t)(n + 2 * g->params.n + 2 * g->states.n + 1) * sizeof *id);
    int32_t k = 0;
    if (!id) return NULL;
    for (int32_t i = 0; i < n; i++) id[k++] = outputs[i].id;
    for (int32_t i = 0; i < g->params.n; i++)
        if (g->params.p[i].grad) id[k++] = g->params.p[i].grad;
    for (int32_t i = 0; i < g->states.n; i++)
        if (g->states.p[i].update) id[k++] = g->states.p[i].update;
    *count = k;
    return id;
}

static gm_status check_values(gm_context *c, const gmi_ir *ir)
{
    for (int32_t i = 0; i < ir->n; i++) {
        const gmi_gnode *p = &ir->nodes[i];
        for (int32_t a = 0; a < p->rank; a++)
            if (p->dims[a] == 0) return gmi_fail(c, GM_E_SHAPE, "%s of shape %v has no elements: give at least one row", gmi_op_table(p->op)->name, p->rank, p->dims);
    }
    return GM_OK;
}

static gm_status compile(gm_graph *g, int32_t n, const gm_node *outputs, gm_program *p)
{
    gmi_lower l;
    int32_t n_roots = 0;
    memset(&l, 0, sizeof l);
    l.ctx = g->ctx;
    l.p = p;
    l.tasks = p->threads = GMI_MAX(1, g->ctx->threads);
    gmi_arena_init(&l.tmp, g->ctx);
    gm_status s = ports(p, g, n, outputs) ? GM_E_NOMEM : GM_OK;
    uint32_t *roots = s ? NULL : root_ids(&l, g, n, outputs, &n_roots);
    if (!s && !roots) s = GM_E_NOMEM;
    if (!s) s = gmi_rewrite(g, n_roots, roots, &l.ir);
    if (!s) s = check_values(g->ctx, &l.ir);
    if (GM_TRAINING && !s) s = gmi_recompute(&l.ir, g->n);
    if (!s) s = gmi_lower_graph(&l, g, n, outputs);
    if (GM_TRAINING && !s) s = gmi_attach(&l);
    if (GM_TRAINING && !s) gmi_share_packed(p);
    if (!s) s = plan_memory(&l);
    if (l.ir.ctx) gmi_ir_free(&l.ir);
    gmi_arena_free(&l.tmp);
    return s;
}

gm_status gm_program_compile(gm_graph *g, int32_t n, const gm_node *outputs, const gm_program **out)
{
    if (out) *out = NULL;
    if (!g || !out) return GM_E_INVALID;
    gm_context *c = g->ctx;
    gmi_enter(c, "program_compile");
    if (g->failed) return gmi_leave(c, gmi_fail(c, g->failed, "%s", g->message));
    if (n < 0 || (n && !outputs)) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%d outputs, outputs is NULL", n));
    for (int32_t i = 0; i < n; i++)
        if (!outputs[i].id || outputs[i].id > (uint32_t)g->n) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "output %d is not a node of this graph", i));
    gm_program *p = gmi_alloc(c, sizeof *p);
    if (!p) return gmi_leave(c, GM_E_NOMEM);
    p->ctx = c;
    p->refs = 1;
    p->max_tasks = 1;
    gmi_context_retain(c);
    gmi_arena_init(&p->arena, c);
    gmi_exec_kernels(c, &p->kernels);
    gm_status s = compile(g, n, outputs, p);
    if (s) {
        gm_program_destroy(p);
        p = NULL;
    }
    *out = p;
    return gmi_leave(c, s);
}

void gm_program_destroy(const gm_program *program)
{
    gm_program *p = (gm_program *)(uintptr_t)program;
    if (!p || gmi_atomic_add(&p->refs, -1) > 0) return;
    gm_context *c = p->ctx;
    gmi_free(c, p->values);
    gmi_free(c, p->instrs);
    gmi_free(c, p->constants);
    gmi_arena_free(&p->arena);
    gmi_free(c, p);
    gmi_context_release(c);
}

uint64_t gm_program_run_bytes(const gm_program *p)
{
    if (!p) return 0;
    return p->arena_bytes + p->scratch_bytes * (uint64_t)p->max_tasks + (uint64_t)p->n_values * sizeof(void *) + (uint64_t)p->n_instrs * sizeof(uint64_t);
}

int32_t gmi_program_inputs(const gm_program *p) { return p->n_inputs; }

int32_t gmi_program_input_index(const gm_program *p, const char *name)
{
    for (int32_t i = 0; i < p->n_inputs; i++)
        if (!strcmp(p->inputs[i].name, name)) return i;
    return -1;
}

static const char *home_name(gmi_home h)
{
    static const char *const names[] = {"arena", "input", "param", "state", "grad", "next", "output", "const"};
    return names[h];
}

static void print_value(gmi_buf *b, const gm_program *p, int32_t i)
{
    const gmi_value *v = &p->values[i];
    gmi_buf_format(b, " v%d:%s", i, home_name(v->home));
    if (v->home == GMI_HOME_ARENA) gmi_buf_format(b, "@%u", v->offset);
    gmi_buf_format(b, "[%i]", v->count);
}

gm_status gm_program_print(gm_context *c, const gm_program *p, gm_writer *w)
{
    if (!c || !p || !w) return GM_E_INVALID;
    gmi_enter(c, "program_print");
    if (!GM_TRAINING) return gmi_leave(c, gmi_no_training(c));
    gmi_buf b;
    gmi_out o;
    gmi_buf_init(&b, c);
    gmi_buf_format(&b, "program: %d instructions, arena %u bytes, %d tasks, scratch %u bytes a task\n", p->n_instrs, p->arena_bytes, p->max_tasks, p->scratch_bytes);
    for (int32_t i = 0; i < p->n_instrs; i++) {
        const gmi_instr *it = &p->instrs[i];
        gmi_buf_format(&b, "%d %s phases=%d tasks=%d :", i, it->what, it->phases, it->tasks);
        for (int32_t k = 0; k < it->n_in; k++) print_value(&b, p, it->in[k]);
        gmi_buf_text(&b, " ->");
        for (int32_t k = 0; k < it->n_out; k++) print_value(&b, p, it->out[k]);
        gmi_buf_text(&b, "\n");
    }
    gm_status s = b.failed ? GM_E_NOMEM : gmi_out_open(c, w, &o);
    if (!s) {
        s = gmi_out_write(&o, gmi_buf_cstr(&b), b.n);
        s = gmi_out_close(&o, s);
    }
    gmi_buf_free(&b);
    return gmi_leave(c, s);
}
