/* SPDX-License-Identifier: MIT */
/* test_conv.c: the convolution triad bit for bit against loops written from gemm.h: for each output element the terms in order, padding taps
 * multiplied by +0, panels and slabs as in docs/kernels_gemm.md. Kernels, strides, dilations, pads, groups, channel counts, every level, task
 * counts, packed weights. Memory around the arrays is NaN or a mark, scratch and shared are NaN, tasks run backwards. Then pooling and
 * resizing against plain definitions and by <A x, y> = <x, A' y>. */
#define _POSIX_C_SOURCE 200809L
#include "tap.h"
#include "base/base.h"
#include "kernels/gemm.h"
#include "kernels/pool2d.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef GMI_ORACLE
static gmi_real one_fma(gmi_real a, gmi_real b, gmi_real c) { return a * b + c; }
#else
static gmi_real one_fma(gmi_real a, gmi_real b, gmi_real c) { return fmaf(a, b, c); }
#endif

static uint64_t state = 88172645463325252u;
static uint64_t bits(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state >> 11;
}
static gmi_real draw(int special)
{
    uint64_t u = bits();
    if (special && u % 97 == 0) return (gmi_real)INFINITY;
    if (special && u % 83 == 0) return (gmi_real)-0.0;
    return (gmi_real)((float)(int32_t)(u >> 16) * (1.0f / 2147483648.0f)) * (u % 7 == 0 ? (gmi_real)1e4 : 1);
}

#define MARGIN 64
static const gmi_real mark = (gmi_real)12345.5;
/* Inputs that end where memory ends: what reads one element behind them faults. */
static int at_end;
static struct mapped {
    unsigned char *base;
    size_t bytes;
    gmi_real *p;
} mapped[4];

static gmi_real *make_at_end(int64_t count, int special)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = ((size_t)count * sizeof(gmi_real) + page - 1) / page * page + page;
    struct mapped *m = mapped;
    const int zero = open("/dev/zero", O_RDWR);
    while (m->base) m++;
    m->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0), m->bytes = bytes;
    close(zero);
    if (m->base == MAP_FAILED || mprotect(m->base + bytes - page, page, PROT_NONE)) {
        printf("Bail out! no memory map\n");
        exit(1);
    }
    m->p = (gmi_real *)(void *)(m->base + bytes - page) - count;
    for (int64_t i = 0; i < count; i++) m->p[i] = draw(special);
    return m->p;
}

static gmi_real *make(int64_t count, int fill, int special)
{
    if (at_end && fill) return make_at_end(count, special);
    gmi_real *base = malloc((size_t)(count + 2 * MARGIN) * sizeof *base);
    for (int64_t i = 0; i < count + 2 * MARGIN; i++) base[i] = fill ? (gmi_real)NAN : mark;
    for (int64_t i = 0; fill && i < count; i++) base[MARGIN + i] = draw(special);
    return base + MARGIN;
}
static void drop(gmi_real *p)
{
    for (struct mapped *m = mapped; m < mapped + 4; m++)
        if (m->base && m->p == p) {
            munmap(m->base, m->bytes);
            m->base = NULL;
            return;
        }
    free(p - MARGIN);
}

/* The canonical sum, one term at a time. */
typedef struct sum {
    gmi_real total, slab, panel;
    int64_t t, k;
} sum;
static void term(sum *s, gmi_real a, gmi_real b)
{
    int64_t slab_terms = s->k > GMI_SLAB * GMI_KC ? GMI_SLAB * GMI_KC : s->k + 1, t = s->t++;
    s->panel = one_fma(a, b, t % GMI_KC ? s->panel : 0);
    if ((t + 1) % GMI_KC && t + 1 < s->k) return;
    s->slab = t % slab_terms < GMI_KC ? s->panel : s->slab + s->panel;
    if ((t + 1) % slab_terms && t + 1 < s->k) return;
    s->total = t < slab_terms ? s->slab : s->total + s->slab;
}

static gmi_real image_at(const gmi_real *x, int64_t h, int64_t w, int64_t c, int64_t n, int64_t y, int64_t z, int64_t ch)
{
    return y < 0 || y >= h || z < 0 || z >= w ? 0 : x[((n * h + y) * w + z) * c + ch];
}

static void reference_conv(const gmi_conv_plan *p, const gmi_real *x, const gmi_real *w, gmi_real *y)
{
    int64_t cg = p->c / p->groups, og = p->co / p->groups;
    for (int64_t n = 0; n < p->n; n++) for (int64_t oh = 0; oh < p->oh; oh++) for (int64_t ow = 0; ow < p->ow; ow++) for (int64_t co = 0; co < p->co; co++) {
        sum s = {0, 0, 0, 0, p->kh * p->kw * cg};
        for (int64_t kh = 0; kh < p->kh; kh++) for (int64_t kw = 0; kw < p->kw; kw++) for (int64_t c = 0; c < cg; c++)
            term(&s, image_at(x, p->h, p->w, p->c, n, oh * p->sh - p->pt + kh * p->dh, ow * p->sw - p->pl + kw * p->dw, co / og * cg + c),
                 w[((co * cg + c) * p->kh + kh) * p->kw + kw]);
        y[((n * p->oh + oh) * p->ow + ow) * p->co + co] = s.total;
    }
}

static int hits(int64_t i, int64_t pad, int64_t k, int64_t dil, int64_t stride) { return (i + pad - k * dil) % stride == 0; }

static void reference_dx(const gmi_conv_plan *p, const gmi_real *y, const gmi_real *w, gmi_real *x)
{
    int64_t cg = p->c / p->groups, og = p->co / p->groups;
    for (int64_t n = 0; n < p->n; n++) for (int64_t h = 0; h < p->h; h++) for (int64_t v = 0; v < p->w; v++) for (int64_t c = 0; c < p->c; c++) {
        sum s = {0, 0, 0, 0, 0};
        for (int64_t kh = 0; kh < p->kh; kh++) for (int64_t kw = 0; kw < p->kw; kw++)
            s.k += hits(h, p->pt, kh, p->dh, p->sh) && hits(v, p->pl, kw, p->dw, p->sw) ? og : 0;
        for (int64_t kh = 0; kh < p->kh; kh++) for (int64_t kw = 0; kw < p->kw; kw++) {
            if (!hits(h, p->pt, kh, p->dh, p->sh) || !hits(v, p->pl, kw, p->dw, p->sw)) continue;
            for (int64_t co = 0; co < og; co++)
                term(&s, image_at(y, p->oh, p->ow, p->co, n, (h + p->pt - kh * p->dh) / p->sh, (v + p->pl - kw * p->dw) / p->sw, c / cg * og + co),
                     w[(((c / cg * og + co) * cg + c % cg) * p->kh + kh) * p->kw + kw]);
        }
        x[((n * p->h + h) * p->w + v) * p->c + c] = s.total;
    }
}

static void reference_dw(const gmi_conv_plan *p, const gmi_real *x, const gmi_real *y, gmi_real *w)
{
    int64_t cg = p->c / p->groups, og = p->co / p->groups;
    for (int64_t co = 0; co < p->co; co++) for (int64_t c = 0; c < cg; c++) for (int64_t kh = 0; kh < p->kh; kh++) for (int64_t kw = 0; kw < p->kw; kw++) {
        sum s = {0, 0, 0, 0, p->n * p->oh * p->ow};
        for (int64_t n = 0; n < p->n; n++) for (int64_t oh = 0; oh < p->oh; oh++) for (int64_t ow = 0; ow < p->ow; ow++)
            term(&s, image_at(x, p->h, p->w, p->c, n, oh * p->sh - p->pt + kh * p->dh, ow * p->sw - p->pl + kw * p->dw, co / og * cg + c),
                 y[((n * p->oh + oh) * p->ow + ow) * p->co + co]);
        w[((co * cg + c) * p->kh + kh) * p->kw + kw] = s.total;
    }
}

static const gmi_real *expect, *announced;
static unsigned char *seen;
static int64_t seen_n, bad_calls;
static int same(gmi_real a, gmi_real b) { return !memcmp(&a, &b, sizeof a) || (a != a && b != b); }
static void epilogue(void *user, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int32_t task)
{
    bad_calls += user != &bad_calls || task < 0;
    for (int64_t i = m0; i < m1; i++)
        for (int64_t j = n0; j < n1; j++) bad_calls += seen[i * seen_n + j]++ != 0 || !same(announced[i * seen_n + j], expect[i * seen_n + j]);
}

static void *poison(uint64_t bytes)
{
    unsigned char *p = malloc((size_t)bytes + 80);
    memset(p, 0xff, (size_t)bytes + 80); /* 0xffffffff is a NaN */
    return p;
}

static int pieces_expected, more_pieces; /* plans may have more tasks than threads; how many had */

/* One plan with one table: differences from the reference, marks overwritten, epilogue calls that were wrong. */
static int64_t run_level(const gmi_conv_plan *q, const gmi_kernels *t, const gmi_real *a, const gmi_real *b, const gmi_real *want, int64_t count, int32_t tasks)
{
    gmi_conv_plan p = *q;
    gmi_conv_io io;
    gmi_real *c = make(count, 0, 0);
    unsigned char *shared;
    int64_t bad = 0;
    memset(&io, 0, sizeof io);
    if (gmi_conv_plan_init(&p, t, tasks) || p.tasks < 1 || (p.tasks > tasks && pieces_expected != 1)) return -1;
    if (pieces_expected) more_pieces += p.tasks > tasks;
    shared = poison(p.shared_bytes);
    io.a = a, io.b = b, io.c = c, io.shared = shared + 12;
    if (p.kind != GMI_CONV_DW) io.epilogue = epilogue, io.epilogue_user = &bad_calls;
    for (int pass = 0; pass < 1 + p.keep_b; pass++) {
        io.packed = pass, bad_calls = 0;
        seen = calloc((size_t)count + 1, 1), expect = want, announced = c, seen_n = p.kind == GMI_CONV ? p.co : p.c;
        for (int64_t i = 0; i < count; i++) c[i] = mark;
        for (int32_t phase = 0; phase < p.phases; phase++)
            for (int32_t i = p.tasks - 1; i >= 0; i--) {
                unsigned char *scratch = poison(p.thread_bytes);
                if (at_end) { /* nothing behind the scratch is read either */
                    gmi_conv_io quiet = io;
                    gmi_real *last = make_at_end((int64_t)(p.thread_bytes / sizeof *last), 0);
                    memset(last, 0xff, (size_t)p.thread_bytes);
                    quiet.epilogue = NULL;
                    gmi_conv_run(&p, t, &quiet, phase, i, last);
                    drop(last);
                }
                gmi_conv_run(&p, t, &io, phase, i, scratch + 4);
                for (int x = 0; x < 64; x++) bad += scratch[4 + p.thread_bytes + (unsigned)x] != 0xff;
                free(scratch);
            }
        for (int64_t i = 0; i < count; i++) bad += !same(c[i], want[i]) || (p.kind != GMI_CONV_DW && seen[i] != 1);
        for (int64_t i = 0; i < MARGIN; i++) bad += c[-1 - i] != mark || c[count + i] != mark;
        for (int x = 0; x < 64; x++) bad += shared[12 + p.shared_bytes + (unsigned)x] != 0xff;
        bad += bad_calls;
        free(seen);
    }
    free(shared), drop(c);
    return bad;
}

static gmi_kernels tables[8];
static int levels;

static int check(gmi_conv_plan q, int special, int32_t tasks, int show)
{
    static const char *const names[] = {"conv", "conv_dx", "conv_dw"};
    int64_t nx = q.n * q.h * q.w * q.c, ny = q.n * q.oh * q.ow * q.co, nw = q.co * q.c / q.groups * q.kh * q.kw;
    gmi_real *x = make(nx, 1, special), *y = make(ny, 1, special), *w = make(nw, 1, special), *want;
    int all = 1;
    for (int kind = 0; kind < 3; kind++) {
        int64_t count = kind == 0 ? ny : kind == 1 ? nx : nw, bad = 0;
        want = malloc((size_t)(count + 1) * sizeof *want);
        q.kind = (gmi_conv_kind)kind;
        if (kind == 0) reference_conv(&q, x, w, want);
        if (kind == 1) reference_dx(&q, y, w, want);
        if (kind == 2) reference_dw(&q, x, y, want);
        for (int i = 0; i < levels; i++) {
            int64_t d = run_level(&q, &tables[i], kind == 1 ? y : x, kind == 2 ? y : w, want, count, tasks);
            if (d) printf("# level %d: %" PRId64 " of %" PRId64 "\n", (int)tables[i].level, d, count);
            bad += d != 0;
        }
        if (bad || show)
            ok(!bad, "%s n%d %dx%dx%d -> %dx%dx%d k%dx%d s%d,%d p%d,%d d%d,%d g%d tasks %d keep %d", names[kind], (int)q.n, (int)q.h, (int)q.w, (int)q.c, (int)q.oh, (int)q.ow,
               (int)q.co, (int)q.kh, (int)q.kw, (int)q.sh, (int)q.sw, (int)q.pt, (int)q.pl, (int)q.dh, (int)q.dw, (int)q.groups, (int)tasks, q.keep_b);
        all &= !bad;
        free(want);
    }
    drop(x), drop(y), drop(w);
    return all;
}

static gmi_conv_plan problem(int64_t n, int64_t h, int64_t w, int64_t c, int64_t co, int64_t k, int64_t s, int64_t p)
{
    gmi_conv_plan q;
    memset(&q, 0, sizeof q);
    q.n = n, q.h = h, q.w = w, q.c = c, q.co = co, q.kh = q.kw = k, q.sh = q.sw = s, q.pt = q.pl = p, q.dh = q.dw = 1, q.groups = 1;
    q.oh = (h + 2 * p - k) / s + 1, q.ow = (w + 2 * p - k) / s + 1;
    return q;
}

/* conv_dx, lanes over pixels, all phases of a unit in one pass: one and two channels, odd sizes, nine phases, phases without taps, one tap each, cut images. */
static void together(void)
{
    gmi_conv_plan flat = problem(2, 1, 300, 1, 8, 1, 2, 1), tall = problem(2, 20, 17, 1, 8, 4, 2, 1);
    check(problem(2, 28, 28, 1, 64, 4, 2, 1), 1, 1, 1);
    check(problem(2, 31, 29, 2, 24, 4, 2, 1), 1, 2, 1);
    check(problem(2, 33, 35, 1, 40, 5, 3, 2), 1, 1, 1);
    check(problem(1, 40, 41, 1, 16, 2, 3, 0), 0, 1, 1);
    check(problem(1, 24, 44, 2, 17, 2, 2, 0), 1, 2, 1);
    check(problem(1, 18, 66, 1, 9, 3, 2, 1), 1, 1, 1);
    check(problem(1, 30, 30, 1, 128, 4, 2, 1), 0, 1, 1); /* a whole panel */
    check(problem(1, 30, 30, 1, 129, 4, 2, 1), 0, 1, 1); /* more: not together */
    check(problem(1, 128, 100, 1, 48, 4, 2, 1), 0, 3, 1);
    flat.kw = 3, flat.ow = 151;
    check(flat, 0, 1, 1); /* its one row has no taps */
    tall.kw = 1, tall.ow = 10;
    check(tall, 1, 2, 1); /* the columns without taps are one more than those with: phase by phase */
}

static void sweep(int count)
{
    static const int64_t channels[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 24, 33};
    int good = 1;
    for (int i = 0; i < count; i++) {
        gmi_conv_plan q;
        int64_t end_h, end_w;
        memset(&q, 0, sizeof q);
        q.groups = bits() % 4 == 0 ? 1 + (int64_t)(bits() % 3) : 1;
        q.n = 1 + (int64_t)(bits() % 3), q.h = 1 + (int64_t)(bits() % 9), q.w = 1 + (int64_t)(bits() % 11);
        q.c = channels[bits() % 12] * q.groups, q.co = channels[bits() % 12] * q.groups;
        q.kh = 1 + (int64_t)(bits() % 5), q.kw = 1 + (int64_t)(bits() % 5), q.sh = 1 + (int64_t)(bits() % 3), q.sw = 1 + (int64_t)(bits() % 3);
        q.dh = 1 + (int64_t)(bits() % 3), q.dw = 1 + (int64_t)(bits() % 3), q.pt = (int64_t)(bits() % 4), q.pl = (int64_t)(bits() % 4);
        if (bits() % 6 == 0) q.h = q.kh = q.sh = 1, q.pt = 0;
        end_h = (int64_t)(bits() % 4), end_w = (int64_t)(bits() % 4);
        q.oh = (q.h + q.pt + end_h - (q.kh - 1) * q.dh - 1) / q.sh + 1, q.ow = (q.w + q.pl + end_w - (q.kw - 1) * q.dw - 1) / q.sw + 1;
        if (q.oh < 1) q.oh = 1;
        if (q.ow < 1) q.ow = 1;
        q.keep_b = (int32_t)(bits() % 2);
        good &= check(q, i % 5 == 4, 1 + (int32_t)(bits() % 6), 0);
    }
    ok(good, "%d random problems, three kinds, every level", count);
}

/* Enough work for more pieces than threads: in whole blocks of a sum, in smaller units, the planar way, and dw of few channels. */
static void pieces(void)
{
    const gmi_conv_plan q[] = {problem(4, 64, 64, 8, 16, 4, 2, 1), problem(2, 64, 64, 16, 32, 4, 2, 1), problem(4, 64, 64, 24, 3, 3, 1, 1),
                              problem(12, 76, 76, 1, 40, 4, 2, 1)}; /* the last: dw of few channels, panels of three slabs */
    pieces_expected = 1;
    for (int i = 0; i < 4; i++) {
        more_pieces = 0;
        check(q[i], i == 1, 2, 1);
        ok(!GM_TRAINING || more_pieces >= levels, "%d of the plans had pieces", more_pieces);
    }
    pieces_expected = 0;
}

/* ---- pooling and resizing ---- */
static gmi_pool2d pool(int64_t h, int64_t w, int64_t oh, int64_t ow, int64_t k, int64_t s, int64_t p, int32_t include)
{
    gmi_pool2d g;
    g.h = h, g.w = w, g.oh = oh, g.ow = ow, g.kh = g.kw = k, g.sh = g.sw = s, g.pt = g.pl = p, g.count_include_pad = include;
    return g;
}

static void check_max(void)
{
    static const gmi_real x[9] = {1, 5, 2, 5, 3, 0, -1, 7, 7};
    gmi_real n[9], y[9], back[9];
    int32_t index[9];
    gmi_pool2d g = pool(3, 3, 2, 2, 2, 1, 0, 0), q = pool(3, 3, 2, 2, 2, 2, 1, 0), far = pool(1, 1, 2, 2, 1, 1, 1, 0);
    gmi_maxpool_argmax(&g, 0, 1, x, index);
    ok(index[0] == 1 && index[1] == 1 && index[2] == 7 && index[3] == 7, "max pool: the first of equal maxima, %d %d %d %d", index[0], index[1], index[2], index[3]);
    gmi_pool_gather(&g, 0, 1, x, index, y);
    ok(y[0] == 5 && y[1] == 5 && y[2] == 7 && y[3] == 7, "its values");
    y[0] = 1, y[1] = 2, y[2] = 4, y[3] = 8;
    gmi_pool_scatter(&g, 0, 1, y, index, back);
    ok(back[1] == 3 && back[7] == 12 && back[0] == 0 && back[8] == 0, "scatter adds where windows share a maximum");
    for (int i = 0; i < 9; i++) n[i] = -x[i] - 9;
    n[4] = (gmi_real)NAN, n[5] = (gmi_real)NAN;
    gmi_maxpool_argmax(&q, 0, 1, n, index);
    ok(index[0] == 0 && index[1] == 2 && index[2] == 6 && index[3] == 4, "padding is not chosen, the first NaN wins: %d %d %d %d", index[0], index[1], index[2], index[3]);
    gmi_maxpool_argmax(&far, 0, 1, x, index);
    gmi_pool_gather(&far, 0, 1, x, index, y);
    ok(index[0] == -1 && y[0] == 0 && index[3] == 0 && y[3] == 1, "a window wholly in the padding");
}

static void check_average(void)
{
    static const gmi_real x[4] = {1, 2, 3, 6};
    gmi_real y[9], back[4], one[9];
    gmi_pool2d g = pool(2, 2, 3, 3, 2, 1, 1, 1), e = g;
    e.count_include_pad = 0;
    gmi_avgpool(&g, 0, 1, x, y);
    ok(y[0] == (gmi_real)0.25 && y[1] == (gmi_real)0.75 && y[4] == 3 && y[8] == (gmi_real)1.5, "average with the padding counted");
    gmi_avgpool(&e, 0, 1, x, y);
    ok(y[0] == 1 && y[1] == (gmi_real)1.5 && y[4] == 3 && y[8] == 6, "and not counted");
    for (int i = 0; i < 9; i++) one[i] = 1;
    gmi_avgpool_dx(&g, 0, 1, one, back);
    ok(back[0] == 1 && back[3] == 1, "adjoint: every pixel lies in four windows");
}

static void check_resize(void)
{
    static const gmi_real x[4] = {0, 4, 8, 12};
    gmi_real y[16];
    gmi_pool2d up = pool(1, 4, 1, 8, 1, 1, 0, 0), down = pool(1, 4, 1, 2, 1, 1, 0, 0), odd = pool(1, 4, 1, 3, 1, 1, 0, 0), two = pool(2, 2, 4, 4, 1, 1, 0, 0);
    gmi_resize(&up, GMI_RESIZE_NEAREST, 0, 1, x, y);
    ok(y[0] == 0 && y[1] == 0 && y[2] == 4 && y[7] == 12, "nearest, twice as many");
    gmi_resize(&odd, GMI_RESIZE_NEAREST, 0, 1, x, y);
    ok(y[0] == 0 && y[1] == 4 && y[2] == 8, "nearest, 4 to 3: floor(i * 4 / 3)");
    gmi_resize(&up, GMI_RESIZE_BILINEAR, 0, 1, x, y);
    ok(y[0] == 0 && y[1] == 1 && y[2] == 3 && y[6] == 11 && y[7] == 12, "bilinear, half-pixel centres: %g %g %g", (double)y[1], (double)y[2], (double)y[6]);
    gmi_resize(&down, GMI_RESIZE_BILINEAR, 0, 1, x, y);
    ok(y[0] == 2 && y[1] == 10, "bilinear, half as many");
    gmi_resize(&two, GMI_RESIZE_BILINEAR, 0, 1, x, y);
    ok(y[0] == 0 && y[5] == 3 && y[15] == 12 && y[6] == 5, "bilinear in two directions: %g %g", (double)y[5], (double)y[6]);
}

/* <A x, y> = <x, A' y> for random planes, and the same bits when planes are done one by one. */
static void check_adjoints(void)
{
    int before = tap_failed;
    for (int i = 0; i < 40; i++) {
        gmi_pool2d g = pool(1 + (int64_t)(bits() % 9), 1 + (int64_t)(bits() % 9), 1 + (int64_t)(bits() % 9), 1 + (int64_t)(bits() % 9), 1 + (int64_t)(bits() % 4),
                            1 + (int64_t)(bits() % 3), (int64_t)(bits() % 2), (int32_t)(bits() % 2));
        gmi_real x[3 * 81], y[3 * 81], ax[3 * 81], aty[3 * 81], alone[3 * 81];
        int64_t in = 3 * g.h * g.w, out = 3 * g.oh * g.ow;
        for (int kind = 0; kind < 3; kind++) {
            double left = 0, right = 0, size = 0;
            for (int64_t j = 0; j < in; j++) x[j] = (gmi_real)(bits() % 1000) / 1000;
            for (int64_t j = 0; j < out; j++) y[j] = (gmi_real)(bits() % 1000) / 1000;
            if (kind == 2) {
                gmi_avgpool(&g, 0, 3, x, ax), gmi_avgpool_dx(&g, 0, 3, y, aty);
                for (int64_t p = 0; p < 3; p++) gmi_avgpool_dx(&g, p, p + 1, y, alone);
            } else {
                gmi_resize(&g, (gmi_resize_mode)kind, 0, 3, x, ax), gmi_resize_dx(&g, (gmi_resize_mode)kind, 0, 3, y, aty);
                for (int64_t p = 0; p < 3; p++) gmi_resize_dx(&g, (gmi_resize_mode)kind, p, p + 1, y, alone);
            }
            for (int64_t j = 0; j < out; j++) left += (double)ax[j] * (double)y[j], size += fabs((double)ax[j] * (double)y[j]);
            for (int64_t j = 0; j < in; j++) right += (double)x[j] * (double)aty[j];
            if (fabs(left - right) > 1e-5 * size || memcmp(alone, aty, (size_t)in * sizeof *aty))
                ok(0, "adjoint %d of %dx%d -> %dx%d: %g %g", kind, (int)g.h, (int)g.w, (int)g.oh, (int)g.ow, left, right);
        }
    }
    ok(tap_failed == before, "adjoints of average pool and both resizes on 40 random shapes");
}

int main(void)
{
    static const gm_simd all[] = {GM_SIMD_SCALAR, GM_SIMD_SSE2, GM_SIMD_AVX2, GM_SIMD_AVX512, GM_SIMD_NEON};
    uint32_t have = gmi_cpu_simd();
    for (int i = 0; i < 5; i++)
        if (!gmi_kernels_fill(&tables[levels], all[i], have)) levels++;
    ok(levels >= 1, "%d levels", levels);
    sweep(300);
    together();
    pieces();
    check(problem(3, 14, 14, 1, 20, 4, 2, 1), 0, 2, 1);   /* few channels, all taps in one run */
    check(problem(2, 28, 28, 1, 64, 4, 2, 1), 0, 3, 1);   /* dx: lanes over pixels */
    check(problem(1, 40, 25, 3, 71, 5, 3, 2), 1, 5, 1);
    check(problem(2, 17, 21, 40, 2, 3, 1, 1), 0, 2, 1);   /* conv: lanes over pixels */
    check(problem(1, 64, 64, 2, 130, 4, 2, 1), 0, 2, 1);
    check(problem(2, 9, 7, 70, 37, 3, 1, 1), 0, 3, 1);    /* panels cut inside taps */
    check(problem(1, 5, 5, 530, 9, 1, 1, 0), 0, 2, 1);    /* one tap longer than a panel */
    check(problem(2, 5, 5, 1100, 3, 3, 2, 1), 0, 4, 1);   /* k over the first slab */
    check(problem(3, 54, 54, 3, 17, 2, 1, 0), 0, 5, 1);   /* dw: pixels over the first slab, cut or not */
    check(problem(3, 54, 54, 19, 18, 2, 1, 0), 0, 6, 1);  /* the same with channels of x as columns */
    check(problem(5, 4, 4, 40, 130, 4, 1, 0), 1, 3, 1);   /* one pixel of y an image */
    check(problem(9, 33, 60, 2, 4, 3, 1, 1), 0, 1, 1);
    check(problem(8, 92, 92, 1, 3, 2, 1, 0), 0, 2, 1);    /* dw of few channels: tasks are slabs */
    at_end = 1;
    check(problem(3, 14, 14, 64, 24, 4, 2, 1), 0, 1, 1);  /* dw: groups of twelve rows are copied sixteen wide */
    check(problem(3, 14, 14, 3, 24, 4, 2, 1), 0, 2, 1);
    check(problem(2, 14, 14, 1, 64, 4, 2, 1), 0, 2, 1);
    check(problem(2, 9, 9, 33, 3, 3, 1, 1), 0, 2, 1);
    check(problem(2, 28, 28, 1, 24, 4, 2, 1), 0, 2, 1);
    check(problem(2, 18, 18, 3, 33, 4, 2, 1), 0, 1, 1);
    at_end = 0;
    check_max(), check_average(), check_resize(), check_adjoints();
    return done();
}
