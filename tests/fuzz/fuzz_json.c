/* SPDX-License-Identifier: MIT */
/* fuzz_json.c: the pull parser on any bytes; every string is unescaped, compared and escaped again, every number read; what the writer makes of the
 * events is JSON with the same events. */
#include "format/json.h"
#include "fuzz.h"

/* Copies event e of j to o; 0 at the end. */
static int copy(const gmi_json *j, int32_t e, gmi_json_out *o, char *text)
{
    int64_t i;
    double d;
    switch (e) {
    case GMI_JSON_OBJECT: gmi_json_out_object(o); return 1;
    case GMI_JSON_ARRAY: gmi_json_out_array(o); return 1;
    case GMI_JSON_OBJECT_END:
    case GMI_JSON_ARRAY_END: gmi_json_out_end(o); return 1;
    case GMI_JSON_KEY:
    case GMI_JSON_STRING:
        gmi_json_unescape(j->p, j->token, text);
        if (text[j->token.length] || !gmi_utf8_valid(text, j->token.length)) fuzz_fail("unescape");
        if (!gmi_json_same(j->p, j->token, j->token)) fuzz_fail("same");
        if (gmi_json_has_zero(j->p, j->token) != (strlen(text) != j->token.length)) fuzz_fail("zero");
        if (strlen(text) == j->token.length && !gmi_json_equal(j->p, j->token, text)) fuzz_fail("equal");
        if (e == GMI_JSON_KEY) gmi_json_out_key(o, "k");
        else gmi_json_out_text_n(o, text, j->token.length);
        return 1;
    case GMI_JSON_NUMBER:
        if (!gmi_json_int(j->p, j->token, &i)) gmi_json_out_int(o, i);
        else gmi_json_out_double(o, gmi_json_double(j->p, j->token, &d) ? 0 : d);
        return 1;
    case GMI_JSON_TRUE: gmi_json_out_bool(o, 1); return 1;
    case GMI_JSON_FALSE: gmi_json_out_bool(o, 0); return 1;
    case GMI_JSON_NULL: gmi_json_out_null(o); return 1;
    default: return 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = malloc(n + 1);
    gmi_json j, again;
    gmi_json_out o;
    gmi_buf b;
    gmi_in in;
    int32_t e, f;
    gmi_buf_init(&b, fuzz_open(p, n, 0, &in));
    gmi_json_out_init(&o, &b);
    gmi_json_init(&j, (const char *)p, n, 32);
    do e = gmi_json_next(&j);
    while (copy(&j, e, &o, text));
    if (j.at > n || (e == GMI_JSON_ERROR) != (j.error[0] != 0)) fuzz_fail("the end");
    if (e == GMI_JSON_END) {
        gmi_json_init(&j, (const char *)p, n, 32);
        gmi_json_init(&again, b.p, b.n, 32);
        do {
            e = gmi_json_next(&j);
            f = gmi_json_next(&again);
            if (e != f) fuzz_fail("what the writer wrote is something else");
        } while (e != GMI_JSON_END);
    }
    gmi_buf_free(&b);
    free(text);
    fuzz_close(&in, GM_OK);
    return 0;
}
