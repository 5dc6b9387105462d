/* pairmill report: what came out, for a person to read: how much, how good, what to look at. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/view.h"

static const struct pm_arg options[] = {
    {"html", NULL, NULL, "a web page of its own instead of text"},
    {"json", NULL, NULL, "one JSON object with the same tables"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill report [--html | --json] [--db FILE | --config FILE]",
    "Sums up the results: how many and how good, by source and by scene, how far the pairs were\n"
    "apart, which are doubtful, what failed and why, and where the time went.",
    NULL,
    "  pairmill report --db out/pairmill.db\n"
    "  pairmill report --html --db out/pairmill.db > report.html",
};

/* In the order of the page. */
static const struct section {
    const char *key; /* in JSON */
    const char *title;
    const char *none; /* said when there are no rows */
    const char *statement;
    const char *columns[12]; /* those shown; NULL ends the list */
} sections[] = {
    {"head", "Results", "none yet", "report_head",
        {"at", "version", "pairs", "crops", "windows_left_out", "mean_loss", "mean_mask",
            "doubtful", "flagged", NULL}},
    {"sources", "Sources", "none yet", "show_progress",
        {"source", "waiting", "queued", "running", "done", "failed", "quarantined", "missing",
            "total", "percent", NULL}},
    {"scenes", "Scenes", "none yet", "report_scenes",
        {"source", "scene", "gts", "targets", "done", "failed", "mean_loss", "mean_gain",
            "mean_mask", "crops", NULL}},
    {"shifts", "How far apart (the larger of |dy| and |dx|)", "no results yet", "report_shifts",
        {"px", "pairs", "mean_loss", NULL}},
    {"flags", "Flags", "none", "report_flags", {"flag", "pairs", NULL}},
    {"doubtful", "To be looked at: least confidence first", "none", "report_doubtful",
        {"job_id", "confidence", "loss", "dy", "dx", "flags", "gt_path", "target_path", NULL}},
    {"worst", "Largest loss", "no results yet", "report_worst",
        {"job_id", "loss", "confidence", "dy", "dx", "gain", "gt_path", "target_path", NULL}},
    {"failures", "Failures (pairmill failures lists them all)", "none", "report_failures",
        {"code", "stage", "pairs", "example", NULL}},
    {"methods", "Methods", "none has run", "report_methods",
        {"method", "backend", "n", "mean_ms", "p95_ms", "mean_loss", "fallbacks", NULL}},
    {"stages", "Where the time went", "no pair has been done", "show_stage_timings",
        {"stage", "n", "mean_ms", "p50_ms", "p95_ms", "max_ms", "mb_per_s", NULL}},
};
#define SECTIONS (sizeof sections / sizeof sections[0])

static void print_text(const struct section *section, const struct pm_table *table, FILE *to)
{
    fprintf(to, "## %s\n\n", section->title);
    if (table->rows == 0) {
        fprintf(to, "%s\n", section->none);
    }
    pm_table_print(table, section->columns, to);
    fputc('\n', to);
}

static void print_html(const struct section *section, const struct pm_table *table, FILE *to)
{
    fprintf(to, "<h2>%s</h2>\n", section->title);
    if (table->rows == 0) {
        fprintf(to, "<p>%s</p>\n", section->none);
    }
    pm_table_html(table, section->columns, to);
}

/* Each section is read and let go before the next. */
static enum pm_code print_all(struct pm_store *store,
    void (*print)(const struct section *section, const struct pm_table *table, FILE *to), FILE *to,
    struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < SECTIONS; i++) {
        struct pm_table table = {0};
        rc = pm_view_table(store, sections[i].statement, &table, err);
        if (rc == PM_OK) {
            print(&sections[i], &table, to);
        }
        pm_table_clear(&table);
    }
    return rc;
}

static enum pm_code write_page(struct pm_store *store, FILE *to, struct pm_err *err)
{
    static const char head[] =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<title>pairmill report</title>\n<style>\n"
        "body { font-family: sans-serif; margin: 2em; }\n"
        "table { border-collapse: collapse; }\n"
        "th, td { border-bottom: 1px solid #ccc; padding: 0.2em 0.8em; text-align: left; }\n"
        "td.n { text-align: right; font-variant-numeric: tabular-nums; }\n"
        "</style>\n</head>\n<body>\n<h1>pairmill report</h1>\n<p>";
    enum pm_code rc;
    fputs(head, to);
    pm_table_escape(pm_store_path(store), to);
    fputs("</p>\n", to);
    rc = print_all(store, print_html, to, err);
    fputs("</body>\n</html>\n", to);
    return rc;
}

static enum pm_code write_text(struct pm_store *store, FILE *to, struct pm_err *err)
{
    fprintf(to, "# pairmill report: %s\n\n", pm_store_path(store));
    return print_all(store, print_text, to, err);
}

static enum pm_code write_json(struct pm_store *store, FILE *to, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc = PM_OK;
    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_name(&json, "database", pm_store_path(store));
    for (size_t i = 0; rc == PM_OK && i < SECTIONS; i++) {
        rc = pm_view_json(store, sections[i].statement, &json, sections[i].key, err);
    }
    pm_json_end_object(&json);
    if (rc == PM_OK) {
        rc = pm_json_print(&json, to, err);
    }
    pm_json_fini(&json);
    return rc;
}

static enum pm_code report(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    struct pm_store *store = NULL;
    enum pm_code rc = PM_OK;

    if (pm_args_has(args, "html") && pm_args_has(args, "json")) {
        rc = pm_err_set(err, PM_EUSAGE, "--html and --json exclude each other");
    }
    if (rc == PM_OK) {
        rc = pm_cli_look(&conf, args, err);
    }
    if (rc == PM_OK) {
        rc = pm_store_open_reader(&store, conf->db, err);
    }
    if (rc == PM_OK) {
        rc = pm_args_has(args, "html")   ? write_page(store, cli->out, err)
             : pm_args_has(args, "json") ? write_json(store, cli->out, err)
                                         : write_text(store, cli->out, err);
    }
    pm_store_close(store);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_report(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, false, 0, report};
    return pm_cli_command(cli, &command, argc, argv);
}
