#!/bin/sh
# A full disk is a pause, not a failure: below min_free nothing is begun; pairs that meet ENOSPC are
# queued again without spending an attempt; a database that cannot grow is asked again every 10 s;
# all goes on by itself. With a preloaded shim, and, where a tmpfs may be mounted, for real.
if [ -z "${PM_MOUNTS:-}" ]; then
    PM_MOUNTS=no
    for how in "unshare -m" "unshare -Urm"; do
        # shellcheck disable=SC2086 # the words of a command
        if $how sh -c 'd=$(mktemp -d) && mount -t tmpfs -o size=64k none "$d" && umount "$d" &&
            rmdir "$d"' 2>/dev/null; then
            PM_MOUNTS=yes exec $how env PM_MOUNTS=yes sh "$0"
        fi
    done
fi
. tests/lib/e2e.sh
need_shim
mkpairs "$T/made" 3 4 320x240 141
pairs=12

only_once() { # PATTERN
    n=$(grep -c "$1" "$LOG" || true)
    [ "$n" = 1 ] || fail "$n lines of $1, wanted one"
}

nothing_spent() { # no attempt spent, no pair failed
    must_be "0|0|0" "select (select max(attempts) from job where state = 'queued'),
        (select count(*) from failures), (select count(*) from quarantine)"
}

met_enospc() {
    [ "$(sql "select count(*) from job where state = 'queued' and code = 'ENOSPC'" 2>/dev/null)" \
        -ge "$1" ] 2>/dev/null
}

say "below min_free no pair is begun, once said; with less wanted they all are"
cp -R "$T/made" "$IN"
rm "$IN/truth.csv"
write_conf pairmill.min_free=900T
daemon_start_ready
wait_for 30 "$pairs queued pairs, held" sql_is "$pairs|0|1" \
    "select queued, running + done, (select space_low from health) from progress"
only_once event=space_low
wait_for 20 "what is free" sql_is 1 \
    "select json_extract(output_free_bytes, '\$.main') > 1000000 from health"
write_conf pairmill.min_free=0
kill -HUP "$daemon"
wait_done "$pairs"
must_be 1 "select max(attempts) from job"
wait_for 20 "health to say so" sql_is 0 "select space_low from health"
only_once event=space_back
daemon_stop
outputs_kb=$(du -sk "$OUT" | cut -f 1)

say "pairs that meet a full disk are queued again, no attempt is spent"
rm -rf "$T/state" "$OUT"
mkdir "$T/state"
: >"$LOG"
touch "$T/full"
export SHIM_FULL="$T/full" SHIM_FULL_DIR="$OUT"
with_shim daemon_start_ready
wait_for 60 "pairs to meet ENOSPC" met_enospc 3
nothing_spent
rm "$T/full"
wait_done "$pairs"
must_be 1 "select max(attempts) from job"
check_outputs --truth "$T/made/truth.csv" --expect "$pairs"
daemon_stop
check_clean

say "a database that cannot grow is asked again every 10 s, one line; nothing is lost"
rm -rf "$T/state" "$OUT" "$IN" "$T/full.log"
mkdir "$T/state" "$IN"
: >"$LOG"
export SHIM_FULL_DIR="$T/state"
with_shim daemon_start_ready
wait_for 20 "an idle database" test -f "$DB"
touch "$T/full"
cp -R "$T"/made/*/ "$IN/"
tries() { # bursts of refused writes, more than a second apart; the gaps must be >= 10 s
    awk 'NR == 1 || $1 - last > 1000 { n++; if (NR > 1 && $1 - last < 9500) bad = 1 } { last = $1 }
        END { print bad ? "too soon" : n + 0 }' "$T/full.log" 2>/dev/null
}
tried() {
    n=$(tries)
    [ "$n" != "too soon" ] || fail "asked again before 10 s: $(cat "$T/full.log")"
    [ "${n:-0}" -ge "$1" ]
}
wait_for 60 "a second try" tried 2
kill -0 "$daemon"
[ "$(grep -c 'no space left' "$LOG")" = 1 ] || fail "more than one line in a minute"
must_be 0 "select total from progress" # readers still can read
rm "$T/full"
wait_done "$pairs"
must_be 1 "select max(attempts) from job"
daemon_stop
check_clean
must_be "$pairs" "select done from progress"
unset SHIM_FULL SHIM_FULL_DIR

say "a file beyond ulimit -f costs its pair, not the process; without the limit it is made"
mkpairs "$T/big" 1 1 900x700 142
OUT=$T/out-big DB=$T/out-big/pairmill.db
set -- "$PAIRMILL" run --input_dir "$T/big" --output_dir "$OUT" --crop_size 1024 --max_attempts 1
(
    ulimit -f 4000 # blocks of 512 bytes; the crops have 3.7 MB
    run_rc 3 "$@"
)
must_be "crop|EIO|1" "select stage, code, message like '%File too large%ulimit -f%' from failures"
run_rc 0 "$PAIRMILL" retry --db "$DB"
run_rc 0 "$@"
must_be 1 "select done from progress"
check_clean
OUT=$T/out DB=$T/state/pairmill.db

if [ "$PM_MOUNTS" != yes ]; then
    echo "no tmpfs may be mounted here: that part was left out"
    exit 0
fi

say "a real small disk for the outputs: some are done, the others wait for room"
rm -rf "$T/state" "$OUT"
mkdir "$T/state" "$OUT"
: >"$LOG"
mount -t tmpfs -o "size=$((outputs_kb / 2))k" none "$OUT"
write_conf pairmill.min_free=0
daemon_start_ready
wait_for 60 "a pair to meet ENOSPC" met_enospc 1
nothing_spent
mount -o "remount,size=$((outputs_kb * 3))k" "$OUT"
wait_done "$pairs"
must_be 1 "select max(attempts) from job"
check_outputs --truth "$T/made/truth.csv" --expect "$pairs"
daemon_stop
check_clean

say "the same with min_free: none has to fail first"
rm -rf "$T/state" "${OUT:?}"/*
mkdir "$T/state"
: >"$LOG"
mount -o "remount,size=$((outputs_kb * 3))k" "$OUT"
head -c "$((outputs_kb * 2))k" /dev/zero >"$OUT/filler"
write_conf "pairmill.min_free=$((outputs_kb * 2))K"
daemon_start_ready
wait_for 30 "$pairs queued pairs, held" sql_is "$pairs|0|1" \
    "select queued, running + done, (select space_low from health) from progress"
must_be 0 "select count(*) from job where code is not null"
rm "$OUT/filler"
wait_done "$pairs"
daemon_stop
umount "$OUT"

say "a real small disk for the database: full, then room again"
rm -rf "$T/state" "$IN"
mkdir "$T/state" "$IN"
: >"$LOG"
mount -t tmpfs -o size=4m none "$T/state"
write_conf
daemon_start_ready
head -c 64m /dev/zero >"$T/state/filler" 2>/dev/null || true
cp -R "$T"/made/*/ "$IN/"
wait_for 60 "the complaint" grep -q 'no space left' "$LOG"
must_be 0 "select total from progress"
rm "$T/state/filler"
wait_done "$pairs"
must_be 1 "select max(attempts) from job"
daemon_stop
check_clean
umount "$T/state"
