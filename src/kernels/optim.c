/* SPDX-License-Identifier: MIT */
/* optim.c: one optimizer step over flat arrays, and the kernels that go with it: moving averages, the finite check, bytes to reals. Built once per instruction
 * set (docs/kernels.md, "Optimizers").
 *
 * The formulas are PyTorch 2's (torch.optim, single-tensor path), with every product and sum rounded on its own: no fma, so that levels without the
 * instruction are not slow. Moments of magnitude below 2^-100 are stored as +0: flush-to-zero is never set, and decaying moments of unused weights would
 * end among subnormals, 20 times slower. 2^-100 is 2^26 above the smallest normal number, and far below anything that moves a weight.
 * Not here: Adamax, Nadam, LAMB; learning-rate schedules (train/schedule); clipping by norm, which arrives as grad_scale. */
#include "kernels/simd.h"

gmi_kernels_fill_fn GMI_FILL(optim);

GMI_INLINE vf tiny_to_zero(vf x) { return vf_keep(vm_not(vf_lt(vf_abs(x), vf_set1((gmi_real)(1.0 / 1267650600228229401496703205376.0)))), x); }

/* Everything a rule reads, broadcast once. */
typedef struct rule_args {
    vf lr, beta1, beta2, rest1, rest2, eps, momentum, damp, alpha, rest_alpha, bias2, step, scale, clip, decay, shrink;
    int32_t clips, decays, shrinks, nesterov, first, centered, maximize;
} rule_args;

static rule_args broadcast(const gmi_optim_args *a)
{
    rule_args v;
    v.lr = vf_set1(a->lr);
    v.beta1 = vf_set1(a->beta1), v.rest1 = vf_set1(1 - a->beta1);
    v.beta2 = vf_set1(a->beta2), v.rest2 = vf_set1(1 - a->beta2);
    v.alpha = vf_set1(a->alpha), v.rest_alpha = vf_set1(1 - a->alpha);
    v.eps = vf_set1(a->eps);
    v.momentum = vf_set1(a->momentum), v.damp = vf_set1(1 - a->dampening);
    v.bias2 = vf_set1(a->bias2), v.step = vf_set1(a->lr / a->bias1);
    v.scale = vf_set1(a->grad_scale), v.clip = vf_set1(a->clip_value);
    v.decay = vf_set1(a->weight_decay), v.shrink = vf_set1(1 - a->lr * a->weight_decay);
    v.clips = a->clip_value > 0;
    v.decays = a->weight_decay != 0 && !a->decoupled;
    v.shrinks = a->weight_decay != 0 && a->decoupled;
    v.nesterov = a->nesterov, v.first = a->first, v.centered = a->centered, v.maximize = a->maximize;
    return v;
}

/* Gradient as the rule sees it: scaled, clamped, turned for ascent, with L2 decay; decoupled decay shrinks the parameter instead. */
GMI_INLINE vf gradient(vf g, vf *p, const rule_args *v)
{
    g = vf_mul(g, v->scale);
    if (v->clips)
        g = vf_min(vf_max(g, vf_neg(v->clip)), v->clip);
    if (v->maximize)
        g = vf_neg(g);
    if (v->decays)
        g = vf_add(g, vf_mul(v->decay, *p));
    if (v->shrinks)
        *p = vf_mul(*p, v->shrink);
    return g;
}

GMI_INLINE vf ema(vf old, vf keep, vf x, vf rest) { return tiny_to_zero(vf_add(vf_mul(old, keep), vf_mul(x, rest))); }

GMI_INLINE vf rule_sgd(vf p, vf g, vf *s1, vf *s2, const rule_args *v)
{
    (void)s1, (void)s2;
    return vf_sub(p, vf_mul(v->lr, g));
}

/* b = momentum*b + (1 - dampening)*g, on the first step b = g; p -= lr*b, with Nesterov p -= lr*(g + momentum*b) */
GMI_INLINE vf rule_momentum(vf p, vf g, vf *s1, vf *s2, const rule_args *v)
{
    vf b = v->first ? g : vf_add(vf_mul(*s1, v->momentum), vf_mul(g, v->damp));
    (void)s2;
    *s1 = b = tiny_to_zero(b);
    return vf_sub(p, vf_mul(v->lr, v->nesterov ? vf_add(g, vf_mul(v->momentum, b)) : b));
}

/* s = alpha*s + (1 - alpha)*g^2; p -= lr*d, d = g/(sqrt(s) + eps), or with momentum b = momentum*b + d; p -= lr*b.
 * Centered (s2 is then the mean gradient, there is no momentum): the root is that of s - mean^2, at least 0. */
GMI_INLINE vf rule_rmsprop(vf p, vf g, vf *s1, vf *s2, const rule_args *v)
{
    vf d;
    *s1 = ema(*s1, v->alpha, vf_mul(g, g), v->rest_alpha);
    if (v->centered) {
        *s2 = ema(*s2, v->alpha, g, v->rest_alpha);
        d = vf_sqrt(vf_max(vf_sub(*s1, vf_mul(*s2, *s2)), vf_zero()));
        return vf_sub(p, vf_mul(v->lr, vf_div(g, vf_add(d, v->eps))));
    }
    d = vf_div(g, vf_add(vf_sqrt(*s1), v->eps));
    *s2 = d = tiny_to_zero(vf_add(vf_mul(*s2, v->momentum), d));
    return vf_sub(p, vf_mul(v->lr, d));
}

/* m = beta1*m + (1 - beta1)*g, v = beta2*v + (1 - beta2)*g^2; p -= lr/bias1 * m/(sqrt(v)/bias2 + eps) */
GMI_INLINE vf rule_adam(vf p, vf g, vf *s1, vf *s2, const rule_args *v)
{
    *s1 = ema(*s1, v->beta1, g, v->rest1);
    *s2 = ema(*s2, v->beta2, vf_mul(g, g), v->rest2);
    return vf_sub(p, vf_mul(v->step, vf_div(*s1, vf_add(vf_div(vf_sqrt(*s2), v->bias2), v->eps))));
}

/* s += g^2; p -= lr*g/(sqrt(s) + eps) */
GMI_INLINE vf rule_adagrad(vf p, vf g, vf *s1, vf *s2, const rule_args *v)
{
    (void)s2;
    *s1 = tiny_to_zero(vf_add(*s1, vf_mul(g, g)));
    return vf_sub(p, vf_mul(v->lr, vf_div(g, vf_add(vf_sqrt(*s1), v->eps))));
}

/* The loop of a rule; a state that is absent is neither read nor written. */
#define RULE(name)                                                                                                                                   \
    GMI_INLINE void o_##name##_at(int64_t k, gmi_real *p, const gmi_real *g, gmi_real *s1, gmi_real *s2, const rule_args *v)                             \
    {                                                                                                                                                \
        vf x = vf_load_n(p, k), m = s1 ? vf_load_n(s1, k) : vf_zero(), q = s2 ? vf_load_n(s2, k) : vf_zero();                                        \
        vf d = gradient(vf_load_n(g, k), &x, v);                                                                                                     \
        vf_store_n(p, rule_##name(x, d, &m, &q, v), k);                                                                                              \
        if (s1)                                                                                                                                      \
            vf_store_n(s1, m, k);                                                                                                                    \
        if (s2)                                                                                                                                      \
            vf_store_n(s2, q, k);                                                                                                                    \
    }                                                                                                                                                \
    static void o_##name(int64_t n, gmi_real *p, const gmi_real *g, gmi_real *s1, gmi_real *s2, const gmi_optim_args *a)                                 \
    {                                                                                                                                                \
        const rule_args v = broadcast(a);                                                                                                            \
        GMI_EACH(n, o_##name##_at(k, p + i, g + i, s1 ? s1 + i : s1, s2 ? s2 + i : s2, &v));                                                             \
    }
RULE(sgd)
RULE(momentum)
RULE(rmsprop)
RULE(adam)
RULE(adagrad)

static void axpby(int64_t n, gmi_real *y, gmi_real a, const gmi_real *x, gmi_real b)
{
    const vf va = vf_set1(a), vb = vf_set1(b);
    GMI_EACH(n, vf_store_n(y + i, tiny_to_zero(vf_add(vf_mul(va, vf_load_n(x + i, k)), vf_mul(vb, vf_load_n(y + i, k)))), k));
}

/* Looked at once a block, so that a bad array ends early. */
static int32_t all_within(int64_t n, const gmi_real *x, gmi_real lo, gmi_real hi)
{
    const vf a = vf_set1(lo), b = vf_set1(hi);
    for (; n > 0; n -= GMI_RB, x += GMI_RB) {
        int64_t m = n < GMI_RB ? n : GMI_RB, i = 0;
        vm good = vf_eq(a, a);
        for (; i + GMI_W <= m; i += GMI_W) {
            const vf v = vf_load(x + i);
            good = vm_and(good, vm_and(vf_le(a, v), vf_le(v, b)));
        }
        if (vm_any(vm_not(good))) return 0;
        for (; i < m; i++)
            if (!(x[i] >= lo && x[i] <= hi)) return 0;
    }
    return 1;
}

static void from_u8(int64_t n, gmi_real *out, const uint8_t *in, gmi_real scale, gmi_real shift)
{
    const vf s = vf_set1(scale), t = vf_set1(shift);
    int64_t i = 0;
    for (; i + GMI_W <= n; i += GMI_W)
        vf_store(out + i, vf_add(vf_mul(vf_from_u8(in + i), s), t));
    for (; i < n; i++) {
        gmi_real scaled = (gmi_real)in[i] * scale;
        out[i] = scaled + shift;
    }
}

void GMI_FILL(optim)(gmi_kernels *t)
{
#define GMI_ROW(x) t->optim[GMI_O_##x] = o_##x;
    GMI_OPTIM_LIST(GMI_ROW)
#undef GMI_ROW
    t->axpby = axpby;
    t->all_within = all_within;
    t->from_u8 = from_u8;
}
