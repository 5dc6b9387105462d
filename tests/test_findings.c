/* findings: collected from threads, told in order, as lines and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/findings.h"

static char *printed(const struct pm_findings *findings)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    pm_findings_print(findings, to);
    fclose(to);
    return text;
}

static void they_come_in_order_of_their_paths(void **state)
{
    struct pm_findings all;
    struct pm_findings some;
    (void)state;
    pm_findings_init(&all);
    pm_findings_init(&some);
    assert_int_equal(pm_findings_add(&all, PM_FINDING_ORPHAN, 0, "/o/x\ny", "odd", NULL), PM_OK);
    assert_int_equal(pm_findings_add(&some, PM_FINDING_MISSING, 7, "/o/b", "not there", NULL), 0);
    assert_int_equal(pm_findings_add(&some, PM_FINDING_CHANGED, 3, "/o/a", "changed", NULL), 0);
    assert_int_equal(pm_findings_add(&some, PM_FINDING_MISSING, 9, "", "no result", NULL), 0);
    assert_int_equal(pm_findings_take(&all, &some, NULL), PM_OK);
    assert_int_equal(some.count, 0);
    pm_findings_sort(&all);
    char *text = printed(&all);
    assert_string_equal(text, "missing    no result (job 9)\n"
                              "changed    /o/a: changed (job 3)\n"
                              "missing    /o/b: not there (job 7)\n"
                              "orphan     /o/x\\x0ay: odd\n");
    free(text);
    assert_int_equal(pm_findings_of(&all, PM_FINDING_MISSING), 2);
    assert_int_equal(pm_findings_of(&all, PM_FINDING_UNREADABLE), 0);
    pm_findings_fini(&some);
    pm_findings_fini(&all);
}

static void json_keeps_the_bytes_of_names(void **state)
{
    struct pm_findings all;
    struct pm_json json;
    (void)state;
    pm_findings_init(&all);
    pm_json_init(&json, false);
    assert_int_equal(pm_findings_add(&all, PM_FINDING_ORPHAN, 0, "/\xff", "odd", NULL), PM_OK);
    pm_json_begin_object(&json, NULL);
    pm_findings_json(&all, &json, "findings");
    pm_json_end_object(&json);
    assert_non_null(strstr(pm_json_text(&json), "\"path_hex\": \"2fff\", \"job_id\": null"));
    pm_json_fini(&json);
    pm_findings_fini(&all);
}

static void *add_thousand(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        char path[16];
        snprintf(path, sizeof path, "%d", i);
        pm_findings_add(arg, PM_FINDING_MISSING, i + 1, path, "x", NULL);
    }
    return NULL;
}

static void threads_may_add_at_once(void **state)
{
    struct pm_findings all;
    pthread_t threads[4];
    (void)state;
    pm_findings_init(&all);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_thousand, &all), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(all.count, 4000);
    pm_findings_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_come_in_order_of_their_paths),
        cmocka_unit_test(json_keeps_the_bytes_of_names), cmocka_unit_test(threads_may_add_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
