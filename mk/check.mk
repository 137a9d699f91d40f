# SPDX-License-Identifier: MIT
# Tests. Each tests/*.c is a TAP program; opcheck* and oracle* are built against the float and the double library (_f32, _f64).
# tests/support/*.c is linked into all of them. Scripts of tests/scripts print TAP as well and read the environment set here.

ifneq ($(and $(filter 1,$(INFER_ONLY)),$(filter check%,$(MAKECMDGOALS))),)
$(error the tests train: builds with INFER_ONLY=1 are checked by tests/full/builds.sh)
endif

BOTH_SRC   := $(sort $(wildcard tests/opcheck*.c tests/oracle*.c))
TEST_SRC   := $(filter-out $(BOTH_SRC),$(sort $(wildcard tests/*.c)))
SUPPORT    := $(wildcard tests/support/*.c)
PROGRAMS   := $(TEST_SRC:tests/%.c=$(B)/tests/%) $(foreach s,_f32 _f64,$(BOTH_SRC:tests/%.c=$(B)/tests/%$(s)))
FUZZ       := $(if $(wildcard tests/fuzz/standalone.c),$(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c))))
SCRIPTS    := $(sort $(wildcard tests/scripts/*.sh))
FULL       := $(sort $(wildcard tests/full/*.sh))
TEST_FLAGS  = -Itests $(BASE) $(CPPFLAGS) $(CFLAGS) $(MANDATORY)

$(B)/tests/%_f64: tests/%.c $(SUPPORT) $(ORACLE_A)
	@mkdir -p $(@D)
	$(call say,CC,'$< (double)')
	$(QUIET)$(CC) $(TEST_FLAGS) $(ORACLE) $(DEPS) $(LINKED)

$(B)/tests/%_f32: tests/%.c $(SUPPORT) $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(TEST_FLAGS) $(HAVE) $(DEPS) $(LINKED)

$(B)/tests/%: tests/%.c $(SUPPORT) $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(TEST_FLAGS) $(HAVE) $(DEPS) $(LINKED)

$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/standalone.c $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) -Itests/fuzz $(TEST_FLAGS) $(HAVE) $(DEPS) $(LINKED)

quoted     = '$(subst ','\'',$(1))'
export_env = GM_BUILD='$(B)' GM_RUN=$(call quoted,$(RUN)) GM_ISAS='$(PROBE_ISAS)' GM_ISAS_ASKED='$(ISAS)' GM_VERSION='$(VERSION)' GM_ISA_OBJ='$(ISA_OBJ)' \
             GM_EXAMPLES='$(EXAMPLES)' GM_FUZZ='$(FUZZ)' GM_MAKE='$(MAKE)' CC=$(call quoted,$(CC)) CXX='$(CXX)' AR='$(AR)' CFLAGS=$(call quoted,$(CFLAGS)) \
             CPPFLAGS=$(call quoted,$(CPPFLAGS)) LDFLAGS=$(call quoted,$(LDFLAGS)) LDLIBS='$(LDLIBS)' CBLAS='$(CBLAS)' CBLAS_CFLAGS='$(CBLAS_CFLAGS)' \
             GM_THREADS='$(THREADS)' GM_INFER_ONLY='$(INFER_ONLY)' GM_MESSAGES='$(MESSAGES)'
chosen     = $(if $(TESTS),$(filter $(addprefix %/,$(TESTS)),$(1)),$(1))

check: all programs
	@$(export_env) sh tests/run.sh $(call chosen,$(PROGRAMS)) $(SCRIPTS)

# The programs alone, without what looks at objects or installs: for sanitizers, valgrind, qemu.
check-programs: programs
	@$(export_env) sh tests/run.sh $(call chosen,$(PROGRAMS)) $(filter %/examples.sh %/cli.sh %/fuzz.sh,$(if $(TESTS),,$(SCRIPTS)))

# check, then the scripts of tests/full one after the other: each builds variants of its own with all jobs. check-extra is the second half.
check-full: check
	$(run_extra)
check-extra: all programs
	$(run_extra)
run_extra  = @$(export_env) GM_TIMEOUT=3600 GM_JOBS=1 GM_TAP='$(B)/tap-full' sh tests/run.sh $(FULL)

programs: $(PROGRAMS) $(EXAMPLES) $(EXPERIMENTS) $(FUZZ)

.PHONY: check check-programs check-full check-extra programs
-include $(addsuffix .d,$(PROGRAMS) $(FUZZ))

# libFuzzer programs; needs CC=clang and CPPFLAGS=-fsanitize=fuzzer-no-link (tests/full/fuzz.sh).
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzzers/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
$(B)/fuzzers/%: tests/fuzz/%.c $(A)
	@mkdir -p $(@D)
	$(QUIET)$(CC) -Itests/fuzz $(TEST_FLAGS) $(HAVE) -fsanitize=fuzzer $(LINKED)
fuzzers: $(FUZZERS)

print-build:
	@echo $(B)
.PHONY: fuzzers print-build
