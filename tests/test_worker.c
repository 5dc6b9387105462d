/* worker: the whole way of a pair, its record in pm_result, and what is left when it goes wrong.
 * `test_worker run GT TARGET OUTDIR [MAX_SHIFT [KEY=VALUE ...]]` does one pair for the Python
 * tests: OUTDIR/<gt>--<target>/ as the service would write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/lib/workerkit.h"
#include "worker/align/align.h"

#define MB ((size_t)1 << 20)

struct fixture {
    struct kit kit;
    char *dir;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pm_log_init(PM_LOG_ERR, 0);
    kit_init(&f->kit, 64 * MB, 64 * MB);
    f->dir = kit_tmpdir();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(pm_budget_used(f->kit.budget), 0); /* every byte was given back */
    kit_fini(&f->kit);
    kit_remove(f->dir);
    free(f->dir);
    free(f);
    return 0;
}

static struct pm_result run(struct fixture *f, struct pm_job *job)
{
    struct pm_result result = {0};
    pm_worker_run(f->kit.worker, f->kit.conf, job, &result);
    return result;
}

/* Nothing of the pair may be seen: no folder of its own, nothing in .partial. */
static void assert_no_output(struct fixture *f)
{
    char *partial = kit_path(f->dir, "out/.partial"), *scene = kit_path(f->dir, "out/s");
    assert_true(kit_entries(partial) <= 0);
    assert_true(kit_entries(scene) <= 0);
    free(partial);
    free(scene);
}

static void a_pair_comes_out_complete(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 3, -2);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_result result = run(f, &job);
    static const char *const files[] = {"mask.png", "pair.json", "crops/0_0.gt.tif",
        "crops/0_0.target.tif", "crops/0_0.mask.png", "crops/46_29.gt.tif"};

    assert_string_equal(result.message, "");
    assert_int_equal(result.code, PM_OK);
    assert_int_equal(result.shift.dy, 3);
    assert_int_equal(result.shift.dx, -2);
    assert_int_equal(result.overlap.w, 62);
    assert_int_equal(result.overlap.h, 45);
    assert_int_equal(result.overlap.gt_y, 3);
    assert_int_equal(result.overlap.target_x, 2);
    assert_true(result.mask_mean > 0.9 && result.mask_mean <= 1);
    assert_int_equal(result.crop_count, 20); /* x 0 12 24 36 46, y 0 12 24 29 */
    assert_int_equal(result.crops_written, 20);
    assert_int_equal(strlen(result.gt_hash), 16);
    assert_int_equal(strlen(result.recipe), 16);
    for (int step = 0; step < PM_STEP_COUNT; step++) {
        assert_true(result.timing[step].ran);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = kit_path(result.output_dir, files[i]);
        assert_true(kit_exists(path));
        free(path);
    }
    pm_result_clear(&result);
    pm_job_clear(&job);
}

/* What the mask step sums in passing is what pm_align_loss() says, to the bit. */
static void the_loss_is_that_of_align(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, -3, 5);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_result result = run(f, &job);
    struct pm_shift shift;
    struct pm_err err = {0};
    assert_int_equal(result.code, PM_OK);
    assert_int_equal(
        pm_worker_align_files(f->kit.conf, job.gt_path, job.target_path, &shift, &err), PM_OK);
    assert_int_equal(shift.dy, result.shift.dy);
    assert_int_equal(shift.dx, result.shift.dx);
    assert_true(shift.gain == result.shift.gain);
    assert_true(shift.loss == result.shift.loss);
    assert_true(shift.loss > 0 && shift.loss < 0.05);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void run_again_gives_the_same_bytes_and_a_cache_hit(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U8, 1, 0, 4);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_result first = run(f, &job);
    char *path = kit_path(first.output_dir, "pair.json");
    char *before = kit_read(path, NULL);
    struct pm_result second = run(f, &job);
    char *after = kit_read(path, NULL);
    assert_int_equal(first.code, PM_OK);
    assert_int_equal(second.code, PM_OK);
    assert_false(first.gt_cached);
    assert_true(second.gt_cached);
    assert_string_equal(before, after);
    char *partial = kit_path(f->dir, "out/.partial");
    assert_int_equal(kit_entries(partial), 0); /* the first result is gone */
    free(partial);
    free(before);
    free(after);
    free(path);
    pm_result_clear(&first);
    pm_result_clear(&second);
    pm_job_clear(&job);
}

static void a_bad_file_is_named_with_its_step(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U8, 3, 0, 0);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    kit_write(job.target_path, "this is no image");
    job.target = kit_stamp(job.target_path);
    struct pm_result result = run(f, &job);
    assert_int_equal(result.code, PM_EFORMAT);
    assert_int_equal(result.step, PM_STEP_DECODE);
    assert_non_null(strstr(result.message, job.target_path));
    assert_null(result.output_dir);
    assert_false(result.timing[PM_STEP_GAIN].ran);
    assert_no_output(f);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void black_targets_have_no_gain(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 0, 0);
    struct pm_image *black = kit_image(64, 48, 3, PM_U16);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    kit_write_tiff(job.target_path, black);
    job.target = kit_stamp(job.target_path);
    struct pm_result result = run(f, &job);
    assert_int_equal(result.code, PM_EGAIN);
    assert_int_equal(result.step, PM_STEP_GAIN);
    assert_non_null(strstr(result.message, job.target_path));
    pm_image_free(black);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void something_in_the_way_is_not_touched(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 1, 1);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    static const char *const folders[] = {"out", "out/s", "out/s/a.tif--b.tif"};
    for (size_t i = 0; i < 3; i++) {
        char *path = kit_path(f->dir, folders[i]);
        kit_mkdir(path);
        free(path);
    }
    char *notes = kit_path(f->dir, "out/s/a.tif--b.tif/notes.txt");
    kit_write(notes, "mine");
    struct pm_result result = run(f, &job);
    assert_int_equal(result.code, PM_EEXIST);
    assert_int_equal(result.step, PM_STEP_PUBLISH);
    assert_non_null(strstr(result.message, "move it"));
    char *text = kit_read(notes, NULL);
    assert_string_equal(text, "mine");
    char *partial = kit_path(f->dir, "out/.partial");
    assert_int_equal(kit_entries(partial), 0);
    free(partial);
    free(text);
    free(notes);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

/* The place is another source's: nothing there is touched, not even when the pair would fail. */
static void a_place_that_is_taken_stays_so(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 1, 1);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_result first = run(f, &job);
    assert_int_equal(first.code, PM_OK);
    char *record = kit_path(first.output_dir, "pair.json");
    for (int bad = 0; bad < 2; bad++) {
        if (bad) {
            kit_write(job.target_path, "no image");
        }
        job.taken_by = strdup("/monday");
        struct pm_result second = run(f, &job);
        assert_int_equal(second.code, PM_EEXIST);
        assert_int_equal(second.step, PM_STEP_PUBLISH);
        assert_non_null(strstr(second.message, first.output_dir));
        assert_non_null(strstr(second.message, "/monday"));
        assert_true(kit_exists(record));
        pm_result_clear(&second);
        free(job.taken_by);
        job.taken_by = NULL;
    }
    free(record);
    pm_result_clear(&first);
    pm_job_clear(&job);
}

/* Somebody cleans up in the output while a pair is at work. */
static void take_partial_away(void *ctx, enum pm_step step)
{
    struct fixture *f = ctx;
    if (step == PM_STEP_PUBLISH) {
        char *partial = kit_path(f->dir, "out/.partial");
        kit_remove(partial);
        free(partial);
    }
}

static void an_output_taken_away_is_no_missing_input(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 1, 1);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    f->kit.env.at_step = take_partial_away;
    f->kit.env.ctx = f;
    struct pm_result result = run(f, &job);
    assert_int_equal(result.step, PM_STEP_PUBLISH);
    assert_int_equal(pm_code_fate(result.code), PM_FATE_RETRY);
    assert_non_null(strstr(result.message, "taken away"));
    assert_non_null(strstr(result.message, f->dir));
    pm_result_clear(&result);
    f->kit.env.at_step = NULL;
    result = run(f, &job);
    assert_int_equal(result.code, PM_OK);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void abandoned_pairs_leave_nothing(void **state)
{
    struct fixture *f = *state;
    atomic_bool abandon = true;
    f->kit.env.abandon = &abandon;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 1, 1);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_result result = run(f, &job);
    assert_int_equal(result.code, PM_ECANCELED);
    assert_no_output(f);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void mixed_sample_types_are_compared_and_cut_as_they_are(void **state)
{
    struct fixture *f = *state;
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 2, 3);
    struct pm_job job = kit_job(f->dir, "a.tif", "b.tif");
    struct pm_image *b = kit_image(64, 48, 3, PM_F32);
    kit_texture(b, 3, 2, 0.8, 0.02, 2);
    kit_write_tiff(job.target_path, b);
    job.target = kit_stamp(job.target_path);
    struct pm_result result = run(f, &job);
    struct pm_image_info info;
    struct pm_limits limits = {.max_pixels = 1000000};
    struct pm_err err = {0};
    assert_string_equal(result.message, "");
    assert_int_equal(result.shift.dy, 2);
    assert_int_equal(result.shift.dx, 3);
    char *gt = kit_path(result.output_dir, "crops/0_0.gt.tif");
    char *target = kit_path(result.output_dir, "crops/0_0.target.tif");
    assert_int_equal(pm_image_probe(gt, &limits, &info, &err), PM_OK);
    assert_int_equal(info.sample, PM_U16);
    assert_int_equal(pm_image_probe(target, &limits, &info, &err), PM_OK);
    assert_int_equal(info.sample, PM_F32);
    free(gt);
    free(target);
    pm_image_free(b);
    pm_result_clear(&result);
    pm_job_clear(&job);
}

static void align_files_names_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct pm_shift shift;
    struct pm_err err = {0};
    char *path = kit_path(f->dir, "nowhere.tif");
    assert_int_equal(pm_worker_align_files(f->kit.conf, path, path, &shift, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, path));
    free(path);
}

/* One pair for the Python tests; see the top. */
static int run_pair(int argc, char **argv)
{
    struct kit kit;
    struct pm_result result = {0};
    struct pm_job job = {.id = 1,
        .attempt = 1,
        .gt_image = 1,
        .target_image = 2,
        .scene = strdup("."),
        .gt_path = strdup(argv[2]),
        .target_path = strdup(argv[3]),
        .output = strdup(argv[4]),
        .gt = kit_stamp(argv[2]),
        .target = kit_stamp(argv[3])};
    kit_init(&kit, 1024 * MB, 4096 * MB);
    kit_set(&kit, "max_shift", argc > 5 ? argv[5] : "16");
    for (int i = 6; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value = '\0';
            kit_set(&kit, argv[i], value + 1);
        }
    }
    pm_worker_run(kit.worker, kit.conf, &job, &result);
    int rc = result.code == PM_OK ? 0 : 1;
    if (rc == 0) {
        printf("%s\n", result.output_dir);
        fprintf(stderr, "loss=%.17g\n", result.shift.loss);
        for (int step = 0; step < PM_STEP_COUNT; step++) {
            fprintf(stderr, "%s=%.1fms (cpu %.1f) ", pm_step_name((enum pm_step)step),
                (double)result.timing[step].wall_us / 1000.0,
                (double)result.timing[step].cpu_us / 1000.0);
        }
        fprintf(stderr, "\n");
    } else {
        fprintf(stderr, "%s: %s\n", pm_code_name(result.code), result.message);
    }
    pm_result_clear(&result);
    pm_job_clear(&job);
    kit_fini(&kit);
    return rc;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pair_comes_out_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loss_is_that_of_align, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            run_again_gives_the_same_bytes_and_a_cache_hit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_file_is_named_with_its_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(black_targets_have_no_gain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(something_in_the_way_is_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_place_that_is_taken_stays_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_output_taken_away_is_no_missing_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(abandoned_pairs_leave_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            mixed_sample_types_are_compared_and_cut_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(align_files_names_what_is_missing, set_up, tear_down),
    };
    if (argc >= 5 && strcmp(argv[1], "run") == 0) {
        return run_pair(argc, argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
