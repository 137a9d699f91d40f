/* SPDX-License-Identifier: MIT */
/* data_pictures.c: PNM pictures, one file or every one of a folder, as rows [channels, height, width].
 *
 * The order is that of the names' bytes, so that it does not depend on the file system. All pictures have one size, number of channels and largest value; that
 * value is the upper bound of the spec. Not here: folders inside the folder, classes by folder, other picture formats. */
#include "train/data_open.h"
#include "format/bytes.h"
#include "format/pnm.h"

static int is_picture(const char *name)
{
    size_t n = strlen(name);
    const char *end = name + n - 4;
    return n > 4 && name[0] != '.' && (!strcmp(end, ".pgm") || !strcmp(end, ".ppm") || !strcmp(end, ".pnm"));
}

static int collect(void *user, const char *name)
{
    gmi_buf *names = user;
    if (is_picture(name)) gmi_buf_add(names, name, strlen(name) + 1);
    return names->failed;
}

/* Pointers to the names, sorted; n of them. */
static gm_status list_folder(gm_context *c, const char *dir, gmi_buf *names, const char ***sorted, int64_t *n)
{
    const char **p;
    int r = gmi_os_list(dir, collect, names);
    *n = 0;
    if (names->failed) return gmi_alloc_status(c);
    if (r < 0) return gmi_fail_os(c, GM_E_IO, -r, "cannot list %S: %s", dir, gmi_os_error_text(-r));
    for (size_t i = 0; i < names->n; i++) *n += !names->p[i];
    if (!*n) return gmi_fail(c, GM_E_FORMAT, "the folder %S has no .pgm, .ppm or .pnm file", dir);
    p = gmi_alloc_n(c, *n, sizeof *p);
    if (!p) return gmi_alloc_status(c);
    *sorted = p;
    for (size_t i = 0; i < names->n; i += strlen(names->p + i) + 1) *p++ = names->p + i;
    gmi_sort_texts(*sorted, *n);
    return GM_OK;
}

static gm_status read_file(gm_context *c, const char *dir, const char *name, gmi_pnm_info *info, gm_tensor **out)
{
    gmi_buf path;
    gmi_in in;
    gm_status s;
    gmi_buf_init(&path, c);
    gmi_buf_format(&path, "%s/%s", dir, name);
    if (path.failed) return gmi_alloc_status(c);
    s = gmi_in_open_path(c, path.p, &in);
    if (!s) s = gmi_pnm_read(c, &in, 1, info, out);
    gmi_in_close(&in);
    gmi_buf_free(&path);
    return s;
}

/* The tensor of all pictures, from the size of the first. */
static gm_status make_room(gm_context *c, const gm_tensor *first, int64_t n, gm_tensor **all)
{
    int64_t dims[4], bytes;
    dims[0] = n;
    memcpy(dims + 1, first->dims, 3 * sizeof *dims);
    if (gmi_count_i64(4, dims, &bytes) || (uint64_t)bytes > c->limits.tensor_bytes / gmi_dtype_size(first->dtype))
        return gmi_fail(c, GM_E_LIMIT, "%i pictures of %v pass the limit tensor_bytes = %u", n, 3, first->dims, c->limits.tensor_bytes);
    return gm_tensor_create(c, first->dtype, 4, dims, all);
}

static gm_status read_all(gm_context *c, const char *dir, const char **names, int64_t n, gmi_pnm_info *first, gm_tensor **all)
{
    gm_status s = GM_OK;
    for (int64_t i = 0; !s && i < n; i++) {
        gmi_pnm_info info;
        gm_tensor *t = NULL;
        if (gmi_cancelled(c)) return gmi_fail(c, GM_E_CANCELLED, "cancelled at picture %i of %i", i + 1, n);
        s = read_file(c, dir, names[i], &info, &t);
        if (s) return s;
        if (!i) {
            *first = info;
            s = make_room(c, t, n, all);
        } else if (info.width != first->width || info.height != first->height || info.channels != first->channels || info.maxval != first->maxval) {
            s = gmi_fail_at(c, GM_E_SHAPE, i, "picture %S is %ix%i with %i channels to %d; the first, %S, is %ix%i with %i to %d: all must agree", names[i],
                            info.width, info.height, info.channels, info.maxval, names[0], first->width, first->height, first->channels, first->maxval);
        }
        if (!s) {
            size_t bytes = (size_t)gmi_tensor_count(t) * gmi_dtype_size(t->dtype);
            memcpy((char *)(*all)->data + (size_t)i * bytes, t->data, bytes);
        }
        gm_tensor_destroy(t);
    }
    return s;
}

static gm_status make_dataset(gm_context *c, gm_tensor *all, const gmi_pnm_info *info, const gmi_open_options *o, gm_dataset **out)
{
    gm_spec spec = o->spec;
    int32_t *labels = NULL;
    gm_status s = o->labels ? gmi_open_labels(c, o->labels, all->dims[0], &labels) : GM_OK;
    if (s) {
        gm_tensor_destroy(all);
        return s;
    }
    if (!(spec.lo < spec.hi)) {
        spec.lo = 0;
        spec.hi = info->maxval;
    }
    return gmi_dataset_make(c, all, &spec, labels, NULL, out);
}

gm_status gmi_open_pictures(gm_context *c, const char *dir, const gmi_open_options *o, gm_dataset **out)
{
    gmi_buf text;
    const char **names = NULL;
    gm_tensor *all = NULL;
    gmi_pnm_info info;
    int64_t n;
    gm_status s;
    gmi_buf_init(&text, c);
    s = list_folder(c, dir, &text, &names, &n);
    if (!s) s = read_all(c, dir, names, n, &info, &all);
    gmi_free(c, (void *)names);
    gmi_buf_free(&text);
    if (!s) return make_dataset(c, all, &info, o, out);
    gm_tensor_destroy(all);
    return s;
}

gm_status gmi_open_picture(gm_context *c, gmi_in *in, const gmi_open_options *o, gm_dataset **out)
{
    gm_tensor *t = NULL, *one = NULL;
    gmi_pnm_info info;
    int64_t dims[4];
    gm_status s = gmi_pnm_read(c, in, 1, &info, &t);
    if (s) return s;
    dims[0] = 1;
    memcpy(dims + 1, t->dims, 3 * sizeof *dims);
    s = gm_tensor_reshape(t, 4, dims, &one);
    gm_tensor_destroy(t); /* the view keeps it */
    return s ? s : make_dataset(c, one, &info, o, out);
}
