#!/bin/sh
# Signals and ownership: drain, reload, a second owner, a dead owner, an interrupted run.
. tests/lib/e2e.sh
targets=10
[ "$slow" = 1 ] || targets=4
pairs=$((4 * targets))
mkpairs "$T/made" 4 "$targets" 220x160 81
WAIT_S=120

some_done() {
    [ "$(sql 'select sum(done) from progress' 2>/dev/null || echo 0)" -ge "$1" ] 2>/dev/null
}

say "SIGTERM in the middle: exit 0, nothing running, the rest queued"
write_conf pairmill.workers=1 pairmill.settle_s=0
cp -R "$T"/made/*/ "$IN/"
daemon_start
wait_for 60 "the first pairs" some_done 2
daemon_stop TERM
must_be 0 "select sum(running) from progress"
must_be "$pairs" "select sum(done) + sum(queued) from progress"
must_be 1 "select sum(queued) > 0 from progress"
check_clean

say "a second owner is sent away with the owner's pid"
daemon_start_ready
run_rc 4 "$PAIRMILLD" --config "$CONF"
grep -qw "$daemon" "$T/run.err" || fail "the owner's pid $daemon is not named: $(cat "$T/run.err")"
run_rc 4 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --db "$DB"
grep -qw "$daemon" "$T/run.err" || fail "run does not name the owner: $(cat "$T/run.err")"

say "after kill -9 of the owner the next start works at once"
daemon_kill
daemon_start
wait_done "$pairs"
must_be 0 "select count(*) from failures"

say "SIGHUP: a bad file keeps the old settings and says so"
cp "$CONF" "$T/good.conf"
sed 's/^settle_s.*/settle_s = soon/' "$T/good.conf" >"$CONF"
kill -HUP "$daemon"
wait_for 20 "the complaint about settle_s" grep -q 'settle_s' "$LOG"
grep 'settle_s' "$LOG" | grep -q "$CONF" || fail "the complaint does not name the file"
mkpairs "$T/second" 1 2 160x120 82
mv "$T/second"/*/ "$IN/second"
wait_done $((pairs + 2))

say "SIGHUP: a good file brings its new source and log level"
mkpairs "$T/third" 1 2 160x120 83
{
    cat "$T/good.conf"
    printf '[source more]\ninput = %s\noutput = %s\n' "$T/third" "$T/out-more"
    printf '[log]\nlog_level = debug\n'
} >"$CONF"
! grep -q '^debug: ' "$LOG" || fail "debug lines before they were asked for"
kill -HUP "$daemon"
wait_done $((pairs + 4))
wait_for 20 "the new log_level" grep -q '^debug: ' "$LOG"
must_be 2 "select done from progress where source = 'more'"
[ "$(find "$T/out-more" -name pair.json | wc -l)" = 2 ] || fail "the new source has no outputs"
daemon_stop INT
must_be 0 "select sum(running) from progress"
check_clean

say "SIGHUP while it starts: the database is locked, so that takes until the guest lets go"
mkfifo "$T/hold"
sqlite3 -batch "$DB" <"$T/hold" >"$T/hold.out" &
others=$!
exec 9>"$T/hold"
printf '%s\n' "begin immediate;" "select 'held';" >&9
wait_for 20 "the guest's lock" grep -q held "$T/hold.out"
before=$(grep -c 'event=start' "$LOG")
daemon_start
wait_for 20 "the owner" grep -qw "$daemon" "$DB.lock"
kill -HUP "$daemon"
printf '%s\n' "rollback;" ".exit" >&9
exec 9>&-
wait_for 20 "pairmilld to start" started_since "$before"

say "SIGHUP without a pause until it has ended: exit 0 all the same"
while kill -HUP "$daemon" 2>/dev/null; do :; done &
daemon_stop
must_be 0 "select sum(running) from progress"

say "an interrupted run ends with 130 and goes on where it was"
OUT=$T/out-run DB=$T/out-run/pairmill.db
"$PAIRMILL" run --input_dir "$T/made" --output_dir "$OUT" --max_shift 24 --workers 1 \
    >>"$LOG" 2>&1 &
daemon=$!
wait_for 60 "the first pairs of the run" some_done 2
kill -INT "$daemon"
rc=0
wait "$daemon" || rc=$?
daemon=
[ "$rc" = 130 ] || fail "the interrupted run ended with $rc"
must_be 0 "select sum(running) from progress"
must_be 1 "select sum(queued) > 0 from progress"
find "$OUT" -name pair.json -printf '%p %T@\n' | sort >"$T/first"
run_rc 0 "$PAIRMILL" run --input_dir "$T/made" --output_dir "$OUT" --max_shift 24
must_be "$pairs|0|0|0|0" "$totals"
find "$OUT" -name pair.json -printf '%p %T@\n' | sort >"$T/all"
[ "$(comm -12 "$T/first" "$T/all" | wc -l)" = "$(wc -l <"$T/first")" ] ||
    fail "what was done before the interrupt was done again"
check_clean
