#!/bin/sh
# A pair that crashes the service: after max_attempts deaths it is quarantined and names its step,
# every other pair is done, the service lives; `pairmill retry --id N` releases it.
. tests/lib/e2e.sh
[ "$slow" = 1 ] || skip "a sanitizer's runtime must be loaded first: no shim can be"
${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o "$T/crash.so" tests/lib/crash/read.c -ldl || fail "the shim does not build"

mkpairs "$T/made" 3 3 160x120 31
mkdir "$IN"
cp -R "$T"/made/*/ "$IN/"
scene=$(ls "$IN" | head -n 1)
victim=$(ls "$IN/$scene"/*.tif | head -n 1)
mv "$victim" "$IN/$scene/poison.tif"
write_conf pairmill.max_attempts=3

# deadly_start: the service, which dies of the poison, sooner or later.
deadly_start() {
    CRASH_ON=poison.tif LD_PRELOAD=$T/crash.so "$PAIRMILLD" --config "$CONF" >>"$LOG" 2>&1 &
    daemon=$!
}

deaths=0
while [ "$deaths" -lt 3 ]; do
    deadly_start
    rc=0
    timeout 60 tail --pid="$daemon" -f /dev/null || fail "it lives, after $deaths deaths"
    wait "$daemon" || rc=$?
    daemon=
    [ "$rc" = 134 ] || fail "death $((deaths + 1)): exit code $rc, wanted 134 (SIGABRT)"
    deaths=$((deaths + 1))
done

say "the fourth start lives, and does all the others"
deadly_start
wait_for 60 "8 pairs done, one quarantined" sql_is "8|0|1|0|0" "$totals"
must_be "3|decode|ECRASH" "select attempts || '|' || stage || '|' || code from quarantine"
must_be 1 "select count(*) from quarantine where target_path like '%poison.tif'"
must_be 1 "select count(*) from failures where stage = 'decode' and message <> ''"
daemon_stop
id=$(sql "select job_id from quarantine")

say "released, and without the poison, it is done"
run_rc 0 "$PAIRMILL" retry --db "$DB" --id "$id"
must_be 0 "select count(*) from quarantine"
daemon_start
wait_done 9
must_be 9 "select count(*) from results"
daemon_stop
check_clean
