#include "tests/lib/tmpdir.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *pm_tmpdir_make(void)
{
    const char *base = getenv("TMPDIR");
    char pattern[512];
    char *real;
    snprintf(pattern, sizeof pattern, "%s/pairmill-XXXXXX", base == NULL ? P_tmpdir : base);
    real = mkdtemp(pattern) == NULL ? NULL : realpath(pattern, NULL);
    assert(real != NULL);
    return real;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)where;
    if (kind == FTW_DNR) {
        (void)chmod(path, 0700);
    }
    return remove(path);
}

void pm_tmpdir_remove(char *dir)
{
    if (dir != NULL) {
        assert(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
        free(dir);
    }
}

char *pm_tmpdir_path(const char *dir, const char *rel)
{
    size_t size = strlen(dir) + strlen(rel) + 2;
    char *path = malloc(size);
    assert(path != NULL);
    snprintf(path, size, "%s/%s", dir, rel);
    return path;
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

void pm_tmpdir_folder(const char *dir, const char *rel)
{
    char *path = pm_tmpdir_path(dir, rel);
    make_parents(path);
    assert(mkdir(path, 0777) == 0 || errno == EEXIST);
    free(path);
}

void pm_tmpdir_write(const char *dir, const char *rel, const char *text)
{
    char *path = pm_tmpdir_path(dir, rel);
    FILE *file;
    make_parents(path);
    file = fopen(path, "we");
    assert(file != NULL);
    assert(fputs(text, file) >= 0);
    assert(fclose(file) == 0);
    free(path);
}

void pm_tmpdir_rename(const char *dir, const char *from, const char *to)
{
    char *a = pm_tmpdir_path(dir, from);
    char *b = pm_tmpdir_path(dir, to);
    assert(rename(a, b) == 0);
    free(a);
    free(b);
}

void pm_tmpdir_unlink(const char *dir, const char *rel)
{
    char *path = pm_tmpdir_path(dir, rel);
    assert(unlink(path) == 0);
    free(path);
}
