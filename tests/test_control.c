/* control: both halves over a real socket, a double for the ledger, and unfriendly clients. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/control.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

/* --- the ledger's double --- */

static struct {
    char source[64], scene[256];
    struct pm_retry_filter filter;
    bool paused;
    atomic_int calls, at_once, most_at_once;
    enum pm_code fail;
} asked;

static void count_call(void)
{
    int now = atomic_fetch_add(&asked.at_once, 1) + 1;
    atomic_fetch_add(&asked.calls, 1);
    if (now > atomic_load(&asked.most_at_once)) {
        atomic_store(&asked.most_at_once, now);
    }
    usleep(2000); /* as a commit would */
    atomic_fetch_sub(&asked.at_once, 1);
}

enum pm_code pm_ledger_pause_wait(
    struct pm_ledger *ledger, const char *source_name, bool paused, struct pm_err *err)
{
    (void)ledger;
    count_call();
    snprintf(asked.source, sizeof asked.source, "%s", source_name == NULL ? "(all)" : source_name);
    asked.paused = paused;
    return asked.fail == PM_OK ? PM_OK
                               : pm_err_set(err, asked.fail, "no source \"%s\"", source_name);
}

enum pm_code pm_ledger_retry_wait(struct pm_ledger *ledger, const struct pm_retry_filter *filter,
    int64_t *released, struct pm_err *err)
{
    (void)ledger;
    (void)err;
    count_call();
    asked.filter = *filter;
    snprintf(
        asked.scene, sizeof asked.scene, "%s", filter->scene == NULL ? "(any)" : filter->scene);
    asked.filter.scene = NULL; /* the caller's */
    *released = 42;
    return PM_OK;
}

/* --- the rig: the loop runs here, clients block on threads of their own --- */

struct rig {
    char *dir, *db;
    uv_loop_t loop;
    struct pm_control *control;
    int rescans;
    bool closed;
};

static void on_rescan(void *ctx)
{
    ((struct rig *)ctx)->rescans++;
}

static void on_status(void *ctx, char *json, size_t size)
{
    (void)ctx;
    snprintf(json, size, "{\"pid\":1}");
}

static void on_closed(void *ctx)
{
    struct rig *rig = ctx;
    rig->closed = true;
    rig->control = NULL;
}

static void open_control(struct rig *rig, uint64_t idle_ms)
{
    struct pm_control_opts opts = {.loop = &rig->loop,
        .db = rig->db,
        .idle_ms = idle_ms,
        .rescan = on_rescan,
        .status = on_status,
        .closed = on_closed,
        .ctx = rig};
    struct pm_err err;
    if (pm_control_open(&rig->control, &opts, &err) != PM_OK) {
        fail_msg("%s", err.text);
    }
}

struct job {
    void (*run)(struct job *job);
    struct rig *rig;
    pthread_t thread;
    atomic_bool done;
    enum pm_code rc;
    struct pm_err err;
    int64_t released;
    char text[PM_CONTROL_LINE];
    const char *bytes; /* sent raw */
    size_t size;
    bool abrupt; /* leaves without reading */
};

static void *job_main(void *arg)
{
    struct job *job = arg;
    job->run(job);
    atomic_store(&job->done, true);
    return NULL;
}

static void start(struct job *job, struct rig *rig, void (*run)(struct job *job))
{
    job->run = run;
    job->rig = rig;
    assert_int_equal(pthread_create(&job->thread, NULL, job_main, job), 0);
}

static bool is_done(void *ctx)
{
    return atomic_load(&((struct job *)ctx)->done);
}

static void finish(struct job *job)
{
    assert_true(pm_loop_until(&job->rig->loop, is_done, job));
    pthread_join(job->thread, NULL);
}

static struct job run(struct rig *rig, void (*what)(struct job *job))
{
    static struct job job;
    job = (struct job){0};
    start(&job, rig, what);
    finish(&job);
    return job;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    memset(&asked, 0, sizeof asked);
    rig->dir = pm_tmpdir_make();
    rig->db = pm_tmpdir_path(rig->dir, "pairmill.db");
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    char *sock = malloc(strlen(rig->db) + 6);
    sprintf(sock, "%s.sock", rig->db);
    pm_control_close(rig->control);
    assert_true(pm_loop_end(&rig->loop));
    assert_true(rig->closed || rig->control == NULL);
    assert_int_not_equal(access(sock, F_OK), 0); /* nothing is left behind */
    free(sock);
    free(rig->db);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

/* --- friendly clients --- */

static void ask_pause(struct job *job)
{
    job->rc = pm_control_pause(job->rig->db, "my source", true, &job->err);
}

static void ask_resume_all(struct job *job)
{
    job->rc = pm_control_pause(job->rig->db, NULL, false, &job->err);
}

static void ask_retry(struct job *job)
{
    struct pm_retry_filter filter = {.id = 17, .failed = true, .scene = "a b/\n\xff"};
    job->rc = pm_control_retry(job->rig->db, &filter, &job->released, &job->err);
}

static void ask_rescan(struct job *job)
{
    job->rc = pm_control_rescan(job->rig->db, &job->err);
}

static void ask_status(struct job *job)
{
    job->rc = pm_control_status(job->rig->db, job->text, sizeof job->text, &job->err);
}

static void every_request(void **state)
{
    struct rig *rig = *state;
    struct job job;
    open_control(rig, 0);
    assert_int_equal(run(rig, ask_pause).rc, PM_OK);
    assert_string_equal(asked.source, "my source");
    assert_true(asked.paused);
    assert_int_equal(run(rig, ask_resume_all).rc, PM_OK);
    assert_string_equal(asked.source, "(all)");
    assert_false(asked.paused);
    job = run(rig, ask_retry);
    assert_int_equal(job.rc, PM_OK);
    assert_int_equal(job.released, 42);
    assert_int_equal(asked.filter.id, 17);
    assert_true(asked.filter.failed && !asked.filter.done);
    assert_string_equal(asked.scene, "a b/\n\xff");
    assert_int_equal(run(rig, ask_rescan).rc, PM_OK);
    assert_int_equal(rig->rescans, 1);
    job = run(rig, ask_status);
    assert_int_equal(job.rc, PM_OK);
    assert_string_equal(job.text, "{\"pid\":1}");
}

static void the_ledgers_error_arrives(void **state)
{
    struct rig *rig = *state;
    struct job job;
    open_control(rig, 0);
    asked.fail = PM_EUSAGE;
    job = run(rig, ask_pause);
    assert_int_equal(job.rc, PM_EUSAGE);
    assert_string_equal(job.err.text, "no source \"my source\"");
}

static void mode_is_for_the_group(void **state)
{
    struct rig *rig = *state;
    char *sock = malloc(strlen(rig->db) + 6);
    struct stat st;
    open_control(rig, 0);
    sprintf(sock, "%s.sock", rig->db);
    assert_int_equal(stat(sock, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0660);
    free(sock);
}

static void many_at_once_are_served_in_turn(void **state)
{
    enum { MANY = 12 };
    struct rig *rig = *state;
    static struct job jobs[MANY];
    memset(jobs, 0, sizeof jobs);
    open_control(rig, 0);
    for (int i = 0; i < MANY; i++) {
        start(&jobs[i], rig, i % 3 == 0 ? ask_status : i % 3 == 1 ? ask_pause : ask_retry);
    }
    for (int i = 0; i < MANY; i++) {
        finish(&jobs[i]);
        assert_int_equal(jobs[i].rc, PM_OK);
    }
    assert_int_equal(atomic_load(&asked.calls), 8);
    assert_int_equal(atomic_load(&asked.most_at_once), 1); /* libuv's pool stays free */
}

static void nobody_listens(void **state)
{
    struct rig *rig = *state;
    struct pm_err err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(pm_control_rescan(rig->db, &err), PM_ENOENT); /* no socket at all */
    snprintf(address.sun_path, sizeof address.sun_path, "%s.sock", rig->db);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(pm_control_rescan(rig->db, &err), PM_ENOENT); /* that of a killed owner */
    open_control(rig, 0); /* the next owner takes its place */
    assert_int_equal(run(rig, ask_rescan).rc, PM_OK);
}

/* Longer than a sockaddr_un holds, folder and name. */
static void long_paths(void **state)
{
    struct rig *rig = *state;
    char name[240];
    memset(name, 'd', 200);
    strcpy(name + 200, "/");
    memset(name + 201, 'n', 30);
    strcpy(name + 231, ".db");
    free(rig->db);
    rig->db = pm_tmpdir_path(rig->dir, name);
    name[200] = '\0';
    pm_tmpdir_folder(rig->dir, name);
    open_control(rig, 0);
    assert_int_equal(run(rig, ask_rescan).rc, PM_OK);
}

static void no_folder_no_socket(void **state)
{
    struct rig *rig = *state;
    struct pm_control_opts opts = {.loop = &rig->loop, .db = "/nowhere/at/all.db"};
    struct pm_err err;
    assert_int_equal(pm_control_open(&rig->control, &opts, &err), PM_ENOENT);
    assert_null(rig->control);
}

/* --- unfriendly ones --- */

static int raw_connect(struct rig *rig)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s.sock", rig->db);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Sends bytes, reads until the end. */
static void raw(struct job *job)
{
    int fd = raw_connect(job->rig);
    size_t used = 0;
    ssize_t n = send(fd, job->bytes, job->size, MSG_NOSIGNAL);
    while (!job->abrupt && n >= 0 && used + 1 < sizeof job->text) {
        n = recv(fd, job->text + used, sizeof job->text - used - 1, 0);
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
    }
    job->text[used] = '\0';
    close(fd);
}

static const char *send_raw(struct rig *rig, const char *bytes, size_t size, bool abrupt)
{
    static struct job job;
    job = (struct job){.bytes = bytes, .size = size, .abrupt = abrupt};
    start(&job, rig, raw);
    finish(&job);
    return job.text;
}

static void hostile_input(void **state)
{
    struct rig *rig = *state;
    char big[3 * PM_CONTROL_LINE];
    open_control(rig, 0);
    memset(big, 'x', sizeof big);
    assert_string_equal(send_raw(rig, "status\n", 7, false), "{\"pid\":1}\n");
    assert_memory_equal(send_raw(rig, "drop tables\n", 12, false), "error EUSAGE", 12);
    assert_memory_equal(send_raw(rig, "\n", 1, false), "error EUSAGE", 12);
    assert_memory_equal(send_raw(rig, "sta\0tus\n", 8, false), "error EUSAGE", 12);
    assert_memory_equal(send_raw(rig, big, sizeof big, false), "error EUSAGE", 12);
    assert_memory_equal(send_raw(rig, big, PM_CONTROL_LINE, false), "error EUSAGE", 12);
    assert_string_equal(send_raw(rig, "status\nrescan\n", 14, false), "{\"pid\":1}\n");
    assert_int_equal(rig->rescans, 0); /* one request a connection */
    send_raw(rig, "pause", 5, true);
    send_raw(rig, "pause\n", 6, true); /* leaves before the answer */
    send_raw(rig, "", 0, true);
    assert_int_equal(run(rig, ask_rescan).rc, PM_OK); /* still there */
}

static void silent_client_is_dropped(void **state)
{
    struct rig *rig = *state;
    open_control(rig, 50);
    assert_string_equal(send_raw(rig, "stat", 4, false), ""); /* ends because the owner closes */
}

static void too_many_clients(void **state)
{
    struct rig *rig = *state;
    int fds[PM_CONTROL_CLIENTS];
    open_control(rig, 60000);
    for (int i = 0; i < PM_CONTROL_CLIENTS; i++) {
        fds[i] = raw_connect(rig);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
    assert_string_equal(send_raw(rig, "status\n", 7, false), ""); /* turned away */
    for (int i = 0; i < PM_CONTROL_CLIENTS; i++) {
        close(fds[i]);
    }
    while (run(rig, ask_rescan).rc != PM_OK) {
        assert_int_equal(rig->rescans, 0); /* until the loop has seen them leave */
    }
}

static void closed_with_clients_there(void **state)
{
    struct rig *rig = *state;
    int silent;
    static struct job job;
    job = (struct job){0};
    open_control(rig, 60000);
    silent = raw_connect(rig);
    start(&job, rig, ask_pause);
    while (atomic_load(&asked.calls) == 0) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
    pm_control_close(rig->control);
    finish(&job); /* who was being served is answered */
    assert_int_equal(job.rc, PM_OK);
    close(silent);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(every_request), TEST(the_ledgers_error_arrives),
        TEST(mode_is_for_the_group), TEST(many_at_once_are_served_in_turn), TEST(nobody_listens),
        TEST(long_paths), TEST(no_folder_no_socket), TEST(hostile_input),
        TEST(silent_client_is_dropped), TEST(too_many_clients), TEST(closed_with_clients_there)};
#undef TEST
    signal(SIGPIPE, SIG_IGN); /* as the service does */
    pm_control_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
