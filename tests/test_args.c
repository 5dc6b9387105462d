/* args: spellings that mean the same, and one clear line for those that mean nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

static const struct pm_arg table[] = {
    {"input_dir", NULL, "DIR", "where from"},
    {"json", NULL, NULL, "as JSON"},
    {"help", "h", NULL, "show this"},
    {NULL, NULL, NULL, NULL},
};

/* Splits line at blanks and parses it; argv lives until the next call. */
static enum pm_code parse(
    struct pm_args *args, bool settings, size_t words_max, const char *line, struct pm_err *err)
{
    static char text[512];
    static char *argv[80];
    int argc = 0;
    strcpy(text, line);
    argv[argc++] = text;
    for (char *c = text; *c != '\0'; c++) {
        if (*c == ' ') {
            *c = '\0';
            argv[argc++] = c + 1;
        }
    }
    return pm_args_parse(args, table, settings, words_max, argc, argv, err);
}

static void all_spellings_of_an_option_are_alike(void **state)
{
    static const char *const lines[] = {"run --input_dir x", "run --input-dir x",
        "run --input_dir=x", "run --input-dir=x", "run --input-dir=y --input_dir x"};
    struct pm_args args;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(parse(&args, false, 0, lines[i], NULL), PM_OK);
        assert_string_equal(pm_args_get(&args, "input_dir"), "x");
        assert_false(pm_args_has(&args, "json"));
    }
}

static void values_may_look_like_anything_but_an_option(void **state)
{
    struct pm_args args;
    (void)state;
    assert_int_equal(parse(&args, false, 0, "run --input_dir -x", NULL), PM_OK);
    assert_string_equal(pm_args_get(&args, "input_dir"), "-x");
    assert_int_equal(parse(&args, false, 0, "run --input_dir=--x=y", NULL), PM_OK);
    assert_string_equal(pm_args_get(&args, "input_dir"), "--x=y");
    assert_int_equal(parse(&args, false, 0, "run --input_dir=", NULL), PM_OK);
    assert_string_equal(pm_args_get(&args, "input_dir"), "");
}

static void words_and_switches_mix(void **state)
{
    struct pm_args args;
    (void)state;
    assert_int_equal(parse(&args, false, 3, "align a --json - -h -- --b", NULL), PM_OK);
    assert_true(pm_args_has(&args, "json"));
    assert_true(pm_args_has(&args, "help"));
    assert_int_equal(args.word_count, 3);
    assert_string_equal(args.words[0], "a");
    assert_string_equal(args.words[1], "-");
    assert_string_equal(args.words[2], "--b");
}

static void settings_are_options_too(void **state)
{
    struct pm_args args;
    (void)state;
    assert_int_equal(
        parse(&args, true, 0, "run --max-shift 3 --num_threads=2 --quality --no-watch", NULL),
        PM_OK);
    assert_int_equal(args.given_count, 4);
    assert_null(args.given[0].arg);
    assert_string_equal(args.given[0].key, "max_shift");
    assert_string_equal(args.given[0].value, "3");
    assert_string_equal(args.given[1].key, "num_threads");
    assert_string_equal(args.given[2].key, "quality");
    assert_string_equal(args.given[2].value, "yes");
    assert_string_equal(args.given[3].key, "watch");
    assert_string_equal(args.given[3].value, "no");
    assert_int_equal(parse(&args, true, 0, "run --quality=off", NULL), PM_OK);
    assert_string_equal(args.given[0].value, "off");
    assert_null(pm_args_get(&args, "quality")); /* not of the table */
}

static void wrong_lines_are_told(void **state)
{
    static const struct {
        const char *line;
        bool settings;
        const char *says;
    } cases[] = {
        {"run --input", false, "unknown option --input; --help lists all"},
        {"run --input_dri x", false, "unknown option --input_dri; did you mean --input_dir?"},
        {"run --max_shift 3", false, "unknown option --max_shift; --help lists all"},
        {"run --max_shfit 3", true, "unknown option --max_shfit; did you mean --max_shift?"},
        {"run --jsno", true, "did you mean --json?"},
        {"run --no_max_shift", true, "unknown option --no_max_shift"},
        {"run --input_dir", false, "--input_dir needs a value"},
        {"run --input_dir --json", false, "--input_dir needs a value"},
        {"run --max_shift", true, "--max_shift needs a value"},
        {"run --json=yes", false, "--json takes no value"},
        {"run --no_quality=yes", true, "--no_quality takes no value"},
        {"run -x", false, "unknown option -x"},
        {"run -hv", false, "unknown option -hv"},
        {"run word", false, "unexpected \"word\""},
        {"run --aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true,
            "unknown option --aaaa"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pm_args args;
        struct pm_err err;
        assert_int_equal(parse(&args, cases[i].settings, 0, cases[i].line, &err), PM_EUSAGE);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

static void too_many_of_anything_is_refused(void **state)
{
    char *argv[PM_ARGS_MAX + 3];
    char run[] = "run", h[] = "-h", w[] = "w";
    struct pm_args args;
    (void)state;
    argv[0] = run;
    for (int i = 1; i < PM_ARGS_MAX + 2; i++) {
        argv[i] = h;
    }
    assert_int_equal(pm_args_parse(&args, table, false, 0, PM_ARGS_MAX + 2, argv, NULL), PM_EUSAGE);
    assert_int_equal(pm_args_parse(&args, table, false, 0, PM_ARGS_MAX + 1, argv, NULL), PM_OK);
    for (int i = 1; i < PM_ARGS_MAX + 2; i++) {
        argv[i] = w;
    }
    assert_int_equal(
        pm_args_parse(&args, table, false, 1000, PM_ARGS_MAX + 2, argv, NULL), PM_EUSAGE);
}

static void help_lines_name_letter_value_and_text(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    (void)state;
    pm_args_print(table, file);
    fclose(file);
    assert_non_null(strstr(text, "  --input_dir DIR "));
    assert_non_null(strstr(text, "  -h, --help "));
    assert_non_null(strstr(text, "where from\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_spellings_of_an_option_are_alike),
        cmocka_unit_test(values_may_look_like_anything_but_an_option),
        cmocka_unit_test(words_and_switches_mix),
        cmocka_unit_test(settings_are_options_too),
        cmocka_unit_test(wrong_lines_are_told),
        cmocka_unit_test(too_many_of_anything_is_refused),
        cmocka_unit_test(help_lines_name_letter_value_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
