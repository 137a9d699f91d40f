/* SPDX-License-Identifier: MIT */
/* vae_columns.c: mixed tables: rows as features, and p(x|z) of columns of several kinds.
 *
 *   column            features              outputs of the decoder                        log p of a cell
 *   real              1, standardised       mean; with variance "output" a log variance   Gaussian
 *   integer lo hi     1, on [-1, 1]         mean, log scale                               discretised logistic (nn/logistic.c)
 *   a|b|c             K, one-hot            K logits                                      softmax
 *   ... missing       1 more: 1 = there                                                   0 where the cell is missing
 *
 * The host turns cells into features (NaN never enters a graph: a missing cell is zeros), the graph computes on features, and the host turns features back into
 * cells. Columns of one kind, size and `missing` stand side by side, a group, so that a graph has a few nodes a group and not a column; indicators come last.
 * A missing cell enters log p times 0, hence neither the objective nor a gradient (the likelihood of what was observed: Nazabal et al. 2020, HI-VAE).
 * Log variances that are no outputs are one a column ("scalar" and "dimension" alike: a column is a quantity with a unit of its own), or fixed. */
#include "models/vae.h"
#include "train/columns.h"

typedef struct group {
    int32_t kind, missing;
    int64_t levels, count; /* values of an integer or category; columns */
    int64_t width;         /* features of one column */
    int64_t x, there;      /* first feature, first indicator */
    int64_t out, per;      /* first output; outputs of one column */
    int64_t real;          /* first of the log variances */
} group;

struct gmi_vae_columns {
    gmi_columns k;
    int64_t *at, *there;   /* of each column: first feature; indicator, or -1 */
    group *group;
    int64_t n, reals;      /* groups; real columns */
    int64_t values, width; /* features without indicators; with them */
    double *cell;          /* a row */
};

/* ---- layout ---- */

static int64_t levels_of(const gmi_column *k) { return k->hi - k->lo + 1; }

/* The order of columns in the features. */
static int before(const gmi_column *a, const gmi_column *b)
{
    if (a->kind != b->kind) return a->kind < b->kind;
    if (levels_of(a) != levels_of(b)) return levels_of(a) < levels_of(b);
    return a->missing < b->missing;
}

static int together(const gmi_column *a, const gmi_column *b) { return !before(a, b) && !before(b, a); }

static void open_group(const gm_vae *v, struct gmi_vae_columns *t, const gmi_column *k, group *g)
{
    memset(g, 0, sizeof *g);
    g->kind = k->kind;
    g->missing = k->missing;
    g->levels = levels_of(k);
    g->width = k->kind == GMI_COLUMN_CATEGORY ? g->levels : 1;
    g->per = k->kind == GMI_COLUMN_CATEGORY ? g->levels : k->kind == GMI_COLUMN_INTEGER || v->plan.variance == GMI_VAR_OUTPUT ? 2 : 1;
    g->x = t->values;
    g->there = t->width; /* indicators so far; they move behind the values */
    g->out = v->plan.outputs;
    g->real = t->reals;
}

/* order[] is the columns by group. */
static void lay_out(gm_vae *v, struct gmi_vae_columns *t, const int64_t *order)
{
    group *g = t->group - 1;
    v->plan.outputs = 0;
    for (int64_t i = 0; i < t->k.n; i++) {
        const gmi_column *k = &t->k.p[order[i]];
        if (!i || !together(k, &t->k.p[order[i - 1]])) open_group(v, t, k, ++g);
        g->count++;
        t->at[order[i]] = t->values;
        t->there[order[i]] = k->missing ? t->width++ : -1;
        t->values += g->width;
        t->reals += k->kind == GMI_COLUMN_REAL;
        v->plan.outputs += g->per;
    }
    t->n = g - t->group + 1;
    for (int64_t i = 0; i < t->n; i++) t->group[i].there += t->values;
    for (int64_t i = 0; i < t->k.n; i++)
        if (t->there[i] >= 0) t->there[i] += t->values;
    t->width += t->values;
    v->plan.x_elems = t->width;
}

gm_status gmi_vae_columns_plan(gm_vae *v)
{
    gm_context *c = v->m.ctx;
    struct gmi_vae_columns *t = gmi_arena_alloc(&v->texts, sizeof *t);
    if (!v->m.spec.columns) return gmi_fail(c, GM_E_INVALID, "likelihood columns: gm_spec.columns is NULL: say the kinds of the columns there");
    if (!t) return gmi_nomem(c);
    gm_status s = gmi_columns_parse(&v->texts, v->m.spec.columns, &t->k);
    if (s) return s;
    const uint64_t n = (uint64_t)t->k.n;
    int64_t *order = gmi_arena_alloc(&v->texts, n * sizeof *order);
    t->at = gmi_arena_alloc(&v->texts, n * sizeof *t->at);
    t->there = gmi_arena_alloc(&v->texts, n * sizeof *t->there);
    t->group = gmi_arena_alloc(&v->texts, n * sizeof *t->group);
    t->cell = gmi_arena_alloc(&v->texts, n * sizeof *t->cell);
    if (!order || !t->at || !t->there || !t->group || !t->cell) return gmi_nomem(c);
    for (int64_t i = 0; i < t->k.n; i++) { /* insertion keeps columns of a group in their order */
        int64_t j = i;
        for (; j > 0 && before(&t->k.p[i], &t->k.p[order[j - 1]]); j--) order[j] = order[j - 1];
        order[j] = i;
    }
    lay_out(v, t, order);
    v->columns = t;
    return GM_OK;
}

gm_status gmi_vae_columns_fit(const gm_vae *v, const gm_spec *data)
{
    int same = 1;
    gm_status s = data->columns ? gmi_columns_same(v->m.ctx, v->m.spec.columns, data->columns, &same) : GM_OK;
    return s || same ? s : gmi_fail(v->m.ctx, GM_E_INVALID, "the dataset's columns are %S, the model was made for %S", data->columns, v->m.spec.columns);
}

/* ---- cells to features and back ---- */

static void constants(const gm_vae *v, int64_t column, double *scale, double *shift)
{
    const gmi_scaler *s = &v->m.scaler;
    *scale = s->n ? s->scale[s->n == 1 ? 0 : column] : 1;
    *shift = s->n ? s->shift[s->n == 1 ? 0 : column] : 0;
}

typedef struct filling {
    const gm_vae *v;
    gmi_real *x;   /* [n, width] */
    int64_t first; /* number of row 0, for messages */
} filling;

static gm_status fill_row(void *user, int64_t row, const double *cell)
{
    const filling *f = user;
    const struct gmi_vae_columns *t = f->v->columns;
    gmi_real *x = f->x + row * t->width;
    memset(x, 0, (size_t)t->width * sizeof *x);
    for (int64_t j = 0; j < t->k.n; j++) {
        const gmi_column *k = &t->k.p[j];
        gmi_real *to = x + t->at[j];
        double scale, shift, y = cell[j];
        if (y != y) continue;
        if (t->there[j] >= 0) x[t->there[j]] = 1;
        if (k->kind == GMI_COLUMN_CATEGORY) {
            to[(int64_t)y] = 1;
        } else if (k->kind == GMI_COLUMN_INTEGER) {
            *to = (gmi_real)(2 * (y - (double)k->lo) / (double)(k->hi - k->lo) - 1);
        } else {
            constants(f->v, j, &scale, &shift);
            y *= scale;
            *to = (gmi_real)(y + shift);
            if (!(*to - *to == 0))
                return gmi_fail_at(f->v->m.ctx, GM_E_NONFINITE, f->first + row, "row %i, column %S is too large for the compute type: scale the data",
                                   f->first + row, k->name);
        }
    }
    return GM_OK;
}

gm_status gmi_vae_columns_tensor(const gm_vae *v, const gm_tensor *x, int64_t r0, int64_t n, gmi_real *to)
{
    filling f;
    f.v = v;
    f.x = to;
    f.first = r0;
    return gmi_tensor_cells(x, r0, r0 + n, &v->columns->k, v->columns->cell, fill_row, &f);
}

gm_status gmi_vae_columns_rows(const gm_vae *v, gm_dataset *d, const int64_t *index, int64_t n, int64_t first, gmi_real *to, void *cond)
{
    filling f;
    f.v = v;
    f.x = to;
    f.first = first;
    return gmi_dataset_cells(d, n, index, &v->columns->k, v->columns->cell, fill_row, &f, cond);
}

/* The cell of column j. */
static double cell_of(const gm_vae *v, int64_t j, const gmi_real *x)
{
    const gmi_column *k = &v->columns->k.p[j];
    double scale, shift, y = (double)*x;
    int64_t best = 0;
    if (k->kind == GMI_COLUMN_CATEGORY) {
        for (int64_t i = 1; i <= k->hi; i++)
            if (x[i] > x[best]) best = i;
        return (double)best;
    }
    if (k->kind == GMI_COLUMN_INTEGER) {
        y = y > -1 ? y < 1 ? y : 1 : -1; /* a draw may lie beyond the end bins */
        return (double)k->lo + gmi_num_floor((y + 1) / 2 * (double)(k->hi - k->lo) + 0.5);
    }
    constants(v, j, &scale, &shift);
    return (y - shift) / scale;
}

void gmi_vae_columns_store(const gm_vae *v, const gmi_real *in, gm_tensor *out, int64_t r0, int64_t r1)
{
    const struct gmi_vae_columns *t = v->columns;
    for (int64_t r = r0; r < r1; r++, in += t->values) {
        for (int64_t j = 0; j < t->k.n; j++) t->cell[j] = cell_of(v, j, in + t->at[j]);
        gmi_tensor_put_cells(out, r, t->cell);
    }
}

void gmi_vae_columns_error(const gm_vae *v, const gmi_real *x, const gmi_real *y, int64_t n, double *out)
{
    const struct gmi_vae_columns *t = v->columns;
    for (int64_t r = 0; r < n; r++, x += t->width, y += t->values) {
        out[r] = 0;
        for (int64_t j = 0; j < t->k.n; j++) {
            const int64_t width = t->k.p[j].kind == GMI_COLUMN_CATEGORY ? levels_of(&t->k.p[j]) : 1, at = t->at[j];
            if (t->there[j] >= 0 && x[t->there[j]] == 0) continue;
            for (int64_t i = at; i < at + width; i++) out[r] += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        }
    }
}

/* ---- p(x|z) ---- */

/* Columns [first, first + count) of a [n, all]. */
static gm_node cut(gm_graph *g, gm_node a, int64_t first, int64_t count)
{
    return gm_graph_dim(g, a, 1) == count ? a : gm_op_slice(g, a, 1, first, first + count);
}

/* [n, count * levels] to [n, count, levels] */
static gm_node by_level(gm_graph *g, gm_node a, const group *k)
{
    int64_t dims[3];
    dims[0] = gm_graph_dim(g, a, 0);
    dims[1] = k->count;
    dims[2] = k->levels;
    return gm_op_reshape(g, a, 3, dims);
}

static gm_node outputs(gm_graph *g, gmi_px p, const group *k) { return cut(g, p.a, k->out, k->count * k->per); }
static gm_node means(gm_graph *g, gmi_px p, const group *k) { return cut(g, outputs(g, p, k), 0, k->count); }

/* Of an integer's output. */
static gm_node log_scales(gm_graph *g, gmi_px p, const group *k)
{
    return gmi_logistic_log_scale(g, cut(g, outputs(g, p, k), k->count, k->count), k->levels);
}

/* [n, count], or [count], or [] */
static gm_node log_variances(const gm_vae *v, gm_graph *g, gmi_px p, const group *k)
{
    if (v->plan.variance == GMI_VAR_FIXED) return gm_op_scalar(g, v->plan.fixed_logvar);
    if (v->plan.variance == GMI_VAR_OUTPUT) return gmi_vae_soft_floor(g, cut(g, outputs(g, p, k), k->count, k->count));
    return gmi_vae_soft_floor(g, v->columns->reals == k->count ? p.b : gm_op_slice(g, p.b, 0, k->real, k->real + k->count));
}

gmi_px gmi_vae_columns_px(const gm_vae *v, gm_graph *g, gm_node h, int64_t n)
{
    gmi_px p = {{0}, {0}};
    int64_t dims[2];
    dims[0] = n;
    dims[1] = v->plan.outputs;
    p.a = gm_op_reshape(g, h, 2, dims);
    if (!v->columns->reals || v->plan.variance == GMI_VAR_FIXED || v->plan.variance == GMI_VAR_OUTPUT) return p;
    size_t old = gmi_graph_scope(g, "output");
    p.b = gm_graph_param(g, "logvar", "zeros", 1, &v->columns->reals); /* real columns, those that may be missing behind the others */
    gmi_graph_leave_scope(g, old);
    return p;
}

/* log p of the cells of a group, [n, count]; 0 where missing. */
static gm_node group_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x, const group *k)
{
    gm_node cells = cut(g, x, k->x, k->count * k->width), there = {0}, log;
    if (k->missing) there = cut(g, x, k->there, k->count);
    if (k->kind == GMI_COLUMN_CATEGORY) { /* one-hot times logits, which is 0 where missing */
        gm_node logits = by_level(g, outputs(g, p, k), k), total = gm_op_logsumexp(g, logits, 4, 0);
        log = gm_op_sum(g, gm_op_mul(g, by_level(g, cells, k), logits), 4, 0);
        return gm_op_sub(g, log, k->missing ? gm_op_mul(g, total, there) : total);
    }
    if (k->kind == GMI_COLUMN_INTEGER) log = gmi_logistic_log(g, means(g, p, k), log_scales(g, p, k), cells, k->levels);
    else log = gmi_gaussian_log(g, means(g, p, k), log_variances(v, g, p, k), cells);
    return k->missing ? gm_op_mul(g, log, there) : log;
}

gm_node gmi_vae_columns_log(const gm_vae *v, gm_graph *g, gmi_px p, gm_node x)
{
    gm_node sum = {0};
    for (int64_t i = 0; i < v->columns->n; i++) {
        gm_node one = gm_op_sum(g, group_log(v, g, p, x, &v->columns->group[i]), 2, 0);
        sum = i ? gm_op_add(g, sum, one) : one;
    }
    return sum;
}

static gm_node noise(gm_graph *g, const char *key, const group *k, gm_node like, int normal)
{
    char name[64];
    int64_t dims[GMI_MAX_RANK];
    int32_t rank = gm_graph_rank(g, like);
    for (int32_t i = 0; i < rank; i++) dims[i] = gm_graph_dim(g, like, i);
    gmi_format(name, sizeof name, "%s.%i", key, k->x);
    return normal ? gm_op_random_normal(g, name, rank, dims, 1) : gm_op_random_uniform(g, name, rank, dims, 1);
}

/* [n, count * levels]: probabilities, or for a draw the one-hot of the largest of logits + Gumbel noise. */
static gm_node classes(gm_graph *g, gmi_px p, const char *key, const group *k)
{
    gm_node logits = by_level(g, outputs(g, p, k), k), y;
    int64_t dims[2];
    if (key) {
        gm_node gumbel = gm_op_neg(g, gm_op_log(g, gm_op_neg(g, gm_op_log(g, noise(g, key, k, logits, 0)))));
        y = gm_op_one_hot(g, gm_op_argmax(g, gm_op_add(g, logits, gumbel), -1), k->levels);
    } else {
        y = gm_op_softmax(g, logits, -1);
    }
    dims[0] = gm_graph_dim(g, p.a, 0);
    dims[1] = k->count * k->levels;
    return gm_op_reshape(g, y, 2, dims);
}

/* Features of the mean, or with a key of a draw. */
static gm_node group_value(const gm_vae *v, gm_graph *g, gmi_px p, const char *key, const group *k)
{
    if (k->kind == GMI_COLUMN_CATEGORY) return classes(g, p, key, k);
    gm_node mean = means(g, p, k);
    if (k->kind == GMI_COLUMN_INTEGER)
        return key ? gmi_logistic_draw(g, mean, log_scales(g, p, k), noise(g, key, k, mean, 0)) : gmi_logistic_mean(g, mean, log_scales(g, p, k));
    if (!key) return mean;
    return gm_op_add(g, mean, gm_op_mul(g, noise(g, key, k, mean, 1), gm_op_exp(g, gm_op_scale(g, log_variances(v, g, p, k), 0.5))));
}

gm_node gmi_vae_columns_value(const gm_vae *v, gm_graph *g, gmi_px p, const char *key)
{
    gm_node all = {0};
    for (int64_t i = 0; i < v->columns->n; i++) {
        gm_node part[2];
        part[0] = all;
        part[1] = group_value(v, g, p, key, &v->columns->group[i]);
        all = i ? gm_op_concat(g, 2, part, 1) : part[1];
    }
    return all;
}

gm_node gmi_vae_columns_in_order(const gm_vae *v, gm_graph *g, gm_node a)
{
    const struct gmi_vae_columns *t = v->columns;
    const int indicators = gm_graph_dim(g, a, 1) > t->values;
    gm_node part[2];
    part[0].id = 0;
    for (int pass = 0; pass <= indicators; pass++)
        for (int64_t j = 0; j < t->k.n; j++) {
            int64_t width = pass || t->k.p[j].kind != GMI_COLUMN_CATEGORY ? 1 : levels_of(&t->k.p[j]), at = pass ? t->there[j] : t->at[j];
            if (at < 0) continue;
            part[1] = gm_op_slice(g, a, 1, at, at + width);
            part[0] = part[0].id ? gm_op_concat(g, 2, part, 1) : part[1];
        }
    return part[0];
}

/* ---- the output's bias from the data ---- */

typedef struct counting {
    filling f;
    double *sum; /* [values] of features, then [columns] cells that are there */
} counting;

static gm_status count_row(void *user, int64_t row, const double *cell)
{
    counting *c = user;
    const struct gmi_vae_columns *t = c->f.v->columns;
    gm_status s = fill_row(&c->f, 0, cell);
    (void)row;
    for (int64_t i = 0; !s && i < t->values; i++) c->sum[i] += (double)c->f.x[i];
    for (int64_t j = 0; !s && j < t->k.n; j++) c->sum[t->values + j] += cell[j] == cell[j];
    return s;
}

/* Means of reals and integers, log frequencies of words with half a count added. */
static void set_bias(const gm_vae *v, const double *sum, gmi_real *bias)
{
    const struct gmi_vae_columns *t = v->columns;
    for (int64_t i = 0; i < t->n; i++) {
        const group *k = &t->group[i];
        for (int64_t j = 0; j < t->k.n; j++) {
            int64_t at = t->at[j] - k->x, place = at / k->width; /* of the column in the group */
            double count = sum[t->values + j];
            if (at < 0 || place >= k->count) continue;
            if (k->kind != GMI_COLUMN_CATEGORY) bias[k->out + place] = (gmi_real)(count > 0 ? sum[t->at[j]] / count : 0);
            for (int64_t q = 0; k->kind == GMI_COLUMN_CATEGORY && q < k->levels; q++)
                bias[k->out + at + q] = (gmi_real)gmi_num_log((sum[t->at[j] + q] + 0.5) / (count + 0.5 * (double)k->levels));
        }
    }
}

gm_status gmi_vae_columns_bias(gm_vae *v, gm_dataset *d, int64_t rows, gmi_real *bias)
{
    const struct gmi_vae_columns *t = v->columns;
    gm_context *c = v->m.ctx;
    int64_t at[GMI_INFER_ROWS];
    counting k;
    memset(&k, 0, sizeof k);
    k.f.v = v;
    k.f.x = gmi_alloc_n(c, t->width, sizeof *k.f.x);
    k.sum = gmi_alloc_n(c, t->values + t->k.n, sizeof *k.sum);
    gm_status s = k.f.x && k.sum ? gmi_dataset_reserve(d, GMI_INFER_ROWS) : gmi_nomem(c);
    for (int64_t r = 0; !s && r < rows; r += GMI_INFER_ROWS) {
        int64_t n = GMI_MIN(rows - r, GMI_INFER_ROWS);
        for (int64_t i = 0; i < n; i++) at[i] = r + i;
        s = gmi_dataset_cells(d, n, at, &t->k, t->cell, count_row, &k, NULL);
    }
    if (!s) set_bias(v, k.sum, bias);
    gmi_free(c, k.f.x);
    gmi_free(c, k.sum);
    return s;
}
