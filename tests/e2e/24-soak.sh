#!/bin/sh
# One daemon under random load for two minutes: memory, descriptors and threads stay flat. The short form of `make soak`.
. tests/lib/e2e.sh

# A sanitizer keeps freed memory on purpose: only the end state is of use then, and model.py checks that.
[ "$slow" = 1 ] || skip "memory cannot be judged in a sanitizer build"
"$PYTHON" tests/campaign/soak.py --minutes "${MINUTES:-2}" --seed "${SEED:-22}" || fail "not flat, or not what the model says"
