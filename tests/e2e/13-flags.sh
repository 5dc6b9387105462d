#!/bin/sh
# A target of another scene is held back, a flat pair is flagged; what a flag does can be set, and
# pairmill retry takes a pair up again.
. tests/lib/e2e.sh
mkpairs "$IN" 2 2 400x300 121
scene=$(find "$IN" -maxdepth 1 -name '*-00')
other=$(find "$IN" -path '*-01/*_01_*.tif')
cp "$other" "$scene/stranger.tif"
"$PYTHON" - "$IN" <<'END'
import os, sys, numpy, tifffile
top = os.path.join(sys.argv[1], "wall")
os.makedirs(os.path.join(top, "gt"))
noise = numpy.random.default_rng(1).normal(0, 90, (300, 400, 3))
for path, image in (("gt/wall.tif", 0 * noise), ("wall_noisy.tif", noise)):
    tifffile.imwrite(os.path.join(top, path), (20000 + image).astype("uint16"), photometric="rgb")
END
write_conf

say "another scene is held back, a flat wall is kept with its flag"
run_rc 3 "$PAIRMILL" run --config "$CONF"
must_be "5|1|0|0|0" "$totals"
must_be "align|EFLAGGED" "select stage || '|' || code from failures"
must_be 1 "select count(*) from failures
    where target_path like '%stranger.tif' and message like '%no_overlap_match%on_flag%'"
[ -z "$(find "$OUT" -name '*stranger*')" ] || fail "a held pair was published"
must_be "wall/wall_noisy.tif|ambiguous" "select target_path, flags from results where flags <> ''"
must_be 1 "select confidence < 0.5 from results where flags <> ''"
must_be 0 "select count(*) from results where flags = '' and confidence < 0.5"

say "retry with on_flag = keep publishes it, flag and all"
write_conf align.on_flag=keep
run_rc 3 "$PAIRMILL" run --config "$CONF"
run_rc 0 "$PAIRMILL" retry --config "$CONF"
run_rc 0 "$PAIRMILL" run --config "$CONF"
must_be "6|0|0|0|0" "$totals"
must_be 1 "select count(*) from results
    where target_path like '%stranger.tif' and flags like '%no_overlap_match%'"

check_outputs --expect 6

say "on_flag = fail wants none"
write_conf align.on_flag=fail
run_rc 3 "$PAIRMILL" run --config "$CONF" --overwrite
must_be "4|2|0|0|0" "$totals"
must_be 4 "select count(*) from results"
check_clean
check_outputs --expect 4

say "a target replaced by a bad file takes its earlier result away"
good=$(sqlite3 -readonly "$DB" "select target_path from results order by job_id limit 1")
echo "no image" >"$IN/$good"
run_rc 3 "$PAIRMILL" run --config "$CONF"
must_be "3|3|0|0|0" "$totals"
check_outputs --expect 3
