/* SPDX-License-Identifier: MIT */
/* viz_plot.c: plots as SVG: points coloured by class, and curves, with axes, ticks and a legend.
 *
 * Ticks stand at multiples of 1, 2 or 5 times a power of ten (P. Heckbert, Nice numbers for graph labels, Graphics Gems 1990), kept as integers times that
 * power, so that their labels are exact. What is not finite is left out. Not here: logarithmic axes, titles, error bars. */
#include "genrep/viz.h"
#include "format/bytes.h"
#include "format/svg.h"
#include "tensor/convert.h"
#include "tensor/tensor.h"

#define WIDTH 720
#define HEIGHT 520
#define LEFT 64
#define RIGHT 96
#define TOP 20
#define BOTTOM 40
#define GREY "#888888"
#define CLASSES_MAX 24 /* entries of a legend */

/* Data [lo, hi] to pixels [from, to]. */
typedef struct scale {
    double lo, hi, from, to;
} scale;

static double pixel(const scale *s, double v) { return s->from + (v - s->lo) / (s->hi - s->lo) * (s->to - s->from); }

/* Bounds that grow with the values seen; lo > hi: none yet. */
typedef struct bounds {
    double lo, hi;
} bounds;

static void bounds_init(bounds *b)
{
    b->lo = 1;
    b->hi = 0;
}

static void bounds_add(bounds *b, double v)
{
    if (!(v > -1e300 && v < 1e300)) return;
    if (b->lo > b->hi) b->lo = b->hi = v;
    b->lo = v < b->lo ? v : b->lo;
    b->hi = v > b->hi ? v : b->hi;
}

/* A little room on both sides, also for one value and for none. */
static void set_scale(scale *s, const bounds *b, double room, double from, double to)
{
    double lo = b->lo > b->hi ? 0 : b->lo, hi = b->lo > b->hi ? 1 : b->hi, size = (lo < 0 ? -lo : lo) + (hi < 0 ? -hi : hi);
    if (!(hi - lo > 1e-12 * size)) {
        lo -= size > 0 ? 0.05 * size : 0.5;
        hi += size > 0 ? 0.05 * size : 0.5;
    }
    s->lo = lo - room * (hi - lo);
    s->hi = hi + room * (hi - lo);
    s->from = from;
    s->to = to;
}

/* ---- ticks ---- */

static double power10(int32_t e)
{
    double p = 1;
    for (; e > 0; e--) p *= 10;
    return p;
}

/* i times 1, 2 or 5 times 10^e, with one rounding while 10^|e| is exact. */
static double tick_value(int64_t i, int32_t digit, int32_t e)
{
    double v = (double)(i * digit);
    return e < 0 ? v / power10(-e) : v * power10(e);
}

/* digit and exponent of a step that cuts span into at most `most` parts. */
static void tick_step(double span, int32_t most, int32_t *digit, int32_t *e)
{
    *digit = 1;
    *e = 0;
    while (tick_value(most, 1, *e) > span && *e > -300) --*e;
    while (tick_value(most, *digit, *e) < span && *e < 300) {
        if (*digit == 5) ++*e;
        *digit = *digit == 1 ? 2 : *digit == 2 ? 5 : 1;
    }
}

static void tick_label(char *to, size_t n, double v) { gmi_format_double(to, n, v == 0 ? 0 : v); }

static int64_t first_tick(double lo, double step)
{
    double q = lo / step;
    int64_t i = (int64_t)q;
    return (double)i < q ? i + 1 : i;
}

static void axis(gmi_svg *g, const scale *s, const scale *other, int vertical, int32_t most)
{
    int32_t digit, e;
    char label[40];
    double step;
    tick_step(s->hi - s->lo, most, &digit, &e);
    step = tick_value(1, digit, e);
    if (!(step > 0) || !(s->lo / step > -1e15 && s->hi / step < 1e15)) return;
    for (int64_t i = first_tick(s->lo, step); tick_value(i, digit, e) <= s->hi; i++) {
        double p = pixel(s, tick_value(i, digit, e));
        tick_label(label, sizeof label, tick_value(i, digit, e));
        if (vertical) {
            gmi_svg_line(g, other->from, p, other->to, p, "#e6e6e6", 1);
            gmi_svg_text(g, other->from - 6, p + 4, 12, GMI_SVG_END, label);
        } else {
            gmi_svg_line(g, p, other->from, p, other->to, "#e6e6e6", 1);
            gmi_svg_text(g, p, other->from + 18, 12, GMI_SVG_MIDDLE, label);
        }
    }
}

static void frame(gmi_svg *g, const scale *x, const scale *y)
{
    axis(g, x, y, 0, 8);
    axis(g, y, x, 1, 7);
    gmi_svg_rect(g, x->from, y->to, x->to - x->from, y->from - y->to, NULL, GREY);
}

static void legend(gmi_svg *g, int64_t row, const char *colour, const char *text)
{
    double y = TOP + 10 + 18 * (double)row;
    gmi_svg_rect(g, WIDTH - RIGHT + 12, y - 5, 10, 10, colour, NULL);
    gmi_svg_text(g, WIDTH - RIGHT + 27, y + 4, 12, GMI_SVG_START, text);
}

static gm_status finish(gm_context *c, gmi_svg *g, gm_writer *w)
{
    gmi_out o;
    gm_status s = gmi_out_open(c, w, &o);
    if (s) {
        gmi_buf_free(&g->b);
        return gmi_out_close(&o, s);
    }
    return gmi_out_close(&o, gmi_svg_end(g, &o));
}

static double element(const gm_tensor *t, int64_t i, int64_t j)
{
    double v;
    const char *p = (const char *)t->data + i * t->strides[0] + (t->rank > 1 ? j * t->strides[1] : 0);
    gmi_convert_row(1, GM_F64, (char *)&v, sizeof v, t->dtype, p, 0);
    return v;
}

/* ---- points ---- */

/* One unit is as long across as it is up. */
static void equal_units(scale *x, scale *y)
{
    double across = (x->hi - x->lo) / (x->to - x->from), up = (y->hi - y->lo) / (y->from - y->to);
    scale *s = across < up ? x : y;
    double grow = (across < up ? up / across : across / up) * (s->hi - s->lo) / 2, middle = (s->lo + s->hi) / 2;
    s->lo = middle - grow;
    s->hi = middle + grow;
}

static gm_status check_points(gm_context *c, const gm_tensor *z, const gm_tensor *labels)
{
    if (z->rank != 2 || z->dims[1] != 2 || !z->dims[0])
        return gmi_fail(c, GM_E_SHAPE, "z is %v: points [n,2] are needed; gm_viz_pca makes them of [n,d]", z->rank, z->dims);
    if (!labels) return GM_OK;
    if (labels->rank != 1 || labels->dims[0] != z->dims[0]) return gmi_fail(c, GM_E_SHAPE, "labels are %v: [%i] is needed", labels->rank, labels->dims, z->dims[0]);
    if (labels->dtype == GM_F32 || labels->dtype == GM_F64) return gmi_fail(c, GM_E_DTYPE, "labels are %s: integers are needed", gm_dtype_name(labels->dtype));
    return GM_OK;
}

static void class_legend(gmi_svg *g, const gm_tensor *labels, int64_t n)
{
    char text[40];
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = GMI_MAX(most, element(labels, i, 0));
    for (int64_t k = 0; k < CLASSES_MAX && (double)k <= most; k++) {
        gmi_format(text, sizeof text, "%i", k);
        legend(g, k, gmi_svg_palette(k), text);
    }
    if (most >= CLASSES_MAX) gmi_svg_text(g, WIDTH - RIGHT + 12, TOP + 14 + 18 * CLASSES_MAX, 12, GMI_SVG_START, "...");
}

static gm_status scatter(gm_context *c, const gm_tensor *z, const gm_tensor *labels, gm_writer *w)
{
    gmi_svg g;
    bounds bx, by;
    scale x, y;
    int64_t n = z->dims[0];
    double radius = n > 20000 ? 1 : n > 2000 ? 1.6 : 2.5;
    bounds_init(&bx);
    bounds_init(&by);
    for (int64_t i = 0; i < n; i++) {
        bounds_add(&bx, element(z, i, 0));
        bounds_add(&by, element(z, i, 1));
    }
    set_scale(&x, &bx, 0.04, LEFT, WIDTH - RIGHT);
    set_scale(&y, &by, 0.04, HEIGHT - BOTTOM, TOP);
    equal_units(&x, &y);
    gmi_svg_begin(&g, c, WIDTH, HEIGHT);
    frame(&g, &x, &y);
    for (int64_t i = 0; i < n; i++) {
        double k = labels ? element(labels, i, 0) : 0;
        gmi_svg_circle(&g, pixel(&x, element(z, i, 0)), pixel(&y, element(z, i, 1)), radius, gmi_svg_palette((int64_t)k), 0.7);
    }
    if (labels) class_legend(&g, labels, n);
    return finish(c, &g, w);
}

gm_status gm_viz_scatter(gm_context *c, const gm_tensor *z, const gm_tensor *labels, gm_writer *svg)
{
    gm_status s;
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "viz_scatter");
    if (!z || !svg) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "%s is NULL", z ? "the writer" : "z"));
    s = check_points(c, z, labels);
    if (!s) s = scatter(c, z, labels, svg);
    return gmi_leave(c, s);
}

/* ---- curves ---- */

static double curve_x(const gm_tensor *t, int64_t i) { return t->rank == 2 ? element(t, i, 0) : (double)i; }
static double curve_y(const gm_tensor *t, int64_t i) { return element(t, i, 1); }

static gm_status check_curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y)
{
    if (n < 1 || !names || !y) return gmi_fail(c, GM_E_INVALID, "%d curves, names and values: at least one, and neither may be NULL", n);
    for (int32_t k = 0; k < n; k++) {
        if (!names[k] || !y[k]) return gmi_fail(c, GM_E_INVALID, "curve %d has no %s", k, names[k] ? "values" : "name");
        if (y[k]->rank < 1 || y[k]->rank > 2 || (y[k]->rank == 2 && y[k]->dims[1] != 2))
            return gmi_fail(c, GM_E_SHAPE, "curve %S is %v: values [n] or points [n,2] are needed", names[k], y[k]->rank, y[k]->dims);
    }
    return GM_OK;
}

/* One curve; x and y of its points, a block at a time with one point of overlap. */
static void draw_curve(gmi_svg *g, const gm_tensor *t, const scale *sx, const scale *sy, const char *colour)
{
    double x[257], y[257];
    int64_t n = t->dims[0];
    for (int64_t first = 0; first < n; first += 256) {
        int64_t m = GMI_MIN(n - first, 257);
        for (int64_t i = 0; i < m; i++) {
            x[i] = pixel(sx, curve_x(t, first + i));
            y[i] = pixel(sy, curve_y(t, first + i));
        }
        if (m > 1) gmi_svg_polyline(g, m, x, y, colour, 1.5);
        else if (n == 1) gmi_svg_circle(g, x[0], y[0], 2.5, colour, 1);
    }
}

static gm_status curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y, gm_writer *w)
{
    gmi_svg g;
    bounds bx, by;
    scale sx, sy;
    bounds_init(&bx);
    bounds_init(&by);
    for (int32_t k = 0; k < n; k++)
        for (int64_t i = 0; i < y[k]->dims[0]; i++) {
            bounds_add(&bx, curve_x(y[k], i));
            bounds_add(&by, curve_y(y[k], i));
        }
    set_scale(&sx, &bx, 0, LEFT, WIDTH - RIGHT);
    set_scale(&sy, &by, 0.04, HEIGHT - BOTTOM, TOP);
    gmi_svg_begin(&g, c, WIDTH, HEIGHT);
    frame(&g, &sx, &sy);
    for (int32_t k = 0; k < n; k++) {
        draw_curve(&g, y[k], &sx, &sy, gmi_svg_palette(k));
        if (k < CLASSES_MAX) legend(&g, k, gmi_svg_palette(k), names[k]);
    }
    return finish(c, &g, w);
}

gm_status gm_viz_curves(gm_context *c, int32_t n, const char *const *names, gm_tensor *const *y, gm_writer *svg)
{
    gm_status s;
    if (!c) return GM_E_INVALID;
    gmi_enter(c, "viz_curves");
    if (!svg) return gmi_leave(c, gmi_fail(c, GM_E_INVALID, "the writer is NULL"));
    s = check_curves(c, n, names, y);
    if (!s) s = curves(c, n, names, y, svg);
    return gmi_leave(c, s);
}
