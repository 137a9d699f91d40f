/* SPDX-License-Identifier: MIT */
/* register.c: own layers: words that a host adds to the text form of one context.
 *
 * A class is a word and a callback that builds graph nodes; it needs no backward, because gradients are graphs. Text with such a word is stored in model files
 * as it stands, so a program that registers the word first can load them; another one gets GM_E_UNKNOWN with the word. A layer copies its classes
 * when it is parsed: later registrations never change it. */
#include "nn/layers.h"

#define WORDS_MAX 256
#define WORD_BYTES 32

typedef struct word_list {
    int32_t n;
    gm_layer_class c[WORDS_MAX];
    char word[WORDS_MAX][WORD_BYTES];
} word_list;

static void words_free(gm_context *c, void *words) { gmi_free(c, words); }

const gm_layer_class *gmi_words_find(const gm_context *c, const gmi_word *w)
{
    const word_list *l = c->words;
    int32_t i;
    for (i = 0; l && i < l->n; i++)
        if (gmi_word_is(w, l->word[i])) return &l->c[i];
    return NULL;
}

void gmi_words_list(const gm_context *c, gmi_buf *b)
{
    const word_list *l = c->words;
    int32_t i;
    for (i = 0; l && i < l->n; i++) gmi_buf_format(b, ", %s", l->word[i]);
}

/* [a-z_][a-z0-9_]*, shorter than WORD_BYTES. */
static int word_valid(const char *s)
{
    size_t i;
    for (i = 0; s[i]; i++) {
        int letter = (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_', digit = s[i] >= '0' && s[i] <= '9';
        if (i >= WORD_BYTES - 1 || !(letter || (digit && i))) return 0;
    }
    return i > 0;
}

static gm_status add(gm_context *c, const gm_layer_class *k)
{
    word_list *l = c->words;
    gmi_word w;
    if (k->size < sizeof *k) return gmi_fail(c, GM_E_INVALID, "size is %u, must be at least %u: set it to sizeof(gm_layer_class)", (uint64_t)k->size,
                                             (uint64_t)sizeof *k);
    if (!k->word || !k->build) return gmi_fail(c, GM_E_INVALID, "word and build must be set");
    if (!word_valid(k->word)) return gmi_fail(c, GM_E_INVALID, "%S is no word: a to z, 0 to 9 and _, at most %d bytes, no digit first", k->word, WORD_BYTES - 1);
    w.p = k->word;
    w.n = (int32_t)strlen(k->word);
    w.column = 0;
    if (gmi_layer_find(&w)) return gmi_fail(c, GM_E_INVALID, "%S is a word of the library: choose another one", k->word);
    if (gmi_words_find(c, &w)) return gmi_fail(c, GM_E_INVALID, "%S is registered already in this context", k->word);
    if (!l) {
        l = gmi_alloc(c, sizeof *l);
        if (!l) return gmi_nomem(c);
        c->words = l;
        c->words_free = words_free;
    }
    if (l->n == WORDS_MAX) return gmi_fail(c, GM_E_LIMIT, "%d words are registered; the limit is %d", l->n, WORDS_MAX);
    memcpy(l->word[l->n], k->word, (size_t)w.n + 1);
    l->c[l->n] = *k;
    l->c[l->n].word = l->word[l->n];
    l->n++;
    return GM_OK;
}

gm_status gm_layer_register(gm_context *c, const gm_layer_class *k)
{
    if (!c || !k) return GM_E_INVALID;
    gmi_enter(c, "layer_register");
    return gmi_leave(c, add(c, k));
}

static gm_node build_own(gm_graph *g, const gmi_item *it, gm_node x, gm_node cond)
{
    static const gm_node none = {0};
    double args[GMI_LAYER_ARGS];
    gm_node y;
    int32_t i;
    for (i = 0; i < it->n_own; i++) args[i] = it->arg[i].v[0];
    y = it->own.build(it->own.user, g, x, cond, it->n_own, args);
    if (!y.id && !g->failed) return gmi_graph_fail(g, GM_E_CALLBACK, "%s %s: build returned no node", g->scope, it->own.word);
    if (y.id > (uint32_t)g->n) return gmi_graph_fail(g, GM_E_CALLBACK, "%s %s: build returned a node of another graph", g->scope, it->own.word);
    return g->failed ? none : y;
}

const gmi_layer_def gmi_layer_own = {"own", "", GMI_L_OWN, 0, NULL, 0, 0, build_own, 0};
