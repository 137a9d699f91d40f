/* SPDX-License-Identifier: MIT */
/* test_record.c: defaults of records and options of any size, names, the line for people, JSONL and CSV through memory, callbacks and paths. */
#include "format/json.h"
#include "format_util.h"
#include "train/record.h"
#include <unistd.h>

static gm_record example(void)
{
    static const float kl[] = {0.1f, 2.5f, 1e-7f};
    gm_record r;
    gm_record_init(&r, sizeof r);
    r.call = "vae_fit";
    r.epoch = 3, r.epochs = 10, r.step = 1407, r.steps = 4690, r.examples = 180000;
    r.objective = 112.345678, r.elbo = -112.345678, r.kl = 24.1, r.beta = 1, r.examples_per_s = 51200.4, r.eta_s = 7.2;
    r.n_kl = 3, r.kl_per_dim = kl;
    return r;
}

static void test_defaults(void)
{
    gm_record r;
    gm_fit_options o;
    gm_sample_options s;
    unsigned char small[64];
    size_t size;
    int untouched = 1;
    gm_record_init(&r, sizeof r);
    ok(r.size == sizeof r && r.kind == GM_RECORD_STEP && r.event == GM_EVENT_NONE && r.epochs == -1 && r.steps == -1 && r.step == 0, "a new record");
    ok(r.objective != r.objective && r.d_grad_norm != r.d_grad_norm && r.seconds != r.seconds && !r.kl_per_dim && !strcmp(r.message, ""), "its numbers are NaN");
    gm_fit_options_init(&o, sizeof o);
    ok(o.size == sizeof o && o.epochs == -1 && o.max_steps == -1 && o.batch == 128 && o.accumulate == 1 && o.patience == 10 && o.validation_fraction == 0.1 &&
           o.time_limit_s == 0 && !o.checkpoint_path && !o.progress && o.seed == 0,
       "options of fit");
    gm_sample_options_init(&s, sizeof s);
    ok(s.size == sizeof s && s.truncation == 1 && s.draw == GM_DRAW_MEAN && s.first == 0, "options of sample");
    memset(small, 0xee, sizeof small);
    gm_record_init((gm_record *)(void *)small, 32);
    memcpy(&size, small, sizeof size);
    for (size_t i = 32; i < sizeof small; i++) untouched &= small[i] == 0xee;
    ok(size == 32 && untouched, "never past the caller's size");
    gm_record_init(NULL, 0), gm_fit_options_init(NULL, 0), gm_sample_options_init(NULL, 0);
    is_text(gm_record_kind_name(GM_RECORD_WORK), "work", "kinds");
    is_text(gm_action_name(GM_CANCEL), "cancel", "actions");
    is_text(gm_event_name(GM_EVENT_SUPERVISOR), "supervisor", "events");
    is_text(gm_event_name(GM_EVENT_POSTERIOR_COLLAPSE), "posterior_collapse", "events");
    is_text(gm_draw_name(GM_DRAW_SAMPLE), "sample", "draws");
    is_text(gm_draw_name(2), "unknown", "no draw");
    is_text(gm_record_kind_name(-1), "unknown", "no kind");
}

static void test_text(void)
{
    gm_record r = example();
    char line[200];
    ok(!gm_record_text(&r, line, sizeof line), "text of a record");
    is_text(line, "epoch 3/10  step 1407/4690  objective 112.35  elbo -112.35  kl 24.10  51200 ex/s  ETA 0:07", "all fields");
    r.epochs = r.steps = -1, r.eta_s = 3723, r.examples_per_s = 3.14, r.objective = 0.5, r.elbo = NAN, r.kl = 0, r.beta = 0.25;
    ok(!gm_record_text(&r, line, sizeof line), "text");
    is_text(line, "epoch 3  step 1407  objective 0.5000  kl 0.0000  beta 0.2500  3.1 ex/s  ETA 1:02:03", "no ends, no elbo, an hour");
    gm_record_init(&r, sizeof r);
    ok(!gm_record_text(&r, line, sizeof line) && !*line, "an empty record is an empty line");
    r.kind = GM_RECORD_EVENT, r.event = GM_EVENT_POSTERIOR_COLLAPSE, r.step = 12, r.message = "3 of 20 units are active";
    ok(!gm_record_text(&r, line, sizeof line), "text");
    is_text(line, "event posterior_collapse  step 12  3 of 20 units are active", "an event");
    r = example();
    r.kind = GM_RECORD_VALIDATION, r.objective = 123456.7;
    r.active_units = 7;
    ok(!gm_record_text(&r, line, sizeof line) && strstr(line, "objective 123457  ") && strstr(line, "  active 7  "), "validation: %s", line);
    ok(gm_record_text(&r, line, 20) == GM_E_LIMIT, "no room");
    is_text(line, "validation  epoch 3", "what fits is there");
    ok(gm_record_text(&r, line, 0) == GM_E_INVALID && gm_record_text(NULL, line, 9) == GM_E_INVALID && gm_record_text(&r, NULL, 9) == GM_E_INVALID, "nothing to write to");
    r.size = 2;
    ok(gm_record_text(&r, line, sizeof line) == GM_E_INVALID, "size 2");
}

/* The value of key in one JSON object, as text; "" when it is not there. */
static void value_of(const char *json, size_t n, const char *key, char *to, size_t cap)
{
    gmi_json j;
    int32_t e;
    *to = 0;
    gmi_json_init(&j, json, n, 8);
    if (gmi_json_next(&j) != GMI_JSON_OBJECT) return;
    while ((e = gmi_json_next(&j)) == GMI_JSON_KEY) {
        gmi_json_token k = j.token;
        size_t from = j.at;
        e = gmi_json_skip(&j, GMI_JSON_KEY);
        if (e == GMI_JSON_ERROR) return;
        if (!gmi_json_equal(json, k, key)) continue;
        while (json[from] == ':' || json[from] == ' ') from++;
        snprintf(to, cap, "%.*s", (int)(j.at - from), json + from);
    }
}

static void test_jsonl(gm_context *c)
{
    gm_record r = example();
    gmi_record_log l;
    fu_sink k;
    gm_writer w = fu_writer(&k);
    char v[100];
    size_t before, first;
    ok(!gmi_record_log_open(c, &w, 0, 0, &l) && !gmi_record_log_add(&l, &r), "one line of JSON");
    first = k.n;
    ok(k.p[first - 1] == '\n' && gmi_utf8_valid((char *)k.p, first) && memchr(k.p, '\n', first) == k.p + first - 1, "one line");
    value_of((char *)k.p, first, "kind", v, sizeof v);
    is_text(v, "\"step\"", "kind");
    value_of((char *)k.p, first, "objective", v, sizeof v);
    is_text(v, "112.345678", "shortest that reads back");
    value_of((char *)k.p, first, "step", v, sizeof v);
    is_text(v, "1407", "an integer");
    value_of((char *)k.p, first, "d_loss", v, sizeof v);
    is_text(v, "null", "NaN is null");
    value_of((char *)k.p, first, "kl_per_dim", v, sizeof v);
    is_text(v, "[0.1,2.5,1e-7]", "floats by their own shortest form");
    r.message = "a \"quote\"\nand \x01";
    ok(!gmi_record_log_add(&l, &r), "a second line");
    value_of((char *)k.p + first, k.n - first, "message", v, sizeof v);
    is_text(v, "\"a \\\"quote\\\"\\nand \\u0001\"", "text is escaped");
    before = c->alloc_count;
    for (int i = 0; i < 10; i++) ok(!gmi_record_log_add(&l, &r), "line %d", i + 3);
    ok(c->alloc_count == before, "no allocation");
    k.fail_at = k.n + 5;
    ok(gmi_record_log_add(&l, &r) == GM_E_IO && gmi_record_log_add(&l, &r) == GM_E_IO, "the host's failure stays");
    ok(gmi_record_log_close(&l, GM_OK) == GM_E_IO && gmi_record_log_close(&l, GM_OK) == GM_E_IO, "and is told at the end");
    free(k.p);
}

static int fields(const char *line)
{
    int n = 1;
    for (; *line && *line != '\n'; line++) n += *line == ',';
    return n;
}

static void test_csv(gm_context *c)
{
    gm_record r = example();
    gmi_record_log l;
    char text[4096] = {0}, *second;
    gm_writer w;
    gm_writer_init(&w, sizeof w);
    w.memory = text, w.capacity = sizeof text - 1;
    ok(!gmi_record_log_open(c, &w, 1, 0, &l) && !gmi_record_log_add(&l, &r) && !gmi_record_log_close(&l, GM_OK), "a line of csv in memory");
    ok(!strncmp(text, "kind,event,call,message,epoch,epochs,step,steps,examples,seconds,", 65), "titles");
    second = strchr(text, '\n');
    ok(second && !strncmp(second + 1, "step,none,vae_fit,,3,10,1407,4690,180000,,7.2,51200.4,,112.345678,-112.345678,,24.1,1,,", 85), "NaN is empty");
    ok(second && fields(text) == fields(second + 1) && fields(text) == 26, "as many values as titles: %d", fields(text));
    ok(!gmi_record_log_open(c, &w, 1, 1, &l) && !gmi_record_log_add(&l, &r) && !gmi_record_log_close(&l, GM_OK), "append");
    second = strchr(second + 1, '\n');
    ok(second && !strncmp(second + 1, "step,", 5) && w.used == strlen(text), "titles once");
    w.capacity = 100;
    ok(!gmi_record_log_open(c, &w, 1, 0, &l) && !gmi_record_log_add(&l, &r) && gmi_record_log_close(&l, GM_OK) == GM_E_LIMIT && w.used > 100, "memory too small: %s",
       gm_context_error(c));
    ok(!gmi_record_log_open(c, NULL, 1, 0, &l) && !gmi_record_log_add(&l, &r) && !gmi_record_log_close(&l, GM_OK), "no log");
    ok(gmi_record_log_close(&l, GM_E_NOMEM) == GM_E_NOMEM, "the caller's status goes first");
    w.path = "x";
    ok(gmi_record_log_open(c, &w, 1, 0, &l) == GM_E_INVALID, "path and memory: %s", gm_context_error(c));
    ok(gmi_record_log_close(&l, GM_OK) == GM_OK, "closing what did not open");
}

static size_t slurp(const char *path, char *to, size_t cap)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, cap - 1, f) : 0;
    to[n] = 0;
    if (f) fclose(f);
    return n;
}

static int lines(const char *s)
{
    int n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

static void test_path(gm_context *c)
{
    gm_record r = example();
    gmi_record_log l;
    char path[300], text[8192];
    const char *dir = getenv("TMPDIR");
    gm_writer w;
    snprintf(path, sizeof path, "%s/genrep-record-%p.csv", dir && *dir ? dir : "/tmp", (void *)&w);
    gm_writer_init(&w, sizeof w);
    w.path = path;
    ok(!gmi_record_log_open(c, &w, 1, 0, &l) && !gmi_record_log_add(&l, &r), "a path");
    slurp(path, text, sizeof text);
    ok(lines(text) == 2, "a line is there as soon as it is added");
    ok(!gmi_record_log_close(&l, GM_OK), "close");
    gm_writer_init(&w, sizeof w);
    w.path = path;
    ok(!gmi_record_log_open(c, &w, 1, 1, &l) && !gmi_record_log_add(&l, &r) && !gmi_record_log_close(&l, GM_OK), "resumed");
    slurp(path, text, sizeof text);
    ok(lines(text) == 3 && !strstr(text + 4, "kind"), "lines follow, titles do not come again");
    ok(!gmi_record_log_open(c, &w, 1, 0, &l) && !gmi_record_log_add(&l, &r) && !gmi_record_log_close(&l, GM_OK), "from the start");
    slurp(path, text, sizeof text);
    ok(lines(text) == 2, "the old lines are gone");
    remove(path);
    gmi_enter(c, "log"); /* forgets the last message */
    w.path = "/no/such/folder/log";
    ok(gmi_record_log_open(c, &w, 0, 0, &l) == GM_E_IO && fu_says(c, "/no/such/folder/log"), "unwritable: %s", gm_context_error(c));
    gmi_leave(c, GM_OK);
    if (access("/dev/full", W_OK) == 0) {
        gmi_enter(c, "log");
        w.path = "/dev/full";
        ok(!gmi_record_log_open(c, &w, 0, 0, &l) && gmi_record_log_add(&l, &r) == GM_E_IO && gmi_record_log_close(&l, GM_OK) == GM_E_IO, "a full disk: %s", gm_context_error(c));
        gmi_leave(c, GM_OK);
    }
}

int main(void)
{
    fu_heap h;
    gm_context *c = fu_context(&h);
    test_defaults();
    test_text();
    test_jsonl(c);
    test_csv(c);
    test_path(c);
    gm_context_destroy(c);
    ok(h.now == 0, "nothing leaked");
    return done();
}
