/* SPDX-License-Identifier: MIT */
/* pool2d.c: see pool2d.h. One plane after another, plain loops in the order of the contract; sums never change with threads or levels because a
 * plane is never cut. Rational positions of the resize are kept as integers: position (2 i + 1) in / (2 out) - 1/2 has the whole part and the
 * remainder of ((2 i + 1) in - out) / (2 out), so no rounding decides which pixels are read. */
#include "kernels/pool2d.h"
#include "base/base.h"

/* The positions of window `o` of an axis that lie inside: [*from, *to), *from >= 0. */
static void window(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t size, int64_t *from, int64_t *to)
{
    int64_t first = o * stride - pad;
    *from = GMI_MAX(first, 0);
    *to = GMI_MAX(*from, GMI_MIN(first + kernel, size));
}

void gmi_maxpool_argmax(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, int32_t *index)
{
    int64_t y0, y1, x0, x1;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t oh = 0; oh < g->oh; oh++)
            for (int64_t ow = 0; ow < g->ow; ow++) {
                const gmi_real *plane = x + p * g->h * g->w;
                int64_t best = -1;
                window(oh, g->sh, g->pt, g->kh, g->h, &y0, &y1), window(ow, g->sw, g->pl, g->kw, g->w, &x0, &x1);
                for (int64_t i = y0; i < y1; i++)
                    for (int64_t j = x0; j < x1; j++) {
                        gmi_real v = plane[i * g->w + j];
                        /* a NaN replaces any number; after it nothing compares greater and no NaN replaces it */
                        if (best < 0 || v > plane[best] || (v != v && plane[best] == plane[best])) best = i * g->w + j;
                    }
                index[(p * g->oh + oh) * g->ow + ow] = (int32_t)best;
            }
}

void gmi_pool_gather(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, const int32_t *index, gmi_real *y)
{
    int64_t in = g->h * g->w, out = g->oh * g->ow;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t i = 0; i < out; i++) {
            int32_t at = index[p * out + i];
            y[p * out + i] = at < 0 ? 0 : x[p * in + at];
        }
}

void gmi_pool_scatter(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *y, const int32_t *index, gmi_real *x)
{
    int64_t in = g->h * g->w, out = g->oh * g->ow;
    for (int64_t p = p0; p < p1; p++) {
        for (int64_t i = 0; i < in; i++) x[p * in + i] = 0;
        for (int64_t i = 0; i < out; i++)
            if (index[p * out + i] >= 0) x[p * in + index[p * out + i]] += y[p * out + i];
    }
}

static gmi_real divisor(const gmi_pool2d *g, int64_t inside)
{
    return (gmi_real)(g->count_include_pad ? g->kh * g->kw : inside);
}

void gmi_avgpool(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *x, gmi_real *y)
{
    int64_t y0, y1, x0, x1;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t oh = 0; oh < g->oh; oh++)
            for (int64_t ow = 0; ow < g->ow; ow++) {
                const gmi_real *plane = x + p * g->h * g->w;
                gmi_real sum = 0;
                window(oh, g->sh, g->pt, g->kh, g->h, &y0, &y1), window(ow, g->sw, g->pl, g->kw, g->w, &x0, &x1);
                for (int64_t i = y0; i < y1; i++)
                    for (int64_t j = x0; j < x1; j++) sum += plane[i * g->w + j];
                y[(p * g->oh + oh) * g->ow + ow] = y0 < y1 && x0 < x1 ? sum / divisor(g, (y1 - y0) * (x1 - x0)) : 0;
            }
}

void gmi_avgpool_dx(const gmi_pool2d *g, int64_t p0, int64_t p1, const gmi_real *y, gmi_real *x)
{
    int64_t y0, y1, x0, x1;
    for (int64_t p = p0; p < p1; p++) {
        gmi_real *plane = x + p * g->h * g->w;
        for (int64_t i = 0; i < g->h * g->w; i++) plane[i] = 0;
        for (int64_t oh = 0; oh < g->oh; oh++)
            for (int64_t ow = 0; ow < g->ow; ow++) {
                gmi_real share;
                window(oh, g->sh, g->pt, g->kh, g->h, &y0, &y1), window(ow, g->sw, g->pl, g->kw, g->w, &x0, &x1);
                if (y0 == y1 || x0 == x1) continue;
                share = y[(p * g->oh + oh) * g->ow + ow] / divisor(g, (y1 - y0) * (x1 - x0));
                for (int64_t i = y0; i < y1; i++)
                    for (int64_t j = x0; j < x1; j++) plane[i * g->w + j] += share;
            }
    }
}

/* Output o of an axis reads a and b = a + 1 (or a again at the border) with weights 1 - f and f; nearest has f = 0. */
typedef struct between {
    int64_t a, b;
    gmi_real wa, wb;
} between;
static between position(gmi_resize_mode mode, int64_t o, int64_t in, int64_t out)
{
    between r = {0, 0, 1, 0};
    if (mode == GMI_RESIZE_NEAREST) {
        r.a = r.b = o * in / out;
    } else {
        int64_t num = (2 * o + 1) * in - out;
        if (num < 0) num = 0;
        r.a = num / (2 * out);
        r.b = GMI_MIN(r.a + 1, in - 1);
        r.wb = (gmi_real)(num % (2 * out)) / (gmi_real)(2 * out);
        r.wa = 1 - r.wb;
    }
    return r;
}

void gmi_resize(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *x, gmi_real *y)
{
    for (int64_t oh = 0; oh < g->oh; oh++) {
        between v = position(mode, oh, g->h, g->oh);
        for (int64_t ow = 0; ow < g->ow; ow++) {
            between u = position(mode, ow, g->w, g->ow);
            for (int64_t p = p0; p < p1; p++) {
                const gmi_real *r0 = x + (p * g->h + v.a) * g->w, *r1 = x + (p * g->h + v.b) * g->w;
                y[(p * g->oh + oh) * g->ow + ow] =
                    mode == GMI_RESIZE_NEAREST ? r0[u.a] : v.wa * (u.wa * r0[u.a] + u.wb * r0[u.b]) + v.wb * (u.wa * r1[u.a] + u.wb * r1[u.b]);
            }
        }
    }
}

void gmi_resize_dx(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *y, gmi_real *x)
{
    int64_t in = g->h * g->w;
    for (int64_t i = p0 * in; i < p1 * in; i++) x[i] = 0;
    for (int64_t oh = 0; oh < g->oh; oh++) {
        between v = position(mode, oh, g->h, g->oh);
        for (int64_t ow = 0; ow < g->ow; ow++) {
            between u = position(mode, ow, g->w, g->ow);
            for (int64_t p = p0; p < p1; p++) {
                gmi_real *r0 = x + (p * g->h + v.a) * g->w, *r1 = x + (p * g->h + v.b) * g->w, d = y[(p * g->oh + oh) * g->ow + ow];
                if (mode == GMI_RESIZE_NEAREST) {
                    r0[u.a] += d;
                    continue;
                }
                r0[u.a] += v.wa * (u.wa * d), r0[u.b] += v.wa * (u.wb * d);
                r1[u.a] += v.wb * (u.wa * d), r1[u.b] += v.wb * (u.wb * d);
            }
        }
    }
}
