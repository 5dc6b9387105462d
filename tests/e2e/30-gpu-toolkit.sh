#!/bin/sh
# What needs NVIDIA's toolkit, but no GPU: the double's signatures and numbers are those of the real
# headers, and the plugin as nvcc compiles its host code passes the same tests on the double.
. tests/lib/e2e.sh
say "the double against itself"
${CXX:-g++} -std=c++17 -fsyntax-only -Itests/fakecuda tests/fakecuda/abi.cc ||
    fail "the double does not keep its own promises"
home=${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}
[ -f "$home/include/cufft.h" ] || skip "no CUDA toolkit here (cufft.h): nothing to compare with"

say "the double against NVIDIA's headers"
${CXX:-g++} -std=c++17 -fsyntax-only -I"$home/include" tests/fakecuda/abi.cc ||
    fail "NVIDIA's headers say otherwise than the double"

nvcc=$BUILD/tests/fakecuda/nvcc
[ -f "$nvcc/pairmill-cuda.so" ] || skip "no plugin built by nvcc for the double (make tests)"
say "nvcc's host code on the double"
for test in gputest gpumask gpu; do
    FAKEGPU_PLUGIN=$nvcc/pairmill-cuda.so LD_LIBRARY_PATH=$nvcc "$BUILD/tests/test_$test" \
        >"$T/log" 2>&1 || fail "test_$test: $(tail -n 5 "$T/log")"
done
if [ -f "$BUILD/pairmill-cuda.so" ]; then
    say "the real plugin exports one symbol and leaves without a driver or with a verdict"
    symbols=$(nm -D --defined-only "$BUILD/pairmill-cuda.so" | awk '{ print $3 }' | sort)
    [ "$symbols" = pm_cuda_plugin ] || fail "it exports: $symbols"
    rc=0
    "$PAIRMILL" gpu --selftest >"$T/said" 2>&1 || rc=$?
    grep -Eq "off: |equal to the CPU" "$T/said" || fail "no verdict ($rc): $(cat "$T/said")"
fi
