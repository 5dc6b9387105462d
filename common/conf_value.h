/*
 * conf_value: one option's value, from text and to text; for the conf*.c files only.
 * Owns: nothing. Threads: as the struct it writes to.
 * Memory: a path is allocated into the struct, which owns it.
 * Errors: PM_ECONF (the message says what to write instead, not where it was written), PM_ENOMEM.
 */
#ifndef PM_COMMON_CONF_VALUE_H
#define PM_COMMON_CONF_VALUE_H

#include <stddef.h>
#include <stdio.h>

#include "common/conf_table.h"
#include "common/err.h"

/* Sets the option in base (struct pm_conf or pm_source_conf). dir: what a relative path starts
 * from; NULL: the current folder. base is untouched on error. */
enum pm_code pm_option_parse(const struct pm_option *option, void *base, const char *value,
    const char *dir, struct pm_err *err);
/* As pm_option_parse for table[row], and notes in *where (made when NULL, count + 1 entries) that
 * it was set at origin, which also begins the message of an error. */
enum pm_code pm_option_set(const struct pm_option *table, size_t count, int row, void *base,
    char ***where, const char *value, const char *dir, const char *origin, struct pm_err *err);
/* Notes origin only; row count stands for the whole. */
enum pm_code pm_option_note(
    char ***where, size_t count, size_t row, const char *origin, struct pm_err *err);
void pm_option_forget(char **where, size_t count); /* frees the notes; NULL is fine */
/* Frees the strings of base. */
void pm_option_clear(const struct pm_option *table, size_t count, void *base);
/* Sets every option to its default. */
enum pm_code pm_option_defaults(
    const struct pm_option *table, size_t count, void *base, struct pm_err *err);
/* Writes the value as pm_option_parse reads it; a path that is not set is empty. */
void pm_option_print(const struct pm_option *option, const void *base, FILE *to);
/* The same for all but paths, into a buffer. */
void pm_option_format(const struct pm_option *option, const void *base, char *text, size_t size);
/* What may be written, as in "0 to 4096 px" or "auto, fft or gpu". */
void pm_option_range(const struct pm_option *option, char *text, size_t size);

#endif
