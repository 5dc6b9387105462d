/* pairmill pause and resume: stop or go on beginning pairs, of all sources or of one. */
#include <string.h>

#include "cli/cli.h"
#include "common/clock.h"
#include "daemon/control.h"
#include "daemon/ledger.h"

static const struct pm_arg options[] = {
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help helps[] = {
    {"pairmill pause [SOURCE] [--db FILE | --config FILE]",
        "No new pair is begun, of this source or of any; running ones finish, new files are still\n"
        "noticed. It stays so over restarts until pairmill resume.",
        NULL, "  pairmill pause\n  pairmill pause lab --config /etc/pairmill/pairmill.conf"},
    {"pairmill resume [SOURCE] [--db FILE | --config FILE]",
        "Undoes pairmill pause, of this source or of all together.", NULL,
        "  pairmill resume\n  pairmill resume lab --config /etc/pairmill/pairmill.conf"},
};

/* Through the owner when one runs, else straight into the database under the flock. */
static enum pm_code steer(struct pm_conf *conf, const char *source, bool paused, struct pm_err *err)
{
    struct pm_ledger *ledger = NULL;
    enum pm_code rc = pm_control_pause(conf->db, source, paused, err);

    if (rc != PM_ENOENT) {
        return rc;
    }
    rc = pm_ledger_open(&ledger, conf, pm_clock_real(), err);
    if (rc == PM_OK) {
        rc = pm_ledger_pause_wait(ledger, source, paused, err);
    }
    pm_ledger_close(ledger);
    return rc;
}

int pm_cli_pause(struct pm_cli *cli, int argc, char **argv)
{
    bool paused = strcmp(cli->command, "pause") == 0;
    struct pm_args args;
    struct pm_err err;
    struct pm_conf *conf = NULL;
    const char *source = NULL;
    enum pm_code rc = pm_args_parse(&args, options, false, 1, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, &helps[paused ? 0 : 1], options);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK) {
        source = args.word_count > 0 ? args.words[0] : NULL;
        rc = pm_cli_look(&conf, &args, &err);
    }
    if (rc == PM_OK) {
        rc = steer(conf, source, paused, &err);
    }
    if (rc == PM_OK) {
        fprintf(cli->out, "%s %s\n", paused ? "paused" : "resumed",
            source != NULL ? source : "all sources");
    }
    pm_conf_unref(conf);
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}
