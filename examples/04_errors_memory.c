/* SPDX-License-Identifier: MIT */
/* 04_errors_memory.c: what goes wrong, how it is said, and who owns the memory.
 *
 * A failing call returns a status and leaves a message that names the call, the values, the limit and what to do. Nothing ends the program, nothing is printed,
 * and after every failure the objects can still be used. All memory comes from one function of the host; a limit can be set, and what a model needs
 * can be asked before it exists. Next: 05, a layer of your own. */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t in_use; /* bytes the library holds */

/* new_size 0 frees; the library says how large the old block was. The contract asks for alignment up to 64. */
static void *allocate(void *user, void *old, size_t old_size, size_t new_size, size_t align)
{
    void *p = NULL;
    (void)user;
    if (new_size && posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, new_size)) return NULL;
    if (p && old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    if (p || !new_size) {
        free(old);
        in_use = in_use - old_size + new_size;
    }
    return p;
}

static void show(const char *what, gm_context *ctx, gm_status s) { printf("%s\n  %s: %s\n", what, gm_status_name(s), gm_context_error(ctx)); }

/* Rows of [3] f32 over memory of the host, with labels. */
static gm_status wrap(gm_context *ctx, float *x, int32_t *labels, int64_t classes, gm_dataset **out)
{
    const int64_t dims[2] = {4, 3};
    gm_tensor *t = NULL, *l = NULL;
    gm_spec spec;
    gm_status s = gm_tensor_wrap(ctx, GM_F32, 2, dims, NULL, x, &t);
    if (!s) s = gm_tensor_wrap(ctx, GM_I32, 1, dims, NULL, labels, &l);
    gm_spec_init(&spec, sizeof spec);
    spec.classes = classes;
    if (!s) s = gm_dataset_from_tensor(t, l, &spec, out);
    gm_tensor_destroy(t); /* the dataset keeps what it needs */
    gm_tensor_destroy(l);
    return s;
}

static void mistakes(gm_context *ctx, gm_dataset *data)
{
    const int64_t wrong[2] = {5, 63};
    gm_dataset *d = NULL;
    gm_vae *vae = NULL;
    gm_tensor *x = NULL, *z = NULL;
    gm_vae_options o;
    gm_error e;
    float rows[12] = {0, 1, 2, 3, 4, 5, 6, 0, 8, 9, 10, 11};
    int32_t labels[4] = {0, 1, 2, 1};

    show("no such file", ctx, gm_dataset_open(ctx, "data/none.csv", NULL, &d));
    show("a label out of range", ctx, wrap(ctx, rows, labels, 2, &d));
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 16; relu";
    o.optimizer = "adam lr=1e-3 beta3=0.9";
    show("an option that is none", ctx, gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae));
    e.size = sizeof e;
    if (gm_context_error_info(ctx, &e) == GM_OK) printf("  where: column %ld of %s's text\n", (long)e.where, e.call);
    o.optimizer = "adam lr=1e-3";
    if (gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae) == GM_OK && gm_tensor_create(ctx, GM_F32, 2, wrong, &x) == GM_OK &&
        gm_tensor_create(ctx, GM_F32, 2, wrong, &z) == GM_OK)
        show("a shape that does not fit", ctx, gm_vae_encode(vae, x, NULL, z, NULL));
    gm_tensor_destroy(x);
    gm_tensor_destroy(z);
    gm_vae_destroy(vae);
    vae = NULL;
    ((volatile float *)rows)[7] /= rows[0]; /* 0 / 0 */
    if (wrap(ctx, rows, labels, 3, &d) == GM_OK && gm_vae_create(ctx, gm_dataset_spec(d), NULL, &vae) == GM_OK)
        show("a NaN in the data", ctx, gm_vae_fit(vae, d, NULL));
    gm_vae_destroy(vae);
    gm_dataset_destroy(d);
}

/* Asks first, then creates with too little: the answer is GM_E_BUDGET, and a smaller batch works. */
static gm_status budget(gm_context_options *co)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_vae *vae = NULL;
    uint64_t train = 0, infer = 0, small = 0, now = 0, ignored;
    gm_status s = gm_context_create(co, &ctx);
    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) s = gm_vae_memory(ctx, gm_dataset_spec(data), NULL, 4096, &train, &infer);
    if (!s) s = gm_vae_memory(ctx, gm_dataset_spec(data), NULL, 16, &small, &ignored);
    gm_context_memory(ctx, &now, NULL);
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    if (s) return s;
    printf("batch 4096 needs %s than batch 16, training %s than inference\n", train > 2 * small ? "more" : "less", train > infer ? "more" : "less");
    co->memory_limit = now + (train + small) / 2;
    s = gm_context_create(co, &ctx);
    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), NULL, &vae);
    if (!s) printf("reserve a batch of 4096: %s\n", gm_status_name(gm_vae_reserve(vae, 4096)));
    if (!s) s = gm_vae_reserve(vae, 16);
    printf("reserve a batch of 16: %s\n", gm_status_name(s));
    gm_dataset_destroy(data);
    gm_vae_destroy(vae);
    gm_context_destroy(ctx);
    return s;
}

int main(void)
{
    gm_context *ctx = NULL;
    gm_dataset *data = NULL;
    gm_context_options co;
    gm_status s;
    gm_context_options_init(&co, sizeof co);
    co.alloc = allocate;
    co.threads = 1; /* this allocator has no lock */
    s = gm_context_create(&co, &ctx);
    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", NULL, &data);
    if (!s) mistakes(ctx, data);
    gm_context_destroy(ctx); /* children keep it alive, so any order is safe */
    gm_dataset_destroy(data);
    if (!s) s = budget(&co);
    printf("%lu bytes are still in use\n", (unsigned long)in_use);
    return s ? 1 : 0;
}
