/* SPDX-License-Identifier: MIT */
/* tap.h: a test program in the Test Anything Protocol (https://testanything.org), in one header.
 *
 *     int main(void) { ok(1 + 1 == 2, "sum of %d and %d", 1, 1); return done(); }
 *
 * Every check prints "ok 7 - text" or "not ok 7 - text" and goes on; done() prints the plan and gives the exit status: 0 when all passed. A program
 * that dies before done() has no plan, which a TAP reader counts as a failure. One program is one process: the counters are static. */
#ifndef GM_TESTS_TAP_H
#define GM_TESTS_TAP_H
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

/* 1: matrix products are those of a BLAS (make CBLAS=...). Bits are then the library's at the scalar level alone: checks that pin others are skipped. */
#ifdef GM_HAVE_CBLAS
#define TAP_BLAS 1
#else
#define TAP_BLAS 0
#endif
#define TAP_BLAS_SKIP "the products of this build are a BLAS's"

#if defined(__GNUC__)
#define TAP_PRINTF(f, a) __attribute__((unused, format(printf, f, a)))
#define TAP_UNUSED __attribute__((unused))
#else
#define TAP_PRINTF(f, a)
#define TAP_UNUSED
#endif

TAP_UNUSED static int tap_result(int good, const char *file, int line, const char *f, va_list a)
{
    printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
    vprintf(f, a);
    printf("\n");
    if (!good) {
        tap_failed++;
        printf("# failed at %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}

/* One check; returns cond, so that a test can stop where going on makes no sense. */
TAP_PRINTF(4, 5) static int tap_ok(int cond, const char *file, int line, const char *f, ...)
{
    va_list a;
    va_start(a, f);
    tap_result(cond, file, line, f, a);
    va_end(a);
    return cond;
}

TAP_PRINTF(5, 6) static int tap_is_int(int64_t got, int64_t want, const char *file, int line, const char *f, ...)
{
    va_list a;
    va_start(a, f);
    tap_result(got == want, file, line, f, a);
    va_end(a);
    if (got != want) printf("#      got %" PRId64 "\n# expected %" PRId64 "\n", got, want);
    return got == want;
}

TAP_PRINTF(5, 6) static int tap_is_text(const char *got, const char *want, const char *file, int line, const char *f, ...)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list a;
    va_start(a, f);
    tap_result(same, file, line, f, a);
    va_end(a);
    if (!same) printf("#      got '%s'\n# expected '%s'\n", got ? got : "(null)", want ? want : "(null)");
    return same;
}

/* |got - want| <= tolerance; NaN is near nothing, an infinity only itself. */
TAP_PRINTF(6, 7) static int tap_near(double got, double want, double tolerance, const char *file, int line, const char *f, ...)
{
    int same = got == want || fabs(got - want) <= tolerance;
    va_list a;
    va_start(a, f);
    tap_result(same, file, line, f, a);
    va_end(a);
    if (!same) printf("#      got %.17g\n# expected %.17g +- %g (off by %g)\n", got, want, tolerance, fabs(got - want));
    return same;
}

#define ok(cond, ...) tap_ok((cond) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) tap_is_int((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_text(got, want, ...) tap_is_text((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define near(got, want, tolerance, ...) tap_near((got), (want), (tolerance), __FILE__, __LINE__, __VA_ARGS__)

/* A step that the checks after it rely on: a status of the library, 0 when it went well; else the program ends here. */
TAP_UNUSED static void tap_must(int32_t status, const char *call, const char *file, int line)
{
    if (status == 0) return;
    printf("not ok %d - %s gave status %d\n# at %s:%d\nBail out!\n", ++tap_count, call, (int)status, file, line);
    fflush(stdout);
    exit(1);
}
#define must(call) tap_must((call), #call, __FILE__, __LINE__)

/* A check that this machine or build cannot make. */
TAP_UNUSED static void skip(const char *reason)
{
    printf("ok %d # SKIP %s\n", ++tap_count, reason);
    fflush(stdout);
}

TAP_UNUSED static int done(void)
{
    printf("1..%d\n", tap_count);
    if (tap_failed) printf("# %d of %d failed\n", tap_failed, tap_count);
    return tap_failed || !tap_count ? 1 : 0;
}
#endif
