/* SPDX-License-Identifier: MIT */
/* genrep/base.h: status codes, the context, errors, memory, threads.
 *
 * Everything the library makes belongs to a context, and a context and all made from it belong to one thread at a time; contexts are
 * independent of each other. What can fail returns gm_status; the context then holds one message that names the call, the values, the
 * limit and what to do. */
#ifndef GENREP_BASE_H
#define GENREP_BASE_H
#include <stddef.h>
#include <stdint.h>

#ifndef GM_API
#if defined(__GNUC__) && __GNUC__ >= 4
#define GM_API __attribute__((visibility("default")))
#else
#define GM_API
#endif
#endif
#if defined(__GNUC__) && __GNUC__ >= 4
#define GM_CALL GM_API __attribute__((warn_unused_result)) gm_status
#else
#define GM_CALL GM_API gm_status
#endif
/* May be NULL: an input that is absent, an output that is not wanted. */
#define GM_OPT

#define GM_VERSION_MAJOR 0
#define GM_VERSION_MINOR 1
#define GM_VERSION_PATCH 0
#define GM_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */

#ifdef __cplusplus
extern "C" {
#endif

/* Every status: name, pinned value, what it means. Values are stable; words are not. */
#define GM_STATUS_LIST(X)                                                                                                                            \
    X(GM_OK, 0, "success")                                                                                                                           \
    X(GM_E_NOMEM, 10, "an allocation failed")                                                                                                        \
    X(GM_E_BUDGET, 11, "the memory limit of the context would be exceeded")                                                                          \
    X(GM_E_INVALID, 20, "an argument, option or word is not valid")                                                                                  \
    X(GM_E_SHAPE, 21, "a shape does not fit")                                                                                                        \
    X(GM_E_DTYPE, 22, "an element type does not fit")                                                                                                \
    X(GM_E_RANGE, 23, "an index, label or value is out of range")                                                                                    \
    X(GM_E_READONLY, 24, "an output is read-only memory")                                                                                            \
    X(GM_E_UNKNOWN, 25, "a name or word is not known")                                                                                               \
    X(GM_E_IO, 30, "reading or writing failed")                                                                                                      \
    X(GM_E_FORMAT, 31, "a file is malformed")                                                                                                        \
    X(GM_E_VERSION, 32, "a file needs another version of the library")                                                                               \
    X(GM_E_LIMIT, 33, "a limit set by the host would be exceeded")                                                                                   \
    X(GM_E_CHECKSUM, 34, "a file's digest is missing or does not match")                                                                             \
    X(GM_E_MODEL, 35, "a file is not a model of this kind")                                                                                          \
    X(GM_E_CANCELLED, 40, "the host cancelled the call")                                                                                             \
    X(GM_E_NONFINITE, 41, "a value is NaN or infinite")                                                                                              \
    X(GM_E_BUSY, 42, "the object is in use by an outer call")                                                                                        \
    X(GM_E_UNSUPPORTED, 50, "this build, machine or model cannot do that")                                                                           \
    X(GM_E_CALLBACK, 60, "a callback of the host failed")                                                                                            \
    X(GM_E_INTERNAL, 90, "a defect of the library; please report it")
#define GM_STATUS_ROW(name, value, text) name = value,
typedef int32_t gm_status;
enum { GM_STATUS_LIST(GM_STATUS_ROW) GM_STATUS_END = 100 };

typedef int32_t gm_simd;
enum { GM_SIMD_BEST, GM_SIMD_SCALAR, GM_SIMD_SSE2, GM_SIMD_AVX2, GM_SIMD_AVX512, GM_SIMD_NEON };

typedef struct gm_context gm_context;
typedef struct gm_tensor gm_tensor;
typedef struct gm_dataset gm_dataset;
typedef struct gm_graph gm_graph;
typedef struct gm_program gm_program;
typedef struct gm_run gm_run;
typedef struct gm_params gm_params;
typedef struct gm_layer gm_layer;
typedef struct gm_optimizer gm_optimizer;
typedef struct gm_schedule gm_schedule;
typedef struct gm_vae gm_vae;

/* One function allocates, resizes and frees: new_size 0 frees ptr and returns NULL; ptr NULL allocates; old_size is what was asked for ptr
 * (0 with NULL); align is a power of two, 64 at most. Returns NULL on failure (ptr then stays valid). Any thread. */
typedef void *(*gm_alloc_fn)(void *user, void *ptr, size_t old_size, size_t new_size, size_t align);
typedef void (*gm_task_fn)(void *arg, int32_t i);
/* Calls task(arg, i) for i = 0..n-1, on any threads, and returns when all have returned. */
typedef void (*gm_parallel_fn)(void *user, int32_t n, gm_task_fn task, void *arg);
typedef void (*gm_log_fn)(void *user, int32_t level, const char *line);
/* Monotonic seconds. */
typedef double (*gm_clock_fn)(void *user);

/* What reading a file may use at most. */
typedef struct gm_limits {
    size_t size;
    uint64_t header_bytes, tensor_bytes, metadata_bytes;
    int32_t tensors, name_bytes, rank;
} gm_limits;

typedef struct gm_context_options {
    size_t size;
    int32_t threads; /* 0 = the cores this process may use, 1 = creates no thread */
    gm_simd simd;    /* GM_SIMD_BEST, or a level; one this machine lacks is GM_E_UNSUPPORTED */
    uint64_t memory_limit; /* bytes, 0 = none */
    gm_alloc_fn alloc;     /* NULL = malloc */
    void *alloc_user;
    gm_parallel_fn parallel_for; /* NULL = own pool */
    void *parallel_user;
    gm_log_fn log; /* NULL = silent */
    void *log_user;
    int32_t log_level; /* 0 none, 1 error, 2 warning, 3 info, 4 debug */
    gm_clock_fn clock; /* NULL = no rates, ETA or time limit */
    void *clock_user;
    const gm_limits *load_limits; /* NULL = defaults */
} gm_context_options;

typedef struct gm_error {
    size_t size;
    gm_status status;
    int32_t detail, os_error; /* errno or 0 */
    int64_t where;            /* byte, line or column, -1 */
    const char *call, *message;
} gm_error;

GM_API void gm_context_options_init(gm_context_options *o, size_t size);
GM_API void gm_limits_init(gm_limits *l, size_t size);
GM_CALL gm_context_create(GM_OPT const gm_context_options *o, gm_context **out);
GM_API void gm_context_destroy(GM_OPT gm_context *c);
GM_API void gm_context_cancel(gm_context *c);
GM_API void gm_context_memory(const gm_context *c, uint64_t *now, GM_OPT uint64_t *peak);
GM_API int32_t gm_context_threads(const gm_context *c);
GM_API gm_simd gm_context_simd(const gm_context *c);
GM_API const char *gm_context_error(const gm_context *c);
GM_CALL gm_context_error_info(const gm_context *c, gm_error *out);
GM_API const char *gm_status_name(gm_status s);
GM_API const char *gm_status_text(gm_status s);
GM_API const char *gm_simd_name(gm_simd s);
GM_API const char *gm_build_info(void);
GM_API int32_t gm_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
