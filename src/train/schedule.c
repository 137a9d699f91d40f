/* SPDX-License-Identifier: MIT */
/* schedule.c: a number as a function of the step and the epoch: learning rates, beta, any scheduled quantity.
 *
 *   1e-3 | constant 1e-3                       v
 *   step 1e-3 gamma=0.1 every=10               v gamma^floor(u / every)
 *   exponential 1e-3 gamma=0.99                v gamma^u
 *   linear a b epochs=N, cosine a b epochs=N   from a to b over N, then b; p = clip((u - start) / N, 0, 1)
 *
 * u is the epoch, with its fraction, or the step where `steps` is written; warmup=W multiplies by min(1, (step + 1) / W). Cosine is SGDR's
 * b + (a - b)(1 + cos(pi p))/2 (Loshchilov & Hutter 2017, eq. 5). At whole epochs the values are those of torch.optim.lr_scheduler. All in double by
 * nn/num.c, so a value has the same bits everywhere. Left out: restarts, one-cycle, plateaus (the host's own loop has gm_optimizer_set). */
#include "train/schedule.h"
#include "nn/nn.h"

enum { CONSTANT, STEP, EXPONENTIAL, LINEAR, COSINE };
static const struct kind {
    const char *word;
    int32_t values;      /* numbers by place */
    const char *numbers; /* options */
} kinds[] = {
    {"constant", 1, "warmup"},
    {"step", 1, "gamma every warmup"},
    {"exponential", 1, "gamma warmup"},
    {"linear", 2, "epochs steps start warmup"},
    {"cosine", 2, "epochs steps start warmup"},
};

static int finite(double x) { return x - x == 0.0; }

/* Takes the unit word out of the arguments by place: "epochs" or "steps" behind step and exponential. */
static gm_status take_unit(gm_context *c, gmi_phrase *p, gm_schedule *s)
{
    int32_t i, n = 0;
    for (i = 0; i < p->n; i++) {
        const gmi_option *o = &p->option[i];
        int steps = gmi_word_is(&o->text, "steps");
        if (o->name.n == 0 && (steps || gmi_word_is(&o->text, "epochs"))) {
            if (s->kind != STEP && s->kind != EXPONENTIAL)
                return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: a unit stands behind step and exponential only; write epochs=N or steps=N",
                                   o->text.column);
            s->by_steps = steps;
        } else {
            p->option[n++] = *o;
        }
    }
    p->n = n;
    return GM_OK;
}

static gm_status need(gm_context *c, const gmi_phrase *p, const char *name, double least, double most, double dflt, double *out)
{
    const gmi_option *o = gmi_phrase_option(p, name, -1);
    int32_t column = o ? o->text.column : p->word.column;
    *out = (o ? o->value : dflt) + 0.0; /* -0 is 0: what is not written in the text must read back */
    if (*out >= least && *out <= most) return GM_OK;
    if (!o) return gmi_fail_at(c, GM_E_INVALID, column, "column %d: %s=N is missing", column, name);
    return gmi_fail_at(c, GM_E_INVALID, column, "column %d: %s is %g; allowed: %g to %g", column, name, *out, least, most);
}

static gm_status read_values(gm_context *c, const gmi_phrase *p, gm_schedule *s)
{
    double v[2] = {0.0, 0.0};
    int32_t i;
    for (i = 0; i < kinds[s->kind].values; i++) {
        const gmi_option *o = gmi_phrase_option(p, NULL, i);
        if (!o) return gmi_fail_at(c, GM_E_INVALID, p->word.column, "column %d: %s needs %d number(s) behind it", p->word.column, kinds[s->kind].word,
                                   kinds[s->kind].values);
        if (!finite(o->value)) return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: the value must be finite", o->text.column);
        v[i] = o->value;
    }
    s->from = v[0];
    s->to = v[1];
    return GM_OK;
}

static gm_status read_length(gm_context *c, const gmi_phrase *p, gm_schedule *s)
{
    const gmi_option *steps = gmi_phrase_option(p, "steps", -1);
    s->by_steps = steps != NULL;
    if (steps && gmi_phrase_option(p, "epochs", -1))
        return gmi_fail_at(c, GM_E_INVALID, steps->name.column, "column %d: give epochs or steps, not both", steps->name.column);
    return need(c, p, steps ? "steps" : "epochs", 1e-9, 1e15, 0.0, &s->length);
}

static gm_status read_phrase(gm_context *c, gmi_phrase *p, gm_schedule *s)
{
    char shown[GMI_WORD_MAX];
    gm_status st = GM_OK;
    int32_t k;
    for (k = 0; k < (int32_t)GMI_COUNT(kinds) && !gmi_word_is(&p->word, kinds[k].word); k++) continue;
    if (k == (int32_t)GMI_COUNT(kinds)) {
        (void)gmi_word_copy(&p->word, shown, sizeof shown);
        if (!gmi_word_number(&p->word, &s->from) || !finite(s->from))
            return gmi_fail_at(c, GM_E_INVALID, p->word.column, "column %d: %S is no schedule; a number, constant, step, exponential, linear, cosine", p->word.column,
                               shown);
        s->kind = CONSTANT;
        st = gmi_phrase_check(c, p, kinds[CONSTANT].numbers, "", 0);
        return st ? st : need(c, p, "warmup", 0.0, 1e15, 0.0, &s->warmup);
    }
    s->kind = k;
    st = take_unit(c, p, s);
    if (!st) st = gmi_phrase_check(c, p, kinds[k].numbers, "", kinds[k].values);
    if (!st) st = read_values(c, p, s);
    if (!st && k == STEP) st = need(c, p, "every", 1e-9, 1e15, 0.0, &s->every);
    if (!st && (k == STEP || k == EXPONENTIAL)) st = need(c, p, "gamma", 0.0, 1e6, k == STEP ? 0.1 : -1.0, &s->gamma);
    if (!st && (k == LINEAR || k == COSINE)) st = read_length(c, p, s);
    if (!st && (k == LINEAR || k == COSINE)) st = need(c, p, "start", 0.0, 1e15, 0.0, &s->start);
    if (!st) st = need(c, p, "warmup", 0.0, 1e15, 0.0, &s->warmup);
    return st;
}

gm_status gmi_schedule_parse(gm_context *c, const char *text, gm_schedule **out)
{
    gm_schedule value, *s;
    gmi_phrase p;
    size_t at = 0;
    gm_status st;
    int got;
    *out = NULL;
    memset(&value, 0, sizeof value);
    value.gamma = 1.0;
    got = gmi_text_next(c, text, &at, &p);
    if (got < 0) return GM_E_INVALID;
    if (got == 0) return gmi_fail_at(c, GM_E_INVALID, 1, "the schedule is empty; write a number");
    st = read_phrase(c, &p, &value);
    if (st) return st;
    got = gmi_text_next(c, text, &at, &p);
    if (got) return got < 0 ? GM_E_INVALID : gmi_fail_at(c, GM_E_INVALID, p.word.column, "column %d: a schedule is one phrase", p.word.column);
    s = gmi_alloc(c, sizeof *s);
    if (!s) return gmi_nomem(c);
    *s = value;
    s->ctx = c;
    gmi_context_retain(c);
    *out = s;
    return GM_OK;
}

gm_status gm_schedule_parse(gm_context *c, const char *text, gm_schedule **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "schedule_parse");
    if (!text) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "text is NULL; try \"1e-3\""));
    return gmi_leave(c, gmi_schedule_parse(c, text, out));
}

void gm_schedule_destroy(gm_schedule *s)
{
    gm_context *c;
    if (!s) return;
    c = s->ctx;
    gmi_free(c, s);
    gmi_context_release(c);
}

/* gamma^u, by squaring where u is whole, so that whole epochs have the values of the recurrence lr *= gamma up to rounding. */
static double power(double gamma, double u)
{
    if (u == gmi_num_floor(u) && u < 1e15) return gmi_num_powi(gamma, (int64_t)u);
    return gamma > 0.0 ? gmi_num_exp(u * gmi_num_log(gamma)) : 0.0;
}

double gmi_schedule_value(const gm_schedule *s, int64_t step, double epoch)
{
    double u = s->by_steps ? (double)step : epoch, v = s->from, p, sine, cosine;
    if (!(u > 0.0)) u = 0.0;
    switch (s->kind) {
    case STEP: v = s->from * power(s->gamma, gmi_num_floor(u / s->every)); break;
    case EXPONENTIAL: v = s->from * power(s->gamma, u); break;
    case LINEAR:
    case COSINE:
        p = (u - s->start) / s->length;
        p = p < 0.0 ? 0.0 : p > 1.0 ? 1.0 : p;
        gmi_num_turn(0.5 * p, &sine, &cosine);
        if (s->kind == COSINE) p = 0.5 * (1.0 - cosine);
        v = p < 1.0 ? s->from + (s->to - s->from) * p : s->to;
        break;
    default: break;
    }
    if (s->warmup > 0.0 && (double)step + 1.0 < s->warmup) v *= ((double)GMI_MAX(step, 0) + 1.0) / s->warmup;
    return v;
}

double gm_schedule_value(const gm_schedule *s, int64_t step, double epoch)
{
    gmi_fp fp;
    double v;
    if (!s) return 0.0;
    fp = gmi_fp_enter();
    v = gmi_schedule_value(s, step, epoch);
    gmi_fp_restore(fp);
    return v;
}

gm_status gmi_schedule_text(const gm_schedule *s, gmi_buf *b)
{
    gmi_buf_format(b, "%s %g", kinds[s->kind].word, s->from);
    if (kinds[s->kind].values > 1) gmi_buf_format(b, " %g", s->to);
    if (s->kind == STEP) gmi_buf_format(b, " gamma=%g every=%g", s->gamma, s->every);
    if (s->kind == EXPONENTIAL) gmi_buf_format(b, " gamma=%g", s->gamma);
    if (s->kind == STEP || s->kind == EXPONENTIAL) gmi_buf_text(b, s->by_steps ? " steps" : "");
    if (s->kind == LINEAR || s->kind == COSINE) gmi_buf_format(b, s->by_steps ? " steps=%g" : " epochs=%g", s->length);
    if (s->start > 0.0) gmi_buf_format(b, " start=%g", s->start);
    if (s->warmup > 0.0) gmi_buf_format(b, " warmup=%g", s->warmup);
    return b->failed ? gmi_nomem(s->ctx) : GM_OK;
}

int gmi_schedule_is_constant(const gm_schedule *s) { return s->kind == CONSTANT && s->warmup <= 1.0; }
