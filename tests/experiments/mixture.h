/* SPDX-License-Identifier: MIT */
/* mixture.h: GANs on mixtures of Gaussians in the plane: did G find every mode, evenly, and only the modes? gan_ring.c and gan_grid.c are two settings.
 *
 * Of 25,000 samples each goes to its nearest mode; it is of high quality when it lies within 3 sigma of it (of the true mixture 98.9% do). A mode counts
 * as found with at least 20 samples of high quality (usual is 1: Srivastava et al. 2017; Lin et al. 2018; 20 is 0.6% of a mode's fair share on the ring,
 * 2% on the grid).
 *
 *   modes          found, of all
 *   high_quality   share of the 25,000
 *   reverse_kl     KL(p || uniform) = sum_k p_k log(K p_k), nats, p the shares of the modes among samples of high quality
 *
 * With --trials N the keys are means over the seeds --seed, --seed + 1, ... and modes_trials, high_quality_trials, reverse_kl_trials, seconds_trials
 * list them. weights_sha256 is that of the last one. */
#ifndef GM_EXPERIMENTS_MIXTURE_H
#define GM_EXPERIMENTS_MIXTURE_H
#include "common.h"
#define MIXTURE_MODES 32 /* at most */

typedef struct mixture {
    int32_t modes;
    double sigma, centre[MIXTURE_MODES][2];
    int64_t steps, batch;
} mixture;

/* Trains a GAN of options o (seed set for each trial) with --trials seeds, samples, prints the JSON object. o may depend on m->steps, which --steps
 * replaces before o is asked for. */
typedef void (*mixture_options_fn)(const mixture *m, gm_gan_options *o);
int experiment_mixture(experiment *e, mixture *m, mixture_options_fn options);
#endif
