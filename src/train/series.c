/* SPDX-License-Identifier: MIT */
/* series.c: windows of a long signal as rows of a dataset.
 *
 * Row i holds times [i * hop, i * hop + window) as [channels, window]. No window is copied: the rows are a tensor with overlapping strides over the
 * series, which may be sound of any length in the host's memory. What is left at the end and does not fill a window is not used. */
#include "train/dataset.h"

gm_status gmi_dataset_windows(gm_context *c, gm_tensor *t, int64_t window, int64_t hop, const gm_spec *spec, gm_dataset **out)
{
    gm_tensor *view = NULL;
    int64_t channels = t->rank > 1 ? t->dims[1] : 1, frames = t->rank ? t->dims[0] : 0;
    gm_status s = GM_OK;
    if (t->rank < 1 || t->rank > 2) s = gmi_fail(c, GM_E_SHAPE, "the series is %v: [time] or [time, channels] is needed", t->rank, t->dims);
    else if (window < 1 || hop < 1) s = gmi_fail(c, GM_E_RANGE, "window is %i and hop %i: both are at least 1", window, hop);
    else if (window > frames) s = gmi_fail(c, GM_E_SHAPE, "window is %i, the series has only %i times", window, frames);
    if (!s) s = gm_tensor_slice(t, 0, 0, frames, &view);
    gm_tensor_destroy(t); /* the view keeps it */
    if (s) return s;
    view->rank = 3;
    view->strides[2] = view->strides[0];
    view->strides[1] = channels > 1 ? view->strides[1] : (int64_t)gmi_dtype_size(view->dtype);
    /* With one window no stride is followed, and hop may be anything. */
    view->strides[0] = frames - window < hop ? 0 : view->strides[0] * hop;
    view->dims[0] = (frames - window) / hop + 1;
    view->dims[1] = channels;
    view->dims[2] = window;
    return gmi_dataset_make(c, view, spec, NULL, NULL, out);
}

gm_status gm_dataset_from_series(gm_tensor *x, int64_t window, int64_t hop, gm_dataset **out)
{
    gm_tensor *own = NULL;
    gm_spec spec;
    gm_status s;
    if (out) *out = NULL;
    if (!x || !out) return GM_E_INVALID;
    gmi_enter(x->ctx, "dataset_from_series");
    gm_spec_init(&spec, sizeof spec);
    if (x->rank < 1) s = gmi_fail(x->ctx, GM_E_SHAPE, "the series has rank 0: [time] or [time, channels] is needed");
    else s = gm_tensor_slice(x, 0, 0, x->dims[0], &own);
    if (!s) s = gmi_dataset_windows(x->ctx, own, window, hop, &spec, out);
    return gmi_leave(x->ctx, s);
}
