/*
 * ctlproto: the lines of the control socket (control.h says what they mean), read and written.
 * Owns: nothing. Threads: any; no shared state.
 * Memory: fixed buffers in the record; a value that does not fit is an error.
 * Errors: PM_EUSAGE for a line that is not a request, PM_ENAME for a value that does not fit.
 */
#ifndef PM_DAEMON_CTLPROTO_H
#define PM_DAEMON_CTLPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PM_CTL_VALUE 4096

enum pm_ctl_verb { PM_CTL_PAUSE, PM_CTL_RESUME, PM_CTL_RETRY, PM_CTL_RESCAN, PM_CTL_STATUS };

struct pm_ctl_request {
    enum pm_ctl_verb verb;
    char source[PM_CTL_VALUE]; /* pause, resume; "": all */
    char scene[PM_CTL_VALUE];  /* retry; "": any */
    int64_t id;                /* retry; 0: any */
    bool failed, quarantined, missing, stale, done;
};

/* line has no line end; bytes, perhaps hostile ones. */
enum pm_code pm_ctl_parse(const char *line, struct pm_ctl_request *request, struct pm_err *err);
enum pm_code pm_ctl_format(
    const struct pm_ctl_request *request, char *line, size_t size, struct pm_err *err);

/* "error CODE text" for err; what the tool's half turns into err again. */
void pm_ctl_format_error(const struct pm_err *err, char *line, size_t size);
/* PM_OK for "ok...", the code of an "error" line (message in err), PM_EIO for anything else. */
enum pm_code pm_ctl_parse_reply(const char *line, struct pm_err *err);

#endif
