/* SPDX-License-Identifier: MIT */
/* test_defaults.c: the numbers and texts in docs/defaults.md are what the _init functions write.
 *
 * A row of a table names options in backticks, separated by commas, and gives as many values, or one for all: a text in backticks (`""` and the word none are the
 * empty one), or a number or word up to a blank, a comma or a colon. Rows are looked for between the sentence that names the _init function and the next. */
#include <genrep.h>
#include "tap.h"

static char text[1 << 16];

/* The k-th value of a cell into v: what is in backticks, or the next word. 0 when there are fewer. */
static int value(const char *cell, const char *end, int k, char *v, size_t n)
{
    for (int i = 0; cell < end; i++) {
        size_t m = 0;
        int quoted;
        while (cell < end && (*cell == ' ' || *cell == ',')) cell++;
        quoted = cell < end && *cell == '`';
        cell += quoted;
        while (cell < end && (quoted ? *cell != '`' : *cell != ' ' && *cell != ',' && *cell != ':')) {
            if (m + 1 < n) v[m++] = *cell;
            cell++;
        }
        v[m] = 0;
        if (i == k) return m > 0;
        while (cell < end && *cell != ',') cell++;
    }
    return 0;
}

/* The default of an option below the sentence about a function; "" when it is not there. */
static const char *documented(const char *init, const char *option)
{
    static char v[256];
    char name[64], mark[80];
    snprintf(mark, sizeof mark, "`%s`", init);
    const char *p = strstr(text, mark), *stop = p ? strstr(p, "_options_init`") : NULL;
    stop = stop ? strstr(stop + 14, "_options_init`") : NULL; /* the next function's */
    v[0] = 0;
    for (; p && (!stop || p < stop); p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        const char *first_end = *p == '|' ? strchr(p + 1, '|') : NULL, *second_end = first_end ? strchr(first_end + 1, '|') : NULL;
        if (!second_end) continue;
        for (int k = 0; value(p + 1, first_end, k, name, sizeof name); k++) {
            if (strcmp(name, option)) continue;
            if (!value(first_end + 1, second_end, k, v, sizeof v) && !value(first_end + 1, second_end, 0, v, sizeof v)) v[0] = 0;
            return v;
        }
    }
    return v;
}

static void number(const char *init, const char *option, double is)
{
    const char *v = documented(init, option);
    char *end;
    const double says = strtod(v, &end);
    ok(*v && !*end && says == is, "%s: %s is %g, documented as %s", init, option, is, *v ? v : "(not at all)");
}

static void words(const char *init, const char *option, const char *is)
{
    const char *v = documented(init, option);
    if (!is) is = "";
    ok(!strcmp(v, is) || (!*is && (!strcmp(v, "none") || !strcmp(v, "\"\""))), "%s: %s is \"%s\", documented as %s", init, option, is, *v ? v : "(not at all)");
}

#define INIT(type)      \
    gm_##type o;        \
    const char *const f = "gm_" #type "_init"; \
    gm_##type##_init(&o, sizeof o)
#define NUMBER(m) number(f, #m, (double)o.m)
#define WORDS(m) words(f, #m, o.m)

static void fit(void)
{
    INIT(fit_options);
    NUMBER(epochs), NUMBER(batch), NUMBER(max_steps), NUMBER(accumulate), NUMBER(patience), NUMBER(validation_fraction), NUMBER(time_limit_s), NUMBER(seed);
    NUMBER(checkpoint_steps);
    ok(!o.validation && !o.progress && !o.jsonl && !o.csv && !o.checkpoint_path, "%s: nothing else is set", f);
}

static void vae(void)
{
    INIT(vae_options);
    WORDS(encoder), WORDS(decoder), WORDS(optimizer), WORDS(beta), WORDS(prior), WORDS(objective), WORDS(condition), WORDS(variance), WORDS(schedule);
    NUMBER(latent_dim), NUMBER(bias_init), NUMBER(ema_half_life), NUMBER(free_bits), NUMBER(seed);
    words(f, "likelihood", gm_likelihood_name(o.likelihood));
}

static void gan(void)
{
    gm_gan_options p;
    INIT(gan_options);
    WORDS(generator), WORDS(discriminator), WORDS(loss), WORDS(gamma), WORDS(g_optimizer), WORDS(d_optimizer), WORDS(g_schedule), WORDS(d_schedule), WORDS(condition);
    NUMBER(latent_dim), NUMBER(d_steps), NUMBER(ema_half_life), NUMBER(seed);
    p = o;
    p.loss = "hinge";
    p.latent_dim = 3;
    ok(gm_gan_options_preset(&p, "unattended") == GM_OK && !strcmp(p.loss, o.loss) && p.latent_dim == o.latent_dim && !strcmp(p.generator, o.generator),
       "the preset unattended is the defaults");
}

static void latent(void)
{
    INIT(latent_options);
    NUMBER(batch), NUMBER(invert_steps), NUMBER(invert_starts), NUMBER(invert_rate), NUMBER(score_samples), NUMBER(seed);
    ok(!o.progress && !o.user, "%s: nothing else is set", f);
}

static void sample(void)
{
    INIT(sample_options);
    NUMBER(seed), NUMBER(first), NUMBER(truncation);
    words(f, "draw", gm_draw_name(o.draw));
}

static void calibrate(void)
{
    INIT(calibrate_options);
    NUMBER(score), NUMBER(false_positive_rate), NUMBER(score_samples), NUMBER(seed);
    ok(!o.density && !o.progress && !o.user, "%s: nothing else is set", f);
}

int main(void)
{
    FILE *file = fopen("docs/defaults.md", "rb");
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    if (!ok(n > 0 && n < sizeof text - 1, "docs/defaults.md can be read whole")) return done();
    fit(), vae(), gan(), latent(), sample(), calibrate();
    is_text(documented("gm_fit_options_init", "no_such_option"), "", "an option that is not there is not found");
    is_text(documented("gm_gan_options_init", "invert_steps"), "", "nor one of another function");
    return done();
}
