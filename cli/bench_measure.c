#include "cli/bench_measure.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench_machine.h"
#include "common/bufpool.h"
#include "common/clock.h"
#include "worker/align/prep_levels.h"
#include "worker/align_step.h"

#define POOL_BYTES ((size_t)256 << 20) /* the levels of two images of 100 megapixels are 25 MB */

static double now_ms(void)
{
    return (double)pm_mono_us(pm_clock_real()) / 1000.0;
}

static enum pm_code prepare(
    struct pm_prep **out, const struct pm_image *image, struct pm_bufpool *pool, struct pm_err *err)
{
    enum pm_code rc =
        pm_prep_new_from(out, image->w, image->h, image->channels, image->sample, pool, err);

    if (rc == PM_OK) {
        pm_prep_rows(*out, image, 0, image->h);
        pm_prep_finish(*out);
    }
    return rc;
}

enum pm_code pm_bench_search(struct pm_aligner *aligner, struct pm_bufpool *pool,
    const struct pm_bench_pair *pair, const struct pm_conf *conf, enum pm_method method,
    bool quality, struct pm_shift *shift, struct pm_err *err)
{
    struct pm_prep *gt = NULL, *target = NULL;
    struct pm_align_opts opts = pm_align_opts_of(conf);
    enum pm_code rc = prepare(&gt, pair->gt, pool, err);

    if (rc == PM_OK) {
        rc = prepare(&target, pair->target, pool, err);
    }
    if (rc == PM_OK) {
        const struct pm_align_input inputs[2] = {{pair->gt, gt}, {pair->target, target}};
        opts.method = method;
        opts.quality = quality;
        rc = pm_align_find(aligner, &inputs[0], &inputs[1], &opts, shift, err);
    }
    pm_prep_free(gt);
    pm_prep_free(target);
    return rc;
}

/* What a worker keeps from pair to pair. */
struct kept {
    struct pm_aligner *aligner;
    struct pm_bufpool *pool;
};

/* One search, and how long it took. */
static enum pm_code timed(const struct kept *kept, const struct pm_bench_job *job, bool quality,
    struct pm_shift *shift, double *ms, struct pm_err *err)
{
    double start = now_ms();
    enum pm_code rc = pm_bench_search(
        kept->aligner, kept->pool, job->pair, job->conf, job->method, quality, shift, err);
    *ms = now_ms() - start;
    return rc;
}

static double stream_ms(const struct pm_bench_pair *pair, volatile uint64_t *sum)
{
    double start = now_ms();
    *sum += pm_stream_sum(pair->gt->data, pair->gt->bytes);
    *sum += pm_stream_sum(pair->target->data, pair->target->bytes);
    return now_ms() - start;
}

/* Streaming, search, search with quality, in turn, so that whatever else the machine does meets all
 * three alike; each from RAM. */
static enum pm_code repeat(const struct kept *kept, const struct pm_bench_job *job,
    struct pm_bench_times *times, struct pm_err *err)
{
    volatile uint64_t sum = 0;
    struct pm_shift shift;
    enum pm_code rc = PM_OK;

    for (int i = 0; rc == PM_OK && i < job->repeat; i++) {
        sum += pm_evict(job->evictor);
        times->stream_ms[i] = stream_ms(job->pair, &sum);
        sum += pm_evict(job->evictor);
        rc = timed(kept, job, false, &shift, &times->search_ms[i], err);
        sum += pm_evict(job->evictor);
        if (rc == PM_OK) {
            rc = timed(kept, job, true, &shift, &times->quality_ms[i], err);
        }
        times->count = i + 1;
    }
    return rc;
}

/* SIGALRM ends this process when the first search takes longer. */
static void limit_begin(double limit_s)
{
    struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)limit_s, .tv_usec = (suseconds_t)(fmod(limit_s, 1) * 1e6)}};
    if (limit_s > 0) {
        setitimer(ITIMER_REAL, &timer, NULL);
    }
}

static void limit_end(void)
{
    struct itimerval none = {.it_value = {0}};
    setitimer(ITIMER_REAL, &none, NULL);
}

static void note_answer(
    struct pm_bench_measured *out, const struct pm_shift *shift, const struct pm_bench_pair *pair)
{
    out->dy = shift->dy;
    out->dx = shift->dx;
    out->evaluations = shift->evaluations;
    out->gain = shift->gain;
    out->loss = pm_align_loss(pair->gt, pair->target, shift->gain, shift->dy, shift->dx);
    snprintf(
        out->backend, sizeof out->backend, "%s", shift->backend != NULL ? shift->backend : "plain");
}

static enum pm_code measure(
    const struct pm_bench_job *job, struct pm_bench_measured *out, struct pm_err *err)
{
    struct kept kept = {0};
    struct pm_shift shift = {0};
    int64_t before = pm_machine_reset_peak();
    enum pm_code rc = pm_aligner_new(&kept.aligner, NULL, err);

    if (rc == PM_OK) {
        rc = pm_bufpool_new(&kept.pool, POOL_BYTES, err);
    }
    if (rc != PM_OK) {
        goto out;
    }
    limit_begin(job->limit_s);
    rc = timed(&kept, job, false, &shift, &out->first_ms, err);
    limit_end();
    if (rc != PM_OK) {
        goto out;
    }
    if (shift.fallback != NULL) {
        out->fell_back = true;
        snprintf(out->message, sizeof out->message, "%s", shift.fallback);
        goto out;
    }
    rc = repeat(&kept, job, &out->times, err);
    out->peak_bytes = before < 0 ? -1 : pm_machine_peak() - before;
    note_answer(out, &shift, job->pair);
out:
    pm_aligner_free(kept.aligner);
    pm_bufpool_free(kept.pool);
    return rc;
}

static bool write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t bytes)
{
    char *at = data;
    while (bytes > 0) {
        ssize_t n = read(fd, at, bytes);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The child's whole life. It ends without the exit handlers and buffers it shares with its maker.
 */
static _Noreturn void child(const struct pm_bench_job *job, int fd)
{
    static struct pm_bench_measured measured; /* too large for a small stack */
    struct pm_err err = {0};
    measured.code = measure(job, &measured, &err);
    if (measured.code != PM_OK) {
        snprintf(measured.message, sizeof measured.message, "%s", err.text);
    }
    _exit(write_all(fd, &measured, sizeof measured) ? 0 : 1);
}

/* What became of the child: out as it wrote it, or why there is nothing. */
static enum pm_code outcome(const struct pm_bench_job *job, pid_t pid, bool complete,
    struct pm_bench_measured *out, struct pm_err *err)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        *out = (struct pm_bench_measured){.too_slow = true};
        return PM_OK;
    }
    if (!complete || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return pm_err_set(err, PM_EIO, "%s on %s: the measuring process died (%s %d)",
            pm_method_name(job->method), job->pair->name,
            WIFSIGNALED(status) ? "signal" : "exit code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (out->code != PM_OK) {
        return pm_err_set(err, out->code, "%s on %s: %s", pm_method_name(job->method),
            job->pair->name, out->message);
    }
    return PM_OK;
}

enum pm_code pm_bench_measure(
    const struct pm_bench_job *job, struct pm_bench_measured *out, struct pm_err *err)
{
    int ends[2];
    pid_t pid;
    bool complete;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return pm_err_errno(err, errno, "cannot make a pipe to the measuring process");
    }
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(job, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pm_err_errno(err, errno, "cannot start the measuring process");
    }
    complete = read_all(ends[0], out, sizeof *out);
    close(ends[0]);
    return outcome(job, pid, complete, out, err);
}
