/* SPDX-License-Identifier: MIT */
/* test_gemm.c: matrix products bit for bit against a reference written from the contract (docs/kernels_gemm.md): panels of GMI_KC fused
 * multiply-adds from +0, added in order, slabs likewise. Every level of this CPU, strides of all kinds, batches, task counts, packed and not.
 * Memory around A, B, C is NaN or a mark, C, scratch and shared are NaN before each use, tasks run backwards.
 * In a build with a CBLAS its products (gmi_gemm_plan.blas) are compared within the bound of any order of additions, n eps sum |a b|; infinities and NaN
 * have to be where they belong there too. */
#include "tap.h"
#include "base/base.h"
#include "kernels/gemm.h"

#ifdef GMI_ORACLE
static gmi_real one_fma(gmi_real a, gmi_real b, gmi_real c) { return a * b + c; }
#else
static gmi_real one_fma(gmi_real a, gmi_real b, gmi_real c) { return fmaf(a, b, c); }
#endif

typedef struct mat {
    gmi_real *base, *p; /* p lies inside base: 64 marks before and behind */
    int64_t count, bs, rs, cs;
} mat;

typedef struct problem {
    int64_t batch, m, n, k;
    int a_kind, b_kind; /* 0 row-major, 1 transposed, 2 both strides odd, 3 row-major with a long row */
    int share_a, share_b, long_c, keep, special, pieces;
    int32_t tasks;
} problem;

static const gmi_real *expect;
static double *magnitude; /* of each element: sum |a b| when it is finite, else 0 */
static int by_blas;
static int64_t terms_of_sum, blas_plans;
static int64_t seen_n, seen_ld, seen_bad;
static const mat *seen_c;
static unsigned char *seen;
static int64_t c_m;

/* Whether got is element `at`. */
static int right(const gmi_real *got, int64_t at)
{
    if (!memcmp(got, expect + at, sizeof *got) || (*got != *got && expect[at] != expect[at])) return 1;
    return by_blas && fabs((double)*got - (double)expect[at]) <= (double)(terms_of_sum + 2) * 1.2e-7 * magnitude[at];
}

/* Every element once, complete when it is announced. */
static void epilogue(void *user, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int32_t task)
{
    if (user != &seen_bad || task < 0) seen_bad++;
    for (int64_t i = m0; i < m1; i++)
        for (int64_t j = n0; j < n1; j++) {
            const gmi_real *c = seen_c->p + i / c_m * seen_c->bs + i % c_m * seen_c->rs + j;
            if (seen[i * seen_n + j]++ || !right(c, i * seen_n + j)) seen_bad++;
        }
}

static uint64_t state = 88172645463325252u;
static gmi_real draw(int special)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    if (special && state % 97 == 0) return (gmi_real)INFINITY;
    if (special && state % 89 == 0) return (gmi_real)1e-40f;
    if (special && state % 83 == 0) return (gmi_real)-0.0;
    return (gmi_real)((float)(int32_t)(state >> 32) * (1.0f / 2147483648.0f)) * (state % 7 == 0 ? (gmi_real)1e4 : 1);
}

static const gmi_real mark = (gmi_real)12345.5;
static mat make(int64_t batch, int64_t rows, int64_t cols, int kind, int share, int special)
{
    mat a;
    int64_t step;
    a.rs = kind == 1 ? 1 : kind == 2 ? 3 * cols + 1 : kind == 3 ? cols + 5 : cols;
    a.cs = kind == 1 ? rows : kind == 2 ? 3 : 1;
    if (kind == 1 && rows == 0) a.cs = 1;
    step = rows && cols ? (rows - 1) * a.rs + (cols - 1) * a.cs + 1 : 0;
    a.bs = share ? 0 : kind == 0 || kind == 1 ? rows * cols : step + 7;
    a.count = batch && step ? (batch - 1) * a.bs + step : 0;
    a.base = malloc((size_t)(a.count + 128) * sizeof *a.base);
    a.p = a.base + 64;
    for (int64_t i = 0; i < a.count + 128; i++) a.base[i] = (gmi_real)NAN;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++) a.p[b * a.bs + i * a.rs + j * a.cs] = draw(special);
    return a;
}

static void reference(const problem *q, const mat *a, const mat *b, gmi_real *c)
{
    for (int64_t s = 0; s < q->batch; s++)
        for (int64_t i = 0; i < q->m; i++)
            for (int64_t j = 0; j < q->n; j++) {
                const gmi_real *x = a->p + s * a->bs + i * a->rs, *y = b->p + s * b->bs + j * b->cs;
                gmi_real total = 0, slab = 0, panel = 0;
                double sum = 0;
                int64_t slab_terms = q->k > GMI_SLAB * GMI_KC ? GMI_SLAB * GMI_KC : q->k + 1;
                for (int64_t t = 0; t < q->k; t++) {
                    sum += fabs((double)x[t * a->cs] * (double)y[t * b->rs]);
                    panel = one_fma(x[t * a->cs], y[t * b->rs], t % GMI_KC ? panel : 0);
                    if ((t + 1) % GMI_KC && t + 1 < q->k) continue;
                    slab = t % slab_terms < GMI_KC ? panel : slab + panel;
                    if ((t + 1) % slab_terms && t + 1 < q->k) continue;
                    total = t < slab_terms ? slab : total + slab;
                }
                c[(s * q->m + i) * q->n + j] = total;
                magnitude[(s * q->m + i) * q->n + j] = sum - sum == 0 ? sum : 0;
            }
}

static void *poison(uint64_t bytes, unsigned offset)
{
    unsigned char *p = malloc((size_t)bytes + 64 + offset);
    memset(p, 0xff, (size_t)bytes + 64 + offset); /* 0xffffffff is a NaN */
    return p;
}

static int64_t differences(const problem *q, const mat *c)
{
    int64_t bad = 0;
    for (int64_t i = 0; i < 64; i++) bad += c->base[i] != mark || c->p[c->count + i] != mark;
    for (int64_t s = 0; s < q->batch; s++)
        for (int64_t i = 0; i < q->m; i++) {
            const gmi_real *row = c->p + s * c->bs + i * c->rs;
            for (int64_t j = 0; j < q->n; j++) bad += !right(row + j, (s * q->m + i) * q->n + j);
            for (int64_t j = q->n; j < c->rs && i + 1 < q->m && q->n; j++) bad += row[j] != mark;
        }
    return bad;
}

static void execute(const gmi_gemm_plan *p, const gmi_kernels *t, gmi_gemm_io *io)
{
    for (int32_t phase = 0; phase < p->phases; phase++)
        for (int32_t i = p->tasks - 1; i >= 0; i--) {
            unsigned char *scratch = poison(p->thread_bytes, 4);
            gmi_gemm_run(p, t, io, phase, i, scratch + 4);
            for (int x = 0; x < 64; x++) seen_bad += scratch[4 + p->thread_bytes + (unsigned)x] != 0xff;
            free(scratch);
        }
}

static int64_t run_level(const problem *q, const gmi_kernels *t, const mat *a, const mat *b, const gmi_real *want, gmi_gemm_plan *p)
{
    mat c = make(q->batch, q->m, q->n, q->long_c ? 3 : 0, 0, 0);
    gmi_gemm_io io;
    int64_t bad = 0;
    unsigned char *shared;
    memset(p, 0, sizeof *p), memset(&io, 0, sizeof io);
    p->batch = q->batch, p->m = q->m, p->n = q->n, p->k = q->k;
    p->a_rs = a->rs, p->a_cs = a->cs, p->a_bs = a->bs, p->b_rs = b->rs, p->b_cs = b->cs, p->b_bs = b->bs, p->c_rs = c.rs, p->c_bs = c.bs;
    p->keep_b = q->keep;
    if (gmi_gemm_plan_init(p, t, q->tasks) || p->tasks < 1) return -1;
    if (q->pieces && !p->blas ? p->tasks < 2 * q->tasks && t->mr_apart < t->mr : p->tasks > q->tasks) return -1;
    if (p->blas && t->level == GM_SIMD_SCALAR) return -1;
    by_blas = p->blas, terms_of_sum = q->k, blas_plans += p->blas;
    shared = poison(p->shared_bytes, 12);
    for (int pass = 0; pass < 1 + q->keep; pass++) {
        for (int64_t i = 0; i < c.count + 128; i++) c.base[i] = mark;
        for (int64_t s = 0; s < q->batch; s++)
            for (int64_t i = 0; i < q->m; i++)
                for (int64_t j = 0; j < q->n; j++) c.p[s * c.bs + i * c.rs + j] = (gmi_real)NAN;
        seen_n = q->n, seen_ld = c.rs, seen_c = &c, expect = want, c_m = q->m, seen_bad = 0;
        seen = calloc((size_t)(q->batch * q->m * q->n + 1), 1);
        io.a = a->p, io.b = b->p, io.c = c.p, io.epilogue = epilogue, io.epilogue_user = &seen_bad, io.shared = shared + 12, io.packed = pass;
        execute(p, t, &io);
        for (int64_t i = 0; i < q->batch * q->m * q->n; i++) seen_bad += seen[i] != 1;
        for (int x = 0; x < 64; x++) seen_bad += shared[12 + p->shared_bytes + (unsigned)x] != 0xff;
        free(seen);
        bad += seen_bad + differences(q, &c);
    }
    free(shared), free(c.base);
    return bad;
}

static gmi_kernels tables[8];
static int levels;

static void check(const problem *q)
{
    mat a = make(q->batch, q->m, q->k, q->a_kind, q->share_a, q->special), b = make(q->batch, q->k, q->n, q->b_kind, q->share_b, q->special);
    gmi_real *want = malloc((size_t)(q->batch * q->m * q->n + 1) * sizeof *want);
    int64_t bad = 0;
    magnitude = malloc((size_t)(q->batch * q->m * q->n + 1) * sizeof *magnitude);
    reference(q, &a, &b, want);
    for (int i = 0; i < levels; i++) {
        gmi_gemm_plan p;
        int64_t d = run_level(q, &tables[i], &a, &b, want, &p);
        if (d) printf("# level %d: %" PRId64 " wrong (mode %d, grid %d %d %d %d)\n", (int)tables[i].level, d, (int)p.priv[0], (int)p.priv[1], (int)p.priv[2], (int)p.priv[3], (int)p.priv[4]);
        bad += d != 0;
    }
    if (bad || !(state % 16) || q->k > 8000 || q->pieces)
        ok(!bad, "%dx%dx%dx%d a%d b%d tasks %d keep %d", (int)q->batch, (int)q->m, (int)q->n, (int)q->k, q->a_kind, q->b_kind, (int)q->tasks, q->keep);
    free(a.base), free(b.base), free(want), free(magnitude);
}

static int64_t pick(const int64_t *from, int64_t n)
{
    (void)draw(0);
    return from[(state >> 20) % (uint64_t)n];
}

static void sweep(int count)
{
    static const int64_t m[] = {0, 1, 2, 3, 5, 6, 7, 8, 9, 13, 17, 31, 64, 67, 131}, n[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67, 101},
                         k[] = {0, 1, 2, 5, 16, 31, 67, 127, 511, 512, 513, 700, 1024, 1025, 1537};
    int before = tap_failed;
    for (int i = 0; i < count; i++) {
        problem q;
        memset(&q, 0, sizeof q);
        q.batch = i % 5 == 0 ? 1 + i % 4 : 1;
        q.m = pick(m, 15), q.n = pick(n, 15), q.k = pick(k, 15);
        while (q.batch * q.m * q.n * q.k > 400000) q.m = pick(m, 15), q.n = pick(n, 15); /* the reference takes its time */
        q.a_kind = (int)(state >> 33) % 4, q.b_kind = (int)(state >> 37) % 4;
        q.share_b = (int)(state >> 41) % 2, q.share_a = (int)(state >> 45) % 4 == 0;
        q.long_c = (int)(state >> 49) % 2, q.keep = (int)(state >> 51) % 2, q.special = i % 4 == 3;
        q.tasks = 1 + (int32_t)((state >> 55) % 7);
        check(&q);
    }
    ok(tap_failed == before, "%d random problems, every level", count);
}

/* Products that a BLAS is given, cut into tasks or not, among them those that it cannot take. */
static void large(void)
{
    static const int64_t side[] = {8, 16, 33, 64, 130, 257};
    int before = tap_failed;
    blas_plans = 0;
    for (int i = 0; i < 48; i++) {
        problem q;
        memset(&q, 0, sizeof q);
        q.batch = i % 5 == 0 ? 3 : 1, q.m = side[i % 6], q.n = side[(i + i / 6) % 6], q.k = i % 7 == 0 ? 700 : 90 + i;
        q.a_kind = i % 4, q.b_kind = i / 4 % 4, q.tasks = 1 + i % 5, q.long_c = i % 2, q.special = i % 3 == 2, q.keep = i % 8 == 1, q.share_b = i % 10 == 5;
        check(&q);
    }
    ok(tap_failed == before && blas_plans > 0, "48 products, %d of them and of their levels by the BLAS", (int)blas_plans);
}

/* Few rows: columns are cut into more pieces than there are tasks where rows of A are copied side by side (AVX-512). */
static void pieces(void)
{
    static const int64_t size[][3] = {{60, 600, 530}, {33, 1000, 700}, {14, 2000, 512}, {131, 401, 600}};
    for (int i = 0; i < 16; i++) {
        problem q;
        memset(&q, 0, sizeof q);
        q.batch = 1, q.m = size[i % 4][0], q.n = size[i % 4][1], q.k = size[i % 4][2];
        q.a_kind = i / 4 % 2, q.b_kind = i / 2 % 2, q.tasks = 2 + i % 3 / 2, q.long_c = i % 2, q.special = i % 5 == 4, q.pieces = 1;
        check(&q);
    }
}

int main(void)
{
    static const gm_simd all[] = {GM_SIMD_SCALAR, GM_SIMD_SSE2, GM_SIMD_AVX2, GM_SIMD_AVX512, GM_SIMD_NEON};
    uint32_t have = gmi_cpu_simd();
    problem q;
    for (int i = 0; i < 5; i++)
        if (!gmi_kernels_fill(&tables[levels], all[i], have)) levels++;
    ok(levels >= 1, "%d levels", levels);
    sweep(600);
    pieces();
    if (TAP_BLAS) large();
    for (int i = 0; i < 12; i++) { /* slabs: 16 panels are one, a term more are two */
        static const int64_t k[] = {8191, 8192, 8193, 16384, 16385, 25000};
        memset(&q, 0, sizeof q);
        q.batch = i == 3 ? 2 : 1, q.m = i < 6 ? 7 : 1, q.n = i < 6 ? 19 : 3, q.k = k[i % 6], q.tasks = i % 2 ? 5 : 1, q.a_kind = i % 2, q.b_kind = i % 3, q.keep = i % 4 == 1;
        check(&q);
    }
    return done();
}
