#include "daemon/control.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/ctlproto.h"

#define IDLE_MS 10000
#define BACKLOG 16

/* READING -> (QUEUED -> WORKING) -> WRITING -> CLOSING. While a request is QUEUED or WORKING the
 * client is not read, so one that leaves meanwhile is noticed when the reply is written. */
enum state { READING, QUEUED, WORKING, WRITING, CLOSING };

struct client {
    struct pm_control *control;
    struct client *next;
    uv_pipe_t pipe;
    uv_timer_t timer;
    int open_handles;
    enum state state;
    char line[PM_CONTROL_LINE];
    size_t used;
    struct pm_ctl_request request;
    char reply[PM_CONTROL_LINE];
    uv_write_t write;
    uv_work_t work;
};

struct pm_control {
    struct pm_control_opts opts;
    uv_pipe_t listener;
    bool listening, closing, listener_closed;
    char *path;
    struct client *clients;
    int client_count;
    bool working; /* one request at a time, so that libuv's pool stays free for the walks */
};

static void work_next(struct pm_control *control);

static void free_when_over(struct pm_control *control)
{
    if (control->listener_closed && control->client_count == 0) {
        if (control->opts.closed != NULL) {
            control->opts.closed(control->opts.ctx);
        }
        free(control->path);
        free(control);
    }
}

/* --- a client's end --- */

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct pm_control *control = client->control;
    struct client **link = &control->clients;

    if (--client->open_handles > 0) {
        return;
    }
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    control->client_count--;
    free(client);
    free_when_over(control);
}

static void close_client(struct client *client)
{
    assert(client->state != WORKING);
    if (client->state != CLOSING) {
        client->state = CLOSING;
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
        uv_close((uv_handle_t *)&client->timer, on_client_closed);
    }
}

static void on_idle(uv_timer_t *timer)
{
    close_client(timer->data);
}

/* --- replies --- */

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a client that left does not want it */
    close_client(write->data);
}

/* Sends client->reply and closes. */
static void reply(struct client *client)
{
    uv_buf_t buf;
    size_t n = strlen(client->reply);

    if (n + 1 >= sizeof client->reply) {
        n = sizeof client->reply - 2;
    }
    client->reply[n] = '\n';
    client->state = WRITING;
    client->write.data = client;
    buf = uv_buf_init(client->reply, (unsigned)n + 1);
    uv_timer_start(&client->timer, on_idle, client->control->opts.idle_ms, 0);
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written) != 0) {
        close_client(client);
    }
}

static void reply_error(struct client *client, const struct pm_err *err)
{
    pm_ctl_format_error(err, client->reply, sizeof client->reply);
    reply(client);
}

/* --- requests the ledger answers --- */

static enum pm_code ask_ledger(struct client *client, struct pm_err *err)
{
    struct pm_ledger *ledger = client->control->opts.ledger;
    const struct pm_ctl_request *request = &client->request;
    int64_t released = 0;
    enum pm_code rc;

    if (request->verb == PM_CTL_RETRY) {
        struct pm_retry_filter filter = {.id = request->id,
            .failed = request->failed,
            .quarantined = request->quarantined,
            .missing = request->missing,
            .stale = request->stale,
            .done = request->done,
            .scene = request->scene[0] == '\0' ? NULL : request->scene};
        rc = pm_ledger_retry_wait(ledger, &filter, &released, err);
        snprintf(client->reply, sizeof client->reply, "ok released=%" PRId64, released);
        return rc;
    }
    rc = pm_ledger_pause_wait(ledger, request->source[0] == '\0' ? NULL : request->source,
        request->verb == PM_CTL_PAUSE, err);
    snprintf(client->reply, sizeof client->reply, "ok");
    return rc;
}

/* On a pool thread: waits for the commit. */
static void on_work(uv_work_t *work)
{
    struct client *client = work->data;
    struct pm_err err = {.text = ""};
    if (ask_ledger(client, &err) != PM_OK) {
        pm_ctl_format_error(&err, client->reply, sizeof client->reply);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct client *client = work->data;
    struct pm_control *control = client->control;
    (void)status;
    control->working = false;
    reply(client);
    work_next(control);
}

/* The longest waiting client is the last of the list: new ones are put in front. */
static void work_next(struct pm_control *control)
{
    struct client *next = NULL;
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        if (client->state == QUEUED) {
            next = client;
        }
    }
    if (next == NULL || control->working) {
        return;
    }
    next->work.data = next;
    next->state = WORKING;
    control->working = true;
    if (uv_queue_work(control->opts.loop, &next->work, on_work, on_worked) != 0) {
        struct pm_err err;
        control->working = false;
        pm_err_set(&err, PM_ENOMEM, "no memory for the request");
        reply_error(next, &err);
    }
}

/* --- requests --- */

static void handle(struct client *client)
{
    struct pm_control *control = client->control;
    struct pm_err err;

    if (pm_ctl_parse(client->line, &client->request, &err) != PM_OK) {
        reply_error(client, &err);
        return;
    }
    switch (client->request.verb) {
    case PM_CTL_RESCAN:
        control->opts.rescan(control->opts.ctx);
        snprintf(client->reply, sizeof client->reply, "ok");
        reply(client);
        break;
    case PM_CTL_STATUS:
        control->opts.status(control->opts.ctx, client->reply, sizeof client->reply - 1);
        reply(client);
        break;
    case PM_CTL_PAUSE:
    case PM_CTL_RESUME:
    case PM_CTL_RETRY:
        client->state = QUEUED;
        work_next(control);
        break;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)suggested;
    *buf = uv_buf_init(client->line + client->used, (unsigned)(sizeof client->line - client->used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    struct pm_err err;
    char *end;

    (void)buf;
    if (n < 0) {
        close_client(client);
        return;
    }
    end = memchr(client->line + client->used, '\n', (size_t)n);
    client->used += (size_t)n;
    if (end == NULL && client->used < sizeof client->line) {
        return;
    }
    uv_read_stop(stream);
    uv_timer_stop(&client->timer);
    if (end == NULL) {
        pm_err_set(&err, PM_EUSAGE, "a request is one line of less than %d bytes", PM_CONTROL_LINE);
        reply_error(client, &err);
    } else if (memchr(client->line, '\0', (size_t)(end - client->line)) != NULL) {
        pm_err_set(&err, PM_EUSAGE, "a request holds no zero bytes");
        reply_error(client, &err);
    } else {
        *end = '\0';
        handle(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct pm_control *control = listener->data;
    struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;

    if (client == NULL) {
        return;
    }
    client->control = control;
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    client->open_handles = 2;
    uv_pipe_init(control->opts.loop, &client->pipe, 0);
    uv_timer_init(control->opts.loop, &client->timer);
    client->pipe.data = client->timer.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 || control->closing ||
        control->client_count > PM_CONTROL_CLIENTS ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0) {
        close_client(client);
        return;
    }
    uv_timer_start(&client->timer, on_idle, control->opts.idle_ms, 0);
}

/* --- the socket --- */

/* Binds a short hidden name through /proc/self/fd and renames it, so that the path may be longer
 * than a sockaddr_un holds, the mode is right before anybody can connect, and a dead owner's socket
 * is replaced in one step. */
static enum pm_code bind_at(int fd, const char *path, struct pm_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *folder = strndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    char hidden[32];
    int dir = -1;
    enum pm_code rc = PM_OK;

    snprintf(hidden, sizeof hidden, ".pm-%ld.sock", (long)getpid());
    if (folder != NULL) {
        dir = open(folder[0] == '\0' ? "." : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (dir < 0) {
        rc = pm_err_errno(err, errno, "cannot make the socket \"%s\"", path);
        goto out;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, hidden);
    unlinkat(dir, hidden, 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        fchmodat(dir, hidden, 0660, 0) != 0 || renameat(dir, hidden, dir, name) != 0) {
        rc = pm_err_errno(err, errno, "cannot make the socket \"%s\"", path);
        unlinkat(dir, hidden, 0);
    }
out:
    if (dir >= 0) {
        close(dir);
    }
    free(folder);
    return rc;
}

static enum pm_code listen_at(struct pm_control *control, struct pm_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum pm_code rc;
    int status;

    if (fd < 0) {
        return pm_err_errno(err, errno, "socket");
    }
    rc = bind_at(fd, control->path, err);
    if (rc != PM_OK) {
        close(fd);
        return rc;
    }
    status = uv_pipe_open(&control->listener, fd);
    if (status == 0) {
        control->listening = true;
        status = uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
    } else {
        close(fd);
    }
    if (status != 0) {
        unlink(control->path);
        return pm_err_set(
            err, PM_EIO, "cannot listen at \"%s\": %s", control->path, uv_strerror(status));
    }
    return PM_OK;
}

enum pm_code pm_control_open(
    struct pm_control **out, const struct pm_control_opts *opts, struct pm_err *err)
{
    struct pm_control *control = calloc(1, sizeof *control);
    size_t size = strlen(opts->db) + sizeof ".sock";
    enum pm_code rc;

    *out = NULL;
    if (control != NULL) {
        control->path = malloc(size);
    }
    if (control == NULL || control->path == NULL) {
        free(control);
        return pm_err_set(err, PM_ENOMEM, "no memory for the control socket");
    }
    snprintf(control->path, size, "%s.sock", opts->db);
    control->opts = *opts;
    control->opts.db = NULL; /* the caller's */
    control->opts.idle_ms = opts->idle_ms == 0 ? IDLE_MS : opts->idle_ms;
    uv_pipe_init(opts->loop, &control->listener, 0);
    control->listener.data = control;
    rc = listen_at(control, err);
    if (rc != PM_OK) {
        control->listening = false;  /* nothing of ours lies at path */
        control->opts.closed = NULL; /* it never was open */
        pm_control_close(control);
        return rc;
    }
    *out = control;
    return PM_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct pm_control *control = handle->data;
    control->listener_closed = true;
    free_when_over(control);
}

void pm_control_close(struct pm_control *control)
{
    if (control == NULL || control->closing) {
        return;
    }
    control->closing = true;
    if (control->listening) {
        unlink(control->path); /* ours: the flock is still held */
    }
    uv_close((uv_handle_t *)&control->listener, on_listener_closed);
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        if (client->state == READING || client->state == QUEUED) {
            close_client(client); /* who is being answered gets the answer */
        }
    }
}
