#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh FILE...: runs TAP programs and scripts (*.sh), through prove when it is there, else by itself with prove's summary, and ends with
# one line "N passed, N failed, N skipped" after the reasons of the skips. Exit status 0 when nothing failed.
#
# Environment: GM_BUILD (build folder), GM_TAP (folder for logs, GM_BUILD/tap), GM_RUN (command before a program), GM_TIMEOUT (seconds a file may take), NO_PROVE=1.
# `run.sh --one FILE` runs one file and keeps its output: that is what prove and xargs call.
: "${GM_BUILD:?run through make check}"
tap=${GM_TAP:-$GM_BUILD/tap}
log_of() { printf '%s/%s' "$tap" "$(basename "$1")"; }

if [ "$1" = --one ]; then
    f=$2; log=$(log_of "$f"); rm -f "$log.rc"; begin=$(date +%s)
    limit=; command -v timeout >/dev/null 2>&1 && limit="timeout -k 10 ${GM_TIMEOUT:-600}"
    case $f in
    *.sh) set -- sh "$f" ;;
    # shellcheck disable=SC2086
    *)    set -- $GM_RUN "$f" ;;
    esac
    $limit "$@" >"$log.tap" 2>"$log.err" </dev/null
    rc=$?
    [ $rc = 0 ] || echo "# $f ended with status $rc" >>"$log.err"
    echo $rc >"$log.rc"; echo $(($(date +%s) - begin)) >"$log.seconds"
    cat "$log.tap"; [ $rc = 0 ] || cat "$log.err" >&2
    exit $rc
fi

# judge LOG: "passed failed skipped" of one file. A wrong or missing plan and a bad exit status are a failure of their own.
judge() {
    awk -v rc="$(cat "$1.rc" 2>/dev/null || echo 127)" '
        /^ok/     { n++; if (tolower($0) ~ /# skip/) s++; else p++ }
        /^not ok/ { n++; if (tolower($0) ~ /# todo/) p++; else f++ }
        /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; have = 1; if (plan == 0) { s++; plan = n } }
        END { if (!f && (rc != 0 || !have || plan != n)) f++; print p + 0, f + 0, s + 0 }' "$1.tap"
}

[ $# -gt 0 ] || { echo "run.sh: no tests"; exit 1; }
# Logs are written to a folder of this run, which takes the place of the last run's at the end: two runs in one tree do not meet.
final=$tap; tap=$tap.$$; GM_TAP=$tap; export GM_TAP
rm -rf "$tap"; mkdir -p "$tap" || exit 1
trap 'rm -rf "$final"; mv "$tap" "$final" 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP
jobs=${GM_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)}
start=$(date +%s); status=0
if command -v prove >/dev/null 2>&1 && [ -z "$NO_PROVE" ]; then
    prove -j "$jobs" --timer --exec 'sh tests/run.sh --one' "$@"
    status=$?
else
    printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh "$0" --one >/dev/null 2>&1 ||
        for f; do [ -e "$(log_of "$f").rc" ] || sh "$0" --one "$f" >/dev/null 2>&1; done
    bad=
    for f; do
        log=$(log_of "$f"); r=$(judge "$log")
        case $r in
        *' 0 '*) echo "$f .. ok" ;;
        *)       echo "$f .. FAILED"; grep '^not ok' "$log.tap"; cat "$log.err"; bad="$bad $f" ;;
        esac
    done
fi

passed=0; failed=0; skipped=0
for f; do
    r=$(judge "$(log_of "$f")")
    p=${r%% *}; s=${r##* }; m=${r#* }; m=${m%% *}
    passed=$((passed + p)); failed=$((failed + m)); skipped=$((skipped + s))
done
if ! command -v prove >/dev/null 2>&1 || [ -n "$NO_PROVE" ]; then
    if [ "$failed" = 0 ]; then echo "All tests successful."; else echo "Failed files:$bad"; fi
    echo "Files=$#, Tests=$((passed + failed + skipped)), $(($(date +%s) - start)) wallclock secs"
    if [ "$failed" = 0 ]; then echo "Result: PASS"; else echo "Result: FAIL"; fi
fi
[ "$skipped" = 0 ] || for f; do grep -i -H '# skip' "$(log_of "$f").tap"; done | sed -e "s|^$tap/||" -e 's/\.tap:.*# *[Ss][Kk][Ii][Pp]/: skipped:/' | sort -u
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$status" = 0 ]
