#include "common/formats/tiff_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/infile.h"

/* Debian's libtiff refuses larger directories. */
#define ENTRIES_MAX 4096
#define ENTRY_BYTES_MAX 20
#define CHUNK_ENTRIES 64

/* TIFF 6.0 and BigTIFF: the header says how wide counts and offsets are, and in which order. */
struct header {
    bool big, high_first;
    uint64_t dir; /* offset */
};

static uint64_t number(const struct header *header, const unsigned char *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value |= (uint64_t)at[header->high_first ? n - 1 - i : i] << 8 * i;
    }
    return value;
}

/* False: too short. */
static bool parse_header(struct header *header, const unsigned char *head, int64_t n)
{
    if (n < 8) {
        return false;
    }
    header->high_first = head[0] == 'M';
    header->big = number(header, head + 2, 2) == 43;
    header->dir = header->big ? number(header, head + 8, 8) : number(header, head + 4, 4);
    return !header->big || n >= 16;
}

/* Of one value of a type; 0: no type, libtiff leaves the tag out. */
static uint64_t type_bytes(uint64_t type)
{
    static const uint8_t bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

/* What an entry points at. */
static uint64_t entry_bytes(const struct header *header, const unsigned char *entry)
{
    size_t word = header->big ? 8 : 4;
    uint64_t tag = number(header, entry, 2);
    uint64_t one = type_bytes(number(header, entry + 2, 2));
    uint64_t count = number(header, entry + 4, word);
    bool table = tag == 273 || tag == 279 || tag == 324 || tag == 325;

    if (table || one == 0 || count <= word / one) { /* the last: it lies in the entry */
        return 0;
    }
    return count > UINT64_MAX / one ? UINT64_MAX : count * one;
}

/* Adds what one entry points at. */
static enum pm_code add(
    const char *path, int64_t size, uint64_t more, uint64_t *bytes, struct pm_err *err)
{
    if (more > (uint64_t)size - *bytes) { /* *bytes is at most the file's size, see here */
        return pm_err_set(err, PM_EFORMAT,
            "%s: damaged or truncated TIFF: its tags claim more than the file holds; copy it again",
            path);
    }
    *bytes += more;
    if (*bytes > PM_TIFF_DIR_BYTES_MAX) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: TIFF with more than %" PRIu64
            " MiB beside its pixels (layers?); save it flat, without them",
            path, PM_TIFF_DIR_BYTES_MAX >> 20);
    }
    return PM_OK;
}

/* Adds up entries from offset on; stops at the file's end, which libtiff complains about. */
static enum pm_code add_entries(int fd, const char *path, int64_t size, const struct header *header,
    uint64_t offset, uint64_t count, uint64_t *bytes, struct pm_err *err)
{
    unsigned char chunk[CHUNK_ENTRIES * ENTRY_BYTES_MAX];
    size_t step = header->big ? 20 : 12;

    while (count > 0 && offset < (uint64_t)size) {
        uint64_t some = count < CHUNK_ENTRIES ? count : CHUNK_ENTRIES;
        int64_t n = pm_infile_pread(fd, chunk, (size_t)some * step, (int64_t)offset);
        if (n < 0) {
            return pm_err_errno(err, errno, "%s: cannot read", path);
        }
        for (size_t i = 0; i < (size_t)n / step; i++) {
            enum pm_code rc = add(path, size, entry_bytes(header, chunk + i * step), bytes, err);
            if (rc != PM_OK) {
                return rc;
            }
        }
        count -= some;
        offset += some * step;
    }
    return PM_OK;
}

enum pm_code pm_tiff_dir_check(
    int fd, const char *path, int64_t size, uint64_t *bytes, struct pm_err *err)
{
    struct header header = {.dir = 0};
    unsigned char head[16], count[8];
    size_t count_bytes;
    int64_t n = pm_infile_pread(fd, head, sizeof head, 0);

    *bytes = 0;
    if (n < 0) {
        return pm_err_errno(err, errno, "%s: cannot read", path);
    }
    if (!parse_header(&header, head, n)) {
        return PM_OK;
    }
    count_bytes = header.big ? 8 : 2;
    if ((uint64_t)size < count_bytes || header.dir > (uint64_t)size - count_bytes) {
        return PM_OK;
    }
    n = pm_infile_pread(fd, count, count_bytes, (int64_t)header.dir);
    if (n < 0) {
        return pm_err_errno(err, errno, "%s: cannot read", path);
    }
    uint64_t entries = (size_t)n < count_bytes ? 0 : number(&header, count, count_bytes);
    if (entries > ENTRIES_MAX) {
        return PM_OK;
    }
    return add_entries(fd, path, size, &header, header.dir + count_bytes, entries, bytes, err);
}
