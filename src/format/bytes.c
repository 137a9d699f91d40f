/* SPDX-License-Identifier: MIT */
/* bytes.c: byte order, half floats, and collecting what a pipe gives.
 *
 * A half is sign | 5 exponent bits | 10 fraction bits. Its subnormals are integers times 2^-24, which a float holds exactly. */
#include "format/bytes.h"

float gmi_half_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, f = h & 1023;
    if (e == 31) return gmi_bits_float(f ? 0x7fc00000u : sign | 0x7f800000u);
    if (e == 0) {
        float v = (float)f * (1.0f / 16777216.0f);
        return sign ? -v : v;
    }
    return gmi_bits_float(sign | (e + 112) << 23 | f << 13);
}

void gmi_bytes_load(void *to, const uint8_t *from, int64_t n, int32_t width, int big)
{
    uint8_t *out = to;
    int64_t i;
    if (width == 1) {
        memcpy(to, from, (size_t)n);
    } else if (width == 2) {
        for (i = 0; i < n; i++) {
            uint16_t u = gmi_get16(from + 2 * i, big);
            memcpy(out + 2 * i, &u, 2);
        }
    } else if (width == 4) {
        for (i = 0; i < n; i++) {
            uint32_t u = gmi_get32(from + 4 * i, big);
            memcpy(out + 4 * i, &u, 4);
        }
    } else {
        for (i = 0; i < n; i++) {
            uint64_t u = gmi_get64(from + 8 * i, big);
            memcpy(out + 8 * i, &u, 8);
        }
    }
}

void gmi_bytes_store(uint8_t *to, const void *from, int64_t n, int32_t width, int big, int real)
{
    const uint8_t *in = from;
    int64_t i;
    if (width == 1) {
        memcpy(to, from, (size_t)n);
    } else if (width == 2) {
        for (i = 0; i < n; i++) {
            uint16_t u;
            memcpy(&u, in + 2 * i, 2);
            gmi_put16(to + 2 * i, u, big);
        }
    } else if (width == 4) {
        for (i = 0; i < n; i++) {
            uint32_t u;
            memcpy(&u, in + 4 * i, 4);
            if (real && (u & 0x7fffffffu) > 0x7f800000u) u = 0x7fc00000u;
            gmi_put32(to + 4 * i, u, big);
        }
    } else {
        for (i = 0; i < n; i++) {
            uint64_t u;
            memcpy(&u, in + 8 * i, 8);
            if (real && (u & 0x7fffffffffffffffull) > 0x7ff0000000000000ull) u = 0x7ff8000000000000ull;
            gmi_put64(to + 8 * i, u, big);
        }
    }
}

gm_status gmi_bytes_exact(gmi_in *in, const char *format, void *to, size_t n)
{
    size_t got;
    gm_status s = gmi_in_read(in, to, n, &got);
    if (s || got == n) return s;
    return gmi_fail_at(in->ctx, GM_E_FORMAT, (int64_t)in->pos, "%s: the file is cut short: it ends at byte %u, where %u more bytes were expected",
                       format,
                       in->pos, (uint64_t)(n - got));
}

gm_status gmi_bytes_skip(gmi_in *in, const char *format, uint64_t n)
{
    uint8_t waste[1024];
    gm_status s = GM_OK;
    if (in->total != UINT64_MAX && n <= in->total - in->pos) return gmi_in_skip(in, n);
    while (n && !s) {
        size_t k = (size_t)GMI_MIN(n, sizeof waste);
        s = gmi_bytes_exact(in, format, waste, k);
        n -= k;
    }
    return s;
}

gm_status gmi_bytes_collect(gmi_in *in, const char *format, uint64_t n, char **out)
{
    uint64_t have = 0, cap = GMI_MIN(n, 32768);
    char *p = gmi_alloc(in->ctx, cap);
    gm_status s = p ? GM_OK : gmi_alloc_status(in->ctx);
    while (!s && have < n) {
        if (have == cap) {
            uint64_t wider = cap > n / 2 ? n : 2 * cap;
            char *q = gmi_realloc(in->ctx, p, wider);
            if (!q) {
                s = gmi_alloc_status(in->ctx);
                break;
            }
            p = q;
            cap = wider;
        }
        s = gmi_bytes_exact(in, format, p + have, (size_t)(cap - have));
        have = cap;
    }
    if (s) {
        gmi_free(in->ctx, p);
        p = NULL;
    }
    *out = p;
    return s;
}
