#!/bin/sh
# The code that touches pixels compiles for a machine without x86's SIMD, without a warning.
set -u
cc=${CROSS_CC:-aarch64-linux-gnu-gcc}
if ! command -v "$cc" >/dev/null; then
    echo "no cross compiler: apt-get install gcc-aarch64-linux-gnu"
    exit 77
fi
# Libraries' headers are taken from this machine: what is used of them does not depend on it.
if ! echo '#include <fftw3.h>' | "$cc" -fsyntax-only -idirafter /usr/include -x c - 2>/dev/null; then
    echo "$cc has no C library: apt-get install libc6-dev-arm64-cross"
    exit 77
fi
failed=0
for file in worker/kernels/*.c worker/align/*.c common/image.c common/bufpool.c; do
    "$cc" -std=c17 -D_GNU_SOURCE -I. -idirafter /usr/include -fsyntax-only -Wall -Wextra -Wshadow \
        -Wconversion -Wdouble-promotion -Wmissing-prototypes -Wvla -Werror "$file" || failed=1
done
exit $failed
