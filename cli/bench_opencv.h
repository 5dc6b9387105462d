/*
 * bench_opencv: cv2.phaseCorrelate on a pair, timed in Debian's Python beside our own methods.
 * Owns: nothing. Threads: call it while the process has only one. Memory: none kept; two temporary
 * files without a name while it runs. Errors: PM_EUNSUPPORTED when Python or cv2 is not there.
 */
#ifndef PM_CLI_BENCH_OPENCV_H
#define PM_CLI_BENCH_OPENCV_H

#include "cli/bench.h"

struct pm_opencv_answer {
    char version[32];
    double dy, dx; /* px, in our sign */
    double ms[PM_BENCH_REPEAT_MAX];
    int count;
};

/* What it sees is luma as 32-bit floats, full scale 1, full resolution, made before the clock runs.
 * python: the interpreter, NULL for Debian's. */
enum pm_code pm_bench_opencv(const struct pm_bench_pair *pair, int repeat, const char *python,
    struct pm_opencv_answer *out, struct pm_err *err);

#endif
