/* SPDX-License-Identifier: MIT */
/* 12_anomaly_daemon.c: a service that scores while it learns: one trainer, several scorers, the model exchanged under them.
 *
 * A context belongs to one thread, so each thread has its own. What they share is a const gm_model, which never changes: the trainer takes a snapshot of its VAE,
 * calibrates it on held-back data (at most 5% of good data may raise an alarm) and puts it in the place of the old one. A scorer takes a reference behind
 * the same lock, and drops it when it sees a newer one; whoever drops the last frees the model. Next: 13, time series. */
#include <genrep.h>
#include <pthread.h>
#include <stdio.h>

#define SCORERS 2
#define ROUNDS 5        /* models published */
#define ROUND_STEPS 200 /* of training between them */
#define BATCH 120       /* digits of each scorer */

typedef struct service {
    pthread_mutex_t lock;
    const gm_model *current;
    int done;
} service;

typedef struct scorer {
    pthread_t thread;
    service *shared;
    unsigned char *pixels;
    const char *what;
    long batches;
    int alarms; /* of the last model */
    gm_status status;
} scorer;

static unsigned char pixels[SCORERS * BATCH * 64];

static gm_status new_context(gm_context **ctx)
{
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1; /* the service has threads enough */
    return gm_context_create(&o, ctx);
}

static gm_status wrap(gm_context *ctx, unsigned char *p, int64_t n, gm_tensor **x)
{
    int64_t dims[4] = {0, 1, 8, 8};
    dims[0] = n;
    return gm_tensor_wrap(ctx, GM_U8, 4, dims, NULL, p, x);
}

/* Trains on to the end of a round and publishes the model. */
static gm_status advance(service *shared, gm_context *ctx, gm_vae *vae, gm_dataset *data, gm_dataset *held_back, int round)
{
    const gm_model *snapshot = NULL, *fresh = NULL, *old;
    gm_fit_options fit;
    gm_status s;
    gm_fit_options_init(&fit, sizeof fit);
    fit.validation_fraction = 0;
    fit.max_steps = round * ROUND_STEPS; /* counted from the model's first step: each call goes on where the last ended */
    s = gm_vae_fit(vae, data, &fit);
    if (!s) s = gm_vae_snapshot(vae, &snapshot);
    if (!s) s = gm_model_calibrate(ctx, snapshot, held_back, NULL, &fresh);
    gm_model_destroy(snapshot); /* fresh shares its weights */
    if (s) return s;
    pthread_mutex_lock(&shared->lock);
    old = shared->current;
    shared->current = fresh;
    pthread_mutex_unlock(&shared->lock);
    gm_model_destroy(old); /* lives on while a scorer holds it */
    return s;
}

/* A scorer's thread: its digits with the current model, again and again; the last time with the trainer's last. */
static void *score(void *arg)
{
    const int64_t n = BATCH;
    scorer *me = arg;
    gm_context *ctx = NULL;
    gm_latent *latent = NULL;
    gm_tensor *x = NULL, *scores = NULL, *alarms = NULL;
    gm_status s = new_context(&ctx);
    if (!s) s = wrap(ctx, me->pixels, n, &x);
    if (!s) s = gm_tensor_create(ctx, GM_F32, 1, &n, &scores);
    if (!s) s = gm_tensor_create(ctx, GM_U8, 1, &n, &alarms);
    for (int last = 0; !s && !last; me->batches++) {
        pthread_mutex_lock(&me->shared->lock);
        const gm_model *m = gm_model_retain(me->shared->current);
        last = me->shared->done;
        pthread_mutex_unlock(&me->shared->lock);
        if (m != gm_latent_model(latent)) { /* a newer one */
            gm_latent_destroy(latent);
            s = gm_latent_create(ctx, m, NULL, &latent);
        }
        gm_model_destroy(m); /* the latent has a reference of its own */
        if (!s) s = gm_latent_score(latent, GM_SCORE_ELBO, x, NULL, scores, alarms);
    }
    for (int i = 0; !s && i < BATCH; i++) me->alarms += ((const unsigned char *)gm_tensor_data_const(alarms))[i];
    if (s && ctx) printf("scorer: %s\n", gm_context_error(ctx));
    gm_latent_destroy(latent), gm_tensor_destroy(x), gm_tensor_destroy(scores), gm_tensor_destroy(alarms);
    gm_context_destroy(ctx);
    me->status = s;
    return NULL;
}

int main(void)
{
    static service shared = {PTHREAD_MUTEX_INITIALIZER, NULL, 0};
    static scorer scorers[SCORERS] = {{.what = "good"}, {.what = "damaged"}};
    gm_context *ctx = NULL;
    gm_dataset *all = NULL, *data = NULL, *rest = NULL, *held_back = NULL, *stream = NULL;
    gm_tensor *x = NULL;
    gm_vae *vae = NULL;
    gm_vae_options o;
    int started = 0;
    gm_status s = new_context(&ctx);
    if (!s) s = gm_dataset_open_idx(ctx, "data/digits/images-idx3-ubyte", NULL, &all);
    if (!s) s = gm_dataset_split(all, 0.6, 1, &data, &rest);
    if (!s) s = gm_dataset_split(rest, 0.5, 1, &held_back, &stream);
    if (!s) s = wrap(ctx, pixels, SCORERS * BATCH, &x);
    if (!s) s = gm_dataset_read(stream, 0, x, NULL);
    for (int i = BATCH * 64; i < 2 * BATCH * 64; i++)
        if (i % 64 / 16 == 2) pixels[i] = 0; /* two rows of the second scorer's images are lost */

    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 128; relu";
    o.latent_dim = 8;
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN; /* with a learned variance: a score in which every pixel counts */
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &vae);
    if (!s) s = advance(&shared, ctx, vae, data, held_back, 1);
    for (; !s && started < SCORERS; started++) {
        scorers[started].shared = &shared;
        scorers[started].pixels = pixels + started * BATCH * 64;
        if (pthread_create(&scorers[started].thread, NULL, score, &scorers[started])) break;
    }
    for (int round = 2; !s && round <= ROUNDS; round++) s = advance(&shared, ctx, vae, data, held_back, round);
    pthread_mutex_lock(&shared.lock);
    shared.done = 1;
    pthread_mutex_unlock(&shared.lock);
    if (s) printf("trainer: %s\n", ctx ? gm_context_error(ctx) : gm_status_name(s));
    for (int i = 0; i < started; i++) {
        pthread_join(scorers[i].thread, NULL);
        if (!s) s = scorers[i].status;
        printf("%s digits: %d of %d raise an alarm\n", scorers[i].what, scorers[i].alarms, BATCH);
        fprintf(stderr, "%s: %ld batches\n", scorers[i].what, scorers[i].batches);
    }
    gm_model_destroy(shared.current), gm_vae_destroy(vae), gm_tensor_destroy(x);
    gm_dataset_destroy(stream), gm_dataset_destroy(held_back), gm_dataset_destroy(rest), gm_dataset_destroy(data), gm_dataset_destroy(all);
    gm_context_destroy(ctx);
    return s || started < SCORERS;
}
