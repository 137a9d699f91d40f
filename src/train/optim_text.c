/* SPDX-License-Identifier: MIT */
/* optim_text.c: the words of optimizers: which rules there are, their options, defaults and ranges, and the canonical text.
 *
 * Names and defaults are torch.optim's; docs/defaults.md lists them. The canonical text has the options that differ from the defaults, in one order. The state
 * line of a checkpoint is the same text with the current values, a second phrase "state" with the counters behind it. */
#include "train/optim.h"

/* One row per option: name, least and largest value, whole numbers only. */
static const struct option_row {
    const char *name;
    double lo, hi;
    int32_t whole;
} options[GMI_H_COUNT] = {
    {"lr", 0, 1e6, 0},           {"momentum", 0, 1, 0},   {"dampening", 0, 1, 0},   {"nesterov", 0, 1, 1},
    {"alpha", 0, 1, 0},          {"centered", 0, 1, 1},   {"beta1", 0, 0.999999, 0}, {"beta2", 0, 0.999999, 0},
    {"lr_decay", 0, 1e6, 0},     {"initial_accumulator_value", 0, 1e6, 0},             {"eps", 1e-30, 1, 0},
    {"weight_decay", 0, 1e6, 0}, {"decay", 0, 1, 1},      {"maximize", 0, 1, 1},    {"clip_norm", 0, 1e30, 0},
    {"clip_value", 0, 1e30, 0},  {"accumulate", 1, 65536, 1},
};

/* -1: the rule has no such option. decay: 0 = "all", 1 = "weights" (rank 2 and more). In the order of the enum:
 *  lr, momentum, dampening, nesterov, alpha, centered, beta1, beta2, lr_decay, initial, eps, weight_decay, decay, maximize, clip_norm, clip_value, accumulate */
static const gmi_rule_info rules[] = {
    {"sgd", GMI_O_momentum, GMI_O_sgd, 0, "momentum_buffer", "", {1e-3, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 1}},
    {"rmsprop", GMI_O_rmsprop, GMI_O_rmsprop, 0, "square_avg", "momentum_buffer", {1e-2, 0, -1, -1, 0.99, 0, -1, -1, -1, -1, 1e-8, 0, 0, 0, 0, 0, 1}},
    {"adam", GMI_O_adam, GMI_O_adam, 0, "exp_avg", "exp_avg_sq", {1e-3, -1, -1, -1, -1, -1, 0.9, 0.999, -1, -1, 1e-8, 0, 0, 0, 0, 0, 1}},
    {"adamw", GMI_O_adam, GMI_O_adam, 1, "exp_avg", "exp_avg_sq", {1e-3, -1, -1, -1, -1, -1, 0.9, 0.999, -1, -1, 1e-8, 1e-2, 0, 0, 0, 0, 1}},
    {"adagrad", GMI_O_adagrad, GMI_O_adagrad, 0, "sum", "", {1e-2, -1, -1, -1, -1, -1, -1, -1, 0, 0, 1e-10, 0, 0, 0, 0, 0, 1}},
};
#define RULE_WORDS "sgd, rmsprop, adam, adamw, adagrad"

const char *gmi_rule_option(int32_t i) { return options[i].name; }
const gmi_rule_info *gmi_rule_table(const gmi_rule *r) { return &rules[r->row]; }

static int find_option(const gmi_rule_info *r, const gmi_word *name)
{
    int32_t i;
    for (i = 0; i < GMI_H_COUNT; i++)
        if (r->dflt[i] >= 0 && gmi_word_is(name, options[i].name)) return i;
    return -1;
}

static void list_options(const gmi_rule_info *r, char *to, size_t n)
{
    size_t at = 0;
    int32_t i;
    to[0] = 0;
    for (i = 0; i < GMI_H_COUNT && at < n; i++)
        if (r->dflt[i] >= 0) at += gmi_format(to + at, n - at, at ? ", %s" : "%s", options[i].name);
}

static int in_range(int32_t i, double v)
{
    return v >= options[i].lo && v <= options[i].hi && (!options[i].whole || v == gmi_num_floor(v));
}

static gm_status refuse_range(gm_context *c, const gmi_rule_info *r, int32_t i, int64_t column, double v)
{
    return gmi_fail_at(c, GM_E_INVALID, column, "column %i: %s of %s is %g; allowed: %s%g to %g", column, options[i].name, r->word, v,
                       options[i].whole ? "whole numbers, " : "", options[i].lo, options[i].hi);
}

/* "decay" takes words; everything else a number in its range. */
static gm_status read_option(gm_context *c, const gmi_option *o, gmi_rule *out)
{
    const gmi_rule_info *r = gmi_rule_table(out);
    char shown[GMI_WORD_MAX], list[300];
    int32_t i = o->name.n ? find_option(r, &o->name) : GMI_H_LR;
    double v = o->value;
    (void)gmi_word_copy(o->name.n ? &o->name : &o->text, shown, sizeof shown);
    if (i < 0) {
        list_options(r, list, sizeof list);
        return gmi_fail_at(c, GM_E_INVALID, o->name.column, "column %d: %s has no option %S; options: %s", o->name.column, r->word, shown, list);
    }
    if (i == GMI_H_DECAY) {
        if (!gmi_word_is(&o->text, "all") && !gmi_word_is(&o->text, "weights"))
            return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: decay is all or weights", o->text.column);
        v = gmi_word_is(&o->text, "weights") ? 1 : 0;
    } else if (!o->is_number) {
        return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: %S: a number must stand here", o->text.column, shown);
    }
    if (!in_range(i, v)) return refuse_range(c, r, i, o->text.column, v);
    out->h[i] = v;
    return GM_OK;
}

/* Combinations that torch.optim refuses, or that would need a third moment. */
static gm_status check(gm_context *c, const gmi_rule *r, int64_t column)
{
    if (r->h[GMI_H_NESTEROV] > 0 && (r->h[GMI_H_MOMENTUM] <= 0 || r->h[GMI_H_DAMPENING] > 0))
        return gmi_fail_at(c, GM_E_INVALID, column, "column %i: nesterov=1 needs momentum above 0 and dampening 0", column);
    if (r->h[GMI_H_CENTERED] > 0 && r->h[GMI_H_MOMENTUM] > 0)
        return gmi_fail_at(c, GM_E_INVALID, column, "column %i: rmsprop has centered=1 or momentum, not both", column);
    return GM_OK;
}

gm_status gmi_rule_from_phrase(gm_context *c, const gmi_phrase *p, const char *also, gmi_rule *out)
{
    char shown[GMI_WORD_MAX];
    int32_t i, placed = 0;
    for (i = 0; i < (int32_t)GMI_COUNT(rules) && !gmi_word_is(&p->word, rules[i].word); i++) continue;
    if (i == (int32_t)GMI_COUNT(rules)) {
        (void)gmi_word_copy(&p->word, shown, sizeof shown);
        return gmi_fail_at(c, GM_E_INVALID, p->word.column, "column %d: %S is no optimizer; optimizers: %s%s", p->word.column, shown, RULE_WORDS, also);
    }
    out->row = i;
    memcpy(out->h, rules[i].dflt, sizeof out->h);
    for (i = 0; i < p->n; i++) {
        gm_status s;
        if (p->option[i].name.n == 0 && placed++)
            return gmi_fail_at(c, GM_E_INVALID, p->option[i].text.column, "column %d: one number too many: only lr may stand without its name",
                               p->option[i].text.column);
        s = read_option(c, &p->option[i], out);
        if (s) return s;
    }
    return check(c, out, p->word.column);
}

gm_status gmi_rule_parse(gm_context *c, const char *text, gmi_rule *out)
{
    gmi_phrase p;
    size_t at = 0;
    gm_status s;
    int got = gmi_text_next(c, text, &at, &p);
    if (got < 0) return GM_E_INVALID;
    if (got == 0) return gmi_fail_at(c, GM_E_INVALID, 1, "the text is empty; optimizers: %s", RULE_WORDS);
    s = gmi_rule_from_phrase(c, &p, "", out);
    if (s) return s;
    got = gmi_text_next(c, text, &at, &p);
    if (got > 0) return gmi_fail_at(c, GM_E_INVALID, p.word.column, "column %d: an optimizer is one phrase", p.word.column);
    return got < 0 ? GM_E_INVALID : GM_OK;
}

void gmi_rule_text(const gmi_rule *r, gmi_buf *b)
{
    const gmi_rule_info *row = gmi_rule_table(r);
    int32_t i;
    gmi_buf_text(b, row->word);
    for (i = 0; i < GMI_H_COUNT; i++) {
        if (row->dflt[i] < 0 || r->h[i] == row->dflt[i]) continue;
        if (i == GMI_H_DECAY)
            gmi_buf_text(b, r->h[i] > 0 ? " decay=weights" : " decay=all");
        else
            gmi_buf_format(b, " %s=%g", options[i].name, r->h[i]);
    }
}

int32_t gmi_rule_moments(const gmi_rule *r)
{
    if (r->h[GMI_H_DAMPENING] >= 0) return r->h[GMI_H_MOMENTUM] > 0; /* sgd */
    if (r->h[GMI_H_ALPHA] >= 0) return r->h[GMI_H_MOMENTUM] > 0 || r->h[GMI_H_CENTERED] > 0 ? 2 : 1;
    return gmi_rule_table(r)->s2[0] ? 2 : 1;
}

int gmi_rule_same_memory(const gmi_rule *a, const gmi_rule *b)
{
    return gmi_rule_table(a)->kernel == gmi_rule_table(b)->kernel && gmi_rule_moments(a) == gmi_rule_moments(b) &&
           a->h[GMI_H_CENTERED] == b->h[GMI_H_CENTERED] && (a->h[GMI_H_ACCUMULATE] > 1) == (b->h[GMI_H_ACCUMULATE] > 1);
}

gm_status gmi_rule_set(gm_context *c, gmi_rule *r, const char *name, double value)
{
    gmi_rule next = *r;
    gmi_word w;
    char list[300];
    int32_t i;
    gm_status s;
    w.p = name;
    w.n = (int32_t)strlen(name);
    w.column = 0;
    i = find_option(gmi_rule_table(r), &w);
    if (i < 0) {
        list_options(gmi_rule_table(r), list, sizeof list);
        return gmi_fail(c, GM_E_UNKNOWN, "%s has no option %S; options: %s", gmi_rule_table(r)->word, name, list);
    }
    if (!in_range(i, value)) return refuse_range(c, gmi_rule_table(r), i, 0, value);
    next.h[i] = value;
    s = check(c, &next, 0);
    if (s) return s;
    if (i == GMI_H_DECAY || i == GMI_H_INITIAL || i == GMI_H_ACCUMULATE || !gmi_rule_same_memory(r, &next))
        return gmi_fail(c, GM_E_INVALID, "%s of %s is fixed when the optimizer is created", name, gmi_rule_table(r)->word);
    *r = next;
    return GM_OK;
}

/* ---- whole texts ---- */

gm_status gmi_optimizer_normalize(gm_context *c, const char *text, gmi_buf *b)
{
    gmi_rule r;
    gm_status s = gmi_rule_parse(c, text, &r);
    if (s) return s;
    gmi_rule_text(&r, b);
    return b->failed ? gmi_nomem(c) : GM_OK;
}

gm_status gmi_optimizer_text(const gm_optimizer *p, gmi_buf *b)
{
    gmi_rule_text(&p->rule, b);
    return b->failed ? gmi_nomem(p->ctx) : GM_OK;
}

gm_status gmi_optimizer_state_text(const gm_optimizer *p, gmi_buf *b)
{
    gmi_rule_text(&p->rule, b);
    gmi_buf_format(b, "; state steps=%i updates=%i micro=%i beta1_t=%g beta2_t=%g", p->n.steps, p->n.updates, p->n.micro, p->n.beta1_t, p->n.beta2_t);
    return b->failed ? gmi_nomem(p->ctx) : GM_OK;
}

static int counter(const gmi_phrase *p, const char *name, int64_t most, int64_t *out)
{
    double v = gmi_phrase_number(p, name, -1, -1.0);
    if (!(v >= 0 && v <= (double)most) || v != gmi_num_floor(v)) return -1;
    *out = (int64_t)v;
    return 0;
}

gm_status gmi_optimizer_state_check(gm_optimizer *p, const char *text)
{
    const int64_t most = 9007199254740992; /* 2^53 */
    gmi_optim_counters n;
    gmi_rule r;
    gmi_phrase f;
    size_t at = 0;
    gm_status s;
    int got = gmi_text_next(p->ctx, text, &at, &f);
    if (got != 1) return gmi_fail(p->ctx, GM_E_MODEL, "the file's optimizer text %S is not readable", text);
    s = gmi_rule_from_phrase(p->ctx, &f, "", &r);
    if (s) return s;
    if (!gmi_rule_same_memory(&r, &p->rule) || r.row != p->rule.row || r.h[GMI_H_ACCUMULATE] != p->rule.h[GMI_H_ACCUMULATE])
        return gmi_fail(p->ctx, GM_E_MODEL, "the file is of the optimizer %S; this one is %s with accumulate=%g", text, gmi_rule_table(&p->rule)->word,
                        p->rule.h[GMI_H_ACCUMULATE]);
    memset(&n, 0, sizeof n);
    got = gmi_text_next(p->ctx, text, &at, &f);
    if (got == 1 && gmi_word_is(&f.word, "state") && !counter(&f, "steps", most, &n.steps) && !counter(&f, "updates", n.steps, &n.updates) &&
        !counter(&f, "micro", (int64_t)r.h[GMI_H_ACCUMULATE] - 1, &n.micro)) {
        n.beta1_t = gmi_phrase_number(&f, "beta1_t", -1, -1.0);
        n.beta2_t = gmi_phrase_number(&f, "beta2_t", -1, -1.0);
        if (n.beta1_t >= 0 && n.beta1_t <= 1 && n.beta2_t >= 0 && n.beta2_t <= 1) {
            p->next_rule = r;
            p->next_n = n;
            return GM_OK;
        }
    }
    return gmi_fail(p->ctx, GM_E_MODEL, "the counters in the file's optimizer text %S are not valid", text);
}

void gmi_optimizer_state_adopt(gm_optimizer *p)
{
    p->rule = p->next_rule;
    p->n = p->next_n;
}
