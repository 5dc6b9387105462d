/* cli: exit codes, one-line errors, settings from file and options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static void every_error_has_its_exit_code(void **state)
{
    struct pm_err err;
    (void)state;
    pm_err_set(&err, PM_OK, "x");
    assert_int_equal(pm_cli_exit_code(&err), 0);
    pm_err_set(&err, PM_EUSAGE, "x");
    assert_int_equal(pm_cli_exit_code(&err), 2);
    pm_err_set(&err, PM_ECONF, "x");
    assert_int_equal(pm_cli_exit_code(&err), 2);
    err.sys_errno = 2; /* a folder that is not there */
    assert_int_equal(pm_cli_exit_code(&err), 1);
    pm_err_set(&err, PM_EOWNED, "x");
    assert_int_equal(pm_cli_exit_code(&err), 4);
    pm_err_set(&err, PM_EDB, "x");
    assert_int_equal(pm_cli_exit_code(&err), 1);
}

static const struct pm_arg options[] = {PM_CLI_ARGS_DB, PM_CLI_ARGS_HELP, {NULL, NULL, NULL, NULL}};

/* A command that shows what settings it was given. */
static int show(struct pm_cli *cli, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    struct pm_conf *conf = NULL;
    enum pm_code rc = pm_args_parse(&args, options, true, 0, argc, argv, &err);
    if (rc == PM_OK) {
        rc = pm_conf_new(&conf, &err);
    }
    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, &args, &err);
    }
    if (rc == PM_OK) {
        fprintf(cli->out, "%d %d %s", conf->max_shift, conf->crop_size, conf->watch ? "w" : "-");
    }
    pm_conf_unref(conf);
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}

static void options_beat_the_file(void **state)
{
    struct pm_clitest t;
    FILE *file;
    (void)state;
    pm_clitest_open(&t);
    file = fopen(t.conf, "w");
    assert_non_null(file);
    fputs("[align]\nmax_shift = 5\n[crop]\ncrop_size = 900\n", file);
    fclose(file);
    assert_int_equal(
        pm_clitest_call(&t, show, "show", "--max-shift 6 --config %s --no-watch", t.conf), 0);
    assert_string_equal(t.out, "6 900 -");
    assert_int_equal(pm_clitest_call(&t, show, "show", "--max-shift 6x"), PM_EXIT_USAGE);
    assert_string_equal(t.err, "pairmill show: --max_shift: max_shift = \"6x\" is not a whole "
                               "number; use 0 to 4096 px\n");
    assert_int_equal(pm_clitest_call(&t, show, "show", "--config /no/p.conf"), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "/no/p.conf"));
    pm_clitest_close(&t);
}

static int look(struct pm_cli *cli, int argc, char **argv)
{
    struct pm_args args;
    struct pm_err err;
    struct pm_conf *conf = NULL;
    enum pm_code rc = pm_args_parse(&args, options, false, 0, argc, argv, &err);
    if (rc == PM_OK) {
        rc = pm_cli_look(&conf, &args, &err);
    }
    if (rc == PM_OK) {
        fprintf(cli->out, "%s %d", conf->db, conf->source_count);
    }
    pm_conf_unref(conf);
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}

static void a_database_is_found_by_db_or_config(void **state)
{
    struct pm_clitest t;
    char want[256];
    FILE *file;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, look, "look", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, t.db));
    assert_int_equal(pm_clitest_call(&t, look, "look", "--config %s", t.conf), PM_EXIT_COULD_NOT);
    file = fopen(t.db, "w");
    assert_non_null(file);
    assert_int_equal(pm_clitest_call(&t, look, "look", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "is empty"));
    assert_int_equal(pm_clitest_call(&t, look, "look", "--db %s", t.dir), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "is a folder"));
    fputs("something", file);
    fclose(file);
    snprintf(want, sizeof want, "%s 0", t.db); /* and no unchecked source */
    assert_int_equal(pm_clitest_call(&t, look, "look", "--db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, want);
    assert_int_equal(pm_clitest_call(&t, look, "look", "--config %s", t.conf), PM_EXIT_OK);
    assert_string_equal(t.out, want);
    pm_clitest_close(&t);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    struct pm_cli cli = {.command = "x", .out = fopen("/dev/full", "w"), .err = NULL};
    char *text = NULL;
    size_t size = 0;
    (void)state;
    if (cli.out == NULL) {
        skip(); /* no /dev/full here */
    }
    cli.err = open_memstream(&text, &size);
    fputs("words", cli.out);
    assert_int_equal(pm_cli_flush(&cli), PM_EXIT_COULD_NOT);
    fclose(cli.out);
    fclose(cli.err);
    assert_non_null(strstr(text, "standard output: No space left"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_exit_code),
        cmocka_unit_test(options_beat_the_file),
        cmocka_unit_test(a_database_is_found_by_db_or_config),
        cmocka_unit_test(what_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
