/* SPDX-License-Identifier: MIT */
/* memplan.c: where in the arena each value lives. Values whose lifetimes overlap must not overlap in memory.
 *
 * Greedy by size (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference"): the largest first, each at the lowest offset
 * that is free for its whole lifetime. Values that work in place are chained by `same` and planned as one interval. A pure function of its input. */
#include "exec/program.h"

#define ALIGN_BYTES 64

static uint64_t aligned(uint64_t n) { return (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES; }

static int larger(const gmi_interval *a, const gmi_interval *b, int32_t ia, int32_t ib)
{
    if (a->bytes != b->bytes) return a->bytes > b->bytes;
    return ia < ib;
}

static void sort_by_size(int32_t n, const gmi_interval *iv, int32_t *order)
{
    for (int32_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) /* Shell sort: no recursion, no allocation */
        for (int32_t i = gap; i < n; i++) {
            int32_t x = order[i], k = i;
            for (; k >= gap && larger(&iv[x], &iv[order[k - gap]], x, order[k - gap]); k -= gap) order[k] = order[k - gap];
            order[k] = x;
        }
}

static int32_t chain_head(gmi_interval *iv, int32_t i)
{
    while (iv[i].same >= 0) i = iv[i].same;
    return i;
}

/* Lowest offset at which iv[x] overlaps none of the m placed intervals that live at the same time. `placed` is ordered by offset. */
static uint64_t lowest(const gmi_interval *iv, int32_t x, const int32_t *placed, int32_t m)
{
    uint64_t at = 0;
    for (int32_t i = 0; i < m; i++) {
        const gmi_interval *o = &iv[placed[i]];
        if (o->last < iv[x].first || o->first > iv[x].last) continue;
        if (o->offset >= at + iv[x].bytes) break;
        if (o->offset + o->bytes > at) at = o->offset + o->bytes;
    }
    return at;
}

uint64_t gmi_memplan(int32_t n, gmi_interval *iv, int32_t *order)
{
    int32_t k = 0, placed = 0;
    uint64_t total = 0;
    for (int32_t i = 0; i < n; i++) {
        iv[i].bytes = aligned(iv[i].bytes);
        if (iv[i].same < 0) continue;
        gmi_interval *h = &iv[chain_head(iv, i)];
        h->first = GMI_MIN(h->first, iv[i].first);
        h->last = GMI_MAX(h->last, iv[i].last);
        h->bytes = GMI_MAX(h->bytes, aligned(iv[i].bytes));
    }
    for (int32_t i = 0; i < n; i++)
        if (iv[i].same < 0 && iv[i].bytes > 0) order[k++] = i;
    sort_by_size(k, iv, order);
    for (int32_t i = 0; i < k; i++) { /* order[0..placed) is re-sorted by offset as it grows; order[i..) still waits by size */
        int32_t x = order[i], j = placed;
        iv[x].offset = lowest(iv, x, order, placed);
        total = GMI_MAX(total, iv[x].offset + iv[x].bytes);
        for (; j > 0 && iv[order[j - 1]].offset > iv[x].offset; j--) order[j] = order[j - 1];
        order[j] = x;
        placed++;
    }
    for (int32_t i = 0; i < n; i++)
        if (iv[i].same >= 0) iv[i].offset = iv[chain_head(iv, i)].offset;
    return total;
}
