/*
 * control: the socket beside the database through which a running owner is steered.
 * Owns: the listening socket <db>.sock (mode 0660) and its clients.
 * Threads: the server half lives on the loop thread and asks the ledger on libuv's pool, one
 * request at a time; SIGPIPE must be ignored, as clients may leave. The client half blocks.
 * Memory: at most PM_CONTROL_CLIENTS clients with PM_CONTROL_LINE bytes each.
 * Errors: client half: PM_ENOENT when nobody listens (no owner runs: open the ledger instead),
 * PM_EACCES, PM_EIO (no answer in time), else what the owner answered.
 *
 * Protocol: one request line, one reply line, then the owner closes. Words are separated by one
 * space; values are percent-encoded bytes ("%20" for a space).
 *     pause [source=NAME]      ok                       resume [source=NAME]     ok
 *     retry [id=N] [scene=S] [failed] [quarantined] [missing] [stale] [done]
 *                              ok released=N
 *     rescan                   ok
 *     status                   one line of JSON
 *     anything else            error CODE what is wrong
 */
#ifndef PM_DAEMON_CONTROL_H
#define PM_DAEMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/err.h"
#include "daemon/ledger.h"

#define PM_CONTROL_LINE 4096
#define PM_CONTROL_CLIENTS 16

/* --- the owner's half --- */

struct pm_control;

struct pm_control_opts {
    uv_loop_t *loop;
    struct pm_ledger *ledger;
    const char *db;            /* database path */
    uint64_t idle_ms;          /* a client that says nothing for so long is dropped; 0: 10 s */
    void (*rescan)(void *ctx); /* on the loop */
    /* Writes one JSON object without line breaks into json; on the loop. */
    void (*status)(void *ctx, char *json, size_t size);
    /* After pm_control_close(): no request is under way and no handle is left; on the loop. May
     * be NULL. */
    void (*closed)(void *ctx);
    void *ctx;
};

/* The flock of the database must be held: an old socket in the way is replaced. */
enum pm_code pm_control_open(
    struct pm_control **out, const struct pm_control_opts *opts, struct pm_err *err);
/* Takes no more requests, removes the socket, closes every handle. Requests under way are finished,
 * so run the loop until closed() is called before the ledger is closed. NULL is fine. */
void pm_control_close(struct pm_control *control);

/* --- the tool's half (blocks; any thread, no loop) --- */

enum pm_code pm_control_pause(
    const char *db, const char *source_name, bool paused, struct pm_err *err);
enum pm_code pm_control_retry(
    const char *db, const struct pm_retry_filter *filter, int64_t *released, struct pm_err *err);
enum pm_code pm_control_rescan(const char *db, struct pm_err *err);
/* One JSON object: pid, version, and the counts of struct pm_counts by their names. */
enum pm_code pm_control_status(const char *db, char *json, size_t size, struct pm_err *err);
/* What the calls above are made of: sends one line (without its end), gives the reply line. */
enum pm_code pm_control_call(
    const char *db, const char *request, char *reply, size_t size, struct pm_err *err);

#endif
