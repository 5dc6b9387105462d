/* pm_conf_load: the INI file. The only place that includes <ini.h>. */
#include "common/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_path.h"
#include "common/conf_source.h"
#include "common/conf_table.h"
#include "common/conf_value.h"
#include "common/suggest.h"

enum { LINE_BYTES = 8192 }; /* longest line: twice the longest path Linux takes */

struct load {
    struct pm_conf *conf;
    const char *path;
    FILE *file;
    char *folder; /* of the file; what relative paths start from */
    char *text;   /* the line being read; getline()'s */
    size_t text_size;
    int line;            /* its number */
    const char *section; /* constant text; NULL before the first */
    int source;          /* index of the source whose section this is; -1: another section */
    int *seen;      /* where this file set each option, and then each of the source; 0: not yet */
    int err_line;   /* where the first wrong line is; 0: none so far */
    int read_errno; /* why the last line read was not the file's last; 0: it was */
    struct pm_err err;
};

static enum pm_code wrong(struct load *load, enum pm_code code)
{
    load->err_line = load->line;
    return code;
}

static void origin(const struct load *load, char *text, size_t size)
{
    snprintf(text, size, "%s:%d", load->path, load->line);
}

/* The section of this name as the table has it; NULL: none. */
static const char *known_section(const char *name)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].section, name) == 0) {
            return table[i].section;
        }
    }
    return NULL;
}

static enum pm_code unknown_section(struct load *load, const char *name)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, name);
    for (size_t i = 0; i < count; i++) {
        pm_suggest_offer(&suggest, table[i].section);
    }
    if (suggest.best != NULL) {
        return pm_err_set(&load->err, PM_ECONF, "%s:%d: unknown section [%s]; did you mean [%s]?",
            load->path, load->line, name, suggest.best);
    }
    return pm_err_set(&load->err, PM_ECONF,
        "%s:%d: unknown section [%s]; there are [pairmill], [source NAME], [align], [mask], "
        "[crop], [cache], [gpu] and [log]",
        load->path, load->line, name);
}

static enum pm_code begin_source(struct load *load, const char *name)
{
    size_t conf_count = 0, source_count = 0;
    struct pm_source_conf *source = NULL;
    char where[4200];
    enum pm_code rc;

    pm_conf_table(&conf_count);
    pm_source_table(&source_count);
    origin(load, where, sizeof where);
    name += strspn(name, " \t");
    rc = pm_source_begin(load->conf, name, where, &source, &load->err);
    if (rc == PM_OK) {
        load->section = "source NAME";
        load->source = load->conf->source_count - 1;
        memset(load->seen + conf_count, 0, source_count * sizeof *load->seen);
    }
    return rc;
}

static enum pm_code begin_section(struct load *load, const char *name)
{
    if (strncmp(name, "source", 6) == 0 && (name[6] == '\0' || strchr(" \t", name[6]) != NULL)) {
        return begin_source(load, name + 6);
    }
    load->source = -1;
    load->section = known_section(name);
    if (load->section == NULL) {
        return unknown_section(load, name);
    }
    return PM_OK;
}

static enum pm_code unknown_key(struct load *load, const char *key)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    int elsewhere = pm_option_find(table, count, NULL, key);
    struct pm_suggest suggest;

    pm_suggest_init(&suggest, key);
    if (load->source >= 0) {
        table = pm_source_table(&count);
        pm_option_suggest(table, count, NULL, &suggest);
    } else {
        pm_option_suggest(table, count, load->section, &suggest);
    }
    if (elsewhere >= 0 && load->source < 0) {
        table = pm_conf_table(&count);
        return pm_err_set(&load->err, PM_ECONF, "%s:%d: %s is no key of [%s]; it belongs to [%s]",
            load->path, load->line, key, load->section, table[elsewhere].section);
    }
    if (suggest.best != NULL) {
        return pm_err_set(&load->err, PM_ECONF, "%s:%d: unknown key %s in [%s]; did you mean %s?",
            load->path, load->line, key, load->section, suggest.best);
    }
    return pm_err_set(&load->err, PM_ECONF,
        "%s:%d: unknown key %s in [%s]; the sample file lists every key", load->path, load->line,
        key, load->section);
}

static enum pm_code set_key(struct load *load, const char *key, const char *value)
{
    size_t conf_count = 0, count = 0;
    const struct pm_option *table = pm_conf_table(&conf_count);
    bool in_source = load->source >= 0;
    char where[4200];
    int row, *seen = load->seen;

    if (load->section == NULL) {
        return pm_err_set(&load->err, PM_ECONF, "%s:%d: %s stands before the first [section]",
            load->path, load->line, key);
    }
    count = conf_count;
    if (in_source) {
        table = pm_source_table(&count);
        seen += conf_count;
    }
    row = pm_option_find(table, count, in_source ? NULL : load->section, key);
    if (row < 0) {
        return unknown_key(load, key);
    }
    if (seen[row] != 0) {
        return pm_err_set(&load->err, PM_ECONF, "%s:%d: %s is set twice (first in line %d)",
            load->path, load->line, key, seen[row]);
    }
    seen[row] = load->line;
    origin(load, where, sizeof where);
    if (in_source) {
        struct pm_source_conf *source = &load->conf->sources[load->source];
        return pm_option_set(
            table, count, row, source, &source->where, value, load->folder, where, &load->err);
    }
    return pm_option_set(
        table, count, row, load->conf, &load->conf->where, value, load->folder, where, &load->err);
}

/* inih's view of a "key = value"; its idea of the section is cut at 49 bytes, ours is not. */
static int on_key(void *ctx, const char *section, const char *key, const char *value)
{
    struct load *load = ctx;
    (void)section;
    if (load->err_line == 0) {
        enum pm_code rc = set_key(load, key, value);
        if (rc != PM_OK) {
            wrong(load, rc);
        }
    }
    return load->err_line == 0;
}

static enum pm_code on_section(struct load *load, char *text)
{
    char *end = strchr(text, ']');
    if (end == NULL) {
        return PM_OK; /* inih says so */
    }
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(end - text - 1), text + 1);
    return begin_section(load, name);
}

/* Gives inih one line at a time, so that this side knows the line's number. Leading blanks go: inih
 * would take an indented key for the rest of the value above it. NULL ends the file. */
static char *next_line(char *out, int size, void *ctx)
{
    struct load *load = ctx;
    ssize_t len = load->err_line == 0 ? getline(&load->text, &load->text_size, load->file) : -1;
    static const char mark[] = "\xef\xbb\xbf"; /* before the first line, by some editors */
    const char *text = load->text;
    enum pm_code rc = PM_OK;

    if (len < 0) {
        /* Without memory getline() leaves no other trace, and the rest would be ignored. */
        load->read_errno = load->err_line == 0 && !feof(load->file) ? errno : 0;
        return NULL;
    }
    load->line++;
    if (load->line == 1 && strncmp(text, mark, sizeof mark - 1) == 0) {
        text += sizeof mark - 1;
    }
    text += strspn(text, " \t");
    if (memchr(load->text, '\0', (size_t)len) != NULL) {
        rc = pm_err_set(&load->err, PM_ECONF,
            "%s:%d: the line holds a NUL byte; save the file as plain text (UTF-8)", load->path,
            load->line);
    } else if (strlen(text) + 1 > (size_t)size) {
        rc = pm_err_set(&load->err, PM_ECONF, "%s:%d: the line is longer than %d bytes; shorten it",
            load->path, load->line, size - 1);
    } else {
        strcpy(out, text);
        rc = out[0] == '[' ? on_section(load, out) : PM_OK;
    }
    if (rc != PM_OK) {
        wrong(load, rc);
        return NULL;
    }
    return out;
}

static enum pm_code parse(struct load *load, struct pm_err *err)
{
    int bad_line;

    ini_max_line = LINE_BYTES; /* Debian's inih would cut lines, and so paths, at 200 bytes */
    bad_line = ini_parse_stream(next_line, load, on_key, load);
    if (bad_line < 0) {
        return pm_err_set(err, PM_ENOMEM, "%s: out of memory", load->path);
    }
    if (bad_line > 0 && (load->err_line == 0 || bad_line < load->err_line)) {
        return pm_err_set(err, PM_ECONF,
            "%s:%d: this is neither \"key = value\" nor [section] nor a comment (# or ;)",
            load->path, bad_line);
    }
    if (load->err_line != 0) {
        if (err != NULL) {
            *err = load->err;
        }
        return load->err.code;
    }
    if (load->read_errno != 0) {
        return pm_err_errno(err, load->read_errno, "%s", load->path);
    }
    return PM_OK;
}

/* The folder of an absolute path. */
static char *folder_of(const char *path)
{
    char *folder = pm_path_absolute(NULL, path);
    if (folder != NULL) {
        strrchr(folder, '/')[strrchr(folder, '/') == folder] = '\0';
    }
    return folder;
}

enum pm_code pm_conf_load(struct pm_conf *conf, const char *path, struct pm_err *err)
{
    struct load load = {.conf = conf, .path = path, .source = -1};
    size_t count = 0, source_count = 0;
    enum pm_code rc = PM_OK;
    char *file = strdup(path);

    pm_conf_table(&count);
    pm_source_table(&source_count);
    load.seen = calloc(count + source_count, sizeof *load.seen);
    load.folder = folder_of(path);
    if (file == NULL || load.seen == NULL || load.folder == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "%s: out of memory", path);
        goto out;
    }
    load.file = fopen(path, "re");
    if (load.file == NULL) {
        int sys_errno = errno;
        rc = pm_err_set(err, PM_ECONF,
            "%s: cannot read the settings: %s; name another file with --config", path,
            strerror(sys_errno));
        if (err != NULL) {
            err->sys_errno = sys_errno;
        }
        goto out;
    }
    free(conf->file);
    conf->file = file;
    file = NULL;
    rc = parse(&load, err);
out:
    if (load.file != NULL) {
        fclose(load.file);
    }
    free(load.text);
    free(load.seen);
    free(load.folder);
    free(file);
    return rc;
}
