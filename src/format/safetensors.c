/* SPDX-License-Identifier: MIT */
/* safetensors.c: reading the header: grammar, types, shapes, ranges, names.
 *
 * The header's bytes stay in memory and are walked twice by one function: first counting and checking, then, with exactly the room the count asked
 * for, storing; names and metadata are unescaped in place (an unescaped string is never longer). So the memory is the header, 56 bytes and 8 a
 * dimension per tensor, 16 bytes per metadata pair: less than 4 headers. What needs the whole list, twins and holes, is found by sorting indices.
 * The data is safetensors_data.c, the writer safetensors_write.c. */
#include "format/safetensors.h"
#include "format/bytes.h"
#include "format/json.h"
#include "format/safetensors_own.h"

#define HEADER_MAX 100000000u /* the format's own limit, decimal */
#define DEPTH_MAX 10          /* the top, a tensor, and 8 more in an unknown field */
#define EXTRA_MAX 32

static const char dtype_names[][12] = {
    "?",
#define ROW(name, bits) #name,
    GMI_ST_DTYPES(ROW)
#undef ROW
};
static const uint8_t dtype_bits[] = {
    0,
#define ROW(name, bits) bits,
    GMI_ST_DTYPES(ROW)
#undef ROW
};

const char *gmi_st_dtype_name(int32_t dtype)
{
    return dtype_names[dtype > 0 && dtype < GMI_ST_COUNT ? dtype : 0];
}

int32_t gmi_st_dtype_bits(int32_t dtype)
{
    return dtype_bits[dtype > 0 && dtype < GMI_ST_COUNT ? dtype : 0];
}

gm_status (gmi_st_bad)(gm_context *c, gm_status s, int32_t rule, uint64_t where, const char *f, ...)
{
    char text[768];
    int first = c->status == GM_OK;
    va_list a;
    va_start(a, f);
    gmi_vformat(text, sizeof text, f, a);
    va_end(a);
    (gmi_fail_at)(c, s, (int64_t)where, "safetensors: %s", text);
    if (first) c->detail = rule;
    return s;
}

/* ---- the walk over the header ---- */

typedef struct walk {
    gm_context *ctx;
    gmi_safetensors *s;
    gmi_json j;
    int store;                   /* second walk */
    int64_t tensors, dims, pairs;
    uint64_t metadata_bytes;
    int metadata_seen, own, digest_at_known;
    size_t digest_at;            /* in the header, of 64 lower-case digits */
} walk;

#define AT(w, offset) (8 + (uint64_t)(offset))

static gm_status bad_json(walk *w)
{
    gmi_json *j = &w->j;
    int32_t rule = j->kind == GMI_JSON_E_UTF8 ? GMI_ST_E_UTF8 : j->kind == GMI_JSON_E_DEPTH ? GMI_ST_E_DEPTH : GMI_ST_E_JSON;
    return gmi_st_bad(w->ctx, GM_E_FORMAT, rule, AT(w, j->at), "the header at byte %u: %s", AT(w, j->at), j->error);
}

/* The next event, or a status when it is none of what `wanted` names. */
static gm_status want(walk *w, int32_t wanted, int32_t rule, const char *what)
{
    size_t at = w->j.at;
    int32_t e = gmi_json_next(&w->j);
    if (e == wanted) return GM_OK;
    if (e == GMI_JSON_ERROR) return bad_json(w);
    return gmi_st_bad(w->ctx, GM_E_FORMAT, rule, AT(w, at), "the header at byte %u: %s was expected", AT(w, at), what);
}

/* An integer of the grammar 0 or [1-9][0-9]*. */
static gm_status integer(walk *w, int32_t event, int64_t *v)
{
    gmi_json_token t = w->j.token;
    if (event == GMI_JSON_ERROR) return bad_json(w);
    if (event == GMI_JSON_NUMBER && !gmi_json_int(w->j.p, t, v)) return GM_OK;
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_NUMBER, AT(w, w->j.at),
                      "the header before byte %u: sizes and offsets are plain integers from 0 to 2^63-1",
                      AT(w, w->j.at));
}

static gm_status read_dtype(walk *w, gmi_st_entry *e)
{
    gm_status s = want(w, GMI_JSON_STRING, GMI_ST_E_DTYPE, "a dtype in quotes");
    if (s) return s;
    for (int16_t i = 1; i < GMI_ST_COUNT; i++)
        if (gmi_json_equal(w->j.p, w->j.token, dtype_names[i])) {
            e->dtype = i;
            return GM_OK;
        }
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_DTYPE, AT(w, w->j.token.begin),
                      "the header at byte %u: the dtype is none that the format defines",
                      AT(w, w->j.token.begin));
}

static gm_status read_shape(walk *w, gmi_st_entry *e, int64_t *dims)
{
    size_t begin;
    gm_status s = want(w, GMI_JSON_ARRAY, GMI_ST_E_ENTRY, "the list of a shape");
    begin = w->j.at;
    while (!s) {
        int64_t v = 0;
        int32_t event = gmi_json_next(&w->j);
        if (event == GMI_JSON_ARRAY_END) break;
        s = integer(w, event, &v);
        if (!s && e->rank >= GMI_MIN(w->ctx->limits.rank, GMI_MAX_RANK))
            return gmi_st_bad(w->ctx, GM_E_LIMIT, GMI_ST_E_RANK, AT(w, begin), "the header at byte %u: a shape of more than %d dimensions, the limit",
                              AT(w, begin), GMI_MIN(w->ctx->limits.rank, GMI_MAX_RANK));
        if (!s) dims[e->rank++] = v;
    }
    return s;
}

static gm_status read_offsets(walk *w, gmi_st_entry *e)
{
    int64_t v[2] = {0, 0};
    size_t begin;
    gm_status s = want(w, GMI_JSON_ARRAY, GMI_ST_E_ENTRY, "the list of data_offsets");
    begin = w->j.at;
    for (int i = 0; i < 2 && !s; i++) {
        int32_t event = gmi_json_next(&w->j);
        if (event == GMI_JSON_ARRAY_END)
            return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_OFFSETS, AT(w, begin), "the header at byte %u: data_offsets are not two", AT(w, begin));
        s = integer(w, event, &v[i]);
    }
    if (!s) s = want(w, GMI_JSON_ARRAY_END, GMI_ST_E_OFFSETS, "the end of two data_offsets");
    e->begin = (uint64_t)v[0];
    e->end = (uint64_t)v[1];
    if (s || v[0] <= v[1]) return s;
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_OFFSETS, AT(w, begin), "the header at byte %u: data_offsets [%i,%i] run backwards", AT(w, begin),
                      v[0], v[1]);
}

/* END - BEGIN against shape and dtype; the product is of the non-zero dimensions, so that an overflow is found wherever a 0 stands. */
static gm_status check_size(walk *w, const gmi_st_entry *e, const int64_t *dims, size_t at)
{
    uint64_t solid = 1, bits, need;
    int zero = 0;
    for (int32_t i = 0; i < e->rank; i++) {
        if (dims[i] == 0) zero = 1;
        else if (gmi_mul_u64(solid, (uint64_t)dims[i], &solid)) goto overflow;
    }
    if (gmi_mul_u64(solid, dtype_bits[e->dtype], &bits)) goto overflow;
    if (zero) bits = 0;
    if (bits % 8)
        return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_SIZE, AT(w, at), "the tensor at byte %u: %v elements of %s are not whole bytes", AT(w, at),
                          (int32_t)e->rank, dims, dtype_names[e->dtype]);
    need = bits / 8;
    if (need == e->end - e->begin) return GM_OK;
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_SIZE, AT(w, at), "the tensor at byte %u: %v %s needs %u bytes, data_offsets [%u,%u] give %u",
                      AT(w, at), (int32_t)e->rank, dims, dtype_names[e->dtype], need, e->begin, e->end, e->end - e->begin);
overflow:
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_OVERFLOW, AT(w, at), "the tensor at byte %u: the shape %v has more elements than can be counted",
                      AT(w, at), (int32_t)e->rank, dims);
}

/* The fields of one tensor: which of the three were seen, and the keys of others. */
typedef struct fields {
    uint32_t seen;
    int32_t extra_n;
    gmi_json_token extra[EXTRA_MAX];
} fields;

static gm_status twice(walk *w, size_t at)
{
    return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_FIELD_TWICE, AT(w, at), "the header at byte %u: a field occurs twice", AT(w, at));
}

static gm_status read_extra(walk *w, fields *f)
{
    gmi_json_token t = w->j.token;
    for (int32_t i = 0; i < f->extra_n; i++)
        if (gmi_json_same(w->j.p, f->extra[i], t)) return twice(w, t.begin);
    if (f->extra_n == EXTRA_MAX)
        return gmi_st_bad(w->ctx, GM_E_LIMIT, GMI_ST_E_EXTRA, AT(w, t.begin), "the header at byte %u: more than %d unknown fields in a tensor",
                          AT(w, t.begin), EXTRA_MAX);
    f->extra[f->extra_n++] = t;
    return gmi_json_skip(&w->j, GMI_JSON_KEY) == GMI_JSON_ERROR ? bad_json(w) : GM_OK;
}

static gm_status read_field(walk *w, gmi_st_entry *e, int64_t *dims, fields *f)
{
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    uint32_t k = 0;
    while (k < 3 && !gmi_json_equal(w->j.p, w->j.token, names[k])) k++;
    if (k == 3) return read_extra(w, f);
    if (f->seen & 1u << k) return twice(w, w->j.token.begin);
    f->seen |= 1u << k;
    return k == 0 ? read_dtype(w, e) : k == 1 ? read_shape(w, e, dims) : read_offsets(w, e);
}

static gm_status check_name(walk *w, gmi_json_token t)
{
    const gm_context *c = w->ctx;
    uint64_t at = AT(w, t.begin);
    if (t.length == 0) return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_NAME_EMPTY, at, "the header at byte %u: the name of a tensor is empty", at);
    if (t.length > (uint64_t)c->limits.name_bytes)
        return gmi_st_bad(w->ctx, GM_E_LIMIT, GMI_ST_E_NAME_LONG, at, "the header at byte %u: a name of %u bytes, the limit name_bytes is %d", at,
                          (uint64_t)t.length, c->limits.name_bytes);
    if (gmi_json_has_zero(w->j.p, t))
        return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_NAME_NUL, at, "the header at byte %u: the name of a tensor contains \\u0000", at);
    if (w->tensors >= c->limits.tensors)
        return gmi_st_bad(w->ctx, GM_E_LIMIT, GMI_ST_E_COUNT, at, "the header at byte %u: more than %d tensors, the limit", at, c->limits.tensors);
    return GM_OK;
}

/* After the KEY that is its name. */
static gm_status read_tensor(walk *w)
{
    gmi_json_token name = w->j.token;
    int64_t dims[GMI_MAX_RANK];
    gmi_st_entry e;
    fields f;
    int32_t event;
    gm_status s = check_name(w, name);
    memset(&e, 0, sizeof e);
    f.seen = 0;
    f.extra_n = 0;
    if (!s) s = want(w, GMI_JSON_OBJECT, GMI_ST_E_ENTRY, "the object of a tensor");
    while (!s && (event = gmi_json_next(&w->j)) != GMI_JSON_OBJECT_END) s = event == GMI_JSON_KEY ? read_field(w, &e, dims, &f) : bad_json(w);
    if (!s && f.seen != 7)
        s = gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_FIELD_MISSING, AT(w, name.begin),
                       "the tensor at byte %u lacks one of dtype, shape, data_offsets",
                       AT(w, name.begin));
    if (!s) s = check_size(w, &e, dims, name.begin);
    if (s) return s;
    if (w->store) {
        int64_t *to = w->s->dims + w->dims;
        memcpy(to, dims, (size_t)e.rank * sizeof *to);
        e.dims = to;
        e.name = w->s->header + name.begin;
        e.name_n = (int32_t)name.length;
        gmi_json_unescape(w->j.p, name, w->s->header + name.begin);
        w->s->entries[w->tensors] = e;
    }
    w->dims += e.rank;
    w->tensors++;
    return GM_OK;
}

static int is_digest(const char *p, gmi_json_token t)
{
    if (t.n != 64) return 0;
    for (size_t i = 0; i < 64; i++) {
        char d = p[t.begin + i];
        if ((d < '0' || d > '9') && (d < 'a' || d > 'f')) return 0;
    }
    return 1;
}

/* One pair, after its KEY. */
static gm_status read_pair(walk *w)
{
    gmi_json_token k = w->j.token, v;
    gm_status s = want(w, GMI_JSON_STRING, GMI_ST_E_META_TYPE, "a string as metadata");
    if (s) return s;
    v = w->j.token;
    w->metadata_bytes += k.length + v.length;
    if (w->metadata_bytes > w->ctx->limits.metadata_bytes)
        return gmi_st_bad(w->ctx, GM_E_LIMIT, GMI_ST_E_META_SIZE, AT(w, k.begin),
                          "the header at byte %u: metadata passes the limit metadata_bytes = %u",
                          AT(w, k.begin), w->ctx->limits.metadata_bytes);
    if (gmi_json_equal(w->j.p, k, "genrep.sha256") && is_digest(w->j.p, v)) {
        w->digest_at = v.begin;
        w->digest_at_known = 1;
    }
    if (w->store) {
        gmi_st_meta *m = &w->s->meta[w->pairs];
        m->key = (uint32_t)k.begin;
        m->key_n = (uint32_t)k.length;
        m->value = (uint32_t)v.begin;
        m->value_n = (uint32_t)v.length;
        gmi_json_unescape(w->j.p, k, w->s->header + k.begin);
        gmi_json_unescape(w->j.p, v, w->s->header + v.begin);
        if (k.length >= 7 && !memcmp(w->s->header + k.begin, "genrep.", 7)) w->own = 1;
    }
    w->pairs++;
    return GM_OK;
}

static gm_status read_metadata(walk *w)
{
    size_t at = w->j.token.begin;
    int32_t event;
    gm_status s = GM_OK;
    if (w->metadata_seen)
        return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_META_TWICE, AT(w, at), "the header at byte %u: __metadata__ occurs twice", AT(w, at));
    w->metadata_seen = 1;
    event = gmi_json_next(&w->j);
    if (event == GMI_JSON_NULL) return GM_OK;
    if (event == GMI_JSON_ERROR) return bad_json(w);
    if (event != GMI_JSON_OBJECT)
        return gmi_st_bad(w->ctx, GM_E_FORMAT, GMI_ST_E_META_TYPE, AT(w, at), "the header at byte %u: __metadata__ is not an object", AT(w, at));
    while (!s && (event = gmi_json_next(&w->j)) != GMI_JSON_OBJECT_END) s = event == GMI_JSON_KEY ? read_pair(w) : bad_json(w);
    return s;
}

static gm_status walk_header(walk *w, int store)
{
    gmi_safetensors *s = w->s;
    int32_t event;
    gm_status r;
    memset(w, 0, sizeof *w);
    w->s = s;
    w->ctx = s->ctx;
    w->store = store;
    gmi_json_init(&w->j, s->header, (size_t)s->header_bytes, DEPTH_MAX);
    r = want(w, GMI_JSON_OBJECT, GMI_ST_E_TOP, "an object");
    while (!r && (event = gmi_json_next(&w->j)) != GMI_JSON_OBJECT_END) {
        if (event != GMI_JSON_KEY) r = bad_json(w);
        else r = gmi_json_equal(w->j.p, w->j.token, "__metadata__") ? read_metadata(w) : read_tensor(w);
    }
    if (!r && gmi_json_next(&w->j) != GMI_JSON_END) r = bad_json(w);
    return r;
}

/* ---- what needs the whole list ---- */

static int compare_bytes(const char *a, size_t an, const char *b, size_t bn)
{
    int c = memcmp(a, b, GMI_MIN(an, bn));
    return c ? c : (an > bn) - (an < bn);
}

static int by_name(const void *user, int64_t a, int64_t b)
{
    const gmi_safetensors *s = user;
    const gmi_st_entry *x = &s->entries[s->by_name[a]], *y = &s->entries[s->by_name[b]];
    return compare_bytes(x->name, (size_t)x->name_n, y->name, (size_t)y->name_n);
}

static void swap_name(void *user, int64_t a, int64_t b)
{
    gmi_safetensors *s = user;
    int32_t t = s->by_name[a];
    s->by_name[a] = s->by_name[b];
    s->by_name[b] = t;
}

/* By begin, then end, then place in the header: the empty ones of one offset come before the one that has bytes there. */
static int by_place(const void *user, int64_t a, int64_t b)
{
    const gmi_safetensors *s = user;
    const gmi_st_entry *x = &s->entries[s->order[a]], *y = &s->entries[s->order[b]];
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return s->order[a] - s->order[b];
}

static void swap_place(void *user, int64_t a, int64_t b)
{
    gmi_safetensors *s = user;
    int32_t t = s->order[a];
    s->order[a] = s->order[b];
    s->order[b] = t;
}

static int by_key(const void *user, int64_t a, int64_t b)
{
    const gmi_safetensors *s = user;
    const gmi_st_meta *x = &s->meta[a], *y = &s->meta[b];
    return compare_bytes(s->header + x->key, x->key_n, s->header + y->key, y->key_n);
}

static void swap_key(void *user, int64_t a, int64_t b)
{
    gmi_safetensors *s = user;
    gmi_st_meta t = s->meta[a];
    s->meta[a] = s->meta[b];
    s->meta[b] = t;
}

/* Heap sort: no recursion, no memory, n log n for any input. */
void gmi_st_sort(void *user, int64_t n, int (*compare)(const void *, int64_t, int64_t), void (*swap)(void *, int64_t, int64_t))
{
    int64_t start = n / 2, end = n;
    while (end > 1) {
        int64_t root, child;
        if (start > 0) start--;
        else swap(user, 0, --end);
        for (root = start; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(user, child, child + 1) < 0) child++;
            if (compare(user, root, child) >= 0) break;
            swap(user, root, child);
        }
    }
}

static gm_status check_twins(gmi_safetensors *s)
{
    gm_context *c = s->ctx;
    gmi_st_sort(s, s->n, by_name, swap_name);
    for (int32_t i = 1; i < s->n; i++)
        if (!by_name(s, i - 1, i))
            return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_NAME_TWICE, 8, "two tensors are named %S", s->entries[s->by_name[i]].name);
    gmi_st_sort(s, s->meta_n, by_key, swap_key);
    for (int32_t i = 1; i < s->meta_n; i++)
        if (!by_key(s, i - 1, i))
            return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_META_TWICE, 8, "the metadata key %S occurs twice", s->header + s->meta[i].key);
    return GM_OK;
}

/* The ranges in order start at 0 and touch; their end is the size of the data. */
static gm_status check_ranges(gmi_safetensors *s)
{
    uint64_t at = 0;
    gmi_st_sort(s, s->n, by_place, swap_place);
    for (int32_t i = 0; i < s->n; i++) {
        const gmi_st_entry *e = &s->entries[s->order[i]];
        if (e->begin > at)
            return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_HOLE, 8 + s->header_bytes + at, "no tensor covers bytes %u to %u of the data", at,
                              e->begin);
        if (e->begin < at)
            return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_OVERLAP, 8 + s->header_bytes + e->begin,
                              "the tensor %S begins at byte %u of the data, inside another",
                              e->name, e->begin);
        at = e->end;
    }
    s->data_bytes = at;
    if (at > s->ctx->limits.tensor_bytes)
        return gmi_st_bad(s->ctx, GM_E_LIMIT, GMI_ST_E_DATA_SIZE, 8,
                          "%u bytes of tensors, the limit tensor_bytes is %u: raise gm_limits.tensor_bytes", at,
                          s->ctx->limits.tensor_bytes);
    return GM_OK;
}

/* Against the length of the source, where it is known; a pipe is checked when its end has been reached. */
static gm_status check_length(gmi_safetensors *s, const gmi_in *in)
{
    uint64_t rest = in->total - in->pos;
    if (in->total == UINT64_MAX || rest == s->data_bytes) return GM_OK;
    if (rest < s->data_bytes)
        return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_DATA_SHORT, in->total, "the file is cut short: its data has %u bytes, %u are there",
                          s->data_bytes, rest);
    return gmi_st_bad(s->ctx, GM_E_FORMAT, GMI_ST_E_DATA_TRAILING, in->pos + s->data_bytes, "%u bytes follow the last tensor", rest - s->data_bytes);
}

/* ---- opening ---- */

static gm_status read_length(gmi_safetensors *s, gmi_in *in)
{
    gm_context *c = s->ctx;
    uint8_t h[8];
    size_t got;
    uint64_t n, limit = GMI_MIN(c->limits.header_bytes, HEADER_MAX);
    gm_status r = gmi_in_read(in, h, 8, &got);
    if (r) return r;
    if (got < 8)
        return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_SHORT, got, "the file has %u bytes, fewer than the 8 of the header's length", (uint64_t)got);
    n = gmi_get64(h, 0);
    if (n == 0) return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_HEADER_SIZE, 0, "the header's length is 0");
    if (n > HEADER_MAX)
        return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_HEADER_SIZE, 0, "the header's length is %u, the format's limit is %u", n, (uint64_t)HEADER_MAX);
    if (n > limit) return gmi_st_bad(c, GM_E_LIMIT, GMI_ST_E_HEADER_SIZE, 0, "the header's length is %u, the limit header_bytes is %u", n, limit);
    if (n > in->total - in->pos)
        return gmi_st_bad(c, GM_E_FORMAT, GMI_ST_E_HEADER_SIZE, 0, "the header's length is %u, past the end of the file", n);
    s->header_bytes = n;
    gmi_sha256_init(&s->sha);
    gmi_sha256_add(&s->sha, h, 8);
    return GM_OK;
}

static gm_status read_header(gmi_safetensors *s, gmi_in *in)
{
    gm_status r = read_length(s, in);
    if (r) return r;
    if (in->total == UINT64_MAX) return gmi_bytes_collect(in, "safetensors", s->header_bytes, &s->header);
    s->header = gmi_alloc(s->ctx, s->header_bytes);
    return s->header ? gmi_bytes_exact(in, "safetensors", s->header, (size_t)s->header_bytes) : gmi_alloc_status(s->ctx);
}

static gm_status make_room(gmi_safetensors *s, const walk *w)
{
    gm_context *c = s->ctx;
    s->n = (int32_t)w->tensors;
    s->meta_n = (int32_t)w->pairs;
    s->entries = gmi_alloc_n(c, w->tensors, sizeof *s->entries);
    s->order = gmi_alloc_n(c, 2 * w->tensors, sizeof *s->order);
    s->dims = gmi_alloc_n(c, w->dims, sizeof *s->dims);
    s->meta = gmi_alloc_n(c, w->pairs, sizeof *s->meta);
    if (!s->entries || !s->order || !s->dims || !s->meta) return gmi_alloc_status(c);
    s->by_name = s->order + s->n;
    for (int32_t i = 0; i < s->n; i++) s->order[i] = s->by_name[i] = i;
    return GM_OK;
}

/* The header's part of the hash, with the digest's own digits as '0'. */
static void hash_header(gmi_safetensors *s, const walk *w)
{
    char zeros[64];
    memset(zeros, '0', sizeof zeros);
    memcpy(s->digest, s->header + w->digest_at, 64);
    gmi_sha256_add(&s->sha, s->header, w->digest_at);
    gmi_sha256_add(&s->sha, zeros, 64);
    gmi_sha256_add(&s->sha, s->header + w->digest_at + 64, (size_t)s->header_bytes - w->digest_at - 64);
}

static gm_status open_header(gmi_safetensors *s, gmi_in *in)
{
    walk w;
    gm_status r = read_header(s, in);
    if (r) return r;
    w.s = s;
    r = walk_header(&w, 0);
    if (!r) r = make_room(s, &w);
    if (r) return r;
    if (w.digest_at_known) hash_header(s, &w);
    s->checked = w.digest_at_known;
    walk_header(&w, 1); /* what passed once passes again */
    r = check_twins(s);
    if (!r) r = check_ranges(s);
    if (!r && w.own && !s->checked)
        return gmi_st_bad(s->ctx, GM_E_CHECKSUM, GMI_ST_E_DIGEST_MISSING, 8,
                          "metadata \"genrep.*\" but no \"genrep.sha256\" of 64 lower-case hex digits: the file is damaged, or another tool "
                          "has rewritten it");
    return r ? r : check_length(s, in);
}

gm_status gmi_safetensors_open(gm_context *c, gmi_in *in, gmi_safetensors *s)
{
    gm_status r;
    memset(s, 0, sizeof *s);
    s->ctx = c;
    r = open_header(s, in);
    if (r) gmi_safetensors_close(s);
    return r;
}

void gmi_safetensors_close(gmi_safetensors *s)
{
    gm_context *c = s->ctx;
    gmi_free(c, s->entries);
    gmi_free(c, s->order);
    gmi_free(c, s->dims);
    gmi_free(c, s->meta);
    gmi_free(c, s->header);
    memset(s, 0, sizeof *s);
    s->ctx = c;
}

/* ---- asking ---- */

const gmi_st_entry *gmi_safetensors_find(const gmi_safetensors *s, const char *name)
{
    size_t n = strlen(name);
    int32_t lo = 0, hi = s->n;
    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        const gmi_st_entry *e = &s->entries[s->by_name[mid]];
        int d = compare_bytes(e->name, (size_t)e->name_n, name, n);
        if (d == 0) return e;
        if (d < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

void gmi_safetensors_pair(const gmi_safetensors *s, int32_t i, const char **key, const char **value)
{
    *key = s->header + s->meta[i].key;
    *value = s->header + s->meta[i].value;
}

const char *gmi_safetensors_text(const gmi_safetensors *s, const char *key, size_t *n)
{
    size_t k = strlen(key);
    for (int32_t i = 0; i < s->meta_n; i++)
        if (!compare_bytes(s->header + s->meta[i].key, s->meta[i].key_n, key, k)) {
            if (n) *n = s->meta[i].value_n;
            return s->header + s->meta[i].value;
        }
    return NULL;
}
