#!/bin/sh
# pairmill, the person's tool, from outside: exit codes, spellings of options, one-line errors, JSON.
. tests/lib/e2e.sh

DB=$OUT/pairmill.db
crops="--crop_size 64 --crop_stride=64 --max-shift 24"

# The error is one line on stderr that says TEXT.
one_line() {
    [ "$(wc -l <"$T/run.err")" = 1 ] || fail "not one line: $(cat "$T/run.err")"
    grep -qF -- "$1" "$T/run.err" || fail "'$(cat "$T/run.err")' does not say '$1'"
}

says() {
    grep -qF -- "$1" "$T/run.out" || fail "output lacks '$1': $(cat "$T/run.out")"
}

valid_json() {
    "$PYTHON" -m json.tool <"$T/run.out" >/dev/null || fail "no JSON: $(cat "$T/run.out")"
}

# json EXPRESSION: of the output as j, by Python.
json() {
    "$PYTHON" -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
        "$T/run.out" "$1"
}

say "help and version"
for command in "" run align status failures retry pause resume verify export report; do
    # shellcheck disable=SC2086 # no command is no word
    run_rc 0 "$PAIRMILL" $command --help
    says "usage: pairmill"
    says "examples:"
done
run_rc 0 "$PAIRMILL" --version
says "pairmill "
run_rc 0 "$PAIRMILL" --print-sample-config
cmp -s "$T/run.out" systemd/pairmill.conf || fail "systemd/pairmill.conf is not the sample"

say "wrong usage is exit 2 and one line"
run_rc 2 "$PAIRMILL" && one_line "a command is missing"
run_rc 2 "$PAIRMILL" stauts && one_line "did you mean status?"
run_rc 2 "$PAIRMILL" run && one_line "--input_dir DIR is missing"
run_rc 2 "$PAIRMILL" run --input_dir "$T" && one_line "--output_dir DIR is missing"
run_rc 2 "$PAIRMILL" run --input-dri "$T" && one_line "did you mean --input_dir?"
run_rc 2 "$PAIRMILL" run --input_dir && one_line "--input_dir needs a value"
run_rc 2 "$PAIRMILL" run --input_dir "$T" --output_dir "$OUT" --max_shift 99999 &&
    one_line "0 to 4096 px"
run_rc 2 "$PAIRMILL" run --input_dir "$T" --output_dir "$OUT" --profile rawnind &&
    one_line "not in this version"
run_rc 2 "$PAIRMILL" run --input_dir "$T" --output_dir "$T" && one_line "the input folder"
run_rc 2 "$PAIRMILL" align one.tif && one_line "GT TARGET"
run_rc 2 "$PAIRMILL" align a b c && one_line "unexpected \"c\""
run_rc 2 "$PAIRMILL" retry --id x && one_line "no job_id"
printf '[align]\nmax_shift = far\n' >"$CONF"
run_rc 2 "$PAIRMILL" status --config "$CONF" && one_line "$CONF:2: max_shift"

say "what cannot work is exit 1 and one line"
run_rc 1 "$PAIRMILL" run --input_dir "$T/nowhere" --output_dir "$OUT" && one_line "$T/nowhere"
run_rc 1 "$PAIRMILL" align "$T/a.tif" "$T/b.tif" && one_line "$T/a.tif"
run_rc 1 "$PAIRMILL" status --db "$T/no.db" && one_line "no database \"$T/no.db\""
run_rc 1 "$PAIRMILL" retry --db "$T/no.db" && one_line "$T/no.db"
run_rc 2 "$PAIRMILL" status --db "$T" && one_line "--db $T/pairmill.db"
: >"$T/empty.db"
for command in status failures retry pause resume verify export report; do
    run_rc 1 "$PAIRMILL" $command --db "$T/empty.db" && one_line "empty.db\" is empty"
done
[ ! -s "$T/empty.db" ] || fail "looking at an empty file made a database of it"
run_rc 1 "$PAIRMILL" status --config "$T/no.conf" && one_line "$T/no.conf: cannot read"
[ ! -e "$T/no.db" ] || fail "looking for a database made one"
mkdir "$T/empty"
echo text >"$T/empty/readme.txt"
run_rc 1 "$PAIRMILL" run --input_dir "$T/empty" --output_dir "$T/empty-out"
one_line "no pairs in $T/empty (0 images without a partner, 1 files that are no images)"
one_line "SCENE/gt/FILE"

say "a run, with the old script's flags in either spelling"
mkpairs "$IN" 2 2 400x300 5 >/dev/null
# shellcheck disable=SC2086 # options are words
run_rc 0 "$PAIRMILL" run --input-dir "$IN" --output_dir="$OUT" --num-threads 2 \
    --alignment_method fft $crops
says "done      4 of 4 pairs"
says "failed    0"
says "database  $DB"
must_be "4|fft" "select count(*), max(method) from results"
if grep -q "$(printf '\033')" "$T/run.out" "$T/run.err"; then
    fail "escape codes though nobody looks"
fi
grep -q "100% 4/4 pairs" "$T/run.err" || fail "no progress line: $(cat "$T/run.err")"

say "again: what is done stays done; --overwrite does it again, --verbose_alignment tells each"
# shellcheck disable=SC2086
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
says "4 were finished before"
# shellcheck disable=SC2086
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --overwrite --verbose-alignment $crops
must_be "4|0" "select count(*), sum(method = 'original') from results"
[ "$(grep -c 'job=.*scene=.*dy=.*dx=.*method=.*loss=.*ms=' "$T/run.err")" = 4 ] ||
    fail "not a line a pair: $(cat "$T/run.err")"

say "align finds the shift that was made"
IFS=, read -r scene gt target dy dx rest <<END
$(sed -n 2p "$IN/truth.csv" | tr -d '\r')
END
run_rc 0 "$PAIRMILL" align "$IN/$gt" "$IN/$target" --json --max_shift 24
valid_json
[ "$(json '"%d %d" % (j["dy"], j["dx"])')" = "$dy $dx" ] || fail "$scene: not $dy $dx ($rest)"
keys="dy dx loss gain method backend confidence sub_dy sub_dx flags elapsed_ms loss_ms evaluations"
for key in $keys; do
    json "j['$key']" >/dev/null || fail "align --json lacks $key"
done
[ "$(json 'type(j["flags"]).__name__')" = list ] || fail "flags is no array"
run_rc 0 "$PAIRMILL" align "$IN/$gt" "$IN/$target" --alignment-method=bruteforce --max_shift=16
says "$(printf 'shift       dy %+d, dx %+d px' "$dy" "$dx")"

say "status, and failures while there are none"
run_rc 0 "$PAIRMILL" status --db "$DB"
says "$IN"
says "nobody works on it now"
run_rc 0 "$PAIRMILL" status --db "$DB" --json
valid_json
[ "$(json 'j["progress"][0]["done"]')" = 4 ] || fail "status --json: $(cat "$T/run.out")"
[ "$(json 'j["running"]')" = False ] || fail "status --json says somebody runs"
run_rc 0 "$PAIRMILL" failures --db "$DB"
says "no failures"
run_rc 0 "$PAIRMILL" failures --json --db "$DB"
valid_json

say "a failed pair: exit 3, named in the summary and by failures; retry queues it again"
scene=$(dirname "$target")
echo "no image" >"$IN/$scene/bad.tif"
# shellcheck disable=SC2086
run_rc 3 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
says "failed    1"
says "$scene/bad.tif"
says "1 x EFORMAT"
run_rc 0 "$PAIRMILL" failures --json --db "$DB"
valid_json
[ "$(json 'j[0]["code"] + " " + j[0]["stage"]')" = "EFORMAT decode" ] || fail "failures --json"
(cd "$OUT" && run_rc 0 "$PAIRMILL" failures) # ./pairmill.db is the default
says "$scene/bad.tif"
run_rc 0 "$PAIRMILL" retry --failed --scene no-such-scene --db "$DB"
says "0 pairs queued again"
run_rc 0 "$PAIRMILL" retry --failed --scene "$scene" --db "$DB"
says "1 pair queued again"
must_be 1 "select sum(queued) from progress"
cp "$IN/$target" "$IN/$scene/bad.tif"
# shellcheck disable=SC2086
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
says "done      5 of 5 pairs"

say "paused, a run ends with what it may not begin left over"
run_rc 0 "$PAIRMILL" pause --db "$DB"
says "paused all sources"
cp "$IN/$target" "$IN/$scene/more.tif"
# shellcheck disable=SC2086
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
says "done      5 of 6 pairs"
must_be 1 "select sum(queued) from progress"
run_rc 0 "$PAIRMILL" resume --db "$DB"

say "a second owner is refused with exit 4; interrupted is 130; then it goes on"
need_shim
: >"$T/hold" # its worker waits for us
# shellcheck disable=SC2086
LD_PRELOAD=$SHIM SHIM_HOLD=$T/hold SHIM_HOLD_NAME=more.tif SHIM_HOLD_AT=open \
    ASAN_OPTIONS=verify_asan_link_order=0 \
    "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops --verbose_alignment \
    >"$T/bg.out" 2>"$T/bg.err" &
bg=$!
others=$bg
wait_for 30 "the run to begin the new pair" test -e "$T/hold.at"
run_rc 0 "$PAIRMILL" status --json --db "$DB"
[ "$(json 'j["running"]')" = True ] || fail "status does not see the owner"
# shellcheck disable=SC2086
run_rc 4 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
one_line "$bg"
# Nor may one with a database of its own sweep away what is being made in the same output.
# shellcheck disable=SC2086
run_rc 4 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --db "$T/other.db" $crops
one_line "output folder \"$OUT\" is in use"
kill -INT "$bg"
wait_for 30 "the drain to begin" grep -q 'name=SIGINT state=drain' "$T/bg.err"
rm "$T/hold"
rc=0
wait "$bg" || rc=$?
others=
[ "$rc" = 130 ] || fail "interrupted run ended with $rc: $(cat "$T/bg.err")"
grep -q "run the same line again to go on" "$T/bg.err" || fail "no word about going on"
# shellcheck disable=SC2086
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" $crops
says "done      6 of 6 pairs"

say "steering a running service through its socket"
DB=$T/state/pairmill.db OUT=$T/out2
write_conf
daemon_start_ready
wait_done 6
run_rc 0 "$PAIRMILL" pause main --config "$CONF"
says "paused main"
must_be 1 "select paused from progress"
run_rc 0 "$PAIRMILL" resume --db "$DB" main
must_be 0 "select paused from progress"
run_rc 2 "$PAIRMILL" pause nobody --db "$DB"
one_line nobody
run_rc 0 "$PAIRMILL" retry --db "$DB"
says "0 pairs queued again"
daemon_stop
