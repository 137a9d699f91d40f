/* SPDX-License-Identifier: MIT */
/* genrep/io.h: bytes in and out. One source is set: callbacks, or a path, or memory. */
#ifndef GENREP_IO_H
#define GENREP_IO_H
#include "base.h"
#ifdef __cplusplus
extern "C" {
#endif
/* Where bytes come from. With callbacks: read gives *got <= n bytes, 0 at the end; seek may be NULL. Memory is read in place. */
typedef struct gm_reader {
    size_t size;
    void *user;
    gm_status (*read)(void *user, void *to, size_t n, size_t *got);
    gm_status (*seek)(void *user, uint64_t to);
    const char *path;
    const void *memory;
    uint64_t bytes;
} gm_reader;
/* Where bytes go. A path is written atomically (temporary file, fsync, rename). Memory is written up to capacity; `used` counts on past it, and the call
 * then fails with GM_E_LIMIT, so that a second call with `used` bytes succeeds. */
typedef struct gm_writer {
    size_t size;
    void *user;
    gm_status (*write)(void *user, const void *from, size_t n);
    const char *path;
    void *memory;
    uint64_t capacity, used;
} gm_writer;
GM_API void gm_reader_init(gm_reader *r, size_t size);
GM_API void gm_writer_init(gm_writer *w, size_t size);
#ifdef __cplusplus
}
#endif
#endif
