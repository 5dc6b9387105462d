/*
 * bench_measure: one method on one pair, timed in a process of its own.
 * Why a process: memory of its own to measure, plans made afresh, and a search that takes too long
 * can be ended. Owns: nothing. Threads: call it while the process has only one. Memory: none kept.
 * Errors: those of align.h; PM_EIO when the process cannot be made or dies.
 */
#ifndef PM_CLI_BENCH_MEASURE_H
#define PM_CLI_BENCH_MEASURE_H

#include "cli/bench.h"
#include "cli/bench_stream.h"

/* Numbered alike in each array: the i-th of each was taken in one go, streaming first. */
struct pm_bench_times {
    int count;
    double stream_ms[PM_BENCH_REPEAT_MAX];  /* both images read once from RAM */
    double search_ms[PM_BENCH_REPEAT_MAX];  /* both preps and the search, images in RAM */
    double quality_ms[PM_BENCH_REPEAT_MAX]; /* the same with confidence, residual and flags */
};

/* Plain bytes, since it comes through a pipe. */
struct pm_bench_measured {
    enum pm_code code;
    char message[768]; /* when code is not PM_OK */
    bool too_slow;     /* the first search took longer than the limit: nothing else is filled */
    bool fell_back;    /* another method ran: the same, and message says why */
    struct pm_bench_times times;
    double first_ms; /* the very first search: plans, first touch of memory */
    int dy, dx;
    int64_t evaluations;
    double loss, gain;
    char backend[16];
    int64_t peak_bytes; /* most memory held beyond the images, preps included; -1: not known */
};

struct pm_bench_job {
    const struct pm_bench_pair *pair;
    enum pm_method method;
    const struct pm_conf *conf;
    int repeat;     /* 0: the answer only, in first_ms */
    double limit_s; /* for the first search; 0: none */
    const struct pm_evictor *evictor;
};

enum pm_code pm_bench_measure(
    const struct pm_bench_job *job, struct pm_bench_measured *out, struct pm_err *err);

/* Both images' preps and the search, as every timing of the bench means it, with the memory a
 * worker keeps from pair to pair: its aligner, and the pool its preps come from. quality: see
 * align.h */
struct pm_aligner;
struct pm_bufpool;
enum pm_code pm_bench_search(struct pm_aligner *aligner, struct pm_bufpool *pool,
    const struct pm_bench_pair *pair, const struct pm_conf *conf, enum pm_method method,
    bool quality, struct pm_shift *shift, struct pm_err *err);

#endif
