/* owner: one process at a time, named to the next; what its workers did is left behind. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/result.h"
#include "daemon/owner.h"
#include "tests/lib/tmpdir.h"

struct place {
    char *dir, *db;
};

static int set_up(void **state)
{
    static struct place place;
    place.dir = pm_tmpdir_make();
    place.db = pm_tmpdir_path(place.dir, "state/pairmill.db");
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    free(place->db);
    pm_tmpdir_remove(place->dir);
    return 0;
}

/* A process that owns db, says what its workers do, and waits to be killed. */
static pid_t start_owner(const char *db)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct pm_owner *owner = NULL;
        close(ready[0]);
        if (pm_owner_open(&owner, db, NULL) == PM_OK) {
            pm_owner_beat(owner, 3, 41, PM_STEP_MASK);
            pm_owner_beat(owner, 0, 17, PM_STEP_DECODE);
            pm_owner_beat(owner, 0, 18, -1);
            pm_owner_beat(owner, 1, 19, PM_STEP_CROP);
            pm_owner_beat(owner, 1, 0, -1);
            pm_owner_beat(owner, PM_OWNER_WORKERS, 20, PM_STEP_CROP); /* leaves no trace */
        }
        if (write(ready[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void the_second_is_told_the_pid_of_the_first(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    struct pm_err err;
    char expected[64];
    pid_t child = start_owner(place->db);
    assert_int_equal(pm_owner_open(&owner, place->db, &err), PM_EOWNED);
    snprintf(expected, sizeof expected, "is in use by pairmill process %ld", (long)child);
    assert_non_null(strstr(err.text, expected));
    assert_non_null(strstr(err.text, place->db));
    assert_null(owner);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(pm_owner_open(&owner, place->db, &err), PM_OK); /* at once */
    int step;
    assert_true(pm_owner_last_step(owner, 41, &step));
    assert_int_equal(step, PM_STEP_MASK);
    assert_true(pm_owner_last_step(owner, 18, &step));
    assert_int_equal(step, -1);
    assert_false(pm_owner_last_step(owner, 17, &step));
    assert_false(pm_owner_last_step(owner, 19, &step));
    assert_false(pm_owner_last_step(owner, 20, &step));
    assert_false(pm_owner_last_step(owner, 0, &step));
    pm_owner_close(owner);
}

/* An owner that is killed while worker 0 has this job; 0: while it has none. */
static void be_killed_at(const char *db, int64_t job_id)
{
    pid_t child = fork();
    if (child == 0) {
        struct pm_owner *owner = NULL;
        if (pm_owner_open(&owner, db, NULL) == PM_OK) {
            pm_owner_forget_former(owner);
            pm_owner_beat(owner, 0, job_id, PM_STEP_ALIGN);
            kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

/* What an owner that begins now, recovers, and ends in order finds. */
static int kills_at(const char *db, int64_t job_id)
{
    struct pm_owner *owner = NULL;
    assert_int_equal(pm_owner_open(&owner, db, NULL), PM_OK);
    int kills = pm_owner_kills(owner, job_id);
    pm_owner_forget_former(owner);
    pm_owner_close(owner);
    return kills;
}

static void kills_in_a_row_are_counted(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    assert_int_equal(kills_at(place->db, 7), 0);
    be_killed_at(place->db, 7);
    be_killed_at(place->db, 7);
    assert_int_equal(kills_at(place->db, 7), 2);
    assert_int_equal(kills_at(place->db, 7), 0); /* told once */
    be_killed_at(place->db, 0);
    be_killed_at(place->db, 0);
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    assert_int_equal(pm_owner_deaths(owner), 2); /* since the end in order */
    pm_owner_forget_former(owner);
    pm_owner_close(owner);
    be_killed_at(place->db, 7);
    be_killed_at(place->db, 7);
    assert_int_equal(kills_at(place->db, 7), 2);
    be_killed_at(place->db, 7);
    assert_int_equal(kills_at(place->db, 7), 3); /* an end in order does not interrupt the row */
    be_killed_at(place->db, 8);
    assert_int_equal(kills_at(place->db, 7), 0);
    be_killed_at(place->db, 7); /* the one between was at another job */
    assert_int_equal(kills_at(place->db, 7), 1);
    be_killed_at(place->db, 0); /* or at none */
    be_killed_at(place->db, 7);
    assert_int_equal(kills_at(place->db, 7), 1);
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    pm_owner_beat(owner, 3, 7, PM_STEP_DECODE);
    pm_owner_beat(owner, 3, 0, -1); /* it came through */
    pm_owner_close(owner);
    be_killed_at(place->db, 7);
    assert_int_equal(kills_at(place->db, 7), 1);
}

static void who_says_why_was_not_killed(void **state)
{
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0) {
        struct pm_owner *owner = NULL;
        if (pm_owner_open(&owner, place->db, NULL) == PM_OK) {
            pm_owner_beat(owner, 0, 7, PM_STEP_ALIGN);
            kill(getpid(), SIGABRT);
        }
        _exit(1);
    }
    waitpid(child, NULL, 0);
    assert_int_equal(kills_at(place->db, 7), 0);
}

static void a_clean_end_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    int step;
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    pm_owner_beat(owner, 0, 17, PM_STEP_DECODE);
    pm_owner_close(owner);
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    assert_false(pm_owner_last_step(owner, 17, &step));
    pm_owner_close(owner);
    pm_owner_close(NULL);
}

static void an_end_that_could_not_write_leaves_word(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    int step;
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    assert_false(pm_owner_was_unsaved(owner));
    pm_owner_beat(owner, 0, 17, PM_STEP_DECODE);
    pm_owner_unsaved(owner);
    pm_owner_close(owner);
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    assert_true(pm_owner_was_unsaved(owner));
    assert_true(pm_owner_last_step(owner, 17, &step));
    pm_owner_close(owner);
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK); /* told once */
    assert_false(pm_owner_was_unsaved(owner));
    pm_owner_close(owner);
}

static void a_child_does_not_inherit_the_lock(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL); /* O_CLOEXEC closes it here */
        _exit(1);
    }
    pm_owner_close(owner);
    /* Between fork and exec the child has it still. */
    enum pm_code rc = PM_EOWNED;
    for (int i = 0; i < 1000 && rc == PM_EOWNED; i++) {
        rc = pm_owner_open(&owner, place->db, NULL);
        usleep(rc == PM_EOWNED ? 10000 : 0);
    }
    assert_int_equal(rc, PM_OK);
    pm_owner_close(owner);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void the_file_is_text_for_people(void **state)
{
    struct place *place = *state;
    struct pm_owner *owner = NULL;
    char *path = pm_tmpdir_path(place->dir, "state/pairmill.db.lock");
    char text[256] = "";
    assert_int_equal(pm_owner_open(&owner, place->db, NULL), PM_OK);
    pm_owner_beat(owner, 0, 17, PM_STEP_ALIGN);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 128);
    fclose(file);
    assert_non_null(strstr(text, "worker 0 job 17 step align "));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07137, 0); /* no more than 0640 */
    free(path);
    pm_owner_close(owner);
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(the_second_is_told_the_pid_of_the_first),
        with_place(kills_in_a_row_are_counted),
        with_place(who_says_why_was_not_killed),
        with_place(a_clean_end_leaves_nothing),
        with_place(an_end_that_could_not_write_leaves_word),
        with_place(a_child_does_not_inherit_the_lock),
        with_place(the_file_is_text_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
