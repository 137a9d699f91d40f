/* SPDX-License-Identifier: MIT */
/* alloc.c: memory of a context: counted, limited, zeroed, 64-byte aligned.
 *
 *     | header, 64 bytes: size of the whole block | payload ... |
 *     ^ what the host's allocator gave            ^ what gmi_alloc returns
 *
 * The header keeps the size, so that freeing needs none and the host is told the old size exactly as it was asked for. The limit is a reservation
 * taken before the host is asked (compare and swap on the counter), so that threads together cannot pass it. Left out: pools of small blocks; hot
 * paths allocate nothing at all. */
#include "base/base.h"

#define HEADER 64

int gmi_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a && b > UINT64_MAX / a) return -1;
    *out = a * b;
    return 0;
}

int gmi_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b > UINT64_MAX - a) return -1;
    *out = a + b;
    return 0;
}

int gmi_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    if (a < 0 || b < 0 || (a && b > INT64_MAX / a)) return -1;
    *out = a * b;
    return 0;
}

int gmi_count_i64(int32_t rank, const int64_t *dims, int64_t *out)
{
    int64_t n = 1, product = 1;
    int zero = 0;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) return -1;
        if (dims[i] == 0) zero = 1;
        else if (gmi_mul_i64(product, dims[i], &product)) return -1; /* of the non-zero ones: [0, 2^40, 2^40] is as wrong as its permutations */
    }
    if (!zero) n = product;
    else n = 0;
    *out = n;
    return 0;
}

/* Takes `more` bytes of the budget. 0, or -1 with *now what was in use. */
static int reserve(gm_context *c, size_t more, size_t *now)
{
    size_t old = __atomic_load_n(&c->mem_now, __ATOMIC_RELAXED), peak;
    do {
        *now = old;
        if (more > SIZE_MAX - old) return -1;
        if (c->mem_limit && (uint64_t)old + more > c->mem_limit) return -1;
    } while (!__atomic_compare_exchange_n(&c->mem_now, &old, old + more, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    peak = __atomic_load_n(&c->mem_peak, __ATOMIC_RELAXED);
    while (peak < old + more && !__atomic_compare_exchange_n(&c->mem_peak, &peak, old + more, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return 0;
}

static void give_back(gm_context *c, size_t bytes)
{
    __atomic_fetch_sub(&c->mem_now, bytes, __ATOMIC_RELAXED);
}

static void *no_memory(gm_context *c, uint64_t bytes)
{
    gmi_fail(c, GM_E_NOMEM, "out of memory: %u bytes were refused", bytes);
    return NULL;
}

static void *over_budget(gm_context *c, uint64_t bytes, size_t now)
{
    gmi_fail(c, GM_E_BUDGET, "%u bytes more than the %u in use would pass memory_limit = %u: raise it, or use a smaller batch or model", bytes,
             (uint64_t)now, c->mem_limit);
    return NULL;
}

/* The block's size with header, or 0 when it cannot be one on this machine. */
static size_t whole_size(uint64_t bytes)
{
    if (bytes > (uint64_t)SIZE_MAX / 2 - HEADER || bytes > INT64_MAX - HEADER) return 0;
    return (size_t)bytes + HEADER;
}

void *gmi_alloc(gm_context *c, uint64_t bytes)
{
    size_t whole = whole_size(bytes), now;
    char *p;
    if (!whole) return no_memory(c, bytes);
    if (reserve(c, whole, &now)) return over_budget(c, bytes, now);
    __atomic_fetch_add(&c->alloc_count, 1, __ATOMIC_RELAXED);
    p = c->alloc(c->alloc_user, NULL, 0, whole, HEADER);
    if (!p) {
        give_back(c, whole);
        return no_memory(c, bytes);
    }
    memset(p, 0, whole);
    memcpy(p, &whole, sizeof whole);
    return p + HEADER;
}

void *gmi_alloc_n(gm_context *c, int64_t n, uint64_t size)
{
    uint64_t bytes;
    if (n < 0 || gmi_mul_u64((uint64_t)n, size, &bytes)) {
        gmi_fail(c, GM_E_NOMEM, "%i items of %u bytes are more than can be addressed", n, size);
        return NULL;
    }
    return gmi_alloc(c, bytes);
}

void *gmi_realloc(gm_context *c, void *p, uint64_t bytes)
{
    size_t whole = whole_size(bytes), old, now;
    char *start, *moved;
    if (!p) return gmi_alloc(c, bytes);
    if (!whole) return no_memory(c, bytes);
    start = (char *)p - HEADER;
    memcpy(&old, start, sizeof old);
    if (whole == old) return p;
    if (whole > old && reserve(c, whole - old, &now)) return over_budget(c, bytes, now);
    __atomic_fetch_add(&c->alloc_count, 1, __ATOMIC_RELAXED);
    moved = c->alloc(c->alloc_user, start, old, whole, HEADER);
    if (!moved) {
        if (whole > old) give_back(c, whole - old);
        return no_memory(c, bytes);
    }
    if (whole > old) memset(moved + old, 0, whole - old);
    else give_back(c, old - whole);
    memcpy(moved, &whole, sizeof whole);
    return moved + HEADER;
}

void gmi_free(gm_context *c, void *p)
{
    char *start;
    size_t whole;
    if (!p) return;
    start = (char *)p - HEADER;
    memcpy(&whole, start, sizeof whole);
    c->alloc(c->alloc_user, start, whole, 0, HEADER);
    give_back(c, whole);
}

uint64_t gmi_memory_now(const gm_context *c)
{
    return __atomic_load_n(&c->mem_now, __ATOMIC_RELAXED);
}

char *gmi_strdup(gm_context *c, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    char *p = gmi_alloc(c, (uint64_t)n + 1);
    if (p && n) memcpy(p, s, n);
    return p;
}
