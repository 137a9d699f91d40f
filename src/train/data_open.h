/* SPDX-License-Identifier: MIT */
/* data_open.h: what the readers of dataset files (data_open.c, data_csv.c, data_pictures.c) share. */
#ifndef GMI_TRAIN_DATA_OPEN_H
#define GMI_TRAIN_DATA_OPEN_H
#include "train/dataset.h"

/* The options of gm_dataset_open, cut into texts that live in `text`; NULL where not given. */
typedef struct gmi_open_options {
    char *text;                 /* from gmi_alloc */
    const char *format, *labels, *label, *select;
    char delimiter;             /* 0 = found out */
    int32_t header;             /* -1 = found out */
    int64_t window, hop;        /* 0 = not given */
    gm_spec spec;
} gmi_open_options;

gm_status gmi_open_csv(gm_context *c, gmi_in *in, const gmi_open_options *o, gm_dataset **out);
/* Every .pgm, .ppm and .pnm file of a folder, in the order of their names' bytes. */
gm_status gmi_open_pictures(gm_context *c, const char *dir, const gmi_open_options *o, gm_dataset **out);
gm_status gmi_open_picture(gm_context *c, gmi_in *in, const gmi_open_options *o, gm_dataset **out);
/* Labels of n rows from an IDX or npy file into memory from gmi_alloc. */
gm_status gmi_open_labels(gm_context *c, const char *path, int64_t n, int32_t **labels);
void gmi_sort_texts(const char **p, int64_t n); /* by bytes */
#endif
