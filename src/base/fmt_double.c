/* SPDX-License-Identifier: MIT */
/* fmt_double.c: binary floating point to decimal and back, exactly.
 *
 * Printing finds the shortest decimal that reads back to the same number, by the free-format algorithm of G. Steele and J. White ("How to print
 * floating-point numbers accurately", PLDI 1990) as given by R. Burger and R. Dybvig (PLDI 1996): with value = R / S and half gaps M+ / S, M- / S to the
 * neighbours as big integers, digits are produced until what is left is inside the gap. Reading compares big integers too: the quotient of
 * digits and a power of ten is computed with as many bits as the format has, and rounded half to even (W. Clinger, PLDI 1990, also for the fast
 * path). Tables of powers (Grisu, Ryu) would be faster and cost more than all of this file; numbers are not printed in hot loops. */
#include "base/base.h"

#define WORDS 160    /* 5120 bits: the longest is 10^1130, the denominator of 800 digits at 1e-330 */
#define MAX_DIGITS 800 /* 767 digits decide any double (the longest exact tie); what follows only counts as "more" */

typedef struct big {
    int n; /* words in use, w[n - 1] != 0 */
    uint32_t w[WORDS];
} big;

static void big_set(big *a, uint64_t v)
{
    a->n = 0;
    for (; v; v >>= 32) a->w[a->n++] = (uint32_t)v;
}

/* a = a * m + add. Sizes are bounded by the callers (see WORDS). */
static void big_mul_add(big *a, uint32_t m, uint32_t add)
{
    uint64_t carry = add;
    for (int i = 0; i < a->n; i++) {
        carry += (uint64_t)a->w[i] * m;
        a->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) a->w[a->n++] = (uint32_t)carry;
}

static void big_pow10(big *a, int e)
{
    for (; e >= 9; e -= 9) big_mul_add(a, 1000000000u, 0);
    for (; e > 0; e--) big_mul_add(a, 10, 0);
}

static void big_shift_left(big *a, int bits)
{
    int words = bits / 32, rest = bits % 32;
    if (!a->n || !bits) return;
    for (int i = a->n - 1; i >= 0; i--) a->w[i + words] = a->w[i];
    for (int i = 0; i < words; i++) a->w[i] = 0;
    a->n += words;
    if (rest) big_mul_add(a, 1u << rest, 0);
}

static int big_bits(const big *a)
{
    int bits = (a->n - 1) * 32;
    if (!a->n) return 0;
    for (uint32_t top = a->w[a->n - 1]; top; top >>= 1) bits++;
    return bits;
}

static int big_compare(const big *a, const big *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* a + b against c. */
static int big_compare_sum(const big *a, const big *b, const big *c)
{
    big sum;
    uint64_t carry = 0;
    sum.n = GMI_MAX(a->n, b->n);
    for (int i = 0; i < sum.n; i++) {
        carry += (uint64_t)(i < a->n ? a->w[i] : 0) + (i < b->n ? b->w[i] : 0);
        sum.w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) sum.w[sum.n++] = (uint32_t)carry;
    return big_compare(&sum, c);
}

/* a -= b * m, for a result >= 0. */
static void big_sub_mul(big *a, const big *b, uint32_t m)
{
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (int i = 0; i < a->n; i++) {
        int64_t d;
        carry += (uint64_t)(i < b->n ? b->w[i] : 0) * m;
        d = (int64_t)a->w[i] - (int64_t)(uint32_t)carry - borrow;
        borrow = d < 0;
        a->w[i] = (uint32_t)d;
        carry >>= 32;
    }
    while (a->n && !a->w[a->n - 1]) a->n--;
}

/* floor(a / b) and a = a mod b, for a quotient of a few bits (here at most 10, or one bit of a long division). */
static uint32_t big_small_quotient(big *a, const big *b)
{
    uint32_t q = 0;
    while (big_compare(a, b) >= 0) {
        uint32_t guess = 1;
        if (a->n == b->n && b->w[b->n - 1] != UINT32_MAX) guess = a->w[a->n - 1] / (b->w[b->n - 1] + 1);
        if (!guess) guess = 1;
        big_sub_mul(a, b, guess);
        q += guess;
    }
    return q;
}

/* A floating point format: p bits of mantissa with the hidden one; value = mantissa * 2^(exponent), exponent >= least. */
typedef struct format {
    int p, least, top; /* top: exponents above it are infinite */
} format;
static const format DOUBLE = {53, -1074, 971};
static const format FLOAT = {24, -149, 104};

static uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

int gmi_f64_finite(double v)
{
    return (bits_of(v) >> 52 & 2047) != 2047;
}

int gmi_f32_finite(float v)
{
    uint32_t b;
    memcpy(&b, &v, sizeof b);
    return (b >> 23 & 255) != 255;
}

/* floor(x * log10(2)) for |x| <= 1200. */
static int floor_log10_pow2(int x)
{
    return (int)(((int64_t)x * 1292913986 + ((int64_t)1 << 44)) >> 32) - 4096; /* 1292913986 = floor(2^32 log10 2); the offset keeps it positive */
}

typedef struct quotient {
    big r, s, plus, minus; /* value = r / s, half gaps to the neighbours plus / s and minus / s */
} quotient;

/* mantissa * 2^e as a fraction, everything doubled so that half gaps are whole. */
static void set_up(quotient *q, const format *f, uint64_t mantissa, int e)
{
    int narrow = mantissa == UINT64_C(1) << (f->p - 1) && e > f->least; /* the gap below a power of two is half as wide */
    big_set(&q->r, mantissa);
    big_set(&q->s, 1);
    big_set(&q->minus, 1);
    big_shift_left(&q->r, 1 + narrow + GMI_MAX(e, 0));
    big_shift_left(&q->s, 1 + narrow + GMI_MAX(-e, 0));
    big_shift_left(&q->minus, GMI_MAX(e, 0));
    q->plus = q->minus;
    if (narrow) big_shift_left(&q->plus, 1);
}

/* Scales so that value = 0.d1d2d3... * 10^k with d1 > 0 after rounding up into the gap; returns k. */
static int scale(quotient *q, uint64_t mantissa, int e, int even)
{
    int bits = 0, k;
    for (uint64_t m = mantissa; m; m >>= 1) bits++;
    k = floor_log10_pow2(e + bits - 1) + 1; /* right, or one too small */
    if (k >= 0)
        big_pow10(&q->s, k);
    else {
        big_pow10(&q->r, -k);
        big_pow10(&q->plus, -k);
        big_pow10(&q->minus, -k);
    }
    if (big_compare_sum(&q->r, &q->plus, &q->s) >= (even ? 0 : 1)) {
        big_mul_add(&q->s, 10, 0);
        k++;
    }
    return k;
}

/* Writes the shortest digits of mantissa * 2^e (> 0) as 0.digits * 10^k; returns their number (at most 17). A tie of the boundary counts as inside
 * when the mantissa is even, since reading rounds half to even. */
static int shortest(const format *f, uint64_t mantissa, int e, char *digits, int *k)
{
    quotient q;
    int even = !(mantissa & 1), n = 0, low, high;
    uint32_t d;
    set_up(&q, f, mantissa, e);
    *k = scale(&q, mantissa, e, even);
    do {
        big_mul_add(&q.r, 10, 0);
        big_mul_add(&q.plus, 10, 0);
        big_mul_add(&q.minus, 10, 0);
        d = big_small_quotient(&q.r, &q.s);
        low = big_compare(&q.r, &q.minus) < (even ? 1 : 0);
        high = big_compare_sum(&q.r, &q.plus, &q.s) >= (even ? 0 : 1);
        digits[n++] = (char)('0' + d);
    } while (!low && !high && n < 20);
    if (high && (!low || big_compare_sum(&q.r, &q.r, &q.s) >= 0)) digits[n - 1]++; /* never past 9: then the digits before would have ended */
    return n;
}

/* digits with the point after the k-th: 123, 0.00123, 1.23e-7, 1e300: positional for 1e-5 <= |v| < 1e16. At most 26 bytes. */
static size_t lay_out(char *t, const char *digits, int n, int k)
{
    size_t u = 0;
    if (k > -5 && k <= 0) {
        t[u++] = '0';
        t[u++] = '.';
        for (int i = k; i < 0; i++) t[u++] = '0';
        for (int i = 0; i < n; i++) t[u++] = digits[i];
    } else if (k > 0 && k <= 16) {
        for (int i = 0; i < GMI_MAX(n, k); i++) {
            if (i == k) t[u++] = '.';
            t[u++] = i < n ? digits[i] : '0';
        }
    } else {
        t[u++] = digits[0];
        if (n > 1) t[u++] = '.';
        for (int i = 1; i < n; i++) t[u++] = digits[i];
        u += gmi_format(t + u, 8, "e%d", k - 1);
    }
    return u;
}

static size_t give(char *to, size_t n, const char *t, size_t used)
{
    if (n) {
        size_t m = GMI_MIN(used, n - 1);
        memcpy(to, t, m);
        to[m] = 0;
    }
    return used;
}

static size_t print(char *to, size_t n, const format *f, int negative, uint64_t mantissa, int e)
{
    char t[48], digits[24];
    size_t u = 0;
    int k, count;
    if (negative) t[u++] = '-';
    if (!mantissa) t[u++] = '0';
    else {
        count = shortest(f, mantissa, e, digits, &k);
        u += lay_out(t + u, digits, count, k);
    }
    return give(to, n, t, u);
}

static size_t print_special(char *to, size_t n, double v)
{
    if (v != v) return give(to, n, "nan", 3);
    return v < 0 ? give(to, n, "-inf", 4) : give(to, n, "inf", 3);
}

size_t gmi_format_double(char *to, size_t n, double v)
{
    uint64_t b = bits_of(v), m = b & ((UINT64_C(1) << 52) - 1);
    int e = (int)(b >> 52 & 2047);
    if (e == 2047) return print_special(to, n, v);
    if (e) m |= UINT64_C(1) << 52;
    return print(to, n, &DOUBLE, (int)(b >> 63), m, GMI_MAX(e, 1) - 1075);
}

size_t gmi_format_float(char *to, size_t n, float v)
{
    uint32_t b;
    uint64_t m;
    int e;
    memcpy(&b, &v, sizeof b);
    m = b & 0x7fffff;
    e = (int)(b >> 23 & 255);
    if (e == 255) return print_special(to, n, (double)v);
    if (e) m |= 0x800000;
    return print(to, n, &FLOAT, (int)(b >> 31), m, GMI_MAX(e, 1) - 150);
}

/* round-half-even(m * 2^e * 10^digits), exactly. */
static void scaled_integer(big *a, uint64_t m, int e, int digits)
{
    int words, rest, above, more = 0, half;
    big_set(a, m);
    big_pow10(a, digits);
    if (e >= 0) {
        big_shift_left(a, e);
        return;
    }
    if (big_bits(a) < -e) { /* below one half */
        a->n = 0;
        return;
    }
    half = (-e - 1) / 32;
    above = (-e - 1) % 32;
    for (int i = 0; i < half; i++) more |= a->w[i] != 0;
    more |= (a->w[half] & ((UINT64_C(1) << above) - 1)) != 0;
    half = (int)(a->w[half] >> above & 1);
    words = -e / 32;
    rest = -e % 32;
    for (int i = words; i < a->n; i++)
        a->w[i - words] = rest ? (uint32_t)((((i + 1 < a->n ? (uint64_t)a->w[i + 1] : 0) << 32) | a->w[i]) >> rest) : a->w[i];
    a->n -= words;
    while (a->n && !a->w[a->n - 1]) a->n--;
    if (half && (more || (a->n && a->w[0] & 1))) {
        if (!a->n) big_set(a, 1);
        else big_mul_add(a, 1, 1);
    }
}

static uint32_t big_div_small(big *a, uint32_t d)
{
    uint64_t r = 0;
    for (int i = a->n - 1; i >= 0; i--) {
        r = r << 32 | a->w[i];
        a->w[i] = (uint32_t)(r / d);
        r %= d;
    }
    while (a->n && !a->w[a->n - 1]) a->n--;
    return (uint32_t)r;
}

size_t gmi_format_fixed(char *to, size_t n, double v, int digits)
{
    char t[400];
    size_t at = sizeof t; /* filled from the right */
    uint64_t b = bits_of(v), m = b & ((UINT64_C(1) << 52) - 1);
    int e = (int)(b >> 52 & 2047), count = 0, nonzero;
    big a;
    if (e == 2047) return print_special(to, n, v);
    if (e) m |= UINT64_C(1) << 52;
    digits = GMI_MIN(GMI_MAX(digits, 0), 40);
    scaled_integer(&a, m, GMI_MAX(e, 1) - 1075, digits);
    nonzero = a.n > 0;
    while (a.n || count <= digits) {
        if (count == digits && digits) t[--at] = '.';
        t[--at] = (char)('0' + (a.n ? big_div_small(&a, 10) : 0));
        count++;
    }
    if (b >> 63 && nonzero) t[--at] = '-';
    return give(to, n, t + at, sizeof t - at);
}

/* ---- reading ---- */

typedef struct decimal {
    int negative, digits;          /* significant digits kept, without leading zeros */
    int64_t e10;                   /* value = 0.d1d2... with the point moved: digits as an integer, times 10^e10 */
    uint64_t small;                /* the integer, when digits <= 19 */
    const char *at, *end;          /* where the digits stand, with a point between them perhaps */
    int more;                      /* a non-zero digit was dropped */
} decimal;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Counts one digit into d; `behind` is 1 behind the point. */
static void take_digit(decimal *d, char c, int behind)
{
    if (d->digits == 0 && c == '0') { /* a leading zero */
        d->e10 -= behind;
        return;
    }
    if (d->digits == MAX_DIGITS) {
        d->more |= c != '0';
        d->e10 += !behind;
        return;
    }
    if (d->digits < 19) d->small = d->small * 10 + (uint64_t)(c - '0');
    d->digits++;
    d->e10 -= behind;
}

/* e[+-]digits at s[i]; returns the index behind it, or i when it is no exponent (an `e` without digits). */
static size_t scan_exponent(const char *s, size_t n, size_t i, decimal *d)
{
    size_t j = i + 1;
    int negative = 0;
    int64_t e = 0;
    if (i >= n || (s[i] != 'e' && s[i] != 'E')) return i;
    if (j < n && (s[j] == '-' || s[j] == '+')) negative = s[j++] == '-';
    if (j >= n || !is_digit(s[j])) return i;
    for (; j < n && is_digit(s[j]); j++)
        if (e < INT64_C(1000000000000000)) e = e * 10 + (s[j] - '0'); /* far out of range is far enough */
    d->e10 += negative ? -e : e;
    return j;
}

/* [+-]digits[.digits][e[+-]digits], with digits before or behind the point; returns the bytes used, 0 when there is no number. */
static size_t scan(const char *s, size_t n, decimal *d)
{
    size_t i = 0;
    int any = 0, behind = 0;
    memset(d, 0, sizeof *d);
    if (i < n && (s[i] == '-' || s[i] == '+')) d->negative = s[i++] == '-';
    d->at = s + i;
    for (; i < n; i++) {
        if (is_digit(s[i])) {
            any = 1;
            take_digit(d, s[i], behind);
        } else if (s[i] == '.' && !behind && (any || (i + 1 < n && is_digit(s[i + 1]))))
            behind = 1;
        else
            break;
    }
    d->end = s + i;
    return any ? scan_exponent(s, n, i, d) : 0;
}

static int word_at(const char *s, size_t n, const char *word)
{
    size_t len = strlen(word);
    if (n < len) return 0;
    for (size_t i = 0; i < len; i++)
        if ((s[i] | 0x20) != word[i]) return 0;
    return 1;
}

/* The kept digits as an integer, with a last digit 1 for what was dropped: it decides no more than the side of a tie. */
static void big_digits(big *a, decimal *d)
{
    int left = d->digits;
    big_set(a, 0);
    for (const char *p = d->at; p < d->end && left; p++) {
        if (!is_digit(*p) || (!a->n && *p == '0')) continue;
        if (!a->n) big_set(a, (uint64_t)(*p - '0'));
        else big_mul_add(a, 10, (uint32_t)(*p - '0'));
        left--;
    }
    if (d->more) {
        big_mul_add(a, 10, 1);
        d->e10--;
    }
}

/* floor(n / m) for a quotient below 2^bits, by long division; n becomes the remainder. */
static uint64_t divide(big *n, const big *m, int bits)
{
    big part = *m;
    uint64_t q = 0;
    big_shift_left(&part, bits - 1);
    for (int i = bits - 1; i >= 0; i--) {
        if (big_compare(n, &part) >= 0) {
            big_sub_mul(n, &part, 1);
            q |= UINT64_C(1) << i;
        }
        for (int j = 0; j < part.n; j++) part.w[j] = part.w[j] >> 1 | (j + 1 < part.n ? part.w[j + 1] << 31 : 0);
        while (part.n && !part.w[part.n - 1]) part.n--;
    }
    return q;
}

/* Rounds the decimal to the format: mantissa and exponent; mantissa UINT64_MAX stands for infinity. */
static uint64_t round_decimal(const format *f, decimal *d, int *e2)
{
    big n, m;
    uint64_t q;
    int shift, c;
    *e2 = f->least;
    if (!d->digits || d->e10 + d->digits < -330) return 0; /* below half of the least double */
    if (d->e10 + d->digits > 310) return UINT64_MAX;
    big_digits(&n, d);
    big_set(&m, 1);
    if (d->e10 >= 0) big_pow10(&n, (int)d->e10);
    else big_pow10(&m, (int)-d->e10);
    shift = f->p - (big_bits(&n) - big_bits(&m)); /* n/m * 2^shift in (2^(p-1), 2^(p+1)) */
    shift = GMI_MIN(shift, -f->least);
    big_shift_left(&n, GMI_MAX(shift, 0));
    big_shift_left(&m, GMI_MAX(-shift, 0));
    {
        big limit = m;
        big_shift_left(&limit, f->p);
        if (big_compare(&n, &limit) >= 0) {
            big_shift_left(&m, 1);
            shift--;
        }
    }
    q = divide(&n, &m, f->p);
    big_shift_left(&n, 1);
    c = big_compare(&n, &m);
    if (c > 0 || (c == 0 && q & 1)) q++;
    *e2 = -shift;
    if (q >> f->p) { /* rounded up to a power of two */
        q >>= 1;
        ++*e2;
    }
    return *e2 > f->top ? UINT64_MAX : q;
}

static int parse_special(const char *s, size_t n, double *v, size_t *used)
{
    const uint64_t inf = UINT64_C(2047) << 52, nan = inf | UINT64_C(1) << 51;
    size_t i = n && (s[0] == '-' || s[0] == '+') ? 1 : 0;
    uint64_t b;
    if (word_at(s + i, n - i, "nan")) b = nan;
    else if (word_at(s + i, n - i, "inf")) b = inf;
    else return -1;
    *used = i + 3;
    if (b == inf && word_at(s + i, n - i, "infinity")) *used = i + 8;
    if (i && s[0] == '-') b |= UINT64_C(1) << 63;
    memcpy(v, &b, sizeof b);
    return 0;
}

/* Products and quotients of two exact doubles are rounded once: right for up to 15 digits and |e10| <= 22. */
static int fast_path(const decimal *d, double *v)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double x;
    if (d->digits > 15 || d->e10 < -22 || d->e10 > 22) return 0;
    x = (double)d->small;
    x = d->e10 < 0 ? x / power[-d->e10] : x * power[d->e10];
    *v = d->negative ? -x : x;
    return 1;
}

int gmi_parse_double(const char *s, size_t n, double *v, size_t *used)
{
    decimal d;
    size_t bytes = scan(s, n, &d), ignored;
    uint64_t m, b;
    int e;
    if (!used) used = &ignored;
    if (!bytes) return parse_special(s, n, v, used);
    *used = bytes;
    if (fast_path(&d, v)) return 0;
    m = round_decimal(&DOUBLE, &d, &e);
    if (m == UINT64_MAX) b = UINT64_C(2047) << 52;
    else if (m >> 52) b = (uint64_t)(e + 1075) << 52 | (m & ((UINT64_C(1) << 52) - 1));
    else b = m; /* subnormal: e is -1074 */
    b |= (uint64_t)d.negative << 63;
    memcpy(v, &b, sizeof b);
    return 0;
}

int gmi_parse_float(const char *s, size_t n, float *v, size_t *used)
{
    decimal d;
    size_t bytes = scan(s, n, &d), ignored;
    uint64_t m;
    uint32_t b;
    int e;
    if (!used) used = &ignored;
    if (!bytes) {
        double special;
        if (parse_special(s, n, &special, used)) return -1;
        *v = (float)special;
        return 0;
    }
    *used = bytes;
    m = round_decimal(&FLOAT, &d, &e);
    if (m == UINT64_MAX) b = 255u << 23;
    else if (m >> 23) b = (uint32_t)(e + 150) << 23 | ((uint32_t)m & 0x7fffff);
    else b = (uint32_t)m;
    b |= (uint32_t)d.negative << 31;
    memcpy(v, &b, sizeof b);
    return 0;
}
