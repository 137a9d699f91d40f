/* SPDX-License-Identifier: MIT */
/* deflate.h: compressing for PNG, and its two checksums. */
#ifndef GMI_FORMAT_DEFLATE_H
#define GMI_FORMAT_DEFLATE_H
#include "base/base.h"
uint32_t gmi_crc32(uint32_t crc, const void *p, size_t n);     /* ISO 3309; start with 0 */
uint32_t gmi_adler32(uint32_t adler, const void *p, size_t n); /* RFC 1950; start with 1 */
/* Appends the zlib stream (RFC 1950) of n bytes, at most 2^30: else GM_E_LIMIT. */
gm_status gmi_deflate(gm_context *c, const uint8_t *p, size_t n, gmi_buf *to);
#endif
