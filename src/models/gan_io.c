/* SPDX-License-Identifier: MIT */
/* gan_io.c: a GAN as a file: its options as JSON; the rest is model_io.c. */
#include "models/gan.h"
#include "models/model_io.h"

#define OPTION_FIELDS 13

static void option_fields(gm_gan_options *o, gmi_field f[OPTION_FIELDS])
{
    const gmi_field table[OPTION_FIELDS] = {{"generator", GMI_FIELD_TEXT, &o->generator, 0, NULL, NULL},
                                            {"discriminator", GMI_FIELD_TEXT, &o->discriminator, 0, NULL, NULL},
                                            {"loss", GMI_FIELD_TEXT, &o->loss, 0, NULL, NULL},
                                            {"gamma", GMI_FIELD_TEXT, &o->gamma, 0, NULL, NULL},
                                            {"g_optimizer", GMI_FIELD_TEXT, &o->g_optimizer, 0, NULL, NULL},
                                            {"d_optimizer", GMI_FIELD_TEXT, &o->d_optimizer, 0, NULL, NULL},
                                            {"g_schedule", GMI_FIELD_TEXT, &o->g_schedule, 0, NULL, NULL},
                                            {"d_schedule", GMI_FIELD_TEXT, &o->d_schedule, 0, NULL, NULL},
                                            {"condition", GMI_FIELD_TEXT, &o->condition, 0, NULL, NULL},
                                            {"latent_dim", GMI_FIELD_INT, &o->latent_dim, 0, NULL, NULL},
                                            {"d_steps", GMI_FIELD_I32, &o->d_steps, 0, NULL, NULL},
                                            {"ema_half_life", GMI_FIELD_REAL, &o->ema_half_life, 0, NULL, NULL},
                                            {"seed", GMI_FIELD_SEED, &o->seed, 0, NULL, NULL}};
    memcpy(f, table, sizeof table);
}

void gmi_gan_options_write(const gm_gan *a, gmi_buf *b)
{
    gm_gan_options o = a->o;
    gmi_field f[OPTION_FIELDS];
    option_fields(&o, f);
    gmi_fields_write(b, f, OPTION_FIELDS);
}

gm_status gmi_gan_write(gm_gan *a, gm_writer *w, int checkpoint)
{
    gm_context *c = a->m.ctx;
    gmi_buf b;
    if (!GM_TRAINING) return gmi_no_training(c);
    if (!w) return gmi_fail(c, GM_E_INVALID, "the writer is NULL");
    gm_status s = gmi_gan_settle(a);
    if (s) return s;
    gmi_buf_init(&b, c);
    gmi_gan_options_write(a, &b);
    s = b.failed ? gmi_nomem(c) : gmi_model_write(&a->m, w, gmi_buf_cstr(&b), checkpoint);
    gmi_buf_free(&b);
    return s;
}

static gm_status to_writer(gm_gan *a, gm_writer *w, int checkpoint)
{
    gm_status s = GM_TRAINING && checkpoint ? gmi_gan_ready(a) : GM_OK;
    return s ? s : gmi_gan_write(a, w, checkpoint);
}

static gm_status to_path(gm_gan *a, const char *path, int checkpoint)
{
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.path = path;
    return path ? to_writer(a, &w, checkpoint) : gmi_fail(a->m.ctx, GM_E_INVALID, "the path is NULL");
}

gm_status gm_gan_save(gm_gan *g, const char *path)
{
    if (!g) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_save");
    return gmi_leave(g->m.ctx, to_path(g, path, 0));
}

gm_status gm_gan_write(gm_gan *g, gm_writer *w)
{
    if (!g) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_write");
    return gmi_leave(g->m.ctx, to_writer(g, w, 0));
}

gm_status gm_gan_save_checkpoint(gm_gan *g, const char *path)
{
    if (!g) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_save_checkpoint");
    return gmi_leave(g->m.ctx, to_path(g, path, 1));
}

gm_status gm_gan_write_checkpoint(gm_gan *g, gm_writer *w)
{
    if (!g) return GM_E_INVALID;
    gmi_enter(g->m.ctx, "gan_write_checkpoint");
    return gmi_leave(g->m.ctx, to_writer(g, w, 1));
}

/* ---- reading ---- */

gm_status gmi_gan_options_read(gm_context *c, const gm_spec *x, const char *json, gmi_arena *texts, gm_gan **out)
{
    gm_gan_options o;
    gmi_field f[OPTION_FIELDS];
    *out = NULL;
    gm_gan_options_init(&o, sizeof o);
    option_fields(&o, f);
    gm_status s = gmi_fields_read(c, "genrep.options", json, texts, f, OPTION_FIELDS);
    return s ? s : gmi_model_blame(c, gmi_gan_make(c, x, &o, 1, out));
}

static gm_status from_file(gmi_model_file *file, gm_gan **out)
{
    gm_context *c = file->ctx;
    gm_graph *g = NULL;
    gm_status s = gmi_gan_options_read(c, &file->x, file->options, &file->texts, out);
    if (s) return s;
    gm_gan *a = *out;
    s = gmi_model_blame(c, gmi_gan_graph(a, 1, &g));
    if (!s) s = gmi_model_check(file, g);
    gm_graph_destroy(g);
    if (!s) s = gmi_gan_layout(a, GM_TRAINING && file->checkpoint);
    if (!s && GM_TRAINING && file->checkpoint) s = gmi_gan_ready(a);
    if (!s) s = gmi_model_load(file, &a->m);
    a->population_step = a->m.fit.step; /* writing computed them */
    return s;
}

static gm_status read_model(gm_context *c, const gm_reader *r, gm_gan **out)
{
    gmi_model_file file;
    gm_gan *a = NULL;
    gm_status s = gmi_model_open(c, r, "gan", &file);
    if (!s) s = from_file(&file, &a);
    gmi_model_close(&file);
    if (s)
        gmi_gan_release(a);
    else
        *out = a;
    return s;
}

gm_status gm_gan_read(gm_context *c, const gm_reader *r, gm_gan **out)
{
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "gan_read");
    return gmi_leave(c, r ? read_model(c, r, out) : gmi_fail(c, GM_E_INVALID, "the reader is NULL"));
}

gm_status gm_gan_load(gm_context *c, const char *path, gm_gan **out)
{
    gm_reader r;
    if (out) *out = NULL;
    if (!c || !out) return GM_E_INVALID;
    gmi_enter(c, "gan_load");
    gm_reader_init(&r, sizeof r);
    r.path = path;
    return gmi_leave(c, path ? read_model(c, &r, out) : gmi_fail(c, GM_E_INVALID, "the path is NULL"));
}
