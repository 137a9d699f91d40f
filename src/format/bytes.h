/* SPDX-License-Identifier: MIT */
/* bytes.h: numbers in a file's byte order to and from the host's, by shifts, so that neither the host's order nor alignment matters. Compilers turn
 * the shifts into plain or swapping loads. */
#ifndef GMI_FORMAT_BYTES_H
#define GMI_FORMAT_BYTES_H
#include "base/base.h"

static inline uint16_t gmi_get16(const uint8_t *p, int big)
{
    return (uint16_t)(big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

static inline uint32_t gmi_get32(const uint8_t *p, int big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t gmi_get64(const uint8_t *p, int big)
{
    uint64_t a = gmi_get32(p, big), b = gmi_get32(p + 4, big);
    return big ? a << 32 | b : b << 32 | a;
}

static inline void gmi_put16(uint8_t *p, uint32_t v, int big)
{
    p[big ? 1 : 0] = (uint8_t)v;
    p[big ? 0 : 1] = (uint8_t)(v >> 8);
}

static inline void gmi_put32(uint8_t *p, uint32_t v, int big)
{
    gmi_put16(p + (big ? 2 : 0), v & 0xffff, big);
    gmi_put16(p + (big ? 0 : 2), v >> 16, big);
}

static inline void gmi_put64(uint8_t *p, uint64_t v, int big)
{
    gmi_put32(p + (big ? 4 : 0), (uint32_t)v, big);
    gmi_put32(p + (big ? 0 : 4), (uint32_t)(v >> 32), big);
}

static inline float gmi_bits_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline double gmi_bits_double(uint64_t u)
{
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

/* What a NULL of gmi_alloc was: the message is there already. */
static inline gm_status gmi_alloc_status(const gm_context *c)
{
    return c->status == GM_E_BUDGET ? GM_E_BUDGET : GM_E_NOMEM;
}

float gmi_half_float(uint16_t h); /* IEEE binary16, exact */
/* n elements of 1, 2, 4 or 8 bytes from a file into the host's order, any alignment. */
void gmi_bytes_load(void *to, const uint8_t *from, int64_t n, int32_t width, int big);
/* The inverse. real: elements are floats (width 4 or 8), and NaN is written as 7fc00000 or 7ff8000000000000. */
void gmi_bytes_store(uint8_t *to, const void *from, int64_t n, int32_t width, int big, int real);
/* gmi_in_exact with a message that names the format and the byte where the source ends. */
gm_status gmi_bytes_exact(gmi_in *in, const char *format, void *to, size_t n);
gm_status gmi_bytes_skip(gmi_in *in, const char *format, uint64_t n);
/* Reads exactly n bytes from a source of unknown length into a block that doubles: memory never passes 3 times what came, or 32 KiB. Caller frees. */
gm_status gmi_bytes_collect(gmi_in *in, const char *format, uint64_t n, char **out);
#endif
