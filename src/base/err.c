/* SPDX-License-Identifier: MIT */
/* err.c: statuses and the message of the last failing call.
 *
 * A public function enters and leaves; the outermost one clears the message and owns its life. The first failure inside it wins: what follows is
 * usually a consequence. Pool threads may fail too, hence the small lock. A host's callback may call the library again on the same context: such
 * calls have an error life of their own (depth starts at 0 again). What they leave behind is `stale`: the outer call may adopt it, when the callback
 * hands on the same status, or overwrite it. A message that the outer call already has is `held`: the inner calls may not touch it. */
#include "base/base.h"

const char *gm_status_name(gm_status s)
{
    switch (s) {
#define ROW(name, value, text)                                                                                                                       \
    case name: return #name;
        GM_STATUS_LIST(ROW)
#undef ROW
    default: return "unknown status";
    }
}

const char *gm_status_text(gm_status s)
{
    switch (s) {
#define ROW(name, value, text)                                                                                                                       \
    case name: return text;
        GM_STATUS_LIST(ROW)
#undef ROW
    default: return "unknown status";
    }
}

int gmi_status_known(gm_status s)
{
    switch (s) {
#define ROW(name, value, text) case name:
        GM_STATUS_LIST(ROW)
#undef ROW
        return 1;
    default: return 0;
    }
}

static void clear(gm_context *c)
{
    c->status = GM_OK;
    c->os_error = c->detail = 0;
    c->where = -1;
    c->fail_call = "";
    c->message[0] = 0;
    c->stale = 0;
}

void gmi_enter(gm_context *c, const char *call)
{
    if (c->depth++) return;
    c->fp_word = gmi_fp_enter().word;
    c->call = call;
    if (!c->held) clear(c);
}

gm_status gmi_leave(gm_context *c, gm_status s)
{
    gmi_fp host;
    if (s == GM_E_NOMEM && c->status == GM_E_BUDGET && !c->stale) s = GM_E_BUDGET; /* what the allocator really said */
    if (s != GM_OK && (c->status == GM_OK || c->stale)) (gmi_fail)(c, s, "%s", gm_status_text(s));
    if (--c->depth) return s;
    if (s == GM_OK && !c->held && c->status != GM_OK) clear(c); /* a failure that was dealt with */
    if (s == GM_E_CANCELLED && !c->callbacks) gmi_cancel_clear(c); /* inside a callback it still has to reach the outer call */
    host.word = c->fp_word;
    gmi_fp_restore(host);
    return s;
}

static gm_status record(gm_context *c, gm_status s, int64_t where, int os_error, const char *f, va_list a)
{
    size_t n;
    while (gmi_atomic_swap(&c->fail_lock, 1)) gmi_cpu_pause();
    if (c->stale && !c->held && c->status != s) clear(c);
    c->stale = 0;
    if (c->status == GM_OK) {
        c->status = s;
        c->where = where;
        c->os_error = os_error;
        c->fail_call = c->call ? c->call : "";
        n = c->fail_call[0] ? gmi_format(c->message, sizeof c->message, "%s: ", c->fail_call) : 0;
        if (n >= sizeof c->message) n = sizeof c->message - 1;
        gmi_vformat(c->message + n, sizeof c->message - n, f, a);
    }
    gmi_atomic_set(&c->fail_lock, 0);
    return s;
}

gm_status (gmi_fail)(gm_context *c, gm_status s, const char *f, ...)
{
    va_list a;
    va_start(a, f);
    record(c, s, -1, 0, f, a);
    va_end(a);
    return s;
}

gm_status (gmi_fail_at)(gm_context *c, gm_status s, int64_t where, const char *f, ...)
{
    va_list a;
    va_start(a, f);
    record(c, s, where, 0, f, a);
    va_end(a);
    return s;
}

gm_status (gmi_fail_os)(gm_context *c, gm_status s, int os_error, const char *f, ...)
{
    va_list a;
    va_start(a, f);
    record(c, s, -1, os_error, f, a);
    va_end(a);
    return s;
}

#if !GM_MESSAGES
gm_status gmi_fail_plain(gm_context *c, gm_status s, int64_t where, int os_error)
{
    if (os_error) return (gmi_fail_os)(c, s, os_error, "%s: %s", gm_status_text(s), gmi_os_error_text(os_error));
    return (gmi_fail_at)(c, s, where, "%s", gm_status_text(s));
}
#endif

gm_status gmi_no_training(gm_context *c)
{
    return (gmi_fail)(c, GM_E_UNSUPPORTED, "this build of the library runs models and does not make, train or write them: use one made without INFER_ONLY=1");
}

gmi_callback_state gmi_callback_begin(gm_context *c)
{
    gmi_callback_state s;
    gmi_fp host;
    s.depth = c->depth;
    s.held = c->held;
    s.call = c->call;
    s.fp_word = c->fp_word;
    c->depth = 0;
    c->callbacks++;
    c->held = c->held || (c->status != GM_OK && !c->stale);
    if (s.depth) { /* the host's code runs with the host's floating point state */
        host.word = c->fp_word;
        gmi_fp_restore(host);
    }
    return s;
}

void gmi_callback_end(gm_context *c, gmi_callback_state s)
{
    if (s.depth) gmi_fp_enter();
    if (!c->held && c->status != GM_OK) c->stale = 1;
    c->callbacks--;
    c->depth = s.depth;
    c->held = s.held;
    c->call = s.call;
    c->fp_word = s.fp_word;
}

gm_status gmi_callback_status(gm_context *c, gm_status s, const char *what)
{
    if (s == GM_OK) return s;
    if (!gmi_status_known(s)) return gmi_fail(c, GM_E_CALLBACK, "the host's %s callback returned %d, which is no status", what, (int32_t)s);
    return gmi_fail(c, s, "the host's %s callback returned %s", what, gm_status_name(s));
}

void gmi_log(gm_context *c, int32_t level, const char *f, ...)
{
    char line[512];
    gmi_callback_state s;
    va_list a;
    if (!c->log || level > c->log_level) return;
    va_start(a, f);
    gmi_vformat(line, sizeof line, f, a);
    va_end(a);
    s = gmi_callback_begin(c);
    c->log(c->log_user, level, line);
    gmi_callback_end(c, s);
}

int gmi_cancelled(gm_context *c)
{
    return gmi_atomic_get(&c->cancel) != 0;
}

void gmi_cancel_clear(gm_context *c)
{
    gmi_atomic_set(&c->cancel, 0);
}

const char *gm_context_error(const gm_context *c)
{
    return c ? c->message : "";
}

gm_status gm_context_error_info(const gm_context *c, gm_error *out)
{
    gm_error e;
    if (!c || !out || out->size < sizeof out->size) return GM_E_INVALID;
    memset(&e, 0, sizeof e);
    e.size = out->size;
    e.status = c->status;
    e.detail = c->detail;
    e.os_error = c->os_error;
    e.where = c->where;
    e.call = c->fail_call;
    e.message = c->message;
    gmi_options_init(out, out->size, &e, sizeof e);
    return GM_OK;
}
