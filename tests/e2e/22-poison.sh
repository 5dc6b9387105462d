#!/bin/sh
# A pair that crashes the process every time is quarantined with signal and step, while another worker
# is at work beside it: all other pairs are done, none of them is blamed. retry --id releases it.
. tests/lib/e2e.sh
mkpairs "$IN" 2 6 96x80 5 --channels 1
rm "$IN"/truth.*
write_conf pairmill.max_attempts=3 pairmill.settle_s=0
poison=$(ls "$IN"/*/*_04_*.tif | head -n 1)
shim=$BUILD/tests/preload.so
[ -e "$shim" ] || fail "make $shim first"

say "four starts that die in the decoder, of SIGSEGV, on ${poison##*/}"
for life in 1 2 3 4; do
    rc=0
    LD_PRELOAD=$shim SHIM_KILL=read:1:${poison##*/} SHIM_SIGNAL=11 \
        ASAN_OPTIONS=verify_asan_link_order=0 "$PAIRMILL" run --config "$CONF" \
        >"$T/run.out" 2>"$T/run.err" || rc=$?
    grep -v AddressSanitizer "$T/run.err" >>"$LOG" || true
    : >"$T/run.err" # a sanitizer has its say about the fault that was asked for
    [ "$life" = 4 ] || [ "$rc" = 139 ] || [ "$slow" != 1 ] || fail "life $life ended with $rc, not 139"
done
[ "$rc" = 3 ] || fail "with the pair in quarantine a run ends with $rc, not 3"
must_be "11|0|1|0|0" "$totals"
must_be "3|decode|ECRASH|the process died of SIGSEGV while working on it, attempt 3 of 3" \
    "select attempts, stage, code, message from quarantine"
must_be "$(basename "$poison")" \
    "select substr(target_path, instr(target_path, '/') + 1) from quarantine"

say "released, it is done like any other once it has lost its poison"
id=$(sql "select job_id from quarantine")
"$PAIRMILL" retry --config "$CONF" --id "$id" >/dev/null
run_rc 0 "$PAIRMILL" run --config "$CONF"
must_be "12|0|0|0|0" "$totals"
check_clean
