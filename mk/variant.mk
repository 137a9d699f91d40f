# SPDX-License-Identifier: MIT
# A variant is one compiler with one set of flags; its objects live in build/<variant>/, so that a changed flag rebuilds and
# two variants never mix. What the compiler can do is asked once per variant (mk/probe.sh) and kept in build/<variant>/probe.mk.

NOBUILD_GOALS = clean dist uninstall docs help amalgamation
NEEDS_BUILD  := $(if $(MAKECMDGOALS),$(filter-out $(NOBUILD_GOALS),$(MAKECMDGOALS)),all)

# As many jobs as processors when nothing is said; `make clean all` stays in order.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || echo 1)
endif
endif

# `make -s` is silent on stdout; otherwise one short line a file, V=1 shows the commands.
QUIET := $(if $(V),,@)
ifneq ($(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS)))),)
say = @:
else
say = @printf '  %-4s %s\n' $(1) $(2)
endif

ifneq ($(NEEDS_BUILD),)
CC_ID   := $(shell $(CC) --version 2>/dev/null | head -n 1)
KEY     := $(CC)|$(CC_ID)|$(AR)|$(CPPFLAGS)|$(CFLAGS)|$(LDFLAGS)|$(LDLIBS)|$(ISAS)|$(CBLAS)|$(CBLAS_CFLAGS)|$(THREADS)|$(INFER_ONLY)|$(MESSAGES)
VARIANT := $(notdir $(firstword $(CC)))-$(firstword $(shell printf '%s' '$(subst ','\'',$(KEY) $(STRICT) $(OBJECT) $(SMALL) $(SMALL_KERNELS))' | cksum))
B       := build/$(VARIANT)
PROBED  := $(shell CC='$(CC)' AR='$(AR)' CFLAGS='$(subst ','\'',$(CPPFLAGS) $(CFLAGS))' STRICT='$(STRICT)' ISAS='$(ISAS)' SOMAJOR='$(SOMAJOR)' \
             AVX2='$(ISA_FLAGS_avx2)' AVX512='$(ISA_FLAGS_avx512)' SSE2='$(ISA_FLAGS_sse2)' sh mk/probe.sh $(B) && echo ok)
ifneq ($(lastword $(PROBED)),ok)
$(error $(CC) cannot compile a C99 file with these flags: $(CPPFLAGS) $(CFLAGS))
endif
include $(B)/probe.mk
endif

VERSION  := $(shell awk '/define GM_VERSION_(MAJOR|MINOR|PATCH)/ { v = v s $$3; s = "." } END { print v }' include/genrep/base.h)
BASE      = -Iinclude -Isrc $(SWITCHES)
MANDATORY = $(WARN) $(STRICT) $(PROBE_FLAGS) $(OBJECT)
LINK      = $(filter-out $(UNLINK),$(CFLAGS) $(LDFLAGS))
