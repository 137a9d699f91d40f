/* SPDX-License-Identifier: MIT */
/* text.c: one grammar for layers, optimizers, schedules and objectives: "word argument ...; word argument ...".
 *
 *   text   = phrase { ";" phrase }            an argument is name=value, or a value by position
 *   phrase = word { argument }                layers add "(" text ")" groups (layer_text.c)
 *
 * Tokens are runs of printable ASCII without blanks, ";", "(" and ")". Every complaint names a column (1-based byte of the text), what stood there and
 * what may stand there. Numbers go through base/fmt, so reading and writing are exact inverses. No nesting, no comments, no quoting. */
#include "nn/nn.h"

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int gmi_token_next(gm_context *c, const char *text, size_t *at, gmi_token *out)
{
    size_t i = *at;
    while (is_blank(text[i])) i++;
    if (i >= GMI_TEXT_MAX) {
        (void)gmi_fail_at(c, GM_E_INVALID, GMI_TEXT_MAX, "the text is longer than %d bytes", (int32_t)GMI_TEXT_MAX);
        return -1;
    }
    out->word.p = text + i;
    out->word.n = text[i] ? 1 : 0;
    out->word.column = (int32_t)i + 1;
    out->kind = text[i];
    if (text[i] == ';' || text[i] == '(' || text[i] == ')') {
        i++;
    } else if (text[i]) {
        size_t begin = i;
        for (; text[i] && !is_blank(text[i]) && text[i] != ';' && text[i] != '(' && text[i] != ')'; i++) {
            unsigned char b = (unsigned char)text[i];
            if (b > 32 && b < 127) continue;
            (void)gmi_fail_at(c, GM_E_INVALID, (int64_t)i + 1, "column %d: byte %d is not printable ASCII", (int32_t)i + 1, (int32_t)b);
            return -1;
        }
        if (i - begin >= GMI_WORD_MAX) {
            (void)gmi_fail_at(c, GM_E_INVALID, (int64_t)begin + 1, "column %d: a word of %i bytes; the limit is %d", (int32_t)begin + 1,
                              (int64_t)(i - begin), (int32_t)GMI_WORD_MAX - 1);
            return -1;
        }
        out->word.n = (int32_t)(i - begin);
        out->kind = 'w';
    }
    *at = i;
    return out->kind;
}

int gmi_word_is(const gmi_word *w, const char *s) { return strlen(s) == (size_t)w->n && memcmp(w->p, s, (size_t)w->n) == 0; }

int gmi_word_number(const gmi_word *w, double *v)
{
    size_t used = 0;
    return w->n > 0 && gmi_parse_double(w->p, (size_t)w->n, v, &used) == 0 && used == (size_t)w->n;
}

size_t gmi_word_copy(const gmi_word *w, char *to, size_t n)
{
    size_t k = (size_t)w->n < n - 1 ? (size_t)w->n : n - 1;
    memcpy(to, w->p, k);
    to[k] = 0;
    return k;
}

/* "a b c": whether one of the blank-separated names is w. */
int gmi_word_in(const gmi_word *w, const char *names)
{
    size_t n = (size_t)w->n;
    while (*names) {
        size_t k = 0;
        while (names[k] && names[k] != ' ') k++;
        if (k == n && memcmp(names, w->p, n) == 0) return 1;
        names += k;
        while (*names == ' ') names++;
    }
    return 0;
}

/* name=value, with both sides present; or the whole word as the value. */
int gmi_option_split(gm_context *c, const gmi_word *w, gmi_option *out)
{
    const char *eq = memchr(w->p, '=', (size_t)w->n);
    char shown[GMI_WORD_MAX];
    out->name = *w;
    out->text = *w;
    out->name.n = 0;
    out->value = 0.0;
    if (eq) {
        out->name.n = (int32_t)(eq - w->p);
        out->text.p = eq + 1;
        out->text.n = w->n - out->name.n - 1;
        out->text.column = w->column + out->name.n + 1;
        if (out->name.n == 0 || out->text.n == 0) {
            (void)gmi_word_copy(w, shown, sizeof shown);
            (void)gmi_fail_at(c, GM_E_INVALID, w->column, "column %d: %S: write name=value without blanks", w->column, shown);
            return -1;
        }
    }
    out->is_number = gmi_word_number(&out->text, &out->value);
    return 0;
}

static int refuse(gm_context *c, const gmi_word *w, const char *why)
{
    char shown[GMI_WORD_MAX];
    (void)gmi_word_copy(w, shown, sizeof shown);
    (void)gmi_fail_at(c, GM_E_INVALID, w->column, "column %d: %S: %s", w->column, shown, why);
    return -1;
}

static int add_option(gm_context *c, const gmi_word *w, gmi_phrase *out)
{
    int32_t i;
    gmi_option *o = &out->option[out->n];
    if (out->n == GMI_MAX_OPTIONS) return refuse(c, w, "too many arguments");
    if (gmi_option_split(c, w, o)) return -1;
    for (i = 0; o->name.n && i < out->n; i++)
        if (out->option[i].name.n == o->name.n && memcmp(out->option[i].name.p, o->name.p, (size_t)o->name.n) == 0)
            return refuse(c, w, "given twice");
    out->n++;
    return 0;
}

int gmi_text_next(gm_context *c, const char *text, size_t *at, gmi_phrase *out)
{
    gmi_token t;
    int kind;
    out->n = 0;
    do kind = gmi_token_next(c, text, at, &t);
    while (kind == ';');
    if (kind <= 0) return kind;
    if (kind != 'w') return refuse(c, &t.word, "a word must stand here");
    out->word = t.word;
    for (;;) {
        kind = gmi_token_next(c, text, at, &t);
        if (kind < 0) return -1;
        if (kind == 0 || kind == ';') return 1;
        if (kind != 'w') return refuse(c, &t.word, "parentheses have no place here");
        if (add_option(c, &t.word, out)) return -1;
    }
}

const gmi_option *gmi_phrase_option(const gmi_phrase *p, const char *name, int32_t position)
{
    int32_t i, k = 0;
    for (i = 0; i < p->n; i++) {
        if (p->option[i].name.n ? name && gmi_word_is(&p->option[i].name, name) : k++ == position) return &p->option[i];
    }
    return NULL;
}

double gmi_phrase_number(const gmi_phrase *p, const char *name, int32_t position, double dflt)
{
    const gmi_option *o = gmi_phrase_option(p, name, position);
    return o && o->is_number ? o->value : dflt;
}

gm_status gmi_phrase_check(gm_context *c, const gmi_phrase *p, const char *numbers, const char *words, int32_t positions)
{
    int32_t i, k = 0;
    char shown[GMI_WORD_MAX], phrase[GMI_WORD_MAX];
    (void)gmi_word_copy(&p->word, phrase, sizeof phrase);
    for (i = 0; i < p->n; i++) {
        const gmi_option *o = &p->option[i];
        int number = o->name.n == 0 || gmi_word_in(&o->name, numbers);
        (void)gmi_word_copy(o->name.n ? &o->name : &o->text, shown, sizeof shown);
        if (o->name.n == 0 && k++ >= positions)
            return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: %S is one value too many for %s; options: %s %s", o->text.column, shown, phrase,
                               numbers, words);
        if (!number && !gmi_word_in(&o->name, words))
            return gmi_fail_at(c, GM_E_INVALID, o->name.column, "column %d: %s has no option %S; options: %s %s", o->name.column, phrase, shown, numbers,
                               words);
        if (number && !o->is_number)
            return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: %S of %s: a number must stand here", o->text.column, shown, phrase);
    }
    return GM_OK;
}
