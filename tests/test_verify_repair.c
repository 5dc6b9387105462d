/* verify_repair: broken pairs are queued again, unless that would cost somebody something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/verify_repair.h"
#include "tests/lib/verifykit.h"

static struct pm_verify_entry *entry_of(struct pm_verify_list *list, int64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].job_id == id) {
            return &list->entries[i];
        }
    }
    fail_msg("no entry of job %d", (int)id);
    return NULL;
}

static void only_what_can_be_done_again_is_queued(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list = {0};
    struct pm_findings kept;
    struct pm_err err;
    int64_t requeued;
    int64_t whole = verify_pair(kit, "whole.tif", true);
    int64_t broken = verify_pair(kit, "broken.tif", true);
    int64_t guests = verify_pair(kit, "guests.tif", true);
    int64_t retired = verify_pair(kit, "retired.tif", true);
    int64_t gone = verify_pair(kit, "gone.tif", true);
    struct pm_sighting gone_file = {.kind = PM_GONE, .path = "s/gone.tif"};
    kit_sight(kit, "lab", &gone_file);
    assert_int_equal(pm_verify_list_load(&list, kit->store, NULL), PM_OK);
    pm_store_close(kit->store);
    kit->store = NULL;
    for (size_t i = 0; i < list.count; i++) {
        list.entries[i].broken = list.entries[i].job_id != whole;
    }
    entry_of(&list, guests)->guests = true;
    entry_of(&list, retired)->active = false;
    pm_findings_init(&kept);
    assert_int_equal(pm_verify_repair(&list, kit->conf, &requeued, &kept, &err), PM_OK);
    assert_int_equal(requeued, 1);
    assert_int_equal(kept.count, 3);
    for (size_t i = 0; i < kept.count; i++) {
        const char *why = kept.list[i].what;
        assert_non_null(strstr(why, kept.list[i].job_id == guests    ? "others"
                                    : kept.list[i].job_id == retired ? "configuration"
                                                                     : "gone"));
    }
    char answer[32];
    snprintf(answer, sizeof answer, "%d|4", (int)broken);
    pm_kit_expect(kit, answer,
        "select (select id from job where state = 'queued'), (select count(*) from results)");
    assert_true(gone > retired);
    pm_findings_fini(&kept);
    pm_verify_list_clear(&list);
}

static void an_owner_that_does_not_listen_is_named(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list = {0};
    struct pm_findings kept;
    struct pm_err err;
    int64_t requeued;
    verify_pair(kit, "a.tif", true);
    assert_int_equal(pm_verify_list_load(&list, kit->store, NULL), PM_OK);
    list.entries[0].broken = true;
    pm_store_close(kit->store);
    kit->store = NULL;
    pm_kit_ledger(kit);
    pm_findings_init(&kept);
    assert_int_equal(pm_verify_repair(&list, kit->conf, &requeued, &kept, &err), PM_EOWNED);
    pm_kit_expect(kit, "1", "select done from progress");
    pm_findings_fini(&kept);
    pm_verify_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {with_store(only_what_can_be_done_again_is_queued),
        with_store(an_owner_that_does_not_listen_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
