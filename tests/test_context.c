/* SPDX-License-Identifier: MIT */
/* test_context.c: options of any size, levels, life of a context and its children, cancel, version. */
#include "base/base.h"
#include "tap.h"

/* As an older header would have it: fewer fields. */
static void test_options(void)
{
    unsigned char raw[sizeof(gm_context_options) + 32];
    gm_context_options o, full;
    gm_context *c = NULL;
    gm_limits l;
    size_t older = offsetof(gm_context_options, log);
    memset(raw, 0xaa, sizeof raw);
    gm_context_options_init((gm_context_options *)(void *)raw, older);
    memcpy(&o, raw, sizeof o);
    ok(o.size == older && raw[older] == 0xaa && raw[older - 1] != 0xaa, "init writes the caller's size and not a byte more");
    memset(raw, 0xaa, sizeof raw);
    gm_context_options_init((gm_context_options *)(void *)raw, sizeof raw);
    ok(raw[sizeof raw - 1] == 0 && raw[sizeof(gm_context_options)] == 0, "fields of a newer header are zero");
    memset(raw, 0xaa, sizeof raw);
    gm_context_options_init((gm_context_options *)(void *)raw, 3);
    ok(raw[0] == 0xaa, "a size below that of `size` writes nothing");
    gm_context_options_init(NULL, sizeof o);
    gm_context_options_init(&full, sizeof full);
    ok(full.threads == 0 && full.simd == GM_SIMD_BEST && full.memory_limit == 0 && !full.alloc && !full.log && full.log_level == 2, "defaults");
    full.threads = 1;
    full.size = older;
    full.log_level = 99; /* beyond the caller's size: must not be read */
    ok(gm_context_create(&full, &c) == GM_OK && c && c->log_level == 2, "an older, smaller struct is taken, the rest is default");
    gm_context_destroy(c);
    full.size = 0;
    ok(gm_context_create(&full, &c) == GM_E_INVALID && !c, "a struct nobody initialised is refused");
    memset(raw, 0, sizeof raw);
    gm_context_options_init((gm_context_options *)(void *)raw, sizeof raw);
    raw[offsetof(gm_context_options, threads)] = 0;
    ((gm_context_options *)(void *)raw)->threads = 1;
    ok(gm_context_create((gm_context_options *)(void *)raw, &c) == GM_OK, "a newer, larger struct with zeros beyond is taken");
    gm_context_destroy(c);
    raw[sizeof(gm_context_options) + 4] = 1;
    ok(gm_context_create((gm_context_options *)(void *)raw, &c) == GM_E_INVALID && !c, "one that uses what this library lacks is refused");
    gm_limits_init(&l, sizeof l);
    ok(l.header_bytes == 100000000 && l.tensors == 65536 && l.name_bytes == 1024 && l.metadata_bytes == 1048576 && l.rank == 8, "limits of files");
    gm_context_options_init(&full, sizeof full);
    full.threads = 1;
    l.tensors = 5;
    full.load_limits = &l;
    ok(gm_context_create(&full, &c) == GM_OK && c->limits.tensors == 5 && c->limits.rank == 8, "limits are copied");
    gm_context_destroy(c);
}

static void test_bad_values(void)
{
    static const int32_t levels[] = {-1, 5};
    static const int32_t threads[] = {-1, 100000};
    static const int32_t simd[] = {-1, 6, 1000};
    gm_context_options o;
    gm_context *c = (gm_context *)(void *)&o;
    ok(gm_context_create(NULL, NULL) == GM_E_INVALID, "out NULL");
    for (int i = 0; i < 2; i++) {
        gm_context_options_init(&o, sizeof o);
        o.log_level = levels[i];
        ok(gm_context_create(&o, &c) == GM_E_INVALID && !c, "log level %d", levels[i]);
        gm_context_options_init(&o, sizeof o);
        o.threads = threads[i];
        ok(gm_context_create(&o, &c) == GM_E_INVALID && !c, "threads %d", threads[i]);
    }
    for (int i = 0; i < 3; i++) {
        gm_context_options_init(&o, sizeof o);
        o.simd = simd[i];
        ok(gm_context_create(&o, &c) == GM_E_INVALID && !c, "simd %d", simd[i]);
    }
}

static void test_simd(void)
{
    gm_context_options o;
    gm_context *c = NULL, *best = NULL;
    ok(gm_context_create(NULL, &best) == GM_OK && best, "NULL options");
    ok(gm_context_simd(best) != GM_SIMD_BEST && gm_context_threads(best) >= 1, "the level and the threads are known: %s, %d",
       gm_simd_name(gm_context_simd(best)), gm_context_threads(best));
    for (gm_simd s = GM_SIMD_SCALAR; s <= GM_SIMD_NEON; s++) {
        int have = (best->simd_have & 1u << s) != 0;
        gm_status r;
        gm_context_options_init(&o, sizeof o);
        o.threads = 1;
        o.simd = s;
        r = gm_context_create(&o, &c);
        ok(have ? r == GM_OK && gm_context_simd(c) == s : r == GM_E_UNSUPPORTED && !c, "level %s: %s", gm_simd_name(s), gm_status_name(r));
        gm_context_destroy(c);
    }
    ok(best->simd_have & 1u << GM_SIMD_SCALAR, "scalar is always there");
    gm_context_destroy(best);
    is_text(gm_simd_name(GM_SIMD_AVX512), "avx512", "names of levels");
    is_text(gm_simd_name(77), "unknown", "unknown level");
}

static int word_freed;
static void free_words(gm_context *c, void *words)
{
    word_freed++;
    gmi_free(c, words);
}

static void test_life(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = 2;
    if (!ok(gm_context_create(&o, &c) == GM_OK, "two threads")) return;
    c->words = gmi_alloc(c, 10);
    c->words_free = free_words;
    gmi_context_retain(c);
    gm_context_destroy(c);
    ok(!word_freed && c->refs == 1, "a child keeps it alive after the handle went");
    ok(c->pool == NULL, "its threads went with the handle");
    gm_context_cancel(c);
    ok(gmi_cancelled(c), "cancel sets the flag");
    gmi_cancel_clear(c);
    ok(!gmi_cancelled(c), "and it can be taken down");
    gmi_context_release(c);
    is_int(word_freed, 1, "the last reference frees");
    gm_context_destroy(NULL);
    gm_context_cancel(NULL);
    is_text(gm_context_error(NULL), "", "questions about NULL are answered");
    is_int(gm_context_threads(NULL) + (gm_context_simd(NULL) == GM_SIMD_SCALAR ? 0 : 1), 0, "also these");
    {
        uint64_t now = 7, peak = 7;
        gm_context_memory(NULL, &now, &peak);
        ok(now == 0 && peak == 0, "and these");
    }
}

static void test_version(void)
{
    const char *b = gm_build_info();
    is_int(gm_version_number(), GM_VERSION_NUMBER, "the library is of this header");
    is_int(GM_VERSION_NUMBER, GM_VERSION_MAJOR * 10000 + GM_VERSION_MINOR * 100 + GM_VERSION_PATCH, "the number is made of the three");
    ok(strstr(b, "libgenrep 0.1.0") && strstr(b, "abi=") && strstr(b, "file=") && strstr(b, "numeric=") && strstr(b, "codec="), "build info: %s", b);
    ok(strstr(b, TAP_BLAS ? " gemm=cblas " : " gemm=own ") && strstr(b, TAP_BLAS ? " numeric=1001 " : " numeric=1 "), "it says whose products these are");
}

int main(void)
{
    test_options();
    test_bad_values();
    test_simd();
    test_life();
    test_version();
    return done();
}
