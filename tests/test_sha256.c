/* SPDX-License-Identifier: MIT */
/* test_sha256.c: the examples of FIPS 180-4 and NIST's example files, any splitting of the input, lengths around the padding. */
#include "base/base.h"
#include "tap.h"

static const char *digest(const void *p, size_t n, size_t step)
{
    static char hex[65];
    uint8_t d[32];
    gmi_sha256 s;
    gmi_sha256_init(&s);
    for (size_t i = 0; i < n; i += step) gmi_sha256_add(&s, (const char *)p + i, step < n - i ? step : n - i);
    gmi_sha256_end(&s, d);
    gmi_sha256_hex(d, hex);
    return hex;
}

int main(void)
{
    static char million[1000000];
    char whole[65], lengths[300];
    int bad = 0;
    gmi_sha256 all;
    uint8_t d[32];
    is_text(digest("", 0, 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
    is_text(digest("abc", 3, 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
    is_text(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 7), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            "two blocks");
    memset(million, 'a', sizeof million);
    is_text(digest(million, sizeof million, 4093), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "a million a's");
    for (size_t i = 0; i < sizeof lengths; i++) lengths[i] = (char)(i * 7);
    for (size_t n = 0; n <= sizeof lengths; n++) {
        memcpy(whole, digest(lengths, n, n ? n : 1), sizeof whole);
        for (size_t step = 1; step < 70; step += 11) bad += strcmp(whole, digest(lengths, n, step)) != 0;
    }
    is_int(bad, 0, "lengths 0 to 300 in pieces of any size");
    /* The digest of all those digests, as sha256sum of the concatenated hex lines gives it, pins every length at once. */
    gmi_sha256_init(&all);
    for (size_t n = 0; n <= 128; n++) {
        memset(million, 0, n);
        gmi_sha256_add(&all, digest(million, n, 64), 64);
    }
    gmi_sha256_end(&all, d);
    gmi_sha256_hex(d, whole);
    is_text(whole, "8ef7bd4ff9eecaa2348290cb5c3baede027a4fe72fe5f5852f9df16bd4802bcb", "0 to 128 zero bytes");
    return done();
}
