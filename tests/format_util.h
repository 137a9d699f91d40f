/* SPDX-License-Identifier: MIT */
/* format_util.h: what the tests of the file formats share: contexts with a counting, failing allocator; sources as memory or as a pipe that gives a
 * few bytes at a time and may fail; a sink that grows. */
#ifndef GM_TESTS_FORMAT_UTIL_H
#define GM_TESTS_FORMAT_UTIL_H
#include "base/base.h"
#include "tap.h"
#include "tensor/tensor.h"

typedef struct fu_heap {
    long count, fail_at; /* the fail_at-th request fails, 0 = none */
    int on;              /* and all after it */
    size_t now, peak;
} fu_heap;

TAP_UNUSED static void *fu_alloc(void *user, void *p, size_t old, size_t size, size_t align)
{
    fu_heap *h = user;
    void *q;
    (void)align;
    if (size == 0) {
        h->now -= old;
        free(p);
        return NULL;
    }
    h->count++;
    if (h->fail_at && (h->count == h->fail_at || (h->on && h->count > h->fail_at))) return NULL;
    if (posix_memalign(&q, 64, size)) return NULL;
    h->now += size; /* both blocks exist while one is copied */
    if (h->now > h->peak) h->peak = h->now;
    if (p) {
        memcpy(q, p, old < size ? old : size);
        free(p);
        h->now -= old;
    }
    return q;
}

TAP_UNUSED static gm_context *fu_context(fu_heap *h)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    if (h) {
        memset(h, 0, sizeof *h);
        o.alloc = fu_alloc;
        o.alloc_user = h;
    }
    if (gm_context_create(&o, &c)) {
        printf("Bail out! no context\n");
        exit(1);
    }
    return c;
}

/* The library's own memory in use, to find leaks. */
TAP_UNUSED static uint64_t fu_now(gm_context *c)
{
    uint64_t now, peak;
    gm_context_memory(c, &now, &peak);
    return now;
}

typedef struct fu_source {
    const uint8_t *p;
    size_t n, at, step; /* step 0: memory; else a pipe of that many bytes a time */
    size_t fail_at;     /* a pipe fails when it has given so many bytes, SIZE_MAX = never */
    size_t claim;       /* a pipe says that it has so many bytes, 0 = says nothing */
} fu_source;

TAP_UNUSED static gm_status fu_read(void *user, void *to, size_t n, size_t *got)
{
    fu_source *s = user;
    size_t k = s->n - s->at < s->step ? s->n - s->at : s->step;
    if (s->at >= s->fail_at) return GM_E_IO;
    if (k > n) k = n;
    if (k > s->fail_at - s->at) k = s->fail_at - s->at;
    memcpy(to, s->p + s->at, k);
    s->at += k;
    *got = k;
    return GM_OK;
}

TAP_UNUSED static fu_source fu_bytes(const void *p, size_t n, size_t step)
{
    fu_source s;
    s.p = p;
    s.n = n;
    s.at = 0;
    s.step = step;
    s.fail_at = SIZE_MAX;
    s.claim = 0;
    return s;
}

TAP_UNUSED static gm_reader fu_reader(fu_source *s)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    if (s->step) {
        r.user = s;
        r.read = fu_read;
        r.bytes = s->claim;
    } else {
        r.memory = s->n ? (const void *)s->p : "";
        r.bytes = s->n;
    }
    return r;
}

TAP_UNUSED static gm_status fu_open(gm_context *c, fu_source *s, gmi_in *in)
{
    gm_reader r = fu_reader(s);
    return gmi_in_open(c, &r, in);
}

/* An output that has failed already: every write must say so. */
TAP_UNUSED static gmi_out fu_failed(gm_context *c)
{
    gmi_out o;
    memset(&o, 0, sizeof o);
    o.ctx = c;
    o.fd = -1;
    o.failed = GM_E_IO;
    return o;
}

typedef struct fu_sink {
    uint8_t *p;
    size_t n, cap;
    size_t fail_at; /* fails when so many bytes have come; SIZE_MAX = never */
} fu_sink;

TAP_UNUSED static gm_status fu_write(void *user, const void *from, size_t n)
{
    fu_sink *k = user;
    if (k->n + n > k->fail_at) return GM_E_IO;
    if (k->n + n > k->cap) {
        k->cap = 2 * (k->n + n);
        k->p = realloc(k->p, k->cap);
    }
    memcpy(k->p + k->n, from, n);
    k->n += n;
    return GM_OK;
}

TAP_UNUSED static gm_writer fu_writer(fu_sink *k)
{
    gm_writer w;
    memset(k, 0, sizeof *k);
    k->fail_at = SIZE_MAX;
    gm_writer_init(&w, sizeof w);
    w.user = k;
    w.write = fu_write;
    return w;
}

/* 1 when the message of the last failure holds the text. */
TAP_UNUSED static int fu_says(gm_context *c, const char *text)
{
    return strstr(gm_context_error(c), text) != NULL;
}
#endif
