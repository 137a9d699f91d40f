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

/* The outputs of an axis in order: output o reads position a + rem / den, both kept exactly. */
typedef struct walk {
    int64_t in, den, a, rem, step, step_rem;
    int32_t linear;
} walk;
static walk walk_axis(gmi_resize_mode mode, int64_t in, int64_t out)
{
    walk w;
    int64_t start = mode == GMI_RESIZE_BILINEAR ? in - out : 0, factor = mode == GMI_RESIZE_BILINEAR ? 2 : 1;
    w.linear = mode == GMI_RESIZE_BILINEAR, w.in = in, w.den = factor * out;
    w.a = start / w.den - (start % w.den < 0), w.rem = start - w.a * w.den;
    w.step = factor * in / w.den, w.step_rem = factor * in % w.den;
    return w;
}

/* a and b = a + 1 (a again at the border) with weights wa + wb = 1; nearest has wb = 0. Moves on to the next output. */
typedef struct between {
    int64_t a, b;
    gmi_real wa, wb;
} between;
static between next(walk *w)
{
    between r = {w->a, w->a, 1, 0};
    if (w->linear && w->a < 0) r.a = 0;
    if (w->linear) r.b = GMI_MIN(r.a + 1, w->in - 1), r.wb = w->a < 0 ? 0 : (gmi_real)w->rem / (gmi_real)w->den, r.wa = 1 - r.wb;
    w->a += w->step, w->rem += w->step_rem;
    if (w->rem >= w->den) w->rem -= w->den, w->a++;
    return r;
}

void gmi_resize(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *x, gmi_real *y)
{
    for (int64_t p = p0; p < p1; p++) {
        const gmi_real *plane = x + p * g->h * g->w;
        gmi_real *to = y + p * g->oh * g->ow;
        walk rows = walk_axis(mode, g->h, g->oh);
        for (int64_t oh = 0; oh < g->oh; oh++) {
            between v = next(&rows);
            const gmi_real *r0 = plane + v.a * g->w, *r1 = plane + v.b * g->w;
            walk cols = walk_axis(mode, g->w, g->ow);
            for (int64_t ow = 0; ow < g->ow; ow++) {
                between u = next(&cols);
                *to++ = cols.linear ? v.wa * (u.wa * r0[u.a] + u.wb * r0[u.b]) + v.wb * (u.wa * r1[u.a] + u.wb * r1[u.b]) : r0[u.a];
            }
        }
    }
}

void gmi_resize_dx(const gmi_pool2d *g, gmi_resize_mode mode, int64_t p0, int64_t p1, const gmi_real *y, gmi_real *x)
{
    for (int64_t p = p0; p < p1; p++) {
        gmi_real *plane = x + p * g->h * g->w;
        const gmi_real *from = y + p * g->oh * g->ow;
        walk rows = walk_axis(mode, g->h, g->oh);
        for (int64_t i = 0; i < g->h * g->w; i++) plane[i] = 0;
        for (int64_t oh = 0; oh < g->oh; oh++) {
            between v = next(&rows);
            gmi_real *r0 = plane + v.a * g->w, *r1 = plane + v.b * g->w;
            walk cols = walk_axis(mode, g->w, g->ow);
            for (int64_t ow = 0; ow < g->ow; ow++) {
                between u = next(&cols);
                gmi_real d = *from++;
                if (!cols.linear) {
                    r0[u.a] += d;
                    continue;
                }
                r0[u.a] += v.wa * (u.wa * d), r0[u.b] += v.wa * (u.wb * d);
                r1[u.a] += v.wb * (u.wa * d), r1[u.b] += v.wb * (u.wb * d);
            }
        }
    }
}
