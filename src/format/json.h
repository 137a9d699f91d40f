/* SPDX-License-Identifier: MIT */
/* json.h: a pull parser for JSON (RFC 8259) over bytes in memory, a writer on gmi_buf, and UTF-8 checking.
 *
 * The parser is a loop with a bit stack: no recursion, no allocation, no copy; the bytes stay the caller's. It is as strict as the grammar: no
 * comment, no trailing comma, no BOM, no second value, no raw control character, no lone surrogate, no overlong or surrogate UTF-8. Strings stay
 * escaped in place until they are asked for; comparing is done after unescaping. Duplicate keys are the caller's matter, because finding them needs
 * memory. */
#ifndef GMI_FORMAT_JSON_H
#define GMI_FORMAT_JSON_H
#include "base/base.h"

enum {
    GMI_JSON_ERROR,      /* the grammar is violated: see .error and .at; every further call says so again */
    GMI_JSON_END,        /* the one value is complete and only white space follows */
    GMI_JSON_OBJECT,     /* { */
    GMI_JSON_OBJECT_END, /* } */
    GMI_JSON_ARRAY,      /* [ */
    GMI_JSON_ARRAY_END,  /* ] */
    GMI_JSON_KEY,        /* a member's name; its value is the next event */
    GMI_JSON_STRING,
    GMI_JSON_NUMBER,
    GMI_JSON_TRUE,
    GMI_JSON_FALSE,
    GMI_JSON_NULL
};

/* Where a token stands: of strings the bytes between the quotes, of numbers the literal. */
typedef struct gmi_json_token {
    size_t begin, n; /* in the source */
    size_t length;   /* after unescaping; <= n */
} gmi_json_token;

enum { GMI_JSON_E_GRAMMAR = 1, GMI_JSON_E_UTF8, GMI_JSON_E_DEPTH };

typedef struct gmi_json {
    const char *p;
    size_t n, at;         /* at: the byte after the last event, or the offending one */
    int32_t depth, limit; /* containers open now, and at most (<= 64) */
    uint64_t objects;     /* bit d: the container at depth d is an object */
    int32_t state;
    gmi_json_token token; /* of the last KEY, STRING or NUMBER */
    const char *error;    /* why it is an error, "" before */
    int32_t kind;         /* GMI_JSON_E_x */
} gmi_json;

void gmi_json_init(gmi_json *j, const char *p, size_t n, int32_t depth_limit);
int32_t gmi_json_next(gmi_json *j);
/* After OBJECT or ARRAY: goes on to its end; after KEY: past the value; else nothing. Returns the last event, or GMI_JSON_ERROR. */
int32_t gmi_json_skip(gmi_json *j, int32_t event);
/* Writes token.length unescaped bytes (which may contain 0) and a 0 after them. `to` may be p + token.begin: a quote is there for the 0. */
void gmi_json_unescape(const char *p, gmi_json_token t, char *to);
int gmi_json_equal(const char *p, gmi_json_token t, const char *text); /* 1 when the unescaped string equals text */
int gmi_json_same(const char *p, gmi_json_token a, gmi_json_token b);   /* 1 when two strings are equal once unescaped */
int gmi_json_has_zero(const char *p, gmi_json_token t);                 /* 1 when the unescaped string contains a 0 byte */
int gmi_json_int(const char *p, gmi_json_token t, int64_t *v);          /* 0; -1 unless the literal is 0 or [1-9][0-9]*, at most 2^63-1 */
int gmi_json_double(const char *p, gmi_json_token t, double *v);        /* 0; -1 when it overflows */
int gmi_utf8_valid(const char *s, size_t n);                            /* 1 when well-formed: no overlong form, surrogate or value above 10FFFF */

/* ---- writer: compact JSON; commas and colons are its own ---- */
typedef struct gmi_json_out {
    gmi_buf *b;      /* failures stay there (b->failed) */
    uint64_t filled; /* bit d: the container at depth d has a member */
    int32_t depth;   /* at most 64 */
    int after_key;
    uint64_t objects;
} gmi_json_out;
void gmi_json_out_init(gmi_json_out *o, gmi_buf *b);
void gmi_json_out_object(gmi_json_out *o);
void gmi_json_out_array(gmi_json_out *o);
void gmi_json_out_end(gmi_json_out *o); /* closes the innermost container */
void gmi_json_out_key(gmi_json_out *o, const char *key);
void gmi_json_out_text(gmi_json_out *o, const char *s);
void gmi_json_out_text_n(gmi_json_out *o, const char *s, size_t n);
void gmi_json_out_int(gmi_json_out *o, int64_t v);
void gmi_json_out_double(gmi_json_out *o, double v); /* NaN and infinities are null */
void gmi_json_out_bool(gmi_json_out *o, int v);
void gmi_json_out_null(gmi_json_out *o);
#endif
