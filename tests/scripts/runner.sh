#!/bin/sh
# SPDX-License-Identifier: MIT
# The runner itself: what passes, fails, dies, breaks its plan or skips is counted, the same through prove and without it.
. tests/scripts/tap.inc
t=$tmp/t; mkdir "$t"
printf 'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2\n' >"$t/pass.sh"
printf 'echo 1..2; echo "ok 1 - a"; echo "ok 2 # SKIP no such tool"\n' >"$t/skip.sh"
printf 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1\n' >"$t/fail.sh"
printf 'echo "ok 1 - a"; kill -9 $$\n' >"$t/dies.sh"
printf 'echo "ok 1 - a"; echo 1..3\n' >"$t/plan.sh"
printf 'echo "ok 1 - a"; echo 1..1; exit 3\n' >"$t/status.sh"
run() { GM_TAP= GM_BUILD=$tmp/b GM_JOBS=2 NO_PROVE=$np sh tests/run.sh "$@" >"$tmp/out" 2>&1; }
for np in 1 ''; do
    if [ -z "$np" ] && ! have prove; then skip "prove not installed"; continue; fi
    how=${np:+without prove}; how=${how:-through prove}
    run "$t/pass.sh" "$t/skip.sh"; [ $? = 0 ]; ok $? "$how: status 0 when all pass"
    [ "$(tail -n 1 "$tmp/out")" = "3 passed, 0 failed, 1 skipped" ]; ok $? "$how: the counts"
    grep -q '^skip.sh: skipped: no such tool$' "$tmp/out"; ok $? "$how: the reason of a skip"
    grep -q '^Result: PASS$' "$tmp/out" && grep -q '^All tests successful' "$tmp/out" && grep -q '^Files=2, Tests=4,' "$tmp/out"
    ok $? "$how: prove's summary"
    for k in fail dies plan status; do
        run "$t/pass.sh" "$t/$k.sh"; [ $? != 0 ]; ok $? "$how: $k.sh is a failure"
        grep -q ' 1 failed, 0 skipped$' "$tmp/out" && grep -q '^Result: FAIL$' "$tmp/out"; ok $? "$how: $k.sh is counted"
    done
done
finish
