#!/bin/sh
# Every file of the fuzz corpus, and mutations of each from a seed, through the fuzz targets: as
# `make fuzz` does it for minutes, but without libFuzzer. SEED=N repeats a run, N=N makes it longer.
set -u
BUILD=${BUILD:-build}
SEED=${SEED:-1}
echo "SEED=$SEED"
bad=0 targets=0
for program in "$BUILD"/tests/fuzz/fuzz_*; do
    case $program in *.o | *.d) continue ;; esac
    name=${program##*/fuzz_}
    case $name in
    tiff | png) n=1000 ;;
    *) n=5000 ;;
    esac
    # A sanitizer build is many times slower.
    case ${PAIRMILL_SHORT:-}$BUILD in 1* | *asan* | *tsan*) n=$((n / 20)) ;; esac
    echo "== $name"
    "$program" -n "${N:-$n}" -seed "$SEED" "tests/fuzz/corpus/$name" || bad=1
    targets=$((targets + 1))
done
[ "$targets" -ge 7 ] || { echo "only $targets targets were built"; exit 1; }
exit $bad
