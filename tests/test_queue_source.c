/* queue_source: sources as the configuration says, known by name; the recipe in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The one source of conf, under another name. */
static void rename_source(struct pm_kit *kit, const char *name)
{
    struct pm_source_conf *source = &kit->conf->sources[0];
    free(source->name);
    source->name = strdup(name);
}

static void move_input(struct pm_kit *kit, const char *to)
{
    struct pm_source_conf *source = &kit->conf->sources[0];
    free(source->input);
    source->input = pm_tmpdir_path(kit->dir, to);
}

/* Sighted as it is on the disk. */
static void see_real(struct pm_kit *kit, const char *source, const char *rel)
{
    struct stat st;
    char *path = pm_tmpdir_path(kit->conf->sources[0].input, rel);
    assert_int_equal(stat(path, &st), 0);
    struct pm_sighting sighting = {.kind = PM_SEEN,
        .path = rel,
        .stamp = {.size = st.st_size, .mtime_ns = pm_timespec_ns(&st.st_mtim)}};
    kit_sight(kit, source, &sighting);
    free(path);
}

static void configure(struct pm_kit *kit)
{
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
}

static void a_renamed_source_keeps_what_is_done(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    rename_source(kit, "laboratory");
    configure(kit);
    pm_kit_expect(kit, "1|laboratory|1", "select id, name, active from source");
    pm_kit_expect(kit, "laboratory|1", "select source, done from progress");
    /* Through a link to its input, or its output. */
    char *in = pm_tmpdir_path(kit->dir, "in-link");
    assert_int_equal(symlink("in-lab", in), 0);
    move_input(kit, "in-link");
    rename_source(kit, "link");
    configure(kit);
    pm_kit_expect(kit, "1|link|1", "select id, name, active from source");
    free(in);
}

static void a_moved_input_is_known_by_its_files(void **state)
{
    struct pm_kit *kit = *state;
    pm_tmpdir_write(kit->dir, "in-lab/s/gt/g.tif", "gt");
    pm_tmpdir_write(kit->dir, "in-lab/s/t.tif", "target");
    see_real(kit, "lab", "s/gt/g.tif");
    see_real(kit, "lab", "s/t.tif");
    pm_tmpdir_rename(kit->dir, "in-lab", "elsewhere");
    move_input(kit, "elsewhere");
    rename_source(kit, "moved");
    configure(kit);
    pm_kit_expect(kit, "1|moved|1", "select id, name, active from source");
    see_real(kit, "moved", "s/t.tif");
    pm_kit_expect(kit, "1|1", "select count(*), max(revision) from image where role = 'target'");
}

/* The one pair is done, and its result lies in the source's output. */
static void do_one_pair(struct pm_kit *kit)
{
    pm_tmpdir_write(kit->dir, "in-lab/s/gt/g.tif", "gt");
    pm_tmpdir_write(kit->dir, "in-lab/s/t.tif", "target");
    pm_tmpdir_write(kit->dir, "out-lab/s/pair/pair.json", "{}");
    see_real(kit, "lab", "s/gt/g.tif");
    see_real(kit, "lab", "s/t.tif");
    struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
    free(result.output_dir);
    result.output_dir = pm_tmpdir_path(kit->dir, "out-lab/s/pair");
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
}

static void give_output(struct pm_kit *kit, const char *to)
{
    struct pm_source_conf *source = &kit->conf->sources[0];
    free(source->output);
    source->output = pm_tmpdir_path(kit->dir, to);
}

static void results_that_were_moved_are_found(void **state)
{
    struct pm_kit *kit = *state;
    do_one_pair(kit);
    pm_tmpdir_rename(kit->dir, "out-lab", "out-new");
    pm_tmpdir_rename(kit->dir, "in-lab", "elsewhere");
    move_input(kit, "elsewhere");
    give_output(kit, "out-new");
    rename_source(kit, "moved");
    configure(kit);
    pm_kit_expect(kit, "1|moved|1", "select id, name, active from source");
    pm_kit_expect(kit, "1", "select output_dir like '%/out-new/s/pair' from results");
    pm_kit_expect(kit, "1", "select output_text like '%/out-new' from source");
}

/* What lies where it was made stays known there, and a source whose results lie elsewhere is no
 * former one. */
static void results_that_were_not_moved_stay_where_they_are(void **state)
{
    struct pm_kit *kit = *state;
    do_one_pair(kit);
    give_output(kit, "out-new");
    configure(kit);
    pm_kit_expect(kit, "1", "select output_dir like '%/out-lab/s/pair' from results");
    rename_source(kit, "second");
    give_output(kit, "out-third");
    configure(kit);
    pm_kit_expect(kit, "2", "select count(*) from source");
}

static void another_input_is_another_source(void **state)
{
    struct pm_kit *kit = *state;
    pm_tmpdir_write(kit->dir, "in-lab/s/gt/g.tif", "gt");
    pm_tmpdir_write(kit->dir, "in-lab/s/t.tif", "target");
    see_real(kit, "lab", "s/gt/g.tif");
    see_real(kit, "lab", "s/t.tif");
    pm_tmpdir_rename(kit->dir, "in-lab", "elsewhere");
    pm_tmpdir_write(kit->dir, "elsewhere/s/t.tif", "another day's target");
    move_input(kit, "elsewhere");
    rename_source(kit, "tuesday");
    configure(kit);
    pm_kit_expect(kit, "lab|0\ntuesday|1", "select name, active from source order by id");
    /* The same folder with another output is another source, too. */
    give_output(kit, "out-other");
    rename_source(kit, "elsewhere");
    configure(kit);
    pm_kit_expect(kit, "3", "select count(*) from source");
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
        with_store(a_renamed_source_keeps_what_is_done),
        with_store(a_moved_input_is_known_by_its_files),
        with_store(results_that_were_moved_are_found),
        with_store(results_that_were_not_moved_stay_where_they_are),
        with_store(another_input_is_another_source),
        with_store(a_command_without_sources_changes_none),
        with_store(one_recipe_is_the_current_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
