/* fuzz_names: file names, which are any bytes: four of them, each ended by a zero byte: two pairs
 * of a ground truth and a target. */
#include <stdlib.h>
#include <string.h>

#include "common/conf_path.h"
#include "common/formats/reader.h"
#include "common/json.h"
#include "common/printable.h"
#include "common/suggest.h"
#include "tests/fuzz/kit.h"
#include "worker/outname.h"

/* Nothing a terminal would obey, and nothing lost that was fine. */
static void check_printable(const char *name)
{
    size_t n = strlen(name);
    char *text = malloc(PM_PRINTABLE_SIZE(n));
    char small[16];
    PM_FUZZ_CHECK(text != NULL);
    pm_printable(text, PM_PRINTABLE_SIZE(n), name, n);
    PM_FUZZ_CHECK(pm_utf8_valid(text) && strlen(text) >= n);
    for (const char *c = text; *c != '\0'; c++) {
        PM_FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    pm_printable(small, sizeof small, name, n);
    PM_FUZZ_CHECK(pm_utf8_valid(small) && strncmp(small, text, strlen(small)) == 0);
    free(text);
}

static void check_json(const char *name)
{
    struct pm_json json;
    pm_json_init(&json, strlen(name) % 2 == 0);
    pm_json_begin_object(&json, NULL);
    pm_json_name(&json, "name", name);
    pm_json_string(&json, "text", name);
    pm_json_end_object(&json);
    const char *text = pm_json_text(&json);
    PM_FUZZ_CHECK(text != NULL && pm_utf8_valid(text));
    PM_FUZZ_CHECK((strstr(text, "name_hex") != NULL) >= !pm_utf8_valid(name));
    for (const char *c = text; *c != '\0'; c++) {
        PM_FUZZ_CHECK((unsigned char)*c >= 0x20 || *c == '\n');
    }
    pm_json_fini(&json);
}

static void check_path(const char *name)
{
    char *path = pm_path_absolute("/base", name);
    PM_FUZZ_CHECK(path != NULL && path[0] == '/');
    PM_FUZZ_CHECK(strstr(path, "//") == NULL && strstr(path, "/./") == NULL);
    PM_FUZZ_CHECK(path[1] == '\0' || path[strlen(path) - 1] != '/');
    char *again = pm_path_absolute("/other", path);
    PM_FUZZ_CHECK(again != NULL && strcmp(path, again) == 0);
    free(again);
    free(path);
}

static bool make_name(const char *gt, const char *target, char out[PM_OUTNAME_MAX + 1])
{
    struct pm_err err = {.code = PM_OK};
    enum pm_code rc = pm_outname(gt, target, out, &err);
    if (rc != PM_OK) {
        PM_FUZZ_CHECK(rc == PM_ENAME);
        PM_FUZZ_CHECK(*pm_base_name(gt) == '\0' || *pm_base_name(target) == '\0');
        return false;
    }
    PM_FUZZ_CHECK(strlen(out) <= PM_OUTNAME_MAX && strlen(out) > 2);
    PM_FUZZ_CHECK(strchr(out, '/') == NULL && strcmp(out, "..") != 0);
    PM_FUZZ_CHECK(!pm_utf8_valid(gt) || !pm_utf8_valid(target) || pm_utf8_valid(out));
    return true;
}

/* Different pairs get different folders; for names the scanner would take. */
static void check_outnames(char *const name[4])
{
    char a[PM_OUTNAME_MAX + 1], b[PM_OUTNAME_MAX + 1];
    if (!make_name(name[0], name[1], a) || !make_name(name[2], name[3], b)) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        if (!pm_format_known(pm_base_name(name[i]))) {
            return;
        }
    }
    bool same = strcmp(pm_base_name(name[0]), pm_base_name(name[2])) == 0 &&
                strcmp(pm_base_name(name[1]), pm_base_name(name[3])) == 0 &&
                pm_target_is_gt(name[0], name[1]) == pm_target_is_gt(name[2], name[3]);
    PM_FUZZ_CHECK((strcmp(a, b) == 0) == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 5);
    char *name[4];

    pm_fuzz_begin();
    PM_FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    for (size_t i = 0, at = 0; i < 4; i++) {
        name[i] = text + at;
        at += strlen(name[i]) + (at + strlen(name[i]) < size);
    }
    for (int i = 0; i < 4; i++) {
        struct pm_suggest suggest;
        check_printable(name[i]);
        check_json(name[i]);
        check_path(name[i]);
        pm_suggest_init(&suggest, name[i]);
        pm_suggest_offer(&suggest, name[(i + 1) % 4]);
        pm_suggest_offer(&suggest, "max_shift");
    }
    check_outnames(name);
    free(text);
    pm_fuzz_end();
    return 0;
}
