/* SPDX-License-Identifier: MIT */
/* profile.c: where the time of a training step goes, instruction by instruction, for the workloads of bench.c.
 *
 * usage: profile [--threads N] [--seconds S] [--only W1,W4]
 * First a table by kind of instruction, then every program of the model in order of execution: microseconds, share, what, tasks, elements read and written. */
int bench_main(int argc, char **argv);
#define main bench_main
#include "bench.c"
#undef main
#include "exec/program.h"
#include "models/gan.h"
#include "models/vae.h"

enum { KINDS = 64, WORD = 24 };
typedef struct kinds {
    char name[KINDS][WORD];
    double spent[KINDS], total;
    int32_t count[KINDS], n;
} kinds;

static double read_clock(void *user)
{
    (void)user;
    return now();
}

static void add_kind(kinds *k, const char *what, double spent)
{
    int32_t i = 0;
    while (i < k->n && strncmp(k->name[i], what, WORD - 1)) i++;
    if (i == k->n && k->n < KINDS) strncpy(k->name[k->n++], what, WORD - 1);
    if (i == KINDS) i--;
    k->spent[i] += spent, k->count[i]++, k->total += spent;
}

static void print_kinds(kinds *k, double per)
{
    for (int32_t shown = 0; shown < k->n; shown++) {
        int32_t top = 0;
        for (int32_t i = 1; i < k->n; i++) top = k->spent[i] > k->spent[top] ? i : top;
        printf("| %s | %d | %.0f | %.1f%% |\n", k->name[top], (int)k->count[top], 1e6 * k->spent[top] / per, 100 * k->spent[top] / k->total);
        k->spent[top] = -1;
    }
}

static gm_status to_stdout(void *user, const void *p, size_t n)
{
    (void)user;
    return fwrite(p, 1, n, stdout) == n ? GM_OK : GM_E_IO;
}

/* Runs the steps of one workload with every program of the model watched. */
static void profile(const char *id, void *model, int gan, work_fn work, void *user)
{
    const gmi_core *m = gan ? &((gm_gan *)model)->m : &((gm_vae *)model)->m;
    kinds k;
    gm_writer w;
    double t, end;
    int n = 0;
    memset(&k, 0, sizeof k);
    for (int i = 0; i < 3; i++) work(user);
    for (gmi_prog *p = m->progs.first; p; p = p->next) need(gmi_run_profile(p->run));
    t = now(), end = t + seconds;
    do work(user), n++;
    while (now() < end);
    t = (now() - t) / n;
    for (gmi_prog *p = m->progs.first; p; p = p->next)
        for (int32_t i = 0; p->run->executions && i < p->program->n_instrs; i++) add_kind(&k, p->program->instrs[i].what, p->run->seconds[i]);
    printf("## %s: %.3f ms a step, %.3f ms of it in instructions\n\n| instruction | times | us a step | share |\n|---|---|---|---|\n", id, t * 1e3, k.total / n * 1e3);
    print_kinds(&k, n);
    gm_writer_init(&w, sizeof w);
    w.write = to_stdout;
    for (gmi_prog *p = m->progs.first; p; p = p->next) {
        if (!p->run->executions) continue;
        printf("\nprogram of kind %d, %d rows:\n", (int)p->key.kind, (int)p->key.rows);
        need(gmi_run_profile_print(p->run, &w));
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    watch = profile;
    watch_clock = read_clock;
    if (!*only) only = "W1,W2,W4";
    return bench_main(argc, argv);
}
