/* SPDX-License-Identifier: MIT */
/* columns.h: the kinds of a mixed table's columns, from the text gm_spec.columns, for data and models.
 *
 *   text = column { ";" column }          column = name kind [ "missing" ]
 *   kind = "real" | "integer" lo hi | word "|" word { "|" word }
 *
 * Names and words are runs of bytes without blanks, ";" and "|", or anything between quotes ' or ". */
#ifndef GMI_TRAIN_COLUMNS_H
#define GMI_TRAIN_COLUMNS_H
#include "base/base.h"
#include "genrep/data.h"

#define GMI_COLUMN_LEVELS 65536   /* the most values of an integer column: bins on [-1, 1] stay wide against the last bit of f32 */
#define GMI_COLUMN_LARGEST 16777216 /* integers up to 2^24 are exact in f32 */

enum { GMI_COLUMN_REAL, GMI_COLUMN_INTEGER, GMI_COLUMN_CATEGORY };

typedef struct gmi_column {
    const char *name;
    int32_t kind, missing;    /* missing: cells may be NaN */
    int64_t lo, hi;           /* integer: its bounds; category: 0 and the last index; real: 0 and 0 */
    const char *const *words; /* category: hi + 1 of them */
} gmi_column;

typedef struct gmi_columns { /* all memory is the arena's */
    int64_t n;
    gmi_column *p;
} gmi_columns;

/* GM_E_INVALID with the column of the text. */
gm_status gmi_columns_parse(gmi_arena *a, const char *text, gmi_columns *out);
/* The text of a spec, where it has one, and what else the spec says fit. data: rank 0 is the data's. */
gm_status gmi_columns_check_spec(gm_context *c, const gm_spec *s, int data);
/* The cells of row number `row`: NaN only where it may be (GM_E_NONFINITE), integers and indices in range (GM_E_RANGE). */
gm_status gmi_columns_check(gm_context *c, const gmi_columns *k, const double *cell, int64_t row);
/* The index of a word, or -1. */
int64_t gmi_column_word(const gmi_column *k, const char *text, size_t n);
/* Whether two texts mean the same columns, `missing` aside. */
gm_status gmi_columns_same(gm_context *c, const char *a, const char *b, int *same);
#endif
