/* SPDX-License-Identifier: MIT */
/* bench_gemm.c: GFLOP/s of the matrix-product and convolution drivers alone, best of many short runs, packing of B included.
 *
 * usage: bench_gemm [threads] [name part] [level: scalar sse2 avx2 avx512 neon] [seconds a shape]
 * Threads are plain pthreads that spin between phases, so the figure has no pool in it. Layout words: nn is C = A B with both row-major, nt has
 * B transposed (a dense layer's forward pass), tn has A transposed (its weight gradient). */
#include "base/base.h"
#include "kernels/gemm.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct job {
    int conv; /* else gemm */
    const gmi_kernels *t;
    gmi_gemm_plan gp;
    gmi_gemm_io gi;
    gmi_conv_plan cp;
    gmi_conv_io ci;
    void *scratch[1024]; /* of each task: more than threads where work is cut into pieces */
} job;

static int threads = 2;
static volatile int32_t turn, arrived, quit;
static job *current;

static void share(int32_t thread)
{
    job *j = current;
    int32_t phases = j->conv ? j->cp.phases : j->gp.phases, tasks = j->conv ? j->cp.tasks : j->gp.tasks;
    for (int32_t p = 0; p < phases; p++) {
        int32_t goal;
        for (int32_t i = thread; i < tasks; i += threads) {
            if (j->conv) gmi_conv_run(&j->cp, j->t, &j->ci, p, i, j->scratch[i]);
            else gmi_gemm_run(&j->gp, j->t, &j->gi, p, i, j->scratch[i]);
        }
        if (threads == 1) continue;
        goal = (__sync_add_and_fetch(&arrived, 1) + threads - 1) / threads * threads;
        for (int spin = 0; __sync_fetch_and_add(&arrived, 0) < goal; spin++)
            if (spin > 20000) sched_yield();
    }
}

static void *worker(void *arg)
{
    int32_t seen = 0;
    for (;;) {
        for (int spin = 0; __sync_fetch_and_add(&turn, 0) == seen && !quit; spin++)
            if (spin > 20000) sched_yield();
        if (quit) return NULL;
        seen++;
        share((int32_t)(intptr_t)arg);
    }
}

static void once(job *j)
{
    current = j;
    __sync_add_and_fetch(&turn, 1);
    share(0);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t); /* alone: other programs of a busy machine do not count */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best(job *j, double seconds)
{
    double end = now() + seconds, least = 1e9;
    for (int i = 0; i < 2; i++) once(j);
    do {
        double t0 = now(), t1;
        once(j);
        t1 = now();
        if (t1 - t0 < least) least = t1 - t0;
    } while (now() < end);
    return least;
}

static gmi_real *fill(int64_t n)
{
    void *at = NULL;
    gmi_real *p;
    if (posix_memalign(&at, 64, (size_t)(n + 64) * sizeof *p)) exit(2);
    p = at;
    for (int64_t i = 0; i < n; i++) p[i] = (gmi_real)(i * 2654435761u % 1000) / 1000 - (gmi_real)0.5;
    return p;
}

static void finish(job *j, const char *name, double flop, double seconds, uint64_t shared, uint64_t scratch, int32_t tasks, int32_t phases)
{
    if (tasks > (int32_t)(sizeof j->scratch / sizeof j->scratch[0])) exit(2);
    void *s = shared ? malloc(shared) : NULL;
    double t;
    if (shared) memset(s, 0, shared);
    j->gi.shared = j->ci.shared = s;
    for (int i = 0; i < tasks; i++) j->scratch[i] = malloc(scratch), memset(j->scratch[i], 0, scratch);
    t = best(j, seconds);
    printf("%-44s %8.1f GFLOP/s %10.1f us  tasks %d phases %d shared %lluK scratch %lluK\n", name, flop / t * 1e-9, t * 1e6, tasks, phases, (unsigned long long)(shared >> 10), (unsigned long long)(scratch >> 10));
    fflush(stdout);
    for (int i = 0; i < tasks; i++) free(j->scratch[i]);
    free(s);
}

static void gemm(const gmi_kernels *t, const char *only, double seconds, int64_t m, int64_t n, int64_t k, const char *layout, int keep)
{
    static job j;
    char name[80];
    gmi_real *a, *b, *c;
    snprintf(name, sizeof name, "gemm %s%s %dx%dx%d", layout, keep ? " packed" : "", (int)m, (int)n, (int)k);
    if (only && !strstr(name, only)) return;
    memset(&j, 0, sizeof j);
    a = fill(m * k), b = fill(k * n), c = fill(m * n);
    j.t = t, j.gp.batch = 1, j.gp.m = m, j.gp.n = n, j.gp.k = k, j.gp.c_rs = n, j.gp.keep_b = keep;
    j.gp.a_rs = layout[0] == 'n' ? k : 1, j.gp.a_cs = layout[0] == 'n' ? 1 : m;
    j.gp.b_rs = layout[1] == 'n' ? n : 1, j.gp.b_cs = layout[1] == 'n' ? 1 : k;
    j.gi.a = a, j.gi.b = b, j.gi.c = c;
    if (gmi_gemm_plan_init(&j.gp, t, threads)) return;
    j.gi.packed = keep;
    finish(&j, name, 2.0 * (double)m * (double)n * (double)k, seconds, j.gp.shared_bytes, j.gp.thread_bytes, j.gp.tasks, j.gp.phases);
    free(a), free(b), free(c);
}

static void conv(const gmi_kernels *t, const char *only, double seconds, int64_t n, int64_t h, int64_t c, int64_t co, int64_t k, int64_t s, int64_t p)
{
    static const char *const kinds[] = {"conv", "conv_dx", "conv_dw"};
    for (int kind = 0; kind < 3; kind++) {
        static job j;
        char name[80];
        gmi_real *x, *y, *w;
        int64_t o = (h + 2 * p - k) / s + 1;
        snprintf(name, sizeof name, "%s n%d %dx%dx%d -> %dx%dx%d k%d s%d", kinds[kind], (int)n, (int)h, (int)h, (int)c, (int)o, (int)o, (int)co, (int)k, (int)s);
        if (only && !strstr(name, only)) continue;
        memset(&j, 0, sizeof j);
        j.conv = 1, j.t = t;
        j.cp.kind = (gmi_conv_kind)kind, j.cp.n = n, j.cp.h = j.cp.w = h, j.cp.c = c, j.cp.co = co, j.cp.oh = j.cp.ow = o, j.cp.kh = j.cp.kw = k;
        j.cp.sh = j.cp.sw = s, j.cp.pt = j.cp.pl = p, j.cp.dh = j.cp.dw = 1, j.cp.groups = 1;
        x = fill(n * h * h * c), y = fill(n * o * o * co), w = fill(co * c * k * k);
        j.ci.a = kind == 1 ? y : x, j.ci.b = kind == 2 ? y : w, j.ci.c = kind == 0 ? y : kind == 1 ? x : w;
        if (gmi_conv_plan_init(&j.cp, t, threads)) return;
        finish(&j, name, 2.0 * (double)(n * o * o) * (double)(co * c * k * k), seconds, j.cp.shared_bytes, j.cp.thread_bytes, j.cp.tasks, j.cp.phases);
        free(x), free(y), free(w);
    }
}

int main(int argc, char **argv)
{
    static const struct { const char *name; gm_simd level; } levels[] = {
        {"scalar", GM_SIMD_SCALAR}, {"sse2", GM_SIMD_SSE2}, {"avx2", GM_SIMD_AVX2}, {"avx512", GM_SIMD_AVX512}, {"neon", GM_SIMD_NEON}};
    static const int64_t shapes[][3] = {{128, 400, 784}, {784, 400, 128}, {1000, 784, 200}, {64, 1024, 512}, {512, 512, 512}, {2048, 2048, 2048}};
    static gmi_kernels t;
    uint32_t have = gmi_cpu_simd();
    gm_simd level = GM_SIMD_BEST;
    const char *only = argc > 2 && argv[2][0] ? argv[2] : NULL;
    double seconds = argc > 4 ? atof(argv[4]) : 0.3;
    pthread_t id[64];
    if (argc > 1) threads = atoi(argv[1]);
    if (threads < 1 || threads > 64) return 2;
    for (int i = 0; argc > 3 && i < 5; i++)
        if (!strcmp(argv[3], levels[i].name)) level = levels[i].level;
    if (gmi_kernels_fill(&t, level, have)) return 2;
    for (int i = 1; i < threads; i++) pthread_create(&id[i], NULL, worker, (void *)(intptr_t)i);
    for (int i = 0; i < 6; i++) {
        gemm(&t, only, seconds, shapes[i][0], shapes[i][1], shapes[i][2], "nn", 0);
        gemm(&t, only, seconds, shapes[i][0], shapes[i][1], shapes[i][2], "nt", 0);
        if (i < 5) gemm(&t, only, seconds, shapes[i][0], shapes[i][1], shapes[i][2], "tn", 0);
    }
    gemm(&t, only, seconds, 1, 400, 784, "nt", 0), gemm(&t, only, seconds, 1, 400, 784, "nn", 0), gemm(&t, only, seconds, 1, 400, 784, "nt", 1);
    gemm(&t, only, seconds, 8, 400, 784, "nt", 0), gemm(&t, only, seconds, 16, 400, 784, "nt", 0), gemm(&t, only, seconds, 128, 20, 400, "nt", 0);
    gemm(&t, only, seconds, 400, 784, 128, "tn", 0), gemm(&t, only, seconds, 1, 64, 64, "nt", 1), gemm(&t, only, seconds, 128, 1, 512, "nt", 0);
    conv(&t, only, seconds, 128, 28, 1, 64, 4, 2, 1);
    conv(&t, only, seconds, 128, 14, 64, 128, 4, 2, 1);
    conv(&t, only, seconds, 64, 64, 3, 64, 4, 2, 1);
    conv(&t, only, seconds, 64, 32, 64, 128, 4, 2, 1);
    conv(&t, only, seconds, 64, 16, 128, 256, 4, 2, 1);
    conv(&t, only, seconds, 64, 8, 256, 512, 4, 2, 1);
    conv(&t, only, seconds, 64, 4, 512, 1, 4, 1, 0);
    conv(&t, only, seconds, 64, 64, 1, 32, 4, 2, 1);
    conv(&t, only, seconds, 64, 32, 32, 32, 4, 2, 1);
    conv(&t, only, seconds, 64, 16, 32, 64, 4, 2, 1);
    conv(&t, only, seconds, 1, 16, 128, 256, 4, 2, 1);
    quit = 1;
    for (int i = 1; i < threads; i++) pthread_join(id[i], NULL);
    return 0;
}
