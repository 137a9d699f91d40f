/* SPDX-License-Identifier: MIT */
/* viz.c: a contact sheet of images as PNG, and the plane of largest variance of latent vectors.
 *
 * The sheet draws each image in its own cell with a line between cells; small images are enlarged by a whole factor, so that pixels stay square and sharp.
 * Not here: colour maps, interpolation, text. */
#include "genrep/viz.h"
#include "format/bytes.h"
#include "format/png.h"
#include "tensor/convert.h"
#include "tensor/linalg.h"
#include "tensor/tensor.h"

#define SIDE_MAX 65535 /* of a PNG here */
#define LINE 2         /* pixels between cells */
#define LINE_LEVEL 200

/* ---- grid ---- */

typedef struct sheet {
    int64_t n, channels, h, w; /* images; channels 1 or 3 */
    int64_t columns, rows, factor;
    int64_t width, height;     /* of the whole */
    uint8_t *pixels;           /* [height, width, channels] */
} sheet;

static int64_t square_root(int64_t n)
{
    int64_t r = (int64_t)gmi_linalg_sqrt((double)n);
    while (r * r > n) r--;
    while ((r + 1) * (r + 1) <= n) r++;
    return r;
}

static gm_status find_shape(gm_context *c, const gm_tensor *t, sheet *s)
{
    int32_t last = t->rank - 1;
    if (t->dtype != GM_U8 && t->dtype != GM_F32) return gmi_fail(c, GM_E_DTYPE, "images are %s: u8 of 0..255, or f32 of 0..1, are needed", gm_dtype_name(t->dtype));
    if (t->rank < 2 || t->rank > 4 || !gmi_tensor_count(t))
        return gmi_fail(c, GM_E_SHAPE, "images are %v: [n,c,h,w], [n,h,w] or [n,d] with at least one are needed", t->rank, t->dims);
    s->n = t->dims[0];
    s->channels = t->rank == 4 ? t->dims[1] : 1;
    s->h = t->rank == 2 ? square_root(t->dims[1]) : t->dims[last - 1];
    s->w = t->rank == 2 ? s->h : t->dims[last];
    if (t->rank == 2 && s->h * s->w != t->dims[1])
        return gmi_fail(c, GM_E_SHAPE, "images are [%i,%i], and %i is no square: reshape them to [n,c,h,w]", s->n, t->dims[1], t->dims[1]);
    if (s->channels != 1 && s->channels != 3) return gmi_fail(c, GM_E_SHAPE, "images are %v: %i channels; 1 (grey) or 3 (RGB) can be drawn", t->rank, t->dims, s->channels);
    return GM_OK;
}

/* Whole factors: 8x8 to 32, 28x28 to 56; 32 and more as they are. */
static int64_t enlarge(int64_t side)
{
    int64_t f = side <= 16 ? 32 / side : 56 / side;
    return GMI_MAX(f, 1);
}

static gm_status find_size(gm_context *c, int32_t columns, sheet *s)
{
    int64_t most = GMI_MAX(s->h, s->w);
    if (most > SIDE_MAX) return gmi_fail(c, GM_E_SHAPE, "an image of %ix%i is too large: a picture has at most %d pixels a side", s->w, s->h, SIDE_MAX);
    s->columns = columns > 0 ? GMI_MIN((int64_t)columns, s->n) : square_root(s->n - 1) + 1;
    s->rows = (s->n + s->columns - 1) / s->columns;
    s->factor = enlarge(most);
    if (s->columns > SIDE_MAX || s->rows > SIDE_MAX) s->width = s->height = SIDE_MAX + 1;
    else {
        s->width = s->columns * (s->w * s->factor + LINE) + LINE;
        s->height = s->rows * (s->h * s->factor + LINE) + LINE;
    }
    if (s->width > SIDE_MAX || s->height > SIDE_MAX)
        return gmi_fail(c, GM_E_SHAPE, "%i images of %ix%i in %i columns pass %d pixels a side: draw fewer, or change the columns", s->n, s->w, s->h, s->columns,
                        SIDE_MAX);
    return GM_OK;
}

static uint8_t level(float v) { return !(v > 0) ? 0 : v >= 1 ? 255 : (uint8_t)gmi_round_even((double)v * 255); }

/* One row of one channel of one image, as bytes. */
static void read_line(const gm_tensor *t, const sheet *s, int64_t i, int64_t channel, int64_t y, uint8_t *to)
{
    const char *p = (const char *)t->data + i * t->strides[0];
    int64_t step = t->strides[t->rank - 1];
    if (t->rank == 4) p += channel * t->strides[1];
    p += t->rank == 2 ? y * s->w * step : y * t->strides[t->rank - 2];
    for (int64_t x = 0; x < s->w; x++, p += step) {
        float v;
        if (t->dtype == GM_U8) to[x] = *(const uint8_t *)p;
        else memcpy(&v, p, sizeof v), to[x] = level(v);
    }
}

static void draw_cell(const gm_tensor *t, const sheet *s, int64_t i, uint8_t *line)
{
    int64_t top = LINE + i / s->columns * (s->h * s->factor + LINE), left = LINE + i % s->columns * (s->w * s->factor + LINE);
    for (int64_t channel = 0; channel < s->channels; channel++)
        for (int64_t y = 0; y < s->h; y++) {
            read_line(t, s, i, channel, y, line);
            for (int64_t dy = 0; dy < s->factor; dy++) {
                uint8_t *to = s->pixels + ((top + y * s->factor + dy) * s->width + left) * s->channels + channel;
                for (int64_t x = 0; x < s->w * s->factor; x++) to[x * s->channels] = line[x / s->factor];
            }
        }
}

static gm_status write_png(gm_context *c, const sheet *s, gm_writer *w)
{
    gmi_out o;
    gm_status status = gmi_out_open(c, w, &o);
    if (!status) status = gmi_png_write(c, &o, s->width, s->height, s->channels, s->pixels);
    return gmi_out_close(&o, status);
}

static gm_status grid(gm_context *c, const gm_tensor *t, int32_t columns, gm_writer *w)
{
    sheet s;
    uint8_t *line = NULL;
    gm_status status;
    memset(&s, 0, sizeof s);
    status = find_shape(c, t, &s);
    if (!status) status = find_size(c, columns, &s);
    if (status) return status;
    s.pixels = gmi_alloc_n(c, s.width * s.height, (uint64_t)s.channels);
    line = s.pixels ? gmi_alloc(c, (uint64_t)s.w) : NULL;
    if (line) {
        memset(s.pixels, LINE_LEVEL, (size_t)(s.width * s.height * s.channels));
        for (int64_t i = 0; i < s.n; i++) draw_cell(t, &s, i, line);
        status = write_png(c, &s, w);
    } else {
        status = gmi_alloc_status(c);
    }
    gmi_free(c, line);
    gmi_free(c, s.pixels);
    return status;
}

gm_status gm_viz_grid(gm_context *c, const gm_tensor *images, int32_t columns, gm_writer *png)
{
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "viz_grid");
    if (!images || !png) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%s is NULL", images ? "the writer" : "images"));
    return gmi_leave(c, grid(c, images, columns, png));
}

/* ---- principal components ---- */

static gm_status check_map(gm_context *c, const gm_tensor *z, const gm_tensor *map)
{
    if (z->rank != 2 || z->dims[0] < 1 || z->dims[1] < 1) return gmi_fail(c, GM_E_SHAPE, "z is %v: rows [n,d] are needed", z->rank, z->dims);
    if (map->rank != 2 || map->dims[0] != z->dims[0] || map->dims[1] != 2)
        return gmi_fail(c, GM_E_SHAPE, "map is %v: [%i,2] is needed", map->rank, map->dims, z->dims[0]);
    if (map->dtype != GM_F32 && map->dtype != GM_F64) return gmi_fail(c, GM_E_DTYPE, "map is %s: f32 or f64 is needed", gm_dtype_name(map->dtype));
    return map->readonly ? gmi_fail(c, GM_E_READONLY, "map is read-only memory") : GM_OK;
}

/* x [n, d] as doubles, its mean and two axes [2, d] with the largest variance to map. */
static void project(const double *x, int64_t n, int64_t d, const double *mean, const double *axes, gm_tensor *map)
{
    for (int64_t i = 0; i < n; i++) {
        double p[2] = {0, 0};
        for (int64_t k = 0; k < 2 && k < d; k++)
            for (int64_t j = 0; j < d; j++) p[k] += (x[i * d + j] - mean[j]) * axes[k * d + j];
        gmi_convert_row(2, map->dtype, (char *)map->data + i * map->strides[0], map->strides[1], GM_F64, (const char *)p, sizeof *p);
    }
}

static gm_status pca(gm_context *c, const gm_tensor *z, gm_tensor *map)
{
    int64_t n, d;
    double *x, *square;
    gm_status s = check_map(c, z, map);
    if (s) return s;
    n = z->dims[0];
    d = z->dims[1];
    x = gmi_alloc_n(c, n, (uint64_t)d * sizeof *x);
    square = x ? gmi_alloc_n(c, d + 2, (uint64_t)d * sizeof *square) : NULL; /* [d, d], mean, variances */
    if (!square) s = gmi_alloc_status(c);
    for (int64_t i = 0; !s && i < n; i++) {
        gmi_convert_row(d, GM_F64, (char *)(x + i * d), sizeof *x, z->dtype, (const char *)z->data + i * z->strides[0], z->strides[1]);
        for (int64_t j = 0; !s && j < d; j++)
            if (!gmi_f64_finite(x[i * d + j])) s = gmi_fail_at(c, GM_E_NONFINITE, i, "z is %g at [%i,%i]", x[i * d + j], i, j);
    }
    if (!s) {
        gmi_linalg_covariance(n, d, x, square + d * d, square);
        s = gmi_linalg_eigen(c, d, square, square + d * d + d, square);
    }
    if (!s) project(x, n, d, square + d * d, square, map);
    gmi_free(c, square);
    gmi_free(c, x);
    return s;
}

gm_status gm_viz_pca(gm_context *c, const gm_tensor *z, gm_tensor *map)
{
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "viz_pca");
    if (!z || !map) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%s is NULL", z ? "map" : "z"));
    return gmi_leave(c, pca(c, z, map));
}
