/* SPDX-License-Identifier: MIT */
/* safetensors_own.h: what safetensors.c, safetensors_data.c and safetensors_write.c share. */
#ifndef GMI_FORMAT_SAFETENSORS_OWN_H
#define GMI_FORMAT_SAFETENSORS_OWN_H
#include "format/safetensors.h"
/* gmi_fail_at with "safetensors: " before the text and the rule (GMI_ST_E_x) as gm_error.detail. */
gm_status gmi_st_bad(gm_context *c, gm_status s, int32_t rule, uint64_t where, const char *f, ...);
#if !GM_MESSAGES
#define gmi_st_bad(c, s, rule, where, ...) ((void)sizeof(gmi_no_text(__VA_ARGS__)), (gmi_st_bad)(c, s, rule, where, "rule %d", rule))
#endif
void gmi_st_sort(void *user, int64_t n, int (*compare)(const void *, int64_t, int64_t), void (*swap)(void *, int64_t, int64_t));
#endif
