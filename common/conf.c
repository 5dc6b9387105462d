#include "common/conf.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/conf_path.h"
#include "common/conf_source.h"
#include "common/conf_table.h"
#include "common/conf_value.h"
#include "common/suggest.h"

enum pm_code pm_conf_new(struct pm_conf **out, struct pm_err *err)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    struct pm_conf *conf = calloc(1, sizeof *conf);
    enum pm_code rc;

    if (conf == NULL) {
        return pm_err_set(err, PM_ENOMEM, "settings: out of memory");
    }
    atomic_init(&conf->refs, 1);
    rc = pm_option_defaults(table, count, conf, err);
    if (rc != PM_OK) {
        pm_conf_unref(conf);
        return rc;
    }
    *out = conf;
    return PM_OK;
}

struct pm_conf *pm_conf_ref(struct pm_conf *conf)
{
    atomic_fetch_add(&conf->refs, 1);
    return conf;
}

void pm_conf_unref(struct pm_conf *conf)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    if (conf == NULL || atomic_fetch_sub(&conf->refs, 1) > 1) {
        return;
    }
    pm_conf_clear_sources(conf);
    pm_option_clear(table, count, conf);
    pm_option_forget(conf->where, count);
    free(conf->file);
    free(conf);
}

/* "align.max-shift" and "max_shift" both find [align] max_shift; the old script's names too. */
static int find_row(const char *key)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    char plain[64];
    char *dot = NULL;
    const char *name = plain, *section = NULL;

    if (strlen(key) >= sizeof plain) {
        return -1;
    }
    strcpy(plain, key);
    for (char *c = plain; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    dot = strchr(plain, '.');
    if (dot != NULL) {
        *dot = '\0';
        section = plain;
        name = dot + 1;
    }
    for (size_t i = 0; section == NULL && i < count; i++) {
        if (table[i].alias != NULL && strcmp(table[i].alias, name) == 0) {
            return (int)i;
        }
    }
    return pm_option_find(table, count, section, name);
}

bool pm_conf_is_option(const char *key, bool *takes_value)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    int row = find_row(key);
    if (row >= 0) {
        *takes_value = table[row].type != PM_OPTION_BOOL;
    }
    return row >= 0;
}

void pm_conf_suggest(struct pm_suggest *suggest)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    pm_option_suggest(table, count, NULL, suggest);
}

enum pm_code pm_conf_set(
    struct pm_conf *conf, const char *key, const char *value, const char *where, struct pm_err *err)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    int row = find_row(key);
    if (row < 0) {
        struct pm_suggest suggest;
        pm_suggest_init(&suggest, key);
        pm_conf_suggest(&suggest);
        return pm_err_set(err, PM_ECONF, "%s: no option %s; did you mean %s? (--help lists all)",
            where, key, suggest.best != NULL ? suggest.best : "another");
    }
    return pm_option_set(table, count, row, conf, &conf->where, value, NULL, where, err);
}

/* Where the option of this name was set; NULL: it has its default. */
static const char *origin_of(const struct pm_conf *conf, const char *name)
{
    int row = find_row(name);
    return conf->where != NULL ? conf->where[row] : NULL;
}

static enum pm_code default_db(struct pm_conf *conf, struct pm_err *err)
{
    if (conf->db != NULL) {
        return PM_OK;
    }
    if (conf->source_count == 1 && conf->sources[0].output != NULL) {
        conf->db = pm_path_absolute(conf->sources[0].output, "pairmill.db");
        return conf->db != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "settings: out of memory");
    }
    return pm_err_set(err, PM_ECONF, "%s: no database is named; %s",
        conf->file != NULL ? conf->file : "command line",
        conf->file != NULL ? "add db = FILE to [pairmill]" : "add --db FILE");
}

/* The database's folder can be made or written to, and the database is no folder itself. */
static enum pm_code check_db(const struct pm_conf *conf, struct pm_err *err)
{
    struct stat st;
    const char *where = origin_of(conf, "db") != NULL ? origin_of(conf, "db") : "default";
    char *folder = strdup(conf->db);
    enum pm_code rc = PM_OK;

    if (folder == NULL) {
        return pm_err_set(err, PM_ENOMEM, "settings: out of memory");
    }
    *strrchr(folder, '/') = '\0';
    if (stat(conf->db, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = pm_err_set(
            err, PM_ECONF, "%s: db = \"%s\" is a folder; name a file in it", where, conf->db);
    } else {
        rc = pm_path_check_output(folder[0] != '\0' ? folder : "/", err);
        if (rc != PM_OK) {
            pm_err_wrap(err, "%s: db = \"%s\"", where, conf->db);
        }
    }
    free(folder);
    return rc;
}

static int cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online <= 1024 ? (int)online : 1;
}

/* What control group `path` ("/" is all of a container) may use; limit when that is less or
 * unknown.
 */
static int64_t group_limit(const char *path, int64_t limit)
{
    char file_name[4096 + 64];
    long long max = 0;
    FILE *file;

    snprintf(file_name, sizeof file_name, "/sys/fs/cgroup%s/memory.max", path);
    file = fopen(file_name, "re");
    if (file == NULL) {
        return limit;
    }
    if (fscanf(file, "%lld", &max) == 1 && max > 0 && max < limit) {
        limit = max;
    }
    fclose(file);
    return limit;
}

/* Half of the machine's memory, or of MemoryMax of the unit or container if that is less. */
static int64_t half_of_memory(void)
{
    struct sysinfo info = {0};
    char group[4096] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    int64_t bytes;

    sysinfo(&info);
    bytes = group_limit("/", (int64_t)info.totalram * (int64_t)info.mem_unit);
    if (file != NULL) {
        if (fscanf(file, "0::%4095[^\n]", group) == 1) {
            bytes = group_limit(group, bytes);
        }
        fclose(file);
    }
    return bytes / 2;
}

void pm_conf_fill(struct pm_conf *conf)
{
    if (conf->workers == 0) {
        conf->workers = cores();
    }
    if (conf->memory_max == 0) {
        conf->memory_max = half_of_memory();
    }
    if (conf->cache_bytes > conf->memory_max / 2) {
        conf->cache_bytes = conf->memory_max / 2;
    }
}

/* The default gives way to a smaller crop_size, and keeps their ratio. */
static enum pm_code check_stride(struct pm_conf *conf, struct pm_err *err)
{
    const char *stride = origin_of(conf, "crop_stride");

    if (conf->crop_stride <= conf->crop_size) {
        return PM_OK;
    }
    if (stride == NULL) {
        conf->crop_stride = conf->crop_size > 1 ? conf->crop_size * 3 / 4 : 1;
        return PM_OK;
    }
    return pm_err_set(err, PM_ECONF,
        "%s: crop_stride = %d is larger than crop_size = %d and would leave gaps; use %d or less",
        stride, conf->crop_stride, conf->crop_size, conf->crop_size);
}

enum pm_code pm_conf_check(struct pm_conf *conf, bool need_sources, struct pm_err *err)
{
    enum pm_code rc = check_stride(conf, err);

    if (rc != PM_OK) {
        return rc;
    }
    if (need_sources && conf->source_count == 0) {
        return pm_err_set(err, PM_ECONF,
            "%s: there is nothing to do; add a section [source NAME] with input = FOLDER and "
            "output = FOLDER",
            conf->file != NULL ? conf->file : "command line");
    }
    if (need_sources) {
        rc = pm_source_check_all(conf, err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    rc = default_db(conf, err);
    if (rc == PM_OK && need_sources) {
        rc = check_db(conf, err);
    }
    if (rc == PM_OK) {
        pm_conf_fill(conf);
    }
    return rc;
}
