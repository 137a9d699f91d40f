/* SPDX-License-Identifier: MIT */
/* test_svg.c: the text of every element, numbers, escaping, what is left out, failures. */
#include "format/svg.h"
#include "format_util.h"

static gm_context *ctx;

/* Ends the drawing and compares what lies between the background and the end. */
static void drawn(gmi_svg *s, const char *want, const char *what)
{
    static const char head[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50.5\" viewBox=\"0 0 100 50.5\" font-family=\"sans-serif\">\n"
                               "<rect x=\"0\" y=\"0\" width=\"100\" height=\"50.5\" fill=\"#ffffff\"/>\n";
    char all[4096];
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gmi_out o;
    uint64_t before = fu_now(ctx);
    ok(!gmi_out_open(ctx, &w, &o) && !gmi_out_close(&o, gmi_svg_end(s, &o)), "written");
    fu_write(&k, "", 1);
    snprintf(all, sizeof all, "%s%s</svg>\n", head, want);
    is_text((char *)k.p, all, "%s", what);
    free(k.p);
    ok(fu_now(ctx) < before, "freed");
    gmi_svg_begin(s, ctx, 100, 50.5);
}

static gm_status draw(gm_context *c, size_t fail_at)
{
    gmi_svg s;
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gmi_out o;
    gm_status r;
    k.fail_at = fail_at;
    gmi_enter(c, "draw");
    r = gmi_out_open(c, &w, &o);
    gmi_svg_begin(&s, c, 640, 480);
    for (int i = 0; i < 2000; i++) gmi_svg_circle(&s, i * 0.3, i * 0.2, 3, gmi_svg_palette(i), 0.5);
    if (!r) r = gmi_out_close(&o, gmi_svg_end(&s, &o));
    else gmi_buf_free(&s.b);
    free(k.p);
    return gmi_leave(c, r);
}

int main(void)
{
    static const double x[8] = {1, 2, NAN, 3, INFINITY, 4, 5.128, 6}, y[8] = {1, 2, 3, 4, 5, 6, -0.001, NAN};
    gmi_svg s;
    ctx = fu_context(NULL);
    gmi_svg_begin(&s, ctx, 100, 50.5);
    drawn(&s, "", "an empty drawing");
    gmi_svg_rect(&s, -5, -2.25, 3.999, 1e6, NULL, "red");
    gmi_svg_rect(&s, 1, 2, 3, 4, "#00ff00", NULL);
    drawn(&s, "<rect x=\"-5\" y=\"-2.25\" width=\"4\" height=\"1000000\" fill=\"none\" stroke=\"red\"/>\n<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" fill=\"#00ff00\"/>\n",
          "rectangles");
    gmi_svg_circle(&s, 1.005, 100, 0.5, "red", 1);
    gmi_svg_circle(&s, 1.1, 1, 1, "red", 0.25);
    drawn(&s, "<circle cx=\"1\" cy=\"100\" r=\"0.5\" fill=\"red\"/>\n<circle cx=\"1.1\" cy=\"1\" r=\"1\" fill=\"red\" fill-opacity=\"0.25\"/>\n",
          "circles");
    gmi_svg_line(&s, 0, 1, 2, 3, "blue", 1.5);
    drawn(&s, "<line x1=\"0\" y1=\"1\" x2=\"2\" y2=\"3\" stroke=\"blue\" stroke-width=\"1.5\"/>\n", "a line");
    gmi_svg_polyline(&s, 8, x, y, "red", 2);
    gmi_svg_polyline(&s, 2, x, y, "red", 2);
    gmi_svg_polyline(&s, 0, x, y, "red", 2);
    drawn(&s, "<polyline fill=\"none\" stroke=\"red\" stroke-width=\"2\" points=\"1,1 2,2\"/>\n<polyline fill=\"none\" stroke=\"red\" stroke-width=\"2\" points=\"3,4\"/>\n"
              "<polyline fill=\"none\" stroke=\"red\" stroke-width=\"2\" points=\"4,6 5.13,0\"/>\n<polyline fill=\"none\" stroke=\"red\" stroke-width=\"2\" points=\"1,1 2,2\"/>\n",
          "a polyline breaks at what is not finite; -0.001 is 0");
    gmi_svg_text(&s, 1, 2, 12, GMI_SVG_START, "a<b>&\"c\"\n\xc3\xa9\xff");
    gmi_svg_text(&s, 1, 2, 12, GMI_SVG_MIDDLE, "m");
    gmi_svg_text(&s, 1, 2, 12, GMI_SVG_END, "");
    drawn(&s, "<text x=\"1\" y=\"2\" font-size=\"12\">a&lt;b&gt;&amp;&quot;c&quot; \xc3\xa9?</text>\n<text x=\"1\" y=\"2\" font-size=\"12\" text-anchor=\"middle\">m</text>\n"
              "<text x=\"1\" y=\"2\" font-size=\"12\" text-anchor=\"end\"></text>\n",
          "text");
    for (int i = 0; i < 4; i++) {
        double v[4] = {1, 1, 1, 1};
        v[i] = i % 2 ? NAN : -1e9;
        gmi_svg_rect(&s, v[0], v[1], v[2], v[3], "red", NULL);
        gmi_svg_line(&s, v[0], v[1], v[2], v[3], "red", 1);
        v[3] = 1;
        if (i < 3) gmi_svg_circle(&s, v[0], v[1], v[2], "red", 1);
        if (i < 2) gmi_svg_text(&s, v[0], v[1], 12, GMI_SVG_START, "x");
    }
    drawn(&s, "", "what has a coordinate that is not finite is left out");
    gmi_svg_raw(&s, "<g>\n");
    gmi_svg_line(&s, 0, 1, 2, 3, "a\"b", 1);
    drawn(&s, "<g>\n<line x1=\"0\" y1=\"1\" x2=\"2\" y2=\"3\" stroke=\"a&quot;b\" stroke-width=\"1\"/>\n", "raw text, an escaped colour");
    gmi_buf_free(&s.b);
    is_text(gmi_svg_palette(0), gmi_svg_palette(10), "the palette repeats");
    is_text(gmi_svg_palette(-1), "#7f7f7f", "and is grey for no class");
    ok(draw(ctx, SIZE_MAX) == GM_OK && draw(ctx, 0) == GM_E_IO, "a write that fails");
    {
        fu_heap heap;
        gm_context *c = fu_context(&heap);
        for (long n = 1;; n++) {
            size_t now = heap.now;
            gm_status r;
            heap.fail_at = heap.count + n;
            r = draw(c, SIZE_MAX);
            heap.fail_at = 0;
            if (r != GM_E_NOMEM || heap.now != now) {
                ok(r == GM_OK && heap.now == now && n > 5, "allocation failures 1 to %d", (int)n - 1);
                break;
            }
        }
        gm_context_destroy(c);
    }
    gm_context_destroy(ctx);
    return done();
}
