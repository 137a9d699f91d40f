/* SPDX-License-Identifier: MIT */
/* genrep/data.h: images, signals, tables, own formats. Scaling and columns belong to the model, are stored in its file, and are undone on output.
 *
 * A dataset is a list of samples of one shape and type, each with at most one condition: a label (an integer from 0 on) or a vector of real numbers. It gives
 * rows by their numbers, so that order is somebody else's matter: training shuffles by a keyed permutation, a split is two of them, and neither
 * moves or copies a row. Samples are images [c,h,w], signals [c,t] or table rows [columns]; elements may be u8, i16, i32, i64, f32 or f64.
 *
 *     gm_dataset *all, *train, *test;
 *     s = gm_dataset_open(ctx, "iris.csv", "label=last", &all);
 *     if (!s) s = gm_dataset_split(all, 0.8, 1, &train, &test);
 *
 * A dataset belongs to the thread of its context. A NaN or an infinity in a row is GM_E_NONFINITE with the row's number (gm_error.where) as soon as the row is
 * used for training or evaluation; a label out of range is GM_E_RANGE with its row when the dataset is made.
 *
 * A mixed table says what its columns are in gm_spec.columns, "age real; kids integer 0 12; sex m|f; pay real missing": a name and a kind each, ";" between.
 *     real             any number; standardised over the cells that are there
 *     integer lo hi    whole numbers from lo to hi, 65536 values at most, within 2^24 of 0
 *     a|b|c            a category of two or more words; cells hold the index of the word, 0, 1, ...
 * The word missing behind a kind allows cells that are NaN. Names and words with blanks, ";" or "|" stand in quotes, ' or "; text is UTF-8. Samples are
 * [columns]; scaling is AUTO, STANDARD (of real columns) or NONE; lo and hi stay 0. Model files keep the text. When a row is used, a NaN in a column without
 * missing is GM_E_NONFINITE, and an integer or index out of range GM_E_RANGE, with the row and the column's name. */
#ifndef GENREP_DATA_H
#define GENREP_DATA_H
#include "base.h"
#include "io.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

/* How data becomes what a model computes with: model value = data * scale + shift.
 * GM_SCALE_AUTO      u8, or lo < hi given: UNIT; anything else: STANDARD.
 * GM_SCALE_NONE      as it is.
 * GM_SCALE_UNIT      [lo, hi] to [0, 1].
 * GM_SCALE_SIGNED    [lo, hi] to [-1, 1].
 * GM_SCALE_STANDARD  mean 0 and deviation 1 over the training part: a column at a time for samples of one axis, over all elements for images and
 *                    signals. A column that does not vary is only shifted.
 * A model keeps the constants in its file and undoes them on output: integers are rounded to the nearest even and clamped to their type, and everything is
 * clamped to [lo, hi] where that is given. */
typedef int32_t gm_scaling;
enum { GM_SCALE_AUTO, GM_SCALE_NONE, GM_SCALE_UNIT, GM_SCALE_SIGNED, GM_SCALE_STANDARD };

/* What one sample is. Fill it with gm_spec_init, then set what differs. */
typedef struct gm_spec {
    size_t size;
    gm_dtype dtype;      /* of the elements; 0 = that of the data, GM_F32 where there is none yet */
    gm_scaling scaling;  /* GM_SCALE_AUTO */
    double lo, hi;       /* bounds of the values in the data's units; 0 and 0 = not known, and for u8 0 and 255 */
    int64_t dims[6];     /* of one sample: [c,h,w], [c,t] or [columns] */
    int32_t rank;        /* axes in dims, 1 to 6; 0 = those of the data */
    int64_t classes;     /* labels are 0 .. classes-1; 0 = no labels, or with labels the largest + 1 */
    int64_t cond_dim;    /* numbers of a real condition; 0 = none. Not together with classes */
    const char *columns; /* kinds of the columns of a mixed table (above); NULL = all elements are alike */
} gm_spec;

/* A callback that gives samples: an own file format, a database, a generator.
 * fetch writes sample index[i] to x as element block i (dense, in the spec's dtype and shape) and its condition to cond (int32_t[n] labels, or float[n, cond_dim]),
 * for i = 0..n-1. cond is NULL when conditions are not wanted or the spec has none. It must give the same sample for the same number each time, returns GM_OK or
 * a status that ends the call, and is called on the thread that uses the dataset, never by two at a time. It may not use the dataset it serves (GM_E_BUSY). */
typedef struct gm_source {
    size_t size;
    void *user;
    int64_t count; /* samples, at least 1; -1 = endless: index is then a running number of the samples trained on */
    gm_status (*fetch)(void *user, int64_t n, const int64_t *index, void *x, void *cond);
} gm_source;

/* Gives the word for a scaling: "auto", "none", "unit", "signed", "standard"; "unknown" for other numbers. */
GM_API const char *gm_scaling_name(gm_scaling s);
/* Writes the defaults named above into *s, at most size bytes of it; size is sizeof *s. NULL is fine. */
GM_API void gm_spec_init(gm_spec *s, size_t size);
/* Writes the defaults into *s: endless, no callback. NULL is fine. */
GM_API void gm_source_init(gm_source *s, size_t size);

/* Gives what one sample of the dataset is, complete (dtype, rank, dims, classes are known); it lives as long as the dataset. NULL for NULL. */
GM_API const gm_spec *gm_dataset_spec(const gm_dataset *d);
/* Gives the number of samples; -1 for an endless source, 0 for NULL. */
GM_API int64_t gm_dataset_count(const gm_dataset *d);

/* Makes a dataset over rows of a tensor x [n, sample...] or [n], without copying them.
 * x may be wrapped host memory of any type and strides, which then must live, and keep its values, as long as the dataset; the handle x itself may be destroyed.
 * cond, when not NULL, is copied: labels [n] of an integer type, or conditions [n, c] of any type, or [n] of f32 or f64. s, when not NULL, may state bounds, scaling,
 * classes, and another shape of the same size for the samples. u8 data with GM_SCALE_AUTO and no bounds gets [0, 255]; when no value is above 127 (a mask of 0 and 1,
 * digits of 0 to 16), the largest value takes the place of 255.
 * Errors: GM_E_SHAPE (no rows, no elements, counts that differ), GM_E_DTYPE, GM_E_RANGE (a label, with its row), GM_E_NONFINITE (a condition, with its row). */
GM_CALL gm_dataset_from_tensor(gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT const gm_spec *s, gm_dataset **out);

/* Makes a dataset over a callback. s states rank and dims at least; both structs are copied, src->user is kept and must live as long as the dataset.
 * Rows pass through a staging buffer, which grows to the largest batch asked for. */
GM_CALL gm_dataset_from_source(gm_context *c, const gm_spec *s, const gm_source *src, gm_dataset **out);

/* Makes a dataset of windows of a series x [t] or [t, c]: sample i is [c, window], the times from i * hop on.
 * There are (t - window) / hop + 1 of them; times at the end that fill no window are not used. Memory as in gm_dataset_from_tensor: nothing is copied.
 * Errors: GM_E_SHAPE (rank, window > t), GM_E_RANGE (window or hop below 1). */
GM_CALL gm_dataset_from_series(gm_tensor *x, int64_t window, int64_t hop, gm_dataset **out);

/* Reads a dataset from a file, or from a folder of PNM pictures, into memory.
 * The format is told by the first bytes: IDX, npy, WAV, PNM, else csv. o is words "name=value" (quotes around a value with blanks), NULL for none:
 *   format=csv     when it cannot be told (a pipe): idx, npy, csv, pnm, wav; the word alone will do
 *   dims=1x28x28   shape of one sample, when the file has another of the same size
 *   lo=0 hi=16 scaling=unit classes=10    as in gm_spec
 *   labels=PATH    one label a row, from an IDX or npy file
 *   csv: label=last (first, none, a column's name, or its number when there are no names): that column is the label. Texts become classes 0, 1, ... in the order of
 *        their bytes. select=a,b,c takes these columns alone. header=1 or 0 and delimiter=, (tab, space) when they are not to be found out.
 *        columns="age real; sex m|f missing" reads a mixed table: columns by name, or by place when the first row has none of the names. Texts of a category
 *        become the index of their word, and an empty cell, NA, nan or ? is NaN where it may be missing, else GM_E_FORMAT. Of a npy table it says the kinds.
 *   wav: window=1024 hop=512 in times (hop: as window).
 * What comes out: an IDX file [n,h,w] gives samples [1,h,w]; npy and other IDX [n, sample...]; csv rows [columns] f32; pictures [c,h,w] with bounds 0 and the file's
 * largest value, in the order of their names' bytes, all of one size; WAV windows [c, window] in the file's own numbers.
 * Errors: GM_E_IO, GM_E_FORMAT (where = byte or line), GM_E_RANGE (a text that is no word of its category, an integer out of range; where = line), GM_E_INVALID
 * (an option, where = column), GM_E_UNKNOWN (a column), GM_E_LIMIT (gm_limits),
 * GM_E_UNSUPPORTED (compressed files: unpack them first). */
GM_CALL gm_dataset_open(gm_context *c, const char *path, GM_OPT const char *o, gm_dataset **out);
/* Reads an IDX file, the format of MNIST and its family, and its labels when labels_path is not NULL. [n,h,w] gives samples [1,h,w]. */
GM_CALL gm_dataset_open_idx(gm_context *c, const char *path, GM_OPT const char *labels_path, gm_dataset **out);
/* Reads a dataset from any reader, as gm_dataset_open does; format holds its options and, for a reader with callbacks, must name the format: "csv label=last". */
GM_CALL gm_dataset_open_reader(gm_context *c, const gm_reader *r, GM_OPT const char *format, gm_dataset **out);

/* Copies rows [first, first + n) into x [n, sample...], and their conditions into cond, as the data has them: nothing is scaled, nothing refused.
 * x has the spec's dtype, or f32, and may have strides; cond is i32 [n] for labels, f32 [n, cond_dim] for conditions, or NULL.
 * Errors: GM_E_RANGE past the end, GM_E_SHAPE, GM_E_DTYPE, GM_E_READONLY, and what a callback returns. */
GM_CALL gm_dataset_read(gm_dataset *d, int64_t first, gm_tensor *x, GM_OPT gm_tensor *cond);

/* Cuts a dataset into two at random: *a has the nearest number to fraction of the rows, and *b the rest; each has at least one.
 * The same count and seed give the same parts on every machine. The parts keep d alive and cost no memory; they may be cut again. fraction lies between 0 and 1.
 * Errors: GM_E_RANGE (fraction, fewer than two rows), GM_E_UNSUPPORTED (an endless source). */
GM_CALL gm_dataset_split(gm_dataset *d, double fraction, uint64_t seed, gm_dataset **a, gm_dataset **b);
/* Drops the handle; models that train on it, and its parts, keep what they need. NULL is fine. */
GM_API void gm_dataset_destroy(GM_OPT gm_dataset *d);
#ifdef __cplusplus
}
#endif
#endif
