/* SPDX-License-Identifier: MIT */
/* io.c: an open gm_reader or gm_writer: a path, memory or the host's callbacks behind one interface.
 *
 * Reading counts bytes and knows the total where the source has one, so that a format can check a header against it before it allocates. Writing
 * to a path is a transaction: bytes go to a new file beside the old one; closing syncs it, renames it over the old name and syncs the directory; any
 * failure before that leaves the old file as it was and removes the new one. A path that is no regular file (a device, a pipe) is written in place. */
#include "base/base.h"

#define BUFFER 65536

void gm_reader_init(gm_reader *r, size_t size)
{
    gm_reader d;
    memset(&d, 0, sizeof d);
    gmi_options_init(r, size, &d, sizeof d);
}

void gm_writer_init(gm_writer *w, size_t size)
{
    gm_writer d;
    memset(&d, 0, sizeof d);
    gmi_options_init(w, size, &d, sizeof d);
}

/* ---- reading ---- */

static gm_status read_failed(gmi_in *in, int64_t error)
{
    return gmi_fail_os(in->ctx, GM_E_IO, (int)-error, "cannot read %S: %s (%i)", in->name, gmi_os_error_text((int)-error), -error);
}

static gm_status open_file(gmi_in *in)
{
    int is_dir;
    int fd = gmi_os_open_read(in->r.path, &in->total, &is_dir);
    if (fd < 0) return gmi_fail_os(in->ctx, GM_E_IO, -fd, "cannot open %S: %s (%d)", in->name, gmi_os_error_text(-fd), -fd);
    if (is_dir) {
        gmi_os_close(fd);
        return gmi_fail(in->ctx, GM_E_IO, "cannot read %S: is a directory", in->name);
    }
    in->fd = fd;
    in->seekable = in->total != UINT64_MAX;
    if (in->total == 0) in->total = UINT64_MAX; /* files of /proc say 0 and have bytes */
    return GM_OK;
}

gm_status gmi_in_open(gm_context *c, const gm_reader *r, gmi_in *in)
{
    int sources;
    memset(in, 0, sizeof *in);
    in->ctx = c;
    in->fd = -1;
    in->total = UINT64_MAX;
    in->name = "";
    if (!r) return gmi_fail(c, GM_E_INVALID, "reader is NULL");
    if (gmi_options_merge(&in->r, sizeof in->r, r)) return gmi_fail(c, GM_E_INVALID, "reader: fill it with gm_reader_init(&r, sizeof r) first");
    sources = (in->r.read != NULL) + (in->r.path != NULL) + (in->r.memory != NULL);
    if (sources != 1) return gmi_fail(c, GM_E_INVALID, "reader: set one of read, path and memory, not %d", sources);
    if (in->r.path) {
        in->name = in->r.path;
        return open_file(in);
    }
    in->name = in->r.memory ? "memory" : "the host's reader";
    if (in->r.memory || in->r.bytes) in->total = in->r.bytes;
    return GM_OK;
}

gm_status gmi_in_open_path(gm_context *c, const char *path, gmi_in *in)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.path = path;
    if (path) return gmi_in_open(c, &r, in);
    memset(in, 0, sizeof *in);
    in->ctx = c;
    in->fd = -1;
    in->name = "";
    return gmi_fail(c, GM_E_INVALID, "path is NULL");
}

/* One read of the source: *got is 0 at the end only. */
static gm_status read_once(gmi_in *in, void *to, size_t n, size_t *got)
{
    gmi_callback_state state;
    gm_status s;
    *got = 0;
    if (in->r.memory) {
        *got = (size_t)GMI_MIN((uint64_t)n, in->total - in->pos);
        if (*got) memcpy(to, (const char *)in->r.memory + in->pos, *got);
        return GM_OK;
    }
    if (in->r.path) {
        int64_t r = gmi_os_read(in->fd, to, n);
        if (r < 0) return read_failed(in, r);
        *got = (size_t)r;
        return GM_OK;
    }
    state = gmi_callback_begin(in->ctx);
    s = in->r.read(in->r.user, to, n, got);
    gmi_callback_end(in->ctx, state);
    if (s != GM_OK) {
        *got = 0;
        return gmi_callback_status(in->ctx, s, "read");
    }
    if (*got > n) {
        uint64_t claimed = *got;
        *got = 0;
        return gmi_fail(in->ctx, GM_E_CALLBACK, "the host's read callback gave %u bytes where %u were asked for", claimed, (uint64_t)n);
    }
    return GM_OK;
}

gm_status gmi_in_read(gmi_in *in, void *to, size_t n, size_t *got)
{
    size_t have = 0;
    while (have < n) {
        size_t piece;
        gm_status s = read_once(in, (char *)to + have, n - have, &piece);
        have += piece;
        in->pos += piece;
        if (s != GM_OK) {
            *got = have;
            return s;
        }
        if (!piece) break;
    }
    *got = have;
    return GM_OK;
}

static gm_status ends_early(gmi_in *in, uint64_t wanted)
{
    return gmi_fail_at(in->ctx, GM_E_FORMAT, (int64_t)GMI_MIN(in->pos, (uint64_t)INT64_MAX), "%S ends after %u bytes, %u more are needed", in->name,
                       in->pos, wanted);
}

gm_status gmi_in_exact(gmi_in *in, void *to, size_t n)
{
    size_t got;
    gm_status s = gmi_in_read(in, to, n, &got);
    if (s != GM_OK) return s;
    return got == n ? GM_OK : ends_early(in, n - got);
}

static gm_status seek_to(gmi_in *in, uint64_t to)
{
    gmi_callback_state state;
    gm_status s;
    if (in->r.path) {
        int r = gmi_os_seek(in->fd, to);
        if (r < 0) return read_failed(in, r);
    } else if (in->r.seek) {
        state = gmi_callback_begin(in->ctx);
        s = in->r.seek(in->r.user, to);
        gmi_callback_end(in->ctx, state);
        if (s != GM_OK) return gmi_callback_status(in->ctx, s, "seek");
    }
    in->pos = to;
    return GM_OK;
}

gm_status gmi_in_skip(gmi_in *in, uint64_t n)
{
    char waste[4096];
    if (in->total != UINT64_MAX && n > in->total - GMI_MIN(in->pos, in->total)) return ends_early(in, n);
    if (n > UINT64_MAX - in->pos) return ends_early(in, n);
    if (in->total != UINT64_MAX && (in->r.memory || in->seekable || in->r.seek)) return n ? seek_to(in, in->pos + n) : GM_OK;
    while (n) { /* without a known end a seek past it would go unnoticed */
        size_t piece = (size_t)GMI_MIN(n, (uint64_t)sizeof waste);
        gm_status s = gmi_in_exact(in, waste, piece);
        if (s != GM_OK) return s;
        n -= piece;
    }
    return GM_OK;
}

static gm_status too_long(gmi_in *in, uint64_t limit)
{
    return gmi_fail(in->ctx, GM_E_LIMIT, "%S has more than %u bytes, the limit here", in->name, limit);
}

gm_status gmi_in_all(gmi_in *in, uint64_t limit, char **bytes, size_t *n)
{
    char *p = NULL;
    size_t have = 0, cap;
    uint64_t left = in->total == UINT64_MAX ? UINT64_MAX : in->total - GMI_MIN(in->pos, in->total);
    gm_status s = GM_OK;
    *bytes = NULL;
    *n = 0;
    if (left != UINT64_MAX && left > limit) return too_long(in, limit);
    if (limit > SIZE_MAX / 4) limit = SIZE_MAX / 4;
    cap = (size_t)GMI_MIN(left, (uint64_t)BUFFER) + 1; /* grows with what really comes, not with what a source claims */
    if (cap > limit) cap = (size_t)limit + 1;           /* one more byte shows that there is more */
    for (;;) {
        size_t got;
        char *q = gmi_realloc(in->ctx, p, (uint64_t)cap + 1); /* one 0 byte behind, for text */
        if (!q) {
            s = in->ctx->status;
            break;
        }
        p = q;
        s = gmi_in_read(in, p + have, cap - have, &got);
        have += got;
        if (s != GM_OK) break;
        if (have < cap) {
            p[have] = 0;
            *bytes = p;
            *n = have;
            return GM_OK;
        }
        if (have > limit) {
            s = too_long(in, limit);
            break;
        }
        cap = cap + cap / 2 + 4096;
        if (cap > limit) cap = (size_t)limit + 1;
    }
    gmi_free(in->ctx, p);
    return s;
}

void gmi_in_close(gmi_in *in)
{
    if (in->fd >= 0) gmi_os_close(in->fd);
    in->fd = -1;
}

/* ---- writing ---- */

static gm_status write_failed(gmi_out *o, const char *what, int64_t error)
{
    return gmi_fail_os(o->ctx, GM_E_IO, (int)-error, "cannot %s %S: %s (%i)", what, o->path, gmi_os_error_text((int)-error), -error);
}

/* path is resolved first, so that a symbolic link stays one and its target is replaced. */
static gm_status open_target(gmi_out *o)
{
    char name[4096 + 16];
    int kind = gmi_os_resolve(o->w->path, name, sizeof name - 16);
    o->path = gmi_strdup(o->ctx, kind < 0 ? o->w->path : name);
    if (!o->path) return o->ctx->status;
    if (kind < 0) return write_failed(o, "write", kind);
    if (kind == 2) {
        o->fd = gmi_os_create(o->path, 0);
        return o->fd < 0 ? write_failed(o, "open", o->fd) : GM_OK;
    }
    o->fd = gmi_os_open_temp(o->path, name, sizeof name);
    if (o->fd < 0) return write_failed(o, "create a temporary file beside", o->fd);
    o->temp = gmi_strdup(o->ctx, name);
    if (o->temp) return GM_OK;
    gmi_os_close(o->fd);
    gmi_os_unlink(name);
    o->fd = -1;
    return o->ctx->status;
}

static void out_free(gmi_out *o)
{
    gmi_free(o->ctx, o->path);
    gmi_free(o->ctx, o->temp);
    gmi_free(o->ctx, o->buffer);
    o->path = o->temp = o->buffer = NULL;
}

static gm_status check_writer(gm_context *c, const gm_writer *w)
{
    int targets;
    if (!w) return gmi_fail(c, GM_E_INVALID, "writer is NULL");
    if (w->size < sizeof *w) return gmi_fail(c, GM_E_INVALID, "writer: fill it with gm_writer_init(&w, sizeof w) first");
    targets = (w->write != NULL) + (w->path != NULL) + (w->memory != NULL || w->capacity != 0);
    if (targets > 1) return gmi_fail(c, GM_E_INVALID, "writer: set one of write, path and memory, not %d", targets);
    if (w->capacity && !w->memory) return gmi_fail(c, GM_E_INVALID, "writer: capacity is %u, but memory is NULL", w->capacity);
    return GM_OK;
}

gm_status gmi_out_open(gm_context *c, gm_writer *w, gmi_out *o)
{
    gm_status s;
    memset(o, 0, sizeof *o);
    o->ctx = c;
    o->fd = -1;
    s = check_writer(c, w);
    if (s != GM_OK) return o->failed = s;
    o->w = w;
    w->used = 0;
    if (w->path || w->write) {
        o->buffer = gmi_alloc(c, BUFFER);
        if (!o->buffer) return o->failed = c->status;
    }
    if (w->path) o->failed = open_target(o);
    if (o->failed != GM_OK) out_free(o);
    return o->failed;
}

/* Hands bytes to the file or the callback. */
static gm_status deliver(gmi_out *o, const char *p, size_t n)
{
    gmi_callback_state state;
    gm_status s;
    if (o->w->write) {
        state = gmi_callback_begin(o->ctx);
        s = o->w->write(o->w->user, p, n);
        gmi_callback_end(o->ctx, state);
        return gmi_callback_status(o->ctx, s, "write");
    }
    while (n) {
        int64_t r = gmi_os_write(o->fd, p, n);
        if (r < 0) return write_failed(o, "write", r);
        if (r == 0) return write_failed(o, "write", -28); /* ENOSPC: a write that never moves */
        p += r;
        n -= (size_t)r;
    }
    return GM_OK;
}

static gm_status flush(gmi_out *o)
{
    size_t n = o->buffered;
    o->buffered = 0;
    return n ? deliver(o, o->buffer, n) : GM_OK;
}

static gm_status write_bytes(gmi_out *o, const char *p, size_t n)
{
    gm_status s = GM_OK;
    if (!o->buffer) { /* memory: what fits is kept, all is counted */
        if (o->pos < o->w->capacity) memcpy((char *)o->w->memory + o->pos, p, (size_t)GMI_MIN((uint64_t)n, o->w->capacity - o->pos));
        return GM_OK;
    }
    if (n >= BUFFER - o->buffered) s = flush(o);
    if (s != GM_OK) return s;
    if (n >= BUFFER) return deliver(o, p, n);
    memcpy(o->buffer + o->buffered, p, n);
    o->buffered += n;
    return GM_OK;
}

gm_status gmi_out_write(gmi_out *o, const void *p, size_t n)
{
    if (o->failed != GM_OK || !n) return o->failed;
    o->failed = write_bytes(o, p, n);
    if (o->failed != GM_OK) return o->failed;
    o->pos += n;
    o->w->used = o->pos;
    return GM_OK;
}

/* Syncs, closes and renames, or removes; the descriptor is closed in any case. */
static gm_status finish_file(gmi_out *o, gm_status s)
{
    int r = s == GM_OK ? gmi_os_sync(o->fd) : 0, closed = gmi_os_close(o->fd);
    o->fd = -1;
    if (s == GM_OK && r < 0) s = write_failed(o, "write", r);
    if (s == GM_OK && closed < 0) s = write_failed(o, "write", closed);
    if (!o->temp) return s;
    if (s == GM_OK) {
        r = gmi_os_rename(o->temp, o->path);
        if (r < 0) s = write_failed(o, "replace", r);
    }
    if (s != GM_OK) gmi_os_unlink(o->temp);
    return s;
}

gm_status gmi_out_close(gmi_out *o, gm_status s)
{
    if (s == GM_OK) s = o->failed;
    if (!o->w) return s;
    if (s == GM_OK && o->buffer) s = flush(o);
    if (o->fd >= 0) s = finish_file(o, s);
    if (s == GM_OK && !o->buffer && o->pos > o->w->capacity)
        s = gmi_fail(o->ctx, GM_E_LIMIT, "the memory holds %u bytes, %u are needed (writer.used)", o->w->capacity, o->pos);
    out_free(o);
    o->w = NULL;
    return s;
}
