/* SPDX-License-Identifier: MIT */
/* png.h: a PNG writer (ISO/IEC 15948) for pictures of results: 8 bits, grey, grey + alpha, RGB or RGBA. The row filter is the one with the smallest sum of
 * absolute differences; deflate (RFC 1951) with one block of fixed codes and greedy matches. Not here: a reader, palettes, 16 bits, interlacing. */
#ifndef GMI_FORMAT_PNG_H
#define GMI_FORMAT_PNG_H
#include "base/base.h"
/* pixels [height, width, channels], channels 1..4, width and height 1..65535: else GM_E_SHAPE. */
gm_status gmi_png_write(gm_context *c, gmi_out *o, int64_t width, int64_t height, int64_t channels, const uint8_t *pixels);
uint32_t gmi_crc32(uint32_t crc, const void *p, size_t n);   /* start with 0 */
uint32_t gmi_adler32(uint32_t adler, const void *p, size_t n); /* start with 1 */
/* Appends the zlib stream (RFC 1950) of n bytes. */
gm_status gmi_deflate(gm_context *c, const uint8_t *p, size_t n, gmi_buf *to);
#endif
