/* SPDX-License-Identifier: MIT */
/* layer_text.c: the grammar of layers: text to items, items to canonical text.
 *
 *   text = [ layer { ";" layer } ]     layer = word { argument } { "(" text ")" }
 *
 * An activation may follow its layer without ";". The canonical text has one layer per "; ", canonical names, values that are the defaults left out, numbers
 * shortest; parsing it gives the same items again, and it is what model files store. Arguments come by place, by letter (k4, s1x2) or by name, in PyTorch's
 * words or ours; what a word takes is a table (layers.h), so that reading, printing and complaints cannot disagree. Recursion is as deep as groups nest, at
 * most GMI_LAYER_DEPTH. */
#include "nn/layers.h"

typedef struct parser {
    gm_context *ctx;
    gmi_arena *arena;
    const char *text;
    size_t at;
    int32_t items;
    gm_status unknown; /* what an unknown word is: GM_E_INVALID, in files GM_E_UNKNOWN */
    gm_status failed;  /* a complaint's status; GM_OK when memory ran out */
} parser;

static const gmi_layer_family *const families[] = {&gmi_layers_linear, &gmi_layers_norm, &gmi_layers_shape, &gmi_layers_block, &gmi_layers_activation};

const gmi_layer_def *gmi_layer_find(const gmi_word *w)
{
    int32_t i, j;
    for (i = 0; i < (int32_t)GMI_COUNT(families); i++)
        for (j = 0; j < families[i]->n; j++)
            if (gmi_word_is(w, families[i]->def[j].word) || (families[i]->def[j].alias[0] && gmi_word_is(w, families[i]->def[j].alias)))
                return &families[i]->def[j];
    return NULL;
}

/* ---- complaints ---- */

static int refuse(parser *p, gm_status s, const gmi_word *w, const char *what, const char *list)
{
    char shown[GMI_WORD_MAX];
    (void)gmi_word_copy(w, shown, sizeof shown);
    (void)gmi_fail_at(p->ctx, s, w->column, "column %d: %S %s%s", w->column, shown, what, list);
    p->failed = s;
    return -1;
}

static int refuse_word(parser *p, const gmi_word *w)
{
    gmi_buf b;
    int32_t i, j, first = 1;
    gmi_buf_init(&b, p->ctx);
    for (i = 0; i < (int32_t)GMI_COUNT(families); i++)
        for (j = 0; j < families[i]->n; j++, first = 0) gmi_buf_format(&b, "%s%s", first ? "" : ", ", families[i]->def[j].word);
    gmi_words_list(p->ctx, &b);
    refuse(p, p->unknown, w, "is no layer; layers: ", gmi_buf_cstr(&b));
    gmi_buf_free(&b);
    return -1;
}

/* "dense: units, bias=, init=" */
static void describe(const gmi_layer_def *d, char *to, size_t n)
{
    int32_t i;
    size_t at = gmi_format(to, n, "%s takes", d->word);
    for (i = 0; i < d->n_spec && at < n; i++) {
        const gmi_arg_spec *s = &d->spec[i];
        at += gmi_format(to + at, n - at, s->form == GMI_BY_NAME ? "%s %s=" : s->form == GMI_BY_LETTER ? "%s %s[number]" : "%s [%s]", i ? "," : "", s->name);
        if (s->kind == GMI_ARG_CHOICE && at < n) at += gmi_format(to + at, n - at, " (%s)", s->choices);
    }
    if (at < n && d->branches_most) at += gmi_format(to + at, n - at, "%s ( layers )", d->n_spec ? "," : "");
    if (at < n && !d->n_spec && !d->branches_most) (void)gmi_format(to + at, n - at, " no arguments");
}

static int refuse_arg(parser *p, const gmi_layer_def *d, const gmi_word *w, const char *what)
{
    char takes[400];
    describe(d, takes, sizeof takes);
    return refuse(p, GM_E_INVALID, w, what, takes);
}

static int refuse_range(parser *p, const gmi_layer_def *d, const gmi_arg_spec *s, const gmi_word *w)
{
    char shown[GMI_WORD_MAX];
    (void)gmi_word_copy(w, shown, sizeof shown);
    (void)gmi_fail_at(p->ctx, GM_E_INVALID, w->column, s->kind == GMI_ARG_REAL ? "column %d: %S: %s of %s must lie in %g to %g"
                                                                              : "column %d: %S: %s of %s must be whole, in %g to %g",
                      w->column, shown, s->name, d->word, s->lo, s->hi);
    p->failed = GM_E_INVALID;
    return -1;
}

static int next_token(parser *p, gmi_token *t)
{
    int kind = gmi_token_next(p->ctx, p->text, &p->at, t);
    if (kind < 0) p->failed = GM_E_INVALID;
    return kind;
}

/* ---- arguments ---- */

enum { FITS_NOT, FITS, FITS_BADLY /* the right kind, out of range */ };

static int read_count(const gmi_arg_spec *s, const char *t, size_t n, double *v, size_t *used)
{
    int64_t i;
    if (n == 0 || t[0] < '0' || t[0] > '9' || gmi_parse_i64(t, n, &i, used)) return FITS_NOT;
    *v = (double)i;
    return *v >= s->lo && *v <= s->hi ? FITS : FITS_BADLY;
}

static int read_sizes(const gmi_arg_spec *s, const gmi_word *w, gmi_arg *a)
{
    size_t at = 0, n = (size_t)w->n;
    int32_t i, same = 1;
    a->n = 0;
    for (;;) {
        size_t used = 0;
        double v;
        int fit = read_count(s, w->p + at, n - at, &v, &used);
        if (fit != FITS) return at ? FITS_BADLY : fit;
        if (a->n == s->most) return FITS_BADLY;
        a->v[a->n++] = v;
        at += used;
        if (at == n) break;
        if (w->p[at++] != 'x') return FITS_NOT;
    }
    for (i = 1; i < a->n; i++) same = same && a->v[i] == a->v[0];
    if (same && s->form == GMI_BY_LETTER) a->n = 1; /* k4x4 is k4 */
    return FITS;
}

static int read_choice(const gmi_arg_spec *s, const gmi_word *w, gmi_arg *a)
{
    const char *c = s->choices;
    int32_t i = 0;
    while (*c) {
        size_t n = 0;
        while (c[n] && c[n] != ' ') n++;
        if (n == (size_t)w->n && memcmp(c, w->p, n) == 0) {
            a->n = 1;
            a->v[0] = (double)i;
            return FITS;
        }
        c += n;
        while (*c == ' ') c++;
        i++;
    }
    return FITS_NOT;
}

static int read_value(const gmi_arg_spec *s, const gmi_word *w, gmi_item *it, gmi_arg *a)
{
    size_t used = 0, n;
    int fit;
    switch (s->kind) {
    case GMI_ARG_SIZES: return read_sizes(s, w, a);
    case GMI_ARG_CHOICE: return read_choice(s, w, a);
    case GMI_ARG_INIT:
        n = gmi_init_text(w->p, (size_t)w->n, it->init, sizeof it->init);
        if (n == 0 || n >= sizeof it->init) return FITS_NOT;
        a->n = 1;
        return FITS;
    case GMI_ARG_REAL:
        if (!gmi_word_number(w, &a->v[0])) return FITS_NOT;
        a->n = 1;
        return a->v[0] >= s->lo && a->v[0] <= s->hi ? FITS : FITS_BADLY;
    default:
        fit = read_count(s, w->p, (size_t)w->n, &a->v[0], &used);
        if (fit == FITS_NOT || used != (size_t)w->n) return FITS_NOT;
        a->n = 1;
        return fit;
    }
}

/* 1 = taken, 0 = the word is none of this layer's arguments, -1 = refused. */
static int take(parser *p, gmi_item *it, int32_t i, const gmi_word *value, const gmi_word *whole)
{
    const gmi_arg_spec *s = &it->def->spec[i];
    gmi_arg a;
    int fit;
    memset(&a, 0, sizeof a);
    fit = read_value(s, value, it, &a);
    if (fit == FITS_NOT) return 0;
    if (fit == FITS_BADLY) return refuse_range(p, it->def, s, whole);
    if (it->arg[i].n) return refuse_arg(p, it->def, whole, "is given twice; ");
    it->arg[i] = a;
    return 1;
}

static int take_own(parser *p, gmi_item *it, const gmi_option *o)
{
    if (!o->is_number || o->name.n) return 0;
    if (!(o->value - o->value == 0.0)) return refuse(p, GM_E_INVALID, &o->text, "must be finite", "");
    if (it->n_own == GMI_LAYER_ARGS) return refuse(p, GM_E_INVALID, &o->text, "is one number too many for the layer ", it->own.word);
    it->arg[it->n_own].n = 1;
    it->arg[it->n_own++].v[0] = o->value;
    return 1;
}

static int take_named(parser *p, gmi_item *it, const gmi_word *w, const gmi_option *o)
{
    const gmi_layer_def *d = it->def;
    int32_t i;
    for (i = 0; i < d->n_spec; i++) {
        const gmi_arg_spec *s = &d->spec[i];
        int got;
        if (!gmi_word_is(&o->name, s->name) && !(s->alias[0] && gmi_word_is(&o->name, s->alias))) continue;
        got = take(p, it, i, &o->text, w);
        return got ? got : refuse_arg(p, d, w, "has no valid value; ");
    }
    return refuse_arg(p, d, w, "is not an option here; ");
}

static int take_word(parser *p, gmi_item *it, const gmi_word *w)
{
    const gmi_layer_def *d = it->def;
    gmi_option o;
    int32_t i, got;
    if (gmi_option_split(p->ctx, w, &o)) {
        p->failed = GM_E_INVALID;
        return -1;
    }
    if (d->flags & GMI_L_OWN) return take_own(p, it, &o);
    if (o.name.n) return take_named(p, it, w, &o);
    for (i = 0; i < d->n_spec; i++) {
        const gmi_arg_spec *s = &d->spec[i];
        size_t k = strlen(s->name);
        gmi_word rest = *w;
        if (s->form == GMI_BY_LETTER) {
            if ((size_t)w->n <= k || memcmp(w->p, s->name, k) != 0 || w->p[k] < '0' || w->p[k] > '9') continue;
            rest.p += k;
            rest.n -= (int32_t)k;
        } else if (s->form != GMI_BY_PLACE || it->arg[i].n) {
            continue;
        }
        got = take(p, it, i, &rest, w);
        if (got) return got;
    }
    return 0;
}

/* ---- layers ---- */

static int parse_seq(parser *p, int32_t depth, gmi_seq *out);

/* Room for one more item: the list doubles inside the arena; the old copies are freed with it. */
static gmi_item *seq_add(parser *p, gmi_seq *s, int32_t *cap)
{
    if (s->n == *cap) {
        int32_t more = *cap ? *cap * 2 : 4;
        gmi_item *grown = gmi_arena_alloc(p->arena, (uint64_t)more * sizeof *grown);
        if (!grown) return NULL;
        if (s->n) memcpy(grown, s->item, (size_t)s->n * sizeof *grown);
        s->item = grown;
        *cap = more;
    }
    return &s->item[s->n++];
}

static int begin_item(parser *p, const gmi_word *w, gmi_item *it)
{
    const gm_layer_class *own;
    char *word;
    it->def = gmi_layer_find(w);
    if (it->def) return 0;
    own = gmi_words_find(p->ctx, w);
    if (!own) return refuse_word(p, w);
    word = gmi_arena_strdup(p->arena, own->word, strlen(own->word));
    if (!word) return -1;
    it->def = &gmi_layer_own;
    it->own = *own;
    it->own.word = word;
    return 0;
}

static int parse_branch(parser *p, int32_t depth, gmi_item *it, const gmi_word *w)
{
    if (it->def->flags & GMI_L_OWN) return refuse(p, GM_E_INVALID, w, "opens a group; an own layer takes numbers only: ", it->own.word);
    if (it->n_branch == it->def->branches_most) return refuse_arg(p, it->def, w, "opens a group too many; ");
    if (depth + 1 > GMI_LAYER_DEPTH) return refuse(p, GM_E_INVALID, w, "nests deeper than 16 groups", "");
    if (!it->branch) {
        it->branch = gmi_arena_alloc(p->arena, GMI_LAYER_BRANCHES * sizeof *it->branch);
        if (!it->branch) return -1;
    }
    return parse_seq(p, depth + 1, &it->branch[it->n_branch++]);
}

/* Fills in defaults; an absent argument keeps n == 0. */
static int finish_item(parser *p, gmi_item *it, const gmi_word *word)
{
    const gmi_layer_def *d = it->def;
    int32_t i;
    for (i = 0; i < d->n_spec; i++) {
        const gmi_arg_spec *s = &d->spec[i];
        if (it->arg[i].n == 0 && s->required) return refuse_arg(p, d, word, "lacks an argument; ");
        if (it->arg[i].n == 0) it->arg[i].v[0] = s->dflt;
        if (it->arg[i].n == 1 && s->kind != GMI_ARG_INIT && !s->required && it->arg[i].v[0] == s->dflt) it->arg[i].n = 0;
    }
    if (it->n_branch < d->branches_least) return refuse_arg(p, d, word, "lacks a group in parentheses; ");
    return 0;
}

/* One layer after its word; *next is the token that ended it (an activation's word, ';', ')' or the end). */
static int parse_item(parser *p, int32_t depth, const gmi_word *word, gmi_item *it, gmi_token *next)
{
    if (++p->items > GMI_LAYER_ITEMS) return refuse(p, GM_E_INVALID, word, "is one layer too many; the limit is 4096", "");
    if (begin_item(p, word, it)) return -1;
    for (;;) {
        int kind = next_token(p, next), got;
        const gmi_layer_def *d;
        if (kind < 0) return -1;
        if (kind == '(') {
            if (parse_branch(p, depth, it, &next->word)) return -1;
            continue;
        }
        if (kind != 'w') return finish_item(p, it, word);
        got = take_word(p, it, &next->word);
        if (got < 0) return -1;
        if (got) continue;
        d = gmi_layer_find(&next->word);
        if (d && d->flags & GMI_L_ACTIVATION && !(it->def->flags & GMI_L_ACTIVATION)) return finish_item(p, it, word);
        if (it->def->flags & GMI_L_OWN) return refuse(p, GM_E_INVALID, &next->word, "is no number for the layer ", it->own.word);
        return refuse_arg(p, it->def, &next->word, d ? "begins a layer: write ; before it; " : "is not an argument here; ");
    }
}

/* Up to the closing parenthesis (depth > 0) or the end. */
static int parse_seq(parser *p, int32_t depth, gmi_seq *out)
{
    gmi_token t;
    int32_t cap = 0;
    int kind = next_token(p, &t);
    for (;;) {
        gmi_item *it;
        gmi_word word = t.word;
        if (kind < 0) return -1;
        if (kind == 0 && depth > 0) return refuse(p, GM_E_INVALID, &word, "ends the text inside a group: ) is missing", "");
        if (kind == ')' && depth == 0) return refuse(p, GM_E_INVALID, &word, "closes no group", "");
        if (kind == 0 || kind == ')') return 0;
        if (kind == '(') return refuse(p, GM_E_INVALID, &word, "opens a group without a word; groups follow residual or concat", "");
        if (kind == ';') {
            kind = next_token(p, &t);
            continue;
        }
        it = seq_add(p, out, &cap);
        if (!it || parse_item(p, depth, &word, it, &t)) return -1;
        kind = t.kind;
    }
}

/* ---- canonical text ---- */

static void print_value(gmi_buf *b, const gmi_arg_spec *s, const gmi_item *it, const gmi_arg *a)
{
    const char *c = s->choices;
    int32_t i;
    if (s->kind == GMI_ARG_INIT) {
        gmi_buf_text(b, it->init);
    } else if (s->kind == GMI_ARG_CHOICE) {
        size_t n = 0;
        for (i = (int32_t)a->v[0]; i > 0; i--)
            while (*c && *c++ != ' ') continue;
        while (c[n] && c[n] != ' ') n++;
        gmi_buf_add(b, c, n);
    } else {
        for (i = 0; i < a->n; i++) {
            if (i) gmi_buf_text(b, "x");
            if (s->kind == GMI_ARG_REAL)
                gmi_buf_format(b, "%g", a->v[i]);
            else
                gmi_buf_format(b, "%i", (int64_t)a->v[i]);
        }
    }
}

static void print_item(gmi_buf *b, const gmi_item *it);

void gmi_seq_print(const gmi_seq *s, gmi_buf *b)
{
    int32_t i;
    for (i = 0; i < s->n; i++) {
        if (i) gmi_buf_text(b, "; ");
        print_item(b, &s->item[i]);
    }
}

/* A value by place needs all places before it; behind a default that was left out it is written by name. */
static void print_item(gmi_buf *b, const gmi_item *it)
{
    const gmi_layer_def *d = it->def;
    int32_t i, skipped = 0;
    gmi_buf_text(b, d->flags & GMI_L_OWN ? it->own.word : d->word);
    for (i = 0; i < it->n_own; i++) gmi_buf_format(b, " %g", it->arg[i].v[0]);
    for (i = 0; i < d->n_spec; i++) {
        const gmi_arg_spec *s = &d->spec[i];
        if (it->arg[i].n == 0) {
            skipped = skipped || s->form == GMI_BY_PLACE;
            continue;
        }
        gmi_buf_text(b, " ");
        if (s->form == GMI_BY_LETTER) gmi_buf_text(b, s->name);
        if (s->form == GMI_BY_NAME || (s->form == GMI_BY_PLACE && skipped)) gmi_buf_format(b, "%s=", s->name);
        print_value(b, s, it, &it->arg[i]);
    }
    for (i = 0; i < it->n_branch; i++) {
        gmi_buf_text(b, " ( ");
        gmi_seq_print(&it->branch[i], b);
        gmi_buf_text(b, it->branch[i].n ? " )" : ")");
    }
}

gm_status gmi_seq_parse(gm_context *c, gmi_arena *arena, const char *text, gm_status unknown, gmi_seq *out)
{
    parser p;
    memset(&p, 0, sizeof p);
    p.ctx = c;
    p.arena = arena;
    p.text = text;
    p.unknown = unknown;
    if (parse_seq(&p, 0, out) == 0) return GM_OK;
    return p.failed ? p.failed : gmi_nomem(c);
}
