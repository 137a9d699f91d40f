/* SPDX-License-Identifier: MIT */
/* test_model_threads.c: one thread trains and hands out snapshots, eight use them, each in a context of its own, while the model is exchanged under them.
 * Results of one snapshot are the same bits in every thread; the trainer and its context go first, the last user gives the memory back. To be run
 * under ThreadSanitizer as well (tests/full/threads.sh). */
#include "models/model.h"
#include "vae_util.h"
#include <pthread.h>

enum { WORKERS = 8, ROUNDS = 12, N = 20, K = 5, L = 3, DRAWS = 4 };

typedef struct results {
    float z[N][L], x[N][K], sampled[N][K], nats[N];
} results;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static float rows[N][K];
/* what the lock guards */
static const gm_model *current;
static int version, taken, last, holding, gone, failures, compared, differ; /* taken: of the present version */
static results known[ROUNDS];
static char seen[ROUNDS];

/* ---- memory of the trainer's context ---- */

static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t live, blocks;

static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    void *q = NULL;
    (void)user;
    if (new_size && posix_memalign(&q, align, new_size)) return NULL;
    if (p && q) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    pthread_mutex_lock(&memory_lock);
    live += new_size - old_size;
    blocks += (new_size && !p) ? 1 : 0;
    blocks -= (!new_size && p) ? 1 : 0;
    pthread_mutex_unlock(&memory_lock);
    return q;
}

/* ---- users ---- */

static gm_status use(gm_context *c, const gm_model *m, results *r)
{
    gmi_core *core = NULL;
    gm_tensor *x = vae_rows(c, rows, N, K), *z = vae_rows(c, r->z, N, L), *y = vae_rows(c, r->x, N, K), *t = vae_rows(c, r->sampled, N, K),
              *nats = vae_vector(c, r->nats, N);
    gm_sample_options o;
    gm_sample_options_init(&o, sizeof o);
    o.seed = 7;
    o.draw = GM_DRAW_SAMPLE;
    gm_status s = gmi_model_instance(c, m, &core);
    gm_vae *v = (gm_vae *)core;
    if (!s) s = gm_vae_encode(v, x, NULL, z, NULL);
    if (!s) s = gm_vae_decode(v, z, NULL, GM_DRAW_MEAN, 0, y);
    if (!s) s = gm_vae_sample(v, &o, NULL, t);
    if (!s) s = gm_vae_log_likelihood(v, x, NULL, DRAWS, 3, nats, NULL);
    gm_vae_destroy(v);
    gm_tensor_destroy(x);
    gm_tensor_destroy(z);
    gm_tensor_destroy(y);
    gm_tensor_destroy(t);
    gm_tensor_destroy(nats);
    return s;
}

/* The first results of a version are what all others are compared with. */
static void compare(int v, const results *r)
{
    pthread_mutex_lock(&lock);
    if (seen[v]) {
        compared++;
        differ += memcmp(&known[v], r, sizeof *r) != 0;
    } else {
        known[v] = *r;
        seen[v] = 1;
    }
    pthread_mutex_unlock(&lock);
}

static const gm_model *take(int *v)
{
    pthread_mutex_lock(&lock);
    while (!current) pthread_cond_wait(&changed, &lock);
    const gm_model *m = gm_model_retain(current);
    *v = version;
    taken++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return m;
}

static void *worker(void *arg)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    results *r = arg;
    int v, end = 0, bad = 0;
    while (!end) {
        const gm_model *m = take(&v);
        gm_info f;
        f.size = sizeof f;
        memset(r, 0, sizeof *r);
        pthread_mutex_lock(&lock);
        end = last;
        if (end) { /* once more, when the trainer and the host's own reference are gone */
            holding++;
            pthread_cond_broadcast(&changed);
            while (!gone) pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        bad += gm_model_info(m, &f) || f.latent_dim != L || f.steps != v + 1 || gm_model_support(m, GM_USE_ENCODE) != GM_EXACT;
        bad += use(c, m, r) != GM_OK;
        compare(v, r);
        gm_model_destroy(m);
    }
    gm_context_destroy(c);
    pthread_mutex_lock(&lock);
    failures += bad;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- the trainer ---- */

typedef struct trainer {
    gm_vae *v;
    int n, bad;
} trainer;

static gm_action step(void *user, const gm_record *r)
{
    trainer *t = user;
    const gm_model *fresh = NULL, *old;
    if (r->kind != GM_RECORD_STEP) return GM_CONTINUE;
    t->bad += gm_vae_snapshot(t->v, &fresh) != GM_OK;
    pthread_mutex_lock(&lock);
    while (current && taken < 3) pthread_cond_wait(&changed, &lock); /* so that it goes while it is in use */
    old = current;
    current = fresh;
    version = t->n++;
    taken = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    gm_model_destroy(old);
    return GM_CONTINUE;
}

static void *train(void *arg)
{
    trainer *t = arg;
    gm_context_options co;
    gm_context *c = NULL;
    gm_vae_options o;
    gm_fit_options f;
    gm_spec x;
    gm_dataset *d = NULL;
    gm_context_options_init(&co, sizeof co);
    co.threads = 2;
    co.alloc = counted;
    if (gm_context_create(&co, &c)) return NULL;
    gm_tensor *rw = vae_rows(c, rows, N, K);
    vae_spec(&x, GM_F32, GM_SCALE_STANDARD, 1, K, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 16; batch_norm; relu";
    o.latent_dim = L;
    o.ema_half_life = 30;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 10;
    f.max_steps = ROUNDS;
    f.validation_fraction = 0;
    f.progress = step;
    f.user = t;
    gm_status s = gm_dataset_from_tensor(rw, NULL, &x, &d);
    if (!s) s = gm_vae_create(c, &x, &o, &t->v);
    if (!s) s = gm_vae_fit(t->v, d, &f);
    t->bad += s != GM_OK;
    gm_tensor_destroy(rw);
    gm_dataset_destroy(d);
    gm_vae_destroy(t->v);
    gm_context_destroy(c);
    return NULL;
}

int main(void)
{
    static results room[WORKERS];
    pthread_t w[WORKERS], tr;
    trainer t = {NULL, 0, 0};
    uint32_t seed = 5;
    int i, started = 0, distinct = 0;
    for (i = 0; i < N * K; i++) ((float *)rows)[i] = (float)(3 * vae_random(&seed));
    for (i = 0; i < WORKERS; i++) started += pthread_create(&w[i], NULL, worker, &room[i]) == 0;
    if (!ok(started == WORKERS && !pthread_create(&tr, NULL, train, &t), "%d users and a trainer", started)) return done();
    pthread_join(tr, NULL);
    if (!current) return printf("Bail out! the trainer made no model\n"), 1;
    pthread_mutex_lock(&lock);
    last = 1;
    while (holding < WORKERS) pthread_cond_wait(&changed, &lock);
    const gm_model *m = current;
    pthread_mutex_unlock(&lock);
    gm_model_destroy(m);
    pthread_mutex_lock(&lock);
    gone = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (i = 0; i < WORKERS; i++) pthread_join(w[i], NULL);
    for (i = 0; i < ROUNDS; i++) distinct += seen[i];
    is_int(t.bad, 0, "training and snapshots in its callback");
    is_int(t.n, ROUNDS, "a snapshot a step");
    is_int(failures, 0, "every use went well");
    is_int(distinct, ROUNDS, "every snapshot was used");
    ok(compared >= WORKERS - 1 + 2 * (ROUNDS - 1), "%d results compared with those of another use", compared);
    is_int(differ, 0, "one snapshot gives the same bits in every thread");
    ok(memcmp(&known[0], &known[ROUNDS - 1], sizeof known[0]) != 0, "and another snapshot others");
    is_int(live, 0, "the last user gave all memory of the trainer back");
    is_int(blocks, 0, "block by block");
    return done();
}
