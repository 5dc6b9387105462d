#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int pm_cli_exit_code(const struct pm_err *err)
{
    switch (err->code) {
    case PM_OK:
        return PM_EXIT_OK;
    case PM_EUSAGE:
        return PM_EXIT_USAGE;
    case PM_ECONF: /* a folder that is not there is no wrong usage: the same line works later */
        return err->sys_errno != 0 ? PM_EXIT_COULD_NOT : PM_EXIT_USAGE;
    case PM_EOWNED:
        return PM_EXIT_OWNED;
    default:
        return PM_EXIT_COULD_NOT;
    }
}

int pm_cli_fail(const struct pm_cli *cli, const struct pm_err *err)
{
    fflush(cli->out);
    if (err->sys_errno != EPIPE) { /* `pairmill ... | head` is no trouble anybody has to hear of */
        fprintf(cli->err, "pairmill%s%s: %s\n", cli->command[0] != '\0' ? " " : "", cli->command,
            err->text);
        fflush(cli->err);
    }
    return pm_cli_exit_code(err);
}

void pm_cli_help(const struct pm_cli *cli, const struct pm_help *help, const struct pm_arg *table)
{
    fprintf(cli->out, "usage: %s\n\n%s\n\n", help->usage, help->about);
    pm_args_print(table, cli->out);
    if (help->more != NULL) {
        fprintf(cli->out, "\n%s\n", help->more);
    }
    fprintf(cli->out, "\nexamples:\n%s\n", help->examples);
}

int pm_cli_flush(const struct pm_cli *cli)
{
    struct pm_err err;
    errno =
        EPIPE; /* for an earlier write that failed: its errno is gone, a pipe its usual reason */
    if (fflush(cli->out) == 0 && !ferror(cli->out)) {
        return PM_EXIT_OK;
    }
    pm_err_errno(&err, errno, "standard output");
    return pm_cli_fail(cli, &err);
}

enum pm_code pm_cli_settings(struct pm_conf *conf, const struct pm_args *args, struct pm_err *err)
{
    const char *config = pm_args_get(args, "config");
    enum pm_code rc = config != NULL ? pm_conf_load(conf, config, err) : PM_OK;

    for (size_t i = 0; rc == PM_OK && i < args->given_count; i++) {
        const struct pm_args_given *given = &args->given[i];
        if (given->arg == NULL) {
            char where[64];
            snprintf(where, sizeof where, "--%s", given->key);
            rc = pm_conf_set(conf, given->key, given->value, where, err);
        }
    }
    return rc;
}

/* Only `run` and the service make a database: what is none, is not to become one by looking. */
static enum pm_code check_db(const char *db, struct pm_err *err)
{
    struct stat st;
    if (stat(db, &st) != 0) {
        return pm_err_set(err, PM_ENOENT, "no database \"%s\" (%s); name one by --db or --config",
            db, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return pm_err_set(err, PM_EUSAGE,
            "\"%s\" is a folder; name the database in it, as --db %s/pairmill.db", db, db);
    }
    if (st.st_size == 0) {
        return pm_err_set(err, PM_EVERSION,
            "\"%s\" is empty, no pairmill database; name one by --db or --config", db);
    }
    return PM_OK;
}

static enum pm_code look(struct pm_conf *conf, const struct pm_args *args, struct pm_err *err)
{
    const char *db = pm_args_get(args, "db");
    enum pm_code rc = pm_cli_settings(conf, args, err);

    if (rc == PM_OK && (db != NULL || pm_args_get(args, "config") == NULL)) {
        rc = pm_conf_set(conf, "db", db != NULL ? db : "pairmill.db", "--db", err);
    }
    if (rc == PM_OK) {
        rc = pm_conf_check(conf, false, err);
    }
    pm_conf_clear_sources(conf); /* an unchecked source must not get into the database */
    return rc == PM_OK ? check_db(conf->db, err) : rc;
}

enum pm_code pm_cli_look(struct pm_conf **out, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    enum pm_code rc = pm_conf_new(&conf, err);
    if (rc == PM_OK) {
        rc = look(conf, args, err);
    }
    if (rc != PM_OK) {
        pm_conf_unref(conf);
        return rc;
    }
    *out = conf;
    return PM_OK;
}

int pm_cli_command(struct pm_cli *cli, const struct pm_command *command, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    enum pm_code rc =
        pm_args_parse(&args, command->options, command->settings, command->words, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, command->help, command->options);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK) {
        rc = command->run(cli, &args, &err);
    }
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}
