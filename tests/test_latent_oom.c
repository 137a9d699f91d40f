/* SPDX-License-Identifier: MIT */
/* test_latent_oom.c: the Nth allocation fails, for every N, over the calls of gm_latent and calibration, for both families. Always GM_E_NOMEM, nothing
 * leaks, and the same call with memory gives the bits of one that never failed. */
#include "latent_util.h"

typedef struct counting {
    size_t live, calls, fail_at;
    int sticky;
} counting;

static counting mem;

static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    counting *k = user;
    void *q;
    (void)align;
    if (!new_size) {
        k->live -= old_size;
        free(p);
        return NULL;
    }
    k->calls++;
    if (k->fail_at && (k->sticky ? k->calls >= k->fail_at : k->calls == k->fail_at)) return NULL;
    if (posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    k->live += new_size - old_size;
    return q;
}

enum { N = 9 };
static float X[N][LX];
static int32_t LABEL[N];

typedef struct results {
    float z[N][LD], residual[N], x[N][LX], near[N][LX], sample[N][LX], path[4][LD], direction[LD], distance[N][2], score[4][N], balanced[6][LX];
    int32_t index[N][2];
    double threshold;
} results;

typedef struct run {
    gm_status first;
    int again, bad;
} run;

/* 1 = go on, 0 = end, 2 = once more. */
static int met(run *r, gm_context *c, gm_status s)
{
    if (s == GM_OK) return 1;
    if (!r->first) r->first = s;
    if (s != GM_E_NOMEM) {
        if (!r->bad++) printf("# %s: %s\n", gm_status_name(s), gm_context_error(c));
        return 0;
    }
    if (!r->again || !mem.fail_at) return 0;
    mem.fail_at = 0;
    return 2;
}
#define DO(call)                                                                                                                                     \
    do {                                                                                                                                             \
        int m_ = met(&r, c, call);                                                                                                                   \
        if (m_ == 2) m_ = met(&r, c, call);                                                                                                          \
        if (m_ != 1) goto end;                                                                                                                       \
    } while (0)

/* m was made with memory, in another context. */
static run story(const gm_model *m, int is_vae, int again, results *o)
{
    gm_context *c = NULL;
    gm_context_options co;
    gm_latent_options lo;
    gm_calibrate_options ko;
    gm_tensor *x, *y, *z, *res, *tx, *near_x, *sx, *path, *dir, *index, *dist, *bal, *s;
    gm_dataset *d = NULL, *b = NULL;
    const gm_model *k = NULL;
    gm_latent *l = NULL;
    gm_info info;
    run r;
    memset(&r, 0, sizeof r);
    r.again = again;
    x = y = z = res = tx = near_x = sx = path = dir = index = dist = bal = s = NULL;
    gm_context_options_init(&co, sizeof co);
    co.threads = 1;
    co.alloc = counted;
    co.alloc_user = &mem;
    gm_latent_options_init(&lo, sizeof lo);
    lo.batch = 4;
    lo.invert_steps = 3;
    lo.invert_starts = 2;
    gm_calibrate_options_init(&ko, sizeof ko);
    ko.false_positive_rate = 0.3;
    ko.score = GM_SCORE_MAHALANOBIS;
    if (gm_context_create(&co, &c)) {
        r.first = GM_E_NOMEM;
        if (!again) return r;
        mem.fail_at = 0;
        must(gm_context_create(&co, &c));
    }
    static const int64_t xd[2] = {N, LX}, zd[2] = {N, LD}, pd[2] = {4, LD}, id[2] = {N, 2}, bd[2] = {6, LX}, one[2] = {LD, 0};
    DO(gm_tensor_wrap(c, GM_F32, 2, xd, NULL, X, &x));
    DO(gm_tensor_wrap(c, GM_I32, 1, xd, NULL, LABEL, &y));
    DO(gm_tensor_wrap(c, GM_F32, 2, zd, NULL, o->z, &z));
    DO(gm_tensor_wrap(c, GM_F32, 1, zd, NULL, o->residual, &res));
    DO(gm_tensor_wrap(c, GM_F32, 1, zd, NULL, o->score[0], &s));
    DO(gm_tensor_wrap(c, GM_F32, 2, xd, NULL, o->x, &tx));
    DO(gm_tensor_wrap(c, GM_F32, 2, xd, NULL, o->near, &near_x));
    DO(gm_tensor_wrap(c, GM_F32, 2, xd, NULL, o->sample, &sx));
    DO(gm_tensor_wrap(c, GM_F32, 2, pd, NULL, o->path, &path));
    DO(gm_tensor_wrap(c, GM_F32, 1, one, NULL, o->direction, &dir));
    DO(gm_tensor_wrap(c, GM_I32, 2, id, NULL, o->index, &index));
    DO(gm_tensor_wrap(c, GM_F32, 2, id, NULL, o->distance, &dist));
    DO(gm_tensor_wrap(c, GM_F32, 2, bd, NULL, o->balanced, &bal));
    DO(gm_dataset_from_tensor(x, y, NULL, &d));
    DO(gm_latent_create(c, m, &lo, &l));
    DO(gm_latent_encode(l, x, NULL, z, NULL, res, NULL));
    DO(gm_latent_decode(l, z, NULL, NULL, tx));
    DO(gm_latent_augment(l, x, NULL, 0.5, NULL, near_x));
    DO(gm_latent_direction(l, z, y, dir));
    DO(gm_latent_traverse(l, dir, dir, 0, 1, path));
    DO(gm_latent_interpolate(l, dir, dir, GM_PATH_SPHERICAL, path));
    DO(gm_latent_nearest(l, z, z, index, dist));
    DO(gm_latent_sample(l, NULL, NULL, z, sx));
    for (int i = 0; i < 4; i++) {
        static const gm_score vae[4] = {GM_SCORE_ELBO, GM_SCORE_IWAE, GM_SCORE_RECONSTRUCTION, GM_SCORE_MAHALANOBIS};
        DO(gm_tensor_rebind(s, o->score[i]));
        DO(gm_latent_score(l, is_vae ? vae[i] : i % 2 ? GM_SCORE_MAHALANOBIS : GM_SCORE_RESIDUAL, x, NULL, s, NULL));
    }
    DO(gm_latent_balance(l, d, 3, 0.5, 1, &b));
    DO(gm_dataset_read(b, 0, bal, NULL));
    ko.density = d;
    DO(gm_model_calibrate(c, m, d, &ko, &k));
    info.size = sizeof info;
    DO(gm_model_info(k, &info));
    o->threshold = info.threshold;
end:
    gm_model_destroy(k);
    gm_dataset_destroy(b);
    gm_dataset_destroy(d);
    gm_latent_destroy(l);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_tensor_destroy(res);
    gm_tensor_destroy(s);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(near_x);
    gm_tensor_destroy(sx);
    gm_tensor_destroy(path);
    gm_tensor_destroy(dir);
    gm_tensor_destroy(index);
    gm_tensor_destroy(dist);
    gm_tensor_destroy(bal);
    gm_context_destroy(c);
    return r;
}

static void walk(const gm_model *m, int is_vae, const results *good, int again, int sticky)
{
    static results got;
    size_t n, leaks = 0, other = 0, differ = 0, total = 0;
    run r;
    for (n = 1;; n += again && is_vae ? 1 : 1 + n / 40) { /* ended: every one at first, then some of the many alike */
        memset(&mem, 0, sizeof mem);
        memset(&got, 0, sizeof got);
        mem.fail_at = n;
        mem.sticky = sticky;
        r = story(m, is_vae, again, &got);
        if (!r.first) break;
        total++;
        leaks += mem.live != 0;
        other += r.bad || r.first != GM_E_NOMEM;
        if (again) differ += memcmp(&got, good, sizeof got) != 0;
    }
    ok(total > 50, "%s, %s, %s: %d allocations failed in turn", is_vae ? "vae" : "gan", sticky ? "from the Nth on" : "the Nth alone",
           again ? "retried" : "ended", (int)total);
    is_int(other, 0, "always GM_E_NOMEM");
    is_int(leaks, 0, "nothing leaks");
    if (again) is_int(differ, 0, "what went on gives the same bits");
}

static void family(gm_context *c, int is_vae)
{
    static results good;
    const gm_model *m = NULL;
    gm_vae *v = NULL;
    gm_gan *g = NULL;
    if (is_vae) {
        v = latent_vae(c, "elbo", 0);
        must(gm_vae_snapshot(v, &m));
    } else {
        gm_spec spec;
        gm_gan_options o;
        vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, LX, 0, 0);
        gm_gan_options_init(&o, sizeof o);
        o.generator = "dense 6; tanh";
        o.discriminator = "dense 6; tanh";
        o.latent_dim = LD;
        must(gm_gan_create(c, &spec, &o, &g));
        must(gm_gan_snapshot(g, &m));
    }
    memset(&mem, 0, sizeof mem);
    memset(&good, 0, sizeof good);
    run r = story(m, is_vae, 0, &good);
    ok(!r.first, "the story runs with memory, %d allocations", (int)mem.calls);
    is_int(mem.live, 0, "and leaks nothing");
    walk(m, is_vae, &good, 0, 0);
    walk(m, is_vae, &good, 0, 1);
    walk(m, is_vae, &good, 1, 0);
    gm_model_destroy(m);
    gm_vae_destroy(v);
    gm_gan_destroy(g);
}

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST);
    uint32_t seed = 2;
    int i, j;
    for (i = 0; i < N; i++) {
        LABEL[i] = i % 5 == 0;
        for (j = 0; j < LX; j++) X[i][j] = (float)vae_random(&seed);
    }
    family(c, 1);
    family(c, 0);
    gm_context_destroy(c);
    return done();
}
