/* outputs: one process at a time for each folder, by whatever name; swept when taken, not later. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/outputs.h"
#include "tests/lib/tmpdir.h"

struct rig {
    char *dir, *out, *left; /* left: something unfinished in out */
    struct pm_conf *conf;
    struct pm_outputs *outputs;
    int steps;
};

static void add_source(struct rig *rig, const char *name, const char *output)
{
    char *path = pm_tmpdir_path(rig->dir, output);
    assert_int_equal(pm_conf_add_source(rig->conf, name, rig->dir, path, NULL), PM_OK);
    free(path);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->dir = pm_tmpdir_make();
    rig->out = pm_tmpdir_path(rig->dir, "new/out");
    rig->left = pm_tmpdir_path(rig->dir, "new/out/.partial/7.1.0.0/mask.png");
    assert_int_equal(pm_conf_new(&rig->conf, NULL), PM_OK);
    add_source(rig, "a", "new/out");
    assert_int_equal(pm_outputs_new(&rig->outputs, NULL), PM_OK);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pm_outputs_free(rig->outputs);
    pm_conf_unref(rig->conf);
    free(rig->out);
    free(rig->left);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

static void count_step(void *ctx)
{
    ((struct rig *)ctx)->steps++;
}

static enum pm_code take(struct rig *rig, struct pm_err *err)
{
    return pm_outputs_take(rig->outputs, rig->conf, count_step, rig, err);
}

static void a_folder_is_made_and_swept_once(void **state)
{
    struct rig *rig = *state;
    pm_tmpdir_write(rig->dir, "new/out/.partial/7.1.0.0/mask.png", "half");
    assert_int_equal(take(rig, NULL), PM_OK);
    assert_int_equal(rig->steps, 1);
    assert_int_not_equal(access(rig->left, F_OK), 0);
    /* Held: what lies there now is being made by this process. */
    pm_tmpdir_write(rig->dir, "new/out/.partial/7.1.0.0/mask.png", "half");
    assert_int_equal(take(rig, NULL), PM_OK);
    assert_int_equal(access(rig->left, F_OK), 0);
}

static void another_name_is_the_same_folder(void **state)
{
    struct rig *rig = *state;
    char *link = pm_tmpdir_path(rig->dir, "link");
    assert_int_equal(symlink("new/out", link), 0);
    add_source(rig, "b", "link");
    assert_int_equal(take(rig, NULL), PM_OK);
    assert_int_equal(rig->steps, 2);
    free(link);
}

/* A process that takes the outputs and waits to be killed. */
static pid_t start_holder(struct rig *rig)
{
    int ready[2];
    char answer = 'n';
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ready[0]);
        answer = pm_outputs_take(rig->outputs, rig->conf, NULL, NULL, NULL) == PM_OK ? 'y' : 'n';
        if (write(ready[1], &answer, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ready[0]);
    return child;
}

static void another_process_is_refused_and_sweeps_nothing(void **state)
{
    struct rig *rig = *state;
    struct pm_err err = {0};
    pid_t holder = start_holder(rig);
    pm_tmpdir_write(rig->dir, "new/out/.partial/7.1.0.0/mask.png", "half");
    assert_int_equal(take(rig, &err), PM_EOWNED);
    assert_non_null(strstr(err.text, rig->out));
    assert_int_equal(access(rig->left, F_OK), 0);
    kill(holder, SIGKILL);
    assert_int_equal(take(rig, &err), PM_OK); /* at once: no left-over can lock it */
    waitpid(holder, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_made_and_swept_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_name_is_the_same_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            another_process_is_refused_and_sweeps_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
