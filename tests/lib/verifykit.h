/*
 * verifykit: done pairs with outputs on the disk, for tests of pairmill verify. Holds definitions,
 * as queuekit does: include it in a test's only file.
 * Owns: nothing beside the kit. Threads: one. Memory: none kept. Errors: assert.
 */
#ifndef PM_TESTS_LIB_VERIFYKIT_H
#define PM_TESTS_LIB_VERIFYKIT_H

#include "common/hash.h"
#include "tests/lib/queuekit.h"

/* "out-lab/s/g.tif--NAME/REST" below the kit's folder; free() it. */
static inline char *verify_path(struct pm_kit *kit, const char *name, const char *rest)
{
    char rel[512];
    snprintf(rel, sizeof rel, "out-lab/s/g.tif--%s%s%s", name, rest[0] != '\0' ? "/" : "", rest);
    return pm_tmpdir_path(kit->dir, rel);
}

static inline void verify_write(
    struct pm_kit *kit, const char *name, const char *rest, const char *text)
{
    char rel[512];
    snprintf(rel, sizeof rel, "out-lab/s/g.tif--%s/%s", name, rest);
    pm_tmpdir_write(kit->dir, rel, text);
}

static inline void verify_remove(struct pm_kit *kit, const char *name, const char *rest)
{
    char *path = verify_path(kit, name, rest);
    int failed = unlink(path);
    assert(failed == 0);
    free(path);
}

/* Writes the files of a pair; record: hash of pair.json. */
static inline void verify_publish(struct pm_kit *kit, const char *name, char record[17])
{
    static const char *const files[] = {"crops/0_0.gt.tif", "crops/0_0.target.tif", "mask.png"};
    char text[2048] =
        "{\"inputs\": {\"gt\": {\"xxh3\": \"00112233445566aa\"}, \"target\": {\"xxh3\": "
        "\"ffeeddccbbaa9988\"}}, \"files\": [";
    for (size_t i = 0; i < 3; i++) {
        char content[64];
        char hex[17];
        size_t used = strlen(text);
        snprintf(content, sizeof content, "%s of %s", files[i], name);
        verify_write(kit, name, files[i], content);
        pm_hash_bytes(content, strlen(content), hex);
        snprintf(text + used, sizeof text - used,
            "%s{\"name\": \"%s\", \"bytes\": %zu, \"xxh3\": \"%s\"}", i > 0 ? ", " : "", files[i],
            strlen(content), hex);
    }
    strcat(text, "]}\n");
    verify_write(kit, name, "pair.json", text);
    pm_hash_bytes(text, strlen(text), record);
}

/* A done job of s/gt/g.tif and s/NAME with its outputs; its id. recorded: the database has the hash
 * of pair.json. */
static inline int64_t verify_pair(struct pm_kit *kit, const char *name, bool recorded)
{
    char rel[256];
    pm_kit_see(kit, "s/gt/g.tif", 1);
    snprintf(rel, sizeof rel, "s/%s", name);
    pm_kit_see(kit, rel, 1);
    struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
    int64_t id = result.job_id;
    free(result.output_dir);
    result.output_dir = verify_path(kit, name, "");
    verify_publish(kit, name, result.record);
    if (!recorded) {
        result.record[0] = '\0';
    }
    result.finished_us = kit->now_us;
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
    return id;
}

#endif
