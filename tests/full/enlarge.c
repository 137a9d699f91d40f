/* SPDX-License-Identifier: MIT */
/* enlarge.c FROM TO: the digits of data/digits as 28x28 images with values 0..255 under the names of MNIST's files, 1500 to train and 297 to test.
 *
 * Each pixel becomes a 3x3 block, with a border of two. Not a replacement for MNIST: input of the right shape for tests that compare bits. */
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1797, TRAIN = 1500 };

static void word(FILE *f, unsigned v)
{
    for (int s = 24; s >= 0; s -= 8) putc((int)(v >> s & 255), f);
}

static FILE *open_or_die(const char *dir, const char *name, const char *mode)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, mode);
    if (!f) perror(path), exit(1);
    return f;
}

int main(int argc, char **argv)
{
    static unsigned char x[COUNT][8][8], y[COUNT];
    if (argc != 3) return 1;
    FILE *fx = open_or_die(argv[1], "images-idx3-ubyte", "rb"), *fy = open_or_die(argv[1], "labels-idx1-ubyte", "rb");
    fseek(fx, 16, SEEK_SET);
    fseek(fy, 8, SEEK_SET);
    if (fread(x, sizeof x, 1, fx) != 1 || fread(y, sizeof y, 1, fy) != 1) return 1;
    fclose(fx);
    fclose(fy);
    for (int part = 0; part < 2; part++) {
        int first = part ? TRAIN : 0, end = part ? COUNT : TRAIN;
        FILE *gx = open_or_die(argv[2], part ? "t10k-images-idx3-ubyte" : "train-images-idx3-ubyte", "wb");
        FILE *gy = open_or_die(argv[2], part ? "t10k-labels-idx1-ubyte" : "train-labels-idx1-ubyte", "wb");
        word(gx, 0x803), word(gx, (unsigned)(end - first)), word(gx, 28), word(gx, 28);
        word(gy, 0x801), word(gy, (unsigned)(end - first));
        for (int i = first; i < end; i++) {
            for (int r = 0; r < 28; r++)
                for (int c = 0; c < 28; c++) {
                    int in = r >= 2 && r < 26 && c >= 2 && c < 26;
                    putc(in ? x[i][(r - 2) / 3][(c - 2) / 3] * 255 / 16 : 0, gx);
                }
            putc(y[i], gy);
        }
        if (fclose(gx) || fclose(gy)) return 1;
    }
    return 0;
}
