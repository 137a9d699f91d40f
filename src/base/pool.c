/* SPDX-License-Identifier: MIT */
/* pool.c: parallel regions with low latency.
 *
 * A region is opened by the context's thread: it writes task, argument and count, sets OPEN in `state` and bumps `generation`. A worker that sees a
 * new generation joins by compare and swap on `state` (which counts the joined), takes indices from `next` until they run out, and leaves. The
 * caller takes indices too, closes the region, and waits for those who joined: never for a worker that is still asleep. So a region costs some
 * hundred nanoseconds when the workers are awake, and a loaded machine only loses their help.
 * Waiting: a short spin (regions follow each other closely inside a training step), then giving way to whatever else wants the CPU, then a
 * condition variable: a thread of a virtual machine takes 50 to 200 microseconds to wake up, as long as a region. The Dekker pairs
 * (generation, asleep) and (state, caller_waits) rely on sequentially consistent atomics.
 * Which thread runs which index is left to chance: results do not depend on it (docs/determinism.md). */
#include "base/base.h"

#ifndef GM_NO_THREADS
#define SPIN 600        /* pauses: some 10 to 40 microseconds */
#define GIVE_WAY 3000   /* times to give way before sleeping: about a millisecond of an idle CPU */
#define OPEN 0x40000000 /* bit of state; below it the number of workers inside */
#define LINE 64

typedef struct worker {
    struct gmi_pool *pool;
    void *thread;
} worker;

struct gmi_pool {
    gm_task_fn task; /* of the open region: written before OPEN, read after joining */
    void *arg;
    int32_t n;
    int32_t workers;
    worker *worker;
    void *gate;
    char *threads; /* workers * gmi_os_thread_size() bytes */
    char pad0[LINE];
    int32_t state;
    char pad1[LINE];
    int32_t next; /* index to be taken */
    char pad2[LINE];
    int32_t generation, asleep, caller_waits, stop;
};
#endif

/* The host's task with the library's floating point state around it. */
typedef struct framed_task {
    gm_task_fn task;
    void *arg;
} framed_task;

static void run_framed(void *arg, int32_t i)
{
    const framed_task *t = arg;
    gmi_fp s = gmi_fp_enter();
    t->task(t->arg, i);
    gmi_fp_restore(s);
}

static void run_inline(int32_t n, gm_task_fn task, void *arg)
{
    for (int32_t i = 0; i < n; i++) task(arg, i);
}

#ifndef GM_NO_THREADS

static void take_indices(gmi_pool *p)
{
    gm_task_fn task = p->task;
    void *arg = p->arg;
    int32_t n = p->n, i;
    while ((i = gmi_atomic_add(&p->next, 1) - 1) < n) task(arg, i);
}

static int join_region(gmi_pool *p)
{
    int32_t s = gmi_atomic_get(&p->state);
    while (s & OPEN) {
        if (gmi_atomic_cas(&p->state, s, s + 1)) return 1;
        s = gmi_atomic_get(&p->state);
    }
    return 0;
}

static void leave_region(gmi_pool *p)
{
    if (gmi_atomic_add(&p->state, -1) == 0 && gmi_atomic_get(&p->caller_waits)) {
        gmi_os_gate_lock(p->gate);
        gmi_os_gate_wake(p->gate, 1, 1);
        gmi_os_gate_unlock(p->gate);
    }
}

/* The i-th turn of a wait, i < SPIN + GIVE_WAY. */
static void wait_turn(int i)
{
    if (i < SPIN)
        gmi_cpu_pause();
    else
        gmi_os_yield();
}

/* Returns when the generation is not `seen` any more, with the new one. */
static int32_t wait_for_work(gmi_pool *p, int32_t seen)
{
    int32_t g;
    for (int i = 0; i < SPIN + GIVE_WAY; i++) {
        g = gmi_atomic_get(&p->generation);
        if (g != seen) return g;
        wait_turn(i);
    }
    gmi_os_gate_lock(p->gate);
    gmi_atomic_add(&p->asleep, 1);
    while ((g = gmi_atomic_get(&p->generation)) == seen) gmi_os_gate_wait(p->gate, 0);
    gmi_atomic_add(&p->asleep, -1);
    gmi_os_gate_unlock(p->gate);
    return g;
}

static void worker_main(void *arg)
{
    gmi_pool *p = arg;
    int32_t seen = 0;
    gmi_fp_enter();
    for (;;) {
        seen = wait_for_work(p, seen);
        if (gmi_atomic_get(&p->stop)) return;
        if (join_region(p)) {
            take_indices(p);
            leave_region(p);
        }
    }
}

static void wake_workers(gmi_pool *p, int32_t useful)
{
    gmi_atomic_add(&p->generation, 1);
    if (!gmi_atomic_get(&p->asleep)) return;
    gmi_os_gate_lock(p->gate);
    if (useful >= p->workers) gmi_os_gate_wake(p->gate, 0, 1);
    else
        while (useful-- > 0) gmi_os_gate_wake(p->gate, 0, 0);
    gmi_os_gate_unlock(p->gate);
}

/* Closes the region and waits until all who joined have left. */
static void close_region(gmi_pool *p)
{
    int32_t inside = gmi_atomic_add(&p->state, -OPEN);
    for (int i = 0; inside && i < SPIN + GIVE_WAY; i++) {
        wait_turn(i);
        inside = gmi_atomic_get(&p->state);
    }
    if (!inside) return;
    gmi_os_gate_lock(p->gate);
    gmi_atomic_set(&p->caller_waits, 1);
    while (gmi_atomic_get(&p->state)) gmi_os_gate_wait(p->gate, 1);
    gmi_atomic_set(&p->caller_waits, 0);
    gmi_os_gate_unlock(p->gate);
}

static void pool_run(gmi_pool *p, int32_t n, gm_task_fn task, void *arg)
{
    p->task = task;
    p->arg = arg;
    p->n = n;
    gmi_atomic_set(&p->next, 0);
    gmi_atomic_set(&p->state, OPEN);
    wake_workers(p, n - 1);
    take_indices(p);
    close_region(p);
}

static void pool_free(gm_context *c, gmi_pool *p)
{
    gmi_free(c, p->gate);
    gmi_free(c, p->worker);
    gmi_free(c, p->threads);
    gmi_free(c, p);
}

static gmi_pool *pool_memory(gm_context *c, int32_t workers)
{
    gmi_pool *p = gmi_alloc(c, sizeof *p);
    if (!p) return NULL;
    p->gate = gmi_alloc(c, gmi_os_gate_size());
    p->worker = gmi_alloc_n(c, workers, sizeof *p->worker);
    p->threads = gmi_alloc_n(c, workers, gmi_os_thread_size());
    if (p->gate && p->worker && p->threads) return p;
    pool_free(c, p);
    return NULL;
}

gm_status gmi_pool_create(gm_context *c, int32_t threads, gmi_pool **out)
{
    gmi_pool *p;
    *out = NULL;
    if (threads < 2) return GM_OK;
    p = pool_memory(c, threads - 1);
    if (!p) return c->status;
    if (gmi_os_gate_init(p->gate)) {
        pool_free(c, p);
        return GM_OK;
    }
    for (int32_t i = 0; i < threads - 1; i++) {
        worker *w = &p->worker[i];
        w->thread = p->threads + (size_t)i * gmi_os_thread_size();
        if (gmi_os_thread_start(w->thread, worker_main, p)) break;
        p->workers++;
    }
    if (!p->workers) {
        gmi_os_gate_end(p->gate);
        pool_free(c, p);
        return GM_OK;
    }
    *out = p;
    return GM_OK;
}

void gmi_pool_destroy(gm_context *c, gmi_pool *p)
{
    if (!p) return;
    if (c->pid == gmi_os_pid()) { /* a forked child has no workers, and a lock in an unknown state: only the memory is its own */
        gmi_atomic_set(&p->stop, 1);
        wake_workers(p, p->workers);
        for (int32_t i = 0; i < p->workers; i++) gmi_os_thread_join(p->worker[i].thread);
        gmi_os_gate_end(p->gate);
    }
    pool_free(c, p);
}

int32_t gmi_pool_threads(const gmi_pool *p)
{
    return p->workers + 1;
}

#else /* every context has one thread, or the host's parallel_for */

static void pool_run(gmi_pool *p, int32_t n, gm_task_fn task, void *arg)
{
    (void)p;
    run_inline(n, task, arg);
}

gm_status gmi_pool_create(gm_context *c, int32_t threads, gmi_pool **out)
{
    (void)c;
    (void)threads;
    *out = NULL;
    return GM_OK;
}

void gmi_pool_destroy(gm_context *c, gmi_pool *p)
{
    (void)c;
    (void)p;
}

int32_t gmi_pool_threads(const gmi_pool *p)
{
    (void)p;
    return 1;
}

#endif

void gmi_parallel(gm_context *c, int32_t n, gm_task_fn task, void *arg)
{
    if (n <= 1 || n > INT32_MAX / 2 /* `next` counts past n */ || (!c->pool && !c->parallel_for) || c->pid != gmi_os_pid() || !gmi_atomic_cas(&c->region, 0, 1)) {
        run_inline(n, task, arg);
        return;
    }
    if (c->parallel_for) {
        framed_task t;
        t.task = task;
        t.arg = arg;
        c->parallel_for(c->parallel_user, n, run_framed, &t);
    } else
        pool_run(c->pool, n, task, arg);
    gmi_atomic_set(&c->region, 0);
}
