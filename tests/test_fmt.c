/* SPDX-License-Identifier: MIT */
/* test_fmt.c: numbers to text and back against the C library, directives, quoting, truncation. */
#include "base/base.h"
#include "tap.h"

static uint64_t state = 88172645463325252ull;
static uint64_t word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static double from_bits(uint64_t b)
{
    double v;
    memcpy(&v, &b, sizeof v);
    return v;
}

static int same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

static int significant(const char *t)
{
    int n = 0, zeros = 0, seen = 0;
    for (; *t && *t != 'e'; t++) {
        if (*t < '0' || *t > '9') continue;
        if (*t != '0') seen = 1;
        if (!seen) continue;
        if (*t == '0') zeros++;
        else {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

/* Digits that the C library needs for a round trip. */
static int libc_digits(double v)
{
    char t[64];
    for (int p = 0; p < 17; p++) {
        snprintf(t, sizeof t, "%.*e", p, v);
        if (same(strtod(t, NULL), v)) return p + 1;
    }
    return 99;
}

/* The number of one text, by the library and by strtod; 1 when equal. */
static int parses_like_strtod(const char *t)
{
    double v = -1;
    float f = -1;
    size_t used = 0;
    char *end;
    double want = strtod(t, &end);
    if (gmi_parse_double(t, strlen(t), &v, &used)) return 0;
    if (!same(v, want) || used != (size_t)(end - t)) {
        printf("# %s: %.17g, strtod %.17g, used %d of %d\n", t, v, want, (int)used, (int)(end - t));
        return 0;
    }
    if (gmi_parse_float(t, strlen(t), &f, &used) || !same((double)f, (double)strtof(t, NULL))) {
        printf("# %s as float: %.9g, strtof %.9g\n", t, (double)f, (double)strtof(t, NULL));
        return 0;
    }
    return 1;
}

/* Prints, reads back, compares the length with what the C library needs. */
static int round_trip(double v)
{
    char t[64];
    double back = 0;
    size_t n = gmi_format_double(t, sizeof t, v), used = 0;
    if (n != strlen(t) || n > 26 || gmi_parse_double(t, n, &back, &used) || used != n || !same(back, v) || !same(strtod(t, NULL), v) ||
        significant(t) > libc_digits(v)) {
        printf("# %.17g gave %s (%d digits, libc %d)\n", v, t, significant(t), libc_digits(v));
        return 0;
    }
    return 1;
}

static void test_round_trips(void)
{
    int bad = 0;
    for (int i = 0; i < 60000; i++) {
        double v = from_bits(word());
        if (v == v && v - v == 0) bad += !round_trip(v);
    }
    is_int(bad, 0, "random bit patterns: shortest, and read back exactly");
    bad = 0;
    for (int i = 0; i < 20000; i++) bad += !round_trip((double)(int64_t)(word() >> (word() % 60)) / (double)(1 << (word() % 20)));
    is_int(bad, 0, "ordinary numbers");
    bad = 0;
    for (int e = 1; e < 2046; e++) bad += !round_trip(from_bits((uint64_t)e << 52)) + !round_trip(from_bits(((uint64_t)e << 52) - 1));
    is_int(bad, 0, "all powers of two and their lower neighbours");
    bad = 0;
    for (int i = 0; i < 52; i++) bad += !round_trip(from_bits((uint64_t)1 << i)) + !round_trip(from_bits(((uint64_t)1 << i) * 3 / 2));
    is_int(bad, 0, "subnormals");
    bad = 0;
    for (int i = -320; i <= 308; i++) {
        char t[16];
        snprintf(t, sizeof t, "1e%d", i);
        bad += !parses_like_strtod(t) + !round_trip(strtod(t, NULL));
    }
    is_int(bad, 0, "powers of ten");
}

static void test_floats(void)
{
    int bad = 0;
    for (int i = 0; i < 60000; i++) {
        uint32_t b = (uint32_t)word();
        float v, back = 0;
        char t[48];
        size_t n, used;
        int p = 0;
        memcpy(&v, &b, sizeof v);
        if (v != v || v - v != 0) continue;
        n = gmi_format_float(t, sizeof t, v);
        if (gmi_parse_float(t, n, &back, &used) || memcmp(&back, &v, 4) || strtof(t, NULL) != v) bad++;
        for (; p < 9; p++) {
            char u[48];
            snprintf(u, sizeof u, "%.*e", p, (double)v);
            if (strtof(u, NULL) == v) break;
        }
        if (significant(t) > p + 1) bad++;
    }
    is_int(bad, 0, "random floats: shortest, and read back exactly");
}

static void test_reading(void)
{
    static const char *const hard[] = {
        "0", "-0", "0.0", "00012", "1", "1.5", "1.", ".5", "0.1", "123456789012345678", "9007199254740993", "9007199254740992.9999999999",
        "9007199254740993.0000000000000000000000000000000001", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309",
        "-1e400", "1e999999999999999999999", "1e-999999999999999999999", "2.2250738585072014e-308", "2.2250738585072011e-308",
        "2.2250738585072012e-308", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.47032822920623272e-324",
        "3e-324", "1e-400", "6.631236846766476e-316", "3.2378839133029012895883524125015321748630094231e-319", "5e-320",
        "8.5e22", "1e23", "8.41e+21", "9.5367431640625e-7", "3.14159265358979323846264338327950288419716939937510", "1e0000000000000000000003",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001e69",
        "100000000000000000000000000000000000000000000000000000000000000000000000000e-74",
        "6929495644600919.5", "3.4028235e38", "3.40282357e38", "1.17549435e-38", "7.038531e-26", "1.00000005960464477539062", "1.000000059604644775390625",
        "1.0000000596046447753906250000000000000000000000000000000000001", "12e", "12e+", "12e+x", "1.5abc", "-.5e1", "+7"};
    int bad = 0;
    char t[1200];
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) bad += !parses_like_strtod(hard[i]);
    is_int(bad, 0, "hard and odd texts like strtod, doubles and floats");
    bad = 0;
    for (int i = 0; i < 20000; i++) { /* up to 40 digits, any exponent */
        int n = 0, digits = 1 + (int)(word() % 40), point = (int)(word() % 41);
        for (int j = 0; j < digits; j++) {
            if (j == point) t[n++] = '.';
            t[n++] = (char)('0' + word() % 10);
        }
        snprintf(t + n, sizeof t - (size_t)n, "e%d", (int)(word() % 700) - 350);
        bad += !parses_like_strtod(t);
    }
    is_int(bad, 0, "random decimals like strtod");
    bad = 0;
    for (int i = 0; i < 300; i++) { /* exact ties between neighbours: 767 digits at most; with a last digit more and less they are not */
        uint64_t b = (word() & 0x7fffffffffffffff) % ((uint64_t)2046 << 52);
        long double half;
        double v = from_bits(i < 40 ? (uint64_t)i * 7 : b), up = from_bits((i < 40 ? (uint64_t)i * 7 : b) + 1);
        size_t n;
        if (sizeof(long double) <= sizeof(double) || !(up - up == 0)) continue;
        half = ((long double)v + (long double)up) / 2;
        snprintf(t, sizeof t - 8, "%.1100Le", half);
        bad += !parses_like_strtod(t);
        n = strchr(t, 'e') - t;
        if (n > 3) t[n - 1] = '1';
        bad += !parses_like_strtod(t);
    }
    is_int(bad, 0, "halves between neighbours, 1100 digits");
    {
        double v = 3;
        size_t used = 77;
        ok(gmi_parse_double("abc", 3, &v, &used) == -1 && gmi_parse_double("", 0, &v, &used) == -1 && gmi_parse_double("-", 1, &v, &used) == -1 &&
               gmi_parse_double(".", 1, &v, &used) == -1 && gmi_parse_double("e5", 2, &v, &used) == -1,
           "no number");
        ok(gmi_parse_double("123456", 3, &v, &used) == 0 && v == 123 && used == 3, "never past n");
        ok(gmi_parse_double("nan", 3, &v, &used) == 0 && v != v && used == 3, "nan");
        ok(gmi_parse_double("-Inf,", 5, &v, &used) == 0 && v < -1e308 && used == 4, "-Inf");
        ok(gmi_parse_double("infinity", 8, &v, &used) == 0 && used == 8, "infinity");
        ok(gmi_parse_double("-0", 2, &v, NULL) == 0 && 1 / v < 0, "-0 keeps its sign");
    }
}

static void test_integers(void)
{
    int64_t v = 0;
    size_t used = 0;
    ok(gmi_parse_i64("9223372036854775807", 19, &v, &used) == 0 && v == INT64_MAX && used == 19, "INT64_MAX");
    ok(gmi_parse_i64("-9223372036854775808", 20, &v, &used) == 0 && v == INT64_MIN, "INT64_MIN");
    ok(gmi_parse_i64("9223372036854775808", 19, &v, &used) == -1, "one more overflows");
    ok(gmi_parse_i64("-9223372036854775809", 20, &v, &used) == -1, "one less overflows");
    ok(gmi_parse_i64("-12x", 4, &v, &used) == 0 && v == -12 && used == 3, "stops at the first other byte");
    ok(gmi_parse_i64("x", 1, &v, &used) == -1 && gmi_parse_i64("-", 1, &v, &used) == -1 && gmi_parse_i64("", 0, &v, &used) == -1, "no digits");
    ok(gmi_parse_i64("-0", 2, &v, &used) == 0 && v == 0, "-0");
}

static const char *format_double(double v)
{
    static char t[64];
    gmi_format_double(t, sizeof t, v);
    return t;
}

static const char *format_fixed(double v, int digits)
{
    static char t[512];
    gmi_format_fixed(t, sizeof t, v, digits);
    return t;
}

static void test_layout(void)
{
    int bad = 0;
    is_text(format_double(0), "0", "0");
    is_text(format_double(from_bits((uint64_t)1 << 63)), "-0", "-0");
    is_text(format_double(1), "1", "1");
    is_text(format_double(-2.5), "-2.5", "-2.5");
    is_text(format_double(0.1), "0.1", "0.1");
    is_text(format_double(1e-5), "0.00001", "1e-5");
    is_text(format_double(1.25e-6), "1.25e-6", "1.25e-6");
    is_text(format_double(1e15), "1000000000000000", "1e15");
    is_text(format_double(1234567890123456.0), "1234567890123456", "16 digits");
    is_text(format_double(1e16), "1e16", "1e16");
    is_text(format_double(5e-324), "5e-324", "the least double");
    is_text(format_double(1.7976931348623157e308), "1.7976931348623157e308", "the largest double");
    is_text(format_double(9007199254740993.0), "9007199254740992", "2^53");
    is_text(format_double(2e23), "2e23", "2e23 lies on a boundary that counts as inside");
    is_text(format_double(NAN), "nan", "nan");
    is_text(format_double(-INFINITY), "-inf", "-inf");
    is_text(format_fixed(3.14159, 2), "3.14", "fixed: 3.14");
    is_text(format_fixed(0.125, 2), "0.12", "fixed: exact tie to even");
    is_text(format_fixed(0.375, 2), "0.38", "fixed: exact tie to even, up");
    is_text(format_fixed(-0.001, 2), "0.00", "fixed: no minus before zero");
    is_text(format_fixed(0.5, 0), "0", "fixed: 0.5 to even");
    is_text(format_fixed(1.5, 0), "2", "fixed: 1.5 to even");
    is_text(format_fixed(999.9996, 3), "1000.000", "fixed: carries");
    is_text(format_fixed(INFINITY, 3), "inf", "fixed: inf");
    for (int i = 0; i < 20000; i++) {
        char want[512];
        double v = i % 2 ? from_bits(word()) : (double)(int64_t)word() / 4294967296.0 / (double)(1 << i % 24);
        int digits = (int)(word() % 20);
        if (!(v - v == 0)) continue;
        snprintf(want, sizeof want, "%.*f", digits, v);
        if (want[0] == '-' && strspn(want, "-0.") == strlen(want)) memmove(want, want + 1, strlen(want));
        if (strcmp(want, format_fixed(v, digits))) {
            bad++;
            if (bad < 5) printf("# %.17g to %d: %s, libc %s\n", v, digits, format_fixed(v, digits), want);
        }
    }
    is_int(bad, 0, "fixed like printf's %%.*f");
}

static void test_directives(void)
{
    char t[256], small[8];
    int64_t dims[3] = {64, -1, 28};
    size_t n;
    gmi_format(t, sizeof t, "%s|%d|%i|%u|%x|%c|%%|%v|%g", "a", -5, INT64_MIN, UINT64_MAX, (uint64_t)0xdeadbeef, 'z', 3, dims, 0.25);
    is_text(t, "a|-5|-9223372036854775808|18446744073709551615|deadbeef|z|%|[64,-1,28]|0.25", "all directives");
    gmi_format(t, sizeof t, "%v %s %S", 0, dims, (char *)NULL, (char *)NULL);
    is_text(t, "[] (null) (null)", "empty list, NULL texts");
    gmi_format(t, sizeof t, "%S", "a\"b\\c\n\t\x01\x7f");
    is_text(t, "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\"", "quoting escapes");
    gmi_format(t, sizeof t, "%S", "gr\xc3\xbc\xc3\x9f\xff\xc2\x9b");
    is_text(t, "\"gr\xc3\xbc\xc3\x9f\\xff\\xc2\\x9b\"", "UTF-8 stays, stray bytes and C1 controls do not");
    gmi_format(t, sizeof t, "%S", "0123456789012345678901234567890123456789012345678901234567890123456789");
    is_text(t, "\"0123456789012345678901234567890123456789012345678901234567890123\"...", "long text is cut and says so");
    memset(small, 'x', sizeof small);
    n = gmi_format(small, 5, "%d", 1234567);
    ok(n == 7 && strcmp(small, "1234") == 0 && small[5] == 'x', "cut at the size, terminated, the whole length told");
    memset(small, 'x', sizeof small);
    n = gmi_format(small, 0, "%d", 12);
    ok(n == 2 && small[0] == 'x', "size 0 writes nothing");
    n = gmi_format(NULL, 0, "%s%S", "abc", "d");
    is_int(n, 6, "measuring with NULL");
    gmi_format(t, sizeof t, "50%");
    is_text(t, "50", "a percent at the end");
}

static void test_utf8(void)
{
    ok(gmi_utf8_len("a", 1) == 1 && gmi_utf8_len("\xc3\xbc", 2) == 2 && gmi_utf8_len("\xe2\x82\xac", 3) == 3 && gmi_utf8_len("\xf0\x9f\x98\x80", 4) == 4,
       "1 to 4 bytes");
    ok(!gmi_utf8_len("", 0) && !gmi_utf8_len("\xc3", 1) && !gmi_utf8_len("\xe2\x82", 2), "cut off");
    ok(!gmi_utf8_len("\xc0\x80", 2) && !gmi_utf8_len("\xc1\xbf", 2) && !gmi_utf8_len("\xe0\x80\x80", 3) && !gmi_utf8_len("\xf0\x80\x80\x80", 4), "overlong");
    ok(!gmi_utf8_len("\xed\xa0\x80", 3) && !gmi_utf8_len("\xed\xbf\xbf", 3) && gmi_utf8_len("\xed\x9f\xbf", 3) == 3, "surrogates");
    ok(!gmi_utf8_len("\xf4\x90\x80\x80", 4) && gmi_utf8_len("\xf4\x8f\xbf\xbf", 4) == 4 && !gmi_utf8_len("\x80", 1) && !gmi_utf8_len("\xff", 1), "range");
}

int main(void)
{
    test_round_trips();
    test_floats();
    test_reading();
    test_integers();
    test_layout();
    test_directives();
    test_utf8();
    return done();
}
