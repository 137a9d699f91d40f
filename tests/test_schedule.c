/* SPDX-License-Identifier: MIT */
/* test_schedule.c: schedules against their formulas in libm, at whole and broken epochs, before, inside and after their length. */
#include "base/base.h"
#include "genrep/optim.h"
#include "tap.h"
#include "train/schedule.h"

static gm_context *ctx;
static const double pi = 3.14159265358979323846;

typedef double formula(double step, double epoch);
static double f_constant(double s, double e) { return (void)s, (void)e, 1e-3; }
static double f_warm(double s, double e) { return (void)e, 1e-3 * fmin(1, (s + 1) / 100); }
static double f_step(double s, double e) { return (void)s, 0.1 * pow(0.5, floor(e / 3)); }
static double f_step_steps(double s, double e) { return (void)e, 0.1 * pow(0.1, floor(s / 70)); }
static double f_exponential(double s, double e) { return (void)s, 0.1 * pow(0.97, e); }
static double clip(double p) { return fmin(fmax(p, 0), 1); }
static double f_linear(double s, double e) { return (void)e, clip(s / 1000); }
static double f_linear_late(double s, double e) { return (void)s, 3e-4 * (1 - clip((e - 5) / 5)); }
static double f_cosine(double s, double e) { return (1e-5 + (1e-3 - 1e-5) * (1 + cos(pi * clip(e / 10))) / 2) * fmin(1, (s + 1) / 50); }

static void follow(const char *text, formula *f)
{
    gm_schedule *s = NULL;
    double worst = 0, scale = 1e-300;
    int64_t step;
    if (!ok(gm_schedule_parse(ctx, text, &s) == GM_OK, "reads %s", text)) return;
    for (step = 0; step < 1500; step += 7) {
        double epoch = (double)step / 100, want = f((double)step, epoch);
        worst = fmax(worst, fabs(gm_schedule_value(s, step, epoch) - want));
        scale = fmax(scale, fabs(want));
    }
    ok(worst <= 4e-16 * scale + 1e-17, "follows its formula (worst %.1e): %s", worst, text);
    gm_schedule_destroy(s);
}

/* A text that is printed reads back to the same bytes: what is left out of it must be what a reader assumes. */
static void reads_back(const char *text)
{
    gm_schedule *s = NULL, *again = NULL;
    const size_t from = offsetof(gm_schedule, kind);
    gmi_buf b;
    gmi_buf_init(&b, ctx);
    if (ok(!gm_schedule_parse(ctx, text, &s) && !gmi_schedule_text(s, &b), "prints %s", text))
        ok(!gm_schedule_parse(ctx, gmi_buf_cstr(&b), &again) && memcmp((char *)s + from, (char *)again + from, sizeof *s - from) == 0, "as what reads back: %s",
           gmi_buf_cstr(&b));
    gmi_buf_free(&b);
    gm_schedule_destroy(s);
    gm_schedule_destroy(again);
}

int main(void)
{
    gm_schedule *s = NULL;
    double rate = 0.1;
    int i, same = 1;
    if (gm_context_create(NULL, &ctx)) return 1;
    follow("1e-3", f_constant);
    follow("constant 1e-3 warmup=100", f_warm);
    follow("step 0.1 gamma=0.5 every=3", f_step);
    follow("step 0.1 every=70 steps", f_step_steps);
    follow("exponential 0.1 gamma=0.97", f_exponential);
    follow("linear 0 1 steps=1000", f_linear);
    follow("linear 3e-4 0 epochs=5 start=5", f_linear_late);
    follow("cosine 1e-3 1e-5 epochs=10 warmup=50", f_cosine);
    reads_back("1e-3 warmup=3");
    reads_back("step 0.1 gamma=-0 every=70 steps warmup=-0");
    reads_back("cosine -0 1 epochs=100 warmup=-0 start=-0");
    ok(!gm_schedule_parse(ctx, "cosine 0.1 0.001 epochs=4", &s), "cosine");
    ok(gm_schedule_value(s, 0, 0) == 0.1 && gm_schedule_value(s, 99, 4) == 0.001 && gm_schedule_value(s, 99, 1e9) == 0.001, "the ends are exact");
    near(gm_schedule_value(s, 0, 2), 0.0505, 1e-17, "so is the middle");
    ok(!gmi_schedule_is_constant(s), "it is no constant");
    gm_schedule_destroy(s);
    ok(!gm_schedule_parse(ctx, "exponential 0.1 gamma=0.5", &s), "exponential");
    for (i = 0; i < 40; i++, rate *= 0.5) same = same && gm_schedule_value(s, i, i) == rate;
    ok(same, "whole epochs are the recurrence lr *= gamma");
    gm_schedule_destroy(s);
    ok(!gm_schedule_parse(ctx, "2", &s) && gmi_schedule_is_constant(s) && gm_schedule_value(s, -5, -1) == 2, "a number is a constant, before time too");
    gm_schedule_destroy(s);
    gm_schedule_destroy(NULL);
    ok(gm_schedule_parse(ctx, NULL, &s) == GM_E_INVALID && gm_schedule_parse(NULL, "1", &s) == GM_E_INVALID && gm_schedule_value(NULL, 0, 0) == 0, "NULL arguments");
    gm_context_destroy(ctx);
    return done();
}
