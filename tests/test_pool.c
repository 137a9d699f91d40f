/* SPDX-License-Identifier: MIT */
/* test_pool.c: every index once, nested and busy regions, the host's parallel_for, signals, fork, floating point state, latency. */
#include "base/base.h"
#include "tap.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#define HAVE_CSR 1
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static gm_context *context(int32_t threads)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    return gm_context_create(&o, &c) ? NULL : c;
}

typedef struct handover {
    pthread_t self;
    int32_t started, finished;
} handover;

/* The caller waits for a worker to take an index; the worker takes long. */
static void hand_over(void *arg, int32_t i)
{
    handover *h = arg;
    struct timespec t = {0, 5000000};
    (void)i;
    if (pthread_equal(h->self, pthread_self())) {
        struct timespec short_time = {0, 100000};
        for (int k = 0; k < 2000 && !gmi_atomic_get(&h->started); k++) nanosleep(&short_time, NULL);
        return;
    }
    gmi_atomic_set(&h->started, 1);
    nanosleep(&t, NULL);
    gmi_atomic_set(&h->finished, 1);
}

static void test_waiting(void)
{
    handover h;
    gm_context *c = context(2);
    memset(&h, 0, sizeof h);
    h.self = pthread_self();
    gmi_parallel(c, 2, hand_over, &h);
    if (gm_context_threads(c) > 1) ok(h.started && h.finished, "a region ends after its slowest task, also when the caller has to sleep for it");
    gm_context_destroy(c);
}

typedef struct job {
    gm_context *c;
    int32_t count[10000];
    int32_t inside, threads_seen, bad_state;
    pthread_t self;
} job;

static void tick(void *arg, int32_t i)
{
    gmi_atomic_add(&((job *)arg)->count[i], 1);
}

static int all(const job *j, int32_t n, int32_t want)
{
    for (int32_t i = 0; i < n; i++)
        if (j->count[i] != want) return 0;
    return 1;
}

static void test_every_index(int32_t threads)
{
    static job j;
    gm_context *c = context(threads);
    int bad = 0;
    memset(&j, 0, sizeof j);
    if (!ok(c != NULL && gm_context_threads(c) >= 1, "%d threads asked, %d got", threads, gm_context_threads(c))) return;
    gmi_parallel(c, 10000, tick, &j);
    ok(all(&j, 10000, 1), "10000 indices, each once");
    memset(&j, 0, sizeof j);
    for (int r = 0; r < 3000; r++) gmi_parallel(c, 1 + r % 7, tick, &j);
    for (int r = 0; r < 3000; r++)
        for (int i = 0; i < 1 + r % 7; i++) j.count[i]--;
    bad = !all(&j, 7, 0);
    ok(!bad, "3000 short regions");
    gmi_parallel(c, 0, tick, &j);
    gmi_parallel(c, -5, tick, &j);
    ok(all(&j, 7, 0), "no indices, no calls");
    gm_context_destroy(c);
}

static void slow_tick(void *arg, int32_t i)
{
    struct timespec t = {0, 300000};
    nanosleep(&t, NULL);
    tick(arg, i);
}

static void nested(void *arg, int32_t i)
{
    job *j = arg;
    (void)i;
    gmi_parallel(j->c, 10, tick, j);
}

static void test_shapes_of_regions(void)
{
    static job j;
    gm_context *c = context(4);
    memset(&j, 0, sizeof j);
    j.c = c;
    gmi_parallel(c, 50, nested, &j);
    ok(all(&j, 10, 50), "regions inside regions run inline, each index once");
    memset(&j, 0, sizeof j);
    for (int r = 0; r < 20; r++) {
        struct timespec t = {0, 1000000};
        gmi_parallel(c, 6, slow_tick, &j);
        nanosleep(&t, NULL); /* the workers fall asleep in between */
    }
    ok(all(&j, 6, 20), "slow tasks, workers that sleep in between");
    gm_context_destroy(c);
}

static void look_at_thread(void *arg, int32_t i)
{
    job *j = arg;
    struct timespec t = {0, 2000000};
    sigset_t set;
    (void)i;
#ifdef HAVE_CSR
    if ((_mm_getcsr() & 0xffc0) != 0x1f80) gmi_atomic_add(&j->bad_state, 1);
#endif
    if (!pthread_equal(j->self, pthread_self())) {
        gmi_atomic_add(&j->threads_seen, 1);
        pthread_sigmask(SIG_BLOCK, NULL, &set);
        if (!sigismember(&set, SIGTERM) || !sigismember(&set, SIGINT) || !sigismember(&set, SIGALRM)) gmi_atomic_add(&j->bad_state, 1);
    }
    nanosleep(&t, NULL);
}

static void test_threads(void)
{
    static job j;
    gm_context *c;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    c = context(3);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    ok(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM), "the host's signal mask is untouched");
    memset(&j, 0, sizeof j);
    j.self = pthread_self();
#ifdef HAVE_CSR
    unsigned odd;
    _mm_setcsr(0x1f80 | 0x8040); /* workers must not inherit it, and tasks on the caller must not see it */
    odd = _mm_getcsr(); /* an emulator may lack some */
    gmi_enter(c, "test");
#endif
    gmi_parallel(c, 12, look_at_thread, &j);
#ifdef HAVE_CSR
    gmi_leave(c, GM_OK);
    ok(_mm_getcsr() == odd, "the host's floating point state is back");
    _mm_setcsr(0x1f80);
#endif
    if (gm_context_threads(c) > 1) ok(j.threads_seen > 0, "other threads took part (%d of 12 tasks)", j.threads_seen);
    is_int(j.bad_state, 0, "workers block signals and compute in the default state");
    gm_context_destroy(c);
}

static int host_calls;
static void host_for(void *user, int32_t n, gm_task_fn task, void *arg)
{
    (void)user;
    host_calls++;
    for (int32_t i = n - 1; i >= 0; i--) task(arg, i);
}

static void test_host_pool(void)
{
    static job j;
    gm_context_options o;
    gm_context *c = NULL;
    memset(&j, 0, sizeof j);
    gm_context_options_init(&o, sizeof o);
    o.threads = 8;
    o.parallel_for = host_for;
    if (!ok(gm_context_create(&o, &c) == GM_OK && !c->pool && gm_context_threads(c) == 8, "the host's parallel_for, no pool")) return;
    gmi_parallel(c, 100, tick, &j);
    ok(all(&j, 100, 1) && host_calls == 1, "it runs every index");
    j.c = c;
    memset(j.count, 0, sizeof j.count);
    gmi_parallel(c, 5, nested, &j);
    ok(all(&j, 10, 5) && host_calls == 2, "nested regions are inline there too");
    gmi_parallel(c, 1, tick, &j);
    is_int(host_calls, 2, "one index needs no pool");
    gm_context_destroy(c);
}

static void test_fork(void)
{
    static job j;
    gm_context *c = context(4);
    pid_t child;
    int status = 0;
    memset(&j, 0, sizeof j);
    gmi_parallel(c, 100, tick, &j);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(10); /* a hang is a failure, not a stop */
        gmi_parallel(c, 100, tick, &j);
        if (!all(&j, 100, 2)) _exit(3);
        gm_context_destroy(c);
        _exit(0);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked child computes inline and destroys");
    gmi_parallel(c, 100, tick, &j);
    ok(all(&j, 100, 2), "the parent goes on");
    gm_context_destroy(c);
}

/* A process that may have little address space gets fewer threads than it asks for, or a failure, and goes on. */
static void test_few_threads(void)
{
    static job j;
    int status = 0;
    pid_t child;
#ifdef SANITIZED
    skip("a sanitizer needs address space of its own");
    return;
#endif
    if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload")) {
        skip("valgrind needs address space of its own");
        return;
    }
    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct rlimit small = {40u << 20, 40u << 20};
        gm_context_options o;
        gm_context *c = NULL;
        gm_status s;
        alarm(20);
        gm_context_options_init(&o, sizeof o);
        o.threads = 1000;
        setrlimit(RLIMIT_AS, &small);
        s = gm_context_create(&o, &c);
        if (s != GM_OK) _exit(s == GM_E_NOMEM && !c ? 0 : 4);
        if (gm_context_threads(c) >= 1000) _exit(77); /* an emulator without this limit */
        memset(&j, 0, sizeof j);
        gmi_parallel(c, 500, tick, &j);
        gm_context_destroy(c);
        _exit(all(&j, 500, 1) ? gm_context_threads(NULL) : 3);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip("the system does not limit address space");
    else ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "1000 threads in 40 MiB: fewer, or GM_E_NOMEM (%d)", status);
}

static void nothing(void *arg, int32_t i)
{
    (void)arg;
    (void)i;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A number to look at, and a bar so wide that only a defect (a lost wake-up, a sleep in the hot path) misses it. */
static void test_latency(void)
{
    gm_context *c = context(2);
    double t0, best = 1;
    for (int k = 0; k < 20; k++) {
        t0 = seconds();
        for (int i = 0; i < 500; i++) gmi_parallel(c, 2, nothing, NULL);
        best = GMI_MIN(best, (seconds() - t0) / 500);
    }
    ok(best < 1e-3, "an empty region of two takes %.2f us at best", best * 1e6);
    gm_context_destroy(c);
}

static void *other_context(void *arg)
{
    static job jobs[4];
    job *j = &jobs[(intptr_t)arg];
    gm_context *c = context(3);
    for (int r = 0; r < 300; r++) gmi_parallel(c, 20, tick, j);
    gm_context_destroy(c);
    return all(j, 20, 300) ? arg : NULL;
}

static void test_independent_contexts(void)
{
    pthread_t t[4];
    void *r;
    int good = 0;
    for (intptr_t i = 1; i < 4; i++) pthread_create(&t[i], NULL, other_context, (void *)i);
    for (int i = 1; i < 4; i++) {
        pthread_join(t[i], &r);
        good += r != NULL;
    }
    is_int(good, 3, "three contexts on three threads");
}

int main(void)
{
    static const int32_t counts[] = {1, 2, 3, 9};
    alarm(120);
    for (int i = 0; i < 4; i++) test_every_index(counts[i]);
    test_shapes_of_regions();
    test_waiting();
    test_threads();
    test_host_pool();
    test_fork();
    test_few_threads();
    test_independent_contexts();
    test_latency();
    return done();
}
