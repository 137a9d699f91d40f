# SPDX-License-Identifier: MIT
# The library: sources are found by wildcard, those in ISA_SRC are compiled once per level, everything else once. One set of
# position-independent objects makes both libraries. The oracle is the same sources in double, scalar only, for tests.

# infer_only.c answers for what an INFER_ONLY build leaves out.
SRC        := $(filter-out $(if $(filter 1,$(INFER_ONLY)),$(INFER_OUT:%=src/%.c),%/infer_only.c) $(if $(CBLAS),,%/cblas.c),$(sort $(wildcard src/*/*.c)))
ISA_FILES  := $(filter $(ISA_SRC:%=src/kernels/%.c),$(SRC))
PLAIN_SRC  := $(filter-out $(ISA_FILES),$(SRC))
HAVE        = $(foreach i,$(PROBE_ISAS),-DGM_HAVE_$(call upper,$(i))=1)
upper       = $(subst scalar,SCALAR,$(subst sse2,SSE2,$(subst avx2,AVX2,$(subst avx512,AVX512,$(subst neon,NEON,$(1))))))
# Files of level $(1): ISA_SRC_<level> where that is given, all of them otherwise; fewer in an INFER_ONLY build.
isa_names   = $(or $(ISA_SRC_$(1)),$(if $(filter 1,$(INFER_ONLY)),$(ISA_SRC_small),$(ISA_SRC)))
isa_files   = $(filter $(patsubst %,src/kernels/%.c,$(call isa_names,$(1))),$(ISA_FILES))
ISA_OBJ    := $(foreach i,$(PROBE_ISAS),$(patsubst src/%.c,$(B)/obj/%.$(i).o,$(call isa_files,$(i))))
OBJ        := $(PLAIN_SRC:src/%.c=$(B)/obj/%.o) $(ISA_OBJ)
ORACLE_OBJ := $(patsubst src/%.c,$(B)/oracle/%.o,$(filter-out %/cblas.c,$(PLAIN_SRC))) $(ISA_FILES:src/%.c=$(B)/oracle/%.scalar.o)
A          := $(B)/libgenrep.a
SO         := $(B)/libgenrep.so.$(SOMAJOR)
ORACLE_A   := $(B)/oracle/libgenrep.a

# A build with CBLAS has src/kernels/cblas.c as well; the oracle never does.
ifneq ($(CBLAS),)
HAVE += -DGM_HAVE_CBLAS=1 $(CBLAS_CFLAGS)
endif

COMPILE = $(QUIET)$(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) $(MANDATORY)
small       = $(if $(filter src/kernels/%,$(1)),$(SMALL_KERNELS),$(SMALL))

define isa_rule
$(B)/obj/%.$(1).o: src/%.c Makefile
	@mkdir -p $$(@D)
	$$(call say,CC,'$$< ($(1))')
	$$(COMPILE) $$(HAVE) $$(SMALL_KERNELS) $$(ISA_FLAGS_$(1)) -DGM_ISA=$(1) -DGM_ISA_$(call upper,$(1))=1 -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(PROBE_ISAS),$(eval $(call isa_rule,$(i))))

$(B)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(COMPILE) $(HAVE) $(call small,$<) -MMD -MP -c -o $@ $<

ORACLE = -DGMI_ORACLE=1 -DGM_HAVE_SCALAR=1
$(B)/oracle/%.scalar.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,'$< (double)')
	$(COMPILE) $(ORACLE) -DGM_ISA=scalar -DGM_ISA_SCALAR=1 -MMD -MP -c -o $@ $<

$(B)/oracle/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,'$< (double)')
	$(COMPILE) $(ORACLE) -MMD -MP -c -o $@ $<

# The list of objects is a prerequisite too: a source that went away leaves the archive.
$(A): $(OBJ) $(B)/objects
$(ORACLE_A): $(ORACLE_OBJ) $(B)/objects
$(A) $(ORACLE_A):
	$(call say,AR,$@)
	@rm -f $@.new
	$(QUIET)$(AR) $(PROBE_AR) $@.new $(filter %.o,$^) && mv -f $@.new $@

$(SO): $(OBJ) $(B)/objects src/libgenrep.map
	$(call say,LD,$@)
	$(QUIET)$(CC) $(LINK) $(PROBE_SO) $(if $(filter 1,$(INFER_ONLY)),$(PROBE_GC)) -o $@ $(filter %.o,$^) $(PTHREAD) $(CBLAS) $(LDLIBS)

$(B)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(OBJ)' | cmp -s - $@ || echo '$(OBJ)' >$@

# lib/ holds the libraries of the variant that was built last.
all: lib/libgenrep.a lib/libgenrep.so
lib/libgenrep.a: $(A) FORCE
	@mkdir -p lib
	@cmp -s $(A) $@ || { cp $(A) $@.tmp && mv -f $@.tmp $@; }
lib/libgenrep.so.$(SOMAJOR): $(SO) FORCE
	@mkdir -p lib
	@cmp -s $(SO) $@ || { cp $(SO) $@.tmp && mv -f $@.tmp $@; }
lib/libgenrep.so: lib/libgenrep.so.$(SOMAJOR)
	@ln -sf libgenrep.so.$(SOMAJOR) $@

FORCE:
.PHONY: FORCE
-include $(OBJ:.o=.d) $(ORACLE_OBJ:.o=.d)
