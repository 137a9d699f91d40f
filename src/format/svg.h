/* SPDX-License-Identifier: MIT */
/* svg.h: a canvas that writes SVG 1.1 text: rectangles, circles, lines, paths of points, text. Coordinates are pixels, y downwards, rounded to 1/100;
 * what has a coordinate that is not finite is left out (a polyline breaks there). Colours are "#rrggbb" or names. Failures to allocate stay in the
 * buffer until end. */
#ifndef GMI_FORMAT_SVG_H
#define GMI_FORMAT_SVG_H
#include "base/base.h"
typedef struct gmi_svg {
    gmi_buf b;
} gmi_svg;
enum { GMI_SVG_START, GMI_SVG_MIDDLE, GMI_SVG_END };
void gmi_svg_begin(gmi_svg *s, gm_context *c, double width, double height); /* with a white background */
void gmi_svg_rect(gmi_svg *s, double x, double y, double w, double h, const char *fill, const char *stroke); /* NULL = none */
void gmi_svg_circle(gmi_svg *s, double x, double y, double r, const char *fill, double opacity);
void gmi_svg_line(gmi_svg *s, double x1, double y1, double x2, double y2, const char *stroke, double width);
void gmi_svg_polyline(gmi_svg *s, int64_t n, const double *x, const double *y, const char *stroke, double width);
void gmi_svg_text(gmi_svg *s, double x, double y, double size, int32_t anchor, const char *text); /* escaped; control characters become spaces */
void gmi_svg_raw(gmi_svg *s, const char *xml); /* trusted text of the library's own */
gm_status gmi_svg_end(gmi_svg *s, gmi_out *o); /* writes and frees */
const char *gmi_svg_palette(int64_t i);        /* a colour for class i: ten that colour-blind readers can tell apart, repeated */
#endif
