/* pairmill export: the results as a table for other programs: a row a pair, or a row a crop. */
#include "cli/cli.h"
#include "cli/csv.h"
#include "cli/view.h"

static const struct pm_arg options[] = {
    {"crops", NULL, NULL, "a row for each crop that was written, with its files"},
    {"json", NULL, NULL, "a JSON array of objects, one a line, instead of CSV"},
    {"scene", NULL, "S", "of this scene only"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill export [--crops] [--json] [--scene S] [--db FILE | --config FILE]",
    "Writes the results of all pairs that are done, with the hashes of their inputs and of the\n"
    "settings they were made with, as CSV with a heading. The rows are in the order of the names,\n"
    "and hold no times: the same inputs and settings give the same text.",
    "gt[y+dy, x+dx] = target[y, x]; loss: mean |gt - gain * target|, full scale 1; a crop of the\n"
    "target has to be multiplied by gain to be as bright as that of the gt.",
    "  pairmill export --db out/pairmill.db > pairs.csv\n"
    "  pairmill export --crops --db out/pairmill.db > crops.csv\n"
    "  pairmill export --json --scene lab/monday --config /etc/pairmill/pairmill.conf",
};

struct sink {
    FILE *to;
    int64_t rows;
    enum pm_code rc; /* what a row came to */
    struct pm_err *err;
};

static bool put_heading(void *ctx, const struct pm_column *columns, int count)
{
    struct sink *sink = ctx;
    pm_csv_heading(columns, count, sink->to);
    return true;
}

/* False when nobody reads any more, which the caller finds out from the stream. */
static bool put_csv(void *ctx, const struct pm_column *columns, int count)
{
    struct sink *sink = ctx;
    pm_csv_row(columns, count, sink->to);
    return !ferror(sink->to);
}

/* Each row by itself: a million of them need not fit into memory. */
static bool put_json(void *ctx, const struct pm_column *columns, int count)
{
    struct sink *sink = ctx;
    struct pm_json json;
    fputs(sink->rows++ > 0 ? ",\n" : "[\n", sink->to);
    pm_json_init(&json, false);
    pm_view_row(&json, columns, count);
    sink->rc = pm_json_print(&json, sink->to, sink->err);
    pm_json_fini(&json);
    return sink->rc == PM_OK && !ferror(sink->to);
}

static enum pm_code write_rows(
    struct pm_store *store, const struct pm_args *args, FILE *to, struct pm_err *err)
{
    const char *statement = pm_args_has(args, "crops") ? "export_crops" : "export_pairs";
    struct pm_param scene = {.name = ":scene", .type = PM_TEXT, .text = pm_args_get(args, "scene")};
    struct sink sink = {.to = to, .err = err};
    bool json = pm_args_has(args, "json");
    enum pm_code rc = PM_OK;

    if (!json) {
        rc = pm_store_heading(store, statement, put_heading, &sink, err);
    }
    if (rc == PM_OK) {
        rc = pm_store_read(store, statement, &scene, 1, json ? put_json : put_csv, &sink, err);
    }
    if (rc == PM_OK && json && sink.rc == PM_OK) {
        fputs(sink.rows > 0 ? "\n]\n" : "[]\n", to);
    }
    return rc == PM_OK ? sink.rc : rc;
}

static enum pm_code export_all(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    struct pm_store *store = NULL;
    enum pm_code rc = pm_cli_look(&conf, args, err);

    if (rc == PM_OK) {
        rc = pm_store_open_reader(&store, conf->db, err);
    }
    if (rc == PM_OK) {
        rc = write_rows(store, args, cli->out, err);
    }
    pm_store_close(store);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_export(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, false, 0, export_all};
    return pm_cli_command(cli, &command, argc, argv);
}
