/* pairmill: the person's tool. A contents page: one command, one file. */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "common/descriptors.h"
#include "common/suggest.h"

static const struct command {
    const char *name;
    int (*run)(struct pm_cli *cli, int argc, char **argv);
    const char *about;
} commands[] = {
    {"run", pm_cli_run, "align, mask and crop every pair of a folder, once"},
    {"align", pm_cli_align, "find the shift of one pair of files"},
    {"bench", pm_cli_bench, "how fast and how right every method is on this machine"},
    {"gpu", pm_cli_gpu, "whether there is a GPU to work with, and whether it computes right"},
    {"status", pm_cli_status, "how far it is, how fast, how long it takes"},
    {"failures", pm_cli_failures, "which pairs failed, where and why"},
    {"retry", pm_cli_retry, "queue failed pairs again"},
    {"pause", pm_cli_pause, "begin no new pairs"},
    {"resume", pm_cli_pause, "begin new pairs again"},
    {"verify", pm_cli_verify, "hold every output against the database"},
    {"export", pm_cli_export, "the results as CSV or JSON, a row a pair or a row a crop"},
    {"report", pm_cli_report, "what came out: how much, how good, what to look at"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct pm_arg options[] = {
    PM_CLI_ARGS_HELP,
    {"version", "v", NULL, "show the version"},
    {"print_sample_config", NULL, NULL, "a commented pairmill.conf with every setting"},
    {NULL, NULL, NULL, NULL},
};

static void print_help(FILE *to)
{
    fputs("usage: pairmill COMMAND [OPTION...]\n\n"
          "Aligns noisy photographs to their ground truths, masks and crops them.\n\n",
        to);
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].about);
    }
    fputc('\n', to);
    pm_args_print(options, to);
    fputs("\npairmill COMMAND --help says more. - and _ in options are alike.\n\n"
          "examples:\n"
          "  pairmill run --input_dir photos --output_dir aligned\n"
          "  pairmill status --watch --db aligned/pairmill.db\n",
        to);
}

static enum pm_code unknown(const char *name, struct pm_err *err)
{
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, name);
    for (int i = 0; i < COMMANDS; i++) {
        pm_suggest_offer(&suggest, commands[i].name);
    }
    if (suggest.best != NULL) {
        return pm_err_set(
            err, PM_EUSAGE, "unknown command %s; did you mean %s?", name, suggest.best);
    }
    return pm_err_set(err, PM_EUSAGE, "unknown command %s; pairmill --help lists all", name);
}

/* pairmill itself, without a command. */
static int no_command(struct pm_cli *cli, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    enum pm_code rc = pm_args_parse(&args, options, false, 1, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        print_help(cli->out);
    } else if (rc == PM_OK && pm_args_has(&args, "version")) {
        fprintf(cli->out, "pairmill %s\n", PM_VERSION);
    } else if (rc == PM_OK && pm_args_has(&args, "print_sample_config")) {
        pm_conf_print_sample(cli->out);
    } else if (rc == PM_OK) {
        rc = args.word_count > 0
                 ? unknown(args.words[0], &err)
                 : pm_err_set(&err, PM_EUSAGE, "a command is missing; pairmill --help lists them");
    }
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}

int main(int argc, char **argv)
{
    struct pm_cli cli = {.command = "", .out = stdout, .err = stderr};

    pm_descriptors_fill();
    pm_descriptors_allow_many();
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a write error, told or not, no death */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that grows beyond `ulimit -f` */
    for (int i = 0; i < COMMANDS && argc > 1; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            cli.command = commands[i].name;
            return commands[i].run(&cli, argc - 1, argv + 1);
        }
    }
    return no_command(&cli, argc, argv);
}
