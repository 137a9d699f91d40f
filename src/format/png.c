/* SPDX-License-Identifier: MIT */
/* png.c: signature, IHDR, one IDAT, IEND. Each row is preceded by its filter, which predicts a byte from the ones to the left (a), above (b) and
 * above left (c): none, a, b, (a + b) / 2, Paeth. */
#include "format/png.h"
#include "format/bytes.h"
#include "format/deflate.h"

static uint8_t predict(int filter, int a, int b, int c)
{
    int p, pa, pb, pc;
    switch (filter) {
    case 0: return 0;
    case 1: return (uint8_t)a;
    case 2: return (uint8_t)b;
    case 3: return (uint8_t)((a + b) / 2);
    default: break;
    }
    p = a + b - c;
    pa = p > a ? p - a : a - p;
    pb = p > b ? p - b : b - p;
    pc = p > c ? p - c : c - p;
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Row y through the filter into out; returns the sum of the residuals' absolute values as signed bytes. */
static uint64_t filter_row(int filter, const uint8_t *row, const uint8_t *above, int64_t n, int64_t step, uint8_t *out)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        int a = i < step ? 0 : row[i - step], b = above ? above[i] : 0, c = above && i >= step ? above[i - step] : 0;
        out[i] = (uint8_t)(row[i] - predict(filter, a, b, c));
        sum += out[i] < 128 ? out[i] : 256u - out[i];
    }
    return sum;
}

static void filter_rows(const uint8_t *pixels, int64_t height, int64_t n, int64_t step, uint8_t *out)
{
    for (int64_t y = 0; y < height; y++, out += n + 1) {
        const uint8_t *row = pixels + y * n, *above = y ? row - n : NULL;
        uint64_t least = UINT64_MAX;
        int best = 0;
        for (int f = 0; f < 5; f++) {
            uint64_t sum = filter_row(f, row, above, n, step, out + 1);
            if (sum < least) {
                least = sum;
                best = f;
            }
        }
        out[0] = (uint8_t)best;
        filter_row(best, row, above, n, step, out + 1);
    }
}

static gm_status write_chunk(gmi_out *o, const char *type, const void *p, size_t n)
{
    uint8_t h[8], tail[4];
    gmi_put32(h, (uint32_t)n, 1);
    memcpy(h + 4, type, 4);
    gmi_put32(tail, gmi_crc32(gmi_crc32(0, type, 4), p, n), 1);
    gmi_out_write(o, h, 8); /* a failed output stays failed */
    gmi_out_write(o, p, n);
    return gmi_out_write(o, tail, 4);
}

static gm_status write_file(gmi_out *o, int64_t width, int64_t height, int64_t channels, const gmi_buf *z)
{
    static const uint8_t color[] = {0, 0, 4, 2, 6};
    uint8_t h[13] = {0};
    gmi_out_write(o, "\x89PNG\r\n\x1a\n", 8);
    gmi_put32(h, (uint32_t)width, 1);
    gmi_put32(h + 4, (uint32_t)height, 1);
    h[8] = 8;
    h[9] = color[channels];
    write_chunk(o, "IHDR", h, sizeof h);
    write_chunk(o, "IDAT", z->p, z->n);
    return write_chunk(o, "IEND", "", 0);
}

gm_status gmi_png_write(gm_context *c, gmi_out *o, int64_t width, int64_t height, int64_t channels, const uint8_t *pixels)
{
    gmi_buf z;
    uint8_t *rows;
    int64_t n, bytes;
    gm_status s;
    if (width < 1 || height < 1 || width > 65535 || height > 65535 || channels < 1 || channels > 4)
        return gmi_fail(c, GM_E_SHAPE, "png: a picture of %i x %i with %i channels cannot be written: 1 to 65535 pixels a side, 1 to 4 channels",
                        width, height, channels);
    n = width * channels;
    bytes = (n + 1) * height;
    if (bytes > 1 << 30) return gmi_fail(c, GM_E_LIMIT, "png: the picture has %i bytes, the limit is %i", bytes, (int64_t)1 << 30);
    rows = gmi_alloc(c, (uint64_t)bytes);
    if (!rows) return gmi_alloc_status(c);
    filter_rows(pixels, height, n, channels, rows);
    gmi_buf_init(&z, c);
    s = gmi_deflate(c, rows, (size_t)bytes, &z);
    gmi_free(c, rows);
    if (!s) s = write_file(o, width, height, channels, &z);
    gmi_buf_free(&z);
    return s;
}
