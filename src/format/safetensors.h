/* SPDX-License-Identifier: MIT */
/* safetensors.h: files of named tensors, https://github.com/huggingface/safetensors, with the stricter reading that this library promises.
 *
 *   u64 N little-endian | N bytes of JSON | data, row-major little-endian, without holes
 *
 * gmi_safetensors_open reads and validates the header against the limits of the context and the size of the source; until then nothing has been
 * allocated that the file's numbers size, except the header's own bytes. gmi_safetensors_read then makes one pass over the data, in the order of the
 * file, so that a pipe is as good as a file. A file with any metadata key "genrep.*" must have a valid "genrep.sha256" (SHA-256 of the whole file,
 * its own 64 digits read as '0', lower case): else GM_E_CHECKSUM. Files of other tools load unchecked. */
#ifndef GMI_FORMAT_SAFETENSORS_H
#define GMI_FORMAT_SAFETENSORS_H
#include "base/base.h"
#include "genrep/tensor.h"

/* Name and bits per element, in the order of the reference implementation (its writer sorts by it, downwards). */
#define GMI_ST_DTYPES(X)                                                                                                                             \
    X(BOOL, 8) X(F4, 4) X(F6_E2M3, 6) X(F6_E3M2, 6) X(U8, 8) X(I8, 8) X(F8_E5M2, 8) X(F8_E4M3, 8) X(F8_E8M0, 8) X(F8_E4M3FNUZ, 8) X(F8_E5M2FNUZ, 8)  \
    X(I16, 16) X(U16, 16) X(F16, 16) X(BF16, 16) X(I32, 32) X(U32, 32) X(F32, 32) X(C64, 64) X(F64, 64) X(I64, 64) X(U64, 64)
#define GMI_ST_ENUM(name, bits) GMI_ST_##name,
enum { GMI_ST_NONE, GMI_ST_DTYPES(GMI_ST_ENUM) GMI_ST_COUNT };

/* gm_error.detail of a refused file: which rule. Values are stable. */
enum {
    GMI_ST_E_SHORT = 1,       /* fewer than 8 bytes */
    GMI_ST_E_HEADER_SIZE = 2, /* N is 0, past the end, or too large */
    GMI_ST_E_JSON = 3,        /* not JSON, or something after it */
    GMI_ST_E_UTF8 = 4,
    GMI_ST_E_DEPTH = 5,
    GMI_ST_E_TOP = 6,         /* the top level is not an object */
    GMI_ST_E_NAME_NUL = 7,
    GMI_ST_E_NAME_EMPTY = 8,
    GMI_ST_E_NAME_LONG = 9,
    GMI_ST_E_NAME_TWICE = 10,
    GMI_ST_E_META_TYPE = 11,
    GMI_ST_E_META_TWICE = 12,
    GMI_ST_E_META_SIZE = 13,
    GMI_ST_E_ENTRY = 14,      /* a tensor is not an object, a field has the wrong type */
    GMI_ST_E_FIELD_TWICE = 15,
    GMI_ST_E_FIELD_MISSING = 16,
    GMI_ST_E_DTYPE = 17,
    GMI_ST_E_NUMBER = 18,
    GMI_ST_E_RANK = 19,
    GMI_ST_E_OVERFLOW = 20,
    GMI_ST_E_OFFSETS = 21,    /* not two offsets, or END < BEGIN */
    GMI_ST_E_SIZE = 22,       /* END - BEGIN is not what shape and dtype need */
    GMI_ST_E_HOLE = 23,
    GMI_ST_E_OVERLAP = 24,
    GMI_ST_E_DATA_SHORT = 25,
    GMI_ST_E_DATA_TRAILING = 26,
    GMI_ST_E_COUNT = 27,      /* more tensors than the limit */
    GMI_ST_E_DATA_SIZE = 28,  /* more tensor bytes than the limit */
    GMI_ST_E_EXTRA = 29,      /* more than 32 unknown fields in one tensor */
    GMI_ST_E_DIGEST_MISSING = 30,
    GMI_ST_E_DIGEST = 31
};

typedef struct gmi_st_entry {
    const char *name;    /* UTF-8, terminated, no 0 inside; lives as long as the reader */
    const int64_t *dims; /* rank of them */
    uint64_t begin, end; /* bytes in the data */
    int32_t name_n;
    int16_t dtype;       /* GMI_ST_x */
    int16_t rank;
} gmi_st_entry;

typedef struct gmi_st_meta {
    uint32_t key, key_n, value, value_n; /* offsets into header */
} gmi_st_meta;

typedef struct gmi_safetensors {
    gm_context *ctx;
    int32_t n;               /* tensors */
    gmi_st_entry *entries;   /* in the order of the header */
    int32_t *order, *by_name; /* indices into entries, by (begin, end) and by name */
    int64_t *dims;
    int32_t meta_n;
    gmi_st_meta *meta;       /* sorted by key */
    char *header;
    uint64_t header_bytes, data_bytes;
    int checked;             /* the file carries a digest, to be compared at the end of the data */
    char digest[65];         /* "" when not checked */
    gmi_sha256 sha;          /* so far */
} gmi_safetensors;

/* Reads and validates the header of what `in` gives from its present position to its end. On failure nothing stays allocated. */
gm_status gmi_safetensors_open(gm_context *c, gmi_in *in, gmi_safetensors *s);
void gmi_safetensors_close(gmi_safetensors *s); /* also after a failed open, and twice */
const gmi_st_entry *gmi_safetensors_find(const gmi_safetensors *s, const char *name); /* NULL when there is none */
/* A metadata value, terminated, *n its length (n may be NULL); NULL when there is none. */
const char *gmi_safetensors_text(const gmi_safetensors *s, const char *key, size_t *n);
void gmi_safetensors_pair(const gmi_safetensors *s, int32_t i, const char **key, const char **value); /* 0 <= i < meta_n */

/* Where an entry goes. data NULL skips it. as: 0 = as in the file, in host byte order; GM_F32 or GM_F64 = converted from F16, BF16, F32 or F64;
 * another gm_dtype must be the file's own (BOOL is GM_U8, 0 or 1). data has room for all elements; any alignment. */
typedef struct gmi_st_dest {
    void *data;
    gm_dtype as;
} gmi_st_dest;
typedef gm_status (*gmi_st_dest_fn)(void *user, const gmi_st_entry *e, gmi_st_dest *d);
/* One pass over the data right after open: asks dest for each entry in the order of the file, fills, and at the end compares the digest and makes
 * sure that the source ends. What was filled must not be used unless this returns GM_OK. dest NULL: only checks. A failure of dest ends it. A type
 * that cannot be given is GM_E_UNSUPPORTED. */
gm_status gmi_safetensors_read(gmi_safetensors *s, gmi_in *in, gmi_st_dest_fn dest, void *user);

const char *gmi_st_dtype_name(int32_t dtype);  /* "F32"; "?" when unknown */
int32_t gmi_st_dtype_bits(int32_t dtype);      /* 0 when unknown */
gm_dtype gmi_st_dtype_tensor(int32_t dtype);   /* the same type of a gm_tensor, 0 when there is none */
int32_t gmi_st_dtype_of(gm_dtype t);           /* the inverse */
int64_t gmi_st_elements(const gmi_st_entry *e);
/* n elements of type dtype (F16, BF16, F32, F64), little-endian at from, to floats or doubles at `to`. Returns -1 for any other type. */
int gmi_st_to_f32(int32_t dtype, const uint8_t *from, int64_t n, float *to);
int gmi_st_to_f64(int32_t dtype, const uint8_t *from, int64_t n, double *to);

/* ---- writer ---- */
typedef struct gmi_st_tensor {
    const char *name;
    int32_t dtype;       /* GMI_ST_x of 8 bits or more */
    int32_t rank;
    const int64_t *dims;
    const void *data;    /* dense row-major in host byte order; NULL when empty */
} gmi_st_tensor;
typedef struct gmi_st_text {
    const char *key, *value; /* UTF-8 */
} gmi_st_text;
/* The canonical file: entries by dtype (widest first) and name, compact JSON, metadata first with sorted keys, "format":"pt" and the digest added,
 * header padded with spaces to a multiple of 8, NaN as 7fc00000. "genrep.writer" is added where no other key begins with "genrep.", so that no
 * single changed byte can turn the check off. Names and keys must be unique UTF-8, not empty; "format" and "genrep.sha256" are the writer's: else
 * GM_E_INVALID. */
gm_status gmi_safetensors_write(gm_context *c, gmi_out *o, int64_t n, const gmi_st_tensor *t, int64_t meta_n, const gmi_st_text *meta);
/* SHA-256 (lower-case hex) of the data alone, as the writer would lay it out: the identity of the weights, whatever the metadata says. */
gm_status gmi_safetensors_data_sha256(gm_context *c, int64_t n, const gmi_st_tensor *t, char hex[65]);
#endif
