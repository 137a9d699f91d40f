/* SPDX-License-Identifier: MIT */
/* oom_util.h: the Nth allocation fails, for every N (SQLite's method): an allocator that counts and refuses, and a walk over all N of a story that a test
 * tells.
 *
 * Two modes: one request fails, or that one and all after it. The allocator checks the sizes it is told and hands out odd addresses. */
#ifndef GM_TESTS_OOM_UTIL_H
#define GM_TESTS_OOM_UTIL_H
#include "vae_util.h"

typedef struct counting {
    size_t live, blocks, calls, fail_at;
    int sticky, wrong;
} counting;

static counting mem;

static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    counting *k = user;
    void *q;
    (void)align;
    if (!new_size) {
        k->live -= old_size;
        k->blocks -= p != NULL;
        free(p);
        return NULL;
    }
    k->calls++;
    if (k->fail_at && (k->sticky ? k->calls >= k->fail_at : k->calls == k->fail_at)) return NULL;
    if (posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    k->live += new_size - old_size;
    k->blocks += p == NULL;
    return q;
}

/* One telling: where a call fails it is repeated with memory when `again` is set, else the story ends there. */
typedef struct run {
    gm_context *c;
    gm_status first;   /* failure met */
    int again, bad;    /* bad: a failure that is not GM_E_NOMEM, or a retry that failed */
} run;

static void begin_run(run *r, int again, gm_context_options *co)
{
    memset(r, 0, sizeof *r);
    r->again = again;
    gm_context_options_init(co, sizeof *co);
    co->threads = 1;
    co->alloc = counted;
    co->alloc_user = &mem;
}

/* 1 = go on. A failure is recorded; the caller repeats the call when 2. */
static int met(run *r, gm_status s)
{
    if (s == GM_OK) return 1;
    if (!r->first) r->first = s;
    if (s != GM_E_NOMEM) {
        r->bad++;
        if (r->bad == 1) printf("# %s: %s\n", gm_status_name(s), r->c ? gm_context_error(r->c) : "");
        return 0;
    }
    if (r->again && mem.fail_at) {
        mem.fail_at = 0;
        return 2;
    }
    return 0;
}
/* Within a story: the run is r, the label end. */
#define DO(call)                                 \
    do {                                         \
        int m_ = met(&r, call);                  \
        if (m_ == 2) m_ = met(&r, call);         \
        if (m_ != 1) goto end;                   \
    } while (0)

/* Tells all that happens and leaves what came out in *results, of `size` bytes, that begin as zeros. */
typedef run (*story_fn)(int again, void *results);

/* Every N, or from `from` on every stride-th. */
static void walk(story_fn story, const void *good, void *got, size_t size, int again, int sticky, size_t from, size_t stride)
{
    size_t n, leaks = 0, wrong = 0, other = 0, differ = 0, total = 0;
    for (n = from;; n += stride) {
        memset(&mem, 0, sizeof mem);
        memset(got, 0, size);
        mem.fail_at = n;
        mem.sticky = sticky;
        run r = story(again, got);
        if (!r.first) break; /* never reached: all is done */
        total++;
        leaks += mem.blocks != 0 || mem.live != 0;
        wrong += r.bad != 0;
        other += r.first != GM_E_NOMEM;
        if (again && memcmp(got, good, size) && differ++ < 3) printf("# allocation %d: other bits\n", (int)n);
        if (wrong && total < 3) break;
    }
    ok(total > 50 / stride, "%s, %s: %d allocations failed in turn", sticky ? "from the Nth on" : "the Nth alone", again ? "retried" : "ended", (int)total);
    is_int(other + wrong, 0, "always GM_E_NOMEM, and a retry succeeds");
    is_int(leaks, 0, "nothing leaks");
    if (again) is_int(differ, 0, "what went on gives the same bits");
}

/* All four modes; with a stride of 4, each N in one of them. */
static void walk_all(story_fn story, void *good, void *got, size_t size, size_t stride)
{
    memset(&mem, 0, sizeof mem);
    memset(good, 0, size);
    run r = story(0, good);
    ok(!r.first, "the story runs with memory");
    is_int(mem.blocks, 0, "and leaks nothing");
    walk(story, good, got, size, 0, 0, 1, stride);
    walk(story, good, got, size, 0, 1, 1 + 1 % stride, stride);
    walk(story, good, got, size, 1, 0, 1 + 2 % stride, stride);
    walk(story, good, got, size, 1, 1, 1 + 3 % stride, stride);
}
#endif
