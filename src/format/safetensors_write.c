/* SPDX-License-Identifier: MIT */
/* safetensors_write.c: the canonical file. Two passes over the data: the hash of the whole comes before it in the file.
 *
 *     u64 N | {"__metadata__":{..., "genrep.sha256":"64 digits"},"name":{"dtype":..,"shape":[..],"data_offsets":[b,e]},...}   | data
 *
 * The digest is of this file with '0' for its 64 digits. Everything that could differ between two runs is sorted: metadata by key, tensors by
 * dtype (widest first, so that all are aligned) and name. */
#include "format/safetensors.h"
#include "format/bytes.h"
#include "format/json.h"
#include "format/safetensors_own.h"

typedef struct job {
    gm_context *ctx;
    const gmi_st_tensor *t;
    int64_t n;
    int64_t *order;
    gmi_st_text *meta; /* sorted, the writer's own included */
    int64_t meta_n;
    gmi_buf header;
    size_t digest_at;
} job;

static int by_dtype_and_name(const void *user, int64_t a, int64_t b)
{
    const job *k = user;
    const gmi_st_tensor *x = &k->t[k->order[a]], *y = &k->t[k->order[b]];
    return x->dtype != y->dtype ? y->dtype - x->dtype : strcmp(x->name, y->name);
}

static void swap_order(void *user, int64_t a, int64_t b)
{
    job *k = user;
    int64_t t = k->order[a];
    k->order[a] = k->order[b];
    k->order[b] = t;
}

static int by_name_alone(const void *user, int64_t a, int64_t b)
{
    const job *k = user;
    return strcmp(k->t[k->order[a]].name, k->t[k->order[b]].name);
}

static int by_key(const void *user, int64_t a, int64_t b)
{
    const job *k = user;
    return strcmp(k->meta[a].key, k->meta[b].key);
}

static void swap_meta(void *user, int64_t a, int64_t b)
{
    job *k = user;
    gmi_st_text t = k->meta[a];
    k->meta[a] = k->meta[b];
    k->meta[b] = t;
}

/* Bytes of a tensor, below 2^63: 0, or -1. */
static int tensor_bytes(const gmi_st_tensor *t, int64_t *bytes)
{
    int64_t n;
    return gmi_count_i64(t->rank, t->dims, &n) || gmi_mul_i64(n, gmi_st_dtype_bits(t->dtype) / 8, bytes) ? -1 : 0;
}

static gm_status check_tensor(gm_context *c, const gmi_st_tensor *t)
{
    int64_t bytes;
    if (!t->name[0] || !gmi_utf8_valid(t->name, strlen(t->name)) || !strcmp(t->name, "__metadata__"))
        return gmi_fail(c, GM_E_INVALID, "safetensors: %S is no name for a tensor: it has to be UTF-8, not empty, not __metadata__", t->name);
    if (gmi_st_dtype_bits(t->dtype) < 8)
        return gmi_fail(c, GM_E_DTYPE, "safetensors: the tensor %S has dtype %d, which cannot be written", t->name, t->dtype);
    if (t->rank < 0 || t->rank > GMI_MAX_RANK || tensor_bytes(t, &bytes))
        return gmi_fail(c, GM_E_SHAPE, "safetensors: the tensor %S has a shape that cannot be written", t->name);
    return GM_OK;
}

/* Checks the tensors and finds their order. */
static gm_status arrange(job *k)
{
    k->order = gmi_alloc_n(k->ctx, k->n, sizeof *k->order);
    if (!k->order) return gmi_alloc_status(k->ctx);
    for (int64_t i = 0; i < k->n; i++) {
        gm_status s = check_tensor(k->ctx, &k->t[i]);
        if (s) return s;
        k->order[i] = i;
    }
    gmi_st_sort(k, k->n, by_name_alone, swap_order);
    for (int64_t i = 1; i < k->n; i++)
        if (!by_name_alone(k, i - 1, i))
            return gmi_fail(k->ctx, GM_E_INVALID, "safetensors: two tensors are named %S", k->t[k->order[i]].name);
    gmi_st_sort(k, k->n, by_dtype_and_name, swap_order);
    return GM_OK;
}

static gm_status arrange_metadata(job *k, int64_t n, const gmi_st_text *meta)
{
    static const gmi_st_text own[] = {{"format", "pt"}, {"genrep.sha256", "0000000000000000000000000000000000000000000000000000000000000000"},
                                      {"genrep.writer", "1"}};
    int marked = 0;
    k->meta = gmi_alloc_n(k->ctx, n + 3, sizeof *k->meta);
    if (!k->meta) return gmi_alloc_status(k->ctx);
    for (int64_t i = 0; i < n; i++) {
        const char *key = meta[i].key;
        if (!gmi_utf8_valid(key, strlen(key)) || !gmi_utf8_valid(meta[i].value, strlen(meta[i].value)))
            return gmi_fail(k->ctx, GM_E_INVALID, "safetensors: the metadata %S is not UTF-8", key);
        marked |= !strncmp(key, "genrep.", 7);
        k->meta[k->meta_n++] = meta[i];
    }
    k->meta[k->meta_n++] = own[0];
    k->meta[k->meta_n++] = own[1];
    if (!marked) k->meta[k->meta_n++] = own[2];
    gmi_st_sort(k, k->meta_n, by_key, swap_meta);
    for (int64_t i = 1; i < k->meta_n; i++)
        if (!by_key(k, i - 1, i)) return gmi_fail(k->ctx, GM_E_INVALID, "safetensors: the metadata key %S occurs twice", k->meta[i].key);
    return GM_OK;
}

static void write_metadata(job *k, gmi_json_out *o)
{
    gmi_json_out_key(o, "__metadata__");
    gmi_json_out_object(o);
    for (int64_t i = 0; i < k->meta_n; i++) {
        gmi_json_out_key(o, k->meta[i].key);
        gmi_json_out_text(o, k->meta[i].value);
        if (!strcmp(k->meta[i].key, "genrep.sha256")) k->digest_at = k->header.n - 65;
    }
    gmi_json_out_end(o);
}

static void write_entry(gmi_json_out *o, const gmi_st_tensor *t, int64_t begin, int64_t end)
{
    gmi_json_out_key(o, t->name);
    gmi_json_out_object(o);
    gmi_json_out_key(o, "dtype");
    gmi_json_out_text(o, gmi_st_dtype_name(t->dtype));
    gmi_json_out_key(o, "shape");
    gmi_json_out_array(o);
    for (int32_t i = 0; i < t->rank; i++) gmi_json_out_int(o, t->dims[i]);
    gmi_json_out_end(o);
    gmi_json_out_key(o, "data_offsets");
    gmi_json_out_array(o);
    gmi_json_out_int(o, begin);
    gmi_json_out_int(o, end);
    gmi_json_out_end(o);
    gmi_json_out_end(o);
}

/* The header behind room for its length. */
static gm_status write_header(job *k)
{
    gmi_json_out o;
    int64_t at = 0;
    gmi_buf_add(&k->header, "\0\0\0\0\0\0\0", 8);
    gmi_json_out_init(&o, &k->header);
    gmi_json_out_object(&o);
    write_metadata(k, &o);
    for (int64_t i = 0; i < k->n; i++) {
        const gmi_st_tensor *t = &k->t[k->order[i]];
        int64_t bytes = 0;
        tensor_bytes(t, &bytes);
        if (bytes > INT64_MAX - at) return gmi_fail(k->ctx, GM_E_LIMIT, "safetensors: the tensors have more bytes than a file can hold");
        write_entry(&o, t, at, at + bytes);
        at += bytes;
    }
    gmi_json_out_end(&o);
    while (k->header.n % 8 && !k->header.failed) gmi_buf_add(&k->header, " ", 1);
    if (k->header.failed) return gmi_alloc_status(k->ctx);
    gmi_put64((uint8_t *)k->header.p, k->header.n - 8, 0);
    return GM_OK;
}

/* The data as it stands in the file, to the hash or the output. */
static gm_status write_data(const job *k, gmi_sha256 *sha, gmi_out *o)
{
    uint8_t block[4096];
    for (int64_t i = 0; i < k->n; i++) {
        const gmi_st_tensor *t = &k->t[k->order[i]];
        int32_t width = t->dtype == GMI_ST_C64 ? 4 : gmi_st_dtype_bits(t->dtype) / 8;
        int real = t->dtype == GMI_ST_F32 || t->dtype == GMI_ST_F64 || t->dtype == GMI_ST_C64;
        const char *from = t->data;
        int64_t left = 0;
        tensor_bytes(t, &left);
        while (left) {
            size_t n = (size_t)GMI_MIN(left, (int64_t)sizeof block);
            gm_status s = GM_OK;
            gmi_bytes_store(block, from, (int64_t)n / width, width, 0, real);
            if (sha) gmi_sha256_add(sha, block, n);
            else s = gmi_out_write(o, block, n);
            if (s) return s;
            from += n;
            left -= (int64_t)n;
        }
    }
    return GM_OK;
}

static gm_status write_file(job *k, gmi_out *o)
{
    gmi_sha256 sha;
    uint8_t d[32];
    char hex[65];
    gm_status s;
    gmi_sha256_init(&sha);
    gmi_sha256_add(&sha, k->header.p, k->header.n);
    write_data(k, &sha, NULL);
    gmi_sha256_end(&sha, d);
    gmi_sha256_hex(d, hex);
    memcpy(k->header.p + k->digest_at, hex, 64);
    s = gmi_out_write(o, k->header.p, k->header.n);
    return s ? s : write_data(k, NULL, o);
}

static void job_init(job *k, gm_context *c, int64_t n, const gmi_st_tensor *t)
{
    memset(k, 0, sizeof *k);
    k->ctx = c;
    k->t = t;
    k->n = n;
    gmi_buf_init(&k->header, c);
}

static void job_free(job *k)
{
    gmi_buf_free(&k->header);
    gmi_free(k->ctx, k->meta);
    gmi_free(k->ctx, k->order);
}

gm_status gmi_safetensors_write(gm_context *c, gmi_out *o, int64_t n, const gmi_st_tensor *t, int64_t meta_n, const gmi_st_text *meta)
{
    job k;
    gm_status s;
    job_init(&k, c, n, t);
    s = arrange(&k);
    if (!s) s = arrange_metadata(&k, meta_n, meta);
    if (!s) s = write_header(&k);
    if (!s) s = write_file(&k, o);
    job_free(&k);
    return s;
}

gm_status gmi_safetensors_data_sha256(gm_context *c, int64_t n, const gmi_st_tensor *t, char hex[65])
{
    gmi_sha256 sha;
    uint8_t d[32];
    job k;
    gm_status s;
    hex[0] = 0;
    job_init(&k, c, n, t);
    s = arrange(&k);
    if (!s) {
        gmi_sha256_init(&sha);
        write_data(&k, &sha, NULL);
        gmi_sha256_end(&sha, d);
        gmi_sha256_hex(d, hex);
    }
    job_free(&k);
    return s;
}
