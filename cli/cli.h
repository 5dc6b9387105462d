/*
 * cli: what the commands of pairmill share: where they write, exit codes, settings, help.
 * Owns: nothing. Threads: one. Memory: settings belong to the caller (pm_conf_unref).
 * Errors: an error is one line on stderr: what, which file, what to do.
 */
#ifndef PM_CLI_CLI_H
#define PM_CLI_CLI_H

#include <stdio.h>

#include "cli/args.h"
#include "common/conf.h"
#include "common/err.h"

enum pm_exit {
    PM_EXIT_OK = 0,
    PM_EXIT_COULD_NOT = 1,    /* could not work at all */
    PM_EXIT_USAGE = 2,        /* wrong usage, wrong settings */
    PM_EXIT_SOME_FAILED = 3,  /* finished, but some pairs failed */
    PM_EXIT_OWNED = 4,        /* another owner holds the database */
    PM_EXIT_INTERRUPTED = 130 /* state kept, run again to go on */
};

struct pm_cli {
    const char *command; /* for messages; "" for pairmill itself */
    FILE *out, *err;
};

/* What --help of a command says. */
struct pm_help {
    const char *usage;    /* "pairmill align GT TARGET [OPTION...]" */
    const char *about;    /* a sentence or two */
    const char *more;     /* after the options; may be NULL */
    const char *examples; /* lines, each indented by two */
};

/* A command in the usual shape. */
struct pm_command {
    const struct pm_help *help;
    const struct pm_arg *options;
    bool settings; /* every setting is an option, too */
    size_t words;  /* that are no options, at most */
    enum pm_code (*run)(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err);
};
/* Parses, shows the help when that is asked for, else runs; returns the exit code. */
int pm_cli_command(struct pm_cli *cli, const struct pm_command *command, int argc, char **argv);

/* Each takes argv[0] as its own name and returns an exit code. */
int pm_cli_run(struct pm_cli *cli, int argc, char **argv);
int pm_cli_align(struct pm_cli *cli, int argc, char **argv);
int pm_cli_bench(struct pm_cli *cli, int argc, char **argv);
int pm_cli_gpu(struct pm_cli *cli, int argc, char **argv);
int pm_cli_status(struct pm_cli *cli, int argc, char **argv);
int pm_cli_failures(struct pm_cli *cli, int argc, char **argv);
int pm_cli_retry(struct pm_cli *cli, int argc, char **argv);
int pm_cli_verify(struct pm_cli *cli, int argc, char **argv);
int pm_cli_export(struct pm_cli *cli, int argc, char **argv);
int pm_cli_report(struct pm_cli *cli, int argc, char **argv);
int pm_cli_pause(struct pm_cli *cli, int argc, char **argv); /* also resume, told by cli->command */

/* Writes the one line and says the exit code that belongs to it. */
int pm_cli_fail(const struct pm_cli *cli, const struct pm_err *err);
int pm_cli_exit_code(const struct pm_err *err);
void pm_cli_help(const struct pm_cli *cli, const struct pm_help *help, const struct pm_arg *table);
/* PM_EXIT_OK after everything written to cli->out has got there, else the failure, told. */
int pm_cli_flush(const struct pm_cli *cli);

/* --config FILE, then every setting given as an option, into conf. */
enum pm_code pm_cli_settings(struct pm_conf *conf, const struct pm_args *args, struct pm_err *err);
/* For commands that look or steer: a conf with the db of --db, else of --config, else
 * ./pairmill.db; it must exist. */
enum pm_code pm_cli_look(struct pm_conf **conf, const struct pm_args *args, struct pm_err *err);

/* The rows of an option table that every command has, and those of pm_cli_look. */
#define PM_CLI_ARGS_HELP                                                                           \
    {                                                                                              \
        "help", "h", NULL, "show this"                                                             \
    }
#define PM_CLI_ARGS_DB                                                                             \
    {"db", NULL, "FILE", "the database (default ./pairmill.db)"},                                  \
    {                                                                                              \
        "config", NULL, "FILE", "the settings that name the database"                              \
    }

#endif
