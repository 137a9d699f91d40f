/* SPDX-License-Identifier: MIT */
/* safetensors_data.c: element types, and the one pass over the data that fills, converts, hashes and checks.
 *
 * bfloat16 is the upper half of a float. Conversions to a narrower float round to nearest even; a NaN of any kind becomes the canonical one. */
#include "format/safetensors.h"
#include "format/bytes.h"
#include "format/safetensors_own.h"

#define BLOCK 32768

gm_dtype gmi_st_dtype_tensor(int32_t dtype)
{
    switch (dtype) {
    case GMI_ST_BOOL:
    case GMI_ST_U8: return GM_U8;
    case GMI_ST_I16: return GM_I16;
    case GMI_ST_I32: return GM_I32;
    case GMI_ST_I64: return GM_I64;
    case GMI_ST_F32: return GM_F32;
    case GMI_ST_F64: return GM_F64;
    default: return 0;
    }
}

int32_t gmi_st_dtype_of(gm_dtype t)
{
    switch (t) {
    case GM_U8: return GMI_ST_U8;
    case GM_I16: return GMI_ST_I16;
    case GM_I32: return GMI_ST_I32;
    case GM_I64: return GMI_ST_I64;
    case GM_F32: return GMI_ST_F32;
    case GM_F64: return GMI_ST_F64;
    default: return GMI_ST_NONE;
    }
}

int64_t gmi_st_elements(const gmi_st_entry *e)
{
    int64_t n = 1;
    for (int32_t i = 0; i < e->rank; i++) n *= e->dims[i];
    return n;
}

static int is_float(int32_t dtype)
{
    return dtype == GMI_ST_F16 || dtype == GMI_ST_BF16 || dtype == GMI_ST_F32 || dtype == GMI_ST_F64;
}

static double element(int32_t dtype, const uint8_t *p)
{
    switch (dtype) {
    case GMI_ST_F16: return (double)gmi_half_float(gmi_get16(p, 0));
    case GMI_ST_BF16: return (double)gmi_bits_float((uint32_t)gmi_get16(p, 0) << 16);
    case GMI_ST_F32: return (double)gmi_bits_float(gmi_get32(p, 0));
    default: return gmi_bits_double(gmi_get64(p, 0));
    }
}

int gmi_st_to_f32(int32_t dtype, const uint8_t *from, int64_t n, float *to)
{
    int64_t width = gmi_st_dtype_bits(dtype) / 8;
    if (!is_float(dtype)) return -1;
    if (dtype == GMI_ST_F32) {
        gmi_bytes_load(to, from, n, 4, 0);
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        double v = element(dtype, from + i * width);
        float f = v == v ? (float)v : gmi_bits_float(0x7fc00000u);
        memcpy((char *)to + 4 * i, &f, 4);
    }
    return 0;
}

int gmi_st_to_f64(int32_t dtype, const uint8_t *from, int64_t n, double *to)
{
    int64_t width = gmi_st_dtype_bits(dtype) / 8;
    if (!is_float(dtype)) return -1;
    for (int64_t i = 0; i < n; i++) {
        double v = element(dtype, from + i * width);
        memcpy((char *)to + 8 * i, &v, 8);
    }
    return 0;
}

/* n bytes of elements, whole ones of dtype, to their place. */
static void decode(int32_t dtype, gm_dtype as, const uint8_t *from, size_t n, void *to)
{
    int32_t width = gmi_st_dtype_bits(dtype) / 8;
    if (is_float(dtype) && as == GM_F32) {
        gmi_st_to_f32(dtype, from, (int64_t)n / width, to);
    } else if (is_float(dtype) && as == GM_F64) {
        gmi_st_to_f64(dtype, from, (int64_t)n / width, to);
    } else if (dtype == GMI_ST_BOOL) {
        for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = from[i] != 0;
    } else {
        if (dtype == GMI_ST_C64) width = 4; /* two floats */
        if (width == 0) width = 1;          /* packed below a byte: as it is */
        gmi_bytes_load(to, from, (int64_t)n / width, width, 0);
    }
}

static gm_status check_dest(const gmi_safetensors *s, const gmi_st_entry *e, const gmi_st_dest *d)
{
    int to_float = d->as == GM_F32 || d->as == GM_F64;
    if (!d->data || d->as == 0 || d->as == gmi_st_dtype_tensor(e->dtype) || (to_float && is_float(e->dtype))) return GM_OK;
    return gmi_fail(s->ctx, GM_E_UNSUPPORTED, "safetensors: the tensor %S is %s, which cannot be given as %s: convert the file first", e->name,
                    gmi_st_dtype_name(e->dtype), gm_dtype_name(d->as));
}

/* n bytes, hashed when the file is checked. */
static gm_status read_block(gmi_safetensors *s, gmi_in *in, uint8_t *block, size_t n)
{
    size_t got;
    gm_status r;
    if (gmi_cancelled(s->ctx)) return gmi_fail(s->ctx, GM_E_CANCELLED, "safetensors: cancelled at byte %u", in->pos);
    r = gmi_in_read(in, block, n, &got);
    if (r) return r;
    if (got < n)
        return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_DATA_SHORT, in->pos,
                          "the file is cut short: it ends at byte %u, within the data of a tensor", in->pos);
    if (s->checked) gmi_sha256_add(&s->sha, block, n);
    return GM_OK;
}

static gm_status read_entry(gmi_safetensors *s, gmi_in *in, const gmi_st_entry *e, const gmi_st_dest *d, uint8_t *block)
{
    uint64_t left = e->end - e->begin;
    int32_t width = gmi_st_dtype_bits(e->dtype) / 8;
    uint64_t out = d->as == GM_F32 ? 4 : d->as == GM_F64 ? 8 : (uint64_t)width;
    char *to = d->data;
    if (!to && !s->checked && in->total != UINT64_MAX) return gmi_in_skip(in, left);
    while (left) {
        size_t n = (size_t)GMI_MIN(left, BLOCK);
        gm_status r = read_block(s, in, block, n);
        if (r) return r;
        if (to) {
            decode(e->dtype, d->as, block, n, to);
            to += width ? n / (size_t)width * (size_t)out : n;
        }
        left -= n;
    }
    return GM_OK;
}

static gm_status check_end(gmi_safetensors *s, gmi_in *in)
{
    char hex[65], one;
    uint8_t d[32];
    size_t got;
    gm_status r = gmi_in_read(in, &one, 1, &got);
    if (r) return r;
    if (got)
        return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_DATA_TRAILING, in->pos - 1, "bytes follow the last tensor, from byte %u on", in->pos - 1);
    if (!s->checked) return GM_OK;
    gmi_sha256_end(&s->sha, d);
    gmi_sha256_hex(d, hex);
    if (!memcmp(hex, s->digest, 64)) return GM_OK;
    return gmi_st_bad(s->ctx, GM_E_CHECKSUM, GMI_ST_E_DIGEST, 8, "the file was changed or damaged: its SHA-256 is %s, \"genrep.sha256\" says %s",
                      hex, s->digest);
}

gm_status gmi_safetensors_read(gmi_safetensors *s, gmi_in *in, gmi_st_dest_fn dest, void *user)
{
    uint8_t *block = gmi_alloc(s->ctx, BLOCK);
    gm_status r = block ? GM_OK : gmi_alloc_status(s->ctx);
    for (int32_t i = 0; i < s->n && !r; i++) {
        const gmi_st_entry *e = &s->entries[s->order[i]];
        gmi_st_dest d = {NULL, 0};
        if (dest) r = dest(user, e, &d);
        if (!r) r = check_dest(s, e, &d);
        if (!r) r = read_entry(s, in, e, &d, block);
    }
    if (!r) r = check_end(s, in);
    gmi_free(s->ctx, block);
    return r;
}
