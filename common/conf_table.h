/*
 * conf_table: the option table itself, for the conf*.c files only.
 * Owns: constant tables. Threads: any. Memory: none allocated. Errors: none.
 */
#ifndef PM_COMMON_CONF_TABLE_H
#define PM_COMMON_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum pm_option_type {
    PM_OPTION_BOOL,   /* bool: yes/no/true/false/on/off/1/0 */
    PM_OPTION_INT,    /* int */
    PM_OPTION_REAL,   /* double */
    PM_OPTION_SIZE,   /* int64_t bytes, K M G T = powers of 1024 */
    PM_OPTION_COUNT,  /* int64_t things, K M G T = powers of 1000 */
    PM_OPTION_CHOICE, /* int or enum: one of choices */
    PM_OPTION_PATH    /* char *, absolute; NULL when not set */
};

struct pm_choice {
    const char *name; /* NULL ends a list */
    int value;
    const char *refuse; /* why it cannot be chosen here; NULL: it can */
};

struct pm_option {
    const char *section; /* NULL: an option of [source NAME], in struct pm_source_conf */
    const char *name;    /* unique over all sections */
    const char *alias;   /* what the old script called it; command line only */
    const char *help;    /* one or two sentences for the sample, the first for --help */
    const char *unit;    /* "px", "s", ...; NULL: none */
    const char *def;     /* default, as somebody would write it; "": not set */
    enum pm_option_type type;
    size_t offset; /* in struct pm_conf or struct pm_source_conf */
    double min, max;
    const struct pm_choice *choices;
    bool recipe; /* shapes a result: belongs to pm_conf_recipe() */
};

const struct pm_option *pm_conf_table(size_t *count);
const struct pm_option *pm_source_table(size_t *count);
/* Finds by name among count rows; section may be NULL (any). -1: none. */
int pm_option_find(
    const struct pm_option *table, size_t count, const char *section, const char *name);
/* Offers all names of a table to a search. */
struct pm_suggest;
void pm_option_suggest(
    const struct pm_option *table, size_t count, const char *section, struct pm_suggest *suggest);

#endif
