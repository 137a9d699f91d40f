/* SPDX-License-Identifier: MIT */
/* bench.c: the fixed workloads through the public façade, one JSON object a line.
 *
 * usage: bench [--threads N] [--seconds S] [--only W1,W8]
 * A figure is the median wall time of a step or call after 3 warm-ups, on a batch already in memory, with default options: finite check, record and the
 * noise of the step included; a step of a GAN is D's half and G's. W9 starts a process of its own for each figure. --only GROWTH prints larger nets
 * that have no peer.
 * A workload that the library cannot run is left out. */
#include <genrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int32_t threads;
static double seconds = 4;
static const char *only = "", *self;
static gm_context *ctx;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void need(gm_status s)
{
    if (s == GM_OK) return;
    fprintf(stderr, "bench: %s: %s\n", gm_status_name(s), ctx ? gm_context_error(ctx) : "");
    exit(1);
}

/* Whether the family of an id ("W1" of "W1/128") is wanted. */
static int wanted(const char *id)
{
    size_t n = strcspn(id, "/");
    const char *p = only;
    if (!*only) return 1;
    for (; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && !strncmp(p, id, n)) return 1;
    return 0;
}

/* ---- timing ---- */

typedef void (*work_fn)(void *user);
static double times[200000];

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_time(work_fn work, void *user, double span)
{
    int n = 0, i;
    double end;
    for (i = 0; i < 3; i++) work(user);
    end = now() + span;
    while ((now() < end || n < 5) && n < (int)(sizeof times / sizeof times[0])) {
        double t = now();
        work(user);
        times[n++] = now() - t;
    }
    qsort(times, (size_t)n, sizeof times[0], by_value);
    return n % 2 ? times[n / 2] : 0.5 * (times[n / 2 - 1] + times[n / 2]);
}

/* profile.c looks on: it runs the work itself and prints what it likes. model: gm_gan or gm_vae */
static void (*watch)(const char *id, void *model, int gan, work_fn work, void *user);
static double (*watch_clock)(void *user);

/* flops: of a step, 0 = not printed */
static void print_steps(const char *id, double t, int64_t samples, double flops)
{
    printf("{\"workload\": \"%s\", \"impl\": \"genrep\", \"threads\": %d, \"ms_per_step\": %.5g, \"samples_per_s\": %.6g", id, (int)threads, t * 1e3,
           (double)samples / t);
    if (flops > 0) printf(", \"gflops\": %.5g", flops / t * 1e-9);
    printf("}\n");
    fflush(stdout);
}

/* ---- models ---- */

static uint32_t seed = 1;
static float uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 16777216.0f;
}

static gm_tensor *random_tensor(int32_t rank, const int64_t *dims, int binary)
{
    gm_tensor *t = NULL;
    int64_t n = 1, i;
    float *p;
    need(gm_tensor_create(ctx, GM_F32, rank, dims, &t));
    for (i = 0; i < rank; i++) n *= dims[i];
    p = gm_tensor_data(t);
    for (i = 0; i < n; i++) p[i] = binary ? (float)(uniform() > 0.5f) : uniform();
    return t;
}

static gm_vae *vae(int32_t rank, const int64_t *dims, const char *encoder, const char *decoder, int64_t z, const char *objective, gm_likelihood l)
{
    gm_spec x;
    gm_vae_options o;
    gm_vae *v = NULL;
    int32_t i;
    gm_spec_init(&x, sizeof x);
    x.dtype = GM_F32;
    x.scaling = GM_SCALE_NONE; /* the batch is what the net takes, as in the peer */
    x.rank = rank;
    for (i = 0; i < rank; i++) x.dims[i] = dims[i];
    gm_vae_options_init(&o, sizeof o);
    o.encoder = encoder;
    o.decoder = decoder;
    o.latent_dim = z;
    o.objective = objective;
    o.likelihood = l;
    o.optimizer = "adam lr=0.001";
    need(gm_vae_create(ctx, &x, &o, &v));
    return v;
}

typedef struct stepping {
    gm_vae *v;
    gm_tensor *x, *z, *out;
    gm_record r;
} stepping;

static void step(void *user)
{
    stepping *s = user;
    need(gm_vae_step(s->v, s->x, NULL, &s->r));
}

static void decode(void *user)
{
    stepping *s = user;
    need(gm_vae_decode(s->v, s->z, NULL, GM_DRAW_MEAN, 0, s->x));
}

static void encode(void *user)
{
    stepping *s = user;
    need(gm_vae_encode(s->v, s->x, NULL, s->z, NULL));
}

static void train(const char *id, gm_vae *v, int32_t rank, const int64_t *sample, int64_t batch, int binary, double flops)
{
    stepping s;
    int64_t dims[5];
    int32_t i;
    dims[0] = batch;
    for (i = 0; i < rank; i++) dims[i + 1] = sample[i];
    memset(&s, 0, sizeof s);
    s.v = v;
    s.x = random_tensor(rank + 1, dims, binary);
    gm_record_init(&s.r, sizeof s.r);
    if (watch) watch(id, v, 0, step, &s);
    else print_steps(id, median_time(step, &s, seconds), batch, flops);
    gm_tensor_destroy(s.x);
    gm_vae_destroy(v);
}

/* Products of a dense chain of a step: forward, weight gradient, input gradient but for the first layer. */
static double dense_flops(int64_t batch, int n, const int64_t *width)
{
    double f = 0;
    int i;
    for (i = 0; i + 1 < n; i++) f += 2.0 * (double)batch * (double)width[i] * (double)width[i + 1] * (i ? 3 : 2);
    return f;
}

static const int64_t pixels[1] = {784};

static void w1(int64_t batch)
{
    static const int64_t chain[] = {784, 400, 40}, back[] = {20, 400, 784};
    char id[32];
    sprintf(id, "W1/%d", (int)batch);
    train(id, vae(1, pixels, "dense 400; relu", "dense 400; relu", 20, "elbo", GM_LIKELIHOOD_BERNOULLI), 1, pixels, batch, 0,
          batch > 1024 ? dense_flops(batch, 3, chain) + dense_flops(batch, 3, back) + 2.0 * (double)batch * 20 * 400 : 0);
}

static void w2(void)
{
    train("W2/20", vae(1, pixels, "dense 200; tanh; dense 200; tanh", "dense 200; tanh; dense 200; tanh", 50, "iwae 50", GM_LIKELIHOOD_BERNOULLI), 1, pixels, 20, 1, 0);
}

static void w6(void)
{
    static const int64_t image[3] = {1, 64, 64};
    train("W6/64",
          vae(3, image, "conv 32 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; conv 64 k4 s2 p1; relu; dense 256; relu",
              "dense 256; relu; dense 1024; relu; reshape 64x4x4; conv_transpose 64 k4 s2 p1; relu; conv_transpose 32 k4 s2 p1; relu; "
              "conv_transpose 32 k4 s2 p1; relu; conv_transpose 1 k4 s2 p1",
              10, "elbo", GM_LIKELIHOOD_BERNOULLI),
          3, image, 64, 0, 0);
}

static void w7(const char *name, int64_t batch, int tiny, int encoding)
{
    static const int64_t sensor[1] = {32};
    const int64_t *sample = tiny ? sensor : pixels, z = tiny ? 8 : 20;
    stepping s;
    int64_t dims[2];
    char id[64];
    memset(&s, 0, sizeof s);
    s.v = tiny ? vae(1, sample, "dense 64; relu", "dense 64; relu; dense 64; relu", z, "elbo", GM_LIKELIHOOD_GAUSSIAN)
               : vae(1, sample, "dense 400; relu", "dense 400; relu", z, "elbo", GM_LIKELIHOOD_BERNOULLI);
    dims[0] = batch;
    dims[1] = sample[0];
    s.x = random_tensor(2, dims, 0);
    dims[1] = z;
    s.z = random_tensor(2, dims, 0);
    sprintf(id, "W7/%s/%d", name, (int)batch);
    print_steps(id, median_time(encoding ? encode : decode, &s, seconds), batch, 0);
    gm_tensor_destroy(s.x);
    gm_tensor_destroy(s.z);
    gm_vae_destroy(s.v);
}

/* ---- GANs ---- */

static const char relu_up[] = "batch_norm; relu; conv_transpose", leaky_down[] = "leaky_relu 0.2; conv";

/* The nets of W3, W4 with c base channels, and W5; G and D as text. */
static void nets3(char *g, char *d)
{
    strcpy(g, "dense 256; batch_norm; leaky_relu 0.2; dense 512; batch_norm; leaky_relu 0.2; dense 1024; batch_norm; leaky_relu 0.2; dense 784; tanh");
    strcpy(d, "dense 512; leaky_relu 0.2; dense 256; leaky_relu 0.2; dense 1");
}

static void nets4(int c, char *g, char *d)
{
    sprintf(g, "dense %d bias=0; reshape %dx7x7; %s %d k4 s2 p1 bias=0; %s 1 k4 s2 p1; tanh", 98 * c, 2 * c, relu_up, c, relu_up);
    sprintf(d, "conv %d k4 s2 p1; %s %d k4 s2 p1 bias=0; batch_norm; leaky_relu 0.2; dense 1", c, leaky_down, 2 * c);
}

static void nets5(char *g, char *d)
{
    sprintf(g, "reshape 100x1x1; conv_transpose 512 k4 bias=0; %s 256 k4 s2 p1 bias=0; %s 128 k4 s2 p1 bias=0; %s 64 k4 s2 p1 bias=0; "
               "%s 3 k4 s2 p1 bias=0; tanh",
            relu_up, relu_up, relu_up, relu_up);
    sprintf(d, "conv 64 k4 s2 p1 bias=0; %s 128 k4 s2 p1 bias=0; batch_norm; %s 256 k4 s2 p1 bias=0; batch_norm; %s 512 k4 s2 p1 bias=0; batch_norm; "
               "leaky_relu 0.2; conv 1 k4 bias=0",
            leaky_down, leaky_down, leaky_down);
}

/* dims: [batch, sample...] */
static gm_gan *gan(int32_t rank, const int64_t *dims, const char *generator, const char *discriminator)
{
    gm_spec x;
    gm_gan_options o;
    gm_gan *v = NULL;
    int32_t i;
    gm_spec_init(&x, sizeof x);
    x.dtype = GM_F32;
    x.scaling = GM_SCALE_NONE;
    x.rank = rank - 1;
    for (i = 1; i < rank; i++) x.dims[i - 1] = dims[i];
    gm_gan_options_init(&o, sizeof o);
    o.generator = generator;
    o.discriminator = discriminator;
    o.loss = "non_saturating";
    o.g_optimizer = o.d_optimizer = "adam lr=0.0002 beta1=0.5 beta2=0.999";
    o.latent_dim = 100;
    o.ema_half_life = 0;
    need(gm_gan_create(ctx, &x, &o, &v));
    return v;
}

typedef struct adversaries {
    gm_gan *v;
    gm_tensor *x, *z;
    gm_record r;
} adversaries;

static void gan_step(void *user)
{
    adversaries *s = user;
    need(gm_gan_step(s->v, s->x, NULL, &s->r));
}

static void generate(void *user)
{
    adversaries *s = user;
    need(gm_gan_generate(s->v, s->z, NULL, s->x));
}

static void train_gan(const char *id, int32_t rank, const int64_t *dims, const char *g, const char *d, double flops)
{
    adversaries s;
    float *p;
    int64_t n = 1, i;
    memset(&s, 0, sizeof s);
    s.v = gan(rank, dims, g, d);
    s.x = random_tensor(rank, dims, 0);
    p = gm_tensor_data(s.x);
    for (i = 0; i < rank; i++) n *= dims[i];
    for (i = 0; i < n; i++) p[i] = 2 * p[i] - 1;
    gm_record_init(&s.r, sizeof s.r);
    if (watch) watch(id, s.v, 1, gan_step, &s);
    else print_steps(id, median_time(gan_step, &s, seconds), dims[0], flops);
    gm_tensor_destroy(s.x);
    gm_gan_destroy(s.v);
}

static void w3(void)
{
    static const int64_t dims[2] = {64, 784};
    char g[512], d[512];
    nets3(g, d);
    train_gan("W3/64", 2, dims, g, d, 0);
}

/* Products of a step: G forward, weight and input gradients (no input gradient of the first layer); D forward on 2 batches and both gradients of each, then
 * forward and input gradients alone in G's half. */
static void w4(int c, const char *id, int counted)
{
    static const int64_t dims[4] = {128, 1, 28, 28};
    const double k = c, g_first = 100 * 98 * k, g_rest = 49 * 16 * 2 * k * k + 196 * 16 * k, d_first = 196 * 16 * k, d_rest = 49 * 16 * 2 * k * k + 98 * k;
    char g[512], d[512];
    nets4(c, g, d);
    train_gan(id, 4, dims, g, d, counted ? 2.0 * 128 * (2 * g_first + 3 * g_rest + 6 * d_first + 8 * d_rest) : 0);
}

static void w5(void)
{
    static const int64_t dims[4] = {64, 3, 64, 64};
    char g[512], d[512];
    nets5(g, d);
    train_gan("W5/64", 4, dims, g, d, 0);
}

static void w7_generator(const char *name, int64_t batch, int large)
{
    int64_t xd[4], zd[2];
    adversaries s;
    char g[512], d[512], id[64];
    memset(&s, 0, sizeof s);
    xd[0] = zd[0] = batch;
    xd[1] = large ? 3 : 1;
    xd[2] = xd[3] = large ? 64 : 28;
    zd[1] = 100;
    if (large) nets5(g, d);
    else nets4(64, g, d);
    s.v = gan(4, xd, g, d);
    s.x = random_tensor(4, xd, 0);
    s.z = random_tensor(2, zd, 0);
    sprintf(id, "W7/%s/%d", name, (int)batch);
    print_steps(id, median_time(generate, &s, seconds), batch, 0);
    gm_tensor_destroy(s.x);
    gm_tensor_destroy(s.z);
    gm_gan_destroy(s.v);
}

/* ---- products ---- */

typedef struct product {
    gm_run *r;
    gm_tensor *in[2], *out;
} product;

static void multiply(void *user)
{
    product *p = user;
    need(gm_run_exec(p->r, 0, 2, p->in, 1, &p->out));
}

static void w8(int64_t m, int64_t n, int64_t k)
{
    gm_graph *g = NULL;
    const gm_program *prog = NULL;
    product p;
    gm_node y;
    int64_t a[2], b[2], c[2];
    double t;
    a[0] = c[0] = m;
    a[1] = b[0] = k;
    b[1] = c[1] = n;
    memset(&p, 0, sizeof p);
    need(gm_graph_create(ctx, &g));
    y = gm_graph_input(g, "a", GM_F32, 2, a);
    y = gm_op_matmul(g, y, gm_graph_input(g, "b", GM_F32, 2, b), 0, 0);
    need(gm_program_compile(g, 1, &y, &prog));
    need(gm_run_create(ctx, prog, NULL, &p.r));
    p.in[0] = random_tensor(2, a, 0);
    p.in[1] = random_tensor(2, b, 0);
    need(gm_tensor_create(ctx, GM_F32, 2, c, &p.out));
    t = median_time(multiply, &p, seconds < 1 ? seconds : 1);
    printf("{\"workload\": \"W8/%dx%dx%d\", \"impl\": \"genrep\", \"threads\": %d, \"gflops\": %.5g}\n", (int)m, (int)n, (int)k, (int)threads,
           2e-9 * (double)m * (double)n * (double)k / t);
    fflush(stdout);
    gm_tensor_destroy(p.in[0]);
    gm_tensor_destroy(p.in[1]);
    gm_tensor_destroy(p.out);
    gm_run_destroy(p.r);
    gm_program_destroy(prog);
    gm_graph_destroy(g);
}

/* ---- the process ---- */

static void context(void)
{
    gm_context_options o;
    gm_context_options_init(&o, sizeof o);
    o.threads = threads;
    o.clock = watch_clock;
    need(gm_context_create(&o, &ctx));
    threads = gm_context_threads(ctx);
}

/* A child's part: loads a model and decodes one sample. */
static void probe_start(const char *path)
{
    static float z[20], x[784];
    static const int64_t zd[2] = {1, 20}, xd[2] = {1, 784};
    gm_vae *v = NULL;
    gm_tensor *tz = NULL, *tx = NULL;
    threads = 1;
    context();
    need(gm_vae_load(ctx, path, &v));
    need(gm_tensor_wrap(ctx, GM_F32, 2, zd, NULL, z, &tz));
    need(gm_tensor_wrap(ctx, GM_F32, 2, xd, NULL, x, &tx));
    need(gm_vae_decode(v, tz, NULL, GM_DRAW_MEAN, 0, tx));
}

/* Runs this program with some arguments; its seconds, and the number on the last line it prints. */
static double child(const char *args, double *number)
{
    char command[4096], line[4096];
    double t = now();
    FILE *f;
    snprintf(command, sizeof command, "'%s' %s", self, args);
    f = popen(command, "r");
    while (f && fgets(line, sizeof line, f))
        if (number) *number = atof(line);
    if (!f || pclose(f) != 0) {
        fprintf(stderr, "bench: a child process failed: %s\n", command);
        exit(1);
    }
    return now() - t;
}

/* Peak memory of this process alone: ru_maxrss would count what the parent had before exec. */
static double peak_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = atof(line + 6);
    if (f) fclose(f);
    return kib / 1024;
}

static void print_cost(const char *id, double cost, const char *unit)
{
    printf("{\"workload\": \"%s\", \"impl\": \"genrep\", \"threads\": %d, \"cost\": %.5g, \"unit\": \"%s\"}\n", id, (int)threads, cost, unit);
    fflush(stdout);
}

static void w9_start(void)
{
    char path[] = "/tmp/genrep-bench-XXXXXX", args[256];
    int fd = mkstemp(path), i;
    double best = 1e9;
    gm_vae *v = vae(1, pixels, "dense 400; relu", "dense 400; relu", 20, "elbo", GM_LIKELIHOOD_BERNOULLI);
    if (fd < 0) return;
    close(fd);
    need(gm_vae_save(v, path));
    gm_vae_destroy(v);
    snprintf(args, sizeof args, "--probe %s", path);
    for (i = 0; i < 5; i++) {
        double t = child(args, NULL);
        best = t < best ? t : best;
    }
    unlink(path);
    print_cost("W9/start", best, "s");
}

static void w9_rss(const char *id, const char *workload)
{
    char args[256];
    double mib = 0;
    snprintf(args, sizeof args, "--threads %d --seconds 1 --rss %s", (int)threads, workload);
    child(args, &mib);
    if (mib > 0) print_cost(id, mib, "MiB");
}

static void w9_so(void)
{
    char path[] = "/tmp/genrep-so-XXXXXX", command[256];
    int fd = mkstemp(path);
    FILE *f;
    long n = 0;
    if (fd < 0) return;
    close(fd);
    sprintf(command, "strip --strip-unneeded -o %s lib/libgenrep.so 2>/dev/null", path);
    if (system(command) == 0 && (f = fopen(path, "rb")) != NULL) {
        if (!fseek(f, 0, SEEK_END)) n = ftell(f);
        fclose(f);
    }
    unlink(path);
    if (n > 0) print_cost("W9/so", (double)n / 1024, "KiB");
}

/* ---- larger nets, no peer ---- */

static void growth(void)
{
    static const int64_t wide[] = {784, 4096, 512}, wide_back[] = {256, 4096, 784};
    static const int64_t deep[] = {784, 1024, 1024, 1024, 1024, 1024, 1024, 64}, deep_back[] = {32, 1024, 1024, 1024, 1024, 1024, 1024, 784};
    static const char six[] = "dense 1024; relu; dense 1024; relu; dense 1024; relu; dense 1024; relu; dense 1024; relu; dense 1024; relu";
    w1(4096);
    train("MLPw/128", vae(1, pixels, "dense 4096; relu", "dense 4096; relu", 256, "elbo", GM_LIKELIHOOD_BERNOULLI), 1, pixels, 128, 0,
          dense_flops(128, 3, wide) + dense_flops(128, 3, wide_back) + 2.0 * 128 * 256 * 4096);
    train("MLPd/128", vae(1, pixels, six, six, 32, "elbo", GM_LIKELIHOOD_BERNOULLI), 1, pixels, 128, 0,
          dense_flops(128, 8, deep) + dense_flops(128, 8, deep_back) + 2.0 * 128 * 32 * 1024);
    w4(32, "W4c32/128", 1), w4(64, "W4c64/128", 1), w4(128, "W4c128/128", 1);
}

static void all(void)
{
    if (!strcmp(only, "GROWTH")) {
        growth();
        return;
    }
    if (wanted("W1")) w1(16), w1(128), w1(1024);
    if (wanted("W2")) w2();
    if (wanted("W3")) w3();
    if (wanted("W4")) w4(64, "W4/128", 0);
    if (wanted("W5")) w5();
    if (wanted("W6")) w6();
    if (wanted("W7")) {
        w7("decode-tiny", 1, 1, 0), w7("decode-tiny", 256, 1, 0);
        w7("decode-mlp", 1, 0, 0), w7("decode-mlp", 256, 0, 0);
        w7("encode-mlp", 1, 0, 1), w7("encode-mlp", 256, 0, 1);
        w7_generator("G-dcgan28", 1, 0), w7_generator("G-dcgan28", 256, 0);
        w7_generator("G-dcgan64", 1, 1), w7_generator("G-dcgan64", 64, 1);
    }
    if (wanted("W8")) w8(128, 400, 784), w8(784, 400, 128), w8(1000, 784, 200), w8(64, 1024, 512), w8(512, 512, 512), w8(2048, 2048, 2048);
    if (wanted("W9")) w9_start(), w9_rss("W9/rss-W1", "W1/128"), w9_rss("W9/rss-W5", "W5/64"), w9_so();
}

int main(int argc, char **argv)
{
    const char *rss = "";
    int i;
    self = argv[0];
    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--threads")) threads = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--only")) only = argv[i + 1];
        else if (!strcmp(argv[i], "--rss")) rss = argv[i + 1];
        else if (!strcmp(argv[i], "--probe")) return probe_start(argv[i + 1]), 0;
        else return fprintf(stderr, "usage: bench [--threads N] [--seconds S] [--only W1,W8]\n"), 2;
    }
    context();
    if (*rss) {
        if (!strcmp(rss, "W5/64")) w5();
        else w1(128);
        printf("%g\n", peak_mib());
    } else {
        all();
    }
    gm_context_destroy(ctx);
    return 0;
}
