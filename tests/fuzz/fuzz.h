/* SPDX-License-Identifier: MIT */
/* fuzz.h: what the fuzz targets share: one context with small limits, the input as memory or as a pipe, and the promise that is checked after every
 * input: what was allocated has been freed, and a failure has a message. The pieces of a pipe are 1 to 16 bytes, depending on the input's length. */
#ifndef GM_FUZZ_H
#define GM_FUZZ_H
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static gm_context *fuzz_ctx;
static uint64_t fuzz_before;
static struct fuzz_pipe {
    const uint8_t *p;
    size_t n, at;
} fuzz_rest;

static void fuzz_fail(const char *what)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, gm_context_error(fuzz_ctx));
    abort();
}

static gm_status fuzz_read(void *user, void *to, size_t n, size_t *got)
{
    struct fuzz_pipe *s = user;
    size_t k = 1 + s->n % 16;
    if (k > s->n - s->at) k = s->n - s->at;
    if (k > n) k = n;
    memcpy(to, s->p + s->at, k);
    s->at += k;
    *got = k;
    return GM_OK;
}

/* Begins a call on the bytes: pipe 0 or 1. */
static gm_context *fuzz_open(const uint8_t *p, size_t n, int pipe, gmi_in *in)
{
    gm_reader r;
    uint64_t peak;
    if (!fuzz_ctx) {
        gm_limits l;
        gm_context_options o;
        gm_limits_init(&l, sizeof l);
        l.tensor_bytes = 1 << 24;
        l.header_bytes = 1 << 20;
        gm_context_options_init(&o, sizeof o);
        o.threads = 1;
        o.load_limits = &l;
        if (gm_context_create(&o, &fuzz_ctx)) abort();
    }
    gm_context_memory(fuzz_ctx, &fuzz_before, &peak);
    gm_reader_init(&r, sizeof r);
    fuzz_rest.p = p;
    fuzz_rest.n = n;
    fuzz_rest.at = 0;
    if (pipe) {
        r.read = fuzz_read;
        r.user = &fuzz_rest;
    } else {
        r.memory = n ? (const void *)p : "";
        r.bytes = n;
    }
    gmi_enter(fuzz_ctx, "fuzz");
    if (gmi_in_open(fuzz_ctx, &r, in)) fuzz_fail("the source does not open");
    return fuzz_ctx;
}

/* Ends it: everything freed, and an error has a message that names the call. */
static void fuzz_close(gmi_in *in, gm_status s)
{
    uint64_t now, peak;
    gmi_in_close(in);
    gmi_leave(fuzz_ctx, s);
    gm_context_memory(fuzz_ctx, &now, &peak);
    if (now != fuzz_before) fuzz_fail("memory is left");
    if (s && strncmp(gm_context_error(fuzz_ctx), "fuzz: ", 6)) fuzz_fail("an error without a message");
}
#endif
