#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The one mutable file-scope datum of the house; prefixed is written before any thread starts. */
static struct {
    atomic_int level;
    int prefixed;
} settings = {PM_LOG_INFO, 0};

void pm_log_init(enum pm_log_level level, int prefixed)
{
    pm_log_set_level(level);
    settings.prefixed = prefixed;
}

void pm_log_set_level(enum pm_log_level level)
{
    atomic_store(&settings.level, (int)level);
}

void pm_log(enum pm_log_level level, const char *fmt, ...)
{
    /* sd-daemon(3): <3> error, <4> warning, <6> info, <7> debug. */
    static const char *const prefix[] = {"<3>", "<4>", "<6>", "<7>"};
    static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
    char line[2048];
    va_list ap;
    size_t used;

    if ((int)level > atomic_load_explicit(&settings.level, memory_order_relaxed)) {
        return;
    }
    used =
        (size_t)snprintf(line, sizeof line, "%s", settings.prefixed ? prefix[level] : word[level]);
    va_start(ap, fmt);
    vsnprintf(line + used, sizeof line - used - 1, fmt, ap);
    va_end(ap);
    used = strlen(line);
    for (size_t i = 0; i < used; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0) {
        return; /* nowhere left to say it */
    }
}
