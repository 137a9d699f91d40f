/* SPDX-License-Identifier: MIT */
/* genrep/optim.h: parameters, optimizers and schedules for a host's own loop over any graph.
 *
 *     gm_graph_backward(g, loss);                                   every parameter gets a gradient
 *     s = gm_program_compile(g, 1, &loss, &program);
 *     if (!s) s = gm_params_create(ctx, g, seed, &w);
 *     if (!s) s = gm_optimizer_create(w, "adam lr=1e-3", &opt);
 *     if (!s) s = gm_run_create(ctx, program, w, &run);
 *     while (!s && ...) {
 *         s = gm_run_exec(run, seed, 2, batch, 1, &loss_out);       fills the gradients
 *         if (!s) s = gm_optimizer_step(opt, NULL);                 one step; allocates nothing
 *     }
 *
 * Models have their own parameters and optimizer; this header is for everything else. */
#ifndef GENREP_OPTIM_H
#define GENREP_OPTIM_H
#include "graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Makes the parameters and states of a graph and gives them their initial values, a function of (seed, name, shape) alone: a layer more or less does
 * not move another one's. Gradients are zero. The graph may be destroyed afterwards. Programs of other graphs may use the same parameters, as long as names and
 * shapes agree. GM_E_INVALID names an initialisation that is none; the graph's own failure is passed on. */
GM_CALL gm_params_create(gm_context *c, const gm_graph *g, uint64_t seed, gm_params **out);

/* Gives a parameter or state as a tensor that shares its memory, f32, writable; it keeps the parameters alive. Names are those of the graph ("0.weight"). Destroy the
 * view after writing: while one exists, programs cannot keep what they have prepared from the weights. GM_E_UNKNOWN for another name. */
GM_CALL gm_params_view(gm_params *w, const char *name, gm_tensor **view);

/* Reads values from a safetensors file that has every parameter and state by name and shape, as F16, BF16, F32 or F64; other tensors in it are refused, but
 * for PyTorch's num_batches_tracked. All or nothing: on failure no value has changed. GM_E_MODEL names the tensor; GM_E_FORMAT, GM_E_CHECKSUM, GM_E_IO. */
GM_CALL gm_params_read(gm_params *w, const gm_reader *r);

/* Writes parameters and states as a safetensors file, in PyTorch's names and layouts; the same values give the same bytes. */
GM_CALL gm_params_write(const gm_params *w, gm_writer *to);

/* Destroys the parameters; views, runs and optimizers keep them until they are gone. NULL is fine. */
GM_API void gm_params_destroy(GM_OPT gm_params *w);

/* Makes an optimizer over all parameters of w, from a rule and its options, with torch.optim's formulas and defaults:
 *   sgd lr=1e-3 momentum=0 dampening=0 nesterov=0          rmsprop lr=1e-2 alpha=0.99 eps=1e-8 momentum=0 centered=0
 *   adam lr=1e-3 beta1=0.9 beta2=0.999 eps=1e-8            adamw, the same with weight_decay=0.01, decoupled
 *   adagrad lr=1e-2 lr_decay=0 initial_accumulator_value=0 eps=1e-10
 * All have weight_decay=0 (decay=weights: not on parameters of one axis), maximize=0, clip_norm=0 (off), clip_value=0 (off), accumulate=1 (gradients of so
 * many calls are averaged for one update). A number right after the rule is lr. The optimizer keeps the parameters alive. GM_E_INVALID with the column. */
GM_CALL gm_optimizer_create(gm_params *w, const char *text, gm_optimizer **out);

/* Takes one step with the gradients that the last gm_run_exec left, and commits the states it computed. grad_norm gets the gradient's 2-norm before clipping;
 * may be NULL. A gradient with a NaN or an infinity is GM_E_NONFINITE, named: parameters, moments and states are then as before, and the loop may go on. */
GM_CALL gm_optimizer_step(gm_optimizer *p, GM_OPT double *grad_norm);

/* Sets an option by its name, from the next step on, within the range the text allows. Options that need other memory (accumulate; momentum where there
 * was none) are GM_E_INVALID, names the rule does not have GM_E_UNKNOWN. */
GM_CALL gm_optimizer_set(gm_optimizer *p, const char *name, double value);

/* Reads moments, counters and options that gm_optimizer_write wrote for the same rule and parameters: training goes on with the same bits. All or
 * nothing. GM_E_MODEL when the file is of another rule or other parameters. */
GM_CALL gm_optimizer_read(gm_optimizer *p, const gm_reader *r);

/* Writes moments, counters and present options as a safetensors file, with torch.optim's names ("exp_avg.0.weight"). */
GM_CALL gm_optimizer_write(const gm_optimizer *p, gm_writer *w);

/* Destroys the optimizer. NULL is fine. */
GM_API void gm_optimizer_destroy(GM_OPT gm_optimizer *p);

/* Reads a schedule, a number as a function of step and epoch (docs/defaults.md):
 *   "1e-3"  "constant 1e-3"  "step 1e-3 gamma=0.1 every=10"  "exponential 1e-3 gamma=0.99"  "linear 1e-3 0 epochs=50"  "cosine 1e-3 1e-5 epochs=100"
 * every and gamma count epochs, or steps where the word steps follows; linear and cosine take epochs=N or steps=N, and start=N before which nothing falls.
 * warmup=N multiplies by (step + 1)/N in the first N steps. GM_E_INVALID with the column. */
GM_CALL gm_schedule_parse(gm_context *c, const char *text, gm_schedule **out);

/* Gives the value at a step (from 0) and an epoch (from 0, with its fraction). The same bits on every platform. NULL gives 0. */
GM_API double gm_schedule_value(const gm_schedule *s, int64_t step, double epoch);

/* Destroys the schedule. NULL is fine. */
GM_API void gm_schedule_destroy(GM_OPT gm_schedule *s);
#ifdef __cplusplus
}
#endif
#endif
