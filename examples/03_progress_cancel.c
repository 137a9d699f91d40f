/* SPDX-License-Identifier: MIT */
/* 03_progress_cancel.c: watch a training, look at the model in the middle of it, stop it, cancel it from a signal handler.
 *
 * The callback gets a record at every step, epoch and validation. It may encode, decode, sample, evaluate and save the model under way, and it answers
 * continue, stop (the call ends well, with the best weights) or cancel (the call returns GM_E_CANCELLED, and the model is as after its last whole step).
 * gm_context_cancel does the same from another thread or a signal handler. Times go to stderr, where they may differ. Next: 04, errors and memory. */
#include <genrep.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static gm_context *ctx; /* for the handler: gm_context_cancel is safe there */

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    gm_context_cancel(ctx);
}

/* The library reads no clock of its own; with this one records have rates and an ETA. */
static double seconds(void *user)
{
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct watch {
    gm_vae *vae;
    gm_tensor *sample; /* [1,1,8,8] f32 */
    int64_t stop_epoch, interrupt_step;
} watch;

static gm_action progress(void *user, const gm_record *r)
{
    watch *w = user;
    char line[256];
    if (gm_record_text(r, line, sizeof line) == GM_OK) fprintf(stderr, "\r%-100s", line);
    if (r->kind == GM_RECORD_EPOCH && r->epoch % 5 == 0) {
        double ink = 0;
        gm_status s = gm_vae_sample(w->vae, NULL, NULL, w->sample); /* the model as it is now */
        for (int i = 0; i < 64; i++) ink += ((const float *)gm_tensor_data_const(w->sample))[i];
        printf("epoch %ld: objective %.1f, a sample has %.1f dots of ink%s\n", (long)r->epoch, r->objective, ink, s ? " (failed)" : "");
    }
    if (r->kind == GM_RECORD_VALIDATION) printf("validation after epoch %ld: objective %.1f\n", (long)r->epoch, r->objective);
    if (r->step == w->interrupt_step) raise(SIGINT); /* as Ctrl-C would */
    return w->stop_epoch && r->kind == GM_RECORD_EPOCH && r->epoch >= w->stop_epoch ? GM_STOP : GM_CONTINUE;
}

int main(void)
{
    const int64_t dims[4] = {1, 1, 8, 8};
    gm_context_options co;
    gm_dataset *data = NULL;
    gm_vae_options o;
    gm_fit_options fit;
    gm_writer jsonl;
    watch w = {0};
    gm_status s;

    gm_context_options_init(&co, sizeof co);
    co.clock = seconds;
    s = gm_context_create(&co, &ctx);
    signal(SIGINT, on_interrupt);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 64; relu";
    o.latent_dim = 8;
    if (!s) s = gm_dataset_open(ctx, "data/digits/images-idx3-ubyte", "lo=0 hi=16", &data);
    if (!s) s = gm_vae_create(ctx, gm_dataset_spec(data), &o, &w.vae);
    if (!s) s = gm_tensor_create(ctx, GM_F32, 4, dims, &w.sample);

    gm_writer_init(&jsonl, sizeof jsonl);
    jsonl.path = "log.jsonl"; /* every record as a line of JSON, at once */
    gm_fit_options_init(&fit, sizeof fit);
    fit.progress = progress;
    fit.user = &w;
    fit.jsonl = &jsonl;
    fit.epochs = 1000;

    w.stop_epoch = 12;
    w.interrupt_step = -1;
    if (!s) s = gm_vae_fit(w.vae, data, &fit);
    fprintf(stderr, "\n");
    printf("stopped: %s\n", gm_status_name(s));

    w.stop_epoch = 0;
    w.interrupt_step = 200; /* steps count on from where the model was */
    if (!s) s = gm_vae_fit(w.vae, data, &fit);
    fprintf(stderr, "\n");
    printf("interrupted: %s, %s\n", gm_status_name(s), gm_context_error(ctx));

    s = gm_vae_sample(w.vae, NULL, NULL, w.sample);
    printf("the model is whole: sample gives %s\n", gm_status_name(s));
    gm_tensor_destroy(w.sample);
    gm_vae_destroy(w.vae);
    gm_dataset_destroy(data);
    gm_context_destroy(ctx);
    return s ? 1 : 0;
}
