/* SPDX-License-Identifier: MIT */
/* common.h: what every experiment shares: arguments, the context, progress on stderr, one JSON object as the last line on stdout.
 *
 *   --data DIR  --seed N  --threads N  --simd LEVEL  --epochs N  --steps N (from step 0; no test evaluation)  --save DIR
 *   --trials N (mixtures: seeds from --seed on)  --model FILE (what works on a finished model) */
#ifndef GM_EXPERIMENTS_COMMON_H
#define GM_EXPERIMENTS_COMMON_H
#include <genrep.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPERIMENT_TRIALS 64 /* at most */

typedef struct experiment {
    const char *name, *data, *save, *model;
    uint64_t seed;
    int32_t threads;
    gm_simd simd;
    int64_t epochs, steps; /* -1 = the experiment's own */
    int64_t trials;
    gm_context *ctx;
    double begun, seconds; /* of training */
    int64_t examples;
    int32_t columns;       /* of the JSON object so far */
} experiment;

/* Reads the arguments and makes the context; leaves the process with a message when they are wrong. */
void experiment_begin(experiment *e, const char *name, int argc, char **argv);
/* Ends the process with the context's message when s is a failure. */
void experiment_need(experiment *e, gm_status s);
/* DIR/name of the data. */
const char *experiment_path(const experiment *e, const char *name, char *to, size_t n);
double experiment_clock(void *user);
/* A gm_progress_fn: an epoch a line, and a line every second. */
gm_action experiment_progress(void *user, const gm_record *r);
void experiment_train_begin(experiment *e);
void experiment_train_end(experiment *e, int64_t examples);

/* The JSON object: begin prints the keys that all have, end closes it. */
void experiment_json_begin(experiment *e, const char *weights_sha256);
void experiment_json_number(experiment *e, const char *key, double v);
void experiment_json_numbers(experiment *e, const char *key, int64_t n, const double *v);
void experiment_json_text(experiment *e, const char *key, const char *v);
void experiment_json_end(experiment *e);

/* SHA-256 of the data buffer of a safetensors file in memory. */
void experiment_weights_sha256(const uint8_t *file, size_t n, char hex[65]);
/* The same of a model, which `write` writes. */
typedef gm_status (*experiment_write_fn)(void *model, gm_writer *w);
void experiment_digest(experiment *e, experiment_write_fn write, void *model, char hex[65]);
gm_status experiment_write_vae(void *vae, gm_writer *w);
/* With --save: DIR/name, the folder made where it is missing, and 1; else 0. */
int experiment_save_path(experiment *e, const char *name, char *to, size_t n);
/* The whole of a VAE experiment on an IDX folder: trains, evaluates, prints. */
int experiment_vae_idx(experiment *e, const gm_vae_options *o, const char *train, const char *test, int64_t epochs);
#endif
