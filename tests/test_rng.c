/* SPDX-License-Identifier: MIT */
/* test_rng.c: Philox against the published vectors of Random123, hashes, keyed permutations are bijections and look shuffled. */
#include "base/base.h"
#include "tap.h"

static void test_philox(void)
{
    /* Random123, kat_vectors, "philox4x32 10": counter, key, result */
    static const uint32_t v[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    uint32_t out[4];
    for (int i = 0; i < 3; i++) {
        gmi_philox(v[i], v[i] + 4, out);
        ok(memcmp(out, v[i] + 6, sizeof out) == 0, "known answer %d: %08x %08x %08x %08x", i, out[0], out[1], out[2], out[3]);
    }
}

static void test_hashes(void)
{
    ok(gmi_hash_bytes(GMI_HASH_START, "", 0) == UINT64_C(0xcbf29ce484222325), "FNV-1a of nothing");
    ok(gmi_hash_text(GMI_HASH_START, "a") == UINT64_C(0xaf63dc4c8601ec8c), "FNV-1a of a");
    ok(gmi_hash_text(GMI_HASH_START, "foobar") == UINT64_C(0x85944171f73967e8), "FNV-1a of foobar");
    ok(gmi_hash_text(gmi_hash_text(GMI_HASH_START, "foo"), "bar") == gmi_hash_text(GMI_HASH_START, "foobar"), "continued");
    ok(gmi_mix64(UINT64_C(0x9e3779b97f4a7c15)) == UINT64_C(0xe220a8397b1dcdaf), "SplitMix64's first number from seed 0");
}

/* 1 when the permutation hits each of 0..n-1 once. */
static int bijective(int64_t n, uint64_t key, unsigned char *seen)
{
    memset(seen, 0, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t p = gmi_permute(i, n, key);
        if (p < 0 || p >= n || seen[p]) return 0;
        seen[p] = 1;
    }
    return 1;
}

static void test_permutations(void)
{
    static unsigned char seen[70000];
    static int64_t counts[5][5];
    int bad = 0, fixed = 0, same = 0;
    int64_t neighbours = 0;
    for (int64_t n = 1; n <= 1000; n++) bad += !bijective(n, gmi_mix64((uint64_t)n), seen);
    is_int(bad, 0, "bijections for n = 1..1000");
    ok(bijective(60000, 1, seen) && bijective(65536, 2, seen) && bijective(65537, 3, seen), "and for 60000, 65536, 65537");
    for (int64_t i = 0; i < 10000; i++) {
        int64_t p = gmi_permute(i, 10000, 42), q = gmi_permute(i + 1 < 10000 ? i + 1 : 0, 10000, 42);
        fixed += p == i;
        same += p == gmi_permute(i, 10000, 43);
        neighbours += p - q < 100 && q - p < 100;
    }
    ok(fixed < 12, "few fixed points (%d, 1 expected)", fixed);
    ok(same < 12, "another key is another order (%d equal, 1 expected)", same);
    ok(neighbours > 120 && neighbours < 290, "neighbours are no closer than by chance (%d, 199 expected)", (int)neighbours);
    for (uint64_t key = 0; key < 5000; key++)
        for (int64_t i = 0; i < 5; i++) counts[i][gmi_permute(i, 5, key)]++;
    bad = 0;
    for (int i = 0; i < 25; i++) bad += counts[i / 5][i % 5] < 880 || counts[i / 5][i % 5] > 1120;
    is_int(bad, 0, "n = 5 over 5000 keys: each place as often (1000 +- 4 sigma)");
    bad = 0;
    for (int64_t i = 0; i < 2000; i++) {
        int64_t n = INT64_MAX - 5, p = gmi_permute(i * 4611686018427ll, n, 9);
        bad += p < 0 || p >= n;
    }
    is_int(bad, 0, "n near 2^63 stays in range");
    ok(gmi_permute(0, 1, 77) == 0, "n = 1");
    ok(gmi_permute(123, 1000, 5) == gmi_permute(123, 1000, 5), "a function of its arguments");
}

/* The numbers are part of checkpoints (the order of examples): pinned. */
static void test_pinned(void)
{
    static const int64_t small[6] = {2, 4, 3, 5, 6, 1}, big[6] = {47459, 47985, 51043, 43757, 12716, 50018};
    for (int i = 0; i < 6; i++) {
        is_int(gmi_permute(i, 10, 1234), small[i], "element %d of 10", i);
        is_int(gmi_permute(i, 60000, 1234), big[i], "element %d of 60000", i);
    }
}

int main(void)
{
    test_philox();
    test_hashes();
    test_permutations();
    test_pinned();
    return done();
}
