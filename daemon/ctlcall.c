/* The tool's half of control.h: blocking, no loop. */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/ctlproto.h"

#define ANSWER_S 30 /* the owner may be waiting for a locked database */

/* Connects through /proc/self/fd, so that the path may be longer than a sockaddr_un holds. */
static enum pm_code connect_to(const char *path, int *out, struct pm_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_S};
    enum pm_code rc = PM_OK;
    int place = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    int fd = -1;

    if (place < 0) {
        return pm_err_errno(err, errno, "cannot reach the owner at \"%s\"", path);
    }
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        rc = pm_err_errno(err, errno, "socket");
        goto out;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == ECONNREFUSED) { /* left behind by an owner that was killed */
            rc = pm_err_set(err, PM_ENOENT, "nobody listens at \"%s\"", path);
        } else {
            rc = pm_err_errno(err, errno, "cannot reach the owner at \"%s\"", path);
        }
        goto out;
    }
    *out = fd;
    fd = -1;
out:
    if (fd >= 0) {
        close(fd);
    }
    close(place);
    return rc;
}

static enum pm_code send_line(int fd, const char *request, struct pm_err *err)
{
    char line[PM_CONTROL_LINE];
    int n = snprintf(line, sizeof line, "%s\n", request);
    if (n < 0 || (size_t)n >= sizeof line) {
        return pm_err_set(err, PM_ENAME, "the request is too long");
    }
    for (int sent = 0; sent < n;) {
        ssize_t some = send(fd, line + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (some < 0 && errno != EINTR) {
            return pm_err_errno(err, errno, "cannot send to the owner");
        }
        sent += some > 0 ? (int)some : 0;
    }
    return PM_OK;
}

static enum pm_code read_line(int fd, char *reply, size_t size, struct pm_err *err)
{
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t some = recv(fd, reply + used, size - used - 1, 0);
        char *end;
        if (some < 0 && errno == EINTR) {
            continue;
        }
        if (some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return pm_err_set(err, PM_EIO,
                "the owner did not answer within %d s; it may still do what was asked", ANSWER_S);
        }
        if (some <= 0) {
            return pm_err_set(err, PM_EIO, "the owner closed the connection without an answer");
        }
        end = memchr(reply + used, '\n', (size_t)some);
        used += (size_t)some;
        if (end != NULL) {
            *end = '\0';
            return PM_OK;
        }
    }
    return pm_err_set(err, PM_EIO, "the owner's answer is too long");
}

enum pm_code pm_control_call(
    const char *db, const char *request, char *reply, size_t size, struct pm_err *err)
{
    size_t length = strlen(db) + sizeof ".sock";
    char *path = malloc(length);
    enum pm_code rc = PM_OK;
    int fd = -1;

    if (path == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a request");
    }
    snprintf(path, length, "%s.sock", db);
    rc = connect_to(path, &fd, err);
    free(path);
    if (rc != PM_OK) {
        return rc;
    }
    rc = send_line(fd, request, err);
    if (rc == PM_OK) {
        rc = read_line(fd, reply, size, err);
    }
    close(fd);
    return rc;
}

static enum pm_code ask(
    const char *db, const struct pm_ctl_request *request, char *reply, struct pm_err *err)
{
    char line[PM_CONTROL_LINE - 1];
    enum pm_code rc = pm_ctl_format(request, line, sizeof line, err);
    if (rc == PM_OK) {
        rc = pm_control_call(db, line, reply, PM_CONTROL_LINE, err);
    }
    return rc == PM_OK ? pm_ctl_parse_reply(reply, err) : rc;
}

/* Empty when value is NULL. */
static enum pm_code copy(char *to, size_t size, const char *value, struct pm_err *err)
{
    int n = snprintf(to, size, "%s", value == NULL ? "" : value);
    if (n < 0 || (size_t)n >= size) {
        return pm_err_set(err, PM_ENAME, "the name is too long for a request");
    }
    return PM_OK;
}

enum pm_code pm_control_pause(
    const char *db, const char *source_name, bool paused, struct pm_err *err)
{
    struct pm_ctl_request request = {.verb = paused ? PM_CTL_PAUSE : PM_CTL_RESUME};
    char reply[PM_CONTROL_LINE];
    enum pm_code rc = copy(request.source, sizeof request.source, source_name, err);
    return rc == PM_OK ? ask(db, &request, reply, err) : rc;
}

enum pm_code pm_control_retry(
    const char *db, const struct pm_retry_filter *filter, int64_t *released, struct pm_err *err)
{
    struct pm_ctl_request request = {.verb = PM_CTL_RETRY,
        .id = filter->id,
        .failed = filter->failed,
        .quarantined = filter->quarantined,
        .missing = filter->missing,
        .stale = filter->stale,
        .done = filter->done};
    char reply[PM_CONTROL_LINE];
    long long count = 0;
    enum pm_code rc = copy(request.scene, sizeof request.scene, filter->scene, err);

    if (rc == PM_OK) {
        rc = ask(db, &request, reply, err);
    }
    if (rc == PM_OK && sscanf(reply, "ok released=%lld", &count) != 1) {
        rc = pm_err_set(err, PM_EIO, "the owner gave an answer that is none: \"%.100s\"", reply);
    }
    *released = count;
    return rc;
}

enum pm_code pm_control_rescan(const char *db, struct pm_err *err)
{
    struct pm_ctl_request request = {.verb = PM_CTL_RESCAN};
    char reply[PM_CONTROL_LINE];
    return ask(db, &request, reply, err);
}

enum pm_code pm_control_status(const char *db, char *json, size_t size, struct pm_err *err)
{
    enum pm_code rc = pm_control_call(db, "status", json, size, err);
    if (rc == PM_OK && json[0] != '{') {
        rc = pm_ctl_parse_reply(json, err);
    }
    return rc;
}
