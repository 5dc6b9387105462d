/*
 * args: a command line taken apart: long options (- and _ alike, --key=value or --key value), -h
 * -v, settings of conf.h as options, and the words that are left. Owns: the list of what was given;
 * the texts belong to argv. Threads: one. Memory: none allocated. Errors: PM_EUSAGE, naming the
 * option and what was meant.
 */
#ifndef PM_CLI_ARGS_H
#define PM_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/err.h"

/* One option of a command. */
struct pm_arg {
    const char *name;   /* with _ between words */
    const char *letter; /* "h" for -h; NULL: long only */
    const char *value;  /* what the help calls its value; NULL: a switch */
    const char *help;
};

#define PM_ARGS_MAX 64 /* options and words of one command line, each */

struct pm_args_given {
    const struct pm_arg *arg; /* NULL: a setting of conf.h */
    char key[48];             /* of a setting */
    const char *value;        /* "yes" or "no" for a switch */
};

struct pm_args {
    struct pm_args_given given[PM_ARGS_MAX];
    size_t given_count;
    const char *words[PM_ARGS_MAX]; /* what is no option */
    size_t word_count;
};

/* argv[0] is the command itself. table ends with a NULL name. settings: options of conf.h are taken
 * too (a switch among them also as --no_KEY). words_max: more words are an error. */
enum pm_code pm_args_parse(struct pm_args *args, const struct pm_arg *table, bool settings,
    size_t words_max, int argc, char **argv, struct pm_err *err);
/* The value given last for this option of the table; NULL: not given. */
const char *pm_args_get(const struct pm_args *args, const char *name);
bool pm_args_has(const struct pm_args *args, const char *name);
/* "  --name VALUE  help" lines. */
void pm_args_print(const struct pm_arg *table, FILE *to);

#endif
