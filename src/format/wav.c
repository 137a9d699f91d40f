/* SPDX-License-Identifier: MIT */
/* wav.c: "RIFF" size "WAVE", then chunks: id, size, bytes, padded to even. "fmt " says what the frames of "data" are; all others are skipped. */
#include "format/wav.h"
#include "format/bytes.h"

enum { PCM = 1, FLOAT = 3, EXTENSIBLE = 0xfffe };

/* The tail of a GUID whose first two bytes are the format tag (KSDATAFORMAT_SUBTYPE_x). */
static const uint8_t guid[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};

static gm_status bad(gm_context *c, uint64_t where, const char *what)
{
    return gmi_fail_at(c, GM_E_FORMAT, (int64_t)where, "wav: byte %u: %s", where, what);
}

static gm_status read_format(gm_context *c, gmi_in *in, uint32_t size, gmi_wav_info *f)
{
    uint8_t h[40];
    uint64_t at = in->pos;
    uint32_t tag, frame, rate;
    uint32_t use = GMI_MIN(size, (uint32_t)sizeof h);
    gm_status s;
    if (size < 16) return bad(c, at, "a \"fmt \" chunk has at least 16 bytes");
    s = gmi_bytes_exact(in, "wav", h, use);
    if (!s) s = gmi_bytes_skip(in, "wav", (uint64_t)size - use + (size & 1));
    if (s) return s;
    tag = gmi_get16(h, 0);
    if (tag == EXTENSIBLE) {
        if (size < 40 || memcmp(h + 26, guid, 14)) return bad(c, at, "an extensible format that is neither PCM nor float");
        tag = gmi_get16(h + 24, 0);
    }
    f->channels = gmi_get16(h + 2, 0);
    rate = gmi_get32(h + 4, 0);
    frame = gmi_get16(h + 12, 0);
    f->bits = gmi_get16(h + 14, 0);
    f->is_float = tag == FLOAT;
    if ((tag != PCM || (f->bits != 8 && f->bits != 16 && f->bits != 24 && f->bits != 32)) && (tag != FLOAT || f->bits != 32))
        return gmi_fail_at(c, GM_E_UNSUPPORTED, (int64_t)at,
                           "wav: format %u with %d bits is none of PCM with 8, 16, 24, 32 and float with 32: convert it first",
                           (uint64_t)tag, f->bits);
    if (f->channels == 0 || rate == 0 || rate > INT32_MAX) return bad(c, at, "no channels, or an impossible rate");
    f->rate = (int32_t)rate;
    if (frame != (uint32_t)f->channels * (uint32_t)f->bits / 8) return bad(c, at, "the frame size is not channels times bytes per sample");
    return GM_OK;
}

static gm_status read_riff(gm_context *c, gmi_in *in)
{
    uint8_t h[12];
    uint64_t size;
    gm_status s = gmi_bytes_exact(in, "wav", h, 12);
    if (s) return s;
    if (memcmp(h, "RIFF", 4) || memcmp(h + 8, "WAVE", 4)) return bad(c, 0, "the file does not begin with RIFF .... WAVE");
    size = gmi_get32(h + 4, 0);
    if (size < 4 || size - 4 > in->total - in->pos) return bad(c, 4, "the size of the RIFF chunk passes the end of the file: it is cut short");
    return GM_OK;
}

/* Leaves `in` at the first frame, *size its bytes. */
static gm_status find_data(gm_context *c, gmi_in *in, gmi_wav_info *f, uint32_t *size)
{
    uint8_t h[8];
    gm_status s = read_riff(c, in);
    while (!s) {
        s = gmi_bytes_exact(in, "wav", h, 8);
        *size = gmi_get32(h + 4, 0);
        if (s) break;
        if (*size > in->total - in->pos) return bad(c, in->pos - 4, "the size of a chunk passes the end of the file");
        if (!memcmp(h, "data", 4)) return f->channels ? GM_OK : bad(c, in->pos - 8, "the \"data\" chunk comes before \"fmt \"");
        if (memcmp(h, "fmt ", 4)) s = gmi_bytes_skip(in, "wav", (uint64_t)*size + (*size & 1));
        else if (f->channels) s = bad(c, in->pos - 8, "a second \"fmt \" chunk");
        else s = read_format(c, in, *size, f);
    }
    return s;
}

gm_status gmi_wav_read(gm_context *c, gmi_in *in, gmi_wav_info *info, gm_tensor **out)
{
    gmi_wav_info f;
    gmi_array a;
    uint32_t size = 0, frame;
    gm_status s;
    memset(&f, 0, sizeof f);
    memset(&a, 0, sizeof a);
    *out = NULL;
    s = find_data(c, in, &f, &size);
    if (s) return s;
    frame = (uint32_t)f.channels * (uint32_t)f.bits / 8;
    if (size % frame) return bad(c, in->pos - 4, "the size of the \"data\" chunk is not whole frames");
    f.frames = size / frame;
    a.kind = f.is_float ? 'f' : f.bits == 8 ? 'u' : 'i';
    a.width = f.bits / 8;
    a.rank = 2;
    a.dims[0] = f.frames;
    a.dims[1] = f.channels;
    s = gmi_array_size(c, "wav", &a);
    if (!s) s = gmi_array_read(c, "wav", in, &a, 1, out);
    if (!s && info) *info = f;
    return s;
}

/* Nearest integer, ties to even, of |v| <= 32767: adding and taking away 1.5 * 2^52 leaves no room for a fraction. */
static int32_t to_pcm(double v)
{
    v *= 32767;
    v = v > 32767 ? 32767 : v < -32767 ? -32767 : v;
    return (int32_t)(v + 6755399441055744.0 - 6755399441055744.0);
}

static gm_status sample(const gm_tensor *x, int64_t row, int64_t channel, int32_t *v)
{
    const char *p = (const char *)x->data + row * x->strides[0] + (x->rank == 2 ? channel * x->strides[1] : 0);
    double d;
    float f;
    int16_t i;
    if (x->dtype == GM_I16) {
        memcpy(&i, p, sizeof i);
        *v = i;
        return GM_OK;
    }
    if (x->dtype == GM_F32) {
        memcpy(&f, p, sizeof f);
        d = (double)f;
    } else {
        memcpy(&d, p, sizeof d);
    }
    if (d != d) return gmi_fail_at(x->ctx, GM_E_NONFINITE, row, "wav: sample %i of channel %i is NaN", row, channel);
    *v = to_pcm(d);
    return GM_OK;
}

static gm_status write_header(gm_context *c, gmi_out *o, int64_t frames, int64_t channels, int32_t rate)
{
    uint8_t h[44];
    int64_t bytes;
    if (channels < 1 || channels > 32767 || rate < 1 || gmi_mul_i64(frames, 2 * channels, &bytes) || bytes > UINT32_MAX - 36 ||
        (int64_t)rate * channels * 2 > UINT32_MAX)
        return gmi_fail(c, GM_E_SHAPE, "wav: %i frames of %i channels at rate %d do not fit the format", frames, channels, rate);
    memcpy(h, "RIFF....WAVEfmt ", 16);
    gmi_put32(h + 4, (uint32_t)bytes + 36, 0);
    gmi_put32(h + 16, 16, 0);
    gmi_put16(h + 20, PCM, 0);
    gmi_put16(h + 22, (uint32_t)channels, 0);
    gmi_put32(h + 24, (uint32_t)rate, 0);
    gmi_put32(h + 28, (uint32_t)(rate * channels * 2), 0);
    gmi_put16(h + 32, (uint32_t)(channels * 2), 0);
    gmi_put16(h + 34, 16, 0);
    memcpy(h + 36, "data", 4);
    gmi_put32(h + 40, (uint32_t)bytes, 0);
    return gmi_out_write(o, h, sizeof h);
}

gm_status gmi_wav_write(const gm_tensor *x, int32_t rate, gmi_out *o)
{
    int64_t channels;
    gm_status s;
    if (x->rank != 1 && x->rank != 2) return gmi_fail(x->ctx, GM_E_SHAPE, "wav: a sound is [t] or [t, channels], not of rank %d", x->rank);
    if (x->dtype != GM_I16 && x->dtype != GM_F32 && x->dtype != GM_F64)
        return gmi_fail(x->ctx, GM_E_DTYPE, "wav: samples are i16, f32 or f64, not %s", gm_dtype_name(x->dtype));
    channels = x->rank == 2 ? x->dims[1] : 1;
    s = write_header(x->ctx, o, x->dims[0], channels, rate);
    for (int64_t i = 0; i < x->dims[0] && !s; i++)
        for (int64_t k = 0; k < channels && !s; k++) {
            uint8_t b[2];
            int32_t v = 0;
            s = sample(x, i, k, &v);
            gmi_put16(b, (uint32_t)v, 0);
            if (!s) s = gmi_out_write(o, b, 2);
        }
    return s;
}
