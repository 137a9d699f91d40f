/* SPDX-License-Identifier: MIT */
/* test_params.c: parameters for hosts: initial values by name, views, files; a host's own training loop; every allocation failing once. */
#include "base/base.h"
#include "exec/exec.h"
#include "format/safetensors.h"
#include "genrep/graph.h"
#include "genrep/layer.h"
#include "genrep/optim.h"
#include "tap.h"
#include "train/params.h"

static gm_context *ctx;

static gm_params *build(gm_context *c, const char *text, uint64_t seed)
{
    static const int64_t dims[2] = {4, 3};
    const gm_layer *l = NULL;
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gm_node none = {0};
    gm_status s = gm_layer_parse(c, text, &l);
    if (!s) s = gm_graph_create(c, &g);
    if (!s) gm_layer_build(l, g, gm_graph_input(g, "x", GM_F32, 2, dims), none);
    if (!s) s = gm_params_create(c, g, seed, &w);
    gm_graph_destroy(g);
    gm_layer_destroy(l);
    return s ? NULL : w;
}

static const gmi_real *value(const gm_params *w, const char *name)
{
    int is_state;
    const gmi_slot *s = gmi_params_find(w, name, &is_state);
    return s ? (is_state ? w->state : w->value) + s->offset : NULL;
}

static void initial(void)
{
    gm_params *a = build(ctx, "dense 5; batch_norm; dense 2", 7), *b = build(ctx, "dense 5; batch_norm; dense 2", 7), *c = build(ctx, "dense 5; batch_norm; dense 2", 8),
              *d = build(ctx, "dense 5; batch_norm; dense 2; relu; dense 1", 7);
    ok(a && b && c && d, "four sets of parameters");
    ok(!memcmp(a->value, b->value, (size_t)a->param_elems * sizeof *a->value), "the same seed gives the same values");
    ok(memcmp(value(a, "0.weight"), value(c, "0.weight"), 15 * sizeof(gmi_real)), "another seed others");
    ok(!memcmp(value(a, "2.weight"), value(d, "2.weight"), 10 * sizeof(gmi_real)), "more layers do not move the first ones");
    ok(value(a, "1.running_var")[3] == 1 && value(a, "1.running_mean")[3] == 0 && value(a, "1.weight")[0] == 1 && value(a, "1.bias")[0] == 0, "batch norm starts at 1 and 0");
    ok(fabs((double)value(a, "0.bias")[0]) <= 1 / sqrt(3.0) && value(a, "0.bias")[0] != 0, "a bias is within 1/sqrt(fan_in)");
    gm_params_destroy(a), gm_params_destroy(b), gm_params_destroy(c), gm_params_destroy(d);
    gm_params_destroy(NULL);
}

static void views(void)
{
    gm_params *w = build(ctx, "dense 2; batch_norm", 1);
    gm_tensor *t = NULL, *s = NULL;
    uint64_t version = w->version;
    ok(!gm_params_view(w, "0.weight", &t) && gm_tensor_rank(t) == 2 && gm_tensor_dim(t, 0) == 2 && gm_tensor_dim(t, 1) == 3, "a view has the parameter's shape");
    ok(w->views == 1 && w->version != version, "and is counted");
    ((float *)gm_tensor_data(t))[4] = 42;
    ok(value(w, "0.weight")[4] == 42, "writing through it changes the parameter");
    ok(!gm_params_view(w, "1.running_var", &s) && ((float *)gm_tensor_data(s))[1] == 1, "states have views too");
    gm_tensor_destroy(s);
    ok(gm_params_view(w, "weight", &s) == GM_E_UNKNOWN && !s && strstr(gm_context_error(ctx), "weight"), "an unknown name is named");
    ok(gm_params_view(w, NULL, &s) == GM_E_UNKNOWN && gm_params_view(NULL, "a", &s) == GM_E_INVALID, "NULL arguments");
    gm_params_destroy(w);
    ok(((float *)gm_tensor_data(t))[4] == 42, "a view keeps the parameters alive");
    gm_tensor_destroy(t);
}

typedef struct file {
    char bytes[16384];
    uint64_t n;
} file;

static gm_status save(const gm_params *w, file *f)
{
    gm_writer o;
    gm_status s;
    gm_writer_init(&o, sizeof o);
    o.memory = f->bytes;
    o.capacity = sizeof f->bytes;
    s = gm_params_write(w, &o);
    f->n = o.used;
    return s;
}

static gm_status load(gm_params *w, const file *f)
{
    gm_reader r;
    gm_reader_init(&r, sizeof r);
    r.memory = f->bytes;
    r.bytes = f->n;
    return gm_params_read(w, &r);
}

static void little_endian(char *to, const double *v, int n)
{
    int i, k;
    for (i = 0; i < n; i++) {
        uint64_t u;
        memcpy(&u, &v[i], sizeof u);
        for (k = 0; k < 8; k++) to[8 * i + k] = (char)(u >> (8 * k) & 255);
    }
}

/* A file of another tool: no digest, F64 weights and PyTorch's extra counter. */
static void foreign(file *f, const char *extra, int64_t rows)
{
    static const double w[6] = {1, 2, 3, 4, 5, 6}, b[2] = {7, 8};
    static const char *const head = "{\"0.bias\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                                    "\"0.weight\":{\"dtype\":\"F64\",\"shape\":[%d,%d],\"data_offsets\":[16,64]}%s}";
    char text[1000];
    int n = snprintf(text, sizeof text, head, (int)rows, (int)(6 / rows), extra), i;
    for (i = 0; i < 8; i++) f->bytes[i] = (char)((uint64_t)n >> (8 * i) & 255);
    memcpy(f->bytes + 8, text, (size_t)n);
    little_endian(f->bytes + 8 + n, b, 2);
    little_endian(f->bytes + 8 + n + 16, w, 6);
    memset(f->bytes + 8 + n + 64, 0, 8);
    f->n = (uint64_t)(8 + n + 64 + (extra[0] ? 8 : 0));
}

static void files(void)
{
    static file f, again;
    gm_params *a = build(ctx, "dense 5; batch_norm; dense 2", 7), *b = build(ctx, "dense 5; batch_norm; dense 2", 8), *c = build(ctx, "dense 5; batch_norm; dense 3", 8),
              *d = build(ctx, "dense 2", 1);
    uint64_t version = b->version;
    ok(!save(a, &f) && !load(b, &f), "written and read");
    ok(!memcmp(a->value, b->value, (size_t)a->param_elems * sizeof *a->value) && b->version != version, "the same values, a new version");
    ok(!save(b, &again) && again.n == f.n && !memcmp(f.bytes, again.bytes, f.n), "the same bytes when written again");
    ok(load(c, &f) == GM_E_MODEL && strstr(gm_context_error(ctx), "2.bias"), "a wrong shape is refused by name (%s)", gm_context_error(ctx));
    ok(load(d, &f) == GM_E_MODEL, "so is a file with more tensors");
    f.bytes[f.n - 1] ^= 1;
    ok(load(b, &f) == GM_E_CHECKSUM && !memcmp(a->value, b->value, (size_t)a->param_elems * sizeof *a->value), "a damaged file changes nothing");
    f.n -= 5;
    ok(load(b, &f) != GM_OK && !memcmp(a->value, b->value, (size_t)a->param_elems * sizeof *a->value), "nor does a short one");
    foreign(&f, "", 2);
    ok(!load(d, &f) && value(d, "0.weight")[5] == 6 && value(d, "0.bias")[0] == 7, "F64 weights of another tool are converted (%s)", gm_context_error(ctx));
    foreign(&f, ",\"1.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[64,72]}", 2);
    ok(!load(d, &f), "PyTorch's counter is skipped (%s)", gm_context_error(ctx));
    foreign(&f, ",\"1.more\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[64,72]}", 2);
    ok(load(d, &f) == GM_E_MODEL && strstr(gm_context_error(ctx), "1.more"), "another extra tensor is not");
    foreign(&f, "", 3);
    ok(load(d, &f) == GM_E_MODEL && strstr(gm_context_error(ctx), "0.weight"), "the transposed weight is refused");
    ok(gm_params_write(NULL, NULL) == GM_E_INVALID && gm_params_read(d, NULL) == GM_E_INVALID, "NULL arguments");
    gm_params_destroy(a), gm_params_destroy(b), gm_params_destroy(c), gm_params_destroy(d);
}

/* y = W x of a known W learnt by a host's own loop: graph, backward, run, step. */
static gm_status own_loop(gm_context *c, int steps, double *first, double *last)
{
    static const int64_t dims[2] = {16, 3}, out[2] = {16, 2};
    double x[48], y[32], loss = 0;
    const gm_layer *l = NULL;
    const gm_program *p = NULL;
    gm_graph *g = NULL;
    gm_params *w = NULL;
    gm_optimizer *o = NULL;
    gm_run *r = NULL;
    gm_tensor *in[2] = {NULL, NULL}, *to = NULL;
    gm_node nx, ny, n, none = {0};
    gm_status s;
    int i;
    for (i = 0; i < 48; i++) x[i] = sin(i * 1.7);
    for (i = 0; i < 16; i++) y[2 * i] = x[3 * i] - 2 * x[3 * i + 1] + 0.5, y[2 * i + 1] = x[3 * i + 2];
    s = gm_layer_parse(c, "dense 2", &l);
    if (!s) s = gm_graph_create(c, &g);
    if (!s) {
        nx = gm_graph_input(g, "x", GM_F32, 2, dims);
        ny = gm_graph_input(g, "y", GM_F32, 2, out);
        n = gm_op_square(g, gm_op_sub(g, gm_layer_build(l, g, nx, none), ny));
        n = gm_op_mean(g, n, 3u, 0);
        gm_graph_backward(g, n);
        s = gm_program_compile(g, 1, &n, &p);
    }
    if (!s) s = gm_params_create(c, g, 1, &w);
    if (!s) s = gm_optimizer_create(w, "adam lr=0.1", &o);
    if (!s) s = gm_run_create(c, p, w, &r);
    if (!s) s = gm_tensor_wrap(c, GM_F64, 2, dims, NULL, x, &in[0]);
    if (!s) s = gm_tensor_wrap(c, GM_F64, 2, out, NULL, y, &in[1]);
    if (!s) s = gm_tensor_wrap(c, GM_F64, 0, NULL, NULL, &loss, &to);
    for (i = 0; !s && i < steps; i++) {
        s = gm_run_exec(r, 1, 2, in, 1, &to);
        if (!s) s = gm_optimizer_step(o, NULL);
        if (i == 0) *first = loss;
        *last = loss;
    }
    gm_layer_destroy(l); /* in any order */
    gm_graph_destroy(g);
    gm_params_destroy(w);
    gm_program_destroy(p);
    gm_tensor_destroy(in[0]);
    gm_tensor_destroy(in[1]);
    gm_tensor_destroy(to);
    gm_optimizer_destroy(o);
    gm_run_destroy(r);
    return s;
}

/* ---- every allocation fails once ---- */
static int64_t allowed, used_blocks;
static void *failing(void *user, void *ptr, size_t old_size, size_t new_size, size_t align)
{
    (void)user, (void)old_size, (void)align;
    if (!new_size) {
        if (ptr) used_blocks--;
        free(ptr);
        return NULL;
    }
    if (allowed-- <= 0) return NULL;
    if (!ptr) used_blocks++;
    return realloc(ptr, new_size);
}

static gm_status life(gm_context *c)
{
    static file f;
    const gm_layer *l = NULL, *two[2], *joined = NULL;
    gm_params *w = NULL;
    gm_optimizer *o = NULL;
    gm_schedule *sc = NULL;
    gm_graph *g = NULL;
    gm_writer out;
    gm_reader in;
    gm_node none = {0};
    static const int64_t dims[2] = {4, 3};
    gm_status s = gm_layer_parse(c, "residual ( dense 3 relu; concat ( ) ( dense 2 ); dense 3 ); batch_norm; dense 3 init=orthogonal", &l);
    two[0] = two[1] = l;
    if (!s) s = gm_layer_sequential(c, 2, two, &joined);
    if (!s) s = gm_graph_create(c, &g);
    if (!s) {
        gm_layer_build(joined, g, gm_graph_input(g, "x", GM_F32, 2, dims), none);
        s = gm_params_create(c, g, 1, &w);
    }
    if (!s) s = gm_optimizer_create(w, "adam accumulate=2", &o);
    if (!s) s = gm_optimizer_step(o, NULL);
    if (!s) s = gm_schedule_parse(c, "cosine 1 0 epochs=3", &sc);
    gm_writer_init(&out, sizeof out);
    out.memory = f.bytes;
    out.capacity = sizeof f.bytes;
    if (!s) s = gm_optimizer_write(o, &out);
    gm_reader_init(&in, sizeof in);
    in.memory = f.bytes;
    in.bytes = out.used;
    if (!s) s = gm_optimizer_read(o, &in);
    if (!s) s = save(w, &f);
    if (!s) s = load(w, &f);
    gm_optimizer_destroy(o);
    gm_params_destroy(w);
    gm_graph_destroy(g);
    gm_layer_destroy(joined);
    gm_layer_destroy(l);
    gm_schedule_destroy(sc);
    return s;
}

static void allocations(void)
{
    gm_context_options co;
    int64_t n, wrong = 0, leaks = 0;
    gm_status s = GM_E_NOMEM;
    gm_context_options_init(&co, sizeof co);
    co.alloc = failing;
    co.threads = 1;
    for (n = 0; s && n < 3000; n++) {
        gm_context *c = NULL;
        allowed = 1000000;
        used_blocks = 0;
        if (gm_context_create(&co, &c)) break;
        allowed = n;
        s = life(c);
        wrong += s != GM_OK && s != GM_E_NOMEM;
        if (s != GM_OK && s != GM_E_NOMEM) printf("# allocation %d: %s\n", (int)n, gm_context_error(c));
        gm_context_destroy(c);
        leaks += used_blocks != 0;
    }
    ok(s == GM_OK && n > 60, "all is well after %d allocations", (int)n);
    is_int(wrong, 0, "before that it is always GM_E_NOMEM");
    is_int(leaks, 0, "and nothing leaks");
}

int main(void)
{
    double first = 0, last = 0;
    gm_status s;
    if (gm_context_create(NULL, &ctx)) return 1;
    initial();
    views();
    files();
    s = own_loop(ctx, 300, &first, &last);
    ok(!s && last < 1e-3 && first > 0.5, "a host's own loop learns a linear map: %g to %g", first, last);
    allocations();
    gm_context_destroy(ctx);
    return done();
}
