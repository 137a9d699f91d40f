#!/bin/sh
# SPDX-License-Identifier: MIT
# The library harms no host: what it takes from libc is this list and no more (no printf family, strtod, abort, exit, getenv, locale, clock, libm,
# signal handler), and it has no variable that is not constant.
. tests/scripts/tap.inc
if ! have nm || ! have objdump; then skip "nm and objdump not installed"; finish; fi
case "$CFLAGS $LDFLAGS" in *-fsanitize*|*--coverage*|*-fprofile*|*-pg*|*-flto*) skip "an instrumented build has symbols of its own"; finish ;; esac
a=$GM_BUILD/libgenrep.a

# memory and text
allow="malloc calloc realloc free aligned_alloc posix_memalign memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr strrchr"
# files (base/os_posix.c)
allow="$allow open openat read write close lseek fstat stat lstat fsync fdatasync ftruncate rename unlink fcntl umask fchmod realpath readlink opendir readdir closedir"
# threads and processors
allow="$allow pthread_create pthread_join pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock pthread_mutex_unlock pthread_cond_init \
 pthread_cond_destroy pthread_cond_wait pthread_cond_signal pthread_cond_broadcast pthread_attr_init pthread_attr_destroy pthread_attr_setstacksize \
 pthread_sigmask sigfillset sched_getaffinity sched_yield sysconf __sysconf getpid getauxval __sched_cpucount __errno_location __error"
# what compilers and hardened builds add
allow="$allow _GLOBAL_OFFSET_TABLE_ __stack_chk_fail __stack_chk_guard __stack_chk_fail_local __memcpy_chk __memmove_chk __memset_chk __read_chk __open_2 \
 __x86.get_pc_thunk.ax __x86.get_pc_thunk.bx __x86.get_pc_thunk.cx __x86.get_pc_thunk.dx __x86.get_pc_thunk.si __x86.get_pc_thunk.di \
 __x86.get_pc_thunk.bp bcmp"
# what a build with CBLAS takes from it (kernels/cblas.c); openblas_get_num_threads may be missing
[ -z "$CBLAS" ] || allow="$allow cblas_sgemm openblas_get_num_threads"
# rounded_up LIST of libgcc: 64-bit arithmetic on 32-bit targets and outlined atomics
libgcc='^(__(u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|popcount|clz|ctz|ffs|bswap|cmp|ucmp)[dst]i[234]?|__aeabi_.*|__aarch64_(ldadd|swp|cas|ldset|ldclr|ldeor)[0-9]+_.*|__atomic_.*|__(float|fix)(un)?[sdt][if][sdt][if]|gmi_.*|gm_.*)$'

nm -u "$a" 2>/dev/null | awk 'NF >= 2 && $1 ~ /^[Uvw]$/ { print $2 }' | sed 's/@.*//; /^gmi*_/!s/64$//; /^gmi*_/!s/64_time64$//' | sort -u >"$tmp/used"
nm --defined-only "$a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$tmp/defined"
printf '%s\n' $allow | sort -u >"$tmp/allow"
cat "$tmp/allow" "$tmp/defined" | sort -u >"$tmp/fine"
comm -23 "$tmp/used" "$tmp/fine" | grep -vE "$libgcc" >"$tmp/bad"
ok_empty "$tmp/bad" "undefined symbols are on the allow-list"
[ -s "$tmp/used" ]; ok $? "the list is not empty ($(wc -l <"$tmp/used" | tr -d ' ') symbols)"
grep -E '^(gmi?_)' "$tmp/used" | sort -u | comm -23 - "$tmp/defined" >"$tmp/bad"
ok_empty "$tmp/bad" "every gm_ and gmi_ symbol used is defined in the archive"

# only base/os_posix.c calls the system
calls='^(open|openat|read|write|close|lseek|fstat|stat|fsync|rename|unlink|opendir|readdir|closedir|sysconf|sched_getaffinity|malloc|calloc|realloc|free|aligned_alloc|posix_memalign)$'
nm -A -u "$a" 2>/dev/null | sed 's/^[^:]*:\([^:]*\):/\1 /; s/@.*//; s/64$//' | awk -v re="$calls" '$1 != "os_posix.o" && $NF ~ re { print $1, $NF }' >"$tmp/bad"
ok_empty "$tmp/bad" "files, memory and processors of the system are asked for in base/os_posix.c alone"

vars='^\\.(data|bss|tdata|tbss|sdata|sbss)($|\\.)'
objdump -h "$a" 2>/dev/null | awk -v re="$vars" '/^[^ ].*\.o: / { o = $1 } $2 ~ re && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ { print o, $2, "0x" $3, "bytes" }' >"$tmp/bad"
objdump -t "$a" 2>/dev/null | awk -v re="$vars" '/^[^ ].*\.o: / { o = $1 }
    { for (i = 2; i < NF; i++) if (($i ~ re && $i !~ /^\.data\.rel\.ro/ && $NF != $i) || $i == "*COM*") print o, $i, $NF }' >>"$tmp/bad"
ok_empty "$tmp/bad" "no variable in .data, .bss, COMMON or thread-local sections"

grep -nE '\b(abort|exit|_exit|[a-z]*printf|puts|putchar|getenv|setlocale|s?rand|strto[a-z]+|ato[if]|strerror|assert|system|signal|sigaction|clock|time|gettimeofday|clock_gettime|gmtime|localtime)[ \t]*\(' \
    $(find src -name '*.[ch]') /dev/null | grep -vE '^[^:]*:[0-9]*:[ \t]*(\*|/\*|//)' | grep -vE '(->|\.)clock\(|_Static_assert|"[^"]*\(|/\*.*\(|format\(printf' >"$tmp/bad"
ok_empty "$tmp/bad" "no banned call in the sources"
grep -nE '#[ \t]*include[ \t]*<(math|stdio|stdlib|fenv|locale|time|assert|signal|setjmp|tgmath|complex|omp|wchar)\.h>' $(find src -name '*.[ch]') /dev/null |
    grep -vE '^src/base/(os_posix|pool)\.c:' >"$tmp/bad"
ok_empty "$tmp/bad" "no header of libm, stdio, locale, time or signals outside base/os_posix.c"
finish
