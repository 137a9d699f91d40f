#!/bin/sh
# SPDX-License-Identifier: MIT
# The command genrep: what goes in at one end comes out at the other, through files and pipes; exit statuses, messages, JSON, signals, and a manual that
# has every option. Models are tiny.
. tests/scripts/tap.inc
top=$(pwd); bin=$top/$GM_BUILD/examples/genrep
case $GM_BUILD in /*) bin=$GM_BUILD/examples/genrep ;; esac
images=$top/data/digits/images-idx3-ubyte; labels=$top/data/digits/labels-idx1-ubyte
cd "$tmp" || exit 1
g() { $GM_RUN "$bin" "$@" 2>err </dev/null; }
quiet() { if [ -s err ]; then ok 1 "$1: nothing on stderr"; note <err; else ok 0 "$1: nothing on stderr"; fi; }
same() { cmp "$1" "$2" >bad 2>&1; rc=$?; ok $rc "$3"; [ $rc = 0 ] || note <bad; }
# Bytes that do not depend on threads, levels and batches, unless products are a BLAS's.
same_bits() { if [ "$CBLAS" ]; then skip "the products of this build are a BLAS's"; else same "$@"; fi; }
# fails STATUS WORDS ARGUMENTS: ends with that status and one message that has the words.
fails() {
    want=$1; words=$2; shift 2
    g "$@" >out; rc=$?
    [ $rc = "$want" ] && [ ! -s out ] && head -n 1 err | grep -q "^genrep: .*$words"
    rc2=$?; ok $rc2 "genrep $(echo "$*" | cut -c 1-60 | sed "s|$top/||g"): $want, \"$words\""
    [ $rc2 = 0 ] || { echo "status $rc"; head -n 3 out err; } | note
}
# json EXPRESSION FILE TEXT: the expression about d, the first line's object, holds.
if have python3; then
    json() { python3 -c "import json,sys; d=json.loads(open(sys.argv[1]).readline()); sys.exit(not ($1))" "$2" 2>bad; rc=$?; ok $rc "$3"; [ $rc = 0 ] || cat "$2" bad | note; }
else
    json() { skip "python3 not installed: $3"; }
fi

# ---- train, info, verify ----
g train vae "$images" -o v.st --steps 60 --set latent_dim=3 --set 'encoder=dense 16; relu' --set 'decoder=dense 16; relu' --json --log v.jsonl >train.json
ok $? "train vae"; quiet "train vae"
json 'd["family"] == "vae" and d["steps"] == 60 and d["training"]["elbo"] < 0 and not d["cancelled"]' train.json "--json has its figures"
json 'd["kind"] == "step" and d["steps"] == 60' v.jsonl "--log writes records"
g train gan "$images" -o g.st --steps 30 --set latent_dim=3 --set 'generator=dense 16; relu' --set 'discriminator=dense 16; relu' --log g.csv >out
ok $? "train gan"; quiet "train gan"
tail -n 1 out | grep -q '^30 steps, saved in g.st$'; ok $? "says where the model is"
g train vae "$images" --steps 60 --set latent_dim=3 --set 'encoder=dense 16; relu' --set 'decoder=dense 16; relu' --threads 1 --simd scalar -o - >v2.st
same_bits v.st v2.st "one thread, scalar, -o -: the same bytes"
g train vae "$images" --steps 25 --set latent_dim=3 --set 'encoder=dense 16; relu' --set 'decoder=dense 16; relu' --checkpoint v.ck >/dev/null
g train vae "$images" --steps 60 --resume v.ck -o v3.st >/dev/null; same v.st v3.st "25 steps and 35 of a checkpoint: the same bytes"
g train gan "$images" --steps 2 --progress >/dev/null; grep -q '^epoch 1/1  step 2/2 ' err; ok $? "--progress without a terminal"
g info v.st >out; ok $? "info"; grep -q '^vae, latent_dim 3, ' out; ok $? "says what it is"
g info v.st --json >out
json 'd["sample"]["shape"] == [1,8,8] and d["sample"]["hi"] == 16 and d["options"]["latent_dim"] == 3 and d["calibration"] is None' out "info --json"
g verify v.st >out; ok $? "verify a VAE"; quiet verify
g verify g.st --json >out; ok $? "verify a GAN"; json 'd["family"] == "gan" and d["valid"] and len(d["sha256"]) == 64' out "verify --json"

# ---- rows ----
g encode v.st "$images" -o z.npy --json >out; json 'd["shape"] == [1797,3] and d["dtype"] == "f32"' out "encode says what it wrote"
$GM_RUN "$bin" encode v.st - <"$images" >z2.npy 2>err; same z.npy z2.npy "encode from a pipe to a pipe"; quiet encode
g encode v.st "$images" -o z.csv; [ "$(wc -l <z.csv)" -eq 1797 ]; ok $? "as csv: a line a row"
g decode v.st z.npy >x.npy; g decode v.st z.csv -o x2.npy; same x.npy x2.npy "decode of npy and of csv agree: csv has all digits"
g reconstruct v.st "$images" -o r.npy; same x.npy r.npy "reconstruct is decode of encode"
g reconstruct v.st "$images" --format csv >r.csv; ok $? "reconstruct as csv"
g sample v.st -n 6 --seed 5 --format csv >s.csv; g sample v.st -n 2 --seed 5 --first 4 --format csv >s2.csv
tail -n 2 s.csv | cmp -s - s2.csv; ok $? "--first goes on where the samples ended"
g sample v.st -n 6 --seed 5 | $GM_RUN "$bin" encode v.st - --format csv >a 2>/dev/null; g encode v.st s.csv --format csv >b; same a b "npy through a pipe and csv are the same rows"
g sample g.st -n 9 -o g.npy && g grid "$top/data/digits/images-idx3-ubyte" -n 9 --columns 3 -o d.png && g grid g.st -n 9 -o g.png && g sample g.st -n 9 -o g2.png
ok $? "samples of a GAN, pictures of data and of a model"; same g.png g2.png "grid and sample draw the same picture"
$GM_RUN "$bin" grid - -n 9 <g.st >g3.png 2>err; same g.png g3.png "grid of a model from a pipe"
head -c 4 d.png | od -An -c | grep -q 'P *N *G'; ok $? "that are png"
g encode g.st g.npy --invert-steps 20 --invert-starts 1 --format csv >out; [ "$(wc -l <out)" -eq 9 ]; ok $? "encode by inversion of a GAN"

# ---- scores ----
g score v.st "$images" >sc; ok $? "score"; awk 'NF != 1 || $1 + 0 != $1 || $1 <= 0' sc >bad; ok_empty bad "prints a number a line"
head -n 1 r.csv >few.csv; sed -n 2,30p r.csv >>few.csv
{ awk 'BEGIN { for (i = 1; i < 64; i++) printf "p%d,", i; print "p64" }'; cat few.csv; } >named.csv
g score v.st few.csv --score mahalanobis >a; for n in 1 7 100; do
    $GM_RUN "$bin" score v.st - --score mahalanobis --stream $n <named.csv >b 2>err; same_bits a b "--stream $n with names on top: the same scores"
done
g score v.st --calibrate "$images" --alpha 0.1 -o c.st --json >out; json 'd["score"] == "elbo" and d["false_positive_rate"] == 0.1' out "calibrate"
g score c.st "$images" >cs; ok $? "score with the new model"; cut -d, -f1 cs | cmp -s - sc; ok $? "the scores are those without it"
g score v.st --calibrate "$images" --alpha 0.1 --score mahalanobis -o c.st >out && g verify c.st >/dev/null; ok $? "calibrate another score"
n=$(g score c.st "$images" | grep -c ',1$'); [ "$n" = 178 ]; ok $? "1797 - ceil(1798 * 0.9) = 178 rows of the held-out data are above the threshold ($n)"
g score c.st "$images" --json >out; json '"score" in d and d["is_anomaly"] in (True, False)' out "score --json"
g score g.st g.npy --calibrate g.npy --alpha 0.2 >out; awk -F, 'NF != 2' out >bad; ok_empty bad "scores of a GAN, calibrated in the same call"

# ---- conditions ----
g train vae "$images" -o l.st --steps 20 --set condition=concat --set 'encoder=dense 16' --set 'decoder=dense 16' --set latent_dim=2 --data-options "labels=$labels" >/dev/null
ok $? "train with labels"
g sample l.st -n 12 -o s.npy; g sample l.st -n 1 --first 11 --cond 1 --format csv >a; g sample l.st -n 12 --format csv | tail -n 1 >b; same a b "sample 11 has label 1"
g encode l.st "$images" --data-options "labels=$labels" -o lz.npy; ok $? "encode with the labels of the data"
fails 1 "the model is conditional" encode l.st "$images"
fails 2 "a label from 0 to 9" sample l.st --cond 10

# ---- what goes wrong ----
head -c 3000 v.st >cut.st; fails 1 "cut.st: .*cut short" verify cut.st
{ head -c 5000 v.st; printf '\377'; tail -c +5002 v.st; } >bad.st; fails 1 "bad.st: .*\(changed or damaged\|SHA-256\)" verify bad.st
fails 1 "nofile: .*cannot open" encode v.st nofile
fails 1 "x is \[1797,3\]" encode v.st z.npy
fails 1 "no layer" train vae "$images" --set 'encoder=dens 3'
fails 1 "cannot be written" train vae "$images" -o nofolder/v.st
fails 1 "memory_limit" train vae "$images" --memory-limit 300K
fails 2 "no such option" train vae "$images" --set foo=1
fails 2 "not a value" train vae "$images" --set latent_dim=x
fails 2 "vae or gan" train foo "$images"
fails 2 "no option --epochs" sample v.st --epochs 3
fails 2 "only once" encode - -
fails 2 "which command"
fails 2 "no command" frobnicate
fails 2 "is missing" sample v.st -n
fails 2 "npy, csv or png" sample v.st --format gif
if [ -w /dev/full ]; then
    $GM_RUN "$bin" score v.st "$images" >/dev/full 2>err; rc=$?; [ $rc = 1 ] && grep -q 'cannot be written' err; ok $? "a full disk is 1 and a message"
else skip "no /dev/full"; fi

# ---- signals: a job in the background ignores SIGINT, so does the program then ----
$GM_RUN "$bin" train vae "$images" -o i.st --epochs 1000000 --log i.jsonl >out 2>err </dev/null & pid=$!
while [ ! -s i.jsonl ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -INT $pid; sleep 0.1; kill -0 $pid 2>/dev/null; ok $? "an ignored SIGINT stays ignored"
kill -TERM $pid; wait $pid; [ $? = 143 ]; ok $? "SIGTERM: status 143"
grep -q '^genrep: cancelled after step' err; ok $? "says so"
g verify i.st >/dev/null; ok $? "the model of the last step is there"
if env --default-signal=INT true 2>/dev/null; then
    env --default-signal=INT $GM_RUN "$bin" train gan "$images" -o j.st --epochs 1000000 --log j.jsonl --json >out 2>err </dev/null & pid=$!
    while [ ! -s j.jsonl ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -INT $pid; wait $pid; [ $? = 130 ]; ok $? "SIGINT: status 130"
    json 'd["cancelled"] and d["output"] == "j.st"' out "--json says so"
else skip "env without --default-signal: SIGINT not tested"; fi

# ---- the manual ----
cd "$top" || exit 1
for c in train info verify sample encode decode reconstruct score grid; do $GM_RUN "$bin" help $c || echo "help $c fails"; done >"$tmp/help"
sed -n 's/^  .. *--\([a-z-]*\) .*/\1/p; s/^  -.,* *--\([a-z-]*\) .*/\1/p; s/^help .*/&/p' "$tmp/help" | sort -u >"$tmp/options"
while read -r o; do grep -qE -- "(Fl|,) -$o( |$)" docs/genrep.1 || grep -q -- "-$o" docs/genrep.1 || echo "$o"; done <"$tmp/options" >"$tmp/bad"
[ "$(wc -l <"$tmp/options")" -gt 30 ] || echo "few options" >>"$tmp/bad"
ok_empty "$tmp/bad" "genrep.1 has every option"
if have mandoc; then mandoc -Tlint docs/genrep.1 >"$tmp/bad" 2>&1; ok_empty "$tmp/bad" "mandoc -Tlint"; else skip "mandoc not installed"; fi
finish
