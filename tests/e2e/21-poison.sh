#!/bin/sh
# A pair that crashes the process every time is quarantined with signal and step, while another worker
# is at work beside it: all other pairs are done, none of them is blamed, and the service lives.
# retry --id releases it.
. tests/lib/e2e.sh
mkpairs "$IN" 2 6 96x80 5 --channels 1
rm "$IN"/truth.*
write_conf pairmill.max_attempts=3 pairmill.settle_s=0
poison=$(ls "$IN"/*/*_04_*.tif | head -n 1)
need_shim

# deadly COMMAND...: dies of SIGSEGV in the decoder, on the poison, should it get there; rc says how it ended.
deadly() {
    rc=0
    LD_PRELOAD=$SHIM SHIM_KILL=read:1:${poison##*/} SHIM_SIGNAL=11 \
        ASAN_OPTIONS=verify_asan_link_order=0 "$@" --config "$CONF" >"$T/run.out" 2>"$T/run.err" || rc=$?
    grep -v AddressSanitizer "$T/run.err" >>"$LOG" || true
    : >"$T/run.err" # a sanitizer has its say about the fault that was asked for
}

died() {
    [ "$rc" = 139 ] || [ "$slow" != 1 ] || fail "$1 ended with $rc, not 139"
    must_be 1 "select count(*) from job where attempts = $2 and state = 'running'
        and target_id = (select id from image where name like '%${poison##*/}')"
}

say "two runs and a service that die on ${poison##*/}"
deadly "$PAIRMILL" run
died "the first run" 1
deadly "$PAIRMILL" run
died "the second run" 2
deadly timeout 120 "$PAIRMILLD"
died "the service" 3

say "the fourth start lives, and does all the others"
preload=$SHIM
export SHIM_KILL="read:1:${poison##*/}" SHIM_SIGNAL=11
daemon_start
wait_for 60 "11 pairs done, one quarantined" sql_is "11|0|1|0|0" "$totals"
must_be "3|decode|ECRASH|the process died of SIGSEGV while working on it, attempt 3 of 3" \
    "select attempts, stage, code, message from quarantine"
must_be "$(basename "$poison")" \
    "select substr(target_path, instr(target_path, '/') + 1) from quarantine"
must_be 1 "select count(*) from failures where stage = 'decode' and message <> ''"
daemon_stop
run_rc 3 "$PAIRMILL" run --config "$CONF"
preload=
unset SHIM_KILL SHIM_SIGNAL

say "released, it is done like any other once it has lost its poison"
id=$(sql "select job_id from quarantine")
run_rc 0 "$PAIRMILL" retry --config "$CONF" --id "$id"
must_be 0 "select count(*) from quarantine"
daemon_start
wait_done 12
daemon_stop
check_clean
