/* SPDX-License-Identifier: MIT */
/* test_vae_fit.c: the training loop: records and their order, stop, cancel, busy calls, early stopping, non-finite steps, logs, checkpoints, endless data,
 * accumulation, limits of memory and time, no allocation in a steady state. */
#include "vae_util.h"
#include <unistd.h>

enum { N = 100, K = 4 };
static float rows[N][K];

static double clock_now;
static double tick_clock(void *user)
{
    (void)user;
    return clock_now += 0.25;
}

typedef struct counting {
    size_t calls;
} counting;
static counting mem;
static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    void *q;
    (void)user;
    (void)align;
    if (!new_size) return free(p), NULL;
    mem.calls++;
    if (posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    return q;
}

static gm_context *context(uint64_t limit)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = 2;
    o.clock = tick_clock;
    o.alloc = counted;
    o.memory_limit = limit;
    return gm_context_create(&o, &c) ? NULL : c;
}

static gm_dataset *dataset(gm_context *c)
{
    gm_tensor *t = vae_rows(c, rows, N, K);
    gm_dataset *d = NULL;
    if (gm_dataset_from_tensor(t, NULL, NULL, &d)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    gm_tensor_destroy(t);
    return d;
}

static gm_vae *with_nets(gm_context *c, gm_dataset *d, const gm_vae_options *more, const char *nets)
{
    gm_vae_options o;
    gm_vae *v = NULL;
    if (more) o = *more;
    else gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = nets;
    o.latent_dim = 2;
    if (gm_vae_create(c, gm_dataset_spec(d), &o, &v)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    return v;
}

static gm_vae *small(gm_context *c, gm_dataset *d, const gm_vae_options *more) { return with_nets(c, d, more, "dense 8; tanh"); }

/* ---- what the callback sees ---- */

typedef struct witness {
    gm_vae *v;
    gm_context *c;
    gm_dataset *d;
    int kinds[6], events[9], wrong;
    int64_t last_step, act_at;
    gm_action action;
    gm_record last[6];
    char order[4096];
    size_t n;
    gm_status allowed, refused;
    char saved[64];
} witness;

static gm_action watch(void *user, const gm_record *r)
{
    witness *w = user;
    w->kinds[r->kind]++;
    w->events[r->event]++;
    if (r->step < w->last_step) w->wrong++;
    w->last_step = r->step;
    w->last[r->kind] = *r;
    if (w->n < sizeof w->order - 2 && r->kind != GM_RECORD_WORK) w->order[w->n++] = "sevEW?"[r->kind == GM_RECORD_EVENT ? 3 : r->kind == GM_RECORD_SAVED ? 4 : r->kind];
    if (r->kind == GM_RECORD_STEP && r->step == w->act_at) return w->action;
    return GM_CONTINUE;
}

static void init_fit(gm_fit_options *f, witness *w)
{
    memset(w, 0, sizeof *w);
    gm_fit_options_init(f, sizeof *f);
    f->batch = 32;
    f->validation_fraction = 0;
    f->patience = 0;
    f->progress = watch;
    f->user = w;
}

static void records(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_vae *v = small(c, d, NULL);
    init_fit(&f, &w);
    f.epochs = 2;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "two epochs (%s)", gm_context_error(c));
    is_text(w.order, "ssssesssse", "four steps (32, 32, 32, 4), an epoch, and again");
    is_int(w.wrong, 0, "steps rise");
    is_int(w.last[GM_RECORD_EPOCH].examples, 2 * N, "examples");
    is_int(w.last[GM_RECORD_EPOCH].epoch, 2, "epoch");
    is_int(w.last[GM_RECORD_EPOCH].epochs, 2, "epochs");
    is_int(w.last[GM_RECORD_STEP].steps, 8, "steps");
    ok(w.last[GM_RECORD_STEP].seconds > 0 && w.last[GM_RECORD_STEP].examples_per_s > 0 && w.last[GM_RECORD_STEP].eta_s == 0, "times come from the clock");
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.n == 10, "epochs count from step 0: nothing is left to do");
    init_fit(&f, &w);
    f.epochs = -1;
    f.max_steps = 9;
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.last_step == 9, "one step more");
    init_fit(&f, &w);
    f.epochs = 1000;
    f.time_limit_s = 5;
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.last_step > 9 && w.last_step < 100, "the time limit ends it at step %d", (int)w.last_step);
    gm_vae_destroy(v);
}

static void stop_and_cancel(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_vae *v = small(c, d, NULL);
    char *a = NULL, *b = NULL;
    size_t n, m;
    init_fit(&f, &w);
    w.act_at = 3;
    w.action = GM_STOP;
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.last_step == 3, "GM_STOP ends well");
    n = vae_bytes(v, 1, &a);
    init_fit(&f, &w);
    w.act_at = 5;
    w.action = GM_CANCEL;
    is_int(gm_vae_fit(v, d, &f), GM_E_CANCELLED, "GM_CANCEL: %s", gm_context_error(c));
    m = vae_bytes(v, 1, &b);
    ok(n && m && (n != m || memcmp(a, b, n)), "the model went on from step 3");
    gm_vae_destroy(v);
    v = small(c, d, NULL);
    init_fit(&f, &w);
    f.max_steps = 5;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "five steps");
    free(a);
    n = vae_bytes(v, 1, &a);
    ok(n == m && !memcmp(a, b, n), "the cancelled model is that of step 5");
    init_fit(&f, &w);
    w.act_at = 6;
    w.action = 77;
    is_int(gm_vae_fit(v, d, &f), GM_E_CALLBACK, "an answer that is none: %s", gm_context_error(c));
    init_fit(&f, &w);
    gm_context_cancel(c);
    is_int(gm_vae_fit(v, d, &f), GM_E_CANCELLED, "gm_context_cancel: %s", gm_context_error(c));
    f.max_steps = 12;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "the flag is down again");
    free(a);
    free(b);
    gm_vae_destroy(v);
}

/* ---- busy ---- */

static gm_action meddle(void *user, const gm_record *r)
{
    witness *w = user;
    static float z[5][2], x[5][K];
    gm_tensor *tz, *tx;
    gm_record rec;
    char *bytes = NULL;
    gm_status s;
    if (r->kind != GM_RECORD_STEP || r->step != 3) return GM_CONTINUE;
    tz = vae_rows(w->c, z, 5, 2);
    tx = vae_rows(w->c, x, 5, K);
    gm_record_init(&rec, sizeof rec);
    s = gm_vae_encode(w->v, tx, NULL, tz, NULL);
    if (!s) s = gm_vae_decode(w->v, tz, NULL, GM_DRAW_SAMPLE, 1, tx);
    if (!s) s = gm_vae_reconstruct(w->v, tx, NULL, tx);
    if (!s) s = gm_vae_sample(w->v, NULL, NULL, tx);
    if (!s) s = gm_vae_evaluate(w->v, w->d, 1, &rec);
    if (!s && !vae_bytes(w->v, 1, &bytes)) s = GM_E_IO;
    if (!s) s = gm_optimizer_set(gm_vae_optimizer(w->v), "lr", 0.001);
    w->allowed = s;
    free(bytes);
    w->refused = gm_vae_step(w->v, tx, NULL, &rec);
    if (w->refused == GM_E_BUSY) w->refused = gm_vae_fit(w->v, w->d, NULL);
    if (w->refused == GM_E_BUSY) w->refused = gm_vae_reserve(w->v, 4);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tx);
    return GM_CONTINUE;
}

static gm_action destroy_it(void *user, const gm_record *r)
{
    witness *w = user;
    if (r->kind == GM_RECORD_STEP && r->step == 8) {
        gm_vae_destroy(w->v);
        return GM_STOP;
    }
    return GM_CONTINUE;
}

static void busy(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_vae *v = small(c, d, NULL), *u = small(c, d, NULL);
    char *a = NULL, *b = NULL;
    size_t n, m;
    init_fit(&f, &w);
    f.max_steps = 6;
    f.progress = meddle;
    w.v = v;
    w.c = c;
    w.d = d;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "a callback that uses the model (%s)", gm_context_error(c));
    is_int(w.allowed, GM_OK, "may encode, decode, reconstruct, sample, evaluate, write, set the optimizer");
    is_int(w.refused, GM_E_BUSY, "may not step, fit, reserve");
    f.progress = NULL;
    ok(gm_vae_fit(u, d, &f) == GM_OK, "the same without it");
    n = vae_bytes(v, 1, &a);
    m = vae_bytes(u, 1, &b);
    ok(n == m && !memcmp(a, b, n), "leaves no trace in the training");
    f.progress = destroy_it;
    f.max_steps = 12;
    w.v = u;
    ok(gm_vae_fit(u, d, &f) == GM_OK, "a callback may destroy the handle");
    free(a);
    free(b);
    gm_vae_destroy(v);
}

/* ---- validation, early stopping, checkpoints, logs ---- */

static size_t read_file(const char *path, char **to)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    *to = calloc(1, 1 << 20);
    n = f ? fread(*to, 1, (1 << 20) - 1, f) : 0;
    if (f) fclose(f);
    return n;
}

static void other_shape(gm_context *c, gm_dataset *d)
{
    static float wide[9][K + 1];
    gm_tensor *t = vae_rows(c, wide, 9, K + 1);
    gm_dataset *other = NULL;
    gm_fit_options f;
    witness w;
    gm_record r;
    gm_vae *v = small(c, d, NULL);
    init_fit(&f, &w);
    gm_record_init(&r, sizeof r);
    if (gm_dataset_from_tensor(t, NULL, NULL, &other)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    is_int(gm_vae_fit(v, other, &f), GM_E_SHAPE, "data of another shape: %s", gm_context_error(c));
    f.validation = other;
    is_int(gm_vae_fit(v, d, &f), GM_E_SHAPE, "validation data of another shape: %s", gm_context_error(c));
    is_int(gm_vae_evaluate(v, other, 1, &r), GM_E_SHAPE, "evaluation: %s", gm_context_error(c));
    is_int(w.n, 0, "nothing was trained");
    f.batch = 0;
    is_int(gm_vae_fit(v, d, &f), GM_E_RANGE, "batch 0: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    gm_dataset_destroy(other);
    gm_vae_destroy(v);
}

static void early(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_vae_options o;
    gm_vae *v;
    gm_record r;
    gm_dataset *a = NULL, *b = NULL;
    gm_vae_options_init(&o, sizeof o);
    o.optimizer = "adam lr=0.05"; /* overfits soon */
    v = small(c, d, &o);
    ok(gm_dataset_split(d, 0.3, 4, &a, &b) == GM_OK, "a small training part");
    init_fit(&f, &w);
    f.validation = b;
    f.patience = 3;
    f.epochs = 5000;
    ok(gm_vae_fit(v, a, &f) == GM_OK, "early stopping (%s)", gm_context_error(c));
    is_int(w.events[GM_EVENT_OVERFIT], 1, "one overfit event: %s", w.last[GM_RECORD_EVENT].message ? "given" : "missing");
    ok(w.last_step < 5000, "it ended at step %d", (int)w.last_step);
    ok(w.kinds[GM_RECORD_WORK] > 0, "validation reports as it goes");
    gm_record_init(&r, sizeof r);
    ok(gm_vae_evaluate(v, b, 1, &r) == GM_OK && r.objective < w.last[GM_RECORD_VALIDATION].objective, "the best weights are back: %g, not %g", r.objective,
       w.last[GM_RECORD_VALIDATION].objective);
    gm_dataset_destroy(a);
    gm_dataset_destroy(b);
    gm_vae_destroy(v);
}

static void files(gm_context *c, gm_dataset *d)
{
    static char jsonl[1 << 20], csv[1 << 20];
    gm_fit_options f;
    witness w;
    gm_writer wj, wc;
    gm_vae *v = small(c, d, NULL), *u = NULL;
    char *a = NULL, *b = NULL, path[64];
    size_t n, m, lines = 0, i;
    sprintf(path, "/tmp/genrep-test-%ld.safetensors", (long)getpid());
    init_fit(&f, &w);
    gm_writer_init(&wj, sizeof wj);
    gm_writer_init(&wc, sizeof wc);
    wj.memory = jsonl;
    wj.capacity = sizeof jsonl - 1;
    wc.memory = csv;
    wc.capacity = sizeof csv - 1;
    f.jsonl = &wj;
    f.csv = &wc;
    f.checkpoint_path = path;
    f.checkpoint_steps = 3;
    f.max_steps = 6;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "with logs and checkpoints (%s)", gm_context_error(c));
    is_int(w.kinds[GM_RECORD_SAVED], 2, "two checkpoints were told");
    for (i = 0; i < wj.used; i++) lines += jsonl[i] == '\n';
    is_int(lines, (size_t)(w.kinds[GM_RECORD_STEP] + w.kinds[GM_RECORD_EPOCH] + w.kinds[GM_RECORD_SAVED]), "a JSON line for each record");
    for (lines = i = 0; i < wc.used; i++) lines += csv[i] == '\n';
    is_int(lines, (size_t)(1 + w.kinds[GM_RECORD_STEP] + w.kinds[GM_RECORD_EPOCH] + w.kinds[GM_RECORD_SAVED]), "a CSV line too, and the titles");
    n = vae_bytes(v, 1, &a);
    m = read_file(path, &b);
    ok(n && n == m && !memcmp(a, b, n), "the last checkpoint is the model at step 6");
    ok(gm_vae_load(c, path, &u) == GM_OK, "it loads (%s)", gm_context_error(c));
    remove(path);
    f.checkpoint_path = "/nonexistent/x";
    f.max_steps = 9;
    is_int(gm_vae_fit(v, d, &f), GM_E_IO, "an unwritable checkpoint: %s", gm_context_error(c));
    f.checkpoint_path = NULL;
    is_int(gm_vae_fit(v, d, &f), GM_E_INVALID, "checkpoint_steps without a path: %s", gm_context_error(c));
    free(a);
    free(b);
    gm_vae_destroy(u);
    gm_vae_destroy(v);
}

/* ---- non-finite steps ---- */

static gm_node poison(void *user, gm_graph *g, gm_node x, gm_node z, gm_node x_mean)
{
    (void)user;
    (void)z;
    (void)x_mean;
    return gm_op_scale(g, gm_op_mean(g, gm_op_log(g, gm_op_shift(g, gm_op_neg(g, gm_op_square(g, x)), -1)), 3, 0), 1.0);
}

static void nonfinite(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness w;
    gm_vae_options o;
    gm_record r;
    gm_tensor *t = vae_rows(c, rows, 10, K), *p = NULL;
    gm_vae *v;
    float before[8 * K];
    gm_vae_options_init(&o, sizeof o);
    o.extra_loss = poison;
    v = small(c, d, &o);
    if (gm_params_view(gm_vae_params(v), "encoder.0.weight", &p)) printf("Bail out!\n"), exit(1);
    memcpy(before, gm_tensor_data_const(p), sizeof before);
    gm_record_init(&r, sizeof r);
    is_int(gm_vae_step(v, t, NULL, &r), GM_E_NONFINITE, "a step that is not finite: %s", gm_context_error(c));
    ok(!memcmp(before, gm_tensor_data_const(p), sizeof before), "leaves the weights");
    init_fit(&f, &w);
    is_int(gm_vae_fit(v, d, &f), GM_E_NONFINITE, "fit gives up: %s", gm_context_error(c));
    is_int(w.events[GM_EVENT_NONFINITE], 19, "after 19 events and a 20th step");
    ok(!memcmp(before, gm_tensor_data_const(p), sizeof before), "the weights are still those");
    gm_vae_set_extra_loss(v, NULL, NULL);
    ok(gm_vae_step(v, t, NULL, &r) == GM_OK && r.step == 22, "without the poison it goes on, at step %d", (int)r.step);
    gm_tensor_destroy(t);
    gm_tensor_destroy(p);
    gm_vae_destroy(v);
}

/* ---- sources, accumulation, memory ---- */

static gm_status fetch(void *user, int64_t n, const int64_t *index, void *x, void *cond)
{
    float *to = x;
    int64_t i, j;
    (void)cond;
    ++*(int *)user;
    for (i = 0; i < n; i++)
        for (j = 0; j < K; j++) to[i * K + j] = (float)((index[i] * 7 + j * 3) % 11);
    return GM_OK;
}

static void endless(gm_context *c)
{
    gm_fit_options f;
    witness w;
    gm_spec spec;
    gm_source src;
    gm_dataset *d = NULL;
    gm_vae *v;
    int calls = 0;
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gm_source_init(&src, sizeof src);
    src.user = &calls;
    src.count = -1;
    src.fetch = fetch;
    ok(gm_dataset_from_source(c, &spec, &src, &d) == GM_OK, "an endless source (%s)", gm_context_error(c));
    v = small(c, d, NULL);
    init_fit(&f, &w);
    f.max_steps = 5;
    ok(gm_vae_fit(v, d, &f) == GM_OK && w.last_step == 5 && w.kinds[GM_RECORD_EPOCH] == 0, "five steps, no epochs (%s)", gm_context_error(c));
    init_fit(&f, &w);
    f.progress = NULL;
    is_int(gm_vae_fit(v, d, &f), GM_E_INVALID, "without an end: %s", gm_context_error(c));
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

/* Two micro-batches of 50 are a batch of 100: the noise of a row and the sum of gradients are the same up to rounding. */
static void accumulate(gm_context *c, gm_dataset *d)
{
    gm_fit_options f;
    witness a, b;
    static const char nets[] = "dense 64; tanh; dense 64; tanh"; /* gradients of several blocks: sums of squares of one micro-batch must not serve for all */
    gm_vae *v = with_nets(c, d, NULL, nets), *u = with_nets(c, d, NULL, nets);
    init_fit(&f, &a);
    f.batch = N;
    f.max_steps = 5;
    ok(gm_vae_fit(v, d, &f) == GM_OK, "batches of 100 (%s)", gm_context_error(c));
    init_fit(&f, &b);
    f.batch = 30;
    f.accumulate = 4;
    f.max_steps = 5;
    ok(gm_vae_fit(u, d, &f) == GM_OK, "micro-batches of 30, 30, 30, 10 (%s)", gm_context_error(c));
    near(a.last[GM_RECORD_STEP].objective, b.last[GM_RECORD_STEP].objective, 1e-4, "the same objective after 5 steps");
    near(a.last[GM_RECORD_STEP].grad_norm, b.last[GM_RECORD_STEP].grad_norm, 1e-4, "and the same gradient");
    is_int(a.last[GM_RECORD_STEP].examples, b.last[GM_RECORD_STEP].examples, "and examples");
    gm_vae_destroy(v);
    gm_vae_destroy(u);
}

static void steady(gm_context *c, gm_dataset *d)
{
    static float z[64][2], x[64][K];
    gm_vae_options o;
    gm_record r;
    gm_sample_options so;
    gm_vae *v;
    gm_tensor *tx = vae_rows(c, rows, 64, K), *tz = vae_rows(c, z, 64, 2), *ty = vae_rows(c, x, 64, K), *few = vae_rows(c, z, 7, 2), *out = vae_rows(c, x, 7, K),
              *one = vae_rows(c, z, 1, 2), *single = vae_rows(c, x, 1, K);
    size_t before;
    gm_status s;
    int i;
    gm_vae_options_init(&o, sizeof o);
    o.ema_half_life = 500;
    v = small(c, d, &o);
    gm_record_init(&r, sizeof r);
    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    ok(gm_vae_reserve(v, 64) == GM_OK, "reserve (%s)", gm_context_error(c));
    before = mem.calls;
    s = GM_OK;
    for (i = 0; !s && i < 5; i++) {
        s = gm_vae_step(v, tx, NULL, &r);
        if (!s) s = gm_vae_encode(v, tx, NULL, tz, NULL);
        if (!s) s = gm_vae_decode(v, tz, NULL, GM_DRAW_MEAN, 0, ty);
        if (!s) s = gm_vae_decode(v, few, NULL, GM_DRAW_SAMPLE, 0, out);
        if (!s) s = gm_vae_decode(v, one, NULL, GM_DRAW_MEAN, 0, single);
        if (!s) s = gm_vae_reconstruct(v, tx, NULL, ty);
        if (!s) s = gm_vae_sample(v, &so, NULL, out);
    }
    ok(!s, "steps and inference (%s)", gm_context_error(c));
    is_int(mem.calls - before, 0, "allocate nothing after reserve");
    gm_tensor_destroy(tx);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ty);
    gm_tensor_destroy(few);
    gm_tensor_destroy(out);
    gm_tensor_destroy(one);
    gm_tensor_destroy(single);
    gm_vae_destroy(v);
}

static size_t calls_then;
static int steps_seen;
static size_t in_steps;
static gm_action count_steps(void *user, const gm_record *r)
{
    (void)user;
    if (r->kind != GM_RECORD_STEP) return GM_CONTINUE;
    if (steps_seen++ >= 5) in_steps += mem.calls - calls_then; /* past the first epoch's sizes */
    calls_then = mem.calls;
    return GM_CONTINUE;
}

static void memory(void)
{
    gm_context *c = context(0);
    gm_dataset *d = dataset(c);
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL;
    uint64_t train = 0, infer = 0, now = 0, then = 0;
    gm_vae_options_init(&o, sizeof o);
    gm_context_memory(c, &then, NULL);
    ok(gm_vae_memory(c, gm_dataset_spec(d), &o, 64, &train, &infer) == GM_OK && train > 0 && infer > 0, "memory: %llu to train, %llu to infer (%s)",
       (unsigned long long)train, (unsigned long long)infer, gm_context_error(c));
    gm_context_memory(c, &now, NULL);
    is_int(now, then, "asking keeps nothing");
    gm_fit_options_init(&f, sizeof f);
    f.batch = 32;
    f.validation_fraction = 0;
    f.max_steps = 20;
    f.progress = count_steps;
    v = small(c, d, NULL);
    ok(gm_vae_fit(v, d, &f) == GM_OK, "fit (%s)", gm_context_error(c));
    is_int(in_steps, 0, "allocates nothing from step to step");
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_context_destroy(c);
    c = context(3000000);
    d = dataset(c);
    v = small(c, d, NULL);
    is_int(gm_vae_reserve(v, 1000000), GM_E_BUDGET, "a limit of 3 MB: %s", gm_context_error(c));
    ok(strstr(gm_context_error(c), "largest batch that fits is ") != NULL, "the message names a batch");
    {
        long fits = strtol(strstr(gm_context_error(c), "fits is ") + 8, NULL, 10);
        ok(fits > 0 && gm_vae_reserve(v, fits) == GM_OK, "and a batch of %ld does fit (%s)", fits, gm_context_error(c));
    }
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
    gm_context_destroy(c);
}

/* The output's bias begins at the data: logits of means, means, log frequencies; a convolution's at its channel's. */
static void bias_of(gm_context *c, gm_dataset *d, const gm_vae_options *more, const char *name, const double *want, int n)
{
    gm_fit_options f;
    gm_vae_options o = *more;
    gm_vae *v = NULL;
    gm_tensor *b = NULL;
    double off = 0;
    int i;
    o.bias_init = 1;
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = 0;
    f.validation_fraction = 0;
    gm_status s = gm_vae_create(c, gm_dataset_spec(d), &o, &v);
    if (!s) s = gm_vae_fit(v, d, &f);
    if (!s) s = gm_params_view(gm_vae_params(v), name, &b);
    for (i = 0; !s && i < n; i++) off = fmax(off, fabs((double)((const float *)gm_tensor_data_const(b))[i] - want[i]));
    ok(!s && off < 1e-4, "%s begins at the data: off by %g (%s)", name, off, gm_context_error(c));
    gm_tensor_destroy(b);
    gm_vae_destroy(v);
}

static void biases(gm_context *c)
{
    static uint8_t x[60][2][2][2];
    static float y[60][3];
    gm_vae_options o;
    gm_spec spec;
    gm_dataset *d = NULL;
    double mean[8] = {0}, want[8], channel[2] = {0, 0}, freq[24] = {0};
    gm_tensor *t = vae_wrap(c, GM_U8, x, 4, 60, 2, 2, 2), *u = vae_rows(c, y, 60, 3);
    uint32_t seed = 1;
    int i, j;
    for (i = 0; i < 60; i++)
        for (j = 0; j < 8; j++) {
            x[i][j / 4][j / 2 % 2][j % 2] = (uint8_t)(vae_random(&seed) * 3);
            mean[j] += x[i][j / 4][j / 2 % 2][j % 2] / 120.0;
            channel[j / 4] += x[i][j / 4][j / 2 % 2][j % 2] / 480.0;
            freq[j / 4 * 12 + x[i][j / 4][j / 2 % 2][j % 2] * 4 + j % 4] += 1;
        }
    vae_spec(&spec, GM_U8, GM_SCALE_UNIT, 3, 2, 2, 2);
    spec.hi = 2;
    if (gm_dataset_from_tensor(t, NULL, &spec, &d)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 4; relu";
    for (i = 0; i < 8; i++) want[i] = log(mean[i] / (1 - mean[i]));
    bias_of(c, d, &o, "output.bias", want, 8);
    o.decoder = "dense 4; relu; reshape 4x1x1; conv_transpose 2 k2";
    for (i = 0; i < 2; i++) want[i] = log(channel[i] / (1 - channel[i]));
    bias_of(c, d, &o, "decoder.3.bias", want, 2);
    o.decoder = NULL;
    o.likelihood = GM_LIKELIHOOD_CATEGORICAL;
    for (i = 0; i < 24; i++) freq[i] = log((freq[i] + 0.5) / 61.5);
    bias_of(c, d, &o, "output.bias", freq, 24);
    gm_dataset_destroy(d);
    for (i = 0; i < 60; i++)
        for (j = 0; j < 3; j++) y[i][j] = (float)(j + vae_random(&seed));
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, 3, 0, 0);
    if (gm_dataset_from_tensor(u, NULL, &spec, &d)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    for (j = 0; j < 3; j++)
        for (want[j] = 0, i = 0; i < 60; i++) want[j] += (double)y[i][j] / 60;
    bias_of(c, d, &o, "output.bias", want, 3);
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    gm_tensor_destroy(u);
}

/* Under a limit that does not hold every program at once the old ones give way, and results stay the same. */
static void eviction(void)
{
    static float x[256][K], a[2][256][K];
    uint64_t used[2] = {0, 0};
    int round, n;
    for (round = 0; round < 2; round++) {
        gm_context *c = context(round ? used[0] * 6 / 10 : 0);
        gm_dataset *d = dataset(c);
        gm_vae *v = small(c, d, NULL);
        gm_status s = GM_OK;
        for (n = 1; !s && n <= 256; n *= 4) {
            gm_tensor *tx = vae_rows(c, x, n, K), *ty = vae_rows(c, a[round], n, K);
            s = gm_vae_reconstruct(v, tx, NULL, ty);
            if (!s) s = gm_vae_sample(v, NULL, NULL, ty);
            if (!s) s = gm_vae_reconstruct(v, tx, NULL, ty);
            gm_tensor_destroy(tx);
            gm_tensor_destroy(ty);
        }
        ok(!s, "five sizes of inference within %d bytes (%s)", round ? (int)(used[0] * 6 / 10) : 0, gm_context_error(c));
        gm_context_memory(c, &used[round], NULL);
        gm_vae_destroy(v);
        gm_dataset_destroy(d);
        gm_context_destroy(c);
    }
    ok(used[1] <= used[0] * 6 / 10, "%d bytes are %d under the limit", (int)used[0], (int)used[1]);
    ok(!memcmp(a[0], a[1], sizeof a[0]), "the same results");
}

int main(void)
{
    gm_context *c = context(0);
    gm_dataset *d;
    uint32_t seed = 6;
    int i, j;
    for (i = 0; i < N; i++)
        for (j = 0; j < K; j++) rows[i][j] = (float)(vae_random(&seed) * (j + 1) + (i % 2));
    d = dataset(c);
    records(c, d);
    stop_and_cancel(c, d);
    busy(c, d);
    other_shape(c, d);
    early(c, d);
    files(c, d);
    nonfinite(c, d);
    endless(c);
    accumulate(c, d);
    steady(c, d);
    biases(c);
    memory();
    eviction();
    gm_dataset_destroy(d);
    gm_context_destroy(c);
    return done();
}
