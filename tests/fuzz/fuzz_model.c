/* SPDX-License-Identifier: MIT */
/* fuzz_model.c: any bytes as a model file whose digest is right: what is accepted can be shown, instantiated (its networks are built) and, when it is whole,
 * written; that file loads and is written again as it is. */
#include "fuzz.h"
#include "models/model.h"

/* The digest of these bytes where they have one, so that what stands behind it is reached. */
static void sign(uint8_t *p, size_t n)
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

static gm_status read_model(gm_context *c, const void *p, size_t n, int32_t uses, const gm_model **m)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = n ? p : "";
    r.bytes = n;
    return gm_model_read(c, &r, uses, m);
}

static size_t put(gm_context *c, const gm_model *m, int print, char *to, size_t room)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.memory = to;
    w.capacity = room;
    if (print ? gm_model_print(c, m, &w) : gm_model_write(c, m, &w)) fuzz_fail("what was read cannot be shown or written");
    return (size_t)w.used;
}

static void rewritten(gm_context *c, const gm_model *m)
{
    const size_t room = 1 << 20;
    char *a = malloc(room), *b = malloc(room);
    const gm_model *again = NULL;
    size_t n = put(c, m, 0, a, room);
    if (read_model(c, a, n, GM_USE_ALL, &again)) fuzz_fail("what was written does not load");
    if (put(c, again, 0, b, room) != n || memcmp(a, b, n)) fuzz_fail("it is not written again as it is");
    gm_model_destroy(again);
    free(a);
    free(b);
}

static void use(gm_context *c, const gm_model *m)
{
    const size_t room = 1 << 20;
    char *text = malloc(room);
    gm_info f;
    gmi_core *core = NULL;
    f.size = sizeof f;
    if (gm_model_info(m, &f)) fuzz_fail("no facts");
    put(c, m, 1, text, room);
    free(text);
    if (f.uses && gmi_model_instance(c, m, &core)) fuzz_fail("no instance");
    if (core) m->kind->release(core);
    if (gmi_model_whole(m)) rewritten(c, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const int32_t uses[] = {GM_USE_ALL, 0, GM_USE_DECODE, GM_USE_ENCODE};
    uint8_t *copy = malloc(n + 1);
    memcpy(copy, p, n);
    sign(copy, n);
    for (int i = 0; i < 4; i++) {
        const gm_model *m = NULL;
        gmi_in in;
        gm_context *c = fuzz_open(copy, n, 0, &in);
        gm_status s = read_model(c, copy, n, uses[i], &m);
        if (!s) use(c, m);
        gm_model_destroy(m);
        fuzz_close(&in, s);
    }
    free(copy);
    return 0;
}
