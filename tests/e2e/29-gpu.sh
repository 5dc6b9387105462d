#!/bin/sh
# The GPU worker from outside, on the test double of CUDA: the same outputs as the CPU's, bit for
# bit; what is missing or lost is one clear line, and the work goes on.
. tests/lib/e2e.sh
double=$BUILD/tests/fakecuda
[ -f "$double/pairmill-cuda.so" ] || skip "make tests builds the double of CUDA this needs"
mkpairs "$T/pairs" 1 2 160x120 31
mkpairs "$T/pairs/float" 1 1 120x90 32 --dtype f32

# The double's driver library and plugin.
libs=$double${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
plugin=$double/pairmill-cuda.so
align_with() { # OUT WORKERS METHOD
    OUT=$1 DB=$1/pairmill.db
    run_rc 0 env LD_LIBRARY_PATH="$libs" PAIRMILL_CUDA="$plugin" "$PAIRMILL" run \
        --input_dir "$T/pairs" --output_dir "$1" --workers "$2" --alignment_method "$3" \
        --max_shift 20 --crop_size 48 --crop_stride 40 --log_level info
}

say "all pairs on the double, and on the CPU: the same files"
align_with "$T/out-gpu" 1 gpu
must_be "3|gpu|cuda" "select count(*) || '|' || method || '|' || backend from results
    group by method, backend"
align_with "$T/out-cpu" 1 fft
must_be 3 "select count(*) from results where method <> 'gpu'"
for mask in $(cd "$T/out-cpu" && find . -type f -name '*.png' -o -type f -path '*crops*.tif'); do
    cmp "$T/out-cpu/$mask" "$T/out-gpu/$mask" || fail "$mask differs"
done
sqlite3 "$T/out-cpu/pairmill.db" \
    "select target_path, dy, dx, loss, gain, mask_mean from results order by 1" >"$T/cpu.txt"
sqlite3 "$T/out-gpu/pairmill.db" \
    "select target_path, dy, dx, loss, gain, mask_mean from results order by 1" >"$T/gpu.txt"
cmp "$T/cpu.txt" "$T/gpu.txt" || fail "results differ"

say "the command says what it has"
env LD_LIBRARY_PATH="$libs" PAIRMILL_CUDA="$plugin" "$PAIRMILL" gpu --selftest >"$T/said" || fail "the self-test failed"
grep -q "Fake GPU" "$T/said" || fail "the device is not named"
grep -q "equal to the CPU" "$T/said" || fail "no verdict"

say "the bench: every target equal, and a model called a model"
run_rc 0 env LD_LIBRARY_PATH="$libs" PAIRMILL_CUDA="$plugin" "$PAIRMILL" bench gpu --size 96x80 \
    --max_shift 16
[ "$(grep -c '| yes |$' "$T/run.out")" = 5 ] || fail "not all equal: $(cat "$T/run.out")"
[ "$(grep -c '+ gt |' "$T/run.out")" = 1 ] || fail "the gt did not stay: $(cat "$T/run.out")"
grep -q "^model (not measured)" "$T/run.out" || fail "no model"

say "without a driver or a plugin: a line, and the CPU does it"
plugin=$T/no-such-plugin.so
align_with "$T/out-none" 1 gpu
must_be 3 "select count(*) from results where method <> 'gpu' and backend <> 'cuda'"
grep -q "event=gpu_off.*the CUDA plugin does not load" "$T/run.err" || fail "no reason in the log"
rc=0
"$PAIRMILL" gpu --selftest --gpu_device 63 >"$T/said" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "gpu --selftest without a GPU left with $rc"
grep -q "off: " "$T/said" || fail "no reason: $(cat "$T/said")"

say "the daemon's view says which worker has it"
IN=$T/in OUT=$T/out DB=$T/state/pairmill.db
write_conf align.max_shift=20 pairmill.workers=2 align.method=gpu
LD_LIBRARY_PATH=$libs
PAIRMILL_CUDA=$double/pairmill-cuda.so
export LD_LIBRARY_PATH PAIRMILL_CUDA # for the daemon
daemon_start_ready
cp -R "$T"/pairs/*/ "$IN/"
wait_done 3
wait_for 30 "the view to name the device" sh -c \
    "sqlite3 -readonly '$DB' 'select gpu from workers where worker = 0' | grep -q 'Fake GPU'"
must_be 0 "select count(*) from workers where worker > 0 and gpu is not null"
daemon_stop
check_clean

say "a pair that does not fit is done by the CPU, and the result and the view say so"
rm -rf "$IN" "$OUT" "$DB"*
mkpairs "$T/large" 1 1 640x480 33
write_conf align.max_shift=20 pairmill.workers=1 align.method=gpu gpu.gpu_memory_max=3M
daemon_start_ready
cp -R "$T"/large/*/ "$IN/"
wait_done 1
must_be "it did not fit into the GPU's memory" "select fallback from results"
must_be 0 "select count(*) from results where backend = 'cuda'"
wait_for 30 "the view to say so" sh -c "sqlite3 -readonly '$DB' \
    'select gpu from workers where worker = 0' | grep -q 'Fake GPU.*; 1 pair did not fit'"
daemon_stop
check_clean

say "a GPU that is lost costs no pair, and the service goes on without it"
rm -rf "$IN" "$OUT" "$DB"*
FAKE_CUDA_LOST=$T/lost
export FAKE_CUDA_LOST
write_conf align.max_shift=20 pairmill.workers=1 align.method=gpu
daemon_start_ready
named() {
    sqlite3 -readonly "$DB" 'select gpu from workers where worker = 0' | grep -q "$1"
}
wait_for 30 "the view to name the device" named 'Fake GPU'
touch "$T/lost"
cp -R "$T"/pairs/*/ "$IN/"
wait_done 3
must_be 0 "select count(*) from results where backend = 'cuda'"
wait_for 30 "the view to say why" named 'off: '
grep -q "event=gpu_off message=\"cuda" "$LOG" || fail "the loss is not in the log"
daemon_stop

say "gpu_on_loss = restart: the pairs are done, then it stops in order with exit code 1"
rm -rf "$IN" "$OUT" "$DB"* "$T/lost"
write_conf align.max_shift=20 pairmill.workers=1 align.method=gpu gpu.gpu_on_loss=restart
daemon_start_ready
wait_for 30 "the view to name the device" named 'Fake GPU'
touch "$T/lost"
cp -R "$T"/pairs/*/ "$IN/"
rc=0
wait "$daemon" || rc=$?
daemon=
[ "$rc" = 1 ] || fail "it ended with $rc"
grep -q "the GPU was lost: stopped in order" "$LOG" || fail "it does not say why"
must_be 0 "select count(*) from failures"
must_be 1 "select done + queued = total and done > 0 from progress"
