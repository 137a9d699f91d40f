/* SPDX-License-Identifier: MIT */
/* fuzz_pnm.c: any bytes as a pnm file, from memory and through a pipe; what comes has no more elements than the bytes allow. */
#include "format/pnm.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    for (int pipe = 0; pipe < 2; pipe++) {
        gm_tensor *t = NULL;
        gmi_in in;
        gm_context *c = fuzz_open(p, n, pipe, &in);
        gm_status s = gmi_pnm_read(c, &in, pipe, NULL, &t);
        if (!s != (t != NULL)) fuzz_fail("a tensor and a failure");
        if (t && t->dims[0] > 0 &&
            gmi_tensor_count(t) * (int64_t)gmi_dtype_size(t->dtype) > 2 * (int64_t)n) fuzz_fail("more elements than the file can hold");
        gm_tensor_destroy(t);
        fuzz_close(&in, s);
    }
    return 0;
}
