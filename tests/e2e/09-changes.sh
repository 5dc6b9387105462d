#!/bin/sh
# Files that change, leave, come late or come in whole folders; --overwrite; a second run.
. tests/lib/e2e.sh
mkpairs "$T/made" 2 4 160x120 91
write_conf
first=$(basename "$(dirname "$(find "$T/made" -path '*-00/*_01_*.tif')")")
target=$(basename "$(find "$T/made/$first" -maxdepth 1 -name '*_01_*.tif')")

# shift_of FILE: "dy|dx" as made.
shift_of() {
    awk -F, -v file="$1" '$3 ~ file "$" { print $4 "|" $5 }' "$T/made/truth.csv"
}

stamps() {
    find "$OUT" -name pair.json -printf '%p %T@ %i\n' | sort
}

say "targets before their ground truth: waiting and visible, then done"
daemon_start_ready
mkdir -p "$IN/$first/gt"
cp "$T/made/$first"/*.tif "$IN/$first/"
wait_for 20 "four unpaired targets" sql_is "4|target" \
    "select count(*) || '|' || max(role) from unpaired where waiting_s >= 0"
must_be "0|4" "select done || '|' || waiting from progress"
cp "$T/made/$first"/gt/*.tif "$IN/$first/gt/"
wait_done 4
must_be 0 "select count(*) from unpaired"

say "several ground truths: every one with every target"
second_gt=$(basename "$(find "$T/made/$first/gt" -name '*.tif')" .tif)_again.tif
cp "$T/made/$first"/gt/*.tif "$IN/$first/gt/$second_gt"
wait_done 8
must_be "2|4" "select count(distinct gt_path) || '|' || count(distinct target_path) from results"

say "a new folder moved in whole"
second=$(basename "$(find "$T/made" -mindepth 1 -maxdepth 1 -name '*-01')")
mv "$T/made/$second" "$IN/"
wait_done 12

say "a file rewritten after it was done is done again, with its new shift"
replacement=$(find "$T/made/$first" -maxdepth 1 -name '*_02_*.tif')
before=$(shift_of "$target")
after=$(shift_of "$(basename "$replacement")")
[ "$before" != "$after" ] || fail "both targets have the same shift: choose another seed"
must_be "2|$before" "select count(*) || '|' || max(dy) || '|' || max(dx) from results
    where target_path like '%$target'"
cat "$replacement" >"$IN/$first/$target"
wait_for 60 "the new shift of $target" sql_is "2|$after|$after" "select count(*) || '|' || max(dy)
    || '|' || max(dx) || '|' || min(dy) || '|' || min(dx) from results
    where target_path like '%$target'"
wait_done 12
check_outputs --expect 12
daemon_stop
check_clean

say "deleted while queued: missing, not failed; back again: done"
rm -rf "$T/state" "$OUT" "$IN"
mkdir "$T/state"
write_conf
daemon_start_ready
"$PAIRMILL" pause --db "$DB"
mkdir -p "$IN/late/gt"
cp "$T/made/$first"/gt/*.tif "$IN/late/gt/"
cp "$replacement" "$IN/late/"
wait_for 20 "one queued pair" sql_is 1 "select queued from progress"
rm "$IN/late/$(basename "$replacement")"
wait_for 20 "the file to be missed" sql_is "1|0|0" \
    "select missing || '|' || queued || '|' || failed from progress"
"$PAIRMILL" resume --db "$DB"
cp "$replacement" "$IN/late/"
wait_done 1
must_be "$after" "select dy || '|' || dx from results"
daemon_stop

say "a second run does nothing new, --overwrite does everything again"
cp -R "$T/made/$first" "$IN/"
set -- "$PAIRMILL" run --config "$CONF"
run_rc 0 "$@"
must_be 5 "select done from progress"
stamps >"$T/once"
run_rc 0 "$@"
stamps >"$T/twice"
cmp "$T/once" "$T/twice" || fail "a second run touched the outputs"
run_rc 0 "$@" --overwrite
must_be "5|5" "select count(*) || '|' || count(distinct target_path || gt_path) from results"
stamps >"$T/thrice"
[ "$(comm -12 "$T/once" "$T/thrice" | wc -l)" = 0 ] || fail "--overwrite left old outputs"
check_outputs --expect 5
check_clean
