/* conf_source: how sources come into the list and how they are judged together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf_source.h"

static struct pm_conf *fresh(void)
{
    struct pm_conf *conf = NULL;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    return conf;
}

static struct pm_source_conf *begin(struct pm_conf *conf, const char *name, const char *origin)
{
    struct pm_source_conf *source = NULL;
    assert_int_equal(pm_source_begin(conf, name, origin, &source, NULL), PM_OK);
    return source;
}

static void a_new_source_has_defaults_and_no_folders(void **state)
{
    struct pm_conf *conf = fresh();
    struct pm_source_conf *source = begin(conf, "lab one", "p.conf:3");
    (void)state;
    assert_string_equal(source->name, "lab one");
    assert_null(source->input);
    assert_null(source->output);
    assert_int_equal(source->priority, 0);
    assert_false(source->pair_gt_gt || source->pair_self);
    assert_int_equal(conf->source_count, 1);
    pm_conf_unref(conf);
}

static void bad_names_are_refused_where_they_stand(void **state)
{
    static const char *const names[] = {"", "a\nb", "lab"};
    struct pm_conf *conf = fresh();
    (void)state;
    begin(conf, "lab", "p.conf:3");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct pm_source_conf *source = NULL;
        struct pm_err err;
        assert_int_equal(pm_source_begin(conf, names[i], "p.conf:8", &source, &err), PM_ECONF);
        assert_int_equal(strncmp(err.text, "p.conf:8: ", 10), 0);
        assert_int_equal(conf->source_count, 1);
    }
    pm_conf_unref(conf);
}

static void a_source_without_a_folder_is_incomplete(void **state)
{
    struct pm_conf *conf = fresh();
    struct pm_err err;
    (void)state;
    begin(conf, "lab", "p.conf:3");
    assert_int_equal(pm_source_check_all(conf, &err), PM_ECONF);
    assert_string_equal(err.text, "p.conf:3: [source lab] has no input; add input = FOLDER");
    conf->sources[0].input = strdup("/");
    assert_int_equal(pm_source_check_all(conf, &err), PM_ECONF);
    assert_string_equal(err.text, "p.conf:3: [source lab] has no output; add output = FOLDER");
    pm_conf_unref(conf);
}

static void many_sources_stay_in_order(void **state)
{
    struct pm_conf *conf = fresh();
    char name[16];
    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "s%d", i);
        begin(conf, name, "x");
    }
    assert_int_equal(conf->source_count, 40);
    assert_string_equal(conf->sources[39].name, "s39");
    pm_conf_clear_sources(conf);
    assert_int_equal(conf->source_count, 0);
    assert_int_equal(pm_source_check_all(conf, NULL), PM_OK);
    pm_conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_source_has_defaults_and_no_folders),
        cmocka_unit_test(bad_names_are_refused_where_they_stand),
        cmocka_unit_test(a_source_without_a_folder_is_incomplete),
        cmocka_unit_test(many_sources_stay_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
