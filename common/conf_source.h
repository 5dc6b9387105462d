/*
 * conf_source: the list of sources inside struct pm_conf; for the conf*.c files only.
 * Owns: what it appends belongs to the pm_conf. Threads, memory: as conf.h.
 * Errors: PM_ECONF, with sys_errno set when the machine is wrong rather than the spelling.
 */
#ifndef PM_COMMON_CONF_SOURCE_H
#define PM_COMMON_CONF_SOURCE_H

#include "common/conf.h"

/* Appends a source with defaults and no folders. origin: "FILE:LINE" of its section, or a flag. */
enum pm_code pm_source_begin(struct pm_conf *conf, const char *name, const char *origin,
    struct pm_source_conf **out, struct pm_err *err);
/* Every source complete, its folders usable, no output equal to or around any input, no output
 * used twice. */
enum pm_code pm_source_check_all(const struct pm_conf *conf, struct pm_err *err);

#endif
