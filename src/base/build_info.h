/* SPDX-License-Identifier: MIT */
/* build_info.h: the four version numbers. ABI is the soname's; the others are written into files. A CBLAS build sums matrix products in an order of
 * its own, so it has a numeric profile of its own. */
#ifndef GMI_BASE_BUILD_INFO_H
#define GMI_BASE_BUILD_INFO_H

/* 0 in a build that does not train (make INFER_ONLY=1). Used as `if (GM_TRAINING)`, so that both branches compile. */
#ifndef GM_TRAINING
#define GM_TRAINING 1
#endif

/* 0 in a build whose errors are a status, a call and the words of the status (make MESSAGES=0). */
#ifndef GM_MESSAGES
#define GM_MESSAGES GM_TRAINING
#endif

#define GMI_ABI 0
#define GMI_FILE_FORMAT 1
#define GMI_CODEC_VERSION 1
#ifdef GM_HAVE_CBLAS
#define GMI_NUMERIC_PROFILE 1001
#else
#define GMI_NUMERIC_PROFILE 1
#endif
const char *gmi_library_name(void); /* "libgenrep 0.1.0": who made a file */
#endif
