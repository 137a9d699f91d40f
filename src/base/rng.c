/* SPDX-License-Identifier: MIT */
/* rng.c: keys, one Philox block, and keyed permutations.
 *
 * Philox 4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011: ten rounds of two 32x32 -> 64 bit
 * products on a counter of 128 bits under a key of 64 bits. No state: word i of any stream is a pure function of (key, counter).
 * Keys: FNV-1a 64 over names, then SplitMix64's finaliser (S. Vigna) so that near names have unrelated keys.
 * Permutation: a Feistel network with Philox as its round function permutes 0..2^b-1 for the smallest b with 2^b >= n; walking along the cycle until
 * the value is below n restricts it to 0..n-1 (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", 2002). On average under two steps. */
#include "base/base.h"

#define SMALL 64   /* up to here a shuffled list is as cheap, and reaches every permutation */
#define ROUNDS 8

uint64_t gmi_hash_bytes(uint64_t h, const void *p, size_t n)
{
    const unsigned char *s = p;
    for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t gmi_hash_text(uint64_t h, const char *s)
{
    return gmi_hash_bytes(h, s, strlen(s));
}

uint64_t gmi_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void gmi_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t x0 = ctr[0], x1 = ctr[1], x2 = ctr[2], x3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * x0, p1 = (uint64_t)0xcd9e8d57u * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)p1;
        x3 = (uint32_t)p0;
        k0 += 0x9e3779b9u; /* Weyl sequence: golden ratio, sqrt(3) - 1 */
        k1 += 0xbb67ae85u;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

static void block(uint64_t key, uint32_t a, uint64_t b, uint32_t c, uint32_t out[4])
{
    uint32_t k[2], ctr[4];
    k[0] = (uint32_t)key;
    k[1] = (uint32_t)(key >> 32);
    ctr[0] = a;
    ctr[1] = (uint32_t)b;
    ctr[2] = (uint32_t)(b >> 32);
    ctr[3] = c;
    gmi_philox(ctr, k, out);
}

/* Fisher-Yates from the words of counters (j, n, 0, 'S'). */
static int64_t permute_small(int64_t i, int64_t n, uint64_t key)
{
    uint8_t list[SMALL];
    uint32_t words[4] = {0, 0, 0, 0};
    for (int64_t j = 0; j < n; j++) list[j] = (uint8_t)j;
    for (int64_t j = n - 1; j > 0; j--) {
        int64_t used = n - 1 - j, k;
        uint8_t t;
        if (used % 4 == 0) block(key, (uint32_t)(used / 4), (uint64_t)n, 0x53u, words);
        k = (int64_t)(((uint64_t)words[used % 4] * (uint64_t)(j + 1)) >> 32);
        t = list[j];
        list[j] = list[k];
        list[k] = t;
    }
    return list[i];
}

/* One pass of the network over `bits` bits: even rounds change the right half by the left one, odd rounds the left by the right. */
static uint64_t feistel(uint64_t x, int bits, uint64_t key)
{
    int right_bits = bits / 2;
    uint64_t right_mask = (UINT64_C(1) << right_bits) - 1, left_mask = (UINT64_C(1) << (bits - right_bits)) - 1;
    uint64_t left = x >> right_bits, right = x & right_mask;
    uint32_t w[4];
    for (uint32_t r = 0; r < ROUNDS; r++) {
        block(key, r, r & 1 ? right : left, (uint32_t)bits, w);
        if (r & 1) left ^= (w[0] | (uint64_t)w[1] << 32) & left_mask;
        else right ^= (w[0] | (uint64_t)w[1] << 32) & right_mask;
    }
    return left << right_bits | right;
}

int64_t gmi_permute(int64_t i, int64_t n, uint64_t key)
{
    int bits = 2;
    uint64_t x = (uint64_t)i;
    if (n <= SMALL) return permute_small(i, n, key);
    while (bits < 63 && (UINT64_C(1) << bits) < (uint64_t)n) bits++;
    do x = feistel(x, bits, key);
    while (x >= (uint64_t)n);
    return (int64_t)x;
}
