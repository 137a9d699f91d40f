/* SPDX-License-Identifier: MIT */
/* fuzz_csv.c: any bytes as a table, from memory and through a pipe: the same rows; cells are terminated; as numbers too. */
#include "format/csv.h"
#include "fuzz.h"

/* A hash of all cells and the status. */
static uint64_t rows(const uint8_t *p, size_t n, int pipe)
{
    gmi_csv t;
    gmi_in in;
    int got = 1;
    uint64_t h = GMI_HASH_START;
    gm_status s = gmi_csv_open(fuzz_open(p, n, pipe, &in), &in, NULL, &t);
    while (!s && got) {
        s = gmi_csv_next(&t, &got);
        for (int64_t i = 0; !s && got && i < t.columns; i++) {
            double v;
            if (t.cells[i].text[t.cells[i].n]) fuzz_fail("a cell is not terminated");
            h = gmi_hash_bytes(h, t.cells[i].text, t.cells[i].n + 1);
            h = gmi_mix64(h ^ (uint64_t)gmi_csv_cell_number(&t.cells[i], &v));
        }
    }
    if (!s && t.names) gmi_csv_column(&t, "x");
    gmi_csv_close(&t);
    fuzz_close(&in, s);
    return gmi_mix64(h ^ (uint64_t)s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    gmi_csv_options o;
    gm_tensor *t = NULL;
    gmi_in in;
    gm_status s;
    if (rows(p, n, 0) != rows(p, n, 1)) fuzz_fail("memory and pipe do not agree");
    gmi_csv_options_init(&o);
    o.missing = (int32_t)(n & 1);
    s = gmi_csv_read(fuzz_open(p, n, 1, &in), &in, &o, n & 2 ? GM_F32 : GM_F64, &t, NULL);
    gm_tensor_destroy(t);
    fuzz_close(&in, s);
    return 0;
}
