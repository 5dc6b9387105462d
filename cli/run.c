/* pairmill run: the service's engine, once: scan, pair, process all, exit. */
#include <string.h>

#include "cli/bar.h"
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/summary.h"
#include "common/clock.h"
#include "common/folder.h"
#include "common/log.h"
#include "common/printable.h"
#include "daemon/service.h"

static const struct pm_arg options[] = {
    {"input_dir", NULL, "DIR", "the folder with the scenes"},
    {"output_dir", NULL, "DIR", "where results go"},
    {"overwrite", NULL, NULL, "do again what is done"},
    {"verbose_alignment", NULL, NULL, "a line a pair with shift, loss, method and time"},
    {"benchmark", NULL, NULL, "compare all methods on the first pairs; process nothing"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    {"pair_gt_gt", NULL, NULL, "also every ground truth with every other of its scene"},
    {"pair_self", NULL, NULL, "also every ground truth with itself"},
    {"help_settings", NULL, NULL, "all settings, each of which is an option too"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill run --input_dir DIR --output_dir DIR [OPTION...]",
    "Pairs every DIR/SCENE/FILE with every DIR/SCENE/gt/FILE, aligns, masks and crops them. What "
    "is\ndone stays done: run it again after an interruption, or when files were added.",
    "  --db FILE                    the database (default OUTPUT_DIR/pairmill.db)\n"
    "  --alignment_method M         auto, original, bruteforce, fft, hierarchical or gpu\n"
    "  --max_shift N                search up to this far in each axis (default 128 px)\n"
    "  --workers N, --num_threads N pairs worked on at once (default one per core)\n"
    "  --profile aligned            the layout of the outputs\n\n"
    "exit code: 0 all done, 1 could not work, 2 wrong usage, 3 some pairs failed,\n"
    "           4 another process owns the database, 130 interrupted (run again to go on)",
    "  pairmill run --input_dir photos --output_dir aligned\n"
    "  pairmill run --input-dir photos --output-dir aligned --workers 4 --max-shift 64\n"
    "  sqlite3 -readonly aligned/pairmill.db 'select * from results'",
};

/* The source is called by its input, so that one database can hold the runs of several folders. */
static enum pm_code add_source(struct pm_conf *conf, const struct pm_args *args, struct pm_err *err)
{
    const char *input = pm_args_get(args, "input_dir");
    const char *output = pm_args_get(args, "output_dir");
    struct pm_conf *probe = NULL; /* knows the absolute path before the name is needed */
    char name[4096];
    enum pm_code rc;

    if (input == NULL || output == NULL) {
        return pm_err_set(err, PM_EUSAGE, "--%s DIR is missing; --help shows the usage",
            input == NULL ? "input_dir" : "output_dir");
    }
    pm_conf_clear_sources(conf);
    rc = pm_conf_new(&probe, err);
    if (rc == PM_OK) {
        rc = pm_conf_add_source(probe, "probe", input, output, err);
    }
    if (rc == PM_OK) {
        const char *path = probe->sources[0].input;
        pm_printable(name, sizeof name, path, strlen(path));
        rc = pm_conf_add_source(conf, name, input, output, err);
    }
    pm_conf_unref(probe);
    return rc;
}

/* What a run takes for granted unless file or options say otherwise: its files do not change, and
 * its summary says what failed, so that a log line would only disturb the bar. */
static enum pm_code run_defaults(struct pm_conf *conf, struct pm_err *err)
{
    enum pm_code rc = pm_conf_set(conf, "settle_s", "0", "pairmill run", err);
    if (rc == PM_OK) {
        rc = pm_conf_set(conf, "log_level", "err", "pairmill run", err);
    }
    return rc;
}

static enum pm_code settings(struct pm_conf *conf, const struct pm_args *args, struct pm_err *err)
{
    bool folders = pm_args_has(args, "input_dir") || pm_args_has(args, "output_dir");
    enum pm_code rc = run_defaults(conf, err);

    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, args, err);
    }
    if (rc == PM_OK && (folders || !pm_args_has(args, "config"))) {
        rc = add_source(conf, args, err);
    }
    for (int i = 0; rc == PM_OK && i < conf->source_count; i++) {
        conf->sources[i].pair_gt_gt |= pm_args_has(args, "pair_gt_gt");
        conf->sources[i].pair_self |= pm_args_has(args, "pair_self");
    }
    if (pm_args_has(args, "verbose_alignment") && conf->log_level < PM_LOG_INFO) {
        conf->log_level = PM_LOG_INFO;
    }
    return rc == PM_OK ? pm_conf_check(conf, true, err) : rc;
}

/* Nothing is written, so no output folder is needed. */
static int benchmark(struct pm_cli *cli, struct pm_conf *conf, const struct pm_args *args)
{
    const char *input = pm_args_get(args, "input_dir");
    struct pm_err err;
    enum pm_code rc = pm_cli_settings(conf, args, &err);

    if (rc == PM_OK && input == NULL && conf->source_count > 0) {
        input = conf->sources[0].input;
    }
    if (rc == PM_OK && input == NULL) {
        rc = pm_err_set(&err, PM_EUSAGE, "--input_dir DIR is missing; --help shows the usage");
    }
    if (rc == PM_OK) {
        pm_conf_fill(conf);
        rc = pm_bench_folder(cli, conf, input, &err);
    }
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}

static int64_t finished(const struct pm_counts *counts)
{
    return counts->done + counts->failed + counts->quarantined;
}

/* What the ticks draw with. */
struct show {
    struct pm_bar bar;
    const struct pm_service_end *end;
};

/* On the loop thread, four times a second. */
static void tick(void *ctx, const struct pm_counts *counts, bool last)
{
    struct show *show = ctx;
    struct pm_bar *bar = &show->bar;
    const struct pm_clock *clock = pm_clock_real();
    struct pm_bar_state state = {.done = counts->done,
        .failed = counts->failed + counts->quarantined,
        .running = counts->running,
        .total = counts->total - counts->missing,
        .paused = counts->paused};
    int64_t wait_us = counts->next_due_us - clock->wall_us(clock->ctx);

    if (counts->running == 0 && counts->ready == 0 && counts->next_due_us > 0 && wait_us > 0) {
        state.retry_in_s = (double)wait_us / 1e6;
    }
    bar->base = finished(&show->end->found);
    if (last) {
        pm_bar_finish(bar, &state);
    } else {
        pm_bar_update(bar, &state);
    }
}

static int finish(struct pm_cli *cli, const struct pm_service_end *end,
    const struct pm_summary *summary, struct pm_err *err)
{
    int64_t failed = end->counts.failed + end->counts.quarantined;
    if (end->counts.total == 0 && !end->interrupted) {
        pm_summary_nothing(summary->conf, err);
        return pm_cli_fail(cli, err);
    }
    if (pm_summary_print(summary, cli->out, err) != PM_OK) {
        return pm_cli_fail(cli, err);
    }
    if (pm_cli_flush(cli) != PM_EXIT_OK) {
        return PM_EXIT_COULD_NOT;
    }
    if (end->interrupted) {
        fputs("pairmill run: interrupted; all state is kept, run the same line again to go on\n",
            cli->err);
        return PM_EXIT_INTERRUPTED;
    }
    return failed > 0 ? PM_EXIT_SOME_FAILED : PM_EXIT_OK;
}

static int run(struct pm_cli *cli, struct pm_conf *conf, bool overwrite)
{
    const struct pm_clock *clock = pm_clock_real();
    /* A log line would end up behind the bar: with a line a pair there is no bar, but plain lines.
     */
    bool terminal = pm_bar_terminal(cli->err) && conf->log_level < PM_LOG_INFO;
    int64_t start_us = clock->mono_us(clock->ctx);
    struct pm_service_end end = {0};
    struct show show = {.end = &end};
    struct pm_service_opts opts = {
        .once = true, .overwrite = overwrite, .tick = tick, .tick_ctx = &show};
    struct pm_err err = {0};
    struct pm_summary summary = {.conf = conf, .counts = &end.counts};
    enum pm_code rc;

    /* Crops are for everyone the user's umask lets in; the ledger alone would make a folder of a
     * service's kind, closed to strangers. */
    rc = pm_folder_make_for(conf->db, 0, &err);
    if (rc != PM_OK) {
        return pm_cli_fail(cli, &err);
    }
    pm_log_init((enum pm_log_level)conf->log_level, 0);
    pm_bar_init(&show.bar, cli->err, terminal, terminal && pm_bar_color(cli->err), 0, clock);
    rc = pm_service_run(conf, &opts, &end, &err);
    pm_bar_clear(&show.bar);
    if (rc != PM_OK) {
        return pm_cli_fail(cli, &err);
    }
    summary.before = finished(&end.found);
    summary.elapsed_s = (double)(clock->mono_us(clock->ctx) - start_us) / 1e6;
    return finish(cli, &end, &summary, &err);
}

int pm_cli_run(struct pm_cli *cli, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    struct pm_conf *conf = NULL;
    int code;
    enum pm_code rc = pm_args_parse(&args, options, true, 0, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, &help, options);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK && pm_args_has(&args, "help_settings")) {
        pm_conf_print_options(cli->out);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK) {
        rc = pm_conf_new(&conf, &err);
    }
    if (rc == PM_OK && pm_args_has(&args, "benchmark")) {
        code = benchmark(cli, conf, &args);
        pm_conf_unref(conf);
        return code;
    }
    if (rc == PM_OK) {
        rc = settings(conf, &args, &err);
    }
    code = rc == PM_OK ? run(cli, conf, pm_args_has(&args, "overwrite")) : pm_cli_fail(cli, &err);
    pm_conf_unref(conf);
    return code;
}
