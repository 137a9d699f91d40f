/* SPDX-License-Identifier: MIT */
/* invert.c: what a GAN does for gm_latent: encoding by inversion, the z whose G(z) is nearest to x.
 *
 * From several starts z ~ N(0, 1), Adam steps on |G(z) - x|^2 with a rate that falls to 0 along a half cosine (Creswell and Bharath 2018, without their
 * prior term: several starts take its place; beta2 is 0.9, for gradients shrink by orders of magnitude on the way, and a long memory of them would stop the
 * steps). Each step's program gives the error at the z it was given, so the best z of all steps and starts is kept with its error at no further cost; the last
 * z gets an evaluation of its own. Rows are independent: starts are keyed by (seed, start, row), and a row's
 * steps do not see its batch. Not here: second-order steps, an encoder trained for G. */
#include "repr/latent.h"
#include "models/gan.h"

#define GROUP 25 /* steps between two looks at progress and cancel */

static gm_gan *gan(const gm_latent *l) { return (gm_gan *)(void *)l->core; } /* gmi_core is its first member */

static int conditional(const gm_latent *l) { return gan(l)->plan.cond != GMI_COND_NONE; }

static gm_status fits(gm_latent *l, gm_dataset *d) { return GM_TRAINING ? gmi_core_fits(l->core, conditional(l), d) : gmi_no_training(l->ctx); }

static gm_status check_cond(gm_latent *l, const gm_tensor *cond, int64_t n) { return conditional(l) ? gmi_core_check_cond(l->core, cond, n) : GM_OK; }

/* The search for rows [r0, r0 + n), as `size` rows of a program; what is behind n is zeros. */
typedef struct search {
    gm_latent *l;
    int64_t r0, n, size, d;
    gmi_real *x, *cond, *z, *m, *v; /* model units; i32 labels in cond */
    gmi_real *now, *loss;           /* z that a step was given, and the error there */
    gmi_real *best, *least;         /* z and its error */
    int32_t *steps;                 /* that led to it */
} search;

static int make_room(search *s)
{
    const gmi_core *core = s->l->core;
    const int64_t e = core->elems, c = gmi_core_cond_elems(core), d = s->d, n = s->size;
    gmi_real *p = gmi_latent_work(s->l, GMI_LATENT_INVERT, n * (e + c + 5 * d + 3), sizeof *p);
    if (!p) return 0;
    s->x = p;
    s->cond = p + n * e;
    s->z = s->cond + n * c;
    s->m = s->z + n * d;
    s->v = s->m + n * d;
    s->now = s->v + n * d;
    s->best = s->now + n * d;
    s->loss = s->best + n * d;
    s->least = s->loss + n;
    s->steps = (int32_t *)(void *)(s->least + n); /* an i32 is not wider than a real */
    return 1;
}

static gm_status load(search *s, const gmi_core_rows *from)
{
    const gmi_core *core = s->l->core;
    const int64_t c = gmi_core_cond_elems(core);
    int64_t at[GMI_INFER_ROWS];
    memset(s->x, 0, (size_t)(s->size * (core->elems + c)) * sizeof *s->x); /* cond stands behind x */
    if (from->d) {
        for (int64_t i = 0; i < s->n; i++) at[i] = s->r0 + i;
        return gmi_dataset_fetch(from->d, s->n, at, &core->scaler, s->x, conditional(s->l) ? s->cond : NULL);
    }
    gm_status st = gmi_core_load_x(core, from->x, s->r0, s->n, 1, 0, s->x);
    if (!st && conditional(s->l)) gmi_core_load_cond(core, from->cond, s->r0, s->n, s->cond);
    return st;
}

/* Rows whose error at `now` is the least so far. */
static void keep_best(search *s, int32_t steps)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (!(s->loss[i] < s->least[i])) continue;
        s->least[i] = s->loss[i];
        s->steps[i] = steps;
        memcpy(s->best + i * s->d, s->now + i * s->d, (size_t)s->d * sizeof *s->best);
    }
}

/* rate (1 + cos(pi t / steps)) / 2 */
static double rate_at(const gm_latent_options *o, int32_t t)
{
    double sine, cosine;
    gmi_num_turn(0.5 * (double)t / (double)o->invert_steps, &sine, &cosine);
    return 0.5 * o->invert_rate * (1 + cosine);
}

static gm_status one_step(search *s, int32_t t, double lr, double b1, double b2)
{
    memcpy(s->now, s->z, (size_t)(s->size * s->d) * sizeof *s->now);
    gm_status st = gmi_gan_invert_step(gan(s->l), s->size, s->x, s->cond, s->z, s->m, s->v, lr, 1 / (1 - b1), 1 / (1 - b2), s->loss);
    if (!st) keep_best(s, t);
    return st;
}

static gm_status one_start(search *s, int32_t start)
{
    gm_latent *l = s->l;
    const gm_latent_options *o = &l->o;
    const size_t bytes = (size_t)(s->size * s->d) * sizeof *s->z;
    const uint64_t seed = gmi_mix64(gmi_hash_text(o->seed ^ GMI_HASH_START, "invert")); /* not the noise that samples of this seed come from */
    double b1 = 1, b2 = 1;
    memset(s->z, 0, bytes);
    memset(s->m, 0, bytes);
    memset(s->v, 0, bytes);
    gm_status st = gmi_gan_prior(gan(l), seed, start, s->r0, s->n, 1, s->z);
    if (!st && start == 0) memcpy(s->best, s->z, bytes);
    for (int32_t t = 0; !st && t < o->invert_steps; t++) {
        b1 *= 0.9;
        b2 *= 0.9;
        st = one_step(s, t, rate_at(o, t), b1, b2);
        if (!st && (t + 1) % GROUP == 0)
            st = gmi_latent_tick(l, "inversion: rows %i to %i, start %d of %d, step %d of %d", s->r0, s->r0 + s->n - 1, start + 1, o->invert_starts, t + 1,
                                 o->invert_steps);
    }
    return st ? st : one_step(s, o->invert_steps, 0, b1, b2); /* the error at the last z */
}

static gm_status encode(gm_latent *l, const gmi_core_rows *from, int64_t r0, int64_t n, const gmi_latent_code *out)
{
    search s;
    if (!GM_TRAINING)
        return (gmi_fail)(l->ctx, GM_E_UNSUPPORTED,
                          "encoding with a GAN searches z by gradients, which this build does not have: use one made without INFER_ONLY=1, or a VAE");
    memset(&s, 0, sizeof s);
    s.l = l;
    s.r0 = r0;
    s.n = n;
    s.size = gmi_latent_chunk(l, n);
    s.d = l->dim;
    if (!make_room(&s)) return GM_E_NOMEM;
    gm_status st = load(&s, from);
    for (int64_t i = 0; i < s.size; i++) {
        s.least[i] = (gmi_real)3.4028234663852886e38; /* above any error that is a number */
        s.steps[i] = 0;
    }
    for (int32_t k = 0; !st && k < l->o.invert_starts; k++) st = one_start(&s, k);
    if (st) return st;
    if (out->z) memcpy(out->z, s.best, (size_t)(n * s.d) * sizeof *s.best);
    if (out->steps) memcpy(out->steps, s.steps, (size_t)n * sizeof *s.steps);
    for (int64_t i = 0; out->residual && i < n; i++) out->residual[i] = (double)s.least[i] * (double)l->core->elems;
    return GM_OK;
}

static gm_status decode(gm_latent *l, const gm_tensor *z, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *x)
{
    (void)o; /* G(z) has nothing to draw */
    return gm_gan_generate(gan(l), z, cond, x);
}

static gm_status sample(gm_latent *l, const gm_tensor *cond, const gm_sample_options *o, gm_tensor *z, gm_tensor *x)
{
    const int64_t count = x->dims[0];
    gm_status s = gm_gan_sample(gan(l), o, cond, x);
    if (s || !z) return s;
    gmi_real *code = gmi_latent_work(l, GMI_LATENT_CODE, GMI_MIN(count, l->rows) * l->dim, sizeof *code);
    if (!code) return GM_E_NOMEM;
    for (int64_t r0 = 0, n = 0; !s && r0 < count; r0 += n) {
        n = GMI_MIN(l->rows, count - r0);
        s = gmi_gan_prior(gan(l), o->seed, 0, o->first + r0, n, o->truncation, code);
        if (!s) gmi_tensor_from_real(z, r0, r0 + n, 1, 0, code);
    }
    return s;
}

/* RESIDUAL, and RECONSTRUCTION, which is the same of a GAN. */
static gm_status score(gm_latent *l, gm_score s, const gmi_core_rows *from, int64_t r0, int64_t n, double *out)
{
    gmi_latent_code k;
    (void)s;
    memset(&k, 0, sizeof k);
    k.residual = out;
    return encode(l, from, r0, n, &k);
}

const gmi_latent_family gmi_latent_gan = {
    "gan",
    1 << GM_SCORE_RECONSTRUCTION | 1 << GM_SCORE_MAHALANOBIS | 1 << GM_SCORE_RESIDUAL,
    GM_SCORE_RESIDUAL,
    0,
    fits,
    check_cond,
    encode,
    decode,
    sample,
    score,
};
