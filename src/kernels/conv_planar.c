/* SPDX-License-Identifier: MIT */
/* conv_planar.c: conv (stride 1) and conv_dx with few output channels, lanes running over pixels.
 *
 * As rows = pixels, columns = channels (conv.c), one to four output channels would fill a sixteenth to a quarter of a vector. Here the roles are
 * exchanged: rows are output channels, columns the pixels of one phase. Part of the source image is copied to planes, one a channel, with its
 * padding as zeros, rows one after another; then a tap is a constant offset, and the pixels of a phase are consecutive columns of B, read in
 * place, with some columns between the rows of the image that are computed and dropped. The chain of each sum is the same (tap, channel).
 * A unit of work is a range of output rows of one image: its planes stay in the second-level cache. conv_dx with one or two output channels goes from
 * place to place of the planes and not from phase to phase, or loads, most of them over the end of a cache line, would take longer than the sums. */
#include "kernels/conv.h"
#include "base/base.h"

enum { PLANAR, BANDS, PLANE_FLOATS, SUM_FLOATS, TOGETHER }; /* plan->priv; conv.c keeps PLANAR 0 for its own */

#define MANY_CHANNELS 4
#define PLANE_BYTES (512 * 1024)
#define ROWS 64 /* taps times output channels of a pass */

/* One axis of one phase: output positions first + j * phases, j < count, read the source at q + j + axis.d0 + tap * axis.dstep. */
typedef struct lane {
    gmi_axis taps;
    int64_t first, count, q;
} lane;

static lane lane_of(int64_t taps, int64_t dilation, int64_t phases, int64_t phase, int64_t shift, int64_t o0, int64_t o1, int32_t dx)
{
    lane l;
    gmi_axis plain = {taps, 0, 1, 0, dilation};
    l.taps = dx ? gmi_gather_axis(taps, dilation, phases, phase) : plain;
    l.first = o0 + ((phase - o0 - shift) % phases + phases) % phases;
    l.count = l.first < o1 ? (o1 - 1 - l.first) / phases + 1 : 0;
    l.q = (l.first + shift - phase) / phases;
    return l;
}

/* Source positions [*lo, *hi) that output positions [o0, o1) of an axis read. */
static void reach(int64_t taps, int64_t dilation, int64_t phases, int64_t shift, int64_t o0, int64_t o1, int32_t dx, int64_t *lo, int64_t *hi)
{
    *lo = INT64_MAX, *hi = INT64_MIN;
    for (int64_t f = 0; f < phases; f++) {
        lane l = lane_of(taps, dilation, phases, f, shift, o0, o1, dx);
        int64_t a = l.q + l.taps.d0, b = a + (l.taps.count - 1) * l.taps.dstep;
        if (!l.count || !l.taps.count) continue;
        *lo = GMI_MIN(*lo, GMI_MIN(a, b)), *hi = GMI_MAX(*hi, GMI_MAX(a, b) + l.count);
    }
    if (*hi < *lo) *lo = *hi = 0;
}

typedef struct planes {
    const gmi_gather *g;
    int32_t dx;
    int64_t y0, y1, x0, x1; /* source rows and columns held */
    int64_t width, plane;   /* floats of a row, of a channel */
} planes;

static planes planes_of(const gmi_gather *g, int32_t dx, int64_t o0, int64_t o1)
{
    planes p;
    p.g = g, p.dx = dx;
    reach(g->kh, g->dil_h, g->ph, g->shift_h, o0, o1, dx, &p.y0, &p.y1);
    reach(g->kw, g->dil_w, g->pw, g->shift_w, 0, g->ow, dx, &p.x0, &p.x1);
    p.width = p.x1 - p.x0;
    p.plane = ((p.y1 - p.y0) * p.width + 15) / 16 * 16;
    if (p.plane / 16 % 2 == 0) p.plane += 16; /* an odd number of lines: channels fall on all sets of a cache */
    return p;
}

/* Whether all phases of a unit are summed in one pass: conv_dx whose phases have one panel each, and taps (one without may be wider than the planes). What is
 * read of the planes then serves all phases with a tap there. Three output channels and more share the reading among them already, two with many source
 * channels gain nothing (0.97). */
static int together(const gmi_gather *g, const gmi_kernels *t)
{
    if (!GM_TRAINING || !t->lanes || g->ph * g->pw == 1 || g->kh < g->ph || g->kw < g->pw || g->dil_h > 1 || g->dil_w > 1) return 0;
    return g->ph * g->pw * g->oc <= GMI_MR_MAX && g->oc <= 2 && g->oc * g->sc <= 192 && g->kh * g->kw * g->oc <= ROWS &&
           gmi_ceil_div(g->kh, g->ph) * gmi_ceil_div(g->kw, g->pw) * g->sc <= GMI_KC;
}

int gmi_planar_plan(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    gmi_gather g = gmi_gather_of(p);
    int32_t dx = p->kind == GMI_CONV_DX;
    int64_t bands, most = 0, sums = 0, width = 0, units;
    uint64_t thread = 64;
    double terms;
    p->priv[PLANAR] = 0;
    if (g.groups > 1 || g.oc < 1 || g.oc > MANY_CHANNELS || g.sc < 8 || g.step_h != 1 || g.step_w != 1 || g.kh * g.kw * g.sc > GMI_SLAB_TERMS) return 0;
    if (g.ow / g.pw < 4 || g.oh * g.ow / (g.ph * g.pw) < 2 * t->nr / g.oc) return 0; /* too few pixels to fill the lanes */
    terms = (double)(g.n * g.oh * g.ow * g.oc) * (double)gmi_ceil_div(g.kh * g.kw * g.sc, g.ph * g.pw);
    units = gmi_worth_tasks(terms, max_tasks);
    bands = GMI_MAX(1, GMI_MIN(gmi_ceil_div(units, GMI_MAX(g.n, 1)), g.oh / g.ph));
    for (;; bands++) { /* planes small enough for the cache, if rows can be cut that far */
        most = sums = 0;
        for (int64_t b = 0; b < bands; b++) {
            planes q = planes_of(&g, dx, gmi_part(g.oh, bands, b), gmi_part(g.oh, bands, b + 1));
            most = GMI_MAX(most, q.plane), sums = GMI_MAX(sums, (gmi_ceil_div(gmi_ceil_div(g.oh, bands), g.ph) + 1) * q.width);
            width = q.width;
        }
        if (most * g.sc * (int64_t)sizeof(gmi_real) <= PLANE_BYTES || bands >= g.oh / g.ph) break;
    }
    p->priv[PLANAR] = 1, p->priv[BANDS] = bands;
    p->priv[PLANE_FLOATS] = most * g.sc + 4 * t->nr, p->priv[SUM_FLOATS] = sums * g.oc;
    p->priv[TOGETHER] = together(&g, t);
    if (p->priv[TOGETHER]) { /* columns in whole blocks, for each phase as many as for the one that has most */
        p->priv[PLANE_FLOATS] += 2 * width, p->priv[SUM_FLOATS] = (sums + GMI_LANES_VECTORS * t->width) * g.ph * g.pw * g.oc;
    }
    p->phases = 1, p->tasks = (int32_t)GMI_MAX(1, GMI_MIN(GM_TRAINING ? gmi_pieces(units, g.n * bands, terms) : units, g.n * bands));
    if (gmi_add_bytes(&thread, p->priv[PLANE_FLOATS], sizeof(gmi_real)) || gmi_add_bytes(&thread, p->priv[SUM_FLOATS], sizeof(gmi_real)) ||
        gmi_add_bytes(&thread, g.oc * g.kh * g.kw * g.sc, sizeof(gmi_real)))
        return -1;
    p->thread_bytes = thread, p->shared_bytes = 0;
    return 1;
}

/* The source rows [y0, y1) of the unit, channel by channel. What lies outside the source is zero already. */
static void fill_planes(const planes *p, const gmi_kernels *t, const gmi_real *image, gmi_real *to, int64_t y0, int64_t y1)
{
    int64_t a = GMI_MAX(p->x0, 0), b = GMI_MAX(a, GMI_MIN(p->x1, p->g->sw)), sc = p->g->sc;
    for (int64_t y = GMI_MAX(y0, 0); y < GMI_MIN(y1, p->g->sh); y++)
        t->transpose(b - a, sc, image + (y * p->g->sw + a) * sc, sc, to + (y - p->y0) * p->width + (a - p->x0), p->plane);
}

/* w[output channel][tap of the phase][source channel], phases one after another in each output channel's row. */
static void arrange_weights(const gmi_gather *g, int32_t dx, const gmi_real *w, gmi_real *to)
{
    for (int64_t f = 0; f < g->ph * g->pw; f++) {
        lane y = lane_of(g->kh, g->dil_h, g->ph, f / g->pw, g->shift_h, 0, 1, dx), x = lane_of(g->kw, g->dil_w, g->pw, f % g->pw, g->shift_w, 0, 1, dx);
        for (int64_t o = 0; o < g->oc; o++)
            for (int64_t tap = 0; tap < y.taps.count * x.taps.count; tap++) {
                int64_t ky = y.taps.k0 + tap / x.taps.count * y.taps.kstep, kx = x.taps.k0 + tap % x.taps.count * x.taps.kstep;
                for (int64_t s = 0; s < g->sc; s++) *to++ = w[s * g->w_s + o * g->w_o + ky * g->kw + kx];
            }
    }
}

/* The sums of one phase: [oc][columns], columns = rows of the phase's pixels, width apart. */
static void phase_sums(const planes *p, const gmi_kernels *t, const lane *y, const lane *x, const gmi_real *w, const gmi_real *from, gmi_real *sums, int64_t columns)
{
    const gmi_real *a[GMI_SEGMENTS_MAX * GMI_MR_MAX], *b[GMI_SEGMENTS_MAX];
    int64_t len[GMI_SEGMENTS_MAX], sc = p->g->sc, k = y->taps.count * x->taps.count * sc, at = 0;
    gmi_tile_args ta;
    memset(&ta, 0, sizeof ta);
    ta.a = a, ta.len = len, ta.a_cs = 1, ta.b_rs = p->plane, ta.b_ps = t->nr, ta.b_seg = b;
    ta.c = sums, ta.ldc = columns, ta.m = (int32_t)p->g->oc, ta.n = (int32_t)columns;
    do {
        int64_t end = GMI_MIN(k, at + GMI_KC);
        ta.accumulate = at > 0;
        for (ta.segments = 0; at < end; ta.segments++) {
            int64_t tap = at / sc, c = at % sc, dy = y->taps.d0 + tap / x->taps.count * y->taps.dstep, dx = x->taps.d0 + tap % x->taps.count * x->taps.dstep;
            b[ta.segments] = from + c * p->plane + (y->q + dy - p->y0) * p->width + (x->q + dx - p->x0);
            for (int32_t o = 0; o < ta.m; o++) a[ta.segments * GMI_MR_MAX + o] = w + o * k + at;
            len[ta.segments] = GMI_MIN(sc - c, end - at);
            at += len[ta.segments];
        }
        t->tile(&ta);
    } while (at < k);
}

static void unit(const planes *p, const gmi_kernels *t, const gmi_real *w, const gmi_real *from, gmi_real *sums, gmi_real *image, int64_t o0, int64_t o1)
{
    const gmi_gather *g = p->g;
    for (int64_t f = 0; f < g->ph * g->pw; f++) {
        lane y = lane_of(g->kh, g->dil_h, g->ph, f / g->pw, g->shift_h, o0, o1, p->dx), x = lane_of(g->kw, g->dil_w, g->pw, f % g->pw, g->shift_w, 0, g->ow, p->dx);
        int64_t columns = (y.count - 1) * p->width + x.count;
        if (y.count && x.count) {
            phase_sums(p, t, &y, &x, w, from, sums, columns);
            for (int64_t i = 0; i < y.count; i++)
                for (int64_t j = 0; j < x.count; j++) {
                    gmi_real *to = image + ((y.first + i * g->ph) * g->ow + x.first + j * g->pw) * g->oc;
                    for (int64_t c = 0; c < g->oc; c++) to[c] = sums[c * columns + i * p->width + j];
                }
        }
        w += g->oc * y.taps.count * x.taps.count * g->sc;
    }
}

/* All phases of a unit in one pass. For each place in the source the sums that have a tap there, two at a time; one that is left over comes twice. */
typedef struct pass {
    lane y[GMI_MR_MAX], x[GMI_MR_MAX]; /* by phase */
    int64_t ld, block, rows;           /* the sums are [phase, by its first output][oc][ld], ld in whole blocks; rows of a, b, c */
    const gmi_real *a[2 * ROWS], *b[2 * ROWS];
    gmi_real *c[2 * ROWS];
} pass;

static void place(const planes *p, pass *s, const gmi_real *w, const gmi_real *b, gmi_real *sums, int64_t y, int64_t x)
{
    const gmi_gather *g = p->g;
    int64_t m = s->rows;
    for (const lane *ly = s->y; ly < s->y + g->ph; ly++)
        for (const lane *lx = s->x; lx < s->x + g->pw; lx++) {
            int64_t ty = ly->q + ly->taps.d0 - y, tx = lx->q + lx->taps.d0 - x;
            gmi_real *c = sums + ((ly - s->y) * g->pw + lx->first) * g->oc * s->ld;
            for (int64_t o = 0; o < g->oc; o++, c += s->ld, w += ly->taps.count * lx->taps.count * g->sc) {
                if (ty < 0 || ty >= ly->taps.count || tx < 0 || tx >= lx->taps.count) continue;
                s->a[m] = s->a[m + 1] = w + (ty * lx->taps.count + tx) * g->sc;
                s->c[m] = s->c[m + 1] = c;
                s->b[m++] = b;
            }
        }
    s->rows = m + m % 2;
}

/* The lanes of an axis for all phases, and the places [*lo, *hi) of their first outputs' taps. */
static void lanes_of(lane *l, int64_t taps, int64_t phases, int64_t shift, int64_t o0, int64_t o1, int64_t *lo, int64_t *hi)
{
    for (int64_t f = 0; f < phases; f++) l[f] = lane_of(taps, 1, phases, f, shift, o0, o1, 1);
    reach(taps, 1, phases, shift, o0, GMI_MIN(o1, o0 + phases), 1, lo, hi);
}

/* Places are taken backwards: then each phase meets its taps in order. */
static void pass_of(const planes *p, const gmi_kernels *t, const gmi_real *w, const gmi_real *from, gmi_real *sums, int64_t o0, int64_t o1, pass *s)
{
    const gmi_gather *g = p->g;
    int64_t y0, y1, x0, x1;
    lanes_of(s->y, g->kh, g->ph, g->shift_h, o0, o1, &y0, &y1);
    lanes_of(s->x, g->kw, g->pw, g->shift_w, 0, g->ow, &x0, &x1);
    s->block = GMI_LANES_VECTORS * t->width, s->ld = gmi_ceil_div(gmi_ceil_div(o1 - o0, g->ph) * p->width, s->block) * s->block, s->rows = 0;
    s->b[0] = from; /* no taps at all: no rows */
    for (int64_t y = y1 - 1; y >= y0; y--)
        for (int64_t x = x1 - 1; x >= x0; x--) place(p, s, w, from + (y - p->y0) * p->width + (x - p->x0), sums, y, x);
}

static void unit_together(const planes *p, const gmi_kernels *t, const pass *s, const gmi_real *source, gmi_real *from, gmi_real *sums, gmi_real *image)
{
    const gmi_gather *g = p->g;
    int64_t across = g->pw * g->oc, filled = p->y0;
    memset(sums, 0, (size_t)(g->ph * across * s->ld) * sizeof *sums);
    for (int64_t j = 0; j < s->ld; j += s->block) { /* rows go to the planes when they are needed: so they are read from the first-level cache */
        int64_t rows = GMI_MIN(p->y1, p->y0 + (s->b[0] - from + j + s->block - 1) / p->width + 1);
        fill_planes(p, t, source, from, filled, rows);
        filled = rows;
        for (int64_t i = 0; i < s->rows; i += 2) t->lanes(g->sc, s->a[i], s->a[i + 1], s->b[i] + j, p->plane, s->c[i] + j, s->c[i + 1] + j);
    }
    for (const lane *y = s->y; y < s->y + g->ph; y++)
        for (int64_t i = 0; i < y->count; i++) {
            const gmi_real *x = sums + (y - s->y) * across * s->ld + i * p->width;
            gmi_real *to = image + (y->first + i * g->ph) * g->ow * g->oc;
            for (int64_t c = 0; c < across; c++, x += s->ld)
                for (int64_t j = 0, k = c; k < g->ow * g->oc; j++, k += across) to[k] = x[j];
        }
}

void gmi_planar_task_rows(const gmi_conv_plan *p, int32_t task, int64_t *m0, int64_t *m1)
{
    gmi_gather g = gmi_gather_of(p);
    int64_t bands = p->priv[BANDS], u[2] = {gmi_part(g.n * bands, p->tasks, task), gmi_part(g.n * bands, p->tasks, task + 1)};
    *m0 = (u[0] / bands * g.oh + gmi_part(g.oh, bands, u[0] % bands)) * g.ow;
    *m1 = (u[1] / bands * g.oh + gmi_part(g.oh, bands, u[1] % bands)) * g.ow;
}

void gmi_planar_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t task, void *scratch)
{
    gmi_gather g = gmi_gather_of(p);
    int32_t dx = p->kind == GMI_CONV_DX, zeroed = 0;
    pass s;
    int64_t bands = p->priv[BANDS], units = g.n * bands;
    gmi_real *from = gmi_align64(scratch), *sums = gmi_align64(from + p->priv[PLANE_FLOATS]), *w = gmi_align64(sums + p->priv[SUM_FLOATS]);
    arrange_weights(&g, dx, io->b, w);
    for (int64_t u = gmi_part(units, p->tasks, task); u < gmi_part(units, p->tasks, task + 1); u++) {
        int64_t n = u / bands, o0 = gmi_part(g.oh, bands, u % bands), o1 = gmi_part(g.oh, bands, u % bands + 1);
        planes q = planes_of(&g, dx, o0, o1);
        /* zeros around the source, and behind the last channel, whose last columns read on: whole images leave them as they are */
        if (bands > 1 || !zeroed) memset(from, 0, (size_t)p->priv[PLANE_FLOATS] * sizeof *from);
        if (GM_TRAINING && p->priv[TOGETHER]) {
            if (bands > 1 || !zeroed) pass_of(&q, t, w, from, sums, o0, o1, &s);
            unit_together(&q, t, &s, io->a + n * g.sh * g.sw * g.sc, from, sums, io->c + n * g.oh * g.ow * g.oc);
        } else {
            fill_planes(&q, t, io->a + n * g.sh * g.sw * g.sc, from, q.y0, q.y1);
            unit(&q, t, w, from, sums, io->c + n * g.oh * g.ow * g.oc, o0, o1);
        }
        zeroed = 1;
        if (io->epilogue) io->epilogue(io->epilogue_user, (n * g.oh + o0) * g.ow, (n * g.oh + o1) * g.ow, 0, g.oc, task);
    }
}
