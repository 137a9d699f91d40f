/* SPDX-License-Identifier: MIT */
/* torch_fixture.h: numbers that PyTorch made (tests/fixtures/make_*.py): lines "name rank dims... values...", and parameters compared with them. */
#ifndef GM_TESTS_TORCH_FIXTURE_H
#define GM_TESTS_TORCH_FIXTURE_H
#include "tap.h"
#include <genrep.h>

typedef struct entry {
    char name[64];
    int32_t rank;
    int64_t dims[4], count;
    float *v;
} entry;
static entry entries[400];
static int n_entries;

static void forget_fixture(void)
{
    for (int i = 0; i < n_entries; i++) free(entries[i].v);
    n_entries = 0;
}

/* The number of entries, 0 where the file is not whole. */
static int load_fixture(const char *path)
{
    FILE *f = fopen(path, "r");
    forget_fixture();
    if (!f) return 0;
    while (n_entries < 400) {
        entry *e = &entries[n_entries];
        if (fscanf(f, "%63s %d", e->name, (int *)&e->rank) != 2) break;
        e->count = 1;
        for (int i = 0; i < e->rank; i++) {
            long d;
            if (fscanf(f, "%ld", &d) != 1) return 0;
            e->count *= e->dims[i] = d;
        }
        e->v = malloc((size_t)e->count * sizeof *e->v);
        for (int64_t i = 0; i < e->count; i++)
            if (fscanf(f, "%f", &e->v[i]) != 1) return 0;
        n_entries++;
    }
    fclose(f);
    return n_entries;
}

static const entry *find_entry(const char *prefix, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    for (int i = 0; i < n_entries; i++)
        if (!strcmp(entries[i].name, full)) return &entries[i];
    return NULL;
}

/* The parameters and states whose names follow the prefix: set (store), or compared, 1e-3 relative in norm. */
static void compare_params(gm_context *c, gm_params *w, const char *prefix, int store)
{
    for (int i = 0; i < n_entries; i++) {
        const entry *e = &entries[i];
        gm_tensor *v = NULL;
        double num = 0, den = 0;
        if (strncmp(e->name, prefix, strlen(prefix))) continue;
        const char *name = e->name + strlen(prefix);
        gm_status s = gm_params_view(w, name, &v);
        if (s || gm_tensor_rank(v) != e->rank) {
            ok(0, "%s is a parameter of the same rank: %s", name, gm_context_error(c));
            continue;
        }
        float *p = gm_tensor_data(v);
        for (int64_t k = 0; k < e->count; k++) {
            if (store)
                p[k] = e->v[k];
            else
                num += ((double)p[k] - e->v[k]) * ((double)p[k] - e->v[k]), den += (double)e->v[k] * e->v[k];
        }
        if (!store) ok(sqrt(num / den) <= 1e-3, "%s: %.1e", e->name, sqrt(num / den));
        gm_tensor_destroy(v);
    }
}
#endif
