/* SPDX-License-Identifier: MIT */
/* png.h: a PNG writer (ISO/IEC 15948) for pictures of results: 8 bits, grey, grey + alpha, RGB or RGBA. The row filter is the one with the smallest
 * sum of absolute differences. Not here: a reader, palettes, 16 bits, interlacing. */
#ifndef GMI_FORMAT_PNG_H
#define GMI_FORMAT_PNG_H
#include "base/base.h"
/* pixels [height, width, channels], channels 1..4, width and height 1..65535: else GM_E_SHAPE. */
gm_status gmi_png_write(gm_context *c, gmi_out *o, int64_t width, int64_t height, int64_t channels, const uint8_t *pixels);
#endif
