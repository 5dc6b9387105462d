#!/bin/sh
# kill -9 at seeded random instants, restart, and in the end the same state as without kills: one
# done row and one folder a pair, equal bytes, nothing left half made, a sound database.
# SEED=N repeats a campaign, KILLS=N makes it longer.
. tests/lib/e2e.sh
SEED=${SEED:-$(date +%s)} KILLS=${KILLS:-50}
[ "$slow" = 1 ] || KILLS=12
say "SEED=$SEED KILLS=$KILLS"

mkpairs "$IN" 4 6 300x220 5
# Every kill spends an attempt of what runs: this test wants survivors, not quarantine.
settings() {
    write_conf pairmill.max_attempts=100 pairmill.settle_s=0 crop.crop_size=100 crop.crop_stride=100
}

say "the state without kills"
OUT=$T/calm DB=$T/calm.db
settings
run_rc 0 "$PAIRMILL" run --config "$CONF"
must_be "24|0|0|0|0" "$totals"
shape="select scene, gt_path, target_path, dy, dx, loss, gain, mask_mean, crops from results
    order by 1, 2, 3"
sql "$shape" >"$T/calm.rows"
OUT=$T/out DB=$T/state/pairmill.db
settings

# Instants, in milliseconds after the start; short ones hit start-up and recovery, long ones the work.
awk -v seed="$SEED" -v n="$KILLS" -v slow="$slow" 'BEGIN {
    srand(seed)
    for (i = 0; i < n; i++) { printf "%.3f %d\n", rand() * rand() * 0.4 * slow, int(rand() * 2) }
}' >"$T/instants"

say "the campaign"
rounds=0 kills=0
while read -r delay as_run; do
    if [ "$as_run" = 1 ]; then
        "$PAIRMILL" run --config "$CONF" >>"$LOG" 2>&1 &
        daemon=$!
    else
        daemon_start
    fi
    sleep "$delay"
    kill -9 "$daemon" 2>/dev/null || true
    rc=0
    wait "$daemon" || rc=$?
    daemon=
    case $rc in
    137) kills=$((kills + 1)) ;;
    0) ;; # `run` was through before its instant came
    *) fail "ended by itself with $rc after $delay s (SEED=$SEED)" ;;
    esac
    # All done before the kills are spent: begin again, so that every kill meets work.
    if [ -e "$DB" ] && sql_is "24|0|0|0|0" "$totals"; then
        rm -rf "$OUT" "$T/state"
        mkdir "$T/state"
        rounds=$((rounds + 1))
    fi
done <"$T/instants"
say "$kills kills, $rounds times everything was done before the next"
[ "$kills" -gt $((KILLS / 2)) ] || fail "only $kills of $KILLS kills met a living process"

say "one start without a kill ends it ($(sql 'select sum(done) from progress') were done)"
daemon_start
wait_done 24
daemon_stop
check_clean
sql "$shape" >"$T/killed.rows"
cmp "$T/calm.rows" "$T/killed.rows" || fail "results differ from the state without kills (SEED=$SEED)"
must_be 24 "select count(distinct target_path) from results"
"$PYTHON" "$LIB/check_outputs.py" --same "$OUT" "$T/calm" ||
    fail "outputs differ from the state without kills (SEED=$SEED)"
