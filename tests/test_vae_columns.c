/* SPDX-License-Identifier: MIT */
/* test_vae_columns.c: a VAE on mixed tables: probabilities in closed form, missing cells that leave no trace, files, scaling, cells that come out valid, refusals,
 * and a training that finds the dependence between columns. */
#include "models/vae.h"
#include "vae_util.h"

/* ---- closed forms ---- */

#define KINDS "town a|b|c; pay real missing; kids integer -1 3; sex m|f missing"
enum { D = 4, OUT = 8 };
/* By kind and size: pay's mean; kids' mean and log scale; sex's logits; town's. */
static const float BIAS[OUT] = {0.4f, 0.3f, -1.2f, 0.5f, -0.25f, 1, 0, -2};

static gm_vae *create(gm_context *c, const char *columns, int64_t d, gm_dtype t, const char *encoder, const char *decoder, int64_t latent, const char *variance)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    vae_spec(&x, t, GM_SCALE_AUTO, 1, d, 0, 0);
    x.columns = columns;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = encoder;
    o.decoder = decoder;
    o.latent_dim = latent;
    o.variance = variance;
    o.optimizer = "sgd lr=0.1";
    o.seed = 4;
    if (gm_vae_create(c, &x, &o, &v)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    return v;
}

/* q(z|x) is the prior and p(x|z) does not depend on z, so that every importance weight is p(x). */
static gm_vae *constant(gm_context *c)
{
    static const float none[64];
    gm_vae *v = create(c, KINDS, D, GM_F32, "flatten", "dense 8", 1, NULL);
    vae_set(v, "decoder.0.weight", none);
    vae_set(v, "decoder.0.bias", BIAS);
    vae_set(v, "mean.weight", none);
    vae_set(v, "mean.bias", none);
    vae_set(v, "logvar.weight", none);
    vae_set(v, "logvar.bias", none);
    return v;
}

static void likelihoods(gm_context *c, gm_vae *v, int64_t n, float *x, float *nats)
{
    gm_tensor *t = vae_rows(c, x, n, D), *out = vae_vector(c, nats, n);
    if (gm_vae_log_likelihood(v, t, NULL, 3, 0, out, NULL)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    gm_tensor_destroy(t);
    gm_tensor_destroy(out);
}

static void closed_forms(gm_context *c)
{
    static float x[64][D], nats[64];
    gm_vae *v = constant(c);
    double sum = 0, town = 0, variance = exp(-12 + log1p(exp(12.0))), want;
    int n = 0, a, b, s, same = 1;
    for (a = 0; a < 3; a++)
        for (b = -1; b < 4; b++)
            for (s = 0; s < 2; s++, n++) x[n][0] = (float)a, x[n][1] = NAN, x[n][2] = (float)b, x[n][3] = (float)s;
    likelihoods(c, v, n, x[0], nats);
    for (a = 0; a < n; a++) sum += exp((double)nats[a]);
    ok(fabs(sum - 1) < 1e-5, "probabilities of all rows sum to 1, a real cell missing: off by %g", sum - 1);
    for (a = 0; a < 15; a++) { /* without sex: the sum over its words */
        for (b = 0; b < 4; b++) x[30 + a][b] = x[2 * a][b];
        x[30 + a][3] = NAN;
    }
    likelihoods(c, v, 45, x[0], nats);
    for (a = 0; a < 15; a++) same &= fabs(exp((double)nats[30 + a]) - exp((double)nats[2 * a]) - exp((double)nats[2 * a + 1])) < 1e-6;
    ok(same, "a missing category is summed over");
    for (b = 0; b < 5; b++) town += exp((double)nats[30 + b]);
    ok(fabs(town - exp(1.0) / (exp(1.0) + 1 + exp(-2.0))) < 1e-6, "town's probability is the softmax of its logits");
    x[0][0] = 2, x[0][1] = 1.7f, x[0][2] = 1, x[0][3] = 1;
    likelihoods(c, v, 1, x[0], nats);
    want = -2 - log(exp(1.0) + 1 + exp(-2.0)) - 0.25 - log(exp(0.5) + exp(-0.25));
    want -= 0.5 * (log(2 * 3.14159265358979323846) + log(variance) + (1.7 - 0.4) * (1.7 - 0.4) / variance);
    { /* kids 1 of -1 to 3 is the centre of [-1, 1], half a bin 1/4 */
        double floor = -log(4.0) - 3, ls = 5 - log1p(exp(5 - (floor + log1p(exp(-1.2 - floor))))), scale = exp(ls);
        want += log(1 / (1 + exp(-(0.25 - 0.3) / scale)) - 1 / (1 + exp(-(-0.25 - 0.3) / scale)));
    }
    ok(fabs((double)nats[0] - want) < 1e-5, "a row's density is the sum of its cells': %g, %g", (double)nats[0], want);
    gm_vae_destroy(v);
}

/* The output at each column's mean, and frequencies of draws. */
static void outputs(gm_context *c)
{
    enum { N = 4000 };
    static float x[N][D];
    float one[1][1] = {{0}};
    gm_vae *v = constant(c);
    gm_tensor *t = vae_rows(c, x, N, D), *row = vae_rows(c, x, 1, D), *z = vae_rows(c, one, 1, 1);
    gm_sample_options so;
    double town = 0, pay = 0, square = 0, kids = 0, want = 0, scale;
    int i, valid = 1;
    gm_sample_options_init(&so, sizeof so);
    ok(!gm_vae_decode(v, z, NULL, GM_DRAW_MEAN, 0, row), "decode");
    ok(x[0][0] == 0 && fabs((double)x[0][1] - 0.4) < 1e-6 && x[0][2] == 2 && x[0][3] == 0,
       "the most probable words, the mean, the nearest integer: %g %g %g %g", (double)x[0][0],
       (double)x[0][1], (double)x[0][2], (double)x[0][3]);
    so.draw = GM_DRAW_SAMPLE;
    ok(!gm_vae_sample(v, &so, NULL, t), "draws");
    for (i = 0; i < N; i++) {
        valid &= x[i][0] >= 0 && x[i][0] <= 2 && x[i][0] == floorf(x[i][0]) && (x[i][3] == 0 || x[i][3] == 1) && isfinite(x[i][1]);
        valid &= x[i][2] >= -1 && x[i][2] <= 3 && x[i][2] == floorf(x[i][2]);
        town += (x[i][0] == 0) / (double)N;
        kids += (double)x[i][2] / N;
        pay += (double)x[i][1] / N;
        square += (double)x[i][1] * (double)x[i][1] / N;
    }
    ok(valid, "every cell of a draw is one the data could have");
    ok(fabs(town - 0.7054) < 4 * sqrt(0.7 * 0.3 / N), "a word's frequency is its probability: %g", town);
    ok(fabs(pay - 0.4) < 4 / sqrt(N) && fabs(square - pay * pay - 1) < 0.1, "mean and variance of a real: %g %g", pay, square - pay * pay);
    scale = exp(5 - log1p(exp(5 - (-log(4.0) - 3 + log1p(exp(-1.2 + log(4.0) + 3))))));
    for (i = -1; i < 3; i++) want += 1 / (1 + exp(-(0.3 - (-1 + 0.25 + 0.5 * (i + 1))) / scale)); /* E = lo + sum of P(above) */
    ok(fabs(kids - (want - 1)) < 4 * 1.5 / sqrt(N), "mean of an integer's draws: %g, %g", kids, want - 1);
    gm_tensor_destroy(t);
    gm_tensor_destroy(row);
    gm_tensor_destroy(z);
    gm_vae_destroy(v);
}

/* ---- missing cells ---- */

#define TABLE "sex m|f missing; pay real missing; age real; kids integer 0 12 missing; town a|b|c; rank integer 1 3"
enum { N = 60, K = 6 };
static double rows[N][K];

/* sex decides pay and kids; a fifth of what may be missing is. */
static void fill(void)
{
    uint32_t s = 17;
    for (int i = 0; i < N; i++) {
        int sex = vae_random(&s) < 0.5;
        rows[i][0] = sex;
        rows[i][1] = 2000 + 700 * sex + 200 * vae_random(&s);
        rows[i][2] = 20 + 60 * vae_random(&s);
        rows[i][3] = floor(3 + 6 * sex + 3 * vae_random(&s));
        rows[i][4] = floor(3 * vae_random(&s));
        rows[i][5] = 1 + floor(3 * vae_random(&s));
        for (int j = 0; j < 4; j++)
            if (j != 2 && vae_random(&s) < 0.2) rows[i][j] = NAN;
    }
}

static gm_dataset *dataset(gm_context *c, const char *columns)
{
    gm_tensor *t = vae_wrap(c, GM_F64, rows, 2, N, K, 0, 0);
    gm_dataset *d = NULL;
    gm_spec s;
    gm_spec_init(&s, sizeof s);
    s.columns = columns;
    if (gm_dataset_from_tensor(t, NULL, &s, &d)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    gm_tensor_destroy(t);
    return d;
}

/* One column is missing in every row: its outputs may be anything, and get no gradient. */
static void no_trace(gm_context *c, const char *columns, int column, int64_t first, int64_t count)
{
    static double x[N][K];
    static float bias[2][64];
    gm_tensor *t = vae_wrap(c, GM_F64, x, 2, N, K, 0, 0), *view = NULL;
    gm_record r[2];
    int i, k, same = 1, kept = 1, moved = 0;
    for (i = 0; i < N; i++)
        for (k = 0; k < K; k++) x[i][k] = k == column ? NAN : k == 1 || k == 2 ? rows[i][k] / 1000 : rows[i][k];
    for (k = 0; k < 2; k++) {
        gm_vae *v = create(c, columns, K, GM_F64, "dense 8; tanh", "dense 8; tanh", 2, NULL);
        int64_t outputs = v->plan.outputs;
        if (gm_params_view(gm_vae_params(v), "output.bias", &view)) exit(1);
        float *b = gm_tensor_data(view);
        for (i = 0; i < count; i++) b[first + i] = k ? 1e3f : 0;
        gm_record_init(&r[k], sizeof r[k]);
        if (gm_vae_step(v, t, NULL, &r[k])) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
        for (i = 0; i < (int)outputs; i++) {
            int own = i >= first && i < first + count;
            if (own) kept &= b[i] == (k ? 1e3f : 0);
            bias[k][i] = own ? 0 : b[i];
            moved += !own && b[i] != 0;
        }
        gm_tensor_destroy(view);
        gm_vae_destroy(v);
    }
    for (i = 0; i < 64; i++) same &= bias[0][i] == bias[1][i];
    ok(r[0].objective == r[1].objective && r[0].grad_norm == r[1].grad_norm,
       "column %d missing: whatever stands at its outputs, the objective and the gradient are the same", column);
    ok(same && kept && moved > 8, "its outputs get no gradient, the others the same");
    gm_tensor_destroy(t);
}

static void masks(gm_context *c)
{
    /* outputs: age, pay, rank 2, kids 2, sex 2, town 3 */
    no_trace(c, TABLE, 1, 1, 1);
    no_trace(c, TABLE, 3, 4, 2);
    no_trace(c, TABLE, 0, 6, 2);
}

/* Rows one at a time, in chunks, with and without missing cells beside them. */
static void alone(gm_context *c)
{
    static float z[2][N][2], back[2][N][K];
    gm_vae *v = create(c, TABLE, K, GM_F64, "dense 8; tanh", "dense 8; tanh", 2, "output");
    gm_tensor *x = vae_wrap(c, GM_F64, rows, 2, N, K, 0, 0), *m = vae_rows(c, z[0], N, 2), *b = vae_rows(c, back[0], N, K);
    int i, valid = 1;
    ok(!gm_vae_encode(v, x, NULL, m, NULL) && !gm_vae_reconstruct(v, x, NULL, b), "encode and reconstruct rows with missing cells: %s", gm_context_error(c));
    for (i = 0; i < N; i++) {
        gm_tensor *x1 = vae_wrap(c, GM_F64, rows[i], 2, 1, K, 0, 0), *m1 = vae_rows(c, z[1][i], 1, 2), *b1 = vae_rows(c, back[1][i], 1, K);
        if (gm_vae_encode(v, x1, NULL, m1, NULL) || gm_vae_reconstruct(v, x1, NULL, b1)) valid = 0;
        gm_tensor_destroy(x1);
        gm_tensor_destroy(m1);
        gm_tensor_destroy(b1);
        for (int j = 0; j < K; j++) valid &= isfinite(back[0][i][j]);
    }
    ok(valid && !memcmp(z[0], z[1], sizeof z[0]) && !memcmp(back[0], back[1], sizeof back[0]), "a row alone gives the same bits; no decoded cell is missing");
    gm_tensor_destroy(x);
    gm_tensor_destroy(m);
    gm_tensor_destroy(b);
    gm_vae_destroy(v);
}

/* ---- training, files ---- */

static gm_vae *trained(gm_context *c, gm_dataset *d, int64_t steps)
{
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL;
    gm_vae_options_init(&o, sizeof o);
    o.encoder = o.decoder = "dense 24; relu";
    o.latent_dim = 2;
    o.bias_init = 1;
    o.optimizer = "adam lr=0.005";
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = steps;
    f.batch = 20;
    f.validation_fraction = 0;
    if (gm_vae_create(c, gm_dataset_spec(d), &o, &v) || gm_vae_fit(v, d, &f)) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
    return v;
}

static void initial_bias(gm_context *c)
{
    gm_dataset *d = dataset(c, TABLE);
    gm_vae_options o;
    gm_fit_options f;
    gm_vae *v = NULL;
    gm_tensor *t = NULL;
    double kids = 0, towns[3] = {0, 0, 0}, sexes[2] = {0, 0}, there = 0;
    gm_vae_options_init(&o, sizeof o);
    o.bias_init = 1;
    o.optimizer = "sgd lr=0";
    gm_fit_options_init(&f, sizeof f);
    f.max_steps = 1;
    f.validation_fraction = 0;
    ok(!gm_vae_create(c, gm_dataset_spec(d), &o, &v) && !gm_vae_fit(v, d, &f) && !gm_params_view(gm_vae_params(v), "output.bias", &t),
       "fit begins with a bias");
    const float *b = gm_tensor_data(t);
    for (int i = 0; i < N; i++) {
        towns[(int)rows[i][4]] += 1;
        if (rows[i][3] == rows[i][3]) kids += rows[i][3], there += 1;
        if (rows[i][0] == rows[i][0]) sexes[(int)rows[i][0]] += 1;
    }
    ok(fabs((double)b[0]) < 1e-5 && fabs((double)b[1]) < 1e-5, "standardised columns begin at 0");
    ok(fabs((double)b[4] - (2 * kids / there / 12 - 1)) < 1e-5, "an integer at the mean of what is there");
    ok(fabs((double)(b[7] - b[6]) - log((sexes[1] + 0.5) / (sexes[0] + 0.5))) < 1e-5, "words at their log frequencies");
    ok(fabs((double)(b[9] - b[8]) - log((towns[1] + 0.5) / (towns[0] + 0.5))) < 1e-5, "those of three words too");
    gm_tensor_destroy(t);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

static void round_trip(gm_context *c, int checkpoint)
{
    static double out[2][N][K];
    gm_dataset *d = dataset(c, TABLE);
    gm_vae *v = trained(c, d, 30), *w = NULL, *forged = NULL;
    gm_tensor *x[2];
    gm_reader r;
    gm_record e[2];
    gm_sample_options so;
    char *bytes = NULL, *again = NULL;
    size_t n = vae_bytes(v, checkpoint, &bytes), m;
    gm_reader_init(&r, sizeof r);
    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    r.memory = bytes;
    r.bytes = n;
    ok(n && !gm_vae_read(c, &r, &w), "%s written and read: %s", checkpoint ? "a checkpoint" : "a model", gm_context_error(c));
    if (!w) exit(1);
    ok(w->m.scaler.n == K && w->m.spec.columns && !strcmp(w->m.spec.columns, TABLE) && w->plan.likelihood == GM_LIKELIHOOD_COLUMNS,
       "the file has columns and scaling");
    m = vae_bytes(w, checkpoint, &again);
    ok(m == n && !memcmp(bytes, again, n), "what was read writes the same bytes");
    for (int k = 0; k < 2; k++) {
        x[k] = vae_wrap(c, GM_F64, out[k], 2, N, K, 0, 0);
        gm_record_init(&e[k], sizeof e[k]);
        if (gm_vae_sample(k ? w : v, &so, NULL, x[k]) || gm_vae_evaluate(k ? w : v, d, 2, &e[k])) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
        gm_tensor_destroy(x[k]);
    }
    ok(!memcmp(out[0], out[1], sizeof out[0]) && e[0].elbo == e[1].elbo, "and draws and scores the same");
    ok(out[0][0][1] > 1500 && out[0][0][1] < 3500, "in the data's units: pay %g", out[0][0][1]);
    /* a forged text */
    for (size_t i = 0; i + 7 < n; i++)
        if (!memcmp(bytes + i, "sex m|f", 7)) bytes[i + 5] = 'm', bytes[i + 6] = ' ';
    ok(gm_vae_read(c, &r, &forged) == GM_E_MODEL && strstr(gm_context_error(c), "gm_spec.columns, column 5"), "a damaged text is refused: %s", gm_context_error(c));
    free(bytes);
    free(again);
    gm_vae_destroy(v);
    gm_vae_destroy(w);
    gm_dataset_destroy(d);
}

/* sex decides pay (700 apart, 58 within) and kids (6 apart): draws must show both. */
static void dependence(gm_context *c)
{
    enum { M = 1000 };
    static float x[M][K];
    gm_dataset *d = dataset(c, TABLE);
    gm_vae *v = trained(c, d, 1200);
    gm_tensor *t = vae_rows(c, x, M, K);
    gm_sample_options so;
    gm_record r;
    double pay[2] = {0, 0}, kids[2] = {0, 0}, n[2] = {0, 0};
    gm_sample_options_init(&so, sizeof so);
    so.draw = GM_DRAW_SAMPLE;
    gm_record_init(&r, sizeof r);
    ok(!gm_vae_sample(v, &so, NULL, t) && !gm_vae_evaluate(v, d, 4, &r), "samples");
    for (int i = 0; i < M; i++) {
        int s = x[i][0] > 0;
        n[s]++;
        pay[s] += (double)x[i][1];
        kids[s] += (double)x[i][3];
    }
    ok(n[0] > 300 && n[1] > 300, "both words are drawn: %g and %g", n[0], n[1]);
    ok(pay[1] / n[1] - pay[0] / n[0] > 450, "pay by sex: %g and %g", pay[0] / n[0], pay[1] / n[1]);
    ok(kids[1] / n[1] - kids[0] / n[0] > 3.5, "kids by sex: %g and %g", kids[0] / n[0], kids[1] / n[1]);
    ok(r.kl > 0.4 && r.active_units >= 1, "through the latent: elbo %g, KL %g", r.elbo, r.kl);
    gm_tensor_destroy(t);
    gm_vae_destroy(v);
    gm_dataset_destroy(d);
}

/* ---- an own loss ---- */

static int64_t seen[3];
static gm_node own_loss(void *user, gm_graph *g, gm_node x, gm_node z, gm_node mean)
{
    gm_node part[2];
    (void)user, (void)z;
    seen[0] = gm_graph_dim(g, x, 1);
    seen[1] = gm_graph_dim(g, mean, 1);
    /* sex's two words come first, town's three from 5 on: probabilities sum to 1; kids is 4 */
    part[0] = gm_op_sum(g, gm_op_slice(g, mean, 1, 0, 2), 2, 0);
    part[1] = gm_op_sum(g, gm_op_slice(g, mean, 1, 5, 8), 2, 0);
    return gm_op_add(g, gm_op_scale(g, gm_op_sub(g, part[0], part[1]), 1000), gm_op_scale(g, gm_op_sum(g, gm_op_slice(g, x, 1, 4, 5), 2, 0), 10));
}

static void extra(gm_context *c)
{
    gm_vae *v = create(c, TABLE, K, GM_F64, "dense 8; tanh", "dense 8; tanh", 2, NULL);
    gm_tensor *x = vae_wrap(c, GM_F64, rows, 2, N, K, 0, 0);
    gm_record r[2];
    double kids = 0;
    for (int k = 0; k < 2; k++) {
        gm_vae *w = k ? create(c, TABLE, K, GM_F64, "dense 8; tanh", "dense 8; tanh", 2, NULL) : v;
        if (k) gm_vae_set_extra_loss(w, own_loss, NULL);
        gm_record_init(&r[k], sizeof r[k]);
        if (gm_vae_step(w, x, NULL, &r[k])) printf("Bail out! %s\n", gm_context_error(c)), exit(1);
        if (k) gm_vae_destroy(w);
    }
    for (int i = 0; i < N; i++) kids += rows[i][3] == rows[i][3] ? (rows[i][3] / 6 - 1) / N : 0;
    ok(seen[0] == 12 && seen[1] == 9, "an own loss sees features, and indicators behind those of x");
    ok(fabs(r[1].objective - r[0].objective - 10 * kids) < 1e-3 * (1 + fabs(r[0].objective)), "in the order of the columns: %g, %g",
       r[1].objective - r[0].objective, 10 * kids);
    gm_tensor_destroy(x);
    gm_vae_destroy(v);
}

/* ---- refusals ---- */

static void refuse(gm_context *c, gm_vae *v, int row, int column, double bad, gm_status want, const char *message)
{
    static float z[N][2];
    double keep = rows[row][column];
    gm_tensor *x = vae_wrap(c, GM_F64, rows, 2, N, K, 0, 0), *m = vae_rows(c, z, N, 2);
    rows[row][column] = bad;
    ok(gm_vae_encode(v, x, NULL, m, NULL) == want, "%s", gm_status_name(want));
    is_text(gm_context_error(c), message, "its message");
    rows[row][column] = keep;
    gm_tensor_destroy(x);
    gm_tensor_destroy(m);
}

static void refusals(gm_context *c)
{
    static uint8_t bytes[4][K];
    gm_vae *v = create(c, TABLE, K, GM_F64, "dense 8; tanh", "dense 8; tanh", 2, NULL), *w = NULL;
    gm_dataset *d = dataset(c, "sex m|f; pay real; age real; kids integer 0 12; town a|b|c; rank integer 1 4");
    gm_dataset *same = dataset(c, " sex 'm'|f missing; pay real missing; age real; kids integer 0 12 missing; town a|b|c; rank integer 1 3"),
       *none = dataset(c, NULL);
    gm_tensor *u = vae_wrap(c, GM_U8, bytes, 2, 4, K, 0, 0);
    gm_vae_options o;
    gm_spec x;
    gm_record r;
    gm_record_init(&r, sizeof r);
    refuse(c, v, 3, 2, NAN, GM_E_NONFINITE, "vae_encode: row 3, column \"age\" is nan: fill it, or say missing in gm_spec.columns");
    refuse(c, v, 4, 1, INFINITY, GM_E_NONFINITE, "vae_encode: row 4, column \"pay\" is inf: repair it");
    refuse(c, v, 5, 3, 13, GM_E_RANGE, "vae_encode: row 5, column \"kids\" is 13; it is an integer from 0 to 12");
    refuse(c, v, 5, 5, 0, GM_E_RANGE, "vae_encode: row 5, column \"rank\" is 0; it is an integer from 1 to 3");
    refuse(c, v, 6, 4, 3, GM_E_RANGE, "vae_encode: row 6, column \"town\" is 3; it is the index of a word from 0 to 2");
    refuse(c, v, 7, 0, 0.5, GM_E_RANGE, "vae_encode: row 7, column \"sex\" is 0.5; it is the index of a word from 0 to 1");
    ok(gm_vae_evaluate(v, d, 1, &r) == GM_E_INVALID && strstr(gm_context_error(c), "the dataset's columns are"), "other columns: %s", gm_context_error(c));
    ok(!gm_vae_evaluate(v, same, 1, &r), "the same in other words: %s", gm_context_error(c));
    ok(!gm_vae_evaluate(v, none, 1, &r), "data that does not say its columns: %s", gm_context_error(c));
    gm_vae_options_init(&o, sizeof o);
    o.likelihood = GM_LIKELIHOOD_GAUSSIAN;
    ok(gm_vae_create(c, gm_dataset_spec(same), &o, &w) == GM_E_INVALID && strstr(gm_context_error(c), "likelihood gaussian with gm_spec.columns"), "%s",
       gm_context_error(c));
    o.likelihood = GM_LIKELIHOOD_AUTO;
    vae_spec(&x, GM_F32, GM_SCALE_AUTO, 1, K, 0, 0);
    x.columns = "a real";
    ok(gm_vae_create(c, &x, &o, &w) == GM_E_SHAPE, "%s", gm_context_error(c));
    x.columns = "a real; b";
    ok(gm_vae_create(c, &x, &o, &w) == GM_E_INVALID && strstr(gm_context_error(c), "gm_spec.columns, column 10"), "%s", gm_context_error(c));
    vae_spec(&x, GM_U8, GM_SCALE_AUTO, 1, K, 0, 0);
    x.columns = "a x|y; b integer 0 255; c real; d real; e real; f p|q|r";
    ok(!gm_vae_create(c, &x, NULL, &w) && !gm_vae_step(w, u, NULL, &r) && !gm_vae_reconstruct(w, u, NULL, u), "a table of bytes: %s", gm_context_error(c));
    gm_tensor_destroy(u);
    gm_dataset_destroy(d);
    gm_dataset_destroy(same);
    gm_dataset_destroy(none);
    gm_vae_destroy(v);
    gm_vae_destroy(w);
}

/* One column alone, of each kind. */
static void single(gm_context *c)
{
    static const char *const kinds[] = {"a real", "a integer -3 3 missing", "a x|y|z", "a real missing"};
    static float x[4][1] = {{0}, {2}, {1}, {2}};
    for (int i = 0; i < 4; i++) {
        gm_tensor *t = vae_rows(c, x, 4, 1);
        gm_dataset *d = NULL;
        gm_vae *v = NULL, *w = NULL;
        gm_spec s;
        gm_fit_options f;
        gm_reader r;
        gm_record e[2];
        char *bytes = NULL;
        gm_spec_init(&s, sizeof s);
        s.columns = kinds[i];
        gm_fit_options_init(&f, sizeof f);
        f.max_steps = 3;
        gm_record_init(&e[0], sizeof e[0]);
        gm_record_init(&e[1], sizeof e[1]);
        gm_reader_init(&r, sizeof r);
        x[0][0] = s.columns[strlen(s.columns) - 1] == 'g' ? NAN : 0;
        ok(!gm_dataset_from_tensor(t, NULL, &s, &d) && !gm_vae_create(c, gm_dataset_spec(d), NULL, &v) && !gm_vae_fit(v, d, &f) && !gm_vae_evaluate(v, d, 1,
           &e[0]), "%s: %s",
           kinds[i], gm_context_error(c));
        r.bytes = vae_bytes(v, 0, &bytes);
        r.memory = bytes;
        ok(!gm_vae_read(c, &r, &w) && !gm_vae_evaluate(w, d, 1, &e[1]) && e[0].elbo == e[1].elbo, "saved and loaded");
        free(bytes);
        gm_vae_destroy(v);
        gm_vae_destroy(w);
        gm_dataset_destroy(d);
        gm_tensor_destroy(t);
    }
}

/* The reconstruction score of a table: squares over the features of the cells that are there. */
static void scores(gm_context *c)
{
    static float x[4][D] = {{0, 2, 1, 0}, {0, NAN, 1, 0}, {0, NAN, 1, NAN}, {2, NAN, 1, NAN}}, score[4];
    const double sex = 1 / (1 + exp(-0.75)), all = exp(1.0) + 1 + exp(-2.0), a = exp(1.0) / all, b = exp(-2.0) / all;
    gm_vae *v = constant(c);
    const gm_model *m = NULL;
    gm_latent *l = NULL;
    gm_tensor *t = vae_rows(c, x, 4, D), *out = vae_vector(c, score, 4);
    ok(!gm_vae_snapshot(v, &m) && !gm_latent_create(c, m, NULL, &l) && !gm_latent_score(l, GM_SCORE_RECONSTRUCTION, t, NULL, out, NULL), "score: %s",
       gm_context_error(c));
    ok(fabs((double)(score[0] - score[1]) - 1.6 * 1.6) < 1e-5, "a real cell counts its square, a missing one nothing");
    ok(fabs((double)(score[1] - score[2]) - 2 * (1 - sex) * (1 - sex)) < 1e-5, "a category counts the squares of its one-hot");
    ok(fabs((double)(score[3] - score[2]) - ((1 - b) * (1 - b) + a * a - (1 - a) * (1 - a) - b * b)) < 1e-5, "also of three words");
    gm_latent_destroy(l);
    gm_model_destroy(m);
    gm_tensor_destroy(t);
    gm_tensor_destroy(out);
    gm_vae_destroy(v);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    fill();
    closed_forms(c);
    outputs(c);
    masks(c);
    alone(c);
    initial_bias(c);
    round_trip(c, 0);
    round_trip(c, 1);
    dependence(c);
    extra(c);
    refusals(c);
    single(c);
    scores(c);
    gm_context_destroy(c);
    return done();
}
