/* SPDX-License-Identifier: MIT */
/* fuzz_text.c: any bytes as the text of layers, an optimizer, a schedule, columns. What reads must print a text that reads back to itself. */
#include "fuzz.h"
#include "genrep/layer.h"
#include "genrep/optim.h"
#include "train/columns.h"
#include "train/optim.h"
#include "train/schedule.h"

static void layers(gm_context *c, const char *text)
{
    const gm_layer *l = NULL, *again = NULL;
    if (gm_layer_parse(c, text, &l)) return;
    if (gm_layer_parse(c, gm_layer_text(l), &again) || strcmp(gm_layer_text(l), gm_layer_text(again)) != 0) fuzz_fail("layers");
    gm_layer_destroy(l);
    gm_layer_destroy(again);
}

static void optimizers(gm_context *c, const char *text)
{
    gmi_buf a, b;
    gmi_buf_init(&a, c);
    gmi_buf_init(&b, c);
    gmi_enter(c, "fuzz");
    if (gmi_optimizer_normalize(c, text, &a) == GM_OK && (gmi_optimizer_normalize(c, gmi_buf_cstr(&a), &b) || strcmp(gmi_buf_cstr(&a), gmi_buf_cstr(&b)) != 0))
        fuzz_fail("optimizers");
    (void)gmi_leave(c, GM_OK);
    gmi_buf_free(&a);
    gmi_buf_free(&b);
}

static void schedules(gm_context *c, const char *text)
{
    gm_schedule *s = NULL, *again = NULL;
    gmi_buf a;
    gmi_buf_init(&a, c);
    if (gm_schedule_parse(c, text, &s) == GM_OK) {
        if (gmi_schedule_text(s, &a) || gm_schedule_parse(c, gmi_buf_cstr(&a), &again)) fuzz_fail("schedules");
        if (memcmp((char *)s + offsetof(gm_schedule, kind), (char *)again + offsetof(gm_schedule, kind), sizeof *s - offsetof(gm_schedule, kind)) != 0)
            fuzz_fail("another schedule");
        (void)gm_schedule_value(s, 10, 0.5);
    }
    gmi_buf_free(&a);
    gm_schedule_destroy(s);
    gm_schedule_destroy(again);
}

static void columns(gm_context *c, const char *text)
{
    gmi_arena a;
    gmi_columns k;
    gmi_arena_init(&a, c);
    gmi_enter(c, "fuzz");
    if (gmi_columns_parse(&a, text, &k) == GM_OK)
        for (int64_t i = 0; i < k.n; i++)
            for (int64_t j = 0; k.p[i].kind == GMI_COLUMN_CATEGORY && j <= k.p[i].hi; j++)
                if (gmi_column_word(&k.p[i], k.p[i].words[j], strlen(k.p[i].words[j])) != j) fuzz_fail("columns");
    (void)gmi_leave(c, GM_OK);
    gmi_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = malloc(n + 1);
    gm_context *c;
    gmi_in in;
    if (!text) return 0;
    if (n) memcpy(text, p, n);
    text[n] = 0;
    c = fuzz_open(p, n, 0, &in);
    layers(c, text);
    optimizers(c, text);
    schedules(c, text);
    columns(c, text);
    free(text);
    fuzz_close(&in, GM_OK);
    return 0;
}
