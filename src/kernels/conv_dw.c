/* SPDX-License-Identifier: MIT */
/* conv_dw.c: the weight gradient of a convolution as a matrix product over the pixels (n, oh, ow) of y.
 *
 * Work is cut into units: a range of input channels with all taps, times a range of output channels. x is never unfolded as a whole: a unit copies
 * one panel of GMI_KC pixels at a time. Two ways, the cheaper one is taken. Wide: rows are output channels, columns (tap, channel), so that a
 * pixel is one copy of nr channels; narrow, for few channels: rows are (tap, channel), columns output channels. The sums of a unit
 * stay in scratch and are then written to w[co][c][kh][kw], where the taps of a channel are neighbours. Few units and long k: slabs become
 * units too, their sums go to `shared`, and a last phase adds them in order.
 * Not here: few input channels and many pixels (conv_dw_few.c), conv and conv_dx (conv.c), the loop nest (block.c). */
#include "kernels/conv.h"
#include "base/base.h"

enum { WIDE, PARTS_C, PARTS_CO, CUT_SLABS }; /* plan->priv */

/* Bounds of a unit: rows and columns when they are (tap, channel) of x, and output channels. Wide, all rows stay prepared. */
#define UNIT_X 512
#define UNIT_ROWS GMI_WHOLE_ROWS
#define UNIT_COLS 512
#define COPY_ROW 6.0 /* cycles to copy one row of a group of rows, one row of a group of columns */
#define COPY_COL 3.5

typedef struct geometry {
    const gmi_conv_plan *p;
    int64_t cg, og, taps, k, slabs, nr;
    int64_t images, lines, columns, step; /* pixels of y; elements of x from one column to the next */
    int64_t sw;                           /* the stride, or 0 when y has one pixel: then the images are its columns */
    int64_t rows, cols;                   /* the largest unit, columns rounded up */
} geometry;

static int64_t round_up(int64_t n, int64_t unit)
{
    return gmi_ceil_div(n, unit) * unit;
}

static geometry geometry_of(const gmi_conv_plan *p, const gmi_kernels *t)
{
    geometry g;
    int64_t wide = p->priv[WIDE], c, co, single = p->oh == 1 && p->ow == 1;
    g.p = p, g.cg = p->c / p->groups, g.og = p->co / p->groups, g.taps = p->kh * p->kw, g.k = p->n * p->oh * p->ow;
    g.slabs = gmi_block_slabs(g.k), g.nr = t->nr;
    g.images = single ? 1 : p->n, g.lines = single ? 1 : p->oh, g.columns = single ? p->n : p->ow;
    g.sw = single ? 0 : p->sw, g.step = single ? p->h * p->w * p->c : p->sw * p->c;
    c = wide ? gmi_ceil_div(gmi_ceil_div(g.cg, g.nr), p->priv[PARTS_C]) * g.nr : gmi_ceil_div(g.cg, p->priv[PARTS_C]);
    co = wide ? gmi_ceil_div(g.og, p->priv[PARTS_CO]) : gmi_ceil_div(gmi_ceil_div(g.og, g.nr), p->priv[PARTS_CO]) * g.nr;
    g.rows = wide ? co : c * g.taps, g.cols = wide ? c * g.taps : co;
    return g;
}

/* Part i of n channels; in whole groups of nr where they are columns. */
static void part(const geometry *g, int64_t n, int64_t parts, int32_t columns, int64_t i, int64_t *from, int64_t *to)
{
    int64_t unit = columns ? g->nr : 1, groups = gmi_ceil_div(n, unit);
    *from = gmi_part(groups, parts, i) * unit, *to = GMI_MIN(n, gmi_part(groups, parts, i + 1) * unit);
}

/* Narrow units have more and smaller groups of rows than their number says, so they never count on slots for all. */
static int32_t slots_of(const geometry *g, const gmi_kernels *t)
{
    return gmi_block_slots(t, g->p->priv[WIDE] ? g->rows : INT64_MAX);
}
static int64_t b_pack_size(const geometry *g, const gmi_kernels *t)
{
    return g->p->priv[WIDE] && g->rows <= GMI_WHOLE_ROWS ? gmi_block_chunk_size(t) : g->cols * GMI_KC;
}

/* ---- plan ---- */
static double unit_cost(const geometry *g, const gmi_kernels *t, int64_t cut)
{
    double rows = (double)g->rows, groups = (double)(g->cols / g->nr);
    double terms = g->slabs == 1 ? (double)g->k : (double)(gmi_ceil_div(g->slabs, cut) * GMI_SLAB_TERMS);
    return terms * (rows * groups + (double)gmi_ceil_div(g->rows, t->mr) * COPY_ROW + groups * COPY_COL);
}

/* Tries the cuts of one way; *best is the cost so far, negative at first. */
static void choose(gmi_conv_plan *p, const gmi_kernels *t, int64_t tasks, int64_t wide, double *best)
{
    gmi_conv_plan q = *p;
    geometry g;
    int64_t most_c, most_co, first_c, first_co;
    q.priv[WIDE] = wide, q.priv[PARTS_C] = q.priv[PARTS_CO] = 1;
    g = geometry_of(&q, t);
    most_c = wide ? gmi_ceil_div(g.cg, g.nr) : g.cg, most_co = wide ? g.og : gmi_ceil_div(g.og, g.nr);
    first_c = GMI_MIN(most_c, gmi_ceil_div(wide ? g.cols : g.rows, wide ? UNIT_X : UNIT_X / 2));
    first_co = GMI_MIN(most_co, gmi_ceil_div(g.og, wide ? UNIT_ROWS : UNIT_COLS));
    for (int64_t cut = 1; cut <= GMI_MIN(g.slabs, tasks); cut++)
        for (int64_t c = first_c; c <= GMI_MIN(most_c, first_c + 2 * tasks); c++)
            for (int64_t co = first_co; co <= GMI_MIN(most_co, first_co + 2 * tasks); co++) {
                double units = (double)c * (double)co * (double)cut * (double)p->groups, v;
                q.priv[PARTS_C] = c, q.priv[PARTS_CO] = co, q.priv[CUT_SLABS] = cut;
                g = geometry_of(&q, t);
                v = (double)(int64_t)((units + (double)tasks - 1) / (double)tasks) * unit_cost(&g, t, cut) + (cut > 1 ? 16384 : 0);
                if (*best >= 0 && v >= *best * 0.999) continue;
                *best = v;
                memcpy(p->priv, q.priv, sizeof p->priv);
                p->tasks = (int32_t)(units < (double)tasks ? units : (double)tasks);
            }
}

int gmi_conv_dw_plan(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    int64_t tasks = gmi_worth_tasks((double)p->n * (double)p->oh * (double)p->ow * (double)p->co * (double)p->kh * (double)p->kw * (double)p->c, max_tasks), area;
    uint64_t thread = 64, shared = 0;
    double best = -1;
    geometry g;
    int few = gmi_few_plan(p, t, tasks);
    if (few) return few == 1 ? 0 : -1;
    p->priv[WIDE] = 0, p->priv[PARTS_C] = p->priv[PARTS_CO] = p->priv[CUT_SLABS] = 1, p->tasks = 1;
    if (p->c && p->co) choose(p, t, tasks, 1, &best), choose(p, t, tasks, 0, &best);
    g = geometry_of(p, t);
    p->phases = p->priv[CUT_SLABS] > 1 ? 2 : 1;
    if (gmi_add_bytes(&thread, gmi_block_a_size(t, slots_of(&g, t)), sizeof(gmi_real)) || gmi_add_bytes(&thread, b_pack_size(&g, t), sizeof(gmi_real)) ||
        gmi_mul_i64(g.rows, g.cols, &area) || gmi_add_bytes(&thread, area, sizeof(gmi_real)) || (g.slabs > 1 && gmi_add_bytes(&thread, area, sizeof(gmi_real))))
        return -1;
    if (p->phases == 2 && (gmi_mul_i64(area, p->priv[PARTS_C] * p->priv[PARTS_CO] * p->groups, &area) || gmi_mul_i64(area, g.slabs, &area) ||
                           gmi_add_bytes(&shared, area, sizeof(gmi_real))))
        return -1;
    p->thread_bytes = thread, p->shared_bytes = shared;
    return 0;
}

/* ---- copies of x ---- */
typedef struct unit {
    geometry g;
    const gmi_real *x, *y, *x_end; /* of the group; the end of all of x */
    int64_t group;
    int64_t c0, cn, cs;            /* channels, and the step from one tap to the next in rows or columns: cn, wide rounded up to nr */
    int64_t j0, j1;                /* output channels */
    gmi_block blk;
    const gmi_real *ptr[GMI_MR_MAX];
    int64_t len[1];
} unit;

/* `len` elements (tap, channel) of the unit from element `at` on. They lie side by side in x when they are channels of one tap, or taps of one
 * ky that touch (all channels of x, no dilation); then [lo, hi) are the columns of y where all of them are inside x. */
typedef struct span {
    int64_t at, len, ky, kx, c, lo, hi;
    int32_t one;  /* all of one tap */
    int32_t side; /* of one ky, side by side */
} span;

static int32_t taps_touch(const unit *u)
{
    return u->g.p->dw == 1 && u->cs == u->g.p->c;
}

/* Columns whose x of tap kx is inside. */
static void limits(const geometry *g, int64_t kx, int64_t *lo, int64_t *hi)
{
    int64_t first = g->p->pl - kx * g->p->dw, last = g->p->w - 1 + first; /* first <= column * sw <= last */
    if (!g->sw) {
        *lo = 0, *hi = first <= 0 && last >= 0 ? g->columns : 0;
        return;
    }
    *lo = first <= 0 ? 0 : GMI_MIN(g->columns, gmi_ceil_div(first, g->sw));
    *hi = last < 0 ? 0 : GMI_MIN(g->columns, last / g->sw + 1);
}

static span span_of(const unit *u, int64_t at, int64_t len)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t tap = at / u->cs, last = (at + len - 1) / u->cs, lo, hi;
    span s;
    s.at = at, s.len = len, s.ky = tap / p->kw, s.kx = tap % p->kw, s.c = at % u->cs, s.lo = s.hi = 0, s.one = tap == last;
    s.side = s.one || (taps_touch(u) && last / p->kw == s.ky);
    if (!s.side) return s;
    limits(&u->g, s.kx, &s.lo, &s.hi);
    limits(&u->g, last % p->kw, &lo, &hi);
    s.lo = GMI_MAX(s.lo, lo), s.hi = GMI_MAX(s.lo, GMI_MIN(s.hi, hi));
    return s;
}

/* Columns [w0, w1) at the sides of an image, where taps that touch are partly inside. */
static void copy_sides(const unit *u, const span *s, const gmi_real *line, int64_t w0, int64_t w1, gmi_real *to, int64_t to_step)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t at = (s->kx - p->pl) * p->c + w0 * u->g.step + s->c, end = p->w * p->c;
    for (int64_t column = w0; column < w1; column++, to += to_step, at += u->g.step) {
        int64_t a = GMI_MIN(s->len, GMI_MAX(0, -at)), b = GMI_MAX(a, GMI_MIN(s->len, end - at));
        for (int64_t i = 0; i < s->len; i++) to[i] = i >= a && i < b ? line[at + i] : 0;
    }
}

/* Element by element, columns [w0, w1): at the borders, and where the elements of a span are not side by side. */
static void copy_border(const unit *u, const span *s, const gmi_real *image, int64_t line, int64_t w0, int64_t w1, gmi_real *to, int64_t to_step)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t ky = line * p->sh - p->pt + s->ky * p->dh;
    for (int64_t column = w0; column < w1; column++, to += to_step) {
        if (s->one || (s->side && (ky < 0 || ky >= p->h))) { /* the columns and lines where it is inside are copied elsewhere */
            memset(to, 0, (size_t)s->len * sizeof *to);
            continue;
        }
        for (int64_t i = 0; i < s->len; i++) {
            int64_t tap = (s->at + i) / u->cs, y = line * p->sh - p->pt + tap / p->kw * p->dh, x = tap % p->kw * p->dw - p->pl;
            int32_t inside = y >= 0 && y < p->h && x + column * u->g.sw >= 0 && x + column * u->g.sw < p->w;
            to[i] = inside ? image[(y * p->w + x) * p->c + column * u->g.step + (s->at + i) % u->cs] : 0;
        }
    }
}

/* Columns [w0, w1) of one line of y. Inside, `wide` elements are copied where x has them: what is more than len is written over or not used. */
static void copy_line(const unit *u, const span *s, const gmi_real *image, int64_t line, int64_t w0, int64_t w1, gmi_real *to, int64_t to_step, int64_t wide)
{
    const gmi_conv_plan *p = u->g.p;
    int64_t y = line * p->sh - p->pt + s->ky * p->dh, lo = GMI_MIN(w1, GMI_MAX(w0, s->lo)), hi = GMI_MAX(lo, GMI_MIN(w1, s->hi));
    int32_t outside = s->side && (y < 0 || y >= p->h), sides = s->side && !s->one && u->g.sw && !outside;
    if (outside) lo = hi = w1;
    if (hi > lo) { /* first, for what it writes too much */
        const gmi_real *from = image + (y * p->w - p->pl + s->kx * p->dw) * p->c + lo * u->g.step + s->c;
        int64_t rest = u->x_end - (from + (hi - 1 - lo) * u->g.step), next = p->sh * p->w * p->c;
        /* the same columns of the next line, too far apart for the hardware to foresee */
        for (int64_t i = 0; i < hi - lo && s->c % 16 == 0 && rest > next; i++)
            for (int64_t e = 0; e < s->len; e += 16) GMI_PREFETCH(from + next + i * u->g.step + e);
        u->blk.t->copy_rows(hi - lo, rest >= wide ? wide : s->len, from, u->g.step, to + (lo - w0) * to_step, to_step);
    }
    for (int32_t end = 0; end < 2; end++) {
        int64_t from = end ? hi : w0, till = end ? w1 : lo;
        if (sides)
            copy_sides(u, s, image + y * p->w * p->c, from, till, to + (from - w0) * to_step, to_step);
        else
            copy_border(u, s, image, line, from, till, to + (from - w0) * to_step, to_step);
    }
}

/* The panel [k0, k0 + klen) of `count` spans; span i goes to to[i], one row of to_step[i] elements a pixel. */
static void copy_spans(const unit *u, int64_t k0, int64_t klen, const span *spans, int32_t count, gmi_real *const *to, const int64_t *to_step, int32_t over)
{
    const geometry *g = &u->g;
    int64_t column = k0 % g->columns, line = k0 / g->columns % g->lines;
    const gmi_real *image = u->x + k0 / (g->columns * g->lines) * g->p->h * g->p->w * g->p->c + u->c0;
    for (int64_t k = 0; k < klen;) {
        int64_t end = GMI_MIN(g->columns, column + klen - k);
        for (int32_t i = 0; i < count; i++) {
            int64_t wide = !over ? spans[i].len : spans[i].len <= 8 ? 8 : 16;
            copy_line(u, &spans[i], image, line, column, end, to[i] + k * to_step[i], to_step[i], wide);
        }
        k += end - column, column = 0;
        if (++line == g->lines) line = 0, image += g->p->h * g->p->w * g->p->c;
    }
}

/* ---- narrow: A is x, B is y ---- */
static void prepare_x(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count)
{
    const unit *u = blk->user;
    span spans[GMI_SLOTS_MAX];
    gmi_real *to[GMI_SLOTS_MAX];
    int64_t step[GMI_SLOTS_MAX];
    for (int32_t i = 0; i < count; i++) step[i] = first[i + 1] - first[i], to[i] = gmi_block_slot(blk, i), spans[i] = span_of(u, first[i], step[i]);
    copy_spans(u, k0, klen, spans, count, to, step, 1);
}

static void pack_y(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    const unit *u = blk->user;
    gmi_pack_b(blk->t, u->y + u->j0, u->g.p->co, 1, k0, klen, j0, j1, out);
}

/* ---- wide: A is y, B is x ---- */
#define Y_AHEAD 16 /* pixels: their lines are asked for in order, before groups of rows are picked out of them */

static void prepare_y(const gmi_block *blk, int64_t k0, int64_t klen, const int64_t *first, int32_t count)
{
    const unit *u = blk->user;
    int64_t co = u->g.p->co;
    for (int64_t t = 0; t < klen; t += 8) {
        for (int64_t e = t + Y_AHEAD; e < GMI_MIN(klen, t + Y_AHEAD + 8); e++)
            for (int64_t j = first[0]; j < first[count]; j += 16) GMI_PREFETCH(u->y + u->j0 + (k0 + e) * co + j);
        for (int32_t i = 0; i < count; i++) {
            /* 16 are moved sooner than 12 or 14: what is too much is in the next pixel, and written over by it or behind the slot */
            int64_t m = first[i + 1] - first[i], len = m > 8 && m < 16 && co >= 16 && k0 + t + 8 < u->g.k ? 16 : m;
            blk->t->copy_rows(GMI_MIN(8, klen - t), len, u->y + u->j0 + (k0 + t) * co + first[i], co, gmi_block_slot(blk, i) + t * m, m);
        }
    }
}

#define SPANS 8
static void pack_x(const gmi_block *blk, int64_t k0, int64_t klen, int64_t j0, int64_t j1, gmi_real *out)
{
    const unit *u = blk->user;
    span spans[SPANS];
    gmi_real *to[SPANS];
    int64_t nr = blk->t->nr, step[SPANS];
    for (int64_t j = j0; j < j1;) {
        int32_t count = 0;
        for (; j < j1 && count < SPANS; j += nr, out += klen * nr, count++) {
            spans[count] = span_of(u, j, GMI_MIN(nr, u->cn - j % u->cs)), to[count] = out, step[count] = nr;
            if (spans[count].len < nr) memset(out, 0, (size_t)(klen * nr) * sizeof *out);
        }
        copy_spans(u, k0, klen, spans, count, to, step, 0);
    }
}

/* ---- execution ---- */
static void unit_init(unit *u, const geometry *g, const gmi_kernels *t, void *scratch)
{
    memset(&u->blk, 0, sizeof u->blk);
    u->g = *g;
    u->blk.t = t, u->blk.k = g->k, u->blk.user = u, u->blk.mode = GMI_B_LOCAL, u->blk.ptr = u->ptr, u->blk.len = u->len;
    u->blk.side = 1, u->blk.prepare = g->p->priv[WIDE] ? prepare_y : prepare_x, u->blk.pack = g->p->priv[WIDE] ? pack_x : pack_y, u->blk.rows = gmi_block_prepared;
    u->blk.slots = slots_of(g, t);
    u->blk.a_pack = gmi_align64(scratch);
    u->blk.b_pack = gmi_align64(u->blk.a_pack + gmi_block_a_size(t, u->blk.slots));
    u->blk.slab = (gmi_real *)gmi_align64(u->blk.b_pack + b_pack_size(g, t)) + g->rows * g->cols; /* the sums themselves lie before it */
}

#define ROWS_ALONE 6 /* this many channels of one tap make a good group of rows */

/* Makes u unit `number`; returns its rows and columns. */
static void unit_at(unit *u, const gmi_conv_io *io, int64_t number, int64_t *rows, int64_t *cols)
{
    const geometry *g = &u->g;
    const gmi_conv_plan *p = g->p;
    int32_t wide = p->priv[WIDE] != 0;
    int64_t ic = number / p->priv[PARTS_CO], group = ic / p->priv[PARTS_C], c1;
    part(g, g->cg, p->priv[PARTS_C], wide, ic % p->priv[PARTS_C], &u->c0, &c1);
    part(g, g->og, p->priv[PARTS_CO], !wide, number % p->priv[PARTS_CO], &u->j0, &u->j1);
    u->cn = c1 - u->c0, u->cs = wide ? round_up(u->cn, g->nr) : u->cn;
    u->group = group, u->x = io->a + group * g->cg, u->y = io->b + group * g->og, u->x_end = io->a + p->n * p->h * p->w * p->c;
    *rows = wide ? u->j1 - u->j0 : u->cn * g->taps, *cols = wide ? u->cs * g->taps : u->j1 - u->j0;
    u->blk.n = *cols;
    u->blk.row_unit = wide ? 0 : u->cn >= ROWS_ALONE ? u->cn : taps_touch(u) ? p->kw * u->cn : 0;
}

/* w[co][c][tap] for output channels [j0 + a, j0 + b) of the unit, from its sums. */
static void write_weights(const unit *u, gmi_real *w, const gmi_real *sums, int64_t ld, int64_t a, int64_t b)
{
    const geometry *g = &u->g;
    for (int64_t j = a; j < b; j++) {
        gmi_real *to = w + ((u->group * g->og + u->j0 + j) * g->cg + u->c0) * g->taps;
        if (g->p->priv[WIDE]) {
            u->blk.t->transpose(g->taps, u->cn, sums + j * ld, u->cs, to, g->taps);
            continue;
        }
        for (int64_t c = 0; c < u->cn; c++)
            for (int64_t tap = 0; tap < g->taps; tap++) to[c * g->taps + tap] = sums[(tap * u->cn + c) * ld + j];
    }
}

/* The sums of slab s of unit number i in shared. */
static gmi_real *partial(const geometry *g, const gmi_conv_io *io, int64_t units, int64_t s, int64_t i)
{
    return (gmi_real *)gmi_align64(io->shared) + (s * units + i) * g->rows * g->cols;
}

static void compute(unit *u, const gmi_conv_io *io, int32_t task)
{
    const geometry *g = &u->g;
    const int64_t *cut = g->p->priv;
    int64_t units = g->p->groups * cut[PARTS_C] * cut[PARTS_CO], all = units * cut[CUT_SLABS], rows, cols;
    gmi_block_out out;
    out.rows = NULL;
    for (int64_t i = gmi_part(all, g->p->tasks, task); i < gmi_part(all, g->p->tasks, task + 1); i++) {
        int64_t number = i / cut[CUT_SLABS], is = i % cut[CUT_SLABS];
        unit_at(u, io, number, &rows, &cols);
        out.ld = cols;
        if (cut[CUT_SLABS] == 1) {
            out.c = u->blk.slab - g->rows * g->cols;
            gmi_block_full(&u->blk, 0, rows, 0, cols, 1, &out);
            write_weights(u, io->c, out.c, cols, 0, u->j1 - u->j0);
            continue;
        }
        for (int64_t s = gmi_part(g->slabs, cut[CUT_SLABS], is); s < gmi_part(g->slabs, cut[CUT_SLABS], is + 1); s++) {
            out.c = partial(g, io, units, s, number);
            gmi_block_slab(&u->blk, 0, rows, 0, cols, s, 1, &out);
        }
    }
}

/* The last phase when slabs were cut: adds them in order and writes w; a task has some output channels of every unit. */
static void add_slabs(unit *u, const gmi_conv_io *io, int32_t task)
{
    const geometry *g = &u->g;
    const int64_t *cut = g->p->priv;
    int64_t units = g->p->groups * cut[PARTS_C] * cut[PARTS_CO], rows, cols;
    gmi_block_out out;
    out.rows = NULL;
    for (int64_t i = 0; i < units; i++) {
        int64_t a, b, skip;
        unit_at(u, io, i, &rows, &cols);
        a = gmi_part(u->j1 - u->j0, g->p->tasks, task), b = gmi_part(u->j1 - u->j0, g->p->tasks, task + 1);
        skip = cut[WIDE] ? a * cols : a;
        out.c = partial(g, io, units, 0, i) + skip, out.ld = cols;
        for (int64_t s = 1; s < g->slabs && b > a; s++)
            gmi_block_add(cut[WIDE] ? b - a : rows, cut[WIDE] ? cols : b - a, &out, partial(g, io, units, s, i) + skip, cols);
        write_weights(u, io->c, out.c - skip, cols, a, b);
    }
}

void gmi_conv_dw_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch)
{
    geometry g;
    unit u;
    if (p->priv[WIDE] == GMI_DW_FEW) {
        gmi_few_run(p, t, io, phase, task, scratch);
        return;
    }
    g = geometry_of(p, t);
    if (!g.cg || !g.og) return;
    unit_init(&u, &g, t, scratch);
    if (phase == 1)
        add_slabs(&u, io, task);
    else
        compute(&u, io, task);
}
