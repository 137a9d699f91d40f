/* SPDX-License-Identifier: MIT */
/* test_memplan.c: brute force: no two live values overlap, alignment, chains share, the total is the highest end and no worse than twice the peak of live bytes. */
#include "exec/program.h"
#include "tap.h"

static uint64_t state = 1;
static uint32_t next(uint32_t n)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33) % n;
}

int main(void)
{
    enum { N = 60, T = 40 };
    int overlap = 0, aligned = 1, chains = 1, total_ok = 1;
    double worst = 0;
    for (int round = 0; round < 2000; round++) {
        gmi_interval iv[N];
        int32_t order[N], n = 1 + (int32_t)next(N);
        for (int32_t i = 0; i < n; i++) {
            memset(&iv[i], 0, sizeof iv[i]);
            iv[i].bytes = next(8) ? 1 + next(5000) : 0;
            iv[i].first = (int32_t)next(T);
            iv[i].last = iv[i].first + 1 + (int32_t)next(T / 3); /* defined, then used */
            iv[i].same = -1;
            if (i && iv[i].bytes && next(5) == 0) { /* in place of an earlier value that ends where this one begins */
                int32_t j = (int32_t)next((uint32_t)i), taken = 0;
                for (int32_t k = 0; k < i; k++) taken |= iv[k].same == j;
                if (iv[j].bytes && !taken) {
                    int32_t len = iv[i].last - iv[i].first;
                    iv[i].bytes = iv[j].bytes, iv[i].first = iv[j].last, iv[i].last = iv[j].last + len, iv[i].same = j;
                }
            }
        }
        gmi_interval before[N];
        memcpy(before, iv, sizeof before);
        uint64_t total = gmi_memplan(n, iv, order), high = 0, peak = 0;
        for (int32_t i = 0; i < n; i++) {
            if (!before[i].bytes) continue;
            aligned &= iv[i].offset % 64 == 0;
            if (before[i].same >= 0) chains &= iv[i].offset == iv[before[i].same].offset;
            if (iv[i].offset + before[i].bytes > high) high = iv[i].offset + (before[i].bytes + 63) / 64 * 64;
            for (int32_t j = 0; j < i; j++) {
                if (!before[j].bytes || before[i].same == j || before[j].same == i) continue;
                if (before[i].first > before[j].last || before[j].first > before[i].last) continue;
                overlap += iv[i].offset < iv[j].offset + before[j].bytes && iv[j].offset < iv[i].offset + before[i].bytes;
            }
        }
        for (int32_t t = 0; t < 2 * T; t++) {
            uint64_t live = 0;
            for (int32_t i = 0; i < n; i++)
                if (before[i].same < 0 && before[i].first <= t && t <= iv[i].last) live += (before[i].bytes + 63) / 64 * 64;
            if (live > peak) peak = live;
        }
        total_ok &= total == high;
        if (peak && (double)total / (double)peak > worst) worst = (double)total / (double)peak;
    }
    ok(overlap == 0, "no two live values overlap (%d)", overlap);
    ok(aligned, "offsets are multiples of 64");
    ok(chains, "values that work in place share the offset");
    ok(total_ok, "the total is the highest end");
    ok(worst < 2.0, "at most %.2f of the peak of live bytes", worst);
    return done();
}
