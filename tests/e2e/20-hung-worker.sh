#!/bin/sh
# A worker that hangs in a read, as on a network drive whose server is gone: it is shown in the view
# `workers`, WATCHDOG=1 stays away, systemd (a small one of our own) kills and restarts the service,
# no pair is lost; and a second SIGTERM abandons a hung worker at once.
. tests/lib/e2e.sh
need_shim
mkpairs "$T/made" 2 3 160x120 221
export SHIM_HOLD="$T/hold" SHIM_HOLD_NAME=hang-here SHIM_HOLD_AT=open

write_conf pairmill.settle_s=0 pairmill.drain_timeout_s=600 pairmill.workers=2 pairmill.max_attempts=50
cp -R "$T"/made/*/ "$IN/"
victim=$(find "$IN" -name '*.tif' ! -path '*/gt/*' | sort | head -n 1)
mv "$victim" "$(dirname "$victim")/hang-here.tif"
: >"$SHIM_HOLD"
cat >"$T/hanging" <<END
#!/bin/sh
LD_PRELOAD=$SHIM ASAN_OPTIONS=verify_asan_link_order=0 exec "$PAIRMILLD" --config "$CONF"
END
chmod +x "$T/hanging"

say "systemd restarts a service with a hung worker"
"$PYTHON" "$LIB/watchdog.py" "$T/systemd" 4 "$T/hanging" >>"$LOG" 2>&1 &
daemon=$!
wait_for 60 "the others to be done" sql_is 5 "select sum(done) from progress"
wait_for 60 "the worker to be shown as hanging" sql_is "hangs|decode" \
    "select state, stage from workers where target_path like '%hang-here.tif'"
grep -q 'step=decode event=hangs' "$LOG" || fail "the log does not name the worker"
wait_for 60 "the watchdog" grep -q '^watchdog' "$T/systemd"
wait_for 60 "the restart" grep -q '^ended -6' "$T/systemd"
rm "$SHIM_HOLD" # the server is back
wait_done 6
# It may have hung again before the server was back: then it was restarted once more.
must_be "1|0" "select max(attempts) >= 2, (select count(*) from failures) from job"
kill -TERM "$daemon"
rc=0
wait "$daemon" || rc=$?
daemon=
[ "$rc" = 0 ] || fail "it ended with $rc"
[ "$(tail -n 1 "$T/systemd")" = "ended 0" ] || fail "the service: $(tail -n 1 "$T/systemd")"
check_outputs --expect 6
check_clean

say "a second SIGTERM abandons a hung worker at once, drain_timeout is 600 s"
: >"$SHIM_HOLD"
cp "$(find "$IN" -name hang-here.tif)" "$T/copy.tif"
"$T/hanging" >>"$LOG" 2>&1 &
daemon=$!
mv "$T/copy.tif" "$(dirname "$(find "$IN" -name hang-here.tif)")/hang-here-too.tif"
wait_for 60 "it to hang" sql_is decode \
    "select stage from workers where target_path like '%hang-here-too.tif'"
kill -TERM "$daemon"
wait_for 20 "the drain to begin" grep -q 'name=SIGTERM state=drain' "$LOG"
must_be 1 "select running from progress"
kill -TERM "$daemon"
timeout 60 tail --pid="$daemon" -f /dev/null || fail "it waits for drain_timeout"
rc=0
wait "$daemon" || rc=$?
daemon=
[ "$rc" = 0 ] || fail "it ended with $rc"
must_be "0|1" "select running, queued from progress"
rm "$SHIM_HOLD"
daemon_start
wait_done 7
daemon_stop
check_clean
