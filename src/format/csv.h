/* SPDX-License-Identifier: MIT */
/* csv.h: tables of text (RFC 4180 with a choice of delimiter), row by row, and numeric tables.
 *
 * Only one row is in memory at a time. Quoted cells may contain delimiters, line ends and doubled quotes. Lines end with LF, CR LF or CR; empty
 * lines are skipped; a UTF-8 byte order mark is skipped. Every row must have as many cells as the first. Messages name the line and the column. */
#ifndef GMI_FORMAT_CSV_H
#define GMI_FORMAT_CSV_H
#include "base/base.h"
#include "tensor/tensor.h"

typedef struct gmi_csv_options {
    char delimiter;   /* 0 = whichever of , ; tab | occurs most in the first row, outside quotes */
    int32_t header;   /* 1 yes, 0 no, -1 = when a cell of the first row is neither empty nor a number */
    int32_t missing;  /* numeric tables: 1 = an empty cell or "nan" is NaN; 0 = it is an error */
    int32_t select_n; /* numeric tables: these columns in this order; 0 = all */
    const char *const *select; /* names; where the table has none, 1-based numbers as text */
} gmi_csv_options;

typedef struct gmi_csv_cell {
    const char *text; /* terminated, unquoted; valid until the next row is read */
    size_t n;
    int32_t quoted;
} gmi_csv_cell;

typedef struct gmi_csv {
    gm_context *ctx;
    gmi_in *in;
    gmi_csv_options o;
    char *bytes;          /* a window on the source */
    size_t n, at, cap;
    int end;              /* the source has ended */
    int64_t line;         /* 1-based, where the present row begins */
    int64_t next_line;
    int64_t columns;      /* -1 before the first row */
    int64_t rows;         /* read so far, without the header */
    gmi_csv_cell *cells;  /* of the present row: columns of them */
    int64_t cells_cap;
    char *names_text;     /* names as terminated texts */
    const char **names;   /* columns of them, NULL without a header */
    int pending;          /* the first row has been read and is data */
} gmi_csv;

void gmi_csv_options_init(gmi_csv_options *o); /* 0, -1, 0, none */
gm_status gmi_csv_open(gm_context *c, gmi_in *in, const gmi_csv_options *o, gmi_csv *t); /* reads the first row; an empty file is GM_E_FORMAT */
gm_status gmi_csv_next(gmi_csv *t, int *got); /* *got 0 at the end */
gm_status gmi_csv_take_header(gmi_csv *t);    /* opened with header 0 and not yet read from: the first row is the names after all */
void gmi_csv_close(gmi_csv *t);               /* also after a failed open, and twice */
int64_t gmi_csv_column(const gmi_csv *t, const char *name); /* index, or -1 */
int gmi_csv_cell_number(const gmi_csv_cell *c, double *v);   /* 1 when it is a number, nan and inf included, with at most spaces around it */
int gmi_csv_cell_empty(const gmi_csv_cell *c);               /* 1 when there is nothing but spaces */
/* Column i of the present row as a number; NaN for a missing one where the options allow it. */
gm_status gmi_csv_number(gmi_csv *t, int64_t i, double *v);
/* The numeric table as [rows, columns], dtype GM_F32 or GM_F64. names, when not NULL, receives the chosen names, each followed by a 0 byte (none
 * without a header). */
gm_status gmi_csv_read(gm_context *c, gmi_in *in, const gmi_csv_options *o, gm_dtype dtype, gm_tensor **out, gmi_buf *names);

/* ---- writer ---- */
void gmi_csv_add_text(gmi_buf *b, const char *s, size_t n); /* quoted only when it must be */
void gmi_csv_add_number(gmi_buf *b, double v);              /* shortest round trip; NaN is empty */
/* t of rank 1 or 2, any dtype; names may be NULL, else one per column. Delimiter ',', lines end with LF. */
gm_status gmi_csv_write(const gm_tensor *t, const char *const *names, gmi_out *o);
#endif
