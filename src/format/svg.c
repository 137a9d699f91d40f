/* SPDX-License-Identifier: MIT */
/* svg.c: elements as text. Numbers have at most two digits after the point, without trailing zeros, so that the same drawing has the same bytes. */
#include "format/svg.h"
#include "format/bytes.h"

static int drawable(double v)
{
    return v > -1e9 && v < 1e9; /* false for NaN */
}

static void number(gmi_buf *b, double v)
{
    char t[48];
    size_t n = gmi_format_fixed(t, sizeof t, v, 2);
    while (t[n - 1] == '0') n--;
    if (t[n - 1] == '.') n--;
    gmi_buf_add(b, t, n);
}

static void attribute(gmi_buf *b, const char *name, double v)
{
    gmi_buf_format(b, " %s=\"", name);
    number(b, v);
    gmi_buf_text(b, "\"");
}

/* For XML: what is not UTF-8 becomes '?', control characters a space. */
static void escaped(gmi_buf *b, const char *s)
{
    size_t n = strlen(s), i, k;
    for (i = 0; i < n; i += k) {
        int len = gmi_utf8_len(s + i, n - i);
        k = len ? (size_t)len : 1;
        if (!len) gmi_buf_text(b, "?");
        else if (s[i] == '&') gmi_buf_text(b, "&amp;");
        else if (s[i] == '<') gmi_buf_text(b, "&lt;");
        else if (s[i] == '>') gmi_buf_text(b, "&gt;");
        else if (s[i] == '"') gmi_buf_text(b, "&quot;");
        else if ((unsigned char)s[i] < 32) gmi_buf_text(b, " ");
        else gmi_buf_add(b, s + i, k);
    }
}

static void word(gmi_buf *b, const char *name, const char *value)
{
    gmi_buf_format(b, " %s=\"", name);
    escaped(b, value ? value : "none");
    gmi_buf_text(b, "\"");
}

void gmi_svg_begin(gmi_svg *s, gm_context *c, double width, double height)
{
    gmi_buf_init(&s->b, c);
    gmi_buf_text(&s->b, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    attribute(&s->b, "width", width);
    attribute(&s->b, "height", height);
    gmi_buf_text(&s->b, " viewBox=\"0 0 ");
    number(&s->b, width);
    gmi_buf_text(&s->b, " ");
    number(&s->b, height);
    gmi_buf_text(&s->b, "\" font-family=\"sans-serif\">\n");
    gmi_svg_rect(s, 0, 0, width, height, "#ffffff", NULL);
}

void gmi_svg_rect(gmi_svg *s, double x, double y, double w, double h, const char *fill, const char *stroke)
{
    if (!drawable(x) || !drawable(y) || !drawable(w) || !drawable(h)) return;
    gmi_buf_text(&s->b, "<rect");
    attribute(&s->b, "x", x);
    attribute(&s->b, "y", y);
    attribute(&s->b, "width", w);
    attribute(&s->b, "height", h);
    word(&s->b, "fill", fill);
    if (stroke) word(&s->b, "stroke", stroke);
    gmi_buf_text(&s->b, "/>\n");
}

void gmi_svg_circle(gmi_svg *s, double x, double y, double r, const char *fill, double opacity)
{
    if (!drawable(x) || !drawable(y) || !drawable(r)) return;
    gmi_buf_text(&s->b, "<circle");
    attribute(&s->b, "cx", x);
    attribute(&s->b, "cy", y);
    attribute(&s->b, "r", r);
    word(&s->b, "fill", fill);
    if (opacity < 1) attribute(&s->b, "fill-opacity", opacity);
    gmi_buf_text(&s->b, "/>\n");
}

void gmi_svg_line(gmi_svg *s, double x1, double y1, double x2, double y2, const char *stroke, double width)
{
    if (!drawable(x1) || !drawable(y1) || !drawable(x2) || !drawable(y2)) return;
    gmi_buf_text(&s->b, "<line");
    attribute(&s->b, "x1", x1);
    attribute(&s->b, "y1", y1);
    attribute(&s->b, "x2", x2);
    attribute(&s->b, "y2", y2);
    word(&s->b, "stroke", stroke);
    attribute(&s->b, "stroke-width", width);
    gmi_buf_text(&s->b, "/>\n");
}

void gmi_svg_polyline(gmi_svg *s, int64_t n, const double *x, const double *y, const char *stroke, double width)
{
    int open = 0;
    for (int64_t i = 0; i <= n; i++) {
        int good = i < n && drawable(x[i]) && drawable(y[i]);
        if (good && !open) {
            gmi_buf_text(&s->b, "<polyline fill=\"none\"");
            word(&s->b, "stroke", stroke);
            attribute(&s->b, "stroke-width", width);
            gmi_buf_text(&s->b, " points=\"");
        }
        if (good) {
            if (open) gmi_buf_text(&s->b, " ");
            number(&s->b, x[i]);
            gmi_buf_text(&s->b, ",");
            number(&s->b, y[i]);
        } else if (open) {
            gmi_buf_text(&s->b, "\"/>\n");
        }
        open = good;
    }
}

void gmi_svg_text(gmi_svg *s, double x, double y, double size, int32_t anchor, const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    if (!drawable(x) || !drawable(y)) return;
    gmi_buf_text(&s->b, "<text");
    attribute(&s->b, "x", x);
    attribute(&s->b, "y", y);
    attribute(&s->b, "font-size", size);
    if (anchor != GMI_SVG_START) word(&s->b, "text-anchor", anchors[anchor]);
    gmi_buf_text(&s->b, ">");
    escaped(&s->b, text);
    gmi_buf_text(&s->b, "</text>\n");
}

void gmi_svg_raw(gmi_svg *s, const char *xml)
{
    gmi_buf_text(&s->b, xml);
}

gm_status gmi_svg_end(gmi_svg *s, gmi_out *o)
{
    gm_status r;
    gmi_buf_text(&s->b, "</svg>\n");
    r = s->b.failed ? gmi_alloc_status(s->b.ctx) : gmi_out_write(o, s->b.p, s->b.n);
    gmi_buf_free(&s->b);
    return r;
}

const char *gmi_svg_palette(int64_t i)
{
    static const char *const colors[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#8c6d31", "#7f7f7f",
                                         "#b8b800"};
    return colors[i < 0 ? 8 : i % 10];
}
