/* SPDX-License-Identifier: MIT */
/* model_util.h: what the tests of model files share: bytes of files, forged files, an allocator that counts and fails. */
#ifndef GM_TESTS_MODEL_UTIL_H
#define GM_TESTS_MODEL_UTIL_H
#include "models/model.h"
#include "vae_util.h"

/* The digest of a changed file, so that what is behind it is tested. */
TAP_UNUSED static void sign(char *p, size_t n)
{
    static const char key[] = "\"genrep.sha256\":\"";
    gmi_sha256 h;
    uint8_t d[32];
    char hex[65];
    size_t i = 8;
    while (i + sizeof key + 64 < n && memcmp(p + i, key, sizeof key - 1)) i++;
    if (i + sizeof key + 64 >= n) return;
    i += sizeof key - 1;
    memset(p + i, '0', 64);
    gmi_sha256_init(&h);
    gmi_sha256_add(&h, p, n);
    gmi_sha256_end(&h, d);
    gmi_sha256_hex(d, hex);
    memcpy(p + i, hex, 64);
}

/* A copy of a file in which one text is another of the same length, signed; NULL when the text is not there. */
TAP_UNUSED static char *forge(const char *file, size_t n, const char *from, const char *to)
{
    size_t i = 8, m = strlen(from);
    char *p = malloc(n);
    memcpy(p, file, n);
    while (i + m < n && memcmp(p + i, from, m)) i++;
    if (i + m >= n || strlen(to) != m) {
        free(p);
        return NULL;
    }
    memcpy(p + i, to, m);
    sign(p, n);
    return p;
}

TAP_UNUSED static gm_status model_from(gm_context *c, const char *p, size_t n, int32_t uses, const gm_model **m)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = p;
    r.bytes = n;
    return gm_model_read(c, &r, uses, m);
}

/* What gm_model_write or gm_model_print gives; 0 when it fails. */
TAP_UNUSED static size_t model_bytes(gm_context *c, const gm_model *m, int print, char **bytes)
{
    gm_writer w;
    char none;
    gm_writer_init(&w, sizeof w);
    w.memory = &none;
    (void)!(print ? gm_model_print(c, m, &w) : gm_model_write(c, m, &w));
    *bytes = calloc((size_t)w.used + 1, 1);
    w.memory = *bytes;
    w.capacity = w.used;
    return (print ? gm_model_print(c, m, &w) : gm_model_write(c, m, &w)) ? 0 : (size_t)w.used;
}

/* ---- an allocator that counts, and fails at the fail_at-th request from now on ---- */
typedef struct counting {
    size_t live, calls, fail_at;
} counting;

TAP_UNUSED static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    counting *k = user;
    void *q = NULL;
    if (new_size && ++k->calls == k->fail_at) return NULL;
    if (new_size && posix_memalign(&q, align, new_size)) return NULL;
    if (p && q) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    k->live += new_size - old_size;
    return q;
}

TAP_UNUSED static gm_context *counted_context(counting *k)
{
    gm_context_options o;
    gm_context *c = NULL;
    memset(k, 0, sizeof *k);
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = counted;
    o.alloc_user = k;
    return gm_context_create(&o, &c) ? NULL : c;
}
#endif
