/* notify: what arrives at a real datagram socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/notify.h"
#include "tests/lib/tmpdir.h"

struct rig {
    char *dir;
    int fd;
    char text[1024];
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    rig->dir = pm_tmpdir_make();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/n", rig->dir);
    rig->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    close(rig->fd);
    pm_tmpdir_remove(rig->dir);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    free(rig);
    return 0;
}

/* The next datagram; "" when there is none. */
static const char *next(struct rig *rig)
{
    ssize_t n = recv(rig->fd, rig->text, sizeof rig->text - 1, MSG_DONTWAIT);
    rig->text[n < 0 ? 0 : n] = '\0';
    return rig->text;
}

static void states(void **state)
{
    struct rig *rig = *state;
    assert_true(pm_notify_enabled());
    pm_notify_ready();
    assert_string_equal(next(rig), "READY=1");
    pm_notify_extend();
    assert_string_equal(next(rig), "EXTEND_TIMEOUT_USEC=120000000");
    pm_notify_watchdog();
    assert_string_equal(next(rig), "WATCHDOG=1");
    pm_notify_stopping();
    assert_string_equal(next(rig), "STOPPING=1");
}

static void reload_brings_the_time(void **state)
{
    struct rig *rig = *state;
    long long us = 0;
    pm_notify_reloading();
    assert_int_equal(sscanf(next(rig), "RELOADING=1\nMONOTONIC_USEC=%lld", &us), 1);
    assert_true(us > 0);
}

static void status_is_one_line(void **state)
{
    struct rig *rig = *state;
    char longer[600];
    pm_notify_status("%d queued", 7);
    assert_string_equal(next(rig), "STATUS=7 queued");
    pm_notify_status("a\nREADY=1");
    assert_string_equal(next(rig), "STATUS=a READY=1");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    pm_notify_status("%s", longer);
    assert_int_equal(strlen(next(rig)), strlen("STATUS=") + 255);
}

static void watchdog_interval(void **state)
{
    char pid[32];
    (void)state;
    assert_int_equal(pm_notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(pm_notify_watchdog_us(), 60000000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(pm_notify_watchdog_us(), 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(pm_notify_watchdog_us(), 60000000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(pm_notify_watchdog_us(), 0);
}

static void nobody_listens(void **state)
{
    struct rig *rig = *state;
    unsetenv("NOTIFY_SOCKET");
    assert_false(pm_notify_enabled());
    pm_notify_ready();
    pm_notify_status("x");
    assert_string_equal(next(rig), "");
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1); /* systemd is gone: no error of ours */
    pm_notify_ready();
    pm_notify_reloading();
    assert_string_equal(next(rig), "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(states), TEST(reload_brings_the_time),
        TEST(status_is_one_line), TEST(watchdog_interval), TEST(nobody_listens)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
