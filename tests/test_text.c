/* SPDX-License-Identifier: MIT */
/* test_text.c: the text form: what reads, what is refused and where, and that canonical text is a fixed point of reading and writing. */
#include "base/base.h"
#include "genrep/layer.h"
#include "genrep/optim.h"
#include "nn/nn.h"
#include "tap.h"
#include "train/optim.h"
#include "train/schedule.h"

static gm_context *ctx;

static int64_t where(void)
{
    gm_error e;
    memset(&e, 0, sizeof e);
    e.size = sizeof e;
    return gm_context_error_info(ctx, &e) ? -2 : e.where;
}

/* text in, canonical text out; and the canonical text reads back to itself. */
static void canonical(const char *text, const char *want)
{
    const gm_layer *l = NULL, *again = NULL;
    gm_status s = gm_layer_parse(ctx, text, &l);
    if (!ok(s == GM_OK, "reads: %s", text)) {
        printf("# %s\n", gm_context_error(ctx));
        return;
    }
    is_text(gm_layer_text(l), want, "canonical form of: %s", text);
    s = gm_layer_parse(ctx, gm_layer_text(l), &again);
    ok(s == GM_OK && strcmp(gm_layer_text(again), gm_layer_text(l)) == 0, "and that reads back to itself");
    gm_layer_destroy(l);
    gm_layer_destroy(again);
}

static void refused(const char *text, int64_t column, const char *mention)
{
    const gm_layer *l = (const gm_layer *)&ctx;
    gm_status s = gm_layer_parse(ctx, text, &l);
    ok(s == GM_E_INVALID && l == NULL && where() == column && strstr(gm_context_error(ctx), mention), "refused at column %d naming %s: %s", (int)column,
       mention, text);
    if (s != GM_E_INVALID || where() != column || !strstr(gm_context_error(ctx), mention))
        printf("# status %d column %d: %s\n", (int)s, (int)where(), gm_context_error(ctx));
}

static gm_node build_scale(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    (void)user, (void)cond;
    return gm_op_scale(g, x, n > 0 ? args[0] : 1.0);
}

static void layers(void)
{
    static const char *const same[] = {
        "", "dense 400; relu", "conv 64 k4 s2 p1; leaky_relu 0.2; flatten; dense 1", "conv1d 8 k9 p4; conv2d 8 k3x5 s1x2", "conv 8 k3 p1 d2 g4 bias=0",
        "conv_transpose 32 k4 s2 p1 op1; conv_transpose1d 3 k2; conv_transpose2d 3 k2 op1x0", "dense 10 bias=0 init=he_normal",
        "dense 10 init=normal:0.02", "dense 3 init=uniform:-0.5:0.25", "dense 3 init=orthogonal:1.5", "embedding 1000 16", "batch_norm; batch_norm eps=0.001 momentum=0.01 affine=0",
        "layer_norm; group_norm 4; instance_norm affine=1", "dropout; dropout 0.1", "reshape 64x1x1; reshape 3", "upsample 2; upsample 2 bilinear; upsample 2x3",
        "pixel_shuffle 2", "max_pool k2; avg_pool k3 s2 p1; global_avg_pool; global_max_pool", "residual ( conv 4 k3 p1; relu; conv 4 k3 p1 )",
        "residual ( conv 8 k3 p1 ) ( conv 8 k1 )", "concat ( ) ( conv 4 k3 p1; tanh ); relu", "concat ( dense 1 ) ( dense 2 ) ( residual ( relu ) )",
        "maxout 240 5; maxout 10", "minibatch_stddev; minibatch_stddev 8",
        "relu; relu6; leaky_relu; prelu; prelu 16 slope=0.1; elu; elu 0.5; celu; selu; gelu; gelu tanh; silu; mish; softplus; softplus 2; softsign; sigmoid",
        "log_sigmoid; hard_sigmoid; hard_silu; tanh; hard_tanh; softmax; log_softmax", "dense 2147483647", "dense 1000000000; dense 100000; embedding 20000000 4096; max_pool k65536",
        "leaky_relu 1e-7; leaky_relu 100000; leaky_relu 1e-30; elu 0.30000000000000004"};
    static const char *const other[][2] = {
        {"dense 400 relu", "dense 400; relu"},
        {" dense\t400 ;; relu ;", "dense 400; relu"},
        {"dense out_features=400", "dense 400"},
        {"linear units=7 bias=1", "dense 7"},
        {"conv 64 kernel_size=4 stride=2 padding=1 leaky_relu 0.2", "conv 64 k4 s2 p1; leaky_relu 0.2"},
        {"conv 64 p1 s2 k4x4", "conv 64 k4 s2 p1"},
        {"conv 8 k3 s1 p0 d1 g1 bias=1", "conv 8 k3"},
        {"conv_transpose 8 k3 op=1", "conv_transpose 8 k3 op1"},
        {"leaky_relu 0.01; leaky_relu 2e-1", "leaky_relu; leaky_relu 0.2"},
        {"swish; hardswish; hardtanh; unflatten 2x3", "silu; hard_silu; hard_tanh; reshape 2x3"},
        {"dense 3 init=kaiming_normal", "dense 3 init=he_normal"},
        {"dense 3 init=normal:2.0e-2", "dense 3 init=normal:0.02"},
        {"dense 3 init=torch", "dense 3 init=torch"},
        {"gelu approximate=tanh", "gelu tanh"},
        {"batch_norm eps=1e-5 momentum=0.1 relu", "batch_norm; relu"},
        {"upsample 2 mode=nearest", "upsample 2"},
        {"residual(dense 4 relu)(dense 4)", "residual ( dense 4; relu ) ( dense 4 )"},
        {"residual ( relu; )", "residual ( relu )"},
        {"concat ( ) ( ) tanh", "concat ( ) ( ); tanh"},
        {"double_it 2 relu; double_it", "double_it 2; relu; double_it"},
    };
    int i;
    for (i = 0; i < (int)GMI_COUNT(same); i++) canonical(same[i], same[i]);
    for (i = 0; i < (int)GMI_COUNT(other); i++) canonical(other[i][0], other[i][1]);
    refused("dens 400", 1, "dense");
    refused("dense 400; relo", 12, "leaky_relu");
    refused("relo", 1, "double_it");
    refused("dense", 1, "units");
    refused("dense 400 500", 11, "units");
    refused("dense 0", 7, "units");
    refused("dense -3", 7, "units");
    refused("dense 2147483648", 7, "units");
    refused("dense 4.5", 7, "units");
    refused("dense 400 bias=2", 11, "bias");
    refused("dense 400 bias=1 bias=0", 18, "twice");
    refused("dense 400 units=3", 11, "twice");
    refused("dense 400 k3", 11, "dense takes");
    refused("dense 400 init=nice", 11, "init");
    refused("dense 400 momentum=0.9", 11, "not an option");
    refused("dense 400 =1", 11, "name=value");
    refused("dense 400 bias=", 11, "name=value");
    refused("dense 400 dense 3", 11, "write ; before it");
    refused("relu tanh", 6, "write ; before it");
    refused("conv 64", 1, "k[number]");
    refused("conv 64 k0", 9, "k of conv");
    refused("conv 64 k3x", 9, "k of conv");
    refused("conv 64 k3x3x3", 9, "k of conv");
    refused("conv 64 k3 k4", 12, "twice");
    refused("leaky_relu -1", 12, "slope");
    refused("dropout 1", 9, "rate");
    refused("dropout nan", 9, "rate");
    refused("reshape 1x2x3x4x5x6x7x8", 9, "sizes");
    refused("residual", 1, "group");
    refused("residual ( relu", 16, ")");
    refused("residual ( relu ) ( relu ) ( relu )", 28, "group");
    refused("concat ( relu )", 1, "group");
    refused("relu ( tanh )", 6, "group");
    refused("( relu )", 1, "group");
    refused("relu )", 6, "closes no group");
    refused("dense 3\x01", 8, "ASCII");
    refused("dense 3\xc3\xa9", 8, "ASCII");
    refused("double_it two", 11, "double_it");
    refused("double_it 1 2 3 4 5 6 7 8 9 10 11", 32, "too many");
    refused("double_it inf", 11, "finite");
}

static void nesting_and_length(void)
{
    char *text = malloc(200000);
    const gm_layer *l = NULL;
    int i, depth;
    gm_status s;
    for (depth = 16; depth <= 17; depth++) {
        text[0] = 0;
        for (i = 0; i < depth; i++) strcat(text, "residual ( ");
        for (i = 0; i < depth; i++) strcat(text, ") ");
        s = gm_layer_parse(ctx, text, &l);
        ok(depth == 16 ? s == GM_OK : s == GM_E_INVALID && strstr(gm_context_error(ctx), "deeper"), "%d nested groups", depth);
        gm_layer_destroy(l);
    }
    text[0] = 0;
    for (i = 0; i < 4097; i++) strcat(text, "relu;");
    s = gm_layer_parse(ctx, text, &l);
    ok(s == GM_E_INVALID && strstr(gm_context_error(ctx), "4096"), "4097 layers are refused");
    memset(text, ' ', 199999);
    memcpy(text + 100000, "relu", 5);
    s = gm_layer_parse(ctx, text, &l);
    ok(s == GM_E_INVALID && strstr(gm_context_error(ctx), "longer"), "a text of 100 kB is refused");
    memset(text, 'a', 200);
    text[200] = 0;
    s = gm_layer_parse(ctx, text, &l);
    ok(s == GM_E_INVALID && where() == 1, "a word of 200 bytes is refused");
    free(text);
}

static void own_words(void)
{
    gm_layer_class k;
    const gm_layer *l = NULL, *parts[2], *joined = NULL;
    gm_context *other = NULL;
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.build = build_scale;
    k.word = "double_it";
    ok(gm_layer_register(ctx, &k) == GM_OK, "an own word is registered");
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID && strstr(gm_context_error(ctx), "registered"), "not twice");
    k.word = "dense";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not over a word of the library");
    k.word = "swish";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "nor over an alias");
    k.word = "Bad-Word";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not with other characters");
    k.word = "9lives";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not with a digit first");
    k.word = "";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not empty");
    k.word = "a_word_that_is_much_longer_than_allowed";
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not longer than 31 bytes");
    k.word = "fine";
    k.size = 4;
    ok(gm_layer_register(ctx, &k) == GM_E_INVALID, "not with a wrong size");
    ok(gm_layer_register(NULL, &k) == GM_E_INVALID && gm_layer_register(ctx, NULL) == GM_E_INVALID, "NULL is an error, not a crash");
    ok(gm_layer_parse(ctx, NULL, &l) == GM_E_INVALID && gm_layer_parse(NULL, "", &l) == GM_E_INVALID && gm_layer_parse(ctx, "", NULL) == GM_E_INVALID,
       "so is NULL for the text, the context and the result");
    ok(gm_context_create(NULL, &other) == GM_OK && gm_layer_parse(other, "double_it 2", &l) == GM_E_INVALID, "another context does not know the word");
    ok(gmi_layer_parse_file(other, "relu; double_it 2", &l) == GM_E_UNKNOWN, "which is GM_E_UNKNOWN in a file");
    gm_context_destroy(other);
    ok(gm_layer_parse(ctx, "residual ( double_it ( ) )", &l) == GM_E_INVALID && where() == 22, "an own word takes no group");
    ok(gm_layer_parse(ctx, "dense 3; double_it 2", &parts[0]) == GM_OK, "it stands in a text");
    ok(!gm_layer_parse(ctx, "residual ( double_it 3; relu )", &parts[1]) && !gm_layer_sequential(ctx, 2, parts, &joined), "sequential joins two layers");
    is_text(gm_layer_text(joined), "dense 3; double_it 2; residual ( double_it 3; relu )", "and its text is theirs");
    gm_layer_destroy(parts[0]);
    gm_layer_destroy(parts[1]);
    is_text(gm_layer_text(joined), "dense 3; double_it 2; residual ( double_it 3; relu )", "which stays when the parts are gone");
    gm_layer_destroy(joined);
    parts[0] = NULL;
    ok(gm_layer_sequential(ctx, 1, parts, &joined) == GM_E_INVALID && gm_layer_sequential(ctx, 0, NULL, &joined) == GM_OK, "a NULL part is refused, no part is the identity");
    is_text(gm_layer_text(joined), "", "with an empty text");
    gm_layer_destroy(joined);
    gm_layer_destroy(NULL);
}

static void optimizer(const char *text, const char *want)
{
    gmi_buf b;
    gm_status s;
    gmi_buf_init(&b, ctx);
    gmi_enter(ctx, "test");
    s = gmi_optimizer_normalize(ctx, text, &b);
    if (want)
        is_text(s ? gm_context_error(ctx) : gmi_buf_cstr(&b), want, "optimizer %s", text);
    else
        ok(s == GM_E_INVALID && ctx->where >= 1, "optimizer refused: %s (%s)", text, gm_context_error(ctx));
    (void)gmi_leave(ctx, s);
    gmi_buf_free(&b);
}

static void schedule(const char *text, const char *want)
{
    gmi_buf b;
    gm_schedule *s = NULL;
    gm_status st = gm_schedule_parse(ctx, text, &s);
    gmi_buf_init(&b, ctx);
    if (want) {
        if (!st) st = gmi_schedule_text(s, &b);
        is_text(st ? gm_context_error(ctx) : gmi_buf_cstr(&b), want, "schedule %s", text);
    } else {
        ok(st == GM_E_INVALID && !s && where() >= 1, "schedule refused: %s (%s)", text, gm_context_error(ctx));
    }
    gmi_buf_free(&b);
    gm_schedule_destroy(s);
}

static void options(void)
{
    optimizer("adam", "adam");
    optimizer("adam lr=1e-3 beta1=0.9", "adam");
    optimizer("adam 2e-4 beta1=0.5 eps=1e-8", "adam lr=0.0002 beta1=0.5");
    optimizer("sgd lr=0.1 momentum=0.9 nesterov=1 weight_decay=1e-4", "sgd lr=0.1 momentum=0.9 nesterov=1 weight_decay=0.0001");
    optimizer("adamw weight_decay=0.01 decay=weights clip_norm=1 accumulate=4", "adamw decay=weights clip_norm=1 accumulate=4");
    optimizer("rmsprop alpha=0.9 centered=1", "rmsprop alpha=0.9 centered=1");
    optimizer("adagrad lr_decay=0.1 initial_accumulator_value=0.5", "adagrad lr_decay=0.1 initial_accumulator_value=0.5");
    optimizer("adma", NULL);
    optimizer("", NULL);
    optimizer("adam lr=-1", NULL);
    optimizer("adam lr=nan", NULL);
    optimizer("adam lr=fast", NULL);
    optimizer("adam beta2=1", NULL);
    optimizer("adam momentum=0.9", NULL);
    optimizer("adam 1 2", NULL);
    optimizer("adam eps=0", NULL);
    optimizer("adam accumulate=1.5", NULL);
    optimizer("adam lr=1 lr=2", NULL);
    optimizer("sgd nesterov=1", NULL);
    optimizer("rmsprop centered=1 momentum=0.9", NULL);
    optimizer("adam; adam", NULL);
    optimizer("adam decay=some", NULL);
    optimizer("adam ( )", NULL);
    schedule("1e-3", "constant 0.001");
    schedule("constant 1e-3 warmup=10", "constant 0.001 warmup=10");
    schedule("step 1e-3 gamma=0.5 every=10", "step 0.001 gamma=0.5 every=10");
    schedule("step 1e-3 every=10 epochs", "step 0.001 gamma=0.1 every=10");
    schedule("step 1e-3 every=100 steps", "step 0.001 gamma=0.1 every=100 steps");
    schedule("cosine 1e-3 1e-5 epochs=100 warmup=500", "cosine 0.001 0.00001 epochs=100 warmup=500");
    schedule("linear 0 1 steps=1000", "linear 0 1 steps=1000");
    schedule("linear 3e-4 0 epochs=50 start=50", "linear 0.0003 0 epochs=50 start=50");
    schedule("exponential 0.1 gamma=0.99", "exponential 0.1 gamma=0.99");
    schedule("", NULL);
    schedule("quick", NULL);
    schedule("nan", NULL);
    schedule("linear 1", NULL);
    schedule("linear 1 2", NULL);
    schedule("linear 1 2 epochs=0", NULL);
    schedule("linear 1 2 epochs=1 steps=1", NULL);
    schedule("linear 1 2 3 epochs=1", NULL);
    schedule("linear 1 2 epochs", NULL);
    schedule("cosine 1 0 epochs=ten", NULL);
    schedule("exponential 1", NULL);
    schedule("step 1 gamma=0.1", NULL);
    schedule("1e-3; 1e-4", NULL);
    schedule("constant 1e-3 gamma=2", NULL);
    schedule("1e-3 warmup=-1", NULL);
}

int main(void)
{
    uint64_t now;
    if (gm_context_create(NULL, &ctx)) return 1;
    own_words();
    layers();
    nesting_and_length();
    options();
    gm_context_memory(ctx, &now, NULL);
    printf("# %llu bytes in use before the end\n", (unsigned long long)now);
    gm_context_destroy(ctx);
    return done();
}
