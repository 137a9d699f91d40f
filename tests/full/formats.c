/* SPDX-License-Identifier: MIT */
/* formats.c: the other side of formats.py. `formats write DIR` writes one file of each format; `formats read DIR` reads what Python wrote there and
 * compares. Element i of everything is 37 i mod 101, minus 50 where the type is signed. */
#include "format/csv.h"
#include "format/npy.h"
#include "format/png.h"
#include "format/pnm.h"
#include "format/safetensors.h"
#include "format/svg.h"
#include "format/wav.h"
#include <stdio.h>
#include <stdlib.h>

static gm_context *ctx;
static const char *dir;
static int failures;

static int value(int64_t i)
{
    return (int)(i * 37 % 101);
}

static void set(gm_tensor *t, int64_t i)
{
    int v = value(i) - (t->dtype == GM_U8 ? 0 : 50);
    switch (t->dtype) {
    case GM_F32: ((float *)t->data)[i] = (float)v * 0.5f; break;
    case GM_F64: ((double *)t->data)[i] = v * 0.5; break;
    case GM_U8: ((uint8_t *)t->data)[i] = (uint8_t)v; break;
    case GM_I16: ((int16_t *)t->data)[i] = (int16_t)v; break;
    case GM_I32: ((int32_t *)t->data)[i] = v; break;
    default: ((int64_t *)t->data)[i] = v;
    }
}

static double get(const gm_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case GM_F32: return (double)((float *)t->data)[i];
    case GM_F64: return ((double *)t->data)[i];
    case GM_U8: return ((uint8_t *)t->data)[i];
    case GM_I16: return ((int16_t *)t->data)[i];
    case GM_I32: return ((int32_t *)t->data)[i];
    default: return (double)((int64_t *)t->data)[i];
    }
}

static void check(gm_status s, const char *name)
{
    if (!s) return;
    failures++;
    printf("%s: %s: %s\n", name, gm_status_name(s), gm_context_error(ctx));
}

static gm_tensor *make(gm_dtype d, int32_t rank, int64_t a, int64_t b, int64_t c)
{
    int64_t dims[3];
    gm_tensor *t = NULL;
    dims[0] = a;
    dims[1] = b;
    dims[2] = c;
    if (gm_tensor_create(ctx, d, rank, dims, &t)) exit(1);
    for (int64_t i = 0; i < gmi_tensor_count(t); i++) set(t, i);
    return t;
}

static char path[4096];
static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static gmi_out out;
static gmi_out *begin(const char *name)
{
    static gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.path = in_dir(name);
    check(gmi_out_open(ctx, &w, &out), name);
    return &out;
}

static void write_safetensors(void)
{
    static const gm_dtype types[] = {GM_F32, GM_F64, GM_U8, GM_I16, GM_I32, GM_I64};
    static const char *const names[] = {"f32", "f64", "u8", "i16", "i32", "\xc3\xa9 \"i64\""};
    static const gmi_st_text meta[] = {{"genrep.test", "1"}, {"who", "formats.c"}};
    gm_tensor *t[6];
    gmi_st_tensor s[8];
    int64_t none[2] = {0, 3};
    for (int i = 0; i < 6; i++) {
        t[i] = make(types[i], 2, 3, i + 1, 0);
        s[i].name = names[i];
        s[i].dtype = gmi_st_dtype_of(types[i]);
        s[i].rank = 2;
        s[i].dims = t[i]->dims;
        s[i].data = t[i]->data;
    }
    s[6] = s[0];
    s[6].name = "scalar";
    s[6].rank = 0;
    s[7] = s[0];
    s[7].name = "empty";
    s[7].dims = none;
    check(gmi_out_close(&out, gmi_safetensors_write(ctx, begin("c.safetensors"), 8, s, 2, meta)), "c.safetensors");
    for (int i = 0; i < 6; i++) gm_tensor_destroy(t[i]);
}

static void write_all(void)
{
    static const char *const names[] = {"a", "b, \"c\""};
    static const double x[3] = {1, 50, 99}, y[3] = {9, 5.5, 1};
    gm_tensor *t;
    gmi_svg svg;
    write_safetensors();
    for (gm_dtype d = GM_F32; d <= GM_I64; d++) {
        char name[32];
        snprintf(name, sizeof name, "c_%s.npy", gm_dtype_name(d));
        t = make(d, 3, 2, 3, 4);
        check(gmi_out_close(&out, gmi_npy_write(t, begin(name))), name);
        gm_tensor_destroy(t);
    }
    t = make(GM_F64, 2, 20, 2, 0);
    check(gmi_out_close(&out, gmi_csv_write(t, names, begin("c.csv"))), "c.csv");
    gm_tensor_destroy(t);
    t = make(GM_I16, 2, 20, 2, 0);
    check(gmi_out_close(&out, gmi_wav_write(t, 8000, begin("c.wav"))), "c.wav");
    gm_tensor_destroy(t);
    t = make(GM_U8, 3, 20, 30, 3);
    check(gmi_out_close(&out, gmi_png_write(ctx, begin("c.png"), 30, 20, 3, t->data)), "c.png");
    check(gmi_out_close(&out, gmi_pnm_write(ctx, begin("c.ppm"), 30, 20, 3, 0, t->data)), "c.ppm");
    gm_tensor_destroy(t);
    begin("c.svg");
    gmi_svg_begin(&svg, ctx, 100, 50);
    gmi_svg_polyline(&svg, 3, x, y, "red", 1);
    gmi_svg_text(&svg, 1, 2, 3, GMI_SVG_MIDDLE, "a < b & \xc3\xa9");
    check(gmi_out_close(&out, gmi_svg_end(&svg, &out)), "c.svg");
}

/* t holds the values, `scale` times, `shift` more where signed. */
static void compare(const char *name, gm_status s, gm_tensor *t, int64_t count, double scale, double shift)
{
    check(s, name);
    if (s) return;
    if (gmi_tensor_count(t) != count) {
        failures++;
        printf("%s: %d elements, not %d\n", name, (int)gmi_tensor_count(t), (int)count);
    }
    for (int64_t i = 0; i < gmi_tensor_count(t); i++)
        if (get(t, i) != scale * (value(i) + shift)) {
            failures++;
            printf("%s: element %d is %g\n", name, (int)i, get(t, i));
            break;
        }
    gm_tensor_destroy(t);
}

static float wide[1000];
static gm_status into(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    (void)user;
    if (e->dtype != GMI_ST_F16 && e->dtype != GMI_ST_F32 && e->dtype != GMI_ST_F64 && e->dtype != GMI_ST_BF16) return GM_OK;
    d->data = wide;
    d->as = GM_F32;
    return GM_OK;
}

static void read_safetensors(void)
{
    gmi_safetensors s;
    gmi_in in;
    const char *who;
    gm_status r = gmi_in_open_path(ctx, in_dir("py.safetensors"), &in);
    check(r, "py.safetensors");
    if (r) return;
    r = gmi_safetensors_open(ctx, &in, &s);
    if (!r) r = gmi_safetensors_read(&s, &in, into, NULL);
    check(r, "py.safetensors");
    who = r ? NULL : gmi_safetensors_text(&s, "who", NULL);
    if (!who || strcmp(who, "formats.py \xc3\xa9") || !gmi_safetensors_find(&s, "uint16") || gmi_safetensors_find(&s, "bool")->dtype != GMI_ST_BOOL) {
        failures++;
        printf("py.safetensors: metadata or names\n");
    }
    gmi_safetensors_close(&s);
    gmi_in_close(&in);
}

/* Lines of LIST: format, file, elements, scale, shift. */
static void read_all(void)
{
    char line[256], format[16], name[128];
    double scale, shift;
    int count;
    FILE *f = fopen(in_dir("LIST"), "r");
    if (!f) exit(1);
    read_safetensors();
    while (fgets(line, sizeof line, f) && sscanf(line, "%15s %127s %d %lf %lf", format, name, &count, &scale, &shift) == 5) {
        gm_tensor *t = NULL;
        gmi_in in;
        gm_status s = gmi_in_open_path(ctx, in_dir(name), &in);
        if (!s && !strcmp(format, "npy")) s = gmi_npy_read(ctx, &in, &t);
        if (!s && !strcmp(format, "csv")) s = gmi_csv_read(ctx, &in, NULL, GM_F64, &t, NULL);
        if (!s && !strcmp(format, "wav")) s = gmi_wav_read(ctx, &in, NULL, &t);
        if (!s && !strcmp(format, "pnm")) s = gmi_pnm_read(ctx, &in, 0, NULL, &t);
        compare(name, s, t, count, scale, shift);
        gmi_in_close(&in);
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    if (argc != 3 || gm_context_create(NULL, &ctx)) return 2;
    dir = argv[2];
    gmi_enter(ctx, argv[1]);
    if (!strcmp(argv[1], "write")) write_all();
    else read_all();
    check(gmi_leave(ctx, GM_OK), "leave");
    gm_context_destroy(ctx);
    return failures != 0;
}
