/* SPDX-License-Identifier: MIT */
/* gan_objective.c: adversarial losses, and their text "relativistic r1=1 r2=1 every=4".
 *
 * r = D(x), f = D(G(z)), one a row; softplus(s) = log(1 + e^s), so that softplus(-s) = -log sigmoid(s).
 *   non_saturating  D softplus(-r) + softplus(f)         G softplus(-f)         Goodfellow et al. 2014, section 3
 *   saturating      D the same                           G -softplus(f)         ibid., eq. 1: minimises log(1 - sigmoid f)
 *   least_squares   D ((r - 1)^2 + f^2)/2                G (f - 1)^2/2          Mao et al. 2017, eq. 9
 *   hinge           D max(0, 1 - r) + max(0, 1 + f)      G -f                   Lim and Ye 2017; Miyato et al. 2018
 *   wasserstein     D f - r                              G -f                   Arjovsky et al. 2017
 *   relativistic    D softplus(f - r)                    G softplus(r - f)      Jolicoeur-Martineau 2019 (RpGAN); Huang et al. 2024, eq. 2
 * The pairs of the last are rows of the same number. */
#include "models/gan.h"

static const char *const words[] = {"non_saturating", "saturating", "least_squares", "hinge", "wasserstein", "relativistic"};
#define ALLOWED "non_saturating, saturating, least_squares, hinge, wasserstein, relativistic"
static const char numbers[] = "r1 r2 gp every fresh coupled";

static gm_status weight(gm_context *c, const gmi_phrase *ph, const char *name, double *to)
{
    const gmi_option *o = gmi_phrase_option(ph, name, -1);
    *to = o ? o->value : 0;
    if (*to >= 0 && gmi_f64_finite(*to)) return GM_OK;
    return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: %s is %g; a weight is 0 or positive", o->text.column, name, *to);
}

static gm_status whole(gm_context *c, const gmi_phrase *ph, const char *name, double dflt, double lo, double hi, int32_t *to)
{
    const gmi_option *o = gmi_phrase_option(ph, name, -1);
    const double v = o ? o->value : dflt;
    if (!(v >= lo && v <= hi) || v != gmi_num_floor(v))
        return gmi_fail_at(c, GM_E_INVALID, o->text.column, "column %d: %s is %g; allowed: whole numbers from %g to %g", o->text.column, name, v, lo, hi);
    *to = (int32_t)v;
    return GM_OK;
}

static gm_status options(gm_context *c, const gmi_phrase *ph, gmi_gan_plan *p)
{
    gm_status s = weight(c, ph, "r1", &p->r1);
    if (!s) s = weight(c, ph, "r2", &p->r2);
    if (!s) s = weight(c, ph, "gp", &p->gp);
    if (!s) s = whole(c, ph, "every", 1, 1, 1000000, &p->every);
    if (!s) s = whole(c, ph, "fresh", 0, 0, 1, &p->fresh);
    if (!s) s = whole(c, ph, "coupled", 0, 0, 1, &p->coupled);
    p->penalties = p->r1 > 0 || p->r2 > 0 || p->gp > 0;
    return s;
}

gm_status gmi_gan_loss_parse(gm_context *c, const char *text, gmi_gan_plan *p)
{
    gmi_phrase ph, more;
    size_t at = 0;
    const int got = gmi_text_next(c, text, &at, &ph);
    if (got < 0) return GM_E_INVALID;
    if (!got) return gmi_fail(c, GM_E_INVALID, "the text is empty; allowed: %s", ALLOWED);
    for (int32_t i = 0; i < (int32_t)GMI_COUNT(words); i++) {
        if (!gmi_word_is(&ph.word, words[i])) continue;
        p->loss = (gmi_gan_loss)i;
        gm_status s = gmi_phrase_check(c, &ph, numbers, "", 0);
        if (!s && gmi_text_next(c, text, &at, &more)) s = gmi_fail_at(c, GM_E_INVALID, more.word.column, "column %d: one loss is allowed", more.word.column);
        return s ? s : options(c, &ph, p);
    }
    char word[GMI_WORD_MAX];
    gmi_word_copy(&ph.word, word, sizeof word);
    return gmi_fail_at(c, GM_E_INVALID, ph.word.column, "column %d: %S is no loss; allowed: %s", ph.word.column, word, ALLOWED);
}

void gmi_gan_loss_text(const gmi_gan_plan *p, gmi_buf *b)
{
    gmi_buf_text(b, words[p->loss]);
    if (p->r1 > 0) gmi_buf_format(b, " r1=%g", p->r1);
    if (p->r2 > 0) gmi_buf_format(b, " r2=%g", p->r2);
    if (p->gp > 0) gmi_buf_format(b, " gp=%g", p->gp);
    if (p->every != 1) gmi_buf_format(b, " every=%d", p->every);
    if (p->fresh) gmi_buf_text(b, " fresh=1");
    if (p->coupled) gmi_buf_text(b, " coupled=1");
}

static gm_node hinge(gm_graph *g, gm_node s) { return gm_op_relu(g, gm_op_shift(g, s, 1)); } /* max(0, 1 + s) */

gm_node gmi_gan_d_loss(const gmi_gan_plan *p, gm_graph *g, gm_node r, gm_node f)
{
    switch (p->loss) {
    case GMI_LOSS_LEAST_SQUARES:
        r = gm_op_square(g, gm_op_shift(g, r, -1));
        return gm_op_scale(g, gm_op_add(g, r, gm_op_square(g, f)), 0.5);
    case GMI_LOSS_HINGE:
        r = hinge(g, gm_op_neg(g, r));
        return gm_op_add(g, r, hinge(g, f));
    case GMI_LOSS_WASSERSTEIN: return gm_op_sub(g, f, r);
    case GMI_LOSS_RELATIVISTIC: return gm_op_softplus(g, gm_op_sub(g, f, r));
    default:
        r = gm_op_softplus(g, gm_op_neg(g, r));
        return gm_op_add(g, r, gm_op_softplus(g, f));
    }
}

gm_node gmi_gan_g_loss(const gmi_gan_plan *p, gm_graph *g, gm_node r, gm_node f)
{
    switch (p->loss) {
    case GMI_LOSS_NON_SATURATING: return gm_op_softplus(g, gm_op_neg(g, f));
    case GMI_LOSS_SATURATING: return gm_op_neg(g, gm_op_softplus(g, f));
    case GMI_LOSS_LEAST_SQUARES: return gm_op_scale(g, gm_op_square(g, gm_op_shift(g, f, -1)), 0.5);
    case GMI_LOSS_RELATIVISTIC: return gm_op_softplus(g, gm_op_sub(g, r, f));
    default: return gm_op_neg(g, f);
    }
}
