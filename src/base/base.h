/* SPDX-License-Identifier: MIT */
/* base.h: what every folder of the library sees of base/. Context, first-error messages, memory, threads, text, streams.
 *
 * Errors: a public function begins with gmi_enter(ctx, "vae_encode") and ends with `return gmi_leave(ctx, s)`. The outermost call clears the
 * message; gmi_fail keeps the first one only. Around a host's callback: gmi_callback_begin/end, so that what the host calls there has an error
 * life of its own.
 * Memory: gmi_alloc gives zeroed, 64-byte aligned memory or NULL with the message already set (GM_E_NOMEM or GM_E_BUDGET); the size is kept in
 * a header before the block, so that gmi_free needs none. Both are safe from any thread. */
#ifndef GMI_BASE_BASE_H
#define GMI_BASE_BASE_H
#include "base/build_info.h"
#include "genrep/base.h"
#include "genrep/io.h"
#include <stdarg.h>
#include <string.h>

#define GMI_COUNT(a) ((int64_t)(sizeof(a) / sizeof((a)[0])))
#define GMI_MIN(a, b) ((a) < (b) ? (a) : (b))
#define GMI_MAX(a, b) ((a) > (b) ? (a) : (b))
#define GMI_MAX_RANK 8

typedef struct gmi_pool gmi_pool;

struct gm_context {
    int32_t refs;         /* atomic: the handle and all children */
    int32_t cancel;       /* atomic flag */
    gm_alloc_fn alloc;
    void *alloc_user;
    size_t mem_now, mem_peak; /* atomic */
    uint64_t mem_limit;
    size_t alloc_count;   /* atomic: number of calls of the allocator that asked for memory, for tests */
    gm_log_fn log;
    void *log_user;
    int32_t log_level;
    gm_clock_fn clock;
    void *clock_user;
    gm_limits limits;
    uint32_t simd_have;   /* mask 1 << GM_SIMD_x: build and CPU */
    gm_simd simd;         /* as chosen, never BEST */
    int32_t threads;
    gmi_pool *pool;
    gm_parallel_fn parallel_for;
    void *parallel_user;
    int64_t pid;          /* of the process that made it: a forked child runs inline */
    int32_t region;       /* atomic: a parallel region is under way */
    int32_t fail_lock;    /* atomic: guards the message against pool threads */
    int32_t callbacks;    /* host callbacks under way: what is called there is not the outermost call */
    int32_t held, stale;  /* err.c: a message that a callback's calls may not clear; one they left behind */
    uint64_t fp_word;     /* the host's floating point state, while depth > 0 */
    int32_t depth;        /* public calls under way */
    const char *call;     /* outermost call */
    gm_status status;     /* of the last failing call */
    int32_t os_error, detail;
    int64_t where;
    const char *fail_call;
    char message[1024];
    void *words;          /* registered layer classes: owned by nn/ */
    void (*words_free)(gm_context *, void *);
};

/* ---- context.c ---- */
void gmi_context_retain(gm_context *c);
void gmi_context_release(gm_context *c);
int32_t gmi_atomic_add(int32_t *p, int32_t d); /* returns the new value, sequentially consistent */
int32_t gmi_atomic_get(const int32_t *p);
void gmi_atomic_set(int32_t *p, int32_t v);
int32_t gmi_atomic_swap(int32_t *p, int32_t v);                /* returns the old value */
int gmi_atomic_cas(int32_t *p, int32_t expected, int32_t v);   /* 1 when it was `expected` and is now v */
void gmi_cpu_pause(void);                                      /* a hint inside a spin loop */
/* Option structs begin with `size_t size`. init: copies the defaults, never past `size` bytes, zeroes what a newer header has beyond them, and
 * writes size. merge: full (n bytes, holding the defaults) takes what the caller's struct has; -1 when its size makes no sense or when bytes beyond n
 * are used. */
void gmi_options_init(void *to, size_t size, const void *defaults, size_t n);
int gmi_options_merge(void *full, size_t n, const void *given);

/* ---- err.c ---- */
void gmi_enter(gm_context *c, const char *call);
gm_status gmi_leave(gm_context *c, gm_status s); /* s back; when s is an error nobody described, a message from its text is set */
/* Records the first cause and returns s. f is gmi_vformat's format. The message is "<call>: <text>". */
gm_status gmi_fail(gm_context *c, gm_status s, const char *f, ...);
gm_status gmi_fail_at(gm_context *c, gm_status s, int64_t where, const char *f, ...);
/* GM_E_UNSUPPORTED for what a build without training does not have. */
gm_status gmi_no_training(gm_context *c);
gm_status gmi_fail_os(gm_context *c, gm_status s, int os_error, const char *f, ...);
/* Without messages their arguments count as used, and are gone from the code. */
#if !GM_MESSAGES
int gmi_no_text(const char *f, ...); /* declared for sizeof alone */
gm_status gmi_fail_plain(gm_context *c, gm_status s, int64_t where, int os_error);
#define gmi_fail(c, s, ...) ((void)sizeof(gmi_no_text(__VA_ARGS__)), gmi_fail_plain(c, s, -1, 0))
#define gmi_fail_at(c, s, where, ...) ((void)sizeof(gmi_no_text(__VA_ARGS__)), gmi_fail_plain(c, s, where, 0))
#define gmi_fail_os(c, s, os_error, ...) ((void)sizeof(gmi_no_text(__VA_ARGS__)), gmi_fail_plain(c, s, -1, os_error))
#endif
typedef struct gmi_callback_state {
    int32_t depth, held;
    const char *call;
    uint64_t fp_word;
} gmi_callback_state;
gmi_callback_state gmi_callback_begin(gm_context *c);
void gmi_callback_end(gm_context *c, gmi_callback_state s);
void gmi_log(gm_context *c, int32_t level, const char *f, ...);
int gmi_cancelled(gm_context *c); /* the flag; it stays up until an outermost call has ended with GM_E_CANCELLED (gmi_leave), or gmi_cancel_clear */
void gmi_cancel_clear(gm_context *c);
int gmi_status_known(gm_status s); /* 1 for the values of GM_STATUS_LIST */
/* What a host's callback answered, as the status of the call: known failures are handed on, unknown values become GM_E_CALLBACK. `what` names the
 * callback in the message. GM_OK stays GM_OK. */
gm_status gmi_callback_status(gm_context *c, gm_status s, const char *what);

/* ---- alloc.c: sizes checked; results NULL with the message set ---- */
void *gmi_alloc(gm_context *c, uint64_t bytes);                    /* zeroed; 0 bytes gives a valid pointer */
void *gmi_alloc_n(gm_context *c, int64_t n, uint64_t size);        /* n * size, checked */
void *gmi_realloc(gm_context *c, void *p, uint64_t bytes);         /* grows or shrinks, new bytes zeroed; on failure p stays */
void gmi_free(gm_context *c, void *p);                             /* NULL is fine */
char *gmi_strdup(gm_context *c, const char *s);                    /* NULL gives "" */
uint64_t gmi_memory_now(const gm_context *c);                      /* bytes in use; another thread may be giving a gm_model's back */
int gmi_mul_u64(uint64_t a, uint64_t b, uint64_t *out);            /* 0, or -1 on overflow */
int gmi_add_u64(uint64_t a, uint64_t b, uint64_t *out);
int gmi_mul_i64(int64_t a, int64_t b, int64_t *out);               /* operands >= 0 */
int gmi_count_i64(int32_t rank, const int64_t *dims, int64_t *out); /* product of dims, -1 on overflow or a negative dim */

/* ---- arena.c: a bump allocator that grows by blocks; all is freed at once ---- */
typedef struct gmi_arena {
    gm_context *ctx;
    struct gmi_arena_block *head;
} gmi_arena;
void gmi_arena_init(gmi_arena *a, gm_context *c);
void *gmi_arena_alloc(gmi_arena *a, uint64_t bytes); /* zeroed, 16-byte aligned */
char *gmi_arena_strdup(gmi_arena *a, const char *s, size_t n);
void gmi_arena_free(gmi_arena *a);

/* ---- rng.c: keys of random streams; the words come from kernels/random.c ---- */
uint64_t gmi_hash_bytes(uint64_t h, const void *p, size_t n); /* FNV-1a 64 continued from h */
uint64_t gmi_hash_text(uint64_t h, const char *s);
#define GMI_HASH_START 0xcbf29ce484222325ull
uint64_t gmi_mix64(uint64_t x); /* SplitMix64 finaliser */
void gmi_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]); /* one block, scalar */
/* Keyed permutation of 0..n-1 (Feistel network on Philox, cycle walking): the i-th of the permutation named by key. n >= 1. */
int64_t gmi_permute(int64_t i, int64_t n, uint64_t key);

/* ---- pool.c ---- */
/* Runs task(arg, i) for i in 0..n-1 and waits; inline when n == 1, when the context has one thread, inside another region or after a fork. */
void gmi_parallel(gm_context *c, int32_t n, gm_task_fn task, void *arg);
gm_status gmi_pool_create(gm_context *c, int32_t threads, gmi_pool **out); /* fewer threads when the system gives fewer */
void gmi_pool_destroy(gm_context *c, gmi_pool *p);
int32_t gmi_pool_threads(const gmi_pool *p); /* with the caller's */

/* ---- cpu.c ---- */
uint32_t gmi_cpu_simd(void); /* mask 1 << GM_SIMD_x of what CPU and OS support (scalar always) */
/* Sets default rounding, no flush-to-zero, masked exceptions; gmi_fp_restore puts the host's state back. gmi_enter/leave call them for the outermost call;
 * pool tasks begin with them too. */
typedef struct gmi_fp {
    uint64_t word;
} gmi_fp;
gmi_fp gmi_fp_enter(void);
void gmi_fp_restore(gmi_fp s);

/* ---- fmt.c: text without the printf family ----
 * %s text, %S text quoted and shortened, %d int32_t, %i int64_t, %u uint64_t, %x uint64_t hex, %g double (shortest round trip), %v int32_t count and
 * const int64_t* list as [a,b,c], %c int, %%. Never past n bytes, always terminated (n > 0); returns the length that would have been. */
size_t gmi_format(char *to, size_t n, const char *f, ...);
size_t gmi_vformat(char *to, size_t n, const char *f, va_list a);
size_t gmi_format_double(char *to, size_t n, double v);  /* shortest that reads back to v; nan, inf, -inf */
size_t gmi_format_float(char *to, size_t n, float v);    /* shortest that reads back to v as float */
size_t gmi_format_fixed(char *to, size_t n, double v, int digits); /* for people: rounded decimal, digits after the point */
/* Correctly rounded; end at the first byte not used; 0 when a number was read, -1 when none. Accepts [+-]digits[.digits][e[+-]digits], nan, inf. */
int gmi_parse_double(const char *s, size_t n, double *v, size_t *used);
int gmi_parse_float(const char *s, size_t n, float *v, size_t *used); /* correctly rounded to float (not by way of double) */
int gmi_parse_i64(const char *s, size_t n, int64_t *v, size_t *used); /* -1 also on overflow */
/* Bytes of the UTF-8 sequence at s (1..4), 0 when it is invalid, overlong, a surrogate, past U+10FFFF or cut off by n. */
int gmi_utf8_len(const char *s, size_t n);
int gmi_f64_finite(double v); /* neither NaN nor infinite, by its bits */
int gmi_f32_finite(float v);

/* ---- buf.c: a growing byte buffer with a sticky failure ---- */
typedef struct gmi_buf {
    gm_context *ctx;
    char *p;      /* always terminated by a 0 byte after n when n > 0 */
    size_t n, cap;
    int failed;   /* an append could not allocate */
} gmi_buf;
void gmi_buf_init(gmi_buf *b, gm_context *c);
void gmi_buf_add(gmi_buf *b, const void *p, size_t n);
void gmi_buf_text(gmi_buf *b, const char *s);
void gmi_buf_format(gmi_buf *b, const char *f, ...);
void gmi_buf_json(gmi_buf *b, const char *s, size_t n); /* a JSON string with quotes */
void gmi_buf_free(gmi_buf *b);
const char *gmi_buf_cstr(const gmi_buf *b); /* "" when empty */

/* ---- map.c: text -> int64, open addressing ---- */
typedef struct gmi_map {
    gm_context *ctx;
    struct gmi_map_slot *slots;
    int64_t n, cap;
} gmi_map;
void gmi_map_init(gmi_map *m, gm_context *c);
gm_status gmi_map_put(gmi_map *m, const char *key, size_t n, int64_t value); /* key is borrowed */
int gmi_map_get(const gmi_map *m, const char *key, size_t n, int64_t *value); /* 1 when found */
void gmi_map_free(gmi_map *m);

/* ---- sha256.c (FIPS 180-4) ---- */
typedef struct gmi_sha256 {
    uint32_t h[8];
    uint64_t n;
    uint8_t block[64];
} gmi_sha256;
void gmi_sha256_init(gmi_sha256 *s);
void gmi_sha256_add(gmi_sha256 *s, const void *p, size_t n);
void gmi_sha256_end(gmi_sha256 *s, uint8_t out[32]);
void gmi_sha256_hex(const uint8_t d[32], char out[65]);

/* ---- io.c: an open gm_reader / gm_writer ---- */
typedef struct gmi_in {
    gm_context *ctx;
    gm_reader r;
    int fd;              /* -1 when not a path */
    uint64_t pos;
    uint64_t total;      /* UINT64_MAX when unknown */
    int seekable;        /* a path of a regular file */
    const char *name;    /* for messages */
} gmi_in;
gm_status gmi_in_open(gm_context *c, const gm_reader *r, gmi_in *in);
gm_status gmi_in_open_path(gm_context *c, const char *path, gmi_in *in);
gm_status gmi_in_read(gmi_in *in, void *to, size_t n, size_t *got); /* got < n only at the end */
gm_status gmi_in_exact(gmi_in *in, void *to, size_t n);             /* GM_E_FORMAT "ends after ..." when short */
gm_status gmi_in_skip(gmi_in *in, uint64_t n);
gm_status gmi_in_all(gmi_in *in, uint64_t limit, char **bytes, size_t *n); /* the rest; caller frees; GM_E_LIMIT past limit */
void gmi_in_close(gmi_in *in);
typedef struct gmi_out {
    gm_context *ctx;
    gm_writer *w;
    int fd;
    char *path, *temp;   /* atomic replace of path; temp is NULL when path is not a regular file and is written in place */
    uint64_t pos;
    char *buffer;        /* 64 KiB */
    size_t buffered;
    gm_status failed;    /* sticky */
} gmi_out;
gm_status gmi_out_open(gm_context *c, gm_writer *w, gmi_out *o);
gm_status gmi_out_write(gmi_out *o, const void *p, size_t n);
gm_status gmi_out_close(gmi_out *o, gm_status s); /* s != GM_OK: drop the temporary, keep the old file; else flush, fsync, rename; returns the first failure */

/* ---- os_posix.c: the only file with system calls ---- */
int gmi_os_open_read(const char *path, uint64_t *size, int *is_dir); /* fd or -errno; size UINT64_MAX when not regular */
int gmi_os_open_temp(const char *path, char *temp, size_t n);        /* creates "<path>.tmpXXXXXX" exclusively; fd or -errno */
int gmi_os_resolve(const char *path, char *to, size_t n);            /* follows symbolic links; 1 regular, 0 absent, 2 other, or -errno */
int gmi_os_create(const char *path, int append);                      /* plain create/append (logs) */
int64_t gmi_os_read(int fd, void *to, size_t n);                      /* retries EINTR; bytes or -errno */
int64_t gmi_os_write(int fd, const void *p, size_t n);
int gmi_os_seek(int fd, uint64_t to);
int gmi_os_sync(int fd);
int gmi_os_close(int fd);
int gmi_os_rename(const char *from, const char *to); /* and syncs the directory */
int gmi_os_unlink(const char *path);
int gmi_os_list(const char *dir, int (*each)(void *user, const char *name), void *user); /* 0 or -errno or each's non-zero */
const char *gmi_os_error_text(int os_error); /* own short table: "no such file", ... */
int32_t gmi_os_cpus(void);                   /* CPUs this process may use */
void *gmi_os_alloc(void *user, void *p, size_t old_size, size_t new_size, size_t align); /* the default gm_alloc_fn */
int64_t gmi_os_pid(void);
/* Threads. A gate is a lock with two conditions (0 and 1); threads live in memory given by the caller, of the sizes named here. */
size_t gmi_os_gate_size(void);
size_t gmi_os_thread_size(void);
int gmi_os_gate_init(void *gate); /* 0 or errno */
void gmi_os_gate_end(void *gate);
void gmi_os_gate_lock(void *gate);
void gmi_os_gate_unlock(void *gate);
void gmi_os_gate_wait(void *gate, int condition);          /* with the lock held */
void gmi_os_gate_wake(void *gate, int condition, int all);
int gmi_os_thread_start(void *thread, void (*fn)(void *), void *arg); /* 0 or errno; blocks all signals in it; 256 KiB stack */
void gmi_os_thread_join(void *thread);
void gmi_os_yield(void); /* lets other threads run that are ready to */
#endif
