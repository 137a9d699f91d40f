# SPDX-License-Identifier: MIT
# Programs: examples, demo, experiments, bench. They link the static library of their variant.

EXAMPLES    := $(patsubst examples/%.c,$(B)/examples/%,$(sort $(wildcard examples/*.c)))
# What experiments share; every one of them links all of it.
COMPANIONS  := $(patsubst %,tests/experiments/%.c,common classifier gans mixture)
EXPERIMENTS := $(patsubst tests/experiments/%.c,$(B)/experiments/%,$(filter-out $(COMPANIONS),$(sort $(wildcard tests/experiments/*.c))))
# What is linked: the source of the rule and its companions by name; header dependencies may add .c files that a test includes.
LINKED       = $(LINK) -o $@ $(filter $< tests/support/%.c $(COMPANIONS) %/standalone.c %.a,$^) -pthread $(CBLAS) $(LDLIBS) -lm
DEPS         = -MMD -MP -MF $@.d -MT $@

# Examples see the public headers alone.
$(B)/examples/%: examples/%.c $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) -Iinclude $(CPPFLAGS) $(CFLAGS) $(MANDATORY) $(DEPS) $(LINKED)

$(B)/experiments/%: tests/experiments/%.c $(COMPANIONS) $(wildcard tests/experiments/*.h) $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) -Itests/experiments $(BASE) $(CPPFLAGS) $(CFLAGS) $(MANDATORY) $(HAVE) $(DEPS) $(LINKED)

$(B)/bench/%: tests/bench/%.c $(A)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) -Itests/bench $(BASE) $(CPPFLAGS) $(CFLAGS) $(MANDATORY) $(HAVE) $(DEPS) $(LINKED)

examples: $(EXAMPLES)

# DATA may hold gzipped files: mk/data.sh unpacks them below build/data and prints the folder to read.
demo: $(B)/examples/demo
	@d=$$(sh mk/data.sh '$(or $(DATA),data/digits)') && mkdir -p out && $(RUN) $(B)/examples/demo --data "$$d" --out out

experiment: $(if $(NAME),$(B)/experiments/$(NAME))
	@test -n '$(NAME)' || { echo 'usage: make -s experiment NAME=<one of: $(notdir $(EXPERIMENTS))> [DATA=DIR] [ARGS="..."] [RUN=...]' >&2; exit 2; }
	@$(if $(DATA),d=$$(sh mk/data.sh '$(DATA)') && set -- --data "$$d" && )$(RUN) $(B)/experiments/$(NAME) $(if $(DATA),"$$@") $(ARGS)

profile: $(B)/bench/profile
	@$(RUN) $(B)/bench/profile $(BENCH_ARGS)

bench: $(B)/bench/bench lib/libgenrep.so
	@$(RUN) $(B)/bench/bench $(BENCH_ARGS)

.PHONY: examples demo experiment bench profile
-include $(addsuffix .d,$(EXAMPLES) $(EXPERIMENTS) $(B)/bench/bench $(B)/bench/profile)
