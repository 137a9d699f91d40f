/* SPDX-License-Identifier: MIT */
/* infer_only.c: what a build without training (make INFER_ONLY=1) answers for the calls that it leaves out.
 *
 * The Makefile's INFER_OUT lists whole files that such a build does not compile; each public function of theirs has a twin here, or in
 * repr/infer_only.c, that refuses with GM_E_UNSUPPORTED, or does nothing where it has no status, so that every build exports the same symbols. Public
 * functions of files that stay refuse in place, behind `if (GM_TRAINING)`. tests/full/builds.sh compares the symbols with docs/symbols.txt. No optimizer,
 * schedule or dataset can exist here. */
#include "exec/exec.h"
#include "graph/graph.h"
#include "models/gan.h"
#include "models/model.h"
#include "models/vae.h"

/* A whole refused call. */
static gm_status refuse(gm_context *c, const char *call)
{
    if (!c) return GM_E_INVALID;
    gmi_enter(c, call);
    return gmi_leave(c, gmi_no_training(c));
}

static gm_context *of_tensor(const gm_tensor *t) { return t ? t->ctx : NULL; }
static gm_context *of_vae(const gm_vae *v) { return v ? v->m.ctx : NULL; }
static gm_context *of_gan(const gm_gan *g) { return g ? g->m.ctx : NULL; }

/* ---- files and datasets ---- */

gm_status gm_tensor_read_npy(gm_context *c, const gm_reader *r, gm_tensor **out)
{
    (void)r;
    if (out) *out = NULL;
    return refuse(c, "tensor_read_npy");
}

gm_status gm_tensor_write_npy(const gm_tensor *t, gm_writer *w)
{
    (void)w;
    return refuse(of_tensor(t), "tensor_write_npy");
}

gm_status gm_dataset_from_series(gm_tensor *x, int64_t window, int64_t hop, gm_dataset **out)
{
    (void)window;
    (void)hop;
    if (out) *out = NULL;
    return refuse(of_tensor(x), "dataset_from_series");
}

gm_status gm_dataset_open(gm_context *c, const char *path, const char *o, gm_dataset **out)
{
    (void)path;
    (void)o;
    if (out) *out = NULL;
    return refuse(c, "dataset_open");
}

gm_status gm_dataset_open_idx(gm_context *c, const char *path, const char *labels_path, gm_dataset **out)
{
    (void)path;
    (void)labels_path;
    if (out) *out = NULL;
    return refuse(c, "dataset_open_idx");
}

gm_status gm_dataset_open_reader(gm_context *c, const gm_reader *r, const char *format, gm_dataset **out)
{
    (void)r;
    (void)format;
    if (out) *out = NULL;
    return refuse(c, "dataset_open_reader");
}

/* ---- graphs: a refused builder is the graph's failure ---- */

static void refuse_node(gm_graph *g, const char *what)
{
    if (g) (gmi_graph_fail)(g, GM_E_UNSUPPORTED, "%s: this build of the library does not train: use one made without INFER_ONLY=1", what);
}

gm_node gm_op(gm_graph *g, const char *op, int32_t n, const gm_node *in, const char *o)
{
    gm_node none = {0};
    (void)op;
    (void)n;
    (void)in;
    (void)o;
    refuse_node(g, "op");
    return none;
}

void gm_graph_grad(gm_graph *g, gm_node y, int32_t n, const gm_node *wrt, gm_node *grads)
{
    (void)y;
    (void)wrt;
    for (int32_t i = 0; grads && i < n; i++) grads[i].id = 0;
    refuse_node(g, "graph_grad");
}

void gm_graph_backward(gm_graph *g, gm_node loss)
{
    (void)loss;
    refuse_node(g, "graph_backward");
}

gm_status gm_graph_print(const gm_graph *g, const char *form, gm_writer *w)
{
    (void)form;
    (void)w;
    return refuse(g ? g->ctx : NULL, "graph_print");
}

/* ---- optimizers and schedules ---- */

gm_status gm_optimizer_create(gm_params *w, const char *text, gm_optimizer **out)
{
    (void)text;
    if (out) *out = NULL;
    return refuse(w ? w->ctx : NULL, "optimizer_create");
}

gm_status gm_optimizer_step(gm_optimizer *p, double *grad_norm)
{
    (void)grad_norm;
    return p ? GM_E_UNSUPPORTED : GM_E_INVALID;
}

gm_status gm_optimizer_set(gm_optimizer *p, const char *name, double value)
{
    (void)name;
    (void)value;
    return p ? GM_E_UNSUPPORTED : GM_E_INVALID;
}

gm_status gm_optimizer_read(gm_optimizer *p, const gm_reader *r)
{
    (void)r;
    return p ? GM_E_UNSUPPORTED : GM_E_INVALID;
}

gm_status gm_optimizer_write(const gm_optimizer *p, gm_writer *w)
{
    (void)w;
    return p ? GM_E_UNSUPPORTED : GM_E_INVALID;
}

void gm_optimizer_destroy(gm_optimizer *p) { (void)p; }

gm_status gm_schedule_parse(gm_context *c, const char *text, gm_schedule **out)
{
    (void)text;
    if (out) *out = NULL;
    return refuse(c, "schedule_parse");
}

double gm_schedule_value(const gm_schedule *s, int64_t step, double epoch)
{
    (void)s;
    (void)step;
    (void)epoch;
    return 0;
}

void gm_schedule_destroy(gm_schedule *s) { (void)s; }

/* ---- models ---- */

gm_status gm_vae_step(gm_vae *v, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    (void)x;
    (void)cond;
    (void)r;
    return refuse(of_vae(v), "vae_step");
}

gm_status gm_vae_fit(gm_vae *v, gm_dataset *d, const gm_fit_options *o)
{
    (void)d;
    (void)o;
    return refuse(of_vae(v), "vae_fit");
}

void gm_vae_set_extra_loss(gm_vae *v, gm_loss_fn fn, void *user)
{
    (void)v;
    (void)fn;
    (void)user;
}

gm_status gm_gan_step(gm_gan *g, const gm_tensor *x, const gm_tensor *cond, gm_record *r)
{
    (void)x;
    (void)cond;
    (void)r;
    return refuse(of_gan(g), "gan_step");
}

gm_status gm_gan_fit(gm_gan *g, gm_dataset *d, const gm_fit_options *o)
{
    (void)d;
    (void)o;
    return refuse(of_gan(g), "gan_fit");
}

gm_status gm_gan_evaluate(gm_gan *g, gm_dataset *d, int32_t samples, gm_record *r)
{
    (void)d;
    (void)samples;
    (void)r;
    return refuse(of_gan(g), "gan_evaluate");
}

gm_status gm_model_print(gm_context *c, const gm_model *m, gm_writer *w)
{
    (void)m;
    (void)w;
    return refuse(c, "model_print");
}
