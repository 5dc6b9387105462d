/*
 * log_double: log lines, remembered instead of written. Holds definitions that take common/log.c's
 * place: include it in one test program's only file.
 * Owns: the last lines. Threads: any. Memory: static. Errors: lines beyond the room are lost.
 */
#ifndef PM_TESTS_LIB_LOG_DOUBLE_H
#define PM_TESTS_LIB_LOG_DOUBLE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

static struct {
    pthread_mutex_t lock;
    char lines[256][256];
    int count;
} logged = {.lock = PTHREAD_MUTEX_INITIALIZER};

void pm_log_init(enum pm_log_level level, int prefixed)
{
    (void)level;
    (void)prefixed;
}

void pm_log_set_level(enum pm_log_level level)
{
    (void)level;
}

void pm_log(enum pm_log_level level, const char *fmt, ...)
{
    va_list ap;
    pthread_mutex_lock(&logged.lock);
    if (logged.count < 256) {
        char *line = logged.lines[logged.count++];
        line[0] = "EWID"[level];
        va_start(ap, fmt);
        vsnprintf(line + 1, sizeof logged.lines[0] - 1, fmt, ap);
        va_end(ap);
    }
    pthread_mutex_unlock(&logged.lock);
}

static inline void log_double_forget(void)
{
    logged.count = 0;
}

/* Lines of this level ('E', 'W', 'I', 'D') that hold text. */
static inline int log_double_count(char level, const char *text)
{
    int count = 0;
    pthread_mutex_lock(&logged.lock);
    for (int i = 0; i < logged.count; i++) {
        count += logged.lines[i][0] == level && strstr(logged.lines[i], text) != NULL;
    }
    pthread_mutex_unlock(&logged.lock);
    return count;
}

#endif
