/* SPDX-License-Identifier: MIT */
/* optim.c: gm_optimizer: one step over flat arenas.
 *
 *   check   every gradient is finite, else nothing but the step counter changes (contract C7)
 *   sum     micro-steps add into one arena; the last one goes on with their mean
 *   norm    sqrt of the sum of squares: block sums of GMI_RB elements in their canonical tree, added in order in double
 *   scale   1/accumulate times min(1, clip_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_
 *   update  the rule's kernel (kernels/optim.c, torch.optim's formulas) over chunks, in parallel; elementwise, so chunks do not show in the bits
 *   commit  states (batch statistics) become current together with the parameters
 *
 * beta^t is a running double product of beta as the kernels see it (rounded to the compute type): 1 - beta^t is then exactly the weight that the moment has
 * gathered. A step allocates nothing. The check costs no pass of its own: a sum of squares is finite only if its terms are,
 * and products that make gradients leave the sums of whole blocks while these are in the cache (exec/lower_linear.c). */
#include "train/optim.h"

#define CHUNK 32768 /* elements of a task, a multiple of GMI_RB */

static int finite(double x) { return x - x == 0.0; }

/* ---- tasks: chunks of runs of neighbouring slots with the same flags ---- */

static int32_t plan(const gm_optimizer *p, gmi_optim_task *t, int64_t *blocks)
{
    const gm_params *w = p->w;
    int32_t i = 0, n = 0;
    *blocks = 0;
    while (i < w->n_params) {
        int32_t j = i + 1;
        int64_t at, end;
        if (p->slot_lr[i] < 0.0f) {
            i++;
            continue;
        }
        while (j < w->n_params && p->slot_lr[j] == p->slot_lr[i] && p->slot_decay[j] == p->slot_decay[i]) j++;
        end = j < w->n_params ? w->params[j].offset : w->param_elems;
        for (at = w->params[i].offset; at < end; at += CHUNK, n++) {
            int64_t k = GMI_MIN(CHUNK, end - at);
            if (t) {
                t[n].begin = at;
                t[n].n = k;
                t[n].block = *blocks;
                t[n].lr_factor = (gmi_real)p->slot_lr[i];
                t[n].decay = p->slot_decay[i];
            }
            *blocks += (k + GMI_RB - 1) / GMI_RB;
        }
        i = j;
    }
    return n;
}

static gm_status make_tasks(gm_optimizer *p)
{
    int64_t blocks;
    int32_t n = plan(p, NULL, &blocks);
    gmi_optim_task *t = gmi_alloc_n(p->ctx, n + 1, sizeof *t);
    gmi_real *squares = t ? gmi_alloc_n(p->ctx, blocks + 1, sizeof *squares) : NULL;
    if (!squares) {
        gmi_free(p->ctx, t);
        return gmi_nomem(p->ctx);
    }
    (void)plan(p, t, &blocks);
    gmi_free(p->ctx, p->task);
    gmi_free(p->ctx, p->squares);
    p->task = t;
    p->n_task = n;
    p->squares = squares;
    p->blocks = blocks;
    return GM_OK;
}

/* ---- life ---- */

static gm_status cover(gm_optimizer *p, const char *prefix)
{
    const gm_params *w = p->w;
    int32_t i;
    p->slot_lr = gmi_alloc_n(p->ctx, (int64_t)w->n_params + 1, sizeof *p->slot_lr);
    p->slot_decay = gmi_alloc_n(p->ctx, (int64_t)w->n_params + 1, 1);
    if (!p->slot_lr || !p->slot_decay) return gmi_nomem(p->ctx);
    for (i = 0; i < w->n_params; i++) {
        p->slot_lr[i] = gmi_params_has_prefix(w->params[i].name, prefix) ? 1.0f : -1.0f;
        p->slot_decay[i] = p->rule.h[GMI_H_DECAY] == 0 || w->params[i].rank >= 2;
    }
    return gmi_params_span(w, prefix, &p->lo, &p->hi);
}

static gm_status allocate(gm_optimizer *p)
{
    int32_t moments = gmi_rule_moments(&p->rule), i;
    int64_t n = p->hi - p->lo, e;
    if (moments > 0 && !(p->s1 = gmi_alloc_n(p->ctx, n, sizeof *p->s1))) return gmi_nomem(p->ctx);
    if (moments > 1 && !(p->s2 = gmi_alloc_n(p->ctx, n, sizeof *p->s2))) return gmi_nomem(p->ctx);
    if (p->rule.h[GMI_H_ACCUMULATE] > 1 && !(p->sum = gmi_alloc_n(p->ctx, n, sizeof *p->sum))) return gmi_nomem(p->ctx);
    for (i = 0; p->rule.h[GMI_H_INITIAL] > 0 && i < p->w->n_params; i++) {
        const gmi_slot *s = &p->w->params[i];
        for (e = 0; p->slot_lr[i] >= 0.0f && e < s->count; e++) p->s1[s->offset - p->lo + e] = (gmi_real)p->rule.h[GMI_H_INITIAL];
    }
    return make_tasks(p);
}

static void release(gm_optimizer *p)
{
    gm_context *c = p->ctx;
    gmi_free(c, p->s1);
    gmi_free(c, p->s2);
    gmi_free(c, p->sum);
    gmi_free(c, p->squares);
    gmi_free(c, p->slot_lr);
    gmi_free(c, p->slot_decay);
    gmi_free(c, p->task);
    gmi_params_release(p->w);
    gmi_free(c, p);
}

gm_status gmi_optimizer_create_prefix(gm_params *w, const char *prefix, const char *text, gm_optimizer **out)
{
    gmi_rule r;
    gm_optimizer *p;
    gm_status s = gmi_rule_parse(w->ctx, text, &r);
    *out = NULL;
    if (s) return s;
    if (!w->grad) return gmi_fail(w->ctx, GM_E_INVALID, "the parameters were loaded for inference: they have no gradients");
    p = gmi_alloc(w->ctx, sizeof *p);
    if (!p) return gmi_nomem(w->ctx);
    p->ctx = w->ctx;
    p->w = w;
    gmi_params_retain(w);
    p->rule = r;
    p->n.beta1_t = p->n.beta2_t = 1.0;
    gmi_exec_kernels(w->ctx, &p->k);
    s = cover(p, prefix);
    if (!s) s = allocate(p);
    if (s)
        release(p);
    else
        *out = p;
    return s;
}

gm_status gm_optimizer_create(gm_params *w, const char *text, gm_optimizer **out)
{
    if (out) *out = NULL;
    if (!w || !out) return GM_E_INVALID;
    gmi_enter(w->ctx, "optimizer_create");
    if (!text) return gmi_leave(w->ctx, gmi_fail(w->ctx, GM_E_INVALID, "text is NULL; try \"adam\""));
    return gmi_leave(w->ctx, gmi_optimizer_create_prefix(w, "", text, out));
}

void gm_optimizer_destroy(gm_optimizer *p)
{
    if (p) release(p);
}

gm_status gmi_optimizer_tune(gm_optimizer *p, const char *prefix, double lr_factor, int decay, int frozen)
{
    int32_t i, found = 0;
    for (i = 0; i < p->w->n_params; i++) {
        if (!gmi_params_has_prefix(p->w->params[i].name, prefix) || p->w->params[i].offset < p->lo || p->w->params[i].offset >= p->hi) continue;
        p->slot_lr[i] = frozen ? -1.0f : (float)lr_factor;
        p->slot_decay[i] = decay != 0;
        found = 1;
    }
    if (!found) return gmi_fail(p->ctx, GM_E_UNKNOWN, "no parameter of this optimizer begins with %S", prefix);
    return make_tasks(p);
}

gm_status gmi_optimizer_bytes(gm_context *c, const char *text, int64_t elems, uint64_t *bytes)
{
    gmi_rule r;
    gm_status s = gmi_rule_parse(c, text, &r);
    uint64_t arenas;
    *bytes = 0;
    if (s) return s;
    arenas = (uint64_t)gmi_rule_moments(&r) + (r.h[GMI_H_ACCUMULATE] > 1);
    *bytes = sizeof(gm_optimizer) + (uint64_t)elems * sizeof(gmi_real) * arenas + (uint64_t)(elems / GMI_RB + 64) * sizeof(gmi_real) +
             (uint64_t)(elems / CHUNK + 64) * sizeof(gmi_optim_task);
    return GM_OK;
}

/* ---- the step ---- */

typedef struct pass {
    const gm_optimizer *p;
    const gmi_real *grad; /* the whole arena's, or the accumulated one, which begins at element `from` */
    int64_t from;
    gmi_optim_args args;
    gmi_real decay;
    int32_t first; /* first micro-step: copy */
} pass;

/* Sums of squares of a task's blocks, those that the products which made the gradient have left read instead. */
static void squares_task(void *arg, int32_t i)
{
    const pass *a = arg;
    const gm_params *w = a->p->w;
    const gmi_optim_task *t = &a->p->task[i];
    const gmi_real *known = a->grad == w->grad && t->begin % GMI_RB == 0 ? w->squares + t->begin / GMI_RB : NULL;
    gmi_real *to = a->p->squares + t->block;
    for (int64_t b = 0; b * GMI_RB < t->n; b++) {
        const int64_t n = GMI_MIN(GMI_RB, t->n - b * GMI_RB);
        if (known && n == GMI_RB && known[b] != GMI_NOT_SUMMED)
            to[b] = known[b];
        else
            a->p->k.sumsq_blocks(n, a->grad + (t->begin - a->from) + b * GMI_RB, to + b);
    }
}

static void sum_task(void *arg, int32_t i)
{
    const pass *a = arg;
    const gmi_optim_task *t = &a->p->task[i];
    gmi_real *to = a->p->sum + (t->begin - a->p->lo);
    if (a->first)
        memcpy(to, a->grad + t->begin, (size_t)t->n * sizeof *to);
    else
        a->p->k.binary[GMI_B_add](t->n, to, to, a->grad + t->begin);
}

static void update_task(void *arg, int32_t i)
{
    const pass *a = arg;
    const gm_optimizer *p = a->p;
    const gmi_optim_task *t = &p->task[i];
    const gmi_rule_info *row = gmi_rule_table(&p->rule);
    gmi_optim_args args = a->args;
    args.lr *= t->lr_factor;
    args.weight_decay = t->decay ? a->decay : 0;
    p->k.optim[p->s1 ? row->kernel : row->kernel_plain](t->n, p->w->value + t->begin, a->grad + (t->begin - a->from), p->s1 ? p->s1 + (t->begin - p->lo) : NULL,
                                                        p->s2 ? p->s2 + (t->begin - p->lo) : NULL, &args);
}

/* Sum of squares of a gradient over all tasks; infinite or NaN when a term is, or when it is too large. */
static double sum_of_squares(pass *a)
{
    const gm_optimizer *p = a->p;
    double sum = 0.0;
    int64_t b;
    gmi_parallel(p->ctx, p->n_task, squares_task, a);
    for (b = 0; b < p->blocks; b++) sum += (double)p->squares[b];
    return sum;
}

/* The first parameter with a NaN or an infinity in its gradient, or NULL. Only after a sum that is not finite. */
static const gmi_slot *find_nonfinite(const gm_optimizer *p, const pass *a)
{
    int32_t i;
    for (i = 0; i < p->w->n_params; i++) {
        const gmi_slot *s = &p->w->params[i];
        if (p->slot_lr[i] >= 0.0f && !p->k.all_within(s->count, a->grad + (s->offset - a->from), -GMI_REAL_MAX, GMI_REAL_MAX)) return s;
    }
    return NULL;
}

static gm_status reject(gm_optimizer *p, const gmi_slot *s)
{
    gmi_params_discard(p->w);
    return gmi_fail(p->ctx, GM_E_NONFINITE, "step %i: the gradient of %S is not finite; parameters and moments are as before", p->n.steps, s->name);
}

/* Everything of the kernel's arguments but the range's own. */
static void fill_args(gm_optimizer *p, double norm, pass *a)
{
    const double *h = p->rule.h;
    gmi_optim_args *k = &a->args;
    double scale = h[GMI_H_ACCUMULATE] > 1 ? 1.0 / h[GMI_H_ACCUMULATE] : 1.0, lr = h[GMI_H_LR];
    if (h[GMI_H_CLIP_NORM] > 0) {
        double clip = h[GMI_H_CLIP_NORM] / (norm + 1e-6);
        if (clip < 1.0) scale *= clip;
    }
    if (h[GMI_H_LR_DECAY] > 0) lr /= 1.0 + (double)p->n.updates * h[GMI_H_LR_DECAY];
    memset(k, 0, sizeof *k);
    k->lr = (gmi_real)lr;
    k->eps = (gmi_real)GMI_MAX(h[GMI_H_EPS], 0.0);
    k->momentum = (gmi_real)GMI_MAX(h[GMI_H_MOMENTUM], 0.0);
    k->dampening = (gmi_real)GMI_MAX(h[GMI_H_DAMPENING], 0.0);
    k->alpha = (gmi_real)GMI_MAX(h[GMI_H_ALPHA], 0.0);
    k->nesterov = h[GMI_H_NESTEROV] > 0;
    k->centered = h[GMI_H_CENTERED] > 0;
    k->maximize = h[GMI_H_MAXIMIZE] > 0;
    k->decoupled = gmi_rule_table(&p->rule)->decoupled;
    k->first = p->n.updates == 0;
    k->grad_scale = (gmi_real)scale;
    k->clip_value = (gmi_real)h[GMI_H_CLIP_VALUE];
    a->decay = (gmi_real)h[GMI_H_WEIGHT_DECAY];
    if (h[GMI_H_BETA1] < 0) return;
    k->beta1 = (gmi_real)h[GMI_H_BETA1];
    k->beta2 = (gmi_real)h[GMI_H_BETA2];
    k->bias1 = (gmi_real)(1.0 - p->n.beta1_t * (double)k->beta1);
    k->bias2 = (gmi_real)gmi_num_sqrt(1.0 - p->n.beta2_t * (double)k->beta2);
}

static void update(gm_optimizer *p, pass *a)
{
    gmi_parallel(p->ctx, p->n_task, update_task, a);
    p->n.updates++;
    p->n.micro = 0;
    p->n.beta1_t *= (double)a->args.beta1;
    p->n.beta2_t *= (double)a->args.beta2;
    gmi_params_commit(p->w);
    gmi_params_changed(p->w);
}

gm_status gmi_optimizer_step(gm_optimizer *p, double *grad_norm)
{
    const gmi_slot *bad;
    int64_t accumulate = (int64_t)p->rule.h[GMI_H_ACCUMULATE];
    double squares, norm;
    pass a;
    memset(&a, 0, sizeof a);
    a.p = p;
    a.grad = p->w->grad;
    p->n.steps++;
    squares = sum_of_squares(&a);
    if (!finite(squares) && (bad = find_nonfinite(p, &a)) != NULL) return reject(p, bad);
    if (accumulate > 1) {
        a.first = p->n.micro == 0;
        gmi_parallel(p->ctx, p->n_task, sum_task, &a);
        if (++p->n.micro < accumulate) {
            if (grad_norm) *grad_norm = gmi_num_sqrt(squares);
            gmi_params_commit(p->w);
            return GM_OK;
        }
        a.grad = p->sum;
        a.from = p->lo;
        squares = sum_of_squares(&a);
        if (!finite(squares) && (bad = find_nonfinite(p, &a)) != NULL) {
            p->n.micro = 0; /* the sum overflowed: it begins anew */
            return reject(p, bad);
        }
    }
    norm = gmi_num_sqrt(squares) / (double)accumulate;
    if (grad_norm) *grad_norm = norm;
    fill_args(p, norm, &a);
    update(p, &a);
    return GM_OK;
}

gm_status gm_optimizer_step(gm_optimizer *p, double *grad_norm)
{
    if (grad_norm) *grad_norm = 0.0;
    if (!p) return GM_E_INVALID;
    gmi_enter(p->ctx, "optimizer_step");
    return gmi_leave(p->ctx, gmi_optimizer_step(p, grad_norm));
}

/* ---- options and counters ---- */

gm_status gmi_optimizer_set(gm_optimizer *p, const char *name, double value) { return gmi_rule_set(p->ctx, &p->rule, name, value); }

gm_status gm_optimizer_set(gm_optimizer *p, const char *name, double value)
{
    if (!p || !name) return GM_E_INVALID;
    gmi_enter(p->ctx, "optimizer_set");
    return gmi_leave(p->ctx, gmi_optimizer_set(p, name, value));
}

double gmi_optimizer_get(const gm_optimizer *p, const char *name)
{
    int32_t i;
    for (i = 0; i < GMI_H_COUNT; i++)
        if (p->rule.h[i] >= 0 && strcmp(name, gmi_rule_option(i)) == 0) return p->rule.h[i];
    return 0.0;
}

int64_t gmi_optimizer_steps(const gm_optimizer *p) { return p->n.steps; }
int64_t gmi_optimizer_updates(const gm_optimizer *p) { return p->n.updates; }

/* ---- files ---- */

gm_status gmi_optimizer_named(const gm_optimizer *p, const char *prefix, gmi_named_set *s)
{
    const gmi_rule_info *row = gmi_rule_table(&p->rule);
    const char *kind[3];
    gmi_real *base[3];
    char name[128];
    int32_t i, j;
    kind[0] = row->s1;
    kind[1] = p->rule.h[GMI_H_CENTERED] > 0 ? "grad_avg" : row->s2;
    kind[2] = "accumulated";
    base[0] = p->s1;
    base[1] = p->s2;
    base[2] = p->sum;
    for (j = 0; j < 3; j++) {
        if (!base[j]) continue;
        (void)gmi_format(name, sizeof name, "%s%s.", prefix, kind[j]);
        for (i = 0; i < p->w->n_params; i++) {
            const gmi_slot *slot = &p->w->params[i];
            gm_status st;
            if (slot->offset < p->lo || slot->offset >= p->hi) continue;
            st = gmi_named_add(s, name, slot, base[j] + (slot->offset - p->lo));
            if (st) return st;
        }
    }
    return GM_OK;
}

static const char state_key[] = "genrep.optimizer";

static gm_status read_file(gm_optimizer *p, gmi_in *in, gmi_named_set *set)
{
    gmi_safetensors f;
    const char *text;
    gm_status s = gmi_safetensors_open(p->ctx, in, &f);
    if (!s) {
        text = gmi_safetensors_text(&f, state_key, NULL);
        if (!text) s = gmi_fail(p->ctx, GM_E_MODEL, "the file has no metadata %s: it is not an optimizer's", state_key);
        if (!s) s = gmi_optimizer_state_check(p, text);
        if (!s) s = gmi_named_read(set, &f, in);
        if (!s) gmi_optimizer_state_adopt(p);
    }
    gmi_safetensors_close(&f);
    return s;
}

gm_status gm_optimizer_read(gm_optimizer *p, const gm_reader *r)
{
    gmi_named_set set;
    gmi_in in;
    gm_status s;
    if (!p || !r) return GM_E_INVALID;
    gmi_enter(p->ctx, "optimizer_read");
    s = gmi_in_open(p->ctx, r, &in);
    if (s) return gmi_leave(p->ctx, s);
    gmi_named_init(&set, p->ctx);
    s = gmi_optimizer_named(p, "", &set);
    if (!s) s = read_file(p, &in, &set);
    gmi_named_free(&set);
    gmi_in_close(&in);
    return gmi_leave(p->ctx, s);
}

static gm_status write_file(const gm_optimizer *p, gm_writer *to, const gmi_named_set *set, const char *text)
{
    gmi_st_text meta;
    gmi_out o;
    gm_status s = gmi_out_open(p->ctx, to, &o);
    meta.key = state_key;
    meta.value = text;
    return s ? s : gmi_out_close(&o, gmi_named_write(set, &o, 1, &meta));
}

gm_status gm_optimizer_write(const gm_optimizer *p, gm_writer *to)
{
    gmi_named_set set;
    gmi_buf b;
    gm_status s;
    if (!p || !to) return GM_E_INVALID;
    gmi_enter(p->ctx, "optimizer_write");
    gmi_named_init(&set, p->ctx);
    gmi_buf_init(&b, p->ctx);
    s = gmi_optimizer_state_text(p, &b);
    if (!s) s = gmi_optimizer_named(p, "", &set);
    if (!s) s = write_file(p, to, &set, gmi_buf_cstr(&b));
    gmi_buf_free(&b);
    gmi_named_free(&set);
    return gmi_leave(p->ctx, s);
}
