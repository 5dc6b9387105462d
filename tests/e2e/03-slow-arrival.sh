#!/bin/sh
# 500 pairs through the daemon while their files arrive slowly, out of order and in pieces: exactly
# one done row and one folder a pair, no half file is ever read, nothing is left in .partial.
. tests/lib/e2e.sh
targets=50
[ "$slow" = 1 ] || targets=10
pairs=$((10 * targets))

mkpairs "$T/made" 10 "$targets" 128x96 31
write_conf pairmill.settle_s=1.5 align.max_shift=16 pairmill.rescan_s=3
daemon_start_ready
say "$pairs pairs are on their way"
"$PYTHON" "$LIB/drip.py" "$T/made" "$IN" --seed 31 --gap-ms 1000 >"$T/stalled"
say "all written; $(sql 'select sum(done) from progress') were done meanwhile"
wait_done "$pairs"

say "one row and one folder a pair, and every file was read once"
must_be "$pairs|$pairs" "select count(*), count(distinct target_path) from results"
[ "$(find "$OUT" -name pair.json | wc -l)" = "$pairs" ] || fail "not one folder a pair"
must_be 0 "select count(*) from failures"
check_outputs --truth "$T/made/truth.csv" --expect "$pairs"
# A half file would have failed to decode, or been taken back as changed: either is in the log. Files
# whose writer stalled longer than the settling time are none of the daemon's fault.
if [ -s "$T/stalled" ]; then
    say "the writer stalled on $(wc -l <"$T/stalled") files"
elif grep -E 'EFORMAT|ECHANGED|not a valid image|changed while' "$LOG"; then
    fail "a half file was read"
fi
daemon_stop
check_clean
