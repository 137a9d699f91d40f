/* SPDX-License-Identifier: MIT */
/* test_alloc.c: the host's allocator, old sizes, counting, peak, the limit, failing allocations; the arena and checked products. */
#include "base/base.h"
#include "tap.h"

/* An allocator that checks what it is told: every block remembers its size and alignment. */
typedef struct checked {
    size_t live, blocks, calls, fail_at; /* fail_at: the N-th request fails, and all after it when sticky */
    int sticky, wrong;
} checked;

typedef struct header {
    size_t size, align;
    void *raw;
} header;

static void *checked_alloc(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    checked *k = user;
    header *h = p ? (header *)((char *)p - sizeof(header)) : NULL;
    char *raw, *q;
    if (align == 0 || align > 64 || (align & (align - 1))) k->wrong++;
    if (h ? h->size != old_size || h->align != align : old_size != 0) k->wrong++;
    if (!new_size) {
        if (!h) k->wrong++;
        else {
            k->live -= h->size;
            k->blocks--;
            memset(p, 0xdd, h->size);
            free(h->raw);
        }
        return NULL;
    }
    k->calls++;
    if (k->fail_at && (k->sticky ? k->calls >= k->fail_at : k->calls == k->fail_at)) return NULL;
    raw = malloc(new_size + sizeof(header) + 2 * align);
    if (!raw) return NULL;
    q = raw + sizeof(header);
    while ((uintptr_t)q % align) q++;
    if ((uintptr_t)q % (2 * align) == 0) q += align; /* no better aligned than asked for */
    memset(q, 0xcc, new_size);
    ((header *)(q - sizeof(header)))->size = new_size;
    ((header *)(q - sizeof(header)))->align = align;
    ((header *)(q - sizeof(header)))->raw = raw;
    k->live += new_size;
    k->blocks++;
    if (h) {
        memcpy(q, p, old_size < new_size ? old_size : new_size);
        k->live -= h->size;
        k->blocks--;
        free(h->raw);
    }
    return q;
}

static gm_context *context(checked *k, uint64_t limit, int32_t threads)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.alloc = checked_alloc;
    o.alloc_user = k;
    o.memory_limit = limit;
    if (gm_context_create(&o, &c)) return NULL;
    return c;
}

static int zeros(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const char *)p)[i]) return 0;
    return 1;
}

static void test_blocks(void)
{
    checked k = {0, 0, 0, 0, 0, 0};
    gm_context *c = context(&k, 0, 1);
    uint64_t now = 0, peak = 0, start = 0;
    char *p, *q, *s;
    gm_context_memory(c, &start, NULL);
    is_int(start, k.live, "the context counts itself");
    p = gmi_alloc(c, 1000);
    ok(p && (uintptr_t)p % 64 == 0 && zeros(p, 1000), "zeroed and 64-byte aligned");
    q = gmi_alloc(c, 0);
    ok(q && (uintptr_t)q % 64 == 0, "0 bytes give a pointer");
    memset(p, 7, 1000);
    p = gmi_realloc(c, p, 5000);
    ok(p && p[999] == 7 && zeros(p + 1000, 4000), "growing keeps and zeroes");
    memset(p, 7, 5000);
    p = gmi_realloc(c, p, 100);
    p = gmi_realloc(c, p, 200);
    ok(p && p[99] == 7 && zeros(p + 100, 100), "shrinking, then growing, zeroes again");
    ok(gmi_realloc(c, p, 200) == p, "same size, same block");
    s = gmi_strdup(c, "text");
    is_text(s, "text", "strdup");
    gmi_free(c, s);
    s = gmi_strdup(c, NULL);
    is_text(s, "", "strdup of NULL");
    gmi_free(c, s);
    gm_context_memory(c, &now, &peak);
    is_int(now, k.live, "now is what the host gave");
    ok(peak >= now + 5000 - 200 && peak < now + 20000, "peak remembers");
    gmi_free(c, p);
    gmi_free(c, q);
    gmi_free(c, NULL);
    gm_context_memory(c, &now, NULL);
    is_int(now, start, "all given back");
    ok(gmi_alloc(c, UINT64_MAX) == NULL && c->status == GM_E_NOMEM, "absurd sizes are refused");
    ok(gmi_alloc_n(c, INT64_MAX, 16) == NULL && gmi_alloc_n(c, -1, 16) == NULL, "overflowing and negative counts are refused");
    gm_context_destroy(c);
    ok(k.live == 0 && k.blocks == 0 && k.wrong == 0, "nothing left, old sizes right");
}

static void test_limit(void)
{
    checked k = {0, 0, 0, 0, 0, 0};
    gm_context *c = context(&k, sizeof(gm_context) + 2000, 1), *none = NULL;
    gm_context_options o;
    size_t calls;
    uint64_t now;
    char *p = gmi_alloc(c, 1000);
    ok(p != NULL, "below the limit");
    calls = k.calls;
    gmi_enter(c, "test");
    ok(gmi_alloc(c, 1000) == NULL && c->status == GM_E_BUDGET && k.calls == calls, "over it: refused before the host is asked");
    ok(strstr(gm_context_error(c), "1000") && strstr(gm_context_error(c), "memory_limit"), "the message has need and limit: %s", gm_context_error(c));
    ok(gmi_realloc(c, p, 4000) == NULL && p[0] == 0, "growing over it leaves the block");
    gmi_leave(c, GM_E_BUDGET);
    gmi_enter(c, "test");
    p = gmi_realloc(c, p, 1800);
    ok(p && gmi_leave(c, GM_OK) == GM_OK, "growing up to it");
    gm_context_memory(c, &now, NULL);
    is_int(now, k.live, "refusals leave the count right");
    gmi_free(c, p);
    gm_context_destroy(c);
    gm_context_options_init(&o, sizeof o);
    o.memory_limit = 100;
    ok(gm_context_create(&o, &none) == GM_E_BUDGET && !none, "a limit below a context");
    is_int(k.wrong + k.live, 0, "clean");
}

static void test_failures(void)
{
    checked k = {0, 0, 0, 0, 0, 0};
    gm_context *c;
    int created = 0, wrong_status = 0;
    for (size_t n = 1; n < 30 && !created; n++) {
        gm_context_options o;
        gm_status s;
        memset(&k, 0, sizeof k);
        k.fail_at = n;
        gm_context_options_init(&o, sizeof o);
        o.threads = 3;
        o.alloc = checked_alloc;
        o.alloc_user = &k;
        s = gm_context_create(&o, &c);
        created = s == GM_OK;
        if (s != GM_OK && (s != GM_E_NOMEM || c)) wrong_status++;
        gm_context_destroy(c);
        if (k.live || k.blocks || k.wrong) wrong_status++;
    }
    ok(created && !wrong_status, "creating a context with each allocation failing");
    memset(&k, 0, sizeof k);
    c = context(&k, 0, 1);
    k.fail_at = k.calls + 1;
    gmi_enter(c, "test");
    ok(gmi_alloc(c, 10) == NULL && c->status == GM_E_NOMEM, "a failing allocation: GM_E_NOMEM");
    is_text(gm_context_error(c), "test: out of memory: 10 bytes were refused", "and a message");
    gmi_leave(c, GM_E_NOMEM);
    is_int(c->mem_now, k.live, "the count is right after it");
    gm_context_destroy(c);
    is_int(k.live, 0, "clean");
}

static void test_arena(void)
{
    checked k = {0, 0, 0, 0, 0, 0};
    gm_context *c = context(&k, 0, 1);
    gmi_arena a;
    char *p[400];
    int bad = 0;
    gmi_arena_init(&a, c);
    for (int i = 0; i < 400; i++) {
        size_t n = (size_t)(i * 37 % 900) + (i % 50 == 0 ? 70000 : 0);
        p[i] = gmi_arena_alloc(&a, n);
        if (!p[i] || (uintptr_t)p[i] % 16 || !zeros(p[i], n)) bad++;
        else memset(p[i], i, n);
    }
    for (int i = 0; i < 400; i++) {
        size_t n = (size_t)(i * 37 % 900) + (i % 50 == 0 ? 70000 : 0);
        for (size_t j = 0; p[i] && j < n; j++) bad += p[i][j] != (char)i;
    }
    is_int(bad, 0, "400 pieces, zeroed, aligned, apart");
    is_text(gmi_arena_strdup(&a, "hello world", 5), "hello", "strdup of n bytes");
    ok(gmi_arena_alloc(&a, UINT64_MAX) == NULL && gmi_arena_alloc(&a, UINT64_MAX - 5) == NULL, "absurd sizes");
    k.fail_at = k.calls + 1;
    ok(gmi_arena_alloc(&a, 1000000) == NULL, "failing block");
    ok(gmi_arena_alloc(&a, 1000000) != NULL, "usable after it");
    gmi_arena_free(&a);
    gmi_arena_free(&a);
    gm_context_destroy(c);
    is_int(k.live + k.blocks, 0, "clean");
}

static void test_products(void)
{
    uint64_t u = 0;
    int64_t v = 0, zero_big[3] = {0, (int64_t)1 << 40, (int64_t)1 << 40}, negative[2] = {3, -1}, fine[3] = {3, 4, 5}, zero[2] = {0, 9};
    ok(gmi_mul_u64(1u << 31, (uint64_t)1 << 33, &u) == -1 && gmi_mul_u64(UINT64_MAX, 1, &u) == 0 && u == UINT64_MAX && gmi_mul_u64(0, 5, &u) == 0 && !u,
       "mul_u64");
    ok(gmi_add_u64(UINT64_MAX, 1, &u) == -1 && gmi_add_u64(UINT64_MAX - 1, 1, &u) == 0, "add_u64");
    ok(gmi_mul_i64((int64_t)1 << 32, (int64_t)1 << 31, &v) == -1 && gmi_mul_i64(-1, 1, &v) == -1 && gmi_mul_i64(7, 6, &v) == 0 && v == 42, "mul_i64");
    ok(gmi_count_i64(3, fine, &v) == 0 && v == 60, "count");
    ok(gmi_count_i64(0, NULL, &v) == 0 && v == 1, "count of rank 0 is 1");
    ok(gmi_count_i64(2, zero, &v) == 0 && v == 0, "count with a zero");
    ok(gmi_count_i64(3, zero_big, &v) == -1 && gmi_count_i64(2, negative, &v) == -1, "overflow beside a zero, negative");
}

int main(void)
{
    test_blocks();
    test_limit();
    test_failures();
    test_arena();
    test_products();
    return done();
}
