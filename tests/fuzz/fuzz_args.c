/* fuzz_args: command lines (words end with a zero byte), with the settings they set. */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "common/conf.h"
#include "tests/fuzz/kit.h"

#define WORDS_MAX 200

static const struct pm_arg table[] = {
    {"help", "h", NULL, "a switch with a letter"},
    {"db", NULL, "FILE", "an option with a value"},
    {"input_dir", NULL, "DIR", "the same"},
    {"overwrite", NULL, NULL, "a switch"},
    {NULL, NULL, NULL, NULL},
};

static void check_err(enum pm_code rc, const struct pm_err *err)
{
    PM_FUZZ_CHECK((rc == PM_EUSAGE || rc == PM_ECONF) && err->code == rc && err->text[0] != '\0');
    pm_fuzz_saw(err->text);
}

static void set_all(const struct pm_args *args)
{
    struct pm_conf *conf = NULL;
    struct pm_err err = {.code = PM_OK};
    PM_FUZZ_CHECK(pm_conf_new(&conf, &err) == PM_OK);
    for (size_t i = 0; i < args->given_count; i++) {
        const struct pm_args_given *given = &args->given[i];
        PM_FUZZ_CHECK(given->value != NULL);
        if (given->arg != NULL) {
            continue;
        }
        bool takes_value;
        PM_FUZZ_CHECK(pm_conf_is_option(given->key, &takes_value));
        enum pm_code rc = pm_conf_set(conf, given->key, given->value, "--x", &err);
        if (rc != PM_OK) {
            check_err(rc, &err);
        }
    }
    pm_conf_unref(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char program[] = "pairmill";
    char *argv[WORDS_MAX + 2] = {program};
    char *text = malloc(size + 1);
    int argc = 1;
    struct pm_args args;
    struct pm_err err = {.code = PM_OK};

    pm_fuzz_begin();
    PM_FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at < size && argc <= WORDS_MAX; at += strlen(text + at) + 1) {
        argv[argc++] = text + at;
    }
    enum pm_code rc = pm_args_parse(&args, table, true, 3, argc, argv, &err);
    if (rc != PM_OK) {
        check_err(rc, &err);
    } else {
        PM_FUZZ_CHECK(args.word_count <= 3 && args.given_count <= PM_ARGS_MAX);
        PM_FUZZ_CHECK(pm_args_has(&args, "db") == (pm_args_get(&args, "db") != NULL));
        set_all(&args);
    }
    free(text);
    pm_fuzz_end();
    return 0;
}
