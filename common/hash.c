#include "common/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xxhash.h>

#include "common/infile.h"

#define CHUNK_BYTES (1 << 20) /* large enough to hide the call, small enough to stay in L2 */

static void to_hex(XXH64_hash_t hash, char hex[17])
{
    snprintf(hex, 17, "%016" PRIx64, (uint64_t)hash);
}

/* *total: bytes hashed. -1 with errno set on error. */
static int update_from(int fd, XXH3_state_t *state, unsigned char *chunk, int64_t *total)
{
    int64_t got;

    *total = 0;
    do {
        got = pm_infile_pread(fd, chunk, CHUNK_BYTES, *total);
        if (got < 0) {
            return -1;
        }
        XXH3_64bits_update(state, chunk, (size_t)got);
        *total += got;
    } while (got == CHUNK_BYTES);
    return 0;
}

enum pm_code pm_hash_file(const char *path, int64_t *size, char hex[17], struct pm_err *err)
{
    return pm_hash_file_below(path, 0, size, hex, err);
}

enum pm_code pm_hash_file_below(
    const char *path, size_t root_bytes, int64_t *size, char hex[17], struct pm_err *err)
{
    XXH3_state_t *state = NULL;
    unsigned char *chunk = NULL;
    int fd = -1;
    int64_t total;
    enum pm_code rc;

    rc = pm_infile_open_below(&fd, &total, path, root_bytes, err);
    if (rc != PM_OK) {
        goto out;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    state = XXH3_createState();
    chunk = malloc(CHUNK_BYTES);
    if (state == NULL || chunk == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "%s: no memory to hash it", path);
        goto out;
    }
    XXH3_64bits_reset(state);
    if (update_from(fd, state, chunk, &total) != 0) {
        rc = pm_err_errno(err, errno, "%s: cannot read", path);
        goto out;
    }
    to_hex(XXH3_64bits_digest(state), hex);
    if (size != NULL) {
        *size = total;
    }
out:
    free(chunk);
    XXH3_freeState(state);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

void pm_hash_bytes(const void *data, size_t n, char hex[17])
{
    to_hex(XXH3_64bits(data, n), hex);
}
