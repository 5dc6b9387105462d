/* conf_file: the INI file; every error names file, line and key and says what to write. */
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

static char folder[96], file_path[128];

static int set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/pm-conf-file-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(file_path, sizeof file_path, "%s/p.conf", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file_path);
    return rmdir(folder);
}

static enum pm_code load(struct pm_conf **conf, const char *text, size_t size, struct pm_err *err)
{
    FILE *file = fopen(file_path, "w");
    assert_non_null(file);
    assert_true(fwrite(text, 1, size, file) == size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pm_conf_new(conf, NULL), PM_OK);
    return pm_conf_load(*conf, file_path, err);
}

static void a_whole_file_is_read(void **state)
{
    static const char text[] = "\xef\xbb\xbf# comment\n"
                               "[pairmill]\n"
                               "db = state/p.db\n"
                               "   settle_s=1.5\n"
                               "min_free = 100m\n"
                               "; another comment\n"
                               "[align]\n"
                               "\tmethod = fft\r\n"
                               "max_shift : 24\n"
                               "quality = OFF\n"
                               "\n"
                               "[source lab one]\n"
                               "input = /srv/in; put\n"
                               "output = out\n"
                               "priority = -2\n"
                               "pair_self = yes\n"
                               "[source b]\n"
                               "input = /srv/b\n"
                               "[crop]\n"
                               "crop_compression = zstd";
    struct pm_conf *conf = NULL;
    struct pm_err err;
    char path[256];
    (void)state;

    assert_int_equal(load(&conf, text, sizeof text - 1, &err), PM_OK);
    snprintf(path, sizeof path, "%s/state/p.db", folder);
    assert_string_equal(conf->db, path); /* relative to the file */
    assert_true(conf->settle_s >= 1.5 && conf->settle_s <= 1.5);
    assert_true(conf->min_free == 100 << 20);
    assert_int_equal(conf->method, PM_METHOD_FFT);
    assert_int_equal(conf->max_shift, 24);
    assert_false(conf->quality);
    assert_int_equal(conf->source_count, 2);
    assert_string_equal(conf->sources[0].name, "lab one");
    assert_string_equal(conf->sources[0].input, "/srv/in; put");
    snprintf(path, sizeof path, "%s/out", folder);
    assert_string_equal(conf->sources[0].output, path);
    assert_int_equal(conf->sources[0].priority, -2);
    assert_true(conf->sources[0].pair_self);
    assert_false(conf->sources[0].pair_gt_gt);
    assert_string_equal(conf->sources[1].input, "/srv/b");
    assert_null(conf->sources[1].output);
    pm_conf_unref(conf);
}

/* As Notepad saves it. */
static void a_byte_order_mark_hides_no_section(void **state)
{
    static const char text[] = "\xef\xbb\xbf[align]\r\nmax_shift = 7\r\n";
    struct pm_conf *conf = NULL;
    struct pm_err err = {.text = ""};
    (void)state;
    assert_int_equal(load(&conf, text, sizeof text - 1, &err), PM_OK);
    assert_int_equal(conf->max_shift, 7);
    pm_conf_unref(conf);
}

static void every_error_names_file_line_and_key(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *says; /* after "FILE:LINE: " */
    } cases[] = {
        {"[align]\nmax_shift = 5000\n", 2,
            "max_shift = \"5000\" is out of range; use 0 to 4096 px"},
        {"[align]\nmax_shift = 1 px\n", 2, "max_shift = \"1 px\" is not a whole number; use 0 to"},
        {"[align]\nmax_shift =\n", 2, "max_shift = \"\" is not a whole number"},
        {"\n[align]\nmethod = ffd\n", 3,
            "method = \"ffd\" is unknown, did you mean \"fft\"?; use "
            "auto, original, bruteforce, fft, hierarchical or gpu"},
        {"[pairmill]\nprofile = rawnind\n", 2,
            "profile = \"rawnind\" is not in this version of pairmill; use aligned"},
        {"[pairmill]\nwatch = maybe\n", 2, "watch = \"maybe\" is neither yes nor no"},
        {"[pairmill]\nsettle_s = nan\n", 2, "settle_s = \"nan\" is not a number; use 0 to 86400 s"},
        {"[pairmill]\nmin_free = 3X\n", 2, "min_free = \"3X\" is not a number with K, M, G or T"},
        {"[pairmill]\nmin_free = -1\n", 2,
            "min_free = \"-1\" is out of range; use 0 or more bytes"},
        {"[pairmill]\ndb =\n", 2, "db is empty; give a path"},
        {"[align]\nmax_shfit = 3\n", 2, "unknown key max_shfit in [align]; did you mean max_shift"},
        {"[align]\nxyzzy = 3\n", 2, "unknown key xyzzy in [align]; the sample file lists"},
        {"[mask]\nmax_shift = 3\n", 2, "max_shift is no key of [mask]; it belongs to [align]"},
        {"[algin]\n", 1, "unknown section [algin]; did you mean [align]?"},
        {"[whatever]\n", 1, "unknown section [whatever]; there are [pairmill]"},
        {"[source]\n", 1, "a source needs a name"},
        {"[source a]\n[mask]\n[source a]\n", 3, "[source a] is there twice (first at "},
        {"[source a]\ninputs = /x\n", 2, "unknown key inputs in [source NAME]; did you mean input"},
        {"[source a]\npriority = high\n", 2, "priority = \"high\" is not a whole number"},
        {"max_shift = 3\n", 1, "max_shift stands before the first [section]"},
        {"[align]\nmax_shift = 3\n[mask]\n[align]\nmax_shift = 4\n", 5,
            "max_shift is set twice (first in line 2)"},
        {"[align]\nmax_shift\n", 2, "this is neither \"key = value\" nor [section]"},
        {"# x\n[align\n", 2, "this is neither \"key = value\" nor [section]"},
        {"[align]\nnonsense\nmax_shift = 9999\n", 2, "this is neither"},
        {"[align]\nmax_shift = 9999\nnonsense\n", 2, "max_shift = \"9999\" is out of range"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pm_conf *conf = NULL;
        struct pm_err err;
        char want[1024];
        assert_int_equal(load(&conf, cases[i].text, strlen(cases[i].text), &err), PM_ECONF);
        snprintf(want, sizeof want, "%s:%d: %s", file_path, cases[i].line, cases[i].says);
        if (strncmp(err.text, want, strlen(want)) != 0) {
            print_error("case %zu\n got:  %s\n want: %s\n", i, err.text, want);
        }
        assert_int_equal(strncmp(err.text, want, strlen(want)), 0);
        pm_conf_unref(conf);
    }
}

static void checks_name_the_line_of_the_folder_too(void **state)
{
    struct pm_conf *conf = NULL;
    struct pm_err err;
    char want[256], text[512];
    (void)state;

    assert_int_equal(
        load(&conf, "[source a]\ninput = /nowhere/at/all\noutput = /tmp\n", 47, &err), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, &err), PM_ECONF);
    snprintf(want, sizeof want, "%s:2: input: input folder \"/nowhere/at/all\"", file_path);
    assert_non_null(strstr(err.text, want));
    pm_conf_unref(conf);

    assert_int_equal(load(&conf, "[mask]\n\n[source a]\npriority = 1\n", 31, &err), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, &err), PM_ECONF);
    snprintf(want, sizeof want, "%s:3: [source a] has no input; add input = FOLDER", file_path);
    assert_string_equal(err.text, want);
    pm_conf_unref(conf);

    snprintf(text, sizeof text, "[source a]\ninput = %s\n\noutput = %s\n", folder, folder);
    assert_int_equal(load(&conf, text, strlen(text), &err), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, &err), PM_ECONF);
    snprintf(want, sizeof want, "%s:4: output = ", file_path);
    assert_int_equal(strncmp(err.text, want, strlen(want)), 0);
    pm_conf_unref(conf);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct pm_conf *conf = NULL;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    assert_int_equal(pm_conf_load(conf, "/nowhere/p.conf", &err), PM_ECONF);
    assert_non_null(strstr(err.text, "/nowhere/p.conf: cannot read the settings: No such file"));
    assert_int_equal(pm_conf_load(conf, folder, &err) != PM_OK, 1); /* a folder is no file */
    assert_non_null(strstr(err.text, folder));
    pm_conf_unref(conf);
}

static void long_paths_fit_and_longer_lines_are_refused(void **state)
{
    static char text[10000];
    char want[64];
    struct pm_conf *conf = NULL;
    struct pm_err err;
    (void)state;

    strcpy(text, "[pairmill]\ndb = /");
    memset(text + strlen(text), 'd', 4000);
    assert_int_equal(load(&conf, text, strlen(text), &err), PM_OK);
    assert_int_equal(strlen(conf->db), 4001);
    pm_conf_unref(conf);

    memset(text + strlen(text), 'd', 5000);
    assert_int_equal(load(&conf, text, strlen(text), &err), PM_ECONF);
    snprintf(want, sizeof want, ":2: the line is longer than");
    assert_non_null(strstr(err.text, want));
    pm_conf_unref(conf);
}

/* Also what an editor makes of it that saves UTF-16. */
static void a_nul_byte_is_refused(void **state)
{
    static const char nul[] = "[pairmill]\ndb = /a\0b\n", utf16[] = "\xff\xfe[\0p\0a\0i\0r\0";
    struct pm_conf *conf = NULL;
    struct pm_err err;
    (void)state;
    assert_int_equal(load(&conf, nul, sizeof nul - 1, &err), PM_ECONF);
    assert_non_null(strstr(err.text, ":2: the line holds a NUL byte"));
    pm_conf_unref(conf);
    assert_int_equal(load(&conf, utf16, sizeof utf16 - 1, &err), PM_ECONF);
    assert_non_null(strstr(err.text, ":1: the line holds a NUL byte"));
    pm_conf_unref(conf);
}

static void flags_beat_the_file(void **state)
{
    struct pm_conf *conf = NULL;
    (void)state;
    assert_int_equal(load(&conf, "[align]\nmax_shift = 3\n", 22, NULL), PM_OK);
    assert_int_equal(pm_conf_set(conf, "max_shift", "4", "--max_shift", NULL), PM_OK);
    assert_int_equal(conf->max_shift, 4);
    pm_conf_unref(conf);
}

/* No input may do worse than an error: a cheap stand-in for a fuzzer, the same each time. */
static void damaged_files_are_survived(void **state)
{
    static const char text[] = "[pairmill]\ndb = x\nsettle_s = 1\n[source a]\ninput = /i\n"
                               "output = /o\n[align]\nmethod = auto ; c\n";
    uint32_t random = 1;
    (void)state;
    for (int round = 0; round < 300; round++) {
        char bytes[sizeof text];
        struct pm_conf *conf = NULL;
        struct pm_err err = {0};
        memcpy(bytes, text, sizeof text);
        for (int i = 0; i < 3; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[(random >> 8) % (sizeof text - 1)] = (char)(random >> 24);
        }
        enum pm_code rc = load(&conf, bytes, sizeof text - 1, &err);
        assert_true(rc == PM_OK || (rc == PM_ECONF && strstr(err.text, file_path) != NULL));
        pm_conf_unref(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_read),
        cmocka_unit_test(a_byte_order_mark_hides_no_section),
        cmocka_unit_test(every_error_names_file_line_and_key),
        cmocka_unit_test(checks_name_the_line_of_the_folder_too),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(long_paths_fit_and_longer_lines_are_refused),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(flags_beat_the_file),
        cmocka_unit_test(damaged_files_are_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
