/* SPDX-License-Identifier: MIT */
/* gans.h: what experiments with GANs share, and the whole of those on images (gan_mnist.c, gan_fashion.c).
 *
 * A classifier (classifier.h), trained on the real images, gives each of 10,000 samples a class:
 *   class_min, class_max   the smallest and the largest share of a class; 0.1 each would be even
 *   confidence             mean over the samples of the largest class probability
 *   real_confidence        the same of the 10,000 test images: what confidence can be hoped for
 *   classifier_accuracy    on the test images
 * With --save DIR: model.safetensors, which gan_invert.c takes, and samples.png. */
#ifndef GM_EXPERIMENTS_GANS_H
#define GM_EXPERIMENTS_GANS_H
#include "classifier.h"

/* An experiment_write_fn of a gm_gan. */
gm_status gans_write(void *gan, gm_writer *w);
/* Trains on the 60,000 images of an IDX folder with MNIST's names, judges, prints the JSON object. f holds what is set on top of the defaults; its seed, the
 * options' seed, --epochs and --steps are filled in here. */
int experiment_gan_images(experiment *e, const gm_gan_options *o, const gm_fit_options *f);
#endif
