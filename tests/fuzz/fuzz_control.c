/* fuzz_control: the owner's half of the control socket, over a real socket: the input arrives in
 * pieces (each begins with its length), and exactly one line, or nothing, must come back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"
#include "tests/fuzz/kit.h"

/* ---- the ledger's double ---- */

enum pm_code pm_ledger_pause_wait(
    struct pm_ledger *ledger, const char *source_name, bool paused, struct pm_err *err)
{
    (void)ledger;
    (void)paused;
    return source_name != NULL && source_name[0] == 'x'
               ? pm_err_set(err, PM_EUSAGE, "no source \"%s\"", source_name)
               : PM_OK;
}

enum pm_code pm_ledger_retry_wait(struct pm_ledger *ledger, const struct pm_retry_filter *filter,
    int64_t *released, struct pm_err *err)
{
    (void)ledger;
    (void)err;
    *released = filter->id;
    return PM_OK;
}

/* ---- the rig, made once ---- */

static struct rig {
    uv_loop_t loop;
    struct pm_control *control;
    char folder[64], db[128];
    bool open;
} rig;

static void on_rescan(void *ctx)
{
    (void)ctx;
}

static void on_status(void *ctx, char *json, size_t size)
{
    (void)ctx;
    snprintf(json, size, "{\"pid\":1}");
}

static void remove_folder(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s.sock", rig.db);
    unlink(path);
    rmdir(rig.folder);
}

static void open_rig(void)
{
    struct pm_control_opts opts = {
        .loop = &rig.loop, .db = rig.db, .rescan = on_rescan, .status = on_status};
    struct pm_err err;

    signal(SIGPIPE, SIG_IGN);
    snprintf(rig.folder, sizeof rig.folder, "/tmp/pairmill-fuzz-XXXXXX");
    PM_FUZZ_CHECK(mkdtemp(rig.folder) != NULL);
    snprintf(rig.db, sizeof rig.db, "%s/a.db", rig.folder);
    PM_FUZZ_CHECK(uv_loop_init(&rig.loop) == 0);
    PM_FUZZ_CHECK(pm_control_open(&rig.control, &opts, &err) == PM_OK);
    atexit(remove_folder);
    rig.open = true;
}

static int connect_to_owner(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s.sock", rig.db);
    PM_FUZZ_CHECK(fd >= 0);
    PM_FUZZ_CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void turn_loop(int times)
{
    for (int i = 0; i < times; i++) {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    }
}

/* Until the owner has closed. */
static size_t read_reply(int fd, char *reply, size_t size)
{
    size_t used = 0;
    for (;;) {
        turn_loop(1);
        ssize_t got = recv(fd, reply + used, size - used, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) { /* reset: not all was read from us */
            return used;
        }
        if (got > 0) {
            used += (size_t)got;
            PM_FUZZ_CHECK(used < size);
        } else {
            uv_run(&rig.loop, UV_RUN_ONCE);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char reply[2 * PM_CONTROL_LINE];
    size_t at = 0;
    int fd;

    pm_fuzz_begin();
    if (!rig.open) {
        open_rig();
    }
    fd = connect_to_owner();
    while (at < size) {
        size_t n = data[at] < size - at - 1 ? data[at] : size - at - 1;
        if (n > 0 && send(fd, data + at + 1, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break; /* it has answered and closed */
        }
        turn_loop(data[at] % 2);
        at += n + 1;
    }
    shutdown(fd, SHUT_WR);
    size_t used = read_reply(fd, reply, sizeof reply);
    PM_FUZZ_CHECK(used == 0 || (reply[used - 1] == '\n' &&
                                   memchr(reply, '\n', used) == (void *)(reply + used - 1)));
    PM_FUZZ_CHECK(used == 0 || strncmp(reply, "ok", 2) == 0 || strncmp(reply, "error ", 6) == 0 ||
                  reply[0] == '{');
    close(fd);
    turn_loop(1);
    pm_fuzz_end();
    return 0;
}
