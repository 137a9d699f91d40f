/* SPDX-License-Identifier: MIT */
/* genrep/optim.h: parameters, optimizers and schedules for a host's own loop over any graph: gm_run_exec, gm_optimizer_step. */
#ifndef GENREP_OPTIM_H
#define GENREP_OPTIM_H
#include "graph.h"
#ifdef __cplusplus
extern "C" {
#endif
GM_CALL gm_params_create(gm_context *c, const gm_graph *g, uint64_t seed, gm_params **out);
GM_CALL gm_params_view(gm_params *w, const char *name, gm_tensor **view);
GM_CALL gm_params_read(gm_params *w, const gm_reader *r);
GM_CALL gm_params_write(const gm_params *w, gm_writer *to);
GM_API void gm_params_destroy(GM_OPT gm_params *w);
GM_CALL gm_optimizer_create(gm_params *w, const char *text, gm_optimizer **out);
GM_CALL gm_optimizer_step(gm_optimizer *p, GM_OPT double *grad_norm);
GM_CALL gm_optimizer_set(gm_optimizer *p, const char *name, double value);
GM_CALL gm_optimizer_read(gm_optimizer *p, const gm_reader *r);
GM_CALL gm_optimizer_write(const gm_optimizer *p, gm_writer *w);
GM_API void gm_optimizer_destroy(GM_OPT gm_optimizer *p);
GM_CALL gm_schedule_parse(gm_context *c, const char *text, gm_schedule **out);
GM_API double gm_schedule_value(const gm_schedule *s, int64_t step, double epoch);
GM_API void gm_schedule_destroy(GM_OPT gm_schedule *s);
#ifdef __cplusplus
}
#endif
#endif
