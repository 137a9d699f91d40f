/* SPDX-License-Identifier: MIT */
/* 15_memory_only_device.c: a model on a device: no files, no heap, no threads, a fixed amount of memory.
 *
 * The library asks one function for memory and reads models from bytes: in a program for a device these lie in ROM (xxd -i model.safetensors), here a first part stands
 * for the workshop and writes them. The device then has MEMORY bytes and not one more; what does not fit is GM_E_NOMEM and loses nothing. Since the library gives
 * back sizes, the allocator needs no headers: a byte for each unit says whether it is taken. With 1 thread none is created. */
#include <genrep.h>
#include <stdio.h>
#include <string.h>

#define MEMORY (384 * 1024)
#define UNIT 64 /* the largest alignment asked for */
#define UNITS (MEMORY / UNIT)
#define N 4

static union {
    unsigned char bytes[MEMORY + UNIT];
    double align;
} memory;
static unsigned char taken[UNITS];
static size_t in_use, most; /* units */
static unsigned char rom[128 * 1024]; /* the model, safetensors */

static unsigned char *base(void) { return memory.bytes + (UNIT - (uintptr_t)memory.bytes % UNIT) % UNIT; }

static void mark(size_t first, size_t n, int how)
{
    memset(taken + first, how, n);
    in_use = how ? in_use + n : in_use - n;
    if (in_use > most) most = in_use;
}

/* The first gap that is large enough; a block that grows or shrinks moves. */
static void *allocate(void *user, void *old, size_t old_size, size_t new_size, size_t align)
{
    const size_t n = (new_size + UNIT - 1) / UNIT, n_old = (old_size + UNIT - 1) / UNIT;
    unsigned char *p = NULL;
    size_t run = 0;
    (void)user;
    (void)align; /* every block starts at a unit */
    for (size_t i = 0; n && !p && i < UNITS; i++) {
        run = taken[i] ? 0 : run + 1;
        if (run == n) p = base() + (i + 1 - n) * UNIT, mark(i + 1 - n, n, 1);
    }
    if (n && !p) return NULL; /* old stays as it is */
    if (p && old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    if (old) mark((size_t)((unsigned char *)old - base()) / UNIT, n_old, 0);
    return p;
}

/* Where the model comes from: trained somewhere else, written to memory. rows: four digits for the device. */
static gm_status make_model(uint64_t *bytes, unsigned char *rows)
{
    const int64_t dims[4] = {N, 1, 8, 8};
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_tensor *x = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_writer w;
    gm_status s = gm_context_create(NULL, &ctx);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 48; relu";
    o.latent_dim = 8;
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 1000;
    fit.batch = 32;
    gm_writer_init(&w, sizeof w);
    w.memory = rom;
    w.capacity = sizeof rom;
    if (!s) s = gm_dataset_open_idx(ctx, "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) s = gm_tensor_wrap(ctx, GM_U8, 4, dims, NULL, rows, &x);
    if (!s) s = gm_dataset_read(data, 0, x, NULL);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae);
    if (!s) s = gm_vae_fit(vae, data, &fit);
    if (!s) s = gm_vae_write(vae, &w);
    if (s) printf("workshop: %s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));
    *bytes = w.used;
    gm_vae_destroy(vae), gm_tensor_destroy(x), gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    return s;
}

/* 64 bytes become 8 numbers and 64 bytes again. */
static gm_status use_model(uint64_t bytes, unsigned char *rows)
{
    static unsigned char back[N * 64];
    static float codes[N * 8];
    const int64_t dims[4] = {N, 1, 8, 8}, zdims[2] = {N, 8};
    gm_context *ctx = NULL;
    gm_tensor *x = NULL, *y = NULL, *z = NULL;
    const gm_model *model = NULL;
    gm_latent *latent = NULL;
    gm_context_options co;
    gm_latent_options lo;
    gm_reader r;
    gm_status s;
    gm_context_options_init(&co, sizeof co);
    co.threads = 1;
    co.alloc = allocate;
    s = gm_context_create(&co, &ctx);
    gm_reader_init(&r, sizeof r);
    r.memory = rom;
    r.bytes = bytes;
    gm_latent_options_init(&lo, sizeof lo);
    lo.batch = N; /* programs of no more rows */
    if (!s) s = gm_model_read(ctx, &r, GM_USE_ENCODE | GM_USE_DECODE, &model);
    if (!s) s = gm_latent_create(ctx, model, &lo, &latent);
    if (!s) s = gm_tensor_wrap(ctx, GM_U8, 4, dims, NULL, rows, &x);
    if (!s) s = gm_tensor_wrap(ctx, GM_U8, 4, dims, NULL, back, &y);
    if (!s) s = gm_tensor_wrap(ctx, GM_F32, 2, zdims, NULL, codes, &z);
    if (!s) s = gm_latent_encode(latent, x, NULL, z, NULL, NULL, NULL);
    if (!s) s = gm_latent_decode(latent, z, NULL, NULL, y);
    for (int i = 0; !s && i < 8; i++) { /* the first digit, before and after */
        for (int k = 0; k < 2; k++)
            for (int j = 0; j < 8; j++) putchar(" .:-=+*#@"[(k ? back : rows)[i * 8 + j] / 2]);
        printf("|\n");
    }
    if (s) printf("device: %s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));
    gm_latent_destroy(latent), gm_model_destroy(model), gm_tensor_destroy(x), gm_tensor_destroy(y), gm_tensor_destroy(z);
    gm_context_destroy(ctx);
    return s;
}

int main(void)
{
    static unsigned char rows[N * 64];
    uint64_t bytes = 0;
    gm_status s = make_model(&bytes, rows);
    if (!s) s = use_model(bytes, rows);
    if (!s) printf("the model is smaller than 64 KB: %s\n", bytes < 64 * 1024 ? "yes" : "no");
    if (!s) printf("the device did with %d KB, of which %lu are still taken\n", MEMORY / 1024, (unsigned long)(in_use * UNIT / 1024));
    fprintf(stderr, "model %lu bytes; device: at most %lu bytes of %d\n", (unsigned long)bytes, (unsigned long)(most * UNIT), MEMORY);
    return s ? 1 : 0;
}
