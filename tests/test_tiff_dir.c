/* tiff_dir: what tags claim, in both sizes and byte orders of TIFF. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/formats/tiff_dir.h"

struct entry {
    uint16_t tag, type;
    uint64_t count;
};

static unsigned char bytes[1 << 16];
static bool high_first;

static size_t put(size_t at, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++) {
        bytes[at + (high_first ? n - 1 - i : i)] = (unsigned char)(value >> 8 * i);
    }
    return at + n;
}

/* A file of file_bytes whose directory, right behind the header, has n times this entry. */
static int make(bool big, uint64_t n, const struct entry *entry, int64_t file_bytes)
{
    int fd = memfd_create("tiff_dir", MFD_CLOEXEC);
    size_t word = big ? 8 : 4;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, high_first ? "MM" : "II", 2);
    put(2, 2, big ? 43 : 42);
    put(word, word, 2 * word);
    size_t at = put(2 * word, big ? 8 : 2, n);
    for (uint64_t i = 0; i < n && at + 20 <= sizeof bytes; i++) {
        at = put(at, 2, entry->tag);
        at = put(at, 2, entry->type);
        at = put(at, word, entry->count);
        at = put(at, word, 8);
    }
    assert_int_equal(pwrite(fd, bytes, at, 0), at);
    assert_int_equal(ftruncate(fd, file_bytes), 0);
    return fd;
}

static enum pm_code check(
    bool big, uint64_t n, struct entry entry, int64_t file_bytes, uint64_t *held)
{
    struct pm_err err = {.code = PM_OK};
    int fd = make(big, n, &entry, file_bytes);
    enum pm_code rc = pm_tiff_dir_check(fd, "a.tif", file_bytes, held, &err);
    close(fd);
    assert_true(rc == PM_OK || (err.code == rc && strstr(err.text, "a.tif: ") == err.text));
    return rc;
}

static void tags_may_hold_what_the_file_holds(void **state)
{
    (void)state;
    uint64_t held;
    for (int kind = 0; kind < 4; kind++) {
        bool big = kind % 2;
        high_first = kind / 2;
        assert_int_equal(check(big, 10, (struct entry){700, 1, 100}, 4000, &held), PM_OK);
        assert_int_equal(held, 1000);
        assert_int_equal(check(big, 10, (struct entry){700, 12, 50}, 4000, &held), PM_OK);
        assert_int_equal(held, 4000); /* doubles: 8 bytes each */
        assert_int_equal(check(big, 10, (struct entry){700, 12, 51}, 4000, &held), PM_EFORMAT);
        assert_int_equal(check(big, 500, (struct entry){65000, 1, 9000}, 9999, &held), PM_EFORMAT);
        assert_int_equal(
            check(big, 1, (struct entry){700, 12, UINT32_MAX}, 4000, &held), PM_EFORMAT);
    }
    high_first = false;
    assert_int_equal(check(true, 1, (struct entry){700, 12, UINT64_MAX}, 4000, &held), PM_EFORMAT);
}

static void what_is_no_weight_is_not_counted(void **state)
{
    (void)state;
    uint64_t held;
    assert_int_equal(check(false, 9, (struct entry){256, 4, 1}, 4000, &held), PM_OK);
    assert_int_equal(held, 0); /* in the entry */
    assert_int_equal(check(true, 9, (struct entry){258, 3, 4}, 4000, &held), PM_OK);
    assert_int_equal(held, 0);
    assert_int_equal(check(true, 9, (struct entry){258, 3, 5}, 4000, &held), PM_OK);
    assert_int_equal(held, 90);
    assert_int_equal(check(false, 9, (struct entry){273, 4, 1 << 20}, 4000, &held), PM_OK);
    assert_int_equal(held, 0); /* strip offsets: read as needed */
    assert_int_equal(check(false, 9, (struct entry){700, 99, 1 << 20}, 4000, &held), PM_OK);
    assert_int_equal(held, 0); /* no type */
}

static void other_pictures_beside_the_pixels_are_refused(void **state)
{
    (void)state;
    uint64_t held;
    int64_t size = 400 << 20; /* sparse */
    struct entry layers = {37724, 7, 128 << 20};
    assert_int_equal(check(false, 2, layers, size, &held), PM_OK);
    assert_int_equal(held, PM_TIFF_DIR_BYTES_MAX);
    assert_int_equal(check(false, 3, layers, size, &held), PM_EUNSUPPORTED);
}

static void what_libtiff_refuses_is_left_to_it(void **state)
{
    (void)state;
    uint64_t held;
    struct entry entry = {700, 1, 100};
    for (int64_t size = 0; size < 200; size++) { /* cut anywhere: never an error beyond ours */
        enum pm_code rc = check(size % 2, 3, entry, size, &held);
        assert_true(rc == PM_OK || rc == PM_EFORMAT);
    }
    assert_int_equal(check(false, 5000, (struct entry){700, 1, 9000}, 70000, &held), PM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_may_hold_what_the_file_holds),
        cmocka_unit_test(what_is_no_weight_is_not_counted),
        cmocka_unit_test(other_pictures_beside_the_pixels_are_refused),
        cmocka_unit_test(what_libtiff_refuses_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
