/* queue_sight: which files make which scenes and pairs, and what changes, losses and returns do. */
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

static void folders_make_scenes_and_sides(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "gt/g.tif", 1);
    pm_kit_see(kit, "t.tif", 1);
    pm_kit_see(kit, "a/b/gt/g.tif", 1);
    pm_kit_see(kit, "a/b/t.tif", 1);
    pm_kit_see(kit, "a/bgt/t.tif", 1);    /* not called gt */
    pm_kit_see(kit, "a/GT/t.tif", 1);     /* names are case-sensitive */
    pm_kit_see(kit, "a/b/gt/x/t.tif", 1); /* below gt, not in it */
    pm_kit_expect(kit, ".|1|1\na/GT|0|1\na/b|1|1\na/b/gt/x|0|1\na/bgt|0|1",
        "select name, gts, targets from scene order by name");
    pm_kit_expect(kit, "2", "select count(*) from job");
    pm_kit_expect(kit, "3", "select waiting from progress");
}

static void pairs_come_in_any_order_and_only_once(void **state)
{
    struct pm_kit *kit = *state;
    static const char *const files[] = {
        "s/t1.tif", "s/gt/g1.tif", "s/t2.tif", "s/gt/g2.tif", "s/t3.tif"};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++) {
            pm_kit_see(kit, files[i], 10);
        }
    }
    pm_kit_expect(kit, "6|6|2|3",
        "select count(*), sum(state = 'queued'), count(distinct gt_id), count(distinct target_id)"
        " from job");
    pm_kit_expect(kit, "6|6|0", "select queued, total, waiting from progress");
}

static void options_add_gt_gt_and_self_pairs(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g1.tif", 1);
    pm_kit_see(kit, "s/gt/g2.tif", 1);
    pm_kit_expect(kit, "0|2", "select total, waiting from progress");
    kit->conf->sources[0].pair_gt_gt = true;
    kit->conf->sources[0].pair_self = true;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    pm_kit_expect(kit, "4|0", "select total, waiting from progress"); /* what was there already */
    pm_kit_see(kit, "s/gt/g3.tif", 1);
    pm_kit_expect(kit, "9|0", "select total, waiting from progress");
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_expect(kit, "12|0", "select total, waiting from progress");
    pm_kit_expect(kit, "3", "select count(*) from job where gt_id = target_id");
    pm_kit_expect(kit, "0", "select count(*) from unpaired");
}

static void a_known_file_in_a_known_state_changes_nothing(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_expect(kit, "1|0", "select done, queued from progress");
    pm_kit_expect(kit, "1|1", "select min(revision), max(revision) from image");
}

static void a_changed_file_is_done_again_with_fresh_attempts(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_see(kit, "s/u.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EFORMAT);
    pm_kit_see(kit, "s/t.tif", 2);
    pm_kit_expect(kit, "1|0|1|0", "select queued, done, failed, missing from progress");
    pm_kit_expect(kit, "0|1|2",
        "select attempts, gt_revision, target_revision from job where state = 'queued'");
    pm_kit_expect(kit, "0|0|0",
        "select (select count(*) from result), (select count(*) from crop),"
        " coalesce((select n from scene_total), 0)");
    pm_kit_see(kit, "s/gt/g.tif", 2);
    pm_kit_expect(kit, "2|0", "select queued, failed from progress");
}

static void a_gone_file_makes_its_jobs_missing_but_keeps_done(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t1.tif", 1);
    pm_kit_see(kit, "s/t2.tif", 1);
    pm_kit_see(kit, "s/t3.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EFORMAT);
    pm_kit_gone(kit, "s/gt/g.tif");
    pm_kit_expect(kit, "1|2|0|0|3", "select done, missing, queued, failed, waiting from progress");
    pm_kit_expect(kit, "0|3", "select gts, targets from scenes");
    pm_kit_see(kit, "s/t4.tif", 1); /* its gt is not there: no pair yet */
    pm_kit_expect(kit, "3", "select total from progress");
    pm_kit_see(kit, "s/gt/g.tif", 1); /* as it was */
    pm_kit_expect(kit, "1|0|3|0", "select done, missing, queued, waiting from progress");
    pm_kit_expect(kit, "0", "select max(attempts) from job where state = 'queued'");
}

static void a_file_that_returns_changed_redoes_what_was_done(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_gone(kit, "s/t.tif");
    pm_kit_see(kit, "s/gt/g.tif", 5); /* changes while the other is away */
    pm_kit_expect(kit, "1", "select done from progress");
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_expect(kit, "1|0", "select queued, done from progress");
}

static void a_folder_goes_as_a_whole(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "a/gt/g.tif", 1);
    pm_kit_see(kit, "a/t.tif", 1);
    pm_kit_see(kit, "a.b/t.tif", 1);
    pm_kit_see(kit, "ab/t.tif", 1);
    pm_kit_gone(kit, "a");
    pm_kit_expect(kit, "a.b/t.tif|present\na/gt/g.tif|gone\na/t.tif|gone\nab/t.tif|present",
        "select name, state from image order by name");
}

static void a_walk_takes_for_gone_what_it_did_not_meet(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_see(kit, "s/rewritten.tif", 1);
    kit->now_us += 1000000;
    int64_t walk_us = kit->now_us;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    struct pm_sighting unsettled = {.kind = PM_KEPT, .path = "s/rewritten.tif"};
    struct pm_sighting new_file = {.kind = PM_KEPT, .path = "s/new.tif"};
    kit_sight(kit, "lab", &unsettled);
    kit_sight(kit, "lab", &new_file);
    pm_kit_walked(kit, walk_us);
    pm_kit_expect(kit, "s/t.tif", "select group_concat(name) from image where state = 'gone'");
    pm_kit_expect(kit, "1|1", "select missing, queued from progress");
    pm_kit_walked(kit, walk_us); /* again: nothing more */
    pm_kit_expect(kit, "1|1", "select missing, queued from progress");
}

static void what_lies_in_a_closed_folder_is_not_gone(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_sighting closed = {.kind = PM_KEPT, .path = "s/closed"};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/closed/t.tif", 1);
    pm_kit_see(kit, "s/closed/deep/t.tif", 1);
    pm_kit_see(kit, "s/closed2/t.tif", 1);
    kit->now_us += 1000000;
    int64_t walk_us = kit->now_us;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    kit_sight(kit, "lab", &closed);
    pm_kit_walked(kit, walk_us);
    pm_kit_expect(
        kit, "s/closed2/t.tif", "select group_concat(name) from image where state = 'gone'");
}

static void a_new_inode_alone_is_no_new_revision(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job job = {0};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    struct pm_sighting moved = {
        .kind = PM_SEEN, .path = "s/t.tif", .stamp = {.size = 1, .mtime_ns = 1001, .inode = 99}};
    kit_sight(kit, "lab", &moved);
    assert_int_equal(pm_kit_claim(kit, 0, &job, 1), 1);
    assert_int_equal(job.target.inode, 99);
    assert_int_equal(job.gt.inode, 7);
    pm_job_clear(&job);
    pm_kit_expect(kit, "1", "select max(revision) from image");
}

static void hostile_names_stay_apart_and_keep_their_bytes(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job jobs[8] = {0};
    static const char *const names[] = {"s/\xff\xfe.tif", "s/new\nline.tif", "s/-dash.tif",
        "s/\xc3\xa9.tif", "s/e\xcc\x81.tif", "s/\xed\xa0\x80.tif"};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    for (int i = 0; i < 6; i++) {
        pm_kit_see(kit, names[i], 1);
    }
    assert_int_equal(pm_kit_claim(kit, 0, jobs, 8), 6);
    for (int i = 0; i < 6; i++) {
        assert_non_null(strstr(jobs[i].target_path, names[i]));
        pm_job_clear(&jobs[i]);
    }
    pm_kit_expect(kit, "s/\\xff\\xfe.tif", "select name from image where id = 2");
    pm_kit_expect(kit, "s/new\\x0aline.tif", "select name from image where id = 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(folders_make_scenes_and_sides),
        with_store(pairs_come_in_any_order_and_only_once),
        with_store(options_add_gt_gt_and_self_pairs),
        with_store(a_known_file_in_a_known_state_changes_nothing),
        with_store(a_changed_file_is_done_again_with_fresh_attempts),
        with_store(a_gone_file_makes_its_jobs_missing_but_keeps_done),
        with_store(a_file_that_returns_changed_redoes_what_was_done),
        with_store(a_folder_goes_as_a_whole),
        with_store(what_lies_in_a_closed_folder_is_not_gone),
        with_store(a_walk_takes_for_gone_what_it_did_not_meet),
        with_store(a_new_inode_alone_is_no_new_revision),
        with_store(hostile_names_stay_apart_and_keep_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
