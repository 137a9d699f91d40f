/* SPDX-License-Identifier: MIT */
/* genrep/base.h: status codes, the context, errors, memory, threads.
 *
 * Everything the library makes belongs to a context. A context and all that is made from it are used by one thread at a time; contexts are
 * independent of each other, so that each thread of a host may have its own. What can fail returns gm_status, results last: GM_OK is 0, any other
 * value means that nothing was made (a handle *out is NULL), that output tensors are unspecified, and that every object is valid and the call may be
 * made again. The context then holds one message that names the call, the values, the limit and what to do.
 *
 *     gm_context *c = NULL;
 *     if (gm_context_create(NULL, &c)) return 1;       all defaults: own threads, malloc, silent
 *     ...
 *     if (s) puts(gm_context_error(c));                "vae_encode: x is [64,1,28,28] u8, model wants [n,784] f32: ..."
 *     gm_context_destroy(c);
 *
 * The library never exits, aborts, prints, handles signals, reads the environment or the locale, and keeps no global state. The host's floating point
 * state (rounding, flush to zero, traps) does not matter and is found unchanged. After fork() a child may only destroy what it inherited, and
 * create new contexts. */
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

/* A level of vector instructions. Results have the same bits at every level; only speed differs. */
typedef int32_t gm_simd;
enum {
    GM_SIMD_BEST,   /* the fastest that this build and this machine have */
    GM_SIMD_SCALAR, /* plain C, everywhere: the reference */
    GM_SIMD_SSE2,   /* x86 */
    GM_SIMD_AVX2,   /* x86 with AVX2 and FMA */
    GM_SIMD_AVX512, /* x86 with AVX-512 F, VL, DQ and BW */
    GM_SIMD_NEON    /* aarch64 */
};

/* Handles: opaque, made by a _create, _open, _parse, _load or _read call, dropped by _destroy in any order (children keep parents alive). */
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
typedef struct gm_gan gm_gan;
typedef struct gm_model gm_model;
typedef struct gm_latent gm_latent;

/* The host's allocator: one function that allocates, resizes and frees. ptr NULL allocates new_size bytes (old_size is 0); new_size 0 frees ptr and
 * its result is ignored; otherwise the block moves or stays, keeping its first min(old_size, new_size) bytes. old_size is exactly what was asked for ptr
 * before. align is a power of two, 64 at most, and the same in every call on one block. Returns NULL on failure; ptr then stays valid. Called from
 * any thread of the context, at the same time too. */
typedef void *(*gm_alloc_fn)(void *user, void *ptr, size_t old_size, size_t new_size, size_t align);
/* A piece of parallel work, as the library gives it to gm_parallel_fn. */
typedef void (*gm_task_fn)(void *arg, int32_t i);
/* The host's parallel loop: calls task(arg, i) once for each i in 0..n-1, in any order and on any threads, and returns when all have returned. */
typedef void (*gm_parallel_fn)(void *user, int32_t n, gm_task_fn task, void *arg);
/* Takes one line without newline; level is 1 error, 2 warning, 3 info, 4 debug. The text lives for the call. */
typedef void (*gm_log_fn)(void *user, int32_t level, const char *line);
/* Gives seconds from any fixed start that never run backwards. */
typedef double (*gm_clock_fn)(void *user);

/* What reading a file may use at most; more is GM_E_LIMIT before anything is allocated. */
typedef struct gm_limits {
    size_t size;             /* sizeof(gm_limits), set by gm_limits_init */
    uint64_t header_bytes;   /* of a safetensors header; 100,000,000 */
    uint64_t tensor_bytes;   /* of one tensor; 2^40 */
    uint64_t metadata_bytes; /* of all metadata text; 1 MiB */
    int32_t tensors;         /* in one file; 65,536 */
    int32_t name_bytes;      /* of one name; 1,024 */
    int32_t rank;            /* of one tensor; 8 */
} gm_limits;

typedef struct gm_context_options {
    size_t size;                 /* sizeof(gm_context_options), set by gm_context_options_init */
    int32_t threads;             /* 0 = the processors this process may use (affinity); 1 = creates no thread; at most 4096 */
    gm_simd simd;                /* GM_SIMD_BEST, or a level; one that this build or machine lacks is GM_E_UNSUPPORTED */
    uint64_t memory_limit;       /* bytes that the context may hold at once, itself included; 0 = no limit; over it a call is GM_E_BUDGET */
    gm_alloc_fn alloc;           /* NULL = malloc, realloc, free */
    void *alloc_user;            /* first argument of alloc */
    gm_parallel_fn parallel_for; /* NULL = an own pool of `threads`; else no thread is created, and `threads` says how finely work is cut */
    void *parallel_user;         /* first argument of parallel_for */
    gm_log_fn log;               /* NULL = silent */
    void *log_user;              /* first argument of log */
    int32_t log_level;           /* lines up to this level: 0 none, 1 error, 2 warning (default), 3 info, 4 debug */
    gm_clock_fn clock;           /* NULL = no rates, no ETA, no time limits: those numbers are NaN */
    void *clock_user;            /* first argument of clock */
    const gm_limits *load_limits; /* NULL = the defaults of gm_limits_init; copied */
} gm_context_options;

/* The last failing call as fields. The caller sets size; texts live until the next call on the context. */
typedef struct gm_error {
    size_t size;
    gm_status status;
    int32_t detail;   /* a finer code where a call documents one, else 0 */
    int32_t os_error; /* errno of the system call that failed, or 0 */
    int64_t where;    /* byte of a file, line of a text, column of an option text; -1 = none */
    const char *call; /* the name in front of the message, without gm_ */
    const char *message;
} gm_error;

/* Writes the default options. `size` is sizeof *o as the caller's header has it: never a byte more is written. o NULL does nothing. */
GM_API void gm_context_options_init(gm_context_options *o, size_t size);

/* Writes the default limits. `size` is sizeof *l as the caller's header has it: never a byte more is written. l NULL does nothing. */
GM_API void gm_limits_init(gm_limits *l, size_t size);

/* Creates a context with its threads. o NULL means all defaults; options are copied, the `user` pointers are kept until the context and all objects made
 * from it are gone. The system giving fewer threads than asked is no failure (gm_context_threads tells). Errors, without a message since there is no
 * context to hold it: GM_E_INVALID for out NULL, a struct that was not initialised, one that uses fields this library lacks, or a value out of range;
 * GM_E_UNSUPPORTED for a level of vector instructions that is not there; GM_E_NOMEM; GM_E_BUDGET for a limit below a context's own size. */
GM_CALL gm_context_create(GM_OPT const gm_context_options *o, gm_context **out);

/* Drops the handle and ends the context's threads; the memory goes with the last object made from the context. c NULL does nothing. */
GM_API void gm_context_destroy(GM_OPT gm_context *c);

/* Asks the call under way on this context to end with GM_E_CANCELLED after its current whole step. Any thread may call it, and a signal handler. c NULL does
 * nothing. Without a call under way the next one that can be cancelled takes it. */
GM_API void gm_context_cancel(gm_context *c);

/* Tells the bytes that the context holds now and the most it ever held, as asked from the allocator. Either output may be NULL. */
GM_API void gm_context_memory(const gm_context *c, GM_OPT uint64_t *now, GM_OPT uint64_t *peak);

/* Returns the number of threads that compute, the caller's included; 0 for NULL. */
GM_API int32_t gm_context_threads(const gm_context *c);

/* Returns the level of vector instructions in use, never GM_SIMD_BEST. */
GM_API gm_simd gm_context_simd(const gm_context *c);

/* Returns the message of the last call on the context if that failed, else "". The text lives until the next call. */
GM_API const char *gm_context_error(const gm_context *c);

/* Gives the same as fields; out->size must be set. After a call that went well, status is GM_OK and message "". GM_E_INVALID for NULL. */
GM_CALL gm_context_error_info(const gm_context *c, gm_error *out);

/* Returns the name of a status, "GM_E_SHAPE"; "unknown status" for any other value. Static text. */
GM_API const char *gm_status_name(gm_status s);

/* Returns what a status means, "a shape does not fit"; "unknown status" for any other value. Static text. */
GM_API const char *gm_status_text(gm_status s);

/* Returns the name of a level, "avx2"; "unknown" for any other value. Static text. */
GM_API const char *gm_simd_name(gm_simd s);

/* Returns one line about the build: library version, the versions of ABI, file format, numeric profile and codec, the compute type, levels, matrix
 * product and threads. Static text. Builds with the same numeric profile give the same bits; numeric=1001 with gemm=cblas is a build whose products are
 * a BLAS's, which promises no bits. */
GM_API const char *gm_build_info(void);

/* Returns GM_VERSION_NUMBER of the library, which may be newer than the header's. */
GM_API int32_t gm_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
