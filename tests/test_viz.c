/* SPDX-License-Identifier: MIT */
/* test_viz.c: contact sheets against the PNG of the expected pixels; plots by their elements; principal components of known data; refusals, failing allocations. */
#include "format/png.h"
#include "format_util.h"
#include "genrep/viz.h"

static gm_tensor *wrapped(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *strides, void *p)
{
    gm_tensor *x = NULL;
    return gm_tensor_wrap(c, t, rank, dims, strides, p, &x) ? NULL : x;
}

/* 1 when the sheet's bytes are those of a PNG of these pixels. */
static int draws(gm_context *c, const gm_tensor *t, int32_t columns, int64_t w, int64_t h, int64_t channels, const uint8_t *pixels)
{
    fu_sink got, want;
    gm_writer a = fu_writer(&got), b = fu_writer(&want);
    gmi_out o;
    int same = !gm_viz_grid(c, t, columns, &a);
    same &= !gmi_out_open(c, &b, &o) && !gmi_out_close(&o, gmi_png_write(c, &o, w, h, channels, pixels));
    same &= got.n == want.n && !memcmp(got.p, want.p, got.n);
    free(got.p), free(want.p);
    return same;
}

/* The sheet as it should be: images [n,c,h,w] as levels. */
static uint8_t *expect(int64_t n, int64_t ch, int64_t h, int64_t w, int64_t f, int64_t columns, const uint8_t *x, int64_t *width, int64_t *height)
{
    int64_t rows = (n + columns - 1) / columns;
    uint8_t *p;
    *width = columns * (w * f + 2) + 2;
    *height = rows * (h * f + 2) + 2;
    p = malloc((size_t)(*width * *height * ch));
    memset(p, 200, (size_t)(*width * *height * ch));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < ch; k++)
            for (int64_t y = 0; y < h * f; y++)
                for (int64_t z = 0; z < w * f; z++)
                    p[((2 + i / columns * (h * f + 2) + y) * *width + 2 + i % columns * (w * f + 2) + z) * ch + k] = x[((i * ch + k) * h + y / f) * w + z / f];
    return p;
}

static void test_grid(gm_context *c)
{
    uint8_t u[5 * 3 * 40 * 33], *want;
    float f[5 * 64];
    int64_t eight[4] = {5, 1, 8, 8}, plain[3] = {5, 8, 8}, flat[2] = {5, 64}, colour[4] = {5, 3, 40, 33}, swapped[4] = {3 * 40 * 33, 1, 33 * 3, 3}, w, h;
    gm_tensor *t;
    for (size_t i = 0; i < sizeof u; i++) u[i] = (uint8_t)(i * 37 + i / 100);
    want = expect(5, 1, 8, 8, 4, 3, u, &w, &h);
    t = wrapped(c, GM_U8, 4, eight, NULL, u);
    ok(draws(c, t, 0, w, h, 1, want), "five images of 8x8: three columns, enlarged four times");
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 3, plain, NULL, u);
    ok(draws(c, t, 3, w, h, 1, want), "[n,h,w]");
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 2, flat, NULL, u);
    ok(draws(c, t, 3, w, h, 1, want), "[n,d]");
    gm_tensor_destroy(t);
    for (int i = 0; i < 5 * 64; i++) f[i] = (float)u[i] / 255;
    t = wrapped(c, GM_F32, 4, eight, NULL, f);
    ok(draws(c, t, 3, w, h, 1, want), "f32 of 0..1");
    free(want);
    f[0] = -3, f[1] = 7, f[2] = NAN, f[3] = 0.5f;
    u[0] = 0, u[1] = 255, u[2] = 0, u[3] = 128;
    want = expect(5, 1, 8, 8, 4, 1, u, &w, &h);
    ok(draws(c, t, 1, w, h, 1, want), "clamped, NaN black, one column");
    gm_tensor_destroy(t);
    free(want);
    want = expect(5, 3, 40, 33, 1, 5, u, &w, &h);
    t = wrapped(c, GM_U8, 4, colour, NULL, u);
    ok(draws(c, t, 99, w, h, 3, want), "RGB, as they are, no more columns than images");
    gm_tensor_destroy(t);
    free(want);
    {
        uint8_t *v = malloc(sizeof u); /* [n,h,w,c] in memory, the same picture */
        for (int i = 0; i < 5; i++)
            for (int k = 0; k < 3; k++)
                for (int y = 0; y < 40; y++)
                    for (int x = 0; x < 33; x++) v[((i * 40 + y) * 33 + x) * 3 + k] = u[((i * 3 + k) * 40 + y) * 33 + x];
        want = expect(5, 3, 40, 33, 1, 2, u, &w, &h);
        t = wrapped(c, GM_U8, 4, colour, swapped, v);
        ok(draws(c, t, 2, w, h, 3, want), "channels last, by strides");
        gm_tensor_destroy(t);
        free(want), free(v);
    }
}

static void test_grid_refusals(gm_context *c)
{
    uint8_t u[64] = {0};
    int64_t two[4] = {1, 2, 4, 4}, none[3] = {0, 4, 4}, odd[2] = {1, 63}, one[1] = {64}, wide[3] = {1, 1, 64}, many[3] = {1 << 20, 1, 1}, zero[3] = {0, 0, 0};
    double d[16] = {0};
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t = wrapped(c, GM_U8, 4, two, NULL, u);
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_SHAPE && fu_says(c, "2 channels"), "two channels: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 3, none, NULL, u);
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_SHAPE, "no images: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 2, odd, NULL, u);
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_SHAPE && fu_says(c, "no square"), "63 pixels: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 1, one, NULL, u);
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_SHAPE, "rank 1: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = wrapped(c, GM_F64, 3, wide, NULL, d);
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_DTYPE, "f64: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    t = NULL;
    ok(!gm_tensor_wrap_const(c, GM_U8, 3, many, zero, u, &t) && gm_viz_grid(c, t, 1, &w) == GM_E_SHAPE && fu_says(c, "65535"), "a million rows: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    ok(gm_viz_grid(c, NULL, 1, &w) == GM_E_INVALID && gm_viz_grid(NULL, NULL, 1, NULL) == GM_E_INVALID, "NULL");
    t = wrapped(c, GM_U8, 3, wide, NULL, u);
    k.fail_at = 10;
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_IO, "a writer that fails");
    gm_writer_init(&w, sizeof w);
    w.path = "/no/such/folder/grid.png";
    ok(gm_viz_grid(c, t, 1, &w) == GM_E_IO, "unwritable: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    free(k.p);
}

/* ---- plots ---- */

static int count(const fu_sink *k, const char *what)
{
    int n = 0;
    size_t len = strlen(what);
    for (size_t i = 0; i + len <= k->n; i++) n += !memcmp(k->p + i, what, len);
    return n;
}

/* Every element is closed, and there is one root. */
static int well_formed(const fu_sink *k)
{
    int depth = 0, roots = 0;
    for (size_t i = 0; i < k->n; i++) {
        size_t end = i;
        if (k->p[i] == '&' && memchr(k->p + i, ';', k->n - i < 8 ? k->n - i : 8) == NULL) return 0;
        if (k->p[i] != '<') continue;
        while (end < k->n && k->p[end] != '>') end++;
        if (end == k->n) return 0;
        if (k->p[i + 1] == '/') depth--;
        else if (k->p[end - 1] != '/') roots += depth++ == 0;
        if (depth < 0) return 0;
        i = end;
    }
    return depth == 0 && roots == 1;
}

static void test_scatter(gm_context *c)
{
    float z[10] = {0, 0, 10, 0, 10, 10, 5, NAN, 0, 10};
    uint8_t labels[5] = {0, 1, 2, 3, 11};
    int64_t dims[2] = {5, 2}, three[2] = {5, 3};
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t = wrapped(c, GM_F32, 2, dims, NULL, z), *l = wrapped(c, GM_U8, 1, dims, NULL, labels);
    double x[4] = {0}, y[4] = {0};
    const char *p;
    int n = 0;
    ok(!gm_viz_scatter(c, t, l, &w) && well_formed(&k), "points with classes");
    is_int(count(&k, "<circle"), 4, "the point that is NaN is left out");
    ok(count(&k, ">11</text>") == 1 && count(&k, "fill=\"#e69f00\"") >= 2, "a legend of classes");
    k.p[k.n - 1] = 0;
    for (p = strstr((char *)k.p, "<circle"); p && n < 4; p = strstr(p + 1, "<circle"), n++) sscanf(p, "<circle cx=\"%lf\" cy=\"%lf\"", x + n, y + n);
    ok(n == 4 && x[1] > x[0] && y[2] < y[1] && x[3] == x[0] && y[3] == y[2], "x to the right, y up");
    near(x[1] - x[0], y[1] - y[2], 0.02, "one unit is as long across as up");
    free(k.p);
    w = fu_writer(&k);
    ok(!gm_viz_scatter(c, t, NULL, &w) && count(&k, "<circle") == 4 && count(&k, "#e69f00") == 0, "without classes: one colour, no legend");
    free(k.p);
    for (int i = 0; i < 10; i++) z[i] = 3;
    w = fu_writer(&k);
    ok(!gm_viz_scatter(c, t, NULL, &w) && count(&k, "<circle") == 5 && well_formed(&k), "all points the same");
    free(k.p);
    for (int i = 0; i < 10; i++) z[i] = NAN;
    w = fu_writer(&k);
    ok(!gm_viz_scatter(c, t, NULL, &w) && count(&k, "<circle") == 0 && well_formed(&k), "all NaN: an empty plot");
    free(k.p);
    for (int i = 0; i < 10; i++) z[i] = i % 2 ? 3e38f : -3e38f;
    w = fu_writer(&k);
    ok(!gm_viz_scatter(c, t, NULL, &w) && count(&k, "<circle") == 5 && well_formed(&k), "the largest floats");
    free(k.p);
    w = fu_writer(&k);
    dims[0] = 4;
    gm_tensor_destroy(l);
    l = wrapped(c, GM_U8, 1, dims, NULL, labels);
    ok(gm_viz_scatter(c, t, l, &w) == GM_E_SHAPE && k.n == 0, "four labels: %s", gm_context_error(c));
    gm_tensor_destroy(l);
    l = wrapped(c, GM_F32, 1, dims, NULL, z);
    dims[0] = 5;
    gm_tensor_destroy(t);
    t = wrapped(c, GM_U8, 2, three, NULL, z);
    ok(gm_viz_scatter(c, t, NULL, &w) == GM_E_SHAPE && fu_says(c, "gm_viz_pca"), "three columns: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    gm_tensor_destroy(l);
    ok(gm_viz_scatter(c, NULL, NULL, &w) == GM_E_INVALID, "NULL");
    free(k.p);
}

static void test_curves(gm_context *c)
{
    double y[6] = {3, 2.5, NAN, 2, 1.5, 1};
    float xy[6] = {0, 3, 2.5, 2, 5, 0.1f};
    int64_t six[1] = {6}, three[2] = {3, 2}, one[1] = {1}, zero[1] = {0}, bad[2] = {2, 3};
    static const char *const names[] = {"train <loss>", "validation"};
    fu_sink k;
    gm_writer w = fu_writer(&k);
    gm_tensor *t[2];
    int ticks;
    t[0] = wrapped(c, GM_F64, 1, six, NULL, y);
    t[1] = wrapped(c, GM_F32, 2, three, NULL, xy);
    ok(!gm_viz_curves(c, 2, names, t, &w) && well_formed(&k), "two curves");
    is_int(count(&k, "<polyline"), 3, "a gap at the value that is NaN");
    ok(count(&k, "train &lt;loss&gt;</text>") == 1 && count(&k, ">validation</text>") == 1, "a legend");
    ok(count(&k, ">0.5</text>") == 1 && count(&k, ">3</text>") >= 1 && count(&k, ">2.5</text>") == 1, "ticks at round numbers");
    free(k.p);
    gm_tensor_destroy(t[0]);
    t[0] = wrapped(c, GM_F64, 1, one, NULL, y);
    w = fu_writer(&k);
    ok(!gm_viz_curves(c, 1, names, t, &w) && count(&k, "<circle") == 1 && well_formed(&k), "one value is a point");
    free(k.p);
    gm_tensor_destroy(t[0]);
    t[0] = wrapped(c, GM_F64, 1, zero, NULL, y);
    w = fu_writer(&k);
    ok(!gm_viz_curves(c, 1, names, t, &w) && count(&k, "<polyline") == 0 && well_formed(&k), "no value is an empty plot");
    free(k.p);
    gm_tensor_destroy(t[0]);
    for (int e = -300; e <= 280; e += 20) { /* any range has ticks, and no endless loop */
        y[0] = ldexp(1, e), y[1] = y[0] * 1.7, y[2] = y[0] * 1.2;
        t[0] = wrapped(c, GM_F64, 1, six, NULL, y);
        w = fu_writer(&k);
        y[3] = y[4] = y[5] = y[0];
        ticks = gm_viz_curves(c, 1, names, t, &w) ? -1 : count(&k, "#e6e6e6");
        ok(ticks >= 6 && ticks < 20, "2^%d: %d ticks", e, ticks);
        free(k.p);
        gm_tensor_destroy(t[0]);
    }
    w = fu_writer(&k);
    t[0] = wrapped(c, GM_F32, 2, bad, NULL, xy);
    ok(gm_viz_curves(c, 1, names, t, &w) == GM_E_SHAPE, "three columns: %s", gm_context_error(c));
    ok(gm_viz_curves(c, 0, names, t, &w) == GM_E_INVALID && gm_viz_curves(c, 1, NULL, t, &w) == GM_E_INVALID && gm_viz_curves(c, 1, names, t, NULL) == GM_E_INVALID,
       "none, NULL");
    gm_tensor_destroy(t[0]), gm_tensor_destroy(t[1]);
    free(k.p);
}

/* ---- principal components ---- */

static void test_pca(gm_context *c)
{
    float z[200 * 3], map[400], thin[5] = {1, 2, 3, 4, 5};
    int64_t dims[2] = {200, 3}, two[2] = {200, 2}, five[2] = {5, 1}, five2[2] = {5, 2}, strides[2] = {4, 4 * 200};
    gm_tensor *t, *m;
    double vx = 0, vy = 0, xy = 0, mean = 0, worst = 0;
    for (int i = 0; i < 200; i++) { /* along (3, 4, 0) / 5 with 10, along (0, 0, 1) with 2, around (7, 8, 9) */
        double a = 10 * sin(i * 0.7), b = 2 * cos(i * 1.3), noise = 1e-3 * sin(i * 5.1);
        z[3 * i] = (float)(7 + 0.6 * a - 0.8 * noise), z[3 * i + 1] = (float)(8 + 0.8 * a + 0.6 * noise), z[3 * i + 2] = (float)(9 + b);
    }
    t = wrapped(c, GM_F32, 2, dims, NULL, z);
    m = wrapped(c, GM_F32, 2, two, strides, map); /* column by column */
    ok(!gm_viz_pca(c, t, m), "pca");
    for (int i = 0; i < 200; i++) {
        mean += map[i] + map[200 + i], vx += map[i] * map[i], vy += map[200 + i] * map[200 + i], xy += map[i] * map[200 + i];
        worst = fmax(worst, fabs((map[i] - map[0]) - 10 * (sin(i * 0.7) - sin(0))));
    }
    ok(vx > vy && vy > 0 && fabs(xy) < 1e-3 * vy && fabs(mean) < 1e-2, "centred, at right angles, the wider axis first");
    ok(worst < 0.05, "the first axis, with its largest entry positive: off by %g", worst);
    z[301] = INFINITY;
    ok(gm_viz_pca(c, t, m) == GM_E_NONFINITE && c->where == 100, "infinity: %s", gm_context_error(c));
    gm_tensor_destroy(m);
    m = wrapped(c, GM_F32, 2, dims, NULL, z);
    ok(gm_viz_pca(c, t, m) == GM_E_SHAPE, "map of three columns: %s", gm_context_error(c));
    gm_tensor_destroy(t), gm_tensor_destroy(m);
    t = wrapped(c, GM_F32, 2, five, NULL, thin);
    m = wrapped(c, GM_F32, 2, five2, NULL, map);
    ok(!gm_viz_pca(c, t, m) && map[0] == -2 && map[1] == 0 && map[8] == 2, "one column: the second is 0");
    ok(gm_viz_pca(c, NULL, m) == GM_E_INVALID, "NULL");
    gm_tensor_destroy(t), gm_tensor_destroy(m);
}

static gm_status all(gm_context *c, float *z)
{
    int64_t images[3] = {4, 5, 5}, points[2] = {50, 2}, line[1] = {100};
    static const char *const names[] = {"a"};
    float map[100];
    gm_tensor *t = NULL, *p = NULL, *m = NULL, *y = NULL;
    fu_sink k[3];
    gm_writer w[3];
    gm_status s;
    for (int i = 0; i < 3; i++) w[i] = fu_writer(&k[i]);
    s = gm_tensor_wrap(c, GM_F32, 3, images, NULL, z, &t);
    if (!s) s = gm_tensor_wrap(c, GM_F32, 2, points, NULL, z, &p);
    if (!s) s = gm_tensor_wrap(c, GM_F32, 2, points, NULL, map, &m);
    if (!s) s = gm_tensor_wrap(c, GM_F32, 1, line, NULL, z, &y);
    if (!s) s = gm_viz_grid(c, t, 0, &w[0]);
    if (!s) s = gm_viz_pca(c, p, m);
    if (!s) s = gm_viz_scatter(c, m, NULL, &w[1]);
    if (!s) s = gm_viz_curves(c, 1, names, &y, &w[2]);
    gm_tensor_destroy(t), gm_tensor_destroy(p), gm_tensor_destroy(m), gm_tensor_destroy(y);
    for (int i = 0; i < 3; i++) free(k[i].p);
    return s;
}

static void test_failures(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    uint64_t start = fu_now(c);
    float z[100];
    int good = 1;
    long n;
    for (int i = 0; i < 100; i++) z[i] = (float)sin(i);
    for (n = 1; n < 1000; n++) {
        gm_status s;
        h.count = 0, h.fail_at = n;
        s = all(c, z);
        h.fail_at = 0;
        good &= fu_now(c) == start;
        if (!s) break;
        good &= s == GM_E_NOMEM;
    }
    ok(good && n > 10, "each of %ld allocations failing: GM_E_NOMEM, nothing leaks", n - 1);
    gm_context_destroy(c);
}

int main(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    test_grid(c);
    test_grid_refusals(c);
    test_scatter(c);
    test_curves(c);
    test_pca(c);
    gm_context_destroy(c);
    ok(h.now == 0, "nothing leaked");
    test_failures();
    return done();
}
