/* SPDX-License-Identifier: MIT */
/* profile.c: where the time of a run goes, instruction by instruction, by the host's clock.
 *
 * The library has no clock of its own: without one in the context a profile is GM_E_UNSUPPORTED. Profiling changes no bit and no plan. */
#include "exec/program.h"

gm_status gmi_run_profile(gm_run *r)
{
    if (!r->ctx->clock) return gmi_fail(r->ctx, GM_E_UNSUPPORTED, "a profile needs gm_context_options.clock");
    if (!r->seconds) r->seconds = gmi_alloc_n(r->ctx, r->program->n_instrs + 1, sizeof *r->seconds);
    if (!r->seconds) return GM_E_NOMEM;
    memset(r->seconds, 0, (size_t)(r->program->n_instrs + 1) * sizeof *r->seconds);
    r->executions = 0;
    return GM_OK;
}

double gmi_profile_now(const gm_run *r) { return r->seconds ? r->ctx->clock(r->ctx->clock_user) : 0; }

/* One line an instruction: microseconds an execution, share, what, tasks, sizes of its values. */
gm_status gmi_run_profile_print(const gm_run *r, gm_writer *w)
{
    const gm_program *p = r->program;
    gmi_buf b;
    gmi_out o;
    double total = 0;
    gmi_buf_init(&b, r->ctx);
    for (int32_t i = 0; r->seconds && i < p->n_instrs; i++) total += r->seconds[i];
    for (int32_t i = 0; r->seconds && i < p->n_instrs; i++) {
        const gmi_instr *it = &p->instrs[i];
        char us[32], share[32];
        gmi_format_fixed(us, sizeof us, 1e6 * r->seconds[i] / (double)GMI_MAX(1, r->executions), 1);
        gmi_format_fixed(share, sizeof share, total > 0 ? 100 * r->seconds[i] / total : 0, 1);
        gmi_buf_format(&b, "%s us  %s%%  %s tasks=%d", us, share, it->what, it->tasks);
        for (int32_t k = 0; k < it->n_in; k++) gmi_buf_format(&b, " %i", p->values[it->in[k]].count);
        gmi_buf_text(&b, " ->");
        for (int32_t k = 0; k < it->n_out; k++) gmi_buf_format(&b, " %i", p->values[it->out[k]].count);
        gmi_buf_text(&b, "\n");
    }
    gm_status s = b.failed ? GM_E_NOMEM : gmi_out_open(r->ctx, w, &o);
    if (!s) {
        s = gmi_out_write(&o, gmi_buf_cstr(&b), b.n);
        s = gmi_out_close(&o, s);
    }
    gmi_buf_free(&b);
    return s;
}
