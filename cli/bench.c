/* pairmill bench align: the methods against each other and against the machine's limit. */
#include "cli/bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "cli/bench_files.h"
#include "cli/bench_gpu.h"
#include "cli/bench_group.h"
#include "cli/bench_machine.h"
#include "cli/bench_measure.h"
#include "cli/bench_opts.h"
#include "cli/bench_pair.h"
#include "cli/bench_queue.h"
#include "cli/bench_scale.h"
#include "cli/bench_scene.h"
#include "common/conf.h"

#define FOLDER_PAIRS 5 /* of a folder, for `pairmill run --benchmark` */
#define SCALE_S 0.25   /* of work each number of threads is judged by, at least */

static const struct pm_help help = {
    "pairmill bench align [GT TARGET ...] [OPTION...]",
    "Times every method's search for the shift, beside reading both images once from RAM, and "
    "says\nwhether its answer is right. Without files it makes pairs: textured scenes of 16-bit "
    "RGB with a\nknown shift, gain and noise, 256x256 to 6000x4000 unless --sizes says others.",
    "  --max_shift N                search up to this far in each axis (default 128 px)\n\n"
    "bruteforce and original are left out, and a line says so, where one search takes longer than\n"
    "2 s (--limit), unless --methods asks for them.",
    "  pairmill bench align\n"
    "  pairmill bench align scene/gt/clean.tif scene/noisy.tif --check --compare opencv\n"
    "  pairmill bench align --sizes 1000x1000,6000x4000,10000x10000 --methods hierarchical --fit\n"
    "  pairmill bench align --sizes 6000x4000 --noise medium --workers 1,2,4 --json",
};

void pm_bench_pair_clear(struct pm_bench_pair *pair)
{
    pm_image_free(pair->gt);
    pm_image_free(pair->target);
    pair->gt = pair->target = NULL;
}

/* Another scene and shift for every size and number, the same for all levels of noise. */
static uint64_t seed_of(const struct pm_bench_opts *opts, struct pm_bench_size size, int number)
{
    uint64_t place = (uint64_t)(uint32_t)size.w << 32 | (uint32_t)size.h;
    return (opts->seed * 1000003 + (uint64_t)number) * 0x9e3779b97f4a7c15u ^ place;
}

static enum pm_code make_pair(struct pm_bench *bench, struct pm_bench_pair *pair,
    struct pm_bench_size size, enum pm_bench_noise noise, int number, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    struct pm_bench_scene scene =
        pm_bench_scene_of(size, noise, opts->conf->max_shift, seed_of(opts, size, number));
    *pair = (struct pm_bench_pair){.noise = pm_bench_noise_name(noise), .known = true};
    pair->dy = scene.dy;
    pair->dx = scene.dx;
    snprintf(pair->name, sizeof pair->name, "%dx%d", size.w, size.h);
    pm_bench_progress(bench, pair, "making a scene");
    return pm_bench_scene_draw(&scene, &pair->gt, &pair->target, err);
}

static enum pm_code generated(struct pm_bench *bench, struct pm_bench_size size,
    enum pm_bench_noise noise, struct pm_err *err)
{
    struct pm_bench_group group;
    enum pm_code rc = pm_bench_group_init(&group, bench, err);
    for (int i = 0; i < bench->opts->pairs && rc == PM_OK; i++) {
        struct pm_bench_pair pair;
        rc = make_pair(bench, &pair, size, noise, i, err);
        if (rc == PM_OK) {
            rc = pm_bench_group_pair(&group, bench, &pair, err);
        }
        pm_bench_pair_clear(&pair);
    }
    if (rc == PM_OK) {
        rc = pm_bench_group_close(&group, bench, err);
    }
    pm_bench_group_clear(&group);
    return rc;
}

/* --check: what is right is what bruteforce finds. */
static enum pm_code check(struct pm_bench *bench, struct pm_bench_pair *pair, struct pm_err *err)
{
    struct pm_bench_measured measured;
    const struct pm_bench_job job = {.pair = pair,
        .method = PM_METHOD_BRUTEFORCE,
        .conf = bench->opts->conf,
        .evictor = &bench->evictor};
    enum pm_code rc;

    pm_bench_progress(bench, pair, "check by bruteforce");
    rc = pm_bench_measure(&job, &measured, err);
    if (rc == PM_OK) {
        pair->known = true;
        pair->dy = measured.dy;
        pair->dx = measured.dx;
    }
    return rc;
}

static enum pm_code given(
    struct pm_bench *bench, const char *gt, const char *target, struct pm_err *err)
{
    struct pm_bench_group group = {0};
    struct pm_bench_pair pair;
    enum pm_code rc = pm_bench_load(&pair, gt, target, bench->opts->conf, err);
    if (rc != PM_OK) {
        return rc;
    }
    if (bench->opts->check) {
        rc = check(bench, &pair, err);
    }
    if (rc == PM_OK) {
        rc = pm_bench_group_init(&group, bench, err);
    }
    if (rc == PM_OK) {
        rc = pm_bench_group_pair(&group, bench, &pair, err);
    }
    if (rc == PM_OK) {
        rc = pm_bench_group_close(&group, bench, err);
    }
    pm_bench_group_clear(&group);
    pm_bench_pair_clear(&pair);
    return rc;
}

static enum pm_code all_pairs(struct pm_bench *bench, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    enum pm_code rc = PM_OK;
    for (size_t i = 0; i + 1 < opts->file_count && rc == PM_OK; i += 2) {
        rc = given(bench, opts->files[i], opts->files[i + 1], err);
    }
    for (int s = 0; s < opts->size_count && opts->file_count == 0; s++) {
        for (int n = 0; n < opts->noise_count && rc == PM_OK; n++) {
            rc = generated(bench, opts->sizes[s], opts->noises[n], err);
        }
    }
    return rc;
}

/* Threads 1, 2, 4 ... on the same pairs; one thread is always measured, to compare with. */
static enum pm_code scale(struct pm_bench *bench, const struct pm_bench_pair *pairs, size_t count,
    enum pm_method method, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    double one = 0;
    enum pm_code rc = PM_OK;
    for (int i = -1; i < opts->worker_count && rc == PM_OK; i++) {
        struct pm_scale_job job = {.pairs = pairs,
            .pair_count = count,
            .method = method,
            .conf = opts->conf,
            .workers = i < 0 ? 1 : opts->workers[i],
            .repeat = opts->repeat,
            .at_least_s = SCALE_S};
        struct pm_bench_scaling row = {
            .method = pm_method_name(method), .workers = job.workers, .pairs_per_s = one};
        if (i >= 0 && job.workers == 1) {
            row.of_one = 1;
        } else {
            rc = pm_bench_scale(&job, &row.pairs_per_s, err);
            one = i < 0 ? row.pairs_per_s : one;
            row.of_one = row.pairs_per_s / one;
        }
        memcpy(row.name, pairs[0].name, sizeof row.name);
        if (rc == PM_OK && i >= 0) {
            rc = pm_report_scaling(&bench->report, &row, err);
        }
    }
    return rc;
}

/* hierarchical, or what was asked for by name. */
static enum pm_code scale_methods(
    struct pm_bench *bench, const struct pm_bench_pair *pairs, size_t count, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    enum pm_code rc = PM_OK;
    pm_bench_progress(bench, &pairs[0], "several threads");
    if (!opts->methods_asked) {
        return scale(bench, pairs, count, PM_METHOD_HIERARCHICAL, err);
    }
    for (int i = 0; i < opts->method_count && rc == PM_OK; i++) {
        if (!bench->gone[opts->methods[i]]) {
            rc = scale(bench, pairs, count, opts->methods[i], err);
        }
    }
    return rc;
}

/* As many different pairs as threads, of one size and the first noise, or the given ones. */
static enum pm_code scale_group(struct pm_bench *bench, int size, size_t count, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    assert(count > 0); /* workers are, and files come in couples */
    struct pm_bench_pair *pairs = calloc(count, sizeof *pairs);
    enum pm_code rc =
        pairs != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for %zu pairs", count);
    assert(rc != PM_OK || pairs != NULL);
    for (size_t i = 0; i < count && rc == PM_OK; i++) {
        rc = opts->file_count > 0
                 ? pm_bench_load(
                       &pairs[i], opts->files[2 * i], opts->files[2 * i + 1], opts->conf, err)
                 : make_pair(bench, &pairs[i], opts->sizes[size], opts->noises[0], (int)i, err);
    }
    if (rc == PM_OK) {
        rc = scale_methods(bench, pairs, count, err);
    }
    for (size_t i = 0; i < count && pairs != NULL; i++) {
        pm_bench_pair_clear(&pairs[i]);
    }
    free(pairs);
    return rc;
}

static enum pm_code scaling(struct pm_bench *bench, struct pm_err *err)
{
    const struct pm_bench_opts *opts = bench->opts;
    size_t most = 0;
    enum pm_code rc = PM_OK;
    for (int i = 0; i < opts->worker_count; i++) {
        most = (size_t)opts->workers[i] > most ? (size_t)opts->workers[i] : most;
    }
    if (opts->file_count > 0 && most > 0) {
        return scale_group(
            bench, 0, opts->file_count / 2 < most ? opts->file_count / 2 : most, err);
    }
    for (int s = 0; s < opts->size_count && most > 0 && rc == PM_OK; s++) {
        rc = scale_group(bench, s, most, err);
    }
    return rc;
}

static enum pm_code tell(struct pm_bench *bench, struct pm_err *err)
{
    struct pm_report *report = &bench->report;
    report->load_after = pm_machine_load();
    if (bench->opts->fit) {
        pm_report_fit(report);
        if (report->line_count == 0) {
            enum pm_code rc = pm_report_note(
                report, err, "no fit: it takes hierarchical on at least 3 sizes of one noise");
            if (rc != PM_OK) {
                return rc;
            }
        }
    }
    if (bench->opts->json) {
        return pm_report_json(report, bench->opts, bench->cli->out, err);
    }
    pm_report_print(report, bench->opts, bench->cli->out);
    return PM_OK;
}

enum pm_code pm_bench_run(struct pm_cli *cli, const struct pm_bench_opts *opts, struct pm_err *err)
{
    struct pm_bench bench = {.cli = cli, .opts = opts, .terminal = pm_bar_terminal(cli->err)};
    enum pm_code rc;

    bench.report.load_before = pm_machine_load();
    rc = pm_evictor_init(&bench.evictor, err);
    if (rc == PM_OK) {
        rc = all_pairs(&bench, err);
    }
    if (rc == PM_OK) {
        rc = scaling(&bench, err);
    }
    pm_bench_progress(&bench, NULL, "");
    if (rc == PM_OK) {
        rc = tell(&bench, err);
    }
    pm_evictor_free(&bench.evictor);
    pm_report_clear(&bench.report);
    return rc;
}

enum pm_code pm_bench_folder(
    struct pm_cli *cli, const struct pm_conf *conf, const char *input, struct pm_err *err)
{
    struct pm_pairlist list;
    struct pm_bench_opts opts;
    enum pm_code rc = pm_bench_find(&list, input, FOLDER_PAIRS, err);

    if (rc == PM_OK) {
        pm_bench_defaults(&opts, conf);
        opts.files = (const char *const *)list.paths;
        opts.file_count = list.count;
        rc = pm_bench_run(cli, &opts, err);
        pm_pairlist_clear(&list);
    }
    return rc;
}

static enum pm_code bench_align(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_bench_opts opts;
    struct pm_conf *conf = NULL;
    enum pm_code rc = pm_conf_new(&conf, err);

    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, args, err);
    }
    if (rc == PM_OK) {
        pm_conf_fill(conf);
        rc = pm_bench_opts_of(&opts, args, conf, err);
    }
    if (rc == PM_OK) {
        rc = pm_bench_run(cli, &opts, err);
    }
    pm_conf_unref(conf);
    return rc;
}

static int bench_align_command(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, pm_bench_args, true, PM_ARGS_MAX, bench_align};
    return pm_cli_command(cli, &command, argc, argv);
}

static const struct bench_command {
    const char *name;
    int (*run)(struct pm_cli *cli, int argc, char **argv);
    const char *about;
} commands[] = {
    {"align", bench_align_command, "the methods against each other and against reading from RAM"},
    {"pair", pm_cli_bench_pair, "a whole pair against plain reading and writing of its bytes"},
    {"queue", pm_cli_bench_queue, "a million jobs: enqueue, claim, end, every view"},
    {"gpu", pm_cli_bench_gpu, "the stages on the GPU, beside what memory and bus would allow"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void list_commands(FILE *to)
{
    fputs(
        "usage: pairmill bench WHAT [OPTION...]\n\nMeasures this machine; WHAT is one of\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].about);
    }
    fputs("\npairmill bench WHAT --help says more.\n", to);
}

int pm_cli_bench(struct pm_cli *cli, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct pm_err err;

    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(what, commands[i].name) == 0) {
            return commands[i].run(cli, argc - 1, argv + 1);
        }
    }
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
        list_commands(cli->out);
        return pm_cli_flush(cli);
    }
    pm_err_set(
        &err, PM_EUSAGE, "bench what? pairmill bench align, pair, queue or gpu; --help says more");
    return pm_cli_fail(cli, &err);
}
