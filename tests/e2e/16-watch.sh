#!/bin/sh
# Events that are lost, that are not to be had, and that are switched off: no file is lost.
. tests/lib/e2e.sh
mkpairs "$T/made" 1 2 160x120 171
scene=$(find "$T/made" -mindepth 1 -maxdepth 1 -type d)

walks() {
    grep -c 'event=walked' "$LOG" || true
}

stopped() {
    grep -q '^State:.*stopped' "/proc/$daemon/status"
}

walked_to() {
    [ "$(walks)" -ge "$1" ]
}

limit=$(cat /proc/sys/fs/inotify/max_queued_events 2>/dev/null || echo 16384)
if [ "$limit" -le 60000 ]; then
    files=20000
    [ "$limit" -lt 19000 ] || files=$((limit + 2000))
    say "$files files while the daemon cannot look (its queue holds $limit events): one more walk"
    write_conf pairmill.rescan_s=3600 log.log_level=debug
    daemon_start_ready
    "$PAIRMILL" pause --db "$DB"
    wait_for 20 "the first walk" sql_is 1 "select watching from progress"
    must_be 0 "select overflows from health"
    [ "$(walks)" = 1 ] || fail "walked before anything happened"
    mkdir -p "$IN/many/gt"
    cp "$scene"/gt/*.tif "$IN/many/seen.tif"
    wait_for 20 "the new folder to be known" sql_is 1 \
        "select count(*) from image where name = 'many/seen.tif'"
    kill -STOP "$daemon"
    wait_for 20 "the daemon to stand still" stopped
    cp "$scene"/gt/*.tif "$IN/many/gt/g.tif"
    "$PYTHON" - "$(find "$scene" -maxdepth 1 -name '*.tif' | head -n 1)" "$IN/many" "$files" <<'PY'
import os, shutil, sys
source, folder, files = sys.argv[1], sys.argv[2], int(sys.argv[3])
first = os.path.join(folder, "0.tif")
shutil.copy(source, first)
for i in range(1, files):
    os.link(first, os.path.join(folder, "%d.tif" % i))
PY
    before=$(walks)
    kill -CONT "$daemon"
    wait_for 120 "$((files + 1)) queued pairs" sql_is "$((files + 1))" "select queued from progress"
    wait_for 60 "the walk to end" walked_to $((before + 1))
    [ "$(walks)" = $((before + 1)) ] || fail "$(walks) walks, wanted $((before + 1))"
    wait_for 20 "the overflow in health" sql_is 1 "select overflows from health"
    wait_for 60 "all to have settled" sql_is "0|1" "select settling, watching from progress"
    [ "$(grep -c 'event=events_lost' "$LOG")" = 1 ] || fail "not one line about lost events"
    daemon_stop
    check_clean
fi

# A user namespace has limits of its own, so the machine's are not touched.
cat >"$T/limited" <<'END'
#!/bin/sh
exec unshare -Ur sh -c 'echo "$LIMIT" >"/proc/sys/user/$WHICH" && exec "$@"' sh "$REAL" "$@"
END
chmod +x "$T/limited"
export REAL="$PAIRMILLD" WHICH=max_inotify_watches LIMIT=2
if ! "$T/limited" --version >"$T/run.out" 2>&1; then
    echo "no user namespace with limits of its own is to be had: that part was left out"
    exit 0
fi
PAIRMILLD=$T/limited

set_limit() {
    nsenter -U -t "$daemon" --preserve-credentials sh -c "echo $1 >/proc/sys/user/$WHICH"
}

pollings() {
    grep -c 'event=polling' "$LOG" || true
}

for case in "max_inotify_watches 2" "max_inotify_instances 0"; do
    WHICH=${case% *} LIMIT=${case#* }
    say "$WHICH is $LIMIT: polled, said once; watched again when there is room"
    rm -rf "$T/state" "$OUT" "$IN"
    mkdir "$T/state"
    : >"$LOG"
    write_conf pairmill.poll_s=1 pairmill.rescan_s=3600 log.log_level=debug
    cp -R "$scene" "$IN/a"
    daemon_start_ready
    wait_done 2
    must_be 0 "select watching from progress"
    cp -R "$scene" "$IN/b"
    wait_done 4
    before=$(walks)
    wait_for 20 "three more walks" walked_to $((before + 3))
    [ "$(pollings)" = 1 ] || fail "$(pollings) warnings about polling, wanted one"
    grep 'event=polling' "$LOG" | grep -q 'fs.inotify.max_user' || fail "the limit is not named"
    set_limit 1000
    wait_for 20 "everything to be watched" sql_is 1 "select watching from progress"
    grep -q 'event=watching' "$LOG" || fail "not a word that it is watched again"
    # The next walk is an hour away.
    cp -R "$scene" "$IN/c"
    wait_done 6
    [ "$(pollings)" = 1 ] || fail "$(pollings) warnings about polling, wanted one"
    daemon_stop
    check_clean
done
PAIRMILLD=$REAL

say "watch = no: all of it by walking"
rm -rf "$T/state" "$OUT" "$IN"
mkdir "$T/state"
: >"$LOG"
write_conf pairmill.watch=no pairmill.poll_s=1 pairmill.rescan_s=3600
daemon_start_ready
cp -R "$scene" "$IN/a"
wait_done 2
rm "$(find "$IN/a" -maxdepth 1 -name '*.tif' | head -n 1)"
wait_for 20 "a gone file" sql_is 1 "select count(*) from image where state = 'gone'"
[ "$(pollings)" = 0 ] || fail "a warning about what was asked for"
daemon_stop
check_clean
