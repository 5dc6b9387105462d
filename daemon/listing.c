#include "daemon/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/below.h"

int pm_listing_open(struct pm_listing *listing, const char *path, size_t root_bytes)
{
    int fd = pm_below_open(path, root_bytes, O_RDONLY | O_DIRECTORY);
    *listing = (struct pm_listing){.fd = fd};
    return fd < 0 ? -errno : 0;
}

static bool reserve(struct pm_listing *listing, size_t more)
{
    size_t size = listing->size == 0 ? 4096 : listing->size;
    char *bigger;
    while (size < listing->used + more) {
        size *= 2;
    }
    if (size == listing->size) {
        return true;
    }
    bigger = realloc(listing->bytes, size);
    if (bigger == NULL) {
        return false;
    }
    listing->bytes = bigger;
    listing->size = size;
    return true;
}

static int add(struct pm_listing *listing, const struct dirent *entry)
{
    size_t size = strlen(entry->d_name) + 1;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
        return 0;
    }
    if (!reserve(listing, 1 + size)) {
        return -ENOMEM;
    }
    listing->bytes[listing->used] = (char)entry->d_type;
    memcpy(listing->bytes + listing->used + 1, entry->d_name, size);
    listing->used += 1 + size;
    listing->count++;
    return 0;
}

static int read_all(struct pm_listing *listing, DIR *dir)
{
    for (;;) {
        const struct dirent *entry;
        int rc;
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            return -errno;
        }
        rc = add(listing, entry);
        if (rc != 0) {
            return rc;
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

/* The bytes stay where they are from now on. */
static int sort(struct pm_listing *listing)
{
    const char *at = listing->bytes;
    listing->entries = calloc(listing->count + 1, sizeof(const char *));
    if (listing->entries == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < listing->count; i++) {
        listing->entries[i] = at;
        at += 1 + strlen(at + 1) + 1;
    }
    if (listing->count > 1) {
        qsort(listing->entries, listing->count, sizeof listing->entries[0], by_name);
    }
    return 0;
}

int pm_listing_read(struct pm_listing *listing)
{
    int copy = fcntl(listing->fd, F_DUPFD_CLOEXEC, 0); /* closedir() takes it with it */
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    int rc;
    if (dir == NULL) {
        rc = -errno;
        if (copy >= 0) {
            close(copy);
        }
        return rc;
    }
    rc = read_all(listing, dir);
    closedir(dir);
    return rc != 0 ? rc : sort(listing);
}

void pm_listing_close(struct pm_listing *listing)
{
    if (listing->fd >= 0) {
        close(listing->fd);
    }
    free(listing->bytes);
    free(listing->entries);
    *listing = (struct pm_listing){.fd = -1};
}

int pm_listing_type(const struct pm_listing *listing, size_t i)
{
    return (unsigned char)listing->entries[i][0];
}

const char *pm_listing_name(const struct pm_listing *listing, size_t i)
{
    return listing->entries[i] + 1;
}

int pm_listing_look(const struct pm_listing *listing, size_t i, struct stat *st)
{
    int rc = fstatat(listing->fd, pm_listing_name(listing, i), st, AT_SYMLINK_NOFOLLOW);
    return rc != 0 ? -errno : 0;
}
