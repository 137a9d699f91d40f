/* SPDX-License-Identifier: MIT */
/* mixture.c: see mixture.h. The data is an endless source: sample i of a seed is a function of (seed, i) alone, and no sample is seen twice. */
#include "gans.h"
#include "mixture.h"
#include <math.h>
#define SAMPLES 25000
#define FOUND 20

/* ---- data ---- */

typedef struct stream {
    const mixture *m;
    uint64_t seed;
} stream;

/* SplitMix64 (Steele et al. 2014) at a counter. */
static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double unit(uint64_t bits) { return ((double)(bits >> 11) + 0.5) / 9007199254740992.0; }

static gm_status fetch(void *user, int64_t n, const int64_t *index, void *x, void *cond)
{
    const stream *s = user;
    float *p = x;
    int64_t i;
    (void)cond;
    for (i = 0; i < n; i++) {
        const uint64_t key = mix(s->seed ^ mix((uint64_t)index[i]));
        const double *c = s->m->centre[mix(key) % (uint64_t)s->m->modes];
        /* two normals from two uniforms: Box and Muller */
        const double r = s->m->sigma * sqrt(-2 * log(unit(mix(key + 1)))), a = 6.283185307179586 * unit(mix(key + 2));
        p[2 * i] = (float)(c[0] + r * cos(a));
        p[2 * i + 1] = (float)(c[1] + r * sin(a));
    }
    return GM_OK;
}

static gm_dataset *open_stream(experiment *e, stream *s)
{
    gm_source src;
    gm_spec x;
    gm_dataset *d = NULL;
    gm_source_init(&src, sizeof src);
    src.user = s;
    src.fetch = fetch;
    gm_spec_init(&x, sizeof x);
    x.dtype = GM_F32;
    x.scaling = GM_SCALE_NONE; /* as in the literature: gamma is in units of the data */
    x.rank = 1;
    x.dims[0] = 2;
    experiment_need(e, gm_dataset_from_source(e->ctx, &x, &src, &d));
    return d;
}

/* ---- figures ---- */

typedef struct figures {
    double modes, high_quality, reverse_kl, seconds;
} figures;

static void judge(const mixture *m, int64_t n, const float *x, figures *f)
{
    int64_t hit[MIXTURE_MODES] = {0}, good = 0, i;
    int32_t k;
    for (i = 0; i < n; i++) {
        double best = 1e300;
        int32_t at = 0;
        for (k = 0; k < m->modes; k++) {
            const double a = (double)x[2 * i] - m->centre[k][0], b = (double)x[2 * i + 1] - m->centre[k][1], d = a * a + b * b;
            if (d < best) best = d, at = k;
        }
        if (best > 9 * m->sigma * m->sigma) continue;
        hit[at]++;
        good++;
    }
    f->modes = f->reverse_kl = 0;
    f->high_quality = (double)good / (double)n;
    for (k = 0; k < m->modes; k++) {
        const double p = good ? (double)hit[k] / (double)good : 0;
        f->modes += hit[k] >= FOUND;
        if (p > 0) f->reverse_kl += p * log(p * m->modes);
    }
    if (!good) f->reverse_kl = NAN;
}

static void sample(experiment *e, const mixture *m, gm_gan *gan, figures *f)
{
    static const int64_t dims[2] = {SAMPLES, 2};
    gm_sample_options o;
    gm_tensor *x = NULL;
    gm_sample_options_init(&o, sizeof o);
    o.seed = 12345;
    experiment_need(e, gm_tensor_create(e->ctx, GM_F32, 2, dims, &x));
    experiment_need(e, gm_gan_sample(gan, &o, NULL, x));
    judge(m, SAMPLES, gm_tensor_data_const(x), f);
    gm_tensor_destroy(x);
}

/* ---- trials ---- */

static void trial(experiment *e, const mixture *m, const gm_gan_options *given, uint64_t seed, figures *r, char hex[65])
{
    gm_gan_options o = *given;
    gm_fit_options f;
    gm_gan *gan = NULL;
    gm_dataset *d;
    stream s;
    char path[4096];
    const double before = e->seconds;
    s.m = m;
    s.seed = mix(seed);
    d = open_stream(e, &s);
    o.seed = seed;
    gm_fit_options_init(&f, sizeof f);
    f.batch = m->batch;
    f.max_steps = m->steps;
    f.seed = seed;
    f.progress = experiment_progress;
    experiment_need(e, gm_gan_create(e->ctx, gm_dataset_spec(d), &o, &gan));
    experiment_train_begin(e);
    experiment_need(e, gm_gan_fit(gan, d, &f));
    experiment_train_end(e, m->steps * m->batch);
    sample(e, m, gan, r);
    r->seconds = e->seconds - before;
    experiment_digest(e, gans_write, gan, hex);
    if (experiment_save_path(e, "model.safetensors", path, sizeof path)) experiment_need(e, gm_gan_save(gan, path));
    fprintf(stderr, "seed %d: %d of %d modes, high quality %.4f, reverse KL %.5f, %.0f s\n", (int)seed, (int)r->modes, (int)m->modes, r->high_quality,
            r->reverse_kl, r->seconds);
    gm_gan_destroy(gan);
    gm_dataset_destroy(d);
}

static void print(experiment *e, const char *key, int64_t n, const double *v)
{
    double sum = 0;
    int64_t i;
    char list[64];
    for (i = 0; i < n; i++) sum += v[i];
    experiment_json_number(e, key, sum / (double)n);
    snprintf(list, sizeof list, "%s_trials", key);
    experiment_json_numbers(e, list, n, v);
}

int experiment_mixture(experiment *e, mixture *m, mixture_options_fn options)
{
    static double modes[EXPERIMENT_TRIALS], quality[EXPERIMENT_TRIALS], kl[EXPERIMENT_TRIALS], seconds[EXPERIMENT_TRIALS];
    gm_gan_options o;
    char hex[65];
    int64_t i;
    if (e->steps >= 0) m->steps = e->steps;
    gm_gan_options_init(&o, sizeof o);
    experiment_need(e, gm_gan_options_preset(&o, "unattended"));
    options(m, &o);
    for (i = 0; i < e->trials; i++) {
        figures r;
        trial(e, m, &o, e->seed + (uint64_t)i, &r, hex);
        modes[i] = r.modes;
        quality[i] = r.high_quality;
        kl[i] = r.reverse_kl;
        seconds[i] = r.seconds;
    }
    experiment_json_begin(e, hex);
    experiment_json_number(e, "trials", (double)e->trials);
    experiment_json_number(e, "steps", (double)m->steps);
    print(e, "modes", e->trials, modes);
    print(e, "high_quality", e->trials, quality);
    print(e, "reverse_kl", e->trials, kl);
    experiment_json_numbers(e, "seconds_trials", e->trials, seconds);
    experiment_json_end(e);
    gm_context_destroy(e->ctx);
    return 0;
}
