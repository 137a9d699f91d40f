/* SPDX-License-Identifier: MIT */
/* test_model.c: gm_model. */
#include "models/model.h"
#include "vae_util.h"

int main(void)
{
    gm_context *c = vae_context(1, GM_SIMD_BEST), *o2 = vae_context(1, GM_SIMD_BEST);
    static float x[8][5], z1[8][2], z2[8][2];
    gm_spec sp;
    gm_vae_options o;
    gm_vae *v = NULL, *u;
    const gm_model *m = NULL, *k = NULL;
    gmi_core *core = NULL;
    char *p = NULL;
    gm_reader r;
    int i;
    for (i = 0; i < 40; i++) ((float *)x)[i] = (float)i / 7;
    vae_spec(&sp, GM_F32, GM_SCALE_NONE, 1, 5, 0, 0);
    gm_vae_options_init(&o, sizeof o);
    o.encoder = "dense 6; batch_norm; tanh";
    o.decoder = "dense 6; tanh";
    o.latent_dim = 2;
    o.ema_half_life = 100;
    must(gm_vae_create(c, &sp, &o, &v));
    gm_tensor *t = vae_rows(c, x, 8, 5), *a = vae_rows(c, z1, 8, 2), *b = vae_rows(c, z2, 8, 2);
    must(gm_vae_step(v, t, NULL, NULL));
    must(gm_vae_step(v, t, NULL, NULL));
    must(gm_vae_encode(v, t, NULL, a, NULL));
    must(gm_vae_snapshot(v, &m));
    gm_reader_init(&r, sizeof r);
    int ck, uses;
    for (ck = 0; ck < 2; ck++) for (uses = 0; uses < 8; uses++) {
    r.bytes = vae_bytes(v, ck, &p);
    r.memory = p;
    ok(gm_model_read(c, &r, uses, &k) == GM_OK, "read %s", gm_context_error(c));
    gm_status s = gmi_model_instance(o2, k, &core);
    is_int(s, uses ? GM_OK : GM_E_UNSUPPORTED, "%s", gm_context_error(o2));
    if (!s && (uses & 1)) {
    u = (gm_vae *)core;
    memset(z2, 0, sizeof z2);
    ok(gm_vae_encode(u, t, NULL, b, NULL) == GM_OK, "enc %s", gm_context_error(o2));
    ok(!memcmp(z1, z2, sizeof z1), "bits");
    }
    if (!s) gm_vae_destroy((gm_vae *)core);
    gm_model_destroy(k);
    free(p);
    }
    must(gmi_model_instance(o2, m, &core));
    gm_vae_destroy(v);
    gm_context_destroy(c);
    gm_model_destroy(m);
    u = (gm_vae *)core;
    memset(z2, 0, sizeof z2);
    must(gm_vae_encode(u, t, NULL, b, NULL));
    ok(!memcmp(z1, z2, sizeof z1), "bits");
    gm_vae_destroy(u);
    gm_tensor_destroy(t);
    gm_tensor_destroy(a);
    gm_tensor_destroy(b);
    gm_context_destroy(o2);
    return done();
}
