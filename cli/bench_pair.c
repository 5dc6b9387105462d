#include "cli/bench_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bench_machine.h"
#include "cli/bench_plain.h"
#include "cli/bench_report.h"
#include "cli/bench_scene.h"
#include "cli/scratch.h"
#include "common/clock.h"
#include "common/formats/tiff.h"
#include "common/json.h"
#include "common/log.h"
#include "worker/dirs.h"
#include "worker/worker.h"

#define WIDTH 6000 /* px, of the pair that is made: 24 megapixels */
#define HEIGHT 4000
#define REPEAT 5

static const struct pm_arg options[] = {
    {"repeat", NULL, "N", "median of N timings (default 5)"},
    {"dir", NULL, "DIR", "where inputs and outputs are written (default $TMPDIR or /tmp)"},
    {"json", NULL, NULL, "one JSON object instead of a table"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill bench pair [GT TARGET] [OPTION...]",
    "Times all of one pair's work on one thread, from the two files (hot in the page cache) to the "
    "durable\noutput folder, in turn with reading the same files and writing and syncing as many "
    "bytes in as many\nfiles. Without files it makes a pair of 24-megapixel 16-bit RGB TIFFs.",
    NULL,
    "  pairmill bench pair --dir /data/scratch\n"
    "  pairmill bench pair scene/gt/clean.tif scene/noisy.tif --crop_compression zstd",
};

struct times {
    double all[PM_BENCH_REPEAT_MAX], steps[PM_STEP_COUNT][PM_BENCH_REPEAT_MAX];
    double read[PM_BENCH_REPEAT_MAX], write[PM_BENCH_REPEAT_MAX], plain[PM_BENCH_REPEAT_MAX];
    double ratio[PM_BENCH_REPEAT_MAX];
    int count;
};

struct pair_bench {
    struct pm_conf *conf;
    struct pm_worker_env env;
    struct pm_worker *worker;
    struct pm_job job;
    struct pm_scratch scratch;   /* everything is in it */
    char output[600], copy[600]; /* folders: the pair's, and the plain one like it */
    int repeat;
    struct times times;
    int64_t read_bytes, write_bytes, files; /* of one pair */
    int64_t peak_bytes, pixel_bytes;        /* RAM at most while a pair ran; both images decoded */
};

static double now_ms(void)
{
    return (double)pm_mono_us(pm_clock_real()) / 1000;
}

/* --- the pair --- */

static enum pm_code write_tiff(const char *path, const struct pm_image *image, struct pm_err *err)
{
    enum pm_code rc;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0) {
        return pm_err_errno(err, errno, "%s: cannot make it", path);
    }
    rc = pm_tiff_write(
        fd, path, image, (struct pm_rect){0, 0, image->w, image->h}, PM_COMPRESS_NONE, err);
    close(fd);
    return rc;
}

static enum pm_code draw_pair(struct pair_bench *bench, struct pm_err *err)
{
    struct pm_image *gt = NULL, *target = NULL;
    const struct pm_bench_scene scene = pm_bench_scene_of(
        (struct pm_bench_size){WIDTH, HEIGHT}, PM_BENCH_MEDIUM, bench->conf->max_shift, 1);
    enum pm_code rc = pm_bench_scene_draw(&scene, &gt, &target, err);

    if (rc == PM_OK) {
        rc = write_tiff(bench->job.gt_path, gt, err);
    }
    if (rc == PM_OK) {
        rc = write_tiff(bench->job.target_path, target, err);
    }
    pm_image_free(gt);
    pm_image_free(target);
    return rc;
}

static enum pm_code stamp(const char *path, struct pm_stamp *out, struct pm_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return pm_err_errno(err, errno, "%s", path);
    }
    *out = (struct pm_stamp){
        .size = st.st_size, .mtime_ns = pm_timespec_ns(&st.st_mtim), .inode = (int64_t)st.st_ino};
    return PM_OK;
}

static enum pm_code make_job(
    struct pair_bench *bench, const char *gt, const char *target, struct pm_err *err)
{
    struct pm_job *job = &bench->job;
    enum pm_code rc = PM_OK;
    bool given = gt != NULL;

    *job = (struct pm_job){.id = 1, .attempt = 1, .gt_image = 1, .target_image = 2};
    job->scene = strdup(".");
    job->output = strdup(bench->output);
    if (asprintf(&job->gt_path, "%s%s", given ? gt : bench->scratch.path, given ? "" : "/gt.tif") <
            0 ||
        asprintf(&job->target_path, "%s%s", given ? target : bench->scratch.path,
            given ? "" : "/target.tif") < 0 ||
        job->scene == NULL || job->output == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a job");
    }
    if (!given) {
        rc = draw_pair(bench, err);
    }
    if (rc == PM_OK) {
        rc = stamp(job->gt_path, &job->gt, err);
    }
    if (rc == PM_OK) {
        rc = stamp(job->target_path, &job->target, err);
    }
    bench->read_bytes = job->gt.size + job->target.size;
    return rc;
}

/* --- one timing of each --- */

static enum pm_code run_pair(struct pair_bench *bench, struct pm_result *result, struct pm_err *err)
{
    *result = (struct pm_result){0};
    pm_worker_run(bench->worker, bench->conf, &bench->job, result);
    if (result->code != PM_OK) {
        return pm_err_set(err, result->code, "%s", result->message);
    }
    return PM_OK;
}

static enum pm_code run_plain(struct pair_bench *bench, const char *made, struct pm_err *err)
{
    struct times *t = &bench->times;
    double start = now_ms(), middle;
    enum pm_code rc = pm_plain_read(bench->job.gt_path, err);

    bench->write_bytes = bench->files = 0;
    if (rc == PM_OK) {
        rc = pm_plain_read(bench->job.target_path, err);
    }
    middle = now_ms();
    if (rc == PM_OK) {
        rc = pm_plain_alike(made, bench->copy, &bench->write_bytes, &bench->files, err);
    }
    t->read[t->count] = middle - start;
    t->write[t->count] = now_ms() - middle;
    t->plain[t->count] = now_ms() - start;
    return rc;
}

static void note_steps(struct times *t, double all_ms, const struct pm_result *result)
{
    t->all[t->count] = all_ms;
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        t->steps[i][t->count] = (double)result->timing[i].wall_us / 1000;
    }
}

/* Nothing the one left to be written may burden the other. */
static enum pm_code clear(const char *path, struct pm_err *err)
{
    enum pm_code rc = pm_dirs_remove(AT_FDCWD, path, path, err);
    sync();
    return rc;
}

/* The pair, then the plain copy of what it read and wrote. */
static enum pm_code once(struct pair_bench *bench, struct pm_err *err)
{
    struct pm_result result;
    double start = now_ms();
    enum pm_code rc = run_pair(bench, &result, err);

    note_steps(&bench->times, now_ms() - start, &result);
    sync();
    if (rc == PM_OK) {
        rc = run_plain(bench, result.output_dir, err);
    }
    pm_result_clear(&result);
    if (rc == PM_OK) {
        rc = clear(bench->copy, err);
    }
    if (rc == PM_OK) {
        rc = clear(bench->output, err);
    }
    return rc;
}

/* The first pair pays for plans and the first touch of memory, and warms the page cache; a worker
 * that runs for months does so once. */
static enum pm_code warm_up(struct pair_bench *bench, struct pm_err *err)
{
    struct pm_result result;
    int64_t before = pm_machine_reset_peak();
    enum pm_code rc = run_pair(bench, &result, err);

    bench->peak_bytes = before < 0 ? -1 : pm_machine_peak() - before;
    pm_result_clear(&result);
    return rc == PM_OK ? clear(bench->output, err) : rc;
}

static enum pm_code count_pixels(struct pair_bench *bench, struct pm_err *err)
{
    const char *paths[2] = {bench->job.gt_path, bench->job.target_path};
    const struct pm_limits limits = {.max_pixels = bench->conf->max_pixels};
    enum pm_code rc = PM_OK;

    for (int i = 0; i < 2 && rc == PM_OK; i++) {
        struct pm_image_info info = {0};
        rc = pm_image_probe(paths[i], &limits, &info, err);
        if (rc == PM_OK) {
            bench->pixel_bytes +=
                (int64_t)pm_image_bytes(info.w, info.h, info.channels, info.sample);
        }
    }
    return rc;
}

static enum pm_code measure(struct pair_bench *bench, struct pm_err *err)
{
    struct times *t = &bench->times;
    enum pm_code rc = count_pixels(bench, err);

    if (rc == PM_OK) {
        rc = warm_up(bench, err);
    }
    while (rc == PM_OK && t->count < bench->repeat) {
        rc = once(bench, err);
        t->ratio[t->count] = t->all[t->count] / t->plain[t->count];
        t->count++;
    }
    return rc;
}

/* --- what was found --- */

struct found {
    double all_ms, read_ms, write_ms, plain_ms, ratio, step_ms[PM_STEP_COUNT];
};

static struct found find(struct times *t)
{
    size_t n = (size_t)t->count;
    struct found found = {.all_ms = pm_median(t->all, n),
        .read_ms = pm_median(t->read, n),
        .write_ms = pm_median(t->write, n),
        .plain_ms = pm_median(t->plain, n),
        .ratio = pm_median(t->ratio, n)};

    for (int i = 0; i < PM_STEP_COUNT; i++) {
        found.step_ms[i] = pm_median(t->steps[i], n);
    }
    return found;
}

static void print(const struct pair_bench *bench, const struct found *found, FILE *to)
{
    struct pm_machine machine;

    pm_machine_look(&machine);
    fprintf(to, "%s, %d cores, load %.1f; median of %d, one thread, files in %s\n\n", machine.cpu,
        machine.cores, pm_machine_load(), bench->times.count, bench->scratch.path);
    fputs("| what | ms |\n|:--|--:|\n", to);
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        fprintf(to, "| %s | %.1f |\n", pm_step_name((enum pm_step)i), found->step_ms[i]);
    }
    fprintf(to, "| **the whole pair** | **%.1f** |\n", found->all_ms);
    fprintf(to, "| plainly read both files (%.0f MB, page cache) | %.1f |\n",
        (double)bench->read_bytes / 1e6, found->read_ms);
    fprintf(to, "| plainly write and sync %.0f MB in %lld files | %.1f |\n",
        (double)bench->write_bytes / 1e6, (long long)bench->files, found->write_ms);
    fprintf(to, "\nwhole pair / plain: %.2f (median of the ratios)\n", found->ratio);
    if (bench->peak_bytes >= 0) {
        fprintf(to, "most memory: %.2f of both decoded images (%.0f MB)\n",
            (double)bench->peak_bytes / (double)bench->pixel_bytes,
            (double)bench->pixel_bytes / 1e6);
    }
}

static enum pm_code print_json(
    const struct pair_bench *bench, const struct found *found, FILE *to, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;

    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_int(&json, "repeats", bench->times.count);
    pm_json_begin_object(&json, "steps_ms");
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        pm_json_double(&json, pm_step_name((enum pm_step)i), found->step_ms[i]);
    }
    pm_json_end_object(&json);
    pm_json_double(&json, "pair_ms", found->all_ms);
    pm_json_double(&json, "plain_read_ms", found->read_ms);
    pm_json_double(&json, "plain_write_ms", found->write_ms);
    pm_json_double(&json, "times_plain", found->ratio);
    pm_json_int(&json, "read_bytes", bench->read_bytes);
    pm_json_int(&json, "written_bytes", bench->write_bytes);
    pm_json_int(&json, "files", bench->files);
    pm_json_double(&json, "peak_of_decoded",
        bench->peak_bytes < 0 ? (double)NAN
                              : (double)bench->peak_bytes / (double)bench->pixel_bytes);
    pm_json_end_object(&json);
    rc = pm_json_print(&json, to, err);
    pm_json_fini(&json);
    return rc;
}

/* --- setting up and tearing down --- */

/* One worker, as daemon/pool.c sets it up, but without a cache: every image is decoded. */
static enum pm_code make_worker(struct pair_bench *bench, struct pm_err *err)
{
    size_t total = (size_t)bench->conf->memory_max, keep = total / 8;
    enum pm_code rc = pm_cache_new(&bench->env.cache, 0, err);

    if (rc == PM_OK) {
        rc = pm_budget_new(&bench->env.budget, total - keep, err);
    }
    if (rc == PM_OK) {
        rc = pm_bufpool_new(&bench->env.pool, keep, err);
    }
    bench->env.clock = pm_clock_real();
    return rc == PM_OK ? pm_worker_new(&bench->worker, 0, &bench->env, err) : rc;
}

static void tear_down(struct pair_bench *bench)
{
    pm_worker_free(bench->worker);
    pm_cache_free(bench->env.cache);
    pm_bufpool_free(bench->env.pool);
    pm_budget_free(bench->env.budget);
    pm_job_clear(&bench->job);
    pm_conf_unref(bench->conf);
    pm_scratch_remove(&bench->scratch);
}

static enum pm_code parse_repeat(const char *text, int *repeat, struct pm_err *err)
{
    char *end = NULL;
    long n = text != NULL ? strtol(text, &end, 10) : REPEAT;

    if (text != NULL && (end == text || *end != '\0' || n < 1 || n > PM_BENCH_REPEAT_MAX)) {
        return pm_err_set(err, PM_EUSAGE, "--repeat %s: it takes a number from 1 to %d", text,
            PM_BENCH_REPEAT_MAX);
    }
    *repeat = (int)n;
    return PM_OK;
}

static enum pm_code bench_pair(
    struct pm_cli *cli, struct pair_bench *bench, const struct pm_args *args, struct pm_err *err)
{
    bool given = args->word_count > 0;
    struct found found;
    enum pm_code rc = parse_repeat(pm_args_get(args, "repeat"), &bench->repeat, err);

    if (rc == PM_OK && args->word_count == 1) {
        rc = pm_err_set(
            err, PM_EUSAGE, "%s has no target; give both files: GT TARGET", args->words[0]);
    }
    if (rc == PM_OK) {
        rc = pm_conf_new(&bench->conf, err);
    }
    if (rc == PM_OK) {
        rc = pm_cli_settings(bench->conf, args, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    pm_conf_fill(bench->conf);
    pm_log_init(PM_LOG_WARN, 0); /* not a line for every run */
    rc = pm_scratch_make(&bench->scratch, pm_args_get(args, "dir"), err);
    if (rc == PM_OK) {
        snprintf(bench->output, sizeof bench->output, "%s/out", bench->scratch.path);
        snprintf(bench->copy, sizeof bench->copy, "%s/copy", bench->scratch.path);
        rc = make_job(bench, given ? args->words[0] : NULL, given ? args->words[1] : NULL, err);
    }
    if (rc == PM_OK) {
        rc = make_worker(bench, err);
    }
    if (rc == PM_OK) {
        rc = measure(bench, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    found = find(&bench->times);
    if (pm_args_has(args, "json")) {
        return print_json(bench, &found, cli->out, err);
    }
    print(bench, &found, cli->out);
    return PM_OK;
}

static enum pm_code with_bench(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pair_bench *bench = calloc(1, sizeof *bench);
    enum pm_code rc;

    if (bench == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a bench");
    }
    rc = bench_pair(cli, bench, args, err);
    tear_down(bench);
    free(bench);
    return rc;
}

int pm_cli_bench_pair(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, true, 2, with_bench};
    return pm_cli_command(cli, &command, argc, argv);
}
