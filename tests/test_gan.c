/* SPDX-License-Identifier: MIT */
/* test_gan.c: a GAN's options, presets and unattended networks, what it refuses and in which words, and inference: closed form of a linear G, rows that see
 * neither each other nor the split of a call. */
#include "gan_util.h"
#include "models/gan.h"

enum { N = 33, K = 5, L = 3 };
static float rows[N][K];

/* ---- options ---- */

static void defaults(void)
{
    unsigned char b[sizeof(gm_gan_options) + 16];
    gm_gan_options o;
    size_t i, size, bad = 0;
    gm_gan_options_init(&o, sizeof o);
    ok(o.size == sizeof o && o.latent_dim == -1 && o.d_steps == 1 && o.ema_half_life == 10000 && o.seed == 0, "numbers");
    is_text(o.loss, "relativistic r1=1 r2=1 every=4", "loss");
    is_text(o.g_optimizer, "adam lr=0.0002 beta1=0 beta2=0.99", "optimizer of G");
    is_text(o.d_optimizer, o.g_optimizer, "optimizer of D");
    ok(!o.generator[0] && !o.discriminator[0] && !o.g_schedule[0] && !o.d_schedule[0] && !o.condition[0], "texts that are empty");
    is_text(o.gamma, "constant 1", "gamma");
    for (size = sizeof(size_t); size <= sizeof o; size++) {
        memset(b, 0xa5, sizeof b);
        gm_gan_options_init((gm_gan_options *)(void *)b, size);
        for (i = size; i < sizeof b; i++) bad += b[i] != 0xa5;
    }
    is_int(bad, 0, "defaults are never written past size");
    gm_gan_options_init(NULL, 8);
}

static void option(gm_context *c, const gm_gan_options *o, const gm_spec *x, gm_status want, const char *part)
{
    gm_gan *g = (gm_gan *)(void *)rows;
    uint64_t t = 77, f = 78;
    gm_status s = gm_gan_create(c, x, o, &g);
    ok(s == want && strstr(gm_context_error(c), part) && !g, "%s: %s", gm_status_name(want), gm_context_error(c));
    if (s != want) printf("# got %s\n", gm_status_name(s));
    gm_gan_destroy(g);
    s = gm_gan_memory(c, x, o, 4, &t, &f);
    ok(s == want && strstr(gm_context_error(c), part) && t == 77 && f == 78, "gm_gan_memory says the same");
    if (s != want) printf("# got %s: %s\n", gm_status_name(s), gm_context_error(c));
}

static void options(gm_context *c)
{
    gm_gan_options base, o;
    gm_spec x, y;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_options(&base, "hinge");
    o = base, o.latent_dim = 0, option(c, &o, &x, GM_E_RANGE, "latent_dim is 0; 1 to 65536, or -1");
    o = base, o.latent_dim = -2, option(c, &o, &x, GM_E_RANGE, "latent_dim is -2");
    o = base, o.latent_dim = 65537, option(c, &o, &x, GM_E_RANGE, "latent_dim is 65537");
    o = base, o.d_steps = 0, option(c, &o, &x, GM_E_RANGE, "d_steps is 0; 1 to 1000");
    o = base, o.d_steps = 1001, option(c, &o, &x, GM_E_RANGE, "d_steps is 1001");
    o = base, o.ema_half_life = -1, option(c, &o, &x, GM_E_RANGE, "ema_half_life is -1");
    o = base, o.ema_half_life = NAN, option(c, &o, &x, GM_E_RANGE, "ema_half_life is nan");
    o = base, o.ema_half_life = INFINITY, option(c, &o, &x, GM_E_RANGE, "ema_half_life is inf");
    o = base, o.generator = "dense 4; dens 4", option(c, &o, &x, GM_E_INVALID, "generator, column 10: \"dens\"");
    o = base, o.discriminator = "dense -4", option(c, &o, &x, GM_E_INVALID, "discriminator, column 7: \"-4\"");
    o = base, o.generator = "conv 8 k3", option(c, &o, &x, GM_E_SHAPE, "conv");
    o = base, o.g_optimizer = "adamm", option(c, &o, &x, GM_E_INVALID, "g_optimizer, column 1: \"adamm\"");
    o = base, o.d_optimizer = "adam lr=0.1 b=2", option(c, &o, &x, GM_E_INVALID, "d_optimizer, column 13");
    o = base, o.gamma = "linear", option(c, &o, &x, GM_E_INVALID, "gamma, column 1: linear");
    o = base, o.g_schedule = "cosin 1 2", option(c, &o, &x, GM_E_INVALID, "g_schedule, column 1: \"cosin\"");
    o = base, o.d_schedule = "constant x", option(c, &o, &x, GM_E_INVALID, "d_schedule, column 10");
    o = base, o.loss = "", option(c, &o, &x, GM_E_INVALID, "allowed: non_saturating, saturating, least_squares, hinge, wasserstein, relativistic");
    o = base, o.loss = "hinges", option(c, &o, &x, GM_E_INVALID, "loss, column 1: \"hinges\" is no loss; allowed: non_saturating");
    o = base, o.loss = "hinge r1=-1", option(c, &o, &x, GM_E_INVALID, "loss, column 10: r1 is -1; a weight is 0 or positive");
    o = base, o.loss = "hinge r3=1", option(c, &o, &x, GM_E_INVALID, "loss, column 7");
    o = base, o.loss = "hinge 3", option(c, &o, &x, GM_E_INVALID, "loss, column 7");
    o = base, o.loss = "hinge gp", option(c, &o, &x, GM_E_INVALID, "loss, column 7");
    o = base, o.loss = "hinge r1=1 every=0", option(c, &o, &x, GM_E_INVALID, "loss, column 18: every is 0; allowed: whole numbers from 1 to 1000000");
    o = base, o.loss = "hinge r1=1 every=1.5", option(c, &o, &x, GM_E_INVALID, "every is 1.5");
    o = base, o.loss = "hinge fresh=2", option(c, &o, &x, GM_E_INVALID, "fresh is 2");
    o = base, o.loss = "hinge coupled=0.5", option(c, &o, &x, GM_E_INVALID, "coupled is 0.5");
    o = base, o.loss = "hinge; hinge", option(c, &o, &x, GM_E_INVALID, "loss, column 8: one loss is allowed");
    o = base, o.loss = "hinge r1=1 r1=2", option(c, &o, &x, GM_E_INVALID, "loss, column 12");
    o = base, o.condition = "add", option(c, &o, &x, GM_E_INVALID, "condition \"add\": give \"\", \"concat\" or \"projection\"");
    o = base, o.condition = "concat", option(c, &o, &x, GM_E_INVALID, "the data has no labels and no conditions");
    y = x, y.cond_dim = 2;
    o = base, o.condition = "projection", option(c, &o, &y, GM_E_INVALID, "it embeds labels");
    y = x, y.classes = 3;
    o = base, o.condition = "projection", o.discriminator = "dense 4; relu; dense 1", option(c, &o, &y, GM_E_SHAPE, "leave its last linear layer out");
    o = base, o.size = 3, option(c, &o, &x, GM_E_INVALID, "gm_gan_options.size");
    o = base, option(c, &o, NULL, GM_E_INVALID, "spec is NULL");
    y = x, y.size = 2, option(c, &o, &y, GM_E_INVALID, "gm_spec.size");
    y = x, y.dims[0] = -1, option(c, &o, &y, GM_E_SHAPE, "gm_spec.dims");
    y = x, y.rank = 9, option(c, &o, &y, GM_E_SHAPE, "rank");
    y = x, y.dtype = 99, option(c, &o, &y, GM_E_DTYPE, "gm_spec.dtype");
    y = x, y.scaling = 99, option(c, &o, &y, GM_E_INVALID, "gm_spec.scaling");
    y = x, y.classes = 2, y.cond_dim = 2, option(c, &o, &y, GM_E_INVALID, "only one kind of condition");
    o.discriminator = "dense 4; batch_norm; relu";
    for (int i = 0; i < 3; i++) {
        static const char *const loss[] = {"hinge r1=1", "hinge r2=0.5", "wasserstein gp=10"};
        o.loss = loss[i], option(c, &o, &x, GM_E_UNSUPPORTED, "couples its batch (batch_norm or minibatch_stddev)");
    }
    ok(gm_gan_create(c, &x, &o, NULL) == GM_E_INVALID && gm_gan_create(NULL, &x, &o, NULL) == GM_E_INVALID, "NULL arguments");
    ok(gm_gan_memory(c, &x, &base, 0, NULL, NULL) == GM_E_RANGE && gm_gan_memory(c, &x, &base, 1, NULL, NULL) == GM_OK,
        "gm_gan_memory: batch 0, results not wanted");
    o.loss = "hinge r1=1 coupled=1";
    gm_gan_destroy(gan_make(c, &x, &o));
    ok(1, "coupled=1 allows it");
    o.generator = o.discriminator = o.loss = o.gamma = o.g_optimizer = o.d_optimizer = o.g_schedule = o.d_schedule = o.condition = NULL;
    gm_gan *g = gan_make(c, &x, &o);
    is_text(g->o.loss, "relativistic r1=1 r2=1 every=4", "a NULL text is the default");
    gm_gan_destroy(g);
}

static void presets(gm_context *c)
{
    static const char *const name[] = {"unattended", "mlp", "dcgan28", "dcgan32", "dcgan64"};
    static const int64_t side[] = {8, 8, 28, 32, 64}, channels[] = {1, 1, 1, 3, 3};
    gm_gan_options o, before;
    gm_spec x;
    uint64_t t = 0, f = 0;
    gm_gan_options_init(&before, sizeof before);
    before.seed = 9;
    before.d_steps = 2;
    for (int i = 0; i < 5; i++) {
        o = before;
        ok(gm_gan_options_preset(&o, name[i]) == GM_OK && o.seed == 9 && o.d_steps == 2, "preset %s", name[i]);
        vae_spec(&x, GM_U8, GM_SCALE_AUTO, 3, channels[i], side[i], side[i]);
        const gm_status s = gm_gan_memory(c, &x, &o, 2, &t, &f);
        ok(s == GM_OK && t > f && f > 0, "fits %d x %d x %d: %.1f MB to train (%s)", (int)side[i], (int)side[i],
            (int)channels[i], (double)t / 1e6,
           gm_context_error(c));
        if (i) ok(o.ema_half_life == 0 && !strcmp(o.loss, "non_saturating") && strstr(o.g_optimizer, "beta1=0.5") && o.latent_dim == 100, "as in its paper");
    }
    o = before;
    ok(gm_gan_options_preset(&o, "dcgan") == GM_E_UNKNOWN && !memcmp(&o, &before, sizeof o), "an unknown preset changes nothing");
    ok(gm_gan_options_preset(NULL, "mlp") == GM_E_INVALID && gm_gan_options_preset(&o, NULL) == GM_E_INVALID, "NULL");
}

/* ---- networks by shape ---- */

static void unattended(gm_context *c)
{
    static const struct {
        int32_t rank;
        int64_t a, b, d;
        int convs, latent;
        gm_dtype t;
    } k[] = {{3, 1, 28, 28, 2, 64, GM_U8}, {3, 3, 32, 32, 3, 64, GM_U8}, {3, 3, 64, 64, 4, 64, GM_U8}, {3, 1, 8, 8, 1, 64, GM_F32}, {3, 1, 7, 9, 0, 64, GM_F32},
             {3, 2, 6, 6, 0, 64, GM_F32},  {3, 1, 8, 20, 1, 64, GM_U8},  {1, 2, 0, 0, 0, 2, GM_F32},  {2, 2, 6, 0, 0, 12, GM_F32}, {3, 1, 1, 1, 0, 64, GM_U8},
                 {3, 1, 12, 8, 1, 64, GM_U8}, {1, 1, 0, 0, 0, 2, GM_F32}, {1, 40, 0, 0, 0, 16, GM_F32}};
    for (size_t i = 0; i < sizeof k / sizeof k[0]; i++) {
        gm_spec x;
        gm_gan_options o;
        gm_graph *graph = NULL;
        gm_gan *g = NULL;
        const char *p;
        int convs = 0;
        vae_spec(&x, k[i].t, GM_SCALE_AUTO, k[i].rank, k[i].a, k[i].b, k[i].d);
        gm_status s = gmi_gan_make(c, &x, NULL, 0, &g); /* symbolic: nothing is allocated for the large ones */
        if (!s) s = gmi_gan_graph(g, 1, &graph);
        for (p = s ? "" : g->o.discriminator; (p = strstr(p, "conv ")) != NULL; p++) convs++;
        ok(!s && convs == k[i].convs && g->o.latent_dim == k[i].latent, "[%d,%d,%d]: %s (%s)", (int)k[i].a, (int)k[i].b, (int)k[i].d,
            s ? "" : g->o.discriminator, gm_context_error(c));
        if (s) continue;
        ok(!strstr(g->o.generator, "_norm;") && !strstr(g->o.discriminator, "_norm;") && !gmi_layer_couples_batch(g->generator), "without normalisation: %s",
            g->o.generator);
        ok((strstr(g->o.generator, "tanh") != NULL) == (k[i].t == GM_U8), "tanh for known bounds alone");
        ok(gm_graph_status(graph) == GM_OK && g->m.spec.scaling == (k[i].t == GM_U8 ? GM_SCALE_SIGNED : GM_SCALE_STANDARD), "builds; scaling");
        gm_graph_destroy(graph);
        gmi_gan_release(g);
        gm_gan_options_init(&o, sizeof o);
        o.condition = "projection";
        x.classes = 3;
        graph = NULL;
        g = NULL;
        s = gmi_gan_make(c, &x, &o, 0, &g);
        if (!s) s = gmi_gan_graph(g, 1, &graph);
        ok(!s, "with projection D ends with features: %s (%s)", s ? "" : g->o.discriminator, gm_context_error(c));
        gm_graph_destroy(graph);
        gmi_gan_release(g);
    }
}

/* The defaults as they are: created, one step, sampled. */
static void happy(gm_context *c)
{
    static uint8_t pictures[6][1][8][8], made[6][1][8][8];
    static float points[6][2], new_points[6][2];
    gm_spec x;
    gm_gan *g = NULL;
    gm_record r;
    uint32_t seed = 3;
    int i;
    for (i = 0; i < (int)sizeof pictures; i++) ((uint8_t *)pictures)[i] = (uint8_t)(256 * vae_random(&seed));
    gan_normal_rows((float *)points, 12, 4);
    for (i = 0; i < 2; i++) {
        gm_tensor *t = i ? vae_rows(c, points, 6, 2) : vae_wrap(c, GM_U8, pictures, 4, 6, 1, 8, 8), *u = i ? vae_rows(c, new_points, 6, 2) : vae_wrap(c, GM_U8,
            made, 4, 6, 1, 8, 8);
        vae_spec(&x, i ? GM_F32 : GM_U8, GM_SCALE_AUTO, i ? 1 : 3, i ? 2 : 1, 8, 8);
        gm_record_init(&r, sizeof r);
        gm_status s = gm_gan_create(c, &x, NULL, &g);
        if (!s) s = gm_gan_step(g, t, NULL, &r);
        if (!s) s = gm_gan_step(g, t, NULL, NULL);
        if (!s) s = gm_gan_sample(g, NULL, NULL, u);
        ok(!s && r.step == 1 && r.examples == 6 && r.d_loss > 0 && r.g_loss > 0 && r.penalty >= 0, "%s unattended (%s)", i ? "points" : "pictures",
            gm_context_error(c));
        gm_tensor_destroy(t);
        gm_tensor_destroy(u);
        gm_gan_destroy(g);
    }
}

/* ---- inference ---- */

/* G(z) = W z + b in closed form, in the data's units. */
static void linear(gm_context *c)
{
    static const float w[2][L] = {{0.1f, -0.2f, 0.05f}, {0, 0.3f, 0.1f}}, b[2] = {0.25f, -0.1f}, u[2] = {2, -1}, v = 0.5f;
    static float z[N][L], x[N][2], score[N];
    gm_spec spec;
    gm_gan_options o;
    double off = 0, off_d = 0;
    vae_spec(&spec, GM_F32, GM_SCALE_SIGNED, 1, 2, 0, 0);
    spec.lo = -10;
    spec.hi = 30;
    gan_options(&o, "hinge");
    o.generator = "dense 2";
    o.discriminator = "dense 1";
    gm_gan *g = gan_make(c, &spec, &o);
    gm_tensor *tz = vae_rows(c, z, N, L), *tx = vae_rows(c, x, N, 2), *ts = vae_vector(c, score, N);
    gan_normal_rows((float *)z, N * L, 8);
    gan_set(g, "generator.0.weight", w[0]);
    gan_set(g, "generator.0.bias", b);
    gan_set(g, "discriminator.0.weight", u);
    gan_set(g, "discriminator.0.bias", &v);
    gan_must(c, gm_gan_generate(g, tz, NULL, tx));
    gan_must(c, gm_gan_discriminate(g, tx, NULL, ts));
    for (int i = 0; i < N; i++) {
        double y[2];
        for (int j = 0; j < 2; j++) {
            y[j] = (double)b[j];
            for (int k = 0; k < L; k++) y[j] += (double)w[j][k] * (double)z[i][k];
            off = fmax(off, fabs((double)x[i][j] - (10 + 20 * y[j])));
        }
        off_d = fmax(off_d, fabs((double)score[i] - ((double)u[0] * y[0] + (double)u[1] * y[1] + (double)v)));
    }
    ok(off < 2e-5, "G is W z + b, [-1, 1] put back to [lo, hi]: off by %g", off);
    ok(off_d < 2e-6, "D takes x in units of the data: off by %g", off_d);
    gm_gan_destroy(g);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ts);
}

/* The same rows in every split, and sample against generate. */
static void independence(gm_context *c, const char *name, const char *generator, double ema, const char *condition)
{
    static float a[N][K], b[N][K], z[N][L], sa[N], sb[N];
    static int32_t label[N];
    gm_spec x;
    gm_gan_options o;
    gm_sample_options so;
    const int cond = condition[0] != 0;
    size_t bad = 0, bad_sample = 0, bad_d = 0;
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    x.classes = cond ? 4 : 0;
    gan_options(&o, "non_saturating");
    o.generator = generator;
    o.discriminator = "dense 8; batch_norm; leaky_relu 0.2; dense 6; relu";
    o.ema_half_life = ema;
    o.condition = condition;
    gm_gan *g = gan_make(c, &x, &o);
    gm_tensor *tx = vae_rows(c, rows, N, K), *ta = vae_rows(c, a, N, K), *tz = vae_rows(c, z, N, L), *ts = vae_vector(c, sa, N), *tl = vae_labels(c, label, N);
    for (int i = 0; i < N; i++) label[i] = i * 7 % 4;
    for (int i = 0; i < 3; i++) gan_must(c, gm_gan_step(g, tx, cond ? tl : NULL, NULL));
    gm_sample_options_init(&so, sizeof so);
    so.seed = 21;
    so.first = 1000000000000;
    so.truncation = 0.7;
    gan_must(c, gm_gan_sample(g, &so, cond ? tl : NULL, ta));
    for (int n = 1; n <= N; n++) /* the last n rows alone */
        for (int reserve = 0; reserve < 2; reserve++) {
            if (reserve && n != 7) continue;
            gm_tensor *part = vae_rows(c, b, n, K), *l = vae_labels(c, label + N - n, n);
            if (reserve) gan_must(c, gm_gan_reserve(g, 5));
            so.first = 1000000000000 + N - n;
            memset(b, 0, sizeof b);
            gan_must(c, gm_gan_sample(g, &so, cond ? l : NULL, part));
            bad_sample += memcmp(b, a[N - n], (size_t)n * sizeof b[0]) != 0;
            gm_tensor_destroy(part);
            gm_tensor_destroy(l);
        }
    is_int(bad_sample, 0, "%s: sample i depends on seed and first + i alone", name);
    so.first = 1000000000000;
    gan_must(c, gmi_gan_prior(g, 21, 0, so.first, N, 0.7, (gmi_real *)z));
    gan_must(c, gm_gan_generate(g, tz, cond ? tl : NULL, ta));
    gan_must(c, gm_gan_discriminate(g, tx, cond ? tl : NULL, ts));
    gan_must(c, gm_gan_sample(g, &so, cond ? tl : NULL, tx));
    ok(!memcmp(rows, a, sizeof a), "%s: sample is generate of the prior's z", name);
    gan_normal_rows((float *)rows, N * K, 1);
    gm_gan_destroy(g);
    g = gan_make(c, &x, &o);
    for (int i = 0; i < 3; i++) gan_must(c, gm_gan_step(g, tx, cond ? tl : NULL, NULL));
    for (int n = 1; n <= N; n++) {
        gm_tensor *l = vae_labels(c, label + N - n, n), *part = vae_rows(c, b, n, K), *pz = vae_rows(c, z[N - n], n, L), *px = vae_rows(c, rows[N - n], n, K),
            *ps = vae_vector(c, sb, n);
        gan_must(c, gm_gan_generate(g, pz, cond ? l : NULL, part));
        gan_must(c, gm_gan_discriminate(g, px, cond ? l : NULL, ps));
        bad += memcmp(b, a[N - n], (size_t)n * sizeof b[0]) != 0;
        bad_d += memcmp(sb, sa + N - n, (size_t)n * sizeof sb[0]) != 0;
        gm_tensor_destroy(part);
        gm_tensor_destroy(pz);
        gm_tensor_destroy(px);
        gm_tensor_destroy(ps);
        gm_tensor_destroy(l);
    }
    is_int(bad, 0, "%s: generate has the same bits in batches of 1 to %d, in a second model of the same seed", name, N);
    is_int(bad_d, 0, "%s: discriminate too", name);
    gm_gan_destroy(g);
    gm_tensor_destroy(tx);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tz);
    gm_tensor_destroy(ts);
    gm_tensor_destroy(tl);
}

static void sampling(gm_context *c)
{
    static float a[N][K], b[N][K];
    gm_spec x;
    gm_gan_options o;
    gm_sample_options so;
    gm_tensor *ta = vae_rows(c, a, N, K), *tb = vae_rows(c, b, N, K);
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_options(&o, "hinge");
    gm_gan *g = gan_make(c, &x, &o);
    gm_sample_options_init(&so, sizeof so);
    gan_must(c, gm_gan_sample(g, NULL, NULL, ta));
    gan_must(c, gm_gan_sample(g, &so, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "options NULL are the defaults");
    so.draw = GM_DRAW_SAMPLE;
    gan_must(c, gm_gan_sample(g, &so, NULL, tb));
    ok(!memcmp(a, b, sizeof a), "draw is of no effect");
    so.seed = 1;
    gan_must(c, gm_gan_sample(g, &so, NULL, tb));
    ok(memcmp(a[3], b[3], sizeof a[3]) != 0, "another seed, other samples");
    so.truncation = 0;
    gan_must(c, gm_gan_sample(g, &so, NULL, tb));
    ok(!memcmp(b[0], b[N - 1], sizeof b[0]), "truncation 0 is G(0)");
    gm_gan_destroy(g);
    gm_tensor_destroy(ta);
    gm_tensor_destroy(tb);
}

/* ---- arguments ---- */

static void refused(gm_context *c, gm_status s, gm_status want, const char *message)
{
    is_int(s, want, "%s", gm_status_name(want));
    is_text(gm_context_error(c), message, "its message");
}

static void arguments(gm_context *c)
{
    static float z[4][L], x[4][K], bad[4][K], nan_z[4][L], score[4];
    static uint8_t u8[4][1][2][2];
    static int32_t wrong[4] = {0, 1, 7, 2}, negative[4] = {0, -1, 0, 0};
    static const int64_t xd[2] = {4, K}, none[2] = {0, K};
    gm_spec spec;
    gm_gan_options o;
    gm_sample_options so;
    gm_record r;
    gm_tensor *tx = vae_rows(c, x, 4, K), *tz = vae_rows(c, z, 4, L), *tu = vae_wrap(c, GM_U8, u8, 4, 4, 1, 2, 2), *tb = vae_rows(c, bad, 4, K),
        *tn = vae_rows(c, nan_z, 4, L),
              *tl = vae_labels(c, wrong, 4), *tm = vae_labels(c, negative, 4), *three = vae_rows(c, z, 3, L), *ts = vae_vector(c, score, 4),
                  *t3 = vae_vector(c, score, 3), *ro = NULL,
              *empty = NULL;
    gan_must(c, gm_tensor_wrap_const(c, GM_F32, 2, xd, NULL, x, &ro));
    gan_must(c, gm_tensor_create(c, GM_F32, 2, none, &empty));
    bad[2][3] = NAN;
    nan_z[1][0] = INFINITY;
    vae_spec(&spec, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    spec.classes = 3;
    gan_options(&o, "relativistic r1=1");
    gm_record_init(&r, sizeof r);
    gm_gan *g = gan_make(c, &spec, &o);
    refused(c, gm_gan_step(g, tu, NULL, &r), GM_E_SHAPE, "gan_step: x is [4,1,2,2] u8, model wants [n,5] f32: reshape, or set gm_spec.dims");
    refused(c, gm_gan_step(g, NULL, NULL, &r), GM_E_INVALID, "gan_step: x is NULL");
    refused(c, gm_gan_step(g, empty, NULL, &r), GM_E_SHAPE, "gan_step: x has 0 rows; give at least 1");
    refused(c, gm_gan_step(g, tb, NULL, &r), GM_E_NONFINITE, "gan_step: x row 2, element 3 is not a finite number: remove or fill it");
    is_int(g->m.fit.step, 0, "a step that could not be made is not counted");
    refused(c, gm_gan_generate(g, NULL, NULL, tx), GM_E_INVALID, "gan_generate: z is NULL");
    refused(c, gm_gan_generate(g, tz, NULL, NULL), GM_E_INVALID, "gan_generate: x is NULL");
    refused(c, gm_gan_generate(g, tx, NULL, tx), GM_E_SHAPE, "gan_generate: z is [4,5] f32; it must be [4,3]");
    refused(c, gm_gan_generate(g, three, NULL, tx), GM_E_SHAPE, "gan_generate: x has 4 rows for an input of 3");
    refused(c, gm_gan_generate(g, tz, NULL, ro), GM_E_READONLY, "gan_generate: x is read-only memory: give a tensor that may be written");
    refused(c, gm_gan_generate(g, tn, NULL, tx), GM_E_NONFINITE, "gan_generate: z row 1 is not finite");
    refused(c, gm_gan_sample(g, NULL, NULL, NULL), GM_E_INVALID, "gan_sample: x is NULL");
    refused(c, gm_gan_sample(g, NULL, NULL, ro), GM_E_READONLY, "gan_sample: x is read-only memory: give a tensor that may be written");
    gm_sample_options_init(&so, sizeof so);
    so.truncation = -1;
    refused(c, gm_gan_sample(g, &so, NULL, tx), GM_E_RANGE, "gan_sample: truncation is -1; it scales z and must be 0 or positive");
    so.truncation = 1, so.first = -1;
    refused(c, gm_gan_sample(g, &so, NULL, tx), GM_E_RANGE, "gan_sample: first is -1; it is the number of the first sample, 0 or positive");
    so.first = 0, so.draw = 7;
    refused(c, gm_gan_sample(g, &so, NULL, tx), GM_E_INVALID, "gan_sample: draw is 7; give GM_DRAW_MEAN or GM_DRAW_SAMPLE");
    refused(c, gm_gan_discriminate(g, tx, NULL, NULL), GM_E_INVALID, "gan_discriminate: score is NULL");
    refused(c, gm_gan_discriminate(g, tx, NULL, t3), GM_E_SHAPE, "gan_discriminate: score is [3] f32; it must be [4]");
    refused(c, gm_gan_discriminate(g, tb, NULL, ts), GM_E_NONFINITE, "gan_discriminate: x row 2, element 3 is not a finite number: remove or fill it");
    refused(c, gm_gan_evaluate(g, NULL, 1, &r), GM_E_INVALID, "gan_evaluate: the dataset is NULL");
    refused(c, gm_gan_reserve(g, 0), GM_E_RANGE, "gan_reserve: batch is 0; give at least 1");
    refused(c, gm_gan_fit(g, NULL, NULL), GM_E_INVALID, "gan_fit: the dataset is NULL");
    refused(c, gm_gan_save(g, NULL), GM_E_INVALID, "gan_save: the path is NULL");
    refused(c, gm_gan_write(g, NULL), GM_E_INVALID, "gan_write: the writer is NULL");
    ok(gm_gan_step(g, tx, tl, &r) == GM_OK, "a condition that the model does not use is not looked at (%s)", gm_context_error(c));
    gm_gan_destroy(g);
    o.condition = "projection";
    g = gan_make(c, &spec, &o);
    refused(c, gm_gan_step(g, tx, NULL, &r), GM_E_INVALID, "gan_step: cond is NULL; the model is conditional: give i32 [n] labels of 3 classes");
    refused(c, gm_gan_step(g, tx, tl, &r), GM_E_RANGE, "gan_step: cond row 2 is 7; the model has classes 0 to 2");
    refused(c, gm_gan_sample(g, NULL, tm, tx), GM_E_RANGE, "gan_sample: cond row 1 is -1; the model has classes 0 to 2");
    refused(c, gm_gan_generate(g, tz, tz, tx), GM_E_DTYPE, "gan_generate: cond is [4,3] f32; labels are i32 [4]");
    refused(c, gm_gan_discriminate(g, tx, tl, ts), GM_E_RANGE, "gan_discriminate: cond row 2 is 7; the model has classes 0 to 2");
    gm_gan_destroy(g);
    ok(gm_gan_step(NULL, tx, NULL, &r) == GM_E_INVALID && gm_gan_fit(NULL, NULL, NULL) == GM_E_INVALID && gm_gan_generate(NULL, tz, NULL, tx) == GM_E_INVALID &&
           gm_gan_sample(NULL, NULL, NULL, tx) == GM_E_INVALID && gm_gan_discriminate(NULL, tx, NULL, ts) == GM_E_INVALID && gm_gan_evaluate(NULL, NULL, 1,
               &r) == GM_E_INVALID &&
           gm_gan_reserve(NULL, 1) == GM_E_INVALID && gm_gan_save(NULL, "x") == GM_E_INVALID && !gm_gan_params(NULL) && !gm_gan_g_optimizer(NULL) &&
               !gm_gan_d_optimizer(NULL),
       "no model");
    gm_gan_destroy(NULL);
    gm_tensor *all[12];
    all[0] = tx, all[1] = tz, all[2] = tu, all[3] = tb, all[4] = tn, all[5] = tl, all[6] = tm, all[7] = three, all[8] = ts, all[9] = t3, all[10] = ro,
        all[11] = empty;
    for (int i = 0; i < 12; i++) gm_tensor_destroy(all[i]);
}

/* A layer that forgets its input: programs that do not read z, x or fakes. */
static gm_node forget(void *user, gm_graph *g, gm_node x, gm_node cond, int32_t n, const double *args)
{
    int64_t dims[2];
    (void)user, (void)cond, (void)n, (void)args;
    dims[0] = gm_graph_dim(g, x, 0);
    dims[1] = 4;
    return gm_op_broadcast(g, gm_op_scalar(g, 0.5), 2, dims);
}

static void forgetful(gm_context *c)
{
    static float out[N][K], score[N];
    gm_layer_class k;
    gm_gan_options o;
    gm_spec x;
    gm_record r;
    gm_dataset *d = NULL;
    gm_tensor *t = vae_rows(c, rows, N, K), *y = vae_rows(c, out, N, K), *s = vae_vector(c, score, N);
    memset(&k, 0, sizeof k);
    k.size = sizeof k;
    k.word = "forget";
    k.build = forget;
    gan_must(c, gm_layer_register(c, &k));
    vae_spec(&x, GM_F32, GM_SCALE_NONE, 1, K, 0, 0);
    gan_must(c, gm_dataset_from_tensor(t, NULL, &x, &d));
    for (int i = 0; i < 2; i++) {
        gan_options(&o, "wasserstein");
        *(i ? &o.discriminator : &o.generator) = "forget";
        gm_gan *g = gan_make(c, &x, &o);
        gm_record_init(&r, sizeof r);
        gm_status st = gm_gan_step(g, t, NULL, NULL);
        if (!st) st = gm_gan_sample(g, NULL, NULL, y);
        if (!st) st = gm_gan_discriminate(g, t, NULL, s);
        if (!st) st = gm_gan_evaluate(g, d, 1, &r);
        ok(!st && (i ? score[0] == score[N - 1] : !memcmp(out[0], out[N - 1], sizeof out[0])), "%s that ignores its input (%s)", i ? "a D" : "a G",
            gm_context_error(c));
        gm_gan_destroy(g);
    }
    gm_dataset_destroy(d);
    gm_tensor_destroy(t);
    gm_tensor_destroy(y);
    gm_tensor_destroy(s);
}

int main(void)
{
    gm_context *c = vae_context(2, GM_SIMD_BEST);
    gan_normal_rows((float *)rows, N * K, 1);
    defaults();
    options(c);
    presets(c);
    unattended(c);
    happy(c);
    linear(c);
    independence(c, "plain", "dense 8; tanh", 0, "");
    independence(c, "batch norm", "dense 8; batch_norm; relu", 0, "");
    independence(c, "batch norm, average", "dense 8; batch_norm; relu", 50, "");
    independence(c, "concat", "dense 8; batch_norm; relu", 50, "concat");
    independence(c, "projection", "dense 8; batch_norm; relu", 0, "projection");
    sampling(c);
    arguments(c);
    forgetful(c);
    gm_context_destroy(c);
    return done();
}
