/* infile: what is opened and what is refused, and reads that end short of nothing but the file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/infile.h"
#include "tests/lib/tmpdir.h"

/* A slow file system: gives at most drip_bytes a call, and is interrupted before every second one.
 * 0: as it is. */
static size_t drip_bytes;
static int drip_calls;

/* The C library's, for this program. */
ssize_t pread(int fd, void *data, size_t n, off_t offset)
{
    if (drip_bytes > 0 && drip_calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(
        SYS_pread64, fd, data, drip_bytes > 0 && n > drip_bytes ? drip_bytes : n, offset);
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
    struct iovec some[8];
    size_t left = drip_bytes > 0 ? drip_bytes : SIZE_MAX;
    int n = 0;
    if (drip_bytes > 0 && drip_calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    for (; n < count && n < 8 && left > 0; n++) {
        some[n] = iov[n];
        some[n].iov_len = iov[n].iov_len < left ? iov[n].iov_len : left;
        left -= some[n].iov_len;
    }
    return syscall(SYS_preadv, fd, some, n, offset, 0);
}

#define BYTES 1000

/* Byte i of the file. */
static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 256);
}

static int new_fd(void)
{
    unsigned char data[BYTES];
    int fd = memfd_create("infile", MFD_CLOEXEC);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = byte_at(i);
    }
    assert_int_equal(write(fd, data, BYTES), BYTES);
    return fd;
}

static void check_bytes(const unsigned char *data, size_t n, size_t offset)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(data[i], byte_at(offset + i));
    }
}

static enum pm_code code_of(const char *path, struct pm_err *err)
{
    int fd = -7;
    int64_t size = -7;
    enum pm_code rc = pm_infile_open(&fd, &size, path, err);
    assert_int_not_equal(rc, PM_OK);
    assert_int_equal(fd, -7);
    assert_int_equal(size, -7);
    assert_int_equal(err->code, rc);
    assert_non_null(strstr(err->text, path));
    return rc;
}

static void a_regular_file_opens_with_its_size(void **state)
{
    (void)state;
    char path[64];
    int made = new_fd(), fd = -1;
    int64_t size = -1;
    struct pm_err err = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", made);
    assert_int_equal(pm_infile_open(&fd, &size, path, &err), PM_OK);
    assert_int_equal(size, BYTES);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
    assert_int_equal(ftruncate(made, 0), 0); /* empty is the format's matter, not ours */
    assert_int_equal(pm_infile_open(&fd, &size, path, &err), PM_OK);
    assert_int_equal(size, 0);
    close(fd);
    assert_int_equal(ftruncate(made, (off_t)5 << 30), 0); /* all holes */
    assert_int_equal(pm_infile_open(&fd, &size, path, NULL), PM_OK);
    assert_int_equal(size, (int64_t)5 << 30);
    close(fd);
    close(made);
}

static void below_the_root_no_link_is_followed(void **state)
{
    char *dir = pm_tmpdir_make();
    char *path = pm_tmpdir_path(dir, "s/link.tif");
    struct pm_err err = {0};
    struct stat st;
    int64_t size = -1;
    int fd = -1;
    (void)state;
    pm_tmpdir_write(dir, "s/a.tif", "12345");
    assert_int_equal(symlink("a.tif", path), 0);
    assert_int_equal(pm_infile_open(&fd, &size, path, &err), PM_OK);
    close(fd);
    assert_int_equal(pm_infile_open_below(&fd, &size, path, strlen(dir), &err), PM_ENOENT);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(pm_infile_stat(&st, path, strlen(dir), &err), PM_ENOENT);
    assert_int_equal(pm_infile_stat(&st, path, 0, &err), PM_OK);
    free(path);
    path = pm_tmpdir_path(dir, "s/a.tif");
    assert_int_equal(pm_infile_open_below(&fd, &size, path, strlen(dir), &err), PM_OK);
    assert_int_equal(size, 5);
    close(fd);
    assert_int_equal(pm_infile_stat(&st, path, strlen(dir), &err), PM_OK);
    assert_int_equal(st.st_size, 5);
    free(path);
    pm_tmpdir_remove(dir);
}

/* A FIFO without a writer hangs whoever waits for it: then the alarm ends this program. */
static void what_is_no_file_is_refused_at_once(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char path[256];
    struct pm_err err = {0};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    alarm(60);
    assert_int_equal(code_of(dir, &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "a folder"));
    assert_int_equal(code_of("/dev/null", &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "a device"));
    snprintf(path, sizeof path, "%s/fifo.tif", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(code_of(path, &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "a FIFO"));
    snprintf(name.sun_path, sizeof name.sun_path, "%.80s/s.tif", dir);
    assert_int_equal(bind(sock, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(code_of(name.sun_path, &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "socket"));
    alarm(0);
    close(sock);
    pm_tmpdir_remove(dir);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char path[256];
    struct pm_err err = {0};
    snprintf(path, sizeof path, "%s/none.tif", dir);
    assert_int_equal(code_of(path, &err), PM_ENOENT);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(symlink("gone", path), 0);
    assert_int_equal(code_of(path, &err), PM_ENOENT);
    unlink(path);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(code_of(path, &err), PM_ENAME);
    assert_int_equal(err.sys_errno, ELOOP);
    if (geteuid() != 0) { /* root may read anything */
        unlink(path);
        close(open(path, O_CREAT | O_WRONLY, 0));
        assert_int_equal(code_of(path, &err), PM_EACCES);
    }
    pm_tmpdir_remove(dir);
}

static void bytes_come_from_where_they_are_asked(void **state)
{
    (void)state;
    static const size_t drips[] = {0, 1, 7, 999};
    unsigned char data[BYTES + 10];
    int fd = new_fd();
    assert_int_equal(lseek(fd, 123, SEEK_SET), 123);
    for (size_t i = 0; i < sizeof drips / sizeof drips[0]; i++) {
        drip_bytes = drips[i];
        assert_int_equal(pm_infile_pread(fd, data, BYTES, 0), BYTES);
        check_bytes(data, BYTES, 0);
        assert_int_equal(pm_infile_pread(fd, data, 100, 517), 100);
        check_bytes(data, 100, 517);
        assert_int_equal(pm_infile_pread(fd, data, sizeof data, 990), 10); /* the file ends */
        check_bytes(data, 10, 990);
        assert_int_equal(pm_infile_pread(fd, data, 10, BYTES), 0);
        assert_int_equal(pm_infile_pread(fd, data, 10, (int64_t)1 << 40), 0);
        assert_int_equal(pm_infile_pread(fd, data, 0, 0), 0);
    }
    drip_bytes = 0;
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 123); /* by position: the descriptor's own is kept */
    close(fd);
}

static void several_places_are_filled_in_turn(void **state)
{
    (void)state;
    static const size_t drips[] = {0, 1, 7, 64, 100};
    unsigned char a[64], b[1], c[300];
    int fd = new_fd();
    for (size_t i = 0; i < sizeof drips / sizeof drips[0]; i++) {
        struct iovec whole[] = {{a, sizeof a}, {NULL, 0}, {b, sizeof b}, {c, sizeof c}};
        struct iovec tail[] = {{a, sizeof a}, {b, sizeof b}, {c, sizeof c}};
        int64_t got = -1;
        drip_bytes = drips[i];
        memset(c, 0, sizeof c);
        assert_int_equal(pm_infile_preadv(fd, whole, 4, 200, &got), 0);
        assert_int_equal(got, 365);
        check_bytes(a, 64, 200);
        check_bytes(b, 1, 264);
        check_bytes(c, 300, 265);
        memset(c, 0xee, sizeof c);
        assert_int_equal(pm_infile_preadv(fd, tail, 3, BYTES - 70, &got), 0);
        assert_int_equal(got, 70);
        check_bytes(a, 64, BYTES - 70);
        check_bytes(c, 5, BYTES - 5);
        assert_int_equal(c[5], 0xee); /* nothing made up */
        assert_int_equal(pm_infile_preadv(fd, NULL, 0, 0, &got), 0);
        assert_int_equal(got, 0);
    }
    drip_bytes = 0;
    close(fd);
}

static void a_failed_read_is_told(void **state)
{
    (void)state;
    char data[4];
    struct iovec iov = {data, sizeof data};
    int64_t got = -1;
    int ends[2];
    assert_int_equal(pipe(ends), 0); /* has no positions */
    errno = 0;
    assert_int_equal(pm_infile_pread(ends[0], data, sizeof data, 0), -1);
    assert_int_equal(errno, ESPIPE);
    errno = 0;
    assert_int_equal(pm_infile_preadv(ends[0], &iov, 1, 0, &got), -1);
    assert_int_equal(errno, ESPIPE);
    assert_int_equal(got, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_regular_file_opens_with_its_size),
        cmocka_unit_test(below_the_root_no_link_is_followed),
        cmocka_unit_test(what_is_no_file_is_refused_at_once),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(bytes_come_from_where_they_are_asked),
        cmocka_unit_test(several_places_are_filled_in_turn),
        cmocka_unit_test(a_failed_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
