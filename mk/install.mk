# SPDX-License-Identifier: MIT
# install, uninstall, docs, dist, clean.

HEADERS := $(patsubst include/%,%,$(wildcard include/genrep.h) $(sort $(wildcard include/genrep/*.h)))
PCDIR    = $(LIBDIR)/pkgconfig
CMAKEDIR = $(LIBDIR)/cmake/genrep
# What a static link needs besides the archive.
PRIVATE  = $(strip $(PTHREAD) $(CBLAS) $(if $(filter 1,$(INFER_ONLY)),$(filter -Wl$(comma)--gc-sections,$(PROBE_GC))))
comma   := ,
empty   :=
# From CMAKEDIR to the headers: up from LIBDIR as long as both are below PREFIX, else as it is.
up        = $(subst $(empty) ,,$(foreach d,$(subst /, ,$(1)),../))
below     = $(filter $(PREFIX)/%,$(1))
CMAKEREL  = $${CMAKE_CURRENT_LIST_DIR}/../../$(call up,$(LIBDIR:$(PREFIX)/%=%))$(INCLUDEDIR:$(PREFIX)/%=%)
CMAKEINC  = $(if $(and $(call below,$(LIBDIR)),$(call below,$(INCLUDEDIR))),$(CMAKEREL),$(INCLUDEDIR))
numbers   = $(subst ., ,$(VERSION))

lib/%.cmake: pkgconfig/%.cmake.in FORCE
	@mkdir -p lib
	@sed -e 's|@INCLUDEDIR@|$(CMAKEINC)|' -e 's|@SOMAJOR@|$(SOMAJOR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@PRIVATE@|$(subst $(empty) ,;,$(PRIVATE))|' \
	  -e 's|@MAJOR@|$(word 1,$(numbers))|' -e 's|@MAJOR_MINOR@|$(word 1,$(numbers))[.]$(word 2,$(numbers))|' $< >$@

lib/libgenrep.pc: pkgconfig/libgenrep.pc.in FORCE
	@mkdir -p lib
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	  -e 's|@PRIVATE@|$(PRIVATE)|' $< >$@

install: all lib/libgenrep.pc lib/genrepConfig.cmake lib/genrepConfigVersion.cmake $(B)/examples/genrep
	@mkdir -p '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(PCDIR)' '$(DESTDIR)$(CMAKEDIR)' '$(DESTDIR)$(INCLUDEDIR)/genrep' '$(DESTDIR)$(BINDIR)' \
	  '$(DESTDIR)$(MANDIR)/man1'
	for h in $(HEADERS); do install -m 644 include/$$h '$(DESTDIR)$(INCLUDEDIR)'/$$h || exit 1; done
	install -m 644 lib/libgenrep.a '$(DESTDIR)$(LIBDIR)/libgenrep.a'
	install -m 755 lib/libgenrep.so.$(SOMAJOR) '$(DESTDIR)$(LIBDIR)/libgenrep.so.$(SOMAJOR)'
	ln -sf libgenrep.so.$(SOMAJOR) '$(DESTDIR)$(LIBDIR)/libgenrep.so'
	install -m 644 lib/libgenrep.pc '$(DESTDIR)$(PCDIR)/libgenrep.pc'
	install -m 644 lib/genrepConfig.cmake lib/genrepConfigVersion.cmake '$(DESTDIR)$(CMAKEDIR)/'
	install -m 755 $(B)/examples/genrep '$(DESTDIR)$(BINDIR)/genrep'
	install -m 644 docs/genrep.1 '$(DESTDIR)$(MANDIR)/man1/genrep.1'

uninstall:
	rm -f $(HEADERS:%='$(DESTDIR)$(INCLUDEDIR)/%') '$(DESTDIR)$(LIBDIR)/libgenrep.a' '$(DESTDIR)$(LIBDIR)/libgenrep.so' \
	  '$(DESTDIR)$(LIBDIR)/libgenrep.so.$(SOMAJOR)' '$(DESTDIR)$(PCDIR)/libgenrep.pc' '$(DESTDIR)$(BINDIR)/genrep' \
	  '$(DESTDIR)$(MANDIR)/man1/genrep.1' '$(DESTDIR)$(CMAKEDIR)/genrepConfig.cmake' '$(DESTDIR)$(CMAKEDIR)/genrepConfigVersion.cmake'
	-rmdir '$(DESTDIR)$(INCLUDEDIR)/genrep' '$(DESTDIR)$(CMAKEDIR)' 2>/dev/null

# What repeats the headers: docs/symbols.txt, and an index of functions in build/docs/functions.md.
docs:
	@sh mk/docs.sh '$(VERSION)'

dist:
	@mkdir -p build/dist
	git archive --format=tar --prefix=libgenrep-$(VERSION)/ HEAD | gzip -9n >build/dist/libgenrep-$(VERSION).tar.gz

# build/amalgamation/genrep.c and genrep.h: the library as two files for a host's own build.
AMALGAMATION ?= build/amalgamation
amalgamation:
	@mkdir -p $(AMALGAMATION)
	@GM_ISA_SRC='$(ISA_SRC)' GM_ISA_SRC_SSE2='$(ISA_SRC_sse2)' GM_ISA_SRC_SMALL='$(ISA_SRC_small)' GM_INFER_OUT='$(INFER_OUT)' \
	  sh mk/amalgamation.sh $(AMALGAMATION) '$(VERSION)'

clean:
	rm -rf build out lib/libgenrep.* lib/genrepConfig*.cmake

.PHONY: install uninstall docs dist amalgamation clean
