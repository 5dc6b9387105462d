/* conf: settings together: flags, checks, automatic values, sources, references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/formats/tiff.h"
#include "common/log.h"
#include "common/suggest.h"

static char root[96]; /* a folder with in/ and in2/ */

static int set_up(void **state)
{
    char path[192];
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/pm-conf-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/in", root);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/in2", root);
    return mkdir(path, 0755);
}

static int tear_down(void **state)
{
    char path[192];
    static const char *const names[] = {"in", "in2", "link", "file"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        remove(path);
    }
    return rmdir(root);
}

static const char *in_root(const char *name)
{
    static char path[4][192];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", root, name);
    return path[next];
}

static struct pm_conf *fresh(void)
{
    struct pm_conf *conf = NULL;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    return conf;
}

static struct pm_conf *with_source(const char *input, const char *output)
{
    struct pm_conf *conf = fresh();
    struct pm_err err;
    assert_int_equal(
        pm_conf_add_source(conf, "main", in_root(input), in_root(output), &err), PM_OK);
    return conf;
}

static void defaults_are_those_promised(void **state)
{
    (void)state;
    struct pm_conf *conf = fresh();
    assert_null(conf->db);
    assert_int_equal(conf->workers, 0);
    assert_true(conf->max_pixels == 500000000);
    assert_true(conf->settle_s >= 5 && conf->settle_s <= 5);
    assert_int_equal(conf->rescan_s, 300);
    assert_int_equal(conf->poll_s, 60);
    assert_true(conf->watch);
    assert_int_equal(conf->max_attempts, 3);
    assert_int_equal(conf->drain_timeout_s, 30);
    assert_true(conf->min_free == 1LL << 30);
    assert_int_equal(conf->method, PM_METHOD_AUTO);
    assert_int_equal(conf->max_shift, 128);
    assert_true(conf->quality);
    assert_int_equal(conf->on_flag, PM_ON_FLAG_DEFAULT);
    assert_int_equal(conf->crop_size, 1024);
    assert_int_equal(conf->crop_stride, 768);
    assert_int_equal(conf->crop_compression, PM_COMPRESS_NONE);
    assert_true(conf->cache_bytes == 2LL << 30);
    assert_int_equal(conf->log_level, PM_LOG_INFO);
    assert_int_equal(conf->source_count, 0);
    pm_conf_unref(conf);
}

static void keys_of_a_command_line_may_be_spelt_freely(void **state)
{
    (void)state;
    struct pm_conf *conf = fresh();
    assert_int_equal(pm_conf_set(conf, "max_shift", "7", "--max_shift", NULL), PM_OK);
    assert_int_equal(conf->max_shift, 7);
    assert_int_equal(pm_conf_set(conf, "max-shift", "8", "--max-shift", NULL), PM_OK);
    assert_int_equal(conf->max_shift, 8);
    assert_int_equal(pm_conf_set(conf, "align.max_shift", "9", "--align.max_shift", NULL), PM_OK);
    assert_int_equal(conf->max_shift, 9);
    assert_int_equal(pm_conf_set(conf, "alignment_method", "fft", "x", NULL), PM_OK);
    assert_int_equal(conf->method, PM_METHOD_FFT);
    assert_int_equal(pm_conf_set(conf, "num-threads", "3", "x", NULL), PM_OK);
    assert_int_equal(conf->workers, 3);
    pm_conf_unref(conf);
}

static void a_wrong_flag_says_which_and_what_to_write(void **state)
{
    (void)state;
    struct pm_conf *conf = fresh();
    struct pm_err err;
    assert_int_equal(pm_conf_set(conf, "max_shift", "wide", "--max-shift", &err), PM_ECONF);
    assert_string_equal(
        err.text, "--max-shift: max_shift = \"wide\" is not a whole number; use 0 to 4096 px");
    assert_int_equal(pm_conf_set(conf, "max_shfit", "1", "--max_shfit", &err), PM_ECONF);
    assert_non_null(strstr(err.text, "did you mean max_shift?"));
    assert_int_equal(pm_conf_set(conf, "mask.max_shift", "1", "x", &err), PM_ECONF);
    assert_int_equal(conf->max_shift, 128);
    pm_conf_unref(conf);
}

static void options_are_known_by_name(void **state)
{
    (void)state;
    bool takes_value = false;
    assert_true(pm_conf_is_option("max-shift", &takes_value));
    assert_true(takes_value);
    assert_true(pm_conf_is_option("quality", &takes_value));
    assert_false(takes_value);
    assert_true(pm_conf_is_option("num_threads", &takes_value));
    assert_false(pm_conf_is_option("max", &takes_value));
    assert_false(pm_conf_is_option("input", &takes_value));
    assert_false(pm_conf_is_option("", &takes_value));
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, "crop_sise");
    pm_conf_suggest(&suggest);
    assert_string_equal(suggest.best, "crop_size");
}

static void a_source_without_a_db_keeps_it_in_its_output(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out/./deep//");
    struct pm_err err;
    assert_int_equal(pm_conf_check(conf, true, &err), PM_OK);
    assert_string_equal(conf->sources[0].output, in_root("out/deep"));
    assert_string_equal(conf->db, in_root("out/deep/pairmill.db"));
    assert_true(access(in_root("out"), F_OK) != 0); /* checking makes nothing */
    pm_conf_unref(conf);
}

static void zero_becomes_what_the_machine_has(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_true(conf->workers >= 1);
    assert_true(conf->memory_max > 1 << 20);
    assert_true(conf->cache_bytes <= conf->memory_max / 2);
    pm_conf_unref(conf);

    conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "workers", "5", "x", NULL), PM_OK);
    assert_int_equal(pm_conf_set(conf, "memory_max", "100M", "x", NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_int_equal(conf->workers, 5);
    assert_true(conf->memory_max == 100 << 20);
    assert_true(conf->cache_bytes == 50 << 20);
    pm_conf_unref(conf);
}

static void a_relative_folder_starts_here(void **state)
{
    (void)state;
    char here[4096];
    struct pm_conf *conf = fresh();
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(pm_conf_add_source(conf, "here", ".", "some/where", NULL), PM_OK);
    assert_string_equal(conf->sources[0].input, here);
    assert_int_equal(strncmp(conf->sources[0].output, here, strlen(here)), 0);
    pm_conf_unref(conf);
}

static void a_missing_input_is_refused_and_not_kept(void **state)
{
    (void)state;
    struct pm_conf *conf = fresh();
    struct pm_err err;
    assert_int_equal(
        pm_conf_add_source(conf, "main", in_root("nowhere"), in_root("out"), &err), PM_ECONF);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.text, "--input_dir"));
    assert_non_null(strstr(err.text, in_root("nowhere")));
    assert_int_equal(conf->source_count, 0);
    pm_conf_unref(conf);
}

static void check_fails_with(struct pm_conf *conf, const char *what)
{
    struct pm_err err;
    assert_int_equal(pm_conf_check(conf, true, &err), PM_ECONF);
    if (strstr(err.text, what) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", err.text, what);
    }
    assert_non_null(strstr(err.text, what));
    pm_conf_unref(conf);
}

static void outputs_around_or_on_an_input_are_refused(void **state)
{
    (void)state;
    check_fails_with(with_source("in", "in"), "is or contains the input folder");
    check_fails_with(with_source("in", "."), "is or contains the input folder");
    check_fails_with(with_source("in", "in/../in"), "is or contains the input folder");
    /* through a link */
    assert_int_equal(symlink(in_root("in"), in_root("link")), 0);
    check_fails_with(with_source("in", "link"), "is or contains the input folder");
    /* around the input of another source */
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(pm_conf_add_source(conf, "two", in_root("in2"), in_root("in"), NULL), PM_OK);
    check_fails_with(conf, "contains the input folder");
}

static void an_output_inside_its_input_is_fine(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "in/results");
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    pm_conf_unref(conf);
}

static void two_sources_share_neither_name_nor_output(void **state)
{
    (void)state;
    struct pm_err err;
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(
        pm_conf_add_source(conf, "main", in_root("in2"), in_root("out2"), &err), PM_ECONF);
    assert_non_null(strstr(err.text, "[source main] is there twice"));
    assert_int_equal(pm_conf_add_source(conf, "two", in_root("in2"), in_root("out"), &err), PM_OK);
    assert_int_equal(pm_conf_set(conf, "db", in_root("x.db"), "--db", NULL), PM_OK);
    check_fails_with(conf, "is also the output of [source");
}

static void the_stride_follows_a_smaller_crop_size(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "crop_size", "512", "--crop_size", NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_int_equal(conf->crop_stride, 384);
    pm_conf_unref(conf);

    conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "crop_size", "1", "--crop_size", NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_int_equal(conf->crop_stride, 1);
    pm_conf_unref(conf);

    conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "crop_size", "2048", "--crop_size", NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_int_equal(conf->crop_stride, 768);
    pm_conf_unref(conf);
}

static void several_sources_need_a_db(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(pm_conf_add_source(conf, "two", in_root("in2"), in_root("out2"), NULL), PM_OK);
    check_fails_with(conf, "no database is named; add --db FILE");
}

static void other_contradictions_are_told(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "crop_size", "512", "--crop_size", NULL), PM_OK);
    assert_int_equal(pm_conf_set(conf, "crop_stride", "513", "--crop_stride", NULL), PM_OK);
    check_fails_with(conf, "--crop_stride: crop_stride = 513 is larger than crop_size = 512");

    conf = with_source("in", "out");
    assert_int_equal(pm_conf_set(conf, "db", in_root("in"), "--db", NULL), PM_OK);
    check_fails_with(conf, "is a folder; name a file in it");

    FILE *file = fopen(in_root("file"), "w");
    assert_non_null(file);
    fclose(file);
    check_fails_with(with_source("in", "file"), "name a folder");
    check_fails_with(with_source("in", "file/below"), "output");
    check_fails_with(fresh(), "there is nothing to do");
}

static void looking_needs_a_db_but_no_source(void **state)
{
    (void)state;
    struct pm_err err;
    struct pm_conf *conf = fresh();
    assert_int_equal(pm_conf_check(conf, false, &err), PM_ECONF);
    assert_non_null(strstr(err.text, "--db FILE"));
    assert_int_equal(pm_conf_set(conf, "db", "/nowhere/at/all.db", "--db", NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, false, &err), PM_OK);
    pm_conf_unref(conf);
}

static void references_keep_it_alive(void **state)
{
    (void)state;
    struct pm_conf *conf = with_source("in", "out");
    assert_ptr_equal(pm_conf_ref(conf), conf);
    pm_conf_unref(conf);
    assert_string_equal(conf->sources[0].name, "main");
    pm_conf_clear_sources(conf);
    assert_int_equal(conf->source_count, 0);
    pm_conf_unref(conf);
    pm_conf_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_promised),
        cmocka_unit_test(keys_of_a_command_line_may_be_spelt_freely),
        cmocka_unit_test(a_wrong_flag_says_which_and_what_to_write),
        cmocka_unit_test(options_are_known_by_name),
        cmocka_unit_test(a_source_without_a_db_keeps_it_in_its_output),
        cmocka_unit_test(zero_becomes_what_the_machine_has),
        cmocka_unit_test(a_relative_folder_starts_here),
        cmocka_unit_test(a_missing_input_is_refused_and_not_kept),
        cmocka_unit_test(outputs_around_or_on_an_input_are_refused),
        cmocka_unit_test(an_output_inside_its_input_is_fine),
        cmocka_unit_test(two_sources_share_neither_name_nor_output),
        cmocka_unit_test(several_sources_need_a_db),
        cmocka_unit_test(the_stride_follows_a_smaller_crop_size),
        cmocka_unit_test(other_contradictions_are_told),
        cmocka_unit_test(looking_needs_a_db_but_no_source),
        cmocka_unit_test(references_keep_it_alive),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
