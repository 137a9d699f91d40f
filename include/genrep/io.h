/* SPDX-License-Identifier: MIT */
/* genrep/io.h: where bytes come from and where they go.
 *
 * One source or target is set: a path, memory, or callbacks. All calls that read or write a file take one of these two structs; calls with a
 * `path` argument are short for the first kind. The structs stay the host's; what they point to must live as long as the call, or, where a call
 * says so, as the object made from it. */
#ifndef GENREP_IO_H
#define GENREP_IO_H
#include "base.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A source of bytes. Set one of read, path and memory. A callback that fails returns a status of its own choice, which the call hands on; a value that
 * is no status, or more bytes than asked for, is GM_E_CALLBACK. */
typedef struct gm_reader {
    size_t size; /* sizeof(gm_reader), set by gm_reader_init */
    void *user;  /* first argument of the callbacks */
    gm_status (*read)(void *user, void *to, size_t n, size_t *got); /* gives 1 to n bytes, *got of them; *got = 0 at the end */
    gm_status (*seek)(void *user, uint64_t to);                     /* may be NULL; used only when `bytes` is set */
    const char *path;   /* a file; a pipe or device works too */
    const void *memory; /* read in place: an mmap, ROM, a blob in the program */
    uint64_t bytes;     /* length of memory; with callbacks the length if known, else 0 */
} gm_reader;

/* A target of bytes. Set one of write, path and memory; with none of them the bytes are counted in `used`, and the call ends with GM_E_LIMIT. */
typedef struct gm_writer {
    size_t size; /* sizeof(gm_writer), set by gm_writer_init */
    void *user;  /* first argument of write */
    gm_status (*write)(void *user, const void *from, size_t n); /* takes all n bytes or fails */
    /* A file, replaced as a whole: the bytes go to a temporary file beside it, which is synced and renamed over the old one. After any failure the old
     * file is as it was. A symbolic link stays one and its target is replaced; a device or pipe is written in place. */
    const char *path;
    void *memory;      /* takes the first `capacity` bytes; if more came, the call fails with GM_E_LIMIT and a second one with `used` bytes succeeds */
    uint64_t capacity; /* of memory */
    uint64_t used;     /* set by the call: bytes written, or needed */
} gm_writer;

/* Writes a reader without a source. `size` is sizeof *r as the caller's header has it: never a byte more is written. r NULL does nothing. */
GM_API void gm_reader_init(gm_reader *r, size_t size);

/* Writes a writer without a target. `size` is sizeof *w as the caller's header has it: never a byte more is written. w NULL does nothing. */
GM_API void gm_writer_init(gm_writer *w, size_t size);

#ifdef __cplusplus
}
#endif
#endif
