/* SPDX-License-Identifier: MIT */
/* test_data_open.c: datasets from files, memory and pipes of every format, series, options; mistakes; failing allocations. */
#include "format_util.h"
#include "train/data.h"
#include <sys/stat.h>
#include <unistd.h>

static const char *temp(const char *name)
{
    static char path[4][512];
    static int k;
    char *p = path[k++ & 3];
    const char *dir = getenv("TMPDIR");
    snprintf(p, sizeof path[0], "%s/genrep-data-%ld-%s", dir && *dir ? dir : "/tmp", (long)getpid(), name);
    return p;
}

static const char *put(const char *name, const void *bytes, size_t n)
{
    const char *path = temp(name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n) printf("Bail out! cannot write %s\n", path), exit(1);
    fclose(f);
    return path;
}

static gm_dataset *memory(gm_context *c, const void *bytes, size_t n, const char *format)
{
    fu_source src = fu_bytes(bytes, n, 0);
    gm_reader r = fu_reader(&src);
    gm_dataset *d = NULL;
    return gm_dataset_open_reader(c, &r, format, &d) ? NULL : d;
}

static gm_dataset *text(gm_context *c, const char *s, const char *format) { return memory(c, s, strlen(s), format); }

/* Rows and labels as doubles against `want`; -1 as a label: none. */
static int rows_are(gm_dataset *d, int64_t n, const double *want, const int32_t *labels)
{
    int64_t elems = gmi_dataset_sample_elems(d), index;
    int good = gm_dataset_count(d) == n;
    gmi_real *x = malloc((size_t)elems * sizeof *x);
    for (index = 0; good && index < n; index++) {
        int32_t l = 0;
        good &= !gmi_dataset_fetch(d, 1, &index, NULL, x, labels ? &l : NULL);
        for (int64_t j = 0; good && j < elems; j++) good &= x[j] == (gmi_real)want[index * elems + j];
        if (labels) good &= l == labels[index];
    }
    free(x);
    return good;
}

static const uint8_t idx_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 250, 8, 9, 10, 11, 12};
static const uint8_t idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
static const uint8_t idx_floats[] = {0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0}; /* 1, -2 */

static void test_idx(gm_context *c)
{
    static const double want[] = {1, 2, 3, 4, 5, 6, 250, 8, 9, 10, 11, 12}, pair[] = {1, -2};
    static const int32_t labels[] = {1, 0};
    const char *images = put("images", idx_images, sizeof idx_images), *l = put("labels", idx_labels, sizeof idx_labels), *copy;
    char option[700];
    uint8_t bad[sizeof idx_labels + 1];
    gm_dataset *d = NULL;
    const gm_spec *s;
    ok(!gm_dataset_open_idx(c, images, l, &d) && rows_are(d, 2, want, labels), "pictures and labels: %s", gm_context_error(c));
    s = gm_dataset_spec(d);
    ok(s->rank == 3 && s->dims[0] == 1 && s->dims[1] == 2 && s->dims[2] == 3 && s->dtype == GM_U8 && s->classes == 2 && s->lo == 0 && s->hi == 255,
       "[n,h,w] is pictures of one channel, of 0 to 255");
    gm_dataset_destroy(d);
    ok(!gm_dataset_open_idx(c, images, NULL, &d) && gm_dataset_spec(d)->classes == 0, "without labels");
    gm_dataset_destroy(d);
    snprintf(option, sizeof option, " labels='%s'  dims=6 lo=0 hi=16 scaling=unit\tclasses=10", l);
    ok(!gm_dataset_open(c, images, option, &d) && rows_are(d, 2, want, labels), "the same through gm_dataset_open: %s", gm_context_error(c));
    s = gm_dataset_spec(d);
    ok(s->rank == 1 && s->dims[0] == 6 && s->hi == 16 && s->scaling == GM_SCALE_UNIT && s->classes == 10, "its options");
    gm_dataset_destroy(d);
    d = memory(c, idx_floats, sizeof idx_floats, NULL);
    ok(d && rows_are(d, 1, pair, NULL) && gm_dataset_spec(d)->dtype == GM_F32, "floats, from memory, found out");
    gm_dataset_destroy(d);
    ok(gm_dataset_open_idx(c, images, images, &d) == GM_E_SHAPE && !d, "pictures as labels: %s", gm_context_error(c));
    memcpy(bad, idx_labels, sizeof idx_labels);
    bad[7] = 3, bad[10] = 1;
    copy = put("bad", bad, sizeof bad);
    ok(gm_dataset_open_idx(c, images, copy, &d) == GM_E_SHAPE && fu_says(c, "are 3, the data has 2 rows"), "three labels: %s", gm_context_error(c));
    ok(gm_dataset_open_idx(c, temp("none"), NULL, &d) == GM_E_IO && fu_says(c, "none"), "no such file: %s", gm_context_error(c));
    ok(gm_dataset_open_idx(c, NULL, NULL, &d) == GM_E_INVALID, "NULL: %s", gm_context_error(c));
    ok(gm_dataset_open_idx(c, "/tmp", NULL, &d) == GM_E_IO, "a folder: %s", gm_context_error(c));
    for (size_t n = 0; n < sizeof idx_images; n++)
        if (memory(c, idx_images, n, "idx")) printf("# %d bytes were enough\n", (int)n), ok(0, "truncated");
    ok(1, "truncated at every byte");
}

static void test_npy(gm_context *c)
{
    float x[6] = {1, 2, 3, 4, 5, 6};
    double want[6] = {1, 2, 3, 4, 5, 6};
    int64_t dims[2] = {2, 3};
    char bytes[512];
    gm_writer w;
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    fu_source src;
    gm_reader r;
    gm_writer_init(&w, sizeof w);
    w.memory = bytes, w.capacity = sizeof bytes;
    ok(!gm_tensor_wrap(c, GM_F32, 2, dims, NULL, x, &t) && !gm_tensor_write_npy(t, &w), "write npy");
    gm_tensor_destroy(t);
    d = memory(c, bytes, (size_t)w.used, NULL);
    ok(d && rows_are(d, 2, want, NULL) && gm_dataset_spec(d)->rank == 1, "npy, found out");
    gm_dataset_destroy(d);
    src = fu_bytes(bytes, (size_t)w.used, 7);
    r = fu_reader(&src);
    ok(!gm_dataset_open_reader(c, &r, "npy dims=1x3", &d) && rows_are(d, 2, want, NULL) && gm_dataset_spec(d)->rank == 2, "npy through a pipe");
    gm_dataset_destroy(d);
    src = fu_bytes(bytes, (size_t)w.used, 7);
    r = fu_reader(&src);
    ok(gm_dataset_open_reader(c, &r, NULL, &d) == GM_E_INVALID && fu_says(c, "needs a format"), "a pipe without a format: %s", gm_context_error(c));
    ok(gm_dataset_open_reader(c, NULL, NULL, &d) == GM_E_INVALID, "no reader");
}

static void test_csv(gm_context *c)
{
    static const char iris[] = "a,b,species\n1,2,rose\n3,4,iris\n5,6.5,\"lily, white\"\n7,8,iris\n";
    static const double want[] = {1, 2, 3, 4, 5, 6.5, 7, 8}, ba[] = {2, 1, 4, 3, 6.5, 5, 8, 7}, plain[] = {1, 2, 3, 4}, second[] = {2, 4};
    static const int32_t names[] = {2, 0, 1, 0}, numbers[] = {1, 3}, signs[] = {1, 0};
    gm_dataset *d = text(c, iris, "csv label=last");
    ok(d && rows_are(d, 4, want, names) && gm_dataset_spec(d)->classes == 3 && gm_dataset_spec(d)->dims[0] == 2, "names as labels, in the order of their bytes: %s",
       gm_context_error(c));
    gm_dataset_destroy(d);
    d = text(c, iris, "label=species select=b,a format=csv");
    ok(d && rows_are(d, 4, ba, names), "label and columns by name");
    gm_dataset_destroy(d);
    d = text(c, "1;2\n3;4\n", NULL);
    ok(d && rows_are(d, 2, plain, NULL) && gm_dataset_spec(d)->classes == 0, "no header, found out");
    gm_dataset_destroy(d);
    d = text(c, "1\t2\n3\t4\n", "csv header=0 delimiter=tab label=first");
    ok(d && rows_are(d, 2, second, numbers) && gm_dataset_spec(d)->classes == 4, "numbers as labels");
    gm_dataset_destroy(d);
    d = text(c, "1 2\n-1 4\n", "csv delimiter=space label=1 header=0");
    ok(d && rows_are(d, 2, second, signs) && gm_dataset_spec(d)->classes == 2, "labels 1 and -1 are classes 1 and 0");
    gm_dataset_destroy(d);
    ok(!text(c, iris, "csv") && c->status == GM_E_FORMAT && fu_says(c, "line 2, column 3"), "text without label: %s", gm_context_error(c));
    ok(!text(c, iris, "csv label=colour") && c->status == GM_E_UNKNOWN, "no such label: %s", gm_context_error(c));
    ok(!text(c, iris, "csv label=last select=a,z") && c->status == GM_E_UNKNOWN, "no such column: %s", gm_context_error(c));
    ok(!text(c, iris, "csv label=last select=a,a,a,a,a") && c->status == GM_E_INVALID, "more columns than there are: %s", gm_context_error(c));
    ok(!text(c, "a\n1\n", "csv label=a") && c->status == GM_E_SHAPE, "nothing but a label: %s", gm_context_error(c));
    ok(!text(c, "a,b\n", "csv") && c->status == GM_E_FORMAT, "no rows: %s", gm_context_error(c));
    ok(!text(c, "", "csv") && c->status == GM_E_FORMAT, "empty: %s", gm_context_error(c));
    ok(!text(c, "1,2\n3,nan\n", "csv") && c->status == GM_E_FORMAT && fu_says(c, "line 2"), "NaN: %s", gm_context_error(c));
    ok(!text(c, "1,2\n3,1e99\n", "csv") && c->status == GM_E_FORMAT && fu_says(c, "does not fit f32"), "1e99: %s", gm_context_error(c));
    ok(!text(c, "1,2\n3\n", "csv") && c->status == GM_E_FORMAT, "a short row: %s", gm_context_error(c));
}

static void test_pnm(gm_context *c)
{
    static const double want[] = {1, 2, 3, 4, 15, 0, 1, 2}, colour[] = {1, 4, 2, 5, 3, 6};
    const char *dir = temp("folder"), *empty = temp("empty");
    static const char *const files[] = {"b.pgm", "a.pgm", "notes.txt", ".hidden.pgm"};
    static const char *const bytes[] = {"P2 2 2 15\n15 0 1 2\n", "P5 2 2 15\n\1\2\3\4", "no picture", "broken"};
    char path[700];
    gm_dataset *d = NULL;
    ok(!mkdir(dir, 0777) && !mkdir(empty, 0777), "folders");
    for (int i = 0; i < 4; i++) {
        FILE *f;
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        f = fopen(path, "wb");
        if (f) fwrite(bytes[i], 1, strlen(bytes[i]), f), fclose(f);
    }
    ok(!gm_dataset_open(c, dir, NULL, &d) && rows_are(d, 2, want, NULL), "a folder, sorted by name: %s", gm_context_error(c));
    ok(gm_dataset_spec(d)->rank == 3 && gm_dataset_spec(d)->dims[0] == 1 && gm_dataset_spec(d)->hi == 15, "its shape and bounds");
    gm_dataset_destroy(d);
    ok(gm_dataset_open(c, dir, "label=last", &d) == GM_E_INVALID, "options of csv: %s", gm_context_error(c));
    snprintf(path, sizeof path, "%s/c.ppm", dir);
    {
        FILE *f = fopen(path, "wb");
        if (f) fwrite("P6 2 1 255\n\1\2\3\4\5\6", 1, 17, f), fclose(f);
    }
    ok(gm_dataset_open(c, dir, NULL, &d) == GM_E_SHAPE && fu_says(c, "c.ppm"), "another size: %s", gm_context_error(c));
    ok(!gm_dataset_open(c, path, NULL, &d) && rows_are(d, 1, colour, NULL) && gm_dataset_spec(d)->dims[0] == 3, "one picture, channels first");
    gm_dataset_destroy(d);
    ok(gm_dataset_open(c, empty, NULL, &d) == GM_E_FORMAT, "an empty folder: %s", gm_context_error(c));
    remove(path);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        remove(path);
    }
    rmdir(dir), rmdir(empty);
}

static void test_series(gm_context *c)
{
    float x[20];
    double want[18] = {0, 2, 4, 1, 3, 5, 4, 6, 8, 5, 7, 9, 8, 10, 12, 9, 11, 13};
    int64_t dims[2] = {10, 2}, rank3[3] = {1, 1, 1};
    static const uint8_t wav[] = {'R', 'I', 'F', 'F', 46, 0, 0, 0, 'W', 'A', 'V', 'E', 'f', 'm', 't', ' ', 16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e,
                                  0, 0, 2, 0, 16, 0, 'd', 'a', 't', 'a', 10, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 0xff, 0xff};
    static const double sound[] = {1, 2, 2, 3, 3, 4, 4, -1};
    gm_tensor *t = NULL;
    gm_dataset *d = NULL;
    for (int i = 0; i < 20; i++) x[i] = (float)i;
    ok(!gm_tensor_wrap_const(c, GM_F32, 2, dims, NULL, x, &t) && !gm_dataset_from_series(t, 3, 2, &d), "series");
    gm_tensor_destroy(t);
    for (int i = 0; i < 18; i++) want[i] = 0;
    for (int r = 0; r < 3; r++)
        for (int ch = 0; ch < 2; ch++)
            for (int k = 0; k < 3; k++) want[r * 6 + ch * 3 + k] = (r * 2 + k) * 2 + ch;
    ok(gm_dataset_count(d) == 4 && gm_dataset_spec(d)->dims[0] == 2 && gm_dataset_spec(d)->dims[1] == 3, "windows as [channels, window]");
    {
        int64_t two[3] = {3, 2, 3};
        gm_tensor *y = NULL;
        int good = !gm_tensor_create(c, GM_F32, 3, two, &y) && !gm_dataset_read(d, 0, y, NULL);
        for (int i = 0; good && i < 18; i++) good &= ((float *)gm_tensor_data(y))[i] == want[i];
        ok(good, "their values");
        gm_tensor_destroy(y);
    }
    gm_dataset_destroy(d);
    dims[0] = 5;
    ok(!gm_tensor_wrap_const(c, GM_F32, 1, dims, NULL, x, &t) && !gm_dataset_from_series(t, 5, INT64_MAX, &d) && gm_dataset_count(d) == 1, "one channel, one window");
    gm_dataset_destroy(d);
    ok(gm_dataset_from_series(t, 6, 1, &d) == GM_E_SHAPE && !d, "too long a window: %s", gm_context_error(c));
    ok(gm_dataset_from_series(t, 0, 1, &d) == GM_E_RANGE && gm_dataset_from_series(t, 1, -1, &d) == GM_E_RANGE, "window 0, hop -1: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    ok(!gm_tensor_wrap_const(c, GM_F32, 3, rank3, NULL, x, &t) && gm_dataset_from_series(t, 1, 1, &d) == GM_E_SHAPE, "rank 3: %s", gm_context_error(c));
    gm_tensor_destroy(t);
    d = memory(c, wav, sizeof wav, "window=2 hop=1");
    ok(d && rows_are(d, 4, sound, NULL) && gm_dataset_spec(d)->dtype == GM_I16 && gm_dataset_spec(d)->rank == 2, "sound: %s", gm_context_error(c));
    gm_dataset_destroy(d);
    ok(!memory(c, wav, sizeof wav, NULL) && c->status == GM_E_INVALID && fu_says(c, "window"), "a sound without window: %s", gm_context_error(c));
}

static void test_options(gm_context *c)
{
    static const struct {
        const char *text;
        gm_status status;
    } bad[] = {{"csv colour=red", GM_E_INVALID}, {"xml", GM_E_INVALID},        {"format=xml", GM_E_INVALID},  {"csv header=2", GM_E_INVALID}, {"csv lo=a", GM_E_INVALID},
               {"csv lo=1", GM_E_INVALID},       {"csv dims=0", GM_E_INVALID}, {"csv dims=2x", GM_E_INVALID}, {"csv dims=3", GM_E_SHAPE},     {"csv label='a", GM_E_INVALID},
               {"csv window=3", GM_E_INVALID},   {"csv columns=a", GM_E_INVALID}, {"csv delimiter=ab", GM_E_INVALID}, {"csv hop=0", GM_E_INVALID},
               {"csv scaling=big", GM_E_INVALID}, {"csv classes=3", GM_E_INVALID}, {"idx", GM_E_FORMAT}, {"npy", GM_E_FORMAT}, {"wav window=2", GM_E_FORMAT},
               {"pnm", GM_E_FORMAT}, {"csv dims=1x1x1x1x1x1x2", GM_E_INVALID}, {"csv lo=nan hi=1", GM_E_INVALID}};
    static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0};
    gm_dataset *d;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d = text(c, "1,2\n3,4\n", bad[i].text);
        ok(!d && c->status == bad[i].status, "%s: %s", bad[i].text, gm_context_error(c));
        gm_dataset_destroy(d);
    }
    ok(!memory(c, gzip, sizeof gzip, NULL) && c->status == GM_E_UNSUPPORTED && fu_says(c, "gzip"), "gzip: %s", gm_context_error(c));
    d = text(c, "1,2\n3,4\n", "  csv  dims=1x2 \n");
    ok(d && gm_dataset_spec(d)->rank == 2, "blanks around words");
    gm_dataset_destroy(d);
}

/* ---- failing allocations ---- */

static gm_status all_formats(gm_context *c, const char *images, const char *labels)
{
    static const char iris[] = "a,b,species\n1,2,rose\n3,4,iris\n5,6.5,lily\n";
    gm_dataset *d = NULL;
    fu_source src = fu_bytes(iris, strlen(iris), 5);
    gm_reader r = fu_reader(&src);
    gm_status s = gm_dataset_open_idx(c, images, labels, &d);
    gm_dataset_destroy(d);
    d = NULL;
    if (!s) s = gm_dataset_open_reader(c, &r, "csv label=last", &d);
    gm_dataset_destroy(d);
    return s;
}

static void test_failures(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    uint64_t start = fu_now(c);
    const char *images = put("images", idx_images, sizeof idx_images), *labels = put("labels", idx_labels, sizeof idx_labels);
    int good = 1;
    long n;
    for (n = 1; n < 2000; n++) {
        gm_status s;
        h.count = 0, h.fail_at = n;
        s = all_formats(c, images, labels);
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
    test_idx(c);
    test_npy(c);
    test_csv(c);
    test_pnm(c);
    test_series(c);
    test_options(c);
    gm_context_destroy(c);
    ok(h.now == 0, "nothing leaked");
    test_failures();
    remove(temp("images")), remove(temp("labels")), remove(temp("bad"));
    return done();
}
