#!/bin/sh
# A folder full of files at the first start: FILES of them (10,000; `make scale` takes 100,000) in scenes of 100 are
# queued within bounds of memory that do not depend on the machine; another folder's one pair is done meanwhile. Prints
# how long it took and the longest the loop was blocked.
. tests/lib/e2e.sh

FILES=${FILES:-10000}
scenes=$((FILES / 100))
pairs=$((scenes * 99))
RSS_MAX_KB=$((200 * 1024))
[ "$slow" = 1 ] || RSS_MAX_KB=$((10 * RSS_MAX_KB)) # a sanitizer's shadow

held_kb() {
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status"
}

say "$FILES files in $scenes scenes, on hold, and one pair elsewhere"
"$PYTHON" - "$IN" "$scenes" <<'END'
import os, sys
for s in range(int(sys.argv[2])):
    os.makedirs(f"{sys.argv[1]}/scene{s:05d}/gt")
    for i in range(100):
        name = "gt/clean.tif" if i == 0 else f"noisy{i:02d}.tif"
        with open(f"{sys.argv[1]}/scene{s:05d}/{name}", "w") as file:
            file.write("not read while the queue is paused")
END
mkdir "$T/other"
mkpairs "$T/other" 1 1 160x120 5 >/dev/null
mv "$IN" "$T/later"
write_conf "source other.input=$T/none_yet" "source other.output=$T/other_out"
mkdir "$T/none_yet"
daemon_start_ready
"$PAIRMILL" pause main --config "$CONF" >/dev/null
daemon_stop
rmdir "$IN" "$T/none_yet"
mv "$T/later" "$IN"
mv "$T/other" "$T/none_yet"
start=$(date +%s)
daemon_start_ready

say "the other folder is not starved"
wait_for 60 "the other folder's pair" sql_is 1 "select done from progress where source = 'other'"
say "all are queued"
wait_for 300 "$pairs pairs in the queue" sql_is "$pairs" \
    "select queued from progress where source = 'main'"
took=$(($(date +%s) - start))
wait_for 60 "nothing left to settle" sql_is 0 "select sum(settling) from progress"
kb=$(held_kb)
[ "$kb" -lt "$RSS_MAX_KB" ] || fail "the daemon held $kb kB, more than $RSS_MAX_KB"
must_be "$((pairs + 1))" "select sum(total) from progress"
echo "$FILES files: queued ${took} s after the start, $kb kB held at most," \
    "loop blocked at most $(sql 'select loop_lag_max_ms from health') ms"

say "a second start finds nothing new"
rows=$(sql "select count(*) from job")
daemon_stop
daemon_start_ready
wait_for 300 "the walk after the second start" sql_is 0 "select sum(settling) from progress"
must_be "$rows" "select count(*) from job"
must_be "$pairs" "select total from progress where source = 'main'"
daemon_stop
