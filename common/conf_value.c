#include "common/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf_path.h"
#include "common/suggest.h"

/* offsetof() made it; the cast goes through void so that alignment is the table's business. */
static void *field(const struct pm_option *option, void *base)
{
    return (char *)base + option->offset;
}

static const void *const_field(const struct pm_option *option, const void *base)
{
    return (const char *)base + option->offset;
}

static enum pm_code refuse(
    const struct pm_option *option, const char *value, const char *what, struct pm_err *err)
{
    char range[256];
    pm_option_range(option, range, sizeof range);
    return pm_err_set(err, PM_ECONF, "%s = \"%s\" %s; use %s", option->name, value, what, range);
}

static enum pm_code parse_bool(
    const struct pm_option *option, bool *out, const char *value, struct pm_err *err)
{
    static const char *const words[2][4] = {
        {"no", "false", "off", "0"}, {"yes", "true", "on", "1"}};
    for (int truth = 0; truth < 2; truth++) {
        for (int i = 0; i < 4; i++) {
            if (strcasecmp(value, words[truth][i]) == 0) {
                *out = truth;
                return PM_OK;
            }
        }
    }
    return refuse(option, value, "is neither yes nor no", err);
}

static enum pm_code parse_int(
    const struct pm_option *option, int *out, const char *value, struct pm_err *err)
{
    char *end = NULL;
    long number;
    errno = 0;
    number = strtol(value, &end, 10);
    if (end == value || *end != '\0') {
        return refuse(option, value, "is not a whole number", err);
    }
    if (errno != 0 || (double)number < option->min || (double)number > option->max) {
        return refuse(option, value, "is out of range", err);
    }
    *out = (int)number;
    return PM_OK;
}

static enum pm_code parse_real(
    const struct pm_option *option, double *out, const char *value, struct pm_err *err)
{
    char *end = NULL;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(number)) {
        return refuse(option, value, "is not a number", err);
    }
    if (number < option->min || number > option->max) {
        return refuse(option, value, "is out of range", err);
    }
    *out = number;
    return PM_OK;
}

static double unit_of(const struct pm_option *option)
{
    return option->type == PM_OPTION_SIZE ? 1024 : 1000;
}

/* "1.5G": a number and one of K M G T, the next a thousand (or 1024) times the last. */
static enum pm_code parse_amount(
    const struct pm_option *option, int64_t *out, const char *value, struct pm_err *err)
{
    static const char letters[] = "KMGT";
    char *end = NULL;
    double number = strtod(value, &end);
    const char *letter = NULL;

    if (end == value || !isfinite(number)) {
        return refuse(option, value, "is not a number", err);
    }
    if (*end != '\0') {
        /* In upper case; a blank becomes 0, which strchr() finds too. */
        letter = strchr(letters, *end & ~0x20);
        if (letter == NULL || *letter == '\0' || end[1] != '\0') {
            return refuse(option, value, "is not a number with K, M, G or T", err);
        }
        number *= pow(unit_of(option), (double)(letter - letters + 1));
    }
    if (number < option->min || number > option->max) {
        return refuse(option, value, "is out of range", err);
    }
    *out = (int64_t)number;
    return PM_OK;
}

static enum pm_code parse_choice(
    const struct pm_option *option, int *out, const char *value, struct pm_err *err)
{
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, value);
    for (const struct pm_choice *c = option->choices; c->name != NULL; c++) {
        if (strcmp(value, c->name) == 0) {
            if (c->refuse != NULL) {
                return refuse(option, value, c->refuse, err);
            }
            *out = c->value;
            return PM_OK;
        }
        if (c->refuse == NULL) {
            pm_suggest_offer(&suggest, c->name);
        }
    }
    if (suggest.best != NULL) {
        char what[128];
        snprintf(what, sizeof what, "is unknown, did you mean \"%s\"?", suggest.best);
        return refuse(option, value, what, err);
    }
    return refuse(option, value, "is unknown", err);
}

static enum pm_code parse_path(const struct pm_option *option, char **out, const char *value,
    const char *dir, struct pm_err *err)
{
    char *path = NULL;
    if (value[0] == '\0') {
        return pm_err_set(err, PM_ECONF, "%s is empty; give a path", option->name);
    }
    path = pm_path_absolute(dir, value);
    if (path == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: out of memory", option->name);
    }
    free(*out);
    *out = path;
    return PM_OK;
}

enum pm_code pm_option_parse(const struct pm_option *option, void *base, const char *value,
    const char *dir, struct pm_err *err)
{
    void *out = field(option, base);
    switch (option->type) {
    case PM_OPTION_BOOL:
        return parse_bool(option, out, value, err);
    case PM_OPTION_INT:
        return parse_int(option, out, value, err);
    case PM_OPTION_REAL:
        return parse_real(option, out, value, err);
    case PM_OPTION_SIZE:
    case PM_OPTION_COUNT:
        return parse_amount(option, out, value, err);
    case PM_OPTION_CHOICE:
        return parse_choice(option, out, value, err);
    case PM_OPTION_PATH:
        break;
    }
    return parse_path(option, out, value, dir, err);
}

enum pm_code pm_option_note(
    char ***where, size_t count, size_t row, const char *origin, struct pm_err *err)
{
    char *copy = NULL;
    if (*where == NULL) {
        *where = calloc(count + 1, sizeof **where);
    }
    copy = *where != NULL ? strdup(origin) : NULL;
    if (copy == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: out of memory", origin);
    }
    free((*where)[row]);
    (*where)[row] = copy;
    return PM_OK;
}

void pm_option_forget(char **where, size_t count)
{
    for (size_t i = 0; where != NULL && i <= count; i++) {
        free(where[i]);
    }
    free(where);
}

enum pm_code pm_option_set(const struct pm_option *table, size_t count, int row, void *base,
    char ***where, const char *value, const char *dir, const char *origin, struct pm_err *err)
{
    enum pm_code rc = pm_option_parse(&table[row], base, value, dir, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s", origin);
        return rc;
    }
    return pm_option_note(where, count, (size_t)row, origin, err);
}

void pm_option_clear(const struct pm_option *table, size_t count, void *base)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].type == PM_OPTION_PATH) {
            char **path = field(&table[i], base);
            free(*path);
            *path = NULL;
        }
    }
}

enum pm_code pm_option_defaults(
    const struct pm_option *table, size_t count, void *base, struct pm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        enum pm_code rc = PM_OK;
        if (table[i].type != PM_OPTION_PATH || table[i].def[0] != '\0') {
            rc = pm_option_parse(&table[i], base, table[i].def, NULL, err);
        }
        if (rc != PM_OK) {
            return rc;
        }
    }
    return PM_OK;
}

/* The shortest decimal text that reads back as the same number, so that recipes are canonical. */
static void format_real(double number, char *text, size_t size)
{
    if (fabs(number) < 1e15 && !(floor(number) < number)) {
        snprintf(text, size, "%.0f", number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, number);
        if (!(strtod(text, NULL) < number) && !(strtod(text, NULL) > number)) {
            return;
        }
    }
}

static void format_amount(int64_t amount, int64_t unit, char *text, size_t size)
{
    static const char letters[] = "\0KMGT";
    int i = 0;
    while (amount != 0 && amount % unit == 0 && i < 4) {
        amount /= unit;
        i++;
    }
    snprintf(text, size, "%" PRId64 "%.1s", amount, &letters[i]);
}

static const char *choice_name(const struct pm_option *option, int value)
{
    const struct pm_choice *c = option->choices;
    while (c->name != NULL && (c->refuse != NULL || c->value != value)) {
        c++;
    }
    return c->name != NULL ? c->name : "?";
}

void pm_option_format(const struct pm_option *option, const void *base, char *text, size_t size)
{
    const void *in = const_field(option, base);
    switch (option->type) {
    case PM_OPTION_BOOL:
        snprintf(text, size, "%s", *(const bool *)in ? "yes" : "no");
        break;
    case PM_OPTION_INT:
        snprintf(text, size, "%d", *(const int *)in);
        break;
    case PM_OPTION_REAL:
        format_real(*(const double *)in, text, size);
        break;
    case PM_OPTION_SIZE:
    case PM_OPTION_COUNT:
        format_amount(*(const int64_t *)in, (int64_t)unit_of(option), text, size);
        break;
    case PM_OPTION_CHOICE:
        snprintf(text, size, "%s", choice_name(option, *(const int *)in));
        break;
    case PM_OPTION_PATH:
        snprintf(text, size, "%s", "");
        break;
    }
}

/* A blank at the end would be taken off when this is read; before a slash it stays. */
static void print_path(const char *path, FILE *to)
{
    size_t len = strlen(path);

    fputs(path, to);
    if (len > 0 && isspace((unsigned char)path[len - 1])) {
        fputc('/', to);
    }
}

void pm_option_print(const struct pm_option *option, const void *base, FILE *to)
{
    char text[64];
    if (option->type == PM_OPTION_PATH) {
        const char *path = *(char *const *)const_field(option, base);
        print_path(path != NULL ? path : "", to);
        return;
    }
    pm_option_format(option, base, text, sizeof text);
    fputs(text, to);
}

static void choice_range(const struct pm_option *option, char *text, size_t size)
{
    size_t used = 0, left = 0;
    for (const struct pm_choice *c = option->choices; c->name != NULL; c++) {
        left += c->refuse == NULL;
    }
    text[0] = '\0';
    for (const struct pm_choice *c = option->choices; c->name != NULL; c++) {
        if (c->refuse == NULL && used < size) {
            const char *after = left > 2 ? ", " : left == 2 ? " or " : "";
            used += (size_t)snprintf(text + used, size - used, "%s%s", c->name, after);
            left--;
        }
    }
}

void pm_option_range(const struct pm_option *option, char *text, size_t size)
{
    char min[32], max[32];
    const char *unit = option->unit != NULL ? option->unit : "";
    const char *gap = option->unit != NULL ? " " : "";
    switch (option->type) {
    case PM_OPTION_BOOL:
        snprintf(text, size, "yes or no");
        break;
    case PM_OPTION_SIZE:
    case PM_OPTION_COUNT:
        format_amount((int64_t)option->min, (int64_t)unit_of(option), min, sizeof min);
        snprintf(text, size, "%s or more %s; K, M, G and T are powers of %g", min, unit,
            unit_of(option));
        break;
    case PM_OPTION_CHOICE:
        choice_range(option, text, size);
        break;
    case PM_OPTION_PATH:
        snprintf(text, size, "a path");
        break;
    case PM_OPTION_INT:
    case PM_OPTION_REAL:
        format_real(option->min, min, sizeof min);
        format_real(option->max, max, sizeof max);
        snprintf(text, size, "%s to %s%s%s", min, max, gap, unit);
        break;
    }
}
