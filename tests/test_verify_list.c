/* verify_list: which folders the database vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/verify_list.h"
#include "tests/lib/verifykit.h"

static void load(struct pm_kit *kit, struct pm_verify_list *list)
{
    struct pm_err err;
    *list = (struct pm_verify_list){0};
    assert_int_equal(pm_verify_list_load(list, kit->store, &err), PM_OK);
}

static bool knows(struct pm_kit *kit, const struct pm_verify_list *list, const char *name)
{
    char *path = verify_path(kit, name, "");
    bool known = pm_verify_list_knows(list, path);
    free(path);
    return known;
}

static void done_and_pending_pairs_are_known(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list;
    int64_t id = verify_pair(kit, "a.tif", true);
    verify_pair(kit, "b.tif", false);
    pm_kit_see(kit, "s/queued.tif", 1);
    pm_kit_see(kit, "s/failed.tif", 1);
    assert_int_equal(pm_kit_claim_one(kit), id + 2); /* queued.tif is running now */
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EFORMAT);
    load(kit, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.source_count, 1);
    assert_int_equal(strlen(list.entries[0].record), 16);
    assert_string_equal(list.entries[1].record, "");
    assert_string_equal(list.entries[1].gt_hash, "00112233445566aa");
    assert_true(list.entries[0].active);
    assert_true(knows(kit, &list, "a.tif"));
    assert_true(knows(kit, &list, "b.tif"));
    assert_true(knows(kit, &list, "queued.tif"));
    assert_false(knows(kit, &list, "failed.tif"));
    assert_false(knows(kit, &list, "never.tif"));
    char *pending = verify_path(kit, "queued.tif", "");
    assert_false(pm_verify_list_done(&list, pending));
    free(pending);
    pm_verify_list_clear(&list);
    load(kit, &list);
    pm_verify_list_clear(&list);
}

static void a_job_called_done_by_hand_has_no_folder(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list;
    int64_t id = verify_pair(kit, "a.tif", true);
    verify_pair(kit, "b.tif", true);
    char command[256];
    snprintf(command, sizeof command, "sqlite3 '%s' 'delete from result where job_id = %d'",
        kit->db, (int)id);
    assert_int_equal(system(command), 0);
    load(kit, &list);
    assert_int_equal(list.count, 2);
    assert_null(list.entries[0].folder);
    assert_int_equal(list.entries[0].job_id, id);
    assert_false(knows(kit, &list, "a.tif"));
    assert_true(knows(kit, &list, "b.tif"));
    pm_verify_list_clear(&list);
}

/* The same folder under another name of its source: the later result is what lies there. */
static void of_two_results_in_one_folder_the_later_counts(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list;
    int64_t first = verify_pair(kit, "a.tif", true);
    char command[1024];
    snprintf(command, sizeof command,
        "sqlite3 '%s' \"insert into job select 77, source_id, scene_id, target_id, gt_id,"
        " 1, 1, 'queued', 0, 0, 0, null, 1, null, null, null, null, null from job where id = %d;"
        " update job set state = 'running' where id = 77;"
        " update job set state = 'done' where id = 77;"
        " create temp table copy as select * from result where job_id = %d;"
        " update copy set job_id = 77, finished_us = finished_us + 1;"
        " insert into result select * from copy\"",
        kit->db, (int)first, (int)first);
    assert_int_equal(system(command), 0);
    load(kit, &list);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.entries[0].job_id, 77);
    pm_verify_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {with_store(done_and_pending_pairs_are_known),
        with_store(a_job_called_done_by_hand_has_no_folder),
        with_store(of_two_results_in_one_folder_the_later_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
