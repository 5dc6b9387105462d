/* pairmill failures: the pairs that failed, with step and reason. */
#include <string.h>

#include "cli/cli.h"
#include "cli/view.h"

static const struct pm_arg options[] = {
    {"json", NULL, NULL, "a JSON array of objects"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill failures [--db FILE | --config FILE] [--json]",
    "Lists pairs that failed or were put in quarantine: which, in which step, why.",
    NULL,
    "  pairmill failures --db out/pairmill.db\n"
    "  pairmill retry --id 17 --db out/pairmill.db",
};

/* The cell of a row of the table in the column of this name. */
static const char *cell(const struct pm_table *table, size_t row, const char *name)
{
    for (size_t c = 0; c < table->columns; c++) {
        if (strcmp(table->cells[c], name) == 0) {
            return table->cells[row * table->columns + c];
        }
    }
    return "";
}

/* Two lines each: messages name files and are too long for a column. */
static enum pm_code print_lines(FILE *to, struct pm_store *store, struct pm_err *err)
{
    struct pm_table table = {0};
    enum pm_code rc = pm_view_table(store, "show_failures", &table, err);
    if (rc == PM_OK && table.rows == 0) {
        fputs("no failures\n", to);
    }
    for (size_t r = 1; rc == PM_OK && r < table.rows; r++) {
        fprintf(to, "job %s: %s (gt %s) %s in %s with %s at %s, attempt %s\n    %s\n",
            cell(&table, r, "job_id"), cell(&table, r, "target_path"), cell(&table, r, "gt_path"),
            cell(&table, r, "state"), cell(&table, r, "stage"), cell(&table, r, "code"),
            cell(&table, r, "at"), cell(&table, r, "attempts"), cell(&table, r, "message"));
    }
    pm_table_clear(&table);
    return rc;
}

static enum pm_code print_json(FILE *to, struct pm_store *store, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;
    pm_json_init(&json, true);
    rc = pm_view_json(store, "show_failures", &json, NULL, err);
    if (rc == PM_OK) {
        rc = pm_json_print(&json, to, err);
    }
    pm_json_fini(&json);
    return rc;
}

static enum pm_code failures(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    struct pm_store *store = NULL;
    enum pm_code rc = pm_cli_look(&conf, args, err);

    if (rc == PM_OK) {
        rc = pm_store_open_reader(&store, conf->db, err);
    }
    if (rc == PM_OK && pm_args_has(args, "json")) {
        rc = print_json(cli->out, store, err);
    } else if (rc == PM_OK) {
        rc = print_lines(cli->out, store, err);
    }
    pm_store_close(store);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_failures(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, false, 0, failures};
    return pm_cli_command(cli, &command, argc, argv);
}
