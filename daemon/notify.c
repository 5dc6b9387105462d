#include "daemon/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <systemd/sd-daemon.h>

#include "common/clock.h"

/* The variables stay set: a reload, a status and the watchdog need them as long as we run. */
#define KEEP 0

bool pm_notify_enabled(void)
{
    const char *socket = getenv("NOTIFY_SOCKET");
    return socket != NULL && socket[0] != '\0';
}

void pm_notify_ready(void)
{
    (void)sd_notify(KEEP, "READY=1");
}

void pm_notify_extend(void)
{
    (void)sd_notifyf(KEEP, "EXTEND_TIMEOUT_USEC=%d", PM_NOTIFY_EXTEND_US);
}

void pm_notify_stopping(void)
{
    (void)sd_notify(KEEP, "STOPPING=1");
}

void pm_notify_reloading(void)
{
    /* systemd 253 and later refuse a reload without the time; 252 ignores it. */
    (void)sd_notifyf(KEEP, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, pm_mono_us(pm_clock_real()));
}

void pm_notify_watchdog(void)
{
    (void)sd_notify(KEEP, "WATCHDOG=1");
}

void pm_notify_status(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            *c = ' '; /* a line break would begin another assignment */
        }
    }
    (void)sd_notifyf(KEEP, "STATUS=%s", text);
}

int64_t pm_notify_watchdog_us(void)
{
    uint64_t us = 0;
    if (sd_watchdog_enabled(KEEP, &us) <= 0 || us > INT64_MAX) {
        return 0;
    }
    return (int64_t)us;
}
