/* SPDX-License-Identifier: MIT */
/* idx.c: IDX files. The third byte is the type: 8 u8, 9 i8, 11 i16, 12 i32, 13 f32, 14 f64; the fourth the rank. */
#include "format/idx.h"
#include "format/bytes.h"

static const struct {
    uint8_t code;
    char kind;
    int8_t width;
} types[] = {{8, 'u', 1}, {9, 'i', 1}, {11, 'i', 2}, {12, 'i', 4}, {13, 'f', 4}, {14, 'f', 8}};

static gm_status not_idx(gm_context *c, const uint8_t h[4])
{
    if (h[0] == 0x1f && h[1] == 0x8b)
        return gmi_fail_at(c, GM_E_FORMAT, 0, "idx: the file is gzip-compressed: decompress it first (gunzip)");
    return gmi_fail_at(c, GM_E_FORMAT, 0, "idx: the file begins %x %x %x %x, an IDX file begins 0 0 type rank", (uint64_t)h[0], (uint64_t)h[1],
                       (uint64_t)h[2], (uint64_t)h[3]);
}

gm_status gmi_idx_header(gm_context *c, gmi_in *in, gmi_array *a)
{
    uint8_t h[4], d[4];
    gm_status s = gmi_bytes_exact(in, "idx", h, 4);
    memset(a, 0, sizeof *a);
    if (s) return s;
    if (h[0] || h[1]) return not_idx(c, h);
    for (int64_t i = 0; i < GMI_COUNT(types); i++)
        if (types[i].code == h[2]) {
            a->kind = types[i].kind;
            a->width = types[i].width;
        }
    if (!a->kind) return gmi_fail_at(c, GM_E_FORMAT, 2, "idx: type %x at byte 2 is none of 8, 9, b, c, d, e", (uint64_t)h[2]);
    if (h[3] == 0) return gmi_fail_at(c, GM_E_FORMAT, 3, "idx: the rank at byte 3 is 0");
    if (h[3] > GMI_MAX_RANK) return gmi_fail_at(c, GM_E_LIMIT, 3, "idx: the rank at byte 3 is %d, the limit is %d", (int32_t)h[3], GMI_MAX_RANK);
    a->big = 1;
    a->rank = h[3];
    for (int32_t i = 0; i < a->rank; i++) {
        s = gmi_bytes_exact(in, "idx", d, 4);
        if (s) return s;
        a->dims[i] = gmi_get32(d, 1);
    }
    return gmi_array_size(c, "idx", a);
}

gm_status gmi_idx_read(gm_context *c, gmi_in *in, gm_tensor **out)
{
    gmi_array a;
    gm_status s = gmi_idx_header(c, in, &a);
    *out = NULL;
    return s ? s : gmi_array_read(c, "idx", in, &a, 0, out);
}

gm_status gmi_idx_write(const gm_tensor *t, gmi_out *o)
{
    static const uint8_t code[] = {0, 13, 14, 8, 11, 12, 0}; /* by gm_dtype */
    uint8_t h[4 + 4 * GMI_MAX_RANK] = {0};
    gm_status s;
    if (!code[t->dtype]) return gmi_fail(t->ctx, GM_E_DTYPE, "idx: elements are %s, which the format lacks", gm_dtype_name(t->dtype));
    h[2] = code[t->dtype];
    h[3] = (uint8_t)t->rank;
    if (t->rank == 0) return gmi_fail(t->ctx, GM_E_SHAPE, "idx: the rank is 0, the format begins at 1");
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] > UINT32_MAX) return gmi_fail(t->ctx, GM_E_SHAPE, "idx: the shape is %v, a dimension has to fit 32 bits", t->rank, t->dims);
        gmi_put32(h + 4 + 4 * i, (uint32_t)t->dims[i], 1);
    }
    s = gmi_out_write(o, h, (size_t)(4 + 4 * t->rank));
    return s ? s : gmi_array_write(t, 1, o);
}
