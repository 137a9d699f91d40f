/* SPDX-License-Identifier: MIT */
/* genrep/data.h: images, signals, tables, own formats. Scaling and columns belong to the model, are stored in its file, and are undone on output. */
#ifndef GENREP_DATA_H
#define GENREP_DATA_H
#include "base.h"
#include "io.h"
#include "tensor.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef int32_t gm_scaling;
enum { GM_SCALE_AUTO, GM_SCALE_NONE, GM_SCALE_UNIT, GM_SCALE_SIGNED, GM_SCALE_STANDARD };
typedef struct gm_spec {
    size_t size;
    gm_dtype dtype;
    gm_scaling scaling;
    double lo, hi;
    int64_t dims[6];
    int32_t rank; /* of one sample */
    int64_t classes, cond_dim;
    const char *columns;
} gm_spec;
typedef struct gm_source {
    size_t size;
    void *user;
    int64_t count; /* -1 = endless */
    gm_status (*fetch)(void *user, int64_t n, const int64_t *index, void *x, void *cond);
} gm_source;
GM_API const char *gm_scaling_name(gm_scaling s);
GM_API void gm_spec_init(gm_spec *s, size_t size);
GM_API void gm_source_init(gm_source *s, size_t size);
GM_API const gm_spec *gm_dataset_spec(const gm_dataset *d);
GM_API int64_t gm_dataset_count(const gm_dataset *d);
GM_CALL gm_dataset_from_tensor(gm_tensor *x, GM_OPT const gm_tensor *cond, GM_OPT const gm_spec *s, gm_dataset **out);
GM_CALL gm_dataset_from_source(gm_context *c, const gm_spec *s, const gm_source *src, gm_dataset **out);
GM_CALL gm_dataset_from_series(gm_tensor *x, int64_t window, int64_t hop, gm_dataset **out);
GM_CALL gm_dataset_open(gm_context *c, const char *path, GM_OPT const char *o, gm_dataset **out);
GM_CALL gm_dataset_open_idx(gm_context *c, const char *path, GM_OPT const char *labels_path, gm_dataset **out);
GM_CALL gm_dataset_open_reader(gm_context *c, const gm_reader *r, const char *format, gm_dataset **out);
GM_CALL gm_dataset_read(gm_dataset *d, int64_t first, gm_tensor *x, GM_OPT gm_tensor *cond);
GM_CALL gm_dataset_split(gm_dataset *d, double fraction, uint64_t seed, gm_dataset **a, gm_dataset **b);
GM_API void gm_dataset_destroy(GM_OPT gm_dataset *d);
#ifdef __cplusplus
}
#endif
#endif
