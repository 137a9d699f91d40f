/* SPDX-License-Identifier: MIT */
/* test_err.c: statuses against docs/errors.md, first cause first, nested calls, calls inside callbacks, the floating point state of the host. */
#include "base/base.h"
#include "tap.h"
#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#define HAVE_CSR 1
#endif

static void test_list(void)
{
    int n = 0, known = 0;
#define ROW(name, value, text)                                                                                                                       \
    n++;                                                                                                                                             \
    is_text(gm_status_name(name), #name, #name " has its name");                                                                                     \
    ok(name == value && strcmp(gm_status_text(name), text) == 0 && text[0], #name " is %d: %s", value, gm_status_text(name));
    GM_STATUS_LIST(ROW)
#undef ROW
    for (int32_t s = -200; s < 200; s++) {
        known += gmi_status_known(s);
        if (!gm_status_name(s) || !gm_status_text(s)) ok(0, "a status without a name: %d", s);
    }
    is_int(known, n, "no other value is known");
    is_text(gm_status_name(12345), "unknown status", "unknown values have a text too");
}

static FILE *open_docs(void)
{
    static const char *const places[] = {"docs/errors.md", "../docs/errors.md", "../../docs/errors.md", "../../../docs/errors.md"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        FILE *f = fopen(places[i], "r");
        if (f) return f;
    }
    return NULL;
}

/* Rows of the manual: | `GM_E_SHAPE` | 21 | a shape does not fit | ... */
static void test_docs(void)
{
    FILE *f = open_docs();
    char line[1024];
    int rows = 0, wanted = 0;
    if (!f) {
        skip("docs/errors.md is not in reach");
        return;
    }
    while (fgets(line, sizeof line, f)) {
        int found = 0;
        if (strncmp(line, "| `GM_", 6)) continue;
        rows++;
#define ROW(name, value, text)                                                                                                                       \
    {                                                                                                                                                \
        static const char start[] = "| `" #name "` | " #value " | " text " | ";                                                                      \
        if (strncmp(line, start, sizeof start - 1) == 0) found = (int)strlen(line + sizeof start - 1) > 10;                                           \
    }
        GM_STATUS_LIST(ROW)
#undef ROW
        if (!found) ok(0, "docs/errors.md: no status like this row: %s", line);
    }
    fclose(f);
#define ROW(name, value, text) wanted++;
    GM_STATUS_LIST(ROW)
#undef ROW
    is_int(rows, wanted, "docs/errors.md has every status, with its value, its text and advice");
}

static gm_status inner(gm_context *c, gm_status s)
{
    gmi_enter(c, "inner");
    if (s != GM_OK) gmi_fail_at(c, s, 17, "the first cause, %d", 1);
    return gmi_leave(c, s);
}

static void test_messages(gm_context *c)
{
    gm_error e;
    is_text(gm_context_error(c), "", "no message before a failure");
    gmi_enter(c, "outer");
    inner(c, GM_E_SHAPE);
    gmi_fail(c, GM_E_INTERNAL, "a consequence");
    is_int(gmi_leave(c, GM_E_SHAPE), GM_E_SHAPE, "the status comes back");
    is_text(gm_context_error(c), "outer: the first cause, 1", "the first cause, under the outermost call");
    memset(&e, 0, sizeof e);
    e.size = sizeof e;
    ok(gm_context_error_info(c, &e) == GM_OK && e.status == GM_E_SHAPE && e.where == 17 && e.os_error == 0, "error_info: status and place");
    is_text(e.call, "outer", "error_info: call");
    is_text(e.message, gm_context_error(c), "error_info: message");
    ok(e.size == sizeof e && gm_context_error_info(c, NULL) == GM_E_INVALID && gm_context_error_info(NULL, &e) == GM_E_INVALID, "error_info: NULL");
    memset(&e, 0x55, sizeof e);
    e.size = offsetof(gm_error, where);
    ok(gm_context_error_info(c, &e) == GM_OK && e.status == GM_E_SHAPE && e.where == 0x5555555555555555, "error_info: never past the caller's size");
    gmi_enter(c, "next");
    is_text(gm_context_error(c), "", "the next call clears it");
    gmi_leave(c, GM_E_RANGE);
    is_text(gm_context_error(c), "next: an index, label or value is out of range", "a failure nobody described says its status");
    gmi_enter(c, "next");
    gmi_fail(c, GM_E_RANGE, "a failure that was dealt with");
    gmi_leave(c, GM_OK);
    is_text(gm_context_error(c), "", "a call that went well leaves no message");
    gmi_enter(c, "open");
    gmi_fail_os(c, GM_E_IO, 2, "cannot open %S", "x");
    gmi_leave(c, GM_E_IO);
    is_int(c->os_error, 2, "the system's error number");
    gmi_enter(c, "long");
    {
        char text[3000];
        memset(text, 'a', sizeof text);
        text[sizeof text - 1] = 0;
        gmi_fail(c, GM_E_INVALID, "%s", text);
    }
    gmi_leave(c, GM_E_INVALID);
    is_int(strlen(gm_context_error(c)), sizeof c->message - 1, "a long message is cut");
}

static void test_callbacks(gm_context *c)
{
    gmi_callback_state s;
    gmi_enter(c, "fit");
    s = gmi_callback_begin(c);
    inner(c, GM_E_RANGE); /* the host handles it */
    is_text(gm_context_error(c), "inner: the first cause, 1", "a call inside a callback has its own message");
    gmi_callback_end(c, s);
    gmi_fail(c, GM_E_SHAPE, "its own");
    gmi_leave(c, GM_E_SHAPE);
    is_text(gm_context_error(c), "fit: its own", "what the callback's calls left is not the outer call's cause");
    gmi_enter(c, "fit");
    s = gmi_callback_begin(c);
    inner(c, GM_E_RANGE);
    gmi_callback_end(c, s);
    is_int(gmi_callback_status(c, GM_E_RANGE, "fetch"), GM_E_RANGE, "a known status is handed on");
    gmi_leave(c, GM_E_RANGE);
    is_text(gm_context_error(c), "inner: the first cause, 1", "and keeps the message of the call that failed inside the callback");
    gmi_enter(c, "fit");
    s = gmi_callback_begin(c);
    inner(c, GM_E_RANGE);
    gmi_callback_end(c, s);
    gmi_leave(c, GM_OK);
    is_text(gm_context_error(c), "", "handled inside, well outside");
    gmi_enter(c, "fit");
    gmi_fail(c, GM_E_IO, "disk");
    s = gmi_callback_begin(c);
    inner(c, GM_E_RANGE);
    inner(c, GM_OK);
    gmi_callback_end(c, s);
    gmi_leave(c, GM_E_IO);
    is_text(gm_context_error(c), "fit: disk", "a message that stands is not cleared by a callback's calls");
    is_int(c->held, 0, "and holding ends");
    gmi_enter(c, "fit");
    is_int(gmi_callback_status(c, 77, "fetch"), GM_E_CALLBACK, "an unknown value is GM_E_CALLBACK");
    gmi_leave(c, GM_E_CALLBACK);
    is_text(gm_context_error(c), "fit: the host's fetch callback returned 77, which is no status", "and says so");
    is_int(gmi_callback_status(c, GM_OK, "fetch"), GM_OK, "GM_OK stays");
}

static gm_status cancellable(gm_context *c)
{
    gmi_enter(c, "fit");
    return gmi_leave(c, gmi_cancelled(c) ? gmi_fail(c, GM_E_CANCELLED, "cancelled") : GM_OK);
}

static void test_cancel(gm_context *c)
{
    gmi_callback_state s;
    gm_context_cancel(c);
    is_int(inner(c, GM_E_RANGE), GM_E_RANGE, "a call that cannot be cancelled ignores the flag");
    is_int(cancellable(c), GM_E_CANCELLED, "the next one that can takes it");
    is_int(cancellable(c), GM_OK, "once");
    gm_context_cancel(c);
    gmi_enter(c, "fit");
    s = gmi_callback_begin(c);
    is_int(cancellable(c), GM_E_CANCELLED, "a call inside a callback");
    gmi_callback_end(c, s);
    ok(gmi_cancelled(c), "leaves the flag to the outer call");
    gmi_leave(c, GM_E_CANCELLED);
    ok(!gmi_cancelled(c), "which takes it");
}

typedef struct lines {
    int count, level;
    char last[600];
} lines;

static void log_line(void *user, int32_t level, const char *line)
{
    lines *l = user;
    l->count++;
    l->level = level;
    snprintf(l->last, sizeof l->last, "%s", line);
}

static void test_log(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    lines l = {0, 0, ""};
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    o.log = log_line;
    o.log_user = &l;
    o.log_level = 3;
    if (gm_context_create(&o, &c)) return;
    gmi_log(c, 3, "epoch %d", 4);
    gmi_log(c, 4, "too detailed");
    ok(l.count == 1 && l.level == 3, "the log level cuts off");
    is_text(l.last, "epoch 4", "the line");
    gm_context_destroy(c);
}

static void test_fp_state(gm_context *c)
{
#ifdef HAVE_CSR
    unsigned host = _mm_getcsr(), odd = 0x1f80 | 0x8040 | 0x6000; /* flush to zero, denormals are zero, round towards zero */
    gmi_callback_state s;
    _mm_setcsr(odd);
    if (_mm_getcsr() != odd) {
        _mm_setcsr(host);
        skip("an emulator (valgrind) without these modes");
        return;
    }
    gmi_enter(c, "outer");
    ok((_mm_getcsr() & 0xffc0) == 0x1f80, "inside: default state");
    inner(c, GM_OK);
    ok((_mm_getcsr() & 0xffc0) == 0x1f80, "after an inner call: default state");
    s = gmi_callback_begin(c);
    ok(_mm_getcsr() == odd, "in a callback: the host's state");
    _mm_setcsr(0x1f80 | 0x2000);
    inner(c, GM_OK);
    ok(_mm_getcsr() == (0x1f80 | 0x2000), "a call inside the callback leaves the state as it found it");
    gmi_callback_end(c, s);
    ok((_mm_getcsr() & 0xffc0) == 0x1f80, "after the callback: default state");
    gmi_leave(c, GM_OK);
    ok(_mm_getcsr() == odd, "outside: the host's state again");
    _mm_setcsr(host);
#else
    (void)c;
    skip("no way to set the floating point state here");
#endif
}

int main(void)
{
    gm_context_options o;
    gm_context *c = NULL;
    gm_context_options_init(&o, sizeof o);
    o.threads = 1;
    if (!ok(gm_context_create(&o, &c) == GM_OK, "context")) return done();
    test_list();
    test_docs();
    test_messages(c);
    test_callbacks(c);
    test_cancel(c);
    test_log();
    test_fp_state(c);
    gm_context_destroy(c);
    return done();
}
