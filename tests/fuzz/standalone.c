/* SPDX-License-Identifier: MIT */
/* standalone.c: runs a fuzz target without libFuzzer: every file of the folders and files given, and of each MUTATIONS changed copies (bits flipped,
 * bytes set, pieces removed, repeated or cut off), drawn from a fixed seed, so that two runs do the same. Prints "target: N inputs"; a defect ends
 * it by a signal. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUTATIONS 300
#define LONGEST 65536

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint64_t state = 88172645463325252ull;
static long inputs;

static size_t draw(size_t n) /* xorshift64 (Marsaglia 2003), 0..n-1 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state >> 16) % n : 0;
}

/* The bytes as an allocation of exactly their size, so that a sanitizer sees a read past them. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) exit(1);
    memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    inputs++;
}

static size_t mutate(uint8_t *p, size_t n)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', '\\', '{', '}', '[', ']', ',', ':', ' ', '\n', '\r'};
    size_t at = draw(n), k = 1 + draw(n - at < 16 ? n - at : 16);
    switch (draw(6)) {
    case 0: p[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: p[at] = values[draw(sizeof values)]; break;
    case 2: p[at] = (uint8_t)draw(256); break;
    case 3:
        memmove(p + at, p + at + k, n - at - k);
        return n - k;
    case 4:
        if (n + k > LONGEST) break;
        memmove(p + at + k, p + at, n - at);
        return n + k;
    default: return draw(8) ? n : at;
    }
    return n;
}

static void run_file(const char *path)
{
    static uint8_t seed[LONGEST], now[LONGEST];
    FILE *f = fopen(path, "rb");
    size_t n;
    if (!f) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    n = fread(seed, 1, sizeof seed, f);
    fclose(f);
    run(seed, n);
    for (int i = 0; i < MUTATIONS && n; i++) {
        size_t k = n;
        memcpy(now, seed, n);
        for (size_t times = 1 + draw(4); times && k; times--) k = mutate(now, k);
        run(now, k);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_folder(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.') {
            names = realloc(names, (n + 1) * sizeof *names);
            names[n] = malloc(strlen(path) + strlen(e->d_name) + 2);
            sprintf(names[n++], "%s/%s", path, e->d_name);
        }
    if (d) closedir(d);
    if (n) qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        run_file(names[i]);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat s;
        if (stat(argv[i], &s) == 0 && S_ISDIR(s.st_mode)) run_folder(argv[i]);
        else run_file(argv[i]);
    }
    printf("%s: %ld inputs\n", argv[0], inputs);
    return inputs ? 0 : 1;
}
