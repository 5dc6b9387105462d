/* queue_source: sources as the configuration says, known by name; the recipe in force. */
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

static void sources_come_change_and_go_by_name(void **state)
{
    struct pm_kit *kit = *state;
    int64_t id;
    pm_kit_source(kit, "field")->priority = 3;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    pm_kit_expect(
        kit, "lab|0|1\nfield|3|1", "select name, priority, active from source order by id");
    kit->conf->source_count = 1;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    kit->conf->source_count = 2;
    assert_int_equal(pm_queue_source_id(kit->store, "field", &id, NULL), PM_OK);
    assert_int_equal(id, 0);
    assert_int_equal(pm_queue_source_id(kit->store, "lab", &id, NULL), PM_OK);
    assert_int_equal(id, 1);
    pm_kit_expect(kit, "lab", "select group_concat(source) from progress"); /* field had no pairs */
}

static void a_command_without_sources_changes_none(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_conf *none = NULL;
    assert_int_equal(pm_conf_new(&none, NULL), PM_OK);
    none->crop_size *= 2;
    assert_int_equal(pm_queue_configure(kit->store, none, kit->now_us, NULL), PM_OK);
    pm_conf_unref(none);
    pm_kit_expect(kit, "lab|1", "select name, active from source");
    pm_kit_expect(kit, "1|1", "select count(*), sum(current) from recipe");
}

static void one_recipe_is_the_current_one(void **state)
{
    struct pm_kit *kit = *state;
    char hash[17];
    kit->conf->crop_size *= 2;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    pm_conf_recipe(kit->conf, hash, NULL, 0);
    pm_kit_expect(kit, "2|1", "select count(*), sum(current) from recipe");
    pm_kit_expect(kit, hash, "select hash from recipe where current and json_valid(json)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(sources_come_change_and_go_by_name),
        with_store(a_command_without_sources_changes_none),
        with_store(one_recipe_is_the_current_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
