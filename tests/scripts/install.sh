#!/bin/sh
# SPDX-License-Identifier: MIT
# A staged install, a program elsewhere built through pkg-config against both libraries, and an uninstall that leaves nothing.
. tests/scripts/tap.inc
stage=$tmp/stage; prefix=/opt/genrep
mk() { $GM_MAKE -s "$@" DESTDIR="$stage" PREFIX=$prefix CC="$CC" AR="$AR" CFLAGS="$CFLAGS" CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS" LDLIBS="$LDLIBS" \
    ISAS="$GM_ISAS_ASKED" CBLAS="$CBLAS" CBLAS_CFLAGS="$CBLAS_CFLAGS" THREADS="$GM_THREADS" INFER_ONLY="$GM_INFER_ONLY" MESSAGES="$GM_MESSAGES" >>"$tmp/log" 2>&1; }
mk install; rc=$?; ok $rc "make install into a staged prefix"; [ $rc = 0 ] || note <"$tmp/log"
for f in include/genrep.h include/genrep/base.h include/genrep/vae.h lib/libgenrep.a lib/libgenrep.so lib/libgenrep.so.0 lib/pkgconfig/libgenrep.pc \
         lib/cmake/genrep/genrepConfig.cmake lib/cmake/genrep/genrepConfigVersion.cmake bin/genrep share/man/man1/genrep.1; do
    [ -e "$stage$prefix/$f" ] || echo "$f"
done >"$tmp/bad"
ok_empty "$tmp/bad" "headers, both libraries, libgenrep.pc, the CMake package, the program and its manual are there"
$GM_RUN "$stage$prefix/bin/genrep" --version | grep -q "^libgenrep $GM_VERSION;"; ok $? "genrep --version"

mkdir "$tmp/elsewhere"
cat >"$tmp/elsewhere/app.c" <<'C'
#include <genrep.h>
int main(void)
{
    gm_context *c = NULL;
    if (gm_version_number() != GM_VERSION_NUMBER || gm_context_create(NULL, &c)) return 1;
    gm_context_destroy(c);
    return 0;
}
C
if have pkg-config; then
    PKG_CONFIG_PATH=$stage$prefix/lib/pkgconfig; PKG_CONFIG_SYSROOT_DIR=$stage; export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    pc() { pkg-config "$@" libgenrep; }
else
    skip "pkg-config not installed, its answers are replaced by hand"
    pc() { echo "-I$stage$prefix/include -L$stage$prefix/lib -lgenrep -pthread"; }
fi
cd "$tmp/elsewhere" || exit 1
san=; for f in $CFLAGS $LDFLAGS; do case $f in -fsanitize*|--coverage|-m32|-flto*) san="$san $f" ;; esac; done
{ $CC $san app.c $(pc --cflags --libs) -o shared && LD_LIBRARY_PATH=$stage$prefix/lib $GM_RUN ./shared; } >>"$tmp/log" 2>&1
ok $? "cc app.c \$(pkg-config --cflags --libs libgenrep)"
{ $CC $san app.c $(pc --cflags --libs --static) -o both && LD_LIBRARY_PATH=$stage$prefix/lib $GM_RUN ./both; } >>"$tmp/log" 2>&1
ok $? "with --static"

# CMake: both targets, from a tree that was moved to another place, as an older and as a newer version.
if have cmake && [ -z "$san$GM_RUN" ]; then
    mkdir "$tmp/moved" "$tmp/elsewhere/cmake"; cp -R "$stage$prefix" "$tmp/moved/tree"
    cat >"$tmp/elsewhere/cmake/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.5)
project(app C)
find_package(genrep ${WANT} REQUIRED)
add_executable(shared ../app.c)
target_link_libraries(shared genrep::genrep)
add_executable(static ../app.c)
target_link_libraries(static genrep::genrep_static)
C
    configure() { cmake -S cmake -B "$1" -DCMAKE_C_COMPILER="${CC%% *}" -DCMAKE_PREFIX_PATH="$tmp/moved/tree" -DWANT="$2" >"$tmp/cmake.log" 2>&1; }
    { configure built "$GM_VERSION" && cmake --build built >>"$tmp/cmake.log" 2>&1 && ./built/shared && ./built/static; }
    rc=$?; ok $rc "find_package(genrep $GM_VERSION): genrep::genrep and genrep::genrep_static, in a moved tree"; [ $rc = 0 ] || note <"$tmp/cmake.log"
    configure other 99.0; [ $? != 0 ]; ok $? "find_package(genrep 99.0) is refused"
else skip "cmake not installed, or a program of this build cannot be run by itself"; fi

rm -f "$stage$prefix"/lib/libgenrep.so*
{ $CC $san app.c $(pc --cflags --libs --static) -o static && $GM_RUN ./static; } >"$tmp/static.log" 2>&1
rc=$?; ok $rc "with --static against the archive alone"; [ $rc = 0 ] || note <"$tmp/static.log"
if have pkg-config; then [ "$(pc --modversion)" = "$GM_VERSION" ]; ok $? "libgenrep.pc has version $GM_VERSION"; fi
cd "$OLDPWD" || exit 1

mk install; mk uninstall
find "$stage" -type f -o -type l -o -name genrep -type d ! -path "$stage/opt/genrep" >"$tmp/bad"
ok_empty "$tmp/bad" "make uninstall leaves no file"
finish
