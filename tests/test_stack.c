/* SPDX-License-Identifier: MIT */
/* test_stack.c: 64 KiB of stack are enough for every thread that calls the library: create, train, infer, score, save, load, read data.
 *
 * The thread gets the upper part of a painted block, so that going past its stack shows as a number and not as a crash, and the deepest byte can be told. */
#include "genrep.h"
#include "tap.h"
#include <pthread.h>
#include <unistd.h>

/* OpenBLAS keeps 60 KiB for each thread, which the system takes from the thread's stack. */
#define STACK (TAP_BLAS ? 128 * 1024 : 64 * 1024)
#define BELOW (256 * 1024) /* what would be written by going too deep */
#define PAINT 0xa5

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define INSTRUMENTED 1
#endif
#endif
#ifndef INSTRUMENTED
#define INSTRUMENTED 0
#endif

enum { ROWS = 40, ELEMS = 64 };

typedef struct job {
    const char *model, *checkpoint; /* files */
    gm_simd simd;
    gm_status status;
    const char *at; /* the last call */
    char message[256];
} job;

#define TRY(call)                                                                                                                                    \
    do {                                                                                                                                             \
        if (!s) {                                                                                                                                    \
            j->at = #call;                                                                                                                           \
            s = call;                                                                                                                                \
        }                                                                                                                                            \
    } while (0)

static gm_action progress(void *user, const gm_record *r)
{
    char line[300];
    (void)user;
    (void)!gm_record_text(r, line, sizeof line);
    return GM_CONTINUE;
}

static void set_options(const job *j, gm_vae_options *o, gm_fit_options *fit, gm_writer *log, char *room, size_t n)
{
    gm_vae_options_init(o, sizeof *o);
    o->encoder = "conv 6 k3 s2 p1; batch_norm; gelu; residual ( conv 6 k3 p1; tanh ); max_pool k2; flatten; dense 12; layer_norm; elu";
    o->decoder = "dense 24; softplus; reshape 6x2x2; conv_transpose 4 k4 s2 p1; group_norm 2; relu; upsample 2 bilinear; conv 1 k3 p1";
    o->latent_dim = 3;
    o->ema_half_life = 100;
    o->schedule = "cosine 1e-3 1e-5 steps=60";
    gm_writer_init(log, sizeof *log);
    log->memory = room;
    log->capacity = n;
    gm_fit_options_init(fit, sizeof *fit);
    fit->max_steps = 4;
    fit->batch = 16;
    fit->progress = progress;
    fit->jsonl = log;
    fit->checkpoint_path = j->checkpoint;
    fit->checkpoint_steps = 2;
}

/* What a host does with a model; everything large is in static memory, so that the stack holds the library's frames. */
static gm_status use(gm_context *c, job *j, gm_vae *v, gm_dataset *d, gm_tensor *x, gm_tensor *y, gm_tensor *z, gm_tensor *nats)
{
    gm_status s = GM_OK;
    gm_record r;
    gm_writer png;
    static char room[1 << 18];
    gm_record_init(&r, sizeof r);
    gm_writer_init(&png, sizeof png);
    png.memory = room;
    png.capacity = sizeof room;
    TRY(gm_vae_encode(v, x, NULL, z, NULL));
    TRY(gm_vae_decode(v, z, NULL, GM_DRAW_SAMPLE, 1, y));
    TRY(gm_vae_reconstruct(v, x, NULL, y));
    TRY(gm_vae_sample(v, NULL, NULL, y));
    TRY(gm_vae_log_likelihood(v, x, NULL, 3, 0, nats, NULL));
    TRY(gm_vae_evaluate(v, d, 1, &r));
    TRY(gm_viz_grid(c, y, 8, &png));
    return s;
}

static gm_status work(gm_context *c, job *j)
{
    static float px[ROWS * ELEMS], py[ROWS * ELEMS], pz[ROWS * 3], pn[ROWS];
    static char log[1 << 16];
    static const char csv[] = "a,b,label\n1,2,x\n3,4,y\n5,6,x\n";
    const int64_t image[4] = {ROWS, 1, 8, 8}, latent[2] = {ROWS, 3};
    gm_tensor *x = NULL, *y = NULL, *z = NULL, *nats = NULL;
    gm_dataset *d = NULL, *table = NULL;
    gm_vae *v = NULL, *w = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_writer jsonl;
    gm_reader reader;
    gm_status s = GM_OK;
    for (int i = 0; i < ROWS * ELEMS; i++) px[i] = (float)(i * 37 % 101) / 101.0f;
    set_options(j, &o, &fit, &jsonl, log, sizeof log);
    gm_reader_init(&reader, sizeof reader);
    reader.memory = csv;
    reader.bytes = sizeof csv - 1;
    TRY(gm_tensor_wrap(c, GM_F32, 4, image, NULL, px, &x));
    TRY(gm_tensor_wrap(c, GM_F32, 4, image, NULL, py, &y));
    TRY(gm_tensor_wrap(c, GM_F32, 2, latent, NULL, pz, &z));
    TRY(gm_tensor_wrap(c, GM_F32, 1, image, NULL, pn, &nats));
    TRY(gm_dataset_open_reader(c, &reader, "csv label=last", &table));
    TRY(gm_dataset_from_tensor(x, NULL, NULL, &d));
    TRY(gm_vae_create(c, gm_dataset_spec(d), &o, &v));
    TRY(gm_vae_step(v, x, NULL, NULL));
    TRY(gm_vae_fit(v, d, &fit));
    if (!s) s = use(c, j, v, d, x, y, z, nats);
    TRY(gm_vae_save_checkpoint(v, j->model));
    TRY(gm_vae_load(c, j->model, &w));
    TRY(gm_vae_step(w, x, NULL, NULL));
    if (!s) s = use(c, j, w, d, x, y, z, nats);
    gm_vae_destroy(v);
    gm_vae_destroy(w);
    gm_dataset_destroy(d);
    gm_dataset_destroy(table);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_tensor_destroy(nats);
    return s;
}

static void *thread(void *arg)
{
    job *j = arg;
    gm_context *c = NULL;
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = 2;
    o.simd = j->simd;
    j->status = gm_context_create(&o, &c);
    if (!j->status) j->status = work(c, j);
    if (j->status && c) snprintf(j->message, sizeof j->message, "%.200s", gm_context_error(c));
    gm_context_destroy(c);
    return NULL;
}

/* Runs a job on a stack of its own; returns the deepest byte used, in bytes from the top, -1 when no such thread could be made. */
static int64_t deepest(job *j, unsigned char *block)
{
    pthread_attr_t a;
    pthread_t t;
    int64_t i = 0;
    memset(block, PAINT, BELOW + STACK);
    if (pthread_attr_init(&a)) return -1;
    int bad = pthread_attr_setstack(&a, block + BELOW, STACK) || pthread_create(&t, &a, thread, j);
    pthread_attr_destroy(&a);
    if (bad) return -1;
    pthread_join(t, NULL);
    while (i < BELOW + STACK && block[i] == PAINT) i++;
    return BELOW + STACK - i;
}

int main(void)
{
    const char *dir = getenv("TMPDIR");
    char model[1024], checkpoint[1024];
    void *block = NULL;
    gm_context *c = NULL;
    if (INSTRUMENTED) {
        printf("ok 1 # SKIP an instrumented build has larger frames\n1..1\n");
        return 0;
    }
    snprintf(model, sizeof model, "%.900s/gm_stack_%ld", dir && dir[0] ? dir : "/tmp", (long)getpid());
    snprintf(checkpoint, sizeof checkpoint, "%.950s_checkpoint", model);
    if (posix_memalign(&block, 65536, BELOW + STACK)) return 1;
    for (gm_simd level = GM_SIMD_SCALAR; level <= GM_SIMD_NEON; level++) {
        gm_context_options o;
        job j;
        gm_context_options_init(&o, sizeof o);
        o.threads = 1;
        o.simd = level;
        if (gm_context_create(&o, &c)) continue; /* not of this machine */
        gm_context_destroy(c);
        memset(&j, 0, sizeof j);
        j.model = model;
        j.checkpoint = checkpoint;
        j.simd = level;
        j.at = "nothing";
        int64_t used = deepest(&j, block);
        if (used < 0) {
            printf("ok %d # SKIP no thread with a stack of %d KiB here\n", ++tap_count, STACK / 1024);
            continue;
        }
        is_int(j.status, GM_OK, "%s: %s %s", gm_simd_name(level), j.at, j.message);
        ok(used < STACK, "%s: %" PRId64 " of %d bytes of stack used, with what the system puts there", gm_simd_name(level), used, STACK);
    }
    unlink(model);
    unlink(checkpoint);
    free(block);
    return done();
}
