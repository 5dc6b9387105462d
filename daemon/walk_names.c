#include "daemon/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/formats/reader.h"

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

bool pm_walk_hidden(const char *name)
{
    static const char *const unfinished[] = {
        "~", ".part", ".partial", ".tmp", ".crdownload", ".filepart"};
    if (name[0] == '.') {
        return true;
    }
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++) {
        if (ends_with(name, unfinished[i])) {
            return true;
        }
    }
    return false;
}

enum pm_name_kind pm_walk_name(const char *name)
{
    if (pm_walk_hidden(name)) {
        return PM_NAME_HIDDEN;
    }
    return pm_format_known(name) ? PM_NAME_IMAGE : PM_NAME_OTHER;
}

bool pm_walk_inside(const char *path, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(list[i]);
        if (strncmp(path, list[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return true;
        }
    }
    return false;
}

struct pm_stamp pm_walk_stamp(const struct stat *st)
{
    return (struct pm_stamp){
        .size = (int64_t)st->st_size,
        .mtime_ns = pm_timespec_ns(&st->st_mtim),
        .inode = (int64_t)st->st_ino,
    };
}

char *pm_walk_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t size = n + strlen(b) + 2;
    bool slash = n > 0 && b[0] != '\0' && a[n - 1] != '/';
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s", a, slash ? "/" : "", b);
    }
    return path;
}
