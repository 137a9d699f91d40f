/* SPDX-License-Identifier: MIT */
/* array.c: elements of a file to a tensor and back.
 *
 * Reading goes through one 16 KiB block: bytes in, decoded elements out to their place. In Fortran order the elements of a block are decoded first
 * and then scattered: an odometer whose first digit runs fastest gives the place of each. Sizes come from the file, so they are checked against
 * overflow, the limits of the context and what the source can still give, in this order, before the tensor is allocated. */
#include "format/array.h"
#include "format/bytes.h"

#define BLOCK 16368 /* divisible by 3 and by 16 */

gm_dtype gmi_array_dtype(char kind, int32_t width)
{
    if (width < 1 || width > 8) return 0;
    switch ((uint8_t)kind << 4 | width) {
    case 'b' << 4 | 1:
    case 'u' << 4 | 1: return GM_U8;
    case 'i' << 4 | 1:
    case 'i' << 4 | 2: return GM_I16;
    case 'u' << 4 | 2:
    case 'i' << 4 | 3:
    case 'i' << 4 | 4: return GM_I32;
    case 'u' << 4 | 4:
    case 'i' << 4 | 8: return GM_I64;
    case 'f' << 4 | 2:
    case 'f' << 4 | 4: return GM_F32;
    case 'f' << 4 | 8: return GM_F64;
    default: return 0;
    }
}

gm_status gmi_array_size(gm_context *c, const char *format, gmi_array *a)
{
    int64_t count, solid = 1;
    uint64_t memory;
    int32_t i, limit = GMI_MIN(c->limits.rank, GMI_MAX_RANK);
    if (a->rank > limit) return gmi_fail(c, GM_E_LIMIT, "%s: %d dimensions, the limit is %d", format, a->rank, limit);
    a->dtype = gmi_array_dtype(a->kind, a->width);
    for (i = 0; i < a->rank; i++)
        if (a->dims[i] && gmi_mul_i64(solid, a->dims[i], &solid))
            return gmi_fail(c, GM_E_FORMAT, "%s: the shape %v has more elements than can be counted: the file is damaged", format, a->rank, a->dims);
    count = solid;
    for (i = 0; i < a->rank; i++)
        if (a->dims[i] == 0) count = 0;
    if (gmi_mul_u64((uint64_t)solid, gmi_dtype_size(a->dtype), &memory) || memory > INT64_MAX)
        return gmi_fail(c, GM_E_FORMAT, "%s: the shape %v needs more bytes than can be counted: the file is damaged", format, a->rank, a->dims);
    memory = (uint64_t)count * gmi_dtype_size(a->dtype);
    if (memory > c->limits.tensor_bytes)
        return gmi_fail(c, GM_E_LIMIT, "%s: the shape %v needs %u bytes, the limit tensor_bytes is %u: raise gm_limits.tensor_bytes", format, a->rank,
                        a->dims, memory, c->limits.tensor_bytes);
    a->bytes = (uint64_t)count * (uint64_t)a->width;
    return GM_OK;
}

/* Types that become another one. */
static void widen(const gmi_array *a, const uint8_t *from, int64_t n, void *to)
{
    int64_t i;
    int big = a->big;
    switch (a->kind << 4 | a->width) {
    case 'b' << 4 | 1:
        for (i = 0; i < n; i++) ((uint8_t *)to)[i] = from[i] != 0;
        break;
    case 'i' << 4 | 1:
        for (i = 0; i < n; i++) ((int16_t *)to)[i] = (int16_t)((from[i] ^ 128) - 128);
        break;
    case 'u' << 4 | 2:
        for (i = 0; i < n; i++) ((int32_t *)to)[i] = gmi_get16(from + 2 * i, big);
        break;
    case 'u' << 4 | 4:
        for (i = 0; i < n; i++) ((int64_t *)to)[i] = gmi_get32(from + 4 * i, big);
        break;
    case 'f' << 4 | 2:
        for (i = 0; i < n; i++) ((float *)to)[i] = gmi_half_float(gmi_get16(from + 2 * i, big));
        break;
    default: /* 24-bit integers, little-endian */
        for (i = 0; i < n; i++) {
            const uint8_t *p = from + 3 * i;
            int32_t v = p[2] << 16 | p[1] << 8 | p[0];
            ((int32_t *)to)[i] = (v ^ 0x800000) - 0x800000;
        }
    }
}

void gmi_array_decode(const gmi_array *a, const uint8_t *from, int64_t n, void *to)
{
    if (a->kind != 'b' && (size_t)a->width == gmi_dtype_size(a->dtype)) gmi_bytes_load(to, from, n, a->width, a->big);
    else widen(a, from, n, to);
}

/* The places of elements in Fortran order. */
typedef struct odometer {
    int64_t digit[GMI_MAX_RANK], step[GMI_MAX_RANK], at;
} odometer;

static void odometer_init(odometer *o, const gmi_array *a)
{
    int64_t step = 1;
    memset(o, 0, sizeof *o);
    for (int32_t i = a->rank; i-- > 0;) {
        o->step[i] = step;
        step *= a->dims[i];
    }
}

static void scatter(odometer *o, const gmi_array *a, const uint8_t *from, int64_t n, uint8_t *to)
{
    size_t size = gmi_dtype_size(a->dtype);
    for (int64_t k = 0; k < n; k++) {
        memcpy(to + (size_t)o->at * size, from + (size_t)k * size, size);
        for (int32_t i = 0; i < a->rank; i++) {
            o->at += o->step[i];
            if (++o->digit[i] < a->dims[i]) break;
            o->at -= o->step[i] * a->dims[i];
            o->digit[i] = 0;
        }
    }
}

/* a->bytes bytes of `in` into t. block holds the file's bytes, and in Fortran order behind them the decoded ones, at most twice as many. */
static gm_status fill(const char *format, gmi_in *in, const gmi_array *a, uint8_t *block, gm_tensor *t)
{
    size_t size = gmi_dtype_size(a->dtype);
    uint64_t left = a->bytes;
    uint8_t *to = t->data;
    odometer o;
    odometer_init(&o, a);
    while (left) {
        size_t n = (size_t)GMI_MIN(left, BLOCK);
        int64_t count = (int64_t)n / a->width;
        gm_status s = gmi_bytes_exact(in, format, block, n);
        if (s) return s;
        if (a->fortran) {
            gmi_array_decode(a, block, count, block + BLOCK);
            scatter(&o, a, block + BLOCK, count, t->data);
        } else {
            gmi_array_decode(a, block, count, to);
            to += (size_t)count * size;
        }
        left -= n;
    }
    return GM_OK;
}

static gm_status read_known(gm_context *c, const char *format, gmi_in *in, const gmi_array *a, gm_tensor **out)
{
    uint8_t *block = gmi_alloc(c, a->fortran ? 3 * BLOCK : BLOCK);
    gm_tensor *t = NULL;
    gm_status s = block ? gm_tensor_create(c, a->dtype, a->rank, a->dims, &t) : gmi_alloc_status(c);
    if (!s) s = fill(format, in, a, block, t);
    gmi_free(c, block);
    if (s) {
        gm_tensor_destroy(t);
        return s;
    }
    *out = t;
    return GM_OK;
}

static gm_status read_pipe(gm_context *c, const char *format, gmi_in *in, const gmi_array *a, gm_tensor **out)
{
    gm_reader r;
    gmi_in memory;
    char *bytes;
    gm_status s = gmi_bytes_collect(in, format, a->bytes, &bytes);
    if (s) return s;
    gm_reader_init(&r, sizeof r);
    r.memory = bytes;
    r.bytes = a->bytes;
    gmi_in_open(c, &r, &memory); /* memory always opens */
    s = read_known(c, format, &memory, a, out);
    gmi_in_close(&memory);
    gmi_free(c, bytes);
    return s;
}

static gm_status trailing_bytes(gm_context *c, const char *format, uint64_t where)
{
    return gmi_fail_at(c, GM_E_FORMAT, (int64_t)where, "%s: there are bytes after the last element, at byte %u: the file holds something else too",
                       format,
                       where);
}

gm_status gmi_array_read(gm_context *c, const char *format, gmi_in *in, const gmi_array *a, int trailing, gm_tensor **out)
{
    gm_status s;
    gm_tensor *t = NULL;
    char one;
    size_t got = 0;
    uint64_t rest = in->total - in->pos, end = in->pos + a->bytes;
    *out = NULL;
    if (in->total != UINT64_MAX) {
        if (rest < a->bytes)
            return gmi_fail_at(c, GM_E_FORMAT, (int64_t)in->total,
                               "%s: the file is cut short: its elements need %u bytes from byte %u on, %u are there",
                               format, a->bytes, in->pos, rest);
        if (rest > a->bytes && !trailing) return trailing_bytes(c, format, end);
        return read_known(c, format, in, a, out);
    }
    s = read_pipe(c, format, in, a, &t);
    if (!s && !trailing) {
        s = gmi_in_read(in, &one, 1, &got);
        if (!s && got) s = trailing_bytes(c, format, end);
    }
    if (s) {
        gm_tensor_destroy(t);
        return s;
    }
    *out = t;
    return GM_OK;
}

/* Elements first..first+n-1 of t in row-major order into dense memory. */
static void gather(const gm_tensor *t, int64_t first, int64_t n, uint8_t *to)
{
    size_t size = gmi_dtype_size(t->dtype);
    int64_t digit[GMI_MAX_RANK], rest = first;
    const uint8_t *from = t->data;
    for (int32_t i = t->rank; i-- > 0;) {
        digit[i] = rest % t->dims[i];
        rest /= t->dims[i];
        from += digit[i] * t->strides[i];
    }
    for (int64_t k = 0; k < n; k++) {
        memcpy(to + (size_t)k * size, from, size);
        for (int32_t i = t->rank; i-- > 0;) {
            from += t->strides[i];
            if (++digit[i] < t->dims[i]) break;
            from -= t->strides[i] * t->dims[i];
            digit[i] = 0;
        }
    }
}

gm_status gmi_array_write(const gm_tensor *t, int big, gmi_out *o)
{
    uint8_t host[4096], file[4096];
    int64_t width = (int64_t)gmi_dtype_size(t->dtype), count = gmi_tensor_count(t), step = 4096 / width;
    int real = t->dtype == GM_F32 || t->dtype == GM_F64;
    gm_status s = GM_OK;
    for (int64_t i = 0; i < count && !s; i += step) {
        int64_t n = GMI_MIN(step, count - i);
        gather(t, i, n, host);
        gmi_bytes_store(file, host, n, (int32_t)width, big, real);
        s = gmi_out_write(o, file, (size_t)(n * width));
    }
    return s;
}
