/*
 * notify: tells systemd where the service stands; the only place that includes
 * systemd/sd-daemon.h. Owns: nothing; NOTIFY_SOCKET and WATCHDOG_USEC come from the environment.
 * Threads: loop thread; before READY=1 whichever starts the service.
 * Memory: none kept. Errors: none; without NOTIFY_SOCKET, or when systemd is gone, nothing happens.
 */
#ifndef PM_DAEMON_NOTIFY_H
#define PM_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether anybody listens. */
bool pm_notify_enabled(void);
void pm_notify_ready(void);
/* Starting takes longer than systemd may think: it waits for another PM_NOTIFY_EXTEND_US from now.
 */
#define PM_NOTIFY_EXTEND_US 120000000
void pm_notify_extend(void);
void pm_notify_stopping(void);
void pm_notify_reloading(void); /* READY=1 must follow */
void pm_notify_watchdog(void);
void pm_notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How long systemd waits for WATCHDOG=1 before it kills us, us; 0: it does not watch. */
int64_t pm_notify_watchdog_us(void);

#endif
