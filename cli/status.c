/* pairmill status: how far every source is, how fast, what takes the time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bar.h"
#include "cli/cli.h"
#include "cli/view.h"
#include "daemon/control.h"

enum { WATCH_S = 2 };

static const struct pm_arg options[] = {
    {"watch", NULL, NULL, "again every 2 s until interrupted"},
    {"json", NULL, NULL, "one JSON object (with --watch: one a line)"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill status [--watch] [--json] [--db FILE | --config FILE]",
    "Shows progress by source, speed, time left and where the time goes, running or not.",
    NULL,
    "  pairmill status --db out/pairmill.db\n"
    "  pairmill status --watch --config /etc/pairmill/pairmill.conf",
};

/* Every view --json has, by the view's own name. */
static const char *const views[] = {
    "progress", "throughput", "eta", "stage_timings", "workers", "cache_stats", "health"};

/* Everything the lines for people are made of. */
struct seen {
    struct pm_table progress, throughput, eta, stages, health;
    bool running; /* an owner answers on the control socket */
};

static bool owner_runs(const char *db)
{
    struct pm_err ignored; /* nobody there is an answer, not an error */
    char answer[PM_CONTROL_LINE];
    return pm_control_status(db, answer, sizeof answer, &ignored) == PM_OK;
}

static void forget(struct seen *seen)
{
    pm_table_clear(&seen->progress);
    pm_table_clear(&seen->throughput);
    pm_table_clear(&seen->eta);
    pm_table_clear(&seen->stages);
    pm_table_clear(&seen->health);
}

static enum pm_code look_at(
    struct pm_store *store, const char *db, struct seen *seen, struct pm_err *err)
{
    const struct {
        const char *statement;
        struct pm_table *table;
    } wanted[] = {{"show_progress", &seen->progress}, {"show_throughput", &seen->throughput},
        {"show_eta", &seen->eta}, {"show_stage_timings", &seen->stages},
        {"show_health", &seen->health}};
    *seen = (struct seen){.running = owner_runs(db)};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        enum pm_code rc = pm_view_table(store, wanted[i].statement, wanted[i].table, err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    return PM_OK;
}

static void print_head(FILE *to, const struct seen *seen, const char *db)
{
    fprintf(to, "%s: ", db);
    if (seen->running) {
        fprintf(to, "pid %s works on it", pm_view_first(&seen->health, "owner_pid"));
    } else {
        fputs("nobody works on it now", to);
    }
    if (strcmp(pm_view_first(&seen->health, "paused"), "1") == 0) {
        fputs(", paused (pairmill resume)", to);
    }
    fputs("\n\n", to);
}

static void print_speed(FILE *to, const struct seen *seen)
{
    const struct pm_table *t = &seen->throughput;
    const char *left = pm_view_first(&seen->eta, "seconds_left");
    for (size_t r = 1; r < t->rows; r++) {
        const char *rate = t->cells[r * t->columns + 2];
        fprintf(to, "%s%s (%s)", r == 1 ? "\npairs a minute: " : ", ", rate[0] != '\0' ? rate : "0",
            t->cells[r * t->columns]);
    }
    fputc('\n', to);
    if (left[0] != '\0' && strcmp(left, "0") != 0) {
        char duration[32];
        pm_bar_duration(strtod(left, NULL), duration, sizeof duration);
        fprintf(to, "time left: %s, until %s\n", duration, pm_view_first(&seen->eta, "finish_at"));
    }
}

static void print_failures(FILE *to, const struct seen *seen, bool color)
{
    int64_t failed =
        pm_view_sum(&seen->progress, "failed") + pm_view_sum(&seen->progress, "quarantined");
    if (failed > 0) {
        fprintf(to, "\n%s%" PRId64 " %s failed%s; pairmill failures says why\n",
            color ? "\033[31m" : "", failed, failed == 1 ? "pair" : "pairs",
            color ? "\033[0m" : "");
    }
}

static void print_all(FILE *to, const struct seen *seen, const char *db, bool color)
{
    static const char *const progress[] = {"source", "waiting", "settling", "queued", "running",
        "done", "failed", "quarantined", "missing", "total", "percent", NULL};
    static const char *const stages[] = {
        "stage", "n", "mean_ms", "p50_ms", "p95_ms", "max_ms", "mb_per_s", NULL};
    print_head(to, seen, db);
    if (seen->progress.rows == 0) {
        fputs("no source yet\n", to);
    }
    pm_table_print(&seen->progress, progress, to);
    print_speed(to, seen);
    if (seen->stages.rows > 0) {
        fputc('\n', to);
        pm_table_print(&seen->stages, stages, to);
    }
    print_failures(to, seen, color);
}

static enum pm_code show_lines(
    struct pm_cli *cli, struct pm_store *store, bool watch, struct pm_err *err)
{
    struct seen seen;
    enum pm_code rc = look_at(store, pm_store_path(store), &seen, err);
    if (rc == PM_OK) {
        if (watch && pm_bar_terminal(cli->out)) {
            fputs("\033[H\033[J", cli->out); /* home, and clear all below */
        }
        print_all(cli->out, &seen, pm_store_path(store), pm_bar_color(cli->out));
    }
    forget(&seen);
    return rc;
}

static enum pm_code show_json(
    struct pm_cli *cli, struct pm_store *store, bool watch, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc = PM_OK;
    pm_json_init(&json, !watch);
    pm_json_begin_object(&json, NULL);
    pm_json_name(&json, "database", pm_store_path(store));
    pm_json_bool(&json, "running", owner_runs(pm_store_path(store)));
    for (size_t i = 0; rc == PM_OK && i < sizeof views / sizeof views[0]; i++) {
        char statement[64];
        snprintf(statement, sizeof statement, "show_%s", views[i]);
        rc = pm_view_json(store, statement, &json, views[i], err);
    }
    pm_json_end_object(&json);
    if (rc == PM_OK) {
        rc = pm_json_print(&json, cli->out, err);
    }
    if (rc == PM_OK && watch) {
        fputs("\n", cli->out);
    }
    pm_json_fini(&json);
    return rc;
}

static enum pm_code status(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    bool watch = pm_args_has(args, "watch");
    bool json = pm_args_has(args, "json");
    struct pm_conf *conf = NULL;
    struct pm_store *store = NULL;
    enum pm_code rc = pm_cli_look(&conf, args, err);

    if (rc == PM_OK) {
        rc = pm_store_open_reader(&store, conf->db, err);
    }
    while (rc == PM_OK) {
        rc = json ? show_json(cli, store, watch, err) : show_lines(cli, store, watch, err);
        if (rc == PM_OK && fflush(cli->out) != 0) {
            rc = pm_err_errno(err, errno, "standard output");
        }
        if (rc != PM_OK || !watch) {
            break;
        }
        sleep(WATCH_S);
    }
    pm_store_close(store);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_status(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, false, 0, status};
    return pm_cli_command(cli, &command, argc, argv);
}
