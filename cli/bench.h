/*
 * bench: what the parts of `pairmill bench align` share: what was asked for, a pair, a row.
 * Owns: a pair owns its images. Threads: one. Memory: pm_bench_pair_clear(), pm_report_clear()
 * (bench_report.h). Errors: as align.h; PM_EUSAGE for wishes that make no sense.
 */
#ifndef PM_CLI_BENCH_H
#define PM_CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "common/image.h"
#include "common/result.h"

#define PM_BENCH_LIST 32        /* most sizes, methods, thread counts */
#define PM_BENCH_REPEAT_MAX 101 /* timings of one method on one pair */

enum pm_bench_noise { PM_BENCH_NONE, PM_BENCH_MEDIUM, PM_BENCH_HEAVY, PM_BENCH_NOISES };
const char *pm_bench_noise_name(enum pm_bench_noise noise);

struct pm_bench_size {
    int w, h; /* px */
};

struct pm_bench_opts {
    struct pm_bench_size sizes[PM_BENCH_LIST]; /* of generated pairs */
    int size_count;
    enum pm_bench_noise noises[PM_BENCH_NOISES];
    int noise_count;
    enum pm_method methods[PM_METHOD_COUNT];
    int method_count;
    bool methods_asked; /* by name: then nothing is left out for being slow */
    int workers[PM_BENCH_LIST];
    int worker_count; /* 0: scaling is not measured */
    int repeat;       /* timings of each method on each pair */
    int pairs;        /* generated for each size and noise */
    double limit_s;   /* bruteforce and original are left out where one search takes longer */
    uint64_t seed;
    bool check; /* given pairs: compare with bruteforce */
    bool opencv, fit, json;
    const char *const *files; /* GT TARGET couples; none: generated pairs */
    size_t file_count;
    const struct pm_conf *conf; /* max_shift, max_pixels, thresholds of auto */
};

/* One pair of images of one shape. */
struct pm_bench_pair {
    char name[128];    /* "6000x4000", or the target's file name */
    const char *noise; /* NULL: a file, nobody knows */
    struct pm_image *gt, *target;
    bool known; /* whether dy, dx are */
    int dy, dx; /* the right answer */
};
void pm_bench_pair_clear(struct pm_bench_pair *pair);

/* The whole bench, as opts say, printed to cli->out. */
enum pm_code pm_bench_run(struct pm_cli *cli, const struct pm_bench_opts *opts, struct pm_err *err);
/* What an options table that calls pm_bench_run() starts from; conf must outlive opts. */
void pm_bench_defaults(struct pm_bench_opts *opts, const struct pm_conf *conf);
/* `pairmill run --benchmark`: all methods on the first pairs of the folder conf names. */
enum pm_code pm_bench_folder(
    struct pm_cli *cli, const struct pm_conf *conf, const char *input, struct pm_err *err);

#endif
