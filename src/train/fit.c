/* SPDX-License-Identifier: MIT */
/* fit.c: the training loop that every model family shares.
 *
 * Steps are counted from the model's first one, and everything follows from the counter: with S = ceil(rows / (batch * accumulate)) steps an epoch, step t
 * belongs to epoch t / S and takes the next rows of that epoch's keyed permutation; the last step of an epoch takes what is left. Validation comes at the ends
 * of epochs, but at least 100 steps apart, so that patience means the same on small data. The end of an epoch is told by the state (rows summed, none
 * left), not by the loop, so that a loop that was stopped between the two is taken up there by the next one. */
#include "train/fit.h"
#include "nn/nn.h"
#include "format/bytes.h"
#include "train/record.h"

#define AUTO_STEPS 10000     /* epochs -1: as many as make so many steps */
#define VALIDATION_STEPS 100 /* at least so many between two validations */
#define MOST_REJECTED 20     /* non-finite steps in a row */
#define COLLAPSED 0.01       /* nats: a dimension that carries less is not used */

typedef struct loop {
    gm_context *c;
    const gmi_family *f;
    gmi_fit_state *s;
    gm_fit_options o;
    gm_dataset *train, *validation; /* validation may be NULL */
    gm_dataset *part[2];            /* of our own split */
    int64_t count, span, per_epoch; /* rows (-1 endless), rows of a step, steps of an epoch (0 endless) */
    int64_t last;                   /* step to end at, INT64_MAX when none */
    int64_t begun, begun_examples;  /* counters when the loop began */
    int64_t *index;
    float *kl;
    gmi_record_log log[2];
    double t0, paused;              /* begin; time not spent on training */
    int32_t ended;                  /* stop at the next turn */
    int32_t early;                  /* by early stopping */
    char message[512];
} loop;

static double no_number(void) { return gmi_bits_double(0x7ff8000000000000ull); }

void gmi_fit_state_init(gmi_fit_state *s)
{
    memset(s, 0, sizeof *s);
    s->best_epoch = -1;
    s->lowest = no_number();
}

void gmi_forget(gm_context *c)
{
    if (c->held) return;
    c->status = GM_OK;
    c->stale = 0;
    c->message[0] = 0;
}

double gmi_clock(gm_context *c)
{
    if (!c->clock) return no_number();
    gmi_callback_state st = gmi_callback_begin(c);
    double t = c->clock(c->clock_user);
    gmi_callback_end(c, st);
    return t;
}

/* ---- records ---- */

static gm_status act(loop *l, gm_action a)
{
    if (a == GM_CONTINUE) return GM_OK;
    if (a == GM_STOP) {
        l->ended = 1;
        return GM_OK;
    }
    if (a == GM_CANCEL) return gmi_fail(l->c, GM_E_CANCELLED, "cancelled by the progress callback at step %i", l->s->step);
    return gmi_fail(l->c, GM_E_CALLBACK, "the progress callback returned %d, which is no gm_action", a);
}

static void fill_position(loop *l, gm_record *r)
{
    const int64_t done = l->s->step;
    const double t = gmi_clock(l->c), spent = t - l->t0 - l->paused;
    r->call = l->f->call;
    r->step = done;
    r->steps = l->last == INT64_MAX ? -1 : l->last;
    r->epoch = l->per_epoch ? (done + l->per_epoch - 1) / l->per_epoch : 0;
    r->epochs = l->per_epoch && l->last < INT64_MAX ? (l->last + l->per_epoch - 1) / l->per_epoch : -1;
    r->examples = l->s->examples;
    r->seconds = t - l->t0;
    if (!(spent > 0)) return;
    r->examples_per_s = (double)(l->s->examples - l->begun_examples) / spent;
    if (l->last < INT64_MAX && done > l->begun) r->eta_s = spent / (double)(done - l->begun) * (double)(l->last - done);
}

static gm_status call_progress(loop *l, const gm_record *r)
{
    if (!l->o.progress) return GM_OK;
    gmi_callback_state st = gmi_callback_begin(l->c);
    gm_action a = l->o.progress(l->o.user, r);
    gmi_callback_end(l->c, st);
    return act(l, a);
}

/* To the callback and the logs. */
static gm_status tell(loop *l, gm_record *r)
{
    fill_position(l, r);
    gm_status s = gmi_record_log_add(&l->log[0], r);
    if (!s) s = gmi_record_log_add(&l->log[1], r);
    return s ? s : call_progress(l, r);
}

static gm_status tell_event(loop *l, gm_event e, const char *message)
{
    gm_record r;
    gm_record_init(&r, sizeof r);
    r.kind = GM_RECORD_EVENT;
    r.event = e;
    r.message = message;
    return tell(l, &r);
}

/* ---- one step ---- */

static void choose_rows(loop *l, gmi_fit_batch *b)
{
    const int64_t t = l->s->step;
    b->data = l->train;
    b->index = l->index;
    b->micro = l->o.batch;
    if (!l->per_epoch) {
        b->n = l->span;
        b->epoch = 0;
        for (int64_t i = 0; i < b->n; i++) l->index[i] = t * l->span + i;
        return;
    }
    const int64_t epoch = t / l->per_epoch, at = t % l->per_epoch * l->span;
    const uint64_t key = gmi_mix64(gmi_mix64(gmi_hash_text(l->o.seed ^ GMI_HASH_START, "shuffle")) + (uint64_t)epoch);
    b->n = GMI_MIN(l->span, l->count - at);
    b->epoch = (double)epoch + (double)at / (double)l->count;
    for (int64_t i = 0; i < b->n; i++) l->index[i] = gmi_permute(at + i, l->count, key);
}

/* A field that a step does not have (NaN) is left out of the mean of those that do. */
static void add_sum(gmi_fit_state *s, int32_t field, double v, double k)
{
    if (v != v) return;
    s->sums[field] += k * v;
    s->weights[field] += k;
}

static void add_sums(gmi_fit_state *s, const gm_record *r, int64_t n)
{
    const double k = (double)n;
#define ADD(name) add_sum(s, GMI_FIT_##name, r->name, k);
    GMI_FIT_FIELDS(ADD)
#undef ADD
    for (int64_t j = 0; r->kl_per_dim && j < s->n_kl && j < r->n_kl; j++) s->kl[j] += k * (double)r->kl_per_dim[j];
    s->rows += n;
}

/* A step that was not finite: told, and the end when it happens too often. */
static gm_status rejected(loop *l)
{
    if (++l->s->rejected >= MOST_REJECTED) return GM_E_NONFINITE;
    gmi_format(l->message, sizeof l->message, "%s", l->c->message);
    gmi_forget(l->c);
    return tell_event(l, GM_EVENT_NONFINITE, l->message);
}

static gm_status one_step(loop *l)
{
    gm_record r;
    gmi_fit_batch b;
    gm_record_init(&r, sizeof r);
    choose_rows(l, &b);
    gm_status s = l->f->step(l->f->self, &b, &r);
    if (s == GM_E_NONFINITE && r.event == GM_EVENT_NONFINITE) return rejected(l);
    if (s) return s;
    l->s->rejected = 0;
    add_sums(l->s, &r, b.n);
    r.kind = GM_RECORD_STEP;
    return tell(l, &r);
}

/* ---- the end of an epoch ---- */

static void epoch_record(loop *l, gm_record *r)
{
    gmi_fit_state *s = l->s;
    const double n = (double)s->rows;
    gm_record_init(r, sizeof *r);
    r->kind = GM_RECORD_EPOCH;
#define MEAN(name) r->name = s->sums[GMI_FIT_##name] / s->weights[GMI_FIT_##name];
    GMI_FIT_FIELDS(MEAN)
#undef MEAN
    for (int64_t j = 0; j < s->n_kl; j++) l->kl[j] = (float)(s->kl[j] / n);
    r->n_kl = s->n_kl;
    r->kl_per_dim = s->n_kl ? l->kl : NULL;
    memset(s->sums, 0, sizeof s->sums);
    memset(s->weights, 0, sizeof s->weights);
    if (s->n_kl) memset(s->kl, 0, (size_t)s->n_kl * sizeof *s->kl);
    s->rows = 0;
}

static gm_status watch(loop *l, const gm_record *r)
{
    gmi_fit_state *s = l->s;
    gm_status st = GM_OK;
    int64_t used = 0;
    for (int64_t j = 0; j < s->n_kl; j++) used += r->kl_per_dim[j] >= COLLAPSED;
    if (s->n_kl && !used && !s->collapse_told) {
        s->collapse_told = 1;
        st = tell_event(l, GM_EVENT_POSTERIOR_COLLAPSE, "every latent dimension carries less than 0.01 nats: lower beta, warm it up, or set free_bits");
    }
    const double worse = s->lowest + (s->lowest < 0 ? -0.5 * s->lowest : 0.5 * s->lowest) + 1;
    if (!st && r->objective > worse && !s->diverged_told) {
        s->diverged_told = 1;
        st = tell_event(l, GM_EVENT_DIVERGENCE, "the objective is half again above its best epoch: lower the learning rate, or clip gradients");
    }
    if (!(s->lowest <= r->objective)) s->lowest = r->objective;
    return st;
}

static gm_status tick(void *user, int64_t done, int64_t total)
{
    loop *l = user;
    gm_record r;
    if (!l->o.progress) return GM_OK;
    gm_record_init(&r, sizeof r);
    fill_position(l, &r);
    r.kind = GM_RECORD_WORK;
    gmi_format(l->message, sizeof l->message, "validation: %i of %i rows", done, total);
    r.message = l->message;
    return call_progress(l, &r);
}

static gm_status validate(loop *l)
{
    gmi_fit_state *s = l->s;
    gm_record r;
    double t = gmi_clock(l->c), criterion = 0;
    gm_record_init(&r, sizeof r);
    gm_status st = l->f->evaluate(l->f->self, l->validation, tick, l, &r, &criterion);
    if (gmi_f64_finite(t)) l->paused += gmi_clock(l->c) - t;
    r.kind = GM_RECORD_VALIDATION;
    if (!st) st = tell(l, &r);
    if (st || l->o.patience < 1 || !l->f->keep_best) return st;
    if (s->best_epoch < 0 || criterion < s->best) {
        st = l->f->keep_best(l->f->self);
        if (st) return st;
        s->best = criterion;
        s->best_epoch = r.epoch;
        s->bad = 0;
        return GM_OK;
    }
    if (++s->bad < l->o.patience) return GM_OK;
    l->ended = l->early = 1;
    gmi_format(l->message, sizeof l->message, "no gain in %i validations: the weights of epoch %i are back", l->o.patience, s->best_epoch);
    return tell_event(l, GM_EVENT_OVERFIT, l->message);
}

static int epoch_over(const loop *l) { return l->per_epoch && l->s->rows > 0 && l->s->step % l->per_epoch == 0; }

static gm_status end_epoch(loop *l)
{
    gm_record r;
    const int64_t epoch = l->s->step / l->per_epoch, every = (VALIDATION_STEPS + l->per_epoch - 1) / l->per_epoch;
    epoch_record(l, &r);
    gm_status s = tell(l, &r);
    if (!s) s = watch(l, &r);
    if (!s && l->validation && epoch % every == 0) s = validate(l);
    return s;
}

static gm_status checkpoint(loop *l)
{
    gm_record r;
    double t = gmi_clock(l->c);
    gm_status s = l->f->checkpoint(l->f->self, l->o.checkpoint_path);
    if (gmi_f64_finite(t)) l->paused += gmi_clock(l->c) - t;
    gm_record_init(&r, sizeof r);
    r.kind = GM_RECORD_SAVED;
    r.message = l->o.checkpoint_path;
    return s ? s : tell(l, &r);
}

/* ---- the loop ---- */

static gm_status run(loop *l)
{
    gm_status s = GM_OK;
    if (epoch_over(l)) s = end_epoch(l);
    while (!s && !l->ended && l->s->step < l->last) {
        s = one_step(l);
        if (!s && epoch_over(l) && !l->ended) s = end_epoch(l);
        if (!s && l->o.checkpoint_steps > 0 && l->s->step % l->o.checkpoint_steps == 0) s = checkpoint(l);
        if (!s && gmi_cancelled(l->c)) s = gmi_fail(l->c, GM_E_CANCELLED, "cancelled at step %i", l->s->step);
        if (!s && l->o.time_limit_s > 0 && gmi_clock(l->c) - l->t0 >= l->o.time_limit_s) l->ended = 1;
    }
    return s;
}

static gm_status take_options(loop *l, const gm_fit_options *given)
{
    gm_context *c = l->c;
    gm_fit_options *o = &l->o;
    gm_fit_options_init(o, sizeof *o);
    if (given && gmi_options_merge(o, sizeof *o, given))
        return gmi_fail(c, GM_E_INVALID, "gm_fit_options.size is wrong, or a field beyond this version is set: call gm_fit_options_init");
    if (o->batch < 1) return gmi_fail(c, GM_E_RANGE, "batch is %i; give at least 1", o->batch);
    if (o->accumulate < 1 || o->accumulate > 4096) return gmi_fail(c, GM_E_RANGE, "accumulate is %i; 1 to 4096", o->accumulate);
    if (!(o->validation_fraction >= 0 && o->validation_fraction < 1))
        return gmi_fail(c, GM_E_RANGE, "validation_fraction is %g; 0 (none) to below 1", o->validation_fraction);
    if (!(o->time_limit_s >= 0)) return gmi_fail(c, GM_E_RANGE, "time_limit_s is %g; 0 is none", o->time_limit_s);
    if (o->time_limit_s > 0 && !c->clock)
        return gmi_fail(c, GM_E_INVALID, "time_limit_s is %g; a time limit needs gm_context_options.clock", o->time_limit_s);
    if (o->checkpoint_steps > 0 && !o->checkpoint_path)
        return gmi_fail(c, GM_E_INVALID, "checkpoint_steps is %i, but checkpoint_path is NULL", o->checkpoint_steps);
    if (o->batch > INT64_MAX / 4096 / (int64_t)sizeof(int64_t)) return gmi_fail(c, GM_E_RANGE, "batch is %i, which is too large", o->batch);
    return GM_OK;
}

/* Training part and validation part. Fewer than 20 rows are not split. */
static gm_status choose_data(loop *l, gm_dataset *d)
{
    l->train = d;
    l->validation = l->o.validation;
    l->count = gmi_dataset_count(d);
    if (!l->validation && l->f->keep_best && l->o.validation_fraction > 0 && l->count >= 20) {
        gm_status s = gm_dataset_split(d, 1 - l->o.validation_fraction, l->o.seed, &l->part[0], &l->part[1]);
        if (s) return s;
        l->train = l->part[0];
        l->validation = l->part[1];
        l->count = gmi_dataset_count(l->train);
    }
    return l->count == 0 ? gmi_fail(l->c, GM_E_RANGE, "the dataset has no rows") : GM_OK;
}

static gm_status choose_length(loop *l)
{
    int64_t epochs = l->o.epochs, end = INT64_MAX;
    if (l->count < 0 && l->o.max_steps < 0 && l->o.time_limit_s <= 0 && !l->o.progress)
        return gmi_fail(l->c, GM_E_INVALID, "the dataset is endless: give max_steps, a time limit or a progress callback that stops");
    l->span = l->o.batch * l->o.accumulate;
    if (l->count > 0) {
        l->span = GMI_MIN(l->span, l->count);
        l->per_epoch = (l->count + l->span - 1) / l->span;
        if (epochs < 0 && l->o.max_steps < 0) epochs = (AUTO_STEPS + l->per_epoch - 1) / l->per_epoch;
        if (epochs >= 0 && gmi_mul_i64(epochs, l->per_epoch, &end)) end = INT64_MAX;
    }
    if (l->o.max_steps >= 0) end = GMI_MIN(end, l->o.max_steps);
    l->last = end;
    return GM_OK;
}

/* Everything that steps need is there before the first one. */
static gm_status prepare(loop *l)
{
    const int64_t micro = GMI_MIN(l->o.batch, l->span);
    l->index = gmi_alloc_n(l->c, l->span, sizeof *l->index);
    l->kl = gmi_alloc_n(l->c, l->s->n_kl, sizeof *l->kl);
    if (!l->index || !l->kl) return gmi_nomem(l->c);
    gm_status s = l->f->begin(l->f->self, l->train, &l->o);
    if (!s && l->s->step < l->last) s = l->f->reserve(l->f->self, l->train, micro);
    if (!s && l->span % micro) s = l->f->reserve(l->f->self, l->train, l->span % micro);
    if (!s && l->count > 0 && l->s->step < l->last && l->count % l->span % micro) s = l->f->reserve(l->f->self, l->train, l->count % l->span % micro);
    if (!s) s = gmi_record_log_open(l->c, l->o.jsonl, 0, l->s->step > 0, &l->log[0]);
    if (!s) s = gmi_record_log_open(l->c, l->o.csv, 1, l->s->step > 0, &l->log[1]);
    return s;
}

gm_status gmi_fit(gm_context *c, const gmi_family *f, gm_dataset *d, const gm_fit_options *o)
{
    loop l;
    memset(&l, 0, sizeof l);
    l.c = c;
    l.f = f;
    l.s = f->state;
    gmi_dataset_retain(d);
    gm_status s = gmi_record_log_open(c, NULL, 0, 0, &l.log[0]);
    if (!s) s = gmi_record_log_open(c, NULL, 0, 0, &l.log[1]);
    if (!s) s = take_options(&l, o);
    if (!s) s = choose_data(&l, d);
    if (!s) s = choose_length(&l);
    *f->busy = 1;
    if (!s && f->show_current) f->show_current(f->self);
    if (!s) s = prepare(&l);
    l.begun = l.s->step;
    l.begun_examples = l.s->examples;
    l.t0 = gmi_clock(c);
    if (!s) s = run(&l);
    if (!s && f->show_best) f->show_best(f->self, l.early);
    s = gmi_record_log_close(&l.log[0], s);
    s = gmi_record_log_close(&l.log[1], s);
    *f->busy = 0;
    if (s == GM_E_CANCELLED) gmi_cancel_clear(c);
    gmi_free(c, l.index);
    gmi_free(c, l.kl);
    gm_dataset_destroy(l.part[0]);
    gm_dataset_destroy(l.part[1]);
    gm_dataset_destroy(d);
    return s;
}
