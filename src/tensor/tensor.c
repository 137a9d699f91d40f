/* SPDX-License-Identifier: MIT */
/* tensor.c: arrays at the boundary: own memory, the host's memory, and views of either.
 *
 * A tensor is a pointer, a type, dimensions and byte strides. Its handle and its views count as references; a view holds its parent, all hold the
 * context, so any order of destruction is safe. Element (i0, i1, ...) stands at data + sum(i_k * stride_k); the host may choose the strides, also
 * negative ones, with `data` at element (0, 0, ...). Nothing here computes: the compute type and dense layout begin behind gmi_tensor_to_real. */
#include "tensor/tensor.h"
#include "tensor/convert.h"

size_t gmi_dtype_size(gm_dtype t)
{
    static const uint8_t sizes[] = {0, 4, 8, 1, 2, 4, 8};
    return t > 0 && t < GMI_COUNT(sizes) ? sizes[t] : 0;
}

const char *gm_dtype_name(gm_dtype t)
{
    static const char names[][8] = {"unknown", "f32", "f64", "u8", "i16", "i32", "i64"};
    return t > 0 && t < GMI_COUNT(names) ? names[t] : names[0];
}

/* What the compiler aligns the type to: on i386 8-byte types lie at multiples of 4. */
static size_t dtype_align(gm_dtype t)
{
    struct f64 {
        char c;
        double v;
    };
    struct i64 {
        char c;
        int64_t v;
    };
    if (t == GM_F64) return offsetof(struct f64, v);
    if (t == GM_I64) return offsetof(struct i64, v);
    return gmi_dtype_size(t);
}

int64_t gmi_tensor_count(const gm_tensor *t)
{
    int64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++) n *= t->dims[i];
    return n;
}

static void dense_strides(int32_t rank, const int64_t *dims, int64_t size, int64_t *strides)
{
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = size;
        size *= dims[i] > 0 ? dims[i] : 1;
    }
}

int gmi_tensor_dense(const gm_tensor *t)
{
    int64_t want = (int64_t)gmi_dtype_size(t->dtype);
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        if (t->dims[i] == 0) return 1;
        if (t->dims[i] != 1 && t->strides[i] != want) {
            for (int32_t j = 0; j < i; j++)
                if (t->dims[j] == 0) return 1;
            return 0;
        }
        want *= t->dims[i];
    }
    return 1;
}

void gmi_tensor_view(gm_tensor *t, gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, void *data)
{
    memset(t, 0, sizeof *t);
    t->ctx = c;
    t->refs = 1;
    t->dtype = dt;
    t->rank = rank;
    if (rank) memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    dense_strides(rank, t->dims, (int64_t)gmi_dtype_size(dt), t->strides);
    t->data = data;
}

size_t gmi_tensor_describe(const gm_tensor *t, char *to, size_t n)
{
    if (!t) return gmi_format(to, n, "NULL");
    return gmi_format(to, n, "%v %s", t->rank, t->dims, gm_dtype_name(t->dtype));
}

/* ---- making ---- */

static gm_status check_shape(gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, int64_t *bytes)
{
    int64_t size = (int64_t)gmi_dtype_size(dt), n;
    if (!size) return gmi_fail(c, GM_E_DTYPE, "element type %d is not known", (int32_t)dt);
    if (rank < 0 || rank > GMI_MAX_RANK) return gmi_fail(c, GM_E_SHAPE, "rank is %d, it must be 0 to %d", rank, GMI_MAX_RANK);
    if (rank && !dims) return gmi_fail(c, GM_E_INVALID, "dims is NULL, rank is %d", rank);
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] < 0) return gmi_fail(c, GM_E_SHAPE, "dims are %v: dimension %d is negative", rank, dims, i);
    if (gmi_count_i64(rank, dims, &n) || gmi_mul_i64(n, size, bytes))
        return gmi_fail(c, GM_E_SHAPE, "dims are %v: more bytes than can be counted", rank, dims);
    return GM_OK;
}

static gm_tensor *new_tensor(gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, void *data)
{
    gm_tensor *t = gmi_alloc(c, sizeof *t);
    if (!t) return NULL;
    gmi_tensor_view(t, c, dt, rank, dims, data);
    gmi_context_retain(c);
    return t;
}

static gm_status create(gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, gm_tensor **out)
{
    int64_t bytes;
    void *memory;
    gm_status s = check_shape(c, dt, rank, dims, &bytes);
    if (s != GM_OK) return s;
    memory = gmi_alloc(c, (uint64_t)bytes);
    if (!memory) return c->status;
    *out = new_tensor(c, dt, rank, dims, memory);
    if (!*out) {
        gmi_free(c, memory);
        return c->status;
    }
    (*out)->owned = memory;
    return GM_OK;
}

gm_status gm_tensor_create(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, gm_tensor **out)
{
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "tensor_create");
    s = create(c, t, rank, dims, out);
    return gmi_leave(c, s);
}

/* Strides of the host: whole elements apart, reachable by int64_t, and, for an output, no two indices on one element by a stride of 0. */
static gm_status check_strides(gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, const int64_t *strides, int readonly)
{
    int64_t align = (int64_t)dtype_align(dt), reach = 0, step;
    for (int32_t i = 0; i < rank; i++) {
        if (strides[i] % align)
            return gmi_fail(c, GM_E_INVALID, "byte_strides are %v: stride %d is not a multiple of the alignment of %s, %i", rank, strides, i,
                            gm_dtype_name(dt), align);
        if (dims[i] < 2) continue;
        if (strides[i] == 0 && !readonly)
            return gmi_fail(c, GM_E_INVALID, "byte_strides are %v: stride %d is 0, so an output would overlap itself", rank, strides, i);
        if (strides[i] == INT64_MIN || gmi_mul_i64(dims[i] - 1, strides[i] < 0 ? -strides[i] : strides[i], &step) || step > INT64_MAX / 2 - reach)
            return gmi_fail(c, GM_E_SHAPE, "byte_strides are %v for dims %v: the last element cannot be addressed", rank, strides, rank, dims);
        reach += step;
    }
    return GM_OK;
}

static gm_status check_memory(gm_context *c, gm_dtype dt, int64_t bytes, const void *host)
{
    if (!host && bytes) return gmi_fail(c, GM_E_INVALID, "host memory is NULL, the tensor has %i bytes", bytes);
    if ((uintptr_t)host % dtype_align(dt))
        return gmi_fail(c, GM_E_INVALID, "host memory is not aligned for %s, a multiple of %u is needed", gm_dtype_name(dt), (uint64_t)dtype_align(dt));
    return GM_OK;
}

static gm_status wrap(gm_context *c, gm_dtype dt, int32_t rank, const int64_t *dims, const int64_t *strides, void *host, int readonly, gm_tensor **out)
{
    int64_t bytes;
    gm_status s = check_shape(c, dt, rank, dims, &bytes);
    if (s == GM_OK) s = check_memory(c, dt, bytes, host);
    if (s == GM_OK && strides) s = check_strides(c, dt, rank, dims, strides, readonly);
    if (s != GM_OK) return s;
    *out = new_tensor(c, dt, rank, dims, host);
    if (!*out) return c->status;
    (*out)->readonly = readonly;
    if (strides && rank) memcpy((*out)->strides, strides, (size_t)rank * sizeof *strides);
    return GM_OK;
}

gm_status gm_tensor_wrap(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *byte_strides, void *host, gm_tensor **out)
{
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "tensor_wrap");
    s = wrap(c, t, rank, dims, byte_strides, host, 0, out);
    return gmi_leave(c, s);
}

gm_status gm_tensor_wrap_const(gm_context *c, gm_dtype t, int32_t rank, const int64_t *dims, const int64_t *byte_strides, const void *host, gm_tensor **out)
{
    union {
        const void *c;
        void *v;
    } memory; /* drops const without a cast: `readonly` keeps it from being written */
    gm_status s;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    memory.c = host;
    gmi_enter(c, "tensor_wrap_const");
    s = wrap(c, t, rank, dims, byte_strides, memory.v, 1, out);
    return gmi_leave(c, s);
}

static gm_status rebind(gm_tensor *t, void *host, int readonly)
{
    gm_status s;
    if (t->owned || t->parent || t->keep_free)
        return gmi_fail(t->ctx, GM_E_INVALID, "only a tensor made by gm_tensor_wrap can be bound to other memory");
    if (gmi_atomic_get(&t->refs) > 1) return gmi_fail(t->ctx, GM_E_BUSY, "a view of the tensor exists: destroy it first");
    s = check_memory(t->ctx, t->dtype, gmi_tensor_count(t), host);
    if (s == GM_OK && !readonly) s = check_strides(t->ctx, t->dtype, t->rank, t->dims, t->strides, 0);
    if (s != GM_OK) return s;
    t->data = host;
    t->readonly = readonly;
    return GM_OK;
}

gm_status gm_tensor_rebind(gm_tensor *t, void *host)
{
    if (!t) return GM_E_INVALID;
    gmi_enter(t->ctx, "tensor_rebind");
    return gmi_leave(t->ctx, rebind(t, host, 0));
}

gm_status gm_tensor_rebind_const(gm_tensor *t, const void *host)
{
    union {
        const void *c;
        void *v;
    } memory;
    if (!t) return GM_E_INVALID;
    memory.c = host;
    gmi_enter(t->ctx, "tensor_rebind_const");
    return gmi_leave(t->ctx, rebind(t, memory.v, 1));
}

/* ---- views ---- */

static gm_tensor *view_of(gm_tensor *t)
{
    gm_tensor *v = new_tensor(t->ctx, t->dtype, t->rank, t->dims, t->data);
    if (!v) return NULL;
    memcpy(v->strides, t->strides, sizeof v->strides);
    v->readonly = t->readonly;
    v->parent = t;
    gmi_atomic_add(&t->refs, 1);
    return v;
}

static gm_status slice(gm_tensor *t, int32_t axis, int64_t begin, int64_t end, gm_tensor **view)
{
    gm_tensor *v;
    if (axis < 0 || axis >= t->rank) return gmi_fail(t->ctx, GM_E_RANGE, "axis is %d, the tensor's rank is %d", axis, t->rank);
    if (begin < 0 || end < begin || end > t->dims[axis])
        return gmi_fail(t->ctx, GM_E_RANGE, "[%i, %i) of axis %d, which has %i", begin, end, axis, t->dims[axis]);
    v = view_of(t);
    if (!v) return t->ctx->status;
    v->dims[axis] = end - begin;
    if (begin < end) v->data = (char *)t->data + begin * t->strides[axis]; /* an empty view stays where its parent is */
    *view = v;
    return GM_OK;
}

gm_status gm_tensor_slice(gm_tensor *t, int32_t axis, int64_t begin, int64_t end, gm_tensor **view)
{
    if (view) *view = NULL;
    if (!t || !view) return GM_E_INVALID;
    gmi_enter(t->ctx, "tensor_slice");
    return gmi_leave(t->ctx, slice(t, axis, begin, end, view));
}

static gm_status reshape(gm_tensor *t, int32_t rank, const int64_t *dims, gm_tensor **view)
{
    int64_t bytes = 0, size = (int64_t)gmi_dtype_size(t->dtype);
    gm_tensor *v;
    gm_status s = check_shape(t->ctx, t->dtype, rank, dims, &bytes);
    if (s != GM_OK) return s;
    if (bytes / size != gmi_tensor_count(t))
        return gmi_fail(t->ctx, GM_E_SHAPE, "from %v to %v: %i elements are not %i", t->rank, t->dims, rank, dims, gmi_tensor_count(t), bytes / size);
    if (!gmi_tensor_dense(t))
        return gmi_fail(t->ctx, GM_E_SHAPE, "%v with byte strides %v is not dense: copy it into a tensor of gm_tensor_create first", t->rank, t->dims,
                        t->rank, t->strides);
    v = view_of(t);
    if (!v) return t->ctx->status;
    v->rank = rank;
    if (rank) memcpy(v->dims, dims, (size_t)rank * sizeof *dims);
    dense_strides(rank, v->dims, size, v->strides);
    *view = v;
    return GM_OK;
}

gm_status gm_tensor_reshape(gm_tensor *t, int32_t rank, const int64_t *dims, gm_tensor **view)
{
    if (view) *view = NULL;
    if (!t || !view) return GM_E_INVALID;
    gmi_enter(t->ctx, "tensor_reshape");
    return gmi_leave(t->ctx, reshape(t, rank, dims, view));
}

void gm_tensor_destroy(gm_tensor *t)
{
    while (t && gmi_atomic_add(&t->refs, -1) == 0) { /* a view's end may be its parent's */
        gm_tensor *parent = t->parent;
        gm_context *c = t->ctx;
        if (t->keep_free) t->keep_free(t->keep);
        gmi_free(c, t->owned);
        gmi_free(c, t);
        gmi_context_release(c);
        t = parent;
    }
}

/* ---- questions ---- */

void *gm_tensor_data(gm_tensor *t)
{
    return t && !t->readonly ? t->data : NULL;
}

const void *gm_tensor_data_const(const gm_tensor *t)
{
    return t ? t->data : NULL;
}

int64_t gm_tensor_dim(const gm_tensor *t, int32_t i)
{
    return t && i >= 0 && i < t->rank ? t->dims[i] : -1;
}

int64_t gm_tensor_byte_stride(const gm_tensor *t, int32_t i)
{
    return t && i >= 0 && i < t->rank ? t->strides[i] : 0;
}

int32_t gm_tensor_rank(const gm_tensor *t)
{
    return t ? t->rank : -1;
}

gm_dtype gm_tensor_dtype(const gm_tensor *t)
{
    return t ? t->dtype : 0;
}

/* ---- walking rows ---- */

/* Moves `index` over dims[first..last) to the next row; 0 at the end. */
static int next_row(const gm_tensor *t, int32_t first, int32_t last, int64_t *index)
{
    for (int32_t i = last - 1; i >= first; i--) {
        if (++index[i] < t->dims[i]) return 1;
        index[i] = 0;
    }
    return 0;
}

static char *at(const gm_tensor *t, int32_t last, const int64_t *index)
{
    char *p = t->data;
    for (int32_t i = 0; i < last; i++) p += index[i] * t->strides[i];
    return p;
}

/* Elements whose addresses step evenly when dims[first..rank) are walked in row-major order: how many of the last axes form one run, the first of
 * them in *axis. `step` is the stride of the run. */
static int64_t run_length(const gm_tensor *t, int32_t first, int32_t *axis, int64_t *step)
{
    int64_t n = 1;
    int32_t i = t->rank;
    *step = (int64_t)gmi_dtype_size(t->dtype);
    while (i > first) {
        if (t->dims[i - 1] != 1) {
            if (n == 1) *step = t->strides[i - 1];
            else if (t->strides[i - 1] != *step * n) break;
            n *= t->dims[i - 1];
        }
        i--;
    }
    *axis = i;
    return n;
}

/* Lowest and one past the highest byte of the elements. */
static void extent(const gm_tensor *t, uintptr_t *lo, uintptr_t *hi)
{
    *lo = (uintptr_t)t->data;
    *hi = *lo + gmi_dtype_size(t->dtype);
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t reach = (t->dims[i] - 1) * t->strides[i];
        if (reach < 0) *lo -= (uintptr_t)-reach;
        else *hi += (uintptr_t)reach;
    }
}

static int overlap(const gm_tensor *a, const gm_tensor *b)
{
    uintptr_t a0, a1, b0, b1;
    extent(a, &a0, &a1);
    extent(b, &b0, &b1);
    return a0 < b1 && b0 < a1;
}

static void copy_rows(const gm_tensor *to, const gm_tensor *from)
{
    int64_t index[GMI_MAX_RANK] = {0};
    int64_t to_step, from_step, n = 1;
    int32_t a, b, axis;
    run_length(to, 0, &a, &to_step);
    run_length(from, 0, &b, &from_step);
    axis = GMI_MAX(a, b);
    for (int32_t i = axis; i < to->rank; i++) n *= to->dims[i];
    do gmi_convert_row(n, to->dtype, at(to, axis, index), to_step, from->dtype, at(from, axis, index), from_step);
    while (next_row(to, 0, axis, index));
}

static gm_status copy(gm_tensor *to, const gm_tensor *from)
{
    gm_tensor dense;
    int64_t n;
    void *memory;
    if (to->readonly) return gmi_fail(to->ctx, GM_E_READONLY, "the destination is read-only memory (gm_tensor_wrap_const)");
    if (to->rank != from->rank || (to->rank && memcmp(to->dims, from->dims, (size_t)to->rank * sizeof *to->dims)))
        return gmi_fail(to->ctx, GM_E_SHAPE, "the destination is %v, the source is %v: reshape or slice one", to->rank, to->dims, from->rank, from->dims);
    n = gmi_tensor_count(to);
    if (!n) return GM_OK;
    if (!overlap(to, from)) {
        copy_rows(to, from);
        return GM_OK;
    }
    memory = gmi_alloc_n(to->ctx, n, gmi_dtype_size(from->dtype)); /* the same memory under two shapes: by way of a third */
    if (!memory) return to->ctx->status;
    gmi_tensor_view(&dense, to->ctx, from->dtype, from->rank, from->dims, memory);
    copy_rows(&dense, from);
    copy_rows(to, &dense);
    gmi_free(to->ctx, memory);
    return GM_OK;
}

gm_status gm_tensor_copy(gm_tensor *to, const gm_tensor *from)
{
    if (!to) return GM_E_INVALID;
    gmi_enter(to->ctx, "tensor_copy");
    if (!from) return gmi_leave(to->ctx, gmi_fail(to->ctx, GM_E_INVALID, "the source is NULL"));
    return gmi_leave(to->ctx, copy(to, from));
}

/* ---- rows to and from the compute type ---- */

/* What one run of evenly spaced elements is used for; `done` counts elements of out or in. Non-zero stops the walk. */
typedef struct walk {
    const gm_tensor *t;
    gmi_real scale, shift;
    gmi_real *out;
    const gmi_real *in;
    int (*run)(const struct walk *w, int64_t n, char *p, int64_t step, int64_t done);
} walk;

/* Walks rows [r0, r1) of axis 0; returns the row where run stopped, or -1. A dense tensor is one run. */
static int64_t walk_rows(const walk *w, int64_t r0, int64_t r1)
{
    const gm_tensor *t = w->t;
    int64_t index[GMI_MAX_RANK] = {0}, step, n, done = 0, row_count = 1;
    int32_t axis;
    if (t->rank == 0) return w->run(w, 1, t->data, (int64_t)gmi_dtype_size(t->dtype), 0) ? 0 : -1;
    for (int32_t i = 1; i < t->rank; i++) row_count *= t->dims[i];
    if (r0 >= r1 || !row_count) return -1;
    n = run_length(t, 1, &axis, &step);
    if (axis == 1 && t->strides[0] == step * n && r1 - r0 > 1) { /* rows follow each other */
        if (!w->run(w, n * (r1 - r0), (char *)t->data + r0 * t->strides[0], step, 0)) return -1;
    }
    for (int64_t r = r0; r < r1; r++) {
        index[0] = r;
        do {
            if (w->run(w, n, at(t, axis, index), step, done)) return r;
            done += n;
        } while (next_row(t, 1, axis, index));
    }
    return -1;
}

static int run_to_real(const walk *w, int64_t n, char *p, int64_t step, int64_t done)
{
    gmi_row_to_real(n, w->t->dtype, p, step, w->scale, w->shift, w->out + done);
    return 0;
}

void gmi_tensor_to_real(const gm_tensor *t, int64_t r0, int64_t r1, gmi_real scale, gmi_real shift, gmi_real *out)
{
    walk w;
    memset(&w, 0, sizeof w);
    w.t = t;
    w.scale = scale;
    w.shift = shift;
    w.out = out;
    w.run = run_to_real;
    walk_rows(&w, r0, r1);
}

static int run_from_real(const walk *w, int64_t n, char *p, int64_t step, int64_t done)
{
    gmi_row_from_real(n, w->t->dtype, p, step, w->scale, w->shift, w->in + done);
    return 0;
}

void gmi_tensor_from_real(gm_tensor *t, int64_t r0, int64_t r1, gmi_real scale, gmi_real shift, const gmi_real *in)
{
    walk w;
    memset(&w, 0, sizeof w);
    w.t = t;
    w.scale = scale;
    w.shift = shift;
    w.in = in;
    w.run = run_from_real;
    walk_rows(&w, r0, r1);
}

static int run_nonfinite(const walk *w, int64_t n, char *p, int64_t step, int64_t done)
{
    (void)done;
    return !gmi_row_finite(n, w->t->dtype, p, step);
}

int64_t gmi_tensor_nonfinite_row(const gm_tensor *t, int64_t r0, int64_t r1)
{
    walk w;
    if (t->dtype != GM_F32 && t->dtype != GM_F64) return -1;
    memset(&w, 0, sizeof w);
    w.t = t;
    w.run = run_nonfinite;
    return walk_rows(&w, r0, r1);
}
