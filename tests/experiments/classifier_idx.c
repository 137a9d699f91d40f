/* SPDX-License-Identifier: MIT */
/* classifier_idx.c: the judge of gan_mnist and gan_fashion alone (classifier.h) on an IDX folder of MNIST's names.
 *
 * classifier_accuracy is the share of the 10,000 test images that get their label: at least 0.975 on MNIST, 0.87 on Fashion-MNIST. */
#include "classifier.h"

int main(int argc, char **argv)
{
    experiment e;
    image_set train, test;
    classifier *k;
    double accuracy;
    char hex[65];
    experiment_begin(&e, "classifier_idx", argc, argv);
    image_set_open(&e, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", &train);
    image_set_open(&e, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", &test);
    experiment_train_begin(&e);
    k = classifier_train(&e, &train);
    experiment_train_end(&e, 0);
    accuracy = classifier_accuracy(&e, k, &test);
    classifier_digest(&e, k, hex);
    experiment_json_begin(&e, hex);
    experiment_json_number(&e, "classifier_accuracy", accuracy);
    experiment_json_end(&e);
    classifier_destroy(k);
    image_set_close(&train);
    image_set_close(&test);
    gm_context_destroy(e.ctx);
    return 0;
}
