/* pairmill retry: queues pairs again that came to rest without a result. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "common/clock.h"
#include "daemon/control.h"
#include "daemon/ledger.h"

static const struct pm_arg options[] = {
    {"id", NULL, "N", "this pair only (job_id of pairmill failures)"},
    {"failed", NULL, NULL, "those that failed"},
    {"quarantined", NULL, NULL, "those in quarantine"},
    {"missing", NULL, NULL, "those whose files went away, where they are back"},
    {"stale", NULL, NULL, "those done with other settings than those in force"},
    {"done", NULL, NULL, "all that are done, to make their outputs anew"},
    {"all", NULL, NULL, "failed, quarantined and missing"},
    {"scene", NULL, "S", "of this scene only"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill retry [--id N | --failed | --quarantined | --missing | --all | --stale | --done]\n"
    "                      [--scene S]",
    "Queues pairs again, with fresh attempts. Without options: failed and quarantined ones.",
    "The settings in force are those of the service, or of the last pairmill run.",
    "  pairmill retry --db out/pairmill.db\n"
    "  pairmill retry --id 17\n"
    "  pairmill retry --stale --scene lab/monday\n"
    "  pairmill retry --failed --scene lab/monday --config /etc/pairmill/pairmill.conf",
};

static enum pm_code parse_id(const char *text, int64_t *id, struct pm_err *err)
{
    char *end = NULL;
    errno = 0;
    *id = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *id <= 0) {
        return pm_err_set(err, PM_EUSAGE,
            "--id=%s is no job_id; pairmill failures lists them in its first column", text);
    }
    return PM_OK;
}

static enum pm_code make_filter(
    const struct pm_args *args, struct pm_retry_filter *filter, struct pm_err *err)
{
    bool all = pm_args_has(args, "all");
    const char *id = pm_args_get(args, "id");

    *filter = (struct pm_retry_filter){
        .failed = all || pm_args_has(args, "failed"),
        .quarantined = all || pm_args_has(args, "quarantined"),
        .missing = all || pm_args_has(args, "missing"),
        .stale = pm_args_has(args, "stale"),
        .done = pm_args_has(args, "done"),
        .scene = pm_args_get(args, "scene"),
    };
    if (id == NULL) {
        return PM_OK;
    }
    if (filter->failed || filter->quarantined || filter->missing || filter->stale || filter->done ||
        filter->scene != NULL) {
        return pm_err_set(err, PM_EUSAGE, "--id names one pair; leave the other options out");
    }
    filter->failed = filter->quarantined = filter->missing = true; /* whatever its state */
    return parse_id(id, &filter->id, err);
}

/* Through the owner when one runs, else straight into the database under the flock. */
static enum pm_code steer(struct pm_conf *conf, const struct pm_retry_filter *filter,
    int64_t *released, struct pm_err *err)
{
    struct pm_ledger *ledger = NULL;
    enum pm_code rc = pm_control_retry(conf->db, filter, released, err);

    if (rc != PM_ENOENT) {
        return rc;
    }
    rc = pm_ledger_open(&ledger, conf, pm_clock_real(), err);
    if (rc == PM_OK) {
        rc = pm_ledger_retry_wait(ledger, filter, released, err);
    }
    pm_ledger_close(ledger);
    return rc;
}

int pm_cli_retry(struct pm_cli *cli, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    struct pm_conf *conf = NULL;
    struct pm_retry_filter filter;
    int64_t released = 0;
    enum pm_code rc = pm_args_parse(&args, options, false, 0, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, &help, options);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK) {
        rc = make_filter(&args, &filter, &err);
    }
    if (rc == PM_OK) {
        rc = pm_cli_look(&conf, &args, &err);
    }
    if (rc == PM_OK) {
        rc = steer(conf, &filter, &released, &err);
    }
    if (rc == PM_OK) {
        fprintf(
            cli->out, "%" PRId64 " %s queued again\n", released, released == 1 ? "pair" : "pairs");
    }
    pm_conf_unref(conf);
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}
