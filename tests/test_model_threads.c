/* SPDX-License-Identifier: MIT */
/* test_model_threads.c: one thread trains a VAE or a GAN and hands out snapshots, eight sample, encode and score with them, each in a context and with a gm_latent of
 * its own, while the model is exchanged under them: behind a lock of the host, and by boxes without one. Results of one snapshot are the same bits in every thread; the trainer and its context go first, the last user gives the memory back. To be run
 * under ThreadSanitizer as well (tests/full/threads.sh). */
#include "vae_util.h"
#include <pthread.h>
#include <sched.h>

enum { WORKERS = 8, ROUNDS = 12, N = 20, K = 5, L = 3 };

typedef struct results {
    float z[N][L], x[N][K], sampled[N][K], score[N];
} results;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static float rows[N][K];
static int of_gan; /* which family is told of */
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
    gm_latent *l = NULL;
    gm_tensor *x = vae_rows(c, rows, N, K), *z = vae_rows(c, r->z, N, L), *y = vae_rows(c, r->x, N, K), *t = vae_rows(c, r->sampled, N, K),
              *score = vae_vector(c, r->score, N);
    gm_latent_options lo;
    gm_sample_options o;
    gm_latent_options_init(&lo, sizeof lo);
    lo.invert_steps = 3;
    lo.invert_starts = 2;
    gm_sample_options_init(&o, sizeof o);
    o.seed = 7;
    o.draw = GM_DRAW_SAMPLE;
    gm_status s = gm_latent_create(c, m, &lo, &l);
    if (!s) s = gm_latent_encode(l, x, NULL, z, NULL, NULL, NULL);
    if (!s) s = gm_latent_decode(l, z, NULL, NULL, y);
    if (!s) s = gm_latent_sample(l, &o, NULL, NULL, t);
    if (!s) s = gm_latent_score(l, of_gan ? GM_SCORE_RESIDUAL : GM_SCORE_ELBO, x, NULL, score, NULL);
    gm_latent_destroy(l);
    gm_tensor_destroy(x);
    gm_tensor_destroy(z);
    gm_tensor_destroy(y);
    gm_tensor_destroy(t);
    gm_tensor_destroy(score);
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
        bad += gm_model_info(m, &f) || f.latent_dim != L || f.steps != v + 1 || gm_model_support(m, GM_USE_ENCODE) != (of_gan ? GM_APPROXIMATE : GM_EXACT);
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
    gm_gan *g;
    int n, bad;
} trainer;

static gm_action step(void *user, const gm_record *r)
{
    trainer *t = user;
    const gm_model *fresh = NULL, *old;
    if (r->kind != GM_RECORD_STEP) return GM_CONTINUE;
    t->bad += (of_gan ? gm_gan_snapshot(t->g, &fresh) : gm_vae_snapshot(t->v, &fresh)) != GM_OK;
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
    gm_gan_options go;
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
    gm_gan_options_init(&go, sizeof go);
    go.generator = "dense 16; batch_norm; relu";
    go.discriminator = "dense 16; leaky_relu 0.2";
    go.latent_dim = L;
    go.ema_half_life = 30;
    gm_fit_options_init(&f, sizeof f);
    f.batch = 10;
    f.max_steps = ROUNDS;
    f.validation_fraction = 0;
    f.progress = step;
    f.user = t;
    gm_status s = gm_dataset_from_tensor(rw, NULL, &x, &d);
    if (!s) s = of_gan ? gm_gan_create(c, &x, &go, &t->g) : gm_vae_create(c, &x, &o, &t->v);
    if (!s) s = of_gan ? gm_gan_fit(t->g, d, &f) : gm_vae_fit(t->v, d, &f);
    t->bad += s != GM_OK;
    gm_tensor_destroy(rw);
    gm_dataset_destroy(d);
    gm_vae_destroy(t->v);
    gm_gan_destroy(t->g);
    gm_context_destroy(c);
    return NULL;
}

static void story(int gan)
{
    static results room[WORKERS];
    pthread_t w[WORKERS], tr;
    trainer t = {NULL, NULL, 0, 0};
    int i, started = 0, distinct = 0;
    of_gan = gan;
    current = NULL;
    version = taken = last = holding = gone = failures = compared = differ = 0;
    memset(seen, 0, sizeof seen);
    for (i = 0; i < WORKERS; i++) started += pthread_create(&w[i], NULL, worker, &room[i]) == 0;
    if (!ok(started == WORKERS && !pthread_create(&tr, NULL, train, &t), "%s: %d users and a trainer", gan ? "GAN" : "VAE", started)) return;
    pthread_join(tr, NULL);
    if (!current) {
        printf("Bail out! the trainer made no model\n");
        exit(1);
    }
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
}

/* ---- without any lock: a box for each user, into which the trainer puts each new model ---- */

static const gm_model *box[WORKERS];
static int ended;

typedef struct user {
    int number, uses, bad;
    int64_t steps;
    results r;
} user;

static void *box_worker(void *arg)
{
    user *u = arg;
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    const gm_model *mine = NULL;
    for (;;) {
        const int over = __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
        const gm_model *fresh = __atomic_exchange_n(&box[u->number], NULL, __ATOMIC_ACQ_REL);
        gm_info f;
        if (fresh) {
            gm_model_destroy(mine);
            mine = fresh;
        }
        if (!fresh && over) break;
        if (!fresh) {
            sched_yield();
            if (!mine) continue;
        }
        f.size = sizeof f;
        memset(&u->r, 0, sizeof u->r);
        u->bad += gm_model_info(mine, &f) || f.steps < u->steps || use(c, mine, &u->r);
        u->steps = f.steps;
        u->uses++;
    }
    gm_model_destroy(mine);
    gm_context_destroy(c);
    return NULL;
}

static int publish(gm_vae *v)
{
    const gm_model *m = NULL;
    if (gm_vae_snapshot(v, &m)) return 1;
    for (int i = 0; i < WORKERS; i++) gm_model_destroy(__atomic_exchange_n(&box[i], gm_model_retain(m), __ATOMIC_ACQ_REL)); /* one that nobody took goes */
    gm_model_destroy(m);
    for (int taken_from = 0; taken_from < 3; sched_yield()) { /* some take it while the trainer goes on */
        taken_from = 0;
        for (int i = 0; i < WORKERS; i++) taken_from += __atomic_load_n(&box[i], __ATOMIC_ACQUIRE) == NULL;
    }
    return 0;
}

static void boxes(void)
{
    static user users[WORKERS];
    pthread_t w[WORKERS];
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    gm_tensor *x = vae_rows(c, rows, N, K);
    gm_vae *v = NULL;
    gm_vae_options o;
    gm_spec spec;
    int bad = 0, differing = 0, used = 0;
    of_gan = 0;
    gm_vae_options_init(&o, sizeof o);
    o.latent_dim = L;
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    bad += gm_vae_create(c, &spec, &o, &v) != GM_OK;
    for (int i = 0; i < WORKERS; i++) {
        users[i].number = i;
        bad += pthread_create(&w[i], NULL, box_worker, &users[i]) != 0;
    }
    for (int i = 0; i < ROUNDS && !bad; i++) bad += gm_vae_step(v, x, NULL, NULL) || publish(v);
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(w[i], NULL);
        bad += users[i].bad;
        used += users[i].uses;
        differing += users[i].steps != ROUNDS || memcmp(&users[i].r, &users[0].r, sizeof users[0].r);
    }
    is_int(bad, 0, "boxes: steps, snapshots and uses without a lock");
    ok(used >= 3 * ROUNDS, "%d uses of %d models", used, ROUNDS);
    is_int(differing, 0, "every user ends with the last model, and the same bits");
    gm_vae_destroy(v);
    gm_tensor_destroy(x);
    gm_context_destroy(c);
}

int main(void)
{
    uint32_t seed = 5;
    for (int i = 0; i < N * K; i++) ((float *)rows)[i] = (float)(3 * vae_random(&seed));
    story(0);
    story(1);
    boxes();
    return done();
}
