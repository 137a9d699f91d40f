/* SPDX-License-Identifier: MIT */
/* test_map.c: put, get, replace, growth, keys with any bytes, failing allocation. */
#include "base/base.h"
#include "tap.h"

static int fail;
static void *failing(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    (void)user;
    if (fail && new_size) return NULL;
    return gmi_os_alloc(NULL, p, old_size, new_size, align);
}

static char names[20000][24];

static void test_many(gm_context *c)
{
    gmi_map m;
    int64_t v = -1;
    int bad = 0;
    gmi_map_init(&m, c);
    ok(!gmi_map_get(&m, "x", 1, &v) && v == -1, "an empty map has nothing");
    for (int i = 0; i < 20000; i++) {
        snprintf(names[i], sizeof names[i], "name%d", i);
        bad += gmi_map_put(&m, names[i], strlen(names[i]), i) != GM_OK;
    }
    is_int(bad, 0, "20000 names");
    is_int(m.n, 20000, "counted");
    for (int i = 0; i < 20000; i++) bad += !gmi_map_get(&m, names[i], strlen(names[i]), &v) || v != i;
    is_int(bad, 0, "all found with their numbers");
    ok(!gmi_map_get(&m, "name20000", 9, &v) && !gmi_map_get(&m, "name1", 4, &v), "others not");
    ok(gmi_map_put(&m, names[5], strlen(names[5]), -5) == GM_OK && m.n == 20000 && gmi_map_get(&m, "name5", 5, &v) && v == -5, "replaced");
    ok(gmi_map_get(&m, "name7", 5, NULL), "the number may be unwanted");
    gmi_map_free(&m);
    ok(!gmi_map_get(&m, "name7", 5, NULL), "free leaves an empty map");
}

static void test_bytes(gm_context *c)
{
    gmi_map m;
    int64_t v = 0;
    gmi_map_init(&m, c);
    ok(gmi_map_put(&m, "a\0b", 3, 1) == GM_OK && gmi_map_put(&m, "a\0c", 3, 2) == GM_OK && gmi_map_put(&m, "", 0, 3) == GM_OK, "any bytes, the empty key");
    ok(gmi_map_get(&m, "a\0b", 3, &v) && v == 1 && gmi_map_get(&m, "a\0c", 3, &v) && v == 2 && gmi_map_get(&m, "", 0, &v) && v == 3, "found");
    ok(!gmi_map_get(&m, "a", 1, &v), "a prefix is another key");
    fail = 1;
    {
        int put = 0;
        gm_status s = GM_OK;
        while (put < 100 && s == GM_OK) {
            s = gmi_map_put(&m, names[put], strlen(names[put]), put);
            put += s == GM_OK;
        }
        ok(s == GM_E_NOMEM && gmi_map_get(&m, "a\0b", 3, &v) && v == 1 && m.n == 3 + put, "a failing growth: GM_E_NOMEM, all is as it was");
        fail = 0;
        ok(gmi_map_put(&m, names[put], strlen(names[put]), put) == GM_OK && gmi_map_get(&m, names[put], strlen(names[put]), &v) && v == put, "then it goes on");
    }
    gmi_map_free(&m);
}

int main(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    uint64_t now;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.alloc = failing;
    if (!ok(gm_context_create(&o, &c) == GM_OK, "context")) return done();
    test_many(c);
    test_bytes(c);
    gm_context_memory(c, &now, NULL);
    is_int(now, sizeof(gm_context), "nothing left");
    gm_context_destroy(c);
    return done();
}
