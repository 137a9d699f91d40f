/* SPDX-License-Identifier: MIT */
/* oom.c: the Nth allocation fails, for every N, over create, two steps, save, load, sample, encode, destroy (SQLite's method). Always GM_E_NOMEM, nothing
 * leaks, and the objects go on working: the same object, asked again with memory, gives the same bits as one that never failed.
 *
 * Two modes: one request fails, or that one and all after it. The allocator checks the sizes it is told and hands out odd addresses. */
#include "vae_util.h"

typedef struct counting {
    size_t live, blocks, calls, fail_at;
    int sticky, wrong;
} counting;

static counting mem;

static void *counted(void *user, void *p, size_t old_size, size_t new_size, size_t align)
{
    counting *k = user;
    void *q;
    (void)align;
    if (!new_size) {
        k->live -= old_size;
        k->blocks -= p != NULL;
        free(p);
        return NULL;
    }
    k->calls++;
    if (k->fail_at && (k->sticky ? k->calls >= k->fail_at : k->calls == k->fail_at)) return NULL;
    if (posix_memalign(&q, 64, new_size)) return NULL;
    if (p) memcpy(q, p, old_size < new_size ? old_size : new_size);
    free(p);
    k->live += new_size - old_size;
    k->blocks += p == NULL;
    return q;
}

enum { N = 12, H = 6, L = 2 };
static uint8_t pixels[N][1][H][H];

typedef struct results {
    float z[N][L];
    uint8_t x[N][1][H][H];
    double objective;
} results;

/* Everything once; where a call fails it is retried with memory when `again` is set, else the run ends there. */
typedef struct run {
    gm_context *c;
    gm_status first;   /* failure met */
    int again, bad;    /* bad: a failure that is not GM_E_NOMEM, or a retry that failed */
} run;

/* 1 = go on. A failure is recorded; the caller repeats the call when 2. */
static int met(run *r, gm_status s)
{
    if (s == GM_OK) return 1;
    if (!r->first) r->first = s;
    if (s != GM_E_NOMEM) {
        r->bad++;
        if (r->bad == 1) printf("# %s: %s\n", gm_status_name(s), r->c ? gm_context_error(r->c) : "");
        return 0;
    }
    if (r->again && mem.fail_at) {
        mem.fail_at = 0;
        return 2;
    }
    return 0;
}
#define DO(call)                                                                                                                                     \
    do {                                                                                                                                             \
        int m_ = met(&r, call);                                                                                                                      \
        if (m_ == 2) m_ = met(&r, call);                                                                                                             \
        if (m_ != 1) goto end;                                                                                                                       \
    } while (0)

static run story(int again, results *out)
{
    static const int64_t xd[4] = {N, 1, H, H}, zd[2] = {N, L};
    run r;
    gm_context_options co;
    gm_vae_options o;
    gm_spec spec;
    gm_vae *v = NULL, *w = NULL;
    gm_tensor *x = NULL, *z = NULL, *y = NULL;
    gm_record rec;
    gm_writer wr;
    gm_reader rd;
    static char file[1 << 18];
    memset(&r, 0, sizeof r);
    r.again = again;
    gm_context_options_init(&co, sizeof co);
    co.threads = 1;
    co.alloc = counted;
    co.alloc_user = &mem;
    gm_record_init(&rec, sizeof rec);
    vae_spec(&spec, GM_U8, GM_SCALE_AUTO, 3, 1, H, H);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "conv 4 k4 s2 p1; batch_norm; relu; dense 8; relu";
    o.decoder = "dense 36; relu; reshape 4x3x3; conv_transpose 1 k4 s2 p1";
    o.latent_dim = L;
    o.ema_half_life = 100;
    o.beta = "linear 0.1 1 steps=10";
    DO(gm_context_create(&co, &r.c));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, pixels, &x));
    DO(gm_tensor_wrap(r.c, GM_U8, 4, xd, NULL, out->x, &y));
    DO(gm_tensor_wrap(r.c, GM_F32, 2, zd, NULL, out->z, &z));
    DO(gm_vae_create(r.c, &spec, &o, &v));
    DO(gm_vae_step(v, x, NULL, &rec));
    DO(gm_vae_step(v, x, NULL, &rec));
    out->objective = rec.objective;
    gm_writer_init(&wr, sizeof wr);
    wr.memory = file;
    wr.capacity = sizeof file;
    DO((wr.used = 0, gm_vae_write_checkpoint(v, &wr)));
    gm_reader_init(&rd, sizeof rd);
    rd.memory = file;
    rd.bytes = wr.used;
    DO(gm_vae_read(r.c, &rd, &w));
    DO(gm_vae_sample(w, NULL, NULL, y));
    DO(gm_vae_encode(w, x, NULL, z, NULL));
    DO(gm_vae_step(w, x, NULL, &rec));
    out->objective += rec.objective;
end:
    gm_vae_destroy(v);
    gm_vae_destroy(w);
    gm_tensor_destroy(x);
    gm_tensor_destroy(y);
    gm_tensor_destroy(z);
    gm_context_destroy(r.c);
    return r;
}

static void walk(const results *good, int again, int sticky)
{
    static results got;
    size_t n, leaks = 0, wrong = 0, other = 0, differ = 0, total = 0;
    run r;
    for (n = 1;; n++) {
        memset(&mem, 0, sizeof mem);
        memset(&got, 0, sizeof got);
        mem.fail_at = n;
        mem.sticky = sticky;
        r = story(again, &got);
        if (!r.first) break; /* never reached: all is done */
        total++;
        leaks += mem.blocks != 0 || mem.live != 0;
        wrong += r.bad != 0;
        other += r.first != GM_E_NOMEM;
        if (again) differ += memcmp(&got, good, sizeof got) != 0;
        if (wrong && total < 3) break;
    }
    ok(total > 50, "%s, %s: %d allocations failed in turn", sticky ? "from the Nth on" : "the Nth alone", again ? "retried" : "ended", (int)total);
    is_int(other + wrong, 0, "always GM_E_NOMEM, and a retry succeeds");
    is_int(leaks, 0, "nothing leaks");
    if (again) is_int(differ, 0, "what went on gives the same bits");
}

int main(void)
{
    static results good;
    uint32_t seed = 2;
    size_t i;
    for (i = 0; i < sizeof pixels; i++) ((uint8_t *)pixels)[i] = (uint8_t)(256 * vae_random(&seed));
    run r = story(0, &good);
    ok(!r.first, "the story runs with memory");
    is_int(mem.blocks, 0, "and leaks nothing");
    walk(&good, 0, 0);
    walk(&good, 0, 1);
    walk(&good, 1, 0);
    walk(&good, 1, 1);
    return done();
}
