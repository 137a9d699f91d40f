/* SPDX-License-Identifier: MIT */
/* deflate.c: a zlib stream (RFC 1950) of one block with the fixed codes of RFC 1951, section 3.2.6, and greedy matches; CRC-32 and Adler-32.
 *
 * Matches are found through chains of the places that share a hash of three bytes; at most CHAIN of them are tried. Left out: codes made for the
 * data, lazy matches: a picture comes out some 10% larger than from zlib, by a tenth of its code. */
#include "format/deflate.h"
#include "format/bytes.h"

#define WINDOW 32768
#define HASHES 32768
#define CHAIN 64
#define LONGEST 258

static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                           193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

uint32_t gmi_crc32(uint32_t crc, const void *p, size_t n)
{
    /* The polynomial edb88320 for half a byte at a time. */
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *b = p;
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        crc = table[crc & 15] ^ crc >> 4;
        crc = table[crc & 15] ^ crc >> 4;
    }
    return ~crc;
}

uint32_t gmi_adler32(uint32_t adler, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint32_t s = adler & 0xffff, t = adler >> 16;
    for (size_t i = 0; i < n; i++) {
        s = (s + b[i]) % 65521;
        t = (t + s) % 65521;
    }
    return t << 16 | s;
}

typedef struct bits {
    gmi_buf *to;
    uint64_t word;
    int count;
    size_t n;
    uint8_t bytes[512];
} bits;

static void put_byte(bits *b, uint8_t v)
{
    b->bytes[b->n++] = v;
    if (b->n == sizeof b->bytes) {
        gmi_buf_add(b->to, b->bytes, b->n);
        b->n = 0;
    }
}

/* n <= 32 bits of v, the lowest first. */
static void put(bits *b, uint32_t v, int n)
{
    b->word |= (uint64_t)v << b->count;
    for (b->count += n; b->count >= 8; b->count -= 8) {
        put_byte(b, (uint8_t)b->word);
        b->word >>= 8;
    }
}

/* Huffman codes begin with their highest bit. */
static void put_code(bits *b, uint32_t v, int n)
{
    uint32_t r = 0;
    for (int i = 0; i < n; i++) r |= (v >> i & 1) << (n - 1 - i);
    put(b, r, n);
}

static void put_symbol(bits *b, uint32_t s)
{
    if (s < 144) put_code(b, 0x30 + s, 8);
    else if (s < 256) put_code(b, 0x190 + s - 144, 9);
    else if (s < 280) put_code(b, s - 256, 7);
    else put_code(b, 0xc0 + s - 280, 8);
}

static void put_match(bits *b, uint32_t length, uint32_t distance)
{
    uint32_t k = 28;
    while (length_base[k] > length) k--;
    put_symbol(b, 257 + k);
    put(b, length - length_base[k], length_extra[k]);
    k = 29;
    while (distance_base[k] > distance) k--;
    put_code(b, k, 5);
    put(b, distance - distance_base[k], k < 4 ? 0 : (int)k / 2 - 1);
}

/* Places are stored plus one, so that zeroed memory is empty. */
typedef struct matcher {
    uint32_t head[HASHES], before[WINDOW];
} matcher;

static uint32_t hash3(const uint8_t *p)
{
    return ((uint32_t)p[0] << 16 ^ (uint32_t)p[1] << 8 ^ p[2]) * 0x9e3779b1u >> 17;
}

static void insert(matcher *m, const uint8_t *p, size_t n, size_t i)
{
    uint32_t h;
    if (n - i < 3) return;
    h = hash3(p + i);
    m->before[i % WINDOW] = m->head[h];
    m->head[h] = (uint32_t)i + 1;
}

/* The longest match at i; 0 when none has 3 bytes. */
static uint32_t find(const matcher *m, const uint8_t *p, size_t n, size_t i, uint32_t *distance)
{
    uint32_t best = 2, most = (uint32_t)GMI_MIN(n - i, LONGEST), at;
    if (most < 3) return 0;
    at = m->head[hash3(p + i)];
    for (int tries = 0; tries < CHAIN && at && i + 1 - at < WINDOW; tries++) {
        size_t k = at - 1;
        uint32_t len = 0;
        while (len < most && p[k + len] == p[i + len]) len++;
        if (len > best) {
            best = len;
            *distance = (uint32_t)(i - k);
        }
        at = m->before[k % WINDOW];
    }
    return best > 2 ? best : 0;
}

static void compress(matcher *m, bits *b, const uint8_t *p, size_t n)
{
    size_t i = 0;
    put(b, 1, 1); /* the last block */
    put(b, 1, 2); /* fixed codes */
    while (i < n) {
        uint32_t distance = 0, length = find(m, p, n, i, &distance);
        if (length) {
            put_match(b, length, distance);
        } else {
            put_symbol(b, p[i]);
            length = 1;
        }
        for (; length; length--) insert(m, p, n, i++);
    }
    put_symbol(b, 256);
    put(b, 0, 7); /* to a whole byte */
}

gm_status gmi_deflate(gm_context *c, const uint8_t *p, size_t n, gmi_buf *to)
{
    matcher *m;
    bits b;
    uint8_t tail[4];
    if (n > 1u << 30) return gmi_fail(c, GM_E_LIMIT, "deflate: %u bytes, the limit is %u", (uint64_t)n, (uint64_t)1 << 30);
    m = gmi_alloc(c, sizeof *m);
    if (!m) return gmi_alloc_status(c);
    memset(&b, 0, sizeof b);
    b.to = to;
    put_byte(&b, 0x78);
    put_byte(&b, 0x5e);
    compress(m, &b, p, n);
    gmi_buf_add(to, b.bytes, b.n);
    gmi_put32(tail, gmi_adler32(1, p, n), 1);
    gmi_buf_add(to, tail, 4);
    gmi_free(c, m);
    return to->failed ? gmi_alloc_status(c) : GM_OK;
}
