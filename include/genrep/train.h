/* SPDX-License-Identifier: MIT */
/* genrep/train.h: one typed record for callback, step result, JSONL and CSV; options of fit. NaN = does not apply. */
#ifndef GENREP_TRAIN_H
#define GENREP_TRAIN_H
#include "data.h"
#include "optim.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef int32_t gm_record_kind;
enum { GM_RECORD_STEP, GM_RECORD_EPOCH, GM_RECORD_VALIDATION, GM_RECORD_EVENT, GM_RECORD_SAVED, GM_RECORD_WORK };
typedef int32_t gm_action;
enum { GM_CONTINUE, GM_STOP, GM_CANCEL };
typedef int32_t gm_event;
enum {
    GM_EVENT_NONE,
    GM_EVENT_NONFINITE,
    GM_EVENT_DIVERGENCE,
    GM_EVENT_OVERFIT,
    GM_EVENT_POSTERIOR_COLLAPSE,
    GM_EVENT_MODE_COLLAPSE,
    GM_EVENT_D_OVERFIT,
    GM_EVENT_G_VANISHING,
    GM_EVENT_SUPERVISOR
};
typedef struct gm_record {
    size_t size;
    gm_record_kind kind;
    gm_event event;
    const char *call, *message;
    int64_t epoch, epochs, step, steps, examples;
    double seconds, eta_s, examples_per_s, lr, objective, elbo, recon, kl, beta, active_units, d_loss, g_loss, d_real, d_fake, penalty, grad_norm,
        d_grad_norm;
    int64_t n_kl;
    const float *kl_per_dim;
} gm_record;
typedef gm_action (*gm_progress_fn)(void *user, const gm_record *r);
typedef struct gm_fit_options {
    size_t size;
    int64_t epochs, batch, max_steps, accumulate, patience;
    gm_dataset *validation;
    double validation_fraction, time_limit_s;
    uint64_t seed;
    gm_progress_fn progress;
    void *user;
    gm_writer *jsonl, *csv;
    const char *checkpoint_path;
    int64_t checkpoint_steps;
} gm_fit_options;
GM_API const char *gm_record_kind_name(gm_record_kind k);
GM_API const char *gm_action_name(gm_action a);
GM_API const char *gm_event_name(gm_event e);
GM_API void gm_record_init(gm_record *r, size_t size);
GM_API void gm_fit_options_init(gm_fit_options *o, size_t size);
GM_CALL gm_record_text(const gm_record *r, char *to, size_t n);
typedef int32_t gm_draw;
enum { GM_DRAW_MEAN, GM_DRAW_SAMPLE };
GM_API const char *gm_draw_name(gm_draw d);
typedef struct gm_sample_options {
    size_t size;
    uint64_t seed;
    int64_t first;
    double truncation;
    gm_draw draw;
} gm_sample_options;
GM_API void gm_sample_options_init(gm_sample_options *o, size_t size);
#ifdef __cplusplus
}
#endif
#endif
