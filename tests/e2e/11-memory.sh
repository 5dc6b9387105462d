#!/bin/sh
# memory_max: workers wait rather than exceed it; what can never fit is refused with advice; a
# header that promises a giant is refused before anything is allocated.
. tests/lib/e2e.sh

# peak_mb PID: the most memory the process ever had resident.
peak_mb() {
    awk '/^VmHWM:/ { print int($2 / 1024) }' "/proc/$1/status"
}

# A pair of these is 2 x 15 MB decoded: four workers would want 75 MB and more for it. A sanitizer
# has its own idea of memory: there the point is only that waiting does not hang.
size=2000x1250 tight=64M
[ "$slow" = 1 ] || size=1000x625 tight=28M
mkpairs "$T/made" 4 2 "$size" 111
mkdir "$IN"
cp -R "$T"/made/*/ "$IN/"

# measure NAME KEY=VALUE...: all eight pairs, then the peak into the variable peak.
measure() {
    name=$1
    shift
    OUT=$T/out-$name DB=$T/state/$name.db
    write_conf pairmill.workers=4 crop.crop_size=512 crop.crop_stride=512 "$@"
    daemon_start
    wait_done 8
    peak=$(peak_mb "$daemon")
    daemon_stop
    check_clean
}

measure free pairmill.memory_max=2G
free=$peak
measure tight pairmill.memory_max=$tight cache.cache_bytes=0
say "peak with 2 GiB allowed: $free MB, with $tight: $peak MB"
must_be 0 "select count(*) from failures"
if [ "$slow" = 1 ]; then
    # The rest of a process (code, SQLite, threads, FFTW, libtiff) has its own 40 MB here.
    [ "$peak" -le $((64 + 40)) ] || fail "64 MiB were allowed, $peak MB were used"
    [ "$free" -gt "$peak" ] || fail "memory_max made no difference ($free MB, $peak MB)"
fi

say "a pair that can never fit fails with advice, the others are done"
rm -rf "$IN"
mkdir "$IN"
mkpairs "$T/small" 1 2 160x120 112
cp -R "$T"/small/*/ "$IN/small"
cp -R "$T"/made/*-00 "$IN/large"
OUT=$T/out-never DB=$T/state/never.db
write_conf pairmill.memory_max=8M
daemon_start
wait_done 2 2
must_be 2 "select count(*) from failures where code = 'ETOOBIG' and message like '%memory_max%'"
daemon_stop

say "a bomb is refused by its header"
bomb=$IN/small/bomb.tif
"$PYTHON" - "$bomb" <<'END'
import struct, sys
# One strip said to hold 60000 x 60000 RGB 16-bit: 21.6 GB from a file of a few hundred bytes.
def entry(tag, kind, value):
    return struct.pack("<HHII", tag, kind, 1, value)
entries = [entry(256, 4, 60000), entry(257, 4, 60000), entry(258, 3, 16), entry(259, 3, 1),
    entry(262, 3, 2), entry(273, 4, 400), entry(277, 3, 3), entry(278, 4, 60000), entry(279, 4, 64)]
ifd = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
with open(sys.argv[1], "wb") as f:
    f.write((struct.pack("<2sHI", b"II", 42, 8) + ifd).ljust(464, b"\0"))
END
rm -rf "$IN/large"
OUT=$T/out-bomb DB=$T/state/bomb.db
write_conf pairmill.memory_max=2G
daemon_start
wait_done 2 1
peak=$(peak_mb "$daemon")
daemon_stop
must_be "decode|ETOOBIG" "select stage || '|' || code from failures where target_path like '%bomb.tif'"
must_be 1 "select count(*) from failures where message like '%max_pixels%'"
say "peak with the bomb: $peak MB"
[ "$slow" != 1 ] || [ "$peak" -le 100 ] || fail "the bomb took $peak MB"
