/* SPDX-License-Identifier: MIT */
/* print.c: a graph as text (one node a line) or as Graphviz dot, for people. */
#include "graph/ops.h"

static const char *leaf_name(const gm_graph *g, const gmi_gnode *p)
{
    switch (p->op) {
    case GMI_OP_input: return g->inputs.p[p->name].name;
    case GMI_OP_param: return g->params.p[p->name].name;
    case GMI_OP_state: return g->states.p[p->name].name;
    default: return "";
    }
}

static void text_line(gmi_buf *b, const gm_graph *g, int32_t i)
{
    const gmi_gnode *p = &g->nodes[i];
    gmi_buf_format(b, "%%%d = %s", i + 1, gmi_op_table(p->op)->name);
    if (p->name >= 0) gmi_buf_format(b, " %S", leaf_name(g, p));
    if (p->op == GMI_OP_scalar || p->op == GMI_OP_leaky_relu || p->op == GMI_OP_polygamma) gmi_buf_format(b, " (%g)", p->f);
    for (int32_t k = 0; k < p->n_in; k++) gmi_buf_format(b, " %%%d", (int32_t)p->in[k]);
    gmi_buf_format(b, " : %v %s\n", p->rank, p->dims, p->dtype == GM_I32 ? "i32" : "f32");
}

static void text_form(gmi_buf *b, const gm_graph *g)
{
    for (int32_t i = 0; i < g->n; i++) text_line(b, g, i);
    for (int32_t i = 0; i < g->params.n; i++)
        if (g->params.p[i].grad) gmi_buf_format(b, "grad %S = %%%d\n", g->params.p[i].name, (int32_t)g->params.p[i].grad);
    for (int32_t i = 0; i < g->states.n; i++)
        if (g->states.p[i].update) gmi_buf_format(b, "next %S = %%%d\n", g->states.p[i].name, (int32_t)g->states.p[i].update);
}

static void dot_form(gmi_buf *b, const gm_graph *g)
{
    gmi_buf_text(b, "digraph genrep {\n  rankdir=TB; node [shape=box, fontsize=10];\n");
    for (int32_t i = 0; i < g->n; i++) {
        const gmi_gnode *p = &g->nodes[i];
        gmi_buf_format(b, "  n%d [label=\"%s %s\\n%v\"%s];\n", i + 1, gmi_op_table(p->op)->name, leaf_name(g, p), p->rank, p->dims,
                       p->op == GMI_OP_param ? ", style=filled, fillcolor=lightblue" : p->op == GMI_OP_input ? ", style=filled, fillcolor=lightyellow" : "");
        for (int32_t k = 0; k < p->n_in; k++) gmi_buf_format(b, "  n%d -> n%d;\n", (int32_t)p->in[k], i + 1);
    }
    gmi_buf_text(b, "}\n");
}

gm_status gm_graph_print(const gm_graph *g, const char *form, gm_writer *w)
{
    if (!g || !w) return GM_E_INVALID;
    gmi_enter(g->ctx, "graph_print");
    gmi_buf b;
    gmi_out o;
    gm_status s = GM_OK;
    gmi_buf_init(&b, g->ctx);
    if (!form || !strcmp(form, "text"))
        text_form(&b, g);
    else if (!strcmp(form, "dot"))
        dot_form(&b, g);
    else
        s = gmi_fail(g->ctx, GM_E_INVALID, "form %S: allowed are \"text\" and \"dot\"", form);
    if (!s && b.failed) s = GM_E_NOMEM;
    if (!s && !(s = gmi_out_open(g->ctx, w, &o))) {
        s = gmi_out_write(&o, gmi_buf_cstr(&b), b.n);
        s = gmi_out_close(&o, s);
    }
    gmi_buf_free(&b);
    return gmi_leave(g->ctx, s);
}
