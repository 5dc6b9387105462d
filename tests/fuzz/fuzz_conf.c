/* fuzz_conf: settings files. What is accepted must print as a file that reads as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "tests/fuzz/kit.h"

static char *printed(const struct pm_conf *conf)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    PM_FUZZ_CHECK(to != NULL);
    pm_conf_print(conf, to);
    fclose(to);
    return text;
}

static struct pm_conf *load(const char *path, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    PM_FUZZ_CHECK(pm_conf_new(&conf, err) == PM_OK);
    enum pm_code rc = pm_conf_load(conf, path, err);
    if (rc == PM_OK) {
        return conf;
    }
    PM_FUZZ_CHECK(rc == PM_ECONF && err->code == rc);
    PM_FUZZ_CHECK(strncmp(err->text, path, strlen(path)) == 0);
    PM_FUZZ_CHECK(strchr(err->text, '\n') == NULL);
    pm_fuzz_saw(err->text);
    pm_conf_unref(conf);
    return NULL;
}

/* Whether pm_conf_check() would let it through as far as texts go: only then is it ever printed. */
static bool complete(const struct pm_conf *conf)
{
    bool all = conf->db != NULL;
    for (int i = 0; i < conf->source_count; i++) {
        all = all && conf->sources[i].input != NULL && conf->sources[i].output != NULL;
    }
    return all;
}

static void check_print(const struct pm_conf *conf)
{
    struct pm_err err = {.code = PM_OK};
    char *first = printed(conf);
    struct pm_conf *again = load(pm_fuzz_file((const uint8_t *)first, strlen(first)), &err);
    PM_FUZZ_CHECK(again != NULL);
    char *second = printed(again);
    PM_FUZZ_CHECK(strcmp(first, second) == 0);
    free(second);
    free(first);
    pm_conf_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pm_err err = {.code = PM_OK};
    pm_fuzz_begin();
    struct pm_conf *conf = load(pm_fuzz_file(data, size), &err);
    if (conf != NULL) {
        char hex[17], json[4096];
        pm_conf_fill(conf);
        pm_conf_recipe(conf, hex, json, sizeof json);
        PM_FUZZ_CHECK(strlen(hex) == 16 && json[0] == '{' && json[strlen(json) - 1] == '}');
        if (complete(conf)) {
            check_print(conf);
        }
        pm_conf_unref(conf);
    }
    pm_fuzz_end();
    return 0;
}
