/* SPDX-License-Identifier: MIT */
/* gan_infer.c: generate, sample and discriminate, in chunks of rows; one step of inversion.
 *
 * Rows do not see each other and all noise is keyed by the row's number, so the split into chunks leaves no trace in the results. */
#include "models/gan.h"

typedef struct infer {
    gm_gan *a;
    const gm_tensor *x, *z, *cond;
    gm_tensor *out; /* samples, or scores */
    uint64_t seed;
    int64_t first;
    double truncation;
} infer;

/* G of z: rows in the memory of another program, or NULL for those of f->z. */
static gm_status run_generate(infer *f, const gmi_real *z, int64_t r0, int64_t rows, int64_t n)
{
    gmi_core *m = &f->a->m;
    const int64_t d = f->a->o.latent_dim;
    gmi_prog *p;
    gm_status s = gmi_core_prog(m, GMI_GAN_GENERATE, 0, rows, &p);
    if (s) return s;
    if (!z) z = gmi_core_direct(f->z, r0, rows, d, n);
    const int32_t at = gmi_prog_input(p, "z");
    if (z && at >= 0) {
        p->in[at] = z;
    } else if (at >= 0) {
        gmi_real *to = p->in_own[at];
        gmi_tensor_to_real(f->z, r0, r0 + n, 1, 0, to);
        memset(to + n * d, 0, (size_t)((rows - n) * d) * sizeof *to);
    }
    gmi_core_feed_cond(m, p, f->cond, r0, n);
    gmi_real *out = m->scaler.n == 0 ? gmi_core_direct(f->out, r0, rows, m->elems, n) : NULL;
    if (out) p->out_now[0] = out;
    s = gmi_prog_run(p, m->seed, 0, 0);
    if (s || out) return s;
    return gmi_scaler_undo(&m->scaler, &m->spec, p->out[0].p, f->out, r0, r0 + n);
}

static gm_status run_prior(gm_gan *a, uint64_t seed, int64_t stream, int64_t first, double truncation, int64_t rows, gmi_prog **p)
{
    gm_status s = gmi_core_prog(&a->m, GMI_GAN_PRIOR, 0, rows, p);
    if (s) return s;
    gmi_prog_set(*p, "truncation", truncation);
    return gmi_prog_run(*p, seed, stream, first);
}

typedef gm_status (*chunk_fn)(infer *f, int64_t r0, int64_t rows, int64_t n);

static gm_status chunk_generate(infer *f, int64_t r0, int64_t rows, int64_t n) { return run_generate(f, NULL, r0, rows, n); }

static gm_status chunk_sample(infer *f, int64_t r0, int64_t rows, int64_t n)
{
    gmi_prog *p;
    gm_status s = run_prior(f->a, f->seed, 0, f->first + r0, f->truncation, rows, &p);
    if (s) return s;
    p->pinned++;
    s = run_generate(f, p->out[0].p, r0, rows, n);
    p->pinned--;
    return s;
}

static gm_status chunk_discriminate(infer *f, int64_t r0, int64_t rows, int64_t n)
{
    gmi_core *m = &f->a->m;
    gmi_prog *p;
    gm_status s = gmi_core_prog(m, GMI_GAN_DISCRIMINATE, 0, rows, &p);
    if (!s) s = gmi_core_feed_x(m, p, f->x, r0, n, 1, 0);
    if (s) return s;
    gmi_core_feed_cond(m, p, f->cond, r0, n);
    s = gmi_prog_run(p, m->seed, 0, 0);
    if (!s) gmi_tensor_from_real(f->out, r0, r0 + n, 1, 0, p->out[0].p);
    return s;
}

static gm_status in_chunks(infer *f, int64_t n, int32_t kind, chunk_fn fn)
{
    gm_status s = GM_TRAINING && kind == GMI_GAN_GENERATE ? gmi_gan_settle(f->a) : GM_OK; /* a loaded model is settled */
    for (int64_t r0 = 0, rows = 0; !s && r0 < n; r0 += rows) {
        const int64_t size = gmi_core_chunk(&f->a->m, kind, 0, n - r0);
        rows = GMI_MIN(size, n - r0);
        s = fn(f, r0, size, rows);
    }
    return s;
}

static gm_status check_cond(const infer *f, int64_t n)
{
    return f->a->plan.cond == GMI_COND_NONE ? GM_OK : gmi_core_check_cond(&f->a->m, f->cond, n);
}

static void begin(infer *f, gm_gan *a, const gm_tensor *cond, gm_tensor *out, const char *call)
{
    memset(f, 0, sizeof *f);
    gmi_enter(a->m.ctx, call);
    f->a = a;
    f->cond = a->plan.cond == GMI_COND_NONE ? NULL : cond;
    f->out = out;
}

gm_status gm_gan_generate(gm_gan *g, const gm_tensor *z, const gm_tensor *cond, gm_tensor *x)
{
    infer f;
    int64_t n = 0;
    if (!g) return GM_E_INVALID;
    begin(&f, g, cond, x, "gan_generate");
    f.z = z;
    gm_status s = gmi_core_check_z(&g->m, z, "z", g->o.latent_dim, &n);
    if (!s) s = check_cond(&f, n);
    if (!s) s = gmi_core_check_out(&g->m, x, "x", n);
    if (!s) s = in_chunks(&f, n, GMI_GAN_GENERATE, chunk_generate);
    return gmi_leave(g->m.ctx, s);
}

gm_status gm_gan_sample(gm_gan *g, const gm_sample_options *given, const gm_tensor *cond, gm_tensor *x)
{
    infer f;
    gm_sample_options o;
    int64_t n = 0;
    if (!g) return GM_E_INVALID;
    begin(&f, g, cond, x, "gan_sample");
    gm_status s = gmi_core_sample_options(&g->m, given, &o);
    if (!s) s = gmi_core_check_x(&g->m, x, "x", &n);
    if (!s) s = gmi_core_check_out(&g->m, x, "x", n);
    if (!s) s = check_cond(&f, n);
    f.seed = o.seed;
    f.first = o.first;
    f.truncation = o.truncation;
    if (!s) s = in_chunks(&f, n, GMI_GAN_GENERATE, chunk_sample);
    return gmi_leave(g->m.ctx, s);
}

gm_status gm_gan_discriminate(gm_gan *g, const gm_tensor *x, const gm_tensor *cond, gm_tensor *score)
{
    infer f;
    int64_t n = 0;
    if (!g) return GM_E_INVALID;
    begin(&f, g, cond, score, "gan_discriminate");
    f.x = x;
    gm_status s = gmi_core_check_x(&g->m, x, "x", &n);
    if (!s) s = check_cond(&f, n);
    if (!s) s = gmi_core_check_rows(&g->m, score, "score", n, 0, 1);
    if (!s) s = in_chunks(&f, n, GMI_GAN_DISCRIMINATE, chunk_discriminate);
    return gmi_leave(g->m.ctx, s);
}

/* ---- for repr/ ---- */

gm_status gmi_gan_prior(gm_gan *a, uint64_t seed, int64_t stream, int64_t first, int64_t rows, double truncation, gmi_real *z)
{
    const int64_t d = a->o.latent_dim;
    gm_status s = GM_OK;
    for (int64_t r0 = 0, n = 0; !s && r0 < rows; r0 += n) {
        gmi_prog *p;
        const int64_t size = gmi_core_chunk(&a->m, GMI_GAN_PRIOR, 0, rows - r0);
        n = GMI_MIN(size, rows - r0);
        s = run_prior(a, seed, stream, first + r0, truncation, size, &p);
        if (!s) memcpy(z + r0 * d, p->out[0].p, (size_t)(n * d) * sizeof *z);
    }
    return s;
}

static void set(gmi_prog *p, const char *name, const gmi_real *v, int64_t n)
{
    gmi_real *to = gmi_prog_in(p, name);
    if (to) memcpy(to, v, (size_t)n * sizeof *to);
}

gm_status gmi_gan_invert_step(gm_gan *a, int64_t rows, const gmi_real *x, const void *cond, gmi_real *z, gmi_real *m, gmi_real *v, double lr, double c1, double c2,
                              gmi_real *loss)
{
    const int64_t d = a->o.latent_dim;
    gmi_prog *p;
    if (!GM_TRAINING) return gmi_no_training(a->m.ctx); /* it needs a gradient */
    gm_status s = gmi_gan_settle(a);
    if (!s) s = gmi_core_prog(&a->m, GMI_GAN_INVERT, 0, rows, &p);
    if (s) return s;
    set(p, "x", x, rows * a->m.elems);
    set(p, "z", z, rows * d);
    set(p, "m", m, rows * d);
    set(p, "v", v, rows * d);
    gmi_prog_set(p, "lr", lr);
    gmi_prog_set(p, "c1", c1);
    gmi_prog_set(p, "c2", c2);
    void *to = gmi_prog_in(p, "cond");
    if (to && cond) memcpy(to, cond, (size_t)(rows * gmi_core_cond_elems(&a->m)) * (a->m.spec.classes ? sizeof(int32_t) : sizeof(gmi_real)));
    s = gmi_prog_run(p, a->m.seed, 0, 0);
    if (s) return s;
    memcpy(loss, p->out[0].p, (size_t)rows * sizeof *loss);
    memcpy(z, p->out[1].p, (size_t)(rows * d) * sizeof *z);
    memcpy(m, p->out[2].p, (size_t)(rows * d) * sizeof *m);
    memcpy(v, p->out[3].p, (size_t)(rows * d) * sizeof *v);
    return GM_OK;
}
