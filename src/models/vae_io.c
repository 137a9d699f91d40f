/* SPDX-License-Identifier: MIT */
/* vae_io.c: a VAE as a file: its options as JSON; the rest is model_io.c. A callback (extra_loss) cannot be stored: the file says that there was one. */
#include "models/model_io.h"
#include "models/vae.h"

#define OPTION_FIELDS 16

static void option_fields(gm_vae_options *o, int32_t *extra, gmi_field f[OPTION_FIELDS])
{
    const gmi_field table[OPTION_FIELDS] = {{"encoder", GMI_FIELD_TEXT, &o->encoder, 0, NULL, NULL},
                                            {"decoder", GMI_FIELD_TEXT, &o->decoder, 0, NULL, NULL},
                                            {"optimizer", GMI_FIELD_TEXT, &o->optimizer, 0, NULL, NULL},
                                            {"beta", GMI_FIELD_TEXT, &o->beta, 0, NULL, NULL},
                                            {"prior", GMI_FIELD_TEXT, &o->prior, 0, NULL, NULL},
                                            {"objective", GMI_FIELD_TEXT, &o->objective, 0, NULL, NULL},
                                            {"latent_dim", GMI_FIELD_INT, &o->latent_dim, 0, NULL, NULL},
                                            {"likelihood", GMI_FIELD_NAME, &o->likelihood, 0, NULL, gm_likelihood_name},
                                            {"condition", GMI_FIELD_TEXT, &o->condition, 0, NULL, NULL},
                                            {"variance", GMI_FIELD_TEXT, &o->variance, 0, NULL, NULL},
                                            {"schedule", GMI_FIELD_TEXT, &o->schedule, 0, NULL, NULL},
                                            {"bias_init", GMI_FIELD_I32, &o->bias_init, 0, NULL, NULL},
                                            {"ema_half_life", GMI_FIELD_REAL, &o->ema_half_life, 0, NULL, NULL},
                                            {"free_bits", GMI_FIELD_REAL, &o->free_bits, 0, NULL, NULL},
                                            {"seed", GMI_FIELD_SEED, &o->seed, 0, NULL, NULL},
                                            {"extra_loss", GMI_FIELD_I32, extra, 0, NULL, NULL}};
    memcpy(f, table, sizeof table);
}

gm_status gmi_vae_options_write(const gm_vae *v, gmi_buf *json)
{
    gm_vae_options o = v->o;
    int32_t extra = v->o.extra_loss != NULL || v->extra_missing;
    gmi_field f[OPTION_FIELDS];
    o.likelihood = v->plan.likelihood; /* AUTO was resolved */
    option_fields(&o, &extra, f);
    gmi_fields_write(json, f, OPTION_FIELDS);
    return json->failed ? gmi_nomem(v->m.ctx) : GM_OK;
}

gm_status gmi_vae_write(gm_vae *v, gm_writer *w, int checkpoint)
{
    gm_context *c = v->m.ctx;
    gmi_buf b;
    if (!w) return gmi_fail(c, GM_E_INVALID, "the writer is NULL");
    gmi_buf_init(&b, c);
    gm_status s = gmi_vae_options_write(v, &b);
    if (!s) s = gmi_model_write(&v->m, w, gmi_buf_cstr(&b), checkpoint);
    gmi_buf_free(&b);
    return s;
}

static gm_status to_writer(gm_vae *v, gm_writer *w, int checkpoint)
{
    if (!GM_TRAINING) return gmi_no_training(v->m.ctx);
    gm_status s = checkpoint ? gmi_vae_optimizer_ready(v) : GM_OK;
    return s ? s : gmi_vae_write(v, w, checkpoint);
}

static gm_status to_path(gm_vae *v, const char *path, int checkpoint)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.path = path;
    return path ? to_writer(v, &w, checkpoint) : gmi_fail(v->m.ctx, GM_E_INVALID, "the path is NULL");
}

gm_status gm_vae_save(gm_vae *v, const char *path)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_save");
    return gmi_leave(v->m.ctx, to_path(v, path, 0));
}

gm_status gm_vae_write(gm_vae *v, gm_writer *w)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_write");
    return gmi_leave(v->m.ctx, to_writer(v, w, 0));
}

gm_status gm_vae_save_checkpoint(gm_vae *v, const char *path)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_save_checkpoint");
    return gmi_leave(v->m.ctx, to_path(v, path, 1));
}

gm_status gm_vae_write_checkpoint(gm_vae *v, gm_writer *w)
{
    if (!v) return GM_E_INVALID;
    gmi_enter(v->m.ctx, "vae_write_checkpoint");
    return gmi_leave(v->m.ctx, to_writer(v, w, 1));
}

/* ---- reading ---- */

gm_status gmi_vae_options_read(gm_context *c, const gm_spec *x, const char *json, gmi_arena *texts, gm_vae **out)
{
    gm_vae_options o;
    gmi_field f[OPTION_FIELDS];
    int32_t extra = 0;
    *out = NULL;
    gm_vae_options_init(&o, sizeof o);
    option_fields(&o, &extra, f);
    gm_status s = gmi_fields_read(c, "genrep.options", json, texts, f, OPTION_FIELDS);
    if (!s) s = gmi_model_blame(c, gmi_vae_make(c, x, &o, 1, out));
    if (!s) (*out)->extra_missing = extra != 0;
    return s;
}

static gm_status from_file(gmi_model_file *file, gm_vae **out)
{
    gm_context *c = file->ctx;
    gm_graph *g = NULL;
    gm_status s = gmi_vae_options_read(c, &file->x, file->options, &file->texts, out);
    if (s) return s;
    gm_vae *v = *out;
    s = gmi_model_blame(c, gmi_vae_training_graph(v, &g));
    if (!s) s = gmi_model_check(file, g);
    if (!s) s = gmi_vae_layout(v, g, GM_TRAINING && file->checkpoint);
    gm_graph_destroy(g);
    if (!s && GM_TRAINING && file->checkpoint) s = gmi_vae_optimizer_ready(v);
    return s ? s : gmi_model_load(file, &v->m);
}

static gm_status read_model(gm_context *c, const gm_reader *r, gm_vae **out)
{
    gmi_model_file file;
    gm_vae *v = NULL;
    gm_status s = gmi_model_open(c, r, "vae", &file);
    if (!s) s = from_file(&file, &v);
    gmi_model_close(&file);
    if (s)
        gmi_vae_release(v);
    else
        *out = v;
    return s;
}

gm_status gm_vae_read(gm_context *c, const gm_reader *r, gm_vae **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "vae_read");
    return gmi_leave(c, r ? read_model(c, r, out) : gmi_fail(c, GM_E_INVALID, "the reader is NULL"));
}

gm_status gm_vae_load(gm_context *c, const char *path, gm_vae **out)
{
    gm_reader r;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "vae_load");
    gm_reader_init(&r, sizeof r);
    r.path = path;
    return gmi_leave(c, path ? read_model(c, &r, out) : gmi_fail(c, GM_E_INVALID, "the path is NULL"));
}
