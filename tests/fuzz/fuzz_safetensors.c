/* SPDX-License-Identifier: MIT */
/* fuzz_safetensors.c: any bytes as a file, from memory and through a pipe: both must agree; what is accepted is read, as floats where it can be, and
 * written again, and that file must load. */
#include "format/safetensors.h"
#include "fuzz.h"

typedef struct copies {
    gmi_st_tensor *t;
    int32_t n;
} copies;

static gm_status keep(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    copies *k = user;
    gmi_st_tensor *t = &k->t[k->n];
    if (gmi_st_dtype_bits(e->dtype) < 8) return GM_OK;
    t->name = e->name;
    t->dtype = e->dtype;
    t->rank = e->rank;
    t->dims = e->dims;
    t->data = d->data = malloc((size_t)(e->end - e->begin) + 1);
    k->n++;
    return GM_OK;
}

static gm_status as_float(void *user, const gmi_st_entry *e, gmi_st_dest *d)
{
    if (e->dtype != GMI_ST_F16 && e->dtype != GMI_ST_BF16 && e->dtype != GMI_ST_F32 && e->dtype != GMI_ST_F64) return GM_OK;
    d->data = user;
    d->as = e->name[0] & 1 ? GM_F32 : GM_F64;
    return GM_OK;
}

static gm_status load(const uint8_t *p, size_t n, int pipe, gmi_st_dest_fn dest, void *user)
{
    gmi_safetensors s;
    gmi_in in;
    gm_status r = gmi_safetensors_open(fuzz_open(p, n, pipe, &in), &in, &s);
    if (!r) {
        gmi_safetensors_find(&s, "w");
        gmi_safetensors_text(&s, "format", NULL);
        r = gmi_safetensors_read(&s, &in, dest, user);
    }
    gmi_safetensors_close(&s);
    fuzz_close(&in, r);
    return r;
}

static void write_again(gm_context *c, const copies *k)
{
    size_t cap = 1 << 20;
    char *memory = malloc(cap);
    gm_writer w;
    gmi_out o;
    gm_status s;
    gm_writer_init(&w, sizeof w);
    w.memory = memory;
    w.capacity = cap;
    s = gmi_out_open(c, &w, &o);
    if (!s) s = gmi_out_close(&o, gmi_safetensors_write(c, &o, k->n, k->t, 0, NULL));
    if (s) fuzz_fail("what was read cannot be written");
    if (load((const uint8_t *)memory, (size_t)w.used, 1, NULL, NULL)) fuzz_fail("what was written does not load");
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    gm_status a = load(p, n, 0, NULL, NULL), b = load(p, n, 1, NULL, NULL);
    if (a != b) fuzz_fail("memory and pipe do not agree");
    if (!a && n < 65536) {
        gmi_safetensors s;
        copies k = {NULL, 0};
        gmi_in in;
        double *x = malloc(8 * n + 8);
        if (load(p, n, 0, as_float, x)) fuzz_fail("as floats");
        free(x);
        if (gmi_safetensors_open(fuzz_open(p, n, 0, &in), &in, &s)) fuzz_fail("once more");
        k.t = calloc((size_t)s.n + 1, sizeof *k.t);
        if (gmi_safetensors_read(&s, &in, keep, &k)) fuzz_fail("once more");
        write_again(s.ctx, &k);
        for (int32_t i = 0; i < k.n; i++) free((void *)(uintptr_t)k.t[i].data);
        free(k.t);
        gmi_safetensors_close(&s);
        gmi_in_close(&in);
        gmi_leave(s.ctx, GM_OK);
    }
    return 0;
}
