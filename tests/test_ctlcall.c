/* ctlcall: the tool's half against owners that answer, lie, hang up or are not there. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
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
#include "tests/lib/tmpdir.h"

/* An owner that reads one line, sends `answer` and hangs up. */
struct owner {
    char *dir, *db;
    int fd;
    pthread_t thread;
    const char *answer;
    size_t size;
    char got[PM_CONTROL_LINE + 1];
};

static void *owner_main(void *arg)
{
    struct owner *owner = arg;
    int client = accept(owner->fd, NULL, NULL);
    size_t used = 0;
    while (used < sizeof owner->got - 1 && strchr(owner->got, '\n') == NULL) {
        ssize_t n = recv(client, owner->got + used, sizeof owner->got - 1 - used, 0);
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
    }
    for (size_t sent = 0; sent < owner->size;) {
        ssize_t n = send(client, owner->answer + sent, owner->size - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    close(client);
    return NULL;
}

static void start(struct owner *owner, const char *answer, size_t size)
{
    memset(owner->got, 0, sizeof owner->got);
    owner->answer = answer;
    owner->size = size;
    assert_int_equal(pthread_create(&owner->thread, NULL, owner_main, owner), 0);
}

static int set_up(void **state)
{
    struct owner *owner = calloc(1, sizeof *owner);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    owner->dir = pm_tmpdir_make();
    owner->db = pm_tmpdir_path(owner->dir, "p.db");
    snprintf(address.sun_path, sizeof address.sun_path, "%s.sock", owner->db);
    owner->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(owner->fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(owner->fd, 4), 0);
    *state = owner;
    return 0;
}

static int tear_down(void **state)
{
    struct owner *owner = *state;
    close(owner->fd);
    free(owner->db);
    pm_tmpdir_remove(owner->dir);
    free(owner);
    return 0;
}

static void requests_are_lines(void **state)
{
    struct owner *owner = *state;
    struct pm_retry_filter filter = {.id = 3, .stale = true, .scene = "a b"};
    struct pm_err err;
    int64_t released = 0;
    start(owner, "ok\n", 3);
    assert_int_equal(pm_control_pause(owner->db, "x", true, &err), PM_OK);
    pthread_join(owner->thread, NULL);
    assert_string_equal(owner->got, "pause source=x\n");
    start(owner, "ok released=12\n", 15);
    assert_int_equal(pm_control_retry(owner->db, &filter, &released, &err), PM_OK);
    pthread_join(owner->thread, NULL);
    assert_string_equal(owner->got, "retry scene=a%20b id=3 stale\n");
    assert_int_equal(released, 12);
}

static void bad_answers(void **state)
{
    struct owner *owner = *state;
    static char endless[2 * PM_CONTROL_LINE];
    static const struct {
        const char *answer;
        enum pm_code code;
    } cases[] = {{"", PM_EIO}, {"ok", PM_EIO}, {"\n", PM_EIO}, {"what?\n", PM_EIO},
        {"error EDB locked\n", PM_EDB}, {"error NEW kind\n", PM_EIO}};
    struct pm_err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start(owner, cases[i].answer, strlen(cases[i].answer));
        assert_int_equal(pm_control_rescan(owner->db, &err), cases[i].code);
        pthread_join(owner->thread, NULL);
    }
    memset(endless, 'x', sizeof endless);
    start(owner, endless, sizeof endless);
    assert_int_equal(pm_control_rescan(owner->db, &err), PM_EIO);
    pthread_join(owner->thread, NULL);
}

static void retry_needs_its_count(void **state)
{
    struct owner *owner = *state;
    struct pm_retry_filter filter = {.id = 3};
    int64_t released = 9;
    struct pm_err err;
    start(owner, "ok\n", 3);
    assert_int_equal(pm_control_retry(owner->db, &filter, &released, &err), PM_EIO);
    pthread_join(owner->thread, NULL);
    assert_int_equal(released, 0);
}

static void status_is_json_or_an_error(void **state)
{
    struct owner *owner = *state;
    char json[256];
    struct pm_err err;
    start(owner, "{\"pid\":7}\n", 10);
    assert_int_equal(pm_control_status(owner->db, json, sizeof json, &err), PM_OK);
    pthread_join(owner->thread, NULL);
    assert_string_equal(json, "{\"pid\":7}");
    start(owner, "error ENOMEM no\n", 16);
    assert_int_equal(pm_control_status(owner->db, json, sizeof json, &err), PM_ENOMEM);
    pthread_join(owner->thread, NULL);
}

static void too_long_to_ask(void **state)
{
    struct owner *owner = *state;
    static char name[2 * PM_CONTROL_LINE];
    struct pm_err err;
    memset(name, 'n', sizeof name - 1);
    assert_int_equal(pm_control_pause(owner->db, name, true, &err), PM_ENAME);
    memset(name, ' ', 2000); /* fits as it is, but not percent-coded */
    name[2000] = '\0';
    assert_int_equal(pm_control_pause(owner->db, name, true, &err), PM_ENAME);
}

static void nobody_is_there(void **state)
{
    struct owner *owner = *state;
    struct pm_err err;
    char *sock = pm_tmpdir_path(owner->dir, "p.db.sock");
    close(owner->fd);
    owner->fd = -1;
    assert_int_equal(pm_control_rescan(owner->db, &err), PM_ENOENT);
    assert_int_equal(unlink(sock), 0);
    assert_int_equal(pm_control_rescan(owner->db, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, sock));
    assert_int_equal(symlink("elsewhere", sock), 0); /* never through a link */
    assert_int_not_equal(pm_control_rescan(owner->db, &err), PM_OK);
    free(sock);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(requests_are_lines), TEST(bad_answers),
        TEST(retry_needs_its_count), TEST(status_is_json_or_an_error), TEST(too_long_to_ask),
        TEST(nobody_is_there)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
