/* conf_print: what is printed reads back the same; the sample is the shipped file; recipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/hash.h"

static struct pm_conf *fresh(void)
{
    struct pm_conf *conf = NULL;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    return conf;
}

/* What print writes; the caller frees it. */
static char *printed(void (*print)(FILE *to))
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    print(file);
    fclose(file);
    return text;
}

static char *printed_conf(const struct pm_conf *conf)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    pm_conf_print(conf, file);
    fclose(file);
    return text;
}

/* Loads text through a file of its own. */
static void load_text(struct pm_conf *conf, const char *text)
{
    const char *tmp = getenv("TMPDIR");
    struct pm_err err = {0};
    char path[128];
    int fd;
    snprintf(path, sizeof path, "%s/pm-conf-print-XXXXXX", tmp != NULL ? tmp : "/tmp");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    if (pm_conf_load(conf, path, &err) != PM_OK) {
        print_error("%s\n", err.text);
        unlink(path);
        fail();
    }
    unlink(path);
}

/* What is printed of it, read and printed again, is the same text. */
static void check_reads_back(const struct pm_conf *conf)
{
    struct pm_conf *again = fresh();
    char *first = printed_conf(conf), *second;
    load_text(again, first);
    second = printed_conf(again);
    assert_string_equal(first, second);
    free(first);
    free(second);
    pm_conf_unref(again);
}

static void what_is_printed_reads_back_the_same(void **state)
{
    static const char text[] = "[pairmill]\ndb=/a/b.db\nmemory_max=1.5G\nmax_pixels=1234567\n"
                               "[align]\nmethod=hierarchical\nquality=no\n[mask]\n"
                               "loss_threshold=0.1234567890123\n[source x]\ninput=/i\noutput=/o\n"
                               "pair_gt_gt=on\n[source y]\ninput=/j\noutput=/p\npriority=7\n";
    struct pm_conf *a = fresh();
    char *first;
    (void)state;
    load_text(a, text);
    first = printed_conf(a);
    assert_non_null(strstr(first, "memory_max = 1536M\n"));
    assert_non_null(strstr(first, "max_pixels = 1234567\n"));
    assert_non_null(strstr(first, "loss_threshold = 0.1234567890123\n"));
    assert_non_null(strstr(first, "[source y]\ninput = /j\noutput = /p\npriority = 7\n"));
    assert_non_null(
        strstr(first, "# [Service]\n# ReadWritePaths=\"/o\"\n# ReadWritePaths=\"/p\"\n"));
    free(first);
    check_reads_back(a);
    pm_conf_unref(a);
}

/* Found by the fuzzer: the slash went, and then the blank before it. */
static void a_blank_at_the_end_of_a_path_stays(void **state)
{
    struct pm_conf *conf = fresh();
    (void)state;
    load_text(conf, "[pairmill]\ndb = /a /\n");
    assert_string_equal(conf->db, "/a ");
    check_reads_back(conf);
    pm_conf_unref(conf);
}

static void the_sample_is_the_shipped_file(void **state)
{
    char *sample = printed(pm_conf_print_sample);
    static char shipped[32768];
    FILE *file = fopen("systemd/pairmill.conf", "r");
    (void)state;
    assert_non_null(file);
    shipped[fread(shipped, 1, sizeof shipped - 1, file)] = '\0';
    fclose(file);
    /* After a change of the option table: build/pairmill --print-sample-config */
    assert_string_equal(sample, shipped);
    free(sample);
}

static void the_sample_parses_to_the_defaults(void **state)
{
    struct pm_conf *sampled = fresh(), *defaults = fresh();
    char *sample = printed(pm_conf_print_sample);
    char *a, *b;
    (void)state;
    load_text(sampled, sample);
    assert_string_equal(sampled->db, "/var/lib/pairmill/pairmill.db");
    assert_int_equal(pm_conf_set(defaults, "db", sampled->db, "x", NULL), PM_OK);
    a = printed_conf(sampled);
    b = printed_conf(defaults);
    assert_string_equal(a, b);
    free(a);
    free(b);
    free(sample);
    pm_conf_unref(sampled);
    pm_conf_unref(defaults);
}

/* With every single # taken off, the sample is still a valid file: no option is misspelt in it. */
static void the_sample_with_everything_switched_on_parses(void **state)
{
    struct pm_conf *conf = fresh();
    char *sample = printed(pm_conf_print_sample);
    char *to = sample;
    (void)state;
    for (const char *from = sample; *from != '\0'; from++) {
        bool line_start = from == sample || from[-1] == '\n';
        if (!(line_start && from[0] == '#' && from[1] != ' ' && from[1] != '#')) {
            *to++ = *from;
        }
    }
    *to = '\0';
    load_text(conf, sample);
    assert_int_equal(conf->source_count, 1);
    assert_string_equal(conf->sources[0].input, "/srv/pairmill/lab/input");
    free(sample);
    pm_conf_unref(conf);
}

static void help_lists_every_option_on_lines_that_fit(void **state)
{
    char *help = printed(pm_conf_print_options);
    (void)state;
    assert_non_null(strstr(help, "--max_shift VALUE  (0 to 4096 px; default 128)"));
    assert_non_null(strstr(help, "--crop_compression"));
    assert_non_null(strstr(help, "--db FILE"));
    for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) <= 100);
    }
    free(help);
}

static void a_recipe_is_canonical(void **state)
{
    struct pm_conf *a = fresh(), *b = fresh();
    char hex_a[17], hex_b[17], again[17], json[1024];
    (void)state;
    pm_conf_recipe(a, hex_a, json, sizeof json);
    assert_string_equal(json,
        "{\"profile\":\"aligned\",\"method\":\"auto\",\"max_shift\":128,\"quality\":true,"
        "\"on_flag\":\"default\",\"loss_threshold\":0.4,\"loss_quantile\":0.9999,"
        "\"overexposure\":1,\"crop_size\":1024,\"crop_stride\":768,\"crop_min_valid\":0.5,"
        "\"crop_compression\":\"none\"}");
    pm_hash_bytes(json, strlen(json), again);
    assert_string_equal(hex_a, again);

    /* What does not shape a result does not count, nor does how a value was spelt. */
    pm_conf_set(b, "workers", "9", "x", NULL);
    pm_conf_set(b, "cache_bytes", "1M", "x", NULL);
    pm_conf_set(b, "loss_threshold", "0.40", "x", NULL);
    pm_conf_set(b, "quality", "On", "x", NULL);
    pm_conf_recipe(b, hex_b, NULL, 0);
    assert_string_equal(hex_a, hex_b);

    pm_conf_set(b, "max_shift", "127", "x", NULL);
    pm_conf_recipe(b, hex_b, NULL, 0);
    assert_string_not_equal(hex_a, hex_b);
    pm_conf_unref(a);
    pm_conf_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(a_blank_at_the_end_of_a_path_stays),
        cmocka_unit_test(the_sample_is_the_shipped_file),
        cmocka_unit_test(the_sample_parses_to_the_defaults),
        cmocka_unit_test(the_sample_with_everything_switched_on_parses),
        cmocka_unit_test(help_lists_every_option_on_lines_that_fit),
        cmocka_unit_test(a_recipe_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
