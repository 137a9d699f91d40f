/* SPDX-License-Identifier: MIT */
/* classifier.h: a judge of generated images: 784-256-10 with ReLU on [0, 1] grey levels, trained by an own loop over the library's graph. */
#ifndef GM_EXPERIMENTS_CLASSIFIER_H
#define GM_EXPERIMENTS_CLASSIFIER_H
#include "common.h"
#define CLASSIFIER_PIXELS 784
#define CLASSIFIER_CLASSES 10

typedef struct classifier classifier;

/* u8 images [n, 1, 28, 28] of an IDX file and, when labels_file is not NULL, their labels i32 [n]. */
typedef struct image_set {
    int64_t count;
    gm_tensor *images, *labels;
} image_set;
void image_set_open(experiment *e, const char *images_file, const char *labels_file, image_set *s);
void image_set_close(image_set *s);

/* Trains on a set with labels. Deterministic: the same set gives the same weights. Ends the process on failure. */
classifier *classifier_train(experiment *e, const image_set *train);
void classifier_digest(experiment *e, classifier *k, char hex[65]);
void classifier_destroy(classifier *k);
/* Class probabilities, float [n][10], of n images of 784 bytes. */
void classifier_probabilities(experiment *e, classifier *k, int64_t n, const uint8_t *images, float *p);
/* Share of a labelled set that gets its label. */
double classifier_accuracy(experiment *e, classifier *k, const image_set *test);
#endif
