/* SPDX-License-Identifier: MIT */
/* checkkern.c: every kernel at every SIMD level of this machine against the scalar reference, bit for bit (NaN equals NaN).
 *
 * Sizes 0..67 and some primes; ordinary numbers, all exponents, and a mix of zeros, infinities, NaN and subnormals; out of place and in place. Each array
 * lies between two pages that fault when touched, once flush with the page behind it, once with the page before it and at every offset from it; the rest of its
 * own pages holds marks that must survive. A difference is reported with its place and both values, a fault with the kernel that made it.
 * `checkkern --bench [word]` instead prints nanoseconds per element in L1 for each level (of kernels whose name holds the word). */
#include "tap.h"
#include "base/base.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include <fcntl.h>
#include <float.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PROFILE UINT64_C(0x51d057c800d338ed) /* see digest() */
enum { ARRAYS = 6, PAGES_BYTES = 1 << 15 };
typedef struct array {
    int64_t n;
    int32_t bytes; /* of an element */
    int32_t range; /* 0 as the round asks; 1 non-negative (second moments); 2 bytes */
    unsigned char *p;
} array;
/* A kernel as one call on arrays; p[0] is the output, others may change too. */
typedef struct kernel_case {
    const char *name;
    int32_t op, count;
    int64_t n, cols, stride;
    void (*size)(struct kernel_case *k); /* fills a[] from n, cols */
    void (*call)(const struct kernel_case *k, const gmi_kernels *t);
    int32_t in_place; /* array 1 may be array 0 */
    gmi_real p;
    array a[ARRAYS];
} kernel_case;

static unsigned char *pages[ARRAYS]; /* PAGES_BYTES each, a forbidden page on both sides */
static const char *now_kernel = "setup", *now_level = "";
static int64_t now_n;
static gmi_kernels scalar;

static void fault(int sig)
{
    printf("Bail out! signal %d in %s at level %s, n = %" PRId64 "\n", sig, now_kernel, now_level, now_n);
    fflush(stdout);
    _exit(1);
}

static void map_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct sigaction act;
    int zero = open("/dev/zero", O_RDWR);
    for (int i = 0; i < ARRAYS; i++) {
        unsigned char *m = mmap(NULL, PAGES_BYTES + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
        if (m == MAP_FAILED || mprotect(m, page, PROT_NONE) || mprotect(m + page + PAGES_BYTES, page, PROT_NONE)) {
            printf("Bail out! no memory map\n");
            exit(1);
        }
        pages[i] = m + page;
    }
    close(zero);
    memset(&act, 0, sizeof act);
    act.sa_handler = fault;
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
    sigaction(SIGILL, &act, NULL);
}

/* ---- inputs ---- */
static uint64_t state;
static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}
static gmi_real number(int kind, int range)
{
    static const gmi_real special[] = {(gmi_real)0.0,       (gmi_real)-0.0,      (gmi_real)INFINITY,         (gmi_real)-INFINITY, (gmi_real)NAN,    (gmi_real)1e-40f,
                                       (gmi_real)-1e-42f,   (gmi_real)1.4e-45f,  (gmi_real)1.17549435e-38f,  (gmi_real)FLT_MAX,   (gmi_real)-FLT_MAX, 1,
                                       -1,                  (gmi_real)0.5,       (gmi_real)88.8,             (gmi_real)-103.9,    (gmi_real)8388608.5, (gmi_real)1e9,
                                       (gmi_real)-3e10,     (gmi_real)-2.5,      (gmi_real)9.999,            10,                  (gmi_real)6e-31,  (gmi_real)-7.9e-31};
    gmi_real x;
    if (kind == 1)
        x = special[draw() % (sizeof special / sizeof special[0])];
    else if (kind == 2) {
        uint32_t u = draw();
        float f;
        memcpy(&f, &u, sizeof f);
        x = (gmi_real)f;
    } else
        x = (gmi_real)((float)(int32_t)draw() * (draw() % 8 ? 1.0f / 1073741824 : 1.0f / 67108864));
    return range == 1 && x < 0 ? -x : x;
}

/* Puts array i at its place for `round` and fills it; the rest is marks. Returns the bytes' place. */
static void prepare(kernel_case *k, int round, int kind, int alias)
{
    state = (uint64_t)(k->n * 64 + round * 8 + kind);
    for (int i = 0; i < k->count; i++) {
        array *a = &k->a[i];
        size_t bytes = (size_t)(a->n * a->bytes);
        memset(pages[i], 0xa5, PAGES_BYTES);
        a->p = round == 0 ? pages[i] + PAGES_BYTES - bytes : pages[i] + (size_t)((round - 1 + i) % 17 * a->bytes);
        for (int64_t j = 0; j < a->n; j++) {
            gmi_real x = number(kind, a->range);
            if (a->bytes == 1)
                a->p[j] = (unsigned char)draw();
            else
                memcpy(a->p + j * (int64_t)sizeof x, &x, sizeof x);
        }
    }
    if (alias)
        k->a[1].p = k->a[0].p;
}

static int differ(gmi_real a, gmi_real b)
{
    return memcmp(&a, &b, sizeof a) != 0 && !(a != a && b != b);
}

/* Compares all pages with what the scalar table left; reports the first difference. */
static int compare(const kernel_case *k, unsigned char *const *want)
{
    for (int i = 0; i < k->count; i++) {
        const array *a = &k->a[i];
        if (memcmp(pages[i], want[i], PAGES_BYTES) == 0) continue;
        int64_t begin = (i == 1 && a->p == k->a[0].p ? 0 : a->p - pages[i]), bytes = a->n * a->bytes;
        for (int64_t j = 0; j < PAGES_BYTES; j++) {
            gmi_real x, y;
            int64_t e = (j - begin) / a->bytes;
            if (pages[i][j] == want[i][j]) continue;
            if (j < begin || j >= begin + bytes || a->bytes == 1) {
                printf("# %s %s n %" PRId64 " array %d: byte %" PRId64 " beside [0, %" PRId64 ") written\n", now_level, k->name, k->n, i, j - begin, bytes);
                return 0;
            }
            memcpy(&x, pages[i] + begin + e * a->bytes, sizeof x);
            memcpy(&y, want[i] + begin + e * a->bytes, sizeof y);
            if (!differ(x, y)) continue;
            printf("# %s %s n %" PRId64 " array %d element %" PRId64 ": %.9g (%a), scalar %.9g (%a)\n", now_level, k->name, k->n, i, e, (double)x, (double)x,
                   (double)y, (double)y);
            return 0;
        }
    }
    return 1;
}

/* One size: all kinds of input and places. */
static int check_size(kernel_case *k, const gmi_kernels *t, unsigned char *const *want)
{
    int good = 1;
    k->size(k);
    now_n = k->n;
    for (int kind = 0; good && kind < 3; kind++)
        for (int round = 0; good && round < 2; round++)
            for (int alias = 0; good && alias <= (k->in_place && round); alias++) {
                int shift = round ? (int)(k->n + 3 * kind) % 17 + 1 : 0;
                prepare(k, shift, kind, alias);
                now_level = "scalar";
                k->call(k, &scalar);
                for (int i = 0; i < k->count; i++) memcpy(want[i], pages[i], PAGES_BYTES);
                prepare(k, shift, kind, alias);
                now_level = gm_simd_name(t->level);
                k->call(k, t);
                good = compare(k, want);
            }
    return good;
}

static void check(kernel_case *k, const gmi_kernels *t)
{
    static const int64_t more[] = {97, 131, 257, 511, 512, 513, 1031, 1537, 2053, 4099};
    unsigned char *want[ARRAYS];
    int good = 1;
    now_kernel = k->name;
    for (int i = 0; i < ARRAYS; i++) want[i] = malloc(PAGES_BYTES);
    for (k->n = 0; good && k->n < 68; k->n++) good = check_size(k, t, want);
    for (size_t i = 0; good && i < sizeof more / sizeof more[0]; i++) {
        k->n = more[i];
        k->size(k);
        for (int j = 0; j < k->count; j++)
            if (k->a[j].n * k->a[j].bytes > PAGES_BYTES - 256) k->n = -1;
        if (k->n >= 0) good = check_size(k, t, want);
    }
    ok(good, "%s %s = scalar", gm_simd_name(t->level), k->name);
    for (int i = 0; i < ARRAYS; i++) free(want[i]);
}

/* ---- the kernels as cases ---- */
#define R(i) ((gmi_real *)(void *)k->a[i].p)
static void set(kernel_case *k, int i, int64_t n, int32_t bytes, int32_t range)
{
    k->a[i].n = n, k->a[i].bytes = bytes, k->a[i].range = range;
}
static void size_same(kernel_case *k)
{
    for (int i = 0; i < k->count; i++) set(k, i, k->n, sizeof(gmi_real), 0);
}
static void size_rows(kernel_case *k)
{
    set(k, 0, k->cols, sizeof(gmi_real), 0);
    set(k, 1, k->n == 0 ? 0 : (k->cols - 1) * (k->n + 3) + k->n, sizeof(gmi_real), 0);
}
static void size_cols(kernel_case *k)
{
    k->stride = k->cols + 2;
    set(k, 0, k->cols, sizeof(gmi_real), 0);
    set(k, 1, k->n == 0 ? 0 : (k->n - 1) * k->stride + k->cols, sizeof(gmi_real), 0);
}
static void size_block(kernel_case *k)
{
    size_cols(k);
    if (k->n > GMI_RB) k->a[1].n = PAGES_BYTES; /* too long for one block: left out */
}
static void size_lanes(kernel_case *k)
{
    set(k, 0, k->cols, sizeof(gmi_real), 0);
    set(k, 1, k->n * k->cols, sizeof(gmi_real), 0);
    if (k->n > GMI_RB) k->a[1].n = PAGES_BYTES;
}
static void size_blocks(kernel_case *k)
{
    set(k, 0, (k->n + GMI_RB - 1) / GMI_RB, sizeof(gmi_real), 0);
    set(k, 1, k->n, sizeof(gmi_real), 0);
}
static void size_copy(kernel_case *k)
{
    set(k, 0, k->n == 0 ? 0 : (k->cols - 1) * (k->n + 5) + k->n, sizeof(gmi_real), 0);
    set(k, 1, k->n == 0 ? 0 : (k->cols - 1) * (k->n + 3) + k->n, sizeof(gmi_real), 0);
}
static void size_transpose(kernel_case *k)
{
    size_copy(k);
    k->stride = k->cols + 2;
    set(k, 0, k->n == 0 ? 0 : (k->n - 1) * k->stride + k->cols, sizeof(gmi_real), 0);
}
static void size_one(kernel_case *k)
{
    set(k, 0, 1, sizeof(gmi_real), 0);
    set(k, 1, k->n, sizeof(gmi_real), 0);
}
static void size_u8(kernel_case *k)
{
    set(k, 0, k->n, sizeof(gmi_real), 0);
    set(k, 1, k->n, 1, 2);
}
static void size_optim(kernel_case *k)
{
    for (int i = 0; i < k->count; i++) set(k, i, k->n, sizeof(gmi_real), i >= 2 && k->op != GMI_O_momentum);
}
static void call_unary(const kernel_case *k, const gmi_kernels *t) { t->unary[k->op](k->n, R(0), R(1), k->p); }
static void call_binary(const kernel_case *k, const gmi_kernels *t) { t->binary[k->op](k->n, R(0), R(1), R(2)); }
static void call_scalar(const kernel_case *k, const gmi_kernels *t) { t->binary_scalar[k->op](k->n, R(0), R(1), k->p); }
static void call_select(const kernel_case *k, const gmi_kernels *t) { t->select(k->n, R(0), R(1), R(2), R(3)); }
static void call_fused(const kernel_case *k, const gmi_kernels *t)
{
    const gmi_real *const in[GMI_FUSED_IN] = {R(1), R(2), R(3), R(4), R(5)};
    t->fused[k->op](k->n, R(0), in, k->p, (gmi_real)1.25, (gmi_real)-0.5);
}
static void call_pair(const kernel_case *k, const gmi_kernels *t) { t->softplus_sigmoid(k->n, R(0), R(1), R(2)); }
static void call_sum_rows(const kernel_case *k, const gmi_kernels *t) { t->sum_rows(k->cols, k->n, R(1), k->n + 3, R(0)); }
static void call_max_rows(const kernel_case *k, const gmi_kernels *t) { t->max_rows(k->cols, k->n, R(1), k->n + 3, R(0)); }
static void call_copy(const kernel_case *k, const gmi_kernels *t) { t->copy_rows(k->cols, k->n, R(1), k->n + 3, R(0), k->n + 5); }
static void call_transpose(const kernel_case *k, const gmi_kernels *t) { t->transpose(k->cols, k->n, R(1), k->n + 3, R(0), k->stride); }
static void call_sum_cols(const kernel_case *k, const gmi_kernels *t) { t->sum_cols(k->n, k->cols, R(1), k->stride, R(0)); }
static void call_max_cols(const kernel_case *k, const gmi_kernels *t) { t->max_cols(k->n, k->cols, R(1), k->stride, R(0)); }
static void call_block(const kernel_case *k, const gmi_kernels *t) { t->sum_block_cols(k->n, k->cols, R(1), k->stride, R(0)); }
static void call_lanes(const kernel_case *k, const gmi_kernels *t)
{
    gmi_real lanes[16 * GMI_LANE_LD(67)] = {0};
    t->sum_lanes(0, k->n / 3, k->cols, R(1), lanes);
    t->sum_lanes(k->n / 3, k->n - k->n / 3, k->cols, R(1) + k->n / 3 * k->cols, lanes);
    t->sum_lane_fold(k->cols, lanes, R(0));
}
static void call_fold(const kernel_case *k, const gmi_kernels *t) { t->sum_fold_cols(k->n, k->cols, R(1), k->stride, R(0)); }
static void call_sumsq(const kernel_case *k, const gmi_kernels *t) { t->sumsq_blocks(k->n, R(1), R(0)); }
static void call_finite(const kernel_case *k, const gmi_kernels *t)
{
    gmi_real *x = R(1);
    if (k->n > 0 && k->op) { /* all good but one element */
        for (int64_t i = 0; i < k->n; i++) x[i] = (gmi_real)i - 5;
        x[(k->n * 7 / 11)] = (gmi_real)(k->n % 2 ? INFINITY : NAN);
    }
    *R(0) = (gmi_real)t->all_within(k->n, x, -GMI_REAL_MAX, GMI_REAL_MAX);
}
static void call_axpby(const kernel_case *k, const gmi_kernels *t) { t->axpby(k->n, R(0), (gmi_real)0.001, R(1), (gmi_real)0.999); }
static void call_u8(const kernel_case *k, const gmi_kernels *t) { t->from_u8(k->n, R(0), k->a[1].p, (gmi_real)(1.0 / 255), (gmi_real)-0.3); }
static const uint32_t key[2] = {0xa4093822, 0x299f31d0}, ctr[3] = {0x85a308d3, 0x13198a2e, 0x03707344};
static void call_uniform(const kernel_case *k, const gmi_kernels *t) { t->uniform(k->n, R(0), key, ctr); }
static void call_normal(const kernel_case *k, const gmi_kernels *t) { t->normal(k->n, R(0), key, ctr); }
static void call_optim(const kernel_case *k, const gmi_kernels *t)
{
    gmi_optim_args a = {(gmi_real)0.01, (gmi_real)0.9, (gmi_real)0.999, (gmi_real)1e-8, (gmi_real)0.01, (gmi_real)0.9, (gmi_real)0.1, (gmi_real)0.99,
                        (gmi_real)0.19, (gmi_real)0.045, (gmi_real)0.5, 0, 0, 0, 0, 0, 0};
    int v = (int)k->p;
    if (v & 1) a.nesterov = a.decoupled = a.maximize = 1, a.clip_value = (gmi_real)0.7;
    if (v & 2) a.first = 1, a.centered = 1, a.weight_decay = 0;
    t->optim[k->op](k->n, R(0), R(1), k->count > 2 ? R(2) : NULL, k->count > 3 ? R(3) : NULL, &a);
}

/* One register tile against fused multiply-adds in order: tables differ in their tile, so scalar is no reference here. */
#ifdef GMI_ORACLE
#define FMA(a, b, c) ((a) * (b) + (c))
#else
#define FMA fmaf
#endif
/* side: the rows lie side by side, with a step of `side` from term to term; 0 = three segments of rows that lie apart */
static int tile_once(const gmi_kernels *t, int32_t m, int32_t n, int accumulate, int kind, int32_t side)
{
    enum { SEG = 3, LONG = 9 };
    static gmi_real am[SEG * GMI_MR_MAX * LONG * 2], bm[SEG * LONG * 64], c[GMI_MR_MAX * 80], want[GMI_MR_MAX * 80];
    const gmi_real *a[SEG * GMI_MR_MAX];
    int64_t len[SEG] = {LONG, 0, 5}, ldc = t->nr + 7, segments = side ? 1 : SEG, cs = side ? side : 2;
    gmi_tile_args args;
    state = (uint64_t)(m * 64 + n);
    for (size_t i = 0; i < sizeof am / sizeof am[0]; i++) am[i] = number(kind, 0);
    for (size_t i = 0; i < sizeof bm / sizeof bm[0]; i++) bm[i] = number(kind, 0);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) c[i] = want[i] = number(0, 0);
    for (int i = 0; i < SEG * GMI_MR_MAX; i++) a[i] = side ? am + i : am + i * LONG * 2;
    for (int32_t i = 0; i < m; i++)
        for (int32_t j = 0; j < n; j++) {
            gmi_real s = 0;
            for (int64_t seg = 0, row = 0; seg < segments; seg++)
                for (int64_t e = 0; e < len[seg]; e++, row++) s = FMA(a[seg * GMI_MR_MAX + i][e * cs], bm[row * t->nr + j], s);
            want[i * ldc + j] = accumulate ? want[i * ldc + j] + s : s;
        }
    memset(&args, 0, sizeof args);
    args.segments = segments, args.a = a, args.len = len, args.a_cs = cs, args.a_side = side > 0, args.b = bm, args.c = c, args.ldc = ldc, args.m = m, args.n = n, args.accumulate = accumulate;
    t->tile(&args);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        if (differ(c[i], want[i])) {
            printf("# tile m %d n %d: element %d is %a, not %a\n", m, n, (int)i, (double)c[i], (double)want[i]);
            return 0;
        }
    return 1;
}
static void check_tile(const gmi_kernels *t)
{
    int good = t->mr <= GMI_MR_MAX && t->nr <= 64;
    now_kernel = "tile";
    for (int32_t m = 1; good && m <= t->mr; m++)
        for (int32_t n = 1; good && n <= t->nr; n++)
            for (int kind = 0; good && kind < 3; kind++) {
                if (m <= t->mr_apart || !t->mr_apart) good = tile_once(t, m, n, n % 2, kind, 0);
                good = good && tile_once(t, m, n, n % 2, kind, m) && tile_once(t, m, n, n % 2, kind, m + 1);
            }
    ok(good, "%s tile = fma in order, %d x %d", gm_simd_name(t->level), t->mr, t->nr);
}

/* Two chains that go on, or one given twice, with numbers beside the ones that may be written. */
static int lanes_once(const gmi_kernels *t, int64_t terms, int kind, int twice)
{
    enum { TERMS = 19, LD = GMI_LANES_VECTORS * 16 + 9 };
    static gmi_real am[2 * TERMS], bm[TERMS * LD], c[2 * LD], want[2 * LD];
    const int64_t n = GMI_LANES_VECTORS * t->width;
    state = (uint64_t)(terms * 4 + kind);
    for (size_t i = 0; i < sizeof am / sizeof am[0]; i++) am[i] = number(kind, 0);
    for (size_t i = 0; i < sizeof bm / sizeof bm[0]; i++) bm[i] = number(kind, 0);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) c[i] = want[i] = number(kind, 0);
    for (int64_t r = 0; r < 2 - twice; r++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t e = 0; e < terms; e++) want[r * LD + 1 + j] = FMA(am[r * TERMS + e], bm[e * LD + j], want[r * LD + 1 + j]);
    t->lanes(terms, am, am + (twice ? 0 : TERMS), bm, LD, c + 1, c + 1 + (twice ? 0 : LD));
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        if (differ(c[i], want[i])) {
            printf("# lanes, %d terms: element %d is %a, not %a\n", (int)terms, (int)i, (double)c[i], (double)want[i]);
            return 0;
        }
    return 1;
}
static void check_lanes(const gmi_kernels *t)
{
    int good = 1;
    now_kernel = "lanes";
    if (!t->lanes) return;
    for (int64_t terms = 0; good && terms <= 19; terms++)
        for (int kind = 0; good && kind < 3; kind++) good = lanes_once(t, terms, kind, 0) && lanes_once(t, terms, kind, 1);
    ok(good, "%s lanes = fma in order", gm_simd_name(t->level));
}

/* Every case, in turn to `f`. */
static void each(void (*f)(kernel_case *, const gmi_kernels *), const gmi_kernels *t)
{
#define GMI_ROW(x) #x,
    static const char *const unary[] = {GMI_UNARY_LIST(GMI_ROW)}, *const binary[] = {GMI_BINARY_LIST(GMI_ROW)}, *const optim[] = {GMI_OPTIM_LIST(GMI_ROW)},
                                              *const fused[] = {GMI_FUSED_LIST(GMI_ROW)};
#undef GMI_ROW
    static const struct {
        const char *name;
        void (*size)(kernel_case *), (*call)(const kernel_case *, const gmi_kernels *);
        int64_t cols;
        int32_t count, in_place, op;
    } other[] = {
        {"select", size_same, call_select, 0, 4, 1, 0},          {"sum_rows", size_rows, call_sum_rows, 3, 2, 0, 0},
        {"max_rows", size_rows, call_max_rows, 3, 2, 0, 0},      {"sum_cols 1", size_cols, call_sum_cols, 1, 2, 0, 0},
        {"sum_cols 7", size_cols, call_sum_cols, 7, 2, 0, 0},    {"sum_cols 37", size_cols, call_sum_cols, 37, 2, 0, 0},
        {"sum_cols 67", size_cols, call_sum_cols, 67, 2, 0, 0},  {"max_cols 7", size_cols, call_max_cols, 7, 2, 0, 0},
        {"max_cols 67", size_cols, call_max_cols, 67, 2, 0, 0},  {"sum_block_cols 19", size_block, call_block, 19, 2, 0, 0},
        {"sum_fold_cols 19", size_cols, call_fold, 19, 2, 0, 0}, {"sumsq_blocks", size_blocks, call_sumsq, 0, 2, 0, 0},
        {"all_finite", size_one, call_finite, 0, 2, 0, 0},       {"all_finite but one", size_one, call_finite, 0, 2, 0, 1},
        {"axpby", size_same, call_axpby, 0, 2, 1, 0},            {"from_u8", size_u8, call_u8, 0, 2, 0, 0},
        {"uniform", size_same, call_uniform, 0, 1, 0, 0},        {"normal", size_same, call_normal, 0, 1, 0, 0},
        {"sum_lanes 19", size_lanes, call_lanes, 19, 2, 0, 0},    {"sum_lanes 67", size_lanes, call_lanes, 67, 2, 0, 0},
        {"copy_rows 3", size_copy, call_copy, 3, 2, 0, 0},        {"transpose 5", size_transpose, call_transpose, 5, 2, 0, 0},
        {"transpose 19", size_transpose, call_transpose, 19, 2, 0, 0}, {"softplus_sigmoid", size_same, call_pair, 0, 3, 0, 0},
    };
    static const int32_t states[GMI_O_COUNT] = {2, 3, 4, 4, 3};
    kernel_case k;
    char name[64];
    memset(&k, 0, sizeof k);
    k.name = name;
    for (k.op = 0; k.op < GMI_U_COUNT; k.op++) {
        k.size = size_same, k.call = call_unary, k.count = 2, k.in_place = 1;
        for (int v = 0; v < (k.op == GMI_U_polygamma ? 3 : 1); v++) {
            k.p = k.op == GMI_U_polygamma ? (gmi_real)v : (gmi_real)0.2;
            snprintf(name, sizeof name, k.op == GMI_U_polygamma ? "%s %d" : "%s", unary[k.op], v);
            f(&k, t);
        }
    }
    for (k.op = 0; k.op < GMI_B_COUNT; k.op++) {
        snprintf(name, sizeof name, "%s", binary[k.op]);
        k.call = call_binary, k.count = 3;
        f(&k, t);
        snprintf(name, sizeof name, "%s scalar", binary[k.op]);
        k.call = call_scalar, k.count = 2, k.p = (gmi_real)1.7;
        f(&k, t);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        snprintf(name, sizeof name, "%s", other[i].name);
        k.size = other[i].size, k.call = other[i].call, k.cols = other[i].cols, k.count = other[i].count, k.in_place = other[i].in_place, k.op = other[i].op;
        f(&k, t);
    }
    k.size = size_same, k.call = call_fused, k.count = 1 + GMI_FUSED_IN, k.in_place = 1, k.p = (gmi_real)0.2;
    for (k.op = 0; k.op < GMI_F_COUNT; k.op++) {
        snprintf(name, sizeof name, "%s", fused[k.op]);
        f(&k, t);
    }
    k.size = size_optim, k.call = call_optim, k.in_place = 0;
    for (k.op = 0; k.op < GMI_O_COUNT; k.op++)
        for (int v = 0; v < 4; v++) {
            snprintf(name, sizeof name, "%s %d", optim[k.op], v);
            k.p = (gmi_real)v, k.count = k.op == GMI_O_rmsprop && v == 1 ? 3 : states[k.op];
            f(&k, t);
        }
}

/* ---- one number over all bits of the scalar table ----
 * The same for every compiler, option and machine; it changes when a kernel's bits do (a new numeric profile, see CHANGELOG) or when a kernel is added. */
static uint64_t profile = UINT64_C(0xcbf29ce484222325);
static void mix(uint32_t v)
{
    for (int i = 0; i < 32; i += 8) profile = (profile ^ (v >> i & 255)) * UINT64_C(0x100000001b3);
}
static void digest(kernel_case *k, const gmi_kernels *t)
{
    static const int64_t sizes[] = {1, 37, 515};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int kind = 0; kind < 3; kind++) {
            k->n = k->cols > 7 && s == 2 ? 40 : sizes[s];
            k->size(k);
            prepare(k, 1, kind, 0);
            k->call(k, t);
            for (int i = 0; i < k->count; i++)
                for (int64_t j = 0; k->a[i].bytes == sizeof(float) && j < k->a[i].n; j++) {
                    float x;
                    uint32_t u;
                    memcpy(&x, k->a[i].p + j * (int64_t)sizeof x, sizeof x);
                    memcpy(&u, &x, sizeof u);
                    mix(x != x ? 0x7fc00000 : u);
                }
        }
}

/* ---- benchmark ---- */
static const char *wanted;
static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}
static void bench(kernel_case *k, const gmi_kernels *t)
{
    double best = 1e9;
    int64_t total;
    if (wanted && !strstr(k->name, wanted)) return;
    k->n = k->cols > 0 ? 100 : 2048;
    k->size(k);
    prepare(k, 1, 0, 0);
    for (int64_t i = 0; k->count > 1 && k->a[1].bytes > 1 && i < k->a[1].n; i++) R(1)[i] = R(1)[i] < 0 ? -R(1)[i] : R(1)[i];
    total = k->a[k->count > 1].n;
    for (int r = 0; r < 7; r++) {
        double t0 = seconds(), dt;
        int reps = 20;
        for (int i = 0; i < reps; i++) k->call(k, t);
        dt = (seconds() - t0) / reps / (double)total;
        if (dt < best) best = dt;
    }
    printf("%-8s %-20s %8.3f ns\n", gm_simd_name(t->level), k->name, best * 1e9);
}
#if !defined(GMI_ORACLE)
/* One full tile of 512 terms, per fma. */
static void bench_tile(const gmi_kernels *t)
{
    enum { K = 512 };
    static gmi_real am[GMI_MR_MAX * K], bm[K * 64], c[GMI_MR_MAX * 64];
    const gmi_real *a[GMI_MR_MAX];
    int64_t len = K;
    double best = 1e9;
    gmi_tile_args args;
    if (wanted && !strstr("tile", wanted)) return;
    for (int i = 0; i < GMI_MR_MAX * K; i++) am[i] = number(0, 0);
    for (int i = 0; i < K * 64; i++) bm[i] = number(0, 0);
    for (int i = 0; i < GMI_MR_MAX; i++) a[i] = am + i * K;
    memset(&args, 0, sizeof args);
    args.segments = 1, args.a = a, args.len = &len, args.a_cs = 1, args.b = bm, args.c = c, args.ldc = t->nr, args.m = t->mr, args.n = t->nr;
    if (t->mr_apart) args.m = t->mr_apart;
    for (int r = 0; r < 7; r++) {
        double t0 = seconds(), dt;
        for (int i = 0; i < 20; i++) t->tile(&args);
        dt = (seconds() - t0) / 20 / ((double)K * args.m * t->nr);
        if (dt < best) best = dt;
    }
    printf("%-8s %-20s %8.3f ns, %.2f G/s\n", gm_simd_name(t->level), "tile, per fma", best * 1e9, 1e-9 / best);
}
#else
static void bench_tile(const gmi_kernels *t) { (void)t; }
#endif

int main(int argc, char **argv)
{
    static const gm_simd levels[] = {GM_SIMD_SCALAR, GM_SIMD_SSE2, GM_SIMD_AVX2, GM_SIMD_AVX512, GM_SIMD_NEON};
    int benching = argc > 1 && strcmp(argv[1], "--bench") == 0;
    uint32_t have = gmi_cpu_simd();
    gmi_kernels t;
    wanted = argc > 2 ? argv[2] : NULL;
    map_pages();
    if (gmi_kernels_fill(&scalar, GM_SIMD_SCALAR, have)) return 1;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (gmi_kernels_fill(&t, levels[i], have)) continue;
        now_level = gm_simd_name(levels[i]);
        if (benching) {
            each(bench, &t);
            bench_tile(&t);
            continue;
        }
        printf("# level %s, %d lanes\n", now_level, t.width);
        check_tile(&t);
        check_lanes(&t);
        if (levels[i] != GM_SIMD_SCALAR) each(check, &t);
    }
    if (benching) return 0;
    now_level = "scalar";
    if (sizeof(gmi_real) == sizeof(float)) {
        each(digest, &scalar);
        ok(profile == PROFILE, "bits of the numeric profile: %016" PRIx64, profile);
    }
    return done();
}
