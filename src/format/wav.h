/* SPDX-License-Identifier: MIT */
/* wav.h: RIFF/WAVE sound: PCM of 8, 16, 24, 32 bits and 32-bit float, also as WAVE_FORMAT_EXTENSIBLE; written as 16-bit PCM. Not here: compressed
 * formats, RF64. */
#ifndef GMI_FORMAT_WAV_H
#define GMI_FORMAT_WAV_H
#include "format/array.h"
typedef struct gmi_wav_info {
    int32_t rate;     /* frames a second */
    int32_t channels;
    int32_t bits;     /* per sample: 8, 16, 24, 32 */
    int32_t is_float;
    int64_t frames;
} gmi_wav_info;
/* [t, channels] in the file's own values: U8 (8 bits, 128 is silence), I16, I32 (24 bits keep their range), F32. info may be NULL. */
gm_status gmi_wav_read(gm_context *c, gmi_in *in, gmi_wav_info *info, gm_tensor **out);
/* 16-bit PCM from x of rank 1 [t] or 2 [t, channels]: I16 as it is; F32 and F64 times 32767, rounded to nearest even, clipped; NaN is
 * GM_E_NONFINITE. */
gm_status gmi_wav_write(const gm_tensor *x, int32_t rate, gmi_out *o);
#endif
