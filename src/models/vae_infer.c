/* SPDX-License-Identifier: MIT */
/* vae_infer.c: encode, decode, reconstruct and sample, in chunks of rows.
 *
 * Rows do not see each other and all noise is keyed by the row's number, so the split into chunks leaves no trace in the results. Where the caller's memory is
 * a dense f32 block of the right kind, a program reads or writes it in place. */
#include "models/vae.h"

typedef struct infer {
    gm_vae *v;
    const gm_tensor *x, *z, *cond;
    gm_tensor *mean, *logvar, *out;
    int32_t kind; /* of the decoder's program */
    uint64_t seed;
    int64_t first; /* number of row 0 for noise */
    double truncation;
} infer;

static gm_status run_encode(infer *f, int64_t r0, int64_t rows, int64_t n, gmi_prog **out)
{
    gm_vae *v = f->v;
    const int64_t d = v->o.latent_dim;
    gmi_prog *p;
    gm_status s = gmi_vae_prog(v, GMI_VAE_ENCODE, 0, rows, &p);
    if (!s) s = gmi_vae_feed_x(v, p, f->x, r0, n);
    if (s) return s;
    gmi_vae_feed_cond(v, p, f->cond, r0, n);
    gmi_real *mean = f->mean ? gmi_core_direct(f->mean, r0, rows, d, n) : NULL, *logvar = f->logvar ? gmi_core_direct(f->logvar, r0, rows, d, n) : NULL;
    if (mean) p->out_now[0] = mean;
    if (logvar) p->out_now[1] = logvar;
    s = gmi_prog_run(p, v->m.seed, 0, 0);
    if (s) return s;
    if (f->mean && !mean) gmi_tensor_from_real(f->mean, r0, r0 + n, 1, 0, p->out[0].p);
    if (f->logvar && !logvar) gmi_tensor_from_real(f->logvar, r0, r0 + n, 1, 0, p->out[1].p);
    *out = p;
    return GM_OK;
}

/* z: rows in the memory of another program, or NULL for those of f->z. */
static gm_status run_decode(infer *f, const gmi_real *z, int64_t r0, int64_t rows, int64_t n)
{
    gm_vae *v = f->v;
    const int64_t d = v->o.latent_dim;
    gmi_prog *p;
    gm_status s = gmi_vae_prog(v, f->kind, 0, rows, &p);
    if (s) return s;
    if (!z) z = gmi_core_direct(f->z, r0, rows, d, n);
    int32_t at = gmi_prog_input(p, "z");
    if (z && at >= 0) {
        p->in[at] = z;
    } else if (at >= 0) {
        gmi_real *to = p->in_own[at];
        gmi_tensor_to_real(f->z, r0, r0 + n, 1, 0, to);
        memset(to + n * d, 0, (size_t)((rows - n) * d) * sizeof *to);
    }
    gmi_vae_feed_cond(v, p, f->cond, r0, n);
    gmi_real *out = v->m.scaler.n == 0 && !v->columns ? gmi_core_direct(f->out, r0, rows, v->m.elems, n) : NULL;
    if (out) p->out_now[0] = out;
    s = gmi_prog_run(p, f->seed, 0, f->first + r0);
    if (s || out) return s;
    if (v->columns) {
        gmi_vae_columns_store(v, p->out[0].p, f->out, r0, r0 + n);
        return GM_OK;
    }
    return gmi_scaler_undo(&v->m.scaler, &v->m.spec, p->out[0].p, f->out, r0, r0 + n);
}

static gm_status run_prior(infer *f, int64_t r0, int64_t rows, gmi_prog **out)
{
    gm_status s = gmi_vae_prog(f->v, GMI_VAE_PRIOR, 0, rows, out);
    if (s) return s;
    gmi_prog_set(*out, "truncation", f->truncation);
    return gmi_prog_run(*out, f->seed, 0, f->first + r0);
}

gm_status gmi_vae_prior(gm_vae *v, uint64_t seed, int64_t first, double truncation, gm_tensor *z)
{
    infer f;
    gmi_prog *p;
    gm_status s = GM_OK;
    const int64_t count = z->dims[0];
    memset(&f, 0, sizeof f);
    f.v = v;
    f.seed = seed;
    f.first = first;
    f.truncation = truncation;
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        int64_t size = gmi_core_chunk(&v->m, GMI_VAE_PRIOR, 0, count - r0);
        n = GMI_MIN(size, count - r0);
        s = run_prior(&f, r0, size, &p);
        if (!s) gmi_tensor_from_real(z, r0, r0 + n, 1, 0, p->out[0].p);
    }
    return s;
}

typedef gm_status (*chunk_fn)(infer *f, int64_t r0, int64_t rows, int64_t n);

static gm_status chunk_encode(infer *f, int64_t r0, int64_t rows, int64_t n)
{
    gmi_prog *p;
    return run_encode(f, r0, rows, n, &p);
}

static gm_status chunk_decode(infer *f, int64_t r0, int64_t rows, int64_t n) { return run_decode(f, NULL, r0, rows, n); }

/* Decodes what another program has just put out. */
static gm_status decode_from(infer *f, gmi_prog *p, int64_t r0, int64_t rows, int64_t n)
{
    p->pinned++;
    gm_status s = run_decode(f, p->out[0].p, r0, rows, n);
    p->pinned--;
    return s;
}

static gm_status chunk_reconstruct(infer *f, int64_t r0, int64_t rows, int64_t n)
{
    gmi_prog *p;
    gm_status s = run_encode(f, r0, rows, n, &p);
    return s ? s : decode_from(f, p, r0, rows, n);
}

static gm_status chunk_sample(infer *f, int64_t r0, int64_t rows, int64_t n)
{
    gmi_prog *p;
    gm_status s = run_prior(f, r0, rows, &p);
    return s ? s : decode_from(f, p, r0, rows, n);
}

static gm_status in_chunks(infer *f, int64_t n, int32_t kind, chunk_fn fn)
{
    gm_status s = GM_OK;
    for (int64_t r0 = 0, rows = 0; !s && r0 < n; r0 += rows) {
        int64_t size = gmi_core_chunk(&f->v->m, kind, 0, n - r0);
        rows = GMI_MIN(size, n - r0);
        s = fn(f, r0, size, rows);
    }
    return s;
}

static gm_status encode(infer *f)
{
    int64_t n = 0;
    const int64_t d = f->v->o.latent_dim;
    gm_status s = gmi_core_check_x(&f->v->m, f->x, "x", &n);
    if (!s) s = gmi_vae_check_cond(f->v, f->cond, n);
    if (!s && (f->mean || !f->logvar)) s = gmi_core_check_rows(&f->v->m, f->mean, "mean", n, d, 1);
    if (!s && f->logvar) s = gmi_core_check_rows(&f->v->m, f->logvar, "logvar", n, d, 1);
    return s ? s : in_chunks(f, n, GMI_VAE_ENCODE, chunk_encode);
}

gm_status gm_vae_encode(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, gm_tensor *mean, gm_tensor *logvar)
{
    infer f;
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_encode");
    memset(&f, 0, sizeof f);
    f.v = v;
    f.x = x;
    f.cond = cond;
    f.mean = mean;
    f.logvar = logvar;
    return gmi_leave(v->m.ctx, encode(&f));
}

static gm_status check_draw(const gm_vae *v, gm_draw d)
{
    if (d == GM_DRAW_MEAN || d == GM_DRAW_SAMPLE) return GM_OK;
    return gmi_fail(v->m.ctx, GM_E_INVALID, "draw is %d; give GM_DRAW_MEAN or GM_DRAW_SAMPLE", d);
}

static gm_status decode(infer *f, gm_draw d)
{
    int64_t n = 0;
    gm_status s = gmi_core_check_z(&f->v->m, f->z, "z", f->v->o.latent_dim, &n);
    if (!s) s = gmi_vae_check_cond(f->v, f->cond, n);
    if (!s) s = gmi_core_check_out(&f->v->m, f->out, "x", n);
    if (!s) s = check_draw(f->v, d);
    f->kind = d == GM_DRAW_SAMPLE ? GMI_VAE_DRAW : GMI_VAE_DECODE;
    return s ? s : in_chunks(f, n, f->kind, chunk_decode);
}

gm_status gmi_vae_decode(gm_vae *v, const gm_tensor *z, const gm_tensor *cond, gm_draw d, uint64_t seed, int64_t first, gm_tensor *x)
{
    infer f;
    memset(&f, 0, sizeof f);
    f.v = v;
    f.z = z;
    f.cond = cond;
    f.out = x;
    f.seed = seed;
    f.first = first;
    return decode(&f, d);
}

gm_status gm_vae_decode(gm_vae *v, const gm_tensor *z, const gm_tensor *cond, gm_draw d, uint64_t seed, gm_tensor *x)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_decode");
    return gmi_leave(v->m.ctx, gmi_vae_decode(v, z, cond, d, seed, 0, x));
}

static gm_status reconstruct(infer *f)
{
    int64_t n = 0;
    gm_status s = gmi_core_check_x(&f->v->m, f->x, "x", &n);
    if (!s) s = gmi_vae_check_cond(f->v, f->cond, n);
    if (!s) s = gmi_core_check_out(&f->v->m, f->out, "out", n);
    return s ? s : in_chunks(f, n, GMI_VAE_ENCODE, chunk_reconstruct);
}

gm_status gm_vae_reconstruct(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, gm_tensor *out)
{
    infer f;
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_reconstruct");
    memset(&f, 0, sizeof f);
    f.v = v;
    f.x = x;
    f.cond = cond;
    f.out = out;
    f.kind = GMI_VAE_DECODE;
    return gmi_leave(v->m.ctx, reconstruct(&f));
}

static gm_status sample(infer *f, const gm_sample_options *given)
{
    gm_sample_options o;
    int64_t n = 0;
    gm_status s = gmi_core_sample_options(&f->v->m, given, &o);
    if (!s) s = gmi_core_check_x(&f->v->m, f->out, "x", &n);
    if (!s) s = gmi_core_check_out(&f->v->m, f->out, "x", n);
    if (!s) s = gmi_vae_check_cond(f->v, f->cond, n);
    f->kind = o.draw == GM_DRAW_SAMPLE ? GMI_VAE_DRAW : GMI_VAE_DECODE;
    f->seed = o.seed;
    f->first = o.first;
    f->truncation = o.truncation;
    return s ? s : in_chunks(f, n, f->kind, chunk_sample);
}

gm_status gm_vae_sample(gm_vae *v, const gm_sample_options *o, const gm_tensor *cond, gm_tensor *x)
{
    infer f;
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_sample");
    memset(&f, 0, sizeof f);
    f.v = v;
    f.cond = cond;
    f.out = x;
    return gmi_leave(v->m.ctx, sample(&f, o));
}
