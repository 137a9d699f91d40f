/* SPDX-License-Identifier: MIT */
/* test_io.c: readers and writers of every kind; atomic replacement, short reads and writes, full devices, failing callbacks and allocations. */
#include "base/base.h"
#include "tap.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static void put_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n) printf("# cannot make %s\n", path);
    if (f) fclose(f);
}

/* 1 when the file holds exactly these bytes. */
static int file_is(const char *path, const void *p, size_t n)
{
    static char got[400000];
    FILE *f = fopen(path, "rb");
    size_t have;
    if (!f) return 0;
    have = fread(got, 1, sizeof got, f);
    fclose(f);
    return have == n && memcmp(got, p, n) == 0;
}

static int entries(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n - 2;
}

static uint64_t in_use(gm_context *c)
{
    uint64_t now;
    gm_context_memory(c, &now, NULL);
    return now;
}

static void fill(char *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) p[i] = (char)((i * 131 + seed) >> 3);
}

/* A reader that gives as little as it likes. */
typedef struct drip {
    const char *p;
    size_t n, at, step;
    gm_status fail_with;
    size_t fail_after, lie;
} drip;

static gm_status drip_read(void *user, void *to, size_t n, size_t *got)
{
    drip *d = user;
    size_t take = d->n - d->at;
    if (d->fail_with && d->at >= d->fail_after) return d->fail_with;
    if (d->lie) {
        *got = n + d->lie;
        return GM_OK;
    }
    if (take > n) take = n;
    if (take > d->step) take = d->step;
    memcpy(to, d->p + d->at, take);
    d->at += take;
    *got = take;
    return GM_OK;
}

static gm_status drip_seek(void *user, uint64_t to)
{
    drip *d = user;
    d->at = (size_t)to;
    return GM_OK;
}

static void test_readers(gm_context *c)
{
    static char bytes[200000], back[200000];
    gm_reader r;
    gmi_in in;
    drip d;
    size_t got;
    fill(bytes, sizeof bytes, 1);
    put_file(in_dir("a"), bytes, sizeof bytes);
    gm_reader_init(&r, sizeof r);
    for (int kind = 0; kind < 4; kind++) {
        static const char *const names[] = {"path", "memory", "callbacks", "callbacks with seek and length"};
        gm_reader_init(&r, sizeof r);
        memset(&d, 0, sizeof d);
        d.p = bytes;
        d.n = sizeof bytes;
        d.step = 777;
        if (kind == 0) r.path = in_dir("a");
        if (kind == 1) r.memory = bytes;
        if (kind == 1 || kind == 3) r.bytes = sizeof bytes;
        if (kind > 1) {
            r.read = drip_read;
            r.user = &d;
        }
        if (kind == 3) r.seek = drip_seek;
        memset(back, 0, sizeof back);
        gmi_enter(c, "test");
        ok(gmi_in_open(c, &r, &in) == GM_OK && in.total == (kind == 2 ? UINT64_MAX : sizeof bytes), "%s: opens, knows its length", names[kind]);
        ok(gmi_in_exact(&in, back, 1000) == GM_OK && gmi_in_skip(&in, 9000) == GM_OK && in.pos == 10000 && gmi_in_skip(&in, 0) == GM_OK, "%s: reads, skips",
           names[kind]);
        ok(gmi_in_read(&in, back + 10000, sizeof back, &got) == GM_OK && got == sizeof bytes - 10000, "%s: reads to the end", names[kind]);
        ok(memcmp(back, bytes, 1000) == 0 && memcmp(back + 10000, bytes + 10000, sizeof bytes - 10000) == 0, "%s: the bytes", names[kind]);
        ok(gmi_in_read(&in, back, 10, &got) == GM_OK && got == 0, "%s: nothing after the end", names[kind]);
        ok(gmi_in_exact(&in, back, 10) == GM_E_FORMAT && c->where == sizeof bytes, "%s: short: %s", names[kind], gm_context_error(c));
        gmi_in_close(&in);
        gmi_leave(c, GM_E_FORMAT);
        gmi_enter(c, "test");
        d.at = 0;
        ok(gmi_in_open(c, &r, &in) == GM_OK && gmi_in_exact(&in, back, 5) == GM_OK && gmi_in_skip(&in, sizeof bytes) == GM_E_FORMAT,
           "%s: skipping past the end is seen", names[kind]);
        gmi_in_close(&in);
        gmi_leave(c, GM_E_FORMAT);
    }
}

static void test_whole(gm_context *c)
{
    static char bytes[150000];
    uint64_t before = in_use(c);
    gm_reader r;
    gmi_in in;
    drip d;
    char *p = NULL;
    size_t n = 0;
    fill(bytes, sizeof bytes, 2);
    for (size_t len = 0; len <= sizeof bytes; len = len * 3 + 1) {
        int good;
        memset(&d, 0, sizeof d);
        d.p = bytes;
        d.n = len;
        d.step = 10000;
        gm_reader_init(&r, sizeof r);
        r.read = drip_read;
        r.user = &d;
        gmi_enter(c, "test");
        good = gmi_in_open(c, &r, &in) == GM_OK && gmi_in_all(&in, len, &p, &n) == GM_OK && n == len && memcmp(p, bytes, len) == 0 && p[n] == 0;
        gmi_in_close(&in);
        gmi_free(c, p);
        put_file(in_dir("w"), bytes, len);
        good = good && gmi_in_open_path(c, in_dir("w"), &in) == GM_OK && gmi_in_all(&in, UINT64_MAX, &p, &n) == GM_OK && n == len && !memcmp(p, bytes, len);
        gmi_in_close(&in);
        gmi_free(c, p);
        gmi_leave(c, GM_OK);
        ok(good, "all of %d bytes", (int)len);
        if (!len) continue;
        gmi_enter(c, "test");
        d.at = 0;
        good = gmi_in_open(c, &r, &in) == GM_OK && gmi_in_all(&in, len - 1, &p, &n) == GM_E_LIMIT && !p && !n;
        gmi_in_close(&in);
        good = good && gmi_in_open_path(c, in_dir("w"), &in) == GM_OK && gmi_in_all(&in, len - 1, &p, &n) == GM_E_LIMIT;
        gmi_in_close(&in);
        gmi_leave(c, GM_E_LIMIT);
        ok(good, "one byte less allowed: %s", gm_context_error(c));
    }
    is_int(in_use(c), before, "nothing left");
    unlink(in_dir("w"));
}

static void test_bad_readers(gm_context *c)
{
    gm_reader r;
    gmi_in in;
    drip d;
    char t[100];
    size_t got;
    int pipes[2];
    memset(&d, 0, sizeof d);
    d.p = "0123456789";
    d.n = 10;
    d.step = 3;
    gm_reader_init(&r, sizeof r);
    gmi_enter(c, "test");
    ok(gmi_in_open(c, NULL, &in) == GM_E_INVALID && gmi_in_open(c, &r, &in) == GM_E_INVALID, "no source");
    gmi_leave(c, GM_E_INVALID);
    r.path = "x";
    r.memory = "x";
    gmi_enter(c, "test");
    ok(gmi_in_open(c, &r, &in) == GM_E_INVALID, "two sources");
    gmi_leave(c, GM_E_INVALID);
    gmi_enter(c, "load");
    ok(gmi_in_open_path(c, in_dir("absent"), &in) == GM_E_IO && c->os_error == ENOENT, "an absent file");
    gmi_leave(c, GM_E_IO);
    ok(strstr(gm_context_error(c), "load: cannot open \"") && strstr(gm_context_error(c), "no such file"), "%s", gm_context_error(c));
    gmi_enter(c, "load");
    ok(gmi_in_open_path(c, dir, &in) == GM_E_IO, "a directory");
    ok(gmi_in_open_path(c, NULL, &in) == GM_E_INVALID, "NULL path");
    gmi_in_close(&in);
    gmi_leave(c, GM_E_IO);
    gm_reader_init(&r, sizeof r);
    r.read = drip_read;
    r.user = &d;
    d.fail_with = GM_E_RANGE;
    d.fail_after = 6;
    gmi_enter(c, "load");
    ok(gmi_in_open(c, &r, &in) == GM_OK && gmi_in_exact(&in, t, 10) == GM_E_RANGE, "a callback's status is handed on");
    gmi_leave(c, GM_E_RANGE);
    d.at = 0;
    d.fail_with = 12345;
    gmi_enter(c, "load");
    ok(gmi_in_open(c, &r, &in) == GM_OK && gmi_in_exact(&in, t, 10) == GM_E_CALLBACK, "nonsense from a callback is GM_E_CALLBACK");
    gmi_leave(c, GM_E_CALLBACK);
    d.at = 0;
    d.fail_with = 0;
    d.lie = 5;
    gmi_enter(c, "load");
    ok(gmi_in_open(c, &r, &in) == GM_OK && gmi_in_read(&in, t, 10, &got) == GM_E_CALLBACK && got == 0, "more bytes than asked for: %s",
       gm_context_error(c));
    gmi_leave(c, GM_E_CALLBACK);
    if (pipe(pipes) == 0) {
        char name[64];
        snprintf(name, sizeof name, "/dev/fd/%d", pipes[0]);
        if (write(pipes[1], "hello", 5) != 5) printf("# pipe\n");
        close(pipes[1]);
        gmi_enter(c, "load");
        if (gmi_in_open_path(c, name, &in) == GM_OK) {
            ok(in.total == UINT64_MAX && gmi_in_skip(&in, 2) == GM_OK && gmi_in_read(&in, t, 9, &got) == GM_OK && got == 3 && memcmp(t, "llo", 3) == 0,
               "a pipe: length unknown, skipping reads");
            gmi_in_close(&in);
        } else
            skip("no /dev/fd");
        gmi_leave(c, GM_OK);
        close(pipes[0]);
    }
}

static gm_status write_all(gm_context *c, gm_writer *w, const char *p, size_t n, size_t piece, gm_status end)
{
    gmi_out o;
    gm_status s;
    gmi_enter(c, "save");
    s = gmi_out_open(c, w, &o);
    for (size_t i = 0; s == GM_OK && i < n; i += piece) s = gmi_out_write(&o, p + i, piece < n - i ? piece : n - i);
    s = gmi_out_close(&o, s == GM_OK ? end : s);
    return gmi_leave(c, s);
}

static void test_paths(gm_context *c)
{
    static char old_bytes[100], bytes[300000];
    static const size_t pieces[] = {1000, 65535, 65536, 65537, 300000, 7777};
    gm_writer w;
    struct stat st;
    int before;
    uint64_t memory = in_use(c);
    fill(bytes, sizeof bytes, 3);
    fill(old_bytes, sizeof old_bytes, 4);
    before = entries();
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        gm_writer_init(&w, sizeof w);
        w.path = in_dir("out");
        ok(write_all(c, &w, bytes, sizeof bytes, pieces[i], GM_OK) == GM_OK && file_is(in_dir("out"), bytes, sizeof bytes) && w.used == sizeof bytes,
           "a path, in pieces of %d", (int)pieces[i]);
    }
    is_int(entries(), before + 1, "one file, no temporary left");
    ok(write_all(c, &w, "", 0, 1, GM_OK) == GM_OK && file_is(in_dir("out"), "", 0), "an empty file");
    put_file(in_dir("out"), old_bytes, sizeof old_bytes);
    chmod(in_dir("out"), 0640);
    ok(write_all(c, &w, bytes, 1000, 100, GM_E_CANCELLED) == GM_E_CANCELLED && file_is(in_dir("out"), old_bytes, sizeof old_bytes),
       "a failure of the caller keeps the old file");
    is_int(entries(), before + 1, "and leaves no temporary");
    ok(write_all(c, &w, bytes, 1000, 100, GM_OK) == GM_OK && stat(in_dir("out"), &st) == 0 && (st.st_mode & 0777) == 0640, "permissions are handed on");
    w.path = in_dir("no/such");
    ok(write_all(c, &w, bytes, 10, 10, GM_OK) == GM_E_IO && c->os_error == ENOENT, "no such directory: %s", gm_context_error(c));
    w.path = dir;
    ok(write_all(c, &w, bytes, 10, 10, GM_OK) == GM_E_IO && c->os_error == EISDIR, "a directory: %s", gm_context_error(c));
    if (symlink("out", in_dir("link")) == 0) {
        w.path = in_dir("link");
        ok(write_all(c, &w, bytes, 500, 100, GM_OK) == GM_OK && file_is(in_dir("out"), bytes, 500) && lstat(in_dir("link"), &st) == 0 &&
               S_ISLNK(st.st_mode),
           "a symbolic link stays one, its target is replaced");
        unlink(in_dir("link"));
    }
    is_int(in_use(c), memory, "no memory left behind");
}

static void test_full_disk(gm_context *c)
{
    static char old_bytes[100], bytes[200000];
    gm_writer w;
    struct rlimit limit, small;
    int before = entries();
    fill(bytes, sizeof bytes, 5);
    fill(old_bytes, sizeof old_bytes, 6);
    gm_writer_init(&w, sizeof w);
    w.path = "/dev/full";
    if (access("/dev/full", W_OK) == 0) {
        struct stat st;
        ok(write_all(c, &w, bytes, 100, 10, GM_OK) == GM_E_IO && c->os_error == ENOSPC, "/dev/full, small: %s", gm_context_error(c));
        ok(write_all(c, &w, bytes, sizeof bytes, 5000, GM_OK) == GM_E_IO && c->os_error == ENOSPC, "/dev/full, large");
        ok(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode), "a device is written in place, not replaced");
    } else
        skip("no /dev/full");
    put_file(in_dir("out"), old_bytes, sizeof old_bytes);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) == 0) {
        gm_status s;
        w.path = in_dir("out");
        s = write_all(c, &w, bytes, sizeof bytes, 30000, GM_OK);
        setrlimit(RLIMIT_FSIZE, &limit);
        ok(s == GM_E_IO && c->os_error == EFBIG && file_is(in_dir("out"), old_bytes, sizeof old_bytes), "a full disk keeps the old file: %s",
           gm_context_error(c));
    } else
        skip("no file size limit");
    unlink(in_dir("out"));
    is_int(entries(), before - 1, "no temporary left");
}

typedef struct collect {
    char *to;
    size_t n, calls;
    gm_status fail_with;
    size_t fail_at;
} collect;

static gm_status collect_write(void *user, const void *from, size_t n)
{
    collect *k = user;
    if (k->fail_with && ++k->calls >= k->fail_at) return k->fail_with;
    memcpy(k->to + k->n, from, n);
    k->n += n;
    return GM_OK;
}

static void test_other_writers(gm_context *c)
{
    static char bytes[150000], to[150001];
    gm_writer w;
    collect k;
    fill(bytes, sizeof bytes, 7);
    gm_writer_init(&w, sizeof w);
    w.memory = to;
    w.capacity = sizeof bytes;
    ok(write_all(c, &w, bytes, sizeof bytes, 9999, GM_OK) == GM_OK && memcmp(to, bytes, sizeof bytes) == 0 && w.used == sizeof bytes, "memory, exactly full");
    memset(to, 0, sizeof to);
    w.capacity = 1000;
    ok(write_all(c, &w, bytes, 5000, 300, GM_OK) == GM_E_LIMIT && w.used == 5000 && memcmp(to, bytes, 1000) == 0 && to[1000] == 0,
       "too small: filled, counted on, GM_E_LIMIT: %s", gm_context_error(c));
    w.capacity = w.used;
    ok(write_all(c, &w, bytes, 5000, 300, GM_OK) == GM_OK && memcmp(to, bytes, 5000) == 0, "the second call with `used` bytes succeeds");
    w.memory = NULL;
    w.capacity = 0;
    ok(write_all(c, &w, bytes, 5000, 300, GM_OK) == GM_E_LIMIT && w.used == 5000, "no memory at all measures");
    w.capacity = 10;
    ok(write_all(c, &w, bytes, 5, 5, GM_OK) == GM_E_INVALID, "a capacity without memory");
    gm_writer_init(&w, sizeof w);
    memset(&k, 0, sizeof k);
    k.to = to;
    w.write = collect_write;
    w.user = &k;
    ok(write_all(c, &w, bytes, sizeof bytes, 1234, GM_OK) == GM_OK && k.n == sizeof bytes && memcmp(to, bytes, k.n) == 0, "a callback");
    for (size_t at = 1; at <= 3; at++) {
        memset(&k, 0, sizeof k);
        k.to = to;
        k.fail_with = at == 2 ? 4711 : GM_E_LIMIT;
        k.fail_at = at;
        is_int(write_all(c, &w, bytes, sizeof bytes, 1234, GM_OK), at == 2 ? GM_E_CALLBACK : GM_E_LIMIT, "write %d of the callback fails", (int)at);
    }
    w.path = "x";
    ok(write_all(c, &w, bytes, 5, 5, GM_OK) == GM_E_INVALID, "two targets");
    gm_writer_init(&w, sizeof w);
    w.size = 8;
    ok(write_all(c, &w, bytes, 5, 5, GM_OK) == GM_E_INVALID, "a writer nobody initialised");
    gmi_enter(c, "save");
    {
        gmi_out o;
        ok(gmi_out_open(c, NULL, &o) == GM_E_INVALID && gmi_out_write(&o, "x", 1) == GM_E_INVALID && gmi_out_close(&o, GM_OK) == GM_E_INVALID,
           "NULL, and closing what did not open");
    }
    gmi_leave(c, GM_E_INVALID);
}

static size_t fail_at, calls;
static void *failing(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    (void)user;
    if (new_size && fail_at && ++calls >= fail_at) return NULL;
    return gmi_os_alloc(NULL, p, old_size, new_size, align);
}

static void test_no_memory(gm_context *c)
{
    uint64_t before = in_use(c);
    int good = 1, through = 0, files;
    gm_writer w;
    put_file(in_dir("out"), "old", 3);
    files = entries();
    for (size_t n = 1; n < 20 && !through; n++) {
        gm_status s;
        gm_writer_init(&w, sizeof w);
        w.path = in_dir("out");
        calls = 0;
        fail_at = n;
        s = write_all(c, &w, "new!", 4, 4, GM_OK);
        fail_at = 0;
        through = s == GM_OK;
        if (s != GM_OK && (s != GM_E_NOMEM || !file_is(in_dir("out"), "old", 3))) good = 0;
        if (entries() != files || in_use(c) != before) good = 0;
    }
    ok(good && through && file_is(in_dir("out"), "new!", 4), "each allocation of a writer failing: the old file stays, nothing leaks");
    through = 0;
    for (size_t n = 1; n < 20 && !through; n++) {
        gmi_in in;
        char *p;
        size_t len;
        gm_status s;
        gmi_enter(c, "load");
        s = gmi_in_open_path(c, in_dir("out"), &in);
        calls = 0;
        fail_at = n;
        if (s == GM_OK) s = gmi_in_all(&in, 100, &p, &len);
        fail_at = 0;
        through = s == GM_OK;
        if (s == GM_OK) gmi_free(c, p);
        else if (s != GM_E_NOMEM) good = 0;
        gmi_in_close(&in);
        gmi_leave(c, s);
        if (in_use(c) != before) good = 0;
    }
    ok(good && through, "and of a reader");
}

static int count_names(void *user, const char *name)
{
    int *n = user;
    if (name[0] == '.') return 5;
    return ++*n == 100 ? 7 : 0;
}

static void test_system(void)
{
    int n = 0;
    put_file(in_dir("l1"), "", 0);
    put_file(in_dir("l2"), "", 0);
    is_int(gmi_os_list(dir, count_names, &n), 0, "a directory's names");
    is_int(n, entries(), "all of them, without . and ..");
    n = 99;
    is_int(gmi_os_list(dir, count_names, &n), 7, "an answer of the callback ends it");
    is_int(gmi_os_list(in_dir("absent"), count_names, &n), -ENOENT, "an absent directory");
    is_text(gmi_os_error_text(ENOSPC), "no space left", "texts of errors");
    is_text(gmi_os_error_text(98765), "system error", "and of unknown ones");
    ok(gmi_os_cpus() >= 1 && gmi_os_cpus() <= 1024, "%d processors", gmi_os_cpus());
}

int main(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    char command[128];
    snprintf(dir, sizeof dir, "/tmp/genrep-test-io-XXXXXX");
    if (!ok(mkdtemp(dir) != NULL, "a directory for the test")) return done();
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = failing;
    if (!ok(gm_context_create(&o, &c) == GM_OK, "context")) return done();
    test_readers(c);
    test_whole(c);
    test_bad_readers(c);
    test_paths(c);
    test_full_disk(c);
    test_other_writers(c);
    test_no_memory(c);
    test_system();
    ok(in_use(c) == sizeof(gm_context), "nothing left");
    gm_context_destroy(c);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    if (system(command)) printf("# %s stays\n", dir);
    return done();
}
