#include "common/conf_source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_path.h"
#include "common/conf_table.h"
#include "common/conf_value.h"

static enum pm_code no_memory(struct pm_err *err)
{
    return pm_err_set(err, PM_ENOMEM, "settings: out of memory");
}

static void source_clear(struct pm_source_conf *source)
{
    size_t count = 0;
    const struct pm_option *table = pm_source_table(&count);
    pm_option_clear(table, count, source);
    pm_option_forget(source->where, count);
    free(source->name);
}

void pm_conf_clear_sources(struct pm_conf *conf)
{
    for (int i = 0; i < conf->source_count; i++) {
        source_clear(&conf->sources[i]);
    }
    free(conf->sources);
    conf->sources = NULL;
    conf->source_count = 0;
}

static const char *section_origin(const struct pm_source_conf *source)
{
    size_t count = 0;
    pm_source_table(&count);
    return source->where != NULL && source->where[count] != NULL ? source->where[count] : "source";
}

/* Where the option of this name was set; where the source was begun when it was not. */
static const char *origin_of(const struct pm_source_conf *source, const char *name)
{
    size_t count = 0;
    const struct pm_option *table = pm_source_table(&count);
    int row = pm_option_find(table, count, NULL, name);
    return source->where[row] != NULL ? source->where[row] : section_origin(source);
}

static enum pm_code check_name(
    const struct pm_conf *conf, const char *name, const char *origin, struct pm_err *err)
{
    if (name[0] == '\0') {
        return pm_err_set(err, PM_ECONF, "%s: a source needs a name, as in [source lab]", origin);
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return pm_err_set(
                err, PM_ECONF, "%s: control characters in the name of a source", origin);
        }
    }
    for (int i = 0; i < conf->source_count; i++) {
        if (strcmp(conf->sources[i].name, name) == 0) {
            return pm_err_set(err, PM_ECONF,
                "%s: [source %s] is there twice (first at %s); give each source its own name",
                origin, name, section_origin(&conf->sources[i]));
        }
    }
    return PM_OK;
}

enum pm_code pm_source_begin(struct pm_conf *conf, const char *name, const char *origin,
    struct pm_source_conf **out, struct pm_err *err)
{
    size_t count = 0;
    const struct pm_option *table = pm_source_table(&count);
    struct pm_source_conf source = {0};
    struct pm_source_conf *grown = NULL;
    enum pm_code rc = check_name(conf, name, origin, err);

    if (rc != PM_OK) {
        return rc;
    }
    source.name = strdup(name);
    if (source.name == NULL) {
        return no_memory(err);
    }
    rc = pm_option_note(&source.where, count, count, origin, err);
    if (rc == PM_OK) {
        rc = pm_option_defaults(table, count, &source, err);
    }
    if (rc == PM_OK) {
        grown = realloc(conf->sources, (size_t)(conf->source_count + 1) * sizeof *grown);
        rc = grown != NULL ? PM_OK : no_memory(err);
    }
    if (rc != PM_OK || grown == NULL) {
        source_clear(&source);
        return rc;
    }
    grown[conf->source_count] = source;
    conf->sources = grown;
    *out = &grown[conf->source_count++];
    return PM_OK;
}

enum pm_code pm_conf_add_source(struct pm_conf *conf, const char *name, const char *input,
    const char *output, struct pm_err *err)
{
    size_t count = 0;
    const struct pm_option *table = pm_source_table(&count);
    struct pm_source_conf *source = NULL;
    enum pm_code rc = pm_source_begin(conf, name, "command line", &source, err);

    if (rc != PM_OK || source == NULL) {
        return rc;
    }
    rc = pm_option_set(table, count, pm_option_find(table, count, NULL, "input"), source,
        &source->where, input, NULL, "--input_dir", err);
    if (rc == PM_OK) {
        rc = pm_option_set(table, count, pm_option_find(table, count, NULL, "output"), source,
            &source->where, output, NULL, "--output_dir", err);
    }
    if (rc == PM_OK) {
        rc = pm_path_check_input(source->input, err);
        if (rc != PM_OK) {
            pm_err_wrap(err, "--input_dir");
        }
    }
    if (rc != PM_OK) {
        source_clear(source);
        conf->source_count--;
    }
    return rc;
}

static enum pm_code check_one(const struct pm_source_conf *source, struct pm_err *err)
{
    enum pm_code rc;
    if (source->input == NULL || source->output == NULL) {
        const char *key = source->input == NULL ? "input" : "output";
        return pm_err_set(err, PM_ECONF, "%s: [source %s] has no %s; add %s = FOLDER",
            section_origin(source), source->name, key, key);
    }
    rc = pm_path_check_input(source->input, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s: input", origin_of(source, "input"));
        return rc;
    }
    rc = pm_path_check_output(source->output, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s: output", origin_of(source, "output"));
    }
    return rc;
}

/* An output around an input would feed results back as inputs, and bury originals in results. */
static enum pm_code check_two(
    const struct pm_source_conf *a, const struct pm_source_conf *b, struct pm_err *err)
{
    char *output = pm_path_real(a->output);
    char *other_input = pm_path_real(b->input);
    char *other_output = pm_path_real(b->output);
    enum pm_code rc = PM_OK;

    if (output == NULL || other_input == NULL || other_output == NULL) {
        rc = no_memory(err);
    } else if (pm_path_within(output, other_input)) {
        rc = pm_err_set(err, PM_ECONF,
            "%s: output = \"%s\" is or contains the input folder \"%s\"; name a folder beside it "
            "or in it",
            origin_of(a, "output"), a->output, b->input);
    } else if (a != b && strcmp(output, other_output) == 0) {
        rc = pm_err_set(err, PM_ECONF,
            "%s: output = \"%s\" is also the output of [source %s]; give each source its own",
            origin_of(a, "output"), a->output, b->name);
    }
    free(output);
    free(other_input);
    free(other_output);
    return rc;
}

enum pm_code pm_source_check_all(const struct pm_conf *conf, struct pm_err *err)
{
    for (int i = 0; i < conf->source_count; i++) {
        enum pm_code rc = check_one(&conf->sources[i], err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    /* The later source is the one to blame, so i runs on the outside. */
    for (int i = 0; i < conf->source_count; i++) {
        for (int j = 0; j < conf->source_count; j++) {
            enum pm_code rc = check_two(&conf->sources[i], &conf->sources[j], err);
            if (rc != PM_OK) {
                return rc;
            }
        }
    }
    return PM_OK;
}
