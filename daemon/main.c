/*
 * pairmilld: the service. A contents page: options, settings, run.
 * Owns: the process. Threads: the main thread becomes the loop's. Memory: none kept. Errors: one
 * line on stderr; exit codes are in `usage`.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "daemon/service.h"

enum { EXIT_DRAINED = 0, EXIT_COULD_NOT = 1, EXIT_USAGE = 2, EXIT_OWNED = 4 };

static const char usage[] =
    "usage: pairmilld --config FILE [--check-config]\n"
    "\n"
    "Watches the folders of FILE, aligns every pair that appears in them, and keeps all state in\n"
    "one SQLite database. Runs until SIGTERM or SIGINT (finishes what runs; a second one gives it\n"
    "up); SIGHUP reads FILE again.\n"
    "\n"
    "  --config FILE    the settings\n"
    "  --check-config   print the effective settings and exit\n"
    "  --help           this text and all settings\n"
    "  --version        the version\n"
    "\n"
    "exit code: 0 stopped by a signal after everything running was finished or put back,\n"
    "           1 could not work, 2 wrong usage or settings, 4 another process owns the database\n";

struct choice {
    const char *config;
    bool check, help, version;
};

/* False after a complaint on stderr. */
static bool parse(int argc, char **argv, struct choice *choice)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'}, {"check_config", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
        if (letter == '?') {
            return false; /* getopt has said why */
        }
        choice->check |= letter == 'k';
        choice->help |= letter == 'h';
        choice->version |= letter == 'v';
        choice->config = letter == 'c' ? optarg : choice->config;
    }
    if (choice->help || choice->version) {
        return true;
    }
    if (optind < argc || choice->config == NULL) {
        fprintf(stderr, "pairmilld: %s; --help shows the usage\n",
            optind < argc ? "takes no arguments, only options" : "--config FILE is missing");
        return false;
    }
    return true;
}

static int help(void)
{
    fputs(usage, stdout);
    puts("\nsettings (keys of pairmill.conf; as options they are pairmill run's):");
    pm_conf_print_options(stdout);
    return EXIT_DRAINED;
}

static enum pm_code load(const char *path, struct pm_conf **conf, struct pm_err *err)
{
    enum pm_code rc = pm_conf_new(conf, err);
    if (rc == PM_OK) {
        rc = pm_conf_load(*conf, path, err);
    }
    return rc == PM_OK ? pm_conf_check(*conf, true, err) : rc;
}

static int complain(enum pm_code rc, const struct pm_err *err)
{
    pm_log(PM_LOG_ERR, "pairmilld: %s", err->text);
    switch (rc) {
    case PM_EOWNED:
        return EXIT_OWNED;
    case PM_ECONF: /* a folder that is not there is no wrong usage: the same file works later */
        return err->sys_errno != 0 ? EXIT_COULD_NOT : EXIT_USAGE;
    case PM_EUSAGE:
        return EXIT_USAGE;
    default:
        return EXIT_COULD_NOT;
    }
}

static int serve(struct pm_conf *conf, const char *path)
{
    struct pm_service_opts opts = {.config_path = path};
    struct pm_service_end end;
    struct pm_err err = {.text = ""};
    enum pm_code rc = pm_service_run(conf, &opts, &end, &err);
    return rc == PM_OK ? EXIT_DRAINED : complain(rc, &err);
}

int main(int argc, char **argv)
{
    /* The journal reads a level before each line; set by systemd for stderr it connected. */
    int journal = getenv("JOURNAL_STREAM") != NULL || getenv("NOTIFY_SOCKET") != NULL;
    struct choice choice = {0};
    struct pm_conf *conf = NULL;
    struct pm_err err = {.text = ""};
    enum pm_code rc;
    int code = EXIT_DRAINED;

    pm_descriptors_fill();
    pm_descriptors_allow_many();
    if (!parse(argc, argv, &choice)) {
        return EXIT_USAGE;
    }
    if (choice.help) {
        return help();
    }
    if (choice.version) {
        puts("pairmilld " PM_VERSION);
        return EXIT_DRAINED;
    }
    pm_log_init(PM_LOG_INFO, journal);
    rc = load(choice.config, &conf, &err);
    if (rc != PM_OK) {
        code = complain(rc, &err);
    } else if (choice.check) {
        pm_conf_print(conf, stdout);
    } else {
        pm_log_init((enum pm_log_level)conf->log_level, journal);
        code = serve(conf, choice.config);
    }
    pm_conf_unref(conf);
    return code;
}
