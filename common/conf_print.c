/* Settings as text: the effective ones, the sample file, --help lines and the recipe. */
#include "common/conf.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "common/conf_table.h"
#include "common/conf_value.h"
#include "common/hash.h"

static void print_section(const char **last, const char *section, FILE *to)
{
    if (*last == NULL || strcmp(*last, section) != 0) {
        fprintf(to, "[%s]\n", section);
        *last = section;
    }
}

/* What the unit's ProtectSystem=strict makes necessary, ready to be copied. */
static void print_drop_in(const struct pm_conf *conf, FILE *to)
{
    if (conf->source_count > 0) {
        fputs("\n# for systemctl edit pairmilld:\n# [Service]\n", to);
    }
    for (int s = 0; s < conf->source_count; s++) {
        if (conf->sources[s].output != NULL) {
            fprintf(to, "# ReadWritePaths=\"%s\"\n", conf->sources[s].output);
        }
    }
}

void pm_conf_print(const struct pm_conf *conf, FILE *to)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    const char *last = NULL;
    for (size_t i = 0; i < count; i++) {
        print_section(&last, table[i].section, to);
        if (table[i].type == PM_OPTION_PATH && conf->db == NULL) {
            continue;
        }
        fprintf(to, "%s = ", table[i].name);
        pm_option_print(&table[i], conf, to);
        fputs(i + 1 < count && strcmp(table[i + 1].section, last) != 0 ? "\n\n" : "\n", to);
    }
    table = pm_source_table(&count);
    for (int s = 0; s < conf->source_count; s++) {
        fprintf(to, "\n[source %s]\n", conf->sources[s].name);
        for (size_t i = 0; i < count; i++) {
            fprintf(to, "%s = ", table[i].name);
            pm_option_print(&table[i], &conf->sources[s], to);
            fputc('\n', to);
        }
    }
    print_drop_in(conf, to);
}

/* Breaks text at blanks into lines of at most width columns, each beginning with lead. */
static void print_wrapped(const char *text, const char *lead, size_t width, FILE *to)
{
    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > width) {
            len = width;
            while (len > 0 && text[len] != ' ') {
                len--;
            }
        }
        fprintf(to, "%s%.*s\n", lead, (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
}

static void print_sample_option(const struct pm_option *option, FILE *to)
{
    char range[256];
    const char *mark = option->section != NULL ? "#" : "##";
    pm_option_range(option, range, sizeof range);
    print_wrapped(option->help, option->section != NULL ? "# " : "## ", 94, to);
    if (option->type != PM_OPTION_PATH) {
        fprintf(to, "%s %s; default %s\n", mark, range, option->def);
    }
}

static void print_sample_sources(FILE *to)
{
    size_t count = 0;
    const struct pm_option *table = pm_source_table(&count);
    fputs("## One section a drop folder; take the single # off to use it.\n#[source lab]\n", to);
    for (size_t i = 0; i < count; i++) {
        bool path = table[i].type == PM_OPTION_PATH;
        print_sample_option(&table[i], to);
        if (path) {
            fprintf(to, "#%s = /srv/pairmill/lab/%s\n", table[i].name, table[i].name);
        } else {
            fprintf(to, "#%s = %s\n", table[i].name, table[i].def);
        }
    }
}

void pm_conf_print_sample(FILE *to)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    const char *last = NULL;
    fputs("# pairmill.conf: settings of pairmilld, and of pairmill run --config FILE.\n"
          "# Every option is here with its unit and default; flags beat this file. Relative paths\n"
          "# start from the folder of this file. Comments take a line of their own.\n"
          "# After a change: pairmilld --config FILE --check-config, then systemctl reload "
          "pairmilld.\n\n",
        to);
    for (size_t i = 0; i < count; i++) {
        print_section(&last, table[i].section, to);
        print_sample_option(&table[i], to);
        if (table[i].type == PM_OPTION_PATH) {
            fprintf(to, "%s = /var/lib/pairmill/pairmill.db\n", table[i].name);
        } else {
            fprintf(to, "#%s = %s\n", table[i].name, table[i].def);
        }
        fputc('\n', to);
    }
    print_sample_sources(to);
}

static void print_help_option(const struct pm_option *option, FILE *to)
{
    const char *end = strstr(option->help, ". ");
    char range[256], help[512];

    pm_option_range(option, range, sizeof range);
    if (option->type == PM_OPTION_PATH) {
        fprintf(to, "  --%s FILE\n", option->name);
    } else {
        bool toggle = option->type == PM_OPTION_BOOL;
        fprintf(to, "  --%s%s%s  (%s; default %s)\n", toggle ? "[no_]" : "", option->name,
            toggle ? "" : " VALUE", range, option->def);
    }
    snprintf(help, sizeof help, "%.*s",
        end != NULL ? (int)(end - option->help) + 1 : (int)strlen(option->help), option->help);
    print_wrapped(help, "        ", 86, to);
}

void pm_conf_print_options(FILE *to)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    for (size_t i = 0; i < count; i++) {
        print_help_option(&table[i], to);
    }
}

/* Appends to json; a recipe that does not fit is a bug, since its size is bounded by the table. */
static void add(char *json, size_t size, size_t *used, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void add(char *json, size_t size, size_t *used, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(json + *used, size - *used, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < size - *used);
    *used += (size_t)n;
}

void pm_conf_recipe(const struct pm_conf *conf, char hex[17], char *json, size_t json_size)
{
    size_t count = 0, used = 0;
    const struct pm_option *table = pm_conf_table(&count);
    char text[1024];

    add(text, sizeof text, &used, "{");
    for (size_t i = 0; i < count; i++) {
        char value[64];
        if (!table[i].recipe) {
            continue;
        }
        pm_option_format(&table[i], conf, value, sizeof value);
        add(text, sizeof text, &used, "%s\"%s\":", used > 1 ? "," : "", table[i].name);
        if (table[i].type == PM_OPTION_BOOL) {
            add(text, sizeof text, &used, "%s", strcmp(value, "yes") == 0 ? "true" : "false");
        } else if (table[i].type == PM_OPTION_CHOICE) {
            add(text, sizeof text, &used, "\"%s\"", value);
        } else {
            add(text, sizeof text, &used, "%s", value);
        }
    }
    add(text, sizeof text, &used, "}");
    pm_hash_bytes(text, used, hex);
    if (json != NULL) {
        assert(used < json_size);
        memcpy(json, text, used + 1);
    }
}
