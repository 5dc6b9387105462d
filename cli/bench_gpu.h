/*
 * bench_gpu: `pairmill bench gpu`: every step of a pair on the GPU, timed on this machine, beside
 * what memory bandwidth alone would allow (a model: CUDA.md's roofline at 75% of the peak).
 * Owns: nothing. Threads: one. Memory: the generated pairs. Errors: PM_EUNSUPPORTED without a GPU.
 */
#ifndef PM_CLI_BENCH_GPU_H
#define PM_CLI_BENCH_GPU_H

#include "cli/cli.h"

/* argv[0] is "gpu". */
int pm_cli_bench_gpu(struct pm_cli *cli, int argc, char **argv);

#endif
