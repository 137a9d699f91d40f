/* SPDX-License-Identifier: MIT */
/* map.c: names to numbers. Open addressing with linear probing, a power of two of slots, at most 3/4 full; the hash is kept beside the key, so that
 * growing and most misses compare no text. Keys are borrowed: they live in the caller's arena or file. Nothing is ever removed. Hostile names
 * can make it slow, not wrong: FNV-1a is finished by a mixer, and the callers bound the number of names. */
#include "base/base.h"

struct gmi_map_slot {
    const char *key; /* NULL = free */
    size_t n;
    uint64_t hash;
    int64_t value;
};

void gmi_map_init(gmi_map *m, gm_context *c)
{
    memset(m, 0, sizeof *m);
    m->ctx = c;
}

/* The slot with the key, or the free one where it belongs. cap > n. */
static struct gmi_map_slot *find(struct gmi_map_slot *slots, int64_t cap, const char *key, size_t n, uint64_t hash)
{
    uint64_t mask = (uint64_t)cap - 1, i = hash & mask;
    while (slots[i].key && !(slots[i].hash == hash && slots[i].n == n && (n == 0 || memcmp(slots[i].key, key, n) == 0))) i = (i + 1) & mask;
    return &slots[i];
}

static gm_status grow(gmi_map *m)
{
    int64_t cap = m->cap ? m->cap * 2 : 16;
    struct gmi_map_slot *slots = gmi_alloc_n(m->ctx, cap, sizeof *slots);
    if (!slots) return m->ctx->status;
    for (int64_t i = 0; i < m->cap; i++)
        if (m->slots[i].key) *find(slots, cap, m->slots[i].key, m->slots[i].n, m->slots[i].hash) = m->slots[i];
    gmi_free(m->ctx, m->slots);
    m->slots = slots;
    m->cap = cap;
    return GM_OK;
}

gm_status gmi_map_put(gmi_map *m, const char *key, size_t n, int64_t value)
{
    uint64_t hash = gmi_mix64(gmi_hash_bytes(GMI_HASH_START, key, n));
    struct gmi_map_slot *slot;
    if (m->n >= m->cap - m->cap / 4) {
        gm_status s = grow(m);
        if (s != GM_OK) return s;
    }
    slot = find(m->slots, m->cap, key, n, hash);
    if (!slot->key) {
        m->n++;
        slot->key = key;
        slot->n = n;
        slot->hash = hash;
    }
    slot->value = value;
    return GM_OK;
}

int gmi_map_get(const gmi_map *m, const char *key, size_t n, int64_t *value)
{
    const struct gmi_map_slot *slot;
    if (!m->cap) return 0;
    slot = find(m->slots, m->cap, key, n, gmi_mix64(gmi_hash_bytes(GMI_HASH_START, key, n)));
    if (!slot->key) return 0;
    if (value) *value = slot->value;
    return 1;
}

void gmi_map_free(gmi_map *m)
{
    gmi_free(m->ctx, m->slots);
    gmi_map_init(m, m->ctx);
}
