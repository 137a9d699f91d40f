/* SPDX-License-Identifier: MIT */
/* random.c: uniform and normal numbers from a counter (docs/kernels.md, "Random numbers"). Built once per instruction set.
 *
 * Philox 4x32-10: J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Block i of a stream is the four words
 * philox(key, (i, ctr[0], ctr[1], ctr[2])). Elements come in groups of 64 = 16 blocks: element 64 g + 16 j + l is word j of block 16 g + l, a map that
 * keeps words in lanes at every vector width up to 16. Word w is the uniform ((w >> 8) + 1/2) 2^-24, kept below 1.
 * Normal numbers are Box and Muller's (1958) on words 0, 1 and 2, 3: sqrt(-2 log u) times cosine and sine of 2 pi u', in double, rounded once.
 * Not here: keys and counters of layers and steps (base/rng), other distributions, which are graphs of these. */
#include "kernels/math.h"
#include "kernels/simd.h"

gmi_kernels_fill_fn GMI_FILL(random);

#define GROUP 64 /* elements */

/* Words of GMI_W blocks, from block c0 on. */
GMI_INLINE void philox(vi *w, uint32_t block, const uint32_t key[2], const uint32_t ctr[3])
{
    vi c0 = vi_add(vi_set1(block), vi_iota()), c1 = vi_set1(ctr[0]), c2 = vi_set1(ctr[1]), c3 = vi_set1(ctr[2]);
    uint32_t k0 = key[0], k1 = key[1];
    int round;
    for (round = 0; round < 10; round++) {
        vi h0, l0, h1, l1;
        vi_mulhilo(c0, 0xD2511F53u, &h0, &l0);
        vi_mulhilo(c2, 0xCD9E8D57u, &h1, &l1);
        c0 = vi_xor(vi_xor(h1, c1), vi_set1(k0));
        c2 = vi_xor(vi_xor(h0, c3), vi_set1(k1));
        c1 = l1;
        c3 = l0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    w[0] = c0, w[1] = c1, w[2] = c2, w[3] = c3;
}

/* (k + 1/2) 2^-24; in float the top value would round to 1, hence the minimum. */
GMI_INLINE vf uniform_of(vi w)
{
    vf u = vf_add(vf_mul(vf_from_vi(vi_shr(w, 8)), vf_set1((gmi_real)(1.0 / 16777216))), vf_set1((gmi_real)(0.5 / 16777216)));
#ifdef GMI_ORACLE
    return u;
#else
    return vf_sel(vf_lt(u, vf_set1(1)), u, vf_set1(0.99999994f));
#endif
}

static void uniform_group(gmi_real *out, uint32_t block, const uint32_t key[2], const uint32_t ctr[3])
{
    vi w[4];
    int l, j;
    for (l = 0; l < 16; l += GMI_W) {
        philox(w, block + (uint32_t)l, key, ctr);
        for (j = 0; j < 4; j++)
            vf_store(out + 16 * j + l, uniform_of(w[j]));
    }
}

/* u = (k + 1/2) 2^-24 is exact in double. */
GMI_INLINE void box_muller(vd k1, vd k2, vd *x, vd *y)
{
    const vd scale = vd_set1(1.0 / 16777216), half = vd_set1(0.5);
    vd u1 = vd_mul(vd_add(k1, half), scale), u2 = vd_mul(vd_add(k2, half), scale), s, c;
    vd r = vd_sqrt(vd_mul(vd_set1(-2), vd_log(u1)));
    vd_sincos_turns(u2, &s, &c);
    *x = vd_mul(r, c);
    *y = vd_mul(r, s);
}

static void normal_group(gmi_real *out, uint32_t block, const uint32_t key[2], const uint32_t ctr[3])
{
    vi w[4];
    int l, j;
    for (l = 0; l < 16; l += GMI_W) {
        philox(w, block + (uint32_t)l, key, ctr);
        for (j = 0; j < 4; j += 2) {
            vi a = vi_shr(w[j], 8), b = vi_shr(w[j + 1], 8);
            vd x, y;
            box_muller(vd_ilo(a), vd_ilo(b), &x, &y);
#if GMI_ND == 1
            vf_store(out + 16 * j + l, vf_pack(x));
            vf_store(out + 16 * j + 16 + l, vf_pack(y));
#else
            {
                vd x2, y2;
                box_muller(vd_ihi(a), vd_ihi(b), &x2, &y2);
                vf_store(out + 16 * j + l, vf_pack(x, x2));
                vf_store(out + 16 * j + 16 + l, vf_pack(y, y2));
            }
#endif
        }
    }
}

#define FILL(name)                                                                                                                                   \
    static void name(int64_t n, gmi_real *out, const uint32_t key[2], const uint32_t ctr[3])                                                         \
    {                                                                                                                                                \
        gmi_real tail[GROUP];                                                                                                                        \
        int64_t i = 0;                                                                                                                               \
        uint32_t block = 0;                                                                                                                          \
        for (; i + GROUP <= n; i += GROUP, block += 16)                                                                                              \
            name##_group(out + i, block, key, ctr);                                                                                                  \
        if (i < n) {                                                                                                                                 \
            name##_group(tail, block, key, ctr);                                                                                                     \
            memcpy(out + i, tail, (size_t)(n - i) * sizeof *out);                                                                                    \
        }                                                                                                                                            \
    }
FILL(uniform)
FILL(normal)

void GMI_FILL(random)(gmi_kernels *t)
{
    t->uniform = uniform;
    t->normal = normal;
}
