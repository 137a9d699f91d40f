/* SPDX-License-Identifier: MIT */
/* arena.c: many small pieces with one end of life.
 *
 * A bump allocator: pieces are cut from the newest block; a block that is full stays in the list until gmi_arena_free. Blocks double from 1 KiB to
 * 64 KiB, a larger piece gets its own. Pieces cannot be freed or grown alone. */
#include "base/base.h"

#define FIRST_BLOCK 1024
#define LAST_BLOCK 65536
#define ALIGN 16

struct gmi_arena_block {
    struct gmi_arena_block *next;
    size_t used, size; /* of the bytes behind the block's head */
};
#define HEAD (((sizeof(struct gmi_arena_block) + ALIGN - 1) / ALIGN) * ALIGN)

void gmi_arena_init(gmi_arena *a, gm_context *c)
{
    a->ctx = c;
    a->head = NULL;
}

static struct gmi_arena_block *new_block(gmi_arena *a, size_t piece)
{
    size_t size = a->head ? GMI_MIN(a->head->size * 2, (size_t)LAST_BLOCK) : FIRST_BLOCK;
    struct gmi_arena_block *b;
    if (size < piece) size = piece;
    b = gmi_alloc(a->ctx, (uint64_t)size + HEAD);
    if (!b) return NULL;
    b->size = size;
    if (a->head && size == piece) { /* a large piece fills its block: keep cutting from the current one */
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return b;
}

void *gmi_arena_alloc(gmi_arena *a, uint64_t bytes)
{
    struct gmi_arena_block *b = a->head;
    size_t piece;
    char *p;
    if (bytes > SIZE_MAX / 4) return gmi_alloc(a->ctx, UINT64_MAX); /* refuses with a message */
    piece = ((size_t)bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!piece) piece = ALIGN;
    if (!b || b->size - b->used < piece) b = new_block(a, piece);
    if (!b) return NULL;
    p = (char *)b + HEAD + b->used;
    b->used += piece;
    return p;
}

char *gmi_arena_strdup(gmi_arena *a, const char *s, size_t n)
{
    char *p = gmi_arena_alloc(a, (uint64_t)n + 1);
    if (p && n) memcpy(p, s, n);
    return p;
}

void gmi_arena_free(gmi_arena *a)
{
    struct gmi_arena_block *b = a->head, *next;
    for (; b; b = next) {
        next = b->next;
        gmi_free(a->ctx, b);
    }
    a->head = NULL;
}
