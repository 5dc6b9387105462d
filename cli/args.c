#include "cli/args.h"

#include <string.h>

#include "common/conf.h"
#include "common/suggest.h"

/* --key=value or --key value, while it is being read. */
struct option {
    char key[48];
    const char *value; /* after '='; NULL: none */
};

static const struct pm_arg *find(const struct pm_arg *table, const char *key)
{
    for (; table->name != NULL; table++) {
        if (strcmp(table->name, key) == 0) {
            return table;
        }
    }
    return NULL;
}

static enum pm_code split(const char *word, struct option *option, struct pm_err *err)
{
    const char *end = strchr(word, '=');
    size_t len = end != NULL ? (size_t)(end - word) : strlen(word);
    if (len >= sizeof option->key) {
        return pm_err_set(err, PM_EUSAGE, "unknown option --%.60s...; --help lists all", word);
    }
    memcpy(option->key, word, len);
    option->key[len] = '\0';
    for (char *c = option->key; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    option->value = end != NULL ? end + 1 : NULL;
    return PM_OK;
}

static enum pm_code unknown(
    const struct pm_arg *table, bool settings, const char *key, struct pm_err *err)
{
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, key);
    for (; table->name != NULL; table++) {
        pm_suggest_offer(&suggest, table->name);
    }
    if (settings) {
        pm_conf_suggest(&suggest);
    }
    if (suggest.best != NULL) {
        return pm_err_set(
            err, PM_EUSAGE, "unknown option --%s; did you mean --%s?", key, suggest.best);
    }
    return pm_err_set(err, PM_EUSAGE, "unknown option --%s; --help lists all", key);
}

/* The value an option needs: after '=', or the next word unless that is an option itself. */
static enum pm_code take_value(
    struct option *option, int argc, char **argv, int *i, struct pm_err *err)
{
    if (option->value != NULL) {
        return PM_OK;
    }
    if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0) {
        return pm_err_set(
            err, PM_EUSAGE, "--%s needs a value, as in --%s=VALUE", option->key, option->key);
    }
    option->value = argv[++*i];
    return PM_OK;
}

static enum pm_code keep(struct pm_args *args, const struct pm_arg *arg, const char *key,
    const char *value, struct pm_err *err)
{
    struct pm_args_given *given = &args->given[args->given_count];
    if (args->given_count == PM_ARGS_MAX) {
        return pm_err_set(err, PM_EUSAGE, "more than %d options; use --config FILE", PM_ARGS_MAX);
    }
    *given = (struct pm_args_given){.arg = arg, .value = value};
    memcpy(given->key, key, strlen(key) + 1);
    args->given_count++;
    return PM_OK;
}

/* Whether key is a setting, also as no_KEY for a switch; *value is what it means when none is
 * written. */
static bool is_setting(char *key, bool *takes_value, const char **value)
{
    *value = "yes";
    if (pm_conf_is_option(key, takes_value)) {
        return true;
    }
    if (strncmp(key, "no_", 3) == 0 && pm_conf_is_option(key + 3, takes_value) && !*takes_value) {
        memmove(key, key + 3, strlen(key + 3) + 1);
        *value = "no";
        return true;
    }
    return false;
}

static enum pm_code long_option(struct pm_args *args, const struct pm_arg *table, bool settings,
    int argc, char **argv, int *i, struct pm_err *err)
{
    struct option option = {.value = NULL};
    const struct pm_arg *arg = NULL;
    bool takes_value = false;
    const char *meant = "yes";
    enum pm_code rc = split(argv[*i] + 2, &option, err);

    if (rc != PM_OK) {
        return rc;
    }
    arg = find(table, option.key);
    if (arg != NULL) {
        takes_value = arg->value != NULL;
        if (!takes_value && option.value != NULL) {
            return pm_err_set(err, PM_EUSAGE, "--%s takes no value", option.key);
        }
    } else if (!settings || !is_setting(option.key, &takes_value, &meant)) {
        return unknown(table, settings, option.key, err);
    } else if (strcmp(meant, "no") == 0 && option.value != NULL) {
        return pm_err_set(err, PM_EUSAGE, "--no_%s takes no value", option.key);
    }
    if (takes_value) {
        rc = take_value(&option, argc, argv, i, err);
    } else if (option.value == NULL) {
        option.value = meant;
    }
    return rc == PM_OK ? keep(args, arg, option.key, option.value, err) : rc;
}

static enum pm_code short_option(
    struct pm_args *args, const struct pm_arg *table, const char *word, struct pm_err *err)
{
    for (; table->name != NULL; table++) {
        if (table->letter != NULL && strcmp(word + 1, table->letter) == 0) {
            return keep(args, table, table->name, "yes", err);
        }
    }
    return pm_err_set(err, PM_EUSAGE, "unknown option %s; --help lists all", word);
}

static enum pm_code word(
    struct pm_args *args, size_t words_max, const char *text, struct pm_err *err)
{
    if (args->word_count >= words_max || args->word_count == PM_ARGS_MAX) {
        return pm_err_set(err, PM_EUSAGE, "unexpected \"%s\"; --help shows the usage", text);
    }
    args->words[args->word_count++] = text;
    return PM_OK;
}

enum pm_code pm_args_parse(struct pm_args *args, const struct pm_arg *table, bool settings,
    size_t words_max, int argc, char **argv, struct pm_err *err)
{
    bool options = true;

    *args = (struct pm_args){0};
    for (int i = 1; i < argc; i++) {
        enum pm_code rc;
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            continue;
        }
        if (options && strncmp(argv[i], "--", 2) == 0) {
            rc = long_option(args, table, settings, argc, argv, &i, err);
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            rc = short_option(args, table, argv[i], err);
        } else {
            rc = word(args, words_max, argv[i], err);
        }
        if (rc != PM_OK) {
            return rc;
        }
    }
    return PM_OK;
}

const char *pm_args_get(const struct pm_args *args, const char *name)
{
    for (size_t i = args->given_count; i > 0; i--) {
        const struct pm_args_given *given = &args->given[i - 1];
        if (given->arg != NULL && strcmp(given->arg->name, name) == 0) {
            return given->value;
        }
    }
    return NULL;
}

bool pm_args_has(const struct pm_args *args, const char *name)
{
    return pm_args_get(args, name) != NULL;
}

void pm_args_print(const struct pm_arg *table, FILE *to)
{
    for (; table->name != NULL; table++) {
        char left[80];
        snprintf(left, sizeof left, "%s%s%s--%s%s%s", table->letter != NULL ? "-" : "",
            table->letter != NULL ? table->letter : "", table->letter != NULL ? ", " : "",
            table->name, table->value != NULL ? " " : "", table->value != NULL ? table->value : "");
        fprintf(to, "  %-28s %s\n", left, table->help);
    }
}
