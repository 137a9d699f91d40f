/* SPDX-License-Identifier: MIT */
/* classifier.c: see classifier.h. Softmax cross-entropy, Adam 1e-3 falling to 0 along a line, batch 128, 12 epochs in an order of its own.
 *
 * It knows the ten classes and nothing else: an image that is none of them still gets one, so its confidence matters as much as its answer. */
#include "classifier.h"
#define BATCH 128
#define EPOCHS 12

struct classifier {
    gm_params *w;
    const gm_layer *net;
    const gm_program *infer;
    gm_run *run;
    gm_tensor *x, *p; /* [BATCH, 784], [BATCH, 10]: what run takes and gives */
    float x_data[BATCH * CLASSIFIER_PIXELS], p_data[BATCH * CLASSIFIER_CLASSES];
};

/* ---- data ---- */

void image_set_open(experiment *e, const char *images_file, const char *labels_file, image_set *s)
{
    gm_dataset *d = NULL;
    const gm_spec *x;
    char images[4096], labels[4096];
    int64_t dims[4];
    memset(s, 0, sizeof *s);
    experiment_path(e, images_file, images, sizeof images);
    if (labels_file) experiment_path(e, labels_file, labels, sizeof labels);
    experiment_need(e, gm_dataset_open_idx(e->ctx, images, labels_file ? labels : NULL, &d));
    x = gm_dataset_spec(d);
    if (x->rank != 3 || x->dims[0] * x->dims[1] * x->dims[2] != CLASSIFIER_PIXELS || x->dtype != GM_U8 || x->classes > CLASSIFIER_CLASSES) {
        fprintf(stderr, "%s: %s is not 28x28 grey images of ten classes\n", e->name, images);
        exit(1);
    }
    dims[0] = s->count = gm_dataset_count(d);
    memcpy(dims + 1, x->dims, 3 * sizeof dims[0]);
    experiment_need(e, gm_tensor_create(e->ctx, GM_U8, 4, dims, &s->images));
    if (labels_file) experiment_need(e, gm_tensor_create(e->ctx, GM_I32, 1, dims, &s->labels));
    experiment_need(e, gm_dataset_read(d, 0, s->images, s->labels));
    gm_dataset_destroy(d);
}

void image_set_close(image_set *s)
{
    gm_tensor_destroy(s->images);
    gm_tensor_destroy(s->labels);
    memset(s, 0, sizeof *s);
}

static void pixels(float *to, const uint8_t *image)
{
    int i;
    for (i = 0; i < CLASSIFIER_PIXELS; i++) to[i] = (float)image[i] / 255.0f;
}

/* ---- graphs ---- */

static gm_node logits(const classifier *k, gm_graph *g)
{
    static const int64_t dims[2] = {BATCH, CLASSIFIER_PIXELS};
    const gm_node none = {0};
    return gm_layer_build(k->net, g, gm_graph_input(g, "x", GM_F32, 2, dims), none);
}

/* Mean of log sum_j e^(a_j) - a_label over the batch. Inputs x and the labels. */
static gm_status loss_program(gm_context *c, const classifier *k, gm_graph **g, const gm_program **p)
{
    static const int64_t n = BATCH;
    gm_node a, label, loss;
    gm_status s = gm_graph_create(c, g);
    if (s) return s;
    a = logits(k, *g);
    label = gm_op_one_hot(*g, gm_graph_input(*g, "label", GM_I32, 1, &n), CLASSIFIER_CLASSES);
    loss = gm_op_sub(*g, gm_op_logsumexp(*g, a, 1u << 1, 0), gm_op_sum(*g, gm_op_mul(*g, a, label), 1u << 1, 0));
    loss = gm_op_mean(*g, loss, 1u << 0, 0);
    gm_graph_backward(*g, loss);
    return gm_program_compile(*g, 1, &loss, p);
}

static gm_status infer_program(gm_context *c, classifier *k)
{
    gm_graph *g = NULL;
    gm_node p;
    gm_status s = gm_graph_create(c, &g);
    if (s) return s;
    p = gm_op_softmax(g, logits(k, g), 1);
    s = gm_program_compile(g, 1, &p, &k->infer);
    gm_graph_destroy(g);
    return s;
}

/* ---- training ---- */

typedef struct batches {
    gm_tensor *in[2], *out;
    float loss;
    int32_t label[BATCH];
    int64_t *order;
    uint64_t state;
} batches;

/* A shuffle by Fisher and Yates; the numbers are an LCG's upper bits. */
static void shuffle(batches *b, int64_t n)
{
    int64_t i, j, t;
    for (i = n - 1; i > 0; i--) {
        b->state = b->state * 6364136223846793005u + 1442695040888963407u;
        j = (int64_t)((b->state >> 33) % (uint64_t)(i + 1));
        t = b->order[i], b->order[i] = b->order[j], b->order[j] = t;
    }
}

static void fill(classifier *k, batches *b, const image_set *train, int64_t first)
{
    const uint8_t *x = gm_tensor_data_const(train->images);
    const int32_t *y = gm_tensor_data_const(train->labels);
    int64_t i;
    for (i = 0; i < BATCH; i++) {
        pixels(k->x_data + i * CLASSIFIER_PIXELS, x + b->order[first + i] * CLASSIFIER_PIXELS);
        b->label[i] = y[b->order[first + i]];
    }
}

static void epochs(experiment *e, classifier *k, gm_run *run, gm_optimizer *opt, batches *b, const image_set *train)
{
    int64_t per_epoch = train->count / BATCH, step, steps = EPOCHS * per_epoch;
    for (step = 0; step < steps; step++) {
        if (step % per_epoch == 0) shuffle(b, train->count);
        fill(k, b, train, step % per_epoch * BATCH);
        experiment_need(e, gm_optimizer_set(opt, "lr", 1e-3 * (1 - (double)step / (double)steps)));
        experiment_need(e, gm_run_exec(run, 0, 2, b->in, 1, &b->out));
        experiment_need(e, gm_optimizer_step(opt, NULL));
        if ((step + 1) % per_epoch == 0)
            fprintf(stderr, "classifier: epoch %d/%d  loss of the last batch %.4f\n", (int)((step + 1) / per_epoch), EPOCHS, (double)b->loss);
    }
}

classifier *classifier_train(experiment *e, const image_set *train)
{
    static const int64_t xd[2] = {BATCH, CLASSIFIER_PIXELS}, pd[2] = {BATCH, CLASSIFIER_CLASSES}, n = BATCH;
    classifier *k = calloc(1, sizeof *k);
    gm_graph *g = NULL;
    const gm_program *loss = NULL;
    gm_optimizer *opt = NULL;
    gm_run *run = NULL;
    batches b;
    int64_t i;
    memset(&b, 0, sizeof b);
    b.order = malloc((size_t)train->count * sizeof *b.order);
    if (!k || !b.order) experiment_need(e, GM_E_NOMEM);
    for (i = 0; i < train->count; i++) b.order[i] = i;
    experiment_need(e, gm_layer_parse(e->ctx, "dense 256; relu; dense 10", &k->net));
    experiment_need(e, loss_program(e->ctx, k, &g, &loss));
    experiment_need(e, infer_program(e->ctx, k));
    experiment_need(e, gm_params_create(e->ctx, g, 1, &k->w));
    experiment_need(e, gm_optimizer_create(k->w, "adam lr=1e-3", &opt));
    experiment_need(e, gm_run_create(e->ctx, loss, k->w, &run));
    experiment_need(e, gm_run_create(e->ctx, k->infer, k->w, &k->run));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 2, xd, NULL, k->x_data, &k->x));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 2, pd, NULL, k->p_data, &k->p));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_I32, 1, &n, NULL, b.label, &b.in[1]));
    experiment_need(e, gm_tensor_wrap(e->ctx, GM_F32, 0, NULL, NULL, &b.loss, &b.out));
    b.in[0] = k->x;
    epochs(e, k, run, opt, &b, train);
    gm_run_destroy(run);
    gm_optimizer_destroy(opt);
    gm_program_destroy(loss);
    gm_graph_destroy(g);
    gm_tensor_destroy(b.in[1]);
    gm_tensor_destroy(b.out);
    free(b.order);
    return k;
}

void classifier_destroy(classifier *k)
{
    if (!k) return;
    gm_run_destroy(k->run);
    gm_program_destroy(k->infer);
    gm_params_destroy(k->w);
    gm_layer_destroy(k->net);
    gm_tensor_destroy(k->x);
    gm_tensor_destroy(k->p);
    free(k);
}

/* ---- use ---- */

static gm_status write_params(void *w, gm_writer *to) { return gm_params_write(w, to); }

void classifier_digest(experiment *e, classifier *k, char hex[65]) { experiment_digest(e, write_params, k->w, hex); }

void classifier_probabilities(experiment *e, classifier *k, int64_t n, const uint8_t *images, float *p)
{
    int64_t first, i, m;
    for (first = 0; first < n; first += m) {
        m = n - first < BATCH ? n - first : BATCH;
        for (i = 0; i < m; i++) pixels(k->x_data + i * CLASSIFIER_PIXELS, images + (first + i) * CLASSIFIER_PIXELS);
        experiment_need(e, gm_run_exec(k->run, 0, 1, &k->x, 1, &k->p));
        memcpy(p + first * CLASSIFIER_CLASSES, k->p_data, (size_t)(m * CLASSIFIER_CLASSES) * sizeof *p);
    }
}

double classifier_accuracy(experiment *e, classifier *k, const image_set *test)
{
    const int32_t *label = gm_tensor_data_const(test->labels);
    float *p = malloc((size_t)test->count * CLASSIFIER_CLASSES * sizeof *p);
    int64_t i, right = 0;
    int j;
    if (!p) experiment_need(e, GM_E_NOMEM);
    classifier_probabilities(e, k, test->count, gm_tensor_data_const(test->images), p);
    for (i = 0; i < test->count; i++) {
        const float *q = p + i * CLASSIFIER_CLASSES;
        int best = 0;
        for (j = 1; j < CLASSIFIER_CLASSES; j++) best = q[j] > q[best] ? j : best;
        right += best == label[i];
    }
    free(p);
    return (double)right / (double)test->count;
}
