/* load: pixels, prep and hash of one file, and a file that is not what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "tests/lib/workerkit.h"
#include "worker/load.h"

struct fixture {
    char *dir, *path;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct pm_image *image = kit_image(50, 30, 3, PM_U16);
    f->dir = kit_tmpdir();
    f->path = kit_path(f->dir, "a.tif");
    kit_texture(image, 0, 0, 1, 0, 1);
    kit_write_tiff(f->path, image);
    pm_image_free(image);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kit_remove(f->dir);
    free(f->dir);
    free(f->path);
    free(f);
    return 0;
}

static void a_file_is_loaded_whole(void **state)
{
    struct fixture *f = *state;
    struct pm_stamp stamp = kit_stamp(f->path);
    struct pm_load_opts opts = {.limits = {.max_pixels = 10000}, .stamp = &stamp, .hash = true};
    struct pm_loaded *loaded = NULL;
    struct pm_prep *prep = NULL;
    struct pm_err err;
    char hex[17];
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_OK);
    assert_int_equal(loaded->image->w, 50);
    assert_int_equal(loaded->file_bytes, stamp.size);
    assert_int_equal(pm_hash_file(f->path, NULL, hex, &err), PM_OK);
    assert_string_equal(loaded->hash, hex);
    /* The prep made while decoding is the one made of the finished image. */
    assert_int_equal(pm_prep_of_image(&prep, loaded->image, &err), PM_OK);
    assert_true(pm_prep_mean(prep) == pm_prep_mean(loaded->prep));
    assert_true(pm_loaded_bytes(loaded) >= loaded->image->bytes);
    assert_true(pm_loaded_bytes(loaded) <= pm_loaded_estimate(50, 30, 3, PM_U16));
    pm_prep_free(prep);
    pm_loaded_free(loaded);
}

static void another_stamp_is_a_changed_file(void **state)
{
    struct fixture *f = *state;
    struct pm_stamp stamp = kit_stamp(f->path);
    struct pm_load_opts opts = {.limits = {.max_pixels = 10000}, .stamp = &stamp};
    struct pm_loaded *loaded = NULL;
    struct pm_err err;
    stamp.inode++; /* not part of the identity */
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_OK);
    pm_loaded_free(loaded);
    stamp.mtime_ns++;
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_ECHANGED);
    stamp.mtime_ns--;
    stamp.size++;
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_ECHANGED);
    assert_non_null(strstr(err.text, f->path));
}

static void a_missing_file_is_missing(void **state)
{
    struct fixture *f = *state;
    struct pm_load_opts opts = {.limits = {.max_pixels = 10000}, .hash = true};
    struct pm_loaded *loaded = NULL;
    struct pm_err err;
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, f->path));
}

static void damage_and_limits_are_told(void **state)
{
    struct fixture *f = *state;
    struct pm_load_opts opts = {.limits = {.max_pixels = 1499}};
    struct pm_loaded *loaded = NULL;
    struct pm_err err;
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_ETOOBIG);
    opts.limits.max_pixels = 1500;
    assert_int_equal(truncate(f->path, kit_stamp(f->path).size / 2), 0);
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, f->path));
}

static void conversion_keeps_values_and_has_its_own_prep(void **state)
{
    struct fixture *f = *state;
    struct pm_load_opts opts = {.limits = {.max_pixels = 10000}, .hash = true};
    struct pm_loaded *loaded = NULL, *wide = NULL;
    struct pm_err err;
    assert_int_equal(pm_load(f->path, &opts, &loaded, &err), PM_OK);
    assert_int_equal(pm_loaded_convert(loaded, PM_F32, NULL, &wide, &err), PM_OK);
    assert_int_equal(wide->image->sample, PM_F32);
    assert_string_equal(wide->hash, "");
    double off = pm_prep_mean(wide->prep) - pm_prep_mean(loaded->prep);
    assert_true(off < 1e-6 && off > -1e-6);
    pm_loaded_free(loaded);
    pm_loaded_free(wide);
}

static void shapes_are_both_named(void **state)
{
    struct pm_image_info a = {.w = 40, .h = 30, .channels = 3}, b = a;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_shape_check("gt.tif", &a, "t.tif", &b, &err), PM_OK);
    b.channels = 1;
    b.w = 41;
    assert_int_equal(pm_shape_check("gt.tif", &a, "t.tif", &b, &err), PM_ESIZE);
    assert_non_null(strstr(err.text, "t.tif is 41x30 grey"));
    assert_non_null(strstr(err.text, "gt.tif is 40x30 RGB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_loaded_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_stamp_is_a_changed_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_and_limits_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            conversion_keeps_values_and_has_its_own_prep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes_are_both_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
