/* SPDX-License-Identifier: MIT */
/* context.c: the life of a context, its options, and the version of the library.
 *
 * A context is reference counted: its handle and every object made from it hold one reference, so that the host may destroy in any order. The pool
 * is joined when the handle goes: from then on children can only be destroyed, or used with inline regions. Left out on purpose: environment
 * variables and anything process-wide. */
#include "base/base.h"

void gmi_options_init(void *to, size_t size, const void *defaults, size_t n)
{
    if (!to || size < sizeof(size_t)) return;
    memcpy(to, defaults, GMI_MIN(size, n));
    if (size > n) memset((char *)to + n, 0, size - n);
    memcpy(to, &size, sizeof size);
}

int gmi_options_merge(void *full, size_t n, const void *given)
{
    size_t size;
    if (!given) return 0;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > 65536) return -1; /* also an options struct that nobody filled */
    for (size_t i = n; i < size; i++)
        if (((const char *)given)[i]) return -1;
    memcpy(full, given, GMI_MIN(size, n));
    memcpy(full, &n, sizeof n);
    return 0;
}

void gm_limits_init(gm_limits *l, size_t size)
{
    gm_limits d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.header_bytes = 100000000u;
    d.tensor_bytes = UINT64_C(1) << 40;
    d.metadata_bytes = 1u << 20;
    d.tensors = 65536;
    d.name_bytes = 1024;
    d.rank = 8;
    gmi_options_init(l, size, &d, sizeof d);
}

void gm_context_options_init(gm_context_options *o, size_t size)
{
    gm_context_options d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    d.log_level = 2;
    gmi_options_init(o, size, &d, sizeof d);
}

int32_t gmi_atomic_add(int32_t *p, int32_t d)
{
    return __atomic_add_fetch(p, d, __ATOMIC_SEQ_CST);
}

int32_t gmi_atomic_get(const int32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

void gmi_atomic_set(int32_t *p, int32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

int32_t gmi_atomic_swap(int32_t *p, int32_t v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

int gmi_atomic_cas(int32_t *p, int32_t expected, int32_t v)
{
    return __atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The levels this build has kernels for. */
static uint32_t build_simd(void)
{
    uint32_t have = 1u << GM_SIMD_SCALAR;
#ifndef GMI_ORACLE
#ifdef GM_HAVE_SSE2
    have |= 1u << GM_SIMD_SSE2;
#endif
#ifdef GM_HAVE_AVX2
    have |= 1u << GM_SIMD_AVX2;
#endif
#ifdef GM_HAVE_AVX512
    have |= 1u << GM_SIMD_AVX512;
#endif
#ifdef GM_HAVE_NEON
    have |= 1u << GM_SIMD_NEON;
#endif
#endif
    return have;
}

static gm_simd best_simd(uint32_t have)
{
    static const gm_simd order[] = {GM_SIMD_AVX512, GM_SIMD_AVX2, GM_SIMD_SSE2, GM_SIMD_NEON};
    for (int64_t i = 0; i < GMI_COUNT(order); i++)
        if (have & 1u << order[i]) return order[i];
    return GM_SIMD_SCALAR;
}

/* Checks what the host asked for and finds the level. No context exists yet, so that a failure is a status alone. */
static gm_status check_options(const gm_context_options *given, gm_context_options *o, gm_limits *limits, uint32_t *have)
{
    gm_context_options_init(o, sizeof *o);
    gm_limits_init(limits, sizeof *limits);
    if (gmi_options_merge(o, sizeof *o, given)) return GM_E_INVALID;
    if (gmi_options_merge(limits, sizeof *limits, o->load_limits)) return GM_E_INVALID;
    if (o->threads < 0 || o->threads > 4096 || o->log_level < 0 || o->log_level > 4) return GM_E_INVALID;
    if (limits->tensors < 0 || limits->name_bytes < 0 || limits->rank < 0) return GM_E_INVALID;
    if (o->simd < GM_SIMD_BEST || o->simd > GM_SIMD_NEON) return GM_E_INVALID;
    *have = build_simd() & gmi_cpu_simd();
    if (o->simd == GM_SIMD_BEST) o->simd = best_simd(*have);
    if (!(*have & 1u << o->simd)) return GM_E_UNSUPPORTED;
    if (!o->alloc) o->alloc = gmi_os_alloc;
    return GM_OK;
}

static void fill(gm_context *c, const gm_context_options *o, const gm_limits *limits, uint32_t have)
{
    memset(c, 0, sizeof *c);
    c->refs = 1;
    c->alloc = o->alloc;
    c->alloc_user = o->alloc_user;
    c->mem_now = c->mem_peak = sizeof *c;
    c->mem_limit = o->memory_limit;
    c->alloc_count = 1;
    c->log = o->log;
    c->log_user = o->log_user;
    c->log_level = o->log_level;
    c->clock = o->clock;
    c->clock_user = o->clock_user;
    c->limits = *limits;
    c->simd_have = have;
    c->simd = o->simd;
    c->threads = o->threads ? o->threads : gmi_os_cpus();
    c->parallel_for = o->parallel_for;
    c->parallel_user = o->parallel_user;
    c->pid = gmi_os_pid();
    c->where = -1;
    c->call = c->fail_call = "";
}

gm_status gm_context_create(const gm_context_options *given, gm_context **out)
{
    gm_context_options o;
    gm_limits limits;
    gm_context *c;
    uint32_t have;
    gm_status s;
    if (!out) return GM_E_INVALID;
    *out = NULL;
    s = check_options(given, &o, &limits, &have);
    if (s != GM_OK) return s;
    if (o.memory_limit && o.memory_limit < sizeof *c) return GM_E_BUDGET;
    c = o.alloc(o.alloc_user, NULL, 0, sizeof *c, 64);
    if (!c) return GM_E_NOMEM;
    fill(c, &o, &limits, have);
    if (c->threads > 1 && !c->parallel_for) {
        s = gmi_pool_create(c, c->threads, &c->pool);
        if (s != GM_OK) {
            gmi_context_release(c);
            return s;
        }
        c->threads = c->pool ? gmi_pool_threads(c->pool) : 1; /* fewer, when the system gives fewer: with the same results */
    }
    *out = c;
    return GM_OK;
}

void gmi_context_retain(gm_context *c)
{
    gmi_atomic_add(&c->refs, 1);
}

void gmi_context_release(gm_context *c)
{
    if (gmi_atomic_add(&c->refs, -1)) return;
    gmi_pool_destroy(c, c->pool);
    c->pool = NULL;
    if (c->words_free) c->words_free(c, c->words);
    c->alloc(c->alloc_user, c, sizeof *c, 0, 64);
}

void gm_context_destroy(gm_context *c)
{
    if (!c) return;
    gmi_pool_destroy(c, c->pool);
    c->pool = NULL;
    gmi_context_release(c);
}

void gm_context_cancel(gm_context *c)
{
    if (c) gmi_atomic_set(&c->cancel, 1);
}

void gm_context_memory(const gm_context *c, uint64_t *now, uint64_t *peak)
{
    if (now) *now = c ? __atomic_load_n(&c->mem_now, __ATOMIC_RELAXED) : 0;
    if (peak) *peak = c ? __atomic_load_n(&c->mem_peak, __ATOMIC_RELAXED) : 0;
}

int32_t gm_context_threads(const gm_context *c)
{
    return c ? c->threads : 0;
}

gm_simd gm_context_simd(const gm_context *c)
{
    return c ? c->simd : GM_SIMD_SCALAR;
}

const char *gm_simd_name(gm_simd s)
{
    static const char names[][7] = {"best", "scalar", "sse2", "avx2", "avx512", "neon"};
    return s >= 0 && s < GMI_COUNT(names) ? names[s] : "unknown";
}
