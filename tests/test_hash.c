/* hash: known values, files of every awkward length, what is not a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/hash.h"

static void known_values(void **state)
{
    (void)state;
    char hex[17];
    pm_hash_bytes(NULL, 0, hex);
    assert_string_equal(hex, "2d06800538d394c2"); /* `xxhsum -H3` of nothing, and xxhash's spec */
    pm_hash_bytes("abc", 3, hex);
    assert_string_equal(hex, "78af5f94892f3950"); /* and of abc */
}

static void a_file_hashes_as_its_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 240, 241, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1,
        3 * (1 << 20), 3 * (1 << 20) + 777};
    size_t most = 3 * (1 << 20) + 777;
    unsigned char *data = malloc(most);
    for (size_t i = 0; i < most; i++) {
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char path[64], by_file[17], by_bytes[17];
        int64_t size = -1;
        int fd = memfd_create("hash", MFD_CLOEXEC);
        assert_int_equal(write(fd, data, sizes[i]), sizes[i]);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        assert_int_equal(pm_hash_file(path, &size, by_file, NULL), PM_OK);
        pm_hash_bytes(data, sizes[i], by_bytes);
        assert_string_equal(by_file, by_bytes);
        assert_int_equal(size, sizes[i]);
        close(fd);
    }
    free(data);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/pm-test-hash-XXXXXX", fifo[64], hex[17] = "untouched";
    struct pm_err err;
    assert_non_null(mkdtemp(dir));
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(pm_hash_file(fifo, NULL, hex, &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "FIFO"));
    assert_int_equal(pm_hash_file(dir, NULL, hex, &err), PM_EFORMAT);
    assert_int_equal(pm_hash_file("/dev/zero", NULL, hex, &err), PM_EFORMAT);
    unlink(fifo);
    assert_int_equal(pm_hash_file(fifo, NULL, hex, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, fifo));
    assert_string_equal(hex, "untouched");
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(a_file_hashes_as_its_bytes),
        cmocka_unit_test(what_is_no_file_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
