/* SPDX-License-Identifier: MIT */
/* conv.c: conv and conv_dx as implicit matrix products: rows are output pixels, columns output channels, terms (tap, source channel).
 *
 * No image is unfolded: for each tap a row is a pointer into the source image, or to a row of zeros outside it (which is multiplied like any
 * other). conv_dx with stride s falls into s * s phases of output positions; a phase uses every s-th tap, so it is a small stride-1 problem of
 * its own with its own piece of packed weights. Sources of few channels would make segments of one or two terms: their terms are copied
 * together first (up to GMI_KC a row).
 * Not here: conv_dw (conv_dw.c), few output channels (conv_planar.c), the loop nest (block.c). */
#include "kernels/conv.h"
#include "base/base.h"

enum { PLANAR, CUT_ROWS, CUT_COLS, BLOCK_PIXELS, BLOCK_COLS, ROW_UNIT };

#define FEW_CHANNELS 8
#define PACK_COST 6.0
#define BLOCK_M 128
#define BLOCK_BYTES (256 * 1024)
#define AHEAD_STEPS 16 /* groups of rows, over panels and phases, that a block has at least */
#define LINE (64 / (int64_t)sizeof(gmi_real))

gmi_gather gmi_gather_of(const gmi_conv_plan *p)
{
    gmi_gather g;
    int64_t taps = p->kh * p->kw, cg = p->c / p->groups, og = p->co / p->groups, dx = p->kind == GMI_CONV_DX;
    g.n = p->n, g.groups = p->groups, g.kh = p->kh, g.kw = p->kw, g.dil_h = p->dh, g.dil_w = p->dw;
    g.sh = dx ? p->oh : p->h, g.sw = dx ? p->ow : p->w, g.sc = dx ? p->co : p->c, g.scg = dx ? og : cg;
    g.oh = dx ? p->h : p->oh, g.ow = dx ? p->w : p->ow, g.oc = dx ? p->c : p->co, g.ocg = dx ? cg : og;
    g.step_h = dx ? 1 : p->sh, g.step_w = dx ? 1 : p->sw, g.shift_h = dx ? p->pt : -p->pt, g.shift_w = dx ? p->pl : -p->pl;
    g.ph = dx ? p->sh : 1, g.pw = dx ? p->sw : 1;
    g.w_s = dx ? cg * taps : taps, g.w_o = dx ? taps : cg * taps, g.w_g = og * cg * taps;
    return g;
}

/* Kernel positions k with k * dilation = phase (mod phases); conv_dx reads source row (o + pad - k * dilation) / phases. */
gmi_axis gmi_gather_axis(int64_t taps, int64_t dilation, int64_t phases, int64_t phase)
{
    gmi_axis a = {0, 0, 1, 0, 0};
    while (a.kstep < phases && a.kstep * dilation % phases) a.kstep++;
    while (a.k0 < a.kstep && a.k0 < taps && a.k0 * dilation % phases != phase) a.k0++;
    if (a.k0 < a.kstep && a.k0 < taps) a.count = (taps - a.k0 + a.kstep - 1) / a.kstep;
    a.d0 = -(a.k0 * dilation - phase) / phases, a.dstep = -(a.kstep * dilation) / phases;
    return a;
}

static gmi_axis axis_of(const gmi_gather *g, int64_t taps, int64_t dilation, int64_t phases, int64_t phase, int32_t dx)
{
    gmi_axis a = {taps, 0, 1, 0, dilation};
    (void)g;
    return dx ? gmi_gather_axis(taps, dilation, phases, phase) : a;
}

typedef struct pixel {
    int64_t y, x; /* origin in its source image, perhaps outside */
    int64_t at;   /* of that place, from the first image on, at the group's first channel */
} pixel;

typedef struct run {
    const gmi_conv_plan *p;
    gmi_gather g;
    gmi_axis ay, ax;   /* of the phase */
    pixel *pixels;     /* of the block and phase */
    gmi_real **out;    /* their rows */
    gmi_real *zeros;
    const gmi_real *source, *source_end; /* of the group */
    const gmi_real *ahead, *ahead_end;   /* of the source, what the next block will read and nobody has asked for yet */
    int64_t ahead_lines;                 /* cache lines to ask for before each group of rows */
    gmi_block blk;
    const gmi_real *ptr[GMI_SEGMENTS_MAX * GMI_MR_MAX];
    int64_t len[GMI_SEGMENTS_MAX];
} run;

/* ---- rows of A ---- */
/* The hardware follows lines of memory, not the rows of an image: a block brings the source of the next one nearer while it computes. (Not in builds for
 * devices, which are small.) */
static void look_ahead(run *r)
{
    for (int64_t i = 0; i < r->ahead_lines && r->ahead < r->ahead_end; i++, r->ahead += LINE) GMI_PREFETCH(r->ahead);
}

static int32_t inside(int64_t i, int64_t n)
{
    return (uint64_t)i < (uint64_t)n;
}

static void rows_in_place(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    run *r = (run *)blk->user;
    const pixel *q = r->pixels + i;
    int64_t scg = r->g.scg, tap = k0 / scg, from = k0 % scg, ty = klen ? tap / r->ax.count : 0, tx = klen ? tap % r->ax.count : 0, s = 0;
    (void)slot;
    if (GM_TRAINING) look_ahead(r);
    for (int64_t left = klen; left > 0; s++) {
        int64_t len = GMI_MIN(scg - from, left), dy = r->ay.d0 + ty * r->ay.dstep, dx = r->ax.d0 + tx * r->ax.dstep;
        int64_t step = (dy * r->g.sw + dx) * r->g.sc + from;
        const gmi_real **ptr = blk->ptr + s * GMI_MR_MAX;
        for (int32_t x = 0; x < m; x++)
            ptr[x] = inside(q[x].y + dy, r->g.sh) && inside(q[x].x + dx, r->g.sw) ? r->source + (q[x].at + step) : r->zeros;
        blk->len[s] = len;
        left -= len, from = 0;
        if (++tx == r->ax.count) tx = 0, ty++;
    }
    ta->segments = s, ta->a = blk->ptr, ta->len = blk->len, ta->a_cs = 1;
}

/* One row of few channels, any panel, any border. */
static void gather_row(const run *r, const pixel *q, int64_t k0, int64_t klen, gmi_real *to)
{
    int64_t scg = r->g.scg, tap = k0 / scg, from = k0 % scg, ty = klen ? tap / r->ax.count : 0, tx = klen ? tap % r->ax.count : 0, left = klen;
    for (; left > 0; ty++, tx = 0) {
        int64_t y = q->y + r->ay.d0 + ty * r->ay.dstep, x = q->x + r->ax.d0 + tx * r->ax.dstep;
        const gmi_real *line = inside(y, r->g.sh) ? r->source + (q->at + ((y - q->y) * r->g.sw - q->x) * r->g.sc) : NULL;
        for (; tx < r->ax.count && left > 0; tx++, x += r->ax.dstep, from = 0) {
            int64_t len = GMI_MIN(scg - from, left);
            if (line && inside(x, r->g.sw))
                for (int64_t c = 0; c < len; c++) *to++ = line[x * r->g.sc + from + c];
            else
                for (int64_t c = 0; c < len; c++) *to++ = 0;
            left -= len;
        }
    }
}

/* One row of all taps where the taps of a kernel row touch: runs of ax.count * sc elements, each copied as whole fours (too much is written over
 * by the next run; the last run of a row leaves up to 3 elements behind it). 0 if a run would leave the source sideways or at its end. */
static int32_t gather_runs(const run *r, const pixel *q, gmi_real *to)
{
    int64_t x = q->x + r->ax.d0, run_len = r->ax.count * r->g.sc, step = r->g.sw * r->g.sc, y = q->y + r->ay.d0;
    const gmi_real *from;
    if (x < 0 || x + r->ax.count > r->g.sw) return 0;
    from = r->source + (q->at + (r->ay.d0 * r->g.sw + r->ax.d0) * r->g.sc);
    for (int64_t ty = 0; ty < r->ay.count; ty++, y += r->ay.dstep, from += r->ay.dstep * step, to += run_len) {
        if (!inside(y, r->g.sh)) {
            for (int64_t i = 0; i < run_len; i++) to[i] = 0;
            continue;
        }
        if (r->source_end - from < run_len + 3) return 0;
        for (int64_t i = 0; i < run_len; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
    }
    return 1;
}

static void rows_gathered(const gmi_block *blk, int64_t k0, int64_t klen, int64_t i, int32_t m, int32_t slot, gmi_tile_args *ta)
{
    const run *r = blk->user;
    int32_t runs = klen == blk->k && r->ax.dstep == 1 && r->g.groups == 1;
    (void)slot;
    for (int32_t x = 0; x < m; x++) {
        gmi_real *to = blk->a_pack + x * klen;
        blk->ptr[x] = to;
        if (!runs || !gather_runs(r, r->pixels + i + x, to)) gather_row(r, r->pixels + i + x, k0, klen, to);
    }
    blk->len[0] = klen;
    ta->segments = 1, ta->a = blk->ptr, ta->len = blk->len, ta->a_cs = 1;
}

/* Pixels of [i0, i1) that belong to phase (py, px), with their rows of output. */
static int64_t list_pixels(run *r, gmi_real *out_base, int64_t i0, int64_t i1, int64_t py, int64_t px)
{
    const gmi_gather *g = &r->g;
    int64_t count = 0;
    for (int64_t line = i0 / g->ow; line * g->ow < i1; line++) {
        int64_t fy = line % g->oh * g->step_h + g->shift_h, y, qx;
        int64_t x = GMI_MAX(0, i0 - line * g->ow), end = GMI_MIN(g->ow, i1 - line * g->ow);
        if ((fy - py) % g->ph) continue;
        while (x < end && (x * g->step_w + g->shift_w - px) % g->pw) x++;
        y = (fy - py) / g->ph, qx = (x * g->step_w + g->shift_w - px) / g->pw;
        /* conv: pw is 1; conv_dx: step_w is 1, and the pixels of a phase are pw apart */
        for (; x < end; x += g->pw, qx += g->step_w) {
            pixel *q = r->pixels + count;
            q->y = y, q->x = qx, q->at = ((line / g->oh * g->sh + y) * g->sw + qx) * g->sc;
            r->out[count++] = out_base + (line * g->ow + x) * g->oc;
        }
    }
    return count;
}

/* ---- plan ---- */
static int64_t packed_size(const gmi_gather *g, const gmi_kernels *t)
{
    return g->groups * g->kh * g->kw * g->scg * (gmi_ceil_div(g->ocg, t->nr) * t->nr);
}

/* Pixels that are whole tiles in each phase: a block of a multiple of them leaves no narrow tile. */
static int64_t whole_tiles(const gmi_gather *g, const gmi_kernels *t)
{
    int64_t rows = t->mr_apart, line = g->ow / g->pw;
    if (g->ph * g->pw == 1) return rows;
    while (rows > 1 && line % 2 == 0 && rows % 2 == 0) rows /= 2, line /= 2;
    while (rows > 1 && line % 3 == 0 && rows % 3 == 0) rows /= 3, line /= 3;
    return rows * g->ph * g->ow;
}

static int plan_gather(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    gmi_gather g = gmi_gather_of(p);
    int64_t pixels = g.n * g.oh * g.ow, phases = g.ph * g.pw, k = gmi_ceil_div(g.kh * g.kw, phases) * g.scg, blocks, groups, per;
    uint64_t thread = 64, shared = 0;
    double cost;
    int64_t tasks = gmi_worth_tasks((double)pixels * (double)g.oc * (double)k, max_tasks);
    /* Columns as if they were one group, so that rows are cut: where terms of few channels are copied together one task does it for all of them, and where there
     * are many rows a piece of the result then has all channels for the epilogue. (Builds for devices have none.) */
    int64_t columns = GM_TRAINING && pixels >= tasks * (g.scg < FEW_CHANNELS ? BLOCK_M : 8 * BLOCK_M) ? GMI_MIN(g.ocg, t->nr) : g.ocg;
    gmi_grid grid = gmi_choose_grid(t, pixels, columns, k, tasks, 1, p->keep_b ? GMI_KEPT : PACK_COST * (double)phases, 1, &cost);
    p->priv[ROW_UNIT] = 1;
    if (GM_TRAINING && grid.rows == tasks) {
        const int64_t unit = pixels >= 4 * tasks * GMI_RB ? GMI_RB : BLOCK_M; /* whole GMI_RB: what follows may sum the pixels of a piece */
        grid.rows = gmi_pieces(tasks, gmi_ceil_div(pixels, unit), (double)pixels * (double)g.oc * (double)k);
        if (grid.rows > tasks) p->priv[ROW_UNIT] = unit;
    }
    p->priv[CUT_ROWS] = grid.rows, p->priv[CUT_COLS] = grid.cols;
    per = GMI_MAX(1, BLOCK_BYTES / (t->nr * (int64_t)sizeof(gmi_real) * GMI_MAX(1, GMI_MIN(k, GMI_KC))));
    groups = gmi_ceil_div(gmi_ceil_div(g.ocg, t->nr), grid.cols), blocks = gmi_ceil_div(groups, per);
    p->priv[BLOCK_COLS] = gmi_ceil_div(groups, GMI_MAX(1, blocks)) * t->nr;
    pixels = gmi_ceil_div(pixels, grid.rows), blocks = gmi_ceil_div(pixels, BLOCK_M * GMI_MIN(phases, 4));
    p->priv[BLOCK_PIXELS] = GMI_MAX(1, gmi_ceil_div(pixels, GMI_MAX(1, blocks)));
    if (GM_TRAINING && blocks > 1) {
        const int64_t whole = whole_tiles(&g, t), block = p->priv[BLOCK_PIXELS];
        if (whole <= 2 * block) p->priv[BLOCK_PIXELS] = gmi_ceil_div(block - whole / 4, whole) * whole;
    }
    p->tasks = (int32_t)(grid.rows * grid.cols), p->phases = grid.rows > 1 ? 2 : 1;
    per = p->priv[BLOCK_PIXELS];
    if (gmi_add_bytes(&shared, packed_size(&g, t), sizeof(gmi_real)) || gmi_add_bytes(&thread, GMI_MR_MAX * GMI_KC + 4, sizeof(gmi_real)) ||
        gmi_add_bytes(&thread, per, sizeof(pixel) + sizeof(gmi_real *)) || gmi_add_bytes(&thread, g.scg, sizeof(gmi_real)))
        return -1;
    if (g.kh * g.kw * g.scg > GMI_SLAB_TERMS && gmi_add_bytes(&thread, per * p->priv[BLOCK_COLS], sizeof(gmi_real))) return -1;
    p->shared_bytes = shared, p->thread_bytes = thread;
    return 0;
}

static int sizes_ok(const gmi_conv_plan *p)
{
    const int64_t x[] = {p->n, p->h, p->w, p->c}, y[] = {p->n, p->oh, p->ow, p->co}, w[] = {p->co, p->c, p->kh, p->kw, 2048};
    int64_t a;
    if (p->groups < 1 || p->c % p->groups || p->co % p->groups || p->sh < 1 || p->sw < 1 || p->dh < 1 || p->dw < 1) return 0;
    if (gmi_count_i64(4, x, &a) || a > INT64_MAX / 64 || gmi_count_i64(4, y, &a) || a > INT64_MAX / 64) return 0;
    return !gmi_count_i64(5, w, &a) && p->c < INT32_MAX - 64 && p->co < INT32_MAX - 64;
}

int gmi_conv_plan_init(gmi_conv_plan *p, const gmi_kernels *t, int32_t max_tasks)
{
    int planar;
    if (!sizes_ok(p)) return -1;
    if (p->kind == GMI_CONV_DW) return GM_TRAINING ? gmi_conv_dw_plan(p, t, max_tasks) : -1;
    planar = gmi_planar_plan(p, t, max_tasks);
    return planar ? planar == 1 ? 0 : -1 : plan_gather(p, t, max_tasks);
}

/* First pixel of a part of the rows. */
static int64_t part_start(const gmi_conv_plan *p, int64_t pixels, int64_t part)
{
    const int64_t unit = p->priv[ROW_UNIT];
    if (!GM_TRAINING) return gmi_part(pixels, p->priv[CUT_ROWS], part);
    return GMI_MIN(pixels, gmi_part(gmi_ceil_div(pixels, unit), p->priv[CUT_ROWS], part) * unit);
}

int gmi_conv_task_rows(const gmi_conv_plan *p, int32_t task, int64_t *m0, int64_t *m1)
{
    gmi_gather g = gmi_gather_of(p);
    const int64_t *cut = p->priv, pixels = g.n * g.oh * g.ow;
    if (p->kind == GMI_CONV_DW) return 0;
    if (cut[PLANAR]) {
        gmi_planar_task_rows(p, task, m0, m1);
        return 1;
    }
    *m0 = part_start(p, pixels, task), *m1 = part_start(p, pixels, task + 1);
    return g.groups == 1 && cut[CUT_COLS] == 1 && cut[BLOCK_COLS] >= g.ocg;
}

/* ---- execution ---- */
static void run_init(run *r, const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, void *scratch)
{
    char *s = gmi_align64(scratch);
    r->p = p, r->g = gmi_gather_of(p);
    memset(&r->blk, 0, sizeof r->blk);
    r->blk.t = t, r->blk.n = r->g.ocg, r->blk.user = r, r->blk.ptr = r->ptr, r->blk.len = r->len;
    r->blk.rows = r->g.scg < FEW_CHANNELS ? rows_gathered : rows_in_place;
    r->blk.mode = GMI_B_READY;
    r->blk.a_pack = (gmi_real *)(void *)s;
    r->pixels = gmi_align64(s + (GMI_MR_MAX * GMI_KC + 4) * sizeof(gmi_real));
    r->out = gmi_align64(r->pixels + p->priv[BLOCK_PIXELS]);
    r->zeros = gmi_align64(r->out + p->priv[BLOCK_PIXELS]);
    r->blk.slab = gmi_align64(r->zeros + r->g.scg);
    r->source_end = io->a + r->g.n * r->g.sh * r->g.sw * r->g.sc;
    memset(r->zeros, 0, (size_t)r->g.scg * sizeof *r->zeros);
}

/* Sets the taps, length and packed weights of (group, phase). */
static void set_phase(run *r, const gmi_conv_io *io, int64_t group, int64_t phase)
{
    const gmi_gather *g = &r->g;
    int64_t before = 0, width = gmi_ceil_div(g->ocg, r->blk.t->nr) * r->blk.t->nr;
    int32_t dx = r->p->kind == GMI_CONV_DX;
    for (int64_t f = 0; f <= phase; f++) {
        if (f) before += r->ay.count * r->ax.count;
        r->ay = axis_of(g, g->kh, g->dil_h, g->ph, f / g->pw, dx), r->ax = axis_of(g, g->kw, g->dil_w, g->pw, f % g->pw, dx);
    }
    r->blk.k = r->ay.count * r->ax.count * g->scg;
    r->blk.packed = (gmi_real *)gmi_align64(io->shared) + (group * g->kh * g->kw + before) * g->scg * width;
}

/* ---- packing of weights ---- */
#define TAPS_AT_ONCE 32
#define CHANNELS_AT_ONCE 64

/* Where the rows of nr weights of one tap go: term k = index * scg + channel of a phase's matrix. */
typedef struct place {
    gmi_real *packed;
    int64_t k, index;
} place;

static place place_of(run *r, const gmi_conv_io *io, int64_t group, int64_t tap)
{
    int64_t ky = tap / r->g.kw, kx = tap % r->g.kw;
    place q;
    set_phase(r, io, group, ky * r->g.dil_h % r->g.ph * r->g.pw + kx * r->g.dil_w % r->g.pw);
    q.packed = r->blk.packed, q.k = r->blk.k;
    q.index = (ky - r->ay.k0) / r->ay.kstep * r->ax.count + (kx - r->ax.k0) / r->ax.kstep;
    return q;
}

/* Columns [j, j + nr) of source channels [s0, s1) for every tap and phase: the taps of a pair of channels are neighbours in the weights. */
static void pack_weights(run *r, const gmi_conv_io *io, int64_t group, int64_t j, int64_t s0, int64_t s1)
{
    const gmi_gather *g = &r->g;
    int64_t nr = r->blk.t->nr, taps = g->kh * g->kw, n = GMI_MIN(nr, g->ocg - j);
    gmi_real tile[TAPS_AT_ONCE * 64];
    place to[TAPS_AT_ONCE];
    memset(tile, 0, sizeof tile);
    for (int64_t tap = 0; tap < taps; tap += TAPS_AT_ONCE) {
        int64_t count = GMI_MIN(TAPS_AT_ONCE, taps - tap);
        for (int64_t i = 0; i < count; i++) to[i] = place_of(r, io, group, tap + i);
        for (int64_t s = s0; s < s1; s++) {
            r->blk.t->transpose(n, count, io->b + group * g->w_g + s * g->w_s + j * g->w_o + tap, g->w_o, tile, nr);
            for (int64_t i = 0; i < count; i++) {
                int64_t k = to[i].index * g->scg + s, k0 = k / GMI_KC * GMI_KC;
                gmi_copy_rows(1, nr, tile + i * nr, nr, to[i].packed + gmi_block_offset(r->blk.t, to[i].k, g->ocg, k0, j) + (k - k0) * nr, nr);
            }
        }
    }
}

/* Share `part` of `parts` of the columns [c0, c1) of all groups. */
static void pack_columns(run *r, const gmi_conv_io *io, int64_t c0, int64_t c1, int64_t part, int64_t parts)
{
    int64_t nr = r->blk.t->nr, at = 0;
    for (int64_t group = 0; group < r->g.groups; group++)
        for (int64_t s = 0; s < r->g.scg; s += CHANNELS_AT_ONCE)
            for (int64_t j = c0; j < c1; j += nr, at++)
                if (at % parts == part) pack_weights(r, io, group, j, s, GMI_MIN(r->g.scg, s + CHANNELS_AT_ONCE));
}

/* About where in the source the outputs from i on begin to read: images are read from the first line to the last while they are written so. */
static int64_t source_near(const gmi_gather *g, int64_t i)
{
    int64_t outputs = g->oh * g->ow, size = g->sh * g->sw * g->sc;
    return i / outputs * size + (int64_t)((double)(i % outputs) / (double)outputs * (double)size);
}

static void set_ahead(run *r, const gmi_conv_io *io, int64_t i0, int64_t i1)
{
    int64_t a = source_near(&r->g, i0), b = source_near(&r->g, i1);
    r->ahead = io->a + a, r->ahead_end = io->a + b;
    r->ahead_lines = (b - a) / LINE / AHEAD_STEPS + 1;
}

static void compute(run *r, const gmi_conv_io *io, int32_t task)
{
    const gmi_gather *g = &r->g;
    const int64_t *cut = r->p->priv;
    int64_t nr = r->blk.t->nr, columns = gmi_ceil_div(g->ocg, nr), pixels = g->n * g->oh * g->ow, ic = task % cut[CUT_COLS], ir = task / cut[CUT_COLS];
    int64_t c0 = gmi_part(columns, cut[CUT_COLS], ic) * nr, c1 = GMI_MIN(g->ocg, gmi_part(columns, cut[CUT_COLS], ic + 1) * nr);
    int64_t r0 = part_start(r->p, pixels, ir), r1 = part_start(r->p, pixels, ir + 1);
    gmi_block_out out;
    out.c = NULL, out.ld = 0, out.rows = r->out;
    if (r->p->phases == 1 && !io->packed) pack_columns(r, io, c0, c1, 0, 1);
    for (int64_t group = 0; group < g->groups; group++)
        for (int64_t j = c0; j < c1; j += cut[BLOCK_COLS])
            for (int64_t i = r0; i < r1; i += cut[BLOCK_PIXELS]) {
                int64_t i1 = GMI_MIN(r1, i + cut[BLOCK_PIXELS]), j1 = GMI_MIN(c1, j + cut[BLOCK_COLS]), first = group * g->ocg;
                if (GM_TRAINING) set_ahead(r, io, i1, GMI_MIN(r1, i1 + cut[BLOCK_PIXELS]));
                for (int64_t phase = 0; phase < g->ph * g->pw; phase++) {
                    int64_t count;
                    set_phase(r, io, group, phase);
                    r->source = io->a + group * g->scg;
                    count = list_pixels(r, io->c + first + j, i, i1, phase / g->pw, phase % g->pw);
                    gmi_block_full(&r->blk, 0, count, j, j1, 0, &out);
                }
                if (io->epilogue) io->epilogue(io->epilogue_user, i, i1, first + j, first + j1, task);
            }
}

void gmi_conv_run(const gmi_conv_plan *p, const gmi_kernels *t, const gmi_conv_io *io, int32_t phase, int32_t task, void *scratch)
{
    run r;
    if (GM_TRAINING && p->kind == GMI_CONV_DW) {
        gmi_conv_dw_run(p, t, io, phase, task, scratch);
        return;
    }
    if (p->priv[PLANAR]) {
        gmi_planar_run(p, t, io, task, scratch);
        return;
    }
    run_init(&r, p, t, io, scratch);
    if (p->phases == 1 || phase == 1)
        compute(&r, io, task);
    else if (!io->packed)
        pack_columns(&r, io, 0, r.g.ocg, task, p->tasks);
}
