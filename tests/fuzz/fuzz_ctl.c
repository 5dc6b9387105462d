/* fuzz_ctl: lines of the control socket, as the owner and as the tool read them. */
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/ctlproto.h"
#include "tests/fuzz/kit.h"

/* What is understood is written in a way that is understood as the same. */
static void check_request(const char *line)
{
    static struct pm_ctl_request request, again;
    static char written[4 * PM_CTL_VALUE];
    struct pm_err err = {.code = PM_OK};
    enum pm_code rc = pm_ctl_parse(line, &request, &err);

    if (rc != PM_OK) {
        char reply[PM_CONTROL_LINE];
        struct pm_err told = {.code = PM_OK};
        PM_FUZZ_CHECK(rc == PM_EUSAGE && err.code == rc);
        pm_ctl_format_error(&err, reply, sizeof reply);
        PM_FUZZ_CHECK(pm_ctl_parse_reply(reply, &told) == rc && strcmp(told.text, err.text) == 0);
        pm_fuzz_saw(err.text);
        return;
    }
    PM_FUZZ_CHECK(pm_ctl_format(&request, written, sizeof written, &err) == PM_OK);
    PM_FUZZ_CHECK(strchr(written, '\n') == NULL);
    PM_FUZZ_CHECK(pm_ctl_parse(written, &again, &err) == PM_OK);
    PM_FUZZ_CHECK(request.verb == again.verb && request.id == again.id);
    PM_FUZZ_CHECK(strcmp(request.source, again.source) == 0);
    PM_FUZZ_CHECK(strcmp(request.scene, again.scene) == 0);
    PM_FUZZ_CHECK(request.failed == again.failed && request.quarantined == again.quarantined &&
                  request.missing == again.missing && request.stale == again.stale &&
                  request.done == again.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    struct pm_err err = {.code = PM_OK};

    pm_fuzz_begin();
    PM_FUZZ_CHECK(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    line[strcspn(line, "\n")] = '\0';
    check_request(line);
    enum pm_code rc = pm_ctl_parse_reply(line, &err);
    PM_FUZZ_CHECK(rc == PM_OK || err.code == rc);
    free(line);
    pm_fuzz_end();
    return 0;
}
