# e2e: what the end-to-end scripts share. Source it from the repository root: . tests/lib/e2e.sh
# Gives a temporary folder T with IN, OUT, DB, CONF and LOG below it; removed at the end, whatever
# happens, unless KEEP=1. A script passes with 0, skips with 77, and fails with one clear line and
# the daemon's last words. Nothing here sleeps for a fixed time: wait_for asks for a condition.
set -eu
BUILD=${BUILD:-build} PYTHON=${PYTHON:-/usr/bin/python3}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
PAIRMILL=$BUILD/pairmill PAIRMILLD=$BUILD/pairmilld
LIB=$PWD/tests/lib
unset NOTIFY_SOCKET WATCHDOG_USEC 2>/dev/null || true

# A sanitizer build is several times slower: bounds grow, campaigns shrink.
slow=1
if grep -qE '__(asan|tsan)_init' "$PAIRMILLD"; then
    slow=6
fi

T=$(mktemp -d)
mkdir "$T/state"
IN=$T/in OUT=$T/out DB=$T/state/pairmill.db CONF=$T/pairmill.conf LOG=$T/pairmilld.log
daemon=
preload=
others=
: >"$LOG"

say() {
    echo "== $*"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

at_end() {
    rc=$?
    trap - EXIT
    set +e
    for pid in $daemon $others; do
        kill -9 "$pid" 2>/dev/null
    done
    # Also of processes that were killed before they could end with an error.
    if grep -hA 40 -m 1 -E 'Sanitizer|runtime error:' "$LOG" "$T"/run.err >&2 2>/dev/null; then
        rc=1
    elif [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
        echo "-- last lines of $LOG" >&2
        tail -n 25 "$LOG" >&2
    fi
    if [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
        echo "-- database" >&2
        sqlite3 -batch -readonly -header "$DB" "select * from progress; select * from failures" >&2
    fi
    if [ -n "${KEEP:-}" ]; then
        echo "kept: $T"
    else
        chmod -R u+rwX "$T" 2>/dev/null
        rm -rf "$T"
    fi
    exit "$rc"
}
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Asks the database as any guest does.
sql() {
    sqlite3 -batch -readonly -cmd '.timeout 10000' "$DB" "$1"
}

# sql_is WANTED QUERY: true when the answer is WANTED; a database that is not there yet is not.
sql_is() {
    [ "$(sql "$2" 2>/dev/null)" = "$1" ]
}

# must_be WANTED QUERY: fails the script unless the answer is WANTED.
must_be() {
    got=$(sql "$2") || fail "query failed: $2"
    [ "$got" = "$1" ] || fail "$2: wanted '$1', got '$got'"
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds; the daemon's death ends the waiting.
wait_for() {
    tries=$(($1 * 10 * slow)) what=$2
    shift 2
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "waited too long for: $what"
        if [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; then
            fail "pairmilld died while waiting for: $what"
        fi
        sleep 0.1
    done
}

# write_conf SECTION.KEY=VALUE...: small crops, quick settling, one source; what is given here beats
# the values below, and may add keys and sections.
write_conf() {
    mkdir -p "$IN"
    printf '%s\n' "pairmill.db=$DB" pairmill.workers=2 pairmill.settle_s=0.3 pairmill.rescan_s=2 \
        pairmill.poll_s=2 pairmill.min_free=0 align.max_shift=24 crop.crop_size=64 \
        crop.crop_stride=64 "source main.input=$IN" "source main.output=$OUT" "$@" |
        awk '{
            eq = index($0, "="); dot = index($0, ".")
            section = substr($0, 1, dot - 1); key = substr($0, 1, eq - 1)
            if (!(section in keys)) { sections[++n] = section }
            if (!(key in value)) { keys[section] = keys[section] "\n" key }
            value[key] = substr($0, eq + 1)
        }
        END {
            for (i = 1; i <= n; i++) {
                print "[" sections[i] "]"
                count = split(substr(keys[sections[i]], 2), list, "\n")
                for (k = 1; k <= count; k++) {
                    print substr(list[k], length(sections[i]) + 2) " = " value[list[k]]
                }
            }
        }' >"$CONF"
}

daemon_start() {
    LD_PRELOAD=$preload ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-} \
        "$PAIRMILLD" --config "$CONF" >>"$LOG" 2>&1 &
    daemon=$!
}

# A script that preloads the shim says so; tests/preload/gate.h and flag.h have what it understands.
need_shim() {
    SHIM=$BUILD/tests/preload.so
    [ -e "$SHIM" ] || fail "make $SHIM first"
}

# with_shim COMMAND...: pairmilld and pairmill started by it have the shim preloaded.
with_shim() {
    preload=$SHIM
    "$@"
    preload=
}

# Up and recovered: this process, not one before it, says that it has begun.
daemon_start_ready() {
    before=$(grep -c 'event=start' "$LOG" || true)
    daemon_start
    wait_for 20 "pairmilld to start" started_since "$before"
}

started_since() {
    [ "$(grep -c 'event=start' "$LOG")" -gt "$1" ]
}

# daemon_stop [SIGNAL]: asks it to drain and insists on exit code 0.
daemon_stop() {
    kill "-${1:-TERM}" "$daemon"
    rc=0
    wait "$daemon" || rc=$?
    daemon=
    [ "$rc" = 0 ] || fail "pairmilld ended with $rc after SIG${1:-TERM}"
}

daemon_kill() {
    kill -9 "$daemon"
    wait "$daemon" 2>/dev/null || true
    daemon=
}

# mkpairs DIR SCENES TARGETS WxH SEED [OPTION...]: pairs from real photographs, shifted by up to 12
# px; the truth is DIR/truth.csv.
mkpairs() {
    dir=$1 scenes=$2 targets=$3 size=$4 seed=$5
    shift 5
    "$PYTHON" "$LIB/make_pairs.py" "$dir" --scenes "$scenes" --targets "$targets" --size "$size" \
        --seed "$seed" --max-shift 12 --noise none,medium "$@"
}

# Every source together: "done|failed|quarantined|missing|queued+running+waiting+settling".
totals="select sum(done)||'|'||sum(failed)||'|'||sum(quarantined)||'|'||sum(missing)||'|'
    ||(sum(queued)+sum(running)) from progress"

# wait_done N [FAILED]: N pairs done, FAILED (0) failed, nothing left to do.
wait_done() {
    wait_for "${WAIT_S:-90}" "$1 pairs done, ${2:-0} failed" all_settled "$1" "${2:-0}"
}

# Pairs that failed stay so: more than were expected end the waiting.
all_settled() {
    state=$(sql "$totals" 2>/dev/null || true)
    failed=${state#*|}
    [ "${failed%%|*}" -le "$2" ] 2>/dev/null || [ -z "${failed%%|*}" ] ||
        fail "more than $2 pairs failed: $state (done|failed|quarantined|missing|to do)"
    [ "$state" = "$1|$2|0|0|0" ]
}

# check_outputs ARGS...: the outputs against their sources and the database, with numpy.
check_outputs() {
    "$PYTHON" "$LIB/check_outputs.py" --db "$DB" --output "$OUT" "$@" || fail "outputs are wrong"
}

# Nothing half made is left, the database is sound, no row is still running.
check_clean() {
    left=$(find "$OUT/.partial" -mindepth 1 2>/dev/null | head -n 3)
    [ -z "$left" ] || fail "left in .partial: $left"
    must_be ok "pragma integrity_check"
    must_be 0 "select sum(running) from progress"
}

# as_user UID GID COMMAND...: only root can.
as_user() {
    uid=$1 gid=$2
    shift 2
    setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
}

# run_rc WANTED COMMAND...: insists on an exit code (124: it did not end); output goes to
# $T/run.out and $T/run.err.
run_rc() {
    want=$1
    shift
    rc=0
    timeout $((120 * slow)) "$@" >"$T/run.out" 2>"$T/run.err" || rc=$?
    if [ "$rc" != "$want" ]; then
        cat "$T/run.out" "$T/run.err" >&2
        fail "exit code $rc, wanted $want: $*"
    fi
}
