/* SPDX-License-Identifier: MIT */
/* os_posix.c: every call of the operating system, so that a port is one file.
 *
 * Files are plain descriptors with open/read/write/fsync/rename: no FILE, no mmap, no signals. Failures are returned as negative errno values; the
 * texts are a short table of our own, because strerror depends on the locale. Threads are POSIX threads with all signals blocked, so that the host's
 * handlers run on the host's threads. */
#ifdef __linux__
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <sched.h>
#endif
#include "base/base.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef GM_NO_THREADS
#include <pthread.h>
#include <signal.h>
#endif

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#define PIECE ((size_t)1 << 30) /* some systems refuse more than 2 GiB - 1 at once */

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int gmi_os_open_read(const char *path, uint64_t *size, int *is_dir)
{
    struct stat st;
    int fd = open_retry(path, O_RDONLY | O_NOCTTY, 0), e;
    *size = UINT64_MAX;
    *is_dir = 0;
    if (fd < 0) return fd;
    if (fstat(fd, &st)) {
        e = errno;
        close(fd);
        return -e;
    }
    *is_dir = S_ISDIR(st.st_mode) != 0;
    if (S_ISREG(st.st_mode)) *size = (uint64_t)st.st_size;
    return fd;
}

int gmi_os_resolve(const char *path, char *to, size_t n)
{
    char real[PATH_MAX];
    struct stat st;
    size_t len = strlen(path);
    int found = stat(path, &st) == 0;
    if (!found && errno != ENOENT) return -errno;
    if (found && realpath(path, real)) {
        path = real;
        len = strlen(real);
    }
    if (len >= n) return -ENAMETOOLONG;
    memcpy(to, path, len + 1);
    if (!found) return 0;
    return S_ISREG(st.st_mode) ? 1 : 2;
}

/* The name beside `path` that holds the new bytes until they are complete; a file that is replaced hands its permissions on. */
int gmi_os_open_temp(const char *path, char *temp, size_t n)
{
    struct stat st;
    int exists = stat(path, &st) == 0;
    uint64_t pid = (uint64_t)getpid();
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t tag = gmi_mix64(pid << 16 ^ i) & 0xffffffffu;
        size_t used = gmi_format(temp, n, "%s.tmp%x", path, tag);
        int fd;
        if (used >= n) return -ENAMETOOLONG;
        fd = open_retry(temp, O_WRONLY | O_CREAT | O_EXCL, exists ? 0600 : 0666);
        if (fd == -EEXIST) continue;
        if (fd >= 0 && exists && fchmod(fd, st.st_mode & 0777)) { /* a file system without permissions: the new file has its own */
            if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS) {
                int e = errno;
                close(fd);
                unlink(temp);
                return -e;
            }
        }
        return fd;
    }
    return -EEXIST;
}

int gmi_os_create(const char *path, int append)
{
    return open_retry(path, O_WRONLY | O_CREAT | O_NOCTTY | (append ? O_APPEND : O_TRUNC), 0666);
}

int64_t gmi_os_read(int fd, void *to, size_t n)
{
    ssize_t r;
    do r = read(fd, to, GMI_MIN(n, PIECE));
    while (r < 0 && errno == EINTR);
    return r < 0 ? -(int64_t)errno : (int64_t)r;
}

int64_t gmi_os_write(int fd, const void *p, size_t n)
{
    ssize_t r;
    do r = write(fd, p, GMI_MIN(n, PIECE));
    while (r < 0 && errno == EINTR);
    return r < 0 ? -(int64_t)errno : (int64_t)r;
}

int gmi_os_seek(int fd, uint64_t to)
{
    if (to > INT64_MAX) return -EINVAL;
    return lseek(fd, (off_t)to, SEEK_SET) < 0 ? -errno : 0;
}

int gmi_os_sync(int fd)
{
    int r;
    do r = fsync(fd);
    while (r && errno == EINTR);
    if (r && (errno == EINVAL || errno == ENOTSUP || errno == EROFS)) return 0; /* pipes and devices have nothing to sync */
    return r ? -errno : 0;
}

int gmi_os_close(int fd)
{
    return close(fd) && errno != EINTR ? -errno : 0; /* after EINTR the descriptor is gone all the same */
}

/* The rename reaches the disk with the directory. */
static int sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    int fd, r;
    if (n >= sizeof dir) return 0;
    if (!slash) memcpy(dir, ".", 2);
    else if (!n) memcpy(dir, "/", 2);
    else {
        memcpy(dir, path, n);
        dir[n] = 0;
    }
    fd = open_retry(dir, O_RDONLY, 0);
    if (fd < 0) return 0; /* a directory that may be written but not read */
    r = gmi_os_sync(fd);
    close(fd);
    return r;
}

int gmi_os_rename(const char *from, const char *to)
{
    if (rename(from, to)) return -errno;
    return sync_directory_of(to);
}

int gmi_os_unlink(const char *path)
{
    return unlink(path) ? -errno : 0;
}

int gmi_os_list(const char *dir, int (*each)(void *user, const char *name), void *user)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int r = 0;
    if (!d) return -errno;
    while (!r) {
        errno = 0;
        entry = readdir(d);
        if (!entry) {
            r = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        r = each(user, entry->d_name);
    }
    closedir(d);
    return r;
}

const char *gmi_os_error_text(int os_error)
{
    static const struct {
        int number;
        const char *text;
    } rows[] = {
        {ENOENT, "no such file or directory"},
        {EACCES, "permission denied"},
        {EPERM, "not permitted"},
        {EISDIR, "is a directory"},
        {ENOTDIR, "a part of the path is not a directory"},
        {EEXIST, "exists already"},
        {ENOSPC, "no space left"},
        {EDQUOT, "disk quota exceeded"},
        {EFBIG, "file too large"},
        {EROFS, "read-only file system"},
        {EIO, "input/output error"},
        {EMFILE, "too many open files"},
        {ENFILE, "too many open files in the system"},
        {ENAMETOOLONG, "name too long"},
        {ELOOP, "too many symbolic links"},
        {EPIPE, "the reader has gone"},
        {EINVAL, "invalid"},
        {ENOMEM, "out of memory"},
        {EAGAIN, "would block"},
        {EBUSY, "busy"},
        {ENXIO, "no such device"},
        {ENODEV, "no such device"},
        {ETXTBSY, "is being executed"},
        {ESPIPE, "cannot seek"},
        {ESTALE, "stale file handle"},
    };
    for (int64_t i = 0; i < GMI_COUNT(rows); i++)
        if (rows[i].number == os_error) return rows[i].text;
    return "system error";
}

int32_t gmi_os_cpus(void)
{
    long n;
#ifdef __linux__
    uint8_t mask[4096]; /* 32,768 processors; cpu_set_t has 1,024 */
    int32_t count = 0;
    memset(mask, 0, sizeof mask);
    if (sched_getaffinity(0, sizeof mask, (cpu_set_t *)(void *)mask) == 0) {
        for (size_t i = 0; i < sizeof mask; i++)
            for (unsigned b = mask[i]; b; b &= b - 1) count++;
        if (count > 0) return GMI_MIN(count, 1024);
    }
#endif
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int32_t)n;
}

void *gmi_os_alloc(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    void *q = NULL;
    (void)user;
    if (!new_size) {
        free(p);
        return NULL;
    }
    if (align <= 2 * sizeof(void *)) return realloc(p, new_size);
    if (p && new_size <= old_size && new_size > old_size / 2) return p;
    if (posix_memalign(&q, align, new_size)) return NULL;
    if (p) {
        memcpy(q, p, GMI_MIN(old_size, new_size));
        free(p);
    }
    return q;
}

int64_t gmi_os_pid(void)
{
    return (int64_t)getpid();
}

#ifndef GM_NO_THREADS

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t condition[2];
} gate;

typedef struct thread {
    pthread_t id;
    void (*fn)(void *);
    void *arg;
} thread;

size_t gmi_os_gate_size(void)
{
    return sizeof(gate);
}

size_t gmi_os_thread_size(void)
{
    return (sizeof(thread) + 15) / 16 * 16;
}

int gmi_os_gate_init(void *g)
{
    gate *x = g;
    int e = pthread_mutex_init(&x->lock, NULL);
    if (e) return e;
    e = pthread_cond_init(&x->condition[0], NULL);
    if (e) {
        pthread_mutex_destroy(&x->lock);
        return e;
    }
    e = pthread_cond_init(&x->condition[1], NULL);
    if (e) {
        pthread_cond_destroy(&x->condition[0]);
        pthread_mutex_destroy(&x->lock);
    }
    return e;
}

void gmi_os_gate_end(void *g)
{
    gate *x = g;
    pthread_cond_destroy(&x->condition[1]);
    pthread_cond_destroy(&x->condition[0]);
    pthread_mutex_destroy(&x->lock);
}

void gmi_os_gate_lock(void *g)
{
    pthread_mutex_lock(&((gate *)g)->lock);
}

void gmi_os_gate_unlock(void *g)
{
    pthread_mutex_unlock(&((gate *)g)->lock);
}

void gmi_os_gate_wait(void *g, int condition)
{
    gate *x = g;
    pthread_cond_wait(&x->condition[condition], &x->lock);
}

void gmi_os_gate_wake(void *g, int condition, int all)
{
    gate *x = g;
    if (all) pthread_cond_broadcast(&x->condition[condition]);
    else pthread_cond_signal(&x->condition[condition]);
}

static void *thread_main(void *arg)
{
    thread *t = arg;
    t->fn(t->arg);
    return NULL;
}

static size_t stack_size(void)
{
    size_t want = 256 * 1024;
#ifdef PTHREAD_STACK_MIN
    if (want < (size_t)PTHREAD_STACK_MIN) want = (size_t)PTHREAD_STACK_MIN;
#endif
    return want;
}

/* Signals are blocked while the thread is made: it inherits the mask, and has no moment in which it could take one. */
int gmi_os_thread_start(void *memory, void (*fn)(void *), void *arg)
{
    thread *t = memory;
    pthread_attr_t attributes;
    sigset_t all, before;
    int e;
    t->fn = fn;
    t->arg = arg;
    if ((e = pthread_attr_init(&attributes)) != 0) return e;
    e = pthread_attr_setstacksize(&attributes, stack_size());
    if (!e) {
        sigfillset(&all);
        e = pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    if (!e) {
        e = pthread_create(&t->id, &attributes, thread_main, t);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return e;
}

void gmi_os_thread_join(void *memory)
{
    pthread_join(((thread *)memory)->id, NULL);
}

void gmi_os_yield(void)
{
    sched_yield();
}

#endif
