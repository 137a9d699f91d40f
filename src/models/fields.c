/* SPDX-License-Identifier: MIT */
/* fields.c: flat JSON objects of a model file's metadata, by a table of fields.
 *
 * One table serves both directions, so that what is written is what is read. An object must have every field and no other: a file of a later version with
 * an option that this one does not know cannot be used rightly, and says so. NaN is null. Seeds are decimal text, because JSON readers elsewhere
 * round numbers above 2^53; enums
 * are their names. */
#include "models/model_io.h"
#include "nn/nn.h"

static void write_value(gmi_json_out *o, const gmi_field *f)
{
    char text[32];
    switch (f->kind) {
    case GMI_FIELD_TEXT: gmi_json_out_text(o, *(const char *const *)f->p); break;
    case GMI_FIELD_NAME: gmi_json_out_text(o, f->name_of(*(const int32_t *)f->p)); break;
    case GMI_FIELD_INT: gmi_json_out_int(o, *(const int64_t *)f->p); break;
    case GMI_FIELD_I32: gmi_json_out_int(o, *(const int32_t *)f->p); break;
    case GMI_FIELD_REAL: gmi_json_out_double(o, *(const double *)f->p); break;
    case GMI_FIELD_SEED:
        gmi_format(text, sizeof text, "%u", *(const uint64_t *)f->p);
        gmi_json_out_text(o, text);
        break;
    default:
        gmi_json_out_array(o);
        for (int64_t i = 0; i < (f->got ? *f->got : f->n); i++)
            if (f->kind == GMI_FIELD_INTS)
                gmi_json_out_int(o, ((const int64_t *)f->p)[i]);
            else
                gmi_json_out_double(o, ((const double *)f->p)[i]);
        gmi_json_out_end(o);
        break;
    }
}

void gmi_fields_write(gmi_buf *b, const gmi_field *f, int32_t n)
{
    gmi_json_out o;
    gmi_json_out_init(&o, b);
    gmi_json_out_object(&o);
    for (int32_t i = 0; i < n; i++) {
        gmi_json_out_key(&o, f[i].name);
        write_value(&o, &f[i]);
    }
    gmi_json_out_end(&o);
}

static int parse_seed(const char *s, uint64_t *v)
{
    uint64_t x = 0;
    if (!*s) return -1;
    for (; *s; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (*s < '0' || *s > '9' || x > (UINT64_MAX - digit) / 10) return -1;
        x = x * 10 + digit;
    }
    *v = x;
    return 0;
}

/* An integer literal, a minus sign allowed. */
static int parse_int(const char *p, gmi_json_token t, int64_t *v)
{
    size_t used = 0;
    return gmi_parse_i64(p + t.begin, t.n, v, &used) || used != t.n ? -1 : 0;
}

static int read_real(gmi_json *j, int32_t event, double *v)
{
    if (event == GMI_JSON_NULL) {
        size_t used;
        return gmi_parse_double("nan", 3, v, &used);
    }
    return event == GMI_JSON_NUMBER ? gmi_json_double(j->p, j->token, v) : -1;
}

static int read_array(gmi_json *j, const gmi_field *f)
{
    int64_t n = 0;
    int32_t e;
    for (; (e = gmi_json_next(j)) != GMI_JSON_ARRAY_END; n++) {
        if (n == f->n) return -1;
        if (f->kind == GMI_FIELD_INTS ? e != GMI_JSON_NUMBER || parse_int(j->p, j->token, (int64_t *)f->p + n) : read_real(j, e, (double *)f->p + n))
            return -1;
    }
    if (f->got) *f->got = n;
    return f->got || n == f->n ? 0 : -1;
}

static int read_text(gmi_json *j, gmi_arena *texts, const char **to)
{
    char *s = gmi_arena_alloc(texts, (uint64_t)j->token.length + 1);
    if (!s) return -2;
    char *room = gmi_arena_alloc(texts, (uint64_t)j->token.n + 1);
    if (!room) return -2;
    gmi_json_unescape(j->p, j->token, room);
    memcpy(s, room, j->token.length);
    *to = s;
    return strlen(s) == j->token.length ? 0 : -1;
}

/* The value whose name stands there; enums are small. */
static int read_name(const gmi_json *j, const gmi_field *f)
{
    for (int32_t v = 0; v < 64; v++)
        if (gmi_json_equal(j->p, j->token, f->name_of(v)) && !gmi_json_equal(j->p, j->token, f->name_of(1000))) {
            *(int32_t *)f->p = v;
            return 0;
        }
    return -1;
}

/* 0, -1 = not such a value, -2 = no memory. */
static int read_value(gmi_json *j, int32_t event, gmi_arena *texts, const gmi_field *f)
{
    int64_t i = 0;
    const char *s = NULL;
    int r;
    switch (f->kind) {
    case GMI_FIELD_TEXT: return event == GMI_JSON_STRING ? read_text(j, texts, f->p) : -1;
    case GMI_FIELD_NAME: return event == GMI_JSON_STRING ? read_name(j, f) : -1;
    case GMI_FIELD_SEED:
        r = event == GMI_JSON_STRING ? read_text(j, texts, &s) : -1;
        return r ? r : parse_seed(s, f->p);
    case GMI_FIELD_REAL: return read_real(j, event, f->p);
    case GMI_FIELD_INT: return event == GMI_JSON_NUMBER ? parse_int(j->p, j->token, f->p) : -1;
    case GMI_FIELD_I32:
        if (event != GMI_JSON_NUMBER || parse_int(j->p, j->token, &i) || i < INT32_MIN || i > INT32_MAX) return -1;
        *(int32_t *)f->p = (int32_t)i;
        return 0;
    default: return event == GMI_JSON_ARRAY ? read_array(j, f) : -1;
    }
}

static gm_status read_fields(gm_context *c, const char *what, gmi_json *j, gmi_arena *texts, const gmi_field *f, int32_t n)
{
    uint64_t seen = 0;
    int32_t e = gmi_json_next(j), i;
    if (e != GMI_JSON_OBJECT) return gmi_fail(c, GM_E_MODEL, "%s in the file is no JSON object", what);
    while ((e = gmi_json_next(j)) == GMI_JSON_KEY) {
        for (i = 0; i < n && !gmi_json_equal(j->p, j->token, f[i].name);) i++;
        if (i == n) {
            char name[64];
            gmi_format(name, sizeof name, "%s", j->token.n < sizeof name / 2 ? j->p + j->token.begin : "?");
            if (j->token.n < sizeof name / 2) name[j->token.n] = 0;
            return gmi_fail(c, GM_E_VERSION, "%s in the file has %S, which this version does not know", what, name);
        }
        if (seen >> i & 1) return gmi_fail(c, GM_E_MODEL, "%s in the file has %S twice", what, f[i].name);
        seen |= (uint64_t)1 << i;
        int r = read_value(j, gmi_json_next(j), texts, &f[i]);
        if (r == -2) return gmi_nomem(c);
        if (r) return gmi_fail(c, GM_E_MODEL, "%s in the file: the value of %S is not valid", what, f[i].name);
    }
    if (e != GMI_JSON_OBJECT_END || gmi_json_next(j) != GMI_JSON_END) return gmi_fail(c, GM_E_MODEL, "%s in the file is malformed", what);
    for (i = 0; i < n; i++)
        if (!(seen >> i & 1)) return gmi_fail(c, GM_E_MODEL, "%s in the file has no %S", what, f[i].name);
    return GM_OK;
}

gm_status gmi_fields_read(gm_context *c, const char *what, const char *json, gmi_arena *texts, const gmi_field *f, int32_t n)
{
    gmi_json j;
    gmi_json_init(&j, json, strlen(json), 4);
    return read_fields(c, what, &j, texts, f, n);
}

int gmi_fields_int(const char *json, const char *name, int64_t *v)
{
    gmi_json j;
    int32_t e;
    gmi_json_init(&j, json, strlen(json), 8);
    for (e = gmi_json_next(&j); e == GMI_JSON_OBJECT || e == GMI_JSON_KEY; e = gmi_json_next(&j)) {
        if (e == GMI_JSON_OBJECT) continue;
        if (gmi_json_equal(j.p, j.token, name)) return gmi_json_next(&j) == GMI_JSON_NUMBER ? parse_int(j.p, j.token, v) : -1;
        if (gmi_json_skip(&j, e) == GMI_JSON_ERROR) return -1;
    }
    return -1;
}
