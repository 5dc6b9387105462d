/* queue_claim: which job comes next, jobs of one gt together, delayed ones when their time has
 * come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

static size_t claim_ids(struct pm_kit *kit, int64_t *ids, size_t max)
{
    struct pm_job jobs[16] = {0};
    size_t count = pm_kit_claim(kit, 0, jobs, max);
    for (size_t i = 0; i < count; i++) {
        ids[i] = jobs[i].id;
        pm_job_clear(&jobs[i]);
    }
    return count;
}

static void jobs_of_one_gt_come_together_oldest_first(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job jobs[3] = {0};
    pm_kit_see(kit, "s/gt/g1.tif", 1);
    pm_kit_see(kit, "s/gt/g2.tif", 1);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "s/t%d.tif", i);
        pm_kit_see(kit, name, 1); /* jobs 1 3 5 7 with g1, 2 4 6 8 with g2 */
    }
    assert_int_equal(pm_kit_claim(kit, 5, jobs, 3), 3);
    int64_t gt_image = jobs[0].gt_image;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(jobs[i].id, 2 * i + 1);
        assert_int_equal(jobs[i].gt_image, gt_image);
        pm_job_clear(&jobs[i]);
    }
    assert_int_equal(pm_kit_claim(kit, 6, jobs, 3), 3);
    assert_int_equal(jobs[0].id, 2);
    for (int i = 0; i < 3; i++) {
        pm_job_clear(&jobs[i]);
    }
    pm_kit_expect(kit, "5|3\n6|3",
        "select worker, count(*) from job where state = 'running' group by worker");
}

/* Two sources take turns with one output, as two runs with different --input_dir may. */
static void a_place_another_source_has_is_told(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job jobs[2] = {0};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    struct pm_source_conf *other = pm_kit_source(kit, "other");
    free(other->output);
    other->output = strdup(kit->conf->sources[0].output);
    struct pm_source_conf lab = kit->conf->sources[0];
    kit->conf->sources[0] = *other;
    kit->conf->source_count = 1; /* lab has left the settings */
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    kit->conf->sources[1] = lab;
    kit->conf->source_count = 2;
    pm_kit_see_in(kit, "other", "s/gt/g.tif", 2);
    pm_kit_see_in(kit, "other", "s/t.tif", 2);
    pm_kit_see_in(kit, "other", "s/t2.tif", 2);
    assert_int_equal(pm_kit_claim(kit, 0, jobs, 2), 2);
    assert_string_equal(jobs[0].taken_by, lab.input);
    assert_null(jobs[1].taken_by);
    pm_job_clear(&jobs[0]);
    pm_job_clear(&jobs[1]);
}

static void a_new_revision_of_a_gt_is_another_image(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job job = {0};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    assert_int_equal(pm_kit_claim(kit, 0, &job, 1), 1);
    int64_t first = job.gt_image;
    pm_kit_end(kit, job.id, PM_OK);
    pm_job_clear(&job);
    pm_kit_see(kit, "s/gt/g.tif", 2);
    assert_int_equal(pm_kit_claim(kit, 0, &job, 1), 1);
    assert_int_not_equal(job.gt_image, first);
    pm_job_clear(&job);
}

/* The decoded-gt cache goes by gt_image: two gts with one number would share their pixels. */
static void no_two_gts_share_an_image_number(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job first = {0}, second = {0};
    pm_kit_see(kit, "a/gt/g.tif", 1);
    pm_kit_see(kit, "a/t.tif", 1);
    pm_kit_see(kit, "b/gt/g.tif", 1);
    pm_kit_see(kit, "b/t.tif", 1);
    assert_int_equal(pm_kit_claim(kit, 0, &first, 1), 1);
    assert_int_equal(pm_kit_claim(kit, 1, &second, 1), 1);
    assert_int_not_equal(first.gt_image, second.gt_image);
    assert_int_not_equal(first.gt_image, first.target_image);
    pm_job_clear(&first);
    pm_job_clear(&second);
}

static void sources_take_turns_and_priority_goes_first(void **state)
{
    struct pm_kit *kit = *state;
    static const char *const sources[] = {"lab", "field", "urgent"};
    int64_t ids[4];
    pm_kit_source(kit, "field");
    pm_kit_source(kit, "urgent")->priority = 5;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    for (int s = 0; s < 3; s++) { /* jobs 1 2, 3 4, 5 6: each with a gt of its own */
        pm_kit_see_in(kit, sources[s], "a/gt/g.tif", 1);
        pm_kit_see_in(kit, sources[s], "a/t.tif", 1);
        pm_kit_see_in(kit, sources[s], "b/gt/g.tif", 1);
        pm_kit_see_in(kit, sources[s], "b/t.tif", 1);
    }
    static const int64_t expected[] = {5, 6, 1, 3, 2, 4};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(claim_ids(kit, ids, 4), 1);
        assert_int_equal(ids[0], expected[i]);
    }
    assert_int_equal(claim_ids(kit, ids, 4), 0);
}

static void a_paused_or_retired_source_gives_nothing(void **state)
{
    struct pm_kit *kit = *state;
    int64_t ids[4];
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    assert_int_equal(pm_queue_pause(kit->store, "lab", true, NULL), PM_OK);
    assert_int_equal(claim_ids(kit, ids, 4), 0);
    assert_int_equal(pm_queue_pause(kit->store, "lab", false, NULL), PM_OK);
    assert_int_equal(pm_queue_pause(kit->store, NULL, true, NULL), PM_OK);
    assert_int_equal(claim_ids(kit, ids, 4), 0);
    assert_int_equal(pm_queue_pause(kit->store, NULL, false, NULL), PM_OK);
    assert_int_equal(claim_ids(kit, ids, 4), 1);
}

static void delayed_jobs_wake_in_time_and_after_a_clock_set_back(void **state)
{
    struct pm_kit *kit = *state;
    int64_t ids[4];
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EIO);
    struct pm_counts counts;
    assert_int_equal(pm_queue_counts(kit->store, &counts, NULL), PM_OK);
    assert_int_equal(counts.queued, 1);
    assert_int_equal(counts.ready, 0);
    assert_int_equal(counts.next_due_us, kit->now_us + 5000000);
    kit->now_us += 4999999;
    assert_int_equal(claim_ids(kit, ids, 4), 0);
    kit->now_us -= (int64_t)10 * 3600 * 1000000; /* somebody sets the clock back */
    assert_int_equal(claim_ids(kit, ids, 4), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(jobs_of_one_gt_come_together_oldest_first),
        with_store(a_place_another_source_has_is_told),
        with_store(a_new_revision_of_a_gt_is_another_image),
        with_store(no_two_gts_share_an_image_number),
        with_store(sources_take_turns_and_priority_goes_first),
        with_store(a_paused_or_retired_source_gives_nothing),
        with_store(delayed_jobs_wake_in_time_and_after_a_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
