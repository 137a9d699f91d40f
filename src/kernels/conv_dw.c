/* SPDX-License-Identifier: MIT */
/* conv_dw.c: the weight gradient of a convolution as a matrix product: rows (tap, input channel), columns output channels, terms the pixels
 * (n, oh, ow) of y.
 *
 * Work is cut into units: a range of input channels with all taps, times a range of output channels. A unit gathers panels of GMI_KC pixels of x
 * (one row of m elements a pixel) and packs the same pixels of y; its sums stay beside the caches' tiles in scratch and are then written
 * to w[co][c][kh][kw], where all taps of a channel are neighbours. Few units and long k: slabs become units too, their sums go
 * to `shared`, and a last phase adds them in order. */
#include "kernels/conv.h"
#include "base/base.h"

enum { PARTS_C, PARTS_CO, CUT_SLABS };

#define UNIT_ROWS 256
#define UNIT_COLS 512
#define ROWS_ALONE 6 /* this many channels of one tap make a good group of rows */
#define GATHER_COST 0.25 /* cycles an element of x copied */
#define PACK_COST 3.0

typedef struct geometry {
    const gmi_conv_plan *p;
    int64_t cg, og, taps, k, slabs, nr;
} geometry;

static geometry geometry_of(const gmi_conv_plan *p, const gmi_kernels *t)
{
    geometry g;
    g.p = p, g.cg = p->c / p->groups, g.og = p->co / p->groups, g.taps = p->kh * p->kw, g.k = p->n * p->oh * p->ow;
    g.slabs = gmi_block_slabs(g.k), g.nr = t->nr;
    return g;
}

/* Channels [c0, c1) of unit part i, and columns [j0, j1): whole groups of nr. */
static void part_c(const geometry *g, int64_t i, int64_t *c0, int64_t *c1)
{
    *c0 = gmi_part(g->cg, g->p->priv[PARTS_C], i), *c1 = gmi_part(g->cg, g->p->priv[PARTS_C], i + 1);
}
static void part_co(const geometry *g, int64_t i, int64_t *j0, int64_t *j1)
{
    int64_t groups = gmi_ceil_div(g->og, g->nr);
    *j0 = gmi_part(groups, g->p->priv[PARTS_CO], i) * g->nr, *j1 = GMI_MIN(g->og, gmi_part(groups, g->p->priv[PARTS_CO], i + 1) * g->nr);
}

/* ---- plan ---- */
static double unit_cost(const geometry *g, int64_t parts_c, int64_t parts_co, int64_t cut)
{
    double rows = (double)(gmi_ceil_div(g->cg, parts_c) * g->taps), groups = (double)gmi_ceil_div(gmi_ceil_div(g->og, g->nr), parts_co);
    double terms = g->slabs == 1 ? (double)g->k : (double)(gmi_ceil_div(g->slabs, cut) * GMI_SLAB_TERMS);
    return terms * (rows * groups + rows * GATHER_COST + groups * PACK_COST);
}

static void choose(gmi_conv_plan *p, const geometry *g, int64_t tasks)
{
    int64_t groups = gmi_ceil_div(g->og, g->nr), least_c = GMI_MIN(g->cg, gmi_ceil_div(g->cg * g->taps, UNIT_ROWS)), least_co = gmi_ceil_div(g->og, UNIT_COLS);
    double best = -1;
    for (int64_t cut = 1; cut <= GMI_MIN(g->slabs, tasks); cut++)
        for (int64_t c = GMI_MAX(1, least_c); c <= GMI_MIN(g->cg, least_c + 2 * tasks); c++)
            for (int64_t co = GMI_MAX(1, least_co); co <= GMI_MIN(groups, least_co + 2 * tasks); co++) {
                double units = (double)c * (double)co * (double)cut * (double)p->groups;
                double rounds = (double)(int64_t)((units + (double)tasks - 1) / (double)tasks), v = rounds * unit_cost(g, c, co, cut) + (cut > 1 ? 16384 : 0);
                if (best >= 0 && v >= best * 0.999) continue;
                best = v;
                p->priv[PARTS_C] = c, p->priv[PARTS_CO] = co, p->priv[CUT_SLABS] = cut;
                p->tasks = (int32_t)(units < (double)tasks ? units : (double)tasks);
            }
}

int gmi_conv_dw_plan(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    geometry g = geometry_of(p, t);
    int64_t rows, cols, area = 0;
    uint64_t thread = 64, shared = 0;
    p->priv[PARTS_C] = p->priv[PARTS_CO] = p->priv[CUT_SLABS] = 1, p->tasks = 1;
    if (g.cg && g.og) choose(p, &g, gmi_worth_tasks((double)g.k * (double)g.og * (double)g.taps * (double)p->c, max_tasks));
    rows = gmi_ceil_div(g.cg, p->priv[PARTS_C]) * g.taps, cols = gmi_ceil_div(gmi_ceil_div(g.og, g.nr), p->priv[PARTS_CO]) * g.nr;
    p->phases = p->priv[CUT_SLABS] > 1 ? 2 : 1;
    if (gmi_add_bytes(&thread, gmi_block_a_size(t), sizeof(gmi_real)) || gmi_add_bytes(&thread, cols * GMI_KC, sizeof(gmi_real)) ||
        gmi_mul_i64(rows, cols, &area) || gmi_add_bytes(&thread, area, sizeof(gmi_real)) ||
        (g.slabs > 1 && gmi_add_bytes(&thread, area, sizeof(gmi_real))))
        return -1;
    if (p->phases == 2 && (gmi_mul_i64(g.cg * g.taps * g.og * p->groups, g.slabs, &area) || gmi_add_bytes(&shared, area, sizeof(gmi_real)))) return -1;
    p->thread_bytes = thread, p->shared_bytes = shared;
    return 0;
}

/* ---- rows of A: x gathered for one unit ---- */
typedef struct unit {
    geometry g;
    const gmi_real *x, *y, *x_end; /* of the group; the end of all of x */
    int64_t c0, cn;
    gmi_block blk;
    const gmi_real *ptr[GMI_MR_MAX];
    int64_t len[1];
} unit;

/* The elements of a group of rows: from element (ky, kx, c) of the unit on, `len` rows. They lie side by side in x when they are channels of one
 * tap, or taps of one ky that touch (all channels, no dilation); then [lo, hi) are the output columns where all of them are inside x. */
typedef struct span {
    int64_t row, len, ky, kx, c, lo, hi;
} span;

static int32_t taps_touch(const unit *u)
{
    return u->g.p->dw == 1 && u->cn == u->g.p->c;
}

/* Output columns whose x of tap kx is inside. */
static void limits(const gmi_conv_plan *p, int64_t kx, int64_t *lo, int64_t *hi)
{
    int64_t first = p->pl - kx * p->dw, last = p->w - 1 + first; /* first <= ow * sw <= last */
    *lo = first <= 0 ? 0 : GMI_MIN(p->ow, gmi_ceil_div(first, p->sw));
    *hi = last < 0 ? 0 : GMI_MIN(p->ow, last / p->sw + 1);
}

static span span_of(const unit *u, int64_t row, int64_t len)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t tap = row / u->cn, last = (row + len - 1) / u->cn, lo, hi;
    span s;
    s.row = row, s.len = len, s.ky = tap / p->kw, s.kx = tap % p->kw, s.c = row % u->cn, s.lo = s.hi = 0;
    if (tap != last && !(taps_touch(u) && last / p->kw == s.ky)) return s;
    limits(p, s.kx, &s.lo, &s.hi);
    limits(p, last % p->kw, &lo, &hi);
    s.lo = GMI_MAX(s.lo, lo), s.hi = GMI_MAX(s.lo, GMI_MIN(s.hi, hi));
    return s;
}

/* Element by element, columns [w0, w1): at the borders, and where rows of a group are not side by side. */
static void gather_border(const unit *u, const span *s, const gmi_real *image, int64_t oh, int64_t w0, int64_t w1, gmi_real *to)
{
    const gmi_conv_plan *p = u->g.p;
    for (int64_t ow = w0; ow < w1; ow++)
        for (int64_t i = s->row; i < s->row + s->len; i++) {
            int64_t tap = i / u->cn, y = oh * p->sh - p->pt + tap / p->kw * p->dh, x = ow * p->sw - p->pl + tap % p->kw * p->dw;
            *to++ = y < 0 || y >= p->h || x < 0 || x >= p->w ? 0 : image[(y * p->w + x) * p->c + i % u->cn];
        }
}

/* Columns [w0, w1) of one output row. Inside, a fixed 8 or 16 elements are copied: what is too much is written over by the next column. */
static void gather(const unit *u, const span *s, const gmi_real *image, int64_t oh, int64_t w0, int64_t w1, gmi_real *to)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t y = oh * p->sh - p->pt + s->ky * p->dh, lo = GMI_MIN(w1, GMI_MAX(w0, s->lo)), hi = GMI_MAX(lo, GMI_MIN(w1, s->hi));
    int64_t wide = s->len <= 8 ? 8 : 16;
    if (s->hi > s->lo && (y < 0 || y >= p->h)) {
        memset(to, 0, (size_t)((w1 - w0) * s->len) * sizeof *to);
        return;
    }
    gather_border(u, s, image, oh, w0, lo, to);
    if (hi > lo) {
        const gmi_real *from = image + (y * p->w + lo * p->sw - p->pl + s->kx * p->dw) * p->c + s->c;
        int64_t rest = u->x_end - (from + (hi - 1 - lo) * p->sw * p->c);
        gmi_copy_rows(hi - lo, rest >= wide ? wide : s->len, from, p->sw * p->c, to + (lo - w0) * s->len, s->len);
    }
    gather_border(u, s, image, oh, hi, w1, to + (hi - w0) * s->len);
}

static void prepare_x(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count)
{
    const unit *u = blk->user;
    const gmi_conv_plan *p = u->g.p;
    span spans[GMI_SLOTS_MAX];
    int64_t ow = k0 % p->ow, oh = k0 / p->ow % p->oh;
    const gmi_real *image = u->x + k0 / (p->ow * p->oh) * p->h * p->w * p->c + u->c0;
    for (int32_t g = 0; g < count; g++) spans[g] = span_of(u, first[g], first[g + 1] - first[g]);
    for (int64_t k = 0; k < klen;) {
        int64_t w1 = GMI_MIN(p->ow, ow + klen - k);
        for (int32_t g = 0; g < count; g++) gather(u, &spans[g], image, oh, ow, w1, gmi_block_slot(blk, g) + k * spans[g].len);
        k += w1 - ow, ow = 0;
        if (++oh == p->oh) oh = 0, image += p->h * p->w * p->c;
    }
}

static void pack_y(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    const unit *u = blk->user;
    gmi_pack_b(blk->t, u->y, u->g.p->co, 1, k0, klen, j0, j1, out);
}

/* ---- execution ---- */
static void unit_init(unit *u, const geometry *g, const gmi_kernels *t, void *scratch)
{
    int64_t rows = gmi_ceil_div(g->cg, g->p->priv[PARTS_C]) * g->taps, cols = gmi_ceil_div(gmi_ceil_div(g->og, g->nr), g->p->priv[PARTS_CO]) * g->nr;
    memset(&u->blk, 0, sizeof u->blk);
    u->g = *g;
    u->blk.t = t, u->blk.k = g->k, u->blk.n = g->og, u->blk.prepare = prepare_x, u->blk.rows = gmi_block_prepared, u->blk.pack = pack_y, u->blk.user = u;
    u->blk.mode = GMI_B_LOCAL, u->blk.ptr = u->ptr, u->blk.len = u->len;
    u->blk.a_pack = gmi_align64(scratch);
    u->blk.b_pack = u->blk.a_pack + gmi_block_a_size(t);
    u->blk.slab = u->blk.b_pack + cols * GMI_KC + rows * cols; /* the sums themselves lie before it */
}

/* w[co][c][tap] of channels [c0, c0 + cn) and columns [j0, j1) from the sums: rows (tap, c) of ld elements. */
static void scatter(const geometry *g, gmi_real *w, const gmi_real *sums, int64_t ld, int64_t c0, int64_t cn, int64_t j0, int64_t j1)
{
    for (int64_t j = j0; j < j1; j++)
        for (int64_t c = 0; c < cn; c++) {
            gmi_real *to = w + (j * g->cg + c0 + c) * g->taps;
            const gmi_real *from = sums + c * ld + (j - j0);
            for (int64_t tap = 0; tap < g->taps; tap++) to[tap] = from[tap * cn * ld];
        }
}

/* Where slab s of group `group`, rows from channel c0 on, column j0 lies in shared: a matrix of all rows and columns a slab. */
static gmi_real *partial(const geometry *g, const gmi_conv_io *io, int64_t s, int64_t group, int64_t c0, int64_t j0)
{
    return (gmi_real *)gmi_align64(io->shared) + ((s * g->p->groups + group) * g->cg * g->taps + c0 * g->taps) * g->og + j0;
}

static void compute_unit(unit *u, const gmi_conv_io *io, int64_t group, int64_t ic, int64_t ico, int64_t is)
{
    const geometry *g = &u->g;
    int64_t c1, j0, j1, cut = g->p->priv[CUT_SLABS], rows;
    gmi_block_out out;
    part_c(g, ic, &u->c0, &c1), part_co(g, ico, &j0, &j1);
    u->cn = c1 - u->c0, rows = u->cn * g->taps;
    u->blk.row_unit = taps_touch(u) && u->cn < ROWS_ALONE ? g->p->kw * u->cn : u->cn < ROWS_ALONE ? 0 : u->cn;
    u->x_end = io->a + g->p->n * g->p->h * g->p->w * g->p->c;
    u->x = io->a + group * g->cg, u->y = io->b + group * g->og;
    out.rows = NULL;
    if (cut == 1) {
        int64_t cols = gmi_ceil_div(gmi_ceil_div(g->og, g->nr), g->p->priv[PARTS_CO]) * g->nr;
        out.c = u->blk.b_pack + cols * GMI_KC, out.ld = j1 - j0;
        gmi_block_full(&u->blk, 0, rows, j0, j1, 1, &out);
        scatter(g, io->c + group * g->og * g->cg * g->taps, out.c, out.ld, u->c0, u->cn, j0, j1);
        return;
    }
    out.ld = g->og;
    for (int64_t s = gmi_part(g->slabs, cut, is); s < gmi_part(g->slabs, cut, is + 1); s++) {
        out.c = partial(g, io, s, group, u->c0, j0);
        gmi_block_slab(&u->blk, 0, rows, j0, j1, s, 1, &out);
    }
}

/* The last phase when slabs were cut: adds them in order and writes w. */
static void add_slabs(const geometry *g, const gmi_conv_io *io, int32_t task)
{
    int64_t all = g->cg * g->p->groups;
    for (int64_t i = gmi_part(all, g->p->tasks, task); i < gmi_part(all, g->p->tasks, task + 1); i++) {
        /* the rows of a channel are not together when a unit has several channels: row (tap, c) is at c0 * taps + tap * cn + c - c0 */
        int64_t group = i / g->cg, c = i % g->cg, part = 0, c0, c1;
        for (part_c(g, 0, &c0, &c1); c >= c1;) part++, part_c(g, part, &c0, &c1);
        for (int64_t tap = 0; tap < g->taps; tap++) {
            gmi_block_out out;
            int64_t row = (tap * (c1 - c0) + c - c0) * g->og;
            out.c = partial(g, io, 0, group, c0, 0) + row, out.ld = g->og, out.rows = NULL;
            for (int64_t s = 1; s < g->slabs; s++) gmi_block_add(1, g->og, &out, partial(g, io, s, group, c0, 0) + row, g->og);
            for (int64_t j = 0; j < g->og; j++) io->c[((group * g->og + j) * g->cg + c) * g->taps + tap] = out.c[j];
        }
    }
}

void gmi_conv_dw_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch)
{
    geometry g = geometry_of(p, t);
    int64_t cut = p->priv[CUT_SLABS], cos = p->priv[PARTS_CO], cs = p->priv[PARTS_C], units = p->groups * cs * cos * cut;
    unit u;
    if (phase == 1) {
        add_slabs(&g, io, task);
        return;
    }
    if (!g.cg || !g.og) return;
    unit_init(&u, &g, t, scratch);
    for (int64_t i = gmi_part(units, p->tasks, task); i < gmi_part(units, p->tasks, task + 1); i++)
        compute_unit(&u, io, i / (cs * cos * cut), i / (cos * cut) % cs, i / cut % cos, i % cut);
}
